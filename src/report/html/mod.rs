//! `report.html`: an answer as one page that needs nothing beside it, for people who were not there.
//!
//! ```text
//!  markup ─► table, figure ─► page ─► rows ─► times, sure ─► run
//!                                 └──► sweep, capacity, vms, plan, validation
//! ```
//!
//! `page` has the frame that all pages have; one file for each kind of answer has its sections. No page
//! asks for anything from outside, and none runs a script: all of it is read as it is, on a screen,
//! on paper, and by programs, which find the document of the answer at its end.

mod capacity;
mod figure;
mod markup;
mod operations;
mod page;
mod plan;
mod rows;
mod run;
mod sure;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod times;
mod validation;
mod vms;

use super::parts::File;
use crate::study::RunWindow;

/// The file's name in the output folder.
pub const PAGE: &str = "report.html";

/// How an answer was made: what a reader needs to make it again.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// The command as it was typed, for a shell.
    pub command: String,
    /// The files that the user wrote, as they were read: name and text.
    pub files: Vec<(String, String)>,
    /// The entries of the built-in catalogue that were used, such as `gpus/a30`.
    pub built_in: Vec<String>,
    /// A short time of a run, with the whole command that records it; nothing where none is shown.
    pub window: Option<RunWindow>,
}

/// An answer that can be a page.
pub trait WebPage {
    /// The page. The same answer, made in the same way, gives the same bytes. Errors if a chart cannot be
    /// drawn.
    fn web_page(&self, made: &Made) -> anyhow::Result<File>;
}

/// Answers that have sections are pages.
macro_rules! pages {
    ($($answer:ty),*) => {
        $(impl WebPage for $answer {
            fn web_page(&self, made: &Made) -> anyhow::Result<File> {
                page::of(self, made)
            }
        })*
    };
}

pages!(
    crate::study::Results,
    crate::study::SweepResults,
    crate::study::CapacityResults,
    crate::study::VmResults,
    crate::study::PlanResults,
    crate::study::ValidationResults
);
