//! The slow twin of the scheduler: request by request, step by step, written from vLLM's rules and from
//! those of the measured loop. It keeps lists and counts blocks anew each time.

use super::Asked;
use crate::spec::{Admission, EngineSpec, StepRule, TokenStep};

/// What became of a run, with every time.
#[derive(Default)]
pub(super) struct Slow {
    pub(super) steps: Vec<(TokenStep, u64, u64)>,
    pub(super) preemptions: u64,
    pub(super) ttft: Vec<u64>,
    pub(super) itl: Vec<u64>,
}

#[derive(Clone)]
struct One {
    due: u64,
    input: u32,
    output: u32,
    made: u32,
    /// Tokens whose keys and values are there.
    computed: u32,
    /// Tokens that this step computes.
    now: u32,
    last: u64,
    /// All of its prompt was computed, and what it made before it was preempted.
    decodes: bool,
}

impl One {
    /// Tokens that must be computed before it has its next.
    fn total(&self) -> u32 {
        self.input + self.made
    }

    fn blocks(&self, spec: &EngineSpec, tokens: u32) -> u32 {
        match spec.admission {
            Admission::Reserved => (self.input + self.output).div_ceil(spec.block_size),
            Admission::AsItGrows => tokens.div_ceil(spec.block_size),
        }
    }
}

pub(super) fn run(spec: &EngineSpec, asked: &[Asked], time: impl Fn(&TokenStep) -> u64) -> Slow {
    let mut slow = Slow::default();
    let mut future: Vec<One> = asked
        .iter()
        .map(|&(due, input, output)| One {
            due,
            input,
            output,
            made: 0,
            computed: 0,
            now: 0,
            last: 0,
            decodes: false,
        })
        .collect();
    let mut waiting: Vec<One> = Vec::new();
    let mut running: Vec<One> = Vec::new();
    let (mut now, mut owes_decode) = (0_u64, false);
    loop {
        if waiting.is_empty() && running.is_empty() {
            let Some(first) = future.first() else { return slow };
            now = now.max(first.due);
        }
        let arrived = future.partition_point(|one| one.due <= now);
        waiting.extend(future.drain(..arrived));
        let is_apart = spec.steps == StepRule::PromptsApart;
        let decodes = |running: &[One]| running.iter().any(|one| one.decodes);
        let mut budget = spec.max_num_batched_tokens;
        let mut preempted = false;
        let decode_now = is_apart && owes_decode && decodes(&running);
        let mut prompts = 0;
        if is_apart && !decode_now {
            admit(spec, now, &mut waiting, &mut running, budget, &mut prompts);
        }
        if !is_apart || prompts == 0 {
            let mut place = 0;
            while place < running.len() {
                let one = &running[place];
                let tokens = (one.total() - one.computed).min(budget);
                let after = one.computed + tokens;
                // The blocks of all, were this one served.
                loop {
                    let held: u32 = running
                        .iter()
                        .enumerate()
                        .map(|(index, one)| {
                            let tokens = match index == place {
                                true => after,
                                false => one.computed + one.now,
                            };
                            one.blocks(spec, tokens)
                        })
                        .sum();
                    if held <= spec.blocks {
                        running[place].now = tokens;
                        budget -= tokens;
                        break;
                    }
                    let mut gone = running.pop().expect("one at least");
                    (gone.computed, gone.now, gone.decodes) = (0, 0, false);
                    waiting.insert(0, gone);
                    slow.preemptions += 1;
                    preempted = true;
                    if place == running.len() {
                        break;
                    }
                }
                place += 1;
            }
            if !is_apart && !preempted {
                admit(spec, now, &mut waiting, &mut running, budget, &mut prompts);
            }
        }
        owes_decode = is_apart && prompts > 0;
        let step = step_of(&running);
        let end = now + time(&step);
        slow.steps.push((step, now, end));
        for one in running.iter_mut().filter(|one| one.now > 0) {
            one.computed += one.now;
            one.now = 0;
            if one.computed < one.total() {
                continue;
            }
            match one.made {
                0 => slow.ttft.push(end - one.due),
                _ => slow.itl.push(end - one.last),
            }
            one.made += 1;
            one.decodes = true;
            one.last = end;
        }
        running.retain(|one| one.made < one.output);
        now = end;
    }
}

fn step_of(running: &[One]) -> TokenStep {
    let mut step = TokenStep::default();
    for one in running.iter().filter(|one| one.now > 0) {
        let ends = one.computed + one.now == one.total();
        step.rows += u32::from(ends);
        if one.decodes {
            step.decodes += 1;
            step.contexts += u64::from(one.computed) + 1;
            step.longest = step.longest.max(one.computed + 1);
        } else {
            step.prompts += 1;
            step.prompt_tokens += one.now;
            step.prompt_pairs +=
                f64::from(one.now) * (f64::from(one.computed) + f64::from(one.now) / 2.0);
        }
    }
    step
}

fn admit(
    spec: &EngineSpec,
    _: u64,
    waiting: &mut Vec<One>,
    running: &mut Vec<One>,
    mut budget: u32,
    prompts: &mut u32,
) {
    while let Some(head) = waiting.first() {
        if budget == 0
            || running.len() >= spec.max_num_seqs as usize
            || *prompts >= spec.prompts_max
        {
            return;
        }
        let hit =
            (f64::from(head.input) * spec.prefix_hits.get() / f64::from(spec.block_size)) as u32;
        let mut hit = hit * spec.block_size;
        while hit > head.total() - 1 {
            hit -= spec.block_size;
        }
        let missing = head.total() - hit;
        let tokens = if missing <= budget {
            missing
        } else if spec.chunked_prefill {
            budget
        } else if *prompts == 0 && missing > spec.max_num_batched_tokens {
            missing
        } else {
            return;
        };
        let held: u32 = running.iter().map(|one| one.blocks(spec, one.computed + one.now)).sum();
        if held + head.blocks(spec, hit + tokens) > spec.blocks {
            return;
        }
        let mut one = waiting.remove(0);
        (one.computed, one.now) = (hit, tokens);
        running.push(one);
        *prompts += 1;
        budget = budget.saturating_sub(tokens);
    }
}
