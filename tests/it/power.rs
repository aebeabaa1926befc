//! The clock under a power limit against published runs: whole GPUs at the limits that they name, and
//! GPU instances with and without busy neighbours.
//!
//! MLPerf Inference v1.1, v2.0 and v3.0. Watts per SM and the floor of the voltage were fitted on
//! Offline runs of whole A100 and A30; nothing of a busy slice was used.

use crate::shared_cards::rates;
use crate::support::median_and_nine_in_ten;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::gpu::PowerCap;
use slicewise::platform::simulate;
use slicewise::spec::{GpuSpec, Workload};
use std::collections::BTreeMap;

/// Samples per second and SM of a 1g slice alone, which is at the highest clock: MLPerf Inference v1.1
/// and v2.0, the median over A100-SXM and A30 (14 SMs), which agree within 3 %.
const AT_FULL_CLOCK: [(&str, f64); 4] =
    [("bert-99", 35.5), ("bert-99.9", 17.5), ("resnet50", 370.0), ("ssd-resnet34", 9.63)];

/// An Offline row: its texts by column.
type Row = BTreeMap<String, String>;

fn offline_rows(file: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(format!("tests/published/{file}")).unwrap();
    let rows = reader.deserialize::<Row>().map(Result::unwrap);
    rows.filter(|row| row["scenario"] == "Offline" && row["virtualized"] != "1").collect()
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} of {row:?}"))
}

/// What the law says of the rate of a whole GPU at `limit` watts.
fn told(gpu: &GpuSpec, workload: &Workload, limit: f64) -> f64 {
    let (_, full) = AT_FULL_CLOCK.iter().find(|(id, _)| *id == workload.id).unwrap();
    let clock = PowerCap::of(gpu, limit).unwrap().clock(workload.service[&gpu.id].watts(gpu));
    full * f64::from(gpu.sms.value) * clock
}

/// Errors without sign in percent, in rising order; prints each.
fn errors(found: Vec<(String, f64, f64)>) -> Vec<f64> {
    let of = |(what, told, measured): (String, f64, f64)| {
        let error = (told / measured - 1.0) * 100.0;
        println!("{what:70} {measured:10.1} told {told:10.1} {error:+6.1} %");
        error.abs()
    };
    let mut errors: Vec<f64> = found.into_iter().map(of).collect();
    errors.sort_by(f64::total_cmp);
    errors
}

/// Runs of v1.1 at the limit that the card is shipped with. MaxQ and DGX Station name no limit there;
/// XE8545 has modules of 500 W; DSS8440's ResNet-50 is bound by its host. Watts are those
/// of both models together; by A100 alone the A30 was told within 4 %, but for ResNet-50 in the R7525 (4.6).
#[test]
fn whole_gpus_run_at_the_clock_that_their_limit_leaves() {
    let catalogue = Catalogue::load(None).unwrap();
    let mut found: BTreeMap<&str, Vec<(String, f64, f64)>> = BTreeMap::new();
    for row in offline_rows("mlperf_inference_v1.1.csv") {
        let (system, benchmark) = (row["system"].as_str(), row["benchmark"].as_str());
        let left_out = ["MaxQ", "MIG", "DGX-Station"].iter().any(|word| system.contains(word))
            || (system.starts_with("DSS8440") && benchmark == "resnet50");
        let model = match row["accelerator_model"].trim_start_matches("NVIDIA ") {
            "A100-PCIe-80GB" | "A100-PCIE-80GB" => "a100-pcie-80gb",
            "A100-PCIe" | "A100-PCIE-40GB" | "A100-PCIe-40GB" => "a100-pcie-40gb",
            "A100-SXM-80GB" => "a100-sxm-80gb",
            "A30" => "a30",
            _ => continue,
        };
        let Some(workload) = catalogue.workload(benchmark).filter(|_| !left_out) else { continue };
        if !AT_FULL_CLOCK.iter().any(|(id, _)| *id == benchmark) {
            continue;
        }
        let gpu = catalogue.gpu(model).unwrap();
        let limit = if system.starts_with("XE8545") { 500.0 } else { gpu.power_cap_w.value };
        let measured = number(&row, "samples_per_second") / number(&row, "accelerators_per_node");
        let kind = if model == "a30" { "A30" } else { "A100" };
        let row = format!("{system} {benchmark} at {limit} W");
        found.entry(kind).or_default().push((row, told(gpu, workload, limit), measured));
    }
    // Found in the trial that fitted them, with 111 rows, MaxQ among them: 1.3 and 3.4 %.
    for (kind, rows) in found {
        let (count, errors) = (rows.len(), errors(rows));
        let (median, nine_in_ten) = median_and_nine_in_ten(&errors);
        println!("{kind}: {count} rows, {median:.1} and {nine_in_ten:.1} %");
        assert!(count >= 20, "{kind}: {count} rows");
        assert!(median <= 2.5 && nine_in_ten <= 5.0, "{kind}: {errors:.1?}");
    }
}

