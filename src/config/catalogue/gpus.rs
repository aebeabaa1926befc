//! Reads a GPU's file of the catalogue: the board, its vGPU types, its GPU instance profiles.
//!
//! vGPU types are read in `vgpus`. It reads one file at a time; instances are placed on cards in
//! `layout`.

use super::entries::above_zero;
use super::facts::{
    Sources, entries_of, fact, fact_if_stated, fact_in_range, fact_in_range_or, fact_or, if_stated,
    list_in, name, or_assumed, sources, spread_fact,
};
use super::rates::{self, StatedRates};
use super::vgpus;
use crate::config::text::{Diagnostic, Problems, Reader, Spot, Value};
use crate::formats::mig_parted;
use crate::spec::{
    ComputeCapability, DisputedMix, Fact, GpuSpec, HardwareTurns, MediaEngines, MigProfile,
    Overshoot, Standing, SwitchCost, SwitchTimes, TurnsOf,
};
use crate::suggest::quoted;
use crate::units::{Bytes, Share, SimDuration};
use std::ops::RangeInclusive;

/// The tables of time-sliced vGPU types: one for compute, then one for each further series.
const SLICED: [&str; 4] = ["vgpu_types", "vgpu_types_q", "vgpu_types_b", "vgpu_types_a"];

/// A GPU's file.
#[derive(Clone, Debug)]
pub(crate) struct GpuFile {
    pub(crate) spec: GpuSpec,
    /// The sources of the vGPU types, one after the other.
    pub(crate) vgpu_source: String,
    /// Notes on the vGPU types: one sentence each.
    pub(crate) vgpu_notes: Vec<String>,
    /// Mixes of vGPUs that a document offers and the printed placement ids exclude.
    pub(crate) disputed: Vec<DisputedMix>,
    /// The source of the GPU instance profiles.
    pub(crate) mig_source: String,
    /// The PCI ids of the boards of this model, device then vendor; none where the file does not
    /// state them.
    pub(crate) pci_ids: Vec<u32>,
    /// What it states of the steps of LLMs.
    pub(crate) llm: StatedRates,
}

/// What is assumed of a GPU whose file says nothing.
const SWITCH_COST: SwitchCost = SwitchCost {
    value: SimDuration::from_micros(200),
    low: SimDuration::from_micros(100),
    high: SimDuration::from_micros(450),
};
const SWITCHES: &str = "assumed: between the 0.11 ms fitted on A100 (nebuly-ai/nos) and the 0.19 ms fitted on A30 (Colfax Research)";
const NOMINAL: &str = "assumed: the default channel-group time slice of NVIDIA's open driver, 128 \
    << 3 us; an H200 took twice as long (slicewise measurement, H200, driver 580.159, 2026-11-26)";
const NOMINAL_SLICE: SimDuration = SimDuration::from_micros(1024);
const SEEN_SLICE: SimDuration = SimDuration::from_micros(2090);
const PROCESS_TURNS: &str = "assumed: slices as in the driver or as on an H200, switches in \
    proportion: from an A100's (nebuly-ai/nos) to an A30's under vGPU (Colfax Research)";

/// What is assumed of MPS where the file says nothing.
const GRAPH_LAUNCH: SimDuration = SimDuration::from_micros(120);
const MPS_GRAPH: &str =
    "assumed: nothing, or as on an H200 (slicewise measurement, H200, driver 580.159, 2026-11-26)";
const LIMIT_STEP: u32 = 2;
const MPS_STEP: &str = "assumed: pairs of SMs, as on an H200 (slicewise measurement, H200, driver 580.159, 2026-11-26); that percentages round down is documented (NVIDIA, Multi-Process Service)";

