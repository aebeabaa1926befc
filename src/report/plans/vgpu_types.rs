//! vGPU types, a table for each series.
//!
//! Values that the vendor's tables do not print are shown as not published.

use super::shown;
use crate::report::table::{Column, Columns};
use crate::report::width::Width;
use crate::spec::names::Series;
use crate::study::plans::{VgpuTypeRow, VgpuTypes, placements};

type Row<'a> = &'a VgpuTypeRow<'a>;

/// The time-sliced types by series, then the MIG-backed ones.
pub(super) fn text(answer: &VgpuTypes<'_>, width: Width) -> String {
    let mut text = format!("vGPU types of {} ({})\n", answer.gpu, answer.name);
    let (sliced, backed): (Vec<Row<'_>>, Vec<Row<'_>>) =
        answer.types.iter().partition(|one| one.spec.is_time_sliced());
    for series in std::iter::once(None).chain(Series::ALL.map(Some)) {
        let is_of = |one: &Row<'_>| one.spec.series() == series;
        let types: Vec<Row<'_>> = sliced.iter().copied().filter(is_of).collect();
        if !types.is_empty() {
            let what = series.map_or(String::new(), in_words);
            text.push_str(&format!(
                "\ntime-sliced{what}; per card: in equal-size mode, in mixed-size mode\n\n"
            ));
            text.push_str(&sliced_table(types, width));
        }
    }
    if let Some(first) = backed.first() {
        let series = first.spec.series().map_or(String::new(), in_words);
        text.push_str(&format!("\nMIG-backed{series}; a GPU instance for each vGPU"));
        let shared = backed.iter().any(|one| one.spec.shares_instance());
        text.push_str(if shared { ", or for several in turns\n\n" } else { "\n\n" });
        text.push_str(&backed_table(answer, backed, shared, width));
    }
    text.push('\n');
    for note in answer.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(&format!("source: {}\n", answer.source));
    width.fitted(&text)
}

/// `, Q series: workstations, licence RTX vWS`.
fn in_words(series: Series) -> String {
    let cuda = if series.runs_cuda() { "" } else { ", no CUDA" };
    let (letter, about, licence) = (series.letter(), series.about(), series.licence());
    format!(", {letter} series: {about}, licence {licence}{cuda}")
}

fn sliced_table(types: Vec<Row<'_>>, width: Width) -> String {
    let columns = Columns::new()
        .with("TYPE", Column::Text, |one: &Row<'_>| one.name.to_string())
        .with("FRAME BUFFER", Column::Number, |one| one.spec.frame_buffer.to_string())
        .with("EQUAL", Column::Number, |one| one.max_per_gpu.to_string())
        .with("MIXED", Column::Number, |one| shown(one.max_per_gpu_mixed_size))
        .with("PLACEMENT IDS", Column::Text, |one| placements(one.spec))
        .with("SLICE", Column::Number, slice)
        .with("FIXED SHARE", Column::Number, share);
    columns.of(types).finish(width)
}

fn backed_table(answer: &VgpuTypes<'_>, types: Vec<Row<'_>>, shared: bool, width: Width) -> String {
    let rows = types.into_iter().map(|one| {
        let profile = one.gpu_instance_profile.unwrap_or_default();
        let profile = answer.spec.mig_profile(profile);
        (one, profile.map_or(String::new(), |profile| profile.compute_slices.to_string()))
    });
    type Backed<'a> = (Row<'a>, String);
    let columns = Columns::new()
        .with("TYPE", Column::Text, |(one, _): &Backed<'_>| one.name.to_string())
        .with("FRAME BUFFER", Column::Number, |(one, _)| one.spec.frame_buffer.to_string())
        .with("PER CARD", Column::Number, |(one, _)| one.max_per_gpu.to_string())
        .with("GPU INSTANCE", Column::Text, |(one, _)| {
            one.gpu_instance_profile.unwrap_or_default().to_string()
        })
        .with("COMPUTE SLICES", Column::Number, |(_, slices)| slices.clone())
        .when(shared, "PER INSTANCE", Column::Number, |(one, _)| shown(one.max_per_instance))
        .when(shared, "SLICE", Column::Number, |(one, _)| slice(one))
        .when(shared, "FIXED SHARE", Column::Number, |(one, _)| share(one));
    columns.of(rows).finish(width)
}

fn slice(one: &Row<'_>) -> String {
    one.slice_default_ms.map_or("-".to_string(), |ms| format!("{ms:.3} ms"))
}

fn share(one: &Row<'_>) -> String {
    let Some(share) = one.fixed_share else { return "-".to_string() };
    let percent = format!("{:.2}", share * 100.0);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}
