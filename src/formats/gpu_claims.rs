//! Claims of Kubernetes' dynamic resource allocation, for NVIDIA's DRA driver.
//!
//! The structure is that of `resource.k8s.io` v1beta1 to v1 (Kubernetes, api/resource: `exactly`,
//! `firstAvailable`, `constraints`, `config`); the expressions of selectors are not evaluated, only the
//! one that names a profile is known.

use super::Fault;
use super::objects::{Messages, at, inside, items, quantity, text_at, whole_at};
use super::yaml::Map;
use std::ops::Range;

/// A `ResourceClaim`, or a `ResourceClaimTemplate`.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Its place in the file.
    pub span: Range<usize>,
    /// Whether every pod gets its own claim.
    pub is_template: bool,
    /// What it asks for, in order; at least one request.
    pub requests: Vec<Request>,
    /// Whether all its devices must be on one GPU (`matchAttribute` of the parent).
    pub on_one_gpu: bool,
}

/// One request of a claim.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// Its name, by which containers can use it alone.
    pub name: String,
    /// The acceptable devices, best first: a GPU instance profile, or nothing for a whole GPU.
    /// Several with `firstAvailable`.
    pub devices: Vec<Option<String>>,
    /// How many devices.
    pub count: u32,
    /// How the users of the claim share it; nothing where the file leaves it to the driver.
    pub sharing: Option<ClaimSharing>,
}

/// How a claim is shared.
#[derive(Clone, PartialEq, Debug)]
pub enum ClaimSharing {
    /// By time slicing, with this slice of the compute policy: `default`, `short`, `medium`,
    /// `long`.
    TimeSlicing(&'static str),
    /// By MPS, with a percentage of the threads and MiB of memory for each client.
    Mps {
        /// `defaultActiveThreadPercentage`.
        threads: Option<u32>,
        /// `defaultPinnedDeviceMemoryLimit`.
        memory_mib: Option<u64>,
    },
}

/// The requests of a claim, or of a template of claims; nothing where it requests no GPU.
pub(super) fn claim(
    object: &Map<'_>,
    is_template: bool,
    span: &Range<usize>,
    told: &mut Messages,
) -> Option<Claim> {
    let devices: &[&str] =
        if is_template { &["spec", "spec", "devices"] } else { &["spec", "devices"] };
    let devices = inside(&at(object, devices)?)?;
    let configs = items(&devices, &["config"]);
    let requests = items(&devices, &["requests"]);
    let requests = requests.iter().filter_map(|one| request(one, &configs, told));
    let requests: Vec<Request> = requests.collect();
    let on_one_gpu = items(&devices, &["constraints"]).iter().any(|constraint| {
        let attribute = text_at(constraint, &["matchAttribute"]).unwrap_or("");
        attribute.ends_with("/parentUUID")
    });
    let name = text_at(object, &["metadata", "name"])?.to_string();
    (!requests.is_empty()).then(|| Claim {
        name,
        span: span.clone(),
        is_template,
        requests,
        on_one_gpu,
    })
}

fn request(request: &Map<'_>, configs: &[Map<'_>], told: &mut Messages) -> Option<Request> {
    let name = text_at(request, &["name"]).unwrap_or("");
    let alternatives = items(request, &["firstAvailable"]);
    let exactly = at(request, &["exactly"]).and_then(|value| inside(&value));
    // Before v1beta2 what is exactly wanted stood in the request itself.
    let one = exactly.as_ref().unwrap_or(request);
    let ways = if alternatives.is_empty() { std::slice::from_ref(one) } else { &alternatives[..] };
    let devices = ways.iter().map(|way| device(way, told)).collect::<Option<Vec<_>>>()?;
    let is_for = |config: &&Map<'_>| {
        let list = at(config, &["requests"]).and_then(|value| value.list()).unwrap_or_default();
        let mut names = list.iter().filter_map(|value| value.as_text());
        list.is_empty() || names.any(|of| of.split('/').next() == Some(name))
    };
    let sharing = configs.iter().filter(is_for).find_map(|config| {
        let parameters = inside(&at(config, &["opaque", "parameters"])?)?;
        sharing(&inside(&at(&parameters, &["sharing"])?)?)
    });
    Some(Request {
        name: name.to_string(),
        devices,
        count: whole_at(&ways[0], &["count"]).unwrap_or(1).clamp(1, 64) as u32,
        sharing,
    })
}

/// What a request may be given: a profile, or nothing for a whole GPU.
fn device(request: &Map<'_>, told: &mut Messages) -> Option<Option<String>> {
    match text_at(request, &["deviceClassName"])? {
        "gpu.nvidia.com" => Some(None),
        "mig.nvidia.com" => {
            let selectors = items(request, &["selectors"]);
            let profile = selectors.iter().find_map(profile_of);
            if profile.is_none() {
                let title = "the GPU instance profile of this request is not known";
                let help = "slicewise reads it from a selector: device.attributes['gpu.nvidia.com'].profile == '1g.5gb'";
                told.faults.push(Fault::at(request.span(), title).help(help));
            }
            Some(Some(profile?))
        }
        other => {
            let title = format!("a request of the class {other:?} is ignored");
            let help = "slicewise knows gpu.nvidia.com and mig.nvidia.com";
            told.warnings.push(Fault::at(request.span(), title).help(help));
            None
        }
    }
}

/// The profile in `device.attributes['gpu.nvidia.com'].profile == '1g.5gb'`, either way round.
fn profile_of(selector: &Map<'_>) -> Option<String> {
    let expression = text_at(selector, &["cel", "expression"])?;
    let (before, after) = expression.split_once(".profile")?;
    let quotes = ['\'', '"'];
    if let Some(rest) = after.trim_start().strip_prefix("==") {
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|quote| quotes.contains(quote))?;
        return rest[1..].split(quote).next().map(str::to_string);
    }
    let (left, _) = before.rsplit_once("==")?;
    let left = left.trim_end();
    let quote = left.chars().last().filter(|quote| quotes.contains(quote))?;
    left[..left.len() - 1].rsplit(quote).next().map(str::to_string)
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
                .and_then(|config| quantity(&at(config, &["defaultPinnedDeviceMemoryLimit"])?));
            Some(ClaimSharing::Mps { threads, memory_mib: memory.map(|bytes| bytes >> 20) })
        }
        _ => None,
    }
}
