//! GPU instances against published runs: Server load and SingleStream on one slice, by `run` as any
//! scenario, with the catalogue's numbers.
//!
//! MLPerf Inference v1.1 and v2.0, NVIDIA. No Server row of a slice was learnt from.

use crate::support::median_and_nine_in_ten;
use slicewise::config::{Catalogue, LoadOptions, OwnRows, load, validation};
use slicewise::platform::simulate;
use slicewise::spec::{Experiment, MeasuredRow, TestScenario};
use slicewise::study::{Train, Validation};
use std::path::Path;

/// The runs of a file that a rule keeps, each with the GPU's id in the catalogue.
fn runs(file: &str, keeps: impl Fn(&MeasuredRow) -> bool) -> Vec<(MeasuredRow, String)> {
    let file = Path::new("configs/published").join(file);
    let Validation { rows, gpus, judged, .. } = validation(
        Some(OwnRows { data: &file, train: Train::Given }),
        &Catalogue::load(None).unwrap(),
        1,
        1,
    )
    .unwrap();
    let known = |run: &MeasuredRow| {
        ["bert-99", "bert-99.9", "resnet50", "ssd-resnet34"].contains(&run.benchmark.as_str())
            && !run.hetero
            && !run.power_limited
    };
    let kept = rows.into_iter().take(judged).filter(|run| known(run) && keeps(run));
    kept.filter_map(|run| Some((gpus.get(&run.gpu_id())?.id.clone(), run)))
        .map(|(gpu, run)| (run, gpu))
        .collect()
}

/// A run as a scenario file: the settings of its harness, the load it was asked for.
fn experiment(run: &MeasuredRow, gpu: &str) -> Experiment {
    let (settings, preset) = (&run.settings, preset(run));
    let batch = settings.batch.unwrap();
    let streams = match preset {
        "mlperf-triton" => settings.instances.unwrap_or(1),
        _ => settings.streams.unwrap_or(1),
    };
    let mut server = format!("preset = \"{preset}\"\nbatch_max = {batch}\nstreams = {streams}\n");
    match preset {
        "mlperf-lwis" => {
            let slots = settings.copy_streams.unwrap_or(streams).max(streams);
            server += &format!("slots = {slots}\n");
            if let Some(timeout) = settings.timeout {
                server += &format!("timeout = \"{timeout}\"\n");
            }
        }
        _ => server += &format!("slots = {streams}\n"),
    }
    if preset == "mlperf-triton" && settings.graphs == Some(false) {
        server += "permit_return = \"at-start\"\n";
    }
    if settings.start_from_device && preset != "mlperf-bert" {
        server += "start_from_device = true\n";
    }
    if let Some(kept) = settings.soft_drop.filter(|_| preset == "mlperf-bert") {
        server += &format!("soft_drop = \"{kept}\"\n");
    }
    let load_of = match run.scenario {
        TestScenario::Server => format!(
            "scenario = \"server\"\ntarget_qps = {}\nmin_duration = \"120 s\"\nmin_query_count = 1\n",
            run.target_qps.unwrap()
        ),
        _ => "scenario = \"singlestream\"\nmin_duration = \"10 s\"\nmin_query_count = 1024\n"
            .to_string(),
    };
    let cards = run.gpus.div_ceil(run.instances_per_card());
    let holds = run.mig_profile().map_or(String::new(), |mig| {
        format!("mig = {{ profile = \"{mig}\", count = {} }}\n", run.gpus)
    });
    let text = format!(
        "host = {{ logical_processors = 128, memory = \"1 TB\" }}\ngpus = {{ model = \"{gpu}\", count = {cards} }}\n[[vm]]\nname = \"server\"\nvcpus = 64\nworkload = \"{}\"\n{holds}[vm.server]\n{server}[vm.load]\n{load_of}",
        run.benchmark
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, text).unwrap();
    let options = LoadOptions { seed: Some(1), ..LoadOptions::new(Catalogue::load(None).unwrap()) };
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{}: {error}", run.name()));
    scenario.pairs.into_iter().next().unwrap().virtual_run.experiment
}

fn preset(run: &MeasuredRow) -> &'static str {
    match (run.harness.as_str(), run.benchmark.starts_with("bert")) {
        ("Triton", _) => "mlperf-triton",
        (_, true) => "mlperf-bert",
        (_, false) => "mlperf-lwis",
    }
}

