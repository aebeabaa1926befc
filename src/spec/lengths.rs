//! How long the requests of an LLM are: tokens of the prompt and of the output.

use super::Fact;
use std::sync::Arc;

/// How prompts and outputs of requests are distributed.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "a VM has one")]
pub enum LengthPair {
    /// Each drawn from a distribution of its own.
    Drawn {
        /// The name of the pair, where it has one, for reports.
        name: Option<String>,
        /// Tokens of prompts.
        input: Fact<TokenLengths>,
        /// Tokens of outputs.
        output: Fact<TokenLengths>,
    },
    /// As recorded: prompt and output of each request in order of arrival; again from the first after the
    /// last. At least one.
    Recorded(Arc<Vec<(u32, u32)>>),
}

/// How many tokens, 1 at least.
#[derive(Clone, PartialEq, Debug)]
pub enum TokenLengths {
    /// Always so many.
    Fixed(u32),
    /// Every number from the first to the last alike.
    Uniform(u32, u32),
    /// Lognormal with this mean and coefficient of variation, rounded, cut off at the most.
    LogNormal {
        /// The mean before it is cut off, in tokens.
        mean: f64,
        /// Standard deviation over mean.
        cv: f64,
        /// The most.
        most: u32,
    },
    /// By quantiles: the part of requests, rising from 0 to 1, and their tokens, never falling; linear
    /// between. At least two.
    Quantiles(Vec<(f64, u32)>),
}
