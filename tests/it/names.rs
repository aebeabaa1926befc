//! One vocabulary: whatever the commands print of GPU instances and vGPU types is read back by them to
//! the same thing, for every GPU of the catalogue.
//!
//! Forms without a GPU are tested beside their code, `spec::names`.

use slicewise::config::Catalogue;
use slicewise::spec::GpuSpec;
use slicewise::spec::names::{ProfileName, find_profile, find_type, requests};
use std::fs;
use std::process::Command;

fn catalogue() -> Catalogue {
    Catalogue::load(None).unwrap_or_else(|error| panic!("{error}"))
}

/// Exit code, standard output, standard error.
fn slicewise(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
    command.env_remove("SLICEWISE_CONFIGS");
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = slicewise(arguments);
    assert_eq!(code, 0, "{arguments:?}\n{stdout}{stderr}");
    stdout
}

fn with_mig(catalogue: &Catalogue) -> impl Iterator<Item = &GpuSpec> {
    catalogue.gpus().filter(|gpu| !gpu.mig_profiles.is_empty())
}

fn with_vgpus(catalogue: &Catalogue) -> impl Iterator<Item = &GpuSpec> {
    catalogue.gpus().filter(|gpu| !gpu.vgpu_types.is_empty())
}

/// The words behind `-cgi` of the commands that make a layout.
fn created(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| line.starts_with("  nvidia-smi mig"));
    let behind = lines.filter_map(|line| line.split_once("-cgi ")).map(|(_, rest)| rest);
    behind.map(|rest| rest.split(' ').next().unwrap()).collect()
}

