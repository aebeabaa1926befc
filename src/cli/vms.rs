//! `slicewise capacity --vms`: how many VMs fit, the ways of sharing side by side.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

use super::capacity::CapacityArgs;
use super::failure::Failure;
use super::{page, progress};
use crate::config::CountFile;
use crate::report::Maker;
use crate::study::{self, Head, VmPlan};
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
    let bar = progress::Search::new(settings.hides_progress(), arguments.time_limit);
    let work = settings.begin(Maker::Vms, &format!("{}-vms", file.name), bar.bar())?;

    let show = |done, all, doing: &str| bar.set(done, all, doing);
    let results = file.with_ways(|ways| {
        let plan = VmPlan {
            head: Head::of(&file.name, &file.title, &file.hash, file.seed),
            group: file.group.clone(),
            replications: arguments.replications,
            ways: ways.names(),
        };
        work.say(format!(
            "{}: how many VMs like {} fit, {} of sharing, seed {}",
            file.name,
            plan.group,
            counted(plan.ways.len(), "way"),
            file.seed
        ));
        let make = |way, count| ways.experiment(way, count);
        work.simulate(|| study::most_vms(&plan, &make, &show, &|| bar.is_over()))
    })??;
    bar.clear();
    let made = settings.report.then(|| page::made(file.inputs()));
    work.deliver_with(&results, made.as_ref())?;
    let invalid = results.ways.iter().filter(|way| way.vms == 0).count();
    settings.judge(invalid, results.ways.len())
}
