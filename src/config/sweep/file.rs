//! `SweepFile`: a file with `[sweep]`, checked point by point.
//!
//! A fault of form, such as a misspelt key, refuses the file, and so does a sweep without any point
//! that can be simulated. A single point that breaks a rule is a result: an error row.

use super::exclusion::Exclusion;
use super::points::Points;
use super::table::SweepTable;
use crate::config::catalogue::Catalogue;
use crate::config::explain::Explanation;
use crate::config::inputs::Inputs;
use crate::config::scenario::{LoadOptions, hash, used_entries};
use crate::config::text::{
    Diagnostic, LoadError, Problems, Reader, SourceFile, set_arguments, source,
};
use crate::spec::{Experiment, Sweep, SweepPoint};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A sweep as it was read.
#[derive(Debug)]
pub struct SweepFile {
    sweep: Sweep,
    file: Arc<SourceFile>,
    catalogue: Catalogue,
    /// The seed, when it is not the file's to say.
    seed: Option<u64>,
    rates_are_parts: bool,
}

/// The points of a sweep, each made when it is needed: thousands of experiments would take much
/// memory.
pub struct SweepPoints<'a>(Points<'a>);

impl SweepFile {
    /// Reads the file; nothing when it has no `[sweep]`.
    pub(crate) fn of(
        file: &Arc<SourceFile>,
        name: &str,
        options: &LoadOptions,
    ) -> Result<Option<Self>, LoadError> {
        // What is wrong with a file that is no sweep is told by whoever reads it as a scenario.
        let unseen = Problems::default();
        match source::parse(file, &unseen) {
            Some(tree) if tree.contains_key("sweep") => {}
            _ => return Ok(None),
        }
        let (file, catalogue, seed) = (file.clone(), options.catalogue.clone(), options.seed);
        let (sweep, rates_are_parts) = (nothing(name.to_string()), options.rates_are_parts);
        let mut found = Self { sweep, file, catalogue, seed, rates_are_parts };
        found.sweep = found.check()?;
        Ok(Some(found))
    }

    /// The sweep.
    pub fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    /// What it was read from.
    pub fn inputs(&self) -> Inputs {
        let mut used = BTreeSet::new();
        self.with_points(|points| {
            for (index, _) in self.sweep.simulated() {
                used.extend(used_entries(&points.experiment(index)));
            }
        });
        let name = format!("{}.toml", self.sweep.name);
        Inputs::of(&[(name, self.file.clone())], &used, &self.catalogue)
    }

