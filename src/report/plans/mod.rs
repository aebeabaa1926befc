//! The answers of planning (`study::plans`) as text and drawings; the answer itself is the
//! document.

mod mig_drawing;
mod mig_layouts;
mod mig_place;
mod mig_profiles;
mod registry_word;
mod vgpu_beside;
mod vgpu_drawing;
mod vgpu_fit;
mod vgpu_types;

use super::parts::Report;
use super::width::Width;
use super::written;

/// A number, or a dash where it is not published.
fn shown(number: Option<u32>) -> String {
    number.map_or("-".to_string(), |number| number.to_string())
}

/// Answers whose document is the struct and whose text is the function named.
macro_rules! reports {
    ($($answer:ident: $text:path;)*) => {
        $(impl Report for crate::study::plans::$answer<'_> {
            fn document(&self) -> anyhow::Result<String> {
                written::sorted(self)
            }

            fn table(&self, width: Width) -> String {
                $text(self, width)
            }
        })*
    };
}

reports! {
    MigProfiles: mig_profiles::text;
    ComputeInstances: mig_profiles::compute_text;
    MigLayouts: mig_layouts::text;
    MigPlan: mig_place::text;
    MigNotThere: mig_place::not_there;
    VgpuTypes: vgpu_types::text;
    VgpuFit: vgpu_fit::text;
    NoVgpuType: vgpu_fit::no_type;
    VgpuBeside: vgpu_beside::text;
    RegistryAnswer: registry_word::text;
}
