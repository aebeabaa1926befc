//! Who is where: the cards of a cluster, the vGPUs on each, and where a VM could go.
//!
//! A card in same-size mode has vGPUs of one frame buffer at a time; an empty one takes any type.

use crate::spec::{GpuId, HostId};
use crate::units::Bytes;

/// A machine.
#[derive(Clone, PartialEq, Debug)]
pub struct HostPlace {
    /// Its name.
    pub name: String,
}

/// A card.
#[derive(Clone, PartialEq, Debug)]
pub struct CardPlace {
    /// The machine that it is in.
    pub host: HostId,
    /// Cards on which the same vGPU is the same: model and power limit, in words.
    pub kind: String,
}

/// The type of a VM's vGPUs.
#[derive(Clone, PartialEq, Debug)]
pub struct Vgpu {
    /// Its name, such as `A100-10C`.
    pub name: String,
    /// How many of it a card takes.
    pub max_per_gpu: u32,
    /// Its frame buffer.
    pub frame_buffer: Bytes,
}

/// The card of one of a VM's vGPUs, or of a card that is passed through.
pub type Seat = GpuId;

/// The occupation of all cards.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) hosts: Vec<HostPlace>,
    cards: Vec<CardPlace>,
    /// What is on each card: the type, and how many of it.
    held: Vec<Option<(Holding, u32)>>,
    /// Whether a machine takes VMs.
    is_open: Vec<bool>,
    /// Whether vGPUs go to the emptiest card first.
    spreads: bool,
}

/// What a VM has of each of its cards.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Holding {
    /// All of it.
    Whole,
    /// A vGPU.
    Vgpu(Vgpu),
}

impl Holding {
    pub(super) fn words(&self) -> String {
        match self {
            Holding::Whole => "card".to_string(),
            Holding::Vgpu(vgpu) => format!("vGPU {}", vgpu.name),
        }
    }

    fn most(&self) -> u32 {
        match self {
            Holding::Whole => 1,
            Holding::Vgpu(vgpu) => vgpu.max_per_gpu,
        }
    }
}

impl Cluster {
    pub(super) fn new(hosts: Vec<HostPlace>, cards: Vec<CardPlace>, spreads: bool) -> Self {
        let (held, is_open) = (vec![None; cards.len()], vec![true; hosts.len()]);
        Self { hosts, cards, held, is_open, spreads }
    }

    /// The machine that a card is in.
    pub(super) fn host_of(&self, card: Seat) -> HostId {
        self.cards[usize::from(card.0)].host
    }

    /// The kind of a card.
    pub(super) fn kind_of(&self, card: Seat) -> &str {
        &self.cards[usize::from(card.0)].kind
    }

    /// Whether a machine takes VMs.
    pub(super) fn takes_vms(&self, host: HostId) -> bool {
        self.is_open[usize::from(host.0)]
    }

    /// From now on a machine takes VMs, or none.
    pub(super) fn set_open(&mut self, host: HostId, is_open: bool) {
        self.is_open[usize::from(host.0)] = is_open;
    }

    /// Whether a card has room for one more of a kind.
    fn has_room(&self, card: usize, holding: &Holding, kind: &str) -> bool {
        let place = &self.cards[card];
        let fits = match &self.held[card] {
            None => true,
            Some((other, count)) => other == holding && *count < holding.most(),
        };
        fits && place.kind == kind && self.is_open[usize::from(place.host.0)]
    }

    /// Takes a place on each of these cards.
    pub(super) fn take(&mut self, seats: &[Seat], holding: &Holding) {
        for seat in seats {
            let held = &mut self.held[usize::from(seat.0)];
            let (own, count) = held.get_or_insert_with(|| (holding.clone(), 0));
            *count += 1;
            assert!(own == holding && *count <= holding.most(), "{holding:?} beside {own:?}");
        }
    }

    /// Gives the places back.
    pub(super) fn free(&mut self, seats: &[Seat]) {
        for seat in seats {
            let held = &mut self.held[usize::from(seat.0)];
            let (_, count) = held.as_mut().expect("what is given back was taken");
            *count -= 1;
            if *count == 0 {
                *held = None;
            }
        }
    }

    /// Cards for so many of a kind of card, on one machine, among those that `suits`; nothing where there
    /// are none. The first machine that has them; on it the fullest card first, or the emptiest.
    pub(super) fn find(
        &self,
        (holding, count, kind): (&Holding, usize, &str),
        suits: impl Fn(usize) -> bool,
    ) -> Option<Vec<Seat>> {
        (0..self.hosts.len()).find_map(|host| {
            let mut trial = self.clone();
            let mut seats = Vec::new();
            for _ in 0..count {
                let cards = (0..trial.cards.len()).filter(|&card| {
                    usize::from(trial.cards[card].host.0) == host
                        && suits(card)
                        && trial.has_room(card, holding, kind)
                });
                let taken = |card: usize| trial.held[card].as_ref().map_or(0, |(_, count)| *count);
                let card = match self.spreads {
                    true => cards.min_by_key(|&card| (taken(card), card)),
                    false => cards.min_by_key(|&card| (u32::MAX - taken(card), card)),
                }?;
                let seat = GpuId(card as u16);
                trial.take(&[seat], holding);
                seats.push(seat);
            }
            Some(seats)
        })
    }

    /// Whether these cards all have room for a VM again.
    pub(super) fn has_room_on(&self, seats: &[Seat], holding: &Holding, kind: &str) -> bool {
        let mut trial = self.clone();
        seats.iter().all(|seat| {
            let fits = trial.has_room(usize::from(seat.0), holding, kind);
            if fits {
                trial.take(&[*seat], holding);
            }
            fits
        })
    }
}
