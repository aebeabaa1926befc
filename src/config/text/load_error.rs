//! The error of reading files that have faults or cannot be read.

use super::diagnostic::Diagnostic;
use crate::shown::shown_lines;
use std::fmt;

/// Why there is no scenario.
#[derive(Debug)]
pub enum LoadError {
    /// The user's files have faults: all of them, in order of file and place. Exit code 2.
    Invalid(Vec<Diagnostic>),
    /// The environment failed, as when a file is missing. Exit code 1.
    World(anyhow::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::World(error) => f.write_str(&shown_lines(&format!("{error:#}"))),
            LoadError::Invalid(all) => {
                let all: Vec<_> = all.iter().map(|diagnostic| diagnostic.render(false)).collect();
                f.write_str(&all.join("\n\n"))
            }
        }
    }
}

impl std::error::Error for LoadError {}
