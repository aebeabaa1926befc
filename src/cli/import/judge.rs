//! Judges a layout of a file for many nodes for one GPU: a layout of it, one for other GPUs, or a
//! mistake.
//!
//! The requested layout must fit completely; for the others it is enough that some GPU can have
//! them.

use super::super::layouts::{self, LayoutFault};
use crate::config::Catalogue;
use crate::formats::Fault;
use crate::formats::device_plugin::{DevicePlugin, Replicated};
use crate::formats::kubernetes::{Configuration, Entry};
use crate::formats::mig_parted::{MigConfig, MigRule, subsystem};
use crate::spec::GpuSpec;

/// A node with GPUs of one model.
pub(super) struct Node<'n> {
    pub(super) catalogue: &'n Catalogue,
    pub(super) gpu: &'n GpuSpec,
    /// How many.
    pub(super) cards: u32,
}

/// Whether a layout is for a node.
pub(super) enum Verdict<'c> {
    /// It is possible here, by these rules for its GPUs.
    Here(Vec<&'c MigRule>),
    /// It is for other GPUs, with the reason.
    Elsewhere(String),
    /// No GPU can have it.
    Wrong(Vec<Fault>),
}

impl Node<'_> {
    /// The hypervisor of a node with vGPUs: KVM, on which vgpu-device-manager works, where the
    /// catalogue has it.
    pub(super) fn hypervisor(&self) -> String {
        let all = self.catalogue.list().into_iter().filter(|entry| entry.kind == "hypervisor");
        let mut ids: Vec<String> =
            all.map(|entry| entry.id).filter(|id| id != "bare-metal").collect();
        ids.sort_by_key(|id| !id.contains("kvm"));
        ids.into_iter().next().unwrap_or_else(|| "vsphere-7.0u2".to_string())
    }

    /// The faults of an entry, or of the layout `only` in it.
    pub(super) fn faults(&self, entry: &Entry, only: Option<&str>, is_alone: bool) -> Vec<Fault> {
        match &entry.configuration {
            Configuration::MigParted(file) => {
                let asked = |config: &&MigConfig| only.is_none_or(|name| name == config.name);
                let configs = file.configs.iter().filter(asked);
                let faults = configs.flat_map(|config| match only {
                    Some(_) => self.obstacles(config),
                    None => match self.judge(config) {
                        Verdict::Wrong(faults) => faults,
                        _ => Vec::new(),
                    },
                });
                faults.collect()
            }
            // Their answer is yes or no.
            Configuration::VgpuManager(_) | Configuration::Requests(_) => Vec::new(),
            Configuration::DevicePlugin(plugin) => {
                let asked = only.is_some_and(|name| entry.key.as_deref() == Some(name))
                    || (only.is_none() && is_alone);
                let resources = plugin.sharing.iter().flat_map(|sharing| &sharing.resources);
                let wrong = |resource: &Replicated| {
                    let misfit = self.misfit(&[(resource.profile()?, 1)])?;
                    let is_wrong = asked || !self.is_of_another(&[(resource.profile()?, 1)]);
                    is_wrong.then(|| fault(&misfit, resource.span.clone()))
                };
                resources.filter_map(wrong).collect()
            }
        }
    }

    /// Whether a layout is for the GPUs of this node.
    pub(super) fn judge<'c>(&self, config: &'c MigConfig) -> Verdict<'c> {
        let misfits = config.rules.iter().filter_map(|rule| Some((rule, self.misfit_in(rule)?)));
        let misfits: Vec<(&MigRule, LayoutFault)> = misfits.collect();
        let wrong = misfits.iter().filter(|(rule, _)| !self.is_of_another(&wanted(rule)));
        let mut wrong: Vec<Fault> = wrong
            .map(|(rule, misfit)| fault(misfit, rule.instances[misfit.at].span.clone()))
            .collect();
        wrong.extend(twice_cut(&config.rules.iter().collect::<Vec<_>>()));
        if !wrong.is_empty() {
            return Verdict::Wrong(wrong);
        }
        let rules = self.rules_of(config);
        if rules.is_empty() {
            return Verdict::Elsewhere("by its device-filter".to_string());
        }
        let here = |(rule, misfit): (&MigRule, LayoutFault)| {
            rules.iter().any(|one| std::ptr::eq(*one, rule)).then_some(misfit.title)
        };
        match misfits.into_iter().find_map(here) {
            Some(why) => Verdict::Elsewhere(why),
            None => Verdict::Here(rules),
        }
    }

    /// What keeps this node from having a layout: nothing when it can.
    fn obstacles(&self, config: &MigConfig) -> Vec<Fault> {
        let rules = self.rules_of(config);
        if rules.is_empty() {
            let title = "this layout is for other GPUs, by its device-filter";
            let ids = self.catalogue.pci_ids(&self.gpu.id).iter();
            let ids: Vec<String> = ids.map(|id| format!("\"0x{id:08X}\"")).collect();
            let fault = Fault::at(config.span.clone(), title);
            return vec![fault.allowed(format!("{} is {}", self.gpu.id, ids.join(" or ")))];
        }
        let misfits = rules.iter().filter_map(|rule| {
            let misfit = self.misfit_in(rule)?;
            Some(fault(&misfit, rule.instances[misfit.at].span.clone()))
        });
        misfits.chain(twice_cut(&rules)).collect()
    }

    /// The rules of a layout that are for this model: by its ids on the PCI bus, or, where those are
    /// not known, by its profiles.
    pub(super) fn rules_of<'c>(&self, config: &'c MigConfig) -> Vec<&'c MigRule> {
        let ids = self.catalogue.pci_ids(&self.gpu.id);
        let is_mine = |rule: &&MigRule| match ids {
            [] if !rule.device_filter.is_empty() => {
                self.misfit_in(rule).is_none_or(|misfit| !misfit.is_foreign)
            }
            ids => rule.is_for(ids),
        };
        config.rules.iter().filter(is_mine).collect()
    }

    fn misfit_in(&self, rule: &MigRule) -> Option<LayoutFault> {
        self.misfit(&wanted(rule))
    }

    fn misfit(&self, wanted: &[layouts::Wanted<'_>]) -> Option<LayoutFault> {
        layouts::place(self.gpu, wanted).err()
    }

    /// Whether another GPU can have these, as far as known.
    fn is_of_another(&self, wanted: &[layouts::Wanted<'_>]) -> bool {
        self.catalogue.gpus().any(|gpu| layouts::place(gpu, wanted).is_ok())
    }

    /// Why this GPU lacks something that a configuration of the plugin shares.
    pub(super) fn misfit_of(&self, plugin: &DevicePlugin) -> Option<String> {
        let resources = plugin.sharing.iter().flat_map(|sharing| &sharing.resources);
        let mut profiles = resources.filter_map(Replicated::profile);
        profiles.find_map(|profile| Some(self.misfit(&[(profile, 1)])?.title))
    }
}

pub(super) fn wanted(rule: &MigRule) -> Vec<layouts::Wanted<'_>> {
    rule.instances.iter().map(|one| (one.profile.as_str(), one.count)).collect()
}

