//! mig-parted's configuration: named layouts of GPU instances, and the GPUs of a node that get
//! them.
//!
//! It holds the request; whether that can be placed on a GPU is decided in `layout`. The format is
//! that of NVIDIA's mig-parted, `version: v1` (github.com/NVIDIA/mig-parted).

use super::Fault;
use super::yaml::{Faults, Node, Value, quoted};
use crate::spec::names::ProfileName;
use std::collections::BTreeMap;
use std::ops::Range;

/// A file: layouts by name, in the order of the file.
#[derive(Clone, PartialEq, Debug)]
pub struct MigConfigs {
    /// The layouts.
    pub configs: Vec<MigConfig>,
}

/// One named layout.
#[derive(Clone, PartialEq, Debug)]
pub struct MigConfig {
    /// Its name, such as `all-balanced`.
    pub name: String,
    /// The place of the name.
    pub span: Range<usize>,
    /// The rules, each for the GPUs that it names.
    pub rules: Vec<MigRule>,
}

/// A rule for some GPUs of a node.
#[derive(Clone, PartialEq, Debug)]
pub struct MigRule {
    /// Its place in the file.
    pub span: Range<usize>,
    /// PCI device ids of the models it is for, such as `0x233510DE`; none for all models.
    pub device_filter: Vec<String>,
    /// The GPUs by index; nothing for all of them.
    pub devices: Option<Vec<u32>>,
    /// Whether MIG is on.
    pub mig_enabled: bool,
    /// GPU instances by profile, in the order of the file.
    pub instances: Vec<Instances>,
}

/// A number of GPU instances of a profile.
#[derive(Clone, PartialEq, Debug)]
pub struct Instances {
    /// The profile as it is written, such as `1g.5gb` or `1g.5gb+me`.
    pub profile: String,
    /// How many, at least 1.
    pub count: u32,
    /// The place of the profile.
    pub span: Range<usize>,
}

/// Most GPUs that a node has, for indices.
const DEVICES_MAX: u32 = 255;
/// Most instances of one profile: more than any card holds, so that the reason is the card's.
const COUNT_MAX: u32 = 1000;

/// Reads one document.
pub(super) fn read(document: &Node) -> Result<(MigConfigs, Vec<Fault>), Vec<Fault>> {
    let faults = Faults::default();
    let found = configs(&Value::top(document, &faults));
    faults.finish(found)
}

fn configs(document: &Value<'_>) -> Option<MigConfigs> {
    let configs = named_lists(document, "mig-configs", "layout", rule)?;
    let configs = configs.into_iter().map(|(name, span, rules)| MigConfig { name, span, rules });
    Some(MigConfigs { configs: configs.collect() })
}

/// A name, its place, and the rules below it.
pub(super) type Named<R> = (String, Range<usize>, Vec<R>);

