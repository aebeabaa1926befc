//! `change`: a setting that makes the worst VM better, as simulated; the best of each family first.

use super::super::effect::{Effect, effects};
use super::super::measure::Measure;
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
    let (before, after) = (effect.before, effect.after);
    let moved = match (before, after) {
        (Measure::Latency(one, p), Measure::Latency(other, _)) => {
            let bound = match effect.bound {
                Some(bound) if other <= bound && one > bound => {
                    format!(", which keeps the bound of {}", ns(bound))
                }
                Some(bound) if other > bound => {
                    format!(", still beyond the bound of {}", ns(bound))
                }
                _ => String::new(),
            };
            format!("{p} of {} goes from {} to {}{bound}", vm.name, ns(one), ns(other))
        }
        _ => format!("{} goes from {} to {}", vm.name, rate(before.value()), rate(after.value())),
    };
    let rates = match effect.rates {
        [one, other] if (other / one.max(1e-9) - 1.0).abs() > 0.01 => {
            format!("; all VMs together then answer {} instead of {}", rate(other), rate(one))
        }
        _ => String::new(),
    };
    let cost = effect.cost.as_ref().map_or(String::new(), |(name, ratio)| {
        format!("; the p99 of {name} rises by {}", percent(ratio - 1.0))
    });
    let text = format!("{}: {moved}{rates}{cost}.", change.text());
    let units = match before {
        Measure::Latency(..) => (["before_ms", "after_ms"], 1e6),
        Measure::Rate(_) => (["before_per_s", "after_per_s"], 1.0),
    };
    let (names, scale) = units;
    let said = Said::new(seen.about_vm(change.focus), text)
        .with(names[0], before.value() / scale)
        .with(names[1], after.value() / scale)
        .with("all_before_per_s", effect.rates[0])
        .with("all_after_per_s", effect.rates[1]);
    match effect.bound {
        Some(bound) => said.with("bound_ms", bound / 1e6),
        None => said,
    }
}
