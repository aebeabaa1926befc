//! The sequences that run, in the order in which they were admitted.
//!
//! Those that decode all have a token in every step that decodes. Such steps are counted: what a sequence has
//! made follows from the count when it joined.

use crate::loadgen::Query;
use crate::queueing::stats::LatencyHistogram;
use crate::units::SimTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A request, with what was made of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) query: Query,
    /// Tokens of its prompt.
    pub(super) input: u32,
    /// Tokens that it gets.
    pub(super) output: u32,
    /// Tokens that it has got, up to when it began to decode.
    pub(super) made: u32,
    /// When it had its first token, and its last but for those of decodes since it joined.
    pub(super) first: SimTime,
    pub(super) last: SimTime,
}

/// A request that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence {
    pub(super) request: Request,
    /// Numbers rise in the order of admission.
    number: u64,
    /// Tokens whose keys and values are there: now of a prompt, when it joined of one that decodes.
    computed: u32,
    /// For one that decodes: steps that had decoded when it joined.
    joined: Option<u64>,
    /// Its blocks, where they are reserved: else as many as its context needs.
    reserved: Option<u32>,
}

/// Those that run.
#[derive(Debug)]
pub(super) struct Running {
    block: u32,
    sequences: Vec<Sequence>,
    next_number: u64,
    /// Steps that decoded.
    count: u64,
    decoding: u32,
    /// Tokens of the contexts of those that decode.
    contexts: u64,
    /// Of those that decode: how many have a context that is a whole number of blocks whenever the count is
    /// this, modulo the tokens of a block.
    at_end: Vec<u32>,
    /// Last tokens, by the count, and whose.
    ends: BinaryHeap<Reverse<(u64, u64)>>,
    /// Contexts, less the count, and whose: the longest first. Those that are gone are passed over.
    longest: BinaryHeap<(i64, u64)>,
    /// When those that decode had their last token, but for the fresh ones.
    last: SimTime,
    /// How many joined since, and when.
    fresh: Vec<(SimTime, u32)>,
}

impl Running {
    pub(super) fn new(block: u32) -> Self {
        Self {
            block,
            sequences: Vec::new(),
            next_number: 0,
            count: 0,
            decoding: 0,
            contexts: 0,
            at_end: vec![0; block as usize],
            ends: BinaryHeap::new(),
            longest: BinaryHeap::new(),
            last: SimTime::ZERO,
            fresh: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sequences.len()
    }

    pub(super) fn decoding(&self) -> u32 {
        self.decoding
    }

    pub(super) fn contexts(&self) -> u64 {
        self.contexts
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.sequences.binary_search_by_key(&number, |sequence| sequence.number).ok()
    }

    pub(super) fn get(&self, number: u64) -> &Sequence {
        &self.sequences[self.place(number).expect("it runs")]
    }

    pub(super) fn last_number(&self) -> u64 {
        self.sequences.last().expect("somebody runs").number
    }

    /// The longest context of those that decode.
    pub(super) fn longest(&mut self) -> Option<u32> {
        loop {
            let &(less_count, number) = self.longest.peek()?;
            if self.place(number).is_some() {
                return Some((less_count + self.count as i64) as u32);
            }
            self.longest.pop();
        }
    }

    /// How many of those that decode have full blocks only, and need another for their next token.
    pub(super) fn at_block_end(&self) -> u32 {
        self.at_end[(self.count % u64::from(self.block)) as usize]
    }

    fn context(&self, sequence: &Sequence) -> u32 {
        match sequence.joined {
            Some(joined) => sequence.computed + (self.count - joined) as u32,
            None => sequence.computed,
        }
    }

    pub(super) fn needs_block(&self, place: usize) -> bool {
        let sequence = &self.sequences[place];
        sequence.joined.is_some() && self.context(sequence).is_multiple_of(self.block)
    }

    fn blocks_of(&self, sequence: &Sequence) -> u32 {
        sequence.reserved.unwrap_or(self.context(sequence).div_ceil(self.block))
    }

    /// A request runs, with so many tokens of its prompt there already; its number.
    pub(super) fn admit(&mut self, request: Request, computed: u32, reserved: Option<u32>) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.sequences.push(Sequence { request, number, computed, joined: None, reserved });
        number
    }

