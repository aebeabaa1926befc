//! Draws a card cut into GPU instances: a row of memory slices, a row of compute slices below it,
//! and a row of compute instances where a GPU instance is divided.
//!
//! Boxes and shades carry all information; colours are an addition, and are left out where they
//! cannot be shown.

use crate::study::plans::CardDrawing;

/// A cell of a row: from and to which character, its text, its colour as an index.
struct Cell {
    from: usize,
    to: usize,
    text: String,
    colour: Option<usize>,
    is_stranded: bool,
}

/// What stands before each row.
const LABEL: usize = 9;

/// Foreground colours by instance, readable on light and dark: blue, green, magenta, cyan, yellow, red.
const COLOURS: [u8; 6] = [34, 32, 35, 36, 33, 31];

/// The drawing of one card, `columns` columns wide.
pub(super) fn card(drawing: &CardDrawing<'_>, columns: usize) -> String {
    let CardDrawing { geometry, layout, inside, rest } = drawing;
    // A column's inner width, so that twelve of them stay within 80 characters; less where there are
    // fewer, down to one that still holds a number.
    let most = if geometry.memory_slices > 8 { 4 } else { 7 };
    let room = columns.saturating_sub(LABEL + 1) / geometry.memory_slices.max(1) as usize;
    let width = room.saturating_sub(1).clamp(2, most);
    let column = |slice: u32| slice as usize * (width + 1);
    let span = |from: u32, size: u32| (column(from), column(from + size));
    let step = geometry.memory_slices / geometry.compute_slices.max(1);
    let compute_span = |from: u32, size: u32| span(from * step.max(1), size * step.max(1));

    let mut memory = Vec::new();
    let mut compute = Vec::new();
    let mut divided = Vec::new();
    let mut order: Vec<usize> = (0..layout.len()).collect();
    order.sort_by_key(|&index| layout[index].1);
    for (number, &index) in order.iter().enumerate() {
        let at = layout[index];
        let profile = &geometry.profiles[at.0];
        let (from, to) = span(at.1, profile.memory_slices);
        let colour = Some(number);
        let text = shortened(&profile.name, to - from - 1);
        memory.push(Cell { from, to, text, colour, is_stranded: false });
        let (first, slices) = geometry.compute_span(at);
        let (from, to) = compute_span(first, slices);
        let text = match profile.sms {
            Some(sms) if format!("{sms} SMs").len() < to - from => format!("{sms} SMs"),
            Some(sms) if sms.to_string().len() < to - from => sms.to_string(),
            _ => format!("{slices}"),
        };
        compute.push(Cell { from, to, text, colour, is_stranded: false });
        let mut first = first;
        for &slices in inside.get(index).into_iter().flatten() {
            let (from, to) = compute_span(first, slices);
            let text = format!("{slices}c");
            divided.push(Cell { from, to, text, colour, is_stranded: false });
            first += slices;
        }
    }
    fill(&mut memory, geometry.memory_slices, &|slice| span(slice, 1), &rest.stranded_memory);
    let unit = |slice| compute_span(slice, 1);
    fill(&mut compute, geometry.compute_slices, &unit, &rest.stranded_compute);
    let numbers: String =
        (0..geometry.memory_slices).map(|slice| format!(" {slice:^width$}")).collect();
    let mut text = format!("{:LABEL$}{}\n", "slice", numbers.trim_end());
    let mut rows = vec![("memory", memory), ("compute", compute)];
    if !divided.is_empty() {
        rows.push(("CIs", divided));
    }
    for index in 0..=rows.len() {
        let above = index.checked_sub(1).map(|above| &rows[above].1[..]);
        let below = rows.get(index).map(|(_, cells)| &cells[..]);
        text.push_str(&format!("{:LABEL$}{}\n", "", line(above, below)));
        if let Some((name, cells)) = rows.get(index) {
            text.push_str(&format!("{name:LABEL$}{}\n", row(cells)));
        }
    }
    text
}

/// Adds a cell for each slice that no instance covers.
fn fill(
    cells: &mut Vec<Cell>,
    slices: u32,
    span: &dyn Fn(u32) -> (usize, usize),
    stranded: &[u32],
) {
    for slice in 0..slices {
        let (from, to) = span(slice);
        if !cells.iter().any(|cell| cell.from < to && from < cell.to) {
            let is_stranded = stranded.contains(&slice);
            let text = if is_stranded { "░".repeat(to - from - 1) } else { String::new() };
            cells.push(Cell { from, to, text, colour: None, is_stranded });
        }
    }
    cells.sort_by_key(|cell| cell.from);
}

/// A name that fits: `1g.10gb+me` becomes `1g+me` in a narrow cell.
fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_string();
    }
    let (size, variant) = name.split_at(name.find(['+', '-']).unwrap_or(name.len()));
    let short = format!("{}{variant}", size.split('.').next().unwrap_or(size));
    short.chars().take(width).collect()
}

/// The texts of a row between upright lines.
fn row(cells: &[Cell]) -> String {
    let mut text = String::new();
    let mut at = 0;
    for cell in cells {
        if cell.from >= at {
            text.push_str(&" ".repeat(cell.from - at));
            text.push('│');
        }
        let width = cell.to - cell.from - 1;
        let inner = format!("{:^width$}", cell.text);
        match cell.colour {
            Some(colour) => {
                let colour = COLOURS[colour % COLOURS.len()];
                text.push_str(&format!("\u{1b}[{colour}m{inner}\u{1b}[0m"));
            }
            None if cell.is_stranded => text.push_str(&format!("\u{1b}[2m{inner}\u{1b}[0m")),
            None => text.push_str(&inner),
        }
        text.push('│');
        at = cell.to + 1;
    }
    text
}

/// The line between two rows, with the corners and crossings their cells make.
fn line(above: Option<&[Cell]>, below: Option<&[Cell]>) -> String {
    let rows = || above.into_iter().chain(below);
    let end = rows().flatten().map(|cell| cell.to).max().unwrap_or(0);
    let upright = |row: Option<&[Cell]>, at: usize| {
        row.is_some_and(|cells| cells.iter().any(|cell| cell.from == at || cell.to == at))
    };
    let flat = |at: usize| rows().flatten().any(|cell| cell.from <= at && at < cell.to);
    let corner = |at: usize| {
        let sides =
            (upright(above, at), upright(below, at), at.checked_sub(1).is_some_and(flat), flat(at));
        match sides {
            (true, true, true, true) => '┼',
            (true, true, false, true) => '├',
            (true, true, true, false) => '┤',
            (true, true, false, false) => '│',
            (false, true, true, true) => '┬',
            (false, true, false, true) => '┌',
            (false, true, true, false) => '┐',
            (true, false, true, true) => '┴',
            (true, false, false, true) => '└',
            (true, false, true, false) => '┘',
            (_, _, true, _) | (_, _, _, true) => '─',
            _ => ' ',
        }
    };
    (0..=end).map(corner).collect::<String>().trim_end().to_string()
}
