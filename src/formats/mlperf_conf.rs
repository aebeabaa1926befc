//! LoadGen's `mlperf.conf` and `user.conf`: lines of `model.scenario.key = value`, times in
//! milliseconds, `*` for any model or scenario.
//!
//! The effect of a key on a run is not decided here. Source: mlcommons/inference, `TestSettings::
//! FromConfig` in `loadgen/test_settings_internal.cc`.

use super::{FAULTS_MAX, Fault, Placed};
use crate::suggest::{nearest, quoted};

/// Every key of LoadGen, v0.5 to v6.0.
pub const KEYS: [&str; 37] = [
    "target_qps",
    "target_latency",
    "target_latency_percentile",
    "target_duration",
    "min_duration",
    "max_duration",
    "min_query_count",
    "max_query_count",
    "samples_per_query",
    "max_async_queries",
    "coalesce_queries",
    "performance_sample_count_override",
    "performance_sample_count",
    "sample_concatenate_permutation",
    "qsl_rng_seed",
    "sample_index_rng_seed",
    "schedule_rng_seed",
    "test05",
    "test05_qsl_rng_seed",
    "test05_sample_index_rng_seed",
    "test05_schedule_rng_seed",
    "accuracy_log_rng_seed",
    "accuracy_log_probability",
    "accuracy_log_sampling_target",
    "print_timestamps",
    "performance_issue_unique",
    "performance_issue_same",
    "performance_issue_same_index",
    "use_token_latencies",
    "ttft_latency",
    "tpot_latency",
    "infer_token_latencies",
    "token_latency_scaling_factor",
    "use_grouped_qsl",
    "constant_gen",
    "server_num_issue_query_threads",
    "mode",
];

/// The scenarios a key may be for.
const SCENARIOS: [&str; 5] = ["SingleStream", "MultiStream", "Server", "Offline", "*"];

/// A file of settings.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct MlperfConf {
    /// Its lines, in their order.
    entries: Vec<Entry>,
    /// Lines that LoadGen ignores without a message: keys and scenarios it does not know.
    pub unknown: Vec<Fault>,
}

#[derive(Clone, PartialEq, Debug)]
struct Entry {
    model: String,
    scenario: String,
    key: String,
    value: Placed<String>,
}

impl MlperfConf {
    /// The value of a key: for this model and scenario, else for any model, else for any scenario,
    /// else for both, as LoadGen looks it up. Of two such lines the later one counts.
    pub fn get(&self, model: &str, scenario: &str, key: &str) -> Option<&Placed<String>> {
        let tried = [(model, scenario), ("*", scenario), (model, "*"), ("*", "*")];
        tried.into_iter().find_map(|(model, scenario)| {
            let mut of_key = self.entries.iter().rev().filter(|entry| entry.key == key);
            let found = of_key.find(|entry| entry.model == model && entry.scenario == scenario);
            found.map(|entry| &entry.value)
        })
    }

    /// Every value, in the order of the lines.
    pub fn values(&self) -> impl Iterator<Item = &Placed<String>> {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// Whether a line names this model for this key and scenario, or for any scenario.
    pub fn names(&self, model: &str, scenario: &str, key: &str) -> bool {
        self.entries.iter().any(|entry| {
            entry.model == model
                && entry.key == key
                && (entry.scenario == scenario || entry.scenario == "*")
        })
    }

    /// The models that lines name, each once.
    pub fn models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = self
            .entries
            .iter()
            .map(|entry| entry.model.as_str())
            .filter(|name| *name != "*")
            .collect();
        models.sort_unstable();
        models.dedup();
        models
    }
}

/// No file has more settings: LoadGen's own has about a hundred.
const ENTRIES_MAX: usize = 100_000;

