//! The files of a sweep: `sweep.csv` and `sweep.jsonl` with one row per point, replication and group
//! of VMs; `sweep.json`, the same rows with all that must be known about them; table and charts.
//!
//! The columns are the same everywhere. A point that could not be simulated is a row with an error,
//! one that is declared not applicable is a row that states it. Rows are written as they come,
//! never kept in memory.

use super::folder::Folder;
use super::html::{Made, WebPage};
use super::sheet::{Cell, Row};
use super::width::Width;
use super::{charts, plot, table, tokens, written};
use crate::spec::Sweep;
use crate::study::{
    GroupResult, LatencyMs, PointRow, PointRun, SCHEMA_VERSION, SweepResults, Tool,
};
use anyhow::Context;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};

/// The document with all rows.
pub const DOCUMENT: &str = "sweep.json";

const LINES: &str = "sweep.jsonl";
const TABLE: &str = "sweep.csv";

/// The unfinished files of a sweep.
pub struct SweepFiles<'f> {
    folder: &'f Folder,
    sweep: &'f Sweep,
    csv: csv::Writer<BufWriter<fs::File>>,
    lines: BufWriter<fs::File>,
    has_head: bool,
}

impl<'f> SweepFiles<'f> {
    /// Begins the files of rows.
    pub fn begin(folder: &'f Folder, sweep: &'f Sweep) -> anyhow::Result<Self> {
        let csv = folder.create(TABLE)?;
        let csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(csv);
        let lines = folder.create(LINES)?;
        Ok(Self { folder, sweep, csv, lines, has_head: false })
    }

    /// Adds a run of a point: a row for each group of VMs.
    pub fn add(&mut self, found: &PointRow<'_>) -> anyhow::Result<()> {
        match found.run {
            None => self.write(row(self.sweep, found, None)),
            Some((_, run)) => run
                .groups
                .iter()
                .try_for_each(|group| self.write(row(self.sweep, found, Some(group)))),
        }
    }

    fn write(&mut self, row: Row) -> anyhow::Result<()> {
        let cannot = || format!("cannot write into {}", self.folder.path().display());
        if !self.has_head {
            self.csv.write_record(row.0.iter().map(|(column, _)| column)).with_context(cannot)?;
            self.has_head = true;
        }
        self.csv.write_record(row.0.iter().map(|(_, cell)| cell.written())).with_context(cannot)?;
        self.lines.write_all(written::line(&row)?.as_bytes()).with_context(cannot)?;
        self.lines.write_all(b"\n").with_context(cannot)
    }

    /// Writes the files that need all rows, and a page if it is told how it is made. Returns the names of all files, in the order in which
    /// they are reported.
    pub fn finish(
        self,
        results: &SweepResults,
        made: Option<&Made>,
    ) -> anyhow::Result<Vec<String>> {
        let Self { folder, mut csv, mut lines, .. } = self;
        let cannot = || format!("cannot write into {}", folder.path().display());
        csv.flush().and_then(|()| lines.flush()).with_context(cannot)?;
        drop((csv, lines));
        let mut names = [TABLE, LINES, DOCUMENT].map(str::to_string).to_vec();
        let rows = BufReader::new(folder.read_back(LINES)?);
        write_document(results, rows, folder.create(DOCUMENT)?).with_context(cannot)?;
        let mut keep = |name: &str, bytes: &[u8]| {
            names.push(name.to_string());
            let mut file = folder.create(name)?;
            file.write_all(bytes).and_then(|()| file.flush()).with_context(cannot)
        };
        keep("table.txt", table::render_sweep(results, Width::FILE.with_each(true)).as_bytes())?;
        plot::draw_each(charts::sweep_figures(results), |file| keep(&file.name, &file.bytes))?;
        if let Some(made) = made {
            let page = results.web_page(made)?;
            keep(&page.name, &page.bytes)?;
        }
        Ok(names)
    }
}

