//! `Mps`: clients of one instance side by side, their batches dividing its SMs.
//!
//! ```text
//!  SMs of the instance
//!  |  client 0: 2 batches   | client 1: 1 batch | client 2, at its limit |
//! ```
//! The SMs are divided equally among the running batches, but no client gets more than its limit:
//! the SMs that one client may not use go to the others (water filling). A client's pool gets its
//! part as a share that changes, and its limit; how its batches use them is decided in the pool.
//! The share of a client at its limit is the one it would have if each of the others had as many
//! SMs per batch, since the limits do not divide memory bandwidth, L2 and power.

use super::{Beside, PhaseLog, Pool, PoolJob, StepLaw, StepParts, together};
use crate::queueing::Station;
use crate::spec::{GpuSharing, Launches, PodSharing};
use crate::units::{Share, SimTime};
use std::sync::Arc;

/// A client, an owner among others: how its own batches use its part, and the limit of that part.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Client {
    /// How its own batches share the GPU.
    pub sharing: GpuSharing,
    /// Its active thread percentage, or its partition: the most it may use of the instance's SMs, above
    /// 0.
    pub limit: Share,
    /// Whether a batch is one launch or many, for the hardware's turns; without effect elsewhere.
    pub launches: Launches,
    /// Watts that the whole GPU would draw above its idle power, busy with this owner's work at the
    /// highest clock; 0 where that is not known.
    pub watts: f64,
    /// The node that it is a pod of, where the pods of a node share its turns; nothing for whoever is
    /// an owner by itself.
    pub node: Option<Node>,
}

/// A VM whose pods share its turns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Node {
    /// Its number, the same for all of its pods.
    pub vm: u16,
    /// How they share them.
    pub pods: PodSharing,
}

impl Client {
    /// Merges this owner with another model of its process into one owner: batches of both run side
    /// by side, and it draws the higher power of the two.
    pub fn joins(&mut self, other: &Client) {
        self.sharing = GpuSharing::Shared;
        if other.launches == Launches::Kernels {
            self.launches = Launches::Kernels;
        }
        self.watts = self.watts.max(other.watts);
    }
}

/// A batch for one of the clients.
#[derive(Clone, Copy, Debug)]
pub struct MpsJob<T> {
    /// The client it belongs to.
    pub client: usize,
    /// The batch.
    pub job: PoolJob<T>,
}

/// A step of a client that serves an LLM.
#[derive(Clone, Debug)]
pub struct ClientStep {
    /// Its engine's law.
    pub law: Arc<StepLaw>,
    /// What is in it.
    pub parts: StepParts,
    /// The speed of its work relative to bare metal.
    pub speed: f64,
}

/// The clients of one instance.
#[derive(Debug)]
pub struct Mps<T> {
    /// The instance's part of the GPU.
    share: f64,
    clients: Vec<(Pool<T>, Share)>,
    /// The present step of each client that serves an LLM; their times follow from all that run.
    steps: Vec<Option<ClientStep>>,
    /// Shares of the GPU in use, added up over time: share times nanoseconds up to `since`.
    used: f64,
    /// The same of each client.
    used_by: Vec<f64>,
    since: SimTime,
    /// What each client had, where a timeline is asked for.
    phases: Option<Box<PhaseLog>>,
}

impl<T> Mps<T> {
    /// Clients 0, 1, ... on `share` of a GPU, all without work.
    pub fn new(clients: &[Client], share: Share) -> Self {
        assert!(clients.iter().all(|client| client.limit > Share::NONE), "a client without SMs");
        let client = |client: &Client| {
            let pool = Pool::new(share, client.sharing);
            let most = Share::new(client.limit.get() * share.get()).expect("a part of the share");
            let is_limited = client.limit < Share::WHOLE;
            (if is_limited { pool.with_limit(most) } else { pool }, client.limit)
        };
        let used_by = vec![0.0; clients.len()];
        let steps = vec![None; clients.len()];
        let clients = clients.iter().map(client).collect();
        let (share, used, since) = (share.get(), 0.0, SimTime::ZERO);
        Self { share, clients, steps, used, used_by, since, phases: None }
    }

    /// The part of the GPU that is busy now, 0 to the instance's share.
    pub fn in_use(&self) -> f64 {
        self.parts().iter().sum()
    }

    /// The part of the GPU that was busy on average up to `now`.
    pub fn mean_in_use(&self, now: SimTime) -> f64 {
        let area = self.used + self.in_use() * (now - self.since).as_nanos_f64();
        if now == SimTime::ZERO { 0.0 } else { area / now.as_nanos() as f64 }
    }

