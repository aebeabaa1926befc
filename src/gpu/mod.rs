//! Floor 3: one physical GPU: a card cut into instances, each with owners, each with a pool of
//! batches; the links to it; and what a batch costs.
//!
//! Who may own what was checked before; nothing here refuses anything.

mod card;
mod copy_engine;
mod cost;
mod policy;
mod pool;
mod power;
mod run_list;
mod turns;

pub use card::{Card, CardJob, OwnerId};
pub use copy_engine::CopyEngine;
pub use cost::{Demand, demand};
pub use policy::{POLICIES, PolicyEntry, TimeSlicePolicy};
pub use pool::{Pool, PoolJob};
pub use power::PowerCap;
pub use run_list::Entry;
pub use turns::{Counters, TurnRecord, Turns, TurnsJob};
