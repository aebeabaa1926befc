//! `no-change` and `nothing-tried`: what was tried and did not help; where nothing did, that it is so;
//! and where there was nothing to try.

use super::super::effect::effects;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::trials::Change;
use super::super::words::{ns, three};

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let effects = effects(seen);
    let Some(focus) = effects.focus else { return Vec::new() };
    if effects.useless.is_empty() {
        return Vec::new();
    }
    let count = effects.useless.len();
    let tried = tried(&effects.useless);
    let text = match effects.helpful.is_empty() {
        true => format!(
            "None of {} tried changes makes {} better by 5 % without another VM missing its bound: {tried}.",
            count,
            seen.vm(focus).name
        ),
        false => format!(
            "{} did not help {}: {tried}.",
            crate::units::counted(count, "other tried change"),
            seen.vm(focus).name
        ),
    };
    let lost = seen.recorder(focus).lost();
    let text = match effects.helpful.is_empty() && lost > 0 {
        true => format!(
            "{text} None of them ends the time in which it was down and lost {lost} queries: [operations], who has a free vGPU, and balance decide that."
        ),
        false => text,
    };
    vec![Said::new(seen.about_vm(focus), text).with("without_help_count", count as f64)]
}

/// Values of one setting together: `batch_max = 8 or 4 (now 16); policy = "fixed-share"`.
fn tried(changes: &[&Change]) -> String {
    let mut keys: Vec<(&str, Vec<&str>, Option<&str>)> = Vec::new();
    for change in changes {
        match keys.iter_mut().find(|(key, ..)| *key == change.key) {
            Some((_, values, _)) => values.push(&change.value),
            None => keys.push((&change.key, vec![&change.value], change.now.as_deref())),
        }
    }
    let told = keys.into_iter().map(|(key, values, now)| {
        let now = now.map_or(String::new(), |now| format!(" (now {now})"));
        match values[..] {
            [""] => format!("{key}{now}"),
            _ => format!("{key} = {}{now}", values.join(" or ")),
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

pub(super) fn tell_nothing(seen: &Seen<'_>) -> Vec<Said> {
    let Some(group) = seen.groups.iter().find(|group| !seen.first(group).load.is_idle()) else {
        return Vec::new();
    };
    if effects(seen).focus.is_some() {
        return Vec::new();
    }
    let vm = seen.worst(group);
    let found = seen.percentile(vm).as_nanos_f64();
    let text = format!(
        "No other setting was tried for {}: its load and its GPU leave none that could matter (its {} is {}).",
        seen.vm(vm).name,
        format_args!("p{}", three(seen.vm(vm).load.settings.percentile)),
        ns(found)
    );
    vec![Said::new(seen.about_vm(vm), text).with("latency_percentile_ms", found / 1e6)]
}
