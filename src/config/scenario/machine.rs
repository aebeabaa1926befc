//! The machine of a scenario file: `host`, its GPUs, how they are shared, and the `hypervisor`.
//!
//! The VMs on it are in `guest`.

use super::sharing_keys::Sharing;
use crate::config::catalogue::entries::{HostCards, HostFile, gpus_of};
use crate::config::catalogue::facts::Sources;
use crate::config::catalogue::gpus::GpuFile;
use crate::config::catalogue::hosts::own_host;
use crate::config::catalogue::{Catalogue, find, unknown_gpu};
use crate::config::text::diagnostic::CardsHelp;
use crate::config::text::{Diagnostic, Problems, Reader, Value, ValueOrigin};
use crate::spec::{GpuSpec, HostLink, HostSpec, HostStalls, Hypervisor};
use crate::units::{Power, SimDuration};
use std::collections::BTreeMap;

/// The id for bare metal, without hypervisor.
pub(crate) const BARE_METAL: &str = "bare-metal";

/// The machine that guests run on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) host: HostSpec,
    /// Its cards by model, in the order in which the models first occur.
    pub(crate) models: Vec<Model>,
    /// The same by their attachment to the host, which does not affect the simulation.
    pub(crate) groups: Vec<HostCards>,
    pub(crate) hypervisor: Hypervisor,
    /// How vGPUs of one card take turns.
    pub(crate) sharing: Sharing,
}

/// The cards of one model in a machine; each model is placed separately.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) gpu: GpuFile,
    /// Which cards of the machine they are, counted from 0.
    pub(crate) numbers: Vec<u32>,
    /// The single card that this is about, on a machine with several.
    pub(crate) only: Option<u32>,
    /// The host's name, for messages.
    pub(crate) host: String,
    /// How vGPUs of one card take turns.
    pub(crate) sharing: Sharing,
}

impl Machine {
    /// Reads `host`, `host_stalls`, `gpus`, `hypervisor` and `[sharing]`.
    pub(crate) fn read(
        file: &mut Reader<'_>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Option<Machine> {
        problems.help_about_cards(None);
        let sharing = file.table("sharing").map(Sharing::read).unwrap_or_default();
        let host_value =
            file.need("host", "name a host of the catalogue, such as host = \"dell-r7525\", or write your own: host = { logical_processors = 64, memory = \"512 GB\" }");
        let host = host_value.as_ref().and_then(|value| host_of(value, catalogue));
        let stalls = file.table("host_stalls").map(stalls);
        let gpus = file.get("gpus");
        let hypervisor = match file.get("hypervisor") {
            Some(value) => find(&value, "hypervisor", &catalogue.hypervisors),
            None => catalogue.hypervisors.get(BARE_METAL),
        };
        let cards = match &gpus {
            Some(value) => gpus_of(value, &Sources::new()),
            None => host_value.as_ref().zip(host.as_ref()).and_then(cards_of_host),
        };
        let groups = cards?;
        let models = models(&groups, catalogue, problems)?;
        if let (Some(value), Some(host)) = (&gpus, &host) {
            problems.help_about_cards(cards_instead(value, &groups, host));
        }
        if let Some(host) = host.as_ref().filter(|_| gpus.is_none()) {
            let id = &host.spec.id;
            let place = || catalogue.line("hosts", id, "gpus").unwrap_or_else(|| id.clone());
            file.fallback("gpus", || ValueOrigin::new("host", place()));
        }
        file.fallback("hypervisor", || ValueOrigin::default("none"));
        // Of several models each says its own, and is asked where that is told.
        for key in ["switch_cost", "hardware_slice", "compute_timeslice"] {
            let said = said_by_gpu(&models[0].spec, key);
            file.fallback(&format!("sharing.{key}"), || said.expect("a fact of the GPU"));
        }
        file.fallback("sharing.slice", || {
            ValueOrigin::default("by the vGPU type's maximum per card")
        });
        let stalls = stalls.map_or(Some(None), |stalls| stalls.map(Some));
        let specs: Vec<&GpuSpec> = models.iter().map(|gpu| &gpu.spec).collect();
        sharing.check(&specs, problems);
        check_power_limits(&groups, &specs, problems);
        let host = HostSpec { stalls: stalls?, ..host?.spec };
        Some(Self::of(host, groups, models, (sharing, hypervisor?)))
    }

