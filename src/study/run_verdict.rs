//! The verdict on runs: whether every bound is kept, what rate would keep them, and what is in the way.
//!
//! It is made from results and computes nothing; only [`rate_that_holds`] simulates.

use super::border::{CapacitySearch, Ended, limit_within};
use super::figures::{LatencyMs, digits};
use super::results::{Comparison, GpuResult, OwnerShare, Results, RunResult, Side, VmResult};
use super::token_verdict;
use super::variant::is_server;
use super::verdict::{Verdict, time};
use crate::spec::Experiment;
use crate::units::counted;

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

/// The virtual run of the VM that misses its bound by most, by index of the pair; nothing where none does.
pub(super) fn failing(results: &Results) -> Option<usize> {
    let runs = virtual_runs(results).enumerate();
    let late = runs.filter_map(|(index, run)| {
        let late = run.vms.iter().filter(|vm| misses_bound(vm)).map(badness);
        Some((index, late.reduce(f64::max)?))
    });
    // Of equals the first.
    late.reduce(|worst, next| if next.1 > worst.1 { next } else { worst }).map(|(index, _)| index)
}

/// The verdict on runs; `would_hold` is the rate that keeps the bounds of the run that [`failing`] names.
pub(crate) fn of_runs(results: &Results, would_hold: Option<f64>) -> Verdict {
    let judged = || virtual_runs(results).flat_map(|run| run.vms.iter().map(move |vm| (run, vm)));
    let judged: Vec<(&RunResult, &VmResult)> =
        judged().filter(|(_, vm)| vm.scenario != "step" && vm.is_judged()).collect();
    if judged.is_empty() {
        let said = token_verdict::without_bounds(virtual_runs(results));
        return match said {
            Some(said) => Verdict::of(
                None,
                [Some(said), token_verdict::beside_bare_metal(results)].into_iter().flatten(),
            ),
            None => Verdict::default(),
        };
    }
    let holds = judged.iter().all(|(_, vm)| vm.verdict.valid);
    let unsure = unsure(&judged);
    let several = virtual_runs(results).count() > 1;
    let shown = failing(results).or((!several).then_some(0));
    let run = shown.and_then(|index| virtual_runs(results).nth(index));
    let mut sentences = vec![match (holds, unsure) {
        (_, Some((run, vm))) => not_sure(&judged, (run, vm)),
        (true, None) => kept(&judged),
        (false, None) => {
            let would_hold = would_hold.map_or(String::new(), |rate| {
                let of = run.filter(|_| several).map(|run| format!(" of {}", run.name));
                let of = of.unwrap_or_default();
                let all = if judged.len() > 1 { " in all" } else { "" };
                let open = judged.iter().any(|(_, vm)| vm.fits.is_some());
                let assumed = if open { ", as assumed" } else { "" };
                format!("; {}/s{all}{of} would hold {}{assumed}", digits(rate), them(&judged))
            });
            missed(&judged) + &would_hold
        }
    }];
    sentences.extend(run.and_then(|run| bottleneck(run, holds)));
    sentences.extend(beside_bare_metal(&results.comparisons));
    sentences.extend(token_verdict::beside_bare_metal(results));
    Verdict::of(unsure.is_none().then_some(holds), sentences)
}

fn virtual_runs(results: &Results) -> impl Iterator<Item = &RunResult> {
    results.runs.iter().filter(|run| run.side == Side::Virtual)
}

fn misses_bound(vm: &VmResult) -> bool {
    vm.verdict.failed.iter().any(|rule| matches!(*rule, "latency" | "early_stopping" | "goodput"))
}

/// The VM for which inputs that were not measured decide whether the bound is kept, if they decide the
/// answer: all bounds are kept as assumed, or those that are missed may be kept.
fn unsure<'r>(vms: &[(&'r RunResult, &'r VmResult)]) -> Option<(&'r RunResult, &'r VmResult)> {
    let depends = |vm: &VmResult| {
        if vm.tokens.is_some() {
            return token_verdict::depends(vm);
        }
        let bound = vm.target_latency_ms;
        // Queries without an answer miss it whatever the latency of the others.
        let by_latency = vm.verdict.valid || judged_by(vm).1 > bound;
        by_latency && possible(vm).is_some_and(|[low, high]| low <= bound && bound < high)
    };
    let invalid: Vec<_> = vms.iter().copied().filter(|(_, vm)| !vm.verdict.valid).collect();
    let of_these = if invalid.is_empty() { vms.to_vec() } else { invalid.clone() };
    let open: Vec<_> = of_these.into_iter().filter(|(_, vm)| is_bound(vm) && depends(vm)).collect();
    match invalid.is_empty() || open.len() == invalid.len() {
        true => nearest(&open),
        false => None,
    }
}

