//! `Engine`: the scheduler of an LLM server, which makes a step of the requests that run and wait.
//!
//! ```text
//! arrivals ─► waiting ─► running: prompts in chunks, then a token each step ─► answered
//!                 ▲         │ no block is free
//!                 └─────────┘ the one that was admitted last is preempted
//! ```
//! It stands where other servers have a batcher: a batch is a step, its one permit returns at the end of the
//! step, and its queries are the requests that have their last token then. *Permits in = permits out*; tokens
//! and blocks are conserved. Arrivals are no events, as of a batcher: it is fed ahead of time.
//!
//! All sequences that decode have a token each in every step that decodes, so contexts are one running sum,
//! ends a heap over the number of such steps, and the blocks that a step takes a count of who is at the end
//! of a block: a step costs what begins and ends in it, not how many run. Only where blocks run short are
//! sequences looked at one by one.
//!
//! The rules of the presets are those of vLLM's scheduler (v1, `vllm/v1/core/sched/scheduler.py`) and of
//! TensorRT-LLM's in-flight batching; which apply is in [`EngineSpec`].

mod running;

use super::{FormedBatch, Permit};
use crate::loadgen::{Lengths, Query};
use crate::queueing::Station;
use crate::record::TokenRecord;
use crate::spec::{Admission, EngineSpec, StepRule, TokenStep};
use crate::units::SimTime;
use running::{Request, Running, Sequence};
use std::collections::VecDeque;

/// The scheduler of one engine.
#[derive(Debug)]
pub struct Engine {
    spec: EngineSpec,
    lengths: Lengths,
    /// Requests by the time they are seen, past and future.
    stock: VecDeque<Request>,
    /// Those that were preempted, the next to go on first. They go before the others.
    preempted: VecDeque<Request>,
    running: Running,
    /// Blocks that nobody has.
    free: u32,
    /// The step under way, what it computes of prompts, and since when it is.
    step: Option<(TokenStep, SimTime)>,
    chunks: Vec<Chunk>,
    /// The numbers of those that have their last token after this step.
    ending: Vec<u64>,
    /// The last step was of prompts apart: decodes come next.
    owes_decode: bool,
    permit: Option<(Permit, SimTime)>,
    /// While its guest stands still: the permit that it would have otherwise.
    halted: Option<Option<Permit>>,
    rooms: Vec<Vec<Query>>,
    closed: bool,
    is_fed: bool,
    record: TokenRecord,
}

/// A piece of a prompt in a step.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    number: u64,
    tokens: u32,
    is_last: bool,
}

impl Engine {
    /// An engine without requests.
    pub fn new(spec: &EngineSpec, lengths: Lengths, record: TokenRecord) -> Self {
        Self {
            spec: spec.clone(),
            lengths,
            stock: VecDeque::new(),
            preempted: VecDeque::new(),
            running: Running::new(spec.block_size),
            free: spec.blocks,
            step: None,
            chunks: Vec::new(),
            ending: Vec::new(),
            owes_decode: false,
            permit: None,
            halted: None,
            rooms: Vec::new(),
            closed: false,
            is_fed: false,
            record,
        }
    }

    /// Adds a request; requests are given their lengths in the order in which they are added.
    pub fn feed(&mut self, query: Query) {
        let (input, output) = self.lengths.next();
        let most = self.spec.max_model_len;
        let (input, all) = (input.clamp(1, most - 1), input.saturating_add(output));
        let output = output.clamp(1, most - input);
        self.record.cut += u64::from(input + output < all);
        let request =
            Request { query, input, output, made: 0, first: SimTime::ZERO, last: SimTime::ZERO };
        let in_order = self.stock.back().is_none_or(|last| last.query.seen <= query.seen);
        if in_order {
            return self.stock.push_back(request);
        }
        let place = self.stock.partition_point(|other| other.query.seen <= query.seen);
        self.stock.insert(place, request);
    }

    /// No more requests will be added ahead of time.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Adds requests that come in order, none before one that was added earlier.
    pub fn feed_in_order(&mut self, queries: impl Iterator<Item = Query>) {
        queries.for_each(|query| self.feed(query));
    }

    /// Sets whether requests will come that are not known ahead of time.
    pub fn expect(&mut self, more: bool) {
        self.is_fed = more;
    }

    /// Whether it needs more requests, or to be closed, before a step is formed: a step admits as many as
    /// may run, at most.
    pub fn is_hungry(&self) -> bool {
        !self.closed && self.stock.len() < self.spec.max_num_seqs as usize
    }

    /// Forms no step from now on.
    pub fn halt(&mut self) {
        if self.halted.is_none() {
            self.halted = Some(self.permit.take().map(|(permit, _)| permit));
        }
    }

    /// Forms steps again.
    pub fn go_on(&mut self, now: SimTime) {
        if let Some(permit) = self.halted.take().flatten() {
            self.permit = Some((permit, now));
        }
    }

