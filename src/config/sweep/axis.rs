//! The varying keys of a sweep: axes of values, and lines with their own keys.

use crate::config::text::{Diagnostic, KeyPath, Reader, Spot, Value};
use crate::spec::ParameterValue;
use crate::suggest::quoted;
use crate::units::SimDuration;
use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr;
use toml::de::DeValue;

/// Most VMs in all points of a sweep: each is read and checked before anything runs. Single
/// dimensions have no other bound.
pub(crate) const POINTS_MAX: usize = 100_000;

/// The keys of `[sweep]` that are not paths.
pub(super) const KEYS: [&str; 4] = ["x", "line", "not_applicable", "replications"];

/// A key and its values; `with` sets other keys together with it.
#[derive(Debug)]
pub(crate) struct Axis<'a> {
    /// The path as it is written.
    pub(crate) key: String,
    /// The label of the axis in charts.
    pub(crate) label: String,
    /// The unit of the values as numbers.
    pub(crate) unit: Option<&'static str>,
    pub(crate) values: Vec<ParameterValue>,
    /// For each value, what to set.
    pub(crate) settings: Vec<Vec<Setting<'a>>>,
}

/// `[[sweep.line]]`: a line of the charts.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) name: String,
    pub(crate) unset: Vec<(KeyPath, Range<usize>)>,
    pub(crate) set: Vec<Setting<'a>>,
}

/// A key and one value for it.
#[derive(Clone, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) path: KeyPath,
    /// Where the path is written.
    pub(crate) spot: Range<usize>,
    pub(crate) value: &'a DeValue<'a>,
    /// Where the value is written.
    pub(crate) at: Range<usize>,
}

/// The short axes `vm.vcpus = [1, 2]`, in the order in which they are written.
pub(super) fn short_axes<'a>(table: &mut Reader<'a>, above: &str) -> Vec<Option<Axis<'a>>> {
    let mut entries: Vec<_> = table.entries();
    entries.retain(|(key, _)| !above.is_empty() || !KEYS.contains(&key.as_str()));
    entries.sort_by_key(|(_, value)| value.span.start);
    let mut axes = Vec::new();
    for (key, value) in entries {
        // A key in quotes is a path; one without is a step of it.
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        if value.is_table() {
            let within = value.table().map(|mut within| short_axes(&mut within, &path));
            axes.extend(within.unwrap_or_else(|| vec![None]));
        } else if value.is_array() {
            axes.push(Axis::read_short(path, table.key_span(&key), &value));
        } else {
            let diagnostic =
                value.wrong(format!("is neither a list of values nor one of {}", KEYS.join(", ")));
            value.report(diagnostic.help(format!("write for example {path} = [1, 2, 4]")));
            axes.push(None);
        }
    }
    axes
}

impl<'a> Axis<'a> {
    /// `x = { key = "vm.count", values = [1, 2], label = "VMs", with = { ... } }`.
    pub(super) fn read_long(value: &Value<'a>) -> Option<Self> {
        let mut table = value.table()?;
        let key = table.need("key", "name what varies, such as key = \"vm.vcpus\"");
        let values = table.need("values", "list its values, such as values = [1, 2, 4, 8]");
        let label = table.get("label").map(|value| value.text().map(str::to_string));
        let with = table.table("with");
        table.finish();
        let (key, values) = (key?, values?);
        let mut axis = Self::read_short(key.text()?.to_string(), key.span.clone(), &values)?;
        if let Some(label) = label {
            axis.label = label?;
        }
        let Some(mut with) = with else { return Some(axis) };
        for (key, values) in with.entries() {
            axis.add_in_step(&key, with.key_span(&key), &values)?;
        }
        Some(axis)
    }

    fn read_short(key: String, spot: Range<usize>, values: &Value<'a>) -> Option<Self> {
        let path = read_path(&key, &spot, values)?;
        let items = values.items(POINTS_MAX)?;
        let (values, unit) = parameter_values(&items);
        let mut seen = BTreeSet::new();
        for (item, ParameterValue { text, .. }) in items.iter().zip(&values) {
            if !seen.insert(text) {
                let diagnostic = item.wrong(format!("has {text} twice"));
                item.report(diagnostic.help("each value makes one point"));
                return None;
            }
        }
        let setting = |item: Value<'a>| {
            vec![Setting {
                path: path.clone(),
                spot: spot.clone(),
                value: item.value,
                at: item.span,
            }]
        };
        let label = unit.map_or_else(|| key.clone(), |unit| format!("{key} ({unit})"));
        let settings = items.into_iter().map(setting).collect();
        Some(Self { key, label, unit, values, settings })
    }

    /// Sets another key in step with this axis.
    fn add_in_step(&mut self, key: &str, spot: Range<usize>, values: &Value<'a>) -> Option<()> {
        let path = read_path(key, &spot, values)?;
        let items = values.items(POINTS_MAX)?;
        if items.len() != self.values.len() {
            let diagnostic = values.wrong(format!("has {} entries", items.len()));
            let allowed = format!("{}, one for each value of `{}`", self.values.len(), self.key);
            values.report(diagnostic.allowed(allowed));
            return None;
        }
        for (settings, item) in self.settings.iter_mut().zip(items) {
            let (path, spot) = (path.clone(), spot.clone());
            settings.push(Setting { path, spot, value: item.value, at: item.span });
        }
        Some(())
    }
}

