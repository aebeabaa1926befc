//! The JSON Schema of scenario files: the copy in `docs/` is current, every good file is valid by
//! it, and what is wrong by key or type is refused.
//!
//! That it has the readers' keys, words and ranges is tested beside it, in `config`.

use crate::support::examples;
use serde_json::Value;
use slicewise::config::{Catalogue, LoadOptions, Task, load_task, schema};
use std::fs;
use std::path::{Path, PathBuf};

const COPY: &str = "docs/scenario.schema.json";

#[test]
fn the_copy_in_the_documents_is_current() {
    let text = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(COPY, &text).unwrap();
    }
    let copy = fs::read_to_string(COPY).unwrap_or_default();
    assert!(copy == text, "{COPY} is out of date: UPDATE=1 cargo test --test it schema");
}

/// What a validator says against a file; nothing when the file is no TOML.
fn errors(text: &str) -> Option<Vec<String>> {
    let value: Value = toml::from_str(text).ok()?;
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    Some(
        validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect(),
    )
}

#[track_caller]
fn is_valid(name: &str, text: &str) {
    let errors = errors(text).expect("a good file is TOML");
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

/// Every `*.toml` below a folder, those that only name a folder left out.
fn files_below(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = entries.flat_map(|path| match path.is_dir() {
        true => files_below(path.to_str().unwrap()),
        false => vec![path],
    });
    let mut files: Vec<_> = all
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .filter(|path| !path.ends_with("_folder.toml"))
        // What was measured is no scenario.
        .filter(|path| !path.starts_with("scenarios/calibration"))
        .collect();
    files.sort();
    files
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

#[test]
fn every_scenario_and_example_is_valid() {
    let files: Vec<_> = ["scenarios", "tests/good"].into_iter().flat_map(files_below).collect();
    assert!(files.len() >= 30, "{files:?}");
    for file in files {
        is_valid(&file.display().to_string(), &fs::read_to_string(&file).unwrap());
    }
    for example in examples() {
        is_valid("an example of the documents", &example);
    }
    let guide = fs::read_to_string("docs/how-to/plan.md").unwrap();
    let mut blocks = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let whole = blocks.find(|block| block.contains("host = ")).unwrap();
    let plan = format!(
        "{}\n[plan]\nat_most = 4\nbatches = \"fixed\"\n[prices]\ncurrency = \"EUR\"\ncard_hour = {{ a30 = 1 }}\n",
        whole
    );
    is_valid("a plan file", &plan);
    let any = "host = \"dell-r7525\"\ngpus = { model = \"a30\", count = \"any\" }\n[[vm]]\nvcpus = 2\nworkload = \"bert-99\"\nload = { scenario = \"server\", target_qps = 10 }\n";
    is_valid("a plan file", any);
    let errors = errors(&any.replace("\"any\"", "\"many\"")).unwrap();
    assert!(!errors.is_empty());
}

/// What the messages of the readers say when a key, a type or a word is wrong by itself.
const OF_FORM: [&str; 8] = [
    "error: unknown key",
    "error: missing key",
    "expected a",
    "is not in quotes",
    "needs a unit",
    "not a unit",
    "kind of baseline",
    "unknown preset",
];

#[test]
fn what_is_wrong_by_key_or_type_is_refused() {
    let mut refused = 0;
    for file in files_below("tests/bad") {
        let message = fs::read_to_string(file.with_extension("txt")).unwrap_or_default();
        let Some(errors) = errors(&fs::read_to_string(&file).unwrap_or_default()) else { continue };
        let of_form = OF_FORM.iter().any(|words| message.contains(words));
        // The keys of a sweep are paths, which a schema cannot look into.
        let of_form = of_form && !file.ends_with("sweep-unknown-key.toml");
        // Nor into other files.
        let of_form = of_form && !file.ends_with("operations-of-a-faulty-trace.toml");
        assert!(!of_form || !errors.is_empty(), "{} passes", file.display());
        refused += usize::from(!errors.is_empty());
    }
    assert!(refused >= 30, "{refused}");
}

/// An editor that underlines what is right is worse than none: whatever the readers accept, the
/// schema does. Every value of the good files in turn becomes something else.
#[test]
fn what_the_readers_accept_is_valid() {
    const VALUES: [&str; 10] =
        ["0", "1", "0.5", "true", "\"\"", "\"1 s\"", "\"10 %\"", "\"none\"", "\"largest\"", "[]"];
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.toml");
    let mut accepted = 0;
    let accepts = |text: &str| {
        fs::write(&path, text).unwrap();
        load_task(Path::new(&path), &options).is_ok()
    };
    for text in files_below("tests/good").iter().map(|file| fs::read_to_string(file).unwrap()) {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some((key, _)) = line.split_once(" = ") else { continue };
            for value in VALUES {
                let changed = format!("{key} = {value}");
                let mut lines = lines.clone();
                lines[index] = &changed;
                let text = lines.join("\n");
                let valid = validator.is_valid(&toml::from_str::<Value>(&text).unwrap());
                if !valid {
                    assert!(!accepts(&text), "only the schema refuses {changed}");
                } else {
                    accepted += 1;
                }
            }
        }
    }
    assert!(accepted > 20, "{accepted}");
}

/// The keys with a default, by path, and the default as `--set` takes it.
fn defaults(above: &str, shape: &Value, all: &mut Vec<(String, String)>) {
    for shape in shape["anyOf"].as_array().cloned().unwrap_or_else(|| vec![shape.clone()]) {
        let shape = shape.get("items").unwrap_or(&shape);
        for (key, below) in shape["properties"].as_object().into_iter().flatten() {
            let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            all.extend(below.get("default").map(|default| (path.clone(), default.to_string())));
            defaults(&path, below, all);
        }
    }
}

/// Saying what a key is anyway changes nothing.
#[test]
fn defaults_are_what_silence_means() {
    const VM: &str = "[[vm]]\nvcpus = 8\nworkload = \"bert-99\"\nserver.batch_max = 4\nload = { scenario = \"server\", target_qps = 10 }\n";
    let bursty = VM.replace(
        "10 }",
        "10, arrivals = \"bursty\", bursts = { peak = 2, share = 0.1, length = \"2 s\" } }",
    );
    // The same VM with its workload as one of its models.
    let models = |vm: &str| {
        let own = vm.replace("[[vm]]\nvcpus = 8\n", "");
        format!("host = \"dell-r7525\"\n[[vm]]\nvcpus = 8\n[[vm.model]]\nname = \"a\"\n{own}")
    };
    let ensemble = |load: &str| {
        let load = format!("load = {{ scenario = \"server\", target_latency = \"1 s\", {load} }}");
        let models = models("workload = \"bert-99\"\nserver.batch_max = 4\n");
        format!("{models}[[vm.ensemble]]\nname = \"e\"\nsteps = [\"a\"]\n{load}\n")
    };
    let pods = |vm: &str| {
        let own = vm.replace("[[vm]]\nvcpus = 8\n", "");
        format!(
            "host = \"dell-r7525\"\n[[vm]]\nvcpus = 8\ngpus = 1\npods.sharing = \"time-slicing\"\n[[vm.pod]]\nname = \"a\"\n{own}"
        )
    };
    let vsphere = "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\n";
    let bases = [
        format!("{vsphere}{VM}vgpu.type = \"A100-10C\"\n"),
        format!("{vsphere}sharing.policy = \"equal-share\"\n{VM}vgpu.type = \"A100-10C\"\n"),
        format!("host = \"dell-r7525\"\n{VM}mig.profile = \"1g.5gb\"\n"),
        format!("host = \"dell-r7525\"\n{VM}process.sharing = \"time-slicing\"\n"),
        format!(
            "{vsphere}{}vgpu.type = \"A100-10C\"\n",
            VM.replace("[[vm]]\n", "[[vm]]\ncount = 2\nbalance = \"round-robin\"\n")
        ),
        format!(
            "{vsphere}{}vgpu.type = \"A100-10C\"\n",
            VM.replace(
                "[[vm]]\n",
                "[[vm]]\ncount = 2\nbalance = \"round-robin\"\nreplicas = { min = 1, outstanding = 4 }\n"
            )
        ),
        format!("host = \"dell-r7525\"\n{bursty}"),
        format!("host = \"dell-r7525\"\n{}", VM.replace("10 }", "10, rules = \"none\" }")),
        "host = \"dell-r7525\"\ngpus = \"h100-sxm-80gb\"\n[[vm]]\ngpus = 1\nllm = { model = \"phi-4\" }\nload = { rate = 4, lengths = { input = 9, output = 9 } }\n"
            .to_string(),
        format!("{vsphere}{VM}vgpu.type = \"A100-10C\"\n[capacity]\n"),
        format!("{vsphere}{VM}vgpu.type = \"A100-10C\"\n[power]\n"),
        models(VM),
        models(&bursty),
        pods(VM),
        pods(&bursty),
        pods(&VM.replace("10 }", "10, rules = \"none\" }")),
        ensemble("target_qps = 10"),
        ensemble(
            "target_qps = 10, arrivals = \"bursty\", bursts = { peak = 2, share = 0.1, length = \"2 s\" }",
        ),
        models(&VM.replace("10 }", "10, rules = \"none\" }")),
        format!("{vsphere}{VM}vgpu.type = \"A100-10C\"\n[sweep]\nvm.vcpus = [1, 2]\n"),
        format!(
            "{vsphere}{VM}vgpu.type = \"A100-10C\"\n[[operation]]\nat = \"1 s\"\nkind = \"vmotion\"\nvm = \"vm-1\"\n"
        ),
        format!(
            "hypervisor = \"vsphere-7.0u2\"\n[[host]]\nmodel = \"dell-r7525\"\ncount = 2\n[[rule]]\nkind = \"run-on\"\nvms = [\"vm-1\"]\nhosts = [\"host-1\"]\n{VM}vgpu.type = \"A100-10C\"\n"
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.toml");
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let read = |text: &str, set: Vec<String>| {
        fs::write(&path, text).unwrap();
        let task = load_task(&path, &LoadOptions { set, ..options.clone() }).ok()?;
        Some(match task {
            Task::Run(scenario) => format!("{:?}", scenario.pairs),
            Task::Sweep(file) => {
                let first = file.with_points(|points| points.experiment(0));
                format!("{first:?} {}", file.sweep().replications)
            }
        })
    };
    let mut all = Vec::new();
    defaults("", &schema(), &mut all);
    assert!(all.len() >= 15, "{all:?}");
    // A twin's keys are those of the VM itself, and it has no defaults.
    for (key, default) in all.iter().filter(|(key, _)| !key.starts_with("baseline.")) {
        let mut tried = 0;
        for base in &bases {
            // A table that asks for something is no default.
            if key.starts_with("capacity.") && !base.contains("[capacity]") {
                continue;
            }
            if key.starts_with("power.") && !base.contains("[power]") {
                continue;
            }
            let silent = read(base, Vec::new()).unwrap_or_else(|| panic!("{base}"));
            let Some(said) = read(base, vec![format!("{key}={default}")]) else { continue };
            // What the base says otherwise is no default.
            let last = key.rsplit('.').next().unwrap();
            let is_said = ["policy", "arrivals", "hypervisor"].contains(&last);
            assert!(said == silent || is_said, "{key} = {default} changes {base}");
            tried += usize::from(said == silent);
        }
        assert!(tried > 0, "{key}: no base shows that it is {default}");
    }
}
