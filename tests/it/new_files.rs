//! `slicewise new`: beginnings of files are right as they stand, and so is every key they show.
//!
//! What the keys mean is tested where they are read.

use super::cli::check;
use std::fs;
use std::path::Path;

/// The kinds of the catalogue, with the folder of each.
const KINDS: [(&str, &str); 5] = [
    ("host", "hosts"),
    ("gpu", "gpus"),
    ("workload", "workloads"),
    ("model", "models"),
    ("hypervisor", "hypervisors"),
];

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
        assert!(stderr.contains("exists already"), "{stderr}");
    }
    let edit = |path: String, changes: &[(&str, &str)]| {
        let text = fs::read_to_string(&path).unwrap();
        let changed = changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{path}: {from}");
            text.replace(from, to)
        });
        fs::write(&path, changed).unwrap();
    };
    // As docs/how-to/own-hardware.md says it.
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

/// A folder of one's own with one file in it.
fn folder_with(path: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(path);
    fs::create_dir_all(folder.path().join("gpus")).unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    folder
}

/// What `list` says of a file in a folder of one's own, and its exit code is that of `check`.
fn told_of(path: &str, text: &str, code: i32) -> String {
    let folder = folder_with(path, text);
    check(&["list", "--configs", folder.path().to_str().unwrap()], code).1
}

#[test]
fn a_file_that_would_not_be_found_is_told_with_its_place() {
    let gpu = beginning("gpu");
    for (path, part) in [
        ("gpu/mine.toml", "gpus/"),
        ("Gpus/mine.toml", "gpus/"),
        ("mine.toml", "gpus/mine.toml"),
        ("gpus/mine", "gpus/mine.toml"),
        ("gpus/mine.TOML", "gpus/mine.toml"),
    ] {
        let told = told_of(path, &gpu, 2);
        assert!(told.contains("read") && told.contains(part), "{path}\n{told}");
    }
    // What is no file of the catalogue may lie there.
    for path in ["README.md", "gpus/README", "vm.toml", "notes/a.toml"] {
        let text = if path == "vm.toml" { beginning("scenario") } else { "a = 1\n".to_string() };
        assert_eq!(told_of(path, &text, 0), "", "{path}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (path, right) in [("gpu/a.toml", Some("DIR/gpus/a.toml")), ("gpus/a.toml", None)] {
        let path = folder.path().join(path);
        let (_, told) = check(&["new", "gpu", "-o", path.to_str().unwrap()], 0);
        assert_eq!(right.is_some(), told.contains("it is not found at this place"), "{told}");
        assert!(right.is_none_or(|right| told.contains(right)), "{told}");
    }
}

#[test]
fn what_newcomers_write_is_answered_with_what_to_write() {
    let gpu = beginning("gpu");
    let with = |from: &str, to: &str| gpu.replace(from, to);
    let profiles = |at: &str| {
        format!(
            "{gpu}mig_profiles = [{{ name = \"4g.24gb\", id = 0, compute = 4, memory = 4, copy_engines = 4, max_per_gpu = 1, at = \"{{0}}:4\" }}, {{ name = \"2g.12gb\", id = 5, compute = 2, memory = 2, copy_engines = 2, max_per_gpu = 2, at = \"{at}\" }}]\n"
        )
    };
    for (text, part) in [
        (with("sms = 56", "sms = \"56\""), "write 56, without quotes"),
        (with("sms = 56\n", ""), "sms = 56"),
        (with("power_cap_w = 165\n", ""), "165, in watts"),
        (with("933 GB/s", "933,5 GB/s"), "write \"933.5 GB/s\" with a point"),
        (with("933 GB/s", "800 Gb/s"), "write \"100 GB/s\""),
        (with("\"24 GiB\"", "“24 GiB”"), "the quotes are typographic"),
        (with("sms = 56", "sms = { value = 56, source = \"a sheet\" }"), "documented, measured"),
        (with("sms = 56", "sms = 56\nknee = 1"), "power_idle_w"),
        (with("sms = 56", "sms = 56\nfoo = 1"), "tensor_int8_tops"),
        (profiles("{0,3}:2"), "\"{0,3}:2\" reaches beyond the card"),
    ] {
        let told = told_of("gpus/mine.toml", &text, 2);
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(told_of("gpus/mine.toml", &profiles("{0,2}:2"), 0), "");
    let form =
        "switch_cost = { value = \"0.2 ms\", source = \"a paper\", standing = \"measured\" }\n";
    assert_eq!(told_of("gpus/mine.toml", &format!("{gpu}{form}"), 0), "");
    let workload = beginning("workload");
    let cpu = "cpu = { value = { launch_per_batch = \"1 ms\" }, source = \"a paper\", standing = \"measured\" }\n[service.a30]";
    assert_eq!(told_of("workloads/m.toml", &workload.replace("[service.a30]", cpu), 0), "");
    let told = told_of("workloads/m.toml", &format!("{workload}phi = 1.4\n"), 2);
    assert!(!told.contains("1.4 %"), "{told}");
}

#[test]
fn names_that_nobody_knows_say_where_files_of_ones_own_belong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm.toml");
    let text = beginning("scenario").replace("\"a30\"", "\"mine\"").replace("resnet50", "ours");
    fs::write(&path, text).unwrap();
    let (_, told) = check(&["check", path.to_str().unwrap()], 2);
    assert!(told.contains("DIR/gpus/mine.toml and add --configs DIR"), "{told}");
}

/// A slip of a unit is told where it makes times that can hardly be meant.
#[test]
fn implausible_times_are_told_by_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm.toml");
    let text = beginning("scenario").replace("\"resnet50\"", "\"m\"");
    fs::write(&path, text).unwrap();
    let workloads = folder.path().join("workloads");
    fs::create_dir_all(&workloads).unwrap();
    let said = |work: &str| {
        let usual = "work = { 1 = \"2 ms\", 8 = \"9 ms\", 32 = \"34 ms\" }";
        let workload = beginning("workload").replace(usual, work);
        assert!(workload.contains(work));
        fs::write(workloads.join("m.toml"), workload).unwrap();
        let configs = folder.path().to_str().unwrap();
        check(&["check", path.to_str().unwrap(), "--configs", configs], 0).1
    };
    let jump = said("work = { 1 = \"2 ms\", 8 = \"9 s\" }");
    // 9 s / 8 over 2 ms / 1.
    assert!(jump.contains("562 times as long") && jump.contains("is a unit wrong"), "{jump}");
    let late = said("work = { 1 = \"2 s\", 8 = \"9 s\" }");
    assert!(late.contains("no query can be in time"), "{late}");
    assert!(!said("work = { 1 = \"2 ms\", 8 = \"9 ms\" }").contains("unit"));
}

