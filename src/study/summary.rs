//! From outcomes to the result document: rates, percentiles, standings, notes.
//!
//! The only arithmetic is LoadGen's own definitions of rates and plain ratios.

use super::figures::{LatencyMs, completed_per_s, late_of_allowed, latency_ms};
use super::interval::student_95;
use super::open::{self, Line, OpenEnd};
use super::results::{
    AlternativeResult, Comparison, EstimateResult, GpuResult, GpuTime, LevelResult, LoadResult,
    OpenFigures, OwnerShare, PublishedResult, Results, RunResult, ServerResult, Side, StageMean,
    StepResult, VerdictResult, VmResult,
};
use super::tokens::TokenResult;
use super::uncertainty::{self, MoreWork, PairedRatio, Uncertainty};
use super::verdict::Verdict;
use super::{fits, leans_on, sensitivity};
use crate::platform::{GpuUse, Outcome, VmOutcome};
use crate::record::{Recorder, Stage};
use crate::spec::{
    BaselineKind, CardSpec, Experiment, GpuShare, Pair, PlannedRun, Published, Scenario, Step,
    TestScenario, VmId, VmSpec,
};
use std::collections::{BTreeMap, BTreeSet};

/// The result of a piece.
pub(super) enum Finding {
    /// The outcome of a run, by its index, and in replication 0 the effect of more work on each
    /// VM's p99.
    Outcome(usize, Box<Outcome>, Vec<Option<MoreWork>>),
    Other(AlternativeResult),
    Fits(usize, fits::Ratios),
    /// Samples per second, one for each replication, of the virtual run or of bare metal of a kind.
    Best(Option<BaselineKind>, Vec<f64>),
}

/// Adds the runs and the comparison of one pair; returns its ratios to bare metal. `found` holds
/// the results of its pieces, in order.
pub(super) fn summarise(
    pair: &Pair,
    found: Vec<Finding>,
    runs: &mut Vec<RunResult>,
    comparisons: &mut Vec<Comparison>,
) -> Vec<PairedRatio> {
    let mut outcomes: Vec<Outcomes> = pair.runs().map(|_| Outcomes::default()).collect();
    let (mut best, mut others, mut fits) = (Vec::new(), Vec::new(), Vec::new());
    for finding in found {
        match finding {
            Finding::Outcome(place, outcome, more_work) => {
                outcomes[place].all.push(*outcome);
                outcomes[place].more_work.extend(more_work);
            }
            Finding::Other(other) => others.push(other),
            Finding::Fits(place, ratios) => fits.push((place, ratios)),
            Finding::Best(kind, rates) => best.push((kind, rates)),
        }
    }
    let first = runs.len();
    let kinds = pair.baselines.iter().map(|baseline| (Side::Baseline, Some(&baseline.kind)));
    let sides = std::iter::once((Side::Virtual, None)).chain(kinds);
    let of_runs = pair.runs().zip(sides).zip(&outcomes);
    // Where the run under test is done alone there is nothing of the others.
    for ((run, side), outcomes) in of_runs.filter(|(_, outcomes)| !outcomes.all.is_empty()) {
        let mut result = run_result(&pair.name, run, side, outcomes);
        if pair.virtual_run.experiment.has_several_models() {
            for (vm, of) in result.vms.iter_mut().zip(&run.experiment.vms) {
                let models = run.experiment.models_of(&of.gpus);
                vm.gpu_models = models.into_iter().map(str::to_string).collect();
            }
        }
        runs.push(result);
    }
    runs[first].alternatives = others;
    let searched = best.extract_if(.., |(kind, _)| kind.is_none()).next().map(|(_, rates)| rates);
    runs[first].vms[0].capacity_qps = searched.as_ref().map(|rates| rates[0]);
    let own = searched.unwrap_or_else(|| {
        let vm = &pair.virtual_run.experiment.vms[0];
        let recorders = outcomes[0].all.iter().map(|outcome| &outcome.vms[0].recorder);
        recorders.map(|recorder| completed_per_s(vm, recorder)).collect()
    });
    let bare = best.iter().filter_map(|(kind, rates)| Some((kind.as_ref()?, rates)));
    comparisons.extend(bare.map(|bare| comparison(pair, &own, (bare.0, bare.1))));
    for (place, ratios) in &fits {
        let run = &mut runs[first + place];
        for (vm, ratios) in run.vms.iter_mut().zip(&ratios.vms) {
            vm.fits = Some(fits::spread(ratios, vm));
        }
        let figures = run.vms.iter().map(|vm| (vm.completed_per_s, vm.latency_ms.p99));
        run.open = of_ends(&figures.collect::<Vec<_>>(), &ratios.open);
    }
    paired_ratios(pair, &outcomes)
}

