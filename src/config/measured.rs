//! Measured runs and what of the catalogue they need, for a validation.
//!
//! How rows are read is in `formats::measured_csv`; what they say is asked in `study::validate`.

use super::catalogue::Catalogue;
use super::diagnostic::{Diagnostic, Problems, SourceFile};
use super::foreign::parsed;
use super::{LoadError, source};
use crate::engine::fnv1a;
use crate::formats::measured_csv;
use crate::spec::{Hypervisor, MeasuredRow};
use crate::study::Validation;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The measured runs that come with the program: MLPerf Inference v1.1, Dell and NVIDIA.
const PUBLISHED: &str = include_str!("../../tests/published/mlperf_inference_v1.1.csv");

/// Those of later rounds: v2.0 and v3.0, NVIDIA, with MIG slices under Server load.
const LATER: &str = include_str!("../../tests/published/mlperf_inference_v2.0_v3.0_nvidia.csv");

/// No file of measured runs is longer: 64 MiB.
const BYTES_MAX: u64 = 64 << 20;

/// The benchmarks whose harness is known in the Server scenario; each is a workload.
const BENCHMARKS: [&str; 4] = ["bert-99", "bert-99.9", "ssd-resnet34", "resnet50"];

/// What to validate: the rows of `data`, or those that come with the program.
pub fn validation(
    data: Option<&Path>,
    catalogue: &Catalogue,
    queries: u64,
    fit_queries: u64,
) -> Result<Validation, LoadError> {
    let problems = Problems::default();
    let file = match data {
        Some(path) => source::read_up_to(path, BYTES_MAX, &problems).map_err(LoadError::World)?,
        None => Some(Arc::new(SourceFile::new("mlperf_inference_v1.1.csv", PUBLISHED))),
    };
    let Some(file) = file else { return Err(invalid(problems)) };
    of_file(&file, problems, catalogue, queries, fit_queries)
}

/// The same of the later runs that come with the program.
pub fn later_validation(
    catalogue: &Catalogue,
    queries: u64,
    fit_queries: u64,
) -> Result<Validation, LoadError> {
    let file = Arc::new(SourceFile::new("mlperf_inference_v2.0_v3.0_nvidia.csv", LATER));
    of_file(&file, Problems::default(), catalogue, queries, fit_queries)
}

fn invalid(problems: Problems) -> LoadError {
    LoadError::Invalid(problems.into_error().expect("faults were reported"))
}

fn of_file(
    file: &Arc<SourceFile>,
    problems: Problems,
    catalogue: &Catalogue,
    queries: u64,
    fit_queries: u64,
) -> Result<Validation, LoadError> {
    let Some((rows, ignored)) = parsed(file, measured_csv::read_told, &problems) else {
        return Err(invalid(problems));
    };
    ignored.into_iter().for_each(|fault| problems.warn(Diagnostic::of_fault(file, fault)));
    let gpus = catalogue.gpus().map(|gpu| {
        let name = gpu.name.to_lowercase();
        (name.strip_prefix("nvidia ").unwrap_or(&name).to_string(), gpu.clone())
    });
    let workloads = BENCHMARKS
        .iter()
        .filter_map(|&id| Some((id.to_string(), catalogue.workloads.get(id)?.spec.clone())));
    let platform = |id: &str| -> Hypervisor {
        catalogue.hypervisors.get(id).expect("the catalogue has both platforms").clone()
    };
    let hash = hash(&rows, &file.text, catalogue);
    Ok(Validation {
        rows,
        gpus: gpus.collect(),
        workloads: workloads.collect(),
        hypervisor: platform("vsphere-7.0u2"),
        bare_metal: platform("bare-metal"),
        queries,
        fit_queries,
        hash,
        warnings: problems.warnings(),
    })
}

/// A hash of the rows and of the entries of the catalogue that they use.
fn hash(rows: &[MeasuredRow], text: &str, catalogue: &Catalogue) -> String {
    let gpus: BTreeSet<String> = rows.iter().map(|run| format!("gpus/{}", run.gpu_id())).collect();
    let workloads = BENCHMARKS.iter().map(|id| format!("workloads/{id}"));
    let platforms = ["vsphere-7.0u2", "bare-metal"].map(|id| format!("hypervisors/{id}"));
    let mut bytes = text.as_bytes().to_vec();
    for entry in gpus.into_iter().chain(workloads).chain(platforms) {
        bytes.extend_from_slice(catalogue.show(&entry).unwrap_or_default().as_bytes());
    }
    format!("{:016x}", fnv1a(&bytes))
}
