//! `slicewise ask`: from a model and a GPU to an answer, in one command.
//!
//! It turns the question into a scenario and does with it what `sweep` and `capacity` do: it
//! neither simulates nor formats. The names of the ways of sharing are in `ways`, the text of the
//! scenario in `scenario`.

mod assumed;
mod model;
mod scenario;
mod ways;

use super::arguments::{OutputArgs, span, whole};
use super::failure::Failure;
use super::named::did_you_mean;
use super::work::Work;
use super::{output, progress};
use crate::config::{self, Catalogue, LoadError, LoadOptions, SweepFile, Task, nearest, quoted};
use crate::report::{File, Maker, Report};
use crate::spec::{Experiment, GpuSpec, Hypervisor, SweepPoint};
use crate::study::{
    self, Answered, CapacityPlan, CapacityResults, CapacitySearch, Findings, Memory, PointRow,
    PointRun, Question, SweepResults, System, WayAnswer,
};
use crate::units::{SimDuration, counted};
use assumed::{PHI, assumed};
use clap::Args;
use model::{Model, refuse_idle};
use scenario::ScenarioValues;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use ways::{Place, Way};

/// Arguments of `slicewise ask`.
#[derive(Args, Debug)]
pub(crate) struct AskArgs {
    /// The model: a workload of the catalogue such as bert-99, a workload file (my-model.toml), or
    /// files of measurements on the GPU: a CSV of batch and latency, times or a log of trtexec, a
    /// CSV of perf_analyzer, logs of LoadGen; 8=FILE where a file does not state that its batch
    /// size was 8
    #[arg(long, short, value_name = "MODEL", num_args = 1.., required = true)]
    model: Vec<PathBuf>,

    /// The GPU, as `list` or nvidia-smi names it
    #[arg(long, short, value_name = "GPU")]
    gpu: String,

    /// GPUs that the VMs share
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = whole(1..=64u32))]
    gpus: u32,

    /// VMs (or containers), all with the same load
    #[arg(long, short = 'n', value_name = "N", default_value = "4")]
    #[arg(value_parser = whole(1..=64u32))]
    vms: u32,

    /// Queries per second for each VM [default: the answer is how many each VM can serve]
    #[arg(long, short, value_name = "PER SECOND", value_parser = rate, allow_negative_numbers = true)]
    rate: Option<f64>,

    /// The latency bound for 99 % of the queries, such as "50 ms" [default: the model's, else 100
    /// ms]
    #[arg(long, short, value_name = "TIME", value_parser = span)]
    bound: Option<SimDuration>,

    /// Ways of sharing: best-effort, equal-share, fixed-share (vGPUs), mig or mig:1g.10gb, mps or
    /// mps:25, processes, whole; several with commas [default: all that the GPU offers, side by
    /// side]
    #[arg(long, short, value_name = "WAYS")]
    sharing: Vec<String>,

    /// The hypervisor, as `list` names it; none for containers and processes on bare metal
    #[arg(long, value_name = "NAME", default_value = "vsphere-8.0")]
    hypervisor: String,

    /// vCPUs of each VM
    #[arg(long, value_name = "N", default_value = "8")]
    #[arg(value_parser = whole(1..=512u32))]
    vcpus: u32,

    /// The largest batch that the inference server forms [default: the largest measured batch that
    /// takes at most half the bound, at most 64]
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000u32))]
    batch_max: Option<u32>,

    /// GPU memory that a measured model needs, such as "2 GB" [default: taken to fit]
    #[arg(long, value_name = "SIZE")]
    weights: Option<String>,

    /// Number format of a measured model's matrix products, int8 or fp16: its times are scaled to
    /// another GPU by that rate [default: fp16]
    #[arg(long, value_name = "FORMAT", value_parser = super::arguments::number_format)]
    number_format: Option<String>,

    /// Name of a measured model [default: that of its first file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Largest batch of the server with which logs of LoadGen, or rows of perf_analyzer, were
    /// measured
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000u32))]
    measured_batch_max: Option<u32>,

    /// GPUs of that server
    /// [default: 1]
    #[arg(long, value_name = "N", value_parser = whole(1..=64u32))]
    measured_gpus: Option<u32>,

    /// The GPU on which the files were measured, if not --gpu: their times are scaled, with an
    /// interval
    #[arg(long, value_name = "GPU", conflicts_with = "scaled_from")]
    measured_on: Option<String>,

    /// The GPU whose times are scaled where the model has none on --gpu, with an interval: auto for
    /// the nearest GPU, or a GPU [default: refused]
    #[arg(long, value_name = "GPU")]
    scaled_from: Option<String>,

    /// Precision of the highest rates, in percent
    #[arg(long, value_name = "PERCENT", default_value = "3", value_parser = super::arguments::percent)]
    precision: f64,

    /// Output folder for the scenario, the model and the answer [default: output/ask-MODEL];
    /// replaced by each run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept
    #[arg(long)]
    force: bool,

    /// Seed of every random stream [default: 0]
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,

    #[command(flatten)]
    output: OutputArgs,
}

