//! The numbers of the service time, fitted on any part of the rows.
//!
//! Every case is simulated with every candidate once; a fit on a part of the rows then needs no
//! simulation: it chooses the candidate, and per GPU the factor on work, that suit that part best.
//! So leaving a machine out costs nothing, and what fits nearly as well is known as well.

use super::case::{Case, Numbers};
use super::curve::Curve;
use super::median;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Cases of one benchmark and harness.
pub(super) struct Cases<'v> {
    cases: Vec<&'v Case<'v>>,
    candidates: Vec<Numbers>,
}

/// Cases with their curves.
pub(super) struct Fit<'v> {
    pub(super) cases: Vec<&'v Case<'v>>,
    pub(super) candidates: Vec<Numbers>,
    /// By case and candidate.
    curves: Vec<Vec<Curve>>,
}

/// What a part of the rows says.
pub(super) struct Choice {
    /// The best candidate.
    pub(super) candidate: usize,
    /// Candidates that fit nearly as well, the best included.
    pub(super) nearly: Vec<usize>,
}

/// The candidates of a harness: what its rows can tell apart.
///
/// LWIS and Triton put several batches on a GPU. What `launch_ms` and `1 - phi` take of a batch hides
/// behind the others there, so that a GPU does more the more batches it holds: without, ResNet-50's
/// p99 is twice as far off, for its batches of a hundred leave much of a GPU unfilled.
pub(super) fn candidates(preset: &str, benchmark: &str) -> Vec<Numbers> {
    let (launches, spreads, phis): (&[f64], &[f64], &[f64]) = match (benchmark, preset) {
        ("resnet50", "triton") => (&[0.4, 0.8], &[0.04], &[0.75, 0.85, 0.92, 1.0]),
        ("resnet50", _) => (&[0.2], &[0.04], &[0.8, 0.85, 0.9]),
        ("ssd-resnet34", "triton") => (&[0.3, 1.0], &[0.06], &[0.85, 0.92, 1.0]),
        ("ssd-resnet34", _) => (&[0.3], &[0.03, 0.06], &[0.92, 1.0]),
        (_, "triton") => (&[1.0, 1.4, 1.8], &[0.0], &[0.92, 1.0]),
        // Batches in order never meet: nothing tells phi.
        _ => (&[1.0, 1.4, 1.8, 2.4], &[0.0], &[1.0]),
    };
    let orders: &[bool] = if preset == "mlperf-lwis" { &[false, true] } else { &[false] };
    let mut all = Vec::new();
    for &launch_ms in launches {
        for &spread in spreads {
            for &phi in phis {
                let told = orders.iter().filter(|&&in_order| phi == 1.0 || !in_order);
                all.extend(told.map(|&in_order| Numbers { launch_ms, spread, phi, in_order }));
            }
        }
    }
    all
}

/// The cases by group.
pub(super) fn groups<'v>(cases: &'v [Case<'v>]) -> Vec<Cases<'v>> {
    let mut groups: BTreeMap<(String, &str), Vec<&Case<'_>>> = BTreeMap::new();
    for case in cases {
        groups.entry(case.group()).or_default().push(case);
    }
    let group = |((benchmark, preset), cases): ((String, &str), Vec<&'v Case<'v>>)| Cases {
        cases,
        candidates: candidates(preset, &benchmark),
    };
    groups.into_iter().map(group).collect()
}

impl<'v> Cases<'v> {
    /// How many curves there are to trace.
    pub(super) fn work(&self) -> u64 {
        (self.cases.len() * self.candidates.len()) as u64
    }

    /// Simulates every case with every candidate.
    pub(super) fn measure(self, queries: u64, step: &(impl Fn(&str) + Sync)) -> Fit<'v> {
        let pairs: Vec<(usize, usize)> = (0..self.cases.len())
            .flat_map(|case| (0..self.candidates.len()).map(move |candidate| (case, candidate)))
            .collect();
        let trace = |&(case, candidate): &(usize, usize)| {
            let curve = Curve::trace(self.cases[case], &self.candidates[candidate], queries);
            step(&self.cases[case].run.system);
            curve
        };
        let curves: Vec<Curve> = pairs.par_iter().map(trace).collect();
        let mut curves = curves.into_iter();
        let curves = self
            .cases
            .iter()
            .map(|_| curves.by_ref().take(self.candidates.len()).collect())
            .collect();
        Fit { cases: self.cases, candidates: self.candidates, curves }
    }
}

