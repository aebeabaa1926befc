//! The timeline: whose turn it is on each engine, and what the engine does in it, one lane for each
//! owner; copies in a thin lane.
//!
//! Where slices are too many to be seen, each column shows the parts of its time instead.

use super::super::number::{instant, plain};
use super::figure::{Align, Figure, Mark, WIDTH};
use super::scale::Scale;
use super::style::{self, Colour, size, stroke};
use crate::gpu::{Phase, PhaseSpan};
use crate::platform::{InstanceTimeline, Timeline};
use crate::record::Stage;
use crate::study::{Side, TimelineResults};
use crate::units::{SimTime, counted};

/// The ends of the time axis, in pixels.
const AXIS: (f64, f64) = (300.0, 1170.0);
/// The room of a lane's name.
const NAME: f64 = 255.0;
/// From the subtitle to the legend, and to the first lane.
const LEGEND: f64 = 34.0;
const TOP: f64 = 74.0;
const LANE: f64 = 44.0;
const BAR: f64 = 32.0;
const COPIES: f64 = 26.0;
const HEAD: f64 = 46.0;
/// Most lanes of owners.
const LANES: usize = 12;
/// Slices in a lane from which on columns are drawn instead, and the width of a column.
const SLICES: usize = 350;
const COLUMN: f64 = 3.0;

/// What a span of a lane is drawn as.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Look {
    Run,
    Overshoot,
    Burned,
    Switch,
    Capped,
    Idle,
    Waits,
    Copy,
}

impl Look {
    /// All that a legend explains, in its order.
    const ALL: [Look; 8] = [
        Look::Run,
        Look::Overshoot,
        Look::Burned,
        Look::Switch,
        Look::Capped,
        Look::Waits,
        Look::Idle,
        Look::Copy,
    ];

    /// The colour and the height of the bar, as a part of a full one.
    fn style(self) -> (Colour, f64) {
        match self {
            Look::Run => (style::BLUE, 1.0),
            Look::Overshoot => (style::VERMILION, 1.0),
            Look::Burned => (style::ORANGE, 0.45),
            Look::Switch => (style::INK, 1.0),
            Look::Capped => (style::PURPLE, 0.45),
            Look::Waits => (style::SKY, 0.19),
            Look::Idle => (style::QUIET, 0.07),
            Look::Copy => (style::GREEN, 0.4),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Look::Run => "works",
            Look::Overshoot => "overshoot",
            Look::Burned => "burned turn",
            Look::Switch => "switch",
            Look::Capped => "capped",
            Look::Waits => "waits for its turn",
            Look::Idle => "idle turn",
            Look::Copy => "copies",
        }
    }

    fn of(phase: Phase) -> Self {
        match phase {
            Phase::Run => Look::Run,
            Phase::Overshoot => Look::Overshoot,
            Phase::Burned => Look::Burned,
            Phase::Rest => Look::Idle,
            Phase::Switch | Phase::SwitchWithin => Look::Switch,
            Phase::Capped => Look::Capped,
        }
    }
}

/// A bar of a lane, cut to the window.
#[derive(Clone, Copy)]
struct Bar {
    start: SimTime,
    end: SimTime,
    look: Look,
    /// The part of the instance's SMs, 0 to 1.
    part: f64,
}

/// A lane with its bars; those that are drawn first lie below.
struct Lane {
    card: usize,
    name: String,
    bars: Vec<Bar>,
    /// Nanoseconds of work, by which the busiest are chosen.
    work: u64,
    is_thin: bool,
}

