//! The ways in which VMs may share a GPU, as `--sharing` names them and as a scenario states them.
//!
//! Whether all VMs have a place is checked in the scenario, not here.

use crate::cli::failure::Failure;
use crate::cli::named::did_you_mean;
use crate::config::{nearest, quoted};
use crate::spec::names::{find_profile, find_type};
use crate::spec::{GpuSpec, Hypervisor};

/// A way of sharing.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Way {
    /// Its name in tables.
    pub(super) name: String,
    /// Its name for `--sharing`.
    pub(super) word: String,
    /// The keys that a line of the sweep sets, with their values in TOML.
    pub(super) set: Vec<(&'static str, String)>,
    /// Whether it is only shown for comparison.
    pub(super) is_reference: bool,
}

/// The system for which ways are chosen.
pub(super) struct Place<'p> {
    pub(super) gpu: &'p GpuSpec,
    pub(super) gpus: u32,
    pub(super) vms: u32,
    pub(super) hypervisor: &'p Hypervisor,
}

/// The words of `--sharing`, each explained.
pub(super) const WORDS: &str = "best-effort, equal-share, fixed-share (vGPUs in turns; best-effort:TYPE for a type), mig (mig:1g.10gb for a profile), mps (mps:25 for a limit of 25 % of the SMs each), processes (CUDA processes in turns), whole (a GPU each)";

const BARE_METAL: &str = "bare-metal";

