//! Why a published VM ran at another rate than the published bare metal: the contributions of the
//! hypervisor, the settings and the chosen rates to the ratio.
//!
//! It is an identity, not a fit. With R the submitted rates and C the capacities that are
//! simulated, `R_vm / R_bare = (C_vm / C_bare with the VM's settings) x (that / C_bare with its own
//! settings) x ((R_vm / C_vm) / (R_bare / C_bare with its own settings))`. The reasons for a chosen
//! rate are not known.

use super::baseline::whole_cards;
use super::interval::{Interval, student_95};
use super::system::{LoadPoint, System, load_point};
use super::variant::at_rate;
use crate::platform::simulate;
use crate::spec::{Experiment, Pair, TestScenario, TimeoutFrom, VmSpec};
use crate::study::figures;
use serde::Serialize;

/// A published pair whose ratio is to be explained; systems are indices into the plan.
#[derive(Clone, Debug)]
pub struct GapPlan {
    /// The pair's name.
    name: String,
    /// The VM.
    virtual_run: usize,
    /// Bare metal with the VM's settings.
    bare_metal: usize,
    /// Bare metal with one setting after the other as it was published: what changed, and the system.
    steps: Vec<(String, usize)>,
    /// The rates that were submitted: of the VM and of bare metal.
    submitted: (f64, f64),
    /// The rates that were published, samples per second.
    published: (f64, f64),
}

impl GapPlan {
    /// Every system it needs, by index in the plan.
    pub(super) fn systems(&self) -> impl Iterator<Item = usize> {
        let steps = self.steps.iter().map(|(_, system)| *system);
        steps.chain([self.virtual_run, self.bare_metal])
    }
}

/// The explanation of a published ratio of Server rates.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// The pair's name.
    pub name: String,
    /// Published rate of the VM, samples per second.
    pub virtual_per_s: f64,
    /// Published rate of bare metal, samples per second.
    pub baseline_per_s: f64,
    /// Their ratio, which is to be explained.
    pub published_ratio: f64,
    /// The rate that was submitted for the VM, over its capacity.
    pub virtual_load: Interval,
    /// The rate that was submitted for bare metal, over its capacity with its own settings.
    pub baseline_load: Interval,
    /// Capacity of the VM over that of bare metal with the same settings.
    pub hypervisor: Interval,
    /// Capacity of bare metal with the VM's settings over that with its own.
    pub settings: Interval,
    /// The settings one by one, in this order; their product is `settings`.
    pub settings_in_detail: Vec<GapStep>,
    /// Load of the VM over load of bare metal, each relative to its capacity.
    pub chosen_rate: Interval,
    /// The rest: published over submitted rates, from completion times.
    pub rest: f64,
    /// Latencies of both sides at both submitted rates, replication 0.
    pub latencies: Vec<GapLatency>,
}

/// The contribution of one setting to the ratio.
#[derive(Clone, Debug, Serialize)]
pub struct GapStep {
    /// The setting, with its value in the VM and on bare metal.
    pub setting: String,
    /// Capacity without this step over capacity with it.
    pub factor: Interval,
}

/// Latencies of one system at one rate.
#[derive(Clone, Debug, Serialize)]
pub struct GapLatency {
    /// The system: `VM`, `bare metal, the VM's settings` or `bare metal, its own settings`.
    pub system: &'static str,
    /// The rate it is asked at, queries per second.
    pub asked_per_s: f64,
    /// Median latency, in milliseconds.
    pub latency_p50_ms: f64,
    /// 90th percentile, in milliseconds.
    pub latency_p90_ms: f64,
    /// 99th percentile, in milliseconds.
    pub latency_p99_ms: f64,
    /// Whether the run is VALID.
    pub valid: bool,
}

/// A setting that may differ: its name, how it reads, and how to take it over.
type Setting = (&'static str, fn(&VmSpec) -> String, fn(&mut VmSpec, &VmSpec));

/// Settings in the order in which they are taken over.
const SETTINGS: [Setting; 9] = [
    ("vCPUs", |vm| vm.vcpus.to_string(), |vm, from| vm.vcpus = from.vcpus),
    (
        "batch_max",
        |vm| vm.server.batch_max.to_string(),
        |vm, from| {
            vm.server.batch_max = from.server.batch_max;
        },
    ),
    // No more streams than slots.
    (
        "streams",
        |vm| vm.server.streams.to_string(),
        |vm, from| {
            vm.server.streams = from.server.streams;
            vm.server.slots = vm.server.slots.max(vm.server.streams);
        },
    ),
    (
        "slots",
        |vm| vm.server.slots.to_string(),
        |vm, from| {
            vm.server.slots = from.server.slots.max(vm.server.streams);
        },
    ),
    ("timeout", timeout, |vm, from| {
        vm.server.timeout = from.server.timeout;
        vm.server.timeout_from = from.server.timeout_from;
    }),
    (
        "inputs from",
        |vm| inputs(vm).to_string(),
        |vm, from| {
            vm.server.start_from_device = from.server.start_from_device;
        },
    ),
    (
        "other settings",
        |vm| format!("{:?}", vm.server),
        |vm, from| {
            vm.server = from.server.clone();
        },
    ),
    (
        "arrivals",
        |vm| vm.load.arrivals.word().to_string(),
        |vm, from| {
            vm.load.arrivals = from.load.arrivals.clone();
        },
    ),
    (
        "bound",
        |vm| format!("{} at {} %", vm.load.settings.target_latency, vm.load.settings.percentile),
        |vm, from| {
            vm.load.settings.target_latency = from.load.settings.target_latency;
            vm.load.settings.percentile = from.load.settings.percentile;
        },
    ),
];

fn timeout(vm: &VmSpec) -> String {
    let from = match vm.server.timeout_from {
        TimeoutFrom::WaitStart => "the start of the wait",
        TimeoutFrom::Oldest => "the oldest query",
    };
    vm.server.timeout.map_or("none".to_string(), |timeout| format!("{timeout} from {from}"))
}

fn inputs(vm: &VmSpec) -> &'static str {
    if vm.server.start_from_device { "device" } else { "host" }
}

