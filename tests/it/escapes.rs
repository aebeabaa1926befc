//! Texts from outside harm nobody: every output of hostile scenarios, file by file and byte by byte.
//!
//! What is harmful is told here once more, in plain ranges, so that a gap of the program's own list
//! would show.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Controls, overrides of direction, what is no character: each in the title, the names, the labels.
const HOSTILE: &str = "T\\u001b]0;owned\\u0007\\u001b[2J\\u001b[8m\\u202e\\u2066\\u009b2J\\u009d\\u007f\\b\\u2028\\ufeff\\ufffe\\uffff\\r\\n\\t& <b> ]]> é";

/// Of a name: the same, and a path that leads elsewhere.
fn scenario(more: &str) -> String {
    format!(
        "title = \"=T {HOSTILE}\"\nhost = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\n\
         [[vm]]\nname = \"../../../elsewhere/{HOSTILE}\"\nvcpus = 8\nvgpu.type = \"A100-10C\"\nworkload = \"bert-99\"\n\
         load = {{ scenario = \"server\", target_qps = 50, min_duration = \"100 ms\", min_query_count = 5 }}\n\
         [[vm]]\nname = \"{HOSTILE}\"\nvcpus = 8\nvgpu.type = \"A100-10C\"\nworkload = \"bert-99\"\n\
         load = {{ scenario = \"server\", target_qps = 50, min_duration = \"100 ms\", min_query_count = 5 }}\n{more}"
    )
}

/// What a letter may not do in an output that people look at.
fn harms(letter: char) -> bool {
    let code = letter as u32;
    let controls = code < 0x20 || (0x7f..0xa0).contains(&code);
    let directions = [0x61c, 0x200e, 0x200f].contains(&code)
        || (0x2028..=0x202e).contains(&code)
        || (0x2066..=0x2069).contains(&code);
    controls || directions || [0xfeff, 0xfffe, 0xffff].contains(&code)
}

/// Nothing harmful but ends of lines, and colours where `painted`.
#[track_caller]
fn harmless(what: &str, bytes: &[u8], painted: bool) {
    let mut text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| panic!("{what}: no UTF-8"));
    if painted {
        // Colours that somebody else could have set are those of the scenario: 8 hides a text.
        assert!(!text.contains("\u{1b}[8m"), "{what} hides text");
        let codes = (0..10).chain(21..50).chain(90..108).filter(|code| *code != 8);
        for code in codes.map(|code: u32| code.to_string()).chain(["1;31".to_string()]) {
            text = text.replace(&format!("\u{1b}[{code}m"), "");
        }
    }
    let found = text.replace("\r\n", "\n").chars().find(|&letter| letter != '\n' && harms(letter));
    assert!(found.is_none(), "{what} has {found:?}:\n{}", text.escape_debug());
}

fn slicewise(folder: &Path, arguments: &[&OsStr]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
    command.current_dir(folder).args(arguments).env_remove("SLICEWISE_CONFIGS");
    command.output().unwrap()
}

/// Runs a command with colours and looks at both streams.
#[track_caller]
fn look_at(folder: &Path, arguments: &[&str], code: i32) -> Output {
    let colours = ["--color", "always"];
    let all: Vec<&OsStr> = arguments.iter().chain(&colours).map(OsStr::new).collect();
    let output = slicewise(folder, &all);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    harmless(&format!("{arguments:?}, standard output"), &output.stdout, true);
    harmless(&format!("{arguments:?}, standard error"), &output.stderr, true);
    output
}

/// Looks at every file below a folder; the answer is how many there are.
fn look_at_files(folder: &Path) -> usize {
    let mut count = 0;
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(name.chars().all(fit) && name.len() < 160, "{name:?}");
        if path.is_dir() {
            count += look_at_files(&path);
            continue;
        }
        count += 1;
        let bytes = fs::read(&path).unwrap();
        if !name.ends_with(".png") {
            harmless(name, &bytes, false);
        }
        if name.ends_with(".svg") {
            let text = String::from_utf8(bytes).unwrap();
            roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        } else if name.ends_with(".csv") {
            for record in csv::Reader::from_reader(&bytes[..]).records() {
                let record = record.unwrap();
                let formula = |cell: &str| {
                    cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err()
                };
                assert!(!record.iter().any(formula), "{name}: {record:?}");
            }
        }
    }
    count
}

/// A folder with the scenario in it.
fn folder_with(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("case.toml"), text).unwrap();
    folder
}

