//! Floor 3: one physical GPU: a card cut into instances, each with owners, each with a pool of
//! batches; the links to it; and what a batch costs.
//!
//! Which owner may have which part was checked before; no station here refuses anything. On which
//! card each owner is placed is decided in `layout`.

mod card;
mod copy_engine;
mod cost;
mod counters;
mod headroom;
mod inside;
mod mps;
mod phases;
mod policy;
mod pool;
mod power;
mod ring;
mod run_list;
pub mod scaling;
mod step;
mod turns;
mod work;

pub use card::{Card, CardJob, CardTime, OwnerId};
pub use copy_engine::CopyEngine;
pub use cost::{AtSize, Demand, demand, demand_at};
pub use counters::{Counters, OwnerTime};
pub use headroom::Headroom;
pub use mps::{Client, ClientStep, Mps, MpsJob, Node};
pub use phases::{Phase, PhaseLog, PhaseSpan, Window};
pub use policy::{
    BEST_EFFORT, Entry, POLICIES, PolicyEntry, TimeSlicePolicy, idle_rule, policies, policy_entry,
    register,
};
pub use pool::{Pool, PoolJob};
pub use power::{Draws, PowerCap};
pub use ring::Ring;
pub use step::{Beside, StepLaw, StepParts, StepShare, together};
pub use turns::{TurnRecord, Turns};
pub use work::{InsideTimes, TurnsJob, Work};
