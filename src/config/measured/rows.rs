//! Measured runs and the catalogue entries that they need, for a validation.
//!
//! Rows are read in `formats::measured_csv` and used in `study::validate`.

use crate::config::catalogue::entries::HostCards;
use crate::config::catalogue::{Catalogue, published};
use crate::config::text::foreign::parsed;
use crate::config::text::{Diagnostic, LoadError, Problems, source};
use crate::engine::fnv1a;
use crate::formats::measured_csv;
use crate::spec::names::submitted_gpu;
use crate::spec::{HostLink, Hypervisor, MeasuredRow, Workload};
use crate::study::{Train, Validation};
use crate::suggest::{nearest, quoted};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The measured runs that come with the program: MLPerf Inference v1.1, Dell and NVIDIA.
const FIRST: &str = "mlperf_inference_v1.1";

/// Those of later rounds: v2.0 and v3.0, NVIDIA, with MIG slices under Server load.
const LATER: &str = "mlperf_inference_v2.0_v3.0_nvidia";

/// No file of measured runs is longer: 64 MiB.
const BYTES_MAX: u64 = 64 << 20;

/// A user's file for a validation, and the rows that predictions are learnt from.
#[derive(Clone, Copy, Debug)]
pub struct OwnRows<'p> {
    /// The file.
    pub data: &'p Path,
    /// The rows that predictions are learnt from.
    pub train: Train,
}

/// The rows to validate: the user's own, or those of MLPerf v1.1 that come with the program, which
/// are then predicted from one another.
pub fn validation(
    own: Option<OwnRows<'_>>,
    catalogue: &Catalogue,
    queries: u64,
    fit_queries: u64,
) -> Result<Validation, LoadError> {
    let limits = [queries, fit_queries];
    let Some(OwnRows { data, train }) = own else {
        let (rows, text) = shipped(FIRST);
        return Ok(of_rows(rows, text.to_string(), catalogue, limits));
    };
    let problems = Problems::default();
    let file = source::read_up_to(data, BYTES_MAX, &problems).map_err(LoadError::World)?;
    let Some(file) = file else { return Err(invalid(problems)) };
    let Some((mut rows, ignored)) = parsed(&file, measured_csv::read_with_warnings, &problems)
    else {
        return Err(invalid(problems));
    };
    ignored.into_iter().for_each(|fault| problems.warn(Diagnostic::of_fault(&file, fault)));
    let judged = rows.len();
    name_gpus(&mut rows, &file.path, catalogue, &problems);
    forget_hosts(&mut rows, &file.path, catalogue, &problems);
    // An Offline run among those that come with the program may be a given row's twin, whatever teaches.
    let mut text = format!("{}{train:?}", file.text);
    for (others, of_others) in [shipped(FIRST), shipped(LATER)] {
        rows.extend(others);
        text += of_others;
    }
    let input = of_rows(rows, text, catalogue, limits);
    Ok(Validation { judged, train, warnings: problems.warnings(), ..input })
}

/// The later runs that come with the program: MLPerf v2.0 and v3.0, predicted from one another.
pub fn later_validation(catalogue: &Catalogue, queries: u64, fit_queries: u64) -> Validation {
    let (rows, text) = shipped(LATER);
    of_rows(rows, text.to_string(), catalogue, [queries, fit_queries])
}

fn invalid(problems: Problems) -> LoadError {
    LoadError::Invalid(problems.into_error().expect("faults were reported"))
}

/// The rows of a file that comes with the program, and its text.
fn shipped(name: &str) -> (Vec<MeasuredRow>, &'static str) {
    let text = published(name);
    (measured_csv::read(text).expect("a test reads the shipped rows"), text)
}

/// Gives the GPUs of rows the vendor's name by which the catalogue has them. A name that it does not know,
/// or that may be several, is left and told: its rows are skipped.
fn name_gpus(rows: &mut [MeasuredRow], path: &str, catalogue: &Catalogue, problems: &Problems) {
    let mut untold: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for run in rows {
        // What stands in parentheses is a remark.
        let name = run.gpu.split('(').next().unwrap_or_default().trim().to_string();
        let known = catalogue.gpus().map(|gpu| (gpu.id.as_str(), gpu.name.as_str()));
        match submitted_gpu(known, &name) {
            Ok(id) => {
                run.gpu.clone_from(&catalogue.gpu(id).expect("it is the catalogue's").name);
            }
            Err(meant) => {
                let told = || match &meant[..] {
                    [] => "`slicewise list gpus` prints the known ones".to_string(),
                    several => format!("it may be {}", several.join(", ")),
                };
                untold.entry(name).or_insert_with(|| (0, told())).0 += 1;
            }
        }
    }
    for (name, (count, told)) in untold {
        let rows =
            if count == 1 { "its row is".to_string() } else { format!("its {count} rows are") };
        let title = format!("no GPU of the catalogue is {}: {rows} skipped", quoted(&name));
        problems.warn(Diagnostic::about(path, None, title).help(told));
    }
}

