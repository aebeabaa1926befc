//! `slicewise ask`: from what people have to a yes or no, and the scenario that says the same.

use crate::support::cases;
use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// Batch times on a straight line: 2 ms and 1.3 ms a sample.
const TIMES: &str = "batch,latency_ms\n1,3.3\n2,4.6\n4,7.2\n8,12.4\n16,22.8\n";

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_string()
}

/// ContainerRequest with `--json`, the answer in the folder's `out`.
fn asked(folder: &TempDir, arguments: &[&str], code: i32) -> Value {
    let out = path(folder, "out");
    let all = [&["ask", "--json", "--quiet", "--out", &out], arguments].concat();
    let (document, _) = crate::cli::check(&all, code);
    serde_json::from_str(&document).unwrap()
}

/// The scenario that an answer left.
fn scenario(folder: &TempDir) -> PathBuf {
    let files = fs::read_dir(folder.path().join("out")).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    files.find(|file| file.to_str().unwrap().ends_with("-vms.toml")).unwrap()
}

/// What the VMs of a card can do at most follows from the table: on a whole GPU that each has to itself a batch
/// of one takes 3.3 ms, and 16 take 22.8 ms, 702 a second. At 50/s p99 is a few batches; at 1000/s no queue
/// ends.
#[test]
fn a_question_of_measured_times_is_answered_yes_or_no() {
    let folder = folder(&[("times.csv", TIMES)]);
    let times = path(&folder, "times.csv");
    let start = [
        "--model",
        &times,
        "--gpu",
        "NVIDIA H100 PCIe",
        "--gpus",
        "2",
        "--vms",
        "2",
        "--sharing",
        "whole",
    ];
    let of = |rate: &str, code| {
        let more = ["--rate", rate, "--bound", "50 ms"];
        asked(&folder, &[&start[..], &more].concat(), code)
    };
    let yes = of("50/s", 0);
    assert_eq!(yes["answer"], "yes");
    assert!(
        yes["said"][0].as_str().unwrap().starts_with("YES: 2 VMs at 50/s each"),
        "{}",
        yes["said"]
    );
    let figures = &yes["ways"][0]["figures"];
    let p99 = figures["latency_p99_ms"].as_f64().unwrap();
    assert!((3.3..50.0).contains(&p99), "{p99}");
    let highest = figures["highest_per_vm_per_s"].as_f64().unwrap();
    assert!((300.0..702.0).contains(&highest), "{highest}");
    let no = of("1000", 4);
    assert_eq!(no["answer"], "no");
    let said = no["said"][0].as_str().unwrap();
    assert!(
        said.starts_with("NO: 2 VMs on 2 x h100-pcie-80gb have a load of 1000/s each"),
        "{said}"
    );
    assert!(said.contains("are possible at any latency; up to "), "{said}");
    // The border is the same question's: above it no, well below it yes.
    assert_eq!(of(&format!("{}", (highest * 1.2).round()), 4)["answer"], "no");
    assert_eq!(of(&format!("{}", (highest * 0.8).round()), 0)["answer"], "yes");
}

/// Times on a whole GPU say of phi only that seven slices are no faster than it: a bound that a slice keeps at the
/// least phi and misses at 1 is not sure, and what to measure is told. 1.3 of the 3.3 ms over 1.08 fill at least,
/// 0.365: a batch of one takes 3.3 (1 + 0.365 (114 / 16 - 1)) = 10.7 ms on a slice, at 1 it takes 23.5. At 5/s the
/// slice is busy for a twentieth and an eighth, so that one query in a hundred waits for nearly a whole other one.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn what_nobody_measured_is_not_sure() {
    let folder = folder(&[("times.csv", TIMES)]);
    let times = path(&folder, "times.csv");
    let start = ["--model", &times, "--gpu", "h100-pcie-80gb", "--vms", "7", "--rate", "5"];
    let of = |bound: &str, code| {
        let more = ["--bound", bound, "--sharing", "mig:1g.10gb"];
        asked(&folder, &[&start[..], &more].concat(), code)
    };
    assert_eq!(of("10 ms", 4)["answer"], "no");
    let open = of("30 ms", 4);
    assert_eq!(open["answer"], "not sure");
    assert!(open["said"][0].as_str().unwrap().starts_with("NOT SURE: 7 VMs"), "{}", open["said"]);
    let decider = &open["ways"][0]["figures"]["decided_by"][0];
    assert!(decider["name"].as_str().unwrap().starts_with("phi of"), "{decider}");
    assert!(decider["how"].as_str().unwrap().contains("MIG slice"), "{decider}");
    let [low, high] = [0, 1].map(|end| decider["latency_p99_ms"][end].as_f64().unwrap());
    assert!((10.7..30.0).contains(&low) && high > 30.0, "{low} {high}");
    // Whatever phi is, a bound far beyond all ends is kept.
    assert_eq!(of("2 s", 0)["answer"], "yes");
    let table = fs::read_to_string(folder.path().join("out/table.txt")).unwrap();
    assert!(table.contains("was not measured for times"), "{table}");
}

