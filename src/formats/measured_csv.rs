//! Measured runs, one per row: MLPerf figures and harness settings, by the names of the columns.
//!
//! `docs/explanation/validation.md` lists the columns. Rates are samples per second, latencies nanoseconds,
//! durations milliseconds. Their meaning for a model is not considered here.

use super::rows::{Cell, Rows, time_column};
use super::{FAULTS_MAX, Fault};
use crate::spec::{MeasuredRow, MeasuredSettings, MigSlices, TestScenario};
use crate::suggest::{nearest, quoted};
use crate::units::{Power, Share, SimDuration};
use std::collections::BTreeMap;
use std::ops::Range;

/// The columns of latencies with their names in the result document.
const LATENCIES: [(&str, &str); 9] = [
    ("min_ns", "min"),
    ("mean_ns", "mean"),
    ("p50_ns", "p50"),
    ("p90_ns", "p90"),
    ("p95_ns", "p95"),
    ("p97_ns", "p97"),
    ("p99_ns", "p99"),
    ("p999_ns", "p999"),
    ("max_ns", "max"),
];

/// Columns that no row can do without.
const NEEDED: [&str; 5] =
    ["system", "accelerator_model", "accelerators_per_node", "benchmark", "scenario"];

/// Columns that a row may do without, beside those of latencies.
const OPTIONAL: [&str; 30] = [
    "machine",
    "mig",
    "power_limited",
    "round",
    "submitter",
    "virtualized",
    "hetero_multi_use",
    "harness",
    "samples_per_second",
    "scheduled_samples_per_second",
    "completed_samples_per_second",
    "target_qps",
    "target_latency_ns",
    "min_duration_ms",
    "min_query_count",
    "mean_wrapped",
    "singlestream_p90_ns",
    "gpu_batch_size",
    "gpu_copy_streams",
    "gpu_inference_streams",
    "instance_group_count",
    "deque_timeout_usec",
    "max_queue_delay_usec",
    "soft_drop",
    "precision",
    "start_from_device",
    "use_graphs",
    "slices",
    "power_limit_w",
    "host",
];

/// Columns of MLPerf's result tables that are known and change no prediction.
const UNUSED: [&str; 10] = [
    "source_path",
    "samples_per_query",
    "use_deque_limit",
    "graphs_max_seqlen",
    "server_num_issue_query_threads",
    "preferred_batch_size",
    "input_dtype",
    "use_cuda_thread_per_device",
    "numa_config",
    "use_triton",
];

/// The scenarios of LoadGen that are read.
const SCENARIOS: [(&str, TestScenario); 3] = [
    ("Server", TestScenario::Server),
    ("Offline", TestScenario::Offline),
    ("SingleStream", TestScenario::SingleStream),
];

/// Reads every row, or returns all faults.
pub fn read(text: &str) -> Result<Vec<MeasuredRow>, Vec<Fault>> {
    read_with_warnings(text).map(|(runs, _)| runs)
}

