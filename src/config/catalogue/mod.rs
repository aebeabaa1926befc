//! The catalogue: GPUs, workloads, models, hosts, hypervisors and harnesses, embedded in the binary, overridden file
//! by file by a folder.
//!
//! Files of each kind are read in `gpus`, `entries` and `harnesses`; here they are found, kept and
//! checked against each other.

use super::text::value::of_own;
use super::text::{
    Diagnostic, KINDS, LoadError, Problems, Reader, SourceFile, Spot, Value, source,
};
use crate::spec::{DecoderModel, DisputedMix, GpuSpec, Harness, Hypervisor, Workload};
use crate::suggest::{nearest, quoted};
use entries::{HostFile, WorkloadFile};
use gpus::GpuFile;
use include_dir::{Dir, include_dir};
pub use model_files::model_of_config;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub(super) mod entries;
pub(super) mod facts;
mod folder;
pub(super) mod gpus;
mod harnesses;
pub(super) mod hosts;
pub(super) mod lengths;
mod model_files;
pub(super) mod models;
mod rates;
pub(super) mod rounds;
pub(super) mod step_rates;
mod vgpus;
pub(super) mod vmotion;
pub(super) mod words;

/// All of `configs/`. A change of a file rebuilds this; a new file needs a touch of this one.
static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/configs");

/// All known hardware, hypervisors and workloads.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// By folder and id.
    files: BTreeMap<(&'static str, String), CatalogueFile>,
    pub(super) gpus: BTreeMap<String, GpuFile>,
    pub(super) hosts: BTreeMap<String, HostFile>,
    pub(super) hypervisors: BTreeMap<String, Hypervisor>,
    pub(super) workloads: BTreeMap<String, WorkloadFile>,
    pub(super) models: BTreeMap<String, DecoderModel>,
    pub(super) harnesses: BTreeMap<String, Harness>,
    /// Files with mistakes, by folder and id: they have no entry, nor has a built-in one of the name.
    left_out: BTreeSet<(&'static str, String)>,
    /// Workload files that are on no disk, by the path that scenarios name them by.
    given: BTreeMap<String, Arc<SourceFile>>,
}

/// One entry of the catalogue, for a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CatalogueEntry {
    /// `gpu`, `workload`, `model`, `host`, `hypervisor` or `harness`.
    pub kind: &'static str,
    /// The name scenario files use.
    pub id: String,
    /// The vendor's name, one line; empty where the entry is left out.
    pub name: String,
    /// The origin of the file.
    pub origin: Origin,
    /// Whether the file has mistakes, so that it cannot be used.
    pub left_out: bool,
}

/// The origin of a catalogue file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Built into the program.
    Embedded,
    /// This file of a folder given by flag.
    Folder(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Embedded => f.write_str("embedded"),
            Origin::Folder(path) => f.write_str(path),
        }
    }
}

#[derive(Clone, Debug)]
struct CatalogueFile {
    source: Arc<SourceFile>,
    origin: Origin,
}

impl Catalogue {
    /// The embedded catalogue; files of a folder (if any) replace or extend it. The folder may hold
    /// subfolders `gpus`, `workloads`, `models`, `hosts`, `hypervisors` and `harnesses`. One mistake in any
    /// of them is an error.
    pub fn load(folder: Option<&Path>) -> Result<Catalogue, LoadError> {
        match Self::load_good(folder)? {
            (catalogue, mistakes) if mistakes.is_empty() => Ok(catalogue),
            (_, mistakes) => Err(LoadError::Invalid(mistakes)),
        }
    }

    /// The same, but files with mistakes are left out and their mistakes returned, so that one
    /// entry can be used before all others are corrected. An error only where the folder itself
    /// cannot be read.
    pub fn load_good(folder: Option<&Path>) -> Result<(Catalogue, Vec<Diagnostic>), LoadError> {
        let problems = Problems::default();
        let mut catalogue = Self {
            files: embedded(),
            gpus: BTreeMap::new(),
            hosts: BTreeMap::new(),
            hypervisors: BTreeMap::new(),
            workloads: BTreeMap::new(),
            models: BTreeMap::new(),
            harnesses: BTreeMap::new(),
            left_out: BTreeSet::new(),
            given: BTreeMap::new(),
        };
        if let Some(folder) = folder {
            source::must_be_folder(folder)?;
            catalogue.join(folder, &problems)?;
        }
        catalogue.read(&problems);
        Ok((catalogue, problems.into_error().unwrap_or_default()))
    }

