//! Who is in a step, against worked cases, theory, a slow twin, and a server that was measured.

use super::*;
use crate::engine::RandomStreams;
use crate::spec::{LengthPair, VmId};
use crate::units::{Share, SimDuration};
use proptest::prelude::*;
use std::sync::Arc;

mod twin;

/// A request: when it comes, in nanoseconds, and the tokens of its prompt and of its output.
type Asked = (u64, u32, u32);

/// What became of a run: each step with its begin and end, and of each request when it was due, had its first
/// token and its last, in order of the last.
#[derive(Clone, PartialEq, Debug, Default)]
struct Told {
    steps: Vec<(TokenStep, u64, u64)>,
    preemptions: u64,
    blocks_most: u32,
}

/// vLLM's rules with small numbers.
fn vllm(tokens: u32, seqs: u32, blocks: u32) -> EngineSpec {
    EngineSpec {
        preset: "vllm",
        max_num_batched_tokens: tokens,
        max_num_seqs: seqs,
        max_model_len: 1000,
        block_size: 4,
        blocks,
        admission: Admission::AsItGrows,
        steps: StepRule::Mixed,
        chunked_prefill: true,
        prompts_max: u32::MAX,
        prefix_hits: Share::NONE,
        decode_sizes: Vec::new(),
        prompt_sizes: Vec::new(),
        ..crate::spec::fixture::two_step()
    }
}

fn query(due: u64) -> Query {
    let due = SimTime::from_nanos(due);
    Query { due, seen: due, size: 1.0, level: 0, step: 0, vm: VmId(0) }
}

fn engine(spec: &EngineSpec, asked: &[Asked]) -> Engine {
    let lengths = asked.iter().map(|&(_, input, output)| (input, output)).collect();
    let stream = RandomStreams::new(0, 0).stream("lengths");
    let lengths = Lengths::new(&LengthPair::Recorded(Arc::new(lengths)), stream);
    let mut engine = Engine::new(spec, lengths, TokenRecord::new(None));
    asked.iter().for_each(|&(due, ..)| engine.feed(query(due)));
    engine.close();
    engine.submit(SimTime::ZERO, Permit { gpu: 0, worker: 0 });
    engine
}

/// Runs an engine whose steps take `time`, in nanoseconds.
fn run(spec: &EngineSpec, asked: &[Asked], time: impl Fn(&TokenStep) -> u64) -> (Told, Engine) {
    let mut engine = engine(spec, asked);
    let (mut told, mut done, mut answered) = (Told::default(), Vec::new(), 0);
    while let Some(now) = engine.next_change() {
        engine.advance(now, &mut done);
        let batch = done.pop().expect("a change makes a step");
        answered += batch.queries.len();
        let step = engine.step();
        let end = now + SimDuration::from_nanos(time(&step));
        told.steps.push((step, now.as_nanos(), end.as_nanos()));
        engine.submit(end, batch.permit);
        engine.reuse(Vec::new());
    }
    assert_eq!(answered, asked.len());
    told.preemptions = engine.record().preemptions;
    told.blocks_most = engine.record().blocks_most;
    (told, engine)
}

/// Tokens of prompts and decodes of each step.
fn sizes(told: &Told) -> Vec<(u32, u32)> {
    told.steps.iter().map(|(step, ..)| (step.prompt_tokens, step.decodes)).collect()
}

/// Ten tokens in chunks of four, then two decodes with 11 and 12 tokens of context: the first token after three
/// steps, the last after five.
#[test]
fn one_request_alone_is_the_sum_of_its_steps() {
    let time = |step: &TokenStep| 100 + u64::from(step.prompt_tokens) + 10 * step.contexts;
    let (told, engine) = run(&vllm(4, 4, 100), &[(7, 10, 3)], time);
    assert_eq!(sizes(&told), [(4, 0), (4, 0), (2, 0), (0, 1), (0, 1)]);
    // Attention pairs: 4 (0 + 2), 4 (4 + 2), 2 (8 + 1).
    let pairs: Vec<f64> = told.steps.iter().map(|(step, ..)| step.prompt_pairs).collect();
    assert_eq!(pairs, [8.0, 24.0, 18.0, 0.0, 0.0]);
    let nanos = |time: Option<SimDuration>| time.unwrap().as_nanos();
    let first = 104 + 104 + 102;
    assert_eq!(nanos(engine.record().ttft.max()), first);
    let (second, third) = (100 + 110, 100 + 120);
    assert_eq!(nanos(engine.record().tpot.max()), (second + third) / 2);
    assert_eq!(nanos(engine.record().itl.max()), third);
    assert_eq!(engine.record().output_tokens, 3);
    assert_eq!(engine.blocks_taken(), 0);
}

