//! From a measured Server run to an experiment: its harness, its cards, its load.
//!
//! Numbers of the service time are given to it; where they come from is said in `fit`.

use super::input::Validation;
use super::numbers::ServiceNumbers;
use super::{links, median};
use crate::gpu::PowerCap;
use crate::spec::{
    Architecture, Arrivals, Dispatch, Experiment, Fact, GpuSharing, GpuSpec, Harness, HostLink,
    InstanceSpec, Launches, LoadSpec, MeasuredRow, MeasuredSettings, MeasuredSystem, PermitReturn,
    PhiTable, Round, Rules, ServedBy, ServerSpec, ServiceTime, SliceLaw, TestScenario,
    TestSettings, WorkTable, Workload,
};
use crate::units::{Power, Share, SimDuration};
use std::collections::{BTreeMap, BTreeSet};

/// A Server run that can be simulated.
#[derive(Clone)]
pub(super) struct Case<'v> {
    /// Its row.
    pub(super) index: usize,
    /// Whether it is judged.
    pub(super) is_judged: bool,
    /// Whether others may learn from it.
    pub(super) teaches: bool,
    pub(super) run: &'v MeasuredRow,
    pub(super) input: &'v Validation,
    /// The harness it ran under.
    pub(super) harness: &'v Harness,
    /// What its server takes of its settings.
    settings: MeasuredSettings,
    workload: &'v Workload,
    gpu: &'v GpuSpec,
    /// GPU time of one sample in an Offline batch of its own system, in milliseconds.
    sample_ms: f64,
    /// Samples in that batch.
    offline_batch: f64,
    /// Its power, where its limit is known, and batches run one after the other: where they overlap the GPU is
    /// full all the while and draws what Offline does.
    power: Option<Limited>,
    /// How each of its cards is attached to the host.
    links: Vec<HostLink>,
}

/// How long a batch takes whatever its size, by the catalogue: that of a GPU model, or the median over
/// those that keep a rule. It is latency of kernels and launches, which no slice stretches.
pub(super) fn fixed_ms(
    workload: &Workload,
    batch: u32,
    keeps: impl Fn(&str) -> bool,
) -> Option<f64> {
    let of = |service: &ServiceTime| {
        let work = &service.work.value;
        let rest = work.at(batch) - work.per_sample() * f64::from(batch);
        service.launch.value.as_millis_f64() + rest.max(0.0) / 1e6
    };
    let kept = workload.service.iter().filter(|(gpu, _)| keeps(gpu));
    median(kept.map(|(_, service)| of(service)).collect())
}

/// Every Server row that can be simulated, and is judged or teaches a row that is.
pub(super) fn cases(input: &Validation) -> Vec<Case<'_>> {
    let server = |(_, run): &(usize, &MeasuredRow)| run.scenario == TestScenario::Server;
    let rows = input.rows.iter().enumerate().filter(server);
    let mut cases: Vec<Case<'_>> =
        rows.filter_map(|(index, run)| case(input, index, run)).collect();
    // Of slices under Triton the interval is told by whole GPUs under it.
    let asks = |case: &&Case<'_>| case.is_judged && (!case.is_slice() || case.is_triton());
    let judged: BTreeSet<_> = cases.iter().filter(asks).map(Case::group).collect();
    let has_use =
        |case: &Case<'_>| case.teaches && !case.is_slice() && judged.contains(&case.group());
    cases.retain(|case| case.is_judged || has_use(case));
    forget_power(&mut cases);
    cases
}

/// Takes the clocks of Server batches as those of Offline for all rows of a group and a generation of which
/// one ran at a limit that nobody names: it cannot be told at one clock, and the others would be compared with it.
fn forget_power<'v>(cases: &mut [Case<'v>]) {
    let of = |case: &Case<'v>| (case.group(), case.architecture().map(|known| known as u8));
    let is_unknown =
        |case: &&Case<'_>| case.run.power_limited && case.run.settings.power_limit.is_none();
    let unknown: BTreeSet<_> = cases.iter().filter(is_unknown).map(of).collect();
    for case in cases.iter_mut().filter(|case| unknown.contains(&of(case))) {
        case.power = None;
    }
}

