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

/// No test is longer than a day.
pub(crate) const DURATION_MAX: SimDuration = SimDuration::from_secs(86_400);

/// No test asks for more queries, nor makes more samples.
pub(crate) const QUERIES_MAX: u64 = 50_000_000;

/// Queries beyond the percentile where MLPerf's rules do not hold and the file does not say: of a
/// hundred the number itself is known to a tenth.
pub(crate) const QUERIES_BEYOND: u64 = 100;

/// The rates a file may ask for, in words. One query in 11.6 days is no load.
pub(crate) const RATES: &str = "0.000001 to 1000000000 queries per second";

/// Whether a file may ask for this rate.
pub(crate) fn is_rate(per_s: f64) -> bool {
    (1e-6..=1e9).contains(&per_s)
}
