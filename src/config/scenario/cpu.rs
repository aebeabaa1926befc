//! What VMs get of the host's processors, how these are divided, and VMs with other work than
//! inference.
//!
//! Rules between VMs are in `rules`.

use super::vm::{COPIES_MAX, VmContext, read_vcpus};
use crate::config::text::{Diagnostic, Reader, Spot, Value, ValueOrigin};
use crate::spec::{CpuAllocation, CpuLoad, CpuScheduler, CpuScheduling, Fact, HostId, OtherVm};
use crate::units::{Bytes, Frequency, SimDuration};

/// The words for the disciplines.
pub(crate) const SCHEDULERS: [(&str, CpuScheduler); 2] =
    [("quantum", CpuScheduler::Quantum), ("fluid", CpuScheduler::Fluid)];

/// The key that makes a VM one with other work.
pub(crate) const CPU_LOAD: &str = "cpu_load";

/// The range of a quantum, of the work of a burst and of a gap.
const TURNS: [SimDuration; 2] = [SimDuration::from_micros(10), SimDuration::from_secs(10)];
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

/// Reads `[cpu]`.
pub(crate) fn read_scheduling(top: &mut Reader<'_>) -> Option<CpuScheduling> {
    let usual = CpuScheduling::default();
    let Some(mut table) = top.table("cpu") else {
        top.fallback("cpu.scheduler", || ValueOrigin::default("turns"));
        top.fallback("cpu.quantum", || ValueOrigin::default(&usual.quantum.source));
        top.fallback("cpu.preempt", || ValueOrigin::default("as ESXi"));
        return Some(usual);
    };
    let scheduler = match table.get("scheduler") {
        Some(value) => value.choice("scheduler", &SCHEDULERS),
        None => Some(usual.scheduler),
    };
    let [least, most] = TURNS;
    let of_turns = |table: &Reader<'_>, key: &str| {
        if scheduler == Some(CpuScheduler::Fluid) {
            let title = format!("`cpu.{key}` has no meaning where nobody takes turns");
            let help = "drop it, or write scheduler = \"quantum\"";
            table.report(Diagnostic::at(&table.spot_of(key), title).help(help));
        }
    };
    let quantum = match table.get("quantum") {
        Some(value) => {
            of_turns(&table, "quantum");
            let inside = |span: &SimDuration| (least..=most).contains(span);
            value.bounded(inside, &format!("{least} to {most}")).map(Fact::yours)
        }
        None => Some(usual.quantum),
    };
    let preempts = match table.get("preempt") {
        Some(value) => {
            of_turns(&table, "preempt");
            value.flag()
        }
        None => Some(usual.preempts),
    };
    table.finish();
    Some(CpuScheduling { scheduler: scheduler?, quantum: quantum?, preempts: preempts? })
}

/// Reads `cpu_shares`, `cpu_reservation` and `cpu_limit` of a VM.
pub(crate) fn read_allocation(
    table: &mut Reader<'_>,
    vcpus: Option<u32>,
    around: &VmContext<'_>,
) -> Option<CpuAllocation> {
    let shares = match table.get("cpu_shares") {
        Some(value) => read_shares(&value, vcpus),
        None => Some(None),
    };
    let full = vcpus.zip(around.machine).map(|(vcpus, machine)| {
        let clock = &machine.host.clock;
        (clock.value.times(vcpus), vcpus, clock.value)
    });
    let reservation = table.get("cpu_reservation");
    let reservation = reservation.map(|value| {
        let found = value.quantity::<Frequency>()?;
        let Some((full, vcpus, clock)) = full.filter(|(full, ..)| found > *full) else {
            return Some(found);
        };
        let title = format!("is {found}, more than {vcpus} vCPUs of {clock} can use");
        value.report(value.wrong(title).label("out of range").allowed(format!("0 MHz to {full}")));
        None
    });
    let limit = table.get("cpu_limit");
    let limit = limit.map(|value| {
        value.bounded(|limit: &Frequency| *limit > Frequency::from_mhz(0), "above 0 MHz")
    });
    if let (Some(Some(reservation)), Some(Some(limit))) = (reservation, limit)
        && limit < reservation
    {
        let title =
            format!("`cpu_limit` of {limit} is below the `cpu_reservation` of {reservation}");
        let diagnostic = Diagnostic::at(&table.spot_of("cpu_limit"), title);
        table.report(diagnostic.allowed(format!("{reservation} or more")));
        return None;
    }
    let usual = CpuAllocation::normal(vcpus?);
    let asked = |found: Option<Option<Frequency>>| match found {
        Some(found) => found.map(Some),
        None => Some(None),
    };
    let (reservation, limit) = (asked(reservation)?, asked(limit)?);
    // What all of its vCPUs cannot exceed is no limit.
    let limit = limit.filter(|limit| full.is_none_or(|(full, ..)| *limit < full));
    Some(CpuAllocation {
        shares: shares?.unwrap_or(usual.shares),
        reservation: reservation.unwrap_or(usual.reservation),
        limit,
    })
}

/// `"high"`, or a number for the whole VM.
fn read_shares(value: &Value<'_>, vcpus: Option<u32>) -> Option<Option<u64>> {
    if value.is_text() {
        let each = value.choice("level of shares", &CpuAllocation::LEVELS)?;
        return Some(vcpus.map(|vcpus| each * u64::from(vcpus)));
    }
    value.whole(1..=CpuAllocation::SHARES_MAX, " shares of the whole VM").map(Some)
}

/// Reads a VM with other work than inference; the `number` is counted from 1.
pub(crate) fn read_other(
    mut table: Reader<'_>,
    number: usize,
    around: &VmContext<'_>,
) -> Option<Other> {
    let name = table
        .get("name")
        .map_or_else(|| Some(format!("vm-{number}")), |value| value.text().map(str::to_string));
    table.fallback("name", || ValueOrigin::default("from its number"));
    let copies = table.get("count").map(|value| value.count(1..=COPIES_MAX, " VMs"));
    let vcpus = read_vcpus(&mut table, around);
    let memory = table.get("memory");
    let memory = memory.map(|value| value.bounded(|bytes: &Bytes| *bytes > Bytes::ZERO, "above 0"));
    let allocation = read_allocation(&mut table, vcpus, around);
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
    let most = vcpus.unwrap_or(super::vm::VCPUS_MAX);
    let busy = match table.get("busy") {
        Some(value) => {
            value.count_within(1..=most, super::vm::VCPUS_MAX, " vCPUs, those of the VM")
        }
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
