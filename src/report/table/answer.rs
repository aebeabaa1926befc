//! The answer to a question: one or two sentences, a line for each way of sharing, the deciding
//! inputs and the assumptions.

use super::super::number::{latency, latency_span, or_dash, plain, span, with_unit};
use super::grid::{Column, Columns};
use super::{footer, page, scaled};
use crate::report::width::Width;
use crate::study::{Answer, Answered, DecidedBy, Head, WayAnswer, WayFigures};
use crate::units::counted;

/// The whole text, except the names of its files.
pub fn render_answer(answer: &Answer, width: Width) -> String {
    let warnings = width.items("WARNING", &answer.warnings);
    let mut blocks = vec![warnings, scaled(&answer.scaled, width)];
    blocks.extend(answer_sentences(answer).iter().map(|line| width.lines(line)));
    blocks.push(ways(answer, width));
    blocks.push(beside(answer, width));
    blocks.push(impossible(answer, width));
    blocks.push(decided(answer, width));
    blocks.push(width.items("assumed", &answer.assumed));
    let head = Head::of("ask", "", &answer.scenario_hash, answer.seed);
    blocks.push(footer(&head, &answer.leans_on, "answer.json", width));
    page(blocks)
}

/// The answer in sentences: first the answer itself, then the other ways of sharing.
pub fn answer_sentences(answer: &Answer) -> Vec<String> {
    let question = &answer.question;
    let vms = counted(question.vms, "VM");
    let bound = format!("{} ms", plain(question.bound_ms));
    let cards = answer.best.map_or(0, |at| answer.ways[at].cards).max(question.gpus as usize);
    let gpus = format!("{cards} x {}", question.gpu);
    let Some((way, of)) =
        answer.best.and_then(|at| Some((&answer.ways[at], answer.ways[at].figures.as_ref()?)))
    else {
        if let Some(reason) = &answer.reason {
            return vec![format!("NO: {reason}")];
        }
        let have = if question.vms == 1 { "has" } else { "have" };
        return vec![format!("NO: {vms} {have} no place on {gpus}")];
    };
    let several = answer.ways.len() > 1;
    let by = if several { format!(", by {}", way.name) } else { String::new() };
    let each = if question.vms == 1 { "" } else { " each" };
    let asked = format!("{}/s", plain(question.rate_per_vm_per_s));
    let range = latency_span(of.latency_p99_between_ms);
    let p99 = match range.contains(" to ") {
        true => format!("{} ({range} possible)", with_unit(of.latency_p99_ms)),
        false => with_unit(of.latency_p99_ms),
    };
    let first = match (question.rate_was_asked, answer.answer) {
        (false, Answered::No) => format!(
            "NO: {vms} of {} on {gpus} cannot keep p99 within {bound} at any rate",
            question.model
        ),
        (false, _) => format!(
            "UP TO {}{each}{by}: up to this rate {vms} of {} on {gpus} keep p99 within {bound}{}",
            highest(of),
            question.model,
            if question.model_is_trusted { "" } else { ", if the warning is ignored" }
        ),
        (true, Answered::Yes) => format!(
            "YES{by}: {vms} at {asked}{each} on {gpus} keep p99 at {p99}, bound {bound}; up to {}{each} would",
            highest(of)
        ),
        (true, Answered::No) if of.is_overload => format!(
            "NO{}: {vms} on {gpus} have a load of {asked}{each}, and at most {}/s{each} are \
             possible at any latency; {}",
            if several { format!(", not even by {}", way.name) } else { String::new() },
            rate(of.most_per_vm_per_s.unwrap_or(0.0)),
            keeps(of, each, &bound)
        ),
        (true, Answered::No) => format!(
            "NO{}: {vms} at {asked}{each} on {gpus} have a p99 of {p99}, bound {bound}; {}",
            if several { format!(", not even by {}", way.name) } else { String::new() },
            keeps(of, each, "it")
        ),
        (true, Answered::NotSure) if !question.model_is_trusted => format!(
            "NOT SURE: the measurements do not fit one model (see the warning), so do not rely on \
             any figure below: {vms} at {asked}{each} on {gpus}{by} would have a p99 of {p99}, \
             bound {bound}"
        ),
        (true, Answered::NotSure) => format!(
            "NOT SURE{}: {vms} at {asked}{each} on {gpus} have a p99 of {} as assumed, and anything from {range} is possible, bound {bound}; up to {}{each} would keep it",
            by.trim_start_matches(','),
            with_unit(of.latency_p99_ms),
            highest(of)
        ),
    };
    let first = match question.vms {
        1 => first
            .replace("1 VM at", "one VM at")
            .replace(" keep p99 at", " keeps p99 at")
            .replace(" have a p99", " has a p99"),
        _ => first,
    };
    std::iter::once(first).chain(others(answer)).collect()
}

