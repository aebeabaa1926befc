//! The parameters of a calibration: the numbers of a workload on one GPU, with the range of each.
//!
//! How well a setting fits is computed elsewhere.

use super::{BatchTime, MeasuredRun};
use crate::spec::{GpuSharing, PhiTable, SizeDistribution, TestScenario, WorkTable, Workload};
use crate::units::{Share, SimDuration};
use std::collections::{BTreeMap, BTreeSet};

/// One number of a workload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ParameterKind {
    /// GPU time of a batch that does not overlap with others, in milliseconds.
    Launch,
    /// CPU work before each batch, in milliseconds.
    CpuLaunch,
    /// The least time of a batch, in milliseconds.
    HostFloor,
    /// How much work varies from batch to batch, 0 to 1.
    Spread,
    /// The clock after a rest over the clock without pause, 1 to 2.
    Boost,
    /// The part of a batch of this size that can use any share of the GPU, 0 to 1.
    Phi(u32),
    /// Work of a batch of this size, in milliseconds.
    Work(u32),
    /// The speed of this machine under Server load, relative to the speed by its Offline rate.
    Machine(usize),
}

impl ParameterKind {
    /// The name in reports and files, such as `work[64]`.
    pub fn name(self) -> String {
        match self {
            ParameterKind::Launch => "launch".to_string(),
            ParameterKind::CpuLaunch => "cpu_launch".to_string(),
            ParameterKind::HostFloor => "host_floor".to_string(),
            ParameterKind::Spread => "spread".to_string(),
            ParameterKind::Boost => "boost".to_string(),
            ParameterKind::Phi(batch) => format!("phi[{batch}]"),
            ParameterKind::Work(batch) => format!("work[{batch}]"),
            ParameterKind::Machine(machine) => format!("machine[{}]", machine + 1),
        }
    }

    /// The unit of its value; empty for a ratio.
    pub fn unit(self) -> &'static str {
        match self {
            ParameterKind::Spread
            | ParameterKind::Boost
            | ParameterKind::Phi(_)
            | ParameterKind::Machine(_) => "",
            _ => "ms",
        }
    }

    /// The limits of possible values, whatever the range in a fit.
    pub(super) fn limits(self) -> (f64, f64) {
        match self {
            ParameterKind::Launch
            | ParameterKind::CpuLaunch
            | ParameterKind::HostFloor
            | ParameterKind::Work(_) => (0.0, f64::INFINITY),
            ParameterKind::Spread | ParameterKind::Phi(_) => (0.0, 1.0),
            ParameterKind::Boost => (1.0, f64::INFINITY),
            ParameterKind::Machine(_) => (0.0, f64::INFINITY),
        }
    }

    /// Whether its range is in factors, not in differences.
    pub(super) fn is_factor(self) -> bool {
        matches!(self, ParameterKind::Work(_) | ParameterKind::Machine(_))
    }
}

/// A number with its range.
#[derive(Clone, PartialEq, Debug)]
pub struct FitParameter {
    /// The number.
    pub kind: ParameterKind,
    /// The least value that is tried.
    pub low: f64,
    /// The greatest value that is tried.
    pub high: f64,
    /// Where the search starts, and where the number stays when it is held.
    pub start: f64,
    /// Whether it is kept at its start, not fitted.
    pub is_held: bool,
}

/// Every parameter with its value: `values` are those of the parameters that are not held, in order.
pub(super) fn valued<'p>(
    parameters: &'p [FitParameter],
    values: &'p [f64],
) -> impl Iterator<Item = (&'p FitParameter, f64)> {
    let mut values = values.iter();
    parameters.iter().map(move |parameter| match parameter.is_held {
        true => (parameter, parameter.start),
        false => (parameter, *values.next().expect("one value for each free parameter")),
    })
}

