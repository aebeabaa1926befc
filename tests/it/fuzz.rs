//! Every reader of text against inputs gone wrong: none may panic, hang or answer with a flood.
//!
//! `SLICEWISE_FUZZ=10000000 cargo test --test it fuzz -- --nocapture` tries so many in all and says
//! how many each reader got; without it a few thousand are tried. A failure names the number of the
//! input: `SLICEWISE_FUZZ_FROM=NUMBER SLICEWISE_FUZZ=1` repeats it alone. Overflow of arithmetic panics
//! in this profile, and so does every assertion.

use crate::dice::{Dice, spoilt};
use crate::foreign::FORMATS;
use crate::support::examples;
use slicewise::config::{
    Catalogue, CountFile, LoadError, LoadOptions, explain, load_calibration, load_task, nearest,
    quoted,
};
use slicewise::formats::recognise;
use slicewise::layout::registry;
use slicewise::spec::names::{ProfileName, find_profile, find_type, requests};
use slicewise::units::{Bandwidth, Bytes, Share, SimDuration};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many inputs all readers get together when nothing else is said.
const INPUTS: u64 = 6_000;
/// No input keeps a reader busy for longer. A test by the clock, but of a hang only: readers take
/// microseconds.
const HANG: Duration = Duration::from_secs(10);
/// No answer is longer: fifty messages fill any terminal.
const MESSAGE_MAX: usize = 200_000;

/// Reads bytes; the answer is looked at where they are read.
type Read = Box<dyn Fn(&[u8])>;

/// A reader, by the name of what it reads, and texts to start from.
struct Parser {
    name: String,
    seeds: Vec<Vec<u8>>,
    read: Read,
}

/// How many of a round's inputs a reader gets: those that read the whole catalogue each time, which
/// takes ten times as long as anything else, get fewer.
fn share(reader: &str) -> usize {
    match reader {
        _ if reader.starts_with("catalogue") => 1,
        "--set" => 4,
        _ => 20,
    }
}

/// Every file of a folder and of the folders in it, of any kind.
fn files_below(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths
        .flat_map(|path| match path.is_dir() {
            true => files_below(path.to_str().unwrap()),
            false => vec![path],
        })
        .collect();
    files.sort();
    files
}

/// Texts of these folders whose names end so.
fn texts(folders: &[&str], ends: &[&str]) -> Vec<Vec<u8>> {
    let files = folders.iter().flat_map(|folder| files_below(folder));
    let wanted = files.filter(|file| {
        let name = file.to_string_lossy();
        !name.ends_with(".message") && ends.iter().any(|end| name.ends_with(end))
    });
    let texts = wanted.map(|file| fs::read(file).unwrap()).filter(|text| text.len() < 20_000);
    texts.collect()
}

/// An answer, which must be a value or a message of some length.
fn ends<T>(answer: Result<T, LoadError>) {
    if let Err(error) = answer {
        let message = error.to_string();
        assert!(!message.is_empty() && message.len() < MESSAGE_MAX, "{} bytes", message.len());
        let raw = |letter: char| letter.is_control() && letter != '\n';
        assert!(!message.contains(raw), "a control character in {message:?}");
    }
}

