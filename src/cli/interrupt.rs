//! Ctrl-C and SIGTERM: the process ends at once, tidied up, and says what is kept.
//!
//! A process that is the first of a container has no default handlers, so that it would not end at
//! all; any other ends by the signal itself, as shells expect. A signal that was ignored when we were
//! started, as in the background of a script, stays so.

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
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM].into_iter().filter(|signal| (ignored >> (signal - 1)) & 1 == 0);
    // Where no handler can be had, signals do what they do by default.
    let Ok(mut signals) = Signals::new(wanted) else { return };
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

/// The signals that we were told to ignore, a bit for each from the first on; none where that cannot
/// be learnt.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Handles the signals from here on.
#[cfg(not(unix))]
pub(super) fn handle() {}
