//! How far a VM is from its bound: who of several is named as the worst.

use super::VmResult;

impl VmResult {
    /// Whether it is judged: an LLM without bounds is not.
    pub fn is_judged(&self) -> bool {
        self.tokens.as_ref().is_none_or(|tokens| tokens.goodput.is_some())
    }

    /// How far it is from its bound, by its p99: see [`VmResult::badness`].
    pub fn lateness(&self) -> f64 {
        self.badness(self.latency_ms.p99)
    }

    /// How far it is from its bound, the greater the worse: above 1 it misses it. By its latency, which is
    /// `judged_ms`; where VMs of the run left queries without an answer, by queries; of an LLM the part of the
    /// requests that miss their bounds over the part that may, 0 without bounds.
    pub fn badness(&self, judged_ms: f64) -> f64 {
        if let Some(tokens) = &self.tokens {
            return tokens.goodput.map_or(0.0, |good| good.nearness());
        }
        let by_latency = match self.target_latency_ms > 0.0 {
            true => judged_ms / self.target_latency_ms,
            false => 0.0,
        };
        self.late_of_allowed.unwrap_or(by_latency)
    }
}