/// Every reader. The formats of other programs come from their table, keys of scenarios from the
/// seeds, which the documents and the good files keep complete.
fn parsers(folder: &Path) -> Vec<Parser> {
    let mut parsers = Vec::new();
    let mut add = |name: &str, seeds: Vec<Vec<u8>>, read: Read| {
        assert!(!seeds.is_empty(), "nothing to start from for {name}");
        parsers.push(Parser { name: name.to_string(), seeds, read });
    };
    // A place of its own for every reader: they are told by a path.
    let place = |name: &str| folder.join(name);
    for (name, read) in FORMATS {
        let good = format!("tests/formats/{name}");
        let bad = format!("tests/bad/formats/{name}");
        let seeds = texts(&[&good, &bad], &[""]);
        let path = place(name);
        add(
            name,
            seeds,
            Box::new(move |bytes| {
                fs::write(&path, bytes).unwrap();
                ends(read(&path));
            }),
        );
    }
    // Scenarios that name files name these.
    for file in files_below("tests/formats") {
        let to = folder.join("formats").join(file.strip_prefix("tests/formats").unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&file, to).unwrap();
    }
    let scenarios_at = folder.join("scenarios");
    fs::create_dir_all(&scenarios_at).unwrap();
    let catalogue = Catalogue::load(None).unwrap();
    let mut scenarios = texts(&["scenarios", "tests/good", "tests/bad"], &[".toml"]);
    scenarios.extend(examples().into_iter().map(String::into_bytes));
    let options = LoadOptions::new(catalogue.clone());
    let (path, chosen) = (scenarios_at.join("scenario.toml"), options.clone());
    add(
        "scenario",
        scenarios.clone(),
        Box::new(move |bytes| {
            fs::write(&path, bytes).unwrap();
            ends(load_task(&path, &chosen));
        }),
    );
    let (path, chosen) = (scenarios_at.join("explained.toml"), options.clone());
    add(
        "scenario, explained",
        scenarios.clone(),
        Box::new(move |bytes| {
            fs::write(&path, bytes).unwrap();
            ends(explain(&path, &chosen));
        }),
    );
    let (path, chosen) = (scenarios_at.join("counted.toml"), options.clone());
    add(
        "scenario, VMs counted",
        scenarios,
        Box::new(move |bytes| {
            fs::write(&path, bytes).unwrap();
            ends(CountFile::load(&path, &chosen, None));
        }),
    );
    let (path, chosen) = (scenarios_at.join("set.toml"), options.clone());
    fs::write(&path, fs::read("tests/good/sharing.toml").unwrap()).unwrap();
    let set =
        ["vm.vcpus=8", "vm[0].server={ batch_max = 8 }", "sharing.slice=\"2 ms\"", "title='a'"];
    add(
        "--set",
        set.iter().map(|set| set.as_bytes().to_vec()).collect(),
        Box::new(move |bytes| {
            let set = vec![String::from_utf8_lossy(bytes).into_owned()];
            ends(load_task(&path, &LoadOptions { set, ..chosen.clone() }));
        }),
    );
    let (path, chosen) = (place("calibration.toml"), options);
    for file in files_below("tests/bad-calibration") {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    add(
        "calibration",
        texts(&["scenarios/calibration", "tests/bad-calibration"], &[".toml"]),
        Box::new(move |bytes| {
            fs::write(&path, bytes).unwrap();
            ends(load_calibration(&path, &chosen));
        }),
    );
    for kind in ["gpus", "hosts", "hypervisors", "workloads", "harnesses"] {
        let below = format!("configs/{kind}");
        let configs = folder.join(format!("configs-{kind}"));
        fs::create_dir_all(configs.join(kind)).unwrap();
        let file = configs.join(kind).join("own.toml");
        add(
            &format!("catalogue, {kind}"),
            texts(&[&below, "tests/bad"], &[".toml"]),
            Box::new(move |bytes| {
                fs::write(&file, bytes).unwrap();
                ends(Catalogue::load(Some(&configs)));
            }),
        );
    }
    let mut any = texts(&["scenarios", "tests/good", "tests/bad"], &[""]);
    any.extend(texts(&["tests/formats", "configs/workloads", "configs/hosts"], &[""]));
    add(
        "kind of a file",
        any,
        Box::new(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let keys: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
            let (_, _) = (recognise::not_toml(&text), recognise::by_keys(&keys));
        }),
    );
    let quantities = ["2.5 ms", "1e3s", "40 GiB", "24 GB/s", "44 %", "0.44", "10min", "1_000us"];
    add(
        "quantities",
        quantities.iter().map(|text| text.as_bytes().to_vec()).collect(),
        Box::new(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let shown = [
                text.parse::<SimDuration>().map(|span| span.to_string()),
                text.parse::<Bytes>().map(|bytes| bytes.to_string()),
                text.parse::<Bandwidth>().map(|speed| speed.to_string()),
                text.parse::<Share>().map(|share| share.to_string()),
            ];
            assert!(shown.iter().flatten().all(|shown| !shown.contains("NaN")));
            let _ = nearest(&text, ["a100-pcie-40gb", "bert-99"]);
            assert!(quoted(&text).len() < 1_000);
        }),
    );
    let asked = [
        "3 x 1g.5gb",
        "9:4,14:0",
        "MIG 1c.3g.20gb@4",
        "1g.24gb-me",
        "4xnvidia_a10-4q",
        "grid_a100-3-20c",
    ];
    add(
        "requests",
        asked.iter().map(|text| text.as_bytes().to_vec()).collect(),
        Box::new(move |bytes| asks(&catalogue, &String::from_utf8_lossy(bytes))),
    );
    let words = ["0x0103F001", "options nvidia NVreg_RegistryDwords=\"RmPVMRL=0x01;A=2\"", "17"];
    add(
        "registry words",
        words.iter().map(|text| text.as_bytes().to_vec()).collect(),
        Box::new(|bytes| {
            let words = registry::words(&String::from_utf8_lossy(bytes));
            assert!(words.len() <= bytes.len());
        }),
    );
    parsers
}

