//! The program's turns of CUDA processes against the slow twin, to the nanosecond.

use super::*;
use slicewise::gpu::{Client, Demand, PoolJob, Ring, TurnsJob};
use slicewise::queueing::Station;
use slicewise::spec::{GpuSharing, HardwareTurns, Launches, Overshoot, SwitchTimes, TurnsOf};
use slicewise::units::{Share, SimDuration, SimTime};

/// The engine for a system, its tags the process of a launch.
fn engine(system: &System) -> Ring<usize> {
    let Timing { slice, renewal, dry, save, restore } = system.timing;
    let switch = SwitchTimes {
        dry: SimDuration::from_nanos(dry),
        save: SimDuration::from_nanos(save),
        restore: SimDuration::from_nanos(restore),
    };
    let turns = HardwareTurns {
        slice: SimDuration::from_nanos(slice),
        renewal: SimDuration::from_nanos(renewal),
        switch,
        overshoot: Overshoot::None,
        of: TurnsOf::Process,
    };
    let client = |process: &Process| Client {
        sharing: GpuSharing::InOrder,
        limit: Share::WHOLE,
        launches: match process.kind {
            LaunchKind::One => Launches::Graph,
            LaunchKind::Many => Launches::Kernels,
        },
        watts: 0.0,
        node: None,
    };
    let clients: Vec<_> = system.processes.iter().map(client).collect();
    Ring::new(&clients, Share::WHOLE, &turns, &system.ring)
}

/// The program's telling, driven event by event, as the platform does: one launch of a process is with
/// the engine, the others wait behind it and the engine knows their count.
pub(crate) fn fast(system: &System) -> Told {
    let mut ring = engine(system);
    let mut script = Script::new(system);
    let mut busy = vec![false; system.processes.len()];
    let mut waiting: Vec<VecDeque<u64>> = vec![VecDeque::new(); system.processes.len()];
    let submit = |ring: &mut Ring<usize>, now, slot, work| {
        let demand = Demand::plain(SimDuration::from_nanos(work));
        ring.submit(now, TurnsJob { slot, job: PoolJob { tag: slot, demand } });
    };
    let mut done = Vec::new();
    loop {
        let change = ring.next_change();
        let happens = script.next().map(SimTime::from_nanos);
        let Some(now) = change.into_iter().chain(happens).min() else { return script.told };
        // What is done at an instant is done before anything is launched at it.
        if change == Some(now) {
            ring.advance(now, &mut done);
            for slot in done.drain(..) {
                let launch = (slot, script.done[slot]);
                script.completed(now.as_nanos(), launch);
                match waiting[slot].pop_front() {
                    Some(work) => {
                        ring.set_queued(now, slot, waiting[slot].len());
                        submit(&mut ring, now, slot, work);
                    }
                    None => busy[slot] = false,
                }
            }
            continue;
        }
        let Some(((slot, _), work)) = script.take(now.as_nanos()) else { continue };
        if std::mem::replace(&mut busy[slot], true) {
            waiting[slot].push_back(work);
            ring.set_queued(now, slot, waiting[slot].len());
        } else {
            submit(&mut ring, now, slot, work);
        }
    }
}

/// Both tell the same, or what the first difference is.
fn agree(system: &System) -> Result<(), String> {
    let (fast, slow) = (fast(system), slow(system));
    let launches: BTreeSet<_> = fast.keys().chain(slow.keys()).collect();
    let differing = launches.into_iter().filter(|launch| fast.get(launch) != slow.get(launch));
    let end = |told: &Told, launch| told.get(launch).map_or(u64::MAX, |times| times.1);
    match differing.min_by_key(|launch| end(&fast, launch).min(end(&slow, launch))) {
        None => Ok(()),
        Some(first) => Err(format!(
            "launch {first:?}: fast {:?}, slow {:?}\n{:?}, ring {:?}\nkinds {:?}\nturns {:?}",
            fast.get(first),
            slow.get(first),
            system.timing,
            system.ring,
            system.processes.iter().map(|process| process.kind).collect::<Vec<_>>(),
            turns_before(system, end(&fast, first).min(end(&slow, first))),
        )),
    }
}

/// The twin's last turns before the first of the two ends: where to look.
fn turns_before(system: &System, instant: u64) -> Vec<Turn> {
    let turns = Slow::new(system).tell(instant).turns;
    turns[turns.len().saturating_sub(12)..].to_vec()
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// One to five processes in any ring, alone, in bursts and in closed loops, launches of both kinds
    /// from 10 us to 30 ms, and any times of a switch. More systems: `PROPTEST_CASES=100000`.
    #[test]
    fn ring_agrees_with_its_slow_twin(seed in any::<u64>()) {
        let agreed = agree(&any_system(seed, 1));
        prop_assert!(agreed.is_ok(), "seed {seed}: {}", agreed.unwrap_err());
    }

    /// All times are multiples of 100 us, so that launches, ends, slices and selections coincide.
    #[test]
    fn ring_agrees_with_its_slow_twin_where_all_coincides(seed in any::<u64>()) {
        let agreed = agree(&any_system(seed, 100_000));
        prop_assert!(agreed.is_ok(), "seed {seed}: {}", agreed.unwrap_err());
    }
}
