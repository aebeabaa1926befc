//! What all rows together say of a benchmark on a GPU: the numbers of a workload file, and the file's
//! workload.
//!
//! No machine is left out here; how well such numbers predict is what the rest of the validation says.

use super::case::{Case, work_of_sample};
use super::fit::Fit;
use super::input::Validation;
use super::learnt::Learnt;
use super::links::{self, figure};
use super::median;
use super::numbers::ServiceNumbers;
use super::rate::{long_sample, neighbours, part_of_gpu};
use super::report::FittedService;
use crate::gpu::PowerCap;
use crate::spec::{
    Fact, HarnessBenchmark, MeasuredRow, PhiTable, ServiceTime, SizeDistribution, SliceLaw,
    TestScenario, WorkTable, Workload,
};
use crate::units::{Share, SimDuration};
use std::collections::BTreeSet;

/// Every GPU of every fit under a benchmark's own harness.
pub(super) fn services(
    input: &Validation,
    fits: &[Fit<'_>],
    learnt: &Learnt,
) -> Vec<FittedService> {
    let own = fits.iter().filter(|fit| fit.cases.iter().all(|case| case.harness.is_own));
    own.flat_map(|fit| of_fit(input, fit, learnt)).collect()
}

fn of_fit(input: &Validation, fit: &Fit<'_>, learnt: &Learnt) -> Vec<FittedService> {
    let all = learnt.of_all(fit);
    let candidate = fit.choose(&all).candidate;
    // Bare metal alone: a VM is what such numbers are to predict.
    let usual = all.only(|at| {
        let run = fit.cases[at].run;
        !run.power_limited && !run.virtualized
    });
    let machines = fit.scatter(&usual, candidate).map(|scatter| scatter.min(MACHINES_MAX));
    let machines_on: Vec<String> =
        usual.cases().iter().map(|&at| fit.cases[at].run.name()).collect();
    let gpus: BTreeSet<String> = fit.cases.iter().map(|case| case.run.gpu_id()).collect();
    let of_gpu = |gpu: String| {
        let of_it = all.only(|at| fit.cases[at].run.gpu_id() == gpu);
        let is_usual = |at: &&usize| !fit.cases[**at].run.power_limited;
        let case = of_it.cases().iter().find(is_usual).or(of_it.cases().first())?;
        let work_factor = fit.gpu_factor(&all, candidate, *case)?;
        let cases: Vec<&Case<'_>> = of_it.cases().iter().map(|&at| fit.cases[at]).collect();
        let numbers = fit.numbers(*of_it.cases().first()?, candidate);
        let numbers = ServiceNumbers { work_factor, recovery: all.recovery(), ..numbers };
        let own = fit.scatter(&of_it, candidate).unwrap_or(0.0);
        let scatter = Scatter { own, machines, machines_on: machines_on.clone() };
        service(input, &gpu, &cases, numbers, scatter)
    };
    gpus.into_iter().filter_map(of_gpu).collect()
}

/// How much factors on work scatter about their GPU's: on this GPU, and on all.
struct Scatter {
    own: f64,
    machines: Option<f64>,
    machines_on: Vec<String>,
}

/// The catalogue takes no more; a scatter beyond says that the rows have little in common.
const MACHINES_MAX: f64 = 0.2;

fn service(
    input: &Validation,
    gpu: &str,
    cases: &[&Case<'_>],
    numbers: ServiceNumbers,
    scatter: Scatter,
) -> Option<FittedService> {
    let benchmark = &cases.first()?.run.benchmark;
    let rows = |scenario: TestScenario, is_slice: bool| -> Vec<&MeasuredRow> {
        let of_it = input.teachers().filter(|run| {
            (&run.benchmark, run.scenario) == (benchmark, scenario)
                && run.gpu_id() == gpu
                && run.mig_profile().is_some() == is_slice
                && !run.power_limited
                && !run.hetero
                && !links::are_full(input, run)
                && input.is_under_its_own(run)
        });
        of_it.collect()
    };
    let middle =
        |runs: &[&MeasuredRow]| median(runs.iter().filter_map(|run| figure(run)).collect());
    let batch = |runs: Vec<&MeasuredRow>| {
        let batches = runs.iter().filter_map(|run| run.settings.batch);
        median(batches.map(f64::from).collect()).map(|batch| batch as u32)
    };
    let offline = rows(TestScenario::Offline, false);
    let single_rows = rows(TestScenario::SingleStream, false);
    let single = middle(&single_rows);
    // `m = (1 - phi) + phi / s`: how many times as long a batch takes on the slice `s`.
    let phi = |times: f64, slice: &MeasuredRow| {
        let part = part_of_gpu(input.gpu(slice)?, slice);
        Some(((times - 1.0) / (1.0 / part - 1.0)).clamp(0.0, 1.0))
    };
    let slice_of_one = rows(TestScenario::SingleStream, true);
    let slice_of_full = rows(TestScenario::Offline, true);
    let phi_of_one =
        slice_of_one.first().and_then(|slice| phi(middle(&slice_of_one)? / single?, slice));
    let phi_of_full = slice_of_full
        .first()
        .and_then(|slice| phi(middle(&offline)? / middle(&slice_of_full)?, slice));
    let names =
        |runs: &[&MeasuredRow]| -> Vec<String> { runs.iter().map(|run| run.name()).collect() };
    let mut slices_on = names(&slice_of_one);
    slices_on.extend(names(&slice_of_full));
    let mut fitted_on: Vec<String> = cases.iter().map(|case| case.run.name()).collect();
    fitted_on.extend(offline.iter().map(|run| run.name()));
    Some(FittedService {
        benchmark: benchmark.clone(),
        gpu: gpu.to_string(),
        numbers,
        server_batch: batch(cases.iter().map(|case| case.run).collect())?,
        offline_batch: batch(offline.clone())?,
        offline_sample_ms: 1e3 / middle(&offline)?,
        single_p90_ms: single,
        phi_of_one,
        phi_of_full,
        residual: scatter.own,
        machines: scatter.machines,
        machines_on: scatter.machines_on,
        fitted_on,
        single_on: names(&single_rows),
        slices_on,
    })
}

/// The workloads of the validation with the service times that were found, where the catalogue has
/// none of another origin, and with how much machines differ; each with the preset it usually runs
/// under.
pub fn fitted_workloads(
    input: &Validation,
    services: &[FittedService],
) -> Vec<(Workload, &'static str)> {
    let with_services = |workload: &Workload| {
        let mut workload = workload.clone();
        let own = services.iter().filter(|found| found.benchmark == workload.id);
        let mut is_new = false;
        for found in own.collect::<Vec<_>>() {
            let known = workload.service.get(&found.gpu);
            if known.is_none_or(|known| known.work.source.contains(SOURCE)) {
                let service = service_time(input, &workload, found, services);
                workload.service.insert(found.gpu.clone(), service);
            } else if let Some(known) = workload.service.get_mut(&found.gpu) {
                known.machines = machines(found).or(known.machines.take());
            }
            is_new = true;
        }
        let preset = input.own_harness(&workload.id).map(|own| own.preset.name);
        preset.filter(|_| is_new).map(|preset| (workload, preset))
    };
    input.workloads.values().filter_map(with_services).collect()
}

/// How numbers of a validation are known again.
const SOURCE: &str = "slicewise validate";

/// The service time that the rows of a GPU say.
fn service_time(
    input: &Validation,
    workload: &Workload,
    found: &FittedService,
    services: &[FittedService],
) -> ServiceTime {
    let numbers = found.numbers;
    let server_batch = found.server_batch.max(2);
    let per_sample =
        work_of_sample(found.offline_sample_ms, numbers.launch_ms, f64::from(found.offline_batch));
    let served = numbers.work_factor * per_sample;
    let (launch, served) = launch_and_sample(input, workload, found, served);
    let benchmark = benchmark(input, workload);
    let of_tokens = benchmark.is_some_and(|benchmark| benchmark.of_tokens);
    let is_told = benchmark.is_some_and(launch_is_told);
    // Of tokens a batch of one is a small one. Of images, what a batch costs once is its launch where
    // SingleStream tells that, and is in its work elsewhere.
    let alone = found.single_p90_ms.filter(|_| !of_tokens && !is_told);
    let alone = alone.and_then(|single| {
        let fixed = launch + before_and_after(input, workload, found)?;
        Some((single - fixed) / long_luck(&numbers))
    });
    let alone = alone.map_or(served, |alone| alone.max(served));
    let full = (served * f64::from(server_batch)).max(alone);
    let mut work = vec![(1, millis(alone)), (server_batch, millis(full))];
    if found.offline_batch > server_batch {
        let offline = per_sample * f64::from(found.offline_batch);
        work.push((found.offline_batch, millis(offline.max(full))));
    }
    let of = |scenario: &str| -> Vec<String> {
        found.fitted_on.iter().filter(|row| row.ends_with(scenario)).cloned().collect()
    };
    let (server, mut all) = (of("Server"), found.fitted_on.clone());
    if !of_tokens && !is_told {
        all.extend(found.single_on.iter().cloned());
    }
    let source = format!(
        "{SOURCE}: every row of this benchmark and GPU under its own harness, fitted together; Offline rates are medians"
    );
    let residual = Some((found.residual * 1e3).round() / 1e3);
    let work = WorkTable::new(work).expect("work rises with batch");
    // The launch, and all that a batch costs once.
    let fixed = [launch, launch + (alone - per_sample).max(0.0)];
    let launch = match (is_told, found.single_on.is_empty()) {
        (true, true) => {
            let ends = [0.8, 1.2].map(|part| millis(part * launch));
            Fact { range: Some(ends), ..Fact::assumed(millis(launch), OF_OTHERS) }
        }
        (true, false) => Fact::fitted(millis(launch), OF_SINGLE, &found.single_on),
        _ => {
            let single_on = found.single_on.iter().filter(|_| of_tokens);
            let on: Vec<String> = server.iter().chain(single_on).cloned().collect();
            Fact { residual, ..Fact::fitted(millis(launch), source.as_str(), &on) }
        }
    };
    let untold = "assumed: these rows do not tell it from launch and work";
    ServiceTime {
        launch,
        host_floor: Fact::assumed(SimDuration::ZERO, untold),
        phi: if is_told { phi_of_work(found, services) } else { phi(found, services, &server) },
        phi_limit: None,
        slice: slice_law(input, workload, found, services, fixed),
        spread: match numbers.spread {
            0.0 => Fact::assumed(Share::NONE, untold),
            spread => {
                Fact { residual, ..Fact::fitted(Share::clamped(spread), source.as_str(), &server) }
            }
        },
        work: Fact { residual, ..Fact::fitted(work, source.as_str(), &all) },
        boost: Fact::assumed(1.0, "assumed: no rows tell a clock that follows the load"),
        watts_per_sm: workload.service.get(&found.gpu).and_then(|known| known.watts_per_sm.clone()),
        machines: machines(found),
        alternatives: Vec::new(),
        scaled: None,
    }
}

/// What a SingleStream query of one sample takes beside its batch on the GPU, in milliseconds: CPU work and
/// copies.
fn before_and_after(input: &Validation, workload: &Workload, found: &FittedService) -> Option<f64> {
    let gpu = input.gpus.values().find(|gpu| gpu.id.eq_ignore_ascii_case(&found.gpu))?;
    let cpu = &workload.cpu;
    let of_cpu = cpu.launch_per_batch.value
        + cpu.launch_per_sample.value
        + cpu.finish_per_batch.value
        + cpu.finish_per_sample.value;
    let bytes = workload.input_per_sample.value + workload.output_per_sample.value;
    Some((of_cpu + gpu.pcie_bandwidth.value.transfer_time(bytes)).as_millis_f64())
}

/// What its own harness knows of a benchmark.
fn benchmark<'v>(input: &'v Validation, workload: &Workload) -> Option<&'v HarnessBenchmark> {
    input.own_harness(&workload.id)?.benchmarks.get(&workload.id)
}