/// A Server row, if it can be simulated.
pub(super) fn case<'v>(
    input: &'v Validation,
    index: usize,
    run: &'v MeasuredRow,
) -> Option<Case<'v>> {
    let offline = input.offline(run)?;
    let (workload, gpu) = (input.workload(run)?, input.gpu(run)?);
    let harness = input.harness(run)?;
    let settings = run.settings.taken(&harness.takes);
    let server = (harness.preset.make)();
    let is_one_by_one = server.gpu_sharing == GpuSharing::InOrder
        || (server.streams < 2 && settings.instances.is_none_or(|instances| instances < 2));
    let complete = run.target_qps.is_some()
        && run.settings.batch.is_some()
        && ["p50", "p90", "p99"].iter().all(|name| run.latency.contains_key(name));
    let rate = links::speed_of_system(input, run, offline)?;
    let offline_batch = f64::from(offline.settings.batch?);
    complete.then_some(Case {
        index,
        is_judged: index < input.judged,
        teaches: input.teaches(index),
        run,
        input,
        harness,
        settings,
        workload,
        gpu,
        sample_ms: 1e3 / rate * slower(run, offline, gpu, workload),
        offline_batch,
        power: limited(run, gpu, workload).filter(|_| is_one_by_one),
        links: links::of_cards(input, run, run.gpus.div_ceil(run.instances_per_card()) as usize),
    })
}

/// The power of a run on whole GPUs: at the limit that it names, or the usual one.
fn limited(run: &MeasuredRow, gpu: &GpuSpec, workload: &Workload) -> Option<Limited> {
    let usual = (!run.power_limited).then_some(gpu.power_cap_w.value);
    let limit = run.settings.power_limit.map(Power::watts).or(usual)?;
    let watts = workload.service.get(&gpu.id)?.watts(gpu);
    let idle = gpu.power_idle_w.as_ref()?.value;
    let is_known = watts > 0.0 && limit > idle && run.mig_profile().is_none();
    let cap = PowerCap::of(gpu, limit).filter(|_| is_known)?;
    Some(Limited { cap, watts })
}

/// How much longer work takes at a run's power limit than at that of the Offline run of its system, where
/// both name theirs and what the GPU makes of them is known; 1 elsewhere.
fn slower(run: &MeasuredRow, offline: &MeasuredRow, gpu: &GpuSpec, workload: &Workload) -> f64 {
    let clock = |of: &MeasuredRow| {
        let limit = of.settings.power_limit.filter(|_| of.mig_profile().is_none())?.watts();
        let idle = gpu.power_idle_w.as_ref()?.value;
        let watts = workload.service.get(&gpu.id).map(|service| service.watts(gpu))?;
        (limit > idle).then(|| PowerCap::of(gpu, limit))?.map(|cap| cap.clock(watts))
    };
    clock(offline).zip(clock(run)).map_or(1.0, |(offline, own)| offline / own)
}

/// Power of a Server run whose limit is known.
#[derive(Clone)]
struct Limited {
    cap: PowerCap,
    /// What full Offline batches draw at the highest clock.
    watts: f64,
}

/// Why a Server row cannot be simulated.
pub(super) fn reason(input: &Validation, run: &MeasuredRow) -> String {
    if input.workload(run).is_none() {
        return "the behaviour of its harness in the Server scenario is not documented".to_string();
    }
    if input.gpu(run).is_none() {
        return format!(
            "the catalogue does not know the GPU {}: `slicewise list gpus` names those it does",
            run.accelerator()
        );
    }
    if input.offline(run).is_none() {
        return "its system has no Offline run to take the speed of its GPUs from".to_string();
    }
    match input.harness(run) {
        None => format!("no model of its harness: {}", run.harness),
        Some(_) => "its row lacks a rate, a batch size or p50, p90 or p99".to_string(),
    }
}

