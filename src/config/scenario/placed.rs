//! The VMs of a cluster on its hosts: where placement puts each, and the hosts as machines with the
//! guests that are on them. All VMs of a file are placed beside each other, in order of power-on.

use super::guest::Guest;
use super::holding::Holding;
use super::hosts::Hosts;
use super::machine::Machine;
use super::operations::NamedHosts;
use super::other_vm::Other;
use super::pins::Pins;
use super::placement_keys::{Placement, ask, in_words, refuse_holding};
use super::{cards, rules};
use crate::config::catalogue::Catalogue;
use crate::config::text::{Diagnostic, Problems};
use crate::layout::cluster::{Gpus, Kind, Placed};
use crate::layout::fit::SizeMode;
use crate::layout::placement::Assignment;
use crate::study::{ClusterRule, ClusterTask, Head, HostGroup, Obstacle, VmGroup, placed_together};
use crate::units::{Bytes, SimTime};

/// The hosts of a cluster with their guests.
#[derive(Clone, Debug)]
pub(crate) struct PlacedHosts {
    /// Every host as a machine, with its guests, each of which says its cards.
    pub(crate) hosts: Vec<(Machine, Vec<Guest>)>,
    /// Of every guest, copies by themselves and in the order of the file: its host, and its place
    /// among the guests of that.
    pub(crate) order: Vec<(usize, usize)>,
    /// What the hosts are called.
    pub(crate) named: NamedHosts,
    /// The host of every VM with other work than inference, copies by themselves.
    pub(crate) others: Vec<(usize, Other)>,
}

impl PlacedHosts {
    /// The VMs with other work on a host.
    pub(crate) fn others_on(&self, host: usize) -> Vec<Other> {
        let here = self.others.iter().filter(|(own, _)| *own == host);
        here.map(|(_, other)| other.clone()).collect()
    }
}

/// How VMs are placed.
#[derive(Clone, Debug)]
pub(crate) struct Placing {
    pub(crate) rules: Vec<ClusterRule>,
    pub(crate) placement: Placement,
    pub(crate) seed: u64,
}

/// The hosts as placement sees them.
pub(crate) fn host_groups(hosts: &Hosts) -> Vec<HostGroup> {
    let models = &hosts.machine.models;
    let model_of = |id: &str| models.iter().position(|model| model.gpu.spec.id == id);
    let groups = hosts.groups.iter().map(|group| {
        let cards = group.cards.iter().flat_map(|cards| {
            let card = model_of(&cards.model).map(|model| (model, cards.nvlink_group));
            std::iter::repeat_n(card, cards.count as usize).flatten()
        });
        HostGroup {
            name: group.name.clone(),
            count: group.count,
            model: group.spec.id.clone(),
            processors: group.spec.logical_processors.value,
            cpu: group.spec.cpu_capacity(),
            memory: group.spec.memory.value,
            is_failover: group.is_failover,
            network: group.network,
            cards: cards.collect(),
        }
    });
    groups.collect()
}