/// Whether the launch of a benchmark's batches is what SingleStream says.
fn launch_is_told(benchmark: &HarnessBenchmark) -> bool {
    benchmark.launches.iter().all(Option::is_none)
}

/// The 90th percentile of how long a batch's work takes: that of the exponential law of mean 1 is ln 10.
fn long_luck(numbers: &ServiceNumbers) -> f64 {
    1.0 - numbers.spread + numbers.spread * 10.0_f64.ln()
}

const OF_SINGLE: &str = "slicewise validate: p90 of SingleStream less the CPU work, the copies and the work of one sample";
const OF_OTHERS: &str = "assumed: no SingleStream run on this GPU is published; the median over GPUs that have one, whose launches differ by a fifth";

/// Launch and work of a sample, in milliseconds. Where SingleStream tells the launch, it is what a query
/// of one sample takes beside its work.
///
/// BERT's keep a full Server batch as it was fitted: Server rows tell its launch to a step of the grid
/// only, SingleStream rows tell it finely. Their p90 is the launch and a sample of the 90th percentile of
/// sizes.
fn launch_and_sample(
    input: &Validation,
    workload: &Workload,
    found: &FittedService,
    served: f64,
) -> (f64, f64) {
    let (launch, batch) = (found.numbers.launch_ms, f64::from(found.server_batch.max(2)));
    if benchmark(input, workload).is_some_and(launch_is_told) {
        let told = found.single_p90_ms.zip(before_and_after(input, workload, found));
        let told =
            told.map(|(single, beside)| single - beside - long_luck(&found.numbers) * served);
        return (told.filter(|told| *told > 0.0).unwrap_or(launch), served);
    }
    if !matches!(workload.sizes.value, SizeDistribution::LogNormal { .. }) {
        return (launch, served);
    }
    let long = long_sample(workload);
    let Some(single) = found.single_p90_ms else { return (launch, served) };
    // single = launch' + long served', and launch' + batch served' = launch + batch served.
    let own = (single - long * (served + launch / batch)) / (1.0 - long / batch);
    if own <= 0.0 {
        return (launch, served);
    }
    (own, served + (launch - own) / batch)
}