/// What no run has to show is answered at once: a batch of 200 s against 100 ms, and a million queries a second
/// of a GPU that does 702 of them; how many are possible is said. 5000 queries of each VM come within 5 ms there,
/// and take 30 s.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn what_is_out_of_reach_is_answered_at_once() {
    let folder = folder(&[("times.csv", TIMES), ("slow.csv", "batch,time_s\n1,200\n2,390\n")]);
    let (times, slow) = (path(&folder, "times.csv"), path(&folder, "slow.csv"));
    let more = ["--gpu", "h100-pcie-80gb", "--rate"];
    let answer =
        asked(&folder, &[&["--model", &slow, "--bound", "100 ms"], &more[..], &["50"]].concat(), 4);
    let said = answer["said"][0].as_str().unwrap();
    assert!(said.starts_with("NO: one query of slow alone takes 200 s on a whole"), "{said}");
    assert!(answer["ways"].as_array().unwrap().iter().all(|way| way["figures"].is_null()));

    let over = ["--model", &times, "--bound", "80 ms"];
    let answer = asked(&folder, &[&over, &more[..], &["1000000"]].concat(), 4);
    let said = answer["said"][0].as_str().unwrap();
    assert!(said.contains("have a load of 1000000/s each, and at most "), "{said}");
    for way in answer["ways"].as_array().unwrap() {
        let of = &way["figures"];
        assert_eq!((&of["answer"], &of["is_overload"]), (&"no".into(), &true.into()), "{way}");
        let most = of["most_per_vm_per_s"].as_f64().unwrap();
        let highest = of["highest_per_vm_per_s"].as_f64().unwrap();
        // Four VMs on one GPU, or on one each, of 702 a second.
        assert!(highest <= most && most < 1.1 * 702.0, "{way}");
    }
    let table = fs::read_to_string(folder.path().join("out/table.txt")).unwrap();
    assert!(table.contains("overload"), "{table}");
}

/// MLPerf v2.0: BERT-99 at 380/s on one 1g.6gb of an A30 had a p99 of 101 ms under NVIDIA's harness for it and of
/// 106 ms under Triton, in batches of up to 16. Which server forms its next batch when is not in the question.
#[test]
fn published_rows_of_either_server_lie_in_the_interval() {
    let folder = folder(&[]);
    let question = [
        "--model",
        "bert-99",
        "--gpu",
        "a30",
        "--vms",
        "1",
        "--rate",
        "380",
        "--batch-max",
        "16",
        "--sharing",
        "mig:1g.6gb",
        "--hypervisor",
        "none",
    ];
    let answer = asked(&folder, &question, 0);
    let between = &answer["ways"][0]["figures"]["latency_p99_between_ms"];
    let [low, high] = [0, 1].map(|end| between[end].as_f64().unwrap());
    assert!(low < 101.0 && 106.4 < high && high < 130.0, "{low} to {high}");
    assert!(answer["assumed"].to_string().contains("TensorRT without CUDA graphs"));
}