/// Reads requests as every GPU's: what is found has a name that means the same.
fn asks(catalogue: &Catalogue, text: &str) {
    for gpu in catalogue.gpus() {
        let part = |name: &str| find_profile(&gpu.mig_profiles, name);
        let kind = |name: &str| find_type(gpu, name);
        let words: Vec<&str> = text.lines().collect();
        let Ok(all) = requests(&words, &|name| part(name).is_some() || kind(name).is_some()) else {
            continue;
        };
        for one in all {
            assert!(text.lines().any(|line| line.contains(one.name.split(' ').next().unwrap())));
            if let Some(found) = part(&one.name) {
                let name = &gpu.mig_profiles[found.profile].name;
                assert_eq!(part(name).map(|again| again.profile), Some(found.profile), "{name}");
            }
            if let Some(found) = kind(&one.name) {
                assert_eq!(kind(&gpu.vgpu_types[found].name), Some(found));
            }
            if let Some(name) = ProfileName::parse(&one.name) {
                assert_eq!(ProfileName::parse(&name.to_string()), Some(name));
            }
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.replace('_', "").parse().ok()
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn fuzz_no_input_stops_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = parsers(folder.path());
    let round: Vec<usize> = parsers
        .iter()
        .enumerate()
        .flat_map(|(index, parser)| [index].repeat(share(&parser.name)))
        .collect();
    let (inputs, first) =
        (number("SLICEWISE_FUZZ").unwrap_or(INPUTS), number("SLICEWISE_FUZZ_FROM").unwrap_or(0));
    let mut tried: BTreeMap<&str, (u64, Duration, Duration)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for input in first..first + inputs {
        let parser = &parsers[round[(input % round.len() as u64) as usize]];
        let bytes = spoilt(&mut Dice::of(1, input), &parser.seeds);
        let read = || {
            let start = Instant::now();
            (catch_unwind(AssertUnwindSafe(|| (parser.read)(&bytes))), start.elapsed())
        };
        let (outcome, taken) = match read() {
            // Perhaps the machine had no time for us.
            (_, taken) if taken > HANG => read(),
            other => other,
        };
        let row = tried.entry(&parser.name).or_default();
        *row = (row.0 + 1, row.1.max(taken), row.2 + taken);
        let why = match outcome {
            Err(panic) => panic.downcast_ref::<String>().cloned().or(Some(String::new())),
            Ok(()) => (taken > HANG).then(|| format!("took {taken:?}")),
        };
        if let Some(why) = why {
            let text = String::from_utf8_lossy(&bytes);
            wrong.push(format!("input {input} ({}): {why}\n{text:?}", parser.name));
            println!("{}", wrong[wrong.len() - 1]);
        }
        if wrong.len() >= 20 {
            break;
        }
        if (input + 1).is_multiple_of(100_000) {
            println!("{} inputs, {} wrong", input + 1 - first, wrong.len());
        }
    }
    for (name, (inputs, longest, sum)) in &tried {
        let mean = *sum / u32::try_from(*inputs).unwrap();
        println!("{inputs:>9} inputs  {mean:>10.1?} each  {longest:>10.1?} at most  {name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A format without a row in the table would be read by nobody's tests.
#[test]
fn every_foreign_format_is_in_the_table() {
    // One module reads what is told apart by its content.
    const OF_SEVERAL: [(&str, [&str; 2]); 1] = [("kubernetes", ["mig-parted", "device-plugin"])];
    let text = fs::read_to_string("src/formats/mod.rs").unwrap();
    let modules = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        let folder = format!("src/formats/{module}/mod.rs");
        let source = fs::read_to_string(format!("src/formats/{module}.rs"));
        if !source.or_else(|_| fs::read_to_string(folder)).unwrap().contains("pub fn read(") {
            continue; // It reads nothing by itself.
        }
        let several = OF_SEVERAL.iter().find(|(name, _)| *name == module);
        let names = several.map_or(vec![module.replace('_', "-")], |(_, names)| {
            names.map(str::to_string).to_vec()
        });
        for name in names {
            let known = FORMATS.iter().any(|(format, _)| *format == name);
            assert!(known, "formats::{module} has no row `{name}` in tests/it/foreign.rs");
        }
    }
}
