//! How long a run may be: queries, samples, simulated time.

use super::guest::Guest;
use super::holding::Holding;
use super::machine::Machine;
use super::ranges::QUERIES_MAX;
use crate::config::text::{Diagnostic, Problems};
use crate::spec::{Arrivals, GpuSpec, Rules, TestScenario};
use crate::study::Obstacle;
use crate::units::{SimDuration, counted};
use std::collections::BTreeSet;

/// Checks that a load ends and is not too large.
pub(super) fn load_is_bounded(machine: &Machine, guest: &Guest, rates: Rates, problems: &Problems) {
    queries_are_countable(guest, rates, QUERIES_MAX, problems);
    counts_are_reachable(guest, QUERIES_MAX, problems);
    time_is_bounded(machine, guest, rates, problems);
    bursts_are_countable(guest, rates, problems);
}

/// The meaning of the rates of Server loads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rates {
    /// They are the rates of the run.
    Asked,
    /// Only their ratios matter: a search finds the rates itself, and knows their limits.
    Parts,
}

/// Checks that a rate does not make more queries than `most` in the duration.
pub(crate) fn queries_are_countable(guest: &Guest, rates: Rates, most: u64, problems: &Problems) {
    let settings = &guest.vm.load.settings;
    let seconds = settings.min_duration.as_secs_f64();
    let (factor, what) = match guest.vm.load.scenario {
        TestScenario::Server if rates == Rates::Parts => return,
        TestScenario::Server => (1.0, "queries"),
        TestScenario::Offline => (1.1, "samples"),
        TestScenario::SingleStream
        | TestScenario::MultiStream { .. }
        | TestScenario::ClosedLoop { .. } => return,
    };
    let queries = factor * settings.target_qps * seconds;
    if queries > most as f64 {
        let title = format!(
            "{} per second for {} are {queries:.0} {what}",
            settings.target_qps, settings.min_duration
        );
        let fits = most as f64 / factor;
        let (rate, span) = (fits / seconds, (fits / settings.target_qps).floor());
        let allowed =
            format!("at most {most} {what}: {rate:.1} per second for {}", settings.min_duration);
        let diagnostic = Diagnostic::at(&guest.spots.rate, title).allowed(allowed);
        problems.push(diagnostic.help(format!(
            "write min_duration = \"{}\", or less: latencies are known from a hundredth of these {what} (`slicewise validate` makes two million of any row){}",
            in_words(span.max(1.0), fits / settings.target_qps),
            without_rules(guest)
        )));
    }
}

/// A whole number of seconds, or of microseconds where a second is too long.
fn in_words(whole: f64, most: f64) -> String {
    if most >= 1.0 { format!("{whole} s") } else { format!("{} us", (most * 1e6).floor().max(1.0)) }
}

/// Checks that the counts ask for no more samples than `most`.
pub(crate) fn counts_are_reachable(guest: &Guest, most: u64, problems: &Problems) {
    let load = &guest.vm.load;
    let settings = &load.settings;
    let per_query = u64::from(load.scenario.samples_per_query());
    let samples = settings.min_query_count.saturating_mul(per_query);
    if samples <= most {
        return;
    }
    let title = match (settings.queries_beyond, per_query) {
        (Some(beyond), _) => {
            format!("{beyond} queries beyond the {}th percentile", settings.percentile)
        }
        (None, each) => format!("{} queries of {each} samples", settings.min_query_count),
    };
    let title = format!("{title} are {samples} samples");
    let help = match (settings.queries_beyond, settings.rules) {
        (Some(_), _) => {
            let fits = most as f64 / per_query as f64 * (100.0 - settings.percentile) / 100.0;
            let fits = fits.floor();
            format!("write queries_beyond_percentile = {fits} or less, or a lower percentile")
        }
        (None, _) => format!("write min_query_count = {} or less", most / per_query),
    };
    let allowed = format!("at most {most} samples");
    problems.push(Diagnostic::at(&guest.spots.rate, title).allowed(allowed).help(help));
}

/// Under MLPerf's rules there is another way out.
fn without_rules(guest: &Guest) -> &'static str {
    match guest.vm.load.settings.rules {
        Rules::Mlperf => "; rules = \"none\" needs only 60 s unless the file states more",
        Rules::None => "",
    }
}

/// Samples of all VMs of one run whose queues lie in memory: 40 bytes each.
const SAMPLES_WAITING_MAX: f64 = 1e8;

