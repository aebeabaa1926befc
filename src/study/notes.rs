//! Notes on sharing between processes, recorded loads and unmeasured hypervisors: whole sentences
//! for every report.
//!
//! The uncertainty of a figure is stated where the figure is computed.

use super::results::{RunResult, VmResult};
use crate::gpu::policy_entry;
use crate::spec::{
    Arrivals, Experiment, GpuId, GpuShare, InstanceSharing, Scaled, Scenario, ServerPool, Standing,
    TestScenario, Trace, VgpuType, VmSpec,
};
use crate::units::{Bytes, Share, SimDuration};
use std::collections::{BTreeMap, BTreeSet};

/// The recorded traces that a scenario replays, and the rows it leaves out; each sentence once.
pub fn replayed(scenario: &Scenario) -> Vec<String> {
    let experiments = scenario.pairs.iter().map(|pair| &pair.virtual_run.experiment);
    experiments.flat_map(of_traces).collect()
}

fn of_traces(experiment: &Experiment) -> Vec<String> {
    let mut notes = Vec::new();
    for vm in &experiment.vms {
        let Arrivals::Trace(trace) = &vm.load.arrivals else { continue };
        let note = of_trace(trace, vm.load.settings.target_qps);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// Notes on an experiment; each sentence once.
pub(super) fn of_experiment(experiment: &Experiment) -> Vec<String> {
    let mut notes = super::cpu::notes([experiment]);
    notes.extend(of_sharing(experiment));
    notes.extend(of_pools(experiment));
    notes.extend(of_traces(experiment));
    for vm in &experiment.vms {
        let of_vm = |title: String| format!("{}: {title}", vm.name);
        notes.extend(slow_filling(vm).map(of_vm));
    }
    notes.extend(of_rules(experiment));
    notes.extend(of_hypervisor(experiment));
    notes.extend(of_power(experiment));
    notes
}

/// Service times scaled from another GPU: a sentence for each workload and GPU.
pub(super) fn scaled<'e>(experiments: impl IntoIterator<Item = &'e Experiment>) -> Vec<String> {
    let mut told = BTreeSet::new();
    for experiment in experiments {
        for vm in &experiment.vms {
            for share in &vm.gpus {
                // A system with a bug in it is told of by itself.
                let Some(card) = experiment.cards.get(usize::from(share.card.0)) else { continue };
                let gpu = &card.gpu.id;
                let service = vm.workload.service.get(gpu);
                if let Some(scaled) = service.and_then(|service| service.scaled.as_ref()) {
                    told.insert(of_scaled(&vm.workload.id, gpu, scaled));
                }
            }
        }
    }
    told.into_iter().collect()
}

/// The service times of a scenario's virtual runs that are scaled from another GPU.
pub fn scaled_times(scenario: &Scenario) -> Vec<String> {
    scaled(scenario.pairs.iter().map(|pair| &pair.virtual_run.experiment))
}

fn of_scaled(workload: &str, gpu: &str, scaled: &Scaled) -> String {
    let work = scaled.work.value;
    let ends = scaled.work.range.unwrap_or([work; 2]);
    let [low, high] = ends.map(|end| (end / work - 1.0) * 100.0);
    format!(
        "service times of {workload} on {gpu} are scaled from {} by SM rate and bandwidth ({}): \
         work x {work}, with an error of {low:.0} % to {high:+.0} % (5th to 95th percentile of \
         GPUs); the interval of every figure includes it",
        scaled.from, scaled.by
    )
}

/// Workloads of which nothing says what they draw, on cards whose clock the power limit lowers.
fn of_power(experiment: &Experiment) -> Vec<String> {
    let mut untold: BTreeSet<(&str, &str)> = BTreeSet::new();
    for vm in &experiment.vms {
        for share in &vm.gpus {
            let card = &experiment.cards[usize::from(share.card.0)];
            let is_shared = card.instances.len() > 1 || card.power_limit.is_some();
            let service = &vm.workload.service[&card.gpu.id];
            if is_shared && card.gpu.power_idle_w.is_some() && service.watts_per_sm.is_none() {
                untold.insert((&vm.workload.id, &card.gpu.id));
            }
        }
    }
    let note = |(workload, gpu): (&str, &str)| {
        format!(
            "the power that {workload} draws on {gpu} is not known (`watts_per_sm`): here it does \
             not lower the clock, and no power limit slows it down"
        )
    };
    untold.into_iter().map(note).collect()
}

/// That a hypervisor's GPU factor is a distribution, not measured of it.
fn of_hypervisor(experiment: &Experiment) -> Option<String> {
    let hypervisor = &experiment.hypervisor;
    let [low, high] = hypervisor.gpu_speed_range?;
    let speed = &hypervisor.gpu_speed;
    let three_digits = |value: f64| (value * 1e3).round() / 1e3;
    (speed.standing == Standing::Assumed).then(|| {
        format!(
            "the GPU throughput of {} relative to bare metal was not measured: {} is assumed, and \
             {} to {} in the intervals ({})",
            hypervisor.id,
            speed.value,
            three_digits(low * speed.value),
            three_digits(high * speed.value),
            speed.source
        )
    })
}

/// A sentence on a server that waits for full batches without limit, where the first query of a
/// batch is expected to wait beyond the bound: B - 1 further queries at rate r take (B - 1) / r.
pub fn slow_filling(vm: &VmSpec) -> Option<String> {
    let settings = &vm.load.settings;
    let wait = vm.server.wait_for_a_full_batch(settings.target_qps)?;
    let bound = settings.target_latency;
    let is_slow = vm.load.scenario == TestScenario::Server && wait > bound;
    is_slow.then(|| {
        format!(
            "the server waits for a full batch of {} without timeout: at {} queries per second \
             the first query of a batch waits {} on average, beyond the bound of {bound}",
            vm.server.batch_max,
            significant(settings.target_qps),
            in_round_numbers(wait),
        )
    })
}

/// What VALID means of VMs that are not held to MLPerf's rules.
fn of_rules(experiment: &Experiment) -> Option<String> {
    // A VM that serves an LLM is judged by its tokens.
    let is_judged = |vm: &&VmSpec| {
        vm.load.scenario == TestScenario::Server
            && !vm.load.settings.is_of_mlperf()
            && vm.llm.is_none()
    };
    let mut groups: Vec<&str> =
        experiment.vms.iter().filter(is_judged).map(|vm| vm.group.as_str()).collect();
    groups.dedup();
    (!groups.is_empty()).then(|| {
        format!(
            "{}: without MLPerf's rules; VALID only means that the percentile keeps the bound",
            groups.join(", ")
        )
    })
}

/// A sentence on a closed loop that went on after others had ended: its figures are in part those
/// of a card without neighbours.
pub(super) fn of_ends(runs: &[RunResult]) -> Vec<String> {
    let mut notes = Vec::new();
    for run in runs {
        let seconds = |vm: &VmResult| vm.queries as f64 / vm.completed_per_s;
        let ended = run.vms.iter().filter(|vm| vm.completed_per_s > 0.0);
        let Some(first) = ended.min_by(|one, other| seconds(one).total_cmp(&seconds(other))) else {
            continue;
        };
        let went_on = run.vms.iter().filter(|vm| {
            vm.scenario == "closed-loop"
                && seconds(vm) > 1.1 * seconds(first)
                && vm.cards.iter().any(|card| first.cards.contains(card))
        });
        for vm in went_on {
            notes.push(format!(
                "{} on {}: its load lasted {:.0} s, but that of {} ended after {:.0} s, so its \
                 figures are in part those of a card without that neighbour: write a longer \
                 min_duration for all, or a smaller min_query_count",
                run.name_of(&vm.name),
                run.place(),
                seconds(vm),
                first.name,
                seconds(first),
            ));
        }
    }
    notes
}

/// Rejected queries, and the latencies of each priority level.
pub(super) fn of_queues(runs: &[RunResult]) -> Vec<String> {
    let mut notes = Vec::new();
    for run in runs {
        for vm in &run.vms {
            let name = format!("{} on {}", run.name_of(&vm.name), run.place());
            if let Some(rejected) = vm.rejected.filter(|&rejected| rejected > 0) {
                let all = vm.queries + rejected;
                let percent = 100.0 * rejected as f64 / all as f64;
                notes.push(format!(
                    "{name}: the server rejected {rejected} of {all} queries ({percent:.2} %); they count as late, and latencies are those of the others"
                ));
            }
            for level in &vm.priority_levels {
                let rejected = match level.rejected {
                    0 => String::new(),
                    rejected => format!(", {rejected} rejected"),
                };
                let of = &level.latency_ms;
                notes.push(format!(
                    "{name}, priority level {}: {} queries{rejected}, p50 {:.2} ms, p99 {:.2} ms",
                    level.level, level.queries, of.p50, of.p99
                ));
            }
        }
    }
    notes
}

/// A rate to four digits.
fn significant(rate: f64) -> f64 {
    let scale = 10_f64.powi(3 - rate.log10().floor() as i32);
    if scale.is_finite() && scale > 0.0 { (rate * scale).round() / scale } else { rate }
}

/// A span to a tenth of a millisecond, or to a second where it is long.
fn in_round_numbers(span: SimDuration) -> SimDuration {
    let step = if span < SimDuration::from_secs(100) { 100_000 } else { 1_000_000_000 };
    SimDuration::from_nanos(span.as_nanos() / step * step)
}

/// Who answers on bare metal with the cards that the VMs had; nothing for any other experiment.
fn of_pools(experiment: &Experiment) -> Option<String> {
    if experiment.pools.is_empty() {
        return None;
    }
    let gpus = || experiment.cards.iter().map(|card| card.gpu.id.as_str());
    let has_several = gpus().collect::<BTreeSet<_>>().len() > 1;
    let of_pool = experiment.pools.iter().map(|pool| {
        let workload = &experiment.vms[usize::from(pool.models[0].0)].workload.id;
        let (vms, servers) = (pool.models.len(), pool.servers.len());
        let first = &pool.servers[0];
        let on = match first.gpus.len() {
            1 => "a card".to_string(),
            cards => format!("{cards} cards"),
        };
        let models = match has_several {
            true => format!(" of {}", models(experiment, pool).into_iter().collect::<Vec<_>>().join(" and ")),
            false => String::new(),
        };
        format!(
            "{workload} of {vms} VM{} by {servers} server{} with {on}{models} and {} processors each",
            if vms == 1 { "" } else { "s" },
            if servers == 1 { "" } else { "s" },
            first.processors
        )
    });
    let of_pool: Vec<String> = of_pool.collect();
    let cards = experiment.cards.len();
    let has_all = |pool: &ServerPool| {
        let models = models(experiment, pool);
        let own = pool.servers.iter().map(|server| server.gpus.len()).sum::<usize>();
        own == gpus().filter(|gpu| models.contains(gpu)).count()
    };
    let apart = match experiment.pools.iter().all(has_all) {
        true => "",
        false => "; not all of them fit one card together, so each stays on the cards of its VMs",
    };
    Some(format!(
        "bare metal on the same cards ({cards}): the VMs' queries are merged and dealt in turn to servers with the VMs' own settings, {}{apart}",
        of_pool.join(", ")
    ))
}

/// The models of the cards of a pool.
fn models<'e>(experiment: &'e Experiment, pool: &ServerPool) -> BTreeSet<&'e str> {
    let shares = pool.servers.iter().flat_map(|server| &server.gpus);
    shares.map(|share| experiment.card(share).gpu.id.as_str()).collect()
}