/// Below the help.
pub(super) const HELP: &str = "\
Examples:
  slicewise ask --model times.csv --gpu \"NVIDIA H100 PCIe\" --vms 4 --rate 50 --bound \"50 ms\"
  slicewise ask --model bert-99 --gpu a100-pcie-40gb --vms 7 --rate 100     a model of the catalogue
  slicewise ask --model bert-99 --gpu a100-pcie-40gb --vms 7                how many per second?
  slicewise ask --model trtexec-b1.log trtexec-b8.log --gpu a30 --vms 2 --rate 200
  slicewise ask --model 1=one.json 8=eight.json --gpu l4 --vms 3 --rate 20  exported by trtexec
  slicewise ask --model perf.csv --gpu a30 --vms 2 --rate 100               of perf_analyzer -f
  slicewise ask --model 32=mlperf_log_summary.txt --gpu a30 --vms 2 --rate 100
  slicewise ask --model times.csv --gpu a100-pcie-80gb --vms 7 --rate 20 --sharing mig:1g.10gb,mps
  slicewise ask --model times.csv --gpu h200-sxm-141gb --rate 50 --hypervisor none    containers
  slicewise ask --model times.csv --measured-on a30 --gpu l4 --vms 2 --rate 20        another GPU

times.csv has a column of batch sizes and one of times with its unit, such as batch,latency_ms:
times of a batch alone on the GPU. `slicewise list` prints models and GPUs of the catalogue.
The folder of the answer has the scenario that says the same: `slicewise explain` says of it why.

Exit codes:
  0  yes: the bound is kept for every possible value of the inputs; or, without --rate, at some rate
  2  a mistake on the command line or in a file
  4  no, or not sure: it depends on inputs that were not measured, which are named";

/// `50`, `50/s`, `0.5 qps`.
fn rate(text: &str) -> Result<f64, String> {
    let bare = text.trim().trim_end_matches("/s").trim_end_matches("qps").trim_end_matches("rps");
    match bare.trim().parse::<f64>() {
        Ok(rate) if (1e-6..=1e6).contains(&rate) => Ok(rate),
        _ => Err("allowed: 0.000001 to 1000000 queries per second, such as 50".to_string()),
    }
}