    /// The part of the GPU that each client used on average up to `now`.
    pub(super) fn means(&mut self, now: SimTime) -> Vec<f64> {
        self.account(now);
        let all = now.as_nanos() as f64;
        self.used_by.iter().map(|used| if all > 0.0 { used / all } else { 0.0 }).collect()
    }

    /// Whether no batch is inside.
    pub(super) fn is_empty(&self) -> bool {
        self.clients.iter().all(|(pool, _)| pool.is_empty())
    }

    /// Whether a batch that runs began before `now`.
    pub(super) fn is_under_way(&self, now: SimTime) -> bool {
        self.clients.iter().any(|(pool, _)| pool.is_under_way(now))
    }

    /// The instance's part of the GPU.
    pub(super) fn share(&self) -> f64 {
        self.share
    }

    /// The clients with batches, each with its part of the instance.
    pub(super) fn users(&self) -> Vec<(usize, f64)> {
        let parts = self.parts().into_iter().map(|part| part / self.share).enumerate();
        parts.filter(|(_, part)| *part > 0.0).collect()
    }

    /// The card's clock changes, and with it the speed of all work.
    pub fn set_clock(&mut self, now: SimTime, clock: f64) {
        self.clients.iter_mut().for_each(|(pool, _)| pool.set_clock(now, clock));
    }

    /// Each client's running batches and the most it may have of the GPU.
    fn wants(&self) -> Vec<(usize, f64)> {
        let of_client =
            |(pool, limit): &(Pool<T>, Share)| (pool.running(), limit.get() * self.share);
        self.clients.iter().map(of_client).collect()
    }

    /// Each client's part of the GPU.
    fn parts(&self) -> Vec<f64> {
        divide(self.share, &self.wants())
    }

    /// Power that its batches draw above the idle card's at the highest clock, in watts; at most,
    /// for each client, its part of the `watts` that its work draws on the whole GPU.
    pub(super) fn draw(&self, watts: &[f64]) -> f64 {
        let of = |(((pool, _), part), watts): ((&(Pool<T>, Share), f64), &f64)| {
            pool.draw().min(part * watts)
        };
        self.clients.iter().zip(self.parts()).zip(watts).map(of).sum()
    }

    /// What clients have from `now` on is told to this log, or to none any more; the log so far.
    pub fn set_phases(
        &mut self,
        now: SimTime,
        phases: Option<Box<PhaseLog>>,
    ) -> Option<Box<PhaseLog>> {
        self.account(now);
        std::mem::replace(&mut self.phases, phases)
    }

    /// How many spans the log has.
    pub(super) fn recorded(&self) -> usize {
        self.phases.as_ref().map_or(0, |log| log.len())
    }

    /// Counts what was in use up to `now`, before something changes.
    fn account(&mut self, now: SimTime) {
        let (parts, span) = (self.parts(), (now - self.since).as_nanos_f64());
        if let Some(log) = &mut self.phases {
            let used = parts.iter().enumerate().filter(|(_, part)| **part > 0.0);
            used.for_each(|(client, part)| log.add_share(client, self.since, now, *part));
        }
        self.used += parts.iter().sum::<f64>() * span;
        self.used_by.iter_mut().zip(parts).for_each(|(used, part)| *used += part * span);
        self.since = now;
    }

    /// The next batch of a client is this step.
    pub fn set_step(&mut self, client: usize, step: ClientStep) {
        self.steps[client] = Some(step);
    }

    /// The steps that run have new times, since who runs beside whom has changed.
    fn time_steps(&mut self, now: SimTime) {
        let running = self.clients.iter().zip(&self.steps).enumerate();
        let running = running.filter(|(_, ((pool, _), _))| !pool.is_empty());
        let running: Vec<(usize, Share, &ClientStep)> = running
            .filter_map(|(place, ((_, limit), step))| Some((place, *limit, step.as_ref()?)))
            .collect();
        if running.is_empty() {
            return;
        }
        let beside: Vec<Beside<'_>> = running
            .iter()
            .map(|(_, limit, step)| Beside {
                law: &step.law,
                parts: &step.parts,
                limit: (*limit < Share::WHOLE).then_some(limit.get() * self.share),
            })
            .collect();
        let times = together(&beside);
        let works = running.iter().zip(times);
        let works: Vec<(usize, f64)> =
            works.map(|((place, _, step), time)| (*place, time * 1e9 / step.speed)).collect();
        for (place, work) in works {
            self.clients[place].0.set_work(now, work);
        }
    }

