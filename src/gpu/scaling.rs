//! Service times on a GPU that was not measured, scaled from those on another.
//!
//! Every part of a batch's time scales with its own rate. The fixed time of a batch is latency and
//! does not change; reading the weights scales with memory bandwidth; the work in proportion to the
//! size takes
//!
//! ```text
//! work x ((1 - beta) / (rate x clock) + beta / bandwidth)
//! ```
//!
//! with rate, clock and bandwidth relative to those of the GPU that was measured: the peak tensor
//! rate of the workload's precision, the clock that the power limits leave ([`PowerCap`]), the
//! memory's peak bandwidth. beta is the part of a slice's law that scales with memory. How good
//! this is, is measured by leaving each GPU out: `study::validate` predicts published rates by the
//! same code.

use super::PowerCap;
use crate::spec::{
    Fact, GpuSpec, PhiTable, Precision, Scaled, ServiceAlternative, ServiceTime, SliceLaw,
    WorkTable, Workload,
};
use crate::units::{Share, SimDuration};
use std::collections::BTreeSet;

/// Watts that an SM draws at the highest clock, where a workload does not state it: about the
/// middle of BERT (4.29), SSD-ResNet34 (3.61) and ResNet-50 (3.21) on A100 and A30.
pub const WATTS_PER_SM: f64 = 3.6;

/// The part of the work that scales with memory bandwidth, where a workload does not state it: as
/// the catalogue assumes for slices.
pub const BANDWIDTH_PART: f64 = 0.2;

/// What a card draws when idle, over its limit, where nobody has seen it: A100 and A30 have 0.11 to 0.19.
const IDLE_PART: f64 = 0.15;

/// The floor of the voltage where the GPU's file says none: as on A100 and A30.
const VOLTAGE_FLOOR: f64 = 0.79;

/// How similar two GPUs are, for scaling numbers of one to the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Similarity {
    /// The same compute capability, and the clocks that the power limits leave are known for both.
    Clocked,
    /// The same compute capability.
    Capability,
    /// Another compute capability, or none stated.
    Other,
}

impl Similarity {
    /// Every similarity, the nearest first.
    pub const ALL: [Similarity; 3] =
        [Similarity::Clocked, Similarity::Capability, Similarity::Other];

    /// Its name in reports.
    pub fn words(self) -> &'static str {
        match self {
            Similarity::Clocked => "same compute capability, clocks known",
            Similarity::Capability => "same compute capability",
            Similarity::Other => "another compute capability",
        }
    }

    /// Half the width of the interval that holds 90 % of GPUs, on the logarithmic scale: Student's
    /// t times the error of published Offline rates predicted from the nearest GPU of this
    /// similarity (`slicewise validate` prints them, and a test compares them with these).
    pub fn half_width(self) -> f64 {
        match self {
            Similarity::Clocked => 0.095,
            Similarity::Capability => 0.20,
            Similarity::Other => 0.291,
        }
    }
}

/// The properties of a workload that decide how it scales.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WorkKind {
    /// The number format of its matrix products; none counts as FP16.
    pub precision: Option<Precision>,
    /// The part of the work that scales with memory bandwidth.
    pub bandwidth: f64,
    /// Watts that a busy SM draws at the highest clock.
    pub watts_per_sm: f64,
}

impl WorkKind {
    /// That of a workload as it was measured on one GPU.
    pub fn of(precision: Option<Precision>, service: Option<&ServiceTime>) -> Self {
        let law = service.and_then(|service| service.slice.as_ref());
        let watts = service.and_then(|service| service.watts_per_sm.as_ref());
        Self {
            precision,
            bandwidth: law.map_or(BANDWIDTH_PART, |law| law.bandwidth.value.get()),
            watts_per_sm: watts.map_or(WATTS_PER_SM, |watts| watts.value),
        }
    }
}

/// A GPU, or a part of one, at work.
#[derive(Clone, Copy, Debug)]
pub struct Place<'g> {
    /// The GPU.
    pub gpu: &'g GpuSpec,
    /// The part of its SMs.
    pub sms: f64,
    /// The part of its memory bandwidth.
    pub memory: f64,
    /// Its power limit in watts.
    pub limit_w: f64,
    /// Watts that other work on it would draw at the highest clock.
    pub beside_w: f64,
}

