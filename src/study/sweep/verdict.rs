//! The verdict on a sweep: how many points are VALID, and up to where each line is.

use super::super::verdict::Verdict;
use super::{GroupHead, PointSummary, SweepResults};
use crate::units::counted;

/// The verdict on a sweep: up to where each line keeps its bounds.
pub(super) fn verdict(results: &SweepResults) -> Verdict {
    let found: Vec<&PointSummary> =
        results.points.iter().filter(|point| !point.groups.is_empty()).collect();
    if found.is_empty() {
        return Verdict::default();
    }
    if !results.groups.iter().any(GroupHead::is_judged) {
        let said = "No bounds are stated, so no point is judged".to_string();
        return Verdict::of(None, [said]);
    }
    let valid = found.iter().filter(|point| point.is_valid()).count();
    let holds = valid == found.len();
    let first = match (valid, found.len()) {
        (_, all) if holds => format!("All {} are VALID", counted(all, "point")),
        (0, all) => format!("None of {} is VALID", counted(all, "point")),
        // A sweep goes beyond a border to show it: that is no "NO".
        (valid, all) => format!("{valid} of {} are VALID", counted(all, "point")),
    };
    let mut sentences = vec![first];
    sentences.extend((!holds && valid > 0).then(|| borders(results)).flatten());
    Verdict::of(Some(holds), sentences)
}

/// The last VALID point of each line whose points have an order.
fn borders(results: &SweepResults) -> Option<String> {
    /// More lines are no sentence.
    const LINES_MOST: usize = 4;
    let sweep = &results.sweep;
    let per_line = (results.points.len() / sweep.lines.len().max(1)).max(1);
    if sweep.lines.len() > LINES_MOST {
        return None;
    }
    let lines = sweep.lines.iter().zip(results.points.chunks(per_line)).enumerate();
    let lines = lines.map(|(index, (name, points))| {
        let xs = sweep.points.iter().filter(|point| point.line == index).map(|point| &point.x);
        let mut along: Vec<(f64, &str, &PointSummary)> = xs
            .zip(points)
            .filter(|(_, point)| !point.groups.is_empty())
            .filter_map(|(x, point)| Some((x.number?, x.text.as_str(), point)))
            .collect();
        along.sort_by(|one, other| one.0.total_cmp(&other.0));
        let border = along.iter().position(|(_, _, point)| !point.is_valid());
        let name = if name.is_empty() { String::new() } else { format!("\"{name}\" ") };
        // VALID points beyond an INVALID one are no border.
        let is_border = border.is_some_and(|at| along[at..].iter().all(|(.., p)| !p.is_valid()));
        match border {
            None if along.is_empty() => None,
            None => Some(format!("{name}holds at all of them")),
            Some(0) if is_border => Some(format!("{name}holds at none of them")),
            Some(at) if is_border => {
                Some(format!("{name}holds up to {} and not at {}", along[at - 1].1, along[at].1))
            }
            Some(_) => None,
        }
    });
    let lines: Option<Vec<String>> = lines.collect();
    let lines = lines?.join(", ");
    let label = &sweep.x_label;
    Some(if label.is_empty() { lines } else { format!("Along {label}: {lines}") })
}
