//! `turn-wait`: how much of the time on a shared GPU is waiting: for the others' turns, or slowed
//! down beside them.

use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{ns, percent, three};
use crate::record::Stage;
use crate::spec::InstanceSharing;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.with_batches().filter_map(|(group, batches)| {
        let place = batches.place();
        let is_shared = place.owners > 1 || place.node.is_some();
        if matches!(place.instance.sharing, InstanceSharing::Alone) || !is_shared {
            return None;
        }
        let worst = seen.worst(group);
        let recorder = seen.recorder(worst);
        let samples = recorder.latencies().count() as f64;
        if recorder.batches() <= 0.0 || samples <= 0.0 {
            return None;
        }
        let size = (samples / recorder.batches()).max(1.0);
        let there = recorder.stage_mean(Stage::Gpu);
        let [low, high] = [size.floor(), size.ceil()].map(|size| batches.alone(size as u32));
        let work = (low + (high - low) * size.fract()).min(there);
        let waits = there - work;
        if waits < 0.02 * there {
            return None;
        }
        let why = match place.turns() {
            Some(_) => "waiting for turns",
            None => "what batches beside it cost",
        };
        let text = format!(
            "Of {} on the GPU, {} are the work of a mean batch ({}) and {} ({}) are {why}.",
            ns(there),
            ns(work),
            three(size),
            ns(waits),
            percent(waits / there)
        );
        let said = Said::new(seen.about(group), text)
            .with("gpu_ms", there / 1e6)
            .with("gpu_work_ms", work / 1e6)
            .with("gpu_wait_ms", waits / 1e6)
            .with("batch_mean_samples", samples / recorder.batches());
        Some(said)
    });
    said.collect()
}
