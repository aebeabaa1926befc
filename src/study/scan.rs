//! The scan of all rates: short runs from rates at which queries hardly meet to rates beyond the
//! cards' throughput.
//!
//! Rates are on one fixed grid, so that the rate in the file does not change an answer. The border
//! between two of them is found in `border`.

use super::probe::{Judgement, Prober, ShortRun};
use super::variant::is_server;

/// The grid: so many rates from one to its double, where it is finest.
const PER_DOUBLE: i32 = 16;

/// Steps of the grid below what the cards can do for long, and those further down.
const COARSE: i32 = 4;
const COARSEST: i32 = 16;

/// Rates looked at when all are VALID end at so many times what the cards can do.
const TOP_MOST: f64 = 16.0;

/// The rate of a place on the grid, per second.
fn grid(place: i32) -> f64 {
    (f64::from(place) / f64::from(PER_DOUBLE)).exp2()
}

/// The place at a rate or just below it.
fn place(rate: f64) -> i32 {
    (rate.log2() * f64::from(PER_DOUBLE)).floor() as i32
}

/// The rates that were tried, in rising order.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    pub(super) looks: Vec<ShortRun>,
}

/// Neighbouring rates of a scan that may all be VALID: the first and the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Region {
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Scan {
    /// The regions of rates that are not clearly INVALID, the highest first.
    pub(super) fn regions(&self) -> Vec<Region> {
        let mut regions: Vec<Region> = Vec::new();
        for (index, _) in
            self.looks.iter().enumerate().filter(|(_, look)| look.judgement != Judgement::Invalid)
        {
            match regions.last_mut() {
                Some(region) if region.last + 1 == index => region.last = index,
                _ => regions.push(Region { first: index, last: index }),
            }
        }
        regions.reverse();
        regions
    }

    /// The rates of a region that were VALID, in rising order.
    pub(super) fn valid_in(&self, region: Region) -> impl DoubleEndedIterator<Item = f64> + '_ {
        let looks = &self.looks[region.first..=region.last];
        looks.iter().filter(|look| look.judgement == Judgement::Valid).map(|look| look.rate)
    }

    /// The rate that is nearest to VALID.
    pub(super) fn nearest(&self) -> Option<&ShortRun> {
        let finite = self.looks.iter().filter(|look| look.late.is_finite());
        finite.min_by(|one, other| one.late.total_cmp(&other.late))
    }

    /// Adds looks, keeping the order of rates.
    fn add(&mut self, look: ShortRun) {
        let index = self.looks.partition_point(|other| other.rate < look.rate);
        self.looks.insert(index, look);
    }
}

