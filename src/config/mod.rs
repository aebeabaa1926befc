//! Floor 6: what the user wrote. [`load_task`] makes a checked [`Scenario`] or [`SweepFile`] of it, or
//! says all that is wrong at once.
//!
//! ```text
//!  files ─► source ─► reader ─► machine, sharing, guest, processes, settings ─► cards, rules ─► plan ─► Scenario
//!             │   └► gpus, entries ─► catalogue ──┘                                     ▲
//!             └─► sweep, keypath ─► points (the file, once for each) ───────────────────┘
//! ```
//!
//! Nothing is simulated here, and nothing printed.

mod answers;
mod calibration;
mod cards;
mod catalogue;
mod choice;
mod conf;
mod counts;
mod diagnostic;
mod entries;
mod exclusion;
mod explain;
mod facts;
mod foreign;
mod gpus;
mod guest;
mod implausible;
mod keypath;
mod machine;
mod measured;
mod measured_levels;
mod measured_log;
mod measured_run;
mod measurements;
mod pins;
mod plan;
mod points;
mod probed;
mod processes;
mod published;
mod queues;
mod reader;
mod rounds;
mod rules;
mod scaled;
mod schema;
mod seats;
mod served;
mod set_arguments;
mod settings;
mod sharing;
mod source;
mod sweep;
mod sweep_file;
mod trace;
mod triton;
mod unmodelled;
mod value;
mod vgpus;
mod words;
mod workload_files;

pub use crate::suggest::{nearest, quoted};
pub use answers::Said;
pub use calibration::{calibration_of, existing_workload, load_calibration};
pub use catalogue::{Catalogue, CatalogueEntry, Origin};
pub use counts::{CountFile, Ways};
pub use diagnostic::Diagnostic;
pub use explain::{Explained, Explanation, Section};
pub use foreign::{read_foreign, read_foreign_told};
pub use gpus::DisputedMix;
pub use measured::{OwnRows, later_validation, validation};
pub use probed::probed_gpu_file;
pub use schema::schema;
pub use sweep_file::{SweepFile, SweepPoints};
pub use words::{profile_help, type_help};
pub use workload_files::workload_of_text;

use crate::engine::fnv1a;
use crate::shown::shown_lines;
use crate::spec::{Arrivals, Experiment, Pair, Scenario};
use crate::suggest;
use diagnostic::{Problems, SourceFile};
use plan::Plan;
use reader::Reader;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The file of a folder that is no scenario but says the folder's `title`.
const FOLDER_FILE: &str = "_folder.toml";

/// What a scenario is read with.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Hardware, hypervisors and workloads.
    pub catalogue: Catalogue,
    /// The seed, when it is not the files' to say.
    pub seed: Option<u64>,
    /// Keys to set in every file before it is read, as `vm.server.batch_max=8`; a later one wins.
    pub set: Vec<String>,
    /// Whether the rates of Server loads only say what part of the load each VM has, as in a search for
    /// the capacity: then no rate is too high or too low.
    pub rates_are_parts: bool,
}

impl LoadOptions {
    /// Only a catalogue.
    pub fn new(catalogue: Catalogue) -> Self {
        Self { catalogue, seed: None, set: Vec::new(), rates_are_parts: false }
    }
}

