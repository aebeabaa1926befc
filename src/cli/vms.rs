//! `slicewise capacity --vms`: how many VMs of a kind fit, one way of sharing beside the other.
//!
//! It neither simulates nor formats; it says who does what, and in which order.

use super::interrupt::Watch;
use super::run::{default_folder, with_threads};
use super::{CapacityArgs, Failure, output, progress};
use crate::config::CountFile;
use crate::report::{self, Maker, table};
use crate::study::{self, VmPlan};
use crate::units::counted;
use std::path::Path;

/// Runs the command; `group` is the name of the `[[vm]]` to count, empty for the only one.
pub(super) fn run(
    arguments: &CapacityArgs,
    group: &str,
    configs: Option<&Path>,
) -> Result<(), Failure> {
    let settings = &arguments.run;
    let options = settings.options(configs)?;
    let group = Some(group).filter(|group| !group.is_empty());
    let file = CountFile::load(&settings.path, &options, group)?;
    let folder_name = format!("{}-vms", file.name);
    let out = settings.out.clone().unwrap_or_else(|| default_folder(&folder_name));
    let progress = progress::Search::new(settings.hides_progress(), arguments.time_limit);
    let watch = Watch::open(&out, Maker::Vms, settings.force, progress.bar())?;
    let say = |line: String| {
        if !settings.manner.quiet {
            output::message(&line)
        }
    };

    let show = |done, all, doing: &str| progress.set(done, all, doing);
    let stop = || progress.is_over();
    let results = file.with_ways(|ways| {
        let plan = VmPlan {
            name: file.name.clone(),
            title: file.title.clone(),
            hash: file.hash.clone(),
            seed: file.seed,
            group: file.group.clone(),
            replications: arguments.replications,
            ways: ways.names(),
        };
        say(format!(
            "{}: how many VMs like {} fit, {} of sharing, seed {}",
            plan.name,
            plan.group,
            counted(plan.ways.len(), "way"),
            plan.seed
        ));
        let make = |way, count| ways.experiment(way, count);
        with_threads(settings.manner.threads, || study::most_vms(&plan, &make, &show, &stop))
    })??;
    progress.clear();

    let files = report::vm_files(&results)?;
    watch.folder().write(&files)?;
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    say(format!("wrote {}: {}\n", out.display(), names.join(" ")));
    match settings.manner.json {
        true => output::data(&report::vm_document(&results)?)?,
        false => output::data(&table::paint(&table::render_vms(&results, output::width())))?,
    }
    let invalid = results.ways.iter().filter(|way| way.vms == 0).count();
    settings.judge(invalid, results.ways.len())
}
