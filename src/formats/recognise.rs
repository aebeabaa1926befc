//! Recognises the program that wrote a text, when a command cannot read it, so that the error
//! message can name the command that can.
//!
//! A guess by the form of a text; nothing is parsed here, and nothing refused.

use super::{latency_csv, probe, trtexec_log};
use serde_json::Value;

/// A kind of file, and its use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// The kind, to follow "the file is".
    pub what: &'static str,
    /// What to do with it.
    pub next: &'static str,
}

macro_rules! kinds {
    ($($name:ident: $what:literal, $next:literal;)*) => {
        $(pub(crate) const $name: Kind = Kind { what: $what, next: $next };)*
        /// Every kind, for tests of messages and documentation.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    RESULTS: "a result document of slicewise",
        "name the scenario file that it was made from; the document itself is for jq and notebooks";
    TRTEXEC: "times that trtexec exported",
        "`slicewise calibrate BATCH=FILE --gpu GPU -o my-model.toml` makes a workload from it, \
         one BATCH=FILE for each batch size; `slicewise ask --model` reads it, too";
    TRTEXEC_LOG: "a log of trtexec",
        "`slicewise calibrate BATCH=FILE --gpu GPU -o my-model.toml` makes a workload from it, \
         one BATCH=FILE for each batch size; `slicewise ask --model` reads it, too";
    VLLM: "a benchmark of vLLM",
        "LLM serving is not simulated yet: time to first token and time per token have no counterpart here";
    SGLANG: "a benchmark of SGLang",
        "LLM serving is not simulated yet: time to first token and time per token have no counterpart here";
    GENAI_PERF: "an export of GenAI-Perf or AIPerf",
        "LLM serving is not simulated yet: time to first token and time per token have no counterpart here";
    TOKENS: "a benchmark of a language model, by tokens",
        "LLM serving is not simulated yet: time to first token and time per token have no counterpart here";
    LOADGEN_TOKENS: "a log of a LoadGen run that is judged by its tokens",
        "LLM serving is not simulated yet: time to first token and time per token have no counterpart here";
    PROBE: "the measurements of the probe on a GPU",
        "`slicewise calibrate FILE -o my-configs` makes a GPU and workloads from it";
    PERF_REQUESTS: "the profile export of perf_analyzer, request by request",
        "write its CSV as well (perf_analyzer -f FILE): `slicewise calibrate` reads that";
    JSON: "JSON", "scenarios are TOML; `slicewise schema` prints their JSON Schema";
    PERF_ANALYZER: "a CSV of perf_analyzer",
        "`slicewise calibrate FILE --gpu GPU -o my-model.toml` makes a workload from it; \
         `slicewise ask --model` reads it, too";
    MEASURED: "a CSV of measured MLPerf runs", "`slicewise validate --data FILE` predicts each row";
    BATCH_TIMES: "a CSV of batch times",
        "`slicewise calibrate FILE --gpu GPU -o my-model.toml` makes a workload from it; \
         `slicewise ask --model` reads it, too";
    OWN_CSV: "a CSV that slicewise wrote", "name the scenario file that it was made from";
    TRACE: "a CSV of recorded requests",
        "name it in a scenario's load: arrivals = { trace = \"FILE\" }";
    TRACE_LINES: "JSON lines of recorded requests",
        "name it in a scenario's load: arrivals = { trace = \"FILE\" }";
    CSV: "a CSV", "batch times go to `slicewise calibrate FILE`, recorded requests into a load: arrivals = { trace = \"FILE\" }";
    NODE: "a configuration of a Kubernetes node",
        "`slicewise import FILE --gpu GPU` reads it";
    YAML: "YAML", "scenarios are TOML: `key = value`, [table], [[vm]]";
    LOADGEN_LOG: "a log of LoadGen",
        "`slicewise calibrate BATCH=FILE --gpu GPU -o my-model.toml` makes a workload from it, \
         given the largest batch of the server; or [[run]] with log = \"FILE\" in a calibration \
         file";
    LOADGEN_CONF: "a configuration of LoadGen",
        "name it in a scenario's load: conf = [\"FILE\"], model = \"bert\"";
    TRITON: "a model configuration of Triton (config.pbtxt)",
        "a scenario reads it with server = { triton_config = \"config.pbtxt\" }";
    MARKUP: "HTML, SVG or XML", "name the scenario file, not its report or chart";
    SCENARIO: "a scenario", "`slicewise run FILE` simulates it";
    PLAN: "a plan: VMs without a share of a card",
        "`slicewise plan FILE` searches layouts of its VMs, and writes them as scenarios";
    CALIBRATION: "a calibration file", "`slicewise calibrate FILE` makes a workload from it";
    WORKLOAD: "a workload of the catalogue",
        "name it in a scenario (workload = \"FILE\"), or add --workload FILE to a command; in DIR/workloads it joins the catalogue of --configs DIR";
    GPU: "a GPU of the catalogue",
        "put it in DIR/gpus, name it in a scenario (gpus = { model = \"its file name\" }) and add --configs DIR";
    HOST: "a host of the catalogue",
        "put it in DIR/hosts, name it in a scenario (host = \"its file name\") and add --configs DIR";
    HYPERVISOR: "a hypervisor of the catalogue",
        "put it in DIR/hypervisors, name it in a scenario (hypervisor = \"its file name\") and add --configs DIR";
    MODEL: "a model of the catalogue",
        "put it in DIR/models, name it in a scenario (llm = { model = \"its file name\" }) and add --configs DIR";
    HARNESS: "a harness of the catalogue",
        "put it in DIR/harnesses: `slicewise validate --configs DIR` knows its benchmarks";
}

/// The kind of a text that is not TOML; nothing where it cannot be recognised.
pub fn not_toml(text: &str) -> Option<Kind> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let first = text.lines().next()?;
    if let Some(kind) = of_tokens(text) {
        return Some(kind);
    }
    if trtexec_log::is_one(text) {
        return Some(TRTEXEC_LOG);
    }
    if probe::is_one(text) {
        return Some(PROBE);
    }
    if text.starts_with('{') || text.starts_with('[') {
        return json(text);
    }
    if text.starts_with('<') {
        return Some(MARKUP);
    }
    if text.contains("MLPerf Results Summary") || first.starts_with(":::MLLOG") {
        return Some(LOADGEN_LOG);
    }
    if has_line(text, |line| is_conf_key(line.split('=').next().unwrap_or("").trim())) {
        return Some(LOADGEN_CONF);
    }
    if has_line(text, |line| {
        let word = line.split([':', ' ', '{', '[']).next().unwrap_or("");
        matches!(word, "max_batch_size" | "dynamic_batching" | "instance_group" | "platform")
            && !line.contains('=')
    }) {
        return Some(TRITON);
    }
    if let Some(kind) = csv(first) {
        return Some(kind);
    }
    yaml(text)
}

