//! `turns-of-batch`: how many turns a full batch takes, and which batch fits into one.

use super::super::place::longest_wait;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{exact, three};

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.with_batches().filter_map(|(group, batches)| {
        let place = batches.place();
        let turns = place.turns().filter(|turns| turns.slots > 1 && turns.overshoot.is_finite())?;
        // A slice of a pod may be cut by the end of its VM's turn.
        if place.node.is_some_and(|node| node.slices().is_some()) {
            return None;
        }
        let (size, slice) = (batches.full(), exact(turns.slice));
        let time = batches.alone(size);
        let count = turns.of_batch(time);
        let what = match size {
            1 => "A query".to_string(),
            size => format!("A full batch of {size}"),
        };
        let wait = longest_wait(place, 0.0).and_then(Result::ok).map_or(0.0, |wait| wait.nanos);
        let stretched = time + (count - 1.0) * wait;
        let text = match count > 1.0 {
            false => format!("{what} takes {} of GPU time and fits into one turn of {slice}.", exact(time)),
            true => {
                let stretched = match wait > 0.0 {
                    true => format!(", up to {} from its first turn to its end", exact(stretched)),
                    false => String::new(),
                };
                let smaller = batches.largest_within(turns.slice, size);
                let smaller = match smaller.filter(|_| size > 1) {
                    Some(fits) => format!(
                        "; a batch of {fits} ({}) takes one turn, a batch of {} ({}) two or more",
                        exact(batches.alone(fits)),
                        fits + 1,
                        exact(batches.alone(fits + 1))
                    ),
                    None if size > 1 => {
                        format!("; not even one query ({}) fits into one", exact(batches.alone(1)))
                    }
                    None => String::new(),
                };
                format!(
                    "{what} takes {} of GPU time, more than a turn of {slice}: {} turns while the others have work{stretched}{smaller}.",
                    exact(time),
                    three(count)
                )
            }
        };
        let fits = batches.largest_within(turns.slice, size);
        let said = Said::new(seen.about(group), text)
            .with("full_batch_samples", f64::from(size))
            .with("full_batch_gpu_ms", time / 1e6)
            .with("slice_ms", turns.slice / 1e6)
            .with("turns_count", count)
            .with("one_turn_samples", fits.map_or(0.0, f64::from));
        Some(if wait > 0.0 { said.with("full_batch_longest_ms", stretched / 1e6) } else { said })
    });
    said.collect()
}
