//! The result document: the basis of every report, and the structure of `result.json`.
//!
//! The structure is a contract (`schema_version`): keys may be added, and no key changes its
//! meaning. Units are part of the keys. Nothing here is formatted for people.

use super::figures::LatencyMs;
use super::interval::Interval;
use super::open::OpenEnd;
use super::over_shares::OverShare;
use super::over_time::OperationsResult;
use super::power::PowerResult;
use super::token_fits::TokenSpread;
use super::tokens::TokenResult;
use super::uncertainty::{PairedRatio, Uncertainty};
use super::verdict::Verdict;
use crate::spec::{Scenario, Standing, Sweep};
use serde::{Deserialize, Serialize, Serializer};

/// Version of the document's structure.
pub const SCHEMA_VERSION: u32 = 1;

/// The results of one call of `slicewise run`.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The program and the input.
    #[serde(flatten)]
    pub head: Head,
    /// The answer in short.
    pub verdict: Verdict,
    /// Every run: per pair first the virtual side, then its baselines.
    pub runs: Vec<RunResult>,
    /// Every pair whose capacity was compared.
    pub comparisons: Vec<Comparison>,
    /// Each VM of a run beside its counterfactuals, which draw the same random numbers.
    pub paired_ratios: Vec<PairedRatio>,
    /// Service times scaled from another GPU: sentences for the head of a report; none where all
    /// are the GPUs' own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<String>,
    /// Notes to be read before the figures; whole sentences.
    pub notes: Vec<String>,
    /// The fitted and assumed numbers that the result uses, each once.
    pub leans_on: Vec<FactUse>,
}

/// The head of a document: the program and the input.
#[derive(Clone, Debug, Serialize)]
pub struct Head {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The program that made the document.
    pub tool: Tool,
    /// The seed of every random stream.
    pub seed: u64,
    /// Hash of all input, 16 hexadecimal digits.
    pub scenario_hash: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
}

impl Head {
    /// The head of a document made by this program from a scenario with this name, title, hash and
    /// seed.
    pub fn of(name: &str, title: &str, hash: &str, seed: u64) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool::THIS,
            seed,
            scenario_hash: hash.to_string(),
            scenario: name.to_string(),
            title: title.to_string(),
        }
    }
}

impl From<&Scenario> for Head {
    fn from(of: &Scenario) -> Self {
        Self::of(&of.name, &of.title, &of.hash, of.seed)
    }
}

impl From<&Sweep> for Head {
    fn from(of: &Sweep) -> Self {
        Self::of(&of.name, &of.title, &of.hash, of.seed)
    }
}

/// The program that made a document.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// Always `slicewise`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Tool {
    /// This program.
    pub const THIS: Tool = Tool { name: "slicewise", version: env!("CARGO_PKG_VERSION") };
}

/// The side of a pair that a run is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The run with VMs.
    Virtual,
    /// A run that it is compared with.
    Baseline,
}

impl Side {
    /// Its word in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Virtual => "virtual",
            Self::Baseline => "baseline",
        }
    }
}

impl Results {
    /// Every VM with its run.
    pub fn vms(&self) -> impl Iterator<Item = (&RunResult, &VmResult)> {
        self.runs.iter().flat_map(|run| run.vms.iter().map(move |vm| (run, vm)))
    }

    /// Whether any host has cards of several models, so that VMs state the models of their cards.
    pub fn has_several_models(&self) -> bool {
        self.vms().any(|(_, vm)| !vm.gpu_models.is_empty())
    }
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct RunResult {
    /// The pair's name.
    pub name: String,
    /// The side.
    pub side: Side,
    /// The hypervisor's catalogue name.
    pub platform: String,
    /// For a baseline, `same-cards`, `whole-cards` or `twin`.
    pub baseline_kind: Option<&'static str>,
    /// For a twin, the settings in which it differs from the virtual run.
    pub differs: Vec<String>,
    /// The assumptions about time slicing of a run on shared cards; nothing for others.
    pub assumes: Option<String>,
    /// The same run with other choices of what is not documented.
    pub alternatives: Vec<AlternativeResult>,
    /// The figures of the run at the ends of inputs that were not measured.
    pub open: Vec<OpenFigures>,
    /// One entry per VM.
    pub vms: Vec<VmResult>,
    /// The servers, where they answer several VMs together; none where each VM has its own.
    pub servers: Vec<ServerResult>,
    /// One entry per card.
    pub gpus: Vec<GpuResult>,
    /// What each VM had of the host's processors, those with other work than inference included; left
    /// out where no VM has to share cores.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpu: Vec<CpuResult>,
    /// The VMs that had more of a card than its policy promises; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over_shares: Vec<OverShare>,
    /// Its operations, with what they did; left out where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<OperationsResult>,
    /// Its watts and energy; left out where it tells none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerResult>,
}

impl RunResult {
    /// The platform, and for a baseline its kind: together they distinguish the runs of a pair.
    pub fn place(&self) -> String {
        match (self.side, self.baseline_kind) {
            (Side::Baseline, Some(kind)) => {
                format!("{} ({})", self.platform, kind.replace('-', " "))
            }
            (Side::Baseline, None) => format!("{} (baseline)", self.platform),
            (Side::Virtual, _) => self.platform.clone(),
        }
    }