/// The same, with the columns that are not read.
pub fn read_with_warnings(text: &str) -> Result<(Vec<MeasuredRow>, Vec<Fault>), Vec<Fault>> {
    let rows = Rows::read(text)?;
    let missing: Vec<&str> =
        NEEDED.into_iter().filter(|name| rows.column(&[name]).is_none()).collect();
    if !missing.is_empty() {
        let title = format!("the head has no column `{}`", missing.join("`, `"));
        let help = "docs/explanation/validation.md lists the columns";
        return Err(vec![Fault::at(rows.head_span(), title).help(help)]);
    }
    let (mut runs, mut faults) = (Vec::new(), misspelt(&rows));
    let ignored = if faults.is_empty() { ignored(&rows) } else { Vec::new() };
    for index in 0..rows.len() {
        let mut row = Reading { rows: &rows, index, faults: &mut faults };
        let run = row.run(text);
        runs.extend(run);
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    if runs.is_empty() && faults.is_empty() {
        faults.push(Fault::at(rows.head_span(), "the file has a head and no rows"));
    }
    if faults.is_empty() { Ok((runs, ignored)) } else { Err(faults) }
}

/// One warning for each column that no rule knows. What is nearly the name of a column that is not
/// there is refused before.
fn ignored(rows: &Rows) -> Vec<Fault> {
    let latencies = LATENCIES.map(|(column, _)| column);
    let read = || NEEDED.iter().chain(&OPTIONAL).chain(&latencies).copied();
    let told = |(name, span): (&str, Range<usize>)| {
        let name = name.trim();
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        if name.is_empty() || read().any(is) || UNUSED.iter().any(|unused| is(unused)) {
            return None;
        }
        let title = format!("unknown column {}: it is ignored", quoted(name));
        let help = match nearest(name, read()) {
            Some(near) => {
                format!(
                    "the nearest that is read is `{near}`; docs/explanation/validation.md lists all"
                )
            }
            None => "docs/explanation/validation.md lists the columns that are read".to_string(),
        };
        Some(Fault::at(span, title).help(help))
    };
    rows.head().filter_map(told).take(FAULTS_MAX).collect()
}

/// Other columns are passed over, but one that is nearly the name of a column that is not there was
/// meant to be it.
fn misspelt(rows: &Rows) -> Vec<Fault> {
    let latencies = LATENCIES.map(|(column, _)| column);
    let known = || NEEDED.iter().chain(&OPTIONAL).chain(&latencies).copied();
    let of = |(name, span): (&str, Range<usize>)| {
        let name = name.to_lowercase();
        if known().any(|known| known == name) {
            return None;
        }
        let missing = known().filter(|known| rows.column(&[*known]).is_none());
        let title = format!("unknown column `{name}`");
        // The same in another unit: p99_ms, min_duration_sec.
        let (base, unit) = time_column(&name);
        let in_unit = |known: &&str| {
            let (other, has_unit) = time_column(known);
            unit.is_some() && has_unit.is_some() && other == base
        };
        if let Some(known) = missing.clone().find(in_unit) {
            let unit = time_column(known).1.map_or("", |(unit, _)| unit);
            let help = format!("write it in {unit}, as `{known}`");
            return Some(Fault::at(span, title).help(help));
        }
        let near = missing
            .map(|known| (strsim::osa_distance(&name, known), known))
            .filter(|(distance, _)| *distance <= 2)
            .min()?;
        Some(Fault::at(span, title).did_you_mean(Some(near.1.to_string())))
    };
    rows.head().filter_map(of).collect()
}

/// One row under way; what is wrong in it is collected.
struct Reading<'r> {
    rows: &'r Rows,
    index: usize,
    faults: &'r mut Vec<Fault>,
}

