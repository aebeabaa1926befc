//! The measurements: `[[times]]`, batches alone on the GPU, and all runs; and whether they are
//! consistent.
//!
//! One run is read in `measured_run`.

use super::context::Context;
use super::log::{foreign, rounded};
use super::run::{FALL_MAX, ReadRun, rate, run, scenario};
use crate::config::text::foreign::parsed;
use crate::config::text::{Diagnostic, Problems, Reader, SourceFile, Spot, Value};
use crate::formats::{latency_csv, perf_analyzer, trtexec};
use crate::spec::TestScenario;
use crate::study::BatchTime;
use crate::units::counted;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most runs, and most files of batch times.
const RUNS_MAX: usize = 64;
/// Most different batch sizes.
const BATCHES_MAX: usize = 64;

/// All measurements.
pub(crate) struct Measurements {
    pub(crate) times: Vec<BatchTime>,
    /// The place of each batch size.
    pub(crate) time_spots: Vec<Spot>,
    /// CPU times of putting batches into the GPU's queue, in milliseconds.
    enqueued: Vec<f64>,
    /// Each run with the place of its figures.
    pub(crate) runs: Vec<ReadRun>,
    /// How the numbers of another machine were interpreted: whole sentences.
    pub(crate) notes: Vec<String>,
    /// Figures that are hardly right: whole sentences.
    pub(crate) alarms: Vec<String>,
    /// The foreign files by name.
    pub(crate) files: Vec<(String, Arc<SourceFile>)>,
    /// The hypervisors in use.
    pub(crate) hypervisors: Vec<String>,
}

impl Measurements {
    /// Reads `[[times]]` and `[[run]]`; nothing when they have faults.
    pub(crate) fn read(
        top: &mut Reader<'_>,
        context: &Context<'_>,
    ) -> anyhow::Result<Option<Measurements>> {
        let mut found = Measurements {
            times: Vec::new(),
            time_spots: Vec::new(),
            enqueued: Vec::new(),
            runs: Vec::new(),
            notes: Vec::new(),
            alarms: Vec::new(),
            files: Vec::new(),
            hypervisors: Vec::new(),
        };
        let mut samples = BTreeMap::new();
        let items = top.get("times").map(|value| value.items(RUNS_MAX));
        for item in items.into_iter().flatten().flatten() {
            if let Some(table) = item.table() {
                found.read_times(table, context, &mut samples)?;
            }
        }
        found.summarise(samples, context.problems);
        let items = top.get("run").map(|value| value.items(RUNS_MAX));
        for (index, item) in items.into_iter().flatten().flatten().enumerate() {
            let Some(table) = item.table() else { continue };
            for read in run(table, index + 1, context, &mut found.notes)? {
                found.hypervisors.push(read.run.experiment.hypervisor.id.clone());
                found.runs.push(read);
            }
        }
        found.set_speeds();
        Ok((!context.problems.any()).then_some(found))
    }

    /// Machines with the same GPU differ by a percent or two, as their Offline rates show. The first
    /// named machine of a run in the fit is the one whose numbers are fitted; work of the others goes as
    /// much faster. Runs that are only compared say nothing of speeds.
    fn set_speeds(&mut self) {
        let named = self.machines();
        let mut offline: BTreeMap<usize, f64> = BTreeMap::new();
        for ReadRun { run, system, is_fitted, .. } in &mut self.runs {
            let Some(system) = system else { continue };
            let at = named.iter().position(|name| name == system);
            run.machine = at.expect("every named machine is in the list");
            let is_offline = scenario(run) == TestScenario::Offline && *is_fitted;
            if let Some((rate, _)) = rate(run).filter(|(_, part)| is_offline && *part == 1.0) {
                // What the platform costs is in the rate, and is allowed for again below.
                let platform = run.experiment.hypervisor.gpu_speed.value;
                offline.entry(run.machine).or_insert(rate / platform);
            }
        }
        let first = offline.first_key_value().map(|(at, rate)| (*at, *rate));
        for read in self.runs.iter_mut().filter(|read| read.system.is_some()) {
            let own = offline.get(&read.run.machine);
            if let (Some(own), Some((_, reference))) = (own, first) {
                read.run.experiment.hypervisor.gpu_speed.value *= own / reference;
            }
        }
        let Some((reference_at, reference)) = first else { return };
        let others = offline.iter().filter(|(at, _)| **at != reference_at);
        self.notes.extend(others.map(|(at, rate)| {
            let (percent, name) = ((rate / reference - 1.0) * 100.0, &named[*at]);
            let how = if percent < 0.0 { "slower" } else { "faster" };
            format!(
                "{name} is assumed to be {:.2} % {how} than {}, by their Offline rates",
                percent.abs(),
                named[reference_at]
            )
        }));
    }

