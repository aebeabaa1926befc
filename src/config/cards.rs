//! What guests have of the cards: whole ones, time-sliced vGPUs, GPU instances; and what is said
//! when they do not fit.
//!
//! Where they go is decided in `gpu::placement`, and in `gpu::fit` for what has seats on a card or in a
//! GPU instance (`seats`); here are only words for it.

use super::diagnostic::{Diagnostic, Problems};
use super::guest::Guest;
use super::machine::{Machine, Model};
use super::pins;
use super::processes::{self, Process};
use super::seats;
use super::sharing::Sharing;
use super::suggest::quoted;
use crate::gpu::placement::{Cards, Claim, Obstacle, Place};
use crate::spec::{
    Arrivals, CardSpec, GpuId, GpuShare, GpuSpec, InstanceSharing, InstanceSpec, LoadSpec,
    MigProfile, VgpuType, VmSpec,
};
use crate::study;
use crate::units::{Bytes, Share, counted};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a guest has of each of its cards.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Holding {
    /// All of it.
    Whole,
    /// A time-sliced vGPU.
    Sliced(VgpuType),
    /// A GPU instance, seen through a vGPU type unless on bare metal.
    Instance(MigProfile, Option<VgpuType>),
    /// Processes on a card or GPU instance that they share with others.
    Process(Process),
    /// The one of this kind with most frame buffer of which all VMs of the file fit.
    Largest(Kind),
}

/// A kind of holding that comes in sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Time-sliced vGPU types.
    Sliced,
    /// MIG-backed vGPU types.
    Backed,
    /// GPU instances on bare metal.
    Instance,
}

impl Kind {
    /// All that the GPU has of this kind, most frame buffer first, then most compute.
    pub(super) fn candidates(self, gpu: &GpuSpec) -> Vec<Holding> {
        let types = gpu.vgpu_types.iter();
        let mut all: Vec<Holding> = match self {
            Kind::Sliced => types
                .filter(|vgpu| vgpu.profile.is_none() && vgpu.runs_cuda())
                .map(|vgpu| Holding::Sliced(vgpu.clone()))
                .collect(),
            Kind::Backed => types
                .filter(|vgpu| vgpu.runs_cuda())
                .filter_map(|vgpu| Holding::backed(gpu, vgpu))
                .collect(),
            Kind::Instance => {
                gpu.mig_profiles.iter().map(|one| Holding::Instance(one.clone(), None)).collect()
            }
        };
        all.retain(|one| one.unpublished().is_none());
        let compute = |holding: &Holding| match holding {
            Holding::Instance(profile, _) => profile.compute_slices,
            _ => 0,
        };
        all.sort_by_key(|one| std::cmp::Reverse((one.frame_buffer(gpu), compute(one))));
        all
    }
}

impl Holding {
    /// The holding that a vGPU type makes.
    pub(super) fn of_type(gpu: &GpuSpec, vgpu: &VgpuType) -> Holding {
        Self::backed(gpu, vgpu).unwrap_or_else(|| Holding::Sliced(vgpu.clone()))
    }

    fn backed(gpu: &GpuSpec, vgpu: &VgpuType) -> Option<Holding> {
        let profile = gpu.mig_profile(vgpu.profile.as_deref()?)?.clone();
        Some(Holding::Instance(profile, Some(vgpu.clone())))
    }

    /// Frame buffer it gives a guest: of a GPU instance no more than is usable.
    pub(super) fn frame_buffer(&self, gpu: &GpuSpec) -> Bytes {
        match self {
            Holding::Whole | Holding::Largest(_) => gpu.memory.value,
            Holding::Process(process) => process
                .memory_limit
                .map_or(process.memory(gpu), |limit| limit.min(process.memory(gpu))),
            Holding::Sliced(vgpu) => vgpu.frame_buffer,
            Holding::Instance(profile, vgpu) => {
                let of_type = vgpu.as_ref().map(|vgpu| vgpu.frame_buffer);
                let published = profile.frame_buffer.into_iter().chain(of_type);
                published.min().expect("an instance without one is refused when it is read")
            }
        }
    }

