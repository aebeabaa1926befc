//! The search for one way of sharing: short runs with every number of VMs, runs of full length near
//! the answer.

use super::MakeRun;
use crate::platform::{Meter, Outcome, Watched, simulate, simulate_metered, simulate_unless_lost};
use crate::spec::{Experiment, TestScenario, VmId};
use crate::study::border::Ended;
use crate::study::figures::{completed_per_s, late_of_allowed, latency_ms};
use crate::study::fits;
use crate::study::probe::{Judgement, Prober};
use crate::study::variant::{other_idle, with_more_work};
use std::collections::{BTreeMap, BTreeSet};

/// The result of one run.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) valid: bool,
    /// Nothing when the run was given up.
    pub(super) seen: Option<WorstVm>,
    /// The VM for which it was.
    pub(super) lost: Option<VmId>,
}

/// The figures of the worst VM.
#[derive(Clone, Debug)]
pub(super) struct WorstVm {
    pub(super) vm: String,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) completed_per_s: f64,
    pub(super) failed: Vec<String>,
}

/// One way under search.
pub(super) struct Search<'s> {
    pub(super) way: usize,
    pub(super) make: MakeRun<'s>,
    pub(super) tell: &'s (dyn Fn(u32) + Sync),
    pub(super) meter: Meter<'s>,
    pub(super) under: SearchVariant,
    pub(super) replication: u32,
    pub(super) probes: BTreeMap<u32, Probe>,
}

/// The variant that a search runs.
#[derive(Clone)]
pub(super) enum SearchVariant {
    /// No change.
    AsItIs,
    /// The other rule for idle turns.
    OtherIdle,
    /// Other inputs: this variant, where it applies.
    OtherInputs(fits::Other),
}

/// The judgement of a short run with a number of VMs.
#[derive(Clone, Debug)]
pub(super) struct CountRun {
    judgement: Judgement,
    pub(super) failed: Vec<String>,
}

pub(super) type CountRuns = BTreeMap<u32, CountRun>;

