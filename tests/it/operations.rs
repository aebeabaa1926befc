//! Operations on VMs while a run goes on: queueing theory of a stop, what is lost and what waits, the same
//! outcome however parts are simulated, and files from text to result.

use crate::cli::check;
use crate::documents::hold_picture;
use crate::support::{cases, queue};
use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::{
    Meter, Outcome, simulate, simulate_together, simulate_told, simulate_within,
};
use slicewise::spec::*;
use slicewise::units::{SimDuration, SimTime};
use std::fs;
use std::sync::Arc;

fn at(millis: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_millis(millis)
}

fn timeline(steps: Vec<(u64, u16, VmChange)>) -> Option<Arc<Timeline>> {
    let steps = steps.into_iter();
    let steps =
        steps.map(|(millis, vm, change)| VmStep { at: at(millis), vm: VmId(vm), change }).collect();
    let window = SimDuration::from_secs(1);
    Some(Arc::new(Timeline {
        stays: Vec::new(),
        outages: Vec::new(),
        operations: Vec::new(),
        steps,
        window,
        leans_on: Vec::new(),
        trace: None,
    }))
}

/// The experiment of a file.
fn read(text: &str) -> Experiment {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("operations.toml");
    fs::write(&path, text).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    scenario.pairs[0].virtual_run.experiment.clone()
}

/// Three VMs on two cards of one host, and a third card.
fn three(policy: &str, operations: &str) -> Experiment {
    read(&format!(
        "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\nbaseline = \"none\"\n\
         gpus = {{ model = \"a100-pcie-40gb\", count = 3 }}\nseed = 3\n\
         [sharing]\npolicy = \"{policy}\"\nassignment = \"spread\"\n\
         [operations]\nmemory = \"2 GB\"\nboot = \"1 s\"\nmodel_load = \"1 s\"\n{operations}\n\
         [[vm]]\nname = \"a\"\ncount = 3\nvcpus = 8\nvgpu = {{ type = \"A100-10C\" }}\n\
         workload = \"bert-99\"\nserver = {{ batch_max = 8 }}\n[vm.load]\nscenario = \"server\"\n\
         target_qps = 200\ntarget_latency = \"50 ms\"\nrules = \"none\"\nmin_query_count = 1\n\
         min_duration = \"60 s\"\n"
    ))
}

/// M/D/1 at load 0.5, stopped for S = 2 s. Beside the queue without a stop, the wait of whoever comes is
/// longer by what is left of the stop: S less R, the work that ends in it since it was launched, less the
/// time in which the queue without a stop is idle. That falls by 1 - rho a second, so that all arrivals
/// together wait longer by lambda (S - R)^2 / (2 (1 - rho)), and those who were there by S - R each. R is
/// rho D / 2 in the mean, and rho + rho^2 / (2 (1 - rho)) queries are there (Pollaczek and Khinchine).
#[test]
fn a_stop_costs_what_queueing_theory_says() {
    let (rate, service, stop, load) = (100.0, 0.005, 2.0, 0.5);
    let left = stop - load * service / 2.0;
    let there = load + load * load / (2.0 * (1.0 - load));
    let longer = rate * left * left / (2.0 * (1.0 - load)) + there * left;
    let hit = rate * stop + there;
    let mut found = Vec::new();
    for seed in 1..=150 {
        let work = SimDuration::from_secs_f64(service);
        let mut plain = queue(1, rate, work, SizeDistribution::Fixed, 30);
        plain.seed = seed;
        let mut stopped = plain.clone();
        stopped.timeline =
            timeline(vec![(10_000, 0, VmChange::Halt), (12_000, 0, VmChange::GoOn(None))]);
        let sum = |experiment: &Experiment| {
            let outcome = simulate(experiment);
            let recorder = &outcome.vms[0].recorder;
            let latencies = recorder.latencies();
            let waited = recorder.over_time().map_or(0, |all| all.stops()[0].waited);
            let all = latencies.mean().unwrap().as_secs_f64() * latencies.count() as f64;
            (latencies.count(), all, waited)
        };
        let ((count, before, _), (same, after, waited)) = (sum(&plain), sum(&stopped));
        assert_eq!(count, same, "everybody is answered");
        found.push((after - before, waited as f64));
    }
    let holds = |what: &str, theory: f64, found: Vec<f64>| {
        let count = found.len() as f64;
        let mean = found.iter().sum::<f64>() / count;
        let squares: f64 = found.iter().map(|one| (one - mean).powi(2)).sum();
        let error = 3.3 * (squares / (count - 1.0) / count).sqrt();
        assert!((mean - theory).abs() <= error, "{what}: {mean} +- {error}, by theory {theory}");
        assert!(error < 0.04 * theory, "{what}: narrow enough to refuse half a stop");
    };
    holds("longer waits", longer, found.iter().map(|one| one.0).collect());
    holds("queries that waited", hit, found.iter().map(|one| one.1).collect());
}

