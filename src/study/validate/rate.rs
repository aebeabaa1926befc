//! Offline and SingleStream rows, from other machines and from a model of the GPU.
//!
//! An Offline rate is the speed of the GPUs and a SingleStream latency that of one batch of one:
//! there is nothing to simulate. With other machines of the same GPU, it is their median. Without,
//! speed goes with the geometric mean of peak tensor rate and memory bandwidth, with one efficiency
//! per benchmark. Of a batch of one only the part phi scales, which the rows of MIG slices tell. A batch
//! of one on a slice whose own Offline rate is known is the law of a slice.

use super::case::{fixed_ms, work_of_sample};
use super::report::{JudgedRow, Rates};
use super::{Validation, median};
use crate::gpu::PowerCap;
use crate::spec::{GpuSpec, MeasuredRow, SizeDistribution, TestScenario, Workload};
use std::collections::{BTreeMap, BTreeSet};

/// Predicts an Offline or SingleStream row and compares.
pub(super) fn judge(input: &Validation, row: usize) -> JudgedRow {
    let run = &input.rows[row];
    let mut judged = JudgedRow::new(run);
    let Some(measured) = figure(run) else {
        judged.skipped = Some("its row lacks the figure of its scenario".to_string());
        return judged;
    };
    let machine = run.machine();
    let left_in = |other: &MeasuredRow| other.machine() != machine;
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
    judged.load_error = Some(error(predicted));
    judged.load_error_gpu_left_out = without_gpu.map(|(predicted, _)| error(predicted));
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

/// The figure of a row: Offline samples per second and GPU, or the SingleStream p90 in milliseconds.
pub(super) fn figure(run: &MeasuredRow) -> Option<f64> {
    match run.scenario {
        TestScenario::Offline => Some(run.samples_per_s? / f64::from(run.gpus)),
        _ => Some(run.latency.get("p90")?.as_millis_f64()),
    }
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
            && left_in(other)
            && keeps(other)
    })
}

/// The median over machines of the same GPU, as much of it and as much power; the same harness if
/// there is one.
fn of_same_gpu(input: &Validation, run: &MeasuredRow, left_in: LeftIn<'_>) -> Found {
    let same = |other: &MeasuredRow| {
        other.accelerator.eq_ignore_ascii_case(&run.accelerator)
            && other.is_power_limited() == run.is_power_limited()
    };
    let all: Vec<&MeasuredRow> = rows(input, run, left_in, same).collect();
    let harness: Vec<&MeasuredRow> =
        all.iter().copied().filter(|other| other.harness == run.harness).collect();
    let used = if harness.is_empty() { all } else { harness };
    let value = median(used.iter().filter_map(|other| figure(other)).collect())?;
    Some((value, used.iter().map(|other| other.name()).collect()))
}

/// The Offline rate that other machines with the GPU of a Server row reach at their usual power limit,
/// the median over their rows, whatever the harness.
pub(super) fn usual(input: &Validation, run: &MeasuredRow, left_in: LeftIn<'_>) -> Option<f64> {
    let rows = usual_rows(input, run).filter(|other| left_in(other));
    median(rows.filter_map(figure).collect())
}

/// The Offline rows of other machines with the GPU of a Server row, at their usual power limit.
pub(super) fn usual_rows<'v>(
    input: &'v Validation,
    run: &'v MeasuredRow,
) -> impl Iterator<Item = &'v MeasuredRow> {
    let machine = run.machine();
    input.teachers().filter(move |other| {
        other.scenario == TestScenario::Offline
            && other.benchmark == run.benchmark
            && other.gpu_id() == run.gpu_id()
            && other.mig_profile() == run.mig_profile()
            && !other.hetero
            && !other.is_power_limited()
            && other.machine() != machine
    })
}

/// A slice beside busy neighbours: as fast as alone, at the clock that the card's power leaves it.
fn beside_neighbours(input: &Validation, run: &MeasuredRow) -> Found {
    let alone = input.rows.iter().find(|other| {
        !other.hetero
            && (&other.benchmark, other.scenario) == (&run.benchmark, run.scenario)
            && other.accelerator == run.accelerator
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

/// The model of the GPU: what other GPUs do of the benchmark, by their speed.
fn of_gpu_model(input: &Validation, run: &MeasuredRow, left_in: LeftIn<'_>) -> Found {
    let own = input.gpu(run)?;
    let own_speed = speed(own)?;
    let part = part_of_gpu(own, run);
    let whole = |other: &MeasuredRow| other.mig_profile().is_none() && !other.is_power_limited();
    let used: Vec<&MeasuredRow> = rows(input, run, left_in, whole).collect();
    let gpus: BTreeSet<String> = used.iter().map(|other| other.gpu_id()).collect();
    let phi = match run.scenario {
        TestScenario::Offline => 1.0,
        _ => phi_of_one(input, run, left_in)?,
    };
    let logs: Vec<f64> = gpus
        .iter()
        .filter_map(|gpu| {
            let of_it = used.iter().filter(|other| &other.gpu_id() == gpu);
            let value = median(of_it.filter_map(|other| figure(other)).collect())?;
            let slower = speed(input.gpus.get(gpu)?)? / (own_speed * part);
            // The formula of the service time, with the other GPU for the whole.
            let stretched = 1.0 + phi * (slower - 1.0);
            Some(match run.scenario {
                TestScenario::Offline => (value / stretched).ln(),
                _ => (value * stretched).ln(),
            })
        })
        .collect();
    if logs.is_empty() {
        return None;
    }
    let value = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
    Some((value, used.iter().map(|other| other.name()).collect()))
}

/// The part of a batch of one that fills the GPU, from what a slice of an allowed GPU makes of it:
/// `phi = (m - 1) / (1 / s - 1)` for a slice `s` on which it takes `m` times as long.
fn phi_of_one(input: &Validation, run: &MeasuredRow, left_in: LeftIn<'_>) -> Option<f64> {
    let slices: Vec<&MeasuredRow> =
        rows(input, run, left_in, |other| other.mig_profile().is_some()).collect();
    let phis = slices.iter().filter_map(|slice| {
        let gpu = input.gpu(slice)?;
        let same = |other: &MeasuredRow| {
            other.mig_profile().is_none()
                && other.gpu_id() == slice.gpu_id()
                && other.harness == slice.harness
        };
        let whole = median(rows(input, run, left_in, same).filter_map(figure).collect())?;
        let times = figure(slice)? / whole;
        Some(((times - 1.0) / (1.0 / part_of_gpu(gpu, slice) - 1.0)).clamp(0.0, 1.0))
    });
    median(phis.collect())
}

/// The part of the GPU's SMs that a run had.
pub(super) fn part_of_gpu(gpu: &GpuSpec, run: &MeasuredRow) -> f64 {
    let sms =
        run.mig_profile().and_then(|name| gpu.mig_profile(name)).and_then(|profile| profile.sms);
    sms.map_or(1.0, |sms| f64::from(sms) / f64::from(gpu.sms.value))
}

/// The speed of a GPU, for comparison with others: the geometric mean of its peak tensor rate and its
/// memory bandwidth.
fn speed(gpu: &GpuSpec) -> Option<f64> {
    let tops = gpu.tensor_int8_tops.as_ref()?.value;
    Some((tops * gpu.memory_bandwidth.value.get() / 1e9).sqrt())
}
