//! Cluster files: `[[host]]`, VMs, `[placement]` and `[[rule]]`, as `slicewise place` reads them. What
//! VMs serve and how they are loaded is not looked at: a file need not say it.

mod vms;

use super::catalogue::Catalogue;
use super::inputs::Inputs;
use super::scenario::hosts::Hosts;
use super::scenario::placed::host_groups;
use super::scenario::placement_keys::{Placement, rules};
use super::scenario::{LoadOptions, hash, lesson, name_of, read_files};
use super::text::{Diagnostic, LoadError, Problems, Reader, SourceFile, source};
use crate::layout::fit::SizeMode;
use crate::layout::placement::Assignment;
use crate::study::{ClusterTask, Head};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use toml::de::DeTable;

/// Keys of scenarios that have no meaning for a placement.
const OF_RUNS: [&str; 7] =
    ["baseline", "published", "capacity", "cpu", "operations", "operation", "power"];

/// A cluster file, checked.
#[derive(Debug)]
pub struct ClusterFile {
    /// What is asked.
    pub task: ClusterTask,
    /// What it was read from.
    pub inputs: Inputs,
    /// Warnings, each complete.
    pub warnings: Vec<String>,
}

impl ClusterFile {
    /// Reads the file.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, LoadError> {
        let problems = Problems::default();
        let files = read_files(path, options, &problems).map_err(LoadError::World)?;
        if path.is_dir() && !problems.any() {
            let title = "a folder is no cluster";
            let diagnostic = Diagnostic::about(&path.display().to_string(), None, title);
            problems.push(diagnostic.allowed("one file").help("name one file of it"));
        }
        let found = match (&files[..], problems.any()) {
            ([(_, file)], false) => read(path, file, options, &problems),
            _ => None,
        };
        let warnings = problems.warnings();
        match (found, problems.into_error()) {
            (Some(task), None) => {
                let used = used(&task, &options.catalogue);
                let inputs = Inputs::of(&files, &used, &options.catalogue);
                let hash = hash(&files, &used, &options.catalogue);
                let head = Head { scenario_hash: hash, ..task.head };
                Ok(Self { task: ClusterTask { head, ..task }, inputs, warnings })
            }
            (_, faults) => Err(LoadError::Invalid(faults.unwrap_or_default())),
        }
    }
}

/// Entries of the catalogue that placement depends on.
fn used(task: &ClusterTask, catalogue: &Catalogue) -> BTreeSet<(&'static str, String)> {
    let gpus = task.gpus.iter().map(|gpu| ("gpus", gpu.id.clone()));
    let hosts = task.hosts.iter().map(|host| ("hosts", host.model.clone()));
    let hosts = hosts.filter(|(_, id)| catalogue.hosts.contains_key(id));
    gpus.chain(hosts).collect()
}

fn read(
    path: &Path,
    file: &Arc<SourceFile>,
    options: &LoadOptions,
    problems: &Problems,
) -> Option<ClusterTask> {
    let tree = source::parse(file, problems)?;
    if tree.is_empty() {
        let help = "a cluster needs [[host]] and [[vm]]";
        source::is_empty(file, help, problems);
        return None;
    }
    read_tree((path, file, &tree), options, problems)
}

/// Reads the tree of a file.
pub(super) fn read_tree(
    (path, file, tree): (&Path, &Arc<SourceFile>, &DeTable<'_>),
    options: &LoadOptions,
    problems: &Problems,
) -> Option<ClusterTask> {
    let mut top = Reader::new(file, tree, problems);
    let title = top.get("title").and_then(|value| value.text().map(str::to_string));
    let seed = top.get("seed").and_then(|value| value.whole(0..=u64::MAX, ""));
    let hosts = Hosts::read(&mut top, &options.catalogue, problems);
    let placement = Placement::read(&mut top);
    let vms = vms::read(&mut top, hosts.as_ref(), &options.catalogue);
    let rules = match (&hosts, &vms) {
        (Some(hosts), Some(vms)) => {
            let names: Vec<&str> = vms.iter().map(|group| group.name.as_str()).collect();
            rules(&mut top, hosts, &names)
        }
        _ => {
            let _ = top.get("rule");
            None
        }
    };
    let _ = lesson::read(&mut top);
    if let Some(value) = top.get("sweep") {
        let found = value.wrong("has no meaning for one placement");
        let help = "drop [sweep]: `--policy`, several times, and `--set` compare placements";
        value.report(found.help(help));
    }
    OF_RUNS.iter().for_each(|key| drop(top.get(key)));
    top.finish();
    let (hosts, vms, rules) = (hosts?, vms?, rules?);
    let name = name_of(path);
    let title = title.unwrap_or_else(|| name.clone());
    let machine = &hosts.machine;
    Some(ClusterTask {
        head: Head::of(&name, &title, "", options.seed.or(seed).unwrap_or(0)),
        gpus: machine.models.iter().map(|model| model.gpu.spec.clone()).collect(),
        hosts: host_groups(&hosts),
        is_mixed: machine.sharing.vgpu_mode == SizeMode::Mixed,
        assignment: machine.sharing.assignment,
        vms,
        rules,
        groups_full_cards: placement.full_cards == Assignment::Consolidate,
        policy: placement.policy,
    })
}