/// How much of a trace is replayed, how fast, and what was left out.
fn of_trace(trace: &Trace, rate: f64) -> String {
    let count = trace.arrivals.len();
    let speed = (rate / trace.rate() * 1e6).round() / 1e6;
    let left_out: Vec<String> =
        trace.dropped.iter().map(|(rows, reason)| format!("{rows} {reason}")).collect();
    let left_out = match left_out.is_empty() {
        true => "no row of it is left out".to_string(),
        false => format!("rows left out: {}", left_out.join(", ")),
    };
    // Four digits that matter: whoever mistook the unit of the times sees a rate that is none.
    let recorded = super::open::four_digits(trace.rate());
    format!(
        "arrivals are {count} samples of {} ({}; {recorded} per second as recorded) at {speed} times their rate; {left_out}",
        trace.name, trace.understood
    )
}

/// What a reader must know about the ways of sharing in an experiment; each sentence once.
fn of_sharing(experiment: &Experiment) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let mut add = |note: String| {
        if !notes.contains(&note) {
            notes.push(note);
        }
    };
    for card in &experiment.cards {
        for instance in &card.instances {
            match instance.sharing {
                InstanceSharing::Alone
                | InstanceSharing::Models
                | InstanceSharing::BestEffort(_) => {}
                InstanceSharing::Vgpus(slicing) => {
                    if !slicing.policy.is_of_driver() {
                        add(format!(
                            "time-slice policy \"{}\" is not one of NVIDIA's driver: no setting of a host is known that gives it",
                            policy_entry(slicing.policy).name
                        ));
                    }
                }
                InstanceSharing::Mps(mps) => {
                    let has_engines = experiment.vms.iter().any(|vm| vm.llm.is_some());
                    let how = match has_engines {
                        true => {
                            "how engines slow each other down there is as measured on an H200, and \
                            rough where a client has no limit: a decode then waits for half of the \
                            prompts beside it"
                        }
                        false => "phi alone models how busy clients slow each other down there",
                    };
                    add(format!(
                        "MPS isolates no errors: a fatal fault of one client ends all clients of its \
                        GPU; memory bandwidth, L2 and power are not divided either, and {how}"
                    ));
                    if mps.is_partitioned {
                        add("static partitions of MPS are modelled by their documentation, \
                            without measurements: each client has its own SMs, everything else is \
                            shared as with limits, and SMs beyond whole chunks are idle"
                            .to_string());
                    } else if !has_engines && has_limits_side_by_side(experiment) {
                        add("limits do not separate MPS clients fully: with two clients of half \
                            the threads each, whose kernels fill their halves, 167 of 827 kernels \
                            took twice their time (slicewise measurement, H200, driver 580.159, \
                            2026-11-26), and their rate was 18 % below the simulated one; no \
                            interval includes that"
                            .to_string());
                    }
                }
                InstanceSharing::Processes(turns) => {
                    add("CUDA time slicing isolates neither memory nor errors: when processes \
                        allocate more than the GPU has, the last allocation fails; every process \
                        takes its own turns, however many replicas its pod asked for"
                        .to_string());
                    let own = card.gpu.process_turns.value.slice;
                    if turns.slice != own {
                        add(format!(
                            "a slice of {} is not the {own} of {}: NVIDIA publishes no times for \
                             its compute policies; short, medium and long are assumed",
                            turns.slice, card.gpu.id
                        ));
                    }
                }
            }
        }
    }
    of_pods(experiment).into_iter().for_each(&mut add);
    if is_mixed_size(experiment) {
        add("a card in mixed-size mode: the default slice of such a card is not documented; \
            without `slice` or `frequency` it is that of the type with the most vGPUs per card in \
            this mode"
            .to_string());
    }
    notes
}

