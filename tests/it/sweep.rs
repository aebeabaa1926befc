//! `slicewise sweep` from outside: the same bytes on any number of threads and after any
//! interruption, errors as rows, rows that read back.
//!
//! What a sweep may say is tested with the other bad input, how it looks with the other reports.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Two VMs, two rates, two batch sizes, two replications: 8 runs; 200 vCPUs are not to be had.
const GRID: &str = r#"
host = "dell-r7525"
hypervisor = "vsphere-7.0u2"
vm = [{ name = "a", vcpus = 8, vgpu = { type = "A100-40C" }, workload = "bert-99", load = { scenario = "server", target_qps = 100, min_duration = "2 s", min_query_count = 50 } },
      { name = "b", vcpus = 8, vgpu = { type = "A100-40C" }, workload = "bert-99", load = { scenario = "server", target_qps = 100, min_duration = "2 s", min_query_count = 50 } }]

[sweep]
x = { key = "vm.a.load.target_qps", values = [100, 900] }
replications = 2

[[sweep.line]]
name = "small"
set = { "vm.server.batch_max" = 4 }

[[sweep.line]]
name = "large"
set = { "vm[1].server.batch_max" = 64 }
"#;

/// A folder with a scenario, and where its results go.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new(scenario: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("grid.toml"), scenario).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Runs `slicewise sweep grid.toml` with more arguments.
    #[track_caller]
    fn sweep(&self, arguments: &[&str], code: i32) -> (String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
        command.args(["sweep", "grid.toml"]).args(arguments).current_dir(self.root.path());
        command.env_remove("SLICEWISE_CONFIGS").env_remove("SLICEWISE_THREADS");
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(stdout), text(stderr));
        assert_eq!(status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        (stdout, stderr)
    }
}

/// Every file of a folder by name.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let place = Place::new(GRID);
    place.sweep(&["--threads", "1", "--out", "one"], 0);
    place.sweep(&["--threads", "2", "--out", "two"], 0);
    let one = bytes(&place.path("one"));
    assert!(one.contains_key("sweep.csv") && one.contains_key("latency-a.png"), "{:?}", one.keys());
    assert!(one == bytes(&place.path("two")));
}

/// What an interrupted sweep leaves is its partial file, cut at some byte. We get one by writing
/// results to a place where they cannot go: all runs are done, and the folder is not swapped in.
#[test]
fn an_interrupted_sweep_repeats_nothing_and_gives_the_same_bytes() {
    let place = Place::new(GRID);
    place.sweep(&["--out", "whole"], 0);
    let whole = bytes(&place.path("whole"));
    let partial = place.path("out/.slicewise-partial");
    let kept = kept_lines(&place);
    assert_eq!(kept.iter().filter(|byte| **byte == b'\n').count(), 9);
    // In the middle of the sixth line; at the end of the third; nothing at all; all.
    let ends: Vec<usize> = (0..kept.len()).filter(|at| kept[*at] == b'\n').collect();
    for (cut, known) in [(ends[6] - 40, 5), (ends[3] + 1, 3), (0, 0), (kept.len(), 8)] {
        fs::write(&partial, &kept[..cut]).unwrap();
        let (_, stderr) = place.sweep(&["--out", "out"], 0);
        let told = stderr.contains(&format!("reused {known} of 8 runs"));
        assert_eq!(told, known > 0, "{stderr}");
        assert!(!partial.exists(), "what is finished is not kept");
        assert!(bytes(&place.path("out")) == whole, "cut at {cut}");
    }
    fs::write(&partial, &kept).unwrap();
    let (_, stderr) = place.sweep(&["--out", "out", "--fresh"], 0);
    assert!(!stderr.contains("reused"), "{stderr}");
    // Another seed is another sweep.
    fs::write(&partial, &kept).unwrap();
    let (_, stderr) = place.sweep(&["--out", "out", "--seed", "9"], 0);
    assert!(!stderr.contains("reused"), "{stderr}");
}

/// The lines of a partial file with all eight runs, made through the library.
fn kept_lines(place: &Place) -> Vec<u8> {
    use slicewise::config::{Catalogue, LoadOptions, Task, load_task};
    use slicewise::report::{Folder, Maker, Partial};
    use slicewise::study::sweep;
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let Ok(Task::Sweep(file)) = load_task(&place.path("grid.toml"), &options) else { panic!() };
    let folder = Folder::open(&place.path("out"), Maker::Sweep, false).unwrap();
    let partial = Partial::open(&folder, false).unwrap();
    file.with_points(|points| {
        let experiment = |index| points.experiment(index);
        let mut each = |_: slicewise::study::PointRow<'_>| Ok(());
        sweep(file.sweep(), &experiment, &partial, &|_, _, _| {}, &mut each).unwrap();
    });
    fs::read(folder.partial()).unwrap()
}