/// What the probe wrote beside its file, a table for each model, is taken where that is one; of several they are
/// named, and so is another GPU.
#[test]
fn a_probe_of_one_model_is_asked_and_of_several_named() {
    let text = fs::read_to_string("tests/formats/probe/h200.json").unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let batches = document["measured"]["batches"].as_object_mut().unwrap();
    let bert = batches["bert"].clone();
    batches.retain(|model, _| model == "bert");
    let one = serde_json::to_string_pretty(&document).unwrap();
    document["measured"]["batches"]["other"] = bert;
    let two = serde_json::to_string_pretty(&document).unwrap();
    let files = [("one.json", &one[..]), ("two.json", &two), ("times-bert.csv", TIMES)];
    let folder = folder(&files);
    let question = ["--vms", "2", "--rate", "5", "--sharing", "whole", "--gpus", "2"];
    let of = |file: &str, gpu: &str| {
        let probe = path(&folder, file);
        let out = path(&folder, "out");
        let model = ["ask", "--json", "--quiet", "--out", &out, "--model", &probe, "--gpu", gpu];
        crate::cli::output(&[&model[..], &question].concat())
    };
    let (code, document, said) = of("one.json", "h200-sxm-141gb");
    assert!(code == 0 && document.contains("YES"), "{said}");
    let (code, _, said) = of("two.json", "h200-sxm-141gb");
    assert!(
        code == 2 && said.contains("times-bert.csv") && said.contains("times-other.csv"),
        "{said}"
    );
    let (code, _, said) = of("one.json", "a30");
    assert!(code == 2 && said.contains("of h200-sxm-141gb, not of a30"), "{said}");
}

proptest! {
    #![proptest_config(cases(4))]

    /// The scenario that is left is readable, and `sweep` and `capacity` answer with the same figures.
    #[test]
    #[ignore = "long: cargo test -- --include-ignored"]
    fn the_scenario_that_is_left_gives_the_same_answer(
        vms in 1..5_u32,
        rate in 5..120_u32,
        bound in 20..200_u32,
        model in prop::sample::select(vec!["times.csv", "bert-99"]),
        sharing in prop::sample::select(vec!["", "equal-share,mps", "mig,whole", "processes"]),
    ) {
        let folder = folder(&[("times.csv", TIMES)]);
        let given = if model == "bert-99" { model.to_string() } else { path(&folder, model) };
        let (vms, rate, bound) = (vms.to_string(), rate.to_string(), format!("{bound} ms"));
        let mut arguments = vec![
            "ask", "--json", "--model", &given, "--gpu", "a100-pcie-40gb", "--vms", &vms, "--rate",
            &rate, "--bound", &bound,
        ];
        if !sharing.is_empty() {
            arguments.extend(["--sharing", sharing]);
        }
        let out = path(&folder, "out");
        arguments.extend(["--out", &out]);
        let (_, document, said) = crate::cli::output(&arguments);
        let answer: Value = serde_json::from_str(&document).unwrap_or_else(|_| panic!("{said}"));
        let scenario = scenario(&folder);
        let scenario = scenario.to_str().unwrap();
        let again = |command: &str, more: &[&str]| -> Value {
            let out = path(&folder, command);
            let all = [&[command, scenario, "--json", "--out", &out], more].concat();
            let (code, document, said) = crate::cli::output(&all);
            assert!(code == 0 || code == 3, "{said}");
            serde_json::from_str(&document).unwrap()
        };
        let swept = again("sweep", &[]);
        let capacity = again("capacity", &["--precision", "3", "--replications", "1"]);
        prop_assert_eq!(&swept["scenario_hash"], &answer["scenario_hash"]);
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        for (index, way) in answer["ways"].as_array().unwrap().iter().enumerate() {
            let figures = &way["figures"];
            if figures.is_null() {
                continue;
            }
            let rows = swept["rows"].as_array().unwrap().iter();
            let rows = rows.filter(|row| row["point"] == index);
            let p99: Vec<f64> = rows.filter_map(|row| row["latency_p99_worst_vm_ms"].as_f64()).collect();
            prop_assert_eq!(p99.len(), 3, "{}", swept["rows"][0]);
            let mean = p99.iter().sum::<f64>() / 3.0;
            prop_assert!(near(mean, figures["latency_p99_ms"].as_f64().unwrap()), "{way}");
            let systems = capacity["systems"].as_array().unwrap();
            let system = systems.iter().find(|system| system["name"] == way["name"]).unwrap();
            let each = system["capacity_per_s"]["mean"].as_f64().unwrap() / vms.parse::<f64>().unwrap();
            prop_assert!(near(each, figures["highest_per_vm_per_s"].as_f64().unwrap()) || each == 0.0, "{way}");
        }
    }
}

