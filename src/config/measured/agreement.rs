//! Whether measurements are consistent: rates do not fall where they cannot, and runs agree with
//! batch times.

use super::log::rounded;
use super::measurements::Measurements;
use super::run::{ReadRun, rate, scenario};
use crate::config::text::{Diagnostic, Problems};
use crate::spec::TestScenario;

/// So much faster than its Offline run a Server run may be, where power limits the clock.
const BEYOND_OFFLINE: f64 = 1.05;

/// So far apart an Offline rate and a batch time of the same GPU may be: factor either way.
const APART_MAX: f64 = 1.3;

/// Whether all measurements are consistent.
pub(crate) fn check(measured: &Measurements, problems: &Problems) {
    let offline: Vec<_> = measured
        .runs
        .iter()
        .filter(|read| scenario(&read.run) == TestScenario::Offline)
        .filter_map(|read| Some((read, rate(&read.run)?)))
        .collect();
    let server = measured.runs.iter().filter(|read| scenario(&read.run) == TestScenario::Server);
    for read in server {
        let Some((served, part)) = rate(&read.run) else { continue };
        let same =
            offline.iter().filter(|(other, (_, of))| *of == part && other.system == read.system);
        let Some(best) = same.map(|(_, (rate, _))| *rate).reduce(f64::max) else { continue };
        if served > best * BEYOND_OFFLINE {
            let title = format!(
                "the Server run answered {} samples/s on each GPU, but the fastest Offline run {}",
                rounded(served),
                rounded(best)
            );
            let help = "a Server run cannot be faster than the same GPU Offline: are `gpus` and \
                the figures from one system?";
            problems.push(Diagnostic::at(&read.spot, title).help(help));
        }
    }
    for (ReadRun { run, spot, .. }, (found, part)) in offline {
        let batch = run.experiment.vms[0].server.batch_max;
        let Some(index) = measured.times.iter().position(|time| time.batch == batch) else {
            continue;
        };
        let alone = f64::from(batch) / measured.times[index].ms * 1e3;
        let apart = (found / alone).max(alone / found);
        if part == 1.0 && apart > APART_MAX {
            let title = format!(
                "the Offline run answered {} samples/s on each GPU, but a batch of {batch} alone makes {}",
                rounded(found),
                rounded(alone)
            );
            let at = &measured.time_spots[index];
            let help = format!(
                "the batch time is in {}: were precision, clocks and batch size the same?",
                at.file.path
            );
            problems.push(Diagnostic::at(spot, title).help(help));
        }
    }
}
