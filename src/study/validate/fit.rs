//! The numbers of the service time, fitted on any part of the rows.
//!
//! Every case is simulated with every candidate once; a fit on a part of the rows then needs no
//! simulation: it chooses the candidate, and per GPU the factor on work, that suit that part best.
//! So leaving a machine out costs nothing, and what fits nearly as well is known as well.

use super::case::Case;
use super::curve::Curve;
use super::numbers::ServiceNumbers;
use super::{median, rate};
use crate::parallel::*;
use crate::spec::MeasuredRow;
use crate::study::interval::t_95;
use std::collections::BTreeMap;

/// Cases of one benchmark and harness.
pub(super) struct Cases<'v> {
    cases: Vec<&'v Case<'v>>,
    /// By case and candidate.
    numbers: Vec<Vec<ServiceNumbers>>,
}

/// Cases with their curves.
pub(super) struct Fit<'v> {
    pub(super) cases: Vec<&'v Case<'v>>,
    /// By case and candidate.
    numbers: Vec<Vec<ServiceNumbers>>,
    curves: Vec<Vec<Curve>>,
    /// By case and candidate, the logarithm of the factor on work at which p99 is the measured one.
    factors: Vec<Vec<Option<f64>>>,
    /// The same at one clock for Server and Offline.
    at_one_clock: Vec<Vec<Option<f64>>>,
}

/// What a prediction may learn from.
#[derive(Clone)]
pub(super) struct Known {
    /// The cases.
    cases: Vec<usize>,
    /// By case of the fit, how much slower its machine is under Offline than others with its GPU: the
    /// logarithm of the ratio of rates, 0 for one that is faster.
    slower: Vec<f64>,
    /// See [`super::learnt`].
    recovery: f64,
}

/// What a part of the rows says.
pub(super) struct Choice {
    /// The best candidate.
    pub(super) candidate: usize,
    /// Candidates that fit nearly as well, the best included.
    pub(super) nearly: Vec<usize>,
}

/// The cases on whole GPUs by group. Slices teach them nothing, nor they slices: see `slices`.
pub(super) fn groups<'v>(cases: &'v [Case<'v>]) -> Vec<Cases<'v>> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Case<'_>>> = BTreeMap::new();
    for case in cases.iter().filter(|case| !case.is_slice()) {
        groups.entry(case.group()).or_default().push(case);
    }
    let numbers = |cases: &[&Case<'_>]| cases.iter().map(|case| case.candidates()).collect();
    groups.into_values().map(|cases| Cases { numbers: numbers(&cases), cases }).collect()
}

impl<'v> Cases<'v> {
    /// How many curves there are to trace.
    pub(super) fn work(&self) -> u64 {
        self.numbers.iter().flatten().count() as u64
    }

    /// Simulates every case with every candidate.
    pub(super) fn measure(self, queries: u64, step: &(impl Fn(&str) + Sync)) -> Fit<'v> {
        let trace = |(case, numbers): (&&'v Case<'v>, &Vec<ServiceNumbers>)| -> Vec<Curve> {
            let of = |numbers: &ServiceNumbers| {
                let curve = Curve::trace(case, numbers, queries);
                step(&case.run.system);
                curve
            };
            numbers.par_iter().map(of).collect()
        };
        let curves: Vec<Vec<Curve>> = self.cases.par_iter().zip(&self.numbers).map(trace).collect();
        let of_case = |(case, curves): (&&Case<'_>, &Vec<Curve>)| -> Vec<Option<f64>> {
            let wanted = case.run.latency["p99"].as_millis_f64();
            curves.iter().map(|curve| curve.factor("p99", wanted).map(f64::ln)).collect()
        };
        let factors: Vec<Vec<Option<f64>>> = self.cases.iter().zip(&curves).map(of_case).collect();
        let Self { cases, numbers } = self;
        let told = |(at, factors): (usize, &Vec<Option<f64>>)| -> Vec<Option<f64>> {
            let of = |(numbers, factor): (&ServiceNumbers, &Option<f64>)| {
                cases[at].at_one_clock(numbers, factor.as_ref()?.exp()).map(f64::ln)
            };
            numbers[at].iter().zip(factors).map(of).collect()
        };
        let at_one_clock = factors.iter().enumerate().map(told).collect();
        Fit { cases, numbers, curves, factors, at_one_clock }
    }
}

impl Known {
    /// The same with another recovery.
    pub(super) fn with_recovery(&self, recovery: f64) -> Self {
        Self { recovery, ..self.clone() }
    }

    /// What is known of the cases that keep a rule.
    pub(super) fn only(&self, keeps: impl Fn(usize) -> bool) -> Self {
        let cases = self.cases.iter().copied().filter(|&case| keeps(case));
        Self { cases: cases.collect(), ..self.clone() }
    }

    /// The cases.
    pub(super) fn cases(&self) -> &[usize] {
        &self.cases
    }

    /// Whether one of the machines is slower than others by more than they all differ.
    pub(super) fn has_slow_machines(&self) -> bool {
        const SLOW: f64 = -0.05;
        self.cases.iter().any(|&case| self.slower[case] < SLOW)
    }

