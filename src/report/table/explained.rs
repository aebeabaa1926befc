//! An explanation as text: by part, a paragraph for each group of VMs and each GPU.

use super::{Width, page};
use crate::study::{About, Explained, ExplainedRun, Part, Sentence};
use crate::units::counted;

/// The whole text.
pub fn render_explained(explained: &Explained, width: Width) -> String {
    let mut blocks = vec![width.lines(&explained.head.title)];
    for run in &explained.runs {
        if explained.runs.len() > 1 {
            blocks.push(width.lines(&format!("{} on {}", run.name, run.platform)));
        }
        blocks.extend(Part::ALL.map(|(part, head)| of_part(run, part, head, width)));
    }
    page(blocks)
}

fn of_part(run: &ExplainedRun, part: Part, head: &str, width: Width) -> String {
    let mut paragraphs: Vec<(&About, Vec<&Sentence>)> = Vec::new();
    for sentence in run.sentences.iter().filter(|one| one.part == part) {
        match paragraphs.iter_mut().find(|(about, _)| **about == sentence.about) {
            Some((_, all)) => all.push(sentence),
            None => paragraphs.push((&sentence.about, vec![sentence])),
        }
    }
    let told = paragraphs.into_iter().map(|(about, all)| match part {
        // Advice is a list.
        Part::Change => all.iter().map(|one| width.indented(1, &one.text)).collect(),
        _ => {
            let all: Vec<&str> = all.iter().map(|one| one.text.as_str()).collect();
            width.indented(1, &format!("{}: {}", subject(about), all.join(" ")))
        }
    });
    let told: Vec<String> = told.collect();
    width.under(head, told.concat())
}

/// `web-1 to web-8 (8 VMs)`.
fn subject(about: &About) -> String {
    match about.vms.len() {
        0 | 1 => about.in_words(),
        count => format!("{} ({})", about.in_words(), counted(count, "VM")),
    }
}