/// The kind of a TOML file with these keys at its top; nothing where it cannot be recognised.
pub fn by_keys(keys: &[&str]) -> Option<Kind> {
    let marks = [
        (PLAN, &["plan", "prices"][..]),
        (SCENARIO, &["vm"]),
        (WORKLOAD, &["service", "weights", "workspace_per_sample", "usual_preset"]),
        (CALIBRATION, &["times", "run", "fit"]),
        (GPU, &["sms", "mig_profiles", "vgpu_types"]),
        (HYPERVISOR, &["virtual_gpus", "gpu_speed", "submission_latency"]),
        (HOST, &["logical_processors"]),
        (MODEL, &["config"]),
        (HARNESS, &["harness", "takes", "summary"]),
    ];
    marks
        .into_iter()
        .find(|(_, words)| words.iter().any(|word| keys.contains(word)))
        .map(|(kind, _)| kind)
}

/// Recognises the benchmark of a language model by its words: such files look like others that can
/// be read, but have figures without a counterpart here.
pub fn of_tokens(text: &str) -> Option<Kind> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.contains("MLPerf Results Summary") || text.contains(":::MLLOG") {
        return token_line(text).map(|_| LOADGEN_TOKENS);
    }
    if text.contains("Serving Benchmark Result") {
        return Some(VLLM);
    }
    if !text.starts_with(['{', '[']) {
        let head = text.lines().next()?.to_lowercase();
        let metrics = head.starts_with("metric,") || head.starts_with("metric;");
        let of_tokens = ["time to first token", "inter token latency", "output sequence length"];
        let is_one = metrics && {
            let lower = text.to_lowercase();
            of_tokens.iter().any(|word| lower.contains(word))
        };
        return is_one.then_some(GENAI_PERF);
    }
    let document = document(text)?;
    let Value::Object(members) = first_item(&document) else { return None };
    let has = |key: &str| members.contains_key(key);
    let any = |part: &str| members.keys().any(|key| key.contains(part));
    let of_vllm = has("tokenizer_id")
        || (has("avg_latency") && has("latencies") && has("percentiles"))
        || (has("total_num_tokens") && has("tokens_per_second"));
    let backend = members.get("backend").and_then(Value::as_str).unwrap_or_default();
    Some(match () {
        () if any("ttft") && backend.starts_with("sglang") => SGLANG,
        () if of_vllm || (any("ttft") && has("num_prompts")) => VLLM,
        () if has("time_to_first_token") || has("inter_token_latency") => GENAI_PERF,
        () if has("output_token_throughput") || has("output_sequence_length") => GENAI_PERF,
        () if any("ttft") || any("tpot") || any("tokens_per_sec") => TOKENS,
        () => return None,
    })
}

