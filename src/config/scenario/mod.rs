//! Scenario files: the machine, its cards, its VMs; and the rules between them.
//!
//! ```text
//!  machine, sharing ─┐
//!  guest ─► choice ──┴─► cards (pins, seats, processes) ─► rules ─► plan ─► Scenario
//! ```
//!
//! Here the files of a path become one scenario.

pub(super) mod balanced;
pub(super) mod balanced_keys;
pub(super) mod cards;
pub(super) mod choice;
mod clones;
pub(super) mod conf;
pub(super) mod cpu;
pub(super) mod guest;
pub(super) mod holding;
pub(super) mod holding_keys;
pub(super) mod hosts;
pub(super) mod implausible;
pub(crate) mod length;
pub(super) mod lesson;
mod llm;
mod llm_engine;
pub(super) mod llm_keys;
pub(super) mod llm_load;
mod llm_memory;
mod llm_rules;
mod llm_served;
pub(super) mod machine;
mod obstacles;
pub(super) mod operations;
mod operations_cut;
pub(super) mod operations_keys;
mod operations_leaning;
mod operations_trace;
pub(super) mod other_vm;
pub(super) mod pattern;
pub(super) mod pins;
pub(super) mod placed;
pub(super) mod placement_keys;
pub(super) mod plan;
pub(super) mod pod_sharing;
pub(super) mod pods;
pub(super) mod power_keys;
pub(super) mod processes;
pub(super) mod published;
pub(super) mod queues;
pub(super) mod ranges;
pub(super) mod rules;
pub(super) mod scaled;
pub(super) mod seats;
pub(super) mod served;
pub(super) mod server_load;
pub(super) mod settings;
pub(super) mod sharing;
pub(super) mod sharing_keys;
pub(super) mod sharing_words;
pub(crate) mod size;
pub(super) mod trace;
pub(super) mod triton;
mod unmodelled;
pub(super) mod vm;
pub(super) mod workload_files;

use super::catalogue::{Catalogue, is_path};
use super::text::{Diagnostic, LoadError, Problems, Reader, SourceFile, set_arguments, source};
use crate::engine::fnv1a;
use crate::spec::{Arrivals, Experiment, Pair, Scenario};
use plan::Plan;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The file of a folder that is not a scenario but states the folder's `title`.
pub(super) const FOLDER_FILE: &str = "_folder.toml";

/// Options for reading a scenario.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Hardware, hypervisors and workloads.
    pub catalogue: Catalogue,
    /// The seed, when it replaces that of the files.
    pub seed: Option<u64>,
    /// Keys to set in every file before it is read, as `vm.server.batch_max=8`; a later one wins.
    pub set: Vec<String>,
    /// Whether only the ratios of the Server loads' rates matter, as in a search for the capacity:
    /// then no rate is too high or too low.
    pub rates_are_parts: bool,
}

impl LoadOptions {
    /// The default options with a catalogue.
    pub fn new(catalogue: Catalogue) -> Self {
        Self { catalogue, seed: None, set: Vec::new(), rates_are_parts: false }
    }
}

/// Reads a scenario: a file, or a folder whose `*.toml`, in order of their names, make one pair each.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Scenario, LoadError> {
    let problems = Problems::default();
    let files = read_files(path, options, &problems).map_err(LoadError::World)?;
    scenario_of(path, &files, options, problems)
}

/// The scenario that the files of a path make.
pub(super) fn scenario_of(
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
    let lesson = match path.is_dir() {
        true => None,
        false => plans.iter_mut().find_map(|plan| plan.lesson.take()),
    };
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
        lesson,
    };
    sow(&mut scenario);
    Ok(scenario)
}

/// The files of a path by name; files that cannot be read are reported.
pub(super) fn read_files(
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

pub(super) fn folder_title(file: &Arc<SourceFile>, problems: &Problems) -> Option<String> {
    let tree = source::parse(file, problems)?;
    let mut top = Reader::new(file, &tree, problems);
    let title = top
        .need("title", "it is the one key of this file")
        .and_then(|value| value.text().map(str::to_string));
    top.finish();
    title
}

/// Reports that there is nothing to simulate, unless another fault was reported already.
pub(super) fn no_scenario(path: &Path, problems: &Problems) {
    if !problems.any() {
        let title = "the folder has no scenario";
        let diagnostic = Diagnostic::about(&path.display().to_string(), None, title);
        problems.push(
            diagnostic
                .allowed("one or more *.toml files")
                .help("name a scenario file, or a folder of them"),
        );
    }
}

/// The seed that the files state, which must be the same in all.
pub(super) fn agreed_seed(plans: &[Plan], problems: &Problems) -> Option<u64> {
    let mut stated = plans.iter().filter_map(|plan| plan.seed.as_ref());
    let (first, at) = stated.next()?;
    for (seed, spot) in stated.filter(|(seed, _)| seed != first) {
        let title = format!("the seed {seed} differs from the {first} of {}", at.file.path);
        problems.push(Diagnostic::at(spot, title).help("state one seed for the folder, or none"));
    }
    Some(*first)
}

/// The last part of the path, without `.toml`; results go to a folder of this name.
pub(super) fn name_of(path: &Path) -> String {
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
pub(super) fn sow(scenario: &mut Scenario) {
    for run in scenario.pairs.iter_mut().flat_map(Pair::runs_mut) {
        run.experiment.seed = scenario.seed;
    }
}

/// The catalogue files that an experiment uses: folder and id.
pub(super) fn used_entries(experiment: &Experiment) -> BTreeSet<(&'static str, String)> {
    let mut used = BTreeSet::new();
    used.extend(experiment.hosts.iter().map(|host| ("hosts", host.id.clone())));
    used.insert(("hypervisors", experiment.hypervisor.id.clone()));
    used.extend(experiment.cards.iter().map(|card| ("gpus", card.gpu.id.clone())));
    used.extend(experiment.vms.iter().map(|vm| {
        let folder = if vm.llm.is_some() { "models" } else { "workloads" };
        (folder, vm.workload.id.clone())
    }));
    // No files of the catalogue, but as much a part of the input.
    let of_files = experiment.vms.iter().filter(|vm| is_path(&vm.workload.id));
    used.extend(of_files.map(|vm| {
        let content = format!("{:?}", vm.workload);
        ("workload-files", format!("{:016x}", fnv1a(content.as_bytes())))
    }));
    used.extend(experiment.vms.iter().filter_map(|vm| match &vm.load.arrivals {
        Arrivals::Trace(trace) => Some(("traces", format!("{:016x}", trace.hash))),
        _ => None,
    }));
    let trace = experiment.timeline.as_ref().and_then(|timeline| timeline.trace);
    used.extend(trace.map(|hash| ("operation-traces", format!("{hash:016x}"))));
    used
}

/// FNV-1a over names and texts of the scenario files and of the catalogue files they use.
pub(super) fn hash(
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