    /// Calls `work` with the points.
    pub fn with_points<R>(&self, work: impl FnOnce(&SweepPoints<'_>) -> R) -> R {
        let unseen = Problems::default();
        let tree = source::parse(&self.file, &unseen).expect("the file was parsed before");
        let top = Reader::new(&self.file, &tree, &unseen);
        let points = self.points(top, &tree).expect("the sweep was read before");
        work(&SweepPoints(points))
    }

    /// Every value of the first point that can be simulated, with its origin.
    pub fn explain(&self) -> Option<Explanation> {
        let first = self.sweep.points.iter().position(SweepPoint::is_simulated)?;
        self.with_points(|points| points.0.explain(first))
    }

    /// The points by what `top` reads of `tree`.
    fn points<'a>(
        &'a self,
        mut top: Reader<'a>,
        tree: &toml::de::DeTable<'a>,
    ) -> Option<Points<'a>> {
        let table = top.table("sweep").and_then(SweepTable::read)?;
        for key in ["baseline", "published", "capacity"].iter().filter(|key| top.has(key)) {
            let title = format!("`{key}` has no meaning in a sweep");
            let help = format!(
                "drop [{key}], or [sweep]: the points of a sweep are compared with each other"
            );
            top.report(Diagnostic::at(&top.spot_of(key), title).help(help));
        }
        let mut base = tree.clone();
        base.remove("sweep");
        let (file, stem, catalogue) = (&self.file, self.sweep.name.as_str(), &self.catalogue);
        let (seed, rates_are_parts) = (self.seed, self.rates_are_parts);
        Some(Points { file, stem, catalogue, base, table, seed, rates_are_parts })
    }

    /// The plan of the sweep, every point tried; or all that is wrong with the file.
    fn check(&self) -> Result<Sweep, LoadError> {
        let problems = Problems::default();
        let tree = source::parse(&self.file, &problems).expect("the file was parsed before");
        let top = Reader::new(&self.file, &tree, &problems);
        let points = self.points(top, &tree);
        if let (Some(seed), Some(points)) = (self.seed, &points) {
            refuse_seed_twice(points, seed, &problems);
        }
        if let Some(points) = &points {
            refuse_set_twice(points, &problems);
        }
        let Some(points) = points.filter(|_| !problems.any()) else {
            return Err(LoadError::Invalid(problems.into_error().unwrap_or_default()));
        };
        self.plan(&points).map_err(LoadError::Invalid)
    }

    /// Tries every point.
    fn plan(&self, points: &Points<'_>) -> Result<Sweep, Vec<Diagnostic>> {
        let mut sweep = nothing(self.sweep.name.clone());
        let mut used = BTreeSet::new();
        let (all, of_form) = (Problems::default(), Problems::default());
        let mut declared = vec![Declared::default(); points.table.exclusions.len()];
        let (mut seed, mut vms) = (None, 0);
        for index in 0..points.table.points() {
            // These refuse the file, whatever the other points say: enough are known to show.
            if of_form.are_enough() {
                break;
            }
            let excluded = points.exclusion(index);
            let error = match points.experiment(index) {
                Ok(experiment) => {
                    used.extend(used_entries(&experiment));
                    sweep.has_several_models |= experiment.has_several_models();
                    let mut of = experiment.vms.iter();
                    sweep.has_scaled_times |= of.any(|vm| !experiment.scaled_of(vm).is_empty());
                    sweep.shares_processors |= experiment.shares_any_processors();
                    sweep.serves_llms |= experiment.vms.iter().any(|vm| vm.llm.is_some());
                    sweep.has_operations |= experiment.timeline.is_some();
                    sweep.tells_watts |= experiment.power.is_some();
                    seed.get_or_insert(experiment.seed);
                    vms += experiment.vms.len();
                    None
                }
                Err(found) => {
                    let error = found[0].title().to_string();
                    for fault in found {
                        if fault.is_of_form() {
                            of_form.push(fault.clone());
                        }
                        // With one point that can be simulated nobody asks for these.
                        if seed.is_none() && excluded.is_none() {
                            all.push(fault);
                        }
                    }
                    Some(error)
                }
            };
            if let Some(fault) = points.table.too_large(vms) {
                return Err(vec![fault]);
            }
            let Some(excluded) = excluded else {
                sweep.points.push(points.describe(index, error, None));
                continue;
            };
            declared[excluded].add(error.is_none().then_some(index));
            let reason = points.table.exclusions[excluded].reason.clone();
            sweep.points.push(points.describe(index, None, Some(reason)));
        }
        sweep.lines = points.lines();
        sweep.parameters = points.parameters();
        for (exclusion, declared) in points.table.exclusions.iter().zip(&declared) {
            declared.refuse_wrong(exclusion, &sweep, &of_form);
        }
        let hopeless = !sweep.points.iter().any(SweepPoint::is_simulated);
        if hopeless && !all.any() && !of_form.any() {
            let title = "every point of the sweep is declared not applicable";
            of_form.push(
                Diagnostic::at(&points.table.spot, title).help("nothing is left to simulate"),
            );
        }
        if let Some(faults) = (if hopeless && all.any() { all } else { of_form }).into_error() {
            return Err(faults);
        }
        let file_name = format!("{}.toml", self.sweep.name);
        Ok(Sweep {
            title: self.title().unwrap_or_else(|| sweep.name.clone()),
            hash: hash(&[(file_name, self.file.clone())], &used, &self.catalogue),
            seed: seed.unwrap_or(0),
            replications: points.table.replications,
            x_label: points.x_label(),
            ..sweep
        })
    }

    fn title(&self) -> Option<String> {
        let tree = source::parse(&self.file, &Problems::default())?;
        Some(tree.get("title")?.get_ref().as_str()?.to_string())
    }
}

