//! Sentences on a capacity: the range of VALID rates, the rates that were tried, and what to
//! change.
//!
//! It decides nothing; every sentence is made from the results of a search.

use super::border::{Ended, Limit, RangeEnd, SearchRecord};
use super::figures::digits;
use super::variant::is_server;
use crate::spec::{BatchRule, Experiment, VmSpec};

/// Notes on the borders that were found, one for each replication, as sentences without a full
/// stop.
pub(super) fn of_all(experiment: &Experiment, limits: &[Limit]) -> Vec<String> {
    let found = limits.iter().find(|limit| limit.rate > 0.0);
    let Some(shown) = found.or(limits.first()) else { return Vec::new() };
    let mut said = about(experiment, shown);
    if shown.ended == Ended::Complete {
        said.extend(limits.iter().find_map(early));
    }
    let without = limits.iter().filter(|limit| limit.rate == 0.0).count();
    if shown.rate > 0.0 && without > 0 {
        said.push(format!(
            "in {without} of {} searches, each with other random numbers, no rate is VALID, and \
             the capacity is that of the others: the range of VALID rates is too small to rely on",
            limits.len()
        ));
    }
    said
}

fn about(experiment: &Experiment, limit: &Limit) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(looked) = &limit.looked {
        said.push(range(limit, looked));
        let also = looked.also_valid_per_s.iter().map(|[low, high]| {
            format!("VALID by short runs also from {}/s to {}/s", digits(*low), digits(*high))
        });
        said.extend(also);
        let is_above = limit.rate > 1.1 * looked.saturation_per_s;
        said.extend((limit.is_open || is_above).then(|| too_short(experiment, limit, looked)));
        said.extend(advice(experiment, limit));
    } else if limit.rate > 0.0 && limit.is_open {
        said.push(format!("VALID at every rate that was tried, up to {}/s", digits(limit.rate)));
    }
    said.extend(early(limit));
    said
}

/// From where to where, and what stands at both ends.
fn range(limit: &Limit, looked: &SearchRecord) -> String {
    let (low, high) = (&looked.lowest, &looked.highest);
    let rates = looked.runs_short + looked.runs_full;
    let tried = format!(
        "tried {rates} rates from {}/s to {}/s",
        digits(low.rate_per_s),
        digits(high.rate_per_s.max(limit.rate))
    );
    let at = |end: &RangeEnd| format!("at {}/s {}", digits(end.rate_per_s), end.failed.join("; "));
    let above = match limit.failed.is_empty() {
        true => String::new(),
        false => format!("; just above, {}", limit.failed.join("; ")),
    };
    if limit.rate == 0.0 {
        let nearest = looked.nearest.as_ref().filter(|near| near != &low && near != &high);
        let nearest =
            nearest.map_or(String::new(), |near| format!("; nearest to VALID, {}", at(near)));
        let ends: Vec<String> =
            [low, high].into_iter().filter(|end| !end.failed.is_empty()).map(at).collect();
        return format!("no rate is VALID; {tried}: {}{nearest}", ends.join("; "));
    }
    if limit.is_open {
        return match limit.lowest {
            None => format!(
                "VALID at every rate that was tried, so higher rates may be VALID, too; {tried}"
            ),
            Some(lowest) => format!(
                "VALID from {}/s on at every rate that was tried, so higher rates may be VALID, \
                 too; {tried}: {}",
                digits(lowest),
                at(low)
            ),
        };
    }
    match limit.lowest {
        Some(lowest) => format!(
            "VALID from {}/s to {}/s; {tried}: {}{above}",
            digits(lowest),
            digits(limit.rate),
            at(low)
        ),
        None => format!("{tried}, VALID from the lowest on{above}"),
    }
}

/// Why a rate above what the cards can do is VALID.
fn too_short(experiment: &Experiment, limit: &Limit, looked: &SearchRecord) -> String {
    let asked = super::variant::asked_per_s(experiment);
    let longest = experiment.vms.iter().filter(is_server).max_by(|one, other| {
        let part = |vm: &VmSpec| vm.load.settings.target_latency;
        part(one).cmp(&part(other))
    });
    let vm = longest.expect("a capacity has a Server VM");
    let settings = &vm.load.settings;
    let own = limit.rate * settings.target_qps / asked;
    let made = (own * settings.min_duration.as_secs_f64()).max(settings.min_query_count as f64);
    format!(
        "the cards can sustain about {}/s, but a run of {} queries ends before too many of them \
         wait longer than the bound of {}: give it a min_duration (now {}) of several times the \
         bound, or a shorter bound",
        digits(looked.saturation_per_s),
        digits(made),
        settings.target_latency,
        settings.min_duration
    )
}

/// What to change where low rates wait for full batches.
fn advice(experiment: &Experiment, limit: &Limit) -> Option<String> {
    let fails_low = limit.rate == 0.0 || limit.lowest.is_some();
    let waits = experiment.vms.iter().filter(is_server).find(|vm| {
        let bound = vm.load.settings.target_latency;
        let long = vm.server.timeout.is_none_or(|timeout| timeout >= bound);
        vm.server.batch_rule == BatchRule::Full && vm.server.batch_max > 1 && long
    })?;
    let text = format!(
        "its server waits for full batches of {}: with `server.timeout` well below the bound of {} low rates would be VALID, too",
        waits.server.batch_max, waits.load.settings.target_latency
    );
    fails_low.then_some(text)
}

/// That a search ended before it knew.
fn early(limit: &Limit) -> Option<String> {
    let known = match (limit.rate > 0.0, limit.is_confirmed) {
        (false, _) => "no VALID rate was known yet, which does not mean that there is none",
        (true, true) => "the rate is VALID, but a higher one may be, too",
        (true, false) => "the rate is VALID by short runs only",
    };
    match limit.ended {
        Ended::Complete => None,
        Ended::Work => Some(format!(
            "the search ended early, at its limit of 2 billion simulated events and samples; \
             {known}; shorter runs would let it finish (min_duration, min_query_count)"
        )),
        Ended::Stopped => Some(format!(
            "the search was stopped by its time limit; {known}; another run may get further, so \
             this answer is not reproducible"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_sentences_have_four_digits() {
        for (number, shown) in [
            (97.040_134, "97.04"),
            (52_723.41, "52720"),
            (1.134_1e-6, "0.000001134"),
            (0.1 + 0.2, "0.3"),
        ] {
            assert_eq!(digits(number).to_string(), shown);
        }
    }
}
