//! `slicewise check --explain`: every value and who says it, in aligned columns or as JSON.
//!
//! What the values are is found out in `config`.

use super::{Failure, output};
use crate::config::{Explained, Explanation, Said, Section};
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
    let texts: Vec<String> = all.iter().map(text).collect();
    output::data(&texts.join("\n"))
}

/// What no file says: the folder of the catalogue.
fn command_line(configs: &Path) -> Section {
    const VARIABLE: &str = "SLICEWISE_CONFIGS";
    let from_environment = std::env::var_os(VARIABLE).is_some_and(|folder| folder == *configs);
    let origin = match from_environment {
        true => Said::new("environment", VARIABLE),
        false => Said::new("flag", "--configs"),
    };
    let (key, value) = ("configs".to_string(), configs.display().to_string());
    Section { title: "command line".to_string(), values: vec![Explained { key, value, origin }] }
}

/// One file: its name, then sections of key, value and origin.
fn text(explanation: &Explanation) -> String {
    let values = || explanation.sections.iter().flat_map(|section| &section.values);
    let key_width = values().map(|one| one.key.chars().count()).max().unwrap_or(0);
    let value_width = values().map(|one| cut(&one.value).chars().count()).max().unwrap_or(0);
    let mut text = format!("{}\n", shown(&explanation.name));
    for section in &explanation.sections {
        text.push_str(&format!("\n{}\n", shown(&section.title)));
        for one in &section.values {
            let (value, origin) = (cut(&one.value), words(&one.origin));
            let line = format!("  {:key_width$}  {value:value_width$}  {origin}", one.key);
            text.push_str(&format!("{}\n", line.trim_end()));
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
fn words(said: &Said) -> String {
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