/// The drawing.
pub(in crate::report) fn draw(results: &TimelineResults) -> Figure {
    let timeline = &results.timeline;
    let (mut lanes, left_out) = busiest(lanes(timeline));
    let in_columns = lanes.iter().any(|lane| lane.bars.len() > SLICES);
    if in_columns {
        // What waits and copies take no visible part of a column.
        lanes.retain(|lane| !lane.is_thin);
        let is_seen = |bar: &Bar| !matches!(bar.look, Look::Waits | Look::Idle);
        lanes.iter_mut().for_each(|lane| lane.bars.retain(is_seen));
    }
    let heads = heads(timeline, &lanes);
    let of_lanes: f64 = lanes.iter().map(Lane::height).sum();
    let below = if left_out > 0 { 118.0 } else { 84.0 };
    let mut figure = Figure::new(&title(results), &subtitle(results, &lanes, in_columns));
    let top = figure.height + TOP;
    legend(&mut figure, &lanes, top - TOP + LEGEND);
    let window = timeline.until.saturating_since(timeline.from);
    let (unit, per_ms) = if window.as_millis_f64() >= 10_000.0 { ("s", 1e-3) } else { ("ms", 1.0) };
    let long = (window.as_millis_f64() * per_ms).max(1e-6);
    let scale = Scale::linear(0.0, long, AXIS);
    let place =
        |at: SimTime| scale.place((at.saturating_since(timeline.from)).as_millis_f64() * per_ms);
    let bottom = top + HEAD * heads as f64 + of_lanes;
    figure.height = bottom + below;
    let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
    let names = style::names(&names, 1, NAME, false);
    for tick in scale.ticks(8) {
        let at = (scale.place(tick), bottom + 22.0);
        figure.text(at, &plain(tick), Align::Middle, style::QUIET);
    }
    let mut y = top;
    let mut before = None;
    for (lane, name) in lanes.iter().zip(&names) {
        let head = head_of(timeline, lane);
        if before.as_ref() != Some(&head) {
            figure
                .label((30.0, y + HEAD / 2.0 + 4.0), &head, size::HEAD, Align::Right, style::INK)
                .bold = true;
            before = Some(head);
            y += HEAD;
        }
        for tick in scale.ticks(8) {
            let x = scale.place(tick);
            figure.line(&[(x, y), (x, y + lane.height())], stroke::RULE, style::RULE);
        }
        let middle = y + lane.height() / 2.0;
        let name = name.first().map_or("", String::as_str);
        let ink = if lane.is_thin { style::QUIET } else { style::INK };
        figure.text((30.0, middle), name, Align::Right, ink);
        match in_columns {
            true => columns(&mut figure, lane, middle, &place),
            false => bars(&mut figure, lane, middle, &place),
        }
        y += lane.height();
    }
    figure.line(&[(AXIS.0, bottom), (AXIS.1, bottom)], 1.5, style::QUIET);
    let axis = format!("time ({unit}) after {} of the run", instant(timeline.from));
    figure.text(((AXIS.0 + AXIS.1) / 2.0, bottom + 56.0), &axis, Align::Middle, style::QUIET);
    if left_out > 0 {
        let more = counted(left_out, "lane");
        let said = format!("{more} of owners with less work not drawn; the trace has all");
        figure.text((30.0, bottom + 92.0), &said, Align::Right, style::QUIET);
    }
    figure
}

fn title(results: &TimelineResults) -> String {
    let side = match (results.side, results.baseline_kind) {
        (Side::Baseline, Some(kind)) => format!(" ({})", kind.replace('-', " ")),
        _ => String::new(),
    };
    let instances = results.timeline.cards.iter().flat_map(|card| &card.instances);
    let by_turns = instances.into_iter().any(|instance| instance.sharing.takes_turns());
    let what = if by_turns { "whose turn it is" } else { "when each has the GPU" };
    format!("{}{side}: {what}", results.run)
}

fn subtitle(results: &TimelineResults, lanes: &[Lane], in_columns: bool) -> String {
    let timeline = &results.timeline;
    let shown = match () {
        () if in_columns => "; each column shows the parts of its time",
        () if lanes.iter().flat_map(|lane| &lane.bars).any(|bar| bar.part < 1.0) => {
            "; height: the part of the SMs"
        }
        () => "",
    };
    format!(
        "{} to {} of a run on {}, seed {}{shown}",
        instant(timeline.from),
        instant(timeline.until),
        results.platform,
        results.head.seed
    )
}

impl Lane {
    fn height(&self) -> f64 {
        if self.is_thin { COPIES } else { LANE }
    }
}

/// The line above lanes: the card, and the instance where it is cut.
fn head_of(timeline: &Timeline, lane: &Lane) -> String {
    let card = &timeline.cards[lane.card];
    format!("GPU {}: {}", lane.card, card.model)
}

