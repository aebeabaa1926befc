//! The memory of an engine: what its weights leave for keys and values, and what would fit where they leave too
//! little.

use super::holding::{Holding, Kind};
use super::llm_engine::{Engine, Spots};
use super::llm_keys::LlmKeys;
use crate::config::text::{Diagnostic, Reader};
use crate::spec::{DecoderModel, GpuSpec, KvFormat, WeightFormat};
use crate::study::Obstacle;
use crate::units::Bytes;

/// An engine and its share of a card.
pub(super) struct Room<'a> {
    pub(super) model: &'a DecoderModel,
    pub(super) keys: &'a LlmKeys,
    pub(super) holding: &'a Holding,
    pub(super) engine: &'a Engine,
    pub(super) spots: &'a Spots,
}

impl Room<'_> {
    /// Memory that the engine takes of its share.
    pub(super) fn usable(&self, gpu: &GpuSpec) -> Bytes {
        let all = self.frame(gpu);
        let weights = self.keys.weights;
        Bytes::new((self.left(all, weights) + self.held(weights)).min(all) as u64)
    }

    /// Memory of its share, in bytes.
    fn frame(&self, gpu: &GpuSpec) -> f64 {
        self.holding.frame_buffer(gpu).get() as f64
    }

    /// What weights and the rest take, in bytes.
    fn held(&self, weights: WeightFormat) -> f64 {
        self.model.weight_bytes(weights) + self.engine.rest.get() as f64
    }

    /// What a share of so many bytes leaves for keys and values; below 0 where it is too little.
    fn left(&self, all: f64, weights: WeightFormat) -> f64 {
        let (part, held) = (self.engine.fraction.get(), self.held(weights));
        if self.engine.is_part_of_free { part * (all - held) } else { part * all - held }
    }

    /// Whole blocks in so many bytes.
    fn blocks_in(&self, bytes: f64, kv: KvFormat) -> u64 {
        let block = self.model.kv_bytes(kv) * f64::from(self.engine.spec.block_size);
        (bytes / block).max(0.0).floor() as u64
    }

    /// Blocks that one request of the longest context takes.
    fn needed(&self) -> u64 {
        u64::from(self.engine.spec.max_model_len.div_ceil(self.engine.spec.block_size))
    }

    /// Whether one request of the longest context fits a share of so many bytes with these formats.
    fn fits(&self, all: f64, weights: WeightFormat, kv: KvFormat) -> bool {
        self.blocks_in(self.left(all, weights), kv) >= self.needed()
    }
}

/// Blocks of keys and values on this GPU; nothing where they are too few, which is reported.
pub(super) fn blocks(room: &Room<'_>, gpu: &GpuSpec, table: &Reader<'_>) -> Option<u32> {
    let (weights, kv) = (room.keys.weights, room.keys.kv_cache);
    let left = room.left(room.frame(gpu), weights);
    let blocks = room.blocks_in(left, kv);
    let told = |found: Diagnostic| {
        let found = found.of_limit(Obstacle::FrameBuffer).note("sum", sum(room, gpu));
        table.report(with_what_fits(found, room, gpu));
        None
    };
    if left < 0.0 {
        let title = format!(
            "the weights of {} in {weights} do not fit: {} and {} beside them, {} has {} for the engine",
            room.model.id,
            gib(room.model.weight_bytes(weights)),
            gib(room.engine.rest.get() as f64),
            room.holding.in_words(gpu),
            gib(room.usable(gpu).get() as f64)
        );
        return told(Diagnostic::at(&room.spots.llm, title));
    }
    if blocks < room.needed() {
        let length = room.engine.spec.max_model_len;
        let most = blocks * u64::from(room.engine.spec.block_size);
        let title = format!(
            "the keys and values of one request of {length} tokens (max_model_len) take {}, and {} has {} left for them",
            gib(room.model.kv_bytes(kv) * f64::from(length)),
            room.holding.in_words(gpu),
            gib(left)
        );
        let found = Diagnostic::at(&room.spots.max_model_len, title);
        return told(match most {
            0 => found,
            most => found.allowed(format!("max_model_len 1 to {most} tokens")),
        });
    }
    let Some(stated) = room.engine.blocks else { return u32::try_from(blocks).ok() };
    if u64::from(stated) > blocks || u64::from(stated) < room.needed() {
        let title = format!("{stated} blocks of {} tokens", room.engine.spec.block_size);
        let found = Diagnostic::at(&room.spots.blocks, title).note("sum", sum(room, gpu));
        table.report(found.allowed(format!(
            "{} to {blocks}: a request of max_model_len tokens must fit, and all of them the memory",
            room.needed()
        )));
        return None;
    }
    Some(stated)
}

