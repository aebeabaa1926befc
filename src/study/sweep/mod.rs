//! A sweep: the points of a grid, each run once per replication, in parallel, results in grid order.
//!
//! A finished run is stored in a [`Memory`] and read back when the results are put together, one at
//! a time: this module keeps only what many runs have in common, and the few figures of each that
//! charts draw. A point that cannot be simulated is an error in the results, and so is one that
//! runs into a bug of slicewise.

mod gathered;
mod verdict;

use super::bug::caught;
use super::figures::{LatencyMs, completed_per_s, latency_ms};
use super::interval::Interval;
use super::over_shares::{OverShare, over_shares};
use super::progress::Progress;
use super::results::{FactUse, Head, OpenFigures, SCHEMA_VERSION, Tool};
use super::summary;
use super::token_fits::TokenSpread;
use super::tokens::{TokenResult, TokenSummary};
use super::variant::other_idle;
use super::verdict::Verdict;
use super::{cpu, fits, leans_on, sensitivity, uncertainty};
use crate::engine::fnv1a;
use crate::parallel::*;
use crate::platform::{Outcome, VmOutcome, simulate};
use crate::queueing::stats::LatencyHistogram;
use crate::spec::{Experiment, Sweep, SweepPoint, TestScenario, VmSpec};
use gathered::Gathered;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The results of a sweep, except the figures of each run, which were passed on one by one.
#[derive(Clone, Debug)]
pub struct SweepResults {
    /// The sweep.
    pub sweep: Sweep,
    /// The program and the input.
    pub head: Head,
    /// The answer in short.
    pub verdict: Verdict,
    /// The groups of VMs, in the order in which they appear.
    pub groups: Vec<GroupHead>,
    /// The workloads of all groups.
    pub workloads: BTreeSet<String>,
    /// The points, in the order of [`Sweep::points`].
    pub points: Vec<PointSummary>,
    /// Service times scaled from another GPU: sentences for the head of a report; none where all
    /// are the GPUs' own.
    pub scaled: Vec<String>,
    /// Notes to be read before the figures; whole sentences.
    pub notes: Vec<String>,
    /// The fitted and assumed numbers that the results use, each once.
    pub leans_on: Vec<FactUse>,
    /// Runs that were finished before.
    pub taken_over: usize,
}

/// The common properties of one group of VMs over all points.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GroupHead {
    /// Its name.
    pub name: String,
    /// Whether its latencies are times of single queries at any point; those of Offline are not.
    pub has_latencies: bool,
    /// LoadGen's bound in milliseconds, where it is under Server load.
    pub bound_ms: Option<f64>,
    /// Whether it serves an LLM, at any point.
    pub serves_llm: bool,
    /// Its bounds of TTFT and TPOT in milliseconds, where it serves an LLM and they are stated.
    pub token_bounds_ms: Option<[f64; 2]>,
}

impl GroupHead {
    /// Whether it is judged: an LLM without bounds is not.
    pub fn is_judged(&self) -> bool {
        !self.serves_llm || self.token_bounds_ms.is_some()
    }
}

/// The few figures of one point that charts and tables show.
#[derive(Clone, PartialEq, Debug)]
pub struct PointSummary {
    /// Why there are no figures.
    pub error: Option<String>,
    /// Replications.
    pub runs: usize,
    /// Completed samples per second of all groups.
    pub total_per_s: Option<Interval>,
    /// Its groups; none if it was not simulated.
    pub groups: Vec<GroupSummary>,
}

/// A group of VMs at one point, over the replications.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupSummary {
    /// Index into [`SweepResults::groups`].
    pub group: usize,
    /// The GPU models of their cards.
    pub gpu_models: Vec<String>,
    /// How many VMs.
    pub vms: u32,
    /// In how many replications every VM is VALID.
    pub valid: usize,
    /// Completed samples per second.
    pub completed_per_s: Interval,
    /// Median latency.
    pub p50_ms: Interval,
    /// 99th percentile.
    pub p99_ms: Interval,
    /// What it made of tokens; nothing where it serves no LLM.
    pub tokens: Option<TokenSummary>,
}