impl<'g> Place<'g> {
    /// The whole GPU, with no other work, at the power limit that it is shipped with.
    pub fn whole(gpu: &'g GpuSpec) -> Self {
        Self { gpu, sms: 1.0, memory: 1.0, limit_w: gpu.power_cap_w.value, beside_w: 0.0 }
    }

    /// What its power limit leaves of the highest clock; nothing where what it draws when idle is not known.
    fn clock(&self, watts_per_sm: f64) -> Option<f64> {
        Some(PowerCap::of(self.gpu, self.limit_w)?.clock(self.watts(watts_per_sm)))
    }

    /// The same, idle watts and voltage as usual where they are not known.
    fn clock_at_a_guess(&self, watts_per_sm: f64) -> f64 {
        self.clock(watts_per_sm).unwrap_or_else(|| {
            let room = self.limit_w * (1.0 - IDLE_PART);
            PowerCap::new(room, VOLTAGE_FLOOR).clock(self.watts(watts_per_sm))
        })
    }

    fn watts(&self, watts_per_sm: f64) -> f64 {
        f64::from(self.gpu.sms.value) * self.sms * watts_per_sm + self.beside_w
    }
}

/// One GPU relative to another, for the work of a workload.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ratio {
    /// The rate of the SMs: peak tensor rates, and the part of the SMs.
    pub rate: f64,
    /// Memory bandwidth; half of it counts where the work has to run in a format of twice the bytes.
    pub bandwidth: f64,
    /// The clock that power limits leave; nothing where it is not known for both.
    pub clock: Option<f64>,
    /// The time of a sample in a full batch.
    pub work: f64,
    /// Ends of the interval of `work` that holds 90 % of GPUs.
    pub ends: [f64; 2],
    /// How similar they are.
    pub kinship: Similarity,
}

/// The ratio of `to` to `from`; nothing where the tensor rate of either is not stated.
pub fn ratio(from: &Place<'_>, to: &Place<'_>, kind: &WorkKind) -> Option<Ratio> {
    ratio_with(from, to, kind, true)
}

/// The same, where `with_clocks` says whether power limits count.
pub fn ratio_with(
    from: &Place<'_>,
    to: &Place<'_>,
    kind: &WorkKind,
    with_clocks: bool,
) -> Option<Ratio> {
    let precision = kind.precision.unwrap_or(Precision::Fp16);
    let (own, own_bytes) = peak(from.gpu, precision)?;
    let (other, other_bytes) = peak(to.gpu, precision)?;
    let rate = other * to.sms / (own * from.sms);
    let memory = |place: &Place<'_>| place.gpu.memory_bandwidth.value.get() * place.memory;
    let bandwidth = memory(to) / memory(from) * own_bytes / other_bytes;
    let clock = match (from.clock(kind.watts_per_sm), to.clock(kind.watts_per_sm)) {
        (Some(own), Some(other)) if with_clocks => Some(other / own),
        _ => None,
    };
    let work = |clock: f64| (1.0 - kind.bandwidth) / (rate * clock) + kind.bandwidth / bandwidth;
    let kinship = kinship(from.gpu, to.gpu, clock.is_some());
    let (own, half) = (work(clock.unwrap_or(1.0)), kinship.half_width());
    // Where nobody knows what a card draws, it may run as far below its highest clock as SMs of the other
    // would make it.
    let guess = to.clock_at_a_guess(kind.watts_per_sm) / from.clock_at_a_guess(kind.watts_per_sm);
    let slowest = if clock.is_none() && guess < 1.0 { work(guess) } else { own };
    let ends = [own * (-half).exp(), slowest.max(own * half.exp())];
    Some(Ratio { rate, bandwidth, clock, work: own, ends, kinship })
}

fn kinship(one: &GpuSpec, other: &GpuSpec, clocks_are_known: bool) -> Similarity {
    let number = |gpu: &GpuSpec| gpu.compute_capability.as_ref().map(|number| number.value);
    match number(one).is_some() && number(one) == number(other) {
        true if clocks_are_known => Similarity::Clocked,
        true => Similarity::Capability,
        false => Similarity::Other,
    }
}

