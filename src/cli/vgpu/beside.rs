//! `slicewise vgpu fit --beside`: do VMs fit on a card that has vGPUs, and what must move or go?
//!
//! The answer is found in `layout::fit`; here it is put into words.

use super::Failure;
use super::draw::Card;
use super::request::Group;
use crate::cli::output;
use crate::layout::fit::{Beside, CardMode, CardPlan, Room, VgpuPlace, beside};
use crate::spec::GpuSpec;
use serde_json::{Value, json};

/// A question about one card.
pub(super) struct Question<'a> {
    gpu: &'a GpuSpec,
    there: Vec<VgpuPlace>,
    wanted: Vec<usize>,
    mixed: bool,
}

impl<'a> Question<'a> {
    pub(super) fn new(
        gpu: &'a GpuSpec,
        there: Vec<VgpuPlace>,
        wanted: &[Group],
        mixed: bool,
    ) -> Self {
        let wanted = wanted.iter();
        let wanted = wanted.flat_map(|one| std::iter::repeat_n(one.kind, one.count as usize));
        Self { gpu, there, wanted: wanted.collect(), mixed }
    }

    pub(super) fn answer(&self, json: bool) -> Result<(), Failure> {
        let answer = beside(self.gpu, &self.there, &self.wanted, self.mixed);
        let text = match json {
            true => format!("{:#}\n", self.document(&answer)),
            false => output::fitted(&self.text(&answer)),
        };
        output::data(&text)?;
        if matches!(answer, Beside::Fits(_)) { Ok(()) } else { Err(Failure::AnsweredNo) }
    }

    fn name(&self, kind: usize) -> &str {
        &self.gpu.vgpu_types[kind].name
    }

    fn is_backed(&self, kind: usize) -> bool {
        !self.gpu.vgpu_types[kind].is_time_sliced()
    }

