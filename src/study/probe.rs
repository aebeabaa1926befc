//! One experiment at many rates: the result of a run at a rate, short or of full length, and why it
//! fails.
//!
//! It judges one rate at a time; the rates are chosen in `border` and `scan`.

use super::figures::digits;
use super::system::{LoadPoint, load_point};
use super::variant::{asked_per_s, at_rate, is_server, shortened};
use crate::loadgen::early_stopping;
use crate::platform::{Meter, VmOutcome, Watched, serve, simulate_metered};
use crate::spec::{Arrivals, BatchRule, Experiment, VmSpec};
use crate::units::{SimDuration, SimTime};

/// How long a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Length {
    /// Shortened; each stage is longer than the one before it by a constant factor.
    Short(u32),
    /// As long as the file states.
    Full,
}

/// The judgement of a short run at a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Judgement {
    /// Every Server VM would be VALID.
    Valid,
    /// One would not be, but within the precision of a short run.
    Doubtful,
    /// One would not be.
    Invalid,
}

/// The result of a short run at a rate.
#[derive(Clone, Debug)]
pub(super) struct ShortRun {
    /// Of all Server VMs together, per second.
    pub(super) rate: f64,
    pub(super) judgement: Judgement,
    /// Late queries relative to those allowed, of the VM with the highest ratio.
    pub(super) late: f64,
    /// The rules that fail, by VM, and the cause as far as it is known.
    pub(super) failed: Vec<String>,
}

/// Queries of the slowest Server VM in the first, shortest runs; each later stage has so many times
/// as many.
const FIRST_QUERIES: f64 = 2_500.0;
/// As many late ones are allowed in them, if the percentile would leave fewer; up to `FIRST_MOST`.
const FIRST_LATE: f64 = 25.0;
const FIRST_MOST: f64 = 10_000.0;
const STAGE_GROWTH: f64 = 8.0;
/// The fastest Server VM of several would have many more.
const FIRST_IN_ALL: f64 = 200_000.0;
/// A queue that grows shows only in a run of several bounds.
const BOUNDS: f64 = 6.0;
/// Where cards are shared in turns, simulated seconds of the shortest runs at most, unless bounds ask
/// for more: at low rates idle turns are what takes time, a million in so long.
const IDLE_TURNS_S: f64 = 2_000.0;
/// Bursts and the time between them in the shortest runs.
const CYCLES: f64 = 20.0;
/// Simulated time of one run at most: SimTime holds 584 years.
const YEARS_100: f64 = 3.15e9;

/// An experiment under search.
pub(super) struct Prober<'a> {
    pub(super) experiment: &'a Experiment,
    /// The rate of all Server VMs that it states.
    asked: f64,
    meter: Meter<'a>,
    tell: &'a (dyn Fn(f64) + Sync),
    /// The results of the runs of full length that were not given up.
    pub(super) seen: Vec<LoadPoint>,
    /// The rules that failed in the last run of full length that was not VALID.
    pub(super) failed: Vec<String>,
    pub(super) runs_short: u32,
    pub(super) runs_full: u32,
    /// The lowest and the highest rate that was tried.
    pub(super) range: [f64; 2],
    /// The highest rate of the grid at which the system does not fall behind; infinite while that is
    /// not known.
    pub(super) saturation: f64,
    /// The highest sustained rate of the cards: the rate they completed at the lowest rate at which
    /// they fell behind.
    pub(super) cards_do: f64,
}

impl<'a> Prober<'a> {
    pub(super) fn new(
        experiment: &'a Experiment,
        meter: Meter<'a>,
        tell: &'a (dyn Fn(f64) + Sync),
    ) -> Self {
        Self {
            experiment,
            asked: asked_per_s(experiment),
            meter,
            tell,
            seen: Vec::new(),
            failed: Vec::new(),
            runs_short: 0,
            runs_full: 0,
            range: [f64::INFINITY, 0.0],
            saturation: f64::INFINITY,
            cards_do: f64::INFINITY,
        }
    }

    /// The judgement of a short run of an experiment at the rates that it states; nothing when no
    /// more may be simulated.
    pub(super) fn look_as_asked(
        experiment: &Experiment,
        meter: &mut Meter<'_>,
    ) -> Option<ShortRun> {
        let mut prober = Prober::new(experiment, meter.clone(), &|_| {});
        let look = prober.look(prober.asked, 0);
        meter.follow(&prober.meter);
        look
    }