impl Fit<'_> {
    /// The rows of its cases.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.cases.iter().map(|case| case.index)
    }

    /// The cases that can be learnt from: whose host did not stall.
    pub(super) fn undisturbed(&self) -> impl Iterator<Item = usize> {
        (0..self.cases.len()).filter(|&at| !self.cases[at].run.has_host_stalls())
    }

    /// The curve of a case with a candidate.
    pub(super) fn curve(&self, case: usize, candidate: usize) -> &Curve {
        &self.curves[case][candidate]
    }

    /// The factor on work at which a case's p99 is the measured one.
    pub(super) fn factor(&self, case: usize, candidate: usize) -> Option<f64> {
        let wanted = self.cases[case].run.latency["p99"].as_millis_f64();
        self.curves[case][candidate].factor("p99", wanted)
    }

    /// What the cases of `train` say: the candidate under which one factor per GPU explains p99, and
    /// p50 and p90 follow.
    pub(super) fn choose(&self, train: &[usize]) -> Choice {
        self.choose_among(train, |_| true)
    }

    /// As [`Fit::choose`], among the candidates that keep a rule.
    pub(super) fn choose_among(&self, train: &[usize], keeps: impl Fn(&Numbers) -> bool) -> Choice {
        /// A candidate whose misfit is larger by no more than this fits nearly as well: published
        /// figures of one GPU differ by 1 to 8 %.
        const NEARLY: f64 = 1.15;
        let misfit = |(candidate, numbers)| match keeps(numbers) {
            true => self.misfit(train, candidate),
            false => f64::INFINITY,
        };
        let misfits: Vec<f64> = self.candidates.iter().enumerate().map(misfit).collect();
        let best = (0..misfits.len())
            .min_by(|&a, &b| misfits[a].total_cmp(&misfits[b]))
            .expect("there are candidates");
        let nearly = |&candidate: &usize| misfits[candidate] <= NEARLY * misfits[best];
        Choice { candidate: best, nearly: (0..misfits.len()).filter(nearly).collect() }
    }

    /// How badly a candidate predicts the cases, each from the machines beside its own: the mean over
    /// them of the distance between the case's factor and its GPU's, and of the errors of p50 and p90
    /// once p99 is matched. One row counts for 0.3 at most, for some show what no model has.
    fn misfit(&self, train: &[usize], candidate: usize) -> f64 {
        /// A stall of the host moves a row by more than this; how much more says nothing.
        const MOST: f64 = 0.3;
        let errors = train.iter().filter_map(|&case| {
            let factor = self.factor(case, candidate)?;
            let gpu = self.gpu_factor(&self.beside(train, case), candidate, case)?;
            let curve = self.curve(case, candidate);
            let shape: f64 = ["p50", "p90"]
                .iter()
                .map(|name| {
                    let measured = self.cases[case].run.latency[*name].as_millis_f64();
                    (curve.at(name, factor) / measured).ln().abs()
                })
                .sum();
            Some((2.0 * (factor / gpu).ln().abs() + 0.5 * shape).min(MOST))
        });
        let errors: Vec<f64> = errors.collect();
        match errors.len() {
            0 => f64::INFINITY,
            count => errors.iter().sum::<f64>() / count as f64,
        }
    }

    /// The factor on work that the cases of `train` give for the GPU of `case`: the mean (of
    /// logarithms) over its machines, drawn to that of all GPUs as by one machine more.
    pub(super) fn gpu_factor(&self, train: &[usize], candidate: usize, case: usize) -> Option<f64> {
        let gpu = self.cases[case].run.gpu_id();
        let logs = |same: &dyn Fn(usize) -> bool| -> Vec<f64> {
            let part = train.iter().copied().filter(|&other| same(other));
            part.filter_map(|other| Some(self.factor(other, candidate)?.ln())).collect()
        };
        let all = median(logs(&|_| true))?;
        let same = logs(&|other| self.cases[other].run.gpu_id() == gpu);
        let Some(middle) = median(same.clone()) else { return Some(all.exp()) };
        let machines = same.len() as f64;
        Some(((machines * middle + all) / (machines + 1.0)).exp())
    }

    /// The cases of `train` on other machines than that of `case`.
    fn beside(&self, train: &[usize], case: usize) -> Vec<usize> {
        let machine = self.cases[case].run.machine();
        let others = train.iter().copied();
        others.filter(|&other| self.cases[other].run.machine() != machine).collect()
    }

    /// The standard deviation of the logarithm of the factors of `train` about what the machines
    /// beside each say; nothing with too few of them.
    pub(super) fn scatter(&self, train: &[usize], candidate: usize) -> Option<f64> {
        /// Fewer differences say nothing of how machines scatter.
        const LEAST: usize = 3;
        let squares: Vec<f64> = train
            .iter()
            .filter_map(|&case| {
                let factor = self.factor(case, candidate)?;
                let gpu = self.gpu_factor(&self.beside(train, case), candidate, case)?;
                Some((factor / gpu).ln().powi(2))
            })
            .collect();
        let count = squares.len();
        (count >= LEAST).then(|| (squares.iter().sum::<f64>() / count as f64).sqrt())
    }
}