    /// `2 x A10-4C, A10-6C at 12`.
    fn list(&self, places: &[VgpuPlace]) -> String {
        let mut words: Vec<(String, u32)> = Vec::new();
        for one in places {
            let at = one.start.map_or(String::new(), |at| format!(" at {at}"));
            let word = format!("{}{at}", self.name(one.kind));
            match words.iter_mut().find(|(known, _)| *known == word) {
                Some((_, count)) => *count += 1,
                None => words.push((word, 1)),
            }
        }
        let words = words.into_iter().map(|(word, count)| match count {
            1 => word,
            _ => format!("{count} x {word}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn new_ones(&self) -> Vec<VgpuPlace> {
        self.wanted.iter().map(|&kind| VgpuPlace { kind, start: None }).collect()
    }

    fn text(&self, answer: &Beside) -> String {
        let verdict = match answer {
            Beside::Fits(_) => "yes",
            Beside::NotPublished => "not published",
            Beside::NotThere | Beside::Change(_) => "no",
        };
        let (new, old) = (self.list(&self.new_ones()), self.list(&self.there));
        let mut text = format!("{new} beside {old} on {}: {verdict}\n", self.gpu.id);
        match answer {
            Beside::Fits(plan) => {
                text.push_str(&format!("\n{}", self.drawn(plan)));
                text.push_str(&format!("\n{}\n", self.numbers()));
            }
            _ => text.push_str(&format!("\nbecause: {}\n", self.because(answer))),
        }
        if let Beside::Change(room) = answer {
            let room = room.as_ref();
            let steps =
                room.map_or("nothing of what is there".to_string(), |room| self.steps(room));
            text.push_str(&format!("nearest: {steps}\n"));
        }
        text
    }

    /// Which numbers of the drawing are there.
    fn numbers(&self) -> String {
        match self.there.len() {
            1 => "VM 1 is there, the others are new".to_string(),
            count => format!("VMs 1 to {count} are there, the others are new"),
        }
    }

    fn drawn(&self, plan: &CardPlan) -> String {
        let vgpus = (1..).zip(plan.vgpus.iter().copied()).collect();
        Card { gpu: self.gpu, mode: plan.mode, vgpus }.text(0)
    }

    fn because(&self, answer: &Beside) -> String {
        let all: Vec<usize> =
            self.there.iter().map(|one| one.kind).chain(self.wanted.iter().copied()).collect();
        let backed = all.iter().filter(|&&kind| self.is_backed(kind)).count();
        match answer {
            Beside::NotThere => "what --beside names cannot be there together".to_string(),
            Beside::NotPublished => {
                "placement ids of mixed-size mode are not published for all of them; they are not guessed".to_string()
            }
            Beside::Change(None) => format!(
                "not even a card without vGPUs holds {}: `slicewise vgpu fit` without --beside says why",
                self.list(&self.new_ones())
            ),
            _ if backed > 0 && backed < all.len() => {
                "time-sliced and MIG-backed vGPUs never share a card".to_string()
            }
            _ if backed > 0 => "no layout of GPU instances has them where what is there is".to_string(),
            Beside::Change(Some(room)) if room.plan.mode == CardMode::MixedSize && !self.is_mixed() => {
                "the card is in equal-size mode: its vGPUs have one frame buffer, and it changes its mode only without any".to_string()
            }
            _ if self.is_mixed() => "no placement ids are left where what is there is".to_string(),
            _ => "in equal-size mode a card takes vGPUs of one frame buffer, and no more than its maximum".to_string(),
        }
    }

    fn is_mixed(&self) -> bool {
        self.mixed || self.there.iter().any(|one| one.start.is_some())
    }

    /// `power off A10-4C at 8; then A10-6C goes to 6, and A10-4C to 16`.
    fn steps(&self, room: &Room) -> String {
        let picked =
            |list: &[usize]| -> Vec<VgpuPlace> { list.iter().map(|&at| self.there[at]).collect() };
        let gone = picked(&room.gone);
        let mut steps = Vec::new();
        if !gone.is_empty() {
            steps.push(format!(
                "without {} (power it off, or move it to another card)",
                self.list(&gone)
            ));
        }
        if !room.moved.is_empty() {
            steps.push(format!("power off {}", self.list(&picked(&room.moved))));
        }
        if room.plan.mode == CardMode::MixedSize && !self.is_mixed() {
            steps.push("set the card to mixed-size mode".to_string());
        }
        let kept = self.there.len() - room.gone.len();
        let stays: Vec<usize> =
            (0..self.there.len()).filter(|at| !room.gone.contains(at)).collect();
        let again = stays.iter().zip(&room.plan.vgpus).filter(|(at, _)| room.moved.contains(at));
        let again: Vec<VgpuPlace> = again.map(|(_, place)| *place).collect();
        let new = &room.plan.vgpus[kept..];
        steps.push(match again.is_empty() {
            true => format!("then {}", self.list(new)),
            false => format!("then {}, and again {}", self.list(new), self.list(&again)),
        });
        steps.join("; ")
    }

    fn document(&self, answer: &Beside) -> Value {
        let one = |place: &VgpuPlace| json!({ "type": self.name(place.kind), "at": place.start });
        let list = |places: &[VgpuPlace]| places.iter().map(one).collect::<Vec<_>>();
        let picked =
            |list: &[usize]| list.iter().map(|&at| one(&self.there[at])).collect::<Vec<_>>();
        let plan = |plan: &CardPlan| {
            let mode = match plan.mode {
                CardMode::Free => "free",
                CardMode::EqualSize => "equal-size",
                CardMode::MixedSize => "mixed-size",
                CardMode::Instances => "mig",
            };
            json!({ "mode": mode, "vgpus": list(&plan.vgpus) })
        };
        let is_fit = matches!(answer, Beside::Fits(_));
        json!({
            "gpu": self.gpu.id,
            "beside": list(&self.there),
            "wanted": list(&self.new_ones()),
            "answer": match answer {
                Beside::Fits(_) => "fits",
                Beside::NotThere => "not there",
                Beside::Change(_) => "does not fit",
                Beside::NotPublished => "not published",
            },
            "plan": match answer {
                Beside::Fits(all) => plan(all),
                _ => Value::Null,
            },
            "because": if is_fit { Value::Null } else { json!(self.because(answer)) },
            "change": match answer {
                Beside::Change(Some(room)) => json!({
                    "moved": picked(&room.moved),
                    "gone": picked(&room.gone),
                    "plan": plan(&room.plan),
                }),
                _ => Value::Null,
            },
        })
    }
}
