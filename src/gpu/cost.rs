//! The time of a batch: the arithmetic of the service-time formula, and no policy.
//!
//! ```text
//! t(n, s) = max(host_floor, launch + work ((1 - phi) + phi n / s))
//! ```
//! On a GPU instance, where slices were measured ([`SliceLaw`]), its formula takes the place of
//! `launch + work (...)` for n = 1. There, the fixed time of a batch is `serial` where one owner
//! has the instance: it does not overlap with other batches, so n batches at once take n times as
//! long.
//!
//! `n` batches share `s` of the GPU. The part phi of the work can use any share of the GPU and
//! takes longer under contention; the rest is narrow (latency-bound kernels, gaps) and does not.
//! Under MPS a client's limit `l` of the SMs leaves memory bandwidth, L2 and power whole, so it has
//! a phi of its own, and the longer of the two counts:
//!
//! ```text
//! t = max(host_floor, launch + graph + work max(1 + phi (n / s - 1),
//!                                               1 + phi_limit (1 / l - 1) + phi (k - 1) / l))
//! ```
//! with `k` batches of the client itself, and `graph`, the time that MPS adds to the launch of a
//! CUDA graph.

use crate::spec::{Hypervisor, InstanceSharing, InstanceSpec, Launches, ServiceTime, SliceLaw};
use crate::units::{Share, SimDuration};

/// The demand of one batch on a GPU. Fractions of a nanosecond are kept until a time results.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Demand {
    /// No batch takes less, in nanoseconds.
    pub host_floor: f64,
    /// GPU time that does not depend on the share, in nanoseconds.
    pub launch: f64,
    /// The same, where it does not overlap with other batches: several at once take it one after
    /// the other. In nanoseconds.
    pub serial: f64,
    /// Time of the work, alone on the whole GPU, in nanoseconds.
    pub work: f64,
    /// The part of the work that fills any share, 0 to 1.
    pub phi: f64,
    /// The part of the work that takes longer under an MPS limit of SMs, which does not limit
    /// memory bandwidth, L2 or power; 0 to 1. Without effect where there is no limit.
    pub phi_limit: f64,
    /// Energy that it takes above the idle card's at the highest clock, in watts times nanoseconds;
    /// 0 where that is not known.
    pub energy: f64,
}

impl Demand {
    /// Time of the whole batch, in nanoseconds, while `contenders` batches (itself included) use a
    /// `share` of the GPU.
    pub fn time(&self, contenders: usize, share: Share) -> f64 {
        // (1 - phi) + phi n / s, written so that one batch on the whole GPU is exactly 1.
        self.stretched(contenders, self.stretch(contenders, share))
    }

    /// As [`Demand::time`], for a client that may use at most a part `limit` of the GPU's SMs.
    /// `share` is the share of the GPU that its batches would have if all batches were alike.
    pub fn time_within(&self, contenders: usize, share: Share, limit: Share) -> f64 {
        let within = 1.0
            + self.phi_limit * (1.0 / limit.get() - 1.0)
            + self.phi * (contenders as f64 - 1.0) / limit.get();
        self.stretched(contenders, self.stretch(contenders, share).max(within))
    }

    fn stretch(&self, contenders: usize, share: Share) -> f64 {
        1.0 + self.phi * (contenders as f64 / share.get() - 1.0)
    }

    fn stretched(&self, contenders: usize, stretch: f64) -> f64 {
        let once = self.launch + self.serial * contenders as f64;
        self.host_floor.max(once + self.work * stretch)
    }

    /// The same demand at a clock `clock` times as fast: the work scales, the fixed time of a batch
    /// does not.
    pub fn at_clock(&self, clock: f64) -> Self {
        Self { work: self.work / clock, ..*self }
    }

    /// The same with so many nanoseconds more of launch.
    pub fn with_launch(self, more: f64) -> Self {
        Self { launch: self.launch + more, ..self }
    }

    /// A demand of nothing but `work`, for tests and theory.
    pub fn plain(work: SimDuration) -> Self {
        Self::of_work(work.as_nanos_f64())
    }

    /// A demand of nothing but so many nanoseconds of work.
    pub fn of_work(work: f64) -> Self {
        let (phi, phi_limit) = (1.0, 1.0);
        Self { host_floor: 0.0, launch: 0.0, serial: 0.0, work, phi, phi_limit, energy: 0.0 }
    }
}

/// The demand of a batch of `samples` samples whose sizes sum to `size_sum`, on the GPU that
/// `service` was measured on, under `hypervisor`. `luck` is the batch's draw from the exponential
/// distribution of mean 1, for work that varies by more than its sizes. It runs on `instance`, as
/// `launches`.
pub fn demand(
    service: &ServiceTime,
    hypervisor: &Hypervisor,
    samples: u32,
    size_sum: f64,
    luck: f64,
    on: (&InstanceSpec, Launches),
) -> Demand {
    let at = AtSize::new(service, samples);
    demand_at(&at, service, hypervisor, samples, size_sum, luck, on)
}

/// What the tables of a service time say of batches of one size.
#[derive(Clone, Copy, Debug)]
pub struct AtSize {
    work: f64,
    phi: f64,
    phi_limit: f64,
}

impl AtSize {
    /// Of batches of `samples` samples, at least one.
    pub fn new(service: &ServiceTime, samples: u32) -> Self {
        Self {
            work: service.work.value.at(samples),
            phi: service.phi.value.at(samples),
            phi_limit: service.phi_limit_at(samples),
        }
    }
}