    /// The machines by name: those of runs in the fit first, in the order of the file.
    pub(crate) fn machines(&self) -> Vec<String> {
        let mut named: Vec<String> = Vec::new();
        for is_fitted in [true, false] {
            let of_kind = self.runs.iter().filter(|read| read.is_fitted == is_fitted);
            for system in of_kind.filter_map(|read| read.system.as_ref()) {
                if !named.contains(system) {
                    named.push(system.clone());
                }
            }
        }
        named
    }

    /// One `[[times]]`: `csv = "times.csv"`.
    fn read_times(
        &mut self,
        mut table: Reader<'_>,
        context: &Context<'_>,
        samples: &mut BTreeMap<u32, Samples>,
    ) -> anyhow::Result<()> {
        const KINDS: [&str; 3] = ["csv", "trtexec", "perf_analyzer"];
        let given: Vec<_> =
            KINDS.iter().filter_map(|kind| Some((*kind, table.get(kind)?))).collect();
        let batch = table.get("batch");
        let size = batch.as_ref().map(|value| value.count(1..=1_000_000, " samples"));
        let [(kind, value)] = &given[..] else {
            let title = "a [[times]] names one file of batch times";
            let help = "write csv = \"times.csv\", or trtexec or perf_analyzer with batch";
            table.report(Diagnostic::at(&table.spot(), title).allowed(KINDS.join(", ")).help(help));
            table.finish();
            return Ok(());
        };
        if let ("csv", Some(batch)) = (*kind, &batch) {
            let diagnostic = batch.wrong("conflicts with `csv`, whose rows have their batch size");
            batch.report(diagnostic.help("drop the key"));
        }
        table.finish();
        let Some((name, file)) = foreign(value, context)? else { return Ok(()) };
        self.files.push((name.clone(), file.clone()));
        let problems = context.problems;
        // A batch that is stated wrongly was told.
        let (is_stated, stated) = (size.is_some(), size.flatten());
        // What is stated, else what the file says, else its name; told where nothing does.
        let batch_by = |said: Option<(u32, &'static str)>| match is_stated {
            true => stated.map(|batch| (batch, "")),
            false => {
                let by_name = || Some((batch_of_name(&name)?, ", its batch by its name"));
                let found = said.or_else(by_name);
                if found.is_none() {
                    value.report(without_batch(value, &name));
                }
                found
            }
        };
        let rows = match *kind {
            "csv" => parsed(&file, latency_csv::read, problems).map(|found| {
                self.notes.push(as_understood(&name, &found));
                self.notes.extend(found.title.iter().map(|title| {
                    format!("{name}: the line \"{title}\" above the head is ignored as a title")
                }));
                self.alarms.extend(in_doubt(&name, &found));
                self.notes.extend(passed_over(&name, &found.passed_over));
                let rows = found.rows.into_iter();
                rows.map(|row| (row.batch, row.ms, row.span)).collect::<Vec<_>>()
            }),
            "trtexec" => parsed(&file, trtexec::read, problems).and_then(|found| {
                let of_log_itself =
                    found.batch.as_ref().map(|(batch, _)| (*batch, ", its batch by the log"));
                let (size, how) = batch_by(of_log_itself)?;
                let size = of_log(size, &found, &file, problems)?;
                if let Some(diagnostic) = on_another_gpu(&found, &file, context) {
                    problems.push(diagnostic);
                }
                self.enqueued.extend(found.inferences.iter().filter_map(|one| one.enqueue_ms));
                self.alarms.extend(found.doubts.iter().map(|doubt| format!("{name}: {doubt}")));
                self.notes.push(of_inferences(&name, (size, how), &found));
                Some(found.inferences.iter().map(|one| (size, one.compute_ms, 0..1)).collect())
            }),
            _ => parsed(&file, perf_analyzer::read, problems).and_then(|found| {
                self.notes.extend(passed_over(&name, &found.passed_over));
                let level = alone(&found.levels, &file, problems)?;
                let by_rate = batch_of_level(level).map(|batch| (batch, ", its batch by its rate"));
                let (size, how) = batch_by(by_rate)?;
                let compute = gpu_time(level, size, &file, problems)?;
                self.notes.extend(of_levels(&name, (size, how), &compute, found.levels.len()));
                Some(vec![(size, compute.ms, level.span.clone())])
            }),
        };
        for (batch, ms, span) in rows.into_iter().flatten() {
            let spot = Spot { file: file.clone(), span };
            let entry = samples.entry(batch).or_insert_with(|| Samples {
                ms: Vec::new(),
                spot,
                sources: Vec::new(),
            });
            entry.ms.push(ms);
            if !entry.sources.contains(&name) {
                entry.sources.push(name.clone());
            }
        }
        Ok(())
    }

