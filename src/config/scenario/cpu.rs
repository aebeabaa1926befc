//! What VMs get of the host's processors, and how these are divided.
//!
//! Rules between VMs are in `rules`, VMs with other work than inference in `other_vm`.

use super::machine::Machine;
use crate::config::text::{Diagnostic, Reader, Value, ValueOrigin};
use crate::spec::{CpuAllocation, CpuScheduler, CpuScheduling, Fact};
use crate::units::{Frequency, SimDuration};

/// The words for the disciplines.
pub(crate) const SCHEDULERS: [(&str, CpuScheduler); 2] =
    [("quantum", CpuScheduler::Quantum), ("fluid", CpuScheduler::Fluid)];

/// The key that makes a VM one with other work.
pub(crate) const CPU_LOAD: &str = "cpu_load";

/// The range of a quantum.
const TURNS: [SimDuration; 2] = [SimDuration::from_micros(10), SimDuration::from_secs(10)];

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
    machine: Option<&Machine>,
) -> Option<CpuAllocation> {
    let shares = match table.get("cpu_shares") {
        Some(value) => read_shares(&value, vcpus),
        None => Some(None),
    };
    let full = vcpus.zip(machine).map(|(vcpus, machine)| {
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
