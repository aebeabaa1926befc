//! `result.json`: the whole document, as the contract in `study` shapes it.
//!
//! It adds, drops and renames nothing.

use super::{File, Format, written};
use crate::study::Results;

/// The format's entry in the table.
pub(super) const FORMAT: Format = Format {
    name: "json",
    about: "the whole result document",
    files: |results| Ok(vec![file(results)?]),
};

fn file(results: &Results) -> anyhow::Result<File> {
    Ok(File::new("result.json", document(results)?))
}

/// The document as indented JSON, its last line ended. Figures that are no number become `null`.
pub fn document(results: &Results) -> anyhow::Result<String> {
    written::document(results)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use serde_json::Value;

    #[track_caller]
    fn check_keys(value: &Value, keys: &[&str]) {
        for key in keys {
            assert!(value.get(key).is_some(), "`{key}` is missing in {value}");
        }
    }

    #[test]
    fn the_document_has_every_key_of_the_contract() {
        let value: Value = serde_json::from_str(&document(&fixture::pairs()).unwrap()).unwrap();
        check_keys(
            &value,
            &["schema_version", "tool", "seed", "scenario_hash", "runs", "comparisons"],
        );
        check_keys(&value["tool"], &["name", "version"]);
        let run = &value["runs"][2];
        check_keys(run, &["name", "side", "platform", "vms", "gpus"]);
        assert_eq!((&run["side"], &run["name"]), (&"virtual".into(), &"bert-99-server".into()));
        check_keys(&run["gpus"][0], &["id", "model", "busy_share"]);
        let vm = &run["vms"][0];
        check_keys(vm, &["name", "workload", "scenario", "target_qps", "queries", "samples"]);
        check_keys(vm, &["scheduled_per_s", "completed_per_s", "capacity_qps", "latency_ms"]);
        check_keys(vm, &["verdict", "published"]);
        let latencies = ["min", "mean", "p50", "p90", "p95", "p97", "p99", "p999", "max"];
        check_keys(&vm["latency_ms"], &latencies);
        check_keys(&vm["verdict"], &["valid", "failed_rules"]);
        check_keys(&vm["published"], &["completed_per_s", "latency_ms", "source"]);
        check_keys(&vm["published"]["latency_ms"], &latencies);
        check_keys(&value["comparisons"][0], &["name", "capacity_ratio", "published_ratio"]);
    }
}
