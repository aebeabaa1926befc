//! Foreign files that are almost right: every case under `tests/bad/formats/` against the exact
//! message beside it, and good ones mutated at random, which must never panic.
//!
//! A folder there is a format; a case's message stands in `<case>.message`. `UPDATE=1` rewrites
//! the messages; the diff is read in review.

use crate::support::{cases, hold_messages};
use proptest::prelude::*;
use slicewise::config::{LoadError, read_foreign};
use slicewise::formats::{
    kubernetes, latency_csv, loadgen_log, measured_csv, mlperf_conf, operation_trace,
    perf_analyzer, probe, request_trace, triton_config, triton_ensemble, trtexec,
};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads a text as a file of one format.
pub(crate) type Reader = fn(&Path) -> Result<(), LoadError>;

/// Every format with its folder and its reader.
pub(crate) const FORMATS: [(&str, Reader); 15] = [
    ("mig-parted", |path| read_foreign(path, kubernetes::read).map(|_| ())),
    ("device-plugin", |path| read_foreign(path, kubernetes::read).map(|_| ())),
    ("vgpu-configs", |path| read_foreign(path, kubernetes::read).map(|_| ())),
    ("gpu-requests", |path| read_foreign(path, kubernetes::read).map(|_| ())),
    ("loadgen-log", |path| read_foreign(path, loadgen_log::read).map(|_| ())),
    ("request-trace", |path| {
        let columns = request_trace::Columns::default();
        read_foreign(path, |text| request_trace::read(text, &columns)).map(|_| ())
    }),
    ("operation-trace", |path| read_foreign(path, operation_trace::read).map(|_| ())),
    ("mlperf-conf", |path| read_foreign(path, mlperf_conf::read).map(|_| ())),
    ("triton-config", |path| read_foreign(path, triton_config::read).map(|_| ())),
    ("triton-ensemble", |path| read_foreign(path, triton_ensemble::read).map(|_| ())),
    ("latency-csv", |path| read_foreign(path, latency_csv::read).map(|_| ())),
    ("measured-csv", |path| read_foreign(path, measured_csv::read).map(|_| ())),
    ("perf-analyzer", |path| read_foreign(path, perf_analyzer::read).map(|_| ())),
    ("probe", |path| read_foreign(path, probe::read).map(|_| ())),
    ("trtexec", |path| read_foreign(path, trtexec::read).map(|_| ())),
];

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[test]
fn every_foreign_file_that_is_almost_right_gets_its_message() {
    for (format, read) in FORMATS {
        let cases = files(&format!("tests/bad/formats/{format}"));
        let cases =
            cases.iter().filter(|path| path.extension().is_none_or(|kind| kind != "message"));
        hold_messages(cases.map(|case| {
            let Err(error) = read(case) else { panic!("{} was accepted", case.display()) };
            let mut name = case.clone().into_os_string();
            name.push(".message");
            (case.clone(), name.into(), format!("{error}\n"))
        }));
    }
}

#[test]
fn every_sample_of_a_foreign_format_is_read() {
    for (format, read) in FORMATS {
        for file in files(&format!("tests/formats/{format}")) {
            read(&file).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// Reading must end with a value or with a message of some length, whatever the bytes are.
fn never_panics(bytes: &[u8], read: Reader) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    if let Err(error) = read(&path) {
        let message = error.to_string();
        assert!(!message.is_empty() && message.len() < 100_000, "{} bytes", message.len());
    }
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn two_mebibytes_of_anything_end_soon() {
    for filler in [
        "=",
        ":",
        ",",
        "\n",
        "\"",
        "a : 1\n",
        ":::MLLOG {\n",
        "1,\n",
        "{",
        "- ",
        "a{",
        "a:[",
        "a:1 ",
        "a:'\\",
        "\u{feff}",
    ] {
        for (_, read) in FORMATS {
            never_panics(filler.repeat((2 << 20) / filler.len()).as_bytes(), read);
        }
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn random_bytes_never_panic_a_foreign_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (_, read) in FORMATS {
            never_panics(&bytes, read);
        }
    }

    #[test]
    fn a_foreign_file_gone_wrong_never_panics(
        format in 0..FORMATS.len(),
        file in any::<prop::sample::Index>(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "(\\PC|[ -~\n\r\t]){0,6}"), 1..6),
    ) {
        let (name, read) = FORMATS[format];
        let files = files(&format!("tests/formats/{name}"));
        let mut text = fs::read_to_string(&files[file.index(files.len())]).unwrap();
        for (at, length, insert) in &cuts {
            let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            let at = boundary(at.index(text.len() + 1));
            let end = boundary(at + length).max(at);
            text.replace_range(at..end, insert);
        }
        never_panics(text.as_bytes(), read);
    }
}
