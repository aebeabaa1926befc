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
//! # Example
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
pub mod formats;
pub mod gpu;
pub mod host;
pub mod layout;
pub mod loadgen;
pub mod platform;
pub mod queueing;
pub mod record;
pub mod report;
pub mod shown;
pub mod spec;
pub mod study;
pub mod suggest;
pub mod units;
