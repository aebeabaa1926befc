//! What was measured: rows for a validation, and files from which a workload is calibrated.

mod agreement;
pub(super) mod calibration;
mod context;
mod levels;
mod log;
pub(super) mod measurements;
pub(super) mod probed;
pub(super) mod rows;
mod run;
