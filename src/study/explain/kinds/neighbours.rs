//! `neighbours`: the same VM alone on its card.

use super::super::measure::{Compared, measure};
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::trials::What;
use super::super::words::{ns, percent, rate, times};

/// From so much on neighbours are worth a sentence either way.
const FELT: f64 = 0.02;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.trials.tried.iter().filter_map(|trial| {
        let What::Alone(vm) = trial.what else { return None };
        let (alone, outcome) = (&trial.experiment, trial.outcome.as_ref()?);
        let before = measure(seen.experiment, &seen.trials.before, vm)?;
        let after = measure(alone, outcome, vm)?;
        let group = seen.groups.iter().find(|group| group.vms.contains(&vm))?;
        let said = match before.beside(after) {
            Compared::Latency([with, without], p) => {
                let ratio = with / without.max(1e-9);
                let text = match ratio > 1.0 + FELT {
                    true => format!(
                        "Alone on its card its {p} would be {}: the neighbours make it {} as long.",
                        ns(without), times(ratio)
                    ),
                    false => format!(
                        "Its neighbours cost it next to nothing: alone on its card its {p} would be {} ({} less).",
                        ns(without), percent((1.0 - without / with).max(0.0))
                    ),
                };
                Said::new(seen.about(group), text)
                    .with("with_ms", with / 1e6)
                    .with("alone_ms", without / 1e6)
                    .with("ratio", ratio)
            }
            Compared::Within([with, without]) => {
                let [beside, alone] = [with, without].map(percent);
                let text = match without - with > FELT {
                    true => format!(
                        "Alone on its card it would answer {alone} of its queries within the bound, and beside its neighbours {beside}."
                    ),
                    false => format!(
                        "Its neighbours cost it next to nothing: alone on its card it would answer {alone} of its queries within the bound, and does {beside}."
                    ),
                };
                Said::new(seen.about(group), text)
                    .with("with_within_bound_share", with)
                    .with("alone_within_bound_share", without)
            }
            Compared::Rate([with, without]) => {
                let text = format!(
                    "Alone on its card it would answer {}: beside its neighbours it does {} of that.",
                    rate(without), percent(with / without.max(1e-9))
                );
                Said::new(seen.about(group), text)
                    .with("with_per_s", with)
                    .with("alone_per_s", without)
            }
        };
        Some(said)
    });
    said.collect()
}
