//! vGPU types, what fits on which card, and scenarios with several sizes on a card or several vGPUs
//! in a GPU instance.
//!
//! Single cards in mixed-size mode are tested beside their code, `layout::mixed_size`.

use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::layout::fit::{
    Answer, Beside, CardMode, CardPlan, Fit, SizeMode, VgpuPlace, Wish, beside,
};
use slicewise::layout::placement::Assignment;
use slicewise::layout::registry::default_slice;
use slicewise::platform::simulate;
use slicewise::spec::names::Series;
use slicewise::spec::{GpuSpec, InstanceSharing, MixedSize, TurnOrder};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| match Catalogue::load(None) {
    Ok(catalogue) => catalogue,
    Err(error) => panic!("{error}"),
});

fn gpu(id: &str) -> &'static GpuSpec {
    CATALOGUE.gpu(id).unwrap_or_else(|| panic!("no GPU {id}"))
}

/// How many of each type of a GPU: `"A100-10C"` and its number.
fn counts(gpu: &GpuSpec, wanted: &[(&str, u32)]) -> Vec<u32> {
    let mut counts = vec![0; gpu.vgpu_types.len()];
    for (name, count) in wanted {
        let kind = gpu.vgpu_types.iter().position(|vgpu| vgpu.name == *name);
        counts[kind.unwrap_or_else(|| panic!("no type {name}"))] += count;
    }
    counts
}

fn fit(id: &str, cards: usize, mode: SizeMode, wanted: &[(&str, u32)]) -> Answer {
    let gpu = gpu(id);
    let answer = Fit::new(gpu, mode, counts(gpu, wanted)).on(cards, Assignment::Consolidate);
    if let Answer::Fit(plans) = &answer {
        assert_eq!(plans.len(), cards);
        check_plans(gpu, plans, &counts(gpu, wanted));
    }
    answer
}

fn fits(id: &str, cards: usize, mode: SizeMode, wanted: &[(&str, u32)]) -> bool {
    match fit(id, cards, mode, wanted) {
        Answer::Fit(_) => true,
        Answer::DoNotFit => false,
        other => panic!("{other:?}"),
    }
}

