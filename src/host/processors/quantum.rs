//! `Quantum`: vCPUs take turns on the logical processors; who has used least for its shares is next.
//!
//! It moves no vCPU from one thread to another: all running vCPUs are equally fast.

use super::bursts::Bursts;
use super::{Cores, CpuJob, CpuTime, Discipline, FRACTION_BITS, Kind, VmShare, coarse, fine};
use crate::queueing::Station;
use crate::units::{SimDuration, SimTime};
use std::collections::{BTreeSet, VecDeque};

/// Binary digits behind the point of a count.
const COUNT_BITS: u32 = 24;

/// Processors with turns.
///
/// **Who is next.** Of the VMs with a vCPU that waits: one below its reservation first, then the one
/// with the lowest *count*, the work it used for each share; of equals, whose vCPU has waited
/// longest. vCPUs of one VM are first come first served. A VM that has used up its limit is not
/// asked.
///
/// **How long.** A vCPU runs until its work is done. Its quanta follow one another; if anybody waits
/// as one ends it joins the end of its VM's line, and may be next again.
///
/// **Who may interrupt.** With wake-up preemption whoever gets work (or allowance) and finds no free
/// thread stops a vCPU of the VM that is last in the order above, if it comes strictly before that
/// one itself: of that VM's vCPUs the one that was started first.
///
/// **What is remembered.** While somebody waits the *level* is the highest count that was next. While
/// nobody waits it rises by as much as the count that rises most. Whoever gets work is at most one
/// quantum for each of its vCPUs behind the level, and whoever joins the line at most as much ahead:
/// what was saved or owed beyond is forgotten. Without preemption nothing saved is remembered at all.
///
/// **Reservation.** An account of each VM grows at the rate of its reservation and falls by what it
/// uses; above zero it is below its reservation. It holds at most one quantum for each vCPU, above
/// zero and below, which is applied when one of its vCPUs joins, starts or stops.
///
/// **Limit.** In each period of a quantum's length a VM may do the work of its limit; then all of its
/// vCPUs wait for the next period. What it did beyond, less than a nanosecond of its vCPUs, counts
/// there. What it did not use is kept where it has work as the period ends, up to a quantum for each
/// vCPU, and else is lost.
#[derive(Debug)]
pub struct Quantum<T> {
    cores: Cores,
    /// In nanoseconds.
    quantum: u64,
    preempts: bool,
    vms: Vec<Vm>,
    /// Those with a limit.
    limited: Vec<u32>,
    tasks: Vec<Task<T>>,
    free_tasks: Vec<u32>,
    /// Running tasks by the state of `clock` at their ends, then by their joining.
    ends: BTreeSet<(u128, u64, u32)>,
    /// Running tasks by the place of their start within a quantum, then by the order of starts.
    rounds: BTreeSet<(u64, u64, u32)>,
    running: u32,
    /// Tasks in lines of VMs that may run.
    waiting: u32,
    bursts: Bursts,
    now: SimTime,
    /// The last instant of which all was done.
    done_until: Option<SimTime>,
    /// Work that each running task has done, if it ran from the start.
    clock: u128,
    /// Joinings and starts so far.
    order: u64,
    /// Somebody waits.
    is_contended: bool,
    level: i128,
    /// Who came since the processors were filled last.
    newcomers: Vec<u32>,
    /// Jobs inside.
    jobs: usize,
}

#[derive(Debug)]
struct Vm {
    share: VmShare,
    /// Tasks that wait, by joining.
    line: VecDeque<(u64, u32)>,
    /// Tasks that run, by the order of starts.
    running: BTreeSet<(u64, u32)>,
    /// Up to when and up to which state of the clock the figures below are right.
    until: SimTime,
    clock: u128,
    used: u128,
    wanted: u128,
    ready: u128,
    /// Added to the count of its use.
    shift: i128,
    /// The count of one quantum for each of its vCPUs.
    span: i128,
    /// Its count when somebody waited last.
    mark: i128,
    /// The account of its reservation, as of `account_at`, when it had used `account_used`.
    account: i128,
    account_at: SimTime,
    account_used: u128,
    /// The period of its limit, and what it had used when that began.
    period: u64,
    allowed_until: u128,
    is_stopped: bool,
}