    /// Median CPU time to put a batch into the GPU's queue, in milliseconds, where it was measured.
    pub(crate) fn enqueue_ms(&self) -> Option<f64> {
        let mut all = self.enqueued.clone();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    /// Medians by batch size, which must not fall.
    fn summarise(&mut self, samples: BTreeMap<u32, Samples>, problems: &Problems) {
        if samples.len() > BATCHES_MAX {
            let spot = &samples.values().next().expect("there are many").spot;
            let title = format!("{} different batch sizes were measured", samples.len());
            problems.push(Diagnostic::at(spot, title).allowed(format!("at most {BATCHES_MAX}")));
            return;
        }
        // The longest so far, and its batch.
        let mut before: Option<(u32, f64)> = None;
        for (batch, samples) in samples {
            let mut time = samples.median(batch);
            self.alarms.extend(samples.contradicted(&time));
            if let Some((smaller, ms)) = before {
                if time.ms < ms * (1.0 - FALL_MAX) {
                    let title = format!(
                        "a batch of {batch} takes {} ms, less than the {} ms of a batch of {smaller}",
                        rounded(time.ms),
                        rounded(ms)
                    );
                    let help = "a larger batch cannot take less time on the same GPU: were \
                        clocks, streams and input sizes the same?";
                    problems.push(Diagnostic::at(&samples.spot, title).help(help));
                }
                time.ms = time.ms.max(ms);
            }
            if before.is_none_or(|(_, ms)| time.ms > ms) {
                before = Some((batch, time.ms));
            }
            self.time_spots.push(samples.spot);
            self.times.push(time);
        }
    }
}

/// Every measurement of one batch size.
struct Samples {
    ms: Vec<f64>,
    /// Where the first stands.
    spot: Spot,
    /// The files they stand in.
    sources: Vec<String>,
}

/// From so few no 90th percentile is taken.
const FOR_P90: usize = 20;

/// Of few timings each counts, and a tenth is more than runs of one model on one GPU are apart: published ones
/// differ by 1 to 8 %.
const APART: f64 = 1.1;

/// Timings of one batch that are so far apart, factor, are not of one thing. Under load a GPU's clock lies
/// between its base and its boost clock, 1410 over 765 MHz or 1.84 of an A100; where it can be more, the
/// clock was not held while they were measured, and a median between them is no time of any batch.
const CONTRADICTED: f64 = 2.0;

impl Samples {
    fn median(&self, batch: u32) -> BatchTime {
        let ms = self.sorted();
        let middle = (ms[(ms.len() - 1) / 2] + ms[ms.len() / 2]) / 2.0;
        let variation = (ms.len() >= FOR_P90).then(|| at(&ms, 0.9) / middle - 1.0);
        BatchTime { batch, ms: middle, count: ms.len(), variation, source: self.sources[0].clone() }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut ms = self.ms.clone();
        ms.sort_by(f64::total_cmp);
        ms
    }

