//! The VMs of a cluster, as far as placement looks at them: size, GPUs, when they are on.

use crate::config::catalogue::Catalogue;
use crate::config::scenario::choice::Choice;
use crate::config::scenario::cpu;
use crate::config::scenario::holding_keys::{self, HOLDINGS};
use crate::config::scenario::hosts::Hosts;
use crate::config::scenario::machine::Machine;
use crate::config::scenario::placement_keys::{
    ask, in_words, is_device_group, lifetimes, refuse_holding, refuse_places,
};
use crate::config::scenario::size::VMS_MAX;
use crate::config::scenario::vm::{COPIES_MAX, VCPUS_MAX, VmContext, read_power};
use crate::config::text::{Diagnostic, Reader};
use crate::layout::cluster::{Gpus, Kind};
use crate::study::VmGroup;
use crate::suggest::quoted;
use crate::units::Bytes;
use std::collections::BTreeSet;

/// Keys that say what a VM serves and how: for `slicewise run`.
const OF_LOADS: [&str; 14] = [
    "workload",
    "server",
    "load",
    "model",
    "model_repository",
    "ensemble",
    "scaled_from",
    "balance",
    "health_check",
    "replicas",
    "pods",
    "pod",
    "restart_priority",
    cpu::CPU_LOAD,
];

/// Reads every `[[vm]]`.
pub(super) fn read(
    top: &mut Reader<'_>,
    hosts: Option<&Hosts>,
    catalogue: &Catalogue,
) -> Option<Vec<VmGroup>> {
    let value = top.need(
        "vm",
        "write [[vm]] with what it has of GPUs, such as vgpu = { type = \"A100-10C\" }",
    )?;
    if value.is_table() {
        value.report(value.wrong("is a single table").help("write [[vm]] with two brackets"));
        return None;
    }
    let items = value.items(VMS_MAX)?;
    let machine = &hosts?.machine;
    let read = items
        .iter()
        .enumerate()
        .map(|(index, item)| vm(item.table()?, index + 1, machine, catalogue));
    let read: Vec<Option<VmGroup>> = read.collect();
    let groups: Vec<VmGroup> = read.into_iter().collect::<Option<_>>()?;
    let all: u64 = groups.iter().map(|group| u64::from(group.vms())).sum();
    if all > VMS_MAX as u64 {
        let found = value.wrong(format!("has {all} VMs, copies counted"));
        value.report(found.allowed(format!("at most {VMS_MAX}")));
        return None;
    }
    let mut names = BTreeSet::new();
    for (group, item) in groups.iter().zip(&items) {
        if !names.insert(&group.name) {
            let title = format!("two VMs are named {}", quoted(&group.name));
            item.report(Diagnostic::at(&item.spot(), title).help("give each VM its own name"));
            return None;
        }
    }
    Some(groups)
}

fn vm(
    mut table: Reader<'_>,
    number: usize,
    machine: &Machine,
    catalogue: &Catalogue,
) -> Option<VmGroup> {
    let name = table
        .get("name")
        .map_or_else(|| Some(format!("vm-{number}")), |value| value.text().map(str::to_string));
    let count = table.get("count").map(|value| value.count(1..=COPIES_MAX, " VMs"));
    let vcpus = table.need("vcpus", "state how many the VM has, such as vcpus = 16");
    let vcpus = vcpus.and_then(|value| value.count(1..=VCPUS_MAX, " vCPUs"));
    let memory = table.get("memory");
    let memory = memory.map(|value| value.bounded(|bytes: &Bytes| *bytes > Bytes::ZERO, "above 0"));
    let mut around = VmContext::new(catalogue, Some(machine));
    around.is_cluster = true;
    let allocation = cpu::read_allocation(&mut table, vcpus, around.machine);
    let has_gpus = HOLDINGS.iter().any(|key| table.has(key));
    let choice = Choice::read(&mut table, machine, catalogue);
    let held = match has_gpus {
        true => holding_keys::read(&mut table, choice.as_ref()).map(Some),
        false => Some(None),
    };
    let group = table.get("device_group");
    refuse_places(&mut table);
    let power = read_power(&mut table);
    let lifetimes = table.table("lifetimes").map(lifetimes);
    OF_LOADS.iter().for_each(|key| drop(table.get(key)));
    let (spot, problems) = (table.spot(), table.problems());
    table.finish();
    let held = held?;
    let gpus = match &held {
        None => None,
        Some(held) => {
            let Some(ask) = ask(&held.holding, &held.models, machine) else {
                refuse_holding(&held.holding, &spot, problems);
                return None;
            };
            let (count, models) = (held.cards, held.models.clone());
            Some(Gpus { models, ask, count, is_group: false })
        }
    };
    let is_group =
        group.map_or(Some(false), |value| is_device_group(&value, gpus.as_ref(), machine))?;
    let gpus = gpus.map(|gpus| Gpus { is_group, ..gpus });
    let (power_on, power_off) = power?;
    let what = held.as_ref().map_or("no GPU".to_string(), |held| {
        in_words(&held.holding, &held.models, held.cards, machine)
    });
    let vcpus = vcpus?;
    Some(VmGroup {
        name: name?,
        count: count.map_or(Some(None), |count| count.map(Some))?,
        kind: Kind {
            vcpus,
            cpu: allocation?.reservation.khz(),
            memory: memory.unwrap_or(Some(Bytes::ZERO))?,
            gpus,
        },
        what,
        power_on,
        power_off,
        lifetimes: lifetimes.map_or(Some(None), |one| one.map(Some))?,
    })
}
