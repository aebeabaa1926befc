//! Which VMs on which cards, and what each has of its card, so that every latency bound is held: the
//! layouts with the fewest cards, or the least cost, and of these the ones with the most headroom.
//!
//! Sets of VMs on one card are pruned by bounds and judged by short runs (`judge`), layouts are
//! covers of all VMs by such sets (`cover`, `search`), and what is returned was simulated as a
//! whole, at full length and with other random numbers.

mod cost;
mod cover;
mod judge;
mod layout;
mod look;
mod options;
mod results;
mod search;
mod told;

pub use layout::{CardLayout, CardPart, Held, Layout};
pub use results::{
    CardAnswer, KindAsked, Leaving, NearestAnswer, PlanAnswer, PlanResults, VmAnswer, VmsOnCard,
    WayWithout,
};

use super::progress::Progress;
use super::results::Head;
use super::vms::TooMany;
use crate::spec::{Experiment, GpuSpec, VmSpec};
use judge::{BY_NARROW, BY_WHOLE, Whole};
use options::Family;
use search::{Draft, Search};

/// VMs that are alike.
#[derive(Clone, Debug)]
pub struct PlanKind {
    /// Their name.
    pub name: String,
    /// How many.
    pub count: u32,
    /// One of them, without cards.
    pub vm: VmSpec,
    /// Whether its largest batch may be less than the file says.
    pub lowers_batch: bool,
}

/// Cards of one model that are at hand.
#[derive(Clone, Debug)]
pub struct PlanCards {
    /// The model.
    pub gpu: GpuSpec,
    /// How many.
    pub most: u32,
    /// What one costs in an hour, in the currency of the prices; 1 without prices.
    pub price: f64,
}

/// How VMs can share cards under a hypervisor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CardWays {
    /// By vGPUs, time-sliced and MIG-backed; or a VM has a whole card.
    VirtualGpus,
    /// By GPU instances and as processes; or one has a whole card.
    BareMetal,
    /// Not at all: each VM has a whole card.
    WholeCards,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct PlanTask {
    /// The head of the results.
    pub head: Head,
    /// The VMs.
    pub kinds: Vec<PlanKind>,
    /// The cards at hand.
    pub cards: Vec<PlanCards>,
    /// The most cards in all.
    pub most_cards: u32,
    /// How VMs can share cards.
    pub ways: CardWays,
    /// The policies of time-sliced vGPUs to try.
    pub policies: Vec<String>,
    /// What cards, energy and licences cost; nothing where the file has no prices.
    pub prices: Option<Prices>,
    /// What was left out, or is not as asked, as sentences.
    pub notes: Vec<String>,
}

/// What all but the cards themselves costs.
#[derive(Clone, PartialEq, Debug)]
pub struct Prices {
    /// The currency.
    pub currency: String,
    /// A kilowatt-hour.
    pub kwh: f64,
    /// The licence of a VM with a vGPU for an hour.
    pub licence_per_vm: f64,
    /// The licence of a card with vGPUs for an hour.
    pub licence_per_card: f64,
}

/// Makes the run of a layout, replication 0; or the reason why there is none.
pub type MakeLayout<'m> = &'m (dyn Fn(&Layout) -> Result<Experiment, TooMany> + Sync);

/// Layouts that fail at full length, for one set of cards.
const FAILURES_MAX: u32 = 12;
/// Sets of cards that are tried with one way of sharing.
const PURSES_MAX: usize = 200;
/// Sets of cards that cost as much as one that does or more, for one way of sharing: they are looked at
/// for more headroom.
const DEARER_MAX: usize = 2;

/// A layout that holds, before it is described.
struct Found {
    draft: Draft,
    measured: judge::Measured,
    /// Of the cards alone.
    cost: f64,
    cards: u32,
}