/// The figures of a run at the ends of its open inputs: samples per second of all VMs, and the p99
/// of the VM that has the highest. `figures` are those of each VM as assumed.
pub(super) fn of_ends(
    figures: &[(f64, f64)],
    open: &[(OpenEnd, Vec<[f64; 2]>)],
) -> Vec<OpenFigures> {
    let of = |(end, ratios): &(OpenEnd, Vec<[f64; 2]>)| {
        let vms = || figures.iter().zip(ratios);
        OpenFigures {
            end: end.clone(),
            completed_per_s: vms().map(|((own, _), [rate, _])| own * rate).sum(),
            latency_p99_worst_vm_ms: vms()
                .map(|((_, own), [_, p99])| own * p99)
                .fold(0.0, f64::max),
        }
    };
    open.iter().map(of).collect()
}

/// What open inputs do to the runs of a scenario: how far they widen each, and which comparisons they
/// turn round, of runs under the same kind of load asked at the same rate.
fn of_open_inputs(runs: &[RunResult]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut alike: BTreeMap<(&str, String), Vec<&RunResult>> = BTreeMap::new();
    for run in runs {
        let kind = run.vms[0].scenario;
        let asked = match answers_at_a_rate(kind) {
            true => format!("{:?}", run.vms.iter().map(|vm| vm.target_qps).collect::<Vec<_>>()),
            false => String::new(),
        };
        alike.entry((kind, asked)).or_default().push(run);
    }
    for ((kind, _), runs) in alike {
        let by_latency = answers_at_a_rate(kind);
        let name = |run: &RunResult| match run.side {
            Side::Virtual => run.name.clone(),
            Side::Baseline => {
                let kind =
                    run.baseline_kind.map_or("baseline".to_string(), |kind| kind.replace('-', " "));
                format!("{} ({kind})", run.name)
            }
        };
        let lines = runs.iter().map(|run| {
            let rate = run.vms.iter().map(|vm| vm.completed_per_s).sum();
            let p99 = run.vms.iter().map(|vm| vm.latency_ms.p99).fold(0.0, f64::max);
            let of = |open: &OpenFigures| match by_latency {
                true => open.latency_p99_worst_vm_ms,
                false => open.completed_per_s,
            };
            Line {
                name: name(run),
                own: if by_latency { p99 } else { rate },
                at: run.open.iter().map(|open| (open.end.clone(), of(open))).collect(),
            }
        });
        let lines: Vec<Line> = lines.collect();
        notes.extend(open::sentences(&[lines], figure_word(by_latency)));
    }
    notes
}

/// Whether a load has a given rate, so that only its latency shows how well it is served.
pub(super) fn answers_at_a_rate(scenario: &str) -> bool {
    scenario == "server"
}

/// The figure by which lines are compared.
pub(super) fn figure_word(by_latency: bool) -> &'static str {
    if by_latency { "p99 (ms)" } else { "samples per second" }
}

/// What one run yielded.
#[derive(Default)]
struct Outcomes {
    /// One for each replication.
    all: Vec<Outcome>,
    /// One for each VM, in replication 0.
    more_work: Vec<Option<MoreWork>>,
}

impl Outcomes {
    fn borrowed(&self) -> Vec<&Outcome> {
        self.all.iter().collect()
    }
}

