//! `[[sweep.not_applicable]]`: points that cannot exist by design, declared with the reason.
//!
//! It determines the declared points. Whether one of them can be simulated after all is checked
//! where every point is tried.

use super::axis::{Axis, Line, POINTS_MAX, as_number, in_words};
use crate::config::text::{Diagnostic, Reader, Spot, Value};
use crate::suggest::{nearest, quoted};

/// A declaration as written.
pub(crate) struct Written<'a> {
    lines: Vec<Value<'a>>,
    conditions: Vec<(String, Value<'a>)>,
    reason: String,
    spot: Spot,
}

/// A declaration with the values it covers.
#[derive(Debug)]
pub(crate) struct Exclusion {
    /// Why these points cannot exist.
    pub(crate) reason: String,
    /// Its place in the file.
    pub(crate) spot: Spot,
    /// Indices of lines; empty for every line.
    lines: Vec<usize>,
    /// Keys of axes, each with a flag for each of its values: whether it is meant.
    conditions: Vec<(String, Vec<bool>)>,
}

/// Reads the declarations; faults of their form are reported, and a faulty one is nothing.
pub(crate) fn read<'a>(value: &Value<'a>) -> Vec<Option<Written<'a>>> {
    let items = value.items(POINTS_MAX);
    items.map_or(vec![None], |items| items.iter().map(read_one).collect())
}

fn read_one<'a>(item: &Value<'a>) -> Option<Written<'a>> {
    let mut table = item.table()?;
    let lines = table.get("line").map(|value| match value.is_array() {
        true => value.items(POINTS_MAX),
        false => Some(vec![value]),
    });
    let when = table.get("when");
    let reason = table.need("reason", "state why these points cannot exist");
    table.finish();
    if lines.is_none() && when.is_none() {
        let title = "`sweep.not_applicable` names no points";
        let help = "name a line, or values: when = { \"vm.count\" = { above = 7 } }";
        item.report(Diagnostic::at(&item.spot(), title).help(help));
        return None;
    }
    let mut conditions = Vec::new();
    if let Some(when) = when {
        gather(when.table()?, "", &mut conditions);
    }
    let reason = reason?.text()?.to_string();
    Some(Written {
        lines: lines.unwrap_or(Some(Vec::new()))?,
        conditions,
        reason,
        spot: item.spot(),
    })
}

/// The paths below a table: a key in quotes is one, one without is a step of it.
fn gather<'a>(mut table: Reader<'a>, above: &str, found: &mut Vec<(String, Value<'a>)>) {
    for (key, value) in table.entries() {
        let path = if above.is_empty() { key } else { format!("{above}.{key}") };
        let within = value.value.as_table().filter(|within| !is_bound(within));
        match within.and_then(|_| value.table()) {
            Some(within) => gather(within, &path, found),
            None => found.push((path, value)),
        }
    }
}

/// Whether a table is `{ above = 7 }`.
fn is_bound(table: &toml::de::DeTable<'_>) -> bool {
    ["above", "below"].iter().any(|key| table.contains_key(*key))
}

