//! `PowerCap`: what the card's power limit does to its clock when much of it is busy.
//!
//! Dynamic power goes with busy SMs, frequency and voltage squared, and voltage with frequency:
//! `P = P_idle + D u f^3` for a busy share u at relative clock f. Below the share at which P reaches
//! the limit, the knee, f is 1; above it `f = (knee / u)^(1/3)`. It knows no temperature and no delay.

use crate::units::Share;

/// The power limit of a card, as one number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PowerCap {
    /// The busy share of the SMs at which the card reaches its limit at full clock, above 0.
    knee: f64,
}

impl PowerCap {
    /// A limit that is reached when `knee` of the SMs are busy.
    pub fn new(knee: Share) -> Self {
        assert!(knee > Share::NONE, "a card that is at its limit when idle");
        Self { knee: knee.get() }
    }

    /// The clock while `busy` (0 to 1) of the SMs work, relative to the clock when all do: the one
    /// that times on a whole GPU were measured at. At least 1.
    pub fn clock(&self, busy: f64) -> f64 {
        let clock = |busy: f64| if busy <= self.knee { 1.0 } else { (self.knee / busy).cbrt() };
        clock(busy) / clock(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A30: all four slices busy, a slice loses 5.7 to 9.4 % against running alone (MLPerf Inference
    /// v1.1, HeteroMultiUse), and a large GEMM loses its 4.4 % only when the fourth slice joins
    /// (Colfax Research). A knee of 0.79 of the SMs says 7.6 % and nothing with three slices busy.
    #[test]
    fn the_clock_falls_when_the_last_slice_joins() {
        let cap = PowerCap::new(Share::new(0.79).unwrap());
        assert_eq!(cap.clock(0.25), cap.clock(0.75));
        assert_eq!(cap.clock(1.0), 1.0);
        let loss = 1.0 - cap.clock(1.0) / cap.clock(0.25);
        assert!((loss - 0.076).abs() < 5e-4, "{loss}");
    }
}
