//! Reads what is asked for: profiles by name or id, counts, named starts, compute instances.
//!
//! Whether it can be had is not decided here.

use super::{Failure, usage};
use crate::config::{Catalogue, nearest, quoted};
use crate::gpu::compute_instances::{ComputeProfile, compute_profiles, fit};
use crate::gpu::cutting::{CARDS_MAX, Wish};
use crate::gpu::layout::Geometry;
use crate::spec::GpuSpec;

/// A GPU instance that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) wish: Wish,
    /// The compute slices of each compute instance in it; none for the default, one that spans it.
    pub(super) inside: Vec<u32>,
}

/// One word: how many, of which profile, from which start, which part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Word<'a> {
    count: u32,
    name: &'a str,
    start: Option<u32>,
}

/// What words ask for, in order. Compute instances of one profile share a GPU instance as long as
/// there is room in it.
pub(super) fn asked(
    words: &[String],
    gpu: &GpuSpec,
    catalogue: &Catalogue,
) -> Result<Vec<Asked>, Failure> {
    let geometry = Geometry::new(&gpu.mig_profiles);
    let most = geometry.memory_slices * CARDS_MAX;
    let mut all: Vec<Asked> = Vec::new();
    let mut seen = 0;
    for text in words.iter().flat_map(|word| word.split(',')) {
        let word = word(text, gpu, most)?;
        seen += u64::from(word.count);
        if seen > u64::from(most) {
            return Err(Failure::Usage(format!(
                "{seen} instances or more are asked for: {CARDS_MAX} GPUs of {} have {most} memory slices in all",
                gpu.id
            )));
        }
        let (profile, slices) = profile(word.name, gpu, catalogue)?;
        let gi = &gpu.mig_profiles[profile];
        let kinds = compute_profiles(&geometry, gi);
        if let Some(slices) = slices.filter(|slices| fit(&kinds, gi.compute_slices, &[*slices])) {
            if word.start.is_some() {
                return Err(Failure::Usage(format!(
                    "{} names a start: only GPU instances have one\n  = help: write {}@START",
                    quoted(text),
                    gi.name
                )));
            }
            (0..word.count)
                .for_each(|_| join(&mut all, profile, slices, gi.compute_slices, &kinds));
            continue;
        }
        if slices.is_some() {
            let names: Vec<String> = kinds.iter().map(|one| name_of(gi, one)).collect();
            return Err(usage(
                format!("{} is no compute instance of {}", quoted(word.name), gi.name),
                &names.join(", "),
                nearest(word.name, &names),
            ));
        }
        let wish = Wish { profile, start: word.start };
        all.extend((0..word.count).map(|_| Asked { wish, inside: Vec::new() }));
    }
    Ok(all)
}

fn name_of(gi: &crate::spec::MigProfile, kind: &ComputeProfile) -> String {
    crate::gpu::compute_instances::name(gi, kind.compute_slices)
}

/// Puts a compute instance into the first GPU instance that has room for it, or a new one.
fn join(all: &mut Vec<Asked>, profile: usize, slices: u32, of: u32, kinds: &[ComputeProfile]) {
    let has_room = |asked: &&mut Asked| {
        let with: Vec<u32> = asked.inside.iter().copied().chain([slices]).collect();
        asked.wish.profile == profile && !asked.inside.is_empty() && fit(kinds, of, &with)
    };
    match all.iter_mut().find(has_room) {
        Some(asked) => asked.inside.push(slices),
        None => {
            all.push(Asked { wish: Wish { profile, start: None }, inside: vec![slices] });
        }
    }
}

/// `3g.20gb`, `7x1g.5gb`, `1g.5gb:7`, `3g.20gb@4`, `19`.
fn word<'a>(text: &'a str, gpu: &GpuSpec, most: u32) -> Result<Word<'a>, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::Usage(
            "a profile is empty\n  = help: write one such as 1g.5gb".to_string(),
        ));
    }
    let (rest, start) = match text.split_once('@') {
        Some((rest, start)) => {
            let slices = Geometry::new(&gpu.mig_profiles).memory_slices;
            let parsed = start.parse().ok().filter(|start| *start < slices);
            if parsed.is_none() {
                let title = format!("{} names no memory slice as start", quoted(text));
                return Err(usage(title, &format!("0 to {}", slices.saturating_sub(1)), None));
            }
            (rest, parsed)
        }
        None => (text, None),
    };
    let front = rest.split_once(['x', 'X']).filter(|(count, _)| is_digits(count));
    let back = rest.split_once(':').map(|(name, count)| (count, name));
    if let Some((count, name)) = back.filter(|(_, name)| is_digits(name)) {
        return Err(Failure::Usage(format!(
            "{} could be a count or a start\n  = help: write {}x{name} for a count, {name}@{} for a start",
            quoted(text),
            quoted(count).trim_matches('"'),
            quoted(count).trim_matches('"'),
        )));
    }
    let (count, name) = front.or(back).unwrap_or(("1", rest));
    let parsed = count.parse::<u32>().ok().filter(|count| (1..=most).contains(count));
    let Some(count) = parsed else {
        let title = format!("{} asks for {} instances", quoted(text), quoted(count));
        return Err(usage(title, &format!("counts from 1 to {most}"), None));
    };
    Ok(Word { count, name: name.trim(), start })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The profile a name or id stands for, and the compute slices if it is a compute instance's.