#[derive(Debug)]
struct Task<T> {
    vm: u32,
    kind: Option<Kind<T>>,
    /// While it waits: its work left. While it runs: the state of the clock at its end.
    work: u128,
    /// When it joined for the first time, in the order of joinings.
    came: u64,
    /// When it was started, and when in the order of starts; while it runs.
    started: SimTime,
    start: u64,
}

impl<T> Quantum<T> {
    /// The processors of a host for these VMs, with turns of this length, above zero.
    pub fn new(cores: Cores, vms: &[VmShare], quantum: SimDuration, preempts: bool) -> Self {
        let quantum = quantum.as_nanos();
        assert!(quantum > 0, "turns without length");
        let limited = (0..).zip(vms).filter(|(_, vm)| vm.limit.is_some());
        let mut new = Self {
            cores,
            quantum,
            preempts,
            vms: vms.iter().map(|share| Vm::new(*share, quantum)).collect(),
            limited: limited.map(|(index, _)| index).collect(),
            tasks: Vec::new(),
            free_tasks: Vec::new(),
            ends: BTreeSet::new(),
            rounds: BTreeSet::new(),
            running: 0,
            waiting: 0,
            bursts: Bursts::new(vms),
            now: SimTime::ZERO,
            done_until: None,
            clock: 0,
            order: 0,
            is_contended: false,
            level: 0,
            newcomers: Vec::new(),
            jobs: 0,
        };
        for (index, vm) in (0..).zip(vms) {
            (0..vm.busy).for_each(|_| new.come(index, Kind::Endless, u128::MAX >> 1));
        }
        new.settle();
        new
    }

    pub(super) fn times(&mut self, end: SimTime) -> Vec<CpuTime> {
        self.pass(end);
        (0..self.vms.len()).for_each(|vm| self.account(vm as u32));
        let time = |vm: &Vm| CpuTime {
            wanted: SimDuration::from_nanos(vm.wanted as u64),
            ready: SimDuration::from_nanos(vm.ready as u64),
            done: coarse(vm.used),
        };
        self.vms.iter().map(time).collect()
    }

    fn pass(&mut self, now: SimTime) {
        let span = u128::from((now - self.now).as_nanos());
        if span > 0 {
            self.clock += span * u128::from(self.cores.speed(self.running));
            self.now = now;
        }
    }

    /// Brings the figures of a VM up to now.
    fn account(&mut self, vm: u32) {
        let vm = &mut self.vms[vm as usize];
        let span = u128::from((self.now - vm.until).as_nanos());
        let (running, waiting) = (vm.running.len() as u128, vm.line.len() as u128);
        vm.used += running * (self.clock - vm.clock);
        vm.wanted += (running + waiting) * span;
        vm.ready += waiting * span;
        (vm.until, vm.clock) = (self.now, self.clock);
    }

    /// The same, as one of its tasks joins, starts or stops: that is when its account is cut.
    fn account_for_change(&mut self, vm: u32) {
        self.account(vm);
        let (quantum, now) = (self.quantum, self.now);
        let vm = &mut self.vms[vm as usize];
        if vm.share.reservation > 0 {
            let most =
                ((u128::from(vm.share.vcpus) * u128::from(quantum)) << FRACTION_BITS) as i128;
            vm.account = vm.account_now(now, vm.used).clamp(-most, most);
            (vm.account_at, vm.account_used) = (now, vm.used);
        }
    }

    /// What a VM has used up to now.
    fn used(&self, vm: &Vm) -> u128 {
        vm.used + vm.running.len() as u128 * (self.clock - vm.clock)
    }

    fn count(&self, vm: &Vm) -> i128 {
        vm.count_of(self.used(vm))
    }

    /// Its place in the order of who is next: the least is first.
    fn rank(&self, vm: &Vm) -> (bool, i128) {
        let used = self.used(vm);
        let is_below = vm.share.reservation > 0 && vm.account_now(self.now, used) > 0;
        (!is_below, vm.count_of(used))
    }

