//! `not-whole`: runs that were simulated shorter than the scenario says.

use super::super::seen::Seen;
use super::super::sentence::{About, Said};
use super::super::words::percent;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let trials = seen.trials;
    let mut said = Vec::new();
    if trials.part < 1.0 {
        let text =
            format!("The run is long: {} of its length was simulated here.", percent(trials.part));
        said.push(Said::new(About::default(), text).with("run_part_share", trials.part));
    }
    if !trials.are_whole() && !trials.tried.is_empty() {
        let text = format!(
            "The {} runs with something changed are {} as long as the scenario says, and are compared with the same run cut alike.",
            trials.tried.len(),
            percent(trials.trial_part)
        );
        said.push(
            Said::new(About::default(), text)
                .with("trial_part_share", trials.trial_part)
                .with("trials_count", trials.tried.len() as f64),
        );
    }
    said
}
