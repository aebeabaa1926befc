//! How a text is laid out: how wide it may be, in a file or on a terminal, and whether rows that are
//! alike are one.

use super::number::{broken, lines_of, wrap};

/// How wide a text may be, and how many rows it may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Width {
    /// Most characters in a line of running text.
    text: usize,
    /// Most characters in a line of a table.
    pub(super) table: usize,
    /// Columns of the terminal; nothing where nobody counts them.
    terminal: Option<usize>,
    /// Every VM and every point has a row of its own.
    each: bool,
}

impl Width {
    /// For files: running text at a readable width, tables at full width.
    pub const FILE: Self = Self { text: 104, table: usize::MAX, terminal: None, each: false };

    /// For a terminal of `columns` columns; fewer than 30 count as 30.
    pub fn columns(columns: usize) -> Self {
        let terminal = Some(columns);
        let columns = columns.max(30);
        Self { text: columns.min(Self::FILE.text), table: columns, terminal, each: false }
    }

    /// The same, with a row for each VM and each point, however many there are; otherwise VMs that are
    /// alike are one row, and of very many rows the worst are shown.
    pub fn with_each(self, each: bool) -> Self {
        Self { each, ..self }
    }

    /// Whether every VM and every point has a row of its own.
    pub(super) fn shows_each(self) -> bool {
        self.each
    }

    /// The columns of the terminal, however few; nothing where there is no terminal.
    pub(super) fn terminal(self) -> Option<usize> {
        self.terminal
    }

    /// The text with its prose no wider than the terminal: lines that are too long are wrapped at
    /// spaces, later parts indented. Drawings are not wrapped, nor are command lines, which users
    /// copy.
    pub fn fitted(self, text: &str) -> String {
        const COMMANDS: [&str; 6] = ["esxcli", "nvidia-smi", "sudo", "virsh", "echo", "#"];
        let Some(columns) = self.terminal else { return text.to_string() };
        let is_drawn = |line: &str| line.contains(['│', '─', '░', '┼', '|']);
        let is_command =
            |line: &str| COMMANDS.iter().any(|word| line.trim_start().starts_with(word));
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

    /// A line of a list, its last line ended; later lines are indented.
    pub(super) fn item(self, text: &str) -> String {
        wrap(text, self.text, "  ") + "\n"
    }

    /// Lines of a list, each after the same word.
    pub(super) fn items<'l>(
        self,
        word: &str,
        lines: impl IntoIterator<Item = &'l String>,
    ) -> String {
        lines.into_iter().map(|line| self.item(&format!("{word}: {line}"))).collect()
    }

    /// A line so many steps of two blanks in, later lines one more.
    pub(super) fn indented(self, steps: usize, text: &str) -> String {
        let (indent, more) = ("  ".repeat(steps), "  ".repeat(steps + 1));
        format!("{indent}{}\n", wrap(text, self.text - indent.len(), &more))
    }

    /// Lines under a head; nothing where there are none.
    pub(super) fn under(self, head: &str, lines: String) -> String {
        if lines.is_empty() { lines } else { self.lines(head) + &lines }
    }

    /// Running text, its last line ended.
    pub(super) fn said(self, text: &str) -> String {
        wrap(text, self.text, "") + "\n"
    }

    /// A paragraph, its last line ended; words longer than a line are broken.
    pub(crate) fn lines(self, text: &str) -> String {
        broken(&wrap(text, self.text, ""), self.text, "") + "\n"
    }
}