    /// Whether the limit on work is reached.
    pub(super) fn is_spent(&self) -> bool {
        self.meter.is_spent()
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.meter.is_used_up()
    }

    /// The Server VMs, each with its place and its rate when all together have `rate`.
    pub(super) fn servers(
        &self,
        rate: f64,
    ) -> impl Iterator<Item = (usize, &'a VmSpec, f64)> + use<'a> {
        let factor = rate / self.asked;
        let vms = self.experiment.vms.iter().enumerate().filter(|(_, vm)| is_server(vm));
        vms.map(move |(index, vm)| (index, vm, factor * vm.load.settings.target_qps))
    }

    /// Whether a run of full length is `VALID`; nothing when no more may be simulated.
    pub(super) fn is_valid(&mut self, rate: f64, length: Length) -> Option<bool> {
        match length {
            Length::Short(stage) => Some(self.look(rate, stage)?.judgement == Judgement::Valid),
            Length::Full => self.is_valid_at_length(rate),
        }
    }

    fn is_valid_at_length(&mut self, rate: f64) -> Option<bool> {
        if let Some(failed) = self.beyond_limits(rate) {
            self.failed = failed;
            return Some(false);
        }
        self.note(rate);
        self.runs_full += 1;
        let experiment = at_rate(self.experiment, rate);
        let failed = match simulate_metered(&experiment, &mut self.meter) {
            Watched::Stopped => return None,
            Watched::Lost(lost) => {
                let vm = &experiment.vms[usize::from(lost.0)];
                vec![format!("{}{}", self.name(vm), too_late(vm))]
            }
            Watched::Whole(outcome) => {
                self.seen.push(load_point(rate, &experiment, &outcome));
                let vms = experiment.vms.iter().zip(&outcome.vms).filter(|(vm, _)| is_server(vm));
                vms.flat_map(|(vm, found)| self.named(vm, &found.failed_rules)).collect()
            }
        };
        let is_valid = failed.is_empty();
        if !is_valid {
            self.failed = failed;
        }
        Some(is_valid)
    }

    /// The judgement of a short run; nothing when no more may be simulated.
    pub(super) fn look(&mut self, rate: f64, stage: u32) -> Option<ShortRun> {
        if let Some(failed) = self.beyond_limits(rate) {
            return Some(ShortRun {
                rate,
                judgement: Judgement::Invalid,
                late: f64::INFINITY,
                failed,
            });
        }
        self.note(rate);
        self.runs_short += 1;
        let part = self.part(rate, stage);
        let experiment = shortened(&at_rate(self.experiment, rate), part);
        let outcomes = serve(&experiment, &mut self.meter)?;
        let mut look =
            ShortRun { rate, judgement: Judgement::Valid, late: 0.0, failed: Vec::new() };
        for (index, vm, own) in self.servers(rate) {
            let found = outcomes[index].as_ref().expect("a Server VM is served");
            let judged =
                if part < 1.0 { judge_cut(vm, own, found) } else { judge_whole(vm, found) };
            look.late = look.late.max(judged.late);
            look.judgement = match (look.judgement, judged.judgement) {
                (Judgement::Invalid, _) | (_, Judgement::Invalid) => Judgement::Invalid,
                (Judgement::Doubtful, _) | (_, Judgement::Doubtful) => Judgement::Doubtful,
                _ => Judgement::Valid,
            };
            let why = self.why(vm, own, rate, found).filter(|_| !judged.failed.is_empty());
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            look.failed.extend(self.named(vm, &judged.failed).map(|rule| rule + &why));
        }
        Some(look)
    }

    fn note(&mut self, rate: f64) {
        (self.tell)(rate);
        self.range = [self.range[0].min(rate), self.range[1].max(rate)];
    }

    /// What fails at a rate without any run: more queries than a run of a search makes.
    fn beyond_limits(&self, rate: f64) -> Option<Vec<String>> {
        let failed = self.servers(rate).filter_map(|(_, vm, own)| {
            let settings = &vm.load.settings;
            let due = own * settings.min_duration.as_secs_f64();
            let makes_them = !matches!(vm.load.arrivals, Arrivals::Trace(_));
            let too_many = makes_them && due > 1.001 * SEARCHED_QUERIES_MAX as f64;
            too_many.then(|| {
                let (name, limit) = (self.name(vm), SEARCHED_QUERIES_MAX / 1_000_000);
                let span = settings.min_duration;
                format!(
                    "{name}min_duration of {span} needs more than {limit} million queries, \
                    the most of a run of a search: shorten min_duration"
                )
            })
        });
        let failed: Vec<String> = failed.collect();
        (!failed.is_empty()).then_some(failed)
    }

    /// Whether a run at `rate` would end within the range of simulated time.
    pub(super) fn ends_in_time(&self, rate: f64, length: Length) -> bool {
        let part = match length {
            Length::Short(stage) => self.part(rate, stage),
            Length::Full => 1.0,
        };
        self.servers(rate).all(|(_, vm, own)| part * queries(vm, own) / own < YEARS_100)
    }

    /// The length of a short run, relative to a run of full length.
    pub(super) fn part(&self, rate: f64, stage: u32) -> f64 {
        if !self.experiment.vms.iter().all(can_be_cut) {
            return 1.0;
        }
        let growth = STAGE_GROWTH.powi(stage as i32);
        let (mut fewest, mut all, mut spans, mut first) =
            (f64::INFINITY, 0.0, 0.0_f64, FIRST_QUERIES);
        for (_, vm, own) in self.servers(rate) {
            let settings = &vm.load.settings;
            let made = queries(vm, own);
            (fewest, all) = (fewest.min(made), all + made);
            let allowed = (1.0 - settings.percentile / 100.0).max(1e-9);
            first = first.max((FIRST_LATE / allowed).min(FIRST_MOST));
            let span = BOUNDS * settings.target_latency.as_secs_f64();
            spans = spans.max(span.max(cycles(vm)) * own / made);
        }
        let mut by_count = (first / fewest).min(FIRST_IN_ALL / all);
        let mut instances = self.experiment.cards.iter().flat_map(|card| &card.instances);
        if instances.any(|instance| instance.sharing.takes_turns()) {
            let spans = self.servers(rate).map(|(_, vm, own)| queries(vm, own) / own);
            by_count = by_count.min(IDLE_TURNS_S / spans.fold(1e-9, f64::max));
        }
        // A queue that shows in six bounds shows the better in some more.
        (growth * by_count).max(growth.sqrt() * spans).min(1.0)
    }

    /// The precision with which a short run can distinguish rates: the relative noise of its number
    /// of queries.
    pub(super) fn noise(&self, rate: f64, stage: u32) -> f64 {
        let part = self.part(rate, stage);
        let fewest = self.servers(rate).map(|(_, vm, own)| part * queries(vm, own));
        fewest.fold(f64::INFINITY, f64::min).max(1.0).sqrt().recip()
    }

    /// The relative noise of the number of queries that may be late in such a run, if they were
    /// independent.
    pub(super) fn late_noise(&self, rate: f64, stage: u32) -> f64 {
        let allowed =
            self.servers(rate).map(|(_, vm, _)| 1.0 - vm.load.settings.percentile / 100.0);
        self.noise(rate, stage) / allowed.fold(1.0, f64::min).max(1e-9).sqrt()
    }

    /// Whether the system is overloaded: it falls further and further behind, or rejects the
    /// queries that it cannot serve.
    pub(super) fn is_overloaded(&mut self, rate: f64) -> Option<bool> {
        /// Behind by more than this part of the run.
        const BEHIND: f64 = 0.15;
        /// Times that a system fills up.
        const FILLINGS: f64 = 40.0;
        let mut made = FIRST_QUERIES;
        for (_, vm, own) in self.servers(rate) {
            let server = &vm.server;
            let held = f64::from(server.batch_max * server.slots.max(server.streams))
                * vm.gpus.len() as f64;
            made = made.max(FILLINGS * held * rate / own);
        }
        let span = made.min(FIRST_IN_ALL) / rate;
        let mut experiment = at_rate(self.experiment, rate);
        for vm in &mut experiment.vms {
            (vm.power_on, vm.power_off) = (SimTime::ZERO, None);
            let asks = is_server(&&*vm);
            let settings = &mut vm.load.settings;
            if asks {
                vm.load.arrivals = Arrivals::Constant;
                settings.min_query_count = ((settings.target_qps * span) as u64).max(1);
                settings.min_duration = SimDuration::ZERO;
            } else {
                // They load the cards for as long as the Server VMs may take, who do not wait for them.
                let most = SimDuration::from_secs_f64(4.0 * span);
                settings.min_duration = settings.min_duration.min(most);
                settings.min_query_count = 1;
                vm.power_off = Some(SimTime::ZERO + most);
            }
        }
        (self.tell)(rate);
        self.runs_short += 1;
        let outcomes = serve(&experiment, &mut self.meter)?;
        let servers = experiment.vms.iter().zip(&outcomes);
        // A queue that is cut short never grows: what cannot be done is turned away.
        let rejected = servers.clone().filter_map(|(_, found)| {
            let recorder = &found.as_ref()?.recorder;
            Some(recorder.rejected() as f64 / recorder.answered().max(1) as f64)
        });
        let rejected = rejected.fold(0.0, f64::max);
        let behind = servers.filter_map(|(vm, found)| {
            let recorder = &found.as_ref()?.recorder;
            let lag = recorder.last_completion().saturating_since(recorder.last_due());
            Some(
                (lag.as_secs_f64() - vm.server.timeout.map_or(0.0, SimDuration::as_secs_f64))
                    / span,
            )
        });
        let behind = behind.fold(0.0, f64::max);
        if behind <= BEHIND && rejected <= BEHIND {
            return Some(false);
        }
        self.cards_do = self.cards_do.min(rate * (1.0 - rejected) / (1.0 + behind));
        Some(true)
    }

    /// Why a VM fails its bound at a rate, where that is plain.
    fn why(&self, vm: &VmSpec, own: f64, rate: f64, found: &VmOutcome) -> Option<String> {
        let bound = vm.load.settings.target_latency;
        let fastest = found.recorder.latencies().min()?;
        if rate >= 0.97 * self.cards_do {
            let most = digits(self.cards_do);
            return Some(format!("overload, since the cards can serve about {most}/s in all"));
        }
        let size = vm.server.batch_max;
        let filling = SimDuration::from_secs_f64(digits(f64::from(size.saturating_sub(1)) / own));
        let waits = vm.server.timeout.map_or(filling, |timeout| filling.min(timeout));
        if vm.server.batch_rule == BatchRule::Full
            && waits.as_secs_f64() > 0.3 * bound.as_secs_f64()
        {
            let come =
                format!("waits for a full batch, and {size} queries take {filling} to arrive");
            return Some(match vm.server.timeout {
                Some(timeout) => format!("{come} (timeout {timeout})"),
                None => format!("{come} (no timeout)"),
            });
        }
        (fastest > bound).then(|| format!("even the fastest query takes {fastest}"))
    }

    /// How a VM is told from the others in front of a rule.
    fn name(&self, vm: &VmSpec) -> String {
        if self.experiment.vms.len() > 1 { format!("{}: ", vm.group) } else { String::new() }
    }

    fn named<'r>(
        &self,
        vm: &VmSpec,
        rules: &'r [String],
    ) -> impl Iterator<Item = String> + use<'r> {
        let name = self.name(vm);
        rules.iter().map(move |rule| format!("{name}{rule}"))
    }
}

