//! From one scenario file to its pairs: the run, its baselines and published figures; not a sweep.
//!
//! Seeds and the order of files are handled in `config::load`.

use super::guest::Guest;
use super::holding::Holding;
use super::length::Rates;
use super::machine::Machine;
use super::operations::{self, Operations};
use super::published::Sides;
use super::server_load::server_spots;
use super::settings::{differences, read_load, read_server};
use super::size::VMS_MAX;
use super::vm::{self, VmContext};
use super::{cards, lesson, rules, size};
use crate::config::catalogue::Catalogue;
use crate::config::text::{
    Diagnostic, Problems, Reader, SourceFile, Spot, Value, ValueOrigin, source,
};
use crate::formats::recognise;
use crate::spec::{
    Baseline, BaselineKind, Experiment, Lesson, Pair, PlannedRun, Published, Step, TestScenario,
    VmId, VmSpec,
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
    pub(crate) written: Option<(Machine, Vec<Guest>)>,
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
    let machine = Machine::read(&mut top, catalogue, problems);
    let around = VmContext::new(catalogue, machine.as_ref());
    let guests = read_guests(&mut top, &around);
    let capacity = read_capacity(&mut top);
    let mut published = Sides::read(&mut top);
    let baseline = top.get("baseline");
    let lesson = lesson::read(&mut top);
    let operations = operations::read(&mut top);
    one_vm_only(&top, guests.as_deref());
    capacity_needs_a_rate(&top, guests.as_deref());
    refuse_sweep(&mut top);
    let mut written = None;
    let pairs = match (machine, guests) {
        (Some(machine), Some(guests)) => {
            // Beside published figures and their twin the rates are run as they stand, too.
            let rates = match problems.rates_are_parts && baseline.is_none() && !published.any() {
                true => Rates::Parts,
                false => Rates::Asked,
            };
            let context = Context { machine: &machine, catalogue, rates, problems };
            let kept = problems.answers.are_kept().then(|| guests.clone());
            let pairs =
                context.pair(stem, guests, baseline, &mut published, (capacity, operations));
            written = kept.map(|guests| (machine, guests));
            pairs
        }
        (_, _) => Vec::new(),
    };
    top.finish();
    Plan { title, seed, pairs, lesson, written: written.filter(|_| !problems.any()) }
}

fn read_guests(top: &mut Reader<'_>, around: &VmContext<'_>) -> Option<Vec<Guest>> {
    let value = top.need("vm", "write [[vm]] with a workload and [vm.load]")?;
    if value.is_table() {
        value.report(value.wrong("is a single table").help("write [[vm]] with two brackets"));
        return None;
    }
    let items = value.items(VMS_MAX)?;
    let count = items.len();
    let guests = items.into_iter().enumerate();
    let guests = guests.filter_map(|(index, item)| {
        item.problems.answers.begins();
        vm::read(item.table()?, index + 1, around)
    });
    let guests: Vec<_> = guests.collect();
    let all = vm_count(&guests);
    if all > VMS_MAX as u32 {
        let diagnostic = value.wrong(format!("has {all} VMs, copies counted"));
        let diagnostic = diagnostic.of_limit(study::Obstacle::Limit);
        value.report(diagnostic.allowed(format!("at most {VMS_MAX}")));
        return None;
    }
    (size::fits_memory(&guests, value.problems) && guests.len() == count).then_some(guests)
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
    catalogue: &'c Catalogue,
    rates: Rates,
    problems: &'c Problems,
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
        rules::check(self.machine, &guests, self.rates, self.problems);
        let scenario = guests.first().map_or(TestScenario::Server, |guest| guest.vm.load.scenario);
        let mut experiment = experiment(stem, self.machine, &guests);
        if let Some(operations) = &operations {
            operations::lay(operations, (self.machine, &guests), &mut experiment, self.problems);
        }
        let virtual_run = PlannedRun {
            experiment,
            published: published
                .virtual_run
                .take()
                .map(|figures| Published { scenario, ..figures }),
        };
        let mut baselines = self.baselines(stem, &guests, baseline);
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

    /// What the run stands beside: both counterfactuals unless the file says otherwise; nothing for
    /// bare metal.
    fn baselines(&self, stem: &str, guests: &[Guest], value: Option<Value<'_>>) -> Vec<Baseline> {
        let bare_already = self.machine.hypervisor.id == super::machine::BARE_METAL;
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
            kind => Some(self.counterfactuals(stem, guests, kind)),
        }
    }

    /// The same guests, load and draws without hypervisor: on the same cards, with whole cards, or
    /// both.
    fn counterfactuals(&self, stem: &str, guests: &[Guest], kind: &str) -> Vec<Baseline> {
        let Some(machine) = self.machine.bare(self.catalogue) else { return Vec::new() };
        let virtual_run = experiment(stem, self.machine, guests);
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
        rules::check(&machine, std::slice::from_ref(&twin), self.rates, self.problems);
        let differs =
            differences((&twin.vm.server, &twin.vm.load), (&guest.vm.server, &guest.vm.load));
        let run = PlannedRun { experiment: experiment(stem, &machine, &[twin]), published: None };
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
    for (guest, gpus) in guests.into_iter().zip(shares) {
        let first = VmId(vms.len() as u16);
        for (place, model) in guest.by_model().into_iter().enumerate() {
            let server_of = (place > 0).then_some(first);
            let steps = model.vm.steps.into_iter().map(|step| match step {
                Step::Model(VmId(place)) => Step::Model(VmId(first.0 + place)),
                step => step,
            });
            let steps = steps.collect();
            vms.push(VmSpec { gpus: gpus.clone(), server_of, steps, ..model.vm });
        }
    }
    Experiment {
        name: name.to_string(),
        seed: 0,
        replication: 0,
        hypervisor: machine.hypervisor.clone(),
        hosts: vec![machine.host.clone()],
        vms,
        pools: Vec::new(),
        timeline: None,
        cards,
    }
    .with_models_side_by_side()
    .with_processes_in_turns()
}
