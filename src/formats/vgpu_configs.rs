//! vgpu-device-manager's configuration: named sets of vGPUs, and the GPUs of a node that get them.
//!
//! It holds the request; whether a card can hold it is decided in `layout::fit`. The format is that
//! of NVIDIA's vgpu-device-manager, `version: v1` (github.com/NVIDIA/vgpu-device-manager,
//! api/spec/v1), which accepts no other keys.

use super::Fault;
use super::mig_parted::{device_filter_of, devices_of, named_lists};
use super::yaml::{Faults, Node, Value};
use crate::spec::names::Series;
use std::ops::Range;

/// A file: sets by name, in the order of the file.
#[derive(Clone, PartialEq, Debug)]
pub struct VgpuConfigs {
    /// The sets.
    pub configs: Vec<VgpuConfig>,
}

/// One named set.
#[derive(Clone, PartialEq, Debug)]
pub struct VgpuConfig {
    /// Its name, such as `A10-4Q`.
    pub name: String,
    /// The place of the name.
    pub span: Range<usize>,
    /// The rules, each for the GPUs that it names.
    pub rules: Vec<VgpuRule>,
}

/// A rule for some GPUs of a node.
#[derive(Clone, PartialEq, Debug)]
pub struct VgpuRule {
    /// PCI device ids of the models it is for, such as `0x223610DE`; none for all models.
    pub device_filter: Vec<String>,
    /// The GPUs by index; nothing for all of them.
    pub devices: Option<Vec<u32>>,
    /// vGPUs of each type, in the order of the file.
    pub vgpus: Vec<Vgpus>,
}

/// A number of vGPUs of a type.
#[derive(Clone, PartialEq, Debug)]
pub struct Vgpus {
    /// The type as it is written, such as `A10-4Q`.
    pub kind: String,
    /// How many, at least 1.
    pub count: u32,
    /// The place of the type.
    pub span: Range<usize>,
}

/// Most vGPUs of one type: more than any card holds, so that the reason is the card's.
const COUNT_MAX: u32 = 1000;

/// Reads one document.
pub(super) fn read(document: &Node) -> Result<(VgpuConfigs, Vec<Fault>), Vec<Fault>> {
    let faults = Faults::default();
    let found = configs(&Value::top(document, &faults));
    faults.finish(found)
}

fn configs(document: &Value<'_>) -> Option<VgpuConfigs> {
    let configs = named_lists(document, "vgpu-configs", "set", rule)?;
    let configs = configs.into_iter().map(|(name, span, rules)| VgpuConfig { name, span, rules });
    Some(VgpuConfigs { configs: configs.collect() })
}

fn rule(value: &Value<'_>) -> Option<VgpuRule> {
    let mut map = value.map()?;
    let device_filter = device_filter_of(map.get("device-filter"));
    let devices = map.need("devices", "write devices: all, or a list of indices");
    let devices = devices.and_then(|value| devices_of(&value));
    let vgpus = map.need("vgpu-devices", "write vgpu-devices: with a number for each vGPU type");
    let vgpus = vgpus.and_then(|value| vgpus_of(&value));
    map.finish();
    Some(VgpuRule { device_filter: device_filter?, devices: devices?, vgpus: vgpus? })
}

/// Types in the order of the file; a count of 0 asks for none.
fn vgpus_of(value: &Value<'_>) -> Option<Vec<Vgpus>> {
    let map = value.map()?;
    let vgpus = map.all().into_iter().map(|(key, value)| {
        let count = value.count(0..=COUNT_MAX, " vGPUs")?;
        if Series::of(&key.text).is_none() {
            let title = format!("{} is not a vGPU type", crate::suggest::quoted(&key.text));
            let allowed = "board, frame buffer and series, such as \"A10-4Q\", \"A100-1-5C\"";
            value.faults.push(Fault::at(key.span.clone(), title).allowed(allowed));
            return None;
        }
        Some(Vgpus { kind: key.text.clone(), count, span: key.span.clone() })
    });
    let vgpus: Vec<Option<Vgpus>> = vgpus.collect();
    let vgpus: Vec<Vgpus> = vgpus.into_iter().collect::<Option<_>>()?;
    Some(vgpus.into_iter().filter(|vgpus| vgpus.count > 0).collect())
}

impl VgpuRule {
    /// Whether it is for a model with these ids on the PCI bus.
    pub fn is_for(&self, pci_ids: &[u32]) -> bool {
        super::mig_parted::is_for(&self.device_filter, pci_ids)
    }
}