/// Reads `gpus/<id>.toml`.
pub(crate) fn gpu(id: &str, mut file: Reader<'_>) -> Option<GpuFile> {
    let sources = sources(&mut file);
    let name = name(&mut file);
    let pci_ids = fact_if_stated(&mut file, &sources, "pci_ids", pci_ids);
    let sms = fact(&mut file, &sources, "sms", |value| value.count(1..=10_000, " SMs"));
    let memory = fact(&mut file, &sources, "memory", above_zero);
    let memory_bandwidth = fact(&mut file, &sources, "memory_bandwidth", |value| value.quantity());
    let pcie_bandwidth = fact(&mut file, &sources, "pcie_bandwidth", |value| value.quantity());
    let capability = fact_if_stated(&mut file, &sources, "compute_capability", compute_capability);
    let rate = |value: &Value<'_>| {
        value.number(|rate| rate > 0.0 && rate <= 1e6, "above 0, at most 1000000 (10^12 per s)")
    };
    let [tflops, tops] = ["tensor_fp16_tflops", "tensor_int8_tops"]
        .map(|key| fact_if_stated(&mut file, &sources, key, rate));
    let power_cap_w = fact(&mut file, &sources, "power_cap_w", |value| {
        value.number(|watts| watts > 0.0 && watts <= 1e5, "above 0, at most 100000 W")
    });
    let below = power_cap_w.as_ref().map_or(1e5, |cap| cap.value);
    let power_idle_w = if_stated(&mut file, "power_idle_w", |file| {
        let watts = |value: &Value<'_>| {
            let allowed = format!("above 0, below the limit of {below} W");
            value.number(|watts| watts > 0.0 && watts < below, &allowed)
        };
        fact_in_range(file, &sources, "power_idle_w", watts, |low, high| low <= high)
    });
    let power_limit_min_w = fact_if_stated(&mut file, &sources, "power_limit_min_w", |value| {
        let allowed = format!("above 0, at most the limit of {below} W");
        value.number(|watts| watts > 0.0 && watts <= below, &allowed)
    });
    // A wrong one is there as well.
    let is_told = power_idle_w != Some(None) || file.has("voltage_floor");
    let voltage_floor = is_told.then(|| voltage_floor(&mut file, &sources));
    let has_context = power_idle_w != Some(None) || file.has("power_context_w");
    let power_context_w = has_context.then(|| context(&mut file, &sources, below));
    let absent = Fact::assumed(SWITCH_COST, SWITCHES);
    let switch_cost = or_assumed(&mut file, "switch_cost", absent, |file| {
        spread_fact(file, &sources, "switch_cost", plain_switch_cost, switch_cost)
    });
    let some_time = |value: &Value<'_>| {
        let range = SimDuration::from_micros(100)..=SimDuration::from_millis(30);
        value.bounded(|span: &SimDuration| range.contains(span), "0.1 ms to 30 ms")
    };
    let nominal = Fact::assumed(NOMINAL_SLICE, NOMINAL);
    let time_slice_best_effort = fact_in_range_or(
        &mut file,
        &sources,
        "time_slice_best_effort",
        (some_time, SimDuration::le),
        Fact { range: Some([NOMINAL_SLICE, SEEN_SLICE]), ..nominal },
    );
    let process_turns = fact_in_range_or(
        &mut file,
        &sources,
        "process_turns",
        (hardware_turns, HardwareTurns::is_within),
        process_turns_assumed(),
    );
    let graph = Fact::assumed(GRAPH_LAUNCH, MPS_GRAPH);
    let mps_graph_launch = fact_in_range_or(
        &mut file,
        &sources,
        "mps_graph_launch",
        (graph_launch, SimDuration::le),
        Fact { range: Some([SimDuration::ZERO, GRAPH_LAUNCH]), ..graph },
    );
    let some_sms = |value: &Value<'_>| value.count(1..=64, " SMs");
    let step = (LIMIT_STEP, MPS_STEP);
    let mps_limit_step = fact_or(&mut file, &sources, "mps_limit_step", some_sms, step);
    let mps_limit_min = fact_or(&mut file, &sources, "mps_limit_min", some_sms, step);
    let mps_chunk = fact_if_stated(&mut file, &sources, "mps_chunk", some_sms);
    let sms_max = sms.as_ref().map_or(10_000, |sms| sms.value);
    let own = |list: &Value<'_>| profiles_of(list, sms_max, Some(true));
    let profiles =
        fact_list(&mut file, &sources, "mig_profiles", (own, |table| profiles(table, sms_max)));
    let types = SLICED.map(|key| {
        let read = (vgpus::own_time_sliced, vgpus::time_sliced);
        fact_list(&mut file, &sources, key, read)
    });
    let known = profiles.as_ref().map(|profiles| &profiles.value[..]);
    let own = |list: &Value<'_>| vgpus::own_backed(list, known);
    let backed = fact_list(
        &mut file,
        &sources,
        "mig_vgpu_types",
        (own, |table| vgpus::backed(table, known)),
    );
    let disputed = disputed(&mut file);
    let llm = rates::read(&mut file, &sources);
    let (spot, problems) = (file.spot_of("memory"), file.problems());
    file.finish();
    let types: Vec<_> = types.into_iter().chain([backed]).collect::<Option<_>>()?;
    let profiles = profiles?;
    let mut vgpu_sources: Vec<String> = Vec::new();
    let (mut vgpu_types, mut vgpu_notes) = (Vec::new(), Vec::new());
    for Fact { value: (types, note), source, .. } in types {
        if !source.is_empty() && !vgpu_sources.contains(&source) {
            vgpu_sources.push(source);
        }
        vgpu_types.extend(types);
        vgpu_notes.extend(note);
    }
    let spec = GpuSpec {
        id: id.to_string(),
        name: name?,
        sms: sms?,
        memory: memory?,
        memory_bandwidth: memory_bandwidth?,
        pcie_bandwidth: pcie_bandwidth?,
        compute_capability: capability?,
        tensor_fp16_tflops: tflops?,
        tensor_int8_tops: tops?,
        power_cap_w: power_cap_w?,
        power_limit_min_w: power_limit_min_w?,
        power_idle_w: power_idle_w?,
        power_context_w: power_context_w.map_or(Some(None), |watts| watts.map(Some))?,
        voltage_floor: voltage_floor.map_or(Some(None), |floor| floor.map(Some))?,
        vgpu_types,
        mig_profiles: profiles.value,
        switch_cost: switch_cost?,
        time_slice_best_effort: time_slice_best_effort?,
        process_turns: process_turns?,
        mps_graph_launch: mps_graph_launch?,
        mps_limit_step: mps_limit_step?,
        mps_limit_min: mps_limit_min?,
        mps_chunk: mps_chunk?,
    };
    memory_suffices(&spec, &spot, problems);
    let vgpu_source = vgpu_sources.join("; ");
    let disputed = disputed?;
    let pci_ids = pci_ids?.map_or(Vec::new(), |ids| ids.value);
    let (mig_source, llm) = (profiles.source, llm?);
    Some(GpuFile { spec, vgpu_source, vgpu_notes, disputed, mig_source, pci_ids, llm })
}