/// The place of the first line that a LoadGen log has only where a run is judged by tokens.
pub fn token_line(text: &str) -> Option<std::ops::Range<usize>> {
    const MARKS: [&str; 7] = [
        "first token latency",
        "First Token latency",
        "Tokens per second",
        "tokens per second",
        "TTFT Early Stopping",
        "\"result_first_token_",
        "\"result_token_throughput\"",
    ];
    let at = MARKS.iter().filter_map(|mark| text.find(mark)).min()?;
    let start = text[..at].rfind('\n').map_or(0, |before| before + 1);
    let end = text[at..].find('\n').map_or(text.len(), |behind| at + behind);
    Some(start..start + text[start..end].trim_end().len())
}

/// The JSON of a text, or the first of its JSON lines.
fn document(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(text).ok().or_else(|| {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let first = serde_json::from_str(lines.next()?).ok()?;
        let second = lines.next().map(serde_json::from_str::<Value>);
        second.is_some_and(|second| second.is_ok()).then_some(first)
    })
}

fn first_item(document: &Value) -> &Value {
    match document {
        Value::Array(items) => items.first().unwrap_or(document),
        other => other,
    }
}

fn json(text: &str) -> Option<Kind> {
    // A table's head in brackets is TOML; so is nothing that opens with a brace.
    let Some(value) = document(text) else { return text.starts_with('{').then_some(JSON) };
    let item = first_item(&value);
    let has = |key: &str| item.get(key).is_some();
    Some(match () {
        () if has("schema_version") || (has("point") && has("replication")) => RESULTS,
        () if has("latencyMs") || has("computeMs") || has("startComputeMs") => TRTEXEC,
        () if has("experiments") && has("service_kind") => PERF_REQUESTS,
        () if has("mig-configs") || has("apiVersion") => NODE,
        () if has("timestamp") || has("arrival_s") => TRACE_LINES,
        () => JSON,
    })
}

