//! From one scenario file to its pairs: the run, its baselines and published figures; not a sweep.
//!
//! Seeds and the order of files are handled in `config::load`.

use super::cpu::{self, CPU_LOAD};
use super::guest::Guest;
use super::holding::Holding;
use super::hosts::Hosts;
use super::length::Rates;
use super::machine::Machine;
use super::operations::{self, NamedHosts, Operations};
use super::other_vm::{self, Other};
use super::placed::{PlacedHosts, Placing};
use super::placement_keys::Placement;
use super::published::Sides;
use super::server_load::server_spots;
use super::settings::{differences, read_load, read_server};
use super::size::VMS_MAX;
use super::vm::{self, VmContext};
use super::{balanced, cards, lesson, llm_rules, placed, placement_keys, power_keys, rules, size};
use crate::config::catalogue::Catalogue;
use crate::config::text::{
    Diagnostic, Problems, Reader, SourceFile, Spot, Value, ValueOrigin, source,
};
use crate::formats::recognise;
use crate::spec::{
    Baseline, BaselineKind, CardSpec, CpuScheduling, Experiment, GpuId, GpuShare, HostId, HostSpec,
    HostStates, Hypervisor, Lesson, OtherVm, Pair, PlannedRun, Published, Step, TestScenario, VmId,
    VmSpec,
};
use crate::study;
use crate::units::Share;
use std::sync::Arc;
use toml::de::DeTable;

/// The word for both counterfactuals.
const BOTH: &str = "counterfactual";

/// The content of one scenario file.
pub(crate) struct Plan {
    pub(crate) title: Option<String>,
    /// The seed it states, with its place.
    pub(crate) seed: Option<(u64, Spot)>,
    pub(crate) pairs: Vec<Pair>,
    /// What a teacher says about it.
    pub(crate) lesson: Option<Lesson>,
    /// The machine and the `[[vm]]` as written, when answers were recorded and there is no fault.
    pub(crate) written: Option<(Machine, Vec<Guest>, Vec<Other>)>,
}

/// Reads a scenario file; `stem` is its name without `.toml`.
pub(crate) fn read(
    file: &Arc<SourceFile>,
    stem: &str,
    catalogue: &Catalogue,
    problems: &Problems,
) -> Option<Plan> {
    let tree = source::parse(file, problems)?;
    if tree.is_empty() {
        let help = "a scenario needs at least `host` and one [[vm]] with `workload` and [vm.load]";
        source::is_empty(file, help, problems);
        return None;
    }
    if !source::is_of_kind(file, &tree, recognise::SCENARIO, problems) {
        return None;
    }
    Some(read_tree(file, &tree, stem, catalogue, problems))
}

