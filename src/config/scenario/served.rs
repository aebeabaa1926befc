//! The models of a VM's server: one workload, or several models (`[[vm.model]]`), each with its own
//! queue and instances; and ensembles (`[[vm.ensemble]]`), chains of these models.
//!
//! Whether they fit on the GPU together is checked in `rules`.

use super::trace::beside;
use super::workload_files::OwnWorkloads;
use super::{server_load, triton, workload_files};
use crate::config::catalogue::Catalogue;
use crate::config::text::{Diagnostic, Reader, Spot, Value, ValueOrigin};
use crate::spec::{CpuStep, LoadSpec, Rules, ServerSpec, Step, VmId, Workload};
use crate::suggest::quoted;
use crate::units::SimDuration;
use std::path::{Path, PathBuf};

/// Most models of a server.
pub(crate) const MODELS_MAX: usize = 16;

/// The keys that a VM has itself, or each of its models.
/// Most ensembles of a server, and most steps of one.
pub(crate) const ENSEMBLES_MAX: usize = 16;
pub(crate) const STEPS_MAX: usize = 16;
/// Most instances of a step on processors.
pub(crate) const CPU_INSTANCES_MAX: u32 = 4096;
/// No query takes a processor longer.
const CPU_TIME_MAX: SimDuration = SimDuration::from_secs(3600);

const OF_MODELS: [&str; 3] = ["workload", "server", "load"];

/// One model, as it is read.
pub(crate) struct Model {
    /// Its name; nothing where it is the only one.
    pub(crate) name: Option<String>,
    pub(crate) workload: Workload,
    pub(crate) server: ServerSpec,
    pub(crate) load: LoadSpec,
    /// For an ensemble, its steps, models by index among those of the server; empty for a model.
    pub(crate) steps: Vec<Step>,
    /// Of the workload, the batch, the streams and the rate.
    pub(crate) spots: [Spot; 4],
}

/// Where workloads are found: the catalogue, and those that the file describes itself.
pub(super) type Known<'k> = (&'k Catalogue, &'k OwnWorkloads);

/// The models of a VM, at least one; `cards` is how many GPUs it has, where that is known.
pub(crate) fn read(
    table: &mut Reader<'_>,
    known: Known<'_>,
    cards: Option<u32>,
    copies: u32,
) -> Option<Vec<Model>> {
    let named = table.get("model_repository");
    let repository = named.as_ref().and_then(|value| Some((value, folder(value)?)));
    // What is wrong with models is told; ensembles are no strangers then.
    let _ = table.get("ensemble");
    let Some(given) = table.get("model") else {
        if let Some(value) = &named {
            let found = value.wrong("needs a [[vm.model]] for each of its models that is used");
            value.report(
                found.help("a repository has no service times: name each model's `workload`"),
            );
        }
        if let Some(value) = table.get("ensemble") {
            let found = value.wrong("has no models for its steps");
            value.report(found.help("write [[vm.model]] for each model of the server"));
        }
        return Some(vec![read_one(table, true, known, (cards, copies), None)?]);
    };
    for key in OF_MODELS {
        if let Some(value) = table.get(key) {
            let help = format!("write `{key}` in each [[vm.model]]");
            value.report(value.wrong("conflicts with `[[vm.model]]`").help(help));
        }
    }
    let items = tables(&given, "model", MODELS_MAX)?;
    let count = items.len();
    let mut models: Vec<Model> = Vec::new();
    for item in items {
        item.problems.answers.begins_model();
        let Some(mut own) = item.table() else { continue };
        let name = name_in(&mut own, "the model", "detect");
        let spot = own.spot_of("name");
        let own_file = repository.as_ref().zip(name.as_ref());
        let own_file = own_file
            .map(|((value, folder), name)| (*value, triton::path_in(folder, name)))
            .filter(|(_, path)| path.is_file());
        let own_file = own_file.as_ref().map(|(value, path)| (*value, path.as_path()));
        let model = read_one(&mut own, false, known, (cards, copies), own_file);
        own.finish();
        let (Some(name), Some(mut model)) = (name, model) else { continue };
        if models.iter().any(|other| other.name.as_ref() == Some(&name)) {
            let title = format!("two models of the VM are named {}", quoted(&name));
            let diagnostic = Diagnostic::at(&spot, title);
            table.report(diagnostic.help("give each model its own name"));
        }
        if model.server.processes() > 1 && count > 1 {
            let title = format!("{} processes of one of several models", model.server.processes());
            let help = "drop `processes`: the models of a server are one process; write another [[vm]] for another process";
            table.report(Diagnostic::at(&model.spots[2], title).help(help));
        }
        model.name = Some(name);
        models.push(model);
    }
    if models.len() < count {
        return None;
    }
    let ensembles = read_ensembles(table, &models, copies, repository.as_ref())?;
    models.extend(ensembles);
    if models.iter().all(|model| model.load.is_idle()) {
        let help = "write [vm.model.load] for at least one of them, or a [[vm.ensemble]]";
        given.report(given.wrong("has no model with a load").help(help));
        return None;
    }
    Some(models)
}