impl<'v> Case<'v> {
    /// The group whose numbers are fitted together: benchmark and harness.
    pub(super) fn group(&self) -> (&'v str, &'v str) {
        (&self.run.benchmark, &self.harness.id)
    }

    /// The numbers that are tried for it, every combination of those of its harness. Where SingleStream tells
    /// the launch, nothing of its own GPU model is used, whose SingleStream run may be its own machine's.
    pub(super) fn candidates(&self) -> Vec<ServiceNumbers> {
        let grid = &self.harness.benchmarks[&self.run.benchmark];
        let single = || fixed_ms(self.workload, 1, |gpu| gpu != self.gpu.id).unwrap_or(0.0);
        let mut all = Vec::new();
        for launch in &grid.launches {
            let launch_ms = launch.map_or_else(single, |launch| launch.as_nanos_f64() / 1e6);
            for spread in &grid.spreads {
                for phi in &grid.phis {
                    all.push(ServiceNumbers {
                        launch_ms,
                        spread: spread.get(),
                        phi: phi.get(),
                        in_order: false,
                        in_series: self.harness.launch_in_series,
                        by_lot: false,
                        work_factor: 1.0,
                        recovery: 0.0,
                    });
                }
            }
        }
        all
    }

    /// Whether its harness set heavy queries aside.
    pub(super) fn sets_aside(&self) -> bool {
        self.settings.soft_drop.is_some_and(|kept| kept < Share::WHOLE)
    }

    /// Whether it ran on GPU instances.
    pub(super) fn is_slice(&self) -> bool {
        self.run.mig_profile().is_some()
    }

    /// The generation of its GPU.
    pub(super) fn architecture(&self) -> Option<Architecture> {
        self.gpu.compute_capability.as_ref()?.value.architecture()
    }

    /// The numbers that the catalogue says of a run on slices, learnt on no Server row of a slice: the
    /// fixed time of a batch on whole GPUs, of its own model or of all `others`. The rest of a batch is
    /// what its own Offline run took.
    pub(super) fn law(&self, others: bool) -> Option<ServiceNumbers> {
        let own = self.workload.service.get(&self.gpu.id);
        let others = others || own.is_none();
        let batch = self.run.settings.batch.unwrap_or(1);
        let launch_ms = fixed_ms(self.workload, batch, |gpu| (gpu != self.gpu.id) == others)?;
        Some(ServiceNumbers {
            launch_ms,
            spread: own.map_or(0.0, |own| own.spread.value.get()),
            phi: 1.0,
            in_order: !self.has_instances(),
            in_series: false,
            by_lot: false,
            work_factor: 1.0,
            recovery: 0.0,
        })
    }

    /// The part of a full batch's work that fills any share of its GPU, by the catalogue; 1 where it says
    /// nothing of this model.
    pub(super) fn phi(&self) -> f64 {
        let batch = self.run.settings.batch.unwrap_or(1);
        let own = self.workload.service.get(&self.gpu.id);
        own.map_or(1.0, |own| own.phi.value.at(batch))
    }

    /// Whether several instances of Triton share each GPU, or each slice.
    fn has_instances(&self) -> bool {
        self.is_triton() && self.settings.instances.is_some_and(|instances| instances > 1)
    }

    /// Whether it ran under Triton.
    pub(super) fn is_triton(&self) -> bool {
        (self.harness.preset.make)().served_by == ServedBy::Triton
    }

    /// Whether its harness dealt calls to several servers, one for each GPU instance.
    pub(super) fn is_dealt_in_calls(&self) -> bool {
        self.is_triton() && self.is_slice() && self.run.gpus > 1
    }

    /// Whether each batch goes to a GPU drawn by lot.
    pub(super) fn is_by_lot(&self, numbers: &ServiceNumbers) -> bool {
        self.server(numbers).dispatch == Dispatch::RandomGpu
    }

