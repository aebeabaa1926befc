//! The list of all facts of a thing, each under its key: results, explanations and workload files
//! are made of it.
//!
//! Which of them a run uses is decided in `in_use`.

use super::{
    ComputeCapability, CpuScheduling, CpuWork, Fact, GpuSpec, HardwareTurns, HostLink, HostSpec,
    HostStates, Hypervisor, PhiTable, Scaled, ServiceTime, SizeDistribution, SliceLaw, Standing,
    StepRates, SwitchCost, WorkTable, Workload,
};
use crate::units::{Bandwidth, Bytes, Frequency, Share, SimDuration};
use std::fmt;

/// A [`Fact`] without the type of its value, for lists of facts of many types.
#[derive(Clone, Copy)]
pub struct NamedFact<'f> {
    /// The key in the entry's file, such as `cpu.launch_per_batch`; the key of a service time is
    /// below its GPU there.
    pub key: &'static str,
    /// The number.
    pub value: &'f dyn FactValue,
    /// As [`Fact::range`].
    pub range: Option<[&'f dyn FactValue; 2]>,
    /// As [`Fact::source`].
    pub source: &'f str,
    /// As [`Fact::standing`].
    pub standing: Standing,
    /// As [`Fact::fitted_on`].
    pub fitted_on: &'f [String],
    /// As [`Fact::residual`].
    pub residual: Option<f64>,
}

/// A type that the value of a fact can have.
pub trait FactValue: fmt::Display {
    /// The value as a file writes it.
    fn text(&self) -> String {
        format!("\"{self}\"")
    }

    /// The keys that say it, in the table of the fact.
    fn keys(&self) -> String {
        format!("value = {}", self.text())
    }
}

/// What has facts: one, or what is made of several.
trait Facts {
    /// Adds them; `key` is that of a single one.
    fn add_to<'f>(&'f self, key: &'static str, list: &mut Vec<NamedFact<'f>>);
}

impl<T: FactValue> Facts for Fact<T> {
    fn add_to<'f>(&'f self, key: &'static str, list: &mut Vec<NamedFact<'f>>) {
        let Fact { value, source, standing, fitted_on, residual, range } = self;
        let range = range.as_ref().map(|[low, high]| [low as &dyn FactValue, high]);
        let (standing, residual) = (*standing, *residual);
        list.push(NamedFact { key, value, range, source, standing, fitted_on, residual });
    }
}

impl<T: Facts> Facts for Option<T> {
    fn add_to<'f>(&'f self, key: &'static str, list: &mut Vec<NamedFact<'f>>) {
        self.iter().for_each(|one| one.add_to(key, list));
    }
}

/// The facts of a struct: fields that have some, then those that have none. Every field is named, so that a
/// new one does not compile before it stands in the list.
macro_rules! facts {
    ($kind:ident, $above:literal: $($fact:ident),+; $($other:ident),*) => {
        impl Facts for $kind {
            fn add_to<'f>(&'f self, _: &'static str, list: &mut Vec<NamedFact<'f>>) {
                let $kind { $($fact,)+ $($other: _),* } = self;
                $($fact.add_to(concat!($above, stringify!($fact)), list);)+
            }
        }

        impl $kind {
            /// Its facts, each under its key.
            pub fn facts(&self) -> Vec<NamedFact<'_>> {
                let mut list = Vec::new();
                self.add_to("", &mut list);
                list
            }
        }
    };
}

facts!(GpuSpec, "":
    sms, memory, memory_bandwidth, pcie_bandwidth, compute_capability, tensor_fp16_tflops,
    tensor_int8_tops, power_cap_w, power_limit_min_w, power_idle_w, power_context_w, voltage_floor, switch_cost,
    time_slice_best_effort, process_turns, mps_graph_launch, mps_limit_step, mps_limit_min, mps_chunk;
    id, name, vgpu_types, mig_profiles);
