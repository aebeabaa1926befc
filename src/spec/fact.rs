//! `Fact`: a number about the world with its source and standing, so that every report can be
//! checked.
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
    /// Assumed, since no publication states it.
    Assumed,
    /// Written by the user, for their own hardware or model.
    Yours,
}

impl Standing {
    /// Every standing with its word in files.
    pub const ALL: [(&'static str, Standing); 5] = [
        ("documented", Standing::Documented),
        ("measured", Standing::Measured),
        ("fitted", Standing::Fitted),
        ("assumed", Standing::Assumed),
        ("yours", Standing::Yours),
    ];

    /// Its word in files and reports.
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
    /// For a fitted number, the remaining error of those runs: root mean square of the relative
    /// errors of their figures, where the fit states it.
    pub residual: Option<f64>,
    /// The range of values that measurements leave possible: low and high end. Nothing where the
    /// file states none.
    pub range: Option<[T; 2]>,
}

impl<T> Fact<T> {
    /// An assumed number; `source` gives the reason for this value.
    pub fn assumed(value: T, source: impl Into<String>) -> Self {
        let (source, standing) = (source.into(), Standing::Assumed);
        Self { value, source, standing, fitted_on: Vec::new(), residual: None, range: None }
    }

    /// A number of the user's own.
    pub fn yours(value: T) -> Self {
        Self { standing: Standing::Yours, ..Self::assumed(value, "yours") }
    }

    /// A number fitted on these runs, without a residual.
    pub fn fitted(value: T, source: impl Into<String>, fitted_on: &[String]) -> Self {
        let (source, standing) = (source.into(), Standing::Fitted);
        Self { value, source, standing, fitted_on: fitted_on.to_vec(), residual: None, range: None }
    }
}
