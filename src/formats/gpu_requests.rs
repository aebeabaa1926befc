//! GPU requests of Kubernetes objects: claims of NVIDIA's DRA driver with their sharing, and pods
//! with plugin resources, or with parts of a GPU by HAMi or KAI.
//!
//! It reads the requests; the cluster decides where a pod runs. Sources:
//! kubernetes-sigs/dra-driver-nvidia-gpu and NVIDIA/k8s-dra-driver-gpu,
//! api/nvidia.com/resource/v1beta1 (`GpuConfig`, `MigDeviceConfig`); Project-HAMi/HAMi, README and
//! examples/nvidia (`gpumem` in MB, `gpumem-percentage`, `gpucores` in per cent, `vgpu-mode`);
//! NVIDIA/KAI-Scheduler, docs/gpu-sharing (`gpu-fraction`, `gpu-memory` in MiB,
//! `gpu-fraction-num-devices`); kubevirt/user-guide, host devices. Claims are read in `gpu_claims`.

pub use super::gpu_claims::{Claim, ClaimSharing, Request};
use super::objects::{Messages, at, inside, items, quantity, text_at, whole_at};
use super::yaml::Map;
use super::yaml::Value;
use super::{Fault, gpu_claims};
use std::ops::Range;

/// All GPU requests of the objects of a file.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct GpuRequests {
    /// Claims and templates of claims.
    pub claims: Vec<Claim>,
    /// Containers that ask for a GPU, or for a part of one.
    pub containers: Vec<Container>,
}

/// A container of a pod.
#[derive(Clone, PartialEq, Debug)]
pub struct Container {
    /// The names of pod and container.
    pub name: String,
    /// Its place in the file.
    pub span: Range<usize>,
    /// The number of equal pods.
    pub pods: u32,
    /// Its request.
    pub asks: ContainerRequest,
}

/// The request of a container.
#[derive(Clone, PartialEq, Debug)]
pub enum ContainerRequest {
    /// Resources of the device plugin: whole GPUs, or GPU instances of a profile.
    Devices {
        /// The profile as resources spell it.
        profile: Option<String>,
        /// How many.
        count: u32,
    },
    /// HAMi: parts of GPUs.
    Hami {
        /// GPUs of which it has a part.
        gpus: u32,
        /// How much memory of each.
        memory: HamiMemory,
        /// Per cent of each GPU over time.
        cores: Option<u32>,
        /// Whether the parts are GPU instances (`nvidia.com/vgpu-mode: mig`).
        is_mig: bool,
    },
    /// KAI: a share of the memory of a number of GPUs.
    Fraction {
        /// The share, more than 0 and at most 1.
        share: f64,
        /// GPUs of which it has this share.
        gpus: u32,
    },
    /// KAI: an amount of memory, in MiB, of a number of GPUs.
    MemoryMib {
        /// MiB of each.
        mib: u64,
        /// GPUs of which it has them.
        gpus: u32,
    },
    /// A claim by its name, or one request of it.
    Claim {
        /// The claim or template.
        name: String,
        /// The request that it takes alone.
        request: Option<String>,
    },
    /// KubeVirt: a device by the name that the cluster gave it, mostly a vGPU type.
    Device(String),
}

/// Memory in HAMi's units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HamiMemory {
    /// All of it: the default.
    Whole,
    /// `gpumem`.
    Mb(u64),
    /// `gpumem-percentage`.
    PerCent(u32),
}

const CLAIMS: [&str; 2] = ["ResourceClaim", "ResourceClaimTemplate"];
/// Kinds that are pods or make pods, if perhaps without a GPU.
const PODS: [&str; 7] =
    ["Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"];

/// Kinds that change how many pods there are, or what they ask for, while these run.
const AUTOSCALERS: [&str; 3] = ["HorizontalPodAutoscaler", "VerticalPodAutoscaler", "ScaledObject"];

/// Most pods of one object: more than a scenario holds, so that the reason is the scenario's.
const PODS_MAX: u64 = 10_000;

