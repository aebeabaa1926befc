//! What a batch costs: the arithmetic of the service-time formula, and no policy.
//!
//! ```text
//! t(n, s) = max(host_floor, launch + work ((1 - phi) + phi n / s))
//! ```
//! On a GPU instance where slices were measured ([`SliceLaw`]): the whole batch as that says, in the
//! place of `launch + work (...)` for n = 1.
//!
//! `n` batches share `s` of the GPU. The part phi of the work fills any share it is given and
//! stretches with contention; the rest is narrow (latency-bound kernels, gaps) and does not. Under MPS a
//! client's limit `l` of the SMs leaves memory bandwidth, L2 and power whole, so it has a phi of its own,
//! and the longer of the two counts:
//!
//! ```text
//! t = max(host_floor, launch + graph + work max(1 + phi (n / s - 1),
//!                                               1 + phi_limit (1 / l - 1) + phi (k - 1) / l))
//! ```
//! with `k` batches of the client itself, and what MPS adds to the launch of a `graph`.

use crate::spec::{Hypervisor, InstanceSpec, Launches, ServiceTime, SliceLaw};
use crate::units::{Share, SimDuration};

/// What one batch wants of a GPU. Fractions of a nanosecond are kept until a time results.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Demand {
    /// No batch takes less, in nanoseconds.
    pub host_floor: f64,
    /// GPU time that no share changes, in nanoseconds.
    pub launch: f64,
    /// Time of the work alone on the whole GPU, in nanoseconds.
    pub work: f64,
    /// The part of the work that fills any share, 0 to 1.
    pub phi: f64,
    /// The part of the work that stretches under a limit of SMs which leaves the rest of the GPU whole, 0
    /// to 1. Without effect where there is no limit.
    pub phi_limit: f64,
}

impl Demand {
    /// Time of the whole batch, in nanoseconds, while `contenders` batches (itself included) use a
    /// `share` of the GPU.
    pub fn time(&self, contenders: usize, share: Share) -> f64 {
        // (1 - phi) + phi n / s, written so that one batch on the whole GPU is exactly 1.
        self.stretched(self.stretch(contenders, share))
    }

    /// As [`Demand::time`], of a client that may use a part `limit` of the GPU's SMs at most. A `share` of
    /// the GPU is what its batches would have beside the others if they were all alike.
    pub fn time_within(&self, contenders: usize, share: Share, limit: Share) -> f64 {
        let within = 1.0
            + self.phi_limit * (1.0 / limit.get() - 1.0)
            + self.phi * (contenders as f64 - 1.0) / limit.get();
        self.stretched(self.stretch(contenders, share).max(within))
    }

    fn stretch(&self, contenders: usize, share: Share) -> f64 {
        1.0 + self.phi * (contenders as f64 / share.get() - 1.0)
    }

    fn stretched(&self, stretch: f64) -> f64 {
        self.host_floor.max(self.launch + self.work * stretch)
    }

    /// The same demand on a clock `clock` times as fast: the work scales, launch and floor do not.
    pub fn at_clock(&self, clock: f64) -> Self {
        Self { work: self.work / clock, ..*self }
    }

    /// A demand of nothing but `work`, for tests and theory.
    pub fn plain(work: SimDuration) -> Self {
        let work = work.as_nanos_f64();
        Self { host_floor: 0.0, launch: 0.0, work, phi: 1.0, phi_limit: 1.0 }
    }
}

/// The demand of a batch of `samples` samples whose sizes sum to `size_sum`, on the GPU that
/// `service` was measured on, under `hypervisor`. `luck` is the batch's draw from the exponential law
/// of mean 1, for work that varies by more than its sizes. It runs on `instance`, as `launches`.
pub fn demand(
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
        work: service.work.value.at(samples) * mean_size * (1.0 - spread + spread * luck)
            / hypervisor.gpu_speed.value,
        phi: service.phi.value.at(samples),
        phi_limit: service.phi_limit_at(samples),
    };
    if instance.profile.is_none() {
        return whole;
    }
    let on_it = match &service.slice {
        Some(law) => {
            let scaled = whole.work / service.work.value.at(samples);
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
/// on the whole GPU beside it, without what MPS adds. What several batches
/// make of one another there, phi says, of the instance as of the GPU.
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
    let read = law.weight_read.value.as_nanos_f64() * (1.0 / m - 1.0) / speed;
    // As `time` has it on s: work (1 - phi) + work phi n / s is alone ((1 - phi) + phi n).
    let part = (1.0 - whole.phi) + whole.phi * s;
    let graph = whole.launch - on_whole;
    let launch = law.launch.as_ref().map_or(on_whole, |own| own.value.as_nanos_f64());
    Demand {
        launch: launch + graph + read,
        work: alone * part,
        phi: if part > 0.0 { whole.phi * s / part } else { 1.0 },
        ..whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
