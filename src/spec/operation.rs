//! Timed operations on virtual machines: what a file asks for, what comes of it, and the changes to VMs
//! that the platform makes.
//!
//! None of it depends on the load, so it is worked out before the run (`operations::plan`): a change has its
//! time, and an operation that cannot be done has its reason.

use super::{Fact, GpuId, GpuShare, HostId, VmId};
use crate::units::{Bandwidth, Bytes, Share, SimDuration, SimTime};

/// The operations of a run, with all that comes of them.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// In order of time; those of one instant in the order of the file.
    pub operations: Vec<Operation>,
    /// What happens to each VM, in order of time.
    pub steps: Vec<VmStep>,
    /// Who has which cards and when; of a clone that never serves no VM is known.
    pub stays: Vec<Stay<Option<VmId>>>,
    /// When hosts are dead.
    pub outages: Vec<Outage>,
    /// The length of the windows in which figures over time are told; above 0.
    pub window: SimDuration,
    /// The numbers that it was worked out with.
    pub leans_on: Vec<TimelineFact>,
    /// The hash of the file that operations were read from; nothing where all stand in the scenario.
    pub trace: Option<u64>,
}

/// A number that a timeline was worked out with.
#[derive(Clone, PartialEq, Debug)]
pub struct TimelineFact {
    /// Whose number it is, such as `vmotion/7.0`.
    pub of: String,
    /// Its key there.
    pub key: &'static str,
    /// The number as a file writes it.
    pub fact: Fact<String>,
}

/// A VM has cards: from the start of its operating system, or of the copy of its memory to them, until it has
/// left them.
#[derive(Clone, PartialEq, Debug)]
pub struct Stay<Vm> {
    /// The VM; where it has several models, the first of them.
    pub vm: Vm,
    /// The card of each of its GPUs, all on one host.
    pub cards: Vec<GpuId>,
    /// When it is given them.
    pub from: SimTime,
    /// From when on it runs there; nothing where it never does.
    pub runs: Option<SimTime>,
    /// When it has left them; nothing where it stays.
    pub until: Option<SimTime>,
}

/// A host has failed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outage {
    /// The host.
    pub host: HostId,
    /// When it fails.
    pub from: SimTime,
    /// When it is back; nothing for never.
    pub until: Option<SimTime>,
}

/// Something that changes for a VM.
#[derive(Clone, Debug)]
pub struct VmStep {
    /// When.
    pub at: SimTime,
    /// The VM; where it has several models, the first of them.
    pub vm: VmId,
    /// What.
    pub change: VmChange,
}

/// What changes for a VM.
#[derive(Clone, Debug)]
pub enum VmChange {
    /// It stands still: queries wait, and what it has is kept.
    Halt,
    /// It goes on, on these parts of cards where they are others than before; as many as it has.
    GoOn(Option<Vec<GpuShare>>),
    /// It is gone, with all that it was doing: queries in it are lost, and so are those that come.
    Down,
    /// It serves again, with nothing in it; on these parts of cards where they are others than before.
    Up(Option<Vec<GpuShare>>),
}

/// An operation of a file, or one that followed from another, and what came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Operation {
    /// Its word in files and results.
    pub kind: &'static str,
    /// What it is done to: a VM's or a host's name.
    pub subject: String,
    /// The VM, where it is done to one.
    pub vm: Option<VmId>,
    /// When it begins, or was to begin.
    pub at: SimTime,
    /// Where to, in words; nothing where it moves nothing.
    pub to: Option<String>,
    /// What came of it.
    pub outcome: OperationOutcome,
}

/// What came of an operation.
#[derive(Clone, PartialEq, Debug)]
pub enum OperationOutcome {
    /// It was done.
    Done {
        /// How long memory was copied while the VM ran; zero where nothing was.
        pre_copy: SimDuration,
        /// How long the VM did not serve, from then on; zero where it served all the time, nothing where it
        /// does not serve to the end of the run.
        stopped: Option<SimDuration>,
        /// Its parts, in words: `write 12.4 GB 6.2 s`.
        parts: Vec<String>,
    },
    /// It was not done, or not to its end.
    Refused {
        /// Why: a clause.
        why: String,
    },
}

/// How vMotion of a version moves a VM with vGPUs. One file of the catalogue each.
#[derive(Clone, PartialEq, Debug)]
pub struct Vmotion {
    /// The version, such as `7.0`.
    pub version: String,
    /// Where its figures were measured, in words.
    pub measured_on: String,
    /// What a stun takes besides the copy of frame buffer.
    pub stun_base: Fact<SimDuration>,
    /// The most of the frame buffer that is copied per second of a stun, whatever the network.
    pub frame_buffer_rate: Fact<Bandwidth>,
    /// The part of the used frame buffer that is copied in the stun; the rest is copied before it.
    pub stunned_share: Fact<Share>,
    /// What the worst case is estimated by, at a network of 10 Gb/s.
    pub worst: Fact<WorstStun>,
    /// Whether a VM is refused whose estimated worst case is over its limit; otherwise a move fails when its
    /// stun is.
    pub checks_estimate: bool,
    /// The longest stun that a VM is given.
    pub stun_limit: Fact<SimDuration>,
}

/// The terms of the worst stun that is to be expected, in seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WorstStun {
    /// Of every move.
    pub base: f64,
    /// Per GB of the vGPU's profile.
    pub per_profile_gb: f64,
    /// Per GB of the VM's memory.
    pub per_memory_gb: f64,
}

/// How long operations take, where nothing of it is published: the options of a file.
#[derive(Clone, PartialEq, Debug)]
pub struct OperationTimes {
    /// What memory and frame buffer are written to storage with, and read again.
    pub storage: Bandwidth,
    /// The network that VMs are moved over.
    pub network: Bandwidth,
    /// What a running VM changes of its memory per second; below the network.
    pub dirty_rate: Bandwidth,
    /// Memory of a VM whose file does not say it.
    pub memory: Bytes,
    /// Whether hosts watch one another's heartbeats on datastores.
    pub has_heartbeat_datastores: bool,
    /// Choosing a host for a VM that is restarted.
    pub placement: SimDuration,
    /// Copying the disk of a VM that is cloned.
    pub clone: SimDuration,
    /// The start of a VM's operating system.
    pub boot: SimDuration,
    /// Reading a model and warming it up.
    pub load: SimDuration,
}
