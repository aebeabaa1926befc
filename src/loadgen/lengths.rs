//! Lengths of requests.

use crate::engine::Stream;
use crate::spec::{LengthPair, TokenLengths};

/// Draws them.
#[derive(Debug)]
pub struct Lengths {
    pair: LengthPair,
    next: usize,
}

impl Lengths {
    /// Of a pair.
    pub fn new(pair: &LengthPair, _: Stream) -> Self {
        Self { pair: pair.clone(), next: 0 }
    }

    /// Tokens of prompt and output of the next request.
    pub fn next(&mut self) -> (u32, u32) {
        let of = |lengths: &TokenLengths| match lengths {
            TokenLengths::Fixed(tokens) => *tokens,
            _ => todo!("merged from elsewhere"),
        };
        match &self.pair {
            LengthPair::Drawn { input, output, .. } => (of(&input.value), of(&output.value)),
            LengthPair::Recorded(all) => {
                let one = all[self.next % all.len()];
                self.next += 1;
                one
            }
        }
    }
}
