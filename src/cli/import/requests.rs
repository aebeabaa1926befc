//! A scenario from the GPU requests of pods and claims.
//!
//! Which GPU a pod gets is the cluster's choice; here each claim has one to itself, and parts of a GPU
//! are packed as their shares of its memory allow.

use super::written::{VMS_MAX, Written};
use super::{ImportArgs, Node, output};
use crate::cli::failure::Failure;
use crate::config::quoted;
use crate::formats::gpu_requests::{
    Claim, ClaimSharing, Container, ContainerRequest, GpuRequests, HamiMemory, Request,
};
use crate::layout::fit::{Fit, SizeMode};
use crate::layout::placement::{Assignment, Cards, Claim as Claims};
use crate::spec::MigProfile;
use crate::spec::names::{find_profile, find_type};

/// A group of VMs alike.
struct Group {
    name: String,
    count: u32,
    has: String,
}

/// The scenario of the objects of a file.
pub(super) fn scenario(
    arguments: &ImportArgs,
    node: &Node<'_>,
    requests: &GpuRequests,
) -> Result<String, Failure> {
    let has =
        |is: fn(&ContainerRequest) -> bool| requests.containers.iter().any(|one| is(&one.asks));
    let claimed = has(|asks| matches!(asks, ContainerRequest::Claim { .. }));
    let machines = has(|asks| matches!(asks, ContainerRequest::Device(_)));
    let parts = has(|asks| {
        !matches!(
            asks,
            ContainerRequest::Claim { .. }
                | ContainerRequest::Devices { .. }
                | ContainerRequest::Device(_)
        )
    });
    if [claimed, machines, parts].iter().filter(|is| **is).count() > 1 {
        return Err(Failure::Usage(
            "the file mixes claims, parts of GPUs by HAMi or KAI, and devices of virtual \
             machines, and a GPU has only one driver\n  = help: import them one by one"
                .to_string(),
        ));
    }
    if requests.containers.is_empty() {
        let names: Vec<String> = requests.claims.iter().map(|claim| quoted(&claim.name)).collect();
        return Err(Failure::Usage(format!(
            "no pod of the file uses {}\n  = help: put the pods that do into the same file, or \
             after it in standard input",
            names.join(", ")
        )));
    }
    let plan = match (claimed, machines) {
        (true, _) => by_claims(node, requests)?,
        (_, true) => by_devices(node, requests)?,
        _ => by_parts(node, requests)?,
    };
    let all: u32 = plan.groups.iter().map(|group| group.count).sum();
    if all > VMS_MAX {
        return Err(Failure::Usage(format!(
            "{all} containers ask for GPUs\n  = allowed: 1 to {VMS_MAX}, a VM for each: an import writes no more"
        )));
    }
    let title = format!("pods on {}", node.gpu.name);
    let mut written = Written::new(arguments, node, &title, plan.cards.max(node.cards));
    plan.remarks.iter().for_each(|line| written.remark(line));
    if machines {
        written.lines(&format!("hypervisor = \"{}\"\n", node.hypervisor()));
    }
    if !plan.sharing.is_empty() {
        written.lines(&format!("\n[sharing]\n{}", plan.sharing));
    }
    plan.groups.iter().for_each(|one| written.vms(&one.name, one.count, &one.has));
    Ok(written.finish())
}

struct Plan {
    cards: u32,
    sharing: String,
    remarks: Vec<String>,
    groups: Vec<Group>,
}

/// The index of a profile of the GPU.
fn profile(node: &Node<'_>, name: &str) -> Result<usize, Failure> {
    find_profile(&node.gpu.mig_profiles, name).map(|part| part.profile).ok_or_else(|| {
        Failure::Usage(format!("{} is not offered by {}", quoted(name), node.gpu.id))
    })
}

