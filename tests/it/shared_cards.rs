//! Sharing from the scenario's text to the simulated outcome: what each VM gets of a card.
//!
//! How turns work in detail is tested in `slicing`; here keys, placement and engine meet.

use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::{Outcome, simulate, simulate_with};
use slicewise::record::Recorder;
use slicewise::spec::{Experiment, IdleRule, InstanceSharing, Pair, SlicePolicy, TurnOrder};
use slicewise::study::whole_cards;

/// A bare workload: 10 ms per sample on the whole GPU, no launch, no CPU work, no copies.
pub(crate) const STEADY: &str = r#"
name = "ten milliseconds"
usual_preset = "mlperf-bert"
target_latency = { value = "1 s", source = "made up for a test", standing = "assumed" }
sizes = { distribution = "fixed", source = "made up for a test", standing = "assumed" }
weights = { value = "1 MiB", source = "made up for a test", standing = "assumed" }
workspace_per_sample = { value = "1 MiB", source = "made up for a test", standing = "assumed" }
input_per_sample = { value = "0 B", source = "made up for a test", standing = "assumed" }
output_per_sample = { value = "0 B", source = "made up for a test", standing = "assumed" }

[cpu]
launch_per_batch = { value = "0 ms", source = "made up for a test", standing = "assumed" }
launch_per_sample = { value = "0 ms", source = "made up for a test", standing = "assumed" }
finish_per_batch = { value = "0 ms", source = "made up for a test", standing = "assumed" }
finish_per_sample = { value = "0 ms", source = "made up for a test", standing = "assumed" }

[service.a100-pcie-40gb]
launch = { value = "0 ms", source = "made up for a test", standing = "assumed" }
host_floor = { value = "0 ms", source = "made up for a test", standing = "assumed" }
phi = { value = 1, source = "made up for a test", standing = "assumed" }
spread = { value = 0, source = "made up for a test", standing = "assumed" }
work = { value = { 1 = "10 ms" }, source = "made up for a test", standing = "assumed" }
"#;

/// The one pair of a file on one A100-40 under vSphere, with the workload `steady` known.
fn pair(text: &str) -> Pair {
    pair_on(1, text)
}

fn pair_on(cards: u32, text: &str) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let workloads = folder.path().join("configs/workloads");
    std::fs::create_dir_all(&workloads).unwrap();
    std::fs::write(workloads.join("steady.toml"), STEADY).unwrap();
    let path = folder.path().join("test.toml");
    let head = format!(
        "host = \"dell-r7525\"\ngpus = {{ model = \"a100-pcie-40gb\", count = {cards} }}\nhypervisor = \"vsphere-7.0u2\"\n"
    );
    std::fs::write(&path, format!("{head}{text}")).unwrap();
    let catalogue = Catalogue::load(Some(&folder.path().join("configs"))).unwrap();
    let scenario = load(&path, &LoadOptions { seed: Some(1), ..LoadOptions::new(catalogue) });
    scenario.unwrap_or_else(|error| panic!("{error}")).pairs.remove(0)
}

/// The virtual run of a file on so many cards.
pub(crate) fn experiment_on(cards: u32, text: &str) -> Experiment {
    pair_on(cards, text).virtual_run.experiment
}

pub(crate) fn experiment(text: &str) -> Experiment {
    pair(text).virtual_run.experiment
}

/// One kind of VM that always has work, for `seconds`; `extra` are further keys of the VM.
fn busy(vgpu: &str, count: u32, seconds: u32, extra: &str) -> String {
    format!(
        "\n[[vm]]\nname = \"{vgpu}\"\ncount = {count}\nvcpus = 4\nvgpu = {{ type = \"{vgpu}\" }}\nworkload = \"steady\"\nserver = {{ batch_max = 1 }}\n{extra}\n[vm.load]\nscenario = \"closed-loop\"\nclients = 2\nmin_duration = \"{seconds} s\"\nmin_query_count = 1\n"
    )
}

