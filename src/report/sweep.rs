//! The files of a sweep: `sweep.csv` and `sweep.jsonl` with one row per point, replication and group
//! of VMs; `sweep.json`, the same rows with all that must be known about them; table and charts.
//!
//! The columns are the same everywhere. A point that could not be simulated is a row with an error.

use super::csv::harmless;
use super::{File, charts, plot, table};
use crate::study::{GroupResult, PointResult, PointRun, SweepResults};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

/// Every file, made in memory. The same results give the same bytes.
pub fn files(results: &SweepResults) -> anyhow::Result<Vec<File>> {
    let rows = rows(results);
    let mut files = vec![
        File::new("sweep.csv", csv_text(&rows)?),
        File::new("sweep.jsonl", json_lines(&rows)?),
        File::new("sweep.json", document_of(results, &rows)?),
        File::new("table.txt", table::render_sweep(results)),
    ];
    files.extend(plot::draw(charts::sweep_figures(results))?);
    Ok(files)
}

/// The rows and all that must be known about them as one JSON document.
pub fn document(results: &SweepResults) -> anyhow::Result<String> {
    document_of(results, &rows(results))
}

/// What stands in a cell.
#[derive(Clone, PartialEq, Debug)]
enum Cell {
    Text(String),
    Number(f64),
    Whole(u64),
    Flag(bool),
    Nothing,
}

/// Cells with the names of their columns; every row has the same names.
struct Row(Vec<(String, Cell)>);

fn rows(results: &SweepResults) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, point) in results.points.iter().enumerate() {
        if point.runs.is_empty() {
            rows.push(row(results, (index, point), None, None));
        }
        for (replication, run) in point.runs.iter().enumerate() {
            for group in &run.groups {
                rows.push(row(results, (index, point), Some((replication, run)), Some(group)));
            }
        }
    }
    rows
}

fn row(
    results: &SweepResults,
    (index, point): (usize, &PointResult),
    run: Option<(usize, &PointRun)>,
    group: Option<&GroupResult>,
) -> Row {
    let mut row = Row(Vec::new());
    row.add("point", Cell::Whole(index as u64));
    row.add("line", Cell::Text(results.sweep.lines[point.line].clone()));
    for (parameter, value) in results.sweep.parameters.iter().zip(&point.values) {
        if parameter.key == "seed" {
            continue; // It has its column below.
        }
        let unit = parameter.unit.map(|unit| format!("_{unit}")).unwrap_or_default();
        let cell = value.number.map_or_else(|| Cell::Text(value.text.clone()), Cell::Number);
        row.add(&format!("{}{unit}", parameter.key), cell);
    }
    row.add("replication", run.map_or(Cell::Nothing, |(number, _)| Cell::Whole(number as u64)));
    row.add("seed", Cell::Whole(point.seed));
    figures(&mut row, run.map(|(_, run)| run), group);
    row.add("error", point.error.clone().map_or(Cell::Nothing, Cell::Text));
    row.add("schema_version", Cell::Whole(u64::from(results.schema_version)));
    row.add("tool", Cell::Text(format!("{} {}", results.tool.name, results.tool.version)));
    row.add("scenario_hash", Cell::Text(results.sweep.hash.clone()));
    row
}