/// What each trade has: a table of a European spreadsheet, trtexec's logs and times, perf_analyzer's CSV, a log
/// of LoadGen, and no file at all.
#[test]
fn everybody_is_answered_by_what_they_have() {
    let spreadsheet = "Modell;Batchgröße;Zeit pro Batch [ms];Mittel (ms);p99 (ms)\nnet;1;9;2,05;2,9\nnet;4;9;3,5;4,0\nnet;8;9;5,25;6,1\n";
    let perf = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n1,900,5,90,30,20,600,10,1,1050,1100,1150,1300\n4,1600,5,90,1400,20,600,10,1,2400,2600,2700,3000\n";
    let folder = folder(&[
        ("messung.csv", spreadsheet),
        ("perf.csv", perf),
        ("model-b8.log", &fs::read_to_string("tests/formats/trtexec/log-7.txt").unwrap()),
    ]);
    let [spreadsheet, perf, log] =
        ["messung.csv", "perf.csv", "model-b8.log"].map(|name| path(&folder, name));
    for (model, told) in [
        (vec![&spreadsheet[..]], "a batch of 8 takes 5.25 ms"),
        (vec![&log[..], "1=tests/formats/trtexec/times.json"], "its batch by its name"),
        (vec![&perf[..]], "its batch by its rate"),
        (vec!["bert-99"], "vCPUs"),
    ] {
        let more = ["--gpu", "a30", "--vms", "2", "--rate", "2", "--sharing", "best-effort"];
        let answer = asked(&folder, &[&["--model"], &model[..], &more].concat(), 0);
        assert_eq!(answer["answer"], "yes", "{model:?}");
        let assumed = answer["assumed"].to_string();
        assert!(assumed.contains(told), "{model:?}: {assumed}");
    }
}

/// A log of LoadGen says rate and latencies of a server, and not how large its batches were.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_log_of_loadgen_is_asked_with_the_batch_of_its_server() {
    let folder = folder(&[]);
    let log = "tests/formats/loadgen-log/server-v1.1.txt";
    let more = [
        "--gpu",
        "a100-pcie-40gb",
        "--gpus",
        "2",
        "--vms",
        "2",
        "--rate",
        "20",
        "--sharing",
        "whole",
    ];
    let out = path(&folder, "out");
    let all = [&["ask", "--out", &out, "--model", log], &more[..]].concat();
    let (_, said) = crate::cli::check(&all, 2);
    assert!(said.contains(&format!("32={log}")), "{said}");
    let given = format!("64={log}");
    let fitted = ["--model", &given, "--measured-gpus", "3"];
    // This log is made up: no model of the product meets it, and a fit that is none answers nothing.
    let answer = asked(&folder, &[&fitted[..], &more].concat(), 4);
    assert_eq!(answer["answer"], "not sure");
    let warning = answer["warnings"][0].as_str().unwrap();
    assert!(warning.contains("do not trust any number of this fit"), "{warning}");
}

