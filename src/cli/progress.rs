//! Progress, on standard error: a bar where that is a terminal; otherwise, for a search, a line now
//! and then, less often the longer it takes.
//!
//! It measures only time; the study reports its progress.

use super::output;
use crate::shown::shown;
use crate::units::SimDuration;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Whether to show progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum ShowProgress {
    /// Where standard error is a terminal.
    Auto,
    /// Nowhere.
    Never,
}

/// A bar that shows nothing when `hidden`, or when standard error is not a terminal.
#[derive(Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(hidden: bool) -> Self {
        Self::styled(hidden, "{bar:30} {pos}/{len} {wide_msg}")
    }

    /// The same for work that is told in parts: per cent, and the remaining time.
    pub(super) fn in_parts(hidden: bool) -> Self {
        Self::styled(hidden, "{bar:30} {percent} %, {left}  {wide_msg}")
    }

    /// A bar that also shows the remaining time.
    pub(super) fn timed(hidden: bool) -> Self {
        Self::styled(hidden, "{bar:30} {pos}/{len}, {left}  {wide_msg}")
    }

    fn styled(hidden: bool, template: &str) -> Self {
        let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let style = ProgressStyle::with_template(template).expect("the template is right");
        // Before anything is done nobody knows.
        let left = |state: &ProgressState, line: &mut dyn Write| {
            let _ = match state.pos() {
                0 => write!(line, "begun"),
                _ => write!(line, "{:#} left", HumanDuration(state.eta())),
            };
        };
        bar.set_style(style.with_key("left", left));
        Self(bar)
    }

    /// Shows that `done` of `all` units are done, and what is going on.
    pub(super) fn set(&self, done: u64, all: u64, doing: &str) {
        self.0.set_length(all);
        self.0.set_position(done);
        self.0.set_message(shown(doing).into_owned());
    }

    /// Removes the bar from the screen.
    pub(super) fn clear(self) {
        self.0.finish_and_clear();
    }
}

/// The progress of a search, whose length is not known, and its time limit.
pub(super) struct Search {
    bar: Progress,
    started: Instant,
    limit: Option<Duration>,
    /// What is going on and when to say so, where nobody sees a bar.
    plain: Option<Mutex<Plain>>,
}

struct Plain {
    doing: String,
    next: Duration,
}

impl Search {
    /// The bar.
    pub(super) fn bar(&self) -> &Progress {
        &self.bar
    }

    /// So long nothing need be said.
    const QUIET: Duration = Duration::from_secs(5);

    pub(super) fn new(hidden: bool, limit: Option<SimDuration>) -> Self {
        let is_plain = !hidden && !std::io::stderr().is_terminal();
        let plain = Plain { doing: String::new(), next: Self::QUIET };
        Self {
            bar: Progress::timed(hidden),
            started: Instant::now(),
            limit: limit.map(|limit| Duration::from_nanos(limit.as_nanos())),
            plain: is_plain.then(|| Mutex::new(plain)),
        }
    }

    /// Shows that `done` of `all` searches are done, and what is going on.
    pub(super) fn set(&self, done: u64, all: u64, doing: &str) {
        self.bar.set(done, all, doing);
        if let Some(plain) = &self.plain {
            let mut plain = plain.lock().expect("no thread panics in it");
            plain.doing = format!("{doing} ({done} of {all} done)");
        }
    }

    /// Whether the time limit is over; called often, so it also shows what is going on.
    pub(super) fn is_over(&self) -> bool {
        let elapsed = self.started.elapsed();
        if let Some(plain) = &self.plain {
            let mut plain = plain.lock().expect("no thread panics in it");
            if elapsed >= plain.next {
                plain.next *= 2;
                output::message(&format!("after {} s: {}", elapsed.as_secs(), plain.doing));
            }
        }
        self.limit.is_some_and(|limit| elapsed >= limit)
    }

    /// Removes the bar from the screen.
    pub(super) fn clear(self) {
        self.bar.clear();
    }
}
