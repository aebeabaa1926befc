//! Offline and SingleStream rows, from other machines and from a model of the GPU.
//!
//! An Offline rate is the speed of the GPUs and a SingleStream latency that of one batch of one:
//! there is nothing to simulate. With other machines of the same GPU, it is their median. Without,
//! it is that of the nearest other GPU, scaled as `gpu::scaling` scales service times: of a batch of one
//! only the work and the reading of the weights. A batch of one on a slice whose own Offline rate is known
//! is the law of a slice.

use super::case::{fixed_ms, work_of_sample};
use super::input::Validation;
use super::links::{self, figure, usual_rows};
use super::median;
use super::row::{JudgedRow, Rates};
use crate::gpu::PowerCap;
use crate::gpu::scaling::{self, Place, WATTS_PER_SM, WorkKind};
use crate::spec::{
    Fact, GpuSpec, InstanceSpec, MeasuredRow, Precision, SizeDistribution, TestScenario, Workload,
};
use crate::units::Power;
use std::collections::BTreeMap;

/// Predicts an Offline or SingleStream row and compares.
pub(super) fn judge(input: &Validation, row: usize) -> JudgedRow {
    let run = &input.rows[row];
    let mut judged = JudgedRow::new(run);
    let Some(measured) = figure(run) else {
        judged.skipped = Some("its row lacks the figure of its scenario".to_string());
        return judged;
    };
    let machine = &run.machine;
    let left_in = |other: &MeasuredRow| other.machine != *machine;
    let found = match run.hetero {
        true => beside_neighbours(input, run),
        false => single_on_slice(input, run, false).or_else(|| of_same_gpu(input, run, &left_in)),
    };
    let gpu_id = run.gpu_id();
    let without_gpu = single_on_slice(input, run, true)
        .or_else(|| of_gpu_model(input, run, &|other: &MeasuredRow| other.gpu_id() != gpu_id));
    let found = found.or_else(|| {
        judged.marks.push("gpu model".to_string());
        of_gpu_model(input, run, &left_in)
    });
    let Some((predicted, fitted_on)) = found else {
        judged.skipped = Some("no other machine ran this benchmark".to_string());
        return judged;
    };
    // Speed over the measured one: a rate as it is, a time upside down.
    let error = |predicted: f64| match run.scenario {
        TestScenario::Offline => predicted / measured - 1.0,
        _ => measured / predicted - 1.0,
    };
    let of_links = |speed: f64| match run.scenario {
        TestScenario::Offline => links::offline_rate(input, run, speed) / f64::from(run.gpus),
        _ => speed,
    };
    let predicted = of_links(predicted);
    judged.load_error = Some(error(predicted));
    judged.load_error_gpu_left_out = without_gpu.map(|(predicted, _)| error(of_links(predicted)));
    judged.fitted_on = fitted_on;
    judged.predicted = Some(match run.scenario {
        TestScenario::Offline => Rates {
            completed_per_s: Some(predicted * f64::from(run.gpus)),
            latency_ms: BTreeMap::new(),
        },
        _ => Rates { completed_per_s: None, latency_ms: BTreeMap::from([("p90", predicted)]) },
    });
    judged
}

/// SingleStream's p90 on a slice by its law: the fixed time of a batch on whole GPUs (of the slice's model or
/// of `others`), the weights read once over its part of the bandwidth, CPU time, and a sample of the 90th
/// percentile of sizes at its own system's Offline rate.
fn single_on_slice(input: &Validation, run: &MeasuredRow, others: bool) -> Found {
    let profile = run.mig_profile().filter(|_| run.scenario == TestScenario::SingleStream)?;
    let (workload, gpu) = (input.workload(run)?, input.gpu(run)?);
    let service = workload.service.get(&gpu.id)?;
    let fixed = fixed_ms(workload, 1, |other| (other != gpu.id) == others)?;
    let memory = gpu.memory_share(gpu.mig_profile(profile)?).get();
    let read = service.slice.as_ref()?.weight_read.value.as_millis_f64();
    let offline = input.offline(run)?;
    let batch = f64::from(offline.settings.batch?);
    let sample = work_of_sample(1e3 / figure(offline)?, fixed, batch);
    let cpu = &workload.cpu;
    let cpu = cpu.launch_per_batch.value + cpu.launch_per_sample.value;
    let value = fixed + cpu.as_millis_f64() + read / memory + long_sample(workload) * sample;
    let mut fitted_on = service.launch.fitted_on.clone();
    fitted_on.push(offline.name());
    Some((value, fitted_on))
}

