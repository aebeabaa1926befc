//! What objects of Kubernetes ask of GPUs: claims of NVIDIA's DRA driver with how they are shared, and
//! pods with plugin resources, HAMi's or KAI's parts of a GPU.
//!
//! It reads what is asked for; which pod lands where is the cluster's affair. Sources:
//! kubernetes-sigs/dra-driver-nvidia-gpu and NVIDIA/k8s-dra-driver-gpu, api/nvidia.com/resource/v1beta1
//! (`GpuConfig`, `MigDeviceConfig`); Project-HAMi/HAMi, README (`gpumem` in MB, `gpucores` in per cent);
//! NVIDIA/KAI-Scheduler, docs/gpu-sharing (`gpu-fraction`, `gpu-memory` in MiB).

use super::yaml::{Map, Value};
use std::ops::Range;

/// Everything that the objects of a file ask for.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct GpuRequests {
    /// Claims and templates of claims.
    pub claims: Vec<Claim>,
    /// Containers that ask for a GPU, or for a part of one.
    pub containers: Vec<Container>,
}

/// A `ResourceClaim`, or a template of such ones.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Range<usize>,
    /// Whether every pod has a claim of its own.
    pub is_template: bool,
    /// The GPU instance profile that it asks for; nothing for a whole GPU.
    pub profile: Option<String>,
    /// How many devices.
    pub count: u32,
    /// How whoever has the claim shares it; nothing where the file leaves it to the driver.
    pub sharing: Option<ClaimSharing>,
}

/// How a claim is shared.
#[derive(Clone, PartialEq, Debug)]
pub enum ClaimSharing {
    /// In turns, of this length by the compute policy: `default`, `short`, `medium`, `long`.
    TimeSlicing(&'static str),
    /// By MPS, with per cent of the threads and MiB of the memory for each client.
    Mps {
        /// `defaultActiveThreadPercentage`.
        threads: Option<u32>,
        /// `defaultPinnedDeviceMemoryLimit`.
        memory_mib: Option<u64>,
    },
}

/// A container of a pod.
#[derive(Clone, PartialEq, Debug)]
pub struct Container {
    /// The names of pod and container.
    pub name: String,
    /// Where it stands.
    pub span: Range<usize>,
    /// How many pods alike there are.
    pub pods: u32,
    /// What it asks for.
    pub asks: Asks,
}

/// What a container asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Asks {
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
        /// MB of memory of each.
        memory_mb: Option<u64>,
        /// Per cent of each GPU over time.
        cores: Option<u32>,
    },
    /// KAI: a share of a GPU's memory.
    Fraction(f64),
    /// KAI: so many MiB of a GPU's memory.
    MemoryMib(u64),
    /// A claim by name, and whether it is the name of a template.
    Claim(String),
}

const CLAIMS: [&str; 2] = ["ResourceClaim", "ResourceClaimTemplate"];
const PODS: [&str; 6] = ["Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"];

/// Most pods of one object: more than a scenario holds, so that the reason is the scenario's.
const PODS_MAX: u32 = 10_000;

impl GpuRequests {
    /// Whether nothing asks for a GPU.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.containers.is_empty()
    }

    /// Adds what an object asks for; whether it is of a kind that may.
    pub(super) fn add(&mut self, object: &Map<'_>, span: &Range<usize>) -> bool {
        let kind = object.peek("kind").and_then(|kind| kind.as_text()).unwrap_or("");
        if CLAIMS.contains(&kind) {
            self.claims.extend(claim(object, kind == CLAIMS[1], span));
            return true;
        }
        if PODS.contains(&kind) {
            self.containers.extend(containers(object, kind, span).unwrap_or_default());
            return true;
        }
        false
    }
}

/// The value at the end of a path of keys.
fn at<'n>(map: &Map<'n>, path: &[&str]) -> Option<Value<'n>> {
    let (first, rest) = path.split_first()?;
    let value = map.peek(first)?;
    if rest.is_empty() { Some(value) } else { at(&inside(&value)?, rest) }
}

