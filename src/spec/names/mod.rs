//! The one parser of names and requests: GPU instances, compute instances, vGPU types, how many and
//! where.
//!
//! It reads what nvidia-smi, mig-parted, Kubernetes, vSphere, KVM hosts and this program print.
//! Command lines, scenario files, imports and exports all use it. Whether a named thing can exist
//! is decided in `layout`, and the caller words the error for a wrong name.

mod gpu;
mod profile;
mod request;
mod vgpu;

pub use super::vgpu::Series;
pub use gpu::{GpusMeant, gpus_meant, submitted_gpu};
pub use profile::{Part, ProfileName, find_profile};
pub use request::{At, Request, RequestFault, requests};
pub use vgpu::{find_type, is_host_number};