/// Reads the tree of a scenario file, which may differ from the file: a sweep sets its keys.
pub(crate) fn read_tree(
    file: &Arc<SourceFile>,
    tree: &DeTable<'_>,
    stem: &str,
    catalogue: &Catalogue,
    problems: &Problems,
) -> Plan {
    let mut top = Reader::new(file, tree, problems);
    let title = top.get("title").and_then(|value| value.text().map(str::to_string));
    let seed =
        top.get("seed").and_then(|value| Some((value.whole(0..=u64::MAX, "")?, value.spot())));
    let is_cluster = Hosts::are_in(&mut top);
    let hosts = is_cluster.then(|| Hosts::read(&mut top, catalogue, problems)).flatten();
    let machine = match is_cluster {
        true => hosts.as_ref().map(|hosts| hosts.machine.clone()),
        false => Machine::read(&mut top, catalogue, problems),
    };
    let around = VmContext { is_cluster, ..VmContext::new(catalogue, machine.as_ref()) };
    let cpu = cpu::read_scheduling(&mut top);
    let vms = read_vms(&mut top, &around);
    let (guests, others) =
        vms.map_or((None, Vec::new()), |(guests, others)| (Some(guests), others));
    let capacity = read_capacity(&mut top);
    let mut published = Sides::read(&mut top);
    let baseline = top.get("baseline");
    let lesson = lesson::read(&mut top);
    // Also of VMs that are faulty.
    let vms = top.get("vm").and_then(|value| value.value.as_array()).into_iter().flatten();
    let has_replicas =
        vms.filter_map(|vm| vm.get_ref().as_table()).any(|vm| vm.contains_key("replicas"));
    let operations = operations::read(&mut top, has_replicas);
    let power = power_keys::read(&mut top);
    one_vm_only(&top, guests.as_deref());
    capacity_needs_a_rate(&top, guests.as_deref());
    refuse_sweep(&mut top);
    let placing = is_cluster
        .then(|| read_placing(&mut top, hosts.as_ref(), (guests.as_deref(), &others), &seed));
    let mut written = None;
    let pairs = match (machine, guests, cpu) {
        (Some(machine), Some(guests), Some(cpu)) => {
            // Beside published figures and their twin the rates are run as they stand, too.
            let rates = match problems.rates_are_parts && baseline.is_none() && !published.any() {
                true => Rates::Parts,
                false => Rates::Asked,
            };
            let placed = match (hosts.as_ref(), placing.flatten()) {
                (Some(hosts), Some(placing)) if !problems.any() => {
                    placed::place(hosts, (&guests, &others), placing, catalogue, problems)
                }
                _ => None,
            };
            let is_unplaced = is_cluster && placed.is_none();
            let (placed, beside) = (placed.as_ref(), Beside { others, cpu, power });
            let context = Context { machine: &machine, placed, catalogue, rates, problems, beside };
            let kept = problems.answers.are_kept();
            let kept = kept.then(|| (guests.clone(), context.beside.others.clone()));
            let asked = (capacity, operations);
            let pairs = match is_unplaced {
                true => Vec::new(),
                false => context.pair(stem, guests, baseline, &mut published, asked),
            };
            written = kept.map(|(guests, others)| (machine, guests, others));
            pairs
        }
        _ => Vec::new(),
    };
    top.finish();
    Plan { title, seed, pairs, lesson, written: written.filter(|_| !problems.any()) }
}

/// Inference VMs, and those with other work.
type Vms = (Vec<Guest>, Vec<Other>);

fn read_vms(top: &mut Reader<'_>, around: &VmContext<'_>) -> Option<Vms> {
    let value = top.need("vm", "write [[vm]] with a workload and [vm.load]")?;
    if value.is_table() {
        value.report(value.wrong("is a single table").help("write [[vm]] with two brackets"));
        return None;
    }
    let items = value.items(VMS_MAX)?;
    let count = items.len();
    let (mut guests, mut others) = (Vec::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        item.problems.answers.begins();
        let Some(table) = item.table() else { continue };
        match table.has(CPU_LOAD) {
            true => others.extend(other_vm::read(table, index + 1, around)),
            false => guests.extend(vm::read(table, index + 1, around)),
        }
    }
    if others.len() == count {
        let diagnostic =
            value.wrong("has no VM with inference, whose latency is what is simulated");
        value.report(diagnostic.help("add a [[vm]] with a workload and [vm.load]"));
        return None;
    }
    let copies = others.iter().map(|other| other.copies.unwrap_or(1));
    let all = vm_count(&guests) + copies.sum::<u32>();
    if all > VMS_MAX as u32 {
        let diagnostic = value.wrong(format!("has {all} VMs, copies counted"));
        let diagnostic = diagnostic.of_limit(study::Obstacle::Limit);
        value.report(diagnostic.allowed(format!("at most {VMS_MAX}")));
        return None;
    }
    let is_whole = guests.len() + others.len() == count;
    (size::fits_memory(&guests, value.problems) && is_whole).then_some((guests, others))
}

/// Reads `[placement]` and `[[rule]]`.
fn read_placing(
    top: &mut Reader<'_>,
    hosts: Option<&Hosts>,
    (guests, others): (Option<&[Guest]>, &[Other]),
    seed: &Option<(u64, Spot)>,
) -> Option<Placing> {
    let placement = Placement::read(top);
    let (Some(hosts), Some(guests)) = (hosts, guests) else {
        let _ = top.get("rule");
        return None;
    };
    let names = guests.iter().map(|guest| guest.vm.name.as_str());
    let names: Vec<&str> = names.chain(others.iter().map(|other| other.vm.name.as_str())).collect();
    let rules = placement_keys::rules(top, hosts, &names)?;
    Some(Placing { rules, placement, seed: seed.as_ref().map_or(0, |(seed, _)| *seed) })
}