/// Lost are those in the VM as it goes down and those due until it serves again; nobody else.
#[test]
fn a_vm_that_is_down_loses_what_it_has_and_what_comes() {
    let work = SimDuration::from_millis(5);
    let mut plain = queue(1, 100.0, work, SizeDistribution::Fixed, 30);
    let dues: Vec<(SimTime, SimDuration)> = {
        let outcome = slicewise::platform::simulate_with(&plain, |recorder| recorder.keep_log());
        outcome.vms[0].recorder.log().unwrap().to_vec()
    };
    plain.timeline = timeline(vec![(10_000, 0, VmChange::Down), (13_000, 0, VmChange::Up(None))]);
    let outcome = simulate(&plain);
    let is_lost = |(due, latency): &&(SimTime, SimDuration)| {
        *due <= at(13_000) && *due + *latency > at(10_000)
    };
    let lost = dues.iter().filter(is_lost).count() as u64;
    let recorder = &outcome.vms[0].recorder;
    assert!(lost > 250, "three seconds of 100 per second");
    assert_eq!(recorder.lost(), lost);
    assert_eq!(recorder.latencies().count() + lost, dues.len() as u64);
    assert_eq!(recorder.over_time().unwrap().stops()[0].lost, lost);
    // Never up again: all that would have come is lost as well, so the run ends.
    plain.timeline = timeline(vec![(10_000, 0, VmChange::Down)]);
    let outcome = simulate(&plain);
    let before = dues.iter().filter(|(due, latency)| *due + *latency <= at(10_000)).count();
    assert_eq!(outcome.vms[0].recorder.latencies().count(), before as u64);
    assert_eq!(outcome.vms[0].recorder.answered(), dues.len() as u64);
}

#[test]
fn a_timeline_without_steps_changes_nothing() {
    for policy in ["best-effort", "equal-share", "fixed-share"] {
        let operations = "[[operation]]\nat = \"5 s\"\nkind = \"suspend\"\nvm = \"a-1\"\n";
        let mut with = three(policy, operations);
        let mut without = with.clone();
        without.timeline = None;
        with.timeline = timeline(Vec::new());
        let of = |experiment: &Experiment| {
            let found = simulate(experiment);
            let of = |vm: &slicewise::platform::VmOutcome| format!("{:?}", vm.recorder.latencies());
            (found.events, found.vms.iter().map(of).collect::<Vec<_>>())
        };
        assert_eq!(of(&with), of(&without), "{policy}");
    }
}

