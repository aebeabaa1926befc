//! Floor 5: the method. It runs the experiments of a scenario and makes the result document.
//!
//! It formats nothing and reads no file.

mod amount;
mod answer;
mod asked;
mod baseline;
mod border;
mod bug;
mod calibrate;
mod capacity;
mod capacity_verdict;
mod cluster;
mod cpu;
mod down;
mod explain;
mod explore;
mod figures;
mod fits;
mod gap;
mod interval;
mod lateness;
mod leans_on;
mod notes;
mod open;
mod out_of_reach;
mod over_shares;
mod over_time;
mod piece;
mod plan;
mod power;
mod probe;
mod progress;
mod results;
mod run;
mod run_verdict;
mod said;
mod scan;
mod sensitivity;
mod summary;
mod sweep;
mod system;
mod timeline;
mod token_fits;
mod token_verdict;
mod tokens;
mod uncertainty;
mod validate;
mod variant;
mod verdict;
mod vms;
mod window;

pub mod plans;

pub use amount::{
    Planned, RunSize, estimate_size, long_by_counts, planned, planned_points, planned_searches,
};
pub use answer::{
    Answer, Answered, DecidedBy, Findings, Question, WayAnswer, WayFigures, answer,
    answered_at_once,
};
pub use asked::{has_rate, queries_at_least};
pub use baseline::{counterfactuals, same_cards, whole_cards};
pub use border::{CapacitySearch, Ended, Limit, RangeEnd, SearchRecord, Watch};
pub use calibrate::*;
pub use capacity::{
    CapacityPlan, CapacityResults, SystemCapacity, add_with_bare_metal, capacities, capacity, limit,
};
pub use cluster::*;
pub use explain::{About, Effort, Explained, ExplainedRun, KINDS, Kind, Part, Sentence, explain};
pub use explore::{
    CurveEffort, CurvePoint, Glance, Law, LineKind, PercentileLine, at_part_of_rate, curve_point,
    glance, law, nines, why_no_curve,
};
pub use figures::LatencyMs;
pub use gap::{Gap, GapLatency, GapPlan, GapStep, add_gap};
pub use interval::{Interval, student_95};
pub use notes::{replayed, scaled_times, slow_filling};
pub use open::{OpenEnd, OpenInput};
pub use out_of_reach::{too_slow_alone, twice_throughput};
pub use over_shares::OverShare;
pub use over_time::{OperationResult, OperationsResult, VmOverTime, WindowResult};
pub use piece::Extent;
pub use plan::{
    CardAnswer, CardLayout, CardPart, CardWays, Held, KindAsked, Layout, Leaving, MakeLayout,
    NearestAnswer, PlanAnswer, PlanCards, PlanKind, PlanResults, PlanTask, Prices, VmAnswer,
    VmsOnCard, WayWithout, layouts,
};
pub use power::{CardWatts, HostWatts, PowerResult};
pub use probe::SEARCHED_QUERIES_MAX;
pub use progress::Progress;
pub use results::*;
pub use run::{run, run_replicated, run_to, run_unless};
#[cfg(test)]
pub(crate) use run_verdict::of_runs as verdict_of_runs;
pub use sweep::{
    GroupHead, GroupResult, GroupSummary, Memory, PointRow, PointRun, PointSummary, RowSink,
    SweepResults, point_key, sweep,
};
pub use system::{LoadPoint, System};
pub use timeline::{EngineTime, TimelineResults, timeline};
pub use token_fits::TokenSpread;
pub use tokens::{COMPARED, Goodput, TokenIntervals, TokenResult, TokenSummary};
pub use uncertainty::{MoreWork, PairedRatio, Replicated, Uncertainty};
pub use validate::{
    FittedService, Group, JudgedRow, LoadErrors, Rates, ServiceNumbers, ShapeError, Train,
    Validation, ValidationResults, fingerprint, server_busy, validate,
};
pub use validate::{Scaling, ScalingRow, ScalingSpread, fitted_workloads, scaling};
pub use variant::asked_per_s;
pub use verdict::Verdict;
pub use vms::{
    MakeRun, Obstacle, TooMany, VmPlan, VmPoint, VmResults, WayResult, most_vms, ranges,
};
pub use window::{RunWindow, window};
