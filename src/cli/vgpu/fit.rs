//! `slicewise vgpu fit`: can these VMs share these cards, and how?
//!
//! The answer is found in `layout::fit`; here it is put into words, a drawing and command lines.

use super::draw::Card;
use super::request::{CARDS_MAX, Group, gpu_and_cards, groups, there};
use super::{Failure, good_catalogue, gpu_with_types, setup};
use crate::cli::output;
use crate::config::{DisputedMix, quoted};
use crate::layout::fit::{Answer, CardMode, Doubt, Fit, Need, SizeMode, Wish};
use crate::layout::placement::Assignment;
use crate::report::{Column, Grid};
use crate::spec::names::find_type;
use crate::spec::{GpuSpec, MixedSize, VgpuType};
use crate::units::{Bytes, counted};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Examples for `--help`.
pub(super) const HELP: &str = "\
Examples:
  slicewise vgpu fit a100-pcie-40gb --cards 2 4xA100-10C 5xA100-8C
  slicewise vgpu fit a100-pcie-40gbx2 A100-20C 2xA100-10C 6xA100-4C --policy spread
  slicewise vgpu fit a100-pcie-40gb --cards 2 --vms 9 --frame-buffer \"8 GB\"
  slicewise vgpu fit a10 A10-12C --beside A10-4C@0 --beside A10-4C@12

Exit codes:
  0  they fit
  2  wrong usage
  4  they do not fit, or it cannot be said; the answer says why";

/// What `slicewise vgpu fit` takes.
#[derive(Args, Debug)]
pub(crate) struct FitArgs {
    /// The GPU, as `slicewise list` names it; a100-pcie-40gbx2 for two cards
    gpu: String,

    /// vGPU types, one for each VM: A100-10C, or 4xA100-10C for four alike; as hosts print them too
    /// (NVIDIA A100-10C, grid_a100-10c)
    #[arg(value_name = "TYPE", conflicts_with_all = ["vms", "frame_buffer"])]
    #[arg(required_unless_present = "vms")]
    types: Vec<String>,

    /// How many cards there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    cards: Option<u32>,

    /// Instead of types: so many VMs alike, of any type that gives them enough frame buffer
    #[arg(long, value_name = "N", requires = "frame_buffer")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    vms: Option<u32>,

    /// The frame buffer each of the VMs needs at least, such as "8 GB"
    #[arg(long, value_name = "SIZE", requires = "vms")]
    frame_buffer: Option<Bytes>,

    /// Beside these vGPUs, which the card has: COUNTxTYPE, or TYPE@ID with its placement id (of
    /// mixed-size mode) or the first memory slice of its GPU instance; may be repeated
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["vms", "cards", "policy"])]
    beside: Vec<String>,

    /// Which card a VM goes to: the first with room, or the one with the fewest VMs
    #[arg(long, value_name = "POLICY", default_value = "consolidate")]
    policy: Policy,

    /// vGPUs of one size on a card, or of several; default: of several where it is needed
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Policy {
    Consolidate,
    Spread,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Mode {
    Equal,
    Mixed,
}

/// A question with its GPU, and the answers in both modes.
struct Question<'a> {
    gpu: &'a GpuSpec,
    disputed: &'a [DisputedMix],
    cards: usize,
    groups: Vec<Group>,
    assignment: Assignment,
    mode: Option<Mode>,
}