/// vLLM: those that run come first, a token each; what is left of the budget goes to the head of the queue,
/// which may get a part.
#[test]
fn decodes_come_before_chunks() {
    // The first has its prompt in one step. Of the second 7 fit beside one decode, then 3 and, with what is
    // left, 4 of the third's 6.
    let asked = [(0, 8, 9), (1, 10, 2), (2, 6, 1)];
    let (told, _) = run(&vllm(8, 8, 100), &asked, |_| 100);
    assert_eq!(sizes(&told)[..4], [(8, 0), (7, 1), (3 + 4, 1), (2, 2)]);
}

/// Two of four tokens each fill two of three blocks. The first to need another gets the last, the second has to
/// give its own up: it is computed again, prompt and what it made, once the first is gone.
#[test]
fn who_came_last_is_preempted() {
    let asked = [(0, 4, 3), (0, 4, 3)];
    let (told, engine) = run(&vllm(100, 8, 3), &asked, |_| 100);
    // Both prompts; one decode of the first alone, twice; then 4 + 1 tokens again, and its last but one... its
    // third token.
    assert_eq!(sizes(&told), [(8, 0), (0, 1), (0, 1), (5, 0), (0, 1)]);
    assert_eq!((told.preemptions, engine.record().recomputed_tokens), (1, 5));
    // Its second token came 300 after its first, its third 100 after that.
    assert_eq!(engine.record().itl.max().unwrap().as_nanos(), 300);
    assert_eq!(engine.record().output_tokens, 6);
}

/// TensorRT-LLM without eviction: a request is admitted once blocks for prompt and output are free.
#[test]
fn reserved_blocks_keep_others_out() {
    let spec = EngineSpec { admission: Admission::Reserved, ..vllm(100, 8, 3) };
    let (told, engine) = run(&spec, &[(0, 4, 3), (0, 4, 3)], |_| 100);
    assert_eq!(sizes(&told), [(4, 0), (0, 1), (0, 1), (4, 0), (0, 1), (0, 1)]);
    assert_eq!(engine.record().preemptions, 0);
    assert_eq!(told.blocks_most, 2);
}

/// Prompts that are not cut wait for a step that they fit in.
#[test]
fn whole_prompts_wait_for_room() {
    let spec = EngineSpec { chunked_prefill: false, ..vllm(10, 8, 100) };
    let (told, _) = run(&spec, &[(0, 6, 2), (0, 6, 1)], |_| 100);
    assert_eq!(sizes(&told), [(6, 0), (6, 1)]);
}

/// Half of a prompt of 16 is there: two blocks of four that cost blocks and no work.
#[test]
fn prefix_hits_cost_blocks_and_no_work() {
    let half = Share::new(0.5).unwrap();
    let spec = EngineSpec { prefix_hits: half, ..vllm(100, 8, 100) };
    let (told, _) = run(&spec, &[(0, 16, 1)], |_| 100);
    assert_eq!(sizes(&told), [(8, 0)]);
    // Eight of its tokens see eight before them, and half of their own.
    assert_eq!(told.steps[0].0.prompt_pairs, 8.0 * (8.0 + 4.0));
    assert_eq!(told.blocks_most, 4);
}

/// The measured loop: prompts of up to a step's tokens, whole, then a decode of all.
#[test]
fn prompts_apart_take_turns_with_decodes() {
    let spec = EngineSpec {
        steps: StepRule::PromptsApart,
        chunked_prefill: false,
        admission: Admission::Reserved,
        ..vllm(10, 8, 100)
    };
    let asked = [(0, 6, 3), (0, 6, 2), (0, 20, 1)];
    let (told, _) = run(&spec, &asked, |_| 100);
    // The second does not fit beside the first; the third is longer than a step, and goes alone.
    assert_eq!(sizes(&told), [(6, 0), (0, 1), (6, 0), (0, 2), (20, 0)]);
}

