//! Measurements and traces as people have them: files of other programs in the dialects of their
//! spreadsheets, and what is understood of them told.
//!
//! Files that are almost right stand in `tests/bad/formats` and `tests/bad-calibration`.

use crate::support::cases;
use proptest::prelude::*;
use slicewise::config::{
    Catalogue, LoadError, LoadOptions, calibration_of, load, load_calibration,
};
use slicewise::formats::latency_csv;
use slicewise::spec::{Arrivals, Scenario, TestScenario};
use slicewise::study::{self, CalibrationPlan, CalibrationResults};
use std::fs;
use tempfile::TempDir;

fn options() -> LoadOptions {
    LoadOptions::new(Catalogue::load(None).unwrap())
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The first file is the scenario.
fn scenario(files: &[(&str, &str)]) -> Result<Scenario, LoadError> {
    let folder = folder(files);
    load(&folder.path().join(files[0].0), &options())
}

/// The first file is the calibration.
fn plan(files: &[(&str, &str)]) -> Result<CalibrationPlan, LoadError> {
    let folder = folder(files);
    load_calibration(&folder.path().join(files[0].0), &options())
}

fn good<T>(found: Result<T, LoadError>) -> T {
    found.unwrap_or_else(|error| panic!("{error}"))
}

fn fitted(plan: &CalibrationPlan) -> CalibrationResults {
    study::calibrate(plan, &|_, _, _| {})
}

/// LoadGen's files of round v5.1 say no count for Server: it is LoadGen's own, 100, and the run 600 s at
/// 16.5 per second. Every value says its file and line.
#[test]
fn server_of_v5_1_is_as_long_as_its_duration() {
    let conf = "*.*.schedule_rng_seed = 18209322760996052031\nresnet50.*.performance_sample_count_override = 1024\n*.Server.target_latency = 10\n*.Server.target_latency_percentile = 99\n*.Server.target_duration = 0\n*.Server.min_duration = 600000\nresnet50.Server.target_latency = 15\nllama2-70b.*.use_token_latencies = 1\nllama2-70b.Server.target_latency = 0\n*.Server.target_qps = 1.0\n";
    let files = [
        (
            "run.toml",
            "host = \"dell-r7525\"\ngpus = { model = \"a100-pcie-40gb\", count = 1 }\n[[vm]]\nname = \"a\"\nworkload = \"resnet50\"\nserver = { batch_max = 1 }\n[vm.load]\nscenario = \"server\"\nconf = [\"mlperf.conf\", \"user.conf\"]\nmodel = \"resnet50\"\n",
        ),
        ("mlperf.conf", conf),
        ("user.conf", "*.Server.target_qps = 16.5\n"),
    ];
    let read = good(scenario(&files));
    let settings = &read.pairs[0].virtual_run.experiment.vms[0].load.settings;
    assert_eq!((settings.min_query_count, settings.target_qps), (100, 16.5));
    assert_eq!((settings.round.name, settings.min_duration.as_secs_f64()), ("v5.1", 600.0));
    let folder = folder(&files);
    let path = folder.path().join("run.toml");
    let (told, _) = crate::cli::check(&["check", path.to_str().unwrap(), "--explain"], 0);
    for place in ["user.conf:1:23", "mlperf.conf:7:34", "mlperf.conf:6:25", "mlperf.conf:4:38"] {
        assert!(told.contains(place), "{place}: {told}");
    }
}

/// 14.4 million queries per second for MLPerf's 600 s are more than a run makes: the message says how long it
/// may be, and that a validation simulates less.
#[test]
fn a_rate_too_high_for_ten_minutes_says_how_it_can_be_run() {
    let run = |duration: &str| {
        scenario(&[(
            "run.toml",
            &format!(
                "host = \"dell-r7525\"\ngpus = {{ model = \"a30\", count = 8 }}\n[[vm]]\nworkload = \"resnet50\"\nserver = {{ batch_max = 64 }}\nload = {{ scenario = \"server\", target_qps = 14400000{duration} }}\n"
            ),
        )])
    };
    let told = run("").err().unwrap().to_string();
    assert!(
        told.contains("min_duration = \"277 s\"") && told.contains("slicewise validate"),
        "{told}"
    );
    good(run(", min_duration = \"277 s\""));
}

const TRACED: &str = "host = \"dell-r7525\"\ngpus = { model = \"a100-pcie-40gb\", count = 1 }\n[[vm]]\nworkload = \"bert-99\"\nserver = { batch_max = 16 }\n[vm.load]\nscenario = \"server\"\narrivals = { trace = \"trace\"MORE }\n";

/// Due times in milliseconds of a trace that is read with these keys, and how it was understood.
fn replayed(trace: &str, keys: &str) -> Result<(Vec<f64>, String), String> {
    let text = TRACED.replace("MORE", keys);
    let read =
        scenario(&[("run.toml", &text), ("trace", trace)]).map_err(|error| error.to_string())?;
    let Arrivals::Trace(of_vm) = &read.pairs[0].virtual_run.experiment.vms[0].load.arrivals else {
        panic!("no trace")
    };
    let at = of_vm.arrivals.iter().map(|arrival| arrival.at.as_millis_f64()).collect();
    Ok((at, study::replayed(&read).join("\n")))
}

/// `timestamp_ms` is a column that can be named, and no misspelling of `timestamp`.
#[test]
fn a_column_of_times_in_another_unit_is_suggested_and_read() {
    let trace = "timestamp_ms,prompt_tokens,output_tokens\n0.0,512,128\n120.5,300,64\n";
    let told = replayed(trace, "").unwrap_err();
    assert!(told.contains("time_column = \"timestamp_ms\" reads it, in milliseconds"), "{told}");
    assert!(!told.contains("did you mean"), "{told}");
    let (at, told) = replayed(trace, ", time_column = \"timestamp_ms\"").unwrap();
    assert_eq!(at, [0.0, 120.5]);
    // One of two requests in 120.5 ms: 8.299 a second.
    assert!(
        told.contains("milliseconds by `timestamp_ms`; 8.299 per second as recorded"),
        "{told}"
    );
    let portal = "timestamp [UTC],input_tokens\n\"8/18/2025, 12:00:38.941 AM\",5\n\"8/18/2025, 12:00:39.191 AM\",5\n";
    assert!(
        replayed(portal, "").unwrap_err().contains("time_column = \"timestamp [UTC]\" reads it")
    );
    let (at, told) = replayed(portal, ", time_column = \"timestamp [UTC]\"").unwrap();
    assert_eq!(at, [0.0, 250.0]);
    assert!(told.contains("dates by `timestamp [UTC]`, the month first"), "{told}");
}

/// One instant and one a quarter of a second later, in the hands of many programs.
#[test]
fn traces_of_many_programs_are_read_alike() {
    for file in ["portal.csv", "kibana.csv", "excel-of-europe.csv", "zones.csv"] {
        let text = fs::read_to_string(format!("tests/formats/request-trace/{file}")).unwrap();
        let (at, told) = replayed(&text, "").unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(at, [0.0, 250.0], "{file}");
        assert!(told.contains("dates by `timestamp`"), "{file}: {told}");
    }
    let mooncake = fs::read_to_string("tests/formats/request-trace/mooncake.jsonl").unwrap();
    let (at, told) =
        replayed(&mooncake, ", size_column = [\"input_length\", \"output_length\"]").unwrap();
    assert_eq!(at, [0.0, 3000.0, 4500.0]);
    assert!(told.contains("milliseconds by `timestamp`, JSON lines"), "{told}");
}

/// What a file does not say is said in the scenario, and refused where it contradicts the file.
#[test]
fn unit_and_order_can_be_said() {
    let epoch = "timestamp\n1755475238941\n1755475239191\n";
    assert!(replayed(epoch, "").unwrap_err().contains("time_unit = \"ms\""));
    assert_eq!(replayed(epoch, ", time_unit = \"ms\"").unwrap().0, [0.0, 250.0]);
    let slashes = "timestamp\n3/4/2025 12:00:38 PM\n3/5/2025 12:00:38 PM\n";
    assert!(replayed(slashes, "").unwrap_err().contains("date_order = \"month-first\""));
    let days = |order: &str| {
        let (at, _) =
            replayed(slashes, &format!(", scale = 10, date_order = \"{order}\"")).unwrap();
        at[1] / 86_400e3
    };
    assert_eq!((days("month-first"), days("day-first")), (1.0, 30.0));
    assert!(replayed(epoch, ", time_unit = \"h\"").unwrap_err().contains("s, ms, us, ns"));
}

/// A compared run far over capacity changes no batch time: all four are met, and nothing takes long.
#[test]
fn a_run_that_is_compared_leaves_the_batch_times_alone() {
    let log = "================================================\nMLPerf Results Summary\n================================================\nSUT name : CSUT\nScenario : Server\nMode     : Performance\nScheduled samples per second : 666.66\nResult is : INVALID\n  Performance constraints satisfied : NO\n\n================================================\nAdditional Stats\n================================================\nCompleted samples per second    : 666\n\nMin latency (ns)                : 10011203\n50.00 percentile latency (ns)   : 10532956\n99.00 percentile latency (ns)   : 13032638\n";
    let plan = good(plan(&[
        (
            "c.toml",
            "name = \"m\"\ngpu = \"a100-pcie-40gb\"\nbase = \"resnet50\"\n[[times]]\ncsv = \"times.csv\"\n[[run]]\nrow = \"r\"\nlog = \"summary.txt\"\ngpus = 1\ncheck = true\nserver = { preset = \"mlperf-lwis\", batch_max = 1 }\n",
        ),
        ("times.csv", "batch,latency_ms\n1,0.9\n2,1.0\n4,1.25\n8,1.9\n"),
        ("summary.txt", log),
    ]));
    let results = fitted(&plan);
    let fitted = results.runs.iter().filter(|run| run.fitted);
    let errors: Vec<f64> = fitted.map(|run| run.figures[0].error_percent.abs()).collect();
    assert!(errors.len() == 4 && errors.iter().all(|error| *error < 1e-4), "{errors:?}");
}

const HEAD_2019: &str = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n";

/// Three rows of a server of one instance, 2019: the GPU time is the server's of the first, and the other
/// two are clients in a closed loop, whose mean time in the server is queue and compute.
#[test]
fn rows_of_perf_analyzer_are_a_batch_alone_and_closed_loops() {
    let text = format!(
        "{HEAD_2019}1,160.8,68,1291,38,4801,7,6212,6289,6328,7407\n4,208.4,71,1014,13314,4780,7,19177,19239,19300,19987\n3,207.8,70,1211,8346,4786,8,14379,14457,14536,15853\n"
    );
    let plan = good(plan(&[
        (
            "c.toml",
            "name = \"m\"\ngpu = \"a100-pcie-40gb\"\n[[times]]\nperf_analyzer = \"perf.csv\"\nbatch = 1\n[[run]]\nperf_analyzer = \"perf.csv\"\ncheck = true\nserver = { preset = \"triton\", batch_max = 1 }\n",
        ),
        ("perf.csv", &text),
    ]));
    assert_eq!(plan.times[0].ms, 4.801);
    let rows: Vec<&str> = plan.checks.iter().map(|run| &run.row[..]).collect();
    assert_eq!(rows, ["perf.csv, 3 clients", "perf.csv, 4 clients"]);
    let load = &plan.checks[1].experiment.vms[0].load;
    let TestScenario::ClosedLoop { clients, think_time } = load.scenario else {
        panic!("{load:?}")
    };
    // Outside of the server: 71 + 1014 + 7 us.
    assert_eq!((clients, think_time.as_nanos()), (4, 1_092_000));
    let seen: Vec<(&str, f64)> =
        plan.checks[1].observed.iter().map(|seen| (&seen.figure[..], seen.value)).collect();
    assert_eq!(seen, [("completed_per_s", 208.4), ("mean", 18.094)]);
    assert!(plan.notes.join("\n").contains("rows with 3, 4 concurrent requests are closed loops"));
    // One instance of 4.801 ms at most serves 208.3 a second: with 4 clients it is never idle, and their
    // mean is 4 / 208.3 less the 1.092 ms outside, 18.1 ms.
    let results = fitted(&plan);
    let found = &results.runs.iter().find(|run| run.row == "perf.csv, 4 clients").unwrap().figures;
    for figure in found {
        assert!(figure.error_percent.abs() < 1.0, "{figure:?}");
    }
}

/// Rows in the fit, without times of batches: that of four clients, who keep the GPU busy, tells how long a
/// batch takes: 4.8 ms at 208.4 a second.
#[test]
fn closed_loops_can_be_fitted() {
    let text = format!(
        "{HEAD_2019}4,208.4,71,1014,13314,4780,7,19177,19239,19300,19987\n8,208.4,71,1014,32514,4780,7,38377,38439,38500,39187\n"
    );
    let plan = good(plan(&[
        (
            "c.toml",
            "name = \"m\"\ngpu = \"a100-pcie-40gb\"\n[[run]]\nperf_analyzer = \"perf.csv\"\nconcurrency = 4\nserver = { preset = \"triton\", batch_max = 1 }\n",
        ),
        ("perf.csv", &text),
    ]));
    assert_eq!((plan.runs.len(), plan.checks.len()), (1, 0));
    let results = fitted(&plan);
    let launch_and_work: f64 = ["launch", "work[1]"]
        .iter()
        .filter_map(|name| results.parameters.iter().find(|one| one.name == *name))
        .map(|one| one.value)
        .sum();
    assert!((launch_and_work - 1e3 / 208.4).abs() < 0.05, "{launch_and_work}");
    let rate = &results.runs[0].figures[0];
    assert!(rate.figure == "completed_per_s" && rate.error_percent.abs() < 1.0, "{rate:?}");
}

/// `--trtexec 8=times-8.json`: the batch is on the command line, and what was understood is told.
#[test]
fn times_of_trtexec_are_given_on_the_command_line() {
    let folder = folder(&[]);
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let calibrate = |times: &[&str], code: i32| {
        let start = ["calibrate", "--gpu", "a30", "--name", "m", "--out", out];
        let times = times.iter().flat_map(|one| ["--trtexec", one]);
        crate::cli::check(&start.into_iter().chain(times).collect::<Vec<_>>(), code)
    };
    let json = "1=tests/formats/trtexec/starts-and-ends.json";
    let log = "8=tests/formats/trtexec/log-10.txt";
    let (table, said) = calibrate(&[json, log], 0);
    let told = table.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = format!("{told} {said}");
    for part in [
        "a batch of 1 takes 2.05 ms on the GPU as the median of 2 inferences, by `startComputeMs` and `endComputeMs`",
        "a batch of 8 takes 2.5 ms on the GPU, by the median of `GPU Compute Time` in its log: 3200 samples/s",
        "too slow to keep the GPU busy",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (_, said) = calibrate(&["tests/formats/trtexec/times.json"], 2);
    assert!(said.contains("--trtexec 8=tests/formats/trtexec/times.json"), "{said}");
}

/// `trtexec ... > log.txt` in Windows PowerShell.
#[test]
fn a_file_of_utf_16_says_how_it_becomes_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.txt");
    let text = "[I] GPU Compute Time: median = 2.5 ms\r\n";
    let bytes = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes);
    fs::write(&path, bytes.collect::<Vec<u8>>()).unwrap();
    let of = format!("8={}", path.display());
    let (_, said) =
        crate::cli::check(&["calibrate", "--trtexec", &of, "--gpu", "a30", "--name", "m"], 2);
    assert!(said.contains("UTF-16") && said.contains("Set-Content -Encoding utf8"), "{said}");
}