/// A document of version v1 with lists of rules under names, at least one; `what` is the word for a
/// list.
pub(super) fn named_lists<R>(
    document: &Value<'_>,
    key: &'static str,
    what: &str,
    rule: impl Fn(&Value<'_>) -> Option<R>,
) -> Option<Vec<Named<R>>> {
    let mut top = document.map()?;
    let version = top.need("version", "write version: v1");
    version.and_then(|version| version.word("version", &["v1"]));
    let lists = top.need(key, &format!("write {key}: with a {what} under each name"));
    top.finish();
    let lists = lists?.map()?;
    let lists = lists.all().into_iter().map(|(name, value)| {
        let rules = value.items()?.iter().map(&rule).collect::<Vec<_>>();
        let rules = rules.into_iter().collect::<Option<Vec<_>>>()?;
        Some((name.text.clone(), name.span.clone(), rules))
    });
    let lists: Vec<Option<Named<R>>> = lists.collect();
    let lists: Vec<Named<R>> = lists.into_iter().collect::<Option<_>>()?;
    if lists.is_empty() {
        document.wrong(format!("names no {what} under `{key}`"), "a name with a list of rules");
        return None;
    }
    Some(lists)
}

fn rule(value: &Value<'_>) -> Option<MigRule> {
    let mut map = value.map()?;
    let device_filter = device_filter_of(map.get("device-filter"));
    let devices = map.need("devices", "write devices: all, or a list of indices");
    let devices = devices.and_then(|value| devices_of(&value));
    let enabled = map.need("mig-enabled", "write mig-enabled: true or false");
    let enabled = enabled.and_then(|value| value.flag());
    let instances = match map.get("mig-devices") {
        None => Some(Vec::new()),
        Some(value) => instances_of(&value),
    };
    if let (Some(false), Some([first, ..])) = (enabled, instances.as_deref()) {
        let title = "`mig-devices` has no meaning where `mig-enabled` is false";
        value.faults.push(Fault::at(first.span.clone(), title).help("write mig-enabled: true"));
    }
    map.finish();
    Some(MigRule {
        span: value.node.span.clone(),
        device_filter: device_filter?,
        devices: devices?,
        mig_enabled: enabled?,
        instances: instances?,
    })
}

/// The ids of a filter: one, or a list; an empty one is for all models.
pub(super) fn device_filter_of(value: Option<Value<'_>>) -> Option<Vec<String>> {
    match value {
        None => Some(Vec::new()),
        Some(value) if value.is_list() => {
            let ids: Vec<_> = value.list()?.iter().map(device_id).collect();
            ids.into_iter().collect()
        }
        Some(value) if value.as_text() == Some("") => Some(Vec::new()),
        Some(value) => device_id(&value).map(|id| vec![id]),
    }
}

/// The number that `0x233510DE` stands for: device and vendor of the PCI configuration space, in
/// hexadecimal digits. The part that may follow, `0x233510DE:0x16C110DE`, is the board's subsystem
/// (mig-parted issue 343): see [`subsystem`].
pub fn pci_id(text: &str) -> Option<u32> {
    let text = match text.split_once(':') {
        Some((id, board)) => {
            number(board)?;
            id
        }
        None => text,
    };
    number(text)
}

/// The subsystem that a filter's id also asks for: two boards with one model's id differ by it.
pub fn subsystem(text: &str) -> Option<&str> {
    text.split_once(':').map(|(_, board)| board)
}

fn number(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let is_good = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_good)
}

/// An id as it is written, if it is one.
fn device_id(value: &Value<'_>) -> Option<String> {
    let text = value.as_text();
    let good = text.and_then(pci_id).is_some();
    if !good {
        value.wrong(
            "is not a PCI device id",
            "eight hexadecimal digits in quotes, such as \"0x233510DE\"; after a colon a subsystem",
        );
    }
    text.filter(|_| good).map(str::to_string)
}

pub(super) fn devices_of(value: &Value<'_>) -> Option<Option<Vec<u32>>> {
    if value.is_list() {
        let indices: Vec<_> =
            value.items()?.iter().map(|item| item.count(0..=DEVICES_MAX, "")).collect();
        return Some(Some(indices.into_iter().collect::<Option<_>>()?));
    }
    if value.as_text() != Some("all") {
        value.wrong("names no GPUs", "all, or a list of indices such as [0, 1]");
        return None;
    }
    Some(None)
}

/// Profiles in the order of the file; a count of 0 asks for none.
fn instances_of(value: &Value<'_>) -> Option<Vec<Instances>> {
    let map = value.map()?;
    let instances = map.all().into_iter().map(|(key, value)| {
        let count = value.count(0..=COUNT_MAX, " instances")?;
        if !is_profile(&key.text) {
            let title =
                format!("{} is not a GPU instance profile", crate::suggest::quoted(&key.text));
            let allowed = "slices and memory, such as \"1g.5gb\", \"1g.5gb+me\", \"1c.3g.20gb\"";
            let meant = ProfileName::parse(&key.text);
            let help = meant.map_or(String::new(), |name| format!("write \"{name}\""));
            value.faults.push(Fault::at(key.span.clone(), title).allowed(allowed).help(help));
            return None;
        }
        Some(Instances { profile: key.text.clone(), count, span: key.span.clone() })
    });
    let instances: Vec<Option<Instances>> = instances.collect();
    let instances: Vec<Instances> = instances.into_iter().collect::<Option<_>>()?;
    Some(instances.into_iter().filter(|instances| instances.count > 0).collect())
}

