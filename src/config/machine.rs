//! The machine of a scenario file: `host`, its GPUs, how they are shared, and the `hypervisor`.
//!
//! Who runs on it is in `guest`.

use super::answers::Said;
use super::catalogue::Catalogue;
use super::diagnostic::{CardsHelp, Diagnostic, Problems, Spot};
use super::entries::{HostCards, HostFile, gpus_of, own_host};
use super::gpus::GpuFile;
use super::reader::Reader;
use super::sharing::Sharing;
use super::suggest::quoted;
use super::value::{Value, of_own};
use crate::spec::{GpuSpec, HostSpec, Hypervisor};
use std::collections::{BTreeMap, BTreeSet};

/// The id of the hypervisor that is none.
pub(super) const BARE_METAL: &str = "bare-metal";

/// What guests run on.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) host: HostSpec,
    pub(super) gpu: GpuFile,
    /// How many cards of that model.
    pub(super) cards: u32,
    /// The card that this is about, of a machine with several.
    pub(super) only: Option<u32>,
    /// The same by where they are in the host; nothing in the model acts on it.
    pub(super) groups: Vec<HostCards>,
    pub(super) hypervisor: Hypervisor,
    /// How vGPUs of one card take turns.
    pub(super) sharing: Sharing,
}

impl Machine {
    /// Reads `host`, `gpus`, `hypervisor` and `[sharing]`.
    pub(super) fn read(
        file: &mut Reader<'_>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Option<Machine> {
        problems.help_about_cards(None);
        let sharing = file.table("sharing").map(Sharing::read).unwrap_or_default();
        let host_value =
            file.need("host", "name a host of the catalogue, such as host = \"dell-r7525\", or write your own: host = { logical_processors = 64, memory = \"512 GB\" }");
        let host = host_value.as_ref().and_then(|value| host_of(value, catalogue));
        let gpus = file.get("gpus");
        let hypervisor = match file.get("hypervisor") {
            Some(value) => find(&value, "hypervisor", &catalogue.hypervisors),
            None => catalogue.hypervisors.get(BARE_METAL),
        };
        let cards = match &gpus {
            Some(value) => gpus_of(value),
            None => host_value.as_ref().zip(host.as_ref()).and_then(cards_of_host),
        };
        let spot = gpus.as_ref().or(host_value.as_ref()).map(Value::spot);
        let groups = cards?;
        let (gpu, cards) = one_model(&groups, &spot?, catalogue, problems)?;
        if let (Some(value), Some(host)) = (&gpus, &host) {
            problems.help_about_cards(cards_instead(value, &groups, host));
        }
        if let Some(host) = host.as_ref().filter(|_| gpus.is_none()) {
            let id = &host.spec.id;
            let place = || catalogue.line("hosts", id, "gpus").unwrap_or_else(|| id.clone());
            file.silent("gpus", || Said::new("host", place()));
        }
        file.silent("hypervisor", || Said::default("none"));
        let of_gpu = &gpu.spec;
        file.silent("sharing.switch_cost", || Said::fact("gpu", &of_gpu.id, &of_gpu.switch_cost));
        let slice = &of_gpu.time_slice_best_effort;
        file.silent("sharing.hardware_slice", || Said::fact("gpu", &of_gpu.id, slice));
        let turns = &of_gpu.process_turns;
        file.silent("sharing.compute_timeslice", || Said::fact("gpu", &of_gpu.id, turns));
        file.silent("sharing.slice", || Said::default("by the vGPU type's maximum per card"));
        sharing.check(&gpu.spec, problems);
        Some(Machine {
            sharing,
            host: host?.spec,
            gpu: gpu.clone(),
            cards,
            only: None,
            groups,
            hypervisor: hypervisor?.clone(),
        })
    }

    /// The same machine without hypervisor.
    pub(super) fn bare(&self, catalogue: &Catalogue) -> Option<Machine> {
        let hypervisor = catalogue.hypervisors.get(BARE_METAL)?.clone();
        Some(Machine { hypervisor, ..self.clone() })
    }

    /// The same machine with this one card.
    pub(super) fn card(&self, card: u32) -> Machine {
        Machine { cards: 1, only: Some(card), ..self.clone() }
    }

    /// How many cards there are, with where they are: `2 x a30 (NUMA node 0), 2 x a30 (NUMA node 1)`.
    pub(super) fn cards_with_places(&self) -> String {
        let is_placed =
            |cards: &HostCards| cards.numa_node.is_some() || cards.nvlink_group.is_some();
        if !self.groups.iter().any(is_placed) {
            return self.cards_in_words();
        }
        let groups = self.groups.iter().map(|group| {
            let numa = group.numa_node.map(|node| format!("NUMA node {node}"));
            let nvlink = group.nvlink_group.map(|number| format!("NVLink group {number}"));
            let places: Vec<String> = numa.into_iter().chain(nvlink).collect();
            let places = match places.is_empty() {
                true => String::new(),
                false => format!(" ({})", places.join(", ")),
            };
            format!("{} x {}{places}", group.count, group.model)
        });
        groups.collect::<Vec<_>>().join(", ")
    }

