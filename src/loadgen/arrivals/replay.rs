//! Arrivals of a recorded trace, in its order, at the recorded rate or another one.
//!
//! It draws no random number; the work of a sample comes with its row of the trace.

use crate::spec::{Trace, TraceArrival};
use crate::units::SimDuration;
use std::sync::Arc;

/// Hands out the arrivals of a trace.
pub(in crate::loadgen) struct Replay {
    trace: Arc<Trace>,
    /// Times of the trace are multiplied by it.
    stretch: f64,
    next: usize,
}

impl Replay {
    /// The arrivals of `trace`, played at `rate` samples per second instead of its own rate.
    pub(in crate::loadgen) fn new(trace: Arc<Trace>, rate: f64) -> Self {
        let stretch = trace.rate() / rate;
        Self { trace, stretch, next: 0 }
    }

    /// When the next sample is due, after the start of the load, and its work relative to the mean
    /// where the trace states it.
    pub(in crate::loadgen) fn arrival(&mut self) -> Option<(SimDuration, Option<f32>)> {
        let TraceArrival { at, size } = *self.trace.arrivals.get(self.next)?;
        self.next += 1;
        let at = if self.stretch == 1.0 { at } else { at.scale(self.stretch) };
        Some((at, (size > 0.0).then_some(size)))
    }
}
