//! The layout of requested GPU instances, with the free slices and the commands that create it; or
//! why there is none, and the nearest one.
//!
//! The layout is chosen in `layout::cutting`.

use super::{CountedProfile, PlacedProfile, gib};
use crate::layout::change::Change;
use crate::layout::compute_instances::{compute_profiles, name};
use crate::layout::cutting::{
    Cut, Made, Refusal, RefusalReason, Rest, Stuck, Way, Wish, cut, cut_beside, rest,
};
use crate::layout::geometry::{Geometry, Positioned};
use crate::layout::placement::Obstacle;
use crate::spec::{GpuSpec, MigProfile};
use serde::Serialize;

/// A requested GPU instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskedInstance {
    /// Its profile, and its start where one is named.
    pub wish: Wish,
    /// The compute slices of each compute instance in it; none for the default, one that spans it.
    pub inside: Vec<u32>,
}

/// The answer of `slicewise mig place`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum MigPlan<'a> {
    /// There is a layout.
    Made(MigMade<'a>),
    /// There is none.
    Refused(MigRefused<'a>),
}

/// A layout for each card.
#[derive(Clone, Debug, Serialize)]
pub struct MigMade<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// Always true.
    pub fits: bool,
    /// How it is reached: `as-asked`, in `other-order`, or only with `named-starts`.
    pub order: &'static str,
    /// The cards.
    pub gpus: Vec<MigCard<'a>>,
    /// Notes to be read before typing the commands.
    pub notes: Vec<String>,
    /// Full name of the GPU.
    #[serde(skip)]
    pub name: &'a str,
}

/// A card with its new instances.
#[derive(Clone, Debug, Serialize)]
pub struct MigCard<'a> {
    /// Its number, from 0.
    pub index: usize,
    /// The new instances, in order of creation; none where the card is not needed.
    pub instances: Vec<MigInstance<'a>>,
    /// Compute slices, of all instances afterwards.
    pub compute_slices: Slices,
    /// Memory slices, of all instances afterwards.
    pub memory_slices: Slices,
    /// Streaming multiprocessors.
    pub sms: Sms,
    /// Memory of all instances in GiB; nothing where some are not published.
    pub memory_gib: Option<f64>,
    /// Further instances that would fit, each profile by itself.
    pub room_for: Vec<CountedProfile<'a>>,
    /// The commands for an administrator.
    pub commands: Vec<String>,
    /// The instances that existed before.
    #[serde(skip)]
    pub there: Vec<PlacedProfile<'a>>,
    /// The data for a drawing.
    #[serde(skip)]
    pub drawing: CardDrawing<'a>,
}

/// A card as it is drawn.
#[derive(Clone, Debug)]
pub struct CardDrawing<'a> {
    /// Its slices and profiles.
    pub geometry: Geometry<'a>,
    /// The places of all instances: existing ones, then new ones.
    pub layout: Vec<Positioned>,
    /// The compute slices of the compute instances in each; none for the default.
    pub inside: Vec<Vec<u32>>,
    /// The free part.
    pub rest: Rest,
}

/// A new GPU instance.
#[derive(Clone, Debug, Serialize)]
pub struct MigInstance<'a> {
    /// Its profile.
    pub profile: &'a str,
    /// The id of its profile.
    pub id: u32,
    /// Its first memory slice.
    pub start: u32,
    /// How many memory slices it has.
    pub size: u32,
    /// Whether its start must be named.
    pub start_is_named: bool,
    /// Its streaming multiprocessors, if published.
    pub sms: Option<u32>,
    /// Its memory in GiB, if published.
    pub memory_gib: Option<f64>,
    /// The compute instances in it.
    pub compute_instances: Vec<InstanceInside>,
}

/// A compute instance inside a GPU instance.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceInside {
    /// Its name: `1c.3g.20gb`.
    pub compute_instance: String,
    /// The id of its profile.
    pub id: Option<u32>,
    /// Its streaming multiprocessors, if published.
    pub sms: Option<u32>,
}

/// Slices of a card.
#[derive(Clone, Debug, Serialize)]
pub struct Slices {
    /// How many are used by instances.
    pub used: u32,
    /// How many there are in all.
    pub total: u32,
    /// Free slices that no further instance can use.
    pub stranded: Vec<u32>,
}

/// Streaming multiprocessors of a card.
#[derive(Clone, Debug, Serialize)]
pub struct Sms {
    /// How many are used by instances; nothing where some are not published.
    pub used: Option<u32>,
    /// Those of the instance that spans the card.
    pub total_with_mig: Option<u32>,
    /// Those of the card.
    pub card: u32,
}

