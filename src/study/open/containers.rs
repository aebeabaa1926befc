//! What is not known of containers in VMs: what they add to the CPU work around a batch.

use super::{Found, add};
use crate::spec::{Experiment, VmSpec};

const CONTAINERS: &str = "run the server in the VM with and without a container, and write container_overhead into `pods`";

/// What a container adds to the CPU work of a batch, where no file says it.
pub(super) fn of_containers(experiment: &Experiment, found: &mut Found) {
    let open =
        |vm: &VmSpec| vm.container_overhead.clone().filter(|overhead| overhead.range.is_some());
    let Some(overhead) = experiment.vms.iter().find_map(open) else { return };
    add(found, "container_overhead of pods".to_string(), CONTAINERS, &overhead, |part| {
        let mut other = experiment.clone();
        let pods = other.vms.iter_mut().filter_map(|vm| vm.container_overhead.as_mut());
        pods.filter(|own| own.range.is_some()).for_each(|own| own.value = *part);
        other
    });
}
