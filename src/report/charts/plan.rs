//! The chart of a search for layouts: the least headroom of each, against its cost.

use super::super::number::plain;
use super::along::XAxis;
use super::figure::Figure;
use super::panel;
use super::series::{Panel, Place, Series};
use crate::spec::ParameterValue;
use crate::study::{Interval, PlanAnswer, PlanResults};

/// The chart; none where no layout was found.
pub(in crate::report) fn figures(results: &PlanResults) -> Vec<(String, Figure)> {
    if results.layouts.is_empty() {
        return Vec::new();
    }
    let cost = |layout: &PlanAnswer| layout.cost_per_hour.unwrap_or(f64::from(layout.cards));
    let mut costs: Vec<f64> = results.layouts.iter().map(cost).collect();
    costs.sort_by(f64::total_cmp);
    costs.dedup();
    let series = results.layouts.iter().map(|layout| {
        let at = costs.iter().position(|known| *known == cost(layout)).expect("it is listed");
        let value = Interval { mean: 100.0 * layout.headroom, half_width: None };
        let place = Place { index: at, value, valid: true, marked: layout.rank == 1 };
        Series { name: format!("layout {}", layout.rank), places: vec![Some(place)] }
    });
    let panel = Panel {
        head: "Headroom of the worst VM, % (ring: the first layout)".to_string(),
        series: series.collect(),
        bound: None,
        write: plain,
    };
    let values =
        costs.iter().map(|cost| ParameterValue { text: plain(*cost), number: Some(*cost) });
    let label = match &results.currency {
        Some(currency) => format!("{currency} per hour"),
        None => "cards".to_string(),
    };
    let along = XAxis::new(label, values.collect(), true);
    let below = panel::below(&results.head.title, results.layouts.len());
    let figure = panel::draw("Layouts that hold every bound", &below, &along, &[panel]);
    vec![("plan".to_string(), figure)]
}