    /// How many of which card: `3 x a100-pcie-40gb`; `GPU 2 (a100-pcie-40gb)` of one among several.
    pub(super) fn cards_in_words(&self) -> String {
        match self.only {
            Some(card) => format!("GPU {card} ({})", self.gpu.spec.id),
            None => format!("{} x {}", self.cards, self.gpu.spec.id),
        }
    }
}

/// `host = "dell-r7525"`, or a table with the facts of one.
fn host_of(value: &Value<'_>, catalogue: &Catalogue) -> Option<HostFile> {
    match value.is_table() {
        true => own_host(value.table()?),
        false => find(value, "host", &catalogue.hosts).cloned(),
    }
}

/// The cards that come with a host; one that a scenario describes may have none.
fn cards_of_host((value, host): (&Value<'_>, &HostFile)) -> Option<Vec<HostCards>> {
    if host.gpus.is_empty() {
        let help = "write gpus = { model = \"a100-pcie-40gb\", count = 3 } in it or beside it";
        value.report(value.wrong("has no GPUs").help(help));
        return None;
    }
    Some(host.gpus.clone())
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
    let (model, count) = used.first_key_value()?;
    let has_more = own.get(model).is_some_and(|own| own > count);
    if own.is_empty() || own.contains_key(model) && !has_more {
        return None;
    }
    let words = |models: &BTreeMap<String, u32>| {
        let cards = models.iter().map(|(model, count)| format!("{count} x {model}"));
        cards.collect::<Vec<_>>().join(", ")
    };
    let help = format!(
        "`gpus` of line {} ({}) is used instead of the cards that \"{}\" has ({}): drop it to have these",
        gpus.spot().line_and_column().1,
        words(&used),
        host.spec.id,
        words(&own)
    );
    Some(CardsHelp { other_than: (!has_more).then(|| model.clone()), help })
}

/// The one model that cards are of, and how many there are in all.
fn one_model<'c>(
    cards: &[HostCards],
    spot: &Spot,
    catalogue: &'c Catalogue,
    problems: &Problems,
) -> Option<(&'c GpuFile, u32)> {
    for group in cards.iter().filter(|group| !catalogue.gpus.contains_key(&group.model)) {
        problems.push(unknown_gpu(&group.spot, &group.model, catalogue));
    }
    let models: BTreeSet<&str> = cards.iter().map(|group| group.model.as_str()).collect();
    if models.len() > 1 {
        let found: Vec<String> =
            cards.iter().map(|group| format!("{} x {}", group.count, group.model)).collect();
        let title = format!("the cards are of several models: {}", found.join(", "));
        let of = |model: &&str| {
            let mine = cards.iter().filter(|group| group.model == **model);
            let count: u32 = mine.map(|group| group.count).sum();
            format!("gpus = {{ model = \"{model}\", count = {count} }}")
        };
        let files: Vec<String> = models.iter().map(of).collect();
        let help = format!(
            "write a file for each model into one folder, with its VMs and the same host, and run the folder: {}; VMs on cards of different models meet at the host's logical processors only",
            files.join(" in one, ") + " in another"
        );
        problems.push(Diagnostic::at(spot, title).allowed("cards of one model").help(help));
        return None;
    }
    let count = cards.iter().map(|group| group.count).sum();
    Some((catalogue.gpus.get(*models.first()?)?, count))
}

/// The catalogue entry a value names.
pub(super) fn find<'c, T>(
    value: &Value<'_>,
    what: &str,
    known: &'c std::collections::BTreeMap<String, T>,
) -> Option<&'c T> {
    let word = value.text()?;
    let found = known.get(word);
    if found.is_none() {
        value.unknown(what, word, known.keys());
    }
    found
}

/// The GPU a value names.
pub(super) fn find_gpu<'c>(value: &Value<'_>, catalogue: &'c Catalogue) -> Option<&'c GpuFile> {
    let word = value.text()?;
    let found = catalogue.gpus.get(word);
    if found.is_none() {
        value.report(unknown_gpu(&value.spot(), word, catalogue));
    }
    found
}

/// What to say of a GPU that the catalogue has not.
fn unknown_gpu(spot: &Spot, word: &str, catalogue: &Catalogue) -> Diagnostic {
    let known: Vec<&GpuSpec> = catalogue.gpus().collect();
    let title = format!("unknown GPU {}", quoted(word));
    let ids: Vec<&str> = known.iter().map(|gpu| gpu.id.as_str()).collect();
    let diagnostic = Diagnostic::at(spot, title).of_form().allowed(ids.join(", "));
    let diagnostic = match catalogue.gpu_help(word, &known) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    };
    diagnostic.help(of_own("gpus", word))
}
