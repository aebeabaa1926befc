//! What a prediction may learn from all rows, some left out.
//!
//! One number is common to all benchmarks and harnesses: the *recovery*, the part of a machine's
//! slowness under Offline that its Server runs do not show. A card held back by its power limit is held
//! back less by the smaller batches of a Server run, and an Offline run that went badly says little of
//! another. It is the one under which every case is predicted best from the machines beside its own.

use super::fit::{Fit, Known};
use crate::parallel::*;
use crate::spec::MeasuredRow;
use std::collections::BTreeMap;

/// What all fits say together: the recovery.
pub(super) struct Learnt {
    /// The recovery with one machine left out.
    without_machine: BTreeMap<String, f64>,
    /// The recovery with one GPU model left out.
    without_gpu: BTreeMap<String, f64>,
    /// The recovery of all.
    of_all: f64,
}

/// Which rows may be learnt from.
type Keeps<'a> = &'a (dyn Fn(&MeasuredRow) -> bool + Sync);

impl Learnt {
    /// Learns with every machine and every GPU left out in turn.
    pub(super) fn new(fits: &[Fit<'_>]) -> Self {
        let by = |name: fn(&MeasuredRow) -> String| -> BTreeMap<String, f64> {
            let cases = fits.iter().flat_map(|fit| &fit.cases);
            let mut names: Vec<String> = cases.map(|case| name(case.run)).collect();
            names.sort();
            names.dedup();
            let without = |left_out: String| {
                let recovery = recovery(fits, &|run| name(run) != left_out);
                (left_out, recovery)
            };
            names.into_par_iter().map(without).collect()
        };
        Self {
            without_machine: by(|run| run.machine.clone()),
            without_gpu: by(MeasuredRow::gpu_id),
            of_all: recovery(fits, &|_| true),
        }
    }

    /// What a fit knows without the machine of a row.
    pub(super) fn without_machine(&self, fit: &Fit<'_>, run: &MeasuredRow) -> Known {
        let machine = &run.machine;
        fit.known(&|other| other.machine != *machine, self.without_machine[machine])
    }

    /// What a fit knows without every machine with the GPU model of a row.
    pub(super) fn without_gpu(&self, fit: &Fit<'_>, run: &MeasuredRow) -> Known {
        let gpu = run.gpu_id();
        fit.known(&|other| other.gpu_id() != gpu, self.without_gpu[&gpu])
    }

    /// What a fit knows of all rows.
    pub(super) fn of_all(&self, fit: &Fit<'_>) -> Known {
        fit.known(&|_| true, self.of_all)
    }
}

/// The recovery under which the cases that keep a rule are predicted best; none where no machine is slow.
fn recovery(fits: &[Fit<'_>], keeps: Keeps<'_>) -> f64 {
    /// Steps of a twentieth, up to a half: finer, the rows tell nothing.
    const STEPS: f64 = 20.0;
    const MOST: u32 = 10;
    let known: Vec<Known> = fits.iter().map(|fit| fit.known(keeps, 0.0)).collect();
    if !known.iter().any(Known::has_slow_machines) {
        return 0.0;
    }
    let misfit = |recovery: f64| -> f64 {
        let pairs = fits.iter().zip(&known);
        pairs.map(|(fit, known)| fit.least_misfit(&known.with_recovery(recovery))).sum()
    };
    let tried = (0..=MOST).map(|step| {
        let recovery = f64::from(step) / STEPS;
        (recovery, misfit(recovery))
    });
    tried.min_by(|a, b| a.1.total_cmp(&b.1)).expect("there are several").0
}
