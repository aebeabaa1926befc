//! `slicewise trace`: a short time of one run as a trace for Perfetto and as a drawing.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

use super::arguments::{OutputArgs, RunArgs, span, whole};
use super::failure::Failure;
use super::output;
use super::progress::{Progress, ShowProgress};
use crate::config::{Task, nearest, quoted};
use crate::report::{File, Maker, Report, can_write, write_file};
use crate::spec::{Baseline, Pair, Scenario};
use crate::study::{self, TimelineResults};
use crate::units::{SimDuration, SimTime};
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `slicewise trace`.
#[derive(Args, Debug)]
pub(super) struct TraceArgs {
    /// A scenario file, a folder of them, or - for standard input
    path: PathBuf,

    /// The start of the window, such as 1s: simulated time since the start of the run
    #[arg(long, value_name = "TIME", value_parser = start, default_value = "0 s")]
    #[arg(allow_hyphen_values = true)]
    from: SimTime,

    /// The length of the window
    #[arg(long = "for", value_name = "TIME", value_parser = span, default_value = "50 ms")]
    #[arg(allow_hyphen_values = true)]
    length: SimDuration,

    /// The run, where the scenario has several [default: the first]
    #[arg(long, value_name = "NAME")]
    run: Option<String>,

    /// The side of the run: virtual, or a baseline of it: same-cards, whole-cards, twin
    #[arg(long, value_name = "SIDE", default_value = "virtual")]
    side: String,

    /// The file to write: a trace (.json), or a drawing (.svg, .png); or a folder for all of them
    /// [default: output/SCENARIO-trace]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept
    #[arg(long)]
    force: bool,

    /// Set a key of every file, such as vm.server.batch_max=8; may be given several times, in order
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Workload of every VM, instead of the file's: one of the catalogue, or a workload file such as
    /// my-model.toml
    #[arg(long, value_name = "WORKLOAD")]
    workload: Option<String>,

    /// Seed of every random stream, instead of the scenario's; 0 replays the arrivals of the round
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,

    /// Print the trace (JSON) instead of the table
    #[arg(long)]
    json: bool,

    /// No messages; the table is data and is still printed
    #[arg(long, short)]
    quiet: bool,
}

pub(super) const HELP: &str = "\
Examples:
  slicewise trace my-vms.toml --from 1s --for 50ms            into output/my-vms-trace
  slicewise trace my-vms.toml --from 1s --for 20ms --out turns.svg
  slicewise trace my-vms.toml --from 1s --out turns.json      then open it in ui.perfetto.dev
  slicewise trace scenarios/vsphere-mlperf-v1.1 --run bert-99-server --side same-cards --json

The simulation ends with the window. In a trace, each GPU has tracks for what its engine does (whose
turn, overshoot, burned turns, switches), for copies and for streams; each VM has its batches by stage
and the number of queries that wait.";

/// A time since the start of the run.
fn start(text: &str) -> Result<SimTime, String> {
    match text.parse::<SimDuration>() {
        Ok(span) => Ok(SimTime::ZERO + span),
        Err(error) => Err(format!("{error}; allowed: 0 s or more, such as \"1 s\" or \"50 ms\"")),
    }
}

/// Runs the command.
pub(super) fn run(arguments: TraceArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let place = Place::of(arguments.out.as_deref())?;
    let settings = arguments.settings();
    let scenario = match settings.load(&settings.options(configs)?)?.0 {
        Task::Run(scenario) => scenario,
        Task::Sweep(_) => {
            return Err(Failure::Usage(format!(
                "{} is a sweep, whose points differ\n  = help: write the point you want as a \
                 scenario, or set its values with --set and leave out [sweep]",
                settings.path.display()
            )));
        }
    };
    let pair = pair_of(&scenario, arguments.run.as_deref())?;
    let baseline = side_of(pair, &arguments.side)?;
    let bar = Progress::in_parts(arguments.quiet);
    let watch = || {
        let told = |part: f64| bar.set((part * 1000.0) as u64, 1000, &pair.name);
        told(0.0);
        let seen =
            study::timeline(&scenario, pair, baseline, arguments.from, arguments.length, &told);
        bar.clone().clear();
        seen
    };
    let say = |line: &str| {
        if !arguments.quiet {
            output::message(line);
        }
    };
    scenario.warnings.iter().for_each(|warning| say(warning));
    match place {
        Place::Folder => {
            let name = format!("{}-trace", scenario.name);
            let work = settings.begin(Maker::Trace, &name, &bar)?;
            let results = seen(watch())?;
            work.deliver(&results)
        }
        Place::File(path, kind) => {
            can_write(path)?;
            let results = seen(watch())?;
            let bytes = match kind {
                Kind::Trace => results.document()?.into_bytes(),
                Kind::Drawing(ending) => drawing(&results, ending)?,
            };
            write_file(path, &bytes)?;
            say(&format!("wrote {}", path.display()));
            output::answer(&results, arguments.json)
        }
    }
}

