//! The program from outside: exit codes, and what goes to which stream.
//!
//! What scenarios mean and how results look is tested elsewhere.

use std::process::{Command, Output, Stdio};

fn slicewise(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
    command.args(arguments).env_remove("SLICEWISE_CONFIGS").env_remove("SLICEWISE_THREADS");
    command
}

#[track_caller]
fn check(arguments: &[&str], code: i32) -> (String, String) {
    let Output { status, stdout, stderr } = slicewise(arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

#[test]
fn help_tells_the_exit_codes() {
    let (stdout, stderr) = check(&["--help"], 0);
    assert!(stdout.contains("Exit codes:") && stdout.contains("Examples:"), "{stdout}");
    assert_eq!(stderr, "");
    assert!(check(&["--version"], 0).0.starts_with("slicewise "));
    check(&["run", "--help"], 0);
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["simulate"][..],
        &[],
        &["run"],
        &["run", "x.toml", "--seed", "-1"],
        &["run", "x.toml", "--threads", "0"],
        &["list", "--color", "sometimes"],
        &["show", "no-such-thing"],
    ] {
        let (stdout, stderr) = check(arguments, 2);
        assert_eq!(stdout, "", "standard output is data only");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn completions_and_manual_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (stdout, stderr) = check(&["completions", shell], 0);
        assert!(stdout.contains("capacity") && stderr.is_empty(), "{shell}");
    }
    let (stdout, _) = check(&["man"], 0);
    assert!(stdout.contains(".TH slicewise") && stdout.contains("Exit codes"), "{stdout}");
}

#[test]
fn a_registry_word_is_written_and_read_back() {
    let arguments = ["vgpu", "encode", "equal-share", "--frequency=63", "--averaging-factor=1"];
    let (stdout, _) = check(&arguments, 0);
    assert!(stdout.starts_with(&check(&["vgpu", "decode", "0x0103F001"], 0).0), "{stdout}");
    assert!(stdout.contains("RmPVMRL=0x0103F001"), "{stdout}");
    for (arguments, why) in [
        (&["equal"][..], "allowed: best-effort, equal-share, fixed-share"),
        (&["best-effort", "--frequency=100"], "no registry word sets"),
        (&["fixed-share", "--slice=3"], "--non-strict"),
        (&["fixed-share", "--frequency=62"], "63..=960"),
        (&["fixed-share", "--non-strict", "--slice=31"], "1..=30"),
        (&["fixed-share", "--non-strict", "--frequency=200"], "200 Hz are 5.0 ms"),
    ] {
        let arguments: Vec<_> = ["vgpu", "encode"].iter().chain(arguments).copied().collect();
        let (stdout, stderr) = check(&arguments, 2);
        assert!(stdout.is_empty() && stderr.contains(why), "{stderr}");
    }
}

#[test]
fn capacity_refuses_what_it_cannot_search() {
    for precision in ["0", "nan", "51", "-1", "five"] {
        let argument = format!("--precision={precision}");
        let (stdout, stderr) = check(&["capacity", "scenarios", &argument], 2);
        assert!(stdout.is_empty() && stderr.contains("allowed: 0.01 to 50"), "{stderr}");
    }
    check(&["capacity", "scenarios", "--replications", "0"], 2);
}

#[test]
fn a_missing_file_exits_with_1() {
    let (stdout, stderr) = check(&["run", "no-such-file.toml"], 1);
    assert_eq!(stdout, "");
    assert!(stderr.starts_with("error: ") && stderr.contains("no-such-file.toml"), "{stderr}");
}

#[test]
fn the_catalogue_is_listed_and_shown() {
    let (stdout, _) = check(&["list"], 0);
    let id = stdout.lines().nth(1).and_then(|line| line.split_whitespace().nth(1)).unwrap();
    assert!(!check(&["show", id], 0).0.is_empty());
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child =
        slicewise(&["list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