/// How many VMs there are, copies counted.
fn vm_count(guests: &[Guest]) -> u32 {
    guests.iter().map(|guest| guest.copies.unwrap_or(1)).sum()
}

/// `[capacity]`, `precision = "1 %"`.
fn read_capacity(top: &mut Reader<'_>) -> Option<f64> {
    let mut table = top.table("capacity")?;
    let inside = |share: &Share| (0.0001..=0.5).contains(&share.get());
    let precision = match table.get("precision") {
        Some(value) => value.bounded(inside, "0.01 % to 50 %").map(Share::get),
        None => Some(0.01),
    };
    table.finish();
    precision
}

/// A search for capacity and published figures speak of one VM.
fn one_vm_only(top: &Reader<'_>, guests: Option<&[Guest]>) {
    let several = guests.is_some_and(|guests| vm_count(guests) > 1);
    let models = guests.is_some_and(|guests| guests.iter().any(|one| one.model.is_some()));
    for key in ["published", "capacity"].iter().filter(|key| top.has(key)) {
        let (needs, others) = match (several, models) {
            (true, _) => ("one [[vm]]", "VMs"),
            (false, true) => ("a [[vm]] of one workload", "models"),
            (false, false) => continue,
        };
        let title = format!("`{key}` needs a scenario with {needs}");
        top.report(
            Diagnostic::at(&top.spot_of(key), title)
                .help(format!("drop [{key}], or the other {others}")),
        );
    }
}

fn capacity_needs_a_rate(top: &Reader<'_>, guests: Option<&[Guest]>) {
    let without = |guest: &&Guest| {
        !matches!(guest.vm.load.scenario, TestScenario::Server | TestScenario::Offline)
    };
    let without = guests.and_then(|guests| guests.iter().find(without));
    if let Some(guest) = without.filter(|_| top.has("capacity")) {
        let scenario = guest.vm.load.scenario.word();
        let title = format!("`capacity` has no meaning in the {scenario} scenario");
        let help = "drop [capacity]: there is no rate to search";
        top.report(Diagnostic::at(&top.spot_of("capacity"), title).help(help));
    }
}

/// A sweep is no run: its points are read one by one, without the table that makes them.
fn refuse_sweep(top: &mut Reader<'_>) {
    if let Some(value) = top.get("sweep") {
        let diagnostic = value.wrong("makes this file a sweep, which cannot be part of a scenario");
        value.report(diagnostic.help("move it out of the folder: `slicewise sweep FILE`"));
    }
}

/// What making pairs needs.
struct Context<'c> {
    machine: &'c Machine,
    /// The hosts of a cluster with the guests on each.
    placed: Option<&'c PlacedHosts>,
    catalogue: &'c Catalogue,
    rates: Rates,
    problems: &'c Problems,
    beside: Beside,
}

/// What is on the host beside inference, how its processors are divided, and what hosts without VMs do.
struct Beside {
    others: Vec<Other>,
    cpu: CpuScheduling,
    power: Option<HostStates>,
}

