//! What batch times on a whole GPU imply about phi: the least part of a batch that may fill the
//! GPU.
//!
//! The value of phi itself is not found here; that takes a run on a slice or with batches side by
//! side.

use super::{PhiTable, ServiceTime};
use crate::units::Share;

/// The most by which batches side by side are faster than one batch of all their samples: the
/// highest ratio that was measured, with two and four at once, on an H100 and an H200, is 1.08
/// (`tests/measured/streams.csv`, `tests/measured/h200/cases.csv`).
pub const BESIDE_OVER_ONE: f64 = 1.08;

impl ServiceTime {
    /// The least phi at which parts of the GPU together are no faster than the whole, by batch size; nothing
    /// where only one batch size has a time.
    ///
    /// With `t(b)` the time of a batch and `x` the parts, each as large as the next, that make a GPU,
    ///
    /// ```text
    /// launch + work(b) (1 + phi (x - 1)) >= t(x b) / 1.08       for every x > 1
    /// ```
    ///
    /// Between two sizes of the table t is a straight line, so that the tightest x leads to one of its sizes,
    /// or beyond them all: there a sample more is taken to cost what it does on average from the first size
    /// to the last (times of larger batches rise faster, as far as they were measured).
    pub fn least_phi(&self) -> Option<PhiTable> {
        let points = self.work.value.points();
        let launch = self.launch.value.as_nanos_f64();
        let [(first, least), .., (last, most)] = points else { return None };
        let slope = (most.as_nanos_f64() - least.as_nanos_f64()) / f64::from(last - first);
        let found = points.iter().enumerate().map(|(index, &(size, work))| {
            let (batch, work) = (f64::from(size), work.as_nanos_f64());
            let larger = points[index + 1..].iter().map(|&(other, time)| {
                let together = (launch + time.as_nanos_f64()) / BESIDE_OVER_ONE;
                (together - launch - work) / (f64::from(other) / batch - 1.0)
            });
            let filling = larger.fold(slope * batch / BESIDE_OVER_ONE, f64::max);
            // Up, so that rounding gives nothing away.
            let phi = (filling / work * 1e3).ceil() / 1e3;
            (size, Share::clamped(phi))
        });
        Some(PhiTable::new(found.collect()).expect("sizes of a table rise"))
    }

    /// The value of phi that is assumed where only times of single batches are known: the geometric
    /// mean of its ends. Times of the 46 pairs and fours that were measured come out 5.5 % off in
    /// the median, 31 % at worst, neither long nor short.
    pub fn likely_phi(&self) -> Option<PhiTable> {
        let least = self.least_phi()?;
        let middle = |phi: Share| (phi.get().sqrt() * 1e3).round() / 1e3;
        let points = least.points().iter().map(|&(size, phi)| {
            (size, Share::new(middle(phi)).expect("the root of a share is one"))
        });
        Some(PhiTable::new(points.collect()).expect("sizes of a table rise"))
    }

    /// The range of phi: the one that its file states; where phi was not measured, the range that
    /// batch times leave possible, with the assumed value; nothing where phi was measured.
    pub fn phi_range(&self) -> Option<[PhiTable; 2]> {
        let open = || {
            let least = self.least_phi().unwrap_or_else(|| PhiTable::constant(Share::NONE));
            [least.lower(&self.phi.value), PhiTable::constant(Share::WHOLE)]
        };
        let unmeasured = self.phi.standing == super::Standing::Assumed;
        self.phi.range.clone().or_else(|| unmeasured.then(open))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fact, WorkTable};
    use super::*;
    use crate::units::SimDuration;
    use proptest::prelude::*;

    fn service(launch: u64, times: &[(u32, u64)]) -> ServiceTime {
        let us = SimDuration::from_micros;
        let work = times.iter().map(|&(size, time)| (size, us(time))).collect();
        ServiceTime {
            launch: Fact::assumed(us(launch), ""),
            host_floor: Fact::assumed(SimDuration::ZERO, ""),
            phi: Fact::assumed(PhiTable::constant(Share::WHOLE), ""),
            phi_limit: None,
            slice: None,
            spread: Fact::assumed(Share::NONE, ""),
            work: Fact::assumed(WorkTable::new(work).unwrap(), ""),
            boost: Fact::assumed(1.0, ""),
            watts_per_sm: None,
            machines: None,
            alternatives: Vec::new(),
            scaled: None,
        }
    }

    /// 2 ms and 1.3 ms a sample. Of one: a sample more costs 1.3, over 1.08 and 3.3 ms 0.365, and all 16 together
    /// ask for less: (22.8 / 1.08 - 3.3) / 15 = 1.187 of 3.3 ms. Of 16: 1.3 x 16 / 1.08 of 22.8 ms.
    #[test]
    fn parts_are_no_faster_than_the_whole() {
        let times = [(1, 3300), (2, 4600), (16, 22_800)];
        let least = service(0, &times).least_phi().unwrap();
        let told: Vec<(u32, f64)> =
            least.points().iter().map(|&(size, phi)| (size, phi.get())).collect();
        assert_eq!(told, [(1, 0.365), (2, 0.524), (16, 0.845)]);
        // With the launch apart all work is in proportion: 1 over 1.08.
        let apart = service(2000, &times.map(|(size, time)| (size, time - 2000)));
        let phis = apart.least_phi().unwrap();
        assert!(phis.points().iter().all(|(_, phi)| (0.925..0.927).contains(&phi.get())));
        assert_eq!(service(0, &times[..1]).least_phi(), None);
        let [low, high] = service(0, &times[..1]).phi_range().unwrap();
        assert_eq!([low, high], [Share::NONE, Share::WHOLE].map(PhiTable::constant));
    }

    proptest! {
        /// At the least phi, parts of a GPU that are all busy do at most 1.08 times what the best batch of
        /// the table does alone, or what larger ones would if a sample more went on costing what it costs.
        #[test]
        fn all_parts_together_never_beat_the_table(
            first in 1..4_u32,
            steps in prop::collection::vec((1..40_u32, 0..40_000_u64), 1..7),
            start in 100..20_000_u64,
            parts in 1.01..64.0_f64,
        ) {
            let mut times = vec![(first, start)];
            for (size, time) in steps {
                let (last, longest) = times[times.len() - 1];
                times.push((last + size, longest + time));
            }
            let service = service(0, &times);
            let least = service.least_phi().unwrap();
            let work = &service.work.value;
            let (last, most) = times[times.len() - 1];
            let slope = (most - start) as f64 / f64::from(last - first);
            let rate = |&(size, time): &(u32, u64)| f64::from(size) / time as f64;
            let best = times.iter().map(rate).fold(1.0 / slope, f64::max);
            for &(size, _) in &times {
                let time = work.at(size) / 1e3 * (1.0 + least.at(size) * (parts - 1.0));
                let together = parts * f64::from(size) / time;
                prop_assert!(together <= best * BESIDE_OVER_ONE * (1.0 + 1e-9), "{size}: {together}, {best}");
            }
        }
    }
}
