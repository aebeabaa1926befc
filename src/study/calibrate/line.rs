//! Batch times as a line: the launch and the time of a sample, by weighted least squares.

use super::BatchTime;
use crate::study::interval::t_975;

/// The straight line `launch + per_sample x batch` through batch times, every time weighted by its
/// own size: relative errors count.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Line {
    /// In milliseconds, from 0 to the shortest time.
    pub(super) launch: f64,
    /// In milliseconds.
    pub(super) per_sample: f64,
    /// Half the 95 % interval of `launch`; nothing from fewer than three batch sizes.
    pub(super) half_width: Option<f64>,
}

/// The line; nothing without times. One batch size does not determine launch, which is then 0.
pub(super) fn affine(times: &[BatchTime]) -> Option<Line> {
    let shortest = times.iter().map(|time| time.ms).reduce(f64::min)?;
    let sum = |of: &dyn Fn(&BatchTime) -> f64| {
        times.iter().map(|time| of(time) / time.ms.powi(2)).sum::<f64>()
    };
    let batch = |time: &BatchTime| f64::from(time.batch);
    let (w, x, xx) = (sum(&|_| 1.0), sum(&batch), sum(&|t| batch(t).powi(2)));
    let (y, xy) = (sum(&|t| t.ms), sum(&|t| batch(t) * t.ms));
    let det = w * xx - x * x;
    // A first batch that takes longer than the line says must not make the others negative.
    let most = 0.999 * shortest;
    let launch = if times.len() < 2 { 0.0 } else { ((xx * y - x * xy) / det).clamp(0.0, most) };
    let per_sample = (xy - launch * x) / xx;
    let off = |time: &BatchTime| ((launch + per_sample * batch(time)) / time.ms - 1.0).powi(2);
    let freedom = times.len().saturating_sub(2);
    let half_width = (freedom > 0).then(|| {
        let variance = times.iter().map(off).sum::<f64>() / freedom as f64;
        t_975(freedom) * (variance * xx / det).sqrt()
    });
    Some(Line { launch, per_sample, half_width })
}
