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
pub(crate) fn check(arguments: &[&str], code: i32) -> (String, String) {
    let Output { status, stdout, stderr } = slicewise(arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

/// Exit code, standard output and standard error, whatever they are.
pub(crate) fn output(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = slicewise(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
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

/// What is no number of its option says what would be one, also behind a sign, which is no other option.
#[test]
fn an_option_says_what_it_takes() {
    let ask = ["ask", "--model", "bert-99", "--gpu", "a30"];
    let vms = "allowed: a whole number from 1 to 64";
    for (arguments, said) in [
        (
            &["run", "x.toml", "--seed", "-1"][..],
            "allowed: a whole number from 0 to 18446744073709551615",
        ),
        (&["capacity", "x.toml", "--precision", "-1"], "'-1' for '--precision"),
        (&["capacity", "x.toml", "--time-limit", "-2min"], "allowed: a time above 0"),
        (&["trace", "x.toml", "--from", "-1ms"], "allowed: 0 s or more"),
        (&[&ask[..], &["--vms", "0"]].concat(), vms),
        (&[&ask[..], &["--vms", "-3"]].concat(), vms),
        (&[&ask[..], &["--vms", "2.5"]].concat(), vms),
        (&[&ask[..], &["--bound", "-5ms"]].concat(), "allowed: a time above 0"),
        (
            &["vgpu", "fit", "a30", "--vms", "2", "--frame-buffer", "-1GB"],
            "'-1GB' for '--frame-buffer",
        ),
    ] {
        let (_, stderr) = check(arguments, 2);
        assert!(stderr.contains(said) && !stderr.contains("-- -"), "{arguments:?}: {stderr}");
    }
    let (same, _) = check(&["vgpu", "fit", "a30", "2xA30-6C", "--mode", "mixed-size"], 0);
    assert_eq!(same, check(&["vgpu", "fit", "a30", "2xA30-6C", "--mode", "mixed"], 0).0);
}

/// A folder that cannot be had is told with its reason and its option.
#[test]
fn a_folder_that_is_not_there_is_told() {
    let (_, stderr) = check(&["list", "--configs", "tests/no-such-folder"], 1);
    assert!(stderr.contains("--configs") && stderr.contains("does not exist"), "{stderr}");
    let (_, stderr) = check(&["list", "--configs", "Cargo.toml"], 1);
    assert!(stderr.contains("is a file, not a folder"), "{stderr}");
    // Nothing can be made in it, whoever asks.
    if cfg!(target_os = "linux") {
        let scenario = "scenarios/detect-then-classify.toml";
        let (_, stderr) = check(&["run", scenario, "--quiet", "--out", "/proc/slicewise"], 1);
        assert!(stderr.contains("cannot create /proc/slicewise: "), "{stderr}");
        assert!(!stderr.contains("another process"), "{stderr}");
    }
}

#[test]
fn completions_and_manual_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (stdout, stderr) = check(&["completions", shell], 0);
        assert!(stdout.contains("capacity") && stderr.is_empty(), "{shell}");
    }
    let (stdout, _) = check(&["man"], 0);
    assert!(stdout.contains(".TH slicewise"), "{stdout}");
    // Section names of man-pages(7), in its order: exit status, then notes, then examples.
    let (stdout, _) = check(&["man", "vgpu", "fit"], 0);
    let at = |name: &str| stdout.find(&format!(".SH {name}\n")).unwrap_or_else(|| panic!("{name}"));
    assert!(at("OPTIONS") < at("EXIT STATUS") && at("EXIT STATUS") < at("EXAMPLES"), "{stdout}");
    assert!(!stdout.contains("EXTRA"), "{stdout}");
}

/// Names of the catalogue are completed, those of a folder too; policies and vGPU types as well.
#[test]
fn completions_know_the_names() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    std::fs::create_dir(&hosts).unwrap();
    let host = std::fs::read_to_string("configs/hosts/dell-r7525.toml").unwrap();
    std::fs::write(hosts.join("my-own-host.toml"), host).unwrap();
    let configs = folder.path().to_str().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (stdout, _) = check(&["completions", shell, "--configs", configs], 0);
        for name in ["a100-pcie-40gb", "ssd-resnet34", "equal-share", "A100-10C", "3g.20gb"] {
            assert!(stdout.contains(name), "{shell}: {name}");
        }
        assert!(stdout.contains("my-own-host"), "{shell}");
    }
}

