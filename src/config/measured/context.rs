//! What reading the parts of a calibration file needs of its frame.

use crate::config::catalogue::Catalogue;
use crate::config::catalogue::entries::WorkloadFile;
use crate::config::text::Problems;
use crate::spec::GpuSpec;
use std::path::PathBuf;

/// What reading the parts of a file needs.
pub(crate) struct Context<'c> {
    pub(crate) catalogue: &'c Catalogue,
    pub(crate) problems: &'c Problems,
    /// Paths in the file count from here.
    pub(crate) folder: PathBuf,
    pub(crate) gpu: &'c GpuSpec,
    /// The workload that runs are read with: its bound, its usual preset.
    pub(crate) workload: WorkloadFile,
}
