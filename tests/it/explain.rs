//! `slicewise check --explain`: every value in use, and who says it.
//!
//! What the values do is tested elsewhere.

use crate::support::cases;
use proptest::prelude::*;
use slicewise::config::{Catalogue, Explained, LoadOptions, ValueOrigin, explain};
use std::fs;
use std::path::Path;

const FILE: &str = r#"host = "dell-r7525"
hypervisor = "vsphere-7.0u2"
gpus = { model = "a100-pcie-40gb", count = 1 }
sharing = { policy = "equal-share" }

[[vm]]
name = "front"
vcpus = 8
vgpu = { type = "A100-10C" }
workload = "bert-99"
server = { streams = 1 }

[vm.load]
scenario = "server"
target_qps = 100

[[vm]]
count = 2
vcpus = 4
vgpu = { type = "largest" }
workload = "resnet50"
load = { scenario = "server", total_qps = 300, target_latency = "40 ms" }
"#;

/// The values of a file with these settings, each under `section/key`.
fn values(text: &str, set: &[&str], seed: Option<u64>) -> Vec<(String, Explained)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.toml");
    fs::write(&path, text).unwrap();
    let set = set.iter().map(|one| (*one).to_string()).collect();
    let options = LoadOptions { set, seed, ..LoadOptions::new(Catalogue::load(None).unwrap()) };
    let (_, all) = explain(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    let sections = all.into_iter().flat_map(|one| one.sections);
    let values = sections.flat_map(|section| {
        let title = section.title;
        section.values.into_iter().map(move |one| (format!("{title}/{}", one.key), one))
    });
    values.collect()
}

/// Where cards are of several models, each says its own turns, and each VM why it is on which.
#[test]
fn of_several_models_each_says_its_own() {
    let text = fs::read_to_string("tests/good/models.toml").unwrap();
    let text = text.replace("largest-mig", "A30-6C");
    let values = values(&text, &[], None);
    let find = |key: &str| {
        let found = values.iter().find(|(known, _)| known == key);
        let (_, one) = found.unwrap_or_else(|| panic!("no {key} in {values:#?}"));
        let place = one.origin.place.rsplit('/').next().unwrap().to_string();
        (one.value.clone(), one.origin.by, place)
    };
    let listed = "1 x a100-pcie-40gb, 1 x a30, 1 x a100-pcie-40gb";
    for (key, value, by, place) in [
        ("scenario/gpus", listed, "file", "case.toml:3:8"),
        ("sharing on a100-pcie-40gb/switch_cost", "110 us", "gpu", "a100-pcie-40gb"),
        ("sharing on a30/switch_cost", "190 us", "gpu", "a30"),
        ("gpu a100-pcie-40gb/sms", "108", "gpu", "a100-pcie-40gb"),
        ("gpu a30/sms", "56", "gpu", "a30"),
        ("vm by-type/gpu", "a100-pcie-40gb", "default", "the only model of the host that has it"),
        ("vm largest/gpu", "a30", "file", "case.toml:17:7"),
        ("vm whole/gpus", "1 x a100-pcie-40gb", "file", "case.toml:27:8"),
    ] {
        assert_eq!(find(key), (value.to_string(), by, place.to_string()), "{key}");
    }
    let has = |key: &str| values.iter().any(|(known, _)| known == key);
    // A workload's times on the models it runs on, and on no others.
    assert!(has("workload bert-99/service.a100-pcie-40gb.work"));
    assert!(!has("workload bert-99/service.a30.work"));
    assert!(has("workload resnet50/service.a100-pcie-40gb.work"));
    assert!(has("workload resnet50/service.a30.work"));
}

#[test]
fn every_value_names_who_says_it() {
    let set = ["vm.front.vcpus=6", "vm.server.slots=3", "vm[1].server.slots=2"];
    let values = values(FILE, &set, Some(7));
    let find = |key: &str| {
        let found = values.iter().find(|(known, _)| known == key);
        let (_, one) = found.unwrap_or_else(|| panic!("no {key} in {values:#?}"));
        let place = one.origin.place.rsplit('/').next().unwrap().to_string();
        (one.value.clone(), one.origin.by, place)
    };
    for (key, value, by, place) in [
        ("scenario/seed", "7", "flag", "--seed"),
        ("scenario/host", "dell-r7525", "file", "case.toml:1:8"),
        ("scenario/gpus", "1 x a100-pcie-40gb", "file", "case.toml:3:8"),
        ("sharing/policy", "equal-share", "file", "case.toml:4:22"),
        // 1/480 s, as a card takes at most 4 of the type.
        ("sharing/slice", "2.083333 ms", "default", "by the vGPU type's maximum per card"),
        ("sharing/switch_cost", "110 us", "gpu", "a100-pcie-40gb"),
        ("sharing/idle", "burned", "default", "built in"),
        ("vm front/vcpus", "6", "set", "--set vm.front.vcpus=6"),
        ("vm front/vgpu", "1 x A100-10C", "file", "case.toml:9:8"),
        ("vm front/server.preset", "mlperf-bert", "workload", "bert-99"),
        ("vm front/server.batch_max", "64", "preset", "mlperf-bert"),
        ("vm front/server.streams", "1", "file", "case.toml:11:22"),
        ("vm front/server.slots", "3", "set", "--set vm.server.slots=3"),
        ("vm front/load.target_qps", "100", "file", "case.toml:15:14"),
        // The bound of MLPerf's BERT Server.
        ("vm front/load.target_latency", "130 ms", "round", "v1.1"),
        ("vm front/load.percentile", "99", "round", "v1.1"),
        ("vm front/load.round", "v1.1", "default", "LoadGen's own, of the server scenario"),
        ("vm front/load.rules", "mlperf", "default", "the workload is MLPerf's bert"),
        ("vm vm-2/name", "vm-2", "default", "from its number"),
        ("vm vm-2/count", "2", "file", "case.toml:18:9"),
        ("vm vm-2/server.slots", "2", "set", "--set vm[1].server.slots=2"),
        ("vm vm-2/load.target_qps", "150", "file", "case.toml:22:43"),
        ("vm vm-2/load.target_latency", "40 ms", "file", "case.toml:22:65"),
        ("baseline/kind", "same-cards, whole-cards", "default", "built in"),
        ("baseline/hypervisor", "bare-metal", "default", "what bare metal is"),
    ] {
        assert_eq!(find(key), (value.to_string(), by, place.to_string()), "{key}");
    }
    let (_, fact) = values.iter().find(|(key, _)| key == "gpu a100-pcie-40gb/sms").unwrap();
    assert_eq!((fact.value.as_str(), fact.origin.standing), ("108", Some("documented")));
    assert!(fact.origin.source.as_ref().is_some_and(|source| !source.is_empty()));
}