/// Benchmarks of language models are named, wherever they are given.
#[test]
fn benchmarks_of_language_models_are_refused_by_name() {
    let vllm = "{\"date\": \"20250101\", \"backend\": \"vllm\", \"tokenizer_id\": \"m\", \"num_prompts\": 10, \"mean_ttft_ms\": 1.5}\n";
    let told = replayed(vllm, "").unwrap_err();
    assert!(told.contains("a benchmark of vLLM") && told.contains("not simulated yet"), "{told}");
    let (_folder, path) = {
        let folder = folder(&[("vllm.json", vllm)]);
        let path = folder.path().join("vllm.json").to_str().unwrap().to_string();
        (folder, path)
    };
    for arguments in [
        vec!["run", &path],
        vec!["calibrate", &path],
        vec!["calibrate", "--csv", &path, "--gpu", "a30", "--name", "m"],
        vec!["calibrate", "--trtexec", &path, "--gpu", "a30", "--name", "m"],
    ] {
        let given: Vec<String> = arguments
            .iter()
            .map(|one| {
                if arguments[1] == "--trtexec" && *one == path {
                    format!("8={path}")
                } else {
                    (*one).to_string()
                }
            })
            .collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let (_, said) = crate::cli::check(&given, 2);
        assert!(said.contains("a benchmark of vLLM"), "{given:?}: {said}");
    }
}

