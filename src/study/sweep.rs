//! A sweep: the points of a grid, each run once per replication, in parallel, results in grid order.
//!
//! What was found before comes in, and what is found goes out, through two callbacks: how it is kept
//! is not this module's affair. A point that cannot be simulated is an error in the results.

use super::Progress;
use super::interval::{Interval, student_95};
use super::results::{FactUse, LatencyMs, SCHEMA_VERSION, Tool};
use super::summary::{add_facts, completed_per_s, latency_ms, put_in_order};
use super::{fits, sensitivity, uncertainty};
use crate::engine::fnv1a;
use crate::platform::{Outcome, VmOutcome, simulate};
use crate::queueing::stats::LatencyHistogram;
use crate::spec::{Experiment, ParameterValue, Sweep, TestScenario, VmSpec};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// Everything a sweep found out.
#[derive(Clone, Debug)]
pub struct SweepResults {
    /// What was asked.
    pub sweep: Sweep,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the results.
    pub tool: Tool,
    /// The points, in the order of [`Sweep::points`].
    pub points: Vec<PointResult>,
    /// What a reader must know before believing a figure; whole sentences.
    pub notes: Vec<String>,
    /// The fitted and assumed numbers the results lean on, each once.
    pub leans_on: Vec<FactUse>,
}

/// One point.
#[derive(Clone, PartialEq, Debug)]
pub struct PointResult {
    /// Index into [`Sweep::lines`].
    pub line: usize,
    /// Its place along the charts.
    pub x: ParameterValue,
    /// Its value of each parameter.
    pub values: Vec<ParameterValue>,
    /// The seed of its runs.
    pub seed: u64,
    /// One entry per replication; none if it cannot be simulated.
    pub runs: Vec<PointRun>,
    /// Why it cannot be simulated.
    pub error: Option<String>,
}

/// One replication of a point.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PointRun {
    /// Mean over the cards in use of the part of the run in which they worked, 0 to 1.
    pub gpu_busy_share: f64,
    /// What the run assumes of time slicing; nothing where no card is shared in turns.
    pub assumes: Option<String>,
    /// One entry per group of VMs, in the order of the scenario.
    pub groups: Vec<GroupResult>,
}

/// What the loads of a group of VMs saw, all taken together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GroupResult {
    /// The group's name.
    pub group: String,
    /// The workload's catalogue name.
    pub workload: String,
    /// The scenario's word.
    pub scenario: String,
    /// How many VMs.
    pub vms: u32,
    /// The rate asked for, of all VMs; nothing where the answers set the pace.
    pub asked_per_s: Option<f64>,
    /// Completed samples per second, of all VMs.
    pub completed_per_s: f64,
    /// Samples completed by all VMs.
    pub samples: u64,
    /// Queries that their servers rejected.
    #[serde(default)]
    pub rejected: u64,
    /// Latencies of all VMs' samples.
    pub latency_ms: LatencyMs,
    /// p99 of the VM that has the highest.
    pub latency_p99_worst_vm_ms: f64,
    /// 99th percentile under the other rule for idle turns, in milliseconds; nothing where no card
    /// is shared by equal or fixed share.
    pub latency_p99_other_idle_ms: Option<f64>,
    /// 99th percentile by other fits of the workloads and on the slowest and fastest of nine machines
    /// in ten, the least and the greatest, in milliseconds; in replication 0, where inputs leave
    /// anything open.
    pub latency_p99_inputs_ms: Option<[f64; 2]>,
    /// 99th percentile with one percent more work, in milliseconds; in replication 0, where a card has
    /// little time left or is shared in turns.
    pub latency_p99_more_work_ms: Option<f64>,
    /// LoadGen's bound.
    pub target_latency_ms: f64,
    /// Mean samples per batch.
    pub batch_mean: f64,
    /// Whether every VM's run is VALID.
    pub valid: bool,
    /// The rules that any VM failed, each once.
    pub failed_rules: Vec<String>,
}

/// What is known from an earlier try, and where to put what is found now.
pub struct Memory<'m> {
    /// The run kept under this key.
    pub recall: &'m (dyn Fn(&str) -> Option<PointRun> + Sync),
    /// Keeps a run under its key; an error ends the sweep.
    pub keep: &'m (dyn Fn(&str, &PointRun) -> anyhow::Result<()> + Sync),
}

/// The key of a run: a hash of everything that decides its result, 16 hexadecimal digits.
pub fn point_key(experiment: &Experiment) -> String {
    let content = format!("{} {SCHEMA_VERSION} {experiment:?}", Tool::THIS.version);
    format!("{:016x}", fnv1a(content.as_bytes()))
}

/// Simulates every point of a sweep that can be; `experiment` makes them, replication 0.
pub fn sweep(
    sweep: &Sweep,
    experiment: &(dyn Fn(usize) -> Experiment + Sync),
    memory: &Memory<'_>,
    progress: Progress<'_>,
) -> anyhow::Result<SweepResults> {
    let points = sweep.points.iter().enumerate().filter(|(_, point)| point.error.is_none());
    let jobs: Vec<(usize, u32)> = points
        .flat_map(|(index, _)| (0..sweep.replications).map(move |replication| (index, replication)))
        .collect();
    let (done, all) = (AtomicU64::new(0), jobs.len() as u64);
    let found: Vec<Found> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&(index, replication)| {
            let found = find(Experiment { replication, ..experiment(index) }, memory)?;
            let label = sweep.label(&sweep.points[index]);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all, &label);
            Ok(found)
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(results(sweep, found))
}