/// A VM that is moved serves on its new card: the old one rests, and nobody is lost.
#[test]
fn a_moved_vm_works_on_its_new_card() {
    let operations =
        "[[operation]]\nat = \"20 s\"\nkind = \"vmotion\"\nvm = \"a-1\"\nto_card = 1\n";
    let moved = three("equal-share", operations);
    let outcome = simulate(&moved);
    let timeline = moved.timeline.as_ref().unwrap();
    let [halt, goes_on] = &timeline.steps[..] else { panic!("two steps") };
    // 2 GB of memory at 10 Gb/s, of which 0.05 GB/s change: 1.667 s.
    let pre = 2.0 / 1.25 / (1.0 - 0.05 / 1.25);
    assert!(((halt.at - at(20_000)).as_secs_f64() - pre).abs() < 1e-6);
    let recorder = &outcome.vms[0].recorder;
    let [stop] = recorder.over_time().unwrap().stops() else { panic!("one stop") };
    assert_eq!((stop.from, stop.to), (halt.at, goes_on.at), "in flight is hidden in the stun");
    assert_eq!((recorder.lost(), outcome.vms[1].recorder.lost()), (0, 0));
    let had = |card: usize| -> f64 {
        let owners = outcome.gpu_time[card].owners.iter();
        owners.filter(|owner| owner.guests == [VmId(0)]).map(|owner| owner.had.run).sum()
    };
    assert!(had(0) > 0.1 && had(1) > 0.2, "{} and {}", had(0), had(1));
    assert!(had(0) < had(1), "20 s here, 38 s there");
}

/// What a VM does on a card whose VMs do not change is the same, moved or not, once its own queue is as it
/// was: here the VMs that stay notice only that the other is gone.
#[test]
fn parts_and_the_whole_come_to_the_same_with_operations() {
    let operations = "[[operation]]\nat = \"5 s\"\nkind = \"vmotion\"\nvm = \"a-1\"\nto_card = 2\n\
        [[operation]]\nat = \"5 s\"\nkind = \"suspend\"\nvm = \"a-2\"\n\
        [[operation]]\nat = \"20 s\"\nkind = \"resume\"\nvm = \"a-2\"\n\
        [[operation]]\nat = \"3 s\"\nkind = \"clone\"\nvm = \"a-2\"\n\
        [[operation]]\nat = \"50 s\"\nkind = \"suspend\"\nvm = \"a-2-clone\"\n\
        [[operation]]\nat = \"30 s\"\nkind = \"power-off\"\nvm = \"a-3\"\n\
        [[operation]]\nat = \"40 s\"\nkind = \"power-on\"\nvm = \"a-3\"\n";
    for policy in ["best-effort", "equal-share", "fixed-share"] {
        let experiment = three(policy, operations);
        let whole = format!("{:?}", simulate_together(&experiment));
        assert!(format!("{:?}", simulate(&experiment)) == whole, "{policy}");
        let strides = simulate_within(&experiment, &mut Meter::new(u64::MAX, &|| false));
        assert!(format!("{:?}", strides.unwrap()) == whole, "{policy} by strides");
        let lanes = simulate_told(&experiment, 3, &|_| {});
        assert!(format!("{lanes:?}") == whole, "{policy} side by side");
    }
}

