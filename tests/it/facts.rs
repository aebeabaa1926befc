//! One list of facts: every fact of the catalogue stands in it, and every one that nobody measured is in
//! use, and so named by results, in a scenario that leans on it.
//!
//! What the facts do is tested elsewhere.

use crate::cli::check;
use slicewise::config::{Catalogue, LoadOptions, load, workload_of_text};
use slicewise::report::workload_file;
use slicewise::spec::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What no scenario uses, and why.
const USED_BY_NO_RUN: [(&str, &str); 5] = [
    (
        "memory_bandwidth",
        "scaled service times go by it, and `scaled.work` says what they take of it",
    ),
    ("tensor_fp16_tflops", "as the bandwidth"),
    ("tensor_int8_tops", "as the bandwidth"),
    ("compute_capability", "as the bandwidth"),
    ("slice.neighbour_watts_per_sm", "of rows of `validate` that do not name their neighbours"),
];

/// Whether a fact can be in use at all.
fn is_used(catalogue: &Catalogue, id: &str, fact: &NamedFact<'_>) -> bool {
    let gpu = catalogue.gpu(id);
    let draws =
        |workload: &Workload| workload.service.values().any(|one| one.watts_per_sm.is_some());
    match fact.key {
        // No limit lowers the clock of a card of which nobody knows what it draws when idle.
        "power_cap_w" => gpu.is_some_and(|gpu| gpu.power_idle_w.is_some()),
        // Only vGPUs take turns at these.
        "switch_cost" | "time_slice_best_effort" => {
            gpu.is_some_and(|gpu| gpu.vgpu_types.iter().any(VgpuType::is_time_sliced))
        }
        "energy_once" => catalogue.workload(id).is_some_and(draws),
        // A clock that is no faster after a rest.
        "boost" => fact.value.text() != "1",
        key => USED_BY_NO_RUN.iter().all(|(known, _)| *known != key),
    }
}

/// Every fact of a workload with where it stands.
fn facts_of(workload: &Workload) -> Vec<(String, NamedFact<'_>)> {
    let place = format!("workloads/{}", workload.id);
    let own = workload.facts().into_iter().map(|fact| (format!("{place} {}", fact.key), fact));
    let services = workload.service.iter().flat_map(|(gpu, service)| {
        let place = format!("{place} on {gpu}");
        service.facts().into_iter().map(move |fact| (format!("{place} {}", fact.key), fact))
    });
    own.chain(services).collect()
}

/// A scenario of one GPU of a model: keys of the host, and of the VM.
fn scenario(gpu: &str, workload: &str, (of_host, of_vm): (&str, &str)) -> String {
    format!(
        "{of_host}\n[[vm]]\nvcpus = 4\nworkload = \"{workload}\"\nscaled_from = \"auto\"\n{of_vm}\nload = {{ scenario = \"server\", target_qps = 1, min_duration = \"1 s\", rules = \"none\" }}\n[power]\nempty_hosts = \"standby\"\n"
    )
    .replace("GPU", gpu)
}

