//! The forms that the value of a key may have: how it is read, what the schema says of it, and what it
//! may be in words.

use super::shape::{self, Shape, either, quantity, whole, word};
use crate::config::text::Value;
use crate::config::text::value::Quantity;
use crate::suggest::quoted;
use serde_json::Value as Json;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::str::FromStr;

type Read<T> = dyn Fn(&Value<'_>) -> Option<T>;

/// The form of a value that is read as a `T`.
pub(crate) struct Form<T> {
    /// Reads it, or reports what is wrong with it.
    pub(crate) read: Box<Read<T>>,
    /// What the schema says of it.
    pub(crate) shape: Box<dyn Fn() -> Shape>,
    /// What it may be, in words, where they say more than the shape.
    pub(crate) range: Option<&'static str>,
    /// A value as a file would write it.
    pub(crate) written: Box<dyn Fn(&T) -> Json>,
}

fn form<T>(
    read: impl Fn(&Value<'_>) -> Option<T> + 'static,
    shape: impl Fn() -> Shape + 'static,
    written: impl Fn(&T) -> Json + 'static,
) -> Form<T> {
    Form { read: Box::new(read), shape: Box::new(shape), range: None, written: Box::new(written) }
}

/// One of several words; `what` names it in a message, such as "idle rule".
pub(crate) fn choice<T: Copy + PartialEq + 'static>(
    what: &'static str,
    words: impl IntoIterator<Item = (&'static str, T)>,
) -> Form<T> {
    let words: Rc<[(&str, T)]> = words.into_iter().collect();
    let (shown, known) = (words.clone(), words.clone());
    form(
        move |value| value.choice(what, &words),
        move || word(shown.iter().map(|(word, _)| *word)),
        move |value| known.iter().find(|(_, one)| one == value).map(|(word, _)| *word).into(),
    )
}

/// A whole number in a range, with the unit that stands behind it in messages, such as " Hz".
pub(crate) fn count<N: Copy + Into<u64> + TryFrom<u64> + 'static>(
    range: RangeInclusive<N>,
    unit: &'static str,
) -> Form<N> {
    let (least, most) = (*range.start(), *range.end());
    form(
        move |value| value.whole(least.into()..=most.into(), unit)?.try_into().ok(),
        move || whole(least..=most),
        |number| Json::from(Into::<u64>::into(*number)),
    )
}

/// `true` or `false`.
pub(crate) fn flag() -> Form<bool> {
    form(|value| value.flag(), shape::flag, |flag| (*flag).into())
}

/// A number in a range, which is taken out of the words for it, such as `1 to 1000 per second`.
pub(crate) fn number(range: &'static str) -> Form<f64> {
    let words: Vec<&str> = range.split(' ').collect();
    let ends = [words[0], words[2]];
    let [least, most] = ends.map(|end| end.parse::<f64>().expect("a range begins with its ends"));
    let json = |end: &str| Json::from_str(end).expect("a number is JSON");
    let read =
        move |value: &Value<'_>| value.number(|number| (least..=most).contains(&number), range);
    let shape =
        move || shape::number().with("minimum", json(ends[0])).with("maximum", json(ends[1]));
    Form { range: Some(range), ..form(read, shape, |number| (*number).into()) }
}

/// A quantity in a range, which is taken out of the words for it: `1 ms to 30 ms`, `0 to 24 h`,
/// `above 0, at most 24 h`. Whatever stands around the range is for people.
pub(crate) fn within<Q: Quantity + PartialOrd + 'static>(range: &'static str) -> Form<Q> {
    let ends = Ends::of(range);
    let read = move |value: &Value<'_>| value.bounded(|found| ends.hold(found), range);
    let form = form(read, quantity::<Q>, |quantity: &Q| quantity.to_string().into());
    Form { range: Some(range), ..form }
}

/// A range of quantities.
struct Ends<Q> {
    least: Q,
    /// Whether the least itself is out of range.
    is_above: bool,
    most: Q,
}

