//! The model in question: one of the catalogue, a workload file, or one made from measurements as
//! by `calibrate`.

use super::AskArgs;
use crate::cli::failure::Failure;
use crate::cli::measured::{self, Given, Measured};
use crate::cli::named::did_you_mean;
use crate::cli::work::with_threads;
use crate::config::{self, Catalogue, LoadOptions, nearest, quoted};
use crate::formats::recognise;
use crate::report;
use crate::spec::{GpuSpec, ServiceTime, Workload};
use crate::study;
use crate::units::{SimDuration, counted};
use std::path::Path;

/// What was measured of a model for this question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MadeOf {
    /// It is in a workload file or the catalogue.
    Nothing,
    /// It was fitted on batches timed alone.
    Times,
    /// It was fitted on a server under load, and perhaps on batches timed alone.
    Runs,
}

/// The model in question.
pub(super) struct Model {
    /// Its name for people.
    pub(super) name: String,
    /// Its name in the scenario.
    pub(super) named: String,
    /// The workload file, where it is not in the catalogue.
    pub(super) text: Option<String>,
    pub(super) workload: Workload,
    made_of: MadeOf,
    /// How it was measured, where it was measured for this question: whole sentences.
    pub(super) measured: Vec<String>,
    /// Measurements that are hardly right: whole sentences.
    pub(super) alarms: Vec<String>,
    /// Whether the measurements can come from one model.
    pub(super) is_trusted: bool,
    /// The GPU whose times decide how large a batch should be: that of the question, or the one
    /// whose times are scaled.
    pub(super) timed_on: String,
    /// The GPU whose times are scaled, as a scenario names it.
    pub(super) scaled_from: Option<String>,
}

impl Model {
    pub(super) fn of(
        arguments: &AskArgs,
        gpu: &GpuSpec,
        (scaled_from, catalogue): (Option<&str>, &Catalogue),
        say: &dyn Fn(&str),
    ) -> Result<Model, Failure> {
        let on = match (&arguments.measured_on, scaled_from) {
            (Some(_), Some(id)) => catalogue.gpu(id).unwrap_or(gpu),
            _ => gpu,
        };
        let found = match &arguments.model[..] {
            [only] => match Self::known(only, catalogue)? {
                Some(known) => known,
                None => Self::measured(arguments, on, catalogue, say)?,
            },
            _ => Self::measured(arguments, on, catalogue, say)?,
        };
        let known: Vec<&str> = found.workload.service.keys().map(String::as_str).collect();
        if arguments.scaled_from.is_some() && found.made_of != MadeOf::Nothing {
            return Err(Failure::Usage(format!(
                "--scaled-from is for a model of the catalogue, and {} was measured\n  = help: \
                 --measured-on GPU states where, if it was not on --gpu",
                found.name
            )));
        }
        let own = [Some(gpu.id.as_str()), scaled_from].into_iter().flatten();
        let timed_on = own.clone().find(|id| known.contains(id));
        // The nearest GPU's times are not far from any other's: they choose a batch, no figure.
        let timed_on = timed_on.or(known.first().copied().filter(|_| scaled_from.is_some()));
        if let Some(timed_on) = timed_on.map(str::to_string) {
            let scaled_from = scaled_from.map(str::to_string);
            return Ok(Model { timed_on, scaled_from, ..found });
        }
        Err(Failure::Usage(format!(
            "the batch times of {} on {} are not known\n  = allowed: --gpu {}\n  = help: measure \
             them there and name the file: --model times.csv; or scale those of another GPU, with \
             an interval: --scaled-from auto",
            found.name,
            gpu.id,
            known.join(", ")
        )))
    }

