//! The tables of keys in the documents are current: each stands between `<!-- keys of NAME -->` and
//! `<!-- end of keys -->`.
//!
//! `UPDATE=1` writes them anew.

use crate::config::keys::Key;
use crate::config::scenario::llm_keys::{EngineKeys, GoodputKeys, LlmKeys, LlmLoadKeys};
use crate::config::scenario::pods::PodsKeys;
use crate::config::scenario::power_keys::PowerKeys;
use crate::config::scenario::queues::QueueKeys;
use crate::config::scenario::settings::{LoadKeys, ServerKeys};
use crate::config::scenario::sharing_keys::Sharing;
use serde_json::Value;

const SCENARIOS: &str = "docs/reference/scenario-files.md";
const LLM: &str = "docs/reference/llm.md";

/// The tables of the pages: page, name, keys.
fn tables() -> [(&'static str, &'static str, Vec<Key>); 9] {
    [
        (SCENARIOS, "server", ServerKeys::keys().into_iter().chain(QueueKeys::keys()).collect()),
        (SCENARIOS, "load", LoadKeys::keys()),
        (SCENARIOS, "sharing", Sharing::keys()),
        (SCENARIOS, "power", PowerKeys::keys()),
        (SCENARIOS, "pods", PodsKeys::keys()),
        (LLM, "llm", LlmKeys::keys()),
        (LLM, "engine", EngineKeys::keys()),
        (LLM, "llm-load", LlmLoadKeys::keys()),
        (LLM, "goodput", GoodputKeys::keys()),
    ]
}

#[test]
fn the_tables_of_keys_are_current() {
    for page in [SCENARIOS, LLM] {
        are_current(page);
    }
}

fn are_current(path: &str) {
    let before = std::fs::read_to_string(path).unwrap();
    let mut page = before.clone();
    for (_, name, keys) in tables().into_iter().filter(|(of, ..)| *of == path) {
        let start = format!("<!-- keys of {name} -->\n");
        let (above, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no {start}"));
        let (_, below) = rest.split_once("<!-- end of keys -->").unwrap();
        let rows: String = keys.iter().map(row).collect();
        let head = "| key | value | default | meaning |\n|---|---|---|---|\n";
        page = format!("{above}{start}{head}{rows}<!-- end of keys -->{below}");
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &page).unwrap();
        return;
    }
    let help = "UPDATE=1 cargo test --lib tables_of_keys";
    assert!(page == before, "the tables of {path} are out of date: {help}");
}

fn row(key: &Key) -> String {
    let shape = key.shape.clone().into_json();
    let default = match (key.default.as_ref().or(shape.get("default")), key.or) {
        (Some(default), _) => format!("`{default}`"),
        (None, Some(or)) => or.to_string(),
        (None, None) => {
            if key.needed.is_some() { "none, it must be there" } else { "" }.to_string()
        }
    };
    let allowed = key.range.map_or_else(|| in_words(&shape), str::to_string);
    format!("| `{}` | {allowed} | {default} | {} |\n", key.name, key.meaning)
}

/// What may be written, for people: `1 to 60`, `"vm", "process"`, `a table`.
fn in_words(shape: &Value) -> String {
    let joined = |all: &[Value], between: &str, of: fn(&Value) -> String| {
        all.iter().map(of).collect::<Vec<_>>().join(between)
    };
    if let Some(shapes) = shape["anyOf"].as_array() {
        return joined(shapes, " or ", in_words);
    }
    if let Some(words) = shape["enum"].as_array() {
        return joined(words, ", ", |word| format!("`{word}`"));
    }
    match shape["type"].as_str() {
        Some("integer") => format!("{} to {}", shape["minimum"], shape["maximum"]),
        Some("boolean") => "`true`, `false`".to_string(),
        Some("object") => "a table".to_string(),
        Some("array") => format!("a list: {}", in_words(&shape["items"])),
        Some("string") if shape.get("examples").is_some() => {
            format!("text such as `{}`", shape["examples"][0])
        }
        Some(kind) => kind.to_string(),
        None => "anything".to_string(),
    }
}
