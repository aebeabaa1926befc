//! The chart of each GPU's time: whose work ran, in whose turn it stood while others waited (burned),
//! switches, and what was idle.
//!
//! Cards of a run that fared alike are one row.

use super::super::number::plain;
use super::figure::{Align, Figure, Fill, MARGIN};
use super::rows::{self, Head};
use super::scale::Scale;
use super::style::{self, Colour, stroke};
use crate::study::{GpuResult, GpuTime, OwnerShare, Results, RunResult};
use std::collections::BTreeMap;

const ROW: f64 = 44.0;
const BAR: f64 = 30.0;
const AXIS_END: f64 = 1150.0;
/// A line of owners below a row; the air about a name within its bar.
const KEY: f64 = 30.0;
const AIR: f64 = 8.0;
/// The owners that are told apart; the rest of a row is one of its own.
const OWNERS_MAX: usize = 8;
/// Cards that differ by no more than this in any part are alike.
const ALIKE: f64 = 0.005;

/// Neighbouring owners differ in colour; names stand within, or below where there is no room.
const COLOURS: [Colour; 4] = [style::BLUE, style::GREEN, style::PURPLE, style::ORANGE];

/// A part of a row.
struct Piece {
    /// The owner; for others what it is.
    name: String,
    kind: Kind,
    share: f64,
    colour: Colour,
}

/// Whose turns burn where a vGPU has no VM.
const VACANT: &str = "vGPUs without a VM";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Run,
    Burned,
    Switch,
    Idle,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Run, Kind::Burned, Kind::Switch, Kind::Idle];

    fn word(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Burned => "burned",
            Kind::Switch => "switch",
            Kind::Idle => "idle",
        }
    }

    fn fill(self) -> Fill {
        match self {
            Kind::Run | Kind::Switch => Fill::Pale,
            Kind::Burned => Fill::Zigzag,
            Kind::Idle => Fill::Empty,
        }
    }
}

/// The chart; nothing where no card was looked at.
pub(super) fn draw(results: &Results) -> Option<Figure> {
    let rows: Vec<(Head, Vec<Piece>)> =
        results.runs.iter().flat_map(|run| of_run(results, run)).collect();
    if rows.is_empty() {
        return None;
    }
    let idle = |(_, pieces): &(Head, Vec<Piece>)| -total(pieces, Kind::Idle);
    let (rows, left_out) = rows::at_most(rows, idle);
    let mut below = results.head.title.clone();
    if let Some(left_out) = left_out {
        below += &format!(" ({left_out})");
    }
    let mut figure = Figure::new("Time of each GPU", &below);
    for (head, pieces) in &rows {
        figure.tell(told(head, pieces));
    }
    legend(&mut figure, &rows);
    let (heads, rows): (Vec<Head>, Vec<Vec<Piece>>) = rows.into_iter().unzip();
    let scale = Scale::linear(0.0, 100.0, (rows::AXIS, AXIS_END));
    let keys: Vec<Vec<Vec<Key>>> = rows.iter().map(|pieces| keys(scale, pieces)).collect();
    let more: Vec<f64> = keys.iter().map(|lines| KEY * lines.len() as f64).collect();
    let places = rows::lay_out(&mut figure, &heads, ROW, &more);
    for ((pieces, keys), y) in rows.iter().zip(&keys).zip(places.middles) {
        draw_row(&mut figure, scale, pieces, y);
        for (index, line) in keys.iter().enumerate() {
            let y = y + ROW / 2.0 + KEY * (index as f64 + 0.4);
            for (x, colour, text) in line {
                figure.bar((*x, y - 8.0), (x + 16.0, y + 8.0), Fill::Pale, *colour);
                figure.text((x + 24.0, y), text, Align::Right, style::INK);
            }
        }
    }
    let bottom = figure.height;
    for tick in scale.ticks(5) {
        let at = (scale.place(tick), bottom + 18.0);
        figure.text(at, &plain(tick), Align::Middle, style::QUIET);
    }
    figure.height += 36.0;
    figure.axis_label((scale.middle(), 700.0), "part of the run, %");
    figure.height += 18.0;
    Some(figure)
}

/// The name of each VM's group, by its name.
type Groups<'a> = BTreeMap<&'a str, &'a str>;

/// The rows of a run: its cards, those that fared alike together.
fn of_run(results: &Results, run: &RunResult) -> Vec<(Head, Vec<Piece>)> {
    let of_run = rows::groups(run);
    let groups: Groups<'_> = of_run
        .iter()
        .flat_map(|group| group.vms.iter().map(|vm| (vm.name.as_str(), group.name.as_str())))
        .collect();
    let mut together: Vec<Vec<&GpuResult>> = Vec::new();
    for gpu in &run.gpus {
        match together.iter_mut().find(|cards| is_alike(&groups, cards[0], gpu)) {
            Some(cards) => cards.push(gpu),
            None => together.push(vec![gpu]),
        }
    }
    let row = |cards: &Vec<&GpuResult>| {
        let ids: Vec<u16> = cards.iter().map(|card| card.id).collect();
        let name = format!("{}, {}", numbers(&ids), cards[0].model);
        (rows::head(results, run, false, &name), pieces(&groups, cards))
    };
    together.iter().map(row).collect()
}