impl Place<'_> {
    /// The ways that are compared by default: those that the GPU offers under the hypervisor, and
    /// for comparison those that need more GPUs or no VMs.
    pub(super) fn usual(&self) -> Vec<Way> {
        let words: &[&str] = match (self.vms, self.has_vgpus()) {
            (1, _) => &["whole"],
            (_, true) => &["best-effort", "equal-share", "mig", "mps", "whole"],
            (_, false) => &["processes", "mps", "mig", "whole"],
        };
        let known =
            words.iter().filter(|word| **word != "mig" || !self.gpu.mig_profiles.is_empty());
        let ways = known.filter_map(|word| self.way(word).ok());
        let with_vms = self.has_vgpus();
        ways.map(|way| {
            let is_reference = way.is_reference || (with_vms && is_of_processes(&way));
            Way { is_reference, ..way }
        })
        .collect()
    }

    /// The ways named in a list.
    pub(super) fn asked(&self, list: &[String]) -> Result<Vec<Way>, Failure> {
        let words = list.iter().flat_map(|list| list.split(',')).map(str::trim);
        let (mut ways, mut wrong): (Vec<Way>, _) = (Vec::new(), Vec::new());
        for word in words {
            match self.way(word) {
                Ok(way) if ways.iter().all(|known| known.name != way.name) => ways.push(way),
                Ok(_) => {}
                Err(why) => wrong.push(why),
            }
        }
        if wrong.is_empty() { Ok(ways) } else { Err(Failure::Usage(wrong.join("\n\n"))) }
    }

    /// Whether VMs see the GPU through vGPU types.
    fn has_vgpus(&self) -> bool {
        self.hypervisor.virtual_gpus && !self.gpu.vgpu_types.is_empty()
    }

    /// The way of one word.
    fn way(&self, word: &str) -> Result<Way, String> {
        let lower = word.to_lowercase().replace([' ', '_'], "-");
        let (kind, detail) = match lower.split_once([':', '=']) {
            Some((kind, _)) => (kind.to_string(), Some(word[kind.len() + 1..].trim())),
            None => (lower.clone(), None),
        };
        // A type or profile by itself says its way.
        if let Some(at) = find_type(self.gpu, word) {
            return match &self.gpu.vgpu_types[at].profile {
                Some(profile) => self.mig(Some(profile)),
                None => self.vgpu("best-effort", Some(word)),
            };
        }
        if find_profile(&self.gpu.mig_profiles, word).is_some() {
            return self.mig(Some(word));
        }
        match kind.as_str() {
            "best-effort" | "vgpu" | "best-effort-vgpu" => self.vgpu("best-effort", detail),
            "equal-share" | "equal" => self.vgpu("equal-share", detail),
            "fixed-share" | "fixed" => self.vgpu("fixed-share", detail),
            "time-slicing" | "timeslicing" | "time-slice" if self.has_vgpus() => {
                self.vgpu("best-effort", detail)
            }
            "time-slicing" | "timeslicing" | "time-slice" | "processes" | "process" | "cuda" => {
                Ok(self.process("processes in turns", "processes", "\"time-slicing\"".to_string()))
            }
            "mig" => self.mig(detail),
            "mps" => self.mps(detail),
            "whole" | "passthrough" | "whole-gpu" | "whole-card" => Ok(self.whole()),
            _ => {
                let known = [
                    "best-effort",
                    "equal-share",
                    "fixed-share",
                    "mig",
                    "mps",
                    "processes",
                    "whole",
                ];
                let near = did_you_mean(nearest(&kind, known));
                Err(format!("unknown way of sharing {}\n  = allowed: {WORDS}{near}", quoted(word)))
            }
        }
    }

    fn vgpu(&self, policy: &str, kind: Option<&str>) -> Result<Way, String> {
        let gpu = self.gpu;
        if !self.hypervisor.virtual_gpus {
            return Err(format!(
                "{policy} is for vGPUs, and {} has none\n  = help: processes share a GPU with --sharing processes, mps or mig; vGPUs are there with --hypervisor vsphere-8.0 or kvm",
                self.hypervisor.id
            ));
        }
        if gpu.vgpu_types.is_empty() {
            return Err(format!(
                "no vGPU type of {} is known\n  = help: --sharing mig, mps, processes or whole",
                gpu.id
            ));
        }
        let (kind, shown) = match kind {
            None => ("largest".to_string(), String::new()),
            Some(kind) => {
                let found = find_type(gpu, kind).map(|at| &gpu.vgpu_types[at]);
                let Some(found) = found.filter(|found| found.profile.is_none()) else {
                    let known: Vec<&str> = gpu
                        .vgpu_types
                        .iter()
                        .filter(|one| one.profile.is_none())
                        .map(|one| one.name.as_str())
                        .collect();
                    return Err(format!(
                        "{} has no time-sliced vGPU type {}\n  = allowed: {}",
                        gpu.id,
                        quoted(kind),
                        known.join(", ")
                    ));
                };
                (found.name.clone(), format!(" {}", found.name))
            }
        };
        let is_default = shown.is_empty();
        Ok(Way {
            name: format!("{policy} vGPUs{shown}"),
            word: if is_default { policy.to_string() } else { format!("{policy}:{kind}") },
            set: vec![
                ("hypervisor", quote(&self.hypervisor.id)),
                ("sharing.policy", quote(policy)),
                ("vm.vgpu.type", quote(&kind)),
            ],
            is_reference: false,
        })
    }

    fn mig(&self, profile: Option<&str>) -> Result<Way, String> {
        let gpu = self.gpu;
        let names =
            || gpu.mig_profiles.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        if gpu.mig_profiles.is_empty() {
            return Err(format!(
                "{} has no MIG: it cannot be cut into GPU instances\n  = help: --sharing \
                 best-effort, equal-share, mps or whole",
                gpu.id
            ));
        }
        let found = match profile {
            None => None,
            Some(word) => match find_profile(&gpu.mig_profiles, self.profile_of(word)) {
                Some(part) => Some(&gpu.mig_profiles[part.profile].name),
                None => {
                    return Err(format!(
                        "{} has no GPU instance profile {}\n  = allowed: {}",
                        gpu.id,
                        quoted(word),
                        names()
                    ));
                }
            },
        };
        let backed = gpu.vgpu_types.iter().any(|kind| kind.profile.is_some());
        let by_vgpu = self.hypervisor.virtual_gpus && backed;
        let kind = found.map(|profile| {
            let backing = gpu.vgpu_types.iter().find(|kind| kind.profile.as_ref() == Some(profile));
            (profile, backing.map(|kind| kind.name.clone()))
        });
        let (word, name) = match found {
            None => ("mig".to_string(), "MIG".to_string()),
            Some(profile) => (format!("mig:{profile}"), format!("MIG {profile}")),
        };
        let set = match (by_vgpu, kind) {
            (true, None) => vec![
                ("hypervisor", quote(&self.hypervisor.id)),
                ("vm.vgpu.type", quote("largest-mig")),
            ],
            (true, Some((_, Some(kind)))) => {
                vec![("hypervisor", quote(&self.hypervisor.id)), ("vm.vgpu.type", quote(&kind))]
            }
            (_, kind) => {
                let profile = kind.map_or("largest", |(profile, _)| profile.as_str());
                vec![("hypervisor", quote(self.without_vgpus())), ("vm.mig", quote(profile))]
            }
        };
        Ok(Way { name, word, set, is_reference: false })
    }

    /// The profile behind a MIG-backed vGPU type; else the word as it is.
    fn profile_of<'w>(&'w self, word: &'w str) -> &'w str {
        let kind = find_type(self.gpu, word).map(|at| &self.gpu.vgpu_types[at]);
        kind.and_then(|kind| kind.profile.as_deref()).unwrap_or(word)
    }

    fn mps(&self, limit: Option<&str>) -> Result<Way, String> {
        let Some(limit) = limit else {
            return Ok(self.process("MPS", "mps", "\"mps\"".to_string()));
        };
        let number = limit.trim_end_matches('%').trim().parse::<f64>();
        let Some(percent) = number.ok().filter(|percent| (1.0..=100.0).contains(percent)) else {
            return Err(format!(
                "mps:{limit} is not a limit\n  = allowed: 1 to 100, the percentage of the SMs \
                 that each client may use at most"
            ));
        };
        let process = format!("{{ sharing = \"mps\", active_threads = \"{percent} %\" }}");
        Ok(self.process(&format!("MPS at {percent} %"), &format!("mps:{percent}"), process))
    }

    fn process(&self, name: &str, word: &str, process: String) -> Way {
        let mut set = vec![("hypervisor", quote(self.without_vgpus())), ("vm.process", process)];
        if self.gpus > 1 {
            set.push(("sharing.assignment", quote("spread")));
        }
        let name = if self.has_vgpus() { format!("{name} without VMs") } else { name.to_string() };
        Way { name, word: word.to_string(), set, is_reference: false }
    }

    pub(super) fn whole(&self) -> Way {
        let gpus = self.gpus.max(self.vms);
        let hypervisor = quote(&self.hypervisor.id);
        let set = vec![
            ("hypervisor", hypervisor),
            ("gpus.count", gpus.to_string()),
            ("vm.gpus", "1".to_string()),
        ];
        let name = if self.vms == 1 { "a whole GPU" } else { "a whole GPU each" };
        let is_reference = self.vms > self.gpus;
        Way { name: name.to_string(), word: "whole".to_string(), set, is_reference }
    }

    /// Where processes and GPU instances are: the hypervisor itself, where it passes cards through.
    fn without_vgpus(&self) -> &str {
        if self.hypervisor.virtual_gpus { BARE_METAL } else { &self.hypervisor.id }
    }
}

/// Whether processes share, not VMs.
pub(super) fn is_of_processes(way: &Way) -> bool {
    way.set.iter().any(|(key, _)| *key == "vm.process")
}

pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}