/// Nothing on a card has more memory than the card, and no two types have one name.
fn memory_suffices(spec: &GpuSpec, spot: &Spot, problems: &Problems) {
    let memory = spec.memory.value;
    let wrong = |title: String, help: &str| {
        let allowed = format!("at most {memory}, the memory of the card");
        problems.push(Diagnostic::at(spot, title).allowed(allowed).help(help));
    };
    let profile = |name: &String| spec.mig_profile(name);
    for (index, vgpu) in spec.vgpu_types.iter().enumerate() {
        // Of a type backed by a GPU instance a guest has no more than the instance, once for all in it.
        let of_instance = vgpu.profile.as_ref().and_then(profile);
        let of_instance = of_instance.and_then(|profile| profile.frame_buffer);
        let usable = of_instance.map_or(vgpu.frame_buffer, |own| own.min(vgpu.frame_buffer));
        let places = u64::from(vgpu.max_per_gpu / vgpu.max_per_instance.max(1));
        let all = Bytes::new(usable.get().saturating_mul(places));
        if all > memory {
            let title = format!("{places} x {} of {usable} take {all}", vgpu.name);
            wrong(
                title,
                "correct `max_per_gpu` or `frame_buffer` of the type, or the card's memory",
            );
        }
        if spec.vgpu_types[..index].iter().any(|other| other.name == vgpu.name) {
            let title = format!("two vGPU types are named {}", vgpu.name);
            problems.push(Diagnostic::at(spot, title).help("give each type one entry"));
        }
    }
    for profile in &spec.mig_profiles {
        let Some(own) = profile.frame_buffer.filter(|own| *own > memory) else { continue };
        let title = format!("the GPU instance profile {} has {own}", profile.name);
        wrong(title, "correct the `frame_buffer` of the profile, or the card's memory");
    }
}

/// `"8.6"`: NVIDIA's compute capability.
pub(super) fn compute_capability(value: &Value<'_>) -> Option<ComputeCapability> {
    let text = value.text()?;
    let number = text.parse().ok();
    if number.is_none() {
        let allowed = "a compute capability of NVIDIA's list of CUDA GPUs, in quotes, such as \
            \"8.6\"";
        value.report(value.wrong(format!("is {}", quoted(text))).allowed(allowed));
    }
    number
}

/// `["0x20B010DE"]`: device id, then vendor id.
fn pci_ids(value: &Value<'_>) -> Option<Vec<u32>> {
    let items = value.items(32)?;
    let ids: Vec<u32> = items.iter().filter_map(pci_id).collect();
    (ids.len() == items.len()).then_some(ids)
}