    /// The same catalogue, in which a scenario's `workload = "PATH"` is this text instead of the
    /// file on disk.
    pub fn with_workload_file(mut self, path: &str, text: String) -> Catalogue {
        self.given.insert(path.to_string(), Arc::new(SourceFile::new(path, text)));
        self
    }

    /// The text that was given for a path.
    pub(super) fn given(&self, path: &str) -> Option<&Arc<SourceFile>> {
        self.given.get(path)
    }

    /// Whether an entry of this name exists only in a file with mistakes; `folder` is for example
    /// `gpus`.
    pub fn is_left_out(&self, folder: &str, id: &str) -> bool {
        self.left_out.iter().any(|(of, is)| *of == folder && is == id)
    }

    /// Every entry, by kind and id.
    pub fn list(&self) -> Vec<CatalogueEntry> {
        let mut all = Vec::new();
        for (kind, folder) in KINDS {
            for ((_, id), file) in self.files.iter().filter(|((of, _), _)| *of == folder) {
                let name = match kind {
                    "gpu" => self.gpus.get(id).map(|gpu| &gpu.spec.name),
                    "workload" => self.workloads.get(id).map(|workload| &workload.spec.name),
                    "model" => self.models.get(id).map(|model| &model.name),
                    "host" => self.hosts.get(id).map(|host| &host.spec.name),
                    "hypervisor" => self.hypervisors.get(id).map(|hypervisor| &hypervisor.name),
                    _ => self.harnesses.get(id).map(|harness| &harness.name),
                };
                all.push(CatalogueEntry {
                    kind,
                    id: id.clone(),
                    name: name.cloned().unwrap_or_default(),
                    origin: file.origin.clone(),
                    left_out: self.is_left_out(folder, id),
                });
            }
        }
        all
    }

    /// The text of an entry's file, by `bert-99` or `workloads/bert-99`.
    pub fn show(&self, id: &str) -> Option<&str> {
        let (kind, id) = id.split_once('/').map_or((None, id), |(kind, id)| (Some(kind), id));
        let id = id.strip_suffix(".toml").unwrap_or(id);
        let folders = KINDS
            .into_iter()
            .filter(|(one, many)| kind.is_none_or(|kind| kind == *one || kind == *many));
        let mut found = folders.filter_map(|(_, folder)| self.text(folder, id));
        found.next()
    }

    /// Every id, for suggestions.
    pub fn ids(&self) -> Vec<String> {
        self.list().into_iter().map(|entry| entry.id).collect()
    }

    /// A workload by its id.
    pub fn workload(&self, id: &str) -> Option<&Workload> {
        self.workloads.get(id).map(|file| &file.spec)
    }

    /// A decoder by its id.
    pub fn model(&self, id: &str) -> Option<&DecoderModel> {
        self.models.get(id)
    }

    /// A hypervisor by its id, including `bare-metal`.
    pub fn hypervisor(&self, id: &str) -> Option<&Hypervisor> {
        self.hypervisors.get(id)
    }

    /// Every hypervisor's id.
    pub fn hypervisor_ids(&self) -> impl Iterator<Item = &str> {
        self.hypervisors.keys().map(String::as_str)
    }

    /// Every workload's id.
    pub fn workload_ids(&self) -> impl Iterator<Item = &str> {
        self.workloads.keys().map(String::as_str)
    }

    /// A GPU by its id, as scenario files name it.
    pub fn gpu(&self, id: &str) -> Option<&GpuSpec> {
        self.gpus.get(id).map(|gpu| &gpu.spec)
    }

    /// Every GPU, by id.
    pub fn gpus(&self) -> impl Iterator<Item = &GpuSpec> {
        self.gpus.values().map(|gpu| &gpu.spec)
    }

    /// The source of the GPU instance profiles of a GPU; empty for one without a table.
    pub fn mig_source(&self, id: &str) -> &str {
        self.gpus.get(id).map_or("", |gpu| &gpu.mig_source)
    }

    /// The workloads that have service times on a GPU, by id.
    pub fn workloads_on(&self, gpu: &str) -> Vec<&str> {
        let known = self.workloads.iter().filter(|(_, one)| one.spec.service.contains_key(gpu));
        known.map(|(id, _)| id.as_str()).collect()
    }