/// What a request gets on this GPU: the first of its alternatives that there is.
fn device(node: &Node<'_>, request: &Request) -> Result<Option<usize>, Failure> {
    let ways = request.devices.iter().map(|way| match way {
        Some(name) => profile(node, name).map(Some),
        None => Ok(None),
    });
    let mut ways: Vec<Result<Option<usize>, Failure>> = ways.collect();
    let first = ways.iter().position(Result::is_ok).unwrap_or(0);
    ways.swap_remove(first)
}

/// The card of each of these GPU instances, on as few cards as hold them.
fn cards_of(node: &Node<'_>, profiles: &[usize]) -> Vec<u32> {
    let claims = profiles.iter().map(|&profile| Claims::Instance { profile });
    let claims: Vec<Claims> = claims.collect();
    let place = |count| {
        let cards = Cards { count, profiles: &node.gpu.mig_profiles };
        cards.place(Assignment::Consolidate, &claims)
    };
    let places = (1..=profiles.len()).find_map(place).expect("a card each is enough");
    places.into_iter().map(|place| place.card as u32).collect()
}

/// One device of a claim.
struct Device<'c> {
    request: &'c Request,
    profile: Option<usize>,
    cards: Vec<u32>,
}

/// The devices of a claim on cards of their own from `first` on: those that are to be on one GPU
/// are, each other request has its own.
fn devices_of<'c>(
    node: &Node<'_>,
    claim: &'c Claim,
    first: u32,
) -> Result<Vec<Device<'c>>, Failure> {
    let mut devices = Vec::new();
    for request in &claim.requests {
        let profile = device(node, request)?;
        let count = if profile.is_some() { request.count } else { 1 };
        devices.extend((0..count).map(|_| Device { request, profile, cards: Vec::new() }));
    }
    let all: Option<Vec<usize>> = devices.iter().map(|device| device.profile).collect();
    if let Some(all) = all.filter(|_| claim.on_one_gpu) {
        let cards = cards_of(node, &all);
        if cards.iter().any(|&card| card > 0) {
            let names = all.iter().map(|&one| node.gpu.mig_profiles[one].name.as_str());
            let names: Vec<&str> = names.collect();
            return Err(Failure::Usage(format!(
                "no {} holds {} together, which {} asks for\n  = help: `slicewise mig place {} {}` says why, and what is nearest",
                node.gpu.id,
                names.join(", "),
                quoted(&claim.name),
                node.gpu.id,
                names.join(" ")
            )));
        }
        devices.iter_mut().for_each(|device| device.cards = vec![first]);
        return Ok(devices);
    }
    let mut next = first;
    for request in &claim.requests {
        let is_mine = |device: &&mut Device<'_>| std::ptr::eq(device.request, request);
        let mut mine: Vec<&mut Device<'_>> = devices.iter_mut().filter(is_mine).collect();
        let profiles: Option<Vec<usize>> = mine.iter().map(|device| device.profile).collect();
        let taken = match profiles {
            Some(profiles) => {
                let cards = cards_of(node, &profiles);
                for (device, card) in mine.iter_mut().zip(&cards) {
                    device.cards = vec![next + card];
                }
                cards.iter().max().map_or(0, |last| last + 1)
            }
            None => {
                mine[0].cards = (next..next + request.count).collect();
                request.count
            }
        };
        next += taken;
    }
    Ok(devices)
}