/// Where the answer goes.
enum Place<'a> {
    Folder,
    File(&'a Path, Kind),
}

enum Kind {
    Trace,
    Drawing(&'static str),
}

impl<'a> Place<'a> {
    fn of(out: Option<&'a Path>) -> Result<Self, Failure> {
        let Some(path) = out else { return Ok(Place::Folder) };
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            _ if path.is_dir() => Ok(Place::Folder),
            None => Ok(Place::Folder),
            Some("json") => Ok(Place::File(path, Kind::Trace)),
            Some("svg") => Ok(Place::File(path, Kind::Drawing("svg"))),
            Some("png") => Ok(Place::File(path, Kind::Drawing("png"))),
            Some(_) => Err(Failure::Usage(format!(
                "{} is no file that can be written\n  = allowed: a trace (.json), a drawing (.svg, .png), \
                 or a folder without such an ending",
                path.display()
            ))),
        }
    }
}

impl TraceArgs {
    /// The arguments that it shares with other commands.
    fn settings(&self) -> RunArgs {
        RunArgs {
            path: self.path.clone(),
            set: self.set.clone(),
            workload: self.workload.clone(),
            out: self.out.clone(),
            force: self.force,
            report: false,
            seed: self.seed,
            fail_on_invalid: false,
            progress: ShowProgress::Never,
            output: OutputArgs { json: self.json, quiet: self.quiet, all: true, threads: None },
        }
    }
}

/// The pair of this name, or the first.
fn pair_of<'s>(scenario: &'s Scenario, name: Option<&str>) -> Result<&'s Pair, Failure> {
    let Some(name) = name else { return Ok(&scenario.pairs[0]) };
    let mut pairs = scenario.pairs.iter();
    pairs.find(|pair| pair.name == name).ok_or_else(|| {
        let names: Vec<&str> = scenario.pairs.iter().map(|pair| pair.name.as_str()).collect();
        let near = nearest(name, names.iter().copied());
        let help = near
            .map_or(String::new(), |near| format!("\n  = help: did you mean {}?", quoted(&near)));
        Failure::Usage(format!(
            "no run of {} is called {}\n  = allowed: {}{help}",
            quoted(&scenario.name),
            quoted(name),
            names.join(", ")
        ))
    })
}

/// The baseline of this kind; nothing for the run itself.
fn side_of<'p>(pair: &'p Pair, side: &str) -> Result<Option<&'p Baseline>, Failure> {
    if side == "virtual" {
        return Ok(None);
    }
    let found = pair.baselines.iter().find(|baseline| baseline.kind.word() == side);
    found.map(Some).ok_or_else(|| {
        let kinds = pair.baselines.iter().map(|baseline| baseline.kind.word());
        let sides: Vec<&str> = std::iter::once("virtual").chain(kinds).collect();
        Failure::Usage(format!(
            "{} has no side {}\n  = allowed: {}",
            pair.name,
            quoted(side),
            sides.join(", ")
        ))
    })
}

/// Refuses a window that lies beyond the end of the run.
fn seen(results: TimelineResults) -> Result<TimelineResults, Failure> {
    let timeline = &results.timeline;
    if timeline.until > timeline.from {
        return Ok(results);
    }
    Err(Failure::Usage(format!(
        "--from {} is not before the end of the run: {} ended at {}\n  = help: give a start before \
         that, such as --from 0s",
        timeline.from, results.run, timeline.until
    )))
}

/// The drawing with this ending.
fn drawing(results: &TimelineResults, ending: &str) -> Result<Vec<u8>, Failure> {
    let files: Vec<File> = results.files()?;
    let drawing = files.into_iter().find(|file| file.name.ends_with(ending));
    drawing.map(|file| file.bytes).ok_or_else(|| {
        Failure::Usage("this slicewise was built without charts; ask for a .json".to_string())
    })
}