    /// How long a full batch of a run on slices takes, CPU time and weights included, in milliseconds.
    pub(super) fn full_batch_ms(&self, numbers: &ServiceNumbers) -> f64 {
        let batch = f64::from(self.run.settings.batch.unwrap_or(1));
        let read = self.slice_law().zip(self.slice()).map_or(0.0, |(law, slice)| {
            law.weight_read.value.as_millis_f64() * (1.0 / slice.memory_share.get() - 1.0)
        });
        let cpu = &self.workload.cpu;
        let queue = (cpu.queue_per_batch.value + cpu.launch_per_batch.value).as_millis_f64();
        let work = self.work_of_sample(numbers);
        queue + numbers.launch_ms + read + batch * work
    }

    /// How far the fixed time of a batch on a slice and the CPU time before it may be off, in milliseconds:
    /// half of what their ranges hold.
    pub(super) fn open_ms(&self) -> [f64; 2] {
        let half = |fact: &Fact<SimDuration>| {
            let ends = fact.range.map(|ends| ends.map(|end| end.as_millis_f64()));
            ends.map_or(0.0, |[low, high]| (high - low) / 2.0)
        };
        let law = self.workload.service.get(&self.gpu.id).and_then(|own| own.slice.as_ref());
        let launch = law.and_then(|law| law.launch.as_ref());
        [launch.map_or(0.0, half), half(&self.workload.cpu.queue_per_batch)]
    }

    /// The runs that the law of a slice was fitted on.
    pub(super) fn law_on(&self) -> Vec<String> {
        let own = self.workload.service.get(&self.gpu.id);
        let facts = own.map(|own| [own.launch.fitted_on.clone(), own.work.fitted_on.clone()]);
        let cpu = &self.workload.cpu.queue_per_batch.fitted_on;
        let mut on: Vec<String> =
            facts.into_iter().flatten().flatten().chain(cpu.clone()).collect();
        on.sort();
        on.dedup();
        on
    }

    /// How much the work of machines with one GPU differs, by the catalogue.
    pub(super) fn machines(&self) -> Option<f64> {
        Some(self.workload.service.get(&self.gpu.id)?.machines.as_ref()?.value.get())
    }

