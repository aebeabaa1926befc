//! VMs on the hosts of a cluster: the documented cases, laws on random comings and goings, a slow and
//! obvious double, and the commands.
//!
//! Sources of the cases: `facts/vsphere/operations.md`, sections 1 and 6, acceptance tests.

use proptest::prelude::*;
use serde_json::Value;
use slicewise::config::{Catalogue, ClusterFile, LoadOptions};
use slicewise::layout::cluster::{
    Ask, Card, CardModel, Cluster, Gpus, Host, Kind, POLICIES, Policy, Reason, balancing_moves,
    placeable,
};
use slicewise::layout::placement::Assignment;
use slicewise::spec::GpuSpec;
use slicewise::study::{ClusterResults, cluster_results};
use slicewise::units::Bytes;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const GIB: u64 = 1 << 30;

fn gpu(id: &str) -> GpuSpec {
    Catalogue::load(None).unwrap().gpu(id).unwrap().clone()
}

fn kind_of(gpu: &GpuSpec, name: &str) -> usize {
    let found = gpu.vgpu_types.iter().position(|one| one.name == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

/// A VM with one vGPU or more of a type, of model 0, and nothing else that could be short.
fn vm(gpu: &GpuSpec, name: &str, count: u32) -> Kind {
    let ask = Ask::Vgpu(kind_of(gpu, name));
    let gpus = Gpus { models: vec![0], ask, count, is_group: false };
    Kind { vcpus: 1, cpu: 0, memory: Bytes::ZERO, gpus: Some(gpus) }
}

fn hosts(count: usize, cards: usize, is_mixed: bool) -> Vec<Host> {
    let cards = vec![Card::new(0, None, is_mixed); cards];
    vec![Host::new(1024, Bytes::new(1 << 50), cards); count]
}

fn cluster<'a>(
    gpu: &'a GpuSpec,
    hosts: Vec<Host>,
    vms: &[Kind],
    assignment: Assignment,
) -> Cluster<'a> {
    let mut kinds = vms.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let of = vms.iter().map(|kind| kinds.binary_search(kind).unwrap()).collect();
    Cluster::new(vec![CardModel::of(gpu)], hosts, kinds, of, assignment)
}

fn policy(cluster: &Cluster<'_>, name: &str, seed: u64) -> Box<dyn Policy> {
    (POLICIES.iter().find(|entry| entry.name == name).unwrap().make)(cluster, seed)
}

fn free(cluster: &Cluster<'_>) -> u64 {
    let cards = cluster.hosts.iter().flat_map(|host| &host.cards);
    cards.map(|card| card.free(&cluster.models[card.model]).get()).sum()
}

/// 1 host, 2 x 80 GB, same size; 10C, 10C, 20C: spread refuses the third with 140 GB free.
#[test]
fn spread_refuses_what_group_places() {
    let gpu = gpu("a100-sxm-80gb");
    let vms = ["A100DX-10C", "A100DX-10C", "A100DX-20C"].map(|name| vm(&gpu, name, 1));
    for (assignment, places) in [(Assignment::Spread, 2), (Assignment::Consolidate, 3)] {
        let mut cluster = cluster(&gpu, hosts(1, 2, false), &vms, assignment);
        let mut vsphere = policy(&cluster, "vsphere", 0);
        let came: Vec<bool> =
            (0..3).map(|vm| cluster.power_on(vm, vsphere.as_mut()).is_none()).collect();
        assert_eq!(came.iter().filter(|one| **one).count(), places);
        if assignment == Assignment::Spread {
            let why = cluster.power_on(2, vsphere.as_mut()).unwrap();
            assert_eq!(why.free, Bytes::new(140 * GIB));
            assert_eq!(why.hosts.into_iter().collect::<Vec<_>>(), [(Reason::NoRoom, 1)]);
            assert_eq!(
                why.no_room.locked.into_iter().collect::<Vec<_>>(),
                [(Bytes::new(10 * GIB), 2)]
            );
        }
    }
}