fn pci_id(value: &Value<'_>) -> Option<u32> {
    let text = value.text()?;
    let id = mig_parted::pci_id(text).filter(|_| text.len() == "0x20B010DE".len());
    if id.is_none() {
        let allowed = "eight hexadecimal digits, device then vendor, such as \"0x20B010DE\"";
        value.report(value.wrong(format!("is {}", quoted(text))).allowed(allowed));
    }
    id
}

/// A fact that is a list, plain or spread, and an empty one when the file has none.
fn fact_list<T: Default>(
    file: &mut Reader<'_>,
    sources: &Sources,
    key: &str,
    (plain, spread): (impl Fn(&Value<'_>) -> Option<T>, impl Fn(&mut Reader<'_>) -> Option<T>),
) -> Option<Fact<T>> {
    if file.get(key).is_some() {
        return spread_fact(file, sources, key, plain, spread);
    }
    Some(Fact { standing: Standing::Documented, ..Fact::assumed(T::default(), "") })
}

fn graph_launch(value: &Value<'_>) -> Option<SimDuration> {
    value.bounded(|span: &SimDuration| *span <= SimDuration::from_millis(10), "0 to 10 ms")
}

/// The floor of the voltage, of a GPU whose idle watts are known.
fn voltage_floor(file: &mut Reader<'_>, sources: &Sources) -> Option<Fact<Share>> {
    const AS_AMPERE: &str = "assumed: as fitted on A100 and A30";
    let read = |value: &Value<'_>| {
        value.bounded(|floor: &Share| floor.get() >= 0.3, "30 to 100 % of the highest clock")
    };
    let part = |percent: f64| Share::new(percent / 100.0).expect("a share");
    let range = Some([part(70.0), part(85.0)]);
    let absent = Fact { range, ..Fact::assumed(part(79.0), AS_AMPERE) };
    fact_in_range_or(file, sources, "voltage_floor", (read, Share::le), absent)
}

/// What an open context draws on a GPU whose idle watts are known.
fn context(file: &mut Reader<'_>, sources: &Sources, below: f64) -> Option<Fact<f64>> {
    const AS_OTHERS: &str = "assumed: 26 to 50 W on cards with HBM, 66 W on an L40S (arXiv \
        2605.23918); 2 W in a capture of an A100 with 36 GB in use";
    let read = |value: &Value<'_>| {
        let allowed = format!("0 to {below} W, the limit");
        value.number(|watts| (0.0..=below).contains(&watts), &allowed)
    };
    let absent = Fact { range: Some([0.0, 66.0]), ..Fact::assumed(38.0, AS_OTHERS) };
    fact_in_range_or(file, sources, "power_context_w", (read, |low, high| low <= high), absent)
}

/// What is assumed of the turns of processes where the file says nothing: switches of 0.11 of a slice
/// (A100), 0.1 ms to 0.23 of the longer slice (A30).
fn process_turns_assumed() -> Fact<HardwareTurns> {
    let turns = |slice, [dry, save, restore]: [u64; 3]| HardwareTurns {
        slice,
        renewal: slice,
        switch: SwitchTimes {
            dry: SimDuration::from_micros(dry),
            save: SimDuration::from_micros(save),
            restore: SimDuration::from_micros(restore),
        },
        overshoot: Overshoot::None,
        of: TurnsOf::Process,
    };
    let low = turns(NOMINAL_SLICE, [70, 14, 16]);
    let high = turns(SEEN_SLICE, [336, 65, 79]);
    let assumed = Fact::assumed(turns(NOMINAL_SLICE, [77, 15, 18]), PROCESS_TURNS);
    Fact { range: Some([low, high]), ..assumed }
}