    /// The prompt that is computed in part: what is there of it and what is missing.
    pub(super) fn prompt_under_way(&self) -> Option<(u32, u32)> {
        let last = self.sequences.last().filter(|last| last.joined.is_none())?;
        let total = last.request.input + last.request.made;
        Some((last.computed, total - last.computed))
    }

    /// So many more tokens of its prompt are computed.
    pub(super) fn computed(&mut self, number: u64, tokens: u32) -> Option<&mut Sequence> {
        let place = self.place(number)?;
        let sequence = &mut self.sequences[place];
        sequence.computed += tokens;
        Some(sequence)
    }

    /// Its prompt is computed: it decodes from now on.
    pub(super) fn join(&mut self, number: u64, now: SimTime) {
        let place = self.place(number).expect("it runs");
        let (count, block) = (self.count, u64::from(self.block));
        let sequence = &mut self.sequences[place];
        sequence.joined = Some(count);
        let computed = sequence.computed;
        self.ends.push(Reverse((count + u64::from(sequence.left()), number)));
        self.longest.push((i64::from(computed) - count as i64, number));
        self.at_end[at_end_of(computed, count, block)] += 1;
        self.decoding += 1;
        self.contexts += u64::from(computed);
        match self.fresh.last_mut().filter(|(at, _)| *at == now) {
            Some((_, joined)) => *joined += 1,
            None => self.fresh.push((now, 1)),
        }
    }

    /// Those that have their last token with the next step that decodes.
    pub(super) fn take_ending(&mut self, ending: &mut Vec<u64>) {
        while let Some(&Reverse((at, number))) = self.ends.peek() {
            if at > self.count + 1 {
                return;
            }
            self.ends.pop();
            if self.place(number).is_some() {
                ending.push(number);
            }
        }
    }

    /// All that decode had a token at `now`; the times since their last ones are recorded.
    pub(super) fn decoded(&mut self, now: SimTime, gaps: &mut LatencyHistogram) {
        let mut others = self.decoding;
        for (at, joined) in self.fresh.drain(..) {
            gaps.record_n(now - at, u64::from(joined));
            others -= joined;
        }
        gaps.record_n(now - self.last, u64::from(others));
        self.last = now;
        self.count += 1;
        self.contexts += u64::from(self.decoding);
    }

    /// Takes out the one that was admitted last, to be computed again; and how many blocks it had.
    pub(super) fn pop(&mut self) -> (Request, u32) {
        let number = self.last_number();
        let sequence = self.sequences[self.sequences.len() - 1];
        if let Some(joined) = sequence.joined {
            let fresh = (joined == self.count).then_some(sequence.request.last);
            if let Some((_, joined)) = self.fresh.iter_mut().find(|(at, _)| Some(*at) == fresh) {
                *joined -= 1;
            }
            let last = fresh.unwrap_or(self.last);
            let made = sequence.request.made + (self.count - joined) as u32;
            let (request, blocks) = self.remove(number);
            return (Request { made, last, ..request }, blocks);
        }
        self.remove(number)
    }

    /// Takes one out; and how many blocks it had.
    pub(super) fn remove(&mut self, number: u64) -> (Request, u32) {
        let place = self.place(number).expect("it runs");
        let blocks = self.blocks_of(&self.sequences[place]);
        let sequence = self.sequences.remove(place);
        if let Some(joined) = sequence.joined {
            self.decoding -= 1;
            self.contexts -= u64::from(self.context(&sequence));
            self.at_end[at_end_of(sequence.computed, joined, u64::from(self.block))] -= 1;
        }
        (sequence.request, blocks)
    }
}

/// The count, modulo the tokens of a block, at which the context of one that joined with so many tokens is a
/// whole number of blocks.
fn at_end_of(computed: u32, joined: u64, block: u64) -> usize {
    let past = u64::from(computed) % block;
    ((joined + block - past) % block) as usize
}