/// Searches the layouts. A search that `stop` ends early returns what it has found so far.
pub fn layouts(
    task: &PlanTask,
    make: MakeLayout<'_>,
    progress: Progress<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> PlanResults {
    let mut search = Search::new(task, make, progress, stop);
    let (purses, all) = purses(task);
    if !all {
        search.say_not_tried("further numbers of cards: there are too many");
    }
    let mut found: Vec<Found> = Vec::new();
    for families in styles(task) {
        search_style(&mut search, make, &purses, &families, &mut found);
    }
    let near = match found.is_empty() {
        true => nearest(&search, &purses, &styles(task)),
        false => None,
    };
    let without = without(&search, &purses, &found);
    told::results(task, &search, found, (near, without), progress)
}

/// The ways of sharing of which no layout was found.
fn without(search: &Search<'_>, purses: &[(f64, Vec<u32>)], found: &[Found]) -> Vec<WayWithout> {
    let task = search.task;
    let mut ways: Vec<(String, Family)> = Vec::new();
    match task.ways {
        CardWays::WholeCards => {}
        CardWays::VirtualGpus => {
            ways.push(("MIG-backed vGPUs".to_string(), Family::Cut));
            let sliced = task.policies.iter().enumerate();
            ways.extend(sliced.map(|(index, policy)| {
                (format!("time-sliced vGPUs with {policy}"), Family::Sliced(index))
            }));
        }
        CardWays::BareMetal => {
            ways.push(("GPU instances".to_string(), Family::Cut));
            ways.push(("processes on a card".to_string(), Family::Processes));
        }
    }
    let gpus = || task.cards.iter().map(|cards| &cards.gpu);
    ways.retain(|(_, family)| match family {
        Family::Cut => gpus().any(|gpu| !gpu.mig_profiles.is_empty()),
        Family::Sliced(_) => gpus().any(|gpu| !gpu.vgpu_types.is_empty()),
        Family::Whole | Family::Processes => true,
    });
    ways.retain(|(_, family)| !found.iter().any(|one| one.draft.is_in(*family)));
    let each = ways.into_iter().map(|(way, family)| {
        let near = nearest(search, purses, &[vec![Family::Whole, family]]);
        let near = near.filter(|draft| draft.is_in(family));
        WayWithout { way, over_bound: near.map(|draft| 1.0 - draft.headroom) }
    });
    each.collect()
}

/// Where nothing holds: the layout on all cards that comes nearest, in any way of sharing.
fn nearest(
    search: &Search<'_>,
    purses: &[(f64, Vec<u32>)],
    styles: &[Vec<Family>],
) -> Option<Draft> {
    let most = |cards: &[u32]| cards.iter().sum::<u32>();
    let families = styles.concat();
    let usable = purses.iter().filter(|(_, cards)| search.cards_may_do(cards, &families));
    let (_, cards) = usable.max_by_key(|(_, cards)| most(cards))?;
    let each = styles.iter().filter_map(|families| search.nearest(cards, families));
    each.reduce(|best, other| if other.headroom > best.headroom { other } else { best })
}

/// The layouts in ways of these families: on the cheapest set of cards that does, and on a few more if
/// that brings headroom.
fn search_style(
    search: &mut Search<'_>,
    make: MakeLayout<'_>,
    purses: &[(f64, Vec<u32>)],
    families: &[Family],
    found: &mut Vec<Found>,
) {
    let mut above = f64::NEG_INFINITY;
    let (mut tried, mut dearer) = (0, 0);
    for (cost, cards) in purses {
        if !search.cards_may_do(cards, families) {
            continue;
        }
        if above > f64::NEG_INFINITY {
            dearer += 1;
            if dearer > DEARER_MAX {
                search.say_not_tried(
                    "further numbers of cards that cost as much or more, which may have more headroom",
                );
                return;
            }
        }
        if tried == PURSES_MAX || search.is_over() {
            search.say_not_tried("further numbers of cards: the limit on work");
            return;
        }
        tried += 1;
        if let Some((draft, measured)) = verified(search, make, cards, families, above) {
            above = draft.headroom;
            if !found.iter().any(|one| one.draft.layout == draft.layout) {
                let (cost, cards) = (*cost, cards.iter().sum());
                search.holds_on = Some(search.holds_on.map_or(cards, |least| least.min(cards)));
                found.push(Found { draft, measured, cost, cards });
            }
        }
    }
}

/// The best layout on these cards that holds at full length.
fn verified(
    search: &mut Search<'_>,
    make: MakeLayout<'_>,
    cards: &[u32],
    families: &[Family],
    above: f64,
) -> Option<(Draft, judge::Measured)> {
    for _ in 0..FAILURES_MAX {
        let draft = search.best(cards, families, above)?;
        let experiment = match make(&draft.layout) {
            Ok(experiment) => experiment,
            Err(why) => {
                search.say_not_tried(&format!(
                    "a layout that the host has no room for: {}",
                    why.text
                ));
                return None;
            }
        };
        match judge::whole(experiment, search.stop()) {
            Whole::Holds(measured) => return Some((draft, *measured)),
            Whole::Fails(card) => search.leave_out(&draft, usize::from(card), BY_WHOLE),
            Whole::Narrow(card) => search.leave_out(&draft, usize::from(card), BY_NARROW),
            Whole::Stopped => {
                search.say_not_tried("a layout whose runs of full length did not end in time");
                return None;
            }
        }
    }
    search.say_not_tried("layouts after a dozen that short runs show to hold and long ones do not");
    None
}

/// The ways of sharing that are searched side by side.
fn styles(task: &PlanTask) -> Vec<Vec<Family>> {
    let whole = Family::Whole;
    match task.ways {
        CardWays::WholeCards => return vec![vec![whole]],
        CardWays::BareMetal => {
            return vec![
                vec![whole, Family::Cut],
                vec![whole, Family::Processes],
                vec![whole, Family::Cut, Family::Processes],
            ];
        }
        CardWays::VirtualGpus => {}
    }
    let mut styles = vec![vec![whole, Family::Cut]];
    let policies = 0..task.policies.len();
    styles.extend(policies.clone().map(|policy| vec![whole, Family::Sliced(policy)]));
    styles.extend(policies.map(|policy| vec![whole, Family::Cut, Family::Sliced(policy)]));
    styles
}

/// How many cards of each entry may be used, by rising cost: the number of cards where none has a
/// price. And whether these are all.
fn purses(task: &PlanTask) -> (Vec<(f64, Vec<u32>)>, bool) {
    /// More are not listed.
    const LISTED_MAX: usize = 20_000;
    let price = |entry: usize| task.cards[entry].price;
    let mut all: Vec<(f64, Vec<u32>)> = Vec::new();
    let mut cards = vec![0; task.cards.len()];
    let mut is_whole = true;
    loop {
        let next = (0..cards.len()).find(|&entry| {
            let used: u32 = cards[entry..].iter().sum();
            cards[entry] < task.cards[entry].most && used < task.most_cards
        });
        let Some(next) = next else { break };
        if all.len() == LISTED_MAX {
            is_whole = false;
            break;
        }
        cards[..next].fill(0);
        cards[next] += 1;
        let cost = cards.iter().enumerate();
        let cost = cost.map(|(entry, &count)| f64::from(count) * price(entry)).sum();
        all.push((cost, cards.clone()));
    }
    all.sort_by(|one, other| {
        let count = |cards: &[u32]| cards.iter().sum::<u32>();
        let by_count = || count(&one.1).cmp(&count(&other.1));
        let by_entry = || other.1.cmp(&one.1);
        one.0.total_cmp(&other.0).then_with(by_count).then_with(by_entry)
    });
    (all, is_whole)
}