/// Everything that is wanted is somewhere, and every card keeps the rules of its mode.
fn check_plans(gpu: &GpuSpec, plans: &[CardPlan], wanted: &[u32]) {
    let mut found = vec![0; wanted.len()];
    for plan in plans {
        let kinds = plan.vgpus.iter().map(|vgpu| vgpu.kind);
        kinds.clone().for_each(|kind| found[kind] += 1);
        let types: Vec<_> = kinds.map(|kind| &gpu.vgpu_types[kind]).collect();
        let places = types.iter().zip(&plan.vgpus);
        match plan.mode {
            CardMode::Free => assert!(types.is_empty()),
            CardMode::EqualSize => {
                assert!(types.iter().all(|vgpu| vgpu.is_time_sliced()));
                assert!(types.iter().all(|vgpu| vgpu.frame_buffer == types[0].frame_buffer));
                assert!(types.len() <= types[0].max_per_gpu as usize);
            }
            CardMode::MixedSize => {
                let mut taken: Vec<(u32, u32)> = Vec::new();
                for (vgpu, place) in places {
                    let (ids, size) = vgpu.mixed_size.placements().expect("printed ids");
                    let id = place.start.expect("a placement id");
                    assert!(ids.contains(&id), "{} at {id}", vgpu.name);
                    taken.push((id, id + size));
                }
                taken.sort_unstable();
                assert!(taken.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{taken:?}");
            }
            CardMode::Instances => {
                let mut instances: BTreeMap<u32, (usize, u32)> = BTreeMap::new();
                for place in &plan.vgpus {
                    let start = place.start.expect("a memory slice");
                    let instance = instances.entry(start).or_insert((place.kind, 0));
                    assert_eq!(instance.0, place.kind, "one type in an instance");
                    instance.1 += 1;
                    assert!(instance.1 <= gpu.vgpu_types[place.kind].max_per_instance);
                }
                let mut end = 0;
                for (start, (kind, _)) in instances {
                    let profile = gpu.vgpu_types[kind].profile.as_deref().expect("MIG-backed");
                    let profile = gpu.mig_profile(profile).expect("a profile of the GPU");
                    assert!(profile.starts.contains(&start) && start >= end);
                    end = start + profile.memory_slices;
                }
            }
        }
    }
    assert_eq!(found, wanted);
}

// ---- the tables

#[test]
fn a_card_takes_as_many_as_its_memory_holds() {
    // Where the tables say otherwise: RTX8000P-4C is capped at 8 although 12 would fit; of H200 the
    // source prints 16 of 8C and 32 of 4C, where 141 GiB would hold 17 and 35; of 1 GiB a card of 48
    // takes 32.
    const LESS: [(&str, u32); 5] =
        [("RTX8000P-4C", 8), ("H200-8C", 16), ("H200-4C", 32), ("H200X-8C", 16), ("H200X-4C", 32)];
    let mut types = 0;
    for gpu in CATALOGUE.gpus() {
        // Whole GiB: of the 94 GB cards two types of 48128 MiB fit where the largest has 96246.
        let largest = gpu.vgpu_types.iter().map(|vgpu| vgpu.frame_buffer.get()).max();
        let largest = largest.map(|bytes| bytes.next_multiple_of(1 << 30));
        for vgpu in gpu.vgpu_types.iter().filter(|vgpu| vgpu.is_time_sliced()) {
            types += 1;
            let less = LESS.iter().find(|(name, _)| *name == vgpu.name).map(|(_, most)| *most);
            let most = less.unwrap_or((largest.unwrap() / vgpu.frame_buffer.get()) as u32);
            let is_small = vgpu.frame_buffer.get() == 1 << 30;
            let most = if is_small { most.min(32) } else { most };
            assert_eq!(vgpu.max_per_gpu, most, "{}", vgpu.name);
            assert_eq!(vgpu.fixed_share().get(), 1.0 / f64::from(most), "{}", vgpu.name);
        }
    }
    // 156 of the compute tables' 253 rows are time-sliced on a whole card. Q: 5 types on each of four
    // cards of 16 GiB, 8 on two of 24, 6 on three of 32, 10 on four of 48, 94 in all; B: 2 on each of
    // the 13, and 2 of the older B4 on T4 and four V100; A: as Q, without the V100S.
    // C of six Pascal boards: 19 more.
    assert_eq!(types, 156 + 19 + 94 + (26 + 10) + 88);
    let all: usize = CATALOGUE.gpus().map(|gpu| gpu.vgpu_types.len()).sum();
    assert_eq!(all, 253 + 19 + 218);
}

#[test]
fn placement_ids_do_not_overlap_and_stay_within_the_region() {
    // Regions in the unit of the ids: the frame buffer of the card's only 1-per-card type.
    const REGIONS: [u32; 9] = [94, 80, 64, 48, 40, 32, 24, 20, 16];
    for gpu in CATALOGUE.gpus() {
        let printed: Vec<_> = gpu
            .vgpu_types
            .iter()
            .filter_map(|vgpu| Some((vgpu, vgpu.mixed_size.placements()?)))
            .collect();
        let end = printed.iter().map(|(_, (ids, size))| ids.last().unwrap() + size).max();
        let Some(end) = end else { continue };
        assert!(REGIONS.contains(&end), "{}: {end}", gpu.id);
        for (vgpu, (ids, size)) in printed {
            assert!(ids.windows(2).all(|pair| pair[0] + size <= pair[1]), "{}", vgpu.name);
            assert_eq!(
                u64::from(size),
                vgpu.frame_buffer.get().div_ceil(1 << 30).min(94),
                "{}",
                vgpu.name
            );
            // Mixed-size mode never takes more than equal-size mode.
            assert!(ids.len() <= vgpu.max_per_gpu as usize, "{}", vgpu.name);
        }
    }
    // The guide's comparison of both modes.
    let most = |id: &str, name: &str| {
        let vgpu = gpu(id).vgpu_types.iter().find(|vgpu| vgpu.name == name).unwrap();
        (vgpu.max_per_gpu, vgpu.mixed_size.max_per_gpu())
    };
    assert_eq!(most("a100-pcie-40gb", "A100-4C"), (10, Some(8)));
    assert_eq!(most("a100-pcie-80gb", "A100D-4C"), (20, Some(16)));
    assert_eq!(most("a30", "A30-8C"), (3, Some(2)));
    assert_eq!(most("l40s", "L40S-16C"), (3, Some(2)));
}

#[test]
fn gpus_without_mixed_size_mode_are_those_of_the_guide() {
    let without = CATALOGUE.gpus().filter(|gpu| {
        let sliced = gpu.vgpu_types.iter().filter(|vgpu| vgpu.is_time_sliced());
        sliced.clone().count() > 0
            && sliced.clone().all(|vgpu| vgpu.mixed_size == MixedSize::Unsupported)
    });
    let without: Vec<&str> = without.map(|gpu| gpu.id.as_str()).collect();
    assert_eq!(
        without,
        [
            "p100-pcie-12gb",
            "p100-pcie-16gb",
            "p100-sxm2-16gb",
            "p4",
            "p40",
            "p6",
            "quadro-rtx-8000-passive",
            "t4",
            "v100-pcie-16gb",
            "v100-pcie-32gb",
            "v100-sxm2-16gb",
            "v100-sxm2-32gb",
            "v100s-pcie-32gb"
        ]
    );
}

#[test]
fn a_mig_backed_type_fits_as_often_as_its_instance() {
    for gpu in CATALOGUE.gpus() {
        for vgpu in &gpu.vgpu_types {
            let Some(profile) = vgpu.profile.as_deref() else { continue };
            let profile = gpu.mig_profile(profile).unwrap();
            assert_eq!(
                vgpu.max_per_gpu,
                profile.max_per_gpu * vgpu.max_per_instance,
                "{} in {}",
                vgpu.name,
                profile.name
            );
        }
    }
}

#[test]
fn the_default_slice_is_two_milliseconds_up_to_eight_vgpus() {
    // 480 Hz up to 8 vGPUs of a type, 960 Hz beyond: 1/480 s = 2.083 ms, 1/960 s = 1.042 ms.
    let order = TurnOrder::RoundRobin { averaging_factor: 33 };
    let of = |id: &str, name: &str| {
        let vgpu = gpu(id).vgpu_types.iter().find(|vgpu| vgpu.name == name).unwrap();
        default_slice(order, vgpu.max_per_gpu).as_nanos()
    };
    assert_eq!(of("a100-pcie-40gb", "A100-5C"), 2_083_333);
    assert_eq!(of("a100-pcie-40gb", "A100-4C"), 1_041_667);
    assert_eq!(of("l40", "L40-4C"), 1_041_667);
}

/// NVIDIA/vgpu-device-manager, examples/config-example.yaml: maxima of every type of the Q series, by
/// the sizes of a card's types in GiB. What is missing there is missing here.
#[test]
fn maxima_of_the_q_series_are_those_of_the_device_managers_example() {
    let of_16: &[(u32, u32)] = &[(16, 1), (8, 2), (4, 4), (2, 8), (1, 16)];
    let of_24: &[(u32, u32)] =
        &[(24, 1), (12, 2), (8, 3), (6, 4), (4, 6), (3, 8), (2, 12), (1, 24)];
    let of_32: &[(u32, u32)] = &[(32, 1), (16, 2), (8, 4), (4, 8), (2, 16), (1, 32)];
    let of_48: &[(u32, u32)] =
        &[(48, 1), (24, 2), (16, 3), (12, 4), (8, 6), (6, 8), (4, 12), (3, 16), (2, 24), (1, 32)];
    for (id, board, maxima) in [
        ("a10", "A10", of_24),
        ("a16", "A16", of_16),
        ("a40", "A40", of_48),
        ("l4", "L4", of_24),
        ("l40", "L40", of_48),
        ("l40s", "L40S", of_48),
        ("quadro-rtx-8000-passive", "RTX8000P", of_48),
        ("t4", "T4", of_16),
        ("v100-pcie-16gb", "V100", of_16),
        ("v100-pcie-32gb", "V100D", of_32),
        ("v100-sxm2-16gb", "V100X", of_16),
        ("v100-sxm2-32gb", "V100DX", of_32),
        ("v100s-pcie-32gb", "V100S", of_32),
    ] {
        let types = gpu(id).vgpu_types.iter();
        let of_q = types.filter(|vgpu| vgpu.series() == Some(Series::Q));
        let found: Vec<_> = of_q
            .map(|vgpu| (vgpu.name.clone(), vgpu.frame_buffer.get() >> 30, vgpu.max_per_gpu))
            .collect();
        let expected: Vec<_> = maxima
            .iter()
            .map(|&(size, most)| (format!("{board}-{size}Q"), u64::from(size), most))
            .collect();
        assert_eq!(found, expected, "{id}");
    }
}

/// NVIDIA Virtual GPU Software User Guide 17.6: on a card of equal-size vGPUs all have one frame
/// buffer, whatever their series (2.1.4); CUDA runs on Q types (1.3.2), licences by series (2.1.2).
#[test]
fn a_series_is_a_licence_and_no_size() {
    for gpu in CATALOGUE.gpus() {
        for vgpu in gpu.vgpu_types.iter().filter(|vgpu| vgpu.is_time_sliced()) {
            let series = vgpu.series().unwrap_or_else(|| panic!("{} has no series", vgpu.name));
            assert_eq!(vgpu.runs_cuda(), matches!(series, Series::C | Series::Q), "{}", vgpu.name);
            let alike = gpu
                .vgpu_types
                .iter()
                .filter(|other| other.is_time_sliced() && other.frame_buffer == vgpu.frame_buffer);
            // All that are alike in size lie at the same places, and share a card up to the least maximum.
            let alike: Vec<_> = alike.collect();
            assert!(alike.iter().all(|other| other.mixed_size == vgpu.mixed_size), "{}", vgpu.name);
            let most = alike.iter().map(|other| other.max_per_gpu).min().unwrap();
            let mut wanted: Vec<(&str, u32)> =
                alike.iter().map(|other| (other.name.as_str(), 1)).collect();
            if most as usize >= wanted.len() {
                wanted[0].1 += most - wanted.len() as u32;
                assert!(fits(&gpu.id, 1, SizeMode::Equal, &wanted), "{wanted:?}");
                wanted[0].1 += 1;
                assert!(!fits(&gpu.id, 1, SizeMode::Equal, &wanted), "{wanted:?}");
            }
        }
    }
    // Case t23: a V100S with one 8Q takes no 4Q, and three more 8Q.
    let v100s = |wanted: &[(&str, u32)]| fits("v100s-pcie-32gb", 1, SizeMode::Mixed, wanted);
    assert!(!v100s(&[("V100S-8Q", 1), ("V100S-4Q", 1)]));
    assert!(v100s(&[("V100S-8Q", 4)]) && !v100s(&[("V100S-8Q", 5)]));
    assert!(v100s(&[("V100S-8Q", 2), ("V100S-8C", 1)]));
}

/// Case t25. Two of 6 GiB at {0,6,12,18} leave two of the places {0,8,12,20} of 4 GiB.
#[test]
fn a_mix_that_two_documents_disagree_about_is_told_with_both() {
    const NOTE: &str = "note: two sources of NVIDIA contradict each other: NVIDIA GPU Operator with KubeVirt, vGPU Device Configuration (cloud-native-docs pull request 243) offers 3 x A10-4Q and 2 x A10-6Q on one card, NVIDIA Virtual GPU Software User Guide 17.6, appendix A.3.7 (and NVIDIA AI Enterprise User Guide v5.0, appendix A) prints the placement ids that exclude it; the ids decide until one of them is corrected\n";
    for mix in [["3xA10-4Q", "2xA10-6Q"], ["3xA10-4C", "2xA10-6C"]] {
        let (text, _) = crate::cli::check(&["vgpu", "fit", "a10", mix[0], mix[1]], 4);
        assert!(text.ends_with(NOTE), "{text}");
    }
    // What no document offers is simply no, and what fits needs no word.
    let (text, _) = crate::cli::check(&["vgpu", "fit", "a10", "4xA10-4Q", "2xA10-6Q"], 4);
    assert!(!text.contains("contradict"), "{text}");
    let (text, _) = crate::cli::check(&["vgpu", "fit", "a10", "2xA10-4Q", "2xA10-6Q"], 0);
    assert!(!text.contains("contradict"), "{text}");
    for gpu in CATALOGUE.gpus() {
        for disputed in CATALOGUE.disputed_mixes(&gpu.id) {
            let mix: Vec<(&str, u32)> =
                disputed.mix.iter().map(|(name, count)| (name.as_str(), *count)).collect();
            assert!(!fits(&gpu.id, 1, SizeMode::Mixed, &mix), "{}", gpu.id);
        }
    }
}

// ---- users' cases

#[test]
fn nine_vms_share_two_a100() {
    let (four, five) = (("A100-10C", 4), ("A100-8C", 5));
    assert!(fits("a100-pcie-40gb", 2, SizeMode::Equal, &[four, five]));
    // Nine of 10 GiB are 90 GiB: more than two cards have. Nine of 8 GiB are 72, five to a card.
    assert!(!fits("a100-pcie-40gb", 2, SizeMode::Mixed, &[("A100-10C", 9)]));
    assert!(fits("a100-pcie-40gb", 2, SizeMode::Equal, &[("A100-8C", 9)]));
    // 3 x 10 + 6 x 8 = 78 GiB, yet a card with both sizes has ids for at most one 8C beside three
    // 10C, or three 8C beside one 10C: 3 + 1 and 0 + 5.
    assert!(fits("a100-pcie-40gb", 2, SizeMode::Mixed, &[("A100-10C", 3), ("A100-8C", 6)]));
    assert!(!fits("a100-pcie-40gb", 2, SizeMode::Equal, &[("A100-10C", 3), ("A100-8C", 6)]));
}

#[test]
fn a_half_and_a_quarter_leave_two_of_4c() {
    // The guide's example: ids 30 and 36 remain.
    let with = |small: u32| [("A100-20C", 1), ("A100-10C", 1), ("A100-4C", small)];
    let Answer::Fit(plans) = fit("a100-pcie-40gb", 1, SizeMode::Mixed, &with(2)) else {
        panic!("it fits")
    };
    let starts: Vec<_> = plans[0].vgpus.iter().map(|vgpu| vgpu.start.unwrap()).collect();
    assert_eq!((plans[0].mode, starts), (CardMode::MixedSize, vec![0, 20, 30, 36]));
    assert!(!fits("a100-pcie-40gb", 1, SizeMode::Mixed, &with(3)));
    assert!(!fits("a100-pcie-40gb", 1, SizeMode::Equal, &with(1)));
}

#[test]
fn the_two_kinds_of_vgpu_never_share_a_card() {
    let both = [("A100-10C", 1), ("A100-1-5C", 1)];
    assert!(!fits("a100-pcie-40gb", 1, SizeMode::Mixed, &both));
    assert!(fits("a100-pcie-40gb", 2, SizeMode::Mixed, &both));
    // MIG: 3g and 4g share a card, in whichever order; two 4g do not.
    assert!(fits("a100-pcie-40gb", 1, SizeMode::Equal, &[("A100-3-20C", 1), ("A100-4-20C", 1)]));
    assert!(!fits("a100-pcie-40gb", 1, SizeMode::Equal, &[("A100-4-20C", 2)]));
    // Eleven memory slices are more than eight, though seven compute slices would do.
    assert!(!fits("a100-pcie-40gb", 1, SizeMode::Equal, &[("A100-1-10C", 4), ("A100-1-5C", 3)]));
}

#[test]
fn vgpus_take_turns_inside_the_instances_of_an_rtx_pro_6000() {
    let id = "rtx-pro-6000-blackwell";
    assert!(fits(id, 1, SizeMode::Equal, &[("DC-1-2Q", 48)]));
    assert!(!fits(id, 1, SizeMode::Equal, &[("DC-1-2Q", 49)]));
    // Two instances of a quarter for 13, and one of a half for two of DC-2-24Q.
    assert!(fits(id, 1, SizeMode::Equal, &[("DC-1-2Q", 13), ("DC-2-24Q", 2)]));
    // An instance has one type: three quarters are full with one of each.
    let three = [("DC-1-2Q", 1), ("DC-1-3Q", 1), ("DC-1-4Q", 1), ("DC-2-24Q", 1)];
    assert!(!fits(id, 1, SizeMode::Equal, &three));
}

#[test]
fn what_is_not_published_is_not_guessed() {
    let (id, two) = ("rtx-pro-6000-blackwell", [("DC-32Q", 1), ("DC-16Q", 1)]);
    assert_eq!(fit(id, 1, SizeMode::Mixed, &two), Answer::NotPublished);
    assert_eq!(fit(id, 1, SizeMode::Equal, &two), Answer::DoNotFit);
    assert!(fits(id, 2, SizeMode::Mixed, &two));
    // No placement ids hold more than the memory, and none hold more than the maximum.
    let much = [("DC-48Q", 2), ("DC-16Q", 1)];
    assert_eq!(fit(id, 1, SizeMode::Mixed, &much), Answer::DoNotFit);
    assert_eq!(fit(id, 1, SizeMode::Mixed, &[("DC-4Q", 25)]), Answer::DoNotFit);
}

#[test]
fn spread_puts_as_few_as_possible_on_the_fullest_card() {
    let gpu = gpu("a100-pcie-40gb");
    let loads = |cards: usize, wanted: &[(&str, u32)]| {
        let mut fit = Fit::new(gpu, SizeMode::Mixed, counts(gpu, wanted));
        let Answer::Fit(plans) = fit.on(cards, Assignment::Spread) else { panic!("they fit") };
        check_plans(gpu, &plans, &counts(gpu, wanted));
        let mut loads: Vec<usize> = plans.iter().map(|plan| plan.vgpus.len()).collect();
        loads.sort_unstable();
        loads
    };
    assert_eq!(loads(3, &[("A100-10C", 5)]), [1, 2, 2]);
    assert_eq!(loads(4, &[("A100-10C", 3)]), [0, 1, 1, 1]);
    assert_eq!(loads(2, &[("A100-20C", 2), ("A100-10C", 2)]), [2, 2]);
    assert_eq!(loads(3, &[("A100-1-5C", 4), ("A100-8C", 2)]), [2, 2, 2]);
}

#[test]
fn the_nearest_that_fits_is_found() {
    let gpu = gpu("a100-pcie-40gb");
    let wish = |cards, wanted: &[(&str, u32)]| Wish {
        gpu,
        cards,
        mode: SizeMode::Mixed,
        wanted: counts(gpu, wanted),
    };
    let names = |(from, to): (usize, usize)| {
        (gpu.vgpu_types[from].name.as_str(), gpu.vgpu_types[to].name.as_str())
    };
    let nine = wish(2, &[("A100-10C", 9)]);
    assert_eq!(nine.fewest_dropped(), counts(gpu, &[("A100-10C", 1)]));
    assert_eq!(nine.smaller_type().map(names), Some(("A100-10C", "A100-8C")));
    let too_many = wish(1, &[("A100-20C", 1), ("A100-10C", 1), ("A100-4C", 3)]);
    assert_eq!(too_many.fewest_dropped(), counts(gpu, &[("A100-4C", 1)]));
    // So many that not every way can be tried: ten of 4C fit on a card.
    let thousand = wish(1, &[("A100-4C", 1000)]);
    assert_eq!(thousand.fewest_dropped(), counts(gpu, &[("A100-4C", 990)]));
}

// ---- the search against brute force

/// Whether the vGPUs fit, by trying every card and every place for each in turn.
fn by_force(
    gpu: &GpuSpec,
    mode: SizeMode,
    cards: &mut [Vec<(usize, u32)>],
    left: &[usize],
) -> bool {
    let Some((&kind, rest)) = left.split_first() else { return true };
    let of = &gpu.vgpu_types[kind];
    for card in 0..cards.len() {
        let mut starts: Vec<u32> = match &of.mixed_size {
            MixedSize::Printed { ids, .. } if mode == SizeMode::Mixed => ids.clone(),
            _ => Vec::new(),
        };
        // A seat in equal-size mode has no id.
        starts.push(u32::MAX);
        for start in starts {
            cards[card].push((kind, start));
            let is_allowed = allowed(gpu, &cards[card]);
            if is_allowed && by_force(gpu, mode, cards, rest) {
                return true;
            }
            cards[card].pop();
        }
    }
    false
}

fn allowed(gpu: &GpuSpec, card: &[(usize, u32)]) -> bool {
    let of = |kind: usize| &gpu.vgpu_types[kind];
    if card.iter().all(|(_, start)| *start == u32::MAX) {
        let first = of(card[0].0);
        return card.len() <= first.max_per_gpu as usize
            && card.iter().all(|(kind, _)| of(*kind).frame_buffer == first.frame_buffer);
    }
    let place = |&(kind, start): &(usize, u32)| {
        let (_, size) = of(kind).mixed_size.placements()?;
        (start != u32::MAX).then(|| (start, start + size))
    };
    let places: Option<Vec<(u32, u32)>> = card.iter().map(place).collect();
    places.is_some_and(|mut places| {
        places.sort_unstable();
        places.windows(2).all(|pair| pair[0].1 <= pair[1].0)
    })
}

proptest! {
    #![proptest_config(crate::support::cases(60))]

    #[test]
    fn the_search_agrees_with_brute_force(
        kinds in prop::collection::vec(0_usize..6, 1..6),
        cards in 1_usize..3,
        is_mixed in any::<bool>(),
        is_a30 in any::<bool>(),
    ) {
        let gpu = gpu(if is_a30 { "a30" } else { "a100-pcie-40gb" });
        let mode = if is_mixed { SizeMode::Mixed } else { SizeMode::Equal };
        let sliced = gpu.vgpu_types.iter().filter(|vgpu| vgpu.is_time_sliced()).count();
        let mut kinds: Vec<usize> = kinds.into_iter().map(|kind| kind % sliced).collect();
        kinds.sort_unstable();
        let mut wanted = vec![0; gpu.vgpu_types.len()];
        kinds.iter().for_each(|&kind| wanted[kind] += 1);
        let expected = by_force(gpu, mode, &mut vec![Vec::new(); cards], &kinds);
        for assignment in [Assignment::Consolidate, Assignment::Spread] {
            match Fit::new(gpu, mode, wanted.clone()).on(cards, assignment) {
                Answer::Fit(plans) => {
                    prop_assert!(expected, "{kinds:?} on {cards}");
                    check_plans(gpu, &plans, &wanted);
                }
                Answer::DoNotFit => prop_assert!(!expected, "{kinds:?} on {cards}"),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}

/// What is on a card, for `by_force`.
fn seats(there: &[VgpuPlace]) -> Vec<(usize, u32)> {
    there.iter().map(|one| (one.kind, one.start.unwrap_or(u32::MAX))).collect()
}

proptest! {
    #![proptest_config(crate::support::cases(60))]

    /// Beside what a card has: yes exactly where trying every place says so; and where something must
    /// move or go, the way that is named works, leaves the others where they are, and no smaller does.
    #[test]
    fn what_must_move_or_go_is_the_least(
        there in prop::collection::vec(0_usize..6, 1..5),
        wanted in prop::collection::vec(0_usize..6, 1..4),
        places in prop::collection::vec(any::<prop::sample::Index>(), 4),
        is_mixed in any::<bool>(),
        id in prop::sample::select(vec!["a10", "a100-pcie-40gb", "a30"]),
    ) {
        let gpu = gpu(id);
        let sliced = gpu.vgpu_types.iter().filter(|vgpu| vgpu.is_time_sliced()).count();
        let mode = if is_mixed { SizeMode::Mixed } else { SizeMode::Equal };
        // Those of the draw that are allowed one after the other are there.
        let mut has: Vec<VgpuPlace> = Vec::new();
        for (kind, place) in there.iter().map(|kind| kind % sliced).zip(&places) {
            let start = match gpu.vgpu_types[kind].mixed_size.placements() {
                Some((ids, _)) if is_mixed => Some(*place.get(ids)),
                _ => None,
            };
            has.push(VgpuPlace { kind, start });
            if !allowed(gpu, &seats(&has)) {
                has.pop();
            }
        }
        if is_mixed && has.iter().any(|one| one.start.is_none()) {
            return Ok(());
        }
        let wanted: Vec<usize> = wanted.iter().map(|kind| kind % sliced).collect();
        let works = |fixed: &[VgpuPlace], free: &[usize]| {
            let mode = if fixed.is_empty() { SizeMode::Mixed } else { mode };
            by_force(gpu, mode, &mut [seats(fixed)], free)
        };
        let pick = |subset: u32, is: bool| -> Vec<VgpuPlace> {
            (0..has.len()).filter(|&at| (subset >> at & 1 == 1) == is).map(|at| has[at]).collect()
        };
        let kinds = |places: &[VgpuPlace]| places.iter().map(|one| one.kind).collect::<Vec<_>>();
        let moves = |subset: u32| {
            works(&pick(subset, false), &[kinds(&pick(subset, true)), wanted.clone()].concat())
        };
        let counted = |kinds: &[usize]| {
            let mut counts = vec![0; gpu.vgpu_types.len()];
            kinds.iter().for_each(|&kind| counts[kind] += 1);
            counts
        };
        prop_assume!(!has.is_empty());
        match beside(gpu, &has, &wanted, false) {
            Beside::Fits(plan) => {
                prop_assert!(moves(0));
                check_plans(gpu, std::slice::from_ref(&plan), &counted(&[kinds(&has), wanted.clone()].concat()));
                prop_assert!(has.iter().zip(&plan.vgpus).all(|(one, at)| one.start.is_none() || one == at));
            }
            Beside::Change(Some(room)) => {
                prop_assert!(!moves(0));
                let stays: Vec<usize> = (0..has.len()).filter(|at| !room.gone.contains(at)).collect();
                let all = stays.iter().map(|&at| has[at].kind).chain(wanted.iter().copied());
                check_plans(gpu, std::slice::from_ref(&room.plan), &counted(&all.collect::<Vec<_>>()));
                for (at, place) in stays.iter().zip(&room.plan.vgpus) {
                    let one = has[*at];
                    prop_assert!(room.moved.contains(at) || one.start.is_none() || one == *place);
                }
                let smaller = |size: usize| (0..1_u32 << has.len()).filter(move |subset| (subset.count_ones() as usize) < size);
                if room.gone.is_empty() {
                    prop_assert!(smaller(room.moved.len()).all(|subset| !moves(subset)));
                } else {
                    prop_assert!((0..1_u32 << has.len()).all(|subset| !moves(subset)));
                    let rid = |subset: u32| works(&[], &[kinds(&pick(subset, false)), wanted.clone()].concat());
                    let stay = |subset: u32| works(&pick(subset, false), &wanted);
                    prop_assert!(smaller(room.gone.len()).all(|subset| !rid(subset) && !stay(subset)));
                }
            }
            Beside::Change(None) => prop_assert!(!works(&[], &wanted)),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

// ---- scenarios

/// Queries per second of each VM of a file on one A100-40 that also has a type of which four share a
/// 3g.20gb in turns; work of 10 ms on the whole GPU, always there.
fn rates(sharing: &str, vms: &[(&str, u32)]) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["workloads", "gpus"] {
        std::fs::create_dir_all(folder.path().join("configs").join(kind)).unwrap();
    }
    let configs = folder.path().join("configs");
    std::fs::write(configs.join("workloads/steady.toml"), crate::shared_cards::STEADY).unwrap();
    let card = std::fs::read_to_string("configs/gpus/a100-pcie-40gb.toml").unwrap();
    let own = "    { name = \"A100-3-5C\", frame_buffer = \"4864 MiB\", max_per_gpu = 8, profile = \"3g.20gb\", max_per_instance = 4 },\n";
    let before = "    { name = \"A100-2-10C\"";
    assert!(card.contains(before));
    let card = card.replacen(before, &format!("{own}{before}"), 1);
    std::fs::write(configs.join("gpus/a100-pcie-40gb.toml"), card).unwrap();
    let mut text = format!(
        "host = \"dell-r7525\"\ngpus = {{ model = \"a100-pcie-40gb\", count = 1 }}\nhypervisor = \"vsphere-7.0u2\"\nsharing = {{ switch_cost = \"0 ms\", {sharing} }}\n"
    );
    for (vgpu, count) in vms {
        text.push_str(&format!(
            "\n[[vm]]\nname = \"{vgpu}\"\ncount = {count}\nvcpus = 4\nvgpu = {{ type = \"{vgpu}\" }}\nworkload = \"steady\"\nserver = {{ batch_max = 1 }}\n[vm.load]\nscenario = \"closed-loop\"\nclients = 2\nmin_duration = \"4 s\"\nmin_query_count = 1\n"
        ));
    }
    let path = folder.path().join("test.toml");
    std::fs::write(&path, text).unwrap();
    let catalogue = Catalogue::load(Some(&configs)).unwrap_or_else(|error| panic!("{error}"));
    let scenario = load(&path, &LoadOptions { seed: Some(1), ..LoadOptions::new(catalogue) });
    let mut scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
    let experiment = scenario.pairs.remove(0).virtual_run.experiment;
    for instance in &experiment.cards[0].instances {
        assert!(instance.sharing != InstanceSharing::Alone || vms.iter().any(|vm| vm.1 == 1));
    }
    let outcome = simulate(&experiment);
    let vms = outcome.vms.iter();
    vms.map(|vm| {
        let recorder = &vm.recorder;
        recorder.latencies().count() as f64
            / (recorder.last_completion() - slicewise::units::SimTime::ZERO).as_secs_f64()
    })
    .collect()
}

#[track_caller]
fn close(found: &[f64], expected: &[f64]) {
    let near = |(found, expected): (&f64, &f64)| (found / expected - 1.0).abs() < 0.02;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(near),
        "{found:?}, expected {expected:?}"
    );
}

#[test]
fn vgpus_of_two_sizes_have_equal_turns_on_a_card() {
    // 100 queries/s on the card, at a GPU speed of 0.997 under vSphere: a third each, whatever the
    // frame buffer.
    let third = 99.7 / 3.0;
    for policy in ["best-effort", "equal-share"] {
        let sharing = format!("vgpu_mode = \"mixed-size\", policy = \"{policy}\"");
        let found = rates(&sharing, &[("A100-20C", 1), ("A100-10C", 2)]);
        close(&found, &[third; 3]);
    }
}

#[test]
fn vgpus_in_one_instance_share_its_slices_in_turns() {
    // A 3g has 42 of 108 SMs: 100 x 42 / 108 x 0.997 queries/s.
    let instance = 99.7 * 42.0 / 108.0;
    let two = [("A100-3-5C", 2), ("A100-3-20C", 1)];
    close(&rates("policy = \"equal-share\"", &two), &[instance / 2.0, instance / 2.0, instance]);
    // Fixed share: one of four slots of the instance, used or not.
    close(&rates("policy = \"fixed-share\"", &two), &[instance / 4.0, instance / 4.0, instance]);
    // Six are four in one instance and two in another.
    let found = rates("policy = \"best-effort\"", &[("A100-3-5C", 6)]);
    let (four, two) = (instance / 4.0, instance / 2.0);
    close(&found, &[four, four, four, four, two, two]);
}

// ---- the commands

#[test]
fn a_yes_is_drawn_with_the_lines_that_set_it_up() {
    let arguments = ["vgpu", "fit", "a100-pcie-40gb", "--cards=2", "4xA100-10C", "5xA100-8C"];
    let (text, _) = crate::cli::check(&arguments, 0);
    for part in [
        "9 VMs on 2 x a100-pcie-40gb: yes",
        "card 0: equal-size mode, 4 vGPUs, 40 GiB of 40 GiB",
        "│1 A100-10C       │2 A100-10C",
        "VM 5-9      A100-8C, 8 GiB each",
        "--shared-passthru-assignment-policy=Consolidation",
        "in this order: 1-9",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let (text, _) = crate::cli::check(
        &["vgpu", "fit", "a100-pcie-40gb", "A100-20C", "A100-10C", "2xA100-4C"],
        0,
    );
    for part in ["--vgpu-mode=MixedSize", "nvidia-smi vgpu -i 0 -shm 1", "placement ids 30, 36"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_no_says_why_and_what_would_do() {
    let arguments = ["vgpu", "fit", "a100-pcie-40gbx2", "9xa100-10c"];
    let (text, errors) = crate::cli::check(&arguments, 4);
    assert_eq!(errors, "", "the answer is data");
    for part in [
        "9 VMs on 2 x a100-pcie-40gb: no",
        "because: they need 90 GiB of frame buffer, the cards have 80 GiB",
        "nearest: 8 x A100-10C (without 1 x A100-10C)",
        "with A100-8C instead of A100-10C",
        "on 3 cards",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let hidden = ["vgpu", "fit", "rtx-pro-6000-blackwell", "DC-32Q", "DC-16Q"];
    let (text, _) = crate::cli::check(&hidden, 4);
    assert!(text.contains("not published") && text.contains("not guessed"), "{text}");
}

#[test]
fn vms_are_fitted_beside_those_that_are_there() {
    let ask = |arguments: &[&str], code: i32| {
        let arguments: Vec<&str> = ["vgpu", "fit"].iter().chain(arguments).copied().collect();
        crate::cli::check(&arguments, code).0
    };
    let text = ask(&["a10", "A10-4C", "--beside=3xA10-4C"], 0);
    for part in ["A10-4C beside 3 x A10-4C on a10: yes", "VMs 1 to 3 exist already"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for (arguments, parts) in [
        // 12 GB start at 0 or 12 (the guide's ids for 24 GB cards): one of the two must make room.
        (
            &["a10", "A10-12C", "--beside=A10-4C@0", "--beside=A10-4C@12"][..],
            ["no placement ids are free", "power off A10-4C at 0; then A10-12C at 0, and again"],
        ),
        (
            &["a10", "A10-6C", "--beside=3xA10-4C"],
            ["the card is in equal-size mode", "set the card to mixed-size mode; then A10-6C"],
        ),
        (
            &["a10", "A10-12C", "--beside=A10-6C@0", "--beside=A10-6C@6", "--beside=A10-6C@12"],
            ["no placement ids are free", "without A10-6C at 12 (power it off, or move it"],
        ),
        (
            &["a100-pcie-40gb", "A100-20C", "--beside=A100-1-5C"],
            ["never share a card", "without A100-1-5C"],
        ),
        (
            &["a100-pcie-40gb", "A100-3-20C", "--beside=A100-1-5C@0", "--beside=A100-1-5C@5"],
            ["no layout of GPU instances", "power off A100-1-5C at 0; then A100-3-20C at 0"],
        ),
        (
            &["a10", "2xA10-24C", "--beside=A10-6C"],
            ["not even a card without", "none of the existing vGPUs"],
        ),
    ] {
        let text = ask(arguments, 4);
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
    let text = ask(&["a10", "A10-12C", "--beside=A10-4C@0", "--beside=A10-4C@12", "--json"], 4);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["change"]["moved"][0]["at"], 0);
    assert_eq!(document["change"]["gone"].as_array().unwrap().len(), 0);
}

#[test]
fn vms_are_fitted_by_what_they_need() {
    let need = ["--cards=2", "--vms=9", "--frame-buffer=8 GB", "--json"];
    let arguments: Vec<&str> = ["vgpu", "fit", "a100-pcie-40gb"].into_iter().chain(need).collect();
    let (text, _) = crate::cli::check(&arguments, 0);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    // Five of 8C to a card, and of nothing larger more than four.
    assert_eq!(document["answer"], "fits");
    assert_eq!(document["wanted"][0]["type"], "A100-8C");
    assert_eq!(document["plan"][0]["vgpus"].as_array().unwrap().len(), 5);
    assert_eq!(document["plan"][1]["room"][0]["count"], 1);
    let fitting = document["candidates"].as_array().unwrap().iter();
    assert_eq!(fitting.filter(|one| one["fits"] == true).count(), 1);
}

#[test]
fn wrong_questions_are_refused_with_what_is_allowed() {
    for (arguments, why) in [
        (&["fit", "a100-pcie-40g", "A100-10C"][..], "did you mean \"a100-pcie-40gb\"?"),
        (&["fit", "a100-pcie-40gb", "A100-10D"], "did you mean \"A100-10C\"?"),
        (&["fit", "a100-pcie-40gb", "0xA100-10C"], "allowed: 1 to 1024"),
        (&["fit", "a100-pcie-40gb", "1025xA100-10C"], "1025 VMs are too many"),
        (&["fit", "a100-pcie-40gb", "99999999999999999999xA100-10C"], "too many"),
        (&["fit", "a100-pcie-40gbx65", "A100-10C"], "allowed: 1 to 64 cards"),
        (&["fit", "a100-pcie-40gbx2", "--cards=2", "A100-10C"], "so does --cards"),
        (&["fit", "a100-pcie-40gb", "--cards=0", "A100-10C"], "from 1 to 64"),
        (&["fit", "a100-pcie-40gb", "--vms=2", "--frame-buffer=8"], "has no unit"),
        (&["fit", "a100-pcie-40gb", "--vms=2"], "--frame-buffer"),
        (&["fit", "a10x2", "A10-4C", "--beside=A10-4C"], "ask card by card"),
        (&["fit", "a10", "A10-4C", "--beside=A10-4D"], "did you mean \"A10-4"),
        (&["fit", "a10", "A10-4C", "--beside=A10-4C@x"], "names no place"),
        (&["fit", "a100-pcie-40gb"], "TYPE"),
        (&["fit", "b200-180gb", "B200-1C"], "no vGPU types of b200-180gb are published"),
        (&["list", "b200-180gb"], "no vGPU types of b200-180gb are published"),
        (&["list", "\u{1b}[31m"], "unknown GPU \"\\u{1b}[31m\""),
        (&["encode", "equal-share", "--device=3b:00"], "allowed: as in 0000:3b:00.0"),
        (&["encode", "best-effort", "--plain-slices"], "no registry word sets"),
    ] {
        let arguments: Vec<&str> = ["vgpu"].into_iter().chain(arguments.iter().copied()).collect();
        let (stdout, stderr) = crate::cli::check(&arguments, 2);
        assert!(stdout.is_empty() && stderr.contains(why), "{arguments:?}\n{stderr}");
    }
    // Understood, and answered no.
    let larger = ["vgpu", "fit", "a100-pcie-40gb", "--vms=2", "--frame-buffer=41 GiB"];
    let (stdout, stderr) = crate::cli::check(&larger, 4);
    assert!(stdout.contains("nearest: up to 40 GiB") && stderr.is_empty(), "{stdout}{stderr}");
}

#[test]
fn every_gpu_with_types_is_listed_with_its_source() {
    for gpu in CATALOGUE.gpus().filter(|gpu| !gpu.vgpu_types.is_empty()) {
        let (text, notes) = CATALOGUE.about_vgpu_types(&gpu.id);
        assert!(!text.is_empty(), "{}", gpu.id);
        assert!(notes.iter().all(|note| !note.ends_with('.')), "{}", gpu.id);
    }
    let (text, _) = crate::cli::check(&["vgpu", "list", "h200-nvl-141gb"], 0);
    assert!(text.contains("not published") && text.contains("source: NVIDIA"), "{text}");
    let (text, _) = crate::cli::check(&["vgpu", "list", "t4"], 0);
    assert!(text.contains("no mixed-size mode"), "{text}");
}
