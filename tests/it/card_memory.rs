//! The catalogue against arithmetic: nothing on a card has more memory than the card.
//!
//! Where the figures are from is said in their files.

use slicewise::config::{Catalogue, OwnRows, validation};
use slicewise::layout::geometry::Geometry;
use slicewise::spec::{GpuSpec, VgpuType};
use slicewise::study::Train;
use slicewise::units::Bytes;
use std::path::Path;

fn catalogue() -> Catalogue {
    Catalogue::load(None).unwrap_or_else(|error| panic!("{error}"))
}

/// What a guest can use of a type: of one backed by a GPU instance no more than the instance has, whose
/// name and type say more.
fn usable(gpu: &GpuSpec, vgpu: &VgpuType) -> Bytes {
    let profile = vgpu.profile.as_deref().and_then(|name| gpu.mig_profile(name));
    let of_instance = profile.and_then(|profile| profile.frame_buffer);
    of_instance.map_or(vgpu.frame_buffer, |instance| instance.min(vgpu.frame_buffer))
}

#[test]
fn no_vgpu_type_and_no_card_full_of_one_exceeds_the_card() {
    for gpu in catalogue().gpus() {
        let memory = gpu.memory.value;
        for vgpu in &gpu.vgpu_types {
            assert!(vgpu.frame_buffer <= memory, "{}: {}", gpu.id, vgpu.name);
            // An instance is counted once, however many types share it.
            let instances = u64::from(vgpu.max_per_gpu / vgpu.max_per_instance);
            let all = usable(gpu, vgpu).get() * instances;
            assert!(all <= memory.get(), "{}: {instances} x {}", gpu.id, vgpu.name);
        }
    }
}

#[test]
fn no_layout_of_gpu_instances_exceeds_the_card() {
    for gpu in catalogue().gpus() {
        let geometry = Geometry::new(&gpu.mig_profiles);
        let plain = |profile: usize| !gpu.mig_profiles[profile].is_variant();
        for layout in geometry.layouts(&plain) {
            let of = |(profile, _): &(usize, u32)| gpu.mig_profiles[*profile].frame_buffer;
            // Of a profile whose memory is not published nothing is known but that it is not all.
            let known: u64 = layout.iter().filter_map(of).map(Bytes::get).sum();
            assert!(known <= gpu.memory.value.get(), "{}: {layout:?}", gpu.id);
        }
        for profile in &gpu.mig_profiles {
            let fits = profile.frame_buffer.is_none_or(|bytes| bytes <= gpu.memory.value);
            assert!(fits, "{}: {}", gpu.id, profile.name);
        }
    }
}

/// The layout `all-balanced` that mig-parted's default file has for each of these boards.
#[test]
fn boards_of_the_default_file_have_its_balanced_layout() {
    let balanced = [
        ("gb200-186gb", ["1g.23gb", "2g.47gb", "3g.93gb"]),
        ("b200-180gb", ["1g.23gb", "2g.45gb", "3g.90gb"]),
        ("b300-288gb", ["1g.34gb", "2g.67gb", "3g.135gb"]),
        ("gh200-144gb", ["1g.18gb", "2g.36gb", "3g.72gb"]),
        ("h20-96gb", ["1g.12gb", "2g.24gb", "3g.48gb"]),
        ("h800-pcie-80gb", ["1g.10gb", "2g.20gb", "3g.40gb"]),
        ("a800-sxm-40gb", ["1g.5gb", "2g.10gb", "3g.20gb"]),
    ];
    for (gpu, [one, two, three]) in balanced {
        super::cli::check(&["mig", "place", gpu, one, one, two, three], 0);
    }
}

/// What a file of one's own says is held to the same: every fault of it at once.
#[test]
fn an_own_gpu_with_more_memory_in_it_than_it_has_is_refused() {
    let text = std::fs::read_to_string("configs/gpus/a100-pcie-40gb.toml").unwrap();
    let wrong =
        text.replace("\"20480 MiB\", max_per_gpu = 2, at", "\"20480 MiB\", max_per_gpu = 3, at");
    let wrong =
        wrong.replace("\"A100-5C\"", "\"A100-4C\"").replace("\"40192 MiB\"", "\"41192 MiB\"");
    let configs = tempfile::tempdir().unwrap();
    std::fs::create_dir(configs.path().join("gpus")).unwrap();
    std::fs::write(configs.path().join("gpus/own.toml"), wrong).unwrap();
    let told = Catalogue::load(Some(configs.path())).unwrap_err().to_string();
    for part in [
        "3 x A100-20C of 20 GiB take 60 GiB",
        "two vGPU types are named A100-4C",
        "the GPU instance profile 7g.40gb has",
        "allowed: at most 40 GiB, the memory of the card",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

/// Published runs did fit: weights, the workspace of every stream, and inputs and outputs of every batch
/// in flight, with the settings of their harness, in the memory of the card or of the GPU instance.
#[test]
fn every_published_run_has_room() {
    let catalogue = catalogue();
    let mut held = 0;
    for file in ["mlperf_inference_v1.1.csv", "mlperf_inference_v2.0_v3.0_nvidia.csv"] {
        let file = Path::new("configs/published").join(file);
        let input =
            validation(Some(OwnRows { data: &file, train: Train::Given }), &catalogue, 1, 1)
                .unwrap();
        for run in &input.rows[..input.judged] {
            let settings = &run.settings;
            let (Some(gpu), Some(workload), Some(batch)) =
                (input.gpus.get(&run.gpu_id()), catalogue.workload(&run.benchmark), settings.batch)
            else {
                continue;
            };
            let streams = u64::from(settings.streams.or(settings.instances).unwrap_or(1));
            let copies = streams.max(u64::from(settings.copy_streams.unwrap_or(1)));
            let copied = workload.input_per_sample.value + workload.output_per_sample.value;
            let of_sample = workload.workspace_per_sample.value * streams + copied * copies;
            let need = workload.weights.value + of_sample * u64::from(batch);
            let profile = run.mig_profile().and_then(|name| gpu.mig_profile(name));
            let room = profile.map_or(gpu.memory.value, |profile| profile.frame_buffer.unwrap());
            assert!(need <= room, "{}: {need} of {room}", run.name());
            held += 1;
        }
    }
    // BERT, ResNet-50 and SSD-ResNet34 in three scenarios under two harnesses.
    assert!(held > 500, "{held} runs");
}