/// Containers that share claims: the devices of each claim are on GPUs of their own, and each device
/// has the containers that use it, since a process of CUDA uses one GPU instance.
fn by_claims(node: &Node<'_>, requests: &GpuRequests) -> Result<Plan, Failure> {
    let (mut groups, mut remarks, mut interval) = (Vec::new(), Vec::new(), None);
    let mut cards = 0;
    for claim in &requests.claims {
        let mut users: Vec<(&Container, Option<&str>)> = Vec::new();
        for one in &requests.containers {
            match &one.asks {
                ContainerRequest::Claim { name, request } if *name == claim.name => {
                    users.push((one, request.as_deref()));
                }
                _ => {}
            }
        }
        // A template makes a claim for each pod; a claim is one for all.
        let pods = users.first().map_or(0, |(one, _)| one.pods);
        let times = if claim.is_template { pods } else { u32::from(!users.is_empty()) };
        for time in 1..=times.min(VMS_MAX) {
            let devices = devices_of(node, claim, cards)?;
            for (index, device) in devices.iter().enumerate() {
                let name = &device.request.name;
                let is_mine = |request: Option<&str>| request.is_none_or(|of| of == *name);
                let mine = users.iter().filter(|(_, request)| is_mine(*request));
                let each = |one: &Container| if claim.is_template { 1 } else { one.pods };
                let sharers: u32 = mine.clone().map(|(one, _)| each(one)).sum();
                for (user, request) in mine {
                    let mut name = user.name.clone();
                    if times > 1 {
                        name.push_str(&format!(" {time}"));
                    }
                    if devices.len() > 1 && request.is_none() {
                        name.push_str(&format!(" {}", device.request.name));
                    }
                    if device.request.count > 1 && device.profile.is_some() {
                        name.push_str(&format!(" {index}"));
                    }
                    let has = has_of(node, device, sharers);
                    groups.push(Group { name, count: each(user), has });
                }
            }
            let last = devices.iter().flat_map(|device| &device.cards).max();
            cards = last.map_or(cards, |last| last + 1);
        }
        for request in &claim.requests {
            if let Some(ClaimSharing::TimeSlicing(word)) = &request.sharing {
                if interval.is_some_and(|known| known != *word) {
                    return Err(Failure::Usage(
                        "claims have time slices of different lengths, a scenario has one\n  = help: import them one by one"
                            .to_string(),
                    ));
                }
                interval = Some(*word);
            }
        }
        if claim.requests.iter().any(|request| request.devices.len() > 1) {
            remarks.push(format!(
                "Of the devices that {} accepts, this is the first that {} has.",
                quoted(&claim.name),
                node.gpu.id
            ));
        }
    }
    if groups.is_empty() {
        return Err(Failure::Usage(
            "the claims that the pods name are not in the file\n  = help: put them into the same file"
                .to_string(),
        ));
    }
    remarks.push(
        "Each claim has a GPU to itself here; which one it gets is the cluster's choice."
            .to_string(),
    );
    let sharing = interval.filter(|word| *word != "default");
    let sharing = sharing.map_or(String::new(), |word| format!("compute_timeslice = \"{word}\"\n"));
    Ok(Plan { cards, sharing, remarks, groups })
}

/// What each of `sharers` containers has of a device.
fn has_of(node: &Node<'_>, device: &Device<'_>, sharers: u32) -> String {
    let profile = device.profile.map(|index| &node.gpu.mig_profiles[index].name);
    let cards: Vec<String> = device.cards.iter().map(u32::to_string).collect();
    let card = match &cards[..] {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    if sharers < 2 {
        return match profile {
            Some(name) => format!("mig = {name:?}\ncard = {card}"),
            None => format!("gpus = {}\ncard = {card}", cards.len()),
        };
    }
    let how = match &device.request.sharing {
        // The driver's own choice is time slicing.
        None | Some(ClaimSharing::TimeSlicing(_)) => "sharing = \"time-slicing\"".to_string(),
        Some(ClaimSharing::Mps { threads, memory_mib }) => {
            let threads = threads.map(|most| format!(", active_threads = \"{} %\"", most.max(1)));
            let memory = memory_mib.map(|mib| format!(", memory_limit = \"{mib} MiB\""));
            format!(
                "sharing = \"mps\"{}{}",
                threads.unwrap_or_default(),
                memory.unwrap_or_default()
            )
        }
    };
    let mig = profile.map_or(String::new(), |name| format!(", mig = {name:?}"));
    // A process is on one GPU.
    format!("process = {{ {how}{mig} }}\ncard = {}", cards[0])
}

/// Virtual machines of KubeVirt, and pods, with devices by name: vGPU types, or whole GPUs.
fn by_devices(node: &Node<'_>, requests: &GpuRequests) -> Result<Plan, Failure> {
    let gpu = node.gpu;
    let (mut groups, mut whole) = (Vec::new(), 0);
    let mut wanted = vec![0; gpu.vgpu_types.len()];
    for one in &requests.containers {
        let has = match &one.asks {
            ContainerRequest::Device(name) => match find_type(gpu, name) {
                Some(kind) => {
                    wanted[kind] += one.pods;
                    format!("vgpu = {{ type = {:?} }}", gpu.vgpu_types[kind].name)
                }
                None if looks_like_a_type(name) => {
                    return Err(Failure::Usage(format!(
                        "{} is not offered by {}\n  = help: `slicewise vgpu list {}` lists its types",
                        quoted(name),
                        gpu.id,
                        gpu.id
                    )));
                }
                None => {
                    whole += one.pods;
                    "gpus = 1".to_string()
                }
            },
            ContainerRequest::Devices { profile: None, count } => {
                whole += count * one.pods;
                format!("gpus = {count}")
            }
            _ => continue,
        };
        groups.push(Group { name: one.name.clone(), count: one.pods, has });
    }
    let shared = Fit::new(gpu, SizeMode::Equal, wanted).need().cards() as u32;
    let cards = (whole + shared).max(1);
    Ok(Plan { cards, sharing: String::new(), remarks: Vec::new(), groups })
}

/// Whether a name ends as vGPU types do, `A10-12Q`: a size and the letter of a series.
fn looks_like_a_type(name: &str) -> bool {
    let end = name.rsplit('-').next().unwrap_or("");
    let size = end.trim_end_matches(['A', 'B', 'C', 'Q']);
    size.len() < end.len() && !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit())
}

