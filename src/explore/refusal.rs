//! Why a request is not answered.

use serde::Serialize;

/// What was found, and what is allowed.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Refusal {
    /// Whether what was asked for is not there; else it is wrong.
    #[serde(skip)]
    pub is_missing: bool,
    /// What was found.
    pub error: String,
    /// What is allowed.
    pub allowed: String,
}

impl Refusal {
    /// Something wrong, with what is allowed.
    pub fn of(error: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { is_missing: false, error: error.into(), allowed: allowed.into() }
    }

    pub(super) fn bad(error: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::of(error, allowed)
    }

    pub(super) fn missing(error: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { is_missing: true, ..Self::bad(error, allowed) }
    }
}
