//! What VMs that serve LLMs made of tokens: how fast, within which bounds, and what their engines did.

use super::super::number::{latency, or_dash, plain, rate, ratio, span};
use super::grid::{Column, Columns, Grid};
use super::members::{self, Members};
use super::uncertainty::{bare_metal, name_of};
use crate::report::width::Width;
use crate::study::{COMPARED, Goodput, Interval, PairedRatio, Results, TokenResult, VmResult};

/// The blocks; nothing where no VM serves an LLM.
pub(super) fn tokens(results: &Results, width: Width) -> Vec<String> {
    let (rows, left_out) = members::shown(rows(results, width), width);
    if rows.is_empty() {
        return Vec::new();
    }
    let bounds = bounds(&rows);
    let mut said =
        "TTFT: from a request's arrival to its first token; TPOT: mean time between its tokens."
            .to_string();
    if let Some(bounds) = bounds {
        said.push_str(&bounds);
    }
    vec![
        times_of(&rows).finish(width) + &left_out + &width.said(&said),
        engines_of(&rows).finish(width) + &width.said(ENGINES),
    ]
}

/// The rows of VMs that serve LLMs.
fn rows(results: &Results, width: Width) -> Vec<Members<'_>> {
    let rows = Members::of_all(results, width).into_iter();
    rows.filter(|row| row.vms[0].tokens.is_some()).collect()
}

fn of(vm: &VmResult, figure: impl Fn(&TokenResult) -> Option<f64>) -> Option<f64> {
    vm.tokens.as_ref().and_then(figure)
}

