//! The keys of `[vm.server]` about waiting queries: Triton's queue delay, preferred sizes, queue
//! policies and priorities.
//!
//! Their meaning is in `spec::queue_policy` and `host`; `triton` reads the same from a
//! `config.pbtxt`.

use super::ranges::BATCH_MAX;
use crate::config::keys::forms::{choice, count, later, own, within};
use crate::config::keys::keys;
use crate::config::keys::shape::{Shape, list, quantity, whole};
use crate::config::text::{Diagnostic, Reader, Value};
use crate::formats::triton_config::LEVELS_MAX;
use crate::spec::{BatchRule, QueuePolicy, ServerSpec, TimeoutAction, TimeoutFrom};
use crate::units::{Share, SimDuration, counted};

/// Most preferred batch sizes.
pub(crate) const PREFERRED_MAX: usize = 64;

keys! {
    /// The keys of `[vm.server]` that say how queries wait.
    pub(crate) struct QueueKeys {
        /// How long the oldest query may wait for a fuller batch.
        max_queue_delay: SimDuration = within("0 to 24 h");
        /// Batch sizes that are formed as soon as possible.
        preferred_batch_size: Vec<u32> = own(sizes, sizes_shape), or "batch_max";
        /// How many priority levels there are.
        priority_levels: u32 = count(1..=LEVELS_MAX, " levels");
        /// How queries wait, at every priority level.
        queue_policy: QueuePolicy = own(|value| policy(value.table()?), PolicyKeys::shape);
        /// How the queries of single priority levels wait.
        priority_queue_policy: QueuePolicy = later(policies_shape);
        /// The level of queries without one.
        default_priority_level: u32 = later(level_shape);
        /// The part of all queries in each level, 100 % in all.
        priority_shares: Vec<Share> = later(shares_shape);
    }
}

keys! {
    /// Triton's ModelQueuePolicy.
    struct PolicyKeys {
        /// The longest wait in the queue.
        timeout: SimDuration = within("above 0, at most 24 h");
        /// What happens then.
        timeout_action: TimeoutAction = choice("timeout action", TIMEOUT_ACTIONS), or "reject";
        /// Most waiting queries; more are rejected.
        max_queue_size: u32 = count(1..=u32::MAX, " queries");
    }
}

const TIMEOUT_ACTIONS: [(&str, TimeoutAction); 2] =
    [("reject", TimeoutAction::Reject), ("delay", TimeoutAction::Delay)];

fn level_shape() -> Shape {
    whole(1..=LEVELS_MAX)
}

fn sizes_shape() -> Shape {
    list(whole(1..=BATCH_MAX), PREFERRED_MAX)
}

fn policies_shape() -> Shape {
    let policy = PolicyKeys::shape().need("level", level_shape(), "The level, 1 the most urgent.");
    list(policy, LEVELS_MAX as usize)
}

fn shares_shape() -> Shape {
    list(quantity::<Share>(), LEVELS_MAX as usize)
}

/// The keys that `--explain` shows only where they are set.
pub(crate) const OF_QUEUES: [&str; 7] = [
    "max_queue_delay",
    "preferred_batch_size",
    "queue_policy",
    "priority_levels",
    "priority_queue_policy",
    "default_priority_level",
    "priority_shares",
];

/// Reads the keys over the values of the preset or a `config.pbtxt`, and checks them against each
/// other. The batch rule and the timeout were read before.
pub(crate) fn read(table: &mut Reader<'_>, server: &mut ServerSpec) {
    let keys = QueueKeys::given(table);
    if let (Some(value), Some(delay)) = (table.get("max_queue_delay"), keys.max_queue_delay) {
        set_delay(&value, delay, table, server);
    }
    if let Some(sizes) = &keys.preferred_batch_size {
        server.preferred.clone_from(sizes);
    }
    read_levels(table, &keys, server);
    hold(table, server);
}

/// `max_queue_delay`; of a server that waits for full batches it is the timeout of the oldest query.
fn set_delay(value: &Value<'_>, delay: SimDuration, table: &Reader<'_>, server: &mut ServerSpec) {
    if server.batch_rule == BatchRule::Available {
        server.max_queue_delay = delay;
    } else if table.has("timeout") {
        let help = "drop one: both are the longest wait for a full batch";
        value.report(value.wrong("conflicts with `timeout`").help(help));
    } else {
        server.timeout = (delay > SimDuration::ZERO).then_some(delay);
        server.timeout_from = TimeoutFrom::Oldest;
    }
}

