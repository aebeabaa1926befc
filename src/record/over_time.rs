//! `OverTime`: what became of a VM's queries, by the window of the run in which each was due; and what each
//! stop of the VM did to them.
//!
//! It is kept only where operations change a run. A latency is known to one part in 64.

use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// The windows of a run and the stops of a VM.
#[derive(Clone, Debug)]
pub struct OverTime {
    window: SimDuration,
    bound: SimDuration,
    /// By number, from the start of the run.
    windows: Vec<WindowRecord>,
    stops: Vec<Stop>,
}

/// The queries that were due in a window.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct WindowRecord {
    /// Answered.
    pub answered: u64,
    /// Of these, over the bound.
    pub over_bound: u64,
    /// Rejected by the server.
    pub rejected: u64,
    /// Lost: the VM was down, or went down.
    pub lost: u64,
    /// The longest latency.
    pub longest: SimDuration,
    /// How many latencies are in each cell.
    cells: BTreeMap<u16, u64>,
}

/// A time in which a VM did not serve.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stop {
    /// Its start.
    pub from: SimTime,
    /// Its end.
    pub to: SimTime,
    /// Queries that were there in it and were answered after it.
    pub waited: u64,
    /// The longest latency of these.
    pub longest: SimDuration,
    /// Queries that were lost in it.
    pub lost: u64,
}

impl OverTime {
    /// Nothing yet, in windows of this length; a latency is too long beyond `bound`.
    pub(super) fn new(window: SimDuration, bound: SimDuration) -> Self {
        assert!(window > SimDuration::ZERO, "windows of no length");
        Self { window, bound, windows: Vec::new(), stops: Vec::new() }
    }

    /// The length of a window.
    pub fn window(&self) -> SimDuration {
        self.window
    }

    /// The windows from the start of the run to the last in which a query was due.
    pub fn windows(&self) -> &[WindowRecord] {
        &self.windows
    }

    /// The times in which the VM did not serve, in order; the last may end with the run.
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    fn at(&mut self, due: SimTime) -> &mut WindowRecord {
        let index = (due.as_nanos() / self.window.as_nanos()) as usize;
        if index >= self.windows.len() {
            self.windows.resize_with(index + 1, WindowRecord::default);
        }
        &mut self.windows[index]
    }

    pub(super) fn answer(&mut self, due: SimTime, now: SimTime) {
        let (latency, bound) = (now - due, self.bound);
        // Whoever was there in a stop, or came in it, was answered after it.
        let hit = self.stops.iter_mut().rev().take_while(|stop| stop.to > due);
        for stop in hit {
            stop.waited += 1;
            stop.longest = stop.longest.max(latency);
        }
        let window = self.at(due);
        window.answered += 1;
        window.over_bound += u64::from(latency > bound);
        window.longest = window.longest.max(latency);
        *window.cells.entry(cell_of(latency)).or_default() += 1;
    }

    pub(super) fn reject(&mut self, due: SimTime) {
        self.at(due).rejected += 1;
    }

    pub(super) fn lose(&mut self, due: SimTime) {
        self.at(due).lost += 1;
    }

    /// The VM did not serve from `from` to `to`, which is now, and lost so many queries: nobody was answered
    /// since `from`.
    pub(super) fn stop(&mut self, from: SimTime, to: SimTime, lost: u64) {
        self.stops.push(Stop { from, to, waited: 0, longest: SimDuration::ZERO, lost });
    }
}

impl WindowRecord {
    /// How many were due.
    pub fn made(&self) -> u64 {
        self.answered + self.rejected + self.lost
    }

    /// The part of those that were due that were answered within the bound; nothing where none was due.
    pub fn availability(&self) -> Option<f64> {
        let made = self.made();
        (made > 0).then(|| (self.answered - self.over_bound) as f64 / made as f64)
    }

    /// The latency that the part `quantile` of those answered do not exceed, to one part in 64; nothing where
    /// none was.
    pub fn quantile(&self, quantile: f64) -> Option<SimDuration> {
        let rank = ((quantile * self.answered as f64).ceil() as u64).max(1);
        let mut before = 0;
        let cell = self.cells.iter().find(|(_, count)| {
            before += **count;
            before >= rank
        });
        cell.map(|(cell, _)| upper_edge(*cell).min(self.longest))
    }
}

/// Cells of a power of two.
const CELLS: u64 = 64;

/// The cell of a latency: by its highest seven binary digits.
fn cell_of(latency: SimDuration) -> u16 {
    let nanos = latency.as_nanos();
    if nanos < CELLS {
        return nanos as u16;
    }
    let shift = u64::from(nanos.ilog2()) - u64::from(CELLS.ilog2());
    (CELLS * (shift + 1) + (nanos >> shift) - CELLS) as u16
}

/// The longest latency of a cell.
fn upper_edge(cell: u16) -> SimDuration {
    let cell = u64::from(cell);
    let nanos = match (cell / CELLS).checked_sub(1) {
        None => cell,
        Some(shift) => (((cell % CELLS + CELLS + 1) as u128) << shift)
            .saturating_sub(1)
            .min(u128::from(u64::MAX)) as u64,
    };
    SimDuration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_known_to_one_part_in_64() {
        for nanos in (0..200).chain((1..63).map(|bit| (1_u64 << bit) + 12_345 % (1 << bit))) {
            let (edge, latency) = (upper_edge(cell_of(SimDuration::from_nanos(nanos))), nanos);
            let off = edge.as_nanos() - latency;
            assert!(off * 64 <= latency, "{latency} is told as {edge}");
        }
        assert_eq!(upper_edge(cell_of(SimDuration::from_nanos(u64::MAX))).as_nanos(), u64::MAX);
    }

    #[test]
    fn queries_are_told_by_the_window_in_which_they_were_due() {
        let (second, millis) = (SimDuration::from_secs(1), SimDuration::from_millis);
        let at = |ms| SimTime::ZERO + millis(ms);
        let mut found = OverTime::new(second, millis(100));
        found.answer(at(100), at(150));
        found.stop(at(900), at(1_500), 0);
        // In it when it stopped; came meanwhile; came afterwards.
        found.answer(at(890), at(1_510));
        found.answer(at(1_400), at(1_520));
        found.answer(at(1_600), at(1_610));
        found.lose(at(1_700));
        found.reject(at(2_100));
        let told: Vec<_> = found.windows().iter().map(|one| (one.made(), one.over_bound)).collect();
        assert_eq!(told, [(2, 1), (3, 1), (1, 0)]);
        let [stop] = found.stops() else { panic!("one stop") };
        assert_eq!((stop.waited, stop.longest), (2, millis(620)));
        let shares: Vec<_> = found.windows().iter().map(WindowRecord::availability).collect();
        assert_eq!(shares, [Some(0.5), Some(1.0 / 3.0), Some(0.0)]);
        assert_eq!(found.windows()[2].quantile(0.99), None);
        let p99 = found.windows()[0].quantile(0.99).unwrap();
        assert_eq!(p99, millis(620), "no more than the longest");
    }
}
