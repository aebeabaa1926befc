//! A measured run: the settings of its harness and the results in its log.
//!
//! It does not judge; `study::validate` turns it into an experiment and compares.

use super::TestScenario;
use crate::units::{Power, Share, SimDuration};
use std::collections::BTreeMap;

/// One measured run. Where a file leaves a cell empty, there is nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct MeasuredRow {
    /// The line of its file, from 1.
    pub line: u64,
    /// The round of MLPerf, such as `v3.0`; empty where none is stated.
    pub round: String,
    /// The submitter.
    pub submitter: String,
    /// The name of the system, unique together with submitter, benchmark, scenario and `hetero`.
    pub system: String,
    /// The machine: systems that differ only in harness, power limit, number of GPUs, busy
    /// neighbours or a virtual machine share this name.
    pub machine: String,
    /// Whether the card's power was limited below its usual limit.
    pub power_limited: bool,
    /// The GPU's name as the vendor writes it.
    pub gpu: String,
    /// The GPU instances of each card; nothing for whole cards.
    pub mig: Option<MigSlices>,
    /// The host, by its name in the catalogue; nothing where the file does not state it.
    pub host: Option<String>,
    /// GPUs (or GPU instances) of the system, at least 1.
    pub gpus: u32,
    /// Whether it ran in a virtual machine.
    pub virtualized: bool,
    /// A GPU instance that was measured while its neighbours ran other benchmarks.
    pub hetero: bool,
    /// `TRT` or `Triton`.
    pub harness: String,
    /// The benchmark, such as `bert-99.9`.
    pub benchmark: String,
    /// LoadGen's scenario.
    pub scenario: TestScenario,
    /// Offline: samples per second.
    pub samples_per_s: Option<f64>,
    /// Server: scheduled samples per second.
    pub scheduled_per_s: Option<f64>,
    /// Server: completed samples per second.
    pub completed_per_s: Option<f64>,
    /// The target rate.
    pub target_qps: Option<f64>,
    /// The bound on latency.
    pub target_latency: Option<SimDuration>,
    /// Latencies by their names in the result document: `min`, `mean`, `p50` ... `max`.
    pub latency: BTreeMap<&'static str, SimDuration>,
    /// The minimum duration of the run.
    pub min_duration: Option<SimDuration>,
    /// The minimum number of queries.
    pub min_queries: Option<u64>,
    /// The settings of its harness.
    pub settings: MeasuredSettings,
}

/// GPU instances of one profile on a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigSlices {
    /// How many, at least 1.
    pub per_card: u32,
    /// The profile, such as `1g.10gb`.
    pub profile: String,
}

/// The harness settings that affect queries.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct MeasuredSettings {
    /// Most samples in a batch.
    pub batch: Option<u32>,
    /// Batches in flight per GPU, where the harness has slots.
    pub copy_streams: Option<u32>,
    /// Inference streams per GPU.
    pub streams: Option<u32>,
    /// Triton's instances per GPU.
    pub instances: Option<u32>,
    /// The longest wait for a full batch.
    pub timeout: Option<SimDuration>,
    /// Triton's longest wait of the oldest query.
    pub queue_delay: Option<SimDuration>,
    /// The share of samples that is not set aside to the end of the run.
    pub soft_drop: Option<Share>,
    /// `int8`, `fp16`.
    pub precision: String,
    /// Inputs lie on the device already.
    pub start_from_device: bool,
    /// Whether batches are CUDA graphs.
    pub graphs: Option<bool>,
    /// The power limit of each card during this run.
    pub power_limit: Option<Power>,
}

impl MeasuredSettings {
    /// The columns that set a server; every harness takes the size of a full batch.
    pub const COLUMNS: [&str; 8] = [
        "gpu_inference_streams",
        "gpu_copy_streams",
        "instance_group_count",
        "deque_timeout_usec",
        "max_queue_delay_usec",
        "soft_drop",
        "start_from_device",
        "use_graphs",
    ];

    /// The settings that a server takes, of these columns; the others are left out.
    pub fn taken(&self, columns: &[&str]) -> Self {
        let takes = |column| columns.contains(&column);
        Self {
            streams: self.streams.filter(|_| takes("gpu_inference_streams")),
            copy_streams: self.copy_streams.filter(|_| takes("gpu_copy_streams")),
            instances: self.instances.filter(|_| takes("instance_group_count")),
            timeout: self.timeout.filter(|_| takes("deque_timeout_usec")),
            queue_delay: self.queue_delay.filter(|_| takes("max_queue_delay_usec")),
            soft_drop: self.soft_drop.filter(|_| takes("soft_drop")),
            start_from_device: self.start_from_device && takes("start_from_device"),
            graphs: self.graphs.filter(|_| takes("use_graphs")),
            ..self.clone()
        }
    }
}