/// A clone asked for at 20 s is made in 8 s and serves after 2 s more: from 30 s to the end at 60 s it is
/// asked 30 s x 200 queries a second, +- 3.3 standard deviations of a Poisson count. Until then nobody
/// notices.
#[test]
fn a_clone_serves_a_load_of_its_own_from_when_it_is_loaded() {
    let operations = "clone_time = \"8 s\"\n[[operation]]\nat = \"20 s\"\nkind = \"clone\"\n\
        vm = \"a-1\"\nname = \"b\"\nto_card = 1\n";
    for policy in ["best-effort", "equal-share", "fixed-share"] {
        let with = three(policy, operations);
        let clone = with.vms.last().unwrap();
        assert_eq!((&*clone.name, &*clone.group, clone.power_on), ("b", "b", at(30_000)));
        assert_eq!((clone.gpus[0].card, clone.vcpus), (GpuId(1), 8));
        let mut without = with.clone();
        without.vms.pop();
        without.timeline = timeline(Vec::new());
        let (found, before) = (simulate(&with), simulate(&without));
        let recorder = &found.vms[3].recorder;
        let expected: f64 = 30.0 * 200.0;
        let made = recorder.answered() as f64;
        assert!((made - expected).abs() < 3.3 * expected.sqrt(), "{made} of {expected}");
        assert_eq!((recorder.lost(), recorder.over_time().unwrap().stops().len()), (0, 0));
        let windows = recorder.over_time().unwrap().windows();
        assert!(windows[..30].iter().all(|one| one.made() == 0) && windows[30].made() > 100);
        let told = |outcome: &Outcome, vm: usize, until: usize| {
            format!("{:?}", &outcome.vms[vm].recorder.over_time().unwrap().windows()[..until])
        };
        for vm in 0..3 {
            assert_eq!(told(&found, vm, 29), told(&before, vm, 29), "{policy}");
        }
        // Its neighbour has another on its card, in turns; a slot of one's own is there either way.
        let is_same = told(&found, 1, 59) == told(&before, 1, 59);
        assert_eq!(is_same, policy == "fixed-share", "{policy}");
        assert_eq!(told(&found, 2, 59), told(&before, 2, 59), "{policy}: another card");
    }
}

/// The experiment of a file beside another, or what is wrong with it.
fn read_beside(text: &str, (name, other): (&str, &str)) -> Result<Experiment, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("operations.toml");
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join(name), other).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let told = |error: slicewise::config::LoadError| {
        let all = error.to_string();
        let titles = all.lines().filter(|line| line.starts_with("error"));
        titles.map(str::to_string).collect::<Vec<_>>()
    };
    let scenario = load(&path, &options).map_err(told)?;
    Ok(scenario.pairs[0].virtual_run.experiment.clone())
}

const CLUSTER: &str = "host = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\nbaseline = \"none\"\n\
    gpus = { model = \"a100-pcie-40gb\", count = 2 }\n\
    [[vm]]\nname = \"a\"\ncount = 3\nvcpus = 8\nmemory = \"2 GB\"\nvgpu = { type = \"A100-10C\" }\n\
    workload = \"bert-99\"\nserver = { batch_max = 8 }\n[vm.load]\nscenario = \"server\"\n\
    target_qps = 20\ntarget_latency = \"50 ms\"\nrules = \"none\"\nmin_query_count = 1\n\
    min_duration = \"60 s\"\n[operations]\nboot = \"1 s\"\nmodel_load = \"1 s\"\nclone_time = \"1 s\"\n";

#[derive(Clone, Debug)]
struct Row {
    at: u32,
    kind: &'static str,
    vm: Option<String>,
    to_card: Option<u32>,
    back_after: Option<u32>,
}

impl Row {
    fn as_table(&self) -> String {
        let mut text = format!("[[operation]]\nat = \"{} s\"\nkind = \"{}\"\n", self.at, self.kind);
        text += &self.vm.iter().map(|vm| format!("vm = \"{vm}\"\n")).collect::<String>();
        text += &self.to_card.iter().map(|card| format!("to_card = {card}\n")).collect::<String>();
        let back = self.back_after.iter();
        text + &back.map(|back| format!("back_after = \"{back} s\"\n")).collect::<String>()
    }

    /// Times in seconds, in ms or with their unit, by turns.
    fn as_line(&self) -> String {
        let at = match self.at % 3 {
            0 => self.at.to_string(),
            1 => format!("{} s", self.at),
            _ => format!("{} ms", self.at * 1000),
        };
        let word = |number: Option<u32>| number.map_or(String::new(), |number| number.to_string());
        let vm = self.vm.clone().unwrap_or_default();
        format!("{},{vm},{at},{},{}\n", self.kind, word(self.to_card), word(self.back_after))
    }
}

