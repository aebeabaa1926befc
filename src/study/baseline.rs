//! The counterfactuals: the same load, draws and settings with no hypervisor, on as many cards as the
//! guests have, or with a whole card for each part of one.
//!
//! The first shows the cost of the hypervisor and of sharing, the second what a guest loses because
//! it is not alone. Neither is the twin, a published bare-metal run with its own settings, which a
//! scenario states.

use crate::spec::{
    BaselineKind, Experiment, Footprint, GpuId, GpuShare, HostId, Hypervisor, InstanceSharing,
    InstanceSpec, PooledServer, ServerPool, VmId, VmSpec,
};
use crate::units::{Bytes, Share, SimDuration};
use std::collections::{BTreeMap, BTreeSet};

/// Both counterfactuals, that on the same cards first; one where they are the same run.
///
/// Engines that serve LLMs do not divide requests among them, so each has a card to itself, with as many blocks of
/// keys and values as it had: what it loses by sharing, not by less memory.
pub fn counterfactuals(experiment: &Experiment) -> Vec<(BaselineKind, Experiment)> {
    if experiment.vms.iter().any(|vm| vm.llm.is_some()) {
        return vec![(BaselineKind::WholeCards, whole_cards(experiment))];
    }
    let (same, whole) = (same_cards(experiment), whole_cards(experiment));
    // One guest that has a card to itself wherever it has one.
    let coincide = same.pools.is_empty() && same.cards.len() == whole.cards.len();
    let mut both = vec![(BaselineKind::SameCards, same)];
    if !coincide {
        both.push((BaselineKind::WholeCards, whole));
    }
    both
}

/// The same experiment without hypervisor: for each vGPU, GPU instance or card that a guest had, a
/// whole card. Every random stream draws the same numbers.
pub fn whole_cards(experiment: &Experiment) -> Experiment {
    let mut bare = without_platform(experiment);
    for index in 0..bare.vms.len() {
        if let Some(first) = bare.vms[index].server_of {
            // The models of a server stay together, and so do pods, each with its own limit.
            let own = std::mem::take(&mut bare.vms[index].gpus);
            let limit = own.first().map_or(Share::WHOLE, |share| share.sm_limit);
            bare.vms[index].gpus = bare.vms[usize::from(first.0)].gpus.clone();
            for share in bare.vms[index].gpus.iter_mut().filter(|share| share.pods.is_some()) {
                share.sm_limit = limit;
            }
            continue;
        }
        for share in &mut bare.vms[index].gpus {
            let card = GpuId(bare.cards.len() as u16);
            let mut alone = experiment.card(share).uncut();
            alone.link.switch = None;
            bare.cards.push(alone);
            *share = with_pods(card, share);
        }
    }
    bare.with_pods_apart().with_models_side_by_side().with_processes_in_turns()
}

