//! Help for a name of the wrong kind: a vGPU type for a GPU, a GPU as nvidia-smi prints it, a GPU
//! instance profile for a vGPU type.
//!
//! It helps and never chooses: a name that may mean several GPUs is answered with all of them.

use super::Catalogue;
use crate::spec::GpuSpec;
use crate::spec::names::{self, ProfileName, find_profile, find_type, gpus_meant};
use crate::suggest::{nearest, quoted, slips};

impl Catalogue {
    /// The GPU that a word names: by its id, or by a name of nvidia-smi or people where that means
    /// only one.
    pub fn gpu_named(&self, word: &str) -> Option<&GpuSpec> {
        let by_id = self.gpu(word).or_else(|| self.gpu(&word.to_lowercase()));
        by_id.or_else(|| {
            let names = self.gpus().map(|gpu| (gpu.id.as_str(), gpu.name.as_str()));
            let meant = gpus_meant(names, word);
            match meant.ids[..] {
                [only] if meant.is_whole && !self.is_left_out("gpus", word) => self.gpu(only),
                _ => None,
            }
        })
    }

    /// Whether two GPUs may be one card under two names: a file of the user has the PCI id of the
    /// file it was copied from, or none.
    pub fn may_be_one(&self, one: &str, other: &str) -> bool {
        let (ids, others) = (self.pci_ids(one), self.pci_ids(other));
        let is_told = !ids.is_empty() && !others.is_empty();
        one == other || !is_told || ids.iter().any(|id| others.contains(id))
    }

    /// Help for an unknown name of a GPU; `known` are the possible ones.
    pub fn gpu_help(&self, word: &str, known: &[&GpuSpec]) -> Option<String> {
        let word_shown = quoted(word);
        let offering = self.gpus().filter(|gpu| find_type(gpu, word).is_some());
        let offering: Vec<&str> = offering.map(|gpu| gpu.id.as_str()).collect();
        if !offering.is_empty() {
            let ids = offering.join(" or ");
            return Some(format!("{word_shown} is a vGPU type: write its GPU, {ids}"));
        }
        let names = known.iter().map(|gpu| (gpu.id.as_str(), gpu.name.as_str()));
        let meant = gpus_meant(names, word);
        let near = nearest(word, known.iter().map(|gpu| &gpu.id));
        let models = models_near(word, known);
        match (&meant.ids[..], near) {
            ([only], _) if meant.is_whole => Some(format!("did you mean \"{only}\"?")),
            (ids @ [_, _, ..], _) if meant.is_whole => {
                Some(format!("{word_shown} could be {}", ids.join(", ")))
            }
            // A slip in the model: all boards of all models that are as near.
            _ if models.len() > 1 => Some(format!("{word_shown} could be {}", models.join(", "))),
            (_, Some(near)) => Some(format!("did you mean \"{near}\"?")),
            ([only], None) => Some(format!("did you mean \"{only}\"?")),
            (ids @ [_, ..], None) => Some(format!("{word_shown} could be {}", ids.join(", "))),
            ([], None) => ProfileName::parse(word)
                .map(|_| format!("{word_shown} is a GPU instance profile: write its GPU")),
        }
    }
}

/// The GPUs whose model, the first word of their id, is nearest to a word: at most one letter differs.
fn models_near<'g>(word: &str, known: &[&'g GpuSpec]) -> Vec<&'g str> {
    let word: String = word.to_lowercase().chars().filter(|one| one.is_alphanumeric()).collect();
    let of_each = known.iter().map(|gpu| {
        let model = gpu.id.split('-').next().unwrap_or_default();
        (slips(&word, model), gpu.id.as_str())
    });
    let of_each: Vec<(usize, &str)> = of_each.collect();
    let least = of_each.iter().map(|(slips, _)| *slips).min().unwrap_or(usize::MAX);
    let nearest = of_each.into_iter().filter(|(slips, _)| *slips == least && least <= 1);
    nearest.map(|(_, id)| id).collect()
}

/// Help for an unknown vGPU type of a GPU, other than a similar name.
pub fn type_help(gpu: &GpuSpec, word: &str) -> Option<String> {
    let word_shown = quoted(word);
    let example = gpu.vgpu_types.first().map_or("A100-40C", |vgpu| &vgpu.name);
    if names::is_host_number(word) {
        let number = word.trim().to_lowercase();
        return Some(format!(
            "{word_shown} is the number of a type on one host, whose file mdev_supported_types/{number}/name has its name"
        ));
    }
    if gpus_meant([(gpu.id.as_str(), gpu.name.as_str())], word).is_whole {
        return Some(format!("{word_shown} is the GPU: name one of its types, such as {example}"));
    }
    let part = find_profile(&gpu.mig_profiles, word).filter(|_| !is_number(word))?;
    let profile = &gpu.mig_profiles[part.profile].name;
    let backed = gpu.vgpu_types.iter().filter(|vgpu| vgpu.profile.as_ref() == Some(profile));
    let backed: Vec<&str> = backed.map(|vgpu| vgpu.name.as_str()).collect();
    Some(match backed.is_empty() {
        true => {
            format!("{word_shown} is a GPU instance profile, which no vGPU type of {} has", gpu.id)
        }
        false => format!(
            "{word_shown} is a GPU instance profile: the vGPU type that has it is {}",
            backed.join(" or ")
        ),
    })
}

/// Help for an unknown GPU instance profile of a GPU, other than a similar name.
pub fn profile_help(gpu: &GpuSpec, word: &str) -> Option<String> {
    let word_shown = quoted(word);
    let vgpu = find_type(gpu, word).map(|kind| &gpu.vgpu_types[kind]);
    if let Some(vgpu) = vgpu {
        return Some(match &vgpu.profile {
            Some(profile) => {
                format!("{word_shown} is a vGPU type: its GPU instance profile is {profile}")
            }
            None => format!("{word_shown} is a time-sliced vGPU type, which has no GPU instance"),
        });
    }
    let is_gpu = gpus_meant([(gpu.id.as_str(), gpu.name.as_str())], word).is_whole;
    let example = gpu.mig_profiles.first().filter(|_| is_gpu)?;
    Some(format!("{word_shown} is the GPU: name one of its profiles, such as {}", example.name))
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}