/// What was found out about a group; empty cells for a point that could not be simulated.
fn figures(row: &mut Row, run: Option<&PointRun>, group: Option<&GroupResult>) {
    let mut add = |name: &str, cell: &dyn Fn(&GroupResult) -> Cell| {
        row.add(name, group.map_or(Cell::Nothing, cell));
    };
    add("group", &|group| Cell::Text(group.group.clone()));
    add("workload", &|group| Cell::Text(group.workload.clone()));
    add("scenario", &|group| Cell::Text(group.scenario.clone()));
    add("vms", &|group| Cell::Whole(u64::from(group.vms)));
    add("asked_per_s", &|group| group.asked_per_s.map_or(Cell::Nothing, Cell::Number));
    add("completed_per_s", &|group| Cell::Number(group.completed_per_s));
    add("samples", &|group| Cell::Whole(group.samples));
    add("rejected", &|group| Cell::Whole(group.rejected));
    for name in ["min", "mean", "p50", "p90", "p95", "p97", "p99", "p999", "max"] {
        add(&format!("latency_{name}_ms"), &|group| {
            group.latency_ms.get(name).map_or(Cell::Nothing, Cell::Number)
        });
    }
    add("latency_p99_worst_vm_ms", &|group| Cell::Number(group.latency_p99_worst_vm_ms));
    add("latency_p99_other_idle_ms", &|group| {
        group.latency_p99_other_idle_ms.map_or(Cell::Nothing, Cell::Number)
    });
    for (end, name) in ["low", "high"].into_iter().enumerate() {
        add(&format!("latency_p99_inputs_{name}_ms"), &|group| {
            group.latency_p99_inputs_ms.map_or(Cell::Nothing, |ends| Cell::Number(ends[end]))
        });
    }
    add("latency_p99_more_work_ms", &|group| {
        group.latency_p99_more_work_ms.map_or(Cell::Nothing, Cell::Number)
    });
    add("target_latency_ms", &|group| Cell::Number(group.target_latency_ms));
    add("batch_mean_samples", &|group| Cell::Number(group.batch_mean));
    add("gpu_busy_share", &|_| run.map_or(Cell::Nothing, |run| Cell::Number(run.gpu_busy_share)));
    add("assumes", &|_| {
        let assumes = run.and_then(|run| run.assumes.clone());
        assumes.map_or(Cell::Nothing, Cell::Text)
    });
    add("valid", &|group| Cell::Flag(group.valid));
    add("failed_rules", &|group| Cell::Text(group.failed_rules.join("; ")));
}

impl Row {
    fn add(&mut self, column: &str, cell: Cell) {
        self.0.push((column.to_string(), cell));
    }
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

/// The cell as a spreadsheet reads it; figures that are no number leave it empty.
fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => harmless(text),
        Cell::Number(number) if number.is_finite() => number.to_string(),
        Cell::Whole(number) => number.to_string(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Number(_) | Cell::Nothing => String::new(),
    }
}

fn csv_text(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if let Some(first) = rows.first() {
        writer.write_record(first.0.iter().map(|(column, _)| column))?;
    }
    for row in rows {
        writer.write_record(row.0.iter().map(|(_, cell)| csv_cell(cell)))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn json_lines(rows: &[Row]) -> anyhow::Result<String> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row)?);
        text.push('\n');
    }
    Ok(text)
}

fn document_of(results: &SweepResults, rows: &[Row]) -> anyhow::Result<String> {
    let sweep = &results.sweep;
    let parameters = sweep.parameters.iter();
    let parameters: Vec<_> = parameters
        .map(|parameter| json!({ "key": parameter.key, "unit": parameter.unit }))
        .collect();
    let document = json!({
        "schema_version": results.schema_version,
        "tool": results.tool,
        "seed": sweep.seed,
        "scenario_hash": sweep.hash,
        "scenario": sweep.name,
        "title": sweep.title,
        "replications": sweep.replications,
        "parameters": parameters,
        "lines": sweep.lines,
        "failed_points": results.failed(),
        "notes": results.notes,
        "leans_on": results.leans_on,
    });
    // The rows last, and their columns in the order of the other files.
    let head = serde_json::to_string_pretty(&document)?;
    let head = head.trim_end().trim_end_matches('}').trim_end();
    let lines: Vec<String> = rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(format!("{head},\n  \"rows\": [\n    {}\n  ]\n}}\n", lines.join(",\n    ")))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use serde_json::Value;

    #[test]
    fn csv_and_json_say_the_same() {
        let results = fixture::sweep();
        let rows = rows(&results);
        let bytes = csv_text(&rows).unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let head = reader.headers().unwrap().clone();
        let records: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
        let lines = json_lines(&rows).unwrap();
        let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let document: Value = serde_json::from_str(&document(&results).unwrap()).unwrap();
        assert_eq!(document["rows"].as_array().unwrap(), &lines);
        assert_eq!(document["failed_points"], 1);
        // Two lines of four points, three replications each, and one that could not be.
        assert_eq!((records.len(), lines.len()), (7 * 3 + 1, 7 * 3 + 1));
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
        assert_eq!((&failed["line"], &failed["vm.count"]), (&"MIG slices".into(), &8.0.into()));
        assert!(failed["latency_p99_ms"].is_null());
    }

    #[test]
    fn every_file_is_made_and_the_same_again() {
        let (one, two) = (files(&fixture::sweep()).unwrap(), files(&fixture::sweep()).unwrap());
        let names: Vec<_> = one.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
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
        assert!(one.iter().zip(&two).all(|(one, two)| one.bytes == two.bytes));
    }
}