/// Why there is no layout, and the nearest one.
#[derive(Clone, Debug, Serialize)]
pub struct MigRefused<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// Always false.
    pub fits: bool,
    /// Why not.
    pub reason: String,
    /// The existing instances.
    pub beside: Vec<PlacedProfile<'a>>,
    /// The smallest change that makes room.
    pub change: Option<MigChange<'a>>,
    /// The largest part of the request that has a layout.
    pub nearest: Vec<CountedProfile<'a>>,
    /// How many cards would hold all of it.
    pub gpus_enough: Option<u32>,
    /// How many cards there are.
    #[serde(skip)]
    pub cards: u32,
    /// The requested profiles, in order.
    #[serde(skip)]
    pub asked: Vec<&'a str>,
}

/// The instances that must be created elsewhere or deleted.
#[derive(Clone, Debug, Serialize)]
pub struct MigChange<'a> {
    /// Instances that are created again elsewhere.
    pub made_again: Vec<MadeAgain<'a>>,
    /// Instances that are deleted.
    pub deleted: Vec<PlacedProfile<'a>>,
    /// The places of the requested instances afterwards.
    pub placed: Vec<PlacedProfile<'a>>,
}

/// An instance that is created again elsewhere.
#[derive(Clone, Debug, Serialize)]
pub struct MadeAgain<'a> {
    /// Its profile.
    pub profile: &'a str,
    /// Its first memory slice now.
    pub start: u32,
    /// The starts that it may have instead.
    pub starts_instead: Vec<u32>,
}

/// The answer where the instances of `--beside` have no layout themselves.
#[derive(Clone, Debug, Serialize)]
pub struct MigNotThere<'a> {
    /// Id of the GPU.
    pub gpu: &'a str,
    /// The instances of `--beside`, as written.
    pub beside: &'a [String],
    /// Always false.
    pub fits: bool,
}

/// The places of existing instances; nothing where no layout holds them.
pub fn mig_lie(gpu: &GpuSpec, there: &[AskedInstance]) -> Option<Vec<Positioned>> {
    let wishes: Vec<Wish> = there.iter().map(|one| one.wish).collect();
    match cut(&Geometry::new(&gpu.mig_profiles), &wishes, 1) {
        Cut::Made { cards, .. } => Some(cards.into_iter().flatten().map(|made| made.at).collect()),
        Cut::Refused(_) => None,
    }
}

/// The plan for the request on a number of cards; or on the one card that has the instances
/// `there`.
pub fn mig_plan<'a>(
    gpu: &'a GpuSpec,
    asked: &[AskedInstance],
    there: &[Positioned],
    cards: u32,
) -> MigPlan<'a> {
    let geometry = Geometry::new(&gpu.mig_profiles);
    let wishes: Vec<Wish> = asked.iter().map(|one| one.wish).collect();
    let cut = match there.is_empty() {
        true => cut(&geometry, &wishes, cards),
        false => cut_beside(&geometry, &wishes, there),
    };
    match cut {
        Cut::Made { cards, way, stuck } => {
            let cards = cards_of(geometry, cards, way, asked, there);
            MigPlan::Made(MigMade {
                gpu: &gpu.id,
                fits: true,
                order: match way {
                    Way::AsAsked => "as-asked",
                    Way::OtherOrder => "other-order",
                    Way::NamedStarts => "named-starts",
                },
                notes: notes(gpu, &cards, way, stuck.as_ref(), asked),
                gpus: cards.into_iter().map(|card| card.shown(gpu.sms.value)).collect(),
                name: &gpu.name,
            })
        }
        Cut::Refused(refusal) => {
            let question = Question { geometry, asked, there, cards };
            MigPlan::Refused(question.refused(&gpu.id, refusal))
        }
    }
}

/// A card with what is on it, in order of creation.
struct Card<'a> {
    geometry: Geometry<'a>,
    index: usize,
    made: Vec<Made>,
    /// The compute slices of the compute instances in each; none for the default.
    inside: Vec<Vec<u32>>,
    /// The instances that existed before.
    there: Vec<Positioned>,
}

/// The cards with their compute instances: GPU instances of a profile get them in the order asked.
fn cards_of<'a>(
    geometry: Geometry<'a>,
    cards: Vec<Vec<Made>>,
    way: Way,
    asked: &[AskedInstance],
    there: &[Positioned],
) -> Vec<Card<'a>> {
    let mut left: Vec<&AskedInstance> = asked.iter().collect();
    let mut take = |made: &Made| {
        // A named start belongs to the wish that named it.
        let is_it = |one: &&AskedInstance| {
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
        Card { geometry, index, made, inside, there: there.to_vec() }
    });
    cards.collect()
}