/// Of hosts that the catalogue does not know the rows are judged as if they named none, and that is told.
fn forget_hosts(rows: &mut [MeasuredRow], path: &str, catalogue: &Catalogue, problems: &Problems) {
    let is_unknown = |host: &mut String| !catalogue.hosts.contains_key(host);
    let unknown: BTreeSet<String> =
        rows.iter_mut().filter_map(|run| run.host.take_if(is_unknown)).collect();
    for host in unknown {
        let title = format!(
            "no host of the catalogue is {}: each of its cards is assumed to have its own link",
            quoted(&host)
        );
        let help = match nearest(&host, catalogue.hosts.keys().map(String::as_str)) {
            Some(near) => format!("the nearest is {near}; `slicewise list hosts` prints all"),
            None => "`slicewise list hosts` prints the known ones".to_string(),
        };
        problems.warn(Diagnostic::about(path, None, title).help(help));
    }
}

/// How the cards of the hosts that rows name are attached.
fn links(rows: &[MeasuredRow], catalogue: &Catalogue) -> BTreeMap<String, Vec<HostLink>> {
    let hosts = rows.iter().filter_map(|run| catalogue.hosts.get_key_value(run.host.as_ref()?));
    let links = hosts.map(|(id, host)| {
        let cards = host.gpus.iter();
        let of_card =
            |cards: &HostCards| std::iter::repeat_n(cards.link.clone(), cards.count as usize);
        (id.clone(), cards.flat_map(of_card).collect())
    });
    links.collect()
}

fn of_rows(
    rows: Vec<MeasuredRow>,
    text: String,
    catalogue: &Catalogue,
    [queries, fit_queries]: [u64; 2],
) -> Validation {
    let gpus = catalogue.gpus().map(|gpu| {
        let name = gpu.name.to_lowercase();
        (name.strip_prefix("nvidia ").unwrap_or(&name).to_string(), gpu.clone())
    });
    let known = catalogue.harnesses.values().flat_map(|harness| harness.benchmarks.keys());
    let workloads = known.filter_map(|id| Some((id.clone(), catalogue.workload(id)?.clone())));
    let workloads: BTreeMap<_, _> = workloads.collect();
    let platform = |id: &str| -> Hypervisor {
        catalogue.hypervisors.get(id).expect("the catalogue has both platforms").clone()
    };
    let hash = hash(&rows, &text, &workloads, catalogue);
    let links = links(&rows, catalogue);
    Validation {
        judged: rows.len(),
        train: Train::Both,
        rows,
        gpus: gpus.collect(),
        workloads,
        harnesses: catalogue.harnesses.values().cloned().collect(),
        links,
        hypervisor: platform("vsphere-7.0u2"),
        bare_metal: platform("bare-metal"),
        queries,
        fit_queries,
        hash,
        warnings: Vec::new(),
    }
}

/// A hash of the rows and of the entries of the catalogue that they use.
fn hash(
    rows: &[MeasuredRow],
    text: &str,
    workloads: &BTreeMap<String, Workload>,
    catalogue: &Catalogue,
) -> String {
    let gpus: BTreeSet<String> = rows.iter().map(|run| format!("gpus/{}", run.gpu_id())).collect();
    let workloads = workloads.keys().map(|id| format!("workloads/{id}"));
    let harnesses = catalogue.harnesses.keys().map(|id| format!("harnesses/{id}"));
    let platforms = ["vsphere-7.0u2", "bare-metal"].map(|id| format!("hypervisors/{id}"));
    let hosts: BTreeSet<String> =
        rows.iter().filter_map(|run| Some(format!("hosts/{}", run.host.as_ref()?))).collect();
    let mut bytes = text.as_bytes().to_vec();
    for entry in gpus.into_iter().chain(workloads).chain(platforms).chain(hosts).chain(harnesses) {
        bytes.extend_from_slice(catalogue.show(&entry).unwrap_or_default().as_bytes());
    }
    format!("{:016x}", fnv1a(&bytes))
}
