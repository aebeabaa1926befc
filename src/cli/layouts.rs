//! One card's layout for the profiles that a file or a command line asks for, or why there is none.
//!
//! The positions of instances are found in `layout`; here are names and messages.

use crate::config::{nearest, profile_help, quoted};
use crate::layout::placement::{Assignment, Cards, Claim, Obstacle};
use crate::spec::names::find_profile;
use crate::spec::{GpuSpec, MigProfile};
use std::fmt;

/// A profile and a count.
pub(super) type Wanted<'w> = (&'w str, u32);

/// Why a card cannot have this layout.
#[derive(Debug)]
pub(super) struct LayoutFault {
    /// Index of the profile at fault; the first one where all together are.
    pub(super) at: usize,
    /// The fault: lower case, no full stop.
    pub(super) title: String,
    /// The allowed values.
    pub(super) allowed: String,
    /// How to correct it; may be empty.
    pub(super) help: String,
    /// Whether the GPU has no such profile, so that the layout may be for another GPU.
    pub(super) is_foreign: bool,
}

/// A GPU instance and its place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Placed<'g> {
    pub(super) profile: &'g MigProfile,
    /// Its first memory slice.
    pub(super) start: u32,
}

impl fmt::Display for Placed<'_> {
    /// Its memory slices: `3g.20gb 4-7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Placed { profile, start } = self;
        match profile.memory_slices {
            1 => write!(f, "{} {start}", profile.name),
            size => write!(f, "{} {start}-{}", profile.name, start + size - 1),
        }
    }
}

/// The place of each instance, in the requested order. Compute instances (`1c.3g.20gb`) count as
/// the GPU instances that hold them.
pub(super) fn place<'g>(
    gpu: &'g GpuSpec,
    wanted: &[Wanted<'_>],
) -> Result<Vec<Placed<'g>>, LayoutFault> {
    let profiles = &gpu.mig_profiles;
    let mut claims = Vec::new();
    for (at, &(name, count)) in wanted.iter().enumerate() {
        let Some((instance, count)) = instances(gpu, name, count) else {
            return Err(unknown(gpu, at, name));
        };
        let profile = gpu.mig_profiles.iter().position(|one| one.name == instance.name);
        let profile = profile.expect("a profile of this GPU");
        let most = profiles[profile].max_per_gpu;
        if count > most {
            let title = format!("{count} x {} are more than a card can have", instance.name);
            let allowed = format!("at most {most} on {}", gpu.id);
            return Err(LayoutFault { at, title, allowed, help: String::new(), is_foreign: false });
        }
        claims.extend((0..count).map(|_| Claim::Instance { profile }));
    }
    let cards = Cards { count: 1, profiles };
    let Some(places) = cards.place(Assignment::Consolidate, &claims) else {
        return Err(obstructed(gpu, &cards, &claims));
    };
    let placed = claims.iter().zip(places).map(|(claim, place)| match claim {
        Claim::Instance { profile } => Placed { profile: &profiles[*profile], start: place.start },
        _ => unreachable!("only GPU instances are asked for"),
    });
    Ok(placed.collect())
}

/// The GPU instances that a name and a count need: `1c.3g.20gb` x 4 are two of `3g.20gb`. Nothing
/// where the GPU has no such profile.
pub(super) fn instances<'g>(
    gpu: &'g GpuSpec,
    name: &str,
    count: u32,
) -> Option<(&'g MigProfile, u32)> {
    let part = find_profile(&gpu.mig_profiles, name)?;
    let profile = &gpu.mig_profiles[part.profile];
    let in_each = part.compute_slices.map_or(1, |slices| profile.compute_slices / slices.max(1));
    Some((profile, count.div_ceil(in_each.max(1))))
}

fn unknown(gpu: &GpuSpec, at: usize, name: &str) -> LayoutFault {
    let names: Vec<&str> = gpu.mig_profiles.iter().map(|profile| profile.name.as_str()).collect();
    let title = format!("{} is not offered by {}", quoted(name), gpu.id);
    let allowed = match names.is_empty() {
        true => "nothing: no GPU instances of this GPU are known".to_string(),
        false => names.join(", "),
    };
    let near = nearest(name, names);
    let help = profile_help(gpu, name).or(near.map(|near| format!("did you mean \"{near}\"?")));
    let help = help.unwrap_or_default();
    LayoutFault { at, title, allowed, help, is_foreign: true }
}

fn obstructed(gpu: &GpuSpec, cards: &Cards<'_>, claims: &[Claim]) -> LayoutFault {
    let fits = |count: &usize| cards.place(Assignment::Consolidate, &claims[..*count]).is_some();
    let most = (0..claims.len()).rev().find(fits).unwrap_or(0);
    let name = |claim: &Claim| match claim {
        Claim::Instance { profile } => gpu.mig_profiles[*profile].name.as_str(),
        _ => unreachable!("only GPU instances are asked for"),
    };
    let why = match cards.obstacle(&claims[..=most]) {
        Obstacle::MemorySlices { needed, there } => {
            let all: u32 = claims.iter().map(|claim| slices(gpu, claim)).sum();
            format!("need {} memory slices, a card has {there}", needed.max(all))
        }
        _ => {
            let used =
                gpu.mig_profiles.iter().filter(|one| claims.iter().any(|c| name(c) == one.name));
            let positions: Vec<String> = used.map(|profile| profile.to_string()).collect();
            format!("have no layout on a card: the positions are {}", positions.join(", "))
        }
    };
    let kept: Vec<&str> = claims[..most].iter().map(name).collect();
    LayoutFault {
        at: 0,
        title: format!("these GPU instances {why}"),
        allowed: format!("the first {most} of the {}: {}", claims.len(), kept.join(" ")),
        help: String::new(),
        is_foreign: false,
    }
}

fn slices(gpu: &GpuSpec, claim: &Claim) -> u32 {
    match claim {
        Claim::Instance { profile } => gpu.mig_profiles[*profile].memory_slices,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Catalogue;

    #[test]
    fn a_layout_is_told_by_memory_slices() {
        let catalogue = Catalogue::load(None).unwrap();
        let gpu = catalogue.gpu("a100-pcie-40gb").unwrap();
        let placed = place(gpu, &[("3g.20gb", 1), ("2g.10gb", 1), ("1g.5gb", 2)]).unwrap();
        assert_eq!(placed[0].to_string(), "3g.20gb 4-7");
        assert_eq!(placed.len(), 4);
        // Four compute instances of a third each: 3 in the first GPU instance, 1 in the second.
        let behind = |name: &str, count| {
            let (profile, count) = instances(gpu, name, count).unwrap();
            (profile.name.as_str(), count)
        };
        assert_eq!(behind("1c.3g.20gb", 4), ("3g.20gb", 2));
        assert_eq!(behind("1g.5gb+me", 1), ("1g.5gb+me", 1));
        assert_eq!(behind("1g.5gb.me", 1), ("1g.5gb+me", 1));
        let misfit = place(gpu, &[("1g.10gb", 4), ("1g.5gb", 3)]).unwrap_err();
        assert_eq!(misfit.title, "these GPU instances need 11 memory slices, a card has 8");
        let misfit = place(gpu, &[("1g.10g", 1)]).unwrap_err();
        assert!(misfit.is_foreign && misfit.help.contains("1g.10gb"), "{misfit:?}");
        assert!(place(gpu, &[]).unwrap().is_empty());
    }
}