/// The least and the greatest latency that a VM is judged by, over inputs that were not measured.
fn possible(vm: &VmResult) -> Option<[f64; 2]> {
    vm.fits.as_ref()?.latency_ms.get(judged_name(vm)).copied()
}

fn not_sure(vms: &[(&RunResult, &VmResult)], (run, vm): (&RunResult, &VmResult)) -> String {
    let (name, value) = judged_by(vm);
    let of = if vms.len() > 1 { format!(" of {}", run.name_of(&vm.name)) } else { String::new() };
    if vm.tokens.is_some() {
        return format!("NOT SURE: {}", token_verdict::not_sure(vm, &of));
    }
    let [low, high] = possible(vm).unwrap_or([value; 2]);
    format!(
        "NOT SURE: {name}{of} is {} as assumed, {} to {} possible by what was not measured, and the \
         bound is {}",
        time(value),
        time(low),
        time(high),
        time(vm.target_latency_ms)
    )
}

/// The latency that a VM is judged by, with its name: the percentile of its load.
fn judged_by(vm: &VmResult) -> (String, f64) {
    let name = judged_name(vm);
    let shown = if name == "p999" { "p99.9" } else { name };
    (shown.to_string(), vm.latency_ms.get(name).unwrap_or(vm.latency_ms.p99))
}

fn judged_name(vm: &VmResult) -> &'static str {
    let of =
        |(_, quantile): &&(&'static str, f64)| (quantile * 100.0 - vm.load.percentile).abs() < 1e-9;
    LatencyMs::PERCENTILES.iter().find(of).map_or("p99", |(name, _)| *name)
}

/// How far a VM is from its bound: above 1 it misses it.
fn nearness(vm: &VmResult) -> f64 {
    if vm.tokens.is_some() {
        return vm.lateness();
    }
    judged_by(vm).1 / vm.target_latency_ms.max(f64::MIN_POSITIVE)
}

/// Whether a VM that is judged has a bound.
fn is_bound(vm: &VmResult) -> bool {
    vm.scenario == "server" || vm.tokens.is_some()
}

/// The greater the worse, queries without an answer counted.
fn badness(vm: &VmResult) -> f64 {
    vm.badness(judged_by(vm).1)
}

fn nearest<'r>(vms: &[(&'r RunResult, &'r VmResult)]) -> Option<(&'r RunResult, &'r VmResult)> {
    let bound = vms.iter().filter(|(_, vm)| is_bound(vm));
    bound.copied().max_by(|(_, one), (_, other)| badness(one).total_cmp(&badness(other)))
}

/// The bound of all, or `their bounds`.
fn them(vms: &[(&RunResult, &VmResult)]) -> &'static str {
    if vms.len() > 1 { "them" } else { "it" }
}

/// What a VM is judged by, beside its bound: `p99 43 ms of 50 ms`.
fn beside_bound(vm: &VmResult) -> String {
    token_verdict::good(vm).unwrap_or_else(|| {
        let (name, value) = judged_by(vm);
        format!("{name} {} of {}", time(value), time(vm.target_latency_ms))
    })
}

