//! Floor 3: operations on VMs, as arithmetic and book-keeping: how long they take, who is where, and what
//! becomes of each. None of it depends on the load, so all of it is known before a run.
//!
//! Nothing here serves a query: the platform does what [`plan()`] says.

mod cluster;
mod plan;
pub mod replicas;
pub mod restart;
pub mod storage;
pub mod vmotion;

pub use cluster::{CardPlace, HostPlace, Seat, Vgpu};
pub use plan::{Asked, Kind, Plan, PlannedChange, PlannedStep, Settings, To, VmAsked, plan};
