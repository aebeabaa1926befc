//! A registry word as lines of name and value, then notes and commands.

use crate::gpu::policy_entry;
use crate::layout::registry::{WordSlice, slice_of_frequency};
use crate::report::width::Width;
use crate::spec::SlicePolicy;
use crate::study::plans::RegistryAnswer;

/// The word, and how to set it if requested.
pub(super) fn text(answer: &RegistryAnswer<'_>, width: Width) -> String {
    let mut text = explained(answer);
    if let Some(commands) = &answer.commands {
        text.push('\n');
        for one in commands {
            text.push_str(&format!("{}:\n  {}\n", one.on, one.command));
        }
        text.push_str(&at_once(answer));
    }
    width.fitted(&text)
}

fn explained(answer: &RegistryAnswer<'_>) -> String {
    let about = policy_entry(answer.spec.policy).about;
    let mut lines = vec![("policy", format!("{} ({about})", answer.policy))];
    if let Some(order) = answer.order {
        let what = match answer.averaging_factor {
            Some(_) => "strict: adaptive round robin, repays overshoot",
            None => "non-strict, the form before vGPU release 15",
        };
        lines.push(("order", format!("{order} ({what})")));
    }
    lines.extend(answer.averaging_factor.map(|factor| ("averaging factor", factor.to_string())));
    lines.push(("slice", slice_in_words(answer)));
    if answer.weighted == Some(false) {
        lines.push(("weights", "off: plain slices".to_string()));
    }
    let mut text = format!("RmPVMRL {}\n", answer.word);
    for (name, value) in lines {
        text.push_str(&format!("  {name:16}  {value}\n"));
    }
    for note in &answer.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

fn slice_in_words(answer: &RegistryAnswer<'_>) -> String {
    match (answer.spec.slice, &answer.slice_default_ms) {
        (WordSlice::Hertz(hertz), _) => {
            format!("{:.3} ms ({hertz} Hz)", slice_of_frequency(hertz).as_millis_f64())
        }
        (WordSlice::Millis(ms), _) => format!("{ms} ms"),
        (WordSlice::Default, Some(default)) => format!(
            "default: {:.4} ms where a card takes at most 8 vGPUs of the type, else {:.4} ms",
            default.max_per_gpu_up_to_8, default.max_per_gpu_over_8
        ),
        (WordSlice::Hardware | WordSlice::Default, _) => {
            "the hardware's, not settable (1.024 ms in driver source)".to_string()
        }
    }
}

/// The same without a reboot, in NVML's numbers; what the options are called differs by release.
fn at_once(answer: &RegistryAnswer<'_>) -> String {
    let number = match answer.spec.policy {
        SlicePolicy::BestEffort => 1,
        SlicePolicy::EqualShare => 2,
        SlicePolicy::FixedShare => 3,
        _ => {
            let policy = answer.policy;
            return format!("at once: not known, since {policy} is no policy of NVIDIA's driver\n");
        }
    };
    let mut values = vec![format!("policy {number} ({})", answer.policy)];
    values.extend(answer.averaging_factor.map(|factor| format!("averaging factor {factor}")));
    match answer.spec.slice {
        WordSlice::Hertz(hertz) => values.push(format!("frequency {hertz} Hz")),
        WordSlice::Millis(millis) => values.push(format!("time slice {millis} ms")),
        WordSlice::Hardware | WordSlice::Default => {}
    }
    format!(
        "at once, until the driver is reloaded (its -h lists the options of your release):
  nvidia-smi vgpu set-scheduler-state    with {}
",
        values.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::registry::decode;
    use crate::study::plans::registry_word;

    fn told(word: u32) -> String {
        text(&registry_word(&decode(word).unwrap()), Width::FILE)
    }

    #[test]
    fn a_word_is_explained_in_lines() {
        assert_eq!(
            told(0x0103_F001),
            "RmPVMRL 0x0103F001
  policy            equal-share (every running vGPU has 1 / (running vGPUs), with work or not)
  order             round-robin (strict: adaptive round robin, repays overshoot)
  averaging factor  1
  slice             15.873 ms (63 Hz)
"
        );
        assert!(told(0x11).contains("2.0833 ms where a card takes at most 8"));
        assert!(told(0x13).contains("default: 2.0000 ms"));
        assert!(told(0).contains("best-effort") && told(0).contains("1.024 ms"));
        let clamped = "note: slice 32 ms is out of range: 30 ms is used\n";
        assert!(told(0x0020_0003).ends_with(clamped));
        assert!(told(0x0018_0011).contains("note: before vGPU release 15"));
        // Bit 3, by the driver's header: plain slices.
        assert!(told(0x0103_F009).contains("weights           off"));
        assert!(!told(0x0103_F001).contains("weights"));
        let word = decode(0x0103_F001).unwrap();
        let set = text(&registry_word(&word).with_commands(None), Width::FILE);
        assert!(set.contains("policy 2 (equal-share), averaging factor 1, frequency 63 Hz"));
    }
}
