//! The verdict: the answer in one or two sentences, with numbers. Whether every bound is kept, what
//! rate would keep them, and what is in the way.
//!
//! It is made from results and computes nothing; only [`rate_that_holds`] simulates.

use super::border::{CapacitySearch, Ended, limit_within};
use super::capacity::SystemCapacity;
use super::figures::{LatencyMs, digits};
use super::results::{Comparison, GpuResult, OwnerShare, Results, RunResult, Side, VmResult};
use super::sweep::{PointSummary, SweepResults};
use super::variant::is_server;
use crate::spec::Experiment;
use crate::units::{SimDuration, counted};
use serde::Serialize;

/// The answer in short.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Verdict {
    /// Whether every bound is kept; nothing where nothing has one.
    pub holds: Option<bool>,
    /// One sentence or two, without line breaks. The first begins with `YES` or `NO` where something has
    /// a bound.
    pub sentences: Vec<String>,
}

/// From this part of the time on, a GPU has no room left.
const FULL: f64 = 0.95;

/// The most events and answered samples of a search for the rate that holds: some seconds.
const WORK_MOST: u64 = 20_000_000;

/// The rate of all Server VMs together that keeps every bound of a run, their rates lowered alike; to a
/// twentieth. Nothing where the search finds none, or takes too long.
pub(super) fn rate_that_holds(experiment: &Experiment) -> Option<f64> {
    experiment.vms.iter().find(is_server)?;
    let found = limit_within(experiment, CapacitySearch { precision: 0.05 }, WORK_MOST);
    (found.rate > 0.0 && found.ended == Ended::Complete).then_some(found.rate)
}

/// The first virtual run in which a VM misses its bound, by index of the pair.
pub(super) fn failing(results: &Results) -> Option<usize> {
    let mut runs = virtual_runs(results);
    runs.position(|run| run.vms.iter().any(|vm| misses_bound(vm)))
}

/// The verdict on runs; `would_hold` is the rate that keeps the bounds of the run that [`failing`] names.
pub(super) fn of_runs(results: &Results, would_hold: Option<f64>) -> Verdict {
    let judged = || virtual_runs(results).flat_map(|run| run.vms.iter().map(move |vm| (run, vm)));
    let judged: Vec<(&RunResult, &VmResult)> =
        judged().filter(|(_, vm)| vm.scenario != "step").collect();
    if judged.is_empty() {
        return Verdict::default();
    }
    let holds = judged.iter().all(|(_, vm)| vm.verdict.valid);
    let mut sentences = vec![match holds {
        true => kept(&judged),
        false => {
            let would_hold = would_hold.map_or(String::new(), |rate| {
                let all = if judged.len() > 1 { " in all" } else { "" };
                format!("; {}/s{all} would hold {}", digits(rate), them(&judged))
            });
            missed(&judged) + &would_hold
        }
    }];
    let shown = failing(results).or((results.runs.len() > 0).then_some(0));
    let alone = virtual_runs(results).count() == 1 || !holds;
    let run = shown.filter(|_| alone).and_then(|index| virtual_runs(results).nth(index));
    sentences.extend(run.and_then(bottleneck));
    sentences.extend(beside_bare_metal(&results.comparisons));
    Verdict { holds: Some(holds), sentences: sentences.into_iter().map(end).collect() }
}

fn virtual_runs(results: &Results) -> impl Iterator<Item = &RunResult> {
    results.runs.iter().filter(|run| run.side == Side::Virtual)
}

fn end(sentence: String) -> String {
    format!("{}.", capital(&sentence))
}

fn misses_bound(vm: &VmResult) -> bool {
    vm.verdict.failed.iter().any(|rule| matches!(*rule, "latency" | "early_stopping"))
}