/// Without a rate the question is how much.
#[test]
fn without_a_rate_it_says_how_much_each_vm_can_do() {
    let folder = folder(&[]);
    let start = [
        "--model",
        "bert-99",
        "--gpu",
        "a100-pcie-40gb",
        "--vms",
        "3",
        "--sharing",
        "best-effort,mig",
    ];
    let answer = asked(&folder, &start, 0);
    let said = answer["said"][0].as_str().unwrap();
    assert!(said.starts_with("UP TO "), "{said}");
    let highest = |way: &Value| way["figures"]["highest_per_vm_per_s"].as_f64().unwrap();
    let best = answer["ways"].as_array().unwrap().iter().map(highest).fold(0.0, f64::max);
    let rate = answer["question"]["rate_per_vm_per_s"].as_f64().unwrap();
    assert!((0.7..0.8).contains(&(rate / best)), "{rate} of {best}");
    // No bound that any batch keeps: no rate does.
    let none = asked(&folder, &[&start[..], &["--bound", "1 ms"]].concat(), 4);
    assert!(none["said"][0].as_str().unwrap().starts_with("NO"), "{}", none["said"]);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn answers_do_not_depend_on_the_number_of_threads() {
    let folder = folder(&[("times.csv", TIMES)]);
    let times = path(&folder, "times.csv");
    let of = |threads: &str| {
        let out = path(&folder, threads);
        let arguments = [
            "ask",
            "--model",
            &times,
            "--gpu",
            "a30",
            "--vms",
            "3",
            "--rate",
            "20",
            "--bound",
            "40 ms",
            "--threads",
            threads,
            "--out",
            &out,
            "--quiet",
        ];
        let (_, table, _) = crate::cli::output(&arguments);
        let files = ["answer.json", "table.txt", "times-vms.toml", "times.toml"];
        (
            table,
            files.map(|file| fs::read_to_string(folder.path().join(threads).join(file)).unwrap()),
        )
    };
    assert_eq!(of("1"), of("2"));
}

/// Times of another GPU are taken where that is asked for, labelled, and only there.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn times_of_another_gpu_are_scaled_where_that_is_asked_for() {
    let folder = folder(&[("times.csv", TIMES)]);
    let times = path(&folder, "times.csv");
    let more = ["--vms", "2", "--rate", "5", "--bound", "500 ms", "--sharing", "best-effort"];
    for arguments in [
        &["--model", &times[..], "--measured-on", "NVIDIA A30", "--gpu", "l4"][..],
        &["--model", "bert-99", "--scaled-from", "auto", "--gpu", "l4"],
    ] {
        let answer = asked(&folder, &[arguments, &more].concat(), 0);
        assert!(answer["scaled"][0].as_str().unwrap().contains("l4"), "{}", answer["scaled"]);
        let text = fs::read_to_string(scenario(&folder)).unwrap();
        assert!(text.contains("scaled_from = "), "{text}");
    }
    // Its own times are no other's.
    let own = ["--model", "bert-99", "--scaled-from", "auto", "--gpu", "a30"];
    let answer = asked(&folder, &[&own, &more[..]].concat(), 0);
    assert_eq!(answer["scaled"], serde_json::json!([]));
    assert!(answer["assumed"].to_string().contains("nothing is scaled"));
}

/// Two VMs have no place in one 7g, nor on one whole GPU: no, with the reason, and what would do in brackets.
#[test]
fn vms_that_fit_nowhere_are_a_no() {
    let folder = folder(&[("times.csv", TIMES)]);
    let times = path(&folder, "times.csv");
    let start = ["--model", &times, "--gpu", "a100-pcie-40gb", "--vms", "2", "--rate", "5"];
    for ways in ["mig:7g.40gb", "whole"] {
        let answer = asked(&folder, &[&start[..], &["--sharing", ways]].concat(), 4);
        assert_eq!((&answer["answer"], &answer["best"]), (&"no".into(), &serde_json::Value::Null));
        assert_eq!(answer["said"][0], "NO: 2 VMs have no place on 1 x a100-pcie-40gb");
        let table = fs::read_to_string(folder.path().join("out/table.txt")).unwrap();
        assert!(table.contains("(a whole GPU each)"), "{table}");
        assert_eq!(table.contains("MIG 7g.40gb is not possible"), ways != "whole", "{table}");
    }
}

/// Ways that cannot be stand beside those that can, with the reason; none that can is a no.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_way_without_place_says_why() {
    let folder = folder(&[("times.csv", TIMES)]);
    let times = path(&folder, "times.csv");
    let start = ["--model", &times, "--gpu", "a100-pcie-40gb", "--vms", "9", "--rate", "2"];
    let answer = asked(&folder, &[&start[..], &["--sharing", "mig,best-effort"]].concat(), 0);
    assert!(answer["ways"][0]["error"].is_string() && answer["ways"][1]["error"].is_null());
    let table = fs::read_to_string(folder.path().join("out/table.txt")).unwrap();
    assert!(table.contains("MIG is not possible: "), "{table}");
}

