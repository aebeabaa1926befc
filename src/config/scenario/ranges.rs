//! The ranges of settings that several readers share.

use crate::units::SimDuration;

/// Most samples in a batch.
pub(crate) const BATCH_MAX: u32 = 1_000_000;

/// Most clients of a closed loop.
pub(crate) const CLIENTS_MAX: u32 = 100_000;

/// Samples of a MultiStream query where nothing else is said (mlperf.conf, from v2.0 on).
pub(crate) const MULTISTREAM_SAMPLES: u32 = 8;

/// Most samples of a MultiStream query.
pub(crate) const SAMPLES_PER_QUERY_MAX: u32 = 100_000;

/// Most streams or slots per GPU.
pub(crate) const STREAMS_MAX: u32 = 1024;

/// The longest test: a day.
pub(crate) const DURATION_MAX: SimDuration = SimDuration::from_secs(86_400);

/// The most queries and samples of a test, and of all tests of a run together.
pub(crate) const QUERIES_MAX: u64 = crate::loadgen::QUERY_LIMIT;

/// Queries beyond the percentile without MLPerf's rules, unless the file states it: with a hundred,
/// the number itself is known to 10 %.
pub(crate) const QUERIES_BEYOND: u64 = 100;

/// The allowed rates, as text. Less than one query in 11.6 days is not a load.
pub(crate) const RATES: &str = "0.000001 to 1000000000 queries per second";

/// Whether this rate is allowed.
pub(crate) fn is_rate(per_s: f64) -> bool {
    (1e-6..=1e9).contains(&per_s)
}
