//! How many VMs fit: the number is a border between two simulated neighbours, and what stops the
//! next one is what the documents say.

use crate::support::queue;
use slicewise::config::{Catalogue, CountFile, LoadError, LoadOptions};
use slicewise::platform::simulate;
use slicewise::spec::{Fact, SizeDistribution};
use slicewise::study::{Head, Obstacle, TooMany, VmPlan, VmResults, most_vms};
use slicewise::units::{Share, SimDuration};

/// VMs of one kind on an R7525, with what they have of a card and how many cards there are.
fn scenario(of_card: &str, cards: u32, more: &str) -> String {
    format!(
        r#"
title = "How many?"
host = "dell-r7525"
hypervisor = "vsphere-7.0u2"
gpus = {{ model = "a100-pcie-40gb", count = {cards} }}
[[vm]]
name = "tenant"
vcpus = 4
{of_card}
workload = "bert-99"
server = {{ batch_max = 4 }}
[vm.load]
scenario = "server"
target_qps = 2
min_duration = "5 s"
min_query_count = 5
{more}
"#
    )
}

fn load(text: &str, group: Option<&str>) -> Result<CountFile, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vms.toml");
    std::fs::write(&path, text).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    CountFile::load(&path, &options, group)
}

#[track_caller]
fn search(text: &str) -> VmResults {
    let file = load(text, None).unwrap_or_else(|error| panic!("{error}"));
    let plan = VmPlan {
        head: Head::of(&file.name, &file.title, &file.hash, file.seed),
        group: file.group.clone(),
        replications: 2,
        ways: file.with_ways(|ways| ways.names()).unwrap(),
    };
    let found = file.with_ways(|ways| {
        most_vms(&plan, &|way, count| ways.experiment(way, count), &|_, _, _| {}, &|| false)
    });
    found.unwrap()
}

/// A plan for ways that a test makes itself.
fn plan(ways: &[&str]) -> VmPlan {
    VmPlan {
        head: Head::of("test", "Test", "", 0),
        group: "vm-1".to_string(),
        replications: 3,
        ways: ways.iter().map(|way| way.to_string()).collect(),
    }
}

/// Work of 5 ms with a bound of 40 ms on p99, and 20 queries per second for each that asks: 40 ms
/// are 35 of waiting, whose tail is nearly rho exp(-35 ms / mean) with a mean of 5 ms rho / (2 (1 -
/// rho)). That is 0.2 % at a load of 0.7, which seven make, and 19 % at 0.9; 1 % may be late.
#[test]
fn the_answer_is_valid_and_one_more_is_not() {
    let run = |count: u32| {
        let rate = 20.0 * f64::from(count);
        let work = SimDuration::from_millis(5);
        let mut run = queue(1, rate, work, SizeDistribution::Fixed, 300);
        run.vms[0].load.settings.target_latency = SimDuration::from_millis(40);
        run
    };
    let make = |way: usize, count: u32| match (way, count) {
        (1, 4..) => {
            let text = "a card takes 3".to_string();
            Err(TooMany { obstacle: Obstacle::Placement, text })
        }
        (_, 65..) => Err(TooMany { obstacle: Obstacle::Limit, text: "64".to_string() }),
        _ => Ok(run(count)),
    };
    let found = most_vms(&plan(&["bound", "placement"]), &make, &|_, _, _| {}, &|| false).ways;
    let valid = |count| simulate(&run(count)).vms[0].failed_rules.is_empty();
    let [bound, placement] = &found[..] else { panic!("two ways") };
    assert!((7..9).contains(&bound.vms), "{}", bound.vms);
    assert!(valid(bound.vms_by_replication[0]) && !valid(bound.vms_by_replication[0] + 1));
    assert_eq!((bound.vms_placed, bound.stopped_by), (64, Obstacle::Latency));
    assert!(bound.stopped.contains("over the bound of 40 ms"), "{}", bound.stopped);
    assert_eq!((placement.vms, placement.vms_placed), (3, 3));
    assert_eq!(
        (placement.stopped_by, &placement.stopped[..]),
        (Obstacle::Placement, "a card takes 3")
    );
    // Rising with the number, and drawn up to one more than fit.
    let p99 = bound.curve.iter().map(|point| point.latency_p99_ms.mean);
    assert!(p99.clone().zip(p99.skip(1)).all(|(one, more)| one < more));
    let drawn: Vec<u32> = bound.curve.iter().map(|point| point.vms).collect();
    assert!((1..=bound.vms + 1).all(|count| drawn.contains(&count)), "{drawn:?}");
}

/// The same, where machines differ by 15 %: nine in ten take 6.4 to 3.9 ms. By the formula above five
/// leave 0.2 % late on the slowest and six 3 %, ten 0.4 % on the fastest and eleven 4 %.
#[test]
fn machines_that_differ_take_fewer_or_more() {
    let make = |_: usize, count: u32| {
        let rate = 20.0 * f64::from(count);
        let work = SimDuration::from_millis(5);
        let mut run = queue(1, rate, work, SizeDistribution::Fixed, 300);
        run.vms[0].load.settings.target_latency = SimDuration::from_millis(40);
        for service in run.vms[0].workload_mut().service.values_mut() {
            service.machines = Some(Fact::assumed(Share::new(0.15).unwrap(), "test"));
        }
        match count {
            65.. => Err(TooMany { obstacle: Obstacle::Limit, text: "64".to_string() }),
            _ => Ok(run),
        }
    };
    let way = &most_vms(&plan(&["one"]), &make, &|_, _, _| {}, &|| false).ways[0];
    let [low, high] = way.vms_inputs.unwrap();
    assert!((7..9).contains(&way.vms), "{}", way.vms);
    assert!((5..7).contains(&low) && (9..12).contains(&high), "{low} to {high}");
}