/// `{ slice = "2.089 ms", renewal = "2.098 ms", dry = "0.137 ms", save = "0.03 ms", restore = "0.03 ms" }`;
/// without `renewal` later slices are as long, without `save` and `restore` a switch always takes `dry`.
fn hardware_turns(value: &Value<'_>) -> Option<HardwareTurns> {
    const MS: SimDuration = SimDuration::from_millis(1);
    const HELP: &str = "turns are { slice = \"2.1 ms\", dry = \"0.14 ms\", save = \"0.03 ms\", restore = \"0.03 ms\" }";
    let mut table = value.table()?;
    let of_slice = |span: &SimDuration| (SimDuration::from_micros(100)..=MS * 30).contains(span);
    let a_slice = |value: Value<'_>| value.bounded(of_slice, "0.1 ms to 30 ms");
    let slice = table.need("slice", HELP).and_then(a_slice);
    let renewal = table.get("renewal").map(a_slice);
    let a_switch =
        |value: Value<'_>| value.bounded(|span: &SimDuration| *span <= MS * 10, "0 to 10 ms");
    let dry = table.need("dry", HELP).and_then(a_switch);
    let mut part = |key: &str| table.get(key).map_or(Some(SimDuration::ZERO), a_switch);
    let (save, restore) = (part("save"), part("restore"));
    if let (Some(slice), Some(restore)) = (slice, restore)
        && restore * 2 > slice
    {
        let title = format!("`restore` of {restore} takes more than half of a slice of {slice}");
        let diagnostic = Diagnostic::at(&table.spot_of("restore"), title);
        table.report(diagnostic.allowed(format!("0 ns to {}", slice.scale(0.5))));
        return None;
    }
    table.finish();
    Some(HardwareTurns {
        slice: slice?,
        renewal: renewal.map_or(slice, |renewal| renewal)?,
        switch: SwitchTimes { dry: dry?, save: save?, restore: restore? },
        overshoot: Overshoot::None,
        of: TurnsOf::Process,
    })
}

const SWITCHES_LAST: &str = "0 to 10 ms";

fn is_switch(span: &SimDuration) -> bool {
    *span <= SimDuration::from_millis(10)
}

/// A plain cost leaves nothing open.
fn plain_switch_cost(value: &Value<'_>) -> Option<SwitchCost> {
    let value = value.bounded(is_switch, SWITCHES_LAST)?;
    Some(SwitchCost { value, low: value, high: value })
}

/// `[[vgpu_disputed]]` with `mix = [{ name = "A10-4Q", count = 3 }, ...]`, `offered_by`, `excluded_by`.
fn disputed(file: &mut Reader<'_>) -> Option<Vec<DisputedMix>> {
    let Some(value) = file.get("vgpu_disputed") else { return Some(Vec::new()) };
    let mixes = value.items(100)?.into_iter().map(|item| {
        let mut table = item.table()?;
        let mix = table.need("mix", "write the mix as [{ name = \"A10-4Q\", count = 3 }, ...]");
        let mix = mix.and_then(|mix| {
            let each = mix.items(100)?.into_iter().map(|item| {
                let mut entry = item.table()?;
                let name = entry.need("name", "write the vendor's name of the type");
                let name = name.and_then(|name| Some(name.text()?.to_string()));
                let count = entry.need("count", "write how many of it");
                let count = count.and_then(|count| count.count(1..=64, " vGPUs"));
                entry.finish();
                Some((name?, count?))
            });
            each.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()
        });
        let mut document = |key: &str| {
            let text = table.need(key, "name the document");
            text.and_then(|text| Some(text.text()?.to_string()))
        };
        let (offered_by, excluded_by) = (document("offered_by"), document("excluded_by"));
        table.finish();
        Some(DisputedMix { mix: mix?, offered_by: offered_by?, excluded_by: excluded_by? })
    });
    mixes.collect::<Vec<_>>().into_iter().collect()
}

/// `value = "0.11 ms"`, `low = "0.1 ms"`, `high = "0.45 ms"`; the ends may be left out.
fn switch_cost(table: &mut Reader<'_>) -> Option<SwitchCost> {
    let value = table.need("value", "a switch cost is { value = ..., low = ..., high = ..., ... }");
    let value = value.and_then(|value| value.bounded(is_switch, SWITCHES_LAST));
    // Without ends of its own nothing is left open.
    let mut end = |key: &str| match table.get(key) {
        Some(end) => end.bounded(is_switch, SWITCHES_LAST),
        None => value,
    };
    let (low, high) = (end("low"), end("high"));
    let cost = SwitchCost { value: value?, low: low?, high: high? };
    if cost.low > cost.value || cost.value > cost.high {
        let title = format!("`switch_cost` of {} lies outside its interval", cost.value);
        table.report(
            Diagnostic::at(&table.spot_of("value"), title)
                .allowed(format!("{} to {}", cost.low, cost.high)),
        );
        return None;
    }
    Some(cost)
}

/// `value = [{ name = "1g.5gb", sms = 14, ..., at = "{0,1,2,3,4,5,6}:1" }, ...]`, and whether the
/// positions are printed for the board.
fn profiles(table: &mut Reader<'_>, sms_max: u32) -> Option<Vec<MigProfile>> {
    let printed = table.need("placements", "state whether the positions are printed or inferred");
    let printed = printed
        .and_then(|value| value.choice("placements", &[("printed", true), ("inferred", false)]));
    let profiles = profiles_of(&list_in(table)?, sms_max, printed);
    printed.and(profiles)
}

