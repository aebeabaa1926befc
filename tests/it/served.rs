//! Several models in one server: from the scenario's text to what each was answered.
//!
//! What a file may not ask for is in `tests/bad/`, `served-*`.

use crate::support::{cases, queue};
use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::{simulate, simulate_with};
use slicewise::record::Recorder;
use slicewise::spec::{
    Experiment, GpuSharing, InstanceSharing, LoadSpec, PermitReturn, SizeDistribution, VmId,
};
use slicewise::study::{same_cards, whole_cards};
use slicewise::units::SimDuration;

type Log = Vec<(u64, u64)>;

/// When each query of each model was due and what it took, in nanoseconds.
fn logs(experiment: &Experiment) -> Vec<Log> {
    let outcome = simulate_with(experiment, Recorder::keep_log);
    let of = |recorder: &Recorder| {
        let log = recorder.log().unwrap().iter();
        log.map(|(due, latency)| (due.as_nanos(), latency.as_nanos())).collect()
    };
    outcome.vms.iter().map(|vm| of(&vm.recorder)).collect()
}

/// A server whose batches of one take `work` of the whole GPU.
fn model(work: SimDuration, rate: f64, streams: u32) -> Experiment {
    let mut one = queue(1, rate, work, SizeDistribution::Fixed, 20);
    let vm = &mut one.vms[0];
    vm.server.streams = streams;
    vm.server.slots = streams;
    vm.server.gpu_sharing = GpuSharing::Shared;
    vm.server.permit_return = PermitReturn::AtCompletion;
    one
}

/// The experiment with a further model in its server.
fn with(mut one: Experiment, other: Experiment, name: &str) -> Experiment {
    let first = VmId(0);
    for mut vm in other.vms {
        vm.name = name.to_string();
        vm.group = name.to_string();
        vm.server_of = Some(first);
        vm.gpus = one.vms[0].gpus.clone();
        one.vms.push(vm);
    }
    one.with_models_side_by_side()
}

fn experiment(text: &str) -> Experiment {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.toml");
    std::fs::write(&path, text).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{text}\n{error}"));
    scenario.pairs.into_iter().next().unwrap().virtual_run.experiment
}

proptest! {
    #![proptest_config(cases(16))]

    /// A model that nobody asks only takes memory, whether it comes before or after.
    #[test]
    fn a_model_without_load_changes_nothing(
        micros in 200..3000_u64, load in 0.1..1.5_f64, streams in 1..4_u32, batch_max in 1..5_u32,
    ) {
        let work = SimDuration::from_micros(micros);
        let mut one = model(work, load * 1e6 / micros as f64, streams);
        one.vms[0].server.batch_max = batch_max;
        let alone = logs(&one);
        let mut idle = model(SimDuration::from_millis(7), 50.0, 2);
        idle.vms[0].load = LoadSpec::silent();
        let beside = logs(&with(one.clone(), idle.clone(), "idle"));
        prop_assert_eq!(&beside[0], &alone[0]);
        prop_assert!(beside[1].is_empty());
        idle.vms[0].name = "idle".to_string();
        let name = one.vms[0].name.clone();
        prop_assert_eq!(&logs(&with(idle, one, &name))[1], &alone[0]);
    }

    /// What is asked is answered, of each model, at the same instants as without the other.
    #[test]
    fn each_model_answers_what_it_was_asked(
        micros in 200..3000_u64, load in 0.1..1.2_f64, streams in 1..4_u32,
    ) {
        let one = model(SimDuration::from_micros(micros), load * 0.5e6 / micros as f64, streams);
        let other = model(SimDuration::from_micros(2 * micros), load * 0.25e6 / micros as f64, 1);
        let mut alone = [one.clone(), other.clone()];
        alone[1].vms[0].name = "other".to_string();
        let both = logs(&with(one, other, "other"));
        for (beside, alone) in both.iter().zip(alone) {
            let dues = |log: &Log| {
                let mut dues: Vec<u64> = log.iter().map(|(due, _)| *due).collect();
                dues.sort_unstable();
                dues
            };
            let alone = logs(&alone).remove(0);
            prop_assert_eq!(dues(beside), dues(&alone));
            let mean = |log: &Log| log.iter().map(|(_, took)| *took as f64).sum::<f64>();
            prop_assert!(mean(beside) >= mean(&alone), "nobody is faster beside another");
        }
    }
}

/// Two models alike, one instance each, are on the GPU what two clients of it are: with phi 1 both batches
/// that run at once take twice as long, so that the work done per second is the same.
#[test]
fn batches_of_two_models_divide_the_gpu() {
    // One query each, at the same instant: 4 ms of work each at half the GPU are 8 ms for both.
    let mut one = model(SimDuration::from_millis(4), 1.0, 1);
    one.vms[0].load.settings.min_duration = SimDuration::from_nanos(1);
    let both = with(one.clone(), one, "other");
    assert_eq!(both.cards[0].instances[0].sharing, InstanceSharing::Models);
    for log in logs(&both) {
        assert_eq!(log[0], (0, 8_000_000));
    }
}

