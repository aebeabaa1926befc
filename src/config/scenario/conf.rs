//! The values below the keys of a load: LoadGen's own files (`conf = ["mlperf.conf",
//! "user.conf"]`), else the file of the MLPerf round, else LoadGen's own defaults.
//!
//! Lines and keys are read in `formats::mlperf_conf`. Settings of LoadGen that do not matter for a
//! simulated run (sample library, logs) are ignored; other rules of its verdict are refused or
//! reported in `unmodelled`.

use super::ranges::{DURATION_MAX, QUERIES_MAX, RATES, SAMPLES_PER_QUERY_MAX, is_rate};
use crate::config::catalogue::rounds::{self, RoundFile};
use crate::config::text::foreign::{parsed, text_of};
use crate::config::text::value::{PERCENTILES, of_fraction};
use crate::config::text::{Diagnostic, Problems, Reader, SourceFile, Spot, Value, ValueOrigin};
use crate::formats::mlperf_conf::{self, MlperfConf, number, seed};
use crate::formats::{Fault, Placed};
use crate::spec::{LoadSpec, Round, Rules, TestScenario};
use crate::units::SimDuration;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Most files.
pub(crate) const FILES_MAX: usize = 8;

/// The values of the files for one scenario; the last file with a key counts.
pub(crate) struct Lookup<'a> {
    layers: Vec<Layer>,
    scenario: &'static str,
    pub(crate) problems: &'a Problems,
    /// Whether somebody named files, or the round's is looked at alone.
    has_files: bool,
    /// Whether all that were named could be read: what a faulty one says is not known.
    are_read: bool,
}

/// One file, and what it calls the model.
struct Layer {
    from: From,
    model: String,
}

enum From {
    File(Arc<SourceFile>, MlperfConf),
    Round(&'static RoundFile),
}

/// A line that counts.
pub(crate) struct Line<'l> {
    layer: &'l Layer,
    pub(crate) value: &'l Placed<String>,
}

/// Reads `conf` and `model`, and finds the values below the keys of the load for `benchmark`: from
/// the round's file where the round is `stated` or no files are named. Nothing in a scenario that
/// LoadGen does not have.
pub(crate) fn lookup<'a>(
    table: &mut Reader<'a>,
    load: &LoadSpec,
    benchmark: Option<&str>,
    stated: Option<Round>,
) -> Option<Lookup<'a>> {
    let (given, model) = (table.get("conf"), table.get("model"));
    if let (None, Some(model)) = (&given, &model) {
        let help = "drop the key, or name the files: conf = [\"mlperf.conf\", \"user.conf\"]";
        model.report(model.wrong("has no meaning without `conf`").help(help));
    }
    let Some(scenario) = word(load.scenario) else {
        let title = format!("has no meaning in the {} scenario", load.scenario.word());
        given.iter().for_each(|given| given.report(given.wrong(&title).help("drop the key")));
        return None;
    };
    let has_files = given.is_some();
    let mut layers = Vec::new();
    if load.settings.rules == Rules::Mlperf && (stated.is_some() || !has_files) {
        let from = From::Round(rounds::of(load.settings.round));
        layers.push(Layer { from, model: benchmark.unwrap_or("*").to_string() });
    }
    let mut are_read = true;
    if let Some(given) = given {
        let found = files(&given, table);
        are_read = found.as_ref().is_some_and(|(_, all)| *all);
        layers.extend(found.map(|(layers, _)| layers).unwrap_or_default());
    }
    Some(Lookup { layers, scenario, problems: table.problems(), has_files, are_read })
}

/// What LoadGen calls a scenario.
fn word(scenario: TestScenario) -> Option<&'static str> {
    Some(match scenario {
        TestScenario::Server => "Server",
        TestScenario::Offline => "Offline",
        TestScenario::SingleStream => "SingleStream",
        TestScenario::MultiStream { .. } => "MultiStream",
        TestScenario::ClosedLoop { .. } => return None,
    })
}

