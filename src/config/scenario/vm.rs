//! One `[[vm]]`: its share of the cards, its server and its load.
//!
//! Rules between VMs, and between a VM and the machine, are in `rules`.

use super::choice::{Choice, Held};
use super::guest::{Guest, Served, Spots};
use super::holding::Holding;
use super::holding_keys::{self, HOLDINGS};
use super::machine::Machine;
use super::operations_keys::RestartKeys;
use super::pins::{self, Pins};
use super::workload_files::OwnWorkloads;
use super::{balanced_keys, cpu, llm, placement_keys, pods, scaled, served};
use crate::config::catalogue::Catalogue;
use crate::config::text::{Diagnostic, Reader, ValueOrigin};
use crate::layout::cluster::Gpus;
use crate::spec::VmSpec;
use crate::units::{Bytes, SimDuration, SimTime};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most vCPUs that any hypervisor gives a VM.
pub(crate) const VCPUS_MAX: u32 = 4096;

/// The most copies of a VM.
pub(crate) const COPIES_MAX: u32 = super::size::VMS_MAX as u32;

/// The latest power-on and power-off: a day.
pub(crate) const POWER_MAX: SimDuration = SimDuration::from_secs(86_400);

/// The parts of the file that reading a VM needs.
pub(crate) struct VmContext<'c> {
    pub(crate) catalogue: &'c Catalogue,
    /// Nothing when the machine itself is faulty: then its rules are not checked.
    pub(crate) machine: Option<&'c Machine>,
    /// Whether the machine stands for the hosts of a cluster.
    pub(crate) is_cluster: bool,
    /// The workloads that the file describes itself, so far.
    pub(super) own: OwnWorkloads,
}

impl<'c> VmContext<'c> {
    /// That of a file's first VM.
    pub(crate) fn new(catalogue: &'c Catalogue, machine: Option<&'c Machine>) -> Self {
        Self { catalogue, machine, is_cluster: false, own: OwnWorkloads::default() }
    }
}

/// Reads the VM with this number, counted from 1.
pub(crate) fn read(mut table: Reader<'_>, number: usize, around: &VmContext<'_>) -> Option<Guest> {
    let name = table
        .get("name")
        .map_or_else(|| Some(format!("vm-{number}")), |value| value.text().map(str::to_string));
    table.fallback("name", || ValueOrigin::default("from its number"));
    let copies = table.get("count").map(|value| value.count(1..=COPIES_MAX, " VMs"));
    let vcpus = read_vcpus(&mut table, around);
    let allocation = cpu::read_allocation(&mut table, vcpus, around.machine);
    // One that has it is read elsewhere; whoever mistypes it is told of it.
    let _ = table.get(cpu::CPU_LOAD);
    let memory = table.get("memory");
    let memory = memory.map(|value| value.bounded(|bytes: &Bytes| *bytes > Bytes::ZERO, "above 0"));
    let choice = around.machine.map(|machine| Choice::read(&mut table, machine, around.catalogue));
    if choice.is_none() {
        let _ = table.get("gpu");
    }
    let choice = choice.flatten();
    let gpus = holding_keys::read(&mut table, choice.as_ref());
    let all_copies = copies.flatten().unwrap_or(1);
    let is_device_group = match around.is_cluster {
        true => read_cluster_keys(&mut table, around, gpus.as_ref()),
        false => Some(false),
    };
    let pins = match around.is_cluster {
        true => Some(None),
        false => read_pins(&mut table, around, gpus.as_ref(), all_copies),
    };
    let power = read_power(&mut table);
    let restart_priority = RestartKeys::given(&mut table).restart_priority;
    let is_llm = table.has(llm::LLM);
    let balanced = balanced_keys::read(&mut table).filter(|_| !is_llm);
    let held = gpus.as_ref().map(|held| held.cards);
    let known = (around.catalogue, &around.own);
    let served = match pods::are_in(&mut table) {
        // Read below, when its cards are known.
        _ if is_llm => None,
        true => {
            let held = gpus.as_ref().map(|held| (held.cards, &held.holding));
            let found = pods::read(&mut table, known, held, all_copies);
            found.map(|(pods, served)| (Some(pods), served))
        }
        false => served::read(&mut table, known, held, all_copies).map(|served| (None, served)),
    };
    let spots = Spots {
        name: table.spot_of("name"),
        vcpus: table.spot_of("vcpus"),
        memory: table.spot_of("memory"),
        reservation: table.spot_of("cpu_reservation"),
        cards: table.spot_of(HOLDINGS.into_iter().find(|key| table.has(key)).unwrap_or("gpus")),
        workload: table.spot(),
        batch_max: table.spot(),
        streams: table.spot(),
        rate: table.spot(),
    };
    let models = match (&choice, &gpus, &pins) {
        (Some(choice), Some(held), Some(pins)) => {
            choice.settle(held, pins.as_ref(), all_copies, (&table, &spots.cards))
        }
        _ => None,
    };
    let mut served_llm = None;
    let served = match is_llm {
        true => {
            let held = gpus.as_ref().map(|held| (held.cards, &held.holding));
            let (catalogue, machine, models) =
                (around.catalogue, around.machine, models.as_deref());
            let around = llm::Around { catalogue, machine, held, models, copies: all_copies };
            llm::read(&mut table, &around).map(|(model, llm)| {
                served_llm = Some(Arc::new(llm));
                (None, vec![model])
            })
        }
        false => {
            llm::refuse_strays(&mut table);
            served
        }
    };
    let scaled_from = table.get("scaled_from").filter(|_| !is_llm);
    table.finish();
    let Held { cards, holding, .. } = gpus?;
    let (power_on, power_off) = power?;
    let copies = match copies {
        Some(copies) => Some(copies?),
        None => None,
    };
    let (pods, mut served) = served?;
    if let (Some(value), Some(models), Some(machine)) = (&scaled_from, &models, around.machine) {
        let models: BTreeSet<usize> = models.iter().copied().collect();
        for one in &mut served {
            let gpus = models.iter().map(|model| &machine.models[*model].gpu.spec);
            scaled::add(&mut one.workload, gpus, value, around.catalogue)?;
        }
    }
    let (name, vcpus, allocation) = (name?, vcpus?, allocation?);
    let made = served.into_iter().map(|one| {
        let vm = VmSpec {
            group: name.clone(),
            name: name.clone(),
            vcpus,
            allocation,
            gpus: Vec::new(),
            workload: Arc::new(one.workload),
            server: one.server,
            load: one.load,
            power_on,
            power_off,
            server_of: None,
            is_pod: pods.is_some(),
            container_overhead: pods.as_ref().map(|pods| pods.overhead.clone()),
            steps: one.steps,
            balance: None,
            llm: served_llm.clone(),
        };
        let [workload, batch_max, streams, rate] = one.spots;
        (one.name, vm, Spots { workload, batch_max, streams, rate, ..spots.clone() })
    });
    let mut made = made.collect::<Vec<_>>().into_iter();
    let (model, vm, spots) = made.next().expect("at least one model");
    let others = made.filter_map(|(name, vm, spots)| Some(Served { name: name?, vm, spots }));
    let others = others.collect();
    let memory = match memory {
        Some(memory) => Some(memory?),
        None => None,
    };
    let (models, pins, is_device_group) = (models?, pins?, is_device_group?);
    Some(Guest {
        vm,
        memory,
        cards,
        holding,
        models,
        pins,
        is_device_group,
        copies,
        spots,
        model,
        others,
        restart_priority,
        balanced,
        pods,
    })
}