/// Runs the command.
pub(super) fn run(arguments: &FitArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = good_catalogue(configs)?;
    let known: Vec<&str> = catalogue.gpus().map(|gpu| gpu.id.as_str()).collect();
    let (name, said) = gpu_and_cards(&arguments.gpu, &known);
    let gpu = gpu_with_types(&catalogue, &name)?;
    let cards = match (said, arguments.cards) {
        (Some(_), Some(_)) => {
            let title =
                format!("{} says how many cards, and so does --cards", quoted(&arguments.gpu));
            return Err(Failure::Usage(title));
        }
        (one, other) => one.or(other).unwrap_or(1),
    };
    if !(1..=CARDS_MAX).contains(&cards) {
        let title = format!("{cards} cards\n  = allowed: 1 to {CARDS_MAX} cards");
        return Err(Failure::Usage(title));
    }
    let assignment = match arguments.policy {
        Policy::Consolidate => Assignment::Consolidate,
        Policy::Spread => Assignment::Spread,
    };
    let (cards, mode) = (cards as usize, arguments.mode);
    if !arguments.beside.is_empty() {
        if cards > 1 {
            let title = "--beside says what one card has, and there are several";
            return Err(Failure::Usage(format!("{title}\n  = help: ask card by card")));
        }
        let there = there(gpu, &arguments.beside)?;
        let wanted = groups(gpu, &arguments.types)?;
        let question = super::beside::Question::new(gpu, there, &wanted, mode == Some(Mode::Mixed));
        return question.answer(arguments.json);
    }
    let disputed = catalogue.disputed_mixes(&gpu.id);
    let question = |groups| Question { gpu, disputed, cards, groups, assignment, mode };
    let Some((vms, frame_buffer)) = arguments.vms.zip(arguments.frame_buffer) else {
        return question(groups(gpu, &arguments.types)?).answer(
            arguments.json,
            String::new(),
            None,
        );
    };
    let candidates = candidates(gpu, cards, vms, frame_buffer);
    if candidates.is_empty() {
        let largest = gpu.vgpu_types.iter().map(usable(gpu)).max().unwrap_or(Bytes::ZERO);
        let why = format!("no vGPU type of {} has {frame_buffer} of frame buffer", gpu.id);
        output::data(&match arguments.json {
            true => format!(
                "{:#}\n",
                json!({ "gpu": gpu.id, "cards": cards, "vms": vms, "fit": false, "why": [why] })
            ),
            false => output::fitted(&format!(
                "{} on {cards} x {}: no\n\nbecause: {why}\nnearest: up to {largest}\n",
                counted(vms, "VM"),
                gpu.id
            )),
        })?;
        return Err(Failure::AnsweredNo);
    }
    let chosen = candidates.iter().find(|one| one.cards_needed <= cards).unwrap_or_else(|| {
        candidates.iter().min_by_key(|one| one.cards_needed).expect("there are some")
    });
    let group = Group { kind: chosen.kind, count: vms };
    let table = candidate_table(gpu, cards, vms, frame_buffer, &candidates, chosen.kind);
    question(vec![group]).answer(arguments.json, table, Some(&candidates))
}

/// A type that has enough frame buffer, and how many cards the VMs need with it.
struct Candidate {
    kind: usize,
    per_card: u32,
    cards_needed: usize,
}

/// Frame buffer that a guest has of a type: of a GPU instance no more than is usable.
fn usable(gpu: &GpuSpec) -> impl Fn(&VgpuType) -> Bytes {
    |vgpu| {
        let profile = vgpu.profile.as_deref().and_then(|name| gpu.mig_profile(name));
        let usable = profile.and_then(|profile| profile.frame_buffer);
        match vgpu.max_per_instance {
            1 => usable.map_or(vgpu.frame_buffer, |usable| usable.min(vgpu.frame_buffer)),
            _ => vgpu.frame_buffer,
        }
    }
}

/// The types with enough frame buffer: those of which the VMs fit first, then most frame buffer.
fn candidates(gpu: &GpuSpec, cards: usize, vms: u32, need: Bytes) -> Vec<Candidate> {
    let usable = usable(gpu);
    let types = &gpu.vgpu_types;
    // Of types alike in everything but the series the first: what differs is the licence.
    let is_first = |kind: usize| {
        let figures = |of: &VgpuType| {
            (of.frame_buffer, of.max_per_gpu, of.mixed_size.clone(), of.profile.clone())
        };
        types[..kind].iter().all(|other| figures(other) != figures(&types[kind]))
    };
    let kinds = (0..types.len())
        .filter(|&kind| types[kind].runs_cuda() && usable(&types[kind]) >= need && is_first(kind));
    let mut all: Vec<Candidate> = kinds
        .map(|kind| {
            let mut wanted = vec![0; gpu.vgpu_types.len()];
            wanted[kind] = vms;
            let need = Fit::new(gpu, SizeMode::Equal, wanted).need();
            let per_card = gpu.vgpu_types[kind].max_per_gpu;
            Candidate { kind, per_card, cards_needed: need.cards() }
        })
        .collect();
    let size = |one: &Candidate| gpu.vgpu_types[one.kind].frame_buffer;
    let backed = |one: &Candidate| !gpu.vgpu_types[one.kind].is_time_sliced();
    all.sort_by_key(|one| {
        (one.cards_needed > cards, std::cmp::Reverse(size(one)), backed(one), one.kind)
    });
    all
}

