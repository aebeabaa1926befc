//! MPS on an H200: rates of closed loops and of lone clients, told by `run` as of any scenario.
//!
//! Every rate is told from rows that are not its own: what each number was learnt on stands at `Learnt`. Rows
//! told by numbers that were learnt on them as well are printed apart (`in sample`). The data are
//! `tests/measured/h200/cases.csv`; what the numbers mean stands in ARCHITECTURE.md, "A batch on a slice".

use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::simulate;
use slicewise::queueing::stats::LatencyHistogram;
use slicewise::spec::{BatchRule, Experiment, PhiTable, ServiceTime, TestScenario, WorkTable};
use slicewise::units::{Share, SimDuration};
use std::collections::BTreeMap;
use std::fs;

/// What MPS adds to the launch of a graph, in ms: the median over six lone clients without a limit is
/// 0.12 (0.113, 0.054, 0.184; 0.134, 0.121, 0.123).
const GRAPH: f64 = 0.12;

/// Batches per second of all processes of a case together, and the mean time of one in ms.
#[derive(Clone, Copy, Debug)]
struct Measured {
    rate: f64,
    ms: f64,
}

/// What was run, batch or nothing, `ts` or the percentage of threads, processes.
type Case = (String, u32, String, usize);

fn measured(case: &str, kernels: bool) -> BTreeMap<Case, Measured> {
    let text = fs::read_to_string("tests/measured/h200/cases.csv").unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let at = |row: &[&str], key: &str| -> String {
        row[head.iter().position(|name| *name == key).unwrap()].to_string()
    };
    let mut found: BTreeMap<Case, Vec<(f64, f64)>> = BTreeMap::new();
    for row in lines {
        let get = |key: &str| at(&row, key);
        let is_kernel = get("what") == "kernel";
        let phase = if kernels { "closed" } else { case };
        if get("phase") != phase || is_kernel != kernels || get("case") == "warm" {
            continue;
        }
        let what = if is_kernel { get("case") } else { get("what") };
        let key = (what, get("batch").parse().unwrap_or(1), get("mode"), get("nproc"));
        let key = (key.0, key.1, key.2, key.3.parse().unwrap());
        let number = |key: &str| get(key).parse::<f64>().unwrap();
        found.entry(key).or_default().push((number("thr"), number("mean_us") / 1e3));
    }
    let together = |rows: Vec<(f64, f64)>| Measured {
        rate: rows.iter().map(|row| row.0).sum(),
        ms: rows.iter().map(|row| row.1).sum::<f64>() / rows.len() as f64,
    };
    found.into_iter().map(|(case, rows)| (case, together(rows))).collect()
}

/// The SMs of 132 that a percentage of threads is: down to pairs.
fn part(percent: &str) -> f64 {
    let sms = percent.parse::<f64>().unwrap() / 100.0 * 132.0;
    (sms / 2.0).floor() * 2.0 / 132.0
}

const LIMITS: [&str; 4] = ["mps75", "mps50", "mps25", "mps12"];
const MODELS: [&str; 2] = ["bert", "resnet"];
const BATCHES: [u32; 3] = [1, 8, 32];

/// The rows of the models.
struct Models {
    alone: BTreeMap<Case, Measured>,
    closed: BTreeMap<Case, Measured>,
}

impl Models {
    fn read() -> Self {
        Self { alone: measured("alone", false), closed: measured("closed", false) }
    }

    fn ms(&self, model: &str, batch: u32, mode: &str, processes: usize) -> f64 {
        let case = (model.to_string(), batch, mode.to_string(), processes);
        (if processes == 1 { &self.alone } else { &self.closed })[&case].ms
    }

    /// A phi by least squares of the logarithms of `t = t(1) (1 + phi x) + 0.12 ms`, 0 to 1, over points
    /// (x, t).
    fn phi(&self, model: &str, batch: u32, points: &[(f64, f64)]) -> f64 {
        let whole = self.ms(model, batch, "ts", 1);
        let off = |phi: f64| -> f64 {
            let told = |x: f64| whole * (1.0 + phi * x) + GRAPH;
            points.iter().map(|&(x, ms)| (told(x) / ms).ln().powi(2)).sum()
        };
        // The misfit has one minimum: thirds of the interval that cannot hold it go.
        let (mut low, mut high) = (0.0, 1.0);
        while high - low > 1e-6 {
            let (one, two) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if off(one) < off(two) { high = two } else { low = one }
        }
        (low + high) / 2.0
    }