/// The latency that a VM is judged by, with its name: the percentile of its load.
fn judged_by(vm: &VmResult) -> (String, f64) {
    let of =
        |(_, quantile): &&(&'static str, f64)| (quantile * 100.0 - vm.load.percentile).abs() < 1e-9;
    let found = LatencyMs::PERCENTILES.iter().find(of);
    let name = found.map_or("p99", |(name, _)| *name);
    let shown = if name == "p999" { "p99.9" } else { name };
    (shown.to_string(), vm.latency_ms.get(name).unwrap_or(vm.latency_ms.p99))
}

/// How far a VM is from its bound: above 1 it misses it.
fn nearness(vm: &VmResult) -> f64 {
    judged_by(vm).1 / vm.target_latency_ms.max(f64::MIN_POSITIVE)
}

fn time(ms: f64) -> String {
    SimDuration::from_secs_f64(digits(ms) / 1000.0).to_string()
}

fn nearest<'r>(vms: &[(&'r RunResult, &'r VmResult)]) -> Option<(&'r RunResult, &'r VmResult)> {
    let bound = vms.iter().filter(|(_, vm)| vm.scenario == "server");
    bound.copied().max_by(|(_, one), (_, other)| nearness(one).total_cmp(&nearness(other)))
}

/// The bound of all, or `their bounds`.
fn them(vms: &[(&RunResult, &VmResult)]) -> &'static str {
    if vms.len() > 1 { "them" } else { "it" }
}

fn kept(vms: &[(&RunResult, &VmResult)]) -> String {
    match (vms, nearest(vms)) {
        ([(_, vm)], Some(_)) => {
            let (name, value) = judged_by(vm);
            let (bound, rate) = (time(vm.target_latency_ms), digits(vm.target_qps));
            format!("YES: {name} is {}, within the bound of {bound}, at {rate}/s", time(value))
        }
        ([(_, vm)], None) => {
            format!("YES: the run is VALID, at {} samples/s", digits(vm.completed_per_s))
        }
        (_, Some((run, vm))) => {
            let (name, value) = judged_by(vm);
            format!(
                "YES: all {} keep their bounds (nearest {}, {name} {} of {})",
                counted(vms.len(), "VM"),
                run.name_of(&vm.name),
                time(value),
                time(vm.target_latency_ms)
            )
        }
        (_, None) => format!("YES: all {} are VALID", counted(vms.len(), "VM")),
    }
}

fn missed(vms: &[(&RunResult, &VmResult)]) -> String {
    let late: Vec<(&RunResult, &VmResult)> =
        vms.iter().copied().filter(|(_, vm)| misses_bound(vm)).collect();
    let Some((run, vm)) = nearest(&late) else {
        let invalid: Vec<_> = vms.iter().filter(|(_, vm)| !vm.verdict.valid).collect();
        let (run, vm) = invalid[0];
        let why = vm.verdict.failed_rules.join("; ");
        return match vms.len() {
            1 => format!("NO: the run is INVALID: {why}"),
            all => format!(
                "NO: {} of {} are INVALID ({}: {why})",
                invalid.len(),
                counted(all, "VM"),
                run.name_of(&vm.name)
            ),
        };
    };
    let (name, value) = judged_by(vm);
    let (value, bound) = (time(value), time(vm.target_latency_ms));
    if vms.len() == 1 {
        let rejected = vm.rejected.filter(|rejected| *rejected > 0);
        let rejected =
            rejected.map_or(String::new(), |count| format!(", {count} queries were rejected"));
        return match nearness(vm) > 1.0 {
            true => format!("NO: {name} is {value}, over the bound of {bound}{rejected}"),
            false => format!("NO: too many queries miss the bound of {bound}{rejected}"),
        };
    }
    let same = late.iter().all(|(_, other)| other.target_latency_ms == vm.target_latency_ms);
    let what = if same { bound.clone() } else { "their bounds".to_string() };
    let of = if same { String::new() } else { format!(" of {bound}") };
    format!(
        "NO: {} of {} miss {what} (worst {}, {name} {value}{of})",
        late.len(),
        counted(vms.len(), "VM"),
        run.name_of(&vm.name)
    )
}

