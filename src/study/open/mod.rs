//! Inputs that were not measured: which of them affect an experiment, the range of each, and the
//! comparisons of a result that they reverse.
//!
//! A fact states its own range; an assumed phi has the range that times of whole batches leave
//! possible; slices and switches have the intervals of the GPU's file. One input is changed at a
//! time.

mod containers;
mod processors;

use super::variant::{with_sharing, with_workload};
use crate::spec::{
    CALL_TIME_ENDS, CALL_WAKE, CALL_WAKE_ENDS, Experiment, Fact, GpuId, GpuShare, GpuSharing,
    GpuSpec, HardwareTurns, InstanceSharing, Launches, PermitReturn, PhiTable, ServedBy,
    ServerSpec, ServiceTime, Standing, SwitchTimes, TestScenario, VmId, VmSpec,
};
use crate::units::{Bandwidth, Bytes, Share};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

/// An input that was not measured.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct OpenInput {
    /// Its name, such as `phi of my-model on a100-pcie-40gb`.
    pub name: String,
    /// Its state, such as `was not measured`.
    pub why: String,
    /// The value used in results, as in files.
    pub assumed: String,
    /// The ends of its range.
    pub ends: [String; 2],
    /// How to measure it: a clause.
    pub how: String,
}

/// An end of the range of an input.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct OpenEnd {
    /// The input.
    pub input: OpenInput,
    /// 0 for the least, 1 for the greatest.
    pub end: usize,
}

const ON_A_SLICE: &str = "run the model once on a MIG slice or with two streams, and fit it with \
    a [[run]] of slicewise calibrate";
const ON_3G: &str = "time full batches on a 3g slice beside a 4g (their shares of memory and of \
    SMs differ), and write it into the workload's file";
const LIMITED: &str = "time batches alone under MPS with 12 to 75 % of the threads, and write phi_limit into the workload's file";
const COPIES: &str = "time copies to several cards behind one switch at once, and write pcie_bandwidth into the host's cards";
const GRAPHS: &str =
    "time a CUDA graph alone with and without MPS, and write mps_graph_launch into the GPU's file";
const CALLS: &str = "trace the thread that hands queries to the servers, and write call_wake and call_time into the scenario's server";
const BATCHES: &str = "time batches of three sizes or more alone on the GPU (slicewise calibrate)";
const A_QUEUE: &str = "fit a run with a queue, by a [[run]] of slicewise calibrate";
const SWITCHES: &str = "time two busy vGPUs on one card, and one alone, and write switch_cost \
    into the scenario's sharing, or into the GPU's file";
const BACKENDS: &str = "find out the backend: TensorRT without CUDA graphs forms the next batch \
    when the running one starts, others when it is complete; write permit_return into the \
    scenario's server, or name its triton_config";
const SLICES: &str = "time a short query beside a busy vGPU, and write hardware_slice and switch_cost into the scenario's sharing";
const WATTS: &str = "read clocks.sm and power.draw of nvidia-smi while one slice and while all of them are busy, and write watts_per_sm into the workload's file";
const TURNS: &str = "time two busy processes on one card, and one alone, and write hardware_slice \
    and switch_cost into the scenario's sharing, or process_turns into the GPU's file";

/// The experiment at each end of each open input that affects it, one at a time. An end that is the
/// assumed value itself is left out.
pub(super) fn at_ends(experiment: &Experiment) -> Vec<(OpenEnd, Experiment)> {
    let mut found = Vec::new();
    for (workload, gpu) in services(experiment) {
        of_service(experiment, &workload, &gpu, &mut found);
    }
    for workload in experiment.vms.iter().map(|vm| &vm.workload.id).collect::<BTreeSet<_>>() {
        of_cpu(experiment, workload, &mut found);
    }
    found.extend(of_turns(experiment));
    of_links(experiment, &mut found);
    of_calls(experiment, &mut found);
    processors::of_processors(experiment, &mut found);
    containers::of_containers(experiment, &mut found);
    found.extend(of_backends(experiment));
    found
}

