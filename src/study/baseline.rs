//! The counterfactual: the same load, draws, settings and cards, owned whole, with no hypervisor.
//!
//! It is not the twin, a published bare-metal run with settings of its own; a scenario states that.

use crate::spec::{Experiment, Hypervisor};
use crate::units::SimDuration;

/// The same experiment without hypervisor. Every random stream draws the same numbers.
pub fn counterfactual(experiment: &Experiment) -> Experiment {
    let mut bare = experiment.clone();
    bare.hypervisor = without_costs(&experiment.hypervisor);
    for share in bare.vms.iter_mut().flat_map(|vm| &mut vm.gpus) {
        share.vgpu_type = None;
    }
    bare
}

/// A platform that costs nothing, which is what bare metal means.
fn without_costs(hypervisor: &Hypervisor) -> Hypervisor {
    let mut bare = hypervisor.clone();
    bare.id = "bare-metal".to_string();
    bare.name = "Bare metal".to_string();
    bare.virtual_gpus = false;
    bare.gpu_speed.value = 1.0;
    bare.submission_latency.value = SimDuration::ZERO;
    bare.cpu_speed.value = 1.0;
    bare
}
