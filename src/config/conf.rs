//! `conf = ["mlperf.conf", "user.conf"]` of a load: LoadGen's own files give what the scenario file
//! does not say itself.
//!
//! Lines and keys are read in `formats::mlperf_conf`. Settings of LoadGen that a simulated run has
//! no use for (sample library, logs, token latencies) are passed over.

use super::diagnostic::{Diagnostic, Problems, SourceFile};
use super::foreign::{parsed, text_of};
use super::reader::Reader;
use super::settings::{DURATION_MAX, QUERIES_MAX, SAMPLES_PER_QUERY_MAX};
use super::value::Value;
use crate::formats::mlperf_conf::{self, MlperfConf, number, seed};
use crate::formats::{Fault, Placed};
use crate::spec::{LoadSpec, Round, TestScenario};
use crate::units::SimDuration;
use std::sync::Arc;

/// Most files.
pub(super) const FILES_MAX: usize = 8;

/// What the files say of one model and scenario; the last file that speaks of a key counts.
struct Lookup<'a> {
    files: Vec<(Arc<SourceFile>, MlperfConf)>,
    model: &'a str,
    scenario: &'static str,
    problems: &'a Problems,
}

/// Reads `conf` and `model` over the defaults of a load. Whether the files say a rate.
pub(super) fn apply(table: &mut Reader<'_>, load: &mut LoadSpec) -> bool {
    let (given, model) = (table.get("conf"), table.get("model"));
    let Some(given) = given else {
        if let Some(model) = model {
            let help = "drop the key, or name the files: conf = [\"mlperf.conf\", \"user.conf\"]";
            model.report(model.wrong("has no meaning without `conf`").help(help));
        }
        return false;
    };
    let Some(scenario) = word(load.scenario) else {
        let title = format!("has no meaning in the {} scenario", load.scenario.word());
        given.report(given.wrong(title).help("drop the key"));
        return false;
    };
    let files: Option<Vec<_>> = paths(&given).map(|paths| paths.iter().filter_map(read).collect());
    let help = "name the model as the files do, such as model = \"bert\"";
    let named = table.need("model", help);
    let model = named.as_ref().and_then(|value| Some((value.text()?, value)));
    let (Some(files), Some((model, place))) = (files, model) else { return true };
    let mut models: Vec<&str> = files.iter().flat_map(|(_, conf)| conf.models()).collect();
    models.sort_unstable();
    models.dedup();
    if !models.is_empty() && !models.contains(&model) {
        place.unknown("model of these files", model, models);
        return true;
    }
    let lookup = Lookup { files, model, scenario, problems: given.problems };
    lookup.fill(load)
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

/// One path, or several.
fn paths<'v>(given: &Value<'v>) -> Option<Vec<Value<'v>>> {
    if given.is_array() { given.items(FILES_MAX) } else { Some(vec![given.clone()]) }
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
    fn fill(&self, load: &mut LoadSpec) -> bool {
        let settings = &mut load.settings;
        let has_rate = matches!(load.scenario, TestScenario::Server | TestScenario::Offline);
        let rate = |rate: f64| rate > 0.0 && rate <= 1e9;
        let rate = has_rate.then(|| self.number("target_qps", rate, "above 0, at most 1e9"));
        let rate = rate.flatten();
        settings.target_qps = rate.unwrap_or(settings.target_qps);
        if load.scenario == TestScenario::Server {
            // Zero where LoadGen bounds the latency of tokens instead, which are not modelled.
            let bound = self.millis("target_latency").filter(|span| *span > SimDuration::ZERO);
            settings.target_latency = bound.unwrap_or(settings.target_latency);
        }
        if load.scenario != TestScenario::Offline {
            let inside = |percent: f64| percent > 0.0 && percent < 100.0;
            let key = "target_latency_percentile";
            let percentile = self.number(key, inside, "above 0 and below 100 %");
            settings.percentile = percentile.unwrap_or(settings.percentile);
        }
        if let TestScenario::MultiStream { samples } = &mut load.scenario {
            let most = SAMPLES_PER_QUERY_MAX;
            if let Some(found) = self.whole("samples_per_query", 1..=u64::from(most)) {
                *samples = found as u32;
            }
        }
        let duration = self.millis("min_duration").filter(|span| *span > SimDuration::ZERO);
        settings.min_duration = duration.unwrap_or(settings.min_duration);
        let queries = self.whole("min_query_count", 0..=QUERIES_MAX);
        settings.min_query_count = queries.map_or(settings.min_query_count, |count| count.max(1));
        if let Some((_, value)) = self.find("schedule_rng_seed") {
            let round = Round::ALL
                .into_iter()
                .find(|round| Some(round.schedule_seed) == seed(&value.value));
            settings.round = round.unwrap_or(settings.round);
        }
        // A faulty one is told already.
        has_rate && self.find("target_qps").is_some()
    }

    /// A key's value, with the file it stands in.
    fn find(&self, key: &str) -> Option<(&Arc<SourceFile>, &Placed<String>)> {
        self.files
            .iter()
            .rev()
            .find_map(|(file, conf)| Some((file, conf.get(self.model, self.scenario, key)?)))
    }

    fn number(&self, key: &str, keeps: impl Fn(f64) -> bool, allowed: &str) -> Option<f64> {
        let (file, Placed { value, span }) = self.find(key)?;
        let found = number(value).filter(|found| keeps(*found));
        if found.is_none() {
            let fault = Fault::at(span.clone(), format!("`{key}` is {value}")).allowed(allowed);
            self.problems.push(Diagnostic::of_fault(file, fault));
        }
        found
    }

    fn whole(&self, key: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
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
