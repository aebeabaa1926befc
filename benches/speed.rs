//! How long a query takes to simulate: `cargo bench`, half a minute.
//!
//! Four cases, each in queries per second, so that one run shows their ratios whatever the machine:
//! the draws alone, Lindley's recursion on them (the least any simulation of a queue can do), the
//! same queue through the whole platform in batches of one, and the BERT-99 Server run of the
//! reference scenario. It asserts nothing: a shared machine makes no promises.

use criterion::{Criterion, SamplingMode, Throughput};
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::engine::RandomStreams;
use slicewise::loadgen::LoadGen;
use slicewise::platform::simulate;
use slicewise::queueing::stats::LatencyHistogram;
use slicewise::spec::{Experiment, PermitReturn, SizeDistribution, WorkTable};
use slicewise::units::{Bytes, SimDuration, SimTime};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

/// The work of a query in the small queue; load 0.7 at [`QUEUE_QPS`].
const WORK: SimDuration = SimDuration::from_millis(5);
const QUEUE_QPS: f64 = 140.0;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    speed(&mut criterion);
    criterion.final_summary();
}

fn speed(criterion: &mut Criterion) {
    let bert = bert_server();
    let queue = queue(&bert);
    let mut group = criterion.benchmark_group("query");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    for (name, experiment, run) in [
        ("draws", &bert, draws as fn(&Experiment) -> u64),
        ("lindley", &queue, lindley),
        ("m_d_1", &queue, platform),
        ("bert_99_server", &bert, platform),
    ] {
        group.throughput(Throughput::Elements(run(experiment)));
        group.bench_function(name, |bencher| bencher.iter(|| run(black_box(experiment))));
    }
    group.finish();
}

/// Due time and size of every query, and nothing done with them.
fn draws(experiment: &Experiment) -> u64 {
    let mut loadgen = loadgen(experiment);
    while let Some(query) = loadgen.next_scheduled() {
        black_box(query);
    }
    loadgen.made_count()
}

/// One server, first come first served: each query starts when it is due and the one before is
/// done (Lindley 1952). Draws and recording are the platform's own.
fn lindley(experiment: &Experiment) -> u64 {
    let (mut loadgen, mut latencies) = (loadgen(experiment), LatencyHistogram::new());
    let mut free = SimTime::ZERO;
    while let Some(query) = loadgen.next_scheduled() {
        free = query.due.max(free) + WORK.scale(f64::from(query.size));
        latencies.record(free - query.due);
    }
    black_box(latencies.quantile(0.99));
    latencies.count()
}

/// The run as `slicewise run` simulates it.
fn platform(experiment: &Experiment) -> u64 {
    simulate(experiment).vms[0].recorder.latencies().count()
}

fn loadgen(experiment: &Experiment) -> LoadGen {
    let vm = &experiment.vms[0];
    let streams = RandomStreams::new(experiment.seed, experiment.replication);
    LoadGen::new(
        vm,
        vm.load.settings.min_duration,
        &streams,
        Some(vm.load.settings.round.schedule_seed),
    )
}

/// The bare-metal BERT-99 Server run of the reference scenario: 4 723 166 queries.
fn bert_server() -> Experiment {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/vsphere-mlperf-v1.1/bert-99-server.toml");
    let catalogue = Catalogue::load(None).expect("the embedded catalogue is right");
    let options = LoadOptions::new(catalogue);
    let scenario = load(Path::new(path), &options).expect("the scenario is right");
    let pair = scenario.pairs.into_iter().next().expect("a file makes a pair");
    pair.twin().expect("the scenario has a twin").experiment.clone()
}

/// M/D/1 on the same machine: one GPU, batches of one, nothing but [`WORK`] on the way.
fn queue(bert: &Experiment) -> Experiment {
    let mut queue = bert.clone();
    queue.cards.truncate(1);
    let vm = &mut queue.vms[0];
    vm.gpus.truncate(1);
    (vm.server.batch_max, vm.server.streams, vm.server.slots) = (1, 1, 1);
    vm.server.permit_return = PermitReturn::AtCompletion;
    vm.load.settings.target_qps = QUEUE_QPS;
    // As many seconds as make half a million queries.
    vm.load.settings.min_duration = SimDuration::from_secs(500_000 / QUEUE_QPS as u64);
    let workload = &mut vm.workload;
    workload.sizes.value = SizeDistribution::Fixed;
    workload.input_per_sample.value = Bytes::ZERO;
    workload.output_per_sample.value = Bytes::ZERO;
    let cpu = &mut workload.cpu;
    for none in [&mut cpu.launch_per_batch, &mut cpu.launch_per_sample] {
        none.value = SimDuration::ZERO;
    }
    for service in workload.service.values_mut() {
        service.launch.value = SimDuration::ZERO;
        service.work.value = WorkTable::new(vec![(1, WORK)]).expect("one point is a table");
    }
    queue
}
