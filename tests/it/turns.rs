//! Turns from the scenario's text to the results: who keeps a turn, and what each VM gets by it.

use crate::shared_cards::{STEADY, check_shares};
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::simulate_with;
use slicewise::record::Recorder;
use slicewise::spec::{Experiment, Scenario};
use slicewise::study::run;
use std::fs;

/// A platform that costs nothing.
const IDEAL: &str = r#"
name = "nothing"
virtual_gpus = true
gpu_speed = { value = 1, source = "made up for a test", standing = "assumed" }
submission_latency = { value = "0 us", source = "made up for a test", standing = "assumed" }
cpu_speed = { value = 1, source = "made up for a test", standing = "assumed" }
"#;

/// A scenario on one A100-40 where nothing but GPU time costs anything. The workloads `w100`, `w400`,
/// ... take so many microseconds; `slow-launch` 400 us, after 0.5 ms on the CPU. `files` lie beside.
fn scenario(text: &str, files: &[(&str, &str)]) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let configs = folder.path().join("configs");
    for kind in ["workloads", "hypervisors"] {
        fs::create_dir_all(configs.join(kind)).unwrap();
    }
    let workload =
        |work: &str| STEADY.replace("{ 1 = \"10 ms\" }", &format!("{{ 1 = \"{work}\" }}"));
    for micros in [100, 400, 1_495, 1_500, 10_000, 30_000] {
        let path = configs.join(format!("workloads/w{micros}.toml"));
        fs::write(path, workload(&format!("{micros} us"))).unwrap();
    }
    let slow = workload("400 us").replace(
        "launch_per_batch = { value = \"0 ms\"",
        "launch_per_batch = { value = \"0.5 ms\"",
    );
    fs::write(configs.join("workloads/slow-launch.toml"), slow).unwrap();
    fs::write(configs.join("hypervisors/ideal.toml"), IDEAL).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().join("test.toml");
    let head = "host = \"dell-r7525\"\nhypervisor = \"ideal\"\ngpus = { model = \"a100-pcie-40gb\", count = 1 }\nbaseline = \"none\"\n";
    fs::write(&path, format!("{head}{text}")).unwrap();
    let catalogue = Catalogue::load(Some(&configs)).unwrap();
    let options = LoadOptions { seed: Some(1), ..LoadOptions::new(catalogue) };
    load(&path, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn experiment(text: &str, files: &[(&str, &str)]) -> Experiment {
    scenario(text, files).pairs.remove(0).virtual_run.experiment
}

/// A VM that always has work for twenty seconds.
fn busy(name: &str, vgpu: &str, workload: &str, server: &str) -> String {
    format!(
        "\n[[vm]]\nname = \"{name}\"\nvcpus = 16\nvgpu = {{ type = \"{vgpu}\" }}\nworkload = \"{workload}\"\nserver = {{ batch_max = 1, {server} }}\nload = {{ scenario = \"closed-loop\", clients = 4, min_duration = \"20 s\", min_query_count = 1 }}\n"
    )
}

/// Samples per second of each VM.
fn rates(experiment: &Experiment) -> Vec<f64> {
    let outcome = simulate_with(experiment, |_| {});
    let rate = |recorder: &Recorder| {
        recorder.latencies().count() as f64 / recorder.last_completion().as_nanos() as f64 * 1e9
    };
    outcome.vms.iter().map(|vm| rate(&vm.recorder)).collect()
}

/// Best effort, slices of 1.024 ms, switches of 0.11 ms; batches of 0.4 ms beside batches of 10 ms.
///
/// A batch that waits at the gate of its stream is launched: its VM has work at all times, and the
/// documented share is a half each, T / 2 (T + c) = 1.024 / 2.268 = 0.4515 of the card.
/// A server that launches only when a batch is complete runs dry with every batch and gives up its
/// turn: 0.4 ms of each round of 0.4 + 0.11 + 1.024 + 0.11 = 1.644 ms, 0.2433; the other has 0.6229.
#[test]
fn a_batch_that_waits_behind_a_stream_keeps_the_turn() {
    let keeps = [0.4515, 0.4515];
    let yields = [0.2433, 0.6229];
    let cases = [
        // One batch runs, one is staged behind it.
        ("w400", "preset = \"mlperf-bert\", streams = 1, slots = 1", keeps),
        ("w400", "preset = \"mlperf-bert\", streams = 2, slots = 2", keeps),
        // Slots in flight, fewer streams: the second batch waits for the stream.
        ("w400", "preset = \"mlperf-lwis\", streams = 1, slots = 2", keeps),
        // Two at once, side by side: both end after 0.8 ms, at the same instant, and the turn with
        // them: 0.8 and 1.024 ms of a round of 0.8 + 0.11 + 1.024 + 0.11 = 2.044 ms.
        ("w400", "preset = \"triton\", streams = 2, slots = 2", [0.3914, 0.5010]),
        // The next is launched when the last is complete, in no time at all, and yet after it.
        ("w400", "preset = \"triton\", streams = 1, slots = 1", yields),
        // 0.5 ms on the CPU: the batch staged while the first waits for its turn (1.244 ms) is launched in
        // time, the one after it is still on the CPU when the second ends. Two a turn, as above.
        ("slow-launch", "preset = \"mlperf-bert\", streams = 1, slots = 1", [0.3914, 0.5010]),
    ];
    for (workload, server, expected) in cases {
        let long = busy("long", "A100-20C", "w10000", "preset = \"mlperf-bert\"");
        let text = busy("short", "A100-20C", workload, server) + &long;
        let experiment = experiment(&text, &[]);
        let rates = rates(&experiment);
        for ((rate, work), share) in rates.iter().zip([0.4e-3, 10e-3]).zip(expected) {
            let found = rate * work;
            assert!(
                (found / share - 1.0).abs() < 0.01,
                "{workload} {server}: {rates:?} instead of shares {expected:?}"
            );
        }
    }
}

/// The same under the idle rules that end a turn at once; where an owner keeps the rest of its slice
/// it does not matter who launches when: slices of 2 ms, switches of 0.11 ms, 2 / 4.22 = 0.4739.
#[test]
fn under_equal_share_a_frozen_batch_keeps_the_turn_too() {
    for idle in ["burned", "rest-burned", "skipped-and-capped", "polled"] {
        let sharing = format!(
            "[sharing]\npolicy = \"equal-share\"\nslice = \"2 ms\"\nswitch_cost = \"110 us\"\nidle = \"{idle}\"\n"
        );
        let frozen = "preset = \"mlperf-bert\", streams = 1, slots = 1";
        let text = sharing
            + &busy("short", "A100-20C", "w400", frozen)
            + &busy("long", "A100-20C", "w10000", "preset = \"mlperf-bert\"");
        let rates = rates(&experiment(&text, &[]));
        for (rate, work) in rates.iter().zip([0.4e-3, 10e-3]) {
            assert!((rate * work / 0.4739 - 1.0).abs() < 0.01, "{idle}: {rates:?}");
        }
    }
}

/// As `slicing::a_slice_that_ends_with_nobody_waiting_is_followed_by_another`, from files. Sizes in a
/// trace count relative to their mean: 1.0 and 2.0 of a workload of 1.5 ms are 1 and 2 ms, 1.00 and
/// 1.99 of 1.495 ms are 1 and 1.99 ms. a's second query, due at 4.3 ms, is served from 6.4 to 6.5 ms.
#[test]
fn whether_a_batch_overshoots_does_not_depend_on_the_past() {
    let busy = "arrival_s,vm,s\n0,a,1\n0.0010,b,1.0\n0.0011,b,2.0\n0.0043,a,1\n";
    let dry = "arrival_s,vm,s\n0,a,1\n0.00100,b,1.00\n0.00321,b,1.99\n0.00430,a,1\n";
    for (workload, trace) in [("w1500", busy), ("w1495", dry)] {
        let mut text = "[sharing]\npolicy = \"equal-share\"\nswitch_cost = \"200 us\"\novershoot = \"batch\"\nslice = \"2 ms\"\nidle = \"rest-burned\"\n".to_string();
        for (name, workload) in [("a", "w100"), ("b", workload)] {
            text += &format!(
                "[[vm]]\nname = \"{name}\"\nvcpus = 8\nvgpu = {{ type = \"A100-10C\" }}\nworkload = \"{workload}\"\nserver = {{ batch_max = 1, streams = 2 }}\nload = {{ scenario = \"server\", target_latency = \"1000 s\", arrivals = {{ trace = \"trace.csv\", vm = \"{name}\", size_column = \"s\" }} }}\n"
            );
        }
        let outcome =
            simulate_with(&experiment(&text, &[("trace.csv", trace)]), Recorder::keep_log);
        let latest = outcome.vms[0].recorder.latencies().max();
        assert_eq!(latest.unwrap().as_nanos(), 2_200_000, "{workload}");
    }
}

/// Batches of 30 ms beside batches of 0.4 ms under equal share, slices of 2 ms, switches of 0.2 ms,
/// rest of a turn burned. A batch that runs to its end has 30 ms of every round of
/// 30 + 0.2 + 2 + 0.2 = 32.4 ms: 93 % of the card, where a half is promised. No shorter slice can
/// repay 28 ms a round, and the result says so.
#[test]
fn a_vm_that_has_more_than_its_policy_promises_is_named() {
    let notes = |sharing: &str| {
        let text = format!("[sharing]\nswitch_cost = \"200 us\"\n{sharing}\n")
            + &busy("short", "A100-20C", "w400", "preset = \"mlperf-bert\"")
            + &busy("long", "A100-20C", "w30000", "preset = \"mlperf-bert\"");
        let results = run(&scenario(&text, &[]), &|_, _, _| {});
        let shares = results.runs[0].over_shares.clone();
        let notes = results.notes.into_iter();
        (shares, notes.filter(|note| note.contains("promises")).collect::<Vec<_>>())
    };
    let by_batch = |policy: &str| format!("policy = \"{policy}\"\novershoot = \"batch\"");
    for (policy, slice) in
        [("equal-share", "slice = \"2 ms\""), ("fixed-share", "slice = \"2 ms\"")]
    {
        let (shares, told) = notes(&format!("{}\n{slice}", by_batch(policy)));
        assert_eq!(shares.len(), 1, "{shares:?}");
        assert!((shares[0].had_share - 30.0 / 32.4).abs() < 0.003, "{shares:?}");
        assert!((shares[0].promised_share - 0.5).abs() < 0.001, "{shares:?}");
        // Of the 30 ms 2 were its own.
        assert!((shares[0].unpaid_share - 28.0 / 32.4).abs() < 0.005, "{shares:?}");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains(&format!("long had 93 % of card 0, where policy = \"{policy}\""))
                && told[0].contains("promises it 50 %"),
            "{told:?}"
        );
    }
    // Best effort has no repayment at all: 30 ms of 30 + 0.2 + 1.024 + 0.2 = 31.424 ms (the other has
    // 3 batches of 0.4 ms in a turn, which runs 0.176 ms over: 31.6 ms).
    let (shares, told) = notes(&by_batch("best-effort"));
    assert_eq!((shares.len(), told.len()), (1, 1), "{shares:?} {told:?}");
    assert!((shares[0].had_share - 30.0 / 31.6).abs() < 0.003, "{shares:?}");
    // The order of least run time makes up for it, and nothing is to be told; nor without overshoot.
    let by_time = by_batch("equal-share") + "\nslice = \"2 ms\"\norder = \"least-run-time\"";
    assert_eq!(notes(&by_time), (vec![], vec![]));
    assert_eq!(notes("policy = \"equal-share\"\nslice = \"2 ms\""), (vec![], vec![]));
    // Overshoot that is repaid is no news either: 0.1 ms of each turn of 2 ms.
    let repaid =
        "policy = \"equal-share\"\nslice = \"2 ms\"\novershoot = \"0.1 ms\"\naveraging_factor = 1";
    assert_eq!(notes(repaid), (vec![], vec![]));
}

#[test]
fn cards_of_tests_here_cost_nothing_but_gpu_time() {
    let text = busy("alone", "A100-20C", "w10000", "preset = \"mlperf-bert\"");
    check_shares(&experiment(&text, &[]), &[1.0]);
}
