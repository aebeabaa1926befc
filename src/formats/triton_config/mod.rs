//! A model's `config.pbtxt`: the settings of Triton's batcher and instances, and all faults.
//!
//! Tensors, files and similar fields are ignored. The effect of a setting on a simulation is not
//! decided here. Source: `ModelConfig` (triton-inference-server/common, `model_config.proto`) and
//! Triton's own checks (triton-inference-server/core, `model_config_utils.cc`).

use super::text_format::{self, Field, Message, Node};
use super::{FAULTS_MAX, Fault, Placed};
use crate::suggest::{nearest, quoted};
use crate::units::counted;
use std::ops::{Range, RangeInclusive};

/// Most priority levels.
pub const LEVELS_MAX: u32 = 100;
/// Most samples in a batch.
const BATCH_MAX: u64 = 1_000_000;
/// Most instances on a GPU.
const INSTANCES_MAX: u64 = 1024;
/// No wait is longer: a day, in microseconds.
const WAIT_MAX: u64 = 86_400_000_000;

/// The batches, queues and instances of a model's configuration.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TritonConfig {
    /// `max_batch_size`; 0: no batching.
    pub max_batch_size: Option<Placed<u64>>,
    /// `dynamic_batching`, if there is such a block.
    pub dynamic_batching: Option<Placed<DynamicBatching>>,
    /// `instance_group`: instances on every GPU, where the file states it.
    pub instances: Option<Placed<u64>>,
    /// How many GPUs it names; nothing: all GPUs.
    pub gpus: Option<Placed<u64>>,
    /// Where it names TensorRT as its backend.
    pub tensorrt: Option<Range<usize>>,
    /// `optimization.cuda.graphs`.
    pub graphs: Option<Placed<bool>>,
    /// `optimization.eager_batching`, under TensorRT, and true.
    pub eager_batching: Option<Placed<bool>>,
    /// Settings that would change the behaviour but are ignored.
    pub passed_over: Vec<Fault>,
}

/// `dynamic_batching { ... }`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DynamicBatching {
    /// `preferred_batch_size`, as written.
    pub preferred: Vec<Placed<u64>>,
    /// `max_queue_delay_microseconds`.
    pub queue_delay: Option<Placed<u64>>,
    /// `preserve_ordering`.
    pub preserve_ordering: Option<Placed<bool>>,
    /// `priority_levels`; 0: one queue.
    pub priority_levels: Option<Placed<u64>>,
    /// `default_priority_level`, from 1.
    pub default_priority_level: Option<Placed<u64>>,
    /// `default_queue_policy`.
    pub default_policy: Option<Placed<Policy>>,
    /// `priority_queue_policy`, by level, from 1.
    pub policies: Vec<Placed<(u64, Policy)>>,
}

/// `ModelQueuePolicy`; 0 means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// `default_timeout_microseconds`.
    pub timeout: u64,
    /// `timeout_action` is DELAY, not REJECT.
    pub delays: bool,
    /// `max_queue_size`.
    pub max_queue_size: u64,
}

/// The fields of `ModelConfig`.
pub(super) const MODEL: [&str; 25] = [
    "name",
    "platform",
    "backend",
    "runtime",
    "version_policy",
    "max_batch_size",
    "input",
    "output",
    "batch_input",
    "batch_output",
    "optimization",
    "dynamic_batching",
    "sequence_batching",
    "ensemble_scheduling",
    "instance_group",
    "default_model_filename",
    "cc_model_filenames",
    "metric_tags",
    "parameters",
    "model_warmup",
    "model_operations",
    "model_transaction_policy",
    "model_repository_agents",
    "response_cache",
    "model_metrics",
];
const BATCHING: [&str; 7] = [
    "preferred_batch_size",
    "max_queue_delay_microseconds",
    "preserve_ordering",
    "priority_levels",
    "default_priority_level",
    "default_queue_policy",
    "priority_queue_policy",
];
const POLICY: [&str; 4] =
    ["timeout_action", "default_timeout_microseconds", "allow_timeout_override", "max_queue_size"];
