//! A calibration file: measurements with their settings, and the workload to make from them.
//!
//! Figures that contradict each other are refused in `measurements`; the fit is made in `study`.

use super::agreement;
use super::context::Context;
use super::measurements::Measurements;
use super::run::ReadRun;
use crate::config::catalogue::entries::WorkloadFile;
use crate::config::catalogue::{find, find_gpu};
use crate::config::scenario::{LoadOptions, hash};
use crate::config::text::value::Quantity;
use crate::config::text::{
    Diagnostic, LoadError, Problems, Reader, SourceFile, Spot, Value, source,
};
use crate::formats::recognise;
use crate::spec::{
    CpuWork, Fact, PRESETS, PhiTable, Precision, ServiceTime, SizeDistribution, Standing,
    WorkTable, Workload, usual_energy_once,
};
use crate::study::{BatchTime, CalibrationPlan, FitParameter, ParameterKind, Proposal, Wish};
use crate::units::{Bytes, Share, SimDuration};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// By how much the work of a batch differs between machines with one GPU, once their own Offline rates
/// are allowed for, where a calibration has more than one machine: its relative standard deviation.
const MACHINES_DIFFER: f64 = 0.02;

/// Where that is from.
const DIFFER: &str = "slicewise validate: of the Server rows of MLPerf Inference v1.1, the factor on work that meets p99 scatters by 1.7 to 2.7 % from machine to machine for BERT and SSD-ResNet34";

/// So many queries of a run are simulated for each candidate, unless the file says otherwise.
const QUERIES: u64 = 500_000;

/// Reads a calibration file.
pub fn load_calibration(path: &Path, options: &LoadOptions) -> Result<CalibrationPlan, LoadError> {
    let problems = Problems::default();
    let file = source::read(path, &problems).map_err(LoadError::World)?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let plan = match file {
        Some(file) => read(&file, folder, options, &problems).map_err(LoadError::World)?,
        None => None,
    };
    finished(plan, problems)
}

/// Reads the command line's statements, written as a calibration file; paths are relative to the
/// current folder.
pub fn calibration_of(text: String, options: &LoadOptions) -> Result<CalibrationPlan, LoadError> {
    let problems = Problems::default();
    let file = Arc::new(SourceFile::new("the command line", text));
    let plan = read(&file, PathBuf::new(), options, &problems).map_err(LoadError::World)?;
    finished(plan, problems)
}

/// The workload that a file of the catalogue's form holds, with its usual preset; nothing where there is
/// no such file.
pub fn existing_workload(path: &Path) -> Result<Option<(Workload, String)>, LoadError> {
    if !path.exists() {
        return Ok(None);
    }
    let problems = Problems::default();
    let file = source::read(path, &problems).map_err(LoadError::World)?;
    let id = path.file_stem().map(|stem| stem.to_string_lossy().to_string()).unwrap_or_default();
    let found = file.and_then(|file| {
        let tree = source::parse(&file, &problems)?;
        crate::config::catalogue::entries::workload(&id, Reader::new(&file, &tree, &problems))
    });
    match (found, problems.into_error()) {
        (Some(found), None) => Ok(Some((found.spec, found.usual_preset))),
        (_, all) => Err(LoadError::Invalid(all.unwrap_or_default())),
    }
}

fn finished(
    plan: Option<CalibrationPlan>,
    problems: Problems,
) -> Result<CalibrationPlan, LoadError> {
    match (plan, problems.into_error()) {
        (Some(plan), None) => Ok(plan),
        (_, all) => Err(LoadError::Invalid(all.unwrap_or_default())),
    }
}

