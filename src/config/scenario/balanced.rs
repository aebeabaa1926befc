//! A load that the copies of a VM share: `balance` and `health_check` of a `[[vm]]`, and the load balancer
//! that they make.
//!
//! The copies then have no load of their own; their rates together are that of the one load.

use super::balanced_keys::Balanced;
use super::guest::Guest;
use crate::config::text::{Diagnostic, Problems, Spot};
use crate::spec::{Arrivals, Balance, Experiment, LoadSpec, Step, TestScenario, VmId, VmSpec};
use crate::suggest::quoted;
use crate::units::SimTime;

/// Refuses what a load balancer cannot deal, or what it cannot deal to.
pub(crate) fn check(guests: &[Guest], problems: &Problems) {
    for guest in guests {
        let Some(Balanced { spot, replicas, .. }) = &guest.balanced else { continue };
        let vm = &guest.vm;
        if problems.rates_are_parts {
            let title = "a search for the highest rate of a load that VMs share is not simulated";
            let help = "drop `balance`: then each VM has its own rate";
            problems.push(Diagnostic::at(spot, title).help(help));
            return;
        }
        let (why, help) = if guest.copies.is_none_or(|copies| copies < 2) {
            ("is one VM, and a load balancer needs two", "write count = 2, or drop `balance`")
        } else if guest.model.is_some() {
            ("has several models", "write a [[vm]] of one workload, or drop `balance`")
        } else if vm.load.scenario != TestScenario::Server {
            ("has no Server load", "write scenario = \"server\" in [vm.load]")
        } else if vm.power_on > SimTime::ZERO || vm.power_off.is_some() {
            ("has `power_on` or `power_off`", "write [[operation]] with kind = \"power-off\"")
        } else if replicas.is_some_and(|replicas| Some(replicas.min) > guest.copies) {
            ("has fewer copies than its least number of replicas", "write a higher `count`")
        } else {
            continue;
        };
        let title = format!("`balance` of {}, which {why}", quoted(&vm.name));
        problems.push(Diagnostic::at(spot, title).help(help));
    }
}

/// Whether any copies share a load, and where that is said.
pub(crate) fn of_any(guests: &[Guest]) -> Option<&Spot> {
    guests.iter().find_map(|guest| guest.balanced.as_ref()).map(|balanced| &balanced.spot)
}

/// Gives the loads of copies that share one to their load balancer.
pub(crate) fn share(experiment: &mut Experiment, guests: &[Guest]) {
    for guest in guests {
        let Some(balanced) = guest.balanced.clone() else { continue };
        let Balanced { policy, health_check, replicas, .. } = balanced;
        let name = &guest.vm.name;
        let of_guest = |vm: &VmSpec| vm.group == *name;
        let places = experiment.vms.iter().enumerate().filter(|(_, vm)| of_guest(vm));
        let members: Vec<VmId> = places.map(|(place, _)| VmId(place as u16)).collect();
        let Some(&first) = members.first() else { continue };
        let mut load = guest.vm.load.clone();
        // A trace is that of all copies, a rate that of each.
        if !matches!(load.arrivals, Arrivals::Trace(_)) {
            load.settings.target_qps *= members.len() as f64;
        }
        for member in &members {
            experiment.vms[usize::from(member.0)].load = LoadSpec::idle();
        }
        let steps = members.iter().copied().map(Step::Model).collect();
        let gpus = members.iter().flat_map(|vm| experiment.vms[usize::from(vm.0)].gpus.clone());
        let gpus = gpus.collect();
        let balance = Some(Balance { members, policy, health_check, replicas });
        let shared = VmSpec {
            name: name.clone(),
            server_of: Some(first),
            load,
            gpus,
            steps,
            balance,
            ..experiment.vms[usize::from(first.0)].clone()
        };
        experiment.vms.push(shared);
    }
}