/// Whoever names a host and forgets the beginning's `gpus` has these cards instead of the host's.
#[test]
fn a_gpus_line_left_beside_a_host_is_told_where_it_makes_errors() {
    let folder = folder_with("hosts/mine.toml", &beginning("host").replace("\"a30\"", "\"a10\""));
    let path = folder.path().join("vm.toml");
    let beginning = beginning("scenario");
    let inline = "{ logical_processors = 64, memory = \"512 GB\" }";
    let (gpus, ours) = ("gpus = { model = \"a30\", count = 1 }", "\"A30-12C\"");
    let said = |changes: &[(&str, &str)]| {
        let text = changes.iter().fold(beginning.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        fs::write(&path, text).unwrap();
        let configs = folder.path().to_str().unwrap();
        check(&["check", path.to_str().unwrap(), "--configs", configs], 2).1
    };
    let line = beginning.lines().position(|line| line == gpus).unwrap() + 1;
    let help = format!(
        "`gpus` of line {line} (1 x a30) is used instead of the cards that \"mine\" has (2 x a10): drop it"
    );
    let host = (inline, "\"mine\"");
    // A type of the host's cards; a workload without times on those; more VMs than they hold.
    for change in
        [(ours, "\"A10-12C\""), ("\"resnet50\"", "\"yolos-small\""), ("count = 2", "count = 3")]
    {
        let told = said(&[host, change]);
        assert!(told.contains(&help), "{change:?}\n{told}");
    }
    // Not of errors that have nothing to do with cards, of cards that are the host's, or of none to drop to.
    assert!(!said(&[host, ("vcpus = 8", "vcpus = 4000")]).contains("is used instead"));
    let own = (gpus, "gpus = { model = \"a10\", count = 2 }");
    assert!(!said(&[host, own]).contains("is used instead"));
    // Fewer of the same, where they do not suffice.
    let fewer = (gpus, "gpus = { model = \"a10\", count = 1 }");
    let types = (ours, "\"A10-12C\"");
    let told = said(&[host, fewer, types, ("count = 2", "count = 3")]);
    assert!(
        told.contains("(1 x a10) is used instead of the cards that \"mine\" has (2 x a10)"),
        "{told}"
    );
    assert!(!said(&[host, fewer]).contains("is used instead"));
    assert!(!said(&[(ours, "\"A10-12C\"")]).contains("is used instead"));
}

/// What of a file of one's own is in use stands there with its line, and what is doubtful is told as well.
#[test]
fn explained_values_of_ones_own_files_have_a_line() {
    let workload = beginning("workload");
    let folder = folder_with("workloads/m.toml", &workload);
    let host = beginning("host");
    fs::create_dir_all(folder.path().join("hosts")).unwrap();
    fs::write(folder.path().join("hosts/mine.toml"), &host).unwrap();
    let path = folder.path().join("vm.toml");
    let text = beginning("scenario")
        .replace("{ logical_processors = 64, memory = \"512 GB\" }", "\"mine\"")
        .replace("gpus = { model = \"a30\", count = 1 }\n", "")
        .replace("\"resnet50\"", "\"m\"");
    fs::write(&path, text).unwrap();
    let arguments = ["check", path.to_str().unwrap(), "--explain", "--configs"];
    let (told, warned) = check(&[&arguments[..], &[folder.path().to_str().unwrap()]].concat(), 0);
    let has = |file: &str, text: &str, key: &str, start: &str| {
        let line = text.lines().position(|line| line.starts_with(start)).unwrap() + 1;
        let place = format!("{file}.toml:{line}");
        let found = told.lines().any(|told| told.trim().starts_with(key) && told.contains(&place));
        assert!(found, "{key} {place}\n{told}");
    };
    has("hosts/mine", &host, "gpus ", "gpus = ");
    has("hosts/mine", &host, "logical_processors ", "logical_processors = ");
    has("workloads/m", &workload, "weights ", "weights = ");
    has("workloads/m", &workload, "service.a30.work ", "work = ");
    // What is left out has none, and what is built in neither.
    let launch = told.lines().find(|line| line.trim().starts_with("service.a30.launch ")).unwrap();
    assert!(launch.contains("workloads/m.toml, assumed"), "{launch}");
    assert!(told.contains("built-in gpus/a30, documented"), "{told}");
    // Triton takes up to 64, the beginning's times end at 32.
    assert!(
        warned.contains("batches of up to 64") && warned.contains("known only up to 32"),
        "{warned}"
    );
}