facts!(HostSpec, "":
    logical_processors, cores, clock, hyper_threading, memory, power_idle_w, power_cpu_w;
    id, name, stalls);
facts!(HostStates, "power.": standby_w, shutdown, boot; empty_hosts);
facts!(CpuScheduling, "": quantum; scheduler, preempts);
facts!(HostLink, "": pcie_bandwidth; switch);
facts!(Hypervisor, "":
    gpu_speed, submission_latency, cpu_speed;
    id, name, virtual_gpus, gpu_speed_range);
facts!(Workload, "":
    target_latency, sizes, weights, workspace_per_sample, input_per_sample, output_per_sample,
    energy_once, cpu;
    id, name, benchmark, precision, service);
facts!(CpuWork, "cpu.":
    launch_per_batch, queue_per_batch, triton_per_batch, launch_per_sample, finish_per_batch,
    finish_per_sample;);
facts!(ServiceTime, "":
    launch, host_floor, phi, phi_limit, slice, spread, work, boost, watts_per_sm, machines, scaled;
    alternatives);
facts!(SliceLaw, "slice.": launch, weight_read, phi, bandwidth, neighbour_watts_per_sm;);
facts!(Scaled, "scaled.": work; from, by);
facts!(StepRates, "":
    compute, attention, weights, weights_of_sms, kv_of_sms, kv, kv_start, kv_token, kv_uneven, gap, gap_mps,
    draw_of_two, draw_of_four, gap_mixed, power_compute, power_bytes, power_in_server, overlap;
    kv_blocks, slow_prompts);

impl NamedFact<'_> {
    /// The last part of its key.
    pub fn name(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or(self.key)
    }
}

impl<T: FactValue> Fact<T> {
    /// It under a key.
    pub fn named(&self, key: &'static str) -> NamedFact<'_> {
        let mut list = Vec::new();
        self.add_to(key, &mut list);
        list.pop().expect("one fact")
    }
}

/// How values of each type are written.
macro_rules! written {
    ($($kind:ty: $value:ident => $text:expr;)+) => {$(
        impl FactValue for $kind {
            fn text(&self) -> String {
                let $value = self;
                $text
            }
        }
    )+};
}

written! {
    SimDuration: time => format!("\"{time}\"");
    Frequency: clock => format!("\"{clock}\"");
    Bandwidth: bandwidth => format!("\"{bandwidth}\"");
    ComputeCapability: number => format!("\"{number}\"");
    Bytes: bytes => match bytes.get() {
        whole if whole > 0 && whole % MIB == 0 => format!("\"{} MiB\"", whole / MIB),
        bytes => format!("\"{bytes} B\""),
    };
    u32: count => count.to_string();
    // Six digits are more than any fit knows.
    f64: number => ((number * 1e6).round() / 1e6).to_string();
    Share: share => share.get().text();
    PhiTable: phi => match phi.points() {
        [(_, phi)] => phi.text(),
        points => by_batch(points),
    };
    WorkTable: work => by_batch(work.points());
    HardwareTurns: turns => turns.to_string();
}

const MIB: u64 = 1 << 20;

fn by_batch(points: &[(u32, impl FactValue)]) -> String {
    let points = points.iter().map(|(batch, value)| format!("{batch} = {}", value.text()));
    format!("{{ {} }}", points.collect::<Vec<_>>().join(", "))
}

impl FactValue for String {}

impl FactValue for SizeDistribution {
    fn keys(&self) -> String {
        match self {
            SizeDistribution::LogNormal { sigma } => {
                format!("distribution = \"lognormal\", sigma = {sigma}")
            }
            other => format!("distribution = \"{other}\""),
        }
    }
}

impl FactValue for SwitchCost {
    fn keys(&self) -> String {
        let [value, low, high] = [self.value, self.low, self.high].map(|span| span.text());
        format!("value = {value}, low = {low}, high = {high}")
    }
}
