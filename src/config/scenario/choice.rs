//! Which of a host's GPU models a VM is on: the models that its `gpu`, its `card` and the name of
//! its vGPU type or GPU instance profile allow.
//!
//! Where several are possible the file is refused: the results of a VM depend on it, and no host
//! guarantees which model is used. The card of the model is chosen by placement.

use super::holding::Holding;
use super::machine::{Machine, Model};
use super::pins::{self, Pins};
use crate::config::catalogue::{Catalogue, words};
use crate::config::text::{Diagnostic, Reader, Spot, Value, ValueOrigin};
use crate::spec::names::find_profile;
use crate::spec::{GpuSpec, MigProfile};
use crate::study::Obstacle;
use crate::suggest::{nearest, quoted};
use std::collections::BTreeSet;

/// The models that a VM may be on.
pub(crate) struct Choice<'m> {
    pub(crate) machine: &'m Machine,
    /// Their places in the machine.
    left: Vec<usize>,
    /// Whether `card` has named several, each of which must do.
    are_pinned: bool,
}

/// A VM's share of the cards, and the models that offer it.
pub(crate) struct Held {
    /// How many cards, vGPUs or GPU instances.
    pub(crate) cards: u32,
    pub(crate) holding: Holding,
    /// The models, by index in the machine.
    pub(crate) models: Vec<usize>,
    /// Whether it has every card of these.
    pub(crate) has_all: bool,
}

