//! Workloads that stand in the scenario: the same to the simulator as the same keys in a workload file.
//!
//! What such a workload may not say is in `tests/bad/`, `own-workload*`.

use slicewise::config::{Catalogue, LoadOptions, Task, explain, load_task, load_task_with_inputs};
use slicewise::spec::{Experiment, Scenario};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const HEAD: &str = "host = { logical_processors = 64, memory = \"512 GB\" }
gpus = { model = \"a100-pcie-40gb\", count = 2 }
";

const LOAD: &str = "gpus = 1
vcpus = 4
load = { scenario = \"server\", target_qps = 100, rules = \"none\", min_duration = \"5 s\" }
";

fn options(set: &[&str]) -> LoadOptions {
    let set = set.iter().map(|set| set.to_string()).collect();
    LoadOptions { set, ..LoadOptions::new(Catalogue::load(None).unwrap()) }
}

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn scenario(path: &Path, set: &[&str]) -> Scenario {
    match load_task(path, &options(set)).unwrap_or_else(|error| panic!("{error}")) {
        Task::Run(scenario) => *scenario,
        Task::Sweep(_) => panic!("it is a run"),
    }
}

fn experiment(text: &str, set: &[&str]) -> Experiment {
    let (_folder, path) = file(text);
    scenario(&path, set).pairs.remove(0).virtual_run.experiment
}

/// A workload in one line, with this name, time and more.
fn workload(name: &str, time: &str, more: &str) -> String {
    format!(
        "workload = {{ name = \"{name}\", usual_preset = \"triton\", target_latency = \"100 ms\", \
         weights = \"100 MB\", service.a100-pcie-40gb = {{ work = {{ 1 = \"{time}\" }}{more} }} }}\n"
    )
}

fn ids(text: &str, set: &[&str]) -> Vec<String> {
    experiment(text, set).vms.iter().map(|vm| vm.workload.id.clone()).collect()
}

#[test]
fn it_is_what_the_same_keys_are_in_a_file() {
    let keys = fs::read_to_string("benches/cases/one-ms.toml").unwrap();
    let inside =
        keys.replace("[cpu]", "[vm.workload.cpu]").replace("[service", "[vm.workload.service");
    let (_folder, path) = file(&format!("{HEAD}\n[[vm]]\n{LOAD}\n[vm.workload]\n{inside}"));
    let (folder, beside) = file(&format!("{HEAD}\n[[vm]]\nworkload = \"one-ms.toml\"\n{LOAD}"));
    fs::write(folder.path().join("one-ms.toml"), keys).unwrap();
    let inside = scenario(&path, &[]);
    let of_file = scenario(&beside, &[]);
    let id = &inside.pairs[0].virtual_run.experiment.vms[0].workload.id;
    assert_eq!(id, "own/1-ms-of-gpu-work");
    let alike = |scenario: &Scenario, id: &str| format!("{:?}", scenario.pairs).replace(id, "ID");
    assert_eq!(alike(&inside, id), alike(&of_file, "one-ms.toml"));
}

#[test]
fn equal_ones_have_one_id_and_others_of_the_name_are_numbered() {
    let vm = |workload: &str| format!("\n[[vm]]\n{LOAD}{workload}");
    let (one, two) =
        (workload("My Model, v1.2", "1 ms", ""), workload("My Model, v1.2", "2 ms", ""));
    let of = |all: &[&str]| {
        ids(&(HEAD.to_string() + &all.iter().map(|one| vm(one)).collect::<String>()), &[])
    };
    assert_eq!(of(&[&one, &one]), ["own/my-model-v1-2"; 2]);
    assert_eq!(of(&[&one, &two]), ["own/my-model-v1-2", "own/my-model-v1-2-2"]);
    assert_eq!(of(&[&two, &one]), ["own/my-model-v1-2", "own/my-model-v1-2-2"]);
    // A name that is what another is numbered to.
    let third = workload("my model v1.2 2", "3 ms", "");
    assert_eq!(of(&[&third, &one])[1], "own/my-model-v1-2");
    let text = HEAD.replace("count = 2", "count = 3") + &vm(&one) + &vm(&third) + &vm(&two);
    assert_eq!(
        ids(&text, &[]),
        ["own/my-model-v1-2", "own/my-model-v1-2-2", "own/my-model-v1-2-3"]
    );
    // Names of the catalogue and of files are none of these.
    assert_eq!(of(&[&workload("bert-99", "1 ms", "")]), ["own/bert-99"]);
    assert_eq!(of(&[&workload("mine.toml", "1 ms", "")]), ["own/mine-toml"]);
    assert_eq!(of(&[&workload("!", "1 ms", "")]), ["own/workload"]);
}

#[test]
fn its_keys_are_set_and_varied_like_any_other() {
    let text = format!("{HEAD}\n[[vm]]\nname = \"a\"\n{LOAD}{}", workload("X", "1 ms", ""));
    let key = "vm.workload.service.a100-pcie-40gb.spread";
    let spread = |experiment: &Experiment| {
        experiment.vms[0].workload.service["a100-pcie-40gb"].spread.value.get()
    };
    assert_eq!(spread(&experiment(&text, &[])), 0.0);
    assert_eq!(spread(&experiment(&text, &[&format!("{key}=0.5")])), 0.5);
    assert_eq!(spread(&experiment(&text, &[&format!("{}=20 %", key.replace("vm", "vm.a"))])), 0.2);
    // Another workload in its place.
    assert_eq!(ids(&text, &["vm.workload=bert-99"]), ["bert-99"]);
    let (_folder, path) = file(&format!("{text}\n[sweep]\n{key} = [0, 0.25, \"50 %\"]\n"));
    let Task::Sweep(sweep) = load_task(&path, &options(&[])).unwrap() else { panic!("a sweep") };
    let found: Vec<(f64, String)> = sweep.with_points(|points| {
        let all = (0..3).map(|point| points.experiment(point));
        all.map(|one| (spread(&one), one.vms[0].workload.id.clone())).collect()
    });
    let own = || "own/x".to_string();
    assert_eq!(found, [(0.0, own()), (0.25, own()), (0.5, own())]);
}

#[test]
fn the_hash_changes_with_it_and_no_other_file_is_named() {
    let text = |time| format!("{HEAD}\n[[vm]]\n{LOAD}{}", workload("X", time, ""));
    let hash = |text: &str| {
        let (_folder, path) = file(text);
        scenario(&path, &[]).hash
    };
    assert_ne!(hash(&text("1 ms")), hash(&text("2 ms")));
    assert_eq!(hash(&text("1 ms")), hash(&text("1 ms")));
    let (_folder, path) = file(&text("1 ms"));
    let (_, inputs) = load_task_with_inputs(&path, &options(&[])).unwrap();
    assert_eq!(inputs.files, [("case.toml".to_string(), text("1 ms"))]);
    let built_in = ["gpus/a100-pcie-40gb", "hypervisors/bare-metal"];
    assert_eq!(inputs.built_in, built_in);
}

#[test]
fn its_values_are_explained_where_they_stand() {
    let own = workload(
        "X",
        "1 ms",
        ", phi = { value = 0.9, source = \"a bench\", standing = \"measured\" }",
    );
    let (_folder, path) = file(&format!("{HEAD}\n[[vm]]\n{LOAD}{own}"));
    let (_, all) = explain(&path, &options(&["vm.workload.weights=1 GB"])).unwrap();
    let section = all[0].sections.iter().find(|section| section.title == "workload own/x").unwrap();
    let of = |key: &str| section.values.iter().find(|one| one.key == key).unwrap();
    let phi = &of("service.a100-pcie-40gb.phi").origin;
    assert!(phi.place.contains("case.toml:8:"), "{phi:?}");
    assert_eq!((phi.standing, phi.source.as_deref()), (Some("measured"), Some("a bench")));
    let weights = of("weights");
    assert_eq!((weights.value.as_str(), weights.origin.by), ("1 GB", "set"));
    assert_eq!(weights.origin.standing, Some("yours"));
    let launch = &of("service.a100-pcie-40gb.launch").origin;
    assert_eq!((launch.by, launch.place.as_str()), ("workload", "own/x"));
    assert_eq!(launch.standing, Some("assumed"));
}