    /// What a simulation needs of it and nobody has published.
    pub(super) fn unpublished(&self) -> Option<&'static str> {
        let Holding::Instance(profile, vgpu) = self else { return None };
        match profile {
            MigProfile { sms: None, .. } => Some("SMs"),
            MigProfile { frame_buffer: None, .. } if vgpu.is_none() => Some("frame buffer"),
            _ => None,
        }
    }

    /// Its name with what it is: `vGPU type A100-10C`.
    pub(super) fn in_words(&self, gpu: &GpuSpec) -> String {
        match self {
            Holding::Whole | Holding::Largest(_) => format!("GPU {}", gpu.id),
            Holding::Process(Process { memory_limit: Some(_), .. }) => {
                "the memory limit of a process".to_string()
            }
            Holding::Process(process) => process.shared(gpu),
            Holding::Sliced(vgpu) | Holding::Instance(_, Some(vgpu)) => {
                format!("vGPU type {}", vgpu.name)
            }
            Holding::Instance(profile, None) => format!("GPU instance {}", profile.name),
        }
    }

    /// The name that files use; that of the card when it is whole.
    pub(super) fn name<'a>(&'a self, gpu: &'a GpuSpec) -> &'a str {
        match self {
            Holding::Whole | Holding::Largest(_) | Holding::Process(_) => &gpu.id,
            Holding::Sliced(vgpu) | Holding::Instance(_, Some(vgpu)) => &vgpu.name,
            Holding::Instance(profile, None) => &profile.name,
        }
    }

    /// The kind, to name others of it.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Holding::Whole | Holding::Process(_) => None,
            Holding::Sliced(_) => Some(Kind::Sliced),
            Holding::Instance(_, Some(_)) => Some(Kind::Backed),
            Holding::Instance(_, None) => Some(Kind::Instance),
            Holding::Largest(kind) => Some(*kind),
        }
    }

    fn vgpu_type(&self) -> Option<String> {
        match self {
            Holding::Sliced(vgpu) | Holding::Instance(_, Some(vgpu)) => Some(vgpu.name.clone()),
            _ => None,
        }
    }

    /// What it takes of the cards by itself.
    pub(super) fn claim(&self, gpu: &GpuSpec) -> Claim {
        match self {
            Holding::Whole | Holding::Largest(_) | Holding::Process(_) => Claim::Whole,
            Holding::Sliced(vgpu) => {
                Claim::Sliced { frame_buffer: vgpu.frame_buffer, most: vgpu.max_per_gpu }
            }
            Holding::Instance(profile, _) => {
                let same = |other: &MigProfile| other.name == profile.name;
                let profile = gpu.mig_profiles.iter().position(same);
                Claim::Instance { profile: profile.expect("a profile of this GPU") }
            }
        }
    }
}

/// Every VM by itself: copies named and numbered, `largest` made a type.
pub(super) fn expand(machine: &Machine, guests: &[Guest]) -> Vec<Guest> {
    let copies = guests.iter().flat_map(|guest| match guest.copies {
        None => vec![guest.clone()],
        Some(copies) => (1..=copies).map(|number| numbered(guest, number, copies)).collect(),
    });
    let mut all: Vec<Guest> = copies.collect();
    for (index, model) in machine.models.iter().enumerate() {
        let is_open = |guest: &Guest| matches!(guest.holding, Holding::Largest(_));
        let mut mine = on_model(machine, &all, index);
        if mine.iter().any(is_open) {
            choose_largest(model, &mut mine);
            let there = all.iter_mut().filter(|guest| guest.models.contains(&index));
            there.zip(mine).for_each(|(guest, found)| guest.holding = found.holding);
        }
    }
    all
}

/// The guests that have cards of a model, with what they have of them.
fn on_model(machine: &Machine, guests: &[Guest], index: usize) -> Vec<Guest> {
    let part = |guest: &Guest| {
        let count = guest.models.iter().filter(|model| **model == index).count();
        if count == guest.models.len() {
            return Some(guest.clone());
        }
        let pins = guest.pins.as_ref().map(|pins| pins.on(&machine.models[index].numbers));
        let models = vec![index; count];
        (count > 0).then(|| Guest { cards: count as u32, models, pins, ..guest.clone() })
    };
    guests.iter().filter_map(part).collect()
}

