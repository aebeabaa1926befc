//! What VMs that serve LLMs made of tokens: how fast, within which bounds, and what their engines did.

use super::super::number::{latency, or_dash, plain, rate, ratio, span, with_unit};
use super::grid::{Column, Columns, Grid};
use super::members::{self, Members};
use super::uncertainty::{bare_metal, name_of};
use crate::report::width::Width;
use crate::study::{
    COMPARED, FitSpread, Goodput, Interval, PairedRatio, Results, Side, TokenResult, TokenSpread,
    VmResult,
};
use Column::{Attached, Number, Text};

/// The blocks; nothing where no VM serves an LLM.
pub(super) fn tokens(results: &Results, width: Width) -> Vec<String> {
    let Some((grids, left_out)) = grids(results, width) else { return Vec::new() };
    let blocks = grids.into_iter().zip([left_out.as_str(), "", "", ""]);
    blocks
        .map(|((grid, said), left_out)| grid.finish(width) + left_out + &width.said(&said))
        .collect()
}

/// The tables with what is said below each, and that rows are left out.
pub(in crate::report) fn grids(
    results: &Results,
    width: Width,
) -> Option<([(Grid, String); 4], String)> {
    let (rows, left_out) = members::shown(rows(results, width), width);
    if rows.is_empty() {
        return None;
    }
    let models = results.has_several_models();
    let good = bounds(&rows).unwrap_or_default();
    let tested: Vec<_> = rows.iter().filter(|row| row.run.side == Side::Virtual).collect();
    let grids = [
        (rates_of(&rows, models), format!("tokens: those that are generated.{good}")),
        (times_of(&rows), TIMES.to_string()),
        (parts_of(&tested), PARTS.to_string()),
        (engines_of(&rows), ENGINES.to_string()),
    ];
    Some((grids, left_out))
}

const TIMES: &str = "TTFT: from a request's arrival to its first token. TPOT: mean time between the tokens of a \
    request. ITL: time between two tokens.";

const PARTS: &str = "wait: until the engine admits the request; prompt: from there to its first token; \
    decode: from there to its last, preemptions included.";

/// The rows of VMs that serve LLMs.
fn rows(results: &Results, width: Width) -> Vec<Members<'_>> {
    let rows = Members::of_all(results, width).into_iter();
    rows.filter(|row| row.vms[0].tokens.is_some()).collect()
}

fn of(vm: &VmResult, figure: impl Fn(&TokenResult) -> Option<f64>) -> Option<f64> {
    vm.tokens.as_ref().and_then(figure)
}

/// A figure of the tokens of all VMs of a row.
fn known(row: &Members<'_>, figure: fn(&TokenResult) -> f64, write: fn(f64) -> String) -> String {
    row.known(|vm| of(vm, |tokens| Some(figure(tokens))), write)
}

type Row<'r> = &'r Members<'r>;