/// The virtual run and bare metal of a kind at their best, by replication.
fn comparison(pair: &Pair, own: &[f64], (kind, bare): (&BaselineKind, &[f64])) -> Comparison {
    let scenario = pair.virtual_run.experiment.vms[0].load.scenario;
    let searched = scenario == TestScenario::Server;
    let ratio = |own: f64, bare: f64| if bare > 0.0 { own / bare } else { 0.0 };
    let ratios: Vec<f64> = own.iter().zip(bare).map(|(own, bare)| ratio(*own, *bare)).collect();
    Comparison {
        name: pair.name.clone(),
        scenario: scenario.word(),
        baseline_kind: kind.word(),
        virtual_per_s: own[0],
        baseline_per_s: bare[0],
        capacity_ratio: ratios[0],
        capacity_ratio_replicated: student_95(&ratios)
            .filter(|mean| mean.half_width.is_some())
            .map(|mean| mean.of_searches(pair.capacity.filter(|_| searched).unwrap_or(0.0))),
        precision: pair.capacity.filter(|_| searched).unwrap_or(0.0),
        published_ratio: published_ratio(pair),
    }
}

/// Each VM beside its counterfactuals; nothing beside a twin, whose settings are its own. `outcomes`
/// are those of the pair's runs.
fn paired_ratios(pair: &Pair, outcomes: &[Outcomes]) -> Vec<PairedRatio> {
    let Some((own, bare)) = outcomes.split_first() else { return Vec::new() };
    let own = own.borrowed();
    let mut ratios = Vec::new();
    for (baseline, bare) in pair.baselines.iter().zip(bare) {
        if matches!(baseline.kind, BaselineKind::Twin { .. }) {
            continue;
        }
        let (names, bare) = ((&*pair.name, baseline.kind.word()), bare.borrowed());
        let vms = pair.virtual_run.experiment.vms.iter().enumerate();
        let vms = vms.filter(|(_, vm)| !vm.load.is_idle());
        ratios.extend(
            vms.filter_map(|(index, vm)| uncertainty::paired(names, (vm, index), (&own, &bare))),
        );
    }
    ratios
}

/// The document of a whole scenario.
pub(super) fn results(
    scenario: &Scenario,
    mut runs: Vec<RunResult>,
    comparisons: Vec<Comparison>,
    paired_ratios: Vec<PairedRatio>,
) -> Results {
    // Models that nobody asks stood in line with the others of the experiment until here.
    runs.iter_mut().for_each(|run| run.vms.retain(|vm| vm.scenario != UNASKED));
    let baselines = scenario.pairs.iter().flat_map(|pair| &pair.baselines);
    let baselines = baselines.map(|baseline| &baseline.run.experiment);
    let virtual_runs = scenario.pairs.iter().map(|pair| &pair.virtual_run.experiment);
    let experiments = virtual_runs.chain(baselines);
    let mut notes = doubts(&runs, &comparisons);
    notes.extend(super::notes::of_queues(&runs));
    notes.extend(super::notes::of_ends(&runs));
    notes.extend(of_open_inputs(&runs));
    notes.extend(experiments.clone().flat_map(super::notes::of_experiment));
    let mut told = BTreeSet::new();
    notes.retain(|note| told.insert(note.clone()));
    Results {
        head: scenario.into(),
        verdict: Verdict::default(),
        scaled: super::notes::scaled(experiments.clone()),
        notes,
        runs,
        comparisons,
        paired_ratios,
        leans_on: leans_on::in_order(experiments.flat_map(leans_on::facts)),
    }
}

/// The scenario of a model that nobody asks, and of one that only ensembles ask.
const UNASKED: &str = "none";
const STEP: &str = "step";

/// The figures of a run with another choice.
pub(super) fn alternative(option: &str, outcome: &Outcome) -> AlternativeResult {
    let p99 = |vm: &VmOutcome| latency_ms(vm.recorder.latencies()).p99;
    let answered = outcome.vms.iter().filter(|vm| vm.recorder.answered() > 0);
    AlternativeResult { option: option.to_string(), latency_p99_ms: answered.map(p99).collect() }
}

/// Mean samples of the batches that a VM's queries were in.
fn batch_mean(recorder: &Recorder) -> f64 {
    let batches = recorder.batches();
    if batches > 0.0 { recorder.latencies().count() as f64 / batches } else { 0.0 }
}

