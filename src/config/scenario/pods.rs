//! `pods` and `[[vm.pod]]`: a VM that is a Kubernetes node, whose pods share what it has of a card by
//! CUDA time slicing or MPS, as NVIDIA's device plugin does it.
//!
//! Whether they fit on the GPU together is checked in `rules`.

use super::holding::{Holding, MODES, Mode};
use super::pod_sharing::{Limits, OF_TURNS, Pods};
use super::served::{self, Known, Model, name_in, tables};
use super::sharing_keys::{switch_shape, switch_times};
use super::{cards, processes};
use crate::config::keys::forms::{choice, count, own, within};
use crate::config::keys::keys;
use crate::config::keys::shape::{Shape, either, word_of};
use crate::config::text::{Diagnostic, Reader, Value};
use crate::spec::{CutSlice, Fact, SwitchTimes, container_overhead};
use crate::suggest::quoted;
use crate::units::{Share, SimDuration, counted};

/// Most entries of `[[vm.pod]]`, and most pods that a node is told to have.
pub(crate) const PODS_MAX: usize = 16;
pub(crate) const COPIES_MAX: u32 = 64;

/// The longest name of a pod that Kubernetes takes.
const NAME_MAX: usize = 253;

/// Most replicas of a GPU.
const REPLICAS_MAX: u32 = 1024;

/// The device plugin's way in VMs, and what of it is documented.
const SOURCE: &str = "NVIDIA GPU Operator, \"Multi-Process Service in Kubernetes\", limitations; k8s-device-plugin, README";

const CUTS: [(&str, CutSlice); 2] =
    [(CutSlice::Resumes.word(), CutSlice::Resumes), (CutSlice::Ends.word(), CutSlice::Ends)];

keys! {
    /// The keys of `pods`.
    pub(crate) struct PodsKeys {
        /// How its pods share the node's GPU: in turns (CUDA time slicing), or side by side (MPS).
        sharing: Mode = choice("way to share a GPU between pods", MODES), needed "write sharing = \"time-slicing\" or \"mps\"";
        /// Replicas that the device plugin advertises of the GPU; a pod takes one. Under MPS each
        /// pod is held to its part of the threads and of the memory, as the plugin's daemon does it.
        replicas: u32 = count(1..=REPLICAS_MAX, " replicas"), or "as many as there are pods, without limits";
        /// Time slicing: length of a pod's turn within its VM's time.
        slice: SimDuration = within("0.1 ms to 30 ms"), or "the GPU's, between processes";
        /// Time slicing: time to pass the GPU from pod to pod, in one number or in its parts, as in
        /// `sharing`.
        switch_cost: SwitchTimes = own(switch_times, switch_shape), or "the GPU's, between processes";
        /// Time slicing: what becomes of a pod's slice when its VM's turn ends within it.
        cut_slice: CutSlice = choice("rule for a cut slice", CUTS), default CutSlice::Resumes;
        /// What a container adds to the CPU work around a batch.
        container_overhead: Share = within("0 % to 100 %"), or "0 %, with 5 % in the intervals";
    }
}

/// The shape of `pods`.
pub(crate) fn shape() -> Shape {
    either([word_of(&MODES), PodsKeys::shape()])
}

/// Whether a VM is a node with pods.
pub(super) fn are_in(table: &mut Reader<'_>) -> bool {
    // Both are asked for, so that a list of the keys that a VM has names them.
    ["pods", "pod"].map(|key| table.get(key).is_some()).contains(&true)
}

/// The pods of a VM, at least one, with how they share it. `held` is what it has of the cards.
pub(super) fn read(
    table: &mut Reader<'_>,
    known: Known<'_>,
    held: Option<(u32, &Holding)>,
    copies: u32,
) -> Option<(Pods, Vec<Model>)> {
    let conflicts = ["workload", "server", "load", "model", "ensemble", "model_repository"];
    let mut is_alone = true;
    for key in conflicts.into_iter().filter(|key| table.has(key)).collect::<Vec<_>>() {
        let Some(value) = table.get(key) else { continue };
        let help = match key {
            "workload" | "server" | "load" => format!("write `{key}` in each [[vm.pod]]"),
            _ => "a pod has one model: write a [[vm.pod]] for each".to_string(),
        };
        value.report(value.wrong("conflicts with the pods of the VM").help(help));
        is_alone = false;
    }
    let help = "say how the pods of the VM share its GPU: pods = \"time-slicing\", or \"mps\"";
    let how = table.need("pods", help);
    let pods = how.as_ref().and_then(|value| read_sharing(value));
    let help = "write [[vm.pod]] with a name, a workload and [vm.pod.load]";
    let given = table.need("pod", help)?;
    let under_mps = pods.as_ref().filter(|pods| pods.mode == Mode::Mps);
    let has_one_gpu = held.is_none_or(|held| may_have_pods(table, held, under_mps));
    let items = tables(&given, "pod", PODS_MAX)?;
    let written = items.len();
    let mut made: Vec<Model> = Vec::new();
    let (mut limits, mut read) = (Vec::new(), 0);
    for item in items {
        item.problems.answers.begins_model();
        let Some(mut own) = item.table() else { continue };
        let found = read_pod(&mut own, pods.as_ref(), known, copies);
        let spot = own.spot_of("name");
        own.finish();
        let Some((all, limit, group)) = found else { continue };
        for pod in all {
            if made.iter().any(|other| other.name == pod.name) {
                let name = pod.name.as_deref().unwrap_or_default();
                let title = format!("two pods of the VM are named {}", quoted(name));
                let diagnostic = Diagnostic::at(&spot, title);
                table.report(diagnostic.help("give each pod its own name"));
            }
            made.push(pod);
            limits.push((limit, group.clone()));
        }
        read += 1;
    }
    let pods = Pods { limits, ..pods? };
    let value = how?;
    let count = made.len() as u32;
    if let Some(replicas) = pods.replicas.filter(|replicas| *replicas < count) {
        let title = format!("{} for {count} pods", counted(replicas, "replica"));
        let found = Diagnostic::at(&pods.spot, title).allowed(format!("at least {count} replicas"));
        let help = "a pod takes one replica, and one without waits for ever (Pending): write more \
            replicas, or fewer pods";
        value.report(found.help(help));
        return None;
    }
    (read == written && is_alone && has_one_gpu).then_some((pods, made))
}

