//! What a batch costs: the arithmetic of the service-time formula, and no policy.
//!
//! ```text
//! t(n, s) = max(host_floor, launch + work ((1 - phi) + phi n / s))
//! ```
//! On a GPU instance where slices were measured ([`SliceLaw`]): the whole batch as that says, in the
//! place of `launch + work (...)` for n = 1.
//!
//! `n` batches share `s` of the GPU. The part phi of the work fills any share it is given and
//! stretches with contention; the rest is narrow (latency-bound kernels, gaps) and does not.

use crate::spec::{Hypervisor, InstanceSpec, ServiceTime, SliceLaw};
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
}

impl Demand {
    /// Time of the whole batch, in nanoseconds, while `contenders` batches (itself included) use a
    /// `share` of the GPU.
    pub fn time(&self, contenders: usize, share: Share) -> f64 {
        // (1 - phi) + phi n / s, written so that one batch on the whole GPU is exactly 1.
        let stretched = 1.0 + self.phi * (contenders as f64 / share.get() - 1.0);
        self.host_floor.max(self.launch + self.work * stretched)
    }

    /// The same demand on a clock `clock` times as fast: the work scales, launch and floor do not.
    pub fn at_clock(&self, clock: f64) -> Self {
        Self { work: self.work / clock, ..*self }
    }

    /// A demand of nothing but `work`, for tests and theory.
    pub fn plain(work: SimDuration) -> Self {
        Self { host_floor: 0.0, launch: 0.0, work: work.as_nanos_f64(), phi: 1.0 }
    }
}

/// The demand of a batch of `samples` samples whose sizes sum to `size_sum`, on the GPU that
/// `service` was measured on, under `hypervisor`. `luck` is the batch's draw from the exponential law
/// of mean 1, for work that varies by more than its sizes. It runs on `instance`.
pub fn demand(
    service: &ServiceTime,
    hypervisor: &Hypervisor,
    samples: u32,
    size_sum: f64,
    luck: f64,
    instance: &InstanceSpec,
) -> Demand {
    let mean_size = size_sum / f64::from(samples);
    let spread = service.spread.value.get();
    let whole = Demand {
        host_floor: service.host_floor.value.as_nanos_f64(),
        launch: service.launch.value.as_nanos_f64(),
        work: service.work.value.at(samples) * mean_size * (1.0 - spread + spread * luck)
            / hypervisor.gpu_speed.value,
        phi: service.phi.value.at(samples),
    };
    match &service.slice {
        Some(law) if instance.profile.is_some() => {
            let scaled = whole.work / service.work.value.at(samples);
            let full = service.work.value.per_sample() * f64::from(samples) * scaled;
            on_slice(whole, law, full.min(whole.work), instance, hypervisor.gpu_speed.value)
        }
        _ => whole,
    }
}

/// The same batch on a GPU instance, `full` of its work in proportion to its size. What several batches
/// make of one another there, phi says, of the instance as of the GPU.
fn on_slice(
    whole: Demand,
    law: &SliceLaw,
    full: f64,
    instance: &InstanceSpec,
    speed: f64,
) -> Demand {
    let (s, m) = (instance.share.get(), instance.memory_share.get());
    let (phi, beta) = (law.phi.value.get(), law.bandwidth.value.get());
    let stretched = (1.0 - phi) + phi * ((1.0 - beta) / s + beta / m);
    let alone = whole.work - full + full * stretched;
    let read = law.weight_read.value.as_nanos_f64() * (1.0 / m - 1.0) / speed;
    // As `time` has it on s: work (1 - phi) + work phi n / s is alone ((1 - phi) + phi n).
    let part = (1.0 - whole.phi) + whole.phi * s;
    Demand {
        launch: whole.launch + read,
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
        let batch = Demand { host_floor: 0.0, launch: 0.0, work: 87.96e6, phi: 0.44 };
        let ms =
            |contenders, share| (batch.time(contenders, Share::new(share).unwrap()) / 1e6).round();
        assert_eq!([1, 3, 5, 7].map(|contenders| ms(contenders, 1.0)), [88.0, 165.0, 243.0, 320.0]);
        assert_eq!(ms(1, 14.0 / 108.0), 348.0);
    }
}