/// Why there is no scenario.
#[derive(Debug)]
pub enum LoadError {
    /// The user's files are wrong: everything that is, in order of file and place. Exit code 2.
    Invalid(Vec<Diagnostic>),
    /// The world failed, as when a file is missing. Exit code 1.
    World(anyhow::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::World(error) => f.write_str(&shown_lines(&format!("{error:#}"))),
            LoadError::Invalid(all) => {
                let all: Vec<_> = all.iter().map(|diagnostic| diagnostic.render(false)).collect();
                f.write_str(&all.join("\n\n"))
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// What a path asks for.
#[derive(Debug)]
pub enum Task {
    /// A run, or several, each beside what it is compared with.
    Run(Box<Scenario>),
    /// A grid of runs.
    Sweep(Box<SweepFile>),
}

/// Reads what a path asks for: a file with `[sweep]` is a sweep, everything else a scenario.
pub fn load_task(path: &Path, options: &LoadOptions) -> Result<Task, LoadError> {
    let problems = Problems::of_rates(options.rates_are_parts);
    let files = read_files(path, options, &problems).map_err(LoadError::World)?;
    task_of(path, &files, options, problems)
}

/// What a text asks for that would stand in the file of this path: the same as the file, once it is written.
pub fn task_of_text(path: &Path, text: &str, options: &LoadOptions) -> Result<Task, LoadError> {
    let problems = Problems::of_rates(options.rates_are_parts);
    let source = Arc::new(SourceFile::new(path.display().to_string(), text));
    let files = [(format!("{}.toml", name_of(path)), set_arguments::join(source, &options.set))];
    task_of(path, &files, options, problems)
}

/// What the files of a path ask for.
fn task_of(
    path: &Path,
    files: &[(String, Arc<SourceFile>)],
    options: &LoadOptions,
    problems: Problems,
) -> Result<Task, LoadError> {
    if let ([(_, file)], false) = (files, path.is_dir())
        && let Some(sweep) = SweepFile::of(file, &name_of(path), options)?
    {
        return Ok(Task::Sweep(Box::new(sweep)));
    }
    Ok(Task::Run(Box::new(scenario_of(path, files, options, problems)?)))
}

/// Reads a scenario: a file, or a folder whose `*.toml`, in order of their names, make one pair each.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Scenario, LoadError> {
    let problems = Problems::default();
    let files = read_files(path, options, &problems).map_err(LoadError::World)?;
    scenario_of(path, &files, options, problems)
}

/// What a path asks for, and every value that its files use with who says it; of a sweep the first
/// point that can be simulated.
pub fn explain(path: &Path, options: &LoadOptions) -> Result<(Task, Vec<Explanation>), LoadError> {
    let problems = Problems::default();
    let files = read_files(path, options, &problems).map_err(LoadError::World)?;
    let task = task_of(path, &files, options, problems)?;
    let mut all: Vec<Explanation> = match &task {
        Task::Sweep(sweep) => sweep.explain().into_iter().collect(),
        Task::Run(_) => {
            files.iter().filter_map(|(name, file)| explanation(name, file, options)).collect()
        }
    };
    if let Some(seed) = options.seed {
        all.iter_mut().for_each(|one| one.give_seed(seed));
    }
    Ok((task, all))
}

/// Every value of one file; nothing of one that only names its folder.
fn explanation(name: &str, file: &Arc<SourceFile>, options: &LoadOptions) -> Option<Explanation> {
    if name == FOLDER_FILE {
        return None;
    }
    let listening = Problems::default();
    listening.answers.listen();
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    plan::read(file, stem, &options.catalogue, &listening)?.explained
}

/// The scenario that the files of a path make.
fn scenario_of(
    path: &Path,
    files: &[(String, Arc<SourceFile>)],
    options: &LoadOptions,
    problems: Problems,
) -> Result<Scenario, LoadError> {
    let mut plans = Vec::new();
    let mut title = None;
    for (name, file) in files {
        if name == FOLDER_FILE && path.is_dir() {
            title = folder_title(file, &problems);
            continue;
        }
        let stem = name.strip_suffix(".toml").unwrap_or(name);
        plans.extend(plan::read(file, stem, &options.catalogue, &problems));
    }
    let seed = agreed_seed(&plans, &problems);
    if plans.is_empty() {
        no_scenario(path, &problems);
    }
    let mut warnings = problems.warnings();
    if let Some(all) = problems.into_error() {
        return Err(LoadError::Invalid(all));
    }
    warnings.extend(implausible::times(&plans));
    let name = name_of(path);
    let title = title.or_else(|| {
        if path.is_dir() { None } else { plans.iter().find_map(|plan| plan.title.clone()) }
    });
    let pairs: Vec<_> = plans.into_iter().flat_map(|plan| plan.pairs).collect();
    let runs = pairs.iter().flat_map(Pair::runs);
    let used = runs.flat_map(|run| used_entries(&run.experiment)).collect();
    let mut scenario = Scenario {
        title: title.unwrap_or_else(|| name.clone()),
        name,
        hash: hash(files, &used, &options.catalogue),
        seed: options.seed.or(seed).unwrap_or(0),
        warnings,
        pairs,
    };
    sow(&mut scenario);
    Ok(scenario)
}

/// The files of a path by name, those that cannot be read reported.
fn read_files(
    path: &Path,
    options: &LoadOptions,
    problems: &Problems,
) -> anyhow::Result<Vec<(String, Arc<SourceFile>)>> {
    let mut files = Vec::new();
    for file in source::files_of(path, problems)? {
        let name =
            file.file_name().map(|name| name.to_string_lossy().to_string()).unwrap_or_default();
        if let Some(source) = source::read(&file, problems)? {
            // A folder's title is no scenario: nothing is set there.
            let set = if name == FOLDER_FILE { &[] } else { &options.set[..] };
            let name = if source::is_stdin(path) { name_of(path) } else { name };
            files.push((name, set_arguments::join(source, set)));
        }
    }
    Ok(files)
}

fn folder_title(file: &Arc<SourceFile>, problems: &Problems) -> Option<String> {
    let tree = source::parse(file, problems)?;
    let mut top = Reader::new(file, &tree, problems);
    let title = top
        .need("title", "it is the one key of this file")
        .and_then(|value| value.text().map(str::to_string));
    top.finish();
    title
}

/// Says that there is nothing to simulate, unless something else was wrong already.
fn no_scenario(path: &Path, problems: &Problems) {
    if !problems.any() {
        let title = "the folder holds no scenario";
        let diagnostic = Diagnostic::about(&path.display().to_string(), None, title);
        problems.push(
            diagnostic
                .allowed("one or more *.toml files")
                .help("name a scenario file, or a folder of them"),
        );
    }
}

/// The seed that the files state, which must be one.
fn agreed_seed(plans: &[Plan], problems: &Problems) -> Option<u64> {
    let mut stated = plans.iter().filter_map(|plan| plan.seed.as_ref());
    let (first, at) = stated.next()?;
    for (seed, spot) in stated.filter(|(seed, _)| seed != first) {
        let title = format!("the seed {seed} differs from the {first} of {}", at.file.path);
        problems.push(Diagnostic::at(spot, title).help("state one seed for the folder, or none"));
    }
    Some(*first)
}

/// The last part of the path, without `.toml`; results go to a folder of this name.
fn name_of(path: &Path) -> String {
    if source::is_stdin(path) {
        return "stdin".to_string();
    }
    let named = |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_string());
    let name = named(path)
        .or_else(|| named(&path.canonicalize().ok()?))
        .unwrap_or_else(|| "scenario".to_string());
    name.strip_suffix(".toml").map(str::to_string).unwrap_or(name)
}

/// Gives every run the scenario's seed.
fn sow(scenario: &mut Scenario) {
    for run in scenario.pairs.iter_mut().flat_map(Pair::runs_mut) {
        run.experiment.seed = scenario.seed;
    }
}

/// The catalogue files that an experiment uses: folder and id.
fn used_entries(experiment: &Experiment) -> BTreeSet<(&'static str, String)> {
    let mut used = BTreeSet::new();
    used.insert(("hosts", experiment.host.id.clone()));
    used.insert(("hypervisors", experiment.hypervisor.id.clone()));
    used.extend(experiment.cards.iter().map(|card| ("gpus", card.gpu.id.clone())));
    used.extend(experiment.vms.iter().map(|vm| ("workloads", vm.workload.id.clone())));
    // No files of the catalogue, but as much a part of the input.
    let of_files = experiment.vms.iter().filter(|vm| workload_files::is_path(&vm.workload.id));
    used.extend(of_files.map(|vm| {
        let content = format!("{:?}", vm.workload);
        ("workload-files", format!("{:016x}", fnv1a(content.as_bytes())))
    }));
    used.extend(experiment.vms.iter().filter_map(|vm| match &vm.load.arrivals {
        Arrivals::Trace(trace) => Some(("traces", format!("{:016x}", trace.hash))),
        _ => None,
    }));
    used
}

/// FNV-1a over names and texts of the scenario files and of the catalogue files they use.
fn hash(
    files: &[(String, Arc<SourceFile>)],
    used: &BTreeSet<(&'static str, String)>,
    catalogue: &Catalogue,
) -> String {
    let used = used
        .iter()
        .map(|(folder, id)| (format!("{folder}/{id}"), catalogue.text(folder, id).unwrap_or("")));
    let files = files.iter().map(|(name, file)| (name.clone(), file.text.as_str()));
    let mut bytes = Vec::new();
    for (name, text) in files.chain(used) {
        for part in [name.as_bytes(), text.as_bytes()] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
    }
    format!("{:016x}", fnv1a(&bytes))
}
