//! The files of an answer: `answer.json` and the table.

use super::{File, table, written};
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

/// The answer as one JSON document.
pub fn document(answer: &Answer) -> anyhow::Result<String> {
    written::document(&Document { said: table::answer_sentences(answer), answer })
}

/// The files, made in memory, beside those of `texts`, name and content. The same answer gives the same bytes.
pub fn files(answer: &Answer, texts: &[(String, String)]) -> anyhow::Result<Vec<File>> {
    let texts = texts.iter().map(|(name, text)| File::new(name, text.as_str()));
    let mut files: Vec<File> = texts.collect();
    files.push(File::new("answer.json", document(answer)?));
    files.push(File::new("table.txt", table::render_answer(answer, table::Width::FILE)));
    Ok(files)
}
