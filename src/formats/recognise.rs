//! Which program's file a text is, when it is not what a command reads: so that the answer to a wrong
//! file is the command that takes it.
//!
//! A guess by the look of a text; nothing is read into figures here, and nothing refused.

use serde_json::Value;

/// A kind of file, and where it belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// What the file is, behind "the file is".
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
        "name the scenario file that it was made of; the document itself is for jq and notebooks";
    TRTEXEC: "times that trtexec exported",
        "`slicewise calibrate` takes it: [[times]] with trtexec = \"FILE\" and batch = N in a calibration file";
    JSON: "JSON", "scenarios are TOML; `slicewise schema` prints their JSON Schema";
    PERF_ANALYZER: "a CSV of perf_analyzer",
        "`slicewise calibrate` takes it: [[times]] with perf_analyzer = \"FILE\" and batch = N in a calibration file";
    MEASURED: "a CSV of measured MLPerf runs", "`slicewise validate --data FILE` predicts each row";
    BATCH_TIMES: "a CSV of batch times",
        "`slicewise calibrate --csv FILE --gpu GPU --name NAME` makes a workload of it";
    OWN_CSV: "a CSV that slicewise wrote", "name the scenario file that it was made of";
    TRACE: "a CSV of recorded requests",
        "name it in a scenario's load: arrivals = { trace = \"FILE\" }";
    CSV: "a CSV", "batch times go to `slicewise calibrate --csv FILE`, recorded requests into a load: arrivals = { trace = \"FILE\" }";
    NODE: "a configuration of a Kubernetes node",
        "`slicewise import FILE --gpu GPU` reads it";
    YAML: "YAML", "scenarios are TOML: `key = value`, [table], [[vm]]";
    LOADGEN_LOG: "a log of LoadGen",
        "`slicewise calibrate` takes it: [[run]] with log = \"FILE\" in a calibration file";
    LOADGEN_CONF: "a configuration of LoadGen",
        "name it in a scenario's load: conf = [\"FILE\"], model = \"bert\"";
    TRITON: "a model configuration of Triton (config.pbtxt)",
        "a scenario reads it with server = { triton_config = \"config.pbtxt\" }";
    MARKUP: "HTML, SVG or XML", "name the scenario file, not its report or chart";
    SCENARIO: "a scenario", "`slicewise run FILE` simulates it";
    CALIBRATION: "a calibration file", "`slicewise calibrate FILE` makes a workload of it";
    WORKLOAD: "a workload of the catalogue",
        "put it in DIR/workloads, name it in a scenario (workload = \"its file name\") and add --configs DIR";
    GPU: "a GPU of the catalogue",
        "put it in DIR/gpus, name it in a scenario (gpus = { model = \"its file name\" }) and add --configs DIR";
    HOST: "a host of the catalogue",
        "put it in DIR/hosts, name it in a scenario (host = \"its file name\") and add --configs DIR";
    HYPERVISOR: "a hypervisor of the catalogue",
        "put it in DIR/hypervisors, name it in a scenario (hypervisor = \"its file name\") and add --configs DIR";
}

/// What a text is that is not TOML; nothing where its look says nothing.
pub fn not_toml(text: &str) -> Option<Kind> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let first = text.lines().next()?;
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

/// What a TOML file is that has these keys at its top; nothing where they say nothing.
pub fn by_keys(keys: &[&str]) -> Option<Kind> {
    let marks = [
        (SCENARIO, &["vm"][..]),
        (WORKLOAD, &["service", "weights", "workspace_per_sample", "usual_preset"]),
        (CALIBRATION, &["times", "run", "fit"]),
        (GPU, &["sms", "mig_profiles", "vgpu_types"]),
        (HYPERVISOR, &["virtual_gpus", "gpu_speed", "submission_latency"]),
        (HOST, &["logical_processors"]),
    ];
    marks
        .into_iter()
        .find(|(_, words)| words.iter().any(|word| keys.contains(word)))
        .map(|(kind, _)| kind)
}

fn json(text: &str) -> Option<Kind> {
    // A table's head in brackets is TOML; so is nothing that opens with a brace.
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let value = serde_json::from_str::<Value>(text).ok().or_else(|| {
        // JSON Lines: every line a document.
        let mut documents = lines().map(serde_json::from_str::<Value>);
        let first = documents.next()?.ok()?;
        documents.next().is_some_and(|second| second.is_ok()).then_some(first)
    });
    let Some(value) = value else { return text.starts_with('{').then_some(JSON) };
    let item = match &value {
        Value::Array(items) => items.first().unwrap_or(&value),
        other => other,
    };
    let has = |key: &str| item.get(key).is_some();
    Some(match () {
        () if has("schema_version") || (has("point") && has("replication")) => RESULTS,
        () if has("latencyMs") || has("computeMs") || has("startComputeMs") => TRTEXEC,
        () if has("mig-configs") || has("apiVersion") => NODE,
        () => JSON,
    })
}

/// By the head of a table with commas or semicolons.
fn csv(head: &str) -> Option<Kind> {
    if head.contains('=') || !head.contains([',', ';']) {
        return None;
    }
    let names: Vec<String> = head
        .split([',', ';'])
        .map(|name| name.trim().trim_matches('"').to_ascii_lowercase())
        .collect();
    let is_head = names.iter().all(|name| {
        let inside = |letter: char| letter.is_alphanumeric() || " _-./%()<>@".contains(letter);
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
        () if has("batch") || has("batch_size") => BATCH_TIMES,
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
            (&["host", "workload"], None),
        ] {
            assert_eq!(by_keys(keys), kind, "{keys:?}");
        }
    }
}
