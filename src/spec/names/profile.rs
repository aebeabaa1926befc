//! Names of GPU instances and of compute instances in them.
//!
//! Spellings and their sources: `1g.5gb+me`, `1g.24gb-me`, `1c.3g.20gb` (NVIDIA mig-parted), `MIG
//! 3g.20gb` and ids (nvidia-smi), `mig-1g.5gb.me` (NVIDIA's Kubernetes device plugin, which writes `.`
//! for `+`). A suffix is never dropped or supplied: it names another profile.

use crate::spec::MigProfile;
use std::fmt;

/// A GPU instance profile, or a compute instance of one, in the vendor's spelling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileName {
    /// The compute slices of a compute instance: 1 of `1c.3g.20gb`. Nothing for a GPU instance.
    pub compute_slices: Option<u32>,
    /// The GPU instance profile: `3g.20gb`, `1g.5gb+me`.
    pub gpu_instance: String,
}

/// The meaning of a name on a GPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Index into the GPU's profiles.
    pub profile: usize,
    /// The compute slices of a compute instance in it; nothing for the GPU instance.
    pub compute_slices: Option<u32>,
}

impl ProfileName {
    /// Parses a name by its form, in upper or lower case, with the prefixes that programs write;
    /// nothing for text that names no profile of any GPU. Ids have no form: [`find_profile`] looks
    /// them up.
    pub fn parse(text: &str) -> Option<Self> {
        let text = plain(text);
        let (compute_slices, rest) = match number_before(&text, "c.") {
            Some((slices, rest)) => (Some(slices), rest),
            None => (None, text.as_str()),
        };
        let (_, after_size) = number_before(rest, "g.")?;
        let (_, suffix) = number_before(after_size, "gb")?;
        let size = &rest[..rest.len() - suffix.len()];
        let is_suffix = suffix.is_empty()
            || suffix.strip_prefix(['+', '-', '.']).is_some_and(|attributes| {
                let mut each = attributes.split(['+', '-', '.']);
                each.all(|one| {
                    !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_alphanumeric())
                })
            });
        let suffix = match suffix.strip_prefix('.') {
            Some(attributes) => format!("+{attributes}"),
            None => suffix.to_string(),
        };
        is_suffix.then(|| Self { compute_slices, gpu_instance: format!("{size}{suffix}") })
    }

    /// The name in Kubernetes resources, which do not allow `+`: `mig-1g.5gb.me`.
    pub fn resource(&self) -> String {
        format!("mig-{}", self.to_string().replace('+', "."))
    }
}

impl fmt::Display for ProfileName {
    /// As mig-parted writes it: `1c.3g.20gb`, `1g.5gb+me`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compute_slices {
            Some(slices) => write!(f, "{slices}c.{}", self.gpu_instance),
            None => f.write_str(&self.gpu_instance),
        }
    }
}

/// The meaning of a name or an id among a GPU's profiles; nothing where the GPU has no such
/// profile. Whether the GPU instance can have such a compute instance is not checked.
pub fn find_profile(profiles: &[MigProfile], text: &str) -> Option<Part> {
    let position = |name: &str| profiles.iter().position(|one| one.name.eq_ignore_ascii_case(name));
    let text = plain(text);
    let whole = |profile| Part { profile, compute_slices: None };
    if let Some(profile) = position(&text) {
        return Some(whole(profile));
    }
    if let Ok(id) = text.parse::<u32>() {
        return profiles.iter().position(|one| one.id == id).map(whole);
    }
    let name = ProfileName::parse(&text)?;
    let profile = position(&name.gpu_instance)?;
    Some(Part { profile, compute_slices: name.compute_slices })
}

/// In small letters, without what programs write before a name.
fn plain(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix("nvidia.com/").unwrap_or(&text);
    let before = ["mig ", "mig-", "mig_"];
    let text = before.into_iter().find_map(|before| text.strip_prefix(before)).unwrap_or(text);
    text.trim_start().to_string()
}

/// `3` and the rest of `3g.20gb` before `g.`: a number of at most four digits.
fn number_before<'t>(text: &'t str, unit: &str) -> Option<(u32, &'t str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text[digits..].strip_prefix(unit)?;
    (1..=4).contains(&digits).then(|| Some((text[..digits].parse().ok()?, rest))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Option<String> {
        ProfileName::parse(text).map(|name| name.to_string())
    }

    #[test]
    fn a_name_is_read_however_it_is_printed() {
        for (text, name) in [
            ("3g.20gb", "3g.20gb"),
            ("MIG 3g.20gb", "3g.20gb"),
            ("MIG 1c.3g.20gb", "1c.3g.20gb"),
            ("1G.5GB+ME", "1g.5gb+me"),
            ("1g.24gb-me", "1g.24gb-me"),
            ("1g.24gb+me.all", "1g.24gb+me.all"),
            ("nvidia.com/mig-1g.5gb.me", "1g.5gb+me"),
            ("mig-1g.24gb.me.all", "1g.24gb+me.all"),
            ("mig-1g.24gb-me", "1g.24gb-me"),
            (" 2g.35gb ", "2g.35gb"),
        ] {
            assert_eq!(written(text).as_deref(), Some(name), "{text}");
            assert_eq!(written(name).as_deref(), Some(name), "{text}");
            let resource = ProfileName::parse(name).unwrap().resource();
            assert!(!resource.contains('+'), "{resource}");
            assert_eq!(written(&resource).as_deref(), Some(name), "{resource}");
        }
        for bad in [
            "1g",
            "g.5gb",
            "1g.5",
            "1g.5gb+",
            "1g.5gb-",
            "1.5gb",
            "1g.5gbx",
            "",
            "+me",
            "19",
            "mig ",
            "1c.1g",
            "12345g.5gb",
            "1g.5gb+m e",
            "µg.5gb",
        ] {
            assert_eq!(written(bad), None, "{bad}");
        }
    }
}