fn inside<'n>(value: &Value<'n>) -> Option<Map<'n>> {
    value.is_map().then(|| value.map()).flatten()
}

fn text_at<'n>(map: &Map<'n>, path: &[&str]) -> Option<&'n str> {
    at(map, path)?.as_text()
}

fn items<'n>(map: &Map<'n>, path: &[&str]) -> Vec<Map<'n>> {
    let list = at(map, path).filter(|value| value.is_list()).and_then(|value| value.list());
    list.unwrap_or_default().iter().filter_map(inside).collect()
}

/// A whole number, bare or in quotes, as resources write it.
fn whole(value: &Value<'_>) -> Option<u64> {
    value.as_whole().or_else(|| value.as_text()?.trim().parse().ok())
}

fn whole_at(map: &Map<'_>, path: &[&str]) -> Option<u64> {
    whole(&at(map, path)?)
}

fn claim(object: &Map<'_>, is_template: bool, span: &Range<usize>) -> Option<Claim> {
    let devices: &[&str] =
        if is_template { &["spec", "spec", "devices"] } else { &["spec", "devices"] };
    let devices = inside(&at(object, devices)?)?;
    let request = items(&devices, &["requests"]).into_iter().next()?;
    let exactly = at(&request, &["exactly"]).and_then(|value| inside(&value));
    let request = exactly.unwrap_or(request);
    let class = text_at(&request, &["deviceClassName"])?;
    let profile = match class {
        "gpu.nvidia.com" => None,
        "mig.nvidia.com" => Some(items(&request, &["selectors"]).iter().find_map(profile_of)?),
        _ => return None,
    };
    let parameters = items(&devices, &["config"])
        .into_iter()
        .find_map(|config| inside(&at(&config, &["opaque", "parameters"])?));
    let sharing =
        parameters.and_then(|parameters| sharing(&inside(&at(&parameters, &["sharing"])?)?));
    Some(Claim {
        name: text_at(object, &["metadata", "name"])?.to_string(),
        span: span.clone(),
        is_template,
        profile,
        count: whole_at(&request, &["count"]).unwrap_or(1).min(64) as u32,
        sharing,
    })
}

/// The profile in `device.attributes['gpu.nvidia.com'].profile == '1g.5gb'`.
fn profile_of(selector: &Map<'_>) -> Option<String> {
    let expression = text_at(selector, &["cel", "expression"])?;
    let (_, rest) = expression.split_once(".profile")?;
    let rest = rest.trim_start().strip_prefix("==")?.trim_start();
    let quote = rest.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
    rest[1..].split(quote).next().map(str::to_string)
}

fn sharing(sharing: &Map<'_>) -> Option<ClaimSharing> {
    match text_at(sharing, &["strategy"])? {
        "TimeSlicing" => {
            let interval = text_at(sharing, &["timeSlicingConfig", "interval"]);
            let words = ["default", "short", "medium", "long"];
            let known = |word: &&&str| interval.is_some_and(|is| is.eq_ignore_ascii_case(word));
            Some(ClaimSharing::TimeSlicing(words.iter().find(known).copied().unwrap_or(words[0])))
        }
        "MPS" => {
            let config = at(sharing, &["mpsConfig"]).and_then(|value| inside(&value));
            let threads = config.as_ref().and_then(|config| {
                Some(whole_at(config, &["defaultActiveThreadPercentage"])?.min(100) as u32)
            });
            let memory = config
                .as_ref()
                .and_then(|config| mib(&at(config, &["defaultPinnedDeviceMemoryLimit"])?));
            Some(ClaimSharing::Mps { threads, memory_mib: memory })
        }
        _ => None,
    }
}

/// Whole MiB of a quantity of Kubernetes: `10Gi`, `2000Mi`, `10G`, bytes.
fn mib(value: &Value<'_>) -> Option<u64> {
    if let Some(bytes) = value.as_whole() {
        return Some(bytes >> 20);
    }
    let text = value.as_text()?.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "" => 1,
        "k" => 1_000,
        "Ki" => 1 << 10,
        "M" => 1_000_000,
        "Mi" => 1 << 20,
        "G" => 1_000_000_000,
        "Gi" => 1 << 30,
        _ => return None,
    };
    Some(number.checked_mul(unit)? >> 20)
}