/// `GPU 0`, `GPUs 0 to 2`, `GPUs 0, 2 and 5`.
fn numbers(ids: &[u16]) -> String {
    let (first, last) = (ids[0], ids[ids.len() - 1]);
    match ids {
        [one] => format!("GPU {one}"),
        _ if usize::from(last - first) + 1 == ids.len() => format!("GPUs {first} to {last}"),
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(u16::to_string).collect();
            format!("GPUs {} and {last}", others.join(", "))
        }
        [] => String::new(),
    }
}

fn is_alike(groups: &Groups<'_>, one: &GpuResult, other: &GpuResult) -> bool {
    let close = |one: f64, other: f64| (one - other).abs() <= ALIKE;
    let (a, b) = (&one.time, &other.time);
    one.model == other.model
        && a.owners.len() == b.owners.len()
        && a.owners.iter().zip(&b.owners).all(|(a, b)| {
            a.vms.len() == b.vms.len()
                && close(a.run_share, b.run_share)
                && close(a.burned_share, b.burned_share)
                && of_groups(groups, a) == of_groups(groups, b)
        })
        && close(a.switch_share, b.switch_share)
        && close(a.vacant_share, b.vacant_share)
        && close(a.idle_share, b.idle_share)
}

/// The names of the groups of an owner's VMs, each once.
fn of_groups(groups: &Groups<'_>, owner: &OwnerShare) -> Vec<String> {
    let group =
        |vm: &String| groups.get(vm.as_str()).map_or(vm.as_str(), |group| *group).to_string();
    let mut names: Vec<String> = owner.vms.iter().map(group).collect();
    names.dedup();
    names
}

/// What an owner, or several of one name, ran and burned.
struct Owner {
    name: String,
    run: f64,
    burned: f64,
}

/// The mean over cards that fared alike.
fn mean(cards: &[&GpuResult], of: impl Fn(&GpuTime) -> f64) -> f64 {
    cards.iter().map(|card| of(&card.time)).sum::<f64>() / cards.len() as f64
}

/// The parts of the time of cards that fared alike: what each owner ran and burned, those of a group as
/// one where owners are many, then burned turns of nobody, switches and what was idle.
fn pieces(groups: &Groups<'_>, cards: &[&GpuResult]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, Owner { name, run, burned }) in owners(groups, cards).into_iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        pieces.push(Piece { name: name.clone(), kind: Kind::Run, share: run, colour });
        pieces.push(Piece { name, kind: Kind::Burned, share: burned, colour });
    }
    let rest = [
        (VACANT, Kind::Burned, mean(cards, |time| time.vacant_share), style::GREY),
        (
            Kind::Switch.word(),
            Kind::Switch,
            mean(cards, |time| time.switch_share),
            style::VERMILION,
        ),
        (Kind::Idle.word(), Kind::Idle, mean(cards, |time| time.idle_share), style::GREY),
    ];
    pieces.extend(rest.map(|(name, kind, share, colour)| {
        let name = name.to_string();
        Piece { name, kind, share, colour }
    }));
    pieces.retain(|piece| piece.share.is_finite() && piece.share > 0.0);
    pieces
}

/// The owners of cards that fared alike, at most [`OWNERS_MAX`].
fn owners(groups: &Groups<'_>, cards: &[&GpuResult]) -> Vec<Owner> {
    let first = &cards[0].time.owners;
    let many = first.len() > OWNERS_MAX;
    let mut owners: Vec<Owner> = Vec::new();
    for (index, owner) in first.iter().enumerate() {
        let same = cards.iter().all(|card| card.time.owners[index].vms == owner.vms);
        let name = match (same, owner.vms.len()) {
            (true, ..3) if !many => owner.vms.join(" + "),
            (false, 1) if !many => format!("one of {}", of_groups(groups, owner).join(" + ")),
            _ => of_groups(groups, owner).join(" + "),
        };
        let run = mean(cards, |time| time.owners[index].run_share);
        let burned = mean(cards, |time| time.owners[index].burned_share);
        // Of many the same group is one; of few, each VM is one.
        match owners.iter_mut().find(|known| many && known.name == name) {
            Some(known) => {
                known.run += run;
                known.burned += burned;
            }
            None => owners.push(Owner { name, run, burned }),
        }
    }
    if owners.len() > OWNERS_MAX {
        let all = |owner: &Owner| owner.run + owner.burned;
        owners.sort_by(|one, other| all(other).total_cmp(&all(one)));
        let rest = owners.split_off(OWNERS_MAX - 1);
        let (run, burned) = rest
            .iter()
            .fold((0.0, 0.0), |(run, burned), owner| (run + owner.run, burned + owner.burned));
        owners.push(Owner { name: format!("{} others", rest.len()), run, burned });
    }
    owners
}

