//! Rules of affinity: VMs that stay together or apart, and VMs that belong on some hosts.

use super::Cluster;

/// A rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rule {
    /// These VMs are on one host.
    Together(Vec<usize>),
    /// No two of these VMs are on one host.
    Apart(Vec<usize>),
    /// These VMs are on these hosts, or are not.
    Hosts {
        /// The VMs.
        vms: Vec<usize>,
        /// The hosts, rising.
        hosts: Vec<usize>,
        /// Whether they are to be on them, or else kept from them.
        on: bool,
        /// Whether the rule holds in any case, or only as long as there is such a host.
        must: bool,
    },
}

impl Rule {
    /// The VMs that it is about.
    pub fn vms(&self) -> &[usize] {
        match self {
            Rule::Together(vms) | Rule::Apart(vms) | Rule::Hosts { vms, .. } => vms,
        }
    }
}

impl Cluster<'_> {
    /// The rule that keeps a VM from a host.
    pub(super) fn broken_rule(&self, vm: usize, host: usize) -> Option<usize> {
        let is_broken = |rule: usize| match &self.rules[rule] {
            Rule::Together(_) => {
                let members = &self.members[rule];
                members[host] == 0 && members.iter().any(|count| *count > 0)
            }
            Rule::Apart(_) => self.members[rule][host] > 0,
            Rule::Hosts { hosts, on, must: true, .. } => hosts.binary_search(&host).is_ok() != *on,
            Rule::Hosts { .. } => false,
        };
        self.rules_of[vm].iter().copied().find(|rule| is_broken(*rule))
    }

    /// Keeps the hosts that the VM should be on, unless that leaves none.
    pub(super) fn keep_wished(&self, vm: usize, found: &mut Vec<usize>) {
        for rule in &self.rules_of[vm] {
            let Rule::Hosts { hosts, on, must: false, .. } = &self.rules[*rule] else { continue };
            let is_wished = |host: &usize| hosts.binary_search(host).is_ok() == *on;
            if found.iter().any(is_wished) {
                found.retain(is_wished);
            }
        }
    }
}
