//! From outcomes to the result document: rates, percentiles, standings, notes.
//!
//! The only arithmetic is LoadGen's own definitions of rates and plain ratios.

use super::{
    AlternativeResult, Comparison, FactUse, FigureStanding, Finding, GpuResult, LatencyMs, Origin,
    PublishedResult, Results, RunResult, SCHEMA_VERSION, Side, StageMean, Tool, VerdictResult,
    VmResult, kind_word, sensitivity,
};
use crate::platform::{Outcome, VmOutcome};
use crate::queueing::stats::LatencyHistogram;
use crate::record::{Recorder, Stage};
use crate::spec::{
    BaselineKind, Experiment, Fact, Pair, PlannedRun, Published, Scenario, Standing, TestScenario,
    VmSpec,
};
use crate::units::SimDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Adds the runs and the comparison of one pair. `found` holds what its pieces found, in order.
pub(super) fn summarise(
    pair: &Pair,
    found: Vec<Finding>,
    runs: &mut Vec<RunResult>,
    comparisons: &mut Vec<Comparison>,
) {
    let mut outcomes = Vec::new();
    let (mut best, mut others, mut fits) = (Vec::new(), Vec::new(), Vec::new());
    for finding in found {
        match finding {
            Finding::Outcome(outcome) => outcomes.push(outcome),
            Finding::Other(other) => others.push(other),
            Finding::Fits(side, ratios) => fits.push((side, ratios)),
            Finding::Best(rate) => best.push(rate),
        }
    }
    let mut outcomes = outcomes.into_iter();
    let mut add = |run: &PlannedRun, side, kind: Option<&BaselineKind>| {
        let outcome = outcomes.next().expect("one outcome per run");
        runs.push(run_result(&pair.name, run, side, kind, &outcome));
    };
    add(&pair.virtual_run, Side::Virtual, None);
    if let Some(baseline) = &pair.baseline {
        add(&baseline.run, Side::Baseline, Some(&baseline.kind));
    }
    if let [virtual_per_s, baseline_per_s] = best[..] {
        let scenario = pair.virtual_run.experiment.vms[0].load.scenario;
        comparisons.push(Comparison {
            name: pair.name.clone(),
            scenario: scenario.word(),
            virtual_per_s,
            baseline_per_s,
            capacity_ratio: if baseline_per_s > 0.0 { virtual_per_s / baseline_per_s } else { 0.0 },
            precision: if scenario == TestScenario::Server {
                pair.capacity.unwrap_or(0.0)
            } else {
                0.0
            },
            published_ratio: published_ratio(pair),
        });
    }
    for (side, ratios) in &fits {
        let of_side = runs.iter_mut().filter(|run| run.name == pair.name && run.side == *side);
        for (vm, ratios) in of_side.flat_map(|run| &mut run.vms).zip(ratios) {
            vm.fits = Some(super::fits::spread(ratios, vm.completed_per_s, &vm.latency_ms));
        }
    }
    let runs_of_pair =
        runs.iter_mut().filter(|run| run.name == pair.name && run.side == Side::Virtual);
    for run in runs_of_pair {
        run.alternatives = std::mem::take(&mut others);
        run.vms[0].capacity_qps = best.first().copied().filter(|_| run.vms[0].scenario == "server");
    }
}

/// The document of a whole scenario.
pub(super) fn results(
    scenario: &Scenario,
    runs: Vec<RunResult>,
    comparisons: Vec<Comparison>,
) -> Results {
    let virtual_runs = scenario.pairs.iter().map(|pair| &pair.virtual_run.experiment);
    let baselines = scenario.pairs.iter().filter_map(|pair| pair.baseline.as_ref());
    let baselines = baselines.map(|baseline| &baseline.run.experiment);
    let mut leans_on = Vec::new();
    let mut notes = doubts(&runs, &comparisons);
    for experiment in virtual_runs.chain(baselines) {
        add_facts(experiment, &mut leans_on);
        notes.extend(super::notes::of_sharing(experiment));
    }
    put_in_order(&mut leans_on);
    let mut told = BTreeSet::new();
    notes.retain(|note| told.insert(note.clone()));
    Results {
        schema_version: SCHEMA_VERSION,
        tool: Tool::THIS,
        seed: scenario.seed,
        scenario_hash: scenario.hash.clone(),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        notes,
        runs,
        comparisons,
        leans_on,
    }
}

/// What a run under another choice gives.
pub(super) fn alternative(option: &str, outcome: &Outcome) -> AlternativeResult {
    let p99 = |vm: &VmOutcome| latency_ms(vm.recorder.latencies()).p99;
    AlternativeResult {
        option: option.to_string(),
        latency_p99_ms: outcome.vms.iter().map(p99).collect(),
    }
}

/// Completed samples per second as LoadGen defines them.
pub(super) fn completed_per_s(vm: &VmSpec, recorder: &Recorder) -> f64 {
    let samples = recorder.latencies().count() as f64;
    let end = recorder.last_completion().saturating_since(vm.power_on).as_secs_f64();
    match vm.load.scenario {
        _ if end == 0.0 => 0.0,
        TestScenario::Offline => samples / end,
        _ => (samples - 1.0) / end,
    }
}