fn total(pieces: &[Piece], kind: Kind) -> f64 {
    pieces.iter().filter(|piece| piece.kind == kind).map(|piece| piece.share).sum()
}

fn percent(share: f64) -> String {
    format!("{} %", plain((share * 1000.0).round() / 10.0))
}

/// A row in words.
fn told(head: &Head, pieces: &[Piece]) -> String {
    let parts = Kind::ALL.map(|kind| format!("{} {}", kind.word(), percent(total(pieces, kind))));
    let owners = pieces.iter().filter(|piece| matches!(piece.kind, Kind::Run | Kind::Burned));
    let owners = owners
        .map(|piece| format!("{} {} {}", piece.name, piece.kind.word(), percent(piece.share)));
    let owners = owners.collect::<Vec<_>>().join(", ");
    format!("{}: {}; by owner: {owners}.", head.whole(), parts.join(", "))
}

/// What fills mean; the names of owners stand in the bars.
fn legend(figure: &mut Figure, rows: &[(Head, Vec<Piece>)]) {
    let (mut x, y) = (MARGIN, figure.height + 18.0);
    for kind in Kind::ALL {
        if rows.iter().all(|(_, pieces)| total(pieces, kind) == 0.0) {
            continue;
        }
        let colour = match kind {
            Kind::Run | Kind::Burned => style::BLUE,
            Kind::Switch => style::VERMILION,
            Kind::Idle => style::GREY,
        };
        let text = match kind {
            Kind::Run => "run, by owner",
            Kind::Burned => "burned: a turn without work while others wait",
            Kind::Switch => "switch",
            Kind::Idle => "idle",
        };
        figure.bar((x, y - 13.0), (x + 40.0, y + 13.0), kind.fill(), colour);
        figure.text((x + 50.0, y), text, Align::Right, style::INK);
        x += 74.0 + style::width_of(text, style::size::TEXT, false);
    }
    figure.height = y + 34.0;
}

/// An owner below its row: where, its colour, its name with its part of the run.
type Key = (f64, Colour, String);

/// The owners that cannot be named within their bars, in lines; none where all can.
fn keys(scale: Scale, pieces: &[Piece]) -> Vec<Vec<Key>> {
    let mut lines: Vec<Vec<Key>> = Vec::new();
    let mut x = f64::INFINITY;
    let runs: Vec<&Piece> = pieces.iter().filter(|piece| piece.kind == Kind::Run).collect();
    let all: Vec<&str> = runs.iter().map(|piece| piece.name.as_str()).collect();
    let names = style::names(&all, 1, AXIS_END - rows::AXIS - 150.0, false);
    for (piece, name) in runs.into_iter().zip(names) {
        let text = named(piece);
        if width(&text) <= scale.place(piece.share * 100.0) - scale.place(0.0) - AIR {
            continue;
        }
        let text = format!("{} {}", name.concat(), percent(piece.share));
        let room = 24.0 + width(&text) + 24.0;
        if x + room - 24.0 > AXIS_END {
            x = rows::AXIS;
            lines.push(Vec::new());
        }
        lines.last_mut().expect("a line was begun").push((x, piece.colour, text));
        x += room;
    }
    lines
}

fn named(piece: &Piece) -> String {
    format!("{} {}", piece.name, percent(piece.share))
}

fn width(text: &str) -> f64 {
    style::width_of(&crate::shown::shown(text), style::size::TEXT, false)
}

fn draw_row(figure: &mut Figure, scale: Scale, pieces: &[Piece], y: f64) {
    let mut at = 0.0;
    for piece in pieces {
        let (from, to) = (scale.place(at * 100.0), scale.place((at + piece.share) * 100.0));
        at += piece.share;
        let (top, bottom) = (y - BAR / 2.0, y + BAR / 2.0);
        if to - from < 2.0 {
            figure.line(&[(from, top), (from, bottom)], stroke::AXIS, piece.colour);
            continue;
        }
        figure.bar((from + 1.0, top), (to - 1.0, bottom), piece.kind.fill(), piece.colour);
        let named = match piece.kind {
            Kind::Burned => format!("burned {}", percent(piece.share)),
            _ => named(piece),
        };
        let texts = [named, percent(piece.share)];
        let fits = |text: &&String| width(text) <= to - from - AIR;
        if let Some(text) = texts.iter().find(fits) {
            let at = ((from + to) / 2.0, y - piece.kind.fill().lift());
            figure.text(at, text, Align::Middle, style::INK);
        }
    }
}