    /// A task of a VM gets work.
    fn come(&mut self, vm: u32, kind: Kind<T>, work: u128) {
        if self.vms[vm as usize].share.limit.is_some() {
            // Periods that ended while it had no work were no events. One that ends now is.
            self.account(vm);
            let period = self.now.as_nanos().saturating_sub(1) / self.quantum;
            let of = &mut self.vms[vm as usize];
            of.renew(period.max(of.period), self.quantum);
        }
        let (kind, came) = (Some(kind), self.order);
        let task = Task { vm, kind, work, came, started: SimTime::ZERO, start: 0 };
        let id = match self.free_tasks.pop() {
            Some(id) => {
                self.tasks[id as usize] = task;
                id
            }
            None => {
                self.tasks.push(task);
                self.tasks.len() as u32 - 1
            }
        };
        self.join(id);
        self.welcome(id);
    }

    /// A task that may run now, and could not before.
    fn welcome(&mut self, task: u32) {
        let vm = self.tasks[task as usize].vm;
        if self.is_contended {
            self.hold(vm, true);
        }
        self.newcomers.push(task);
    }

    /// A task joins the line of its VM.
    fn join(&mut self, task: u32) {
        let vm = self.tasks[task as usize].vm;
        self.account_for_change(vm);
        let of = &mut self.vms[vm as usize];
        of.line.push_back((self.order, task));
        self.order += 1;
        self.waiting += u32::from(!of.is_stopped);
        if self.is_contended {
            self.hold(vm, false);
        }
    }

    /// Keeps a VM's count near the level: not too far ahead of it, and where it gets work not too far
    /// behind.
    fn hold(&mut self, vm: u32, comes: bool) {
        let count = self.count(&self.vms[vm as usize]);
        let vm = &mut self.vms[vm as usize];
        let most = self.level + vm.span;
        let least = if self.preempts { self.level - vm.span } else { self.level };
        let held = if comes { count.clamp(least, most) } else { count.min(most) };
        vm.shift += held - count;
    }

    fn start(&mut self, vm: u32) {
        self.account_for_change(vm);
        let of = &mut self.vms[vm as usize];
        let (_, id) = of.line.pop_front().expect("somebody who waits");
        let start = self.order;
        self.order += 1;
        of.running.insert((start, id));
        self.waiting -= 1;
        self.running += 1;
        let task = &mut self.tasks[id as usize];
        task.work += self.clock;
        (task.started, task.start) = (self.now, start);
        self.rounds.insert((self.now.as_nanos() % self.quantum, start, id));
        if !matches!(task.kind, Some(Kind::Endless)) {
            self.ends.insert((task.work, task.came, id));
        }
    }

    /// A running task has no processor any more.
    fn stop(&mut self, id: u32) {
        let vm = self.tasks[id as usize].vm;
        self.account_for_change(vm);
        let task = &mut self.tasks[id as usize];
        self.vms[vm as usize].running.remove(&(task.start, id));
        self.rounds.remove(&(task.started.as_nanos() % self.quantum, task.start, id));
        self.ends.remove(&(task.work, task.came, id));
        task.work -= self.clock.min(task.work);
        self.running -= 1;
    }

    /// Gives free processors to whoever is next.
    fn fill(&mut self) {
        let free = self.cores.threads() - self.running;
        if !self.is_contended && self.waiting > free {
            self.begin_contention();
        }
        while self.waiting > 0 && self.running < self.cores.threads() {
            let waits = (0..).zip(&self.vms).filter(|(_, vm)| !vm.is_stopped);
            let ranked = waits.filter_map(|(index, vm)| {
                let &(joined, _) = vm.line.front()?;
                Some((self.rank(vm), joined, index))
            });
            let ((is_above, count), _, next) = ranked.min().expect("somebody waits");
            if self.is_contended && is_above {
                self.level = self.level.max(count);
            }
            self.start(next);
        }
        if self.is_contended && self.waiting == 0 {
            self.is_contended = false;
            for index in 0..self.vms.len() {
                self.vms[index].mark = self.count(&self.vms[index]);
            }
        }
    }

    /// Somebody waits, for the first time after nobody did.
    fn begin_contention(&mut self) {
        self.is_contended = true;
        let rises = self.vms.iter().map(|vm| self.count(vm) - vm.mark);
        self.level += rises.max().unwrap_or(0);
        (0..self.vms.len() as u32).for_each(|vm| self.hold(vm, true));
    }

