//! Names of GPUs as nvidia-smi and people write them, and which catalogue entries they may mean.
//!
//! A name that does not state memory or form factor means several boards; none of them is chosen.

use std::collections::BTreeSet;

/// Words that say nothing about which GPU it is.
const EMPTY: [&str; 5] = ["nvidia", "tesla", "gpu", "card", "gb"];

/// What submitters of MLPerf add to a GPU's name that tells no other model: a power limit or a cooler, and
/// the kind of memory or socket.
const ADDED: [&str; 10] =
    ["500w", "400w", "300w", "cts", "maxq", "hbm2", "hbm2e", "hbm3", "tensor", "core"];

/// Names that leave the memory open, with the board that submitters call so: the 40 GB A100 was there first
/// (its sister is `A100-PCIe-80GB`; the system `A100-PCIex8` of v1.1 has the 40 GB board), and the data sheet
/// of the H100 has the 80 GB one under SXM.
const SHORT: [(&str, &str); 2] = [("a100-pcie", "a100-pcie-40gb"), ("h100-sxm", "h100-sxm-80gb")];

/// The GPU that an MLPerf submitter means by a name; where that is not clear, the GPUs that it may
/// be.
pub fn submitted_gpu<'g>(
    known: impl IntoIterator<Item = (&'g str, &'g str)>,
    text: &str,
) -> Result<&'g str, Vec<&'g str>> {
    let asked: Vec<String> = words(text).filter(|word| !ADDED.contains(&word.as_str())).collect();
    let named = asked.join("-");
    let short = SHORT.iter().find(|(name, _)| words(name).collect::<Vec<_>>().join("-") == named);
    let meant = match short {
        Some((_, id)) => gpus_meant(known, id),
        None => gpus_meant(known, &named),
    };
    match &meant.ids[..] {
        [only] if meant.is_whole => Ok(only),
        _ => Err(meant.ids),
    }
}

/// GPUs that a name may mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GpusMeant<'g> {
    /// Their ids.
    pub ids: Vec<&'g str>,
    /// Whether all words of the name occur in their names, so that it is not a typing error.
    pub is_whole: bool,
}

/// Which GPUs `text` may mean, `known` being ids with the vendor's names: `NVIDIA A100-SXM4-80GB`
/// is one, `a100` all A100. None where its first word names no GPU.
pub fn gpus_meant<'g>(
    known: impl IntoIterator<Item = (&'g str, &'g str)>,
    text: &str,
) -> GpusMeant<'g> {
    let known: Vec<(&str, BTreeSet<String>)> =
        known.into_iter().map(|(id, name)| (id, words(id).chain(words(name)).collect())).collect();
    let mut asked: Vec<String> = words(text).collect();
    // nvidia-smi calls the SXM board `NVIDIA H100 80GB HBM3`; that of PCIe has HBM2e.
    if asked.iter().any(|word| word == "h100") {
        asked.iter_mut().filter(|word| *word == "hbm3").for_each(|word| *word = "sxm".to_string());
    }
    let models: Vec<String> = known.iter().filter_map(|(id, _)| words(id).next()).collect();
    // What no GPU is called, such as the kind of memory, tells none apart.
    let is_known = |word: &&String| known.iter().any(|(_, words)| words.contains(*word));
    let of_gpus: Vec<&String> = asked.iter().filter(is_known).collect();
    let is_other = |word: &&String| !is_known(word) && is_model_number(word);
    if asked.iter().any(|word| is_other(&word)) {
        // An RTX 4090 is no RTX PRO 6000.
        return GpusMeant { ids: Vec::new(), is_whole: false };
    }
    if !of_gpus.first().is_some_and(|first| models.contains(first)) {
        return GpusMeant { ids: Vec::new(), is_whole: false };
    }
    let among = |has: &dyn Fn(&BTreeSet<String>, &str) -> bool| -> Vec<&str> {
        let all = known.iter().filter(|(_, words)| of_gpus.iter().all(|word| has(words, word)));
        all.map(|(id, _)| *id).collect()
    };
    let ids = among(&|words, word| words.contains(word));
    if ids.is_empty() {
        // A GPU that comes with one memory alone is not called by it.
        let has = |words: &BTreeSet<String>, word: &str| {
            words.contains(word) || (is_memory(word) && !words.iter().any(|word| is_memory(word)))
        };
        return GpusMeant { ids: among(&has), is_whole: false };
    }
    let is_whole = of_gpus.len() == asked.len();
    GpusMeant { ids, is_whole }
}

/// `4090`, and neither a memory nor a power limit.
fn is_model_number(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits >= 3 && !is_memory(word) && !word.ends_with('w')
}

