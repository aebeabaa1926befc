//! Every layout of a GPU, one per line.

use super::shown;
use crate::layout::geometry::Geometry;
use crate::report::width::Width;
use crate::study::plans::{LayoutRow, MigLayouts};

/// The three figures of the GPU, then the layouts.
pub(super) fn text(answer: &MigLayouts<'_>, width: Width) -> String {
    let profiles = &answer.spec.mig_profiles;
    let geometry = Geometry::new(profiles);
    let mut text = format!(
        "{}: {} legal layouts, the empty one included; {} of them are maximal (no instance can be \
         added), with {} different sets of instances\n",
        answer.spec.name, answer.layouts_total, answer.maximal_total, answer.maximal_sets_total
    );
    text.push_str("compute  memory  SMs  layout\n");
    for row in &answer.rows {
        let (counts, words) = match row {
            LayoutRow::One { instances, counts } => {
                let each = instances.iter().map(|one| format!("{}:{}", one.start, one.profile));
                (counts, in_words(each, "  "))
            }
            LayoutRow::Set { instances, layouts, counts } => {
                let each = instances.iter().map(|one| format!("{} x {}", one.count, one.profile));
                let ways =
                    if *layouts == 1 { String::new() } else { format!(" ({layouts} layouts)") };
                (counts, in_words(each, ", ") + &ways)
            }
        };
        let has = profiles.iter().zip(counts).filter(|(_, count)| **count > 0);
        let sms: Option<u32> = has.map(|(one, count)| one.sms.map(|sms| sms * count)).sum();
        let compute = format!("{}/{}", geometry.compute_of(counts), geometry.compute_slices);
        let memory = format!("{}/{}", geometry.memory_of(counts), geometry.memory_slices);
        text.push_str(&format!("{compute:>7}  {memory:>6}  {:>3}  {words}\n", shown(sms)));
    }
    if profiles.iter().any(|one| !one.is_printed) {
        text.push_str("note: positions are inferred, not printed for this board\n");
    }
    width.fitted(&text)
}

fn in_words(each: impl Iterator<Item = String>, between: &str) -> String {
    let words = each.collect::<Vec<_>>().join(between);
    if words.is_empty() { "nothing".to_string() } else { words }
}
