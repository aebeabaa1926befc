//! A file's text with its settings written into it, comments and order kept where nothing is set.
//!
//! What may be set, and what stands in the way, is decided by `set_arguments`; this only writes, and
//! holds what it wrote against that.

use super::diagnostic::{Problems, SourceFile};
use super::keypath::Step;
use super::load_error::LoadError;
use super::{set_arguments, source};
use anyhow::anyhow;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};
use toml_edit::{DocumentMut, InlineTable, Item, TableLike, Value};

/// The text of a file with these arguments of `--set` in it.
pub(crate) fn text_with(path: &Path, text: &str, set: &[String]) -> Result<String, LoadError> {
    let problems = Problems::default();
    let file = Arc::new(SourceFile::new(path.display().to_string(), text));
    let file = set_arguments::join(file, set);
    let tree = source::parse(&file, &problems);
    let arguments = set_arguments::read(&file, &Problems::default());
    let wanted = match (tree, problems.into_error()) {
        (Some(tree), None) => tree,
        (_, all) => return Err(LoadError::Invalid(all.unwrap_or_default())),
    };
    if set.is_empty() {
        return Ok(text.to_string());
    }
    // The tree that keeps comments has numbers of 64 bits with a sign.
    let cannot = || {
        let most = i64::MAX;
        LoadError::World(anyhow!(
            "cannot write {} with its settings; whole numbers, also of a seed, may be {most} at most",
            path.display()
        ))
    };
    let mut document: DocumentMut = text.parse().map_err(|_| cannot())?;
    for argument in arguments {
        let written = &file.text[argument.value_span()];
        let value = written.parse().unwrap_or_else(|_| Value::from(written));
        into_table(document.as_table_mut(), argument.path.steps(), &value);
    }
    let written = document.to_string();
    match DeTable::parse(&written) {
        Ok(found) if same_table(found.get_ref(), &wanted) => Ok(written),
        _ => Err(cannot()),
    }
}

/// Sets the key at the end of a path that was found to lead there, as `KeyPath::apply` does.
fn into_table(table: &mut dyn TableLike, steps: &[Step], value: &Value) {
    let [Step::Key(key), rest @ ..] = steps else { return };
    match (rest.is_empty(), table.get_mut(key)) {
        (true, Some(Item::Value(known))) => {
            let decor = known.decor().clone();
            *known = value.clone();
            *known.decor_mut() = decor;
        }
        (true, _) => add(table, key, value.clone()),
        (false, Some(item)) => into_item(item, rest, value),
        (false, None) => {
            let mut inner = InlineTable::new();
            into_table(&mut inner, rest, value);
            add(table, key, Value::InlineTable(inner));
        }
    }
}

/// Adds a key; what stands between the last value and the brace goes behind the new one.
fn add(table: &mut dyn TableLike, key: &str, mut value: Value) {
    let last = table.iter_mut().last().and_then(|(_, item)| match item {
        Item::Value(last) => Some(last),
        _ => None,
    });
    let space = last.filter(|last| {
        let suffix = last.decor().suffix().and_then(|suffix| suffix.as_str());
        suffix.is_some_and(|suffix| !suffix.is_empty() && suffix.chars().all(|c| c == ' '))
    });
    if let Some(last) = space {
        last.decor_mut().set_suffix("");
        value.decor_mut().set_suffix(" ");
    }
    table.insert(key, Item::Value(value));
}

fn into_item(item: &mut Item, steps: &[Step], value: &Value) {
    match item {
        Item::ArrayOfTables(members) => {
            let names: Vec<Option<String>> = members.iter().map(|one| name_of(one)).collect();
            let (chosen, rest) = chosen(&names, steps);
            let all = members.iter_mut().enumerate();
            all.filter(|(index, _)| chosen.is_none_or(|chosen| chosen == *index))
                .for_each(|(_, member)| into_table(member, rest, value));
        }
        Item::Value(inner) => into_value(inner, steps, value),
        item => {
            if let Some(table) = item.as_table_like_mut() {
                into_table(table, steps, value);
            }
        }
    }
}

fn into_value(inner: &mut Value, steps: &[Step], value: &Value) {
    match inner {
        Value::InlineTable(table) => into_table(table, steps, value),
        Value::Array(members) => {
            let named = |one: &Value| one.as_inline_table().and_then(|table| name_of(table));
            let names: Vec<Option<String>> = members.iter().map(named).collect();
            let (chosen, rest) = chosen(&names, steps);
            let all = members.iter_mut().enumerate();
            all.filter(|(index, _)| chosen.is_none_or(|chosen| chosen == *index))
                .for_each(|(_, member)| into_value(member, rest, value));
        }
        _ => {}
    }
}

/// The member of an array that a path means, by index or by name; nothing for all of them.
fn chosen<'s>(names: &[Option<String>], steps: &'s [Step]) -> (Option<usize>, &'s [Step]) {
    let place = match &steps[0] {
        Step::Index(index) => Some(*index),
        Step::Key(name) => names.iter().position(|known| known.as_deref() == Some(name)),
    };
    (place, if place.is_some() { &steps[1..] } else { steps })
}

fn name_of(table: &dyn TableLike) -> Option<String> {
    Some(table.get("name")?.as_str()?.to_string())
}

fn same_table(one: &DeTable<'_>, other: &DeTable<'_>) -> bool {
    one.len() == other.len()
        && one.iter().all(|(key, value)| {
            let found = other.get(key.get_ref().as_ref());
            found.is_some_and(|found| same(value.get_ref(), found.get_ref()))
        })
}

/// Whether two values say the same, wherever they stand.
fn same(one: &DeValue<'_>, other: &DeValue<'_>) -> bool {
    match (one, other) {
        (DeValue::Table(one), DeValue::Table(other)) => same_table(one, other),
        (DeValue::Array(one), DeValue::Array(other)) => {
            let mut pairs = one.iter().zip(other.iter());
            one.len() == other.len() && pairs.all(|(a, b)| same(a.get_ref(), b.get_ref()))
        }
        (DeValue::String(one), DeValue::String(other)) => one == other,
        (DeValue::Integer(one), DeValue::Integer(other)) => {
            (one.as_str(), one.radix()) == (other.as_str(), other.radix())
        }
        (DeValue::Float(one), DeValue::Float(other)) => one.as_str() == other.as_str(),
        (DeValue::Boolean(one), DeValue::Boolean(other)) => one == other,
        (DeValue::Datetime(one), DeValue::Datetime(other)) => one == other,
        _ => false,
    }
}
