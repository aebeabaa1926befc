//! Scenarios at random: whatever `check` passes runs, and every output of it holds numbers.
//!
//! `SLICEWISE_SCENARIOS=20000 cargo test --test it at_random -- --nocapture` tries so many; without
//! it a few hundred are tried. Most of them are files of ours with some keys set to something else,
//! a third are made from the schema and a part of such a file, so that a key is tried as soon as the
//! schema has it. A failure names the number of the case: `SLICEWISE_SCENARIOS_FROM=NUMBER SLICEWISE_SCENARIOS=1`
//! repeats it alone.

use crate::dice::Dice;
use crate::support::examples;
use crate::timeline::read_results;
use serde_json::Value as Json;
use slicewise::config::{Catalogue, LoadOptions, Task, load_task, schema};
use slicewise::platform::{record_at_most, simulate};
use slicewise::report;
use slicewise::spec::{Experiment, Scenario};
use slicewise::study;
use slicewise::units::{SimDuration, SimTime};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use toml::{Table, Value};

/// How many cases are tried when nothing else is said.
const CASES: u64 = 300;
/// No case takes longer. By the clock, but of hangs only: cases are cut to milliseconds.
const HANG: Duration = Duration::from_secs(60);
/// A run with more expected samples is cut to so many before it is simulated.
const SAMPLES: f64 = 2_000.0;

/// What cases are made of.
struct Workshop {
    schema: Json,
    /// Files of ours that are good.
    bases: Vec<Table>,
    /// Files of ours that are wrong in one thing.
    bad: Vec<Table>,
    /// Texts and numbers that the files have at a key, by its last word.
    said: BTreeMap<String, Vec<Value>>,
}

impl Workshop {
    fn new() -> Self {
        let tables = |folders: &[&str], more: Vec<String>| -> Vec<Table> {
            let files = folders.iter().flat_map(|folder| files_below(folder));
            let texts = files.map(|file| fs::read_to_string(file).unwrap_or_default());
            let tables = texts.chain(more).filter_map(|text| toml::from_str::<Table>(&text).ok());
            tables.filter(|table| table.contains_key("vm")).collect()
        };
        let bases = tables(&["scenarios", "tests/good"], examples());
        let bad = tables(&["tests/bad"], Vec::new());
        assert!(bases.len() >= 30 && bad.len() >= 200, "{} and {} files", bases.len(), bad.len());
        let mut said = BTreeMap::new();
        for base in bases.iter().chain(&bad) {
            collect(&Value::Table(base.clone()), "", &mut said);
        }
        let catalogue = Catalogue::load(None).unwrap();
        for entry in catalogue.list() {
            let key = match entry.kind.to_string().as_str() {
                "gpu" => "model",
                "host" => "host",
                "hypervisor" => "hypervisor",
                _ => "workload",
            };
            said.entry(key.to_string()).or_default().push(Value::String(entry.id));
        }
        for gpu in catalogue.gpus() {
            let types = gpu.vgpu_types.iter().map(|vgpu| vgpu.name.clone());
            said.entry("type".to_string()).or_default().extend(types.map(Value::String));
            let profiles = gpu.mig_profiles.iter().map(|profile| profile.name.clone());
            said.entry("profile".to_string()).or_default().extend(profiles.map(Value::String));
        }
        Self { schema: schema(), bases, bad, said }
    }

    /// A scenario file.
    fn case(&self, dice: &mut Dice) -> Table {
        let shape = &self.schema;
        if dice.one_in(3) {
            let made = self.make(dice, shape, "", 0);
            let Value::Table(mut made) = made else { panic!("a file is a table") };
            // Most of what is made at random breaks a rule: the more of it is ours, the further it comes.
            let base = dice.pick(&self.bases);
            for (key, value) in base {
                if !dice.one_in(4) {
                    made.insert(key.clone(), value.clone());
                }
            }
            mix(dice, &mut made);
            return made;
        }
        let bases = if dice.one_in(8) { &self.bad } else { &self.bases };
        let mut table = dice.pick(bases).clone();
        for _ in 0..dice.below(4) {
            self.change(dice, shape, &mut table);
        }
        mix(dice, &mut table);
        table
    }

