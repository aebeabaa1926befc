//! The border of VALID: the highest rate at which every Server VM of an experiment is VALID.
//!
//! Nothing is assumed about the rates in between: where full batches, timeouts or counts make low
//! rates INVALID, the VALID rates are an interval, or several. So short runs try all rates first;
//! the answer is a bracket of two runs of full length, the lower VALID and the upper not. A second
//! border within one step of the grid is not searched.

use super::probe::{Judgement, Length, Prober, ShortRun};
use super::scan::{Region, Scan};
use super::system::LoadPoint;
use crate::platform::Meter;
use crate::spec::Experiment;
use serde::Serialize;

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct CapacitySearch {
    /// The search ends when the VALID and the INVALID rate are this close, relative to the rate.
    pub precision: f64,
}

/// Callbacks that follow a search and may end it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called with each rate that is tried, of all Server VMs together, per second.
    pub tell: &'a (dyn Fn(f64) + Sync),
    /// Returns true if the search is to end with its present answer.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl Watch<'_> {
    /// No callbacks.
    pub const NOBODY: Watch<'static> = Watch { tell: &|_| {}, stop: &|| false };
}

/// How a search ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It found the answer.
    #[default]
    Complete,
    /// It reached the limit on simulated work.
    Work,
    /// It was stopped.
    Stopped,
}

/// One end of the rates that were tried.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RangeEnd {
    /// The rate of all Server VMs together, per second.
    pub rate_per_s: f64,
    /// The rules that fail there, and the cause where it is clear; nothing where it is VALID.
    pub failed: Vec<String>,
}

/// The rates that a search tried.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SearchRecord {
    /// The lowest rate.
    pub lowest: RangeEnd,
    /// The highest rate.
    pub highest: RangeEnd,
    /// How many rates, by short runs.
    pub runs_short: u32,
    /// How many runs of full length.
    pub runs_full: u32,
    /// The highest sustained rate of the cards, of all Server VMs together, per second: the rate
    /// they completed at the lowest rate at which the system fell behind.
    pub saturation_per_s: f64,
    /// Where no rate is VALID: the rate with the fewest late queries.
    pub nearest: Option<RangeEnd>,
    /// Further VALID ranges below that of the answer, by short runs.
    pub also_valid_per_s: Vec<[f64; 2]>,
}

/// The result of a search; the default is that no rate is VALID.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Limit {
    /// The highest VALID rate of all Server VMs together, per second; 0 when none is.
    pub rate: f64,
    /// The lowest rate from which all rates up to `rate` are VALID; nothing where low rates are
    /// VALID, too.
    pub lowest: Option<f64>,
    /// The rules that fail just above it, by VM; empty when none does.
    pub failed: Vec<String>,
    /// Whether every rate up to the highest that was tried is VALID, so that `rate` is not a
    /// border.
    pub is_open: bool,
    /// Whether `rate` was VALID in a run of full length; in a search that was ended early, perhaps
    /// only short runs showed it.
    pub is_confirmed: bool,
    /// How the search came to its end.
    pub ended: Ended,
    /// The rates that were tried; nothing for a search that began where another had ended.
    pub looked: Option<SearchRecord>,
    /// The results of the runs of full length that were not given up, in the order of their rates.
    pub seen: Vec<LoadPoint>,
}

/// The most events and answered samples of one search: some minutes.
pub(super) const WORK_MOST: u64 = 2_000_000_000;

/// As long as a run of full length is several times longer still, a longer short one pays.
const FULL_OVER_STAGE: f64 = 4.0;

/// A step away from a rate is at most this part of it: a step of the grid.
const REACH: f64 = 0.19;

/// The first step from a rate whose next neighbours in a scan four times as fine are INVALID.
const FINEST_STEP: f64 = 0.01;

/// The lower border need not be known more finely.
const LOWER_PRECISION: f64 = 0.01;

/// So far from where a border is thought to be it is looked for at full length.
const NEAR: f64 = 0.3;

/// The highest VALID rate of an experiment; `near` is a guess.
pub(super) fn limit_near(
    experiment: &Experiment,
    search: CapacitySearch,
    near: Option<f64>,
    watch: Watch<'_>,
) -> Limit {
    let mut prober = Prober::new(experiment, Meter::new(WORK_MOST, watch.stop), watch.tell);
    found(&mut prober, search, near)
}

/// The highest VALID rate as far as so many events and answered samples find it.
pub(super) fn limit_within(experiment: &Experiment, search: CapacitySearch, most: u64) -> Limit {
    let Watch { tell, stop } = Watch::NOBODY;
    found(&mut Prober::new(experiment, Meter::new(most, stop), tell), search, None)
}