#[test]
fn a_hostile_run_harms_no_output() {
    let folder = folder_with(&scenario(""));
    look_at(folder.path(), &["run", "case.toml", "--replications", "1", "--report"], 0);
    assert!(look_at_files(&folder.path().join("output")) > 5);
    // JSON keeps the text itself, by its own escapes.
    let json = fs::read_to_string(folder.path().join("output/case/result.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let title = toml::from_str::<toml::Table>(&scenario("")).unwrap()["title"].clone();
    assert_eq!(value["title"].as_str(), title.as_str());
    for arguments in [&["check", "case.toml"][..], &["check", "case.toml", "--explain"]] {
        look_at(folder.path(), arguments, 0);
    }
    look_at(folder.path(), &["check", "case.toml", "--explain", "--json"], 0);
    assert!(!folder.path().parent().unwrap().join("elsewhere").exists());
}

#[test]
fn a_hostile_sweep_harms_no_output() {
    let axis = format!(
        "[sweep]\nx = {{ key = \"vm.vcpus\", values = [1, 2], label = \"{HOSTILE}\" }}\n\
         [[sweep.line]]\nname = \"{HOSTILE}\"\n[[sweep.line]]\nname = \"../{HOSTILE}\"\nset = {{ \"vm.server.batch_max\" = 2 }}\n"
    );
    let folder = folder_with(&scenario(&axis));
    look_at(folder.path(), &["sweep", "case.toml"], 0);
    assert!(look_at_files(&folder.path().join("output")) > 6);
}

#[test]
fn hostile_names_of_one_form_keep_files_of_their_own() {
    let group = |name: &str| {
        format!(
            "[[vm]]\nname = \"{name}\"\nvcpus = 8\nvgpu.type = \"A100-10C\"\nworkload = \"bert-99\"\n\
             load = {{ scenario = \"server\", target_qps = 50, min_duration = \"10 ms\", min_query_count = 2 }}\n"
        )
    };
    let head = "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\n";
    let names = ["a b", "a/b", "a-b-2", &"x".repeat(600)].map(group).concat();
    let folder = folder_with(&format!("{head}{names}[sweep]\nseed = [1, 2]\n"));
    look_at(folder.path(), &["sweep", "case.toml"], 0);
    let files = fs::read_dir(folder.path().join("output/case")).unwrap();
    let charts = files.filter(|file| {
        let name = file.as_ref().unwrap().file_name().into_string().unwrap();
        name.starts_with("latency-") && name.ends_with(".svg")
    });
    assert_eq!(charts.count(), 4, "one chart for each group");
}

#[test]
fn hostile_mistakes_harm_no_message() {
    let raw = "\u{1b}[2J\u{1b}[8m\u{202e}\u{9b}2J\u{7f}";
    let wrong = [
        format!("host = \"{HOSTILE}\"\n"),
        format!("\"{HOSTILE}\" = 1\nhost = \"dell-r7525\"\n"),
        format!("host = \"dell-r7525\" # {raw}\n{raw} = {raw}\n"),
        format!("title = '{raw}'\n"),
        scenario(&format!("[baseline]\n\"{HOSTILE}\" = 1\n")),
        scenario("").replace("bert-99", HOSTILE),
        scenario("").replace("\"50\"", HOSTILE).replace("A100-10C", HOSTILE),
        scenario(&format!("[sweep]\n\"vm.{HOSTILE}.vcpus\" = [1, 2]\n")),
        scenario("[[vm]]\n").replace("target_qps = 50", "arrivals = { trace = \"a.csv\" }"),
    ];
    for text in wrong {
        let folder = folder_with(&text);
        fs::write(folder.path().join("a.csv"), format!("{raw},{raw}\n{raw}\n")).unwrap();
        look_at(folder.path(), &["check", "case.toml"], 2);
    }
    let folder = folder_with(&scenario(""));
    for set in [format!("vm.{raw}=1"), raw.to_string(), "vm.vcpus=\u{9b}".to_string()] {
        look_at(folder.path(), &["check", "case.toml", "--set", &set], 2);
    }
    look_at(folder.path(), &["check", "case.toml", "--set", &format!("title={raw}")], 0);
    look_at(folder.path(), &["show", raw], 2);
    look_at(folder.path(), &["check", &format!("{raw}.toml")], 1);
    look_at(folder.path(), &["run", "case.toml", &format!("--{raw}")], 2);
    look_at(folder.path(), &[&format!("run{raw}")], 2);
    look_at(folder.path(), &["mig", "place", "--gpu", raw, raw], 2);
}

#[cfg(unix)]
#[test]
fn a_hostile_file_name_harms_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let name = "\u{1b}[2J\u{202e}\u{9b}2J\n.toml";
    fs::write(folder.path().join(name), scenario("")).unwrap();
    look_at(folder.path(), &["run", name, "--replications", "1"], 0);
    for entry in fs::read_dir(folder.path().join("output")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        harmless("the folder's name", name.as_bytes(), false);
    }
    fs::write(folder.path().join(name), "host = 1").unwrap();
    look_at(folder.path(), &["check", name], 2);
}