/// One bad file of a catalogue folder is told and left out; what does not use it is answered. A built-in
/// entry of its name does not stand in for it.
#[test]
fn a_bad_catalogue_file_stops_only_who_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("gpus/odd.toml", "name = 1\n"),
        ("gpus/a30.toml", "not toml"),
        ("workloads/worse.toml", "\u{0}\u{1}"),
        ("hosts/mine.toml", "name = \"mine\"\ngpus = { model = \"none-such\", count = 1 }\n"),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(folder.path().join("workloads/bytes.toml"), [0xff, 0xfe]).unwrap();
    let with = |arguments: &[&str], code| {
        let all = [arguments, &["--configs", folder.path().to_str().unwrap()]].concat();
        check(&all, code)
    };
    let (list, told) = with(&["list"], 2);
    assert!(list.contains("a100-pcie-40gb") && list.contains("left out"), "{list}");
    assert!(told.contains("odd.toml") && told.contains("bytes.toml"), "{told}");
    let (document, _) = with(&["list", "--json"], 2);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let a30 = document.as_array().unwrap().iter().find(|entry| entry["id"] == "a30").unwrap();
    assert_eq!((&a30["left_out"], &a30["kind"]), (&true.into(), &"gpu".into()));
    with(&["show", "bert-99"], 0);
    with(&["vgpu", "fit", "a100-pcie-40gb", "A100-10C"], 0);
    with(&["mig", "place", "a100-pcie-40gb", "1g.5gb"], 0);
    for arguments in [&["vgpu", "list", "a30"][..], &["mig", "list", "a30"]] {
        let (_, told) = with(arguments, 2);
        assert!(told.contains("has mistakes"), "{told}");
    }
    // A run says all that is wrong with the files it was given.
    with(&["check", "scenarios/vcpu-knee.toml"], 2);
}

/// A file that belongs to another command is named for what it is, with the command that takes it.
/// What nobody is known to write is told by the reader of measurements, not as a bad scenario; an empty
/// workload file in a word, not key by key.
#[test]
fn measurements_and_workloads_are_told_as_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let json = file("times.json", b"[{\"batch\": 1, \"ms\": 2}]\n");
    let (_, stderr) = check(&["calibrate", &json, "--gpu", "a30"], 2);
    assert!(stderr.contains("not a table of batch times"), "{stderr}");
    assert!(!stderr.contains("scenarios are TOML"), "{stderr}");
    let empty = file("empty.toml", b"# nothing\n");
    let (_, stderr) = check(&["run", "scenarios/idle-neighbour.toml", "--workload", &empty], 2);
    assert!(stderr.contains("the file is empty"), "{stderr}");
    assert!(stderr.contains("`slicewise new workload -o FILE`"), "{stderr}");
    assert!(!stderr.contains("missing key"), "{stderr}");
    let binary = file("binary.csv", b"batch,ms\n1,\0\xff\n");
    let (_, stderr) = check(&["calibrate", &binary, "--gpu", "a30"], 2);
    assert!(stderr.contains("the file is binary, not text"), "{stderr}");
}

#[test]
fn a_wrong_kind_of_file_is_told_with_the_right_command() {
    let folder = tempfile::tempdir().unwrap();
    let calibration = std::fs::read_to_string("scenarios/calibration/bert-99.toml").unwrap();
    let workload = std::fs::read_to_string("configs/workloads/bert-99.toml").unwrap();
    let scenario = std::fs::read_to_string("scenarios/vcpu-knee.toml").unwrap();
    for (command, text, what) in [
        ("run", "{\"schema_version\": 1}", "a result document of slicewise"),
        ("sweep", "[{\"startMs\": 1, \"latencyMs\": 2}]", "slicewise calibrate BATCH=FILE"),
        ("capacity", "batch,latency_ms\n1,2\n", "slicewise calibrate FILE --gpu"),
        ("check", "version: v1\nmig-configs:\n  a: []\n", "slicewise import FILE"),
        ("run", &calibration, "slicewise calibrate FILE"),
        ("check", &workload, "DIR/workloads"),
        ("calibrate", &scenario, "slicewise run FILE"),
        ("calibrate", &workload, "DIR/workloads"),
        ("calibrate", "batch,latency_ms\n1,2\n", "which GPU was measured"),
    ] {
        let path = folder.path().join("file.toml");
        std::fs::write(&path, text).unwrap();
        let (stdout, told) = check(&[command, path.to_str().unwrap()], 2);
        assert!(stdout.is_empty() && told.contains(what), "{command}: {told}");
        assert_eq!(told.matches("error: ").count(), 1, "one answer, not one a line: {told}");
    }
    let path = folder.path().join("scenario.yaml");
    std::fs::write(&path, scenario).unwrap();
    let (_, told) = check(&["import", path.to_str().unwrap(), "--gpu", "a30"], 2);
    assert!(told.contains("the file is TOML"), "{told}");
}

