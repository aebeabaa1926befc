//! `[operations]` and `[[operation]]`: what happens to VMs while a run goes on.
//!
//! What becomes of each is worked out in `operations::plan`; here it is read, what cannot be meant is
//! refused with its time and reason, and the cards are cut for VMs that come to them.

use super::cards;
use super::clones;
use super::guest::Guest;
use super::holding::Holding;
use super::machine::Machine;
use super::operations_cut::Cut;
use super::operations_keys::{OPERATIONS_MAX, OperationKeys, OperationsKeys, Word};
use super::{operations_leaning as leaning, operations_trace};
use crate::config::catalogue::vmotion;
use crate::config::text::{Diagnostic, Problems, Reader, Spot};
use crate::layout::fit::SizeMode;
use crate::layout::placement::Assignment;
use crate::operations::{
    Asked, CardPlace, HostPlace, Kind, Plan, PlannedChange, Seat, Settings, To, Vgpu, VmAsked,
    plan, restart,
};
use crate::spec::{
    Experiment, Footprint, GpuId, GpuShare, HostId, InstanceSharing, Operation, OperationOutcome,
    OperationTimes, Stay, TestScenario, Timeline, VmChange, VmId, VmStep,
};
use crate::suggest::{nearest, quoted};
use crate::units::{Bandwidth, Bytes, SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The operations of a file.
pub(crate) struct Operations {
    keys: OperationsKeys,
    asked: Vec<(OperationKeys, Spot)>,
    /// The hash of the file that some of them are from.
    trace: Option<u64>,
    /// Where they begin.
    spot: Spot,
}

impl Operations {
    /// The first operation; none where only replicas follow from the tables.
    pub(crate) fn first(&self) -> Option<&Spot> {
        self.asked.first().map(|(_, spot)| spot)
    }

    /// The first operation that makes a VM.
    pub(crate) fn clones(&self) -> Option<&Spot> {
        clones::first(&self.asked)
    }
}

/// Reads both tables; nothing where there are no operations.
pub(crate) fn read(top: &mut Reader<'_>, has_replicas: bool) -> Option<Operations> {
    let keys = top.table("operations").map(|mut table| {
        let keys = OperationsKeys::given(&mut table);
        table.finish();
        keys
    });
    let value = top.get("operation");
    let mut asked = Vec::new();
    if let Some(value) = &value {
        if value.is_table() {
            let help = "write [[operation]] with two brackets";
            value.report(value.wrong("is a single table").help(help));
            return None;
        }
        let items = value.items(OPERATIONS_MAX)?;
        asked.extend(items.iter().filter_map(|item| {
            let mut table = item.table()?;
            let spot = table.spot();
            let keys = OperationKeys::given(&mut table);
            table.finish();
            Some((keys, spot))
        }));
    }
    let named = keys.as_ref().and_then(|keys| Some((keys.trace.as_ref()?, keys.spot("trace")?)));
    let mut trace = None;
    if let Some((name, spot)) = named {
        let found = operations_trace::read((name, spot), asked.len(), top.problems())?;
        asked.extend(found.asked);
        trace = Some(found.hash);
    }
    let spot = match (&value, named) {
        (Some(value), _) => value.spot(),
        (None, Some((_, spot))) => spot.clone(),
        (None, None) if has_replicas => top.spot_of("vm"),
        (None, None) => {
            if keys.is_some() {
                let title = "`operations` says how long operations take, and there is none";
                let help = "write [[operation]] with `at` and `kind`, name a `trace`, give VMs \
                    `replicas`, or drop [operations]";
                top.report(Diagnostic::at(&top.spot_of("operations"), title).help(help));
            }
            return None;
        }
    };
    Some(Operations { keys: keys.unwrap_or_default(), asked, trace, spot })
}

/// Lays the operations of a file upon its run.
pub(crate) fn lay(
    operations: &Operations,
    (machine, guests, named): (&Machine, &[Guest], NamedHosts),
    experiment: &mut Experiment,
    problems: &Problems,
) {
    if problems.any() {
        // Where VMs are is not known.
        return;
    }
    let guests = cards::expand(machine, guests);
    let laying = Laying { operations, machine, guests: &guests, named, problems };
    if !laying.can_be_simulated(experiment) {
        return;
    }
    let mut vms = laying.vms(experiment);
    vms.extend(clones::asked(&operations.asked, &vms, (&guests, experiment), problems));
    if problems.any() {
        return;
    }
    let Some(asked) = laying.asked(experiment, &vms) else { return };
    let cards = experiment.cards.iter().map(|card| CardPlace {
        host: card.host,
        kind: format!("{} {:?}", card.gpu.id, card.power_limit),
    });
    let hosts = laying.named.names.iter().map(|name| HostPlace { name: name.clone() });
    let times = laying.times();
    let version = match operations.keys.vmotion {
        Some(name) => vmotion::version(name),
        None => vmotion::of_hypervisor(&machine.hypervisor.id),
    };
    let settings = Settings {
        times: &times,
        vmotion: version,
        spreads: machine.sharing.assignment == Assignment::Spread,
        end: laying.end(experiment),
    };
    let window = laying.window(experiment);
    let found = plan((hosts.collect(), cards.collect()), &vms, &asked, settings);
    if laying.has_mistakes(&found) {
        return;
    }
    let originals = laying.firsts(experiment);
    let mut cut = Cut::of(experiment, &originals);
    let mut parts = |experiment: &mut Experiment, (number, vm): (usize, VmId), seats: &[Seat]| {
        let of = vms[number].clone_of.unwrap_or(number);
        let own = experiment.vms[usize::from(originals[of].0)].gpus.clone();
        let parts = seats.iter().zip(own).enumerate();
        let parts = parts.map(|(place, (seat, own))| {
            cut.share(experiment, machine, &guests[of], (vm, place, *seat), own)
        });
        parts.collect::<Vec<GpuShare>>()
    };
    // Of each VM its first model; nothing for a clone that never serves.
    let mut firsts: Vec<Option<VmId>> = originals.iter().copied().map(Some).collect();
    for (number, clone) in vms.iter().enumerate().skip(originals.len()) {
        let first = VmId(experiment.vms.len() as u16);
        let Some((at, seats)) = found.first_served(number) else {
            firsts.push(None);
            continue;
        };
        let gpus = parts(experiment, (number, first), seats);
        let of = clone.clone_of.map_or(0, |of| of);
        let names = [&vms[of].name, &clone.name];
        clones::add(experiment, (originals[of], names), (at, settings.end), gpus);
        firsts.push(Some(first));
    }
    let steps = found.steps.iter().filter_map(|step| {
        let vm = firsts[step.vm]?;
        let is_there = experiment.vms[usize::from(vm.0)].power_on;
        if vms[step.vm].clone_of.is_some() && step.at <= is_there {
            return None;
        }
        let mut parts = |seats: &[Seat]| Some(parts(experiment, (step.vm, vm), seats));
        let change = match &step.change {
            PlannedChange::Halt => VmChange::Halt,
            PlannedChange::Down => VmChange::Down,
            PlannedChange::GoOn(seats) => VmChange::GoOn(parts(seats)),
            PlannedChange::Up(seats) => VmChange::Up(parts(seats)),
        };
        Some(VmStep { at: step.at, vm, change })
    });
    let steps: Vec<VmStep> = steps.collect();
    laying.slots_suffice(experiment, &steps);
    let named = found.operations.into_iter().map(|operation| Operation {
        vm: operation.vm.and_then(|vm| firsts[usize::from(vm.0)]),
        ..operation
    });
    let operations: Vec<Operation> = named.collect();
    let balancers = experiment.vms.iter_mut().filter_map(|vm| vm.balance.as_mut());
    let mut has_replicas = false;
    for replicas in balancers.filter_map(|balance| balance.replicas.as_mut()) {
        (replicas.start, has_replicas) = (restart::start(&times), true);
    }
    let keys = &laying.operations.keys;
    let leans_on = leaning::on(keys, version, (&operations, has_replicas));
    let trace = laying.operations.trace;
    let stays = found.stays.into_iter().map(|stay| {
        let Stay { vm, cards, from, runs, until } = stay;
        Stay { vm: firsts[vm], cards, from, runs, until }
    });
    let (stays, outages) = (stays.collect(), found.outages);
    let timeline = Timeline { operations, steps, stays, outages, window, leans_on, trace };
    experiment.timeline = Some(Arc::new(timeline));
}

/// What the hosts are called, and the slowest of their vMotion networks, where they state them.
#[derive(Clone, Debug)]
pub(crate) struct NamedHosts {
    pub(crate) names: Vec<String>,
    pub(crate) network: Option<Bandwidth>,
}

/// What laying operations needs.
struct Laying<'l> {
    operations: &'l Operations,
    machine: &'l Machine,
    /// Copies are guests of their own.
    guests: &'l [Guest],
    named: NamedHosts,
    problems: &'l Problems,
}