    /// The PCI ids of the boards of this GPU, device then vendor; none where its file does not
    /// state them.
    pub fn pci_ids(&self, id: &str) -> &[u32] {
        self.gpus.get(id).map_or(&[], |gpu| &gpu.pci_ids)
    }

    /// The source of the vGPU types of this GPU, and notes on them.
    pub fn about_vgpu_types(&self, id: &str) -> (&str, &[String]) {
        self.gpus.get(id).map_or(("", &[]), |file| (&file.vgpu_source, &file.vgpu_notes))
    }

    /// Mixes of vGPUs on a card of this GPU about which the vendor's documents contradict each other.
    pub fn disputed_mixes(&self, id: &str) -> &[DisputedMix] {
        self.gpus.get(id).map_or(&[], |file| &file.disputed)
    }

    /// The text of a file by its folder and id.
    pub(super) fn text(&self, folder: &str, id: &str) -> Option<&str> {
        self.file(folder, id).map(|(_, text)| text)
    }

    /// Where a file comes from, and its text.
    pub(super) fn file(&self, folder: &str, id: &str) -> Option<(&Origin, &str)> {
        let found = self.files.iter().find(|((of, is), _)| *of == folder && is == id);
        found.map(|(_, file)| (&file.origin, file.source.text.as_str()))
    }

    /// Where an entry comes from: `built-in gpus/a30`, or its file.
    pub(super) fn place(&self, folder: &'static str, id: &str) -> String {
        match self.files.get(&(folder, id.to_string())).map(|file| &file.origin) {
            Some(Origin::Folder(path)) => path.clone(),
            _ if is_path(id) => id.to_string(),
            _ => format!("built-in {folder}/{id}"),
        }
    }

    /// `my/hosts/my-host.toml:15`: the place of a key in a file of the user; nothing where it is
    /// missing, and for a built-in file.
    pub(super) fn line(&self, folder: &'static str, id: &str, key: &str) -> Option<String> {
        let file = self.files.get(&(folder, id.to_string()))?;
        if file.origin == Origin::Embedded {
            return None;
        }
        let tree = source::parse(&file.source, &Problems::default())?;
        let mut tables = Some(&tree);
        let mut span = None;
        for part in key.split('.') {
            let (name, value) = tables?.iter().find(|(name, _)| name.get_ref() == part)?;
            (span, tables) = (Some(name.span()), value.get_ref().as_table());
        }
        let spot = Spot { file: file.source.clone(), span: span? };
        Some(format!("{}:{}", file.origin, spot.line_and_column().1))
    }

    /// Reads every file; one with a mistake has no entry.
    fn read(&mut self, problems: &Problems) {
        for ((folder, id), file) in &self.files {
            let own = Problems::default();
            if let Some(tree) = source::parse(&file.source, &own) {
                let reader = Reader::new(&file.source, &tree, &own);
                match *folder {
                    "gpus" => put(&mut self.gpus, id, gpus::gpu(id, reader), &own),
                    "workloads" => {
                        put(&mut self.workloads, id, entries::workload(id, reader), &own)
                    }
                    "models" => put(&mut self.models, id, models::model(id, reader), &own),
                    "hosts" => put(&mut self.hosts, id, hosts::host(id, reader), &own),
                    "hypervisors" => {
                        put(&mut self.hypervisors, id, entries::hypervisor(id, reader), &own)
                    }
                    _ => put(&mut self.harnesses, id, harnesses::harness(id, reader), &own),
                }
            }
            if own.any() {
                self.left_out.insert((folder, id.clone()));
            }
            problems.take_over(own);
        }
        self.check_names(problems);
    }

