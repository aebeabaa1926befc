//! Files of measurements on the command line, from any known program, as the text of a calibration
//! file: the kind of each file is recognised by its content.
//!
//! Their content is read and checked in `config`.

use super::failure::Failure;
use crate::config::quoted;
use crate::formats::recognise::{self, Kind};
use crate::formats::{perf_analyzer, probe};
use crate::units::SimDuration;
use anyhow::Context;
use std::path::Path;

/// A longer file is not looked at: 64 MiB.
const LOOKED_AT_MAX: u64 = 64 << 20;

/// The kind that a file is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ReadAs {
    /// As recognised by its content.
    Recognised,
    /// Always a table of batch times.
    Csv,
    /// Always a file of trtexec.
    Trtexec,
}

/// A file on the command line.
#[derive(Clone, Debug)]
pub(super) struct Given<'g> {
    pub(super) path: &'g str,
    /// Batch size, where the command line states it: `8=FILE`. For a LoadGen log, the largest
    /// batch.
    pub(super) batch: Option<u32>,
    pub(super) read_as: ReadAs,
}

/// The files of measurements, and what the command line states in addition.
#[derive(Debug)]
pub(super) struct Measured<'m> {
    pub(super) name: &'m str,
    pub(super) gpu: &'m str,
    pub(super) base: Option<&'m str>,
    pub(super) files: Vec<Given<'m>>,
    /// The largest batch of the server on which runs were measured.
    pub(super) batch_max: Option<u32>,
    /// Its GPUs.
    pub(super) gpus: u32,
    /// Keys of `[workload]` with their values, as text.
    pub(super) workload: Vec<(&'m str, String)>,
}