    /// Takes out the requests that it has received by `now` and that are in no step: nobody answers them.
    pub fn take_received(&mut self, now: SimTime) -> Vec<Query> {
        let count = self.stock.partition_point(|request| request.query.seen <= now);
        let waiting = self.preempted.drain(..).chain(self.stock.drain(..count));
        let mut taken: Vec<Query> = waiting.map(|request| request.query).collect();
        while self.running.len() > 0 {
            let (request, blocks) = self.running.pop();
            self.free += blocks;
            taken.push(request.query);
        }
        taken
    }

    /// Whether nobody waits and nothing more will come ahead of time.
    pub fn is_drained(&self) -> bool {
        self.closed && !self.is_fed && self.stock.is_empty() && self.preempted.is_empty()
    }

    /// Takes back the room of a batch's queries.
    pub fn reuse(&mut self, room: Vec<Query>) {
        self.rooms.push(room);
    }

    /// The requests it holds that wait, those that are not due yet among them.
    pub fn stock(&self) -> impl Iterator<Item = &Query> {
        self.preempted.iter().chain(&self.stock).map(|request| &request.query)
    }

    /// What the step under way computes.
    pub fn step(&self) -> TokenStep {
        self.step.expect("a step is under way").0
    }

    /// Its tokens so far.
    pub fn record(&self) -> &TokenRecord {
        &self.record
    }

    /// Blocks that are taken.
    pub fn blocks_taken(&self) -> u32 {
        self.spec.blocks - self.free
    }

