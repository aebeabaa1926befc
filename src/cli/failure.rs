//! `Failure`: why a command failed, its message, and the exit code.
//!
//! A bug in the program itself is not a failure: it panics.

use crate::config::{Diagnostic, LoadError};
use crate::report::FolderError;
use crate::shown::{painted, shown_lines};
use crate::units::counted;
use std::process::ExitCode;

/// Why a command failed.
pub enum Failure {
    /// The input has mistakes; each is shown with its place.
    Invalid(Vec<Diagnostic>),
    /// The command line asks for something impossible: one lower-case sentence.
    Usage(String),
    /// A sweep is done, and some of its points could not be simulated.
    Points {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// A run is INVALID, under `--fail-on-invalid`; the results were written.
    NotValid {
        /// How many runs or systems.
        invalid: usize,
        /// Of how many.
        all: usize,
    },
    /// The answer to a question is no; it is on standard output.
    AnsweredNo,
    /// The environment failed: a file cannot be read, a disk is full.
    World(anyhow::Error),
    /// The reader of standard output has closed it, like `head`.
    OutputClosed,
}

impl Failure {
    /// The process's exit code.
    pub fn code(&self) -> ExitCode {
        match self {
            Failure::OutputClosed => ExitCode::SUCCESS,
            Failure::World(_) => ExitCode::from(1),
            Failure::Invalid(_) | Failure::Usage(_) => ExitCode::from(2),
            Failure::Points { .. } => ExitCode::from(3),
            Failure::AnsweredNo | Failure::NotValid { .. } => ExitCode::from(4),
        }
    }

    /// Prints it on standard error.
    pub fn print(&self) {
        match self {
            Failure::Invalid(diagnostics) => {
                let stderr = std::io::stderr();
                let colour = anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
                for diagnostic in diagnostics {
                    tell(diagnostic.render(colour).trim_end());
                }
            }
            Failure::Usage(message) => tell_error(message),
            Failure::Points { failed, all } => {
                let all = counted(all, "point");
                tell_error(&format!("{failed} of {all} could not be simulated"));
            }
            Failure::NotValid { invalid, all } => {
                tell_error(&format!("{invalid} of {all} INVALID"))
            }
            Failure::World(error) => tell_error(&format!("{error:#}")),
            Failure::AnsweredNo | Failure::OutputClosed => {}
        }
    }
}

fn tell_error(message: &str) {
    tell(&format!("\u{1b}[1;31merror\u{1b}[0m: {}", shown_lines(message)));
}

/// A line on standard error, colours only where they show; nobody is left to tell if it is closed.
fn tell(line: &str) {
    use std::io::Write;
    let _ = writeln!(anstream::stderr(), "{}", painted(line));
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Invalid(diagnostics) => Failure::Invalid(diagnostics),
            LoadError::World(error) => Failure::World(error),
        }
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Refused(why) => Failure::Usage(why),
            FolderError::World(error) => Failure::World(error),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::World(error)
    }
}
