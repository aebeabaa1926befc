//! `PhaseLog`: what an instance's engine did in a window of time, where somebody asks for it.
//!
//! It is told of every span of time that a station accounts for, and decides nothing.

use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// What the engine of an instance did in a span of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// It worked for an owner.
    Run,
    /// It worked for an owner past the end of its slice, while another waited.
    Overshoot,
    /// It stood in the turn of an owner without work, while another had work.
    Burned,
    /// It stood in the turn of an owner without work, and nobody had work.
    Rest,
    /// It was passed to this owner.
    Switch,
    /// Within the turn of a VM with pods it was passed to this one of them.
    SwitchWithin,
    /// It stood because all owners with work had used up their share of the window of the cap.
    Capped,
}

/// A span of one phase.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PhaseSpan {
    /// The owner's slot; of a ring with empty places it may be one without owner.
    pub slot: u16,
    /// What the engine did.
    pub phase: Phase,
    /// When it began.
    pub start: SimTime,
    /// When it ended, or up to when it is known.
    pub end: SimTime,
    /// When the owner's turn began; the start where there are no turns.
    pub turn: SimTime,
    /// The part of the GPU's SMs that it concerns, 0 to 1.
    pub share: f64,
}

/// The part of a run that is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Window {
    /// Its start.
    pub from: SimTime,
    /// Its end, after the start.
    pub until: SimTime,
    /// Most spans that one instance may record.
    pub most: usize,
}

/// The spans of an instance that touch a window, in full length.
#[derive(Debug)]
pub struct PhaseLog {
    window: Window,
    share: f64,
    spans: Vec<PhaseSpan>,
    /// The newest span of each slot: the next may continue it.
    newest: BTreeMap<u16, PhaseSpan>,
    /// When the present turn began.
    turn: SimTime,
    /// Since when the cap holds everybody back.
    capped: Option<SimTime>,
    /// When there was no room for more.
    full: Option<SimTime>,
}

impl PhaseLog {
    /// An empty log of an instance with this part of the GPU's SMs.
    pub fn new(window: Window, share: f64) -> Self {
        Self {
            window,
            share,
            spans: Vec::new(),
            newest: BTreeMap::new(),
            turn: SimTime::ZERO,
            capped: None,
            full: None,
        }
    }

    /// From `start` to `end` the engine did this in the turn of `slot`.
    pub fn add(&mut self, slot: usize, phase: Phase, start: SimTime, end: SimTime) {
        self.add_part(slot, phase, (start, end), self.turn, self.share);
    }

    /// The same of an owner with several members, from `first` on: those who had a part of the instance, once
    /// the engine was passed to them, which still took `switch` if there was work.
    pub fn add_inside(
        &mut self,
        (first, users): (usize, Vec<(usize, f64)>),
        phase: Phase,
        (start, end): (SimTime, SimTime),
        switch: SimDuration,
    ) {
        let works = matches!(phase, Phase::Run | Phase::Overshoot);
        let runs = if works { (start + switch).min(end) } else { start };
        for (member, part) in users {
            let (slot, turn) = (first + member, self.turn);
            self.add_part(slot, Phase::SwitchWithin, (start, runs), turn, self.share);
            self.add_part(slot, phase, (runs, end), turn, self.share * part);
        }
    }

    /// Where there are no turns: from `start` to `end` an owner had this part of the GPU's SMs.
    pub fn add_share(&mut self, slot: usize, start: SimTime, end: SimTime, share: f64) {
        let before = self.newest.get(&(slot as u16)).filter(|before| before.end == start);
        let turn = before.map_or(start, |before| before.turn);
        self.add_part(slot, Phase::Run, (start, end), turn, share);
    }

    fn add_part(
        &mut self,
        slot: usize,
        phase: Phase,
        (start, end): (SimTime, SimTime),
        turn: SimTime,
        share: f64,
    ) {
        if end <= start || start >= self.window.until || self.full.is_some() {
            return;
        }
        let slot = slot as u16;
        if let Some(newest) = self.newest.get_mut(&slot) {
            let alike = newest.phase == phase && newest.share == share && newest.turn == turn;
            if alike && newest.end == start {
                newest.end = end;
                return;
            }
        }
        let span = PhaseSpan { slot, phase, start, end, turn, share };
        if let Some(before) = self.newest.insert(slot, span) {
            self.keep(before);
        }
    }

    fn keep(&mut self, span: PhaseSpan) {
        if span.end <= self.window.from {
            return;
        }
        self.spans.push(span);
        if self.spans.len() >= self.window.most {
            self.full.get_or_insert(span.end);
        }
    }

    /// At `now` the engine was given to `slot`, whose turn begins at `start`; where that is later, it is
    /// passed on until then.
    pub fn begin_turn(&mut self, slot: usize, now: SimTime, start: SimTime) {
        if let Some(since) = self.capped.take() {
            self.add(slot, Phase::Capped, since, now);
        }
        self.turn = now;
        self.add(slot, Phase::Switch, now, start);
        self.turn = start;
    }

