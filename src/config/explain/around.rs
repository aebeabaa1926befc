//! What an explanation tells of a cluster, of operations and power, and of what VMs and pods do together.

use super::Reading;
use super::notes::{Notes, Section};
use crate::config::scenario::balanced_keys::{BalanceKeys, ReplicaKeys};
use crate::config::scenario::guest::Guest;
use crate::config::scenario::operations_keys::{OperationsKeys, RestartKeys};
use crate::config::scenario::pods::PodsKeys;
use crate::config::scenario::power_keys::PowerKeys;

impl Reading<'_> {
    /// The hosts of a cluster and how VMs are placed on them, as written.
    pub(super) fn cluster(notes: &Notes<'_>) -> Section {
        let mut section = Section::new("cluster");
        ["host.", "placement.", "rule."].iter().for_each(|above| section.add_each(notes, above));
        section
    }

    /// Operations and how long they take.
    pub(super) fn operations(&self, notes: &Notes<'_>) -> Option<Section> {
        let mut section = Section::new("operations");
        section.add_each(notes, "operations.");
        if let Some(timeline) = &self.experiment().timeline {
            if !notes.stands("operations.window") {
                section.add(notes, "", "operations.window", timeline.window);
            }
            let paths = ("operations.", "operations.");
            section.add_defaults(notes, paths, OperationsKeys::keys());
        }
        section.add_each(notes, "operation.");
        (!section.values.is_empty()).then_some(section)
    }

    /// What hosts without VMs do.
    pub(super) fn power(&self, notes: &Notes<'_>) -> Option<Section> {
        let mut section = Section::new("power");
        section.add_each(notes, "power.");
        if self.experiment().power.is_some() {
            section.add_defaults(notes, ("power.", "power."), PowerKeys::keys());
        }
        (!section.values.is_empty()).then_some(section)
    }

    /// What holds where the file does not say it, of keys that act on this VM.
    pub(super) fn defaults_of_vm(&self, guest: &Guest, notes: &Notes<'_>, section: &mut Section) {
        if self.experiment().timeline.is_some() {
            section.add_defaults(notes, ("vm.", ""), RestartKeys::keys());
        }
        if let Some(balanced) = &guest.balanced {
            section.add_defaults(notes, ("vm.", ""), BalanceKeys::keys());
            if balanced.replicas.is_some() {
                section.add_defaults(notes, ("vm.replicas.", "replicas."), ReplicaKeys::keys());
            }
        }
        if let Some(pods) = &guest.pods {
            let mut keys = PodsKeys::keys();
            keys.retain(|key| pods.has(key.name));
            section.add_defaults(notes, ("vm.pods.", "pods."), keys);
        }
    }
}