/// The workload with these numbers on `gpu`: `values` of the parameters that are not held, in order.
pub fn with_parameters(
    workload: &Workload,
    gpu: &str,
    parameters: &[FitParameter],
    values: &[f64],
) -> Workload {
    let mut workload = workload.clone();
    let service = workload.service.get_mut(gpu).expect("the workload has this GPU");
    let ms = |value: f64| SimDuration::from_nanos_f64(value.max(0.0) * 1e6);
    let (mut phi, mut work) = (BTreeMap::new(), BTreeMap::new());
    for (parameter, value) in valued(parameters, values) {
        match parameter.kind {
            ParameterKind::Launch => service.launch.value = ms(value),
            ParameterKind::CpuLaunch => workload.cpu.launch_per_batch.value = ms(value),
            ParameterKind::HostFloor => service.host_floor.value = ms(value),
            ParameterKind::Spread => service.spread.value = Share::clamped(value),
            ParameterKind::Boost => service.boost.value = value.clamp(1.0, 2.0),
            ParameterKind::Phi(batch) => drop(phi.insert(batch, Share::clamped(value))),
            ParameterKind::Work(batch) => drop(work.insert(batch, ms(value))),
            // A machine's, not the workload's.
            ParameterKind::Machine(_) => {}
        }
    }
    if !phi.is_empty() {
        let table = PhiTable::new(phi.into_iter().collect());
        service.phi.value = table.expect("batch sizes of a map rise");
    }
    if !work.is_empty() {
        // A larger batch takes no less time, whatever is tried.
        let mut least = SimDuration::from_nanos(1);
        let points = work.into_iter().map(|(batch, time)| {
            least = least.max(time);
            (batch, least)
        });
        let table = WorkTable::new(points.collect());
        service.work.value = table.expect("times of a running maximum do not fall");
    }
    workload
}

/// The user's settings for one number: a range, a value to keep, or both.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Wish {
    /// The least value.
    pub low: Option<f64>,
    /// The greatest value.
    pub high: Option<f64>,
    /// The value to keep.
    pub hold: Option<f64>,
    /// Where to start.
    pub start: Option<f64>,
}

/// The input for choosing the parameters.
pub struct Proposal<'a> {
    /// The workload; its service time on `gpu` is the start where `has_base`.
    pub workload: &'a Workload,
    /// The GPU.
    pub gpu: &'a str,
    /// Whether the start values come from an existing workload and are not placeholders.
    pub has_base: bool,
    /// The batch times.
    pub times: &'a [BatchTime],
    /// The runs.
    pub runs: &'a [MeasuredRun],
    /// Batch sizes at which work is a separate number; nothing for those of the measurements.
    pub work_at: Option<Vec<u32>>,
    /// The same for phi.
    pub phi_at: Option<Vec<u32>>,
    /// Wishes by the name of the number, without batch: `launch`, `work`, `phi`.
    pub wishes: BTreeMap<String, Wish>,
}