fn row() -> impl Strategy<Value = Row> {
    let vm = (0..5_usize).prop_map(|vm| ["a-1", "a-2", "a-3", "a-1-clone", "a-4"][vm].to_string());
    prop_oneof![
        (0..70_u32, 0..4_usize, vm.clone()).prop_map(|(at, kind, vm)| Row {
            at,
            kind: ["suspend", "resume", "power-off", "power-on"][kind],
            vm: Some(vm),
            to_card: None,
            back_after: None,
        }),
        (0..70_u32, any::<bool>(), vm, proptest::option::of(0..3_u32)).prop_map(
            |(at, is_move, vm, to_card)| Row {
                at,
                kind: if is_move { "vmotion" } else { "clone" },
                vm: Some(vm),
                to_card,
                back_after: None,
            }
        ),
        (0..70_u32, proptest::option::of(1..30_u32)).prop_map(|(at, back_after)| Row {
            at,
            kind: "host-failure",
            vm: None,
            to_card: None,
            back_after,
        }),
    ]
}

proptest! {
    #![proptest_config(cases(60))]

    /// Operations in a trace are those that they would be in the scenario: the same plan, or the same faults.
    #[test]
    fn a_trace_says_what_its_rows_would_say_in_the_file(
        rows in proptest::collection::vec(row(), 1..4),
    ) {
        let tables: String = rows.iter().map(Row::as_table).collect();
        let lines: String = rows.iter().map(Row::as_line).collect();
        let trace = format!("kind,vm,at,to_card,back_after\n{lines}");
        let in_file = read_beside(&format!("{CLUSTER}{tables}"), ("vms.csv", &trace));
        let in_trace = read_beside(&format!("{CLUSTER}trace = \"vms.csv\"\n"), ("vms.csv", &trace));
        let told = |found: &Result<Experiment, Vec<String>>| match found {
            Ok(experiment) => {
                let timeline = experiment.timeline.as_ref().unwrap();
                format!("{:?} {:?} {:?}", timeline.operations, timeline.steps, experiment.vms)
            }
            Err(faults) => faults.join("\n"),
        };
        prop_assert_eq!(told(&in_file), told(&in_trace));
    }
}

/// And so the run is the same, to the last byte of its tables.
#[test]
fn a_trace_gives_the_bytes_of_the_same_operations() {
    let tables = "[[operation]]\nat = \"5 s\"\nkind = \"power-off\"\nvm = \"a-1\"\n\
        [[operation]]\nat = \"10 s\"\nkind = \"clone\"\nvm = \"a-2\"\nname = \"b\"\n\
        [[operation]]\nat = \"20 s\"\nkind = \"power-on\"\nvm = \"a-1\"\n";
    let trace = "at,kind,vm,name\n5,power-off,a-1\n10 s,clone,a-2,b\n0.02 ks,power-on,a-1\n";
    let trace = trace.replace("0.02 ks", "20000 ms");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vms.csv"), trace).unwrap();
    let run = |tables: &str| {
        // Names of files and folders are told in tables, so both have the same.
        let path = folder.path().join("vms.toml");
        fs::write(&path, format!("{CLUSTER}{tables}")).unwrap();
        let out = tempfile::tempdir().unwrap();
        let (path, to) = (path.to_str().unwrap(), out.path().to_str().unwrap());
        check(&["run", path, "--out", to, "--quiet", "--once"], 0);
        ["operations.csv", "over-time.csv", "summary.csv"].map(|file| {
            let path = out.path().join(file);
            let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
            // All but the hash of what was read, which is the last column.
            match file {
                "summary.csv" => {
                    text.lines().filter_map(|line| Some(line.rsplit_once(',')?.0)).collect()
                }
                _ => text,
            }
        })
    };
    let (in_file, in_trace) = (run(tables), run("trace = \"vms.csv\"\n"));
    assert!(in_file[0].contains("clone,a-2,10,"), "{}", in_file[0]);
    assert!(in_file == in_trace);
}

