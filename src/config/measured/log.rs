//! A measured run's LoadGen log: its load, and its figures.
//!
//! The log does not have the settings of the server; they are written beside its name.

use super::context::Context;
use crate::config::scenario::published::LATENCIES;
use crate::config::text::foreign::{parsed, text_of};
use crate::config::text::{Diagnostic, Problems, SourceFile, Spot, Value};
use crate::formats::loadgen_log::{self, LoadgenLog, LogScenario};
use crate::formats::{Placed, recognise};
use crate::spec::{LoadSpec, Rules, TestScenario};
use crate::study::Observed;
use crate::units::SimDuration;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A LoadGen log with its name.
pub(crate) struct Log {
    pub(crate) name: String,
    file: Arc<SourceFile>,
    log: LoadgenLog,
}

pub(crate) fn log_of(value: &Value<'_>, context: &Context<'_>) -> anyhow::Result<Option<Log>> {
    let Some((name, file)) = foreign(value, context)? else { return Ok(None) };
    let Some(log) = parsed(&file, loadgen_log::read, context.problems) else { return Ok(None) };
    if let Some(span) = recognise::token_line(&file.text) {
        let spot = Spot { file, span };
        let title = "the run is judged by its tokens";
        let help = "LLM serving is not simulated yet: time to first token and time per token have no counterpart here";
        context.problems.push(Diagnostic::at(&spot, title).help(help));
        return Ok(None);
    }
    if log.is_simulated() {
        let diagnostic = value.wrong("is not a measurement: slicewise wrote this log");
        value.report(diagnostic.help("calibrate with runs of a real system"));
        return Ok(None);
    }
    Ok(Some(Log { name, file, log }))
}

impl Log {
    fn wrong(&self, span: Range<usize>, title: String, help: &str, problems: &Problems) {
        let spot = Spot { file: self.file.clone(), span };
        problems.push(Diagnostic::at(&spot, title).help(help));
    }

    /// The load in the log.
    pub(crate) fn load(&self, context: &Context<'_>) -> Option<LoadSpec> {
        let log = &self.log;
        let placed = log.scenario.as_ref()?;
        let scenario = match placed.value {
            LogScenario::Server => TestScenario::Server,
            LogScenario::Offline => TestScenario::Offline,
            LogScenario::SingleStream => TestScenario::SingleStream,
            _ => {
                let title = "a calibration cannot use a log of this scenario".to_string();
                let help = "allowed: Server, Offline, SingleStream";
                self.wrong(placed.span.clone(), title, help, context.problems);
                return None;
            }
        };
        let bound = context.workload.spec.target_latency.value;
        let mut load =
            crate::config::scenario::settings::load_defaults(scenario, bound, Rules::Mlperf, None);
        let settings = &mut load.settings;
        let above = |placed: &Option<Placed<f64>>| {
            placed.as_ref().map(|placed| placed.value).filter(|&value| value > 0.0)
        };
        let rate = match scenario {
            TestScenario::Server => above(&log.target_qps).or(above(&log.scheduled_per_s)),
            TestScenario::Offline => above(&log.samples_per_s).or(above(&log.target_qps)),
            _ => Some(1.0),
        };
        let Some(rate) = rate.filter(|rate| crate::config::scenario::ranges::is_rate(*rate)) else {
            let title = "the log does not state its rate".to_string();
            self.wrong(placed.span.clone(), title, "write load and measured", context.problems);
            return None;
        };
        settings.target_qps = rate;
        let some = |placed: &Option<Placed<SimDuration>>| {
            placed.as_ref().map(|placed| placed.value).filter(|span| *span > SimDuration::ZERO)
        };
        settings.target_latency = some(&log.target_latency).unwrap_or(settings.target_latency);
        // MLPerf's where the log does not say it.
        let usual = SimDuration::from_secs(600);
        settings.min_duration = some(&log.min_duration).unwrap_or(usual);
        let day = SimDuration::from_secs(86_400);
        settings.min_duration = settings.min_duration.min(day);
        let count = log.min_query_count.as_ref().map_or(1, |placed| placed.value);
        settings.min_query_count = count.clamp(1, 50_000_000);
        Some(load)
    }

    /// The figures in the log; percentiles must rise.
    pub(crate) fn observed(&self, problems: &Problems) -> Vec<Observed> {
        let log = &self.log;
        let mut observed = Vec::new();
        let rate = log.completed_per_s.as_ref().or(log.samples_per_s.as_ref());
        if let Some(rate) = rate.filter(|rate| rate.value > 0.0) {
            let figure = "completed_per_s".to_string();
            observed.push(Observed { figure, value: rate.value });
        }
        let mut before: Option<(&str, f64)> = None;
        for name in LATENCIES {
            let Some(placed) = log.latency.get(name) else { continue };
            let ms = placed.value.as_millis_f64();
            if ms <= 0.0 {
                continue;
            }
            observed.push(Observed { figure: name.to_string(), value: ms });
            if name == "mean" {
                continue;
            }
            if let Some((lower, least)) = before.filter(|(_, least)| ms < *least) {
                let title = falling(name, ms, lower, least);
                self.wrong(placed.span.clone(), title, RISING, problems);
            }
            before = Some((name, ms));
        }
        observed
    }
}

/// Why percentiles that fall are refused.
pub(crate) const RISING: &str = "percentiles must rise: was a line mixed up?";

pub(crate) fn falling(name: &str, ms: f64, lower: &str, least: f64) -> String {
    format!("`{name}` is {} ms, below the {} ms of `{lower}`", rounded(ms), rounded(least))
}

/// The file that a value names, counted from the calibration file's folder.
pub(crate) fn foreign(
    value: &Value<'_>,
    context: &Context<'_>,
) -> anyhow::Result<Option<(String, Arc<SourceFile>)>> {
    let Some(text) = value.text() else { return Ok(None) };
    let file = text_of(&context.folder.join(text), context.problems)?;
    let name = Path::new(text).file_name().map(|name| name.to_string_lossy().to_string());
    Ok(file.map(|file| (name.unwrap_or_else(|| text.to_string()), file)))
}

/// A number with four significant digits, for messages.
pub(crate) fn rounded(value: f64) -> f64 {
    let digits = 10_f64.powf(3.0 - value.abs().max(1e-12).log10().floor());
    (value * digits).round() / digits
}