fn containers(object: &Map<'_>, kind: &str, span: &Range<usize>) -> Option<Vec<Container>> {
    let is_pod = kind == "Pod";
    let template = if is_pod { None } else { inside(&at(object, &["spec", "template"])?) };
    let pod = template.as_ref().unwrap_or(object);
    let name = text_at(object, &["metadata", "name"]).unwrap_or("pod");
    let copies = match kind {
        "Job" => whole_at(object, &["spec", "parallelism"]),
        _ => whole_at(object, &["spec", "replicas"]),
    };
    let pods = copies.unwrap_or(1).min(u64::from(PODS_MAX)) as u32;
    let all = items(pod, &["spec", "containers"]);
    let claims: Vec<(&str, &str)> = items(pod, &["spec", "resourceClaims"])
        .iter()
        .filter_map(|claim| {
            let of = text_at(claim, &["resourceClaimTemplateName"])
                .or_else(|| text_at(claim, &["resourceClaimName"]))?;
            Some((text_at(claim, &["name"])?, of))
        })
        .collect();
    let annotation = |key| at(pod, &["metadata", "annotations", key]);
    let found = all.iter().enumerate().flat_map(|(index, container)| {
        let own = text_at(container, &["name"]).unwrap_or("container");
        let name = if all.len() == 1 { name.to_string() } else { format!("{name} {own}") };
        let mut asks = of_resources(container);
        let used = items(container, &["resources", "claims"]);
        let used = used.iter().filter_map(|claim| text_at(claim, &["name"]));
        let named = used.filter_map(|used| claims.iter().find(|(name, _)| *name == used));
        asks.extend(named.map(|(_, of)| Asks::Claim(of.to_string())));
        // KAI's annotations are the pod's; its first container has the part.
        if index == 0 && asks.is_empty() {
            let fraction = annotation("gpu-fraction");
            let fraction = fraction.and_then(|value| value.as_text()?.trim().parse::<f64>().ok());
            let fraction = fraction.filter(|part| *part > 0.0 && *part <= 1.0);
            asks.extend(fraction.map(Asks::Fraction));
            let memory = annotation("gpu-memory").and_then(|value| whole(&value));
            asks.extend(memory.filter(|mib| *mib > 0).map(Asks::MemoryMib));
        }
        let span = span.clone();
        asks.into_iter().map(move |asks| Container {
            name: name.clone(),
            span: span.clone(),
            pods,
            asks,
        })
    });
    Some(found.collect())
}

/// What a container's limits ask for; requests where there are no limits.
fn of_resources(container: &Map<'_>) -> Vec<Asks> {
    let limits = ["limits", "requests"]
        .into_iter()
        .find_map(|key| inside(&at(container, &["resources", key])?));
    let Some(limits) = limits else { return Vec::new() };
    let whole_of = |key: &str| limits.peek(key).and_then(|value| whole(&value));
    let gpus = whole_of("nvidia.com/gpu").map(|count| count.min(64) as u32);
    let (memory_mb, cores) = (whole_of("nvidia.com/gpumem"), whole_of("nvidia.com/gpucores"));
    if memory_mb.is_some() || cores.is_some() {
        let cores = cores.map(|cores| cores.min(100) as u32);
        return vec![Asks::Hami { gpus: gpus.unwrap_or(1), memory_mb, cores }];
    }
    let mut asks = Vec::new();
    asks.extend(
        gpus.filter(|count| *count > 0).map(|count| Asks::Devices { profile: None, count }),
    );
    for (key, value) in limits.all() {
        let Some(profile) = key.text.strip_prefix("nvidia.com/mig-") else { continue };
        let count = whole(&value).unwrap_or(0).min(64) as u32;
        if count > 0 {
            asks.push(Asks::Devices { profile: Some(profile.to_string()), count });
        }
    }
    asks
}