/// Every way to have a GPU of a model.
fn ways(gpu: &GpuSpec) -> Vec<(String, String)> {
    const HOST: &str = "host = { logical_processors = 64, memory = \"512 GB\" }\ngpus = { model = \"GPU\", count = 1 }";
    const SERVER: &str =
        "server = { preset = \"mlperf-bert\", batch_max = 1, streams = 1, launches = \"graph\" }";
    let with = |host: &str, vm: String| (host.to_string(), vm);
    let mut ways = vec![
        with(HOST, format!("gpus = 1\n{SERVER}")),
        with(HOST, "gpus = 1\nserver = { preset = \"triton\", batch_max = 1 }".to_string()),
        with(HOST, format!("count = 2\nprocess = \"time-slicing\"\n{SERVER}")),
        with(
            HOST,
            format!(
                "count = 2\nprocess = {{ sharing = \"mps\", active_threads = \"50 %\" }}\n{SERVER}"
            ),
        ),
    ];
    let profile =
        gpu.mig_profiles.iter().find(|one| one.sms.is_some() && one.frame_buffer.is_some());
    ways.extend(profile.map(|one| with(HOST, format!("mig = \"{}\"\n{SERVER}", one.name))));
    if gpu.power_idle_w.is_some() {
        let limit = format!("count = 1, power_limit = \"{} W\"", gpu.power_cap_w.value * 0.9);
        ways.push(with(&HOST.replace("count = 1", &limit), format!("gpus = 1\n{SERVER}")));
    }
    let sliced = |one: &&VgpuType| one.is_time_sliced() && one.max_per_gpu >= 2;
    if let Some(vgpu) = gpu.vgpu_types.iter().find(sliced) {
        let host = format!("hypervisor = \"vsphere-9.0\"\n{HOST}");
        ways.push((host, format!("count = 2\nvgpu = {{ type = \"{}\" }}\n{SERVER}", vgpu.name)));
    }
    ways
}

/// What the runs of a scenario lean on, by place.
fn in_use(options: &LoadOptions, folder: &Path, text: &str) -> BTreeMap<String, Standing> {
    let file = folder.join("one.toml");
    fs::write(&file, text).unwrap();
    let scenario = load(&file, options).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let runs = scenario.pairs.iter().flat_map(Pair::runs);
    let facts = runs.flat_map(|run| run.experiment.facts_in_use());
    facts.map(|(place, fact)| (place, fact.standing)).collect()
}

fn is_open(standing: Standing) -> bool {
    matches!(standing, Standing::Fitted | Standing::Assumed)
}

#[test]
fn every_number_that_nobody_measured_is_named_where_it_is_used() {
    let catalogue = Catalogue::load(None).unwrap();
    let options = LoadOptions::new(catalogue.clone());
    let folder = tempfile::tempdir().unwrap();
    let mut named = BTreeMap::new();
    let mut asked = 0;
    let mut ask = |text: String| {
        asked += 1;
        named.extend(in_use(&options, folder.path(), &text));
    };
    for gpu in catalogue.gpus() {
        let known = catalogue.workloads_on(&gpu.id);
        let workloads = if known.is_empty() { vec!["bert-99"] } else { known };
        for (workload, (of_host, of_vm)) in workloads
            .iter()
            .flat_map(|workload| ways(gpu).into_iter().map(move |way| (workload, way)))
        {
            ask(scenario(&gpu.id, workload, (&of_host, &of_vm)));
        }
    }
    let mut wanted: Vec<String> = Vec::new();
    for entry in catalogue.list() {
        let whole = "gpus = 1\nserver = { batch_max = 1 }";
        match entry.kind {
            "host" => ask(scenario("", "resnet50", (&format!("host = \"{}\"", entry.id), whole))),
            "hypervisor" if entry.id != "bare-metal" => {
                let host = format!("host = \"dell-r7525\"\nhypervisor = \"{}\"", entry.id);
                let vm = match catalogue.hypervisor(&entry.id).unwrap().virtual_gpus {
                    true => whole.replace("gpus = 1", "vgpu = { type = \"A100-40C\" }"),
                    false => whole.to_string(),
                };
                ask(scenario("", "bert-99", (&host, &vm)));
            }
            _ => {}
        }
        let mut want = |facts: Vec<(String, NamedFact<'_>)>| {
            let open = facts.into_iter().filter(|(_, fact)| is_open(fact.standing));
            let used = open.filter(|(_, fact)| is_used(&catalogue, &entry.id, fact));
            wanted.extend(used.map(|(place, _)| place));
        };
        match entry.kind {
            "gpu" => {
                let facts = catalogue.gpu(&entry.id).unwrap().facts().into_iter();
                want(facts.map(|fact| (format!("gpus/{} {}", entry.id, fact.key), fact)).collect());
            }
            "workload" => want(facts_of(catalogue.workload(&entry.id).unwrap())),
            "hypervisor" => {
                let facts = catalogue.hypervisor(&entry.id).unwrap().facts().into_iter();
                let place = |key| format!("hypervisors/{} {key}", entry.id);
                want(facts.map(|fact| (place(fact.key), fact)).collect());
            }
            "host" => {
                let file: toml::Table = catalogue.show(&entry.id).unwrap().parse().unwrap();
                let facts = written(&file).into_iter().filter(|(_, standing)| is_open(*standing));
                wanted.extend(facts.map(|(key, _)| format!("hosts/{} {key}", entry.id)));
            }
            // What `validate` knows of a harness is in no run.
            _ => {}
        }
    }
    assert!(asked > 300 && wanted.len() > 500, "{asked} scenarios, {} facts", wanted.len());
    let missing: Vec<_> = wanted.iter().filter(|place| !named.contains_key(*place)).collect();
    assert!(missing.is_empty(), "named by no scenario: {missing:#?}");
    for (key, why) in USED_BY_NO_RUN {
        let mut places = named.keys();
        assert!(!places.any(|place| place.ends_with(&format!(" {key}"))), "{key} is named: {why}");
    }
}

