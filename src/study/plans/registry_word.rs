//! The meaning of an `RmPVMRL` registry word, and how to set it on a host.
//!
//! How the bits are read and written is in `layout::registry`.

use crate::gpu::policy_entry;
use crate::layout::registry::{RegistryWord, WordSlice, default_slice};
use crate::spec::TurnOrder;
use serde::Serialize;

/// The answer of `slicewise vgpu decode` and `encode`.
#[derive(Clone, Debug, Serialize)]
pub struct RegistryAnswer<'a> {
    /// The word in hexadecimal digits.
    pub word: String,
    /// The time-slice policy.
    pub policy: &'static str,
    /// The order of turns; nothing under best effort.
    pub order: Option<&'static str>,
    /// Over how many turns overshoot is repaid.
    pub averaging_factor: Option<u32>,
    /// Length of a turn in milliseconds; nothing where the word leaves it to the default.
    pub slice_ms: Option<f64>,
    /// Turns per second, where the word names them.
    pub frequency_hz: Option<u32>,
    /// The default length of a turn, where the word leaves it to that.
    pub slice_default_ms: Option<DefaultSlices>,
    /// Whether the weighted scheduler is on.
    pub weighted: Option<bool>,
    /// Fields that were out of range, then points that are easily misread.
    pub notes: Vec<String>,
    /// How to set the word on a host, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<SettingCommand>>,
    /// The word itself.
    #[serde(skip)]
    pub spec: &'a RegistryWord,
}

/// Default lengths of a turn in milliseconds, by the maximum number of vGPUs of the type per card.
#[derive(Clone, Debug, Serialize)]
pub struct DefaultSlices {
    /// Up to 8.
    pub max_per_gpu_up_to_8: f64,
    /// More.
    pub max_per_gpu_over_8: f64,
}

/// How to set a word.
#[derive(Clone, Debug, Serialize)]
pub struct SettingCommand {
    /// On which host, and for which GPUs.
    pub on: String,
    /// The command, or the line of a file.
    pub command: String,
}

/// A word explained.
pub fn registry_word(spec: &RegistryWord) -> RegistryAnswer<'_> {
    let millis = |order, most| default_slice(order, most).as_millis_f64();
    let order = spec.order.filter(|_| spec.slice == WordSlice::Default);
    let clamped = spec.clamped.iter().map(|one| {
        format!(
            "{} {}{} is out of range: {}{} is used",
            one.field, one.written, one.unit, one.used, one.unit
        )
    });
    RegistryAnswer {
        word: format!("{:#010X}", spec.word),
        policy: policy_entry(spec.policy).name,
        order: spec.order.map(|order| match order {
            TurnOrder::RoundRobin { .. } => "round-robin",
            TurnOrder::LeastRunTime => "least-run-time",
        }),
        averaging_factor: match spec.order {
            Some(TurnOrder::RoundRobin { averaging_factor }) => Some(averaging_factor),
            _ => None,
        },
        slice_ms: spec.slice.length().map(|slice| slice.as_millis_f64()),
        frequency_hz: match spec.slice {
            WordSlice::Hertz(hertz) => Some(hertz),
            _ => None,
        },
        slice_default_ms: order.map(|order| DefaultSlices {
            max_per_gpu_up_to_8: millis(order, 8),
            max_per_gpu_over_8: millis(order, 9),
        }),
        weighted: spec.order.map(|_| spec.is_weighted),
        notes: clamped.chain(spec.notes.iter().cloned()).collect(),
        commands: None,
        spec,
    }
}

impl RegistryAnswer<'_> {
    /// Adds the commands that set the word for all GPUs of a host, or for the one at this PCI
    /// address; this takes a reboot (NVIDIA vGPU user guide, chapter on scheduling).
    pub fn with_commands(self, device: Option<&str>) -> Self {
        let word = &self.word;
        let (gpus, setting) = match device {
            None => ("all its GPUs", format!("NVreg_RegistryDwords=\"RmPVMRL={word}\"")),
            Some(address) => (
                "this GPU",
                format!("NVreg_RegistryDwordsPerDevice=\"pci={address};RmPVMRL={word}\""),
            ),
        };
        let bare = setting.replace('"', "");
        let esxi = SettingCommand {
            on: format!("on an ESXi host, for {gpus}, then reboot"),
            command: format!("esxcli system module parameters set -m nvidia -p \"{bare}\""),
        };
        let kvm = SettingCommand {
            on: format!(
                "on a Linux KVM host, for {gpus}, in /etc/modprobe.d/nvidia.conf, then reboot"
            ),
            command: format!("options nvidia {setting}"),
        };
        Self { commands: Some(vec![esxi, kvm]), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::registry::decode;

    #[test]
    fn commands_set_the_word_for_all_gpus_or_for_one() {
        let word = decode(0x0103_F001).unwrap();
        let esxi = |device| {
            let commands = registry_word(&word).with_commands(device).commands.unwrap();
            commands[0].command.clone()
        };
        // The two forms of the vGPU user guide.
        assert_eq!(
            esxi(None),
            "esxcli system module parameters set -m nvidia -p \"NVreg_RegistryDwords=RmPVMRL=0x0103F001\""
        );
        assert_eq!(
            esxi(Some("0000:3b:00.0")),
            "esxcli system module parameters set -m nvidia -p \"NVreg_RegistryDwordsPerDevice=pci=0000:3b:00.0;RmPVMRL=0x0103F001\""
        );
    }

    #[test]
    fn the_document_carries_units_in_its_keys() {
        let value = |word| serde_json::to_value(registry_word(&decode(word).unwrap())).unwrap();
        let set = value(0x0A0C_8001);
        assert_eq!(set["slice_ms"], 5.0);
        assert_eq!(set["frequency_hz"], 200);
        assert_eq!(set["order"], "round-robin");
        let default = value(0x1);
        assert_eq!(default["slice_ms"], serde_json::Value::Null);
        assert_eq!(default["slice_default_ms"]["max_per_gpu_over_8"], 1.041_667);
    }
}
