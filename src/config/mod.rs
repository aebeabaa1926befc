//! Floor 6: the user's files. [`load_task`] makes a checked [`Scenario`] or [`SweepFile`] from
//! them, or returns all faults at once.
//!
//! ```text
//!  text ─► catalogue ─► scenario ─┬─► explain ─► sweep     schema: for editors
//!                                 ├─► measured
//!                                 └─► plan
//! ```
//!
//! A module uses those to its left: `text` reads any file of ours, `catalogue` hardware and
//! workloads, `scenario` the machine and its VMs, `explain` lists the origin of each value, `sweep`
//! varies keys, `measured` reads measurements, `plan` VMs that have no cards yet. `keys` makes reader and schema of a list of keys, for
//! all of them.
//!
//! Nothing is simulated here, and nothing printed.

mod catalogue;
mod cluster;
mod explain;
mod inputs;
mod keys;
mod measured;
mod plan;
mod scenario;
mod schema;
mod sweep;
mod text;

pub use crate::suggest::{nearest, quoted};
pub use catalogue::words::{profile_help, type_help};
pub use catalogue::{Catalogue, CatalogueEntry, Origin, model_of_config};
pub use cluster::ClusterFile;
pub use explain::{Explained, Explanation, Section};
pub use inputs::Inputs;
pub use measured::calibration::{calibration_of, existing_workload, load_calibration};
pub use measured::probed::probed_gpu_file;
pub use measured::rows::{OwnRows, later_validation, validation};
pub use plan::PlanFile;
pub use scenario::workload_files::workload_of_text;
pub use scenario::{LoadOptions, load};
pub use schema::schema;
pub use sweep::counts::{CountFile, Ways};
pub use sweep::file::{SweepFile, SweepPoints};
pub use text::foreign::{read_foreign, read_foreign_with_warnings};
pub use text::{Diagnostic, LoadError, ValueOrigin};

use crate::spec::{Pair, Scenario};
use scenario::{
    FOLDER_FILE, name_of, plan as scenario_plan, read_files, scenario_of, used_entries,
};
use std::path::Path;
use std::sync::Arc;
use text::{Problems, SourceFile, set_arguments};

/// The task of a file or folder.
#[derive(Debug)]
pub enum Task {
    /// A run, or several, each with its baselines.
    Run(Box<Scenario>),
    /// A grid of runs.
    Sweep(Box<SweepFile>),
}

/// Reads the task of a path: a file with `[sweep]` is a sweep, everything else a scenario.
pub fn load_task(path: &Path, options: &LoadOptions) -> Result<Task, LoadError> {
    let problems = Problems::of_rates(options.rates_are_parts);
    let files = read_files(path, options, &problems).map_err(LoadError::World)?;
    task_of(path, &files, options, problems)
}

/// The same, with what it was read from.
pub fn load_task_with_inputs(
    path: &Path,
    options: &LoadOptions,
) -> Result<(Task, Inputs), LoadError> {
    let problems = Problems::of_rates(options.rates_are_parts);
    let files = read_files(path, options, &problems).map_err(LoadError::World)?;
    let task = task_of(path, &files, options, problems)?;
    let inputs = match &task {
        Task::Sweep(sweep) => sweep.inputs(),
        Task::Run(scenario) => {
            let runs = scenario.pairs.iter().flat_map(Pair::runs);
            let used = runs.flat_map(|run| used_entries(&run.experiment)).collect();
            Inputs::of(&files, &used, &options.catalogue)
        }
    };
    Ok((task, inputs))
}

/// The task of a text, as if it were the file at this path.
pub fn task_of_text(path: &Path, text: &str, options: &LoadOptions) -> Result<Task, LoadError> {
    let problems = Problems::of_rates(options.rates_are_parts);
    let source = Arc::new(SourceFile::new(path.display().to_string(), text));
    let files = [(format!("{}.toml", name_of(path)), set_arguments::join(source, &options.set))];
    task_of(path, &files, options, problems)
}

/// The text of a file, as TOML, with these arguments of `--set` written into it: read without them, as the
/// file at the same path, it is the same task as `text` with them. Comments and order stay; missing
/// tables are written in one line.
///
/// A path of a file in an argument counts from the current folder, and in the text from that of `path`.
/// The errors are those of a text that is no TOML, and of arguments that cannot be applied, as `--set`
/// has them; and that a whole number is above 2^63 - 1, as a seed may be. Whether the task makes sense is told by [`task_of_text`].
pub fn text_with(path: &Path, text: &str, set: &[String]) -> Result<String, LoadError> {
    text::text_with(path, text, set)
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

/// The task of a path, and every value that its files use with its origin; for a sweep, the values
/// of the first point that can be simulated.
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
    let plan = scenario_plan::read(file, stem, &options.catalogue, &listening)?;
    Explanation::of(&plan, file, &options.catalogue, &listening)
}