fn read(
    file: &Arc<SourceFile>,
    folder: PathBuf,
    options: &LoadOptions,
    problems: &Problems,
) -> anyhow::Result<Option<CalibrationPlan>> {
    let Some(tree) = source::parse(file, problems) else { return Ok(None) };
    if !source::is_of_kind(file, &tree, recognise::CALIBRATION, problems) {
        return Ok(None);
    }
    let catalogue = &options.catalogue;
    let mut top = Reader::new(file, &tree, problems);
    let name = top.need("name", "name the workload to make, such as name = \"my-model\"");
    let name = name.and_then(|value| id_of(&value));
    let title = top.get("title").and_then(|value| value.text().map(str::to_string));
    let gpu = top.need("gpu", "name the GPU that was measured, such as gpu = \"a100-pcie-40gb\"");
    let gpu = gpu.and_then(|value| find_gpu(&value, catalogue)).map(|gpu| &gpu.spec);
    let base = top.get("base").map(|value| find(&value, "workload", &catalogue.workloads));
    let base_id = base.flatten().map(|base| base.spec.id.clone());
    let seed = top.get("seed").and_then(|value| value.whole(0..=u64::MAX, ""));
    let frame = frame(&mut top, base.flatten(), name.as_deref().unwrap_or("workload"));
    let wishes = top.table("fit").map(|table| fit(table, problems)).unwrap_or_default();
    let (Some(gpu), Some(mut frame)) = (gpu, frame) else {
        // Without GPU or workload nothing else can be judged.
        ["times", "run"].iter().for_each(|key| drop(top.get(key)));
        top.finish();
        return Ok(None);
    };
    let has_base = frame.spec.service.contains_key(&gpu.id);
    frame.spec.service.entry(gpu.id.clone()).or_insert_with(unknown_service);
    let context = Context { catalogue, problems, folder, gpu, workload: frame };
    let Some(measured) = Measurements::read(&mut top, &context)? else {
        top.finish();
        return Ok(None);
    };
    let spot = top.spot();
    top.finish();
    agreement::check(&measured, problems);
    let enqueue_ms = measured.enqueue_ms();
    let named = measured.machines();
    let Measurements { times, runs, files, hypervisors, notes: of_machines, alarms, .. } = measured;
    let (fitted, checks): (Vec<_>, Vec<_>) = runs.into_iter().partition(|read| read.is_fitted);
    let own = |runs: Vec<ReadRun>| runs.into_iter().map(|read| read.run).collect::<Vec<_>>();
    let (runs, checks) = (own(fitted), own(checks));
    if runs.is_empty() && times.is_empty() {
        let help = match checks.is_empty() {
            true => "write [[times]] with batch times, or [[run]] with a measured run",
            false => {
                "runs with check = true are only compared: write [[times]], or a [[run]] to fit"
            }
        };
        problems.push(Diagnostic::at(&spot, "nothing was measured").help(help));
    }
    let Some(name) = name.filter(|_| !problems.any()) else { return Ok(None) };
    let WorkloadFile { spec: mut workload, usual_preset } = context.workload;
    if let Some(ms) = enqueue_ms.filter(|_| !has_base) {
        let service = workload.service.get_mut(&gpu.id).expect("it was put there");
        let source = "trtexec: median time to put a batch into the GPU's queue";
        service.host_floor = Fact::assumed(SimDuration::from_nanos_f64(ms * 1e6), source);
        service.host_floor.standing = Standing::Measured;
    }
    let service = workload.service.get_mut(&gpu.id).expect("it was put there");
    match wishes.machines {
        Some(differ) if differ == Share::NONE => service.machines = None,
        Some(differ) => service.machines = Some(Fact::assumed(differ, STATED)),
        // Those of runs in the fit are named first.
        None if runs.iter().any(|run| run.machine > 0) && service.machines.is_none() => {
            service.machines =
                Some(Fact::assumed(Share::new(MACHINES_DIFFER).expect("a share"), DIFFER));
        }
        None => {}
    }
    let proposal = Proposal {
        workload: &workload,
        gpu: &gpu.id,
        has_base,
        times: &times,
        runs: &runs,
        work_at: wishes.work_at,
        phi_at: wishes.phi_at,
        wishes: wishes.of.clone(),
    };
    let parameters = proposal.parameters();
    let tells_phi =
        parameters.iter().any(|one| matches!(one.kind, ParameterKind::Phi(_)) && !one.is_held);
    let service = workload.service.get_mut(&gpu.id).expect("it was put there");
    if !tells_phi {
        service.phi = phi_of_nobody(&service.phi, &parameters, wishes.phi);
    }
    if let Some(spread) = scatter(&times) {
        service.spread.range = Some([
            Share::NONE,
            if spread < service.spread.value { service.spread.value } else { spread },
        ]);
    }
    let speeds = parameters.iter().filter_map(|parameter| match parameter.kind {
        ParameterKind::Machine(at) => Some(format!(
            "{} is {}: its speed under Server load relative to the speed by its Offline rate, 1 \
             if it has none",
            parameter.kind.name(),
            named[at]
        )),
        _ => None,
    });
    let speeds: Vec<String> = speeds.collect();
    let mut all = vec![("calibration.toml".to_string(), file.clone())];
    all.extend(files);
    let mut used = BTreeSet::from([("gpus", gpu.id.clone())]);
    used.extend(base_id.map(|id| ("workloads", id)));
    used.extend(hypervisors.into_iter().map(|id| ("hypervisors", id)));
    Ok(Some(CalibrationPlan {
        title: title.unwrap_or_else(|| format!("{name} on {}", gpu.id)),
        name,
        hash: hash(&all, &used, catalogue),
        seed: options.seed.or(seed).unwrap_or(0),
        gpu: gpu.id.clone(),
        usual_preset,
        parameters,
        times,
        runs,
        checks,
        queries_max: wishes.queries.unwrap_or(QUERIES),
        alarms,
        notes: notes(&workload).into_iter().chain(of_machines).chain(speeds).collect(),
        workload,
    }))
}