/// Runs the command.
pub(super) fn run(arguments: &AskArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = Catalogue::load(configs)?;
    let hypervisor = hypervisor(&catalogue, &arguments.hypervisor)?;
    let gpu = super::named::gpu(&catalogue, &arguments.gpu)?.clone();
    let place =
        Place { gpu: &gpu, gpus: arguments.gpus, vms: arguments.vms, hypervisor: &hypervisor };
    let ways = match arguments.sharing.is_empty() {
        true => place.usual(),
        false => place.asked(&arguments.sharing)?,
    };
    // Where nothing that is asked for has a place, a whole GPU each shows what would have one.
    let mut with_whole = ways.clone();
    if ways.iter().all(|way| way.word != "whole") {
        with_whole.push(Way { is_reference: true, ..place.whole() });
    }
    let say = |line: &str| {
        if !arguments.output.quiet {
            output::message(line)
        }
    };
    let scaled_from = scaled_from(arguments, &catalogue)?;
    let model = Model::of(arguments, &gpu, (scaled_from.as_deref(), &catalogue), &say)?;
    refuse_idle(&model, arguments)?;
    let bound = arguments.bound.unwrap_or(model.workload.target_latency.value);
    let folder_name = format!("ask-{}", model.name);
    let progress = progress::Search::new(arguments.output.quiet, None);
    let place = (&arguments.out, folder_name.as_str(), arguments.force);
    let work = Work::begin(&arguments.output, Maker::Ask, place, progress.bar())?;

    let catalogue = match &model.text {
        Some(text) => catalogue.with_workload_file(&model.named, text.clone()),
        None => catalogue,
    };
    let options = LoadOptions { rates_are_parts: true, ..LoadOptions::new(catalogue) };
    let mut asker = Asker {
        arguments,
        gpu: &gpu,
        model: &model,
        bound,
        ways: &ways,
        options,
        folder: work.folder().path(),
        is_short: false,
    };
    let (batch_max, mut file) = match asker.with_batch() {
        Ok(found) => found,
        Err(nowhere) => {
            asker.ways = &with_whole;
            asker.with_batch().map_err(|_| nowhere)?
        }
    };
    let ways = asker.ways;
    let question = |rate: f64| Question {
        model: model.name.clone(),
        gpu: gpu.id.clone(),
        gpus: arguments.gpus,
        vms: arguments.vms,
        rate_per_vm_per_s: rate,
        rate_was_asked: arguments.rate.is_some(),
        bound_ms: bound.as_millis_f64(),
        model_is_trusted: model.is_trusted,
    };
    let told = (model.alarms.clone(), assumed(&asker, &hypervisor, batch_max));
    let (mut answer, rate) = if let Some(reason) = asker.too_slow(&file) {
        progress.clear();
        let rate = arguments.rate.unwrap_or(1.0);
        let reason = (reason, arguments.precision / 100.0);
        let ways = described(ways, &file);
        (study::answered_at_once(question(rate), ways, told, file.sweep(), reason), rate)
    } else {
        if let Some(rate) = arguments.rate.filter(|rate| asker.is_beyond(&file, *rate)) {
            asker.is_short = true;
            file = asker.load(batch_max, rate)?;
        }
        let stop = || progress.is_over();
        let show = |done, all, doing: &str| progress.set(done, all, doing);
        let capacities = work.simulate(|| asker.capacities(&file, &show, &stop))?;
        let (rate, file) = match arguments.rate {
            Some(rate) => (rate, file),
            None => {
                let rate = part_of_best(&capacities, ways, arguments.vms);
                (rate, asker.load(batch_max, rate)?)
            }
        };
        let (results, runs) = work.simulate(|| sweep(&file, &show))??;
        progress.clear();
        let found = Findings { sweep: &results, runs: &runs, capacities: &capacities };
        (study::answer(question(rate), described(ways, &file), told, &found), rate)
    };
    // What decides is told with its figures, and not again.
    let deciders = answer.ways.iter().filter_map(|way| Some(&way.figures.as_ref()?.decided_by));
    if deciders.flatten().any(|decider| decider.input.name.starts_with("phi of ")) {
        answer.assumed.retain(|line| !line.starts_with(PHI));
    }

    let scenario_name = format!("{}-vms.toml", model.name);
    let mut texts = vec![(scenario_name.clone(), asker.asked(batch_max, rate).text())];
    texts.extend(model.text.clone().map(|text| (model.named.clone(), text)));
    let texts = texts.iter().map(|(name, text)| File::new(name, text.as_str()));
    let files: Vec<File> = texts.chain(answer.files()?).collect();
    work.folder().write(&files)?;
    work.print(&answer)?;
    let scenario = work.folder().path().join(&scenario_name).display().to_string();
    let with = configs.map_or(String::new(), |configs| {
        format!(" --configs {}", for_shell(&configs.display().to_string()))
    });
    let named = for_shell(&scenario);
    say(&format!(
        "\nThe same as a scenario: {scenario}\n  slicewise sweep {named}{with}\n  slicewise capacity {named}{with} --precision {} --replications 1\n  slicewise capacity {named}{with} --vms     how many VMs",
        arguments.precision
    ));
    match answer.answer {
        Answered::Yes => Ok(()),
        Answered::No | Answered::NotSure => Err(Failure::AnsweredNo),
    }
}