const VISION: &str = "host = { logical_processors = 64, memory = \"512 GB\" }\ngpus = [\"a30\"]\n";
const MODELS: &str = "
[[vm.model]]
name = \"detect\"
workload = \"ssd-resnet34\"
server = { preset = \"triton\", batch_max = 4 }
load = { scenario = \"server\", target_qps = 100, rules = \"none\", min_duration = \"5 s\" }
[[vm.model]]
name = \"classify\"
workload = \"resnet50\"
server = { preset = \"triton\", batch_max = 8 }
load = { scenario = \"server\", target_qps = 500, rules = \"none\", min_duration = \"5 s\" }
[[vm.model]]
name = \"spare\"
workload = \"resnet50\"
";

/// Copies have the same models, each VM its own.
#[test]
fn every_copy_has_all_models() {
    let text =
        format!("{VISION}[[vm]]\nname = \"v\"\ncount = 2\nvcpus = 4\nprocess = \"mps\"\n{MODELS}");
    let both = experiment(&text);
    let names: Vec<&str> = both.vms.iter().map(|vm| vm.name.as_str()).collect();
    let expected =
        ["v-1/detect", "v-1/classify", "v-1/spare", "v-2/detect", "v-2/classify", "v-2/spare"];
    assert_eq!(names, expected);
    let firsts: Vec<Option<u16>> =
        both.vms.iter().map(|vm| vm.server_of.map(|first| first.0)).collect();
    assert_eq!(firsts, [None, Some(0), Some(0), None, Some(3), Some(3)]);
    let groups: Vec<&str> = both.vms.iter().map(|vm| vm.group.as_str()).collect();
    assert_eq!(groups[..3], groups[3..]);
    let asked = |index: usize| simulate(&both).vms[index].recorder.answered() > 0;
    assert_eq!([0, 1, 2, 3].map(asked), [true, true, false, true]);
}

/// In turns the models of a VM are one owner: beside two busy models of one VM another VM has half of what
/// the card does, and not a third.
#[test]
fn models_of_a_vm_take_their_turns_together() {
    let busy = "load = { scenario = \"closed-loop\", clients = 8, rules = \"none\", min_duration = \"5 s\" }\n";
    let served = format!("workload = \"resnet50\"\nserver = {{ preset = \"triton\" }}\n{busy}");
    let vm =
        |name: &str| format!("[[vm]]\nname = \"{name}\"\nvcpus = 8\nprocess = \"time-slicing\"\n");
    let model = |name: &str| format!("[[vm.model]]\nname = \"{name}\"\n{served}");
    let text = format!("{VISION}{}{}{}{}{served}", vm("v"), model("a"), model("b"), vm("w"));
    let outcome = simulate(&experiment(&text));
    let rates: Vec<f64> = outcome
        .vms
        .iter()
        .map(|vm| &vm.recorder)
        .map(|recorder| recorder.answered() as f64 / recorder.last_completion().as_secs_f64())
        .collect();
    let share = rates[2] / rates.iter().sum::<f64>();
    assert!((share - 0.5).abs() < 0.02, "{share} of {rates:?}");
}

/// Bare metal: with whole cards a VM's models stay together on one; on the same cards each kind of model
/// has servers of its own, and all that was asked is answered.
#[test]
fn bare_metal_answers_each_model() {
    let text =
        format!("{VISION}[[vm]]\nname = \"v\"\ncount = 2\nvcpus = 4\nprocess = \"mps\"\n{MODELS}");
    let both = experiment(&text);
    let (same, whole) = (same_cards(&both), whole_cards(&both));
    assert_eq!(whole.cards.len(), 2);
    assert_eq!(whole.vms[1].gpus[0].card, whole.vms[0].gpus[0].card);
    assert!(whole.cards.iter().all(|card| card.instances[0].sharing == InstanceSharing::Models));
    let of_pools: Vec<Vec<u16>> =
        same.pools.iter().map(|pool| pool.vms.iter().map(|vm| vm.0).collect()).collect();
    assert_eq!(of_pools, [[0, 3], [1, 4]]);
    let own = simulate(&both);
    for bare in [same, whole] {
        let bare = simulate(&bare);
        for (own, bare) in own.vms.iter().zip(&bare.vms) {
            assert_eq!(own.recorder.answered(), bare.recorder.answered());
        }
    }
    // One VM alone on its card is on bare metal what it is.
    let one = experiment(&format!("{VISION}[[vm]]\nname = \"v\"\nvcpus = 4\ngpus = 1\n{MODELS}"));
    let same = same_cards(&one);
    assert!(same.pools.is_empty());
    assert_eq!(logs(&same), logs(&one));
}

/// A VM is powered off when all of its models have answered.
#[test]
fn a_vm_goes_off_with_its_last_answer() {
    let off = "power_off = \"2 s\"\n";
    let text = format!(
        "{VISION}[[vm]]\nname = \"v\"\nvcpus = 4\nprocess = \"time-slicing\"\n{off}{MODELS}"
    );
    for log in &logs(&experiment(&text))[..2] {
        assert!(log.iter().all(|(due, _)| *due < 2_000_000_000) && log.len() > 100);
    }
}
