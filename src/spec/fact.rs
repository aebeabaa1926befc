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
    /// Written by the user, of hardware or a model of their own.
    Yours,
}

impl Standing {
    /// Every standing with the word files use.
    pub const ALL: [(&'static str, Standing); 5] = [
        ("documented", Standing::Documented),
        ("measured", Standing::Measured),
        ("fitted", Standing::Fitted),
        ("assumed", Standing::Assumed),
        ("yours", Standing::Yours),
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
    /// What it may be as well, from and to: what nothing measured leaves open. Nothing where the file
    /// states none.
    pub range: Option<[T; 2]>,
}

impl<T> Fact<T> {
    /// A number for want of a publication; `source` says why this one.
    pub fn assumed(value: T, source: impl Into<String>) -> Self {
        let (source, standing) = (source.into(), Standing::Assumed);
        Self { value, source, standing, fitted_on: Vec::new(), residual: None, range: None }
    }

    /// A number of the user's own.
    pub fn yours(value: T) -> Self {
        Self { standing: Standing::Yours, ..Self::assumed(value, "yours") }
    }

    /// A number fitted on these runs, with nothing said of how far they are off.
    pub fn fitted(value: T, source: impl Into<String>, fitted_on: &[String]) -> Self {
        let (source, standing) = (source.into(), Standing::Fitted);
        Self { value, source, standing, fitted_on: fitted_on.to_vec(), residual: None, range: None }
    }
}
