//! `slicewise mig place`: draws the layout of what is asked for, with what is left and the commands
//! that make it, or says why there is none and what comes nearest.
//!
//! Which layout it is, is decided in `layout::cutting`.

use super::ask::{Asked, asked};
use super::list::{gib, no_layout, taken};
use super::{Failure, PlaceArgs, draw};
use crate::cli::output;
use crate::config::Catalogue;
use crate::layout::change::{Change, Moved};
use crate::layout::compute_instances::{compute_profiles, name};
use crate::layout::cutting::{self, Cut, Made, Refusal, Rest, Stuck, Way, Why, rest};
use crate::layout::geometry::{Geometry, Positioned};
use crate::layout::placement::Obstacle;
use crate::spec::{GpuSpec, MigProfile};
use serde_json::{Value, json};

/// A card with what is on it, in order of creation.
struct Card {
    index: usize,
    made: Vec<Made>,
    /// The compute slices of the compute instances in each; none for the default.
    inside: Vec<Vec<u32>>,
    /// What was there already.
    there: Vec<Positioned>,
    rest: Rest,
}

/// Runs the command.
pub(super) fn run(
    arguments: &PlaceArgs,
    gpu: &GpuSpec,
    catalogue: &Catalogue,
) -> Result<(), Failure> {
    let asked = asked(&arguments.profiles, gpu, catalogue)?;
    let geometry = Geometry::new(&gpu.mig_profiles);
    let wishes: Vec<_> = asked.iter().map(|one| one.wish).collect();
    if arguments.gpus > 1 && wishes.iter().any(|wish| wish.start.is_some()) {
        let why =
            "a start is named, and there are several GPUs\n  = help: ask for one GPU at a time";
        return Err(Failure::Usage(why.to_string()));
    }
    let Some(there) = taken(&arguments.beside, gpu, catalogue)? else {
        return no_layout(&arguments.beside, arguments.json, gpu);
    };
    let cut = match there.is_empty() {
        true => cutting::cut(&geometry, &wishes, arguments.gpus),
        false => cutting::cut_beside(&geometry, &wishes, &there),
    };
    match cut {
        Cut::Made { cards, way, stuck } => {
            let cards = cards_of(&geometry, cards, way, &asked, &there);
            output::data(&match arguments.json {
                true => format!("{:#}\n", document(gpu, &geometry, &cards, way, &stuck, &asked)),
                false => output::fitted(&text(gpu, &geometry, &cards, way, &stuck, &asked)),
            })
        }
        Cut::Refused(refusal) => {
            let words =
                Refused { gpu, geometry: &geometry, asked: &asked, there: &there, arguments };
            output::data(&match arguments.json {
                true => format!("{:#}\n", words.document(&refusal)),
                false => output::fitted(&words.text(&refusal)),
            })?;
            Err(Failure::AnsweredNo)
        }
    }
}

/// The cards with their compute instances: GPU instances of a profile get them in the order asked.
fn cards_of(
    geometry: &Geometry<'_>,
    cards: Vec<Vec<Made>>,
    way: Way,
    asked: &[Asked],
    there: &[Positioned],
) -> Vec<Card> {
    let mut left: Vec<&Asked> = asked.iter().collect();
    let mut take = |made: &Made| {
        // A named start belongs to the wish that named it.
        let is_it = |one: &&Asked| {
            one.wish.profile == made.at.0
                && (one.wish.start.is_none() || one.wish.start == Some(made.at.1))
        };
        let named = left.iter().position(|one| is_it(one) && one.wish.start.is_some());
        let index = named.filter(|_| way != Way::OtherOrder);
        let index = index.or_else(|| left.iter().position(is_it)).expect("what was asked for");
        left.remove(index).inside.clone()
    };
    let cards = cards.into_iter().enumerate().map(|(index, made)| {
        let inside = made.iter().map(&mut take).collect();
        let layout: Vec<Positioned> =
            there.iter().copied().chain(made.iter().map(|made| made.at)).collect();
        Card { index, made, inside, there: there.to_vec(), rest: rest(geometry, &layout) }
    });
    cards.collect()
}

