//! The simulator in a browser: a question comes in as JSON, events go out. Strings in the memory of the
//! module and plain numbers are all that passes, so that no tool has to write code between the two sides.
//!
//! ```text
//!  page ─► worker.js ─► room, ask ─► slicewise::explore ─► tell ─► worker.js ─► page
//! ```

mod expf;

use serde::Deserialize;
use slicewise::config::{Catalogue, LoadOptions};
use slicewise::explore::{self, Refusal, Request};
use std::cell::RefCell;

#[link(wasm_import_module = "page")]
unsafe extern "C" {
    /// Takes an event: a name and its data, both to be copied before it returns.
    fn tell(name: *const u8, name_len: usize, data: *const u8, data_len: usize);
    /// Whether the answer has taken too long. There is no clock on this side.
    fn late() -> i32;
}

/// What is asked.
#[derive(Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
enum Question {
    /// Which scenarios there are.
    Sources,
    /// An answer, in frames.
    Answer(Asked),
    /// A file to take away.
    Export {
        kind: String,
        #[serde(flatten)]
        asked: Asked,
    },
}

/// A setting, as the page has it.
#[derive(Deserialize)]
struct Asked {
    source: String,
    sets: Vec<String>,
    curve: Option<String>,
}

impl From<Asked> for Request {
    fn from(asked: Asked) -> Self {
        Self { source: asked.source, set: asked.sets, curve: asked.curve }
    }
}

thread_local! {
    /// The question, written by the other side.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// The catalogue, read once.
    static OPTIONS: RefCell<Option<LoadOptions>> = const { RefCell::new(None) };
}

fn told(name: &str, data: &[u8]) {
    // SAFETY: the other side reads what these say, while it is here.
    unsafe { tell(name.as_ptr(), name.len(), data.as_ptr(), data.len()) }
}

/// Room for a question of so many bytes.
#[unsafe(no_mangle)]
pub extern "C" fn room(len: usize) -> *mut u8 {
    ROOM.with_borrow_mut(|room| {
        *room = vec![0; len];
        room.as_mut_ptr()
    })
}

/// Reads the catalogue, which takes a while, and says in `trouble` what ends the simulator, should it end.
#[unsafe(no_mangle)]
pub extern "C" fn ready() {
    std::panic::set_hook(Box::new(|panic| told("trouble", panic.to_string().as_bytes())));
    OPTIONS.with_borrow_mut(|options| {
        *options = Some(LoadOptions::new(
            Catalogue::load(None).expect("the catalogue is part of the program"),
        ));
    });
}

/// Answers the question that is in the room. Told are, of `sources`: `sources`; of `answer`: what
/// [`explore::answer`] tells; of `export`: `name`, then `file`; and `wrong` where a question is refused.
#[unsafe(no_mangle)]
pub extern "C" fn ask() {
    let question = ROOM.take();
    let answered = OPTIONS
        .with_borrow(|options| answer(options.as_ref().expect("ready was called"), &question));
    if let Err(refusal) = answered {
        told("wrong", serde_json::to_string(&refusal).unwrap_or_default().as_bytes());
    }
}

fn answer(options: &LoadOptions, question: &[u8]) -> Result<(), Refusal> {
    let question = serde_json::from_slice(question).map_err(|error| {
        Refusal::of(
            format!("a question that is not understood: {error}"),
            "sources, answer, export",
        )
    })?;
    let sources = explore::lessons();
    // SAFETY: it takes and gives a number.
    let stop = || unsafe { late() } != 0;
    match question {
        Question::Sources => told("sources", explore::sources(options, &sources, None).as_bytes()),
        Question::Answer(asked) => {
            let mut tell = |(name, data): explore::Event| told(name, data.as_bytes());
            explore::answer(options, &sources, &asked.into(), &stop, &mut tell)?;
        }
        Question::Export { kind, asked } => {
            let file = explore::export(options, &sources, &asked.into(), &kind, &stop)?;
            told("name", file.name.as_bytes());
            told("file", &file.bytes);
        }
    }
    Ok(())
}
