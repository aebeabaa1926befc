//! Cards of several GPU models in one host: which model a VM is on, and that what is on one model is as
//! if the others were not there.
//!
//! What a file may not ask for is in `tests/bad/`: `cards-of-several-models`, `models-*`.

use crate::dice::Dice;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::{simulate, simulate_with};
use slicewise::record::Recorder;
use slicewise::report;
use slicewise::spec::{Experiment, InstanceSharing, Pair, Scenario, SlicePolicy};
use slicewise::study::{self, same_cards, whole_cards};
use slicewise::units::{SimDuration, SimTime};
use std::collections::BTreeMap;
use std::process::Command;

const A100: &str = "{ model = \"a100-pcie-40gb\", count = 2 }";
const A30: &str = "{ model = \"a30\", count = 1 }";

fn scenario(text: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.toml");
    std::fs::write(&path, text).unwrap();
    let catalogue = Catalogue::load(None).unwrap();
    let scenario = load(&path, &LoadOptions { seed: Some(1), ..LoadOptions::new(catalogue) });
    scenario.unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn pair(text: &str) -> Pair {
    scenario(text).pairs.remove(0)
}

fn experiment(text: &str) -> Experiment {
    pair(text).virtual_run.experiment
}

/// A file of these cards, with what stands above its VMs.
fn file(gpus: &[&str], head: &str, vms: &[&str]) -> String {
    let host = "host = { logical_processors = 128, memory = \"512 GB\" }\n";
    let gpus = format!("gpus = [{}]\n", gpus.join(", "));
    [host, &gpus, head].into_iter().chain(vms.iter().copied()).collect()
}

/// A VM that has this of the cards, asked 300 images a second.
fn vm(name: &str, holding: &str) -> String {
    let load =
        "{ scenario = \"server\", target_qps = 300, rules = \"none\", min_duration = \"2 s\" }";
    format!(
        "\n[[vm]]\nname = \"{name}\"\nvcpus = 8\n{holding}\nworkload = \"resnet50\"\nserver.batch_max = 8\nload = {load}\n"
    )
}

type Log = Vec<(SimTime, SimDuration)>;

/// When each query of each VM was due, and what it took.
fn logs(experiment: &Experiment) -> BTreeMap<String, Log> {
    let outcome = simulate_with(experiment, Recorder::keep_log);
    let names = experiment.vms.iter().map(|vm| vm.name.clone());
    let logs = outcome.vms.iter().map(|vm| vm.recorder.log().unwrap().to_vec());
    names.zip(logs).collect()
}

/// The model that each VM is on.
fn models(experiment: &Experiment) -> Vec<(&str, &str)> {
    let of = |share: &slicewise::spec::GpuShare| {
        experiment.cards[usize::from(share.card.0)].gpu.id.as_str()
    };
    let vms = experiment.vms.iter();
    vms.flat_map(|vm| vm.gpus.iter().map(move |share| (vm.name.as_str(), of(share)))).collect()
}

const VSPHERE: &str = "hypervisor = \"vsphere-7.0u2\"\n";
const EQUAL: &str = "hypervisor = \"vsphere-7.0u2\"\nsharing = { policy = \"equal-share\" }\n";
const BARE: &str = "";

/// Independent cards do not disturb each other: every query of every VM takes, to the nanosecond, what it
/// takes on a host that has the VM's model alone. Random streams are named after VMs; that of a ring, by
/// which the hardware's turns begin, after its card, so that of each model those are compared that come
/// first in the list and keep their numbers.
#[test]
fn models_do_not_disturb_each_other() {
    let time_slicing = "process = \"time-slicing\"";
    for (head, on_a100, on_a30) in [
        (VSPHERE, "gpus = 1", "gpus = 1"),
        (VSPHERE, "vgpu = { type = \"A100-10C\" }", "vgpu = { type = \"A30-6C\" }"),
        (EQUAL, "vgpu = { type = \"A100-10C\" }", "vgpu = { type = \"A30-6C\" }"),
        (EQUAL, "vgpu = { type = \"A100-10C\" }", "vgpu = { type = \"A30-1-6C\" }"),
        (VSPHERE, "vgpu = { type = \"largest\" }", "vgpu = { type = \"largest-mig\" }"),
        (BARE, "mig = \"3g.20gb\"", "process = \"mps\""),
        (BARE, "process = \"mps\"", "mig = \"1g.6gb\""),
        (BARE, time_slicing, "process = { sharing = \"time-slicing\", mig = \"2g.12gb\" }"),
    ] {
        let large = vm("large", &format!("gpu = \"a100-pcie-40gb\"\ncount = 2\n{on_a100}"));
        let count = if on_a30 == "gpus = 1" { 1 } else { 2 };
        let small = vm("small", &format!("gpu = \"a30\"\ncount = {count}\n{on_a30}"));
        for (gpus, vms) in [([A100, A30], [&*large, &small]), ([A30, A100], [&*small, &large])] {
            let both = experiment(&file(&gpus, head, &vms));
            let first = experiment(&file(&gpus[..1], head, &vms[..1]));
            assert_eq!(both.vms.len(), 2 + count);
            type Change = fn(&Experiment) -> Experiment;
            for change in [Experiment::clone as Change, same_cards, whole_cards] {
                let (both, first) = (logs(&change(&both)), logs(&change(&first)));
                assert!(first.values().all(|log| log.len() > 400), "{on_a100} {on_a30}");
                for (name, log) in first {
                    assert_eq!(both[&name], log, "{name} of {on_a100} and {on_a30}");
                }
            }
        }
    }
}

/// Where no turn is drawn by lot, those that come second agree as well: their cards' numbers mean nothing.
#[test]
fn the_number_of_a_card_means_nothing() {
    let large = vm("large", "vgpu = { type = \"A100-10C\" }\ncount = 3");
    let small = vm("small", "vgpu = { type = \"A30-1-6C\" }\ncount = 3");
    let both = logs(&experiment(&file(&[A100, A30], EQUAL, &[&large, &small])));
    let alone = logs(&experiment(&file(&[A30], EQUAL, &[&small])));
    alone.into_iter().for_each(|(name, log)| assert_eq!(both[&name], log, "{name}"));
}

/// `gpu`, `card`, a vGPU type and a profile name the model alike; cards are counted as they are listed.
#[test]
fn a_vm_is_on_the_model_that_it_names() {
    let one = "{ model = \"a100-pcie-40gb\" , count = 1 }";
    for (head, holding, model, card) in [
        (VSPHERE, "gpus = 1\ngpu = \"a30\"", "a30", 1),
        (VSPHERE, "gpus = 1\ncard = 1", "a30", 1),
        (VSPHERE, "gpus = 1\ncard = 2", "a100-pcie-40gb", 2),
        (VSPHERE, "gpus = 2", "a100-pcie-40gb", 0),
        (VSPHERE, "vgpu = { type = \"A30-6C\" }", "a30", 1),
        (VSPHERE, "vgpu = { type = \"grid_a100-10c\" }", "a100-pcie-40gb", 0),
        (VSPHERE, "vgpu = { type = \"nvidia_a30-1-6c\" }", "a30", 1),
        (VSPHERE, "vgpu = { type = \"A100-10C\" }\ncard = 2", "a100-pcie-40gb", 2),
        (BARE, "mig = \"2g.12gb\"", "a30", 1),
        (BARE, "mig = { profile = \"7g.40gb\", count = 2 }", "a100-pcie-40gb", 0),
        (BARE, "gpu = \"a30\"", "a30", 1),
    ] {
        let found = experiment(&file(&[one, A30, one], head, &[&vm("vm", holding)]));
        let all = models(&found);
        assert!(all.iter().all(|(_, found)| *found == model), "{holding}: {all:?}");
        assert_eq!(found.vms[0].gpus[0].card.0, card, "{holding}");
        assert_eq!(found.cards[1].gpu.id, "a30");
    }
}

/// Copies and whole cards may be on cards of several models, where these are named.
#[test]
fn whole_cards_of_several_models_are_named_one_by_one() {
    let copies = vm("vm", "gpus = 1\ncount = 3\ncard = [2, 0, 1]");
    let found = experiment(&file(&[A100, A30], VSPHERE, &[&copies]));
    let large = "a100-pcie-40gb";
    assert_eq!(models(&found), [("vm-1", "a30"), ("vm-2", large), ("vm-3", large)]);
    // One VM, and on bare metal by default all there are.
    for holding in ["gpus = 3\ncard = [0, 1, 2]", ""] {
        let found = experiment(&file(&[A100, A30], BARE, &[&vm("vm", holding)]));
        assert_eq!(models(&found), [("vm", large), ("vm", large), ("vm", "a30")]);
        let outcome = simulate(&found);
        assert!(outcome.gpu_busy.iter().all(|busy| *busy > 0.0), "{:?}", outcome.gpu_busy);
    }
}

/// A card is cut by the layouts of its own model, and shared by its own slice and cost of a switch.
#[test]
fn cards_are_cut_and_shared_as_their_model_is() {
    let backed = vm("backed", "vgpu = { type = \"A30-1-6C\" }\ncount = 4");
    let sliced = vm("sliced", "vgpu = { type = \"A100-10C\" }\ncount = 8");
    let found = experiment(&file(&[A30, A100], EQUAL, &[&backed, &sliced]));
    let profiles = |card: usize| -> Vec<Option<&str>> {
        let instances = found.cards[card].instances.iter();
        instances.map(|instance| instance.profile.as_deref()).collect()
    };
    assert_eq!(profiles(0), [Some("1g.6gb"); 4]);
    assert_eq!((profiles(1), profiles(2)), (vec![None], vec![None]));
    // 14 of the 56 SMs of an A30 each.
    assert!(found.cards[0].instances.iter().all(|one| one.share.get() == 0.25));
    let InstanceSharing::Vgpus(turns) = found.cards[1].instances[0].sharing else { panic!() };
    assert_eq!(turns.policy, SlicePolicy::EqualShare);

    let process =
        |gpu: &str| vm(gpu, &format!("gpu = \"{gpu}\"\ncount = 2\nprocess = \"time-slicing\""));
    let models = ["a100-pcie-40gb", "a30"].map(process);
    let found = experiment(&file(&[A100, A30], BARE, &[&models[0], &models[1]]));
    for card in [0, 2] {
        let InstanceSharing::Processes(turns) = found.cards[card].instances[0].sharing else {
            panic!("{:?}", found.cards[card])
        };
        assert_eq!(turns, found.cards[card].gpu.process_turns.value);
    }
}

/// A model that is listed several times is the same as so many of it.
#[test]
fn one_model_listed_n_times_is_n_of_it() {
    let one = "{ model = \"a100-pcie-40gb\", count = 1 }";
    let three = "{ model = \"a100-pcie-40gb\", count = 3 }";
    let named = "\"a100-pcie-40gb\"";
    for (head, holding) in [
        (BARE, ""),
        (BARE, "mig = { profile = \"1g.5gb\", count = 9 }"),
        (BARE, "process = \"mps\"\ncount = 4"),
        (VSPHERE, "gpus = 3"),
        (VSPHERE, "vgpu = { type = \"largest\" }\ncount = 7"),
        (VSPHERE, "vgpu = { type = \"A100-20C\" }\ncount = 3\ncard = [2, 0, 2]"),
    ] {
        let of = |gpus: &[&str]| format!("{:?}", pair(&file(gpus, head, &[&vm("vm", holding)])));
        assert_eq!(of(&[one, one, one]), of(&[three]), "{holding}");
        assert_eq!(of(&[named, one, named]), of(&[three]), "{holding}");
    }
}

/// Bare metal on the same cards answers on the model of each VM's own card: what A100s were asked is not
/// dealt to an A30, be the VMs alike or not.
#[test]
fn bare_metal_is_that_of_the_model() {
    let sliced = |name: &str, kind: &str, count: u32| {
        vm(name, &format!("vgpu = {{ type = \"{kind}\" }}\ncount = {count}"))
    };
    let vms = [sliced("large", "A100-10C", 6), sliced("small", "A30-6C", 2)];
    let own = experiment(&file(&[A100, A30], VSPHERE, &[&vms[0], &vms[1]]));
    let bare = same_cards(&own);
    let large: Vec<u16> = bare.vms[0].gpus.iter().map(|share| share.card.0).collect();
    assert_eq!(large, [0, 1]);
    assert_eq!(bare.vms[6].gpus.len(), 1);
    assert_eq!(bare.vms[6].gpus[0].card.0, 2);
    assert_eq!(bare.pools.len(), 2);
    // One VM on each model: nothing is merged.
    let vms = [sliced("large", "A100-10C", 1), sliced("small", "A30-6C", 1)];
    let own = experiment(&file(&[A100, A30], VSPHERE, &[&vms[0], &vms[1]]));
    assert!(same_cards(&own).pools.is_empty());
}

/// Tables and documents say on which model a VM is where there are several, and nothing where there is one.
#[test]
fn results_say_the_model() {
    let vms = [vm("large", "gpus = 2"), vm("small", "vgpu = { type = \"A30-6C\" }\ncount = 2")];
    let of = |gpus: &[&str], vms: &[&str]| -> Vec<(String, String)> {
        let results = study::run(&scenario(&file(gpus, VSPHERE, vms)), &|_, _, _| {});
        let files = report::Report::files(&results).unwrap().into_iter();
        let texts = files.filter(|file| !file.name.ends_with(".png"));
        texts.map(|file| (file.name, String::from_utf8(file.bytes).unwrap())).collect()
    };
    let text = |files: &[(String, String)], name: &str| {
        files.iter().find(|(known, _)| known == name).unwrap().1.clone()
    };
    let both = of(&[A100, A30], &[&vms[0], &vms[1]]);
    let document: serde_json::Value = serde_json::from_str(&text(&both, "result.json")).unwrap();
    let runs = document["runs"].as_array().unwrap();
    // The VMs, bare metal on the same cards and on whole ones.
    assert_eq!(runs.len(), 3);
    let assumed = runs[0]["assumes"].as_str().unwrap();
    assert!(assumed.starts_with("policy") && assumed.ends_with(" on a30"), "{assumed}");
    let options = runs[0]["alternatives"].as_array().unwrap();
    assert!(!options.is_empty(), "{}", runs[0]);
    for option in options {
        assert!(option["option"].as_str().unwrap().ends_with(" on a30"), "{option}");
    }
    for vm in runs.iter().flat_map(|run| run["vms"].as_array().unwrap()) {
        let model = if vm["name"] == "large" { "a100-pcie-40gb" } else { "a30" };
        assert_eq!(vm["gpu_models"], serde_json::json!([model]), "{vm}");
    }
    let csv = text(&both, "summary.csv");
    assert!(csv.lines().next().unwrap().contains(",vcpus,gpu_models,"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().contains(",8,a100-pcie-40gb,"), "{csv}");
    let table = text(&both, "table.txt");
    let line = |vm: &str| table.lines().find(|line| line.contains(vm)).unwrap().to_string();
    assert!(line("/ large").contains(" a100-pcie-40gb ") && line("/ small-2").contains(" a30 "));
    let one = of(&[A30], &[&vms[1]]);
    assert!(one.iter().all(|(_, text)| !text.contains("gpu_models")));
    let table = text(&one, "table.txt");
    assert!(!table.lines().find(|line| line.starts_with("run ")).unwrap().contains("GPU"));
}

/// Whatever models a host lists in whatever order, a card has the number of its place in the list, and VMs
/// pinned to cards are on them.
#[test]
fn cards_are_counted_as_they_are_listed() {
    const MODELS: [&str; 4] = ["a100-pcie-40gb", "a30", "a10", "a100-sxm-80gb"];
    for seed in 0..40 {
        let dice = &mut Dice::of(7, seed);
        let listed: Vec<(&str, usize)> =
            (0..1 + dice.below(5)).map(|_| (*dice.pick(&MODELS), 1 + dice.below(3))).collect();
        let gpus: Vec<String> = listed
            .iter()
            .map(|(model, count)| format!("{{ model = \"{model}\", count = {count} }}"))
            .collect();
        let gpus: Vec<&str> = gpus.iter().map(String::as_str).collect();
        let cards: Vec<&str> =
            listed.iter().flat_map(|(model, count)| std::iter::repeat_n(*model, *count)).collect();
        // Every card has a VM, in any order.
        let mut order: Vec<usize> = (0..cards.len()).collect();
        (1..order.len()).for_each(|at| order.swap(at, dice.below(at + 1)));
        let pins = format!("gpus = 1\ncount = {}\ncard = {order:?}", order.len());
        let vm = vm("vm", &pins).replace("vcpus = 8", "vcpus = 2");
        let found = experiment(&file(&gpus, VSPHERE, &[&vm]));
        assert!(found.cards.iter().map(|card| &card.gpu.id).eq(&cards), "{gpus:?}");
        for (vm, &card) in found.vms.iter().zip(&order) {
            assert_eq!(usize::from(vm.gpus[0].card.0), card, "{gpus:?} {order:?}");
            assert_eq!(found.models_of(&vm.gpus), [cards[card]]);
        }
    }
}

/// The command on a file in a folder of its own, and what it wrote there.
fn written(command: &[&str], text: &str, name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.toml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_slicewise"))
        .current_dir(folder.path())
        .args(command)
        .args(["test.toml", "--quiet", "--out", "out"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(folder.path().join("out").join(name)).unwrap()
}

/// Sweeps, capacities and numbers of VMs say the model as runs do; an axis compares models.
#[test]
fn every_study_says_the_model() {
    let whole = vm("vm", "gpus = 1").replace("2 s", "0.5 s");
    let axis = "\n[sweep]\nvm.gpu = [\"a100-pcie-40gb\", \"a30\"]\n";
    let rows = written(&["sweep"], &file(&[A100, A30], VSPHERE, &[&whole, axis]), "sweep.jsonl");
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row["gpu_models"], row["vm.gpu"], "{row}");
    }
    // An A30 has 56 SMs, an A100 108.
    let p99 = |row: &serde_json::Value| row["latency_p99_ms"].as_f64().unwrap();
    assert!(p99(&rows[1]) > p99(&rows[0]), "{rows:?}");

    let small = vm("small", "vgpu = { type = \"A30-12C\" }").replace("2 s", "0.5 s");
    let both = file(&[A100, A30], VSPHERE, &[&whole.replace("gpus = 1", "gpus = 2"), &small]);
    let quick = ["capacity", "--replications", "1", "--precision", "0.2"];
    let found: serde_json::Value =
        serde_json::from_str(&written(&quick, &both, "capacity.json")).unwrap();
    let used = serde_json::json!({ "a100-pcie-40gb": 2, "a30": 1 });
    assert!(found["systems"].as_array().unwrap().iter().all(|one| one["cards_by_model"] == used));

    let count = ["capacity", "--vms=small", "--replications", "1"];
    let found: serde_json::Value =
        serde_json::from_str(&written(&count, &both, "vms.json")).unwrap();
    let way = &found["ways"][0];
    assert_eq!(way["gpu_models"], serde_json::json!(["a30"]));
    // Of two A30-12C, both on the one A30; the A100s are not theirs.
    assert_eq!((&way["vms_placed"], &way["cards"]), (&2.into(), &1.into()), "{way}");
}

/// A twin has whole cards of the VM's model.
#[test]
fn a_twin_is_on_the_model_of_its_vm() {
    let sliced = vm("vm", "vgpu = { type = \"A30-6C\" }");
    let text = file(&[A100, A30], &format!("{VSPHERE}baseline = \"twin\"\n"), &[&sliced]);
    let twin = pair(&text).baselines.remove(0).run.experiment;
    assert_eq!(models(&twin), [("vm", "a30")]);
    assert_eq!(twin.vms[0].gpus[0].card.0, 2);
}