    /// Sets, adds or drops one key, somewhere.
    fn change(&self, dice: &mut Dice, shape: &Json, table: &mut Table) {
        let Some(properties) = shape["properties"].as_object() else { return };
        // Where there is something below, that is where most keys are.
        let inner: Vec<&String> = properties
            .keys()
            .filter(|key| table.get(*key).is_some_and(|value| value.is_table() || value.is_array()))
            .collect();
        if !inner.is_empty() && !dice.one_in(4) {
            let key = *dice.pick(&inner);
            let below = self.alternatives(&properties[key]);
            let shape = below.iter().find(|shape| shape["properties"].is_object());
            let items = below.iter().find_map(|shape| shape.get("items"));
            match (table.get_mut(key), shape, items) {
                (Some(Value::Table(inner)), Some(shape), _) => self.change(dice, shape, inner),
                (Some(Value::Array(list)), _, Some(items)) if !list.is_empty() => {
                    let at = dice.below(list.len());
                    if let Value::Table(inner) = &mut list[at] {
                        self.change(dice, items, inner);
                    }
                }
                _ => {}
            }
            return;
        }
        let keys: Vec<&String> = properties.keys().filter(|key| *key != "sweep").collect();
        let key = (*dice.pick(&keys)).clone();
        match dice.one_in(6) {
            true => drop(table.remove(&key)),
            false => {
                let value = self.make(dice, &properties[&key], &key, 0);
                table.insert(key, value);
            }
        }
    }

    /// The shapes that a value may have.
    fn alternatives<'s>(&'s self, shape: &'s Json) -> Vec<&'s Json> {
        match shape["anyOf"].as_array() {
            Some(all) => all.iter().flat_map(|shape| self.alternatives(shape)).collect(),
            None => match shape["$ref"].as_str().and_then(|place| place.strip_prefix("#")) {
                Some(place) => self.schema.pointer(place).into_iter().collect(),
                None => vec![shape],
            },
        }
    }

    /// A value of this shape.
    fn make(&self, dice: &mut Dice, shape: &Json, key: &str, depth: usize) -> Value {
        let all = self.alternatives(shape);
        let shape = *dice.pick(&all);
        if let Some(words) = shape["enum"].as_array() {
            let word = dice.pick(words).as_str().unwrap_or("none");
            return Value::String(word.to_string());
        }
        let said = self.said.get(key).filter(|_| !dice.one_in(3));
        match shape["type"].as_str() {
            Some("boolean") => Value::Boolean(dice.one_in(2)),
            Some("integer") => match said.map(|said| dice.pick(said).clone()) {
                Some(number @ Value::Integer(_)) => number,
                _ => Value::Integer(whole(dice, shape)),
            },
            Some("number") => match said.map(|said| dice.pick(said).clone()) {
                Some(number @ (Value::Float(_) | Value::Integer(_))) => number,
                _ => Value::Float(number(dice, shape)),
            },
            Some("string") => match (units(shape), said.map(|said| dice.pick(said).clone())) {
                (_, Some(text @ Value::String(_))) => text,
                (units, _) if !units.is_empty() => Value::String(quantity(dice, &units)),
                _ => Value::String(
                    (*dice.pick(&["largest", "none", "x", "a b", "é\u{202e}"])).into(),
                ),
            },
            Some("array") => {
                let count = 1 + dice.below(3);
                let items = (0..count).map(|_| self.make(dice, &shape["items"], key, depth + 1));
                Value::Array(items.collect())
            }
            Some("object") => {
                let needed: Vec<&str> = shape["required"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Json::as_str)
                    .collect();
                let mut table = Table::new();
                for (key, below) in shape["properties"].as_object().into_iter().flatten() {
                    let top = depth == 0 && ["host", "vm"].contains(&key.as_str());
                    let wanted = top
                        || ["workload", "load", "scenario", "target_qps"].contains(&key.as_str())
                        || needed.contains(&key.as_str())
                        || dice.one_in(6);
                    if wanted && depth < 8 && key != "sweep" {
                        table.insert(key.clone(), self.make(dice, below, key, depth + 1));
                    }
                }
                Value::Table(table)
            }
            _ => Value::Integer(1),
        }
    }
}

/// One case in four has cards of several models, and VMs that say on which they are.
fn mix(dice: &mut Dice, table: &mut Table) {
    const MODELS: [&str; 4] = ["a100-pcie-40gb", "a30", "a10", "a100-pcie-80gb"];
    if !dice.one_in(4) {
        return;
    }
    let known = table.get("gpus").and_then(|gpus| gpus.get("model")).and_then(Value::as_str);
    let known = known.unwrap_or(MODELS[0]).to_string();
    let mut gpus = Vec::new();
    for at in 0..2 + dice.below(3) {
        let model = if at == 1 { known.clone() } else { (*dice.pick(&MODELS)).to_string() };
        let count = Value::Integer(1 + dice.below(2) as i64);
        let one = [("model".to_string(), Value::String(model)), ("count".to_string(), count)];
        gpus.push(Value::Table(one.into_iter().collect()));
    }
    table.insert("gpus".to_string(), Value::Array(gpus));
    let Some(Value::Array(vms)) = table.get_mut("vm") else { return };
    for vm in vms.iter_mut().filter_map(Value::as_table_mut) {
        match dice.below(4) {
            0 => drop(vm.insert("gpu".to_string(), Value::String(known.clone()))),
            1 => {
                let model = (*dice.pick(&MODELS)).to_string();
                vm.insert("gpu".to_string(), Value::String(model));
            }
            2 => drop(vm.insert("card".to_string(), Value::Integer(dice.below(5) as i64))),
            _ => {}
        }
    }
}