impl<'a> Card<'a> {
    fn is_divided(&self) -> bool {
        self.inside.iter().any(|inside| !inside.is_empty())
    }

    fn profile(&self, made: &Made) -> &'a MigProfile {
        &self.geometry.profiles[made.at.0]
    }

    /// What an administrator types; nothing where nothing is made.
    fn commands(&self) -> Vec<String> {
        if self.made.is_empty() {
            return Vec::new();
        }
        let gpu = self.index;
        let ids = self.made.iter().map(|made| match (self.profile(made).id, made.is_named) {
            (id, true) => format!("{id}:{}", made.at.1),
            (id, false) => id.to_string(),
        });
        let ids: Vec<String> = ids.collect();
        let default = if self.is_divided() { "" } else { " -C" };
        let mut all = Vec::new();
        if self.there.is_empty() {
            all.push(format!("nvidia-smi -i {gpu} -mig 1"));
        }
        all.push(format!("nvidia-smi mig -i {gpu} -cgi {}{default}", ids.join(",")));
        if self.is_divided() {
            for (made, inside) in self.made.iter().zip(&self.inside) {
                let gi = self.profile(made);
                let kinds = compute_profiles(&self.geometry, gi);
                let of = |slices: &u32| {
                    let kind = kinds.iter().find(|kind| kind.compute_slices == *slices);
                    kind.expect("it was requested by name").id.to_string()
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
    fn with_starts(&self) -> String {
        let ids = self.made.iter().map(|made| format!("{}:{}", self.profile(made).id, made.at.1));
        ids.collect::<Vec<_>>().join(",")
    }

    fn instance(&self, made: &Made, inside: &[u32]) -> MigInstance<'a> {
        let gi = self.profile(made);
        let kinds = compute_profiles(&self.geometry, gi);
        let whole = [gi.compute_slices];
        let slices = if inside.is_empty() { &whole } else { inside };
        let compute = slices.iter().map(|slices| {
            let kind = kinds.iter().find(|kind| kind.compute_slices == *slices);
            InstanceInside {
                compute_instance: name(gi, *slices),
                id: kind.map(|kind| kind.id),
                sms: kind.and_then(|kind| kind.sms),
            }
        });
        MigInstance {
            profile: &gi.name,
            id: gi.id,
            start: made.at.1,
            size: gi.memory_slices,
            start_is_named: made.is_named,
            sms: gi.sms,
            memory_gib: gi.frame_buffer.map(gib),
            compute_instances: compute.collect(),
        }
    }

    fn shown(self, sms_of_card: u32) -> MigCard<'a> {
        let geometry = self.geometry;
        let there = self.there.iter().copied();
        let layout: Vec<Positioned> = there.chain(self.made.iter().map(|made| made.at)).collect();
        let rest = rest(&geometry, &layout);
        let counts = geometry.counts(&layout);
        let profiles = || layout.iter().map(|at| &geometry.profiles[at.0]);
        let slices =
            |used, total, stranded: &Vec<u32>| Slices { used, total, stranded: stranded.clone() };
        let mut all = geometry.profiles.iter();
        let spanning = all.find(|one| one.memory_slices == geometry.memory_slices);
        let made = self.made.iter().zip(&self.inside);
        MigCard {
            index: self.index,
            instances: made.map(|(made, inside)| self.instance(made, inside)).collect(),
            compute_slices: slices(
                geometry.compute_of(&counts),
                geometry.compute_slices,
                &rest.stranded_compute,
            ),
            memory_slices: slices(
                geometry.memory_of(&counts),
                geometry.memory_slices,
                &rest.stranded_memory,
            ),
            sms: Sms {
                used: profiles().map(|one| one.sms).sum(),
                total_with_mig: spanning.and_then(|one| one.sms),
                card: sms_of_card,
            },
            memory_gib: profiles().map(|one| one.frame_buffer.map(gib)).sum(),
            room_for: CountedProfile::of(geometry.profiles, &rest.room),
            commands: self.commands(),
            there: PlacedProfile::of(geometry.profiles, &self.there),
            drawing: CardDrawing {
                geometry,
                inside: vec![Vec::new(); self.there.len()].into_iter().chain(self.inside).collect(),
                layout,
                rest,
            },
        }
    }
}

fn notes(
    gpu: &GpuSpec,
    cards: &[Card<'_>],
    way: Way,
    stuck: Option<&Stuck>,
    asked: &[AskedInstance],
) -> Vec<String> {
    let profiles = &gpu.mig_profiles;
    let mut notes = Vec::new();
    if let Some(stuck) = stuck {
        let refused = &profiles[asked[stuck.wish].wish.profile].name;
        let several = cards.len() > 1;
        let made = stuck.made.iter().map(|&(card, (profile, start))| match several {
            true => format!("{} at {start} of GPU {card}", profiles[profile].name),
            false => format!("{} at {start}", profiles[profile].name),
        });
        let made: Vec<String> = made.collect();
        let way = match way {
            Way::NamedStarts => "no order reaches this layout: name the starts",
            _ => "create them in the order of the commands",
        };
        notes.push(format!(
            "in the requested order the driver places {}, and has no room for number {}, \
             {refused}; {way}",
            made.join(", "),
            stuck.wish + 1
        ));
    }
    if cards.iter().any(Card::is_divided) {
        notes.push("-cgi prints the ID of each GPU instance that -cci needs".to_string());
    }
    if way != Way::NamedStarts {
        let needed = cards.iter().filter(|card| !card.made.is_empty());
        let starts: Vec<String> = needed.map(Card::with_starts).collect();
        notes.push(format!("the same with named starts: -cgi {}", starts.join("; -cgi ")));
    }
    let has = |card: &Card<'_>, slices: u32| {
        card.made.iter().any(|made| card.profile(made).compute_slices == slices)
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

/// What was asked and has no layout.
struct Question<'q, 'a> {
    geometry: Geometry<'a>,
    asked: &'q [AskedInstance],
    there: &'q [Positioned],
    cards: u32,
}

impl<'a> Question<'_, 'a> {
    fn refused(&self, gpu: &'a str, refusal: Refusal) -> MigRefused<'a> {
        let profiles = self.geometry.profiles;
        MigRefused {
            gpu,
            fits: false,
            reason: self.reason(refusal.why),
            beside: PlacedProfile::of(profiles, self.there),
            change: refusal.change.map(|change| self.change(change)),
            nearest: CountedProfile::of(profiles, &refusal.nearest),
            gpus_enough: refusal.cards_enough,
            cards: self.cards,
            asked: self.asked.iter().map(|one| &profiles[one.wish.profile].name[..]).collect(),
        }
    }

    fn change(&self, change: Change) -> MigChange<'a> {
        let profiles = self.geometry.profiles;
        let moved = change.moved.into_iter().map(|moved| MadeAgain {
            profile: &profiles[moved.from.0].name,
            start: moved.from.1,
            starts_instead: moved.to,
        });
        MigChange {
            made_again: moved.collect(),
            deleted: PlacedProfile::of(profiles, &change.gone),
            placed: PlacedProfile::of(profiles, &change.placed),
        }
    }

    fn reason(&self, why: RefusalReason) -> String {
        let geometry = self.geometry;
        let profiles = geometry.profiles;
        let cards = self.cards;
        let they = if self.there.is_empty() { "they" } else { "with the existing instances they" };
        let there = if cards == 1 { "the card has" } else { "the cards have" };
        let place = |(profile, start): Positioned| {
            let one = &profiles[profile];
            format!("{} on memory slices {start} to {}", one.name, start + one.memory_slices - 1)
        };
        let counts = self.counts();
        match why {
            RefusalReason::Start((profile, start)) => {
                let one = &profiles[profile];
                format!(
                    "{} cannot start at {start}: its positions are {}",
                    one.name,
                    one.positions()
                )
            }
            RefusalReason::Overlap(one, other) => {
                format!("{} and {} overlap", place(one), place(other))
            }
            RefusalReason::Named => "they have a layout, but not with the named starts".to_string(),
            RefusalReason::Beside => {
                "they have a layout together, but not with the existing instances at their \
                 present places"
                    .to_string()
            }
            RefusalReason::Maximum { profile, wanted, most } => {
                format!(
                    "{wanted} x {} are too many: a card can have {most}",
                    profiles[profile].name
                )
            }
            RefusalReason::Cards(Obstacle::MemorySlices { needed, there: slices }) => format!(
                "{they} take {} compute slices but {needed} memory slices, and {there} {} and {slices}: {}",
                geometry.compute_of(&counts),
                geometry.compute_slices * cards,
                self.each(|one| one.memory_slices)
            ),
            RefusalReason::Cards(Obstacle::ComputeSlices { needed, there: slices }) => format!(
                "{they} take {needed} compute slices, and {there} {slices}: {}",
                self.each(|one| one.compute_slices)
            ),
            RefusalReason::Cards(Obstacle::MediaEngines) => format!(
                "{they} need more media engines than {there}: one instance of a card can have the media extensions (+me)"
            ),
            RefusalReason::Cards(_) => {
                let used = profiles.iter().zip(&counts).filter(|(_, count)| **count > 0);
                let used: Vec<String> = used.map(|(one, _)| one.to_string()).collect();
                format!("there are enough slices, but the positions are {}", used.join(", "))
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
}
