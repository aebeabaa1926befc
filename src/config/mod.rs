//! STUB, to be dropped: the interface of floor 6's reader, for compiling the command line against it.
//!
//! It reads nothing.

use crate::spec::Scenario;
use std::path::Path;

/// Stub.
pub struct Catalogue;
/// Stub.
pub struct CatalogueEntry {
    /// Stub.
    pub kind: &'static str,
    /// Stub.
    pub id: String,
    /// Stub.
    pub name: String,
    /// Stub.
    pub origin: &'static str,
}
impl Catalogue {
    /// Stub.
    pub fn load(_folder: Option<&Path>) -> Result<Catalogue, LoadError> {
        Ok(Catalogue)
    }
    /// Stub.
    pub fn list(&self) -> Vec<CatalogueEntry> {
        self.ids()
            .into_iter()
            .map(|id| CatalogueEntry { kind: "gpu", id, name: "NVIDIA A100".into(), origin: "built in" })
            .collect()
    }
    /// Stub.
    pub fn show(&self, id: &str) -> Option<&str> {
        (id == "a100-pcie-40gb").then_some("id = \"a100-pcie-40gb\"\n")
    }
    /// Stub.
    pub fn ids(&self) -> Vec<String> {
        vec!["a100-pcie-40gb".into(), "bert-99".into()]
    }
}
/// Stub.
pub struct LoadOptions {
    /// Stub.
    pub catalogue: Catalogue,
    /// Stub.
    pub seed: Option<u64>,
}
/// Stub.
pub fn load(path: &Path, _options: &LoadOptions) -> Result<Scenario, LoadError> {
    Err(LoadError::World(anyhow::anyhow!("cannot read {}: this is a stub", path.display())))
}
/// Stub.
pub enum LoadError {
    /// Stub.
    Invalid(Vec<Diagnostic>),
    /// Stub.
    World(anyhow::Error),
}
/// Stub.
pub struct Diagnostic;
impl Diagnostic {
    /// Stub.
    pub fn render(&self, _color: bool) -> String {
        String::new()
    }
}
