//! An experiment of one's own: a scenario as text, one key of it varied, one line for each value.
//!
//! What do larger batches buy? Prints p99 in the VM and on bare metal for each limit:
//! `cargo run --release --example own_experiment`

use slicewise::config::{Catalogue, LoadOptions, Task, task_of_text};
use slicewise::platform::simulate;
use slicewise::spec::Experiment;
use slicewise::study::same_cards;
use std::path::Path;

/// The keys are those of scenario files; the names of hardware are those of `slicewise list`.
const SCENARIO: &str = r#"
host = "dell-r7525"
hypervisor = "vsphere-7.0u2"
gpus = { model = "a100-pcie-40gb", count = 1 }

[[vm]]
vcpus = 8
gpus = 1
workload = "bert-99"
server = { preset = "triton", batch_max = 16 }

[vm.load]
scenario = "server"
target_qps = 300
min_duration = "10 s"
min_query_count = 1
"#;

/// The time that 99 in 100 queries do not exceed, in milliseconds.
fn p99_ms(experiment: &Experiment) -> f64 {
    let outcome = simulate(experiment);
    let latencies = outcome.vms[0].recorder.query_latencies();
    latencies.quantile(0.99).expect("queries").as_millis_f64()
}

fn main() -> anyhow::Result<()> {
    let mut options = LoadOptions::new(Catalogue::load(None)?);
    println!("batch_max   p99 in the VM   on bare metal");
    for batch_max in [1, 2, 4, 16] {
        options.set = vec![format!("vm.server.batch_max={batch_max}")];
        let task = task_of_text(Path::new("own-experiment.toml"), SCENARIO, &options)?;
        let Task::Run(scenario) = task else { anyhow::bail!("a sweep") };
        let in_a_vm = &scenario.pairs[0].virtual_run.experiment;
        // The same queries at the same instants, without the hypervisor.
        let (vm, metal) = (p99_ms(in_a_vm), p99_ms(&same_cards(in_a_vm)));
        println!("{batch_max:9}   {vm:10.2} ms   {metal:10.2} ms");
    }
    Ok(())
}
