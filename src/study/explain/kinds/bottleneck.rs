//! `bottleneck` and `no-bottleneck`: the station with the highest busy share, where it holds others up,
//! and where none does.

use super::super::busy::{Busy, stations};
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{listed, percent};

/// Below this no station holds anybody up.
const BUSY: f64 = 0.7;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    said(seen, true)
}

pub(super) fn tell_none(seen: &Seen<'_>) -> Vec<Said> {
    said(seen, false)
}

fn said(seen: &Seen<'_>, is_busy: bool) -> Vec<Said> {
    let said = seen.groups.iter().filter_map(|group| {
        let worst = seen.worst(group);
        if seen.recorder(worst).answered() == 0 {
            return None;
        }
        let all = stations(seen, worst);
        let (first, rest) = all.split_first()?;
        if is_busy != (first.share >= BUSY) {
            return None;
        }
        let others: Vec<String> =
            rest.iter().filter(|one| one.share >= 0.005).take(2).map(words).collect();
        let others = match others.is_empty() {
            true => String::new(),
            false => format!("; {}", listed(&others)),
        };
        let text = match is_busy {
            true => {
                format!("The bottleneck is {}: {} busy{others}.", first.name, percent(first.share))
            }
            false => format!(
                "No station is a bottleneck: {} is busiest with {} of the time{others}.",
                first.name,
                percent(first.share)
            ),
        };
        let said = Said::new(seen.about(group), text);
        Some(all.iter().fold(said, |said, one| said.with(one.figure, one.share)))
    });
    said.collect()
}

fn words(one: &Busy) -> String {
    format!("{} {}", one.name, percent(one.share))
}