const GROUP: [&str; 9] = [
    "name",
    "kind",
    "count",
    "rate_limiter",
    "gpus",
    "secondary_devices",
    "profile",
    "passive",
    "host_policy",
];
const KINDS: [&str; 4] = ["KIND_AUTO", "KIND_GPU", "KIND_CPU", "KIND_MODEL"];
/// Fields that may stand several times; of all others the second is a mistake.
const REPEATED: [&str; 16] = [
    "step",
    "input_map",
    "output_map",
    "input",
    "output",
    "batch_input",
    "batch_output",
    "instance_group",
    "cc_model_filenames",
    "metric_tags",
    "parameters",
    "model_warmup",
    "preferred_batch_size",
    "priority_queue_policy",
    "gpus",
    "secondary_devices",
];

/// Reads a configuration, or returns the faults at which Triton would stop and the settings that
/// cannot be simulated.
pub fn read(text: &str) -> Result<TritonConfig, Vec<Fault>> {
    let message = text_format::read(text).map_err(|fault| vec![fault])?;
    let mut look = Look::default();
    let mut config = look.model(&message);
    look.faults.truncate(FAULTS_MAX);
    look.passed_over.truncate(FAULTS_MAX);
    config.passed_over = look.passed_over;
    if look.faults.is_empty() { Ok(config) } else { Err(look.faults) }
}

/// Reads fields and collects their faults.
#[derive(Default)]
pub(super) struct Look {
    pub(super) faults: Vec<Fault>,
    passed_over: Vec<Fault>,
}

impl Look {
    fn model(&mut self, message: &Message) -> TritonConfig {
        self.names(message, "a model configuration", &MODEL);
        let mut config = TritonConfig {
            max_batch_size: self.whole(message, "max_batch_size", 0..=BATCH_MAX),
            ..TritonConfig::default()
        };
        for (name, why, help) in [
            (
                "sequence_batching",
                "sequences of queries are not modelled",
                "give the settings by keys of [vm.server] instead",
            ),
            (
                "ensemble_scheduling",
                "an ensemble has no server settings",
                "name its models in [[vm.model]], itself in a [[vm.ensemble]], and their folder in `model_repository`",
            ),
        ] {
            if let Some(field) = last(message, name) {
                let fault = Fault::at(field.name.span.clone(), format!("`{name}`: {why}"));
                self.faults.push(fault.help(help));
            }
        }
        let batch_max = config.max_batch_size.as_ref().map_or(0, |size| size.value);
        if let Some((field, batching)) = self.message(message, "dynamic_batching") {
            let span = field.name.span.clone();
            let value = self.batching(batching, batch_max);
            config.dynamic_batching = Some(Placed { value, span });
        }
        self.groups(message, &mut config);
        self.told(message);
        config.tensorrt = tensorrt(message);
        self.optimization(message, &mut config);
        config
    }

    /// Graphs and eager batching. Only TensorRT's backend makes use of the second.
    fn optimization(&mut self, message: &Message, config: &mut TritonConfig) {
        let Some((_, below)) = self.message(message, "optimization") else { return };
        if let Some((_, cuda)) = self.message(below, "cuda") {
            config.graphs = self.flag(cuda, "graphs");
        }
        let eager = self.flag(below, "eager_batching").filter(|eager| eager.value);
        if config.tensorrt.is_some() {
            config.eager_batching = eager;
        } else if let Some(eager) = eager {
            let why = "eager batching is modelled only for the backend `tensorrt`: a batch is \
                formed when an instance is free";
            self.passed_over.push(Fault::at(eager.span, why));
        }
    }

    /// What changes the behaviour of a server and is not modelled.
    fn told(&mut self, message: &Message) {
        let flags = [
            (
                "response_cache",
                "enable",
                "the response cache is not modelled: every query is computed",
            ),
            (
                "model_transaction_policy",
                "decoupled",
                "decoupled responses are not modelled: a query has one answer",
            ),
        ];
        for (outer, inner, why) in flags {
            let Some((_, below)) = self.message(message, outer) else { continue };
            if let Some(found) = self.flag(below, inner).filter(|found| found.value) {
                self.passed_over.push(Fault::at(found.span, why));
            }
        }
    }