impl MeasuredRow {
    /// `<system> <benchmark> <scenario>`, as facts name what they were fitted on.
    pub fn name(&self) -> String {
        let scenario = match self.scenario {
            TestScenario::Server => "Server",
            TestScenario::Offline => "Offline",
            _ => "SingleStream",
        };
        let hetero = if self.hetero { " HeteroMultiUse" } else { "" };
        format!("{} {} {scenario}{hetero}", self.system, self.benchmark)
    }

    /// The GPU as results name it, with its slices: `NVIDIA A30 (4x1g.6gb MIG)`.
    pub fn accelerator(&self) -> String {
        let cut = |mig: &MigSlices| format!(" ({}x{} MIG)", mig.per_card, mig.profile);
        self.gpu.clone() + &self.mig.as_ref().map_or(String::new(), cut)
    }

    /// Whether a Server run has a tail that queueing cannot explain: p99 far above p90. The host
    /// stalled now and then; its p99 tells nothing about the GPU.
    pub fn has_host_stalls(&self) -> bool {
        let ms = |name: &str| self.latency.get(name).map(|span| span.as_millis_f64());
        let tail = ms("p90").zip(ms("p99"));
        self.scenario == TestScenario::Server && tail.is_some_and(|(p90, p99)| p99 > 1.8 * p90)
    }

    /// Whether it is the same run as another, submitted for another accuracy target of one model:
    /// `bert-99` and `bert-99.9`.
    pub fn is_run_of(&self, other: &MeasuredRow) -> bool {
        let model = |run: &MeasuredRow| run.benchmark.split("-9").next().map(str::to_string);
        let rate = |run: &MeasuredRow| run.completed_per_s.or(run.samples_per_s);
        self.benchmark != other.benchmark
            && model(self) == model(other)
            && (&self.system, &self.submitter) == (&other.system, &other.submitter)
            && (self.scenario, &self.gpu, &self.mig) == (other.scenario, &other.gpu, &other.mig)
            && self.hetero == other.hetero
            && (rate(self), &self.latency) == (rate(other), &other.latency)
    }

    /// The GPU's name in lower case without the vendor: `a100-pcie-80gb`.
    pub fn gpu_id(&self) -> String {
        let name = self.gpu.to_lowercase();
        name.strip_prefix("nvidia ").unwrap_or(&name).to_string()
    }

    /// How many GPU instances a card was cut into; 1 for a whole one.
    pub fn instances_per_card(&self) -> u32 {
        self.mig.as_ref().map_or(1, |mig| mig.per_card)
    }

    /// The queries of a Server run, which goes on until both its minimum duration (ten minutes, if
    /// none is stated) and its minimum number of queries are reached; nothing without a rate.
    pub fn queries(&self) -> Option<u64> {
        let lasts = self.min_duration.unwrap_or(SimDuration::from_secs(600));
        let rate = self.target_qps.filter(|_| self.scenario == TestScenario::Server)?;
        let made = (rate * lasts.as_secs_f64()).round() as u64;
        Some(made.max(self.min_queries.unwrap_or(1)))
    }

    /// The MIG profile that was measured, such as `1g.10gb`.
    pub fn mig_profile(&self) -> Option<&str> {
        self.mig.as_ref().map(|mig| mig.profile.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 270336 queries at 100 a second outlast ten minutes; 1000 a second make more in them.
    #[test]
    fn a_run_goes_on_until_both_least_durations_are_reached() {
        let run = |rate: Option<f64>, min_queries: Option<u64>| MeasuredRow {
            line: 2,
            round: String::new(),
            submitter: String::new(),
            system: String::new(),
            machine: String::new(),
            power_limited: false,
            gpu: "NVIDIA A30".to_string(),
            mig: Some(MigSlices { per_card: 4, profile: "1g.6gb".to_string() }),
            host: None,
            gpus: 4,
            virtualized: false,
            hetero: false,
            harness: "TRT".to_string(),
            benchmark: "bert-99".to_string(),
            scenario: TestScenario::Server,
            samples_per_s: None,
            scheduled_per_s: None,
            completed_per_s: None,
            target_qps: rate,
            target_latency: None,
            latency: BTreeMap::new(),
            min_duration: Some(SimDuration::from_secs(600)),
            min_queries,
            settings: MeasuredSettings::default(),
        };
        assert_eq!(run(Some(100.0), Some(270_336)).queries(), Some(270_336));
        assert_eq!(run(Some(1000.0), Some(270_336)).queries(), Some(600_000));
        assert_eq!(run(Some(100.0), None).queries(), Some(60_000));
        assert_eq!(run(None, None).queries(), None, "no rate was asked for");
        assert_eq!(run(None, None).gpu_id(), "a30");
        assert_eq!(run(None, None).accelerator(), "NVIDIA A30 (4x1g.6gb MIG)");
    }
}