/// Queries per second of each VM from power-on to its last completion.
pub(crate) fn rates(experiment: &Experiment, outcome: &Outcome) -> Vec<f64> {
    let rate = |(vm, spec): (&slicewise::platform::VmOutcome, &slicewise::spec::VmSpec)| {
        let span = vm.recorder.last_completion() - spec.power_on;
        vm.recorder.latencies().count() as f64 / span.as_secs_f64()
    };
    outcome.vms.iter().zip(&experiment.vms).map(rate).collect()
}

/// The share of a card that a VM got, from its rate: 100 queries per second are all of it, less what
/// the platform costs and what switches cost.
#[track_caller]
pub(crate) fn check_shares(experiment: &Experiment, expected: &[f64]) {
    let speed = experiment.hypervisor.gpu_speed.value;
    let rates = rates(experiment, &simulate(experiment));
    assert_eq!(rates.len(), expected.len());
    for (rate, share) in rates.iter().zip(expected) {
        let found = rate / speed / 100.0;
        assert!((found / share - 1.0).abs() < 0.01, "{rates:?} instead of shares {expected:?}");
    }
}

const FREE_SWITCHES: &str = "switch_cost = \"0 ms\"";

#[test]
fn fixed_share_gives_a_quarter_however_many_run() {
    for count in 1..=4 {
        let sharing = format!("[sharing]\npolicy = \"fixed-share\"\n{FREE_SWITCHES}\n");
        let experiment = experiment(&(sharing + &busy("A100-10C", count, 20, "")));
        check_shares(&experiment, &vec![0.25; count as usize]);
    }
}

#[test]
fn equal_share_follows_those_that_run() {
    let sharing = format!("[sharing]\npolicy = \"equal-share\"\n{FREE_SWITCHES}\n");
    for count in 1..=4 {
        let experiment = experiment(&(sharing.clone() + &busy("A100-10C", count, 20, "")));
        check_shares(&experiment, &vec![1.0 / f64::from(count); count as usize]);
    }
    // 10 s of halves, then 20 s of thirds: (5 + 6.667) / 30 of the card each.
    let third = busy("A100-10C", 1, 20, "power_on = \"10 s\"\n")
        .replace("\"A100-10C\"\ncount", "\"late\"\ncount");
    let experiment = experiment(&(sharing + &busy("A100-10C", 2, 30, "") + &third));
    check_shares(&experiment, &[0.3889, 0.3889, 0.3333]);
}

#[test]
fn best_effort_gives_a_lone_vm_everything() {
    let experiment = experiment(&busy("A100-10C", 1, 20, ""));
    check_shares(&experiment, &[1.0]);
}

#[test]
fn switches_cost_what_the_catalogue_says() {
    // T / (T + c) of the card in all, at the hardware's 1.024 ms and the A100's 0.11 ms.
    let experiment = experiment(&busy("A100-10C", 4, 20, ""));
    let each = 1.024 / 1.134 / 4.0;
    check_shares(&experiment, &[each; 4]);
}

#[test]
fn settings_reach_the_card() {
    let with = |sharing: &str, vgpu: &str| {
        let experiment = experiment(&format!("[sharing]\n{sharing}\n{}", busy(vgpu, 1, 1, "")));
        experiment.cards[0].instances[0].sharing
    };
    let software = |sharing: &str, vgpu: &str| *with(sharing, vgpu).slicing().unwrap();
    let slicing = software("policy = \"fixed-share\"", "A100-4C");
    assert_eq!((slicing.slots_max, slicing.slice.as_nanos()), (10, 1_041_667));
    let slicing = software("policy = \"equal-share\"\norder = \"least-run-time\"", "A100-5C");
    assert_eq!((slicing.order, slicing.slice.as_nanos()), (TurnOrder::LeastRunTime, 2_000_000));
    let slicing = software("registry = \"0x0103F001\"", "A100-10C");
    assert_eq!(slicing.policy, SlicePolicy::EqualShare);
    assert_eq!(slicing.order, TurnOrder::RoundRobin { averaging_factor: 1 });
    assert_eq!(slicing.slice.as_nanos(), 15_873_016);
    let capped = "policy = \"fixed-share\"\nidle = \"skipped-and-capped\"\ncap_window = \"50 ms\"";
    let IdleRule::SkippedAndCapped { window } = software(capped, "A100-10C").idle else {
        panic!("not capped")
    };
    assert_eq!(window.unwrap().as_millis_f64(), 50.0);
    let sharing = with("", "A100-10C");
    let turns = sharing.ring().unwrap();
    assert_eq!((turns.slice.as_nanos(), turns.switch.whole().as_nanos()), (1_024_000, 110_000));
    // A vGPU that has the card to itself takes no turns, whatever the file says of them.
    assert!(!with("policy = \"fixed-share\"", "A100-40C").takes_turns());
}