/// What a GPU instance makes of batches, on a GPU that has some. Weights count as read once a batch
/// where a batch of one is short of work for them: those of tokens; a convolution's are small.
fn slice_law(
    input: &Validation,
    workload: &Workload,
    found: &FittedService,
    services: &[FittedService],
    [launch, once]: [f64; 2],
) -> Option<SliceLaw> {
    let gpu = input.gpus.values().find(|gpu| gpu.id.eq_ignore_ascii_case(&found.gpu))?;
    gpu.mig_profiles.first()?;
    let sliced = sliced(found, services)?;
    let full_on: Vec<String> =
        sliced.slices_on.iter().filter(|row| row.ends_with("Offline")).cloned().collect();
    let round = |phi: f64| (phi * 1e3).round() / 1e3;
    let of_tokens = benchmark(input, workload).is_some_and(|benchmark| benchmark.of_tokens);
    let read = match of_tokens {
        true => gpu.memory_bandwidth.value.transfer_time(workload.weights.value),
        false => SimDuration::ZERO,
    };
    let bandwidth = Fact {
        range: Some([Share::NONE, Share::clamped(0.5)]),
        ..Fact::assumed(Share::clamped(0.2), OF_BANDWIDTH)
    };
    // A slice alone runs at the highest clock, the whole card at what its power limit leaves: the law is
    // to be of one clock.
    let slice = run_on_a_slice(input, sliced)?;
    let on = input.gpu(slice)?;
    let part = part_of_gpu(on, slice);
    let watts = workload.service.get(&on.id).map_or(0.0, |known| known.watts(on));
    let whole = PowerCap::of(on, on.power_cap_w.value).map_or(1.0, |cap| cap.clock(watts));
    let times = (1.0 + sliced.phi_of_full? * (1.0 / part - 1.0)) / whole;
    let phi = ((times - 1.0) / (1.0 / part - 1.0)).clamp(0.0, 1.2);
    // What it costs once scatters over five GPUs of Ampere: BERT's, which is latency of kernels, by 0.1 ms,
    // a convolution's, which is the host's as well, by a fifth.
    let open = if of_tokens { 0.1 } else { 0.2 * once };
    let ends = [launch - open, launch + open].map(|end| millis_or_none(end.max(0.0)));
    let launch = Fact::assumed(millis_or_none(launch), OF_LAUNCHES);
    // Only where the clock of the GPU follows watts.
    let neighbours = gpu.power_idle_w.as_ref().and(neighbours(input)).cloned();
    Some(SliceLaw {
        launch: Some(Fact { range: Some(ends), ..launch }),
        neighbour_watts_per_sm: neighbours,
        weight_read: Fact::assumed(millis_or_none(read.as_millis_f64()), OF_READS),
        phi: Fact::fitted(round(phi), OF_SLICES, &full_on),
        bandwidth,
    })
}

