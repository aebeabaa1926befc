//! The logical processors of a host, divided among the vCPUs of its VMs by shares, reservations and
//! limits: one file for each discipline.
//!
//! Work is counted in core-time: a vCPU that has a core to itself does a nanosecond of work in a
//! nanosecond, one that shares it less. Which VM a batch belongs to is decided in `platform`, and
//! so is when bursts of other work come: a station draws no random number.

mod bursts;
mod fluid;
mod quantum;
mod water;

pub use bursts::Burst;
use bursts::Bursts;
pub use fluid::Fluid;
pub use quantum::Quantum;
pub use water::{Demand, fill};

use crate::queueing::Station;
use crate::units::{SimDuration, SimTime};

/// Binary digits behind the point of a speed; work is counted in 2^-32 ns.
pub(crate) const FRACTION_BITS: u32 = 32;

/// The speed of a vCPU that has a core to itself.
pub const FULL_SPEED: u64 = 1 << FRACTION_BITS;

/// The cores of a host, with up to two hardware threads each.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    cores: u32,
    threads: u32,
    /// What a core does with both threads busy, over what it does with one.
    both: u64,
}

impl Cores {
    /// Cores with `threads` hardware threads in all, from `cores` to twice as many; a core with both
    /// threads busy does `both` times the work of one with a single busy thread, 1 to 2.
    pub fn new(cores: u32, threads: u32, both: f64) -> Self {
        assert!(cores > 0 && (cores..=2 * cores).contains(&threads), "{threads} of {cores}");
        assert!((1.0..=2.0).contains(&both), "{both} times the work");
        Self { cores, threads, both: (both * FULL_SPEED as f64) as u64 }
    }

    /// How many vCPUs can run at once.
    pub fn threads(&self) -> u32 {
        self.threads
    }

    /// The speed of each of so many running vCPUs. Up to one for each core they have cores to
    /// themselves; then capacity grows with every second thread that is busy, to `both` times the
    /// cores, and all running vCPUs divide it: the hypervisor moves them about, and charges for the
    /// work that they got.
    pub fn speed(&self, running: u32) -> u64 {
        let Some(seconds) = running.checked_sub(self.cores).filter(|more| *more > 0) else {
            return FULL_SPEED;
        };
        let (cores, seconds) = (u128::from(self.cores), u128::from(seconds));
        let gain = u128::from(self.both - FULL_SPEED) * cores * seconds;
        let gain = gain / u128::from(self.threads - self.cores);
        ((cores * u128::from(FULL_SPEED) + gain) / u128::from(running)) as u64
    }
}

/// A VM as the processors see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VmShare {
    /// Its vCPUs: it never has more work at once.
    pub vcpus: u32,
    /// Shares of the whole VM, at least one.
    pub shares: u64,
    /// What it is guaranteed, in parts of a core of 2^-32.
    pub reservation: u64,
    /// What it never exceeds, in the same unit, above 0.
    pub limit: Option<u64>,
    /// How many of its vCPUs are always busy.
    pub busy: u32,
    /// How many of its vCPUs have bursts of work, which are fed.
    pub bursty: u32,
}

impl VmShare {
    /// A VM without work of its own, with so many shares.
    pub fn of(vcpus: u32, shares: u64) -> Self {
        Self { vcpus, shares, reservation: 0, limit: None, busy: 0, bursty: 0 }
    }
}

/// CPU work of a VM, on one vCPU.
#[derive(Clone, Copy, Debug)]
pub struct CpuJob<T> {
    /// Whose: index into the list of VMs.
    pub vm: u32,
    /// What comes out when it is done.
    pub tag: T,
    /// How much.
    pub work: SimDuration,
}

/// What a VM had, summed over its vCPUs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CpuTime {
    /// Time in which a vCPU had work.
    pub wanted: SimDuration,
    /// Time in which it had work and no processor; time lost to a limit included.
    pub ready: SimDuration,
    /// Work done, in core-time.
    pub done: SimDuration,
}

