//! `slicewise list` and `slicewise show`: the catalogue's entries, and one entry in full.
//!
//! An entry is printed as it is in its file, comments and sources included; nothing is interpreted.

use super::failure::Failure;
use super::named::good_catalogue;
use super::output;
use crate::config::{Catalogue, CatalogueEntry};
use crate::report;
use serde_json::{Value, json};
use std::path::Path;

/// Below the help of `slicewise list`.
pub(super) const LIST_HELP: &str = "\
Examples:
  slicewise list | grep workload
  slicewise list --json | jq -r '.[] | select(.kind == \"gpu\") | .id'
  slicewise list --configs my-configs      with your own files

Exit codes:
  0  printed
  2  printed, but files of the folder have mistakes, which are reported";

/// Below the help of `slicewise show`.
pub(super) const SHOW_HELP: &str = "\
Examples:
  slicewise show bert-99
  slicewise show gpus/a100-pcie-40gb
  slicewise show bert-99 > my-configs/workloads/my-bert.toml      to start from

On a terminal long lines are wrapped; in a file they are not.";

/// Runs `slicewise list`.
pub(super) fn list(json: bool, configs: Option<&Path>) -> Result<(), Failure> {
    let (catalogue, mistakes) = Catalogue::load_good(configs)?;
    let entries = catalogue.list();
    output::data(&match json {
        true => format!("{:#}\n", document(&entries)),
        false => table(&entries, output::columns().unwrap_or(usize::MAX)),
    })?;
    // As `check`: what is wrong is told, and the exit code says so; the list is whole but for that.
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::Invalid(mistakes)) }
}

fn document(entries: &[CatalogueEntry]) -> Value {
    let entry = |entry: &CatalogueEntry| {
        json!({
            "kind": entry.kind,
            "id": entry.id,
            "name": entry.name,
            "origin": entry.origin.to_string(),
            "left_out": entry.left_out,
        })
    };
    entries.iter().map(entry).collect()
}

/// The names are cut where there is no room for them; what they name is in the other columns.
fn table(entries: &[CatalogueEntry], columns: usize) -> String {
    /// A name is cut to no less.
    const NAME: usize = 8;
    let mut lines = vec![["KIND", "ID", "NAME", "ORIGIN"].map(str::to_string)];
    for entry in entries {
        let name = if entry.left_out { "left out: it has mistakes" } else { &entry.name };
        let origin = entry.origin.to_string();
        lines.push([entry.kind.to_string(), entry.id.clone(), name.to_string(), origin]);
    }
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let others = width(0) + width(1) + width(3) + 6;
    let widths = [width(0), width(1), width(2).min(columns.saturating_sub(others).max(NAME))];
    let mut text = String::new();
    for [kind, id, name, origin] in &lines {
        let [a, b, c] = widths;
        let name = match name.chars().count() > c {
            true => name.chars().take(c - 1).chain(['…']).collect(),
            false => name.clone(),
        };
        text.push_str(&format!("{kind:a$}  {id:b$}  {name:c$}  {origin}\n"));
    }
    text
}

/// Runs `slicewise show`.
pub(super) fn show(id: &str, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = good_catalogue(configs)?;
    match catalogue.show(id) {
        Some(text) => {
            let columns = output::columns().filter(|_| !output::goes_to_a_file());
            output::data(&format!("{}\n", broken(text.trim_end(), columns.unwrap_or(usize::MAX))))
        }
        None => Err(Failure::Usage(unknown(id, &catalogue.ids()))),
    }
}

/// The text with no line beyond so many columns: comments go on as comments, all else is indented.
fn broken(text: &str, columns: usize) -> String {
    let lines = text.lines().map(|line| {
        if line.chars().count() <= columns {
            return line.to_string();
        }
        let (sign, rest) = match line.strip_prefix('#') {
            Some(rest) => ("# ", rest.trim_start()),
            None => ("", line),
        };
        let parts = report::lines_of(rest, columns.saturating_sub(sign.len()).max(20));
        let parts = parts.iter().map(|part| match sign {
            "" => part.clone(),
            _ => format!("{sign}{}", part.trim_start()),
        });
        parts.collect::<Vec<_>>().join("\n")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What to say about an entry that is not there; the nearest name only if it is near.
fn unknown(id: &str, ids: &[String]) -> String {
    let nearest = ids
        .iter()
        .max_by(|one, two| strsim::jaro_winkler(id, one).total_cmp(&strsim::jaro_winkler(id, two)));
    let near = nearest
        .filter(|near| strsim::jaro_winkler(id, near) > 0.85 || strsim::levenshtein(id, near) <= 2);
    let help = near.map_or_else(
        || "`slicewise list` prints all entries".to_string(),
        |near| format!("did you mean \"{near}\"?"),
    );
    format!("the catalogue has no \"{id}\"\n  = help: {help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_list_cuts_names_alone() {
        let entries = Catalogue::load(None).unwrap().list();
        let narrow = table(&entries, 60);
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
        assert!(entries.iter().all(|entry| narrow.contains(&entry.id)));
        assert!(!table(&entries, usize::MAX).contains('…'));
    }

    #[test]
    fn only_a_near_name_is_proposed() {
        let ids = ["a100-pcie-40gb".to_string(), "bert-99".to_string()];
        assert!(unknown("a100-pcie-40g", &ids).contains("did you mean \"a100-pcie-40gb\"?"));
        assert!(unknown("dell", &ids).contains("slicewise list"));
        assert!(unknown("dell", &[]).contains("slicewise list"));
    }
}
