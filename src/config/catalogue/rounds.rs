//! The counts, durations, bounds and percentiles of each MLPerf round: `configs/rounds/*.conf`, in
//! the format of the `mlperf.conf` that LoadGen reads in that round.
//!
//! The effect of a key on a run is in `conf`. Every line has the source and the standing that the
//! last `# source:` and `# standing:` above it name.

use crate::config::text::{SourceFile, Value, ValueOrigin};
use crate::formats::Placed;
use crate::formats::mlperf_conf::{self, MlperfConf};
use crate::spec::{Round, Standing};
use std::sync::{Arc, LazyLock};

/// The text of each round's file.
const TEXTS: [(&str, &str); 11] = [
    ("v1.1", include_str!("../../../configs/rounds/v1.1.conf")),
    ("v2.0", include_str!("../../../configs/rounds/v2.0.conf")),
    ("v2.1", include_str!("../../../configs/rounds/v2.1.conf")),
    ("v3.0", include_str!("../../../configs/rounds/v3.0.conf")),
    ("v3.1", include_str!("../../../configs/rounds/v3.1.conf")),
    ("v4.0", include_str!("../../../configs/rounds/v4.0.conf")),
    ("v4.1", include_str!("../../../configs/rounds/v4.1.conf")),
    ("v5.0", include_str!("../../../configs/rounds/v5.0.conf")),
    ("v5.1", include_str!("../../../configs/rounds/v5.1.conf")),
    ("v6.0", include_str!("../../../configs/rounds/v6.0.conf")),
    ("v6.1", include_str!("../../../configs/rounds/v6.1.conf")),
];

/// The file of a round.
pub(crate) struct RoundFile {
    pub(crate) round: Round,
    pub(crate) file: Arc<SourceFile>,
    pub(crate) conf: MlperfConf,
}

static FILES: LazyLock<Vec<RoundFile>> = LazyLock::new(|| {
    let read = |(name, text): (&str, &str)| RoundFile {
        round: Round::ALL.into_iter().find(|round| round.name == name).expect("a round known"),
        file: Arc::new(SourceFile::new(format!("built-in rounds/{name}.conf"), text)),
        conf: mlperf_conf::read(text).expect("a file of ours can be read"),
    };
    TEXTS.into_iter().map(read).collect()
});

/// The file of this round.
pub(crate) fn of(round: Round) -> &'static RoundFile {
    FILES.iter().find(|file| file.round.name == round.name).expect("every round has a file")
}

impl RoundFile {
    /// The origin of a line of it.
    pub(crate) fn said(&self, line: &Placed<String>) -> ValueOrigin {
        let before = &self.file.text[..line.span.start];
        let last = |word: &str| {
            let lines = before.lines().rev();
            lines.filter_map(|line| line.strip_prefix(word)).next().unwrap_or_default().trim()
        };
        let standing = Standing::ALL.iter().find(|(word, _)| *word == last("# standing:"));
        ValueOrigin {
            source: Some(last("# source:").to_string()),
            standing: standing.map(|(word, _)| *word),
            ..ValueOrigin::new("round", self.round.name)
        }
    }
}

/// Every benchmark of any round, in the words of `mlperf.conf`.
pub(crate) fn benchmarks() -> Vec<&'static str> {
    let mut names: Vec<&str> = FILES.iter().flat_map(|file| file.conf.models()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// `benchmark = "bert"` of a workload's file.
pub(crate) fn benchmark(value: &Value<'_>) -> Option<String> {
    let name = value.text()?;
    let known = benchmarks();
    if !known.contains(&name) {
        value.unknown("MLPerf benchmark", name, known);
        return None;
    }
    Some(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::mlperf_conf::seed;

    #[test]
    fn every_round_has_a_file_with_its_seed_and_every_line_a_source() {
        assert_eq!(FILES.len(), Round::ALL.len());
        for round in Round::ALL {
            let file = of(round);
            assert!(file.conf.unknown.is_empty(), "{:?}", file.conf.unknown);
            let line = file.conf.get("bert", "Server", "schedule_rng_seed").unwrap();
            assert_eq!(seed(&line.value), Some(round.schedule_seed), "{}", round.name);
            for line in file.conf.values() {
                let said = file.said(line);
                let assumed = said.source.as_deref().unwrap().starts_with("assumed:");
                assert!(said.source.unwrap().len() > 20, "{}: {line:?}", round.name);
                assert_eq!(assumed, said.standing == Some("assumed"), "{}: {line:?}", round.name);
            }
        }
    }

    #[test]
    fn counts_and_bounds_are_those_of_each_rounds_own_file() {
        let of = |round: &str, model: &str, scenario: &str, key: &str| {
            let file = FILES.iter().find(|file| file.round.name == round).unwrap();
            file.conf.get(model, scenario, key).map(|line| line.value.as_str())
        };
        // The count of Server was taken out before v3.1, those of Offline became the data sets' in v4.0.
        for round in ["v1.1", "v2.0", "v2.1", "v3.0"] {
            assert_eq!(of(round, "bert", "Server", "min_query_count"), Some("270336"));
            assert_eq!(of(round, "bert", "Offline", "min_query_count"), Some("24576"));
            assert_eq!(of(round, "resnet50", "SingleStream", "min_query_count"), Some("1024"));
        }
        for round in ["v3.1", "v4.0", "v4.1", "v5.0", "v5.1", "v6.0", "v6.1"] {
            assert_eq!(of(round, "bert", "Server", "min_query_count"), None);
            assert_eq!(of(round, "bert", "SingleStream", "min_query_count"), None);
            assert_eq!(of(round, "resnet50", "MultiStream", "min_query_count"), Some("662"));
        }
        assert_eq!(of("v3.1", "bert", "Offline", "min_query_count"), Some("24576"));
        assert_eq!(of("v4.1", "bert", "Offline", "min_query_count"), Some("10833"));
        assert_eq!(of("v4.1", "3d-unet", "Offline", "min_query_count"), Some("43"));
        assert_eq!(of("v3.0", "dlrm", "Server", "target_latency"), Some("30"));
        assert_eq!(of("v3.1", "dlrm-v2", "Server", "target_latency"), Some("60"));
        assert_eq!(of("v6.0", "dlrm-v3", "Server", "target_latency"), Some("80"));
        assert_eq!(of("v5.1", "llama2-70b-interactive", "Server", "tpot_latency"), Some("40"));
        assert_eq!(of("v2.0", "ssd-resnet34", "Server", "target_latency"), Some("100"));
        // Replaced by RetinaNet: what is left is the line of any model.
        assert_eq!(of("v2.1", "ssd-resnet34", "Server", "target_latency"), Some("10"));
        for round in Round::ALL {
            assert_eq!(of(round.name, "bert", "Server", "target_latency"), Some("130"));
            assert_eq!(of(round.name, "bert", "Server", "target_latency_percentile"), Some("99"));
            assert_eq!(of(round.name, "bert", "Server", "min_duration"), Some("600000"));
        }
    }
}
