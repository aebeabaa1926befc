//! A neural network in service: how long its batches take, how much they copy, how much memory they
//! need.
//!
//! The arithmetic on these figures is in `gpu::cost`; here are only measured or assumed values.

use super::{Fact, GpuSpec, ServedBy};
use crate::units::{Bytes, Share, SimDuration};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A workload. One catalogue file each.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The catalogue's name, such as `bert-99.9`.
    pub id: String,
    /// The long name.
    pub name: String,
    /// Which MLPerf benchmark it is, in the words of `mlperf.conf`; nothing where it is none.
    pub benchmark: Option<String>,
    /// The number format of its matrix products, where that is stated.
    pub precision: Option<Precision>,
    /// LoadGen's Server latency bound for it.
    pub target_latency: Fact<SimDuration>,
    /// The work of a query, relative to the mean.
    pub sizes: Fact<SizeDistribution>,
    /// Device memory of the weights, once per server and GPU.
    pub weights: Fact<Bytes>,
    /// Device memory of one sample in a running batch; a staged one holds its inputs and outputs
    /// only, as the workspace belongs to the stream.
    pub workspace_per_sample: Fact<Bytes>,
    /// Bytes copied to the device per sample.
    pub input_per_sample: Fact<Bytes>,
    /// Bytes copied back per sample.
    pub output_per_sample: Fact<Bytes>,
    /// The fixed energy of a batch, relative to the energy that a sample adds in a full one.
    pub energy_once: Fact<f64>,
    /// CPU work around each batch.
    pub cpu: CpuWork,
    /// How long batches take, by the GPU model they were measured on.
    pub service: BTreeMap<String, ServiceTime>,
}

/// The number format of matrix products. Other formats count as one of the two: from Ampere on
/// their rates are in a fixed proportion to that of FP16.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Precision {
    /// 8-bit integers.
    Int8,
    /// 16-bit floating point.
    Fp16,
}

impl Precision {
    /// Its words in files.
    pub const ALL: [(&'static str, Precision); 2] =
        [("int8", Precision::Int8), ("fp16", Precision::Fp16)];

    /// The precision that a word means; nothing for any other.
    pub fn of_word(word: &str) -> Option<Precision> {
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, precision)| *precision)
    }

    /// Its word in files.
    pub fn word(self) -> &'static str {
        if self == Precision::Int8 { "int8" } else { "fp16" }
    }
}

/// CPU work around one batch: `per_batch + samples x per_sample`, on one vCPU.
#[derive(Clone, Debug)]
pub struct CpuWork {
    /// Before the GPU: gathering and launching, per batch.
    pub launch_per_batch: Fact<SimDuration>,
    /// Before the GPU, per batch, and only where batches are formed from a queue: not in
    /// SingleStream and MultiStream, where the client sends one query at a time.
    pub queue_per_batch: Fact<SimDuration>,
    /// Before the GPU, per batch that Triton forms: in the place of the two above, where it is known.
    pub triton_per_batch: Option<Fact<SimDuration>>,
    /// Before the GPU, per sample.
    pub launch_per_sample: Fact<SimDuration>,
    /// After the GPU: post-processing and reporting, per batch.
    pub finish_per_batch: Fact<SimDuration>,
    /// After the GPU, per sample.
    pub finish_per_sample: Fact<SimDuration>,
}

impl CpuWork {
    /// The fixed time of a batch before the GPU, where batches are formed from a queue.
    pub fn of_a_queue(&self, served_by: ServedBy) -> SimDuration {
        match self.triton_per_batch.as_ref().filter(|_| served_by == ServedBy::Triton) {
            Some(own) => own.value,
            None => self.launch_per_batch.value + self.queue_per_batch.value,
        }
    }
}

/// The relative size of a query, mean 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum SizeDistribution {
    /// Every query is the same.
    Fixed,
    /// Log-normal with mean 1 and this standard deviation of the logarithm.
    LogNormal {
        /// Standard deviation of ln(size), above 0.
        sigma: f64,
    },
    /// Exponential with mean 1, for comparison with queueing theory.
    Exponential,
}

impl fmt::Display for SizeDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SizeDistribution::Fixed => write!(f, "fixed"),
            SizeDistribution::LogNormal { sigma } => write!(f, "lognormal, sigma {sigma}"),
            SizeDistribution::Exponential => write!(f, "exponential"),
        }
    }
}