/// One run of a point and what it leans on.
struct Found {
    seed: u64,
    run: PointRun,
    /// Nothing but in replication 0.
    facts: Vec<FactUse>,
    notes: Vec<String>,
}

fn find(experiment: Experiment, memory: &Memory<'_>) -> anyhow::Result<Found> {
    let key = point_key(&experiment);
    let run = match (memory.recall)(&key) {
        Some(run) => run,
        None => {
            let outcome = simulate(&experiment);
            let mut run = point_run(&experiment, &outcome);
            if experiment.replication == 0 {
                lean(&experiment, &outcome, &mut run);
            }
            if let Some(other) = sensitivity::other_idle(&experiment) {
                let other = point_run(&other.experiment, &simulate(&other.experiment));
                for (group, other) in run.groups.iter_mut().zip(other.groups) {
                    group.latency_p99_other_idle_ms = Some(other.latency_ms.p99);
                }
            }
            (memory.keep)(&key, &run)?;
            run
        }
    };
    let mut facts = Vec::new();
    if experiment.replication == 0 {
        add_facts(&experiment, &mut facts);
    }
    let notes = super::notes::of_experiment(&experiment);
    Ok(Found { seed: experiment.seed, run, facts, notes })
}

/// How far p99 leans on what the inputs leave open, and on every percent of work.
fn lean(experiment: &Experiment, outcome: &Outcome, run: &mut PointRun) {
    if fits::has_others(experiment) {
        let ratios = fits::ratios(experiment);
        for group in &mut run.groups {
            let vms = experiment.vms.iter().zip(&ratios);
            let members = vms.filter(|(vm, _)| vm.group == group.group);
            let ends = fits::hull(members.map(|(_, ratios)| ratios.p99()));
            let p99 = group.latency_ms.p99;
            group.latency_p99_inputs_ms = ends.map(|ends| ends.map(|ratio| ratio * p99));
        }
    }
    if let Some(more) = uncertainty::outcome_of_more_work(experiment, outcome) {
        let more = point_run(experiment, &more);
        for (group, more) in run.groups.iter_mut().zip(more.groups) {
            group.latency_p99_more_work_ms = Some(more.latency_ms.p99);
        }
    }
}

fn results(sweep: &Sweep, found: Vec<Found>) -> SweepResults {
    let mut found = found.into_iter();
    let mut leans_on: BTreeSet<FactUse> = BTreeSet::new();
    let mut told: BTreeSet<String> = BTreeSet::new();
    let points = sweep.points.iter().map(|point| {
        let count = if point.error.is_none() { sweep.replications as usize } else { 0 };
        let mut seed = sweep.seed;
        let runs = found.by_ref().take(count).map(|found| {
            leans_on.extend(found.facts);
            told.extend(found.notes);
            seed = found.seed;
            found.run
        });
        let runs: Vec<_> = runs.collect();
        let (line, x, values) = (point.line, point.x.clone(), point.values.clone());
        PointResult { line, x, values, seed, runs, error: point.error.clone() }
    });
    let points: Vec<_> = points.collect();
    let mut leans_on: Vec<_> = leans_on.into_iter().collect();
    put_in_order(&mut leans_on);
    SweepResults {
        sweep: sweep.clone(),
        schema_version: SCHEMA_VERSION,
        tool: Tool::THIS,
        notes: notes(&points).into_iter().chain(told).collect(),
        points,
        leans_on,
    }
}

/// Groups in the order in which their first VMs stand.
fn point_run(experiment: &Experiment, outcome: &Outcome) -> PointRun {
    let mut groups: Vec<(&str, Vec<(&VmSpec, &VmOutcome)>)> = Vec::new();
    for (vm, found) in experiment.vms.iter().zip(&outcome.vms) {
        match groups.iter_mut().find(|(name, _)| *name == vm.group) {
            Some((_, members)) => members.push((vm, found)),
            None => groups.push((&vm.group, vec![(vm, found)])),
        }
    }
    let shares = experiment.vms.iter().flat_map(|vm| &vm.gpus);
    let used: BTreeSet<usize> = shares.map(|share| usize::from(share.card.0)).collect();
    let busy: f64 = used.iter().map(|card| outcome.gpu_busy[*card]).sum();
    PointRun {
        gpu_busy_share: busy / used.len().max(1) as f64,
        assumes: sensitivity::assumed(experiment),
        groups: groups.iter().map(|(name, members)| group_result(name, members)).collect(),
    }
}

