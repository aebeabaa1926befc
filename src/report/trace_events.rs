//! A timeline as a trace in Chrome's JSON format, which Perfetto opens.
//!
//! Rules of the format: `ts` and `dur` in microseconds; complete events (`X`) of one track (`pid`,
//! `tid`) nest or follow each other, since overlapping ones are not shown; what overlaps gets tracks of
//! its own ("copy in", "copy in 2"). Events are in the order of time, the outer before the inner.
//! Times are whole nanoseconds.

use super::number::instant;
use super::written;
use crate::gpu::{Phase, PhaseSpan};
use crate::platform::{BatchTimeline, InstanceTimeline, Timeline, WindowEnd};
use crate::record::Stage;
use crate::spec::InstanceSharing;
use crate::study::TimelineResults;
use crate::units::SimTime;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The whole trace. One event a line.
pub(super) fn document(results: &TimelineResults) -> anyhow::Result<String> {
    let mut trace = Trace::new(&results.timeline);
    for card in 0..results.timeline.cards.len() {
        trace.card(card);
    }
    for server in 0..results.timeline.servers.len() {
        trace.server(server);
    }
    let mut text =
        format!("{{\"otherData\":{},\"traceEvents\":[\n", written::line(&head(results))?);
    let mut events = trace.tracks;
    trace.events.sort_by_key(|event| (event.start, Reverse(event.end), event.depth, event.order));
    for event in &trace.events {
        events.push(event.line()?);
    }
    text.push_str(&events.join(",\n"));
    // Last: where it is first, Perfetto of 2021 takes it for the unit of `ts`.
    text.push_str("\n],\"displayTimeUnit\":\"ns\"}\n");
    Ok(text)
}

/// What the trace is of.
fn head(results: &TimelineResults) -> Value {
    let timeline = &results.timeline;
    let ending = match timeline.ending {
        WindowEnd::Asked => "as asked for",
        WindowEnd::RunOver => "the run was over",
        WindowEnd::Full => "the trace holds the most that one may",
    };
    json!({
        "tool": results.head.tool.name,
        "version": results.head.tool.version,
        "scenario": results.head.scenario,
        "title": results.head.title,
        "scenario_hash": results.head.scenario_hash,
        "seed": results.head.seed,
        "run": results.run,
        "side": results.side.word(),
        "baseline_kind": results.baseline_kind,
        "platform": results.platform,
        "from": instant(timeline.from),
        "until": instant(timeline.until),
        "asked_for": results.asked.to_string(),
        "ends": ending,
    })
}

/// Microseconds. Perfetto multiplies by 1000 and cuts what lies behind the point: one fraction in a
/// hundred would lose a nanosecond, and a slice begin within the one before it. Those have a tenth of a
/// nanosecond more, which is cut.
fn micros(nanos: u64) -> String {
    let (whole, rest) = (nanos / 1000, nanos % 1000);
    if rest == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{rest:03}");
    let is_read =
        |text: &str| text.parse::<f64>().is_ok_and(|read| (read * 1000.0) as u64 == nanos);
    match is_read(&text) {
        true => text.trim_end_matches('0').to_string(),
        false => text + "1",
    }
}

/// The events of a trace under construction.
struct Trace<'a> {
    timeline: &'a Timeline,
    /// The events that name tracks, as lines.
    tracks: Vec<String>,
    events: Vec<Event>,
    /// The threads so far.
    tids: usize,
}

/// A slice or a point of a counter.
struct Event {
    pid: usize,
    /// Nothing for a counter.
    tid: Option<usize>,
    name: String,
    category: &'static str,
    start: SimTime,
    end: SimTime,
    /// How many slices it lies in.
    depth: u8,
    order: usize,
    /// The value of a counter; the arguments of a slice.
    args: Map<String, Value>,
}