#[test]
fn profiles_are_read_back_as_they_are_listed() {
    let catalogue = catalogue();
    for gpu in with_mig(&catalogue) {
        let text = printed(&["mig", "list", &gpu.id]);
        // `|   0  MIG 1g.5gb          19     7/7 ...`: the name as nvidia-smi writes it, and the id.
        let rows = text.lines().filter_map(|line| line.strip_prefix("|   0  "));
        let mut listed = 0;
        for row in rows {
            let words: Vec<&str> = row.split_whitespace().collect();
            let (name, id) = (&words[..2].join(" "), words[2]);
            let found = find_profile(&gpu.mig_profiles, name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(find_profile(&gpu.mig_profiles, id), Some(found), "{} {row}", gpu.id);
            let profile = &gpu.mig_profiles[found.profile];
            let name = ProfileName::parse(name).unwrap();
            assert_eq!(name.to_string(), profile.name);
            let resource = find_profile(&gpu.mig_profiles, &name.resource());
            assert_eq!(resource, Some(found), "{}", name.resource());
            listed += 1;
        }
        assert_eq!(listed, gpu.mig_profiles.len(), "{text}");
    }
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_layout_is_placed_again_as_it_is_listed_and_as_it_is_made() {
    let catalogue = catalogue();
    for gpu in with_mig(&catalogue) {
        let text = printed(&["mig", "layouts", &gpu.id, "--maximal", "--variants"]);
        let layouts: Vec<&str> = text.lines().filter(|line| line.contains(':')).skip(1).collect();
        // The first, the last and some between.
        for index in (0..layouts.len()).step_by(1 + layouts.len() / 6) {
            let words: Vec<&str> =
                layouts[index].split_whitespace().filter(|word| word.contains("g.")).collect();
            let placed = printed(&[&["mig", "place", gpu.id.as_str()], &words[..]].concat());
            let commands = created(&placed);
            assert_eq!(commands.len(), 1, "{placed}");
            let again = printed(&["mig", "place", &gpu.id, commands[0]]);
            assert_eq!(placed, again, "{words:?}");
            // The names that the drawing is headed by, without their starts.
            let head = placed.lines().find_map(|line| line.strip_prefix("GPU 0: ")).unwrap();
            let set = printed(&["mig", "place", &gpu.id, head]);
            assert!(set.contains(&format!("GPU 0: {head}\n")) || !created(&set).is_empty());
        }
    }
}

#[test]
fn compute_instances_are_read_back_as_they_are_listed() {
    let catalogue = catalogue();
    for gpu in with_mig(&catalogue) {
        for profile in &gpu.mig_profiles {
            let text = printed(&["mig", "list", &gpu.id, "--gi", &profile.name]);
            let rows = text.lines().filter_map(|line| line.strip_prefix("|   0      -       "));
            for row in rows {
                let words: Vec<&str> = row.split_whitespace().take(2).collect();
                let part = find_profile(&gpu.mig_profiles, &words.join(" ")).unwrap();
                assert_eq!(gpu.mig_profiles[part.profile].name, profile.name, "{row}");
            }
        }
    }
}

#[test]
fn what_is_exported_is_imported() {
    let catalogue = catalogue();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    for gpu in with_mig(&catalogue) {
        for profile in &gpu.mig_profiles {
            let count = format!("{}x{}", profile.max_per_gpu, profile.name);
            let arguments = ["export", "mig-parted", "--gpu", &gpu.id, "--name", "all", &count];
            fs::write(&file, printed(&arguments)).unwrap();
            let rows = printed(&["import", file.to_str().unwrap(), "--gpu", &gpu.id]);
            let row = rows.lines().find(|row| row.starts_with("all ")).unwrap();
            let found = row.matches(&format!(" {} ", profile.name)).count();
            assert_eq!(found, profile.max_per_gpu as usize, "{} {rows}", gpu.id);
        }
    }
}

#[test]
fn vgpu_types_are_read_back_in_every_spelling() {
    let catalogue = catalogue();
    for gpu in with_vgpus(&catalogue) {
        for (kind, vgpu) in gpu.vgpu_types.iter().enumerate() {
            let (name, small) = (&vgpu.name, vgpu.name.to_lowercase());
            for text in [
                name.clone(),
                small.clone(),
                format!("NVIDIA {name}"),
                format!("GRID {name}"),
                format!("grid_{small}"),
                format!("nvidia_{small}"),
                format!("nvidia.com/GRID_{name}"),
                format!("nvidia.com/NVIDIA_{name}"),
                format!("{} {name}", gpu.name),
            ] {
                assert_eq!(find_type(gpu, &text), Some(kind), "{} {text}", gpu.id);
                let counted = [format!("3 x {text}")];
                let read = requests(&counted, &|name| find_type(gpu, name).is_some()).unwrap();
                assert_eq!(read.len(), 1, "{read:?}");
                assert_eq!((read[0].count, find_type(gpu, &read[0].name)), (Some(3), Some(kind)));
            }
        }
        let text = printed(&["vgpu", "list", &gpu.id]);
        let first = |line: &str| line.split_whitespace().next().map(str::to_string);
        let listed = text.lines().filter_map(first).filter_map(|word| find_type(gpu, &word));
        assert_eq!(listed.count(), gpu.vgpu_types.len(), "{text}");
    }
}

/// What is nearest to too many is fewer, and fits as it is printed.
#[test]
fn the_nearest_vgpus_fit_as_they_are_printed() {
    let catalogue = catalogue();
    for gpu in with_vgpus(&catalogue) {
        let vgpu = &gpu.vgpu_types[0];
        let many = format!("{}x{}", vgpu.max_per_gpu + 1, vgpu.name);
        let (code, text, _) = slicewise(&["vgpu", "fit", &gpu.id, &many]);
        assert_eq!(code, 4, "{text}");
        let nearest = text.lines().find_map(|line| line.strip_prefix("nearest: "));
        let (kept, _) = nearest.unwrap_or_else(|| panic!("{text}")).split_once(" (").unwrap();
        printed(&["vgpu", "fit", &gpu.id, kept]);
    }
}

/// A file of the catalogue that is shown makes the same GPU in a folder of one's own.
#[test]
fn a_gpu_that_is_shown_is_read_back() {
    let catalogue = catalogue();
    let folder = tempfile::tempdir().unwrap();
    let gpus = folder.path().join("gpus");
    fs::create_dir_all(&gpus).unwrap();
    for gpu in catalogue.gpus() {
        let text = printed(&["show", &format!("gpus/{}", gpu.id)]);
        fs::write(gpus.join(format!("{}.toml", gpu.id)), text).unwrap();
    }
    let again = Catalogue::load(Some(folder.path())).unwrap_or_else(|error| panic!("{error}"));
    for (one, other) in catalogue.gpus().zip(again.gpus()) {
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}

/// Cases t02 and t48 of public threads.
#[test]
fn users_spellings_are_taken() {
    let rtx = "rtx-pro-6000-blackwell";
    let text = printed(&["mig", "place", rtx, "4x1g.24gb-me"]);
    assert!(text.contains("-cgi 67,67,67,67 -C"), "{text}");
    let starts = printed(&["mig", "place", "a100-pcie-40gb", "9:4,14:0,19:2,19:3"]);
    assert!(starts.contains("-cgi 9:4,14:0,19:2,19:3 -C"), "{starts}");
    let full = printed(&["mig", "place", "a100-pcie-40gb", "MIG 3g.20gb"]);
    assert_eq!(full, printed(&["mig", "place", "a100-pcie-40gb", "3g.20gb"]));
    for name in ["NVIDIA A10-4C", "GRID A10-4C", "grid_a10-4c", "nvidia_a10-4c"] {
        assert_eq!(
            printed(&["vgpu", "fit", "a10", name]),
            printed(&["vgpu", "fit", "a10", "A10-4C"])
        );
    }
    for word in ["RmPVMRL=0x01", "RmPVMRL=1", "NVreg_RegistryDwords=\"RmPVMRL=0x01\""] {
        assert_eq!(
            printed(&["vgpu", "decode", word]),
            printed(&["vgpu", "decode", "0x1"]),
            "{word}"
        );
    }
    let (code, _, message) = slicewise(&["vgpu", "decode", "RmPVMRL=1;RmPVMRL=0x11"]);
    assert_eq!(
        (code, message.as_str()),
        (
            2,
            "error: several registry words are named\n  = allowed: one of 0x00000001, 0x00000011\n"
        )
    );
    let (code, _, message) = slicewise(&["mig", "place", "a100-pcie-40gb", "1g.5gb:2"]);
    assert_eq!(
        (code, message.as_str()),
        (
            2,
            "error: \"1g.5gb:2\" could be a count or a start\n  = help: write 2x1g.5gb for a count, 1g.5gb@2 for a start\n"
        )
    );
}

/// What is typed in the place of another name, and the last line of the answer.
#[test]
fn a_name_in_the_place_of_another_is_told_from_a_slip() {
    for (arguments, help) in [
        (
            &["vgpu", "fit", "A100-20C", "a100-pcie-40gb"][..],
            "\"A100-20C\" is a vGPU type: write its GPU, a100-pcie-40gb",
        ),
        (
            &["mig", "list", "NVIDIA H100 80GB"],
            "\"NVIDIA H100 80GB\" could be h100-pcie-80gb, h100-sxm-80gb",
        ),
        (
            &["vgpu", "list", "a100"],
            "\"a100\" could be a100-pcie-40gb, a100-pcie-80gb, a100-sxm-40gb, a100-sxm-80gb",
        ),
        (&["vgpu", "list", "A30X"], "did you mean \"a30\"?"),
        (
            &["mig", "list", "a 100"],
            "\"a 100\" could be a100-pcie-40gb, a100-pcie-80gb, a100-sxm-40gb, a100-sxm-80gb",
        ),
        (&["vgpu", "list", "a100-pcie-40g"], "did you mean \"a100-pcie-40gb\"?"),
        (&["mig", "list", "3g.20gb"], "\"3g.20gb\" is a GPU instance profile: write its GPU"),
        (
            &["vgpu", "fit", "a10", "a10"],
            "\"a10\" is the GPU: name one of its types, such as A10-24C",
        ),
        (
            &["vgpu", "fit", "a100-pcie-40gb", "3g.20gb"],
            "\"3g.20gb\" is a GPU instance profile: the vGPU type that has it is A100-3-20C",
        ),
        (
            &["vgpu", "fit", "a100-pcie-40gb", "nvidia-474"],
            "\"nvidia-474\" is the number of a type on one host, whose file mdev_supported_types/nvidia-474/name has its name",
        ),
        (
            &["mig", "place", "a100-pcie-40gb", "A100-3-20C"],
            "\"A100-3-20C\" is a vGPU type: its GPU instance profile is 3g.20gb",
        ),
        (
            &["mig", "place", "a100-pcie-40gb", "A100-20C"],
            "\"A100-20C\" is a time-sliced vGPU type, which has no GPU instance",
        ),
        (
            &["export", "mig-parted", "--gpu", "a30", "A30-1-6C"],
            "\"A30-1-6C\" is a vGPU type: its GPU instance profile is 1g.6gb",
        ),
    ] {
        let (code, stdout, stderr) = slicewise(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}\n{stderr}");
        assert!(stderr.ends_with(&format!("\n  = help: {help}\n")), "{arguments:?}\n{stderr}");
    }
    // What means one GPU alone, as nvidia-smi prints it, is that GPU.
    for (arguments, id) in [
        (&["vgpu", "list", "NVIDIA L40S"][..], "l40s"),
        (&["mig", "list", "NVIDIA A100-PCIE-40GB"], "a100-pcie-40gb"),
        (&["mig", "list", "NVIDIA H100 80GB HBM3"], "h100-sxm-80gb"),
        (&["mig", "list", "H100 PCIe"], "h100-pcie-80gb"),
    ] {
        let own: Vec<&str> = arguments[..2].iter().copied().chain([id]).collect();
        let (code, stdout, _) = slicewise(arguments);
        assert_eq!((code, stdout), (0, slicewise(&own).1), "{arguments:?}");
    }
    let need = ["vgpu", "fit", "a10", "--vms", "2", "--frame-buffer", "8 gb"];
    let (code, _, stderr) = slicewise(&need);
    assert!(code == 2 && stderr.contains("did you mean \"8 GB\"?"), "{stderr}");
}