/// Statements of the command line about a model, as keys of `[workload]`.
pub(super) fn said(
    bound: Option<SimDuration>,
    weights: Option<&String>,
    number_format: Option<&String>,
) -> Vec<(&'static str, String)> {
    let said = [
        ("target_latency", bound.map(|bound| bound.to_string())),
        ("weights", weights.cloned()),
        ("precision", number_format.cloned()),
    ];
    said.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// The flags of these that are given.
pub(super) fn given(flags: &[(&'static str, bool)]) -> Vec<&'static str> {
    flags.iter().filter(|(_, is)| *is).map(|(flag, _)| *flag).collect()
}

impl<'g> Given<'g> {
    /// `times.csv`, or `8=times-8.json`.
    pub(super) fn seen(given: &'g Path) -> Result<Self, Failure> {
        let given = given.to_str().context("the name of a file is not UTF-8 text")?;
        let read_as = ReadAs::Recognised;
        let stated = given.split_once('=').filter(|(batch, _)| {
            !batch.trim().is_empty() && batch.trim().bytes().all(|byte| byte.is_ascii_digit())
        });
        let Some((batch, path)) = stated else {
            return Ok(Self { path: given, batch: None, read_as });
        };
        match batch.trim().parse().ok().filter(|batch| (1..=1_000_000).contains(batch)) {
            Some(batch) if !path.is_empty() => Ok(Self { path, batch: Some(batch), read_as }),
            _ => Err(Failure::Usage(format!(
                "{}: {} is not a batch size\n  = allowed: 1 to 1000000 samples, such as \
                 8=times.json",
                quoted(given),
                batch.trim()
            ))),
        }
    }
}

/// The text of a file that is not too long; read errors are reported by the caller that needs the
/// text.
pub(super) fn text_of(path: &str) -> Option<String> {
    let is_small =
        std::fs::metadata(path).is_ok_and(|of| of.is_file() && of.len() <= LOOKED_AT_MAX);
    is_small.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// Whether a file of this kind holds measurements that a calibration takes.
pub(super) fn is_measurement(kind: Kind) -> bool {
    let tables = [recognise::BATCH_TIMES, recognise::TRACE, recognise::CSV];
    let others = [
        recognise::TRTEXEC,
        recognise::TRTEXEC_LOG,
        recognise::PERF_ANALYZER,
        recognise::LOADGEN_LOG,
    ];
    tables.contains(&kind) || others.contains(&kind)
}

impl Measured<'_> {
    /// The calibration file for these measurements. A file that holds no measurements is refused,
    /// with the kind of file it is.
    pub(super) fn calibration(&self) -> Result<String, Failure> {
        let mut text = String::new();
        let mut say =
            |key: &str, value: &str| text.push_str(&format!("{key} = {}\n", quote(value)));
        say("name", self.name);
        say("gpu", self.gpu);
        if let Some(base) = self.base {
            say("base", base);
        }
        if !self.workload.is_empty() {
            text.push_str("[workload]\n");
            for (key, value) in &self.workload {
                text.push_str(&format!("{key} = {}\n", quote(value)));
            }
        }
        let (mut parts, mut wrong) = (Vec::new(), Vec::new());
        for given in &self.files {
            match self.part(given) {
                Ok(part) => parts.push(part),
                Err(why) => wrong.push(why),
            }
        }
        if !wrong.is_empty() {
            return Err(Failure::Usage(wrong.join("\n\n")));
        }
        Ok(text + &parts.concat())
    }

    /// What one file is in a calibration file.
    fn part(&self, given: &Given<'_>) -> Result<String, String> {
        let path = quote(given.path);
        let batch = given.batch.map_or(String::new(), |batch| format!("batch = {batch}\n"));
        let shown = given.path;
        let text = (given.read_as == ReadAs::Recognised).then(|| text_of(shown)).flatten();
        let kind = text.as_deref().and_then(recognise::not_toml);
        let trtexec = || format!("[[times]]\ntrtexec = {path}\n{batch}");
        let csv = || format!("[[times]]\ncsv = {path}\n{batch}");
        Ok(match kind {
            _ if given.read_as == ReadAs::Csv => csv(),
            _ if given.read_as == ReadAs::Trtexec => trtexec(),
            Some(kind) if [recognise::TRTEXEC, recognise::TRTEXEC_LOG].contains(&kind) => trtexec(),
            Some(recognise::PERF_ANALYZER) => {
                let times = format!("[[times]]\nperf_analyzer = {path}\n{batch}");
                let several = text.as_deref().is_some_and(has_several_requests);
                match self.batch_max.filter(|_| several && given.batch.is_none_or(|of| of == 1)) {
                    Some(most) => {
                        format!("{times}[[run]]\nperf_analyzer = {path}\n{}", self.server(most))
                    }
                    None => times,
                }
            }
            Some(recognise::LOADGEN_LOG) => match given.batch.or(self.batch_max) {
                Some(most) => format!("[[run]]\nlog = {path}\n{}", self.server(most)),
                None => {
                    return Err(format!(
                        "{shown} is {}, which does not state how large the batches of the server \
                         were\n  = help: write the largest before it: 32={shown}, if it was 32",
                        recognise::LOADGEN_LOG.what
                    ));
                }
            },
            Some(recognise::PROBE) => {
                let table = table_of_probe(shown, text.as_deref().unwrap_or_default(), self.gpu)?;
                format!("[[times]]\ncsv = {}\n", quote(&table))
            }
            Some(kind) if is_measurement(kind) => csv(),
            // Written by nobody that is known: the reader of tables says what it wants instead.
            Some(recognise::JSON | recognise::YAML) => csv(),
            Some(kind) => return Err(format!("{shown} is {}: {}", kind.what, kind.next)),
            None => match toml_kind(text.as_deref().unwrap_or_default()) {
                Some(kind) => {
                    return Err(format!(
                        "{shown} is {}, not a file of measurements: {}",
                        kind.what, kind.next
                    ));
                }
                // What is told of it is told by the reader of tables.
                None => csv(),
            },
        })
    }

    /// The settings of a run's server.
    fn server(&self, batch_max: u32) -> String {
        format!(
            "gpus = {}\nserver = {{ preset = \"triton\", batch_max = {batch_max} }}\n",
            self.gpus
        )
    }
}

/// The table of batch times beside what the probe found on `gpu`; of several models none is chosen.
fn table_of_probe(shown: &str, text: &str, gpu: &str) -> Result<String, String> {
    let kind = recognise::PROBE;
    let Ok(found) = probe::read(text) else {
        return Err(format!("{shown} is {}: {}", kind.what, kind.next));
    };
    if let Some(other) = found.catalogue.as_ref().filter(|of| *of != gpu && !gpu.is_empty()) {
        return Err(format!(
            "{shown} is {}, of {other}, not of {gpu}\n  = help: --gpu {other}; `ask --measured-on {other}` scales its times",
            kind.what
        ));
    }
    let beside = |model: &String| {
        let table = format!("times-{model}.csv");
        Path::new(shown).with_file_name(table).to_string_lossy().into_owned()
    };
    let tables: Vec<String> = found.measured.batches.keys().map(beside).collect();
    match &tables[..] {
        [only] => Ok(only.clone()),
        [] => Err(format!(
            "{shown} is {}, and no batches of a model were timed\n  = help: run the probe with a model",
            kind.what
        )),
        several => Err(format!(
            "{shown} is {}, with batch times of {} models\n  = help: name one of {}; use its \
             measurements of turns by `slicewise calibrate FILE -o my-configs`, then --configs \
             my-configs",
            kind.what,
            several.len(),
            several.join(", "),
        )),
    }
}

/// The kind of a TOML file, by its keys.
pub(super) fn toml_kind(text: &str) -> Option<Kind> {
    let table = text.parse::<toml::Table>().ok()?;
    let keys: Vec<&str> = table.keys().map(String::as_str).collect();
    recognise::by_keys(&keys)
}

/// Whether a file of perf_analyzer has rows of more than one request under way.
fn has_several_requests(text: &str) -> bool {
    perf_analyzer::read(text)
        .is_ok_and(|found| found.levels.iter().any(|level| level.concurrency > 1))
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}

/// A name for a workload, made from that of a file: `times` of `runs/times.csv`.
pub(super) fn name_of(path: &str) -> String {
    let stem = Path::new(path).file_stem().map(|stem| stem.to_string_lossy().to_string());
    let fit = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = stem.unwrap_or_default().chars().map(fit).take(60).collect();
    let name = name.trim_matches(['-', '.']).to_string();
    if name.is_empty() { "my-model".to_string() } else { name }
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().map(|name| name.to_string_lossy().to_string());
    name.unwrap_or_else(|| path.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_called_as_its_file_can_be() {
        for (path, name) in [
            ("runs/times.csv", "times"),
            ("my model (1).json", "my-model--1"),
            ("../..", "my-model"),
            (".hidden", "hidden"),
        ] {
            assert_eq!(name_of(path), name);
        }
    }
}