fn kept(vms: &[(&RunResult, &VmResult)]) -> String {
    match (vms, nearest(vms)) {
        ([(_, vm)], Some(_)) if vm.tokens.is_some() => {
            format!("YES: {}", token_verdict::kept_or_not(vm))
        }
        ([(_, vm)], Some(_)) => {
            let (name, value) = judged_by(vm);
            let (bound, rate) = (time(vm.target_latency_ms), digits(vm.target_qps));
            format!("YES: {name} is {}, within the bound of {bound}, at {rate}/s", time(value))
        }
        ([(_, vm)], None) => {
            format!("YES: the run is VALID, at {} samples/s", digits(vm.completed_per_s))
        }
        (_, Some((run, vm))) => format!(
            "YES: all {} keep their bounds (nearest {}, {})",
            counted(vms.len(), "VM"),
            run.name_of(&vm.name),
            beside_bound(vm)
        ),
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
    let lost = run.operations.as_ref().and_then(|operations| operations.lost_in_words(&vm.name));
    if let (Some(lost), 1) = (&lost, vms.len()) {
        return format!("NO: {} {lost}", vm.name);
    }
    if vms.len() == 1 && vm.tokens.is_some() {
        return format!("NO: {}", token_verdict::kept_or_not(vm));
    }
    if vms.len() == 1 {
        let rejected = vm.rejected.filter(|rejected| *rejected > 0);
        let rejected =
            rejected.map_or(String::new(), |count| format!(", {count} queries were rejected"));
        return match nearness(vm) > 1.0 {
            true => format!("NO: {name} is {value}, over the bound of {bound}{rejected}"),
            false => format!("NO: too many queries miss the bound of {bound}{rejected}"),
        };
    }
    let by_tokens = late.iter().any(|(_, vm)| vm.tokens.is_some());
    let same =
        !by_tokens && late.iter().all(|(_, other)| other.target_latency_ms == vm.target_latency_ms);
    let what = if same { bound.clone() } else { "their bounds".to_string() };
    let how = lost.unwrap_or_else(|| match same {
        true => format!("{name} {value}"),
        false => beside_bound(vm),
    });
    format!(
        "NO: {} of {} miss {what} (worst {}, {how})",
        late.len(),
        counted(vms.len(), "VM"),
        run.name_of(&vm.name)
    )
}

/// The VM that a run is judged by: of those that miss their bounds, else of those that have one, else of
/// all, the one that is nearest to its bound or furthest beyond.
fn judged_vm(run: &RunResult) -> Option<&VmResult> {
    let kinds: [fn(&VmResult) -> bool; 3] =
        [misses_bound, |vm| vm.scenario == "server", |vm| vm.scenario != "step"];
    kinds.into_iter().find_map(|is_of| {
        let vms = run.vms.iter().filter(|vm| is_of(vm));
        vms.max_by(|one, other| badness(one).total_cmp(&badness(other)))
    })
}

/// What is in the way of a run that does not hold: on the cards of the VM that it is judged by, since a
/// full card of others is in nobody's way. Of one that holds, the card that is taken most.
fn bottleneck(run: &RunResult, holds: bool) -> Option<String> {
    let worst = judged_vm(run)?;
    let loads = run.gpus.iter().flat_map(loads);
    let of_it = loads.filter(|load| holds || load.vms.contains(&worst.name));
    let gpu = of_it.max_by(|one, other| one.taken.total_cmp(&other.taken))?;
    let (name, taken) = (&gpu.name, percent(gpu.taken));
    if gpu.taken >= FULL {
        let mut lost = Vec::new();
        if gpu.switch >= SHOWN {
            lost.push(format!("{} in switches", percent(gpu.switch)));
        }
        if gpu.burned >= SHOWN {
            lost.push(format!("{} burned in turns of VMs without work", percent(gpu.burned)));
        }
        let is_it = if holds { "" } else { " and is the bottleneck" };
        return Some(match lost.is_empty() {
            true => format!("{name} works {taken} of the time{is_it}"),
            false => format!("{name} is taken {taken} of the time{is_it}: {}", lost.join(", ")),
        });
    }
    if let Some(longest) = token_verdict::longest_part(run, worst) {
        return Some(format!("{name} is taken {taken} of the time; {longest}"));
    }
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
    /// The VMs on it.
    vms: Vec<String>,
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
        let vms = owners.iter().flat_map(|owner| owner.vms.clone()).collect();
        Load { name, vms, taken, switch: switch / share, burned: burned / share }
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
    let (least, most) = (format!("{least:.3}"), format!("{most:.3}"));
    let range = if least == most { least } else { format!("{least} to {most}") };
    Some(format!("The highest rate is {range} of that of bare metal on the same cards"))
}
