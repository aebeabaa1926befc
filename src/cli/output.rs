//! Standard output and standard error, for all commands.
//!
//! Nothing else in the program prints, but for errors (`failure`). Whatever a text from outside slipped
//! into what is printed, only colours pass.

use super::Failure;
use crate::report::{Width, broken, wrap};
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

/// The text with its prose no wider than the terminal: lines that are too long break at blanks, later
/// parts indented. Drawings stay, and so do command lines, which are copied.
pub(super) fn fitted(text: &str) -> String {
    const COMMANDS: [&str; 6] = ["esxcli", "nvidia-smi", "sudo", "virsh", "echo", "#"];
    let Some(columns) = columns() else { return text.to_string() };
    let is_drawn = |line: &str| line.contains(['│', '─', '░', '┼', '|']);
    let is_command = |line: &str| COMMANDS.iter().any(|word| line.trim_start().starts_with(word));
    let lines = text.split_inclusive('\n').map(|line| {
        if line.trim_end().chars().count() <= columns || is_drawn(line) || is_command(line) {
            return line.to_string();
        }
        let indent = " ".repeat(line.len() - line.trim_start().len());
        let room = columns.max(30) - indent.len().min(20);
        let wrapped = lines_of(line.trim(), room);
        wrapped.iter().map(|part| format!("{indent}{part}\n")).collect()
    });
    lines.collect()
}

/// The words of a text in lines of so many letters, later ones indented; a longer word is broken.
pub(super) fn lines_of(text: &str, room: usize) -> Vec<String> {
    const INDENT: &str = "    ";
    let text = broken(&wrap(text, room, INDENT), room, INDENT);
    text.lines().map(str::to_string).collect()
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