impl Context<'_> {
    /// The one pair of a file without sweep.
    fn pair(
        &self,
        stem: &str,
        guests: Vec<Guest>,
        baseline: Option<Value<'_>>,
        published: &mut Sides,
        (capacity, operations): (Option<f64>, Option<Operations>),
    ) -> Vec<Pair> {
        match self.placed {
            None => {
                let others = &self.beside.others;
                rules::check(self.machine, &guests, others, self.rates, self.problems);
            }
            Some(placed) => {
                let used = placed.hosts.iter().enumerate();
                for (host, (machine, guests)) in used.filter(|(_, (_, guests))| !guests.is_empty())
                {
                    let others = placed.others_on(host);
                    rules::check(machine, guests, &others, self.rates, self.problems);
                }
            }
        }
        balanced::check(&guests, self.problems);
        let scenario = guests.first().map_or(TestScenario::Server, |guest| guest.vm.load.scenario);
        let mut experiment = self.experiment(stem, &guests);
        let is_refused =
            operations.is_some() && llm_rules::refuse_operations(&guests, self.problems);
        if let Some(operations) = operations.as_ref().filter(|_| !is_refused) {
            let hosts = match self.placed {
                None => NamedHosts { names: vec![self.machine.host.id.clone()], network: None },
                Some(placed) => placed.named.clone(),
            };
            let around = (self.machine, &guests[..], hosts);
            operations::lay(operations, around, &mut experiment, self.problems);
        }
        let virtual_run = PlannedRun {
            experiment,
            published: published
                .virtual_run
                .take()
                .map(|figures| Published { scenario, ..figures }),
        };
        let clones = operations.as_ref().and_then(Operations::clones);
        let first = operations.as_ref().and_then(Operations::first);
        if let Some(spot) = first.filter(|_| capacity.is_some() || self.problems.rates_are_parts) {
            // Whoever is down loses the same part of the queries at any rate.
            let title = "a search for the highest rate with operations is not simulated";
            let help = "drop [[operation]] for the highest rate; what operations cost at a rate \
                `slicewise run` tells, at several a sweep over `vm.load.target_qps`";
            self.problems.push(Diagnostic::at(spot, title).help(help));
        }
        if capacity.is_some() || self.problems.rates_are_parts {
            llm_rules::refuse_search(&guests, self.problems);
        }
        let by_itself = balanced::of_any(&guests).map(|spot| (spot, "a load balancer"));
        let by_itself = by_itself.or(clones.map(|spot| (spot, "clones")));
        let mut baselines = self.baselines(stem, &guests, by_itself, baseline);
        if let Some((figures, spot)) = published.baseline.take() {
            match &mut baselines[..] {
                [Baseline { kind: BaselineKind::Twin { .. }, run }] => {
                    run.published = Some(Published { scenario, ..figures });
                }
                _ => {
                    let title = "`published.baseline` needs a twin";
                    let help = "write [baseline] with kind = \"twin\": a published run has its \
                        own settings";
                    self.problems.push(Diagnostic::at(&spot, title).help(help));
                }
            }
        }
        vec![Pair { name: stem.to_string(), virtual_run, baselines, capacity }]
    }

    /// The run itself, beside the VMs with other work.
    fn experiment(&self, stem: &str, guests: &[Guest]) -> Experiment {
        let (run, others) = match self.placed {
            None => {
                let others = Other::expand(&self.beside.others).into_iter().map(|other| other.vm);
                (experiment(stem, self.machine, guests), others.collect())
            }
            Some(placed) => {
                let others = placed.others.iter().map(|(host, other)| {
                    let host = HostId(*host as u16);
                    OtherVm { host, ..other.vm.clone() }
                });
                (joined(stem, &self.machine.hypervisor, placed), others.collect())
            }
        };
        let Beside { cpu, power, .. } = &self.beside;
        let mut run = Experiment { others, cpu: cpu.clone(), power: power.clone(), ..run };
        balanced::share(&mut run, guests);
        run
    }

    /// What the run stands beside: both counterfactuals unless the file says otherwise; nothing for
    /// bare metal.
    fn baselines(
        &self,
        stem: &str,
        guests: &[Guest],
        by_itself: Option<(&Spot, &str)>,
        value: Option<Value<'_>>,
    ) -> Vec<Baseline> {
        let bare_already = self.machine.hypervisor.id == super::machine::BARE_METAL;
        if let Some((spot, what)) = by_itself {
            // One operating system with all cards has nothing to balance, and makes no VMs.
            if value.is_some_and(|value| !value.is_text() || value.text() != Some("none")) {
                let title = format!("a run with {what} stands by itself");
                self.problems.push(Diagnostic::at(spot, title).help("write baseline = \"none\""));
            }
            let said = || ValueOrigin::default(format!("with {what}"));
            self.problems.answers.fallback(|| "baseline".to_string(), said);
            return Vec::new();
        }
        match value {
            Some(value) => self.baselines_said(stem, guests, &value).unwrap_or_default(),
            None if !bare_already => self.counterfactuals(stem, guests, BOTH),
            None => {
                let said = || ValueOrigin::default("on bare metal already");
                self.problems.answers.fallback(|| "baseline".to_string(), said);
                Vec::new()
            }
        }
    }

    fn baselines_said(
        &self,
        stem: &str,
        guests: &[Guest],
        value: &Value<'_>,
    ) -> Option<Vec<Baseline>> {
        const KINDS: [(&str, &str); 5] = [
            ("none", "none"),
            (BOTH, BOTH),
            ("same-cards", "same-cards"),
            ("whole-cards", "whole-cards"),
            ("twin", "twin"),
        ];
        let table = if value.is_text() { None } else { Some(value.table()?) };
        let (kind, table) = match table {
            None => (value.choice("kind of baseline", &KINDS)?, None),
            Some(mut table) => {
                let kind =
                    table.need("kind", "name the kind of baseline: counterfactual, same-cards, whole-cards, twin, none");
                let kind = kind.and_then(|value| value.choice("kind of baseline", &KINDS));
                let overrides = table.table("vm");
                if kind.is_some_and(|kind| kind != "twin") && overrides.is_some() {
                    let title = "only a twin has its own settings";
                    table.report(
                        Diagnostic::at(&table.spot_of("vm"), title).help("write kind = \"twin\""),
                    );
                }
                table.finish();
                (kind?, overrides)
            }
        };
        let bare_already = self.machine.hypervisor.id == super::machine::BARE_METAL;
        match kind {
            "none" => None,
            "twin" => Some(vec![self.twin(stem, guests, value, table)?]),
            // What is shared on bare metal can stand beside the same that is not.
            _ if bare_already && !is_shared(guests) => {
                let diagnostic = value.wrong("is the run itself: it is on bare metal already");
                value.report(diagnostic.allowed("none, twin"));
                None
            }
            "same-cards" if guests.iter().any(|guest| guest.vm.llm.is_some()) => {
                let title = "engines do not divide the requests of several VMs";
                value.report(value.wrong(title).allowed("whole-cards, twin, none"));
                None
            }
            kind => Some(self.counterfactuals(stem, guests, kind)),
        }
    }

    /// The same guests, load and draws without hypervisor: on the same cards, with whole cards, or
    /// both.
    fn counterfactuals(&self, stem: &str, guests: &[Guest], kind: &str) -> Vec<Baseline> {
        let Some(machine) = self.machine.bare(self.catalogue) else { return Vec::new() };
        let virtual_run = self.experiment(stem, guests);
        let runs = match kind {
            "same-cards" => vec![(BaselineKind::SameCards, study::same_cards(&virtual_run))],
            "whole-cards" => vec![(BaselineKind::WholeCards, study::whole_cards(&virtual_run))],
            _ => study::counterfactuals(&virtual_run),
        };
        let baselines = runs.into_iter().map(|(kind, run)| {
            let experiment = Experiment { hypervisor: machine.hypervisor.clone(), ..run };
            Baseline { kind, run: PlannedRun { experiment, published: None } }
        });
        baselines.collect()
    }

    /// The one guest with settings of its own, on all of the bare machine's processors.
    fn twin(
        &self,
        stem: &str,
        guests: &[Guest],
        value: &Value<'_>,
        overrides: Option<Reader<'_>>,
    ) -> Option<Baseline> {
        if self.placed.is_some() {
            let found = value.wrong("is a twin of a cluster");
            value.report(found.help("write one `host`, or kind = \"counterfactual\""));
            return None;
        }
        let [guest @ Guest { copies: None | Some(1), model: None, .. }] = guests else {
            let (what, help) = match guests {
                [Guest { model: Some(_), .. }] => ("models", "write a [[vm]] of one workload"),
                _ => ("VMs", "write one [[vm]]"),
            };
            let found = value.wrong(format!("is a twin of several {what}"));
            value.report(found.help(format!("{help}, or kind = \"counterfactual\"")));
            return None;
        };
        let machine = self.machine.bare(self.catalogue)?;
        let mut twin = Guest { holding: Holding::Whole, memory: None, pins: None, ..guest.clone() };
        twin.vm.vcpus = machine.host.logical_processors.value;
        if let Some(mut overrides) = overrides {
            override_settings(&mut overrides, &mut twin);
            overrides.finish();
        }
        rules::check(&machine, std::slice::from_ref(&twin), &[], self.rates, self.problems);
        let differs =
            differences((&twin.vm.server, &twin.vm.load), (&guest.vm.server, &guest.vm.load));
        let run =
            Experiment { power: self.beside.power.clone(), ..experiment(stem, &machine, &[twin]) };
        let run = PlannedRun { experiment: run, published: None };
        Some(Baseline { kind: BaselineKind::Twin { differs }, run })
    }
}