/// A GPU's replicas are hundredths of its memory, so that parts are packed as schedulers do.
const HUNDREDTHS: u32 = 100;

/// Containers with parts of GPUs, with GPU instances, or with whole GPUs.
fn by_parts(node: &Node<'_>, requests: &GpuRequests) -> Result<Plan, Failure> {
    let total = node.gpu.memory.value.get() >> 20;
    let of_memory = |mib: u64| mib.saturating_mul(u64::from(HUNDREDTHS)).div_ceil(total.max(1));
    let (mut groups, mut remarks, mut hundredths, mut whole) = (Vec::new(), Vec::new(), 0, 0);
    let mut instances: Vec<usize> = Vec::new();
    let mut remark = |line: &str| {
        if !remarks.iter().any(|known: &String| known == line) {
            remarks.push(line.to_string());
        }
    };
    let several = |name: &str, gpus: u32| {
        if gpus > 1 {
            output::message(&format!(
                "warning: {name} has parts of {gpus} GPUs; slicewise simulates one process on one GPU"
            ));
        }
    };
    for one in &requests.containers {
        let mut cut = |profile: usize, count: u32| {
            let all = (count * one.pods).min(VMS_MAX) as usize;
            instances.extend(std::iter::repeat_n(profile, all));
            let name = &node.gpu.mig_profiles[profile].name;
            let has = format!("mig = {{ profile = {name:?}, count = {count} }}");
            groups.push(Group { name: one.name.clone(), count: one.pods, has });
        };
        let (part, gpus) = match &one.asks {
            ContainerRequest::Devices { profile: None, count } => {
                whole += count * one.pods;
                let has = format!("gpus = {count}");
                groups.push(Group { name: one.name.clone(), count: one.pods, has });
                continue;
            }
            ContainerRequest::Devices { profile: Some(name), count } => {
                cut(profile(node, name)?, *count);
                continue;
            }
            ContainerRequest::Hami { gpus, memory, is_mig: true, .. } => {
                let chosen = smallest(node, memory).ok_or_else(|| too_much(node, one, total))?;
                remark(
                    "HAMi cuts a GPU by its table of layouts; here it is the smallest profile \
                     with the requested memory.",
                );
                cut(chosen, (*gpus).max(1));
                continue;
            }
            ContainerRequest::Hami { gpus, memory, cores, is_mig: false } => {
                remark(
                    "HAMi limits a pod to its MB of memory and to its percentage of GPU time \
                     (gpucores). slicewise",
                );
                remark(
                    "packs pods by the larger of both and applies neither limit: a pod that is \
                     alone here has the whole GPU.",
                );
                let memory = match memory {
                    HamiMemory::Whole => u64::from(HUNDREDTHS),
                    HamiMemory::Mb(mb) => of_memory(*mb),
                    HamiMemory::PerCent(part) => u64::from(*part),
                };
                (memory.max(u64::from(cores.unwrap_or(0))), *gpus)
            }
            ContainerRequest::Fraction { share, gpus } => {
                remark(
                    "KAI packs pods by their share of a GPU's memory and does not limit them: \
                     they take turns.",
                );
                ((share * f64::from(HUNDREDTHS)).ceil() as u64, *gpus)
            }
            ContainerRequest::MemoryMib { mib, gpus } => {
                remark(
                    "KAI packs pods by their share of a GPU's memory and does not limit them: \
                     they take turns.",
                );
                (of_memory(*mib), *gpus)
            }
            ContainerRequest::Claim { .. } | ContainerRequest::Device(_) => continue,
        };
        several(&one.name, gpus);
        if part > u64::from(HUNDREDTHS) {
            return Err(too_much(node, one, total));
        }
        if part == u64::from(HUNDREDTHS) {
            whole += one.pods;
            let has = "gpus = 1".to_string();
            groups.push(Group { name: one.name.clone(), count: one.pods, has });
            continue;
        }
        let part = (part as u32).max(1);
        hundredths += part * one.pods;
        let has = format!("process = {{ sharing = \"time-slicing\", replicas = {part} }}");
        groups.push(Group { name: one.name.clone(), count: one.pods, has });
    }
    let sharing = if hundredths > 0 {
        format!("replicas = {HUNDREDTHS}   # hundredths of a GPU's memory\n")
    } else {
        String::new()
    };
    let cut = if instances.is_empty() {
        0
    } else {
        cards_of(node, &instances).into_iter().max().map_or(0, |last| last + 1)
    };
    let cards = whole + cut + hundredths.div_ceil(HUNDREDTHS);
    Ok(Plan { cards: cards.max(1), sharing, remarks, groups })
}

