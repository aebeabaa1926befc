//! The probe's own tests (`probe/tests`), which replay the recorded H200 through this build of slicewise,
//! and what `calibrate` makes of the probe's file.

use slicewise::config::Catalogue;
use slicewise::spec::Standing;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Which Python runs; nothing where there is none of 3.8 or later.
fn python() -> Option<&'static str> {
    let program = "import sys; sys.exit(sys.version_info < (3, 8))";
    ["python3", "python"].into_iter().find(|name| {
        let mut asked = Command::new(name);
        asked.args(["-c", program]).stdin(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    })
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_probe_passes_its_own_tests() {
    let Some(python) = python() else {
        println!("skipped: no Python 3.8 or later here, so the probe is not tested");
        return;
    };
    let output = Command::new(python)
        .args(["-B", "-m", "unittest", "discover", "-s", "probe/tests", "-t", "probe"])
        .env("PROBE_SLICEWISE", env!("CARGO_BIN_EXE_slicewise"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    println!("{told}");
    assert!(output.status.success(), "{told}");
}

fn slicewise(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// What the probe left of the H200, in a folder of its own.
fn probed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("probe-output");
    fs::create_dir(&out).unwrap();
    fs::copy("tests/formats/probe/h200.json", out.join("probe.json")).unwrap();
    for model in ["bert", "resnet"] {
        let text = fs::read_to_string("tests/formats/probe/h200.json").unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let times = document["measured"]["batches"][model].as_object().unwrap();
        let rows = times.iter().map(|(batch, time)| format!("{batch},{}\n", time["mean_ms"]));
        let table = format!("batch,latency_ms\n{}", rows.collect::<String>());
        fs::write(out.join(format!("times-{model}.csv")), table).unwrap();
    }
    folder
}

const CALIBRATE: [&str; 4] = ["calibrate", "probe-output/probe.json", "-o", "my"];

#[test]
fn a_gpu_and_workloads_are_made_of_the_probe_s_file() {
    let folder = probed();
    let made = slicewise(&CALIBRATE, folder.path());
    let (told, warned) =
        (String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
    assert!(made.status.success(), "{warned}");
    assert!(told.contains("slice"), "{told}");
    let catalogue = Catalogue::load(Some(&folder.path().join("my"))).unwrap();
    let gpu = catalogue.gpu("h200-sxm-141gb").unwrap();
    let turns = &gpu.process_turns;
    // As published: 2.089 and 0.137 ms; save + restore of these kernels is 0.06 on average.
    let switch = &turns.value.switch;
    let near = |found: f64, wanted: f64| (found / wanted - 1.0).abs() < 0.01;
    assert!(near(turns.value.slice.as_millis_f64(), 2.089), "{turns:?}");
    assert!(near(switch.dry.as_millis_f64(), 0.137), "{turns:?}");
    assert!(near((switch.save + switch.restore).as_millis_f64(), 0.0596), "{turns:?}");
    assert_eq!(turns.standing, Standing::Measured);
    // The measured table is the workload's.
    let bert = &catalogue.workload("probe-bert").unwrap().service["h200-sxm-141gb"];
    let whole = |batch: u32| bert.launch.value.as_millis_f64() + bert.work.value.at(batch) / 1e6;
    for (batch, ms) in [(1, 1.3162), (8, 4.6352), (64, 35.8033)] {
        assert!(near(whole(batch), ms), "{batch}: {} ms", whole(batch));
    }
    assert!(catalogue.workload("probe-resnet").is_some());

    // What is there stays, unless told otherwise.
    let again = slicewise(&CALIBRATE, folder.path());
    assert_eq!(again.status.code(), Some(2));
    let told = String::from_utf8_lossy(&again.stderr);
    assert!(told.contains("exists already") && told.contains("--force"), "{told}");
    let forced = slicewise(&[&CALIBRATE[..], &["--force"]].concat(), folder.path());
    assert!(forced.status.success(), "{}", String::from_utf8_lossy(&forced.stderr));
}

#[test]
fn without_a_folder_nothing_is_written() {
    let folder = probed();
    let made = slicewise(&CALIBRATE[..2], folder.path());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let told = String::from_utf8_lossy(&made.stdout);
    assert!(told.contains("2.0890 ms") && told.contains("2.0895 ms"), "{told}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let json = slicewise(&[&CALIBRATE[..2], &["--json", "--quiet"]].concat(), folder.path());
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(document["gpu"], "h200-sxm-141gb");
    let facts = ["process_turns", "mps_limit_step", "pcie_bandwidth"];
    assert_eq!(document["replaced"], serde_json::json!(facts));
}

#[test]
fn a_gpu_that_is_not_known_is_asked_for() {
    let folder = probed();
    let path = folder.path().join("probe-output/probe.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"catalogue\": \"h200-sxm-141gb\",\n", "")).unwrap();
    let asked = slicewise(&CALIBRATE, folder.path());
    assert_eq!(asked.status.code(), Some(2));
    let told = String::from_utf8_lossy(&asked.stderr);
    assert!(told.contains("no GPU of the catalogue") && told.contains("--gpu"), "{told}");
    // By the card's PCI id, which nvidia-smi prints.
    let with_id = text.replace("\"catalogue\": \"h200-sxm-141gb\",\n", "").replace(
        "\"name\": \"NVIDIA H200\"",
        "\"name\": \"NVIDIA H200\", \"pci_id\": \"0x233510DE\"",
    );
    fs::write(&path, with_id).unwrap();
    let made = slicewise(&CALIBRATE, folder.path());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