/// 80 GB, same size: 4C 20, 8C 10, 10C 8, 16C 5, 20C 4, 40C 2, 80C 1.
#[test]
fn a_card_of_80_gb_takes_the_documented_numbers() {
    let gpu = gpu("a100-sxm-80gb");
    for (size, most) in [(4, 20), (8, 10), (10, 8), (16, 5), (20, 4), (40, 2), (80, 1)] {
        let kind = vm(&gpu, &format!("A100DX-{size}C"), 1);
        let mut cluster =
            cluster(&gpu, hosts(1, 1, false), &vec![kind; 21], Assignment::Consolidate);
        assert_eq!(placeable(&cluster, 0), (most, Bytes::new(u64::from(most) * size * GIB)));
        let mut vsphere = policy(&cluster, "vsphere", 0);
        let came = (0..21).filter(|vm| cluster.power_on(*vm, vsphere.as_mut()).is_none()).count();
        assert_eq!(came as u32, most, "{size}C");
    }
}

/// Powers on VMs of these sizes in an order drawn by a seed until none fits; what is free then, in GB.
fn stranded(gpu: &GpuSpec, sizes: &[u64], seed: u64) -> u64 {
    let kinds: Vec<Kind> =
        sizes.iter().map(|size| vm(gpu, &format!("A100DX-{size}C"), 1)).collect();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % kinds.len()
    };
    // After this many none of any size can be left out by chance.
    let mut vms: Vec<Kind> = (0..60).map(|_| kinds[draw()].clone()).collect();
    vms.extend(kinds.iter().cloned().flat_map(|kind| vec![kind; 20]));
    let mut cluster = cluster(gpu, hosts(1, 1, true), &vms, Assignment::Spread);
    let mut vsphere = policy(&cluster, "vsphere", 0);
    (0..vms.len()).for_each(|vm| drop(cluster.power_on(vm, vsphere.as_mut())));
    free(&cluster) / GIB
}

/// 80 GB, mixed, {10, 20} or {10, 20, 40}: nothing is stranded, in any order.
#[test]
fn sizes_that_double_strand_nothing() {
    let gpu = gpu("a100-sxm-80gb");
    for seed in 1..500 {
        assert_eq!(stranded(&gpu, &[10, 20], seed), 0, "seed {seed}");
        assert_eq!(stranded(&gpu, &[10, 20, 40], seed), 0, "seed {seed}");
    }
}

/// 80 GB, mixed, {8, 10, 20}: 16 GB at worst, with the printed ids. All orders and all choices of an id
/// are tried here, by the ids alone; the policy is never worse.
#[test]
fn eight_ten_and_twenty_strand_sixteen_at_worst() {
    const IDS: [(u32, &[u32]); 3] = [
        (8, &[0, 12, 20, 32, 40, 52, 60, 72]),
        (10, &[0, 10, 20, 30, 40, 50, 60, 70]),
        (20, &[0, 20, 40, 60]),
    ];
    fn worst(taken: u128, left: u32, seen: &mut BTreeSet<u128>) -> u32 {
        if !seen.insert(taken) {
            return 0;
        }
        let places = IDS.iter().flat_map(|(size, ids)| ids.iter().map(move |id| (*size, *id)));
        let mut open =
            places.filter(|(size, id)| taken & (((1 << size) - 1) << id) == 0).peekable();
        if open.peek().is_none() {
            return left;
        }
        let after = |(size, id): (u32, u32), seen: &mut BTreeSet<u128>| {
            worst(taken | (((1u128 << size) - 1) << id), left - size, seen)
        };
        open.map(|place| after(place, seen)).max().unwrap_or(0)
    }
    assert_eq!(worst(0, 80, &mut BTreeSet::new()), 16);
    let gpu = gpu("a100-sxm-80gb");
    let found: Vec<u64> = (1..1000).map(|seed| stranded(&gpu, &[8, 10, 20], seed)).collect();
    assert!(found.iter().all(|one| *one <= 16), "{:?}", found.iter().max());
    // The lowest free id strands 4.4 GB on average, any free id 6.4 (D, operations.md section 6).
    let mean = found.iter().sum::<u64>() as f64 / found.len() as f64;
    assert!(mean < 6.4, "{mean}");
}

