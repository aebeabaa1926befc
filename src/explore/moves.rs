//! The answer to a move: the setting, then frames, each better than the one before.

use super::controls::Control;
use super::curves::{self, Choice, Points};
use super::refusal::Refusal;
use super::setting::{Request, Setting};
use super::source::Source;
use crate::config::LoadOptions;
use crate::parallel::*;
use crate::report::{Frame, FrameCurve, frame, json_line, timeline_of};
use crate::spec::Lesson;
use crate::study::{
    self, CurveEffort, CurvePoint, Law, PercentileLine, Results, curve_point, glance, law,
    queries_at_least,
};
use crate::units::counted;
use serde::Serialize;

/// What is told of an answer: its name and its text.
pub type Event = (&'static str, String);

/// Runs of each side in the last frame, as `slicewise run` has them unless it is told otherwise.
pub(super) const REPLICATIONS: u32 = 3;
const EXTENT: study::Extent = study::Extent::Replicated(REPLICATIONS);

/// Queries of all VMs together, of each run of a frame, and of each point of its curve.
const EFFORTS: [(u64, CurveEffort); 2] = [
    (4_000, CurveEffort { queries: 2_000, replications: 1 }),
    (40_000, CurveEffort { queries: 10_000, replications: 3 }),
];

/// A longer run is shown cut to so many queries.
const QUERIES_MOST: u64 = 1_000_000;

#[derive(Serialize)]
struct Opening<'a> {
    source: &'a str,
    title: &'a str,
    lesson: Option<Taught<'a>>,
    sets: &'a [String],
    dormant: &'a [String],
    controls: &'a [Control],
    curves: Vec<Choice>,
    curve: Option<&'static str>,
    /// Why there is none, where that is a matter of the setting.
    no_curve: Option<String>,
    text: &'a str,
}

/// What a teacher says.
#[derive(Serialize)]
struct Taught<'a> {
    question: &'a str,
    predict: Option<&'a str>,
    #[serde(rename = "try")]
    tries: &'a [String],
    answer: Option<&'a str>,
    page: Option<&'a str>,
}

impl<'a> Taught<'a> {
    fn of(lesson: &'a Lesson) -> Self {
        Self {
            question: &lesson.question,
            predict: lesson.predict.as_deref(),
            tries: &lesson.tries,
            answer: lesson.answer.as_deref(),
            page: lesson.page.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct Refused<'a> {
    message: &'a str,
}

/// Answers a request: hands events to `tell`, the last of them `end`, until `stop` says that nobody listens any
/// more. A setting that is impossible is an event; a request that is wrong is refused.
pub fn answer(
    options: &LoadOptions,
    sources: &[Source],
    request: &Request,
    stop: &(dyn Fn() -> bool + Sync),
    tell: &mut dyn FnMut(Event),
) -> Result<(), Refusal> {
    let setting = match Setting::of(options, sources, request) {
        Ok(setting) => setting,
        // A diagnostic names what is allowed itself.
        Err(refusal) if refusal.allowed.is_empty() => {
            tell(("refused", json_line(&Refused { message: &refusal.error })));
            tell(("end", "{}".to_string()));
            return Ok(());
        }
        Err(refusal) => return Err(refusal),
    };
    let choices = curves::choices(&setting);
    let own = setting.scenario.lesson.as_ref().and_then(|lesson| lesson.curve);
    let own = own.map(|curve| curve.word());
    let wanted = request.curve.as_deref().or(own);
    if let Some(wanted) = &request.curve
        && !["load", "vms"].contains(&wanted.as_str())
    {
        return Err(Refusal::bad(format!("curve={wanted}"), "load, vms"));
    }
    let curve = choices.iter().find(|choice| Some(choice.id) == wanted).or(choices.first());
    let curve = curve.map(|choice| choice.id);
    tell((
        "setting",
        json_line(&Opening {
            source: &setting.source,
            title: &setting.scenario.title,
            lesson: setting.scenario.lesson.as_ref().map(Taught::of),
            sets: &setting.sets,
            dormant: &setting.dormant,
            controls: &setting.controls,
            curves: choices,
            curve,
            no_curve: curves::why_none(&setting),
            text: &setting.text,
        }),
    ));
    let law = law(&setting.scenario.pairs[0].virtual_run.experiment);
    let points = curve.and_then(|id| curves::points(options, &setting, id));
    let (effort, found, timeline) = (EFFORTS[0].1, Vec::new(), None);
    let mut told =
        Told { setting: &setting, points, law, found, effort, timeline, stop, tell: &mut *tell };
    if told.frames().is_none() {
        // Whoever still listens is told why it ends.
        let message = format!("{TOO_LONG}: save the scenario and use `slicewise run`");
        tell(("refused", json_line(&Refused { message: &message })));
    }
    tell(("end", "{}".to_string()));
    Ok(())
}

/// The results of `slicewise run`. Refused where that takes longer than somebody waits for, or nobody waits
/// any more.
pub(super) fn run(setting: &Setting, stop: &(dyn Fn() -> bool + Sync)) -> Result<Results, Refusal> {
    let found = glance(&setting.scenario, QUERIES_MOST, stop).filter(|look| look.whole);
    let found =
        found.and_then(|_| study::run_unless(&setting.scenario, EXTENT, &|_, _, _| {}, stop));
    found.ok_or_else(|| Refusal::bad(TOO_LONG, "save the scenario and use `slicewise run`"))
}

/// Why there is no answer, or not the whole.
const TOO_LONG: &str = "this takes longer than a page waits for";

/// The queries of the largest of the runs.
fn queries(setting: &Setting) -> f64 {
    let runs = setting.scenario.pairs.iter().flat_map(|pair| pair.runs());
    runs.map(|run| queries_at_least(&run.experiment)).fold(0.0, f64::max)
}

/// What a frame shows of a look.
struct Shown<'a> {
    results: &'a Results,
    lines: &'a [PercentileLine],
    is_whole: bool,
    is_exact: bool,
}

/// An answer under way.
struct Told<'a> {
    setting: &'a Setting,
    /// The points of the curve, and the law that holds over the load.
    points: Option<Points>,
    law: Option<Law>,
    /// What was found of the points, and with which effort.
    found: Vec<Option<CurvePoint>>,
    effort: CurveEffort,
    /// Some turns, drawn.
    timeline: Option<(String, String)>,
    stop: &'a (dyn Fn() -> bool + Sync),
    tell: &'a mut dyn FnMut(Event),
}