impl SweepPoints<'_> {
    /// The experiment of a point that can be simulated, replication 0.
    pub fn experiment(&self, point: usize) -> Experiment {
        self.0.experiment(point).expect("points without error were checked")
    }
}

/// What became of the points that a declaration means.
#[derive(Clone, Default)]
struct Declared {
    points: usize,
    /// Points that can be simulated after all, and the first of them.
    possible: usize,
    first: usize,
}

impl Declared {
    fn add(&mut self, possible: Option<usize>) {
        self.points += 1;
        if let Some(point) = possible {
            self.first = if self.possible == 0 { point } else { self.first };
            self.possible += 1;
        }
    }

    /// A declaration must hide no result, and mean something.
    fn refuse_wrong(&self, exclusion: &Exclusion, sweep: &Sweep, problems: &Problems) {
        if self.points == 0 {
            let title = "`sweep.not_applicable` covers no point that an earlier one does not";
            problems.push(Diagnostic::at(&exclusion.spot, title).help("drop it"));
        }
        if self.possible > 0 {
            let label = sweep.label(&sweep.points[self.first]);
            let more = match self.possible - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            let title = format!("{label} is declared not applicable, but can be simulated{more}");
            let help = "narrow `when`, or drop the declaration: it must not hide a result";
            problems.push(Diagnostic::at(&exclusion.spot, title).help(help));
        }
    }
}

/// A seed on the command line and one that varies cannot both be meant.
fn refuse_seed_twice(points: &Points<'_>, seed: u64, problems: &Problems) {
    let axes = points.table.axes.iter().filter(|axis| axis.key == "seed");
    for setting in axes.filter_map(|axis| axis.settings.first()?.first()) {
        let spot =
            crate::config::text::Spot { file: points.file.clone(), span: setting.spot.clone() };
        let title = format!("`seed` varies, and --seed sets it to {seed} as well");
        problems.push(Diagnostic::at(&spot, title).help("leave out --seed, or the axis"));
    }
}

/// A key that `--set` sets and one that varies cannot both be meant.
fn refuse_set_twice(points: &Points<'_>, problems: &Problems) {
    let table = &points.table;
    let axes = table.axes.iter().flat_map(|axis| axis.settings.iter().flatten());
    let varied: Vec<_> = axes.chain(table.lines.iter().flat_map(|line| &line.set)).collect();
    // What is wrong with an argument was reported when the file was parsed.
    for set in set_arguments::read(points.file, &Problems::default()) {
        if varied.iter().any(|setting| setting.path == set.path) {
            let spot =
                crate::config::text::Spot { file: points.file.clone(), span: set.spot.clone() };
            let title = "the key is set by --set, and varies in the sweep as well";
            let help = "leave out --set, or replace the axis: --set 'sweep.vm.vcpus=[2, 4]'";
            problems.push(Diagnostic::at(&spot, title).help(help));
        }
    }
}

/// A sweep of nothing yet.
fn nothing(name: String) -> Sweep {
    Sweep {
        name,
        title: String::new(),
        hash: String::new(),
        seed: 0,
        replications: 1,
        parameters: Vec::new(),
        x_label: String::new(),
        lines: Vec::new(),
        points: Vec::new(),
        has_several_models: false,
        has_scaled_times: false,
        shares_processors: false,
        serves_llms: false,
        has_operations: false,
        tells_watts: false,
    }
}