impl Proposal<'_> {
    /// The parameters: every number that the runs can determine is free, the others are held at
    /// their start.
    pub fn parameters(&self) -> Vec<FitParameter> {
        let fitted = || self.runs.iter();
        let of = |run: &MeasuredRun| {
            let vm = &run.experiment.vms[0];
            (vm.load.scenario, vm.server.clone())
        };
        let served = fitted().any(|run| of(run).0 != TestScenario::Offline);
        let queued = fitted().any(|run| of(run).0 == TestScenario::Server);
        let has_min = fitted().any(tells_cpu);
        let told_phi: Vec<_> = fitted().filter(|run| tells_phi(run)).collect();
        let work_at = self.work_at.clone().unwrap_or_else(|| self.batches());
        let largest = work_at.last().map_or(1.0, |&batch| self.work_start(batch));
        let served_batch = fitted()
            .filter(|run| of(run).0 != TestScenario::Offline)
            .map(|run| self.work_start(batch_of(run)))
            .fold(0.0, f64::max);
        let scale = if served_batch > 0.0 { served_batch } else { largest };
        let service = &self.workload.service[self.gpu];
        // Of what was measured alone on the GPU the base knows nothing.
        let start = |value: SimDuration, other: f64| {
            if self.has_base { value.as_millis_f64() } else { other }
        };
        let affine = super::line::affine(self.times);
        let launch = match affine {
            Some(line) if self.times.len() > 1 || !self.has_base => line.launch,
            _ => start(service.launch.value, 0.02 * scale),
        };
        let cpu = start(self.workload.cpu.launch_per_batch.value, 0.0);
        let floor = service.host_floor.value.as_millis_f64();
        let fixed = self.workload.sizes.value == SizeDistribution::Fixed;
        let spread = if self.has_base { service.spread.value.get() } else { 0.0 };
        let mut all = vec![
            self.parameter(
                ParameterKind::Launch,
                0.0,
                (0.25 * scale).max(2.0 * launch),
                launch,
                served || self.times.len() > 1 || self.runs.is_empty(),
            ),
            self.parameter(
                ParameterKind::CpuLaunch,
                0.0,
                (0.25 * scale).max(2.0 * cpu),
                cpu,
                has_min,
            ),
            self.parameter(ParameterKind::HostFloor, 0.0, scale, floor, false),
            self.parameter(ParameterKind::Spread, 0.0, 0.5, spread, fixed && queued),
        ];
        // Boost, spread and phi tell a run apart only together with others: it waits to be asked for.
        let boost = if self.has_base { service.boost.value } else { 1.0 };
        all.push(self.parameter(ParameterKind::Boost, 1.0, 1.4, boost, false));
        let phi_at = self.phi_at.clone().unwrap_or_else(|| {
            let batches = told_phi.iter().map(|run| batch_of(run)).collect();
            let told = merged(batches);
            match (told.is_empty(), self.has_base) {
                (false, _) => told,
                // What nothing measured stays as the base has it.
                (true, true) => {
                    service.phi.value.points().iter().map(|(batch, _)| *batch).collect()
                }
                // Times of its batches say what it may be.
                (true, false) if self.wishes.contains_key("phi") => vec![1],
                (true, false) => Vec::new(),
            }
        });
        for batch in phi_at {
            let start = if self.has_base { service.phi.value.at(batch) } else { 0.9 };
            all.push(self.parameter(
                ParameterKind::Phi(batch),
                0.0,
                1.0,
                start,
                !told_phi.is_empty(),
            ));
        }
        for batch in work_at {
            let start = self.work_start(batch);
            all.push(self.parameter(
                ParameterKind::Work(batch),
                start / 2.0,
                start * 2.0,
                start,
                true,
            ));
        }
        if service.machines.as_ref().is_some_and(|machines| machines.value > Share::NONE) {
            let served = fitted().filter(|run| of(run).0 == TestScenario::Server);
            let others: BTreeSet<usize> =
                served.map(|run| run.machine).filter(|at| *at > 0).collect();
            // A tenth either way is far more than machines of one GPU are apart.
            let speeds = others.into_iter().map(ParameterKind::Machine);
            all.extend(speeds.map(|kind| self.parameter(kind, 0.9, 1.1, 1.0, true)));
        }
        all
    }

    fn parameter(
        &self,
        kind: ParameterKind,
        low: f64,
        high: f64,
        start: f64,
        is_told: bool,
    ) -> FitParameter {
        let name = kind.name();
        let plain = name.split('[').next().unwrap_or(&name);
        let wish = self.wishes.get(plain).copied().unwrap_or_default();
        let (low, high) = (wish.low.unwrap_or(low), wish.high.unwrap_or(high));
        let start = wish.hold.or(wish.start).unwrap_or(start);
        // A range of a phi that no run tells is what it may be, and nothing to search.
        let is_open = matches!(kind, ParameterKind::Phi(_)) && !is_told;
        let asked = (wish.low.is_some() || wish.high.is_some()) && !is_open;
        let is_held = wish.hold.is_some() || !(is_told || asked);
        let start = if is_held { start } else { start.clamp(low, high) };
        FitParameter { kind, low, high, start, is_held }
    }

    /// The batch sizes of the measurements.
    fn batches(&self) -> Vec<u32> {
        let times = self.times.iter().map(|time| time.batch);
        let runs = self.runs.iter().map(batch_of);
        merged(times.chain(runs).collect())
    }

    /// Work of a batch before any fit: from batch times, or the base's, or from an Offline rate.
    fn work_start(&self, batch: u32) -> f64 {
        let is_timed = self.times.iter().any(|time| time.batch == batch);
        if self.has_base && !is_timed {
            return self.workload.service[self.gpu].work.value.at(batch) / 1e6;
        }
        if let Some(line) = super::line::affine(self.times) {
            let measured = self.times.iter().find(|time| time.batch == batch);
            let ms = measured.map_or(line.launch + line.per_sample * f64::from(batch), |t| t.ms);
            let work = (ms - line.launch).max(1e-3);
            // One size alone tells no slope: what runs say of larger batches is nearer.
            let is_told = self.times.len() > 1 || is_timed || self.runs.is_empty();
            return if is_told { work } else { work.min(self.work_of_runs(batch)) };
        }
        self.work_of_runs(batch)
    }

    /// Work of a batch by the rates of the runs.
    fn work_of_runs(&self, batch: u32) -> f64 {
        let per_sample = self.runs.iter().filter_map(|run| {
            let observed = |figure: &str| {
                let found = run.observed.iter().find(|seen| seen.figure == figure);
                found.map(|seen| seen.value)
            };
            let cards = run.experiment.vms[0].gpus.len() as f64;
            match run.experiment.vms[0].load.scenario {
                // As many clients as keep the GPU busy; with fewer it is too much, which a fit puts right.
                TestScenario::Offline | TestScenario::ClosedLoop { .. } => {
                    Some(1e3 * cards / observed("completed_per_s")?)
                }
                TestScenario::Server => {
                    // A Server run loads the GPU to some nine tenths.
                    Some(0.9 * 1e3 * cards / observed("completed_per_s")?)
                }
                _ => observed("p90"),
            }
        });
        per_sample.fold(f64::INFINITY, f64::min).clamp(1e-3, 1e6) * f64::from(batch)
    }
}