/// One at a time is M/G/1: Pollaczek and Khinchine's mean wait. Prompts of 1 to 19 tokens, 5 tokens out, a step
/// of 10 us and 1 us for each token of a prompt: a service of 60 to 78 us, 69 in the mean, with a variance of
/// (19^2 - 1) / 12 = 30. At 10 000 a second rho is 0.69 and the mean wait lambda E S^2 / (2 (1 - rho)).
#[test]
fn one_sequence_at_a_time_is_m_g_1() {
    use rand::RngExt;
    let mut chance = RandomStreams::new(7, 0).stream("asked");
    let (mut at, mut asked) = (0.0, Vec::new());
    for _ in 0..200_000 {
        at += -f64::ln(1.0 - chance.random::<f64>()) * 1e5;
        asked.push((at as u64, chance.random_range(1..20), 5));
    }
    let time = |step: &TokenStep| 10_000 + 1000 * u64::from(step.prompt_tokens);
    let (_, engine) = run(&vllm(100, 1, 100), &asked, time);
    let (mean, variance): (f64, f64) = (10.0 + 10.0 + 40.0, 30.0);
    let rate = 0.01;
    let expected = rate * (mean * mean + variance) / (2.0 * (1.0 - rate * mean));
    let found = engine.record().wait_mean().as_nanos() as f64 / 1e3;
    // The wait of M/D/1 at this load has a relative error of some sqrt(2 / (n (1 - rho)^2)) in n waits.
    let error = 3.3 * (2.0 / (200_000.0 * 0.4_f64.powi(2))).sqrt();
    assert!((found / expected - 1.0).abs() < error, "{found} us, {expected} by theory");
}

proptest! {
    /// A walk request by request, that keeps nothing but lists, says the same to the nanosecond; blocks and
    /// tokens are conserved on the way.
    #[test]
    fn the_slow_twin_agrees(
        asked in proptest::collection::vec((0_u64..3000, 1_u32..40, 1_u32..30), 1..40),
        tokens in 4_u32..60,
        seqs in 1_u32..12,
        blocks in 18_u32..60,
        rules in (any::<bool>(), any::<bool>(), any::<bool>(), 0_u32..3),
    ) {
        let (is_apart, is_reserved, is_chunked, hits) = rules;
        let seqs = seqs.min(tokens);
        let mut asked = asked;
        asked.sort_by_key(|&(due, ..)| due);
        let spec = EngineSpec {
            steps: if is_apart { StepRule::PromptsApart } else { StepRule::Mixed },
            admission: if is_reserved { Admission::Reserved } else { Admission::AsItGrows },
            chunked_prefill: is_chunked && !is_apart,
            prefix_hits: Share::new(f64::from(hits) * 0.3).unwrap(),
            prompts_max: if is_apart { 3 } else { u32::MAX },
            ..vllm(tokens, seqs, blocks)
        };
        let time = |step: &TokenStep| {
            100 + 3 * u64::from(step.prompt_tokens) + 7 * u64::from(step.decodes) + step.contexts
                + u64::from(step.longest) + 5 * u64::from(step.rows) + step.prompt_pairs as u64
        };
        let (told, engine) = run(&spec, &asked, time);
        let slow = twin::run(&spec, &asked, time);
        prop_assert_eq!(&told.steps, &slow.steps);
        prop_assert_eq!(told.preemptions, slow.preemptions);
        let record = engine.record();
        let sum = |all: &[u64]| all.iter().sum::<u64>();
        let mean = |all: &[u64]| (!all.is_empty()).then(|| sum(all) / all.len() as u64);
        let found = |of: &crate::queueing::stats::LatencyHistogram| of.mean().map(|mean| mean.as_nanos());
        prop_assert_eq!(found(&record.ttft), mean(&slow.ttft));
        prop_assert_eq!(found(&record.itl), mean(&slow.itl));
        prop_assert_eq!(record.itl.count(), slow.itl.len() as u64);
        // Every token is made once.
        let outputs: u64 = asked.iter().map(|&(_, _, output)| u64::from(output)).sum();
        prop_assert_eq!(record.output_tokens, outputs);
        prop_assert_eq!(engine.blocks_taken(), 0);
        prop_assert!(told.blocks_most <= blocks);
        prop_assert!(told.steps.iter().all(|(step, ..)| step.decodes <= seqs));
    }
}