    /// phi of a limit, of lone clients at these percentages.
    fn of_limits(&self, model: &str, batch: u32, limits: &[&str]) -> f64 {
        let point = |mode: &&str| {
            let s = part(mode.strip_prefix("mps").unwrap());
            (1.0 / s - 1.0, self.ms(model, batch, mode, 1))
        };
        self.phi(model, batch, &limits.iter().map(point).collect::<Vec<_>>())
    }

    /// phi of sharing, of so many clients without limits.
    fn of_sharing(&self, model: &str, batch: u32, counts: &[usize]) -> f64 {
        let point = |&n: &usize| (n as f64 - 1.0, self.ms(model, batch, "mps100", n));
        self.phi(model, batch, &counts.iter().map(point).collect::<Vec<_>>())
    }
}

/// What a row is told from; the time of a batch alone (`work`) is always that of the row without MPS.
#[derive(Clone, Copy)]
enum Learnt {
    /// As the catalogue has it: phi on two and four clients without limits, phi of a limit on lone
    /// clients at four limits.
    Catalogue,
    /// phi in place of the catalogue's.
    Sharing(f64),
    /// phi of a limit in place of the catalogue's.
    Limit(f64),
}

/// Batches per second of processes in a closed loop, as simulated.
fn told(model: &str, batch: u32, mode: &str, processes: usize, learnt: Learnt) -> f64 {
    let percent = mode.strip_prefix("mps").unwrap();
    let workload = if model == "bert" { "bert-large-torch" } else { "resnet50-torch" };
    let mut experiment = experiment(
        workload,
        (percent, processes),
        (batch, "graph"),
        Catalogue::load(None).unwrap(),
    );
    for vm in &mut experiment.vms {
        let service = vm.workload_mut().service.get_mut("h200-sxm-141gb").unwrap();
        let constant = |phi: f64| PhiTable::constant(Share::new(phi).unwrap());
        match learnt {
            Learnt::Catalogue => {}
            Learnt::Sharing(phi) => service.phi.value = constant(phi),
            Learnt::Limit(phi) => service.phi_limit.as_mut().unwrap().value = constant(phi),
        }
    }
    rate(&experiment) / f64::from(batch)
}