impl GpuRequests {
    /// Whether no object requests a GPU.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.containers.is_empty()
    }

    /// Adds the requests of an object; returns whether its kind can have any.
    ///
    /// Workloads have many kinds, and operators add more (Notebook, RayCluster, PyTorchJob,
    /// JobSet): any object with a pod's `containers` inside counts, with the product of the
    /// `replicas` and `parallelism` around them as its number of pods.
    pub(super) fn add(
        &mut self,
        object: &Map<'_>,
        span: &Range<usize>,
        told: &mut Messages,
    ) -> bool {
        let Some(kind) = text_at(object, &["kind"]) else { return false };
        if CLAIMS.contains(&kind) {
            self.claims.extend(gpu_claims::claim(object, kind == CLAIMS[1], span, told));
            return true;
        }
        if AUTOSCALERS.contains(&kind) {
            let title =
                format!("the {kind} is left out: there are as many pods as `replicas` says");
            let help = "a scenario has the rule of a HorizontalPodAutoscaler: count = maxReplicas, \
                balance = \"least-outstanding\" and replicas = { min = minReplicas, busy = ... } in its [[vm]]";
            told.warnings.push(Fault::at(object.span(), title).help(help));
            return true;
        }
        let name = text_at(object, &["metadata", "name"]).unwrap_or("pod");
        let before = self.containers.len();
        let mut pods = Pods { name, span, told, found: &mut self.containers };
        pods.within(object, object, 1);
        PODS.contains(&kind) || self.containers.len() > before
    }
}

/// A search for pods in one object.
struct Pods<'a> {
    name: &'a str,
    span: &'a Range<usize>,
    told: &'a mut Messages,
    found: &'a mut Vec<Container>,
}