    /// The machine of a host with these groups of cards, which are of these models.
    fn of(
        host: HostSpec,
        groups: Vec<HostCards>,
        models: Vec<&GpuFile>,
        (sharing, hypervisor): (Sharing, &Hypervisor),
    ) -> Machine {
        let of_model = |gpu: &GpuFile| Model {
            gpu: gpu.clone(),
            numbers: numbers_of(&gpu.spec.id, &groups),
            only: None,
            host: host.id.clone(),
            sharing: sharing.on(&gpu.spec),
        };
        let models = models.into_iter().map(of_model).collect();
        Machine { models, sharing, host, groups, hypervisor: hypervisor.clone() }
    }

    /// The machine of a host of a cluster, or of the largest with the cards of all; what is said about
    /// the cards is checked where that is asked for.
    pub(super) fn of_cluster(
        host: HostSpec,
        groups: Vec<HostCards>,
        (sharing, hypervisor): (&Sharing, &Hypervisor),
        (catalogue, problems, is_checked): (&Catalogue, &Problems, bool),
    ) -> Option<Machine> {
        let models = models(&groups, catalogue, problems)?;
        if is_checked {
            let specs: Vec<&GpuSpec> = models.iter().map(|gpu| &gpu.spec).collect();
            sharing.check(&specs, problems);
            check_power_limits(&groups, &specs, problems);
        }
        Some(Self::of(host, groups, models, (sharing.clone(), hypervisor)))
    }

    /// The same machine without hypervisor.
    pub(crate) fn bare(&self, catalogue: &Catalogue) -> Option<Machine> {
        let hypervisor = catalogue.hypervisors.get(BARE_METAL)?.clone();
        Some(Machine { hypervisor, ..self.clone() })
    }

    /// How many cards there are, of all models.
    pub(crate) fn cards(&self) -> u32 {
        self.models.iter().map(Model::cards).sum()
    }

    /// The index of the model of a card.
    pub(crate) fn model_of(&self, card: u32) -> usize {
        let found = self.models.iter().position(|model| model.numbers.contains(&card));
        found.expect("a card of the machine")
    }

    /// The GPU of a card.
    pub(crate) fn gpu_of(&self, card: u32) -> &GpuSpec {
        &self.models[self.model_of(card)].gpu.spec
    }

    /// The power limit that a card is set to.
    pub(crate) fn power_limit_of(&self, card: u32) -> Option<Power> {
        let mut limits = self.groups.iter().flat_map(|group| {
            std::iter::repeat_n(
                group.power_limit.as_ref().map(|(limit, _)| *limit),
                group.count as usize,
            )
        });
        limits.nth(card as usize).flatten()
    }

    /// How a card is attached to the host.
    pub(crate) fn link_of(&self, card: u32) -> HostLink {
        let mut links = self
            .groups
            .iter()
            .flat_map(|group| std::iter::repeat_n(&group.link, group.count as usize));
        links.nth(card as usize).cloned().unwrap_or_default()
    }

    /// The names of the models, one after the other.
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.models.iter().map(|model| model.gpu.spec.id.as_str()).collect()
    }

    /// The cards with their places: `2 x a30 (NUMA node 0), 2 x a30 (NUMA node 1)`.
    pub(crate) fn cards_with_places(&self) -> String {
        let is_placed = |cards: &HostCards| {
            cards.numa_node.is_some()
                || cards.nvlink_group.is_some()
                || cards.power_limit.is_some()
                || cards.link != HostLink::default()
        };
        if let ([model], false) = (&self.models[..], self.groups.iter().any(is_placed)) {
            return model.cards_in_words();
        }
        let groups = self.groups.iter().map(|group| {
            let numa = group.numa_node.map(|node| format!("NUMA node {node}"));
            let nvlink = group.nvlink_group.map(|number| format!("NVLink group {number}"));
            let limit = group.power_limit.as_ref();
            let limit = limit.map(|(limit, _)| format!("power limit {limit}"));
            let switch = group.link.switch.map(|number| format!("PCIe switch {number}"));
            let link = group.link.pcie_bandwidth.as_ref();
            let link = link.map(|fact| format!("link of {}", fact.value));
            let places = numa.into_iter().chain(nvlink).chain(switch).chain(link).chain(limit);
            let places: Vec<String> = places.collect();
            let places = match places.is_empty() {
                true => String::new(),
                false => format!(" ({})", places.join(", ")),
            };
            format!("{} x {}{places}", group.count, group.model)
        });
        groups.collect::<Vec<_>>().join(", ")
    }
}

