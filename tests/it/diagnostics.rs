//! Bad input: every case under `tests/bad/` against the exact message beside it, and good input
//! mutated at random, which must never panic.
//!
//! `UPDATE=1` rewrites the messages; the diff is read in review. A case is a file, or a folder, and
//! its message stands in `<case>.txt`. A case whose name starts with `catalogue-` is a catalogue
//! folder. Inputs too long or too odd to keep as files are made here.

use crate::support::{cases, examples, hold_messages};
use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadError, LoadOptions, SweepFile, Task, load, load_task};
use slicewise::spec::{Baseline, BaselineKind, Scenario};
use std::fs;
use std::path::{Path, PathBuf};

fn options() -> LoadOptions {
    LoadOptions::new(Catalogue::load(None).unwrap())
}

/// What the user reads for a path, with the exit code on the first line.
fn message(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    let result = match name.starts_with("catalogue-") {
        true => Catalogue::load(Some(path)).map(|_| ()),
        false => load_task(path, &options()).map(|_| ()),
    };
    match result {
        Ok(()) => panic!("{} was accepted", path.display()),
        Err(error @ LoadError::Invalid(_)) => format!("exit code 2\n\n{error}\n"),
        Err(error @ LoadError::World(_)) => format!("exit code 1\n\n{error}\n"),
    }
}

#[test]
fn every_bad_input_gets_its_message() {
    let entries = fs::read_dir("tests/bad").unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_none_or(|kind| kind != "txt")).collect();
    // Foreign formats have readers of their own, in `foreign.rs`.
    cases.retain(|path| {
        !["formats", "foreign", "traces"].iter().any(|folder| path.ends_with(folder))
    });
    cases.sort();
    hold_messages(cases.into_iter().map(|case| {
        let found = message(&case);
        (case.clone(), case.with_extension("txt"), found)
    }));
}

#[test]
fn the_published_pairs_are_read() {
    let scenario = load(Path::new("scenarios/vsphere-mlperf-v1.1"), &options())
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(scenario.name, "vsphere-mlperf-v1.1");
    assert_eq!(scenario.pairs.len(), 6);
    for pair in &scenario.pairs {
        let [Baseline { kind: BaselineKind::Twin { .. }, run: twin }] = &pair.baselines[..] else {
            panic!("{} has no twin", pair.name)
        };
        assert!(pair.virtual_run.published.is_some() && twin.published.is_some());
        assert_eq!(pair.capacity, Some(0.001));
        assert_eq!(pair.virtual_run.experiment.vms[0].vcpus, 24);
        assert_eq!(twin.experiment.vms[0].vcpus, 128);
    }
    let differs = |scenario: &Scenario, name: &str| {
        let pair = scenario.pairs.iter().find(|pair| pair.name == name).unwrap();
        match &pair.baselines[0].kind {
            BaselineKind::Twin { differs } => differs.clone(),
            other => panic!("{other:?} is no twin"),
        }
    };
    assert_eq!(
        differs(&scenario, "bert-99-server"),
        ["batch_max 69 (64)", "target_qps 7870 (7800)"]
    );
    assert_eq!(differs(&scenario, "bert-99-offline"), [""; 0]);
}

#[test]
fn a_sweep_is_one_point_for_each_value() {
    let file = load_sweep("scenarios/vcpu-knee.toml");
    let sweep = file.sweep();
    assert_eq!((sweep.parameters[0].key.as_str(), sweep.points.len()), ("vm.vcpus", 10));
    assert_eq!(
        (sweep.points[3].x.number, sweep.lines.as_slice()),
        (Some(4.0), &[String::new()][..])
    );
    let vcpus = file.with_points(|points| points.experiment(3).vms[0].vcpus);
    assert_eq!(vcpus, 4);
    let refused = load(Path::new("scenarios/vcpu-knee.toml"), &options()).unwrap_err();
    assert!(refused.to_string().contains("slicewise sweep"), "{refused}");
}

