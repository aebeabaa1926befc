//! `slicewise new model`: a model's file of the catalogue, from its Hugging Face `config.json`.

use crate::cli::failure::Failure;
use crate::config::model_of_config;
use std::path::Path;

/// The file's text; `path` is the `config.json`.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))?;
    let folder = path.canonicalize().ok();
    let folder = folder.as_deref().and_then(Path::parent).and_then(Path::file_name);
    let name = folder.map_or("My model".into(), |name| name.to_string_lossy());
    model_of_config(&text, &name).map_err(|why| Failure::Usage(format!("{shown}: {why}")))
}
