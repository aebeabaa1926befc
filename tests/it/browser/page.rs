//! The page as its tests use it, whoever serves it: what it shows, sliders moved by keyboard, figures held to
//! those of `slicewise run`.

use super::driver::Browser;
use crate::cli::check;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// Keys of a keyboard, by their numbers in WebDriver.
const RIGHT: &str = "\u{e014}";
const LEFT: &str = "\u{e012}";

/// Waits until the page has its last answer.
#[track_caller]
pub(super) fn done(browser: &Browser, name: &str) {
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
pub(super) fn uncover(browser: &Browser, name: &str) {
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
pub(super) fn is_what_run_prints(browser: &Browser, name: &str) -> Value {
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

/// Opens a lesson of a page at this address, and holds its answer to `run`.
#[track_caller]
pub(super) fn opened(browser: &Browser, page: &str, id: &str) {
    browser.visit(page);
    browser.visit(&format!("{page}#source={}", id.replace('/', "%2F")));
    browser.run("location.reload()");
    done(browser, id);
    uncover(browser, id);
    let begun = is_what_run_prints(browser, id);
    assert_eq!(begun["svg"], 1, "{id}: no timeline");
    assert_eq!(begun["charts"], 2, "{id}: charts");
}

/// The keys of the first sliders and choices.
#[track_caller]
pub(super) fn keys(browser: &Browser, name: &str) -> Vec<String> {
    let keys = browser.run(
        "return [...document.querySelectorAll('#controls > [data-key]')].map((one) => one.dataset.key)",
    );
    let keys: Vec<String> = serde_json::from_value(keys).unwrap();
    assert!(!keys.is_empty(), "{name}: no slider");
    keys
}

/// Moves a slider by keyboard and waits for the answer, which must be that of another setting. The time in ms
/// from the key to the first frame, measured in the page.
#[track_caller]
pub(super) fn moved(browser: &Browser, name: &str, key: &str) -> Option<f64> {
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
    let name = format!("{name}, {key}");
    let press = |key: &str| {
        browser.keys(key);
        std::thread::sleep(Duration::from_millis(120));
        done(browser, &name);
        browser.run("return document.getElementById('scenario').textContent !== window.was") == true
    };
    // Where it stands at its end, the other way.
    assert!(press(RIGHT) || press(LEFT), "{name} does not move");
    browser.run("return window.waited").as_f64()
}

/// Takes all moves back.
#[track_caller]
pub(super) fn reset(browser: &Browser, name: &str) {
    browser.run("document.getElementById('reset-all').click()");
    std::thread::sleep(Duration::from_millis(120));
    done(browser, name);
}

/// Nothing on the console, nothing asked for that does not begin with the address of the page.
#[track_caller]
pub(super) fn is_silent(browser: &Browser, own: &str) {
    let told = browser.log("browser");
    assert!(told.is_empty(), "the console says {told:?}");
    let asked = browser.requests();
    let is_own = |url: &&String| url.starts_with(own) || url.starts_with("data:");
    assert!(asked.iter().any(|url| url.starts_with(own)), "{asked:?}");
    let foreign: Vec<_> = asked.iter().filter(|url| !is_own(url)).collect();
    assert!(foreign.is_empty(), "the page asks for {foreign:?}");
}

/// Prints how long it took.
pub(super) fn tell_times(what: &str, mut ms: Vec<f64>) {
    ms.sort_by(f64::total_cmp);
    let (middle, last) = (ms[ms.len() / 2], ms.last().unwrap());
    println!(
        "{what}: first answer after {middle:.0} ms in the median, {last:.0} at most, of {}",
        ms.len()
    );
}
