//! Floor 1: the event engine. It advances a [`Model`] from event to event and knows nothing else.
//!
//! It does not know what an event means, draws no random number and never looks at a wall clock.

mod event_list;
mod streams;

pub use event_list::{EventList, Pending};
pub use streams::{RandomStreams, Stream, fnv1a};

use crate::units::SimTime;

/// Something that changes at events. The engine is compiled once for each model.
pub trait Model {
    /// Lets happen at `now` what `member` of the list has pending. New times go into `events`, never
    /// before `now`.
    fn handle(&mut self, now: SimTime, member: u32, events: &mut EventList);
}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Nothing is left to happen.
    Exhausted,
    /// The given number of events has happened and more are pending: the guard against endless runs.
    EventLimit,
}

/// Handles events in order until none is left, or until `event_limit` of them have happened. Returns
/// why it ended, and how many have happened.
///
/// Panics when an event lies before the one handled last, which is a bug of the model.
pub fn run(model: &mut impl Model, events: &mut EventList, event_limit: u64) -> (Ending, u64) {
    let mut now = SimTime::ZERO;
    for happened in 0..event_limit {
        let Some((time, member)) = events.pop() else { return (Ending::Exhausted, happened) };
        assert!(time >= now, "an event at {time} after one at {now}");
        now = time;
        model.handle(now, member, events);
    }
    (if events.is_empty() { Ending::Exhausted } else { Ending::EventLimit }, event_limit)
}

/// Handles events in order up to the last at `until`, as long as `goes_on` says so after an event.
/// Returns when it ended, at `until` or at the event after which it was to end; and how many events
/// happened.
pub fn run_until<M: Model>(
    model: &mut M,
    events: &mut EventList,
    until: SimTime,
    goes_on: impl Fn(&M) -> bool,
) -> (SimTime, u64) {
    let (mut now, mut happened) = (SimTime::ZERO, 0);
    while events.next_time().is_some_and(|time| time <= until) {
        let Some((time, member)) = events.pop() else { break };
        assert!(time >= now, "an event at {time} after one at {now}");
        (now, happened) = (time, happened + 1);
        model.handle(now, member, events);
        // All of an instant happens before anything is left out.
        if !goes_on(model) && events.next_time() != Some(now) {
            return (now, happened);
        }
    }
    (until, happened)
}
