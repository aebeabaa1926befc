//! A GPU's file in which measurements of the probe replace the values of the file.

use crate::formats::probe::{Figure, ProbeFile};
use crate::spec::HardwareTurns;

/// The text of a GPU's file with the facts that a probe measured, and the names of their keys.
/// `own` are the turns that the text states.
///
/// Everything else is kept as written, comments too.
pub fn probed_gpu_file(
    text: &str,
    own: &HardwareTurns,
    found: &ProbeFile,
) -> (String, Vec<&'static str>) {
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let mut replaced = Vec::new();
    let source = format!(
        "slicewise probe on {}, driver {}, {}, {}",
        found.gpu.name, found.driver, found.date, found.place.words
    );
    let mut put = |key: &'static str, value: String, note: &str| {
        let source = toml::Value::String(format!("{source}{note}"));
        let fact =
            format!("{key} = {{ value = {value}, source = {source}, standing = \"measured\"");
        replace(&mut lines, key, fact);
        replaced.push(key);
    };
    if let Some((value, range, note)) = turns(found, own) {
        put("process_turns", format!("{value}, range = [{}, {}]", range[0], range[1]), note);
    }
    let limits = found.measured.limits.as_ref().and_then(|limits| limits.step);
    if let Some(step) = limits {
        put("mps_limit_step", step.to_string(), "");
    }
    let alone = found.measured.copies.get("h32 x1").and_then(|copies| copies.first());
    if let Some(gbps) = alone.and_then(|copy| copy.gbps) {
        put("pcie_bandwidth", format!("\"{gbps:.1} GB/s\""), ": 32 MiB from pinned memory");
    }
    let head = format!("# With measurements of the probe: {}.", replaced.join(", "));
    if !replaced.is_empty() && lines.first() != Some(&head) {
        lines.retain(|line| !line.starts_with("# With measurements of the probe: "));
        lines.insert(0, head);
    }
    (lines.join("\n") + "\n", replaced)
}

/// Turns as a GPU's file says them: the value, both ends, and what is not measured of them.
///
/// What is not stays as it was: save and restore as they are, a renewal in its proportion to the slice.
fn turns(found: &ProbeFile, own: &HardwareTurns) -> Option<(String, [String; 2], &'static str)> {
    let turns = &found.measured.turns;
    let (slice, dry) = (turns.slice_ms?, turns.dry_ms?);
    let (save, restore) = (own.switch.save.as_millis_f64(), own.switch.restore.as_millis_f64());
    let as_before = Figure { value: save + restore, low: save + restore, high: save + restore };
    let (stopping, part) = match turns.save_restore_ms {
        Some(stopping) => (stopping, turns.restore_part.unwrap_or(0.5)),
        None => (as_before, if as_before.value > 0.0 { restore / as_before.value } else { 0.5 }),
    };
    let longer = own.renewal / own.slice;
    let note = match (turns.renewal_ms, turns.save_restore_ms) {
        (Some(_), Some(_)) => "",
        (None, Some(_)) => "; renewal not measured: to the slice as before",
        (Some(_), None) => "; save and restore not measured: as before",
        (None, None) => "; renewal, save and restore not measured: as before",
    };
    let of = |end: fn(Figure) -> f64| {
        let ms = |figure: f64| format!("\"{figure:.4} ms\"");
        let restore = end(stopping) * part;
        format!(
            "{{ slice = {}, renewal = {}, dry = {}, save = {}, restore = {} }}",
            ms(end(slice)),
            ms(turns.renewal_ms.map_or(end(slice) * longer, end)),
            ms(end(dry)),
            ms(end(stopping) - restore),
            ms(restore)
        )
    };
    Some((of(|figure| figure.value), [of(|figure| figure.low), of(|figure| figure.high)], note))
}

