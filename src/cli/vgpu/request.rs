//! What `slicewise vgpu fit` is asked: cards of a GPU, and how many VMs of which type.
//!
//! It reads words of the command line; whether the VMs fit is not asked here.

use super::Failure;
use crate::config::{nearest, quoted};
use crate::spec::GpuSpec;

/// Most cards of a request: those of a host.
pub(super) const CARDS_MAX: u32 = 64;
/// Most VMs of a request.
pub(super) const VMS_MAX: u32 = 1024;

/// VMs that are alike, as the command line names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Group {
    /// Index into the GPU's types.
    pub(super) kind: usize,
    /// How many.
    pub(super) count: u32,
}

/// `a100-pcie-40gb`, `a100-pcie-40gbx2` or `2xa100-pcie-40gb`: the name and the number of cards.
pub(super) fn gpu_and_cards(text: &str, known: &[&str]) -> (String, Option<u32>) {
    if known.contains(&text) {
        return (text.to_string(), None);
    }
    let (count, name) = counted(text);
    (name.to_string(), count)
}

/// `4xA100-10C`, `A100-10Cx4` or `A100-10C`. A count too large for the type is the largest.
fn counted(text: &str) -> (Option<u32>, &str) {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let is_times = |c: char| matches!(c, 'x' | 'X' | '*' | '×');
    let before = text.split_once(is_times).and_then(|(count, name)| Some((number(count)?, name)));
    let after =
        || text.rsplit_once(is_times).and_then(|(name, count)| Some((number(count)?, name)));
    match before.or_else(after) {
        Some((count, name)) => (Some(count), name.trim()),
        None => (None, text),
    }
}

/// The groups that the words name; all that is wrong with them at once.
pub(super) fn groups(gpu: &GpuSpec, words: &[String]) -> Result<Vec<Group>, Failure> {
    let mut wrong = Vec::new();
    let mut groups = Vec::new();
    for word in words {
        let (count, name) = counted(word);
        let count = count.unwrap_or(1);
        if count == 0 {
            wrong.push(format!("{} are no VMs\n  = allowed: 1 to {VMS_MAX}", quoted(word)));
        }
        let known = gpu.vgpu_types.iter().position(|vgpu| vgpu.name.eq_ignore_ascii_case(name));
        match known {
            Some(kind) => groups.push(Group { kind, count }),
            None => wrong.push(unknown_type(gpu, name)),
        }
        // A long list of mistakes tells no more than a short one.
        if wrong.len() == 10 {
            break;
        }
    }
    let vms: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
    if vms > u64::from(VMS_MAX) {
        let cards = "one host takes no more than some hundreds";
        wrong.push(format!("{vms} VMs are too many\n  = allowed: 1 to {VMS_MAX} ({cards})"));
    }
    if wrong.is_empty() { Ok(groups) } else { Err(Failure::Usage(wrong.join("\n\nerror: "))) }
}

fn unknown_type(gpu: &GpuSpec, name: &str) -> String {
    let names: Vec<&str> = gpu.vgpu_types.iter().map(|vgpu| vgpu.name.as_str()).collect();
    let help = nearest(name, &names)
        .map_or(String::new(), |near| format!("\n  = help: did you mean \"{near}\"?"));
    format!(
        "unknown vGPU type {} of {}\n  = allowed: {}{help}",
        quoted(name),
        gpu.id,
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Catalogue;
    use std::sync::LazyLock;

    static CATALOGUE: LazyLock<Catalogue> =
        LazyLock::new(|| Catalogue::load(None).unwrap_or_else(|error| panic!("{error}")));

    #[test]
    fn counts_stand_before_or_after_a_name() {
        assert_eq!(counted("4xA100-10C"), (Some(4), "A100-10C"));
        assert_eq!(counted("A100-10Cx4"), (Some(4), "A100-10C"));
        assert_eq!(counted("4×A100-10C"), (Some(4), "A100-10C"));
        assert_eq!(counted("A100-10C"), (None, "A100-10C"));
        assert_eq!(counted("99999999999xT4-4C"), (Some(u32::MAX), "T4-4C"));
        // Names of GPUs have an x of their own.
        assert_eq!(counted("v100-sxm2-16gb"), (None, "v100-sxm2-16gb"));
        assert_eq!(counted("rtx-pro-6000-blackwell"), (None, "rtx-pro-6000-blackwell"));
        assert_eq!(gpu_and_cards("a30x2", &["a30"]), ("a30".to_string(), Some(2)));
        assert_eq!(gpu_and_cards("a30", &["a30"]), ("a30".to_string(), None));
        assert_eq!(counted("x"), (None, "x"));
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
                    assert!(vms <= VMS_MAX && groups.len() == words.len());
                }
                Err(Failure::Usage(message)) => assert!(message.contains("allowed: "), "{message}"),
                Err(_) => panic!("a word is no file"),
            }
        }
    }
}