fn heads(timeline: &Timeline, lanes: &[Lane]) -> usize {
    let mut heads: Vec<String> = lanes.iter().map(|lane| head_of(timeline, lane)).collect();
    heads.dedup();
    heads.len()
}

/// Every lane: of each card its owners, then its copies.
fn lanes(timeline: &Timeline) -> Vec<Lane> {
    let mut lanes = Vec::new();
    for (card, of_card) in timeline.cards.iter().enumerate() {
        for (index, instance) in of_card.instances.iter().enumerate() {
            owners(timeline, (card, index), instance, &mut lanes);
        }
        let batches = timeline.batches.iter().filter(|batch| usize::from(batch.link) == card);
        let copies = batches.flat_map(|batch| &batch.stages);
        let copies = copies.filter(|span| matches!(span.stage, Stage::CopyIn | Stage::CopyOut));
        let spans: Vec<_> = copies.filter_map(|span| timeline.cut(span.start, span.end)).collect();
        let bars: Vec<Bar> = union(spans)
            .into_iter()
            .map(|(start, end)| Bar { start, end, look: Look::Copy, part: 1.0 })
            .collect();
        if !bars.is_empty() {
            let name = "copies".to_string();
            lanes.push(Lane { card, name, bars, work: 0, is_thin: true });
        }
    }
    lanes
}

/// The lanes of an instance's owners; what no VM owns is one lane.
fn owners(
    timeline: &Timeline,
    (card, index): (usize, usize),
    instance: &InstanceTimeline,
    lanes: &mut Vec<Lane>,
) {
    let whole = instance.phases.iter().map(|span| span.share).fold(0.0, f64::max).max(1e-9);
    let bar = |span: &PhaseSpan| {
        let (start, end) = timeline.cut(span.start, span.end)?;
        Some(Bar { start, end, look: Look::of(span.phase), part: span.share / whole })
    };
    let profile = instance.profile.as_ref().map_or(String::new(), |name| format!("{name} "));
    let known = instance.owners.len();
    let mut nodes: Vec<&str> = Vec::new();
    for slot in 0..=known {
        let is_pod = instance.is_pod(slot as u16);
        let taker = instance.taker(slot as u16);
        // A VM whose pods share its turns has a lane before theirs, for what no pod does.
        if is_pod && !nodes.contains(&taker) {
            nodes.push(taker);
            let its = |span: &&PhaseSpan| {
                instance.is_pod(span.slot) && instance.taker(span.slot) == taker
            };
            let bars: Vec<Bar> = instance.phases.iter().filter(its).filter_map(bar).collect();
            let work = work_of(&bars);
            lanes.push(Lane {
                card,
                name: format!("{profile}{taker}"),
                bars,
                work,
                is_thin: false,
            });
        }
        let own = |span: &&PhaseSpan| {
            let is_its =
                !is_pod || Timeline::works(span.phase) || span.phase == Phase::SwitchWithin;
            usize::from(span.slot).min(known) == slot && is_its
        };
        let of_slot: Vec<Bar> = instance.phases.iter().filter(own).filter_map(bar).collect();
        if slot == known && of_slot.is_empty() {
            continue;
        }
        let waits = timeline.batches.iter().filter(|batch| {
            usize::from(batch.card) == card
                && usize::from(batch.instance) == index
                && usize::from(batch.slot) == slot
        });
        let waits = waits.flat_map(|batch| &batch.stages).filter(|span| span.stage == Stage::Gpu);
        let waits = waits.filter_map(|span| timeline.cut(span.start, span.end)).collect();
        let mut bars = Vec::new();
        if instance.sharing.takes_turns() {
            let waits = union(waits).into_iter();
            bars.extend(waits.map(|(start, end)| Bar { start, end, look: Look::Waits, part: 1.0 }));
        }
        let work = work_of(&of_slot);
        bars.extend(of_slot);
        let name = format!("{profile}{}", instance.owner(slot as u16));
        lanes.push(Lane { card, name, bars, work, is_thin: false });
    }
}