/// A profile as mig-parted spells it: `[1c.]3g.20gb[+me]`, in small letters and with nothing before it.
fn is_profile(text: &str) -> bool {
    ProfileName::parse(text).is_some_and(|name| name.to_string() == text)
}

impl MigRule {
    /// Whether it is for a model with these ids on the PCI bus.
    pub fn is_for(&self, pci_ids: &[u32]) -> bool {
        is_for(&self.device_filter, pci_ids)
    }

    /// Whether it is for the GPU of this index.
    pub fn has_device(&self, index: u32) -> bool {
        self.devices.as_ref().is_none_or(|indices| indices.contains(&index))
    }

    /// Every GPU with MIG off.
    pub fn disabled() -> Self {
        let (span, device_filter, instances) = (0..0, Vec::new(), Vec::new());
        Self { span, device_filter, devices: None, mig_enabled: false, instances }
    }

    /// GPU instances on some GPUs, or on all.
    pub fn of(devices: Option<Vec<u32>>, profiles: &[&str]) -> Self {
        let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
        for profile in profiles {
            let first = profiles.iter().position(|other| other == profile);
            *counts.entry(first.expect("it is one of them")).or_default() += 1;
        }
        let instances = counts.into_iter().map(|(index, count)| Instances {
            profile: profiles[index].to_string(),
            count,
            span: 0..0,
        });
        let (span, device_filter) = (0..0, Vec::new());
        Self { span, device_filter, devices, mig_enabled: true, instances: instances.collect() }
    }
}

/// Whether a filter is for a model with these ids on the PCI bus.
pub(super) fn is_for(filter: &[String], pci_ids: &[u32]) -> bool {
    let mut ids = filter.iter().filter_map(|id| pci_id(id));
    filter.is_empty() || ids.any(|id| pci_ids.contains(&id))
}

/// Writes a file for mig-parted, profiles in quotes.
pub fn write(file: &MigConfigs) -> String {
    let mut text = String::from("version: v1\nmig-configs:\n");
    for config in &file.configs {
        text.push_str(&format!("  {}:\n", name(&config.name)));
        for rule in &config.rules {
            text.push_str(&written(rule));
        }
    }
    text
}

fn written(rule: &MigRule) -> String {
    let mut lines = Vec::new();
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    if !rule.device_filter.is_empty() {
        let ids = rule.device_filter.iter().map(|id| quoted(id));
        lines.push(format!("device-filter: {}", list(ids.collect())));
    }
    lines.push(match &rule.devices {
        None => "devices: all".to_string(),
        Some(indices) => format!("devices: {}", list(indices.iter().map(u32::to_string).collect())),
    });
    lines.push(format!("mig-enabled: {}", rule.mig_enabled));
    if rule.mig_enabled {
        lines.push(format!("mig-devices:{}", if rule.instances.is_empty() { " {}" } else { "" }));
        let instances = rule.instances.iter();
        lines.extend(instances.map(|one| format!("  {}: {}", quoted(&one.profile), one.count)));
    }
    let first = |(index, line): (usize, String)| {
        format!("    {} {line}\n", if index == 0 { "-" } else { " " })
    };
    lines.into_iter().enumerate().map(first).collect()
}

/// A name bare where YAML reads it as text, else in quotes.
fn name(text: &str) -> String {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if letters && starts && !word { text.to_string() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_known_by_their_form() {
        for good in [
            "1g.5gb",
            "1g.5gb+me",
            "7g.80gb",
            "1c.3g.20gb",
            "1g.12gb+me.all",
            "1g.24gb-me",
            "2g.35gb",
        ] {
            assert!(is_profile(good), "{good}");
        }
        for bad in [
            "1g",
            "g.5gb",
            "1g.5",
            "1g.5gb+",
            "1.5gb",
            "3g.20GB",
            "1g.5gb.x",
            "",
            "+me",
            "MIG 1g.5gb",
        ] {
            assert!(!is_profile(bad), "{bad}");
        }
    }
}