/// The 90th percentile of a sample's size.
pub(super) fn long_sample(workload: &Workload) -> f64 {
    match workload.sizes.value {
        // Of the normal law the 90th percentile is 1.2816.
        SizeDistribution::LogNormal { sigma } => (1.2816 * sigma - 0.5 * sigma * sigma).exp(),
        _ => 1.0,
    }
}

type Found = Option<(f64, Vec<String>)>;

/// Which rows a prediction may use.
type LeftIn<'a> = &'a dyn Fn(&MeasuredRow) -> bool;

/// The rows of the same benchmark and scenario that may be used and keep a rule.
fn rows<'v>(
    input: &'v Validation,
    run: &'v MeasuredRow,
    left_in: LeftIn<'v>,
    keeps: impl Fn(&MeasuredRow) -> bool + 'v,
) -> impl Iterator<Item = &'v MeasuredRow> {
    input.teachers().filter(move |other| {
        other.benchmark == run.benchmark
            && other.scenario == run.scenario
            && !other.hetero
            && !links::are_full(input, other)
            && left_in(other)
            && keeps(other)
    })
}

/// The median over machines of the same GPU, as much of it and as much power; the same harness if
/// there is one.
fn of_same_gpu(input: &Validation, run: &MeasuredRow, left_in: LeftIn<'_>) -> Found {
    let same = |other: &MeasuredRow| {
        other.gpu_id() == run.gpu_id()
            && other.mig == run.mig
            && other.power_limited == run.power_limited
    };
    let all: Vec<&MeasuredRow> = rows(input, run, left_in, same).collect();
    let harness: Vec<&MeasuredRow> =
        all.iter().copied().filter(|other| other.harness == run.harness).collect();
    let used = if harness.is_empty() { all } else { harness };
    let mut figures: Vec<f64> = used.iter().filter_map(|other| figure(other)).collect();
    let mut names: Vec<String> = used.iter().map(|other| other.name()).collect();
    // An even number has no middle: of the two beside it the one goes that is nearer to what other GPU
    // models say.
    if !figures.is_empty()
        && figures.len().is_multiple_of(2)
        && let Some((told, on)) = of_gpu_model(input, run, &|other: &MeasuredRow| {
            left_in(other) && other.gpu_id() != run.gpu_id()
        })
    {
        figures.sort_by(f64::total_cmp);
        let lower = figures.len() / 2 - 1;
        let far = |figure: f64| (figure / told).ln().abs();
        let nearer = if far(figures[lower]) < far(figures[lower + 1]) { lower } else { lower + 1 };
        names.extend(on);
        return Some((figures[nearer], names));
    }
    Some((median(figures)?, names))
}

/// The Offline rate that other machines with the GPU of a Server row reach at their usual power limit,
/// the median over their rows, whatever the harness.
pub(super) fn usual(input: &Validation, run: &MeasuredRow, left_in: LeftIn<'_>) -> Option<f64> {
    let rows = usual_rows(input, run).filter(|other| left_in(other));
    median(rows.filter_map(figure).collect())
}

/// A slice beside busy neighbours: as fast as alone, at the clock that the card's power leaves it.
fn beside_neighbours(input: &Validation, run: &MeasuredRow) -> Found {
    let alone = input.rows.iter().find(|other| {
        !other.hetero
            && (&other.benchmark, other.scenario) == (&run.benchmark, run.scenario)
            && (&other.gpu, &other.mig) == (&run.gpu, &run.mig)
            && other.harness == run.harness
    })?;
    let gpu = input.gpu(run)?;
    let cap = PowerCap::of(gpu, gpu.power_cap_w.value);
    let own = input.workload(run).and_then(|workload| workload.service.get(&gpu.id));
    let neighbours =
        own.and_then(|service| service.slice.as_ref()?.neighbour_watts_per_sm.as_ref());
    let known = cap.zip(own).zip(neighbours);
    let clock = known.map_or(1.0, |((cap, service), neighbours)| {
        let part = part_of_gpu(gpu, run);
        let others = (1.0 - part) * f64::from(gpu.sms.value) * neighbours.value;
        cap.clock(part * service.watts(gpu) + others)
    });
    let value = match run.scenario {
        TestScenario::Offline => figure(alone)? * clock,
        _ => figure(alone)? / clock,
    };
    let mut fitted_on = vec![alone.name()];
    let watts = own.and_then(|service| service.watts_per_sm.clone());
    fitted_on.extend(watts.iter().flat_map(|watts| watts.fitted_on.clone()));
    Some((value, fitted_on))
}