/// The rate at which a GPU does work of a precision, in 10^12 per second, and the bytes of a value: of what
/// has no 8-bit rate, or a lower one, in FP16; of what states an 8-bit rate alone, half of that in FP16.
fn peak(gpu: &GpuSpec, precision: Precision) -> Option<(f64, f64)> {
    let rate = |fact: &Option<Fact<f64>>| fact.as_ref().map(|rate| rate.value);
    let (int8, fp16) = (rate(&gpu.tensor_int8_tops), rate(&gpu.tensor_fp16_tflops));
    match (precision, int8, fp16) {
        (Precision::Int8, Some(int8), fp16) if fp16.is_none_or(|fp16| int8 > fp16) => {
            Some((int8, 1.0))
        }
        (_, _, Some(fp16)) => Some((fp16, 2.0)),
        (_, Some(int8), None) => Some((int8 / 2.0, 2.0)),
        _ => None,
    }
}

/// The GPU whose numbers are the best start for `to`: the nearest in similarity, then in rate, then
/// in bandwidth.
pub fn nearest<'g>(
    to: &Place<'_>,
    others: impl IntoIterator<Item = &'g GpuSpec>,
    precision: Option<Precision>,
) -> Option<&'g GpuSpec> {
    let kind = WorkKind::of(precision, None);
    let found = others.into_iter().filter_map(|gpu| {
        let ratio = ratio(&Place::whole(gpu), to, &kind)?;
        Some((gpu, ratio))
    });
    let far = |value: f64| value.ln().abs();
    found
        .min_by(|(one, a), (other, b)| {
            let by = |x: f64, y: f64| far(x).total_cmp(&far(y));
            (a.kinship.cmp(&b.kinship))
                .then(by(a.rate, b.rate))
                .then(by(a.bandwidth, b.bandwidth))
                .then(one.id.cmp(&other.id))
        })
        .map(|(gpu, _)| gpu)
}

/// The service time of a workload on `to`, scaled from that on `from`; nothing where it has none
/// there, or a tensor rate is not stated.
pub fn scaled(workload: &Workload, from: &GpuSpec, to: &GpuSpec) -> Option<ServiceTime> {
    let own = workload.service.get(&from.id)?;
    let kind = WorkKind::of(workload.precision, Some(own));
    let ratio = ratio(&Place::whole(from), &Place::whole(to), &kind)?;
    let law = Law { ratio, read: weight_read(workload, own, from) };
    let by = in_words(&ratio, kind.precision);
    let source = |what: &str, of: &str| format!("scaled from the {}: {what}; there {of}", from.id);
    let launch = law.launch(own.launch.value);
    let quarter = |span: SimDuration| [span.scale(0.8), span.scale(1.25)];
    let latency =
        "latency does not change, weights are read at the memory bandwidth, a quarter is uncertain";
    let work = format!(
        "work in proportion to the batch takes {} times as long ({by}; {} of it scales with \
         bandwidth), the rest is latency and does not change",
        digits(ratio.work),
        kind.bandwidth
    );
    let phi = law.phi(&own.phi.value);
    let [mut low, mut high] = band(&own.phi.value, &phi);
    if let Some([least, most]) = own.phi_range() {
        (low, high) = (low.lower(&least), upper(&high, &most));
    }
    let as_filled = "the part that fills the GPU scales with the work, a tenth is uncertain";
    let slice = own.slice.as_ref().filter(|_| !to.mig_profiles.is_empty());
    let watts = own.watts_per_sm.as_ref().filter(|_| to.power_idle_w.is_some());
    let factor = Fact {
        range: Some(ratio.ends.map(digits)),
        ..Fact::assumed(digits(ratio.work), source(&by, "1"))
    };
    Some(ServiceTime {
        launch: Fact {
            range: (own.launch.value > SimDuration::ZERO).then(|| quarter(launch)),
            ..Fact::assumed(launch, source(latency, &own.launch.source))
        },
        host_floor: own.host_floor.clone(),
        phi: Fact {
            range: Some([low, high]),
            ..Fact::assumed(phi, source(as_filled, &own.phi.source))
        },
        phi_limit: own.phi_limit.as_ref().map(|limit| {
            let value = law.phi(&limit.value);
            let range = Some(band(&limit.value, &value));
            Fact { range, ..Fact::assumed(value, source(as_filled, &limit.source)) }
        }),
        slice: slice.map(|slice| SliceLaw {
            launch: slice.launch.as_ref().map(|launch| {
                Fact::assumed(law.launch(launch.value), source(latency, &launch.source))
            }),
            neighbour_watts_per_sm: slice.neighbour_watts_per_sm.clone(),
            weight_read: Fact::assumed(
                slice.weight_read.value.scale(1.0 / ratio.bandwidth),
                source("by bandwidth", &slice.weight_read.source),
            ),
            phi: Fact::assumed(slice.phi.value, source("as there", &slice.phi.source)),
            bandwidth: slice.bandwidth.clone(),
        }),
        spread: own.spread.clone(),
        work: Fact::assumed(
            law.work(&own.work.value, own.launch.value),
            source(&work, &own.work.source),
        ),
        boost: own.boost.clone(),
        watts_per_sm: watts.map(|watts| Fact {
            range: Some([watts.value * 0.8, watts.value * 1.2]),
            ..Fact::assumed(watts.value, source("an SM draws as much", &watts.source))
        }),
        machines: own.machines.clone(),
        alternatives: own.alternatives.iter().map(|other| law.alternative(other)).collect(),
        scaled: Some(Scaled { from: from.id.clone(), work: factor, by }),
    })
}

