//! The keys of a `[[vm]]` whose copies share a load. What is made of them is in `balanced`.

use crate::config::keys::forms::{choice, count, number, own, within};
use crate::config::keys::keys;
use crate::config::text::{Diagnostic, Reader, Spot};
use crate::spec::{BalancePolicy, ReplicaMetric, Replicas};
use crate::units::{Share, SimDuration};

keys! {
    /// The keys of a `[[vm]]` whose copies share one load.
    pub(crate) struct BalanceKeys {
        /// Makes the copies share one load, which a load balancer deals: who gets the next query.
        balance: BalancePolicy = choice("policy of the load balancer", BalancePolicy::ALL);
        /// How long a copy must have stood still, or been down, until it gets no more queries.
        health_check: SimDuration = within("0 to 10 min"), usual HEALTH_CHECK;
        /// Lets the number of copies that serve follow a rule; `count` is the most.
        replicas: Replicas = own(|value| replicas(value.table()?), ReplicaKeys::shape);
    }
}

keys! {
    /// The keys of `[vm.replicas]`: those of Kubernetes' HorizontalPodAutoscaler, with its defaults.
    pub(crate) struct ReplicaKeys {
        /// The fewest copies that serve, and as many as do at first.
        min: u32 = count(1..=REPLICAS_MAX, " replicas"), needed "state the fewest, such as min = 1";
        /// The number of unanswered queries of a replica that is aimed at, in the mean.
        outstanding: f64 = number("0.01 to 100000 queries");
        /// Instead: the part of the time in which a replica has any.
        busy: Share = within("1 % to 100 %");
        /// How often it is looked at.
        period: SimDuration = within("1 s to 10 min"), default SimDuration::from_secs(15);
        /// How far off its aim nothing is done.
        tolerance: f64 = number("0 to 1 of the aim"), default 0.1;
        /// On the way up the least is taken that was recommended in this time.
        scale_up_window: SimDuration = within("0 to 1 h"), default SimDuration::ZERO;
        /// On the way down the most is taken that was recommended in this time.
        scale_down_window: SimDuration = within("0 to 1 h"), default SimDuration::from_secs(300);
    }
}

/// Most replicas of a load.
const REPLICAS_MAX: u32 = 1024;

fn replicas(mut table: Reader<'_>) -> Option<Replicas> {
    let keys = ReplicaKeys::given(&mut table);
    let aim = match (keys.outstanding, keys.busy) {
        (Some(target), None) => Some((ReplicaMetric::Outstanding, target)),
        (None, Some(target)) => Some((ReplicaMetric::Busy, target.get())),
        // One that is there and faulty is told of.
        (None, None)
            if [keys.spot("outstanding"), keys.spot("busy")].iter().flatten().count() == 1 =>
        {
            None
        }
        _ => {
            let title = "replicas follow one thing: `outstanding` or `busy`";
            let help = "write one of them, such as outstanding = 8";
            table.report(Diagnostic::at(&table.spot(), title).help(help));
            None
        }
    };
    table.finish();
    let (metric, target) = aim?;
    Some(Replicas {
        min: keys.min?,
        metric,
        target,
        tolerance: keys.tolerance,
        period: keys.period,
        up_window: keys.scale_up_window,
        down_window: keys.scale_down_window,
        // `[operations]` says how long a VM starts.
        start: SimDuration::ZERO,
    })
}

/// HAProxy's: three checks that fail (`fall`), 2 s from one to the next (`inter`; HAProxy Configuration
/// Manual, "Server and default-server options").
const HEALTH_CHECK: SimDuration = SimDuration::from_secs(6);

/// The load balancer of a `[[vm]]`.
#[derive(Clone, Debug)]
pub(crate) struct Balanced {
    pub(crate) policy: BalancePolicy,
    pub(crate) health_check: SimDuration,
    pub(crate) replicas: Option<Replicas>,
    pub(crate) spot: Spot,
}

/// Reads the keys; nothing where the copies have loads of their own.
pub(crate) fn read(table: &mut Reader<'_>) -> Option<Balanced> {
    let keys = BalanceKeys::given(table);
    let strays =
        ["health_check", "replicas"].into_iter().filter_map(|key| Some((key, keys.spot(key)?)));
    for (key, spot) in strays.filter(|_| !table.has("balance")) {
        let title = format!("`{key}` is of a load balancer, and this VM has none");
        let help = "write balance = \"round-robin\", or drop it";
        table.report(Diagnostic::at(spot, title).help(help));
    }
    Some(Balanced {
        policy: keys.balance?,
        health_check: keys.health_check.unwrap_or(HEALTH_CHECK),
        replicas: keys.replicas,
        spot: keys.spot("balance")?.clone(),
    })
}