    /// From `now` on nobody may have the engine, though there is work.
    pub fn hold_back(&mut self, now: SimTime) {
        self.capped.get_or_insert(now);
    }

    /// Up to when idle turns that follow `from` need not be known one by one; nothing where they are
    /// asked for.
    pub fn skips_to(&self, from: SimTime, now: SimTime) -> Option<SimTime> {
        if self.full.is_some() || from >= self.window.until {
            return Some(now);
        }
        (from < self.window.from).then_some(now.min(self.window.from))
    }

    /// The instance's part of the GPU's SMs.
    pub(super) fn share(&self) -> f64 {
        self.share
    }

    /// How many spans are kept.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether no span is kept.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// All spans that touch the window in the order of their starts, known up to `now`; and up to when
    /// none is missing.
    pub fn take(&mut self, now: SimTime) -> (Vec<PhaseSpan>, SimTime) {
        if let Some(since) = self.capped.take() {
            self.add(0, Phase::Capped, since, now);
        }
        for span in std::mem::take(&mut self.newest).into_values() {
            self.keep(span);
        }
        let mut spans = std::mem::take(&mut self.spans);
        spans.sort_by_key(|span| (span.start, span.slot));
        (spans, self.full.unwrap_or(now))
    }
}

impl PhaseSpan {
    /// How long it lasted.
    pub fn length(&self) -> SimDuration {
        self.end - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> SimTime {
        SimTime::from_nanos(nanos)
    }

    fn window(from: u64, until: u64) -> Window {
        Window { from: at(from), until: at(until), most: 100 }
    }

    /// Spans of one turn that follow each other are one, in full length where they touch the window; those
    /// of another turn are not, though nobody had the engine in between.
    #[test]
    fn spans_of_a_turn_are_joined_and_those_outside_the_window_left_out() {
        let mut log = PhaseLog::new(window(100, 200), 0.5);
        log.begin_turn(1, at(0), at(10));
        log.add(1, Phase::Run, at(10), at(60));
        log.add(1, Phase::Run, at(60), at(110));
        log.add(1, Phase::Rest, at(110), at(120));
        log.begin_turn(1, at(120), at(120));
        log.add(1, Phase::Rest, at(120), at(130));
        log.begin_turn(2, at(130), at(150));
        log.add(2, Phase::Burned, at(150), at(230));
        log.add(2, Phase::Run, at(230), at(240));
        let (spans, whole_until) = log.take(at(240));
        let told = spans.iter().map(|span| {
            let times = [span.turn, span.start, span.end].map(SimTime::as_nanos);
            (span.slot, span.phase, times)
        });
        let told: Vec<_> = told.collect();
        assert_eq!(
            told,
            [
                (1, Phase::Run, [10, 10, 110]),
                (1, Phase::Rest, [10, 110, 120]),
                (1, Phase::Rest, [120, 120, 130]),
                (2, Phase::Switch, [130, 130, 150]),
                (2, Phase::Burned, [150, 150, 230]),
            ]
        );
        assert!(spans.iter().all(|span| span.share == 0.5));
        assert_eq!(whole_until, at(240));
    }

    /// Idle turns are walked through one by one in the window alone.
    #[test]
    fn idle_turns_are_skipped_outside_the_window() {
        let mut log = PhaseLog::new(Window { most: 1, ..window(100, 200) }, 1.0);
        assert_eq!(log.skips_to(at(10), at(90)), Some(at(90)));
        assert_eq!(log.skips_to(at(10), at(500)), Some(at(100)));
        assert_eq!(log.skips_to(at(100), at(500)), None);
        assert_eq!(log.skips_to(at(200), at(500)), Some(at(500)));
        // Once it is full nothing more is asked for, and it is whole up to there.
        log.add(0, Phase::Run, at(100), at(120));
        log.add(0, Phase::Rest, at(120), at(130));
        assert_eq!((log.len(), log.skips_to(at(130), at(150))), (1, Some(at(150))));
        log.add(0, Phase::Run, at(130), at(140));
        let (spans, whole_until) = log.take(at(150));
        assert_eq!((spans.len(), whole_until), (2, at(120)));
    }

    /// Who waits for a new window of the cap is told from when on.
    #[test]
    fn the_cap_is_a_span_of_its_own() {
        let mut log = PhaseLog::new(window(0, 100), 1.0);
        log.hold_back(at(5));
        log.hold_back(at(10));
        log.begin_turn(0, at(20), at(22));
        let (spans, _) = log.take(at(22));
        let told: Vec<_> =
            spans.iter().map(|span| (span.phase, span.length().as_nanos())).collect();
        assert_eq!(told, [(Phase::Capped, 15), (Phase::Switch, 2)]);
    }
}