fn row(sweep: &Sweep, found: &PointRow<'_>, group: Option<&GroupResult>) -> Row {
    let (point, run) = (found.point, found.run);
    let mut row = Row::default();
    row.add("point", found.index);
    row.add("line", &sweep.lines[point.line]);
    for (parameter, value) in sweep.parameters.iter().zip(&point.values) {
        if parameter.key == "seed" {
            continue; // It has its column below.
        }
        let unit = parameter.unit.map(|unit| format!("_{unit}")).unwrap_or_default();
        let cell = value.number.map_or_else(|| Cell::Text(value.text.clone()), Cell::Number);
        row.add(format!("{}{unit}", parameter.key), cell);
    }
    row.add("replication", run.map(|(number, _)| number));
    row.add("seed", found.seed);
    if sweep.has_several_models {
        row.add("gpu_models", group.map(|group| group.gpu_models.join("; ")));
    }
    if sweep.has_scaled_times {
        row.add("scaled", group.map(|group| group.scaled.join("; ")));
    }
    figures(&mut row, run.map(|(_, run)| run), group);
    if sweep.serves_llms {
        let tokens = group.and_then(|group| group.tokens.as_ref());
        let spread = group.and_then(|group| group.tokens_inputs.as_ref());
        tokens::cells(&mut row, tokens, spread);
    }
    if sweep.has_operations {
        row.add("lost", group.and_then(|group| group.lost));
    }
    if sweep.tells_watts {
        // Of the whole run, as above.
        let run = run.map(|(_, run)| run).filter(|_| group.is_some());
        row.add("mean_w", run.and_then(|run| run.mean_w));
        row.add("joule_per_sample", run.and_then(|run| run.joule_per_sample));
    }
    if sweep.shares_processors {
        row.add("ready_percent", group.and_then(|group| group.ready_percent));
    }
    row.add("error", found.error);
    row.add("not_applicable", point.not_applicable.as_ref());
    row.add("schema_version", SCHEMA_VERSION);
    row.add("tool", format!("{} {}", Tool::THIS.name, Tool::THIS.version));
    row.add("scenario_hash", &sweep.hash);
    row
}

/// What was found out about a group; empty cells for a point that could not be simulated.
fn figures(row: &mut Row, run: Option<&PointRun>, group: Option<&GroupResult>) {
    row.add("group", group.map(|group| &group.group));
    row.add("workload", group.map(|group| &group.workload));
    row.add("scenario", group.map(|group| &group.scenario));
    row.add("vms", group.map(|group| group.vms));
    row.add("asked_per_s", group.and_then(|group| group.asked_per_s));
    row.add("completed_per_s", group.map(|group| group.completed_per_s));
    row.add("samples", group.map(|group| group.samples));
    row.add("rejected", group.map(|group| group.rejected));
    for name in LatencyMs::NAMES {
        let latency = group.and_then(|group| group.latency_ms.get(name));
        row.add(format!("latency_{name}_ms"), latency);
    }
    row.add("latency_p99_worst_vm_ms", group.map(|group| group.latency_p99_worst_vm_ms));
    let other_idle = group.and_then(|group| group.latency_p99_other_idle_ms);
    row.add("latency_p99_other_idle_ms", other_idle);
    for (end, name) in ["low", "high"].into_iter().enumerate() {
        let rates = group.and_then(|group| group.completed_per_s_inputs);
        row.add(format!("completed_per_s_inputs_{name}"), rates.map(|ends| ends[end]));
    }
    for (end, name) in ["low", "high"].into_iter().enumerate() {
        let latencies = group.and_then(|group| group.latency_p99_inputs_ms);
        row.add(format!("latency_p99_inputs_{name}_ms"), latencies.map(|ends| ends[end]));
    }
    let more_work = group.and_then(|group| group.latency_p99_more_work_ms);
    row.add("latency_p99_more_work_ms", more_work);
    row.add("target_latency_ms", group.map(|group| group.target_latency_ms));
    row.add("batch_mean_samples", group.map(|group| group.batch_mean));
    // What is of the whole run stands beside each of its groups.
    let run = run.filter(|_| group.is_some());
    row.add("gpu_busy_share", run.map(|run| run.gpu_busy_share));
    row.add("assumes", run.and_then(|run| run.assumes.as_ref()));
    row.add("valid", group.map(|group| group.valid));
    row.add("failed_rules", group.map(|group| group.failed_rules.join("; ")));
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, cell) in &self.0 {
            match cell {
                Cell::Text(text) => map.serialize_entry(column, text)?,
                Cell::Number(number) => map.serialize_entry(column, number)?,
                Cell::Whole(number) => map.serialize_entry(column, number)?,
                Cell::Flag(flag) => map.serialize_entry(column, flag)?,
                Cell::Nothing => map.serialize_entry(column, &())?,
            }
        }
        map.end()
    }
}

