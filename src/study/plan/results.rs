//! The answer of `slicewise plan`: the structure of `plan.json`.

use super::layout::{Held, Layout};
use crate::study::Interval;
use crate::study::border::Ended;
use crate::study::results::{FactUse, Head};
use crate::study::verdict::Verdict;
use serde::Serialize;

/// What is found for VMs and cards.
#[derive(Clone, Debug, Serialize)]
pub struct PlanResults {
    /// The program and the input.
    #[serde(flatten)]
    pub head: Head,
    /// The answer in short.
    pub verdict: Verdict,
    /// What the VMs are asked.
    pub kinds: Vec<KindAsked>,
    /// The currency of prices; left out where no price is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Layouts that hold every bound, the cheapest first, of equal cost those with more headroom
    /// first; none where none was found.
    pub layouts: Vec<PlanAnswer>,
    /// Where no layout holds: the one of those tried that comes nearest; left out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<NearestAnswer>,
    /// Ways of sharing cards of which no layout was found.
    pub without: Vec<WayWithout>,
    /// Ways of holding VMs on a card that were left out, by the reason, most first.
    pub left_out: Vec<Leaving>,
    /// Sets of VMs on one card that were judged.
    pub sets_judged: u64,
    /// Short runs for that.
    pub runs_short: u64,
    /// Runs of full length of each layout, with other random numbers.
    pub runs_full: u32,
    /// What was not tried; whole sentences.
    pub not_tried: Vec<String>,
    /// How the search came to its end.
    pub ended: Ended,
    /// Service times scaled from another GPU; left out where all are the GPUs' own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<String>,
    /// Notes to be read before the figures; whole sentences.
    pub notes: Vec<String>,
    /// The fitted and assumed numbers that the layouts lean on, each once.
    pub leans_on: Vec<FactUse>,
}

/// VMs that are alike, and what each is asked.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct KindAsked {
    /// Their name.
    pub name: String,
    /// How many.
    pub count: u32,
    /// The workload of each.
    pub workload: String,
    /// Queries per second of each.
    pub asked_per_s: f64,
    /// The bound of each, in milliseconds.
    pub target_latency_ms: f64,
    /// The percentile of queries that must hold it.
    pub percentile: f64,
    /// The largest batch of the file.
    pub batch_max: u32,
}

/// A way of sharing cards of which no layout was found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct WayWithout {
    /// The way, in words.
    pub way: String,
    /// In the layout on all cards that comes nearest, the latency of the worst VM over its bound, in
    /// a short run of each card; nothing where every such layout was left out without a run.
    pub over_bound: Option<f64>,
}

/// Ways that were left out for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Leaving {
    /// The reason.
    pub by: String,
    /// How many.
    pub ways: u64,
}

/// A layout that holds every bound.
#[derive(Clone, Debug, Serialize)]
pub struct PlanAnswer {
    /// From 1, the cheapest.
    pub rank: usize,
    /// Cards in use.
    pub cards: u32,
    /// What the cards cost in an hour; left out where no price is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_hour: Option<f64>,
    /// What a thousand queries cost, all VMs together; left out where no price is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_1000: Option<f64>,
    /// Energy of the cards for a query of any VM, in joules, at the least and at the most: a card
    /// draws at most its limit while it works; idle what is known of it, else 0 to the limit.
    pub joules_per_query: [f64; 2],
    /// Whether no other layout shown is as cheap, with as much headroom and as few joules at most,
    /// and better in one of these.
    pub unbeaten: bool,
    /// How time-sliced vGPUs take turns; nothing where there are none.
    pub policy: Option<String>,
    /// Every card with its VMs.
    pub by_card: Vec<CardAnswer>,
    /// Every VM.
    pub vms: Vec<VmAnswer>,
    /// The least headroom of a VM: 1 - latency / bound, at the percentile of its load, of the runs
    /// with other random numbers the least.
    pub headroom: f64,
    /// The VM with it.
    pub worst_vm: String,
    /// The same with other inputs that measurements leave open, and under the other rule for idle
    /// turns: the least and the greatest; nothing where nothing is open.
    pub headroom_inputs: Option<[f64; 2]>,
    /// The file of this layout as a scenario.
    pub file: String,
    /// The layout itself.
    #[serde(skip)]
    pub layout: Layout,
    /// The content of the file.
    #[serde(skip)]
    pub scenario: String,
    /// The GPU instances of the layout as a configuration of mig-parted; nothing without any.
    #[serde(skip)]
    pub mig_parted: Option<String>,
}

impl PlanAnswer {
    /// The GPU models of its cards in their order, with how many cards of each.
    pub fn models(&self) -> Vec<(&str, usize)> {
        let mut models: Vec<(&str, usize)> = Vec::new();
        for card in &self.by_card {
            match models.iter_mut().find(|(model, _)| *model == card.model) {
                Some((_, count)) => *count += 1,
                None => models.push((&card.model, 1)),
            }
        }
        models
    }
}

/// A layout that does not hold, and that no other tried comes nearer.
#[derive(Clone, Debug, Serialize)]
pub struct NearestAnswer {
    /// How time-sliced vGPUs take turns; nothing where there are none.
    pub policy: Option<String>,
    /// The GPU model of each card.
    pub models: Vec<String>,
    /// The VMs of each card.
    pub by_card: Vec<Vec<VmsOnCard>>,
    /// The latency of the worst VM over its bound, in a short run of each card.
    pub over_bound: f64,
    /// The file of this layout as a scenario.
    pub file: String,
    /// The layout itself.
    #[serde(skip)]
    pub layout: Layout,
    /// The content of the file.
    #[serde(skip)]
    pub scenario: String,
}

/// A card of a layout.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CardAnswer {
    /// Its number, from 0.
    pub id: usize,
    /// Its GPU model.
    pub model: String,
    /// Its VMs.
    pub vms: Vec<VmsOnCard>,
    /// The part of the run that it works, from 0 to 1.
    pub busy: f64,
    /// The least headroom of its VMs.
    pub headroom: f64,
}

/// VMs of one kind on a card.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct VmsOnCard {
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: u32,
    /// What each has.
    pub held: Held,
    /// The largest batch of each.
    pub batch_max: u32,
}

/// A VM of a layout.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct VmAnswer {
    /// Its name in the file of the layout.
    pub name: String,
    /// The kind.
    pub kind: String,
    /// Its card.
    pub card: u16,
    /// What it has of it.
    pub held: Held,
    /// Its latency at the percentile of its load, in milliseconds, over runs with other random
    /// numbers.
    pub latency_ms: Interval,
    /// The least and the greatest with other inputs that measurements leave open, and under the
    /// other rule for idle turns; nothing where nothing is open.
    pub latency_inputs_ms: Option<[f64; 2]>,
    /// Its bound, in milliseconds.
    pub target_latency_ms: f64,
    /// 1 - latency / bound, of the run with the least.
    pub headroom: f64,
    /// Queries that it completes per second.
    pub completed_per_s: f64,
}
