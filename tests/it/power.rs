//! The clock under a power limit against published runs: whole GPUs at the limits that they name, and
//! GPU instances with and without busy neighbours.
//!
//! MLPerf Inference v1.1, v2.0 and v3.0. Watts per SM and the floor of the voltage were fitted on
//! Offline runs of whole A100 and A30; nothing of a busy slice was used.

use crate::shared_cards::rates;
use crate::support::median_and_nine_in_ten;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::gpu::{Demand, Draws, PowerCap};
use slicewise::platform::simulate;
use slicewise::spec::{Fact, GpuSpec, WorkTable, Workload};
use slicewise::units::{Share, SimDuration};
use std::collections::BTreeMap;

/// Samples per second and SM of a 1g slice alone, which is at the highest clock: MLPerf Inference v1.1
/// and v2.0, the median over A100-SXM and A30 (14 SMs), which agree within 3 %.
const AT_FULL_CLOCK: [(&str, f64); 4] =
    [("bert-99", 35.5), ("bert-99.9", 17.5), ("resnet50", 370.0), ("ssd-resnet34", 9.63)];

/// An Offline row: its texts by column.
type Row = BTreeMap<String, String>;

fn offline_rows(file: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(format!("configs/published/{file}")).unwrap();
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
/// A100-SXM, 0.801, 0.793, 0.917, 0.877 with four of an A30. Told within 4.0 % and 6.9 %: BERT on the A30
/// is 5 and 7 % too fast, for busy slices cost each other more than power says, by what is not known. Before a
/// batch had an energy it was 2.7 and 5.2: a sample of Server load takes 2 to 12 % longer than one of the
/// Offline runs that watts were learnt on, and is told the same energy.
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
        median_and_nine_in_ten(&errors).0 <= 3.0 && *errors.last().unwrap() <= 7.0,
        "{errors:.1?}"
    );
}

/// The rate of the first VM of a scenario.
fn rate_of(text: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limit.toml");
    std::fs::write(&path, text).unwrap();
    let options = LoadOptions { seed: Some(1), ..LoadOptions::new(Catalogue::load(None).unwrap()) };
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    let experiment = scenario.pairs.into_iter().next().unwrap().virtual_run.experiment;
    rates(&experiment, &simulate(&experiment))[0]
}

/// A limit of its own slows a card; the one it is shipped with changes nothing, to the digit.
#[test]
fn a_power_limit_is_a_setting_of_the_card() {
    let with = |limit: &str| {
        let text = format!(
            "host = {{ logical_processors = 128, memory = \"1 TB\" }}\ngpus = {{ model = \"a100-sxm-80gb\", count = 1{limit} }}\n[[vm]]\nname = \"vm\"\nvcpus = 8\nworkload = \"bert-99\"\nserver = {{ batch_max = 64 }}\n[vm.load]\nscenario = \"closed-loop\"\nclients = 256\nmin_duration = \"30 s\"\nmin_query_count = 1\n"
        );
        rate_of(&text)
    };
    let usual = with("");
    assert_eq!(usual, with(", power_limit = \"400 W\""));
    // Full batches of BERT, 1280 in 1.125 + 356.6 ms, draw 108 x 4.29 = 463 W: 345 / 463 at 400 W, clock
    // 0.9064. At the highest clock one takes 1.125 + 323.2 ms and 150.3 J, so 64 of its 1280.2 parts (0.2 for
    // what a batch takes once) 7.54 J. Those 64 take 1.125 + 18.294 ms at 400 W: 410 W at the highest clock, and
    // 345 / 410 is 0.944^3. At 250 W 195 / 410 = 0.476, below the floor at 0.493: 0.476 / 0.79^2 = 0.763.
    let limited = with(", power_limit = \"250 W\"");
    let expected = (1.125 + 18.294) / (1.125 + 18.294 * 0.944 / 0.763);
    assert!((limited / usual / expected - 1.0).abs() < 0.005, "{limited} of {usual}, {expected}");
}

/// Rows of `tests/measured/watts.csv` without pauses, by card and model.
fn watts() -> BTreeMap<(String, String), Vec<Row>> {
    let mut reader = csv::Reader::from_path("tests/measured/watts.csv").unwrap();
    let mut by_kind: BTreeMap<_, Vec<Row>> = BTreeMap::new();
    for row in reader.deserialize::<Row>().map(Result::unwrap) {
        if row["pause_ms"] == "0" {
            by_kind.entry((row["gpu"].clone(), row["model"].clone())).or_default().push(row);
        }
    }
    by_kind
}

