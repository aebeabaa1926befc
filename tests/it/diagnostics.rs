//! Bad input: every case under `tests/bad/` against the exact message beside it, and good input
//! mutated at random, which must never panic.
//!
//! `UPDATE=1` rewrites the messages; the diff is read in review. A case is a file, or a folder, and
//! its message stands in `<case>.txt`. A case whose name starts with `catalogue-` is a catalogue
//! folder. Inputs too long or too odd to keep as files are made here.

use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadError, LoadOptions, load};
use slicewise::spec::{BaselineKind, Scenario};
use std::fs;
use std::path::{Path, PathBuf};

fn options() -> LoadOptions {
    LoadOptions { catalogue: Catalogue::load(None).unwrap(), seed: None }
}

/// What the user reads for a path, with the exit code on the first line.
fn message(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    let result = match name.starts_with("catalogue-") {
        true => Catalogue::load(Some(path)).map(|_| ()),
        false => load(path, &options()).map(|_| ()),
    };
    match result {
        Ok(()) => panic!("{} was accepted", path.display()),
        Err(error @ LoadError::Invalid(_)) => format!("exit code 2\n\n{error}\n"),
        Err(error @ LoadError::World(_)) => format!("exit code 1\n\n{error}\n"),
    }
}

#[test]
fn every_bad_input_gets_its_message() {
    let update = std::env::var_os("UPDATE").is_some();
    let entries = fs::read_dir("tests/bad").unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_none_or(|kind| kind != "txt")).collect();
    cases.sort();
    assert!(cases.len() > 40, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let (found, file) = (message(&case), case.with_extension("txt"));
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if update {
            fs::write(&file, &found).unwrap();
        } else if found != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- found\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_published_pairs_are_read() {
    let scenario = load(Path::new("scenarios/vsphere-mlperf-v1.1"), &options())
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(scenario.name, "vsphere-mlperf-v1.1");
    assert_eq!(scenario.pairs.len(), 6);
    for pair in &scenario.pairs {
        let baseline = pair.baseline.as_ref().unwrap();
        assert!(matches!(&baseline.kind, BaselineKind::Twin { .. }), "{}", pair.name);
        assert!(pair.virtual_run.published.is_some() && baseline.run.published.is_some());
        assert_eq!(pair.capacity, Some(0.01));
        assert_eq!(pair.virtual_run.experiment.vms[0].vcpus, 24);
        assert_eq!(baseline.run.experiment.vms[0].vcpus, 128);
    }
    let differs = |scenario: &Scenario, name: &str| {
        let pair = scenario.pairs.iter().find(|pair| pair.name == name).unwrap();
        match &pair.baseline.as_ref().unwrap().kind {
            BaselineKind::Twin { differs } => differs.clone(),
            BaselineKind::Counterfactual => panic!("no twin"),
        }
    };
    assert_eq!(
        differs(&scenario, "bert-99-server"),
        ["batch_max 69 (64)", "target_qps 7870 (7800)"]
    );
    assert_eq!(differs(&scenario, "bert-99-offline"), [""; 0]);
}

#[test]
fn a_sweep_is_one_pair_for_each_value() {
    let scenario = load(Path::new("scenarios/vcpu-knee.toml"), &options())
        .unwrap_or_else(|error| panic!("{error}"));
    let axis = scenario.axis.as_ref().unwrap();
    assert_eq!((axis.name.as_str(), axis.values.len()), ("vcpus", 10));
    assert_eq!(scenario.pairs[3].name, "vcpu-knee-vcpus-4");
    assert_eq!(scenario.pairs[3].virtual_run.experiment.vms[0].vcpus, 4);
    assert!(scenario.pairs.iter().all(|pair| pair.baseline.is_none()));
}
