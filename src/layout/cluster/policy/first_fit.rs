//! First fit: hosts in their order.

use super::Policy;
use crate::layout::cluster::Site;

#[derive(Debug)]
pub(super) struct FirstFit;

impl Policy for FirstFit {
    fn score(&mut self, _: &Site<'_, '_>) -> f64 {
        0.0
    }
}
