//! Standard output and standard error, for all commands.
//!
//! Nothing else in the program prints, but for errors (`failure`). Whatever a text from outside slipped
//! into what is printed, only colours pass.

use super::Failure;
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