/// What a run says of one VM.
struct Judged {
    judgement: Judgement,
    late: f64,
    failed: Vec<String>,
}

/// The verdict on a VM of a whole run; one that misses by little is doubtful, since VALID rates may
/// lie between two that were looked at.
fn judge_whole(vm: &VmSpec, found: &VmOutcome) -> Judged {
    let late = late(vm, found);
    let is_latency =
        |rule| matches!(rule, crate::loadgen::Rule::Latency | crate::loadgen::Rule::EarlyStopping);
    let judgement = match found.verdict.failed.iter().all(|failed| is_latency(failed.rule)) {
        _ if found.failed_rules.is_empty() => Judgement::Valid,
        true if is_near(vm, found) => Judgement::Doubtful,
        _ => Judgement::Invalid,
    };
    Judged { judgement, late, failed: found.failed_rules.clone() }
}

/// What a run that is cut short says of one at full length: its share of late queries, held against
/// the number of queries then.
fn judge_cut(vm: &VmSpec, own: f64, found: &VmOutcome) -> Judged {
    let settings = &vm.load.settings;
    let (late, allowed) = (late(vm, found), 1.0 - settings.percentile / 100.0);
    let made = queries(vm, own) as u64;
    let early = settings.round.early_stopping;
    let is_valid = late <= 1.0
        && (!early || early_stopping::passes(made, (late * allowed * made as f64) as u64, allowed));
    let judgement = match is_valid {
        true => Judgement::Valid,
        false if is_near(vm, found) => Judgement::Doubtful,
        false => Judgement::Invalid,
    };
    let percent = 100.0 * late * allowed;
    let (bound, most) = (settings.target_latency, digits(100.0 * allowed));
    let rule = format!("{percent:.2} % of queries over {bound} ({most} % allowed)");
    Judged { judgement, late, failed: if is_valid { Vec::new() } else { vec![rule] } }
}

