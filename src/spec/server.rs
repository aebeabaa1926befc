//! The inference server in the guest: every setting, and the presets that name published harnesses.
//!
//! The effect of the settings is in `host`; which values a harness uses was read off its
//! configuration (MLPerf Inference results v1.1, NVIDIA and Dell code). `use_graphs` is true there
//! for BERT and ResNet-50 under Server load, so a batch is one launch; SSD-ResNet34 has none.

use super::Launches;
use super::queue_policy::Queues;
use crate::units::{Share, SimDuration};

/// When waiting queries become a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchRule {
    /// All waiting queries at once: the largest preferred size that can be formed, else up to the
    /// maximum; with a queue delay, fewer queries than the least preferred size wait that long.
    Available,
    /// A full batch; a smaller one only at the timeout.
    Full,
}

/// What the timeout of [`BatchRule::Full`] counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeoutFrom {
    /// The time at which the batcher began to wait.
    WaitStart,
    /// The arrival of the oldest waiting query.
    Oldest,
}

/// Which worker gets the next batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dispatch {
    /// The worker that has been idle longest, on any GPU.
    LongestIdle,
    /// The GPUs in turn, skipping those without a free slot.
    RoundRobin,
    /// A random GPU with a free slot, all with equal probability: one thread per GPU, all taking
    /// from the same queue.
    RandomGpu,
}

impl Dispatch {
    /// Its word in scenario files and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::LongestIdle => "longest-idle",
            Self::RoundRobin => "round-robin",
            Self::RandomGpu => "random-gpu",
        }
    }
}

/// When the permit that a batch was formed with can form the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PermitReturn {
    /// When the batch gets its stream: a worker holds one batch behind the running one.
    AtStart,
    /// When the batch is complete: permits are slots in flight.
    AtCompletion,
}

/// How one owner's batches use the GPU together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GpuSharing {
    /// One runs to its end, then the next.
    InOrder,
    /// All advance, each at the rate the service-time formula gives for their number.
    Shared,
}

/// The order in which batches of one GPU are reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completion {
    /// In the order in which they end.
    Any,
    /// In the order of issue on their GPU: a batch that ends early waits for older ones.
    IssueOrder,
    /// In the order of issue over all GPUs (Triton's `preserve_ordering`); a batch that waits for
    /// older ones has left its instance.
    PreserveOrdering,
}

/// The software that forms a server's batches and launches them. It comes with the preset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServedBy {
    /// A benchmark's harness, or a similar program: streams of one engine.
    Harness,
    /// Triton: its instances have an engine each, and its batches CPU time of their own.
    Triton,
}

/// An inference server's settings. Counts are at least 1.
#[derive(Clone, PartialEq, Debug)]
pub struct ServerSpec {
    /// The preset it came from.
    pub preset: String,
    /// The software.
    pub served_by: ServedBy,
    /// Most samples in a batch.
    pub batch_max: u32,
    /// Inference streams per GPU: batches the GPU works on at once.
    pub streams: u32,
    /// Permits per GPU to form a batch: workers, or slots in flight.
    pub slots: u32,
    /// Operating-system processes over which the streams of a GPU are distributed in turn; at most
    /// `streams`.
    pub processes: u32,
    /// When waiting queries become a batch.
    pub batch_rule: BatchRule,
    /// The longest wait for a full batch; nothing means no limit while queries keep coming.
    pub timeout: Option<SimDuration>,
    /// What the timeout counts from.
    pub timeout_from: TimeoutFrom,
    /// With [`BatchRule::Available`]: how long the oldest query may wait for more; zero: not at
    /// all.
    pub max_queue_delay: SimDuration,
    /// With [`BatchRule::Available`]: sizes of batches that are formed as soon as they can be,
    /// ascending, none beyond `batch_max`; none: `batch_max` alone.
    pub preferred: Vec<u32>,
    /// How queries wait.
    pub queues: Queues,
    /// Which worker gets the next batch.
    pub dispatch: Dispatch,
    /// The thread that hands queries to several servers of one guest wakes this long after the
    /// first query is due and takes all that are due then, in pieces of a batch, each piece to the
    /// next server; nothing where each query is handed over by itself.
    pub call_wake: Option<SimDuration>,
    /// Mean time that a call takes of the thread that makes it; exponentially distributed.
    pub call_time: SimDuration,
    /// When a permit returns.
    pub permit_return: PermitReturn,
    /// Whether this was not stated: for Triton it depends on the model's backend. The intervals of
    /// results then include both.
    pub permit_is_open: bool,
    /// How batches use the GPU together.
    pub gpu_sharing: GpuSharing,
    /// How a batch appears to the hardware's run list.
    pub launches: Launches,
    /// The order of completion.
    pub completion: Completion,
    /// Samples of one call are sorted by falling size (which only Offline's one call shows).
    pub sort_samples: bool,
    /// Inputs lie on the device already: nothing is copied in.
    pub start_from_device: bool,
    /// The part of all samples that is not set aside until the end of the run; usually all.
    pub soft_drop: Share,
}