impl Event {
    fn line(&self) -> anyhow::Result<String> {
        let (name, args) = (written::line(&self.name)?, written::line(&self.args)?);
        let (pid, ts) = (self.pid, micros(self.start.as_nanos()));
        Ok(match self.tid {
            None => {
                format!(r#"{{"ph":"C","pid":{pid},"name":{name},"ts":{ts},"args":{args}}}"#)
            }
            Some(tid) => {
                let dur = micros((self.end - self.start).as_nanos());
                let cat = self.category;
                format!(
                    r#"{{"ph":"X","pid":{pid},"tid":{tid},"ts":{ts},"dur":{dur},"name":{name},"cat":"{cat}","args":{args}}}"#
                )
            }
        })
    }
}

/// A slice before it is cut to the window.
struct Slice<'n> {
    name: &'n str,
    category: &'static str,
    start: SimTime,
    end: SimTime,
    depth: u8,
    args: Value,
}

impl<'a> Trace<'a> {
    fn new(timeline: &'a Timeline) -> Self {
        Self { timeline, tracks: Vec::new(), events: Vec::new(), tids: 0 }
    }

    /// Names a process, in the order in which they are to be shown.
    fn process(&mut self, pid: usize, name: &str) {
        self.meta(pid, None, "process_name", json!({ "name": name }));
        self.meta(pid, None, "process_sort_index", json!({ "sort_index": pid }));
    }

    /// A new thread: no two have the same number, and none has that of a process.
    fn thread(&mut self, pid: usize, name: &str) -> usize {
        self.tids += 1;
        let tid = self.timeline.cards.len() + self.timeline.servers.len() + self.tids;
        self.meta(pid, Some(tid), "thread_name", json!({ "name": name }));
        self.meta(pid, Some(tid), "thread_sort_index", json!({ "sort_index": tid }));
        tid
    }

