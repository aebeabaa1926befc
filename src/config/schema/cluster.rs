//! What the schema says of a cluster: `[[host]]`, `[[rule]]`, VMs that come and go.

use super::{gpus, own_host};
use crate::config::keys::shape::{Shape, either, flag, list, quantity, table, text, whole, word};
use crate::config::scenario::hosts::HOSTS_MAX;
use crate::config::scenario::placement_keys::{NAMES_MAX, RULES_MAX};
use crate::study::RuleKind;
use crate::units::{Bandwidth, SimDuration};

/// Every `[[host]]`.
pub(super) fn hosts() -> Shape {
    let host = table()
        .key("name", text(), "Its name; default: host-1, host-2, ...")
        .key("count", whole(1..=HOSTS_MAX), "Number of hosts like it, numbered.")
        .need(
            "model",
            either([text().such_as(["dell-r7525"]), own_host()]),
            "A host of the catalogue, or the facts of your own.",
        )
        .key("gpus", gpus(), "Its cards; default: those of the model.")
        .key("network", quantity::<Bandwidth>(), "The network that vMotion has.")
        .key(
            "failover",
            flag().with("default", false),
            "Whether it is kept free for VMs of a host that fails: no VM is placed on it.",
        );
    list(host, HOSTS_MAX as usize)
}

/// Every `[[rule]]`.
pub(super) fn rules() -> Shape {
    let names = || list(text(), NAMES_MAX);
    let rule = table()
        .need("kind", word(RuleKind::ALL.map(|(word, _)| word)), "What it asks.")
        .need("vms", names(), "Names of [[vm]]: all VMs of each.")
        .key("hosts", names(), "Names of [[host]], for run-on and not-on: all hosts of each.")
        .key(
            "must",
            flag().with("default", true),
            "Whether it holds in any case, or only as long as such a host has room.",
        );
    list(rule, RULES_MAX)
}

/// `lifetimes` of a `[[vm]]`.
pub(super) fn lifetimes() -> Shape {
    table()
        .need("within", quantity::<SimDuration>(), "From power_on: the VMs come at any time in it.")
        .need("mean", quantity::<SimDuration>(), "How long one stays on average (exponential).")
}
