//! Several models in one server, and ensembles: from the scenario's text to what each was answered.
//!
//! What a file may not ask for is in `tests/bad/`, `served-*`.

use crate::support::{cases, queue};
use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::{simulate, simulate_with};
use slicewise::record::{Recorder, Stage};
use slicewise::spec::{
    Arrivals, BatchRule, CpuStep, Experiment, GpuSharing, InstanceSharing, LoadSpec, PermitReturn,
    PhiTable, QueuePolicy, SizeDistribution, Step, TestScenario, TimeoutAction, VmId,
};
use slicewise::study::{same_cards, whole_cards};
use slicewise::units::{Bytes, Share, SimDuration};
use std::process::Command;

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
        idle.vms[0].load = LoadSpec::idle();
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

/// An ensemble of these models, which nobody asks by themselves, with the load and the name of the first.
fn chain(models: Vec<Experiment>, steps: Vec<Step>) -> Experiment {
    let mut models = models.into_iter();
    let mut all = models.next().unwrap();
    let ensemble = all.vms[0].clone();
    for (place, other) in models.enumerate() {
        all = with(all, other, &format!("model-{}", place + 1));
    }
    all.vms.iter_mut().for_each(|vm| vm.load = LoadSpec::idle());
    let mut ensemble = ensemble;
    ensemble.server_of = Some(VmId(0));
    ensemble.steps = steps;
    all.vms.push(ensemble);
    all.with_models_side_by_side()
}

/// No batch is slower beside another.
fn narrow(mut one: Experiment) -> Experiment {
    for service in one.vms[0].workload_mut().service.values_mut() {
        service.phi.value = PhiTable::constant(Share::NONE);
    }
    one
}

/// When each query leaves a step of `servers` that take `time` each, first come first served, by when each
/// comes: the one that is `servers` places before it must have left (Lindley's recursion; with equal times
/// nobody overtakes).
fn leave(came: &[u64], servers: usize, time: u64) -> Vec<u64> {
    let mut left: Vec<u64> = Vec::new();
    for (place, &came) in came.iter().enumerate() {
        let free = place.checked_sub(servers).map_or(0, |before| left[before]);
        left.push(came.max(free) + time);
    }
    left
}

