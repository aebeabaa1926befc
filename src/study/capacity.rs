//! Capacity: the highest Server rate that stays VALID, and latency at the rates below it.
//!
//! Every rate uses the same random numbers (LoadGen's schedule is the same except for its time
//! scale), so that two systems under comparison differ by the system alone. LoadGen's
//! FindPeakPerformance mode does so too. How a border is found is in `border`.

use super::baseline::counterfactuals;
use super::border::{CapacitySearch, Ended, Limit, SearchRecord, Watch, limit_near};
use super::capacity_verdict::{self, Rated};
use super::gap::{self, Gap, GapPlan};
use super::interval::{Interval, student_95};
use super::open::{self, Line, OpenEnd};
use super::progress::Progress;
use super::results::{FactUse, Head};
use super::system::{LoadPoint, System, load_point};
use super::variant::{asked_per_s, at_rate, is_server, other_idle};
use super::verdict::Verdict;
use super::{bug, fits, leans_on, said, sensitivity};
use crate::parallel::*;
use crate::platform::{Meter, simulate_metered};
use crate::spec::{BaselineKind, Experiment, GpuId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The highest rate, in queries per second, at which the first VM's run is VALID with the rates of
/// all Server VMs raised alike; to the search's precision, and never too high by more than that; 0
/// when no rate is.
pub fn capacity(experiment: &Experiment, search: CapacitySearch) -> f64 {
    let first = experiment.vms.iter().find(is_server);
    let asked = first.map_or(0.0, |vm| vm.load.settings.target_qps);
    limit(experiment, search).rate * asked / asked_per_s(experiment)
}

/// The highest rate of all Server VMs together at which every one of them is VALID, their rates
/// raised alike.
pub fn limit(experiment: &Experiment, search: CapacitySearch) -> Limit {
    limit_near(experiment, search, None, Watch::NOBODY)
}

/// The plan of a capacity search.
#[derive(Clone, Debug)]
pub struct CapacityPlan {
    /// The head of the results.
    pub head: Head,
    /// The precision of the searches.
    pub search: CapacitySearch,
    /// Searches per system; replication 0 draws what a single run would, later ones reseed.
    pub replications: u32,
    /// The systems, side by side.
    pub systems: Vec<System>,
    /// The published ratios to explain with them.
    pub gaps: Vec<GapPlan>,
    /// Systems that cannot be simulated, with the reason.
    pub skipped: Vec<String>,
    /// Notes to be read before all else.
    pub notes: Vec<String>,
}

impl CapacityPlan {
    /// A plan that explains no published ratio and leaves nothing out.
    pub fn of(head: Head, search: CapacitySearch, replications: u32, systems: Vec<System>) -> Self {
        let (gaps, skipped, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self { head, search, replications, systems, gaps, skipped, notes }
    }
}

/// The results of a capacity search.
#[derive(Clone, Debug, Serialize)]
pub struct CapacityResults {
    /// The program and the input.
    #[serde(flatten)]
    pub head: Head,
    /// The answer in short.
    pub verdict: Verdict,
    /// Relative distance between the VALID and the INVALID rate at the end.
    pub precision: f64,
    /// Searches per system.
    pub replications: u32,
    /// One entry per system.
    pub systems: Vec<SystemCapacity>,
    /// How published ratios of Server rates come about.
    pub gaps: Vec<Gap>,
    /// Service times scaled from another GPU: sentences for the head of a report; none where all
    /// are the GPUs' own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<String>,
    /// Notes to be read before the figures; whole sentences.
    pub notes: Vec<String>,
    /// Systems that could not be simulated, with the reason.
    pub skipped: Vec<String>,
    /// The fitted and assumed numbers that the results use, each once.
    pub leans_on: Vec<FactUse>,
}

/// The capacity of one system.
#[derive(Clone, Debug, Serialize)]
pub struct SystemCapacity {
    /// Its name, unique in the results.
    pub name: String,
    /// VMs under Server load; the figures are of all of them.
    pub server_vms: usize,
    /// Cards that its VMs use.
    pub cards: usize,
    /// The same by GPU model; left out where the host's cards are of one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cards_by_model: BTreeMap<String, usize>,
    /// Highest VALID rate of all Server VMs together, queries per second, over the replications.
    pub capacity_per_s: Interval,
    /// The least and the greatest of that rate over the inputs that measurements leave open, with
    /// the ratios of replication 0; nothing where no input has a range.
    pub capacity_per_s_between_inputs: Option<[f64; 2]>,
    /// That rate over the one of bare metal on the same cards; nothing where there is none.
    pub ratio_to_bare_metal: Option<Interval>,
    /// That rate over the one of bare metal with whole cards for each VM; nothing where there is none,
    /// or where it is the same.
    pub ratio_to_whole_cards: Option<Interval>,
    /// The rules that fail just above it, in replication 0.
    pub limited_by: Vec<String>,
    /// The strictest bound of its Server VMs, in milliseconds.
    pub target_latency_ms: f64,
    /// The loosest, where not all have the same; the figures of a curve are of the VM with the highest latency,
    /// which may have either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loosest_latency_ms: Option<f64>,
    /// The lowest rate from which all rates up to the capacity are VALID, replication 0; nothing
    /// where low rates are VALID, too.
    pub lowest_valid_per_s: Option<f64>,
    /// Whether every rate up to the highest that was tried is VALID: then the capacity is that
    /// rate, and not a border.
    pub is_open: bool,
    /// Whether a run of full length was VALID at it in every replication.
    pub is_confirmed: bool,
    /// How the searches ended; of several, the one that is furthest from complete.
    pub ended: Ended,
    /// The rates that were tried, replication 0.
    pub looked: Option<SearchRecord>,
    /// All that as sentences.
    pub said: Vec<String>,
    /// Latency at the rates below it, replication 0.
    pub curve: Vec<LoadPoint>,
}

impl CapacityResults {
    /// Whether any host has cards of several models, so that systems state which they use.
    pub fn has_several_models(&self) -> bool {
        self.systems.iter().any(|system| !system.cards_by_model.is_empty())
    }
}

impl SystemCapacity {
    /// The cards it uses by model: `2 x a100-pcie-40gb, 1 x a30`.
    pub fn cards_in_words(&self) -> String {
        let cards = self.cards_by_model.iter().map(|(model, cards)| format!("{cards} x {model}"));
        cards.collect::<Vec<_>>().join(", ")
    }
}

/// Adds an experiment, the same with the other rule for idle turns where that is not documented,
/// and its counterfactuals on bare metal.
pub fn add_with_bare_metal(systems: &mut Vec<System>, name: &str, experiment: &Experiment) {
    let other = other_idle(experiment);
    let mut bare = counterfactuals(experiment);
    let of_two_kinds = bare.len() > 1;
    // What is on bare metal already, with cards of its own, stands beside nothing.
    bare.retain(|(_, other)| !is_same_run(experiment, other));
    let first_bare = systems.len() + 1 + usize::from(other.is_some());
    let place = |wanted| {
        let place = bare.iter().position(|(kind, _)| *kind == wanted);
        place.map(|place| first_bare + place)
    };
    let bare_metal = place(BaselineKind::SameCards);
    let whole_cards = place(BaselineKind::WholeCards);
    let mut add = |name, experiment, bare_metal, whole_cards| {
        systems.push(System { bare_metal, whole_cards, ..System::of(name, experiment) });
    };
    add(name.to_string(), experiment.clone(), bare_metal, whole_cards);
    if let Some((rule, other)) = other {
        let option = sensitivity::idle_option(rule);
        add(format!("{name}, {option}"), other, bare_metal, whole_cards);
    }
    for (kind, experiment) in bare {
        let kind = if of_two_kinds { format!(", {}", kind.in_words()) } else { String::new() };
        add(format!("{name}, bare metal{kind}"), experiment, None, None);
    }
}

/// Whether a run and its counterfactual are one: both on bare metal, and alike in all that is simulated.
fn is_same_run(experiment: &Experiment, other: &Experiment) -> bool {
    // Cards in the order of their use: idle ones change nothing, nor does a number.
    let parts = |of: &Experiment| {
        let mut vms = of.vms.clone();
        let mut used = Vec::new();
        for share in vms.iter_mut().flat_map(|vm| &mut vm.gpus) {
            let known = used.iter().position(|card| *card == share.card);
            let place = known.unwrap_or(used.len());
            if known.is_none() {
                used.push(share.card);
            }
            share.card = GpuId(place as u16);
        }
        let cards: Vec<_> = used.iter().map(|card| &of.cards[usize::from(card.0)]).collect();
        format!("{:?}", (cards, vms, &of.pools))
    };
    experiment.hypervisor.id == other.hypervisor.id && parts(experiment) == parts(other)
}

/// Searches the capacity of every system, in parallel, and its latencies at lower rates. A search
/// that `stop` ends early returns its answer so far.
pub fn capacities(
    plan: &CapacityPlan,
    progress: Progress<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> CapacityResults {
    let jobs: Vec<(usize, u32)> = (0..plan.systems.len())
        .flat_map(|system| (1..plan.replications).map(move |replication| (system, replication)))
        .collect();
    let (done, all) = (AtomicU64::new(0), jobs.len() as u64 + 3 * plan.systems.len() as u64);
    let step = |name: &str| progress(done.fetch_add(1, Ordering::Relaxed) + 1, all, name);
    let bugs = Bugs::default();
    let search = |system: usize, replication: u32, near: Option<f64>| {
        let System { name, experiment, .. } = &plan.systems[system];
        let experiment = Experiment { replication, ..experiment.clone() };
        let tell = |rate: f64| {
            let doing = format!("{name}: {rate:.3} per second");
            progress(done.load(Ordering::Relaxed), all, &doing);
        };
        let watch = Watch { tell: &tell, stop };
        let limit = bugs.caught(system, || limit_near(&experiment, plan.search, near, watch));
        step(name);
        limit.unwrap_or_default()
    };
    let systems: Vec<usize> = (0..plan.systems.len()).collect();
    let first: Vec<Limit> =
        systems.par_iter().with_max_len(1).map(|&system| search(system, 0, None)).collect();
    // Other random numbers move the border little: the next searches begin where the first ended.
    let others: Vec<Limit> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&(system, replication)| search(system, replication, Some(first[system].rate)))
        .collect();
    let mut others = others.into_iter();
    let limits: Vec<Vec<Limit>> = first
        .into_iter()
        .map(|first| {
            let rest = others.by_ref().take(plan.replications as usize - 1);
            std::iter::once(first).chain(rest).collect()
        })
        .collect();
    // The first search that found a rate speaks for all; where none did, the first.
    let shown = |system: usize| {
        let found = limits[system].iter().find(|limit| limit.rate > 0.0);
        found.unwrap_or(&limits[system][0])
    };
    let between: Vec<Between> = plan
        .systems
        .par_iter()
        .enumerate()
        .map(|(index, system)| {
            let own = shown(index);
            let found = bugs.caught(index, || between_inputs(system, plan.search, own, stop));
            step(&system.name);
            found.unwrap_or(Between { ends: None, open: Vec::new() })
        })
        .collect();
    let curves: Vec<Vec<LoadPoint>> = plan
        .systems
        .par_iter()
        .enumerate()
        .map(|(index, system)| {
            let curve = match system.with_curve {
                true if !stop() => {
                    bugs.caught(index, || curve(&system.experiment, shown(index), stop))
                }
                _ => None,
            };
            step(&system.name);
            curve.unwrap_or_default()
        })
        .collect();

    let rates_of =
        |system: usize| -> Vec<f64> { limits[system].iter().map(|limit| limit.rate).collect() };
    let mut leans_on = Vec::new();
    let mut systems = Vec::new();
    let bugs = bugs.by_system();
    for (index, (system, curve)) in plan.systems.iter().zip(curves).enumerate() {
        if bugs.contains_key(&index) {
            continue;
        }
        leans_on.extend(leans_on::facts(&system.experiment));
        let rates = rates_of(index);
        // A search that finds no rate is told, and is no rate of 0 to take a mean with.
        let found: Vec<f64> = rates.iter().copied().filter(|rate| *rate > 0.0).collect();
        let known = if found.is_empty() { &rates } else { &found };
        let ratio_to = |bare: Option<usize>| {
            let pairs = rates.iter().zip(rates_of(bare?));
            let ratios = pairs.map(|(rate, bare)| rate / bare);
            let is_known = |ratio: &f64| ratio.is_finite() && (*ratio > 0.0 || found.is_empty());
            let ratios: Vec<f64> = ratios.filter(is_known).collect();
            Some(student_95(&ratios)?.of_searches(plan.search.precision))
        };
        let capacity_per_s = student_95(known).expect("at least one replication");
        let vms = &system.experiment.vms;
        let cards = system.experiment.cards_in_use();
        let mut cards_by_model = BTreeMap::new();
        if plan.systems.iter().any(|other| other.experiment.has_several_models()) {
            for card in &cards {
                let model = &system.experiment.cards[usize::from(card.0)].gpu.id;
                *cards_by_model.entry(model.clone()).or_default() += 1;
            }
        }
        let servers = || vms.iter().filter(is_server);
        let bounds = servers().map(|vm| vm.load.settings.target_latency.as_millis_f64());
        let bounds: Vec<f64> = bounds.collect();
        let strictest = bounds.iter().copied().fold(f64::INFINITY, f64::min);
        let loosest = bounds.iter().copied().fold(strictest, f64::max);
        systems.push(SystemCapacity {
            name: system.name.clone(),
            server_vms: servers().count(),
            cards: cards.len(),
            cards_by_model,
            capacity_per_s,
            capacity_per_s_between_inputs: between[index]
                .ends
                .map(|ends| ends.map(|part| part * capacity_per_s.mean)),
            ratio_to_bare_metal: ratio_to(system.bare_metal),
            ratio_to_whole_cards: ratio_to(system.whole_cards),
            limited_by: shown(index).failed.clone(),
            target_latency_ms: strictest,
            loosest_latency_ms: (loosest > strictest).then_some(loosest),
            lowest_valid_per_s: shown(index).lowest,
            is_open: limits[index].iter().any(|limit| limit.is_open),
            is_confirmed: limits[index]
                .iter()
                .filter(|limit| limit.rate > 0.0 || found.is_empty())
                .all(|limit| limit.is_confirmed),
            ended: limits[index].iter().map(|limit| limit.ended).max().unwrap_or(Ended::Complete),
            looked: shown(index).looked.clone(),
            said: said::of_all(&system.experiment, &limits[index]),
            curve,
        });
    }
    let known = between.iter().enumerate().filter(|(index, _)| !bugs.contains_key(index));
    let known: Vec<&Between> = known.map(|(_, between)| between).collect();
    let open = of_open_inputs(&systems, &known);
    let cpu = super::cpu::notes(plan.systems.iter().map(|system| &system.experiment));
    let notes = plan.notes.iter().cloned().chain(open).chain(cpu).collect();
    let rates: Vec<Vec<f64>> = (0..plan.systems.len()).map(rates_of).collect();
    let explain = |gap| gap::explain(gap, &plan.systems, &rates, plan.search.precision);
    let is_known = |gap: &&GapPlan| !gap.systems().any(|system| bugs.contains_key(&system));
    let gaps = plan.gaps.par_iter().filter(is_known).map(explain).collect();
    let broken = bugs.iter().map(|(&system, bug)| format!("{}: {bug}", plan.systems[system].name));
    let skipped = plan.skipped.iter().cloned().chain(broken).collect();
    let is_counterfactual = |name: &str| {
        let place = plan.systems.iter().position(|system| system.name == name);
        let refers = |system: &System| [system.bare_metal, system.whole_cards].contains(&place);
        place.is_some() && plan.systems.iter().any(refers)
    };
    CapacityResults {
        gaps,
        head: plan.head.clone(),
        verdict: verdict(plan, &systems, is_counterfactual),
        precision: plan.search.precision,
        replications: plan.replications,
        systems,
        scaled: super::notes::scaled(plan.systems.iter().map(|system| &system.experiment)),
        notes,
        skipped,
        leans_on: leans_on::in_order(leans_on),
    }
}

/// The verdict on a capacity search; counterfactuals, by name, are there to be compared with.
fn verdict(
    plan: &CapacityPlan,
    systems: &[SystemCapacity],
    is_counterfactual: impl Fn(&str) -> bool,
) -> Verdict {
    let rated = |system: &'_ SystemCapacity| {
        let of = plan.systems.iter().find(|other| other.name == system.name)?;
        let servers = of.experiment.vms.iter().filter(is_server);
        let mut load: Vec<(&str, f64)> = servers
            .map(|vm| (vm.workload.id.as_str(), vm.load.settings.target_latency.as_millis_f64()))
            .collect();
        load.sort_by(|one, other| one.0.cmp(other.0).then(one.1.total_cmp(&other.1)));
        load.dedup();
        Some(Rated {
            name: &of.name,
            load,
            cards: system.cards,
            per_s: system.capacity_per_s.mean,
            ratio: system.ratio_to_bare_metal.map(|ratio| ratio.mean),
        })
    };
    let own = systems.iter().filter(|system| !is_counterfactual(&system.name));
    let own: Vec<Rated<'_>> = own.filter_map(rated).collect();
    match own.is_empty() {
        true => capacity_verdict::of(&systems.iter().filter_map(rated).collect::<Vec<_>>()),
        false => capacity_verdict::of(&own),
    }
}

/// What went wrong with us, by system: a bug in one is not the end of the others.
#[derive(Default)]
struct Bugs(Mutex<BTreeMap<usize, BTreeSet<String>>>);

impl Bugs {
    /// Does a piece of work on a system; nothing where it panics, which is noted.
    fn caught<R>(&self, system: usize, work: impl FnOnce() -> R) -> Option<R> {
        let note = |bug| self.lock().entry(system).or_default().insert(bug);
        bug::caught(work).map_err(note).ok()
    }

    /// The first of each system, in the order of their words: threads end in any order.
    fn by_system(&self) -> BTreeMap<usize, String> {
        let all = self.lock();
        all.iter().filter_map(|(system, bugs)| Some((*system, bugs.first()?.clone()))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the inputs leave open of a system's limit, over the limit itself.
struct Between {
    /// The least and the greatest; nothing where the inputs leave nothing open.
    ends: Option<[f64; 2]>,
    /// With inputs that nothing measured at the ends of their ranges.
    open: Vec<(OpenEnd, f64)>,
}

/// The limits of the variants of a system's inputs.
fn between_inputs(
    system: &System,
    search: CapacitySearch,
    own: &Limit,
    stop: &(dyn Fn() -> bool + Sync),
) -> Between {
    let variants = fits::variants(&system.experiment);
    let idle = other_idle(&system.experiment).filter(|_| system.with_other_idle);
    let nothing = variants.is_empty() && idle.is_none();
    if !system.with_inputs || nothing || own.rate <= 0.0 || own.is_open || stop() {
        return Between { ends: None, open: Vec::new() };
    }
    let near = Some(own.rate);
    let watch = Watch { stop, ..Watch::NOBODY };
    let part_of = |other: &Experiment| limit_near(other, search, near, watch).rate / own.rate;
    let parts: Vec<f64> = variants.par_iter().map(|variant| part_of(&variant.experiment)).collect();
    let of_idle = idle.map(|(_, other)| part_of(&other));
    let ends = parts
        .iter()
        .chain(&of_idle)
        .fold([1.0, 1.0], |[low, high]: [f64; 2], part| [low.min(*part), high.max(*part)]);
    let open = variants.into_iter().zip(parts).filter_map(|(variant, part)| match variant.other {
        fits::Other::Open(end) => Some((end, part)),
        _ => None,
    });
    Between { ends: Some(ends), open: open.collect() }
}

/// What open inputs do to the capacities: by card, so that systems of several sizes can be compared.
fn of_open_inputs(systems: &[SystemCapacity], between: &[&Between]) -> Vec<String> {
    let lines = systems.iter().zip(between).map(|(system, between)| {
        let own = system.capacity_per_s.mean / system.cards.max(1) as f64;
        let at = between.open.iter().map(|(end, part)| (end.clone(), part * own));
        Line { name: system.name.clone(), own, at: at.collect() }
    });
    open::sentences(&[lines.collect()], "queries per second and card")
}

/// Latencies on the way to the capacity, at rates of three digits, and about it, where the search has
/// been; a rate at which the run was given up has no point.
fn curve(
    experiment: &Experiment,
    limit: &Limit,
    stop: &(dyn Fn() -> bool + Sync),
) -> Vec<LoadPoint> {
    /// Parts of the capacity: dense where latency grows.
    const LOADS: [f64; 7] = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95];
    /// The search looks further, at rates that would leave the chart.
    const BEYOND: f64 = 1.1;
    if limit.rate <= 0.0 {
        return Vec::new();
    }
    let below = LOADS.iter().filter_map(|load| {
        let rate = three_digits(load * limit.rate);
        let experiment = at_rate(experiment, rate);
        let mut meter = Meter::new(u64::MAX, stop);
        Some(load_point(rate, &experiment, &simulate_metered(&experiment, &mut meter).outcome()?))
    });
    let mut points: Vec<LoadPoint> = below.collect();
    let last = points.last().map_or(0.0, |point| point.asked_per_s);
    let near = limit
        .seen
        .iter()
        .filter(|point| point.asked_per_s > last && point.asked_per_s < BEYOND * limit.rate);
    points.extend(near);
    points
}

/// The positive number to three digits.
fn three_digits(number: f64) -> f64 {
    let decade = 10_f64.powf(number.log10().floor() - 2.0);
    (number / decade).round() * decade
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_a_curve_are_round() {
        for (number, round) in [(7_812.4, 7_810.0), (0.012_345, 0.0123), (999.6, 1000.0)] {
            assert!((three_digits(number) / round - 1.0).abs() < 1e-12, "{number}");
        }
    }
}