/// The source of rows of the results: one run of a point, or why there is none.
pub struct PointRow<'r> {
    /// Index into [`Sweep::points`].
    pub index: usize,
    /// The point.
    pub point: &'r SweepPoint,
    /// The seed of its runs.
    pub seed: u64,
    /// The replication and its results.
    pub run: Option<(u32, &'r PointRun)>,
    /// Why the point could not be simulated.
    pub error: Option<&'r str>,
}

/// One replication of a point.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PointRun {
    /// Mean over the cards in use of the part of the run in which they were busy, 0 to 1.
    pub gpu_busy_share: f64,
    /// The assumptions of the run about time slicing; nothing where no card is shared in turns.
    pub assumes: Option<String>,
    /// One entry per group of VMs, in the order of the scenario.
    pub groups: Vec<GroupResult>,
    /// The figures of the run at the ends of inputs that were not measured; in replication 0.
    #[serde(default)]
    pub open: Vec<OpenFigures>,
    /// The VMs that had more of a card than its policy promises; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_shares: Vec<OverShare>,
    /// Mean watts of all hosts with their cards; nothing where none are told, or any are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_w: Option<f64>,
    /// Joules for each sample answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joule_per_sample: Option<f64>,
}

/// The figures of a group of VMs, all together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GroupResult {
    /// The group's name.
    pub group: String,
    /// The workload's catalogue name.
    pub workload: String,
    /// The scenario's word.
    pub scenario: String,
    /// The GPU models of their cards.
    #[serde(default)]
    pub gpu_models: Vec<String>,
    /// The GPU models on which their service times are scaled, with the GPU they are scaled from:
    /// `l4 from a10`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<String>,
    /// How many VMs; of a load that VMs share, how many share it.
    pub vms: u32,
    /// The target rate of all VMs; nothing where the next query waits for an answer.
    pub asked_per_s: Option<f64>,
    /// Completed samples per second, of all VMs.
    pub completed_per_s: f64,
    /// Samples completed by all VMs.
    pub samples: u64,
    /// Queries that their servers rejected.
    #[serde(default)]
    pub rejected: u64,
    /// Queries that nobody answered, since their VM was down; nothing in a run without operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Latencies of all VMs' samples.
    pub latency_ms: LatencyMs,
    /// p99 of the VM that has the highest.
    pub latency_p99_worst_vm_ms: f64,
    /// 99th percentile under the other rule for idle turns, in milliseconds; nothing where no card
    /// is shared by equal or fixed share.
    pub latency_p99_other_idle_ms: Option<f64>,
    /// Completed samples per second over the same inputs as the next field.
    #[serde(default)]
    pub completed_per_s_inputs: Option<[f64; 2]>,
    /// 99th percentile with other fits of the workloads, at the ends of inputs that were not
    /// measured, and on slow and fast machines (5th and 95th percentile): the least and the
    /// greatest, in milliseconds; in replication 0, where any input has a range.
    pub latency_p99_inputs_ms: Option<[f64; 2]>,
    /// 99th percentile with one percent more work, in milliseconds; in replication 0, where a card has
    /// little time left or is shared in turns.
    pub latency_p99_more_work_ms: Option<f64>,
    /// Ready time of the VM that has the most, in percent of the run and of a vCPU; nothing where nobody
    /// waits for the host's processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_percent: Option<f64>,
    /// What was made of tokens; left out where no LLM is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenResult>,
    /// The same over the inputs of `latency_p99_inputs_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_inputs: Option<TokenSpread>,
    /// LoadGen's bound.
    pub target_latency_ms: f64,
    /// Mean samples per batch; of an LLM mean requests that ran.
    pub batch_mean: f64,
    /// Whether every VM's run is VALID.
    pub valid: bool,
    /// The rules that any VM failed, each once.
    pub failed_rules: Vec<String>,
}