    fn batching(&mut self, message: &Message, batch_max: u64) -> DynamicBatching {
        self.names(message, "`dynamic_batching`", &BATCHING);
        let preferred = self.wholes(message, "preferred_batch_size", 1..=BATCH_MAX);
        for size in preferred.iter().filter(|size| size.value > batch_max) {
            let title = format!(
                "a preferred size of {} is beyond max_batch_size {batch_max}: Triton loads no such model",
                size.value
            );
            self.faults
                .push(Fault::at(size.span.clone(), title).allowed(format!("1 to {batch_max}")));
        }
        let found = DynamicBatching {
            preferred,
            queue_delay: self.whole(message, "max_queue_delay_microseconds", 0..=WAIT_MAX),
            preserve_ordering: self.flag(message, "preserve_ordering"),
            priority_levels: self.whole(message, "priority_levels", 0..=u64::from(LEVELS_MAX)),
            default_priority_level: self.whole(message, "default_priority_level", 0..=u64::MAX),
            default_policy: self
                .message(message, "default_queue_policy")
                .map(|(field, policy)| (field.name.span.clone(), policy))
                .map(|(span, policy)| Placed { value: self.policy(policy), span }),
            policies: self.policies(message),
        };
        self.priorities(message, &found);
        found
    }

    /// Triton's own checks of priorities.
    fn priorities(&mut self, message: &Message, found: &DynamicBatching) {
        let levels = found.priority_levels.as_ref().map_or(0, |levels| levels.value);
        if levels == 0 {
            for name in ["default_priority_level", "priority_queue_policy"] {
                if let Some(field) = last(message, name) {
                    let title = format!("`{name}` has no meaning without priority_levels");
                    self.passed_over.push(Fault::at(field.name.span.clone(), title));
                }
            }
            return;
        }
        let allowed = format!("1 to {levels}, of priority_levels");
        let default = found.default_priority_level.as_ref();
        if !default.is_some_and(|level| (1..=levels).contains(&level.value)) {
            let place =
                last(message, "priority_levels").map_or(0..0, |field| field.name.span.clone());
            let span = default.map_or(place, |level| level.span.clone());
            let title = "`default_priority_level` is not one of the levels";
            self.faults.push(Fault::at(span, title).allowed(&allowed));
        }
        for own in found.policies.iter().filter(|own| !(1..=levels).contains(&own.value.0)) {
            let title = format!("a policy of level {}", own.value.0);
            self.faults.push(Fault::at(own.span.clone(), title).allowed(&allowed));
        }
    }

    fn policy(&mut self, message: &Message) -> Policy {
        self.names(message, "a queue policy", &POLICY);
        let override_of = self.flag(message, "allow_timeout_override");
        if let Some(found) = override_of.filter(|found| found.value) {
            let why = "timeouts set by single queries are not modelled: the default applies to all";
            self.passed_over.push(Fault::at(found.span, why));
        }
        let action = self.word(message, "timeout_action", &["REJECT", "DELAY"]);
        let value = |found: Option<Placed<u64>>| found.map_or(0, |found| found.value);
        Policy {
            timeout: value(self.whole(message, "default_timeout_microseconds", 0..=WAIT_MAX)),
            delays: action.is_some_and(|action| action.value == 1),
            max_queue_size: value(self.whole(message, "max_queue_size", 0..=u64::from(u32::MAX))),
        }
    }

    /// `priority_queue_policy { key: 1 value { ... } }`.
    fn policies(&mut self, message: &Message) -> Vec<Placed<(u64, Policy)>> {
        let mut all = Vec::new();
        for (span, entry) in self.messages(message, "priority_queue_policy") {
            self.names(entry, "an entry of `priority_queue_policy`", &["key", "value"]);
            let level = self.whole(entry, "key", 0..=u64::MAX).map_or(0, |level| level.value);
            let policy = self.message(entry, "value").map(|(_, policy)| policy);
            let policy = policy.map_or(Policy::default(), |policy| self.policy(policy));
            all.push(Placed { value: (level, policy), span });
        }
        all
    }

