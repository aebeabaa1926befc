//! Queries without an answer, lost in operations, miss every bound: in the verdict, in explanations, and
//! wherever else a run is judged.

use crate::cli::check;
use slicewise::config::{self, Catalogue, LoadOptions, Task};
use slicewise::spec::Scenario;
use slicewise::study::{self, Effort, ExplainedRun, Head, explain};

/// The scenario of a file: two VMs, each on a card of its own, for 40 s. `busy` is down for 2 s and the longer
/// in its answers, `quiet` is down for 12 s.
fn two() -> Scenario {
    let vm = |name: &str, qps: f64| {
        format!(
            "[[vm]]\nname = \"{name}\"\nvcpus = 8\nvgpu = {{ type = \"A100-20C\" }}\nworkload = \"bert-99\"\n\
             server = {{ batch_max = 4 }}\n[vm.load]\nscenario = \"server\"\narrivals = \"constant\"\n\
             target_qps = {qps}\ntarget_latency = \"50 ms\"\nrules = \"none\"\nmin_duration = \"40 s\"\nmin_query_count = 1\n"
        )
    };
    let operation = |at: &str, kind: &str, vm: &str| {
        format!("[[operation]]\nat = \"{at}\"\nkind = \"{kind}\"\nvm = \"{vm}\"\n")
    };
    let text = [
        "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\nbaseline = \"none\"\n",
        "gpus = { model = \"a100-pcie-40gb\", count = 2 }\n[sharing]\nassignment = \"spread\"\n",
        "[operations]\nboot = \"1 s\"\nmodel_load = \"1 s\"\n",
        &operation("10 s", "power-off", "busy"),
        &operation("10 s", "power-on", "busy"),
        &operation("10 s", "power-off", "quiet"),
        &operation("20 s", "power-on", "quiet"),
        &vm("busy", 1000.0),
        &vm("quiet", 50.0),
    ]
    .concat();
    scenario(&text)
}

fn scenario(text: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.toml");
    std::fs::write(&path, text).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let task = config::load_task(&path, &options).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let Task::Run(scenario) = task else { panic!("a sweep") };
    *scenario
}

fn explained(scenario: &Scenario) -> ExplainedRun {
    let head = Head::of("test", "A test", "0", 1);
    let runs = [("test".to_string(), &scenario.pairs[0].virtual_run.experiment)];
    let effort = Effort { run_most: 20_000_000, trials_most: 300_000 };
    explain(head, &runs, effort, &|_, _, _| {}).runs.remove(0)
}

/// Of 40 s `quiet` is down for 12 s, 10 s and 1 s each to boot and to load: 28 of 40 are answered, 70 %.
/// `busy` is down for 2 s of 40: 95 %. Both latencies are far below the bound, those of `busy` the longer.
#[test]
fn a_vm_that_loses_queries_misses_its_bound_and_the_worst_loses_most() {
    let scenario = two();
    let results = study::run(&scenario, &|_, _, _| {});
    let vms = &results.runs[0].vms;
    let [busy, quiet] = &vms[..] else { panic!("two VMs") };
    assert!(quiet.latency_ms.p99 < busy.latency_ms.p99 && busy.latency_ms.p99 < 50.0, "{vms:?}");
    let said = results.verdict.sentences.join(" ");
    assert!(said.contains("NO: 2 of 2 VMs miss 50 ms (worst case / quiet, answers "), "{said}");

    let run = explained(&scenario);
    let bounds: Vec<_> = run.of_kind("bound").collect();
    // The worst is the first.
    assert_eq!(bounds[0].about.vms, ["quiet"]);
    for (sentence, share) in bounds.iter().zip([0.70, 0.95]) {
        // A query at each end of the time down.
        let found = sentence.figures["within_bound_share"];
        assert!((found - share).abs() < 0.002, "{found} for {share}: {}", sentence.text);
        assert_eq!(sentence.figures["missing_count"], 1.0);
    }
    assert_eq!(run.of_kind("not-needed").count(), 0, "{run:#?}");
    let tried = run.of_kind("no-change").next().expect("nothing makes it serve");
    assert!(tried.text.contains("None of them ends the time in which it was down"), "{tried:?}");
    // 12 s of 50 per second, and one on its way.
    assert!((bounds[0].figures["lost_count"] - 600.0).abs() < 2.0, "{}", bounds[0].text);
}

