//! Standard output and standard error, for all commands.
//!
//! Nothing else in the program prints, except errors (`failure`). Of control characters in the
//! printed text, only colours pass.

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

/// Writes a message to standard error; a failure to write it is ignored.
pub(super) fn message(line: &str) {
    let _ = writeln!(anstream::stderr(), "{}", painted(line));
}

/// Prints an answer: the document for programs, or the text.
pub(super) fn answer(answer: &dyn Report, json: bool) -> Result<(), Failure> {
    data(&if json { answer.document()? } else { answer.table(width()) })
}

/// Whether standard output is a file: programs may read it again, so the text is not wrapped.
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

/// How wide a text for standard output may be: `COLUMNS` where it is set, else the terminal's
/// width; if it is not a terminal, the width of files.
pub(super) fn width() -> Width {
    columns().map_or(Width::FILE, Width::columns)
}

/// The number of columns; nothing where it is not a terminal.
pub(super) fn columns() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal = || {
        terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
    };
    said.filter(|columns| *columns > 0).or_else(of_terminal)
}