/// phi of a model of which no run tells it: as stated, as its base has it, or nothing yet, where the times of
/// its batches say what it may be (`study::calibrate`); a range only where the file states one.
fn phi_of_nobody(
    base: &Fact<PhiTable>,
    parameters: &[FitParameter],
    stated: Option<Wish>,
) -> Fact<PhiTable> {
    let wish = stated.unwrap_or_default();
    let ends = [wish.low.unwrap_or(0.0), wish.high.unwrap_or(1.0)];
    let within = |phi: f64| if wish.hold.is_some() { phi } else { phi.clamp(ends[0], ends[1]) };
    let held = parameters.iter().filter_map(|parameter| match parameter.kind {
        ParameterKind::Phi(batch) => Some((batch, Share::clamped(within(parameter.start)))),
        _ => None,
    });
    let value = PhiTable::new(held.collect()).unwrap_or_else(|_| base.value.clone());
    let source = match wish.hold {
        Some(_) => STATED.to_string(),
        None if base.source == BATCHES_FILL => {
            "assumed: no run on a slice or with two batches at once was measured".to_string()
        }
        None => format!(
            "assumed: as the base has it, not measured of this model; there: {}",
            base.source
        ),
    };
    let is_stated = wish.low.is_some() || wish.high.is_some();
    let range = is_stated.then(|| ends.map(|end| PhiTable::constant(Share::clamped(end))));
    let is_about = |range: &[PhiTable; 2]| range[0].is_below(&value) && value.is_below(&range[1]);
    Fact { range: range.filter(is_about), ..Fact::assumed(value, source) }
}

/// The spread that repeated times of a batch would show if all of their scatter were the model's: from
/// `(p90 - p50) / p50` of `1 - s + s x`, x exponential, whose quantiles are ln 2 and ln 10. Nothing where
/// no batch was timed often enough.
fn scatter(times: &[BatchTime]) -> Option<Share> {
    let (middle, tail) = (std::f64::consts::LN_2, std::f64::consts::LN_10);
    let spread = |variation: f64| variation / (tail - middle + variation * (1.0 - middle));
    let found = times.iter().filter_map(|time| time.variation).map(spread);
    Share::new(found.reduce(f64::max)?.clamp(0.0, 1.0))
}

/// A name that can be a file's: letters, digits, `-`, `_` and `.`.
fn id_of(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.chars().all(fit) && !text.starts_with('.') && text.len() <= 80 {
        return Some(text.to_string());
    }
    let diagnostic = value.wrong("cannot be the name of a file");
    value.report(diagnostic.allowed("letters, digits, -, _ and ., not first, at most 80"));
    None
}