/// A path as a shell takes it.
fn for_shell(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:+,@%".contains(c);
    match path.chars().all(is_plain) {
        true => path.to_string(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

/// Whose times are scaled: `auto`, or a GPU by its id.
fn scaled_from(arguments: &AskArgs, catalogue: &Catalogue) -> Result<Option<String>, Failure> {
    let word = arguments.measured_on.as_ref().or(arguments.scaled_from.as_ref());
    Ok(match word {
        None => None,
        Some(word) if word.eq_ignore_ascii_case("auto") && arguments.measured_on.is_none() => {
            Some("auto".to_string())
        }
        Some(word) => Some(super::named::gpu(catalogue, word)?.id.clone()),
    })
}

/// The hypervisor that a word names.
fn hypervisor(catalogue: &Catalogue, word: &str) -> Result<Hypervisor, Failure> {
    let lower = word.to_lowercase();
    let id = match lower.as_str() {
        "none" | "bare" | "baremetal" | "kubernetes" | "k8s" => "bare-metal",
        other => other,
    };
    catalogue.hypervisor(id).cloned().ok_or_else(|| {
        let near = did_you_mean(nearest(word, catalogue.hypervisor_ids()));
        let known: Vec<&str> = catalogue.hypervisor_ids().collect();
        Failure::Usage(format!(
            "unknown hypervisor {}\n  = allowed: none, {}{near}",
            quoted(word),
            known.join(", ")
        ))
    })
}

/// What the question is, to be written with one batch and rate or another.
struct Asker<'a> {
    arguments: &'a AskArgs,
    gpu: &'a GpuSpec,
    model: &'a Model,
    bound: SimDuration,
    ways: &'a [Way],
    options: LoadOptions,
    folder: &'a Path,
    /// Whether the rate is beyond what the GPUs can do by any way, so that a few queries show it.
    is_short: bool,
}

impl Asker<'_> {
    fn asked(&self, batch_max: u32, rate: f64) -> ScenarioValues<'_> {
        let arguments = self.arguments;
        ScenarioValues {
            title: format!(
                "{} of {} at {rate}/s each on {} x {}, bound {}",
                counted(arguments.vms, "VM"),
                self.model.name,
                arguments.gpus,
                self.gpu.id,
                self.bound
            ),
            workload: self.model.named.clone(),
            scaled_from: self.model.scaled_from.as_deref(),
            gpu: &self.gpu.id,
            gpus: arguments.gpus,
            vms: arguments.vms,
            vcpus: arguments.vcpus,
            rate,
            bound: self.bound,
            batch_max,
            seed: arguments.seed,
            replications: 3,
            is_short: self.is_short,
            ways: self.ways,
        }
    }

    fn load(&self, batch_max: u32, rate: f64) -> Result<SweepFile, LoadError> {
        let text = self.asked(batch_max, rate).text();
        let path = self.folder.join(format!("{}-vms.toml", self.model.name));
        match config::task_of_text(&path, &text, &self.options)? {
            Task::Sweep(file) => Ok(*file),
            Task::Run(_) => unreachable!("the text has a sweep"),
        }
    }

    /// The scenario with the largest batch that leaves as many ways possible as any: what is asked for; else
    /// what takes half the bound at most, so that another batch may go before a query's own.
    fn with_batch(&self) -> Result<(u32, SweepFile), Failure> {
        /// More than this no server makes by default.
        const MOST: u32 = 64;
        // A rate is put in later; what part of the whole each VM has is all that it says here.
        let rate = self.arguments.rate.unwrap_or(1.0);
        if let Some(batch) = self.arguments.batch_max {
            return Ok((batch, self.load(batch, rate)?));
        }
        let known = self.model.largest_known().min(MOST);
        let suits = |batch: &u32| *batch == 1 || self.model.batch_time(*batch) * 2 <= self.bound;
        let mut candidates: Vec<u32> =
            (0..=6).map(|power| 1 << power).filter(|batch| *batch < known).collect();
        candidates.push(known);
        candidates.retain(suits);
        let mut best: Option<(usize, u32, SweepFile)> = None;
        let mut failed = None;
        for batch in candidates.into_iter().rev() {
            match self.load(batch, rate) {
                // By times that are scaled for this GPU.
                Ok(file) if batch > 1 && self.time_on_it(&file, batch) * 2 > self.bound => {}
                Ok(file) => {
                    let simulated = file.sweep().simulated().count();
                    if best.as_ref().is_none_or(|(most, ..)| simulated > *most) {
                        best = Some((simulated, batch, file));
                    }
                }
                Err(error) => failed = Some(error),
            }
            if best.as_ref().is_some_and(|(most, ..)| *most == self.ways.len()) {
                break;
            }
        }
        match (best, failed) {
            (Some((_, batch, file)), _) => Ok((batch, file)),
            (None, Some(error)) => Err(error.into()),
            (None, None) => unreachable!("a batch of one is always tried"),
        }
    }

    /// Why no rate keeps the bound by any way, where that is plain from one query alone.
    fn too_slow(&self, file: &SweepFile) -> Option<String> {
        let alone = self.of_every_way(file, study::too_slow_alone)?;
        let alone = alone.into_iter().min()?;
        Some(format!(
            "one query of {} alone takes {alone} on a whole {}, and the bound is {}: no rate \
             keeps the bound, however the GPU is shared",
            self.model.name, self.gpu.id, self.bound
        ))
    }

    /// Whether a rate of each VM is beyond what the GPUs of any way can do.
    fn is_beyond(&self, file: &SweepFile, rate: f64) -> bool {
        let asked = rate * f64::from(self.arguments.vms);
        let beyond = |run: &Experiment| (asked > study::twice_throughput(run)).then_some(());
        self.of_every_way(file, beyond).is_some()
    }

    /// What is so of every way that can be simulated; nothing where it is not of one, or none can be.
    fn of_every_way<T>(
        &self,
        file: &SweepFile,
        of: impl Fn(&Experiment) -> Option<T>,
    ) -> Option<Vec<T>> {
        let points = file.sweep().simulated();
        let found: Option<Vec<T>> =
            file.with_points(|made| points.map(|(index, _)| of(&made.experiment(index))).collect());
        found.filter(|all| !all.is_empty())
    }

    /// The time of a batch alone on the GPU that is asked about.
    fn time_on_it(&self, file: &SweepFile, batch: u32) -> SimDuration {
        let Some((place, _)) = file.sweep().simulated().next() else { return SimDuration::ZERO };
        file.with_points(|points| {
            let experiment = points.experiment(place);
            let service = &experiment.vms[0].workload.service[&self.gpu.id];
            let work = service.work.value.at(batch);
            SimDuration::from_nanos_f64(service.launch.value.as_nanos_f64() + work)
        })
    }

    /// The highest rates, as `capacity` searches them.
    fn capacities(
        &self,
        file: &SweepFile,
        show: study::Progress<'_>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> CapacityResults {
        let sweep = file.sweep();
        let systems = file.with_points(|points| {
            let system = |(index, point): (usize, &SweepPoint)| System {
                with_curve: false,
                with_inputs: !self.ways[index].is_reference,
                with_other_idle: true,
                ..System::of(sweep.label(point), points.experiment(index))
            };
            sweep.simulated().map(system).collect()
        });
        let search = CapacitySearch { precision: self.arguments.precision / 100.0 };
        study::capacities(&CapacityPlan::of(sweep.into(), search, 1, systems), show, stop)
    }
}

