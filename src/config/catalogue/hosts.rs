//! Reads a host: a file of the catalogue, or one that a scenario describes itself.
//!
//! Its cards are read in `entries`.

use super::entries::{HostFile, OF_GPUS, PROCESSORS_MAX, above_zero, gpus_of};
use super::facts::{
    Sources, fact, fact_in_range, fact_in_range_or, if_stated, name, or_assumed, sources,
};
use crate::config::text::{Reader, Value};
use crate::spec::{Fact, HostSpec};
use crate::units::Frequency;

/// Reads `hosts/<id>.toml`.
pub(crate) fn host(id: &str, mut file: Reader<'_>) -> Option<HostFile> {
    let name = name(&mut file);
    let sources = sources(&mut file);
    let gpus = file.need("gpus", OF_GPUS).and_then(|value| gpus_of(&value, &sources));
    let spec = host_spec(id, &sources, &mut file);
    file.finish();
    let spec = HostSpec { name: name?, ..spec? };
    Some(HostFile { spec, gpus: gpus? })
}

/// Reads `host = { logical_processors = 64, memory = "512 GB" }` of a scenario; its GPUs may be
/// stated in it or beside it.
pub(crate) fn own_host(mut table: Reader<'_>) -> Option<HostFile> {
    let name = table.get("name").map(|value| value.text().map(str::to_string));
    let sources = sources(&mut table);
    let gpus = table.get("gpus").map(|value| gpus_of(&value, &sources));
    let spec = host_spec(OWN_HOST, &sources, &mut table);
    table.finish();
    let name = name.unwrap_or_else(|| Some("a host of your own".to_string()));
    Some(HostFile {
        spec: HostSpec { name: name?, ..spec? },
        gpus: gpus.unwrap_or_else(|| Some(Vec::new()))?,
    })
}

/// The name in results of a host that a scenario describes itself.
pub(crate) const OWN_HOST: &str = "own-host";

/// Processors and memory; the name is not read here.
fn host_spec(id: &str, sources: &Sources, file: &mut Reader<'_>) -> Option<HostSpec> {
    let logical_processors =
        fact(file, sources, "logical_processors", |value| value.count(1..=PROCESSORS_MAX, ""));
    let memory = fact(file, sources, "memory", above_zero);
    let processors = logical_processors.as_ref().map(|fact| fact.value);
    let cores = or_assumed(file, "cores", HostSpec::usual_cores(processors.unwrap_or(1)), |file| {
        fact(file, sources, "cores", |value| cores(value, processors))
    });
    let clock = or_assumed(file, "clock", HostSpec::usual_clock(), |file| {
        fact(file, sources, "clock", |value| {
            let inside = |clock: &Frequency| clock_range().contains(clock);
            value.bounded(inside, "100 MHz to 10 GHz")
        })
    });
    let gain = |value: &Value<'_>| {
        value.number(|gain| (1.0..=2.0).contains(&gain), "1 to 2 times one busy thread")
    };
    let usual = HostSpec::usual_hyper_threading();
    let rises = |low: &f64, high: &f64| low <= high;
    let hyper_threading = fact_in_range_or(file, sources, "hyper_threading", (gain, rises), usual);
    let [power_idle_w, power_cpu_w] =
        ["power_idle_w", "power_cpu_w"].map(|key| watts(file, sources, key));
    let (id, name) = (id.to_string(), String::new());
    let (logical_processors, memory) = (logical_processors?, memory?);
    let (cores, clock, hyper_threading) = (cores?, clock?, hyper_threading?);
    Some(HostSpec {
        id,
        name,
        logical_processors,
        cores,
        clock,
        hyper_threading,
        memory,
        power_idle_w: power_idle_w?,
        power_cpu_w: power_cpu_w?,
        stalls: None,
    })
}

/// Watts of a whole server, if it states them.
fn watts(file: &mut Reader<'_>, sources: &Sources, key: &str) -> Option<Option<Fact<f64>>> {
    let watts =
        |value: &Value<'_>| value.number(|watts| (0.0..=20_000.0).contains(&watts), "0 to 20000 W");
    if_stated(file, key, |file| {
        fact_in_range(file, sources, key, watts, |low: &f64, high: &f64| low <= high)
    })
}

/// The clocks that a core may have.
fn clock_range() -> std::ops::RangeInclusive<Frequency> {
    Frequency::from_mhz(100)..=Frequency::from_mhz(10_000)
}

/// Cores: one or two logical processors each.
fn cores(value: &Value<'_>, logical_processors: Option<u32>) -> Option<u32> {
    let found = value.count(1..=PROCESSORS_MAX, "")?;
    let Some(all) = logical_processors else { return Some(found) };
    let range = all.div_ceil(2)..=all;
    if range.contains(&found) {
        return Some(found);
    }
    let title = format!("is {found}, with {all} logical processors");
    let allowed = format!("{} to {all}: a core has one or two hardware threads", range.start());
    value.report(value.wrong(title).label("out of range").allowed(allowed));
    None
}
