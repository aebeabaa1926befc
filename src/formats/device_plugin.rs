//! The sharing part of the Kubernetes device plugin's configuration: replicas by time slicing or MPS.
//!
//! Flags that do not concern sharing are skipped. Files and ConfigMaps around it are read in
//! `kubernetes`. The format is that of NVIDIA's k8s-device-plugin, `version: v1`
//! (github.com/NVIDIA/k8s-device-plugin, api/config/v1).

use super::Fault;
use super::yaml::{Faults, Node, Value};
use std::ops::Range;

/// One configuration.
#[derive(Clone, PartialEq, Debug)]
pub struct DevicePlugin {
    /// How GPUs with MIG are advertised: `none`, `single`, `mixed`; nothing where the file does not
    /// state it.
    pub mig_strategy: Option<&'static str>,
    /// How GPUs are shared; nothing for whole GPUs.
    pub sharing: Option<Replication>,
}

/// How GPUs are shared.
#[derive(Clone, PartialEq, Debug)]
pub struct Replication {
    /// Time slicing or MPS.
    pub method: Method,
    /// Whether shared resources are called `<name>.shared`.
    pub rename_by_default: bool,
    /// Whether a pod that asks for more than one replica is refused; nothing for the plugin's own
    /// choice, which is to refuse under MPS only.
    pub fail_requests_greater_than_one: Option<bool>,
    /// Which resources are shared, at least one.
    pub resources: Vec<Replicated>,
}

/// A method of sharing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// CUDA time slicing.
    TimeSlicing,
    /// MPS.
    Mps,
}

