//! The scenario files that can be chosen: the lessons of the course, and those of a folder.

use crate::config::{LoadOptions, Task, task_of_text};
use include_dir::{Dir, include_dir};
use serde::Serialize;
use std::path::PathBuf;

static LESSONS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/scenarios/lessons");

/// The start of the ids of lessons.
const LESSON: &str = "lesson/";

/// A scenario file.
#[derive(Clone, Debug)]
pub struct Source {
    /// `lesson/1-one-vm` or `file/my-vms.toml`.
    pub id: String,
    /// Where files that it names are looked for, and what messages call it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Why it is not used, where it is not.
    pub fault: Option<String>,
}

/// The lessons of the course, in order.
pub fn lessons() -> Vec<Source> {
    let files =
        LESSONS.files().filter(|file| file.path().extension().is_some_and(|of| of == "toml"));
    let mut all: Vec<Source> = files
        .filter_map(|file| {
            let stem = file.path().file_stem()?.to_str()?;
            let text = file.contents_utf8()?.to_string();
            let path = PathBuf::from("scenarios/lessons").join(file.path());
            Some(Source { id: format!("{LESSON}{stem}"), path, text, fault: None })
        })
        .collect();
    // By their numbers: 10 comes after 9.
    let number = |source: &Source| {
        let digits = source.id[LESSON.len()..].split('-').next().unwrap_or_default();
        digits.parse::<u32>().unwrap_or(u32::MAX)
    };
    all.sort_by(|one, other| (number(one), &one.id).cmp(&(number(other), &other.id)));
    all
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'a str,
    folder: Option<&'a str>,
    lessons: Vec<Entry>,
    files: Vec<Entry>,
    faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    title: String,
    question: Option<String>,
}

#[derive(Serialize)]
struct Fault {
    id: String,
    message: String,
}

/// The list of what can be chosen, as JSON; `folder` is what the user's folder is called. Sweeps are left
/// out: a page sweeps by itself.
pub fn sources(options: &LoadOptions, sources: &[Source], folder: Option<&str>) -> String {
    let mut document = Document {
        version: env!("CARGO_PKG_VERSION"),
        folder,
        lessons: Vec::new(),
        files: Vec::new(),
        faults: Vec::new(),
    };
    for source in sources {
        if let Some(fault) = &source.fault {
            document.faults.push(Fault { id: source.id.clone(), message: fault.clone() });
            continue;
        }
        match task_of_text(&source.path, &source.text, options) {
            Ok(Task::Run(scenario)) => {
                let entry = Entry {
                    id: source.id.clone(),
                    title: scenario.title.clone(),
                    question: scenario.lesson.as_ref().map(|lesson| lesson.question.clone()),
                };
                match source.id.starts_with(LESSON) {
                    true => document.lessons.push(entry),
                    false => document.files.push(entry),
                }
            }
            Ok(Task::Sweep(_)) => {}
            Err(error) => {
                let fault = Fault { id: source.id.clone(), message: error.to_string() };
                document.faults.push(fault);
            }
        }
    }
    crate::report::json_line(&document)
}
