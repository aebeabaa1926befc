//! What a VM's server serves: one workload, or several models (`[[vm.model]]`), each with a queue and
//! instances of its own.
//!
//! Whether they fit the GPU together is a rule (`rules`).

use super::answers::Said;
use super::catalogue::Catalogue;
use super::diagnostic::{Diagnostic, Spot};
use super::guest;
use super::reader::Reader;
use super::suggest::quoted;
use super::workload_files;
use crate::spec::{LoadSpec, ServerSpec, Workload};

/// Most models of a server.
pub(super) const MODELS_MAX: usize = 16;

/// The keys that a VM has itself, or each of its models.
const OF_MODELS: [&str; 3] = ["workload", "server", "load"];

/// One model, as it is read.
pub(super) struct Model {
    /// Nothing where it is the only one, which needs no name.
    pub(super) name: Option<String>,
    pub(super) workload: Workload,
    pub(super) server: ServerSpec,
    pub(super) load: LoadSpec,
    /// Of the workload, the batch, the streams and the rate.
    pub(super) spots: [Spot; 4],
}

/// The models of a VM, at least one; `cards` is how many GPUs it has, where that is known.
pub(super) fn read(
    table: &mut Reader<'_>,
    catalogue: &Catalogue,
    cards: Option<u32>,
    copies: u32,
) -> Option<Vec<Model>> {
    let Some(given) = table.get("model") else {
        return Some(vec![read_one(table, true, catalogue, cards, copies)?]);
    };
    for key in OF_MODELS {
        if let Some(value) = table.get(key) {
            let help = format!("write `{key}` in each [[vm.model]]");
            value.report(value.wrong("stands beside `[[vm.model]]`").help(help));
        }
    }
    if given.is_table() {
        let help = "write [[vm.model]] with two brackets";
        given.report(given.wrong("is a single table").help(help));
        return None;
    }
    let items = given.items(MODELS_MAX)?;
    let count = items.len();
    let mut models: Vec<Model> = Vec::new();
    for item in items {
        item.problems.answers.begins_model();
        let Some(mut own) = item.table() else { continue };
        let help = "name the model, as results will call it: name = \"detect\"";
        let name = own.need("name", help).and_then(|value| value.text().map(str::to_string));
        let spot = own.spot_of("name");
        let model = read_one(&mut own, false, catalogue, cards, copies);
        own.finish();
        let (Some(name), Some(mut model)) = (name, model) else { continue };
        if models.iter().any(|other| other.name.as_ref() == Some(&name)) {
            let title = format!("two models of the VM are named {}", quoted(&name));
            let diagnostic = Diagnostic::at(&spot, title);
            table.report(diagnostic.help("give each model a name of its own"));
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
    if models.iter().all(|model| model.load.is_silent()) {
        let help = "write [vm.model.load] for at least one of them";
        given.report(given.wrong("has no model with a load").help(help));
        return None;
    }
    Some(models)
}

/// The model that a table says; of one of several the load may be missing.
fn read_one(
    table: &mut Reader<'_>,
    is_only_one: bool,
    catalogue: &Catalogue,
    cards: Option<u32>,
    copies: u32,
) -> Option<Model> {
    let help = "name a workload of the catalogue, such as workload = \"bert-99\", or a workload file: workload = \"my-model.toml\"";
    let workload = table.need("workload", help);
    let workload = workload.and_then(|value| workload_files::named(&value, catalogue));
    let workload = workload.as_deref();
    let (server, [batch_max, streams]) = guest::server(table, workload, cards);
    let (load, rate) = match !is_only_one && !table.has("load") {
        true => {
            let _ = table.get("load");
            table.silent("load", || Said::default("nobody asks it"));
            (Some(LoadSpec::silent()), table.spot())
        }
        false => guest::load(table, workload, copies, None),
    };
    let spots = [table.spot_of("workload"), batch_max, streams, rate];
    let name = None;
    Some(Model { name, workload: workload?.spec.clone(), server, load: load?, spots })
}
