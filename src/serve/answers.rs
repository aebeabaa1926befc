//! Answers that take time: so many at once, each with an end, and none for a page that has moved on.

use super::State;
use crate::explore::{self, Refusal, Request, Source};
use crate::report::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Answers at once: all of them share the cores.
const AT_ONCE: usize = 4;

/// Answers that wait for their turn.
const WAITING: usize = 64;

/// Threads that simulate or read files; each hands its parallel work to the same few workers.
pub(super) const THREADS: usize = 16;

/// The longest that an answer takes.
const LONGEST: Duration = Duration::from_secs(60);

/// Events of an answer: more than one ever has, so that nobody waits for a slow reader.
const EVENTS: usize = 64;

/// The places of answers.
pub(super) struct Room {
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// A place of an answer.
pub(super) struct Place(
    #[expect(dead_code, reason = "it is given back when dropped")] OwnedSemaphorePermit,
);

impl Room {
    pub(super) fn new() -> Self {
        let [at_once, waiting] =
            [AT_ONCE, AT_ONCE + WAITING].map(|of| Arc::new(Semaphore::new(of)));
        Self { at_once, waiting }
    }

    /// A place, once there is one. Nothing where too many wait.
    pub(super) async fn place(&self) -> Option<Place> {
        let _waiting = self.waiting.clone().try_acquire_owned().ok()?;
        self.at_once.clone().acquire_owned().await.ok().map(Place)
    }
}

/// Every scenario file that can be chosen now.
pub(super) fn sources(state: &State) -> Vec<Source> {
    let mut all = explore::lessons();
    all.extend(state.folder.iter().flat_map(|folder| folder.sources()));
    all
}

/// The lessons, and of the folder's files the one that is asked for.
fn of_request(state: &State, request: &Request) -> Vec<Source> {
    let mut all = explore::lessons();
    all.extend(state.folder.as_ref().and_then(|folder| folder.source(&request.source)));
    all
}

/// A file to take away, made as long as the minute lasts and somebody waits: `gone` says when nobody does.
pub(super) fn export(
    state: &State,
    request: &Request,
    kind: &str,
    gone: &AtomicBool,
) -> Result<File, Refusal> {
    let begun = Instant::now();
    let stop = || gone.load(Ordering::Relaxed) || begun.elapsed() > LONGEST;
    explore::export(&state.options, &of_request(state, request), request, kind, &stop)
}

/// Says that somebody is gone once it is dropped.
pub(super) struct Waiting(pub(super) Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An answer under way: its events, and when it is dropped, nobody listens any more.
pub(super) struct Answer {
    pub(super) events: Receiver<Result<explore::Event, Refusal>>,
    _waiting: Waiting,
}

/// Begins to answer.
pub(super) fn begin(state: Arc<State>, request: Request, place: Place) -> Answer {
    let (sender, events) = channel(EVENTS);
    let gone = Arc::new(AtomicBool::new(false));
    let heard = gone.clone();
    tokio::task::spawn_blocking(move || {
        answer(&state, &request, &heard, &sender);
        drop(place);
    });
    Answer { events, _waiting: Waiting(gone) }
}

fn answer(
    state: &State,
    request: &Request,
    gone: &AtomicBool,
    sender: &Sender<Result<explore::Event, Refusal>>,
) {
    let begun = Instant::now();
    let stop = || gone.load(Ordering::Relaxed) || begun.elapsed() > LONGEST;
    let mut tell = |event| {
        // A reader that is gone is seen by `stop`.
        let _ = sender.try_send(Ok(event));
    };
    let sources = of_request(state, request);
    let answered = explore::answer(&state.options, &sources, request, &stop, &mut tell);
    if let Err(refusal) = answered {
        let _ = sender.try_send(Err(refusal));
    }
}
