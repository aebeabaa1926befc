//! The answer first: the verdict's words, where a GPU's time goes, and rows of groups.

use slicewise::config::{self, Catalogue, LoadOptions, Task};
use slicewise::report::{Report, Width};
use slicewise::study::{self, GpuTime, Results};

/// Runs a scenario: these VMs on one A100.
fn run(sharing: &str, vms: &str) -> Results {
    run_on(1, sharing, vms)
}

/// The same with so many cards.
fn run_on(cards: u32, sharing: &str, vms: &str) -> Results {
    let text = format!(
        "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\n\
         gpus = {{ model = \"a100-pcie-40gb\", count = {cards} }}\n{sharing}\n{vms}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.toml");
    std::fs::write(&path, &text).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let task = config::load_task(&path, &options).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let Task::Run(scenario) = task else { panic!("a sweep") };
    study::run(&scenario, &|_, _, _| {})
}

/// A VM with a BERT of its own at so many queries a second.
fn vm(name: &str, count: u32, qps: f64, vgpu: &str) -> String {
    let count = if count > 1 { format!("count = {count}\n") } else { String::new() };
    format!(
        "[[vm]]\nname = \"{name}\"\n{count}vcpus = 8\nvgpu = {{ type = \"{vgpu}\" }}\n\
         workload = \"bert-99\"\nserver = {{ batch_max = 1 }}\n[vm.load]\nscenario = \"server\"\n\
         target_qps = {qps}\ntarget_latency = \"130 ms\"\nrules = \"none\"\nmin_duration = \"20 s\"\nmin_query_count = 1\n"
    )
}

/// The time of the only card of the virtual run.
fn time(results: &Results) -> &GpuTime {
    let run = results.runs.iter().find(|run| run.side == study::Side::Virtual).unwrap();
    assert_eq!(run.gpus.len(), 1);
    let time = &run.gpus[0].time;
    let parts = time.owners.iter().map(|owner| owner.run_share + owner.burned_share);
    let all = parts.sum::<f64>() + time.switch_share + time.vacant_share + time.idle_share;
    assert!((all - 1.0).abs() < 1e-9, "{all}: {time:?}");
    let work: f64 = time.owners.iter().map(|owner| owner.run_share).sum();
    assert!((work - run.gpus[0].busy_share).abs() < 1e-9, "{work} {}", run.gpus[0].busy_share);
    time
}

/// Under fixed share every vGPU that fits has its turns, also those that nobody has: of four places on
/// an A100 with A100-10C, one VM that always has work runs a quarter of the time less the switches; the
/// other three quarters are vacant. Under best effort they are its own.
#[test]
fn turns_of_nobody_are_vacant_and_only_under_fixed_share() {
    let busy = vm("busy", 1, 5000.0, "A100-10C")
        .replace("min_duration = \"20 s\"", "min_duration = \"1 s\"");
    let fixed = run(
        "[sharing]\npolicy = \"fixed-share\"\nslice = \"2 ms\"\nswitch_cost = \"0.2 ms\"",
        &busy,
    );
    let own = time(&fixed);
    // A round is four slices of 2 ms and four switches of 0.2 ms: 2 / 8.8, 6 / 8.8 and 0.8 / 8.8. At
    // the start nobody has work, and what overshoots a slice is repaid: within a hundredth.
    for (found, expected) in [
        (own.owners[0].run_share, 2.0 / 8.8),
        (own.vacant_share, 6.0 / 8.8),
        (own.switch_share, 0.8 / 8.8),
    ] {
        assert!((found - expected).abs() < 0.01, "{found} for {expected}: {own:?}");
    }
    let best = run("", &busy);
    let own = time(&best);
    assert_eq!((own.vacant_share, own.switch_share, own.owners[0].burned_share), (0.0, 0.0, 0.0));
    assert!(own.owners[0].run_share > 0.95, "{own:?}");
}

