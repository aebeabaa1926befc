//! What is said of the layouts that were found: figures with their intervals, and which answers lie
//! within one another's.

use super::cost::{self, Cost};
use super::judge::{self, Measured, headroom, latency_ms};
use super::layout::{CardLayout, Held};
use super::options::Room;
use super::results::{
    CardAnswer, KindAsked, Leaving, NearestAnswer, PlanAnswer, PlanResults, VmAnswer, VmsOnCard,
    WayWithout,
};
use super::search::{Draft, Search};
use super::{Found, PlanTask};
use crate::parallel::*;
use crate::platform::simulate;
use crate::spec::{Experiment, VmSpec};
use crate::study::border::Ended;
use crate::study::figures::{completed_per_s, digits};
use crate::study::interval::student_95;
use crate::study::progress::Progress;
use crate::study::variant::other_idle;
use crate::study::verdict::Verdict;
use crate::study::{fits, leans_on, notes};
use crate::units::{SimDuration, counted};

/// Of the cheapest layouts so many are shown, and of those that cost more and that no other beats.
const CHEAPEST_MAX: usize = 4;
const SHOWN_MAX: usize = 6;

/// The results: the cheapest layouts, described, and dearer ones with more headroom.
pub(super) fn results(
    task: &PlanTask,
    search: &Search<'_>,
    found: Vec<Found>,
    (near, without): (Option<Draft>, Vec<WayWithout>),
    progress: Progress<'_>,
) -> PlanResults {
    let not_tried = search.not_tried.clone();
    let all = found.len();
    let mut hidden = None;
    let found = chosen(task, found);
    if found.len() < all {
        let more = counted(all - found.len(), "layout");
        hidden = Some(format!("{more} that hold as well, and cost as much or more, are not shown"));
    }
    let (runs, all) = (search.runs, found.len() as u64);
    progress(0, all, &format!("intervals of {} ({runs} short runs)", counted(all, "layout")));
    let layouts: Vec<PlanAnswer> = found
        .par_iter()
        .with_max_len(1)
        .enumerate()
        .map(|(index, (one, cost))| answer(task, (one, cost), index + 1))
        .collect();
    let layouts = with_unbeaten(layouts);
    let experiments: Vec<&Experiment> =
        found.iter().map(|(one, _)| &one.measured.experiment).collect();
    let facts = experiments.iter().flat_map(|run| leans_on::facts(run));
    let mut left_out: Vec<Leaving> = search
        .pruned
        .iter()
        .map(|(by, ways)| Leaving { by: (*by).to_string(), ways: *ways })
        .collect();
    left_out.sort_by(|one, other| other.ways.cmp(&one.ways).then_with(|| one.by.cmp(&other.by)));
    let ended = match (search.is_stopped(), search.is_over()) {
        (true, _) => Ended::Stopped,
        (_, true) => Ended::Work,
        _ => Ended::Complete,
    };
    PlanResults {
        head: task.head.clone(),
        verdict: verdict(task, search, &layouts),
        kinds: task.kinds.iter().map(|kind| asked(&kind.vm, &kind.name, kind.count)).collect(),
        currency: task.prices.as_ref().map(|prices| prices.currency.clone()),
        nearest: near.map(|draft| nearest(task, &draft)),
        without,
        left_out,
        sets_judged: search.looks,
        runs_short: search.runs,
        runs_full: judge::REPLICATIONS,
        not_tried,
        ended,
        scaled: notes::scaled(experiments.iter().copied()),
        notes: task.notes.iter().cloned().chain(said(task, &layouts)).chain(hidden).collect(),
        leans_on: leans_on::in_order(facts),
        layouts,
    }
}

