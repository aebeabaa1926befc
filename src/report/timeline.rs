//! The answer of `slicewise trace`: the trace for Perfetto, the drawing, the table.

use super::files::made;
use super::parts::{File, Part, Report};
use super::width::Width;
use super::{charts, table, trace_events};
use crate::study::TimelineResults;

impl Report for TimelineResults {
    fn document(&self) -> anyhow::Result<String> {
        trace_events::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render_timeline(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let drawing = ("timeline".to_string(), charts::timeline_figure(self));
        let parts = [Part::Document("timeline"), Part::Table("table"), Part::Charts(vec![drawing])];
        made(self, &parts)
    }
}