    /// Instances on each GPU, over all groups. Every GPU of a VM has the same number here.
    fn groups(&mut self, message: &Message, config: &mut TritonConfig) {
        let (mut everywhere, mut named) = (0, std::collections::BTreeMap::<u64, u64>::new());
        let groups = self.messages(message, "instance_group");
        let Some(place) = last(message, "instance_group").map(|field| field.name.span.clone())
        else {
            return;
        };
        if groups.is_empty() {
            return;
        }
        let before = self.faults.len();
        for (_, group) in groups {
            self.names(group, "`instance_group`", &GROUP);
            let count = self.whole(group, "count", 0..=INSTANCES_MAX);
            // Triton takes a count below 1 for 1.
            let count = count.map_or(1, |count| count.value.max(1));
            let kind = self.word(group, "kind", &KINDS);
            for kind in kind.into_iter().filter(|kind| kind.value >= 2) {
                let (span, word) = (kind.span, KINDS[kind.value]);
                let title = match kind.value {
                    2 => format!("instances on CPUs are not modelled: {word}"),
                    _ => format!("{word}: the number of instances per GPU depends on the backend"),
                };
                let help = "write KIND_GPU, or write `streams` in [vm.server] without this file";
                self.faults.push(Fault::at(span, title).help(help));
            }
            if let Some(field) = last(group, "rate_limiter") {
                let why = "`rate_limiter` is not modelled: an instance runs as soon as it is free";
                self.passed_over.push(Fault::at(field.name.span.clone(), why));
            }
            let gpus = self.wholes(group, "gpus", 0..=1023);
            if self.flag(group, "passive").is_some_and(|passive| passive.value) {
                continue;
            }
            if gpus.is_empty() {
                everywhere += count;
            }
            for gpu in gpus {
                *named.entry(gpu.value).or_default() += count;
            }
        }
        if self.faults.len() > before {
            return;
        }
        self.even(place, everywhere, &named, config);
    }

    /// Instances per GPU, if each has as many.
    fn even(
        &mut self,
        span: Range<usize>,
        everywhere: u64,
        named: &std::collections::BTreeMap<u64, u64>,
        config: &mut TritonConfig,
    ) {
        let counts: Vec<u64> = named.values().copied().collect();
        let alike = counts.windows(2).all(|pair| pair[0] == pair[1]);
        let from_0 = named.keys().copied().eq(0..named.len() as u64);
        let uneven = !alike || !from_0 || (everywhere > 0 && !named.is_empty());
        let each = everywhere + counts.first().copied().unwrap_or(0);
        if uneven || !(1..=INSTANCES_MAX).contains(&each) {
            let title = match each {
                0 => "no instance takes queries".to_string(),
                _ if uneven => "the groups give GPUs different numbers of instances".to_string(),
                _ => format!("{} on a GPU", counted(each, "instance")),
            };
            let fault = Fault::at(span, title);
            let allowed = format!(
                "1 to {INSTANCES_MAX} instances, as many on every GPU of the VM, from 0 on"
            );
            self.faults.push(fault.allowed(allowed));
            return;
        }
        config.instances = Some(Placed { value: each, span: span.clone() });
        if !named.is_empty() {
            config.gpus = Some(Placed { value: named.len() as u64, span });
        }
    }
}

/// The fields of a message, one by one.
impl Look {
    /// Reports unknown fields, and fields that occur twice.
    pub(super) fn names(&mut self, message: &Message, what: &str, known: &[&str]) {
        let mut seen = std::collections::BTreeSet::new();
        for Field { name, .. } in &message.fields {
            if self.faults.len() >= FAULTS_MAX {
                return;
            }
            let (word, span) = (name.value.as_str(), name.span.clone());
            if !known.contains(&word) {
                let title = format!("{} is not a field of {what}", quoted(word));
                let fault = Fault::at(span, title).allowed(known.join(", "));
                self.faults.push(fault.did_you_mean(nearest(word, known)));
            } else if !seen.insert(word) && !REPEATED.contains(&word) {
                self.faults.push(Fault::at(span, format!("`{word}` is written twice")));
            }
        }
    }