/// `[4, 8]`, in any order.
fn sizes(value: &Value<'_>) -> Option<Vec<u32>> {
    let items = value.items(PREFERRED_MAX)?;
    let sizes: Option<Vec<u32>> =
        items.iter().map(|item| item.count(1..=BATCH_MAX, " samples")).collect();
    let mut sizes = sizes?;
    sizes.sort_unstable();
    sizes.dedup();
    Some(sizes)
}

/// Priority levels, the policies of their queues, and which queries ask for them.
fn read_levels(table: &mut Reader<'_>, keys: &QueueKeys, server: &mut ServerSpec) {
    let queues = &mut server.queues;
    let levels = keys.priority_levels;
    if let Some(levels) = levels {
        queues.levels.resize(levels as usize, QueuePolicy::default());
        queues.default_level = 0;
        queues.shares.clear();
    }
    if let Some(policy) = keys.queue_policy {
        queues.levels.fill(policy);
    }
    let most = queues.levels.len() as u32;
    let own = table.get("priority_queue_policy");
    for value in own.and_then(|value| value.items(LEVELS_MAX as usize)).unwrap_or_default() {
        let Some(mut entry) = value.table() else { continue };
        let level = entry.need("level", "state its priority level, such as level = 1");
        let level = level.and_then(|value| level_of(&value, most));
        if let (Some(level), Some(policy)) = (level, policy(entry)) {
            queues.levels[usize::from(level)] = policy;
        }
    }
    let default = table.get("default_priority_level");
    let default = default.and_then(|value| level_of(&value, most));
    queues.default_level = default.unwrap_or(queues.default_level);
    let Some(value) = table.get("priority_shares") else {
        if levels.is_some_and(|levels| levels > 1) && !table.has("default_priority_level") {
            let help = "state the level of queries: default_priority_level = 1, or \
                priority_shares = [\"20 %\", \"80 %\"]";
            let title = "there are several priority levels, and the level of queries is not stated";
            table.report(Diagnostic::at(&table.spot_of("priority_levels"), title).help(help));
        }
        return;
    };
    if let Some(shares) = shares(&value, queues.levels.len()) {
        queues.shares = shares;
    }
}

/// A level as files count them, from 1, as the first of a list.
fn level_of(value: &Value<'_>, most: u32) -> Option<u8> {
    // The range of the schema is that of any file; how many levels there are is this file's.
    let level = value.count(1..=LEVELS_MAX, " as the level, 1 the most urgent")?;
    if level > most {
        let diagnostic = value.wrong(format!("is level {level} of {most}"));
        value.report(diagnostic.help("state how many there are: priority_levels = 2"));
        return None;
    }
    Some((level - 1) as u8)
}

/// `["20 %", "80 %"]`: one share for each level, 100 % in all.
fn shares(value: &Value<'_>, levels: usize) -> Option<Vec<Share>> {
    let items = value.items(LEVELS_MAX as usize)?;
    let shares: Option<Vec<Share>> = items.iter().map(|item| item.quantity::<Share>()).collect();
    let shares = shares?;
    let sum: f64 = shares.iter().map(|share| share.get()).sum();
    if shares.len() != levels {
        let diagnostic = value.wrong(format!(
            "has {} for {}",
            counted(shares.len(), "share"),
            counted(levels, "level")
        ));
        value.report(diagnostic.help("write one share for each level, the most urgent first"));
        return None;
    }
    if (sum - 1.0).abs() > 1e-6 {
        let percent = (sum * 1e6).round() / 1e4;
        value.report(value.wrong(format!("is {percent} % in all")).allowed("100 % in all"));
        return None;
    }
    Some(shares)
}

/// `{ timeout = "5 ms", timeout_action = "reject", max_queue_size = 100 }`.
fn policy(mut table: Reader<'_>) -> Option<QueuePolicy> {
    let PolicyKeys { timeout, timeout_action, max_queue_size, .. } = PolicyKeys::given(&mut table);
    if table.has("timeout_action") && !table.has("timeout") {
        let title = "`timeout_action` has no meaning without `timeout`";
        let help = "state the timeout: timeout = \"5 ms\"";
        table.report(Diagnostic::at(&table.spot_of("timeout_action"), title).help(help));
    }
    table.finish();
    let timeout_action = timeout_action.unwrap_or_default();
    Some(QueuePolicy { timeout, timeout_action, max_queue_size })
}

