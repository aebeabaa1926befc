//! `[sweep]`: axes, lines, and the number of replications.
//!
//! It reads the table; values are set in the file in `points`.

use super::axis::{Axis, Line, POINTS_MAX, read_lines, short_axes};
use super::exclusion::{self, Exclusion};
use crate::config::text::{Diagnostic, Reader, SourceFile, Spot};
use crate::units::counted;
use std::sync::Arc;

/// Most VMs in all runs of a sweep: each is a row on disk or a part of one.
pub(crate) const RUNS_MAX: usize = 1_000_000;

/// The table.
#[derive(Debug)]
pub(crate) struct SweepTable<'a> {
    /// The axes; the first is the horizontal axis of charts; empty when there are only lines.
    pub(crate) axes: Vec<Axis<'a>>,
    /// `[[sweep.line]]`.
    pub(crate) lines: Vec<Line<'a>>,
    /// `[[sweep.not_applicable]]`.
    pub(crate) exclusions: Vec<Exclusion>,
    pub(crate) replications: u32,
    /// The place of the table.
    pub(crate) spot: Spot,
}

impl<'a> SweepTable<'a> {
    /// Reads the table; faults are reported.
    pub(crate) fn read(mut table: Reader<'a>) -> Option<Self> {
        let replications = table.get("replications");
        let replications = replications.map(|value| value.count(1..=RUNS_MAX as u32, " runs"));
        let x = table.get("x").map(|value| Axis::read_long(&value));
        let lines = table.get("line").map_or(Some(Vec::new()), |value| read_lines(&value));
        let excluded = table.get("not_applicable").map(|value| exclusion::read(&value));
        let short = short_axes(&mut table, "");
        let spot = table.spot();
        let mut axes = Vec::new();
        for axis in x.into_iter().chain(short) {
            axes.push(axis?);
        }
        let lines = lines?;
        let exclusions = match excluded {
            Some(written) => exclusion::resolve(written, &axes, &lines)?,
            None => Vec::new(),
        };
        let replications = replications.unwrap_or(Some(1))?;
        let found = Self { axes, lines, exclusions, replications, spot: spot.clone() };
        if found.axes.is_empty() && found.lines.is_empty() {
            let diagnostic = Diagnostic::at(&spot, "`sweep` names nothing that varies");
            table.report(diagnostic.help("write for example vm.vcpus = [1, 2, 4, 8]"));
            return None;
        }
        found.is_not_too_large(&table).then_some(found)
    }

    /// A table in which nothing varies.
    pub(crate) fn nothing(file: &Arc<SourceFile>) -> Self {
        let spot = Spot { file: file.clone(), span: 0..0 };
        let (axes, lines, exclusions) = (Vec::new(), Vec::new(), Vec::new());
        Self { axes, lines, exclusions, replications: 1, spot }
    }

    /// How many points there are.
    pub(crate) fn points(&self) -> usize {
        let axes = self.axes.iter().map(|axis| axis.values.len());
        axes.fold(self.lines.len().max(1), usize::saturating_mul)
    }

    /// The fault of a sweep that is too large, with this number of VMs in its points; nothing if it
    /// is not. The products count, since work, memory and disk space depend on them.
    pub(crate) fn too_large(&self, vms: usize) -> Option<Diagnostic> {
        let points = self.points();
        let runs = vms.saturating_mul(self.replications as usize);
        let of = match self.replications {
            1 => counted(points, "point"),
            count => format!("{} x {count} replications", counted(points, "point")),
        };
        let (title, most) = match (vms > POINTS_MAX, runs > RUNS_MAX) {
            (true, _) => (
                format!("the sweep has at least {vms} VMs in its {}", counted(points, "point")),
                POINTS_MAX,
            ),
            (_, true) => {
                (format!("the sweep has at least {runs} VMs in its runs ({of})"), RUNS_MAX)
            }
            _ => return None,
        };
        let what = if vms > POINTS_MAX { "points x VMs" } else { "points x replications x VMs" };
        let help = "list fewer values, use fewer replications, or split the grid into several \
            files";
        Some(
            Diagnostic::at(&self.spot, title)
                .allowed(format!("at most {most} ({what})"))
                .help(help),
        )
    }

    fn is_not_too_large(&self, table: &Reader<'_>) -> bool {
        // A point has one VM at the least.
        let fault = self.too_large(self.points());
        fault.map(|fault| table.report(fault)).is_none()
    }
}
