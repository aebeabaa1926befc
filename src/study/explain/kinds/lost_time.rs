//! `lost-time`: GPU time that nobody could use: burned turns and switches.

use super::super::seen::Seen;
use super::super::sentence::{About, Said};
use super::super::words::percent;

/// Less than this is not worth a sentence.
const WORTH: f64 = 0.005;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let cards = seen.trials.outcome.gpu_time.iter().enumerate();
    let mut found: Vec<(f64, Said)> = cards
        .filter_map(|(card, time)| {
            let burned: f64 =
                time.vacant + time.owners.iter().map(|one| one.had.burned).sum::<f64>();
            let run: f64 = time.owners.iter().map(|one| one.had.run).sum();
            let lost = burned + time.switch;
            if lost < WORTH {
                return None;
            }
            let burnt = match burned >= WORTH {
                true => format!(
                    "{} in turns of VMs without work while another had some, ",
                    percent(burned)
                ),
                false => String::new(),
            };
            let text = format!(
                "It worked {} of the time and lost {}: {burnt}{} in switches.",
                percent(run),
                percent(lost),
                percent(time.switch)
            );
            let said = Said::new(About { vms: Vec::new(), gpus: vec![card as u16] }, text)
                .with("run_share", run)
                .with("burned_share", burned)
                .with("switch_share", time.switch);
            Some((lost, said))
        })
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    found.into_iter().map(|(_, said)| said).collect()
}
