//! Files that configure the GPUs of a Kubernetes node, by themselves or inside ConfigMaps, and which
//! of the two formats each is.
//!
//! What a configuration says is read in `mig_parted` and `device_plugin`.

use super::device_plugin::{self, DevicePlugin};
use super::mig_parted::{self, MigConfigs};
use super::yaml::{Faults, Node, Value, documents, outer_span, quoted};
use super::{Fault, recognise};
use std::ops::Range;

/// A configuration of one format.
#[derive(Clone, PartialEq, Debug)]
pub enum Configuration {
    /// Layouts of GPU instances.
    MigParted(MigConfigs),
    /// How the device plugin shares GPUs.
    DevicePlugin(DevicePlugin),
}

/// A configuration and where it was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its key under `data` of a ConfigMap; nothing for a document of its own.
    pub key: Option<String>,
    /// What it says; places are those in the whole file.
    pub configuration: Configuration,
}

/// Reads every configuration of a file, in order; at least one.
pub fn read(text: &str) -> Result<Vec<Entry>, Vec<Fault>> {
    read_as_node(text).map_err(|faults| match recognise::not_toml(text) {
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

fn read_as_node(text: &str) -> Result<Vec<Entry>, Vec<Fault>> {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for document in documents(text)? {
        let read = match is_object(&document) {
            true => read_object(text, &document),
            false => {
                let read = read_document(&document, &|at| line_of(text, at));
                read.map(|configuration| vec![Entry { key: None, configuration }])
            }
        };
        match read {
            Ok(entries) => found.extend(entries),
            Err(all) => faults.extend(all),
        }
    }
    if found.is_empty() && faults.is_empty() {
        let title = "the file holds no configuration of mig-parted or of the device plugin";
        let help = "a ConfigMap has them as text under `data`";
        faults.push(Fault::at(0..0, title).help(help));
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// Whether a document is an object of Kubernetes.
fn is_object(document: &Node) -> bool {
    let faults = Faults::default();
    let map = Value::top(document, &faults).map();
    map.is_some_and(|map| map.has("kind") || map.has("apiVersion"))
}

/// One document by its format, which its keys tell.
fn read_document(
    document: &Node,
    line: device_plugin::Line<'_>,
) -> Result<Configuration, Vec<Fault>> {
    let faults = Faults::default();
    let map = Value::top(document, &faults).map();
    if map.is_some_and(|map| map.has_like("mig-configs")) {
        return mig_parted::read(document).map(Configuration::MigParted);
    }
    device_plugin::read(document, line).map(Configuration::DevicePlugin)
}

/// The configurations of a ConfigMap; none of any other object.
fn read_object(text: &str, object: &Node) -> Result<Vec<Entry>, Vec<Fault>> {
    let faults = Faults::default();
    let data = data_of(&Value::top(object, &faults)).unwrap_or_default();
    let mut found = Vec::new();
    for (key, value) in data {
        match read_value(text, value) {
            Ok(configuration) => found.push(Entry { key: Some(key.to_string()), configuration }),
            Err(all) => all.into_iter().for_each(|fault| faults.push(fault)),
        }
    }
    faults.finish(Some(found))
}

/// The entries of a ConfigMap that are text; none of any other object.
fn data_of<'n>(object: &Value<'n>) -> Option<Vec<(&'n str, &'n Node)>> {
    let mut map = object.map()?;
    let kind = map.need("kind", "write kind: ConfigMap")?.text()?;
    if kind != "ConfigMap" {
        return Some(Vec::new());
    }
    let data = map.need("data", "a ConfigMap has its configurations under `data`")?.map()?;
    let texts = data.all().into_iter().filter(|(_, value)| value.text().is_some());
    Some(texts.map(|(key, value)| (key.text.as_str(), value.node)).collect())
}

/// The configuration that a text inside the file is, its places those in the file.
fn read_value(text: &str, node: &Node) -> Result<Configuration, Vec<Fault>> {
    let inner = node.text().expect("data is text");
    let place = |at: &Range<usize>| outer_span(text, node.span.clone(), inner, at.clone());
    let documents = documents(inner);
    let read = documents.and_then(|documents| match &documents[..] {
        [document] => read_document(document, &|at| line_of(text, place(&at))),
        _ => Err(vec![Fault::at(0..0, "a configuration is one document")]),
    });
    let moved = |fault: Fault| Fault { span: place(&fault.span), ..fault };
    let mut found = read.map_err(|all| all.into_iter().map(moved).collect::<Vec<_>>())?;
    for span in spans(&mut found) {
        *span = place(span);
    }
    Ok(found)
}

/// Every place that a configuration remembers.
fn spans(configuration: &mut Configuration) -> Vec<&mut Range<usize>> {
    match configuration {
        Configuration::MigParted(file) => {
            let mut all = Vec::new();
            for config in &mut file.configs {
                all.push(&mut config.span);
                let instances = config.rules.iter_mut().flat_map(|rule| &mut rule.instances);
                all.extend(instances.map(|instances| &mut instances.span));
            }
            all
        }
        Configuration::DevicePlugin(plugin) => {
            let resources = plugin.sharing.iter_mut().flat_map(|sharing| &mut sharing.resources);
            resources.map(|resource| &mut resource.span).collect()
        }
    }
}

/// The line of a place, from 1.
fn line_of(text: &str, at: Range<usize>) -> usize {
    text.get(..at.start).unwrap_or(text).matches('\n').count() + 1
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
        let [Entry { key, configuration: Configuration::DevicePlugin(plugin) }] =
            &read(&good).unwrap()[..]
        else {
            panic!("one configuration of the device plugin")
        };
        assert_eq!(key.as_deref(), Some("any"));
        let resource = &plugin.sharing.as_ref().unwrap().resources[0];
        assert_eq!(&good[resource.span.clone()], "nvidia.com/gpu");
    }
}
