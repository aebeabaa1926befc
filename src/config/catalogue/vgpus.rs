//! Reads the vGPU types of a GPU's file: time-sliced ones and those backed by GPU instances.
//!
//! It reads one table at a time; which types fit on one card is decided in `layout::fit`.

use super::entries::above_zero;
use super::facts::{entries_of, list_in};
use crate::config::text::{Reader, Value};
use crate::spec::{MigProfile, MixedSize, VgpuType};
use crate::suggest::quoted;

/// A table of types, and its note if it has one.
pub(crate) type Types = (Vec<VgpuType>, Option<String>);

/// Most vGPUs that any card takes.
const VGPUS_MAX: u32 = 64;

/// `value = [{ name = "A100-8C", frame_buffer = "8192 MiB", max_per_gpu = 5, at = "{0,12}:8" }, ...]`.
/// `mixed_size = "unsupported"` where the GPU has no mixed-size mode.
pub(crate) fn time_sliced(table: &mut Reader<'_>) -> Option<Types> {
    let modes = [("supported", true), ("unsupported", false)];
    let has_mode = table.get("mixed_size").map(|value| value.choice("mixed-size mode", &modes));
    let has_mode = has_mode.unwrap_or(Some(true));
    let types = list_in(table).and_then(|list| time_sliced_of(&list, has_mode == Some(true)));
    has_mode.and(with_note(table, types))
}

/// `vgpu_types = [{ name = "X1-8C", ... }]` in a file of the user.
pub(crate) fn own_time_sliced(list: &Value<'_>) -> Option<Types> {
    Some((time_sliced_of(list, true)?, None))
}

fn time_sliced_of(list: &Value<'_>, has_mode: bool) -> Option<Vec<VgpuType>> {
    entries_of(list, |entry| {
        let vgpu = common(entry);
        let mixed_size = match has_mode {
            true => mixed_size(entry),
            false => Some(MixedSize::Unsupported),
        };
        Some(VgpuType { mixed_size: mixed_size?, ..vgpu? })
    })
}

/// `value = [{ name = "A100-1-5C", frame_buffer = "5120 MiB", max_per_gpu = 7, profile = "1g.5gb" },
/// ...]`, with `max_per_instance` where several share an instance. The `profiles` are not known when
/// their own list is faulty.
pub(crate) fn backed(table: &mut Reader<'_>, profiles: Option<&[MigProfile]>) -> Option<Types> {
    let types = list_in(table).and_then(|list| backed_of(&list, profiles));
    with_note(table, types)
}

/// `mig_vgpu_types = [{ name = "X1-1-5C", ... }]` in a file of the user.
pub(crate) fn own_backed(list: &Value<'_>, profiles: Option<&[MigProfile]>) -> Option<Types> {
    Some((backed_of(list, profiles)?, None))
}

fn backed_of(list: &Value<'_>, profiles: Option<&[MigProfile]>) -> Option<Vec<VgpuType>> {
    entries_of(list, |entry| {
        let vgpu = common(entry);
        let profile = entry.need("profile", "name its GPU instance profile");
        let profile = profile.and_then(|value| profile_of(&value, profiles));
        let most = entry.get("max_per_instance");
        let most = most.map_or(Some(1), |value| value.count(1..=VGPUS_MAX, " vGPUs"));
        Some(VgpuType { profile: Some(profile?), max_per_instance: most?, ..vgpu? })
    })
}

fn with_note(table: &mut Reader<'_>, types: Option<Vec<VgpuType>>) -> Option<Types> {
    let note = table.get("note").map(|value| value.text().map(str::to_string));
    Some((types?, note.flatten()))
}

/// What every type has.
fn common(entry: &mut Reader<'_>) -> Option<VgpuType> {
    let name = entry.need("name", "write the vendor's name of the type");
    let name = name.and_then(|value| value.text());
    let frame_buffer = entry.need("frame_buffer", "write its frame buffer, such as \"40960 MiB\"");
    let frame_buffer = frame_buffer.and_then(|value| above_zero(&value));
    let max_per_gpu = entry.need("max_per_gpu", "write how many fit on one card");
    let max_per_gpu = max_per_gpu.and_then(|value| value.count(1..=VGPUS_MAX, " vGPUs"));
    Some(VgpuType {
        name: name?.to_string(),
        frame_buffer: frame_buffer?,
        max_per_gpu: max_per_gpu?,
        profile: None,
        max_per_instance: 1,
        mixed_size: MixedSize::Unsupported,
    })
}

/// `at = "{0,12,20,32}:8"`, the printed placement ids and the size; else `mixed_max = 4`, where only
/// the maximum is printed; else nothing is known of the type in this mode.
fn mixed_size(entry: &mut Reader<'_>) -> Option<MixedSize> {
    let (at, most) = (entry.get("at"), entry.get("mixed_max"));
    if let (Some(_), Some(most)) = (&at, &most) {
        let diagnostic =
            most.wrong("conflicts with `at`, whose number of placement ids is the maximum");
        most.report(diagnostic.help("drop `mixed_max`"));
        return None;
    }
    if let Some(at) = at {
        let (ids, size) = placements(&at)?;
        return Some(MixedSize::Printed { ids, size });
    }
    let most = most.map(|value| value.count(1..=VGPUS_MAX, " vGPUs"));
    match most {
        None => Some(MixedSize::NotPublished { max_per_gpu: None }),
        Some(most) => Some(MixedSize::NotPublished { max_per_gpu: Some(most?) }),
    }
}

/// `{0,12,20,32}:8`: ids rising, each at least the size beyond the one before, since two of a type
/// may always stand beside each other.
fn placements(value: &Value<'_>) -> Option<(Vec<u32>, u32)> {
    const END: u32 = 1024;
    let text = value.text()?;
    let inside = text.strip_prefix('{').and_then(|text| text.split_once("}:"));
    let found = inside.and_then(|(ids, size)| {
        let ids: Option<Vec<u32>> = ids.split(',').map(|id| id.trim().parse().ok()).collect();
        let size = size.parse().ok().filter(|size| (1..=END).contains(size))?;
        let ids = ids.filter(|ids| ids.len() <= VGPUS_MAX as usize)?;
        let inside = ids.iter().all(|id| *id < END && id + size <= END);
        let apart = || ids.windows(2).all(|pair| pair[1] >= pair[0] + size);
        (inside && apart()).then_some((ids, size))
    });
    if found.is_none() {
        let allowed = "\"{ids}:size\", ids rising by at least the size, as in \"{0,12,20,32}:8\"";
        value.report(value.wrong(format!("is {}", quoted(text))).allowed(allowed));
    }
    found
}

/// The name of one of the profiles.
fn profile_of(value: &Value<'_>, known: Option<&[MigProfile]>) -> Option<String> {
    let (word, known) = (value.text()?, known?);
    let found = known.iter().any(|profile| profile.name == word);
    if !found {
        value.unknown("GPU instance profile", word, known.iter().map(|profile| &profile.name));
    }
    found.then(|| word.to_string())
}
