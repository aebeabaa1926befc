//! slicewise answers one question: **this load, on these GPUs, shared this way, under this
//! hypervisor: what throughput and what latency, compared with the same load on bare metal?**
//!
//! It is a discrete-event simulator. Everything that makes a query wait is a
//! [`Station`](queueing::Station); one function knows the path from station to station:
//!
//! ```text
//!             in the VM                    │          on the card           │       in the VM
//!  LoadGen ─► Batcher ─► vCPUs ─► delay ─► copy in ─► stream ─► Card ─► copy out ─► order ─► vCPUs ─► Recorder
//!   feeds     permits    launch   submit    PCIe       gate     pool     PCIe     sequencer  finish
//!                └───────────────── permits come back ────────────┴───────────────────────────┘
//! ```
//! That path is `platform/route.rs`, the best file to read first. How VMs share a card (whole,
//! time-sliced or cut into GPU instances) is inside the [`Card`](gpu::Card); the path does not
//! change with it.
//!
//! # A scenario, simulated
//!
//! One of the published runs, cut to ten seconds, in its VM and on bare metal with the same draws:
//!
//! ```
//! use slicewise::config::{Catalogue, LoadOptions, load};
//! use slicewise::platform::simulate;
//! use slicewise::study::same_cards;
//! use slicewise::units::SimDuration;
//! use std::path::Path;
//!
//! # fn main() -> Result<(), slicewise::config::LoadError> {
//! let options = LoadOptions::new(Catalogue::load(None)?);
//! let file = Path::new("scenarios/vsphere-mlperf-v1.1/bert-99-server.toml");
//! let scenario = load(file, &options)?;
//!
//! let mut in_a_vm = scenario.pairs[0].virtual_run.experiment.clone();
//! in_a_vm.vms[0].load.settings.min_duration = SimDuration::from_secs(10);
//! in_a_vm.vms[0].load.settings.min_query_count = 1;
//! let bare = same_cards(&in_a_vm);
//!
//! let (virtual_run, bare_run) = (simulate(&in_a_vm), simulate(&bare));
//! let (vm, metal) = (&virtual_run.vms[0], &bare_run.vms[0]);
//! assert!(vm.failed_rules.is_empty(), "VALID: 99 % of the queries within 130 ms");
//! // The same queries at the same instants, each a little later under the hypervisor.
//! assert_eq!(vm.recorder.latencies().count(), metal.recorder.latencies().count());
//! assert!(vm.recorder.latencies().mean() > metal.recorder.latencies().mean());
//! # Ok(())
//! # }
//! ```
//!
//! What `slicewise run` does with a scenario (intervals, other choices, published figures) is
//! [`study::run()`]; [`report`] makes its files.
//!
//! # One thing varied: the highest rate
//!
//! A scenario may be text, and any key of it set from outside. What does a server carry within
//! the bound with batches of 4, and of 16?
//!
//! ```
//! use slicewise::config::{Catalogue, LoadOptions, Task, task_of_text};
//! use slicewise::study::{CapacitySearch, capacity};
//! use std::path::Path;
//!
//! # fn main() -> Result<(), slicewise::config::LoadError> {
//! let text = r#"
//!     host = "dell-r7525"
//!     hypervisor = "vsphere-7.0u2"
//!     gpus = { model = "a100-pcie-40gb", count = 1 }
//!     [[vm]]
//!     gpus = 1
//!     vcpus = 8
//!     workload = "bert-99"
//!     load = { scenario = "server", target_qps = 1000, min_duration = "2 s", min_query_count = 1 }
//! "#;
//! let mut options = LoadOptions::new(Catalogue::load(None)?);
//! options.rates_are_parts = true;
//! let mut highest = Vec::new();
//! for batch_max in [4, 16] {
//!     options.set = vec![format!("vm.server.batch_max={batch_max}")];
//!     let Task::Run(scenario) = task_of_text(Path::new("text"), text, &options)? else { panic!() };
//!     let experiment = &scenario.pairs[0].virtual_run.experiment;
//!     highest.push(capacity(experiment, CapacitySearch { precision: 0.02 }));
//! }
//! assert!(highest[1] > highest[0], "queries per second: {highest:?}");
//! # Ok(())
//! # }
//! ```
//!
//! Whole grids, with files that say their axes, are [`study::sweep()`].
//!
//! # Predictions for a model of one's own
//!
//! Batches timed alone on a GPU become a workload, and the workload shares the GPU:
//!
//! ```
//! use slicewise::config::{Catalogue, LoadOptions, Task, calibration_of, task_of_text};
//! use slicewise::{platform::simulate, report, study::calibrate};
//! use std::path::Path;
//!
//! # fn main() -> anyhow::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! let times = folder.path().join("times.csv");
//! std::fs::write(&times, "batch,latency_ms\n1,0.75\n4,1.5\n16,4.5\n")?;
//! let told = format!("name = \"mine\"\ngpu = \"a30\"\n[[times]]\ncsv = {times:?}\n");
//! let options = LoadOptions::new(Catalogue::load(None)?);
//! let results = calibrate(&calibration_of(told, &options)?, &|_, _, _| {});
//!
//! let file = report::catalogue_file(&results);
//! let catalogue = options.catalogue.with_workload_file("mine.toml", file);
//! let text = r#"
//!     host = "dell-r7525"
//!     hypervisor = "vsphere-7.0u2"
//!     gpus = { model = "a30", count = 1 }
//!     [[vm]]
//!     count = 2
//!     vgpu = { type = "A30-12C" }
//!     vcpus = 4
//!     workload = "mine.toml"
//!     load = { scenario = "server", target_qps = 500, min_duration = "2 s", min_query_count = 1 }
//! "#;
//! let options = LoadOptions::new(catalogue);
//! let Task::Run(scenario) = task_of_text(Path::new("text"), text, &options)? else { panic!() };
//! let outcome = simulate(&scenario.pairs[0].virtual_run.experiment);
//! let p99 = outcome.vms[0].recorder.query_latencies().quantile(0.99).unwrap();
//! assert!(p99.as_millis_f64() > 0.75, "no query is faster than its batch");
//! # Ok(())
//! # }
//! ```
//!
//! # What fits on a card
//!
//! In which order GPU instances are made, and at which memory slice the driver puts each:
//!
//! ```
//! use slicewise::config::Catalogue;
//! use slicewise::layout::{creation::order_for, geometry::Geometry};
//!
//! # fn main() -> Result<(), slicewise::config::LoadError> {
//! let catalogue = Catalogue::load(None)?;
//! let profiles = &catalogue.gpu("a100-pcie-40gb").unwrap().mig_profiles;
//! let wanted = |names: &[&str]| -> Vec<u32> {
//!     profiles.iter().map(|one| u32::from(names.contains(&one.name.as_str()))).collect()
//! };
//! let geometry = Geometry::new(profiles);
//! let order = order_for(&geometry, &wanted(&["3g.20gb", "4g.20gb"])).expect("a layout");
//! let starts: Vec<_> = order.iter().map(|at| (profiles[at.0].name.as_str(), at.1)).collect();
//! assert!(starts.contains(&("4g.20gb", 0)) && starts.contains(&("3g.20gb", 4)));
//! assert!(order_for(&geometry, &wanted(&["4g.20gb", "7g.40gb"])).is_none());
//! # Ok(())
//! # }
//! ```
//!
//! What the commands `mig` and `vgpu` answer, drawings and reasons included, is [`study::plans`].
//!
//! # A time-slice policy of one's own
//!
//! A [`TimeSlicePolicy`](gpu::TimeSlicePolicy) is some twenty lines; [`gpu::register`] makes its name
//! known to scenario files and to every command. `examples/own_policy.rs` is complete.
//!
//! # Modules, by floor
//!
//! A module uses what is on floors below it; `ARCHITECTURE.md` says what else, and why.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 7 | [`cli`] | the commands |
//! | 6 | [`config`], [`formats`], [`report`] | files in, files out |
//! | 5 | [`study`] | what to run (pairs, sweeps), and what the outcomes mean |
//! | 4 | [`platform`] | the machine, wired and run |
//! | 3 | [`loadgen`], [`host`], [`gpu`], [`layout`], [`record`] | its parts |
//! | 2 | [`spec`] | the nouns: an [`Experiment`](spec::Experiment) is all that one run needs |
//! | 1 | [`engine`], [`queueing`] | events, chance, stations; no word about GPUs |
//! | 0 | [`units`], [`shown`], [`suggest`] | quantities; text fit to be shown; "did you mean" |

#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod engine;
pub mod explore;
pub mod formats;
pub mod gpu;
pub mod host;
pub mod layout;
pub mod loadgen;
pub mod operations;
mod parallel;
pub mod platform;
pub mod queueing;
pub mod record;
pub mod report;
#[cfg(feature = "serve")]
pub mod serve;
pub mod shown;
pub mod spec;
pub mod study;
pub mod suggest;
pub mod units;