/// Under equal share with burned idle turns, a neighbour without work burns as long as the other
/// works, slice for slice; skipped, it burns nothing.
#[test]
fn idle_turns_burn_under_equal_share() {
    let vms = vm("busy", 1, 5000.0, "A100-10C")
        .replace("min_duration = \"20 s\"", "min_duration = \"1 s\"")
        + &vm("idle", 1, 0.01, "A100-10C")
            .replace("min_duration = \"20 s\"", "min_duration = \"1 s\"");
    let share = |idle: &str| {
        format!(
            "[sharing]\npolicy = \"equal-share\"\nidle = \"{idle}\"\nslice = \"2 ms\"\nswitch_cost = \"0.2 ms\""
        )
    };
    let burned = run(&share("burned"), &vms);
    let own = time(&burned);
    let (busy, idle) = (&own.owners[0], &own.owners[1]);
    assert_eq!((busy.vms[0].as_str(), idle.vms[0].as_str()), ("busy", "idle"));
    // The idle one asks once in a hundred seconds; the run is as long as the busy one's queue lasts.
    let ratio = idle.burned_share / busy.run_share;
    assert!((ratio - 1.0).abs() < 0.02, "{ratio}: {own:?}");
    let sentence = burned.verdict.sentences.join(" ");
    assert!(sentence.contains("burned in turns of VMs without work"), "{sentence}");
    let skipped = run(&share("skipped-and-capped"), &vms);
    assert!(time(&skipped).owners.iter().all(|owner| owner.burned_share < 1e-3), "{skipped:?}");
}

/// A bound that is kept, one that is missed, with the rate that would hold it: that very rate holds.
#[test]
fn the_verdict_says_what_holds_and_what_would() {
    let kept = run("", &vm("calm", 1, 20.0, "A100-40C"));
    assert_eq!(kept.verdict.holds, Some(true));
    let said = &kept.verdict.sentences[0];
    assert!(said.starts_with("YES: p99 is ") && said.ends_with("at 20/s."), "{said}");
    let missed = run("", &vm("web", 3, 400.0, "A100-10C"));
    assert_eq!(missed.verdict.holds, Some(false));
    let said = missed.verdict.sentences.join(" ");
    assert!(said.starts_with("NO: 3 of 3 VMs miss 130 ms (worst "), "{said}");
    assert!(said.contains("GPU 0 is taken") && said.contains("is the bottleneck"), "{said}");
    let rate = said.split("; ").nth(1).and_then(|rest| rest.split("/s in all would hold").next());
    let rate: f64 = rate.unwrap().parse().unwrap_or_else(|_| panic!("{said}"));
    assert!(rate < 1200.0, "{said}");
    // As assumed; what was not measured may decide otherwise, and is told.
    let held = run("", &vm("web", 3, rate / 3.0, "A100-10C"));
    assert!(held.runs[0].vms.iter().all(|vm| vm.verdict.valid), "{rate}");
    assert!(said.contains("would hold them, as assumed"), "{said}");
}

/// VMs of one count are one row; `--all` and the file have a row for each.
#[test]
fn a_group_is_one_row_unless_each_is_asked_for() {
    let results = run("", &(vm("web", 3, 20.0, "A100-10C") + &vm("api", 1, 20.0, "A100-10C")));
    let text = results.table(Width::FILE);
    let line = |text: &str| {
        text.lines().find(|line| line.trim_end().ends_with("VALID")).map(str::to_string)
    };
    assert!(line(&text).unwrap().starts_with("case / web (3 VMs)"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("case / web-1")), "{text}");
    let each = results.table(Width::FILE.with_each(true));
    assert!(line(&each).unwrap().starts_with("case / web-1"), "{each}");
    let files = results.files().unwrap();
    let file = files.iter().find(|file| file.name == "table.txt").unwrap();
    assert!(String::from_utf8_lossy(&file.bytes).contains("case / web-3"));
    // Where the time of a query goes: the stages together are its mean latency.
    let vm = &results.runs[0].vms[0];
    let stages: f64 = vm.stages_ms.iter().map(|stage| stage.mean_ms).sum();
    assert!((stages / vm.latency_ms.mean - 1.0).abs() < 1e-3, "{stages} {}", vm.latency_ms.mean);
    assert!(text.contains("mean ms in") && text.contains("GPU time"), "{text}");
}

/// A card that others keep busy is not what stands in the way of a VM on another.
#[test]
fn a_full_card_of_others_is_no_bottleneck() {
    let tight = vm("tight", 1, 20.0, "A100-40C").replace("130 ms", "3 ms");
    let greedy = vm("greedy", 1, 1.0, "A100-40C").replace(
        "scenario = \"server\"\ntarget_qps = 1\ntarget_latency = \"130 ms\"",
        "scenario = \"closed-loop\"\nclients = 16",
    );
    let results = run_on(2, "", &(greedy + &tight));
    assert!(results.runs[0].gpus.iter().any(|gpu| gpu.busy_share > 0.95), "{:?}", results.runs[0]);
    let said = results.verdict.sentences.join(" ");
    assert!(said.starts_with("NO: 1 of 2 VMs miss 3 ms (worst case / tight"), "{said}");
    assert!(!said.contains("bottleneck") && said.contains("a query of tight spends"), "{said}");
}