fn run_result(
    name: &str,
    run: &PlannedRun,
    side: Side,
    kind: Option<&BaselineKind>,
    outcome: &Outcome,
) -> RunResult {
    let experiment = &run.experiment;
    let vms = experiment.vms.iter().zip(&outcome.vms).enumerate().map(|(index, (vm, of_vm))| {
        // Published figures are those of the first VM.
        let published = run.published.as_ref().filter(|_| index == 0);
        vm_result(experiment, vm, of_vm, published)
    });
    let gpus = experiment.cards.iter().zip(&outcome.gpu_busy).enumerate();
    RunResult {
        name: name.to_string(),
        side,
        platform: experiment.hypervisor.id.clone(),
        baseline_kind: kind.map(kind_word),
        differs: match kind {
            Some(BaselineKind::Twin { differs }) => differs.clone(),
            _ => Vec::new(),
        },
        assumes: sensitivity::assumed(experiment),
        alternatives: Vec::new(),
        vms: vms.collect(),
        gpus: gpus
            .map(|(id, (card, &busy_share))| GpuResult {
                id: id as u16,
                model: card.gpu.id.clone(),
                busy_share,
            })
            .collect(),
    }
}

fn vm_result(
    experiment: &Experiment,
    vm: &VmSpec,
    outcome: &VmOutcome,
    published: Option<&Published>,
) -> VmResult {
    let recorder = &outcome.recorder;
    let (load, count) = (&vm.load, recorder.latencies().count());
    let last_due = recorder.last_due().saturating_since(vm.power_on).as_secs_f64();
    let rate = completed_per_s(vm, recorder);
    let latency_ms = latency_ms(recorder.latencies());
    VmResult {
        name: vm.name.clone(),
        workload: vm.workload.id.clone(),
        scenario: load.scenario.word(),
        vcpus: vm.vcpus,
        target_qps: load.settings.target_qps,
        queries: if load.scenario == TestScenario::Offline { 1 } else { count },
        samples: count,
        scheduled_per_s: (load.scenario == TestScenario::Server && last_due > 0.0)
            .then(|| (count - 1) as f64 / last_due),
        completed_per_s: rate,
        capacity_qps: None,
        latency_ms,
        target_latency_ms: load.settings.target_latency.as_millis_f64(),
        stages_ms: Stage::ALL
            .map(|(stage, name)| StageMean {
                stage: name,
                mean_ms: recorder.stage_mean(stage) / 1e6,
            })
            .to_vec(),
        batch_mean: count as f64 / recorder.batches().max(1) as f64,
        verdict: VerdictResult {
            valid: outcome.failed_rules.is_empty(),
            failed_rules: outcome.failed_rules.clone(),
        },
        standing: standing(experiment, vm, published),
        published: published.map(|published| compared(published, rate, &latency_ms)),
        fits: None,
    }
}

/// The figures of a histogram, as the document has them.
pub(super) fn latency_ms(latencies: &LatencyHistogram) -> LatencyMs {
    let ms = |span: Option<SimDuration>| span.unwrap_or(SimDuration::ZERO).as_millis_f64();
    let at = |quantile| ms(latencies.quantile(quantile));
    LatencyMs {
        min: ms(latencies.min()),
        mean: ms(latencies.mean()),
        p50: at(0.50),
        p90: at(0.90),
        p95: at(0.95),
        p97: at(0.97),
        p99: at(0.99),
        p999: at(0.999),
        max: ms(latencies.max()),
    }
}

fn compared(published: &Published, rate: f64, latency: &LatencyMs) -> PublishedResult {
    let percent = |predicted: f64, published: f64| (predicted / published - 1.0) * 100.0;
    let mut error_percent = BTreeMap::new();
    if let Some(published) = published.completed_per_s {
        error_percent.insert("completed_per_s".to_string(), percent(rate, published));
    }
    let mut latency_ms = BTreeMap::new();
    for (name, span) in &published.latency {
        let predicted = latency.get(name).expect("published latencies have the document's names");
        latency_ms.insert(name.clone(), span.as_millis_f64());
        error_percent.insert(name.clone(), percent(predicted, span.as_millis_f64()));
    }
    let (completed_per_s, source) = (published.completed_per_s, published.source.clone());
    PublishedResult { completed_per_s, latency_ms, error_percent, source }
}

