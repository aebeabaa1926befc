//! LoadGen's Server schedule, bit for bit.
//!
//! Source: mlcommons/inference, `loadgen/loadgen.cc` and `utils.h`; the arithmetic under
//! `std::exponential_distribution` and `std::generate_canonical` is libstdc++'s. It is not a
//! general-purpose exponential sampler: rounding is part of it.

use super::ArrivalProcess;
use crate::units::SimDuration;
use rand_mt::Mt;

/// Exponential gaps from a 32-bit Mersenne Twister.
pub struct Poisson {
    generator: Mt,
    /// Queries per second.
    rate: f64,
}

impl Poisson {
    /// `rate` queries per second, above 0; only the low 32 bits of `seed` count, as for
    /// `std::mt19937`.
    pub fn new(rate: f64, seed: u64) -> Self {
        assert!(rate > 0.0, "a rate of {rate} per second");
        Self { generator: Mt::new(seed as u32), rate }
    }

    /// A number in [0, 1) of two 32-bit draws, low word first, in 53 bits.
    fn canonical(&mut self) -> f64 {
        const WORD: f64 = 4_294_967_296.0;
        let low = f64::from(self.generator.next_u32());
        let high = f64::from(self.generator.next_u32());
        let number = (low + high * WORD) / (WORD * WORD);
        // Both words near their maximum round up to 1, which libstdc++ replaces by the number below.
        if number >= 1.0 { 1.0_f64.next_down() } else { number }
    }
}

impl ArrivalProcess for Poisson {
    fn gap(&mut self) -> SimDuration {
        let seconds = -(1.0 - self.canonical()).ln() / self.rate;
        // `duration_cast` truncates.
        SimDuration::from_nanos((seconds * 1e9) as u64)
    }
}