impl<'m> Choice<'m> {
    /// Reads `gpu`, and the models of the cards that `card` names.
    pub(crate) fn read(
        table: &mut Reader<'_>,
        machine: &'m Machine,
        catalogue: &Catalogue,
    ) -> Option<Choice<'m>> {
        let said = table.get("gpu").map(|value| said(&value, machine, catalogue));
        let all = || (0..machine.models.len()).collect();
        if let ([_], None | Some(Some(_))) = (&machine.models[..], said) {
            return Some(Choice { machine, left: all(), are_pinned: false });
        }
        let pinned = match table.get("card") {
            Some(value) => pins::cards(&value, machine),
            None => None,
        };
        let models = |cards: Vec<u32>| -> BTreeSet<usize> {
            cards.into_iter().map(|card| machine.model_of(card)).collect()
        };
        let pinned = pinned.map(models).unwrap_or_default();
        let said = match said {
            Some(said) => Some(said?),
            None => None,
        };
        let left = match said {
            Some(model) if pinned.iter().any(|other| *other != model) => {
                refuse_other_cards(table, &machine.models[model]);
                return None;
            }
            Some(model) => vec![model],
            None if pinned.is_empty() => all(),
            None => pinned.into_iter().collect(),
        };
        let are_pinned = left.len() > 1 && table.has("card");
        Some(Choice { machine, left, are_pinned })
    }

    /// The possible models.
    pub(crate) fn models(&self) -> impl Iterator<Item = &'m Model> {
        self.left.iter().map(|model| &self.machine.models[*model])
    }

    /// Whole cards of any of them.
    pub(crate) fn whole(&self, cards: u32) -> Held {
        Held { cards, holding: Holding::Whole, models: self.left.clone(), has_all: false }
    }

    /// Every card of them.
    pub(crate) fn all(&self) -> Held {
        let cards = self.models().map(Model::cards).sum();
        Held { has_all: true, ..self.whole(cards) }
    }

    /// The one model that has the named profile or type; nothing where none has it, which the
    /// caller reports, or where several have it, which is refused.
    pub(crate) fn only(
        &self,
        value: &Value<'_>,
        has: impl Fn(&GpuSpec) -> bool,
    ) -> Result<Option<usize>, Refused> {
        let has = |model: &usize| has(&self.machine.models[*model].gpu.spec);
        let found: Vec<usize> = self.left.iter().copied().filter(has).collect();
        match found[..] {
            [] => Ok(None),
            _ if self.are_pinned => {
                let models = self.ids(&self.left).join(", ");
                let title = format!("`card` names cards of several models ({models})");
                let help = "write a [[vm]] for the cards of each: only whole cards of one VM may be of several models";
                value.report(Diagnostic::at(&value.spot(), title).help(help));
                Err(Refused)
            }
            [one] => Ok(Some(one)),
            _ => {
                value.report(self.ambiguous(&value.spot(), &found));
                Err(Refused)
            }
        }
    }

    /// Help where another model of the host has it, but not the possible ones.
    pub(crate) fn elsewhere(&self, has: impl Fn(&GpuSpec) -> bool) -> Option<String> {
        let others = (0..self.machine.models.len()).filter(|model| !self.left.contains(model));
        let other =
            others.map(|model| &self.machine.models[model].gpu.spec).find(|gpu| has(gpu))?;
        Some(format!(
            "the host's {} has it: write gpu = \"{}\", or the number of such a card",
            other.id, other.id
        ))
    }

    /// The model of each GPU of a VM and its copies, those of all copies one after the other. `spot` is
    /// where it says what it has.
    pub(crate) fn settle(
        &self,
        held: &Held,
        pins: Option<&Pins>,
        copies: u32,
        (table, spot): (&Reader<'_>, &Spot),
    ) -> Option<Vec<usize>> {
        if let Some(pins) = pins {
            table.fallback("gpu", || ValueOrigin::default("the cards that `card` names"));
            return Some(pins.cards().iter().map(|card| self.machine.model_of(*card)).collect());
        }
        let of_one: Vec<usize> = match (held.has_all, &held.models[..]) {
            (true, _) => {
                table.fallback("gpu", || ValueOrigin::default("all cards of the host"));
                let cards = (0..self.machine.cards()).map(|card| self.machine.model_of(card));
                cards.filter(|model| held.models.contains(model)).collect()
            }
            (false, [model]) => {
                table.fallback("gpu", || {
                    ValueOrigin::default("the only model of the host that has it")
                });
                vec![*model; held.cards as usize]
            }
            (false, several) => {
                let model = self.large_enough(held, several, (table, spot))?;
                vec![model; held.cards as usize]
            }
        };
        Some(of_one.repeat(copies as usize))
    }

    /// The one of several models that has as many cards as the VM wants.
    fn large_enough(
        &self,
        held: &Held,
        several: &[usize],
        (table, spot): (&Reader<'_>, &Spot),
    ) -> Option<usize> {
        let wanted = match held.holding {
            Holding::Whole => held.cards,
            _ => 1,
        };
        let has = |model: &usize| self.machine.models[*model].cards() >= wanted;
        let found: Vec<usize> = several.iter().copied().filter(has).collect();
        match found[..] {
            [one] => {
                table.fallback("gpu", || ValueOrigin::default("the only model with enough cards"));
                Some(one)
            }
            [] => {
                let there = self.models().map(Model::cards_in_words).collect::<Vec<_>>().join(", ");
                let title = format!(
                    "{wanted} cards of one model are more than {} has ({there})",
                    self.machine.host.id
                );
                let help = "cards of several models are named one by one: card = [0, 1, ...]";
                let diagnostic = Diagnostic::at(spot, title).of_limit(Obstacle::Placement);
                table.report(diagnostic.help(help));
                None
            }
            _ => {
                table.report(self.ambiguous(spot, &found));
                None
            }
        }
    }

    fn ambiguous(&self, spot: &Spot, models: &[usize]) -> Diagnostic {
        let ids = self.ids(models);
        let title = format!("this VM may be on any of several GPU models: {}", ids.join(", "));
        let allowed: Vec<String> = ids.iter().map(|id| format!("gpu = \"{id}\"")).collect();
        let cards = models.iter().map(|model| {
            let model = &self.machine.models[*model];
            let numbers: Vec<String> = model.numbers.iter().map(u32::to_string).collect();
            format!("{} of {}", numbers.join(", "), model.gpu.spec.id)
        });
        let help = format!(
            "name the model with `gpu`, or the cards with `card`: {}",
            cards.collect::<Vec<_>>().join("; ")
        );
        Diagnostic::at(spot, title).allowed(allowed.join(", ")).help(help)
    }

    fn ids(&self, models: &[usize]) -> Vec<&'m str> {
        models.iter().map(|model| self.machine.models[*model].gpu.spec.id.as_str()).collect()
    }
}

/// Refused; the reason was reported.
pub(crate) struct Refused;

