//! What the Rust programs share: their arguments, the statistics, their last line.

use hdrhistogram::Histogram;

/// The load, and how much of it: the figures of `loads.toml`, in seconds.
#[derive(Clone, Copy)]
pub struct Arguments {
    /// Arrivals per second.
    pub rate: f64,
    /// What every batch takes.
    pub fixed: f64,
    /// What each query of it adds.
    pub each: f64,
    pub batch_max: usize,
    pub queries: u64,
    pub seed: u64,
}

impl Arguments {
    /// LOAD RATE FIXED EACH BATCH_MAX QUERIES SEED. The name of the load decides nothing here: one
    /// server with batches of one is M/D/1.
    pub fn read() -> Self {
        let arguments: Vec<String> = std::env::args().skip(2).collect();
        let [rate, fixed, each, batch_max, queries, seed] = &arguments[..] else {
            panic!("usage: LOAD RATE FIXED EACH BATCH_MAX QUERIES SEED");
        };
        Self {
            rate: rate.parse().expect("arrivals per second"),
            fixed: fixed.parse().expect("seconds"),
            each: each.parse().expect("seconds"),
            batch_max: batch_max.parse().expect("a number of queries"),
            queries: queries.parse().expect("a number of queries"),
            seed: seed.parse().expect("a seed"),
        }
    }

    /// How long a batch of so many takes, in seconds.
    pub fn service(&self, batch: usize) -> f64 {
        self.fixed + self.each * batch as f64
    }
}

/// Sojourn times, in the histogram that slicewise records in.
pub struct Statistics {
    sojourns: Histogram<u64>,
    sum_ns: u64,
    batches: u64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            sojourns: Histogram::new_with_max(3_600_000_000_000, 3).expect("an hour in ns"),
            sum_ns: 0,
            batches: 0,
        }
    }
}

impl Statistics {
    pub fn record_ns(&mut self, sojourn: u64) {
        self.sojourns.saturating_record(sojourn);
        self.sum_ns += sojourn;
    }

    /// Seconds.
    pub fn record(&mut self, sojourn: f64) {
        self.record_ns((sojourn * 1e9) as u64);
    }

    pub fn count_batch(&mut self) {
        self.batches += 1;
    }

    /// One line of JSON.
    pub fn print(&self) {
        let count = self.sojourns.len();
        println!(
            r#"{{"queries": {count}, "mean_ms": {}, "p50_ms": {}, "p99_ms": {}, "batch_mean": {}}}"#,
            self.sum_ns as f64 / count as f64 / 1e6,
            self.sojourns.value_at_quantile(0.5) as f64 / 1e6,
            self.sojourns.value_at_quantile(0.99) as f64 / 1e6,
            count as f64 / self.batches as f64,
        );
    }
}