fn experiment(
    workload: &str,
    (percent, processes): (&str, usize),
    (batch, launches): (u32, &str),
    catalogue: Catalogue,
) -> Experiment {
    let threads = match percent {
        "100" => String::new(),
        percent => format!(", active_threads = \"{percent} %\""),
    };
    let text = format!(
        "host = {{ logical_processors = 64, memory = \"1 TB\" }}
gpus = {{ model = \"h200-sxm-141gb\", count = 1 }}
[[vm]]
name = \"client\"
count = {processes}
vcpus = 4
workload = \"{workload}\"
process = {{ sharing = \"mps\"{threads} }}
server = {{ preset = \"triton\", launches = \"{launches}\", batch_max = {batch}, batch_rule = \"full\", timeout = \"none\", streams = 1, slots = 1 }}
load = {{ scenario = \"closed-loop\", clients = {batch}, min_duration = \"60 s\", min_query_count = 1 }}
"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mps.toml");
    fs::write(&path, text).unwrap();
    let options = LoadOptions { seed: Some(1), ..LoadOptions::new(catalogue) };
    let scenario = load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    scenario.pairs.into_iter().next().unwrap().virtual_run.experiment
}

/// Samples per second of all VMs.
fn rate(experiment: &Experiment) -> f64 {
    let outcome = simulate(experiment);
    let of_vm = outcome.vms.iter().map(|vm| {
        let recorder = &vm.recorder;
        recorder.latencies().count() as f64 / recorder.last_completion().as_secs_f64()
    });
    of_vm.sum()
}

/// Errors of rates in %, of one kind of row.
#[derive(Default)]
struct Errors(Vec<f64>);

impl Errors {
    fn add(&mut self, what: &str, told: f64, measured: f64) {
        let error = 100.0 * (told / measured - 1.0);
        println!("  {what:32} {measured:9.2} per s, told {error:+6.1} %");
        self.0.push(error);
    }

    /// Median, nine in ten, worst, without sign.
    fn of(&self) -> [f64; 3] {
        let mut errors: Vec<f64> = self.0.iter().map(|error| error.abs()).collect();
        errors.sort_by(f64::total_cmp);
        let at = |q: f64| errors[((q * errors.len() as f64).ceil() as usize).max(1) - 1];
        [at(0.5), at(0.9), at(1.0)]
    }

    fn told(&self, kind: &str) -> [f64; 3] {
        let of = self.of();
        println!("{kind}: {} rows, median, nine in ten, worst {of:.1?} %", self.0.len());
        of
    }
}

fn for_models(mut each: impl FnMut(&str, u32)) {
    for model in MODELS {
        BATCHES.iter().for_each(|&batch| each(model, batch));
    }
}

/// What batches side by side take, over one of them alone, beside what the times of whole batches leave for
/// it: two and four streams of a process on an H100, two and four clients under MPS on an H200, with limits of
/// their parts and without. At the least phi none takes longer than measured but batches of 8 and 16 of
/// ResNet-50 in two streams, by 3 and 2 %; at 1, which is the most that a phi can be, 11 of the 46 take up to 8 %
/// longer than told. Between them is a factor of 1.2 in the median, 3.1 at most.
#[test]
fn times_of_whole_batches_bound_what_batches_side_by_side_take() {
    let (mut told, mut out) = (Vec::new(), Vec::new());
    let mut add = |name: String, service: &ServiceTime, batch: u32, count: f64, stretch: f64| {
        let at = |phi: f64| 1.0 + phi * (count - 1.0);
        let least = at(service.least_phi().unwrap().at(batch));
        let likely = at(service.likely_phi().unwrap().at(batch));
        if least > stretch {
            assert!(least < 1.03 * stretch, "{name}: {least} of {stretch}");
            out.push(name.clone());
        }
        assert!(at(1.0) > 0.92 * stretch, "{name}: {count} of {stretch}");
        told.push((at(1.0) / least, (likely / stretch - 1.0).abs()));
    };
    let catalogue = Catalogue::load(None).unwrap();
    let frame = catalogue.workload("resnet50-torch").unwrap().service["h200-sxm-141gb"].clone();
    let of = |times: &[(u32, f64)]| {
        let points = times.iter().map(|&(b, ms)| (b, SimDuration::from_nanos_f64(ms * 1e6)));
        let mut service = frame.clone();
        service.work.value = WorkTable::new(points.collect()).unwrap();
        service
    };

    let text = fs::read_to_string("tests/measured/streams.csv").unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let rows = rows.map(|row| {
        let number = |at: usize| row[at].parse::<f64>().unwrap();
        (row[1].to_string(), number(2) as u32, number(3), 1e3 / number(4))
    });
    let rows: Vec<_> = rows.collect();
    for model in ["resnet50", "bert-large"] {
        let alone = rows.iter().filter(|row| row.0 == model && row.2 == 1.0);
        let times: Vec<(u32, f64)> = alone.map(|row| (row.1, row.3)).collect();
        let service = of(&times);
        for &(_, batch, streams, ms) in rows.iter().filter(|row| row.0 == model && row.2 > 1.0) {
            let own = service.work.value.at(batch) / 1e6;
            let name = format!("{model} {batch} x {streams} streams");
            add(name, &service, batch, streams, streams * ms / own);
        }
    }
    let models = Models::read();
    for (what, model) in [("bert", "bert-large"), ("resnet", "resnet50")] {
        let times = [1, 8, 32].map(|batch| (batch, models.ms(what, batch, "ts", 1)));
        let service = of(&times);
        for (batch, alone) in times {
            for (mode, count) in [("mps100", 2), ("mps100", 4), ("mps50", 2), ("mps25", 4)] {
                let stretch = (models.ms(what, batch, mode, count) - GRAPH) / alone;
                add(
                    format!("{model} {batch} x {count} {mode}"),
                    &service,
                    batch,
                    count as f64,
                    stretch,
                );
            }
        }
    }
    assert_eq!(told.len(), 46);
    assert_eq!(out, ["resnet50 8 x 2 streams", "resnet50 16 x 2 streams"]);
    let mut widths: Vec<f64> = told.iter().map(|one| one.0).collect();
    let mut errors: Vec<f64> = told.iter().map(|one| one.1).collect();
    widths.sort_by(f64::total_cmp);
    errors.sort_by(f64::total_cmp);
    assert!(widths[23] < 1.25 && widths[45] < 3.2, "{widths:?}");
    assert!(errors[23] < 0.06 && errors[45] < 0.32, "{errors:?}");
}

/// The catalogue's numbers are what these rows say: the time of a batch alone to 0.1 us, and phi to half of
/// the last digit written.
#[test]
fn the_catalogue_has_what_the_rows_say() {
    let (models, catalogue) = (Models::read(), Catalogue::load(None).unwrap());
    for_models(|model, batch| {
        let workload = if model == "bert" { "bert-large-torch" } else { "resnet50-torch" };
        let run = experiment(workload, ("100", 1), (batch, "graph"), catalogue.clone());
        let service = &run.vms[0].workload.service["h200-sxm-141gb"];
        let near = |found: f64, said: f64, digit: f64| {
            assert!((found - said).abs() <= digit, "{model} {batch}: {found} against {said}");
        };
        near(service.work.value.at(batch) / 1e6, models.ms(model, batch, "ts", 1), 1e-4);
        near(service.phi.value.at(batch), models.of_sharing(model, batch, &[2, 4]), 6e-4);
        near(service.phi_limit_at(batch), models.of_limits(model, batch, &LIMITS), 6e-4);
    });
    for batch in [2, 4, 16, 64] {
        for model in MODELS {
            let workload = if model == "bert" { "bert-large-torch" } else { "resnet50-torch" };
            let run = experiment(workload, ("100", 1), (batch, "graph"), catalogue.clone());
            let service = &run.vms[0].workload.service["h200-sxm-141gb"];
            let off = service.work.value.at(batch) / 1e6 - models.ms(model, batch, "ts", 1);
            assert!(off.abs() <= 1e-4, "{model} {batch}: {off}");
        }
    }
}

/// Asked: the rate of all processes together of closed loops under MPS within 6 % in the median.
///
/// Learnt: lone clients with a limit on the three other limits; clients without limits on the other count
/// of them (two on four, four on two); clients with limits that are busy together on lone ones and on those
/// without limits. Kernels on nothing but their time alone: one that fills what its process has of the SMs
/// is work of that part with phi 1, one of a tenth of the chip has phi 0.
#[test]
fn rates_under_mps_are_told_from_other_rows() {
    let models = Models::read();
    let [mut limit, mut share, mut both, mut sample]: [Errors; 4] = Default::default();
    for_models(|model, batch| {
        for mode in LIMITS {
            let others: Vec<&str> = LIMITS.into_iter().filter(|other| *other != mode).collect();
            let phi = models.of_limits(model, batch, &others);
            let case = (model.to_string(), batch, mode.to_string(), 1);
            let row = models.alone[&case].rate;
            let told = |learnt| told(model, batch, mode, 1, learnt);
            limit.add(&format!("{model} {batch} {mode} alone"), told(Learnt::Limit(phi)), row);
            sample.add(&format!("{model} {batch} {mode} in sample"), told(Learnt::Catalogue), row);
        }
    });
    for_models(|model, batch| {
        for (count, other) in [(2, 4), (4, 2)] {
            let phi = models.of_sharing(model, batch, &[other]);
            let case = (model.to_string(), batch, "mps100".to_string(), count);
            let row = models.closed[&case].rate;
            let told = |learnt| told(model, batch, "mps100", count, learnt);
            share.add(&format!("{model} {batch} x {count}"), told(Learnt::Sharing(phi)), row);
            sample.add(
                &format!("{model} {batch} x {count} in sample"),
                told(Learnt::Catalogue),
                row,
            );
        }
    });
    for_models(|model, batch| {
        for (mode, count) in [("mps50", 2), ("mps25", 4)] {
            let case = (model.to_string(), batch, mode.to_string(), count);
            let told = told(model, batch, mode, count, Learnt::Catalogue);
            both.add(&format!("{model} {batch} {mode} x {count}"), told, models.closed[&case].rate);
        }
    });
    let kernels = kernels();
    let mut closed = Errors::default();
    [&share, &both].iter().for_each(|errors| closed.0.extend(&errors.0));
    let mut all = Errors(closed.0.clone());
    all.0.extend(&kernels.0);
    limit.told("limit alone");
    share.told("sharing alone");
    both.told("limits and sharing");
    kernels.told("kernels");
    sample.told("told by numbers learnt on the rows too");
    assert_eq!([limit.0.len(), closed.0.len(), kernels.0.len()], [24, 24, 15]);
    let (of_limits, of_models, of_all) =
        (limit.of(), closed.told("models in closed loops"), all.told("all closed loops"));
    assert!(of_limits[0] <= 6.0 && of_models[0] <= 6.0 && of_all[0] <= 6.0);
}

/// A model server of BERT-large in each of two and four processes: whatever waits at once, 32 at most,
/// Poisson arrivals. Nothing was learnt on it; p99 of all queries of a case, of some 5600, is asked within
/// 15 %, as of Server load on GPU instances. The servers had graphs of 1, 8 and 32 samples only, so a batch
/// takes the time of the next of these.
#[test]
fn model_servers_under_mps_are_told() {
    let text = fs::read_to_string("tests/measured/h200/cases.csv").unwrap();
    let catalogue = Catalogue::load(None).unwrap();
    for processes in [2, 4] {
        let case = format!("server,server_bert_80,mps100,bert,,32,,{processes},");
        let rows = text.lines().filter_map(|line| line.strip_prefix(&case));
        let rows: Vec<Vec<f64>> = rows
            .map(|row| row.split(',').take(12).map(|cell| cell.parse().unwrap()).collect())
            .collect();
        assert_eq!(rows.len(), processes);
        // proc, load, rate, n, seconds, mean, p50, p90, p99: alike processes, so their means.
        let of =
            |column: usize| rows.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64;
        let mut run =
            experiment("bert-large-torch", ("100", processes), (32, "graph"), catalogue.clone());
        for vm in &mut run.vms {
            let service = vm.workload_mut().service.get_mut("h200-sxm-141gb").unwrap();
            let (work, phi) = (service.work.value.clone(), service.phi.value.clone());
            let time = |size: u32| SimDuration::from_nanos_f64(work.at(size));
            let share = |size: u32| Share::new(phi.at(size)).unwrap();
            let padded = [(1, 1), (2, 8), (8, 8), (9, 32), (32, 32)];
            let times = padded.iter().map(|&(size, graph)| (size, time(graph))).collect();
            let shares = padded.iter().map(|&(size, graph)| (size, share(graph))).collect();
            service.work.value = WorkTable::new(times).unwrap();
            service.phi.value = PhiTable::new(shares).unwrap();
            vm.server.batch_rule = BatchRule::Available;
            vm.load.scenario = TestScenario::Server;
            vm.load.settings.target_qps = of(2);
        }
        let outcome = simulate(&run);
        let told = |what: &dyn Fn(&LatencyHistogram) -> f64| {
            let of_vm = outcome.vms.iter().map(|vm| what(vm.recorder.latencies()));
            of_vm.sum::<f64>() / processes as f64
        };
        let mean = told(&|latencies| latencies.mean().unwrap().as_millis_f64());
        let p99 = told(&|latencies| latencies.quantile(0.99).unwrap().as_millis_f64());
        let [mean, p99] = [(mean, of(5)), (p99, of(8))]
            .map(|(told, measured_us)| 100.0 * (told / measured_us * 1e3 - 1.0));
        println!("model servers x {processes}: mean {mean:+.1} %, p99 {p99:+.1} %");
        assert!(p99.abs() <= 15.0, "{processes}: {p99}");
    }
}

/// Single kernels: under MPS nothing is added to their launch.
fn kernels() -> Errors {
    let mut errors = Errors::default();
    let rows = measured("closed", true);
    for ((case, _, mode, processes), row) in
        rows.iter().filter(|((_, _, mode, _), _)| mode.starts_with("mps"))
    {
        let percent = mode.strip_prefix("mps").unwrap();
        // What was asked of one kernel alone, in ms; `solo_us` is within 1 % of it.
        let alone = case[1..].parse::<f64>().unwrap();
        let (work, phi) = match case.starts_with('f') {
            true => (alone * part(percent), 1),
            false => (alone, 0),
        };
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("workloads")).unwrap();
        let text = format!(
            "name = \"kernel\"\nusual_preset = \"triton\"\ntarget_latency = \"1 s\"\nweights = \"1 MiB\"\n[service.h200-sxm-141gb]\nwork = {{ 1 = \"{work} ms\" }}\nphi = {phi}\nphi_limit = {phi}\n"
        );
        fs::write(folder.path().join("workloads/kernel.toml"), text).unwrap();
        let catalogue = Catalogue::load(Some(folder.path())).unwrap();
        let run = experiment("kernel", (percent, *processes), (1, "kernels"), catalogue);
        errors.add(&format!("kernel {case} {mode} x {processes}"), rate(&run), row.rate);
    }
    errors
}
