//! The keys that only plan files have, and the file as a scenario in which each VM has a whole card:
//! so all else of it is read and checked.

use crate::config::text::{Problems, Reader, SourceFile, Spot, Value};
use crate::spec::{HostLink, TestScenario};
use crate::study::Prices;
use crate::units::Power;
use std::borrow::Cow;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a VM has of a card, which is searched.
const SEARCHED: [&str; 7] = ["vgpu", "gpus", "mig", "process", "gpu", "card", "instance"];

/// Keys of scenarios that have no meaning here, each with what to do instead.
pub(super) const FOREIGN: [(&str, &str); 10] = [
    ("sweep", "`slicewise sweep FILE` runs a sweep; drop [sweep] to search layouts"),
    ("capacity", "drop it: `slicewise capacity` searches the highest rate of a layout"),
    ("published", "drop it: what was published has a layout"),
    ("baseline", "drop it: layouts are compared with each other"),
    (
        "power",
        "drop it, and write it into the scenario of a layout that `plan` found: `slicewise run` tells its watts",
    ),
    (
        "operations",
        "drop it, and write it into the scenario of a layout that `plan` found: `slicewise run` simulates operations",
    ),
    (
        "operation",
        "drop it, and write it into the scenario of a layout that `plan` found: `slicewise run` simulates operations",
    ),
    (
        "cpu",
        "drop it: `plan` gives each vCPU a logical processor of its own, so none waits for one",
    ),
    ("placement", "drop it: a plan is of one host, and `slicewise place` places VMs on several"),
    ("rule", "drop it: a plan is of one host, and `slicewise place` places VMs on several"),
];

/// Most cards that a search looks at: its sets of VMs grow with them.
pub(crate) const CARDS_MAX: u32 = 64;

/// Most VMs that a search places.
pub(crate) const VMS_MAX: usize = 64;

/// How many cards: as many as it takes.
const ANY: &str = "any";

/// What only a plan file says.
#[derive(Debug)]
pub(super) struct PlanKeys {
    /// The entries of `gpus`; none where the host's own cards are at hand.
    pub(super) entries: Vec<Entry>,
    /// The most cards in all.
    pub(super) at_most: Option<u32>,
    /// Whether largest batches may be less than the file says.
    pub(super) lowers_batches: bool,
    /// Whether `[sharing]` names a policy.
    pub(super) states_policy: bool,
    /// What things cost.
    pub(super) prices: Option<StatedPrices>,
}

/// `[prices]`.
#[derive(Debug)]
pub(super) struct StatedPrices {
    pub(super) prices: Prices,
    /// A card of each model for an hour, with the place of the price.
    pub(super) cards: Vec<(String, f64, Spot)>,
    /// The place of the table.
    pub(super) spot: Spot,
}

/// An entry of `gpus`.
#[derive(Debug)]
pub(super) struct Entry {
    /// How many cards; nothing for any number.
    pub(super) count: Option<u32>,
}

/// Cards at hand that are alike.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) model: String,
    /// How many; nothing for any number.
    pub(super) count: Option<u32>,
    pub(super) power_limit: Option<Power>,
    pub(super) link: HostLink,
}

impl PlanKeys {
    /// Reads the keys; faults are reported.
    pub(super) fn read(
        file: &Arc<SourceFile>,
        tree: &DeTable<'_>,
        problems: &Problems,
    ) -> Option<Self> {
        let mut top = Reader::new(file, tree, problems);
        let entries = top.get("gpus").map(|value| read_entries(&value));
        let (mut at_most, mut batches) = (None, None);
        if let Some(mut own) = top.table("plan") {
            at_most = own.get("at_most").map(|value| value.count(1..=CARDS_MAX, " cards"));
            batches = own.get("batches").map(|value| {
                value.choice("rule for batches", &[("up-to", true), ("fixed", false)])
            });
            own.finish();
        }
        let prices = top.table("prices").map(read_prices);
        let sharing = top.table("sharing");
        let states_policy =
            sharing.is_some_and(|table| table.has("policy") || table.has("registry"));
        if let Some(value) = top.get("vm").filter(Value::is_array) {
            let items = value.items(VMS_MAX)?;
            items.iter().filter_map(Value::table).for_each(|mut vm| refuse_holdings(&mut vm));
            // All else of such a load is another's: its keys would be told of in vain.
            let bounded = |item: &Value<'_>| item.table().is_none_or(|mut vm| is_bounded(&mut vm));
            if items.iter().filter(|item| !bounded(item)).count() > 0 {
                return None;
            }
        }
        let entries = match entries {
            Some(entries) => entries?,
            None => Vec::new(),
        };
        let at_most = match at_most {
            Some(at_most) => Some(at_most?),
            None => None,
        };
        let prices = match prices {
            Some(prices) => Some(prices?),
            None => None,
        };
        let lowers_batches = batches.unwrap_or(Some(true))?;
        Some(Self { entries, at_most, lowers_batches, states_policy, prices })
    }
}