/// The tables of `[[vm.KEY]]`.
pub(super) fn tables<'v>(given: &Value<'v>, key: &str, most: usize) -> Option<Vec<Value<'v>>> {
    if given.is_table() {
        let help = format!("write [[vm.{key}]] with two brackets");
        given.report(given.wrong("is a single table").help(help));
        return None;
    }
    given.items(most)
}

/// What results will call a model or an ensemble.
pub(super) fn name_in(own: &mut Reader<'_>, what: &str, such_as: &str) -> Option<String> {
    let help = format!("name {what}, for results: name = \"{such_as}\"");
    own.need("name", &help)?.text().map(str::to_string)
}

/// The model that a table says; of one of several the load may be missing.
pub(super) fn read_one(
    table: &mut Reader<'_>,
    is_only_one: bool,
    (catalogue, own): Known<'_>,
    (cards, copies): (Option<u32>, u32),
    of_repository: Option<(&Value<'_>, &Path)>,
) -> Option<Model> {
    if let Some(value) = table.has("llm").then(|| table.get("llm")).flatten() {
        let found = value.wrong("is of a VM, not of one of its models or pods");
        value.report(found.help("write a [[vm]] with `llm` for each engine"));
        // The keys of an engine and its load are no strangers then.
        for key in ["workload", "server", "load", "engine", "goodput"] {
            let _ = table.get(key);
        }
        return None;
    }
    let help = "name a workload of the catalogue, such as workload = \"bert-99\", or a workload file: workload = \"my-model.toml\"";
    let workload = table.need("workload", help);
    let workload = workload.and_then(|value| workload_files::named(&value, catalogue, own));
    let workload = workload.as_deref();
    let (server, [batch_max, streams]) = server_load::server(table, workload, cards, of_repository);
    let (load, rate) = match !is_only_one && !table.has("load") {
        true => {
            let _ = table.get("load");
            table.fallback("load", || ValueOrigin::default("it has no queries of its own"));
            (Some(LoadSpec::idle()), table.spot())
        }
        false => server_load::load(table, workload, copies, None),
    };
    let spots = [table.spot_of("workload"), batch_max, streams, rate];
    let name = None;
    let (workload, load) = (workload?.spec.clone(), load?);
    Some(Model { name, workload, server, load, steps: Vec::new(), spots })
}

/// The ensembles of a server with these models.
fn read_ensembles(
    table: &mut Reader<'_>,
    models: &[Model],
    copies: u32,
    repository: Option<&(&Value<'_>, PathBuf)>,
) -> Option<Vec<Model>> {
    let Some(given) = table.get("ensemble") else { return Some(Vec::new()) };
    let items = tables(&given, "ensemble", ENSEMBLES_MAX)?;
    let count = items.len();
    let names: Vec<String> = items.iter().filter_map(name_of).collect();
    let mut ensembles: Vec<Model> = Vec::new();
    for item in items {
        item.problems.answers.begins_model();
        let Some(mut own) = item.table() else { continue };
        let name = name_in(&mut own, "the ensemble", "both");
        let of_file = repository.zip(name.as_ref()).filter(|_| !own.has("steps"));
        let steps = match of_file {
            Some(((value, folder), name)) => {
                let _ = own.get("steps");
                steps_of_file(value, &triton::path_in(folder, name), models, &own)
            }
            None => {
                let help = "write the models of its steps: steps = [\"a\", \"b\"]";
                own.need("steps", help).and_then(|value| read_steps(&value, models, &names))
            }
        };
        needs_a_bound(&mut own);
        let (load, rate) = match own.has("load") {
            true => server_load::load(&mut own, None, copies, Some(Rules::None)),
            false => {
                let help = "write [vm.ensemble.load] with scenario = \"server\" and target_qps";
                own.need("load", help);
                (None, own.spot())
            }
        };
        let spot = own.spot_of("name");
        own.finish();
        let (Some(name), Some(steps), Some(load)) = (name, steps, load) else { continue };
        let mut others = models.iter().chain(&ensembles);
        if others.any(|other| other.name.as_ref() == Some(&name)) {
            let title = format!("two models or ensembles of the VM are named {}", quoted(&name));
            let diagnostic = Diagnostic::at(&spot, title);
            table.report(diagnostic.help("give each its own name"));
        }
        let first = steps.iter().find_map(|step| match step {
            Step::Model(model) => Some(&models[usize::from(model.0)]),
            Step::Cpu(_) => None,
        });
        let first = first.expect("steps without a model are refused");
        let (workload, server) = (first.workload.clone(), first.server.clone());
        let spots = [spot.clone(), spot.clone(), spot, rate];
        ensembles.push(Model { name: Some(name), workload, server, load, steps, spots });
    }
    (ensembles.len() == count).then_some(ensembles)
}

/// The folder that a value names, from that of its file.
fn folder(value: &Value<'_>) -> Option<PathBuf> {
    let path = beside(&value.file.path, value.text()?);
    if !path.is_dir() {
        let found = value.wrong(format!("is no folder: {}", path.display()));
        value
            .report(found.help("name Triton's model repository: a folder with MODEL/config.pbtxt"));
        return None;
    }
    Some(path)
}

/// The steps that an ensemble's configuration says, each a model of the VM.
fn steps_of_file(
    value: &Value<'_>,
    path: &Path,
    models: &[Model],
    ensemble: &Reader<'_>,
) -> Option<Vec<Step>> {
    let named = triton::ensemble(value, path)?;
    if let Some((_, spot)) = named.first() {
        let (path, line, column) = spot.line_and_column();
        ensemble.fallback("steps", || ValueOrigin::new("file", format!("{path}:{line}:{column}")));
    }
    let count = named.len();
    let names: Vec<&str> = models.iter().filter_map(|model| model.name.as_deref()).collect();
    let steps = named.into_iter().filter_map(|(model, spot)| {
        let place = names.iter().position(|name| *name == model);
        if place.is_none() {
            let title = format!("a step of the ensemble is {}, which is not a [[vm.model]] of the \
                VM", quoted(&model));
            let help = format!("add [[vm.model]] with name = \"{model}\" and its `workload`; work on processors is written in `steps`");
            let diagnostic = Diagnostic::at(&spot, title).allowed(names.join(", "));
            value.problems.push(diagnostic.help(help));
        }
        Some(Step::Model(VmId(place? as u16)))
    });
    let steps: Vec<Step> = steps.collect();
    (steps.len() == count).then_some(steps)
}

/// The name that a table has, whatever else is in it.
fn name_of(item: &Value<'_>) -> Option<String> {
    let name = item.value.as_table()?.get("name")?;
    name.get_ref().as_str().map(str::to_string)
}

/// A chain has no bound of its own but what the file says: that of a workload is of one model.
fn needs_a_bound(ensemble: &mut Reader<'_>) {
    let Some(value) = ensemble.get("load").filter(Value::is_table) else { return };
    let Some(mut load) = value.table() else { return };
    let is_server = load
        .get("scenario")
        .is_some_and(|value| value.is_text() && value.value.as_str() == Some("server"));
    if is_server && !load.has("conf") {
        let help = "state the time within which all steps must be done: target_latency = \"200 \
            ms\"";
        load.need("target_latency", help);
    }
}

/// The steps of an ensemble, at least one a model; `ensembles` are the names of all.
fn read_steps(value: &Value<'_>, models: &[Model], ensembles: &[String]) -> Option<Vec<Step>> {
    let items = value.items(STEPS_MAX)?;
    let count = items.len();
    let steps = items.iter().filter_map(|item| read_step(item, models, ensembles));
    let steps: Vec<Step> = steps.collect();
    if steps.len() < count {
        return None;
    }
    if !steps.iter().any(|step| matches!(step, Step::Model(_))) {
        let help = "name at least one model of the VM: an ensemble without a model has no work \
            for a GPU";
        value.report(value.wrong("has no model").help(help));
        return None;
    }
    Some(steps)
}

/// `"detect"`, or `{ name = "decode", time = "2 ms", count = 4 }` for work on processors.
fn read_step(item: &Value<'_>, models: &[Model], ensembles: &[String]) -> Option<Step> {
    if item.is_table() {
        let mut table = item.table()?;
        let name = table.need("name", "name the step, for results: name = \"decode\"");
        let name = name.and_then(|value| value.text().map(str::to_string));
        let time = table.need("time", "state the time of one query: time = \"2 ms\"");
        let within = |time: &SimDuration| *time > SimDuration::ZERO && *time <= CPU_TIME_MAX;
        let time = time.and_then(|value| value.bounded(within, "above 0, to 1 h"));
        let count = table.get("count");
        let count = count.map_or(Some(1), |value| value.count(1..=CPU_INSTANCES_MAX, " instances"));
        table.finish();
        return Some(Step::Cpu(CpuStep { name: name?, count: count?, time: time? }));
    }
    let word = item.text()?;
    let names = || models.iter().filter_map(|model| model.name.as_deref());
    if let Some(place) = names().position(|name| name == word) {
        return Some(Step::Model(VmId(place as u16)));
    }
    if ensembles.iter().any(|name| name == word) {
        let found = item.wrong(format!("names {}, which is an ensemble", quoted(word)));
        let help = "write its steps instead: the steps of an ensemble are models, not ensembles";
        item.report(found.allowed(names().collect::<Vec<_>>().join(", ")).help(help));
        return None;
    }
    item.unknown("model of the VM", word, names());
    None
}
