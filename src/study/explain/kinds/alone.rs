//! `alone`: a VM that shares its GPU, or its GPU instance, with nobody.

use super::super::place::Place;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{percent, three};

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.with_batches().filter_map(|(group, batches)| {
        let place = batches.place();
        if place.owners > 1
            || place.node.is_some()
            || place.turns().is_some_and(|turns| turns.slots > 1)
        {
            return None;
        }
        let text = words(place, seen.first(group).gpus.len());
        let part = place.instance.share.get();
        let said = Said::new(seen.about(group), format!("{} {text}", seen.each(group)));
        Some(said.with("sms_share", part).with("memory_share", place.instance.memory_share.get()))
    });
    said.collect()
}

fn words(place: &Place<'_>, gpus: usize) -> String {
    let sms = f64::from(place.card.gpu.sms.value);
    let part = place.instance.share.get();
    match &place.instance.profile {
        Some(profile) => format!(
            "has a GPU instance {profile} to itself: {} of {sms} SMs ({}) and {} of the memory bandwidth, and waits for nobody's turn.",
            three((sms * part).round()),
            percent(part),
            percent(place.instance.memory_share.get())
        ),
        None => {
            let of = match gpus {
                1 => "its GPU".to_string(),
                count => format!("each of its {count} GPUs"),
            };
            format!("has all {sms} SMs of {of} to itself and waits for nobody's turn.")
        }
    }
}