impl<Q: Quantity + PartialOrd> Ends<Q> {
    /// The range that is in the words. Panics where there is none: when the list of keys is made, not
    /// when a file first has the key.
    fn of(range: &str) -> Self {
        let words: Vec<&str> =
            range.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        let place = |wanted: &str| words.iter().position(|word| *word == wanted);
        let end = |number: &str, unit: &str| {
            let end = Q::from_str(&format!("{number} {unit}"));
            end.unwrap_or_else(|error| panic!("{range}: {error}"))
        };
        let to = place("to").or(place("most")).expect("a range has an end");
        let (most, unit) = (words[to + 1], words[to + 2]);
        let above = place("above");
        let least = match above {
            Some(above) => end(words[above + 1], unit),
            // The least may have a unit of its own.
            None if words[to - 1].parse::<f64>().is_ok() => end(words[to - 1], unit),
            None => end(words[to - 2], words[to - 1]),
        };
        Self { least, is_above: above.is_some(), most: end(most, unit) }
    }

    fn hold(&self, found: &Q) -> bool {
        let is_least = if self.is_above { *found > self.least } else { *found >= self.least };
        is_least && *found <= self.most
    }
}

/// One of several words, or a quantity in a range, which says both in words: the value is `made` of the
/// quantity, which is `of` it.
pub(crate) fn word_or<T: Copy + PartialEq + 'static, Q: Quantity + PartialOrd + 'static>(
    words: &'static [(&'static str, T)],
    range: &'static str,
    made: fn(Q) -> T,
    of: fn(&T) -> Option<Q>,
) -> Form<T> {
    let quantities = within::<Q>(range);
    let read = move |value: &Value<'_>| {
        let text = value.is_text().then(|| value.text()).flatten();
        if let Some((_, found)) = words.iter().find(|(word, _)| Some(*word) == text) {
            return Some(*found);
        }
        if let Some(text) = text.filter(|text| !text.starts_with(|one: char| one.is_ascii_digit()))
        {
            value.report(value.wrong(format!("is {}", quoted(text))).allowed(range));
            return None;
        }
        (quantities.read)(value).map(made)
    };
    let shape = move || either([word(words.iter().map(|(word, _)| *word)), quantity::<Q>()]);
    let written = move |value: &T| match of(value) {
        Some(quantity) => quantity.to_string().into(),
        None => words.iter().find(|(_, known)| known == value).map(|(word, _)| *word).into(),
    };
    Form { range: Some(range), ..form(read, shape, written) }
}

/// A value with a reader and a shape of its own.
pub(crate) fn own<T>(
    read: impl Fn(&Value<'_>) -> Option<T> + 'static,
    shape: impl Fn() -> Shape + 'static,
) -> Form<T> {
    form(read, shape, |_| Json::Null)
}

impl<T> Form<T> {
    /// The same, read later, with what else stands in the file.
    pub(crate) fn later(self) -> Form<T> {
        Form { read: Box::new(|_| None), ..self }
    }
}

/// A value of a shape of its own that is read later, with what else stands in the file.
pub(crate) fn later<T>(shape: impl Fn() -> Shape + 'static) -> Form<T> {
    own(|_| None, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Share, SimDuration};

    fn is_in<Q: Quantity + PartialOrd>(range: &str, found: &Q) -> bool {
        Ends::of(range).hold(found)
    }

    #[test]
    fn a_range_is_taken_out_of_its_words() {
        let ms = SimDuration::from_millis;
        for (range, least, below, most) in [
            ("1 ms to 30 ms", ms(1), SimDuration::from_micros(999), ms(30)),
            (
                "0.1 ms to 2 s",
                SimDuration::from_micros(100),
                SimDuration::from_micros(99),
                ms(2000),
            ),
            ("above 0, at most 24 h", SimDuration::from_nanos(1), ms(0), ms(86_400_000)),
            ("none, or a time above 2 to 9 ms; see there", ms(3), ms(2), ms(9)),
        ] {
            assert!(is_in(range, &least) && is_in(range, &most), "{range}");
            assert!(!is_in(range, &below) && !is_in(range, &(most + ms(1))), "{range}");
        }
        let nothing = Share::NONE;
        assert!(is_in("0 to 10 ms", &ms(0)));
        assert!(!is_in("above 0, at most 100 % of a slice", &nothing));
        assert!(is_in("above 0, at most 100 % of a slice", &Share::WHOLE));
    }
}