    /// A workload of the catalogue, or a workload file.
    fn known(given: &Path, catalogue: &Catalogue) -> Result<Option<Model>, Failure> {
        let word = given.to_string_lossy().to_string();
        let by_id = catalogue.workload(&word).or_else(|| catalogue.workload(&word.to_lowercase()));
        if let Some(workload) = by_id {
            let (name, workload) = (workload.id.clone(), workload.clone());
            return Ok(Some(Self::as_it_is(name.clone(), name, None, workload)));
        }
        let text = measured::text_of(&word);
        let is_workload = |text: &String| measured::toml_kind(text) == Some(recognise::WORKLOAD);
        if let Some(text) = text.clone().filter(is_workload) {
            let name = measured::name_of(&word);
            let named = format!("{name}.toml");
            // Read as the file that it is, so that mistakes are told in it.
            config::workload_of_text(&word, &text, catalogue)?;
            let workload = config::workload_of_text(&named, &text, catalogue)?;
            return Ok(Some(Self::as_it_is(name, named, Some(text), workload)));
        }
        // `8=FILE` is looked at by whoever reads measurements.
        if text.is_some() || given.exists() || word.contains('=') {
            return Ok(None);
        }
        let ids: Vec<&str> = catalogue.workload_ids().collect();
        let looks_like_path = word.contains(['/', '\\']) || given.extension().is_some();
        let near = nearest(&word, &ids).filter(|_| !looks_like_path);
        let near = did_you_mean(near);
        let what = if looks_like_path {
            "no such file, and no such model in the catalogue"
        } else {
            "unknown model, and no such file"
        };
        Err(Failure::Usage(format!(
            "{what}: {}\n  = allowed: {}, a workload file, or files of measurements such as times.csv{near}",
            quoted(&word),
            ids.join(", ")
        )))
    }

    /// One of which nothing is measured for this question.
    fn as_it_is(name: String, named: String, text: Option<String>, workload: Workload) -> Model {
        let (measured, alarms) = (Vec::new(), Vec::new());
        let (timed_on, scaled_from, is_trusted) = (String::new(), None, true);
        let made_of = MadeOf::Nothing;
        Model {
            name,
            named,
            text,
            workload,
            made_of,
            measured,
            alarms,
            is_trusted,
            timed_on,
            scaled_from,
        }
    }

    /// A model made of measurements, as `calibrate` makes it.
    fn measured(
        arguments: &AskArgs,
        gpu: &GpuSpec,
        catalogue: &Catalogue,
        say: &dyn Fn(&str),
    ) -> Result<Model, Failure> {
        let files = arguments.model.iter().map(|path| Given::seen(path));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        for given in &files {
            if let Err(error) = std::fs::metadata(given.path) {
                let why = match error.kind() {
                    std::io::ErrorKind::NotFound => "no such file".to_string(),
                    _ => error.to_string(),
                };
                return Err(Failure::Usage(format!("cannot read {}: {why}", given.path)));
            }
        }
        let name = match &arguments.name {
            Some(name) => measured::name_of(&format!("{name}.toml")),
            None => measured::name_of(files[0].path),
        };
        let measured_in: Vec<String> =
            files.iter().map(|given| measured::file_name(given.path)).collect();
        let (weights, number_format) = (&arguments.weights, &arguments.number_format);
        let workload = measured::said(arguments.bound, weights.as_ref(), number_format.as_ref());
        let measured = Measured {
            name: &name,
            gpu: &gpu.id,
            base: None,
            files,
            batch_max: arguments.measured_batch_max,
            gpus: arguments.measured_gpus.unwrap_or(1),
            workload,
        };
        let options = LoadOptions { seed: arguments.seed, ..LoadOptions::new(catalogue.clone()) };
        let plan = config::calibration_of(measured.calibration()?, &options)?;
        let threads = arguments.output.threads;
        if !plan.runs.is_empty() {
            say(&format!(
                "fitting {} of an inference server: takes some seconds",
                counted(plan.runs.len(), "run")
            ));
        }
        let results = with_threads(threads, || study::calibrate(&plan, &|_, _, _| {}))?;
        let text = report::catalogue_file(&results);
        let named = format!("{name}.toml");
        let workload = config::workload_of_text(&named, &text, catalogue)?;
        let mut told = Vec::new();
        if !plan.times.is_empty() {
            let of_files = plan.notes.iter().filter(|note| is_of_a_file(note, &measured_in));
            let of_files: Vec<&str> = of_files.map(String::as_str).collect();
            told.push(format!("{name} was timed alone on {}: {}", gpu.id, of_files.join("; ")));
        }
        if !plan.runs.is_empty() {
            told.push(format!(
                "{name} was fitted on {} of a server with {} (--measured-gpus), with an error of \
                 {} % on average",
                counted(plan.runs.len(), "run"),
                counted(arguments.measured_gpus.unwrap_or(1), "GPU"),
                (results.residual * 1000.0).round() / 10.0
            ));
        }
        let unknown = |note: &&String| note.starts_with("launch is not identified");
        told.extend(results.notes.iter().filter(unknown).cloned());
        if plan.runs.is_empty() && plan.notes.iter().any(|note| note.contains(SEVERAL_REQUESTS)) {
            told.push(
                "rows with several requests at a time depend on how the server queues, and \
                are not used: with --measured-batch-max N, the model's max_batch_size, they are \
                fitted as well"
                    .to_string(),
            );
        }
        let alarms = results.alarms.clone();
        let is_trusted = alarms.iter().all(|alarm| plan.alarms.contains(alarm));
        let alone = Self::as_it_is(name, named, Some(text), workload);
        let made_of = if plan.runs.is_empty() { MadeOf::Times } else { MadeOf::Runs };
        Ok(Model { measured: told, made_of, alarms, is_trusted, ..alone })
    }