/// The keys that only VMs of a cluster have; whether the GPUs are a device group.
fn read_cluster_keys(
    table: &mut Reader<'_>,
    around: &VmContext<'_>,
    held: Option<&Held>,
) -> Option<bool> {
    placement_keys::refuse_places(table);
    if let Some(value) = table.get("lifetimes") {
        let found = value.wrong("draws when VMs come and go, which only `slicewise place` follows");
        value.report(found.help("drop it to simulate queries: write power_on and power_off"));
        return None;
    }
    let Some(value) = table.get("device_group") else { return Some(false) };
    let machine = around.machine?;
    let gpus = held.and_then(|held| {
        let ask = placement_keys::ask(&held.holding, &held.models, machine)?;
        Some(Gpus { models: held.models.clone(), ask, count: held.cards, is_group: false })
    });
    placement_keys::is_device_group(&value, gpus.as_ref(), machine)
}

/// Which cards the GPUs of all copies are on, where the file says it.
fn read_pins(
    table: &mut Reader<'_>,
    around: &VmContext<'_>,
    gpus: Option<&Held>,
    copies: u32,
) -> Option<Option<Pins>> {
    let Some(Held { cards, holding, .. }) = gpus else {
        // What is wrong with the GPUs was told; these keys are no strangers.
        let _ = (table.get("card"), table.get("instance"));
        return Some(None);
    };
    let profile = match holding {
        Holding::Instance(_, Some(vgpu)) if vgpu.shares_instance() => None,
        Holding::Instance(profile, _) => Some(profile),
        Holding::Process(process) => process.within.as_ref(),
        Holding::Whole | Holding::Sliced(_) | Holding::Largest(_) => None,
    };
    let is_whole = matches!(holding, Holding::Whole);
    pins::read(table, cards * copies, around.machine, (profile, is_whole))
}

/// Reads `vcpus`; on bare metal they may be left out.
pub(super) fn read_vcpus(table: &mut Reader<'_>, around: &VmContext<'_>) -> Option<u32> {
    let machine = around.machine;
    let all = machine.map_or(VCPUS_MAX, |machine| machine.host.logical_processors.value);
    let of_the_host =
        machine.map_or(String::new(), |_| format!(", of the host's {all} logical processors"));
    let virtual_gpus = machine.is_some_and(|machine| machine.hypervisor.virtual_gpus);
    let help = format!("state how many the VM gets{of_the_host}, such as vcpus = 24");
    let value = if virtual_gpus { table.need("vcpus", &help) } else { table.get("vcpus") };
    match value {
        Some(value) => {
            let told = machine.map_or("", |_| ", the host's logical processors");
            value.count_told(VCPUS_MAX, all.min(VCPUS_MAX), &format!(" vCPUs{told}"))
        }
        None => {
            if let Some(machine) = machine {
                let processors = &machine.host.logical_processors;
                table.fallback("vcpus", || ValueOrigin::fact("host", &machine.host.id, processors));
            }
            (!virtual_gpus).then_some(all)
        }
    }
}

/// When the VM is powered on and, if ever, off.
pub(crate) fn read_power(table: &mut Reader<'_>) -> Option<(SimTime, Option<SimTime>)> {
    let mut instant = |key: &str| match table.get(key) {
        None => Some(None),
        Some(value) => {
            let within = |span: &SimDuration| *span <= POWER_MAX;
            value.bounded(within, "0 to 24 h").map(|span| Some(SimTime::ZERO + span))
        }
    };
    let (on, off) = (instant("power_on"), instant("power_off"));
    let (on, off) = (on?.unwrap_or(SimTime::ZERO), off?);
    if let Some(off) = off.filter(|off| *off <= on) {
        let title = format!("the VM is powered off at {off} and on at {on}");
        let help = "write power_off later than power_on: a VM runs once";
        table.report(Diagnostic::at(&table.spot_of("power_off"), title).help(help));
        return None;
    }
    Some((on, off))
}