impl Search<'_> {
    /// Tries every number by short runs, as far as the limit on work allows, the largest first.
    pub(super) fn scan(&mut self, counts: &[u32]) -> CountRuns {
        let mut looks = CountRuns::new();
        for &count in counts.iter().rev() {
            (self.tell)(count);
            let run = self.run(count);
            let Some(look) = Prober::look_as_asked(&run, &mut self.meter) else { break };
            looks.insert(count, CountRun { judgement: look.judgement, failed: look.failed });
        }
        looks
    }

    /// The highest number that is VALID at full length, of those that short runs do not rule out;
    /// where they rule out all, of the ones nearest to VALID.
    pub(super) fn highest(&mut self, counts: &[u32], looks: &CountRuns) -> u32 {
        let may_be =
            |count: &u32| looks.get(count).is_none_or(|look| look.judgement != Judgement::Invalid);
        let found = counts.iter().rev().copied().filter(may_be).find(|&count| self.probe(count));
        self.climb(found.unwrap_or(0), counts)
    }

    /// Further up from a number that is VALID, while the next is.
    fn climb(&mut self, from: u32, counts: &[u32]) -> u32 {
        let mut valid = from;
        for &count in counts.iter().filter(|&&count| count > from) {
            if !self.probe(count) {
                break;
            }
            valid = count;
        }
        valid
    }

    /// The same, where it is probably about `near`: up from there, else down to the next that is
    /// VALID. Known results do not help where cards are shared by another rule, nor where none was
    /// VALID.
    pub(super) fn from(&mut self, near: u32, counts: &[u32], looks: &CountRuns) -> u32 {
        if near == 0 || matches!(self.under, SearchVariant::OtherIdle) {
            let looks = self.scan(counts);
            return self.highest(counts, &looks);
        }
        if self.probe(near) {
            return self.climb(near, counts);
        }
        // A number that was plainly INVALID stays so with other random numbers.
        let is_known = matches!(self.under, SearchVariant::AsItIs);
        let may_be = |count: &u32| {
            !is_known || looks.get(count).is_none_or(|look| look.judgement != Judgement::Invalid)
        };
        let below = counts.iter().rev().copied().filter(|&count| count < near);
        below.filter(may_be).find(|&count| self.probe(count)).unwrap_or(0)
    }

    /// Whether every VM is VALID with this number of VMs.
    pub(super) fn probe(&mut self, vms: u32) -> bool {
        if let Some(known) = self.probes.get(&vms) {
            return known.valid;
        }
        (self.tell)(vms);
        let run = self.run(vms);
        let (seen, lost) = match simulate_metered(&run, &mut self.meter) {
            Watched::Whole(outcome) => (Some(seen(&run, &outcome)), None),
            Watched::Lost(vm) => (None, Some(vm)),
            // It is not known, and no answer.
            Watched::Stopped => return false,
        };
        let valid = seen.as_ref().is_some_and(|seen| seen.failed.is_empty());
        self.probes.insert(vms, Probe { valid, seen, lost });
        valid
    }

    pub(super) fn ended(&self) -> Ended {
        match self.meter.is_spent() {
            false => Ended::Complete,
            true if self.meter.is_used_up() => Ended::Work,
            true => Ended::Stopped,
        }
    }

    /// The numbers below the answer that are INVALID.
    pub(super) fn invalid_below(&self, vms: u32, looks: &CountRuns) -> Vec<u32> {
        let invalid = looks.iter().filter(|&(&count, look)| {
            let known = self.probes.get(&count).map(|probe| !probe.valid);
            count < vms && known.unwrap_or(look.judgement == Judgement::Invalid)
        });
        invalid.map(|(&count, _)| count).collect()
    }

    /// Whether this number of VMs is VALID with a little more work, too.
    pub(super) fn bears_more_work(&self, vms: u32) -> bool {
        let run = with_more_work(&self.run(vms));
        simulate_unless_lost(&run)
            .outcome()
            .is_some_and(|outcome| seen(&run, &outcome).failed.is_empty())
    }

    /// Simulates a run that was given up to its end.
    pub(super) fn look_closely(&mut self, vms: u32) {
        if self.meter.is_spent() {
            return;
        }
        if self.probe(vms) || self.probes.get(&vms).is_none_or(|probe| probe.seen.is_some()) {
            return;
        }
        let run = self.run(vms);
        let seen = Some(seen(&run, &simulate(&run)));
        self.probes.insert(vms, Probe { valid: false, seen, lost: None });
    }

    pub(super) fn run(&self, vms: u32) -> Experiment {
        let run = (self.make)(self.way, vms).expect("so many VMs have a place");
        let run = match &self.under {
            SearchVariant::AsItIs => run,
            SearchVariant::OtherIdle => other_idle(&run).map_or(run, |(_, other)| other),
            SearchVariant::OtherInputs(other) => {
                let mut variants = fits::variants(&run).into_iter();
                variants
                    .find(|variant| variant.other == *other)
                    .map_or(run, |variant| variant.experiment)
            }
        };
        Experiment { replication: self.replication, ..run }
    }
}

/// The Server VM that comes nearest to its bound, or is furthest over it, and all rules that fail.
fn seen(run: &Experiment, outcome: &Outcome) -> WorstVm {
    let mut worst: Option<(f64, WorstVm)> = None;
    let mut failed = BTreeSet::new();
    for (index, (vm, found)) in run.vms.iter().zip(&outcome.vms).enumerate() {
        if vm.load.scenario != TestScenario::Server {
            continue;
        }
        let latency = latency_ms(found.recorder.latencies());
        let part = late_of_allowed(run, outcome, VmId(index as u16))
            .unwrap_or(latency.p99 / vm.load.settings.target_latency.as_millis_f64());
        failed.extend(found.failed_rules.iter().map(|rule| format!("{}: {rule}", vm.name)));
        if worst.as_ref().is_none_or(|(most, _)| part > *most) {
            let seen = WorstVm {
                vm: vm.name.clone(),
                p50: latency.p50,
                p99: latency.p99,
                completed_per_s: completed_per_s(vm, &found.recorder),
                failed: found.failed_rules.clone(),
            };
            worst = Some((part, seen));
        }
    }
    let (_, mut seen) = worst.expect("the group that is counted is under Server load");
    if seen.failed.is_empty() {
        seen.failed = failed.into_iter().collect();
    }
    seen
}