/// The profile with least memory that has as much as HAMi is asked for. HAMi's table
/// (`knownMigGeometries` of its chart) has neither media extensions nor a slice with double memory.
fn smallest(node: &Node<'_>, memory: &HamiMemory) -> Option<usize> {
    let all = node.gpu.memory.value.get() >> 20;
    let need = match memory {
        HamiMemory::Whole => all,
        HamiMemory::Mb(mb) => *mb,
        HamiMemory::PerCent(part) => all * u64::from(*part) / 100,
    };
    let has = |profile: &MigProfile| profile.frame_buffer.map_or(0, |memory| memory.get() >> 20);
    let known = || node.gpu.mig_profiles.iter().filter(|one| !one.is_variant());
    let is_usual = |one: &MigProfile| {
        let alike = known().filter(|other| other.compute_slices == one.compute_slices);
        !one.is_variant() && alike.map(|other| other.memory_slices).min() == Some(one.memory_slices)
    };
    let profiles = node.gpu.mig_profiles.iter().enumerate();
    let enough = profiles.filter(|(_, one)| is_usual(one) && has(one) >= need);
    enough.min_by_key(|(_, one)| (one.memory_slices, one.compute_slices)).map(|(index, _)| index)
}

fn too_much(node: &Node<'_>, one: &Container, total: u64) -> Failure {
    let counted = match one.asks {
        ContainerRequest::Hami { memory: HamiMemory::Mb(mb), .. } => {
            format!(": gpumem counts MB, and this is {mb}")
        }
        ContainerRequest::MemoryMib { mib, .. } => {
            format!(": gpu-memory counts MiB, and this is {mib}")
        }
        _ => String::new(),
    };
    Failure::Usage(format!(
        "{} asks for more memory than {} has{counted}\n  = allowed: up to {total} MiB",
        one.name, node.gpu.id
    ))
}
