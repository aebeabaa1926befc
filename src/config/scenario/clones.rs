//! VMs that operations with `kind = "clone"` make: like another, with its own random numbers, from when they
//! serve to the end of the run.
//!
//! When and where one serves is worked out in `operations::plan`.

use super::guest::Guest;
use super::operations_keys::{OperationKeys, Word};
use super::size::VMS_MAX;
use crate::config::text::{Diagnostic, Problems, Spot};
use crate::operations::VmAsked;
use crate::spec::{Arrivals, Experiment, GpuShare, VmId, VmSpec};
use crate::suggest::quoted;
use crate::units::SimTime;
use std::collections::BTreeSet;

/// What the VM is called that an operation makes.
pub(super) fn name(keys: &OperationKeys) -> Option<String> {
    let of = keys.vm.as_ref()?;
    Some(keys.name.clone().unwrap_or_else(|| format!("{of}-clone")))
}

/// The first operation that makes a VM.
pub(super) fn first(asked: &[(OperationKeys, Spot)]) -> Option<&Spot> {
    asked.iter().find(|(keys, _)| keys.kind == Some(Word::Clone)).map(|(_, spot)| spot)
}

/// The VMs that operations make, in the order of these; what cannot be made is reported.
pub(super) fn asked(
    operations: &[(OperationKeys, Spot)],
    vms: &[VmAsked],
    (guests, experiment): (&[Guest], &Experiment),
    problems: &Problems,
) -> Vec<VmAsked> {
    let mut names: BTreeSet<&str> = vms.iter().map(|vm| &*vm.name).collect();
    names.extend(experiment.vms.iter().map(|vm| &*vm.name));
    names.extend(experiment.others.iter().map(|other| &*other.name));
    let mut names: BTreeSet<String> = names.into_iter().map(str::to_string).collect();
    let mut clones: Vec<VmAsked> = Vec::new();
    let refuse = |spot: &Spot, title: String, help: &str| {
        problems.push(Diagnostic::at(spot, title).help(help));
    };
    let made = operations.iter().filter(|(keys, _)| keys.kind == Some(Word::Clone));
    for (keys, spot) in made {
        let (Some(of), Some(name)) = (&keys.vm, name(keys)) else { continue };
        let at = |key: &str| keys.spot(key).unwrap_or(spot);
        let Some(source) = vms.iter().position(|vm| vm.name == *of) else {
            if clones.iter().any(|clone| clone.name == *of) {
                let title = format!("{} is a clone, of which no clones are simulated", quoted(of));
                refuse(at("vm"), title, "name the VM that it is made of");
            }
            // Another that is unknown is told of with the other operations.
            continue;
        };
        let guest = &guests[source];
        let load = &guest.vm.load;
        let why = if guest.balanced.is_some() {
            Some(("shares its load with other VMs", "write [vm.replicas], or drop `balance`"))
        } else if matches!(load.arrivals, Arrivals::Trace(_) | Arrivals::Pattern(_)) {
            Some(("has a load of given times", "give it a rate"))
        } else {
            None
        };
        if let Some((why, help)) = why {
            let title = format!("clones of {}, which {why}, are not simulated", quoted(of));
            refuse(at("vm"), title, help);
            continue;
        }
        if !names.insert(name.clone()) {
            let title = format!("a clone named {}, as another VM is", quoted(&name));
            refuse(at("name"), title, "give it its own: name = \"NAME\"");
            continue;
        }
        clones.push(VmAsked { name, clone_of: Some(source), ..vms[source].clone() });
    }
    let all = experiment.vms.len() + clones.len();
    if all > VMS_MAX
        && let Some(spot) = first(operations)
    {
        let title = format!("{all} VMs, clones counted");
        problems.push(Diagnostic::at(spot, title).allowed(format!("at most {VMS_MAX}")));
    }
    clones
}

/// Adds a clone of a VM, with all its models: of the first model and both names. It serves from then, to the
/// end.
pub(super) fn add(
    experiment: &mut Experiment,
    (of, [own, name]): (VmId, [&String; 2]),
    (at, end): (SimTime, SimTime),
    gpus: Vec<GpuShare>,
) {
    let first = VmId(experiment.vms.len() as u16);
    let models = (0..first.0).map(VmId).filter(|vm| experiment.first_model(*vm) == of);
    let models: Vec<VmSpec> = models.map(|vm| experiment.vms[usize::from(vm.0)].clone()).collect();
    for mut vm in models {
        let model = vm.name.strip_prefix(own.as_str()).unwrap_or_default();
        vm.name = format!("{name}{model}");
        vm.group = vm.name.clone();
        (vm.power_on, vm.gpus) = (at, gpus.clone());
        vm.server_of = vm.server_of.map(|_| first);
        if !vm.load.is_idle() {
            // However many queries those must ask that are there from the start.
            let settings = &mut vm.load.settings;
            (settings.min_query_count, settings.min_duration) = (1, end - at);
        }
        experiment.vms.push(vm);
    }
}
