//! How many VMs of one group fit on the machine before one misses its latency bound or the next has
//! no place.
//!
//! Each VM has its own fixed rate. Every number of VMs that has a place is tried, by short runs
//! where runs are long, since more VMs may be VALID where fewer are not: a smaller vGPU type can
//! bring a shorter slice. The answer and its neighbour are simulated at full length. Groups are not
//! mixed, and no VM is moved from card to card.

mod search;
mod told;

pub use told::ranges;

use super::border::{Ended, WORK_MOST};
use super::interval::{Interval, student_95};
use super::open::{self, Line};
use super::progress::Progress;
use super::results::{FactUse, Head};
use super::variant::other_idle;
use super::verdict::Verdict;
use super::{fits, leans_on, sensitivity};
use crate::parallel::*;
use crate::platform::Meter;
use crate::spec::{CardSpec, Experiment, GpuId, InstanceSharing};
use crate::units::counted;
use search::{Search, SearchVariant};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use told::{both_ends, notes, stopped};

/// What prevents one more VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// A VM misses its latency bound, or another rule of LoadGen.
    Latency,
    /// No card has a place for it.
    Placement,
    /// Its share of a card has too little memory for its batches.
    FrameBuffer,
    /// The host's logical processors or its memory.
    Host,
    /// A limit of slicewise.
    Limit,
    /// Another rule of scenario files.
    #[default]
    Rule,
}

/// Why there is no run with this number of VMs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TooMany {
    /// The kind of limit.
    pub obstacle: Obstacle,
    /// The limit as a sentence.
    pub text: String,
}

/// The plan of a search.
#[derive(Clone, Debug)]
pub struct VmPlan {
    /// The head of the results.
    pub head: Head,
    /// The group of VMs that is counted.
    pub group: String,
    /// Searches per way; replication 0 draws what a single run would, later ones reseed.
    pub replications: u32,
    /// The ways of sharing, side by side.
    pub ways: Vec<String>,
}

/// Makes the run of a way with a number of VMs, replication 0.
pub type MakeRun<'m> = &'m (dyn Fn(usize, u32) -> Result<Experiment, TooMany> + Sync);

/// The results of a search for the number of VMs.
#[derive(Clone, Debug, Serialize)]
pub struct VmResults {
    /// The program and the input.
    #[serde(flatten)]
    pub head: Head,
    /// The answer in short.
    pub verdict: Verdict,
    /// The group of VMs that was counted.
    pub group: String,
    /// Searches per way.
    pub replications: u32,
    /// One entry per way of sharing.
    pub ways: Vec<WayResult>,
    /// Service times scaled from another GPU: sentences for the head of a report; none where all
    /// are the GPUs' own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<String>,
    /// Notes to be read before the figures; whole sentences.
    pub notes: Vec<String>,
    /// The fitted and assumed numbers that the results use, each once.
    pub leans_on: Vec<FactUse>,
}

/// How many VMs fit with one way of sharing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WayResult {
    /// Its name, unique in the results.
    pub name: String,
    /// The most VMs with which every VM is VALID in every replication; 0 when no number is.
    pub vms: u32,
    /// The smaller numbers that are INVALID, in replication 0; by short runs where there are no
    /// longer ones.
    pub invalid_below: Vec<u32>,
    /// The numbers of VMs that were tried.
    pub looked_at: Vec<u32>,
    /// How the search came to its end.
    pub ended: Ended,
    /// The same for each replication by itself.
    pub vms_by_replication: Vec<u32>,
    /// The same in replication 0 under the other rule for idle turns; nothing where the rule is
    /// known.
    pub vms_other_idle: Option<u32>,
    /// The fewest and the most in replication 0 with other fits of the workloads and on slow and
    /// fast machines (5th and 95th percentile); nothing where no input has a range.
    pub vms_inputs: Option<[u32; 2]>,
    /// Whether every VM is still VALID with `vms` and one percent more GPU work, in replication 0;
    /// nothing for none.
    pub valid_with_more_work: Option<bool>,
    /// The most VMs that all have a place, whatever their latency: of the numbers up to one that
    /// has none, or beyond that where a larger one has.
    pub vms_placed: u32,
    /// VMs of the group on the card that has most of them, with `vms`.
    pub vms_per_card: u32,
    /// Cards that VMs use, with `vms`; where there are several models, only cards of the group's
    /// models.
    pub cards_used: u32,
    /// Cards of the machine; where there are several models, only those of the group's models.
    pub cards: u32,
    /// The models of the group's cards; left out where all cards of the machine are of one model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpu_models: Vec<String>,
    /// The VMs' share of a card, with `vms`: the vGPU type, the GPU instance, or a process; nothing
    /// for whole cards.
    pub holding: Option<String>,
    /// The rate of one VM.
    pub asked_per_s: f64,
    /// Its latency bound, in milliseconds.
    pub target_latency_ms: f64,
    /// The assumptions of the run about time slicing; nothing where no card is shared in turns.
    pub assumes: Option<String>,
    /// What prevents one more VM.
    pub stopped_by: Obstacle,
    /// The same as a sentence.
    pub stopped: String,
    /// The worst VM for each number of VMs that was simulated; the last is one more than fits, if
    /// it has a place.
    pub curve: Vec<VmPoint>,
}

