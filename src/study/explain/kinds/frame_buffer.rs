//! `frame-buffer`: the GPU memory that full batches need, of what there is.

use super::super::memory;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{percent, three};
use crate::units::Bytes;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.with_batches().filter_map(|(group, batches)| {
        let place = batches.place();
        let (limit, is_shared) = memory::limit(place)?;
        let own = memory::need(seen.experiment, group.vms[0]);
        let need = if is_shared { memory::need_of_all(seen.experiment, place) } else { own };
        let part = need.get() as f64 / limit.get().max(1) as f64;
        if part < WORTH {
            return None;
        }
        let of_all = match is_shared {
            true => format!(" of GPU memory; all {} processes together need", place.owners),
            false => ",".to_string(),
        };
        let text = match is_shared {
            true => format!(
                "{} needs {}{of_all} {} of {} ({}).",
                seen.each(group),
                gib(own),
                gib(need),
                gib(limit),
                percent(part)
            ),
            false => format!(
                "Full batches need {} of its {} of GPU memory ({}).",
                gib(need),
                gib(limit),
                percent(part)
            ),
        };
        let said = Said::new(seen.about(group), text)
            .with("need_gib", own.get() as f64 / GIB)
            .with("memory_gib", limit.get() as f64 / GIB)
            .with("need_share", part);
        Some(said)
    });
    said.collect()
}

/// Less than this is not worth a sentence.
const WORTH: f64 = 0.05;

const GIB: f64 = 1_073_741_824.0;

fn gib(bytes: Bytes) -> String {
    format!("{} GiB", three(bytes.get() as f64 / GIB))
}
