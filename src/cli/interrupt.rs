//! Ctrl-C, SIGTERM and the end of the terminal (SIGHUP): the process cleans up, reports what is
//! kept, and ends at once.
//!
//! The first process of a container has no default handlers and would not end at all; any other
//! process ends by the signal itself, as shells expect.

use super::progress::Progress;
use crate::report::{Folder, FolderError, Maker};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is to be done and said on the way out.
type LastWords = Box<dyn FnOnce() -> String + Send>;

static LAST_WORDS: Mutex<Option<LastWords>> = Mutex::new(None);

fn last_words() -> MutexGuard<'static, Option<LastWords>> {
    LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder in use: as long as this value exists, an interruption cleans the folder up and reports
/// what is kept.
pub(super) struct Watch(Arc<Folder>);

impl Watch {
    /// Opens the folder and begins work in it; `begin` also returns the text that reports what is
    /// kept. A signal waits for both: there is no moment at which files exist that nobody would
    /// clean up.
    pub(super) fn open<T, Kept: FnOnce() -> String + Send + 'static>(
        path: &Path,
        maker: Maker,
        force: bool,
        progress: &Progress,
        begin: impl FnOnce(&Folder) -> Result<(T, Kept), FolderError>,
    ) -> Result<(Self, T), FolderError> {
        let mut last_words = last_words();
        let folder = Arc::new(Folder::open(path, maker, force)?);
        let (begun, kept) = begin(&folder)?;
        let (progress, given_up) = (progress.clone(), folder.clone());
        *last_words = Some(Box::new(move || {
            progress.clear();
            let words = kept();
            match given_up.give_up() {
                true => words,
                false => format!("the results are in {}", given_up.path().display()),
            }
        }));
        Ok((Self(folder), begun))
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Folder {
        &self.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *last_words() = None;
    }
}

/// Handles the signals from here on.
#[cfg(unix)]
pub(super) fn handle() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    // Where no handler can be had, signals do what they do by default.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    if heeds(SIGHUP) {
        let _ = signals.add_signal(SIGHUP);
    }
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            let words = last_words().take();
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

/// Whether a signal has not been ignored by whoever started us, as `nohup` ignores SIGHUP; false where the
/// kernel does not say.
#[cfg(unix)]
fn heeds(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (signal - 1)) == 0)
}

/// Handles the signals from here on.
#[cfg(not(unix))]
pub(super) fn handle() {}
