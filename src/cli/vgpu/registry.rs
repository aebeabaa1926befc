//! `slicewise vgpu decode` and `encode`: what an `RmPVMRL` registry word says, and the word that says
//! it.
//!
//! How the bits are read and written is in `layout::registry`; here it is only told.

use crate::cli::{Failure, output};
use crate::config::quoted;
use crate::gpu::POLICIES;
use crate::layout::registry::{self, RegistryWord, WordSlice, default_slice};
use crate::spec::{SlicePolicy, TurnOrder};
use clap::Args;
use serde_json::{Value, json};

/// What `slicewise vgpu encode` takes.
#[derive(Args, Debug)]
pub(crate) struct EncodeArgs {
    /// The policy: best-effort, equal-share or fixed-share
    policy: String,

    /// Turns per second in strict round robin, 63 to 960 Hz [default: by the vGPU type's maximum]
    #[arg(long, value_name = "HZ", conflicts_with = "slice")]
    #[arg(value_parser = clap::value_parser!(u32).range(63..=960))]
    frequency: Option<u32>,

    /// Over how many turns overshoot is repaid, 1 to 60 [default: 33]
    #[arg(long, value_name = "N", conflicts_with = "non_strict")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60))]
    averaging_factor: Option<u32>,

    /// The order of turns before vGPU release 15: least run time next, nothing repaid
    #[arg(long)]
    non_strict: bool,

    /// Length of a turn in the non-strict order, 1 to 30 ms [default: by the vGPU type's maximum]
    #[arg(long, value_name = "MS", requires = "non_strict")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=30))]
    slice: Option<u32>,