impl Told<'_> {
    /// Every frame, in order; nothing once it is stopped.
    fn frames(&mut self) -> Option<()> {
        let scenario = &self.setting.scenario;
        let all = queries(self.setting);
        let may_be_whole = all <= QUERIES_MOST as f64;
        // A run that is short is whole before the last effort.
        let looks = 1 + EFFORTS.iter().take_while(|(most, _)| (*most as f64) < all).count().max(1);
        let steps = looks + usize::from(may_be_whole);
        for step in 1..=looks {
            let effort = EFFORTS.get(step - 1);
            let most = effort.map_or(QUERIES_MOST, |(most, _)| *most);
            let look = glance(scenario, most, self.stop)?;
            if step == 1 {
                let window = study::window(scenario, &look.results);
                self.timeline = timeline_of(&window).ok().flatten();
            }
            if let Some((_, effort)) = effort {
                self.look_along(*effort)?;
            }
            let queries = counted(look.queries, "query");
            let said = match (look.whole, step == looks) {
                (true, _) => format!("The whole run, once: {queries}"),
                (false, false) => format!("Cut to {queries}"),
                (false, true) => format!("Cut to {queries}; `slicewise run` simulates the whole"),
            };
            let (is_whole, is_exact) = (look.whole, false);
            let shown = Shown { results: &look.results, lines: &look.lines, is_whole, is_exact };
            self.frame((step, steps, said), shown)?;
            if step == looks && is_whole {
                let results = study::run_unless(scenario, EXTENT, &|_, _, _| {}, self.stop)?;
                let said = format!("The whole run, {REPLICATIONS} times: {queries} each time");
                let (results, is_exact) = (&results, true);
                let shown = Shown { results, lines: &look.lines, is_whole, is_exact };
                self.frame((looks + 1, looks + 1, said), shown)?;
            }
        }
        Some(())
    }

    /// Simulates the points of the curve.
    fn look_along(&mut self, effort: CurveEffort) -> Option<()> {
        let Some(points) = &self.points else { return Some(()) };
        let with_bare = !self.setting.scenario.pairs[0].baselines.is_empty();
        let found: Vec<Option<CurvePoint>> = points
            .experiments
            .par_iter()
            .map(|experiment| curve_point(experiment.as_ref()?, with_bare, effort, self.stop))
            .collect();
        (self.found, self.effort) = (found, effort);
        (!(self.stop)()).then_some(())
    }

    fn frame(
        &mut self,
        (step, steps, said): (usize, usize, String),
        shown: Shown<'_>,
    ) -> Option<()> {
        let Shown { results, lines, is_whole, is_exact } = shown;
        let each = counted(self.effort.queries, "query");
        let of_points = match self.effort.replications {
            1 => format!("Each point {each} of all VMs"),
            count => format!("Each point {each} of all VMs, {count} times: mean and 95 % interval"),
        };
        let curve = self.points.as_ref().map(|points| FrameCurve {
            id: points.id,
            x_label: points.x_label.clone(),
            x: &points.x,
            points: &self.found,
            law: self.law.as_ref().filter(|_| points.is_over_load()),
            at: points.at,
            said: of_points,
        });
        let timeline = self.timeline.as_ref();
        let made = frame(&Frame {
            step,
            steps,
            said,
            is_whole,
            is_exact,
            results,
            lines,
            timeline,
            curve,
        });
        let text = made.ok()?;
        (self.tell)(("frame", text));
        (!(self.stop)()).then_some(())
    }
}
