//! Panels and their lines as data: what `panel` and its ways of drawing show.

use super::scale::Scale;
use crate::study::Interval;

/// One panel with its lines.
pub(super) struct Panel {
    /// Its heading: the measured quantity.
    pub(super) head: String,
    pub(super) series: Vec<Series>,
    /// A bound, and its name.
    pub(super) bound: Option<(f64, String)>,
    /// Formats a value of the vertical axis.
    pub(super) write: fn(f64) -> String,
}

/// A line.
pub(super) struct Series {
    /// Its name; empty for a line that needs none.
    pub(super) name: String,
    /// Its points; a gap where there is none.
    pub(super) places: Vec<Option<Place>>,
}

/// A point of a line.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Index into the values along the axis.
    pub(super) index: usize,
    pub(super) value: Interval,
    /// Whether it is VALID; hollow if not.
    pub(super) valid: bool,
    /// Whether it is marked with a ring.
    pub(super) marked: bool,
}

impl Place {
    /// Whether it can be drawn.
    pub(super) fn shows(&self) -> bool {
        self.value.mean.is_finite() && self.value.mean > 0.0
    }
}

impl Panel {
    /// The points that can be drawn.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Place> {
        let places = self.series.iter().flat_map(|series| &series.places).flatten();
        places.filter(|place| place.shows())
    }

    /// An axis for its values, from the bottom to the top.
    pub(super) fn vertical(&self, at: (f64, f64)) -> Scale {
        let places = self.series.iter().flat_map(|series| &series.places).flatten();
        let values = places.flat_map(|place| {
            let most = place.value.half_width.map(|half| place.value.mean + half);
            [Some(place.value.mean), most]
        });
        let bound = self.bound.iter().map(|(value, _)| *value);
        let values: Vec<f64> =
            values.flatten().chain(bound).filter(|value| value.is_finite()).collect();
        Scale::fitting(&values, at)
    }
}