/// As trtexec of TensorRT 10 prints it, cut to what is read.
const LOG_OF_AN_L40S: &str = "\
&&&& RUNNING TensorRT.trtexec [TensorRT v100300] # trtexec --loadEngine=m.plan --shapes=x:1x3x640x640
[I] === Device Information ===
[I] Selected Device: NVIDIA L40S
[I] === Performance summary ===
[I] GPU Compute Time: min = 3.05 ms, max = 3.2 ms, mean = 3.1 ms, median = 3.1 ms, percentile(99%) = 3.2 ms
";

/// Every mistake of the command line: one message that says what is allowed, and exit code 2.
#[test]
fn mistakes_say_what_would_be_right() {
    let folder = folder(&[
        ("times.csv", TIMES),
        ("broken.csv", "batch,latency\n1,2\n"),
        ("notes.txt", "hello\n"),
        ("l40s.log", LOG_OF_AN_L40S),
    ]);
    let l40s = path(&folder, "l40s.log");
    // `µs` as Windows writes it.
    let latin = path(&folder, "latin.csv");
    fs::write(&latin, b"batch,latency (\xb5s)\n1,2000\n").unwrap();
    let file = |name: &str| path(&folder, name);
    let (times, broken, notes) = (file("times.csv"), file("broken.csv"), file("notes.txt"));
    let of = |model: &str, more: &[&str]| {
        let start = ["ask", "--model", model, "--vms", "2", "--rate", "5"];
        let gpu: &[&str] = if more.contains(&"--gpu") { &[] } else { &["--gpu", "a100-pcie-40gb"] };
        crate::cli::check(&[&start[..], gpu, more].concat(), 2).1
    };
    for (model, more, told) in [
        (&times[..], &["--gpu", "H100"][..], "could be gh200-96gb, h100-nvl-94gb, h100-pcie-80gb"),
        (&times, &["--gpu", "gtx-1080"], "unknown GPU"),
        (&times, &["--gpu", "NVIDIA T4 16GB"], "did you mean \"t4\"?"),
        (&times, &["--number-format", "fp8"], "allowed: int8, fp16"),
        ("bert-99", &["--name", "mine"], "--name cannot be used with bert-99"),
        (&latin, &[], "save it as UTF-8"),
        (&times, &["--gpu", "A100-20C"], "is a vGPU type: write its GPU"),
        ("bert-98", &[], "did you mean \"bert-99\"?"),
        ("nowhere.csv", &[], "no such file"),
        (&broken, &[], "name it latency_ms"),
        (&notes, &[], "the head has no column"),
        ("bert-99", &["--gpu", "l4"], "--gpu a10, a100-pcie-40gb"),
        ("scenarios/vcpu-knee.toml", &[], "is a scenario"),
        ("tests/formats/trtexec/times.json", &[], "8=times.json"),
        (&times, &["--sharing", "mgi"], "did you mean \"mig\"?"),
        (&times, &["--sharing", "mig:1g.99gb"], "allowed: 7g.40gb"),
        (&times, &["--sharing", "best-effort:A100-99C"], "allowed: A100-40C"),
        (&times, &["--sharing", "mps:200"], "1 to 100"),
        (&times, &["--sharing", "mig", "--gpu", "l4"], "has no MIG"),
        (&times, &["--sharing", "best-effort", "--hypervisor", "none"], "is for vGPUs"),
        (&times, &["--hypervisor", "esxi"], "did you mean \"vsphere"),
        (&times, &["--bound", "50"], "with its unit"),
        (&times, &["--bound", "0 ms"], "above 0"),
        (&times, &["--weights", "much"], "weights"),
        (&times, &["--weights", "90 GB", "--sharing", "whole"], "GB"),
        (&times, &["--measured-gpus", "2"], "--measured-gpus cannot be used with times"),
        (&times, &["--scaled-from", "auto"], "--measured-on GPU states where"),
        ("bert-99", &["--weights", "2 GB"], "--weights cannot be used with bert-99"),
        (&l40s, &["--gpu", "a30"], "measured on l40s, not on a30"),
    ] {
        let said = of(model, more);
        assert!(said.contains(told), "{model} {more:?}: {said}");
    }
    let (_, said) =
        crate::cli::check(&["ask", "--model", &times, "--gpu", "a30", "--rate", "many"], 2);
    assert!(said.contains("such as 50"), "{said}");
}
