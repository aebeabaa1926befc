//! VMs with other work than inference, and without GPU.
//!
//! How the processors are divided among VMs is in `cpu`, rules between VMs are in `rules`.

use super::cpu::{self, CPU_LOAD};
use super::vm::{COPIES_MAX, VCPUS_MAX, VmContext, read_vcpus};
use crate::config::text::{Diagnostic, Reader, Spot, Value, ValueOrigin};
use crate::spec::{CpuLoad, HostId, OtherVm};
use crate::units::{Bytes, SimDuration};

/// The range of the work of a burst and of a gap.
const BURSTS: [SimDuration; 2] = [SimDuration::from_micros(1), SimDuration::from_secs(600)];

/// A VM without GPU as the file describes it.
#[derive(Clone, Debug)]
pub(crate) struct Other {
    pub(crate) vm: OtherVm,
    pub(crate) memory: Option<Bytes>,
    /// The number of copies; nothing for one that keeps its name.
    pub(crate) copies: Option<u32>,
    /// Its place among all `[[vm]]`, from 0.
    pub(crate) place: usize,
    pub(crate) spots: OtherSpots,
}

/// The places that rules point to.
#[derive(Clone, Debug)]
pub(crate) struct OtherSpots {
    pub(crate) name: Spot,
    pub(crate) vcpus: Spot,
    pub(crate) memory: Spot,
    pub(crate) reservation: Spot,
}

impl Other {
    /// Every VM by itself: copies are named and numbered.
    pub(crate) fn expand(others: &[Other]) -> Vec<Other> {
        let copies = others.iter().flat_map(|other| match other.copies {
            None => vec![other.clone()],
            Some(copies) => {
                let one = |number| {
                    let name = format!("{}-{number}", other.vm.name);
                    let vm = OtherVm { name, ..other.vm.clone() };
                    Other { vm, copies: None, ..other.clone() }
                };
                (1..=copies).map(one).collect()
            }
        });
        copies.collect()
    }
}

/// Reads a VM with other work than inference; the `number` is counted from 1.
pub(crate) fn read(mut table: Reader<'_>, number: usize, around: &VmContext<'_>) -> Option<Other> {
    let name = table
        .get("name")
        .map_or_else(|| Some(format!("vm-{number}")), |value| value.text().map(str::to_string));
    table.fallback("name", || ValueOrigin::default("from its number"));
    let copies = table.get("count").map(|value| value.count(1..=COPIES_MAX, " VMs"));
    let vcpus = read_vcpus(&mut table, around);
    let memory = table.get("memory");
    let memory = memory.map(|value| value.bounded(|bytes: &Bytes| *bytes > Bytes::ZERO, "above 0"));
    let allocation = cpu::read_allocation(&mut table, vcpus, around.machine);
    let load = table.table(CPU_LOAD).and_then(|load| read_load(load, vcpus));
    let spots = OtherSpots {
        name: table.spot_of("name"),
        vcpus: table.spot_of("vcpus"),
        memory: table.spot_of("memory"),
        reservation: table.spot_of("cpu_reservation"),
    };
    for key in ["workload", "model", "load", "vgpu", "gpus", "mig", "process"] {
        if table.get(key).is_some() {
            let title = format!("a VM with `{CPU_LOAD}` has no `{key}`: its work is not inference");
            let help = "write two [[vm]], one with a workload and one with cpu_load";
            table.report(Diagnostic::at(&table.spot_of(key), title).help(help));
            return None;
        }
    }
    table.finish();
    let copies = match copies {
        Some(copies) => Some(copies?),
        None => None,
    };
    let memory = match memory {
        Some(memory) => Some(memory?),
        None => None,
    };
    let name = name?;
    let vm = OtherVm {
        group: name.clone(),
        name,
        host: HostId::default(),
        vcpus: vcpus?,
        allocation: allocation?,
        load: load?,
    };
    Some(Other { vm, memory, copies, place: number - 1, spots })
}

/// Reads `cpu_load = { busy = 8 }`, or with bursts: `{ busy = 8, burst = "20 ms", gap = "60 ms" }`.
fn read_load(mut table: Reader<'_>, vcpus: Option<u32>) -> Option<CpuLoad> {
    let most = vcpus.unwrap_or(VCPUS_MAX);
    let busy = match table.get("busy") {
        Some(value) => value.count_within(1..=most, VCPUS_MAX, " vCPUs, those of the VM"),
        None => {
            table.fallback("busy", || ValueOrigin::default("all of its vCPUs"));
            vcpus
        }
    };
    let [least, longest] = BURSTS;
    let span = |value: Option<Value<'_>>| {
        let inside = |span: &SimDuration| (least..=longest).contains(span);
        value.map(|value| value.bounded(inside, &format!("{least} to {longest}")))
    };
    let (work, gap) = (span(table.get("burst")), span(table.get("gap")));
    let load = match (work, gap) {
        (None, None) => busy.map(|busy| CpuLoad::Constant { busy }),
        (Some(work), Some(gap)) => {
            busy.zip(work).zip(gap).map(|((busy, work), gap)| CpuLoad::Bursty { busy, work, gap })
        }
        (work, _) => {
            let (missing, there) = if work.is_some() { ("gap", "burst") } else { ("burst", "gap") };
            let help = format!(
                "bursts need both: burst, their mean work, and gap, the mean time between them; \
                 drop {there} for vCPUs that are always busy"
            );
            table.need(missing, &help);
            None
        }
    };
    table.finish();
    load
}
