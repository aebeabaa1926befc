//! The answer of `slicewise ask`: `answer.json` and the table.

use super::files::made;
use super::parts::{File, Part, Report};
use super::width::Width;
use super::{table, written};
use crate::study::Answer;
use serde::Serialize;

/// The document: the answer with its sentences before it.
#[derive(Serialize)]
struct Document<'a> {
    /// The answer in words.
    said: Vec<String>,
    #[serde(flatten)]
    answer: &'a Answer,
}

impl Report for Answer {
    fn document(&self) -> anyhow::Result<String> {
        written::document(&Document { said: table::answer_sentences(self), answer: self })
    }

    fn table(&self, width: Width) -> String {
        table::render_answer(self, width)
    }

    fn files(&self) -> anyhow::Result<Vec<File>> {
        made(self, &[Part::Document("answer"), Part::Table("table")])
    }
}