/// The results of a scenario of one host with two cards: this, and 50 queries a second at equal gaps to each
/// of `vms` for 40 s.
fn operated(vms: &str, operations: &[(&str, &str, &str)]) -> study::Results {
    let operations = operations
        .iter()
        .map(|(at, kind, of)| format!("[[operation]]\nat = \"{at}\"\nkind = \"{kind}\"\n{of}\n"));
    let text = format!(
        "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\nbaseline = \"none\"\n\
         gpus = {{ model = \"a100-pcie-40gb\", count = 2 }}\n[sharing]\nassignment = \"spread\"\n\
         [operations]\nboot = \"1 s\"\nmodel_load = \"1 s\"\n{}\
         [[vm]]\nname = \"a\"\nvcpus = 8\nvgpu = {{ type = \"A100-20C\" }}\nworkload = \"bert-99\"\n\
         server = {{ batch_max = 4 }}\n{vms}[vm.load]\nscenario = \"server\"\narrivals = \"constant\"\n\
         target_latency = \"50 ms\"\nrules = \"none\"\nmin_duration = \"40 s\"\nmin_query_count = 1\n",
        operations.collect::<String>()
    );
    let text = match vms.contains("balance") {
        true => text + "total_qps = 100\n",
        false => text + "target_qps = 50\n",
    };
    study::run_to(&scenario(&text), study::Extent::Once, &|_, _, _| {})
}

/// Two copies share a load; one is down from 10 to 20 s, the other from 15 to 25 s: 2 s of each are boot and
/// model load. Nobody serves for 5 s.
#[test]
fn a_service_is_down_while_none_of_its_copies_serves() {
    let shared = "count = 2\nbalance = \"round-robin\"\nhealth_check = \"1 s\"\n";
    let of = |vm: u32| format!("vm = \"a-{vm}\"");
    let (one, other) = (of(1), of(2));
    let operations = [
        ("10 s", "power-off", &*one),
        ("18 s", "power-on", &*one),
        ("15 s", "power-off", &*other),
        ("23 s", "power-on", &*other),
    ];
    let results = operated(shared, &operations);
    let found = results.runs[0].operations.as_ref().unwrap();
    let [service] = &found.vms[..] else { panic!("one load: {:?}", found.vms) };
    assert!((service.down_s - 5.0).abs() < 1e-9, "{}", service.down_s);
    // Copies have no load of their own.
    let json = serde_json::to_value(&results.runs[0].vms).unwrap();
    let vms = json.as_array().unwrap();
    for vm in vms.iter().filter(|vm| vm["scenario"] == "step") {
        assert!(vm["target_qps"].is_null() && vm["target_latency_ms"].is_null(), "{vm}");
    }
    assert_eq!(vms.iter().filter(|vm| vm["scenario"] == "step").count(), 2);
}

/// Its only host fails at 10 s of 40 and nothing is free elsewhere: 30 s of 50 queries a second are lost, and
/// stand in the row of the restart for which there was no place.
#[test]
fn what_a_vm_loses_that_stays_down_stands_with_its_restart() {
    let results = operated("", &[("10 s", "host-failure", "")]);
    let found = results.runs[0].operations.as_ref().unwrap();
    let restart = found.operations.iter().find(|one| one.kind == "ha-restart").unwrap();
    assert!(!restart.done && restart.stopped_s.is_none(), "{restart:?}");
    assert_eq!(restart.stopped_at_s, Some(10.0));
    // One is on its way at 10 s, and one is due at 40 s.
    assert!(restart.queries_lost.abs_diff(1500) <= 2, "{restart:?}");
}

/// What operations cost is not a matter of the rate: a search refuses them and says what tells it.
#[test]
fn searches_refuse_operations_and_say_what_tells_their_cost() {
    for (command, title, next) in [
        (&["capacity"][..], "highest rate with operations is not simulated", "`slicewise run`"),
        (&["capacity", "--vms=moved"], "number of VMs with operations", "sweep over `vm.count`"),
        (&["plan"], "`operations` has no meaning in a plan", "`slicewise run`"),
    ] {
        let file = "scenarios/vmotion-under-load.toml";
        let arguments: Vec<&str> = command.iter().copied().chain([file]).collect();
        let (_, said) = check(&arguments, 2);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(title) && said.contains(next), "{said}");
    }
}
