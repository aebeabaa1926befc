//! `slicewise place`: which VM on which host and card, as vSphere would decide; who is refused and why.
//!
//! Nothing is simulated. It neither places nor formats; it calls the parts that do, in order.

use super::arguments::{OutputArgs, span, whole};
use super::failure::Failure;
use super::progress;
use super::work::Work;
use crate::config::{Catalogue, ClusterFile, LoadOptions, nearest, quoted};
use crate::layout::cluster::POLICIES;
use crate::report::Maker;
use crate::study;
use crate::units::{SimDuration, SimTime, counted};
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `slicewise place`.
#[derive(Args, Debug)]
pub(super) struct PlaceArgs {
    /// A file with hosts and VMs, or - for standard input
    path: PathBuf,

    /// How a host is chosen, instead of the file's; may be given several times, to compare: the first
    /// is drawn
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    policy: Vec<&'static str>,

    /// Compare all policies
    #[arg(long, conflicts_with = "policy")]
    compare: bool,

    /// The moment to draw, such as "2 h" [default: after the last power-on]
    #[arg(long, value_name = "TIME", value_parser = span)]
    at: Option<SimDuration>,

    /// Also list the moves of a balancing of GPU load: hypothetical, not vSphere's
    #[arg(long)]
    balance: bool,

    /// Set a key of the file, such as sharing.assignment="spread"; may be given several times, in
    /// order
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Output folder [default: output/FILE-placement]; replaced by each run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept
    #[arg(long)]
    force: bool,

    /// Seed of drawn times and of the random policy, instead of the file's
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) const HELP: &str = "\
Examples:
  slicewise place scenarios/cluster/spread-or-group.toml
  slicewise place my-cluster.toml --compare          every policy side by side
  slicewise place my-cluster.toml --policy fgd --policy vsphere
  slicewise place my-cluster.toml --set sharing.assignment=spread --at \"2 h\"

Exit codes:
  0  every VM found a place
  2  a mistake in the file or on the command line
  4  a VM was refused; the answer gives the reason";

fn policy(word: &str) -> Result<&'static str, String> {
    let names = || POLICIES.iter().map(|entry| entry.name);
    names().find(|name| *name == word).ok_or_else(|| {
        let known: Vec<&str> = names().collect();
        let near = nearest(word, &known);
        let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        format!("{} is no policy; known are {}{near}", quoted(word), known.join(", "))
    })
}

/// Runs the command.
pub(super) fn run(arguments: &PlaceArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = Catalogue::load(configs)?;
    let (seed, set) = (arguments.seed, arguments.set.clone());
    let options = LoadOptions { seed, set, ..LoadOptions::new(catalogue) };
    let file = ClusterFile::load(&arguments.path, &options)?;
    let task = &file.task;
    let name = &task.head.scenario;
    let bar = progress::Search::new(true, None);
    let place = (&arguments.out, &format!("{name}-placement")[..], arguments.force);
    let work = Work::begin(&arguments.output, Maker::Place, place, bar.bar())?;
    file.warnings.iter().for_each(|warning| work.say(warning));
    let vms: u32 = task.vms.iter().map(study::VmGroup::vms).sum();
    let hosts: u32 = task.hosts.iter().map(study::HostGroup::hosts).sum();
    let (vms, hosts) = (counted(vms, "VM"), counted(hosts, "host"));
    work.say(format!("{name}: {vms} on {hosts}, seed {}", task.head.seed));
    let policies = match (&arguments.policy[..], arguments.compare) {
        (_, true) => study::all_policies(task.policy),
        ([], false) => vec![task.policy],
        (named, false) => named.to_vec(),
    };
    let at = arguments.at.map(|span| SimTime::ZERO + span);
    let results =
        work.simulate(|| study::cluster_results(task, &policies, at, arguments.balance))?;
    work.deliver(&results)?;
    if results.counts.refused == 0 { Ok(()) } else { Err(Failure::AnsweredNo) }
}