    /// The part of a machine's slowness that its Server runs do not show.
    pub(super) fn recovery(&self) -> f64 {
        self.recovery
    }
}

impl Fit<'_> {
    /// The rows of its cases.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.cases.iter().map(|case| case.index)
    }

    /// What may be learnt from rows that keep a rule. A case whose host stalled says nothing.
    pub(super) fn known(
        &self,
        keeps: &(dyn Fn(&MeasuredRow) -> bool + Sync),
        recovery: f64,
    ) -> Known {
        let told = |&at: &usize| {
            let case = self.cases[at];
            case.teaches && keeps(case.run) && !case.run.has_host_stalls()
        };
        let slower = |case: &Case<'_>| {
            let usual = rate::usual(case.input, case.run, keeps)?;
            Some((case.offline_rate() / (usual * case.of_its_limit())).ln().min(0.0))
        };
        Known {
            cases: (0..self.cases.len()).filter(told).collect(),
            slower: self.cases.iter().map(|case| slower(case).unwrap_or(0.0)).collect(),
            recovery,
        }
    }

    /// The numbers of a case with a candidate.
    pub(super) fn numbers(&self, case: usize, candidate: usize) -> ServiceNumbers {
        self.numbers[case][candidate]
    }

    /// The candidates, the same for each case.
    fn candidates(&self) -> std::ops::Range<usize> {
        0..self.numbers[0].len()
    }

    /// The curve of a case with a candidate.
    pub(super) fn curve(&self, case: usize, candidate: usize) -> &Curve {
        &self.curves[case][candidate]
    }

    /// The factor on work at which a case's p99 is the measured one.
    pub(super) fn factor(&self, case: usize, candidate: usize) -> Option<f64> {
        self.factors[case][candidate].map(f64::exp)
    }

    /// What the known cases say: the candidate under which one factor per GPU explains p99, and
    /// p50 and p90 follow.
    pub(super) fn choose(&self, known: &Known) -> Choice {
        /// A candidate whose misfit is larger by no more than this fits nearly as well: published
        /// figures of one GPU differ by 1 to 8 %.
        const NEARLY: f64 = 1.15;
        let misfits: Vec<f64> = self.candidates().map(|at| self.misfit(known, at)).collect();
        let best = (0..misfits.len())
            .min_by(|&a, &b| misfits[a].total_cmp(&misfits[b]))
            .expect("there are candidates");
        let nearly = |&candidate: &usize| misfits[candidate] <= NEARLY * misfits[best];
        Choice { candidate: best, nearly: (0..misfits.len()).filter(nearly).collect() }
    }

    /// How badly the best candidate predicts the known cases, summed over them.
    pub(super) fn least_misfit(&self, known: &Known) -> f64 {
        let misfits = self.candidates().map(|at| self.misfit(known, at));
        let least = misfits.min_by(f64::total_cmp).filter(|misfit| misfit.is_finite());
        known.cases.len() as f64 * least.unwrap_or(0.0)
    }

    /// How badly a candidate predicts the cases, each from the machines beside its own: the mean over
    /// them of the distance between the case's factor and its GPU's, and of the error of p50 and p90
    /// once p99 is matched, which counts as much. One row counts for 0.3 at most, for some show what no
    /// model has.
    fn misfit(&self, known: &Known, candidate: usize) -> f64 {
        /// A stall of the host moves a row by more than this; how much more says nothing.
        const MOST: f64 = 0.3;
        let errors = known.cases.iter().filter_map(|&case| {
            // No GPU speed gives such a p99.
            let Some(factor) = self.factors[case][candidate] else { return Some(MOST) };
            let distance = factor - self.beside(known, candidate, case)?;
            let curve = self.curve(case, candidate);
            let shape: f64 = ["p50", "p90"]
                .iter()
                .map(|name| {
                    let measured = self.cases[case].run.latency[*name].as_millis_f64();
                    (curve.at(name, factor.exp()) / measured).ln().abs()
                })
                .sum();
            Some((distance.abs() + 0.5 * shape).min(MOST))
        });
        let errors: Vec<f64> = errors.collect();
        match errors.len() {
            0 => f64::INFINITY,
            count => errors.iter().sum::<f64>() / count as f64,
        }
    }

    /// The factor on work that the known cases give for a case: the median (of logarithms) over the
    /// cases with its GPU, drawn to that of its generation as by one case more; and what a slow machine
    /// recovers. A generation of which nothing is known is taken for all of them: where both are
    /// known, H100's BERT needs a factor 14 % above A100's, and the PCIe and the SXM card need the same
    /// within 5 %, so that other generations add nothing.
    pub(super) fn predict(&self, known: &Known, candidate: usize, case: usize) -> Option<f64> {
        self.told(known, candidate, case, |_| true).map(f64::exp)
    }

    /// The factor on work on a machine with the GPU of a case that is as fast as others.
    pub(super) fn gpu_factor(&self, known: &Known, candidate: usize, case: usize) -> Option<f64> {
        let usual = self.usual(known, candidate, case, |_| true)?;
        Some(self.cases[case].at_own_clock(&self.numbers[case][candidate], usual.exp()))
    }

    /// The logarithm of the factor of a case by known cases that keep a rule.
    fn told(
        &self,
        known: &Known,
        candidate: usize,
        case: usize,
        keeps: impl Fn(usize) -> bool,
    ) -> Option<f64> {
        let usual = self.usual(known, candidate, case, keeps)?;
        let numbers = &self.numbers[case][candidate];
        let own = self.cases[case].at_own_clock(numbers, usual.exp()).ln();
        Some(own + known.recovery * known.slower[case])
    }

    /// The logarithm of the factor of a case by the machines beside its own.
    fn beside(&self, known: &Known, candidate: usize, case: usize) -> Option<f64> {
        let machine = &self.cases[case].run.machine;
        self.told(known, candidate, case, |other| self.cases[other].run.machine != *machine)
    }

    /// The same at one clock, of a machine as fast as others.
    fn usual(
        &self,
        known: &Known,
        candidate: usize,
        case: usize,
        keeps: impl Fn(usize) -> bool,
    ) -> Option<f64> {
        let gpu = self.cases[case].run.gpu_id();
        let told = known.cases.iter().filter(|&&other| keeps(other)).filter_map(|&other| {
            let factor = self.at_one_clock[other][candidate]?;
            Some((other, factor - known.recovery * known.slower[other]))
        });
        let told: Vec<(usize, f64)> = told.collect();
        let of = |keeps: &dyn Fn(&Case<'_>) -> bool| -> Vec<f64> {
            let kept = told.iter().filter(|(other, _)| keeps(self.cases[*other]));
            kept.map(|told| told.1).collect()
        };
        let generation = self.cases[case].architecture();
        let alike = of(&|other| generation.is_some() && other.architecture() == generation);
        let beside = median(alike).or_else(|| median(of(&|_| true)))?;
        let same = of(&|other| other.run.gpu_id() == gpu);
        let cases = same.len() as f64;
        let Some(middle) = median(same) else { return Some(beside) };
        Some((cases * middle + beside) / (cases + 1.0))
    }

    /// The standard deviation of the logarithm of the factors of the known cases, about what the
    /// machines beside each say; nothing with too few of them.
    pub(super) fn scatter(&self, known: &Known, candidate: usize) -> Option<f64> {
        let distances = self.distances(known, candidate, |_| true, false);
        (distances.len() >= LEAST).then(|| root_mean_square(&distances))
    }

    /// By how much 90 % of machines need another work than their own Offline run says, as a logarithm;
    /// nothing with too few of them.
    pub(super) fn departs(&self) -> Option<f64> {
        let told = |(at, case): (usize, &&Case<'_>)| {
            self.factors[at][0].filter(|_| case.teaches && !case.run.has_host_stalls())
        };
        let factors: Vec<f64> = self.cases.iter().enumerate().filter_map(told).collect();
        (factors.len() >= LEAST).then(|| t_95(factors.len()) * root_mean_square(&factors))
    }

    /// By how much 90 % of machines like that of a case differ at most from what the known cases say
    /// of them, as a logarithm: by those that are like it, told as it is told. So a GPU of which no
    /// machine is known has the scatter of GPUs, and a card at a lower power limit that of such cards.
    pub(super) fn width(&self, known: &Known, candidate: usize, case: usize) -> Option<f64> {
        let run = self.cases[case].run;
        let gpu = run.gpu_id();
        let is_new = !known.cases.iter().any(|&other| self.cases[other].run.gpu_id() == gpu);
        let alike = self.distances(
            known,
            candidate,
            |other| self.cases[other].run.power_limited == run.power_limited,
            is_new,
        );
        let all = || self.distances(known, candidate, |_| true, is_new);
        let used = if alike.len() >= LEAST { alike } else { all() };
        // Few say little, which Student's t knows.
        (used.len() > 1).then(|| t_95(used.len()) * root_mean_square(&used))
    }

    /// How far the factors of known cases that keep a rule are from what the machines beside each say,
    /// or those with other GPUs, as logarithms.
    fn distances(
        &self,
        known: &Known,
        candidate: usize,
        keeps: impl Fn(usize) -> bool,
        other_gpus: bool,
    ) -> Vec<f64> {
        let told = known.cases.iter().filter(|&&case| keeps(case)).filter_map(|&case| {
            let factor = self.factors[case][candidate]?;
            let said = match other_gpus {
                false => self.beside(known, candidate, case)?,
                true => {
                    let gpu = self.cases[case].run.gpu_id();
                    let others = |other: usize| self.cases[other].run.gpu_id() != gpu;
                    self.told(known, candidate, case, others)?
                }
            };
            Some(factor - said)
        });
        told.collect()
    }
}

/// Fewer differences say nothing of how machines scatter.
const LEAST: usize = 3;

fn root_mean_square(distances: &[f64]) -> f64 {
    let squares: f64 = distances.iter().map(|distance| distance * distance).sum();
    (squares / distances.len() as f64).sqrt()
}
