//! What a task was read from, for whoever is to simulate it again.

use super::catalogue::{Catalogue, Origin, is_path};
use super::scenario::trace::beside;
use super::text::{Problems, SourceFile, source};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The files that a task was read from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inputs {
    /// The user's own, name and text: scenarios, entries of their catalogue, workload files.
    pub files: Vec<(String, String)>,
    /// Entries of the built-in catalogue, such as `gpus/a30`.
    pub built_in: Vec<String>,
}

impl Inputs {
    /// Those of scenario files, which use these entries by folder and id.
    pub(super) fn of(
        files: &[(String, Arc<SourceFile>)],
        used: &BTreeSet<(&'static str, String)>,
        catalogue: &Catalogue,
    ) -> Self {
        let own = |(name, file): &(String, Arc<SourceFile>)| {
            // What --set adds is in the command.
            (name.clone(), file.text[..file.own_end()].to_string())
        };
        let mut inputs = Self { files: files.iter().map(own).collect(), built_in: Vec::new() };
        for (folder, id) in used {
            match catalogue.file(folder, id) {
                Some((Origin::Embedded, _)) => inputs.built_in.push(format!("{folder}/{id}")),
                Some((Origin::Folder(path), text)) => {
                    inputs.files.push((path.clone(), text.to_string()));
                }
                None if *folder == "workloads" && is_path(id) => {
                    inputs.files.extend(workload_file(id, files, catalogue));
                }
                None => {}
            }
        }
        inputs
    }
}

/// A workload file as scenarios name it: beside one of them, or where the program was called.
fn workload_file(
    id: &str,
    files: &[(String, Arc<SourceFile>)],
    catalogue: &Catalogue,
) -> Option<(String, String)> {
    if let Some(given) = catalogue.given(id) {
        return Some((id.to_string(), given.text.clone()));
    }
    let places = files.iter().map(|(_, file)| beside(&file.path, id)).chain([PathBuf::from(id)]);
    let mut found = places.filter(|path| path.is_file());
    let file = source::read(&found.next()?, &Problems::default()).ok()??;
    Some((id.to_string(), file.text.clone()))
}