/// The model that `gpu` names.
fn said(value: &Value<'_>, machine: &Machine, catalogue: &Catalogue) -> Option<usize> {
    let word = value.text()?;
    let ids = machine.ids();
    let found = ids.iter().position(|id| *id == word);
    if found.is_none() {
        let title = format!("{} is not a GPU of the host", quoted(word));
        let diagnostic = Diagnostic::at(&value.spot(), title).allowed(ids.join(", "));
        let known: Vec<&GpuSpec> = machine.models.iter().map(|model| &model.gpu.spec).collect();
        // What is another GPU of the catalogue is no slip.
        let help = catalogue.gpu_help(word, &known).filter(|_| catalogue.gpu(word).is_none());
        let own = "`gpus` lists the host's cards".to_string();
        value.report(diagnostic.help(help.unwrap_or(own)));
    }
    found
}

/// Says that `card` names others than cards of the model that `gpu` names.
fn refuse_other_cards(table: &Reader<'_>, model: &Model) {
    let id = &model.gpu.spec.id;
    let title = format!("`gpu` names {id}, but `card` names cards of another model");
    let numbers: Vec<String> = model.numbers.iter().map(u32::to_string).collect();
    let diagnostic = Diagnostic::at(&table.spot_of("card"), title);
    let diagnostic = diagnostic.allowed(format!("{} ({id})", numbers.join(", ")));
    table.report(diagnostic.help("drop one of the two: `card` determines the model as well"));
}

/// The holding, unless a figure that a simulation needs is not published.
pub(crate) fn published(name: &Value<'_>, holding: Holding, gpu: &GpuSpec) -> Option<Holding> {
    let Some(figure) = holding.unpublished() else { return Some(holding) };
    let title = format!("the {figure} of {} are not published", holding.in_words(gpu));
    let title = if figure == "SMs" { title } else { title.replace(" are ", " is ") };
    let help = format!(
        "`slicewise mig place` can place it; to simulate it, write its {figure} into your own \
         catalogue file (`slicewise show {}`)",
        gpu.id
    );
    name.report(Diagnostic::at(&name.spot(), title).help(help));
    None
}

/// The GPU instance profile that a value names, and the model that has it; a compute instance is
/// refused.
pub(crate) fn profile_of<'m>(
    value: &Value<'_>,
    choice: &Choice<'m>,
) -> Option<(usize, &'m MigProfile)> {
    let word = value.text()?;
    let has = |gpu: &GpuSpec| find_profile(&gpu.mig_profiles, word).is_some();
    let Some(model) = choice.only(value, has).ok()? else {
        let profiles = choice.models().flat_map(|model| &model.gpu.spec.mig_profiles);
        let names = profiles.map(|profile| profile.name.as_str()).collect();
        let help = choice.models().find_map(|model| words::profile_help(&model.gpu.spec, word));
        let help = choice.elsewhere(has).or(help);
        let source = |model: &Model| model.gpu.mig_source.clone();
        not_offered(value, "GPU instance profile", choice, names, source, help);
        return None;
    };
    let gpu = &choice.machine.models[model].gpu.spec;
    let part = find_profile(&gpu.mig_profiles, word)?;
    let profile = &gpu.mig_profiles[part.profile];
    if part.compute_slices.is_some_and(|slices| slices != profile.compute_slices) {
        let diagnostic =
            value.wrong("is a compute instance: a GPU instance is simulated as a whole");
        value.report(diagnostic.help(format!("write \"{}\"", profile.name)));
        return None;
    }
    Some((model, profile))
}

/// Reports a type or profile that no GPU in question has.
pub(crate) fn not_offered(
    value: &Value<'_>,
    what: &str,
    choice: &Choice<'_>,
    names: Vec<&str>,
    source: impl Fn(&Model) -> String,
    help: Option<String>,
) {
    let Some(word) = value.text() else { return };
    let title = format!("unknown {what} {}", quoted(word));
    let ids: Vec<String> =
        choice.models().map(|model| format!("\"{}\"", model.gpu.spec.id)).collect();
    let label = format!("not offered by GPU {}", ids.join(" or "));
    let diagnostic = Diagnostic::at(&value.spot(), title).label(label);
    let diagnostic = match names.is_empty() {
        true => diagnostic.allowed(format!("none: the catalogue has no {what} of this GPU")),
        false => {
            let mut sources: Vec<String> = choice.models().map(source).collect();
            sources.retain(|source| !source.is_empty());
            sources.dedup();
            diagnostic.allowed(names.join(", ")).note("source", sources.join("; "))
        }
    };
    value.report(match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic.did_you_mean(nearest(word, &names)),
    });
}