/// Takes a row of the results.
pub type RowSink<'a> = &'a mut (dyn FnMut(PointRow<'_>) -> anyhow::Result<()> + Send);

/// A store of finished runs, those of interrupted sweeps included.
pub trait Memory: Sync {
    /// Whether the run of this key is there.
    fn has(&self, key: u64) -> bool;
    /// Keeps a run under its key; an error ends the sweep.
    fn keep(&self, key: u64, run: &PointRun) -> anyhow::Result<()>;
    /// The run that is kept under this key.
    fn recall(&self, key: u64) -> anyhow::Result<PointRun>;
}

/// The key of a run: a hash of everything that decides its result.
pub fn point_key(experiment: &Experiment) -> u64 {
    let content = format!("{} {SCHEMA_VERSION} {experiment:?}", Tool::THIS.version);
    fnv1a(content.as_bytes())
}

/// Simulates every point of a sweep that can be; `experiment` makes them, replication 0. Then
/// `each` is called with the rows of the results, in grid order.
pub fn sweep(
    sweep: &Sweep,
    experiment: &(dyn Fn(usize) -> Experiment + Sync),
    memory: &dyn Memory,
    progress: Progress<'_>,
    each: RowSink<'_>,
) -> anyhow::Result<SweepResults> {
    let jobs: Vec<(usize, u32)> = sweep
        .simulated()
        .flat_map(|(index, _)| (0..sweep.replications).map(move |replication| (index, replication)))
        .collect();
    let (done, all) = (AtomicU64::new(0), jobs.len() as u64);
    let (taken_over, common) = (AtomicU64::new(0), Mutex::new(Common::default()));
    let runs: Vec<Result<Known, String>> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&(index, replication)| {
            let found = caught(|| {
                let experiment = Experiment { replication, ..experiment(index) };
                let key = point_key(&experiment);
                let run = (!memory.has(key)).then(|| simulated(&experiment));
                common.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(&experiment);
                (Known { key, seed: experiment.seed }, run)
            });
            let known = match found {
                Ok((known, Some(run))) => memory.keep(known.key, &run).map(|()| Ok(known)),
                Ok((known, None)) => {
                    taken_over.fetch_add(1, Ordering::Relaxed);
                    Ok(Ok(known))
                }
                Err(bug) => Ok(Err(bug)),
            };
            let label = sweep.label(&sweep.points[index]);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all, &label);
            known
        })
        .collect::<anyhow::Result<_>>()?;
    let common = common.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut gathered = Gathered::default();
    let mut runs = runs.chunks(sweep.replications.max(1) as usize);
    for (index, point) in sweep.points.iter().enumerate() {
        let runs = if point.is_simulated() { runs.next().unwrap_or_default() } else { &[] };
        gathered.add_point(sweep, (index, point), runs, memory, &mut *each)?;
    }
    Ok(gathered.results(sweep, common, taken_over.into_inner() as usize))
}

/// A run that the memory has.
struct Known {
    key: u64,
    seed: u64,
}

/// What runs have in common, each thing once.
#[derive(Default)]
struct Common {
    leans_on: BTreeSet<FactUse>,
    scaled: BTreeSet<String>,
    told: BTreeSet<String>,
}

impl Common {
    fn add(&mut self, experiment: &Experiment) {
        if experiment.replication == 0 {
            self.leans_on.extend(leans_on::facts(experiment));
        }
        self.scaled.extend(super::notes::scaled([experiment]));
        self.told.extend(super::notes::of_experiment(experiment));
    }
}

/// Simulates one run of a point.
fn simulated(experiment: &Experiment) -> PointRun {
    let outcome = simulate(experiment);
    let mut run = point_run(experiment, &outcome);
    if experiment.replication == 0 {
        lean(experiment, &outcome, &mut run);
    }
    if let Some((_, other)) = other_idle(experiment) {
        let other = point_run(&other, &simulate(&other));
        for (group, other) in run.groups.iter_mut().zip(other.groups) {
            group.latency_p99_other_idle_ms = Some(other.latency_ms.p99);
        }
    }
    assert!(run.is_finite(), "a figure of the results is no number");
    run
}

