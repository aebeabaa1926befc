//! The house rules as tests: who may know whom, what stays out of which floor, docs on every file.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor, and the modules of the same floor that each may use besides.
const FLOORS: [(&str, u8, &[&str]); 18] = [
    ("units", 0, &[]),
    ("shown", 0, &[]),
    ("suggest", 0, &[]),
    ("engine", 1, &[]),
    ("queueing", 1, &["engine"]),
    ("spec", 2, &[]),
    ("loadgen", 3, &[]),
    ("host", 3, &["loadgen"]),
    ("gpu", 3, &[]),
    ("layout", 3, &[]),
    ("record", 3, &["loadgen"]),
    ("platform", 4, &[]),
    ("study", 5, &[]),
    ("formats", 6, &[]),
    ("config", 6, &["formats"]),
    ("report", 6, &[]),
    ("cli", 7, &[]),
    ("main", 7, &["cli"]),
];

/// Words that have no business on floor 1.
const FOREIGN: [&str; 8] = ["gpu", "vgpu", "mig", "vm", "guest", "host", "hypervisor", "inference"];

/// What floors 0 to 5 do not touch: the world, its clock, the terminal.
const WORLD: [&str; 8] =
    ["std::fs", "std::env", "std::net", "Instant", "SystemTime", "println!", "clap", "plotters"];

fn floor(module: &str) -> (u8, &'static [&'static str]) {
    let (_, floor, also) = FLOORS.iter().find(|(name, ..)| *name == module).unwrap_or_else(|| {
        panic!("module {module} stands on no floor: add it to FLOORS and to ARCHITECTURE.md")
    });
    (*floor, also)
}

/// Every source file with its text and the module it belongs to.
fn sources() -> Vec<(PathBuf, String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let module = module_of(&path);
                files.push((path, text, module));
            }
        }
    }
    files.sort();
    files
}

fn module_of(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_string()
}

#[test]
fn imports_follow_the_floors() {
    let mut broken = Vec::new();
    for (path, text, module) in sources() {
        if module == "lib" {
            continue;
        }
        let (own_floor, also) = floor(&module);
        for (number, line) in text.lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let used: String =
                    used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // `use crate::{a, b}` is not written here; a macro or the crate itself names no module.
                if used.is_empty()
                    || used == module
                    || !FLOORS.iter().any(|(name, ..)| *name == used)
                {
                    continue;
                }
                let (used_floor, _) = floor(&used);
                if used_floor >= own_floor && !also.contains(&used.as_str()) {
                    broken.push(format!(
                        "{}:{}: {module} (floor {own_floor}) uses {used} (floor {used_floor})",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "imports against the floors:\n{}", broken.join("\n"));
}

#[test]
fn the_science_has_no_word_about_gpus() {
    for (path, text, module) in sources() {
        if module != "engine" && module != "queueing" {
            continue;
        }
        // The tests of a stream may name one after a VM.
        let text = text.split("#[cfg(test)]").next().unwrap().to_lowercase();
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            assert!(!FOREIGN.contains(&word), "{} says \"{word}\"", path.display());
        }
    }
}

#[test]
fn the_core_does_not_touch_the_world() {
    for (path, text, module) in sources() {
        if module == "lib" || floor(&module).0 > 5 {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let found = WORLD
                .iter()
                .find(|word| line.contains(**word) && !line.trim_start().starts_with("//"));
            assert!(
                found.is_none(),
                "{}:{}: {} belongs above floor 5",
                path.display(),
                number + 1,
                found.unwrap()
            );
        }
    }
}

#[test]
fn stations_and_parts_cannot_fail() {
    for (path, text, module) in sources() {
        if module != "lib" && matches!(floor(&module).0, 1 | 3 | 4) {
            assert!(
                !text.contains("Result<"),
                "{} returns a Result: the core has no errors",
                path.display()
            );
        }
    }
}

/// Cargo rebuilds the catalogue when a file of it changes, not when one is new.
#[test]
fn the_catalogue_embeds_every_file_of_configs() {
    let Ok(catalogue) = slicewise::config::Catalogue::load(None) else {
        panic!("the embedded catalogue is faulty")
    };
    let mut embedded: Vec<String> =
        catalogue.list().into_iter().map(|entry| format!("{}s/{}", entry.kind, entry.id)).collect();
    let mut files = Vec::new();
    for folder in fs::read_dir("configs").unwrap().map(|folder| folder.unwrap().path()) {
        // Rounds are no entries of the catalogue: each is named in `config::catalogue::rounds`.
        if folder.ends_with("rounds") {
            assert_eq!(fs::read_dir(&folder).unwrap().count(), slicewise::spec::Round::ALL.len());
            continue;
        }
        for file in fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()) {
            let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().to_string();
            files.push(format!("{}/{}", name(&folder), name(&file)));
        }
    }
    embedded.sort();
    files.sort();
    assert_eq!(
        embedded, files,
        "touch src/config/catalogue/mod.rs to embed the files of configs/ anew"
    );
}

#[test]
fn every_file_says_what_it_is() {
    for (path, text, _) in sources() {
        assert!(text.starts_with("//!"), "{} does not start with its module doc", path.display());
    }
}
