//! The house rules as tests: who may know whom, no circles, what stays out of which floor, how long a
//! file may be, docs on every file.

mod imports;
mod picture;

use imports::{Import, Source, imports, sources};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file of `src`.
const LINES_MAX: usize = 600;

/// Modules by floor, and the modules of the same floor that each may use besides.
const FLOORS: [(&str, u8, &[&str]); 22] = [
    ("units", 0, &[]),
    ("parallel", 0, &[]),
    ("shown", 0, &[]),
    ("suggest", 0, &[]),
    ("engine", 1, &[]),
    ("queueing", 1, &["engine"]),
    ("spec", 2, &[]),
    ("loadgen", 3, &[]),
    ("host", 3, &["loadgen", "record"]),
    ("gpu", 3, &[]),
    ("layout", 3, &[]),
    ("operations", 3, &[]),
    ("record", 3, &["loadgen"]),
    ("platform", 4, &[]),
    ("study", 5, &[]),
    ("formats", 6, &[]),
    ("config", 6, &["formats"]),
    ("report", 6, &[]),
    ("explore", 7, &[]),
    ("serve", 8, &[]),
    ("cli", 9, &[]),
    ("main", 9, &["cli"]),
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

impl Source {
    /// The module of the floors that it belongs to; `lib` for the face of the crate.
    fn of(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

#[test]
fn imports_follow_the_floors() {
    let sources = sources();
    let against = |import: &Import| {
        let (from, to) = (&sources[import.from], &sources[import.to]);
        if from.of() == to.of() || [from, to].iter().any(|one| one.of() == "lib") {
            return None;
        }
        let ((own, also), (used, _)) = (floor(from.of()), floor(to.of()));
        (used >= own && !also.contains(&to.of())).then(|| {
            let (path, line) = (from.path.display(), import.line);
            format!("{path}:{line}: {} (floor {own}) uses {} (floor {used})", from.of(), to.of())
        })
    };
    let broken: Vec<String> = imports(sources).iter().filter_map(against).collect();
    assert!(broken.is_empty(), "imports against the floors:\n{}", broken.join("\n"));
}

/// A face (`mod.rs`) may use its own children, and what it defines is for them; all other imports,
/// tests left out, make no circle.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let sources = sources();
    let counts = |import: &&Import| {
        let (from, to) = (&sources[import.from], &sources[import.to]);
        let is_of_face = from.path.ends_with("mod.rs") && to.module.starts_with(&from.module);
        !(import.in_tests || is_of_face)
    };
    let all = imports(sources);
    let edges: BTreeSet<(usize, usize)> =
        all.iter().filter(counts).map(|import| (import.from, import.to)).collect();
    let reaches = |from: usize, to: usize| {
        let (mut seen, mut next) = (BTreeSet::from([from]), vec![from]);
        while let Some(at) = next.pop() {
            let further = edges.range((at, 0)..(at + 1, 0)).map(|(_, used)| *used);
            next.extend(further.filter(|used| seen.insert(*used)));
        }
        seen.contains(&to)
    };
    let inside = edges.iter().filter(|(from, to)| reaches(*to, *from));
    let told = inside.map(|(from, to)| {
        let line = all.iter().find(|one| (one.from, one.to) == (*from, *to)).unwrap().line;
        format!("{}:{line} uses {}", sources[*from].path.display(), sources[*to].path.display())
    });
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "imports of circles:\n{}", told.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let long = sources().iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > LINES_MAX).then(|| format!("{}: {lines} lines", source.path.display()))
    });
    let long: Vec<String> = long.collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines:\n{}", long.join("\n"));
}