#[test]
fn a_seed_that_varies_is_not_given_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seeds.toml");
    let text = fs::read_to_string("scenarios/vcpu-knee.toml").unwrap();
    fs::write(&path, text + "seed = [1, 2]\n").unwrap();
    assert!(load_task(&path, &options()).is_ok());
    let error = load_task(&path, &LoadOptions { seed: Some(7), ..options() }).unwrap_err();
    assert!(
        error.to_string().starts_with("error: `seed` varies, and --seed sets it to 7 as well"),
        "{error}"
    );
}

fn load_sweep(path: &str) -> Box<SweepFile> {
    match load_task(Path::new(path), &options()).unwrap_or_else(|error| panic!("{error}")) {
        Task::Sweep(file) => file,
        Task::Run(_) => panic!("{path} is no sweep"),
    }
}

#[test]
fn the_examples_of_the_documents_are_good() {
    for example in examples() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("example.toml");
        fs::write(&path, example).unwrap();
        load_task(&path, &options()).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The first line that a user reads about a file with this content.
fn first_line(name: &str, content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    match load_task(&path, &options()) {
        Err(error @ LoadError::Invalid(_)) => {
            let message = error.to_string();
            assert!(message.len() < 20_000, "{} bytes of message", message.len());
            message.lines().next().unwrap().to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn very_long_and_very_deep_files_are_refused() {
    assert_eq!(first_line("long.toml", &vec![b'#'; (1 << 20) + 1]), "error: the file is too long");
    let deep = ["a = ".to_string(), "[".repeat(100_000), "]".repeat(100_000)].concat();
    assert_eq!(first_line("arrays.toml", deep.as_bytes()), "error: the file is nested too deeply");
    let deep = format!("a = {}1{}", "{ b = ".repeat(100_000), " }".repeat(100_000));
    assert_eq!(first_line("tables.toml", deep.as_bytes()), "error: the file is nested too deeply");
    let keys = format!("{} = 1", vec!["a"; 200_000].join("."));
    assert_eq!(first_line("keys.toml", keys.as_bytes()), "error: the file is nested too deeply");
    // Just within both limits of the parser: tables in tables, each of many dotted keys.
    let key = vec!["a"; 79].join(".");
    let deep = format!("{}1{}", format!("{{ {key} = ").repeat(78), " }".repeat(78));
    assert!(first_line("both.toml", format!("{key} = {deep}").as_bytes()).starts_with("error: "));
    let line = format!("host = \"{}\"", "x".repeat(1_000_000));
    assert_eq!(
        first_line("line.toml", format!("{line}\nvm = 1").as_bytes()).len(),
        "error: unknown host \"...\"".len() + 60
    );
}

#[test]
fn of_very_many_errors_fifty_are_shown() {
    let keys: String = (0..60_000).map(|index| format!("k{index} = 1\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.toml");
    fs::write(&path, keys).unwrap();
    let Err(LoadError::Invalid(all)) = load(&path, &options()) else { panic!("accepted") };
    assert_eq!(all.len(), 51);
    // 60 000 unknown keys, and the missing `host` and `vm`.
    assert_eq!(all[50].to_string(), "error: 59952 more errors are not shown");
}

#[test]
fn a_missing_path_is_the_worlds_fault() {
    let Err(LoadError::World(error)) = load(Path::new("no/such/file.toml"), &options()) else {
        panic!()
    };
    assert_eq!(error.to_string(), "cannot read no/such/file.toml: no such file");
    let Err(LoadError::World(error)) = Catalogue::load(Some(Path::new("no/such/folder"))) else {
        panic!()
    };
    let said = error.to_string();
    assert!(
        said.contains("--configs") && said.contains("does not exist: no/such/folder"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn devices_and_loops_do_not_hang() {
    let Err(LoadError::Invalid(all)) = load(Path::new("/dev/zero"), &options()) else { panic!() };
    assert!(
        all[0].to_string().starts_with("error: the path is neither a file nor a folder"),
        "{}",
        all[0]
    );
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("a.toml")).unwrap();
    std::os::unix::fs::symlink("b.toml", folder.path().join("b.toml")).unwrap();
    assert!(matches!(load(&folder.path().join("b.toml"), &options()), Err(LoadError::World(_))));
    fs::remove_file(folder.path().join("b.toml")).unwrap();
    assert!(matches!(load(folder.path(), &options()), Err(LoadError::Invalid(_))));
}

#[test]
fn a_folder_holds_at_most_64_files() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..65 {
        fs::write(folder.path().join(format!("{index}.toml")), "x").unwrap();
    }
    let Err(error @ LoadError::Invalid(_)) = load(folder.path(), &options()) else { panic!() };
    assert!(error.to_string().starts_with("error: the folder holds 65 *.toml files"), "{error}");
}

#[test]
fn a_catalogue_folder_replaces_and_adds() {
    let folder = tempfile::tempdir().unwrap();
    let workloads = folder.path().join("workloads");
    fs::create_dir(&workloads).unwrap();
    let embedded = Catalogue::load(None).unwrap();
    let text = embedded.show("bert-99").unwrap();
    fs::write(workloads.join("bert-99.toml"), text.replace("INT8", "INT8, ours")).unwrap();
    fs::write(workloads.join("bert-98.toml"), text).unwrap();
    let catalogue = Catalogue::load(Some(folder.path())).unwrap();
    assert_eq!(catalogue.ids().len(), embedded.ids().len() + 1);
    let ours = catalogue.list().into_iter().find(|entry| entry.id == "bert-99").unwrap();
    assert!(
        ours.name.contains("ours") && ours.origin.to_string().ends_with("bert-99.toml"),
        "{ours:?}"
    );
    // The text of the catalogue is part of the scenario's hash.
    let path = Path::new("scenarios/vsphere-mlperf-v1.1/bert-99-server.toml");
    let hash = |catalogue: Catalogue| load(path, &LoadOptions::new(catalogue)).unwrap().hash;
    assert_ne!(hash(embedded), hash(catalogue));
}

#[test]
fn silence_means_the_defaults_of_mlperf_and_the_catalogue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.toml");
    fs::write(&path, "host = \"dell-r7525\"\n[[vm]]\nworkload = \"ssd-resnet34\"\nload = { scenario = \"server\", target_qps = 2000 }\n").unwrap();
    let scenario = load(&path, &LoadOptions { seed: Some(7), ..options() }).unwrap();
    assert_eq!(
        (scenario.name.as_str(), scenario.title.as_str(), scenario.seed),
        ("short", "short", 7)
    );
    let experiment = &scenario.pairs[0].virtual_run.experiment;
    let vm = &experiment.vms[0];
    assert_eq!((experiment.seed, experiment.hypervisor.id.as_str()), (7, "bare-metal"));
    assert_eq!((vm.name.as_str(), vm.vcpus, vm.gpus.len()), ("vm-1", 128, 3));
    assert_eq!((vm.server.preset.as_str(), vm.server.slots), ("mlperf-lwis", 4));
    let settings = &vm.load.settings;
    assert_eq!((settings.percentile, settings.min_query_count), (99.0, 270_336));
    assert_eq!(
        (settings.target_latency.to_string(), settings.min_duration.to_string()),
        ("100 ms".into(), "600 s".into())
    );
    assert!(scenario.pairs[0].baselines.is_empty(), "bare metal beside bare metal says nothing");
}

#[test]
fn a_virtual_run_stands_beside_both_counterfactuals() {
    let folder = tempfile::tempdir().unwrap();
    let vm = |name: &str| {
        format!(
            "[[vm]]\nname = \"{name}\"\nvcpus = 8\nvgpu = {{ type = \"A100-40C\" }}\nworkload = \"bert-99\"\nload = {{ scenario = \"server\", target_qps = 2000 }}\n"
        )
    };
    let path = folder.path().join("two.toml");
    fs::write(
        &path,
        format!("host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\n{}{}", vm("a"), vm("b")),
    )
    .unwrap();
    let scenario = load(&path, &options()).unwrap_or_else(|error| panic!("{error}"));
    let (pair, experiment) = (&scenario.pairs[0], &scenario.pairs[0].virtual_run.experiment);
    let cards: Vec<u16> =
        experiment.vms.iter().flat_map(|vm| vm.gpus.iter().map(|gpu| gpu.card.0)).collect();
    assert_eq!(cards, [0, 1]);
    let [same, whole] = &pair.baselines[..] else { panic!("two kinds of bare metal") };
    assert_eq!([&same.kind, &whole.kind], [&BaselineKind::SameCards, &BaselineKind::WholeCards]);
    for baseline in [same, whole] {
        let experiment = &baseline.run.experiment;
        assert_eq!(experiment.hypervisor.id, "bare-metal");
        assert_eq!(experiment.cards.len(), 2);
        assert!(experiment.vms.iter().all(|vm| vm.gpus[0].vgpu_type.is_none()));
    }
    // Two VMs with a card each: together on two servers, or apart as before.
    assert_eq!(same.run.experiment.pools[0].servers.len(), 2);
    assert!(whole.run.experiment.pools.is_empty());
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_mebibyte_of_anything_ends_soon() {
    let fillers = [
        "=",
        "[",
        "{",
        "\"",
        "'''",
        ".",
        ",",
        "a\n",
        "a=1\n",
        "[a]\n",
        "[[vm]]\n",
        "a=[\n",
        "a={\n",
        "a=[{},\n",
        "#\n",
        "\u{feff}",
        "\\",
        "\r",
        "vm=[[],[],\n",
        "[vm.vm]\n",
        "\u{1b}[31m",
    ];
    for filler in fillers {
        never_panics(filler.repeat((1 << 20) / filler.len()).as_bytes(), &options());
    }
    let keys = (0..100_000).map(|index| format!("[k{index}]\n")).collect::<String>();
    never_panics(keys.as_bytes(), &options());
}

/// Loading must end with a scenario or with a message, whatever the bytes are.
fn never_panics(bytes: &[u8], options: &LoadOptions) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.toml");
    fs::write(&path, bytes).unwrap();
    if let Err(error) = load_task(&path, options) {
        assert!(!error.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    #[ignore = "long: cargo test -- --include-ignored"]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        never_panics(&bytes, &options());
    }

    #[test]
    #[ignore = "long: cargo test -- --include-ignored"]
    fn a_good_file_gone_wrong_never_panics(
        file in 0..GOOD.len(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "(\\PC|[ -~\n\r\t]){0,6}"), 1..6),
    ) {
        let mut text = fs::read_to_string(GOOD[file]).unwrap();
        for (at, length, insert) in &cuts {
            let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            let at = boundary(at.index(text.len() + 1));
            let end = boundary(at + length).max(at);
            text.replace_range(at..end, insert);
        }
        never_panics(text.as_bytes(), &options());
    }

    #[test]
    #[ignore = "long: cargo test -- --include-ignored"]
    fn a_good_file_with_odd_values_never_panics(file in 0..GOOD.len(), line in any::<prop::sample::Index>(), value in 0..ODD.len()) {
        let text = fs::read_to_string(GOOD[file]).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        let line = line.index(lines.len());
        if let Some((key, _)) = lines[line].clone().split_once(" = ") {
            lines[line] = format!("{key} = {}", ODD[value]);
        }
        never_panics(lines.join("\n").as_bytes(), &options());
    }
}

const GOOD: [&str; 6] = [
    "tests/good/processes.toml",
    "tests/good/sharing.toml",
    "scenarios/vcpu-knee.toml",
    "scenarios/vsphere-mlperf-v1.1/bert-99-server.toml",
    "scenarios/vsphere-mlperf-v1.1/ssd-resnet34-server.toml",
    "scenarios/vsphere-mlperf-v1.1/ssd-resnet34-offline.toml",
];

const ODD: [&str; 16] = [
    "0",
    "-1",
    "18446744073709551616",
    "9223372036854775807",
    "0xFFFFFFFFFFFFFFFFFFFFFFFF",
    "1e308",
    "-0.0",
    "nan",
    "\"\"",
    "\"1e308 s\"",
    "\"-5 ms\"",
    "\"99999999999999999999 GB\"",
    "[]",
    "{}",
    "1979-05-27",
    "[[1], { a = 1 }]",
];