impl ServerSpec {
    /// Its processes on each of its GPUs, each with at least one stream.
    pub fn processes(&self) -> u32 {
        self.processes.min(self.streams)
    }

    /// Whether its batches advance side by side on a GPU instance too: several instances of Triton do.
    /// Streams of one engine run there one after the other, by the rows of MLPerf.
    pub fn shares_slices(&self) -> bool {
        self.served_by == ServedBy::Triton
            && self.streams > 1
            && self.gpu_sharing == GpuSharing::Shared
    }

    /// The expected wait, at `rate` queries per second, of the first query of a batch that waits
    /// without limit until it is full: (B - 1) / rate. Nothing under other rules.
    pub fn wait_for_a_full_batch(&self, rate: f64) -> Option<SimDuration> {
        let waits = self.batch_rule == BatchRule::Full && self.timeout.is_none();
        // A rate may be so low that the wait is no number: more than thirty years are enough.
        waits.then(|| SimDuration::from_secs_f64((f64::from(self.batch_max - 1) / rate).min(1e9)))
    }
}

/// LoadGen's thread sleeps until a query is due and hands over all that are due when it wakes
/// (`server_coalesce_queries` of the MLPerf harness for several GPU instances): 50 us of timer slack,
/// Linux's default, and the wake itself. Inferred.
pub const CALL_WAKE: SimDuration = SimDuration::from_micros(60);

/// The range of [`CALL_WAKE`]: a host's wake takes 10 to 50 us beside a slack of 0 to 50 us.
pub const CALL_WAKE_ENDS: [SimDuration; 2] =
    [SimDuration::from_micros(30), SimDuration::from_micros(100)];

/// The range of the time that a call takes of its thread. A DGX A100 of MLPerf v2.0 needs 0, a host
/// with 32 slices on A30s 1.1 ms, fitted on three of its rows; the reason is not known.
pub const CALL_TIME_ENDS: [SimDuration; 2] = [SimDuration::ZERO, SimDuration::from_micros(1100)];

/// A named set of server settings.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Name in scenario files.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Makes the settings; batch size and streams are the scenario's to set.
    pub make: fn() -> ServerSpec,
}