/// Relative errors of a percentile, without sign, in rising order, in percent.
fn errors(runs: &[(MeasuredRow, String)], name: &str, quantile: f64) -> Vec<f64> {
    let mut errors: Vec<f64> = runs
        .iter()
        .map(|(run, gpu)| {
            let outcome = simulate(&experiment(run, gpu));
            let told = outcome.vms[0].recorder.latencies().quantile(quantile).unwrap();
            let measured = run.latency[name].as_millis_f64();
            let error = (told.as_millis_f64() / measured - 1.0) * 100.0;
            println!("{:60} {name} {measured:8.3} ms, told {error:+6.1} %", run.name());
            error.abs()
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    errors
}

/// Asked: p99 at the published rate within 15 % in the median and 35 nine in ten (16 rows; found: 5.4
/// and 14.8).
#[test]
fn server_load_on_one_slice_is_told_at_the_published_rate() {
    let one_slice = |run: &MeasuredRow| {
        run.scenario == TestScenario::Server && run.mig_profile().is_some() && run.gpus == 1
    };
    let runs = runs("mlperf_inference_v2.0_v3.0_nvidia.csv", one_slice);
    assert_eq!(runs.len(), 16);
    let p50 = median_and_nine_in_ten(&errors(&runs, "p50", 0.5));
    let p99 = median_and_nine_in_ten(&errors(&runs, "p99", 0.99));
    println!("{} runs: p50 {p50:.1?}, p99 {p99:.1?}", runs.len());
    assert!(p99.0 <= 15.0 && p99.1 <= 35.0, "{p99:?}");
}

/// A server for each of 32 and 56 slices, which LoadGen's calls are dealt to in turn: p99 at the published
/// rate within 20 % in the median, from a server for all of them 62 %. What is left: A30's BERT-99, whose
/// percentiles are shorter than full batches of its own setting allow, its ResNet-50, whose host is late, and
/// SSD-ResNet34 on both, which wants a tenth more work than its Offline run says.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn many_slices_are_servers_of_their_own() {
    let many = |run: &MeasuredRow| {
        run.scenario == TestScenario::Server && run.mig_profile().is_some() && run.gpus > 1
    };
    let runs = runs("mlperf_inference_v2.0_v3.0_nvidia.csv", many);
    assert_eq!(runs.len(), 8);
    let p99 = median_and_nine_in_ten(&errors(&runs, "p99", 0.99));
    println!("{} runs: p99 {p99:.1?}", runs.len());
    assert!(p99.0 <= 20.0, "{p99:?}");
}

/// Asked: SingleStream within 12 % nine in ten (found: 6.8 on slices, 11.1 on whole GPUs). Beyond are
/// XR12, an edge host (ResNet-50 -50 %), and BERT on the A100-PCIE-40GB, whose launch is of two machines'
/// Server runs (+15 to +19 %).
#[test]
fn single_streams_are_told_on_slices_and_whole_gpus() {
    let single = |slice: bool| {
        runs("mlperf_inference_v1.1.csv", move |run| {
            run.scenario == TestScenario::SingleStream && run.mig_profile().is_some() == slice
        })
    };
    for (slice, count) in [(true, 12), (false, 36)] {
        let runs = single(slice);
        let p90 = median_and_nine_in_ten(&errors(&runs, "p90", 0.9));
        println!("{} runs, slices {slice}: p90 {p90:.1?}", runs.len());
        assert_eq!(runs.len(), count);
        assert!(p90.1 <= 12.0, "slices {slice}: {p90:?}");
    }
}

/// ResNet-50 in batches of at most eight, at nine tenths of what one batch after the other makes by
/// published runs: A + 8 c for eight samples, with c a sample of an Offline batch and A what a SingleStream
/// query takes beside one. No server with two streams does less, so none may be overloaded, and p99 stays
/// below the 15 ms of the benchmark.
#[test]
fn small_batches_do_not_overload_a_gpu() {
    let whole = |run: &MeasuredRow| {
        run.benchmark == "resnet50" && run.mig_profile().is_none() && run.harness == "TRT"
    };
    let runs = runs("mlperf_inference_v1.1.csv", whole);
    let mut held = 0;
    for (single, gpu) in &runs {
        let offline = runs.iter().find(|(other, _)| {
            other.scenario == TestScenario::Offline
                && (&other.submitter, &other.system) == (&single.submitter, &single.system)
        });
        let (TestScenario::SingleStream, Some((offline, _))) = (single.scenario, offline) else {
            continue;
        };
        let one = single.latency["p90"].as_secs_f64();
        let sample = f64::from(offline.gpus) / offline.samples_per_s.unwrap();
        let rate = 0.9 * 8.0 / (one - sample + 8.0 * sample);
        // XR12 is an edge host, whose batches of one take twice as long as others' with its GPU.
        if single.system.starts_with("XR12") {
            continue;
        }
        let mut run = single.clone();
        run.scenario = TestScenario::Server;
        run.target_qps = Some(rate);
        run.settings.batch = Some(8);
        run.settings.streams = Some(2);
        run.settings.copy_streams = Some(4);
        let outcome = simulate(&experiment(&run, gpu));
        let recorder = &outcome.vms[0].recorder;
        let p99 = recorder.latencies().quantile(0.99).unwrap().as_millis_f64();
        let completed =
            recorder.latencies().count() as f64 / recorder.last_completion().as_secs_f64();
        println!("{:40} {gpu} {rate:.0} per s: p99 {p99:.2} ms", run.system);
        assert!(completed > 0.99 * rate && p99 < 15.0, "{gpu}: {completed} of {rate}, {p99} ms");
        held += 1;
    }
    // Each of the five GPUs has one.
    assert!(held >= 5, "{held}");
}