fn group_result(name: &str, members: &[(&VmSpec, &VmOutcome)]) -> GroupResult {
    let (first, _) = members[0];
    let mut latencies = LatencyHistogram::new();
    let (mut samples, mut batches, mut completed, mut worst) = (0, 0, 0.0, 0.0_f64);
    let mut rejected = 0;
    let mut failed_rules = BTreeSet::new();
    for (vm, outcome) in members {
        let recorder = &outcome.recorder;
        latencies.merge(recorder.query_latencies());
        samples += recorder.latencies().count();
        rejected += recorder.rejected();
        batches += recorder.batches();
        completed += completed_per_s(vm, recorder);
        worst = worst.max(latency_ms(recorder.query_latencies()).p99);
        failed_rules.extend(outcome.failed_rules.iter().cloned());
    }
    let scenario = first.load.scenario;
    let asks = matches!(scenario, TestScenario::Server | TestScenario::Offline);
    let asked = members.iter().map(|(vm, _)| vm.load.settings.target_qps).sum();
    GroupResult {
        group: name.to_string(),
        workload: first.workload.id.clone(),
        scenario: scenario.word().to_string(),
        vms: members.len() as u32,
        asked_per_s: asks.then_some(asked),
        completed_per_s: completed,
        samples,
        rejected,
        latency_ms: latency_ms(&latencies),
        latency_p99_worst_vm_ms: worst,
        latency_p99_other_idle_ms: None,
        latency_p99_inputs_ms: None,
        latency_p99_more_work_ms: None,
        target_latency_ms: first.load.settings.target_latency.as_millis_f64(),
        batch_mean: samples as f64 / batches.max(1) as f64,
        valid: failed_rules.is_empty(),
        failed_rules: failed_rules.into_iter().collect(),
    }
}

/// What a reader must know before believing a figure.
fn notes(points: &[PointResult]) -> Vec<String> {
    const BEYOND: f64 = 100.0;
    let runs = points.iter().flat_map(|point| &point.runs);
    let groups: Vec<_> = runs.flat_map(|run| &run.groups).collect();
    let few = |group: &&&GroupResult| {
        group.scenario != "offline" && (group.samples as f64) * 0.01 < BEYOND
    };
    let (few, all) = (groups.iter().filter(few).count(), groups.len());
    let mut notes = Vec::new();
    let ratio =
        |group: &&GroupResult| Some(group.latency_p99_other_idle_ms? / group.latency_ms.p99);
    let ratios: Vec<f64> = groups.iter().filter_map(ratio).collect();
    if !ratios.is_empty() {
        let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ratios.iter().copied().fold(0.0, f64::max);
        notes.push(format!(
            "what an idle turn becomes under equal and fixed share is not documented: each row says what it assumes (column `assumes`), and p99 under the other rule, {low:.2} to {high:.2} times as much (column `latency_p99_other_idle_ms`)"
        ));
    }
    let ends = groups.iter().filter_map(|group| {
        let p99 = group.latency_ms.p99;
        group.latency_p99_inputs_ms.map(|ends| ends.map(|end| end / p99))
    });
    if let Some([low, high]) = fits::hull(ends) {
        notes.push(format!(
            "machines with one GPU differ, and other fits of a workload are nearly as good: for nine machines in ten p99 is {low:.2} to {high:.2} times as much (columns `latency_p99_inputs_low_ms`, `..._high_ms`)"
        ));
    }
    let more = groups.iter().filter_map(|group| {
        Some((group.latency_p99_more_work_ms? / group.latency_ms.p99 - 1.0) * 100.0)
    });
    if let Some(most) = more.reduce(f64::max) {
        notes.push(format!(
            "1 % more work makes p99 up to {most:.0} % longer (column `latency_p99_more_work_ms`, rows at a load from 90 % on or shared in turns)"
        ));
    }
    if few > 0 {
        notes.push(format!(
            "in {few} of {all} rows fewer than {BEYOND} samples lie beyond p99, so p99 is uncertain and p99.9 more so; a longer min_duration or a larger min_query_count helps"
        ));
    }
    notes
}

impl SweepResults {
    /// Points that could not be simulated.
    pub fn failed(&self) -> usize {
        self.points.iter().filter(|point| point.error.is_some()).count()
    }

    /// Names of all groups, in the order in which they appear.
    pub fn groups(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for run in self.points.iter().flat_map(|point| &point.runs) {
            for group in &run.groups {
                if !names.contains(&group.group.as_str()) {
                    names.push(&group.group);
                }
            }
        }
        names
    }
}

impl PointResult {
    /// A group's entry in each replication.
    pub fn group<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r GroupResult> {
        self.runs.iter().flat_map(|run| &run.groups).filter(move |group| group.group == name)
    }

    /// A figure of a group over the replications; nothing if the point has no such group.
    pub fn interval(&self, group: &str, figure: impl Fn(&GroupResult) -> f64) -> Option<Interval> {
        student_95(&self.group(group).map(figure).collect::<Vec<_>>())
    }

    /// Completed samples per second of all groups over the replications.
    pub fn total_per_s(&self) -> Option<Interval> {
        let total = |run: &PointRun| run.groups.iter().map(|group| group.completed_per_s).sum();
        student_95(&self.runs.iter().map(total).collect::<Vec<f64>>())
    }
}