    /// Fills the processors, and lets newcomers interrupt.
    fn settle(&mut self) {
        self.fill();
        let newcomers = std::mem::take(&mut self.newcomers);
        let preempts = self.preempts;
        for &id in newcomers.iter().filter(|_| preempts) {
            let task = &self.tasks[id as usize];
            let own = &self.vms[task.vm as usize];
            let waits = !own.is_stopped && own.line.iter().any(|(_, waiting)| *waiting == id);
            if !waits {
                continue;
            }
            let running = self.vms.iter().filter(|vm| !vm.running.is_empty());
            let Some((last, of)) = running.map(|vm| (self.rank(vm), vm)).max_by_key(|of| of.0)
            else {
                continue;
            };
            // Whoever is done at this very instant leaves by itself.
            let is_done = |id: u32| self.tasks[id as usize].work <= self.clock;
            let victim = of.running.iter().map(|(_, id)| *id).find(|id| !is_done(*id));
            if let Some(victim) = victim.filter(|_| self.rank(own) < last) {
                self.stop(victim);
                self.join(victim);
                self.fill();
            }
        }
        self.newcomers = newcomers;
        self.newcomers.clear();
    }

    /// When something happens next, if nobody comes.
    fn next_instant(&self) -> Option<SimTime> {
        let now = self.now.as_nanos();
        let speed = u128::from(self.cores.speed(self.running));
        let after = |work: u128, speed: u128| {
            now.saturating_add(u64::try_from(work.div_ceil(speed)).unwrap_or(u64::MAX))
        };
        let mut next = u64::MAX;
        if let Some(&(target, ..)) = self.ends.first() {
            next = after(target.saturating_sub(self.clock), speed);
        }
        if self.waiting > 0 {
            next = next.min(self.next_round());
        }
        if let Some(start) = self.bursts.next() {
            next = next.min(start.as_nanos());
        }
        for &index in &self.limited {
            let vm = &self.vms[index as usize];
            if vm.running.is_empty() && vm.line.is_empty() && !vm.is_stopped {
                continue;
            }
            next = next.min((vm.period + 1).saturating_mul(self.quantum));
            let left = vm.allowed_until.saturating_sub(self.used(vm));
            // Who has just been interrupted may have used it up as well.
            if !vm.is_stopped && (left == 0 || !vm.running.is_empty()) {
                next = next.min(after(left, speed * (vm.running.len() as u128).max(1)));
            }
        }
        (next < u64::MAX).then(|| SimTime::from_nanos(next.max(now)))
    }

    /// When the next quantum ends of those that run.
    fn next_round(&self) -> u64 {
        let now = self.now.as_nanos();
        // Those that end at this very instant were asked already, once all of it was done.
        let first = if self.done_until == Some(self.now) { now + 1 } else { now };
        let place = first % self.quantum;
        let base = first - place;
        // Whoever has just started has a whole quantum before it.
        let is_over = |id: &u32, end: u64| self.tasks[*id as usize].started.as_nanos() < end;
        let mut later = self.rounds.range((place, 0, 0)..);
        let later = later.find(|(phase, _, id)| is_over(id, base + phase));
        let earlier = || Some(base + self.quantum + self.rounds.first()?.0);
        later.map(|(phase, ..)| base + phase).or_else(earlier).unwrap_or(u64::MAX)
    }

    /// All that happens at an instant.
    fn happen(&mut self, now: SimTime, done: &mut Vec<T>) {
        self.pass(now);
        while let Some(&(target, _, id)) = self.ends.first()
            && target <= self.clock
        {
            self.stop(id);
            self.free_tasks.push(id);
            match self.tasks[id as usize].kind.take().expect("a task that runs") {
                Kind::Job(tag) => {
                    self.jobs -= 1;
                    done.push(tag);
                }
                Kind::Burst(source) => self.bursts.end(now, source),
                Kind::Endless => unreachable!("it has no end"),
            }
        }
        for index in 0..self.limited.len() {
            self.limit(self.limited[index]);
        }
        while let Some((source, vm, work)) = self.bursts.begin(now) {
            self.come(vm, Kind::Burst(source), fine(work));
        }
        self.fill();
        if self.waiting > 0 && self.done_until != Some(now) {
            self.end_quanta();
            self.fill();
        }
        self.settle();
        self.done_until = Some(now);
    }

