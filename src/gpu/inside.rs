//! `Inside`: what is inside an owner of turns: the batches of one process, or the pods of a VM,
//! which share the owner's own time in turns of their own or side by side.
//!
//! ```text
//!  hypervisor   |      VM A, its clock runs      | VM B |       VM A       |
//!  pods of A    | pod 0 | pod 1 | pod 0 | pod 1 -       - the rest | pod 0 |
//! ```
//! Its time is the owner's, which stands still outside of the owner's turns.

use super::work::{InsideTimes, Work};
use super::{Client, Mps, MpsJob, Pool, PoolJob, Ring};
use crate::queueing::Station;
use crate::spec::{CutSlice, PodSharing};
use crate::units::{Share, SimDuration, SimTime};
use rand::Rng;
use rand::seq::SliceRandom;

/// The batches of an owner. Members are its processes, counted from 0.
#[derive(Debug)]
pub(super) enum Inside<T> {
    /// One process.
    One(Pool<T>),
    /// Processes in turns of the hardware.
    Turns { ring: Box<Ring<T>>, cut: CutSlice },
    /// Clients of MPS, with what each draws on the whole GPU, in watts.
    Mps { mps: Box<Mps<T>>, watts: Vec<f64> },
}

impl<T> Work<T> for Inside<T> {
    fn of(members: &[Client], share: Share) -> Self {
        match (members[0].node.map(|node| node.pods), members) {
            (Some(PodSharing::Mps(_)), _) => Self::Mps {
                mps: Box::new(Mps::new(members, share)),
                watts: members.iter().map(|member| member.watts).collect(),
            },
            // Whoever is alone takes no turns.
            (None | Some(PodSharing::TimeSlicing { .. }), [one]) => {
                Self::One(Pool::new(share, one.sharing))
            }
            (Some(PodSharing::TimeSlicing { turns, cut }), _) => {
                let order: Vec<usize> = (0..members.len()).collect();
                Self::Turns { ring: Box::new(Ring::new(members, share, &turns, &order)), cut }
            }
            (None, _) => unreachable!("several members of what is no node"),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::One(pool) => pool.is_empty(),
            Self::Turns { ring, .. } => !ring.has_work(),
            Self::Mps { mps, .. } => mps.is_empty(),
        }
    }

    fn runs_its_last(&self) -> bool {
        matches!(self, Self::One(pool) if !pool.is_empty() && !pool.has_waiting())
    }

    fn is_under_way(&mut self, now: SimTime) -> bool {
        match self {
            Self::One(pool) => pool.is_under_way(now),
            Self::Turns { ring, .. } => ring.is_under_way(now),
            Self::Mps { mps, .. } => mps.is_under_way(now),
        }
    }

    fn draw(&self) -> f64 {
        match self {
            Self::One(pool) => pool.draw(),
            Self::Turns { ring, .. } => ring.draw(),
            Self::Mps { mps, watts } => mps.draw(watts),
        }
    }

    fn set_clock(&mut self, now: SimTime, clock: f64) {
        match self {
            Self::One(pool) => pool.set_clock(now, clock),
            Self::Turns { ring, .. } => ring.set_clock(now, clock),
            Self::Mps { mps, .. } => mps.set_clock(now, clock),
        }
    }

    fn submit(&mut self, now: SimTime, member: usize, job: PoolJob<T>) {
        match self {
            Self::One(pool) => Work::submit(pool, now, member, job),
            Self::Turns { ring, .. } => ring.submit_of(now, (member, 0), job),
            Self::Mps { mps, .. } => mps.submit(now, MpsJob { client: member, job }),
        }
    }

    fn set_queued(&mut self, now: SimTime, member: usize, queued: usize) {
        if let Self::Turns { ring, .. } = self {
            ring.set_queued(now, member, queued);
        }
    }

    fn leave_turn(&mut self, now: SimTime) {
        if let Self::Turns { ring, cut: CutSlice::Ends } = self {
            ring.end_slice(now);
        }
    }

    fn next_change(&self) -> Option<SimTime> {
        match self {
            Self::One(pool) => Work::next_change(pool),
            Self::Turns { ring, .. } => ring.next_change(),
            Self::Mps { mps, .. } => mps.next_change(),
        }
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        match self {
            Self::One(pool) => Work::advance(pool, now, done),
            Self::Turns { ring, .. } => ring.advance(now, done),
            Self::Mps { mps, .. } => mps.advance(now, done),
        }
    }

    fn users(&self) -> Vec<(usize, f64)> {
        match self {
            Self::One(_) => vec![(0, 1.0)],
            Self::Turns { ring, .. } => vec![(ring.holder().unwrap_or(0), 1.0)],
            Self::Mps { mps, .. } => match mps.users() {
                users if users.is_empty() => vec![(0, 1.0)],
                users => users,
            },
        }
    }

    fn switches_for(&self, now: SimTime) -> SimDuration {
        match self {
            Self::Turns { ring, .. } => ring.switches_for(now),
            Self::One(_) | Self::Mps { .. } => SimDuration::ZERO,
        }
    }

    fn times(&mut self, now: SimTime) -> Option<InsideTimes> {
        match self {
            Self::One(_) => None,
            Self::Turns { ring, .. } => {
                let counters = ring.counters(now);
                let runs = counters.iter().map(|own| own.run.as_secs_f64()).collect();
                let switch = counters.iter().map(|own| own.switch.as_secs_f64()).sum();
                Some(InsideTimes { runs, switch })
            }
            Self::Mps { mps, .. } => {
                let all = now.as_secs_f64();
                let runs = mps.means(now).into_iter().map(|mean| mean * all / mps.share());
                Some(InsideTimes { runs: runs.collect(), switch: 0.0 })
            }
        }
    }

    fn shuffle(&mut self, lot: &mut impl Rng) {
        if let Self::Turns { ring, .. } = self {
            let mut order: Vec<usize> = (0..ring.owners()).collect();
            order.shuffle(lot);
            ring.set_order(order);
        }
    }
}