/// When an instance of Triton forms its next batch, where the scenario leaves it to the model's backend.
fn of_backends(experiment: &Experiment) -> Option<(OpenEnd, Experiment)> {
    let is_open = |vm: &VmSpec| {
        vm.server.permit_is_open
            && vm.server.permit_return == PermitReturn::AtCompletion
            && vm.load.scenario == TestScenario::Server
    };
    let mut other = experiment.clone();
    let mut open: Vec<&mut VmSpec> = other.vms.iter_mut().filter(|vm| is_open(vm)).collect();
    open.iter_mut().for_each(|vm| vm.server.permit_return = PermitReturn::AtStart);
    if open.is_empty() {
        return None;
    }
    let ends = ["at-completion", "at-start"].map(str::to_string);
    let input = OpenInput {
        name: "when Triton forms the next batch (permit_return)".to_string(),
        why: "depends on the model's backend".to_string(),
        assumed: ends[0].clone(),
        ends,
        how: BACKENDS.to_string(),
    };
    Some((OpenEnd { input, end: 1 }, other))
}

/// How late whoever hands queries to several GPU instances is, where the scenario leaves it to the preset.
fn of_calls(experiment: &Experiment, found: &mut Found) {
    let vms = experiment.vms.iter().enumerate();
    let dealt = vms.filter(|(index, _)| experiment.is_dealt_in_calls(VmId(*index as u16)));
    for (index, vm) in dealt {
        let name = |what: &str| format!("{what} of {}", vm.name);
        let with = |change: &dyn Fn(&mut ServerSpec)| {
            let mut other = experiment.clone();
            change(&mut other.vms[index].server);
            other
        };
        if vm.server.call_wake == Some(CALL_WAKE) {
            let wake = Fact { range: Some(CALL_WAKE_ENDS), ..Fact::assumed(CALL_WAKE, "") };
            add(found, name("call_wake"), CALLS, &wake, |wake| {
                with(&|server| server.call_wake = Some(*wake))
            });
        }
        if vm.server.call_time == CALL_TIME_ENDS[0] {
            let time = Fact { range: Some(CALL_TIME_ENDS), ..Fact::assumed(CALL_TIME_ENDS[0], "") };
            add(found, name("call_time"), CALLS, &time, |time| {
                with(&|server| server.call_time = *time)
            });
        }
    }
}

/// What the host's links carry, where the host says it and copies take them.
fn of_links(experiment: &Experiment, found: &mut Found) {
    let copies = |(vm, share): (&VmSpec, &GpuShare)| {
        let has_input = vm.workload.input_per_sample.value > Bytes::ZERO;
        (has_input && !vm.server.start_from_device).then_some(share.card)
    };
    let in_use: BTreeSet<GpuId> = uses(experiment).filter_map(copies).collect();
    let mut told: Vec<&Fact<Bandwidth>> = Vec::new();
    for card in in_use {
        let own = &experiment.cards[usize::from(card.0)].link;
        let Some(link) = &own.pcie_bandwidth else { continue };
        if told.contains(&link) {
            continue;
        }
        told.push(link);
        let host = experiment.host(experiment.cards[usize::from(card.0)].host);
        let name = format!("pcie_bandwidth of {}", host.id);
        add(found, name, COPIES, link, |speed| {
            let mut other = experiment.clone();
            let links = other.cards.iter_mut().filter_map(|card| card.link.pcie_bandwidth.as_mut());
            links.filter(|own| *own == link).for_each(|own| own.value = *speed);
            other
        });
    }
}

/// Every workload with each GPU that it runs on.
fn services(experiment: &Experiment) -> BTreeSet<(String, String)> {
    let uses = uses(experiment);
    uses.map(|(vm, share)| (vm.workload.id.clone(), gpu_of(experiment, share).to_string()))
        .collect()
}

fn uses(experiment: &Experiment) -> impl Iterator<Item = (&VmSpec, &GpuShare)> {
    experiment.vms.iter().flat_map(|vm| vm.gpus.iter().map(move |share| (vm, share)))
}

fn gpu_of<'e>(experiment: &'e Experiment, share: &GpuShare) -> &'e str {
    &experiment.card(share).gpu.id
}

type Found = Vec<(OpenEnd, Experiment)>;

