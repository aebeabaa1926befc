//! The probe's own tests (`probe/tests`), which replay the recorded H200 through this build of slicewise.

use std::process::{Command, Stdio};

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