impl VmResults {
    /// Whether any machine has cards of several models, so that ways state which they use.
    pub fn has_several_models(&self) -> bool {
        self.ways.iter().any(|way| !way.gpu_models.is_empty())
    }
}

/// The run with one number of VMs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct VmPoint {
    /// How many VMs of the group.
    pub vms: u32,
    /// Median of the VM that has the highest p99, in milliseconds.
    pub latency_p50_ms: f64,
    /// 99th percentile of the VM that has the highest, over the replications, in milliseconds.
    pub latency_p99_ms: Interval,
    /// The VM with that p99, in replication 0.
    pub worst_vm: String,
    /// The rate that this VM completes, in replication 0.
    pub completed_per_s: f64,
    /// Whether every VM is VALID in every replication that was simulated.
    pub valid: bool,
}

/// Searches every way, in parallel. A search that `stop` ends early returns its answer so far.
pub fn most_vms(
    plan: &VmPlan,
    make: MakeRun<'_>,
    progress: Progress<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> VmResults {
    let (done, all) = (AtomicU64::new(0), plan.ways.len() as u64);
    let found: Vec<Found> = plan
        .ways
        .par_iter()
        .enumerate()
        .with_max_len(1)
        .map(|(index, name)| {
            let tell = |vms: u32| {
                let doing = format!("{name}: {}", counted(vms, "VM"));
                progress(done.load(Ordering::Relaxed), all, &doing);
            };
            let found = way(plan, index, make, (&tell, stop));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all, name);
            found
        })
        .collect();
    let one: Vec<Experiment> =
        (0..plan.ways.len()).filter_map(|index| make(index, 1).ok()).collect();
    let mut leans_on = Vec::new();
    let (mut ways, mut lines) = (Vec::new(), Vec::new());
    let mut scaled = BTreeSet::new();
    for (way, (facts, told), line) in found {
        leans_on.extend(facts);
        scaled.extend(told);
        ways.push(way);
        lines.push(line);
    }
    VmResults {
        head: plan.head.clone(),
        verdict: told::verdict(&plan.group, &ways),
        group: plan.group.clone(),
        replications: plan.replications,
        scaled: scaled.into_iter().collect(),
        notes: open::sentences(&[lines], "VMs")
            .into_iter()
            .chain(notes(&ways))
            .chain(super::cpu::notes(&one))
            .collect(),
        ways,
        leans_on: leans_on::in_order(leans_on),
    }
}

/// A way, what it leans on, what of its service times is scaled, and its line.
type Found = (WayResult, (Vec<FactUse>, Vec<String>), Line);

/// Who hears of a search, and who may end it.
type Watch<'a> = (&'a (dyn Fn(u32) + Sync), &'a (dyn Fn() -> bool + Sync));

