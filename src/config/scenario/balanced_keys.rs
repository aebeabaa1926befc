//! The keys of a `[[vm]]` whose copies share a load. What is made of them is in `balanced`.

use crate::config::keys::forms::{choice, within};
use crate::config::keys::keys;
use crate::config::text::{Diagnostic, Reader, Spot};
use crate::spec::BalancePolicy;
use crate::units::SimDuration;

keys! {
    /// The keys of a `[[vm]]` whose copies share one load.
    pub(crate) struct BalanceKeys {
        /// Makes the copies share one load, which a load balancer deals: who gets the next query.
        balance: BalancePolicy = choice("policy of the load balancer", BalancePolicy::ALL);
        /// How long a copy must have stood still, or been down, until it gets no more queries.
        health_check: SimDuration = within("0 to 10 min"), usual HEALTH_CHECK;
    }
}

/// HAProxy's: three checks that fail (`fall`), 2 s from one to the next (`inter`; HAProxy Configuration
/// Manual, "Server and default-server options").
const HEALTH_CHECK: SimDuration = SimDuration::from_secs(6);

/// The load balancer of a `[[vm]]`.
#[derive(Clone, Debug)]
pub(crate) struct Balanced {
    pub(crate) policy: BalancePolicy,
    pub(crate) health_check: SimDuration,
    pub(crate) spot: Spot,
}

/// Reads the keys; nothing where the copies have loads of their own.
pub(crate) fn read(table: &mut Reader<'_>) -> Option<Balanced> {
    let keys = BalanceKeys::given(table);
    if let (None, Some(spot)) = (keys.balance, keys.spot("health_check"))
        && !table.has("balance")
    {
        let title = "`health_check` is of a load balancer, and this VM has none";
        let help = "write balance = \"round-robin\", or drop it";
        table.report(Diagnostic::at(spot, title).help(help));
    }
    Some(Balanced {
        policy: keys.balance?,
        health_check: keys.health_check.unwrap_or(HEALTH_CHECK),
        spot: keys.spot("balance")?.clone(),
    })
}
