//! `workload = "my-model.toml"`: a workload that a scenario names by the path of its file, while
//! workloads of the catalogue are named by their ids.
//!
//! The path is relative to the scenario's folder; on the command line, to the current folder. Its
//! id is the path as written, so that it cannot be mistaken for one of the catalogue.
//!
//! `workload = { name = "...", ... }`, or `[vm.workload]`: one that stands in the scenario, with the
//! keys of a workload file. Its id is `own/` and its name in short: no file of the catalogue has a
//! slash in its name, and no path ends like that.

use super::trace::beside;
use crate::config::catalogue::entries::{self, WorkloadFile};
use crate::config::catalogue::{Catalogue, find, is_path, unknown_gpu, unknown_in};
use crate::config::text::{LoadError, Problems, Reader, SourceFile, Spot, Value, source};
use crate::formats::recognise;
use crate::spec::Workload;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
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

/// What ids of workloads begin with that stand in a scenario.
const OWN: &str = "own/";

/// Most characters of a name in an id.
const NAME_MAX: usize = 40;

/// Whether this is the id of a workload that stands in a scenario.
pub(crate) fn is_own(id: &str) -> bool {
    id.starts_with(OWN)
}

/// The ids of the workloads that stand in one scenario, by their content: equal ones have the same
/// id, and others of one name are numbered in the order of the file.
#[derive(Default)]
pub(crate) struct OwnWorkloads(RefCell<BTreeMap<String, String>>);

impl OwnWorkloads {
    /// The id of a workload that has none yet.
    fn id_of(&self, workload: &Workload) -> String {
        let mut known = self.0.borrow_mut();
        let content = format!("{workload:?}");
        if let Some(id) = known.get(&content) {
            return id.clone();
        }
        let name = in_short(&workload.name);
        let numbered = (2..).map(|number| format!("{OWN}{name}-{number}"));
        let mut ids = std::iter::once(format!("{OWN}{name}")).chain(numbered);
        let is_free = |id: &String| known.values().all(|other| other != id);
        let id = ids.find(is_free).expect("numbers do not end");
        known.insert(content, id.clone());
        id
    }
}

/// `1-ms-of-gpu-work` of `1 ms of GPU work`.
fn in_short(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.map(str::to_lowercase).collect::<Vec<_>>().join("-");
    let short: String = joined.chars().take(NAME_MAX).collect();
    if short.is_empty() { "workload".to_string() } else { short }
}

/// The workload a value names, of the catalogue or of a file; or that it is.
pub(crate) fn named<'c>(
    value: &Value<'_>,
    catalogue: &'c Catalogue,
    own: &OwnWorkloads,
) -> Option<Cow<'c, WorkloadFile>> {
    if value.is_table() {
        return of_scenario(value, catalogue, own).map(Cow::Owned);
    }
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

/// The workload that stands in the scenario.
fn of_scenario(
    value: &Value<'_>,
    catalogue: &Catalogue,
    own: &OwnWorkloads,
) -> Option<WorkloadFile> {
    let found = entries::workload("", value.table()?);
    let services = value.value.as_table().and_then(|table| table.get("service"));
    let services = services.and_then(|services| services.get_ref().as_table());
    let gpus = services.into_iter().flat_map(|services| services.keys());
    let unknown: Vec<_> = gpus.filter(|gpu| catalogue.gpu(gpu.get_ref()).is_none()).collect();
    for gpu in &unknown {
        let spot = Spot { file: value.file.clone(), span: gpu.span() };
        value.report(unknown_gpu(&spot, gpu.get_ref(), catalogue));
    }
    let mut found = found.filter(|_| unknown.is_empty())?;
    found.spec.id = own.id_of(&found.spec);
    Some(found)
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