/// By the head of a table with commas, semicolons or tabs.
fn csv(head: &str) -> Option<Kind> {
    if head.contains('=') || !head.contains([',', ';', '\t']) {
        return None;
    }
    let names: Vec<String> = head
        .split([',', ';', '\t'])
        .map(|name| name.trim().trim_matches('"').to_lowercase())
        .collect();
    let is_head = names.iter().all(|name| {
        let inside = |letter: char| letter.is_alphanumeric() || " _-+./%()[]<>@".contains(letter);
        name.chars().all(inside)
    });
    if !is_head {
        return None;
    }
    let has = |name: &str| names.iter().any(|one| one == name);
    let any = |part: &str| names.iter().any(|one| one.contains(part));
    Some(match () {
        () if has("concurrency") || has("request rate") => PERF_ANALYZER,
        () if has("benchmark") && has("scenario") => MEASURED,
        () if has("baseline_kind") || has("replication") || has("capacity_per_s") => OWN_CSV,
        () if has("batch") || has("batch_size") || latency_csv::may_be_head(&names) => BATCH_TIMES,
        () if any("arrival") || any("timestamp") || has("time") => TRACE,
        () => CSV,
    })
}

fn yaml(text: &str) -> Option<Kind> {
    let is_key = |line: &str| {
        let Some((key, rest)) = line.split_once(':') else { return false };
        let name = |letter: char| letter.is_alphanumeric() || "_-./\"'".contains(letter);
        let rest_is_yaml = rest.is_empty() || rest.starts_with([' ', '\t']);
        !key.is_empty() && key.chars().all(name) && rest_is_yaml && !rest.contains(" = ")
    };
    let content = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let first = text.lines().find(content)?;
    if !(is_key(first) || first.starts_with("---")) {
        return None;
    }
    let words = ["mig-configs:", "apiVersion:", "sharing:", "migStrategy:", "vgpu-configs:"];
    let is_node = has_line(text, |line| words.iter().any(|word| line.starts_with(word)));
    Some(if is_node { NODE } else { YAML })
}

/// `*.Server.target_qps`, `bert.*.min_duration`: three parts, the second a scenario or a star.
fn is_conf_key(key: &str) -> bool {
    let parts: Vec<&str> = key.split('.').collect();
    let scenarios = ["*", "Server", "Offline", "SingleStream", "MultiStream", "Interactive"];
    parts.len() >= 3 && parts.iter().rev().nth(1).is_some_and(|part| scenarios.contains(part))
}

