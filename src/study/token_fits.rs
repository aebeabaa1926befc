//! How far the figures of tokens move with inputs that measurements leave open; `fits` runs them.

use super::tokens::{COMPARED, TokenResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The figures of tokens with other inputs beside those of the best fit.
#[derive(Clone, Debug)]
pub(super) struct TokenRatios {
    /// Tokens per second, the least and the greatest ratio.
    rate: [f64; 2],
    /// The same of the times of [`COMPARED`].
    times: [[f64; 2]; COMPARED.len()],
    /// The least and the greatest difference of the part of the requests within their bounds.
    good: [f64; 2],
}

/// The least and the greatest of each figure of tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenSpread {
    /// Tokens made per second.
    pub output_tokens_per_s: [f64; 2],
    /// Times of tokens in milliseconds, by the names of [`COMPARED`].
    pub times: BTreeMap<String, [f64; 2]>,
    /// The part of the requests within both bounds, 0 to 1; nothing where none are stated.
    pub good_share: Option<[f64; 2]>,
}

impl TokenRatios {
    /// Those of the best fit alone.
    pub(super) fn of_best() -> Self {
        Self { rate: [1.0; 2], times: [[1.0; 2]; COMPARED.len()], good: [0.0; 2] }
    }

    /// Widens them to a run with other inputs.
    pub(super) fn add(&mut self, found: &TokenResult, best: &TokenResult) {
        widen(&mut self.rate, found.output_tokens_per_s / best.output_tokens_per_s);
        for (name, ends) in COMPARED.into_iter().zip(&mut self.times) {
            if let (Some(found), Some(best)) = (found.get(name), best.get(name)) {
                widen(ends, found / best);
            }
        }
        if let (Some(found), Some(best)) = (found.goodput, best.goodput) {
            widen(&mut self.good, found.share - best.share);
        }
    }

    /// The smallest that holds this one and another.
    pub(super) fn or(mut self, other: &Self) -> Self {
        other.rate.into_iter().for_each(|end| widen(&mut self.rate, end));
        for (ends, others) in self.times.iter_mut().zip(other.times) {
            others.into_iter().for_each(|end| widen(ends, end));
        }
        other.good.into_iter().for_each(|end| widen(&mut self.good, end));
        self
    }

    /// The figures of the whole run with their ends.
    pub(super) fn spread(&self, of: &TokenResult) -> TokenSpread {
        let times = COMPARED.into_iter().zip(self.times);
        let times = times.filter_map(|(name, ends)| {
            let own = of.get(name)?;
            Some((name.to_string(), ends.map(|ratio| own * ratio)))
        });
        TokenSpread {
            output_tokens_per_s: self.rate.map(|ratio| of.output_tokens_per_s * ratio),
            times: times.collect(),
            good_share: of
                .goodput
                .map(|good| self.good.map(|difference| (good.share + difference).clamp(0.0, 1.0))),
        }
    }
}

impl TokenSpread {
    /// Every figure.
    pub(super) fn figures(&self) -> impl Iterator<Item = f64> {
        let times = self.times.values().copied();
        times.chain([self.output_tokens_per_s]).chain(self.good_share).flatten()
    }
}

fn widen(ends: &mut [f64; 2], value: f64) {
    if value.is_finite() {
        *ends = [ends[0].min(value), ends[1].max(value)];
    }
}