impl Card {
    /// Where all of them lie: those that were there, then those that are made.
    fn layout(&self) -> Vec<Positioned> {
        self.there.iter().copied().chain(self.made.iter().map(|made| made.at)).collect()
    }

    /// The compute instances in each of these.
    fn all_inside(&self) -> Vec<Vec<u32>> {
        let there = self.there.iter().map(|_| Vec::new());
        there.chain(self.inside.iter().cloned()).collect()
    }

    fn is_divided(&self) -> bool {
        self.inside.iter().any(|inside| !inside.is_empty())
    }

    /// What an administrator types.
    fn commands(&self, geometry: &Geometry<'_>) -> Vec<String> {
        let (gpu, profiles) = (self.index, geometry.profiles);
        let ids: Vec<String> = self
            .made
            .iter()
            .map(|made| match made.is_named {
                true => format!("{}:{}", profiles[made.at.0].id, made.at.1),
                false => profiles[made.at.0].id.to_string(),
            })
            .collect();
        let default = if self.is_divided() { "" } else { " -C" };
        let mut all = Vec::new();
        if self.there.is_empty() {
            all.push(format!("nvidia-smi -i {gpu} -mig 1"));
        }
        all.push(format!("nvidia-smi mig -i {gpu} -cgi {}{default}", ids.join(",")));
        if self.is_divided() {
            for (made, inside) in self.made.iter().zip(&self.inside) {
                let gi = &profiles[made.at.0];
                let kinds = compute_profiles(geometry, gi);
                let of = |slices: &u32| {
                    let kind = kinds.iter().find(|kind| kind.compute_slices == *slices);
                    kind.expect("it was asked for by name").id.to_string()
                };
                let ids: Vec<String> = inside.iter().map(of).collect();
                let ids =
                    if ids.is_empty() { String::new() } else { format!(" {}", ids.join(",")) };
                all.push(format!(
                    "nvidia-smi mig -i {gpu} -gi <ID of {} at {}> -cci{ids}",
                    gi.name, made.at.1
                ));
            }
        }
        all
    }

    /// The starts named, for drivers that take them: the layout whatever the order.
    fn with_starts(&self, geometry: &Geometry<'_>) -> String {
        let ids = self
            .made
            .iter()
            .map(|made| format!("{}:{}", geometry.profiles[made.at.0].id, made.at.1));
        ids.collect::<Vec<_>>().join(",")
    }

    /// Slices and SMs in use, of all.
    fn usage(&self, gpu: &GpuSpec, geometry: &Geometry<'_>) -> Usage {
        let counts = geometry.counts(&self.layout());
        let layout = self.layout();
        let profiles = || layout.iter().map(|at| &geometry.profiles[at.0]);
        let spanning = geometry
            .profiles
            .iter()
            .find(|one| one.memory_slices == geometry.memory_slices)
            .and_then(|one| one.sms);
        Usage {
            compute: geometry.compute_of(&counts),
            memory: geometry.memory_of(&counts),
            sms: profiles().map(|one| one.sms).sum(),
            sms_with_mig: spanning,
            sms_of_card: gpu.sms.value,
            memory_gib: profiles().map(|one| one.frame_buffer.map(gib)).sum(),
        }
    }
}

/// What a card's instances use.
struct Usage {
    compute: u32,
    memory: u32,
    /// Nothing where some are not published.
    sms: Option<u32>,
    /// Those of the instance that spans the card.
    sms_with_mig: Option<u32>,
    sms_of_card: u32,
    memory_gib: Option<f64>,
}

/// `1g.5gb at 5`.
fn at_in_words(profiles: &[MigProfile], (profile, start): Positioned) -> String {
    format!("{} at {start}", profiles[profile].name)
}

