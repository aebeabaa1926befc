//! `slicewise sweep` and the other commands under kills, signals and each other: nothing is lost,
//! nothing is left behind, nobody's file is touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// 60 short points.
const POINTS: &str = r#"
title = "To be killed"
host = "dell-r7525"
hypervisor = "vsphere-7.0u2"
[[vm]]
vcpus = 8
vgpu = { type = "A100-40C" }
workload = "bert-99"
load = { scenario = "server", target_qps = 500, min_duration = "4 s", min_query_count = 100 }
[sweep]
vm.load.target_qps = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900, 2000]
vm.server.batch_max = [8, 32, 64]
"#;

/// The same with points that last for seconds, so that nothing ends before it is interrupted.
fn long() -> String {
    POINTS.replace("4 s", "4000 s")
}

struct Place(tempfile::TempDir);

impl Place {
    fn new(scenario: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("s.toml"), scenario).unwrap();
        Self(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
        command.args(arguments).current_dir(self.0.path());
        command.env_remove("SLICEWISE_CONFIGS").env_remove("SLICEWISE_THREADS");
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stderr, .. } = self.command(arguments).output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    }

    /// Starts in the background, standard error kept in a file.
    fn start(&self, arguments: &[&str]) -> Child {
        let told = fs::File::create(self.path("stderr")).unwrap();
        self.command(arguments).stdout(Stdio::null()).stderr(told).spawn().unwrap()
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = |path: &Path| {
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        names(self.0.path())
    }
}

/// Every file of a folder by name.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

/// The runs that are whole in what a sweep keeps; its head and a torn line are none.
fn kept(folder: &Path) -> usize {
    let bytes = fs::read(folder.join(".slicewise-partial")).unwrap_or_default();
    bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"}\n")).count()
}

/// Waits until something is so; false when the child ends before.
fn wait_until(child: &mut Child, is_so: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !is_so() {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(start.elapsed() < Duration::from_secs(300), "it never comes so far");
        std::thread::sleep(Duration::from_micros(200));
    }
    true
}

/// Sends a signal by name.
fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Random numbers for a test that is to be random, told when it fails.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Killed at random progress, by SIGKILL, SIGTERM and SIGINT, and started again until it is done:
/// the same bytes as in one go, no run twice, nothing left. `SLICEWISE_KILLS=100` for the whole of it.
#[cfg(unix)]
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_sweep_killed_at_random_loses_nothing_and_leaves_nothing_behind() {
    let kills = std::env::var("SLICEWISE_KILLS").ok().and_then(|text| text.parse().ok());
    let kills: u32 = kills.unwrap_or(8);
    let place = Place::new(POINTS);
    assert_eq!(place.run(&["sweep", "s.toml", "--out", "whole", "--quiet"]).0, Some(0));
    let whole = bytes(&place.path("whole"));
    let out = place.path("out");
    let mut dice = Dice(u64::from(std::process::id()));
    let (mut killed, mut rounds, mut late) = (0, 0, 0);
    while killed < kills {
        rounds += 1;
        let mut before = 0;
        loop {
            let started = SystemTime::now() - Duration::from_millis(20); // Of coarse clocks.
            let mut child = place.start(&["sweep", "s.toml", "--out", "out"]);
            let seed = dice.0;
            // Some kills come at once, most after a few more points, some while results are written.
            let place_of_kill = dice.throw(10);
            let more = dice.throw(8) as usize;
            let is_there = |name: &str| out.join(".slicewise-work").join(name).exists();
            let is_so = || match place_of_kill {
                0 => true,
                1 => is_there("sweep.json"),
                2 => is_there("throughput.png"),
                3 => is_there(".slicewise") || out.join(".slicewise").exists(),
                _ => kept(&out) >= before + more,
            };
            let in_time = wait_until(&mut child, is_so) && killed < kills;
            if in_time {
                let names = ["KILL", "KILL", "TERM", "INT"];
                signal(names[dice.throw(4) as usize], child.id());
            }
            let status = child.wait().unwrap();
            if status.success() {
                late += u32::from(in_time);
                let told = place.stderr();
                let took = told
                    .split("reused ")
                    .nth(1)
                    .map_or(0, |rest| rest.split(' ').next().unwrap().parse().unwrap());
                assert_eq!(took, before, "{told}");
                break;
            }
            assert!(in_time, "{}", place.stderr());
            killed += 1;
            // It may come so late that the results are there, and what was kept is not needed.
            let results = fs::metadata(out.join("sweep.csv")).and_then(|data| data.modified());
            let are_new = results.is_ok_and(|written| written >= started);
            if are_new && !out.join(".slicewise-partial").exists() {
                late += 1;
                break;
            }
            let now = kept(&out);
            assert!(now >= before, "{now} of {before} runs are left, dice {seed}");
            before = now;
        }
        assert!(bytes(&out) == whole, "round {rounds} gives other bytes or files");
        assert_eq!(place.names(), ["out", "s.toml", "stderr", "whole"]);
        // The next round begins with nothing, or with old results to replace.
        if dice.throw(2) == 0 {
            fs::remove_dir_all(&out).unwrap();
        }
    }
    println!("{killed} kills in {rounds} rounds; {late} signals came after the end");
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_says_what_is_kept_and_where() {
    use std::os::unix::process::ExitStatusExt;
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        if name == "HUP" && ignores_hangup() {
            println!("skipped: whoever started the tests ignores SIGHUP, and so do its children");
            continue;
        }
        let place = Place::new(&long());
        let mut child = place.start(&["sweep", "s.toml", "--threads", "2"]);
        let out = place.path("output/s");
        assert!(wait_until(&mut child, || kept(&out) > 0), "{}", place.stderr());
        signal(name, child.id());
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(number), "{status}");
        let told = place.stderr();
        let count = kept(&out);
        let expected = " of 60 points are kept in output/s/.slicewise-partial; start the same command again to go on";
        assert!(told.contains("interrupted: ") && told.contains(expected), "{told}");
        assert!(count > 0 && bytes(&out).len() == 1, "only what is kept is there");
    }
}