/// The same experiment without hypervisor on the cards that its guests have, none of them cut.
///
/// Guests of a host with the same workload, server settings and card models become one load: each keeps its
/// own arrivals, sizes and bound, and their queries are merged in order of time and dealt in turn
/// to one server per card. Guests whose servers span several cards get servers that span as many. A
/// server has the settings of its guests, once, and an equal part of their vCPUs. Different
/// workloads or settings share a card as models of one process: batches side by side, on streams;
/// so do the models of one VM, each then with its own processors. Where not all of them fit a card,
/// each stays on the cards that its guests had.
pub fn same_cards(experiment: &Experiment) -> Experiment {
    let mut bare = without_platform(experiment);
    let used = experiment.cards_in_use();
    bare.cards = used.iter().map(|card| experiment.cards[usize::from(card.0)].uncut()).collect();
    // Cards that nobody uses are gone, so the others have new numbers.
    let place = |card: &GpuId| GpuId(used.range(..*card).count() as u16);
    for (index, vm) in bare.vms.iter_mut().enumerate() {
        let own = cards_of(&experiment.vms, [index]);
        let first = vm.gpus.first().cloned();
        let on = |card: &GpuId| match &first {
            Some(share) => with_pods(place(card), share),
            None => whole(place(card)),
        };
        vm.gpus = own.iter().map(on).collect();
    }
    if share_no_model(experiment) {
        return bare.with_pods_apart().with_models_side_by_side().with_processes_in_turns();
    }
    let kinds = kinds(experiment);
    for kind in &kinds {
        let own = cards_of(&experiment.vms, kind.iter().copied());
        let models = models_of(experiment, kind[0]);
        let host = host_of(experiment, kind[0]);
        let together = fit_together(experiment, &kinds, (host, &models));
        let alike = |card: &&GpuId| {
            models.contains(model_of(experiment, card))
                && experiment.cards[usize::from(card.0)].host == host
        };
        let cards: Vec<GpuId> = match together {
            true => used.iter().filter(alike).map(place).collect(),
            false => own.iter().map(place).collect(),
        };
        let span = kind.iter().map(|&vm| cards_of(&experiment.vms, vm..=vm).len()).max();
        let servers = servers(experiment, kind, &cards, span.unwrap_or(1));
        for &vm in kind {
            bare.vms[vm].gpus = servers.iter().flat_map(|server| server.gpus.clone()).collect();
        }
        let models: Vec<VmId> = kind.iter().map(|&vm| VmId(vm as u16)).collect();
        bare.pools.push(ServerPool { vms: experiment.askers_of(&models), models, servers });
    }
    for (index, card) in bare.cards.iter_mut().enumerate() {
        let servers = bare.pools.iter().flat_map(|pool| &pool.servers).flat_map(|one| &one.gpus);
        if servers.filter(|share| usize::from(share.card.0) == index).count() > 1 {
            let sharing = InstanceSharing::Models;
            card.instances = vec![InstanceSpec { sharing, ..InstanceSpec::whole() }];
        }
    }
    bare.with_processes_in_turns()
}

/// The cards of some guests, in order.
fn cards_of(vms: &[VmSpec], some: impl IntoIterator<Item = usize>) -> BTreeSet<GpuId> {
    some.into_iter().flat_map(|vm| &vms[vm].gpus).map(|share| share.card).collect()
}

/// Guests that one server can answer together: on one host, one workload, the same settings, and cards of the
/// same models. What was asked of cards of one model is not answered by those of another.
fn kinds(experiment: &Experiment) -> Vec<Vec<usize>> {
    let vms = &experiment.vms;
    let mut kinds: Vec<Vec<usize>> = Vec::new();
    let mut of_hosts: BTreeMap<HostId, Vec<usize>> = BTreeMap::new();
    let with_work =
        vms.iter().enumerate().filter(|(index, _)| experiment.has_work(VmId(*index as u16)));
    for (index, vm) in with_work {
        let models = models_of(experiment, index);
        let alike = |kind: &[usize]| {
            let first = &vms[kind[0]];
            first.workload.id == vm.workload.id
                && first.server == vm.server
                && models_of(experiment, kind[0]) == models
        };
        let here = of_hosts.entry(host_of(experiment, index)).or_default();
        match here.iter().find(|&&kind| alike(&kinds[kind])) {
            Some(&kind) => kinds[kind].push(index),
            None => {
                here.push(kinds.len());
                kinds.push(vec![index]);
            }
        }
    }
    kinds
}

/// The GPU model of a card.
fn model_of<'e>(experiment: &'e Experiment, card: &GpuId) -> &'e str {
    &experiment.cards[usize::from(card.0)].gpu.id
}

/// The models of a guest's cards.
fn models_of(experiment: &Experiment, vm: usize) -> BTreeSet<&str> {
    let shares = experiment.vms[vm].gpus.iter();
    shares.map(|share| model_of(experiment, &share.card)).collect()
}

/// The host that a guest is on; that of one without a place is never used.
fn host_of(experiment: &Experiment, vm: usize) -> HostId {
    experiment.host_of(&experiment.vms[vm].gpus)
}

