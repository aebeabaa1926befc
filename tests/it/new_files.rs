//! `slicewise new`: beginnings of files are right as they stand, and so is every key they show.
//!
//! What the keys mean is tested where they are read.

use super::cli::check;
use std::fs;
use std::path::Path;

/// The kinds of the catalogue, with the folder of each.
const KINDS: [(&str, &str); 4] =
    [("host", "hosts"), ("gpu", "gpus"), ("workload", "workloads"), ("hypervisor", "hypervisors")];

fn beginning(kind: &str) -> String {
    let (text, stderr) = check(&["new", kind], 0);
    assert_eq!(stderr, "");
    text
}

/// Whether a line is a key that may be left out: `#phi = 0.9`, where a comment has a space behind its `#`.
fn is_optional(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|key| !key.starts_with(' ') && key.contains(" = "))
}

/// The text with the optional keys that `is_shown` picks by number.
fn with_keys(text: &str, is_shown: impl Fn(usize) -> bool) -> String {
    let mut number = 0;
    let lines = text.lines().map(|line| {
        let is_key = is_optional(line);
        number += usize::from(is_key);
        let line = if is_key && is_shown(number - 1) { &line[1..] } else { line };
        format!("{line}\n")
    });
    lines.collect()
}

/// Whether the catalogue with this file has it, without a mistake.
fn is_read(folder: &Path, kind: &str, text: &str) -> Result<(), String> {
    let (_, files) = KINDS.iter().find(|(known, _)| *known == kind).unwrap();
    let path = folder.join(files).join("mine.toml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let options = slicewise::config::Catalogue::load(Some(folder));
    options.map(drop).map_err(|error| format!("{kind}: {error}\n{text}"))
}

#[test]
fn a_beginning_is_right_as_it_stands_and_with_every_key_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, _) in KINDS {
        let text = beginning(kind);
        let keys = text.lines().filter(|line| is_optional(line)).count();
        is_read(folder.path(), kind, &text).unwrap();
        is_read(folder.path(), kind, &with_keys(&text, |_| true)).unwrap();
        for one in 0..keys {
            is_read(folder.path(), kind, &with_keys(&text, |number| number == one)).unwrap();
        }
        // Every other key is needed.
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('#') || !line.contains(" = ") {
                continue;
            }
            let lines = text.lines().enumerate().filter(|(at, _)| *at != index);
            let without: String = lines.map(|(_, line)| format!("{line}\n")).collect();
            assert!(is_read(folder.path(), kind, &without).is_err(), "{kind} without {line}");
        }
        is_read(folder.path(), kind, &text).unwrap();
    }
}

#[test]
fn a_beginning_of_a_scenario_passes_check_with_every_key_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm.toml");
    let text = beginning("scenario");
    let keys = text.lines().filter(|line| is_optional(line)).count();
    assert!(keys >= 4);
    let checks = |is_shown: &dyn Fn(usize) -> bool| {
        fs::write(&path, with_keys(&text, is_shown)).unwrap();
        check(&["check", path.to_str().unwrap()], 0);
    };
    checks(&|_| false);
    checks(&|_| true);
    for one in 0..keys {
        checks(&|number| number == one);
    }
}

#[test]
fn all_beginnings_together_are_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    for (kind, files) in KINDS {
        let path = at(&format!("my/{files}/my-{kind}.toml"));
        let (stdout, stderr) = check(&["new", kind, "-o", &path], 0);
        assert!(stdout.is_empty() && stderr.contains("wrote "), "{stderr}");
        // What is there is left alone.
        let (_, stderr) = check(&["new", kind, "-o", &path], 2);
        assert!(stderr.contains("is there already"), "{stderr}");
    }
    let edit = |path: String, changes: &[(&str, &str)]| {
        let text = fs::read_to_string(&path).unwrap();
        let changed = changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{path}: {from}");
            text.replace(from, to)
        });
        fs::write(&path, changed).unwrap();
    };
    // As docs/own-hardware.md says it.
    edit(at("my/gpus/my-gpu.toml"), &[("#vgpu_types", "vgpu_types")]);
    edit(at("my/workloads/my-workload.toml"), &[("[service.a30]", "[service.my-gpu]")]);
    edit(
        at("my/hosts/my-host.toml"),
        &[("model = \"a30\", count = 2", "model = \"my-gpu\", count = 2")],
    );
    check(&["new", "scenario", "-o", &at("vm.toml")], 0);
    edit(
        at("vm.toml"),
        &[
            ("host = { logical_processors = 64, memory = \"512 GB\" }", "host = \"my-host\""),
            ("gpus = { model = \"a30\", count = 1 }", ""),
            ("\"vsphere-7.0u2\"", "\"my-hypervisor\""),
            ("\"A30-12C\"", "\"MY-12C\""),
            ("\"resnet50\"", "\"my-workload\""),
            ("\"10 s\"", "\"2 s\""),
        ],
    );
    let (configs, out) = (at("my"), at("out"));
    let arguments = ["run", &at("vm.toml"), "--configs", &configs, "--out", &out, "--quiet"];
    let (table, _) = check(&arguments, 0);
    assert!(table.contains(" of yours, listed in result.json"), "{table}");
    let document = fs::read_to_string(folder.path().join("out/result.json")).unwrap();
    assert!(document.contains("\"standing\": \"yours\""));
    for name in ["my-gpu sms", "my-workload on my-gpu work", "my-host memory"] {
        assert!(document.contains(name), "{name}");
    }
}
