//! Files that configure the GPUs of a Kubernetes node: by themselves, inside ConfigMaps and lists of
//! them, or inside the values of a helm chart; and which of the formats each is.
//!
//! Configurations are read in `mig_parted`, `device_plugin` and `vgpu_configs`, requests of pods
//! and claims in `gpu_requests`.

use super::device_plugin::{self, DevicePlugin};
use super::gpu_requests::GpuRequests;
use super::mig_parted::{self, MigConfigs};
use super::objects::Messages;
use super::vgpu_configs::{self, VgpuConfigs};
use super::yaml::{Faults, Map, Node, Value, documents, outer_span, quoted};
use super::{Fault, recognise};
use std::ops::Range;

/// A configuration of one format.
#[derive(Clone, PartialEq, Debug)]
pub enum Configuration {
    /// Layouts of GPU instances.
    MigParted(MigConfigs),
    /// How the device plugin shares GPUs.
    DevicePlugin(DevicePlugin),
    /// Sets of vGPUs.
    VgpuManager(VgpuConfigs),
    /// Requests of pods and claims.
    Requests(GpuRequests),
}

/// A configuration and where it was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its key under `data` of a ConfigMap, or in the values of a chart; nothing for a document of
    /// its own.
    pub key: Option<String>,
    /// Its content; places are those in the whole file.
    pub configuration: Configuration,
    /// Doubtful parts, and parts that the program it is for ignores.
    pub warnings: Vec<Fault>,
}

/// The content of a file.
#[derive(Clone, PartialEq, Debug)]
pub struct File {
    /// The configurations, in order; at least one.
    pub entries: Vec<Entry>,
    /// Other parts that were ignored.
    pub warnings: Vec<Fault>,
}

/// Reads every configuration of a file, in order; at least one.
pub fn read(text: &str) -> Result<Vec<Entry>, Vec<Fault>> {
    read_for(text, None).map(|file| file.entries)
}

/// The same, where only one is requested: by its key, or by a layout in it. Faults of the others
/// are then ignored.
pub fn read_for(text: &str, name: Option<&str>) -> Result<File, Vec<Fault>> {
    read_as_node(text, name).map_err(|faults| match recognise::not_toml(text) {
        Some(kind) if ![recognise::NODE, recognise::YAML, recognise::JSON].contains(&kind) => {
            vec![Fault::at(0..0, format!("the file is {}", kind.what)).help(kind.next)]
        }
        None if is_toml(text) => {
            let title = "the file is TOML, and a configuration of a Kubernetes node is YAML";
            vec![
                Fault::at(0..0, title)
                    .help("a scenario goes to `slicewise run`, or to `slicewise export`"),
            ]
        }
        _ => faults,
    })
}

/// Whether a text is TOML with anything in it.
fn is_toml(text: &str) -> bool {
    text.parse::<toml::Table>().is_ok_and(|table| !table.is_empty())
}

/// What was found at one place: a configuration, or what is wrong with it.
struct Found {
    key: Option<String>,
    read: Result<(Configuration, Vec<Fault>), Vec<Fault>>,
}

impl Found {
    /// Whether it goes by this name: as its key, or as a layout in it.
    fn is_called(&self, name: &str) -> bool {
        let has_layout = || match &self.read {
            Ok((Configuration::MigParted(file), _)) => {
                file.configs.iter().any(|config| config.name == name)
            }
            Ok((Configuration::VgpuManager(file), _)) => {
                file.configs.iter().any(|config| config.name == name)
            }
            _ => false,
        };
        self.key.as_deref() == Some(name) || has_layout()
    }
}

