//! How busy the GPUs of a measured Server run are by the model, for what follows from that, such as power.
//!
//! The speed of the GPUs is that of the system's own Offline run, the rest of the service time the
//! catalogue's; nothing is taken from the Server run but its settings and its rate.

use super::case::{self, Case};
use super::input::Validation;
use super::numbers::ServiceNumbers;
use crate::platform::simulate;

/// The part of a Server run in which its GPUs are busy, 0 to 1, in the mean of them; `row` is its index in the
/// input. Nothing for a row that cannot be simulated.
pub fn server_busy(input: &Validation, row: usize) -> Option<f64> {
    let case = case::case(input, row, &input.rows[row])?;
    let experiment = case.experiment(&numbers(&case)?, 1.0, input.queries);
    let busy = simulate(&experiment).gpu_busy;
    Some(busy.iter().sum::<f64>() / busy.len() as f64)
}

/// The numbers of the catalogue.
fn numbers(case: &Case<'_>) -> Option<ServiceNumbers> {
    let of_law = case.law(false)?;
    let in_series = case.harness.launch_in_series;
    Some(ServiceNumbers { phi: case.phi(), in_order: false, in_series, ..of_law })
}