/// How far p99 leans on what the inputs leave open, and on every percent of work.
fn lean(experiment: &Experiment, outcome: &Outcome, run: &mut PointRun) {
    if fits::has_others(experiment) {
        let ratios = fits::ratios(experiment, Some(outcome));
        for group in &mut run.groups {
            let vms = experiment.vms.iter().zip(&ratios.vms);
            let members = vms.filter(|(vm, _)| vm.group == group.group);
            let members: Vec<_> = members.map(|(_, ratios)| ratios).collect();
            let of = |ends: Option<[f64; 2]>, figure: f64| {
                ends.map(|ends| ends.map(|ratio| ratio * figure))
            };
            let p99 = fits::hull(members.iter().map(|ratios| ratios.p99()));
            let rate = fits::hull(members.iter().map(|ratios| ratios.rate()));
            group.latency_p99_inputs_ms = of(p99, group.latency_ms.p99);
            group.completed_per_s_inputs = of(rate, group.completed_per_s);
            let tokens = members.iter().filter_map(|ratios| ratios.tokens().cloned());
            let tokens = tokens.reduce(|one, other| one.or(&other));
            let own = group.tokens.as_ref();
            group.tokens_inputs = tokens.zip(own).map(|(ratios, own)| ratios.spread(own));
        }
        let vms = experiment.vms.iter().zip(&outcome.vms).map(|(vm, found)| {
            let recorder = &found.recorder;
            (completed_per_s(vm, recorder), latency_ms(recorder.query_latencies()).p99)
        });
        run.open = summary::of_ends(&vms.collect::<Vec<_>>(), &ratios.open);
    }
    if let Some(more) = uncertainty::outcome_of_more_work(experiment, outcome) {
        let more = point_run(experiment, &more);
        for (group, more) in run.groups.iter_mut().zip(more.groups) {
            group.latency_p99_more_work_ms = Some(more.latency_ms.p99);
        }
    }
}

/// Groups in the order in which their first VMs stand.
fn point_run(experiment: &Experiment, outcome: &Outcome) -> PointRun {
    let mut groups: Vec<(&str, Vec<(&VmSpec, &VmOutcome)>)> = Vec::new();
    let vms = experiment.vms.iter().zip(&outcome.vms);
    for (vm, found) in vms.filter(|(vm, _)| !vm.load.is_idle()) {
        match groups.iter_mut().find(|(name, _)| *name == vm.group) {
            Some((_, members)) => members.push((vm, found)),
            None => groups.push((&vm.group, vec![(vm, found)])),
        }
    }
    let used = experiment.cards_in_use();
    let busy: f64 = used.iter().map(|card| outcome.gpu_busy[usize::from(card.0)]).sum();
    let power = super::power::of(experiment, outcome);
    PointRun {
        mean_w: power.as_ref().and_then(|power| power.mean_w),
        joule_per_sample: power.as_ref().and_then(|power| power.joule_per_sample),
        gpu_busy_share: busy / used.len().max(1) as f64,
        assumes: sensitivity::assumed(experiment),
        groups: groups
            .iter()
            .map(|(name, members)| GroupResult {
                ready_percent: cpu::most_ready(experiment, outcome, name),
                ..group_result(experiment, name, members)
            })
            .collect(),
        open: Vec::new(),
        over_shares: over_shares(experiment, outcome),
    }
}

