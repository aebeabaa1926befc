//! Best fit: what is left of CPU and of frame buffer, each over the largest host's, halved and added.

use super::{Policy, largest, left, wanted};
use crate::layout::cluster::{Cluster, Site};

#[derive(Debug)]
pub(super) struct BestFit {
    largest: [f64; 2],
}

impl BestFit {
    pub(super) fn of(cluster: &Cluster<'_>) -> Self {
        Self { largest: largest(cluster) }
    }
}

impl Policy for BestFit {
    fn score(&mut self, at: &Site<'_, '_>) -> f64 {
        let (left, wanted) = (left(at), wanted(at));
        let rest = |one: usize| (left[one] - wanted[one]) / self.largest[one] / 2.0;
        100.0 * (1.0 - rest(0) - rest(1))
    }
}
