//! The answer of `slicewise explain`: the document, one row per figure for spreadsheets, and the text:
//! a paragraph for each group of VMs and each GPU.

use super::files::made;
use super::parts::{File, Part, Report};
use super::sheet::{Row, Sheet};
use super::width::Width;
use super::{table, written};
use crate::study::{Explained, ExplainedRun, Sentence};

impl Report for Explained {
    fn document(&self) -> anyhow::Result<String> {
        written::document(self)
    }

    fn table(&self, width: Width) -> String {
        table::render_explained(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        let parts = [
            Part::Document("explanation"),
            Part::Sheet(Sheet::of_rows("explanation", rows(self))),
            Part::Table("explanation"),
        ];
        made(self, &parts)
    }
}

/// A row for each figure of each sentence.
fn rows(explained: &Explained) -> impl Iterator<Item = Row> {
    let sentences = explained
        .runs
        .iter()
        .flat_map(|run| run.sentences.iter().map(move |sentence| (run, sentence)));
    sentences.flat_map(|(run, sentence)| {
        sentence.figures.iter().map(move |(name, value)| row(run, sentence, name, *value))
    })
}

fn row(run: &ExplainedRun, sentence: &Sentence, name: &str, value: f64) -> Row {
    let gpus: Vec<String> = sentence.about.gpus.iter().map(u16::to_string).collect();
    let mut row = Row::default();
    row.add("run", &run.name);
    row.add("platform", &run.platform);
    row.add("kind", sentence.kind);
    row.add("vms", sentence.about.vms.join("; "));
    row.add("gpus", gpus.join("; "));
    row.add("figure", name);
    row.add("value", value);
    row.add("sentence", &sentence.text);
    row
}
