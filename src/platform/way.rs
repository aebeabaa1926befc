//! The path of an ensemble's queries: its steps, one after the other.
//!
//! Steps on processors take the same time for every query and are first come first served, so the
//! end of a step is known at its start: they need no events.

use crate::engine::RandomStreams;
use crate::loadgen::{Query, Sizes};
use crate::record::Recorder;
use crate::spec::{CpuStep, Experiment, Step, TestScenario, VmId};
use crate::units::{SimDuration, SimTime};
use std::collections::VecDeque;

/// The steps of an ensemble; none for a model.
#[derive(Default)]
pub(super) struct Way {
    steps: Vec<Stop>,
}

struct Stop {
    at: At,
    /// Queries that came to it, and those that were rejected there.
    came: u64,
    rejected: u64,
}

enum At {
    Model {
        /// Who answers: index into `Platform::pools`.
        pool: u16,
        /// Its least urgent priority level.
        last_level: u8,
        /// The work of a query there; of the first model the load generator has drawn it.
        sizes: Option<Box<Sizes>>,
        /// Its batches may wait for what is still to come from the step before.
        is_expected: bool,
    },
    Cpu {
        free_at: VecDeque<SimTime>,
        time: SimDuration,
    },
}

impl Way {
    /// The path of an ensemble; `pool_of` gives the pool that answers the queries of a model.
    pub(super) fn new(experiment: &Experiment, vm: VmId, pool_of: impl Fn(VmId) -> u16) -> Self {
        let streams = RandomStreams::new(experiment.seed, experiment.replication);
        let ensemble = &experiment.vms[usize::from(vm.0)];
        // What closed loops will ask is not known: nothing waits for it.
        let scenario = ensemble.load.scenario;
        let is_scheduled = matches!(scenario, TestScenario::Server | TestScenario::Offline);
        let mut is_first = true;
        let steps = ensemble.steps.iter().enumerate().map(|(place, step)| {
            let at = match step {
                Step::Cpu(CpuStep { count, time, .. }) => {
                    At::Cpu { free_at: vec![SimTime::ZERO; *count as usize].into(), time: *time }
                }
                Step::Model(model) => {
                    let spec = &experiment.vms[usize::from(model.0)];
                    let later = !std::mem::take(&mut is_first);
                    let sizes = later.then(|| {
                        let stream = streams.stream(&format!("sizes/{}/{place}", ensemble.name));
                        Box::new(Sizes::new(spec.workload.sizes.value, stream))
                    });
                    At::Model {
                        pool: pool_of(*model),
                        last_level: (spec.server.queues.levels.len().max(1) - 1) as u8,
                        sizes,
                        is_expected: later && is_scheduled,
                    }
                }
            };
            Stop { at, came: 0, rejected: 0 }
        });
        Self { steps: steps.collect() }
    }

    /// Whether there are no steps: it belongs to a model.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Brings a query to its next model, starting at step `from`: through the steps on processors,
    /// from `query.seen` on. Returns the pool of that model; nothing where the path has ended.
    pub(super) fn go(
        &mut self,
        from: usize,
        query: &mut Query,
        recorder: &mut Recorder,
    ) -> Option<u16> {
        for (place, step) in self.steps.iter_mut().enumerate().skip(from) {
            query.step = place as u8;
            step.came += 1;
            match &mut step.at {
                At::Cpu { free_at, time } => {
                    // Whoever began first ends first, so the first is free first.
                    let free = free_at.pop_front().expect("a step has an instance");
                    let came = query.seen;
                    let began = came.max(free);
                    query.seen = began + *time;
                    free_at.push_back(query.seen);
                    recorder.on_processors(place, began - came, *time);
                }
                At::Model { pool, last_level, sizes, .. } => {
                    if let Some(sizes) = sizes {
                        query.size = sizes.draw();
                        query.level = query.level.min(*last_level);
                    }
                    return Some(*pool);
                }
            }
        }
        None
    }

    /// Whether the step at `place` is a model: tensors between two models stay on the GPU.
    pub(super) fn is_model_at(&self, place: Option<usize>) -> bool {
        let step = place.and_then(|place| self.steps.get(place));
        step.is_some_and(|step| matches!(step.at, At::Model { .. }))
    }

    /// A query was rejected at a step: it does not reach later steps.
    pub(super) fn reject(&mut self, query: &Query) {
        self.steps[usize::from(query.step)].rejected += 1;
    }

    /// The pools that answer its steps.
    pub(super) fn pools(&self) -> impl Iterator<Item = u16> {
        self.steps.iter().filter_map(|step| match step.at {
            At::Model { pool, .. } => Some(pool),
            At::Cpu { .. } => None,
        })
    }

    /// The pools that will get queries that are not known ahead of time.
    pub(super) fn expected(&self) -> impl Iterator<Item = u16> {
        self.steps.iter().filter_map(|step| match step.at {
            At::Model { pool, is_expected: true, .. } => Some(pool),
            _ => None,
        })
    }

    /// The pools that will get no more queries, given that `made` queries were sent in all; each is
    /// returned once.
    pub(super) fn ended(&mut self, made: u64) -> Vec<u16> {
        let mut ended = Vec::new();
        let mut rejected = 0;
        for step in &mut self.steps {
            if let At::Model { pool, is_expected, .. } = &mut step.at
                && *is_expected
                && step.came + rejected == made
            {
                *is_expected = false;
                ended.push(*pool);
            }
            rejected += step.rejected;
        }
        ended
    }
}