/// `[prices]`: nothing is known of prices here, so all are the file's.
fn read_prices(mut table: Reader<'_>) -> Option<StatedPrices> {
    /// Dearer than any card.
    const MOST: f64 = 1e6;
    const ALLOWED: &str = "0 to 1000000";
    let price = |value: &Value<'_>| value.number(|price| (0.0..=MOST).contains(&price), ALLOWED);
    let currency = table.need("currency", "name it, such as currency = \"EUR\"");
    let currency = currency.and_then(|value| {
        let text = value.text()?;
        if text.is_empty() || text.chars().count() > 12 || text.chars().any(char::is_control) {
            let diagnostic = value.wrong("is no name of a currency");
            value.report(diagnostic.allowed("1 to 12 letters, such as \"EUR\""));
            return None;
        }
        Some(text.to_string())
    });
    let mut stated = |key: &str| table.get(key).map_or(Some(0.0), |value| price(&value));
    let kwh = stated("kwh");
    let (per_vm, per_card) = (stated("licence_per_vm_hour"), stated("licence_per_card_hour"));
    let help = "what a card of each model costs in an hour: card_hour = { a30 = 0.9 }";
    let cards = table.need("card_hour", help);
    let spot = cards.as_ref().map_or_else(|| table.spot(), Value::spot);
    let cards = cards.and_then(|value| value.table());
    let cards = cards.map(|mut cards| {
        let each = cards.entries().into_iter();
        let spot_of =
            |model: &str, value: &Value<'_>| Spot { span: cards.key_span(model), ..value.spot() };
        let each = each.map(|(model, value)| {
            let spot = spot_of(&model, &value);
            Some((model, price(&value)?, spot))
        });
        each.collect()
    });
    table.finish();
    let cards: Option<Vec<(String, f64, Spot)>> = cards?;
    let prices = Prices {
        currency: currency?,
        kwh: kwh?,
        licence_per_vm: per_vm?,
        licence_per_card: per_card?,
    };
    Some(StatedPrices { prices, cards: cards?, spot })
}

/// The numbers of cards; all else of an entry is the scenario's.
fn read_entries(value: &Value<'_>) -> Option<Vec<Entry>> {
    let one = |value: &Value<'_>| {
        // What is no table, or has no count, is told by whoever reads the cards.
        let table = if value.is_table() { value.table() } else { None };
        let count = table.and_then(|mut table| table.get("count"));
        match count {
            Some(count) if count.is_word(ANY) => Some(Entry { count: None }),
            Some(count) if count.is_text() => {
                let diagnostic = count.wrong("is no number of cards");
                count.report(diagnostic.allowed(format!("1 to {CARDS_MAX}, or \"{ANY}\"")));
                None
            }
            Some(count) => {
                let unit = format!(" cards, or \"{ANY}\"");
                Some(Entry { count: Some(count.count(1..=CARDS_MAX, &unit)?) })
            }
            None => Some(Entry { count: Some(1) }),
        }
    };
    match value.is_array() {
        true => value.items(CARDS_MAX as usize)?.iter().map(one).collect(),
        false => Some(vec![one(value)?]),
    }
}

/// What a VM has of a card is what is searched.
fn refuse_holdings(vm: &mut Reader<'_>) {
    for key in SEARCHED {
        if let Some(value) = vm.get(key) {
            let diagnostic = value.wrong("is what `plan` searches");
            let help = "drop it, or simulate this very layout: `slicewise run FILE`";
            value.report(diagnostic.label("stated here").help(help));
        }
    }
    if let Some(value) = vm.get("balance") {
        let diagnostic = value.wrong("makes VMs share a load, which `plan` does not search");
        value.report(diagnostic.help("drop it: then each VM has its own rate"));
    }
    // Of a VM with pods one of both is told of.
    if let Some(value) = ["pods", "pod"].into_iter().find_map(|key| vm.get(key)) {
        let diagnostic =
            value.wrong("has pods share what the VM has, which `plan` does not search");
        let help =
            "write a [[vm]] for each pod, or simulate the node as it is: `slicewise run FILE`";
        value.report(diagnostic.help(help));
    }
    if let Some(load) = vm.get("load").filter(Value::is_table)
        && let Some(total) = load.table().and_then(|mut load| load.get("total_qps"))
    {
        let diagnostic = total.wrong("is of all VMs of a [[vm]] together");
        total.report(diagnostic.help("state the rate of each VM: target_qps"));
    }
}

