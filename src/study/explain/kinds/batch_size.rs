//! `batch-size`: how many queries are together when a batch is formed: after a delay, or while the
//! batch before runs.

use super::super::batch::{Batches, asked};
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{ns, rate, three};
use crate::spec::{BatchRule, TimeoutFrom, VmSpec};
use crate::units::SimDuration;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.with_batches().filter_map(|(group, batches)| {
        let vm = seen.first(group);
        let per_s = asked(seen.experiment, group.vms[0]).filter(|rate| *rate > 0.0)?;
        if vm.server.batch_max < 2 {
            return None;
        }
        let said = match (vm.server.batch_rule, delay(vm)) {
            (_, Some(delay)) => of_delay(vm, per_s, delay),
            (BatchRule::Available, None) => of_time(vm, &batches, per_s)?,
            (BatchRule::Full, None) => return None,
        };
        let (text, size) = said;
        Some(
            Said::new(seen.about(group), text)
                .with("batch_samples", size)
                .with("asked_per_s", per_s),
        )
    });
    said.collect()
}

/// How long the oldest query waits for others, where that is limited.
fn delay(vm: &VmSpec) -> Option<SimDuration> {
    let server = &vm.server;
    match server.batch_rule {
        BatchRule::Full if server.timeout_from == TimeoutFrom::Oldest => server.timeout,
        BatchRule::Full => None,
        BatchRule::Available => Some(server.max_queue_delay),
    }
    .filter(|delay| *delay > SimDuration::ZERO)
}

fn of_delay(vm: &VmSpec, per_s: f64, delay: SimDuration) -> (String, f64) {
    let come = 1.0 + per_s * delay.as_secs_f64();
    let most = f64::from(vm.server.batch_max);
    let size = come.min(most);
    let delay = ns(delay.as_nanos_f64());
    let text = match come >= most {
        true => format!(
            "Batches are full: {} queries come at {} within the delay of {delay}.",
            three(most),
            rate(per_s)
        ),
        false => format!(
            "Batches have about {} of at most {} queries: one, and those that come at {} within the delay of {delay}.",
            three(size),
            three(most),
            rate(per_s)
        ),
    };
    (text, size)
}

/// Greedy batches: what comes while the one before runs, and one query where nothing came. With
/// Poisson arrivals and `a = rate x time of a batch / lanes` that is `a + exp(-a)` on average.
fn of_time(vm: &VmSpec, batches: &Batches<'_>, per_s: f64) -> Option<(String, f64)> {
    const STEPS: usize = 200;
    let most = f64::from(vm.server.batch_max);
    let lanes = f64::from(vm.server.streams.max(1)) * vm.gpus.len() as f64;
    let share = batches.place().promise().map_or(1.0, |promise| promise.most);
    let time = |size: f64| {
        let (low, high) = (size.floor() as u32, size.ceil() as u32);
        let (one, other) = (batches.alone(low), batches.alone(high));
        (one + (other - one) * (size - f64::from(low))) / share
    };
    let mut size = 1.0_f64;
    for _ in 0..STEPS {
        let come = per_s * time(size) / 1e9 / lanes;
        size = (come + (-come).exp()).clamp(1.0, most);
    }
    let alone = match share < 0.999 || batches.place().owners > 1 {
        true => ", and more where it waits for the others",
        false => "",
    };
    let text = match size >= most * 0.999 {
        true => format!(
            "Batches are full: {} queries and more come at {} while the one before runs ({}).",
            three(most),
            rate(per_s),
            ns(time(most))
        ),
        false => format!(
            "Batches have about {} of at most {} queries, those that come at {} while the one before runs ({}){alone}.",
            three(size),
            three(most),
            rate(per_s),
            ns(time(size))
        ),
    };
    Some((text, size))
}