/// What is in the way of a run, or would be first.
fn bottleneck(run: &RunResult) -> Option<String> {
    let loads = run.gpus.iter().flat_map(loads);
    let gpu = loads.max_by(|one, other| one.taken.total_cmp(&other.taken))?;
    let (name, taken) = (&gpu.name, percent(gpu.taken));
    if gpu.taken >= FULL {
        let mut lost = Vec::new();
        if gpu.switch >= SHOWN {
            lost.push(format!("{} in switches", percent(gpu.switch)));
        }
        if gpu.burned >= SHOWN {
            lost.push(format!("{} burned in turns of VMs without work", percent(gpu.burned)));
        }
        return Some(match lost.is_empty() {
            true => format!("{name} works {taken} of the time and is the bottleneck"),
            false => format!(
                "{name} is taken {taken} of the time and is the bottleneck: {}",
                lost.join(", ")
            ),
        });
    }
    let worst = run.vms.iter().filter(|vm| vm.scenario != "step");
    let worst = worst.max_by(|one, other| nearness(one).total_cmp(&nearness(other)))?;
    let stage =
        worst.stages_ms.iter().max_by(|one, other| one.mean_ms.total_cmp(&other.mean_ms))?;
    let whole: f64 = worst.stages_ms.iter().map(|stage| stage.mean_ms).sum();
    let of = if run.vms.len() > 1 { format!(" of {}", worst.name) } else { String::new() };
    Some(format!(
        "{name} is taken {taken} of the time; of a mean latency of {} a query{of} spends {} {}",
        time(whole),
        time(stage.mean_ms),
        stage_in_words(stage.stage)
    ))
}

/// Parts of the time below this are not told.
const SHOWN: f64 = 0.05;

/// How an instance of a card is used: parts of its time.
struct Load {
    name: String,
    /// All of it that others cannot have.
    taken: f64,
    switch: f64,
    burned: f64,
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

/// Each instance of a card in use.
fn loads(gpu: &GpuResult) -> Vec<Load> {
    let mut instances: Vec<u16> = gpu.time.owners.iter().map(|owner| owner.instance).collect();
    instances.dedup();
    let several = instances.len() > 1;
    let loads = instances.into_iter().map(|instance| {
        let owners = gpu.time.owners.iter().filter(|owner| owner.instance == instance);
        let owners: Vec<&OwnerShare> = owners.collect();
        let share = owners[0].instance_share.max(f64::MIN_POSITIVE);
        // Switches and vacant turns are told of a card as a whole.
        let (switch, vacant) = match several {
            true => (0.0, 0.0),
            false => (gpu.time.switch_share, gpu.time.vacant_share),
        };
        let run: f64 = owners.iter().map(|owner| owner.run_share).sum();
        let burned = vacant + owners.iter().map(|owner| owner.burned_share).sum::<f64>();
        let name = match several {
            true => format!("instance {instance} of GPU {}", gpu.id),
            false => format!("GPU {}", gpu.id),
        };
        let taken = (run + switch + burned) / share;
        Load { name, taken, switch: switch / share, burned: burned / share }
    });
    loads.collect()
}

/// Where a query is in a stage, as an end of a sentence.
fn stage_in_words(stage: &str) -> &'static str {
    match stage {
        "batcher" => "in the batcher",
        "launch" => "on the vCPUs before the GPU",
        "submission" => "in the hypervisor's submission",
        "copy in" => "in copies to the GPU",
        "stream" => "behind an earlier batch of its stream",
        "gpu" => "on the GPU, with waits for its turn",
        "copy out" => "in copies from the GPU",
        "order" => "behind batches that were issued earlier",
        _ => "on the vCPUs after the GPU",
    }
}

/// The highest rates beside those of bare metal, where they were searched.
fn beside_bare_metal(comparisons: &[Comparison]) -> Option<String> {
    let ratios = comparisons.iter().filter(|one| one.baseline_kind == "same-cards");
    let ratios: Vec<f64> = ratios.map(|one| one.capacity_ratio).collect();
    let least = ratios.iter().copied().reduce(f64::min)?;
    let most = ratios.iter().copied().reduce(f64::max)?;
    let range = match least == most {
        true => format!("{least:.3}"),
        false => format!("{least:.3} to {most:.3}"),
    };
    Some(format!("The highest rate is {range} of that of bare metal on the same cards"))
}