/// Places the guests, and the VMs with other work; nothing where one finds no place, which is
/// reported.
pub(crate) fn place(
    hosts: &Hosts,
    (guests, others): (&[Guest], &[Other]),
    placing: Placing,
    catalogue: &Catalogue,
    problems: &Problems,
) -> Option<PlacedHosts> {
    let machine = &hosts.machine;
    let open = |guest: &&Guest| matches!(guest.holding, Holding::Largest(_) | Holding::Process(_));
    if let Some(guest) = guests.iter().find(open) {
        refuse_holding(&guest.holding, &guest.spots.cards, problems);
        return None;
    }
    let all = cards::expand(machine, guests);
    let all_others = Other::expand(others);
    if !rules::names_are_unique(&rules::Room::of(&all, &all_others), problems) {
        return None;
    }
    let vms = guests.iter().map(|guest| group(guest, machine));
    let vms = vms.chain(others.iter().map(|other| Some(other_group(other))));
    let vms: Option<Vec<VmGroup>> = vms.collect();
    let task = ClusterTask {
        head: Head::of("", "", "", placing.seed),
        gpus: machine.models.iter().map(|model| model.gpu.spec.clone()).collect(),
        hosts: host_groups(hosts),
        is_mixed: machine.sharing.vgpu_mode == SizeMode::Mixed,
        assignment: machine.sharing.assignment,
        vms: vms?,
        rules: placing.rules,
        groups_full_cards: placing.placement.full_cards == Assignment::Consolidate,
        policy: placing.placement.policy,
    };
    let places = match placed_together(&task) {
        Ok(places) => places,
        Err(refused) => {
            for (vm, because) in refused.into_iter().take(REFUSED_MAX) {
                let (name, spot) = match all.get(vm) {
                    Some(guest) => (&guest.vm.name, &guest.spots.cards),
                    None => {
                        let other = &all_others[vm - all.len()];
                        (&other.vm.name, &other.spots.name)
                    }
                };
                let title = format!("no host has a place for {name}");
                let diagnostic = Diagnostic::at(spot, title);
                let help = "`slicewise place FILE` draws the cluster and says what is free";
                let diagnostic = diagnostic.note("hosts", because).of_limit(Obstacle::Placement);
                problems.push(diagnostic.help(help));
            }
            return None;
        }
    };
    let machines = hosts.groups.iter().enumerate().map(|(index, group)| {
        let machine = hosts.machine_of(index, catalogue);
        machine.map(|machine| (machine, group.count.unwrap_or(1)))
    });
    let machines: Vec<(Machine, u32)> = machines.collect::<Option<_>>()?;
    let each = machines
        .into_iter()
        .flat_map(|(machine, count)| std::iter::repeat_n((machine, Vec::new()), count as usize));
    let mut places = places.into_iter();
    let of_guests: Vec<Placed> = places.by_ref().take(all.len()).collect();
    let others = places.map(|at| at.host).zip(all_others).collect();
    let names = hosts.groups.iter().flat_map(|group| match group.count {
        None => vec![group.name.clone()],
        Some(count) => (1..=count).map(|number| format!("{}-{number}", group.name)).collect(),
    });
    let slowest = hosts.groups.iter().filter_map(|group| group.network);
    let slowest = slowest.min_by(|one, other| one.get().total_cmp(&other.get()));
    let named = NamedHosts { names: names.collect(), network: slowest };
    let mut placed = PlacedHosts { hosts: each.collect(), order: Vec::new(), named, others };
    for (guest, at) in all.into_iter().zip(of_guests) {
        let (own, on_it): &mut (Machine, Vec<Guest>) = &mut placed.hosts[at.host];
        placed.order.push((at.host, on_it.len()));
        on_it.push(on_host(guest, &at, machine, own));
    }
    Some(placed)
}

/// Most VMs without a place that are named.
const REFUSED_MAX: usize = 8;

fn group(guest: &Guest, machine: &Machine) -> Option<VmGroup> {
    // A guest has one model, or whole cards of one; its copies have the same.
    let models: Vec<usize> = guest.models.first().into_iter().copied().collect();
    let ask = ask(&guest.holding, &models, machine)?;
    Some(VmGroup {
        name: guest.vm.name.clone(),
        count: guest.copies,
        what: in_words(&guest.holding, &models, guest.cards, machine),
        kind: Kind {
            vcpus: guest.vm.vcpus,
            cpu: guest.vm.allocation.reservation.khz(),
            memory: guest.memory.unwrap_or(Bytes::ZERO),
            gpus: Some(Gpus { models, ask, count: guest.cards, is_group: guest.is_device_group }),
        },
        power_on: guest.vm.power_on,
        power_off: guest.vm.power_off,
        lifetimes: None,
    })
}

fn other_group(other: &Other) -> VmGroup {
    VmGroup {
        name: other.vm.name.clone(),
        count: other.copies,
        what: "no GPU".to_string(),
        kind: Kind {
            vcpus: other.vm.vcpus,
            cpu: other.vm.allocation.reservation.khz(),
            memory: other.memory.unwrap_or(Bytes::ZERO),
            gpus: None,
        },
        power_on: SimTime::ZERO,
        power_off: None,
        lifetimes: None,
    }
}

/// The guest on its host: with the models of that, and its cards named.
fn on_host(guest: Guest, at: &Placed, machine: &Machine, own: &Machine) -> Guest {
    let model = |index: &usize| {
        let id = &machine.models[*index].gpu.spec.id;
        let found = own.models.iter().position(|model| model.gpu.spec.id == *id);
        found.expect("a host with the model")
    };
    let models = guest.models.iter().map(model).collect();
    let has_start = matches!(&guest.holding, Holding::Instance(_, vgpu)
        if !vgpu.as_ref().is_some_and(|vgpu| vgpu.shares_instance()));
    let starts = at.seats.iter().filter(|_| has_start).map(|seat| seat.start);
    let pins = Pins {
        cards: at.seats.iter().map(|seat| seat.card as u32).collect(),
        starts: starts.collect(),
        spot: guest.spots.cards.clone(),
    };
    Guest { models, pins: Some(pins), ..guest }
}