/// The run on a slice that spoke for a service.
fn run_on_a_slice<'v>(input: &'v Validation, sliced: &FittedService) -> Option<&'v MeasuredRow> {
    input.rows.iter().find(|run| sliced.slices_on.contains(&run.name()))
}

const OF_LAUNCHES: &str = "assumed: on a slice as on the whole GPU; the range is what batches cost once over five GPUs, 0.1 ms about it for BERT, a fifth of it for a convolution, whose launch is the host's as well";
const OF_READS: &str = "assumed: the weights over the bandwidth of the memory, for BERT; convolutions' weights are small, and slices of MLPerf v1.1 show none";
const OF_SLICES: &str = "slicewise validate: the Offline rate of one MIG slice over the whole GPU's, phi = (m - 1) / (1 / s - 1) for a slice s on which a full batch takes m times as long, at one clock: the whole card runs at what its power limit leaves of the highest, a slice alone at the highest";
const OF_BANDWIDTH: &str = "assumed: between what 3g slices of MIGPerf want (0.4 to 0.9) and what limits of an H200 say (0.15 to 0.24); slices of MLPerf, whose parts of memory and SMs are alike, cannot tell";

/// By how much machines differ, from the rows of the benchmark on any GPU; nothing where there are too
/// few.
fn machines(found: &FittedService) -> Option<Fact<Share>> {
    let source = format!(
        "{SOURCE}: scatter of the factor on work that meets p99 about what other machines say, over the benchmark's bare-metal rows on all GPUs at their usual power limit"
    );
    let differ = (found.machines? * 1e3).round() / 1e3;
    Some(Fact::fitted(Share::clamped(differ), source, &found.machines_on))
}

