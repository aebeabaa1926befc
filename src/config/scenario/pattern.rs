//! `arrivals = "pattern"`, and the `pattern` that the rate of the load follows.

use crate::config::keys::forms::{own, within};
use crate::config::keys::keys;
use crate::config::keys::shape::{self, Shape, list};
use crate::config::text::{Diagnostic, Reader, Value};
use crate::spec::RatePattern;
use crate::units::SimDuration;

/// Most points of a pattern: one for each minute of a day.
const POINTS_MAX: usize = 1440;

/// The greatest of its relative rates.
const RATE_MAX: f64 = 1e6;

/// The longest period, that of the longest run.
const PERIOD_MAX: SimDuration = SimDuration::from_secs(364 * 86_400);

keys! {
    /// The keys of `pattern`.
    pub(super) struct PatternKeys {
        /// The rate at equal steps of the period, relative to one another; their mean is `target_qps`.
        rates: Vec<f64> = own(rates, rates_shape),
            needed "state the rate at equal steps of the period, such as [0.4, 1, 1.6, 1]";
        /// After what it begins anew.
        period: SimDuration = own(period, shape::quantity::<SimDuration>), or "24 h";
        /// How far into the period the load begins.
        start: SimDuration = within("0 to 8736 h"), or "0 s";
    }
}

fn rates_shape() -> Shape {
    list(shape::number().with("minimum", 0).with("maximum", RATE_MAX), POINTS_MAX)
}

fn rates(value: &Value<'_>) -> Option<Vec<f64>> {
    let items = value.items(POINTS_MAX)?;
    let one = |item: &Value<'_>| {
        item.number(|rate| (0.0..=RATE_MAX).contains(&rate), "0 to 1000000, relative to the others")
    };
    let rates: Vec<Option<f64>> = items.iter().map(one).collect();
    let rates: Vec<f64> = rates.into_iter().collect::<Option<_>>()?;
    if rates.len() < 2 || rates.iter().sum::<f64>() < 1e-6 {
        let found = value.wrong("gives no rate that rises and falls");
        let help = "for a rate that stays the same write arrivals = \"poisson\"";
        value.report(found.allowed("two rates or more, not all of them 0").help(help));
        return None;
    }
    Some(rates)
}

fn period(value: &Value<'_>) -> Option<SimDuration> {
    let within = |span: &SimDuration| (SimDuration::from_millis(1)..=PERIOD_MAX).contains(span);
    value.bounded(within, "1 ms to 8736 h (364 days)")
}

/// `{ rates = [0.4, 1, 1.6, 1], period = "24 h", start = "8 h" }`.
pub(super) fn pattern(mut table: Reader<'_>) -> Option<RatePattern> {
    let PatternKeys { rates, period, start, .. } = PatternKeys::given(&mut table);
    let (period, start) =
        (period.unwrap_or(SimDuration::from_secs(86_400)), start.unwrap_or_default());
    if start >= period {
        let title = format!("the load begins at {start} of a period of {period}");
        let diagnostic = Diagnostic::at(&table.spot_of("start"), title);
        table.report(diagnostic.allowed(format!("from 0 s to less than {period}")));
        return None;
    }
    table.finish();
    Some(RatePattern { rates: rates?, period, start })
}

/// As `explain` and the differences of a twin show it.
pub(super) fn in_words(pattern: &RatePattern) -> String {
    let RatePattern { rates, period, start } = pattern;
    let peak = (pattern.peak() * 1e3).round() / 1e3;
    format!("{} rates over {period} from {start}, {peak} times the mean at most", rates.len())
}