impl Method {
    const WORDS: [(&'static str, Method); 2] =
        [("timeSlicing", Method::TimeSlicing), ("mps", Method::Mps)];

    /// The key in the file.
    pub fn word(self) -> &'static str {
        let (word, _) = Self::WORDS[usize::from(self == Method::Mps)];
        word
    }
}

/// A resource and its number of replicas.
#[derive(Clone, PartialEq, Debug)]
pub struct Replicated {
    /// Its name, such as `nvidia.com/gpu` or `nvidia.com/mig-1g.5gb`.
    pub name: String,
    /// The place of the name.
    pub span: Range<usize>,
    /// How many for each device, at least 2.
    pub replicas: u32,
}

impl Replicated {
    /// The GPU instance profile of the resource, if it has one, in the spelling of resources: a dot
    /// for a `+`.
    pub fn profile(&self) -> Option<&str> {
        let (_, name) = self.name.split_once('/').unwrap_or(("", &self.name));
        name.strip_prefix("mig-")
    }
}

/// Most replicas that slicewise simulates. The plugin itself has no limit.
pub const REPLICAS_MAX: u32 = 1024;

/// Who passes over what it does not know, in words.
const PLUGIN: &str = "the device plugin";

/// Where keys belong that are often found elsewhere.
const HOMES: [(&str, &str); 5] = [
    ("renameByDefault", "sharing.timeSlicing"),
    ("failRequestsGreaterThanOne", "sharing.timeSlicing"),
    ("timeSlicing", "sharing"),
    ("mps", "sharing"),
    ("migStrategy", "flags"),
];

/// What stands beside `sharing` and says nothing about it.
const FLAGS: [&str; 13] = [
    "failOnInitError",
    "nvidiaDriverRoot",
    "nvidiaDevRoot",
    "gdrcopyEnabled",
    "gdsEnabled",
    "mofedEnabled",
    "useNodeFeatureAPI",
    "deviceDiscoveryStrategy",
    "driverRootCtrPath",
    "mpsRoot",
    "plugin",
    "gfd",
    "sharedDevicesAllocationPolicy",
];

/// Reads one document: its configuration, and the parts that the plugin ignores.
pub(super) fn read(document: &Node) -> Result<(DevicePlugin, Vec<Fault>), Vec<Fault>> {
    let faults = Faults::default();
    let found = configuration(&Value::top(document, &faults));
    faults.finish(found)
}

fn configuration(document: &Value<'_>) -> Option<DevicePlugin> {
    let mut top = document.map()?.in_any_case();
    // Silence means v1, and so does an empty text.
    let version = top.get("version").filter(|version| version.as_text() != Some(""));
    version.and_then(|version| version.word("version", &["v1"]));
    let mig_strategy = match top.get("flags") {
        None => None,
        Some(flags) => {
            let mut flags = flags.map()?.in_any_case();
            let strategy = flags.get("migStrategy");
            FLAGS.iter().for_each(|flag| drop(flags.get(flag)));
            flags.finish_passing_over(PLUGIN, &HOMES);
            strategy.and_then(|value| value.word("migStrategy", &["none", "single", "mixed"]))
        }
    };
    let sharing = top.get("sharing");
    for other in ["resources", "imex"] {
        if let Some(value) = top.get(other) {
            value.doubt("does not concern sharing and is ignored");
        }
    }
    top.finish_passing_over(PLUGIN, &HOMES);
    let sharing = match sharing {
        None => Some(None),
        Some(sharing) => methods(&sharing),
    };
    Some(DevicePlugin { mig_strategy, sharing: sharing? })
}

/// `timeSlicing` or `mps`; both at once exclude each other.
fn methods(value: &Value<'_>) -> Option<Option<Replication>> {
    let mut map = value.map()?.in_any_case();
    let given = Method::WORDS.map(|(word, method)| map.get(word).map(|value| (method, value)));
    map.finish_passing_over(PLUGIN, &HOMES);
    let given: Vec<(Method, Value<'_>)> = given.into_iter().flatten().collect();
    match &given[..] {
        [] => Some(None),
        [(method, value)] => replication(*method, value).map(Some),
        [_, (_, second), ..] => {
            second.wrong(
                "conflicts with `timeSlicing`",
                "one of timeSlicing, mps: they exclude each other",
            );
            None
        }
    }
}

fn replication(method: Method, value: &Value<'_>) -> Option<Replication> {
    let mut map = value.map()?;
    let flag = |value: Option<Value<'_>>| match value {
        None => Some(None),
        Some(value) => value.flag().map(Some),
    };
    let rename = flag(map.get("renameByDefault"));
    let fail = flag(map.get("failRequestsGreaterThanOne"));
    let help = "write resources: with a list of name and replicas";
    let resources = map.need("resources", help).and_then(|value| value.items());
    map.finish_passing_over(PLUGIN, &HOMES);
    let resources: Vec<Option<Replicated>> = resources?.iter().map(replicated).collect();
    Some(Replication {
        method,
        rename_by_default: rename?.unwrap_or(false),
        fail_requests_greater_than_one: fail?,
        resources: resources.into_iter().collect::<Option<_>>()?,
    })
}

fn replicated(value: &Value<'_>) -> Option<Replicated> {
    let mut map = value.map()?;
    let name = map.need("name", "name the resource, such as nvidia.com/gpu");
    let name = name.and_then(|value| Some((value.text()?, value.node.span.clone(), value)));
    let replicas =
        map.need("replicas", "state the number of replicas per GPU, such as replicas: 4");
    let replicas = replicas.and_then(|value| replicas_of(&value));
    for ignored in ["rename", "devices"] {
        if let Some(value) = map.get(ignored) {
            value.doubt(format!("is ignored, as by {PLUGIN}"));
        }
    }
    map.finish_passing_over(PLUGIN, &HOMES);
    let (name, span, at) = name?;
    let (vendor, resource) = name.split_once('/').unwrap_or(("nvidia.com", name));
    if vendor != "nvidia.com" || !(resource == "gpu" || resource.starts_with("mig-")) {
        let title =
            format!("is {}, which is not a resource of the plugin", crate::suggest::quoted(name));
        at.wrong(title, "nvidia.com/gpu, nvidia.com/mig-<profile>");
        return None;
    }
    Some(Replicated { name: format!("{vendor}/{resource}"), span, replicas: replicas? })
}

/// At least 2, as the plugin wants it, and at most what a scenario can hold.
fn replicas_of(value: &Value<'_>) -> Option<u32> {
    let replicas = value.at_least(2, " replicas")?;
    if replicas > REPLICAS_MAX {
        value.doubt(format!(
            "is {replicas}: {PLUGIN} allows it, but slicewise simulates at most {REPLICAS_MAX}"
        ));
    }
    Some(replicas)
}

/// Writes a configuration as the plugin reads it.
pub fn write(configuration: &DevicePlugin) -> String {
    let mut text = String::from("version: v1\n");
    if let Some(strategy) = configuration.mig_strategy {
        text.push_str(&format!("flags:\n  migStrategy: {strategy}\n"));
    }
    if let Some(sharing) = &configuration.sharing {
        text.push_str(&format!("sharing:\n  {}:\n", sharing.method.word()));
        text.push_str(&format!("    renameByDefault: {}\n", sharing.rename_by_default));
        if let Some(fail) = sharing.fail_requests_greater_than_one {
            text.push_str(&format!("    failRequestsGreaterThanOne: {fail}\n"));
        }
        text.push_str("    resources:\n");
        for resource in &sharing.resources {
            text.push_str(&format!("    - name: {}\n", resource.name));
            text.push_str(&format!("      replicas: {}\n", resource.replicas));
        }
    }
    text
}
