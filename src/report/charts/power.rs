//! The chart of power: for each run one bar of mean watts, of its hosts, their processors and their cards,
//! with the range that the facts leave.
//!
//! Runs whose watts are not all known have no bar.

use super::super::number::plain;
use super::figure::{Align, Figure, Fill, MARGIN, WIDTH};
use super::rows::{self, Head};
use super::scale::Scale;
use super::style::{self, Colour, stroke};
use crate::study::{PowerResult, Results};

const ROW: f64 = 58.0;
const BAR: f64 = 30.0;
const AXIS_END: f64 = 980.0;

/// What draws power, from left to right.
const PARTS: [(&str, Colour, Fill); 3] = [
    ("hosts, idle or on standby", style::GREY, Fill::Pale),
    ("processors at work", style::GREEN, Fill::Zigzag),
    ("cards", style::BLUE, Fill::Pale),
];

struct Bar {
    /// Watts of each of [`PARTS`].
    parts: [f64; 3],
    ends: [f64; 2],
    kwh_per_day: f64,
}

impl Bar {
    fn of(power: &PowerResult) -> Option<Self> {
        let (mean, ends) = (power.mean_w?, power.mean_w_range?);
        let cards = power.cards.iter().map(|card| card.mean_w).sum::<Option<f64>>()?;
        let processors = power.hosts.iter().map(|host| host.processors_w).sum::<Option<f64>>()?;
        let parts = [mean - cards - processors, processors, cards];
        Some(Self { parts, ends, kwh_per_day: power.kwh_per_day? })
    }

    fn total(&self) -> f64 {
        self.parts.iter().sum()
    }
}

/// The chart; nothing where no run's watts are known.
pub(super) fn draw(results: &Results) -> Option<Figure> {
    let bars = results.runs.iter().filter_map(|run| {
        let bar = Bar::of(run.power.as_ref()?)?;
        Some((rows::head(results, run, true, &run.name), bar))
    });
    let (bars, left_out) = rows::at_most(bars.collect(), |(_, bar): &(Head, Bar)| bar.total());
    if bars.is_empty() {
        return None;
    }
    let below: Vec<String> = [results.head.title.clone()].into_iter().chain(left_out).collect();
    let mut figure = Figure::new("Mean power at the wall", &below.join("; "));
    for (head, bar) in &bars {
        let parts = PARTS.iter().zip(bar.parts);
        let parts = parts.map(|((name, ..), watts)| format!("{name} {} W", whole(watts)));
        let (parts, [low, high]) = (parts.collect::<Vec<_>>().join(", "), bar.ends.map(whole));
        let all = whole(bar.total());
        figure.tell(format!("{}: {all} W, from {low} to {high}; {parts}.", head.whole()));
    }
    legend(&mut figure);
    let (heads, bars): (Vec<Head>, Vec<Bar>) = bars.into_iter().unzip();
    let places = rows::lay_out(&mut figure, &heads, ROW, &[]);
    let most = bars.iter().map(|bar| bar.ends[1]).fold(1.0, f64::max);
    let scale = Scale::linear(0.0, most * 1.02, (rows::AXIS, AXIS_END));
    for (top, bottom) in places.blocks {
        for tick in scale.ticks(6) {
            let x = scale.place(tick);
            figure.line(&[(x, top), (x, bottom)], stroke::RULE, style::RULE);
        }
    }
    bars.iter().zip(places.middles).for_each(|(bar, y)| draw_bar(&mut figure, scale, bar, y));
    for tick in scale.ticks(6) {
        let at = (scale.place(tick), figure.height + 18.0);
        figure.text(at, &plain(tick), Align::Middle, style::QUIET);
    }
    figure.height += 36.0;
    let room = 2.0 * (WIDTH - MARGIN - scale.middle());
    figure.axis_label((scale.middle(), room), "mean watts; kWh in a day stand on the right");
    figure.height += 18.0;
    Some(figure)
}

fn legend(figure: &mut Figure) {
    let (mut x, mut y) = (MARGIN, figure.height + 18.0);
    for (name, colour, fill) in PARTS {
        let width = 52.0 + style::width_of(name, style::size::TEXT, false) + 24.0;
        if x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 36.0);
        }
        figure.bar((x, y - BAR / 2.0), (x + 40.0, y + BAR / 2.0), fill, colour);
        figure.text((x + 50.0, y), name, Align::Right, style::INK);
        x += width;
    }
    figure.height = y + 34.0;
}

fn draw_bar(figure: &mut Figure, scale: Scale, bar: &Bar, y: f64) {
    let (top, bottom) = (y - BAR / 2.0, y + BAR / 2.0);
    let mut sum = 0.0;
    for ((_, colour, fill), watts) in PARTS.into_iter().zip(bar.parts) {
        let (from, to) = (scale.place(sum), scale.place(sum + watts));
        sum += watts;
        if to - from < 2.0 {
            continue;
        }
        // The edges of two bars side by side.
        figure.bar((from + 1.0, top), (to - 1.0, bottom), fill, colour);
        let text = whole(watts);
        if style::width_of(&text, style::size::TEXT, false) < to - from - 8.0 {
            let at = ((from + to) / 2.0, y - fill.lift());
            figure.text(at, &text, Align::Middle, style::INK);
        }
    }
    let [from, to] = bar.ends.map(|end| scale.place(end));
    let below = bottom + 6.0;
    figure.line(&[(from, below), (to, below)], stroke::MARK, style::INK);
    for x in [from, to] {
        figure.line(&[(x, below - 4.0), (x, below + 4.0)], stroke::MARK, style::INK);
    }
    let text = format!("{} kWh", plain((bar.kwh_per_day * 10.0).round() / 10.0));
    figure.text((WIDTH - MARGIN, y), &text, Align::Left, style::INK);
}

fn whole(watts: f64) -> String {
    plain(watts.round())
}
