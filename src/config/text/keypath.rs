//! `KeyPath`: the path of a key in a file, `vm[0].load.target_qps`, and how to set it in a tree.
//!
//! A path through an array of tables means every one of them, unless it names one, by index or by
//! its `name`. It does not know the valid keys; the reader of the tree does.

use super::value::article;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A path of keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyPath {
    steps: Vec<Step>,
}

/// A step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Into a table, or to the member of an array with this name.
    Key(String),
    /// To a member of an array.
    Index(usize),
}

/// The change at the end of a path.
#[derive(Clone, Copy)]
pub(crate) enum Change<'t, 'a> {
    /// Set the key to this value, with its place.
    Set(&'t DeValue<'a>, &'t Range<usize>),
    /// Remove the key, if it is there.
    Unset,
}

impl KeyPath {
    /// Reads `vm[0].load.target_qps`; a name with special characters is in quotes: `vm."a
    /// b".vcpus`. The error describes the fault of the text.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut steps = Vec::new();
        let mut rest = text.trim();
        loop {
            let (key, after) = key(rest)?;
            steps.push(Step::Key(key));
            rest = after;
            while let Some(inside) = rest.strip_prefix('[') {
                let (index, after) = inside.split_once(']').ok_or("lacks a closing bracket")?;
                let index =
                    index.trim().parse().map_err(|_| "has an index that is not a number")?;
                steps.push(Step::Index(index));
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => return Ok(Self { steps }),
                None => return Err("has something other than a dot between two keys"),
            }
        }
    }

    /// Its steps, at least one; the first is a key.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Changes the key in a tree; missing tables on the way are created. `spot` is the place of the
    /// path, for messages about a key. The error describes the obstacle.
    pub(crate) fn apply<'a>(
        &self,
        tree: &mut DeTable<'a>,
        change: Change<'_, 'a>,
        spot: &Range<usize>,
    ) -> Result<(), String> {
        into_table(tree, &self.steps, change, spot, "")
    }
}

/// The first key of a path, and what follows it.
fn key(text: &str) -> Result<(String, &str), &'static str> {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            let (key, after) = inside.split_once(quote).ok_or("lacks a closing quote")?;
            return Ok((key.to_string(), after));
        }
    }
    let bare = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let end = text.find(|c| !bare(c)).unwrap_or(text.len());
    if end == 0 { Err("lacks a key") } else { Ok((text[..end].to_string(), &text[end..])) }
}

fn into_table<'a>(
    table: &mut DeTable<'a>,
    steps: &[Step],
    change: Change<'_, 'a>,
    spot: &Range<usize>,
    walked: &str,
) -> Result<(), String> {
    let [Step::Key(key), rest @ ..] = steps else {
        return Err(format!("`{walked}` is a table and has no numbers"));
    };
    let spanned_key = || Spanned::new(spot.clone(), Cow::Owned(key.clone()));
    if rest.is_empty() {
        match change {
            Change::Set(value, at) => {
                table.insert(spanned_key(), Spanned::new(at.clone(), value.clone()));
            }
            Change::Unset => drop(table.remove(key.as_str())),
        }
        return Ok(());
    }
    if !table.contains_key(key.as_str()) {
        if matches!(change, Change::Unset) {
            return Ok(());
        }
        let empty = DeValue::Table(DeTable::new());
        table.insert(spanned_key(), Spanned::new(spot.clone(), empty));
    }
    let next = table.get_mut(key.as_str()).expect("the table was made if it was missing");
    let dot = if walked.is_empty() { "" } else { "." };
    into_value(next.get_mut(), rest, change, spot, &format!("{walked}{dot}{key}"))
}

