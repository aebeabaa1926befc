//! The context in which the parts of a calibration file are read.

use crate::config::catalogue::Catalogue;
use crate::config::catalogue::entries::WorkloadFile;
use crate::config::text::Problems;
use crate::spec::GpuSpec;
use std::path::PathBuf;

/// The context in which the parts of a file are read.
pub(crate) struct Context<'c> {
    pub(crate) catalogue: &'c Catalogue,
    pub(crate) problems: &'c Problems,
    /// Paths in the file are relative to this folder.
    pub(crate) folder: PathBuf,
    pub(crate) gpu: &'c GpuSpec,
    /// The workload that runs are read with: its bound, its usual preset.
    pub(crate) workload: WorkloadFile,
}
