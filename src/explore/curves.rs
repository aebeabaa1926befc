//! The curves of a setting: over the load, and over the number of VMs.

use super::controls::Shape;
use super::setting::{Setting, read};
use crate::config::LoadOptions;
use crate::spec::{Experiment, TestScenario};
use crate::study::{asked_per_s, at_part_of_rate, why_no_curve};
use serde::Serialize;

/// A curve that can be asked for.
#[derive(Clone, Serialize)]
pub(super) struct Choice {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    /// The key of the control that moves along it, where there is one.
    pub(super) key: Option<String>,
}

const LOAD: &str = "load";
const VMS: &str = "vms";

/// The points of a curve, before they are simulated.
pub(super) struct Points {
    pub(super) id: &'static str,
    pub(super) x_label: String,
    pub(super) x: Vec<f64>,
    pub(super) experiments: Vec<Option<Experiment>>,
    pub(super) at: f64,
    /// The key of the control that moves along it.
    key: Option<String>,
}

impl Points {
    /// Whether they are over the load of each VM.
    pub(super) fn is_over_load(&self) -> bool {
        self.id == LOAD
    }
}

/// Points of a curve over the load.
const POINTS: usize = 12;

/// The curves that a setting has.
pub(super) fn choices(setting: &Setting) -> Vec<Choice> {
    let experiment = &setting.scenario.pairs[0].virtual_run.experiment;
    if why_no_curve(experiment).is_some() {
        return Vec::new();
    }
    let is_server = experiment.vms.iter().any(|vm| vm.load.scenario == TestScenario::Server);
    let moved = over_load(setting, experiment).and_then(|points| points.key);
    let load = is_server.then_some(Choice { id: LOAD, label: "over the load", key: moved });
    let vms = count(setting).map(|(key, ..)| Choice {
        id: VMS,
        label: "over the number of VMs",
        key: Some(key),
    });
    load.into_iter().chain(vms).collect()
}

/// Why a setting has no curve, as a sentence; nothing where it may have one.
pub(super) fn why_none(setting: &Setting) -> Option<String> {
    let why = why_no_curve(&setting.scenario.pairs[0].virtual_run.experiment)?;
    Some(format!(
        "No curve over the load: each of its points would be a short run, and {why}. \
         `slicewise sweep` simulates whole runs."
    ))
}

/// The control of the number of VMs: its key, the number, and the most.
fn count(setting: &Setting) -> Option<(String, f64, f64)> {
    setting.controls.iter().find(|one| one.key.ends_with(".count")).and_then(|one| {
        match one.shape {
            Shape::Number { number, to, .. } => Some((one.key.clone(), number, to)),
            Shape::Choice { .. } => None,
        }
    })
}

/// The points of a curve.
pub(super) fn points(options: &LoadOptions, setting: &Setting, id: &str) -> Option<Points> {
    let experiment = &setting.scenario.pairs[0].virtual_run.experiment;
    if id == LOAD {
        return over_load(setting, experiment);
    }
    let (key, at, most) = count(setting).filter(|_| id == VMS)?;
    // Not more points than a page can answer while somebody looks.
    let step = (most / POINTS as f64).ceil().max(1.0);
    let mut x: Vec<f64> =
        (0..).map(|index| 1.0 + f64::from(index) * step).take_while(|x| *x <= most).collect();
    if !x.contains(&at) {
        x.push(at);
        x.sort_by(f64::total_cmp);
    }
    let at_count = |count: &f64| {
        let set = [format!("{key}={count}")];
        let found = read(options, &setting.path, &setting.text, &set).ok()?;
        Some(found.1.pairs.into_iter().next()?.virtual_run.experiment)
    };
    // So many VMs as are impossible have no point.
    let (x, experiments) = x.into_iter().filter_map(|x| Some((x, Some(at_count(&x)?)))).unzip();
    Some(Points { id: VMS, x_label: "VMs".to_string(), x, experiments, at, key: Some(key) })
}

fn over_load(setting: &Setting, experiment: &Experiment) -> Option<Points> {
    let servers = || experiment.vms.iter().filter(|vm| vm.load.scenario == TestScenario::Server);
    let first = servers().next()?.load.settings.target_qps;
    let alike = servers().all(|vm| (vm.load.settings.target_qps / first - 1.0).abs() < 1e-9);
    let asked = asked_per_s(experiment);
    let shared = servers().all(|vm| vm.balance.is_some());
    let (at, x_label) = match alike {
        true if shared && servers().count() == 1 => (first, "queries/s of the service"),
        true if shared => (first, "queries/s of each service"),
        true => (first, "queries/s of each VM"),
        false => (asked, "queries/s of all VMs"),
    };
    // As far as the slider goes, where it is about the same.
    let mut sliders = setting.controls.iter().filter(|one| one.key.ends_with(".load.target_qps"));
    // One that moves some of the VMs only is no way along this curve.
    let slider = sliders.next().filter(|_| alike && sliders.next().is_none());
    let most = slider.map(|one| match one.shape {
        Shape::Number { to, .. } => to,
        Shape::Choice { .. } => 2.0 * at,
    });
    let most = most.unwrap_or(2.0 * at).max(at);
    let step = round_up(most / POINTS as f64);
    let mut x: Vec<f64> = (1..=POINTS)
        .map(|index| index as f64 * step)
        .take_while(|x| *x <= most * 1.000_001)
        .collect();
    // The end of the slider, where there is room for it.
    x.extend(x.last().is_none_or(|last| most - last > 0.4 * step).then_some(most));
    if !x.iter().any(|x| (x / at - 1.0).abs() < 1e-6) {
        x.push(at);
        x.sort_by(f64::total_cmp);
    }
    let experiments = x.iter().map(|x| Some(at_part_of_rate(experiment, x / at))).collect();
    let key = slider.map(|one| one.key.clone());
    Some(Points { id: LOAD, x_label: x_label.to_string(), x, experiments, at, key })
}

/// 1, 2, 2.5 or 5 times a power of ten, not below `value`.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let lead = [1.0, 2.0, 2.5, 5.0].into_iter().find(|lead| lead * power >= value * 0.999_999);
    lead.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn points_are_at_round_numbers() {
        assert_eq!([0.9, 16.25, 20.0, 21.0, 51.0].map(round_up), [1.0, 20.0, 20.0, 25.0, 100.0]);
    }
}
