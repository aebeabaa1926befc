//! A time-slice policy from outside the crate, from its registration to results.
//!
//! A program of its own: what is registered is known to the whole process, and the other tests hold
//! what is allowed in files without it.

use slicewise::config::{Catalogue, LoadError, LoadOptions, Task, explain, schema, task_of_text};
use slicewise::gpu::{Entry, POLICIES, PolicyEntry, TimeSlicePolicy, policies, register};
use slicewise::layout::registry::{WordSlice, encode};
use slicewise::platform::{Outcome, simulate};
use slicewise::spec::{IdleRule, Scenario, SlicePolicy, TimeSlicing};
use slicewise::study::{point_key, run};
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::LazyLock;

/// Equal share, told by a stranger: a turn for each VM that runs, with work or not, or for each slot
/// under the idle rule of the file.
#[derive(Debug)]
struct Mine(IdleRule);

impl TimeSlicePolicy for Mine {
    fn slots(&self, owners: usize) -> usize {
        owners
    }

    fn offers_turn(&self, entry: &Entry) -> bool {
        entry.is_running && (self.0 == IdleRule::Burned || entry.has_work)
    }

    fn idle_rule(&self) -> IdleRule {
        self.0
    }
}

/// Turns for whoever has work, whatever the file says of idle ones.
#[derive(Debug)]
struct OnlyWork;

impl TimeSlicePolicy for OnlyWork {
    fn slots(&self, owners: usize) -> usize {
        owners
    }

    fn offers_turn(&self, entry: &Entry) -> bool {
        entry.has_work
    }

    fn idle_rule(&self) -> IdleRule {
        IdleRule::Polled
    }
}

/// Turns with or without work until a second was had; then for work alone.
#[derive(Debug)]
struct NewcomersFirst;

impl TimeSlicePolicy for NewcomersFirst {
    fn slots(&self, owners: usize) -> usize {
        owners
    }

    fn offers_turn(&self, entry: &Entry) -> bool {
        entry.has_work || (entry.is_running && entry.scheduled.as_millis_f64() < 1000.0)
    }

    fn idle_rule(&self) -> IdleRule {
        IdleRule::Burned
    }
}

/// Tests run in one process and in any order: all is registered once.
static REGISTERED: LazyLock<[SlicePolicy; 3]> = LazyLock::new(|| {
    [
        register(PolicyEntry::new("mine", "equal share, once more", |slicing: &TimeSlicing| {
            Box::new(Mine(slicing.idle))
        })),
        register(PolicyEntry::new("only-work", "no idle turns", |_| Box::new(OnlyWork))),
        register(PolicyEntry::new("newcomers-first", "a second for free", |_| {
            Box::new(NewcomersFirst)
        })),
    ]
});

/// Two VMs share an A100, each at `rate` queries of BERT a second.
fn load(policy: &str, keys: &str, rate: f64) -> Result<Scenario, LoadError> {
    LazyLock::force(&REGISTERED);
    let text = format!(
        r#"
        host = "dell-r7525"
        hypervisor = "vsphere-7.0u2"
        gpus = {{ model = "a100-pcie-40gb", count = 1 }}
        sharing = {{ policy = "{policy}", slice = "4 ms"{keys} }}

        [[vm]]
        count = 2
        vcpus = 8
        vgpu = {{ type = "A100-20C" }}
        workload = "bert-99"
        server = {{ preset = "triton", batch_max = 8 }}

        [vm.load]
        scenario = "server"
        target_qps = {rate}
        min_duration = "5 s"
        min_query_count = 1
        "#
    );
    let options = LoadOptions::new(Catalogue::load(None)?);
    match task_of_text(Path::new("own.toml"), &text, &options)? {
        Task::Run(scenario) => Ok(*scenario),
        Task::Sweep(_) => unreachable!("no sweep"),
    }
}

fn outcome(policy: &str, keys: &str, rate: f64) -> Outcome {
    let scenario = load(policy, keys, rate).unwrap();
    simulate(&scenario.pairs[0].virtual_run.experiment)
}

