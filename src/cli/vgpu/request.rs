//! The request of `slicewise vgpu fit`: cards of a GPU, and how many VMs of which type.
//!
//! Words are read in `spec::names`; whether the VMs fit is not decided here.

use crate::cli::failure::Failure;
use crate::config::{nearest, quoted, type_help};
use crate::layout::fit::VgpuPlace;
use crate::spec::GpuSpec;
use crate::spec::names::{At, Request, RequestFault, find_type, requests};
use crate::study::plans::VgpuGroup;

/// Most VMs of a request.
pub(super) const VMS_MAX: u32 = 1024;

/// `a100-pcie-40gb`, `a100-pcie-40gbx2` or `2xa100-pcie-40gb`: the name and the number of cards.
pub(super) fn gpu_and_cards(text: &str, known: &[&str]) -> (String, Option<u32>) {
    let is_name = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    match requests(&[text], &is_name).as_deref() {
        Ok([one]) if one.at == At::Anywhere => (one.name.clone(), one.count),
        _ => (text.to_string(), None),
    }
}

/// The groups that the words name, or all their mistakes at once.
pub(super) fn groups(gpu: &GpuSpec, words: &[String]) -> Result<Vec<VgpuGroup>, Failure> {
    let mut wrong = Vec::new();
    let mut groups = Vec::new();
    let requests = requests(words, &|name| find_type(gpu, name).is_some());
    let requests = requests.map_err(|fault| {
        Failure::Usage(match fault {
            RequestFault::Empty => format!("a vGPU type is empty\n  = allowed: {}", names(gpu)),
            RequestFault::TooMany(count) => {
                format!("{count} groups of VMs are too many\n  = allowed: 1 to {VMS_MAX}")
            }
        })
    })?;
    for request in requests {
        let count = request.count.unwrap_or(1);
        if count == 0 {
            let text = quoted(&request.text);
            wrong.push(format!("{text} is not a number of VMs\n  = allowed: 1 to {VMS_MAX}"));
        }
        match (find_type(gpu, &request.name), &request.at) {
            (Some(kind), At::Anywhere) => groups.push(VgpuGroup { kind, count }),
            (Some(kind), at) => wrong.push(placed(&request, &gpu.vgpu_types[kind].name, at)),
            (None, _) => wrong.push(unknown_type(gpu, &request.name)),
        }
        // A long list of mistakes tells no more than a short one.
        if wrong.len() == 10 {
            break;
        }
    }
    let vms: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
    if vms > u64::from(VMS_MAX) {
        let cards = "one host runs at most some hundreds";
        wrong.push(format!("{vms} VMs are too many\n  = allowed: 1 to {VMS_MAX} ({cards})"));
    }
    if wrong.is_empty() { Ok(groups) } else { Err(Failure::Usage(wrong.join("\n\nerror: "))) }
}

/// vGPUs that a card has, `COUNTxTYPE` or `TYPE@ID`, or all mistakes in the words at once.
pub(super) fn there(gpu: &GpuSpec, words: &[String]) -> Result<Vec<VgpuPlace>, Failure> {
    let named = requests(words, &|name| find_type(gpu, name).is_some()).unwrap_or_default();
    let plain: Vec<String> =
        named.iter().filter(|one| !has_place(one)).map(|one| one.text.clone()).collect();
    // What has no place is read as what is wanted is, with the same messages.
    let groups =
        if plain.is_empty() && !named.is_empty() { Vec::new() } else { groups(gpu, &plain)? };
    let alike = |group: VgpuGroup| {
        std::iter::repeat_n(VgpuPlace { kind: group.kind, start: None }, group.count as usize)
    };
    let mut there: Vec<VgpuPlace> = groups.into_iter().flat_map(alike).collect();
    let mut wrong = Vec::new();
    for one in named.iter().filter(|one| has_place(one)) {
        let At::Named(at) = &one.at else { continue };
        match (find_type(gpu, &one.name), at.parse::<u32>()) {
            (None, _) => wrong.push(unknown_type(gpu, &one.name)),
            (Some(kind), Ok(at)) if one.count.unwrap_or(1) == 1 => {
                there.push(VgpuPlace { kind, start: Some(at) });
            }
            _ => wrong.push(format!(
                "{} names no place\n  = allowed: TYPE@ID, the placement id of one vGPU, or the first memory slice of its GPU instance",
                quoted(&one.text)
            )),
        }
    }
    if wrong.is_empty() { Ok(there) } else { Err(Failure::Usage(wrong.join("\n\nerror: "))) }
}

