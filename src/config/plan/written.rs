//! A layout as the text of a scenario, with all else as the plan file has it.

use super::keys::Group;
use crate::config::catalogue::is_path;
use crate::config::scenario::guest::Guest;
use crate::config::scenario::machine::Machine;
use crate::config::text::SourceFile;
use crate::study::{CardLayout, CardPart, Held, Layout};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// What every layout has of the file.
#[derive(Debug)]
pub(super) struct Written {
    /// `key = value` of the machine, a line each.
    head: String,
    /// The keys of `[sharing]` without a policy, and whether the file names one.
    sharing: Vec<(String, String)>,
    /// Whether they are for processes, too.
    is_bare: bool,
    groups: Vec<Group>,
    kinds: Vec<Kind>,
}

/// A `[[vm]]` of the file.
#[derive(Debug)]
struct Kind {
    name: String,
    /// Whether copies are counted.
    is_counted: bool,
    /// All its keys but those that a layout sets.
    keys: Vec<(String, String)>,
    /// The keys of its server but the largest batch.
    server: Vec<(String, String)>,
    batch_max: Option<String>,
}

/// The VMs of a kind that have the same, on whichever cards.
struct Alike<'l> {
    part: &'l CardPart,
    /// The entry of cards that they are on.
    entry: usize,
    cards: Vec<usize>,
}

/// The layout of one VM of a kind on a whole card.
pub(super) fn alone(kind: usize, cards: usize) -> Layout {
    let part = CardPart { kind, count: 1, held: Held::Whole, batch_max: None };
    Layout { policy: None, cards: vec![CardLayout { cards, parts: vec![part] }] }
}

