//! How many VMs of a kind the machine takes before one misses its bound or the next has no place.
//!
//! Each VM is asked at its own fixed rate. Every number that has a place is looked at, by short runs
//! where runs are long, since more VMs may be VALID where fewer are not: a smaller vGPU type can bring
//! a shorter slice. The answer and its neighbour are simulated at full length. It does not mix kinds,
//! and does not move a VM from card to card.

use super::border::{Ended, WORK_MOST};
use super::interval::{Interval, student_95};
use super::open::{self, Line};
use super::probe::{Prober, Says, too_late};
use super::results::{FactUse, Head};
use super::summary::{add_facts, completed_per_s, latency_ms, put_in_order};
use super::variant::{other_idle, with_more_work};
use super::{Progress, fits, sensitivity};
use crate::platform::{Meter, Outcome, Watched, simulate, simulate_metered, simulate_unless_lost};
use crate::spec::{CardSpec, Experiment, GpuId, InstanceSharing, TestScenario, VmId};
use crate::units::counted;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// What stands against one VM more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// A VM misses its latency bound, or another rule of LoadGen.
    Latency,
    /// No card has a place for it.
    Placement,
    /// What it gets of a card has too little memory for its batches.
    FrameBuffer,
    /// The host's logical processors or its memory.
    Host,
    /// What slicewise takes at most.
    Limit,
    /// Another rule of scenario files.
    Rule,
}

/// Why there is no run with so many VMs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TooMany {
    /// Which limit it is.
    pub obstacle: Obstacle,
    /// The limit in words.
    pub text: String,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct VmPlan {
    /// What is at the head of the results.
    pub head: Head,
    /// The group of VMs that is counted.
    pub group: String,
    /// Searches per way; replication 0 draws what a single run would, later ones reseed.
    pub replications: u32,
    /// The ways of sharing, side by side.
    pub ways: Vec<String>,
}

/// Makes the run of a way with so many VMs, replication 0.
pub type MakeRun<'m> = &'m (dyn Fn(usize, u32) -> Result<Experiment, TooMany> + Sync);

/// Everything a search for the number of VMs found out.
#[derive(Clone, Debug, Serialize)]
pub struct VmResults {
    /// What made it, and of what.
    #[serde(flatten)]
    pub head: Head,
    /// The group of VMs that was counted.
    pub group: String,
    /// Searches per way.
    pub replications: u32,
    /// One entry per way of sharing.
    pub ways: Vec<WayResult>,
    /// Service times that are another GPU's, scaled: sentences for the head of a report; none where all
    /// are the GPUs' own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<String>,
    /// What a reader must know before believing a figure; whole sentences.
    pub notes: Vec<String>,
    /// The fitted and assumed numbers the results lean on, each once.
    pub leans_on: Vec<FactUse>,
}

/// How many VMs one way of sharing takes.
#[derive(Clone, Debug, Serialize)]
pub struct WayResult {
    /// What tells it from the others.
    pub name: String,
    /// The most VMs with which every VM is VALID in every replication; 0 when no number is.
    pub vms: u32,
    /// The numbers below it that are INVALID, in replication 0, by short runs where nothing longer says
    /// more.
    pub invalid_below: Vec<u32>,
    /// The numbers of VMs that were looked at.
    pub looked_at: Vec<u32>,
    /// How the search came to its end.
    pub ended: Ended,
    /// The same for each replication by itself.
    pub vms_by_replication: Vec<u32>,
    /// The same in replication 0 under the other rule for idle turns; nothing where that is settled.
    pub vms_other_idle: Option<u32>,
    /// The fewest and the most in replication 0 by other fits of the workloads and on the slowest and
    /// fastest of nine machines in ten; nothing where the inputs leave nothing open.
    pub vms_inputs: Option<[u32; 2]>,
    /// Whether every VM is still VALID with `vms` and one percent more GPU work, in replication 0;
    /// nothing for none.
    pub valid_with_more_work: Option<bool>,
    /// The most VMs with which there is a place for all, whatever their latency: of the numbers up to
    /// one that has none, or beyond that where a larger one has.
    pub vms_placed: u32,
    /// VMs of the group on the card that has most of them, with `vms`.
    pub vms_per_card: u32,
    /// Cards that VMs use, with `vms`; where they are of several models, of those of the group's.
    pub cards_used: u32,
    /// Cards of the machine; where they are of several models, those of the group's.
    pub cards: u32,
    /// The models of the group's cards; left out where the machine's are of one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpu_models: Vec<String>,
    /// What the VMs have of a card with `vms`: the vGPU type, the GPU instance, or that they are
    /// processes; nothing for cards of their own.
    pub holding: Option<String>,
    /// The rate that one VM is asked at.
    pub asked_per_s: f64,
    /// Its latency bound, in milliseconds.
    pub target_latency_ms: f64,
    /// What the run assumes of time slicing; nothing where no card is shared in turns.
    pub assumes: Option<String>,
    /// What stands against one more.
    pub stopped_by: Obstacle,
    /// That in words.
    pub stopped: String,
    /// The worst VM for each number that was simulated; the last is one more than fits, if it has a
    /// place.
    pub curve: Vec<VmPoint>,
}