    /// Plain slices instead of the weighted scheduler (bit 3); no difference while weights are alike
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
    let named = POLICIES.iter().find(|entry| entry.name == arguments.policy);
    let Some(policy) = named.map(|entry| entry.policy) else {
        let names: Vec<_> = POLICIES.iter().map(|entry| entry.name).collect();
        let shown: String =
            arguments.policy.chars().take(40).flat_map(char::escape_debug).collect();
        return Err(Failure::Usage(format!(
            "\"{shown}\" is no time-slice policy\n  = allowed: {}",
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
    let commands = commands(&word, arguments.device.as_deref());
    if arguments.json {
        let mut document = document(&word);
        document["commands"] = commands
            .iter()
            .map(|(place, command)| json!({ "on": place, "command": command }))
            .collect();
        return output::data(&format!("{document:#}\n"));
    }
    let lines = commands.iter().map(|(place, command)| format!("{place}:\n  {command}\n"));
    let text = format!("{}\n{}{}", text(&word), lines.collect::<String>(), at_once(&word));
    output::data(&output::fitted(&text))
}

/// How the word is set on a host; it takes a reboot (NVIDIA vGPU user guide, chapter on scheduling).
fn commands(word: &RegistryWord, device: Option<&str>) -> Vec<(String, String)> {
    let (gpus, setting) = match device {
        None => ("all its GPUs", format!("NVreg_RegistryDwords=\"RmPVMRL={:#010X}\"", word.word)),
        Some(address) => (
            "this GPU",
            format!("NVreg_RegistryDwordsPerDevice=\"pci={address};RmPVMRL={:#010X}\"", word.word),
        ),
    };
    let bare = setting.replace('"', "");
    vec![
        (
            format!("on an ESXi host, for {gpus}, then reboot"),
            format!("esxcli system module parameters set -m nvidia -p \"{bare}\""),
        ),
        (
            format!("on a Linux KVM host, for {gpus}, in /etc/modprobe.d/nvidia.conf, then reboot"),
            format!("options nvidia {setting}"),
        ),
    ]
}

/// The same without a reboot, in NVML's numbers; what the options are called differs by release.
fn at_once(word: &RegistryWord) -> String {
    let number = match word.policy {
        SlicePolicy::BestEffort => 1,
        SlicePolicy::EqualShare => 2,
        SlicePolicy::FixedShare => 3,
    };
    let mut values = vec![format!("policy {number} ({})", policy_name(word.policy))];
    if let Some(TurnOrder::RoundRobin { averaging_factor }) = word.order {
        values.push(format!("averaging factor {averaging_factor}"));
    }
    match word.slice {
        WordSlice::Hertz(hertz) => values.push(format!("frequency {hertz} Hz")),
        WordSlice::Millis(millis) => values.push(format!("time slice {millis} ms")),
        WordSlice::Hardware | WordSlice::Default => {}
    }
    format!(
        "at once, until the driver is loaded anew (its -h lists the options of your release):
  nvidia-smi vgpu set-scheduler-state    with {}
",
        values.join(", ")
    )
}

/// Runs `slicewise vgpu decode`.
pub(super) fn decode(word: &str, json: bool) -> Result<(), Failure> {
    let words = registry::words(word);
    let parsed = match &words[..] {
        [parsed] => *parsed,
        [] => {
            return Err(Failure::Usage(format!(
                "{} is no registry word\n  = allowed: 32 bits, 0x0 to 0xFFFFFFFF, such as 0x0103F001 or RmPVMRL=0x0103F001",
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
    if json {
        return output::data(&format!("{:#}\n", document(&decoded)));
    }
    output::data(&output::fitted(&text(&decoded)))
}

/// The word in lines of name and value, then notes.
fn text(word: &RegistryWord) -> String {
    let mut lines =
        vec![("policy", format!("{} ({})", policy_name(word.policy), about(word.policy)))];
    if let Some(order) = word.order {
        let what = match order {
            TurnOrder::RoundRobin { .. } => "strict: adaptive round robin, repays overshoot",
            TurnOrder::LeastRunTime => "non-strict, the form before vGPU release 15",
        };
        lines.push(("order", format!("{} ({what})", order_name(order))));
        if let TurnOrder::RoundRobin { averaging_factor } = order {
            lines.push(("averaging factor", averaging_factor.to_string()));
        }
    }
    lines.push(("slice", slice_in_words(word)));
    if word.order.is_some() && !word.is_weighted {
        lines.push(("weights", "off: plain slices".to_string()));
    }
    let mut text = format!("RmPVMRL {:#010X}\n", word.word);
    for (name, value) in lines {
        text.push_str(&format!("  {name:16}  {value}\n"));
    }
    for note in notes(word) {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

fn slice_in_words(word: &RegistryWord) -> String {
    let millis = |order, most| format!("{:.4} ms", default_slice(order, most).as_millis_f64());
    match (word.slice, word.order) {
        (WordSlice::Hertz(hertz), _) => {
            format!("{:.3} ms ({hertz} Hz)", registry::slice_of_frequency(hertz).as_millis_f64())
        }
        (WordSlice::Millis(ms), _) => format!("{ms} ms"),
        (WordSlice::Default, Some(order)) => format!(
            "default: {} where a card takes at most 8 vGPUs of the type, else {}",
            millis(order, 8),
            millis(order, 9)
        ),
        (WordSlice::Hardware | WordSlice::Default, _) => {
            "the hardware's, not settable (1.024 ms in driver source)".to_string()
        }
    }
}

/// What was clamped, then what may be misread.
fn notes(word: &RegistryWord) -> Vec<String> {
    let clamped = word.clamped.iter().map(|one| {
        format!(
            "{} {}{} is out of range: {}{} is used",
            one.field, one.written, one.unit, one.used, one.unit
        )
    });
    clamped.chain(word.notes.iter().cloned()).collect()
}

fn document(word: &RegistryWord) -> Value {
    let (slice_ms, hertz) = match word.slice {
        WordSlice::Hertz(hertz) => (word.slice.length(), Some(hertz)),
        _ => (word.slice.length(), None),
    };
    let default_ms = word.order.filter(|_| word.slice == WordSlice::Default).map(|order| {
        let millis = |most| default_slice(order, most).as_millis_f64();
        json!({ "max_per_gpu_up_to_8": millis(8), "max_per_gpu_over_8": millis(9) })
    });
    json!({
        "word": format!("{:#010X}", word.word),
        "policy": policy_name(word.policy),
        "order": word.order.map(order_name),
        "averaging_factor": match word.order {
            Some(TurnOrder::RoundRobin { averaging_factor }) => Some(averaging_factor),
            _ => None,
        },
        "slice_ms": slice_ms.map(|slice| slice.as_millis_f64()),
        "frequency_hz": hertz,
        "slice_default_ms": default_ms,
        "weighted": word.order.map(|_| word.is_weighted),
        "notes": notes(word),
    })
}

fn policy_name(policy: SlicePolicy) -> &'static str {
    entry(policy).name
}

fn about(policy: SlicePolicy) -> &'static str {
    entry(policy).about
}

fn entry(policy: SlicePolicy) -> &'static crate::gpu::PolicyEntry {
    POLICIES.iter().find(|entry| entry.policy == policy).expect("every policy has an entry")
}

fn order_name(order: TurnOrder) -> &'static str {
    match order {
        TurnOrder::RoundRobin { .. } => "round-robin",
        TurnOrder::LeastRunTime => "least-run-time",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(word: u32) -> String {
        text(&registry::decode(word).unwrap())
    }

    #[test]
    fn a_word_is_explained_in_lines() {
        assert_eq!(
            explained(0x0103_F001),
            "RmPVMRL 0x0103F001
  policy            equal-share (every running vGPU has 1 / (running vGPUs), with work or not)
  order             round-robin (strict: adaptive round robin, repays overshoot)
  averaging factor  1
  slice             15.873 ms (63 Hz)
"
        );
        assert!(explained(0x11).contains("2.0833 ms where a card takes at most 8"));
        assert!(explained(0x13).contains("default: 2.0000 ms"));
        assert!(explained(0).contains("best-effort") && explained(0).contains("1.024 ms"));
        let clamped = "note: slice 32 ms is out of range: 30 ms is used\n";
        assert!(explained(0x0020_0003).ends_with(clamped));
        assert!(explained(0x0018_0011).contains("note: before vGPU release 15"));
        // Bit 3, by the driver's header: plain slices.
        assert!(explained(0x0103_F009).contains("weights           off"));
        assert!(!explained(0x0103_F001).contains("weights"));
    }

    #[test]
    fn commands_set_the_word_for_all_gpus_or_for_one() {
        let word = registry::decode(0x0103_F001).unwrap();
        let lines = |device| -> Vec<String> {
            commands(&word, device).into_iter().map(|(_, command)| command).collect()
        };
        // The two forms of the vGPU user guide.
        assert_eq!(
            lines(None)[0],
            "esxcli system module parameters set -m nvidia -p \"NVreg_RegistryDwords=RmPVMRL=0x0103F001\""
        );
        assert_eq!(
            lines(Some("0000:3b:00.0"))[0],
            "esxcli system module parameters set -m nvidia -p \"NVreg_RegistryDwordsPerDevice=pci=0000:3b:00.0;RmPVMRL=0x0103F001\""
        );
        assert!(
            at_once(&word).contains("policy 2 (equal-share), averaging factor 1, frequency 63 Hz")
        );
        assert_eq!(pci_address("0000:3b:00.0"), Ok("0000:3b:00.0".to_string()));
        for wrong in ["3b:00.0", "0000:3b:00", "0000:3g:00.0", "0000.3b.00.0", "", ":::."] {
            assert!(pci_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_document_carries_units_in_its_keys() {
        let value = document(&registry::decode(0x0A0C_8001).unwrap());
        assert_eq!(value["slice_ms"], 5.0);
        assert_eq!(value["frequency_hz"], 200);
        assert_eq!(value["order"], "round-robin");
        let value = document(&registry::decode(0x1).unwrap());
        assert_eq!(value["slice_ms"], Value::Null);
        assert_eq!(value["slice_default_ms"]["max_per_gpu_over_8"], 1.041_667);
    }
}