impl Model {
    /// How many cards.
    pub(crate) fn cards(&self) -> u32 {
        self.numbers.len() as u32
    }

    /// The same with this one card of the machine.
    pub(crate) fn card(&self, number: u32) -> Model {
        Model { numbers: vec![number], only: Some(number), ..self.clone() }
    }

    /// The number and model of the cards: `3 x a100-pcie-40gb`; `GPU 2 (a100-pcie-40gb)` of one
    /// among several.
    pub(crate) fn cards_in_words(&self) -> String {
        match self.only {
            Some(card) => format!("GPU {card} ({})", self.gpu.spec.id),
            None => format!("{} x {}", self.cards(), self.gpu.spec.id),
        }
    }
}

/// The origin of the turns on a GPU where the scenario does not state them.
pub(crate) fn said_by_gpu(gpu: &GpuSpec, key: &str) -> Option<ValueOrigin> {
    Some(match key {
        "switch_cost" => ValueOrigin::fact("gpu", &gpu.id, &gpu.switch_cost),
        "hardware_slice" => ValueOrigin::fact("gpu", &gpu.id, &gpu.time_slice_best_effort),
        "compute_timeslice" => ValueOrigin::fact("gpu", &gpu.id, &gpu.process_turns),
        _ => return None,
    })
}

/// `host = "dell-r7525"`, or a table with the facts of one.
pub(super) fn host_of(value: &Value<'_>, catalogue: &Catalogue) -> Option<HostFile> {
    match value.is_table() {
        true => own_host(value.table()?),
        false => find(value, "host", &catalogue.hosts).cloned(),
    }
}

/// Reads `host_stalls = { per_second = 0.2, length = "30 ms" }`.
fn stalls(mut table: Reader<'_>) -> Option<HostStalls> {
    let often = table.need("per_second", "state how often the host stalls");
    let often = often.and_then(|value| {
        value.number(|often: f64| (1e-6..=1e3).contains(&often), "0.000001 to 1000 per second")
    });
    let length = table.need("length", "state how long it stalls, such as length = \"30 ms\"");
    let in_bounds = |span: &SimDuration| (1_000..=60_000_000_000).contains(&span.as_nanos());
    let length = length.and_then(|value| value.bounded(in_bounds, "1 us to 60 s"));
    table.finish();
    Some(HostStalls { per_s: often?, length: length? })
}