fn profile(
    name: &str,
    gpu: &GpuSpec,
    catalogue: &Catalogue,
) -> Result<(usize, Option<u32>), Failure> {
    let position = |name: &str| gpu.mig_profiles.iter().position(|one| one.name == name);
    if let Some(found) = position(name) {
        return Ok((found, None));
    }
    if let Ok(id) = name.parse::<u32>()
        && let Some(found) = gpu.mig_profiles.iter().position(|one| one.id == id)
    {
        return Ok((found, None));
    }
    let part = name
        .split_once("c.")
        .and_then(|(slices, gi)| Some((slices.parse::<u32>().ok()?, position(gi)?)));
    if let Some((slices, found)) = part {
        return Ok((found, Some(slices)));
    }
    Err(unknown(name, gpu, catalogue))
}

/// What is said about a profile that the GPU does not have.
pub(super) fn unknown(name: &str, gpu: &GpuSpec, catalogue: &Catalogue) -> Failure {
    let has_it = |other: &&GpuSpec| other.mig_profiles.iter().any(|one| one.name == name);
    let others: Vec<&str> = catalogue.gpus().filter(has_it).map(|gpu| gpu.id.as_str()).collect();
    let whose = match &others[..] {
        [] => String::new(),
        others => format!(": it is one of {}", others.join(", ")),
    };
    let names = gpu.mig_profiles.iter().map(|one| format!("{} (id {})", one.name, one.id));
    let names: Vec<String> = names.collect();
    let title = format!("{} is no GPU instance profile of {}{whose}", quoted(name), gpu.id);
    let known = gpu.mig_profiles.iter().map(|one| one.name.as_str());
    // Of the same compute slices first: 3g.40gb is meant for a 3g.20gb.
    let same = name.split_once('.').map(|(slices, _)| format!("{slices}."));
    let alike = same.and_then(|same| known.clone().find(|one| one.starts_with(&same)));
    let near = nearest(name, known).or(alike.map(str::to_string));
    usage(title, &names.join(", "), near)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profile, start, compute instances inside.
    type Read = (String, Option<u32>, Vec<u32>);

    fn read(words: &[&str]) -> Result<Vec<Read>, String> {
        let Ok(catalogue) = Catalogue::load(None) else { panic!("the catalogue is faulty") };
        let gpu = catalogue.gpu("a100-pcie-40gb").unwrap();
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        match asked(&words, gpu, &catalogue) {
            Ok(all) => Ok(all
                .into_iter()
                .map(|one| {
                    let name = gpu.mig_profiles[one.wish.profile].name.clone();
                    (name, one.wish.start, one.inside)
                })
                .collect()),
            Err(Failure::Usage(message)) => Err(message),
            Err(_) => panic!("another failure"),
        }
    }

    fn plain(names: &[&str]) -> Vec<Read> {
        names.iter().map(|name| (name.to_string(), None, Vec::new())).collect()
    }

    #[test]
    fn profiles_are_asked_for_by_name_count_and_id() {
        assert_eq!(read(&["3g.20gb", "1g.5gb"]), Ok(plain(&["3g.20gb", "1g.5gb"])));
        assert_eq!(read(&["2x1g.5gb"]), Ok(plain(&["1g.5gb", "1g.5gb"])));
        assert_eq!(read(&["1g.5gb:2"]), Ok(plain(&["1g.5gb", "1g.5gb"])));
        assert_eq!(read(&["9,14,2x19"]), Ok(plain(&["3g.20gb", "2g.10gb", "1g.5gb", "1g.5gb"])));
        assert_eq!(read(&["1g.5gb+me"]), Ok(plain(&["1g.5gb+me"])));
        assert_eq!(read(&["3g.20gb@4"]), Ok(vec![("3g.20gb".to_string(), Some(4), vec![])]));
    }

    #[test]
    fn compute_instances_fill_a_gpu_instance_before_the_next() {
        let gi = |inside: &[u32]| ("3g.20gb".to_string(), None, inside.to_vec());
        assert_eq!(read(&["3x1c.3g.20gb"]), Ok(vec![gi(&[1, 1, 1])]));
        assert_eq!(read(&["2c.3g.20gb:2", "1c.3g.20gb"]), Ok(vec![gi(&[2, 1]), gi(&[2])]));
        let error = read(&["3c.4g.20gb"]).unwrap_err();
        assert!(error.contains("allowed: 1c.4g.20gb, 2c.4g.20gb, 4g.20gb"), "{error}");
    }

    #[test]
    fn what_is_not_understood_says_what_would_be() {
        for (word, why) in [
            ("1g.6gb", "it is one of a30"),
            ("1g.6gb", "did you mean \"1g.5gb\"?"),
            ("3g.40gb", "did you mean \"3g.20gb\"?"),
            ("0x1g.5gb", "counts from 1 to 128"),
            ("1g.5gb:0", "counts from 1 to 128"),
            ("99999999999x1g.5gb", "counts from 1 to 128"),
            ("1g.5gb:", "counts from 1 to 128"),
            ("19:0", "could be a count or a start"),
            ("3g.20gb@9", "allowed: 0 to 7"),
            ("3g.20gb@", "names no memory slice"),
            ("1c.3g.20gb@0", "only GPU instances have one"),
            ("", "is empty"),
            ("1g.5gb,", "is empty"),
            ("\u{1b}[31m", "\\u{1b}"),
            ("129x1g.5gb", "counts from 1 to 128"),
        ] {
            let message = read(&[word]).unwrap_err();
            assert!(message.contains(why), "{word}: {message}");
        }
        let many = vec!["100x1g.5gb"; 2000];
        assert!(read(&many).unwrap_err().contains("128 memory slices in all"));
    }
}