/// The rules between these settings.
fn hold(table: &Reader<'_>, server: &ServerSpec) {
    let report = |key: &str, title: String, help: &str| {
        table.report(Diagnostic::at(&table.spot_of(key), title).help(help));
    };
    let most = server.preferred.last().copied().unwrap_or(0);
    if most > server.batch_max {
        let key =
            if table.has("preferred_batch_size") { "preferred_batch_size" } else { "batch_max" };
        let title = format!("a preferred size of {most} is beyond batch_max {}", server.batch_max);
        report(key, title, "Triton loads no such model: drop the size, or raise batch_max");
    }
    let plain = server.queues.is_plain();
    if server.batch_rule == BatchRule::Full && !(server.preferred.is_empty() && plain) {
        let keys = ["preferred_batch_size", "queue_policy", "priority_levels"];
        let key = keys.into_iter().find(|key| table.has(key)).unwrap_or("batch_rule");
        let title = "preferred sizes, queue policies and priorities need Triton's batch rule, \
            which does not wait only for full batches"
            .to_string();
        report(key, title, "write batch_rule = \"available\", or preset = \"triton\"");
    }
    if server.soft_drop != Share::WHOLE && !plain {
        let title = "`soft_drop` conflicts with queue policies".to_string();
        report("soft_drop", title, "drop one: no known server has both");
    }
    let rejecting = server.queues.levels.iter().filter(|policy| policy.rejects());
    let least = rejecting.filter_map(|policy| policy.timeout).min();
    if let Some(timeout) = least.filter(|timeout| *timeout <= server.max_queue_delay) {
        let delay = server.max_queue_delay;
        let title = format!(
            "a query is rejected after {timeout}, before max_queue_delay {delay} lets a smaller batch go"
        );
        let keys = ["queue_policy", "priority_queue_policy", "max_queue_delay"];
        let key = keys.into_iter().find(|key| table.has(key)).unwrap_or("triton_config");
        report(key, title, "write a timeout above max_queue_delay");
    }
}

/// The settings as `--explain` and a twin's differences write them.
pub(crate) fn words(server: &ServerSpec) -> [(&'static str, String); 7] {
    let queues = &server.queues;
    let none = || "none".to_string();
    let triton = server.preset.starts_with("triton");
    let delay = match server.max_queue_delay {
        SimDuration::ZERO if !triton => none(),
        delay => delay.to_string(),
    };
    let joined = |items: Vec<String>| if items.is_empty() { none() } else { items.join(", ") };
    let levels = queues.levels.len();
    let first = queues.levels[0];
    let alike = queues.levels.iter().all(|policy| *policy == first);
    let each = queues.levels.iter().enumerate();
    let each = each.map(|(level, policy)| format!("{}: {}", level + 1, policy_in_words(policy)));
    [
        ("max_queue_delay", delay),
        ("preferred_batch_size", joined(server.preferred.iter().map(u32::to_string).collect())),
        ("queue_policy", if alike { policy_in_words(&first) } else { "by level".to_string() }),
        ("priority_levels", if levels > 1 { levels.to_string() } else { none() }),
        ("priority_queue_policy", if alike { none() } else { joined(each.collect()) }),
        (
            "default_priority_level",
            if levels > 1 { (queues.default_level + 1).to_string() } else { none() },
        ),
        ("priority_shares", joined(queues.shares.iter().map(Share::to_string).collect())),
    ]
}

fn policy_in_words(policy: &QueuePolicy) -> String {
    let action = match policy.timeout_action {
        TimeoutAction::Reject => "rejected",
        TimeoutAction::Delay => "put behind",
    };
    let timeout = policy.timeout.map(|timeout| format!("{action} after {timeout}"));
    let size = policy.max_queue_size.map(|size| format!("{size} wait at most"));
    let all: Vec<String> = timeout.into_iter().chain(size).collect();
    if all.is_empty() { "none".to_string() } else { all.join(", ") }
}