/// The nearest other GPU's rate or latency, scaled as service times are where a GPU has none of its own.
fn of_gpu_model(input: &Validation, run: &MeasuredRow, left_in: LeftIn<'_>) -> Found {
    let whole = |other: &MeasuredRow| other.mig_profile().is_none() && !other.power_limited;
    let used: Vec<&MeasuredRow> = rows(input, run, left_in, whole).collect();
    let others = used.iter().filter_map(|other| input.gpu(other));
    let precision = Precision::of_word(&run.settings.precision);
    let here = place(input, run)?;
    let from = scaling::nearest(&here, others, precision)?;
    let of_it: Vec<&MeasuredRow> = used
        .iter()
        .copied()
        .filter(|other| input.gpu(other).is_some_and(|gpu| gpu.id == from.id))
        .collect();
    let value = median(of_it.iter().filter_map(|other| figure(other)).collect())?;
    let service = input.workload(run).and_then(|workload| workload.service.get(&from.id));
    let kind = WorkKind::of(precision, service);
    let ratio = scaling::ratio(&Place::whole(from), &here, &kind)?;
    let mut fitted_on: Vec<String> = of_it.iter().map(|other| other.name()).collect();
    if run.scenario == TestScenario::Offline {
        return Some((value / ratio.work, fitted_on));
    }
    // Of one sample only the work scales, and the reading of the weights; the rest is latency.
    let offline: Vec<&MeasuredRow> = input
        .rows
        .iter()
        .filter(|other| {
            other.scenario == TestScenario::Offline
                && other.benchmark == run.benchmark
                && !other.hetero
                && left_in(other)
                && whole(other)
                && !links::are_full(input, other)
                && input.gpu(other).is_some_and(|gpu| gpu.id == from.id)
        })
        .collect();
    let sample = 1e3 / median(offline.iter().filter_map(|other| figure(other)).collect())?;
    let long = input.workload(run).map_or(1.0, long_sample);
    let law = service.and_then(|service| service.slice.as_ref());
    let read = law.map_or(0.0, |law| law.weight_read.value.as_millis_f64());
    fitted_on.extend(offline.iter().map(|other| other.name()));
    let longer = long * sample * (ratio.work - 1.0) + read * (1.0 / ratio.bandwidth - 1.0);
    Some((value + longer, fitted_on))
}

/// What the neighbours of a slice draw per SM, as the catalogue's laws of slices say it.
pub(super) fn neighbours(input: &Validation) -> Option<&Fact<f64>> {
    let services = input.workloads.values().flat_map(|workload| workload.service.values());
    let mut laws = services.filter_map(|service| service.slice.as_ref());
    laws.find_map(|law| law.neighbour_watts_per_sm.as_ref())
}

/// Where a run was: on what of which GPU, at which power limit, beside what.
fn place<'v>(input: &'v Validation, run: &MeasuredRow) -> Option<Place<'v>> {
    let gpu = input.gpu(run)?;
    let whole = Place::whole(gpu);
    let sms = part_of_gpu(gpu, run);
    let profile = run.mig_profile().and_then(|name| gpu.mig_profile(name));
    let neighbours = neighbours(input).map_or(WATTS_PER_SM, |watts| watts.value);
    let beside = if run.hetero { (1.0 - sms) * neighbours } else { 0.0 };
    Some(Place {
        sms,
        memory: profile.map_or(1.0, |profile| gpu.memory_share(profile).get()),
        limit_w: run.settings.power_limit.map_or(whole.limit_w, Power::watts),
        beside_w: beside * f64::from(gpu.sms.value),
        ..whole
    })
}

/// The part of the GPU's SMs that a run had.
pub(super) fn part_of_gpu(gpu: &GpuSpec, run: &MeasuredRow) -> f64 {
    let slice = run.mig_profile().and_then(|profile| InstanceSpec::of_profile(gpu, profile));
    slice.map_or(1.0, |slice| slice.share.get())
}