impl Laying<'_> {
    fn refuse(&self, spot: &Spot, title: String, help: &str) {
        self.problems.push(Diagnostic::at(spot, title).help(help));
    }

    /// The first model of each guest.
    fn firsts(&self, experiment: &Experiment) -> Vec<VmId> {
        let vms = (0..experiment.vms.len() as u16).map(VmId);
        vms.filter(|vm| experiment.vms[usize::from(vm.0)].server_of.is_none()).collect()
    }

    /// Whether what the file has beside its operations can have any.
    fn can_be_simulated(&self, experiment: &Experiment) -> bool {
        let spot = &self.operations.spot;
        if !self.machine.hypervisor.virtual_gpus {
            let title = format!("\"{}\" has no operations on VMs", self.machine.hypervisor.id);
            self.refuse(spot, title, "name a hypervisor with vGPUs, such as vsphere-8.0");
            return false;
        }
        if let Some(pods) = self.guests.iter().find_map(|guest| guest.pods.as_ref()) {
            let title = "operations beside a VM with pods are not simulated";
            self.refuse(&pods.spot, title.to_string(), "drop the operations, or the pods");
            return false;
        }
        if self.machine.sharing.vgpu_mode == SizeMode::Mixed {
            let title = "operations on VMs on cards in mixed-size mode are not simulated";
            self.refuse(spot, title.to_string(), "drop vgpu_mode = \"mixed-size\"");
            return false;
        }
        let mut can = true;
        for guest in self.guests {
            let vm = &guest.vm;
            let (what, help) = match guest.holding {
                Holding::Instance(..) => ("GPU instances", "give it a time-sliced vGPU"),
                Holding::Process(_) => ("processes that share a card", "give it a vGPU"),
                _ if vm.power_on > SimTime::ZERO || vm.power_off.is_some() => {
                    ("`power_on` or `power_off`", "write [[operation]] with kind = \"power-off\"")
                }
                _ => continue,
            };
            let title = format!(
                "operations beside {}, which has {what}, are not simulated",
                quoted(&vm.name)
            );
            self.refuse(&guest.spots.cards, title, help);
            can = false;
        }
        for vm in &experiment.vms {
            let is_asked = !vm.load.is_idle();
            let is_chain = vm.is_ensemble() && vm.balance.is_none();
            if is_chain || (is_asked && vm.load.scenario != TestScenario::Server) {
                let what = if is_chain { "ensemble" } else { vm.load.scenario.word() };
                let title = format!(
                    "operations beside {}, which has the load {what}, are not simulated",
                    quoted(&vm.name)
                );
                self.refuse(spot, title, "give every VM a load with scenario = \"server\"");
                can = false;
                break;
            }
        }
        can
    }

    fn times(&self) -> OperationTimes {
        let keys = &self.operations.keys;
        OperationTimes {
            storage: keys.storage_bandwidth,
            network: self.named.network.unwrap_or(Bandwidth::new(keys.network_gbps * 1e9 / 8.0)),
            dirty_rate: keys.dirty_rate,
            memory: keys.memory,
            has_heartbeat_datastores: keys.heartbeat_datastores,
            placement: keys.placement,
            clone: keys.clone_time,
            boot: keys.boot,
            load: keys.model_load,
        }
    }

    /// When the last load ends.
    fn end(&self, experiment: &Experiment) -> SimTime {
        let spans = experiment.load_spans().into_iter().zip(&experiment.vms);
        spans.map(|(span, vm)| vm.power_on + span).max().unwrap_or(SimTime::ZERO)
    }

    /// The windows: a hundred in a run, of whole seconds.
    fn window(&self, experiment: &Experiment) -> SimDuration {
        let whole = self.end(experiment).as_secs_f64() / 100.0;
        let usual = SimDuration::from_secs_f64(whole.ceil().clamp(1.0, 3600.0));
        self.operations.keys.window.unwrap_or(usual)
    }

    fn vms(&self, experiment: &Experiment) -> Vec<VmAsked> {
        let firsts = self.firsts(experiment);
        let vms = self.guests.iter().zip(firsts).map(|(guest, first)| {
            let own = &experiment.vms[usize::from(first.0)];
            let vgpu = match &guest.holding {
                Holding::Sliced(vgpu) => Some(Vgpu {
                    name: vgpu.name.clone(),
                    max_per_gpu: vgpu.max_per_gpu,
                    frame_buffer: vgpu.frame_buffer,
                }),
                _ => None,
            };
            let models = experiment.vms.iter().enumerate();
            let models = models.filter(|(index, vm)| {
                experiment.first_model(VmId(*index as u16)) == first && !vm.is_ensemble()
            });
            let need = models.map(|(_, vm)| Footprint::of(vm).need);
            let need = need.fold(Bytes::ZERO, |sum, need| sum + need);
            let most = vgpu.as_ref().map_or(need, |vgpu| vgpu.frame_buffer);
            VmAsked {
                name: guest.vm.name.clone(),
                seats: own.gpus.iter().map(|share| share.card).collect(),
                vgpu,
                used: need.min(most) * own.gpus.len() as u64,
                memory: guest.memory.unwrap_or(self.operations.keys.memory),
                priority: guest.restart_priority,
                clone_of: None,
            }
        });
        vms.collect()
    }

    /// The operations, once all their names are known.
    fn asked(&self, experiment: &Experiment, vms: &[VmAsked]) -> Option<Vec<Asked>> {
        let asked = self.operations.asked.iter();
        let asked: Vec<_> =
            asked.map(|(keys, spot)| self.one(keys, spot, experiment, vms)).collect();
        asked.into_iter().collect()
    }

    fn one(
        &self,
        keys: &OperationKeys,
        spot: &Spot,
        experiment: &Experiment,
        vms: &[VmAsked],
    ) -> Option<Asked> {
        let (at, word) = (SimTime::ZERO + keys.at?, keys.kind?);
        let of = |key: &str| keys.spot(key).unwrap_or(spot);
        let mut strangers = Vec::new();
        strangers.extend(keys.vm.as_ref().filter(|_| word.is_of_a_host()).map(|_| "vm"));
        strangers.extend(keys.host.as_ref().filter(|_| !word.is_of_a_host()).map(|_| "host"));
        let has_place = matches!(word, Word::Vmotion | Word::Clone);
        strangers.extend(keys.to.as_ref().filter(|_| !has_place).map(|_| "to"));
        strangers.extend(keys.to_card.filter(|_| !has_place).map(|_| "to_card"));
        strangers.extend(keys.name.as_ref().filter(|_| word != Word::Clone).map(|_| "name"));
        strangers.extend(keys.back_after.filter(|_| !word.is_of_a_host()).map(|_| "back_after"));
        if let Some(key) = strangers.first() {
            let title = format!("`{key}` says nothing about this kind of operation");
            self.refuse(of(key), title, "drop it");
            return None;
        }
        if keys.to.is_some() && keys.to_card.is_some() {
            let title = "`to` and `to_card` both say where to".to_string();
            self.refuse(of("to_card"), title, "drop one of them");
            return None;
        }
        let host = |name: Option<&String>, key: &str| match name {
            Some(name) => self.host(name, of(key)),
            None if experiment.hosts.len() == 1 => Some(HostId::default()),
            None => {
                let names: Vec<&str> = self.named.names.iter().map(String::as_str).collect();
                let title = "there are several hosts, and the operation names none".to_string();
                let diagnostic = Diagnostic::at(spot, title).allowed(some_of(&names));
                self.problems.push(diagnostic.help(format!("write {key} = \"{}\"", names[0])));
                None
            }
        };
        if word.is_of_a_host() {
            let host = host(keys.host.as_ref(), "host")?;
            return Some(Asked {
                at,
                kind: match word {
                    Word::HostFailure => Kind::HostFailure { host, back_after: keys.back_after },
                    _ => Kind::Maintenance { host, back_after: keys.back_after },
                },
            });
        }
        let Some(name) = &keys.vm else {
            let title = "the operation names no VM".to_string();
            self.refuse(
                spot,
                title,
                "write vm = \"NAME\" of a [[vm]]; copies are NAME-1, NAME-2, ...",
            );
            return None;
        };
        let Some(vm) = vms.iter().position(|vm| vm.name == *name) else {
            let names: Vec<&str> = vms.iter().map(|vm| &*vm.name).collect();
            let diagnostic = Diagnostic::at(of("vm"), format!("unknown VM {}", quoted(name)));
            let diagnostic = diagnostic.allowed(some_of(&names));
            self.problems.push(diagnostic.did_you_mean(nearest(name, &names)));
            return None;
        };
        let to = match (&keys.to, keys.to_card) {
            (Some(name), _) => To::Host(self.host(name, of("to"))?),
            (None, Some(card)) => {
                let cards = experiment.cards.len() as u32;
                if card >= cards {
                    let title = format!("card {card} of {cards}");
                    let diagnostic = Diagnostic::at(of("to_card"), title);
                    self.problems.push(diagnostic.allowed(format!("0 to {}", cards - 1)));
                    return None;
                }
                To::Card(GpuId(card as u16))
            }
            (None, None) => To::Anywhere,
        };
        let kind = match word {
            Word::Vmotion => Kind::Vmotion { vm, to },
            Word::Suspend => Kind::Suspend { vm },
            Word::Resume => Kind::Resume { vm },
            Word::PowerOff => Kind::PowerOff { vm },
            Word::PowerOn => Kind::PowerOn { vm },
            Word::Clone => {
                let name = clones::name(keys)?;
                Kind::Clone { vm: vms.iter().position(|vm| vm.name == name)?, to }
            }
            Word::HostFailure | Word::Maintenance => unreachable!("these are done to hosts"),
        };
        Some(Asked { at, kind })
    }

    fn host(&self, name: &str, spot: &Spot) -> Option<HostId> {
        let place = self.named.names.iter().position(|host| host == name);
        if place.is_none() {
            let names: Vec<&str> = self.named.names.iter().map(String::as_str).collect();
            let diagnostic = Diagnostic::at(spot, format!("unknown host {}", quoted(name)));
            let diagnostic = diagnostic.allowed(some_of(&names));
            self.problems.push(diagnostic.did_you_mean(nearest(name, &names)));
        }
        place.map(|place| HostId(place as u16))
    }

    /// Reports the operations that cannot be meant.
    fn has_mistakes(&self, plan: &Plan) -> bool {
        for (place, index) in plan.of_asked.iter().enumerate() {
            let operation = &plan.operations[*index];
            let OperationOutcome::Refused { why } = &operation.outcome else { continue };
            if !plan.mistakes.contains(index) {
                continue;
            }
            let (kind, at) = (operation.kind, operation.at);
            let title = format!("{kind} of {} at {at}: {why}", quoted(&operation.subject));
            let (keys, spot) = &self.operations.asked[place];
            let spot = keys.spot("at").unwrap_or(spot);
            let diagnostic = Diagnostic::at(spot, title).label("cannot be done");
            self.problems.push(diagnostic.help("change the operation, or those before it"));
        }
        !plan.mistakes.is_empty()
    }

    /// Under fixed share a card has as many slots as the vGPU's maximum, whoever has them.
    fn slots_suffice(&self, experiment: &Experiment, steps: &[VmStep]) {
        let mut owners: BTreeMap<(GpuId, u16), BTreeSet<VmId>> = BTreeMap::new();
        let mut add = |vm: VmId, shares: &[GpuShare]| {
            for share in shares {
                owners.entry((share.card, share.instance)).or_default().insert(vm);
            }
        };
        for first in self.firsts(experiment) {
            add(first, &experiment.vms[usize::from(first.0)].gpus);
        }
        for step in steps {
            if let VmChange::GoOn(Some(shares)) | VmChange::Up(Some(shares)) = &step.change {
                add(step.vm, shares);
            }
        }
        for ((card, instance), vms) in owners {
            let of = &experiment.cards[usize::from(card.0)].instances[usize::from(instance)];
            let InstanceSharing::Vgpus(slicing) = &of.sharing else { continue };
            let is_fixed = slicing.policy == crate::spec::SlicePolicy::FixedShare;
            if is_fixed && vms.len() > slicing.slots_max as usize {
                let title = format!(
                    "{} VMs come to card {} over the run, which has {} slots under fixed share",
                    vms.len(),
                    card.0,
                    slicing.slots_max
                );
                let help = "write policy = \"best-effort\" or \"equal-share\", or move fewer VMs";
                self.refuse(&self.operations.spot, title, help);
                return;
            }
        }
    }
}

/// Names in words, the first of many.
fn some_of(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 20;
    let more = if names.len() > SHOWN_MAX { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN_MAX)].join(", "))
}