/// `[workload]` over the base, or over what is assumed of a model that nobody described.
fn frame(top: &mut Reader<'_>, base: Option<&WorkloadFile>, id: &str) -> Option<WorkloadFile> {
    let mut file = base.cloned().unwrap_or_else(|| undescribed(id));
    if file.spec.id != id {
        // Measured on a benchmark's base, it is a model of its own.
        file.spec.benchmark = None;
    }
    file.spec.id = id.to_string();
    if base.is_none() {
        file.spec.name = id.to_string();
    }
    let Some(mut table) = top.table("workload") else { return Some(file) };
    let spec = &mut file.spec;
    if let Some(name) = table.get("name").and_then(|value| value.text()) {
        spec.name = name.to_string();
    }
    let presets = PRESETS.map(|preset| (preset.name, preset.name));
    let preset = table.get("usual_preset").and_then(|value| value.choice("preset", &presets));
    file.usual_preset = preset.map_or(file.usual_preset, str::to_string);
    if let Some(value) = table.get("precision") {
        spec.precision = value.choice("precision", &Precision::ALL).or(spec.precision);
    }
    stated(&mut table, "target_latency", &mut spec.target_latency);
    stated(&mut table, "weights", &mut spec.weights);
    stated(&mut table, "workspace_per_sample", &mut spec.workspace_per_sample);
    stated(&mut table, "input_per_sample", &mut spec.input_per_sample);
    stated(&mut table, "output_per_sample", &mut spec.output_per_sample);
    stated(&mut table, "cpu_launch_per_sample", &mut spec.cpu.launch_per_sample);
    stated(&mut table, "cpu_finish_per_batch", &mut spec.cpu.finish_per_batch);
    stated(&mut table, "cpu_finish_per_sample", &mut spec.cpu.finish_per_sample);
    if let Some(mut sizes) = table.table("sizes") {
        let law = crate::config::catalogue::entries::sizes(&mut sizes);
        sizes.finish();
        spec.sizes = Fact::assumed(law?, STATED);
    }
    table.finish();
    Some(file)
}

/// Sets a fact to what the file states.
fn stated<T: Quantity>(table: &mut Reader<'_>, key: &str, slot: &mut Fact<T>) {
    if let Some(value) = table.get(key).and_then(|value| value.quantity::<T>()) {
        *slot = Fact::assumed(value, STATED);
    }
}

/// Why phi is what it is before anything is known.
const BATCHES_FILL: &str = "assumed: batches fill the GPU";
const STATED: &str = "assumed: as the calibration file states";
const NOT_STATED: &str = "assumed: not stated in the calibration";

/// A model of which nothing is stated: no memory, no copies, no CPU work.
fn undescribed(id: &str) -> WorkloadFile {
    let bytes = || Fact::assumed(Bytes::ZERO, NOT_STATED);
    let none = || Fact::assumed(SimDuration::ZERO, NOT_STATED);
    let spec = Workload {
        id: id.to_string(),
        name: id.to_string(),
        benchmark: None,
        precision: None,
        target_latency: Fact::assumed(SimDuration::from_millis(100), NOT_STATED),
        sizes: Fact::assumed(SizeDistribution::Fixed, NOT_STATED),
        weights: bytes(),
        workspace_per_sample: bytes(),
        input_per_sample: bytes(),
        output_per_sample: bytes(),
        energy_once: usual_energy_once(),
        cpu: CpuWork {
            launch_per_batch: none(),
            queue_per_batch: none(),
            triton_per_batch: None,
            launch_per_sample: none(),
            finish_per_batch: none(),
            finish_per_sample: none(),
        },
        service: BTreeMap::new(),
    };
    // A product of today, and no benchmark's harness.
    WorkloadFile { spec, usual_preset: "triton".to_string() }
}

/// The service time that a fit starts without.
fn unknown_service() -> ServiceTime {
    let none = || Fact::assumed(SimDuration::ZERO, "assumed: not identified by what was measured");
    let share = Share::WHOLE;
    let one = vec![(1, SimDuration::from_millis(1))];
    ServiceTime {
        launch: none(),
        host_floor: none(),
        phi: Fact::assumed(PhiTable::constant(share), BATCHES_FILL),
        phi_limit: None,
        slice: None,
        spread: Fact::assumed(Share::NONE, "assumed: batches of one size are alike"),
        work: Fact::assumed(WorkTable::new(one).expect("one point is a table"), NOT_STATED),
        boost: crate::config::catalogue::entries::no_boost(),
        watts_per_sm: None,
        machines: None,
        alternatives: Vec::new(),
        scaled: None,
    }
}

