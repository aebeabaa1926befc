//! Plan files: a scenario whose VMs do not state what they have of a card, and the cards at hand.
//! `slicewise plan` searches what they should have.
//!
//! What is a scenario's is read as a scenario, so every rule and every message is the same. A
//! layout becomes the text of a scenario (`written`) and is read like any other: nothing is placed
//! or checked here.

pub(crate) mod keys;
mod written;

use super::catalogue::Catalogue;
use super::inputs::Inputs;
use super::scenario::length::{self, Rates};
use super::scenario::machine::{BARE_METAL, Machine};
use super::scenario::vm::{self, VmContext};
use super::scenario::{
    LoadOptions, cards, guest::Guest, hash, lesson, name_of, plan, read_files, rules, used_entries,
};
use super::text::{Diagnostic, LoadError, Problems, Reader, SourceFile, Spot, source};
use crate::formats::recognise;
use crate::gpu::policies;
use crate::spec::{Arrivals, Experiment, TestScenario};
use crate::study::{
    CardLayout, CardPart, CardWays, Held, Layout, Obstacle, PlanCards, PlanKind, PlanTask, TooMany,
};
use crate::study::{Head, SEARCHED_QUERIES_MAX};
use crate::suggest::{nearest, quoted};
use keys::{FOREIGN, Group, PlanKeys};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use toml::de::DeTable;
use written::Written;

/// Reads the keys that only plan files have, for those that listen.
#[cfg(test)]
pub(super) fn ask_own_keys(file: &Arc<SourceFile>, tree: &DeTable<'_>, problems: &Problems) {
    let _ = PlanKeys::read(file, tree, problems);
}

/// A plan file, checked.
#[derive(Debug)]
pub struct PlanFile {
    task: PlanTask,
    written: Written,
    file: Arc<SourceFile>,
    stem: String,
    catalogue: Catalogue,
    seed: u64,
}

impl PlanFile {
    /// Reads the file; `at_most` is the most cards in all, where the command line states it.
    pub fn load(
        path: &Path,
        options: &LoadOptions,
        at_most: Option<u32>,
    ) -> Result<Self, LoadError> {
        let problems = Problems::default();
        let files = read_files(path, options, &problems).map_err(LoadError::World)?;
        if path.is_dir() && !problems.any() {
            let title = "a folder is no plan";
            let diagnostic = Diagnostic::about(&path.display().to_string(), None, title);
            problems.push(diagnostic.allowed("one file").help("name one file of it"));
        }
        let found = match (&files[..], problems.any()) {
            ([(name, file)], false) => {
                let stem = name.strip_suffix(".toml").unwrap_or(name).to_string();
                Reading { file, stem, options, at_most, problems: &problems }.plan(path)
            }
            _ => None,
        };
        match (found, problems.into_error()) {
            (Some(found), None) => Ok(found),
            (_, faults) => Err(LoadError::Invalid(faults.unwrap_or_default())),
        }
    }

    /// What is asked.
    pub fn task(&self) -> &PlanTask {
        &self.task
    }

    /// The run of a layout, replication 0; or why there is none.
    pub fn experiment(&self, layout: &Layout) -> Result<Experiment, TooMany> {
        let text = self.written.scenario(layout, self.seed, None);
        let file = Arc::new(SourceFile::new(self.file.path.clone(), text));
        let problems = Problems::default();
        let read = plan::read(&file, &self.stem, &self.catalogue, &problems);
        let faults = problems.into_error();
        let made = read.filter(|_| faults.is_none());
        let made = made.and_then(|plan| plan.pairs.into_iter().next());
        match made {
            Some(pair) => {
                let found = Experiment { seed: self.seed, ..pair.virtual_run.experiment };
                rules::over_committed(&found).map_or(Ok(found), Err)
            }
            None => {
                let faults = faults.unwrap_or_default();
                let limit = faults.iter().find(|fault| fault.obstacle().is_some());
                let told = limit.or(faults.first());
                let obstacle = told.and_then(Diagnostic::obstacle).unwrap_or(Obstacle::Rule);
                let text = told.map_or(String::new(), |told| told.title().to_string());
                Err(TooMany { obstacle, text })
            }
        }
    }