/// Whether no two guests of a host have cards of one model: each then has its cards to itself.
fn share_no_model(experiment: &Experiment) -> bool {
    let mut taken = BTreeSet::new();
    let vms = (0..experiment.vms.len()).filter(|&vm| experiment.vms[vm].server_of.is_none());
    let mut guests = vms.map(|vm| (host_of(experiment, vm), models_of(experiment, vm)));
    guests.all(|(host, models)| models.into_iter().all(|model| taken.insert((host, model))))
}

/// Whether on a host's cards of these models a server of each kind fits beside the others.
fn fit_together(
    experiment: &Experiment,
    kinds: &[Vec<usize>],
    (host, models): (HostId, &BTreeSet<&str>),
) -> bool {
    let cards = experiment.cards.iter();
    let cards = cards.filter(|card| card.host == host && models.contains(&*card.gpu.id));
    let kinds: Vec<&Vec<usize>> =
        kinds.iter().filter(|kind| host_of(experiment, kind[0]) == host).collect();
    cards.into_iter().all(|card| {
        let here = kinds.iter().filter(|kind| {
            let models = models_of(experiment, kind[0]);
            // Guests that found no place have no cards: an error was reported.
            models.is_empty() || models.contains(&*card.gpu.id)
        });
        let needs = here.map(|kind| Footprint::of(&experiment.vms[kind[0]]).need);
        needs.fold(Bytes::ZERO, |sum, need| sum + need) <= card.gpu.memory.value
    })
}

/// The servers of a kind on these cards, each on `span` of them; the last on what is left. They divide
/// the vCPUs of the guests, rounded up, and none has more than the host.
fn servers(
    experiment: &Experiment,
    kind: &[usize],
    cards: &[GpuId],
    span: usize,
) -> Vec<PooledServer> {
    // Guests that found no place have no cards: an error was reported, and this is never run.
    let span = span.max(1);
    let count = cards.len().div_ceil(span).max(1) as u32;
    let vcpus: u32 = kind.iter().map(|&vm| experiment.vms[vm].vcpus).sum();
    let most = |cards: &[GpuId]| {
        let host = experiment.cards[usize::from(cards[0].0)].host;
        experiment.host(host).logical_processors.value
    };
    let servers = cards.chunks(span).enumerate().map(|(index, cards)| PooledServer {
        name: match kind.get(index) {
            // The luck of its batches is that of a guest's, where there is one.
            Some(&vm) => experiment.vms[vm].name.clone(),
            None => format!("{}/{index}", experiment.vms[kind[0]].name),
        },
        processors: vcpus.div_ceil(count).min(most(cards)),
        gpus: cards.iter().map(|&card| whole(card)).collect(),
    });
    servers.collect()
}

/// All of a card for a VM that had `share`; its pods share the card as they shared that.
fn with_pods(card: GpuId, share: &GpuShare) -> GpuShare {
    let sm_limit = if share.pods.is_some() { share.sm_limit } else { Share::WHOLE };
    GpuShare { pods: share.pods, sm_limit, ..whole(card) }
}

/// All of a card.
fn whole(card: GpuId) -> GpuShare {
    GpuShare { card, instance: 0, vgpu_type: None, sm_limit: Share::WHOLE, pods: None }
}

/// The experiment without hypervisor, its cards still to come.
fn without_platform(experiment: &Experiment) -> Experiment {
    let mut bare = experiment.clone();
    bare.hypervisor = without_costs(&experiment.hypervisor);
    bare.cards.clear();
    bare.pools.clear();
    // What else VMs do is not beside it: bare metal is for inference alone.
    bare.others.clear();
    // Operations are the hypervisor's.
    bare.timeline = None;
    bare
}

/// A platform that costs nothing, which is what bare metal means.
fn without_costs(hypervisor: &Hypervisor) -> Hypervisor {
    let mut bare = hypervisor.clone();
    bare.id = "bare-metal".to_string();
    bare.name = "Bare metal".to_string();
    bare.virtual_gpus = false;
    bare.gpu_speed.value = 1.0;
    bare.gpu_speed_range = None;
    bare.submission_latency.value = SimDuration::ZERO;
    bare.cpu_speed.value = 1.0;
    bare
}