/// What the rules above stand on: an import is seen however it is written.
#[test]
fn imports_are_seen_however_they_are_written() {
    let file = |path: &str, text: &str| imports::read(text.to_string(), PathBuf::from(path));
    for text in [
        "use crate::low::Thing;",
        "use crate::{high::other::Else, low::{self, Thing}};",
        "use super::super::low::Thing as Other;",
        "use crate::low::*;",
        "fn one() -> super::super::low::Thing { todo!() }",
        "mod inner { use super::super::super::low::Thing; }",
        "fn one() { let _ = crate::low::Thing::new(|| crate::low::two()); }",
        "use crate::face::Thing;",
    ] {
        let sources = [
            file("src/high/one.rs", text),
            file("src/high/other.rs", "pub struct Else;"),
            file("src/low.rs", "pub struct Thing;"),
            file("src/face/mod.rs", "pub use crate::low::Thing;"),
        ];
        let found = imports(&sources);
        assert!(found.iter().any(|one| (one.from, one.to) == (0, 2) && one.line == 1), "{text}");
        assert!(found.iter().all(|one| one.to != 3), "{text}: a face is looked through");
    }
    let test = file("src/high/one.rs", "#[cfg(test)]\nmod tests {\n    use crate::low::Thing;\n}");
    let found = imports(&[test, file("src/low.rs", "pub struct Thing;")]);
    assert!(found.len() == 1 && found[0].in_tests && found[0].line == 3);
}

#[test]
fn the_science_has_no_word_about_gpus() {
    for source in sources() {
        if !["engine", "queueing"].contains(&source.of()) {
            continue;
        }
        // The tests of a stream may name one after a VM.
        let text = source.text.split("#[cfg(test)]").next().unwrap().to_lowercase();
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            assert!(!FOREIGN.contains(&word), "{} says \"{word}\"", source.path.display());
        }
    }
}

#[test]
fn the_core_does_not_touch_the_world() {
    for source in sources() {
        if source.of() == "lib" || floor(source.of()).0 > 5 {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            let found = WORLD
                .iter()
                .find(|word| line.contains(**word) && !line.trim_start().starts_with("//"));
            assert!(
                found.is_none(),
                "{}:{}: {} belongs above floor 5",
                source.path.display(),
                number + 1,
                found.unwrap()
            );
        }
    }
}

/// `laws.rs` holds every station to the contract.
#[test]
fn every_station_is_held_to_the_laws() {
    let laws = fs::read_to_string("tests/it/laws.rs").unwrap();
    let stations: Vec<&str> =
        sources().iter().flat_map(|source| &source.stations).map(String::as_str).collect();
    assert!(stations.contains(&"Fifo"), "{stations:?}");
    for station in stations {
        // One with several disciplines is made of any of them.
        assert!(laws.contains(&format!("{station}::")), "no law holds {station}");
    }
}

#[test]
fn stations_and_parts_cannot_fail() {
    for source in sources() {
        if source.of() != "lib" && matches!(floor(source.of()).0, 1 | 3 | 4) {
            assert!(
                !source.text.contains("Result<"),
                "{} returns a Result: the core has no errors",
                source.path.display()
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
    let folder = |kind: &str| kind.replace("harness", "harnesse") + "s";
    let list = catalogue.list().into_iter();
    let mut embedded: Vec<String> =
        list.map(|entry| format!("{}/{}", folder(entry.kind), entry.id)).collect();
    let mut files = Vec::new();
    for folder in fs::read_dir("configs").unwrap().map(|folder| folder.unwrap().path()) {
        // Rounds are no entries of the catalogue: each is named in `config::catalogue::rounds`.
        if folder.ends_with("rounds") {
            assert_eq!(fs::read_dir(&folder).unwrap().count(), slicewise::spec::Round::ALL.len());
            continue;
        }
        // Nor are the rows of `validate`, the versions of vMotion in `config::catalogue::vmotion`, and the lengths
        // in `config::catalogue::lengths`.
        if ["published", "vmotion", "llm"].iter().any(|other| folder.ends_with(other)) {
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
    for source in sources() {
        assert!(
            source.text.starts_with("//!"),
            "{} does not start with its module doc",
            source.path.display()
        );
    }
}