/// Finds the lines and values that are covered; unknown ones are reported.
pub(crate) fn resolve(
    written: Vec<Option<Written<'_>>>,
    axes: &[Axis<'_>],
    lines: &[Line<'_>],
) -> Option<Vec<Exclusion>> {
    let count = written.len();
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    let resolved = written.into_iter().flatten().filter_map(|written| {
        let lines = written.lines.iter().map(|value| {
            let name = value.text()?;
            let index = names.iter().position(|known| *known == name);
            if index.is_none() {
                value.unknown("line", name, &names);
            }
            index
        });
        // All of them are looked at before anything is given up.
        let lines: Vec<Option<usize>> = lines.collect();
        let conditions = written.conditions.iter().map(|(key, value)| meant(key, value, axes));
        let conditions: Vec<Option<_>> = conditions.collect();
        Some(Exclusion {
            reason: written.reason,
            spot: written.spot,
            lines: lines.into_iter().collect::<Option<_>>()?,
            conditions: conditions.into_iter().collect::<Option<_>>()?,
        })
    });
    let resolved: Vec<_> = resolved.collect();
    (resolved.len() == count).then_some(resolved)
}

/// Which values of its axis a condition means.
fn meant(key: &str, value: &Value<'_>, axes: &[Axis<'_>]) -> Option<(String, Vec<bool>)> {
    let Some(axis) = axes.iter().find(|axis| axis.key == key) else {
        let known: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
        let title = format!("{} is not an axis of the sweep", quoted(key));
        let diagnostic = Diagnostic::at(&value.spot(), title).of_form();
        let known_words =
            if known.is_empty() { "it has none".to_string() } else { known.join(", ") };
        value.report(diagnostic.allowed(known_words).did_you_mean(nearest(key, &known)));
        return None;
    };
    let flags = match value.is_table() {
        true => within_bounds(value, axis)?,
        false => {
            let items =
                if value.is_array() { value.items(POINTS_MAX)? } else { vec![value.clone()] };
            let mut flags = vec![false; axis.values.len()];
            for item in &items {
                flags[place_of(item, axis)?] = true;
            }
            flags
        }
    };
    if !flags.contains(&true) {
        let title = format!("no value of the axis {key} matches");
        value.report(Diagnostic::at(&value.spot(), title).allowed(values_of(axis)));
        return None;
    }
    Some((key.to_string(), flags))
}

/// The index of a value on its axis.
fn place_of(item: &Value<'_>, axis: &Axis<'_>) -> Option<usize> {
    let (text, number) = (in_words(item), as_number(item, axis.unit));
    let is_it = |value: &crate::spec::ParameterValue| match (number, value.number) {
        (Some(one), Some(other)) => one == other,
        _ => value.text == text,
    };
    let found = axis.values.iter().position(is_it);
    if found.is_none() {
        let title = format!("{} is not a value of the axis {}", quoted(&text), axis.key);
        item.report(Diagnostic::at(&item.spot(), title).allowed(values_of(axis)));
    }
    found
}

fn values_of(axis: &Axis<'_>) -> String {
    const SHOWN: usize = 20;
    let shown = axis.values.iter().take(SHOWN).map(|value| value.text.as_str());
    let shown = shown.collect::<Vec<_>>().join(", ");
    if axis.values.len() > SHOWN { format!("{shown}, ...") } else { shown }
}

/// The values beyond a bound: `{ above = 7 }`, `{ below = "2 ms" }`, or outside of both.
fn within_bounds(value: &Value<'_>, axis: &Axis<'_>) -> Option<Vec<bool>> {
    let (mut above, mut below) = (f64::INFINITY, f64::NEG_INFINITY);
    for (key, end) in value.table()?.entries() {
        let place = match key.as_str() {
            "above" => &mut above,
            "below" => &mut below,
            _ => {
                end.unknown("bound", &key, ["above", "below"]);
                return None;
            }
        };
        let Some(number) = as_number(&end, axis.unit) else {
            let what = if axis.unit.is_some() { "time in quotes" } else { "number" };
            let diagnostic = end.wrong(format!("is not a {what}"));
            end.report(diagnostic.help("write it as the values of the axis are written"));
            return None;
        };
        *place = number;
    }
    if axis.values.iter().any(|value| value.number.is_none()) {
        let title = format!("the values of the axis {} are not numbers", axis.key);
        value.report(Diagnostic::at(&value.spot(), title).help("list the values"));
        return None;
    }
    let beyond = |number: f64| number > above || number < below;
    Some(axis.values.iter().map(|value| value.number.is_some_and(beyond)).collect())
}

impl Exclusion {
    /// Whether it covers the point of this line with these values of the axes.
    pub(crate) fn means(&self, line: usize, axes: &[Axis<'_>], values: &[usize]) -> bool {
        let of_line = self.lines.is_empty() || self.lines.contains(&line);
        let holds = |(key, flags): &(String, Vec<bool>)| {
            let axis = axes.iter().position(|axis| axis.key == *key);
            axis.is_some_and(|axis| flags[values[axis]])
        };
        of_line && self.conditions.iter().all(holds)
    }
}