/// Whether this process was started with SIGHUP ignored, as by `nohup`; so where the kernel does not say.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_none_or(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1)
}

/// `nohup` means it: the end of the terminal ends nothing.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_run_under_nohup_outlives_its_terminal() {
    let place = Place::new(&long());
    let mut command = Command::new("nohup");
    command.args([env!("CARGO_BIN_EXE_slicewise"), "sweep", "s.toml", "--threads", "2"]);
    let told = fs::File::create(place.path("stderr")).unwrap();
    command.current_dir(place.0.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(told);
    let mut child = command.spawn().unwrap();
    let out = place.path("output/s");
    assert!(wait_until(&mut child, || kept(&out) > 0), "{}", place.stderr());
    signal("HUP", child.id());
    let before = kept(&out);
    assert!(wait_until(&mut child, || kept(&out) > before), "{}", place.stderr());
    signal("TERM", child.id());
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    let place = Place::new(&long().split("[sweep]").next().unwrap().replace("4000 s", "60000 s"));
    let mut child = place.start(&["run", "s.toml"]);
    let work = place.path("output/s/.slicewise-work");
    assert!(wait_until(&mut child, || work.exists()), "{}", place.stderr());
    signal("INT", child.id());
    assert!(!child.wait().unwrap().success());
    let told = place.stderr();
    assert!(told.contains("interrupted: nothing was written; output/s was not changed"), "{told}");
    assert_eq!(place.names(), ["s.toml", "stderr"]);
}

/// From the first instant at which there is something to tidy up.
#[cfg(unix)]
#[test]
fn an_interruption_as_early_as_may_be_leaves_nothing() {
    let mut dice = Dice(5);
    for round in 0..20 {
        let command = ["run", "sweep", "capacity"][round % 3];
        let text = long();
        let text = if command == "sweep" { &text } else { text.split("[sweep]").next().unwrap() };
        let place = Place::new(&text.replace("4000 s", "60000 s"));
        let mut child = place.start(&[command, "s.toml", "--threads", "1"]);
        let output = place.path("output");
        assert!(wait_until(&mut child, || output.exists()), "{}", place.stderr());
        std::thread::sleep(Duration::from_micros(dice.throw(2_000)));
        signal("INT", child.id());
        assert!(!child.wait().unwrap().success());
        let told = place.stderr();
        assert!(
            told.contains("nothing is kept") || told.contains("nothing was written"),
            "round {round}, {command}: {told}"
        );
        assert_eq!(place.names(), ["s.toml", "stderr"], "round {round}, {command}: {told}");
    }
}

