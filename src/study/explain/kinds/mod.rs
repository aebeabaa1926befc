//! The kinds of sentences: one file each, and the table of all of them.
//!
//! A kind says nothing where it does not apply. The order of the table is the order within each part.

mod alone;
mod answered;
mod assumption;
mod batch_size;
mod bottleneck;
mod bound;
mod change;
mod frame_buffer;
mod full_batch;
mod idle_rule;
mod load;
mod longest_wait;
mod lost_time;
mod neighbours;
mod no_change;
mod not_known;
mod not_needed;
mod not_whole;
mod saturation;
mod share;
mod stages;
mod tail;
mod turn_wait;
mod turns_of_batch;

use super::seen::Seen;
use super::sentence::{Part, Said, Sentence};

/// A kind of sentence.
pub struct Kind {
    /// Its name in documents.
    pub name: &'static str,
    /// The part of the explanation.
    pub part: Part,
    /// One line about it.
    pub about: &'static str,
    tell: fn(&Seen<'_>) -> Vec<Said>,
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "share",
        part: Part::Before,
        about: "what a VM has of a GPU that it shares, and who decides that",
        tell: share::tell,
    },
    Kind {
        name: "alone",
        part: Part::Before,
        about: "a VM that shares its GPU or GPU instance with nobody",
        tell: alone::tell,
    },
    Kind {
        name: "longest-wait",
        part: Part::Before,
        about: "how long a VM with work waits for its turn at most",
        tell: longest_wait::tell,
    },
    Kind {
        name: "idle-rule",
        part: Part::Before,
        about: "what an idle turn becomes, where no vendor documents it and it moves a VM's share",
        tell: idle_rule::tell,
    },
    Kind {
        name: "turns-of-batch",
        part: Part::Before,
        about: "how many turns a full batch takes, and which batch fits into one",
        tell: turns_of_batch::tell,
    },
    Kind {
        name: "batch-size",
        part: Part::Before,
        about: "how many queries are together when a batch is formed",
        tell: batch_size::tell,
    },
    Kind {
        name: "full-batch",
        part: Part::Before,
        about: "a server that waits for a full batch, and how long that takes",
        tell: full_batch::tell,
    },
    Kind {
        name: "saturation",
        part: Part::Before,
        about: "the highest rate at full batches, what sets it, and how much of it is asked",
        tell: saturation::tell,
    },
    Kind {
        name: "load",
        part: Part::Before,
        about: "the work that is asked of a shared GPU over what it can do",
        tell: load::tell,
    },
    Kind {
        name: "frame-buffer",
        part: Part::Before,
        about: "the GPU memory that full batches need, of what there is",
        tell: frame_buffer::tell,
    },
    Kind {
        name: "not-known",
        part: Part::Before,
        about: "a number that cannot be had, and why",
        tell: not_known::tell,
    },
    Kind {
        name: "bound",
        part: Part::Happened,
        about: "the latency of VMs that are asked at a rate, beside their bound",
        tell: bound::tell,
    },
    Kind {
        name: "answered",
        part: Part::Happened,
        about: "what VMs without a rate of their own answer",
        tell: answered::tell,
    },
    Kind {
        name: "stages",
        part: Part::Happened,
        about: "where the time of a query goes: the largest stages",
        tell: stages::tell,
    },
    Kind {
        name: "turn-wait",
        part: Part::Happened,
        about: "how much of the time on a shared GPU is waiting for the others",
        tell: turn_wait::tell,
    },
    Kind {
        name: "bottleneck",
        part: Part::Happened,
        about: "the station with the highest busy share, where it holds others up",
        tell: bottleneck::tell,
    },
    Kind {
        name: "no-bottleneck",
        part: Part::Happened,
        about: "no station is busy enough to hold anybody up",
        tell: bottleneck::tell_none,
    },
    Kind {
        name: "tail",
        part: Part::Happened,
        about: "what makes the slow queries slow: random arrivals, or work that varies",
        tell: tail::tell,
    },
    Kind {
        name: "neighbours",
        part: Part::Happened,
        about: "the same VM alone on its card",
        tell: neighbours::tell,
    },
    Kind {
        name: "lost-time",
        part: Part::Happened,
        about: "GPU time that nobody could use: burned turns and switches",
        tell: lost_time::tell,
    },
    Kind {
        name: "assumption",
        part: Part::Happened,
        about: "which fitted or assumed number moves the answer most",
        tell: assumption::tell,
    },
    Kind {
        name: "firm",
        part: Part::Happened,
        about: "no fitted or assumed number moves the answer",
        tell: assumption::tell_none,
    },
    Kind {
        name: "not-whole",
        part: Part::Happened,
        about: "runs that were simulated shorter than the scenario says",
        tell: not_whole::tell,
    },
    Kind {
        name: "not-needed",
        part: Part::Change,
        about: "every bound is kept",
        tell: not_needed::tell,
    },
    Kind {
        name: "change",
        part: Part::Change,
        about: "a setting that makes the worst VM better, as simulated",
        tell: change::tell,
    },
    Kind {
        name: "no-change",
        part: Part::Change,
        about: "what was tried and did not help",
        tell: no_change::tell,
    },
    Kind {
        name: "nothing-tried",
        part: Part::Change,
        about: "there was no setting to try",
        tell: no_change::tell_nothing,
    },
];

/// All sentences about a run.
pub(super) fn tell(seen: &Seen<'_>) -> Vec<Sentence> {
    let of_kind = |kind: &Kind| {
        let said = (kind.tell)(seen).into_iter();
        let sentences = said.map(|Said { about, text, figures }| Sentence {
            kind: kind.name,
            part: kind.part,
            about,
            text,
            figures,
        });
        sentences.collect::<Vec<_>>()
    };
    KINDS.iter().flat_map(of_kind).collect()
}