fn candidate_table(
    gpu: &GpuSpec,
    cards: usize,
    vms: u32,
    need: Bytes,
    candidates: &[Candidate],
    chosen: usize,
) -> String {
    let mut grid = Grid::new(&[
        ("TYPE", Column::Text),
        ("KIND", Column::Text),
        ("FRAME BUFFER", Column::Number),
        ("PER CARD", Column::Number),
        ("CARDS NEEDED", Column::Number),
        ("", Column::Text),
    ]);
    for one in candidates {
        let vgpu = &gpu.vgpu_types[one.kind];
        let fits = one.cards_needed <= cards;
        grid.line(vec![
            vgpu.name.clone(),
            if vgpu.is_time_sliced() { "time-sliced" } else { "MIG-backed" }.to_string(),
            vgpu.frame_buffer.to_string(),
            one.per_card.to_string(),
            one.cards_needed.to_string(),
            match (fits, one.kind == chosen) {
                (true, true) => "fits, shown below",
                (true, false) => "fits",
                (false, _) => "",
            }
            .to_string(),
        ]);
    }
    format!(
        "types of {} with at least {need} for each of {vms} VMs:\n\n{}\n",
        gpu.id,
        grid.finish(crate::cli::output::width())
    )
}

impl Question<'_> {
    fn answer(
        &self,
        json: bool,
        before: String,
        candidates: Option<&[Candidate]>,
    ) -> Result<(), Failure> {
        let (equal, mixed) = (self.fit(SizeMode::Equal).need(), self.fit(SizeMode::Mixed).need());
        let mode = match self.mode {
            Some(Mode::Equal) => SizeMode::Equal,
            Some(Mode::Mixed) => SizeMode::Mixed,
            None if equal.cards() <= self.cards => SizeMode::Equal,
            None => SizeMode::Mixed,
        };
        let answer = self.fit(mode).on(self.cards, self.assignment);
        let cards = match &answer {
            Answer::Fit(plans) => Card::number(self.gpu, plans, &self.kinds()),
            _ => Vec::new(),
        };
        let why = if cards.is_empty() { self.why_not(mode, &answer) } else { Vec::new() };
        let nearest = if cards.is_empty() { self.nearest(mode) } else { Vec::new() };
        let dispute = self.dispute().filter(|_| cards.is_empty() && mode == SizeMode::Mixed);
        if json {
            let mut document =
                self.document(&answer, (&equal, &mixed), &cards, (&why, &nearest), candidates);
            document["dispute"] = dispute.map_or(Value::Null, Value::String);
            output::data(&format!("{document:#}\n"))?;
        } else {
            let mut text = before + &self.headline(&answer);
            text.push_str(&self.both_modes(&equal, &mixed));
            for (number, card) in cards.iter().enumerate() {
                text.push_str(&format!("\n{}", card.text(number)));
            }
            if !cards.is_empty() {
                text.push_str(&format!("\n{}", setup::text(&cards, self.assignment)));
                for note in self.notes(&cards) {
                    text.push_str(&format!("note: {note}\n"));
                }
            }
            let lines = why.iter().map(|line| format!("because: {line}\n"));
            let lines = lines.chain(nearest.iter().map(|line| format!("nearest: {line}\n")));
            let lines = lines.chain(dispute.iter().map(|line| format!("note: {line}\n")));
            let lines: String = lines.collect();
            text.push_str(if lines.is_empty() { "" } else { "\n" });
            text.push_str(&lines);
            output::data(&output::fitted(&text))?;
        }
        if cards.is_empty() { Err(Failure::AnsweredNo) } else { Ok(()) }
    }

    fn fit(&self, mode: SizeMode) -> Fit<'_> {
        Fit::new(self.gpu, mode, self.wanted())
    }

    fn wanted(&self) -> Vec<u32> {
        let mut wanted = vec![0; self.gpu.vgpu_types.len()];
        self.groups.iter().for_each(|group| wanted[group.kind] += group.count);
        wanted
    }

    /// The type of each VM, in order.
    fn kinds(&self) -> Vec<usize> {
        let each = self.groups.iter();
        each.flat_map(|group| std::iter::repeat_n(group.kind, group.count as usize)).collect()
    }

    fn of(&self, kind: usize) -> &VgpuType {
        &self.gpu.vgpu_types[kind]
    }

    fn cards_in_words(&self) -> String {
        let (count, id) = (self.cards, &self.gpu.id);
        format!("{count} x {id}")
    }

    fn headline(&self, answer: &Answer) -> String {
        let vms = counted(self.wanted().iter().sum::<u32>(), "VM");
        let verdict = match answer {
            Answer::Fit(_) => "yes",
            Answer::DoNotFit => "no",
            Answer::NotPublished => "not published",
            Answer::GaveUp => "not decided",
        };
        format!("{vms} on {}: {verdict}\n", self.cards_in_words())
    }

    fn both_modes(&self, equal: &Need, mixed: &Need) -> String {
        let (only_backed, of_one_size) = (equal.sliced == 0, self.sizes() < 2);
        if only_backed {
            return String::new();
        }
        let line = |need: &Need| {
            let cards = |count: usize| counted(count, "card");
            match need.doubt {
                None => format!("needs {}", cards(need.cards())),
                Some(Doubt::NotPublished) => {
                    format!(
                        "{} are enough; fewer may be: placement ids are not published",
                        cards(need.cards())
                    )
                }
                Some(Doubt::GaveUp) => format!("{} are enough; fewer may be", cards(need.cards())),
            }
        };
        let unsupported = self.kinds().into_iter().all(|kind| {
            !self.of(kind).is_time_sliced() || self.of(kind).mixed_size == MixedSize::Unsupported
        });
        let mixed = match (of_one_size, unsupported) {
            (true, _) => return String::new(),
            (_, true) => "this GPU does not support it".to_string(),
            _ => line(mixed),
        };
        format!("  equal-size mode  {}\n  mixed-size mode  {mixed}\n", line(equal))
    }

    /// How many different frame buffers the time-sliced VMs have.
    fn sizes(&self) -> usize {
        let kinds = self.kinds().into_iter().map(|kind| self.of(kind));
        let mut sizes: Vec<Bytes> =
            kinds.filter(|vgpu| vgpu.is_time_sliced()).map(|vgpu| vgpu.frame_buffer).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes.len()
    }

    fn notes(&self, cards: &[Card<'_>]) -> Vec<String> {
        let mut notes = Vec::new();
        let has = |mode| cards.iter().any(|card: &Card<'_>| card.mode == mode);
        if has(CardMode::MixedSize) {
            notes.push("a card in mixed-size mode takes best effort or equal share, not fixed share; the driver chooses the placement ids, so larger vGPUs go first".to_string());
        }
        if self.assignment == Assignment::Spread && has(CardMode::EqualSize) && self.sizes() > 1 {
            notes.push("in equal-size mode the first vGPU fixes the size of its card, and Performance gives a VM to the card with the fewest: keep the order".to_string());
        }
        notes
    }

    fn why_not(&self, mode: SizeMode, answer: &Answer) -> Vec<String> {
        let mut why = Vec::new();
        match answer {
            Answer::NotPublished => {
                let hidden = |kind: &usize| {
                    matches!(self.of(*kind).mixed_size, MixedSize::NotPublished { .. })
                };
                let mut names: Vec<&str> = Vec::new();
                for kind in self.kinds().into_iter().filter(hidden) {
                    if !names.contains(&self.of(kind).name.as_str()) {
                        names.push(&self.of(kind).name);
                    }
                }
                why.push(format!(
                    "equal-size mode does not do, and the placement ids of mixed-size mode are not published for {}; they are not guessed",
                    names.join(", ")
                ));
                return why;
            }
            Answer::GaveUp => {
                why.push("the search was given up after many steps".to_string());
                return why;
            }
            _ => {}
        }
        let need = self.fit(mode).need();
        let (wanted, memory) = (self.wanted(), self.memory());
        let sliced = |kind: &usize| self.of(*kind).is_time_sliced();
        let frame_buffer = |kind: usize| self.of(kind).frame_buffer.get() * u64::from(wanted[kind]);
        let all: u64 = (0..wanted.len()).filter(sliced).map(frame_buffer).sum();
        if all > memory.get() * self.cards as u64 {
            let there = Bytes::new(memory.get() * self.cards as u64);
            why.push(format!(
                "they need {} of frame buffer, the cards have {there}",
                Bytes::new(all)
            ));
        }
        for kind in (0..wanted.len()).filter(|&kind| wanted[kind] > 0) {
            let (name, most) = (&self.of(kind).name, self.of(kind).max_per_gpu);
            if wanted[kind] as usize > most as usize * self.cards {
                why.push(format!("{} x {name}, and a card takes {most}", wanted[kind]));
            }
        }
        if need.sliced > 0 && need.backed > 0 {
            why.push(format!(
                "time-sliced and MIG-backed vGPUs never share a card: {} for the one and {} for the other",
                need.sliced, need.backed
            ));
        }
        if why.is_empty() && self.sizes() > 1 {
            why.push(match mode {
                SizeMode::Equal => {
                    "in equal-size mode all vGPUs of a card have the same frame buffer".to_string()
                }
                SizeMode::Mixed => self.ids_in_words(),
            });
        }
        if why.is_empty() {
            why.push("the GPU instances have no layout on the printed positions".to_string());
        }
        why
    }

    /// What there is to say where a document of the vendor offers a mix that would hold all of this,
    /// and the placement ids exclude it.
    fn dispute(&self) -> Option<String> {
        let by_size = |counts: &mut dyn Iterator<Item = (usize, u32)>| {
            let mut sizes: BTreeMap<Bytes, u32> = BTreeMap::new();
            counts.for_each(|(kind, count)| {
                *sizes.entry(self.of(kind).frame_buffer).or_default() += count
            });
            sizes
        };
        let wanted = self.wanted();
        let mut used = wanted.iter().copied().enumerate().filter(|(_, count)| *count > 0);
        if used.clone().any(|(kind, _)| !self.of(kind).is_time_sliced()) {
            return None;
        }
        let wanted = by_size(&mut used);
        let holds = |disputed: &&DisputedMix| {
            let kinds = disputed.mix.iter();
            let mut kinds =
                kinds.filter_map(|(name, count)| Some((find_type(self.gpu, name)?, *count)));
            let offered = by_size(&mut kinds);
            wanted.len() > 1
                && wanted.iter().all(|(size, count)| {
                    offered
                        .get(size)
                        .is_some_and(|most| *count as usize <= *most as usize * self.cards)
                })
        };
        let found = self.disputed.iter().find(holds)?;
        let mix: Vec<String> =
            found.mix.iter().map(|(name, count)| format!("{count} x {name}")).collect();
        Some(format!(
            "two sources of NVIDIA contradict each other: {} offers {} on one card, {} prints the placement ids that exclude it; the ids decide until one of them is corrected",
            found.offered_by,
            mix.join(" and "),
            found.excluded_by
        ))
    }

    fn ids_in_words(&self) -> String {
        let wanted = self.wanted();
        let used =
            (0..wanted.len()).filter(|&kind| wanted[kind] > 0 && self.of(kind).is_time_sliced());
        if used.clone().all(|kind| self.of(kind).mixed_size == MixedSize::Unsupported) {
            return "all vGPUs of a card have the same frame buffer: this GPU has no mixed-size mode".to_string();
        }
        let each = used.map(|kind| {
            format!("{} {}", self.of(kind).name, super::list::placements(self.of(kind)))
        });
        let each: Vec<String> = each.collect();
        format!("in mixed-size mode vGPUs lie at placement ids only: {}", each.join(", "))
    }

    fn memory(&self) -> Bytes {
        let largest = self.gpu.vgpu_types.iter().map(|vgpu| vgpu.frame_buffer).max();
        largest.unwrap_or(Bytes::ZERO).max(self.gpu.memory.value)
    }

    fn nearest(&self, mode: SizeMode) -> Vec<String> {
        let wish = Wish { gpu: self.gpu, cards: self.cards, mode, wanted: self.wanted() };
        let list = |counts: &[u32]| {
            let used = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let each = used.map(|(kind, count)| format!("{count} x {}", self.of(kind).name));
            each.collect::<Vec<_>>().join(", ")
        };
        let mut nearest = Vec::new();
        let dropped = wish.fewest_dropped();
        let kept: Vec<u32> =
            wish.wanted.iter().zip(&dropped).map(|(want, less)| want - less).collect();
        if kept.iter().any(|count| *count > 0) {
            nearest.push(format!("{} (without {})", list(&kept), list(&dropped)));
        }
        if let Some((kind, smaller)) = wish.smaller_type() {
            let (kind, smaller) = (&self.of(kind).name, &self.of(smaller).name);
            nearest.push(format!("all of them with {smaller} instead of {kind}"));
        }
        let need = self.fit(mode).need().cards();
        if need <= CARDS_MAX as usize {
            nearest.push(format!("all of them on {need} cards"));
        }
        nearest
    }

    fn document(
        &self,
        answer: &Answer,
        (equal, mixed): (&Need, &Need),
        cards: &[Card<'_>],
        (why, nearest): (&[String], &[String]),
        candidates: Option<&[Candidate]>,
    ) -> Value {
        let need = |need: &Need| {
            json!({
                "cards_needed": need.cards(),
                "is_proven": need.doubt.is_none(),
                "fits": need.cards() <= self.cards,
            })
        };
        let name = |kind: usize| self.of(kind).name.as_str();
        let card = |(number, card): (usize, &Card<'_>)| {
            let is_cut = card.mode == CardMode::Instances;
            let vgpus = card.vgpus.iter().map(|(vm, place)| {
                json!({
                    "vm": vm,
                    "type": name(place.kind),
                    "frame_buffer_mib": self.of(place.kind).frame_buffer.get() >> 20,
                    "placement_id": if is_cut { None } else { place.start },
                    "gpu_instance_profile": self.of(place.kind).profile,
                    "memory_slice": if is_cut { place.start } else { None },
                })
            });
            let room = card
                .room()
                .into_iter()
                .map(|room| json!({ "type": name(room.kind), "count": room.count, "at": room.at }));
            json!({
                "card": number,
                "mode": match card.mode {
                    CardMode::Free => "free",
                    CardMode::EqualSize => "equal-size",
                    CardMode::MixedSize => "mixed-size",
                    CardMode::Instances => "mig",
                },
                "vgpus": vgpus.collect::<Vec<_>>(),
                "room": room.collect::<Vec<_>>(),
            })
        };
        json!({
            "gpu": self.gpu.id,
            "cards": self.cards,
            "wanted": self.groups.iter()
                .map(|group| json!({ "type": name(group.kind), "count": group.count }))
                .collect::<Vec<_>>(),
            "policy": match self.assignment {
                Assignment::Consolidate => "consolidate",
                Assignment::Spread => "spread",
            },
            "answer": match answer {
                Answer::Fit(_) => "fits",
                Answer::DoNotFit => "does not fit",
                Answer::NotPublished => "not published",
                Answer::GaveUp => "not decided",
            },
            "candidates": candidates.map(|all| all.iter().map(|one| json!({
                "type": name(one.kind),
                "max_per_gpu": one.per_card,
                "cards_needed": one.cards_needed,
                "fits": one.cards_needed <= self.cards,
            })).collect::<Vec<_>>()),
            "equal_size": need(equal),
            "mixed_size": need(mixed),
            "plan": cards.iter().enumerate().map(card).collect::<Vec<_>>(),
            "power_on_order": setup::vms_in_order(cards, self.assignment),
            "commands": if cards.is_empty() {
                Value::Null
            } else {
                json!({
                    "vsphere": setup::vsphere(cards, self.assignment),
                    "kvm": setup::kvm(cards),
                })
            },
            "because": why,
            "nearest": nearest,
        })
    }
}
