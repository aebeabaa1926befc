//! The rates of an LLM's steps on a GPU: as its file states them, or assumed.
//!
//! What a step costs by them is worked out in `gpu::step`.

use super::Catalogue;
use super::gpus::GpuFile;
use super::rates::{Stated, UNLIMITED};
use crate::spec::{Fact, GpuSpec, StepRates, WeightFormat};

/// The rates of a model's steps on a GPU of the catalogue, its weights in this format, by the kernels of the
/// loop that was measured or of other engines; or why they are not known.
pub(crate) fn rates_of(
    catalogue: &Catalogue,
    file: &GpuFile,
    model: &str,
    weights: WeightFormat,
    is_measured_loop: bool,
) -> Result<StepRates, String> {
    let gpu = &file.spec;
    let format = computed_in(gpu, weights);
    let of_format = file.llm.of.get(&format);
    // What was measured with a model is of the kernels of the loop that was measured.
    let of_model = file.llm.of_models.get(&(format, model.to_string()));
    let of_model = of_model.filter(|_| is_measured_loop);
    let own = |key: &str| {
        let found = of_model.and_then(|(stated, _)| stated.get(key));
        found.or_else(|| of_format.and_then(|stated| stated.get(key))).cloned()
    };
    let nearest = nearest(catalogue, gpu, format);
    let like = |key: &str, ratio: f64| match (own(key), &nearest) {
        (Some(fact), _) => Ok(fact),
        (None, Ok((other, stated))) => {
            let Some(of_other) = stated.get(key) else { return Err(not_stated(gpu, key)) };
            Ok(scaled(of_other, ratio, &other.id))
        }
        (None, Err(why)) => Err(why.clone()),
    };
    let [tensor, bandwidth] = match &nearest {
        Ok((other, _)) => ratios(gpu, other),
        Err(_) => [1.0, 1.0],
    };
    let (compute, attention) = (like("compute", tensor)?, like("attention", tensor)?);
    let (weights, kv) = (like("weights", bandwidth)?, like("kv", bandwidth)?);
    let overlap = like("overlap", 1.0)?;
    let or = |key: &str, value: f64, ends: [f64; 2], why: &str| {
        own(key).unwrap_or_else(|| Fact { range: Some(ends), ..Fact::assumed(value, why) })
    };
    let or_none =
        |key: &str, value: f64, why: &str| own(key).unwrap_or_else(|| Fact::assumed(value, why));
    Ok(StepRates {
        weights_of_sms: own("weights_of_sms").unwrap_or_else(|| weights_of_sms(gpu, weights.value)),
        kv_of_sms: own("kv_of_sms").unwrap_or_else(|| kv_of_sms(gpu, kv.value, is_measured_loop)),
        kv_start: or_none("kv_start", 0.0, IN_TABLES),
        kv_token: or_none("kv_token", 0.0, BALANCED),
        kv_uneven: or_none("kv_uneven", 0.0, BALANCED),
        gap: or("gap", 0.0, [0.0, 34.0], GAPS),
        gap_mps: or("gap_mps", 23.0, [17.0, 26.0], GAPS_MPS),
        draw_of_two: or("draw_of_two", 1.13, [1.0, 1.13], DRAW),
        draw_of_four: or("draw_of_four", 1.28, [1.0, 1.28], DRAW),
        kv_blocks: of_model.map_or(Vec::new(), |(_, kernels)| kernels.kv_blocks.clone()),
        slow_prompts: of_model.map_or(Vec::new(), |(_, kernels)| kernels.slow_prompts.clone()),
        gap_mixed: or("gap_mixed", 0.0, [0.0, 31.0], GAPS_MIXED),
        power_compute: or_none("power_compute", 0.0, IN_TABLES_CAP),
        power_bytes: or_none("power_bytes", 0.0, IN_TABLES_CAP),
        power_in_server: or_none("power_in_server", 1.0, IN_TABLES_CAP),
        compute,
        attention,
        weights,
        kv,
        overlap,
    })
}

const IN_TABLES: &str = "assumed: the rates above hold it already";
const IN_TABLES_CAP: &str =
    "assumed: the rates above were measured at the power limit and hold it already";
const BALANCED: &str = "assumed: the attention of decodes balances sequences of unequal length; flash attention 2 \
    did not on an H200 (slicewise measurement, driver 580.159, 2026-11-26: 11 to 19 % of a step)";
const GAPS: &str = "assumed: rates of operators hold their gaps; up to 34 us a layer fitted on an H200 (slicewise \
    measurement, driver 580.159, 2026-11-26)";
