//! GPU instance profiles and their positions, or the compute instances of one, in the format of
//! `nvidia-smi`.

use super::shown;
use crate::report::table::{Column, Columns};
use crate::report::width::Width;
use crate::study::plans::{ComputeInstances, MigProfileRow, MigProfiles};

/// Memory in GiB with two digits, as nvidia-smi prints it.
fn memory(one: &MigProfileRow<'_>) -> String {
    one.memory_gib.map_or("-".to_string(), |gib| format!("{gib:.2}"))
}

/// The profiles without the frame of nvidia-smi, which has 81 columns.
fn narrow(rows: &[MigProfileRow<'_>], width: Width) -> String {
    type Row<'a> = &'a MigProfileRow<'a>;
    use Column::{Number, Text};
    let columns = Columns::new()
        .with("Name", Text, |one: &Row<'_>| one.profile.to_string())
        .with("ID", Number, |one| one.id.to_string())
        .with("Free/Total", Number, |one| format!("{}/{}", one.instances_free, one.instances_total))
        .with("GiB", Number, |one| memory(one))
        .with("SM", Number, |one| shown(one.sms))
        .with("CE", Number, |one| one.copy_engines.to_string())
        .with("DEC", Number, |one| shown(one.media.decoders))
        .with("ENC", Number, |one| shown(one.media.encoders))
        .with("JPEG", Number, |one| shown(one.media.jpeg))
        .with("OFA", Number, |one| shown(one.media.ofa));
    columns.of(rows).finish(width)
}

/// The profiles in the shape in which nvidia-smi prints them.
fn framed(rows: &[MigProfileRow<'_>]) -> String {
    let rule = format!("+{}+\n", "-".repeat(79));
    let mut text = format!("{rule}| {:<78}|\n", "GPU instance profiles:");
    text.push_str(
        "| GPU   Name               ID    Instances   Memory     P2P    SM    DEC   ENC  |\n",
    );
    text.push_str(
        "|                                Free/Total   GiB              CE    JPEG  OFA  |\n",
    );
    text.push_str(&format!("|{}|\n", "=".repeat(79)));
    for one in rows {
        text.push_str(&format!(
            "|   0  {:<19} {:>2}     {:<5}      {:<6}     No     {:<3}    {:<2}    {:<2}  |\n",
            format!("MIG {}", one.profile),
            one.id,
            format!("{}/{}", one.instances_free, one.instances_total),
            memory(one),
            shown(one.sms),
            shown(one.media.decoders),
            shown(one.media.encoders)
        ));
        text.push_str(&format!(
            "|{:63}{:<2}    {:<2}    {:<2}  |\n{rule}",
            "",
            one.copy_engines,
            shown(one.media.jpeg),
            shown(one.media.ofa)
        ));
    }
    text
}

/// The profiles, and the starts of each.
pub(super) fn text(answer: &MigProfiles<'_>, width: Width) -> String {
    const FRAME: usize = 81;
    let rows = &answer.profiles;
    let is_narrow = width.terminal().is_some_and(|columns| columns < FRAME);
    let table = if is_narrow { narrow(rows, width) } else { framed(rows) };
    let mut text = format!("{}\n{table}", answer.name);
    for one in rows {
        let word = if one.starts.len() == 1 { "Placement :" } else { "Placements:" };
        let inferred = if one.spec.is_printed { "" } else { "  (inferred)" };
        let positions = one.spec.positions();
        text.push_str(&format!("GPU  0 Profile ID {:>2} {word} {positions}{inferred}\n", one.id));
    }
    if rows.iter().any(|one| !one.spec.is_printed) {
        text.push_str("note: positions marked inferred are not printed for this board\n");
    }
    if rows.iter().any(|one| one.sms.is_none() || one.memory_gib.is_none()) {
        text.push_str(
            "note: - is not published; such an instance can be placed, but not simulated\n",
        );
    }
    width.fitted(&(text + &format!("source: {}\n", answer.source)))
}

/// The compute instances of a GPU instance.
pub(super) fn compute_text(answer: &ComputeInstances<'_>, _: Width) -> String {
    let gi = answer.spec;
    let rule = format!("+{}+\n", "-".repeat(86));
    let mut text = rule.clone();
    text.push_str(&format!("| {:<85}|\n", "Compute instance profiles:"));
    for head in [
        "GPU     GPU       Name             Profile  Instances   Exclusive       Shared",
        "      Instance                       ID     Free/Total     SM       DEC   ENC   OFA",
        "        ID                                                          CE    JPEG",
    ] {
        text.push_str(&format!("| {head:<85}|\n"));
    }
    text.push_str(&format!("|{}|\n", "=".repeat(86)));
    for one in &answer.compute_instances {
        text.push_str(&format!(
            "|   0      -       {:<19} {:>2}{}     {}/{:<7}     {:<3}       {:<2}    {:<2}    {:<2}  |\n",
            format!("MIG {}", one.compute_instance),
            one.id,
            if one.is_default { '*' } else { ' ' },
            one.instances_total,
            one.instances_total,
            shown(one.sms),
            shown(gi.media.decoders),
            shown(gi.media.encoders),
            shown(gi.media.ofa)
        ));
        text.push_str(&format!(
            "|{:70}{:<2}    {:<2}        |\n{rule}",
            "",
            gi.copy_engines,
            shown(gi.media.jpeg)
        ));
    }
    text.push_str(
        "note: -C creates the one marked *; compute instances share memory, bandwidth and \
         engines\n",
    );
    if answer.compute_instances.iter().any(|one| one.sms.is_none()) {
        text.push_str("note: - is not published\n");
    }
    text
}