/// Every command, `vgpu fit` as two words.
fn commands() -> Vec<Vec<String>> {
    let below = |above: &[&str]| -> Vec<String> {
        let arguments: Vec<_> = above.iter().copied().chain(["--help"]).collect();
        let (help, _) = check(&arguments, 0);
        let Some((_, list)) = help.split_once("Commands:\n") else { return Vec::new() };
        let lines = list.lines().take_while(|line| !line.is_empty());
        let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next());
        names.filter(|name| *name != "help").map(str::to_string).collect()
    };
    let mut all = Vec::new();
    for name in below(&[]) {
        all.extend(below(&[&name]).into_iter().map(|inner| vec![name.clone(), inner]));
        all.push(vec![name]);
    }
    assert!(all.len() > 12, "{all:?}");
    all
}

#[test]
fn every_command_has_a_page_and_examples() {
    let mut without = Vec::new();
    for command in commands() {
        let words = || command.iter().map(String::as_str);
        let (page, _) = check(&["man"].into_iter().chain(words()).collect::<Vec<_>>(), 0);
        let name = format!(".TH slicewise-{} ", command.join("-"));
        assert!(page.contains(&name) && page.contains(".SH SYNOPSIS"), "{command:?}: {page}");
        let (help, _) = check(&words().chain(["--help"]).collect::<Vec<_>>(), 0);
        let example = format!("slicewise {}", command.join(" "));
        let shown = help.lines().any(|line| line.starts_with("  ") && line.contains(&example));
        if !shown && !help.contains("Commands:") {
            without.push(command.join(" "));
        }
    }
    assert!(without.is_empty(), "their --help shows no example: {without:?}");
    let (_, stderr) = check(&["man", "capcity"], 2);
    assert!(stderr.contains("did you mean \"capacity\"?"), "{stderr}");
}

const SMALL: &str = "\
host = \"dell-r7525\"
hypervisor = \"vsphere-7.0u2\"

