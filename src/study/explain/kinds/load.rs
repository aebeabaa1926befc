//! `load`: the work that is asked of a GPU, or of a part of it that several share, over what it can
//! do.

use super::super::batch::{Batches, asked};
use super::super::place::Place;
use super::super::seen::Seen;
use super::super::sentence::{About, Said};
use super::super::words::percent;
use crate::spec::{GpuId, VmId};
use std::collections::BTreeMap;

/// The work asked of an instance, as parts of its time: in full batches, and one by one.
#[derive(Clone, Copy, PartialEq, Default)]
struct Work {
    full: f64,
    single: f64,
    owners: usize,
}

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let mut of_place: BTreeMap<(GpuId, u16), Option<Work>> = BTreeMap::new();
    for index in 0..seen.experiment.vms.len() as u16 {
        let id = VmId(index);
        if !seen.experiment.has_work(id) {
            continue;
        }
        let vm = seen.vm(id);
        for share in &vm.gpus {
            let sum = of_place.entry((share.card, share.instance)).or_insert(Some(Work::default()));
            let work = work(seen, id, &Place::of(seen.experiment, vm, share));
            *sum = match (*sum, work) {
                (Some(sum), Some(work)) => Some(Work {
                    full: sum.full + work.full,
                    single: sum.single + work.single,
                    owners: work.owners,
                }),
                _ => None,
            };
        }
    }
    // Cards with the same load are one subject.
    let mut alike: Vec<(Work, Vec<u16>)> = Vec::new();
    for ((card, _), work) in of_place {
        let Some(work) = work.filter(|work| work.owners > 1) else { continue };
        let same = |one: &Work| (one.full - work.full).abs() < 1e-9 && one.owners == work.owners;
        match alike.iter_mut().find(|(one, _)| same(one)) {
            Some((_, cards)) if cards.contains(&card.0) => {}
            Some((_, cards)) => cards.push(card.0),
            None => alike.push((work, vec![card.0])),
        }
    }
    alike.sort_by(|one, other| other.0.full.total_cmp(&one.0.full));
    alike.into_iter().map(|(work, gpus)| said(work, gpus)).collect()
}

fn said(work: Work, gpus: Vec<u16>) -> Said {
    let each = if gpus.len() > 1 { "Each is" } else { "It is" };
    let [full, single] = [work.full, work.single].map(percent);
    let text = match work.full >= 1.0 {
        true => format!(
            "{each} asked for {full} of its time, even in full batches: too much for {} owners, and queues grow.",
            work.owners
        ),
        false if (work.single / work.full.max(1e-12) - 1.0).abs() < 0.005 => {
            format!(
                "{each} asked for {full} of its time by {} owners, switches aside.",
                work.owners
            )
        }
        false => format!(
            "{each} asked for {full} of its time by {} owners if batches are full, and for {single} if every query goes alone, switches aside.",
            work.owners
        ),
    };
    Said::new(About { vms: Vec::new(), gpus }, text)
        .with("load_full_batches_share", work.full)
        .with("load_single_queries_share", work.single)
        .with("owners_count", work.owners as f64)
}

/// Of one VM on one of its cards; nothing where its rate follows from the answers.
fn work(seen: &Seen<'_>, id: VmId, place: &Place<'_>) -> Option<Work> {
    let batches = Batches::of(seen.experiment, id)?;
    let per_s = asked(seen.experiment, id)? / seen.vm(id).gpus.len() as f64;
    let full = per_s / batches.at_full_speed(batches.full());
    let single = per_s / batches.at_full_speed(1);
    Some(Work { full, single, owners: place.owners })
}