/// The layouts that are shown with their costs, the cheapest first, of equal cost those with more
/// headroom first.
fn chosen(task: &PlanTask, found: Vec<Found>) -> Vec<(Found, Cost)> {
    let least = |one: &Found| worst(&one.measured).map_or(0.0, |(headroom, _)| headroom);
    let mut all: Vec<(Found, Cost)> = found
        .into_iter()
        .map(|one| {
            let cost = cost::of(task, &one);
            (one, cost)
        })
        .collect();
    all.sort_by(|(one, cost), (other, of_other)| {
        let by_headroom = || least(other).total_cmp(&least(one));
        let by_layout = || one.draft.layout.cmp(&other.draft.layout);
        let by_cards = || one.cards.cmp(&other.cards);
        let by_cost = cost.per_hour.total_cmp(&of_other.per_hour);
        by_cost.then_with(by_cards).then_with(by_headroom).then_with(by_layout)
    });
    let figures: Vec<[f64; 2]> =
        all.iter().map(|(one, cost)| [cost.per_hour, -least(one)]).collect();
    let unbeaten = cost::unbeaten(&figures);
    let mut place = 0..;
    all.retain(|_| {
        let index = place.next().unwrap_or(usize::MAX);
        index < CHEAPEST_MAX || unbeaten[index]
    });
    all.truncate(SHOWN_MAX);
    all
}

/// Says of each answer whether another is as cheap, has as much headroom and takes as little energy.
fn with_unbeaten(mut layouts: Vec<PlanAnswer>) -> Vec<PlanAnswer> {
    let figures: Vec<[f64; 3]> = layouts
        .iter()
        .map(|one| {
            let cost = one.cost_per_hour.unwrap_or(f64::from(one.cards));
            [cost, -one.headroom, one.joules_per_query[1]]
        })
        .collect();
    for (one, unbeaten) in layouts.iter_mut().zip(cost::unbeaten(&figures)) {
        one.unbeaten = unbeaten;
    }
    layouts
}

fn asked(vm: &VmSpec, name: &str, count: u32) -> KindAsked {
    let settings = &vm.load.settings;
    KindAsked {
        name: name.to_string(),
        count,
        workload: vm.workload.id.clone(),
        asked_per_s: settings.target_qps,
        target_latency_ms: settings.target_latency.as_millis_f64(),
        percentile: settings.percentile,
        batch_max: vm.server.batch_max,
    }
}

/// The least headroom of a VM in any run, and its index.
fn worst(measured: &Measured) -> Option<(f64, usize)> {
    let vms = bound_vms(&measured.experiment);
    let each = vms.into_iter().map(|index| (least_headroom(measured, index), index));
    each.reduce(|least, other| if other.0 < least.0 { other } else { least })
}

fn bound_vms(experiment: &Experiment) -> Vec<usize> {
    (0..experiment.vms.len()).filter(|index| judge::is_bound(&experiment.vms[*index])).collect()
}

fn least_headroom(measured: &Measured, index: usize) -> f64 {
    let vm = &measured.experiment.vms[index];
    let each = measured.outcomes.iter().map(|outcome| headroom(vm, &outcome.vms[index]));
    each.fold(f64::INFINITY, f64::min)
}

/// The latency of each VM at the least and the greatest, over what measurements leave open.
fn latencies_inputs(measured: &Measured) -> Vec<Option<[f64; 2]>> {
    let (experiment, first) = (&measured.experiment, &measured.outcomes[0]);
    let mut ends: Vec<Option<[f64; 2]>> = vec![None; experiment.vms.len()];
    let (ratios, idle) = crate::parallel::join(
        || fits::has_others(experiment).then(|| fits::ratios(experiment, Some(first))),
        || other_idle(experiment).map(|(_, other)| (simulate(&other), other)),
    );
    if let Some(ratios) = ratios {
        for ((vm, found), (end, ratios)) in
            experiment.vms.iter().zip(&first.vms).zip(ends.iter_mut().zip(&ratios.vms))
        {
            let own = latency_ms(vm, found);
            *end = Some(ratios.near(vm.load.settings.percentile / 100.0).map(|ratio| own * ratio));
        }
    }
    if let Some((outcome, other)) = idle {
        for (index, vm) in other.vms.iter().enumerate() {
            let (own, under) =
                (latency_ms(vm, &first.vms[index]), latency_ms(vm, &outcome.vms[index]));
            let [low, high] = ends[index].unwrap_or([own; 2]);
            ends[index] = Some([low.min(under), high.max(under)]);
        }
    }
    ends
}