/// As [`demand`], where what the tables say is known: `at`, of batches of this size.
pub fn demand_at(
    at: &AtSize,
    service: &ServiceTime,
    hypervisor: &Hypervisor,
    samples: u32,
    size_sum: f64,
    luck: f64,
    (instance, launches): (&InstanceSpec, Launches),
) -> Demand {
    let mean_size = size_sum / f64::from(samples);
    let spread = service.spread.value.get();
    let graph = match (instance.sharing.mps(), launches) {
        (Some(mps), Launches::Graph) => mps.graph_launch.as_nanos_f64(),
        _ => 0.0,
    };
    let whole = Demand {
        host_floor: service.host_floor.value.as_nanos_f64(),
        launch: service.launch.value.as_nanos_f64() + graph,
        serial: 0.0,
        work: at.work * mean_size * (1.0 - spread + spread * luck) / hypervisor.gpu_speed.value,
        phi: at.phi,
        phi_limit: at.phi_limit,
        energy: 0.0,
    };
    if instance.profile.is_none() {
        return whole;
    }
    let on_it = match &service.slice {
        Some(law) => {
            let scaled = whole.work / at.work;
            let full = service.work.value.per_sample() * f64::from(samples) * scaled;
            let launch = service.launch.value.as_nanos_f64();
            let speed = hypervisor.gpu_speed.value;
            on_slice((whole, launch), law, full.min(whole.work), instance, speed)
        }
        None => whole,
    };
    // A GPU instance has a part of everything: a limit within it was not measured.
    Demand { phi_limit: on_it.phi, ..on_it }
}

/// The same batch on a GPU instance, `full` of its work in proportion to its size; the launch of a batch
/// on the whole GPU beside it, without what MPS adds.
fn on_slice(
    (whole, on_whole): (Demand, f64),
    law: &SliceLaw,
    full: f64,
    instance: &InstanceSpec,
    speed: f64,
) -> Demand {
    let (s, m) = (instance.share.get(), instance.memory_share.get());
    let (phi, beta) = (law.phi.value, law.bandwidth.value.get());
    let stretched = (1.0 - phi) + phi * ((1.0 - beta) / s + beta / m);
    let alone = whole.work - full + full * stretched;
    // What batches side by side make of one another: for one owner the law holds, as if each had its part of
    // the slice, and what a batch costs once hides nowhere; for several owners phi of the whole GPU says it.
    let is_alone = instance.sharing == InstanceSharing::Alone;
    let narrow = match is_alone {
        true => (whole.work - full + full * (1.0 - phi)).clamp(0.0, alone),
        false => alone * (1.0 - whole.phi),
    };
    let read = law.weight_read.value.as_nanos_f64() * (1.0 / m - 1.0) / speed;
    // As `time` has it on s: work (1 - phi) + work phi n / s is narrow + (alone - narrow) n.
    let filling = (alone - narrow) * s;
    let work = narrow + filling;
    let graph = whole.launch - on_whole;
    let launch = law.launch.as_ref().map_or(on_whole, |own| own.value.as_nanos_f64());
    let (hidden, serial) = if is_alone { (0.0, launch + read) } else { (launch + read, 0.0) };
    Demand {
        launch: graph + hidden,
        serial,
        work,
        phi: if work > 0.0 { filling / work } else { 1.0 },
        ..whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Fact;

    /// Published contention of one model on an A100, against the formula: one pod on a whole A100 takes 88.0 ms; with
    /// phi 0.44 three, five and seven contenders take 165, 243 and 320 ms under MPS, and a slice of
    /// 14 of 108 SMs takes 347 ms (nos, YOLOS-small: 164.0, 240.9, 319.8 and 342.4 ms measured).
    #[test]
    fn one_phi_explains_contention_and_slices() {
        let batch = Demand { phi: 0.44, ..Demand::plain(SimDuration::from_micros(87_960)) };
        let ms =
            |contenders, share| (batch.time(contenders, Share::new(share).unwrap()) / 1e6).round();
        assert_eq!([1, 3, 5, 7].map(|contenders| ms(contenders, 1.0)), [88.0, 165.0, 243.0, 320.0]);
        assert_eq!(ms(1, 14.0 / 108.0), 348.0);
    }

    /// Work of 7 ms on a seventh of the GPU is 49, and 1 ms comes once. Two batches of its one owner have half of
    /// the slice each and no launch hides: twice 50. Of several owners (MPS) the launches overlap, and the whole
    /// GPU's phi, here a half, says what they make of one another: 1 + 49 (1/2 + 2/2).
    #[test]
    fn batches_on_a_slice_share_all_of_it() {
        let law = SliceLaw {
            launch: None,
            weight_read: Fact::assumed(SimDuration::ZERO, ""),
            phi: Fact::assumed(1.0, ""),
            bandwidth: Fact::assumed(Share::NONE, ""),
            neighbour_watts_per_sm: None,
        };
        let part = Share::new(1.0 / 7.0).unwrap();
        let ms = |contenders, sharing| {
            let slice = InstanceSpec { profile: None, share: part, memory_share: part, sharing };
            let whole = Demand { launch: 1.0, phi: 0.5, ..Demand::plain(SimDuration::ZERO) };
            let whole = Demand { work: 7.0, ..whole };
            on_slice((whole, 1.0), &law, 7.0, &slice, 1.0).time(contenders, part)
        };
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
        near(ms(1, InstanceSharing::Alone), 50.0);
        near(ms(2, InstanceSharing::Alone), 100.0);
        let models = InstanceSharing::Models;
        near(ms(1, models), 50.0);
        near(ms(2, models), 1.0 + 49.0 * 1.5);
    }
}