/// The share of late queries over what is allowed.
fn late(vm: &VmSpec, found: &VmOutcome) -> f64 {
    let allowed = (1.0 - vm.load.settings.percentile / 100.0).max(1e-9);
    let all = found.recorder.answered().max(1);
    too_late_or_rejected(found) as f64 / all as f64 / allowed
}

/// Queries that miss the bound: a rejected one never keeps it.
fn too_late_or_rejected(found: &VmOutcome) -> u64 {
    found.recorder.over_latency() + found.recorder.unanswered()
}

/// The most queries of a VM in a run of a search, which has many runs.
pub const SEARCHED_QUERIES_MAX: u64 = 50_000_000;

/// Whether the late queries are few enough for a VALID rate to be near, or for chance.
fn is_near(vm: &VmSpec, found: &VmOutcome) -> bool {
    let allowed = 1.0 - vm.load.settings.percentile / 100.0;
    let all = found.recorder.answered() as f64;
    too_late_or_rejected(found) as f64 <= 2.0 * allowed * all + 3.0
}

/// Queries of a run of full length in which a VM is asked `own` per second.
fn queries(vm: &VmSpec, own: f64) -> f64 {
    let settings = &vm.load.settings;
    let due = own * settings.min_duration.as_secs_f64();
    let made = match &vm.load.arrivals {
        Arrivals::Trace(trace) => trace.arrivals.len() as f64,
        _ => due.max(settings.min_query_count as f64).min(SEARCHED_QUERIES_MAX as f64),
    };
    let on = vm.power_off.map(|off| off.saturating_since(vm.power_on).as_secs_f64());
    made.min(on.map_or(f64::INFINITY, |on| on * own)).max(1.0)
}