impl VmResults {
    /// Whether any machine has cards of several models, so that ways say which they use.
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
    /// Whose p99 that is, in replication 0.
    pub worst_vm: String,
    /// What that VM completes per second, in replication 0.
    pub completed_per_s: f64,
    /// Whether every VM is VALID in every replication that was simulated.
    pub valid: bool,
}

/// One run, as far as it is of interest.
#[derive(Clone, Debug)]
struct Probe {
    valid: bool,
    /// Nothing when the run was given up.
    seen: Option<Seen>,
    /// The VM for which it was.
    lost: Option<VmId>,
}

/// What the worst VM saw.
#[derive(Clone, Debug)]
struct Seen {
    vm: String,
    p50: f64,
    p99: f64,
    completed_per_s: f64,
    failed: Vec<String>,
}

/// One way under search.
struct Search<'s> {
    way: usize,
    make: MakeRun<'s>,
    tell: &'s (dyn Fn(u32) + Sync),
    meter: Meter<'s>,
    under: Under,
    replication: u32,
    probes: BTreeMap<u32, Probe>,
}

/// What is otherwise in a search.
#[derive(Clone)]
enum Under {
    /// Nothing.
    AsItIs,
    /// The rule for idle turns.
    OtherIdle,
    /// The inputs: this variant, as far as it acts.
    OtherInputs(fits::Other),
}