fn run_result(
    name: &str,
    run: &PlannedRun,
    (side, kind): (Side, Option<&BaselineKind>),
    outcomes: &Outcomes,
) -> RunResult {
    let experiment = &run.experiment;
    let outcome = &outcomes.all[0];
    let all = outcomes.borrowed();
    let vms = experiment.vms.iter().zip(&outcome.vms).enumerate().map(|(index, (vm, of_vm))| {
        // Published figures are those of the first VM.
        let published = run.published.as_ref().filter(|_| index == 0);
        let mut result = vm_result(experiment, vm, of_vm, published);
        result.late_of_allowed = late_of_allowed(experiment, outcome, VmId(index as u16));
        result.uncertainty.replications = uncertainty::replicated(vm, index, &all);
        result.uncertainty.more_work = outcomes.more_work.get(index).copied().flatten();
        result
    });
    let gpus = experiment.cards.iter().zip(&outcome.gpu_busy).zip(&outcome.gpu_time).enumerate();
    RunResult {
        name: name.to_string(),
        side,
        platform: experiment.hypervisor.id.clone(),
        baseline_kind: kind.map(BaselineKind::word),
        differs: match kind {
            Some(BaselineKind::Twin { differs }) => differs.clone(),
            _ => Vec::new(),
        },
        assumes: sensitivity::assumed(experiment),
        alternatives: Vec::new(),
        open: Vec::new(),
        vms: vms.collect(),
        servers: servers(experiment),
        gpus: gpus
            .map(|(id, ((card, &busy_share), time))| GpuResult {
                id: id as u16,
                model: card.gpu.id.clone(),
                busy_share,
                time: gpu_time(experiment, card, time),
            })
            .collect(),
        cpu: super::cpu::results(experiment, outcome),
        over_shares: super::over_shares::over_shares(experiment, outcome),
        operations: super::over_time::of(experiment, outcome),
        power: super::power::of(experiment, outcome),
    }
}

fn gpu_time(experiment: &Experiment, card: &CardSpec, time: &GpuUse) -> GpuTime {
    let name = |vm: &VmId| experiment.vms[usize::from(vm.0)].name.clone();
    let owners = time.owners.iter().map(|owner| OwnerShare {
        vms: owner.guests.iter().map(name).collect(),
        instance: owner.instance,
        instance_share: card.instances[usize::from(owner.instance)].share.get(),
        run_share: owner.had.run,
        burned_share: owner.had.burned,
    });
    let owners: Vec<OwnerShare> = owners.collect();
    let used: f64 = owners.iter().map(|owner| owner.run_share + owner.burned_share).sum();
    GpuTime {
        idle_share: (1.0 - used - time.switch - time.vacant).max(0.0),
        switch_share: time.switch,
        vacant_share: time.vacant,
        owners,
    }
}

/// The servers of the experiment's pools.
fn servers(experiment: &Experiment) -> Vec<ServerResult> {
    let mut servers = Vec::new();
    for pool in &experiment.pools {
        let name = |vm: &VmId| experiment.vms[usize::from(vm.0)].name.clone();
        servers.extend(pool.servers.iter().map(|server| ServerResult {
            vms: pool.vms.iter().map(name).collect(),
            cards: cards(&server.gpus),
            processors: server.processors,
        }));
    }
    servers
}

/// The cards that are had a part of, each once.
fn cards(shares: &[GpuShare]) -> Vec<u16> {
    let cards: BTreeSet<u16> = shares.iter().map(|share| share.card.0).collect();
    cards.into_iter().collect()
}