[[vm]]
name = \"front\"
vcpus = 8
vgpu = { type = \"A100-40C\" }
workload = \"resnet50\"

[vm.load]
scenario = \"server\"
target_qps = 100
target_latency = \"1 s\"
min_duration = \"1 s\"
min_query_count = 1
";

/// Runs with [`SMALL`] on standard input and an output folder of its own.
#[track_caller]
fn with_small(arguments: &[&str], code: i32) -> (String, String) {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let mut command = slicewise(arguments);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.current_dir(folder.path()).spawn().unwrap();
    // A command that refuses its arguments may end before it reads.
    let written = child.stdin.take().unwrap().write_all(SMALL.as_bytes());
    assert!(written.is_ok() || code == 2, "{arguments:?}: {written:?}");
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

#[test]
fn a_scenario_may_come_by_standard_input() {
    assert_eq!(with_small(&["check", "-"], 0).0, "ok: stdin: 1 pair, 2 runs\n");
    let (_, stderr) = with_small(&["run", "-"], 0);
    assert!(stderr.contains("wrote output/stdin"), "{stderr}");
}

#[test]
fn keys_can_be_set_on_the_command_line() {
    let (document, _) = with_small(
        &["run", "-", "-q", "--json", "--set", "vm.vcpus=2", "--set=vm.front.vcpus=3"],
        0,
    );
    assert!(document.contains("\"vcpus\": 3,"), "the later one wins: {document}");
    // A text needs no quotes of TOML: the shell has taken them.
    with_small(
        &["check", "-", "--set=hypervisor=vsphere-7.0u2", "--set=vm.server.timeout=9 ms"],
        0,
    );
    with_small(&["check", "-", "--set", "vm[0].vgpu={ type = \"A100-20C\", count = 2 }"], 0);
    for (set, message) in [
        (
            "vm.vcpuz=3",
            "error: unknown key \"vcpuz\" in `vm`\n --> --set:1:1\n  |\n1 | vm.vcpuz=3\n  | ^^^^^^^^\n",
        ),
        ("vm.vcpus=many", "1 | vm.vcpus=many\n  |          ^^^^ expected a whole number"),
        ("vm.server={ batch_mox = 1 }", "help: did you mean \"batch_max\"?"),
        ("vm[3].vcpus=1", "there is no `vm[3]`"),
        ("vm.vcpus", "\"vm.vcpus\" lacks a ="),
        ("host.model=1", "`host` is a string and has no keys"),
        ("=1", "lacks a key"),
        ("vm.server.batch_max=0", "allowed: 1 to 1000000 samples"),
    ] {
        let (stdout, stderr) = with_small(&["check", "-", "--set", set], 2);
        assert!(stdout.is_empty() && stderr.contains(message), "{set}\n{stderr}");
    }
    let twice = ["check", "-", "--set", "sweep.vm.vcpus=[2, 4]", "--set", "vm.vcpus=8"];
    assert!(with_small(&twice, 2).1.contains("is set by --set, and varies in the sweep as well"));
    assert!(with_small(&twice[..4], 0).0.contains("2 points"));
}

#[test]
fn every_value_can_be_explained() {
    let arguments = ["check", "-", "--explain", "--set", "vm.vcpus=4"];
    let (text, _) = with_small(&arguments, 0);
    let line = |key: &str| {
        let found = text.lines().find(|line| line.split_whitespace().next() == Some(key));
        found.unwrap_or_else(|| panic!("no {key}: {text}")).split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(line("vcpus"), ["vcpus", "4", "--set", "vm.vcpus=4"]);
    assert_eq!(line("load.target_latency"), ["load.target_latency", "1", "s", "<stdin>:13:18"]);
    let (json, _) = with_small(&[&arguments[..], &["--json"]].concat(), 0);
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(all[0]["sections"][0]["title"], "scenario");
    with_small(&["check", "-", "--json"], 2);

    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    std::fs::create_dir(&hosts).unwrap();
    std::fs::copy("configs/hosts/dell-r7525.toml", hosts.join("dell-r7525.toml")).unwrap();
    let mut command = slicewise(&["check", "--explain", "scenarios/vcpu-knee.toml"]);
    let output = command.env("SLICEWISE_CONFIGS", folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("environment SLICEWISE_CONFIGS"), "{text}");
    assert!(text.contains("dell-r7525.toml:4, documented: "), "{text}");
}

#[test]
fn a_mistake_in_an_argument_is_told_once_for_a_whole_folder() {
    let folder = "scenarios/vsphere-mlperf-v1.1";
    let (_, stderr) = check(&["check", folder, "--set", "vm.vcpuz=3"], 2);
    assert_eq!(stderr.matches("unknown key").count(), 1, "{stderr}");
}

#[test]
fn an_invalid_run_fails_on_request_only() {
    // A bound of 1 us is below any service time.
    let bound = ["--set", "vm.load.target_latency=1 us", "--quiet"];
    let run: Vec<_> = ["run", "-"].into_iter().chain(bound).collect();
    assert!(with_small(&run, 0).0.contains("INVALID"));
    let (stdout, stderr) = with_small(&[&run[..], &["--fail-on-invalid"]].concat(), 4);
    assert!(stdout.contains("INVALID") && stderr.contains("1 of 1 INVALID"), "{stderr}");
    let (_, stderr) = with_small(&["run", "-", "--fail-on-invalid", "--progress", "never"], 0);
    assert!(stderr.contains("wrote"), "messages are no progress");
}

#[test]
fn colour_obeys_the_terminal_the_flag_and_the_environment() {
    let coloured = |environment: &[(&str, &str)], flag: &str| {
        let mut command = slicewise(&["show", "nothing", "--color", flag]);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
            command.env_remove(name);
        }
        let output = command.envs(environment.iter().copied()).output().unwrap();
        output.stderr.contains(&0x1b)
    };
    assert!(!coloured(&[], "auto"), "a pipe is no terminal");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], "auto"));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], "auto"));
    assert!(coloured(&[("NO_COLOR", "1")], "always"), "a flag is stronger than the environment");
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], "never"));
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
        (&["fixed-share", "--frequency=62"], "from 63 to 960"),
        (&["fixed-share", "--non-strict", "--slice=31"], "from 1 to 30"),
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