/// The facts that a file of the catalogue writes, by key, with their standing; no lists, which are in no
/// list of facts.
fn written(file: &toml::Table) -> BTreeMap<String, Standing> {
    const LISTS: [&str; 2] = ["mig_profiles", "pci_ids"];
    let mut found = BTreeMap::new();
    let mut tables: Vec<(String, &toml::Table)> = vec![(String::new(), file)];
    while let Some((above, table)) = tables.pop() {
        if let Some(word) = table.get("standing").and_then(toml::Value::as_str) {
            let (_, standing) = Standing::ALL.iter().find(|(known, _)| *known == word).unwrap();
            found.insert(above.clone(), *standing);
        }
        for (key, value) in table {
            let is_list = LISTS.contains(&&**key) || key.contains("vgpu_types");
            if let (Some(table), false) = (value.as_table(), is_list) {
                let dot = if above.is_empty() { "" } else { "." };
                tables.push((format!("{above}{dot}{key}"), table));
            }
        }
    }
    found
}

#[test]
fn the_list_has_what_files_write() {
    let catalogue = Catalogue::load(None).unwrap();
    for entry in catalogue.list() {
        let id = &entry.id;
        let listed: Vec<(String, NamedFact<'_>)> = match entry.kind {
            "gpu" => plain(catalogue.gpu(id).unwrap().facts()),
            "hypervisor" => plain(catalogue.hypervisor(id).unwrap().facts()),
            "workload" => {
                let workload = catalogue.workload(id).unwrap();
                let services = workload.service.iter().flat_map(|(gpu, service)| {
                    let facts = service.facts().into_iter();
                    facts.map(move |fact| (format!("service.{gpu}.{}", fact.key), fact))
                });
                plain(workload.facts()).into_iter().chain(services).collect()
            }
            _ => continue,
        };
        let file = catalogue.show(&format!("{}s/{id}", entry.kind)).unwrap();
        let mut in_file = written(&file.parse().unwrap());
        // Rates of an LLM's steps are facts of a run that serves one.
        in_file.retain(|key, _| !key.starts_with("llm."));
        let by_key: BTreeMap<_, _> =
            listed.iter().map(|(key, fact)| (key.clone(), fact.standing)).collect();
        for (key, standing) in &in_file {
            assert_eq!(by_key.get(key), Some(standing), "{id} {key}");
        }
        // What the file leaves out is assumed.
        for (key, standing) in by_key.iter().filter(|(key, _)| !in_file.contains_key(*key)) {
            assert_eq!(*standing, Standing::Assumed, "{id} {key}");
        }
    }
}

fn plain(facts: Vec<NamedFact<'_>>) -> Vec<(String, NamedFact<'_>)> {
    facts.into_iter().map(|fact| (fact.key.to_string(), fact)).collect()
}