/// The first 3g goes to placement 4, and leaves 0 to a 4g (operations.md section 6).
#[test]
fn gpu_instances_fill_one_card_and_keep_large_regions_open() {
    let gpu = gpu("h100-sxm-80gb");
    let names = ["H100XM-3-40C", "H100XM-1-10C", "H100XM-4-40C"];
    let vms = names.map(|name| vm(&gpu, name, 1));
    let mut cluster = cluster(&gpu, hosts(1, 2, false), &vms, Assignment::Spread);
    let mut vsphere = policy(&cluster, "vsphere", 0);
    let mut place = |vm: usize| {
        assert_eq!(cluster.power_on(vm, vsphere.as_mut()), None);
        let placed = cluster.place_of(vm).unwrap();
        (placed.seats[0].card, placed.seats[0].start)
    };
    assert_eq!(place(0), (0, 4));
    // A 1g beside it would take the place of the 4g, so it goes there only because MIG fills a card.
    assert_eq!(place(1).0, 0);
    assert_eq!(place(2), (1, 0));
    // A card that is cut takes no time-sliced vGPU until it is empty.
    let ask = Ask::Vgpu(kind_of(&gpu, "H100XM-80C"));
    assert!(cluster.hosts[0].cards[1].room(&cluster.models[0], ask).start().is_none());
    cluster.power_off(2);
    assert!(cluster.hosts[0].cards[1].room(&cluster.models[0], ask).start().is_some());
}

/// HGX boards are parted in 8, 4, 2, 1: a pair lies on 0-1, 2-3, 4-5 or 6-7, and next to a pair there is
/// room for a four on the other half only.
#[test]
fn device_groups_are_aligned_and_keep_large_parts_whole() {
    let gpu = gpu("h100-sxm-80gb");
    let group = |count| {
        let one = vm(&gpu, "H100XM-80C", count);
        Kind { gpus: one.gpus.map(|gpus| Gpus { is_group: true, ..gpus }), ..one }
    };
    let vms = [vm(&gpu, "H100XM-80C", 1), group(2), group(4), group(2), group(2)];
    let cards = vec![Card::new(0, Some(0), false); 8];
    let host = Host::new(1024, Bytes::new(1 << 50), cards);
    let mut cluster = cluster(&gpu, vec![host], &vms, Assignment::Consolidate);
    let mut vsphere = policy(&cluster, "vsphere", 0);
    let mut cards = |vm: usize| -> Option<Vec<usize>> {
        cluster.power_on(vm, vsphere.as_mut());
        let placed = cluster.place_of(vm)?;
        Some(placed.seats.iter().map(|seat| seat.card).collect())
    };
    assert_eq!(cards(0), Some(vec![0]));
    // Beside the single card: the half that is broken already.
    assert_eq!(cards(1), Some(vec![2, 3]));
    assert_eq!(cards(2), Some(vec![4, 5, 6, 7]));
    assert_eq!(cards(3), None);
    assert_eq!(cluster.reason(0, cluster.vms[3]), Some(Reason::Devices));
}