    /// Every GPU that a host or a workload names must have a file, if only a faulty one, and so must every
    /// workload that a harness names.
    fn check_names(&mut self, problems: &Problems) {
        let known = |kind: &str| -> Vec<&str> {
            self.files.keys().filter(|(of, _)| *of == kind).map(|(_, id)| id.as_str()).collect()
        };
        let named = self
            .hosts
            .iter()
            .flat_map(|(id, host)| host.gpus.iter().map(move |cards| ("hosts", id, &cards.model)));
        let measured = self.workloads.iter().flat_map(|(id, workload)| {
            workload.spec.service.keys().map(move |gpu| ("workloads", id, gpu))
        });
        let ran = self.harnesses.iter().flat_map(|(id, harness)| {
            harness.benchmarks.keys().map(move |benchmark| ("harnesses", id, benchmark))
        });
        let mut without = Vec::new();
        for (what, kind, named) in [
            ("GPU", "gpus", named.chain(measured).collect::<Vec<_>>()),
            ("workload", "workloads", ran.collect()),
        ] {
            let known = known(kind);
            let missing = named.into_iter().filter(|(.., name)| !known.contains(&name.as_str()));
            for (folder, id, name) in missing {
                let file = &self.files[&(folder, id.clone())].source;
                problems.push(unknown_in(file, what, name, &known));
                without.push((folder, id.clone()));
            }
        }
        for (id, harness) in &self.harnesses {
            let is_twin = |(other, one): &(&String, &Harness)| {
                *other < id
                    && one.word == harness.word
                    && harness.benchmarks.keys().any(|name| one.has(name))
            };
            if let Some((other, _)) = self.harnesses.iter().find(is_twin) {
                let file = &self.files[&("harnesses", id.clone())].source.path;
                let title =
                    format!("harness {other} has the same word and one of the same benchmarks");
                let help = "name the file like the other to replace it, or use another word for \
                    its rows";
                problems.push(Diagnostic::about(file, None, title).help(help));
                without.push(("harnesses", id.clone()));
            }
        }
        for (folder, id) in without {
            match folder {
                "hosts" => drop(self.hosts.remove(&id)),
                "workloads" => drop(self.workloads.remove(&id)),
                _ => drop(self.harnesses.remove(&id)),
            }
            self.left_out.insert((folder, id));
        }
    }

