//! The machine of a scenario file: `host`, its GPUs, how they are shared, and the `hypervisor`.
//!
//! Who runs on it is in `guest`.

use super::answers::Said;
use super::catalogue::Catalogue;
use super::diagnostic::{Diagnostic, Problems};
use super::entries::gpus_of;
use super::gpus::GpuFile;
use super::reader::Reader;
use super::sharing::Sharing;
use super::suggest::quoted;
use super::value::Value;
use crate::spec::{GpuSpec, HostSpec, Hypervisor};

/// The id of the hypervisor that is none.
pub(super) const BARE_METAL: &str = "bare-metal";

/// What guests run on.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) host: HostSpec,
    pub(super) gpu: GpuFile,
    /// How many cards of that model.
    pub(super) cards: u32,
    /// The card that this is about, of a machine with several.
    pub(super) only: Option<u32>,
    pub(super) hypervisor: Hypervisor,
    /// How vGPUs of one card take turns.
    pub(super) sharing: Sharing,
}

impl Machine {
    /// Reads `host`, `gpus`, `hypervisor` and `[sharing]`.
    pub(super) fn read(
        file: &mut Reader<'_>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Option<Machine> {
        let sharing = file.table("sharing").map(Sharing::read).unwrap_or_default();
        let host = file.need("host", "name a host of the catalogue, such as host = \"dell-r7525\"");
        let host = host.and_then(|value| find(&value, "host", &catalogue.hosts));
        let gpus = file.get("gpus").map(|value| gpus_of(&value));
        let hypervisor = match file.get("hypervisor") {
            Some(value) => find(&value, "hypervisor", &catalogue.hypervisors),
            None => catalogue.hypervisors.get(BARE_METAL),
        };
        let (gpu, cards) = match gpus {
            Some(gpus) => {
                gpus.and_then(|(model, count)| Some((find_gpu(&model, catalogue)?, count)))?
            }
            None => host.and_then(|host| Some((catalogue.gpus.get(&host.gpus.0)?, host.gpus.1)))?,
        };
        if let Some(host) = host {
            file.silent("gpus", || Said::new("host", &host.spec.id));
        }
        file.silent("hypervisor", || Said::default("none"));
        let of_gpu = &gpu.spec;
        file.silent("sharing.switch_cost", || Said::fact("gpu", &of_gpu.id, &of_gpu.switch_cost));
        for key in ["sharing.hardware_slice", "sharing.compute_timeslice"] {
            let slice = &of_gpu.time_slice_best_effort;
            file.silent(key, || Said::fact("gpu", &of_gpu.id, slice));
        }
        file.silent("sharing.slice", || Said::default("by the vGPU type's maximum per card"));
        sharing.check(&gpu.spec, problems);
        Some(Machine {
            sharing,
            host: host?.spec.clone(),
            gpu: gpu.clone(),
            cards,
            only: None,
            hypervisor: hypervisor?.clone(),
        })
    }

    /// The same machine without hypervisor.
    pub(super) fn bare(&self, catalogue: &Catalogue) -> Option<Machine> {
        let hypervisor = catalogue.hypervisors.get(BARE_METAL)?.clone();
        Some(Machine { hypervisor, ..self.clone() })
    }

    /// The same machine with this one card.
    pub(super) fn card(&self, card: u32) -> Machine {
        Machine { cards: 1, only: Some(card), ..self.clone() }
    }

    /// How many of which card: `3 x a100-pcie-40gb`; `GPU 2 (a100-pcie-40gb)` of one among several.
    pub(super) fn cards_in_words(&self) -> String {
        match self.only {
            Some(card) => format!("GPU {card} ({})", self.gpu.spec.id),
            None => format!("{} x {}", self.cards, self.gpu.spec.id),
        }
    }
}

/// The catalogue entry a value names.
pub(super) fn find<'c, T>(
    value: &Value<'_>,
    what: &str,
    known: &'c std::collections::BTreeMap<String, T>,
) -> Option<&'c T> {
    let word = value.text()?;
    let found = known.get(word);
    if found.is_none() {
        value.unknown(what, word, known.keys());
    }
    found
}

/// The GPU a value names.
pub(super) fn find_gpu<'c>(value: &Value<'_>, catalogue: &'c Catalogue) -> Option<&'c GpuFile> {
    let word = value.text()?;
    let found = catalogue.gpus.get(word);
    if found.is_none() {
        let known: Vec<&GpuSpec> = catalogue.gpus().collect();
        let title = format!("unknown GPU {}", quoted(word));
        let ids: Vec<&str> = known.iter().map(|gpu| gpu.id.as_str()).collect();
        let diagnostic = Diagnostic::at(&value.spot(), title).of_form().allowed(ids.join(", "));
        value.report(match catalogue.gpu_help(word, &known) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
    found
}