/// What was asked and what came of it.
fn rates_of(rows: &[Members<'_>], models: bool) -> Grid {
    let cards = rows.iter().any(|row| row.run.gpus.len() > 1);
    let judged = rows.iter().any(|row| of(row.vms[0], share).is_some());
    Columns::new()
        .with("LLM", Text, |row: &Row<'_>| row.name())
        .with("platform", Text, |row| row.run.place())
        .when(cards, "card", Text, |row| row.cards())
        .when(models, "GPU", Text, |row| row.run.models_of(row.vms[0]).join(", "))
        .with("asked/s", Number, |row| super::runs::asked(row))
        .with("requests/s", Number, |row| row.figure(|vm| vm.completed_per_s, rate))
        .with("tokens/s", Number, |row| known(row, |of| of.output_tokens_per_s, rate))
        .when(judged, "good %", Number, |row| row.known(|vm| of(vm, share), percent))
        .when(judged, "good/s", Number, |row| {
            row.known(|vm| of(vm, |of| Some(of.goodput?.requests_per_s)), rate)
        })
        .with("verdict", Text, |row| row.verdict())
        .of(rows)
}

/// The times of tokens.
fn times_of(rows: &[Members<'_>]) -> Grid {
    Columns::new()
        .with("times, ms", Text, |row: &Row<'_>| row.name())
        .with("platform", Text, |row| row.run.place())
        .with("TTFT p50", Number, |row| time(row, "ttft_p50"))
        .with("p99", Number, |row| time(row, "ttft_p99"))
        .with("TPOT p50", Number, |row| time(row, "tpot_p50"))
        .with("p99", Number, |row| time(row, "tpot_p99"))
        .with("ITL p99", Number, |row| time(row, "itl_p99"))
        .of(rows)
}

fn time(row: &Members<'_>, name: &str) -> String {
    row.known(|vm| of(vm, |tokens| tokens.get(name)), latency)
}

/// Where the time of a request goes.
fn parts_of(rows: &[Row<'_>]) -> Grid {
    Columns::new()
        .with("mean ms in", Text, |row: &Row<'_>| row.name())
        .with("wait", Number, |row| known(row, |of| of.wait_mean_ms, latency))
        .with("prompt", Number, |row| known(row, |of| of.prompt_mean_ms, latency))
        .with("decode", Number, |row| known(row, |of| of.decode_mean_ms, latency))
        .with("in all", Number, |row| known(row, TokenResult::latency_mean_ms, latency))
        .of(rows.iter().copied())
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
    let cut = rows.iter().flat_map(|row| &row.vms);
    let cut = cut.filter_map(|vm| vm.tokens.as_ref()).any(|tokens| tokens.cut_requests > 0);
    Columns::new()
        .with("engine", Text, |row: &Row<'_>| row.name())
        .with("platform", Text, |row| row.run.place())
        .with("waiting", Number, |row| known(row, |of| of.waiting_mean, tenth))
        .with("running", Number, |row| known(row, |of| of.running_mean, tenth))
        .with("most", Number, |row| known(row, |of| f64::from(of.running_most), plain))
        .with("KV %", Number, |row| known(row, |of| of.kv_share_mean, whole))
        .with("most", Number, |row| known(row, |of| of.kv_share_most, whole))
        .with("preempted", Number, |row| known(row, |of| of.preemptions as f64, plain))
        .with("steps", Number, |row| known(row, |of| of.steps as f64, plain))
        .with("with prompts", Number, |row| known(row, |of| of.prompt_steps as f64, plain))
        .when(cut, "cut", Number, |row| known(row, |of| of.cut_requests as f64, plain))
        .of(rows)
}

const ENGINES: &str = "waiting, running: mean requests. KV: the part of the blocks of keys and values that \
    is taken. preempted: how often a running request lost its blocks and was computed again.";

/// How certain the times of tokens are, where runs were repeated.
pub(super) fn repeated(results: &Results, width: Width) -> String {
    let (rows, left_out) = members::shown(rows(results, width), width);
    let several = rows.iter().find_map(|row| row.vms[0].uncertainty.replications.as_ref());
    let Some(several) = several.map(|found| found.count) else { return String::new() };
    let mut columns = vec![("uncertainty, ms", Text), ("platform", Text)];
    for head in HEADS {
        columns.extend([(head, Number), ("±", Attached)]);
    }
    columns.push(("beyond p99", Number));
    let mut grid = Grid::new(&columns);
    for row in &rows {
        let mut cells = vec![row.name(), row.run.place()];
        for name in COMPARED {
            let of = |vm: &VmResult| {
                vm.uncertainty.replications.as_ref()?.tokens.as_ref()?.times.get(name).copied()
            };
            cells.push(row.known(|vm| Some(of(vm)?.mean), latency));
            let half = row.greatest(|vm| of(vm)?.half_width);
            cells.push(half.map_or(String::new(), latency));
        }
        let beyond =
            |vm: &VmResult| vm.uncertainty.samples_beyond.get("p99").map(|all| *all as f64);
        cells.push(row.known(beyond, plain));
        grid.line(cells);
    }
    let said = format!(
        "Mean of {several} runs with other random numbers, ± half the 95 % interval (Student); the tables \
         above show the first. \"beyond\": requests beyond p99."
    );
    grid.finish(width) + &left_out + &width.said(&said)
}

/// The heads of [`COMPARED`].
const HEADS: [&str; 4] = ["TTFT p50", "TTFT p99", "TPOT p50", "TPOT p99"];

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

/// Each VM over its counterfactuals, by its tokens; empty where no LLM has any.
pub(super) fn ratios(results: &Results, width: Width) -> String {
    let Some((grid, said)) = ratios_grid(results, width) else { return String::new() };
    grid.finish(width) + &width.said(&said)
}

/// The same as cells, and what is said below it.
pub(in crate::report) fn ratios_grid(results: &Results, width: Width) -> Option<(Grid, String)> {
    let mut rows: Vec<(String, &str, Vec<&PairedRatio>)> = Vec::new();
    for pair in results.paired_ratios.iter().filter(|pair| pair.tokens.is_some()) {
        let (name, kind) = (name_of(results, pair, width), pair.baseline_kind);
        match rows.iter_mut().find(|row| (&row.0, row.1) == (&name, kind)) {
            Some((.., pairs)) => pairs.push(pair),
            None => rows.push((name, kind, vec![pair])),
        }
    }
    if rows.is_empty() {
        return None;
    }
    let several = rows.iter().flat_map(|row| &row.2).any(|pair| {
        pair.tokens.as_ref().is_some_and(|of| of.output_tokens_per_s.half_width.is_some())
    });
    let mut columns = vec![("LLM over bare metal", Text), ("with", Text)];
    for head in ["tokens/s"].into_iter().chain(HEADS) {
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
    Some((grid, said))
}

/// What inputs leave open of tokens, of VMs of one row.
pub(super) fn spread(fits: &[&FitSpread]) -> String {
    let around = |of: &dyn Fn(&TokenSpread) -> Option<[f64; 2]>| {
        let ends = fits.iter().filter_map(|fits| of(fits.tokens.as_ref()?));
        ends.reduce(|[low, high], [least, most]| [low.min(least), high.max(most)])
    };
    let times = COMPARED.into_iter().zip(HEADS).filter_map(|(name, head)| {
        let ends = around(&|of| of.times.get(name).copied())?;
        Some(format!("{head} {}", span(ends, with_unit)))
    });
    let rates = around(&|of| Some(of.output_tokens_per_s));
    let rates = rates.map(|ends| format!("{} tokens/s", span(ends, rate)));
    let good = around(&|of| of.good_share);
    let good = good.map(|ends| format!("{} % good", span(ends, percent)));
    times.chain(rates).chain(good).collect::<Vec<_>>().join(", ")
}