    /// Puts the files of a folder over the ones there are.
    fn join(&mut self, folder: &Path, problems: &Problems) -> Result<(), LoadError> {
        source::files_of(folder, problems).map_err(LoadError::World)?;
        folder::misplaced(folder, problems).map_err(LoadError::World)?;
        let subfolders = KINDS.into_iter().map(|(_, kind)| (kind, folder.join(kind)));
        let subfolders: Vec<_> = subfolders.filter(|(_, path)| path.is_dir()).collect();
        if subfolders.is_empty() {
            let shown = folder.display().to_string();
            let title = "the catalogue folder has no known subfolder";
            let allowed = KINDS.map(|(_, kind)| format!("{kind}/")).join(", ");
            problems.push(Diagnostic::about(&shown, None, title).allowed(allowed));
        }
        for (kind, path) in subfolders {
            for path in source::files_of(&path, problems).map_err(LoadError::World)? {
                let id = path.file_stem().map(|stem| stem.to_string_lossy().to_string());
                let key = (kind, id.unwrap_or_default());
                match source::read(&path, problems).map_err(LoadError::World)? {
                    Some(source) => {
                        let origin = Origin::Folder(source.path.clone());
                        self.files.insert(key, CatalogueFile { source, origin });
                    }
                    // No text: the built-in entry of the name must not stand in for it.
                    None => {
                        self.files.remove(&key);
                        self.left_out.insert(key);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The error for a GPU or a workload that a file names but the catalogue does not have.
pub(super) fn unknown_in(
    file: &Arc<SourceFile>,
    what: &str,
    name: &str,
    known: &[&str],
) -> Diagnostic {
    let start = file.text.find(name).unwrap_or(0);
    let spot = Spot { file: file.clone(), span: start..start + name.len() };
    let diagnostic =
        Diagnostic::at(&spot, format!("unknown {what} \"{name}\"")).allowed(known.join(", "));
    diagnostic.did_you_mean(nearest(name, known))
}

/// Puts an entry where it belongs, unless its file has mistakes.
fn put<T>(entries: &mut BTreeMap<String, T>, id: &str, entry: Option<T>, mistakes: &Problems) {
    if let Some(entry) = entry.filter(|_| !mistakes.any()) {
        entries.insert(id.to_string(), entry);
    }
}

/// The text of a table of published runs, `configs/published/<name>.csv`.
pub(crate) fn published(name: &str) -> &'static str {
    let file = EMBEDDED.get_file(format!("published/{name}.csv"));
    file.and_then(|file| file.contents_utf8()).expect("it comes with the program")
}

fn embedded() -> BTreeMap<(&'static str, String), CatalogueFile> {
    let mut files = BTreeMap::new();
    for (_, folder) in KINDS {
        for file in EMBEDDED.get_dir(folder).into_iter().flat_map(|dir| dir.files()) {
            let id = file.path().file_stem().map(|stem| stem.to_string_lossy().to_string());
            let (Some(id), Some(text)) = (id, file.contents_utf8()) else { continue };
            let path = format!("configs/{folder}/{id}.toml");
            let source = Arc::new(SourceFile::new(path, text));
            files.insert((folder, id), CatalogueFile { source, origin: Origin::Embedded });
        }
    }
    files
}

/// Whether a word names a workload by the path of its file.
pub(crate) fn is_path(word: &str) -> bool {
    word.ends_with(".toml")
}

/// The catalogue entry a value names.
pub(crate) fn find<'c, T>(
    value: &Value<'_>,
    what: &str,
    known: &'c BTreeMap<String, T>,
) -> Option<&'c T> {
    let word = value.text()?;
    let found = known.get(word);
    if found.is_none() {
        value.unknown(what, word, known.keys());
    }
    found
}

/// The GPU a value names.
pub(crate) fn find_gpu<'c>(value: &Value<'_>, catalogue: &'c Catalogue) -> Option<&'c GpuFile> {
    let word = value.text()?;
    let found = catalogue.gpus.get(word);
    if found.is_none() {
        value.report(unknown_gpu(&value.spot(), word, catalogue));
    }
    found
}

/// The error for a GPU that the catalogue does not have.
pub(super) fn unknown_gpu(spot: &Spot, word: &str, catalogue: &Catalogue) -> Diagnostic {
    let known: Vec<&GpuSpec> = catalogue.gpus().collect();
    let title = format!("unknown GPU {}", quoted(word));
    let ids: Vec<&str> = known.iter().map(|gpu| gpu.id.as_str()).collect();
    let diagnostic = Diagnostic::at(spot, title).of_form().allowed(ids.join(", "));
    let diagnostic = match catalogue.gpu_help(word, &known) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    };
    diagnostic.help(of_own("gpus", word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::text::answers::Answer;

    #[test]
    fn every_embedded_file_is_read_under_its_own_name() {
        let catalogue = match Catalogue::load(None) {
            Ok(catalogue) => catalogue,
            Err(error) => panic!("{error}"),
        };
        let list = catalogue.list();
        assert_eq!(list.len(), catalogue.files.len());
        assert!(
            list.iter().all(|entry| !entry.name.is_empty() && entry.origin == Origin::Embedded)
        );
        assert_eq!(catalogue.show("bert-99"), catalogue.show("workloads/bert-99"));
        assert!(catalogue.show("gpus/bert-99").is_none());
        for host in catalogue.hosts.values() {
            assert!(host.gpus.iter().all(|cards| catalogue.gpus.contains_key(&cards.model)));
        }
    }

    #[test]
    fn every_number_of_an_embedded_file_has_its_source_and_none_is_left_out() {
        for ((folder, id), file) in embedded() {
            let problems = Problems::default();
            problems.answers.listen();
            let tree = source::parse(&file.source, &problems).expect("it is TOML");
            let reader = Reader::new(&file.source, &tree, &problems);
            match folder {
                "gpus" => drop(gpus::gpu(&id, reader)),
                "workloads" => drop(entries::workload(&id, reader)),
                "models" => drop(models::model(&id, reader)),
                "hosts" => drop(hosts::host(&id, reader)),
                "hypervisors" => drop(entries::hypervisor(&id, reader)),
                _ => drop(harnesses::harness(&id, reader)),
            }
            let without: Vec<_> = problems
                .answers
                .recorded()
                .into_iter()
                .filter_map(|answer| match answer {
                    Answer::Fallback(path, _) => Some(path),
                    _ => None,
                })
                // No processor's page says it: it is told once, in `HostSpec`.
                .filter(|path| !(folder == "hosts" && path == "hyper_threading"))
                // Nobody measured it on these: what is assumed is told once, in `GpuSpec`.
                .filter(|path| !(folder == "gpus" && path == "power_context_w"))
                .collect();
            assert!(without.is_empty(), "{folder}/{id}: {without:?}");
        }
    }
}
