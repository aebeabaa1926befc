//! Standard output and standard error, for all commands.
//!
//! Nothing else in the program prints, but for errors (`failure`). Whatever a text from outside slipped
//! into what is printed, only colours pass.

use super::failure::Failure;
use crate::report::{Report, Width};
use crate::shown::painted;
use anyhow::Context;
use std::io::{ErrorKind, Read, Write};

/// Writes data to standard output, without colours where they would not show.
pub(super) fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    match stdout.write_all(painted(text).as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::OutputClosed),
        other => Ok(other.context("cannot write to standard output")?),
    }
}

/// Copies data to standard output.
pub(super) fn copy(mut data: impl Read) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    match std::io::copy(&mut data, &mut stdout).and_then(|_| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::OutputClosed),
        other => Ok(other.context("cannot write to standard output")?),
    }
}

/// Writes a message to standard error; one that cannot be shown is not worth failing for.
pub(super) fn message(line: &str) {
    let _ = writeln!(anstream::stderr(), "{}", painted(line));
}

/// Prints an answer: the document for programs, or the text.
pub(super) fn answer(answer: &dyn Report, json: bool) -> Result<(), Failure> {
    data(&if json { answer.document()? } else { answer.table(width()) })
}

/// Whether standard output is a file: what is written there is read by programs again, and stays as it is.
pub(super) fn goes_to_a_file() -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let stdout = std::io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
        stdout.and_then(|file| file.metadata()).is_ok_and(|data| data.is_file())
    }
    #[cfg(not(unix))]
    false
}

/// How wide a text for standard output may be: `COLUMNS` where it is set, else the terminal's; what goes
/// elsewhere is as wide as in files.
pub(super) fn width() -> Width {
    columns().map_or(Width::FILE, Width::columns)
}

/// The columns that there are; nothing where nobody counts them.
pub(super) fn columns() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal = || {
        terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
    };
    said.filter(|columns| *columns > 0).or_else(of_terminal)
}