fn numbered(guest: &Guest, number: u32, copies: u32) -> Guest {
    let mut copy = Guest { copies: None, ..guest.clone() };
    copy.vm.name = format!("{}-{number}", guest.vm.name);
    copy.pins = guest.pins.as_ref().map(|pins| pins.of_copy(number, guest.cards));
    let own = guest.models.chunks(guest.cards as usize).nth(number as usize - 1);
    copy.models = own.expect("models of each copy").to_vec();
    let others = copy.others.iter_mut().map(|other| {
        other.vm.name = copy.vm.name.clone();
        &mut other.vm
    });
    let others: Vec<&mut VmSpec> = others.collect();
    for vm in std::iter::once(&mut copy.vm).chain(others) {
        deal_trace(&mut vm.load, number, copies);
    }
    copy
}

/// A recorded load is dealt to copies.
fn deal_trace(load: &mut LoadSpec, number: u32, copies: u32) {
    let Arrivals::Trace(trace) = &load.arrivals else { return };
    let part = super::trace::deal(trace, number, copies);
    let settings = &mut load.settings;
    settings.target_qps *= part.rate() / trace.rate();
    settings.min_query_count = part.arrivals.len() as u64;
    load.arrivals = Arrivals::Trace(Arc::new(part));
}

/// Makes a type of each `largest`, all of a kind alike; the smallest when none leaves room for all.
/// Whether all VMs fit.
fn choose_largest(model: &Model, guests: &mut [Guest]) -> bool {
    let open = guests.iter().find_map(|guest| match guest.holding {
        Holding::Largest(kind) => Some(kind),
        _ => None,
    });
    let Some(kind) = open else { return place_on(model, guests).is_some() };
    let candidates = kind.candidates(&model.gpu.spec);
    // When none fits, what is said is said of the one of which a card takes most.
    let most = |candidate: &Holding| match candidate {
        Holding::Sliced(vgpu) => vgpu.max_per_gpu,
        Holding::Instance(profile, _) => profile.max_per_gpu,
        _ => 1,
    };
    let last = candidates.iter().enumerate().max_by_key(|(_, candidate)| most(candidate));
    let last = last.map_or(0, |(index, _)| index);
    for (index, candidate) in candidates.into_iter().enumerate() {
        let mut tried = guests.to_vec();
        let alike = tried.iter_mut().filter(|guest| guest.holding == Holding::Largest(kind));
        alike.for_each(|guest| guest.holding = candidate.clone());
        let fits = choose_largest(model, &mut tried);
        if fits || index == last {
            guests.clone_from_slice(&tried);
            return fits;
        }
    }
    false
}

/// A place for every holding of every guest, in order; nothing when there is none for all. What is on
/// cards of one model is placed by itself: a VM is not moved from one model to another.
pub(super) fn place(machine: &Machine, guests: &[Guest]) -> Option<Vec<Place>> {
    let mut on_models = Vec::new();
    for (index, model) in machine.models.iter().enumerate() {
        let places = place_on(model, &on_model(machine, guests, index))?.into_iter();
        on_models.push(places.map(|place| {
            let number = model.numbers[place.card];
            Place { card: number as usize, ..place }
        }));
    }
    let models = guests.iter().flat_map(|guest| &guest.models);
    Some(models.map(|model| on_models[*model].next().expect("a place for each")).collect())
}

/// The same of cards of one model, which are counted from 0.
pub(super) fn place_on(model: &Model, guests: &[Guest]) -> Option<Vec<Place>> {
    if model.only.is_none() && pins::are_there(guests) {
        return pins::place(model, guests);
    }
    if guests.iter().any(Guest::is_process) {
        return processes::place(model, cards(model), guests);
    }
    if seats::are_needed(model, guests) {
        return seats::place(model, guests);
    }
    let starts: Vec<Option<u32>> = guests.iter().flat_map(Guest::starts).collect();
    cards(model).place_at(model.sharing.assignment, &claims(model, guests), &starts)
}

fn cards(model: &Model) -> Cards<'_> {
    Cards { count: model.cards() as usize, profiles: &model.gpu.spec.mig_profiles }
}

fn claims(model: &Model, guests: &[Guest]) -> Vec<Claim> {
    let of_guest = |guest: &Guest| {
        let claim = guest.holding.claim(&model.gpu.spec);
        std::iter::repeat_n(claim, guest.cards as usize)
    };
    guests.iter().flat_map(of_guest).collect()
}

