//! The progress bar: on standard error, and only where that is a terminal.
//!
//! It measures nothing; the study says how far it is.

use indicatif::{ProgressBar, ProgressStyle};

/// Whether to show progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum ShowProgress {
    /// Where standard error is a terminal.
    Auto,
    /// Nowhere.
    Never,
}

/// A bar that shows nothing when `hidden`, or when nobody watches.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(hidden: bool) -> Self {
        Self::styled(hidden, "{bar:30} {pos}/{len} {wide_msg}")
    }

    /// A bar that also says how long the rest will take.
    pub(super) fn timed(hidden: bool) -> Self {
        Self::styled(hidden, "{bar:30} {pos}/{len}, {eta} left  {wide_msg}")
    }

    fn styled(hidden: bool, template: &str) -> Self {
        let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("the template is right"));
        Self(bar)
    }

    /// Shows that `done` of `all` units are done, and what is going on.
    pub(super) fn set(&self, done: u64, all: u64, doing: &str) {
        self.0.set_length(all);
        self.0.set_position(done);
        self.0.set_message(doing.to_string());
    }

    /// Takes the bar off the screen.
    pub(super) fn clear(self) {
        self.0.finish_and_clear();
    }
}