/// How the memory is divided.
fn sum(room: &Room<'_>, gpu: &GpuSpec) -> String {
    let (weights, kv) = (room.keys.weights, room.keys.kv_cache);
    let (part, all) = (room.engine.fraction, room.holding.frame_buffer(gpu));
    let weights_and_rest = format!(
        "{} (weights, {weights}) - {} (rest_memory)",
        gib(room.model.weight_bytes(weights)),
        gib(room.engine.rest.get() as f64)
    );
    let left = match room.engine.is_part_of_free {
        true => format!(
            "{part} (gpu_memory_utilization, of what is free) x ({all} (frame buffer) - {weights_and_rest})"
        ),
        false => {
            format!("{part} x {all} (gpu_memory_utilization x frame buffer) - {weights_and_rest}")
        }
    };
    let token = Bytes::new(room.model.kv_bytes(kv) as u64);
    format!("{left}; a token's keys and values ({}) take {token}", kv.word())
}

/// The formats, and the shares of the GPU, with which one request of the longest context would fit.
fn with_what_fits(found: Diagnostic, room: &Room<'_>, gpu: &GpuSpec) -> Diagnostic {
    let all = room.frame(gpu);
    let (weights, kv) = (room.keys.weights, room.keys.kv_cache);
    let others = [
        ("kv_cache = \"fp8\"", weights, KvFormat::Fp8),
        ("weights = \"fp8\"", WeightFormat::Fp8, kv),
        ("weights = \"int4\"", WeightFormat::Int4, kv),
        ("weights = \"int4\", kv_cache = \"fp8\"", WeightFormat::Int4, KvFormat::Fp8),
    ];
    let smaller = others.into_iter().filter(|(_, weights_then, kv_then)| {
        weights_then.bytes() <= weights.bytes()
            && kv_then.bytes() <= kv.bytes()
            && (*weights_then, *kv_then) != (weights, kv)
    });
    let told = smaller.filter_map(|(words, weights, kv)| {
        let blocks = room.blocks_in(room.left(all, weights), kv);
        let most = blocks * u64::from(room.engine.spec.block_size);
        match blocks >= room.needed() {
            true => Some(format!("with {words} it fits")),
            false if blocks > 0 => {
                Some(format!("with {words} max_model_len 1 to {most} tokens fits"))
            }
            false => None,
        }
    });
    // One that leaves nothing else to be wished ends the list.
    let mut found = found;
    for told in told {
        let is_enough = told.ends_with(" it fits");
        found = found.help(told);
        if is_enough {
            break;
        }
    }
    let Some(kind) = room.holding.kind() else {
        return found
            .help("or take a GPU with more memory: tensor parallelism is not simulated yet");
    };
    let candidates = kind.candidates(gpu);
    let fits = |other: &&Holding| room.fits(other.frame_buffer(gpu).get() as f64, weights, kv);
    let names: Vec<&str> = candidates.iter().filter(fits).map(|other| other.name(gpu)).collect();
    let none = match kind {
        Kind::Instance => "no GPU instance of this card",
        Kind::Sliced | Kind::Backed => "no vGPU type of this card",
    };
    found.note("fits", if names.is_empty() { none.to_string() } else { names.join(", ") })
}

fn gib(bytes: f64) -> String {
    format!("{:.1} GiB", bytes / f64::from(1_u32 << 30))
}
