//! How busy each station of a VM was in the run, 0 to 1: what its work took there over what there
//! was.

use super::batch::Batches;
use super::seen::Seen;
use crate::record::Stage;
use crate::spec::{GpuId, Step, VmId};

/// A station and its busy share.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Busy {
    pub(super) name: String,
    pub(super) share: f64,
    pub(super) figure: &'static str,
}

/// How long a VM's load was, in nanoseconds.
fn span(seen: &Seen<'_>, vm: VmId) -> f64 {
    let end = seen.recorder(vm).last_completion();
    end.saturating_since(seen.vm(vm).power_on).as_nanos_f64().max(1.0)
}

/// CPU work of a VM's batches over what its vCPUs can do.
pub(super) fn vcpus(seen: &Seen<'_>, vm: VmId) -> f64 {
    let server = seen.experiment.first_model(vm);
    let ids = (0..seen.experiment.vms.len() as u16).map(VmId);
    let models = ids.filter(|&id| seen.experiment.first_model(id) == server);
    let work = models.filter_map(|id| {
        let batches = Batches::of(seen.experiment, id)?;
        let (recorder, whole) = (seen.recorder(id), seen.trials.outcome.vms.len());
        debug_assert!(usize::from(id.0) < whole);
        let (count, samples) = (recorder.batches(), recorder.latencies().count() as f64);
        if count <= 0.0 {
            return Some(0.0);
        }
        let [before, after] = batches.cpu(samples / count);
        Some(count * (before + after) / span(seen, id))
    });
    work.sum::<f64>() / f64::from(seen.vm(vm).vcpus)
}

/// How busy a card was: of time, and of what is left to those who share it in turns, switches and
/// turns of others without work included.
pub(super) fn card(seen: &Seen<'_>, card: GpuId) -> f64 {
    let at = usize::from(card.0);
    let time = &seen.trials.outcome.gpu_time[at];
    (seen.trials.outcome.gpu_busy[at] + time.switch).min(1.0)
}

/// The GPU time of a VM over the most that its policy leaves it; nothing where it may have it all.
pub(super) fn own_share(seen: &Seen<'_>, vm: VmId) -> Option<(f64, f64)> {
    let server = seen.experiment.first_model(vm);
    let own = seen.vm(vm);
    let share = own.gpus.first()?;
    let place = super::place::Place::of(seen.experiment, own, share);
    let most = place.promise()?.most;
    let time = &seen.trials.outcome.gpu_time[usize::from(share.card.0)];
    let owners = time.owners.iter();
    let had = owners
        .filter(|one| one.guests.iter().any(|&one| seen.experiment.first_model(one) == server));
    let run: f64 = had.map(|one| one.had.run).sum();
    // Parts are of the whole card.
    let of_card = place.instance.share.get();
    (most < 0.999).then_some((run / of_card, most))
}

/// The stations of a VM, the busiest first.
pub(super) fn stations(seen: &Seen<'_>, vm: VmId) -> Vec<Busy> {
    let mut all = Vec::new();
    let own = seen.vm(vm);
    let mut add = |name: String, share: f64, figure: &'static str| {
        all.push(Busy { name, share: share.clamp(0.0, 1.0), figure });
    };
    if let Some((run, most)) = own_share(seen, vm) {
        add(
            format!("its share of the GPU ({})", super::words::percent(most)),
            run / most,
            "gpu_share_busy_share",
        );
    } else if let Some(share) = own.gpus.first() {
        let place = super::place::Place::of(seen.experiment, own, share);
        let busy = seen.cards(vm).into_iter().map(|one| match place.instance.profile {
            None => card(seen, one),
            Some(_) => instance(seen, vm, place.instance.share.get()),
        });
        let name = match (&place.instance.profile, place.turns()) {
            (Some(_), _) => "its GPU instance",
            (None, Some(_)) => "the GPU (with switches)",
            (None, None) => "the GPU",
        };
        add(name.to_string(), busy.fold(0.0, f64::max), "gpu_busy_share");
    }
    if !own.is_ensemble() {
        add("its vCPUs".to_string(), vcpus(seen, vm), "vcpus_busy_share");
        add("the link to the GPU".to_string(), link(seen, vm), "link_busy_share");
    }
    for (place, step) in own.steps.iter().enumerate() {
        let Step::Cpu(step) = step else { continue };
        let found = seen.recorder(vm).steps()[place].latencies.count() as f64;
        let share = found * step.time.as_nanos_f64() / span(seen, vm) / f64::from(step.count);
        add(format!("the processors of {}", step.name), share, "step_busy_share");
    }
    all.sort_by(|one, other| other.share.total_cmp(&one.share));
    all
}

/// The part of the time in which a VM's own GPU instance had work.
fn instance(seen: &Seen<'_>, vm: VmId, of_card: f64) -> f64 {
    let server = seen.experiment.first_model(vm);
    let cards = seen.cards(vm).into_iter().map(|card| {
        let time = &seen.trials.outcome.gpu_time[usize::from(card.0)];
        let own = time
            .owners
            .iter()
            .filter(|one| one.guests.iter().any(|&one| seen.experiment.first_model(one) == server));
        own.map(|one| one.had.run).fold(0.0, f64::max) / of_card
    });
    cards.fold(0.0, f64::max)
}

/// Copies of all VMs on a VM's first card over what its link carries in the busier direction.
fn link(seen: &Seen<'_>, vm: VmId) -> f64 {
    let Some(share) = seen.vm(vm).gpus.first() else { return 0.0 };
    let mut sums = [0.0; 2];
    for index in 0..seen.experiment.vms.len() as u16 {
        let id = VmId(index);
        let other = seen.vm(id);
        let is_here = other.gpus.iter().any(|one| one.card == share.card);
        let Some(batches) = Batches::of(seen.experiment, id).filter(|_| is_here) else { continue };
        let samples = seen.recorder(id).latencies().count() as f64 / other.gpus.len() as f64;
        for (sum, time) in sums.iter_mut().zip(batches.copies()) {
            *sum += samples * time / span(seen, id);
        }
    }
    sums[0].max(sums[1])
}

/// Mean time of a query in the stages that only wait, in nanoseconds, and in all.
pub(super) fn mean_of(seen: &Seen<'_>, vm: VmId) -> (Vec<(Stage, &'static str, f64)>, f64) {
    let recorder = seen.recorder(vm);
    let stages = Stage::ALL.map(|(stage, name)| (stage, name, recorder.stage_mean(stage)));
    let sum = stages.iter().map(|(_, _, mean)| mean).sum();
    (stages.to_vec(), sum)
}