/// The document: all that must be known, and the rows last, their columns in the order of the other
/// files; they are copied from the lines.
fn write_document(
    results: &SweepResults,
    rows: impl BufRead,
    mut document: impl Write,
) -> anyhow::Result<()> {
    let (of, sweep) = (&results.head, &results.sweep);
    let parameters = sweep.parameters.iter();
    let parameters: Vec<_> = parameters
        .map(|parameter| json!({ "key": parameter.key, "unit": parameter.unit }))
        .collect();
    let mut head = json!({
        "schema_version": of.schema_version,
        "tool": of.tool,
        "seed": of.seed,
        "scenario_hash": of.scenario_hash,
        "scenario": of.scenario,
        "title": of.title,
        "replications": sweep.replications,
        "parameters": parameters,
        "lines": sweep.lines,
        "failed_points": results.failed(),
        "not_applicable_points": sweep.not_applicable(),
        "notes": results.notes,
        "leans_on": results.leans_on,
    });
    if !results.scaled.is_empty() {
        head["scaled"] = json!(results.scaled);
    }
    let head = written::document(&head)?;
    let head = head.trim_end().trim_end_matches('}').trim_end();
    write!(document, "{head},\n  \"rows\": [")?;
    let mut between = "\n    ";
    for row in rows.split(b'\n') {
        document.write_all(between.as_bytes())?;
        document.write_all(&row?)?;
        between = ",\n    ";
    }
    document.write_all(b"\n  ]\n}\n")?;
    Ok(document.flush()?)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::folder::Maker;
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeMap;

    /// The files of the fixture's sweep by name, and their names as they are told.
    fn files() -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("out"), Maker::Sweep, false).unwrap();
        let results = fixture::sweep();
        let mut files = SweepFiles::begin(&folder, &results.sweep).unwrap();
        fixture::sweep_rows(&results.sweep, &["vm"], &mut |row| files.add(&row).unwrap());
        let names = files.finish(&results, None).unwrap();
        folder.commit().unwrap();
        let read = |name: &String| (name.clone(), fs::read(folder.path().join(name)).unwrap());
        (names.iter().map(read).collect(), names)
    }

    #[test]
    fn csv_and_json_say_the_same() {
        let (files, _) = files();
        let mut reader = csv::Reader::from_reader(files["sweep.csv"].as_slice());
        let head = reader.headers().unwrap().clone();
        let records: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
        let lines = std::str::from_utf8(&files["sweep.jsonl"]).unwrap();
        let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let document: Value = serde_json::from_slice(&files["sweep.json"]).unwrap();
        assert_eq!(document["rows"].as_array().unwrap(), &lines);
        assert_eq!(
            (&document["failed_points"], &document["not_applicable_points"]),
            (&1.into(), &1.into())
        );
        // Two lines of four points, three replications each, but for one that could not be and one
        // that is none.
        assert_eq!((records.len(), lines.len()), (6 * 3 + 2, 6 * 3 + 2));
        for (record, line) in records.iter().zip(&lines) {
            assert_eq!(head.len(), line.as_object().unwrap().len());
            for (column, cell) in head.iter().zip(record) {
                let same = match &line[column] {
                    Value::Null => cell.is_empty(),
                    Value::String(text) => cell == text,
                    Value::Number(number) => {
                        cell.parse::<f64>().unwrap() == number.as_f64().unwrap()
                    }
                    Value::Bool(flag) => cell.parse() == Ok(*flag),
                    other => panic!("{other} in a row"),
                };
                assert!(same, "{column}: {cell} and {}", line[column]);
            }
        }
        let failed = lines.iter().find(|line| !line["error"].is_null()).unwrap();
        assert_eq!((&failed["line"], &failed["vm.count"]), (&"MIG slices".into(), &8.into()));
        assert!(failed["latency_p99_ms"].is_null());
        let none = lines.iter().find(|line| !line["not_applicable"].is_null()).unwrap();
        assert_eq!((&none["vm.count"], &none["error"]), (&4.into(), &Value::Null));
    }

    #[test]
    fn every_file_is_made_and_the_same_again() {
        let (one, two) = (files(), files());
        assert_eq!(
            one.1,
            [
                "sweep.csv",
                "sweep.jsonl",
                "sweep.json",
                "table.txt",
                "latency.svg",
                "latency.png",
                "throughput.svg",
                "throughput.png"
            ]
        );
        assert!(one == two);
    }
}