/// Whether a figure was put in, fitted on this very row, or neither.
fn standing(experiment: &Experiment, vm: &VmSpec, published: Option<&Published>) -> FigureStanding {
    let on_this_row =
        |rows: &Vec<String>| published.is_some_and(|published| rows.contains(&published.row));
    let workload = &vm.workload;
    let mut fitted_on = vec![
        &experiment.hypervisor.gpu_speed.fitted_on,
        &workload.sizes.fitted_on,
        &workload.cpu.launch_per_batch.fitted_on,
        &workload.cpu.launch_per_sample.fitted_on,
        &workload.cpu.finish_per_batch.fitted_on,
        &workload.cpu.finish_per_sample.fitted_on,
    ];
    for share in &vm.gpus {
        let service = &workload.service[&experiment.cards[usize::from(share.card.0)].gpu.id];
        fitted_on.extend([
            &service.launch.fitted_on,
            &service.host_floor.fitted_on,
            &service.phi.fitted_on,
            &service.spread.fitted_on,
            &service.work.fitted_on,
            &service.boost.fitted_on,
        ]);
    }
    let is_fitted = fitted_on.into_iter().any(on_this_row);
    let found = if is_fitted { Origin::Fitted } else { Origin::Predicted };
    let rate = if vm.load.scenario == TestScenario::Server { Origin::Given } else { found };
    FigureStanding { rate, latency: found }
}

fn published_ratio(pair: &Pair) -> Option<f64> {
    let virtual_rate = pair.virtual_run.published.as_ref()?.completed_per_s?;
    let bare = pair.baseline.as_ref()?.run.published.as_ref()?.completed_per_s?;
    Some(virtual_rate / bare)
}

/// What a reader must know before believing a figure.
fn doubts(runs: &[RunResult], comparisons: &[Comparison]) -> Vec<String> {
    const BEYOND: f64 = 100.0;
    let mut notes = Vec::new();
    for run in runs {
        for vm in &run.vms {
            let beyond = vm.samples as f64 * 0.01;
            if vm.scenario != "offline" && beyond < BEYOND {
                notes.push(format!(
                    "{}: only {beyond:.0} of {} queries lie beyond p99, so p99 is uncertain and p99.9 more so; a longer min_duration or a larger min_query_count helps",
                    run.name, vm.samples
                ));
            }
        }
    }
    for comparison in comparisons {
        let sides =
            [("virtual", comparison.virtual_per_s), ("bare-metal", comparison.baseline_per_s)];
        for (side, _) in sides.iter().filter(|(_, rate)| *rate == 0.0) {
            notes.push(format!("{}: no rate is VALID on the {side} side", comparison.name));
        }
    }
    notes
}

/// Each number once, by standing and place.
pub(super) fn put_in_order(list: &mut Vec<FactUse>) {
    list.sort_by(|a, b| (a.standing, &a.fact, &a.value).cmp(&(b.standing, &b.fact, &b.value)));
    list.dedup();
}

/// The fitted and assumed numbers an experiment leans on.
pub(super) fn add_facts(experiment: &Experiment, list: &mut Vec<FactUse>) {
    let hypervisor = &experiment.hypervisor;
    if hypervisor.id != "bare-metal" {
        let place = format!("hypervisors/{}", hypervisor.id);
        add(list, &place, "gpu_speed", &hypervisor.gpu_speed);
        add(list, &place, "submission_latency", &hypervisor.submission_latency);
        add(list, &place, "cpu_speed", &hypervisor.cpu_speed);
    }
    for card in &experiment.cards {
        let place = format!("gpus/{}", card.gpu.id);
        add(list, &place, "pcie_bandwidth", &card.gpu.pcie_bandwidth);
        let cost = &card.gpu.switch_cost;
        let mut slicings = card.instances.iter().filter_map(|instance| instance.sharing.turns());
        if slicings.any(|slicing| slicing.switch_cost == cost.value.value) {
            add(list, &place, "switch_cost", cost);
        }
    }
    for vm in &experiment.vms {
        let workload = &vm.workload;
        let place = format!("workloads/{}", workload.id);
        add(list, &place, "weights", &workload.weights);
        add(list, &place, "workspace_per_sample", &workload.workspace_per_sample);
        add(list, &place, "input_per_sample", &workload.input_per_sample);
        add(list, &place, "output_per_sample", &workload.output_per_sample);
        add(list, &place, "cpu.launch_per_batch", &workload.cpu.launch_per_batch);
        add(list, &place, "cpu.launch_per_sample", &workload.cpu.launch_per_sample);
        add(list, &place, "cpu.finish_per_batch", &workload.cpu.finish_per_batch);
        add(list, &place, "cpu.finish_per_sample", &workload.cpu.finish_per_sample);
        add(list, &place, "sizes", &workload.sizes);
        for share in &vm.gpus {
            let model = &experiment.cards[usize::from(share.card.0)].gpu.id;
            let (place, service) = (format!("{place} on {model}"), &workload.service[model]);
            add(list, &place, "launch", &service.launch);
            add(list, &place, "host_floor", &service.host_floor);
            add(list, &place, "phi", &service.phi);
            add(list, &place, "spread", &service.spread);
            add(list, &place, "work", &service.work);
            if service.boost.value != 1.0 {
                add(list, &place, "boost", &service.boost);
            }
        }
    }
}

fn add<T: Display>(list: &mut Vec<FactUse>, place: &str, key: &str, fact: &Fact<T>) {
    if matches!(fact.standing, Standing::Fitted | Standing::Assumed) {
        list.push(FactUse {
            fact: format!("{place} {key}"),
            value: fact.value.to_string(),
            standing: fact.standing,
            source: fact.source.clone(),
        });
    }
}