fn file(text: &str) -> ClusterFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.toml");
    fs::write(&path, text).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    ClusterFile::load(&path, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn results(text: &str) -> ClusterResults {
    let file = file(text);
    cluster_results(&file.task, &[file.task.policy], None, false)
}

const RACK: &str = r#"
hypervisor = "vsphere-7.0u2"

[[host]]
name = "rack"
count = 3
model = { logical_processors = 64, memory = "256 GiB" }
gpus = { model = "a100-sxm-80gb", count = 1 }
"#;

fn group(name: &str, count: u32, keys: &str) -> String {
    format!("\n[[vm]]\nname = \"{name}\"\ncount = {count}\nvcpus = 8\n{keys}\n")
}

#[test]
fn a_refusal_counts_hosts_by_their_first_reason() {
    let ten = "vgpu = { type = \"A100DX-10C\" }";
    let twenty = "vgpu = { type = \"A100DX-20C\" }\nmemory = \"200 GiB\"";
    let text = RACK.to_string()
        + &group("big", 1, &format!("{ten}\nmemory = \"100 GiB\""))
        + &group("small", 2, ten)
        + &group("late", 1, twenty)
        + "[[host]]\nname = \"spare\"\nmodel = \"dell-r7525\"\nfailover = true\n";
    let found = results(&text);
    assert_eq!(found.counts.refused, 1);
    assert_eq!(
        found.refused[0].because,
        "1 host: kept free for a failure; 1 host: less than 200 GiB of memory free; \
         2 hosts: no free A100DX-20C (locked to 10 GiB on 2 cards); 210 GiB of frame buffer is free"
    );
    let late = found.room.last().unwrap();
    let causes: Vec<(&str, f64)> =
        late.stranded.iter().map(|part| (part.cause, part.gib)).collect();
    assert_eq!(causes, [("reserve", 120.0), ("memory", 70.0), ("lock", 140.0)]);
    assert_eq!((late.more, late.placeable_gib), (0, 0.0));
}

#[test]
fn rules_keep_vms_apart_together_and_on_their_hosts() {
    let ten = "vgpu = { type = \"A100DX-10C\" }";
    let text = RACK.to_string()
        + &group("a", 4, ten)
        + &group("b", 2, ten)
        + &group("c", 2, ten)
        + "[[host]]\nname = \"other\"\nmodel = { logical_processors = 64, memory = \"256 GiB\" }\n\
           gpus = { model = \"a100-sxm-80gb\", count = 1 }\n"
        + "[[rule]]\nkind = \"keep-apart\"\nvms = [\"a\"]\n"
        + "[[rule]]\nkind = \"keep-together\"\nvms = [\"b\"]\n"
        + "[[rule]]\nkind = \"run-on\"\nvms = [\"c\"]\nhosts = [\"other\"]\n";
    let found = results(&text);
    assert_eq!(found.counts.refused, 0);
    let on = |name: &str| -> Vec<&str> {
        let mine = found.vms.iter().filter(|vm| vm.vm.starts_with(name));
        mine.map(|vm| vm.host.as_str()).collect()
    };
    assert_eq!(on("a-").into_iter().collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(on("b-").into_iter().collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(on("c-"), ["other", "other"]);
    let five = text.replace("count = 4", "count = 5");
    let found = results(&five);
    assert_eq!(found.refused[0].vm, "a-5");
    assert!(found.refused[0].because.contains("kept off by rule 1 (keep-apart)"));
}

#[test]
fn what_departs_frees_its_place_and_nothing_else_moves() {
    let key = |on: &str, off: &str| {
        format!("vgpu = {{ type = \"A100DX-20C\" }}\npower_on = \"{on}\"\npower_off = \"{off}\"")
    };
    let stays = "vgpu = { type = \"A100DX-10C\" }";
    let text = "hypervisor = \"vsphere-7.0u2\"\n[[host]]\nmodel = { logical_processors = 64, \
        memory = \"256 GiB\" }\ngpus = { model = \"a100-sxm-80gb\", count = 1 }\n"
        .to_string()
        + &group("first", 4, &key("0 s", "1 h"))
        + &group("while", 1, &format!("{stays}\npower_on = \"30 min\""))
        + &group("after", 1, &format!("{stays}\npower_on = \"1 h\""));
    let found = results(&text);
    // At the same moment power-offs come first: the card is empty, and takes another size.
    assert_eq!((found.counts.placed, found.counts.refused, found.counts.on), (5, 1, 1));
    assert_eq!(found.refused[0].vm, "while-1");
    assert_eq!(found.refused[0].at_s, 1800.0);
}

#[test]
fn balancing_moves_only_where_there_is_a_free_place_of_the_type() {
    let gpu = gpu("a100-sxm-80gb");
    let vms = ["A100DX-20C"; 4].map(|name| vm(&gpu, name, 1));
    let mut cluster = cluster(&gpu, hosts(2, 1, false), &vms, Assignment::Consolidate);
    let mut first = policy(&cluster, "first-fit", 0);
    for vm in 0..4 {
        assert_eq!(cluster.power_on(vm, first.as_mut()), None);
    }
    let moves = balancing_moves(&mut cluster, 10);
    assert_eq!(moves.len(), 2);
    assert!(moves.iter().all(|one| (one.from.host, one.to.host) == (0, 1)));
    assert!(moves.iter().all(|one| one.held == Bytes::new(20 * GIB)));
    assert_eq!(balancing_moves(&mut cluster, 10), []);
}

/// From 8.0 U2 on, told to: full cards fill host after host, parts of cards are spread as before.
#[test]
fn full_cards_fill_host_after_host_only_when_told_to() {
    let gpu = gpu("a100-sxm-80gb");
    let names = ["A100DX-80C", "A100DX-80C", "A100DX-10C", "A100DX-10C"];
    let vms = names.map(|name| vm(&gpu, name, 1));
    for (told, expected) in [(false, [0, 1, 0, 1]), (true, [0, 0, 1, 1])] {
        let mut cluster = cluster(&gpu, hosts(2, 3, false), &vms, Assignment::Spread);
        cluster.groups_full_cards = told;
        let mut vsphere = policy(&cluster, "vsphere", 0);
        let found = [0, 1, 2, 3].map(|vm| {
            cluster.power_on(vm, vsphere.as_mut());
            cluster.place_of(vm).unwrap().host
        });
        assert_eq!(found, expected);
    }
}

/// What a VM has of a cluster: host, card and start of each GPU.
type Where = (usize, Vec<(usize, u32)>);

/// vSphere's order in equal-size mode, in a few loops over plain lists.
struct Double {
    /// By host and card: the frame buffer of each vGPU.
    cards: Vec<Vec<Vec<u64>>>,
    vcpus: Vec<u32>,
    spread: bool,
}

impl Double {
    fn power_on(&mut self, size: u64, count: usize, most: usize) -> Option<Where> {
        let mut best: Option<(u32, usize, Vec<usize>)> = None;
        for host in 0..self.cards.len() {
            let mut cards = self.cards[host].clone();
            let mut taken = Vec::new();
            for _ in 0..count {
                let fits = |card: &usize| {
                    let on: &Vec<u64> = &cards[*card];
                    on.is_empty() || on[0] == size && on.len() < most
                };
                let mut open: Vec<usize> = (0..cards.len()).filter(fits).collect();
                open.sort_by_key(|card| {
                    let owners = cards[*card].len() as i64;
                    if self.spread { owners } else { -owners }
                });
                let Some(card) = open.first().copied() else { break };
                cards[card].push(size);
                taken.push(card);
            }
            let used = self.vcpus[host];
            if taken.len() == count && best.as_ref().is_none_or(|(least, ..)| used < *least) {
                best = Some((used, host, taken));
            }
        }
        let (_, host, taken) = best?;
        self.vcpus[host] += 1;
        taken.iter().for_each(|card| self.cards[host][*card].push(size));
        Some((host, taken.into_iter().map(|card| (card, 0)).collect()))
    }
}

proptest! {
    #![proptest_config(crate::support::cases(64))]

    /// The slow double gives every VM the same host and cards.
    #[test]
    fn equal_size_places_are_those_of_the_slow_double(
        asks in prop::collection::vec((0..4usize, 1..3u32), 1..40),
        spread in any::<bool>(),
    ) {
        const SIZES: [(u64, usize); 4] = [(10, 8), (20, 4), (40, 2), (80, 1)];
        let gpu = gpu("a100-sxm-80gb");
        let kind = |(size, count): &(usize, u32)| {
            vm(&gpu, &format!("A100DX-{}C", SIZES[*size].0), *count)
        };
        let vms: Vec<Kind> = asks.iter().map(kind).collect();
        let assignment = if spread { Assignment::Spread } else { Assignment::Consolidate };
        let mut cluster = cluster(&gpu, hosts(3, 2, false), &vms, assignment);
        let mut vsphere = policy(&cluster, "vsphere", 0);
        let mut double = Double { cards: vec![vec![Vec::new(); 2]; 3], vcpus: vec![0; 3], spread };
        for (index, (size, count)) in asks.iter().enumerate() {
            cluster.power_on(index, vsphere.as_mut());
            let found = cluster.place_of(index).map(|placed| {
                let seats = placed.seats.iter().map(|seat| (seat.card, seat.start));
                (placed.host, seats.collect::<Vec<_>>())
            });
            let (size, most) = SIZES[*size];
            prop_assert_eq!(found, double.power_on(size, *count as usize, most));
        }
    }

    /// Whatever comes and goes under any policy: what VMs have and what is free is all there is; places
    /// do not overlap; a refused VM has nothing; an empty cluster is as it was.
    #[test]
    fn frame_buffer_and_vms_are_conserved(
        steps in prop::collection::vec((0..24usize, any::<bool>()), 1..120),
        which in 0..POLICIES.len(),
        is_mixed in any::<bool>(),
    ) {
        let gpu = gpu("a100-sxm-80gb");
        let names = ["A100DX-8C", "A100DX-10C", "A100DX-20C", "A100DX-40C", "A100DX-3-40C",
            "A100DX-1-10C", "A100DX-2-20C", "A100DX-80C"];
        let mut vms: Vec<Kind> =
            (0..23).map(|at| vm(&gpu, names[at % 8], 1 + (at / 8) as u32)).collect();
        let whole = Gpus { models: Vec::new(), ask: Ask::Whole, count: 1, is_group: false };
        vms.push(Kind { vcpus: 1, cpu: 0, memory: Bytes::ZERO, gpus: Some(whole) });
        let mut cluster = cluster(&gpu, hosts(2, 2, is_mixed), &vms, Assignment::Spread);
        let all = free(&cluster);
        let mut policy = (POLICIES[which].make)(&cluster, 7);
        let mut on = BTreeSet::new();
        for (vm, is_on) in steps {
            if is_on && !on.contains(&vm) {
                if cluster.power_on(vm, policy.as_mut()).is_none() {
                    on.insert(vm);
                }
            } else if !is_on {
                prop_assert_eq!(cluster.power_off(vm).is_some(), on.remove(&vm));
            }
            let mut held = 0;
            for (vm, kind) in vms.iter().enumerate() {
                let placed = cluster.place_of(vm);
                prop_assert_eq!(placed.is_some(), on.contains(&vm));
                let Some(placed) = placed else { continue };
                let gpus = kind.gpus.as_ref().unwrap();
                prop_assert_eq!(placed.seats.len(), gpus.count as usize);
                held += cluster.models[0].frame_buffer(gpus.ask).get() * u64::from(gpus.count);
            }
            prop_assert_eq!(held + free(&cluster), all);
            for card in cluster.hosts.iter().flat_map(|host| &host.cards) {
                prop_assert!(is_legal(&gpu, card, is_mixed), "{:?}", card);
            }
        }
        (0..vms.len()).for_each(|vm| drop(cluster.power_off(vm)));
        prop_assert_eq!(free(&cluster), all);
    }
}

/// Whether what is on a card may be on one, by the printed tables alone.
fn is_legal(gpu: &GpuSpec, card: &Card, is_mixed: bool) -> bool {
    let mut taken: Vec<(u32, u32)> = Vec::new();
    let mut sizes = BTreeSet::new();
    let mut modes = BTreeSet::new();
    for resident in &card.residents {
        let Ask::Vgpu(kind) = resident.ask else { return card.residents.len() == 1 };
        let of = &gpu.vgpu_types[kind];
        let place = match &of.profile {
            Some(name) => {
                modes.insert("mig");
                let profile = gpu.mig_profile(name).unwrap();
                if !profile.starts.contains(&resident.start) {
                    return false;
                }
                (resident.start, profile.memory_slices)
            }
            None if is_mixed => {
                modes.insert("mixed");
                let (ids, size) = of.mixed_size.placements().unwrap();
                if !ids.contains(&resident.start) {
                    return false;
                }
                (resident.start, size)
            }
            None => {
                modes.insert("equal");
                sizes.insert(of.frame_buffer);
                if card.residents.len() > of.max_per_gpu as usize {
                    return false;
                }
                continue;
            }
        };
        if taken.iter().any(|one| one.0 < place.0 + place.1 && place.0 < one.0 + one.1) {
            return false;
        }
        taken.push(place);
    }
    modes.len() <= 1 && sizes.len() <= 1
}

/// Exit code, standard output, standard error.
fn slicewise(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
    command.env_remove("SLICEWISE_CONFIGS");
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_draws_writes_and_answers_no() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("case.toml"), folder.path().join("out"));
    let ten = "vgpu = { type = \"A100DX-10C\" }";
    let text = "title = \"<b>&\"\n".to_string()
        + RACK
        + &group("=cmd\\u001b[31m", 3, ten)
        + &group("late", 1, "vgpu = { type = \"A100DX-20C\" }");
    fs::write(&path, text).unwrap();
    let (path, out_at) = (path.to_str().unwrap(), out.to_str().unwrap());
    let (code, stdout, _) = slicewise(&["place", path, "--out", out_at, "--compare"]);
    assert_eq!(code, 4, "{stdout}");
    assert!(stdout.contains("3 of 4 VMs found a place on 3 hosts with 3 cards; 1 was refused"));
    assert!(stdout.contains("locked to 10 GiB on 3 cards"), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
    for name in ["placement.json", "vms.csv", "refused.csv", "hosts.csv", "policies.csv"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let csv = fs::read_to_string(out.join("vms.csv")).unwrap();
    assert!(csv.lines().skip(1).all(|line| !line.starts_with('=')), "{csv}");
    let document = fs::read_to_string(out.join("placement.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["policies"].as_array().unwrap().len(), POLICIES.len());
    if cfg!(feature = "charts") {
        let svg = fs::read_to_string(out.join("cluster.svg")).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
    }
    let (again, other, _) = slicewise(&["place", path, "--out", out_at, "--compare"]);
    assert_eq!((again, other), (4, stdout));
}

/// A cluster of two hosts gives each VM the very figures that a file of its host alone gives.
#[test]
fn hosts_that_share_nothing_are_simulated_as_alone() {
    let folder = tempfile::tempdir().unwrap();
    let vm = |name: &str, load: &str| {
        format!(
            "\n[[vm]]\nname = \"{name}\"\nvcpus = 16\nvgpu = {{ type = \"A100-20C\" }}\nworkload = \
             \"bert-99\"\nserver = {{ streams = 1 }}\nload = {{ scenario = \"server\", target_qps = \
             {load}, target_latency = \"200 ms\", min_duration = \"3 s\", min_query_count = 100, \
             rules = \"none\" }}\n"
        )
    };
    let gpus = "gpus = { model = \"a100-pcie-40gb\", count = 1 }\n";
    // Seed 0 replays a schedule for the first VM of a file, and the hardware's turns draw by the number
    // of the card: neither is of a host alone.
    let head = "hypervisor = \"vsphere-7.0u2\"\nbaseline = \"none\"\nseed = 5\nsharing = { policy = \
        \"equal-share\" }\n";
    let names = [("left-a", "80"), ("right-a", "90"), ("left-b", "100"), ("right-b", "110")];
    let of = |side: &str| -> String {
        let mine = names.iter().filter(|(name, _)| side.is_empty() || name.starts_with(side));
        mine.map(|(name, load)| vm(name, load)).collect()
    };
    let host = format!("host = \"dell-r7525\"\n{gpus}");
    let both = format!("{head}[[host]]\ncount = 2\nmodel = \"dell-r7525\"\n{gpus}{}", of(""));
    let files = [
        ("both", both),
        ("left", format!("{head}{host}{}", of("left"))),
        ("right", format!("{head}{host}{}", of("right"))),
    ];
    let vms = files.map(|(name, text)| {
        let (path, out) = (folder.path().join(format!("{name}.toml")), folder.path().join(name));
        fs::write(&path, text).unwrap();
        let (path, out) = (path.to_str().unwrap(), out.to_str().unwrap());
        let (code, stdout, stderr) = slicewise(&["run", path, "--json", "-q", "--out", out]);
        assert_eq!(code, 0, "{stderr}");
        let document: Value = serde_json::from_str(&stdout).unwrap();
        document["runs"][0]["vms"].as_array().unwrap().clone()
    });
    let [both, left, right] = vms;
    assert_eq!(both.len(), 4);
    let named = |all: &[Value], name: &str| -> Value {
        let mut vm = all.iter().find(|vm| vm["name"] == *name).unwrap().clone();
        // Cards are numbered over all hosts, and the load beside `more_work` is over the whole run.
        let others = ["cards", "uncertainty"];
        vm.as_object_mut().unwrap().retain(|key, _| !others.contains(&key.as_str()));
        vm
    };
    for (name, _) in names {
        let alone = if name.starts_with("left") { &left } else { &right };
        assert_eq!(named(&both, name), named(alone, name), "{name}");
    }
}

#[test]
fn a_run_names_the_vm_that_has_no_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.toml");
    let keys = "vgpu = { type = \"A100DX-80C\" }\nworkload = \"bert-99\"\nload = { scenario = \
        \"server\", target_qps = 10 }";
    fs::write(&path, RACK.to_string() + &group("many", 4, keys)).unwrap();
    let (code, _, stderr) = slicewise(&["check", path.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(stderr.contains("no host has a place for many-4"), "{stderr}");
    assert!(stderr.contains("3 hosts: no free A100DX-80C (full on 3 cards)"), "{stderr}");
}

/// Keys of runs are no mistake in a file that is placed, whatever they say; a sweep is no placement.
#[test]
fn keys_of_runs_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.toml");
    let text = "hypervisor = \"vsphere-8.0\"\n[[host]]\ncount = 2\nmodel = \"dell-r7525\"\n\
        gpus = { model = \"a100-pcie-40gb\", count = 1 }\n[power]\nempty_hosts = \"standby\"\n\
        [operations]\nboot = \"30 s\"\n\
        [[vm]]\nname = \"node\"\nvcpus = 8\nvgpu = { type = \"A100-10C\" }\npods = \"mps\"\n\
        [[vm.pod]]\nname = \"web\"\nworkload = \"bert-99\"\n\
        [[vm]]\nname = \"web\"\ncount = 2\nvcpus = 8\nvgpu = { type = \"A100-10C\" }\n\
        balance = \"round-robin\"\nreplicas = { min = 1, outstanding = 8 }\n";
    std::fs::write(&file, text).unwrap();
    let (path, out) = (file.to_str().unwrap(), folder.path().join("out"));
    let (printed, _) =
        crate::cli::check(&["place", path, "--out", out.to_str().unwrap(), "--quiet"], 0);
    assert!(printed.contains("node"), "{printed}");
    std::fs::write(&file, format!("{text}[sweep]\nvm.count = [1, 2]\n")).unwrap();
    let (_, said) = crate::cli::check(&["place", path, "--quiet"], 2);
    assert!(said.contains("`sweep` has no meaning for one placement"), "{said}");
}