fn vm_result(
    experiment: &Experiment,
    vm: &VmSpec,
    outcome: &VmOutcome,
    published: Option<&Published>,
) -> VmResult {
    let recorder = &outcome.recorder;
    let (load, count) = (&vm.load, recorder.latencies().count());
    let queries = recorder.query_latencies();
    let last_due = recorder.last_due().saturating_since(vm.power_on).as_secs_f64();
    let rate = completed_per_s(vm, recorder);
    let latency_ms = latency_ms(queries);
    let tokens = TokenResult::of(&[(vm, outcome)]);
    VmResult {
        name: vm.name.clone(),
        group: vm.group.clone(),
        workload: workloads(experiment, vm),
        scenario: match (load.is_idle(), count) {
            (true, 0) => UNASKED,
            (true, _) => STEP,
            (false, _) => load.scenario.word(),
        },
        vcpus: vm.vcpus,
        cards: cards(&vm.gpus),
        gpu_models: Vec::new(),
        scaled: experiment.scaled_of(vm),
        steps: steps(experiment, vm, recorder),
        target_qps: if load.is_idle() { 0.0 } else { load.settings.target_qps },
        queries: if load.scenario == TestScenario::Offline { 1 } else { queries.count() },
        samples: count,
        rejected: vm.server.queues.reject().then(|| recorder.rejected()),
        priority_levels: levels(recorder),
        scheduled_per_s: (load.scenario == TestScenario::Server && last_due > 0.0)
            .then(|| (recorder.answered() - 1) as f64 / last_due),
        completed_per_s: rate,
        capacity_qps: None,
        latency_ms,
        target_latency_ms: match load.is_idle() {
            true => 0.0,
            false => load.settings.target_latency.as_millis_f64(),
        },
        late_of_allowed: None,
        stages_ms: if tokens.is_some() { Vec::new() } else { stages(recorder) },
        batch_mean: match &tokens {
            Some(tokens) => tokens.running_mean,
            None => batch_mean(recorder) * models_of(vm) as f64,
        },
        tokens,
        load: LoadResult {
            round: load.settings.round.name,
            schedule_seed: load.settings.round.schedule_seed,
            samples_per_query: u64::from(load.scenario.samples_per_query()),
            percentile: load.settings.percentile,
            min_duration_ms: load.settings.min_duration.as_millis_f64(),
            min_query_count: load.settings.min_query_count,
        },
        verdict: verdict(outcome),
        standing: leans_on::standing(experiment, vm, published),
        published: published.map(|published| compared(published, rate, &latency_ms)),
        fits: None,
        uncertainty: Uncertainty {
            samples_beyond: uncertainty::samples_beyond(queries),
            ..Uncertainty::default()
        },
    }
}

fn stages(recorder: &Recorder) -> Vec<StageMean> {
    let mean = |(stage, name)| StageMean { stage: name, mean_ms: recorder.stage_mean(stage) / 1e6 };
    Stage::ALL.map(mean).to_vec()
}

/// How many models each of its queries passes.
fn models_of(vm: &VmSpec) -> usize {
    if vm.balance.is_some() { 1 } else { vm.step_models().count().max(1) }
}

/// The workload of a model, or those of an ensemble's steps.
fn workloads(experiment: &Experiment, vm: &VmSpec) -> String {
    let of = |step: &Step| match step {
        Step::Model(model) => experiment.vms[usize::from(model.0)].workload.id.clone(),
        Step::Cpu(step) => step.name.clone(),
    };
    match vm.is_ensemble() && vm.balance.is_none() {
        true => vm.steps.iter().map(of).collect::<Vec<_>>().join(" > "),
        false => vm.workload.id.clone(),
    }
}

/// What queries of an ensemble saw in each step.
fn steps(experiment: &Experiment, vm: &VmSpec, recorder: &Recorder) -> Vec<StepResult> {
    let steps = vm.steps.iter().zip(recorder.steps()).map(|(step, found)| {
        let name = match step {
            Step::Model(model) => &experiment.vms[usize::from(model.0)].name,
            Step::Cpu(step) => &step.name,
        };
        let (latency_ms, queue_mean_ms) = (latency_ms(&found.latencies), found.queue_mean() / 1e6);
        StepResult {
            step: name.clone(),
            queries: found.latencies.count(),
            queue_mean_ms,
            run_mean_ms: latency_ms.mean - queue_mean_ms,
            latency_ms,
            batch_mean: found.batch_mean(),
        }
    });
    steps.collect()
}

fn levels(recorder: &Recorder) -> Vec<LevelResult> {
    let levels = recorder.levels().iter().enumerate();
    let levels = levels.map(|(index, level)| LevelResult {
        level: index + 1,
        queries: level.latencies.count(),
        rejected: level.rejected,
        latency_ms: latency_ms(&level.latencies),
    });
    levels.collect()
}

