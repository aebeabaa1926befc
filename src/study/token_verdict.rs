//! The verdict on VMs that serve LLMs, as parts of the sentences of `run_verdict`.

use super::figures::digits;
use super::results::{Results, RunResult, VmResult};
use super::tokens::TokenResult;
use super::verdict::time;

/// The part of its requests within its bounds: `99.62 % of requests within TTFT 500 ms and TPOT 50 ms`;
/// nothing of a VM without such bounds.
pub(super) fn good(vm: &VmResult) -> Option<String> {
    let good = vm.tokens.as_ref()?.goodput?;
    Some(format!(
        "{} of requests within TTFT {} and TPOT {}",
        percent(good.share),
        time(good.ttft_ms),
        time(good.tpot_ms)
    ))
}

/// The same as a sentence about a single VM, with what was asked.
pub(super) fn kept_or_not(vm: &VmResult) -> String {
    let asked =
        vm.tokens.as_ref().and_then(|tokens| tokens.goodput).map_or(1.0, |good| good.asked_share);
    let at = match vm.scenario {
        "server" => format!(", at {}/s", digits(vm.target_qps)),
        _ => String::new(),
    };
    let good = good(vm).unwrap_or_default();
    format!("{good}{at}; {} asked", percent(asked))
}

/// The least and the greatest part of its requests within its bounds, over inputs that were not measured.
fn possible(vm: &VmResult) -> Option<[f64; 2]> {
    vm.fits.as_ref()?.tokens.as_ref()?.good_share
}

/// Whether inputs that were not measured decide its verdict.
pub(super) fn depends(vm: &VmResult) -> bool {
    let asked = vm.tokens.as_ref().and_then(|tokens| tokens.goodput).map(|good| good.asked_share);
    possible(vm).zip(asked).is_some_and(|([low, high], asked)| low < asked && asked <= high)
}

/// That they do, as the end of a sentence; `of` names it among several.
pub(super) fn not_sure(vm: &VmResult, of: &str) -> String {
    let ends = possible(vm).unwrap_or_default().map(percent);
    let asked =
        vm.tokens.as_ref().and_then(|tokens| tokens.goodput).map_or(1.0, |good| good.asked_share);
    format!(
        "{}{of} as assumed, {} to {} possible by what was not measured, and {} are asked",
        good(vm).unwrap_or_default(),
        ends[0],
        ends[1],
        percent(asked)
    )
}

/// What is told where no VM is judged and some serve LLMs: rates and times of the one with the longest
/// TTFT.
pub(super) fn without_bounds<'r>(runs: impl Iterator<Item = &'r RunResult>) -> Option<String> {
    let all = runs.flat_map(|run| run.vms.iter().map(move |vm| (run, vm)));
    let all: Vec<(&RunResult, &VmResult, &TokenResult)> =
        all.filter_map(|(run, vm)| Some((run, vm, vm.tokens.as_ref()?))).collect();
    let longest = |of: &&(&RunResult, &VmResult, &TokenResult)| of.2.ttft_ms.p99;
    let (run, vm, tokens) =
        *all.iter().max_by(|one, other| longest(one).total_cmp(&longest(other)))?;
    let of = match all.len() {
        1 => String::new(),
        _ => format!(" ({} has the longest TTFT)", run.name_of(&vm.name)),
    };
    let tpot = tokens.tpot_ms.map_or(String::new(), |ms| format!(", TPOT p99 {}", time(ms.p99)));
    Some(format!(
        "no bounds are stated: TTFT p99 {}{tpot}, {} tokens/s{of}",
        time(tokens.ttft_ms.p99),
        digits(tokens.output_tokens_per_s)
    ))
}

/// In which part of its time a request spends the most.
pub(super) fn longest_part(run: &RunResult, vm: &VmResult) -> Option<String> {
    let tokens = vm.tokens.as_ref()?;
    let parts = [
        (tokens.wait_mean_ms, "until it is admitted"),
        (tokens.prompt_mean_ms, "from there to its first token"),
        (tokens.decode_mean_ms, "from its first token to its last"),
    ];
    let whole: f64 = parts.iter().map(|(ms, _)| ms).sum();
    let (ms, what) = parts.into_iter().max_by(|one, other| one.0.total_cmp(&other.0))?;
    let of = if run.vms.len() > 1 { format!(" of {}", vm.name) } else { String::new() };
    Some(format!("of a mean latency of {} a request{of} spends {} {what}", time(whole), time(ms)))
}

/// Tokens beside those of bare metal on the same cards.
pub(super) fn beside_bare_metal(results: &Results) -> Option<String> {
    let pairs = results.paired_ratios.iter().filter(|pair| pair.baseline_kind == "same-cards");
    let tokens = pairs.filter_map(|pair| pair.tokens.as_ref());
    let rates = tokens.clone().map(|of| of.output_tokens_per_s.mean);
    let time = |name: &'static str| {
        span(tokens.clone().filter_map(move |of| Some(of.times.get(name)?.mean)))
    };
    let rates = span(rates)?;
    let times = [("TTFT p99", time("ttft_p99")), ("TPOT p99", time("tpot_p99"))];
    let times = times.into_iter().filter_map(|(name, ratio)| Some(format!("{name} {}", ratio?)));
    let times: Vec<String> = times.collect();
    let times = match times.is_empty() {
        true => String::new(),
        false => format!(", {} times as long", times.join(" and ")),
    };
    Some(format!("Tokens per second are {rates} of those of bare metal on the same cards{times}"))
}

/// From the least to the greatest ratio.
fn span(ratios: impl Iterator<Item = f64> + Clone) -> Option<String> {
    let (least, most) = (ratios.clone().reduce(f64::min)?, ratios.reduce(f64::max)?);
    let (least, most) = (format!("{least:.3}"), format!("{most:.3}"));
    Some(if least == most { least } else { format!("{least} to {most}") })
}

/// A part in percent, to a hundredth, never rounded up.
fn percent(share: f64) -> String {
    format!("{} %", (share * 10_000.0 + 1e-6).floor() / 100.0)
}