/// `80gb`.
fn is_memory(word: &str) -> bool {
    let digits = word.strip_suffix("gb").unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a name in small letters: `a100`, `sxm`, `80gb`.
fn words(name: &str) -> impl Iterator<Item = String> {
    let small = name.to_ascii_lowercase();
    let words: Vec<String> = small
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && !EMPTY.contains(word))
        // The generation of the socket follows from the GPU.
        .map(|word| if word.starts_with("sxm") { "sxm".to_string() } else { word.to_string() })
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_nvidia_smi_is_one_gpu_and_a_short_one_several() {
        let known = [
            ("a10", "NVIDIA A10"),
            ("a100-pcie-40gb", "NVIDIA A100-PCIE-40GB"),
            ("a100-sxm-80gb", "NVIDIA A100-SXM-80GB"),
            ("h100-pcie-80gb", "NVIDIA H100-PCIE-80GB"),
            ("h100-sxm-80gb", "NVIDIA H100-SXM-80GB"),
            ("t4", "NVIDIA T4"),
            ("v100-sxm2-16gb", "Tesla V100-SXM2-16GB"),
            ("rtx-pro-6000-blackwell", "NVIDIA RTX PRO 6000 Blackwell Server Edition"),
        ];
        for (text, ids, is_whole) in [
            ("NVIDIA A100-PCIE-40GB", &["a100-pcie-40gb"][..], true),
            ("NVIDIA A100-SXM4-80GB", &["a100-sxm-80gb"], true),
            ("a100", &["a100-pcie-40gb", "a100-sxm-80gb"], true),
            ("A100 80GB HBM2e", &["a100-sxm-80gb"], false),
            ("NVIDIA H100 80GB HBM3", &["h100-sxm-80gb"], true),
            ("H100 PCIe", &["h100-pcie-80gb"], true),
            ("Tesla T4", &["t4"], true),
            ("nvidia_a10", &["a10"], true),
            ("Tesla V100-SXM2-16GB", &["v100-sxm2-16gb"], true),
            ("NVIDIA RTX PRO 6000 Blackwell", &["rtx-pro-6000-blackwell"], true),
            ("a100-pcie-40g", &["a100-pcie-40gb"], false),
            ("a100-pcie-80gb", &[], false),
            ("NVIDIA T4 16GB", &["t4"], false),
            ("40gb", &[], false),
            ("gtx-1080", &[], false),
            ("rtx", &["rtx-pro-6000-blackwell"], true),
            ("RTX 4090", &[], false),
            ("RTX A6000", &[], false),
            ("", &[], false),
        ] {
            let meant = GpusMeant { ids: ids.to_vec(), is_whole };
            assert_eq!(gpus_meant(known, text), meant, "{text}");
        }
    }

    #[test]
    fn submitters_names_are_one_gpu_or_told_with_those_they_may_be() {
        let known = [
            ("a100-pcie-40gb", "NVIDIA A100-PCIE-40GB"),
            ("a100-pcie-80gb", "NVIDIA A100-PCIE-80GB"),
            ("a100-sxm-40gb", "NVIDIA A100-SXM-40GB"),
            ("a100-sxm-80gb", "NVIDIA A100-SXM-80GB"),
            ("h100-nvl-94gb", "NVIDIA H100-NVL-94GB"),
            ("h100-pcie-80gb", "NVIDIA H100-PCIE-80GB"),
            ("h100-sxm-64gb", "NVIDIA H100-SXM-64GB"),
            ("h100-sxm-80gb", "NVIDIA H100-SXM-80GB"),
        ];
        for (text, meant) in [
            ("A100-SXM-80GB-500W", Ok("a100-sxm-80gb")),
            ("NVIDIA A100-SXM-80GB CTS", Ok("a100-sxm-80gb")),
            ("A100-SXM4-80GB", Ok("a100-sxm-80gb")),
            ("A100-PCIe", Ok("a100-pcie-40gb")),
            ("A100-PCIe-80GB", Ok("a100-pcie-80gb")),
            ("A100-PCIE-80GB", Ok("a100-pcie-80gb")),
            ("H100-SXM-80GB", Ok("h100-sxm-80gb")),
            ("H100-SXM5", Ok("h100-sxm-80gb")),
            ("NVIDIA H100 PCIe", Ok("h100-pcie-80gb")),
            ("NVIDIA H100 NVL", Ok("h100-nvl-94gb")),
            ("A100-SXM", Err(vec!["a100-sxm-40gb", "a100-sxm-80gb"])),
            ("A100-SXM-96GB", Err(vec!["a100-sxm-40gb", "a100-sxm-80gb"])),
            ("MI300X", Err(Vec::new())),
        ] {
            assert_eq!(submitted_gpu(known, text), meant, "{text}");
        }
    }
}