fn of_service(experiment: &Experiment, workload: &str, gpu: &str, found: &mut Found) {
    let vm = experiment.vms.iter().find(|vm| vm.workload.id == workload);
    let service = &vm.expect("the workload is in use").workload.service[gpu];
    let name = |what: &str| format!("{what} of {workload} on {gpu}");
    let any = |acts: &dyn Fn(&VmSpec, &GpuShare) -> bool| {
        uses(experiment).any(|(vm, share)| {
            let is_it = vm.workload.id == workload && gpu_of(experiment, share) == gpu;
            is_it && acts(vm, share)
        })
    };
    let with = |change: &dyn Fn(&mut ServiceTime)| {
        with_workload(experiment, workload, |workload| {
            change(workload.service.get_mut(gpu).expect("it is in use"));
        })
    };
    let acts = any(&|vm, share| phi_acts(experiment, vm, share));
    let is_limited = any(&|_, share| experiment.limit_acts(share));
    if let Some(range) = service.phi_range().filter(|_| acts) {
        let (own, range) = (&service.phi, range.map(Brief));
        // A limit leaves all else of the GPU whole: beside idle neighbours it may cost nothing.
        let spares = is_limited && service.phi_limit.is_none() && service.slice.is_none();
        let nothing = Fact::assumed(PhiTable::constant(Share::NONE), "the least of phi_limit");
        let least = range[0].clone();
        let fact = Fact {
            range: Some(range),
            standing: own.standing,
            ..Fact::assumed(Brief(own.value.clone()), "")
        };
        add(found, name("phi"), ON_A_SLICE, &fact, |value| {
            with(&|own| {
                own.phi.value = value.0.clone();
                if spares && *value == least {
                    own.phi_limit = Some(nothing.clone());
                }
            })
        });
    }
    let on_slice = any(&|_, share| experiment.is_of_instance(share));
    if let Some(phi) = service.phi_limit.as_ref().filter(|_| is_limited) {
        add(found, name("phi_limit"), LIMITED, phi, |value| {
            with(&|own| own.phi_limit.as_mut().expect("it has one").value = value.clone())
        });
    }
    // Without phi of its own, the law of slices says what a limit makes of a batch.
    let by_law = on_slice || (is_limited && service.phi_limit.is_none());
    if let Some(law) = service.slice.as_ref().filter(|_| by_law) {
        add(found, name("slice.bandwidth"), ON_3G, &law.bandwidth, |value| {
            with(&|own| own.slice.as_mut().expect("it has one").bandwidth.value = *value)
        });
    }
    let own_launch = service.slice.as_ref().and_then(|law| law.launch.as_ref());
    if let Some(launch) = own_launch.filter(|_| on_slice) {
        add(found, name("slice.launch"), BATCHES, launch, |value| {
            with(&|own| {
                let law = own.slice.as_mut().expect("it has one");
                law.launch.as_mut().expect("it has one").value = *value;
            })
        });
    }
    let is_limited = any(&|_, share| {
        let card = experiment.card(share);
        card.instances.len() > 1 || card.power_limit.is_some()
    });
    if let Some(watts) = service.watts_per_sm.as_ref().filter(|_| is_limited) {
        add(found, name("watts_per_sm"), WATTS, watts, |value| {
            with(&|own| own.watts_per_sm.as_mut().expect("it has them").value = *value)
        });
    }
    if let Some(scaled) = &service.scaled {
        let name = format!("work of {workload} on {gpu} over that on {}", scaled.from);
        add(found, name, BATCHES, &scaled.work, |value| {
            with(&|own| own.work.value = own.work.value.scaled(value / scaled.work.value))
        });
    }
    add(found, name("launch"), BATCHES, &service.launch, |value| {
        with(&|own| own.launch.value = *value)
    });
    add(found, name("host_floor"), BATCHES, &service.host_floor, |value| {
        with(&|own| own.host_floor.value = *value)
    });
    add(found, name("spread"), A_QUEUE, &service.spread, |value| {
        with(&|own| own.spread.value = *value)
    });
}

fn of_cpu(experiment: &Experiment, workload: &str, found: &mut Found) {
    let vms = || experiment.vms.iter().filter(|vm| vm.workload.id == workload);
    let cpu = &vms().next().expect("the workload is in use").workload.cpu;
    let name = |what: &str| format!("cpu.{what} of {workload}");
    add(found, name("launch_per_batch"), A_QUEUE, &cpu.launch_per_batch, |value| {
        with_workload(experiment, workload, |own| own.cpu.launch_per_batch.value = *value)
    });
    // On one stream, CPU work of a batch is not hidden behind the batch before it.
    if vms().any(|vm| vm.server.streams == 1) {
        add(found, name("queue_per_batch"), A_QUEUE, &cpu.queue_per_batch, |value| {
            with_workload(experiment, workload, |own| own.cpu.queue_per_batch.value = *value)
        });
    }
    let by_triton = vms().find(|vm| vm.server.served_by == ServedBy::Triton);
    if let Some(own) = by_triton.and_then(|vm| vm.workload.cpu.triton_per_batch.as_ref()) {
        add(found, name("triton_per_batch"), A_QUEUE, own, |value| {
            with_workload(experiment, workload, |own| {
                own.cpu.triton_per_batch.as_mut().expect("it has one").value = *value;
            })
        });
    }
}