/// Refuses a load of a scenario that has no rate with a latency bound.
fn is_bounded(vm: &mut Reader<'_>) -> bool {
    let load = vm.get("load").filter(Value::is_table).and_then(|value| value.table());
    let Some(value) = load.and_then(|mut load| load.get("scenario")) else { return true };
    let mut others = TestScenario::WORDS.into_iter().filter(|word| *word != "server");
    let Some(word) = others.find(|word| value.is_word(word)) else { return true };
    let diagnostic = value.wrong(format!("is {word}, which has no rate with a latency bound"));
    let help = "write scenario = \"server\": only such a load has a rate and a latency bound";
    value.report(diagnostic.help(help));
    false
}

/// The place of a key of a VM of the file.
pub(super) fn spot_in_vm(
    file: &Arc<SourceFile>,
    tree: &DeTable<'_>,
    vm: usize,
    key: &str,
) -> Option<Spot> {
    let vm = tree.get("vm")?.get_ref().as_array()?.get(vm)?.get_ref().as_table()?;
    let value = vm.get(key)?;
    // Of an array of tables the first.
    let first = value.get_ref().as_array().and_then(|items| items.iter().next());
    let span = first.map_or(value.span(), |first| first.span());
    Some(Spot { file: file.clone(), span })
}

/// The file as a scenario in which each VM has a whole card of the first model: what is read of it is the
/// machine and the VMs, and no layout.
pub(super) fn as_scenario<'a>(
    tree: &DeTable<'a>,
    keys: &PlanKeys,
    of_host: Option<String>,
) -> DeTable<'a> {
    let mut base = tree.clone();
    let foreign = FOREIGN.iter().map(|(key, _)| *key);
    let own = ["plan", "prices"].into_iter().chain(foreign);
    own.for_each(|key| drop(base.remove(key)));
    let mut model = None;
    if let Some(gpus) = base.get_mut("gpus") {
        for (entry, own) in entries_of(gpus).into_iter().zip(&keys.entries) {
            if let (DeValue::Table(table), None) = (entry.get_mut(), own.count) {
                set(table, "count", number("1"));
            }
            model = model.or_else(|| model_of(entry));
        }
    } else if let Some(DeValue::Table(host)) = base.get_mut("host").map(Spanned::get_mut) {
        let entries = host.get_mut("gpus").map(entries_of).unwrap_or_default();
        model = entries.into_iter().find_map(|entry| model_of(entry));
    } else if let Some(name) = of_host {
        model = Some(Spanned::new(0..0, DeValue::String(Cow::Owned(name))));
    }
    if let Some(DeValue::Array(vms)) = base.get_mut("vm").map(Spanned::get_mut) {
        for vm in vms.iter_mut() {
            let DeValue::Table(vm) = vm.get_mut() else { continue };
            SEARCHED.into_iter().for_each(|key| drop(vm.remove(key)));
            set(vm, "gpus", number("1"));
            if let Some(model) = &model {
                let at = model.span();
                let key = Spanned::new(at.clone(), Cow::Borrowed("gpu"));
                vm.insert(key, Spanned::new(at, model.get_ref().clone()));
            }
        }
    }
    base
}

/// The entries of `gpus`, which may be one.
fn entries_of<'t, 'a>(gpus: &'t mut Spanned<DeValue<'a>>) -> Vec<&'t mut Spanned<DeValue<'a>>> {
    match gpus.get_ref().is_array() {
        false => vec![gpus],
        true => match gpus.get_mut() {
            DeValue::Array(items) => items.iter_mut().collect(),
            _ => Vec::new(),
        },
    }
}

/// The model that an entry names.
fn model_of<'a>(entry: &Spanned<DeValue<'a>>) -> Option<Spanned<DeValue<'a>>> {
    match entry.get_ref() {
        DeValue::Table(table) => table.get("model").cloned(),
        DeValue::String(_) => Some(entry.clone()),
        _ => None,
    }
}

fn number(text: &'static str) -> DeValue<'static> {
    DeValue::parse(text).expect("a number is a value").into_inner()
}

fn set<'a>(table: &mut DeTable<'a>, key: &'static str, value: DeValue<'a>) {
    let at = table.get(key).map_or(0..0, |value| value.span());
    table.insert(Spanned::new(at.clone(), Cow::Borrowed(key)), Spanned::new(at, value));
}