/// `3g.20gb, 2 x 1g.5gb`, in the order given, neighbours alike counted.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut groups: Vec<(&str, u32)> = Vec::new();
    for name in names {
        match groups.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => groups.push((name, 1)),
        }
    }
    let shown = groups.into_iter().map(|(name, count)| match count {
        1 => name.to_string(),
        count => format!("{count} x {name}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn set_in_words(profiles: &[MigProfile], counts: &[u32]) -> String {
    let names = profiles.iter().zip(counts);
    let names = names.flat_map(|(one, count)| (0..*count).map(|_| one.name.as_str()));
    listed(names)
}

fn text(
    gpu: &GpuSpec,
    geometry: &Geometry<'_>,
    cards: &[Card],
    way: Way,
    stuck: &Option<Stuck>,
    asked: &[Asked],
) -> String {
    let profiles = geometry.profiles;
    let mut text = format!("{}\n", gpu.name);
    for card in cards {
        if card.made.is_empty() {
            text.push_str(&format!("\nGPU {}: not needed\n", card.index));
            continue;
        }
        let names = card.made.iter().map(|made| profiles[made.at.0].name.as_str());
        let beside = card.there.iter().map(|at| at_in_words(profiles, *at));
        let beside: Vec<String> = beside.collect();
        let beside = match beside.is_empty() {
            true => String::new(),
            false => format!(" beside {}", beside.join(", ")),
        };
        text.push_str(&format!("\nGPU {}: {}{beside}\n", card.index, listed(names)));
        text.push_str(&draw::card(
            geometry,
            &card.layout(),
            &card.all_inside(),
            &card.rest,
            crate::cli::output::columns().unwrap_or(80),
        ));
        text.push_str(&left_in_words(gpu, geometry, card));
    }
    text.push_str("\ncommands\n");
    for card in cards.iter().filter(|card| !card.made.is_empty()) {
        for command in card.commands(geometry) {
            text.push_str(&format!("  {command}\n"));
        }
    }
    for note in notes(gpu, geometry, cards, way, stuck, asked) {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// In use, still free, stranded.
fn left_in_words(gpu: &GpuSpec, geometry: &Geometry<'_>, card: &Card) -> String {
    let usage = card.usage(gpu, geometry);
    let sms = match (usage.sms, usage.sms_with_mig) {
        (Some(used), Some(all)) if all < usage.sms_of_card => {
            format!("{used} of {all} SMs (the card has {})", usage.sms_of_card)
        }
        (Some(used), _) => format!("{used} of {} SMs", usage.sms_of_card),
        (None, _) => "SMs not published".to_string(),
    };
    let memory = usage.memory_gib.map_or(String::new(), |gib| format!(", {gib:.2} GiB"));
    let room = geometry.profiles.iter().zip(&card.rest.room);
    let room: Vec<String> = room
        .filter(|(one, count)| **count > 0 && !one.is_variant())
        .map(|(one, count)| format!("{count} x {}", one.name))
        .collect();
    let room =
        if room.is_empty() { "nothing fits any more".to_string() } else { room.join(" or ") };
    let mut stranded = Vec::new();
    if !card.rest.stranded_memory.is_empty() {
        let count = card.rest.stranded_memory.len();
        stranded.push(format!(
            "{} {}: {count}/{} of memory and bandwidth",
            if count == 1 { "memory slice" } else { "memory slices" },
            numbers(&card.rest.stranded_memory),
            geometry.memory_slices
        ));
    }
    if !card.rest.stranded_compute.is_empty() {
        let count = card.rest.stranded_compute.len();
        stranded.push(format!(
            "{count} of {} compute slices, with no memory left beside",
            geometry.compute_slices
        ));
    }
    let stranded = if stranded.is_empty() { "nothing".to_string() } else { stranded.join("; ") };
    format!(
        "  in use    {} of {} compute slices, {} of {} memory slices, {sms}{memory}\n  room for  {room}\n  stranded  {stranded}\n",
        usage.compute, geometry.compute_slices, usage.memory, geometry.memory_slices
    )
}

fn numbers(slices: &[u32]) -> String {
    slices.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn notes(
    gpu: &GpuSpec,
    geometry: &Geometry<'_>,
    cards: &[Card],
    way: Way,
    stuck: &Option<Stuck>,
    asked: &[Asked],
) -> Vec<String> {
    let profiles = geometry.profiles;
    let mut notes = Vec::new();
    if let Some(stuck) = stuck {
        let refused = &profiles[asked[stuck.wish].wish.profile].name;
        let several = cards.len() > 1;
        let made = stuck.made.iter().map(|&(card, (profile, start))| match several {
            true => format!("{} to {start} of GPU {card}", profiles[profile].name),
            false => format!("{} to {start}", profiles[profile].name),
        });
        let made: Vec<String> = made.collect();
        let way = match way {
            Way::NamedStarts => "no order gets there: name the starts",
            _ => "create them in the order of the commands",
        };
        notes.push(format!(
            "in the order asked the driver puts {}, and has no room for number {}, {refused}; {way}",
            made.join(", "),
            stuck.wish + 1
        ));
    }
    if cards.iter().any(Card::is_divided) {
        notes.push("-cgi prints the ID of each GPU instance that -cci needs".to_string());
    }
    if way != Way::NamedStarts {
        let starts: Vec<String> = cards
            .iter()
            .filter(|card| !card.made.is_empty())
            .map(|card| card.with_starts(geometry))
            .collect();
        notes.push(format!("the same with named starts: -cgi {}", starts.join("; -cgi ")));
    }
    let has = |card: &Card, slices: u32| {
        card.made.iter().any(|made| profiles[made.at.0].compute_slices == slices)
    };
    if cards.iter().any(|card| has(card, 4) && has(card, 3)) {
        // NVIDIA MIG User Guide, supported profiles.
        notes.push("4g and 3g on one card need driver R510 or later".to_string());
    }
    if cards.iter().flat_map(|card| &card.made).any(|made| !profiles[made.at.0].is_printed) {
        notes.push(format!("positions of {} are inferred, not printed for this board", gpu.id));
    }
    if way != Way::NamedStarts {
        notes.push(
            "the driver's choice of starts is inferred from its published listings".to_string(),
        );
    }
    notes
}

fn document(
    gpu: &GpuSpec,
    geometry: &Geometry<'_>,
    cards: &[Card],
    way: Way,
    stuck: &Option<Stuck>,
    asked: &[Asked],
) -> Value {
    let profiles = geometry.profiles;
    let instance = |(made, inside): (&Made, &Vec<u32>)| {
        let gi = &profiles[made.at.0];
        let kinds = compute_profiles(geometry, gi);
        let whole = [gi.compute_slices];
        let slices = if inside.is_empty() { &whole[..] } else { inside };
        let compute = slices.iter().map(|slices| {
            let kind = kinds.iter().find(|kind| kind.compute_slices == *slices);
            json!({
                "compute_instance": name(gi, *slices),
                "id": kind.map(|kind| kind.id),
                "sms": kind.and_then(|kind| kind.sms),
            })
        });
        json!({
            "profile": gi.name,
            "id": gi.id,
            "start": made.at.1,
            "size": gi.memory_slices,
            "start_is_named": made.is_named,
            "sms": gi.sms,
            "memory_gib": gi.frame_buffer.map(gib),
            "compute_instances": compute.collect::<Vec<_>>(),
        })
    };
    let of_card = |card: &Card| {
        let usage = card.usage(gpu, geometry);
        let room = profiles.iter().zip(&card.rest.room).filter(|(_, count)| **count > 0);
        let room = room.map(|(one, count)| json!({ "profile": one.name, "count": count }));
        let commands = if card.made.is_empty() { Vec::new() } else { card.commands(geometry) };
        json!({
            "index": card.index,
            "instances": card.made.iter().zip(&card.inside).map(instance).collect::<Vec<_>>(),
            "compute_slices": {
                "used": usage.compute,
                "total": geometry.compute_slices,
                "stranded": card.rest.stranded_compute,
            },
            "memory_slices": {
                "used": usage.memory,
                "total": geometry.memory_slices,
                "stranded": card.rest.stranded_memory,
            },
            "sms": {
                "used": usage.sms,
                "total_with_mig": usage.sms_with_mig,
                "card": usage.sms_of_card,
            },
            "memory_gib": usage.memory_gib,
            "room_for": room.collect::<Vec<_>>(),
            "commands": commands,
        })
    };
    json!({
        "gpu": gpu.id,
        "fits": true,
        "order": match way {
            Way::AsAsked => "as-asked",
            Way::OtherOrder => "other-order",
            Way::NamedStarts => "named-starts",
        },
        "gpus": cards.iter().map(of_card).collect::<Vec<_>>(),
        "notes": notes(gpu, geometry, cards, way, stuck, asked),
    })
}

/// Words for a refusal.
struct Refused<'a> {
    gpu: &'a GpuSpec,
    geometry: &'a Geometry<'a>,
    asked: &'a [Asked],
    there: &'a [Positioned],
    arguments: &'a PlaceArgs,
}

impl Refused<'_> {
    fn text(&self, refusal: &Refusal) -> String {
        let mut text = format!(
            "{}\n\nbecause: {}\nnearest: {}\n",
            self.title(),
            self.reason(refusal.why),
            self.nearest(refusal)
        );
        if let Some(cards) = refusal.cards_enough.filter(|_| self.there.is_empty()) {
            text.push_str(&format!("help: {cards} GPUs hold all of it: --gpus {cards}\n"));
        }
        text
    }

    fn title(&self) -> String {
        let names =
            self.asked.iter().map(|one| self.geometry.profiles[one.wish.profile].name.as_str());
        let cards = match self.arguments.gpus {
            1 => format!("no layout of {}", self.gpu.id),
            cards => format!("no layout of {cards} x {}", self.gpu.id),
        };
        let beside: Vec<String> =
            self.there.iter().map(|at| at_in_words(self.geometry.profiles, *at)).collect();
        let beside = match beside.is_empty() {
            true => String::new(),
            false => format!(" beside {}", beside.join(", ")),
        };
        format!("{cards} holds {}{beside}", listed(names))
    }

    fn reason(&self, why: Why) -> String {
        let geometry = self.geometry;
        let profiles = geometry.profiles;
        let cards = self.arguments.gpus;
        let they = if self.there.is_empty() { "they" } else { "with what is there they" };
        let there = if cards == 1 { "the card has" } else { "the cards have" };
        let place = |(profile, start): Positioned| {
            let one = &profiles[profile];
            format!("{} on memory slices {start} to {}", one.name, start + one.memory_slices - 1)
        };
        let counts = self.counts();
        match why {
            Why::Start((profile, start)) => {
                let one = &profiles[profile];
                format!(
                    "{} cannot start at {start}: its positions are {}",
                    one.name,
                    one.positions()
                )
            }
            Why::Overlap(one, other) => format!("{} and {} overlap", place(one), place(other)),
            Why::Named => "they have a layout, but not with the starts that are named".to_string(),
            Why::Beside => {
                "they have a layout together, but not with what is there where it is".to_string()
            }
            Why::Maximum { profile, wanted, most } => {
                format!("{wanted} x {} are too many: a card takes {most}", profiles[profile].name)
            }
            Why::Cards(Obstacle::MemorySlices { needed, there: slices }) => format!(
                "{they} take {} compute slices but {needed} memory slices, and {there} {} and {slices}: {}",
                geometry.compute_of(&counts),
                geometry.compute_slices * cards,
                self.each(|one| one.memory_slices)
            ),
            Why::Cards(Obstacle::ComputeSlices { needed, there: slices }) => format!(
                "{they} take {needed} compute slices, and {there} {slices}: {}",
                self.each(|one| one.compute_slices)
            ),
            Why::Cards(Obstacle::MediaEngines) => format!(
                "{they} need more media engines than {there}: one instance of a card can have the media extensions (+me)"
            ),
            Why::Cards(_) => {
                let used = profiles.iter().zip(&counts).filter(|(_, count)| **count > 0);
                let used: Vec<String> = used.map(|(one, _)| one.to_string()).collect();
                format!("there are slices enough, but the positions are {}", used.join(", "))
            }
        }
    }

    fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.geometry.profiles.len()];
        self.asked.iter().for_each(|one| counts[one.wish.profile] += 1);
        self.there.iter().for_each(|at| counts[at.0] += 1);
        counts
    }

    /// `4 x 2 (1g.10gb), 3 x 1 (1g.5gb)`.
    fn each(&self, slices: impl Fn(&MigProfile) -> u32) -> String {
        let counts = self.counts();
        let used = self.geometry.profiles.iter().zip(&counts).filter(|(_, count)| **count > 0);
        let used: Vec<String> =
            used.map(|(one, count)| format!("{count} x {} ({})", slices(one), one.name)).collect();
        used.join(", ")
    }

    fn nearest(&self, refusal: &Refusal) -> String {
        if let Some(change) = &refusal.change {
            return self.change(change);
        }
        match refusal.nearest.iter().sum::<u32>() {
            0 => "none of it".to_string(),
            _ => set_in_words(self.geometry.profiles, &refusal.nearest),
        }
    }

    /// `delete 1g.10gb at 5 and make it again at 2 or 3; then 3g.40gb goes to 4`.
    fn change(&self, change: &Change) -> String {
        let profiles = self.geometry.profiles;
        let at = |at: &Positioned| at_in_words(profiles, *at);
        let starts = |moved: &Moved| {
            let starts: Vec<String> = moved.to.iter().map(u32::to_string).collect();
            starts.join(" or ")
        };
        let is_there = !self.there.is_empty();
        let gone = change.gone.iter().map(|gone| format!("delete {}", at(gone)));
        let moved = change.moved.iter().map(|moved| match is_there {
            true => format!("delete {} and make it again at {}", at(&moved.from), starts(moved)),
            false => format!(
                "{} at {} instead of {}",
                profiles[moved.from.0].name,
                starts(moved),
                moved.from.1
            ),
        });
        let steps: Vec<String> = gone.chain(moved).collect();
        let placed = change.placed.iter();
        let placed: Vec<String> =
            placed.map(|&(one, start)| format!("{} goes to {start}", profiles[one].name)).collect();
        let then = if placed.is_empty() { "" } else { "; then " };
        format!("{}{then}{}", steps.join(", "), placed.join(", "))
    }

    fn document(&self, refusal: &Refusal) -> Value {
        let at = |&(one, start): &Positioned| json!({ "profile": self.geometry.profiles[one].name, "start": start });
        let change = refusal.change.as_ref().map(|change| {
            let moved = change.moved.iter().map(|moved| {
                let name = &self.geometry.profiles[moved.from.0].name;
                json!({ "profile": name, "start": moved.from.1, "starts_instead": moved.to })
            });
            json!({
                "made_again": moved.collect::<Vec<_>>(),
                "deleted": change.gone.iter().map(at).collect::<Vec<_>>(),
                "placed": change.placed.iter().map(at).collect::<Vec<_>>(),
            })
        });
        let nearest = self.geometry.profiles.iter().zip(&refusal.nearest);
        let nearest = nearest.filter(|(_, count)| **count > 0);
        let nearest = nearest.map(|(one, count)| json!({ "profile": one.name, "count": count }));
        json!({
            "gpu": self.gpu.id,
            "fits": false,
            "reason": self.reason(refusal.why),
            "beside": self.there.iter().map(at).collect::<Vec<_>>(),
            "change": change,
            "nearest": nearest.collect::<Vec<_>>(),
            "gpus_enough": refusal.cards_enough,
        })
    }
}