/// Whether guests have less of the machine than all of its cards for one of them.
fn is_shared(guests: &[Guest]) -> bool {
    vm_count(guests) > 1 || guests.iter().any(|guest| guest.holding != Holding::Whole)
}

/// Reads `vm.server` and `vm.load` of a twin over the settings of the virtual run.
fn override_settings(table: &mut Reader<'_>, twin: &mut Guest) {
    if let Some(mut server) = table.table("server") {
        read_server(&mut server, &mut twin.vm.server);
        [twin.spots.batch_max, twin.spots.streams] = server_spots(&server);
        server.finish();
    }
    if let Some(mut load) = table.table("load") {
        read_load(&mut load, &mut twin.vm.load);
        if load.has("target_qps") {
            twin.spots.rate = load.spot_of("target_qps");
        }
        load.finish();
    }
}

/// The run of these guests, each with its part of the cards.
fn experiment(name: &str, machine: &Machine, guests: &[Guest]) -> Experiment {
    let guests = cards::expand(machine, guests);
    let (cards, shares) = cards::deal(machine, &guests);
    let mut vms: Vec<VmSpec> = Vec::new();
    guests.iter().zip(shares).for_each(|(guest, gpus)| add(&mut vms, guest, &gpus, &cards));
    run_of(name, &machine.hypervisor, (vec![machine.host.clone()], cards), vms)
}

