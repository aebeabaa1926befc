//! `CountFile`: a file or folder, read again with other numbers of VMs of one group.
//!
//! A file without `[sweep]` is one way of sharing, a folder one for each file, and a sweep one for
//! each of its points, its axis of the number left out. The search for the number is elsewhere.

use super::points::Points;
use super::table::SweepTable;
use crate::config::catalogue::Catalogue;
use crate::config::inputs::Inputs;
use crate::config::scenario::{
    FOLDER_FILE, LoadOptions, agreed_seed, folder_title, hash, name_of, read_files, used_entries,
};
use crate::config::scenario::{plan, rules};
use crate::config::text::{
    Diagnostic, KeyPath, LoadError, Problems, Reader, SourceFile, Spot, source,
};
use crate::spec::{Experiment, TestScenario};
use crate::study::{Obstacle, TooMany};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use toml::de::DeTable;

/// Keys that speak of one run and mean nothing for a number of VMs.
const OF_ONE_RUN: [&str; 4] = ["baseline", "published", "capacity", "sweep"];

/// A file or folder whose number of VMs is searched.
#[derive(Debug)]
pub struct CountFile {
    /// Results go to a folder that begins with this name.
    pub name: String,
    /// A one-line title.
    pub title: String,
    /// A hash of every file that went into it, catalogue included.
    pub hash: String,
    /// The seed of every run.
    pub seed: u64,
    /// The group of VMs that is counted.
    pub group: String,
    files: Vec<(String, Arc<SourceFile>)>,
    catalogue: Catalogue,
    seed_given: Option<u64>,
}

/// The ways of sharing of a [`CountFile`].
pub struct Ways<'a> {
    ways: Vec<Way<'a>>,
}

/// One of them.
struct Way<'a> {
    name: String,
    points: Arc<Points<'a>>,
    point: usize,
    /// Where the number stands.
    count: KeyPath,
    seed: u64,
}

impl CountFile {
    /// Reads the path with one VM of the group, named by `group` or else the only one.
    pub fn load(
        path: &Path,
        options: &LoadOptions,
        group: Option<&str>,
    ) -> Result<Self, LoadError> {
        let problems = Problems::default();
        let mut files = read_files(path, options, &problems).map_err(LoadError::World)?;
        let mut title = None;
        if path.is_dir() {
            let own = files.iter().position(|(name, _)| name == FOLDER_FILE);
            title = own.and_then(|own| folder_title(&files.remove(own).1, &problems));
        }
        if files.is_empty() && !problems.any() {
            crate::config::scenario::no_scenario(path, &problems);
        }
        refuse(problems)?;
        let mut found = Self {
            name: name_of(path),
            title: String::new(),
            hash: String::new(),
            seed: 0,
            group: group.unwrap_or_default().to_string(),
            files,
            catalogue: options.catalogue.clone(),
            seed_given: options.seed,
        };
        found.check(title)?;
        Ok(found)
    }

    /// Finds the group, the seed, the title; refuses what is wrong with whatever number of VMs.
    fn check(&mut self, title: Option<String>) -> Result<(), LoadError> {
        let problems = Problems::default();
        let (mut plans, mut groups) = (Vec::new(), Vec::new());
        for (name, file) in &self.files {
            let Some(tree) = source::parse(file, &problems) else { continue };
            let mut top = Reader::new(file, &tree, &problems);
            // A sweep's table is read for its faults; its points are tried below.
            if tree.contains_key("sweep") {
                let _ = top.table("sweep").and_then(SweepTable::read);
            }
            if let Some(operations) = tree.get("operation") {
                let spot = Spot { file: file.clone(), span: operations.span() };
                let title = "a search for the number of VMs with operations is not simulated";
                let help = "drop [[operation]] for the number; what operations do to a number of VMs \
                    `slicewise run` tells, to several a sweep over `vm.count`";
                problems.push(Diagnostic::at(&spot, title).help(help));
            }
            let vms = tree.get("vm").and_then(|vms| vms.get_ref().as_array());
            let engines =
                vms.into_iter().flatten().filter_map(|vm| vm.get_ref().as_table()?.get("llm"));
            for engine in engines {
                let spot = Spot { file: file.clone(), span: engine.span() };
                let title = "a search for the number of VMs that serve LLMs is not simulated yet";
                let help = "`slicewise run` tells the requests within `goodput`, a sweep over `vm.count` of \
                    several numbers";
                problems.push(Diagnostic::at(&spot, title).help(help));
            }
            groups.extend(counted_group(&self.group, file, &tree, &problems).map(|(_, name)| name));
            let mut base = tree.clone();
            OF_ONE_RUN.iter().for_each(|key| drop(base.remove(*key)));
            let unseen = Problems::default();
            plans.push(plan::read_tree(file, &base, stem(name), &self.catalogue, &unseen));
        }
        let seed = agreed_seed(&plans, &problems);
        self.seed = self.seed_given.or(seed).unwrap_or(0);
        refuse(problems)?;
        self.group = groups.into_iter().next().unwrap_or_default();
        let of_file = || plans.iter().find_map(|plan| plan.title.clone());
        self.title = title.or_else(of_file).unwrap_or_else(|| self.name.clone());
        let mut used = BTreeSet::new();
        self.with_ways(|ways| ways.check(&mut used))?.map_err(LoadError::Invalid)?;
        self.hash = hash(&self.files, &used, &self.catalogue);
        Ok(())
    }

