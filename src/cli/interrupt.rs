//! Ctrl-C and SIGTERM: the process ends at once, tidied up, and says what is kept.
//!
//! A process that is the first of a container has no default handlers, so that it would not end at
//! all; any other ends by the signal itself, as shells expect.

use super::progress::Progress;
use crate::report::Folder;
use std::sync::{Arc, Mutex, PoisonError};

/// What is to be done and said on the way out.
type LastWords = Box<dyn FnOnce() -> String + Send>;

static LAST_WORDS: Mutex<Option<LastWords>> = Mutex::new(None);

/// As long as it lives, an interruption tidies up a folder and says what `kept` says.
pub(super) struct Watch;

impl Watch {
    /// Watches over the work on a folder.
    pub(super) fn over(
        folder: &Arc<Folder>,
        progress: &Progress,
        kept: impl FnOnce() -> String + Send + 'static,
    ) -> Self {
        let (folder, progress) = (folder.clone(), progress.clone());
        let words = move || {
            progress.clear();
            let words = kept();
            match folder.give_up() {
                true => words,
                false => format!("the results are in {}", folder.path().display()),
            }
        };
        *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(words));
        Self
    }

    /// Watches over work of which nothing is kept.
    pub(super) fn over_all(folder: &Arc<Folder>, progress: &Progress) -> Self {
        let path = folder.path().display().to_string();
        Self::over(folder, progress, move || {
            format!("nothing was written; {path} is as it was before")
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Handles the signals from here on.
#[cfg(unix)]
pub(super) fn handle() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    // Where no handler can be had, signals do what they do by default.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            let words = LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(words) = words {
                super::output::message(&format!("interrupted: {}", words()));
            }
            if std::process::id() != 1 {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            std::process::exit(128 + signal);
        }
    };
    let _ = std::thread::Builder::new().name("signals".to_string()).spawn(wait);
}

/// Handles the signals from here on.
#[cfg(not(unix))]
pub(super) fn handle() {}