/// MaxQ systems of v2.0, over their own twins at the usual limit where they have one, else over the law
/// there. The cube root alone, without a floor of the voltage, is 6.3 and 13.3 % off.
#[test]
fn power_limits_that_runs_name_tell_their_rates() {
    let catalogue = Catalogue::load(None).unwrap();
    let mut found = Vec::new();
    for row in offline_rows("mlperf_inference_v2.0_v3.0_nvidia.csv") {
        let Ok(limit) = row["power_limit_w"].parse::<f64>() else { continue };
        let Some(model) = row["accelerator_model"].strip_prefix("NVIDIA A100-") else { continue };
        let gpu = catalogue.gpu(&format!("a100-{}", model.to_lowercase())).unwrap();
        let benchmark = row["benchmark"].as_str();
        if !AT_FULL_CLOCK.iter().any(|(id, _)| *id == benchmark) {
            continue;
        }
        let told = told(gpu, catalogue.workload(benchmark).unwrap(), limit);
        let measured = number(&row, "samples_per_second") / number(&row, "accelerators_per_node");
        found.push((format!("{} {benchmark} at {limit} W", row["system"]), told, measured));
    }
    let (count, errors) = (found.len(), errors(found));
    let (median, nine_in_ten) = median_and_nine_in_ten(&errors);
    println!("{count} rows: {median:.1} and {nine_in_ten:.1} %");
    assert!(count >= 16, "{count} rows");
    assert!(median <= 3.0 && nine_in_ten <= 7.0, "{errors:.1?}");
}

/// VMs alike with a GPU instance each, all asked as much as they can do.
fn slices(model: &str, profile: &str, count: u32, benchmark: &str, batch: u32) -> Vec<f64> {
    let text = format!(
        "host = {{ logical_processors = 128, memory = \"1 TB\" }}\ngpus = {{ model = \"{model}\", count = 1 }}\n[[vm]]\nname = \"vm\"\ncount = {count}\nvcpus = 8\nworkload = \"{benchmark}\"\nmig = \"{profile}\"\nserver = {{ preset = \"triton\", batch_max = {batch}, streams = 1 }}\n[vm.load]\nscenario = \"closed-loop\"\nclients = {}\nmin_duration = \"30 s\"\nmin_query_count = 1\n",
        2 * batch
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slices.toml");
    std::fs::write(&path, text).unwrap();
    let options = LoadOptions { seed: Some(1), ..LoadOptions::new(Catalogue::load(None).unwrap()) };
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    let experiment = scenario.pairs.into_iter().next().unwrap().virtual_run.experiment;
    rates(&experiment, &simulate(&experiment))
}

/// All slices busy over one alone, Triton, v2.0: 0.928, 0.916, 0.987, 0.969 with seven slices of an
/// A100-SXM, 0.801, 0.793, 0.917, 0.877 with four of an A30. Told within 2.7 % and 5.2 %: BERT on the A30
/// is 4 and 5 % too fast, for busy slices cost each other more than power says, by what is not known.
#[test]
fn busy_slices_lower_the_clock_of_each_other() {
    let rows = offline_rows("mlperf_inference_v2.0_v3.0_nvidia.csv");
    let rate = |system: &str, benchmark: &str| {
        let row = rows.iter().find(|row| {
            row["system"] == system && row["benchmark"] == benchmark && row["harness"] == "Triton"
        });
        let row = row.unwrap_or_else(|| panic!("{system} {benchmark}"));
        number(row, "samples_per_second") / number(row, "slices")
    };
    let cards = [
        ("a100-sxm-80gb", "1g.10gb", 7, "DGX-A100_A100-SXM-80GB-MIG", "56x1g.10gb"),
        ("a30", "1g.6gb", 4, "A30-MIG", "32x1g.6gb"),
    ];
    let mut found = Vec::new();
    for (model, profile, count, system, all) in cards {
        for (benchmark, batch) in
            [("bert-99", 64), ("bert-99.9", 32), ("resnet50", 128), ("ssd-resnet34", 4)]
        {
            let measured = rate(&format!("{system}_{all}_TRT_Triton"), benchmark)
                / rate(&format!("{system}_1x{profile}_TRT_Triton"), benchmark);
            let alone = slices(model, profile, 1, benchmark, batch)[0];
            let busy = slices(model, profile, count, benchmark, batch);
            let told = busy.iter().sum::<f64>() / f64::from(count) / alone;
            found.push((format!("{model} {benchmark}, all over one"), told, measured));
        }
    }
    let errors = errors(found);
    assert!(
        median_and_nine_in_ten(&errors).0 <= 2.5 && *errors.last().unwrap() <= 6.0,
        "{errors:.1?}"
    );
}

/// A limit of its own slows a card; the one it is shipped with changes nothing, to the digit.
#[test]
fn a_power_limit_is_a_setting_of_the_card() {
    let with = |limit: &str| {
        let text = format!(
            "host = {{ logical_processors = 128, memory = \"1 TB\" }}\ngpus = {{ model = \"a100-sxm-80gb\", count = 1{limit} }}\n[[vm]]\nname = \"vm\"\nvcpus = 8\nworkload = \"bert-99\"\nserver = {{ batch_max = 64 }}\n[vm.load]\nscenario = \"closed-loop\"\nclients = 256\nmin_duration = \"30 s\"\nmin_query_count = 1\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("limit.toml");
        std::fs::write(&path, text).unwrap();
        let options =
            LoadOptions { seed: Some(1), ..LoadOptions::new(Catalogue::load(None).unwrap()) };
        let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
        let experiment = scenario.pairs.into_iter().next().unwrap().virtual_run.experiment;
        rates(&experiment, &simulate(&experiment))[0]
    };
    let usual = with("");
    assert_eq!(usual, with(", power_limit = \"400 W\""));
    // BERT draws 108 x 4.29 = 463 W: 345/463 at 400 W, clock 0.9065; 195/463 at 250 W, below the floor
    // at 0.493: 0.4209 / 0.79^2 = 0.6744. Launches do not scale, and are 8 % of a batch.
    let (limited, expected) = (with(", power_limit = \"250 W\""), 0.6744 / 0.9065);
    let launch = 1.125 / (1.125 + 18.4);
    let expected = 1.0 / (launch + (1.0 - launch) / expected);
    assert!((limited / usual / expected - 1.0).abs() < 0.02, "{limited} of {usual}, {expected}");
}