proptest! {
    #![proptest_config(cases(24))]

    /// A chain of one model is the model alone, byte for byte.
    #[test]
    fn a_chain_of_one_is_the_model_alone(
        micros in 200..3000_u64, load in 0.1..1.5_f64, streams in 1..4_u32, batch_max in 1..9_u32,
        full in any::<bool>(), delay in 0..4_u64, sigma in prop::option::of(0.1..1.0_f64),
        scenario in 0..4_usize, rejects in any::<bool>(),
    ) {
        let mut one = model(SimDuration::from_micros(micros), load * 1e6 / micros as f64, streams);
        let vm = &mut one.vms[0];
        vm.server.batch_max = batch_max;
        vm.server.batch_rule = if full { BatchRule::Full } else { BatchRule::Available };
        vm.server.timeout = (full && delay > 0).then(|| SimDuration::from_millis(delay));
        vm.server.max_queue_delay = SimDuration::from_micros(if full { 0 } else { 500 * delay });
        if let Some(sigma) = sigma {
            vm.workload_mut().sizes.value = SizeDistribution::LogNormal { sigma };
        }
        let think_time = SimDuration::from_micros(300);
        vm.load.scenario = [
            TestScenario::Server, TestScenario::Offline, TestScenario::SingleStream,
            TestScenario::ClosedLoop { clients: 6, think_time },
        ][scenario];
        vm.load.settings.min_duration = SimDuration::from_secs(4);
        if rejects && scenario == 0 && !full {
            let most = QueuePolicy { max_queue_size: Some(5), ..QueuePolicy::default() };
            vm.server.queues.levels = vec![most];
        }
        let ensemble = chain(vec![one.clone()], vec![Step::Model(VmId(0))]);
        let (alone, beside) = (simulate(&one), simulate(&ensemble));
        prop_assert_eq!(&logs(&ensemble)[1], &logs(&one)[0]);
        let (alone, step, whole) =
            (&alone.vms[0].recorder, &beside.vms[0].recorder, &beside.vms[1].recorder);
        for (stage, _) in Stage::ALL {
            prop_assert_eq!(alone.stage_mean(stage), whole.stage_mean(stage));
            prop_assert_eq!(alone.stage_mean(stage), step.stage_mean(stage));
        }
        prop_assert_eq!((alone.batches(), alone.rejected()), (whole.batches(), whole.rejected()));
        prop_assert_eq!(alone.batches(), step.batches());
        prop_assert_eq!(alone.last_completion(), whole.last_completion());
        let of_step = &whole.steps()[0];
        prop_assert_eq!(of_step.latencies.count(), alone.latencies().count());
        prop_assert_eq!(of_step.latencies.max(), alone.latencies().max());
    }

    /// With batches of one that nobody slows, steps are queues in a row: what leaves one comes to the next
    /// at that instant, on processors as on the GPU.
    #[test]
    fn steps_are_queues_in_a_row(
        rate in 50.0..900.0_f64, constant in any::<bool>(),
        steps in prop::collection::vec((any::<bool>(), 100..4000_u64, 1..4_usize), 0..4),
        model_at in 0..4_usize, of_model in (100..4000_u64, 1..4_u32),
    ) {
        // At least one is a model, and the first model has the load.
        let mut steps: Vec<(bool, u64, usize)> = steps;
        let place = model_at.min(steps.len());
        steps.insert(place, (true, of_model.0, of_model.1 as usize));
        let mut models = Vec::new();
        let mut way = Vec::new();
        for (index, &(is_model, micros, count)) in steps.iter().enumerate() {
            let time = SimDuration::from_micros(micros);
            if is_model {
                way.push(Step::Model(VmId(models.len() as u16)));
                models.push(narrow(model(time, rate, count as u32)));
            } else {
                let count = count as u32;
                way.push(Step::Cpu(CpuStep { name: format!("cpu-{index}"), count, time }));
            }
        }
        if constant {
            models[0].vms[0].load.arrivals = Arrivals::Constant;
        }
        models[0].vms[0].load.settings.min_duration = SimDuration::from_secs(3);
        let ensemble = chain(models, way);
        let log = logs(&ensemble).pop().unwrap();
        let mut dues: Vec<u64> = log.iter().map(|(due, _)| *due).collect();
        dues.sort_unstable();
        let mut left = dues.clone();
        for (_, micros, count) in steps {
            left = leave(&left, count, 1000 * micros);
        }
        let expected: Vec<(u64, u64)> =
            dues.iter().zip(&left).map(|(due, left)| (*due, left - due)).collect();
        let mut log = log;
        log.sort_unstable();
        prop_assert_eq!(log, expected);
    }

    /// Every query is answered or rejected once, whatever rules its steps have, and who else asks their
    /// models; and bare metal has the same queries.
    #[test]
    fn every_query_comes_out_once(
        rates in prop::array::uniform3(20.0..400.0_f64), micros in prop::array::uniform3(200..5000_u64),
        full in prop::array::uniform3(any::<bool>()), batch in prop::array::uniform3(1..9_u32),
        most in prop::option::of(1..6_u32), asked in any::<bool>(), twice in any::<bool>(),
    ) {
        let mut models: Vec<Experiment> = (0..3).map(|place| {
            let mut one = model(SimDuration::from_micros(micros[place]), rates[place], 1);
            let vm = &mut one.vms[0];
            vm.server.batch_max = batch[place];
            vm.server.batch_rule =
                if full[place] { BatchRule::Full } else { BatchRule::Available };
            vm.load.settings.min_duration = SimDuration::from_secs(2);
            one
        }).collect();
        if let Some(most) = most {
            let server = &mut models[1].vms[0].server;
            server.batch_rule = BatchRule::Available;
            let policy = QueuePolicy {
                max_queue_size: Some(most),
                timeout: Some(SimDuration::from_millis(3)),
                timeout_action: TimeoutAction::Reject,
            };
            server.queues.levels = vec![policy];
        }
        let own = models[2].vms[0].load.clone();
        let mut way = vec![Step::Model(VmId(0)), Step::Model(VmId(1)), Step::Model(VmId(2))];
        if twice {
            way.push(Step::Model(VmId(1)));
        }
        let mut all = chain(models, way);
        if asked {
            all.vms[2].load = own;
        }
        let outcome = simulate(&all);
        let whole = &outcome.vms[3].recorder;
        // So many that none can be missing: LoadGen makes them as long as they are due in time.
        let queries = whole.answered();
        prop_assert!(queries > 10 && whole.latencies().count() + whole.rejected() == queries);
        if most.is_none() {
            prop_assert_eq!(whole.rejected(), 0);
            for (place, step) in whole.steps().iter().enumerate() {
                prop_assert_eq!(step.latencies.count(), queries, "step {}", place);
            }
            let passed = outcome.vms[1].recorder.answered();
            prop_assert_eq!(passed, queries * if twice { 2 } else { 1 });
        }
        for bare in [same_cards(&all), whole_cards(&all)] {
            prop_assert_eq!(simulate(&bare).vms[3].recorder.answered(), queries);
        }
    }
}

/// Parts of the latency: what queries spend in stages, on processors too, is all of it.
#[test]
fn stages_of_an_ensemble_sum_to_its_latency() {
    let ms = SimDuration::from_millis;
    let cpu = |time| Step::Cpu(CpuStep { name: "cpu".to_string(), count: 2, time });
    let way = vec![cpu(ms(1)), Step::Model(VmId(0)), cpu(ms(2)), Step::Model(VmId(1)), cpu(ms(1))];
    let all = chain(vec![model(ms(2), 200.0, 2), model(ms(3), 200.0, 1)], way);
    let outcome = simulate(&all);
    let whole = &outcome.vms[2].recorder;
    let stages: f64 = Stage::ALL.iter().map(|(stage, _)| whole.stage_mean(*stage)).sum();
    let mean = whole.latencies().mean().unwrap().as_nanos() as f64;
    assert!((stages - mean).abs() < 2.0, "{stages} of {mean} ns");
    let steps: f64 =
        whole.steps().iter().map(|step| step.latencies.mean().unwrap().as_nanos() as f64).sum();
    assert!((steps - mean).abs() < 10.0, "{steps} of {mean} ns");
}