/// The ways with what each VM has, as the scenario places it.
fn described(ways: &[Way], file: &SweepFile) -> Vec<WayAnswer> {
    let points = &file.sweep().points;
    file.with_points(|made| {
        let one = |(index, way): (usize, &Way)| {
            let experiment = points[index].is_simulated().then(|| made.experiment(index));
            WayAnswer {
                name: way.name.clone(),
                sharing: way.word.clone(),
                each_has: experiment.as_ref().map_or(String::new(), each_has),
                cards: experiment.as_ref().map_or(0, |run| run.cards_in_use().len()),
                is_reference: way.is_reference,
                error: points[index].error.clone(),
                figures: None,
            }
        };
        ways.iter().enumerate().map(one).collect()
    })
}

/// What the first VM has of the GPUs.
fn each_has(experiment: &Experiment) -> String {
    let Some(share) = experiment.vms.first().and_then(|vm| vm.gpus.first()) else {
        return String::new();
    };
    let instance = experiment.instance(share);
    let neighbours = experiment.vms.iter().flat_map(|vm| &vm.gpus);
    let owners =
        neighbours.filter(|one| one.card == share.card && one.instance == share.instance).count();
    match (&share.vgpu_type, &instance.profile) {
        (Some(kind), _) => kind.clone(),
        (None, Some(profile)) => profile.clone(),
        (None, None) if owners > 1 => format!("1 of {owners} processes"),
        (None, None) => "a whole GPU".to_string(),
    }
}