const GAPS_MPS: &str = "assumed: as on an H200, 23 us a layer, 17 to 26 (slicewise measurement, driver 580.159, \
    2026-11-26)";
const DRAW: &str = "assumed: two clients of MPS drew 1.13 times as much as one, four 1.28 times, on an H200 (slicewise \
    measurement, driver 580.159, 2026-11-26)";
const GAPS_MIXED: &str = "assumed: none with kernels for both; 31 us a layer in the loop that was measured on an \
    H200 (slicewise measurement, driver 580.159, 2026-11-26)";
const OF_WEIGHTS: &str = "assumed: 30 % of the SMs draw all of the weights' bandwidth, as 0.28 to 0.36 did on an \
    H200 (slicewise measurement, driver 580.159, 2026-11-26)";
const OF_WEIGHTS_ELSEWHERE: &str = "assumed: 30 % of the SMs draw all of the weights' bandwidth, as on an H200 \
    (slicewise measurement, driver 580.159, 2026-11-26); 25 to 50 % elsewhere";
const OF_KV: &str = "assumed: 0.57 of the bandwidth on all SMs, as flash attention 2 drew on an H200 (slicewise \
    measurement, driver 580.159, 2026-11-26)";
const OF_KV_ELSEWHERE: &str = "assumed: the attention of decodes streams keys and values, without a limit of its SMs; \
    at the least, all SMs draw what the rate of operators states";

fn weights_of_sms(gpu: &GpuSpec, weights: f64) -> Fact<f64> {
    const SATURATED: f64 = 0.30;
    let ([least, most], why) = match is_hopper(gpu) {
        true => ([0.28, 0.36], OF_WEIGHTS),
        false => ([0.25, 0.5], OF_WEIGHTS_ELSEWHERE),
    };
    let range = Some([weights / most, weights / least]);
    Fact { range, ..Fact::assumed(weights / SATURATED, why) }
}

/// The kernels of the loop that was measured are limited by their SMs on Hopper. Those of other engines drew `kv`, more
/// than these could, where their operators were timed.
fn kv_of_sms(gpu: &GpuSpec, kv: f64, is_measured_loop: bool) -> Fact<f64> {
    let drawn = 0.57 * gpu.memory_bandwidth.value.get() / 1e9;
    let (value, least, why) = match is_measured_loop && is_hopper(gpu) {
        true => (drawn, drawn, OF_KV),
        false => (UNLIMITED, kv, OF_KV_ELSEWHERE),
    };
    Fact { range: Some([least, UNLIMITED]), ..Fact::assumed(value, why) }
}

fn major(gpu: &GpuSpec) -> Option<(u8, u8)> {
    gpu.compute_capability.as_ref().map(|fact| (fact.value.major, fact.value.minor))
}

fn is_hopper(gpu: &GpuSpec) -> bool {
    major(gpu).is_some_and(|(major, _)| major == 9)
}

/// What a format's products are computed in: int4 in 16 bit, fp8 as well where a GPU has no 8-bit floating point
/// (before compute capability 8.9).
fn computed_in(gpu: &GpuSpec, weights: WeightFormat) -> WeightFormat {
    let has_fp8 = major(gpu).is_none_or(|capability| capability >= (8, 9));
    match weights {
        WeightFormat::Fp8 if has_fp8 => WeightFormat::Fp8,
        _ => WeightFormat::Bf16,
    }
}

/// The GPU with rates that is nearest by its architecture, and these.
fn nearest<'c>(
    catalogue: &'c Catalogue,
    gpu: &GpuSpec,
    format: WeightFormat,
) -> Result<(&'c GpuSpec, &'c Stated), String> {
    let id = match major(gpu) {
        Some((..=6, _)) => {
            return Err(format!(
                "engines for LLMs do not run on {}: they need compute capability 7.0",
                gpu.id
            ));
        }
        Some((7, _) | (8, 0)) | None => "a100-sxm-80gb",
        Some((8, _)) => "l40s",
        Some((9, _)) => "h100-sxm-80gb",
        Some((10 | 11, _)) => "b200-180gb",
        Some(_) => "rtx-pro-6000-blackwell",
    };
    if gpu.tensor_fp16_tflops.is_none() {
        return Err(not_stated(gpu, "tensor_fp16_tflops"));
    }
    let other = catalogue.gpus.get(id).filter(|other| other.spec.tensor_fp16_tflops.is_some());
    let other = other.ok_or_else(|| format!("the catalogue has no {id} with rates to go by"))?;
    let stated = other.llm.of.get(&format);
    let stated =
        stated.ok_or_else(|| format!("the file of {id} has no [llm.{}]", format.word()))?;
    Ok((&other.spec, stated))
}