#[test]
fn the_vms_of_a_host_that_fails_are_down_to_the_end_where_there_is_no_other() {
    let operations = "[[operation]]\nat = \"10 s\"\nkind = \"host-failure\"\n";
    let outcome = simulate(&three("best-effort", operations));
    for vm in &outcome.vms {
        let windows = vm.recorder.over_time().unwrap().windows();
        assert!(windows[..9].iter().all(|one| one.lost == 0 && one.answered > 0));
        assert!(windows[11..].iter().all(|one| one.answered == 0 && one.lost > 0));
        assert!(!vm.failed_rules.is_empty(), "what nobody answers is over any bound");
    }
    // It is back after 5 s: restarts begin once the failure is known, after 18 s.
    let back = format!("{operations}back_after = \"5 s\"\n");
    let outcome = simulate(&three("best-effort", &back));
    for vm in &outcome.vms {
        let [stop] = vm.recorder.over_time().unwrap().stops() else { panic!("one stop") };
        // 18 s, 1 s to place it, 1 s each to boot and to load.
        assert_eq!((stop.from, stop.to), (at(10_000), at(31_000)));
        assert!(stop.lost > 3000, "21 s of 200 per second: {}", stop.lost);
    }
}

/// The picture and the figures of a page are what the program gives; `UPDATE=1` takes new pictures. `rows`:
/// the cells of the printed tables that stand in the page.
#[track_caller]
fn page_shows(name: &str, cells: impl Fn(&[&str]) -> Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let file = format!("scenarios/{name}.toml");
    let (printed, _) = check(&["run", &file, "--out", out, "--quiet", "--all"], 0);
    let picture = format!("docs/explanation/operations/{name}.svg");
    hold_picture(&folder.path().join("operations.svg"), &picture);
    let page = fs::read_to_string(format!("docs/explanation/{name}.md")).unwrap();
    let mut told = 0;
    for line in printed.lines() {
        let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "/").collect();
        if let Some(cells) = cells(&words) {
            assert!(page.contains(&cells), "{cells} of {line}");
            told += 1;
        }
    }
    assert!(told > 1, "{printed}");
}

#[test]
fn the_page_shows_what_a_vmotion_does() {
    page_shows("vmotion-under-load", |words| match words {
        ["vmotion-under-load", _, .., p99, "VALID" | "INVALID"] => Some(format!("| {p99} |")),
        ["vmotion-under-load", _, _, within, _, _] => Some(format!("| {within} % |")),
        ["vmotion", "moved", .., waited, longest, _] => Some(format!("| {waited} | {longest} |")),
        _ => None,
    });
}

#[test]
fn the_page_shows_what_a_failed_host_does() {
    page_shows("host-failure", |words| match words {
        ["host-failure", _, _, within, lost, down] => {
            Some(format!("| {down} | {lost} | {within} % |"))
        }
        _ => None,
    });
}

