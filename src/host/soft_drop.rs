//! `SoftDrop`: sets the oldest queries of the heaviest batches aside until the end of the run.
//!
//! NVIDIA's BERT harness does so where its `soft_drop` is below 1 (MLPerf Inference results, code
//! of harness_bert): one query in a hundred may be late, no matter by how much, so the queries set
//! aside can wait until the end. It decides nothing about the order of the others.

use crate::loadgen::Query;
use crate::units::Share;

/// The queries that a guest sets aside.
#[derive(Debug)]
pub struct SoftDrop {
    /// The part of all samples to set aside, above 0.
    dropped: f64,
    /// The part of all samples that may be late at most: the harness sets no more aside.
    limit: f64,
    /// A batch of more work than this, in mean queries, is heavy.
    threshold: f64,
    seen: u64,
    aside: Vec<Query>,
}

impl SoftDrop {
    /// Keeps the share `kept` of all samples in the run, in batches of at most `batch_max`, where
    /// `percentile` percent must be in time; nothing if all are kept.
    pub fn new(kept: Share, batch_max: u32, percentile: f64) -> Option<Self> {
        let dropped = 1.0 - kept.get();
        (dropped > 0.0).then(|| Self {
            dropped,
            limit: 1.0 - percentile / 100.0,
            threshold: f64::from(batch_max),
            seen: 0,
            aside: Vec::new(),
        })
    }

    /// Takes the oldest queries out of a heavy batch, until it is no longer heavy or has one query
    /// left.
    ///
    /// The threshold is adjusted so that the share set aside tends to the wanted one: it rises by a
    /// step with each query set aside, and falls with each that is kept. Steps shrink as the run
    /// goes on (Robbins and Monro, 1951), down to one that still follows a change of load.
    pub fn screen(&mut self, batch: &mut Vec<Query>) {
        /// The least step: how far one query set aside moves the threshold, relative to it.
        const STEP: f64 = 1e-3;
        self.seen += batch.len() as u64;
        let allowed = (self.seen as f64 * self.limit) as usize;
        let mut work: f64 = batch.iter().map(|query| f64::from(query.size)).sum();
        let mut heavy = 0;
        while work > self.threshold && heavy + 1 < batch.len() && self.aside.len() + heavy < allowed
        {
            work -= f64::from(batch[heavy].size);
            heavy += 1;
        }
        let kept = batch.len() - heavy;
        self.aside.extend(batch.drain(..heavy));
        // Where the share set aside is the one wanted, both movements cancel.
        let drift = heavy as f64 * (1.0 - self.dropped) - kept as f64 * self.dropped;
        let step = (0.5 / (self.dropped * self.seen as f64)).clamp(STEP, 0.1);
        self.threshold *= 1.0 + step * drift;
    }

    /// The queries that are set aside.
    pub fn aside(&self) -> &[Query] {
        &self.aside
    }

    /// Takes the queries that were set aside, for the end of the run.
    pub fn take_aside(&mut self) -> Vec<Query> {
        std::mem::take(&mut self.aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::VmId;
    use crate::units::SimTime;

    fn batch(size: f32, count: u64) -> Vec<Query> {
        (0..count)
            .map(|due| Query {
                due: SimTime::from_nanos(due),
                seen: SimTime::from_nanos(due),
                size,
                level: 0,
                step: 0,
                vm: VmId(0),
            })
            .collect()
    }

    #[test]
    fn the_oldest_of_a_heavy_batch_wait_to_the_end() {
        let mut soft = SoftDrop::new(Share::new(0.99).unwrap(), 4, 50.0).unwrap();
        let mut heavy = batch(1.25, 4);
        // 5 mean queries of work, 4 allowed: one of 1.25 goes, the oldest.
        soft.screen(&mut heavy);
        assert_eq!(heavy.len(), 3);
        let aside = soft.take_aside();
        assert_eq!(aside.iter().map(|query| query.due.as_nanos()).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn nothing_is_kept_back_where_all_is_kept() {
        assert!(SoftDrop::new(Share::WHOLE, 64, 99.0).is_none());
    }

    #[test]
    fn the_share_set_aside_is_the_one_asked_for_and_never_beyond_the_percentile() {
        // Weights of batches that repeat 1 to 100: any share can be met by one threshold.
        for (kept, percentile, least, most) in
            [(0.993, 99.0, 0.0065, 0.0075), (0.95, 99.0, 0.0095, 0.01)]
        {
            let mut soft = SoftDrop::new(Share::new(kept).unwrap(), 64, percentile).unwrap();
            let mut seen = 0;
            for round in 0..20_000 {
                let mut queries = batch(1.0 + (round % 100) as f32 / 100.0, 40);
                seen += 40;
                soft.screen(&mut queries);
            }
            let share = soft.take_aside().len() as f64 / f64::from(seen);
            assert!((least..=most).contains(&share), "{share}");
        }
    }
}