/// No run lasts longer in simulated time, in seconds: 366 days, as a trace. The clock reaches 584 years:
/// no exponential draw of 53 bits is more than 36.8 means (-ln 2^-53), so that no luck of the arrivals
/// leads past its end, nor does work that a share of the SMs or of the turns makes a hundred times longer.
const SIMULATED_MAX: f64 = 366.0 * 86_400.0;

const YEAR: f64 = 365.25 * 86_400.0;

/// How many samples a guest's load makes, and how long their arrivals alone take, in seconds; of
/// loads that wait for answers those that are made in any case.
fn demand(guest: &Guest, rates: Rates) -> (f64, f64) {
    let (load, settings) = (&guest.vm.load, &guest.vm.load.settings);
    let (seconds, least) = (settings.min_duration.as_secs_f64(), settings.min_query_count as f64);
    let rate = settings.target_qps;
    match (load.scenario, &load.arrivals) {
        (TestScenario::Server, Arrivals::Trace(trace)) => {
            let last = trace.arrivals.last().map_or(0.0, |last| last.at.as_secs_f64());
            (trace.arrivals.len() as f64, last * trace.rate() / rate)
        }
        (TestScenario::Server, _) if rates == Rates::Parts => (least, seconds),
        (TestScenario::Server, _) => {
            let queries = least.max(rate * seconds);
            (queries, queries / rate)
        }
        (TestScenario::Offline, _) => (least.max(1.1 * rate * seconds), 0.0),
        (TestScenario::SingleStream, _) => (least, 0.0),
        (TestScenario::MultiStream { samples }, _) => (least * f64::from(samples), 0.0),
        (TestScenario::ClosedLoop { clients, think_time }, _) => {
            (least, least / f64::from(clients) * think_time.as_secs_f64())
        }
    }
}

fn years(seconds: f64) -> String {
    match seconds / YEAR {
        years if years < 1e4 => format!("{years:.1} years"),
        years => format!("{years:.1e} years"),
    }
}

/// Checks that arrivals, think times and work end within the range of simulated time.
pub(super) fn time_is_bounded(machine: &Machine, guest: &Guest, rates: Rates, problems: &Problems) {
    let settings = &guest.vm.load.settings;
    let (samples, arrivals) = demand(guest, rates);
    let allowed = "at most 366 days of simulated time".to_string();
    if arrivals > SIMULATED_MAX {
        let (queries, rate) = (settings.min_query_count, settings.target_qps);
        let (title, allowed) = match guest.vm.load.scenario {
            TestScenario::ClosedLoop { clients, think_time } => (
                format!(
                    "{queries} queries of {}, with {think_time} of think time between them, take \
                     {}",
                    counted(clients, "client"),
                    years(arrivals)
                ),
                allowed,
            ),
            _ => (
                format!("{queries} queries at {rate} per second take {}", years(arrivals)),
                format!(
                    "{allowed}: at least {:.1e} per second, or at most {:.0} queries",
                    samples / SIMULATED_MAX,
                    (SIMULATED_MAX * rate).floor()
                ),
            ),
        };
        let help = "ask for fewer queries: min_query_count = 1000";
        problems.push(Diagnostic::at(&guest.spots.rate, title).allowed(allowed).help(help));
        return;
    }
    let Some(alone) = time_alone(machine, guest) else { return };
    if samples * alone > SIMULATED_MAX {
        let title = format!(
            "{samples:.0} samples of {} each take {} of work",
            if alone < YEAR { SimDuration::from_secs_f64(alone).to_string() } else { years(alone) },
            years(samples * alone)
        );
        let help = "ask for fewer queries (min_query_count, min_duration), or check the times of \
            the workload";
        problems.push(Diagnostic::at(&guest.spots.rate, title).allowed(allowed).help(help));
    }
}

/// The time of a batch of one alone, in seconds, on the slowest of its GPUs; nothing where its
/// service time is not known.
pub(super) fn time_alone(machine: &Machine, guest: &Guest) -> Option<f64> {
    let on_each = gpus_of(machine, guest).into_iter().map(|gpu| time_on(machine, guest, gpu));
    on_each.collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::max)
}

