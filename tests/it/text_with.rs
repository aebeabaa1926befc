//! A file's text with its settings written into it: read again it is the same task as the file with the
//! settings beside it, whatever the file and whatever is set.

use crate::dice::Dice;
use crate::support::examples;
use slicewise::config::{Catalogue, LoadError, LoadOptions, Task, task_of_text, text_with};
use std::fs;
use std::path::{Path, PathBuf};

/// Into tables, inline tables and arrays of tables; by index and by name; tables that are not there; plain
/// words, texts with units, quotes, arrays and tables.
const SETS: [&str; 22] = [
    "vm.load.target_qps=123.5",
    "vm[0].load.target_qps=77",
    "vm.front.vcpus=3",
    "vm.vcpus = 2",
    "seed=9223372036854775807",
    "sharing.policy=equal-share",
    "sharing.slice=2 ms",
    "vm.server.batch_max=8",
    "vm.server.timeout=\"5 ms\"",
    "vm.\"load\".'min_duration'=\"2 s\"",
    "title=\"a # b = \\\"c\\\"\"",
    "host={ logical_processors = 64, memory = \"512 GB\" }",
    "host.memory=700 GB",
    "gpus.count=2",
    "gpus={ model = \"a30\", count = 1 }",
    "baseline=none",
    "vm.load={ scenario = \"server\", target_qps = 5 }",
    "vm.workload=resnet50",
    "vm.workload.service.a100-pcie-40gb.spread=0.5",
    "vm.count=2",
    "published.virtual.row=x y z",
    "sweep.vm.vcpus=[1, 2, \"4\"]",
];

fn options() -> LoadOptions {
    LoadOptions::new(Catalogue::load(None).unwrap())
}

/// What is read, without what depends on the text itself; or that it is refused.
fn task(path: &Path, text: &str, options: &LoadOptions) -> Option<String> {
    match task_of_text(path, text, options).ok()? {
        Task::Run(run) => {
            Some(format!("{} {} {:?} {:?}", run.title, run.seed, run.lesson, run.pairs))
        }
        Task::Sweep(sweep) => {
            let mut sweep = sweep.sweep().clone();
            sweep.hash = String::new();
            Some(format!("{sweep:?}"))
        }
    }
}

fn files() -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    for folder in ["tests/good", "scenarios", "scenarios/vsphere-mlperf-v1.1"] {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let is_file = path.extension().is_some_and(|kind| kind == "toml");
            if is_file && !path.ends_with("_folder.toml") {
                all.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all.sort();
    let examples = examples().into_iter().enumerate();
    all.extend(examples.map(|(at, text)| (PathBuf::from(format!("docs/{at}.toml")), text)));
    all
}

#[test]
fn it_reads_back_to_the_same_task() {
    let files = files();
    assert!(files.len() > 40, "{}", files.len());
    let plain = options();
    let (mut same, mut refused) = (0, 0);
    for (at, (path, text)) in files.iter().enumerate() {
        let mut dice = Dice::of(7, at as u64);
        let one = |set: &&str| vec![set.to_string()];
        // Sweeps of many points take their time.
        let is_sweep = text.contains("[sweep]");
        let all = if is_sweep { &[][..] } else { &SETS[..] };
        let mut cases: Vec<Vec<String>> = all.iter().map(one).collect();
        for _ in 0..3 {
            let some = (0..1 + dice.below(4)).map(|_| (*dice.pick(&SETS)).to_string());
            cases.push(some.collect());
        }
        for set in cases {
            let beside = LoadOptions { set: set.clone(), ..plain.clone() };
            let wanted = task(path, text, &beside);
            let Ok(written) = text_with(path, text, &set) else {
                // Arguments that lead nowhere: `--set` says the same of them.
                assert_eq!(wanted, None, "{}: {set:?}", path.display());
                refused += 1;
                continue;
            };
            let found = task(path, &written, &plain);
            // `--set` refuses the key of an axis, which a file may state: the axis is stronger.
            if is_sweep && wanted.is_none() {
                continue;
            }
            assert_eq!(wanted, found, "{} with {set:?}:\n{written}", path.display());
            same += usize::from(found.is_some());
            refused += usize::from(found.is_none());
        }
    }
    println!("{same} the same, {refused} refused");
    assert!(same > 200 && refused > 100, "{same} the same, {refused} refused");
}

const FILE: &str = "\
# What this is about.
host = \"dell-r7525\" # ours

[[vm]]
name = \"a b\"
workload = \"bert-99\"
load = { scenario = \"server\", target_qps = 100 } # as measured

# The other one.
[[vm]]
workload = \"resnet50\"
[vm.load]
scenario = \"server\" # of MLPerf
target_qps = 200
";

fn with(set: &[&str]) -> Result<String, LoadError> {
    let set: Vec<String> = set.iter().map(|set| set.to_string()).collect();
    text_with(Path::new("case.toml"), FILE, &set)
}

#[test]
fn what_is_not_set_stays_as_it_was() {
    assert_eq!(with(&[]).unwrap(), FILE);
    let text = with(&[
        "vm.load.target_qps=50",
        "vm.\"a b\".load.min_duration=2 s",
        "sharing.policy=equal-share",
        "host=gigabyte",
    ]);
    let wanted = FILE
        .replace(
            "\"dell-r7525\" # ours",
            "\"gigabyte\" # ours\nsharing = { policy = \"equal-share\" }",
        )
        .replace("target_qps = 100 }", "target_qps = 50, min_duration = \"2 s\" }")
        .replace("target_qps = 200", "target_qps = 50");
    assert_eq!(text.unwrap(), wanted);
}

#[test]
fn arguments_that_lead_nowhere_get_the_message_of_set() {
    for set in ["vm[9].vcpus=1", "no value", "host.model.x=1", "vm[0=1", "vm=", "vm[0]=1", " =2"] {
        let found = with(&[set]).map(|text| text.len());
        let beside = LoadOptions { set: vec![set.to_string()], ..options() };
        let wanted = task_of_text(Path::new("case.toml"), FILE, &beside);
        // What is set to an empty text leads somewhere, and is wrong there.
        let (Err(found), Err(wanted)) = (found, wanted) else {
            assert_eq!(set, "vm=");
            continue;
        };
        let (found, wanted) = (found.to_string(), wanted.to_string());
        assert!(wanted.starts_with(&found) || wanted.contains(&found), "{set}\n{found}\n{wanted}");
    }
    let found = text_with(Path::new("case.toml"), "a = ", &["seed=1".to_string()]);
    assert!(matches!(found, Err(LoadError::Invalid(_))));
    let found = with(&["seed=18446744073709551615"]).unwrap_err().to_string();
    assert!(found.contains("9223372036854775807 at most"), "{found}");
}
