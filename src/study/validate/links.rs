//! Cards behind one PCIe switch of the host of a row: what its link to the host leaves them.
//!
//! Where inputs lie on the device, or a row names no host, no link holds anything up.

use super::input::Validation;
use super::median;
use crate::spec::{Fact, HostLink, MeasuredRow, TestScenario};
use crate::units::{Bandwidth, Bytes};
use std::collections::BTreeMap;

/// How the cards of a run are attached: the first of its host.
pub(super) fn of_cards(input: &Validation, run: &MeasuredRow, cards: usize) -> Vec<HostLink> {
    let known = run.host.as_ref().and_then(|host| input.links.get(host));
    let mut links = known.cloned().unwrap_or_default();
    links.resize(cards, HostLink::default());
    links
}

/// The Offline rate of all GPUs of a run, each of which by itself does `each` samples a second.
pub(super) fn offline_rate(input: &Validation, run: &MeasuredRow, each: f64) -> f64 {
    let alone = each * f64::from(run.gpus);
    let Some(links) = shared(input, run, |fact| fact.value) else { return alone };
    links.iter().map(|(cards, most)| (cards * each).min(*most)).sum()
}

/// Whether a link held up the GPUs of an Offline run, which then do not tell how fast they are: cards
/// behind a switch cannot have done their part of what all did, for its link does not carry it.
pub(super) fn are_full(input: &Validation, run: &MeasuredRow) -> bool {
    let Some(each) = figure(run).filter(|_| run.scenario == TestScenario::Offline) else {
        return false;
    };
    may_be_full_at(input, run, each, |fact| fact.value)
}

/// Whether a link may not carry its part of a run, of which each GPU does `each` samples a second: at the
/// least that it may be.
pub(super) fn may_be_full(input: &Validation, run: &MeasuredRow, each: f64) -> bool {
    may_be_full_at(input, run, each, |fact| fact.range.map_or(fact.value, |[least, _]| least))
}

fn may_be_full_at(
    input: &Validation,
    run: &MeasuredRow,
    each: f64,
    carries: impl Fn(&Fact<Bandwidth>) -> Bandwidth,
) -> bool {
    let links = shared(input, run, carries).unwrap_or_default();
    links.iter().any(|(cards, most)| cards * each > *most)
}

/// What an Offline run tells of the speed of its GPUs, in samples per second and GPU; nothing where a link
/// held them up. Other scenarios: their figure.
pub(super) fn speed(input: &Validation, run: &MeasuredRow) -> Option<f64> {
    if are_full(input, run) { None } else { figure(run) }
}

/// The same of the system of a Server run: where a link held up its own Offline run, the median over other
/// machines.
pub(super) fn speed_of_system(
    input: &Validation,
    run: &MeasuredRow,
    offline: &MeasuredRow,
) -> Option<f64> {
    speed(input, offline).or_else(|| {
        let others = self::usual_rows(input, run);
        median(others.filter_map(|other| speed(input, other)).collect())
    })
}

/// The links of a run with the number of cards on each and the samples a second that it carries; nothing
/// where it has none to wait for.
fn shared(
    input: &Validation,
    run: &MeasuredRow,
    carries: impl Fn(&Fact<Bandwidth>) -> Bandwidth,
) -> Option<Vec<(f64, f64)>> {
    run.host.as_ref()?;
    let gpu = input.gpu(run)?;
    let bytes = input.workload(run)?.input_per_sample.value;
    if run.settings.start_from_device || bytes == Bytes::ZERO || run.mig_profile().is_some() {
        return None;
    }
    let links = of_cards(input, run, run.gpus as usize);
    let mut cards: BTreeMap<(bool, u32), (f64, f64)> = BTreeMap::new();
    for (card, link) in links.iter().enumerate() {
        let key = link.switch.map_or((false, card as u32), |switch| (true, switch));
        let on_it = cards.entry(key).or_insert_with(|| {
            let bandwidth = carries(link.pcie_bandwidth.as_ref().unwrap_or(&gpu.pcie_bandwidth));
            (0.0, bandwidth.get() / bytes.get() as f64)
        });
        on_it.0 += 1.0;
    }
    Some(cards.into_values().collect())
}

/// The figure of a row: Offline samples per second and GPU, or the SingleStream p90 in milliseconds.
pub(super) fn figure(run: &MeasuredRow) -> Option<f64> {
    match run.scenario {
        TestScenario::Offline => Some(run.samples_per_s? / f64::from(run.gpus)),
        _ => Some(run.latency.get("p90")?.as_millis_f64()),
    }
}

/// The Offline rows of other machines with the GPU of a Server row, at their usual power limit.
pub(super) fn usual_rows<'v>(
    input: &'v Validation,
    run: &'v MeasuredRow,
) -> impl Iterator<Item = &'v MeasuredRow> {
    let machine = &run.machine;
    input.teachers().filter(move |other| {
        other.scenario == TestScenario::Offline
            && other.benchmark == run.benchmark
            && other.gpu_id() == run.gpu_id()
            && other.mig_profile() == run.mig_profile()
            && !other.hetero
            && !other.power_limited
            && other.machine != *machine
            && !are_full(input, other)
    })
}