fn read_as_node(text: &str, name: Option<&str>) -> Result<File, Vec<Fault>> {
    let mut search = Search::default();
    for document in documents(text)? {
        if !search.document(text, &document) {
            let read = read_document(&document);
            search.found.push(Found { key: None, read });
        }
    }
    let Search { mut found, mut warnings, keys, requests } = search;
    if !requests.is_empty() {
        let read = Ok((Configuration::Requests(requests), Vec::new()));
        found.push(Found { key: None, read });
    }
    if name.is_some_and(|name| found.iter().any(|one| one.is_called(name))) {
        found.retain(|one| one.is_called(name.expect("just seen")));
    }
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for Found { key, read } in found {
        match read {
            Ok((configuration, warnings)) => entries.push(Entry { key, configuration, warnings }),
            Err(all) => faults.extend(all),
        }
    }
    if entries.is_empty() && faults.is_empty() {
        faults.push(nothing(&keys));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    warnings.sort_by_key(|fault| fault.span.start);
    Ok(File { entries, warnings })
}

/// What is said of a file without a configuration.
fn nothing(keys: &[String]) -> Fault {
    let title =
        "the file holds no configuration of mig-parted, the device plugin or vgpu-device-manager";
    let places = "a ConfigMap has them as text under `data`, helm values under `devicePlugin.config.data` or `migManager.config.data`";
    let fault = Fault::at(0..0, title);
    match keys {
        [] => fault.help(places),
        keys => fault.help(format!("{places}; here is {}", keys.join(", "))),
    }
}

/// A search through a file for configurations.
#[derive(Default)]
struct Search {
    found: Vec<Found>,
    /// What was passed over.
    warnings: Vec<Fault>,
    /// The texts that were looked into in vain.
    keys: Vec<String>,
    /// What objects ask for that are no configuration.
    requests: GpuRequests,
}

/// No text inside a text inside a text is looked into deeper: a HelmChart has values, which hold
/// configurations.
const TEXTS_MAX: usize = 3;

impl Search {
    /// Looks through a document; whether it is something else than a configuration of its own.
    fn document(&mut self, text: &str, document: &Node) -> bool {
        let faults = Faults::default();
        let value = Value::top(document, &faults);
        let Some(map) = value.is_map().then(|| value.map()).flatten() else { return false };
        let is_object = map.has("kind") || map.has("apiVersion");
        if !is_object && is_configuration(&map) {
            return false;
        }
        if is_object && map.peek("kind").is_none_or(|kind| kind.as_text().is_none()) {
            let fault = Fault::at(document.span.clone(), "missing value of `kind`");
            let read = Err(vec![fault.help("write kind: ConfigMap")]);
            self.found.push(Found { key: None, read });
            return true;
        }
        self.map(text, &map, 0);
        // A file that is nothing else may be misspelt: what lacks is then said.
        is_object || !self.found.is_empty() || !self.keys.is_empty()
    }

    /// Looks through a map and what lies in it.
    fn map(&mut self, text: &str, map: &Map<'_>, depth: usize) {
        let kind = map.peek("kind").and_then(|kind| kind.as_text());
        if kind == Some("ConfigMap") {
            return self.config_map(text, map, depth);
        }
        let mut told = Messages::default();
        let is_request = self.requests.add(map, &map.span(), &mut told);
        self.warnings.append(&mut told.warnings);
        if !told.faults.is_empty() {
            self.found.push(Found { key: None, read: Err(told.faults) });
            return;
        }
        if is_request {
            return;
        }
        // What kubectl remembers of the last change is no second configuration.
        for (key, value) in map.all().into_iter().filter(|(key, _)| key.text != "metadata") {
            self.value(text, &key.text, &value, depth);
        }
    }

    /// Looks through a value under a key.
    fn value(&mut self, text: &str, key: &str, value: &Value<'_>, depth: usize) {
        if value.is_list() {
            for item in value.list().unwrap_or_default() {
                self.value(text, key, &item, depth);
            }
        } else if value.is_map() {
            let Some(map) = value.map() else { return };
            match is_configuration(&map) {
                true => {
                    let read = read_document(value.node);
                    self.found.push(Found { key: Some(key.to_string()), read });
                }
                false => self.map(text, &map, depth),
            }
        } else if let Some(inner) = value.as_text()
            && depth < TEXTS_MAX
            && inner.contains(['\n', '{'])
        {
            self.text(text, key, value.node, depth);
        }
    }

    /// Looks into a text inside a file; whether it is anything of ours.
    fn text(&mut self, text: &str, key: &str, node: &Node, depth: usize) -> bool {
        let inner = node.text().expect("it is text");
        let mut within = Search::default();
        match documents(inner) {
            Ok(documents) => {
                for document in &documents {
                    let faults = Faults::default();
                    let value = Value::top(document, &faults);
                    if value.is_map() || value.is_list() {
                        within.value(inner, key, &value, depth + 1);
                    }
                }
                if documents.len() > 1
                    && within.found.iter().any(|one| one.key.as_deref() == Some(key))
                {
                    let fault = Fault::at(0..0, "a configuration is one document");
                    within.found =
                        vec![Found { key: Some(key.to_string()), read: Err(vec![fault]) }];
                }
            }
            Err(faults) if looks_like_one(inner) => {
                within.found.push(Found { key: Some(key.to_string()), read: Err(faults) });
            }
            Err(_) => {}
        }
        let is_ours = !within.found.is_empty();
        let place = |at: &Range<usize>| outer_span(text, node.span.clone(), inner, at.clone());
        self.found.extend(within.found.into_iter().map(|one| moved(one, &place)));
        let warnings = within.warnings.into_iter();
        self.warnings.extend(warnings.map(|fault| Fault { span: place(&fault.span), ..fault }));
        self.keys.extend(within.keys);
        is_ours
    }

    /// Looks into every text of a ConfigMap.
    fn config_map(&mut self, text: &str, map: &Map<'_>, depth: usize) {
        let faults = Faults::default();
        let Some(data) = map.peek("data").filter(|data| !data.is_null()) else {
            let fault = Fault::at(map.span(), "the ConfigMap has no `data`");
            let read = Err(vec![fault.help("a ConfigMap has its configurations under `data`")]);
            return self.found.push(Found { key: None, read });
        };
        let Some(entries) = Value { faults: &faults, ..data.clone() }.map() else {
            let read = Err(faults.finish::<()>(None).unwrap_err());
            return self.found.push(Found { key: None, read });
        };
        for (key, value) in entries.all() {
            if value.text().is_none() {
                let read = Err(faults.finish::<()>(None).unwrap_err());
                self.found.push(Found { key: Some(key.text.clone()), read });
            } else if !self.text(text, &key.text, value.node, depth) {
                let shown = format!("data.{}", key.text);
                let title = format!("`{shown}` is not a configuration of a node's GPUs: ignored");
                self.warnings.push(Fault::at(key.span.clone(), title));
                self.keys.push(format!("`{shown}`, which is not one"));
            }
        }
    }
}

/// Whether a map is a configuration, if perhaps a misspelt one.
fn is_configuration(map: &Map<'_>) -> bool {
    let has = |key: &str, inside: [&'static str; 2]| {
        let value = map.peek(key).filter(|value| value.is_map());
        let within = value.and_then(|value| value.map());
        within.is_some_and(|within| inside.iter().any(|key| within.has_like(key)))
    };
    let version = map.peek("version").and_then(|version| version.as_text());
    map.has_like("mig-configs")
        || map.has_like("vgpu-configs")
        || version == Some("v1")
        || has("sharing", ["timeSlicing", "mps"])
        || has("flags", ["migStrategy", "failOnInitError"])
}

/// Whether a text that is not even YAML is meant as a configuration.
fn looks_like_one(text: &str) -> bool {
    ["mig-configs", "vgpu-configs", "timeSlicing", "migStrategy"]
        .iter()
        .any(|word| text.contains(word))
}

/// One document by its format, which its keys tell.
fn read_document(document: &Node) -> Result<(Configuration, Vec<Fault>), Vec<Fault>> {
    let faults = Faults::default();
    let map = Value::top(document, &faults).map();
    // Three letters apart: the exact key decides before one that is like it.
    let has = |key: &str| map.as_ref().is_some_and(|map| map.has(key));
    let has_like = |key| map.as_ref().is_some_and(|map| map.has_like(key));
    if has("vgpu-configs") || (has_like("vgpu-configs") && !has_like("mig-configs")) {
        let read = vgpu_configs::read(document);
        return read.map(|(file, warnings)| (Configuration::VgpuManager(file), warnings));
    }
    if has_like("mig-configs") {
        let read = mig_parted::read(document);
        return read.map(|(file, warnings)| (Configuration::MigParted(file), warnings));
    }
    let read = device_plugin::read(document);
    read.map(|(plugin, warnings)| (Configuration::DevicePlugin(plugin), warnings))
}

/// What was found in a text inside a file, its places those in the file.
fn moved(mut found: Found, place: &dyn Fn(&Range<usize>) -> Range<usize>) -> Found {
    let faults = match &mut found.read {
        Ok((configuration, warnings)) => {
            for span in spans(configuration) {
                *span = place(span);
            }
            warnings
        }
        Err(faults) => faults,
    };
    for fault in faults {
        fault.span = place(&fault.span);
    }
    found
}

/// Every place that a configuration remembers.
fn spans(configuration: &mut Configuration) -> Vec<&mut Range<usize>> {
    match configuration {
        Configuration::MigParted(file) => {
            let mut all = Vec::new();
            for config in &mut file.configs {
                all.push(&mut config.span);
                for rule in &mut config.rules {
                    all.push(&mut rule.span);
                    all.extend(rule.instances.iter_mut().map(|instances| &mut instances.span));
                }
            }
            all
        }
        Configuration::Requests(requests) => {
            let claims = requests.claims.iter_mut().map(|claim| &mut claim.span);
            claims.chain(requests.containers.iter_mut().map(|one| &mut one.span)).collect()
        }
        Configuration::VgpuManager(file) => {
            let mut all = Vec::new();
            for config in &mut file.configs {
                all.push(&mut config.span);
                let vgpus = config.rules.iter_mut().flat_map(|rule| &mut rule.vgpus);
                all.extend(vgpus.map(|vgpus| &mut vgpus.span));
            }
            all
        }
        Configuration::DevicePlugin(plugin) => {
            let resources = plugin.sharing.iter_mut().flat_map(|sharing| &mut sharing.resources);
            resources.map(|resource| &mut resource.span).collect()
        }
    }
}

/// Writes a ConfigMap of this name that holds a configuration, as text, under a key.
pub fn write_config_map(name: &str, key: &str, configuration: &str) -> String {
    let (name, key) = (quoted(name), quoted(key));
    let mut text =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  {key}: |\n");
    for line in configuration.lines() {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata:\n  any: |-\n    version: v1\n\n    sharing:\n      timeSlicing:\n        resources:\n        - name: nvidia.com/gpu\n          replicas: 1\n";

    #[test]
    fn places_inside_a_config_map_are_those_of_the_file() {
        let faults = read(FILE).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(&FILE[faults[0].span.clone()], "1");
        assert_eq!(faults[0].span.start, FILE.len() - 2);
        let good = FILE.replace("replicas: 1", "replicas: 4");
        let [Entry { key, configuration: Configuration::DevicePlugin(plugin), .. }] =
            &read(&good).unwrap()[..]
        else {
            panic!("one configuration of the device plugin")
        };
        assert_eq!(key.as_deref(), Some("any"));
        let resource = &plugin.sharing.as_ref().unwrap().resources[0];
        assert_eq!(&good[resource.span.clone()], "nvidia.com/gpu");
    }
}