/// How long a batch takes on one GPU model: `max(host_floor, launch + work(b) ((1 - phi(b)) +
/// phi(b) n / s))`. The effect of an MPS client's limit of SMs is in [`ServiceTime::phi_limit_at`].
#[derive(Clone, Debug)]
pub struct ServiceTime {
    /// GPU time per batch that does not overlap with other batches and does not depend on the size
    /// of the GPU.
    pub launch: Fact<SimDuration>,
    /// CPU launch time: no batch takes less.
    pub host_floor: Fact<SimDuration>,
    /// The part of the work that can use any share of the GPU, by batch size. Where it was not
    /// measured, the intervals of results include its whole range, [`ServiceTime::phi_range`].
    pub phi: Fact<PhiTable>,
    /// The part of the work that stretches under an MPS client's limit of SMs, by batch size, where that
    /// was measured: a limit leaves memory bandwidth, L2 and power whole.
    pub phi_limit: Option<Fact<PhiTable>>,
    /// The batch times on a GPU instance, where runs on slices were measured; otherwise they follow
    /// from phi.
    pub slice: Option<SliceLaw>,
    /// How much the work varies from batch to batch: it is multiplied by `1 - spread + spread x`,
    /// where x is exponential with mean 1 and drawn per batch. 0 for none.
    pub spread: Fact<Share>,
    /// Time of a batch of mean-size samples alone on the whole GPU, without launch.
    pub work: Fact<WorkTable>,
    /// How much faster the GPU's clock is after a pause than under this work without pauses, at
    /// least 1: 1 where the work does not reach the card's power limit.
    pub boost: Fact<f64>,
    /// Watts that an SM draws at the highest clock while it is busy with this workload, its part of
    /// the memory's power included. Nothing where it is not known: such work does not lower the
    /// clock.
    pub watts_per_sm: Option<Fact<f64>>,
    /// How much the work differs between machines with this GPU: its relative standard deviation.
    /// Nothing where that is not known. The intervals of results include it.
    pub machines: Option<Fact<Share>>,
    /// Other sets of these numbers that fit the same runs nearly as well. The intervals of results
    /// include them. Whole sets, since launch and work trade off.
    pub alternatives: Vec<ServiceAlternative>,
    /// The GPU they are scaled from, where this GPU has no numbers of its own. Results state it,
    /// and their intervals include its uncertainty.
    pub scaled: Option<Scaled>,
}

/// How the numbers of a service time were scaled from those of another GPU.
#[derive(Clone, PartialEq, Debug)]
pub struct Scaled {
    /// The GPU that they were measured on.
    pub from: String,
    /// The time of a sample in a full batch relative to that on `from`; its range holds 90 % of
    /// GPUs.
    pub work: Fact<f64>,
    /// The factors: `int8 rate x 0.97, bandwidth x 0.5`.
    pub by: String,
}

/// The time of a batch of b on a GPU instance with a part s of the SMs and a part m of the memory:
///
/// `launch + read (1 / m - 1) + rest(b) + b c ((1 - phi) + phi ((1 - beta) / s + beta / m))`
///
/// where `b c` is the work in proportion to the size, at the rate of the largest batch of the
/// table, and `rest(b)` the remaining work in the table. The fixed time of a batch is latency and
/// does not depend on the SMs; phi of a batch of one, which sharing uses, would stretch the work
/// instead.
#[derive(Clone, PartialEq, Debug)]
pub struct SliceLaw {
    /// `launch` on slices, where it is known separately from that of the whole GPU.
    pub launch: Option<Fact<SimDuration>>,
    /// Time to read the weights once at the whole GPU's bandwidth; part of `launch` there.
    pub weight_read: Fact<SimDuration>,
    /// The part of the work that takes longer on a slice, at one clock; a little more than 1 where
    /// a slice is slower than its SMs suggest.
    pub phi: Fact<f64>,
    /// The part (beta) of this that depends on the memory bandwidth and not on the SMs.
    pub bandwidth: Fact<Share>,
    /// Watts per SM at the highest clock that busy neighbours with unknown workloads draw.
    pub neighbour_watts_per_sm: Option<Fact<f64>>,
}

impl ServiceTime {
    /// Watts that `gpu` draws above its idle power while all of it is busy with this workload at
    /// the highest clock; 0 where that is not known.
    pub fn watts(&self, gpu: &GpuSpec) -> f64 {
        let per_sm = self.watts_per_sm.as_ref().map_or(0.0, |watts| watts.value);
        per_sm * f64::from(gpu.sms.value)
    }

