//! `Fact`: a number about the world with its passport, so that no report has to be believed.
//!
//! It does not judge the number; `config` refuses one without a source.

use serde::Serialize;

/// How a number came to be known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Printed by the vendor.
    Documented,
    /// Measured by somebody, and published.
    Measured,
    /// Fitted to published runs; which ones, [`Fact::fitted_on`] lists.
    Fitted,
    /// Assumed for want of a publication.
    Assumed,
}

impl Standing {
    /// Every standing with the word files use.
    pub const ALL: [(&'static str, Standing); 4] = [
        ("documented", Standing::Documented),
        ("measured", Standing::Measured),
        ("fitted", Standing::Fitted),
        ("assumed", Standing::Assumed),
    ];

    /// The word files and reports use.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, standing)| *standing == self)
            .expect("ALL lists every standing")
            .0
    }
}

/// A number about the world with its source and standing.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact<T> {
    /// The number.
    pub value: T,
    /// Title and place of publication, or the reason of an assumption.
    pub source: String,
    /// How it came to be known.
    pub standing: Standing,
    /// For a fitted number, the published runs it was fitted on, as `<system> <benchmark> <scenario>`.
    pub fitted_on: Vec<String>,
    /// For a fitted number, how far those runs are still off with it: root mean square of the
    /// relative errors of their figures, where a fit said it.
    pub residual: Option<f64>,
}
