//! A run that somebody measured: the settings of its harness and what its log said.
//!
//! It judges nothing; `study::validate` turns it into an experiment and compares.

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
    /// Who measured.
    pub submitter: String,
    /// The name of the system, unique with submitter, benchmark, scenario and `hetero`.
    pub system: String,
    /// The GPU's name as the vendor writes it, with a MIG profile in parentheses.
    pub accelerator: String,
    /// The host, by its name in the catalogue; nothing where the file does not say.
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
    /// Samples per second: of Offline.
    pub samples_per_s: Option<f64>,
    /// Scheduled samples per second: of Server.
    pub scheduled_per_s: Option<f64>,
    /// Completed samples per second: of Server.
    pub completed_per_s: Option<f64>,
    /// The rate that was asked for.
    pub target_qps: Option<f64>,
    /// The bound on latency.
    pub target_latency: Option<SimDuration>,
    /// Latencies by their names in the result document: `min`, `mean`, `p50` ... `max`.
    pub latency: BTreeMap<&'static str, SimDuration>,
    /// How long queries were made, at least.
    pub min_duration: Option<SimDuration>,
    /// How many queries were made, at least.
    pub min_queries: Option<u64>,
    /// How its harness was set.
    pub settings: MeasuredSettings,
}

/// The settings of a harness that decide what happens to a query.
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
    /// The columns that set a server; what a full batch is, every harness takes.
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

    /// The machine: its twins under another harness, at another power limit, with another number of
    /// the same GPUs, beside busy neighbours or in a virtual machine share the name.
    pub fn machine(&self) -> String {
        let mut name = self.system.replace("_vA100", "_A100");
        // Submitted in both divisions of MLPerf, with the same runs.
        for division in ["_edge_", "_datacenter_"] {
            name = name.replace(division, "_");
        }
        for ending in ["_HeteroMultiUse", "_Triton", "_MaxQ", "_TRT", "_MaxQ"] {
            name = name.strip_suffix(ending).unwrap_or(&name).to_string();
        }
        let digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let name = digits.strip_suffix('x').filter(|_| digits.len() < name.len()).unwrap_or(&name);
        format!("{} {}", self.submitter, name.to_lowercase())
    }

    /// Whether a Server run has a tail that no queue makes: p99 far above p90. Something on the host
    /// stopped it now and then; its p99 says nothing of the GPU.
    pub fn has_host_stalls(&self) -> bool {
        let ms = |name: &str| self.latency.get(name).map(|span| span.as_millis_f64());
        let tail = ms("p90").zip(ms("p99"));
        self.scenario == TestScenario::Server && tail.is_some_and(|(p90, p99)| p99 > 1.8 * p90)
    }

    /// Whether two benchmarks are asked for other accuracies of one model: `bert-99` and `bert-99.9`.
    pub fn is_of_family(&self, other: &MeasuredRow) -> bool {
        self.benchmark.split("-9").next() == other.benchmark.split("-9").next()
    }

    /// Whether it is another's run, handed in under the name of another accuracy.
    pub fn is_run_of(&self, other: &MeasuredRow) -> bool {
        let rate = |run: &MeasuredRow| run.completed_per_s.or(run.samples_per_s);
        self.benchmark != other.benchmark
            && self.is_of_family(other)
            && (&self.system, &self.submitter) == (&other.system, &other.submitter)
            && (self.scenario, &self.accelerator) == (other.scenario, &other.accelerator)
            && self.hetero == other.hetero
            && (rate(self), &self.latency) == (rate(other), &other.latency)
    }

    /// Whether the card's power was limited below its usual limit.
    pub fn is_power_limited(&self) -> bool {
        self.system.contains("MaxQ")
    }

    /// The accelerator without MIG profile, in lower case without the vendor: `a100-pcie-80gb`.
    pub fn gpu_id(&self) -> String {
        let name = self.accelerator.split('(').next().unwrap_or_default().trim().to_lowercase();
        name.strip_prefix("nvidia ").unwrap_or(&name).to_string()
    }

    /// How many GPU instances the name says one card was cut into: 4 of `NVIDIA A30 (4x1g.6gb MIG)`; 1
    /// for a whole card.
    pub fn instances_per_card(&self) -> u32 {
        let inside = self.accelerator.split_once('(').map(|(_, inside)| inside);
        let count = inside.and_then(|inside| inside.split_once('x')?.0.trim().parse().ok());
        count.filter(|count| *count > 0).unwrap_or(1)
    }

    /// The queries of a Server run, which goes on until both its least duration (ten minutes, if none is
    /// stated) and its least number are reached; nothing without a rate.
    pub fn queries(&self) -> Option<u64> {
        let lasts = self.min_duration.unwrap_or(SimDuration::from_secs(600));
        let rate = self.target_qps.filter(|_| self.scenario == TestScenario::Server)?;
        let made = (rate * lasts.as_secs_f64()).round() as u64;
        Some(made.max(self.min_queries.unwrap_or(1)))
    }

    /// The MIG profile that was measured, such as `1g.10gb`.
    pub fn mig_profile(&self) -> Option<&str> {
        let inside = self.accelerator.split_once('(')?.1;
        inside.split_whitespace().next()?.split_once('x').map(|(_, profile)| profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_of_a_machine_share_its_name() {
        let run = |system: &str| MeasuredRow {
            line: 2,
            round: String::new(),
            submitter: "Dell".to_string(),
            system: system.to_string(),
            accelerator: "NVIDIA A30 (1x1g.6gb MIG)".to_string(),
            host: None,
            gpus: 1,
            virtualized: false,
            hetero: false,
            harness: "TRT".to_string(),
            benchmark: "bert-99".to_string(),
            scenario: TestScenario::Server,
            samples_per_s: None,
            scheduled_per_s: None,
            completed_per_s: None,
            target_qps: None,
            target_latency: None,
            latency: BTreeMap::new(),
            min_duration: None,
            min_queries: None,
            settings: MeasuredSettings::default(),
        };
        for system in [
            "R7525_A100-PCIE-40GBx3_TRT",
            "R7525_vA100-PCIE-40GBx3_TRT",
            "R7525_A100-PCIE-40GBx3_TRT_MaxQ",
            "R7525_A100-PCIE-40GBx1_TRT_Triton",
            "R7525_edge_A100-PCIE-40GBx1_TRT",
            "R7525_A100-PCIE-40GBx1_TRT_HeteroMultiUse",
        ] {
            assert_eq!(run(system).machine(), "Dell r7525_a100-pcie-40gb");
        }
        // 270336 queries at 100 a second outlast ten minutes; 1000 a second make more in them.
        let server = |rate: f64, least: Option<u64>| MeasuredRow {
            target_qps: Some(rate),
            min_duration: Some(SimDuration::from_secs(600)),
            min_queries: least,
            ..run("x")
        };
        assert_eq!(server(100.0, Some(270_336)).queries(), Some(270_336));
        assert_eq!(server(1000.0, Some(270_336)).queries(), Some(600_000));
        assert_eq!(server(100.0, None).queries(), Some(60_000));
        assert_eq!(run("x").queries(), None, "no rate was asked for");
        assert_eq!(run("x").gpu_id(), "a30");
        assert_eq!(run("x").mig_profile(), Some("1g.6gb"));
    }
}
