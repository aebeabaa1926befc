//! Dot product: the host whose free CPU and frame buffer, over the largest host's, have the least
//! dot product with the request.

use super::{Policy, largest, left, wanted};
use crate::layout::cluster::{Cluster, Site};

#[derive(Debug)]
pub(super) struct DotProduct {
    largest: [f64; 2],
}

impl DotProduct {
    pub(super) fn of(cluster: &Cluster<'_>) -> Self {
        Self { largest: largest(cluster) }
    }
}

impl Policy for DotProduct {
    fn score(&mut self, at: &Site<'_, '_>) -> f64 {
        let (left, wanted) = (left(at), wanted(at));
        let part = |one: usize| left[one] * wanted[one] / self.largest[one] / self.largest[one];
        100.0 * (1.0 - (part(0) + part(1)) / 2.0)
    }
}