/// Searches every way, in parallel. A search that `stop` ends early says what it knew.
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
    let mut leans_on = Vec::new();
    let (mut ways, mut lines) = (Vec::new(), Vec::new());
    let mut scaled = BTreeSet::new();
    for (way, (facts, told), line) in found {
        leans_on.extend(facts);
        scaled.extend(told);
        ways.push(way);
        lines.push(line);
    }
    put_in_order(&mut leans_on);
    VmResults {
        head: plan.head.clone(),
        group: plan.group.clone(),
        replications: plan.replications,
        scaled: scaled.into_iter().collect(),
        notes: open::told(&[lines], "VMs").into_iter().chain(notes(&ways)).collect(),
        ways,
        leans_on,
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
    let mut first = search(0, Under::AsItIs);
    let looks = first.scan(&counts);
    let answer = first.highest(&counts, &looks);
    let mut others: Vec<(u32, Search<'_>)> = (1..plan.replications)
        .into_par_iter()
        .with_max_len(1)
        .map(|replication| {
            let mut search = search(replication, Under::AsItIs);
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
    let vms_other_idle = open.then(|| search(0, Under::OtherIdle).from(answer, &counts, &looks));
    // An input may act only once there are neighbours.
    let most = make(index, counts.last().copied().unwrap_or(1));
    let runs = [shared.as_ref().ok(), most.as_ref().ok()].into_iter().flatten();
    let variants: BTreeSet<fits::Other> =
        runs.flat_map(fits::variants).map(|variant| variant.other).collect();
    let variants: Vec<fits::Other> = variants.into_iter().collect();
    let by_variant: Vec<u32> = variants
        .par_iter()
        .with_max_len(1)
        .map(|other| search(0, Under::OtherInputs(other.clone())).from(answer, &counts, &looks))
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
    let mut facts = Vec::new();
    if let Some(run) = &run {
        add_facts(run, &mut facts);
    }
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

/// What a short look at a number of VMs says.
#[derive(Clone, Debug)]
struct CountLook {
    says: Says,
    failed: Vec<String>,
}

type Looks = BTreeMap<u32, CountLook>;

impl Search<'_> {
    /// Looks at every number by short runs; as many as may be simulated, the largest first.
    fn scan(&mut self, counts: &[u32]) -> Looks {
        let mut looks = Looks::new();
        for &count in counts.iter().rev() {
            (self.tell)(count);
            let run = self.run(count);
            let Some(look) = Prober::look_as_asked(&run, &mut self.meter) else { break };
            looks.insert(count, CountLook { says: look.says, failed: look.failed });
        }
        looks
    }

    /// The highest number that is VALID at full length, of those that a short look does not rule out;
    /// where it rules out all, of those next to the least bad.
    fn highest(&mut self, counts: &[u32], looks: &Looks) -> u32 {
        let may_be = |count: &u32| looks.get(count).is_none_or(|look| look.says != Says::Invalid);
        let found = counts.iter().rev().copied().filter(may_be).find(|&count| self.probe(count));
        self.climb(found.unwrap_or(0), counts)
    }

    /// Further up from a number that is VALID, while the next is.
    fn climb(&mut self, from: u32, counts: &[u32]) -> u32 {
        let mut valid = from;
        for &count in counts.iter().filter(|&&count| count > from) {
            if !self.probe(count) {
                break;
            }
            valid = count;
        }
        valid
    }

    /// The same, where it is probably about `near`: up from there, else down to the next that is VALID.
    /// Where cards are shared by another rule nothing that is known helps, nor where none was VALID.
    fn from(&mut self, near: u32, counts: &[u32], looks: &Looks) -> u32 {
        if near == 0 || matches!(self.under, Under::OtherIdle) {
            let looks = self.scan(counts);
            return self.highest(counts, &looks);
        }
        if self.probe(near) {
            return self.climb(near, counts);
        }
        // A number that was plainly INVALID stays so with other random numbers.
        let is_known = matches!(self.under, Under::AsItIs);
        let may_be = |count: &u32| {
            !is_known || looks.get(count).is_none_or(|look| look.says != Says::Invalid)
        };
        let below = counts.iter().rev().copied().filter(|&count| count < near);
        below.filter(may_be).find(|&count| self.probe(count)).unwrap_or(0)
    }

    /// Whether every VM is VALID with so many.
    fn probe(&mut self, vms: u32) -> bool {
        if let Some(known) = self.probes.get(&vms) {
            return known.valid;
        }
        (self.tell)(vms);
        let run = self.run(vms);
        let (seen, lost) = match simulate_metered(&run, &mut self.meter) {
            Watched::Whole(outcome) => (Some(seen(&run, &outcome)), None),
            Watched::Lost(vm) => (None, Some(vm)),
            // It is not known, and no answer.
            Watched::Stopped => return false,
        };
        let valid = seen.as_ref().is_some_and(|seen| seen.failed.is_empty());
        self.probes.insert(vms, Probe { valid, seen, lost });
        valid
    }

    fn ended(&self) -> Ended {
        match self.meter.is_spent() {
            false => Ended::Complete,
            true if self.meter.is_used_up() => Ended::Work,
            true => Ended::Stopped,
        }
    }

    /// The numbers below the answer that are INVALID.
    fn invalid_below(&self, vms: u32, looks: &Looks) -> Vec<u32> {
        let invalid = looks.iter().filter(|&(&count, look)| {
            let known = self.probes.get(&count).map(|probe| !probe.valid);
            count < vms && known.unwrap_or(look.says == Says::Invalid)
        });
        invalid.map(|(&count, _)| count).collect()
    }

    /// Whether so many are VALID with a little more work, too.
    fn bears_more_work(&self, vms: u32) -> bool {
        let run = with_more_work(&self.run(vms));
        simulate_unless_lost(&run)
            .outcome()
            .is_some_and(|outcome| seen(&run, &outcome).failed.is_empty())
    }

    /// Simulates a run to its end that was given up.
    fn look_closely(&mut self, vms: u32) {
        if self.meter.is_spent() {
            return;
        }
        if self.probe(vms) || self.probes.get(&vms).is_none_or(|probe| probe.seen.is_some()) {
            return;
        }
        let run = self.run(vms);
        let seen = Some(seen(&run, &simulate(&run)));
        self.probes.insert(vms, Probe { valid: false, seen, lost: None });
    }

    fn run(&self, vms: u32) -> Experiment {
        let run = (self.make)(self.way, vms).expect("so many VMs have a place");
        let run = match &self.under {
            Under::AsItIs => run,
            Under::OtherIdle => other_idle(&run).map_or(run, |(_, other)| other),
            Under::OtherInputs(other) => {
                let mut variants = fits::variants(&run).into_iter();
                variants
                    .find(|variant| variant.other == *other)
                    .map_or(run, |variant| variant.experiment)
            }
        };
        Experiment { replication: self.replication, ..run }
    }
}

/// The Server VM that comes nearest to its bound, or is furthest over it, and all rules that fail.
fn seen(run: &Experiment, outcome: &Outcome) -> Seen {
    let mut worst: Option<(f64, Seen)> = None;
    let mut failed = BTreeSet::new();
    for (vm, found) in run.vms.iter().zip(&outcome.vms) {
        if vm.load.scenario != TestScenario::Server {
            continue;
        }
        let latency = latency_ms(found.recorder.latencies());
        let part = latency.p99 / vm.load.settings.target_latency.as_millis_f64();
        failed.extend(found.failed_rules.iter().map(|rule| format!("{}: {rule}", vm.name)));
        if worst.as_ref().is_none_or(|(most, _)| part > *most) {
            let seen = Seen {
                vm: vm.name.clone(),
                p50: latency.p50,
                p99: latency.p99,
                completed_per_s: completed_per_s(vm, &found.recorder),
                failed: found.failed_rules.clone(),
            };
            worst = Some((part, seen));
        }
    }
    let (_, mut seen) = worst.expect("the group that is counted is under Server load");
    if seen.failed.is_empty() {
        seen.failed = failed.into_iter().collect();
    }
    seen
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

/// Where no number is VALID: what stands against the most VMs beside what stands against the fewest.
fn both_ends(counts: &[u32], looks: &Looks, stopped: String, vms: u32) -> String {
    let most = counts.last().filter(|_| vms == 0 && counts.len() > 1);
    let told = most.and_then(|most| Some((most, looks.get(most)?)));
    match told {
        Some((most, look)) => {
            format!("{stopped}; with {}, {}", counted(most, "VM"), look.failed.join("; "))
        }
        None => stopped,
    }
}

/// What stands against `next` VMs, the next number that has a place.
fn stopped(runs: &[&Search<'_>], next: u32, looks: &Looks) -> String {
    // The first replication in which it fails tells how.
    let probes = runs.iter().filter_map(|search| Some((search, search.probes.get(&next)?)));
    let failing = probes.into_iter().find(|(_, probe)| !probe.valid);
    match failing {
        Some((search, Probe { seen: Some(seen), .. })) => in_words(&search.run(next), seen),
        Some((search, Probe { lost: Some(lost), .. })) => {
            let vm = &search.run(next).vms[usize::from(lost.0)];
            format!("{}: {}", vm.name, too_late(vm))
        }
        _ => looks.get(&next).map_or(String::new(), |look| look.failed.join("; ")),
    }
}

/// Which VM misses what, and by how much.
fn in_words(run: &Experiment, seen: &Seen) -> String {
    let vm = run.vms.iter().find(|vm| vm.name == seen.vm).expect("a VM of the run");
    let target = vm.load.settings.target_latency;
    let bound = target.as_millis_f64();
    let asked = vm.load.settings.target_qps;
    if seen.completed_per_s < 0.98 * asked {
        return format!(
            "{} is overloaded: it completes {:.0} of {asked} per second",
            seen.vm, seen.completed_per_s
        );
    }
    if vm.load.settings.percentile == 99.0 && seen.p99 > bound {
        let over = (seen.p99 / bound - 1.0) * 100.0;
        return format!(
            "{} has p99 {}, {over:.2} % over the bound of {target}",
            seen.vm,
            in_time(seen.p99)
        );
    }
    format!("{}: {}", seen.vm, seen.failed.join("; "))
}

/// Milliseconds to a ten-thousandth of one, those of ten seconds and more in seconds.
fn in_time(ms: f64) -> String {
    if ms < 10_000.0 { format!("{ms:.4} ms") } else { format!("{:.2} s", ms / 1e3) }
}

/// What can be said of a way without simulating it.
fn described(plan: &VmPlan, index: usize, run: Option<&Experiment>, vms: u32) -> WayResult {
    let mut result = WayResult {
        name: plan.ways[index].clone(),
        vms: 0,
        invalid_below: Vec::new(),
        looked_at: Vec::new(),
        ended: Ended::Complete,
        vms_by_replication: Vec::new(),
        vms_other_idle: None,
        vms_inputs: None,
        valid_with_more_work: None,
        vms_placed: 0,
        vms_per_card: 0,
        cards_used: 0,
        cards: 0,
        gpu_models: Vec::new(),
        holding: None,
        asked_per_s: 0.0,
        target_latency_ms: 0.0,
        assumes: None,
        stopped_by: Obstacle::Rule,
        stopped: String::new(),
        curve: Vec::new(),
    };
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
    let used: BTreeSet<GpuId> =
        run.vms.iter().flat_map(|vm| &vm.gpus).map(|share| share.card).collect();
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
            let card = &run.cards[usize::from(share.card.0)];
            let instance = &card.instances[usize::from(share.instance)];
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

/// What a reader must know before believing a figure.
fn notes(ways: &[WayResult]) -> Vec<String> {
    let mut notes = Vec::new();
    for way in ways {
        if !way.invalid_below.is_empty() {
            notes.push(format!(
                "{}: with {} all are VALID, with fewer not ({}): the cards are shared in another way with them, or their own queue fills too slowly",
                way.name,
                counted(way.vms, "VM"),
                ranges(&way.invalid_below)
            ));
        }
        if way.ended != Ended::Complete {
            let why = match way.ended {
                Ended::Work => "it had simulated as much as one search may",
                _ => "it was told to stop, so that another run may say otherwise",
            };
            notes.push(format!("{}: the search ended early, for {why}; {} is what it knew to be VALID, and more may be", way.name, way.vms));
        }
        if way.valid_with_more_work == Some(false) {
            notes.push(format!(
                "{}: with 1 % more GPU work {} would be INVALID; count on {}",
                way.name,
                counted(way.vms, "VM"),
                way.vms - 1
            ));
        }
        let left = way.cards - way.cards_used;
        if way.stopped_by == Obstacle::Latency && way.vms > 0 && left > 0 {
            notes.push(format!(
                "{}: the bound breaks on one card while {left} of {} have no VM; assignment = \"spread\" would use them",
                way.name, way.cards
            ));
        }
    }
    notes
}

/// Rising numbers in few words: `1 to 3, 6`.
pub fn ranges(numbers: &[u32]) -> String {
    let mut runs: Vec<[u32; 2]> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some([_, last]) if *last + 1 == number => *last = number,
            _ => runs.push([number, number]),
        }
    }
    let runs = runs.iter().map(|[first, last]| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    });
    runs.collect::<Vec<_>>().join(", ")
}