/// The highest rate that keeps the bound, in words.
fn keeps(of: &WayFigures, each: &str, bound: &str) -> String {
    match of.highest_per_vm_per_s > 0.0 {
        true => format!("up to {}{each} would keep {bound}", highest(of)),
        false => format!("no rate would keep {bound}"),
    }
}

/// What the other ways answer, in one sentence.
fn others(answer: &Answer) -> Option<String> {
    if !answer.question.rate_was_asked {
        return None;
    }
    let of = |wanted: Answered| -> Vec<&str> {
        let others = answer.ways.iter().enumerate().filter(|(at, _)| Some(*at) != answer.best);
        let like =
            others.filter(|(_, way)| way.figures.as_ref().is_some_and(|of| of.answer == wanted));
        like.map(|(_, way)| way.name.as_str()).collect()
    };
    let parts = [(Answered::Yes, "yes"), (Answered::NotSure, "not sure"), (Answered::No, "no")];
    let told: Vec<String> = parts
        .iter()
        .map(|(wanted, word)| (word, of(*wanted)))
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{word} by {}", listed(&names)))
        .collect();
    (!told.is_empty()).then(|| format!("The others: {}", told.join("; ")))
}

/// A rate to three digits, which is more than a search to some percent knows: `63.9`, `312`, `1230`.
fn rate(per_s: f64) -> String {
    if per_s <= 0.0 || !per_s.is_finite() {
        return "0".to_string();
    }
    let decimals = (2.0 - per_s.log10().floor()).max(0.0) as usize;
    let digits = 10_f64.powf(per_s.log10().floor() - 2.0);
    let text = format!("{:.decimals$}", (per_s / digits).round() * digits);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// `73/s (50 to 85)`.
fn highest(of: &WayFigures) -> String {
    let least = if of.highest_is_open { "at least " } else { "" };
    let own = format!("{least}{}/s", rate(of.highest_per_vm_per_s));
    match of.highest_per_vm_between_per_s.map(|ends| span(ends, rate)) {
        Some(range) if range.contains(" to ") => format!("{own} ({range})"),
        _ => own,
    }
}

fn ways(answer: &Answer, width: Width) -> String {
    use Column::{Number, Text};
    let rows = answer.ways.iter().filter_map(|way| Some((way, way.figures.as_ref()?, answer)));
    if rows.clone().next().is_none() {
        return String::new();
    }
    let grid = Columns::new()
        .with("way of sharing", Text, |(way, ..): &(&WayAnswer, &WayFigures, &Answer)| {
            match way.is_reference {
                true => format!("({})", way.name),
                false => way.name.clone(),
            }
        })
        .with("each has", Text, |(way, ..)| way.each_has.clone())
        .with("GPUs", Number, |(way, ..)| way.cards.to_string())
        .with("p50 ms", Number, |(_, of, _)| unless(of, "-", || latency(of.latency_p50_ms)))
        .with("p99 ms", Number, |(_, of, _)| unless(of, "overload", || latency(of.latency_p99_ms)))
        .with("possible ms", Number, |(_, of, _)| {
            unless(of, "-", || latency_span(of.latency_p99_between_ms))
        })
        .with("GPU busy", Number, |(_, of, _)| format!("{:.0} %", of.gpu_busy_share * 100.0))
        .with("highest /s per VM", Number, |(_, of, _)| {
            match (of.highest_per_vm_per_s > 0.0, of.highest_is_open) {
                (false, _) => "none".to_string(),
                (true, true) => format!("≥ {}", rate(of.highest_per_vm_per_s)),
                (true, false) => rate(of.highest_per_vm_per_s),
            }
        })
        .with("possible /s", Number, |(_, of, _)| {
            or_dash(of.highest_per_vm_between_per_s, |ends| span(ends, rate))
        })
        .with("", Text, |(_, of, answer)| match answer.question.rate_was_asked {
            true => of.answer.word().to_string(),
            false => String::new(),
        })
        .of(rows);
    grid.finish(width)
}

/// A latency, which says nothing under an overload: then this word.
fn unless(of: &WayFigures, word: &str, latency: impl Fn() -> String) -> String {
    if of.is_overload { word.to_string() } else { latency() }
}

/// `one`, `one and another`, `one, another and a third`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_string(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What the columns mean, and why some ways stand in brackets.
fn beside(answer: &Answer, width: Width) -> String {
    let question = &answer.question;
    if answer.ways.iter().all(|way| way.figures.is_none()) {
        return String::new();
    }
    let mut text = format!(
        "p99 is that of the slowest VM; highest /s per VM is the highest rate at which it keeps \
         {} ms, found to {} %. Possible: with other random numbers, other fits of the \
         measurements, other machines, and inputs that were not measured at the ends of their \
         ranges.",
        plain(question.bound_ms),
        plain(answer.precision * 100.0)
    );
    if !question.rate_was_asked {
        text.push_str(&format!(
            " No rate was given: latencies are at {}/s, about three quarters of the best way's \
             highest rate.",
            plain(question.rate_per_vm_per_s)
        ));
    }
    let several =
        answer.ways.iter().filter(|way| way.figures.is_some() && !way.is_reference).count();
    if several > 1 {
        text.push_str(match question.rate_was_asked {
            true => {
                " The answer names the way with the most certain answer; among equals, the \
                one with the lowest upper end of p99."
            }
            false => " The answer names the way with the highest lower end of the rate.",
        });
    }
    let references: Vec<&WayAnswer> =
        answer.ways.iter().filter(|way| way.is_reference && way.figures.is_some()).collect();
    if !references.is_empty() {
        text.push_str(
            " In brackets, for comparison: more GPUs than given, or processes without VMs.",
        );
    }
    width.said(&text)
}

/// The ways that cannot be, each with its reason.
fn impossible(answer: &Answer, width: Width) -> String {
    let lines = answer.ways.iter().filter_map(|way| {
        let why = way.error.as_ref()?;
        Some(width.item(&format!("{} is not possible: {why}", way.name)))
    });
    lines.collect()
}

/// What decides where an answer is not sure: each input once, with the ways that it decides.
fn decided(answer: &Answer, width: Width) -> String {
    if !answer.question.rate_was_asked {
        return width.items("not known", &answer.open);
    }
    let mut told: Vec<(&DecidedBy, Vec<String>)> = Vec::new();
    let mut unexplained = Vec::new();
    for way in &answer.ways {
        let Some(of) = way.figures.as_ref().filter(|of| of.answer == Answered::NotSure) else {
            continue;
        };
        if of.decided_by.is_empty() && answer.question.model_is_trusted {
            unexplained.push(way.name.as_str());
        }
        for decider in &of.decided_by {
            let [low, high] = decider.latency_p99_ms.map(with_unit);
            let figures = format!(
                "{} {low} at {}, {high} at {}",
                way.name, decider.input.ends[0], decider.input.ends[1]
            );
            match told.iter_mut().find(|(known, _)| known.input == decider.input) {
                Some((_, ways)) => ways.push(figures),
                None => told.push((decider, vec![figures])),
            }
        }
    }
    let mut text: String = told
        .iter()
        .map(|(decider, ways)| {
            let input = &decider.input;
            let line = format!(
                "not known: {} {}: {} is assumed, {} to {} is possible, and p99 is: {}. To measure it, {}",
                input.name,
                input.why,
                input.assumed,
                input.ends[0],
                input.ends[1],
                ways.join("; "),
                input.how
            );
            width.item(&line)
        })
        .collect();
    // What turns a comparison of two ways round.
    let turns = answer.open.iter().filter(|line| line.contains(" decides whether "));
    text.push_str(&width.items("not known", turns));
    if !unexplained.is_empty() {
        let line = format!(
            "not known: {}: the bound lies within the range of other fits of the measurements, \
             other machines and other random numbers; no single input decides",
            listed(&unexplained)
        );
        text.push_str(&width.item(&line));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits() {
        for (per_s, text) in [
            (63.904, "63.9"),
            (312.21, "312"),
            (1234.5, "1230"),
            (7.0, "7"),
            (0.012_34, "0.0123"),
            (0.0, "0"),
        ] {
            assert_eq!(rate(per_s), text);
        }
    }
}