/// The first process of a container has no default handlers: without handlers of ours it would not
/// end before the sweep does.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn signals_end_the_first_process_of_a_container() {
    let spaces = [&["--fork", "--pid"][..], &["--user", "--map-root-user", "--fork", "--pid"]];
    let can = |flags: &&&[&str]| {
        let tried = Command::new("unshare").args(**flags).arg("true").output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let Some(flags) = spaces.iter().find(can) else {
        println!("skipped: no process namespace can be made here");
        return;
    };
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new(&long());
        let mut command = Command::new("unshare");
        command.args(*flags).args([env!("CARGO_BIN_EXE_slicewise"), "sweep", "s.toml", "--quiet"]);
        let told = fs::File::create(place.path("stderr")).unwrap();
        command.current_dir(place.0.path()).stdout(Stdio::null()).stderr(told);
        let mut child = command.spawn().unwrap();
        let out = place.path("output/s");
        assert!(wait_until(&mut child, || kept(&out) > 0), "{}", place.stderr());
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let inner = fs::read_to_string(children).unwrap();
        let start = Instant::now();
        signal(name, inner.trim().parse().unwrap());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{}", place.stderr());
        assert!(start.elapsed() < Duration::from_secs(5), "at once");
    }
}

#[cfg(unix)]
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn two_commands_do_not_work_on_one_folder() {
    let place = Place::new(&long());
    let mut first = place.start(&["sweep", "s.toml", "--out", "out"]);
    assert!(wait_until(&mut first, || kept(&place.path("out")) > 0), "{}", place.stderr());
    for command in ["sweep", "capacity"] {
        let (code, told) = place.run(&[command, "s.toml", "--out", "out"]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("another slicewise process is using out"), "{told}");
    }
    // A kill leaves no lock behind: what is there now is another matter.
    signal("KILL", first.id());
    first.wait().unwrap();
    let (code, told) = place.run(&["capacity", "s.toml", "--out", "out"]);
    assert_eq!(code, Some(2), "{told}");
    let expected = "out holds the finished runs of an interrupted sweep; finish it, or choose another folder, such as --out out-capacity";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_command_names_another_folder_instead_of_replacing_what_another_made() {
    let place = Place::new(POINTS.split("[sweep]").next().unwrap());
    assert_eq!(place.run(&["run", "s.toml", "--replications", "1"]).0, Some(0));
    let before = bytes(&place.path("output/s"));
    let axis = "sweep.vm.vcpus=[4, 8]";
    let (code, told) = place.run(&["sweep", "s.toml", "--set", axis]);
    assert_eq!(code, Some(2), "{told}");
    let expected = "output/s holds the results of `slicewise run`; choose another folder, such as --out output/s-sweep, or replace them with --force";
    assert!(told.contains(expected), "{told}");
    assert!(bytes(&place.path("output/s")) == before);
    let to = ["sweep", "s.toml", "--set", axis, "--out", "output/s-sweep"];
    assert_eq!(place.run(&to).0, Some(0));
    assert_eq!(place.run(&["sweep", "s.toml", "--set", axis, "--force"]).0, Some(0));
    assert!(!place.path("output/s/result.json").exists());
}

#[test]
fn every_command_finds_out_before_the_work_that_it_cannot_write() {
    let place = Place::new(&long());
    fs::write(place.path("times.csv"), "batch,latency_ms\n1,1.5\n8,5\n64,30\n").unwrap();
    let calibrate = ["calibrate", "--csv", "times.csv", "--gpu", "a100-pcie-40gb", "--name", "x"];
    let commands: [&[&str]; 6] = [
        &["run", "s.toml"],
        &["sweep", "s.toml"],
        &["capacity", "s.toml"],
        &["capacity", "s.toml", "--vms"],
        &["validate"],
        &calibrate,
    ];
    for command in commands {
        for (out, code, why) in
            [("s.toml", 2, "s.toml is a file"), ("s.toml/deeper", 1, "cannot create s.toml/deeper")]
        {
            let (found, told) = place.run(&[command, &["--out", out]].concat());
            assert_eq!(found, Some(code), "{command:?}\n{told}");
            assert!(told.contains(why), "{command:?}\n{told}");
        }
    }
    assert_eq!(place.names(), ["s.toml", "times.csv"]);
}
