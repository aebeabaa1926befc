//! The page of `slicewise serve` in a real browser: every slider moves, and what is shown is what
//! `slicewise run` prints for the file that is exported.

use super::driver::Browser;
use super::page::{is_silent, is_what_run_prints, keys, moved, opened, reset, tell_times};
use super::{LOOK, ONE, keep};
use crate::serve::client::Served;
use serde_json::{Value, json};
use std::sync::PoisonError;
use std::time::Duration;

/// Each lesson: all its sliders move by keyboard, the answer changes with them and is that of `run`; the page
/// as it is then has no fault in light, dark, narrow; nothing is asked for from outside, the console is silent.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn every_slider_of_every_lesson_moves_and_its_answer_is_that_of_run() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(browser) = Browser::start() else { return };
    let served = Served::start(None);
    let list: Value = serde_json::from_str(&served.get("/api/sources").body).unwrap();
    browser.blank();
    browser.requests();
    browser.log("browser");
    browser.size(1200, 900);
    let mut first_frames = Vec::new();
    for lesson in list["lessons"].as_array().unwrap() {
        let id = lesson["id"].as_str().unwrap();
        opened(&browser, &served.url("/"), id);
        for key in keys(&browser, id) {
            first_frames.extend(moved(&browser, id, &key));
            is_what_run_prints(&browser, id);
            // Each by itself: what one makes possible another may not.
            reset(&browser, id);
        }
        let name = id.replace('/', "-");
        for (look, width) in [("light", 1200), ("dark", 1200), ("light", 360), ("dark", 360)] {
            browser.look(look);
            browser.size(width, 900);
            std::thread::sleep(Duration::from_millis(200));
            keep(&browser, &name, look, width);
            let seen = browser.run(&format!("window.served = true; {LOOK}"));
            assert_eq!(seen["wrong"], json!([]), "{id}, {look}, {width} wide");
        }
        browser.look("light");
        browser.size(1200, 900);
    }
    is_silent(&browser, &served.url("/"));
    tell_times("moves of sliders", first_frames);
}
