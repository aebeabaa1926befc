//! Service times scaled from another GPU's: that every GPU answers, that it is asked for and told, and that
//! the interval is what published rates show.

use crate::cli::check;
use slicewise::config::{Catalogue, LoadOptions, later_validation, load, validation};
use slicewise::gpu::scaling::Similarity;
use slicewise::spec::{ServiceTime, Workload};
use slicewise::study::{Scaling, scaling, validate};
use std::fs;
use std::path::{Path, PathBuf};

/// A scenario of one whole GPU, its keys besides, in a folder that is gone with the first of the two.
fn scenario(gpu: &str, workload: &str, keys: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.toml");
    let text = format!(
        "title = \"One GPU\"\nhost = {{ logical_processors = 64, memory = \"512 GB\" }}\ngpus = {{ model = \"{gpu}\", count = 1 }}\n[[vm]]\nworkload = \"{workload}\"\n{keys}\nload = {{ scenario = \"server\", target_qps = 20, min_duration = \"20 s\", min_query_count = 100 }}\nserver = {{ batch_max = 8 }}\n"
    );
    fs::write(&file, text).unwrap();
    (folder, file)
}

/// What a loaded scenario has for service time.
fn service(file: &Path, gpu: &str) -> ServiceTime {
    let scenario = load(file, &LoadOptions::new(Catalogue::load(None).unwrap())).unwrap();
    scenario.pairs[0].virtual_run.experiment.vms[0].workload.service[gpu].clone()
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn every_gpu_of_the_catalogue_answers_every_workload() {
    let catalogue = Catalogue::load(None).unwrap();
    let entries = catalogue.list();
    let of = |kind: &str| -> Vec<String> {
        let of_kind = entries.iter().filter(|entry| entry.kind == kind);
        of_kind.map(|entry| entry.id.clone()).collect()
    };
    let (gpus, workloads) = (of("gpu"), of("workload"));
    assert!(gpus.len() >= 46 && workloads.len() >= 7);
    for workload in &workloads {
        let own = catalogue.workload(workload).unwrap();
        for gpu in &gpus {
            let (_folder, file) = scenario(gpu, workload, "scaled_from = \"auto\"");
            let found = service(&file, gpu);
            assert_eq!(found.scaled.is_none(), own.service.contains_key(gpu), "{workload} {gpu}");
            let Some(scaled) = &found.scaled else { continue };
            let [low, high] = scaled.work.range.unwrap();
            assert!(low < scaled.work.value && scaled.work.value < high, "{workload} {gpu}");
            // A full batch takes as much longer as is told, to its three digits.
            let full = |service: &ServiceTime| service.work.value.per_sample();
            let ratio = full(&found) / full(&own.service[&scaled.from]);
            assert!((ratio / scaled.work.value - 1.0).abs() < 0.006, "{workload} {gpu} {ratio}");
            assert!(found.work.source.contains(&scaled.from) && found.launch.source.len() > 20);
        }
    }
}

#[test]
fn without_the_key_it_is_refused_and_the_key_is_told() {
    let (_folder, file) = scenario("l4", "bert-99", "");
    let file = file.to_str().unwrap();
    let (_, stderr) = check(&["run", file], 2);
    assert!(stderr.contains("no service time of workload \"bert-99\" on GPU \"l4\""), "{stderr}");
    assert!(stderr.contains("--set vm.scaled_from=auto"), "{stderr}");
    let (stdout, stderr) = check(&["check", file, "--set", "vm.scaled_from=auto"], 0);
    assert!(stdout.starts_with("ok:") && stderr.contains("are scaled from a10"), "{stderr}");
    let (_, stderr) = check(&["check", file, "--set", "vm.scaled_from=\"l40s\""], 2);
    assert!(stderr.contains("unknown GPU with service times of bert-99 \"l40s\""), "{stderr}");
    let (stdout, _) = check(&["check", file, "--set", "vm.scaled_from=a30", "--explain"], 0);
    assert!(stdout.contains("work over that on a30") && stdout.contains("int8 rate x"), "{stdout}");
}

/// The sentence at the head, below title and verdict, the column, the document; and p99 of every run has an interval.
#[test]
fn results_say_whose_times_they_are_and_how_good() {
    let (folder, file) = scenario("l4", "bert-99", "scaled_from = \"auto\"");
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let (stdout, _) = check(&["run", file.to_str().unwrap(), "--out", out], 0);
    let head: String = stdout.lines().take(9).collect::<Vec<_>>().join(" ");
    assert!(
        head.contains("Scaled: service times of bert-99 on l4 are scaled from a10"),
        "{stdout}"
    );
    assert!(head.contains("5th to 95th percentile of GPUs"), "{stdout}");
    let read = |name: &str| fs::read_to_string(Path::new(out).join(name)).unwrap();
    assert!(read("summary.csv").contains(",l4 from a10,"));
    let document: serde_json::Value = serde_json::from_str(&read("result.json")).unwrap();
    assert!(document["scaled"][0].as_str().unwrap().contains("bert-99 on l4"));
    let vm = &document["runs"][0]["vms"][0];
    assert_eq!(vm["scaled"][0], "l4 from a10");
    let [p99, low, high] = [
        &vm["latency_ms"]["p99"],
        &vm["fits"]["latency_ms"]["p99"][0],
        &vm["fits"]["latency_ms"]["p99"][1],
    ]
    .map(|value| value.as_f64().unwrap());
    assert!(low < 0.95 * p99 && p99 * 1.1 < high, "{low} {p99} {high}");
}

/// A model measured on one GPU, told of another: what people ask.
#[test]
fn a_model_of_ones_own_goes_to_another_gpu() {
    let (folder, file) = scenario("l40s", "mine", "scaled_from = \"a10\"");
    let configs = folder.path().join("my");
    fs::create_dir_all(configs.join("workloads")).unwrap();
    let text = "name = \"Mine\"\nusual_preset = \"triton\"\ntarget_latency = \"50 ms\"\nweights = \"400 MiB\"\n[service.a10]\nwork = { 1 = \"4 ms\", 8 = \"16 ms\" }\n";
    fs::write(configs.join("workloads/mine.toml"), text).unwrap();
    let catalogue = Catalogue::load(Some(&configs)).unwrap();
    let run = load(&file, &LoadOptions::new(catalogue)).unwrap();
    let vm = &run.pairs[0].virtual_run.experiment.vms[0];
    let found = &vm.workload.service["l40s"];
    // 2 ms a sample. FP16 rate 362.05 / 125 = 2.896, bandwidth 864 / 600 = 1.44. Clocks at 3.6 W an SM:
    // A10 130 of 259 W, 0.5015^(1/3) = 0.7945; L40S 321 of 511 W, 0.628^(1/3) = 0.8563: x 1.0778.
    // 0.8 / (2.896 x 1.0778) + 0.2 / 1.44 = 0.2563 + 0.1389 = 0.3952: 8 samples take 6.32 ms.
    let full = found.work.value.at(8) / 1e6;
    assert!((full - 6.323).abs() < 0.01, "{full}");
    // Beside 2 ms of a batch of one are 2 ms of latency, of which 0.350 ms half of reading 400 MiB at 600
    // GB/s: at 864 GB/s 0.243. 0.790 + 1.650 + 0.243 = 2.683 ms.
    let one = found.work.value.at(1) / 1e6;
    assert!((one - 2.683).abs() < 0.01, "{one}");
}

/// A GPU of one's own without a tensor rate cannot be told, and what to write is.
#[test]
fn a_gpu_without_a_tensor_rate_is_refused() {
    let (folder, file) = scenario("my-gpu", "bert-99", "scaled_from = \"auto\"");
    let configs = folder.path().join("my");
    fs::create_dir_all(configs.join("gpus")).unwrap();
    let text = "name = \"Mine\"\nsms = 56\nmemory = \"24 GiB\"\nmemory_bandwidth = \"933 GB/s\"\npcie_bandwidth = \"25 GB/s\"\npower_cap_w = 165\n";
    fs::write(configs.join("gpus/my-gpu.toml"), text).unwrap();
    let arguments = ["check", file.to_str().unwrap(), "--configs", configs.to_str().unwrap()];
    let (_, stderr) = check(&arguments, 2);
    assert!(stderr.contains("the tensor rate of my-gpu is not known"), "{stderr}");
    assert!(stderr.contains("tensor_fp16_tflops"), "{stderr}");
    let with_rate = format!("{text}tensor_int8_tops = 330\n");
    fs::write(configs.join("gpus/my-gpu.toml"), with_rate).unwrap();
    check(&arguments, 0);
}

fn shown() -> Scaling {
    let catalogue = Catalogue::load(None).unwrap();
    let first = validation(None, &catalogue, 1000, 1000).unwrap();
    let later = later_validation(&catalogue, 1000, 1000);
    scaling(&[&first, &later])
}

/// What results carry is what leaving GPUs out shows of the published rates, and no more than a fifth above.
#[test]
fn intervals_are_those_of_gpus_left_out() {
    let shown = shown();
    assert_eq!(shown.spreads.len(), Similarity::ALL.len());
    for spread in &shown.spreads {
        println!("{spread:?}");
        let carried = spread.in_use / spread.half_width;
        assert!((1.0..=1.2).contains(&carried), "{spread:?}");
    }
    for row in &shown.rows {
        assert_ne!(row.gpu, row.from);
        println!("{row:?}");
    }
}

/// The issue asks 8 % in the median for Offline rows with their GPU model left out. Found: 1.6 % over
/// benchmarks and GPUs, each told from the nearest other.
#[test]
fn offline_rates_are_told_from_other_gpus() {
    let shown = shown();
    let mut best: Vec<f64> = Vec::new();
    for row in &shown.rows {
        let nearer = |other: &&slicewise::study::ScalingRow| {
            (&other.benchmark, &other.gpu) == (&row.benchmark, &row.gpu)
        };
        // Rows are in the order of kinship.
        let first = shown.rows.iter().find(nearer).unwrap();
        if first == row {
            best.push(row.error.abs());
        }
    }
    best.sort_by(f64::total_cmp);
    println!("{} {:?}", best.len(), best);
    assert!(best.len() >= 44 && best[best.len() / 2] < 0.08);
    assert!(best[best.len() * 9 / 10] < 0.15);
}

/// The column of `validate` is the same law, row by row.
#[test]
fn validate_tells_other_gpus_by_the_same_law() {
    let catalogue = Catalogue::load(None).unwrap();
    for (file, median) in [(false, 0.08), (true, 0.08)] {
        let mut input = match file {
            false => validation(None, &catalogue, 1000, 1000).unwrap(),
            true => later_validation(&catalogue, 1000, 1000),
        };
        input.rows.retain(|row| row.scenario != slicewise::spec::TestScenario::Server);
        input.judged = input.rows.len();
        let results = validate(&input, &|_, _, _| {});
        for group in &results.summary {
            println!("{} {} {:?}", group.group, group.rows, group.load_error_gpu_left_out);
        }
        let group = results.summary.iter().find(|group| group.group == "Offline, whole GPUs");
        let errors = group.unwrap().load_error_gpu_left_out.unwrap();
        assert!(errors.median < median, "{errors:?}");
    }
}

/// Every shipped service time told from every other GPU's: full batches within the interval nine times in
/// ten (119 of 126). BERT-99.9 of the H100 ran in another format than that of other GPUs, as its rate beside
/// BERT-99's shows, and is told from its own kind only.
#[test]
fn shipped_service_times_lie_in_the_intervals() {
    let catalogue = Catalogue::load(None).unwrap();
    let (mut all, mut inside) = (0, 0);
    for entry in catalogue.list().iter().filter(|entry| entry.kind == "workload") {
        let workload: &Workload = catalogue.workload(&entry.id).unwrap();
        for (gpu, own) in &workload.service {
            let others = workload.service.keys().filter(|other| *other != gpu);
            for from in others {
                let [from, to] = [from, gpu].map(|id| catalogue.gpu(id).unwrap());
                let is_hopper = |id: &str| id.starts_with("h100");
                if entry.id == "bert-99.9" && is_hopper(&from.id) != is_hopper(gpu) {
                    continue;
                }
                let found = slicewise::gpu::scaling::scaled(workload, from, to).unwrap();
                let scaled = found.scaled.as_ref().unwrap();
                let [low, high] = scaled.work.range.unwrap().map(|end| end / scaled.work.value);
                let full = own.work.value.per_sample() / found.work.value.per_sample();
                let time = |of: &ServiceTime| of.work.value.at(1) + of.launch.value.as_nanos_f64();
                let one = time(own) / time(&found);
                println!(
                    "{} {gpu} from {}: full {full:.3}, one {one:.3}, {low:.2} to {high:.2}",
                    entry.id, from.id
                );
                all += 1;
                inside += u32::from((low..=high).contains(&full));
            }
        }
    }
    assert!(all >= 80 && f64::from(inside) >= 0.9 * f64::from(all), "{inside} of {all}");
}
