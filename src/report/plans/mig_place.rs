//! A drawn layout, with the free slices and the commands that create it; or why there is none, and
//! the nearest one.

use super::mig_drawing;
use crate::report::width::Width;
use crate::study::plans::{
    CountedProfile, MadeAgain, MigCard, MigChange, MigMade, MigNotThere, MigPlan, MigRefused,
    PlacedProfile,
};

/// The answer in either case.
pub(super) fn text(answer: &MigPlan<'_>, width: Width) -> String {
    width.fitted(&match answer {
        MigPlan::Made(made) => made_text(made, width),
        MigPlan::Refused(refused) => refused_text(refused),
    })
}

/// The instances of `--beside` have no layout.
pub(super) fn not_there(answer: &MigNotThere<'_>, width: Width) -> String {
    let (id, beside) = (answer.gpu, answer.beside.join(" "));
    width.fitted(&format!(
        "no layout of {id} holds the instances of --beside\n\nhelp: `slicewise mig place {id} \
         {beside}` shows why\n"
    ))
}

/// `1g.5gb at 5`.
fn at(one: &PlacedProfile<'_>) -> String {
    format!("{} at {}", one.profile, one.start)
}

/// ` beside 1g.5gb at 5`; nothing where nothing is there.
fn beside(there: &[PlacedProfile<'_>]) -> String {
    let there: Vec<String> = there.iter().map(at).collect();
    if there.is_empty() { String::new() } else { format!(" beside {}", there.join(", ")) }
}

/// `3g.20gb, 2 x 1g.5gb`, in the order given, neighbours alike counted.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut groups: Vec<CountedProfile<'_>> = Vec::new();
    for profile in names {
        match groups.last_mut() {
            Some(last) if last.profile == profile => last.count += 1,
            _ => groups.push(CountedProfile { profile, count: 1 }),
        }
    }
    counted(&groups)
}

fn counted(groups: &[CountedProfile<'_>]) -> String {
    let shown = groups.iter().map(|one| match one.count {
        1 => one.profile.to_string(),
        count => format!("{count} x {}", one.profile),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn made_text(answer: &MigMade<'_>, width: Width) -> String {
    let mut text = format!("{}\n", answer.name);
    for card in &answer.gpus {
        if card.instances.is_empty() {
            text.push_str(&format!("\nGPU {}: not needed\n", card.index));
            continue;
        }
        let names = listed(card.instances.iter().map(|one| one.profile));
        text.push_str(&format!("\nGPU {}: {names}{}\n", card.index, beside(&card.there)));
        text.push_str(&mig_drawing::card(&card.drawing, width.terminal().unwrap_or(80)));
        text.push_str(&left_in_words(card));
    }
    text.push_str("\ncommands\n");
    for command in answer.gpus.iter().flat_map(|card| &card.commands) {
        text.push_str(&format!("  {command}\n"));
    }
    for note in &answer.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// In use, still free, stranded.
fn left_in_words(card: &MigCard<'_>) -> String {
    let (compute, slices) = (&card.compute_slices, &card.memory_slices);
    let sms = match (card.sms.used, card.sms.total_with_mig) {
        (Some(used), Some(all)) if all < card.sms.card => {
            format!("{used} of {all} SMs (the card has {})", card.sms.card)
        }
        (Some(used), _) => format!("{used} of {} SMs", card.sms.card),
        (None, _) => "SMs not published".to_string(),
    };
    let memory = card.memory_gib.map_or(String::new(), |gib| format!(", {gib:.2} GiB"));
    let plain = card.room_for.iter().filter(|one| !one.profile.contains(['+', '-']));
    let room: Vec<String> = plain.map(|one| format!("{} x {}", one.count, one.profile)).collect();
    let room =
        if room.is_empty() { "no further instance fits".to_string() } else { room.join(" or ") };
    let mut stranded = Vec::new();
    if !slices.stranded.is_empty() {
        let count = slices.stranded.len();
        stranded.push(format!(
            "{} {}: {count}/{} of memory and bandwidth",
            if count == 1 { "memory slice" } else { "memory slices" },
            numbers(&slices.stranded, ", "),
            slices.total
        ));
    }
    if !compute.stranded.is_empty() {
        let count = compute.stranded.len();
        stranded.push(format!(
            "{count} of {} compute slices, without free memory slices",
            compute.total
        ));
    }
    let stranded = if stranded.is_empty() { "nothing".to_string() } else { stranded.join("; ") };
    format!(
        "  in use    {} of {} compute slices, {} of {} memory slices, {sms}{memory}\n  room for  {room}\n  stranded  {stranded}\n",
        compute.used, compute.total, slices.used, slices.total
    )
}

fn numbers(slices: &[u32], between: &str) -> String {
    slices.iter().map(u32::to_string).collect::<Vec<_>>().join(between)
}

fn refused_text(answer: &MigRefused<'_>) -> String {
    let cards = match answer.cards {
        1 => format!("no layout of {}", answer.gpu),
        cards => format!("no layout of {cards} x {}", answer.gpu),
    };
    let asked = listed(answer.asked.iter().copied());
    let nearest = match (&answer.change, &answer.nearest[..]) {
        (Some(change), _) => change_in_words(change, !answer.beside.is_empty()),
        (None, []) => "none of it".to_string(),
        (None, some) => counted(some),
    };
    let mut text = format!(
        "{cards} holds {asked}{}\n\nbecause: {}\nnearest: {nearest}\n",
        beside(&answer.beside),
        answer.reason
    );
    if let Some(cards) = answer.gpus_enough.filter(|_| answer.beside.is_empty()) {
        text.push_str(&format!("help: {cards} GPUs hold all of it: --gpus {cards}\n"));
    }
    text
}

/// `delete 1g.10gb at 5 and make it again at 2 or 3; then 3g.40gb goes to 4`.
fn change_in_words(change: &MigChange<'_>, is_there: bool) -> String {
    let gone = change.deleted.iter().map(|gone| format!("delete {}", at(gone)));
    let moved = change.made_again.iter().map(|moved| {
        let MadeAgain { profile, start, starts_instead } = moved;
        let starts = numbers(starts_instead, " or ");
        match is_there {
            true => format!("delete {profile} at {start} and create it again at {starts}"),
            false => format!("{profile} at {starts} instead of {start}"),
        }
    });
    let steps: Vec<String> = gone.chain(moved).collect();
    let placed = change.placed.iter().map(|one| format!("{} goes to {}", one.profile, one.start));
    let placed: Vec<String> = placed.collect();
    let then = if placed.is_empty() { "" } else { "; then " };
    format!("{}{then}{}", steps.join(", "), placed.join(", "))
}