/// What a reader must know about the frame.
fn notes(workload: &Workload) -> Vec<String> {
    let mut notes = Vec::new();
    if workload.weights.source == NOT_STATED && workload.workspace_per_sample.source == NOT_STATED {
        notes.push("weights and workspace are not stated, so frame buffer is never found too small; state them in [workload]".to_string());
    }
    if workload.target_latency.source == NOT_STATED {
        notes.push(
            "target_latency is not stated: Server runs are judged by 100 ms unless a scenario says otherwise"
                .to_string(),
        );
    }
    notes
}

/// What `[fit]` asks for.
#[derive(Default)]
struct Fit {
    of: BTreeMap<String, Wish>,
    work_at: Option<Vec<u32>>,
    phi_at: Option<Vec<u32>>,
    /// What is asked of phi.
    phi: Option<Wish>,
    queries: Option<u64>,
    machines: Option<Share>,
}

/// Reads `[fit]`.
fn fit(mut table: Reader<'_>, problems: &Problems) -> Fit {
    let mut fit = Fit::default();
    let millis = |span: SimDuration| span.as_millis_f64();
    for key in ["launch", "cpu_launch", "host_floor"] {
        if let Some(mut wish) = table.table(key) {
            fit.of.insert(key.to_string(), read_wish(&mut wish, millis, problems));
            wish.finish();
        }
    }
    if let Some(mut wish) = table.table("boost") {
        let mut get = |key: &str| {
            let value = wish.get(key)?;
            value.number(
                |boost| (1.0..=2.0).contains(&boost),
                "1 to 2, over the clock without pause",
            )
        };
        let (low, high, hold, start) = (get("from"), get("to"), get("hold"), get("start"));
        fit.of.insert("boost".to_string(), Wish { low, high, hold, start });
        wish.finish();
    }
    for key in ["spread", "phi"] {
        if let Some(mut wish) = table.table(key) {
            let found = read_wish(&mut wish, Share::get, problems);
            fit.of.insert(key.to_string(), found);
            if key == "phi" {
                fit.phi_at = wish.get("at").and_then(|value| batches(&value));
                fit.phi = Some(found);
            }
            wish.finish();
        }
    }
    if let Some(mut work) = table.table("work") {
        fit.work_at = work.get("at").and_then(|value| batches(&value));
        work.finish();
    }
    fit.machines =
        table.get("machines").and_then(|value| crate::config::catalogue::entries::machines(&value));
    let most = 1000..=50_000_000;
    fit.queries = table.get("queries").and_then(|value| value.whole(most, " queries"));
    table.finish();
    fit
}

/// `{ from = "0 ms", to = "3 ms" }`, or `{ hold = "0.3 ms" }`.
fn read_wish<T: Quantity>(
    table: &mut Reader<'_>,
    number: impl Fn(T) -> f64,
    problems: &Problems,
) -> Wish {
    let mut get = |key: &str| Some(number(table.get(key)?.quantity::<T>()?));
    let wish = Wish { low: get("from"), high: get("to"), hold: get("hold"), start: get("start") };
    let (low, high) = (wish.low.unwrap_or(0.0), wish.high.unwrap_or(f64::INFINITY));
    if low >= high {
        let spot: Spot = table.spot_of("to");
        let title = "the range ends where it starts, or before".to_string();
        problems.push(Diagnostic::at(&spot, title).help("write `to` above `from`, or `hold`"));
        return Wish::default();
    }
    wish
}

/// `[8, 64]`: batch sizes, each once, put in order.
fn batches(value: &Value<'_>) -> Option<Vec<u32>> {
    let items = value.items(16)?;
    let found: Option<Vec<u32>> =
        items.iter().map(|item| item.count(1..=1_000_000, " samples")).collect();
    let mut found = found?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}
