//! Owners that are VMs with pods: several members, which share the owner's turns.

use super::super::inside::Inside;
use super::super::work::{InsideTimes, Work, first_members};
use super::super::{Client, PoolJob};
use super::Turns;
use crate::spec::TimeSlicing;
use crate::units::{Share, SimTime};
use rand::Rng;

impl<T> Turns<T> {
    /// As [`Turns::new`], where an owner may be a VM with several pods: its members.
    pub fn of_nodes(owners: &[Vec<Client>], share: Share, slicing: TimeSlicing) -> Self {
        let inside = owners.iter().map(|members| Inside::of(members, share));
        let mut turns = Self::with(inside.collect(), first_members(owners), slicing);
        for (owner, members) in turns.owners.iter_mut().zip(owners) {
            owner.queued_of = vec![0; members.len()];
        }
        turns
    }

    /// The number of a slot's first member, members of all slots counted through; slots without an
    /// owner come last.
    pub(super) fn first_member(&self, slot: usize) -> usize {
        match self.first.get(slot) {
            Some(first) => *first,
            None => {
                self.owners.iter().map(|owner| owner.queued_of.len().max(1)).sum::<usize>()
                    + (slot - self.owners.len())
            }
        }
    }

    /// A batch of a member of an owner.
    pub fn submit_of(&mut self, now: SimTime, (slot, member): (usize, usize), job: PoolJob<T>) {
        self.pass(now);
        let owner = &mut self.owners[slot];
        owner.pool.submit(owner.clock, member, job);
        if self.works(slot) {
            return;
        }
        match self.turn {
            Some(turn) if turn.slot == slot => self.wake_holder(now, slot),
            Some(turn) => {
                self.run_list.update(slot, |entry| entry.has_work = true);
                if self.another_is_offered(turn.slot) {
                    self.limit_turn(now);
                }
            }
            None => {
                self.run_list.update(slot, |entry| entry.has_work = true);
                self.grant(now);
            }
        }
    }

    /// As [`Turns::set_queued`], of a member of an owner.
    pub fn set_queued_of(&mut self, now: SimTime, (slot, member): (usize, usize), queued: usize) {
        if self.owners[slot].queued_of.len() < 2 {
            return self.set_queued(slot, queued);
        }
        self.pass(now);
        let owner = &mut self.owners[slot];
        owner.queued_of[member] = queued;
        owner.queued = owner.queued_of.iter().sum();
        owner.pool.set_queued(owner.clock, member, queued);
    }

    /// What the members of each owner had, where there are several.
    pub(in crate::gpu) fn times_inside(&mut self) -> Vec<Option<InsideTimes>> {
        self.owners.iter_mut().map(|owner| owner.pool.times(owner.clock)).collect()
    }

    /// The rings of its owners' pods in random order.
    pub(in crate::gpu) fn shuffle_pods(&mut self, lot: &mut impl Rng) {
        self.owners.iter_mut().for_each(|owner| owner.pool.shuffle(lot));
    }
}
