//! Floor 3: placement on cards, as pure functions: GPU instances (`geometry`, `creation`,
//! `cutting`, `packing`, `change`, `compute_instances`), vGPUs (`mixed_size`, `fit`), owners
//! (`placement`), VMs on the hosts of a cluster (`cluster`); and the registry word of the vGPU
//! scheduler (`registry`).
//!
//! Nothing is simulated here, and nothing is moved.

pub mod change;
pub mod cluster;
pub mod compute_instances;
pub mod creation;
pub mod cutting;
pub mod fit;
pub mod geometry;
pub mod mixed_size;
pub mod packing;
pub mod placement;
pub mod registry;