/// How long they show work, in nanoseconds.
fn work_of(bars: &[Bar]) -> u64 {
    let works = bars.iter().filter(|bar| matches!(bar.look, Look::Run | Look::Overshoot));
    works.map(|bar| (bar.end - bar.start).as_nanos()).sum()
}

/// The times in which any of the spans lasts.
fn union(mut spans: Vec<(SimTime, SimTime)>) -> Vec<(SimTime, SimTime)> {
    spans.sort_unstable();
    let mut all: Vec<(SimTime, SimTime)> = Vec::new();
    for (start, end) in spans {
        match all.last_mut() {
            Some(last) if last.1 >= start => last.1 = last.1.max(end),
            _ => all.push((start, end)),
        }
    }
    all
}

/// The lanes that are drawn, in their order: those of the owners with the most work, and the copies of
/// their cards; and how many owners' are not.
fn busiest(all: Vec<Lane>) -> (Vec<Lane>, usize) {
    let mut owners: Vec<(u64, usize)> = all
        .iter()
        .enumerate()
        .filter(|(_, lane)| !lane.is_thin)
        .map(|(index, lane)| (lane.work, index))
        .collect();
    let count = owners.len();
    owners.sort_by_key(|(work, index)| (std::cmp::Reverse(*work), *index));
    owners.truncate(LANES);
    let cards: Vec<usize> = owners.iter().map(|(_, index)| all[*index].card).collect();
    let is_drawn = |(index, lane): &(usize, Lane)| match lane.is_thin {
        true => cards.contains(&lane.card),
        false => owners.iter().any(|(_, chosen)| chosen == index),
    };
    let drawn = all.into_iter().enumerate().filter(is_drawn).map(|(_, lane)| lane).collect();
    (drawn, count - owners.len())
}

fn legend(figure: &mut Figure, lanes: &[Lane], y: f64) {
    let occurs =
        |look: &&Look| lanes.iter().any(|lane| lane.bars.iter().any(|bar| bar.look == **look));
    let mut x = 30.0;
    for look in Look::ALL.iter().filter(occurs) {
        let (ink, part) = look.style();
        let wide = if *look == Look::Switch { 5.0 } else { 26.0 };
        rectangle(figure, (x, x + wide), y, 24.0 * part, ink);
        figure.text((x + wide + 8.0, y), look.word(), Align::Right, style::INK);
        x += wide + 8.0 + style::width_of(look.word(), size::TEXT, false) + 24.0;
    }
}

/// A filled rectangle around a height.
fn rectangle(figure: &mut Figure, (left, right): (f64, f64), middle: f64, high: f64, ink: Colour) {
    // A span narrower than a pixel is still seen.
    let right = right.max(left + 1.0).min(WIDTH);
    figure.line(&[(left, middle), (right, middle)], high.max(1.5), ink);
}

fn bars(figure: &mut Figure, lane: &Lane, middle: f64, place: &impl Fn(SimTime) -> f64) {
    for bar in &lane.bars {
        let (ink, part) = bar.look.style();
        let full = if lane.is_thin { COPIES } else { BAR };
        let ends = (place(bar.start), place(bar.end));
        rectangle(figure, ends, middle, full * part * bar.part, ink);
    }
}

