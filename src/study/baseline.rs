//! The counterfactual: the same load, draws, settings and cards, owned whole, with no hypervisor.
//!
//! It is not the twin, a published bare-metal run with settings of its own; a scenario states that.

use crate::spec::{CardSpec, Experiment, GpuId, GpuShare, Hypervisor};
use crate::units::{Share, SimDuration};

/// The same experiment without hypervisor: for each vGPU, GPU instance or card that a guest had of
/// the cards, a whole card of its own. Every random stream draws the same numbers.
pub fn counterfactual(experiment: &Experiment) -> Experiment {
    let mut bare = experiment.clone();
    bare.hypervisor = without_costs(&experiment.hypervisor);
    bare.cards.clear();
    for share in bare.vms.iter_mut().flat_map(|vm| &mut vm.gpus) {
        let gpu = &experiment.cards[usize::from(share.card.0)].gpu;
        let card = GpuId(bare.cards.len() as u16);
        bare.cards.push(CardSpec::whole(gpu.clone()));
        *share = GpuShare { card, instance: 0, vgpu_type: None, sm_limit: Share::WHOLE };
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
    bare.gpu_speed_range = None;
    bare.submission_latency.value = SimDuration::ZERO;
    bare.cpu_speed.value = 1.0;
    bare
}