fn found(prober: &mut Prober<'_>, search: CapacitySearch, near: Option<f64>) -> Limit {
    assert!(search.precision > 0.0, "a precision of {}", search.precision);
    let mut limit = near
        .filter(|near| *near > 0.0)
        .and_then(|near| close_by(prober, near, search.precision))
        .unwrap_or_else(|| everywhere(prober, search.precision));
    limit.seen = std::mem::take(&mut prober.seen);
    limit.seen.sort_by(|one, two| one.asked_per_s.total_cmp(&two.asked_per_s));
    limit
}

/// The border where it is thought to be, by runs of full length; nothing when it is elsewhere.
fn close_by(prober: &mut Prober<'_>, near: f64, precision: f64) -> Option<Limit> {
    let bounds = [near * (1.0 - NEAR), near * (1.0 + NEAR)];
    let start = Start { near, step: precision, bounds };
    let found = bracket(prober, start, precision, Side::Upper, Length::Full);
    let rate = found.valid?;
    (found.invalid.is_some() || prober.is_spent()).then(|| Limit {
        rate,
        is_confirmed: true,
        ended: ended(prober),
        failed: std::mem::take(&mut prober.failed),
        ..Limit::default()
    })
}

/// The border, from a look at all rates.
fn everywhere(prober: &mut Prober<'_>, precision: f64) -> Limit {
    let mut limit = Limit::default();
    if prober.find_saturation().is_none() {
        return Limit { ended: ended(prober), ..limit };
    }
    let mut scan = prober.scan();
    let (mut tried, mut is_widened) = (Vec::new(), false);
    loop {
        let open = scan.regions().into_iter().find(|region| !tried.contains(&key(&scan, *region)));
        let Some(region) = open else {
            // Nothing yet: perhaps where queries hardly ever meet.
            if is_widened || prober.is_spent() {
                break;
            }
            is_widened = true;
            prober.scan_further_down(&mut scan);
            continue;
        };
        tried.push(key(&scan, region));
        let mut found = upper(prober, &scan, region, precision);
        if found.valid.is_none() && !prober.is_spent() {
            found = patiently(prober, &scan, region, precision);
        }
        let by_scan = scan.valid_in(region).next_back();
        if let Some(rate) = found.valid {
            limit = Limit { rate, is_confirmed: true, ..limit };
            limit.is_open = found.invalid.is_none() && !prober.is_spent();
            if !limit.is_open {
                limit.failed = std::mem::take(&mut prober.failed);
            }
            limit.lowest = lower(prober, &scan, region, rate, precision);
            break;
        }
        if prober.is_spent() {
            limit.rate = by_scan.unwrap_or(0.0);
            break;
        }
    }
    if limit.rate == 0.0 {
        limit.failed = scan.nearest().map_or(Vec::new(), |look| look.failed.clone());
    }
    limit.ended = ended(prober);
    limit.looked = looked(prober, &scan, &limit);
    limit
}

/// A region is known by its rates: places in a scan move when it goes further down.
fn key(scan: &Scan, region: Region) -> [u64; 2] {
    [region.first, region.last].map(|index| scan.looks[index].rate.to_bits())
}

/// The upper border of a region; no VALID rate where longer runs find none.
fn upper(prober: &mut Prober<'_>, scan: &Scan, region: Region, precision: f64) -> Bracket {
    let mut near = match scan.valid_in(region).next_back() {
        Some(rate) => rate,
        None => match most_valid(prober, scan, region) {
            Some(rate) => rate,
            None => return Bracket::default(),
        },
    };
    let next = scan
        .looks
        .iter()
        .find(|look| look.rate > near)
        .map_or(REACH, |look| look.rate / near - 1.0);
    let bounds = [scan.looks[region.first].rate / (1.0 + REACH), f64::INFINITY];
    let bounds = [bounds[0], scan.looks[scan.looks.len() - 1].rate.max(near) * (1.0 + REACH)];
    let mut step = next.max(precision);
    let mut stage = 1;
    while is_worth(prober, near, stage) {
        let start = Start { near, step, bounds };
        let fine = precision.max(prober.noise(near, stage));
        let found = bracket(prober, start, fine, Side::Upper, Length::Short(stage));
        match found.valid {
            Some(rate) => (near, step) = (rate, fine),
            None => return Bracket::default(),
        }
        stage += 1;
    }
    bracket(prober, Start { near, step, bounds }, precision, Side::Upper, Length::Full)
}