    /// A sentence where the timings contradict one another. Of many the outermost say nothing: the first
    /// inferences are slow.
    fn contradicted(&self, time: &BatchTime) -> Option<String> {
        let ms = self.sorted();
        let (ends, which, most) = match ms.len() >= FOR_P90 {
            true => (
                [at(&ms, 0.1), at(&ms, 0.9)],
                "from the 10th to the 90th percentile ",
                CONTRADICTED,
            ),
            false => ([ms[0], ms[ms.len() - 1]], "", APART),
        };
        let apart = ends[1] / ends[0];
        (apart >= most).then(|| {
            format!(
                "{}: {} timings of a batch of {} are {which}between {} and {} ms, a factor of \
                 {:.2} apart; the fit uses their median, {} ms, and its residual does not show \
                 that they contradict one another: keep those with one clock, precision and input \
                 size, measured without other work on the GPU",
                self.sources.join(" and "),
                ms.len(),
                time.batch,
                rounded(ends[0]),
                rounded(ends[1]),
                apart,
                rounded(time.ms)
            )
        })
    }
}

/// A log that names another GPU of the catalogue.
fn on_another_gpu(
    found: &trtexec::Times,
    file: &Arc<SourceFile>,
    context: &Context<'_>,
) -> Option<Diagnostic> {
    let (device, span) = found.device.as_ref()?;
    let other = context.catalogue.gpu_named(device)?;
    if context.catalogue.may_be_one(&other.id, &context.gpu.id) {
        return None;
    }
    let spot = Spot { file: file.clone(), span: span.clone() };
    let title = format!("this was measured on {}, not on {}", other.id, context.gpu.id);
    let help = format!(
        "--gpu {0}; for another GPU use `slicewise ask` with --measured-on {0} and its --gpu",
        other.id
    );
    Some(Diagnostic::at(&spot, title).help(help))
}

/// The value at a part of the sorted ones.
fn at(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// The row of one request at a time: only there a latency is a batch's own.
fn alone<'l>(
    levels: &'l [perf_analyzer::Level],
    file: &Arc<SourceFile>,
    problems: &Problems,
) -> Option<&'l perf_analyzer::Level> {
    let found = levels.iter().find(|level| level.concurrency == 1);
    if found.is_none() {
        let span = levels.first().map_or(0..0, |level| level.span.clone());
        let title = "no row has a concurrency of 1";
        let help = "measure one request at a time as well: --concurrency-range 1:8";
        problems.push(Diagnostic::at(&Spot { file: file.clone(), span }, title).help(help));
    }
    found
}