#[test]
fn seven_slices_are_98_of_108_sms() {
    let experiment = experiment(&busy("A100-1-5C", 7, 5, ""));
    let card = &experiment.cards[0];
    let share: f64 = card.instances.iter().map(|instance| instance.share.get()).sum();
    assert_eq!(card.instances.len(), 7);
    assert!((share - 98.0 / 108.0).abs() < 1e-12, "{share}");
    check_shares(&experiment, &[14.0 / 108.0; 7]);
    let busy = simulate(&experiment).gpu_busy[0];
    assert!((busy - 98.0 / 108.0).abs() < 0.001, "{busy}");
}

#[test]
fn the_largest_type_that_leaves_room_is_chosen() {
    let names = |vgpu: &str, count| {
        let experiment = experiment(&busy(vgpu, count, 1, ""));
        experiment.vms[0].gpus[0].vgpu_type.clone().unwrap()
    };
    let sliced: Vec<String> = (1..=10).map(|count| names("largest", count)).collect();
    let expected = ["40C", "20C", "10C", "10C", "8C", "5C", "5C", "5C", "4C", "4C"];
    assert_eq!(sliced, expected.map(|size| format!("A100-{size}")));
    let backed: Vec<String> = (1..=7).map(|count| names("largest-mig", count)).collect();
    let expected = ["7-40C", "3-20C", "2-10C", "1-10C", "1-5C", "1-5C", "1-5C"];
    assert_eq!(backed, expected.map(|size| format!("A100-{size}")));
}

#[test]
fn a_vm_on_a_slice_does_not_see_its_neighbours() {
    let with_neighbours = |neighbours: &str| {
        let text = busy("A100-1-5C", 1, 5, "").replace("\"A100-1-5C\"\ncount = 1", "\"alone\"");
        let experiment = experiment(&(text + neighbours));
        let outcome = simulate_with(&experiment, Recorder::keep_log);
        outcome.vms[0].recorder.log().unwrap().to_vec()
    };
    let alone = with_neighbours("");
    assert!(!alone.is_empty());
    for neighbours in [
        busy("A100-1-5C", 6, 5, ""),
        busy("A100-3-20C", 1, 2, "power_on = \"1 s\"\npower_off = \"2 s\"\n"),
    ] {
        assert_eq!(alone, with_neighbours(&neighbours));
    }
}

#[test]
fn the_second_counterfactual_gives_everyone_whole_cards() {
    let pair = pair(&busy("A100-10C", 3, 5, ""));
    let bare = &pair.baselines[1].run.experiment;
    assert_eq!(bare.cards.len(), 3);
    assert!(bare.cards.iter().all(|card| card.instances[0].sharing == InstanceSharing::Alone));
    let cards: Vec<u16> = bare.vms.iter().map(|vm| vm.gpus[0].card.0).collect();
    assert_eq!(cards, [0, 1, 2]);
    check_shares(bare, &[1.0; 3]);
    let again = whole_cards(&experiment(&busy("A100-2-10C", 2, 5, "")));
    check_shares(&again, &[1.0; 2]);
}

#[test]
fn copies_draw_their_own_luck() {
    let text = busy("A100-10C", 2, 5, "").replace(
        "scenario = \"closed-loop\"\nclients = 2",
        "scenario = \"server\"\ntarget_qps = 10\narrivals = \"bursty\"\nbursts = { peak = 4, share = \"10 %\", length = \"1 s\" }",
    );
    let experiment = experiment(&text);
    assert_eq!([&experiment.vms[0].name, &experiment.vms[1].name], ["A100-10C-1", "A100-10C-2"]);
    let outcome = simulate(&experiment);
    let mean = |index: usize| outcome.vms[index].recorder.latencies().mean();
    assert_ne!(mean(0), mean(1));
}