    /// What it was read from.
    pub fn inputs(&self) -> Inputs {
        let files = [(self.file.path.clone(), self.file.clone())];
        Inputs::of(&files, &self.used(), &self.catalogue)
    }

    /// The file of a layout as a scenario, under this title, for this folder.
    pub fn scenario(&self, layout: &Layout, title: &str, folder: &Path) -> String {
        let own = Path::new(&self.file.path).parent().unwrap_or(Path::new(""));
        let to_plan = way_between(folder, own);
        self.written.scenario(layout, self.seed, Some((title, &to_plan)))
    }
}

/// A file under reading.
struct Reading<'r> {
    file: &'r Arc<SourceFile>,
    stem: String,
    options: &'r LoadOptions,
    at_most: Option<u32>,
    problems: &'r Problems,
}

impl Reading<'_> {
    fn plan(self, path: &Path) -> Option<PlanFile> {
        let tree = source::parse(self.file, self.problems)?;
        if !self.is_plan(&tree) {
            return None;
        }
        let (problems, catalogue) = (self.problems, &self.options.catalogue);
        let keys = PlanKeys::read(self.file, &tree, problems)?;
        let base = keys::as_scenario(&tree, &keys, self.first_model(&tree));
        let mut top = Reader::new(self.file, &base, problems);
        let title = top.get("title").and_then(|value| value.text().map(str::to_string));
        let seed = top.get("seed").and_then(|value| value.whole(0..=u64::MAX, ""));
        let machine = Machine::read(&mut top, catalogue, problems);
        let around = VmContext::new(catalogue, machine.as_ref());
        let guests = guests(&mut top, &around);
        let _ = lesson::read(&mut top);
        top.finish();
        let (machine, guests) = (machine?, guests?);
        if problems.any() {
            return None;
        }
        for (index, guest) in guests.iter().enumerate() {
            self.check(guest, &|key| keys::spot_in_vm(self.file, &tree, index, key));
            self.check_length(guest);
        }
        rules::host_has_room(&machine, &cards::expand(&machine, &guests), &[], problems);
        if problems.any() {
            return None;
        }
        let seed = self.options.seed.or(seed).unwrap_or(0);
        let name = name_of(path);
        let title = title.unwrap_or_else(|| name.clone());
        let groups = keys.groups(&machine);
        let most_cards = self.most_cards(&keys, &machine);
        self.check_prices(&keys, &machine);
        self.check_policy(&tree, &keys, &machine);
        if problems.any() {
            return None;
        }
        let cards = groups.iter().map(|group| PlanCards {
            gpu: catalogue.gpus[&group.model].spec.clone(),
            most: group.count.unwrap_or(most_cards).min(most_cards),
            price: keys.price(&group.model),
        });
        let cards: Vec<PlanCards> = cards.collect();
        let kinds = guests.iter().map(|guest| PlanKind {
            name: guest.vm.name.clone(),
            count: guest.copies.unwrap_or(1),
            vm: guest.vm.clone(),
            lowers_batch: keys.lowers_batches,
        });
        let written = Written::of(self.file, &tree, &machine, &guests, groups);
        let mut found = PlanFile {
            task: PlanTask {
                head: Head::of(&name, &title, "", seed),
                kinds: kinds.collect(),
                cards,
                most_cards,
                ways: ways(&machine),
                policies: keys.policies(&machine),
                prices: keys.prices.as_ref().map(|stated| stated.prices.clone()),
                notes: self.more_than_at_hand(&keys, most_cards).into_iter().collect(),
            },
            written,
            file: self.file.clone(),
            stem: self.stem,
            catalogue: catalogue.clone(),
            seed,
        };
        found.leave_out_policies();
        let used = found.used();
        let files = [(format!("{name}.toml"), self.file.clone())];
        found.task.head.scenario_hash = hash(&files, &used, catalogue);
        Some(found)
    }

    /// The model of the first card that the named host comes with.
    fn first_model(&self, tree: &DeTable<'_>) -> Option<String> {
        let host = tree.get("host")?.get_ref().as_str()?;
        let cards = self.options.catalogue.hosts.get(host)?.gpus.first()?;
        Some(cards.model.clone())
    }

    /// Whether the file may be one: other files of ours are told what reads them.
    fn is_plan(&self, tree: &DeTable<'_>) -> bool {
        let keys: Vec<&str> = tree.keys().map(|key| key.get_ref().as_ref()).collect();
        match recognise::by_keys(&keys) {
            Some(recognise::SCENARIO | recognise::PLAN) | None => {}
            Some(_) => {
                return source::is_of_kind(self.file, tree, recognise::PLAN, self.problems);
            }
        }
        if let Some(host) = tree.get("host").filter(|host| host.get_ref().is_array()) {
            let spot = Spot { file: self.file.clone(), span: host.span() };
            let title = "`host` is a list of hosts, and a plan is of one";
            let help = "`slicewise place` and `slicewise run` take a cluster";
            self.problems.push(Diagnostic::at(&spot, title).help(help));
            return false;
        }
        for (key, help) in FOREIGN {
            if let Some(value) = tree.get(key) {
                let spot = Spot { file: self.file.clone(), span: value.span() };
                let title = format!("`{key}` has no meaning in a plan");
                self.problems.push(Diagnostic::at(&spot, title).help(help));
            }
        }
        true
    }

    /// What a search cannot do with a VM.
    fn check(&self, guest: &Guest, spot_of: &dyn Fn(&str) -> Option<Spot>) {
        let load = &guest.vm.load;
        let refuse = |key: &str, title: String, help: &str| {
            let spot = spot_of(key).unwrap_or_else(|| guest.spots.rate.clone());
            self.problems.push(Diagnostic::at(&spot, title).help(help));
        };
        if guest.model.is_some() {
            let title = "a VM with several models";
            let help = "write a [[vm]] for each model: `plan` places VMs of one workload each";
            refuse("model", title.to_string(), help);
            return;
        }
        if load.scenario != TestScenario::Server {
            let title = format!("a load of the scenario {}", load.scenario.word());
            let help =
                "write scenario = \"server\": only such a load has a rate and a latency bound";
            refuse("load", title, help);
        }
        if matches!(load.arrivals, Arrivals::Trace(_)) && guest.copies.is_some_and(|many| many > 1)
        {
            let title = "a recorded load that several VMs share".to_string();
            let help = "write a [[vm]] for each: who is asked what would depend on the layout";
            refuse("load", title, help);
        }
    }

    /// What no layout changes: a load that makes too many queries is a fault of the file.
    fn check_length(&self, guest: &Guest) {
        length::queries_are_countable(guest, Rates::Asked, SEARCHED_QUERIES_MAX, self.problems);
        length::counts_are_reachable(guest, SEARCHED_QUERIES_MAX, self.problems);
    }

    /// Every model at hand has a price, and every price is of one at hand.
    fn check_prices(&self, keys: &PlanKeys, machine: &Machine) {
        let Some(stated) = &keys.prices else { return };
        let models = machine.ids();
        for (model, _, spot) in &stated.cards {
            if !models.contains(&model.as_str()) {
                let title = format!("a price of {}, of which no card is at hand", quoted(model));
                let diagnostic = Diagnostic::at(spot, title).allowed(models.join(", "));
                self.problems.push(diagnostic.did_you_mean(nearest(model, &models)));
            }
        }
        let has_price = |model: &&&str| stated.cards.iter().any(|(own, ..)| own == **model);
        let without: Vec<&str> = models.iter().filter(|model| !has_price(model)).copied().collect();
        if let Some(first) = without.first() {
            let title = format!("no price of a card of {}", without.join(", "));
            let help = format!("write card_hour = {{ {first} = ... }}, a price for an hour");
            self.problems.push(Diagnostic::at(&stated.spot, title).help(help));
        }
    }

    /// A policy is of vGPUs.
    fn check_policy(&self, tree: &DeTable<'_>, keys: &PlanKeys, machine: &Machine) {
        let sharing = tree.get("sharing").filter(|_| keys.states_policy);
        let Some(sharing) = sharing.filter(|_| !machine.hypervisor.virtual_gpus) else { return };
        let of_policy = |key| sharing.get_ref().as_table()?.get(key);
        let stated = ["policy", "registry"].into_iter().find_map(of_policy).unwrap_or(sharing);
        let spot = Spot { file: self.file.clone(), span: stated.span() };
        let title = format!("a policy of vGPUs, which {} does not have", machine.hypervisor.id);
        self.problems.push(Diagnostic::at(&spot, title).help("drop `policy` or `registry`"));
    }

    /// What is said where more cards may be used than there are.
    fn more_than_at_hand(&self, keys: &PlanKeys, most: u32) -> Option<String> {
        let stated = self.at_most.or(keys.at_most).filter(|stated| *stated > most)?;
        let flag = if self.at_most.is_some() { "--at-most" } else { "at_most =" };
        Some(format!(
            "{flag} {stated}, but only {} at hand: count = \"any\" under gpus takes as many as are needed",
            match most {
                1 => "1 card is".to_string(),
                most => format!("{most} cards are"),
            }
        ))
    }

    /// The most cards in all: of the command line, those at hand, or as many as the host comes with.
    fn most_cards(&self, keys: &PlanKeys, machine: &Machine) -> u32 {
        /// Slots of a host of which none are known.
        const SLOTS: u32 = 8;
        let at_hand: u32 = keys.entries.iter().map(|entry| entry.count.unwrap_or(0)).sum();
        let is_any = keys.entries.iter().any(|entry| entry.count.is_none());
        let all = match (keys.entries.is_empty(), is_any) {
            (true, _) => machine.cards(),
            (_, false) => at_hand,
            (_, true) => {
                let own = self.options.catalogue.hosts.get(&machine.host.id);
                let own: u32 = own.map_or(0, |host| host.gpus.iter().map(|one| one.count).sum());
                if own > 0 { own } else { SLOTS }
            }
        };
        let stated = self.at_most.or(keys.at_most);
        match is_any {
            true => stated.unwrap_or(all),
            false => stated.unwrap_or(all).min(all),
        }
    }
}