/// Puts a fact of one line where the key stands, or above the first table where it does not.
fn replace(lines: &mut Vec<String>, key: &str, fact: String) {
    let header = format!("[{key}]");
    let starts = |line: &str| {
        let rest = line.strip_prefix(key).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with('=') || rest.starts_with('.'))
    };
    let is_table = |line: &String| line.starts_with('[');
    // A table of its own, up to the comments and blank lines above the next one.
    if let Some(from) = lines.iter().position(|line| line.trim_end() == header) {
        let next = lines[from + 1..].iter().position(is_table);
        let mut to = next.map_or(lines.len(), |next| from + 1 + next);
        let is_between = |line: &String| line.trim().is_empty() || line.starts_with('#');
        while next.is_some() && to > from + 1 && is_between(&lines[to - 1]) {
            to -= 1;
        }
        lines.drain(from..to);
    }
    let first_table = lines.iter().position(is_table).unwrap_or(lines.len());
    let own = lines[..first_table].iter().position(|line| starts(line));
    lines.retain(|line| !starts(line));
    let mut at = own.unwrap_or_else(|| lines.iter().position(is_table).unwrap_or(lines.len()));
    // Above the comments of that table.
    while own.is_none()
        && at > 0
        && (lines[at - 1].starts_with('#') || lines[at - 1].trim().is_empty())
    {
        at -= 1;
    }
    lines.insert(at, fact + " }");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::catalogue::Catalogue;
    use crate::formats::probe;
    use crate::units::SimDuration;

    fn h200() -> ProbeFile {
        probe::read(include_str!("../../../tests/formats/probe/h200.json")).unwrap()
    }

    /// Every GPU of the catalogue with the probe's figures is a GPU still, with these figures and all
    /// else as it was; and the same again changes nothing.
    #[test]
    fn every_gpu_takes_what_was_measured() {
        let catalogue = Catalogue::load(None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("gpus")).unwrap();
        let mut texts = Vec::new();
        for gpu in catalogue.gpus() {
            let before = catalogue.show(&format!("gpus/{}", gpu.id)).unwrap();
            let (text, replaced) = probed_gpu_file(before, &gpu.process_turns.value, &h200());
            assert_eq!(replaced, ["process_turns", "mps_limit_step", "pcie_bandwidth"]);
            std::fs::write(folder.path().join(format!("gpus/{}.toml", gpu.id)), &text).unwrap();
            texts.push((gpu.id.clone(), text, gpu.process_turns.value));
        }
        let own = Catalogue::load(Some(folder.path())).unwrap();
        for gpu in catalogue.gpus() {
            let probed = own.gpu(&gpu.id).unwrap();
            let turns = &probed.process_turns;
            assert_eq!(turns.value.slice, SimDuration::from_nanos(2_089_500), "{}", gpu.id);
            let [low, high] = turns.range.unwrap();
            assert!(low.is_within(&turns.value) && turns.value.is_within(&high), "{}", gpu.id);
            // The probe saw no renewal there: in the proportion of the catalogue's.
            let before = &gpu.process_turns.value;
            let longer = [turns.value, *before].map(|turns| turns.renewal / turns.slice);
            assert!((longer[0] - longer[1]).abs() < 1e-4, "{}: {longer:?}", gpu.id);
            assert!(turns.source.contains("driver 580.159, 2026-11-26"), "{}", turns.source);
            let mut as_before = probed.clone();
            as_before.process_turns = gpu.process_turns.clone();
            as_before.mps_limit_step = gpu.mps_limit_step.clone();
            as_before.pcie_bandwidth = gpu.pcie_bandwidth.clone();
            assert_eq!(format!("{as_before:?}"), format!("{gpu:?}"));
        }
        for (id, text, before) in texts {
            assert_eq!(probed_gpu_file(&text, &before, &h200()).0, text, "{id}");
        }
    }

    #[test]
    fn what_was_not_measured_stays() {
        let mut found = h200();
        found.measured.turns.dry_ms = None;
        found.measured.limits = None;
        found.measured.copies.clear();
        let catalogue = Catalogue::load(None).unwrap();
        let text = catalogue.show("gpus/a30").unwrap().to_string();
        let own = &catalogue.gpu("a30").unwrap().process_turns.value;
        assert_eq!(probed_gpu_file(&text, own, &found), (text, Vec::new()));
    }
}