fn has_place(request: &Request) -> bool {
    matches!(request.at, At::Named(_))
}

/// A type with a place, or with what could be one.
fn placed(request: &Request, name: &str, at: &At) -> String {
    let text = quoted(&request.text);
    match at {
        At::Colon(count) => format!(
            "{text} could be a count or a placement id\n  = allowed: TYPE or COUNTxTYPE\n  = help: write {count}x{name} for a count; the driver chooses the ids"
        ),
        _ => format!(
            "{text} names a placement id, which the driver chooses\n  = allowed: TYPE or COUNTxTYPE\n  = help: write {name}"
        ),
    }
}

fn names(gpu: &GpuSpec) -> String {
    let names: Vec<&str> = gpu.vgpu_types.iter().map(|vgpu| vgpu.name.as_str()).collect();
    names.join(", ")
}

fn unknown_type(gpu: &GpuSpec, name: &str) -> String {
    let known = gpu.vgpu_types.iter().map(|vgpu| vgpu.name.as_str());
    let near = || nearest(name, known).map(|near| format!("did you mean \"{near}\"?"));
    let help = type_help(gpu, name).or_else(near);
    let help = help.map_or(String::new(), |help| format!("\n  = help: {help}"));
    format!("unknown vGPU type {} of {}\n  = allowed: {}{help}", quoted(name), gpu.id, names(gpu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Catalogue;
    use std::sync::LazyLock;

    static CATALOGUE: LazyLock<Catalogue> =
        LazyLock::new(|| Catalogue::load(None).unwrap_or_else(|error| panic!("{error}")));

    #[test]
    fn a_number_of_cards_stands_before_or_behind_a_gpu() {
        let read = |text: &str| {
            let known = ["a30", "v100-sxm2-16gb", "rtx-pro-6000-blackwell"];
            gpu_and_cards(text, &known)
        };
        for (text, name, cards) in [
            ("a30x2", "a30", Some(2)),
            ("2xa30", "a30", Some(2)),
            ("a30", "a30", None),
            // Names of GPUs have an x of their own.
            ("v100-sxm2-16gb", "v100-sxm2-16gb", None),
            ("rtx-pro-6000-blackwell", "rtx-pro-6000-blackwell", None),
            ("rtx-6000-pro", "rtx-6000-pro", None),
            ("NVIDIA A30", "NVIDIA A30", None),
        ] {
            assert_eq!(read(text), (name.to_string(), cards), "{text}");
        }
    }

    #[test]
    fn types_are_read_as_hosts_print_them() {
        let gpu = CATALOGUE.gpu("a30").expect("a GPU of the catalogue");
        for text in [
            "A30-4C",
            "a30-4c",
            "NVIDIA A30-4C",
            "GRID A30-4C",
            "grid_a30-4c",
            "nvidia_a30-4c",
            "nvidia.com/GRID_A30-4C",
        ] {
            let found = groups(gpu, &[text.to_string()]).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(gpu.vgpu_types[found[0].kind].name, "A30-4C", "{text}");
        }
        let words = ["3", "x", "A30-4C,", "NVIDIA", "A30-1-6C"].map(str::to_string);
        let found = groups(gpu, &words).unwrap_or_else(|_| panic!("{words:?}"));
        let counts: Vec<u32> = found.iter().map(|group| group.count).collect();
        assert_eq!(counts, [3, 1]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config {
            cases: 300, failure_persistence: None, ..Default::default()
        })]

        #[test]
        fn any_words_are_read_or_refused(
            words in proptest::collection::vec("\\PC{0,12}|[0-9]{0,12}[xX*×](A30-4C|a30-8c)?", 0..6),
        ) {
            let gpu = CATALOGUE.gpu("a30").expect("a GPU of the catalogue");
            match groups(gpu, &words) {
                Ok(groups) => {
                    let vms: u32 = groups.iter().map(|group| group.count).sum();
                    assert!(vms <= VMS_MAX);
                }
                Err(Failure::Usage(message)) => assert!(message.contains("allowed: "), "{message}"),
                Err(_) => panic!("a word is no file"),
            }
        }
    }
}