impl<'r> Reading<'r> {
    /// The cell of a column, unless there is no such column or it is empty.
    fn cell(&self, column: &str) -> Option<Cell<'r>> {
        let cell = self.rows.cell(self.index, self.rows.column(&[column])?).ok()?;
        (!cell.text.is_empty()).then_some(cell)
    }

    fn text(&self, column: &str) -> String {
        self.cell(column).map_or(String::new(), |cell| cell.text.to_string())
    }

    fn number(&mut self, column: &str, keeps: impl Fn(f64) -> bool, allowed: &str) -> Option<f64> {
        let found = self.cell(column)?.number(keeps, allowed);
        found.map_err(|fault| self.faults.push(fault)).ok()
    }

    fn rate(&mut self, column: &str) -> Option<f64> {
        let keeps = |rate: f64| rate > 0.0 && rate <= 1e9;
        self.number(column, keeps, "above 0, at most 1000000000 samples per second")
    }

    fn count(&mut self, column: &str, most: f64) -> Option<u32> {
        let keeps = |count: f64| count >= 1.0 && count.fract() == 0.0 && count <= 1e6;
        let count = self.number(column, keeps, "a whole number, 1 to 1000000")?;
        if count > most {
            let cell = self.cell(column)?;
            let title = format!("`{column}` is \"{count}\"");
            self.faults.push(Fault::at(cell.span, title).allowed(format!("at most {most}")));
            return None;
        }
        Some(count as u32)
    }

    /// LoadGen's least number of queries.
    fn queries(&mut self) -> Option<u64> {
        let whole = |count: f64| count >= 1.0 && count.fract() == 0.0 && count <= 1e12;
        let count = self.number("min_query_count", whole, "a whole number, 1 to 1000000000000")?;
        Some(count as u64)
    }

    /// A span in a unit of `nanos` nanoseconds; logs write 0 where there is none.
    /// Nothing that was measured took less than a microsecond, so such a number is in another unit.
    fn span(&mut self, column: &str, nanos: f64) -> Option<SimDuration> {
        let in_unit = move |value: f64| {
            (0.0..=1e15).contains(&value) && (value == 0.0 || value * nanos >= 1e3)
        };
        let allowed = "0, or from 1 us on, to 1000000000000000 in the unit of the column's name";
        let value = self.number(column, in_unit, allowed)?;
        (value > 0.0).then(|| SimDuration::from_nanos_f64(value * nanos))
    }

    fn flag(&self, column: &str) -> bool {
        self.cell(column).is_some_and(|cell| matches!(cell.text, "1" | "True" | "true"))
    }

    fn run(&mut self, text: &str) -> Option<MeasuredRow> {
        let needed: Vec<Option<Cell<'r>>> = NEEDED.map(|column| self.cell(column)).into();
        let place = self.rows.span(self.index);
        for (column, cell) in NEEDED.iter().zip(&needed) {
            if cell.is_none() {
                self.faults.push(Fault::at(place.clone(), format!("the row has no `{column}`")));
            }
        }
        let gpus = self.count("accelerators_per_node", 64.0);
        let word = needed[4].clone()?;
        let scenario = SCENARIOS.iter().find(|(name, _)| *name == word.text);
        if scenario.is_none() {
            let title =
                format!("`scenario` is \"{}\"", word.text.chars().take(40).collect::<String>());
            let known = SCENARIOS.map(|(name, _)| name).join(", ");
            self.faults.push(Fault::at(word.span.clone(), title).allowed(known));
        }
        let latency = self.latencies();
        let settings = self.settings();
        let (system, submitter) = (self.text("system"), self.text("submitter"));
        let machine = self.cell("machine").map(|cell| cell.text.to_lowercase());
        let machine = machine.unwrap_or_else(|| machine_of(&system));
        let power_limited = match self.rows.column(&["power_limited"]) {
            Some(_) => self.flag("power_limited"),
            None => system.contains("MaxQ"),
        };
        let (gpu, mig) = self.gpu(gpus);
        let run = MeasuredRow {
            line: text[..place.start].matches('\n').count() as u64 + 1,
            round: self.text("round"),
            machine: format!("{submitter} {machine}"),
            submitter,
            system,
            power_limited,
            gpu,
            host: Some(self.text("host")).filter(|host| !host.is_empty()),
            // Counted are cards; what is alike and works beside one another are their instances.
            gpus: gpus? * mig.as_ref().map_or(1, |mig| mig.per_card),
            mig,
            virtualized: self.flag("virtualized"),
            hetero: self.flag("hetero_multi_use"),
            harness: self.text("harness"),
            benchmark: self.text("benchmark"),
            scenario: scenario?.1,
            samples_per_s: self.rate("samples_per_second"),
            scheduled_per_s: self.rate("scheduled_samples_per_second"),
            completed_per_s: self.rate("completed_samples_per_second"),
            target_qps: self.rate("target_qps"),
            target_latency: self.span("target_latency_ns", 1.0),
            latency,
            min_duration: self.span("min_duration_ms", 1e6),
            min_queries: self.queries(),
            settings,
        };
        let slices = self.count("slices", 4096.0).filter(|slices| *slices != run.gpus);
        if let Some(slices) = slices.filter(|_| run.mig.is_some()) {
            let cell = self.cell("slices")?;
            let title = format!(
                "`slices` is {slices}, and the accelerators are {} GPU instances",
                run.gpus
            );
            self.faults.push(Fault::at(cell.span, title));
        }
        Some(run)
    }

    /// The GPU, and what its `cards` were cut into: by the column `mig`, which counts the instances of all
    /// cards, or as submitters write it behind the name, by card: `NVIDIA A30 (4x1g.6gb MIG)`.
    fn gpu(&mut self, cards: Option<u32>) -> (String, Option<MigSlices>) {
        let name = self.text("accelerator_model");
        let behind = name.split_once('(').and_then(|(gpu, inside)| {
            let slices = slices_of(inside.split_whitespace().next()?.trim_end_matches(')'))?;
            Some((gpu.trim().to_string(), slices))
        });
        let (gpu, by_name) = behind.map_or((name, None), |(gpu, mig)| (gpu, Some(mig)));
        // MLPerf's own tables may say there whether MIG is on.
        let is_flag = |text: &str| matches!(text, "0" | "1" | "True" | "False" | "true" | "false");
        let cell = self.cell("mig").filter(|cell| !is_flag(cell.text));
        let Some((cell, cards)) = cell.zip(cards) else { return (gpu, by_name) };
        let all = slices_of(cell.text).or_else(|| slices_of(&format!("{cards}x{}", cell.text)));
        let each = all.filter(|all| all.per_card.is_multiple_of(cards));
        if each.is_none() {
            let title = format!("`mig` is \"{}\"", cell.text);
            let allowed = "the number of GPU instances of all cards, equal for each card, and \
                their profile: \"8x1g.10gb\"";
            self.faults.push(Fault::at(cell.span, title).allowed(allowed));
        }
        (gpu, each.map(|all| MigSlices { per_card: all.per_card / cards, ..all }))
    }

    /// Every latency; a mean that overflowed in the log is none.
    fn latencies(&mut self) -> BTreeMap<&'static str, SimDuration> {
        let wrapped = self.flag("mean_wrapped");
        let mut found = BTreeMap::new();
        for (column, name) in LATENCIES {
            if name == "mean" && wrapped {
                continue;
            }
            if let Some(span) = self.span(column, 1.0) {
                found.insert(name, span);
            }
        }
        let percentiles = ["min", "p50", "p90", "p95", "p97", "p99", "p999", "max"];
        let rising: Vec<_> = percentiles.iter().filter_map(|name| found.get(name)).collect();
        if rising.windows(2).any(|pair| pair[0] > pair[1]) {
            let place = self.rows.span(self.index);
            let title = "the latencies of the row do not rise from min over the percentiles to max";
            self.faults.push(Fault::at(place, title));
        }
        if let Some(span) = self.span("singlestream_p90_ns", 1.0) {
            found.insert("p90", span);
        }
        found
    }

    fn settings(&mut self) -> MeasuredSettings {
        let share = |kept: f64| kept > 0.0 && kept <= 1.0;
        let kept = self.number("soft_drop", share, "above 0, at most 1");
        let of_boards = |watts: f64| (10.0..=10_000.0).contains(&watts);
        let watts = self.number("power_limit_w", of_boards, "10 to 10000 W");
        MeasuredSettings {
            batch: self.count("gpu_batch_size", 1e6),
            copy_streams: self.count("gpu_copy_streams", 1024.0),
            streams: self.count("gpu_inference_streams", 1024.0),
            instances: self.count("instance_group_count", 1024.0),
            timeout: self.span("deque_timeout_usec", 1e3),
            queue_delay: self.span("max_queue_delay_usec", 1e3),
            soft_drop: kept.and_then(Share::new),
            precision: self.text("precision"),
            start_from_device: self.flag("start_from_device"),
            graphs: self.cell("use_graphs").map(|_| self.flag("use_graphs")),
            power_limit: watts.map(Power::from_watts),
        }
    }
}