/// All of a fact, as text.
fn whole(fact: &NamedFact<'_>) -> String {
    let range = fact.range.map(|ends| ends.map(|end| end.text()));
    let NamedFact { key, value, source, standing, fitted_on, residual, .. } = fact;
    format!("{key}: {} {range:?} {source} {standing:?} {fitted_on:?} {residual:?}", value.keys())
}

#[test]
fn a_workload_file_says_the_whole_list() {
    let catalogue = Catalogue::load(None).unwrap();
    for id in catalogue.workload_ids() {
        let workload = catalogue.workload(id).unwrap();
        let text = workload_file(workload, "mlperf-bert", &[]);
        let again =
            workload_of_text(id, &text, &catalogue).unwrap_or_else(|error| panic!("{error}"));
        let all = |workload: &Workload| -> Vec<String> {
            facts_of(workload)
                .iter()
                .map(|(place, fact)| format!("{place} {}", whole(fact)))
                .collect()
        };
        assert_eq!(all(workload), all(&again), "{id}");
    }
}

/// The list as a file, read back: the reader asks for every key, and for it alone.
#[test]
fn a_file_of_the_list_reads_back_as_the_list() {
    let catalogue = Catalogue::load(None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |facts: &[NamedFact<'_>], more: &str| {
        let mut text = format!("name = \"Mine\"\n{more}\n");
        for fact in facts {
            let quoted = |text: &str| toml::Value::String(text.to_string()).to_string();
            let range = fact.range.map(|ends| ends.map(|end| end.text()).join(", "));
            let range = range.map_or(String::new(), |range| format!(", range = [{range}]"));
            let rows: Vec<_> = fact.fitted_on.iter().map(|row| quoted(row)).collect();
            let rows = match rows.is_empty() {
                true => String::new(),
                false => format!(", fitted_on = [{}]", rows.join(", ")),
            };
            text += &format!(
                "{} = {{ {}{range}, source = {}, standing = \"{}\"{rows} }}\n",
                fact.key,
                fact.value.keys(),
                quoted(fact.source),
                fact.standing.word()
            );
        }
        text
    };
    let read = |kind: &str, text: String| {
        let path = folder.path().join(kind);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("mine.toml"), &text).unwrap();
        Catalogue::load(Some(folder.path())).unwrap_or_else(|error| panic!("{error}\n{text}"))
    };
    let all = |facts: &[NamedFact<'_>]| facts.iter().map(whole).collect::<Vec<_>>();
    for gpu in catalogue.gpus() {
        let again = read("gpus", file(&gpu.facts(), ""));
        assert_eq!(all(&gpu.facts()), all(&again.gpu("mine").unwrap().facts()), "{}", gpu.id);
    }
    for id in catalogue.hypervisor_ids() {
        let facts = catalogue.hypervisor(id).unwrap().facts();
        let again = read("hypervisors", file(&facts, "virtual_gpus = true"));
        assert_eq!(all(&facts), all(&again.hypervisor("mine").unwrap().facts()), "{id}");
    }
}

/// What the document of a run lists is what its experiments say is in use.
#[test]
fn results_list_what_is_in_use() {
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let gpu = options.catalogue.gpu("a30").unwrap();
    for way in ways(gpu) {
        let text = scenario("a30", "bert-99", (&way.0, &way.1));
        let facts = in_use(&options, folder.path(), &text).into_iter();
        let named: BTreeSet<String> = facts
            .filter(|(_, standing)| is_open(*standing) || *standing == Standing::Yours)
            .map(|(place, _)| place)
            .collect();
        let file = folder.path().join("one.toml");
        let out = folder.path().join("out");
        let arguments = ["run", file.to_str().unwrap(), "--json", "--out", out.to_str().unwrap()];
        let document: serde_json::Value = serde_json::from_str(&check(&arguments, 0).0).unwrap();
        let listed = document["leans_on"].as_array().unwrap().iter();
        let listed: BTreeSet<String> =
            listed.map(|one| one["fact"].as_str().unwrap().to_string()).collect();
        assert_eq!(named, listed, "{text}");
    }
}