/// A bug of ours, here a panic where a point is made, is an error row that says what to report; the
/// other points are there, and the bug is tried again the next time.
#[test]
fn a_point_that_meets_a_bug_is_an_error_row_and_not_the_end() {
    use slicewise::config::{Catalogue, LoadOptions, Task, load_task};
    use slicewise::report::{Folder, Maker, Partial, SweepFiles};
    use slicewise::study::sweep;
    let place = Place::new(GRID);
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let Ok(Task::Sweep(file)) = load_task(&place.path("grid.toml"), &options) else { panic!() };
    let folder = Folder::open(&place.path("out"), Maker::Sweep, false).unwrap();
    let partial = Partial::open(&folder, false).unwrap();
    let mut files = SweepFiles::begin(&folder, file.sweep()).unwrap();
    let results = file.with_points(|points| {
        let experiment = |index| {
            assert!(index != 2, "a station\nhas lost a job");
            points.experiment(index)
        };
        let mut each = |row: slicewise::study::PointRow<'_>| files.add(&row);
        sweep(file.sweep(), &experiment, &partial, &|_, _, _| {}, &mut each).unwrap()
    });
    let names = files.finish(&results, None).unwrap();
    folder.commit().unwrap();
    assert!(names.contains(&"sweep.csv".to_string()));
    assert_eq!((results.failed(), results.points.len(), partial.count()), (1, 4, 6));
    let error = results.points[2].error.as_ref().unwrap();
    assert!(error.starts_with("a bug in slicewise, not a mistake of yours: a station has lost a job, at tests/it/sweep.rs:"), "{error}");
    assert!(error.contains("please report this line with the scenario file"), "{error}");
    let rows = fs::read_to_string(place.path("out/sweep.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        rows.len(),
        3 * 4 + 1,
        "three points of two replications and two groups, and one error"
    );
    let failed = rows.iter().find(|row| row["point"] == 2).unwrap();
    assert_eq!(failed["error"], error.as_str());
    assert!(fs::read_to_string(place.path("out/table.txt")).unwrap().contains("ERROR"));
}

/// MIG cannot hold more than seven: declared, the points are n/a and the sweep ends with 0.
#[test]
fn points_that_cannot_exist_are_declared_and_are_no_errors() {
    let scenario = r#"
host = "dell-r7525"
hypervisor = "vsphere-7.0u2"
gpus = { model = "a100-pcie-40gb", count = 1 }
vm = [{ vcpus = 8, vgpu = { type = "largest" }, workload = "bert-99", load = { scenario = "server", target_qps = 20, min_duration = "1 s", min_query_count = 5 } }]
[sweep]
x = { key = "vm.count", values = [7, 8, 9] }
line = [{ name = "turns" }, { name = "MIG", set = { "vm.vgpu.type" = "largest-mig" } }]
"#;
    let declared = r#"
[[sweep.not_applicable]]
line = "MIG"
when = { vm.count = WHEN }
reason = "seven instances are the most"
"#;
    let place = Place::new(scenario);
    let (_, told) = place.sweep(&[], 3);
    assert!(told.contains("2 of 6 points could not be simulated"), "{told}");
    for when in ["{ above = 7 }", "[8, 9]", "{ above = 7, below = 7 }"] {
        let place = Place::new(&(scenario.to_string() + &declared.replace("WHEN", when)));
        let (table, told) = place.sweep(&[], 0);
        assert!(told.contains("6 points, 2 of them not applicable, 4 runs"), "{told}");
        assert_eq!(table.matches(" n/a\n").count(), 2, "{table}");
        assert!(
            table.contains("n/a: MIG, vm.count 8 and 1 more: seven instances are the most"),
            "{table}"
        );
        let rows = fs::read_to_string(place.path("output/grid/sweep.jsonl")).unwrap();
        let rows: Vec<serde_json::Value> =
            rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let none: Vec<_> = rows.iter().filter(|row| !row["not_applicable"].is_null()).collect();
        assert!(none.iter().all(|row| row["error"].is_null() && row["latency_p99_ms"].is_null()));
        assert_eq!((none.len(), rows.len()), (2, 6));
        let chart = fs::read_to_string(place.path("output/grid/latency.svg")).unwrap();
        assert!(!chart.contains("error"), "charts leave them out");
    }
    // What can be simulated must not be hidden.
    let place = Place::new(&(scenario.to_string() + &declared.replace("WHEN", "[7, 8]")));
    let (_, told) = place.sweep(&[], 2);
    assert!(
        told.contains("MIG, vm.count 7 is declared not applicable, but can be simulated"),
        "{told}"
    );
}

#[test]
fn a_point_that_cannot_be_is_a_row_with_an_error() {
    let place = Place::new(&GRID.replace(
        "x = { key = \"vm.a.load.target_qps\", values = [100, 900] }",
        "vm.vcpus = [8, 200]",
    ));
    let (stdout, stderr) = place.sweep(&["--json"], 3);
    assert!(stderr.contains("error: 2 of 4 points could not be simulated"), "{stderr}");
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let rows = document["rows"].as_array().unwrap();
    // Two points of two groups and two replications, and two that cannot be.
    assert_eq!(rows.len(), 2 * 4 + 2);
    let errors: Vec<_> = rows.iter().filter(|row| !row["error"].is_null()).collect();
    let why = "200 vCPUs are more than dell-r7525 has logical processors (128)";
    assert!(errors.iter().all(|row| row["error"] == why && row["vm.vcpus"] == 200.0), "{errors:?}");
    assert_eq!(document["failed_points"], 2);
    assert!(fs::read(place.path("output/grid/sweep.csv")).is_ok());
    let (stdout, _) = place.sweep(&[], 3);
    assert!(stdout.contains("ERROR: small, vm.vcpus 200: 200 vCPUs are more"), "{stdout}");
}

#[test]
fn the_rows_read_back_and_carry_their_origin() {
    let place = Place::new(GRID);
    place.sweep(&["--seed", "5"], 0);
    let folder = place.path("output/grid");
    let lines = fs::read_to_string(folder.join("sweep.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut reader = csv::Reader::from_path(folder.join("sweep.csv")).unwrap();
    let head = reader.headers().unwrap().clone();
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    // Four points, two replications, two groups.
    assert_eq!((rows.len(), records.len()), (16, 16));
    let column = |name: &str| head.iter().position(|head| head == name).expect(name);
    for (row, record) in rows.iter().zip(&records) {
        assert_eq!((&row["seed"], &row["schema_version"]), (&5.into(), &1.into()));
        assert_eq!(&record[column("scenario_hash")], row["scenario_hash"].as_str().unwrap());
        let p99: f64 = record[column("latency_p99_ms")].parse().unwrap();
        assert_eq!(Some(p99), row["latency_p99_ms"].as_f64());
    }
    // `vm.a` is one VM: the rate of the other is its own at every point.
    let of_b = rows.iter().filter(|row| row["group"] == "b");
    assert!(of_b.into_iter().all(|row| row["asked_per_s"] == 100.0));
    let replications = |point: u64| {
        let of_point = rows.iter().filter(move |row| row["point"] == point && row["group"] == "a");
        of_point.map(|row| row["latency_p50_ms"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    assert_ne!(replications(0)[0], replications(0)[1], "a replication reseeds");
}

#[test]
fn a_file_is_run_by_the_command_that_fits_it() {
    let place = Place::new(GRID.split("[sweep]").next().unwrap());
    let (_, stderr) = place.sweep(&[], 2);
    assert!(stderr.contains("has no [sweep]"), "{stderr}");
    let place = Place::new(GRID);
    let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
    command.args(["run", "grid.toml", "--quiet"]).current_dir(place.root.path());
    assert!(command.output().unwrap().status.success());
    assert!(place.path("output/grid/sweep.jsonl").exists());
}

/// What machines with one GPU differ by is told in the first replication of each point, about its own
/// p99: BERT-99 on the A100-PCIE-40GB knows it.
#[test]
fn a_point_says_what_other_machines_would_give() {
    let place = Place::new(GRID);
    place.sweep(&["--out", "results"], 0);
    let mut reader = csv::Reader::from_path(place.path("results").join("sweep.csv")).unwrap();
    let head = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 16, "2 x 2 points, 2 replications, 2 groups");
    for row in rows {
        let cell = |name: &str| row[head.iter().position(|head| head == name).unwrap()].parse();
        let p99: f64 = cell("latency_p99_ms").unwrap();
        let (low, high): (Result<f64, _>, Result<f64, _>) =
            (cell("latency_p99_inputs_low_ms"), cell("latency_p99_inputs_high_ms"));
        if cell("replication") == Ok(0.0) {
            let (low, high) = (low.unwrap(), high.unwrap());
            assert!(low <= p99 && p99 <= high && low < high, "{low} {p99} {high}");
            assert!(high < 1.5 * p99, "{high} beside {p99}");
        } else {
            assert!(low.is_err() && high.is_err(), "once a point");
        }
    }
}