/// A single VM that misses its bound: none fits, and the search ends.
#[test]
fn none_fits_where_one_alone_misses_its_bound() {
    let make = |_: usize, count: u32| {
        let mut run = queue(1, 20.0, SimDuration::from_millis(5), SizeDistribution::Fixed, 60);
        run.vms[0].load.settings.target_latency = SimDuration::from_millis(4);
        match count {
            3.. => Err(TooMany { obstacle: Obstacle::Host, text: "no vCPUs".to_string() }),
            _ => Ok(run),
        }
    };
    let way = &most_vms(&plan(&["one"]), &make, &|_, _, _| {}, &|| false).ways[0];
    assert_eq!((way.vms, way.vms_per_card, way.stopped_by), (0, 0, Obstacle::Latency));
}

/// NVIDIA's vGPU documents: four A100-10C on a card; seven 1g instances on an A100; and an R7525
/// has 128 logical processors, which 32 VMs of 4 vCPUs take.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn placement_and_host_stop_what_latency_does_not() {
    for (of_card, cards, vms, per_card, stopped_by) in [
        ("vgpu = { type = \"A100-10C\" }", 1, 4, 4, Obstacle::Placement),
        ("vgpu = { type = \"A100-10C\" }", 2, 8, 4, Obstacle::Placement),
        ("vgpu = { type = \"A100-1-5C\" }", 1, 7, 7, Obstacle::Placement),
        ("vgpu = { type = \"largest-mig\" }", 1, 7, 7, Obstacle::Placement),
        ("vgpu = { type = \"A100-4C\" }", 8, 32, 10, Obstacle::Host),
    ] {
        let found = search(&scenario(of_card, cards, ""));
        let way = &found.ways[0];
        assert_eq!((way.vms, way.vms_placed), (vms, vms), "{of_card}: {}", way.stopped);
        assert_eq!((way.vms_per_card, way.stopped_by), (per_card, stopped_by), "{}", way.stopped);
        assert_eq!(way.asked_per_s, 2.0);
    }
    // Batches of 512 need more than 5 GB: the largest type of which all fit is the limit.
    let text = scenario("vgpu = { type = \"largest\" }", 1, "");
    let text = text.replace("batch_max = 4", "batch_max = 512");
    let way = &search(&text).ways[0];
    assert_eq!(way.stopped_by, Obstacle::FrameBuffer, "{}", way.stopped);
    assert!(way.stopped.contains("batches of 512 need"), "{}", way.stopped);
}

/// The axis of the number is what is searched; the other axes and the lines stand side by side.
#[test]
fn a_sweep_is_ways_side_by_side() {
    let sweep = r#"
[sweep]
x = { key = "vm.count", values = [1, 2], label = "VMs" }
"vm.server.batch_max" = [1, 4]
[[sweep.line]]
name = "equal share"
set = { "sharing.policy" = "equal-share", "vm.vgpu.type" = "A100-20C" }
[[sweep.line]]
name = "MIG"
set = { "vm.vgpu.type" = "A100-3-20C" }
"#;
    let found = search(&scenario("vgpu = { type = \"A100-10C\" }", 1, sweep));
    let names: Vec<_> = found.ways.iter().map(|way| (way.name.as_str(), way.vms)).collect();
    let expected = [
        ("equal share, batch_max 1", 2),
        ("equal share, batch_max 4", 2),
        ("MIG, batch_max 1", 2),
        ("MIG, batch_max 4", 2),
    ];
    assert_eq!(names, expected);
    assert!(found.ways[0].assumes.is_some() && found.ways[0].vms_other_idle == Some(2));
    assert!(found.ways[2].assumes.is_none() && found.ways[2].vms_other_idle.is_none());
}

#[test]
fn what_cannot_be_counted_is_refused_with_its_place() {
    let of_card = "vgpu = { type = \"A100-10C\" }";
    let base = scenario(of_card, 1, "");
    let second = base.split("[[vm]]").nth(1).unwrap().replace("tenant", "other");
    let two = format!("{base}[[vm]]{second}");
    for (text, group, title) in [
        (two.clone(), None, "there are several [[vm]], and the one to count is not named"),
        (two.clone(), Some("third"), "no [[vm]] is called \"third\""),
        (
            base.replace("target_qps", "total_qps"),
            None,
            "with `total_qps`, adding a VM would \
            lower",
        ),
        (
            base.replace("scenario = \"server\"", "scenario = \"offline\""),
            None,
            "only VMs under Server load have a latency bound",
        ),
        (base.replace("vcpus = 4", "vcpu = 4"), None, "unknown key \"vcpu\" in `vm`"),
        (base.replace("A100-10C", "A100-11C"), None, "unknown vGPU type"),
    ] {
        let error = load(&text, group).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("not refused: {title}"));
        assert!(error.contains(title) && error.contains("vms.toml:"), "{title} is not in\n{error}");
    }
    assert!(load(&two, Some("other")).is_ok());
}