/// What a reader must know of pods that share the turns of their VM.
fn of_pods(experiment: &Experiment) -> Vec<String> {
    let mut notes = Vec::new();
    let shares = experiment.vms.iter().flat_map(|vm| &vm.gpus);
    for (share, pods) in shares.filter_map(|share| Some((share, share.pods?))) {
        if !experiment.instance(share).sharing.nests(&pods) {
            continue;
        }
        let note = match pods.mps() {
            None => "pods share the turns of their VM by time slicing: that they do is documented \
                (NVIDIA GPU Operator, \"Time-Slicing GPUs in Kubernetes\"), how the slices of both \
                levels meet is not published; here the hardware's ring runs in the VM's own time, \
                with the turns that were measured between processes without a hypervisor"
                .to_string(),
            Some(_) => {
                "pods share the turns of their VM by MPS: that they do is documented (NVIDIA \
                GPU Operator, \"Multi-Process Service in Kubernetes\"), times of it are not \
                published; here their batches divide the SMs while the VM has its turn. A fatal \
                fault of one pod ends all pods of its node"
                    .to_string()
            }
        };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// Whether clients of MPS with a limit have neighbours on their instance.
fn has_limits_side_by_side(experiment: &Experiment) -> bool {
    let shares = || experiment.vms.iter().flat_map(|vm| &vm.gpus);
    shares().filter(|share| share.sm_limit < Share::WHOLE).any(|share| {
        let here = |other: &&GpuShare| (other.card, other.instance) == (share.card, share.instance);
        shares().filter(here).count() > 1
    })
}

/// Whether vGPUs of several frame buffers take turns on a card by the software's slices.
fn is_mixed_size(experiment: &Experiment) -> bool {
    let mut seen: BTreeMap<GpuId, Bytes> = BTreeMap::new();
    experiment.vms.iter().flat_map(|vm| &vm.gpus).any(|share| {
        let InstanceSharing::Vgpus(_) = experiment.instance(share).sharing else {
            return false;
        };
        let named = |vgpu: &&VgpuType| Some(&vgpu.name) == share.vgpu_type.as_ref();
        let Some(vgpu) = experiment.card(share).gpu.vgpu_types.iter().find(named) else {
            return false;
        };
        let first = *seen.entry(share.card).or_insert(vgpu.frame_buffer);
        vgpu.is_time_sliced() && first != vgpu.frame_buffer
    })
}