/// The profiles of a list, `printed` unless that is faulty.
fn profiles_of(list: &Value<'_>, sms_max: u32, printed: Option<bool>) -> Option<Vec<MigProfile>> {
    let mut ends: Vec<(Spot, String, u32)> = Vec::new();
    let found = entries_of(list, |entry| {
        let name = entry.need("name", "write the vendor's name of the profile");
        let name = name.and_then(|value| value.text());
        let mut count = |key: &str, range: RangeInclusive<u32>, unit: &str| {
            let help = "every figure of a profile is required";
            entry.need(key, help).and_then(|value| value.count(range, unit))
        };
        let id = count("id", 0..=255, "");
        let compute = count("compute", 1..=64, " slices");
        let memory = count("memory", 1..=64, " slices");
        let copy_engines = count("copy_engines", 1..=64, "");
        let max_per_gpu = count("max_per_gpu", 1..=64, " instances");
        let sms = known(entry, "sms", |value| {
            value.count(1..=sms_max, " SMs, no more than the whole card")
        });
        let frame_buffer = known(entry, "frame_buffer", above_zero);
        let mut engines = |key| known(entry, key, |value| value.count(0..=64, " engines"));
        let (decoders, encoders) = (engines("decoders"), engines("encoders"));
        let (jpeg, ofa) = (engines("jpeg"), engines("ofa"));
        let at = entry.need("at", "write its positions as nvidia-smi does: \"{0,4}:4\"");
        let starts = at.as_ref().and_then(|value| positions(value, memory?));
        if let (Some(at), Some(last), Some(memory)) =
            (&at, starts.as_ref().and_then(|all| all.last()), memory)
        {
            ends.push((at.spot(), at.text().unwrap_or_default().to_string(), last + memory));
        }
        Some(MigProfile {
            name: name?.to_string(),
            id: id?,
            sms: sms?,
            compute_slices: compute?,
            memory_slices: memory?,
            frame_buffer: frame_buffer?,
            copy_engines: copy_engines?,
            media: MediaEngines {
                decoders: decoders?,
                encoders: encoders?,
                jpeg: jpeg?,
                ofa: ofa?,
            },
            max_per_gpu: max_per_gpu?,
            starts: starts?,
            is_printed: printed?,
        })
    })?;
    let largest = found.iter().max_by_key(|one| (one.memory_slices, one.compute_slices))?;
    // A profile that fills the card says how many slices there are; without one nothing is known.
    if largest.starts == [0] && largest.max_per_gpu == 1 {
        let (name, slices) = (&largest.name, largest.memory_slices);
        let mut is_right = true;
        for (spot, at, _) in ends.into_iter().filter(|(.., end)| *end > slices) {
            let title = format!("{} reaches beyond the card", quoted(&at));
            list.report(
                Diagnostic::at(&spot, title)
                    .allowed(format!("memory slices 0 to {}, which {name} takes", slices - 1))
                    .help("correct the starts or the size, or list the profile of the whole card"),
            );
            is_right = false;
        }
        return is_right.then_some(found);
    }
    Some(found)
}

/// A figure that is left out where nobody has published it: nothing at all when it is faulty.
fn known<T>(
    entry: &mut Reader<'_>,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Option<T>> {
    match entry.get(key) {
        Some(value) => read(&value).map(Some),
        None => Some(None),
    }
}

/// `{0,4}:4`: the starts, rising, and the size, which is the profile's memory slices.
fn positions(value: &Value<'_>, memory_slices: u32) -> Option<Vec<u32>> {
    let text = value.text()?;
    let inside = text.strip_prefix('{').and_then(|text| text.split_once("}:"));
    let starts = inside.and_then(|(starts, size)| {
        let starts: Option<Vec<u32>> = starts
            .split(',')
            .map(|start| start.trim().parse().ok().filter(|&at| at < 64))
            .collect();
        starts.filter(|_| size.parse() == Ok(memory_slices))
    });
    let starts = starts.filter(|starts| starts.windows(2).all(|pair| pair[0] < pair[1]));
    if starts.is_none() {
        let allowed = format!("\"{{starts}}:{memory_slices}\", starts rising from 0 to 63");
        value.report(value.wrong(format!("is {}", quoted(text))).allowed(allowed));
    }
    starts
}