    fn meta(&mut self, pid: usize, tid: Option<usize>, what: &str, args: Value) {
        let tid = tid.map_or(String::new(), |tid| format!(r#","tid":{tid}"#));
        // Neither a name nor a number can fail to be written.
        let args = written::line(&args).unwrap_or_default();
        self.tracks.push(format!(r#"{{"ph":"M","pid":{pid}{tid},"name":"{what}","args":{args}}}"#));
    }

    /// The part of a slice that lies in the window; what is cut off is told.
    fn slice(&mut self, (pid, tid): (usize, usize), slice: Slice<'_>) {
        let Slice { name, category, start, end, depth, args } = slice;
        let Some((shown_start, shown_end)) = self.timeline.cut(start, end) else { return };
        let Value::Object(mut args) = args else { return };
        let cut = match (start < shown_start, end > shown_end) {
            (false, false) => None,
            (true, false) => Some("start"),
            (false, true) => Some("end"),
            (true, true) => Some("both"),
        };
        if let Some(cut) = cut {
            args.insert("cut".to_string(), cut.into());
        }
        if start < shown_start {
            args.insert("began".to_string(), instant(start).into());
        }
        let order = self.events.len();
        self.events.push(Event {
            pid,
            tid: Some(tid),
            name: name.to_string(),
            category,
            start: shown_start,
            end: shown_end,
            depth,
            order,
            args,
        });
    }

    /// The points of a counter, the first at the start of the window.
    fn counter(&mut self, pid: usize, name: &str, unit: &str, points: &[(SimTime, u64)]) {
        for (at, level) in points {
            let order = self.events.len();
            self.events.push(Event {
                pid,
                tid: None,
                name: name.to_string(),
                category: "counter",
                start: *at,
                end: *at,
                depth: 0,
                order,
                args: Map::from_iter([(unit.to_string(), (*level).into())]),
            });
        }
    }

    /// The tracks of a card: what its engines do, its copies, its streams.
    fn card(&mut self, index: usize) {
        let timeline = self.timeline;
        let (pid, card) = (1 + index, &timeline.cards[index]);
        self.process(pid, &format!("GPU {index}: {}", card.model));
        for instance in &card.instances {
            self.instance(pid, instance);
        }
        let copies = |stage: Stage| {
            let batches =
                timeline.batches.iter().filter(move |batch| usize::from(batch.link) == index);
            let spans = batches.flat_map(move |batch| {
                let stages = batch.stages.iter().filter(move |span| span.stage == stage);
                stages.map(move |span| (batch, span.start, span.end))
            });
            spans.collect::<Vec<_>>()
        };
        self.lanes(pid, "copy in", "copy", copies(Stage::CopyIn));
        self.lanes(pid, "copy out", "copy", copies(Stage::CopyOut));
        self.streams(pid, index);
    }

    /// What the engine of an instance does: with turns, each turn with its parts in it; without, a
    /// track for each owner.
    fn instance(&mut self, pid: usize, instance: &InstanceTimeline) {
        let place = instance.profile.as_ref().map_or(String::new(), |name| format!(" {name}"));
        let by_turns = instance.sharing.takes_turns();
        let side_by_side =
            matches!(instance.sharing, InstanceSharing::Mps(_) | InstanceSharing::Models);
        if !side_by_side {
            let tid = self.thread(pid, &format!("engine{place}"));
            if by_turns {
                return self.turns((pid, tid), instance);
            }
            return instance.phases.iter().for_each(|span| self.work((pid, tid), instance, span));
        }
        for (slot, owner) in instance.owners.iter().enumerate() {
            let tid = self.thread(pid, &format!("SMs{place} of {owner}"));
            let of_owner = instance.phases.iter().filter(|span| usize::from(span.slot) == slot);
            of_owner.for_each(|span| self.work((pid, tid), instance, span));
        }
    }

    /// A span of work where there are no turns.
    fn work(&mut self, track: (usize, usize), instance: &InstanceTimeline, span: &PhaseSpan) {
        self.slice(
            track,
            Slice {
                name: instance.owner(span.slot),
                category: "run",
                start: span.start,
                end: span.end,
                depth: 0,
                args: json!({ "sm_share": span.share }),
            },
        );
    }

    fn turns(&mut self, track: (usize, usize), instance: &InstanceTimeline) {
        let is_turn = |span: &PhaseSpan| !matches!(span.phase, Phase::Switch | Phase::Capped);
        let taker = |span: &PhaseSpan| instance.taker(span.slot);
        let alike = |one: &PhaseSpan, next: &PhaseSpan| {
            is_turn(one) && is_turn(next) && (taker(one), one.turn) == (taker(next), next.turn)
        };
        for spans in instance.phases.chunk_by(alike) {
            let first = &spans[0];
            let start = first.turn.min(first.start);
            let end = spans.iter().map(|span| span.end).max().unwrap_or(start);
            if is_turn(first) {
                self.turn(track, taker(first), (start, end));
            }
            // What pods do is on tracks of theirs: under MPS they do it at the same time.
            let of_pod = |span: &&PhaseSpan| {
                instance.is_pod(span.slot)
                    && (Timeline::works(span.phase) || span.phase == Phase::SwitchWithin)
            };
            for span in spans.iter().filter(|span| !of_pod(span)) {
                self.phase(track, taker(span), span, u8::from(is_turn(span)));
            }
        }
        for slot in (0..instance.owners.len() as u16).filter(|slot| instance.is_pod(*slot)) {
            let (pid, owner) = (track.0, instance.owner(slot));
            let track = (pid, self.thread(pid, &format!("turns of {owner}")));
            for spans in instance.pod_turns(slot) {
                self.turn(track, owner, (spans[0].start, spans[spans.len() - 1].end));
                spans.iter().for_each(|span| self.phase(track, owner, span, 1));
            }
        }
    }

    fn turn(&mut self, track: (usize, usize), name: &str, (start, end): (SimTime, SimTime)) {
        let args = json!({});
        self.slice(track, Slice { name, category: "turn", start, end, depth: 0, args });
    }

    /// What the engine did in a span of time, for this owner.
    fn phase(&mut self, track: (usize, usize), owner: &str, span: &PhaseSpan, depth: u8) {
        let (name, category) = match span.phase {
            Phase::Run => ("run".to_string(), "run"),
            Phase::Overshoot => ("overshoot".to_string(), "overshoot"),
            Phase::Burned => ("burned".to_string(), "burned"),
            Phase::Rest => ("idle".to_string(), "idle"),
            Phase::Switch | Phase::SwitchWithin => (format!("switch to {owner}"), "switch"),
            Phase::Capped => ("held back by the cap".to_string(), "capped"),
        };
        let args = json!({ "sm_share": span.share });
        let (start, end) = (span.start, span.end);
        self.slice(track, Slice { name: &name, category, start, end, depth, args });
    }

    /// Spans of batches that may overlap, on as many tracks as it takes; at least one.
    fn lanes(
        &mut self,
        pid: usize,
        name: &str,
        category: &'static str,
        mut spans: Vec<(&BatchTimeline, SimTime, SimTime)>,
    ) {
        spans.sort_by_key(|(batch, start, _)| (*start, batch.server, batch.number));
        let lanes = lanes(spans.iter().map(|(_, start, end)| (*start, *end)));
        let tids = self.lane_threads(pid, name, &lanes);
        for ((batch, start, end), lane) in spans.into_iter().zip(lanes) {
            let name = self.batch_name(batch);
            let args = json!({ "queries": batch.queries });
            self.slice(
                (pid, tids[lane]),
                Slice { name: &name, category, start, end, depth: 0, args },
            );
        }
    }

    fn lane_threads(&mut self, pid: usize, name: &str, lanes: &[usize]) -> Vec<usize> {
        let count = lanes.iter().max().map_or(1, |most| most + 1);
        let named =
            |lane: usize| if lane == 0 { name.to_string() } else { format!("{name} {}", lane + 1) };
        (0..count).map(|lane| self.thread(pid, &named(lane))).collect()
    }

    /// A batch, named where others of other servers are beside it.
    fn batch_name(&self, batch: &BatchTimeline) -> String {
        let server = &self.timeline.servers[usize::from(batch.server)];
        format!("{} batch {}", server.name, batch.number)
    }

    /// Each stream of a card: the batch that is on the GPU, waiting for its owner's turn included.
    fn streams(&mut self, pid: usize, card: usize) {
        let timeline = self.timeline;
        let mut tids = BTreeMap::new();
        for server in &timeline.servers {
            let own = server.streams.iter().filter(|(of, _)| usize::from(*of) == card);
            for (place, (_, stream)) in own.enumerate() {
                let name = format!("stream {} of {}", place + 1, server.name);
                tids.insert(*stream, self.thread(pid, &name));
            }
        }
        let turns = turns_by_owner(&timeline.cards[card].instances);
        let mut busy: BTreeMap<SimTime, i64> = BTreeMap::new();
        for batch in timeline.batches.iter().filter(|batch| usize::from(batch.card) == card) {
            for span in batch.stages.iter().filter(|span| span.stage == Stage::Gpu) {
                let Some(tid) = tids.get(&batch.stream) else { continue };
                let (name, args) = (self.batch_name(batch), json!({ "queries": batch.queries }));
                let (start, end) = (span.start, span.end);
                self.slice(
                    (pid, *tid),
                    Slice { name: &name, category: "gpu", start, end, depth: 0, args },
                );
                let had = turns.get(&(batch.instance, batch.slot)).map_or(&[][..], Vec::as_slice);
                let first = had.partition_point(|turn| turn.1 <= start);
                for turn in had[first..].iter().take_while(|turn| turn.0 < end) {
                    let (start, end) = (turn.0.max(start), turn.1.min(end));
                    self.slice(
                        (pid, *tid),
                        Slice {
                            name: "its turn",
                            category: "in turn",
                            start,
                            end,
                            depth: 1,
                            args: json!({}),
                        },
                    );
                }
                let Some((start, end)) = timeline.cut(start, end) else { continue };
                *busy.entry(start).or_insert(0) += 1;
                *busy.entry(end).or_insert(0) -= 1;
            }
        }
        let mut points = vec![(timeline.from, 0)];
        let mut level = 0;
        for (at, more) in busy {
            level += more;
            match points.last_mut() {
                Some(last) if last.0 == at => last.1 = level as u64,
                _ if at < timeline.until && more != 0 => points.push((at, level as u64)),
                _ => {}
            }
        }
        self.counter(pid, "busy streams", "streams", &points);
    }

    /// The tracks of a server: its batches by stage, and the queries that wait.
    fn server(&mut self, index: usize) {
        let timeline = self.timeline;
        let (pid, server) = (1 + timeline.cards.len() + index, &timeline.servers[index]);
        let name = match &server.vms[..] {
            [vm] if *vm == server.name => format!("VM {vm}"),
            [] => server.name.clone(),
            vms => format!("{} of {}", server.name, vms.join(", ")),
        };
        self.process(pid, &name);
        self.counter(pid, "waiting queries", "queries", &server.waiting);
        let batches = timeline.batches.iter().filter(|batch| usize::from(batch.server) == index);
        let batches: Vec<_> = batches.collect();
        let ends = |batch: &BatchTimeline| {
            (batch.stages[0].start, batch.stages[batch.stages.len() - 1].end)
        };
        let lanes = lanes(batches.iter().map(|batch| ends(batch)));
        let tids = self.lane_threads(pid, "batches", &lanes);
        for (batch, lane) in batches.into_iter().zip(lanes) {
            let (track, (start, end)) = ((pid, tids[lane]), ends(batch));
            let name = format!("batch {}", batch.number);
            let waited = start.saturating_since(batch.first_came).to_string();
            let args = json!({ "queries": batch.queries, "oldest_query_waited": waited });
            self.slice(track, Slice { name: &name, category: "batch", start, end, depth: 0, args });
            for span in &batch.stages {
                let (_, name) = Stage::ALL[span.stage as usize];
                let (start, end) = (span.start, span.end);
                let args = if span.is_open { json!({ "goes_on": true }) } else { json!({}) };
                self.slice(track, Slice { name, category: "stage", start, end, depth: 1, args });
            }
        }
    }
}

/// When each owner's work had an instance, where owners take turns, by instance and slot.
fn turns_by_owner(instances: &[InstanceTimeline]) -> BTreeMap<(u16, u16), Vec<(SimTime, SimTime)>> {
    let mut turns: BTreeMap<(u16, u16), Vec<(SimTime, SimTime)>> = BTreeMap::new();
    for (index, instance) in instances.iter().enumerate() {
        let works = instance.phases.iter().filter(|span| Timeline::works(span.phase));
        for span in works.filter(|_| instance.sharing.takes_turns()) {
            let of_owner = turns.entry((index as u16, span.slot)).or_default();
            match of_owner.last_mut() {
                // Overshoot follows the slice.
                Some(last) if last.1 == span.start => last.1 = span.end,
                _ => of_owner.push((span.start, span.end)),
            }
        }
    }
    turns
}

/// The lane of each span, in order of their starts: the first that is free.
fn lanes(spans: impl Iterator<Item = (SimTime, SimTime)>) -> Vec<usize> {
    let mut free_from: Vec<SimTime> = Vec::new();
    let lane = |(start, end): (SimTime, SimTime)| {
        let lane = free_from.iter().position(|free| *free <= start);
        let lane = lane.unwrap_or_else(|| {
            free_from.push(start);
            free_from.len() - 1
        });
        free_from[lane] = end;
        lane
    };
    spans.map(lane).collect()
}