fn time_on(machine: &Machine, guest: &Guest, gpu: &GpuSpec) -> Option<f64> {
    let (workload, platform) = (&guest.vm.workload, &machine.hypervisor);
    let service = workload.service.get(&gpu.id)?;
    let cpu = &workload.cpu;
    let on_cpu = [
        &cpu.launch_per_batch,
        &cpu.launch_per_sample,
        &cpu.finish_per_batch,
        &cpu.finish_per_sample,
    ];
    let on_cpu: f64 = on_cpu.iter().map(|fact| fact.value.as_secs_f64()).sum();
    let on_gpu = service.work.value.at(1) * 1e-9 + service.launch.value.as_secs_f64();
    let copied = workload.input_per_sample.value + workload.output_per_sample.value;
    let copies = copied.get() as f64 / gpu.pcie_bandwidth.value.get();
    let host =
        service.host_floor.value.as_secs_f64() + platform.submission_latency.value.as_secs_f64();
    Some(on_cpu / platform.cpu_speed.value + on_gpu / platform.gpu_speed.value + copies + host)
}

/// Checks the number of bursts, which are drawn one by one, with queries in them or not.
pub(super) fn bursts_are_countable(guest: &Guest, rates: Rates, problems: &Problems) {
    let Arrivals::Bursty(bursts) = &guest.vm.load.arrivals else { return };
    if guest.vm.load.scenario != TestScenario::Server {
        return;
    }
    let settings = &guest.vm.load.settings;
    let (share, length) = (bursts.share.get(), bursts.length.as_secs_f64());
    let cycle = length / share;
    let lasts = settings.min_duration.as_secs_f64().max(demand(guest, rates).1);
    let (title, allowed) = if cycle > SIMULATED_MAX {
        let title = format!(
            "bursts of {} in {} of the time come every {}",
            bursts.length,
            bursts.share,
            years(cycle)
        );
        (title, "at least one in 366 days".to_string())
    } else if lasts / cycle > QUERIES_MAX as f64 {
        let title = format!(
            "bursts of {} in {} of {:.0} s are {:.0}",
            bursts.length,
            bursts.share,
            lasts,
            lasts / cycle
        );
        (title, format!("at most {QUERIES_MAX} bursts: longer ones, or fewer queries"))
    } else {
        return;
    };
    problems.push(Diagnostic::at(&guest.spots.rate, title).allowed(allowed));
}

/// Checks the total: many VMs with many queries each may be too much together.
pub(super) fn all_samples_are_countable(
    machine: &Machine,
    guests: &[&Guest],
    rates: Rates,
    problems: &Problems,
) {
    let waiting: Vec<&Guest> =
        guests.iter().copied().filter(|guest| waits_in_memory(machine, guest)).collect();
    let of_all = format!("at most {QUERIES_MAX} samples in one run");
    let of_waiting = format!(
        "at most {SAMPLES_WAITING_MAX:.0} samples that may wait in memory: those of queues with priorities \
         or limits, of ensembles, sorted, or dealt to several kinds of GPU"
    );
    let totals =
        [(guests, QUERIES_MAX as f64, of_all), (&waiting, SAMPLES_WAITING_MAX, of_waiting)];
    for (guests, limit, allowed) in totals {
        let demand = |guest: &Guest| demand(guest, rates).0;
        let all: f64 = guests.iter().map(|guest| demand(guest)).sum();
        let most = guests.iter().max_by(|one, two| demand(one).total_cmp(&demand(two)));
        // One that makes too many by itself is told already.
        let Some(most) = most.filter(|most| all > limit && demand(most) <= QUERIES_MAX as f64)
        else {
            continue;
        };
        let title = match guests.len() {
            1 => format!("the load makes {all:.0} samples"),
            count => format!("the {count} VMs together make {all:.0} samples"),
        };
        let help = "ask for fewer (min_duration, min_query_count), or for fewer VMs: a part of \
            the load gives the same answer";
        let diagnostic = Diagnostic::at(&most.spots.rate, title).of_limit(Obstacle::Limit);
        problems.push(diagnostic.allowed(allowed).help(help));
        return;
    }
}

/// Whether the queries of a guest that are due can lie in memory until they are served; those of a plain
/// queue are made when their turn comes.
fn waits_in_memory(machine: &Machine, guest: &Guest) -> bool {
    let vm = &guest.vm;
    let is_sorted = vm.load.scenario == TestScenario::Offline && vm.server.sort_samples;
    let is_dealt = guest.cards > 1 && matches!(guest.holding, Holding::Instance(..));
    !vm.server.queues.is_plain()
        || vm.is_ensemble()
        || machine.models.len() > 1
        || is_sorted
        || is_dealt
}

/// The models of a guest's cards, each once.
pub(super) fn gpus_of<'m>(machine: &'m Machine, guest: &Guest) -> Vec<&'m GpuSpec> {
    let models: BTreeSet<usize> = guest.models.iter().copied().collect();
    models.into_iter().map(|model| &machine.models[model].gpu.spec).collect()
}