/// How much of the time to read the weights a batch feels where no slice told it: between all of it, as BERT
/// on slices and A30 has it, and none, as on the A10.
const FELT: f64 = 0.5;

/// The time that a batch takes to read the weights once on the GPU that was measured, in nanoseconds: as its
/// law of slices has it, else a part of it at the peak of the memory.
fn weight_read(workload: &Workload, own: &ServiceTime, gpu: &GpuSpec) -> f64 {
    match &own.slice {
        Some(law) => law.weight_read.value.as_nanos_f64(),
        None => {
            let all = gpu.memory_bandwidth.value.transfer_time(workload.weights.value);
            FELT * all.as_nanos_f64()
        }
    }
}

/// `int8 rate x 0.97, bandwidth x 0.5, clock x 1.02`.
fn in_words(ratio: &Ratio, precision: Option<Precision>) -> String {
    let word = precision.unwrap_or(Precision::Fp16).word();
    let clock = ratio.clock.map_or(String::new(), |clock| format!(", clock x {}", digits(clock)));
    format!("{word} rate x {}, bandwidth x {}{clock}", digits(ratio.rate), digits(ratio.bandwidth))
}

/// To three digits.
fn digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().expect("a number is written as one")
}

/// How the parts of a batch's time scale.
struct Law {
    ratio: Ratio,
    /// Nanoseconds to read the weights once on the GPU that was measured: part of what a batch costs
    /// whatever its size, of the launch first.
    read: f64,
}

impl Law {
    fn launch(&self, launch: SimDuration) -> SimDuration {
        let launch = launch.as_nanos_f64();
        SimDuration::from_nanos_f64(self.latency(launch, self.read.min(launch)))
    }

    /// A cost whatever the size, of which `read` is reading.
    fn latency(&self, cost: f64, read: f64) -> f64 {
        cost - read + read / self.ratio.bandwidth
    }

    /// A table of work, beside a launch of so much there.
    fn work(&self, work: &WorkTable, launch: SimDuration) -> WorkTable {
        let read = (self.read - launch.as_nanos_f64()).max(0.0);
        let mut least = 1.0_f64;
        let points = work.points().iter().map(|&(batch, time)| {
            let time = time.as_nanos_f64();
            let full = (work.per_sample() * f64::from(batch)).min(time);
            let rest = time - full;
            let scaled = full * self.ratio.work + self.latency(rest, read.min(rest));
            least = least.max(scaled);
            (batch, SimDuration::from_nanos_f64(least))
        });
        WorkTable::new(points.collect()).expect("sizes rise, and times never fall")
    }