proptest! {
    #![proptest_config(cases(60))]

    /// A table says the same with commas, semicolons and tabs, decimal points and commas, a byte order
    /// mark, line ends of Windows, and quotes; or it is refused because a comma may part thousands.
    #[test]
    fn a_table_says_the_same_in_every_dialect(
        rows in proptest::collection::vec((1..1000_u32, 1..100_000_000_u64), 1..8),
        separator in prop::sample::select(vec![',', ';', '\t']),
        comma in any::<bool>(),
        decimals in 0..5_u32,
        windows in any::<bool>(),
        quoted in any::<bool>(),
    ) {
        let comma = comma && separator != ',';
        let unit = 10_u64.pow(decimals);
        let quote = |text: String| if quoted { format!("\"{text}\"") } else { text };
        let end = if windows { "\r\n" } else { "\n" };
        let mark = if comma { "," } else { "." };
        let number = |value: u64| match decimals {
            0 => value.to_string(),
            _ => format!("{}{mark}{:0width$}", value / unit, value % unit, width = decimals as usize),
        };
        let mut text = if windows { "\u{feff}".to_string() } else { String::new() };
        text += &format!("batch{separator}latency_us{end}");
        for (batch, value) in &rows {
            text += &format!("{batch}{separator}{}{end}", quote(number(value + 1)));
        }
        match latency_csv::read(&text) {
            Ok(found) => {
                for (row, (batch, value)) in found.rows.iter().zip(&rows) {
                    let ms = (value + 1) as f64 / unit as f64 / 1e3;
                    prop_assert_eq!(row.batch, *batch);
                    prop_assert!((row.ms / ms - 1.0).abs() < 1e-12, "{} {}", row.ms, ms);
                }
            }
            Err(faults) => {
                prop_assert!(comma && decimals == 3, "{:?}: {:?}", text, faults);
                prop_assert!(faults[0].help.contains("that may be"), "{:?}", faults);
            }
        }
    }
}