#[test]
fn a_silent_file_leaves_all_to_others() {
    let text = "host = \"dell-r7525\"\n[[vm]]\nworkload = \"bert-99\"\n[vm.server]\nstreams = 3\n[vm.load]\nscenario = \"closed-loop\"\nclients = 2\n";
    let values = values(text, &[], None);
    let said =
        |key: &str| values.iter().find(|(known, _)| known == key).map(|(_, one)| one.clone());
    let origin = |key: &str| said(key).unwrap_or_else(|| panic!("no {key}")).origin;
    assert_eq!(origin("scenario/gpus"), ValueOrigin::new("host", "dell-r7525"));
    assert_eq!(origin("vm vm-1/vcpus").by, "host");
    assert_eq!(origin("vm vm-1/gpus").place, "all cards of the host");
    // One worker to each stream: the preset has two of both.
    assert_eq!(said("vm vm-1/server.slots").unwrap().value, "3");
    assert_eq!(origin("vm vm-1/server.slots").place, "as many as streams");
    assert_eq!(said("vm vm-1/load.target_qps"), None, "clients have no rate");
    assert_eq!(origin("baseline/kind").place, "on bare metal already");
}

/// Every line `key = value` of the good files is the origin of some value, but for what was
/// published and what a teacher says: that is shown, not used.
#[test]
fn every_line_of_a_file_says_something() {
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let folders = ["tests/good", "scenarios/vsphere-mlperf-v1.1"];
    let entries = folders.into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    // Tables that a file names lie beside it.
    for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "toml")) {
        let text = fs::read_to_string(&path).unwrap();
        if path.ends_with("_folder.toml") || text.contains("[sweep]") {
            continue;
        }
        let (_, all) =
            explain(Path::new(&path), &options).unwrap_or_else(|error| panic!("{error}"));
        let values = all.iter().flat_map(|one| &one.sections).flat_map(|section| &section.values);
        let lines: Vec<usize> = values
            .filter(|one| one.origin.by == "file")
            .map(|one| one.origin.place.rsplit(':').nth(1).unwrap().parse().unwrap())
            .collect();
        let mut is_published = false;
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                is_published = line.starts_with("[published")
                    || line.trim_start_matches('[').starts_with("lesson");
            }
            let says = line.contains(" = ") && !line.starts_with('#') && !is_published;
            let told = lines.contains(&(index + 1));
            assert!(told || !says, "{}:{}: {line}", path.display(), index + 1);
        }
    }
}

#[test]
fn of_a_sweep_the_first_point_is_explained() {
    let text = format!("{FILE}\n[sweep]\nvm.front.vcpus = [2, 4]\n");
    let values = values(&text, &[], None);
    let (_, vcpus) = values.iter().find(|(key, _)| key == "vm front/vcpus").unwrap();
    assert_eq!(vcpus.value, "2");
    assert!(vcpus.origin.place.ends_with("case.toml:25:19"), "{:?}", vcpus.origin);
}

proptest! {
    #![proptest_config(cases(300))]

    /// Whatever is set to whatever ends with values or with a message.
    #[test]
    fn random_settings_never_panic(
        path in 0..PATHS.len(),
        value in prop_oneof![
            "(\\PC|[ -~\n\r\t]){0,12}",
            prop::sample::select(VALUES.as_slice()).prop_map(str::to_string),
        ],
        whole in "(\\PC|[=.'\"\\[\\]a-z0-9]){0,12}",
        is_whole in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("case.toml");
        fs::write(&file, FILE).unwrap();
        let one = if is_whole { whole } else { format!("{}={value}", PATHS[path]) };
        let set = vec![one, "vm.vcpus=4".to_string()];
        let catalogue = CATALOGUE.get_or_init(|| Catalogue::load(None).unwrap()).clone();
        if let Err(error) = explain(&file, &LoadOptions { set, ..LoadOptions::new(catalogue) }) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

static CATALOGUE: std::sync::OnceLock<Catalogue> = std::sync::OnceLock::new();

const PATHS: [&str; 14] = [
    "host",
    "gpus",
    "sharing",
    "sharing.idle",
    "vm",
    "vm[0]",
    "vm[1].load",
    "vm.front.server",
    "vm.name",
    "vm.load.arrivals",
    "baseline",
    "capacity.precision",
    "sweep.vm.vcpus",
    "sweep",
];

const VALUES: [&str; 12] = [
    "[1, 2]",
    "[\"a\", 'b', { c = [1979-05-27] }]",
    "{ kind = \"twin\", vm.server = { batch_max = 2 } }",
    "twin",
    "[{}]",
    "[{ workload = \"bert-99\" }]",
    "{ precision = \"1 %\" }",
    "\u{feff}1",
    "1 # comment",
    "-9223372036854775808",
    "nan",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
];