/// The cards of the machine as these guests cut them, and what each guest has of them.
pub(super) fn deal(machine: &Machine, guests: &[Guest]) -> (Vec<CardSpec>, Vec<Vec<GpuShare>>) {
    let uncut = |card: u32| CardSpec {
        gpu: machine.gpu_of(card).clone(),
        instances: Vec::new(),
        power_limit: machine.power_limit_of(card),
        link: machine.link_of(card),
    };
    let mut cards: Vec<CardSpec> = (0..machine.cards()).map(uncut).collect();
    let sharing = &machine.sharing;
    // Without a placement an error was reported, and nothing of this is ever run.
    let mut places = place(machine, guests).unwrap_or_default().into_iter();
    let mut shares = Vec::new();
    let mut shared = BTreeMap::new();
    let slots = seats::slots(guests, places.as_slice());
    for guest in guests {
        let places = places.by_ref().take(guest.cards as usize);
        let own = places.map(|place| GpuShare {
            card: GpuId(place.card as u16),
            instance: match &guest.holding {
                Holding::Process(process) => *shared
                    .entry((place.card, place.start))
                    .or_insert_with(|| shared_instance(&mut cards[place.card], sharing, process)),
                Holding::Instance(profile, Some(vgpu)) if vgpu.shares_instance() => {
                    *shared.entry((place.card, place.start)).or_insert_with(|| {
                        instance_in_turns(&mut cards[place.card], sharing, profile, vgpu)
                    })
                }
                holding => {
                    let slots = slots.get(&place.card).copied();
                    instance_on(&mut cards[place.card], sharing, holding, slots)
                }
            },
            vgpu_type: guest.holding.vgpu_type(),
            sm_limit: match &guest.holding {
                Holding::Process(process) => process.sm_limit(machine.gpu_of(place.card as u32)),
                _ => Share::WHOLE,
            },
        });
        shares.push(own.collect());
    }
    for card in cards.iter_mut().filter(|card| card.instances.is_empty()) {
        *card = card.uncut();
    }
    (cards, shares)
}

/// The instance of a card that the holding is, or joins; time-sliced vGPUs take turns in so many
/// slots.
fn instance_on(
    card: &mut CardSpec,
    sharing: &Sharing,
    holding: &Holding,
    slots: Option<u32>,
) -> u16 {
    let instance = match holding {
        Holding::Instance(profile, _) => gpu_instance(&card.gpu, profile),
        Holding::Sliced(_) if !card.instances.is_empty() => return 0,
        // A vGPU that has the card to itself takes no turns.
        Holding::Sliced(vgpu) => InstanceSpec {
            sharing: match slots.unwrap_or(vgpu.max_per_gpu) {
                1 => InstanceSharing::Alone,
                most => sharing.of_vgpus(&card.gpu, most),
            },
            ..InstanceSpec::whole()
        },
        Holding::Whole | Holding::Largest(_) | Holding::Process(_) => InstanceSpec::whole(),
    };
    card.instances.push(instance);
    card.instances.len() as u16 - 1
}

/// A GPU instance that vGPUs of one type share in turns.
fn instance_in_turns(
    card: &mut CardSpec,
    sharing: &Sharing,
    profile: &MigProfile,
    vgpu: &VgpuType,
) -> u16 {
    let turns = sharing.of_vgpus(&card.gpu, vgpu.max_per_instance);
    card.instances.push(InstanceSpec { sharing: turns, ..gpu_instance(&card.gpu, profile) });
    card.instances.len() as u16 - 1
}

/// A card, or a GPU instance on it, that processes share.
fn shared_instance(card: &mut CardSpec, sharing: &Sharing, process: &Process) -> u16 {
    let whole = match &process.within {
        Some(profile) => gpu_instance(&card.gpu, profile),
        None => InstanceSpec::whole(),
    };
    let sharing = process.sharing(sharing, &card.gpu);
    card.instances.push(InstanceSpec { sharing, ..whole });
    card.instances.len() as u16 - 1
}

/// A GPU instance with one owner.
fn gpu_instance(gpu: &GpuSpec, profile: &MigProfile) -> InstanceSpec {
    let sms = profile.sms.expect("an instance without known SMs is refused when it is read");
    InstanceSpec {
        profile: Some(profile.name.clone()),
        share: Share::new(f64::from(sms) / f64::from(gpu.sms.value))
            .expect("no more SMs than the card has"),
        memory_share: gpu.memory_share(profile),
        sharing: InstanceSharing::Alone,
    }
}

