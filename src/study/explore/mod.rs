//! A scenario looked at: quickly, then better. What somebody sees who moves a slider.
//!
//! ```text
//!  theory ─┐
//!  lines ──┴─► glance      curve
//! ```
//!
//! `glance` simulates the runs of a scenario, cut to so many queries; `lines` are their distributions;
//! `curve` is one figure over many settings; `theory` says what queueing theory says of them, where it
//! says something. Nothing here is another model: every figure is simulated as `slicewise run` does it.

mod curve;
mod glance;
mod lines;
mod theory;

pub use curve::{CurveEffort, CurvePoint, at_part_of_rate, curve_point, why_no_curve};
pub use glance::{Glance, glance};
pub use lines::{LineKind, PercentileLine, nines};
pub use theory::{Law, law};