impl PlanFile {
    /// Leaves out policies that the keys of the file rule out, and says why.
    fn leave_out_policies(&mut self) {
        for policy in std::mem::take(&mut self.task.policies) {
            match self.rule_against(&policy) {
                None => self.task.policies.push(policy),
                Some(why) => self.task.notes.push(format!("{policy} is not tried: {why}")),
            }
        }
    }

    /// The rule of scenario files that a card with time-sliced vGPUs under a policy breaks, whatever they are.
    fn rule_against(&self, policy: &str) -> Option<String> {
        for (cards, of) in self.task.cards.iter().enumerate() {
            for vgpu in of.gpu.vgpu_types.iter().filter(|vgpu| vgpu.profile.is_none()) {
                let held = Held::Sliced(vgpu.name.clone());
                let parts = vec![CardPart { kind: 0, count: 1, held, batch_max: None }];
                let cards = vec![CardLayout { cards, parts }];
                let layout = Layout { policy: Some(policy.to_string()), cards };
                match self.experiment(&layout) {
                    Ok(_) => return None,
                    Err(TooMany { obstacle: Obstacle::Rule, text }) => return Some(text),
                    Err(_) => {}
                }
            }
        }
        None
    }

    /// The files of the catalogue that the VMs and cards use.
    fn used(&self) -> BTreeSet<(&'static str, String)> {
        let mut used = BTreeSet::new();
        for (index, kind) in self.task.kinds.iter().enumerate() {
            for cards in 0..self.task.cards.len() {
                let layout = written::alone(index, cards);
                match self.experiment(&layout) {
                    Ok(experiment) => used.extend(used_entries(&experiment)),
                    Err(_) => {
                        used.insert(("gpus", self.task.cards[cards].gpu.id.clone()));
                        used.insert(("workloads", kind.vm.workload.id.clone()));
                    }
                }
            }
        }
        used
    }
}

