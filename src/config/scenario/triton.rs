//! `server = { triton_config = "config.pbtxt" }`: a model's own configuration as the settings of a
//! server, below the keys written beside it.
//!
//! The file's format is in `formats::triton_config`.

use crate::config::text::foreign::{parsed, text_of};
use crate::config::text::{Diagnostic, Problems, SourceFile, Spot, Value, ValueOrigin};
use crate::formats::triton_config::{self, DynamicBatching, Policy, TritonConfig};
use crate::formats::{Fault, Placed, triton_ensemble};
use crate::spec::{
    Completion, Launches, PRESETS, PermitReturn, QueuePolicy, Queues, ServerSpec, TimeoutAction,
};
use crate::units::SimDuration;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The settings of a file, with the place of each.
pub(crate) struct FromFile {
    pub(crate) server: ServerSpec,
    pub(crate) said: Vec<(&'static str, ValueOrigin)>,
}

/// Reads the file that `given` names; `cards` is how many GPUs the VM has, where that is known.
pub(crate) fn read(given: &Value<'_>, cards: Option<u32>) -> Option<FromFile> {
    let path = super::trace::beside(&given.file.path, given.text()?);
    read_file(given, &path, cards)
}

/// The file of a path that `given` leads to.
fn file_of(given: &Value<'_>, path: &Path) -> Option<Arc<SourceFile>> {
    match text_of(path, given.problems) {
        Ok(file) => file,
        Err(error) => {
            given.report(Diagnostic::at(&given.spot(), format!("{error:#}")));
            None
        }
    }
}

/// The configuration of a model in the repository that `given` names.
pub(crate) fn path_in(repository: &Path, model: &str) -> PathBuf {
    repository.join(model).join("config.pbtxt")
}

/// The models of an ensemble in a repository, in order, with the place of each name.
pub(crate) fn ensemble(given: &Value<'_>, path: &Path) -> Option<Vec<(String, Spot)>> {
    let file = file_of(given, path)?;
    let models = parsed(&file, triton_ensemble::read, given.problems)?;
    let placed = models
        .into_iter()
        .map(|model| (model.value, Spot { file: file.clone(), span: model.span }));
    Some(placed.collect())
}

/// As [`read`], of the file of this path.
pub(crate) fn read_file(given: &Value<'_>, path: &Path, cards: Option<u32>) -> Option<FromFile> {
    let file = file_of(given, path)?;
    let config = parsed(&file, triton_config::read, given.problems)?;
    gpus_are_all(&file, &config, cards, given.problems);
    for fault in &config.passed_over {
        given.problems.warn(Diagnostic::of_fault(&file, fault.clone()));
    }
    Some(settings(&file, config, given.problems))
}

/// The file may name GPUs: those of the VM, all of them.
fn gpus_are_all(
    file: &Arc<SourceFile>,
    config: &TritonConfig,
    cards: Option<u32>,
    problems: &Problems,
) {
    let (Some(named), Some(cards)) = (&config.gpus, cards) else { return };
    if named.value != u64::from(cards) {
        let title = format!("`gpus` names {}, the VM has {cards}", named.value);
        let help = "name every GPU of the VM, or none for all";
        problems.push(Diagnostic::of_fault(file, Fault::at(named.span.clone(), title).help(help)));
    }
}

fn settings(file: &Arc<SourceFile>, config: TritonConfig, problems: &Problems) -> FromFile {
    let name = if config.dynamic_batching.is_some() { "triton" } else { "triton-no-batching" };
    let preset = PRESETS.iter().find(|preset| preset.name == name).expect("the presets have it");
    let mut from = FromFile { server: (preset.make)(), said: Vec::new() };
    let place = |span: &Range<usize>| {
        let spot = Spot { file: file.clone(), span: span.clone() };
        let (path, line, column) = spot.line_and_column();
        ValueOrigin::new("file", format!("{path}:{line}:{column}"))
    };
    let server = &mut from.server;
    // Without dynamic batching a query is a batch of its own, whatever the model would take.
    let size = config.max_batch_size.as_ref();
    if config.dynamic_batching.is_some() {
        server.batch_max = size.map_or(0, |size| size.value).max(1) as u32;
        if let Some(size) = size {
            from.said.push(("batch_max", place(&size.span)));
        }
        if let (None, Some(batching)) = (size, &config.dynamic_batching) {
            let title = "`dynamic_batching` without `max_batch_size`: Triton uses 0, so every \
                query goes alone";
            let fault = Fault::at(batching.span.clone(), title);
            let help = "write max_batch_size, or batch_max beside `triton_config`, as backends that complete a configuration would (4 by default)";
            problems.warn(Diagnostic::of_fault(file, fault.help(help)));
        }
    }
    if let Some(instances) = &config.instances {
        (server.streams, server.slots) = (instances.value as u32, instances.value as u32);
        from.said.extend(["streams", "slots"].map(|key| (key, place(&instances.span))));
    }
    let of_backend = backend(server, &config);
    from.said.extend(of_backend.into_iter().map(|(key, span)| (key, place(&span))));
    if let Some(batching) = config.dynamic_batching {
        let said = batched(server, &batching.value);
        from.said.extend(said.into_iter().map(|(key, span)| (key, place(&span))));
    }
    from
}

/// When an instance takes its next batch; and where that is said. TensorRT's backend takes it when the
/// running one has consumed its inputs (`enqueueV2(.., &inputConsumed)`), behind a CUDA graph at its end; under
/// eager batching one more is formed ahead (tensorrt_backend, `instance_state.cc`). Other backends return from
/// a batch when it is complete.
fn backend(server: &mut ServerSpec, config: &TritonConfig) -> Vec<(&'static str, Range<usize>)> {
    let mut said = Vec::new();
    server.permit_is_open = false;
    if let Some(Placed { value: true, span }) = &config.graphs {
        server.launches = Launches::Graph;
        said.push(("launches", span.clone()));
    } else if let Some(span) = &config.tensorrt {
        server.permit_return = PermitReturn::AtStart;
        said.push(("permit_return", span.clone()));
    }
    if let Some(Placed { span, .. }) = &config.eager_batching {
        server.slots = 2 * server.streams;
        said.push(("slots", span.clone()));
    }
    said
}

/// What `dynamic_batching` says; and where it says each.
fn batched(
    server: &mut ServerSpec,
    batching: &DynamicBatching,
) -> Vec<(&'static str, Range<usize>)> {
    let mut said = Vec::new();
    if let Some(delay) = &batching.queue_delay {
        server.max_queue_delay = SimDuration::from_micros(delay.value);
        said.push(("max_queue_delay", delay.span.clone()));
    }
    if let Some(first) = batching.preferred.first() {
        let mut sizes: Vec<u32> = batching.preferred.iter().map(|size| size.value as u32).collect();
        sizes.sort_unstable();
        sizes.dedup();
        server.preferred = sizes;
        said.push(("preferred_batch_size", first.span.clone()));
    }
    if let Some(Placed { value: true, span }) = &batching.preserve_ordering {
        server.completion = Completion::PreserveOrdering;
        said.push(("completion", span.clone()));
    }
    let levels = batching.priority_levels.as_ref().map_or(0, |levels| levels.value);
    let default = batching.default_policy.as_ref();
    let usual = default.map_or(QueuePolicy::default(), |policy| policy_of(&policy.value));
    let mut queues = Queues { levels: vec![usual; levels.max(1) as usize], ..Queues::default() };
    said.extend(default.map(|policy| ("queue_policy", policy.span.clone())));
    if levels > 0 {
        for own in &batching.policies {
            let (level, policy) = own.value;
            queues.levels[(level - 1) as usize] = policy_of(&policy);
            said.push(("priority_queue_policy", own.span.clone()));
        }
        let level = batching.default_priority_level.as_ref();
        queues.default_level = level.map_or(0, |level| level.value - 1) as u8;
        said.extend(level.map(|level| ("default_priority_level", level.span.clone())));
        let levels = batching.priority_levels.as_ref();
        said.extend(levels.map(|levels| ("priority_levels", levels.span.clone())));
    }
    server.queues = queues;
    said
}

fn policy_of(policy: &Policy) -> QueuePolicy {
    let timeout = (policy.timeout > 0).then(|| SimDuration::from_micros(policy.timeout));
    let action = if policy.delays { TimeoutAction::Delay } else { TimeoutAction::Reject };
    QueuePolicy {
        timeout,
        // Without a timeout the action has no meaning, and two equal policies are to be equal.
        timeout_action: if timeout.is_some() { action } else { TimeoutAction::default() },
        max_queue_size: (policy.max_queue_size > 0).then_some(policy.max_queue_size as u32),
    }
}