/// Three quarters of what the best way can do, to two digits: a load that leaves some room. Ways that only
/// stand beside the others count where there is nothing else.
fn part_of_best(capacities: &CapacityResults, ways: &[Way], vms: u32) -> f64 {
    let rate_of = |wanted: bool| {
        let systems = capacities.systems.iter().filter(|system| {
            ways.iter().any(|way| way.name == system.name && way.is_reference != wanted)
        });
        systems.map(|system| system.capacity_per_s.mean).fold(0.0, f64::max)
    };
    let best = Some(rate_of(true)).filter(|rate| *rate > 0.0).unwrap_or_else(|| rate_of(false));
    let part = 0.75 * best / f64::from(vms);
    if part <= 0.0 {
        return 1.0;
    }
    let digits = 10_f64.powf(part.log10().floor() - 1.0);
    // Of a power of ten below 1 the quotient is exact as text.
    let rounded = (part / digits).round() * digits;
    format!("{rounded:.6}").parse().unwrap_or(rounded)
}

/// What the rows of a sweep are kept in: nothing outlives the answer.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<u64, PointRun>>);

impl Memory for Kept {
    fn has(&self, _: u64) -> bool {
        false
    }

    fn keep(&self, key: u64, run: &PointRun) -> anyhow::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, run.clone());
        Ok(())
    }

    fn recall(&self, key: u64) -> anyhow::Result<PointRun> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&key).cloned().ok_or_else(|| anyhow::anyhow!("a run is missing"))
    }
}

/// The results with the runs of each point.
type Swept = (SweepResults, BTreeMap<usize, Vec<PointRun>>);

/// Sweeps over the ways, as `sweep` does.
fn sweep(file: &SweepFile, show: study::Progress<'_>) -> anyhow::Result<Swept> {
    let mut runs: BTreeMap<usize, Vec<PointRun>> = BTreeMap::new();
    let mut each = |row: PointRow<'_>| {
        if let Some((_, run)) = row.run {
            runs.entry(row.index).or_default().push(run.clone());
        }
        Ok(())
    };
    let results = file.with_points(|points| {
        let experiment = |index| points.experiment(index);
        study::sweep(file.sweep(), &experiment, &Kept::default(), show, &mut each)
    })?;
    Ok((results, runs))
}