/// Whatever is said on standard output fits 60 columns, but for lines that are one word too long or drawn
/// to be copied: `show`, `check --explain`, a no and the notes of `mig place`, `vgpu`.
#[test]
fn no_line_is_beyond_sixty_columns() {
    let scenario = "scenarios/curves/noisy-neighbour.toml";
    let commands: [&[&str]; 12] = [
        &["show", "bert-99"],
        &["show", "gpus/a100-pcie-40gb"],
        &["show", "vsphere-7.0u2"],
        &["check", scenario],
        &["check", scenario, "--explain"],
        &["check", "scenarios/vsphere-mlperf-v1.1/bert-99-server.toml", "--explain"],
        &["mig", "place", "a100-pcie-40gb", "3g.20gb", "2g.10gb", "1g.5gb"],
        &["mig", "place", "a100-pcie-40gb", "1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb"],
        &["mig", "place", "a100-pcie-40gb", "3g.20gb", "3g.20gb", "1g.5gb"],
        &["mig", "place", "a100-pcie-40gb", "4g.20gb", "1g.5gb+me", "--beside", "1g.5gb:0"],
        &["vgpu", "list", "a100-pcie-40gb"],
        &["vgpu", "decode", "0x00180001"],
    ];
    for arguments in commands {
        let told = slicewise(arguments).env("COLUMNS", "60").output().unwrap().stdout;
        let told = String::from_utf8(told).unwrap();
        let mut long = told.lines().filter(|line| line.chars().count() > 60);
        assert!(!told.is_empty() && long.next().is_none(), "{arguments:?}\n{told}");
    }
    // To a file an entry goes as it is: it is a beginning of one's own.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bert.toml");
    let file = std::fs::File::create(&path).unwrap();
    let mut command = slicewise(&["show", "bert-99"]);
    assert!(command.env("COLUMNS", "60").stdout(file).status().unwrap().success());
    let whole = std::fs::read_to_string("configs/workloads/bert-99.toml").unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap().trim_end(), whole.trim_end());
}

/// What holds where a file says nothing of it: of operations and watts where it has any, of replicas, pods and
/// restarts with the VM. The values are those of the tables of keys.
#[test]
fn check_explains_defaults_of_operations_power_and_pods() {
    let told = |name: &str| check(&["check", "--explain", &format!("tests/good/{name}.toml")], 0).0;
    let has = |text: &str, key: &str, value: &str| {
        let mut lines =
            text.lines().filter(|line| line.trim_start().starts_with(&format!("{key} ")));
        let line = lines.find(|line| line.contains("built in"));
        let line = line.unwrap_or_else(|| panic!("no {key}:\n{text}"));
        assert!(line.contains(value), "{value}: {line}");
    };
    let operations = told("operations");
    has(&operations, "operations.clone_time", "30 s");
    has(&told("replicas"), "replicas.scale_up_window", "0 ns");
    has(&told("replicas"), "operations.placement", "1 s");
    has(&told("power-of-an-own-host"), "power.boot", "8 min");
    has(&operations, "restart_priority", "medium");
    has(&told("replicas"), "health_check", "6 s");
}

/// What is not run is neither counted nor told of.
#[test]
fn run_once_tells_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let rate = "vm.load.min_duration=\"2 s\"";
    let (_, said) = check(
        &[
            "run",
            "scenarios/idle-neighbour.toml",
            "--once",
            "--set",
            rate,
            "--out",
            out.to_str().unwrap(),
        ],
        0,
    );
    assert!(said.contains("idle-neighbour: 1 run, seed") && !said.contains("pair"), "{said}");
    let table = std::fs::read_to_string(out.join("table.txt")).unwrap();
    assert!(!table.contains("bare metal on the same cards"), "{table}");
}
