//! How large a run may be: what all of its VMs together hold in memory while it is simulated.
//!
//! No number of VMs, cards or streams is too large by itself; their products are what memory holds.

use super::guest::Guest;
use crate::config::text::{Diagnostic, Problems};
use crate::spec::{TestScenario, VmSpec};
use crate::study::Obstacle;

/// Most VMs in a file.
pub(crate) const VMS_MAX: usize = 20_000;

/// Something of which every guest has some.
struct Held {
    /// How it is called, and what makes more of it.
    name: &'static str,
    most: u64,
    /// What so many of them are.
    about: &'static str,
    of: fn(&Guest) -> u64,
}

const HELD: [Held; 5] = [
    Held {
        name: "latency records",
        most: 20_000,
        about: "one for each VM or model, priority level and ensemble step; about 160 KB each",
        of: |guest| {
            let VmSpec { server, steps, .. } = &guest.vm;
            // One level is the VM's own record.
            let levels = server.queues.levels.len() as u64;
            1 + if levels > 1 { levels } else { 0 } + steps.len() as u64
        },
    },
    Held {
        name: "shares of cards",
        most: 30_000,
        about: "VMs or models x GPUs of each",
        of: |guest| u64::from(guest.cards),
    },
    Held {
        name: "streams and slots",
        most: 1_000_000,
        about: "VMs or models x GPUs of each x streams or slots on each",
        of: |guest| {
            let server = &guest.vm.server;
            u64::from(guest.cards) * u64::from(server.streams.max(server.slots))
        },
    },
    Held {
        name: "processes",
        most: 60_000,
        about: "VMs or models x GPUs of each x processes on each",
        of: |guest| u64::from(guest.cards) * u64::from(guest.vm.server.processes()),
    },
    Held {
        name: "samples that are asked at once",
        most: 20_000_000,
        about: "clients of closed loops, and samples_per_query of MultiStream",
        of: |guest| match guest.vm.load.scenario {
            TestScenario::ClosedLoop { clients, .. } => u64::from(clients),
            TestScenario::MultiStream { samples } => u64::from(samples),
            _ => 0,
        },
    },
];

/// Checks what all guests hold together, copies and each model of a server counted; whether it is not
/// too much.
pub(super) fn fits_memory(guests: &[Guest], problems: &Problems) -> bool {
    let mut fits = true;
    for Held { name, most, about, of } in &HELD {
        let of_guest = |guest: &Guest| {
            let models: u64 = guest.by_model().iter().map(of).sum();
            models * u64::from(guest.copies.unwrap_or(1))
        };
        let all: u64 = guests.iter().map(of_guest).sum();
        let Some(dearest) = guests.iter().max_by_key(|guest| of_guest(guest)) else { continue };
        if all <= *most {
            continue;
        }
        fits = false;
        let title = format!("the VMs together have {all} {name}");
        let diagnostic = Diagnostic::at(&dearest.spots.name, title).of_limit(Obstacle::Limit);
        let allowed = format!("at most {most} in one run ({about})");
        let help = "write fewer into one file: VMs that share no card, processor or link do not \
            affect each other";
        problems.push(diagnostic.allowed(allowed).help(help));
    }
    fits
}