/// GPU instances as they are written: `4x1g.6gb`.
fn slices_of(text: &str) -> Option<MigSlices> {
    let (count, profile) = text.split_once('x')?;
    let per_card = count.trim().parse().ok().filter(|count| (1..=4096).contains(count))?;
    let (slices, memory) = profile.split_once("g.")?;
    let is_profile =
        slices.parse::<u8>().is_ok() && memory.starts_with(|c: char| c.is_ascii_digit());
    is_profile.then(|| MigSlices { per_card, profile: profile.to_string() })
}

/// The machine by the name of a system, as submitters name theirs: without its harness, power limit, division
/// of MLPerf (the same runs are handed in to both), hypervisor and number of GPUs.
fn machine_of(system: &str) -> String {
    let mut name = system.replace("_vA100", "_A100");
    for division in ["_edge_", "_datacenter_"] {
        name = name.replace(division, "_");
    }
    for ending in ["_HeteroMultiUse", "_Triton", "_MaxQ", "_TRT", "_MaxQ"] {
        name = name.strip_suffix(ending).unwrap_or(&name).to_string();
    }
    let digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = digits.strip_suffix('x').filter(|_| digits.len() < name.len()).unwrap_or(&name);
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_of_a_machine_share_its_name() {
        for system in [
            "R7525_A100-PCIE-40GBx3_TRT",
            "R7525_vA100-PCIE-40GBx3_TRT",
            "R7525_A100-PCIE-40GBx3_TRT_MaxQ",
            "R7525_A100-PCIE-40GBx1_TRT_Triton",
            "R7525_edge_A100-PCIE-40GBx1_TRT",
            "R7525_A100-PCIE-40GBx1_TRT_HeteroMultiUse",
        ] {
            assert_eq!(machine_of(system), "r7525_a100-pcie-40gb");
        }
    }

    /// The shipped rows without the columns `machine`, `power_limited` and `mig`, and with the slices behind
    /// the names of GPUs as submitters write them, are the same rows.
    #[test]
    fn names_say_what_the_columns_say() {
        for file in ["mlperf_inference_v1.1", "mlperf_inference_v2.0_v3.0_nvidia"] {
            let text = std::fs::read_to_string(format!("configs/published/{file}.csv")).unwrap();
            let rows = read(&text).unwrap();
            assert!(
                rows.iter().any(|row| row.mig.is_some())
                    && rows.iter().any(|row| row.power_limited)
            );
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let head = reader.headers().unwrap().clone();
            let is_kept = |at: &usize| !["machine", "power_limited", "mig"].contains(&&head[*at]);
            let mut plain = csv::Writer::from_writer(Vec::new());
            plain.write_record((0..head.len()).filter(is_kept).map(|at| &head[at])).unwrap();
            for (row, cells) in rows.iter().zip(reader.records()) {
                let (cells, name) = (cells.unwrap(), row.accelerator());
                let cell =
                    |at: usize| if &head[at] == "accelerator_model" { &name } else { &cells[at] };
                plain.write_record((0..head.len()).filter(is_kept).map(cell)).unwrap();
            }
            let plain = String::from_utf8(plain.into_inner().unwrap()).unwrap();
            assert!(read(&plain).unwrap() == rows, "{file}");
        }
    }

    const HEAD: &str = "system,accelerator_model,accelerators_per_node,benchmark,scenario,p50_ns,p99_ns,target_qps,mean_ns,mean_wrapped,soft_drop\n";

    #[test]
    fn a_row_is_read_by_the_names_of_its_columns() {
        let text = format!("{HEAD}s,NVIDIA A30,2,bert-99,Server,1000,2000,5.5,7000,1,0.993\n");
        let runs = read(&text).unwrap();
        assert_eq!((runs[0].line, runs[0].gpus, runs[0].target_qps), (2, 2, Some(5.5)));
        assert_eq!(runs[0].latency["p99"], SimDuration::from_nanos(2000));
        assert!(!runs[0].latency.contains_key("mean"), "an overflowed mean is none");
        assert_eq!(runs[0].settings.soft_drop, Share::new(0.993));
    }

    #[test]
    fn a_column_that_is_nearly_one_or_stands_twice_is_told() {
        let head = HEAD.replace("p99_ns", "p99_ms").replace("target_qps", "target_qps,Notes");
        let faults = read(&format!("{head}s,A30,2,bert-99,Server,1000,2000,5.5,,7000,1,0.9\n"));
        let faults = faults.unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].title.contains("`p99_ms`"), "{faults:#?}");
        let head = HEAD.replace("mean_ns", "P50_ns");
        let faults = read(&format!("{head}s,A30,2,bert-99,Server,1000,2000,5.5,7000,1,0.9\n"));
        assert!(faults.unwrap_err()[0].title.contains("twice"));
    }

    #[test]
    fn columns_that_are_not_read_are_told() {
        let head = HEAD.replace("target_qps", "target_qps,Power draw,target_qps_asked,round");
        let row = "s,A30,2,bert-99,Server,1000,2000,5.5,300,7,v1.1,7000,1,0.9\n";
        let (runs, told) = read_with_warnings(&format!("{head}{row}")).unwrap();
        assert_eq!((runs.len(), told.len()), (1, 2), "{told:#?}");
        assert!(told[0].title.contains("\"Power draw\": it is ignored"), "{told:#?}");
        assert!(told[1].help.contains("`target_qps`"), "{told:#?}");
        // Those of MLPerf's own tables need no word.
        for file in ["mlperf_inference_v1.1", "mlperf_inference_v2.0_v3.0_nvidia"] {
            let text = std::fs::read_to_string(format!("configs/published/{file}.csv")).unwrap();
            assert_eq!(read_with_warnings(&text).unwrap().1, []);
        }
    }

    #[test]
    fn columns_win_over_names() {
        let head = HEAD.replace("system,", "system,machine,power_limited,mig,");
        let of = |mig: &str| {
            let row =
                format!("box_MaxQ,Twin,0,{mig},A30 (1x2g.12gb MIG),2,b,Server,1000,2000,5.5,,,\n");
            read(&format!("{head}{row}"))
        };
        let row = of("8x1g.6gb").unwrap().remove(0);
        assert_eq!((row.machine.trim(), row.power_limited), ("twin", false));
        assert_eq!((row.gpus, row.accelerator().as_str()), (8, "A30 (4x1g.6gb MIG)"));
        assert_eq!(of("1g.6gb").unwrap()[0].accelerator(), "A30 (1x1g.6gb MIG)");
        assert_eq!(of("True").unwrap()[0].accelerator(), "A30 (1x2g.12gb MIG)");
        for wrong in ["7x1g.6gb", "1g6gb", "0x1g.6gb"] {
            assert!(of(wrong).unwrap_err()[0].title.contains(wrong));
        }
    }

    #[test]
    fn every_bad_cell_of_a_file_is_told() {
        let text = format!("{HEAD}s,A30,0,bert-99,Servr,2000,1000,-1,,,2\n,A30,1,b,Server,,,,,,\n");
        let faults = read(&text).unwrap_err();
        let titles: Vec<&str> = faults.iter().map(|fault| fault.title.as_str()).collect();
        assert_eq!(titles.len(), 5, "{titles:#?}");
        assert!(titles[1].contains("Servr") && titles[2].contains("do not rise"), "{titles:#?}");
    }
}
