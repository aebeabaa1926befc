//! `[lesson]`: what a teacher says about a scenario, and the settings to play with.
//!
//! It changes no result. What a control does not state is for the page to fill in, which also knows
//! whether the scenario has its key.

use crate::config::text::{Diagnostic, KeyPath, Reader, Value};
use crate::spec::{ControlScale, Lesson, LessonControl, LessonCurve};
use crate::suggest::quoted;

/// Most characters of a text.
pub(crate) const TEXT_MAX: usize = 4000;

/// Most controls, things to try, and words of a choice.
pub(crate) const CONTROLS_MAX: usize = 30;
pub(crate) const TRIES_MAX: usize = 30;
pub(crate) const CHOICES_MAX: usize = 30;

/// The ends of numbers.
pub(crate) const NUMBER_MAX: f64 = 1e12;

/// The keys that only a number has.
const OF_NUMBERS: [&str; 5] = ["from", "to", "step", "scale", "unit"];

/// Reads the table, if the file has it.
pub(crate) fn read(top: &mut Reader<'_>) -> Option<Lesson> {
    let mut table = top.table("lesson")?;
    let help = "write what is to be found out: question = \"Why does p99 rise so early?\"";
    let question = table.need("question", help).and_then(|value| text(&value));
    let mut if_stated = |key: &str| table.get(key).and_then(|value| text(&value));
    let (predict, answer, page) = (if_stated("predict"), if_stated("answer"), if_stated("page"));
    let tries = table.get("try").and_then(|value| texts(&value, TRIES_MAX));
    let curve = table.get("curve").and_then(|value| value.choice("curve", &LessonCurve::ALL));
    let controls = table.get("controls").and_then(|value| {
        let items = value.items(CONTROLS_MAX)?;
        Some(items.iter().filter_map(|item| control(item.table()?)).collect())
    });
    table.finish();
    Some(Lesson {
        question: question?,
        predict,
        tries: tries.unwrap_or_default(),
        answer,
        page,
        curve,
        controls: controls.unwrap_or_default(),
    })
}

/// A text of a length that a page can show.
fn text(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let length = text.chars().count();
    if length > TEXT_MAX {
        let found = value.wrong(format!("has {length} characters"));
        value.report(found.allowed(format!("at most {TEXT_MAX}")));
        return None;
    }
    Some(text.to_string())
}

fn texts(value: &Value<'_>, most: usize) -> Option<Vec<String>> {
    let items = value.items(most)?;
    // All of them are looked at before one is missed.
    let read: Vec<Option<String>> = items.iter().map(text).collect();
    read.into_iter().collect()
}

/// `{ key = "vm.load.target_qps", from = 10, to = 190 }`, or `values = [...]`.
fn control(mut table: Reader<'_>) -> Option<LessonControl> {
    let help = "name the key that it sets, as --set does: key = \"vm.load.target_qps\"";
    let key = table.need("key", help).and_then(|value| key(&value));
    let label = table.get("label").and_then(|value| text(&value));
    let within = |number: f64| number.abs() <= NUMBER_MAX;
    let mut number =
        |key: &str| table.get(key).and_then(|value| value.number(within, "-1e12 to 1e12"));
    let (from, to) = (number("from"), number("to"));
    let step = table
        .get("step")
        .and_then(|value| value.number(|step| step > 0.0 && within(step), "above 0, at most 1e12"));
    let scale = table.get("scale").and_then(|value| value.choice("scale", &ControlScale::ALL));
    let unit = table.get("unit").and_then(|value| text(&value));
    let values = table.get("values").and_then(|value| texts(&value, CHOICES_MAX));
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        let title = format!("the control goes from {from} to {to}");
        let found = Diagnostic::at(&table.spot_of("to"), title);
        table.report(found.allowed(format!("`to` above {from}")));
    }
    if let Some(from) = from.filter(|from| scale == Some(ControlScale::Log) && *from <= 0.0) {
        let title = format!("the control goes by ratios from {from}");
        let found = Diagnostic::at(&table.spot_of("from"), title);
        table.report(found.allowed("`from` above 0").help("or write scale = \"linear\""));
    }
    if let Some(other) = OF_NUMBERS.iter().find(|key| table.has("values") && table.has(key)) {
        let title =
            format!("`{other}` belongs to numbers, and `values` makes the control a choice");
        let found = Diagnostic::at(&table.spot_of(other), title);
        table.report(found.help(format!("drop `{other}`, or `values`")));
    }
    table.finish();
    let values = values.unwrap_or_default();
    Some(LessonControl { key: key?, label, from, to, step, scale, unit, values })
}

/// A key as an argument of `--set` begins.
fn key(value: &Value<'_>) -> Option<String> {
    let written = text(value)?;
    if let Err(why) = KeyPath::parse(&written) {
        let found = value.wrong(format!("is no path of a key: {} {why}", quoted(&written)));
        value.report(found.help("write for example vm.load.target_qps, or vm[0].vcpus"));
        return None;
    }
    Some(written)
}