/// Whether short runs of this stage are much shorter than those of full length.
fn is_worth(prober: &Prober<'_>, rate: f64, stage: u32) -> bool {
    FULL_OVER_STAGE * prober.part(rate, stage) <= 1.0
}

/// The upper border of a region in which following one rate found nothing: all rates between those of
/// the grid are looked at by longer and longer runs, until they are plainly INVALID or of full length.
fn patiently(prober: &mut Prober<'_>, scan: &Scan, region: Region, precision: f64) -> Bracket {
    /// Late queries come in bursts, so that their number scatters more than that of single ones.
    const DEVIATIONS: f64 = 6.0;
    let mut rates = Prober::between(scan, region);
    let highest = scan.looks[scan.looks.len() - 1].rate;
    let mut stage = 1;
    while rates.first().is_some_and(|rate| is_worth(prober, *rate, stage)) {
        let mut left = Vec::new();
        for rate in rates {
            let most = 1.0 + DEVIATIONS * prober.late_noise(rate, stage);
            match prober.look(rate, stage) {
                Some(look) if look.judgement == Judgement::Valid || look.late < most => {
                    left.push(rate)
                }
                Some(_) => {}
                None => return Bracket::default(),
            }
        }
        rates = left;
        stage += 1;
    }
    for near in rates.into_iter().rev() {
        match prober.is_valid(near, Length::Full) {
            Some(true) => {
                let bounds = [near, highest.max(near) * (1.0 + REACH)];
                let step = precision.max(FINEST_STEP);
                return bracket(
                    prober,
                    Start { near, step, bounds },
                    precision,
                    Side::Upper,
                    Length::Full,
                );
            }
            Some(false) => {}
            None => return Bracket::default(),
        }
    }
    Bracket::default()
}

/// In a region that is nearly VALID: a rate between those of the grid that is VALID, or nearest to it.
fn most_valid(prober: &mut Prober<'_>, scan: &Scan, region: Region) -> Option<f64> {
    /// Beyond so many times the late queries that are allowed, longer runs will not find it VALID.
    const HOPELESS: f64 = 1.3;
    let mut best: Option<ShortRun> = None;
    for rate in Prober::between(scan, region).into_iter().rev() {
        let look = prober.look(rate, 1)?;
        if look.judgement == Judgement::Valid {
            return Some(rate);
        }
        if look.judgement == Judgement::Doubtful
            && best.as_ref().is_none_or(|best| look.late < best.late)
        {
            best = Some(look);
        }
    }
    best.filter(|look| look.late < HOPELESS).map(|look| look.rate)
}

/// The lower border of the region whose upper one is `rate`; nothing where the scan begins with it.
fn lower(
    prober: &mut Prober<'_>,
    scan: &Scan,
    region: Region,
    rate: f64,
    precision: f64,
) -> Option<f64> {
    if region.first == 0 {
        return None;
    }
    let mut near = scan.valid_in(region).next().map_or(rate, |first| first.min(rate));
    let bounds = [scan.looks[region.first - 1].rate, rate];
    let mut step = REACH;
    let fine = precision.max(LOWER_PRECISION);
    let mut stage = 1;
    while is_worth(prober, near, stage) && prober.noise(near, stage - 1) > fine {
        let at = fine.max(prober.noise(near, stage));
        let start = Start { near, step, bounds };
        let found = bracket(prober, start, at, Side::Lower, Length::Short(stage));
        (near, step) = (found.valid?, at);
        stage += 1;
    }
    if !prober.ends_in_time(near, Length::Full) {
        return Some(near);
    }
    // What fails below is not what fails above.
    let failed = std::mem::take(&mut prober.failed);
    let found = bracket(prober, Start { near, step, bounds }, fine, Side::Lower, Length::Full);
    prober.failed = failed;
    Some(found.valid.unwrap_or(rate))
}

/// What was looked at, for people.
fn looked(prober: &Prober<'_>, scan: &Scan, limit: &Limit) -> Option<SearchRecord> {
    let end = |look: &ShortRun| RangeEnd { rate_per_s: look.rate, failed: look.failed.clone() };
    let (lowest, highest) = (scan.looks.first()?, scan.looks.last()?);
    let below = limit.lowest.unwrap_or(0.0);
    let also = scan.regions().into_iter().rev().filter_map(|region| {
        let (first, last) = (scan.valid_in(region).next()?, scan.valid_in(region).next_back()?);
        (last < below).then_some([first, last])
    });
    Some(SearchRecord {
        lowest: end(lowest),
        highest: end(highest),
        runs_short: prober.runs_short,
        runs_full: prober.runs_full,
        saturation_per_s: prober.cards_do,
        nearest: (limit.rate == 0.0).then(|| scan.nearest().map(end)).flatten(),
        also_valid_per_s: also.collect(),
    })
}

