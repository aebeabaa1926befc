//! Floor 1: service stations of queueing theory, independent of what waits.
//!
//! Everything that makes work wait is a [`Station`]. A station knows three verbs and is a pure
//! state machine: it never schedules, never calls another station, never draws a random number.
//! The formal ancestor is DEVS (Zeigler 1976): `submit` is the external transition, `advance` the
//! internal transition with its output, `next_change` the time advance.

mod fifo;
mod gate;
mod sequencer;
mod sharing;
pub mod stats;

pub use fifo::Fifo;
pub use gate::Gate;
pub use sequencer::Sequencer;
pub use sharing::ProcessorSharing;

use crate::units::SimTime;

/// Jobs go in, finished jobs come out, and in between only time passes.
///
/// The contract, held by the property tests of `tests/it/laws.rs`:
/// - `now` never goes back;
/// - `submit` takes work but never finishes any;
/// - `advance` is called at the time `next_change` names, never later, and may be called earlier,
///   when nothing is due and nothing happens;
/// - jobs in = jobs out + jobs inside, and every job comes out once.
pub trait Station {
    /// What goes in: a tag, and how much of the station's service it wants.
    type Job;
    /// What comes out.
    type Done;

    /// Takes a job in at `now`.
    fn submit(&mut self, now: SimTime, job: Self::Job);

    /// When the station changes next by itself; nothing while it waits for jobs.
    fn next_change(&self) -> Option<SimTime>;

    /// Lets time pass to `now` and hands over what has finished, in order of completion.
    fn advance(&mut self, now: SimTime, done: &mut Vec<Self::Done>);
}
