//! A layout: which VMs are on which card, what each has of it, and the largest batches.
//!
//! It knows no rule: whether a layout can be, and how fast its VMs are, is asked elsewhere.

use serde::Serialize;

/// What a VM has of its card.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// All of it.
    Whole,
    /// A vGPU of this type, time-sliced.
    Sliced(String),
    /// A vGPU of this MIG-backed type.
    Backed(String),
    /// A GPU instance of this profile, on bare metal.
    Instance(String),
    /// A CUDA process beside others: `time-slicing` or `mps`.
    Process(&'static str),
}

impl Held {
    /// Its name for people and files.
    pub fn name(&self) -> &str {
        match self {
            Held::Whole => "whole card",
            Held::Sliced(name) | Held::Backed(name) | Held::Instance(name) => name,
            Held::Process(word) => word,
        }
    }
}

/// VMs of one kind that have the same of one card.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CardPart {
    /// Index into the kinds of the task.
    pub kind: usize,
    /// How many VMs.
    pub count: u32,
    /// What each has.
    pub held: Held,
    /// The largest batch; nothing for that of the file.
    pub batch_max: Option<u32>,
}

/// A card with its VMs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CardLayout {
    /// Index into the cards of the task.
    pub cards: usize,
    /// Its VMs by kind.
    pub parts: Vec<CardPart>,
}

impl CardLayout {
    /// Whether vGPUs take turns on it by the policy of the layout.
    pub fn is_sliced(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.held, Held::Sliced(_)))
    }
}

/// All VMs on their cards.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Layout {
    /// How time-sliced vGPUs take turns: the name of a policy; nothing where no card has any.
    pub policy: Option<String>,
    /// The cards in use, those of one entry of the task side by side.
    pub cards: Vec<CardLayout>,
}