    /// What its Server batches would need of Offline's work at one clock, where at their own they need a part
    /// `kappa` of it.
    ///
    /// A batch takes an energy: what takes longer draws less, and runs at a higher clock than Offline does at the
    /// same limit. Below the voltage's range time is energy over power, so that longer work costs nothing: many
    /// factors then give the same, and this is nothing.
    pub(super) fn at_one_clock(&self, numbers: &ServiceNumbers, kappa: f64) -> Option<f64> {
        let Some(power) = &self.power else { return Some(kappa) };
        let (mut low, mut high) = (kappa / 4.0, kappa * 4.0);
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            let at = self.at_own_clock_of(power, numbers, middle);
            if at < kappa { low = middle } else { high = middle }
        }
        // By how much 5 % more work shows.
        let shown = self.at_own_clock_of(power, numbers, 1.05 * high)
            / self.at_own_clock_of(power, numbers, high);
        let before = self.at_own_clock_of(power, numbers, high)
            / self.at_own_clock_of(power, numbers, high / 1.05);
        (shown.min(before) > 1.02).then_some(high)
    }

    /// The other way round: what they need at their own clock, where at one clock it is `kappa`.
    pub(super) fn at_own_clock(&self, numbers: &ServiceNumbers, kappa: f64) -> f64 {
        self.power.as_ref().map_or(kappa, |power| self.at_own_clock_of(power, numbers, kappa))
    }

    fn at_own_clock_of(&self, power: &Limited, numbers: &ServiceNumbers, kappa: f64) -> f64 {
        let offline = power.cap.clock(power.watts);
        let sample = self.work_of_sample(numbers) * offline;
        let once = numbers.launch_ms / f64::from(self.run.settings.batch.unwrap_or(1));
        let drawn = power.watts * sample / (kappa * sample + once);
        kappa * offline / power.cap.clock(drawn.min(power.watts))
    }

    /// What its power limit leaves of the Offline rate at the usual one, where both are known; else 1.
    pub(super) fn of_its_limit(&self) -> f64 {
        let Some(Limited { cap, watts }) = &self.power else { return 1.0 };
        let usual = PowerCap::of(self.gpu, self.gpu.power_cap_w.value);
        usual.map_or(1.0, |usual| cap.clock(*watts) / usual.clock(*watts))
    }

    /// The same with links to the host at the least and at the greatest of what they may carry; nothing
    /// where that is not said.
    pub(super) fn at_ends_of_links(&self) -> Vec<Self> {
        let at = |end: usize| {
            let mut links = self.links.clone();
            let facts = links.iter_mut().filter_map(|link| link.pcie_bandwidth.as_mut());
            let ranged = facts.filter_map(|fact| Some((fact.range?[end], fact)));
            let moved = ranged.map(|(end, fact)| fact.value = end).count();
            (moved > 0).then(|| Self { links, ..self.clone() })
        };
        [0, 1].into_iter().filter_map(at).collect()
    }

    /// Whether a link to the host may not carry what the run asks of it, so that its latencies tell nothing
    /// of the GPUs.
    pub(super) fn may_fill_a_link(&self) -> bool {
        let each = self.rate() / f64::from(self.run.gpus);
        links::may_be_full(self.input, self.run, each)
    }

    /// The rate it was asked for.
    pub(super) fn rate(&self) -> f64 {
        self.run.target_qps.expect("a case has a rate")
    }

    /// The Offline rate of a GPU of its own system, in samples per second.
    pub(super) fn offline_rate(&self) -> f64 {
        1e3 / self.sample_ms
    }

    /// The run with `numbers`, a rate `load` times its own, and as long as it was, but with at most about
    /// `queries` queries.
    pub(super) fn experiment(
        &self,
        numbers: &ServiceNumbers,
        load: f64,
        queries: u64,
    ) -> Experiment {
        let mut workload = self.workload.clone();
        let service = self.service(numbers);
        workload.service = BTreeMap::from([(self.gpu.id.clone(), service)]);
        let per_card = self.run.instances_per_card() as usize;
        let system = MeasuredSystem {
            vm: "system",
            vcpus: VCPUS,
            hypervisor: self.input.platform(self.run),
            gpu: self.gpu.clone(),
            links: self.links.clone(),
            instances: self.slice().map(|slice| vec![slice; per_card]),
            gpus: self.run.gpus,
        };
        let load = LoadSpec {
            scenario: TestScenario::Server,
            arrivals: Arrivals::Poisson,
            settings: self.settings(load, queries),
        };
        system.run(self.run.name(), workload, self.server(numbers), load)
    }

    /// The GPU instance of a run on slices.
    fn slice(&self) -> Option<InstanceSpec> {
        InstanceSpec::of_profile(self.gpu, self.run.mig_profile()?)
    }

    /// What of a batch on a slice its own Offline rate, which is a slice's, does not say. The work in proportion
    /// fills it, so that several batches at once stretch.
    fn slice_law(&self) -> Option<SliceLaw> {
        let known = self.workload.service.get(&self.gpu.id)?.slice.clone()?;
        Some(SliceLaw { launch: None, phi: plain(1.0), bandwidth: plain(Share::NONE), ..known })
    }

    /// The service time: an Offline batch takes what it took, of which the launch is no work.
    fn service(&self, numbers: &ServiceNumbers) -> ServiceTime {
        let (kappa, launch_ms) = (numbers.work_factor, numbers.launch_ms);
        let work = self.work_of_sample(numbers);
        let (hidden, once) = if numbers.in_series { (0.0, launch_ms) } else { (launch_ms, 0.0) };
        // What a slice's Offline run took is the work on the slice: of the whole GPU it would be its part.
        let part = self.slice().map_or(1.0, |slice| slice.share.get());
        let at = |batch: u32| millis(kappa * part * (once + work * f64::from(batch)));
        let batch = self.run.settings.batch.unwrap_or(1).max(2);
        ServiceTime {
            launch: plain(millis(hidden)),
            host_floor: plain(SimDuration::ZERO),
            phi: plain(PhiTable::constant(share(numbers.phi))),
            spread: plain(share(numbers.spread)),
            phi_limit: None,
            slice: self.slice_law(),
            work: plain(
                WorkTable::new(vec![(1, at(1)), (batch, at(batch))])
                    .expect("work rises with batch"),
            ),
            boost: plain(1.0),
            watts_per_sm: None,
            machines: None,
            alternatives: Vec::new(),
            scaled: None,
        }
    }

    /// Work of a sample at one clock with its Offline run.
    fn work_of_sample(&self, numbers: &ServiceNumbers) -> f64 {
        work_of_sample(self.sample_ms, numbers.launch_ms, self.offline_batch)
    }

    /// The preset of its harness with what that takes of its settings.
    fn server(&self, numbers: &ServiceNumbers) -> ServerSpec {
        let mut server = (self.harness.preset.make)();
        let settings = &self.settings;
        server.batch_max = settings.batch.unwrap_or(server.batch_max);
        server.streams = settings.streams.or(settings.instances).unwrap_or(server.streams);
        // Slots are those of its own, or its streams.
        let has_slots = self.harness.takes.contains(&"gpu_copy_streams");
        let slots = settings.copy_streams.unwrap_or(server.slots);
        server.slots = if has_slots { slots.max(server.streams) } else { server.streams };
        server.timeout = settings.timeout.or(settings.queue_delay).or(server.timeout);
        server.start_from_device = settings.start_from_device;
        server.soft_drop = settings.soft_drop.unwrap_or(server.soft_drop);
        if numbers.in_order {
            server.gpu_sharing = GpuSharing::InOrder;
        }
        if let Some(graphs) = settings.graphs {
            (server.permit_return, server.launches) = match graphs {
                true => (PermitReturn::AtCompletion, Launches::Graph),
                false => (PermitReturn::AtStart, Launches::Kernels),
            };
        }
        let is_by_lot = self.harness.by_lot.contains(&self.run.round);
        let behind_graphs = server.permit_return == PermitReturn::AtCompletion;
        if is_by_lot || (self.harness.graphs_by_lot && server.streams > 1 && behind_graphs) {
            server.dispatch = Dispatch::RandomGpu;
        }
        server
    }

    fn settings(&self, load: f64, queries: u64) -> TestSettings {
        let rate = self.rate() * load;
        let queries = queries.min(self.run.queries().expect("a case has a rate"));
        TestSettings {
            target_qps: rate,
            target_latency: self.run.target_latency.unwrap_or(self.workload.target_latency.value),
            percentile: 99.0,
            min_duration: SimDuration::from_secs_f64(queries as f64 / rate),
            min_query_count: 1,
            queries_beyond: None,
            rules: Rules::Mlperf,
            round: Round::ALL[0],
        }
    }
}

/// Logical processors of a system whose own are not in the rows: more than its batches ever need.
const VCPUS: u32 = 64;

/// Work of a sample: what an Offline batch takes less its launch, a twentieth at least, for small
/// batches may take less than the launch that other rows have.
pub(super) fn work_of_sample(sample_ms: f64, launch_ms: f64, offline_batch: f64) -> f64 {
    (sample_ms - launch_ms / offline_batch).max(0.05 * sample_ms)
}

fn millis(ms: f64) -> SimDuration {
    SimDuration::from_nanos_f64(ms * 1e6)
}

fn share(part: f64) -> Share {
    Share::new(part).expect("a fit's numbers are shares")
}

/// A number of this run alone, which no report shows.
fn plain<T>(value: T) -> Fact<T> {
    Fact::fitted(value, "fitted by the validation", &[])
}
