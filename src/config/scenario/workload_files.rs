//! `workload = "my-model.toml"`: a workload that a scenario names by the path of its file, while
//! workloads of the catalogue are named by their ids.
//!
//! The path is relative to the scenario's folder; on the command line, to the current folder. Its
//! id is the path as written, so that it cannot be mistaken for one of the catalogue.

use super::trace::beside;
use crate::config::catalogue::entries::{self, WorkloadFile};
use crate::config::catalogue::{Catalogue, find, is_path, unknown_in};
use crate::config::text::{LoadError, Problems, Reader, SourceFile, Value, source};
use crate::formats::recognise;
use crate::spec::Workload;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

/// The workload of a file's text; `path` is what messages and scenarios call the file.
pub fn workload_of_text(
    path: &str,
    text: &str,
    catalogue: &Catalogue,
) -> Result<Workload, LoadError> {
    let problems = Problems::default();
    let file = Arc::new(SourceFile::new(path, text));
    let found = read(&file, path, catalogue, &problems);
    match (found, problems.into_error()) {
        (Some(found), None) => Ok(found.spec),
        (_, all) => Err(LoadError::Invalid(all.unwrap_or_default())),
    }
}

/// The workload a value names, of the catalogue or of a file.
pub(crate) fn named<'c>(
    value: &Value<'_>,
    catalogue: &'c Catalogue,
) -> Option<Cow<'c, WorkloadFile>> {
    let word = value.text()?;
    if is_path(word) {
        return of_file(value, word, catalogue).map(Cow::Owned);
    }
    if is_measurement(word) {
        let found = value.wrong("is not a workload, but a file of measurements by its name");
        let help = format!(
            "`slicewise calibrate {word} --gpu GPU -o my-model.toml` makes a workload from them"
        );
        value.report(found.allowed("a workload of the catalogue, or a workload file").help(help));
        return None;
    }
    find(value, "workload", &catalogue.workloads).map(Cow::Borrowed)
}

/// Whether a name is that of a file of measurements.
fn is_measurement(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    [".csv", ".json", ".log", ".txt"].iter().any(|ending| lower.ends_with(ending))
}

fn of_file(value: &Value<'_>, word: &str, catalogue: &Catalogue) -> Option<WorkloadFile> {
    let own = Problems::default();
    let found =
        text(value, word, catalogue, &own).and_then(|file| read(&file, word, catalogue, &own));
    let found = found.filter(|_| !own.any());
    value.problems.take_over(own);
    found
}

/// The text of the file; a diagnostic where it cannot be read.
fn text(
    value: &Value<'_>,
    word: &str,
    catalogue: &Catalogue,
    problems: &Problems,
) -> Option<Arc<SourceFile>> {
    if let Some(given) = catalogue.given(word) {
        return Some(given.clone());
    }
    let is_argument = value.span.start >= value.file.own_end();
    let path = match is_argument && value.file.set.is_some() {
        true => PathBuf::from(word),
        false => beside(&value.file.path, word),
    };
    match source::read(&path, problems) {
        Ok(file) => file,
        Err(error) => {
            let help = "a workload file is written by `slicewise calibrate ... -o FILE`; a \
                workload of the catalogue is named without .toml";
            value.report(value.wrong(format!("names a file: {error:#}")).help(help));
            None
        }
    }
}

fn read(
    file: &Arc<SourceFile>,
    id: &str,
    catalogue: &Catalogue,
    problems: &Problems,
) -> Option<WorkloadFile> {
    let tree = source::parse(file, problems)?;
    if tree.is_empty() {
        let help = "`slicewise new workload -o FILE` writes one with every key, to be filled in; `slicewise \
            calibrate` makes one from measurements";
        source::is_empty(file, help, problems);
        return None;
    }
    if !source::is_of_kind(file, &tree, recognise::WORKLOAD, problems) {
        return None;
    }
    let found = entries::workload(id, Reader::new(file, &tree, problems))?;
    let known: Vec<&str> = catalogue.gpus().map(|gpu| gpu.id.as_str()).collect();
    for gpu in found.spec.service.keys().filter(|gpu| !known.contains(&gpu.as_str())) {
        problems.push(unknown_in(file, "GPU", gpu, &known));
    }
    Some(found)
}
