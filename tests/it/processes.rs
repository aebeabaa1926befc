//! Processes that share a card, from the scenario's text to the outcome: CUDA time slicing and MPS
//! beside best effort, and what sets them apart for a user.
//!
//! How MPS divides SMs is tested in `mps`, how turns work in `slicing`.

use crate::open::run;
use crate::shared_cards::{check_shares, experiment};
use slicewise::platform::{VmOutcome, simulate};
use slicewise::spec::{Experiment, Footprint, InstanceSharing};
use slicewise::study::counterfactuals;
use slicewise::units::{Bytes, SimDuration};

/// A VM of `name` that always has work of 10 ms per sample on the whole GPU; `has` is what it has of
/// the cards.
fn busy(name: &str, has: &str) -> String {
    // Under MPS a graph would take longer to launch.
    let launches = if has.contains("mps") { "kernels" } else { "graph" };
    format!("\n[[vm]]\nname = \"{name}\"\nvcpus = 4\n{has}\n{}", busy_served(launches))
}

/// Work of 10 ms per sample without end.
pub(crate) fn busy_served(launches: &str) -> String {
    format!(
        "workload = \"steady\"\nserver = {{ batch_max = 1, launches = \"{launches}\" }}\n[vm.load]\nscenario = \"closed-loop\"\nclients = 12\nmin_duration = \"20 s\"\nmin_query_count = 1\n"
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

/// Half of 108 SMs is 54, whether the neighbour works or not; best effort gives a lone VM all. Limits
/// round down to pairs of SMs.
#[test]
fn a_thread_limit_holds_with_and_without_neighbours() {
    let half = "process = { sharing = \"mps\", active_threads = \"50 %\" }";
    check_shares(&all_busy("", &[half]), &[0.5]);
    check_shares(&all_busy("", &[half, half]), &[0.5, 0.5]);
    // 25 % of 108 SMs are 27: 26 of them.
    let quarter = "process = { sharing = \"mps\", active_threads = \"25 %\" }";
    let (limit, rest) = (26.0 / 108.0, 56.0 / 108.0);
    check_shares(&all_busy("", &[quarter, quarter, MPS]), &[limit, limit, rest]);
    // 15 % are 16.2, 100 % all of them, and 1 % a pair.
    for (percent, sms) in [(15, 16.0), (100, 108.0), (1, 2.0)] {
        let has = format!("process = {{ sharing = \"mps\", active_threads = \"{percent} %\" }}");
        let limited = all_busy("", &[&has]);
        assert!((limited.vms[0].gpus[0].sm_limit.get() - sms / 108.0).abs() < 1e-12);
    }
}

/// An A100 has 27 chunks of 4 SMs. A partition is a client's own, busy or not, and the sum of them goes
/// into the card: three of nine chunks each fill one, so a fourth has a card of its own.
#[test]
fn a_static_partition_is_a_part_of_the_card() {
    let chunks = |count: u32| format!("process = {{ sharing = \"mps\", sm_chunks = {count} }}");
    let (nine, three) = (chunks(9), chunks(3));
    check_shares(&all_busy("", &[&nine]), &[36.0 / 108.0]);
    check_shares(&all_busy("", &[&nine, &three]), &[36.0 / 108.0, 12.0 / 108.0]);
    let vms: String = (0..4).map(|vm| busy(&format!("vm-{vm}"), &nine)).collect();
    let experiment = crate::shared_cards::experiment_on(2, &vms);
    let cards: Vec<u16> = experiment.vms.iter().map(|vm| vm.gpus[0].card.0).collect();
    assert_eq!(cards, [0, 0, 0, 1]);
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

/// A VM as [`busy`], whose server is so many processes with a stream each.
fn of_processes(name: &str, has: &str, processes: u32) -> String {
    let server = format!("server = {{ batch_max = 1, processes = {processes},");
    busy(name, has).replace("server = { batch_max = 1,", &server)
}

const VGPU: &str = "vgpu = { type = \"A100-20C\" }";

/// Beside a VM with one process a VM with two has half of the card if VMs take turns, and two thirds
/// if processes do.
#[test]
fn turns_go_to_vms_or_to_their_processes() {
    let vms = of_processes("a", VGPU, 2) + &busy("b", VGPU);
    let with = |turns: &str| experiment(&format!("[sharing]\n{FREE}\nturns = \"{turns}\"\n{vms}"));
    check_shares(&with("vm"), &[0.5, 0.5]);
    check_shares(&with("process"), &[2.0 / 3.0, 1.0 / 3.0]);
    let by_default = experiment(&format!("[sharing]\n{FREE}\n{vms}"));
    check_shares(&by_default, &[0.5, 0.5]);
}

/// With one process in each VM both are the same turns: every latency is.
#[test]
fn turns_of_vms_with_one_process_are_those_of_their_processes() {
    let with = |turns: &str| {
        let text =
            format!("[sharing]\nturns = \"{turns}\"\n{}{}", busy("a", VGPU), busy("b", VGPU));
        let outcome = simulate(&experiment(&text));
        let latencies = |vm: &VmOutcome| format!("{:?}", vm.recorder.latencies());
        outcome.vms.iter().map(latencies).collect::<Vec<_>>()
    };
    assert_eq!(with("vm"), with("process"));
}

/// Alone on a card two processes take turns as well, in a VM as on bare metal: T / (T + c) of it,
/// with the A100's T = 1.024 ms and c = 0.11 ms between processes. A batch of 10 ms spans slices, and
/// each process always has one behind the running one.
#[test]
fn processes_of_one_server_take_turns_on_a_card_of_its_own() {
    let alone = experiment(&of_processes("a", "gpus = 1", 2));
    check_shares(&alone, &[1.024 / 1.134]);
    for (_, bare) in counterfactuals(&alone) {
        check_shares(&bare, &[1.024 / 1.134]);
    }
    check_shares(&experiment(&of_processes("a", "gpus = 1", 1)), &[1.0]);
}

/// Each process under MPS is a client with the limit of its own: two of half the SMs have them all.
#[test]
fn a_thread_limit_is_of_each_process() {
    let half = "process = { sharing = \"mps\", active_threads = \"50 %\" }";
    check_shares(&experiment(&of_processes("a", half, 2)), &[1.0]);
}

/// Results name the p99 under the other reading where, and only where, the two differ.
#[test]
fn results_give_p99_under_turns_of_vms_and_of_processes() {
    let options = |processes: u32, turns: &str| {
        let vms = of_processes("a", VGPU, processes) + &busy("b", VGPU);
        let results = run(experiment(&format!("[sharing]\nturns = \"{turns}\"\n{vms}")));
        let alternatives = results.runs[0].alternatives.iter();
        let options = alternatives.map(|other| (other.option.clone(), other.latency_p99_ms[0]));
        options.filter(|(option, _)| option.starts_with("turns")).collect::<Vec<_>>()
    };
    assert!(options(1, "vm").is_empty());
    let (vm, process) = (options(2, "vm"), options(2, "process"));
    assert_eq!(
        (vm[0].0.as_str(), process[0].0.as_str()),
        ("turns = \"process\"", "turns = \"vm\"")
    );
    // A third more of the card: the VM of two processes waits less by a fourth.
    let ratio = vm[0].1 / process[0].1;
    assert!((ratio - 0.75).abs() < 0.03, "{ratio}");
}

/// Every process loads the weights.
#[test]
fn every_process_has_its_own_weights() {
    let need = |processes: u32| {
        let experiment = experiment(&of_processes("a", VGPU, processes));
        Footprint::of(&experiment.vms[0]).need
    };
    assert_eq!(need(2), need(1) + Bytes::new(1 << 20));
}

/// A closed loop that must go on until it has its queries, where the other has ended, is told: 1000 of
/// the slower one, of 10 ms each, outlast the other's 2 s.
#[test]
fn a_loop_that_goes_on_alone_is_told() {
    let vm = |name: &str, queries: u32| {
        busy(name, SLICED)
            .replace("\"20 s\"", "\"2 s\"")
            .replace("min_query_count = 1\n", &format!("min_query_count = {queries}\n"))
    };
    let notes = |queries: u32| {
        let text = format!("[sharing]\n{FREE}\n{}{}", vm("a", 1), vm("b", queries));
        run(experiment(&text)).notes.join("\n")
    };
    assert!(notes(1000).contains("its load lasted"), "{}", notes(1000));
    assert!(!notes(1).contains("its load lasted"), "{}", notes(1));
}
