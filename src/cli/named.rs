//! What the command line names: the catalogue, and GPUs of it.

use super::failure::Failure;
use super::output;
use crate::config::{self, Catalogue};
use crate::spec::GpuSpec;
use std::path::Path;

/// The catalogue for a command that asks for one entry or a list: mistakes in the files of a folder
/// are told, and the files left out.
pub(super) fn good_catalogue(configs: Option<&Path>) -> Result<Catalogue, Failure> {
    let (catalogue, mistakes) = Catalogue::load_good(configs)?;
    if !mistakes.is_empty() {
        Failure::Invalid(mistakes).print();
        output::message("warning: files of the catalogue with mistakes are left out");
    }
    Ok(catalogue)
}

/// The GPU of the catalogue that the command line names.
pub(super) fn gpu<'c>(catalogue: &'c Catalogue, id: &str) -> Result<&'c GpuSpec, Failure> {
    gpu_that(catalogue, id, |_| true, "")
}

/// The same, if it is one of some kind; `lacks` says what the others have not.
pub(super) fn gpu_that<'c>(
    catalogue: &'c Catalogue,
    id: &str,
    is_it: impl Fn(&GpuSpec) -> bool,
    lacks: &str,
) -> Result<&'c GpuSpec, Failure> {
    let found = catalogue.gpu_named(id);
    if let Some(gpu) = found.filter(|gpu| is_it(gpu)) {
        return Ok(gpu);
    }
    let shown = config::quoted(id);
    if catalogue.is_left_out("gpus", id) {
        return Err(Failure::Usage(format!(
            "the file of GPU {shown} has mistakes, reported above"
        )));
    }
    let title = match found {
        Some(gpu) => format!("{lacks} of {}", gpu.id),
        None => format!("unknown GPU {shown}"),
    };
    let known: Vec<&GpuSpec> = catalogue.gpus().filter(|gpu| is_it(gpu)).collect();
    let help = catalogue.gpu_help(id, &known).filter(|_| found.is_none());
    // What may mean several is answered with these alone.
    let is_between = help.as_ref().is_some_and(|help| help.contains(" could be "));
    let ids: Vec<&str> = known.iter().map(|gpu| gpu.id.as_str()).collect();
    let allowed =
        if is_between { String::new() } else { format!("\n  = allowed: {}", ids.join(", ")) };
    let help = help.map_or(String::new(), |help| format!("\n  = help: {help}"));
    Err(Failure::Usage(format!("{title}{allowed}{help}")))
}

/// A line of help with what was probably meant; nothing where nothing is near.
pub(super) fn did_you_mean(near: Option<String>) -> String {
    near.map_or(String::new(), |near| format!("\n  = help: did you mean \"{near}\"?"))
}
