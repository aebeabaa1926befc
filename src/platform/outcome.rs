//! What a run shows: the record of each VM, and where the time of each card went.

use super::{Guest, Platform, Scaled, ServerId};
use crate::gpu::{OwnerId, OwnerTime};
use crate::host::CpuTime;
use crate::loadgen::{Observed, Verdict, goodput, verdict};
use crate::record::{Recorder, TokenRecord};
use crate::spec::{GpuId, VmId, VmSpec};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// One entry per VM of the experiment.
    pub vms: Vec<VmOutcome>,
    /// Part of the run in which each card was busy, 0 to 1.
    pub gpu_busy: Vec<f64>,
    /// Where the time of each card went.
    pub gpu_time: Vec<GpuUse>,
    /// The part that each owner had of an instance on which turns overshoot.
    pub turns: Vec<TurnShare>,
    /// What each VM with other work had of the host's processors.
    pub others: Vec<CpuTime>,
    /// When replicas were started and stopped, by load balancer and in order of time.
    pub scaled: Vec<Scaled>,
    /// When the last query was answered.
    pub end: SimTime,
    /// Events that happened: a measure of the work of simulating it.
    pub events: u64,
}

/// Where the time of a card went, as parts of the run, 0 to 1; the rest is idle.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct GpuUse {
    /// Who has a part of it, and what they had.
    pub owners: Vec<GpuOwner>,
    /// The engine passed from one owner to another.
    pub switch: f64,
    /// The turns of vGPUs that no VM has, while somebody waited.
    pub vacant: f64,
}

/// An owner of a part of a card: guests that one server answers, and models of one process, are one.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct GpuOwner {
    /// The guests.
    pub guests: Vec<VmId>,
    /// The instance: index into the card's list.
    pub instance: u16,
    /// What they had of the card.
    pub had: OwnerTime,
}

/// The part that an owner had of a time-sliced instance, relative to the time in which it was
/// powered on, up to its last work.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TurnShare {
    /// The owner's VM.
    pub vm: VmId,
    /// The card.
    pub card: GpuId,
    /// The instance: index into the card's list.
    pub instance: u16,
    /// Time in its turns with work.
    pub had: f64,
    /// The part that the policy promises an owner that always has work.
    pub promised: f64,
    /// Time past the ends of its slices that was not repaid by shorter ones. Part of `had`.
    pub unpaid: f64,
}

/// The outcome of a VM's load.
#[derive(Clone, Debug)]
pub struct VmOutcome {
    /// Its latencies and stages.
    pub recorder: Recorder,
    /// The rules of LoadGen that it failed, as sentences; none means VALID.
    pub failed_rules: Vec<String>,
    /// LoadGen's full verdict.
    pub verdict: Verdict,
    /// What its VM had of the host's processors, all models together; nothing where nobody can wait
    /// for one.
    pub cpu: Option<CpuTime>,
    /// What was made of tokens; nothing of a VM that serves no LLM.
    pub tokens: Option<Box<TokenRecord>>,
}

impl VmOutcome {
    /// The same of a VM that serves an LLM: it is judged by its tokens. Requests without an answer keep no bound.
    pub fn with_tokens(self, tokens: Box<TokenRecord>) -> Self {
        let asked = tokens.requests + self.recorder.unanswered();
        let verdict = goodput(tokens.bounds(), tokens.good.unwrap_or(0), asked);
        let failed_rules = verdict.failed.iter().map(|failed| failed.reason.clone()).collect();
        Self { verdict, failed_rules, tokens: Some(tokens), ..self }
    }
}