    /// The part of a batch's work that takes longer under a limit of SMs: as measured, with linear
    /// interpolation of that work between two sizes; else by the law of slices with all of the
    /// memory (`b c phi (1 - beta)` of the work); else phi.
    pub fn phi_limit_at(&self, batch: u32) -> f64 {
        match (&self.phi_limit, &self.slice) {
            (Some(measured), _) => measured.value.of_work_at(batch, &self.work.value),
            (None, Some(law)) => {
                let stretches = law.phi.value * (1.0 - law.bandwidth.value.get());
                let work = &self.work.value;
                let proportional = work.per_sample() * f64::from(batch) / work.at(batch);
                stretches * proportional.min(1.0)
            }
            (None, None) => self.phi.value.at(batch),
        }
    }
}

/// Another set of fitted numbers, complete.
#[derive(Clone, PartialEq, Debug)]
pub struct ServiceAlternative {
    /// The remaining error of the runs with it: root mean square of relative errors.
    pub residual: f64,
    /// In place of [`CpuWork::launch_per_batch`].
    pub cpu_launch_per_batch: SimDuration,
    /// In place of [`ServiceTime::launch`].
    pub launch: SimDuration,
    /// In place of [`ServiceTime::host_floor`].
    pub host_floor: SimDuration,
    /// In place of [`ServiceTime::phi`].
    pub phi: PhiTable,
    /// In place of [`ServiceTime::spread`].
    pub spread: Share,
    /// In place of [`ServiceTime::work`].
    pub work: WorkTable,
    /// In place of [`ServiceTime::boost`].
    pub boost: f64,
}

/// [`Workload::energy_once`] of a workload that does not state it: about the middle of the two that
/// were measured.
pub fn usual_energy_once() -> Fact<f64> {
    const AS_MEASURED: &str = "assumed: between the values of BERT-large (0.2) and ResNet-50 \
        (0.45) on an H100 and an H200 (slicewise, watts by batch size)";
    Fact { range: Some([0.0, 1.0]), ..Fact::assumed(0.3, AS_MEASURED) }
}

/// The time over which a card keeps its power limit on average. Assumed: fits of Server runs near
/// their capacity cannot distinguish a quarter of a second from a whole one.
pub const BOOST_WINDOW: SimDuration = SimDuration::from_millis(500);

impl Workload {
    /// The workload with another set of its fitted numbers on GPU `gpu`; unchanged where there is no
    /// such set.
    pub fn with_alternative(&self, gpu: &str, index: usize) -> Workload {
        let mut workload = self.clone();
        let Some(service) = workload.service.get_mut(gpu) else { return workload };
        let Some(other) = service.alternatives.get(index).cloned() else { return workload };
        workload.cpu.launch_per_batch.value = other.cpu_launch_per_batch;
        service.launch.value = other.launch;
        service.host_floor.value = other.host_floor;
        service.phi.value = other.phi;
        service.spread.value = other.spread;
        service.work.value = other.work;
        service.boost.value = other.boost;
        workload
    }
}

/// Time by batch size, rising in both; interpolated linearly.
#[derive(Clone, PartialEq, Debug)]
pub struct WorkTable(Vec<(u32, SimDuration)>);

impl WorkTable {
    /// A table from points in rising order of batch size, times above zero and never falling. The
    /// error names the rule that a point breaks.
    pub fn new(points: Vec<(u32, SimDuration)>) -> Result<Self, String> {
        let Some(&(first, time)) = points.first() else { return Err("has no points".to_string()) };
        if first == 0 || time == SimDuration::ZERO {
            return Err("starts at batch 0 or at no time".to_string());
        }
        if points.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err("has batch sizes that do not rise".to_string());
        }
        if points.windows(2).any(|pair| pair[0].1 > pair[1].1) {
            return Err("has times that fall".to_string());
        }
        Ok(Self(points))
    }

    /// The points, in rising order of batch size.
    pub fn points(&self) -> &[(u32, SimDuration)] {
        &self.0
    }

    /// Time of a sample in the largest batch, in nanoseconds.
    pub fn per_sample(&self) -> f64 {
        let (size, time) = self.0[self.0.len() - 1];
        time.as_nanos_f64() / f64::from(size)
    }

    /// The table with every time multiplied by `factor`, above 0.
    pub fn scaled(&self, factor: f64) -> Self {
        let floor = SimDuration::from_nanos(1);
        Self(self.0.iter().map(|&(size, time)| (size, time.scale(factor).max(floor))).collect())
    }

    /// Time of a batch of `batch` samples, in nanoseconds: linear between points, proportional to
    /// the batch below the first point and beyond the last.
    pub fn at(&self, batch: u32) -> f64 {
        let after = self.0.partition_point(|&(size, _)| size < batch);
        let nanos = |index: usize| self.0[index].1.as_nanos_f64();
        let proportional =
            |index: usize| nanos(index) * f64::from(batch) / f64::from(self.0[index].0);
        if after == 0 || after == self.0.len() {
            return proportional(after.min(self.0.len() - 1));
        }
        let (low, high) = (f64::from(self.0[after - 1].0), f64::from(self.0[after].0));
        nanos(after - 1)
            + (nanos(after) - nanos(after - 1)) * (f64::from(batch) - low) / (high - low)
    }
}