fn answer(task: &PlanTask, (found, cost): (&Found, &Cost), rank: usize) -> PlanAnswer {
    let (measured, layout) = (&found.measured, &found.draft.layout);
    let experiment = &measured.experiment;
    let inputs = latencies_inputs(measured);
    let held_by = |card: u16, vm: &VmSpec| {
        let parts = layout.cards.get(usize::from(card)).map_or(&[][..], |card| &card.parts);
        // A name may begin with another.
        let own = parts.iter().filter(|part| is_of(task, part.kind, vm));
        let part = own.max_by_key(|part| task.kinds[part.kind].name.len());
        part.map(|part| (part.kind, part.held.clone()))
    };
    let vms = bound_vms(experiment).into_iter().filter_map(|index| {
        let vm = &experiment.vms[index];
        let card = vm.gpus.first()?.card.0;
        let (kind, held) = held_by(card, vm)?;
        let each = measured.outcomes.iter().map(|outcome| latency_ms(vm, &outcome.vms[index]));
        Some(VmAnswer {
            name: vm.name.clone(),
            kind: task.kinds[kind].name.clone(),
            card,
            held,
            latency_ms: student_95(&each.collect::<Vec<f64>>())?,
            latency_inputs_ms: inputs[index],
            target_latency_ms: vm.load.settings.target_latency.as_millis_f64(),
            headroom: least_headroom(measured, index),
            completed_per_s: completed_per_s(vm, &measured.outcomes[0].vms[index].recorder),
        })
    });
    let vms: Vec<VmAnswer> = vms.collect();
    let (headroom, worst_vm) = match worst(measured) {
        Some((headroom, index)) => (headroom, experiment.vms[index].name.clone()),
        None => (0.0, String::new()),
    };
    let open = vms.iter().filter_map(|vm| {
        let ends = vm.latency_inputs_ms?;
        Some(ends.map(|ms| 1.0 - ms / vm.target_latency_ms))
    });
    let headroom_inputs = open
        .reduce(|one, other| [one[0].min(other[0]), one[1].min(other[1])])
        .map(|[high, low]| [low.min(headroom), high.max(headroom)]);
    let priced = task.prices.is_some();
    PlanAnswer {
        rank,
        cards: found.cards,
        cost_per_hour: priced.then_some(cost.per_hour),
        cost_per_1000: priced.then_some(cost.per_1000),
        joules_per_query: cost.joules,
        unbeaten: true,
        policy: layout.policy.clone(),
        by_card: by_card(task, found, &vms),
        vms,
        headroom,
        worst_vm,
        headroom_inputs,
        file: format!("layout-{rank}.toml"),
        layout: layout.clone(),
        scenario: String::new(),
        mig_parted: None,
    }
}