impl Platform<'_> {
    /// What the run shows, once it is over.
    pub(super) fn outcome(mut self) -> Outcome {
        self.lose_the_rest();
        let end = self.guests.iter().map(|guest| guest.recorder.last_completion()).max();
        self.outcome_of(end.unwrap_or(SimTime::ZERO), true)
    }

    /// What was recorded up to `reached`, of a run that is not over.
    pub(super) fn outcome_so_far(self, reached: SimTime) -> Outcome {
        self.outcome_of(reached, false)
    }

    fn outcome_of(mut self, end: SimTime, is_over: bool) -> Outcome {
        let gpu_busy =
            self.slots.iter_mut().map(|slot| slot.card.station.busy_share(end)).collect();
        let gpu_time = self.gpu_time(end);
        let turns = self.turn_shares(end);
        let (cpu, others) = self.cpu_times(end);
        let scaled = self.take_scaled();
        let tokens = self.token_records();
        let vms = self.guests.into_iter().zip(&self.experiment.vms);
        let vms = vms.map(|(guest, vm)| guest.outcome(vm, is_over));
        let vms = vms.zip(cpu).map(|(vm, cpu)| VmOutcome { cpu, ..vm });
        let vms = vms.zip(tokens).map(|(vm, tokens)| match tokens {
            Some(tokens) => vm.with_tokens(tokens),
            None => vm,
        });
        let vms = vms.collect();
        Outcome { vms, gpu_busy, gpu_time, turns, others, scaled, end, events: self.happened }
    }

    /// The tokens of each guest's engine, where it has one.
    fn token_records(&self) -> Vec<Option<Box<TokenRecord>>> {
        let mut records = vec![None; self.guests.len()];
        for server in &self.servers {
            let engine = server.batcher.station.engine();
            records[usize::from(server.vm.0)] =
                engine.map(|engine| Box::new(engine.record().clone()));
        }
        records
    }

    /// Where the time of each card up to `end` went.
    fn gpu_time(&mut self, end: SimTime) -> Vec<GpuUse> {
        let pools = &self.experiment.pools;
        let mut guests: BTreeMap<(GpuId, OwnerId), Vec<VmId>> = BTreeMap::new();
        for (index, server) in self.servers.iter().enumerate() {
            let of_pool = pools.get(usize::from(server.pool)).map(|pool| &pool.vms[..]);
            for gpu in self.gpus_of(ServerId(index as u16)) {
                for place in self.places_of(gpu) {
                    let known = guests.entry(place).or_default();
                    known.extend(of_pool.unwrap_or(&[server.vm]));
                }
            }
        }
        let mut uses = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let time = slot.card.station.time(end);
            let mut owners: Vec<GpuOwner> = Vec::new();
            for (owner, had) in time.owners {
                let (guests, instance) = (&guests[&(GpuId(index as u16), owner)], owner.instance);
                let is_it =
                    |known: &&mut GpuOwner| (&known.guests, known.instance) == (guests, instance);
                // Processes of one guest are one to the reader.
                match owners.iter_mut().find(is_it) {
                    Some(known) => {
                        known.had.run += had.run;
                        known.had.burned += had.burned;
                    }
                    None => owners.push(GpuOwner { guests: guests.clone(), instance, had }),
                }
            }
            uses.push(GpuUse { owners, switch: time.switch, vacant: time.vacant });
        }
        uses
    }

    /// What owners had where turns overshoot.
    fn turn_shares(&mut self, end: SimTime) -> Vec<TurnShare> {
        let vms = self.servers.iter().enumerate().flat_map(|(index, server)| {
            self.gpus_of(ServerId(index as u16)).map(move |gpu| (server.vm, gpu))
        });
        let mut shares = Vec::new();
        // Only guests with servers of their own take turns; models that are one owner have them together.
        let vms: Vec<(VmId, usize)> = vms.collect();
        for (vm, index) in vms {
            let gpu = &self.server_gpus[index];
            if usize::from(gpu.seat) != index {
                continue;
            }
            let card = &mut self.slots[usize::from(gpu.card.0)].card.station;
            let counters = gpu.owners().filter_map(|owner| card.counters(end, owner));
            let mut present = counters.filter(|own| own.present > SimDuration::ZERO).peekable();
            if present.peek().is_none() {
                continue;
            }
            let instance = gpu.owner.instance;
            let (had, promised, unpaid) = (0.0, 0.0, 0.0);
            let mut share = TurnShare { vm, card: gpu.card, instance, had, promised, unpaid };
            for own in present {
                let of = |span: SimDuration| span.as_secs_f64() / own.present.as_secs_f64();
                share.had += of(own.run);
                share.promised += of(own.promised);
                share.unpaid += of(own.unpaid);
            }
            shares.push(share);
        }
        shares
    }
}

impl Guest {
    /// What its load saw, once all of it is answered.
    pub(super) fn outcome(self, vm: &VmSpec, is_over: bool) -> VmOutcome {
        let is_answered = self.is_answered();
        let recorder = self.recorder;
        assert!(
            is_answered || !is_over,
            "every query completes or is rejected, once: {} of {}",
            recorder.answered(),
            self.loadgen.made_count()
        );
        let observed = Observed {
            latencies: recorder.query_latencies(),
            over_latency: recorder.over_latency(),
            rejected: recorder.rejected(),
            lost: recorder.lost(),
            scheduled: recorder.last_due().saturating_since(vm.power_on),
            taken: recorder.last_completion().saturating_since(vm.power_on),
        };
        let verdict = verdict(&vm.load, observed);
        let failed_rules = verdict.failed.iter().map(|failed| failed.reason.clone()).collect();
        VmOutcome { recorder, failed_rules, verdict, cpu: None, tokens: None }
    }
}
