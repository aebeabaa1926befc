//! The horizontal axis of panels: numbers, or words side by side.

use super::super::number::plain;
use super::figure::{Align, Figure};
use super::scale::Scale;
use super::style::{self, row, size, stroke};
use crate::spec::ParameterValue;

/// Left of every plane, and its right where lines have names and where they need none.
pub(super) const LEFT: f64 = 130.0;
const RIGHT_NAMED: f64 = 830.0;
const RIGHT: f64 = 980.0;
/// Most rows of a word.
const WORD_ROWS: usize = 6;

/// The horizontal axis.
pub(super) struct XAxis {
    label: String,
    values: Vec<ParameterValue>,
    /// Its right end, in pixels.
    right: f64,
}

impl XAxis {
    /// The axis; `named` leaves room for the names of lines.
    pub(super) fn new(label: String, values: Vec<ParameterValue>, named: bool) -> Self {
        Self { label, values, right: if named { RIGHT_NAMED } else { RIGHT } }
    }

    /// Its ends in a plane of the whole width.
    pub(super) fn ends(&self) -> (f64, f64) {
        (LEFT, self.right)
    }

    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether all values are numbers; words stand side by side.
    pub(super) fn has_measure(&self) -> bool {
        self.values.iter().all(|value| value.number.is_some())
    }

    /// What stands below it.
    pub(super) fn label(&self) -> String {
        match self.label.as_str() {
            "" => String::new(),
            label if self.has_measure() => self.scale((0.0, 1.0)).unit(label),
            label => label.to_string(),
        }
    }

    /// The same where values stand in their order, whatever the steps between them.
    pub(super) fn label_in_order(&self) -> String {
        self.label.clone()
    }

    /// A value as text.
    pub(super) fn text(&self, index: usize) -> String {
        let value = &self.values[index];
        value.number.map_or(value.text.clone(), plain)
    }

    /// Where the value stands between these ends, in pixels.
    pub(super) fn place(&self, index: usize, (left, right): (f64, f64)) -> f64 {
        if !self.has_measure() {
            let step = (right - left) / self.values.len() as f64;
            return left + step * (index as f64 + 0.5);
        }
        let number = self.values[index].number.unwrap_or(0.0);
        self.scale((left, right)).place(number)
    }

    fn scale(&self, (left, right): (f64, f64)) -> Scale {
        let values: Vec<f64> = self.values.iter().filter_map(|value| value.number).collect();
        let air = (0.04 * (right - left)).min(30.0);
        scale(&values, (left + air, right - air))
    }

    /// The values as they are written below the axis, long words in rows; a number without text is not
    /// written.
    fn rows(&self, (left, right): (f64, f64)) -> Vec<Vec<String>> {
        if self.has_measure() {
            let values = self.values.iter();
            let written = values.map(|value| value.number.filter(|_| !value.text.is_empty()));
            return written.map(|number| number.into_iter().map(plain).collect()).collect();
        }
        let room = (right - left) / self.values.len() as f64 - 8.0;
        let texts: Vec<&str> = self.values.iter().map(|value| value.text.as_str()).collect();
        style::names(&texts, WORD_ROWS, room.max(40.0), false)
    }

    /// Writes the values side by side in their order, whatever the steps between them.
    pub(super) fn write_in_order(&self, figure: &mut Figure, ends: (f64, f64)) {
        let texts =
            (0..self.len()).map(|index| ParameterValue { text: self.text(index), number: None });
        let words = Self { label: String::new(), values: texts.collect(), right: self.right };
        words.write(figure, ends);
    }

    /// Writes the values below the axis, as many as there is room for, and makes room for them.
    pub(super) fn write(&self, figure: &mut Figure, ends: (f64, f64)) {
        let (bottom, mut free_from, mut most) = (figure.height, f64::NEG_INFINITY, 0);
        for (index, rows) in self.rows(ends).iter().enumerate().filter(|(_, rows)| !rows.is_empty())
        {
            let at = self.place(index, ends);
            figure.line(&[(at, bottom), (at, bottom + 8.0)], stroke::AXIS, style::QUIET);
            let widths = rows.iter().map(|row| style::width_of(row, size::TEXT, false));
            let half = widths.fold(0.0, f64::max) / 2.0 + 4.0;
            // A small plane has others beside it.
            let (left, right) = (ends.0 - 15.0 + half, ends.1 + 15.0 - half);
            let at = if ends != self.ends() && left < right { at.clamp(left, right) } else { at };
            if at - half < free_from {
                continue;
            }
            free_from = at + half;
            for (row, text) in rows.iter().enumerate() {
                let at = (at, bottom + 26.0 + row::TEXT * row as f64);
                figure.text(at, text, Align::Middle, style::QUIET);
            }
            most = most.max(rows.len());
        }
        figure.height += 14.0 + row::TEXT * most as f64;
    }
}

/// The axis of what varies: logarithmic where that keeps close values further apart, like 1, 2, 4, 8.
fn scale(values: &[f64], inside: (f64, f64)) -> Scale {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let closest = |scale: Scale| {
        let places: Vec<f64> = sorted.iter().map(|value| scale.place(*value)).collect();
        places.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min)
    };
    if low >= high {
        return Scale::linear(low - 1.0, high + 1.0, inside);
    }
    let linear = Scale::linear(low, high, inside);
    if low <= 0.0 {
        return linear;
    }
    let logarithmic = Scale::logarithmic(low, high, inside);
    if closest(logarithmic) > 1.01 * closest(linear) { logarithmic } else { linear }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_grow_by_factors_get_a_logarithmic_axis() {
        let places = |values: &[f64]| {
            let scale = scale(values, (0.0, 100.0));
            values.iter().map(|value| scale.place(*value).round()).collect::<Vec<_>>()
        };
        assert_eq!(places(&[1.0, 10.0, 100.0]), [0.0, 50.0, 100.0]);
        assert_eq!(places(&[1.0, 2.0, 3.0, 4.0, 5.0]), [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(places(&[0.0, 5.0, 10.0]), [0.0, 50.0, 100.0]);
        assert_eq!(places(&[7.0]), [50.0]);
    }
}