impl Written {
    pub(super) fn of(
        file: &Arc<SourceFile>,
        tree: &DeTable<'_>,
        machine: &Machine,
        guests: &[Guest],
        groups: Vec<Group>,
    ) -> Self {
        let written = |key: &str, value: &toml::Spanned<DeValue<'_>>| in_one_line(file, key, value);
        let mut head = String::new();
        for key in ["host", "host_stalls", "hypervisor"] {
            if let Some(value) = tree.get(key) {
                let _ = writeln!(head, "{key} = {}", written(key, value));
            }
        }
        let pairs = |table: &DeTable<'_>| -> Vec<(String, String)> {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, value)| (value.span().start, key.get_ref().to_string()));
            let pair = |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, _)| {
                (bare(key.get_ref()), written(key.get_ref(), value))
            };
            entries.into_iter().map(pair).collect()
        };
        let sharing = tree.get("sharing").and_then(|value| value.get_ref().as_table());
        let tables = tree.get("vm").and_then(|vms| vms.get_ref().as_array());
        let tables = tables.into_iter().flat_map(|vms| vms.iter());
        let tables = tables.filter_map(|vm| vm.get_ref().as_table());
        let kinds = tables.zip(guests).map(|(table, guest)| {
            let server = table.get("server").and_then(|value| value.get_ref().as_table());
            let mut server = server.map(&pairs).unwrap_or_default();
            let batch = server.iter().position(|(key, _)| key == "batch_max");
            let batch_max = batch.map(|at| server.remove(at).1);
            let mut keys = pairs(table);
            keys.retain(|(key, _)| !["name", "count", "server"].contains(&key.as_str()));
            Kind {
                name: guest.vm.name.clone(),
                is_counted: guest.copies.is_some(),
                keys,
                server,
                batch_max,
            }
        });
        Self {
            head,
            sharing: sharing.map(&pairs).unwrap_or_default(),
            is_bare: !machine.hypervisor.virtual_gpus,
            groups,
            kinds: kinds.collect(),
        }
    }

    /// The text. Without a title and a folder that it lies in, seen from which that of the plan file
    /// is at `to_plan`, it is for reading only.
    pub(super) fn scenario(
        &self,
        layout: &Layout,
        seed: u64,
        titled: Option<(&str, &Path)>,
    ) -> String {
        let mut text = String::new();
        let to_plan = titled.map_or(Path::new(""), |(_, to_plan)| to_plan);
        if let Some((title, _)) = titled {
            let version = env!("CARGO_PKG_VERSION");
            let _ = writeln!(text, "# A layout found by `slicewise plan` (slicewise {version}).");
            let _ = writeln!(text, "title = {}", quoted(title));
        }
        text.push_str(&placed(&self.head, to_plan));
        let _ = writeln!(text, "gpus = [{}]", self.cards(layout));
        let _ = writeln!(text, "seed = {seed}");
        text.push_str("baseline = \"none\"\n");
        self.write_sharing(layout, &mut text);
        for (index, kind) in self.kinds.iter().enumerate() {
            let groups = alike(layout, index);
            let several = groups.len() > 1;
            for (number, group) in groups.iter().enumerate() {
                let name = match several {
                    true => format!("{}{}{}", kind.name, self.between(index), letters(number)),
                    false => kind.name.clone(),
                };
                Self::write_vms(kind, &name, (group, to_plan), &mut text);
            }
        }
        text
    }

    /// What stands between the name of a kind and the letter of a part of it, so that no other VM has the
    /// same name and none is taken for a VM of another kind.
    fn between(&self, index: usize) -> String {
        let own = &self.kinds[index].name;
        let is_taken = |between: &String| {
            let start = format!("{own}{between}");
            let others = self.kinds.iter().filter(|kind| kind.name.len() > own.len());
            let mut others = others.map(|kind| &kind.name);
            others.any(|name| name.starts_with(&start) || start.starts_with(&format!("{name}-")))
        };
        let mut between = "-".to_string();
        // Each kind takes two of these at the most.
        for number in 1.. {
            if !is_taken(&between) {
                break;
            }
            between = format!("-part{number}-");
        }
        between
    }

    fn cards(&self, layout: &Layout) -> String {
        let mut entries = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            let count = layout.cards.iter().filter(|card| card.cards == index).count();
            if count == 0 {
                continue;
            }
            let mut entry = format!("{{ model = {}, count = {count}", quoted(&group.model));
            if let Some(limit) = group.power_limit {
                let _ = write!(entry, ", power_limit = \"{limit}\"");
            }
            if let Some(switch) = group.link.switch {
                let _ = write!(entry, ", pcie_switch = {switch}");
            }
            if let Some(speed) = &group.link.pcie_bandwidth {
                let _ = write!(entry, ", pcie_bandwidth = \"{}\"", speed.value);
            }
            entries.push(entry + " }");
        }
        entries.join(", ")
    }

    fn write_sharing(&self, layout: &Layout, text: &mut String) {
        let is_used = layout.policy.is_some() || self.is_bare;
        let mut keys: Vec<(String, String)> = Vec::new();
        if is_used {
            keys.extend(self.sharing.iter().cloned());
        }
        let states = keys.iter().any(|(key, _)| key == "policy" || key == "registry");
        if let Some(policy) = layout.policy.as_ref().filter(|_| !states) {
            keys.insert(0, ("policy".to_string(), quoted(policy)));
        }
        if !keys.is_empty() {
            let _ = writeln!(text, "sharing = {}", inline(&keys));
        }
    }

    fn write_vms(
        kind: &Kind,
        name: &str,
        (group, to_plan): (&Alike<'_>, &Path),
        text: &mut String,
    ) {
        let _ = writeln!(text, "\n[[vm]]\nname = {}", quoted(name));
        let cards: Vec<String> = group.cards.iter().map(usize::to_string).collect();
        if kind.is_counted {
            let _ = writeln!(text, "count = {}", cards.len());
        }
        let held = match &group.part.held {
            Held::Whole => "gpus = 1".to_string(),
            Held::Sliced(name) | Held::Backed(name) => {
                format!("vgpu = {{ type = {} }}", quoted(name))
            }
            Held::Instance(name) => format!("mig = {}", quoted(name)),
            Held::Process(word) => format!("process = {}", quoted(word)),
        };
        let _ = writeln!(text, "{held}");
        match &cards[..] {
            [one] if !kind.is_counted => {
                let _ = writeln!(text, "card = {one}");
            }
            all => {
                let _ = writeln!(text, "card = [{}]", all.join(", "));
            }
        }
        let batch = group.part.batch_max.map(|batch| batch.to_string());
        let batch = batch.or_else(|| kind.batch_max.clone());
        let mut server = kind.server.clone();
        server.extend(batch.map(|batch| ("batch_max".to_string(), batch)));
        if !server.is_empty() {
            let _ = writeln!(text, "server = {}", placed(&inline(&server), to_plan));
        }
        for (key, value) in &kind.keys {
            let _ = writeln!(text, "{key} = {}", placed(value, to_plan));
        }
    }
}