    /// What it was read from.
    pub fn inputs(&self) -> Inputs {
        let mut used = BTreeSet::new();
        // What is wrong was told when the file was read.
        let _ = self.with_ways(|ways| ways.check(&mut used));
        Inputs::of(&self.files, &used, &self.catalogue)
    }

    /// Calls `work` with the ways of sharing.
    pub fn with_ways<R>(&self, work: impl FnOnce(&Ways<'_>) -> R) -> Result<R, LoadError> {
        let problems = Problems::default();
        let trees: Vec<_> =
            self.files.iter().filter_map(|(_, file)| source::parse(file, &problems)).collect();
        let mut ways = Vec::new();
        for ((name, file), tree) in self.files.iter().zip(&trees) {
            ways.extend(self.ways_of(stem(name), file, tree, &problems).unwrap_or_default());
        }
        let found = if problems.any() { None } else { Some(work(&Ways { ways })) };
        match found {
            Some(found) => Ok(found),
            None => Err(LoadError::Invalid(problems.into_error().unwrap_or_default())),
        }
    }

    /// The ways of one file.
    fn ways_of<'a>(
        &'a self,
        stem: &'a str,
        file: &'a Arc<SourceFile>,
        tree: &'a DeTable<'a>,
        problems: &'a Problems,
    ) -> Option<Vec<Way<'a>>> {
        let (index, group) = counted_group(&self.group, file, tree, problems)?;
        let count = KeyPath::parse(&format!("vm[{index}].count")).expect("this is a path");
        let mut table = match tree.contains_key("sweep") {
            true => SweepTable::read(Reader::new(file, tree, problems).table("sweep")?)?,
            false => SweepTable::nothing(file),
        };
        leave_out_count(&mut table, index, &group, file, problems);
        let mut base = tree.clone();
        OF_ONE_RUN.iter().for_each(|key| drop(base.remove(*key)));
        let (catalogue, seed) = (&self.catalogue, self.seed_given);
        let points = Points { file, stem, catalogue, base, table, seed, rates_are_parts: false };
        let points = Arc::new(points);
        let ways = (0..points.table.points()).map(|point| Way {
            name: points.way(point).unwrap_or_else(|| stem.to_string()),
            points: points.clone(),
            point,
            count: count.clone(),
            seed: self.seed,
        });
        Some(ways.collect())
    }
}

impl Ways<'_> {
    /// The name of each.
    pub fn names(&self) -> Vec<String> {
        self.ways.iter().map(|way| way.name.clone()).collect()
    }

    /// The run of a way with `count` VMs, replication 0; or the reason why there is none.
    pub fn experiment(&self, way: usize, count: u32) -> Result<Experiment, TooMany> {
        let way = &self.ways[way];
        /// The most that a search tries: it runs many times.
        const VMS_MAX: u32 = 1024;
        if count > VMS_MAX {
            let text = format!("slicewise simulates at most {VMS_MAX} VMs");
            return Err(TooMany { obstacle: Obstacle::Limit, text });
        }
        let found = way.experiment(count).map_err(|found| {
            let limit = found.iter().find(|diagnostic| diagnostic.obstacle().is_some());
            let told = limit.unwrap_or(&found[0]);
            let obstacle = told.obstacle().unwrap_or(Obstacle::Rule);
            TooMany { obstacle, text: told.title().to_string() }
        })?;
        rules::over_committed(&found).map_or(Ok(found), Err)
    }

    /// Tries one VM of each; all that is wrong if it is wrong with any number.
    fn check(&self, used: &mut BTreeSet<(&'static str, String)>) -> Result<(), Vec<Diagnostic>> {
        let (all, hopeless) = (Problems::default(), Problems::default());
        let mut fine = 0;
        for way in &self.ways {
            match way.experiment(1) {
                Ok(experiment) => {
                    used.extend(used_entries(&experiment));
                    fine += 1;
                }
                Err(found) => found.into_iter().for_each(|fault| {
                    if fault.obstacle().is_none() {
                        hopeless.push(fault.clone());
                    }
                    all.push(fault);
                }),
            }
        }
        let faults = if fine == 0 { all } else { hopeless };
        faults.into_error().map_or(Ok(()), Err)
    }
}

