//! LLM serving as an H200 did it: servers alone from their recorded arrivals, and mixtures of steps under MPS.
//!
//! `tests/measured/h200-llm`: slicewise measurement, H200, driver 580.159, 2026-11-26. The law of a step was fitted
//! on single steps of these servers and on closed loops of one process; nothing here was fitted.

use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::gpu::{Beside, StepLaw, StepParts, together};
use slicewise::platform::simulate;
use slicewise::queueing::stats::LatencyHistogram;
use slicewise::spec::{Experiment, TokenStep};
use slicewise::units::SimDuration;
use std::collections::BTreeMap;
use std::fs;

type Row = BTreeMap<String, String>;

fn rows(file: &str) -> Vec<Row> {
    let text = fs::read_to_string(format!("tests/measured/h200-llm/{file}")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_string));
    let head: Vec<String> = lines.next().unwrap().collect();
    lines.map(|cells| head.iter().cloned().zip(cells).collect()).collect()
}

fn number(row: &Row, key: &str) -> f64 {
    row[key].parse().unwrap()
}

/// The measured loop with a model on an H200, asked for what is in `trace`.
fn server(model: &str, trace: &str) -> Experiment {
    // Tokens of the pool of keys and values.
    let (model, blocks) = match model {
        "8b" => ("llama-3.1-8b", 262_400),
        _ => ("llama-3.2-1b", 65_792),
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("trace.csv"), trace).unwrap();
    let path = folder.path().join("server.toml");
    let text = format!(
        "host = {{ logical_processors = 64, memory = \"512 GB\" }}\ngpus = \"h200-sxm-141gb\"\n[[vm]]\n\
         gpus = 1\nllm = {{ model = \"{model}\" }}\nload = {{ arrivals = {{ trace = \"trace.csv\" }} }}\n\
         [vm.engine]\npreset = \"two-step\"\nmax_model_len = 4352\nblock_size = 1\n\
         num_gpu_blocks_override = {blocks}\n"
    );
    fs::write(&path, text).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    scenario.pairs[0].virtual_run.experiment.clone()
}

/// Of few requests a percentile is scored only with ten or more beyond it. Found: 2.1, 2.5 and 3.8 % (the large ones
/// are first tokens of the small model); the authors of the law say up to 4 %.
#[test]
fn servers_alone_are_predicted() {
    let (cases, requests) = (rows("cases.csv"), rows("requests.csv"));
    for (case, model) in [("server_75", "8b"), ("server_40", "8b"), ("server_75", "1b")] {
        let is_it = |row: &&Row| row["case"] == case && row["model"] == model;
        let mut trace = "arrival_s,context_tokens,generated_tokens\n".to_string();
        for row in requests.iter().filter(is_it) {
            let at = number(row, "arrival_us") / 1e6;
            trace.push_str(&format!("{at:.9},{},{}\n", row["prompt"], row["output"]));
        }
        let outcome = simulate(&server(model, &trace));
        let vm = &outcome.vms[0];
        let tokens = vm.tokens.as_ref().unwrap();
        let found: [(&str, &LatencyHistogram); 4] = [
            ("ttft", &tokens.ttft),
            ("tpot", &tokens.tpot),
            ("itl", &tokens.itl),
            ("e2e", vm.recorder.latencies()),
        ];
        let mut errors = Vec::new();
        for (what, found) in found {
            let of = |row: &&Row| row["phase"] == "D" && is_it(row) && row["what"] == what;
            let row = cases.iter().find(of).unwrap();
            let error = |found: u64, key: &str| found as f64 / 1e3 / number(row, key) - 1.0;
            errors.push(error(found.mean().unwrap().as_nanos(), "mean_us").abs());
            for (q, key) in [(0.5, "p50_us"), (0.9, "p90_us"), (0.99, "p99_us")] {
                if found.count() as f64 * (1.0 - q) >= 10.0 {
                    errors.push(error(found.quantile(q).unwrap().as_nanos(), key).abs());
                }
            }
        }
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        println!("{case} {model}: {mean}");
        assert!(mean < 0.04, "{case} {model}: {mean}");
    }
}

/// The step of a closed loop: so many tokens of a prompt, or decodes of one context.
fn step_of(row: &Row) -> TokenStep {
    let of = |key: &str| row[key].parse::<u32>().unwrap();
    match of("T") {
        0 => {
            let (decodes, longest) = (of("B"), of("C"));
            let contexts = u64::from(decodes) * u64::from(longest);
            TokenStep { decodes, contexts, longest, rows: decodes, ..Default::default() }
        }
        tokens => {
            let prompt_pairs = f64::from(tokens) * f64::from(tokens) / 2.0;
            TokenStep {
                prompt_tokens: tokens,
                prompts: 1,
                prompt_pairs,
                rows: 1,
                ..Default::default()
            }
        }
    }
}

/// How far the medians of mixtures are off, root mean square: the authors of the fit have 5.3 % with half the SMs
/// each and 4.2 % with a quarter; 5.2, 4.7 and, without limits, 9.2 % were found here. A decode beside prompts without
/// limits is rough: it waits for half of them.
#[test]
fn mixtures_under_mps_are_predicted() {
    let experiment = server("8b", "arrival_s,context_tokens,generated_tokens\n0,1,1\n1,1,1\n");
    // Closed loops sample nothing.
    let mut llm = (**experiment.vms[0].llm.as_ref().unwrap()).clone();
    llm.engine.sampling.value = SimDuration::ZERO;
    let law = StepLaw::new(&llm, &llm.laws["h200-sxm-141gb"], &experiment.cards[0].instances[0]);
    let rows = rows("cases.csv");
    let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let is_mixture = |row: &&Row| row["phase"] == "B" && row["nproc"] != "1";
    for row in rows.iter().filter(is_mixture) {
        let alike = |other: &&Row| {
            ["case", "mode", "nproc"].iter().all(|key| other[*key] == row[*key])
                && is_mixture(other)
        };
        let mixture: Vec<&Row> = rows.iter().filter(alike).collect();
        let parts: Vec<StepParts> = mixture.iter().map(|row| law.parts(&step_of(row))).collect();
        // Percentages round down to pairs of SMs.
        let limit = match &*row["mode"] {
            "mps50" => Some(66.0 / 132.0),
            "mps25" => Some(32.0 / 132.0),
            _ => None,
        };
        let clients: Vec<Beside<'_>> =
            parts.iter().map(|parts| Beside { law: &law, parts, limit }).collect();
        let place = mixture.iter().position(|other| other["proc"] == row["proc"]).unwrap();
        // 25 us of a step are the host's.
        let found = together(&clients)[place] * 1e6 + 25.0;
        errors.entry(&row["mode"]).or_default().push(found / number(row, "p50_us") - 1.0);
    }
    let rms = |mode: &str| {
        let all = &errors[mode];
        (all.iter().map(|error| error * error).sum::<f64>() / all.len() as f64).sqrt()
    };
    assert!(rms("mps50") < 0.06 && rms("mps25") < 0.06, "{} {}", rms("mps50"), rms("mps25"));
    assert!(rms("mps100") < 0.1, "{}", rms("mps100"));
}