/// Count, mean and 99th percentile of each VM's queries.
fn latencies(outcome: &Outcome) -> Vec<(u64, f64, f64)> {
    let vms = outcome.vms.iter().map(|vm| vm.recorder.query_latencies());
    vms.map(|all| {
        let ms = |quantile| all.quantile(quantile).unwrap().as_millis_f64();
        (all.count(), all.mean().unwrap().as_millis_f64(), ms(0.99))
    })
    .collect()
}

#[test]
fn a_policy_from_outside_says_what_one_from_inside_says() {
    for rate in [50.0, 300.0] {
        assert_eq!(
            latencies(&outcome("mine", "", rate)),
            latencies(&outcome("equal-share", "", rate))
        );
        let rest = ", idle = \"rest-burned\"";
        assert_eq!(
            latencies(&outcome("mine", rest, rate)),
            latencies(&outcome("equal-share", rest, rate))
        );
    }
}

#[test]
fn without_idle_turns_queries_wait_less() {
    let (own, equal) = (outcome("only-work", "", 300.0), outcome("equal-share", "", 300.0));
    for (own, equal) in latencies(&own).into_iter().zip(latencies(&equal)) {
        assert_eq!(own.0, equal.0, "the same queries");
        assert!(own.1 < equal.1 && own.2 < equal.2, "{own:?} {equal:?}");
    }
}

#[test]
fn a_policy_that_looks_at_the_time_given_comes_to_rest() {
    // Both had their second after some two, idle or not: at 0.2 queries a second nearly all of it is
    // idle turns, which are caught up with in one step where nothing changes on the way.
    let own = outcome("newcomers-first", "", 0.2);
    assert!(own.vms.iter().all(|vm| vm.recorder.query_latencies().count() > 0));
}

#[test]
fn results_and_documents_know_the_policy() {
    let mut scenario = load("only-work", "", 300.0).unwrap();
    let results = run(&scenario, &|_, _, _| {});
    let results = serde_json::to_string(&results).unwrap();
    // Its own rule for idle turns is told, not the default of files; and there is no other to try.
    assert!(results.contains(r#"policy = \"only-work\", idle = \"polled\""#), "{results}");
    assert!(!results.contains(r#""idle = "#), "{results}");
    assert!(results.contains("is not one of NVIDIA's driver"), "{results}");

    let pair = &mut scenario.pairs[0].virtual_run.experiment;
    let key = point_key(pair);
    pair.cards[0].instances[0].sharing.slicing_mut().unwrap().policy = REGISTERED[0];
    assert_ne!(key, point_key(pair), "a kept run is that of its policy");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, "sharing = { policy = \"mine\" }").unwrap();
    let known = schema().to_string();
    assert!(["mine", "only-work"].iter().all(|name| known.contains(&format!("\"{name}\""))));
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let mistakes = explain(&file, &options).unwrap_err().to_string();
    assert!(!mistakes.contains("time-slice policy"), "{mistakes}");
}

#[test]
fn a_name_nobody_registered_is_told_with_those_that_are_known() {
    let mistake = load("onlywork", "", 300.0).unwrap_err().to_string();
    assert!(mistake.contains("unknown time-slice policy \"onlywork\""), "{mistake}");
    assert!(mistake.contains("mine, only-work, newcomers-first"), "{mistake}");
    assert!(mistake.contains("did you mean \"only-work\"?"), "{mistake}");
    let names: Vec<_> = policies().iter().map(|entry| entry.name).collect();
    assert!(POLICIES.iter().zip(&names).all(|(own, name)| own.name == *name), "{names:?}");
}

#[test]
fn what_cannot_be_registered_is_refused() {
    LazyLock::force(&REGISTERED);
    for name in ["mine", "equal-share", "", "Mine", "my policy", "7th"] {
        let entry = || register(PolicyEntry::new(name, "", |_| Box::new(OnlyWork)));
        assert!(catch_unwind(entry).is_err(), "{name}");
    }
    let another = register(PolicyEntry::new("another", "", |_| Box::new(OnlyWork)));
    assert_eq!(another, SlicePolicy::Own("another"));
    // No word of NVIDIA's registry sets one.
    assert!(!REGISTERED[0].is_of_driver() && SlicePolicy::EqualShare.is_of_driver());
    assert!(catch_unwind(|| encode(SlicePolicy::Own("mine"), None, WordSlice::Default)).is_err());
}