/// The catalogue's slices and switch costs have intervals; a scenario's own values have none.
pub(super) fn of_turns(experiment: &Experiment) -> Vec<(OpenEnd, Experiment)> {
    let mut found = Vec::new();
    let mut gpus = BTreeSet::new();
    for card in experiment.cards.iter().filter(|card| gpus.insert(&card.gpu.id)) {
        let gpu = &card.gpu;
        let cost = &gpu.switch_cost;
        let is_documented = cost.standing == Standing::Documented;
        let range = (!is_documented).then_some([cost.value.low, cost.value.high]);
        let costs = Fact { range, standing: cost.standing, ..Fact::assumed(cost.value.value, "") };
        of_sharing(
            experiment,
            gpu,
            ("switch_cost", SWITCHES),
            &costs,
            &mut found,
            |sharing, cost| match sharing {
                _ if !gpu.gives_switches(sharing) => {}
                InstanceSharing::BestEffort(turns) => turns.switch = SwitchTimes::always(*cost),
                _ => sharing.slicing_mut().expect("vGPUs").switch_cost = *cost,
            },
        );
        let (slice, name) = (&gpu.time_slice_best_effort, "time_slice_best_effort");
        of_sharing(experiment, gpu, (name, SLICES), slice, &mut found, |sharing, slice| {
            if gpu.gives_slices(sharing) {
                let turns = sharing.ring_mut().expect("best effort");
                *turns = turns.with_slice(*slice);
            }
        });
        let graph = |vm: &VmSpec| vm.server.launches == Launches::Graph;
        if uses(experiment).any(|(vm, share)| gpu_of(experiment, share) == gpu.id && graph(vm)) {
            let (launch, name) = (&gpu.mps_graph_launch, "mps_graph_launch");
            of_sharing(experiment, gpu, (name, GRAPHS), launch, &mut found, |sharing, launch| {
                if gpu.gives_graph_launch(sharing) {
                    sharing.mps_mut().expect("MPS").graph_launch = *launch;
                }
            });
        }
        let (turns, name) = (&gpu.process_turns, "process_turns");
        of_sharing(experiment, gpu, (name, TURNS), turns, &mut found, |sharing, other| {
            if gpu.gives_process_turns(sharing) {
                let turns = sharing.ring_mut().expect("processes");
                *turns = HardwareTurns { overshoot: turns.overshoot, of: turns.of, ..*other };
            }
        });
    }
    found
}

/// The ends of a fact about how cards of one model are shared, where `set` changes anything.
fn of_sharing<T: Clone + PartialEq + Display>(
    experiment: &Experiment,
    gpu: &GpuSpec,
    (name, how): (&str, &str),
    fact: &Fact<T>,
    found: &mut Found,
    set: impl Fn(&mut InstanceSharing, &T),
) {
    let with = |value: &T| {
        with_sharing(experiment, |model, sharing| {
            if model == gpu.id {
                set(sharing, value);
            }
        })
    };
    let changes = |value: &T| {
        let cards = experiment.cards.iter().filter(|card| card.gpu.id == gpu.id);
        let sharings = cards.flat_map(|card| &card.instances).map(|instance| instance.sharing);
        let of_pods = uses(experiment).filter(|(_, share)| gpu_of(experiment, share) == gpu.id);
        let of_pods = of_pods.filter_map(|(_, share)| Some(share.pods?.of_instance()));
        sharings.chain(of_pods).any(|own| {
            let mut other = own;
            set(&mut other, value);
            other != own
        })
    };
    if fact.range.iter().flatten().any(changes) {
        add(found, format!("{name} of {}", gpu.id), how, fact, with);
    }
}