/// A whole number of the shape's range: its ends and beside them more often than not.
fn whole(dice: &mut Dice, shape: &Json) -> i64 {
    let least = shape["minimum"].as_u64().unwrap_or(0);
    let most = shape["maximum"].as_u64().unwrap_or(u64::MAX).min(i64::MAX as u64);
    let number = match dice.below(8) {
        0 => least,
        1 => most,
        2 => least.wrapping_sub(1),
        3 => most.saturating_add(1),
        4 => least + dice.word() % (most - least + 1),
        _ => least + dice.word() % 16,
    };
    number.min(i64::MAX as u64) as i64
}

/// A number, anywhere between the smallest and the largest, in powers of ten.
fn number(dice: &mut Dice, shape: &Json) -> f64 {
    let end = |key: &str| shape[key].as_f64();
    let ends = [end("minimum"), end("maximum"), end("exclusiveMinimum"), end("exclusiveMaximum")];
    let ends: Vec<f64> = ends.into_iter().flatten().collect();
    match dice.below(8) {
        0 if !ends.is_empty() => *dice.pick(&ends),
        1 if !ends.is_empty() => dice.pick(&ends).next_down(),
        2 if !ends.is_empty() => dice.pick(&ends).next_up(),
        3 => *dice.pick(&[1e-299, 5e-324, 1e-6, 1e-5, 1e308, 0.1, 99.999999, 1.0]),
        _ => 10_f64.powf(dice.below(1200) as f64 / 100.0 - 3.0),
    }
}

/// The units that a pattern of quantities allows; none where it is of something else.
fn units(shape: &Json) -> Vec<String> {
    let pattern = shape["pattern"].as_str().unwrap_or_default();
    let Some(last) = pattern.rfind('(').filter(|_| pattern.contains("[0-9_.]")) else {
        return Vec::new();
    };
    let inside = pattern[last + 1..].split(')').next().unwrap_or_default();
    inside.split('|').map(str::to_string).collect()
}

fn quantity(dice: &mut Dice, units: &[String]) -> String {
    let unit = dice.pick(units);
    match dice.below(6) {
        0 => format!(
            "{} {unit}",
            dice.pick(&["0", "1", "1e-9", "24", "365", "8760", "0.5", "100", "1e9"])
        ),
        1 => format!("{} {unit}", dice.below(100_000)),
        _ => format!("{} {unit}", dice.below(50)),
    }
}

/// Values by the last word of their keys.
fn collect(value: &Value, key: &str, said: &mut BTreeMap<String, Vec<Value>>) {
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| collect(value, key, said)),
        Value::Array(list) => list.iter().for_each(|value| collect(value, key, said)),
        value => said.entry(key.to_string()).or_default().push(value.clone()),
    }
}

