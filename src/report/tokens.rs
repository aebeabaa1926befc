//! The columns of VMs that serve LLMs, in the rows of runs and of sweeps.

use super::sheet::Row;
use crate::study::{COMPARED, LatencyMs, TokenResult, TokenSpread};

/// The percentiles and means of the times of tokens that have columns.
const FIGURES: [&str; 6] = ["mean", "p50", "p90", "p99", "p999", "max"];

/// The cells; empty where no LLM is served. `spread` is what inputs leave open.
pub(super) fn cells(row: &mut Row, tokens: Option<&TokenResult>, spread: Option<&TokenSpread>) {
    row.add("output_tokens", tokens.map(|of| of.output_tokens));
    row.add("input_tokens", tokens.map(|of| of.input_tokens));
    row.add("output_tokens_per_s", tokens.map(|of| of.output_tokens_per_s));
    row.add("total_tokens_per_s", tokens.map(|of| of.total_tokens_per_s));
    let kinds: [(&str, Option<LatencyMs>); 3] = [
        ("ttft", tokens.map(|of| of.ttft_ms)),
        ("tpot", tokens.and_then(|of| of.tpot_ms)),
        ("itl", tokens.and_then(|of| of.itl_ms)),
    ];
    for (kind, times) in kinds {
        for figure in FIGURES {
            row.add(format!("{kind}_{figure}_ms"), times.and_then(|times| times.get(figure)));
        }
    }
    let good = tokens.and_then(|of| of.goodput);
    row.add("goodput_ttft_bound_ms", good.map(|of| of.ttft_ms));
    row.add("goodput_tpot_bound_ms", good.map(|of| of.tpot_ms));
    row.add("goodput_share", good.map(|of| of.share));
    row.add("goodput_per_s", good.map(|of| of.requests_per_s));
    row.add("wait_mean_ms", tokens.map(|of| of.wait_mean_ms));
    row.add("prompt_mean_ms", tokens.map(|of| of.prompt_mean_ms));
    row.add("decode_mean_ms", tokens.map(|of| of.decode_mean_ms));
    row.add("waiting_mean", tokens.map(|of| of.waiting_mean));
    row.add("running_mean", tokens.map(|of| of.running_mean));
    row.add("running_most", tokens.map(|of| of.running_most));
    row.add("kv_blocks", tokens.map(|of| of.kv_blocks));
    row.add("kv_share_mean", tokens.map(|of| of.kv_share_mean));
    row.add("kv_share_most", tokens.map(|of| of.kv_share_most));
    row.add("preemptions", tokens.map(|of| of.preemptions));
    row.add("recomputed_tokens", tokens.map(|of| of.recomputed_tokens));
    row.add("steps", tokens.map(|of| of.steps));
    row.add("prompt_steps", tokens.map(|of| of.prompt_steps));
    row.add("cut_requests", tokens.map(|of| of.cut_requests));
    for (end, name) in [(0, "low"), (1, "high")] {
        let rate = spread.map(|of| of.output_tokens_per_s[end]);
        row.add(format!("output_tokens_per_s_{name}"), rate);
        for figure in COMPARED {
            let time = spread.and_then(|of| of.times.get(figure)).map(|ends| ends[end]);
            row.add(format!("{figure}_{name}_ms"), time);
        }
        let share = spread.and_then(|of| of.good_share).map(|ends| ends[end]);
        row.add(format!("goodput_share_{name}"), share);
    }
}