/// `pods = "mps"`, or a table.
fn read_sharing(value: &Value<'_>) -> Option<Pods> {
    let keys = match value.is_text() {
        true => {
            let mode = value.choice("way to share a GPU between pods", &MODES);
            PodsKeys { sharing: Some(mode?), ..PodsKeys::default() }
        }
        false => {
            let mut table = value.table()?;
            let keys = PodsKeys::given(&mut table);
            if keys.sharing == Some(Mode::Mps) {
                for key in OF_TURNS {
                    if let Some(value) = table.get(key) {
                        let found = value.wrong("has no meaning under MPS");
                        value.report(found.help("drop the key: MPS has no turns"));
                    }
                }
            }
            table.finish();
            keys
        }
    };
    let overhead = keys.container_overhead.map_or_else(container_overhead, Fact::yours);
    Some(Pods {
        mode: keys.sharing?,
        replicas: keys.replicas,
        slice: keys.slice,
        switch: keys.switch_cost,
        cut: keys.cut_slice,
        overhead,
        limits: Vec::new(),
        spot: value.spot(),
    })
}

/// Pods of one entry, with what MPS holds each to.
fn read_pod(
    own: &mut Reader<'_>,
    pods: Option<&Pods>,
    known: Known<'_>,
    copies: u32,
) -> Option<(Vec<Model>, Limits, String)> {
    let name = name_in(own, "the pod", "web");
    let name = name.filter(|name| is_pod_name(name) || refuse_name(own, name));
    let count = own.get("count").map(|value| value.count(1..=COPIES_MAX, " pods"));
    let limits = processes::limits(own, pods.map(|pods| pods.mode));
    let all = count.flatten().unwrap_or(1);
    let model = served::read_one(own, true, known, (Some(1), copies * all), None);
    let ((sms, memory), name, model) = (limits?, name?, model?);
    let is_one = count.is_none();
    if count.is_some_and(|count| count.is_none()) {
        return None;
    }
    let pod = |number: u32| {
        let mut load = model.load.clone();
        cards::deal_trace(&mut load, number, all);
        Model {
            name: Some(if is_one { name.clone() } else { format!("{name}-{number}") }),
            workload: model.workload.clone(),
            server: model.server.clone(),
            load,
            steps: Vec::new(),
            spots: model.spots.clone(),
        }
    };
    Some(((1..=all).map(pod).collect(), Limits { sms, memory }, name.clone()))
}

/// Whether Kubernetes takes it as the name of a pod (RFC 1123; Kubernetes documentation, "Object Names and IDs").
fn is_pod_name(name: &str) -> bool {
    let inner = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-' | '.');
    let end = |letter: char| inner(letter) && !"-.".contains(letter);
    name.len() <= NAME_MAX
        && name.chars().all(inner)
        && name.starts_with(end)
        && name.ends_with(end)
}

fn refuse_name(own: &Reader<'_>, name: &str) -> bool {
    let title = format!("{} is no name of a pod", quoted(name));
    let allowed = format!(
        "lower-case letters, digits, - and ., a letter or digit first and last; at most {NAME_MAX} of them"
    );
    own.report(Diagnostic::at(&own.spot_of("name"), title).allowed(allowed));
    false
}

/// Whether what a VM has of the cards may be shared by pods: it is one GPU.
fn may_have_pods(
    table: &Reader<'_>,
    (cards, holding): (u32, &Holding),
    under_mps: Option<&Pods>,
) -> bool {
    let spot = table.spot_of("pods");
    if let Holding::Process(_) = holding {
        let title = "`pods` within a `process`, which is a pod itself";
        let help = "write gpus = 1 or a vgpu for the node, or drop `pods`";
        table.report(Diagnostic::at(&spot, title).help(help));
        return false;
    }
    if matches!(holding, Holding::Instance(..))
        && under_mps.is_some_and(|pods| pods.replicas.is_some())
    {
        let title = "replicas of a MIG device under MPS";
        let diagnostic = Diagnostic::at(&spot, title).allowed("sharing = \"time-slicing\"");
        let help = "the device plugin shares no MIG devices by MPS; NVIDIA's DRA driver does, with \
            limits of each pod's own: drop `replicas`, or share by time slicing";
        table.report(diagnostic.help(help).note("source", SOURCE));
        return false;
    }
    if cards != 1 {
        let title = format!("a VM with pods has {cards} GPUs");
        let diagnostic = Diagnostic::at(&spot, title).allowed("one vGPU or GPU for each VM");
        let help = "write a [[vm]] with pods for each GPU: which of several GPUs a pod gets is the \
            device plugin's choice, and under MPS a pod may ask for one only";
        table.report(diagnostic.help(help).note("source", SOURCE));
        return false;
    }
    true
}