fn files_below(folder: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths
        .flat_map(|path| match path.is_dir() {
            true => files_below(path.to_str().unwrap()),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .collect();
    files.sort();
    files
}

/// What a case came to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Came {
    Refused,
    Ran,
    RanCut,
    Swept,
}

/// Cuts the loads of an experiment to what takes no time; whether anything was cut.
fn cut(experiment: &mut Experiment) -> bool {
    let vms = experiment.vms.len() as f64;
    let mut is_cut = false;
    for vm in &mut experiment.vms {
        let per_query = f64::from(vm.load.scenario.samples_per_query());
        let settings = &mut vm.load.settings;
        let room = SAMPLES / vms;
        let counted = settings.min_query_count as f64 * per_query;
        let timed = settings.target_qps * settings.min_duration.as_secs_f64() * 1.1;
        if counted > room {
            settings.min_query_count = (room / per_query).max(1.0) as u64;
            is_cut = true;
        }
        if timed > room {
            let seconds = room / settings.target_qps;
            settings.min_duration = settings.min_duration.min(SimDuration::from_secs_f64(seconds));
            is_cut = true;
        }
        // Loads that wait for answers make as many as fit into the time.
        if !matches!(vm.load.scenario.word(), "server" | "offline") {
            let most = SimDuration::from_millis(200);
            is_cut |= settings.min_duration > most;
            settings.min_duration = settings.min_duration.min(most);
        }
    }
    is_cut
}

fn run(mut scenario: Scenario) -> Came {
    let mut is_cut = false;
    for pair in &mut scenario.pairs {
        for run in pair.runs_mut() {
            is_cut |= cut(&mut run.experiment);
        }
        // A search runs many times.
        pair.capacity = pair.capacity.filter(|_| !is_cut).map(|precision| precision.max(0.2));
    }
    let results = study::run(&scenario, &|_, _, _| {});
    let told = format!("{:?}", results.runs);
    for word in ["NaN", "inf,", "inf}", "inf)", "inf]"] {
        assert!(!told.contains(word), "{word} in {told}");
    }
    for file in report::Report::files(&results).unwrap() {
        if !file.name.ends_with(".png") {
            let text = String::from_utf8(file.bytes).unwrap();
            let text = text.replace(&scenario.title, "");
            assert!(!text.contains("NaN"), "NaN in {}:\n{text}", file.name);
        }
    }
    check_trace(&scenario);
    if is_cut { Came::RanCut } else { Came::Ran }
}

/// The middle of the first thousands of spans keeps the rules of a trace.
fn check_trace(scenario: &Scenario) {
    let pair = &scenario.pairs[0];
    let year = SimDuration::from_secs(31_536_000);
    let experiment = &pair.virtual_run.experiment;
    let begun = record_at_most(experiment, SimTime::ZERO, year, 3_000).until.as_nanos();
    let (from, length) = (SimTime::from_nanos(begun / 2), SimDuration::from_nanos(begun / 3 + 1));
    let results = study::timeline(scenario, pair, None, from, length, &|_| {});
    if results.timeline.until > from {
        read_results(&results);
    }
}

/// Checks a file, and runs it if it passes.
fn attempt(path: &Path, options: &LoadOptions) -> Came {
    match load_task(path, options) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Came::Refused
        }
        Ok(Task::Run(scenario)) => run(*scenario),
        Ok(Task::Sweep(file)) => {
            let points = file.sweep().points.iter().enumerate();
            let good: Vec<usize> =
                points.filter(|(_, point)| point.is_simulated()).map(|(at, _)| at).collect();
            file.with_points(|points| {
                for &at in good.iter().step_by(good.len().div_ceil(3).max(1)) {
                    let mut experiment = points.experiment(at);
                    cut(&mut experiment);
                    let outcome = simulate(&experiment);
                    assert!(outcome.gpu_busy.iter().all(|busy| busy.is_finite()));
                }
            });
            Came::Swept
        }
    }
}

/// A folder where files that scenarios name stand as they do beside ours.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("here")).unwrap();
    copy(Path::new("tests/formats"), &folder.path().join("formats"));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let there = to.join(entry.file_name().unwrap());
        match entry.is_dir() {
            true => copy(&entry, &there),
            false => drop(fs::copy(&entry, there).unwrap()),
        }
    }
}

fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.replace('_', "").parse().ok()
}

#[test]
fn at_random_whatever_check_passes_runs() {
    let (workshop, folder) = (Workshop::new(), folder());
    let path = folder.path().join("here/case.toml");
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let first = told("SLICEWISE_SCENARIOS_FROM").unwrap_or(0);
    let cases = told("SLICEWISE_SCENARIOS").unwrap_or(CASES);
    let mut came: BTreeMap<Came, u64> = BTreeMap::new();
    let (mut wrong, mut longest) = (Vec::new(), (Duration::ZERO, 0));
    for case in first..first + cases {
        let table = workshop.case(&mut Dice::of(2, case));
        let text = toml::to_string(&table).unwrap();
        fs::write(&path, &text).unwrap();
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| attempt(&path, &options)));
        let taken = start.elapsed();
        longest = longest.max((taken, case));
        match outcome {
            Ok(outcome) if taken <= HANG => *came.entry(outcome).or_default() += 1,
            Ok(_) => wrong.push(format!("case {case} took {taken:?}\n{text}")),
            Err(panic) => {
                let why = panic.downcast_ref::<String>().map_or("", String::as_str);
                wrong.push(format!("case {case}: {why}\n{text}"));
            }
        }
        if wrong.len() >= 20 {
            break;
        }
        if (case + 1).is_multiple_of(1000) {
            println!("{} cases: {came:?}, {} wrong", case + 1 - first, wrong.len());
        }
    }
    println!("{came:?}, {:?} at most (case {})", longest.0, longest.1);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let ran = came.get(&Came::Ran).unwrap_or(&0) + came.get(&Came::RanCut).unwrap_or(&0);
    assert!(cases < 100 || ran > cases / 20, "only {ran} of {cases} came to a run");
}

#[test]
fn at_random_every_shipped_scenario_runs() {
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let shipped = files_below("scenarios").into_iter().filter(|path| {
        // VMs that come and go by chance are placed and not run.
        let is_placed = path.starts_with("scenarios/cluster");
        !is_placed && !path.ends_with("_folder.toml") && !path.starts_with("scenarios/calibration")
    });
    for path in shipped {
        assert_ne!(attempt(&path, &options), Came::Refused, "{}", path.display());
    }
}