fn has_line(text: &str, is_it: impl Fn(&str) -> bool) -> bool {
    text.lines().any(|line| is_it(line.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_look() {
        for (text, kind) in [
            ("{\"schema_version\": 1, \"runs\": []}", RESULTS),
            ("{\"point\": 0, \"replication\": 0}\n{\"point\": 1, \"replication\": 0}\n", RESULTS),
            ("[{\"startH2dMs\": 0, \"computeMs\": 1.5, \"latencyMs\": 2}]", TRTEXEC),
            (
                "{\"timestamp\": 1, \"input_length\": 5}\n{\"timestamp\": 2, \"input_length\": 5}\n",
                TRACE_LINES,
            ),
            ("[01/02/2024-10:00:05] [I] === Performance summary ===\n", TRTEXEC_LOG),
            (
                "{\"experiments\": [], \"version\": \"\", \"service_kind\": \"triton\"}",
                PERF_REQUESTS,
            ),
            ("batch\tlatency_ms\n1\t2,5\n", BATCH_TIMES),
            ("{\n \"date\": \"2026\",\n \"format\": \"slicewise-probe 1\"\n}", PROBE),
            ("[1, 2]", JSON),
            ("{\"a\": 1", JSON),
            ("Concurrency,Inferences/Second,Client Send,p50 latency\n1,2,3,4\n", PERF_ANALYZER),
            ("round,system,benchmark,scenario\nv1.1,a,bert,Server\n", MEASURED),
            ("batch;latency_ms\n1;2,5\n", BATCH_TIMES),
            ("run,side,platform,baseline_kind\n", OWN_CSV),
            ("arrival_s,vm\n0,a\n", TRACE),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n", TRACE),
            ("version: v1\nmig-configs:\n  all-disabled:\n", NODE),
            ("# comment\napiVersion: v1\nkind: ConfigMap\n", NODE),
            ("a: 1\nb: 2\n", YAML),
            (
                "================================================\nMLPerf Results Summary\n",
                LOADGEN_LOG,
            ),
            (":::MLLOG {\"key\": \"x\"}\n", LOADGEN_LOG),
            ("# set\n*.Server.target_qps = 10\n", LOADGEN_CONF),
            ("name: \"m\"\nplatform: \"tensorrt_plan\"\nmax_batch_size: 8\n", TRITON),
            ("<svg xmlns=\"x\">", MARKUP),
        ] {
            assert_eq!(not_toml(text), Some(kind), "{text}");
        }
    }

    #[test]
    fn benchmarks_of_language_models_are_known_by_their_words() {
        for (text, kind) in [
            (
                "{\"date\": \"20250101\", \"backend\": \"vllm\", \"tokenizer_id\": \"m\", \"num_prompts\": 10, \"mean_ttft_ms\": 1.5}",
                VLLM,
            ),
            ("{\"avg_latency\": 1.5, \"latencies\": [1.5], \"percentiles\": {\"50\": 1.5}}", VLLM),
            (
                "{\"elapsed_time\": 9, \"num_requests\": 9, \"total_num_tokens\": 99, \"requests_per_second\": 1, \"tokens_per_second\": 11}",
                VLLM,
            ),
            ("============ Serving Benchmark Result ============\nSuccessful requests: 10\n", VLLM),
            (
                "{\"backend\": \"sglang\", \"mean_ttft_ms\": 1}\n{\"backend\": \"sglang\", \"mean_ttft_ms\": 2}\n",
                SGLANG,
            ),
            (
                "{\"request_latency\": {\"unit\": \"ms\"}, \"time_to_first_token\": {\"unit\": \"ms\"}}",
                GENAI_PERF,
            ),
            ("Metric,avg,min,max,p99\nTime to first token (ms),1,1,1,1\n", GENAI_PERF),
            ("[{\"model\": \"m\", \"ttft_s\": 0.1}]", TOKENS),
            ("MLPerf Results Summary\nCompleted tokens per second: 100\n", LOADGEN_TOKENS),
            (
                ":::MLLOG {\"key\": \"result_first_token_99.00_percentile_latency_ns\", \"value\": 1}\n",
                LOADGEN_TOKENS,
            ),
        ] {
            assert_eq!((of_tokens(text), not_toml(text)), (Some(kind), Some(kind)), "{text}");
        }
        for text in [
            "timestamp_ms,prompt_tokens,output_tokens\n0,1,2\n",
            "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1}\n",
            "MLPerf Results Summary\nCompleted samples per second : 100\n",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n",
        ] {
            assert_eq!(of_tokens(text), None, "{text}");
        }
    }

    #[test]
    fn toml_with_a_slip_is_no_other_format() {
        for text in [
            "",
            "host = dell-r7525\n",
            "[[vm]]\nname = \n",
            "[vm\nname = 1",
            "title = \"a, b: c\"\nhost = [1, 2\n",
            "# a, b\nhost == 1\n",
            "load = { scenario: \"server\", target_qps = 1 }\n",
        ] {
            assert_eq!(not_toml(text), None, "{text}");
        }
    }

    #[test]
    fn toml_files_are_told_by_their_keys() {
        for (keys, kind) in [
            (&["host", "vm"][..], Some(SCENARIO)),
            (&["name", "gpu", "times"], Some(CALIBRATION)),
            (&["name", "service"], Some(WORKLOAD)),
            (&["name", "gpus", "logical_processors"], Some(HOST)),
            (&["name", "gpu_speed"], Some(HYPERVISOR)),
            (&["name", "sms"], Some(GPU)),
            (&["name", "preset", "harness"], Some(HARNESS)),
            (&["name", "config"], Some(MODEL)),
            (&["host", "workload"], None),
        ] {
            assert_eq!(by_keys(keys), kind, "{keys:?}");
        }
    }
}
