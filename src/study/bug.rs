//! A bug of slicewise in one piece of work does not end the others: it is caught and reported as a
//! bug.
//!
//! The report is for the developers: the message of the panic and its place in the source.

use super::results::Tool;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// So much of a message is told.
const TOLD_MAX: usize = 300;

thread_local! {
    /// How many pieces of work this thread is in, one within the other.
    static WITHIN: Cell<u32> = const { Cell::new(0) };
    /// What the last panic said, and where.
    static FOUND: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does a piece of work; where it panics, returns a sentence about the bug for the results.
pub(super) fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    listen();
    WITHIN.set(WITHIN.get() + 1);
    // What the work shares with others are sets of strings behind locks, whole at any moment.
    let found = panic::catch_unwind(AssertUnwindSafe(work));
    WITHIN.set(WITHIN.get() - 1);
    found.map_err(|payload| {
        let found = FOUND.take().unwrap_or_else(|| words_of(&*payload));
        let Tool { name, version } = Tool::THIS;
        format!(
            "a bug in slicewise, not a mistake of yours: {found}; please report this line with the scenario file ({name} {version})"
        )
    })
}

/// From the first call on a panic within such work is noted and not printed; any other is told as
/// before.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match WITHIN.get() {
            0 => before(info),
            _ => FOUND.set(Some(noted(info))),
        }));
    });
}

fn noted(info: &PanicHookInfo<'_>) -> String {
    let words = words_of(info.payload());
    match info.location() {
        Some(place) => format!("{words}, at {}:{}", place.file(), place.line()),
        None => words,
    }
}

/// The message of a panic in one line.
fn words_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "without a message".to_string());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().filter(|c| !c.is_control()).take(TOLD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place_and_the_work_goes_on() {
        let told = caught(|| assert_eq!(1, 1 + "x".len(), "a\nwide\tgap")).unwrap_err();
        assert!(told.starts_with("a bug in slicewise"), "{told}");
        assert!(told.contains("a wide gap left: 1 right: 2, at src/study/bug.rs:"), "{told}");
        assert_eq!(caught(|| 3), Ok(3));
        let within = caught(|| caught(|| panic!("inner")).unwrap_err() + "!").unwrap();
        assert!(within.contains("inner") && within.ends_with('!'), "{within}");
    }
}