    /// The models of a VM's cards.
    pub fn models_of(&self, vm: &VmResult) -> Vec<&str> {
        let mut models: Vec<&str> = Vec::new();
        for card in self.gpus.iter().filter(|card| vm.cards.contains(&card.id)) {
            if !models.contains(&card.model.as_str()) {
                models.push(&card.model);
            }
        }
        models
    }

    /// The name of one of its VMs in the results: `pair / vm`, or the pair's name where it has one
    /// VM.
    pub fn name_of(&self, vm: &str) -> String {
        if self.vms.len() > 1 { format!("{} / {vm}", self.name) } else { self.name.clone() }
    }
}

/// What a VM had of the host's processors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CpuResult {
    /// The VM's name.
    pub vm: String,
    /// The group that it belongs to; else its own name.
    pub group: String,
    /// Its work.
    pub work: CpuWork,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Shares of the whole VM.
    pub shares: u64,
    /// What it is guaranteed, in MHz.
    pub reservation_mhz: f64,
    /// What it never exceeds, in MHz; nothing for no limit.
    pub limit_mhz: Option<f64>,
    /// Mean number of its vCPUs that had work: the cores that it wanted.
    pub wanted_cores: f64,
    /// Work done, in cores that do nothing else.
    pub got_cores: f64,
    /// %RDY of a vCPU: the part of the time in which it had work and no processor, time lost to a limit
    /// included, in percent.
    pub ready_percent: f64,
}

/// The work of a VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CpuWork {
    /// It answers queries.
    Inference,
    /// vCPUs that are always busy.
    Constant,
    /// vCPUs with bursts of work.
    Bursty,
}

impl CpuWork {
    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            CpuWork::Inference => "inference",
            CpuWork::Constant => "constant",
            CpuWork::Bursty => "bursty",
        }
    }
}

/// A run with another choice of what is not documented.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlternativeResult {
    /// The choice, as a scenario file would write it.
    pub option: String,
    /// 99th percentile of each VM's latency, in milliseconds.
    pub latency_p99_ms: Vec<f64>,
}

/// The results of one VM's load.
#[derive(Clone, Debug, Serialize)]
pub struct VmResult {
    /// The VM's name.
    pub name: String,
    /// The group that it belongs to: VMs of one `count` are one. Else its own name.
    pub group: String,
    /// The workload's catalogue name; for an ensemble those of its steps, with ` > ` between them.
    pub workload: String,
    /// `server`, `offline`, `singlestream`, `multistream` or `closed-loop`; `step` for a model that
    /// gets queries only from ensembles: its figures are those of the queries that pass through it,
    /// from their arrival at it.
    pub scenario: &'static str,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Its cards, by id.
    pub cards: Vec<u16>,
    /// The models of these cards; left out where all cards of the pair's host are of one model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpu_models: Vec<String>,
    /// The GPU models on which its service times are scaled, with the GPU they are scaled from: `l4
    /// from a10`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<String>,
    /// For an ensemble: the figures of each step; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepResult>,
    /// The target rate; 0, and null in the document, for a model without a load of its own.
    #[serde(serialize_with = "unless_zero")]
    pub target_qps: f64,
    /// Queries completed.
    pub queries: u64,
    /// Samples completed.
    pub samples: u64,
    /// Queries that the server rejected: they have no latency and count as late; nothing where its
    /// settings reject none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u64>,
    /// The figures of each priority level, the most urgent first; empty where there is only one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority_levels: Vec<LevelResult>,
    /// (n - 1) / last due time; nothing where arrivals are not scheduled.
    pub scheduled_per_s: Option<f64>,
    /// (n - 1) / last completion; Offline: samples / makespan.
    pub completed_per_s: f64,
    /// The highest VALID rate, where it was searched.
    pub capacity_qps: Option<f64>,
    /// Latencies in milliseconds.
    pub latency_ms: LatencyMs,
    /// LoadGen's bound; 0, and null in the document, for a model without a load of its own.
    #[serde(serialize_with = "unless_zero")]
    pub target_latency_ms: f64,
    /// Queries that miss the bound over those that may, where a VM of the run left queries without an
    /// answer; not in documents, which have them in `operations` and `rejected`.
    #[serde(skip)]
    pub late_of_allowed: Option<f64>,
    /// Mean time of each stage of a sample's path, in milliseconds, in the order of the path; none where
    /// an LLM is served: `tokens` has the parts of a request's time.
    pub stages_ms: Vec<StageMean>,
    /// What was made of tokens; left out where no LLM is served. Then samples are requests, and a request
    /// is judged by its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenResult>,
    /// Mean samples per batch; of an LLM mean requests that ran.
    pub batch_mean: f64,
    /// LoadGen's settings of the test.
    pub load: LoadResult,
    /// LoadGen's verdict.
    pub verdict: VerdictResult,
    /// The origin of the rate and of the latencies: given, fitted or predicted.
    pub standing: FigureStanding,
    /// The published figures beside them.
    pub published: Option<PublishedResult>,
    /// The figures with other fits and on other machines; nothing where no input has a range.
    pub fits: Option<FitSpread>,
    /// How certain the figures are.
    pub uncertainty: Uncertainty,
}