/// The cards that come with a host; one that a scenario describes may have none.
pub(super) fn cards_of_host((value, host): (&Value<'_>, &HostFile)) -> Option<Vec<HostCards>> {
    if host.gpus.is_empty() {
        let help = "write gpus = { model = \"a100-pcie-40gb\", count = 3 } in it or beside it";
        value.report(value.wrong("has no GPUs").help(help));
        return None;
    }
    Some(host.gpus.clone())
}

/// Reports power limits that say nothing: of GPUs whose clock under a limit is not known, or below what
/// they draw when idle.
fn check_power_limits(groups: &[HostCards], models: &[&GpuSpec], problems: &Problems) {
    for (model, limit, spot) in groups.iter().filter_map(|group| {
        let (limit, spot) = group.power_limit.as_ref()?;
        let model = models.iter().find(|model| model.id == group.model)?;
        Some((model, limit.watts(), spot))
    }) {
        let Some(idle) = &model.power_idle_w else {
            let title =
                format!("the effect of a power limit on the clock of {} is not known", model.id);
            let help = "drop the key, or write power_idle_w into the GPU's file and watts_per_sm into the workload's";
            problems.push(Diagnostic::at(spot, title).help(help));
            continue;
        };
        if limit <= idle.value {
            let title = format!(
                "`power_limit` of {limit} W, where {} draws {} W when idle",
                model.id, idle.value
            );
            let allowed =
                format!("above {} W; shipped with {} W", idle.value, model.power_cap_w.value);
            problems.push(Diagnostic::at(spot, title).allowed(allowed));
            continue;
        }
        let usual = model.power_cap_w.value;
        match &model.power_limit_min_w {
            Some(least) if limit < least.value => {
                let title = format!(
                    "`power_limit` of {limit} W, where {} accepts {} W or more",
                    model.id, least.value
                );
                let allowed = format!("{} W or more; shipped with {usual} W", least.value);
                let diagnostic = Diagnostic::at(spot, title).allowed(allowed);
                problems.push(diagnostic.note("source", least.source.clone()));
            }
            // No published run has a limit below 0.55 of the usual one.
            None if limit < usual / 2.0 => {
                let title = format!(
                    "`power_limit` of {limit} W for {}, shipped with {usual} W: whether it \
                     accepts so low a limit is not known",
                    model.id
                );
                let help =
                    "`nvidia-smi -q -d POWER` shows the lowest and the highest limit of a card";
                problems.warn(Diagnostic::at(spot, title).help(help));
            }
            _ => {}
        }
    }
}

/// The help for errors that the host's own cards would not make, where `gpus` of the file has put others,
/// or fewer, in their place.
fn cards_instead(gpus: &Value<'_>, groups: &[HostCards], host: &HostFile) -> Option<CardsHelp> {
    let models = |groups: &[HostCards]| -> BTreeMap<String, u32> {
        let mut models = BTreeMap::new();
        groups
            .iter()
            .for_each(|group| *models.entry(group.model.clone()).or_default() += group.count);
        models
    };
    let (own, used) = (models(&host.gpus), models(groups));
    let has_more = used.iter().any(|(model, count)| own.get(model).is_some_and(|own| own > count));
    if own.is_empty() || used.keys().any(|model| own.contains_key(model)) && !has_more {
        return None;
    }
    let words = |models: &BTreeMap<String, u32>| {
        let cards = models.iter().map(|(model, count)| format!("{count} x {model}"));
        cards.collect::<Vec<_>>().join(", ")
    };
    let help = format!(
        "`gpus` of line {} ({}) is used instead of the cards that \"{}\" has ({}): drop it to use \
         these",
        gpus.spot().line_and_column().1,
        words(&used),
        host.spec.id,
        words(&own)
    );
    let other_than = if has_more { Vec::new() } else { used.into_keys().collect() };
    Some(CardsHelp { other_than, help })
}

/// The models that cards are of, in the order in which they come first.
fn models<'c>(
    cards: &[HostCards],
    catalogue: &'c Catalogue,
    problems: &Problems,
) -> Option<Vec<&'c GpuFile>> {
    for group in cards.iter().filter(|group| !catalogue.gpus.contains_key(&group.model)) {
        problems.push(unknown_gpu(&group.spot, &group.model, catalogue));
    }
    let mut ids: Vec<&str> = Vec::new();
    for group in cards.iter().filter(|group| group.count > 0) {
        if !ids.contains(&group.model.as_str()) {
            ids.push(&group.model);
        }
    }
    let found: Option<Vec<&GpuFile>> = ids.iter().map(|id| catalogue.gpus.get(*id)).collect();
    found.filter(|found| !found.is_empty())
}

/// The numbers of the cards of a model: cards are counted as they are listed.
fn numbers_of(id: &str, cards: &[HostCards]) -> Vec<u32> {
    let models =
        cards.iter().flat_map(|group| std::iter::repeat_n(&group.model, group.count as usize));
    (0..).zip(models).filter(|(_, model)| *model == id).map(|(number, _)| number).collect()
}