fn way(plan: &VmPlan, index: usize, make: MakeRun<'_>, (tell, stop): Watch<'_>) -> Found {
    let Places { counts, beyond } = places(index, make);
    let search = |replication, under| Search {
        way: index,
        make,
        tell,
        meter: Meter::new(WORK_MOST, stop),
        under,
        replication,
        probes: BTreeMap::new(),
    };
    let mut first = search(0, SearchVariant::AsItIs);
    let looks = first.scan(&counts);
    let answer = first.highest(&counts, &looks);
    let mut others: Vec<(u32, Search<'_>)> = (1..plan.replications)
        .into_par_iter()
        .with_max_len(1)
        .map(|replication| {
            let mut search = search(replication, SearchVariant::AsItIs);
            (search.from(answer, &counts, &looks), search)
        })
        .collect();
    let by_replication: Vec<u32> =
        [answer].into_iter().chain(others.iter().map(|(vms, _)| *vms)).collect();
    // In every replication at once: the least of their answers, or fewer where that fails in one.
    let least = by_replication.iter().copied().min().unwrap_or(0);
    let mut fewer = counts.iter().rev().copied().filter(|&count| count <= least);
    let vms = fewer.find(|&count| {
        first.probe(count) && others.iter_mut().all(|(_, search)| search.probe(count))
    });
    let vms = vms.unwrap_or(0);
    let shared = make(index, answer.max(1));
    let open = shared.as_ref().is_ok_and(|run| other_idle(run).is_some());
    let vms_other_idle =
        open.then(|| search(0, SearchVariant::OtherIdle).from(answer, &counts, &looks));
    // An input may act only once there are neighbours.
    let most = make(index, counts.last().copied().unwrap_or(1));
    let runs = [shared.as_ref().ok(), most.as_ref().ok()].into_iter().flatten();
    let variants: BTreeSet<fits::Other> =
        runs.flat_map(fits::variants).map(|variant| variant.other).collect();
    let variants: Vec<fits::Other> = variants.into_iter().collect();
    let by_variant: Vec<u32> = variants
        .par_iter()
        .with_max_len(1)
        .map(|other| {
            search(0, SearchVariant::OtherInputs(other.clone())).from(answer, &counts, &looks)
        })
        .collect();
    let open = variants.iter().zip(&by_variant).filter_map(|(other, vms)| match other {
        fits::Other::Open(end) => Some((end.clone(), f64::from(*vms))),
        _ => None,
    });
    let line = Line { name: plan.ways[index].clone(), own: f64::from(answer), at: open.collect() };
    let least = by_variant.iter().copied().min();
    let most = by_variant.iter().copied().max();
    let vms_inputs = least.zip(most).map(|(least, most)| [least.min(answer), most.max(answer)]);

    for count in drawn(vms, &counts) {
        first.probe(count);
    }
    let next = counts.iter().copied().find(|&count| count > vms);
    // One more than fits is worth its figures, unless it is far beyond all bounds.
    if let Some(next) = next.filter(|_| vms > 0) {
        first.look_closely(next);
        others.iter_mut().for_each(|(_, search)| search.look_closely(next));
    }
    let ended = first.ended();
    let invalid_below = first.invalid_below(vms, &looks);
    let runs: Vec<&Search<'_>> =
        std::iter::once(&first).chain(others.iter().map(|(_, search)| search)).collect();
    let curve = curve(&runs);
    let (stopped_by, stopped) = match next {
        Some(next) => {
            (Obstacle::Latency, both_ends(&counts, &looks, stopped(&runs, next, &looks), vms))
        }
        None => (beyond.obstacle, beyond.text),
    };
    let run = make(index, vms.max(1)).ok();
    let facts = run.iter().flat_map(leans_on::facts).collect();
    let scaled = super::notes::scaled(&run);
    let result = described(plan, index, run.as_ref(), vms);
    let result = WayResult {
        vms,
        invalid_below,
        looked_at: counts.clone(),
        ended,
        vms_by_replication: by_replication,
        vms_other_idle,
        vms_inputs,
        valid_with_more_work: (vms > 0 && ended == Ended::Complete)
            .then(|| first.bears_more_work(vms)),
        vms_placed: counts.last().copied().unwrap_or(0),
        stopped_by,
        stopped,
        curve,
        ..result
    };
    (result, (facts, scaled), line)
}

/// The numbers of VMs that have a place, rising, and what stands against one more than the most.
struct Places {
    counts: Vec<u32>,
    beyond: TooMany,
}

/// Tries every number, also beyond one that has no place: a larger one may be cut in another way.
/// The host and slicewise's own limit end it, for they only grow tighter.
fn places(way: usize, make: MakeRun<'_>) -> Places {
    /// So many numbers in a row without a place are enough.
    const IN_VAIN: u32 = 8;
    let mut counts = Vec::new();
    let mut beyond = None;
    let mut in_vain = 0;
    for count in 1.. {
        match make(way, count) {
            Ok(_) => {
                counts.push(count);
                (beyond, in_vain) = (None, 0);
            }
            Err(why) => {
                let is_last = matches!(why.obstacle, Obstacle::Host | Obstacle::Limit);
                beyond.get_or_insert(why);
                in_vain += 1;
                if is_last || in_vain == IN_VAIN {
                    break;
                }
            }
        }
    }
    Places { counts, beyond: beyond.expect("the search ended at an obstacle") }
}

/// Which numbers a chart shows: those up to one more than fit, a dozen at most.
fn drawn(vms: u32, counts: &[u32]) -> Vec<u32> {
    const POINTS: usize = 12;
    let up_to = counts.iter().position(|&count| count > vms).map_or(counts.len(), |next| next + 1);
    let counts = &counts[..up_to];
    let step = counts.len().div_ceil(POINTS).max(1);
    let mut drawn: Vec<u32> = counts.iter().rev().step_by(step).copied().collect();
    drawn.extend(counts.iter().filter(|&&count| count == 1 || count == vms));
    drawn
}

/// One point for each number of which every search that simulated it has figures.
fn curve(runs: &[&Search<'_>]) -> Vec<VmPoint> {
    let points = runs[0].probes.iter().filter_map(|(&vms, first)| {
        let first_seen = first.seen.as_ref()?;
        let all = runs.iter().filter_map(|search| search.probes.get(&vms));
        let valid = all.clone().all(|probe| probe.valid);
        let p99: Vec<f64> = all.filter_map(|probe| Some(probe.seen.as_ref()?.p99)).collect();
        Some(VmPoint {
            vms,
            latency_p50_ms: first_seen.p50,
            latency_p99_ms: student_95(&p99)?,
            worst_vm: first_seen.vm.clone(),
            completed_per_s: first_seen.completed_per_s,
            valid,
        })
    });
    points.collect()
}

/// What can be said of a way without simulating it.
fn described(plan: &VmPlan, index: usize, run: Option<&Experiment>, vms: u32) -> WayResult {
    let name = plan.ways[index].clone();
    let mut result = WayResult { name, ..WayResult::default() };
    let Some(run) = run else { return result };
    let group = run.vms.iter().filter(|vm| vm.group == plan.group);
    let mut on_card: BTreeMap<GpuId, u32> = BTreeMap::new();
    for vm in group.clone() {
        let cards: BTreeSet<GpuId> = vm.gpus.iter().map(|share| share.card).collect();
        cards.into_iter().for_each(|card| *on_card.entry(card).or_default() += 1);
    }
    let counts = |number: u32| if vms == 0 { 0 } else { number };
    result.vms_per_card = counts(on_card.values().copied().max().unwrap_or(0));
    let models = run.models_of(group.clone().flat_map(|vm| &vm.gpus));
    let is_alike = |card: &CardSpec| models.contains(&card.gpu.id.as_str());
    let used = run.cards_in_use();
    let used = used.iter().filter(|card| is_alike(&run.cards[usize::from(card.0)]));
    result.cards_used = counts(used.count() as u32);
    result.cards = run.cards.iter().filter(|card| is_alike(card)).count() as u32;
    if run.has_several_models() {
        result.gpu_models = models.iter().map(|model| (*model).to_string()).collect();
    }
    result.assumes = sensitivity::assumed(run);
    if let Some(vm) = group.clone().next() {
        result.asked_per_s = vm.load.settings.target_qps;
        result.target_latency_ms = vm.load.settings.target_latency.as_millis_f64();
        result.holding = vm.gpus.first().and_then(|share| {
            let instance = run.instance(share);
            let process = match instance.sharing {
                InstanceSharing::Processes(_) => Some("a CUDA process"),
                InstanceSharing::Mps(_) => Some("an MPS client"),
                _ => None,
            };
            let process = process.map(|what| match &instance.profile {
                Some(profile) => format!("{what} in {profile}"),
                None => what.to_string(),
            });
            share.vgpu_type.clone().or(process).or(instance.profile.clone())
        });
    }
    result
}