/// What a model without a load of its own has not.
fn unless_zero<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    (*value != 0.0).then_some(value).serialize(serializer)
}

/// The figures of one step of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepResult {
    /// The name of the model, or of the work on processors.
    pub step: String,
    /// Queries that passed it.
    pub queries: u64,
    /// Mean time until the batch is formed or a processor is free, in milliseconds.
    pub queue_mean_ms: f64,
    /// Mean time from then until it leaves the step, in milliseconds.
    pub run_mean_ms: f64,
    /// Time from a query's arrival at the step until it leaves it, in milliseconds.
    pub latency_ms: LatencyMs,
    /// Mean samples of the batches; nothing on processors.
    pub batch_mean: Option<f64>,
}

/// The figures of one priority level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelResult {
    /// From 1, the most urgent.
    pub level: usize,
    /// Queries completed.
    pub queries: u64,
    /// Queries rejected.
    pub rejected: u64,
    /// Latencies in milliseconds; 0 where none was completed.
    pub latency_ms: LatencyMs,
}

/// The figures of a run with an input that was not measured at an end of its range.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OpenFigures {
    /// The input and the end.
    #[serde(flatten)]
    pub end: OpenEnd,
    /// Samples per second of all VMs.
    pub completed_per_s: f64,
    /// p99 of the VM that has the highest, in milliseconds.
    pub latency_p99_worst_vm_ms: f64,
}

/// The least and the greatest of each figure among the inputs that measurements leave open: fits
/// nearly as good, inputs that were not measured at the ends of their ranges, and slow and fast
/// machines and platforms (5th and 95th percentile).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitSpread {
    /// How many sets of inputs were run.
    pub sets: usize,
    /// Completed per second.
    pub completed_per_s: [f64; 2],
    /// Latencies in milliseconds, by the names of [`LatencyMs`].
    pub latency_ms: std::collections::BTreeMap<String, [f64; 2]>,
    /// Of tokens; left out where no LLM is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenSpread>,
}

/// Mean time a sample spends in one stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageMean {
    /// The stage's name.
    pub stage: &'static str,
    /// Mean over samples, in milliseconds.
    pub mean_ms: f64,
}

/// LoadGen's verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerdictResult {
    /// Whether the run is VALID.
    pub valid: bool,
    /// The rules it failed. An LLM without bounds of goodput has none to fail.
    pub failed_rules: Vec<String>,
    /// Their names: `latency`, `min_duration`, `min_queries`, `early_stopping`; of an LLM `goodput`.
    pub failed: Vec<&'static str>,
    /// Whether early stopping is satisfied; nothing before round v2.0, and where there is none.
    pub early_stopping: Option<bool>,
    /// The estimates of early stopping, reported instead of percentiles (SingleStream,
    /// MultiStream).
    pub estimates: Vec<EstimateResult>,
}