    /// Sequences that run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    fn is_reserved(&self) -> bool {
        self.spec.admission == Admission::Reserved
    }

    /// Makes the step that begins at `now`.
    fn form(&mut self, now: SimTime) -> TokenStep {
        let mut step = TokenStep::default();
        self.chunks.clear();
        let is_apart = self.spec.steps == StepRule::PromptsApart;
        let owes_decode = self.owes_decode && self.running.decoding() > 0;
        let prompts_first = is_apart && !owes_decode;
        if prompts_first {
            self.admit(now, self.spec.max_num_batched_tokens, &mut step);
        }
        if step.prompts == 0 {
            let had_to_preempt = self.decode(&mut step);
            if !is_apart {
                let budget = self.spec.max_num_batched_tokens - step.decodes;
                let left = self.go_on_with_prompt(budget, &mut step);
                if let Some(left) = left.filter(|_| !had_to_preempt) {
                    self.admit(now, left, &mut step);
                }
            }
        }
        self.owes_decode = step.prompts > 0;
        let ends = self.chunks.iter().filter(|chunk| chunk.is_last);
        step.rows = step.decodes + ends.count() as u32;
        step
    }

    /// One token of each sequence that decodes; whether some had to be preempted.
    fn decode(&mut self, step: &mut TokenStep) -> bool {
        let mut had_to_preempt = false;
        if !self.is_reserved() {
            let need = self.running.at_block_end();
            had_to_preempt = need > self.free;
            if had_to_preempt {
                self.make_room();
            } else {
                self.free -= need;
            }
        }
        step.decodes = self.running.decoding();
        step.contexts = self.running.contexts() + u64::from(step.decodes);
        step.longest = self.running.longest().map_or(0, |longest| longest + 1);
        had_to_preempt
    }

    /// Gives a block to each that needs one, in the order in which they were admitted, and preempts from the
    /// other end where none is free.
    fn make_room(&mut self) {
        let mut place = 0;
        'all: while place < self.running.len() {
            if self.running.needs_block(place) {
                while self.free == 0 {
                    self.preempt();
                    if place == self.running.len() {
                        break 'all;
                    }
                }
                self.free -= 1;
            }
            place += 1;
        }
    }

    /// The sequence that was admitted last goes back to the head of the queue, and its blocks are free.
    fn preempt(&mut self) {
        let (sequence, blocks) = self.running.pop();
        self.free += blocks;
        self.record.preemptions += 1;
        self.preempted.push_front(sequence);
    }

    /// The next chunk of the prompt that is under way, always that of the last sequence; the budget that is
    /// left, unless the sequence had to be preempted for want of blocks.
    fn go_on_with_prompt(&mut self, budget: u32, step: &mut TokenStep) -> Option<u32> {
        let Some((computed, missing)) = self.running.prompt_under_way() else {
            return Some(budget);
        };
        let tokens = missing.min(budget);
        if !self.is_reserved() {
            let blocks = |tokens: u32| tokens.div_ceil(self.spec.block_size);
            let need = blocks(computed + tokens) - blocks(computed);
            if need > self.free {
                self.preempt();
                return None;
            }
            self.free -= need;
        }
        self.add_chunk(self.running.last_number(), computed, tokens, missing, step);
        Some(budget - tokens)
    }

    /// Admits requests that wait, first come first served; the first that finds no place stops the rest.
    fn admit(&mut self, now: SimTime, mut budget: u32, step: &mut TokenStep) {
        let spec = &self.spec;
        let (block, most, prompts_max) =
            (spec.block_size, spec.max_num_seqs as usize, spec.prompts_max);
        let (is_chunked, all_of_a_step) = (spec.chunked_prefill, spec.max_num_batched_tokens);
        let hits = spec.prefix_hits.get();
        while budget > 0 && self.running.len() < most && step.prompts < prompts_max {
            let head = match self.preempted.front() {
                Some(request) => request,
                None => match self.stock.front().filter(|request| request.query.seen <= now) {
                    Some(request) => request,
                    None => return,
                },
            };
            // What it made before it was preempted is computed as a prompt is.
            let total = head.input + head.made;
            let hit = (f64::from(head.input) * hits / f64::from(block)) as u32 * block;
            let hit = hit.min(total - 1) / block * block;
            let missing = total - hit;
            let is_alone = step.prompts == 0 && missing > all_of_a_step;
            let tokens = match (missing <= budget, is_chunked) {
                (true, _) => missing,
                (false, true) => budget,
                (false, false) if is_alone => missing,
                (false, false) => return,
            };
            let holds = if self.is_reserved() { head.input + head.output } else { hit + tokens };
            let need = holds.div_ceil(block);
            if need > self.free {
                return;
            }
            self.free -= need;
            let request = match self.preempted.pop_front() {
                Some(request) => {
                    self.record.recomputed_tokens += u64::from(missing);
                    request
                }
                None => {
                    let request = self.stock.pop_front().expect("the head");
                    self.record.admitted(now - request.query.due);
                    request
                }
            };
            let reserved = self.is_reserved().then_some(need);
            let number = self.running.admit(request, hit, reserved);
            self.add_chunk(number, hit, tokens, missing, step);
            budget = budget.saturating_sub(tokens);
        }
    }

    fn add_chunk(
        &mut self,
        number: u64,
        before: u32,
        tokens: u32,
        missing: u32,
        step: &mut TokenStep,
    ) {
        step.prompts += 1;
        step.prompt_tokens += tokens;
        step.prompt_pairs += f64::from(tokens) * (f64::from(before) + f64::from(tokens) / 2.0);
        self.chunks.push(Chunk { number, tokens, is_last: tokens == missing });
    }

    /// The requests that have their last token with this step.
    fn find_ending(&mut self, step: &TokenStep, queries: &mut Vec<Query>) {
        self.ending.clear();
        if step.decodes > 0 {
            self.running.take_ending(&mut self.ending);
        }
        for chunk in self.chunks.iter().filter(|chunk| chunk.is_last) {
            let sequence = self.running.get(chunk.number);
            if sequence.request.made + 1 == sequence.request.output {
                self.ending.push(chunk.number);
            }
        }
        queries.extend(self.ending.iter().map(|&number| self.running.get(number).request.query));
    }

    /// The step that is under way ends at `now`.
    fn end_step(&mut self, now: SimTime) {
        let Some((step, since)) = self.step.take() else { return };
        let taken = self.blocks_taken();
        let running = self.running.len() as u32;
        self.record.step(now - since, running, taken, step.prompts > 0);
        self.record.output_tokens += u64::from(step.rows);
        if step.decodes > 0 {
            self.running.decoded(now, &mut self.record.itl);
        }
        for chunk in std::mem::take(&mut self.chunks) {
            let Some(sequence) = self.running.computed(chunk.number, chunk.tokens) else {
                continue;
            };
            if !chunk.is_last {
                continue;
            }
            let request = &mut sequence.request;
            if request.made == 0 {
                request.first = now;
                self.record.ttft.record(now - request.query.due);
            } else {
                self.record.itl.record(now - request.last);
            }
            request.made += 1;
            request.last = now;
            if request.made < request.output {
                self.running.join(chunk.number, now);
            }
        }
        for number in std::mem::take(&mut self.ending) {
            let (Request { query, input, output, first, .. }, blocks) = self.running.remove(number);
            self.free += blocks;
            self.record.answered(query.due, first, now, (input, output));
        }
    }
}

impl Station for Engine {
    type Job = Permit;
    type Done = FormedBatch;

    /// Its permit: the step before it is over.
    fn submit(&mut self, now: SimTime, permit: Permit) {
        self.end_step(now);
        match &mut self.halted {
            Some(kept) => *kept = Some(permit),
            None => self.permit = Some((permit, now)),
        }
    }

    fn next_change(&self) -> Option<SimTime> {
        let (_, since) = self.permit?;
        if self.running.len() > 0 || !self.preempted.is_empty() {
            return Some(since);
        }
        self.stock.front().map(|request| request.query.seen.max(since))
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<FormedBatch>) {
        if self.next_change().is_none_or(|at| at > now) {
            return;
        }
        let step = self.form(now);
        assert!(step.rows > 0 || step.prompts > 0, "a request has blocks for all of it");
        let mut queries = self.rooms.pop().unwrap_or_default();
        self.find_ending(&step, &mut queries);
        self.step = Some((step, now));
        let (permit, _) = self.permit.take().expect("asked above");
        done.push(FormedBatch { permit, queries });
    }
}

impl Sequence {
    /// Tokens that it still has to make before its last.
    fn left(&self) -> u32 {
        self.request.output - self.request.made
    }
}

#[cfg(test)]
mod tests;
