//! The request: profiles with counts, named starts, compute instances inside.
//!
//! Words are read in `spec::names`; whether a request is possible is not decided here.

use super::usage;
use crate::cli::failure::Failure;
use crate::config::{Catalogue, nearest, profile_help, quoted};
use crate::layout::compute_instances::{ComputeProfile, compute_profiles, fit};
use crate::layout::cutting::{CARDS_MAX, Wish};
use crate::layout::geometry::Geometry;
use crate::spec::names::{At, Request, RequestFault, find_profile, requests};
use crate::spec::{GpuSpec, MigProfile};
use crate::study::plans::AskedInstance;

/// The requests in the words, in order. Compute instances of one profile share a GPU instance as
/// long as there is room in it.
pub(super) fn asked(
    words: &[String],
    gpu: &GpuSpec,
    catalogue: &Catalogue,
) -> Result<Vec<AskedInstance>, Failure> {
    let geometry = Geometry::new(&gpu.mig_profiles);
    let most = geometry.memory_slices * CARDS_MAX;
    let mut all: Vec<AskedInstance> = Vec::new();
    let mut seen = 0;
    for request in read(words, gpu)? {
        let (profile, slices) = match find_profile(&gpu.mig_profiles, &request.name) {
            Some(part) => (part.profile, part.compute_slices),
            None => return Err(unknown(&request.name, gpu, catalogue)),
        };
        let gi = &gpu.mig_profiles[profile];
        let Place { count, start } = place(&request, gi, most, geometry.memory_slices)?;
        seen += u64::from(count);
        if seen > u64::from(most) {
            return Err(Failure::Usage(format!(
                "{seen} instances or more are asked for: {CARDS_MAX} GPUs of {} have {most} memory slices in all",
                gpu.id
            )));
        }
        let kinds = compute_profiles(&geometry, gi);
        let wish = Wish { profile, start };
        let Some(slices) = slices else {
            all.extend((0..count).map(|_| AskedInstance { wish, inside: Vec::new() }));
            continue;
        };
        if !fit(&kinds, gi.compute_slices, &[slices]) {
            let names: Vec<String> = kinds.iter().map(|one| name_of(gi, one)).collect();
            return Err(usage(
                format!("{} is not a compute instance of {}", quoted(&request.name), gi.name),
                &names.join(", "),
                nearest(&request.name, &names),
            ));
        }
        if start.is_some() {
            return Err(Failure::Usage(format!(
                "{} names a start: only GPU instances have one\n  = help: write {}@START",
                quoted(&request.text),
                gi.name
            )));
        }
        (0..count).for_each(|_| join(&mut all, profile, slices, gi.compute_slices, &kinds));
    }
    Ok(all)
}

/// The requests that words hold.
fn read(words: &[String], gpu: &GpuSpec) -> Result<Vec<Request>, Failure> {
    let is_name = |name: &str| find_profile(&gpu.mig_profiles, name).is_some();
    requests(words, &is_name).map_err(|fault| {
        Failure::Usage(match fault {
            RequestFault::Empty => {
                "a profile is empty\n  = help: write one such as 1g.5gb".to_string()
            }
            RequestFault::TooMany(count) => format!("{count} requests are too many"),
        })
    })
}

/// How many of a profile, and from which start.
struct Place {
    count: u32,
    start: Option<u32>,
}

/// What a request says of count and start. Behind an id a colon names a start, as nvidia-smi has it.
/// Behind a name it is a start to nvidia-smi and a count to mig-parted: what can only be one of them
/// is that, and what can be both is asked for again.
fn place(request: &Request, gi: &MigProfile, most: u32, slices: u32) -> Result<Place, Failure> {
    let text = quoted(&request.text);
    let start_of = |start: Option<u32>| match start.filter(|start| *start < slices) {
        Some(start) => Ok(Some(start)),
        None => {
            let title = format!("the start in {text} is not a memory slice");
            Err(usage(title, &format!("0 to {}", slices.saturating_sub(1)), None))
        }
    };
    let is_start = |number: &u32| gi.starts.contains(number);
    let (count, start) = match &request.at {
        At::Anywhere => (request.count, None),
        At::Named(start) => (request.count, start_of(start.parse().ok())?),
        At::Colon(number) if is_id(&request.name) => (request.count, start_of(Some(*number))?),
        At::Colon(0) => (request.count, start_of(Some(0))?),
        At::Colon(number) if request.count.is_some() => (request.count, start_of(Some(*number))?),
        At::Colon(number) if is_start(number) => {
            return Err(Failure::Usage(format!(
                "{text} could be a count or a start\n  = help: write {number}x{} for a count, {}@{number} for a start",
                gi.name, gi.name
            )));
        }
        At::Colon(number) => (Some(*number), None),
    };
    match count.unwrap_or(1) {
        count if (1..=most).contains(&count) => Ok(Place { count, start }),
        count => {
            let title = format!("{text} asks for {count} instances");
            Err(usage(title, &format!("counts from 1 to {most}"), None))
        }
    }
}