impl std::ops::Add for CpuTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            wanted: self.wanted + other.wanted,
            ready: self.ready + other.ready,
            done: self.done + other.done,
        }
    }
}

/// Logical processors under one discipline.
///
/// A station, with one verb more: bursts of other work are fed. After every call, and before
/// [`next_change`](Station::next_change) is asked, whoever is [`hungry`](Processors::hungry) is to be
/// fed. While no job is inside nothing is due, and what others do is caught up with when it matters.
#[derive(Debug)]
pub enum Processors<T> {
    /// Everybody runs at once, each at the speed that is due to it.
    Fluid(Fluid<T>),
    /// vCPUs take turns on the processors.
    Quantum(Box<Quantum<T>>),
}

impl<T> Processors<T> {
    /// A vCPU whose next burst is not known, as VM and place among its bursty vCPUs.
    pub fn hungry(&mut self) -> Option<(u32, u32)> {
        self.discipline().bursts().hungry()
    }

    /// Tells of the next burst of that vCPU.
    pub fn feed(&mut self, vcpu: (u32, u32), burst: Burst) {
        self.discipline().bursts().feed(vcpu, burst);
    }

    /// Brings what others did up to `now`, while no job is inside; false where somebody is to be fed
    /// first.
    pub fn catch_up(&mut self, now: SimTime) -> bool {
        self.discipline().catch_up(now)
    }

    fn discipline(&mut self) -> &mut dyn Discipline {
        match self {
            Processors::Fluid(fluid) => fluid,
            Processors::Quantum(quantum) => quantum.as_mut(),
        }
    }

    /// What each VM had up to `end`, up to which everything was caught up with.
    pub fn times(&mut self, end: SimTime) -> Vec<CpuTime> {
        match self {
            Processors::Fluid(fluid) => fluid.times(end),
            Processors::Quantum(quantum) => quantum.times(end),
        }
    }
}

impl<T> Station for Processors<T> {
    type Job = CpuJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, job: CpuJob<T>) {
        match self {
            Processors::Fluid(fluid) => fluid.submit(now, job),
            Processors::Quantum(quantum) => quantum.submit(now, job),
        }
    }

    fn next_change(&self) -> Option<SimTime> {
        match self {
            Processors::Fluid(fluid) => fluid.next_change(),
            Processors::Quantum(quantum) => quantum.next_change(),
        }
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        match self {
            Processors::Fluid(fluid) => fluid.advance(now, done),
            Processors::Quantum(quantum) => quantum.advance(now, done),
        }
    }
}

/// What disciplines have in common: bursts that are fed, and time in which only others have work.
trait Discipline {
    /// The bursts of those with other work.
    fn bursts(&mut self) -> &mut Bursts;
    /// Whether a job is inside.
    fn has_jobs(&self) -> bool;
    /// When anything happens next.
    fn next(&self) -> Option<SimTime>;
    /// It happens, and finishes no job.
    fn happen_alone(&mut self, now: SimTime);

    /// As [`Processors::catch_up`].
    fn catch_up(&mut self, now: SimTime) -> bool {
        while !self.has_jobs() {
            if self.bursts().is_dry() {
                return false;
            }
            match self.next().filter(|next| *next < now) {
                Some(next) => self.happen_alone(next),
                None => break,
            }
        }
        true
    }
}

/// Work in 2^-32 ns.
fn fine(work: SimDuration) -> u128 {
    u128::from(work.as_nanos()) << FRACTION_BITS
}

/// Whole nanoseconds of work, rounded down.
fn coarse(work: u128) -> SimDuration {
    SimDuration::from_nanos((work >> FRACTION_BITS) as u64)
}

/// What a task is.
#[derive(Debug)]
enum Kind<T> {
    /// A job that was submitted.
    Job(T),
    /// A burst of the bursty vCPU with this number.
    Burst(u32),
    /// It never ends.
    Endless,
}
