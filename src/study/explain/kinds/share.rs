//! `share`: what a VM has of its GPU, and by whom that is decided.

use super::super::node::Node;
use super::super::place::{Place, Promise, TurnsBy};
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{exact, percent, three};
use crate::gpu::policy_entry;
use crate::spec::InstanceSharing;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.with_batches().filter_map(|(group, batches)| {
        let place = *batches.place();
        let of = match seen.first(group).gpus.len() {
            1 => "its GPU".to_string(),
            count => format!("each of its {count} GPUs"),
        };
        let (text, figures) = words(&place, &of)?;
        let each = seen.each(group);
        let said = Said::new(seen.about(group), format!("{each} {text}"));
        Some(figures.into_iter().fold(said, |said, (name, value)| said.with(name, value)))
    });
    said.collect()
}

type Figures = Vec<(&'static str, f64)>;

fn words(place: &Place<'_>, of: &str) -> Option<(String, Figures)> {
    let sms = f64::from(place.card.gpu.sms.value);
    let part = place.instance.share.get();
    match place.instance.sharing {
        InstanceSharing::Alone => None,
        InstanceSharing::Models => {
            let models = place.owners;
            let text = format!(
                "runs beside the others on the GPU: {models} models of one server divide the SMs among the batches that run."
            );
            Some((text, vec![("models_count", models as f64)]))
        }
        InstanceSharing::Mps(mps) => {
            let limit = place.share.sm_limit.get();
            let clients = place.owners;
            let how = if mps.is_partitioned { "has" } else { "may use up to" };
            let text = format!(
                "{how} {} of the SMs under MPS ({} of {}); {} run at the same time and divide memory bandwidth.",
                percent(limit),
                three((sms * part * limit).round()),
                three((sms * part).round()),
                crate::units::counted(clients, "client"),
            );
            Some((text, vec![("sm_limit_share", limit), ("clients_count", clients as f64)]))
        }
        _ => in_turns(place, of),
    }
}

fn in_turns(place: &Place<'_>, of: &str) -> Option<(String, Figures)> {
    let turns = place.turns()?;
    let figures = vec![("slice_ms", turns.slice / 1e6), ("owners_count", turns.owners as f64)];
    if turns.slots < 2 && place.node.is_none() {
        return None;
    }
    let promise = place.promise()?;
    if let Some(node) = place.node {
        return in_turns_of_a_vm(place, &node, promise, of);
    }
    let mut figures = figures;
    figures.extend([
        ("named_share", promise.named),
        ("least_share", promise.least),
        ("most_share", promise.most),
    ]);
    let owners = turns.owners;
    let slice = exact(turns.slice);
    let left = format!("switches of {} leave it {}", exact(turns.switch), percent(promise.least));
    let text = match turns.by {
        TurnsBy::BestEffort | TurnsBy::Processes => {
            let who = match turns.by {
                TurnsBy::BestEffort => format!("best effort, {owners} vGPUs"),
                _ => format!("{owners} processes in turns"),
            };
            format!(
                "has {} of {of} while all have work and all of it while the others have none ({who}, slices of {slice}); {left} of a busy GPU.",
                percent(promise.named)
            )
        }
        TurnsBy::Hypervisor(policy, ..) => {
            let name = policy_entry(policy).name;
            let who = match turns.slots > turns.owners {
                true => format!("{} slots, {owners} of them in use", turns.slots),
                false => format!("{owners} running vGPUs"),
            };
            let idle = match promise.most > promise.least * 1.001 {
                true => format!("; up to {} while the others are idle", percent(promise.most)),
                false => ", however idle the others are".to_string(),
            };
            format!(
                "may use {} of {of} ({name}, {who}, turns of {slice}); {left}{idle}.",
                percent(promise.named)
            )
        }
    };
    Some((text, figures))
}

/// Of a pod, which has a part of what its VM has.
fn in_turns_of_a_vm(
    place: &Place<'_>,
    node: &Node,
    promise: Promise,
    of: &str,
) -> Option<(String, Figures)> {
    let turns = place.turns()?;
    let of_vm = place.promise_of_vm()?;
    let mut figures = vec![
        ("owners_count", turns.owners as f64),
        ("pods_count", node.members as f64),
        ("named_share", promise.named),
        ("least_share", promise.least),
        ("most_share", promise.most),
        ("vm_named_share", of_vm.named),
        ("vm_least_share", of_vm.least),
    ];
    let count = crate::units::counted(node.members, "process");
    let (vm, mut costs) = match turns.slots {
        0 | 1 => (format!("has all of {of}"), Vec::new()),
        _ => (
            format!(
                "has {} of {of} ({}, turns of {})",
                percent(of_vm.named),
                crate::units::counted(turns.owners, "vGPU"),
                exact(turns.slice)
            ),
            vec![exact(turns.switch)],
        ),
    };
    figures.push(("slice_ms", turns.slice / 1e6));
    let pods = match node.slices() {
        None => format!("shares what its VM has under MPS, {count} at the same time"),
        Some([slice, switch]) => {
            costs.push(exact(switch));
            figures.push(("pod_slice_ms", slice / 1e6));
            let part = percent(node.own as f64 / node.members as f64);
            format!("has {part} of what its VM has ({count} in turns, slices of {})", exact(slice))
        }
    };
    let left = match costs.is_empty() {
        true => String::new(),
        false => format!(
            "; switches of {} leave it {} of a busy GPU",
            costs.join(" and "),
            percent(promise.least * node.own as f64)
        ),
    };
    Some((format!("{pods}, and its VM {vm}{left}."), figures))
}
