//! Batch times alone: they do not determine which part of a time is launch, so work is all of it
//! where a batch of one was timed; without one, launch is the intercept of the straight line
//! through the times, which gives the times of smaller batches.
//!
//! Weighted least squares in closed form; no run is simulated.

use super::document::Fitted;
use super::line::affine;
use super::parameters::ParameterKind;
use super::search::Candidate;
use super::{BatchTime, Seen};

/// The workload whose batches take exactly the measured times, and the ones with the launch at
/// either end of its interval: the whole possible range where there are fewer than three sizes.
pub(super) fn fit(plan: &Seen<'_>) -> Fitted {
    let line = affine(plan.times).expect("a plan without runs has times");
    let values = |launch: f64| -> Vec<f64> {
        let free = plan.parameters.iter().filter(|parameter| !parameter.is_held);
        let value = free.map(|parameter| match parameter.kind {
            ParameterKind::Work(batch) => work_at(plan.times, batch, launch, line.per_sample),
            ParameterKind::Launch => launch,
            _ => parameter.start,
        });
        value.collect()
    };
    let held = plan.parameters.iter().find(|parameter| parameter.kind == ParameterKind::Launch);
    let held = held.filter(|parameter| parameter.is_held).map(|parameter| parameter.start);
    // With a batch of one every time is known, and what of it a part of the GPU stretches is phi's affair.
    let starts_at_one = plan.times.len() > 1 && plan.times.iter().any(|time| time.batch == 1);
    let best = held.unwrap_or(if starts_at_one { 0.0 } else { line.launch });
    let shortest = plan.times.iter().map(|time| time.ms).fold(f64::INFINITY, f64::min);
    let most = 0.999 * shortest;
    let ends = match line.half_width {
        _ if starts_at_one => [0.0; 2],
        Some(half) => [(best - half).max(0.0), (best + half).min(most)],
        None => [0.0, most],
    };
    let ends = held.is_none().then_some(ends);
    let launches = [best].into_iter().chain(ends.into_iter().flatten().filter(|end| *end != best));
    let fits: Vec<Candidate> = launches
        .map(|launch| {
            let values = values(launch);
            let workload = plan.workload_with(&values);
            let service = &workload.service[plan.gpu];
            let predicted = plan.times.iter().map(|time| {
                let work = service.work.value.at(time.batch);
                ((service.launch.value.as_nanos_f64() + work) / 1e6)
                    .max(service.host_floor.value.as_millis_f64())
            });
            Candidate { values, predicted: predicted.collect() }
        })
        .collect();
    let mut notes = Vec::new();
    match plan.times.len() {
        1 => notes.push(
            "launch is not identified: only one batch size was measured, so it is \
            assumed to be 0 and all of the time to be work; intervals of predictions include any \
            launch up to the whole time"
                .to_string(),
        ),
        2 if !starts_at_one => notes.push(
            "launch is not identified: two batch sizes always lie \
            on a straight line; intervals of predictions include any launch up to the shorter \
            time; measure a third size"
                .to_string(),
        ),
        _ => {}
    }
    notes.push(
        "phi is not identified: no run has two batches on one GPU, or a slice of one; intervals \
         of predictions for slices and for batches at once include every phi with which the parts \
         of a GPU together are no faster than the whole"
            .to_string(),
    );
    let identified = plan.parameters.iter().filter(|parameter| !parameter.is_held);
    let identified = identified
        .map(|parameter| {
            parameter.kind != ParameterKind::Launch || starts_at_one || line.half_width.is_some()
        })
        .collect();
    let (identified, alarms) = (Some(identified), Vec::new());
    Fitted { best: 0, fits, identified, notes, alarms, full: None }
}

/// Work of a batch: what is left of its measured time, or of the line's.
fn work_at(times: &[BatchTime], batch: u32, launch: f64, per_sample: f64) -> f64 {
    let measured = times.iter().find(|time| time.batch == batch);
    let left = measured.map_or(per_sample * f64::from(batch), |time| time.ms - launch);
    left.max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(batch: u32, ms: f64) -> BatchTime {
        BatchTime { batch, ms, count: 1, variation: None, source: "a test".to_string() }
    }

    #[test]
    fn a_straight_line_gives_launch_and_work_back() {
        // 0.5 ms and 0.2 ms a sample, exactly.
        let times: Vec<_> =
            [1, 2, 8, 32].map(|batch| time(batch, 0.5 + 0.2 * f64::from(batch))).to_vec();
        let line = affine(&times).unwrap();
        assert!((line.launch - 0.5).abs() < 1e-9 && (line.per_sample - 0.2).abs() < 1e-9);
        assert!(line.half_width.unwrap() < 1e-6);
        assert_eq!(affine(&times[..1]).unwrap().launch, 0.0);
        assert!(affine(&[]).is_none());
    }

    #[test]
    fn a_falling_line_has_no_negative_launch() {
        // Times that rise faster than the batch: the line would start below zero.
        let line = affine(&[time(1, 1.0), time(2, 2.5), time(4, 6.0)]).unwrap();
        assert_eq!(line.launch, 0.0);
        assert!(line.per_sample > 1.0);
    }
}