fn verdict(outcome: &VmOutcome) -> VerdictResult {
    let early_stopping = outcome.verdict.early_stopping.as_ref();
    let estimates = early_stopping.iter().flat_map(|found| &found.estimates);
    let estimates = estimates.map(|estimate| EstimateResult {
        percentile: estimate.percentile,
        queries_min: estimate.queries_min,
        discarded: estimate.found.map(|(discarded, _)| discarded),
        latency_ms: estimate.found.map(|(_, latency)| latency.as_millis_f64()),
    });
    VerdictResult {
        valid: outcome.failed_rules.is_empty(),
        failed_rules: outcome.failed_rules.clone(),
        failed: outcome.verdict.failed.iter().map(|failed| failed.rule.name()).collect(),
        early_stopping: early_stopping.map(|found| found.satisfied),
        estimates: estimates.collect(),
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

fn published_ratio(pair: &Pair) -> Option<f64> {
    let virtual_rate = pair.virtual_run.published.as_ref()?.completed_per_s?;
    let bare = pair.twin()?.published.as_ref()?.completed_per_s?;
    Some(virtual_rate / bare)
}

/// What a reader must know before believing a figure.
fn doubts(runs: &[RunResult], comparisons: &[Comparison]) -> Vec<String> {
    const BEYOND: f64 = 100.0;
    let mut notes = Vec::new();
    for run in runs {
        let few = run.vms.iter().filter(|vm| {
            !matches!(vm.scenario, "offline" | STEP) && vm.queries as f64 * 0.01 < BEYOND
        });
        let mut groups: Vec<Vec<&VmResult>> = Vec::new();
        for vm in few {
            match groups.iter_mut().find(|group| group[0].group == vm.group) {
                Some(group) => group.push(vm),
                None => groups.push(vec![vm]),
            }
        }
        for group in groups {
            let queries = group.iter().map(|vm| vm.queries).min().unwrap_or(0);
            let (name, least) = match group.len() {
                1 => (run.name_of(&group[0].name), ""),
                count => (format!("{} ({count} VMs)", run.name_of(&group[0].group)), "of one, "),
            };
            notes.push(format!(
                "{name} on {}: {least}only {:.0} of {queries} queries lie beyond p99, so p99 is uncertain and p99.9 more so; a longer min_duration or a larger min_query_count helps",
                run.place(),
                queries as f64 * 0.01,
            ));
        }
    }
    let over = runs.iter().flat_map(|run| run.over_shares.iter().map(move |over| (run, over)));
    notes.extend(
        over.map(|(run, over)| format!("{} on {}: {}", run.name, run.place(), over.note())),
    );
    notes.extend(steep(runs));
    for comparison in comparisons {
        let sides =
            [("virtual", comparison.virtual_per_s), ("bare-metal", comparison.baseline_per_s)];
        for (side, _) in sides.iter().filter(|(_, rate)| *rate == 0.0) {
            notes.push(format!("{}: no rate is VALID on the {side} side", comparison.name));
        }
    }
    notes
}

/// Runs whose p99 says little by itself: from this elasticity on small errors of the work are large
/// ones of p99.
fn steep(runs: &[RunResult]) -> Option<String> {
    const ELASTICITY_HIGH: f64 = 5.0;
    let vms = runs.iter().flat_map(|run| run.vms.iter().map(move |vm| (run, vm)));
    let steep = vms.filter_map(|(run, vm)| {
        let more = vm.uncertainty.more_work.filter(|more| more.elasticity >= ELASTICITY_HIGH)?;
        let name = run.name_of(&vm.name);
        Some(format!("{name} on {} {:+.0} %", run.place(), more.p99_percent))
    });
    let steep: Vec<String> = steep.collect();
    (!steep.is_empty()).then(|| {
        format!(
            "1 % more work changes p99 by more than 5 %, so trust the rate (`slicewise capacity`) \
             and not the latency: {}",
            steep.join(", ")
        )
    })
}