/// The time that the server computed one request alone: the client's latency, with network and queue in
/// it, is no GPU time. The client's figures must be those of such a batch.
fn gpu_time(
    level: &perf_analyzer::Level,
    batch: u32,
    file: &Arc<SourceFile>,
    problems: &Problems,
) -> Option<perf_analyzer::Compute> {
    /// One request at a time answers a batch in each latency; a mean beside a median may be so far off.
    const APART: f64 = 1.5;
    let wrong = |title: String, help: String| {
        let spot = Spot { file: file.clone(), span: level.span.clone() };
        problems.push(Diagnostic::at(&spot, title).help(help));
    };
    let found = level.inferences_per_s * level.waits_ms() / 1e3;
    let ratio = found / f64::from(batch);
    if !(1.0 / APART..=APART).contains(&ratio) {
        wrong(
            format!(
                "`batch` is {batch}, but {} inferences/s with one request at a time, each {} ms, \
                 are batches of {}",
                rounded(level.inferences_per_s),
                rounded(level.waits_ms()),
                rounded(found)
            ),
            "write the -b that the file was measured with; perf_analyzer writes microseconds, and counts samples as inferences".to_string(),
        );
        return None;
    }
    if level.compute.is_none() {
        wrong(
            format!(
                "the file has no server times, so {} ms is the client's time, which includes \
                 network and queue",
                rounded(level.waits_ms())
            ),
            "GPU time is in `Server Compute Infer`: measure a Triton server, which keeps statistics, or time the model with trtexec".to_string(),
        );
    }
    level.compute
}

/// The batch that a file's name states: `batch8`, `bs-8`, `b_8`; nothing where it states none, or two.
fn batch_of_name(name: &str) -> Option<u32> {
    const WORDS: [&str; 4] = ["batch", "batchsize", "bs", "b"];
    let lower = name.to_lowercase();
    let stem = lower.rsplit_once('.').map_or(lower.as_str(), |(stem, _)| stem);
    let parts: Vec<&str> = stem.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let number = |text: &str| text.parse::<u32>().ok().filter(|batch| (1..=4096).contains(batch));
    let joined = parts.iter().filter_map(|part| {
        let digits = part.find(|c: char| c.is_ascii_digit())?;
        WORDS.contains(&&part[..digits]).then(|| number(&part[digits..]))?
    });
    let apart = parts.windows(2).filter_map(|pair| {
        (WORDS.contains(&pair[0]) || pair[0] == "size").then(|| number(pair[1]))?
    });
    let mut found: Vec<u32> = joined.chain(apart).collect();
    found.dedup();
    match found[..] {
        [batch] => Some(batch),
        _ => None,
    }
}

/// The batch that one request at a time was of, by its rate and latency: their product is the samples under
/// way, but for the moments between two requests. Nothing where no whole number is near.
fn batch_of_level(level: &perf_analyzer::Level) -> Option<u32> {
    /// Whole numbers up to this one are further apart than twice what a measurement leaves open.
    const TOLD_APART: u32 = 6;
    const OPEN: f64 = 0.07;
    let under_way = level.inferences_per_s * level.waits_ms() / 1e3;
    let powers = (3..=10).map(|power| 1 << power);
    (1..=TOLD_APART).chain(powers).find(|batch| (under_way / f64::from(*batch) - 1.0).abs() <= OPEN)
}

/// What is told of a file of which nobody says the batch.
fn without_batch(value: &Value<'_>, name: &str) -> Diagnostic {
    let numbers: Vec<&str> = name
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| digits.parse().is_ok_and(|batch: u32| batch > 0))
        .collect();
    let example = if let [only] = numbers[..] { only } else { "8" };
    let title = format!("{name} does not state its batch size");
    let help = format!(
        "write batch = {example} beside it, if it was {example}; on the command line {example}={name}"
    );
    Diagnostic::at(&value.spot(), title).help(help)
}

/// How batch times were understood, by the largest batch: whoever named the column wrongly sees it.
fn as_understood(name: &str, found: &latency_csv::BatchTimes) -> String {
    let (batch, ms) = largest(found);
    format!(
        "{name} is read in {}, from its column `{}`{}: a batch of {batch} takes {} ms, {} \
         samples/s",
        found.unit,
        found.column,
        written(found.written),
        rounded(ms),
        rounded(1e3 * f64::from(batch) / ms)
    )
}

/// How a table is written, behind a comma; nothing where it is written as usual.
fn written(how: Option<&str>) -> String {
    how.map_or(String::new(), |how| format!(" ({how})"))
}

fn largest(found: &latency_csv::BatchTimes) -> (u32, f64) {
    let largest = found.rows.iter().max_by_key(|row| row.batch).expect("a file has rows");
    (largest.batch, largest.ms)
}

