//! A machine simulated by parts that share nothing comes to the same, to the last bit, as with all of it
//! on one event list.
//!
//! Two events of different parts at the same nanosecond may happen in another order; nothing that one does
//! can reach the other, so the outcome does not depend on it.

use crate::dice::Dice;
use crate::support::examples;
use slicewise::config::{Catalogue, LoadOptions, Task, load_task};
use slicewise::platform::{Meter, simulate, simulate_together, simulate_told, simulate_within};
use slicewise::spec::{Arrivals, Experiment, GpuId, GpuShare, Step, VmId, VmSpec};
use slicewise::units::{SimDuration, SimTime};
use std::fs;
use std::path::{Path, PathBuf};

/// How many machines are tried.
const CASES: u64 = 60;

/// The runs of our scenario files: whole cards, several of a VM, vGPUs in turns, MIG, MPS, processes,
/// several models, ensembles, traces, closed loops, and pools on bare metal.
fn bases() -> Vec<Experiment> {
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (place, text) in examples().iter().enumerate() {
        files.push(folder.path().join(format!("example-{place}.toml")));
        fs::write(&files[place], text).unwrap();
    }
    for folder in ["scenarios", "tests/good"] {
        add_files(Path::new(folder), &mut files);
    }
    let mut bases = Vec::new();
    for file in &files {
        let Ok(Task::Run(scenario)) = load_task(file, &options) else { continue };
        for pair in &scenario.pairs {
            bases.extend(pair.runs().map(|run| run.experiment.clone()));
        }
    }
    bases
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    for path in all {
        match path.is_dir() {
            true => add_files(&path, files),
            false if path.extension().is_some_and(|of| of == "toml") => files.push(path),
            false => {}
        }
    }
}

/// The machine that has the cards and the guests of both.
fn join(one: &mut Experiment, other: Experiment, (prefix, is_apart): (&str, bool)) {
    let (cards, vms) = (one.cards.len() as u16, one.vms.len() as u16);
    let moved = |share: &mut GpuShare| share.card = GpuId(share.card.0 + cards);
    let later = |vm: &mut VmId| *vm = VmId(vm.0 + vms);
    for mut vm in other.vms {
        vm.name = format!("{prefix}{}", vm.name);
        vm.gpus.iter_mut().for_each(moved);
        vm.server_of.iter_mut().for_each(later);
        vm.balance.iter_mut().flat_map(|balance| &mut balance.members).for_each(later);
        for step in &mut vm.steps {
            if let Step::Model(model) = step {
                later(model);
            }
        }
        one.vms.push(vm);
    }
    for mut pool in other.pools {
        pool.models.iter_mut().chain(&mut pool.vms).for_each(later);
        for server in &mut pool.servers {
            server.name = format!("{prefix}{}", server.name);
            server.gpus.iter_mut().for_each(moved);
        }
        one.pools.push(pool);
    }
    let hosts = one.hosts.len() as u16;
    for mut card in other.cards {
        // Whoever comes to machines that are there comes to the first.
        card.host.0 = if is_apart { card.host.0 + hosts } else { 0 };
        one.cards.push(card);
    }
    if is_apart {
        one.hosts.extend(other.hosts);
    }
}

/// Several runs in one, with few queries, and with some of what joins parts.
fn machine(dice: &mut Dice, bases: &[Experiment]) -> Experiment {
    let mut all = dice.pick(bases).clone();
    let like: Vec<&Experiment> =
        bases.iter().filter(|base| base.pools.is_empty() == all.pools.is_empty()).collect();
    for place in 0..1 + dice.below(3) {
        let other = (*dice.pick(&like)).clone();
        join(&mut all, other, (&format!("{place}/"), dice.one_in(2)));
    }
    all.seed = dice.word();
    for host in &mut all.hosts {
        host.logical_processors.value = if dice.one_in(4) { 2 } else { 1 << 20 };
        host.cores.value = host.logical_processors.value / 2;
        if !dice.one_in(4) {
            host.stalls = None;
        }
    }
    for card in &mut all.cards {
        if dice.one_in(3) {
            card.link.switch = Some(dice.below(4) as u32);
        }
    }
    for vm in &mut all.vms {
        let settings = &mut vm.load.settings;
        settings.min_query_count = settings.min_query_count.min(dice.below(400) as u64);
        settings.min_duration = settings
            .min_duration
            .min(SimDuration::from_secs_f64(dice.below(400) as f64 / settings.target_qps))
            .min(SimDuration::from_secs(2));
    }
    all
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn parts_and_the_whole_come_to_the_same() {
    let bases = bases();
    assert!(bases.len() > 40 && bases.iter().any(|base| !base.pools.is_empty()), "{}", bases.len());
    for case in 0..CASES {
        let experiment = machine(&mut Dice::of(17, case), &bases);
        let whole = format!("{:?}", simulate_together(&experiment));
        let names: Vec<&String> = experiment.vms.iter().map(|vm| &vm.name).collect();
        assert!(format!("{:?}", simulate(&experiment)) == whole, "case {case}: {names:?}");
        // And by strides, each part in turn.
        let strides = simulate_within(&experiment, &mut Meter::new(u64::MAX, &|| false));
        assert!(format!("{:?}", strides.unwrap()) == whole, "case {case} by strides: {names:?}");
        // And side by side, on several platforms.
        for lanes in [2, 3] {
            let lanes = simulate_told(&experiment, lanes, &|_| {});
            assert!(format!("{lanes:?}") == whole, "case {case} side by side: {names:?}");
        }
    }
}

/// Guests wait for the processors and the stalls of their own host alone: what another host's do, short
/// of processors too, changes nothing for them.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_host_notices_nothing_of_another() {
    let bases = bases();
    for case in 0..CASES {
        let mut dice = Dice::of(23, case);
        let alone = machine(&mut dice, &bases);
        let is_trace = |vm: &VmSpec| matches!(vm.load.arrivals, Arrivals::Trace(_));
        let like = bases.iter().filter(|base| {
            base.pools.is_empty() == alone.pools.is_empty() && !base.vms.iter().any(is_trace)
        });
        let mut other = (*dice.pick(&like.collect::<Vec<_>>())).clone();
        // All loads of a run go on until the longest has what it must have, so theirs is the shorter.
        for vm in &mut other.vms {
            vm.load.settings.min_query_count = 1;
            vm.load.settings.min_duration = SimDuration::from_nanos(1);
            vm.power_on = SimTime::ZERO;
        }
        let mut both = alone.clone();
        join(&mut both, other, ("other/", true));
        let vms = alone.vms.len();
        let of_first = |experiment| format!("{:?}", &simulate(experiment).vms[..vms]);
        let names: Vec<&String> = both.vms.iter().map(|vm| &vm.name).collect();
        assert!(of_first(&alone) == of_first(&both), "case {case}: {names:?}");
    }
}