    /// The part that fills the GPU takes longer by the ratio of works, the rest as long as it did.
    fn phi(&self, phi: &PhiTable) -> PhiTable {
        changed(phi, |_, phi| {
            let fills = phi * self.ratio.work;
            let part = fills / (fills + 1.0 - phi);
            (part * 1e3).round() / 1e3
        })
    }

    fn alternative(&self, other: &ServiceAlternative) -> ServiceAlternative {
        ServiceAlternative {
            launch: self.launch(other.launch),
            phi: self.phi(&other.phi),
            work: self.work(&other.work, other.launch),
            ..other.clone()
        }
    }
}

/// From a tenth below the lower of two tables to a tenth above the upper.
fn band(one: &PhiTable, other: &PhiTable) -> [PhiTable; 2] {
    const OPEN: f64 = 0.1;
    let by = |value: f64| (value * 1e3).round() / 1e3;
    [
        changed(&one.lower(other), |_, phi| by(phi - OPEN)),
        changed(&upper(one, other), |_, phi| by(phi + OPEN)),
    ]
}

/// The table that has the upper of two at every size.
fn upper(one: &PhiTable, other: &PhiTable) -> PhiTable {
    changed(&with_sizes_of(one, other), |size, phi| phi.max(other.at(size)))
}

/// The same table with points at the sizes of another as well.
fn with_sizes_of(table: &PhiTable, other: &PhiTable) -> PhiTable {
    let sizes = table.points().iter().chain(other.points()).map(|(size, _)| *size);
    let sizes: BTreeSet<u32> = sizes.collect();
    let points = sizes.into_iter().map(|size| (size, Share::clamped(table.at(size))));
    PhiTable::new(points.collect()).expect("sizes rise")
}

/// A table with other values, each made of its size and what it was; they end at 0 and 1.
fn changed(table: &PhiTable, value: impl Fn(u32, f64) -> f64) -> PhiTable {
    let points =
        table.points().iter().map(|&(size, phi)| (size, Share::clamped(value(size, phi.get()))));
    PhiTable::new(points.collect()).expect("sizes rise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(work: f64, bandwidth: f64, read: f64) -> Law {
        let (ends, kinship) = ([work; 2], Similarity::Other);
        Law { ratio: Ratio { rate: 1.0, bandwidth, clock: None, work, ends, kinship }, read }
    }

    fn us(micros: u64) -> SimDuration {
        SimDuration::from_micros(micros)
    }

    /// 1 ms a sample in full batches of 8; a batch of one takes 1.5 ms, of which 0.2 ms read the weights.
    /// Twice the work at half the bandwidth: 16 ms; 2 + 0.3 + 0.4 ms.
    #[test]
    fn each_part_goes_by_its_own_rate() {
        let table = WorkTable::new(vec![(1, us(1500)), (8, us(8000))]).unwrap();
        let law = law(2.0, 0.5, 200e3);
        let scaled = law.work(&table, SimDuration::ZERO);
        assert_eq!(scaled.points(), [(1, us(2700)), (8, us(16_000))]);
        // With a launch of 1 ms the reading is in there, and what batches cost beside it stays.
        assert_eq!(law.launch(us(1000)), us(1200));
        assert_eq!(law.work(&table, us(1000)).points(), [(1, us(2500)), (8, us(16_000))]);
    }

    /// Half of the time fills the GPU and takes three times as long: 1.5 of 2.
    #[test]
    fn the_part_that_fills_the_gpu_grows_with_the_work() {
        let half = PhiTable::constant(Share::clamped(0.5));
        assert_eq!(law(3.0, 1.0, 0.0).phi(&half).at(1), 0.75);
        let [low, high] = band(
            &half,
            &PhiTable::new(vec![(1, Share::clamped(0.2)), (8, Share::clamped(0.95))]).unwrap(),
        );
        let table = |one, full| {
            PhiTable::new(vec![(1, Share::clamped(one)), (8, Share::clamped(full))]).unwrap()
        };
        assert_eq!([low, high], [table(0.1, 0.4), table(0.6, 1.0)]);
    }
}
