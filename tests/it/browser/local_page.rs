//! The page of `slicewise serve` in a real browser: every slider moves, and what is shown is what
//! `slicewise run` prints for the file that is exported.

use super::driver::Browser;
use super::{LOOK, ONE, keep};
use crate::cli::check;
use crate::serve::client::Served;
use serde_json::{Value, json};
use std::fs;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// A key of a keyboard, by its number in WebDriver.
const RIGHT: &str = "\u{e014}";

/// Waits until the page has its last answer.
#[track_caller]
fn done(browser: &Browser, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let state = browser.run(
            "const answer = document.getElementById('answer'); \
             return answer && `${answer.dataset.state} ${answer.dataset.stale}`",
        );
        match state.as_str() {
            Some("done false") => return,
            Some(state) if state.starts_with("refused") || state.starts_with("error") => {
                let told = browser.run("return document.getElementById('problem').textContent");
                panic!("{name}: {told}");
            }
            _ => assert!(Instant::now() < deadline, "{name}: still {state}"),
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A lesson that asks for a prediction is covered, so that nothing tells the answer; then it is shown.
#[track_caller]
fn uncover(browser: &Browser, name: &str) {
    let state = browser.run("return document.getElementById('answer').dataset.predict");
    if state == "off" {
        return;
    }
    assert_eq!(state, "hidden", "{name}");
    let seen = browser.run(
        "return [...document.querySelectorAll('#verdict, #figures, #tables, #timeline')] \
           .filter((one) => one.checkVisibility() && one.innerText.trim()).map((one) => one.id)",
    );
    assert_eq!(seen, json!([]), "{name} tells its answer before it is asked for");
    browser.run("document.getElementById('unhide').click()");
}

/// What the page shows: figures by their ids, rows of its tables, the scenario's text.
fn shown(browser: &Browser) -> Value {
    browser.run(
        "const text = (one) => one.textContent.trim(); \
         const figures = Object.fromEntries([...document.querySelectorAll('[data-figure]')].map((one) => \
           [one.dataset.figure, one.querySelector('.of-b .value').textContent])); \
         const rows = [...document.querySelectorAll('#tables tbody tr')].map((row) => [...row.cells].map(text)); \
         return { figures, rows, text: text(document.getElementById('scenario')), \
           svg: document.querySelectorAll('#timeline img').length, \
           charts: document.querySelectorAll('.chart .u-wrap').length }",
    )
}

/// Holds what is shown to what `slicewise run` prints for the exported file.
#[track_caller]
fn is_what_run_prints(browser: &Browser, name: &str) -> Value {
    let seen = shown(browser);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{}.toml", name.rsplit('/').next().unwrap()));
    fs::write(&file, seen["text"].as_str().unwrap()).unwrap();
    let out = folder.path().join("out");
    let arguments = ["run", file.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()];
    let (printed, _) = check(&arguments, 0);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = printed.lines().map(words).collect();
    let rows = seen["rows"].as_array().unwrap();
    assert!(!rows.is_empty(), "{name}: no rows");
    for row in rows {
        let cells: Vec<&str> = row.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let row = words(&cells.join(" "));
        assert!(lines.contains(&row), "{name}: `run` does not print\n{row}\nbut\n{printed}");
    }
    seen
}

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
        browser.visit(&served.url("/"));
        browser.visit(&served.url(&format!("/#source={}", id.replace('/', "%2F"))));
        browser.run("location.reload()");
        done(&browser, id);
        uncover(&browser, id);
        let begun = is_what_run_prints(&browser, id);
        assert_eq!(begun["svg"], 1, "{id}: no timeline");
        assert_eq!(begun["charts"], 2, "{id}: charts");
        let keys = browser.run(
            "return [...document.querySelectorAll('#controls > [data-key]')].map((one) => one.dataset.key)",
        );
        let keys = keys.as_array().unwrap();
        assert!(!keys.is_empty(), "{id}: no slider");
        for key in keys {
            // The time from the key to the first frame is measured in the page.
            let script = "const [key] = arguments; \
                const node = document.querySelector(`[data-key=\"${key}\"]`); \
                const one = node.querySelector('input[type=range], input:checked, select'); \
                one.focus(); window.was = document.getElementById('scenario').textContent; \
                const answer = document.getElementById('answer'); const begun = performance.now(); \
                window.waited = null; let moved = false; \
                const watch = new MutationObserver(() => { \
                  if (answer.dataset.state === 'busy') moved = true; \
                  if (moved && answer.dataset.stale === 'false') { window.waited ??= performance.now() - begun; watch.disconnect(); } \
                }); \
                watch.observe(answer, { attributes: true });";
            browser.run(&script.replace("arguments", &json!([key]).to_string()));
            browser.keys(RIGHT);
            std::thread::sleep(Duration::from_millis(120));
            done(&browser, &format!("{id}, {key}"));
            let changed = browser
                .run("return document.getElementById('scenario').textContent !== window.was");
            if changed != true {
                // It stood at its end: the other way.
                browser.keys("\u{e012}");
                std::thread::sleep(Duration::from_millis(120));
                done(&browser, &format!("{id}, {key}"));
                let changed = browser
                    .run("return document.getElementById('scenario').textContent !== window.was");
                assert_eq!(changed, true, "{id}: {key} does not move");
            }
            first_frames.extend(browser.run("return window.waited").as_f64());
            is_what_run_prints(&browser, id);
            // Each by itself: what one makes possible another may not.
            browser.run("document.getElementById('reset-all').click()");
            std::thread::sleep(Duration::from_millis(120));
            done(&browser, id);
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
    let told = browser.log("browser");
    assert!(told.is_empty(), "the console says {told:?}");
    let asked = browser.requests();
    let own = served.url("/");
    let foreign: Vec<_> =
        asked.iter().filter(|url| !url.starts_with(&own) && !url.starts_with("data:")).collect();
    assert!(foreign.is_empty(), "the page asks for {foreign:?}");
    first_frames.sort_by(f64::total_cmp);
    println!(
        "moves of sliders: first answer after {:.0} ms in the median, {:.0} at most, of {}",
        first_frames[first_frames.len() / 2],
        first_frames.last().unwrap(),
        first_frames.len()
    );
}