/// The path from a folder to another: relative where they have a folder in common.
fn way_between(from: &Path, to: &Path) -> PathBuf {
    // A folder that is not there yet lies in one that is; that may be behind a link.
    let whole = |path: &Path| {
        let path = std::path::absolute(Path::new(".").join(path)).ok()?;
        let is_there = |part: &Path| Some((part.canonicalize().ok()?, part.to_path_buf()));
        let (real, part) = path.ancestors().find_map(is_there)?;
        Some(real.join(path.strip_prefix(part).ok()?))
    };
    let (Some(from), Some(to)) = (whole(from), whole(to)) else { return to.to_path_buf() };
    let (from, to) = (from.components().collect::<Vec<_>>(), to.components().collect::<Vec<_>>());
    let alike = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = from[alike..].iter().map(|_| Component::ParentDir);
    up.chain(to[alike..].iter().copied()).collect()
}

/// How VMs can share cards under the hypervisor of a machine.
fn ways(machine: &Machine) -> CardWays {
    match (machine.hypervisor.virtual_gpus, machine.hypervisor.id == BARE_METAL) {
        (true, _) => CardWays::VirtualGpus,
        (false, true) => CardWays::BareMetal,
        (false, false) => CardWays::WholeCards,
    }
}

/// The VMs of the file.
fn guests(top: &mut Reader<'_>, around: &VmContext<'_>) -> Option<Vec<Guest>> {
    let value = top.need("vm", "write [[vm]] with a workload and [vm.load]")?;
    if value.is_table() {
        value.report(value.wrong("is a single table").help("write [[vm]] with two brackets"));
        return None;
    }
    let items = value.items(keys::VMS_MAX)?;
    let count = items.len();
    let guests = items.into_iter().enumerate();
    let guests: Vec<Guest> =
        guests.filter_map(|(index, item)| vm::read(item.table()?, index + 1, around)).collect();
    let all: u32 = guests.iter().map(|guest| guest.copies.unwrap_or(1)).sum();
    if all > keys::VMS_MAX as u32 {
        let diagnostic = value.wrong(format!("has {all} VMs, copies counted"));
        value.report(diagnostic.allowed(format!("at most {}", keys::VMS_MAX)));
        return None;
    }
    if let Some(engine) = guests.iter().find(|guest| guest.vm.llm.is_some()) {
        let title = "layouts of VMs that serve LLMs are not searched yet";
        let help = "write a scenario with a share of a card for each, and sweep over it: docs/reference/llm.md";
        value.report(Diagnostic::at(&engine.spots.name, title).help(help));
        return None;
    }
    (guests.len() == count).then_some(guests)
}

