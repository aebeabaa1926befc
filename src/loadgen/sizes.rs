//! The size of each query: its work relative to the mean, from the VM's own random stream.
//!
//! The time that a size takes is computed in `gpu::cost`.

use crate::engine::Stream;
use crate::spec::SizeDistribution;
use rand_distr::{Distribution, Exp1, LogNormal};

/// Draws sizes one after the other.
pub struct Sizes {
    law: Law,
    stream: Stream,
}

enum Law {
    Fixed,
    LogNormal(LogNormal<f32>),
    Exponential,
}

impl Sizes {
    /// Sizes of `distribution`, drawn from `stream`.
    pub fn new(distribution: SizeDistribution, stream: Stream) -> Self {
        let law = match distribution {
            SizeDistribution::Fixed => Law::Fixed,
            SizeDistribution::Exponential => Law::Exponential,
            SizeDistribution::LogNormal { sigma } => {
                // exp(mu + sigma^2 / 2) is the mean of the law; this mu makes it 1.
                let mu = -sigma * sigma / 2.0;
                Law::LogNormal(LogNormal::new(mu as f32, sigma as f32).expect("sigma is finite"))
            }
        };
        Self { law, stream }
    }

    /// The next size, above 0.
    #[inline]
    pub fn draw(&mut self) -> f32 {
        match &self.law {
            Law::Fixed => 1.0,
            Law::LogNormal(law) => law.sample(&mut self.stream),
            Law::Exponential => {
                let size: f32 = Exp1.sample(&mut self.stream);
                size.max(f32::MIN_POSITIVE)
            }
        }
    }

    /// The next `count` sizes, largest first.
    pub fn falling(&mut self, count: u64) -> Vec<f32> {
        let mut sizes: Vec<f32> = (0..count).map(|_| self.draw()).collect();
        // Of numbers above 0 the bits are in their order, and compare in half the time.
        sizes.sort_unstable_by_key(|size| !size.to_bits());
        sizes
    }
}
