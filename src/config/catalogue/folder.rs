//! Files of a catalogue's folder that would be passed over in silence.
//!
//! Which files are read, and what is in them, is the catalogue's.

use crate::config::text::{Diagnostic, KINDS, Problems};
use crate::formats::recognise;
use crate::suggest::nearest;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

/// What is told of files that would be passed over: in a folder that is almost one of the catalogue's,
/// beside the folders instead of in one, or without the ending of its kind.
pub(super) fn misplaced(folder: &Path, problems: &Problems) -> anyhow::Result<()> {
    let wrong = |path: &Path, title: &str, place: String| {
        let shown = path.display().to_string();
        problems.push(Diagnostic::about(&shown, None, title).allowed(place));
    };
    let mut folders = Vec::new();
    for (path, name) in visible(folder)? {
        let kind = KINDS.into_iter().find(|(one, many)| name == *one || name == *many);
        let near = kind
            .map(|(_, many)| many.to_string())
            .or_else(|| nearest(&name, KINDS.map(|(_, many)| many)));
        match (path.is_dir(), near) {
            (true, Some(near)) if near == name => folders.push(path),
            (true, Some(near)) => {
                wrong(
                    &path,
                    "nothing in this folder is read",
                    format!("{}/", folder.join(near).display()),
                );
            }
            (false, _) if name.ends_with(".toml") && is_entry(&path) => {
                let title = "a file beside the folders of the catalogue is not read";
                let places = KINDS.map(|(_, many)| format!("{many}/{name}")).join(", ");
                wrong(&path, title, format!("{places} in {}", folder.display()));
            }
            _ => {}
        }
    }
    for (path, name) in
        folders.iter().map(|folder| visible(folder)).collect::<Result<Vec<_>, _>>()?.concat()
    {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let is_meant = ending.as_deref().is_none_or(|ending| ["toml", "tml"].contains(&ending));
        if is_meant && !name.ends_with(".toml") && path.is_file() && is_entry(&path) {
            let right = path.with_extension("toml");
            wrong(
                &path,
                "a file without the ending .toml is not read",
                right.display().to_string(),
            );
        }
    }
    Ok(())
}

/// The files and folders in a folder that are not hidden, with their names.
fn visible(folder: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name().to_string_lossy().to_string();
        if !name.starts_with('.') {
            found.push((entry.path(), name));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file is one of the catalogue by its keys.
fn is_entry(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    let table = text.parse::<toml::Table>().unwrap_or_default();
    let keys: Vec<&str> = table.keys().map(String::as_str).collect();
    recognise::by_keys(&keys).is_some_and(|kind| kind.what.ends_with("of the catalogue"))
}
