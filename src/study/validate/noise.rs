//! How far a measured percentile would move if its run were made again.
//!
//! A published row has percentiles and no queries, so its own run cannot be cut into blocks. The
//! simulated run can: it has the same load, the same batches and the same busy periods. Its queries, in
//! order of their due times, are cut into blocks; of each block the part within the percentile is counted. The
//! scatter of these parts is what a bootstrap of the blocks would find, without drawing: the percentile
//! of a run of n queries lies where that part is `q`, give or take Student's t times the scatter of a
//! mean over as many blocks as n queries fill. So a run may be simulated shorter than it was.

use crate::study::interval::t_975;
use crate::units::SimDuration;

/// From so many queries expected beyond it on a percentile is scored.
pub(super) const BEYOND_MIN: f64 = 10.0;

/// Blocks at first; half as many while neighbours are alike, but never fewer than [`BLOCKS_MIN`].
const BLOCKS: usize = 32;
const BLOCKS_MIN: usize = 8;

/// Whether a percentile of so many queries says anything: of fewer than ten beyond it each one decides.
pub(super) fn is_scored(queries: u64, quantile: f64) -> bool {
    queries as f64 * (1.0 - quantile) >= BEYOND_MIN * (1.0 - 1e-9)
}

/// The 95 % interval of the percentile `quantile` of `queries` queries, as factors on it, by the
/// latencies of a run in order of due times; nothing of a run that is too short to be cut.
pub(super) fn interval_95(
    latencies: &[SimDuration],
    quantile: f64,
    queries: u64,
) -> Option<(f64, f64)> {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let at = |quantile: f64| {
        let index = (quantile * sorted.len() as f64).ceil() as usize;
        sorted.get(index.max(1) - 1).or(sorted.last())
    };
    let middle = *at(quantile)?;
    let (parts, length) = parts_within(latencies, middle)?;
    let blocks = parts.len() as f64;
    let mean = parts.iter().sum::<f64>() / blocks;
    let squares: f64 = parts.iter().map(|part| (part - mean).powi(2)).sum();
    let filled = queries as f64 / length as f64;
    let half = t_975(parts.len() - 1) * (squares / (blocks - 1.0) / filled).sqrt();
    let factor = |quantile: f64| at(quantile).map(|end| end.as_nanos_f64() / middle.as_nanos_f64());
    Some((factor((quantile - half).max(0.0))?, factor((quantile + half).min(1.0))?))
}

/// Of each block the part within `latency`, and the queries of a block. Blocks are long enough when one
/// says nothing of the next: the correlation of neighbours lies within that of chance.
fn parts_within(latencies: &[SimDuration], latency: SimDuration) -> Option<(Vec<f64>, usize)> {
    let mut blocks = BLOCKS;
    loop {
        let length = latencies.len() / blocks;
        if length == 0 {
            return None;
        }
        let within = |block: &[SimDuration]| {
            block.iter().filter(|&&of| of <= latency).count() as f64 / length as f64
        };
        let parts: Vec<f64> = latencies.chunks_exact(length).take(blocks).map(within).collect();
        let alike = neighbours(&parts) > 1.645 / (blocks as f64).sqrt();
        if !alike || blocks <= BLOCKS_MIN {
            return Some((parts, length));
        }
        blocks /= 2;
    }
}

/// The correlation of neighbours; none where all are equal.
fn neighbours(parts: &[f64]) -> f64 {
    let mean = parts.iter().sum::<f64>() / parts.len() as f64;
    let squares: f64 = parts.iter().map(|part| (part - mean).powi(2)).sum();
    let products: f64 = parts.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    if squares > 0.0 { products / squares } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Waiting times of M/M/1 at a load, by Lindley's recursion: what follows a long wait is long.
    fn waits(seed: u64, load: f64, queries: usize) -> Vec<SimDuration> {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut exponential = move |mean: f64| -mean * (1.0 - chance.random::<f64>()).ln();
        let mut wait = 0.0_f64;
        (0..queries)
            .map(|_| {
                wait = (wait + exponential(load) - exponential(1.0)).max(0.0);
                SimDuration::from_secs_f64(1.0 + wait)
            })
            .collect()
    }

    /// 200 runs made anew: about 95 in a hundred of their p99 lie in the interval that one other run
    /// gives; of half the runs' own intervals the truth is inside in 90 to 99.
    #[test]
    fn intervals_hold_what_other_runs_say() {
        for (load, queries) in [(0.3, 20_000), (0.8, 100_000)] {
            let p99 = |run: &[SimDuration]| {
                let mut run = run.to_vec();
                run.sort_unstable();
                run[run.len() * 99 / 100 - 1].as_secs_f64()
            };
            // The wait beyond 1 is exponential with rate 1 / load - 1: P(W > w) = load exp(-w (1/load - 1)).
            let truth = 1.0 + (load / 0.01_f64).ln() / (1.0 / load - 1.0);
            let inside = (0..200).filter(|&seed| {
                let run = waits(seed, load, queries);
                let (low, high) = interval_95(&run, 0.99, queries as u64).unwrap();
                let found = p99(&run);
                (found * low..=found * high).contains(&truth)
            });
            let inside = inside.count();
            // Binomial, 200 at 95 %: 190, give or take three standard deviations of 3.1.
            assert!((180..=199).contains(&inside), "{load}: {inside} of 200");
        }
    }

    /// Four times the queries: half the interval.
    #[test]
    fn a_longer_run_is_surer() {
        let run = waits(1, 0.5, 50_000);
        let width = |queries: u64| {
            let (low, high) = interval_95(&run, 0.9, queries).unwrap();
            (high / low).ln()
        };
        let ratio = width(50_000) / width(200_000);
        assert!((1.7..2.3).contains(&ratio), "{ratio}");
        assert_eq!(interval_95(&run[..20], 0.9, 100), None);
    }

    #[test]
    fn ten_beyond_are_asked_for() {
        assert!(is_scored(1000, 0.99) && !is_scored(999, 0.99) && is_scored(100, 0.9));
    }
}
