//! The question as a scenario: a sweep whose lines are the ways of sharing. Nothing else is
//! simulated.

use super::ways::{Way, quote};
use crate::units::SimDuration;

/// The values of the scenario.
#[derive(Clone, Debug)]
pub(super) struct ScenarioValues<'a> {
    pub(super) title: String,
    /// The value of `workload`: an id, or the name of the file beside the scenario.
    pub(super) workload: String,
    /// The GPU whose times are scaled, where the GPU in question has none.
    pub(super) scaled_from: Option<&'a str>,
    pub(super) gpu: &'a str,
    pub(super) gpus: u32,
    pub(super) vms: u32,
    pub(super) vcpus: u32,
    pub(super) rate: f64,
    pub(super) bound: SimDuration,
    pub(super) batch_max: u32,
    pub(super) seed: Option<u64>,
    pub(super) replications: u32,
    /// Whether it is an overload with every way of sharing: then only as many queries as needed.
    pub(super) is_short: bool,
    pub(super) ways: &'a [Way],
}

/// Logical processors of the host: enough for as many VMs as `ask` takes, where a host can have so many, so that
/// `capacity --vms` is stopped by GPUs.
const VMS_MOST: u32 = 64;
const PROCESSORS_MOST: u32 = 4096;

/// How long a load lasts at least, and how many queries each VM is asked at least: p99 has fifty beyond it in
/// each of three runs.
const LASTS: &str = "\"10 s\"";
/// Of an overload, which grows as long as it lasts.
const LASTS_SHORT: &str = "\"1 ms\"        # an overload: as long as the queries take";
const QUERIES: u32 = 5000;

impl ScenarioValues<'_> {
    /// The file.
    pub(super) fn text(&self) -> String {
        let processors = (VMS_MOST * self.vcpus).min(PROCESSORS_MOST).max(self.vms * self.vcpus);
        let seed = self.seed.map_or(String::new(), |seed| format!("seed = {seed}\n"));
        let head = format!(
            "# {title}: made by `slicewise ask` (slicewise {version}).
# `slicewise sweep FILE`, `slicewise capacity FILE` and `slicewise capacity FILE --vms` go on with it.
title = {quoted}
host = {{ logical_processors = {processors}, memory = \"1 TB\" }}
gpus = {{ model = {gpu}, count = {gpus} }}
{seed}
[[vm]]
name = \"vm\"
count = {vms}
vcpus = {vcpus}
workload = {workload}
{scaled}# Triton: all waiting queries form a batch at once, up to batch_max.
server = {{ preset = \"triton\", batch_max = {batch} }}

[vm.load]
scenario = \"server\"
rules = \"none\"
target_qps = {rate}
target_latency = {bound}
min_duration = {lasts}
min_query_count = {QUERIES}

# Every line is a way of sharing.
[sweep]
replications = {replications}
",
            title = self.title,
            version = env!("CARGO_PKG_VERSION"),
            quoted = quote(&self.title),
            gpu = quote(self.gpu),
            gpus = self.gpus,
            vms = self.vms,
            vcpus = self.vcpus,
            workload = quote(&self.workload),
            scaled = self
                .scaled_from
                .map_or(String::new(), |of| format!("scaled_from = {}\n", quote(of))),
            batch = self.batch_max,
            lasts = if self.is_short { LASTS_SHORT } else { LASTS },
            rate = self.rate,
            bound = quote(&self.bound.to_string()),
            replications = self.replications,
        );
        let lines = self.ways.iter().map(|way| {
            let set: Vec<String> =
                way.set.iter().map(|(key, value)| format!("{} = {value}", quote(key))).collect();
            format!(
                "\n[[sweep.line]]\nname = {}\nset = {{ {} }}\n",
                quote(&way.name),
                set.join(", ")
            )
        });
        head + &lines.collect::<String>()
    }
}
