//! `slicewise check --explain`: every value and where it comes from, in aligned columns or as JSON.
//!
//! The values are collected in `config`.

use super::failure::Failure;
use super::output;
use crate::config::{Explained, Explanation, Section, ValueOrigin};
use crate::report;
use crate::shown::shown;
use std::path::Path;

/// Longer values are cut in the text; JSON has them whole.
const VALUE_WIDTH: usize = 44;

/// Prints the explanations of all files; `configs` is the folder that the command line names.
pub(super) fn print(
    all: &[Explanation],
    configs: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let mut all = all.to_vec();
    for one in &mut all {
        one.sections.splice(0..0, configs.map(command_line));
    }
    if json {
        return output::data(&crate::report::written_document(&all)?);
    }
    let columns = output::columns().filter(|_| !output::goes_to_a_file()).unwrap_or(usize::MAX);
    let texts: Vec<String> = all.iter().map(|one| text(one, columns)).collect();
    output::data(&texts.join("\n"))
}

/// What no file says: the folder of the catalogue.
fn command_line(configs: &Path) -> Section {
    const VARIABLE: &str = "SLICEWISE_CONFIGS";
    let from_environment = std::env::var_os(VARIABLE).is_some_and(|folder| folder == *configs);
    let origin = match from_environment {
        true => ValueOrigin::new("environment", VARIABLE),
        false => ValueOrigin::new("flag", "--configs"),
    };
    let (key, value) = ("configs".to_string(), configs.display().to_string());
    Section { title: "command line".to_string(), values: vec![Explained { key, value, origin }] }
}

/// One file: its name, then sections of key, value and origin; the origin in lines of its own where there
/// is no room beside.
fn text(explanation: &Explanation, columns: usize) -> String {
    let values = || explanation.sections.iter().flat_map(|section| &section.values);
    let key_width = values().map(|one| one.key.chars().count()).max().unwrap_or(0);
    let value_width = values().map(|one| cut(&one.value).chars().count()).max().unwrap_or(0);
    let mut text = format!("{}\n", shown(&explanation.name));
    for section in &explanation.sections {
        text.push_str(&format!("\n{}\n", shown(&section.title)));
        for one in &section.values {
            let (value, origin) = (cut(&one.value), words(&one.origin));
            let line = format!("  {:key_width$}  {value:value_width$}  {origin}", one.key);
            if line.trim_end().chars().count() <= columns {
                text.push_str(&format!("{}\n", line.trim_end()));
                continue;
            }
            let beside = format!("  {:key_width$}  {value}", one.key);
            let indent = " ".repeat((key_width + 4).min(columns / 2));
            let room = columns.saturating_sub(indent.len()).max(20);
            match beside.chars().count() <= columns {
                true => text.push_str(&format!("{beside}\n")),
                false => {
                    text.push_str(&format!("  {}\n", one.key));
                    let value = report::lines_of(&value, room);
                    value.iter().for_each(|part| text.push_str(&format!("{indent}{part}\n")));
                }
            }
            let origin = report::lines_of(&origin, room);
            origin.iter().for_each(|part| text.push_str(&format!("{indent}{part}\n")));
        }
    }
    text
}

fn cut(value: &str) -> String {
    let value = shown(value);
    match value.chars().count() > VALUE_WIDTH {
        true => value.chars().take(VALUE_WIDTH - 3).chain("...".chars()).collect(),
        false => value.into_owned(),
    }
}

/// `preset mlperf-bert`, `my-vm.toml:12:9`, `workload bert-99, fitted: MLPerf ...`.
fn words(said: &ValueOrigin) -> String {
    let place = match said.by {
        // The folder is known to whoever named it.
        "file" => said.place.rsplit('/').next().unwrap_or(&said.place).to_string(),
        "set" => said.place.clone(),
        by => format!("{by} {}", said.place),
    };
    let known = said.standing.map(|standing| format!(", {standing}")).unwrap_or_default();
    let source = said.source.as_ref().filter(|source| said.standing != Some(source.as_str())).map(
        |source| {
            let repeated = format!("{}: ", said.standing.unwrap_or_default());
            format!(": {}", source.strip_prefix(&repeated).unwrap_or(source))
        },
    );
    let source = source.unwrap_or_default();
    shown(&format!("{place}{known}{source}")).into_owned()
}