/// Queries that a run has at any rate.
pub(super) fn queries_at_least(vm: &VmSpec) -> f64 {
    match &vm.load.arrivals {
        Arrivals::Trace(trace) => trace.arrivals.len() as f64,
        _ => vm.load.settings.min_query_count.max(1) as f64,
    }
}

/// Whether a short run is like a long one: nothing happens at a time of its own.
fn can_be_cut(vm: &VmSpec) -> bool {
    let is_even = !matches!(vm.load.arrivals, Arrivals::Trace(_) | Arrivals::Pattern(_));
    is_even && vm.power_on == SimTime::ZERO && vm.power_off.is_none()
}

/// The time that shows what bursts do, in seconds.
fn cycles(vm: &VmSpec) -> f64 {
    match &vm.load.arrivals {
        Arrivals::Bursty(bursts) => CYCLES * bursts.length.as_secs_f64() / bursts.share.get(),
        Arrivals::Pattern(pattern) => pattern.period.as_secs_f64(),
        _ => 0.0,
    }
}

/// The reason for which a run was given up.
pub(super) fn too_late(vm: &VmSpec) -> String {
    let settings = &vm.load.settings;
    let allowed = digits(100.0 - settings.percentile);
    let bound = settings.target_latency;
    format!("latency: more than {allowed} % of the queries are over the bound of {bound}")
}