impl PlanKeys {
    /// What a card costs in an hour; 1 where nothing has a price.
    fn price(&self, model: &str) -> f64 {
        let stated = self.prices.as_ref();
        let own = stated.and_then(|stated| stated.cards.iter().find(|(known, ..)| known == model));
        own.map_or(1.0, |(_, price, _)| *price)
    }

    /// The policies to try: that of the file, or those of the driver.
    fn policies(&self, machine: &Machine) -> Vec<String> {
        if self.states_policy {
            let own = policies().into_iter().find(|entry| entry.policy == machine.sharing.policy);
            return own.into_iter().map(|entry| entry.name.to_string()).collect();
        }
        let known = policies().into_iter().filter(|entry| entry.policy.is_of_driver());
        known.map(|entry| entry.name.to_string()).collect()
    }

    /// The cards of the machine, those together that are alike.
    fn groups(&self, machine: &Machine) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, cards) in machine.groups.iter().enumerate() {
            let is_any = self.entries.get(index).is_some_and(|entry| entry.count.is_none());
            let limit = cards.power_limit.as_ref().map(|(limit, _)| *limit);
            let count = (!is_any).then_some(cards.count);
            let alike = groups.iter_mut().find(|group| {
                group.model == cards.model
                    && group.power_limit == limit
                    && group.link == cards.link
                    && group.link.switch.is_none()
            });
            match (alike, count) {
                (Some(group), Some(count)) => {
                    group.count = group.count.map(|own| own + count);
                }
                (Some(group), None) => group.count = None,
                (None, count) => groups.push(Group {
                    model: cards.model.clone(),
                    count,
                    power_limit: limit,
                    link: cards.link.clone(),
                }),
            }
        }
        groups
    }
}
