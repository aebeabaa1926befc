//! vCPUs with bursts of work: a gap, then a burst, then the next gap. The lengths are fed.
//!
//! A gap begins when the burst before it is done, as with a thread that sleeps between two pieces of
//! work: a slow host makes it want less in a second, not more at once.

use super::VmShare;
use crate::units::{SimDuration, SimTime};
use std::collections::{BTreeSet, VecDeque};

/// A gap and the work after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst {
    /// From the end of the burst before; at least a nanosecond.
    pub gap: SimDuration,
    /// The work, in core-time.
    pub work: SimDuration,
}

/// A vCPU with bursts.
#[derive(Debug)]
struct Source {
    vm: u32,
    place: u32,
    next: VecDeque<Burst>,
    /// When its last burst was done, while the next is not known.
    idle: Option<SimTime>,
    /// The work of the burst that it waits for.
    work: SimDuration,
}

/// All of a host.
#[derive(Debug)]
pub(super) struct Bursts {
    sources: Vec<Source>,
    /// The first source of each VM.
    firsts: Vec<usize>,
    starts: BTreeSet<(SimTime, u32)>,
    hungry: VecDeque<u32>,
    /// How many do not know their next burst.
    dry: usize,
}

impl Bursts {
    pub(super) fn new(vms: &[VmShare]) -> Self {
        let mut sources = Vec::new();
        let mut firsts = Vec::new();
        for (index, vm) in vms.iter().enumerate() {
            firsts.push(sources.len());
            sources.extend((0..vm.bursty).map(|place| Source {
                vm: index as u32,
                place,
                next: VecDeque::new(),
                idle: Some(SimTime::ZERO),
                work: SimDuration::ZERO,
            }));
        }
        let hungry = (0..sources.len() as u32).collect();
        let dry = sources.len();
        Self { sources, firsts, starts: BTreeSet::new(), hungry, dry }
    }

    /// A vCPU that is to be fed; it is told once.
    pub(super) fn hungry(&mut self) -> Option<(u32, u32)> {
        let source = &self.sources[self.hungry.pop_front()? as usize];
        Some((source.vm, source.place))
    }

    pub(super) fn feed(&mut self, (vm, place): (u32, u32), burst: Burst) {
        assert!(burst.gap > SimDuration::ZERO, "a burst without a gap before it");
        let number = self.firsts[vm as usize] + place as usize;
        let source = &mut self.sources[number];
        source.next.push_back(burst);
        if let Some(since) = source.idle {
            self.dry -= 1;
            self.plan(number, since);
        }
    }

    /// Whether somebody does not know the next burst: then nobody knows what comes.
    pub(super) fn is_dry(&self) -> bool {
        self.dry > 0
    }

    /// When the next burst begins.
    pub(super) fn next(&self) -> Option<SimTime> {
        self.starts.first().map(|(start, _)| *start)
    }

    /// A burst that begins now or has begun: its source, VM and work.
    pub(super) fn begin(&mut self, now: SimTime) -> Option<(u32, u32, SimDuration)> {
        let &(start, number) = self.starts.first()?;
        if start > now {
            return None;
        }
        self.starts.pop_first();
        let source = &self.sources[number as usize];
        Some((number, source.vm, source.work))
    }

    /// The burst of a source is done.
    pub(super) fn end(&mut self, now: SimTime, number: u32) {
        let source = &mut self.sources[number as usize];
        if source.next.is_empty() {
            source.idle = Some(now);
            self.dry += 1;
            self.hungry.push_back(number);
            return;
        }
        self.plan(number as usize, now);
    }

    /// The next burst of a source comes after a gap from `since`.
    fn plan(&mut self, number: usize, since: SimTime) {
        let source = &mut self.sources[number];
        source.idle = None;
        let burst = source.next.pop_front().expect("a burst that was fed");
        source.work = burst.work;
        self.starts.insert((since + burst.gap, number as u32));
        if source.next.is_empty() {
            self.hungry.push_back(number as u32);
        }
    }
}