fn ended(prober: &Prober<'_>) -> Ended {
    match prober.is_spent() {
        false => Ended::Complete,
        true if prober.is_used_up() => Ended::Work,
        true => Ended::Stopped,
    }
}

/// Which border of a region is searched: beyond the upper one higher rates are INVALID, beyond the
/// lower one lower rates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Upper,
    Lower,
}

impl Side {
    /// A rate further out than this one.
    fn outward(self, rate: f64, times: f64) -> f64 {
        if self == Side::Upper { rate * times } else { rate / times }
    }

    /// A rate further in.
    fn inward(self, rate: f64, times: f64) -> f64 {
        if self == Side::Upper { rate / times } else { rate * times }
    }
}

/// Where to begin: a rate, the first step away from it, and the rates beyond which nothing is tried.
#[derive(Clone, Copy, Debug)]
struct Start {
    near: f64,
    step: f64,
    bounds: [f64; 2],
}

/// The VALID rate and the INVALID one beyond it that were found.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Bracket {
    valid: Option<f64>,
    invalid: Option<f64>,
}

/// A VALID rate and an INVALID one beyond it, `precision` apart or closer: from `start` by steps that
/// grow, then by halves. As far as it came, where no more may be simulated.
fn bracket(
    prober: &mut Prober<'_>,
    start: Start,
    precision: f64,
    side: Side,
    length: Length,
) -> Bracket {
    narrow(start, precision, side, &mut |rate| prober.is_valid(rate, length))
}

fn narrow(
    start: Start,
    precision: f64,
    side: Side,
    valid_at: &mut impl FnMut(f64) -> Option<bool>,
) -> Bracket {
    let mut found = Bracket::default();
    let [low, high] = start.bounds;
    let mut wider = 1.0;
    loop {
        let rate = match (found.valid, found.invalid) {
            (None, None) => start.near,
            (Some(valid), None) => side.outward(valid, wider),
            (None, Some(invalid)) => side.inward(invalid, wider),
            (Some(valid), Some(invalid)) if (invalid - valid).abs() > precision * valid => {
                (valid + invalid) / 2.0
            }
            _ => return found,
        };
        if !(low..=high).contains(&rate) {
            return found;
        }
        match valid_at(rate) {
            Some(true) => found.valid = Some(rate),
            Some(false) => found.invalid = Some(rate),
            None => return found,
        }
        // A hair less than the step, so that a bracket of one step is narrow enough; never further
        // than the grid, or it could pass over what is VALID.
        let step = if wider == 1.0 { 0.99 * start.step } else { 2.0 * (wider - 1.0) };
        wider = 1.0 + step.min(REACH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A border at 0.37 is found from anywhere within reach, to the precision, on its own side and
    /// never beyond; close by in two or three tries.
    #[test]
    fn a_border_is_found_from_near_and_far() {
        for (side, near, step, most) in [
            (Side::Upper, 1.0, 0.05, 20),
            (Side::Upper, 0.37, 0.005, 2),
            (Side::Upper, 0.372, 0.005, 4),
            (Side::Lower, 0.1, 0.05, 20),
            (Side::Lower, 0.37, 0.005, 2),
        ] {
            let mut tries = 0;
            let start = Start { near, step, bounds: [1e-3, 1e3] };
            let found = narrow(start, 0.005, side, &mut |rate| {
                tries += 1;
                Some(if side == Side::Upper { rate <= 0.37 } else { rate >= 0.37 })
            });
            let (valid, invalid) = (found.valid.unwrap(), found.invalid.unwrap());
            let inside = if side == Side::Upper {
                valid <= 0.37 && invalid > 0.37
            } else {
                valid >= 0.37 && invalid < 0.37
            };
            assert!(inside && (invalid - valid).abs() <= 0.005 * valid, "{valid} {invalid}");
            assert!(tries <= most, "{tries} tries from {near}");
        }
        let start = Start { near: 1.0, step: 0.05, bounds: [0.5, 2.0] };
        let none = narrow(start, 0.01, Side::Upper, &mut |_| Some(false));
        assert!(none.valid.is_none() && none.invalid.unwrap() < 0.7);
        let all = narrow(start, 0.01, Side::Upper, &mut |_| Some(true));
        assert!(all.invalid.is_none() && all.valid.unwrap() > 1.6);
    }
}