    /// Tells each client with work its part, after the number of running batches changed.
    fn divide_anew(&mut self, now: SimTime) {
        let wants = self.wants();
        let parts = divide(self.share, &wants);
        for (client, (pool, _)) in self.clients.iter_mut().enumerate() {
            if parts[client] > 0.0 {
                let share = beside(self.share, &wants, &parts, client);
                pool.set_share(now, Share::new(share).expect("a part of the instance"));
            }
        }
        if self.steps.iter().any(Option::is_some) {
            self.time_steps(now);
        }
    }
}

/// What a client sees as its share: its part, and at its limit what it would have of the whole if each
/// batch of the others had as much as its own, or what it has where that is less.
fn beside(whole: f64, clients: &[(usize, f64)], parts: &[f64], client: usize) -> f64 {
    let (running, limit) = clients[client];
    if parts[client] < limit {
        return parts[client];
    }
    let running = running as f64;
    let own = parts[client] / running;
    let others = (0..clients.len()).filter(|&other| other != client);
    let contend = others.map(|other| (clients[other].0 as f64).min(parts[other] / own));
    whole * (running / (running + contend.sum::<f64>()))
}

/// Divides `whole` among clients with so many running batches and such a limit each: alike for each
/// batch, as far as limits allow, nothing for a client without batches.
fn divide(whole: f64, clients: &[(usize, f64)]) -> Vec<f64> {
    let mut parts = vec![0.0; clients.len()];
    let mut order: Vec<usize> =
        (0..clients.len()).filter(|&client| clients[client].0 > 0).collect();
    let per_batch = |client: usize| clients[client].1 / clients[client].0 as f64;
    order.sort_by(|&one, &other| per_batch(one).total_cmp(&per_batch(other)));
    let mut batches: usize = order.iter().map(|&client| clients[client].0).sum();
    let mut left = whole;
    // Tightest limit first: once a client stays below its limit, all later ones do.
    for client in order {
        let (running, limit) = clients[client];
        parts[client] = (left * (running as f64 / batches as f64)).min(limit);
        left = (left - parts[client]).max(0.0);
        batches -= running;
    }
    parts
}

impl<T> Station for Mps<T> {
    type Job = MpsJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, MpsJob { client, job }: MpsJob<T>) {
        self.account(now);
        self.clients[client].0.submit(now, job);
        self.divide_anew(now);
    }

    fn next_change(&self) -> Option<SimTime> {
        self.clients.iter().filter_map(|(pool, _)| pool.next_change()).min()
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while let Some(at) = self.next_change().filter(|&at| at <= now) {
            self.account(at);
            self.clients.iter_mut().for_each(|(pool, _)| pool.advance(at, done));
            self.divide_anew(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sms_go_to_running_batches_within_limits() {
        // Alike, by batches.
        assert_eq!(divide(1.0, &[(1, 1.0), (1, 1.0), (2, 1.0)]), [0.25, 0.25, 0.5]);
        // Two clients of half each have what they would have alone.
        assert_eq!(divide(1.0, &[(1, 0.5), (3, 0.5)]), [0.5, 0.5]);
        // What the first may not use, the others have: 0.2, then 0.8 / 2.
        assert_eq!(divide(1.0, &[(1, 1.0), (1, 0.2), (1, 1.0)]), [0.4, 0.2, 0.4]);
        // Limits below the whole leave a part of it idle; a client without work has nothing.
        assert_eq!(divide(1.0, &[(1, 0.25), (0, 0.5)]), [0.25, 0.0]);
        assert_eq!(divide(0.5, &[(0, 1.0)]), [0.0]);
    }

    #[test]
    fn others_contend_whatever_the_limits() {
        let seen = |whole: f64, clients: &[(usize, f64)]| -> Vec<f64> {
            let parts = divide(whole, clients);
            (0..clients.len()).map(|client| beside(whole, clients, &parts, client)).collect()
        };
        // Alone with any limit: the whole. Without limits, and with disjoint halves: alike.
        assert_eq!(seen(1.0, &[(1, 0.25)]), [1.0]);
        assert_eq!(seen(0.5, &[(2, 0.5), (2, 0.5)]), [0.25, 0.25]);
        assert_eq!(seen(1.0, &[(1, 0.5), (1, 0.5)]), [0.5, 0.5]);
        // Four with less than a quarter each: each is one of four.
        assert_eq!(seen(1.0, &[(1, 0.2); 4]), [0.25; 4]);
        // A limit of a fifth beside two without: one of three; they have two fifths.
        assert_eq!(seen(1.0, &[(1, 1.0), (1, 0.2), (1, 1.0)]), [0.4, 1.0 / 3.0, 0.4]);
        // A neighbour of an eighth is a quarter of a contender to a half.
        assert_eq!(seen(1.0, &[(1, 0.5), (1, 0.125)])[0], 0.8);
    }
}