/// Tensors between two models on one GPU stay there: one copy in and one out for the whole way, another pair
/// for work on processors between them.
#[test]
fn tensors_between_models_are_not_copied() {
    let ms = SimDuration::from_millis;
    // At 24 GB/s 24 MB take 1 ms; queries 50 ms apart find nobody on the link.
    let one = || {
        let mut one = model(ms(2), 20.0, 1);
        let vm = &mut one.vms[0];
        vm.load.arrivals = Arrivals::Constant;
        vm.workload_mut().input_per_sample.value = Bytes::new(24_000_000);
        vm.workload_mut().output_per_sample.value = Bytes::new(48_000_000);
        one
    };
    let models = || [Step::Model(VmId(0)), Step::Model(VmId(1))];
    let cpu = Step::Cpu(CpuStep { name: "crop".to_string(), count: 1, time: ms(1) });
    let [first, last] = models();
    for (way, copies) in [(models().to_vec(), 1.0), (vec![first, cpu, last], 2.0)] {
        let outcome = simulate(&chain(vec![one(), one()], way));
        let whole = &outcome.vms[2].recorder;
        let spent = [Stage::CopyIn, Stage::CopyOut].map(|stage| whole.stage_mean(stage) / 1e6);
        assert_eq!(spent, [copies, 2.0 * copies]);
    }
}

const ENSEMBLE: &str = "
[[vm.ensemble]]
name = \"both\"
steps = [{ name = \"decode\", time = \"1 ms\", count = 2 }, \"detect\", \"spare\"]
load = { scenario = \"server\", target_qps = 50, target_latency = \"100 ms\", min_duration = \"5 s\" }
";

/// From the text to the document: the whole way, and each step with queue and run.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn an_ensemble_is_told_with_its_steps() {
    let head = format!("{VISION}seed = 1\n[[vm]]\nname = \"v\"\nvcpus = 4\ngpus = 1\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.toml");
    std::fs::write(&path, format!("{head}{MODELS}{ENSEMBLE}")).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
    let out = folder.path().join("out");
    let shown = command.args(["run".as_ref(), path.as_os_str(), "--out".as_ref(), out.as_os_str()]);
    let shown = String::from_utf8(shown.output().unwrap().stdout).unwrap();
    let line = |start: &str| shown.lines().find(|line| line.trim_start().starts_with(start));
    for start in ["steps", "decode", "v/detect", "v/spare", "test / v/spare"] {
        assert!(line(start).is_some(), "{start} in {shown}");
    }
    assert!(line("test / v/spare").unwrap().ends_with(" step"), "{shown}");
    let results = slicewise::study::run(&scenario, &|_, _, _| {});
    let run = serde_json::to_value(&results.runs[0]).unwrap();
    let vms = run["vms"].as_array().unwrap();
    let rows: Vec<(&str, &str)> = vms
        .iter()
        .map(|vm| (vm["name"].as_str().unwrap(), vm["scenario"].as_str().unwrap()))
        .collect();
    let expected = [
        ("v/detect", "server"),
        ("v/classify", "server"),
        ("v/spare", "step"),
        ("v/both", "server"),
    ];
    assert_eq!(rows, expected);
    assert_eq!(vms[3]["workload"], "decode > ssd-resnet34 > resnet50");
    let steps = vms[3]["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["decode", "v/detect", "v/spare"]);
    let ms = |value: &serde_json::Value| value.as_f64().unwrap();
    let parts: f64 =
        steps.iter().map(|step| ms(&step["queue_mean_ms"]) + ms(&step["run_mean_ms"])).sum();
    assert!((parts - ms(&vms[3]["latency_ms"]["mean"])).abs() < 1e-4);
    assert_eq!(steps[2]["queries"], vms[2]["queries"]);
}

/// Triton's model repository: settings of models, keys beside them stronger, and the steps of an ensemble in
/// the order of their tensors.
#[test]
fn a_model_repository_says_settings_and_steps() {
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let path = std::path::Path::new("tests/good/served-by-a-repository.toml");
    let scenario = load(path, &options).unwrap_or_else(|error| panic!("{error}"));
    let all = &scenario.pairs[0].virtual_run.experiment.vms;
    let of = |index: usize| {
        let server = &all[index].server;
        (server.batch_max, server.streams, server.max_queue_delay.as_nanos())
    };
    assert_eq!([of(0), of(1)], [(4, 2, 2_000_000), (16, 1, 0)]);
    assert_eq!(all[2].steps, [Step::Model(VmId(0)), Step::Model(VmId(1))]);
}
