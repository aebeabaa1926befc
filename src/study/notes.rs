//! What sharing between processes means beyond its figures: whole sentences for every report.
//!
//! What is uncertain about a figure is said where the figure is made.

use crate::spec::{Experiment, InstanceSharing};

/// What a reader must know about the ways of sharing in an experiment; each sentence once.
pub(super) fn of_sharing(experiment: &Experiment) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let mut add = |note: String| {
        if !notes.contains(&note) {
            notes.push(note);
        }
    };
    for card in &experiment.cards {
        for instance in &card.instances {
            match instance.sharing {
                InstanceSharing::Alone | InstanceSharing::Vgpus(_) => {}
                InstanceSharing::Mps => add(
                    "MPS isolates no errors: a fatal fault of one client ends all clients of its GPU; memory bandwidth is not divided either, and how clients slow each other there is not modelled".to_string(),
                ),
                InstanceSharing::Processes(slicing) => {
                    add("CUDA time slicing isolates neither memory nor errors: processes that allocate more than the GPU has fail, whoever asks last; every process has turns of its own, however many replicas its pod asked for".to_string());
                    let own = card.gpu.time_slice_best_effort.value;
                    if slicing.slice != own {
                        add(format!(
                            "a slice of {} is not the {own} of {}: NVIDIA publishes no times for its compute policies, short, medium and long are assumed",
                            slicing.slice, card.gpu.id
                        ));
                    }
                }
            }
        }
    }
    notes
}
