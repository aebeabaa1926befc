//! Names of vGPU types, and the meaning of the series letter.
//!
//! Spellings: `A100-20C` (NVIDIA's tables), `NVIDIA A100-20C` and `GRID A100-20C` (nvidia-smi, KVM
//! hosts), `grid_a100-20c` and `nvidia_a100-20c` (vSphere), `nvidia.com/GRID_A100-20C` (Kubernetes).

use crate::spec::{GpuSpec, VgpuType};

/// The type that a name means on a GPU, as index into its types; nothing where it has no such type.
/// The vendor's name of the board may come before it: `NVIDIA RTX Pro 6000 Blackwell DC-48Q`.
pub fn find_type(gpu: &GpuSpec, text: &str) -> Option<usize> {
    let text = plain(text);
    let position = |name: &str| {
        let is_it = |vgpu: &VgpuType| vgpu.name.eq_ignore_ascii_case(name);
        gpu.vgpu_types.iter().position(is_it)
    };
    position(&text).or_else(|| {
        let (board, name) = text.rsplit_once(' ')?;
        let vendor = gpu.name.to_ascii_lowercase();
        let is_of_board = |word: &str| vendor.split_whitespace().any(|known| known == word);
        board.split_whitespace().all(is_of_board).then(|| position(name)).flatten()
    })
}

/// Whether it is a host's own number for a type, `nvidia-474`: no table lists the types of these
/// numbers.
pub fn is_host_number(text: &str) -> bool {
    let number = text.trim().to_ascii_lowercase();
    let number = number.strip_prefix("nvidia-").unwrap_or("");
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// In small letters, without what programs write before a name, blanks for their underscores.
fn plain(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase().replace('_', " ");
    let text = text.strip_prefix("nvidia.com/").unwrap_or(&text);
    let mut text = text.trim_start();
    for vendor in ["nvidia", "grid"] {
        let rest = text.strip_prefix(vendor).and_then(|rest| rest.strip_prefix([' ', '-']));
        text = rest.unwrap_or(text).trim_start();
    }
    text.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::names::Series;

    #[test]
    fn a_series_is_the_letter_behind_the_frame_buffer() {
        for (name, series) in [
            ("A100-20C", Some(Series::C)),
            ("A100-1-5CME", Some(Series::C)),
            ("a10-24q", Some(Series::Q)),
            ("RTX6000-Ada-8Q", Some(Series::Q)),
            ("T4-2B4", Some(Series::B)),
            ("T4-1A", Some(Series::A)),
            ("T4", None),
            ("T4-A", None),
            ("T4-16", None),
            ("T4-16X", None),
        ] {
            assert_eq!(Series::of(name), series, "{name}");
        }
    }

    #[test]
    fn a_number_of_a_host_is_no_name() {
        assert!(is_host_number("nvidia-474") && is_host_number("NVIDIA-1"));
        assert!(!is_host_number("nvidia-") && !is_host_number("nvidia-a100-20c"));
        assert_eq!(plain("NVIDIA GRID_A100-20C"), "a100-20c");
        assert_eq!(plain("nvidia.com/GRID_A100-20C"), "a100-20c");
    }
}