/// What batches of 1 to 64 draw on all, half and a quarter of the SMs of an H100 and an H200, and the clock of
/// those at the limit of 700 W, by one number of watts for each model and what the catalogue says of a batch
/// whatever its size. Watts are those of full batches that reach no limit: BERT of 32 on half of the SMs, 14.0 J
/// in 28.7 ms, 7.4 W for each of 66; ResNet-50 of 64, 2.45 J in 5.01 ms, 3.7 W for each of 132. Times are the
/// measured ones. ResNet-50 of 8 and 16 is told most too much: its samples cost a tenth less than those of 64.
#[test]
fn batches_draw_what_was_measured() {
    let catalogue = Catalogue::load(None).unwrap();
    let (mut of_watts, mut of_clocks) = (Vec::new(), Vec::new());
    for ((gpu_id, model), rows) in watts() {
        let mut gpu = catalogue.gpu(&gpu_id).unwrap().clone();
        gpu.power_idle_w = Some(Fact::assumed(number(&rows[0], "idle_watts"), ""));
        // As fitted on these clocks; 0.79 is 7 % off for BERT of 64.
        gpu.voltage_floor = Some(Fact::assumed(Share::new(0.86).unwrap(), ""));
        let (torch, mlperf, watts) = match model.as_str() {
            "resnet50" => ("resnet50-torch", "resnet50", 3.7),
            _ => ("bert-large-torch", "bert-99", 7.4),
        };
        let mut workload = catalogue.workload(torch).unwrap().clone();
        workload.energy_once = catalogue.workload(mlperf).unwrap().energy_once.clone();
        let mut service = workload.service["h200-sxm-141gb"].clone();
        service.watts_per_sm = Some(Fact::assumed(watts, ""));
        let whole = rows.iter().filter(|row| row["sms"] == "132");
        let time = |row: &Row| SimDuration::from_nanos_f64(number(row, "mean_ms") * 1e6);
        let points = whole.map(|row| (number(row, "batch") as u32, time(row))).collect();
        service.work.value = WorkTable::new(points).unwrap();
        workload.service = BTreeMap::from([(gpu.id.clone(), service)]);
        let draws = Draws::of(&gpu, &workload, 64).unwrap();
        for row in &rows {
            let batch = number(row, "batch") as u32;
            let what = format!("{gpu_id} {model} of {batch} on {} SMs", row["sms"]);
            let told =
                draws.at_highest_clock(Demand::plain(time(row)), batch, f64::from(batch), false);
            let idle = number(row, "idle_watts");
            let drawn = told.energy / time(row).as_nanos_f64();
            of_watts.push((what.clone(), (idle + drawn).min(700.0), number(row, "watts")));
            if row["sms"] == "132" {
                let mhz = f64::midpoint(number(row, "sm_mhz_low"), number(row, "sm_mhz_high"));
                let clock = told.work / time(row).as_nanos_f64();
                of_clocks.push((format!("{what}, clock"), clock * 1980.0, mhz));
            }
        }
    }
    let (of_watts, of_clocks) = (errors(of_watts), errors(of_clocks));
    let (median, nine_in_ten) = median_and_nine_in_ten(&of_watts);
    println!("watts: {median:.1}, {nine_in_ten:.1} %; clocks: {of_clocks:.1?}");
    // Found: 4.0, 10.4 and 16.3 % at worst; clocks 6.0 at worst (H200, BERT of 32).
    assert!(median <= 4.5 && nine_in_ten <= 11.0, "{of_watts:.1?}");
    assert!(*of_clocks.last().unwrap() <= 6.5, "{of_clocks:.1?}");
}

/// A card that its limit does not reach with single batches runs them at the highest clock; full ones are slowed.
#[test]
fn a_limit_slows_full_batches_and_not_single_ones() {
    let latency = |batch: u32, limit: &str| {
        let text = format!(
            "host = {{ logical_processors = 128, memory = \"1 TB\" }}\ngpus = {{ model = \"a100-sxm-80gb\", count = 1{limit} }}\n[[vm]]\nname = \"vm\"\nvcpus = 8\nworkload = \"resnet50\"\nserver = {{ preset = \"triton\", batch_max = {batch}, streams = 1 }}\n[vm.load]\nscenario = \"closed-loop\"\nclients = {batch}\nmin_duration = \"10 s\"\nmin_query_count = 1\n"
        );
        rate_of(&text)
    };
    let slower = |batch| latency(batch, ", power_limit = \"200 W\"") / latency(batch, "");
    let (one, many) = (slower(1), slower(256));
    assert!((one - 1.0).abs() < 1e-3, "one image at 200 W: {one}");
    assert!(many < 0.9, "256 images at 200 W: {many}");
}