/// The calibration of a command line reads the same files.
#[test]
fn a_table_of_a_european_spreadsheet_is_told_as_one() {
    let path = "tests/formats/latency-csv/excel-of-europe.csv";
    let text = format!("name = \"m\"\ngpu = \"a30\"\n[[times]]\ncsv = \"{path}\"\n");
    let plan = good(calibration_of(text, &options()));
    let times: Vec<(u32, f64)> = plan.times.iter().map(|time| (time.batch, time.ms)).collect();
    assert_eq!(times, [(1, 0.75), (4, 1.5), (16, 4.5)]);
    let told = plan.notes.join("\n");
    assert!(
        told.contains("(columns separated by semicolons, decimal commas): a batch of 16"),
        "{told}"
    );
}

/// Timings of one batch size that are no two of one thing: a median between them is met exactly, so the
/// residual says nothing, and a WARNING must. Of twenty and more the first, slow ones are none.
#[test]
fn timings_of_one_batch_that_contradict_one_another_are_told() {
    let alarms = |rows: &str| {
        let calibration = "name = \"m\"\ngpu = \"a100-pcie-40gb\"\nbase = \"resnet50\"\n[[times]]\ncsv = \"times.csv\"\n";
        let files = [("c.toml", calibration), ("times.csv", &format!("batch,latency_ms\n{rows}"))];
        fitted(&good(plan(&files))).alarms
    };
    let told = alarms("1,2\n8,5\n8,10\n");
    let expected = "times.csv: 2 timings of a batch of 8 are between 5 and 10 ms, a factor of 2.00 apart; the fit uses their median, 7.5 ms,";
    assert!(told.iter().any(|alarm| alarm.starts_with(expected)), "{told:?}");
    // A tenth is what runs of one model are not apart, and two sizes may lie as far apart as they like.
    assert_eq!(alarms("1,2\n8,5\n8,5.4\n"), [""; 0]);
    assert_eq!(alarms("1,2\n8,5\n8,5.6\n").len(), 1);
    // One warm-up in forty, ten times as slow, lies beyond the 90th percentile; every fifth does not.
    let many = |slow: usize| -> String {
        (0..40).map(|row| format!("8,{}\n", if row % slow == 0 { 50 } else { 5 })).collect()
    };
    assert_eq!(alarms(&format!("1,2\n{}", many(40))), [""; 0]);
    let told = alarms(&format!("1,2\n{}", many(5)));
    assert!(
        told[0].contains("from the 10th to the 90th percentile between 5 and 50 ms"),
        "{told:?}"
    );
}

/// What a number is rather, and what to write, in every place where a unit can stand.
#[test]
fn time_since_1970_in_another_unit_says_what_to_write() {
    for (digits, unit, word) in [
        ("941", "ms", "milliseconds"),
        ("941000", "us", "microseconds"),
        ("941000000", "ns", "nanoseconds"),
    ] {
        let at = format!("1755475238{digits}");
        let told = replayed(&format!("timestamp\n{at}\n"), "").unwrap_err();
        let expected = format!("\"{at}\" is out of range in seconds");
        let help = format!("digits look like {word} since 1970: write time_unit = \"{unit}\"");
        assert!(told.contains(&expected) && told.contains(&help), "{told}");
        let named = format!("arrival_s\n{at}\n");
        let told = replayed(&named, "").unwrap_err();
        let help = format!("rename the column, and write time_column = \"arrival_{unit}\"");
        assert!(told.contains(&help), "{told}");
        let more = format!("arrival_{unit}\n{at}\n{}\n", at.replace("5238", "5239"));
        let (read, _) = replayed(&more, &format!(", time_column = \"arrival_{unit}\"")).unwrap();
        assert_eq!(read, [0.0, 1000.0]);
    }
}