/// Reads a file, or returns all faults at which LoadGen would stop.
pub fn read(text: &str) -> Result<MlperfConf, Vec<Fault>> {
    let (mut conf, mut faults, mut at) = (MlperfConf::default(), Vec::new(), 0);
    for whole in text.split_inclusive('\n') {
        let start = at + whole.len() - whole.trim_start().len();
        at += whole.len();
        let line = match without_comment(whole.trim(), start) {
            Ok(line) => line,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        if line.is_empty() {
            continue;
        }
        if let Some(fault) = without_value(line, start) {
            conf.unknown.extend((conf.unknown.len() < FAULTS_MAX).then_some(fault));
            continue;
        }
        if conf.entries.len() == ENTRIES_MAX {
            let title = format!("the file has more than {ENTRIES_MAX} settings");
            faults.push(Fault::at(start..start + 1, title).allowed("a file of LoadGen's settings"));
            break;
        }
        match entry(line, start, &mut conf.unknown) {
            Ok(entry) => conf.entries.push(entry),
            Err(fault) => faults.push(fault),
        }
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    if faults.is_empty() { Ok(conf) } else { Err(faults) }
}

/// A line without its comment, which LoadGen knows by a `#` of its own that comes before a value.
fn without_comment(line: &str, start: usize) -> Result<&str, Fault> {
    let Some(at) = line.find('#') else { return Ok(line) };
    let (before, comment) = (line[..at].trim_end(), &line[at..]);
    let span = start + at..start + line.len();
    if before.contains('=') {
        let title = "LoadGen does not accept a comment after a value, and then rejects the whole \
            file";
        return Err(Fault::at(span, title).help("put the comment on its own line"));
    }
    let word = comment.split_whitespace().next().unwrap_or_default();
    if before.is_empty() && word.len() > 1 && comment.len() > word.len() {
        let title =
            format!("LoadGen reads {} as a key, and then rejects the whole file", quoted(word));
        return Err(Fault::at(span, title).help("write a space after `#`"));
    }
    Ok(before)
}

/// What is said of a line that stops before its value, which LoadGen passes over.
fn without_value(line: &str, start: usize) -> Option<Fault> {
    let mut words = line.split_whitespace();
    let is_short = match (words.next()?, words.next(), words.next()) {
        (key, None, _) => !key.contains('='),
        (_, Some("="), None) => true,
        _ => false,
    };
    let title = "the line has no value: LoadGen ignores it";
    is_short.then(|| Fault::at(start..start + line.len(), title))
}

/// One line that is not blank; `start` is its place.
fn entry(line: &str, start: usize, unknown: &mut Vec<Fault>) -> Result<Entry, Fault> {
    let form = "model.scenario.key = value, such as bert.Server.target_qps = 7800";
    let whole = start..start + line.len();
    let Some((path, value)) = line.split_once('=') else {
        let title = format!("no `=` in {}", quoted(line));
        return Err(Fault::at(whole, title).allowed(form));
    };
    let value_at = start + line.len() - value.trim_start().len();
    let (path, mut value) = (path.trim_end(), value.trim());
    let value_span = value_at..value_at + value.len();
    let before_value = &line[..line.len() - value.len()];
    let apart = line[path.len()..].starts_with(char::is_whitespace)
        && before_value.ends_with(char::is_whitespace);
    if !apart {
        let fault = Fault::at(whole, "LoadGen needs a space on both sides of `=`");
        let shown = if line.len() < 100 { (path, value) } else { ("key", "value") };
        return Err(fault.help(format!("write `{} = {}`", shown.0, shown.1)));
    }
    let parts: Vec<&str> = path.rsplitn(3, '.').collect();
    let [key, scenario, model] = parts[..] else {
        let fault = Fault::at(start..start + path.len(), format!("{} is not a key", quoted(path)));
        return Err(fault.allowed(form));
    };
    let (scenario_at, key_at) = (start + model.len() + 1, start + path.len() - key.len());
    // More are not shown: looking for what each may mean would cost more than all else.
    if !SCENARIOS.contains(&scenario) && unknown.len() < FAULTS_MAX {
        let title = format!("unknown scenario {}: LoadGen ignores the line", quoted(scenario));
        let fault = Fault::at(scenario_at..scenario_at + scenario.len(), title);
        let fault = fault.allowed(SCENARIOS.join(", "));
        unknown.push(fault.did_you_mean(nearest(scenario, SCENARIOS)));
    } else if !KEYS.contains(&key) && unknown.len() < FAULTS_MAX {
        let title = format!("unknown key {}: LoadGen ignores the line", quoted(key));
        let fault = Fault::at(key_at..key_at + key.len(), title);
        unknown.push(fault.did_you_mean(nearest(key, KEYS)));
    }
    // Of several numbers the last one counts.
    let words: Vec<&str> = value.split_whitespace().collect();
    if words.len() > 1 && words.iter().all(|word| number(word).is_some()) {
        value = words[words.len() - 1];
        let title = format!("several values: LoadGen uses the last one, {value}");
        unknown.extend((unknown.len() < FAULTS_MAX).then(|| Fault::at(value_span.clone(), title)));
    }
    if number(value).is_none() {
        let title = format!("{} is not a number", quoted(value));
        let allowed = "a whole number, hexadecimal with 0x, or a decimal; times in milliseconds";
        return Err(Fault::at(value_span, title).allowed(allowed));
    }
    Ok(Entry {
        model: model.to_string(),
        scenario: scenario.to_string(),
        key: key.to_string(),
        value: Placed { value: value.to_string(), span: value_span },
    })
}

/// A value as a number; seeds lose digits, see [`seed`].
pub fn number(value: &str) -> Option<f64> {
    if let Some(whole) = seed(value) {
        return Some(whole as f64);
    }
    value.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A value as a whole number of 64 bits.
pub fn seed(value: &str) -> Option<u64> {
    match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_particular_line_counts() {
        let text = "*.Server.target_latency = 10\n*.*.min_duration = 600000\n# ten minutes\n\
                    bert.Server.target_latency = 130\nbert.*.min_duration = 1000\n";
        let conf = read(text).unwrap();
        let found =
            |model, scenario, key| conf.get(model, scenario, key).map(|found| found.value.as_str());
        assert_eq!(found("bert", "Server", "target_latency"), Some("130"));
        assert_eq!(found("rnnt", "Server", "target_latency"), Some("10"));
        assert_eq!(found("bert", "Offline", "min_duration"), Some("1000"));
        assert_eq!(found("rnnt", "Offline", "min_duration"), Some("600000"));
        assert_eq!(found("rnnt", "Offline", "target_qps"), None);
        assert_eq!(conf.models(), ["bert"]);
    }

    /// As `TestSettings::FromConfig` takes a line apart, word by word.
    #[test]
    fn comments_and_values_are_taken_as_loadgen_takes_them() {
        let titles = |text: &str| -> Vec<String> {
            read(text).unwrap_err().into_iter().map(|fault| fault.title).collect()
        };
        assert!(titles("*.*.mode = 2 # only\n")[0].contains("not accept a comment after a value"));
        assert!(titles("#a comment\n")[0].contains("reads \"#a\" as a key"));
        let conf = read("# a = 1\n#word\n*.*.mode\n*.*.mode =\n*.*.mode = 1 2\n").unwrap();
        let found = conf.get("bert", "Server", "mode").map(|found| found.value.as_str());
        assert_eq!((found, conf.unknown.len()), (Some("2"), 3), "{:?}", conf.unknown);
    }

    #[test]
    fn unknown_keys_are_told_and_passed_over() {
        let conf =
            read("bert-99.9.Server.taget_qps = 1.5\nbert.Sever.target_qps = 0x10\n").unwrap();
        let told: Vec<_> = conf.unknown.iter().map(|fault| fault.help.as_str()).collect();
        assert_eq!(told, ["did you mean \"target_qps\"?", "did you mean \"Server\"?"]);
        assert_eq!(
            conf.get("bert", "Sever", "target_qps").map(|found| seed(&found.value)),
            Some(Some(16))
        );
    }
}