/// Whether a VM is of a kind: by its name without what tells groups and copies apart.
fn is_of(task: &PlanTask, kind: usize, vm: &VmSpec) -> bool {
    let own = &task.kinds[kind].name;
    vm.name.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn by_card(task: &PlanTask, found: &Found, vms: &[VmAnswer]) -> Vec<CardAnswer> {
    let outcome = &found.measured.outcomes[0];
    let cards = found.draft.layout.cards.iter().enumerate();
    let of_card = |(id, card): (usize, &CardLayout)| {
        let on_it = vms.iter().filter(|vm| usize::from(vm.card) == id);
        CardAnswer {
            id,
            model: task.cards[card.cards].gpu.id.clone(),
            vms: vms_on(task, card),
            busy: outcome.gpu_busy.get(id).copied().unwrap_or(0.0),
            headroom: on_it.map(|vm| vm.headroom).fold(1.0, f64::min),
        }
    };
    cards.map(of_card).collect()
}

/// The VMs of a card by kind.
fn vms_on(task: &PlanTask, card: &CardLayout) -> Vec<VmsOnCard> {
    let parts = card.parts.iter().map(|part| {
        let kind = &task.kinds[part.kind];
        let batch_max = part.batch_max.unwrap_or(kind.vm.server.batch_max);
        let (kind, held) = (kind.name.clone(), part.held.clone());
        VmsOnCard { kind, count: part.count, held, batch_max }
    });
    parts.collect()
}

fn nearest(task: &PlanTask, draft: &Draft) -> NearestAnswer {
    let cards = draft.layout.cards.iter();
    NearestAnswer {
        policy: draft.layout.policy.clone(),
        models: cards.clone().map(|card| task.cards[card.cards].gpu.id.clone()).collect(),
        by_card: cards.map(|card| vms_on(task, card)).collect(),
        over_bound: 1.0 - draft.headroom,
        file: "nearest.toml".to_string(),
        layout: draft.layout.clone(),
        scenario: String::new(),
    }
}

fn verdict(task: &PlanTask, search: &Search<'_>, layouts: &[PlanAnswer]) -> Verdict {
    let all: u32 = task.kinds.iter().map(|kind| kind.count).sum();
    let vms = counted(all, "VM");
    let Some(best) = layouts.first() else {
        let why = why_not(task, search);
        let is_narrow = search.pruned.contains_key(judge::BY_NARROW);
        let first = match (search.is_over(), is_narrow) {
            (true, _) => {
                format!("NOT KNOWN: no layout that holds the bounds of {vms} was found in time.")
            }
            (false, true) => format!(
                "NOT SURE: {vms} hold their bounds in all runs of a layout, but so narrowly that a \
                 further run may not; more queries (min_query_count) would tell."
            ),
            (false, false) => format!("NO: no layout that was tried holds the bounds of {vms}."),
        };
        let holds = (!search.is_over() && !is_narrow).then_some(false);
        return Verdict { holds, sentences: std::iter::once(first).chain(why).collect() };
    };
    let p = |vm: &VmAnswer| {
        let kind = task.kinds.iter().find(|kind| kind.name == vm.kind);
        kind.map_or(99.0, |kind| kind.vm.load.settings.percentile)
    };
    let worst = best.vms.iter().find(|vm| vm.name == best.worst_vm);
    let nearest = worst.map_or(String::new(), |vm| {
        let (found, bound) = (time(vm.latency_ms.mean), time(vm.target_latency_ms));
        format!(" (nearest {}, p{} {found} of {bound})", vm.name, p(vm))
    });
    let with = shared_with(best);
    let on = format!("{}{with}{nearest}", cards_in_words(best));
    let open = latest(best).filter(|(over, ..)| *over > 1.0);
    let mut sentences = match open {
        None => vec![format!("YES: {vms} hold their bounds on {on}.")],
        Some((_, vm, most)) => {
            let sure = layouts.iter().find(|one| latest(one).is_none_or(|(over, ..)| over <= 1.0));
            let sure = match sure {
                Some(sure) => format!("Layout {} holds at all of these ends.", sure.rank),
                None => "So it is with every layout shown.".to_string(),
            };
            vec![
                format!("NOT SURE: as assumed {vms} hold their bounds on {on}."),
                format!(
                    "At an end of what measurements leave open {} takes {} of {}. {sure}",
                    vm.name,
                    time(most),
                    time(vm.target_latency_ms)
                ),
            ]
        }
    };
    let alike: Vec<String> = layouts[1..]
        .iter()
        .filter(|other| other.cards == best.cards && within(best, other))
        .map(|other| other.rank.to_string())
        .collect();
    if !alike.is_empty() {
        sentences.push(format!(
            "Layout 1 and {} {} lie within each other's uncertainty: which has more headroom is not \
             sure.",
            if alike.len() == 1 { "layout" } else { "layouts" },
            alike.join(", ")
        ));
    }
    Verdict { holds: open.is_none().then_some(true), sentences }
}

/// ` with equal-share`, or how processes share its cards.
fn shared_with(layout: &PlanAnswer) -> String {
    let held = || layout.by_card.iter().flat_map(|card| &card.vms).map(|vms| &vms.held);
    let process = held().find_map(|held| match held {
        Held::Process(word) => Some(*word),
        _ => None,
    });
    match (&layout.policy, process) {
        (Some(policy), _) => format!(" with {policy}"),
        (None, Some("mps")) => " with MPS".to_string(),
        (None, Some(word)) => format!(" with processes under {word}"),
        (None, None) => String::new(),
    }
}

/// The VM that comes to the most of its bound at an end of what measurements leave open, with that
/// part and its latency there; nothing where nothing is open.
fn latest(layout: &PlanAnswer) -> Option<(f64, &VmAnswer, f64)> {
    let each = layout.vms.iter().filter_map(|vm| {
        let [_, most] = vm.latency_inputs_ms?;
        Some((most / vm.target_latency_ms, vm, most))
    });
    each.reduce(|most, one| if one.0 > most.0 { one } else { most })
}

/// Whether the headroom of two layouts may be the same.
fn within(one: &PlanAnswer, other: &PlanAnswer) -> bool {
    let ends = |answer: &PlanAnswer| answer.headroom_inputs.unwrap_or([answer.headroom; 2]);
    let ([low, high], [least, most]) = (ends(one), ends(other));
    low <= most && least <= high
}

/// `2 x a30 and 1 x a10`.
fn cards_in_words(answer: &PlanAnswer) -> String {
    let words = answer.models().into_iter().map(|(model, count)| format!("{count} x {model}"));
    words.collect::<Vec<_>>().join(" and ")
}

/// Why nothing was found, as far as it is plain.
fn why_not(task: &PlanTask, search: &Search<'_>) -> Vec<String> {
    let mut told = Vec::new();
    for (index, kind) in task.kinds.iter().enumerate() {
        let mut refusals = search.refused.iter().filter(|(_, of, _)| *of == index);
        let everywhere = search.alone.iter().all(|cards| cards[index].is_none());
        if let Some((cards, _, why)) = refusals.next().filter(|_| everywhere) {
            told.push(format!("{} on {}: {why}.", kind.name, task.cards[*cards].gpu.id));
            continue;
        }
        let busy = |cards: usize| {
            let alone = search.alone[cards][index].as_ref()?;
            judge::instances_busy(alone).into_iter().reduce(f64::max)
        };
        let least = (0..task.cards.len()).filter_map(busy).reduce(f64::min);
        if let Some(least) = least.filter(|least| *least > 1.0) {
            told.push(format!(
                "{} alone asks {:.0} % of the time of a whole card at the least.",
                kind.name,
                100.0 * least
            ));
        }
    }
    let busy: f64 = (0..task.kinds.len())
        .map(|index| {
            let of = |cards: usize| {
                let alone = search.alone[cards][index].as_ref()?;
                judge::instances_busy(alone).into_iter().reduce(f64::max)
            };
            let least = (0..task.cards.len()).filter_map(of).reduce(f64::min);
            least.unwrap_or(0.0) * f64::from(task.kinds[index].count)
        })
        .sum();
    let most = task.most_cards.min(task.cards.iter().map(|cards| cards.most).sum());
    let families = super::styles(task).concat();
    let room = |cards: usize| {
        let of = &task.cards[cards];
        u64::from(of.most.min(most)) * u64::from(Room::of(task, cards).in_any(&families))
    };
    let room: u64 = (0..task.cards.len()).map(room).sum();
    let all: u32 = task.kinds.iter().map(|kind| kind.count).sum();
    if room < u64::from(all) {
        told.push(format!("The cards at hand hold {room} VMs at the most, and there are {all}."));
    }
    if busy > f64::from(most) {
        told.push(format!(
            "Together they ask the time of {:.2} cards at the least, and there are {most}.",
            busy
        ));
    }
    told
}

/// Notes on the answers.
fn said(task: &PlanTask, layouts: &[PlanAnswer]) -> Vec<String> {
    let mut notes = Vec::new();
    let lowered =
        layouts.iter().flat_map(|one| &one.by_card).flat_map(|card| &card.vms).any(|vms| {
            let kind = task.kinds.iter().find(|kind| kind.name == vms.kind);
            kind.is_some_and(|kind| vms.batch_max < kind.vm.server.batch_max)
        });
    if lowered {
        notes.push(
            "some largest batches are smaller than the file says, which is taken as their limit; \
             batches = \"fixed\" under [plan] keeps them"
                .to_string(),
        );
    }
    notes
}

fn time(ms: f64) -> String {
    SimDuration::from_secs_f64(digits(ms) / 1000.0).to_string()
}