/// A sentence where times are rather those of another unit: of 200 ms a sample few models of a server are,
/// and no batch takes less than 20 us.
fn in_doubt(name: &str, found: &latency_csv::BatchTimes) -> Option<String> {
    const SAMPLE_MS: f64 = 200.0;
    const BATCH_MS: f64 = 0.02;
    let (batch, ms) = largest(found);
    let per_sample = ms / f64::from(batch);
    let (unit, suffix) = match () {
        () if per_sample > SAMPLE_MS && found.unit == "milliseconds" => ("microseconds", "us"),
        () if per_sample > SAMPLE_MS && found.unit != "microseconds" => ("milliseconds", "ms"),
        () if ms < BATCH_MS && found.unit == "milliseconds" => ("seconds", "s"),
        () if ms < BATCH_MS => ("milliseconds", "ms"),
        () => return None,
    };
    Some(format!(
        "{name}, read in {} from its column `{}`: a batch of {batch} takes {} ms, {} samples/s, \
         which is hardly right; if these are {unit}, name the column latency_{suffix}",
        found.unit,
        found.column,
        rounded(ms),
        rounded(1e3 / per_sample)
    ))
}

/// Columns of a file that say nothing here.
fn passed_over(name: &str, columns: &[String]) -> Option<String> {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = columns.iter().take(SHOWN).map(String::as_str).collect();
    let more = if columns.len() > SHOWN { ", ..." } else { "" };
    let text = format!("{name}: ignored columns: {}{more}", shown.join(", "));
    (!columns.is_empty()).then_some(text)
}

/// The batch that is said of a file of trtexec; a fault where its log says another.
fn of_log(
    batch: u32,
    found: &trtexec::Times,
    file: &Arc<SourceFile>,
    problems: &Problems,
) -> Option<u32> {
    if let Some((said, span)) = found.batch.clone().filter(|(said, _)| *said != batch) {
        let title = format!("the log is of batches of {said}, and `batch` is {batch}");
        let spot = Spot { file: file.clone(), span };
        problems.push(Diagnostic::at(&spot, title).help("write the batch that was measured"));
        return None;
    }
    Some(batch)
}

/// How a file of trtexec was understood.
fn of_inferences(name: &str, (batch, how): (u32, &str), found: &trtexec::Times) -> String {
    let mut ms: Vec<f64> = found.inferences.iter().map(|one| one.compute_ms).collect();
    ms.sort_by(f64::total_cmp);
    let median = (ms[(ms.len() - 1) / 2] + ms[ms.len() / 2]) / 2.0;
    let how_many = match ms.len() {
        1 => String::new(),
        many => format!(" as the median of {many} inferences"),
    };
    format!(
        "{name}: a batch of {batch} takes {} ms on the GPU{how_many}, {}{how}: {} samples/s",
        rounded(median),
        found.read_by,
        rounded(1e3 * f64::from(batch) / median)
    )
}

/// What of a file of perf_analyzer was taken, and what was not.
fn of_levels(
    name: &str,
    (batch, how): (u32, &str),
    compute: &perf_analyzer::Compute,
    rows: usize,
) -> Vec<String> {
    let (column, with) = match compute.with_copies {
        true => (
            "Server Compute",
            ", which includes the handling of inputs and outputs, as before 2020",
        ),
        false => ("Server Compute Infer", ""),
    };
    let mut notes = vec![format!(
        "{name}: a batch of {batch} takes {} ms on the GPU, by `{column}` of the row of one request at a time{with}{how}",
        rounded(compute.ms)
    )];
    if rows > 1 {
        notes.push(format!(
            "{name}: {} with more than one request at a time ignored, since they depend on the \
             server's queue and not only on batch times; a [[run]] with perf_analyzer = \
             \"{name}\" and your server's settings compares or fits them",
            counted(rows - 1, "row")
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
