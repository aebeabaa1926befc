//! `change`: a setting that makes the worst VM better, as simulated; the best of each family first.

use super::super::effect::{Effect, effects};
use super::super::measure::Compared;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{ns, percent, rate};

/// More are no advice.
const MOST: usize = 3;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    effects(seen).helpful.into_iter().take(MOST).map(|effect| said(seen, &effect)).collect()
}

fn said(seen: &Seen<'_>, effect: &Effect<'_>) -> Said {
    let change = effect.change;
    let vm = seen.vm(change.focus);
    let compared = effect.before.beside(effect.after);
    let [before, after] = compared.in_words();
    let bound = match (compared, effect.bound) {
        (Compared::Rate(_), _) | (_, None) => String::new(),
        (_, Some(bound)) if !effect.after.keeps(bound) => {
            format!(", still beyond the bound of {}", ns(bound))
        }
        (_, Some(bound)) if effect.before.keeps(bound) => String::new(),
        (_, Some(bound)) => format!(", which keeps the bound of {}", ns(bound)),
    };
    let what = match compared {
        Compared::Rate(_) => vm.name.clone(),
        other => other.of(&vm.name),
    };
    let moved = format!("{what} goes from {before} to {after}{bound}");
    let rates = match effect.rates {
        [one, other] if (other / one.max(1e-9) - 1.0).abs() > 0.01 => {
            format!("; all VMs together then answer {} instead of {}", rate(other), rate(one))
        }
        _ => String::new(),
    };
    let cost = effect.cost.as_ref().map_or(String::new(), |(name, ratio, figure)| match figure {
        Compared::Within(_) => format!("; {name} has {} more late queries", percent(ratio - 1.0)),
        _ => format!("; the p99 of {name} rises by {}", percent(ratio - 1.0)),
    });
    let text = format!("{}: {moved}{rates}{cost}.", change.text());
    let (names, values) = (compared.names(), compared.values());
    let said = Said::new(seen.about_vm(change.focus), text)
        .with(names[0], values[0])
        .with(names[1], values[1])
        .with("all_before_per_s", effect.rates[0])
        .with("all_after_per_s", effect.rates[1]);
    match effect.bound {
        Some(bound) => said.with("bound_ms", bound / 1e6),
        None => said,
    }
}