/// Reports what stands in the way, when there is no placement for all guests.
pub(super) fn check(machine: &Machine, guests: &[Guest], problems: &Problems) {
    for (index, model) in machine.models.iter().enumerate() {
        let mine = on_model(machine, guests, index);
        if place_on(model, &mine).is_some() {
            continue;
        }
        match pins::are_there(&mine) {
            true => pins::check(model, &mine, machine.models.len() == 1, problems),
            false => check_card(model, &mine, problems),
        }
    }
}

/// The same, given that there is no placement and that no VM says where it is.
pub(super) fn check_card(model: &Model, guests: &[Guest], problems: &Problems) {
    // Whoever fits beside more fits beside fewer.
    let mut fitting = most(guests.len() - 1, |count| fits(model, &guests[..count]));
    // A short search may have given up where the long one finds a place.
    while fitting + 1 < guests.len() && place_on(model, &guests[..=fitting]).is_some() {
        fitting += 1;
    }
    let first = &guests[fitting];
    // Copies stand at one place of the file: all of them are counted.
    let last = guests.iter().rposition(|guest| guest.spots.cards == first.spots.cards);
    let placed = &guests[..=last.expect("it is one of them")];
    let guest = placed.last().expect("somebody does not fit");
    let (title, reason) = if guest.is_process() {
        processes::obstacle(model, placed)
    } else if seats::are_needed(model, placed) {
        seats::obstacle(model, placed)
    } else {
        let claims = claims(model, placed);
        let obstacle = cards(model).obstacle(&claims);
        (title(model, placed, &claims, obstacle), reason(model, &claims, obstacle))
    };
    let diagnostic = Diagnostic::at(&guest.spots.cards, title);
    let diagnostic = match reason {
        Some(reason) => diagnostic.note("reason", reason),
        None => diagnostic,
    };
    let diagnostic =
        diagnostic.allowed(nearest(model, guests, fitting)).of_limit(study::Obstacle::Placement);
    let source = match guest.holding.kind() {
        None => "",
        Some(Kind::Sliced) => &model.gpu.vgpu_source,
        Some(_) => &model.gpu.mig_source,
    };
    problems.push(if source.is_empty() { diagnostic } else { diagnostic.note("source", source) });
}

fn title(model: &Model, placed: &[Guest], claims: &[Claim], obstacle: Obstacle) -> String {
    let (host, cards) = (&model.host, model.cards_in_words());
    let guest = placed.last().expect("somebody does not fit");
    let name = guest.holding.name(&model.gpu.spec);
    let others = claims.iter().any(|claim| !matches!(claim, Claim::Instance { .. }));
    let left = |sliced: bool| match others && !sliced {
        true => format!("what is left of {cards}"),
        false => cards.clone(),
    };
    match obstacle {
        Obstacle::Cards { .. } if placed.len() == 1 && guest.holding == Holding::Whole => {
            format!("{} GPUs are more than {host} has ({cards})", guest.cards)
        }
        Obstacle::Cards { needed } if model.only.is_some() => {
            format!(
                "the VMs up to this one need {}, and all are on {cards}",
                counted(needed, "card")
            )
        }
        Obstacle::Cards { needed } => {
            format!("the VMs up to this one need {}, {host} has {cards}", counted(needed, "card"))
        }
        Obstacle::Maximum { wanted, most } => {
            let sliced = matches!(guest.holding, Holding::Sliced(_));
            format!("{wanted} x {name} are too many for {}: a card takes {most}", left(sliced))
        }
        Obstacle::MemorySlices { needed, there } => format!(
            "the GPU instances up to this one need {}, {} has {there}",
            counted(needed, "memory slice"),
            left(false)
        ),
        Obstacle::ComputeSlices { needed, there } => format!(
            "the GPU instances up to this one need {}, {} has {there}",
            counted(needed, "compute slice"),
            left(false)
        ),
        Obstacle::MediaEngines => format!(
            "the GPU instances up to this one need more media engines than {} has",
            left(false)
        ),
        Obstacle::Positions => {
            format!("no layout of {} holds these GPU instances", left(false))
        }
    }
}