/// The VMs of a kind by what they have, in the order of the cards.
fn alike(layout: &Layout, kind: usize) -> Vec<Alike<'_>> {
    let mut groups: Vec<Alike<'_>> = Vec::new();
    for (number, card) in layout.cards.iter().enumerate() {
        for part in card.parts.iter().filter(|part| part.kind == kind) {
            let same = |group: &&mut Alike<'_>| {
                group.entry == card.cards
                    && group.part.held == part.held
                    && group.part.batch_max == part.batch_max
            };
            let cards = std::iter::repeat_n(number, part.count as usize);
            match groups.iter_mut().find(same) {
                Some(group) => group.cards.extend(cards),
                None => groups.push(Alike { part, entry: card.cards, cards: cards.collect() }),
            }
        }
    }
    groups
}

/// `a`, `b`, ... `z`, `ba`.
fn letters(number: usize) -> String {
    let letter = |digit: usize| char::from(b'a' + (digit % 26) as u8);
    match number {
        0..26 => letter(number).to_string(),
        _ => letters(number / 26) + &letter(number).to_string(),
    }
}

/// A text as a value.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}

/// A key, in quotes where it needs them.
fn bare(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) { key.to_string() } else { quoted(key) }
}

fn inline(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// Stands around a path in a value that is not placed yet: no value that is written has it, since it is
/// escaped in texts.
const PATH: char = '\u{1}';

/// Whether the text of a key is the path of a file.
fn is_place(key: &str, text: &str) -> bool {
    match key {
        "workload" => is_path(text),
        key => ["trace", "triton_config", "conf"].contains(&key),
    }
}

/// A value whose paths count from the folder of the plan file, for one from which that is at `to_plan`.
fn placed(value: &str, to_plan: &Path) -> String {
    let parts = value.split(PATH).enumerate().map(|(index, part)| match index % 2 {
        0 => part.to_string(),
        _ => quoted(&to_plan.join(part).display().to_string()),
    });
    parts.collect()
}

/// A value of the file as it is written, tables and arrays in one line.
fn in_one_line(file: &SourceFile, key: &str, value: &toml::Spanned<DeValue<'_>>) -> String {
    match value.get_ref() {
        DeValue::String(text) if is_place(key, text) => format!("{PATH}{text}{PATH}"),
        DeValue::String(text) => quoted(text),
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, value)| (value.span().start, key.get_ref().to_string()));
            // A workload that stands here has no paths, whatever its sources are called.
            let has_paths = !["workload", ""].contains(&key);
            let pair = |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, _)| {
                let of = if has_paths { key.get_ref().as_ref() } else { "" };
                (bare(key.get_ref()), in_one_line(file, of, value))
            };
            let pairs: Vec<(String, String)> = entries.into_iter().map(pair).collect();
            if pairs.is_empty() { "{}".to_string() } else { inline(&pairs) }
        }
        DeValue::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| in_one_line(file, key, item)).collect();
            format!("[{}]", items.join(", "))
        }
        _ => file.text.get(value.span()).unwrap_or_default().to_string(),
    }
}