/// Whether a run has two batches on one GPU, or a slice of one: only then phi matters.
pub(super) fn tells_phi(run: &MeasuredRun) -> bool {
    let server = &run.experiment.vms[0].server;
    let overlaps = server.gpu_sharing == GpuSharing::Shared && server.streams > 1;
    let mut parts = run.experiment.cards.iter().flat_map(|card| &card.instances);
    overlaps || parts.any(|part| part.share < Share::WHOLE)
}

/// Whether a run determines CPU time: it has its minimum latency, and is from the first machine.
pub(super) fn tells_cpu(run: &MeasuredRun) -> bool {
    run.machine == 0 && run.observed.iter().any(|seen| seen.figure == "min")
}

/// The batch size that a run determines best.
pub(super) fn batch_of(run: &MeasuredRun) -> u32 {
    let vm = &run.experiment.vms[0];
    match vm.load.scenario {
        TestScenario::SingleStream => 1,
        _ => vm.server.batch_max,
    }
}

/// Batch sizes in rising order; one that is less than a fifth above another is the same.
fn merged(mut batches: Vec<u32>) -> Vec<u32> {
    batches.sort_unstable();
    let mut kept: Vec<u32> = Vec::new();
    for batch in batches {
        if kept.last().is_none_or(|&last| f64::from(batch) > 1.2 * f64::from(last)) {
            kept.push(batch);
        }
    }
    kept
}
