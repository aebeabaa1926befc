//! The GPU memory that a VM has, and what its server needs of it with full batches.

use super::place::Place;
use crate::spec::{Experiment, Footprint, InstanceSharing, VmId, VmSpec};
use crate::units::Bytes;

/// The memory that a VM's server may use on each of its GPUs, and whether others use the same;
/// nothing where it is not published.
pub(super) fn limit(place: &Place<'_>) -> Option<(Bytes, bool)> {
    let gpu = &place.card.gpu;
    let of_type = place.share.vgpu_type.as_ref().and_then(|name| {
        let vgpu = gpu.vgpu_types.iter().find(|vgpu| vgpu.name == *name)?;
        Some(vgpu.frame_buffer)
    });
    let of_profile = match &place.instance.profile {
        Some(name) => gpu.mig_profile(name).and_then(|profile| profile.frame_buffer),
        None => None,
    };
    let is_shared =
        matches!(place.instance.sharing, InstanceSharing::Processes(_) | InstanceSharing::Mps(_))
            && place.owners > place.own;
    let least = of_type.into_iter().chain(of_profile).min();
    match (least, &place.instance.profile) {
        (Some(bytes), _) => Some((bytes, is_shared)),
        (None, Some(_)) => None,
        (None, None) => Some((gpu.memory.value, is_shared)),
    }
}

/// What the server of a VM needs on each of its GPUs: all of its models with full batches.
pub(super) fn need(experiment: &Experiment, vm: VmId) -> Bytes {
    let server = experiment.first_model(vm);
    let ids = (0..experiment.vms.len() as u16).map(VmId);
    let models = ids.filter(|&id| {
        experiment.first_model(id) == server && !experiment.vms[usize::from(id.0)].is_ensemble()
    });
    models.fold(Bytes::ZERO, |sum, id| sum + of_model(&experiment.vms[usize::from(id.0)]))
}

fn of_model(vm: &VmSpec) -> Bytes {
    Footprint::of(vm).need
}

/// What all servers on a place need together.
pub(super) fn need_of_all(experiment: &Experiment, place: &Place<'_>) -> Bytes {
    let mut servers: Vec<VmId> = Vec::new();
    for index in 0..experiment.vms.len() as u16 {
        let id = VmId(index);
        let is_here = experiment.vms[usize::from(index)]
            .gpus
            .iter()
            .any(|share| (share.card, share.instance) == (place.share.card, place.share.instance));
        let server = experiment.first_model(id);
        if is_here && !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers.into_iter().fold(Bytes::ZERO, |sum, id| sum + need(experiment, id))
}

/// Whether a VM's server with these settings fits its memory, as far as that is known.
pub(super) fn fits(experiment: &Experiment, vm: VmId) -> bool {
    let own = &experiment.vms[usize::from(vm.0)];
    own.gpus.iter().all(|share| {
        let place = Place::of(experiment, own, share);
        match limit(&place) {
            Some((bytes, true)) => need_of_all(experiment, &place) <= bytes,
            Some((bytes, false)) => need(experiment, vm) <= bytes,
            None => true,
        }
    })
}