    /// Stops a VM that has used up its limit, or lets it go on in a new period.
    fn limit(&mut self, index: u32) {
        self.account(index);
        let (period, quantum) = (self.now.as_nanos() / self.quantum, self.quantum);
        let vm = &mut self.vms[index as usize];
        vm.renew(period, quantum);
        let is_spent = vm.used >= vm.allowed_until;
        if is_spent && !vm.is_stopped {
            self.waiting -= vm.line.len() as u32;
            vm.is_stopped = true;
            let running: Vec<u32> = vm.running.iter().map(|(_, id)| *id).collect();
            for id in running {
                self.stop(id);
                self.join(id);
            }
        } else if !is_spent && vm.is_stopped {
            vm.is_stopped = false;
            let line: Vec<u32> = vm.line.iter().map(|(_, id)| *id).collect();
            self.waiting += line.len() as u32;
            line.into_iter().for_each(|id| self.welcome(id));
        }
    }

    /// Whoever has run for a whole number of quanta joins its line again.
    fn end_quanta(&mut self) {
        let place = self.now.as_nanos() % self.quantum;
        let over = self.rounds.range((place, 0, 0)..(place + 1, 0, 0)).map(|(_, _, id)| *id);
        let over = over.filter(|id| self.tasks[*id as usize].started < self.now);
        for id in over.collect::<Vec<_>>() {
            self.stop(id);
            self.join(id);
        }
    }
}

impl Vm {
    fn new(share: VmShare, quantum: u64) -> Self {
        let mut new = Self {
            share,
            line: VecDeque::new(),
            running: BTreeSet::new(),
            until: SimTime::ZERO,
            clock: 0,
            used: 0,
            wanted: 0,
            ready: 0,
            shift: 0,
            mark: 0,
            account: 0,
            account_at: SimTime::ZERO,
            account_used: 0,
            period: 0,
            allowed_until: 0,
            is_stopped: false,
            span: 0,
        };
        new.span = new.count_of((u128::from(share.vcpus) * u128::from(quantum)) << FRACTION_BITS);
        new.allowed_until = new.allowance(quantum);
        new
    }

    /// The count of a VM that has used so much.
    fn count_of(&self, used: u128) -> i128 {
        ((used << COUNT_BITS) / u128::from(self.share.shares)) as i128 + self.shift
    }

    fn account_now(&self, now: SimTime, used: u128) -> i128 {
        let span = u128::from((now - self.account_at).as_nanos());
        let more = span * u128::from(self.share.reservation);
        self.account + more as i128 - (used - self.account_used) as i128
    }

    fn allowance(&self, quantum: u64) -> u128 {
        u128::from(self.share.limit.unwrap_or(0)) * u128::from(quantum)
    }

    /// The allowance of a period, once it has begun.
    fn renew(&mut self, period: u64, quantum: u64) {
        let passed = period - self.period;
        if passed > 0 {
            let allowance = self.allowance(quantum);
            let owed = self.used.saturating_sub(self.allowed_until);
            let owed = owed.saturating_sub(allowance * u128::from(passed - 1));
            let works = !self.line.is_empty() || !self.running.is_empty();
            let kept = if works { self.allowed_until.saturating_sub(self.used) } else { 0 };
            let most = (u128::from(self.share.vcpus) * u128::from(quantum)) << FRACTION_BITS;
            self.allowed_until = self.used - owed + (kept + allowance).min(allowance.max(most));
            self.period = period;
        }
    }
}

impl<T> Discipline for Quantum<T> {
    fn bursts(&mut self) -> &mut Bursts {
        &mut self.bursts
    }

    fn has_jobs(&self) -> bool {
        self.jobs > 0
    }

    fn next(&self) -> Option<SimTime> {
        self.next_instant()
    }

    fn happen_alone(&mut self, now: SimTime) {
        self.happen(now, &mut Vec::new());
    }
}

impl<T> Station for Quantum<T> {
    type Job = CpuJob<T>;
    type Done = T;

    fn submit(&mut self, now: SimTime, job: CpuJob<T>) {
        assert!(self.catch_up(now), "bursts are fed before a job comes");
        self.pass(now);
        self.jobs += 1;
        self.come(job.vm, Kind::Job(job.tag), fine(job.work));
        self.settle();
    }

    fn next_change(&self) -> Option<SimTime> {
        if self.jobs == 0 { None } else { self.next_instant() }
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        while self.jobs > 0
            && !self.bursts.is_dry()
            && let Some(next) = self.next_instant().filter(|next| *next <= now)
        {
            self.happen(next, done);
        }
    }
}