/// phi by batch size; interpolated linearly, constant outside the points.
#[derive(Clone, PartialEq, Debug)]
pub struct PhiTable(Vec<(u32, Share)>);

impl PhiTable {
    /// The same phi for every batch.
    pub fn constant(phi: Share) -> Self {
        Self(vec![(1, phi)])
    }

    /// A table from points in rising order of batch size; the error names the rule that they break.
    pub fn new(points: Vec<(u32, Share)>) -> Result<Self, String> {
        if points.is_empty() {
            return Err("has no points".to_string());
        }
        if points.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err("has batch sizes that do not rise".to_string());
        }
        Ok(Self(points))
    }

    /// The points, in rising order of batch size.
    pub fn points(&self) -> &[(u32, Share)] {
        &self.0
    }

    /// The phi of a batch of `batch` samples, 0 to 1.
    pub fn at(&self, batch: u32) -> f64 {
        let after = self.0.partition_point(|&(size, _)| size < batch);
        let phi = |index: usize| self.0[index].1.get();
        if after == 0 || after == self.0.len() {
            return phi(after.min(self.0.len() - 1));
        }
        let (low, high) = (f64::from(self.0[after - 1].0), f64::from(self.0[after].0));
        phi(after - 1) + (phi(after) - phi(after - 1)) * (f64::from(batch) - low) / (high - low)
    }
}

impl PhiTable {
    /// The phi of a batch of `batch` samples where phi times `work` is interpolated linearly
    /// between two points, 0 to 1.
    pub fn of_work_at(&self, batch: u32, work: &WorkTable) -> f64 {
        let after = self.0.partition_point(|&(size, _)| size < batch);
        if after == 0 || after == self.0.len() {
            return self.at(batch);
        }
        let stretches = |(size, phi): (u32, Share)| phi.get() * work.at(size);
        let (low, high) = (self.0[after - 1], self.0[after]);
        let part = f64::from(batch - low.0) / f64::from(high.0 - low.0);
        let there = stretches(low) + (stretches(high) - stretches(low)) * part;
        (there / work.at(batch)).clamp(0.0, 1.0)
    }

    /// The table with the lower of two values at every size of either.
    pub fn lower(&self, other: &PhiTable) -> PhiTable {
        let sizes = self.0.iter().chain(&other.0).map(|(size, _)| *size);
        let sizes: BTreeSet<u32> = sizes.collect();
        let least = |size: u32| Share::new(self.at(size).min(other.at(size)));
        let points = sizes.into_iter().map(|size| (size, least(size).expect("one of two shares")));
        PhiTable(points.collect())
    }

    /// Whether it is at or below another everywhere.
    pub fn is_below(&self, other: &PhiTable) -> bool {
        let sizes = self.0.iter().chain(&other.0).map(|(size, _)| *size);
        sizes.into_iter().all(|size| self.at(size) <= other.at(size) + 1e-12)
    }
}

impl fmt::Display for PhiTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [(_, phi)] => write!(f, "{}", phi.get()),
            points => {
                let points: Vec<String> =
                    points.iter().map(|(batch, phi)| format!("{batch} = {}", phi.get())).collect();
                write!(f, "{{ {} }}", points.join(", "))
            }
        }
    }
}

impl fmt::Display for WorkTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points: Vec<String> =
            self.0.iter().map(|(batch, time)| format!("{batch}: {time}")).collect();
        write!(f, "{}", points.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_interpolated_between_batches() {
        let ms = SimDuration::from_millis;
        let table = WorkTable::new(vec![(2, ms(10)), (4, ms(30))]).unwrap();
        assert_eq!(
            [1, 2, 3, 4, 8].map(|batch| table.at(batch) / 1e6),
            [5.0, 10.0, 20.0, 30.0, 60.0]
        );
        assert!(WorkTable::new(vec![(2, ms(10)), (2, ms(30))]).is_err());
        assert!(WorkTable::new(vec![(2, ms(10)), (3, ms(9))]).is_err());
        assert!(WorkTable::new(vec![]).is_err());
    }
}