/// The rule behind an obstacle, where the title does not say it.
fn reason(model: &Model, claims: &[Claim], obstacle: Obstacle) -> Option<String> {
    let profiles = &model.gpu.spec.mig_profiles;
    match obstacle {
        Obstacle::Positions => {
            let is_used = |index: usize| claims.contains(&Claim::Instance { profile: index });
            let used = profiles.iter().enumerate().filter(|(index, _)| is_used(*index));
            let positions: Vec<String> = used.map(|(_, profile)| profile.to_string()).collect();
            Some(format!("slices are left, but the positions are {}", positions.join(", ")))
        }
        Obstacle::MemorySlices { .. } => {
            Some(slices(profiles, claims, |profile| profile.memory_slices))
        }
        Obstacle::ComputeSlices { .. } => {
            Some(slices(profiles, claims, |profile| profile.compute_slices))
        }
        Obstacle::MediaEngines => Some(
            "one instance of a card can have the media extensions (+me), and all share its engines"
                .to_string(),
        ),
        Obstacle::Cards { .. } => {
            let kind = |claim: &Claim| match claim {
                Claim::Whole => 0,
                Claim::Sliced { .. } => 1,
                Claim::Instance { .. } => 2,
            };
            if claims.iter().any(|claim| kind(claim) != kind(&claims[0])) {
                return Some("a card is whole, time-sliced or cut into GPU instances, never two of these at once".to_string());
            }
            let mixed = claims.iter().any(|claim| *claim != claims[0]);
            (kind(&claims[0]) == 1 && mixed).then(|| {
                "in equal-size mode all time-sliced vGPUs of a card have the same frame buffer"
                    .to_string()
            })
        }
        Obstacle::Maximum { .. } => None,
    }
}

/// The slices that the instances need: `2 x 4 (3g.20gb), 1 x 1 (1g.5gb)`.
fn slices(profiles: &[MigProfile], claims: &[Claim], of: impl Fn(&MigProfile) -> u32) -> String {
    let used = profiles.iter().enumerate().filter_map(|(index, profile)| {
        let same = claims.iter().filter(|claim| **claim == Claim::Instance { profile: index });
        let count = same.count();
        (count > 0).then(|| format!("{count} x {} ({})", of(profile), profile.name))
    });
    used.collect::<Vec<_>>().join(", ")
}

/// Sets of VMs that are tried for a message: help may not cost more than the answer.
const TRIES_MAX: usize = 64;

/// Whether there is a place for all guests, as far as a short search tells.
fn fits(model: &Model, guests: &[Guest]) -> bool {
    let by_card = model.only.is_none() && pins::are_there(guests);
    if !by_card && !guests.iter().any(Guest::is_process) && seats::are_needed(model, guests) {
        return seats::surely_fit(model, guests);
    }
    place_on(model, guests).is_some()
}