/// The service whose slices speak for another: its own, or of its benchmark's family on its GPU or on
/// any.
fn sliced<'s>(
    found: &'s FittedService,
    services: &'s [FittedService],
) -> Option<&'s FittedService> {
    let has_slices =
        |other: &&FittedService| other.phi_of_one.is_some() && other.phi_of_full.is_some();
    let family = |benchmark: &str| benchmark.split('.').next().map(str::to_string);
    let near = services.iter().filter(|other| family(&other.benchmark) == family(&found.benchmark));
    let near_on_gpu = near.clone().filter(|other| other.gpu == found.gpu);
    Some(found).into_iter().chain(near_on_gpu).chain(near).find(has_slices)
}

/// Phi of a batch of one and of a full one from MIG slices, of the GPU or, without, of another; and
/// of a Server batch where overlapping batches tell it.
fn phi(found: &FittedService, services: &[FittedService], server: &[String]) -> Fact<PhiTable> {
    let sliced = sliced(found, services);
    let told = Some(Share::clamped(found.numbers.phi)).filter(|phi| *phi < Share::WHOLE);
    let batch = found.server_batch.max(2);
    let Some((sliced, one, full)) =
        sliced.and_then(|other| Some((other, other.phi_of_one?, other.phi_of_full?)))
    else {
        let phi = told.unwrap_or(Share::WHOLE);
        return Fact::assumed(PhiTable::constant(phi), "assumed: no row on a slice tells it");
    };
    let round = |phi: f64| Share::clamped((phi * 1e3).round() / 1e3);
    let mut points = vec![(1, round(one))];
    match told.filter(|_| found.offline_batch > batch) {
        Some(told) => points.extend([(batch, told), (found.offline_batch, round(full))]),
        None => points.push((batch, round(full))),
    }
    let mut on = sliced.slices_on.clone();
    if told.is_some() {
        on.extend_from_slice(server);
    }
    let source = format!(
        "{SOURCE}: one MIG slice over the whole GPU, SingleStream p90 and Offline rate, phi = (m - 1) / (1 / s - 1) for a slice s on which a batch takes m times as long{}",
        if told.is_some() { "; of a Server batch by how its rows overlap" } else { "" }
    );
    Fact::fitted(PhiTable::new(points).expect("batches rise"), source, &on)
}

/// Phi of work that goes with the size of the batch, from the Offline rate of MIG slices, of the GPU or of
/// another.
fn phi_of_work(found: &FittedService, services: &[FittedService]) -> Fact<PhiTable> {
    let told = sliced(found, services).and_then(|other| Some((other, other.phi_of_full?)));
    let Some((sliced, full)) = told else {
        return Fact::assumed(
            PhiTable::constant(Share::WHOLE),
            "assumed: no row on a slice tells it",
        );
    };
    let on: Vec<String> =
        sliced.slices_on.iter().filter(|row| row.ends_with("Offline")).cloned().collect();
    let phi = PhiTable::constant(Share::clamped((full * 1e3).round() / 1e3));
    Fact::fitted(phi, OF_OFFLINE, &on)
}

const OF_OFFLINE: &str = "slicewise validate: the Offline rate of one MIG slice over the whole GPU's, phi = (m - 1) / (1 / s - 1) for a slice s on which a full batch takes m times as long; what a batch costs whatever its size is its launch";

/// To a microsecond, or none.
fn millis_or_none(ms: f64) -> SimDuration {
    SimDuration::from_nanos((ms * 1e3).round() as u64 * 1000)
}

/// To a microsecond: more than these rows know.
fn millis(ms: f64) -> SimDuration {
    SimDuration::from_nanos(((ms * 1e3).round().max(1.0) * 1e3) as u64)
}