fn into_value<'a>(
    value: &mut DeValue<'a>,
    steps: &[Step],
    change: Change<'_, 'a>,
    spot: &Range<usize>,
    walked: &str,
) -> Result<(), String> {
    let kind = value.type_str();
    let members = match value {
        DeValue::Table(table) => return into_table(table, steps, change, spot, walked),
        DeValue::Array(members) => members,
        _ => return Err(format!("`{walked}` is {} and has no keys", article(kind))),
    };
    let count = members.iter().count();
    let (chosen, rest) = match &steps[0] {
        Step::Index(index) if *index >= count => {
            return Err(format!("there is no `{walked}[{index}]`: the first of {count} is [0]"));
        }
        Step::Index(index) => (Some(*index), &steps[1..]),
        Step::Key(name) => match members.iter().position(|member| is_called(member, name)) {
            Some(index) => (Some(index), &steps[1..]),
            None => (None, steps),
        },
    };
    if rest.is_empty() {
        return Err(format!("the path must end in a key of `{walked}`, not in one of its members"));
    }
    let all = members.iter_mut().enumerate();
    for (index, member) in all.filter(|(index, _)| chosen.is_none_or(|chosen| chosen == *index)) {
        into_value(member.get_mut(), rest, change, spot, &format!("{walked}[{index}]"))?;
    }
    Ok(())
}

/// Whether a member of an array is a table with this `name`.
fn is_called(member: &Spanned<DeValue<'_>>, name: &str) -> bool {
    let table = member.get_ref().as_table();
    let own = table.and_then(|table| table.get("name")).and_then(|value| value.get_ref().as_str());
    own == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "host = 1\n[[vm]]\nname = \"a b\"\nload = { rate = 1 }\n[[vm]]\nload = { rate = 2 }\n[other]\nx = 5\n";

    /// Sets the path to 7 in [`FILE`]; the tree in short, or why not.
    fn set(path: &str) -> Result<String, String> {
        let mut tree = DeTable::parse(FILE).unwrap().into_inner();
        let seven = DeValue::parse("7").unwrap();
        let path = KeyPath::parse(path).map_err(str::to_string)?;
        path.apply(&mut tree, Change::Set(seven.get_ref(), &seven.span()), &(0..0))?;
        Ok(short(&DeValue::Table(tree)))
    }

    fn short(value: &DeValue<'_>) -> String {
        match value {
            DeValue::Table(table) => {
                let entries = table
                    .iter()
                    .map(|(key, value)| format!("{}={}", key.get_ref(), short(value.get_ref())));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
            DeValue::Array(all) => {
                all.iter().map(|value| short(value.get_ref())).collect::<Vec<_>>().join(",")
            }
            DeValue::Integer(number) => number.to_string(),
            other => other.as_str().unwrap_or("?").to_string(),
        }
    }

    #[test]
    fn a_path_means_all_members_unless_it_says_which() {
        let file = |a, b, x| {
            format!(
                "{{host=1 other={{x={x}}} vm={{load={{rate={a}}} name=a b}},{{load={{rate={b}}}}}}}"
            )
        };
        assert_eq!(set("vm.load.rate"), Ok(file(7, 7, 5)));
        assert_eq!(set("vm[1].load.rate"), Ok(file(1, 7, 5)));
        assert_eq!(set("vm.\"a b\".load.rate"), Ok(file(7, 2, 5)));
        assert_eq!(set("other.x"), Ok(file(1, 2, 7)));
        assert!(set("new.deep.key").unwrap().contains("new={deep={key=7}}"));
    }

    #[test]
    fn what_stands_in_the_way_is_told() {
        assert_eq!(set("host.model").unwrap_err(), "`host` is an integer and has no keys");
        assert_eq!(set("vm[2].x").unwrap_err(), "there is no `vm[2]`: the first of 2 is [0]");
        assert!(set("vm[0]").unwrap_err().starts_with("the path must end in a key of `vm`"));
        assert_eq!(set("other[0].x").unwrap_err(), "`other` is a table and has no numbers");
        assert_eq!(set("vm[0.x").unwrap_err(), "lacks a closing bracket");
        assert_eq!(set("vm[-1].x").unwrap_err(), "has an index that is not a number");
        assert_eq!(set("").unwrap_err(), "lacks a key");
        assert_eq!(set("vm. x").unwrap_err(), "lacks a key");
        assert_eq!(set("vm x").unwrap_err(), "has something other than a dot between two keys");
    }
}