/// The most of 0 to `all` that keep a rule which fewer keep where more do; 0 where none does.
fn most(all: usize, keeps: impl Fn(usize) -> bool) -> usize {
    let (mut good, mut bad) = (0, all + 1);
    while good + 1 < bad {
        let middle = good + (bad - good) / 2;
        if keeps(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// The nearest set of VMs that can be placed, the first `fitting` being one.
fn nearest(model: &Model, guests: &[Guest], fitting: usize) -> String {
    if let [guest] = guests {
        let keeps = |count: usize| fits(model, &[Guest { cards: count as u32, ..guest.clone() }]);
        return match most(guest.cards as usize - 1, keeps) {
            0 if guest.is_process() => "fewer replicas".to_string(),
            0 => "none of this kind".to_string(),
            most => format!("1 to {most}"),
        };
    }
    if guests.iter().all(|guest| are_alike(guest, &guests[0])) {
        return format!("at most {fitting} such VMs");
    }
    let dropped = fewest_to_drop(guests, are_alike, |kept| fits(model, kept));
    match &dropped[..] {
        [one] => format!("all VMs but {}", quoted(&guests[*one].vm.name)),
        [one, two] => {
            let names = [one, two].map(|&index| quoted(&guests[index].vm.name));
            format!("all VMs but {} and {}", names[0], names[1])
        }
        dropped => format!("{} of the {} VMs", guests.len() - dropped.len(), guests.len()),
    }
}

/// Whether two guests want the same of the cards.
fn are_alike(one: &Guest, two: &Guest) -> bool {
    (&one.holding, one.cards) == (&two.holding, two.cards)
}

/// The VMs without which the others can be placed: one or two where that is enough and found soon, the
/// later ones first; else all that find no place when they come in order. Neighbours that are alike
/// make one try of many.
fn fewest_to_drop<G: Clone>(
    guests: &[G],
    are_alike: impl Fn(&G, &G) -> bool,
    fits: impl Fn(&[G]) -> bool,
) -> Vec<usize> {
    let without = |dropped: &[usize]| -> Vec<G> {
        let kept = (0..guests.len()).filter(|index| !dropped.contains(index));
        kept.map(|index| guests[index].clone()).collect()
    };
    // Without one of a row the rest is the same whichever it is: its last stands for all, and the one
    // before for a second.
    let is_last =
        |index: usize| guests.get(index + 1).is_none_or(|next| !are_alike(&guests[index], next));
    let lasts: Vec<usize> = (0..guests.len()).rev().filter(|&index| is_last(index)).collect();
    let ones = lasts.iter().map(|&one| vec![one]);
    let twos = lasts.iter().enumerate().flat_map(|(at, &one)| {
        let beside = (one > 0 && !is_last(one - 1)).then(|| one - 1);
        let others = lasts[at + 1..].iter().copied();
        beside.into_iter().chain(others).map(move |two| vec![one, two])
    });
    let mut tries = ones.chain(twos).take(TRIES_MAX);
    if let Some(found) = tries.find(|dropped| fits(&without(dropped))) {
        return found;
    }
    let (mut kept, mut dropped): (Vec<G>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut start = 0;
    for &last in lasts.iter().rev() {
        let row = &guests[start..=last];
        let room = most(row.len(), |count| fits(&[&kept[..], &row[..count]].concat()));
        kept.extend_from_slice(&row[..room]);
        dropped.extend(start + room..=last);
        start = last + 1;
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_keep_a_rule_are_found_in_few_tries() {
        for all in 0..70 {
            for limit in 0..=all {
                let tries = std::cell::Cell::new(0);
                let found = most(all, |count| {
                    tries.set(tries.get() + 1);
                    count <= limit
                });
                assert_eq!(found, limit);
                assert!(tries.get() <= 7, "{} tries for {all}", tries.get());
            }
        }
    }

    /// Help costs by the kinds of VMs, not by the third power of their number.
    #[test]
    fn what_to_drop_is_found_in_few_tries() {
        // Sizes of guests on one card of 40: alike, in rows, and each different.
        let alternating: Vec<u32> = (0..64).map(|guest| 5 + guest % 2).collect();
        let different: Vec<u32> = (1..=64).collect();
        let rows = [vec![10; 5], vec![20; 3]].concat();
        for (guests, room, most_tries) in [
            (vec![10; 64], 40, 9),
            (rows, 40, 16),
            (alternating.clone(), 40, 64 + 2 * 64),
            (different, 40, 64 + 2 * 64),
            (alternating, 350, 2),
        ] {
            let tries = std::cell::Cell::new(0);
            let fits = |kept: &[u32]| {
                tries.set(tries.get() + 1);
                kept.iter().sum::<u32>() <= room
            };
            let dropped = fewest_to_drop(&guests, |one, two| one == two, fits);
            let kept = (0..guests.len()).filter(|index| !dropped.contains(index));
            let kept: u32 = kept.map(|index| guests[index]).sum();
            assert!(kept <= room && (kept > 0 || guests[0] > room), "{dropped:?}");
            assert!(tries.get() <= most_tries, "{} tries for {guests:?}", tries.get());
        }
    }

    /// One or two that are enough are found as a look at all pairs finds them, the later ones first.
    #[test]
    fn one_or_two_are_the_same_as_by_trying_all() {
        for seed in 0..500_u32 {
            let guests: Vec<u32> = (0..6).map(|at| 1 + (seed >> (at / 2 * 3)) % 8).collect();
            let room = guests.iter().sum::<u32>().saturating_sub(1 + seed % 9);
            let fits = |kept: &[u32]| kept.iter().sum::<u32>() <= room;
            let without = |dropped: &[usize]| -> u32 {
                let kept = guests.iter().enumerate().filter(|(at, _)| !dropped.contains(at));
                kept.map(|(_, size)| size).sum()
            };
            let ones = (0..6).rev().map(|one| vec![one]);
            let twos = (0..6).rev().flat_map(|one| (0..one).rev().map(move |two| vec![one, two]));
            let slow = ones.chain(twos).find(|dropped| without(dropped) <= room);
            if let Some(slow) = slow {
                assert_eq!(
                    fewest_to_drop(&guests, |one, two| one == two, fits),
                    slow,
                    "{guests:?}"
                );
            }
        }
    }
}