fn is_id(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

fn name_of(gi: &MigProfile, kind: &ComputeProfile) -> String {
    crate::layout::compute_instances::name(gi, kind.compute_slices)
}

/// Puts a compute instance into the first GPU instance that has room for it, or a new one.
fn join(
    all: &mut Vec<AskedInstance>,
    profile: usize,
    slices: u32,
    of: u32,
    kinds: &[ComputeProfile],
) {
    let has_room = |asked: &&mut AskedInstance| {
        let with: Vec<u32> = asked.inside.iter().copied().chain([slices]).collect();
        asked.wish.profile == profile && !asked.inside.is_empty() && fit(kinds, of, &with)
    };
    match all.iter_mut().find(has_room) {
        Some(asked) => asked.inside.push(slices),
        None => {
            all.push(AskedInstance { wish: Wish { profile, start: None }, inside: vec![slices] });
        }
    }
}

/// The index of a GPU instance profile.
pub(super) fn profile(name: &str, gpu: &GpuSpec, catalogue: &Catalogue) -> Result<usize, Failure> {
    let found = find_profile(&gpu.mig_profiles, name).map(|part| part.profile);
    found.ok_or_else(|| unknown(name, gpu, catalogue))
}

/// What is said about a profile that the GPU does not have.
fn unknown(name: &str, gpu: &GpuSpec, catalogue: &Catalogue) -> Failure {
    let has_it = |other: &&GpuSpec| other.mig_profiles.iter().any(|one| one.name == name);
    let others: Vec<&str> = catalogue.gpus().filter(has_it).map(|gpu| gpu.id.as_str()).collect();
    let whose = match &others[..] {
        [] => String::new(),
        others => format!(": it is one of {}", others.join(", ")),
    };
    let names = gpu.mig_profiles.iter().map(|one| format!("{} (id {})", one.name, one.id));
    let names: Vec<String> = names.collect();
    let title = format!("{} is not a GPU instance profile of {}{whose}", quoted(name), gpu.id);
    let known = gpu.mig_profiles.iter().map(|one| one.name.as_str());
    // Of the same compute slices first: 3g.40gb is meant for a 3g.20gb.
    let same = name.split_once('.').map(|(slices, _)| format!("{slices}."));
    let alike = same.and_then(|same| known.clone().find(|one| one.starts_with(&same)));
    let near = nearest(name, known).or(alike.map(str::to_string));
    match profile_help(gpu, name) {
        Some(help) => {
            Failure::Usage(format!("{title}\n  = allowed: {}\n  = help: {help}", names.join(", ")))
        }
        None => usage(title, &names.join(", "), near),
    }
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
        assert_eq!(read(&["1g.5gb:7"]), Ok(plain(&["1g.5gb"; 7])));
        assert_eq!(read(&["MIG 3g.20gb", "MIG", "1G.5GB"]), Ok(plain(&["3g.20gb", "1g.5gb"])));
        assert_eq!(read(&["9,14,2x19"]), Ok(plain(&["3g.20gb", "2g.10gb", "1g.5gb", "1g.5gb"])));
        assert_eq!(read(&["1g.5gb+me"]), Ok(plain(&["1g.5gb+me"])));
        let at = |name: &str, start| (name.to_string(), Some(start), Vec::new());
        assert_eq!(read(&["3g.20gb@4"]), Ok(vec![at("3g.20gb", 4)]));
        // As nvidia-smi takes starts, and as layouts are listed.
        assert_eq!(read(&["9:4,14:0"]), Ok(vec![at("3g.20gb", 4), at("2g.10gb", 0)]));
        assert_eq!(read(&["0:3g.20gb"]), Ok(vec![at("3g.20gb", 0)]));
        assert_eq!(read(&["3g.20gb:0"]), Ok(vec![at("3g.20gb", 0)]));
        // No 3g starts at 2: it is a count.
        assert_eq!(read(&["3g.20gb:2"]), Ok(plain(&["3g.20gb", "3g.20gb"])));
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
            ("99999999999x1g.5gb", "counts from 1 to 128"),
            ("1g.5gb:", "is not a GPU instance profile"),
            ("1g.5gb:2", "could be a count or a start"),
            ("1g.5gb:2", "write 2x1g.5gb for a count, 1g.5gb@2 for a start"),
            ("1g.5gb:200", "counts from 1 to 128"),
            ("19:8", "allowed: 0 to 7"),
            ("3g.20gb@9", "allowed: 0 to 7"),
            ("3g.20gb@", "is not a memory slice"),
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