fn fault(misfit: &LayoutFault, span: std::ops::Range<usize>) -> Fault {
    Fault::at(span, &misfit.title).allowed(&misfit.allowed).help(&misfit.help)
}

/// Two rules that cut one GPU in two ways: mig-parted applies the last and then finds the first
/// unmet.
fn twice_cut(rules: &[&MigRule]) -> Vec<Fault> {
    let meet = |one: &MigRule, other: &MigRule| {
        let filters = (&one.device_filter, &other.device_filter);
        let models = match filters {
            (a, b) if a.is_empty() || b.is_empty() => true,
            (a, b) => a.iter().any(|id| b.iter().any(|is| is.eq_ignore_ascii_case(id))),
        };
        let devices = match (&one.devices, &other.devices) {
            (Some(a), Some(b)) => a.iter().any(|index| b.contains(index)),
            _ => true,
        };
        let same = one.mig_enabled == other.mig_enabled && sorted(one) == sorted(other);
        models && devices && !same
    };
    let second = rules.iter().enumerate().find_map(|(at, rule)| {
        let first = rules[..at].iter().position(|one| meet(one, rule))?;
        Some((first + 1, at + 1, rule.span.clone()))
    });
    let told = second.map(|(first, second, span)| {
        let title = format!("rule {second} cuts a GPU that rule {first} cuts in another way");
        Fault::at(span, title)
            .allowed("one way for each GPU")
            .help("mig-parted would apply the last one; name different `devices`, or models by `device-filter`")
    });
    told.into_iter().collect()
}

fn sorted(rule: &MigRule) -> Vec<layouts::Wanted<'_>> {
    let mut all = wanted(rule);
    all.sort_unstable();
    all
}

/// A rule's GPUs, and the instances with their memory slices on each.
pub(super) fn in_words(rule: &MigRule, gpu: &GpuSpec) -> String {
    let devices = match &rule.devices {
        None => "all GPUs".to_string(),
        Some(indices) => {
            let indices: Vec<String> = indices.iter().map(u32::to_string).collect();
            format!("GPU {}", indices.join(", "))
        }
    };
    let boards: Vec<&str> = rule.device_filter.iter().filter_map(|id| subsystem(id)).collect();
    let devices = match boards.is_empty() {
        true => devices,
        false => format!("{devices} of subsystem {}", boards.join(", ")),
    };
    let placed = layouts::place(gpu, &wanted(rule)).unwrap_or_default();
    let placed: Vec<String> = placed.iter().map(ToString::to_string).collect();
    let what = match (rule.mig_enabled, placed.is_empty()) {
        (false, _) => "MIG off".to_string(),
        (true, true) => "MIG on, no instances".to_string(),
        (true, false) => placed.join(", "),
    };
    format!("{devices}: {what}")
}