/// Whether phi acts where a VM runs: on a part of a GPU, or where batches may run at once. One batch at
/// a time on the whole GPU takes as long whatever phi is.
fn phi_acts(experiment: &Experiment, vm: &VmSpec, share: &GpuShare) -> bool {
    let instance = experiment.instance(share);
    let beside = || {
        let place = (share.card, share.instance);
        uses(experiment).filter(|(_, other)| (other.card, other.instance) == place).count() > 1
    };
    // Where the law of slices is known, it says what a slice makes of a batch and batches of one owner of
    // one another.
    let in_order = instance.profile.is_some()
        && vm.workload.service[gpu_of(experiment, share)].slice.is_some();
    (instance.share < Share::WHOLE && !in_order)
        || share.sm_limit < Share::WHOLE
        || (vm.server.gpu_sharing == GpuSharing::Shared && vm.server.streams > 1 && !in_order)
        || (instance.sharing.mps().is_some() && beside())
}

/// phi by batch size in a sentence: of many sizes the first and the last.
#[derive(Clone, PartialEq)]
struct Brief(PhiTable);

impl Display for Brief {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.points() {
            [first, _, .., last] if self.0.points().len() > 3 => {
                let ((one, low), (all, high)) = (first, last);
                write!(f, "{{ {one} = {}, ..., {all} = {} }}", low.get(), high.get())
            }
            _ => write!(f, "{}", self.0),
        }
    }
}

fn add<T: Clone + PartialEq + Display>(
    found: &mut Found,
    name: String,
    how: &str,
    fact: &Fact<T>,
    make: impl Fn(&T) -> Experiment,
) {
    let Some(range) = &fact.range else { return };
    let input = OpenInput {
        name,
        why: match fact.standing {
            Standing::Assumed => "was not measured",
            _ => "is known only as an interval",
        }
        .to_string(),
        assumed: fact.value.to_string(),
        ends: range.clone().map(|end| end.to_string()),
        how: how.to_string(),
    };
    for (end, value) in range.iter().enumerate().filter(|(_, value)| **value != fact.value) {
        found.push((OpenEnd { input: input.clone(), end }, make(value)));
    }
}

/// A figure of a line of a result, as assumed and at the ends of open inputs.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The line's name.
    pub(super) name: String,
    /// The figure.
    pub(super) own: f64,
    /// Its value at each end; a line that an input does not affect has none for it.
    pub(super) at: Vec<(OpenEnd, f64)>,
}

/// Differences of less than this part are no ranking: searches and short runs are not sharper.
const NO_DIFFERENCE: f64 = 0.01;

/// Sentences on the open inputs of a result: which comparisons they reverse, and how much the
/// others widen it. Lines of one set are comparable; `figure` names the compared figure, with its
/// unit.
pub(super) fn sentences(sets: &[Vec<Line>], figure: &str) -> Vec<String> {
    let lines = || sets.iter().flatten();
    let inputs: BTreeSet<&OpenInput> =
        lines().flat_map(|line| &line.at).map(|(end, _)| &end.input).collect();
    let of = |input: &OpenInput| {
        reversal(sets, input, figure).or_else(|| widened(lines(), input, figure))
    };
    inputs.into_iter().filter_map(of).collect()
}

/// A sentence about an open input that turns the ranking of two lines round: of all such pairs the one
/// that it moves most against each other.
fn reversal(sets: &[Vec<Line>], input: &OpenInput, figure: &str) -> Option<String> {
    let acts = |line: &Line| line.at.iter().any(|(end, _)| end.input == *input);
    let (mut worst, mut count) = (None, 0);
    for lines in sets {
        for (index, a) in lines.iter().enumerate() {
            for b in &lines[index + 1..] {
                let (of_a, of_b) = (a.over(input), b.over(input));
                if !(acts(a) || acts(b)) || !turns_round(&of_a, &of_b) {
                    continue;
                }
                count += 1;
                let ratio = |at: usize| (of_a[at] / of_b[at]).max(1e-9).ln();
                let swing = (ratio(2) - ratio(0)).abs();
                if worst.is_none_or(|(most, _, _)| swing > most) {
                    worst = Some((swing, (a, of_a), (b, of_b)));
                }
            }
        }
    }
    let (_, (one, of_one), (other, of_other)) = worst?;
    let [low, high] = &input.ends;
    let more = match count {
        1 => String::new(),
        2 => " (and reverses one more pair)".to_string(),
        count => format!(" (and reverses {} more pairs)", count - 1),
    };
    let at =
        |end: usize| format!("{} and {}", four_digits(of_one[end]), four_digits(of_other[end]));
    Some(format!(
        "{} {}: {} is assumed, {low} to {high} is possible. It decides whether \"{}\" or \"{}\" is better{more}: {figure} are {} at {low}, {} as assumed, {} at {high}. To measure it, {}",
        input.name,
        input.why,
        input.assumed,
        one.name,
        other.name,
        at(0),
        at(1),
        at(2),
        input.how
    ))
}

