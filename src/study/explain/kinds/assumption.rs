//! `assumption` and `firm`: which fitted or assumed number moves the answer most, each of them at its
//! other possible values, one at a time; and where none moves it.

use super::super::measure::measure;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::trials::What;
use super::super::words::percent;

/// Less than this moves nothing.
const MOVES: f64 = 0.02;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    said(seen, true)
}

pub(super) fn tell_none(seen: &Seen<'_>) -> Vec<Said> {
    said(seen, false)
}

fn said(seen: &Seen<'_>, moves: bool) -> Vec<Said> {
    let Some(group) = seen.groups.iter().find(|group| !seen.first(group).load.is_idle()) else {
        return Vec::new();
    };
    let vm = seen.worst(group);
    let Some(own) = measure(seen.experiment, &seen.trials.before, vm) else { return Vec::new() };
    let all = seen.trials.tried.iter().filter_map(|trial| {
        let What::Unknown(unknown) = &trial.what else { return None };
        let other = measure(&trial.experiment, trial.outcome.as_ref()?, vm)?;
        let compared = own.beside(other);
        Some((unknown, compared, (1.0 + compared.rise()).max(1e-9).ln().abs()))
    });
    let all: Vec<_> = all.collect();
    let count = all.len();
    let most = all.into_iter().reduce(|most, one| if one.2 > most.2 { one } else { most });
    let Some((unknown, compared, _)) = most else { return Vec::new() };
    let change = compared.rise();
    if moves != (change.abs() >= MOVES) {
        return Vec::new();
    }
    let (what, [before, after]) = (compared.of(&seen.vm(vm).name), compared.in_words());
    let sign = if change > 0.0 { "+" } else { "-" };
    let text = match moves {
        true => format!(
            "Of {count} values that are not known for certain, {} moves {what} most: with {} instead of {} it is {after}, not {before} ({sign}{}).",
            unknown.name,
            unknown.other,
            short(&unknown.assumed),
            percent(change.abs())
        ),
        false => format!(
            "None of {count} values that are not known for certain moves {what} by more than {}.",
            percent(change.abs().max(0.001))
        ),
    };
    let (names, values) = (compared.names(), compared.values());
    let said = Said::new(seen.about_vm(vm), text)
        .with(names[0], values[0])
        .with(names[1], values[1])
        .with("change_share", change)
        .with("tried_count", count as f64);
    vec![said]
}

/// A list of assumptions is longer than a sentence bears.
fn short(assumed: &str) -> String {
    const MOST: usize = 60;
    match assumed.chars().count() > MOST {
        true => "what is assumed".to_string(),
        false => assumed.to_string(),
    }
}
