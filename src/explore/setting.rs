//! A setting: a source with some of its keys set, checked.

use super::controls::{self, Control};
use super::refusal::Refusal;
use super::source::Source;
use crate::config::{LoadError, LoadOptions, Task, task_of_text, text_with};
use crate::spec::Scenario;
use std::path::{Path, PathBuf};

/// What was asked.
#[derive(Clone, Default, Debug)]
pub struct Request {
    /// The id of a source.
    pub source: String,
    /// Keys to set, `vm.count=4`; a later one wins.
    pub set: Vec<String>,
    /// The curve that is wanted, `load` or `vms`; nothing for the lesson's own.
    pub curve: Option<String>,
}

/// A setting that can be simulated.
pub(super) struct Setting {
    pub(super) source: String,
    pub(super) path: PathBuf,
    /// The text of its file, with all that is set.
    pub(super) text: String,
    pub(super) scenario: Scenario,
    /// What is set, and what was asked for but means nothing here.
    pub(super) sets: Vec<String>,
    pub(super) dormant: Vec<String>,
    pub(super) controls: Vec<Control>,
}

/// Most keys that are set.
const SETS: usize = 40;

impl Setting {
    /// The setting of a request. Refused with the words of the diagnostic where the scenario is wrong.
    pub(super) fn of(
        options: &LoadOptions,
        sources: &[Source],
        request: &Request,
    ) -> Result<Self, Refusal> {
        let source =
            sources.iter().find(|source| source.id == request.source).ok_or_else(|| {
                let error = format!("source={}", clipped(&request.source));
                Refusal::missing(error, "an id that api/sources lists")
            })?;
        if let Some(fault) = &source.fault {
            return Err(Refusal::bad(fault.clone(), ""));
        }
        if request.set.len() > SETS {
            let error = format!("{} times set=", request.set.len());
            return Err(Refusal::bad(error, format!("at most {SETS}")));
        }
        let sets = last_of_each(&request.set)?;
        for set in &sets {
            let (key, value) = set.split_once('=').unwrap_or((set, ""));
            let refused = |allowed: String| Refusal::bad(format!("set={}", clipped(set)), allowed);
            if !controls::is_known(&source.text, key) {
                return Err(refused(controls::KEYS.to_string()));
            }
            controls::check(&source.text, key, value).map_err(refused)?;
        }
        let read = |sets: &[String]| read(options, &source.path, &source.text, sets);
        // What decides which keys mean something is set first; what means nothing then is left out.
        let (mut used, mut dormant) = (sets.clone(), Vec::new());
        let mut found = read(&used);
        if found.is_err() {
            let shapes: Vec<String> =
                sets.iter().filter(|set| controls::shapes(set)).cloned().collect();
            let (text, shaped) = read(&shapes)?;
            let there = controls::of(&text, &shaped, &options.catalogue);
            let means = |set: &&String| {
                let key = set.split('=').next().unwrap_or_default();
                controls::shapes(set) || there.iter().any(|control| control.key == key)
            };
            let (kept, left): (Vec<&String>, Vec<&String>) = sets.iter().partition(means);
            used = kept.into_iter().cloned().collect();
            dormant = left.into_iter().cloned().collect();
            found = read(&used);
        }
        let (text, scenario) = found?;
        let mut controls = controls::of(&text, &scenario, &options.catalogue);
        for control in &mut controls {
            let key_of = |set: &String| set.split('=').next().unwrap_or_default().to_string();
            control.changed =
                used.iter().any(|set| controls::is_one(&text, &key_of(set), &control.key));
        }
        Ok(Self {
            source: source.id.clone(),
            path: source.path.clone(),
            text,
            scenario,
            sets: used,
            dormant,
            controls,
        })
    }

    /// The name of its file, without ending.
    pub(super) fn name(&self) -> String {
        let stem = self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        stem.unwrap_or_else(|| "scenario".to_string())
    }
}

/// The text with these keys set, and the scenario of that very text.
pub(super) fn read(
    options: &LoadOptions,
    path: &Path,
    text: &str,
    sets: &[String],
) -> Result<(String, Scenario), Refusal> {
    let refused = |error: LoadError| Refusal::bad(error.to_string(), "");
    let made = text_with(path, text, sets).map_err(refused)?;
    match task_of_text(path, &made, options) {
        Ok(Task::Run(scenario)) => Ok((made, *scenario)),
        Ok(Task::Sweep(_)) => Err(Refusal::bad("the file has a [sweep]", "a file without one")),
        // A fault of what is set is told as one of the argument, not of a text that nobody wrote.
        Err(error) => {
            let options = LoadOptions { set: sets.to_vec(), ..options.clone() };
            Err(refused(task_of_text(path, text, &options).err().unwrap_or(error)))
        }
    }
}

/// Of each key the last set, in the order of these.
fn last_of_each(sets: &[String]) -> Result<Vec<String>, Refusal> {
    let mut all: Vec<String> = Vec::new();
    for set in sets {
        let Some((key, _)) = set.split_once('=') else {
            return Err(Refusal::bad(format!("set={}", clipped(set)), "KEY=VALUE"));
        };
        all.retain(|other| other.split('=').next() != Some(key));
        all.push(set.clone());
    }
    Ok(all)
}

fn clipped(text: &str) -> String {
    text.chars().take(80).collect()
}
