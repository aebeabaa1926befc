//! Two models and an engine as they were measured on an H200, for tests of the law and of the scheduler.
//!
//! slicewise measurement, H200, driver 580.159, 2026-11-26.

use super::{DecoderModel, EngineGpu, EnginePreset, EngineSpec, Fact, MEASURED_LOOP, StepRates};
use crate::units::Bytes;

/// Llama-3.1-8B.
pub(crate) fn llama_8b() -> DecoderModel {
    DecoderModel {
        id: "llama-3.1-8b".to_string(),
        name: "Llama 3.1 8B".to_string(),
        layers: 32,
        hidden: 4096,
        heads: 32,
        kv_heads: 8,
        head_dim: 128,
        ffn: 14_336,
        vocabulary: 128_256,
        experts: 1,
        experts_per_token: 1,
        is_tied: false,
        context_max: 131_072,
        source: "config.json".to_string(),
    }
}

/// Llama-3.2-1B.
pub(crate) fn llama_1b() -> DecoderModel {
    DecoderModel {
        id: "llama-3.2-1b".to_string(),
        name: "Llama 3.2 1B".to_string(),
        layers: 16,
        hidden: 2048,
        head_dim: 64,
        ffn: 8192,
        is_tied: true,
        ..llama_8b()
    }
}

fn measured(value: f64) -> Fact<f64> {
    Fact::assumed(value, "slicewise measurement, H200, driver 580.159, 2026-11-26")
}

/// The rates of Llama-3.1-8B.
pub(crate) fn rates_8b_h200() -> StepRates {
    StepRates {
        compute: measured(924.0),
        attention: measured(225.0),
        weights: measured(3358.0),
        weights_of_sms: measured(11_400.0),
        kv_of_sms: measured(2749.0),
        kv: measured(3358.0),
        kv_start: measured(2.3),
        kv_token: measured(32.1),
        kv_uneven: measured(1.08),
        gap: measured(0.0),
        gap_mps: measured(22.9),
        // 3.8 and 4.3 TB/s, of 3.358.
        draw_of_two: measured(1.13),
        draw_of_four: measured(1.28),
        gap_mixed: measured(31.0),
        power_compute: measured(1308.0),
        power_bytes: measured(114.0),
        power_in_server: measured(0.816),
        kv_blocks: vec![
            (1, 256),
            (2, 384),
            (4, 768),
            (8, 1152),
            (12, 896),
            (16, 2176),
            (20, 1536),
            (24, 1152),
        ],
        slow_prompts: vec![(448, 1.89)],
        overlap: measured(2.3),
    }
}

/// The rates of Llama-3.2-1B.
pub(crate) fn rates_1b_h200() -> StepRates {
    StepRates {
        compute: measured(740.0),
        attention: measured(454.0),
        kv_of_sms: measured(2354.0),
        kv_token: measured(15.2),
        gap: measured(29.5),
        power_compute: measured(1377.0),
        kv_blocks: vec![
            (1, 256),
            (2, 512),
            (4, 768),
            (8, 1280),
            (12, 1024),
            (16, 2304),
            (20, 1536),
            (24, 1280),
        ],
        slow_prompts: Vec::new(),
        ..rates_8b_h200()
    }
}

/// The loop that was measured, with the pool of the larger model's server.
pub(crate) fn two_step() -> EngineSpec {
    let preset = EnginePreset::of(MEASURED_LOOP).expect("a preset");
    let gpu = EngineGpu { memory: Bytes::ZERO, is_a100: false };
    EngineSpec { max_model_len: 4352, blocks: 262_400, ..(preset.make)(gpu) }
}