/// The picture of a load that VMs share, and its row of availability in a page: lost and within the bound.
#[track_caller]
fn page_shows_shared(name: &str, page: &str, told: impl Fn(&str, &str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let file = format!("scenarios/{name}.toml");
    let (printed, _) = check(&["run", &file, "--out", out, "--quiet"], 0);
    let picture = format!("docs/explanation/operations/{name}.svg");
    hold_picture(&folder.path().join("operations.svg"), &picture);
    let page = fs::read_to_string(format!("docs/explanation/{page}.md")).unwrap();
    let rows = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut rows = rows.filter(|row| row.len() == 7 && row[..3] == [name, "/", "server"]);
    let row = rows.next().unwrap_or_else(|| panic!("{printed}"));
    let told = told(row[5], row[4]);
    assert!(page.contains(&told), "{told}");
}

#[test]
fn the_page_shows_what_a_load_balancer_saves() {
    page_shows_shared("load-balancer", "host-failure", |lost, within| {
        format!("| `least-outstanding` | 6 s | {lost} | {within} % |")
    });
}

#[test]
fn the_page_shows_how_replicas_follow() {
    page_shows_shared("replicas", "replicas", |_, within| format!("| 60 s | {within} % |"));
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_page_shows_what_a_maintenance_window_does() {
    page_shows("maintenance-window", |words| match words {
        [
            "operation:",
            "maintenance",
            "of",
            host,
            ..,
            "empty",
            "after",
            seconds,
            _,
            _,
            _,
            _,
            _,
            _,
        ] => Some(format!("| {seconds} |")).filter(|_| host.starts_with("host")),
        _ => None,
    });
}

/// A random timeline of VMs: each halts or is down, and goes on or serves again, somewhere.
fn random(cards: u16) -> impl Strategy<Value = Vec<(u64, u16, VmChange)>> {
    let one = (0..8_000_u64, 1..3_000_u64, 0..3_u16, any::<bool>(), proptest::option::of(0..cards));
    proptest::collection::vec(one, 0..8).prop_map(|all| {
        let mut steps: Vec<(u64, u16, VmChange)> = Vec::new();
        let mut free = [0; 3];
        for (from, span, vm, is_down, card) in all {
            let from = from.max(free[usize::from(vm)]);
            let place = card.map(|card| {
                let vgpu_type = Some("A100-10C".to_string());
                let sm_limit = slicewise::units::Share::WHOLE;
                vec![GpuShare { card: GpuId(card), instance: 0, vgpu_type, sm_limit, pods: None }]
            });
            let (stops, starts) = match is_down {
                true => (VmChange::Down, VmChange::Up(place)),
                false => (VmChange::Halt, VmChange::GoOn(place)),
            };
            steps.extend([(from, vm, stops), (from + span, vm, starts)]);
            free[usize::from(vm)] = from + span;
        }
        // The last may not come to its end: then it stands still, or is down, for good.
        steps.sort_by_key(|(millis, ..)| *millis);
        steps
    })
}

proptest! {
    #![proptest_config(cases(40))]

    /// However VMs stop, move and fail: every query is answered or lost, once, by the same arrivals as without
    /// operations; nobody is lost who only stood still; and parts come to the same as the whole.
    #[test]
    fn queries_are_conserved(
        steps in random(3),
        policy in prop_oneof![Just("best-effort"), Just("equal-share")],
        slots in 1..4_u32,
    ) {
        let operations = "[[operation]]\nat = \"5 s\"\nkind = \"suspend\"\nvm = \"a-1\"\n";
        let mut plain = three(policy, operations);
        // Every card is cut, so that all VMs can come to it.
        let cut = plain.cards[0].instances.clone();
        plain.cards.iter_mut().for_each(|card| card.instances = cut.clone());
        for vm in &mut plain.vms {
            vm.load.settings.min_duration = SimDuration::from_secs(10);
            vm.server.slots = slots.max(vm.server.streams);
        }
        plain.timeline = timeline(Vec::new());
        let mut changed = plain.clone();
        let goes_down = steps.iter().any(|(.., change)| matches!(change, VmChange::Down));
        changed.timeline = timeline(steps);
        let (before, after) = (simulate(&plain), simulate(&changed));
        let sum = |outcome: &Outcome| -> Vec<u64> {
            outcome.vms.iter().map(|vm| vm.recorder.answered()).collect()
        };
        prop_assert_eq!(sum(&before), sum(&after));
        for vm in &after.vms {
            let over_time = vm.recorder.over_time().unwrap();
            let made: u64 = over_time.windows().iter().map(|window| window.made()).sum();
            prop_assert_eq!(made, vm.recorder.answered());
            prop_assert!(goes_down || vm.recorder.lost() == 0);
            let in_stops: u64 = over_time.stops().iter().map(|stop| stop.lost).sum();
            prop_assert_eq!(in_stops, vm.recorder.lost());
        }
        let (parts, whole) = (format!("{after:?}"), format!("{:?}", simulate_together(&changed)));
        prop_assert_eq!(parts, whole);
    }
}