/// The verdict on a capacity search; counterfactuals, by name, are there to be compared with.
pub(super) fn of_capacity(
    systems: &[SystemCapacity],
    is_counterfactual: impl Fn(&str) -> bool,
) -> Verdict {
    let own = systems.iter().filter(|system| !is_counterfactual(&system.name));
    let own: Vec<&SystemCapacity> = own.collect();
    let shown = if own.is_empty() { systems.iter().collect() } else { own };
    let by_rate = |one: &&&SystemCapacity, other: &&&SystemCapacity| {
        one.capacity_per_s.mean.total_cmp(&other.capacity_per_s.mean)
    };
    let Some(best) = shown.iter().max_by(by_rate) else { return Verdict::default() };
    if best.capacity_per_s.mean == 0.0 {
        let which = if shown.len() > 1 { "of any system " } else { "" };
        let sentence = format!("NO: no rate {which}is VALID");
        return Verdict { holds: Some(false), sentences: vec![end(sentence)] };
    }
    let of = |system: &SystemCapacity| {
        let ratio = system.ratio_to_bare_metal;
        let ratio = ratio.map_or(String::new(), |ratio| {
            format!(", {:.3} of bare metal on the same cards", ratio.mean)
        });
        format!("{}/s{ratio}", digits(system.capacity_per_s.mean))
    };
    let bound = time(best.target_latency_ms);
    let mut sentences = vec![match shown.len() {
        1 => format!("At most {} within {bound}", of(best)),
        _ => format!("Most has \"{}\": {} within {bound}", best.name, of(best)),
    }];
    let least = shown.iter().min_by(by_rate).filter(|least| least.name != best.name);
    sentences.extend(least.map(|least| match least.capacity_per_s.mean > 0.0 {
        true => format!("Least has \"{}\": {}", least.name, of(least)),
        false => format!("No rate of \"{}\" is VALID", least.name),
    }));
    Verdict { holds: None, sentences: sentences.into_iter().map(end).collect() }
}

/// The verdict on a sweep: up to where each line keeps its bounds.
pub(super) fn of_sweep(results: &SweepResults) -> Verdict {
    let found: Vec<&PointSummary> =
        results.points.iter().filter(|point| point.error.is_none()).collect();
    if found.is_empty() {
        return Verdict::default();
    }
    let valid = found.iter().filter(|point| point.is_valid()).count();
    let holds = valid == found.len();
    let first = match (valid, found.len()) {
        (_, all) if holds => format!("YES: all {} are VALID", counted(all, "point")),
        (0, all) => format!("NO: none of {} is VALID", counted(all, "point")),
        (valid, all) => format!("NO: {valid} of {} are VALID", counted(all, "point")),
    };
    let mut sentences = vec![first];
    sentences.extend((!holds && valid > 0).then(|| borders(results)).flatten());
    Verdict { holds: Some(holds), sentences: sentences.into_iter().map(end).collect() }
}

/// The last VALID point of each line whose points have an order.
fn borders(results: &SweepResults) -> Option<String> {
    /// More lines are no sentence.
    const LINES_MOST: usize = 4;
    let sweep = &results.sweep;
    let per_line = (results.points.len() / sweep.lines.len().max(1)).max(1);
    if sweep.lines.len() > LINES_MOST {
        return None;
    }
    let lines = sweep.lines.iter().zip(results.points.chunks(per_line)).enumerate();
    let lines = lines.map(|(index, (name, points))| {
        let xs = sweep.points.iter().filter(|point| point.line == index).map(|point| &point.x);
        let mut along: Vec<(f64, &str, &PointSummary)> = xs
            .zip(points)
            .filter(|(_, point)| point.error.is_none())
            .filter_map(|(x, point)| Some((x.number?, x.text.as_str(), point)))
            .collect();
        along.sort_by(|one, other| one.0.total_cmp(&other.0));
        let border = along.iter().position(|(_, _, point)| !point.is_valid());
        let name = if name.is_empty() { String::new() } else { format!("\"{name}\" ") };
        // VALID points beyond an INVALID one are no border.
        let is_border = border.is_some_and(|at| along[at..].iter().all(|(.., p)| !p.is_valid()));
        match border {
            None if along.is_empty() => None,
            None => Some(format!("{name}holds at all of them")),
            Some(0) if is_border => Some(format!("{name}holds at none of them")),
            Some(at) if is_border => {
                Some(format!("{name}holds up to {} and not at {}", along[at - 1].1, along[at].1))
            }
            Some(_) => None,
        }
    });
    let lines: Option<Vec<String>> = lines.collect();
    let lines = lines?.join(", ");
    let label = &sweep.x_label;
    Some(if label.is_empty() { lines } else { format!("Along {label}: {lines}") })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