/// The parts of the time of each column, from the bottom: work, overshoot, burned, switch.
fn columns(figure: &mut Figure, lane: &Lane, middle: f64, place: &impl Fn(SimTime) -> f64) {
    const STACK: [Look; 5] = [Look::Run, Look::Overshoot, Look::Burned, Look::Switch, Look::Capped];
    let count = ((AXIS.1 - AXIS.0) / COLUMN) as usize;
    let mut parts = vec![[0.0f64; STACK.len()]; count];
    for bar in &lane.bars {
        let Some(kind) = STACK.iter().position(|look| *look == bar.look) else { continue };
        let (left, right) = (place(bar.start) - AXIS.0, place(bar.end) - AXIS.0);
        let first = (left / COLUMN).floor().max(0.0) as usize;
        for (column, parts) in parts.iter_mut().enumerate().skip(first) {
            let (from, to) = (column as f64 * COLUMN, (column + 1) as f64 * COLUMN);
            if from >= right {
                break;
            }
            parts[kind] += bar.part * ((right.min(to) - left.max(from)) / COLUMN).max(0.0);
        }
    }
    for (column, parts) in parts.iter().enumerate() {
        let x = AXIS.0 + (column as f64 + 0.5) * COLUMN;
        let mut y = middle + BAR / 2.0;
        for (look, part) in STACK.iter().zip(parts) {
            let high = BAR * part.min(1.0);
            if high < 0.5 {
                continue;
            }
            let points = vec![(x, y), (x, y - high)];
            let (ink, _) = look.style();
            figure.marks.push(Mark::Line { points, width: COLUMN, dashed: false, colour: ink });
            y -= high;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{CardTimeline, WindowEnd};
    use crate::spec::InstanceSharing;
    use crate::study::{Head, TimelineResults};
    use crate::units::SimDuration;

    /// A card of so many instances, each with so many spans of work in the window of a second.
    fn results(instances: u64, spans: u64) -> TimelineResults {
        let at = |part: u64| SimTime::from_nanos(1_000_000_000 * part / (2 * spans));
        let of = |index: u64| InstanceTimeline {
            profile: Some("1g.5gb".to_string()),
            sharing: InstanceSharing::Alone,
            nodes: Vec::new(),
            owners: vec![format!("a rather long name of a VM-{index}")],
            phases: (0..spans)
                .map(|span| PhaseSpan {
                    slot: 0,
                    phase: Phase::Run,
                    start: at(2 * span),
                    // The later ones work longer.
                    end: SimTime::from_nanos(at(2 * span).as_nanos() + 1 + 1000 * index),
                    turn: at(2 * span),
                    share: 0.1,
                })
                .collect(),
        };
        let card =
            CardTimeline { model: "Test".to_string(), instances: (0..instances).map(of).collect() };
        let timeline = Timeline {
            from: SimTime::ZERO,
            until: SimTime::from_nanos(1_000_000_000),
            ending: WindowEnd::Asked,
            cards: vec![card],
            servers: Vec::new(),
            batches: Vec::new(),
            outcome: None,
        };
        TimelineResults {
            head: Head::of("test", "Test", "0", 1),
            run: "test".to_string(),
            side: Side::Virtual,
            baseline_kind: None,
            platform: "test".to_string(),
            asked: SimDuration::from_secs(1),
            timeline,
            engine_times: Vec::new(),
        }
    }

    fn texts(figure: &Figure) -> String {
        let texts = figure.marks.iter().filter_map(|mark| match mark {
            Mark::Text(label) => Some(label.text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Fifteen lanes: the twelve with the most work are drawn, and it is said that there are more.
    #[test]
    fn the_busiest_lanes_are_drawn_and_the_others_told() {
        let figure = draw(&results(15, 4));
        let texts = texts(&figure);
        assert_eq!(texts.matches("1g.5gb a r").count(), 12, "{texts}");
        assert!(texts.contains("3 lanes of owners with less work not drawn"), "{texts}");
        assert!(!texts.contains("each column"));
        assert!(!self::texts(&draw(&results(12, 4))).contains("not drawn"));
    }

    /// However many slices there are, the marks are as many as columns at most, and inside the picture.
    #[test]
    fn many_slices_become_columns() {
        let figure = draw(&results(2, 50_000));
        assert!(texts(&figure).contains("each column shows the parts of its time"));
        assert!(figure.marks.len() < 1500, "{} marks", figure.marks.len());
        let few = draw(&results(2, 10));
        let first_lane = Figure::new("a title", "a subtitle").height + TOP;
        for mark in figure.marks.iter().chain(&few.marks) {
            if let Mark::Line { points, .. } = mark {
                let inside = |(x, y): &(f64, f64)| {
                    (AXIS.0..=AXIS.1 + COLUMN).contains(x) && (0.0..=figure.height).contains(y)
                };
                let is_of_legend = points.iter().all(|(_, y)| *y < first_lane);
                assert!(is_of_legend || points.iter().all(inside), "{points:?}");
            }
        }
    }
}
