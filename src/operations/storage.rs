//! Suspending and resuming a VM with vGPUs: its memory and used frame buffer through storage.
//!
//! No times are published, so the bandwidth is an option; that of a copy to disk is the same.

use crate::units::{Bandwidth, Bytes, SimDuration};

/// How long memory and used frame buffer take to be written, or read.
pub fn transfer(memory: Bytes, used: Bytes, storage: Bandwidth) -> SimDuration {
    storage.transfer_time(memory + used)
}