    /// Its times on the GPU that decides how large a batch should be.
    pub(super) fn service(&self) -> &ServiceTime {
        &self.workload.service[&self.timed_on]
    }

    /// The largest batch whose time is known.
    pub(super) fn largest_known(&self) -> u32 {
        self.service().work.value.points().last().map_or(1, |(batch, _)| *batch)
    }

    /// The time of a batch alone.
    pub(super) fn batch_time(&self, batch: u32) -> SimDuration {
        let service = self.service();
        let nanos = service.launch.value.as_nanos_f64() + service.work.value.at(batch);
        SimDuration::from_nanos_f64(nanos)
    }
}

/// Refuses flags that have no effect on this model.
pub(super) fn refuse_idle(model: &Model, arguments: &AskArgs) -> Result<(), Failure> {
    let served = [
        ("--measured-batch-max", arguments.measured_batch_max.is_some()),
        ("--measured-gpus", arguments.measured_gpus.is_some()),
    ];
    let (given, why, help): (Vec<_>, _, _) = match model.made_of {
        MadeOf::Runs => return Ok(()),
        MadeOf::Times => (
            served.to_vec(),
            "batches alone were measured, and no server under load",
            "drop it; --batch-max is the largest batch of the server in question",
        ),
        MadeOf::Nothing => (
            [
                &served[..],
                &[
                    ("--weights", arguments.weights.is_some()),
                    ("--number-format", arguments.number_format.is_some()),
                    ("--name", arguments.name.is_some()),
                ],
            ]
            .concat(),
            "it was not measured for this question: its numbers are in its file",
            "drop it, or copy the model into your own file (slicewise show NAME) and state it \
             there",
        ),
    };
    let given = measured::given(&given);
    if given.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{} cannot be used with {}: {why}\n  = help: {help}",
        given.join(", "),
        model.name
    )))
}

/// What the notes of a calibration say of rows of perf_analyzer that it leaves out.
const SEVERAL_REQUESTS: &str = "more than one request at a time ignored";

/// Whether a note is of one of these files.
fn is_of_a_file(note: &str, files: &[String]) -> bool {
    files.iter().any(|file| note.starts_with(file.as_str())) && !note.contains("ignored")
}
