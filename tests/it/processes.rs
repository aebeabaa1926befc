//! Processes that share a card, from the scenario's text to the outcome: CUDA time slicing and MPS
//! beside best effort, and what sets them apart for a user.
//!
//! How MPS divides SMs is tested in `mps`, how turns work in `slicing`.

use crate::shared_cards::{check_shares, experiment};
use slicewise::spec::{Experiment, InstanceSharing};
use slicewise::units::SimDuration;

/// A VM of `name` that always has work of 10 ms per sample on the whole GPU; `has` is what it has of
/// the cards.
fn busy(name: &str, has: &str) -> String {
    format!(
        "\n[[vm]]\nname = \"{name}\"\nvcpus = 4\n{has}\nworkload = \"steady\"\nserver = {{ batch_max = 1 }}\n[vm.load]\nscenario = \"closed-loop\"\nclients = 12\nmin_duration = \"20 s\"\nmin_query_count = 1\n"
    )
}

fn all_busy(sharing: &str, has: &[&str]) -> Experiment {
    let vms = has.iter().enumerate().map(|(index, has)| busy(&format!("vm-{index}"), has));
    experiment(&(format!("[sharing]\n{sharing}\n") + &vms.collect::<String>()))
}

const FREE: &str = "switch_cost = \"0 ms\"";
const SLICED: &str = "process = \"time-slicing\"";
const MPS: &str = "process = \"mps\"";

/// Best effort goes by VM, CUDA time slicing by process: the second process of a pod has turns too.
#[test]
fn every_process_of_a_pod_has_turns_of_its_own() {
    let two = "process = { sharing = \"time-slicing\", count = 2 }";
    check_shares(&all_busy(FREE, &[two, SLICED]), &[2.0 / 3.0, 1.0 / 3.0]);
    let vgpu = "vgpu = { type = \"A100-20C\" }";
    check_shares(&all_busy(FREE, &[vgpu, vgpu]), &[0.5, 0.5]);
}

#[test]
fn asking_for_two_replicas_gives_no_extra_share() {
    let two = "process = { sharing = \"time-slicing\", replicas = 2 }";
    let sharing = format!("{FREE}\nreplicas = 3");
    check_shares(&all_busy(&sharing, &[two, SLICED]), &[0.5, 0.5]);
}

/// The smallest vGPU type allows ten on an A100-40; processes have no frame buffer that could run out.
#[test]
fn more_processes_share_a_card_than_vgpus_would_fit() {
    check_shares(&all_busy(FREE, &[SLICED; 12]), &[1.0 / 12.0; 12]);
}

/// T / (T + c) of the card in turns, at the hardware's 1.024 ms and the A100's 0.11 ms; all of it
/// under MPS, which switches nothing.
#[test]
fn mps_pays_for_no_switches() {
    check_shares(&all_busy("", &[SLICED; 4]), &[1.024 / 1.134 / 4.0; 4]);
    check_shares(&all_busy("assignment = \"spread\"", &[MPS; 4]), &[0.25; 4]);
}

/// A quarter of 108 SMs is 27, whether the neighbour works or not; best effort gives a lone VM all.
#[test]
fn a_thread_limit_holds_with_and_without_neighbours() {
    let quarter = "process = { sharing = \"mps\", active_threads = \"25 %\" }";
    check_shares(&all_busy("", &[quarter]), &[0.25]);
    check_shares(&all_busy("", &[quarter, quarter, MPS]), &[0.25, 0.25, 0.5]);
    // 15 % of 108 SMs are 16.2: rounded up to 17.
    let limited = all_busy("", &["process = { sharing = \"mps\", active_threads = \"15 %\" }"]);
    assert!((limited.vms[0].gpus[0].sm_limit.get() - 17.0 / 108.0).abs() < 1e-12);
}

/// Two processes in a 3g.20gb (42 of 108 SMs) and one alone in a 2g.10gb (28).
#[test]
fn processes_share_gpu_instances_too() {
    let within = |mode: &str, profile: &str| {
        format!("process = {{ sharing = \"{mode}\", mig = \"{profile}\" }}")
    };
    for mode in ["time-slicing", "mps"] {
        let (three, two) = (within(mode, "3g.20gb"), within(mode, "2g.10gb"));
        let experiment = all_busy(FREE, &[&three, &two, &three]);
        assert_eq!(experiment.cards[0].instances.len(), 2);
        check_shares(&experiment, &[21.0 / 108.0, 28.0 / 108.0, 21.0 / 108.0]);
    }
}

#[test]
fn replicas_fill_cards_or_spread_over_them() {
    let cards = |assignment: &str| -> Vec<u16> {
        let text = format!("[sharing]\nreplicas = 2\nassignment = \"{assignment}\"\n");
        let vms: String = (0..4).map(|vm| busy(&format!("vm-{vm}"), MPS)).collect();
        let experiment = crate::shared_cards::experiment_on(2, &(text + &vms));
        experiment.vms.iter().map(|vm| vm.gpus[0].card.0).collect()
    };
    assert_eq!(cards("consolidate"), [0, 0, 1, 1]);
    assert_eq!(cards("spread"), [0, 1, 0, 1]);
}

#[test]
fn compute_policies_set_the_slice() {
    let slice = |sharing: &str| match all_busy(sharing, &[SLICED]).cards[0].instances[0].sharing {
        InstanceSharing::Processes(slicing) => slicing.slice,
        other => panic!("{other:?}"),
    };
    assert_eq!(slice(""), SimDuration::from_micros(1024));
    assert_eq!(slice("compute_timeslice = \"default\""), SimDuration::from_micros(1024));
    assert_eq!(slice("compute_timeslice = \"long\""), SimDuration::from_millis(30));
    assert_eq!(slice("hardware_slice = \"2 ms\""), SimDuration::from_millis(2));
}