/// Adds the systems of a published pair, the VM first; returns nothing unless both sides were
/// published as Server runs, the other one a twin.
pub fn add_gap(systems: &mut Vec<System>, pair: &Pair) -> Option<GapPlan> {
    let own = &pair.virtual_run;
    let twin = pair.twin()?;
    let published =
        (own.published.as_ref()?.completed_per_s?, twin.published.as_ref()?.completed_per_s?);
    let [vm] = &own.experiment.vms[..] else { return None };
    if vm.load.scenario != TestScenario::Server {
        return None;
    }
    let mut add = |name: String, experiment: &Experiment, bare_metal, with_curve| {
        systems.push(System { bare_metal, with_curve, ..System::of(name, experiment.clone()) });
        systems.len() - 1
    };
    let name = &pair.name;
    let virtual_run = add(name.clone(), &own.experiment, None, true);
    let mut bare = whole_cards(&own.experiment);
    let bare_metal = add(format!("{name}, bare metal"), &bare, None, true);
    let mut steps = Vec::new();
    let own_settings = &twin.experiment.vms[0];
    let differing: Vec<&Setting> = SETTINGS
        .iter()
        .filter(|(_, read, take)| {
            // What an earlier setting brings with it is no step of its own.
            let mut taken = bare.vms[0].clone();
            let differs = read(&taken) != read(own_settings);
            if differs {
                take(&mut taken, own_settings);
                bare.vms[0] = taken;
            }
            differs
        })
        .collect();
    let mut bare = whole_cards(&own.experiment);
    for (index, (setting, read, take)) in differing.iter().enumerate() {
        let before = read(&bare.vms[0]);
        take(&mut bare.vms[0], own_settings);
        let what = match *setting {
            "other settings" => setting.to_string(),
            setting => format!("{setting} {before} -> {}", read(own_settings)),
        };
        let is_last = index + 1 == differing.len();
        let label = if is_last { "its own settings" } else { &what };
        let system = add(format!("{name}, bare metal, {label}"), &bare, None, is_last);
        steps.push((what, system));
    }
    systems[virtual_run].bare_metal = Some(bare_metal);
    let submitted = (vm.load.settings.target_qps, own_settings.load.settings.target_qps);
    Some(GapPlan { name: name.clone(), virtual_run, bare_metal, steps, submitted, published })
}

/// Explains a ratio from the capacities of all systems, by replication.
pub(super) fn explain(
    plan: &GapPlan,
    systems: &[System],
    capacities: &[Vec<f64>],
    precision: f64,
) -> Gap {
    let ratio = |one: &[f64], other: &[f64]| ratio(one, other).of_searches(precision);
    let own = &capacities[plan.virtual_run];
    let bare = &capacities[plan.bare_metal];
    let last = plan.steps.last().map_or(plan.bare_metal, |(_, system)| *system);
    let twin = &capacities[last];
    let mut before = bare;
    let mut settings_in_detail = Vec::new();
    for (setting, system) in &plan.steps {
        let after = &capacities[*system];
        let factor = ratio(before, after);
        settings_in_detail.push(GapStep { setting: setting.clone(), factor });
        before = after;
    }
    let load = |rate: f64, capacities: &[f64]| -> Vec<f64> {
        capacities.iter().map(|capacity| rate / capacity).collect()
    };
    let loads = (load(plan.submitted.0, own), load(plan.submitted.1, twin));
    let sides = [
        ("VM", plan.virtual_run),
        ("bare metal, the VM's settings", plan.bare_metal),
        ("bare metal, its own settings", last),
    ];
    let mut latencies = Vec::new();
    for rate in [plan.submitted.0, plan.submitted.1] {
        for (system, index) in sides {
            latencies.push(latency(system, &systems[index].experiment, rate));
        }
    }
    Gap {
        name: plan.name.clone(),
        virtual_per_s: plan.published.0,
        baseline_per_s: plan.published.1,
        published_ratio: plan.published.0 / plan.published.1,
        hypervisor: ratio(own, bare),
        settings: ratio(bare, twin),
        settings_in_detail,
        chosen_rate: ratio(&loads.0, &loads.1),
        virtual_load: mean(&loads.0),
        baseline_load: mean(&loads.1),
        rest: (plan.published.0 / plan.published.1) / (plan.submitted.0 / plan.submitted.1),
        latencies,
    }
}

/// The ratio of two figures, replication by replication.
fn ratio(one: &[f64], other: &[f64]) -> Interval {
    mean(&one.iter().zip(other).map(|(one, other)| one / other).collect::<Vec<_>>())
}

fn mean(values: &[f64]) -> Interval {
    student_95(values).expect("at least one replication")
}

/// A run to its end: a rate that was submitted may be more than another system bears.
fn latency(system: &'static str, experiment: &Experiment, rate: f64) -> GapLatency {
    let experiment = at_rate(experiment, rate);
    let outcome = simulate(&experiment);
    let LoadPoint { latency_p50_ms, latency_p99_ms, valid, .. } =
        load_point(rate, &experiment, &outcome);
    let latency_p90_ms = figures::latency_ms(outcome.vms[0].recorder.latencies()).p90;
    GapLatency { system, asked_per_s: rate, latency_p50_ms, latency_p90_ms, latency_p99_ms, valid }
}