    /// The value of a field that has one.
    fn single<'m>(&mut self, message: &'m Message, name: &str) -> Option<&'m Placed<Node>> {
        Some(&last(message, name)?.value)
    }

    fn wrong(&mut self, name: &str, span: &Range<usize>, allowed: &str) {
        let title = format!("the value of `{name}` has the wrong type");
        self.faults.push(Fault::at(span.clone(), title).allowed(allowed));
    }

    fn whole(
        &mut self,
        message: &Message,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Option<Placed<u64>> {
        let value = self.single(message, name)?;
        self.number(name, value, &range)
    }

    /// All numbers of a field that may have several.
    fn wholes(
        &mut self,
        message: &Message,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Vec<Placed<u64>> {
        let values = values(message, name);
        values.into_iter().filter_map(|value| self.number(name, value, &range)).collect()
    }

    fn number(
        &mut self,
        name: &str,
        value: &Placed<Node>,
        range: &RangeInclusive<u64>,
    ) -> Option<Placed<u64>> {
        let allowed = match *range.end() {
            u64::MAX => "a whole number".to_string(),
            most => format!("a whole number, {} to {most}", range.start()),
        };
        let Node::Word(word) = &value.value else {
            self.wrong(name, &value.span, &allowed);
            return None;
        };
        let found = integer(word).filter(|found| range.contains(found));
        if found.is_none() {
            let title = format!("`{name}` is {}", quoted(word));
            self.faults.push(Fault::at(value.span.clone(), title).allowed(allowed));
        }
        found.map(|found| Placed { value: found, span: value.span.clone() })
    }

    pub(super) fn flag(&mut self, message: &Message, name: &str) -> Option<Placed<bool>> {
        let value = self.single(message, name)?;
        let word = match &value.value {
            Node::Word(word) => word.as_str(),
            _ => "",
        };
        let found = match word {
            "true" | "True" | "t" | "1" => Some(true),
            "false" | "False" | "f" | "0" => Some(false),
            _ => None,
        };
        if found.is_none() {
            self.wrong(name, &value.span, "true or false");
        }
        found.map(|found| Placed { value: found, span: value.span.clone() })
    }

    /// Which of these words, or their numbers, a field says.
    fn word(&mut self, message: &Message, name: &str, words: &[&str]) -> Option<Placed<usize>> {
        let value = self.single(message, name)?;
        let Node::Word(word) = &value.value else {
            self.wrong(name, &value.span, &words.join(", "));
            return None;
        };
        let by_number = integer(word).and_then(|number| usize::try_from(number).ok());
        let by_number = by_number.filter(|&number| number < words.len());
        let found = words.iter().position(|known| known == word).or(by_number);
        if found.is_none() {
            let title = format!("`{name}` is {}", quoted(word));
            let fault = Fault::at(value.span.clone(), title).allowed(words.join(", "));
            self.faults.push(fault.did_you_mean(nearest(word, words)));
        }
        found.map(|found| Placed { value: found, span: value.span.clone() })
    }

    pub(super) fn message<'m>(
        &mut self,
        message: &'m Message,
        name: &str,
    ) -> Option<(&'m Field, &'m Message)> {
        let field = last(message, name)?;
        match &field.value.value {
            Node::Message(found) => Some((field, found)),
            _ => {
                self.wrong(name, &field.value.span, "`{ ... }`");
                None
            }
        }
    }

    /// All messages of a field that may have several.
    pub(super) fn messages<'m>(
        &mut self,
        message: &'m Message,
        name: &str,
    ) -> Vec<(Range<usize>, &'m Message)> {
        let mut all = Vec::new();
        for value in values(message, name) {
            match &value.value {
                Node::Message(found) => all.push((value.span.clone(), found)),
                _ => self.wrong(name, &value.span, "`{ ... }`, or several in `[ ]`"),
            }
        }
        all
    }
}

/// Where a model says that TensorRT runs it.
fn tensorrt(message: &Message) -> Option<Range<usize>> {
    let said = |(name, word): (&str, &str)| {
        let value = &last(message, name)?.value;
        matches!(&value.value, Node::Text(text) if text == word).then(|| value.span.clone())
    };
    [("backend", "tensorrt"), ("platform", "tensorrt_plan")].into_iter().find_map(said)
}

/// The last field of a name.
pub(super) fn last<'m>(message: &'m Message, name: &str) -> Option<&'m Field> {
    message.fields.iter().rev().find(|field| field.name.value == name)
}

/// All values of a name, lists taken apart.
fn values<'m>(message: &'m Message, name: &str) -> Vec<&'m Placed<Node>> {
    let fields = message.fields.iter().filter(|field| field.name.value == name);
    let values = fields.flat_map(|field| match &field.value.value {
        Node::List(items) => items.iter().collect(),
        _ => vec![&field.value],
    });
    values.collect()
}

/// A whole number, decimal, octal (017) or hexadecimal (0x1f), not negative.
fn integer(word: &str) -> Option<u64> {
    if let Some(digits) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).ok();
    }
    if !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if word.len() > 1 && word.starts_with('0') {
        return u64::from_str_radix(word, 8).ok();
    }
    word.parse().ok()
}

#[cfg(test)]
mod tests;