/// The times of tokens and their rates.
fn times_of(rows: &[Members<'_>]) -> Grid {
    use Column::{Number, Text};
    let cards = rows.iter().any(|row| row.run.gpus.len() > 1);
    let judged = rows.iter().any(|row| of(row.vms[0], share).is_some());
    type Row<'r> = &'r Members<'r>;
    Columns::new()
        .with("LLM", Text, |row: &Row<'_>| row.name())
        .with("platform", Text, |row| row.run.place())
        .when(cards, "card", Text, |row| row.cards())
        .with("asked/s", Number, |row| super::runs::asked(row))
        .with("requests/s", Number, |row| row.figure(|vm| vm.completed_per_s, rate))
        .with("tokens/s", Number, |row| {
            row.known(|vm| of(vm, |tokens| Some(tokens.output_tokens_per_s)), rate)
        })
        .with("TTFT p50 ms", Number, |row| time(row, "ttft_p50"))
        .with("p99 ms", Number, |row| time(row, "ttft_p99"))
        .with("TPOT p50 ms", Number, |row| time(row, "tpot_p50"))
        .with("p99 ms", Number, |row| time(row, "tpot_p99"))
        .when(judged, "good %", Number, |row| row.known(|vm| of(vm, share), percent))
        .with("verdict", Text, |row| row.verdict())
        .of(rows)
}

fn time(row: &Members<'_>, name: &str) -> String {
    row.known(|vm| of(vm, |tokens| tokens.get(name)), latency)
}

fn share(tokens: &TokenResult) -> Option<f64> {
    tokens.goodput.map(|good| good.share)
}

/// A part in percent, to a hundredth, never rounded up.
pub(in crate::report) fn percent(share: f64) -> String {
    plain((share * 10_000.0 + 1e-6).floor() / 100.0)
}

/// What the engines did.
fn engines_of(rows: &[Members<'_>]) -> Grid {
    use Column::{Number, Text};
    let cut = rows
        .iter()
        .flat_map(|row| &row.vms)
        .any(|vm| vm.tokens.as_ref().is_some_and(|tokens| tokens.cut_requests > 0));
    type Row<'r> = &'r Members<'r>;
    Columns::new()
        .with("engine", Text, |row: &Row<'_>| row.name())
        .with("platform", Text, |row| row.run.place())
        .with("wait ms", Number, |row| row.known(|vm| of(vm, |t| Some(t.wait_mean_ms)), latency))
        .with("prompt ms", Number, |row| {
            row.known(|vm| of(vm, |t| Some(t.prompt_mean_ms)), latency)
        })
        .with("decode ms", Number, |row| {
            row.known(|vm| of(vm, |t| Some(t.decode_mean_ms)), latency)
        })
        .with("in all ms", Number, |row| {
            row.known(|vm| of(vm, |t| Some(t.latency_mean_ms())), latency)
        })
        .with("waiting", Number, |row| row.known(|vm| of(vm, |t| Some(t.waiting_mean)), tenth))
        .with("running", Number, |row| row.known(|vm| of(vm, |t| Some(t.running_mean)), tenth))
        .with("most", Number, |row| {
            row.known(|vm| of(vm, |t| Some(f64::from(t.running_most))), plain)
        })
        .with("KV %", Number, |row| row.known(|vm| of(vm, |t| Some(t.kv_share_mean)), whole))
        .with("most %", Number, |row| row.known(|vm| of(vm, |t| Some(t.kv_share_most)), whole))
        .with("preempted", Number, |row| {
            row.known(|vm| of(vm, |t| Some(t.preemptions as f64)), plain)
        })
        .when(cut, "cut", Number, |row| {
            row.known(|vm| of(vm, |t| Some(t.cut_requests as f64)), plain)
        })
        .of(rows)
}

const ENGINES: &str = "Mean time of a request until it is admitted (wait), from there to its first token \
    (prompt) and from there to its last (decode). waiting and running: requests, in the mean; KV: the part \
    of the blocks of keys and values that is taken. preempted: how often a running request lost its blocks \
    and was computed again.";

fn tenth(number: f64) -> String {
    plain((number * 10.0).round() / 10.0)
}

fn whole(share: f64) -> String {
    plain((share * 100.0).round())
}

/// What the bounds are, each pair once.
fn bounds(rows: &[Members<'_>]) -> Option<String> {
    let all = rows.iter().flat_map(|row| &row.vms);
    let mut told: Vec<String> = Vec::new();
    for good in all.filter_map(|vm| vm.tokens.as_ref()?.goodput) {
        let Goodput { ttft_ms, tpot_ms, asked_share, .. } = good;
        let text = format!(
            "TTFT {} ms and TPOT {} ms ({} % asked)",
            plain(ttft_ms),
            plain(tpot_ms),
            percent(asked_share)
        );
        if !told.contains(&text) {
            told.push(text);
        }
    }
    (!told.is_empty())
        .then(|| format!(" good: the part of the requests within {}.", told.join(" or ")))
}

/// Each VM over its counterfactuals, by its tokens.
pub(super) fn ratios(results: &Results, width: Width) -> String {
    use Column::{Attached, Number, Text};
    let mut rows: Vec<(String, &str, Vec<&PairedRatio>)> = Vec::new();
    for pair in results.paired_ratios.iter().filter(|pair| pair.tokens.is_some()) {
        let (name, kind) = (name_of(results, pair, width), pair.baseline_kind);
        match rows.iter_mut().find(|row| (&row.0, row.1) == (&name, kind)) {
            Some((.., pairs)) => pairs.push(pair),
            None => rows.push((name, kind, vec![pair])),
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let several = rows.iter().flat_map(|row| &row.2).any(|pair| {
        pair.tokens.as_ref().is_some_and(|of| of.output_tokens_per_s.half_width.is_some())
    });
    let mut columns = vec![("LLM over bare metal", Text), ("with", Text)];
    for head in ["tokens/s", "TTFT p50", "TTFT p99", "TPOT p50", "TPOT p99"] {
        columns.push((head, Number));
        columns.extend(several.then_some(("±", Attached)));
    }
    let mut grid = Grid::new(&columns);
    let all = rows.len();
    let most = if width.shows_each() { all } else { members::ROWS_MAX };
    for (name, kind, pairs) in rows.into_iter().take(most) {
        let name = if pairs.len() > 1 { format!("{name} ({} VMs)", pairs.len()) } else { name };
        let mut cells = vec![name, kind.replace('-', " ")];
        let rates = |pair: &&PairedRatio| Some(pair.tokens.as_ref()?.output_tokens_per_s);
        let mut add = |found: Vec<Interval>| {
            let means = || found.iter().map(|one| one.mean);
            let ends = means().reduce(f64::min).zip(means().reduce(f64::max));
            cells.push(or_dash(ends, |(low, high)| span([low, high], ratio)));
            let half = found.iter().filter_map(|one| one.half_width).reduce(f64::max);
            let half = half.map_or(String::new(), |half| format!("{half:.3}"));
            cells.extend(several.then_some(half));
        };
        add(pairs.iter().filter_map(rates).collect());
        for name in COMPARED {
            let time = |pair: &&PairedRatio| pair.tokens.as_ref()?.times.get(name).copied();
            add(pairs.iter().filter_map(time).collect());
        }
        grid.line(cells);
    }
    let mut said =
        "Ratio of virtual to bare metal with the same requests: above 1 more tokens, or longer \
         times."
            .to_string();
    said.push_str(&bare_metal(results));
    if all > most {
        said.push_str(&format!(" {} more are in result.json.", all - most));
    }
    format!("\n{}{}", grid.finish(width), width.said(&said))
}