/// The run of VMs on these hosts with their cards, and of nothing beside.
fn run_of(
    name: &str,
    hypervisor: &Hypervisor,
    (hosts, cards): (Vec<HostSpec>, Vec<CardSpec>),
    vms: Vec<VmSpec>,
) -> Experiment {
    Experiment {
        name: name.to_string(),
        seed: 0,
        replication: 0,
        hypervisor: hypervisor.clone(),
        hosts,
        vms,
        others: Vec::new(),
        cpu: CpuScheduling::default(),
        pools: Vec::new(),
        timeline: None,
        power: None,
        cards,
    }
    .with_pods_apart()
    .with_models_side_by_side()
    .with_processes_in_turns()
}

/// Adds the models of a guest with these shares of cards.
fn add(vms: &mut Vec<VmSpec>, guest: &Guest, gpus: &[GpuShare], cards: &[CardSpec]) {
    let first = VmId(vms.len() as u16);
    for (place, model) in guest.by_model().into_iter().enumerate() {
        let server_of = (place > 0).then_some(first);
        let steps = model.vm.steps.into_iter().map(|step| match step {
            Step::Model(VmId(place)) => Step::Model(VmId(first.0 + place)),
            step => step,
        });
        let steps = steps.collect();
        let mut gpus = gpus.to_vec();
        if let Some(pods) = &guest.pods {
            let limit = |share: &mut GpuShare| {
                let gpu = &cards[usize::from(share.card.0)].gpu;
                share.sm_limit = pods.sm_limit(place, &guest.holding, gpu);
            };
            gpus.iter_mut().for_each(limit);
        }
        vms.push(VmSpec { gpus, server_of, steps, ..model.vm });
    }
}

/// The run of a cluster: every host with its cards, and the guests in the order of the file.
fn joined(name: &str, hypervisor: &Hypervisor, placed: &PlacedHosts) -> Experiment {
    let (mut hosts, mut cards) = (Vec::new(), Vec::new());
    let mut shares: Vec<Vec<Vec<GpuShare>>> = Vec::new();
    for (index, (machine, guests)) in placed.hosts.iter().enumerate() {
        let (host, first) = (HostId(index as u16), cards.len() as u16);
        let (own, mut of_guests) = cards::deal(machine, guests);
        cards.extend(own.into_iter().map(|card| CardSpec { host, ..card }));
        let all = of_guests.iter_mut().flatten();
        all.for_each(|share| share.card = GpuId(first + share.card.0));
        shares.push(of_guests);
        hosts.push(machine.host.clone());
    }
    let mut vms = Vec::new();
    for (host, place) in &placed.order {
        add(&mut vms, &placed.hosts[*host].1[*place], &shares[*host][*place], &cards);
    }
    run_of(name, hypervisor, (hosts, cards), vms)
}