/// The files that are named, as far as they can be read, and whether all could.
fn files(given: &Value<'_>, table: &mut Reader<'_>) -> Option<(Vec<Layer>, bool)> {
    let paths = if given.is_array() { given.items(FILES_MAX)? } else { vec![given.clone()] };
    let files: Vec<_> = paths.iter().filter_map(read).collect();
    let are_read = files.len() == paths.len();
    let place = table.need("model", "name the model as the files do, such as model = \"bert\"")?;
    let model = place.text()?;
    let mut models: Vec<&str> = files.iter().flat_map(|(_, conf)| conf.models()).collect();
    models.sort_unstable();
    models.dedup();
    if !models.is_empty() && !models.contains(&model) {
        if !are_read {
            return None; // The faulty file may name it.
        }
        place.unknown("model of these files", model, models);
        return None;
    }
    let layer = |(file, conf)| Layer { from: From::File(file, conf), model: model.to_string() };
    Some((files.into_iter().map(layer).collect(), are_read))
}

fn read(path: &Value<'_>) -> Option<(Arc<SourceFile>, MlperfConf)> {
    let place = super::trace::beside(&path.file.path, path.text()?);
    let file = match text_of(&place, path.problems) {
        Ok(file) => file?,
        Err(error) => {
            path.report(Diagnostic::at(&path.spot(), format!("{error:#}")));
            return None;
        }
    };
    let conf = parsed(&file, mlperf_conf::read, path.problems)?;
    for fault in &conf.unknown {
        path.problems.warn(Diagnostic::of_fault(&file, fault.clone()));
    }
    Some((file, conf))
}

impl Lookup<'_> {
    /// Sets the values of the files, and notes their origin. Returns whether they state a rate.
    pub(crate) fn fill(&self, table: &Reader<'_>, load: &mut LoadSpec) -> bool {
        let settings = &mut load.settings;
        let has_rate = matches!(load.scenario, TestScenario::Server | TestScenario::Offline);
        if has_rate {
            let found = self.number("target_qps", is_rate, RATES);
            self.set(table, ("target_qps", "target_qps"), &mut settings.target_qps, found);
        }
        if load.scenario == TestScenario::Server {
            let bound = self.bound();
            let key = ("target_latency", "target_latency");
            self.set(table, key, &mut settings.target_latency, bound);
        }
        if load.scenario != TestScenario::Offline {
            let inside = |percent: f64| (1.0..100.0).contains(&percent);
            let key = "target_latency_percentile";
            let found = self.number(key, inside, PERCENTILES);
            self.set(table, ("percentile", key), &mut settings.percentile, found);
        }
        if let TestScenario::MultiStream { samples } = &mut load.scenario {
            let key = "samples_per_query";
            let found = self.whole(key, 1..=u64::from(SAMPLES_PER_QUERY_MAX));
            self.set(table, (key, key), samples, found.map(|found| found as u32));
        }
        let key = ("min_duration", "min_duration");
        let duration = self.millis("min_duration").filter(|span| *span > SimDuration::ZERO);
        self.set(table, key, &mut settings.min_duration, duration);
        let key = ("min_query_count", "min_query_count");
        let queries = self.whole("min_query_count", 0..=QUERIES_MAX).map(|count| count.max(1));
        if queries.is_some() {
            settings.queries_beyond = None;
        }
        self.set(table, key, &mut settings.min_query_count, queries);
        self.set_round(table, &mut settings.round);
        // A faulty one is told already, and so are files that could not be read.
        has_rate && self.has_files && (self.find("target_qps").is_some() || !self.are_read)
    }

    /// The bound of a Server run. A round's file has one for any model, which is that of none: a
    /// benchmark without a line of its own keeps its workload's.
    fn bound(&self) -> Option<SimDuration> {
        let key = "target_latency";
        let line = self.find(key)?;
        if line.round().is_some_and(|(_, model)| model == "*") || line.passes_over(key) {
            return None;
        }
        // Zero where LoadGen bounds the latency of tokens instead, see `unmodelled`.
        self.millis(key).filter(|span| *span > SimDuration::ZERO)
    }

    /// The round, by its seed. Only named files may know another than the one that is set.
    fn set_round(&self, table: &Reader<'_>, round: &mut Round) {
        let Some(line) = self.find("schedule_rng_seed") else { return };
        if line.round().is_some() {
            return; // It was looked up by it.
        }
        let said = seed(&line.value.value);
        match Round::ALL.into_iter().find(|round| Some(round.schedule_seed) == said) {
            found @ Some(_) => self.set(table, ("round", "schedule_rng_seed"), round, found),
            None if table.has("round") => {}
            None => {
                let title = format!(
                    "`schedule_rng_seed` {} is not the seed of any round",
                    line.value.value
                );
                let known = Round::ALL.map(|round| round.name).join(", ");
                let diagnostic = line.wrong(title).allowed(format!("the seed of {known}"));
                let help = format!(
                    "arrivals and verdict are those of {0}; write round = \"{0}\", or another",
                    round.name
                );
                self.problems.warn(diagnostic.help(help));
            }
        }
    }

    /// Sets a value that was found, and says by whom; `keys` are ours and LoadGen's.
    fn set<T>(&self, table: &Reader<'_>, keys: (&str, &str), slot: &mut T, found: Option<T>) {
        if let (Some(found), Some(line)) = (found, self.find(keys.1)) {
            *slot = found;
            table.fallback(keys.0, || line.said());
        }
    }

    /// The line of a key that counts.
    pub(crate) fn find(&self, key: &str) -> Option<Line<'_>> {
        self.layers.iter().rev().find_map(|layer| {
            let value = layer.conf().get(&layer.model, self.scenario, key)?;
            Some(Line { layer, value })
        })
    }

    /// Whether the user named files of LoadGen.
    pub(crate) fn has_files(&self) -> bool {
        self.has_files
    }

    fn number(&self, key: &str, keeps: impl Fn(f64) -> bool, allowed: &str) -> Option<f64> {
        let line = self.find(key)?;
        let text = &line.value.value;
        let found = number(text).filter(|found| keeps(*found));
        if found.is_none() {
            let diagnostic = line.wrong(format!("`{key}` is {text}")).allowed(allowed);
            let percent = number(text).filter(|_| allowed == PERCENTILES).and_then(of_fraction);
            self.problems.push(match percent {
                Some(percent) => diagnostic.help(percent),
                None => diagnostic,
            });
        }
        found
    }

    fn whole(&self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let allowed = format!("{} to {}", range.start(), range.end());
        let keeps = |found: f64| found.fract() == 0.0 && range.contains(&(found as u64));
        self.number(key, keeps, &allowed).map(|found| found as u64)
    }

    fn millis(&self, key: &str) -> Option<SimDuration> {
        let most = DURATION_MAX.as_millis_f64();
        let keeps = |millis: f64| (0.0..=most).contains(&millis);
        let millis = self.number(key, keeps, "0 to 86400000 ms, 24 h")?;
        Some(SimDuration::from_nanos_f64(millis * 1e6))
    }
}

