//! Links of the documents lead somewhere: to a file of the project, and to a heading in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder, in order of the paths; what is built and what is hidden is left out.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        !name.starts_with('.') && !["target", "output"].contains(&&*name)
    };
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries.into_iter().filter(is_ours).flat_map(below).collect()
}

pub(crate) fn has_kind(path: &Path, kinds: &[&str]) -> bool {
    path.extension().is_some_and(|kind| kinds.iter().any(|one| kind == *one))
}

/// The documents of the whole project. The words of a page that a command makes stand in `src`;
/// the page itself is looked at.
pub(crate) fn documents() -> Vec<PathBuf> {
    let files = files_below(Path::new(".")).into_iter();
    files.filter(|path| has_kind(path, &["md"]) && !path.starts_with("./src")).collect()
}

/// The lines of a document that are not code.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            return None;
        }
        (!is_code).then_some((number, line))
    })
}

/// What headings are linked by: lower case, blanks as dashes, without other signs.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|(_, line)| line.strip_prefix('#'));
    let slug = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

/// The targets of the links in a line, those in `code` left out.
pub(crate) fn targets(line: &str) -> Vec<&str> {
    let outside = line.split('`').step_by(2).flat_map(|part| part.split("](").skip(1));
    let named = outside.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    named.collect()
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let (mut broken, mut seen) = (Vec::new(), 0);
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for (line, target) in prose(&text)
            .flat_map(|(number, line)| targets(line).into_iter().map(move |t| (number, t)))
        {
            seen += 1;
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            let is_there = match fs::read_to_string(&path) {
                Ok(text) if !anchor.is_empty() => anchors(&text).contains(anchor),
                _ => path.exists(),
            };
            if !is_there {
                broken.push(format!("{}:{line}: {target}", document.display()));
            }
        }
    }
    assert!(seen > 0 && broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}