/// The presets known.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "mlperf-bert",
        about: "NVIDIA's BERT harness: one queue, all waiting queries up to the maximum form a \
            batch at once, one batch staged behind each stream",
        make: || ServerSpec {
            preset: "mlperf-bert".to_string(),
            served_by: ServedBy::Harness,
            batch_max: 64,
            streams: 2,
            slots: 2,
            processes: 1,
            batch_rule: BatchRule::Available,
            timeout: None,
            timeout_from: TimeoutFrom::WaitStart,
            max_queue_delay: SimDuration::ZERO,
            preferred: Vec::new(),
            queues: Queues::default(),
            dispatch: Dispatch::LongestIdle,
            call_wake: None,
            call_time: SimDuration::ZERO,
            permit_return: PermitReturn::AtStart,
            permit_is_open: false,
            gpu_sharing: GpuSharing::InOrder,
            launches: Launches::Graph,
            completion: Completion::Any,
            sort_samples: true,
            start_from_device: false,
            soft_drop: Share::WHOLE,
        },
    },
    Preset {
        name: "mlperf-lwis",
        about: "NVIDIA's LWIS harness: full batches, the GPUs in turn, 4 slots each, completion \
            in issue order",
        make: || ServerSpec {
            preset: "mlperf-lwis".to_string(),
            served_by: ServedBy::Harness,
            batch_max: 8,
            streams: 2,
            slots: 4,
            processes: 1,
            batch_rule: BatchRule::Full,
            timeout: Some(SimDuration::from_millis(30)),
            timeout_from: TimeoutFrom::WaitStart,
            max_queue_delay: SimDuration::ZERO,
            preferred: Vec::new(),
            queues: Queues::default(),
            dispatch: Dispatch::RoundRobin,
            call_wake: None,
            call_time: SimDuration::ZERO,
            permit_return: PermitReturn::AtCompletion,
            permit_is_open: false,
            gpu_sharing: GpuSharing::Shared,
            launches: Launches::Graph,
            completion: Completion::IssueOrder,
            sort_samples: false,
            start_from_device: false,
            soft_drop: Share::WHOLE,
        },
    },
    Preset {
        name: "mlperf-triton",
        about: "Triton as the MLPerf harness configures it: a full batch, or a smaller one when \
            the oldest query reaches the maximum delay; one instance per GPU, the one that has \
            been idle longest is next",
        make: || ServerSpec {
            preset: "mlperf-triton".to_string(),
            served_by: ServedBy::Triton,
            batch_max: 64,
            streams: 1,
            slots: 1,
            processes: 1,
            batch_rule: BatchRule::Full,
            timeout: None,
            timeout_from: TimeoutFrom::Oldest,
            max_queue_delay: SimDuration::ZERO,
            preferred: Vec::new(),
            queues: Queues::default(),
            dispatch: Dispatch::LongestIdle,
            call_wake: Some(CALL_WAKE),
            call_time: SimDuration::ZERO,
            permit_return: PermitReturn::AtCompletion,
            permit_is_open: false,
            gpu_sharing: GpuSharing::Shared,
            launches: Launches::Graph,
            completion: Completion::Any,
            sort_samples: false,
            start_from_device: false,
            soft_drop: Share::WHOLE,
        },
    },
    Preset {
        name: "triton",
        about: "NVIDIA Triton with dynamic_batching {}: all waiting queries up to the maximum \
            form a batch as soon as an instance is free",
        make: triton,
    },
    Preset {
        name: "triton-no-batching",
        about: "NVIDIA Triton, a model without dynamic_batching: every query goes alone to a free \
            instance",
        make: || ServerSpec { preset: "triton-no-batching".to_string(), batch_max: 1, ..triton() },
    },
];

/// Triton's own defaults for a model with `dynamic_batching {}` (user guide, "Model configuration"
/// and "Batchers"): a delay of 0, one instance per GPU, one queue for all of them, responses as they
/// come, no CUDA graphs (`optimization { cuda { graphs: true } }` asks for them). `max_batch_size` has no useful default there: a scenario should say it.
fn triton() -> ServerSpec {
    ServerSpec {
        preset: "triton".to_string(),
        served_by: ServedBy::Triton,
        batch_max: 64,
        streams: 1,
        slots: 1,
        processes: 1,
        batch_rule: BatchRule::Available,
        timeout: None,
        timeout_from: TimeoutFrom::Oldest,
        max_queue_delay: SimDuration::ZERO,
        preferred: Vec::new(),
        queues: Queues::default(),
        dispatch: Dispatch::LongestIdle,
        call_wake: None,
        call_time: SimDuration::ZERO,
        permit_return: PermitReturn::AtCompletion,
        permit_is_open: true,
        gpu_sharing: GpuSharing::Shared,
        launches: Launches::Kernels,
        completion: Completion::Any,
        sort_samples: false,
        start_from_device: false,
        soft_drop: Share::WHOLE,
    }
}