impl Way<'_> {
    fn experiment(&self, count: u32) -> Result<Experiment, Vec<Diagnostic>> {
        let experiment = self.points.experiment_with(self.point, Some((&self.count, count)))?;
        Ok(Experiment { seed: self.seed, ..experiment })
    }
}

/// The member of `vm` that is counted, by its place and name: the one of that name, or the only one.
fn counted_group(
    wanted: &str,
    file: &Arc<SourceFile>,
    tree: &DeTable<'_>,
    problems: &Problems,
) -> Option<(usize, String)> {
    let vms = tree.get("vm")?;
    let members = vms.get_ref().as_array()?;
    let names = members.iter().enumerate().map(|(index, vm)| {
        let name = vm.get_ref().as_table().and_then(|vm| vm.get("name"));
        let name = name.and_then(|name| name.get_ref().as_str());
        name.map_or_else(|| format!("vm-{}", index + 1), str::to_string)
    });
    let names: Vec<String> = names.collect();
    let found = match wanted {
        "" if names.len() == 1 => Some(0),
        "" => None,
        wanted => names.iter().position(|name| name == wanted),
    };
    let spot = Spot { file: file.clone(), span: vms.span() };
    let Some(index) = found else {
        let title = match wanted {
            "" => "there are several [[vm]], and the one to count is not named".to_string(),
            wanted => format!("no [[vm]] is called {}", crate::suggest::quoted(wanted)),
        };
        let diagnostic = Diagnostic::at(&spot, title).allowed(names.join(", "));
        problems.push(diagnostic.help("name it: --vms=NAME"));
        return None;
    };
    let vm = members.get(index)?.get_ref().as_table()?;
    if let Some(value) = vm.get("balance") {
        let spot = Spot { file: file.clone(), span: value.span() };
        let title = "VMs that share a load are not counted";
        let help = "drop `balance`: then each VM has its own rate";
        problems.push(Diagnostic::at(&spot, title).help(help));
        return None;
    }
    let load = vm.get("load")?.get_ref().as_table()?;
    let word = load.get("scenario").and_then(|word| word.get_ref().as_str());
    let refuse = |key: &str, title: &str, help: &str| {
        let span = load.get(key).map_or(0..0, |value| value.span());
        let spot = Spot { file: file.clone(), span };
        problems.push(Diagnostic::at(&spot, title).help(help));
    };
    let others = TestScenario::WORDS.iter().filter(|known| **known != "server");
    if word.is_some_and(|word| others.clone().any(|known| *known == word)) {
        let title = "only VMs under Server load have a latency bound, which limits their number";
        refuse("scenario", title, "count VMs with scenario = \"server\"");
        return None;
    }
    if load.contains_key("total_qps") {
        let title = "with `total_qps`, adding a VM would lower the rate of the others";
        refuse("total_qps", title, "state the rate of each VM: target_qps");
        return None;
    }
    Some((index, names[index].clone()))
}

/// Takes the axis of the number of VMs out of a sweep: that is what is searched.
fn leave_out_count(
    table: &mut SweepTable<'_>,
    index: usize,
    group: &str,
    file: &Arc<SourceFile>,
    problems: &Problems,
) {
    let paths = ["vm.count".to_string(), format!("vm[{index}].count"), format!("vm.{group}.count")];
    let is_count = |key: &str| paths.iter().any(|path| path == key);
    for axis in table.axes.iter().filter(|axis| is_count(&axis.key)) {
        if let Some(setting) = axis.settings.first().and_then(|settings| settings.get(1)) {
            let spot = Spot { file: file.clone(), span: setting.spot.clone() };
            let title = "a key that changes together with the number of VMs";
            let help = "leave it out of `with`: the number is searched, not listed";
            problems.push(Diagnostic::at(&spot, title).help(help));
        }
    }
    table.axes.retain(|axis| !is_count(&axis.key));
}

/// A file's name without `.toml`.
fn stem(name: &str) -> &str {
    name.strip_suffix(".toml").unwrap_or(name)
}

fn refuse(problems: Problems) -> Result<(), LoadError> {
    problems.into_error().map_or(Ok(()), |all| Err(LoadError::Invalid(all)))
}