/// LoadGen's settings of a test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadResult {
    /// The MLPerf round whose rules hold.
    pub round: &'static str,
    /// Its seed for arrivals; used by the first VM with seed 0.
    pub schedule_seed: u64,
    /// Samples of a query; Offline: 1, though its one query has all.
    pub samples_per_query: u64,
    /// The percentile that is judged or reported, in percent.
    pub percentile: f64,
    /// Least duration in milliseconds.
    pub min_duration_ms: f64,
    /// Least number of queries.
    pub min_query_count: u64,
}

/// A percentile with 99 % confidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EstimateResult {
    /// In percent.
    pub percentile: f64,
    /// Least number of queries for an estimate.
    pub queries_min: u64,
    /// How many of the highest latencies are left out; nothing with too few queries.
    pub discarded: Option<u64>,
    /// The estimate, in milliseconds; nothing with too few queries.
    pub latency_ms: Option<f64>,
}

/// The origin of a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It is an input: a Server rate.
    Given,
    /// A number in use was fitted on this very row.
    Fitted,
    /// No number in use was fitted on this row.
    Predicted,
}

/// The origins of a VM's figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct FigureStanding {
    /// `completed_per_s`.
    pub rate: Origin,
    /// `latency_ms`.
    pub latency: Origin,
}

/// Published figures and the errors of the simulated ones.
#[derive(Clone, Debug, Serialize)]
pub struct PublishedResult {
    /// Samples per second.
    pub completed_per_s: Option<f64>,
    /// Latencies in milliseconds, by the names of [`LatencyMs`].
    pub latency_ms: std::collections::BTreeMap<String, f64>,
    /// Simulated over published, minus 1, in percent; keys `completed_per_s`, `p50`, ...
    pub error_percent: std::collections::BTreeMap<String, f64>,
    /// Where it was published.
    pub source: String,
}

/// One card.
#[derive(Clone, Debug, Serialize)]
pub struct GpuResult {
    /// Index of the card in the host.
    pub id: u16,
    /// The GPU model's catalogue name.
    pub model: String,
    /// Part of the run in which the card was busy, 0 to 1.
    pub busy_share: f64,
    /// Where its time went.
    pub time: GpuTime,
}

/// Where the time of a card went: parts of the run, 0 to 1, that together make 1.
#[derive(Clone, PartialEq, Default, Debug, Serialize)]
pub struct GpuTime {
    /// What each owner had.
    pub owners: Vec<OwnerShare>,
    /// The engine passed from one owner to another while any had work.
    pub switch_share: f64,
    /// Burned in the turns of vGPUs that no VM has.
    pub vacant_share: f64,
    /// Nobody had work; and the SMs that no work used, or that no instance has.
    pub idle_share: f64,
}

/// What one owner had of a card.
#[derive(Clone, PartialEq, Default, Debug, Serialize)]
pub struct OwnerShare {
    /// The VMs: several where one server answers them, or where models are one process.
    pub vms: Vec<String>,
    /// The GPU instance that it is on, from 0.
    pub instance: u16,
    /// That instance's part of the card's SMs, 0 to 1.
    pub instance_share: f64,
    /// Its work ran.
    pub run_share: f64,
    /// Burned: the engine was in its turn without work while another owner had work.
    pub burned_share: f64,
}

/// A server that answers the queries of several VMs, merged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerResult {
    /// Their names.
    pub vms: Vec<String>,
    /// Its cards, by id.
    pub cards: Vec<u16>,
    /// Processors it has.
    pub processors: u32,
}

/// The highest rates of both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The pair's name.
    pub name: String,
    /// The scenario of the runs.
    pub scenario: &'static str,
    /// The kind of bare metal: `same-cards` or `whole-cards`; only the first where they are the
    /// same run.
    pub baseline_kind: &'static str,
    /// Highest VALID rate, or Offline rate, of the virtual side.
    pub virtual_per_s: f64,
    /// The same of bare metal with identical settings.
    pub baseline_per_s: f64,
    /// Their ratio: the prediction.
    pub capacity_ratio: f64,
    /// Mean of the ratio over replications with its 95 % interval, each replication with the same
    /// random numbers on both sides; nothing where there is one.
    pub capacity_ratio_replicated: Option<Interval>,
    /// Relative precision of the search; 0 for Offline rates, which need no search.
    pub precision: f64,
    /// Published virtual over published bare-metal rate; for Server these rates were chosen, not
    /// measured.
    pub published_ratio: Option<f64>,
}

/// A fitted or assumed number in use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FactUse {
    /// Its place, such as `workloads/bert-99.9 launch`.
    pub fact: String,
    /// Its value as files write it.
    pub value: String,
    /// Fitted or assumed.
    pub standing: Standing,
    /// Its source.
    pub source: String,
}