impl Layer {
    fn conf(&self) -> &MlperfConf {
        match &self.from {
            From::File(_, conf) => conf,
            From::Round(round) => &round.conf,
        }
    }
}

impl Line<'_> {
    /// The round whose file it stands in, and what that calls the model.
    pub(crate) fn round(&self) -> Option<(&'static str, &str)> {
        match &self.layer.from {
            From::File(..) => None,
            From::Round(round) => Some((round.round.name, &self.layer.model)),
        }
    }

    /// Whether it is a round's line for any model, although a benchmark is named.
    pub(crate) fn passes_over(&self, key: &str) -> bool {
        match &self.layer.from {
            From::File(..) => false,
            From::Round(round) => {
                let model = &self.layer.model;
                model != "*" && !round.conf.names(model, "Server", key)
            }
        }
    }

    /// Starts a diagnostic about its value.
    pub(crate) fn wrong(&self, title: impl Into<String>) -> Diagnostic {
        let file = match &self.layer.from {
            From::File(file, _) => file,
            From::Round(round) => &round.file,
        };
        Diagnostic::of_fault(file, Fault::at(self.value.span.clone(), title))
    }

    /// Who says it.
    fn said(&self) -> ValueOrigin {
        match &self.layer.from {
            From::Round(round) => round.said(self.value),
            From::File(file, _) => {
                let spot = Spot { file: file.clone(), span: self.value.span.clone() };
                let (path, line, column) = spot.line_and_column();
                ValueOrigin::new("conf", format!("{path}:{line}:{column}"))
            }
        }
    }
}
