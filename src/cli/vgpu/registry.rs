//! `slicewise vgpu decode` and `encode`: from an `RmPVMRL` registry word to its settings, and back.
//!
//! The bits are read and written in `layout::registry`; their meaning is explained in
//! `study::plans`.

use crate::cli::arguments::whole;
use crate::cli::{Failure, output};
use crate::config::quoted;
use crate::gpu::{POLICIES, PolicyEntry, policies};
use crate::layout::registry::{self, WordSlice};
use crate::spec::{SlicePolicy, TurnOrder};
use crate::study::plans::registry_word;
use clap::Args;

/// Arguments of `slicewise vgpu encode`.
#[derive(Args, Debug)]
pub(crate) struct EncodeArgs {
    /// The policy: best-effort, equal-share or fixed-share
    policy: String,

    /// Turns per second in strict round robin, 63 to 960 Hz [default: by the vGPU type's maximum]
    #[arg(long, value_name = "HZ", conflicts_with = "slice")]
    #[arg(value_parser = whole(63..=960u32))]
    frequency: Option<u32>,

    /// Number of turns over which overshoot is repaid, 1 to 60 [default: 33]
    #[arg(long, value_name = "N", conflicts_with = "non_strict")]
    #[arg(value_parser = whole(1..=60u32))]
    averaging_factor: Option<u32>,

    /// The order of turns before vGPU release 15: least run time next, nothing repaid
    #[arg(long)]
    non_strict: bool,

    /// Length of a turn in the non-strict order, 1 to 30 ms [default: by the vGPU type's maximum]
    #[arg(long, value_name = "MS", requires = "non_strict")]
    #[arg(value_parser = whole(1..=30u32))]
    slice: Option<u32>,

    /// Plain slices instead of the weighted scheduler (bit 3); no difference while all weights are
    /// equal
    #[arg(long)]
    plain_slices: bool,

    /// Only the GPU at this PCI address, such as 0000:3b:00.0 [default: all GPUs of the host]
    #[arg(long, value_name = "ADDRESS", value_parser = pci_address)]
    device: Option<String>,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// A PCI address: domain, bus, device and function, in hexadecimal digits.
fn pci_address(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split([':', '.']).collect();
    let widths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let hex = |part: &&str| part.chars().all(|digit| digit.is_ascii_hexdigit());
    let is_address = matches!(widths[..], [4 | 8, 2, 2, 1])
        && parts.iter().all(hex)
        && text.matches(':').count() == 2;
    if is_address { Ok(text.to_string()) } else { Err("allowed: as in 0000:3b:00.0".to_string()) }
}

/// Examples for `encode --help`.
pub(super) const ENCODE_HELP: &str = "\
Examples:
  slicewise vgpu encode equal-share --frequency 200 --averaging-factor 10
  slicewise vgpu encode fixed-share --non-strict --slice 3";

/// Runs `slicewise vgpu encode`.
pub(super) fn encode(arguments: &EncodeArgs) -> Result<(), Failure> {
    let named = policies().into_iter().find(|entry| entry.name == arguments.policy);
    let of_driver = |entry: &&'static PolicyEntry| entry.policy.is_of_driver();
    let Some(policy) = named.filter(of_driver).map(|entry| entry.policy) else {
        let names: Vec<_> = POLICIES.iter().filter(of_driver).map(|entry| entry.name).collect();
        if let Some(PolicyEntry { name, .. }) = named {
            return Err(Failure::Usage(format!(
                "no registry word is known for \"{name}\": it is not a policy of NVIDIA's driver\n  = allowed: {}",
                names.join(", ")
            )));
        }
        let shown: String =
            arguments.policy.chars().take(40).flat_map(char::escape_debug).collect();
        return Err(Failure::Usage(format!(
            "\"{shown}\" is not a time-slice policy\n  = allowed: {}",
            names.join(", ")
        )));
    };
    let set = arguments.frequency.is_some() || arguments.averaging_factor.is_some();
    let (order, slice) = match (policy, arguments.non_strict) {
        (SlicePolicy::BestEffort, non_strict) => {
            if set || non_strict || arguments.plain_slices {
                return Err(Failure::Usage(
                    "best effort has the hardware's slice and order, which no registry word sets"
                        .to_string(),
                ));
            }
            (None, WordSlice::Hardware)
        }
        (_, true) => {
            if let Some(hertz) = arguments.frequency {
                return Err(Failure::Usage(format!(
                    "a frequency belongs to strict round robin\n  = help: with --non-strict write --slice MS, 1 to 30; {hertz} Hz are {:.1} ms",
                    1000.0 / f64::from(hertz)
                )));
            }
            let slice = arguments.slice.map_or(WordSlice::Default, WordSlice::Millis);
            (Some(TurnOrder::LeastRunTime), slice)
        }
        (_, false) => {
            let default = registry::AVERAGING_FACTOR_DEFAULT;
            let averaging_factor = arguments.averaging_factor.unwrap_or(default);
            let slice = arguments.frequency.map_or(WordSlice::Default, WordSlice::Hertz);
            (Some(TurnOrder::RoundRobin { averaging_factor }), slice)
        }
    };
    let plain = if arguments.plain_slices { registry::PLAIN_SLICES } else { 0 };
    let word = registry::encode(policy, order, slice) | plain;
    let word = registry::decode(word).expect("what was encoded can be decoded");
    let answer = registry_word(&word).with_commands(arguments.device.as_deref());
    output::answer(&answer, arguments.json)
}

/// Runs `slicewise vgpu decode`.
pub(super) fn decode(word: &str, json: bool) -> Result<(), Failure> {
    let words = registry::words(word);
    let parsed = match &words[..] {
        [parsed] => *parsed,
        [] => {
            return Err(Failure::Usage(format!(
                "{} is not a registry word\n  = allowed: 32 bits, 0x0 to 0xFFFFFFFF, such as \
                 0x0103F001 or RmPVMRL=0x0103F001",
                quoted(word)
            )));
        }
        several => {
            let shown: Vec<String> = several.iter().map(|one| format!("{one:#010X}")).collect();
            return Err(Failure::Usage(format!(
                "several registry words are named\n  = allowed: one of {}",
                shown.join(", ")
            )));
        }
    };
    let decoded = registry::decode(parsed).ok_or_else(|| {
        Failure::Usage(format!(
            "{parsed:#010X} names policy {} in bits 7:4, which does not exist\n  = allowed: 0 (equal share), 1 (fixed share)",
            (parsed >> 4) & 15
        ))
    })?;
    output::answer(&registry_word(&decoded), json)
}

#[cfg(test)]
mod tests {
    use super::pci_address;

    #[test]
    fn a_pci_address_is_told_from_what_is_none() {
        assert_eq!(pci_address("0000:3b:00.0"), Ok("0000:3b:00.0".to_string()));
        for wrong in ["3b:00.0", "0000:3b:00", "0000:3g:00.0", "0000.3b.00.0", "", ":::."] {
            assert!(pci_address(wrong).is_err(), "{wrong}");
        }
    }
}
