//! A time-slice policy of one's own: the hypervisor's turns for VMs with work, and for nobody else.
//!
//! Prints p99 of the same load under equal share and under this policy:
//! `cargo run --release --example own_policy`

use slicewise::config::{Catalogue, LoadOptions, Task, task_of_text};
use slicewise::gpu::{Entry, PolicyEntry, TimeSlicePolicy, register};
use slicewise::platform::simulate;
use slicewise::spec::IdleRule;
use std::path::Path;

/// Turns of a length that can be set, as under equal share; but a VM without work has none.
#[derive(Debug)]
struct OnlyWork;

impl TimeSlicePolicy for OnlyWork {
    fn slots(&self, owners: usize) -> usize {
        owners
    }

    fn offers_turn(&self, entry: &Entry) -> bool {
        entry.has_work
    }

    /// A VM that runs dry passes the GPU on at once.
    fn idle_rule(&self) -> IdleRule {
        IdleRule::Polled
    }
}

/// Two VMs share an A100, and use half of it.
const SCENARIO: &str = r#"
host = "dell-r7525"
hypervisor = "vsphere-7.0u2"
gpus = { model = "a100-pcie-40gb", count = 1 }
sharing = { policy = "equal-share", slice = "4 ms" }

[[vm]]
count = 2
vcpus = 8
vgpu = { type = "A100-20C" }
workload = "bert-99"
server = { preset = "triton", batch_max = 8 }

[vm.load]
scenario = "server"
target_qps = 300
min_duration = "20 s"
min_query_count = 1
"#;

fn main() -> anyhow::Result<()> {
    // Before any file is read: from here on files may name it.
    let about = "turns of the hypervisor for those with work, and for nobody else";
    register(PolicyEntry::new("only-work", about, |_slicing| Box::new(OnlyWork)));

    let mut options = LoadOptions::new(Catalogue::load(None)?);
    for policy in ["equal-share", "only-work"] {
        // The same as `policy = "..."` under `[sharing]` in the file.
        options.set = vec![format!("sharing.policy={policy}")];
        let task = task_of_text(Path::new("own-policy.toml"), SCENARIO, &options)?;
        let Task::Run(scenario) = task else { anyhow::bail!("a sweep") };
        let outcome = simulate(&scenario.pairs[0].virtual_run.experiment);
        for (vm, outcome) in outcome.vms.iter().enumerate() {
            let p99 = outcome.recorder.query_latencies().quantile(0.99).expect("queries");
            println!("{policy:12} vm-{}  p99 {:6.2} ms", vm + 1, p99.as_millis_f64());
        }
    }
    Ok(())
}