/// `[[sweep.line]]` with `name`, `set` and `unset`.
pub(super) fn read_lines<'a>(value: &Value<'a>) -> Option<Vec<Line<'a>>> {
    let items = value.items(POINTS_MAX)?;
    let count = items.len();
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut names = BTreeSet::new();
    for line in items.iter().filter_map(read_line) {
        let (name, line) = line;
        if !names.insert(line.name.clone()) {
            let title = format!("two lines are named {}", quoted(&line.name));
            name.report(Diagnostic::at(&name.spot(), title));
        }
        lines.push(line);
    }
    (lines.len() == count).then_some(lines)
}

/// One line, and where its name stands.
fn read_line<'a>(item: &Value<'a>) -> Option<(Value<'a>, Line<'a>)> {
    let mut table = item.table()?;
    let name = table.need("name", "name the line, for charts and tables");
    let set = table.get("set").map_or(Some(Vec::new()), |value| read_set(value.table()?));
    let unset = read_unset(table.get("unset"));
    table.finish();
    let name = name?;
    let line = Line { name: name.text()?.to_string(), unset: unset?, set: set? };
    Some((name, line))
}

fn read_set<'a>(mut table: Reader<'a>) -> Option<Vec<Setting<'a>>> {
    let mut settings = Vec::new();
    for (key, value) in table.entries() {
        let spot = table.key_span(&key);
        let path = read_path(&key, &spot, &value)?;
        settings.push(Setting { path, spot, value: value.value, at: value.span });
    }
    settings.sort_by_key(|setting| setting.at.start);
    Some(settings)
}

fn read_unset(value: Option<Value<'_>>) -> Option<Vec<(KeyPath, Range<usize>)>> {
    let Some(value) = value else { return Some(Vec::new()) };
    let items = value.items(POINTS_MAX)?.into_iter();
    items.map(|item| Some((read_path(item.text()?, &item.span, &item)?, item.span))).collect()
}

/// A path, or a diagnostic where it is written; `value` knows the file.
fn read_path(text: &str, spot: &Range<usize>, value: &Value<'_>) -> Option<KeyPath> {
    match KeyPath::parse(text) {
        Ok(path) => Some(path),
        Err(why) => {
            let spot = Spot { file: value.file.clone(), span: spot.clone() };
            let title = format!("the key path {} {why}", quoted(text));
            let help = "write for example vm.vcpus, vm[0].vcpus or vm.NAME.vcpus";
            value.report(Diagnostic::at(&spot, title).help(help));
            None
        }
    }
}

/// A value as text.
pub(crate) fn in_words(item: &Value<'_>) -> String {
    match item.value {
        DeValue::String(text) => text.to_string(),
        _ => item.file.text[item.span.clone()].to_string(),
    }
}

/// A value as a number, in the unit of the values of an axis: milliseconds, or none.
pub(crate) fn as_number(item: &Value<'_>, unit: Option<&str>) -> Option<f64> {
    match (unit, item.value) {
        (None, DeValue::Integer(_) | DeValue::Float(_)) => {
            in_words(item).replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite())
        }
        (Some(_), DeValue::String(text)) => {
            SimDuration::from_str(text).ok().map(SimDuration::as_millis_f64)
        }
        _ => None,
    }
}

/// The values of an axis, as numbers where all of them are; and the unit of quantities.
fn parameter_values(items: &[Value<'_>]) -> (Vec<ParameterValue>, Option<&'static str>) {
    let all = |unit| items.iter().map(|item| as_number(item, unit)).collect::<Option<Vec<f64>>>();
    let (numbers, unit) = match all(None) {
        Some(numbers) => (Some(numbers), None),
        None => (all(Some("ms")), Some("ms")),
    };
    let unit = unit.filter(|_| numbers.is_some());
    let values = items.iter().enumerate().map(|(index, item)| ParameterValue {
        text: in_words(item),
        number: numbers.as_ref().map(|numbers| numbers[index]),
    });
    (values.collect(), unit)
}