fn not_stated(gpu: &GpuSpec, key: &str) -> String {
    format!("how fast {} computes the steps of an LLM is not known: its file has no {key}", gpu.id)
}

/// Peaks over those of another GPU: of 16-bit products, to which those of 8-bit floating point are in one
/// proportion, and of the memory's bandwidth.
fn ratios(gpu: &GpuSpec, other: &GpuSpec) -> [f64; 2] {
    let peak = |gpu: &GpuSpec| gpu.tensor_fp16_tflops.as_ref().map_or(1.0, |fact| fact.value);
    let bandwidth = |gpu: &GpuSpec| gpu.memory_bandwidth.value.get();
    [peak(gpu) / peak(other), bandwidth(gpu) / bandwidth(other)]
}

/// A rate of another GPU times this: how near GPUs of one architecture come to their peaks differs by a
/// quarter between those that are known.
fn scaled(of_other: &Fact<f64>, ratio: f64, other: &str) -> Fact<f64> {
    const BAND: [f64; 2] = [0.75, 1.25];
    let value = of_other.value * ratio;
    let why =
        format!("assumed: the same part of the data sheet's peaks as {other}, within a quarter");
    // The norm of 1 is the least.
    let ends = match ratio == 1.0 {
        true => of_other.range,
        false => Some(BAND.map(|end| end * value)),
    };
    Fact { range: ends, ..Fact::assumed(value, why) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Standing;

    /// `[compute, attention, weights, kv]` of a dense model on a GPU of the catalogue.
    fn of(gpu: &str, model: &str, format: WeightFormat) -> Result<[Fact<f64>; 4], String> {
        let catalogue = Catalogue::load(None).unwrap();
        let rates = rates_of(&catalogue, &catalogue.gpus[gpu], model, format, true)?;
        Ok([rates.compute, rates.attention, rates.weights, rates.kv])
    }

    #[track_caller]
    fn is_about(found: &Fact<f64>, expected: f64) {
        assert!((found.value / expected - 1.0).abs() < 1e-3, "{} for {expected}", found.value);
    }

    #[test]
    fn rates_are_efficiencies_of_operators_times_peaks() {
        // H100, bf16: 0.80 of 989 TFLOP/s, (0.51 + 0.62) / 2 of them, 0.86 and 0.84 of 3350 GB/s.
        let found = of("h100-sxm-80gb", "phi-4", WeightFormat::Bf16).unwrap();
        for (found, expected) in found.iter().zip([791.2, 558.8, 2881.0, 2814.0]) {
            is_about(found, expected);
            assert_eq!(found.standing, Standing::Fitted);
        }
        // L40S, fp8: 0.48 of 733, 0.47 of 362, 0.70 and 0.76 of 864.
        let found = of("l40s", "phi-4", WeightFormat::Fp8).unwrap();
        found.iter().zip([351.8, 170.1, 604.8, 656.6]).for_each(|(one, all)| is_about(one, all));
    }

    #[test]
    fn a_gpu_without_rates_goes_by_the_nearest_with_a_band() {
        // L4 by L40S: 0.64 of 362 TFLOP/s x 121 / 362.05; 0.78 of 864 GB/s x 300 / 864.
        let [compute, _, weights, _] = of("l4", "phi-4", WeightFormat::Bf16).unwrap();
        is_about(&compute, 0.64 * 121.0);
        is_about(&weights, 0.78 * 300.0);
        assert_eq!(compute.standing, Standing::Assumed);
        assert_eq!(compute.range, Some([0.75 * compute.value, 1.25 * compute.value]));
        // No 8-bit floating point on Ampere: fp8 weights are computed with in 16 bit.
        let [eight, sixteen] =
            [WeightFormat::Fp8, WeightFormat::Bf16].map(|format| of("a30", "phi-4", format));
        assert_eq!(eight, sixteen);
        let why = of("p4", "phi-4", WeightFormat::Bf16).unwrap_err();
        assert!(why.contains("compute capability 7.0"), "{why}");
    }

    #[test]
    fn what_was_measured_with_a_model_is_of_it_alone() {
        let [measured, ..] = of("h200-sxm-141gb", "llama-3.1-8b", WeightFormat::Bf16).unwrap();
        assert_eq!((measured.value, measured.standing), (924.0, Standing::Measured));
        // 0.80 of 989 TFLOP/s.
        let [others, ..] = of("h200-sxm-141gb", "qwen2.5-7b", WeightFormat::Bf16).unwrap();
        is_about(&others, 791.2);
    }
}