impl Pods<'_> {
    /// Looks for pods in a map; `owner` is the nearest map around it that has `metadata`.
    fn within(&mut self, map: &Map<'_>, owner: &Map<'_>, pods: u64) {
        let owner = if map.has("metadata") { map } else { owner };
        let copies = ["replicas", "parallelism"].iter().find_map(|key| whole_at(map, &[key]));
        let pods = pods.saturating_mul(copies.unwrap_or(1)).min(PODS_MAX);
        if at(map, &["containers"]).is_some_and(|value| value.is_list()) {
            return self.pod(map, owner, pods as u32);
        }
        if let Some(domain) = at(map, &["domain"]).and_then(|value| inside(&value)) {
            return self.machine(&domain, pods as u32);
        }
        for (key, value) in map.all() {
            // What kubectl remembers, and what the cluster says of its state, ask for nothing.
            if ["metadata", "status"].contains(&key.text.as_str()) {
                continue;
            }
            let maps = match value.is_list() {
                true => value.list().unwrap_or_default().iter().filter_map(inside).collect(),
                false => Vec::from_iter(inside(&value)),
            };
            maps.iter().for_each(|map| self.within(map, owner, pods));
        }
    }

    /// The GPUs of a virtual machine of KubeVirt.
    fn machine(&mut self, domain: &Map<'_>, pods: u32) {
        let lists = ["gpus", "hostDevices"].map(|key| items(domain, &["devices", key]));
        for device in lists.into_iter().flatten() {
            let Some(name) = text_at(&device, &["deviceName"]) else { continue };
            let Some(short) = name.strip_prefix("nvidia.com/") else { continue };
            self.push(self.name.to_string(), pods, ContainerRequest::Device(short.to_string()));
        }
    }

    fn push(&mut self, name: String, pods: u32, asks: ContainerRequest) {
        self.found.push(Container { name, span: self.span.clone(), pods, asks });
    }

    /// The containers of a pod, and what each asks for.
    fn pod(&mut self, pod: &Map<'_>, owner: &Map<'_>, pods: u32) {
        let all = items(pod, &["containers"]);
        let claims: Vec<(&str, &str)> = items(pod, &["resourceClaims"])
            .iter()
            .filter_map(|claim| {
                let of = text_at(claim, &["resourceClaimTemplateName"])
                    .or_else(|| text_at(claim, &["resourceClaimName"]))?;
                Some((text_at(claim, &["name"])?, of))
            })
            .collect();
        let annotation = |key: &str| at(owner, &["metadata", "annotations", key]);
        let is_mig = annotation("nvidia.com/vgpu-mode")
            .is_some_and(|mode| mode.as_text().is_some_and(|mode| mode.trim() == "mig"));
        // KAI's annotations are the pod's; one container has the part, the first if none is named.
        let named = annotation("gpu-fraction-container-name");
        let named = named.as_ref().and_then(|name| name.as_text());
        for (index, container) in all.iter().enumerate() {
            let own = text_at(container, &["name"]).unwrap_or("container");
            let name = match all.len() {
                1 => self.name.to_string(),
                _ => format!("{} {own}", self.name),
            };
            let mut asks = self.of_resources(container, is_mig);
            for used in items(container, &["resources", "claims"]) {
                let used_name = text_at(&used, &["name"]);
                let claim = claims.iter().find(|(name, _)| Some(*name) == used_name);
                let request = text_at(&used, &["request"]).map(str::to_string);
                asks.extend(
                    claim.map(|(_, of)| ContainerRequest::Claim { name: of.to_string(), request }),
                );
            }
            if asks.is_empty() && named.map_or(index == 0, |named| named == own) {
                asks.extend(self.of_annotations(&annotation));
            }
            asks.into_iter().for_each(|asks| self.push(name.clone(), pods, asks));
        }
    }

    /// KAI's parts.
    fn of_annotations<'n>(
        &mut self,
        of: &dyn Fn(&str) -> Option<Value<'n>>,
    ) -> Option<ContainerRequest> {
        let count = of("gpu-fraction-num-devices").and_then(|value| quantity(&value));
        let gpus = count.map_or(1, |count| count.clamp(1, 64) as u32);
        if let Some(value) = of("gpu-fraction") {
            let share = value.as_text().and_then(|text| text.trim().parse::<f64>().ok());
            let share = share.or_else(|| value.as_whole().map(|share| share as f64));
            match share.filter(|share| *share > 0.0 && *share <= 1.0) {
                Some(share) => return Some(ContainerRequest::Fraction { share, gpus }),
                None => self.told.faults.push(
                    Fault::at(value.node.span.clone(), "`gpu-fraction` is not a share of a GPU's \
                        memory")
                        .allowed("more than 0, at most 1, in quotes: \"0.5\"")
                        .help("for several whole GPUs write nvidia.com/gpu under limits; for parts of several, gpu-fraction-num-devices"),
                ),
            }
            return None;
        }
        let value = of("gpu-memory")?;
        let plain = value.as_whole().or_else(|| value.as_text()?.trim().parse().ok());
        match plain.filter(|mib| *mib > 0) {
            Some(mib) => return Some(ContainerRequest::MemoryMib { mib, gpus }),
            None => self.told.faults.push(
                Fault::at(value.node.span.clone(), "`gpu-memory` is not a number of MiB")
                    .allowed("a whole number from 1 on, without a unit, in quotes: \"4000\""),
            ),
        }
        None
    }

    /// What a container's limits ask for; requests where there are no limits.
    fn of_resources(&mut self, container: &Map<'_>, is_mig: bool) -> Vec<ContainerRequest> {
        let limits = ["limits", "requests"]
            .into_iter()
            .find_map(|key| inside(&at(container, &["resources", key])?));
        let Some(limits) = limits else { return Vec::new() };
        let mut asks = Vec::new();
        let (mut gpus, mut memory, mut cores) = (None, None, None);
        for (key, value) in limits.all() {
            let Some(name) = key.text.strip_prefix("nvidia.com/") else { continue };
            let Some(number) = quantity(&value) else {
                let title = format!("`{}` is not a whole number", key.text);
                let fault = Fault::at(value.node.span.clone(), title);
                self.told.faults.push(fault.allowed("a whole number, such as 1 or 8k"));
                continue;
            };
            match name {
                "gpumem" => memory = Some(HamiMemory::Mb(number)),
                "gpumem-percentage" => memory = Some(HamiMemory::PerCent(number.min(100) as u32)),
                "gpucores" => cores = Some(number.min(100) as u32),
                // The name that a scheduler beside the plugin gives its GPUs.
                "gpu" | "gpu.hami" => gpus = Some(number.min(64) as u32),
                _ if name.ends_with(".shared") => {
                    let title = format!("`{}` is a replica of a shared device", key.text);
                    let help = "the number of replicas is in the device plugin's configuration: \
                        import that, which gives a pod for each";
                    self.told.faults.push(Fault::at(key.span.clone(), title).help(help));
                }
                _ if number == 0 => {}
                _ => match name.strip_prefix("mig-") {
                    Some(profile) => asks.push(ContainerRequest::Devices {
                        profile: Some(profile.to_string()),
                        count: number.min(64) as u32,
                    }),
                    None if name.contains('-') && !name.starts_with("gpu") => {
                        let device = ContainerRequest::Device(name.to_string());
                        asks.extend(std::iter::repeat_n(device, number.min(64) as usize));
                    }
                    None => {
                        let title = format!("`{}` is ignored", key.text);
                        self.told.warnings.push(Fault::at(key.span.clone(), title));
                    }
                },
            }
        }
        if memory.is_some() || cores.is_some() {
            let (gpus, memory) = (gpus.unwrap_or(1), memory.unwrap_or(HamiMemory::Whole));
            asks.push(ContainerRequest::Hami { gpus, memory, cores, is_mig });
        } else if let Some(count) = gpus.filter(|count| *count > 0) {
            asks.push(ContainerRequest::Devices { profile: None, count });
        }
        asks
    }
}