/// Whether one of two is ahead at one end, or as assumed, and behind at another.
fn turns_round(a: &[f64; 3], b: &[f64; 3]) -> bool {
    let ahead = |a: f64, b: f64| a > b * (1.0 + NO_DIFFERENCE);
    let mut pairs = a.iter().zip(b);
    pairs.clone().any(|(a, b)| ahead(*a, *b)) && pairs.any(|(a, b)| ahead(*b, *a))
}

impl Line {
    /// The figure at the least of an input, as assumed, and at the greatest.
    fn over(&self, input: &OpenInput) -> [f64; 3] {
        let at = |end: usize| {
            let found = self.at.iter().find(|(at, _)| at.input == *input && at.end == end);
            found.map_or(self.own, |(_, figure)| *figure)
        };
        [at(0), self.own, at(1)]
    }
}

/// A number with four significant digits.
pub(super) fn four_digits(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * digits).round() / digits
}

/// A sentence about an open input that moves the figure of a line by a tenth or more: of all lines the
/// one that it moves most.
fn widened<'l>(
    lines: impl Iterator<Item = &'l Line>,
    input: &OpenInput,
    figure: &str,
) -> Option<String> {
    const TENTH: f64 = 0.1;
    let moved = lines.filter_map(|line| {
        let over = line.over(input);
        let [least, most] = [over[0].min(over[1]).min(over[2]), over[0].max(over[1]).max(over[2])];
        (most > least * (1.0 + TENTH)).then_some((line, least, most))
    });
    let by = |&(_, least, most): &(&Line, f64, f64)| most / least.max(1e-9);
    let (line, least, most) = moved.max_by(|a, b| by(a).total_cmp(&by(b)))?;
    let [low, high] = &input.ends;
    Some(format!(
        "{} {}: {} is assumed, {low} to {high} is possible. By this alone, {figure} of \"{}\" can \
         be from {} to {} ({} as assumed). To measure it, {}",
        input.name,
        input.why,
        input.assumed,
        line.name,
        four_digits(least),
        four_digits(most),
        four_digits(line.own),
        input.how
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> OpenInput {
        let ends = ["0".to_string(), "1".to_string()];
        let (name, how) = ("phi of m on g".to_string(), "measure it".to_string());
        let why = "was not measured".to_string();
        OpenInput { name, why, assumed: "0.9".to_string(), ends, how }
    }

    fn line(name: &str, own: f64, ends: Option<[f64; 2]>) -> Line {
        let at = |end: usize, figure: f64| (OpenEnd { input: input(), end }, figure);
        let at = ends.map_or(Vec::new(), |[low, high]| vec![at(0, low), at(1, high)]);
        Line { name: name.to_string(), own, at }
    }

    fn sentences_of(lines: Vec<Line>) -> Vec<String> {
        sentences(&[lines], "samples per second")
    }

    #[test]
    fn a_ranking_that_an_end_turns_round_is_told_with_both_ends() {
        let slices = |ends| line("slices", 520.0, Some(ends));
        let told = sentences_of(vec![slices([2730.0, 390.0]), line("whole", 640.0, None)]);
        assert_eq!(told.len(), 1);
        let figures = "2730 and 640 at 0, 520 and 640 as assumed, 390 and 640 at 1";
        assert!(told[0].contains(figures) && told[0].contains("decides"), "{told:?}");
        // Behind at both ends: no ranking turns, and the width is told.
        let told = sentences_of(vec![slices([600.0, 390.0]), line("whole", 640.0, None)]);
        let width = "from 390 to 600 (520 as assumed)";
        assert!(told[0].contains(width) && !told[0].contains("decides"), "{told:?}");
        assert!(sentences_of(vec![slices([521.0, 519.0])]).is_empty());
    }

    /// Assumed it is behind, at one end ahead; at the other end there is nothing to move.
    #[test]
    fn an_end_against_the_assumed_value_is_a_reversal_too() {
        let end = OpenEnd { input: input(), end: 0 };
        let slices = Line { name: "slices".to_string(), own: 390.0, at: vec![(end, 900.0)] };
        assert!(sentences_of(vec![slices, line("whole", 640.0, None)])[0].contains("decides"));
    }
}