fn group_result(
    experiment: &Experiment,
    name: &str,
    members: &[(&VmSpec, &VmOutcome)],
) -> GroupResult {
    let (first, _) = members[0];
    let mut latencies = LatencyHistogram::new();
    let (mut samples, mut batches, mut completed, mut worst) = (0, 0.0, 0.0, 0.0_f64);
    let (mut rejected, mut lost) = (0, 0);
    let mut failed_rules = BTreeSet::new();
    for (vm, outcome) in members {
        let recorder = &outcome.recorder;
        latencies.merge(recorder.query_latencies());
        samples += recorder.latencies().count();
        rejected += recorder.rejected();
        lost += recorder.lost();
        batches += recorder.batches();
        completed += completed_per_s(vm, recorder);
        worst = worst.max(latency_ms(recorder.query_latencies()).p99);
        failed_rules.extend(outcome.failed_rules.iter().cloned());
    }
    let scenario = first.load.scenario;
    let asks = matches!(scenario, TestScenario::Server | TestScenario::Offline);
    let models = experiment.models_of(members.iter().flat_map(|(vm, _)| &vm.gpus));
    let asked = members.iter().map(|(vm, _)| vm.load.settings.target_qps).sum();
    let tokens = TokenResult::of(members);
    GroupResult {
        group: name.to_string(),
        workload: first.workload.id.clone(),
        scenario: scenario.word().to_string(),
        gpu_models: models.into_iter().map(str::to_string).collect(),
        scaled: experiment.scaled_of(first),
        vms: members.iter().map(|(vm, _)| vms_of(vm)).sum(),
        asked_per_s: asks.then_some(asked),
        completed_per_s: completed,
        samples,
        rejected,
        lost: experiment.timeline.is_some().then_some(lost),
        latency_ms: latency_ms(&latencies),
        latency_p99_worst_vm_ms: worst,
        latency_p99_other_idle_ms: None,
        completed_per_s_inputs: None,
        latency_p99_inputs_ms: None,
        latency_p99_more_work_ms: None,
        ready_percent: None,
        target_latency_ms: first.load.settings.target_latency.as_millis_f64(),
        batch_mean: match &tokens {
            Some(tokens) => tokens.running_mean,
            None if batches > 0.0 => samples as f64 / batches,
            None => 0.0,
        },
        tokens,
        tokens_inputs: None,
        valid: failed_rules.is_empty(),
        failed_rules: failed_rules.into_iter().collect(),
    }
}

/// The VMs of a load: those that share it.
fn vms_of(vm: &VmSpec) -> u32 {
    vm.balance.as_ref().map_or(1, |balance| balance.members.len() as u32)
}

impl PointRun {
    /// Whether every figure is a number.
    fn is_finite(&self) -> bool {
        let of_group = |group: &GroupResult| {
            let optional = [
                group.asked_per_s,
                group.latency_p99_other_idle_ms,
                group.latency_p99_more_work_ms,
            ];
            let certain = [
                group.completed_per_s,
                group.latency_p99_worst_vm_ms,
                group.target_latency_ms,
                group.batch_mean,
            ];
            let latencies = LatencyMs::NAMES.iter().filter_map(|name| group.latency_ms.get(name));
            let inputs = [group.latency_p99_inputs_ms, group.completed_per_s_inputs];
            let inputs = inputs.into_iter().flatten().flatten();
            let tokens = group.tokens.iter().flat_map(TokenResult::figures);
            let all = optional.into_iter().flatten().chain(certain).chain(latencies).chain(inputs);
            let tokens = tokens.chain(group.tokens_inputs.iter().flat_map(TokenSpread::figures));
            all.chain(tokens).all(f64::is_finite)
        };
        self.gpu_busy_share.is_finite() && self.groups.iter().all(of_group)
    }
}

impl SweepResults {
    /// Points that could not be simulated, those declared so left out.
    pub fn failed(&self) -> usize {
        self.points.iter().filter(|point| point.error.is_some()).count()
    }

    /// Points of which some VM is INVALID in some replication.
    pub fn invalid(&self) -> usize {
        self.points.iter().filter(|point| !point.is_valid()).count()
    }
}

impl PointSummary {
    /// A group's figures, by its index.
    pub fn group(&self, index: usize) -> Option<&GroupSummary> {
        self.groups.iter().find(|group| group.group == index)
    }

    /// Whether every VM is VALID in every replication.
    pub fn is_valid(&self) -> bool {
        self.groups.iter().all(|group| group.valid == self.runs)
    }
}
