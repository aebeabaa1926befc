//! A scenario of what pods and claims ask for.
//!
//! Which GPU a pod gets is the cluster's choice; here each claim has one to itself, and parts of a GPU
//! are packed as their shares of its memory allow.

use super::written::{VMS_MAX, Written};
use super::{Failure, ImportArgs, Node, output};
use crate::config::quoted;
use crate::formats::gpu_requests::{Asks, Claim, ClaimSharing, Container, GpuRequests};
use crate::spec::MigProfile;
use crate::spec::names::find_profile;

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
    let claimed = requests.containers.iter().any(|one| matches!(one.asks, Asks::Claim(_)));
    let parts = requests
        .containers
        .iter()
        .any(|one| !matches!(one.asks, Asks::Claim(_) | Asks::Devices { .. }));
    if claimed && parts {
        return Err(Failure::Usage(
            "claims stand beside parts of GPUs by HAMi or KAI, and one driver has a GPU\n  = help: import them one by one"
                .to_string(),
        ));
    }
    if requests.containers.is_empty() {
        let names: Vec<String> = requests.claims.iter().map(|claim| quoted(&claim.name)).collect();
        return Err(Failure::Usage(format!(
            "no pod of the file uses {}\n  = help: put the pods that do into the same file, or behind it in standard input",
            names.join(", ")
        )));
    }
    let plan = if claimed { by_claims(node, requests)? } else { by_parts(node, requests)? };
    let all: u32 = plan.groups.iter().map(|group| group.count).sum();
    if all > VMS_MAX {
        return Err(Failure::Usage(format!(
            "{all} containers ask for GPUs\n  = allowed: 1 to {VMS_MAX}, a VM for each: slicewise simulates no more"
        )));
    }
    let title = format!("pods on {}", node.gpu.name);
    let mut written = Written::new(arguments, node, &title, plan.cards.max(node.cards));
    plan.remarks.iter().for_each(|line| written.remark(line));
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

fn profile<'n>(node: &Node<'n>, name: &str) -> Result<&'n MigProfile, Failure> {
    let part = find_profile(&node.gpu.mig_profiles, name);
    part.and_then(|part| node.gpu.mig_profiles.get(part.profile)).ok_or_else(|| {
        Failure::Usage(format!("{} is not offered by {}", quoted(name), node.gpu.id))
    })
}

/// Containers that share claims: each claim is a GPU, or a GPU instance, of its own.
fn by_claims(node: &Node<'_>, requests: &GpuRequests) -> Result<Plan, Failure> {
    let (mut groups, mut remarks, mut interval) = (Vec::new(), Vec::new(), None);
    let mut cards = 0;
    for claim in &requests.claims {
        let mine = |one: &&Container| matches!(&one.asks, Asks::Claim(name) if *name == claim.name);
        let users: Vec<&Container> = requests.containers.iter().filter(mine).collect();
        // A template makes a claim for each pod; a claim is one for all.
        let pods = users.first().map_or(0, |one| one.pods);
        let times = if claim.is_template { pods } else { u32::from(!users.is_empty()) };
        let sharers: u32 =
            users.iter().map(|one| if claim.is_template { 1 } else { one.pods }).sum();
        for time in 1..=times.min(VMS_MAX) {
            for user in &users {
                let each = if claim.is_template { 1 } else { user.pods };
                let has = has_of(node, claim, sharers, cards)?;
                let name = match times {
                    1 => user.name.clone(),
                    _ => format!("{} {time}", user.name),
                };
                groups.push(Group { name, count: each, has });
            }
            cards += claim.count.max(1);
        }
        if let Some(ClaimSharing::TimeSlicing(word)) = &claim.sharing {
            if interval.is_some_and(|known| known != *word) {
                return Err(Failure::Usage(
                    "claims have time slices of different lengths, a scenario has one\n  = help: import them one by one"
                        .to_string(),
                ));
            }
            interval = Some(*word);
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

/// What each of `sharers` containers has of a claim on this card.
fn has_of(node: &Node<'_>, claim: &Claim, sharers: u32, card: u32) -> Result<String, Failure> {
    let within = claim.profile.as_deref().map(|name| profile(node, name)).transpose()?;
    let mig = within.map_or(String::new(), |one| format!(", mig = {:?}", one.name));
    if sharers < 2 {
        let alone = match within {
            Some(one) => format!("mig = {:?}", one.name),
            None => format!("gpus = {}", claim.count.max(1)),
        };
        let on: Vec<String> = (card..card + claim.count.max(1)).map(|on| on.to_string()).collect();
        return Ok(match within {
            None if on.len() > 1 => format!("{alone}\ncard = [{}]", on.join(", ")),
            _ => format!("{alone}\ncard = {card}"),
        });
    }
    let how = match &claim.sharing {
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
    Ok(format!("process = {{ {how}{mig} }}\ncard = {card}"))
}

/// A GPU's replicas are hundredths of its memory, so that parts are packed as schedulers do.
const HUNDREDTHS: u32 = 100;

/// Containers with parts of GPUs, or with whole ones.
fn by_parts(node: &Node<'_>, requests: &GpuRequests) -> Result<Plan, Failure> {
    let total = node.gpu.memory.value.get() >> 20;
    let of_memory = |mib: u64| (mib * u64::from(HUNDREDTHS)).div_ceil(total.max(1));
    let (mut groups, mut remarks, mut hundredths, mut whole) = (Vec::new(), Vec::new(), 0, 0);
    let mut remark = |line: &str| {
        if !remarks.iter().any(|known: &String| known == line) {
            remarks.push(line.to_string());
        }
    };
    for one in &requests.containers {
        let part = match &one.asks {
            Asks::Devices { profile: None, count } => {
                whole += count * one.pods;
                let has = format!("gpus = {count}");
                groups.push(Group { name: one.name.clone(), count: one.pods, has });
                continue;
            }
            Asks::Devices { profile: Some(name), count } => {
                whole += 1;
                let name = &profile(node, name)?.name;
                let has = format!("mig = {{ profile = {name:?}, count = {count} }}");
                groups.push(Group { name: one.name.clone(), count: one.pods, has });
                continue;
            }
            Asks::Hami { gpus, memory_mb, cores } => {
                if *gpus > 1 {
                    output::message(&format!(
                        "warning: {} has parts of {gpus} GPUs; slicewise simulates one process on one GPU",
                        one.name
                    ));
                }
                remark(
                    "HAMi holds a pod to its MB of memory and to its per cent of the GPU over time (gpucores). slicewise",
                );
                remark(
                    "packs pods by the larger of both and has neither limit: a pod that is alone here has the whole GPU.",
                );
                let memory = memory_mb.map_or(0, of_memory);
                memory.max(u64::from(cores.unwrap_or(0)))
            }
            Asks::Fraction(part) => {
                remark(
                    "KAI packs pods by their share of a GPU's memory and holds them to nothing: they take turns.",
                );
                (part * f64::from(HUNDREDTHS)).ceil() as u64
            }
            Asks::MemoryMib(mib) => {
                remark(
                    "KAI packs pods by their share of a GPU's memory and holds them to nothing: they take turns.",
                );
                of_memory(*mib)
            }
            Asks::Claim(_) => continue,
        };
        if part > u64::from(HUNDREDTHS) {
            return Err(Failure::Usage(format!(
                "{} asks for more memory than {} has\n  = allowed: up to {total} MiB",
                one.name, node.gpu.id
            )));
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
    let cards = whole + hundredths.div_ceil(HUNDREDTHS);
    Ok(Plan { cards: cards.max(1), sharing, remarks, groups })
}