impl Prober<'_> {
    /// Finds the highest sustained rate of the cards on the grid, from the rates at which the
    /// system falls behind.
    pub(super) fn find_saturation(&mut self) -> Option<()> {
        /// Doublings either way: nothing is faster or slower by more.
        const DOUBLINGS: i32 = 60;
        let mut low = place(10.0 / self.bound()).div_euclid(PER_DOUBLE) * PER_DOUBLE;
        let mut high = low + PER_DOUBLE;
        let floor = low - DOUBLINGS * PER_DOUBLE;
        while low > floor && self.is_overloaded(grid(low))? {
            (low, high) = (low - PER_DOUBLE, low);
        }
        let ceiling = high + DOUBLINGS * PER_DOUBLE;
        while high < ceiling && !self.is_overloaded(grid(high))? {
            (low, high) = (high, high + PER_DOUBLE);
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.is_overloaded(grid(middle))? { high = middle } else { low = middle }
        }
        self.saturation = grid(low);
        Some(())
    }

    /// The shortest bound of the Server VMs, in seconds.
    fn bound(&self) -> f64 {
        let vms = self.experiment.vms.iter().filter(is_server);
        let bounds = vms.map(|vm| vm.load.settings.target_latency.as_secs_f64());
        bounds.fold(f64::INFINITY, f64::min).max(1e-9)
    }

    /// Tries all rates; returns those that were tried before the limit on work.
    pub(super) fn scan(&mut self) -> Scan {
        let mut scan = Scan::default();
        let lowest = self.first_place();
        let knee = place(self.saturation / 2.0);
        let high = place(1.5 * self.saturation);
        let top = place(1.25 * self.saturation * self.beyond_saturation()).max(high);
        let low = (lowest..knee).step_by(COARSE as usize);
        let above = (high..=top).skip(1).step_by(COARSE as usize);
        for at in low.chain(knee.max(lowest)..=high).chain(above) {
            if !self.look_at(at, &mut scan) {
                return scan;
            }
        }
        // A run that is too short for its bound stays VALID however much it is asked.
        let most = place(TOP_MOST * self.saturation);
        let mut at = top;
        while at < most && scan.looks.last().is_some_and(|look| look.judgement == Judgement::Valid)
        {
            at += COARSE;
            if !self.look_at(at, &mut scan) {
                break;
            }
        }
        scan
    }

    /// Tries lower rates, at which queries hardly ever meet.
    pub(super) fn scan_further_down(&mut self, scan: &mut Scan) {
        let allowed = self
            .experiment
            .vms
            .iter()
            .filter(is_server)
            .map(|vm| 1.0 - vm.load.settings.percentile / 100.0);
        let allowed = allowed.fold(1.0, f64::min).max(1e-6);
        let first = self.first_place();
        let lowest =
            place(0.1 * allowed / self.bound()).min(place(self.saturation * allowed / 16.0));
        for at in (lowest..first).rev().step_by(COARSEST as usize) {
            if !self.ends_in_time(grid(at), super::probe::Length::Short(0))
                || !self.look_at(at, scan)
            {
                break;
            }
        }
    }

    /// Where the scan begins: hardly any query meets another within its bound, nor the work of one.
    fn first_place(&self) -> i32 {
        place(0.1 / self.bound()).min(place(self.saturation / 16.0))
    }

    /// CountRuns at a place of the grid; false when no more may be simulated.
    fn look_at(&mut self, at: i32, scan: &mut Scan) -> bool {
        if !self.ends_in_time(grid(at), super::probe::Length::Short(0)) {
            return true;
        }
        match self.look(grid(at), 0) {
            Some(look) => {
                scan.add(look);
                true
            }
            None => false,
        }
    }

    /// By how much a run may be asked more than the cards can do and still end before too many are
    /// late. With n queries at r per second over a saturation of s, the last part 1 - p of them is
    /// late when p n (1 / s - 1 / r) exceeds the bound; n is r times the duration, or the least count.
    fn beyond_saturation(&self) -> f64 {
        let most = self.servers(self.saturation).map(|(_, vm, own)| {
            let settings = &vm.load.settings;
            let bound = settings.target_latency.as_secs_f64() * 100.0 / settings.percentile;
            let span = settings.min_duration.as_secs_f64();
            let by_duration = if span > 0.0 { 1.0 + bound / span } else { f64::INFINITY };
            let part = bound * own / super::probe::queries_at_least(vm);
            let by_count = if part < 1.0 { 1.0 / (1.0 - part) } else { f64::INFINITY };
            by_duration.min(by_count)
        });
        most.fold(f64::INFINITY, f64::min).min(TOP_MOST / 1.25)
    }

    /// Rates between those of a region and its neighbours, four times as fine.
    pub(super) fn between(scan: &Scan, region: Region) -> Vec<f64> {
        let first = region.first.saturating_sub(1);
        let last = (region.last + 1).min(scan.looks.len() - 1);
        let pairs = scan.looks[first..=last].windows(2);
        let rates = pairs.flat_map(|pair| {
            let (low, ratio) = (pair[0].rate, pair[1].rate / pair[0].rate);
            (1..=4).map(move |step| low * ratio.powf(f64::from(step) / 4.0))
        });
        let own = scan.looks.get(region.first).map(|look| look.rate);
        if last == first { own.into_iter().collect() } else { rates.collect() }
    }
}
