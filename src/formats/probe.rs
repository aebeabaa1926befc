//! The measurements of the probe on a GPU: `probe.json` of `probe/probe.py`.
//!
//! Times are milliseconds, rates GB/s. The figures are explained in `probe/README.md`;
//! `config::probed` writes some of them into a GPU's file.

use super::{FAULTS_MAX, Fault};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;

/// What the format calls itself.
const FORMAT: &str = "slicewise-probe 1";

/// A file.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ProbeFile {
    format: String,
    /// The card.
    pub gpu: Card,
    /// The GPU's id in the catalogue that the probe predicted with; nothing where it did not.
    pub catalogue: Option<String>,
    /// The version of the driver.
    pub driver: String,
    /// The day, as written by the probe's machine.
    pub date: String,
    /// The environment it ran in.
    pub place: Place,
    /// The measurements.
    pub measured: Measured,
}

/// The card.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Card {
    /// The name of the device in CUDA.
    pub name: String,
    /// Device and vendor as `nvidia-smi` prints them: `0x233510DE`.
    pub pci_id: Option<String>,
}

/// The environment that the probe ran in.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Place {
    /// `host`, `vgpu`, `passthrough`, `mig`, `vgpu-host` or `unknown`.
    pub kind: String,
    /// A description: "a vGPU under VMware".
    pub words: String,
}

/// The measurements; values that were not measured are missing.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Measured {
    /// Turns of processes.
    pub turns: Turns,
    /// SMs of MPS limits.
    pub limits: Option<Limits>,
    /// Copies, by the copies that ran at the same time: `h32 x1` is one process, 32 MiB to the
    /// device.
    pub copies: BTreeMap<String, Vec<Copy>>,
    /// Times of batches alone by model and samples.
    pub batches: BTreeMap<String, BTreeMap<u32, BatchTime>>,
}

/// Turns of processes, in milliseconds.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Turns {
    /// A slice.
    pub slice_ms: Option<Figure>,
    /// The next slice of a process alone.
    pub renewal_ms: Option<Figure>,
    /// A switch between whole kernels.
    pub dry_ms: Option<Figure>,
    /// The additional time of a switch where kernels are stopped, over kinds of kernels.
    pub save_restore_ms: Option<Figure>,
    /// The part of that in restoring.
    pub restore_part: Option<f64>,
}

/// A figure with its interval.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// The low end of its interval.
    pub low: f64,
    /// The high end.
    pub high: f64,
}

/// SMs of MPS limits.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Limits {
    /// The step of limits, in SMs; nothing where no step explains the measurements.
    pub step: Option<u32>,
}

/// One process's copies.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Copy {
    /// `h2d`, `d2h` or `kernel`.
    pub what: String,
    /// The bandwidth.
    pub gbps: Option<f64>,
}

/// Times of batches of one size.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
pub struct BatchTime {
    /// The mean, from launch to return.
    pub mean_ms: f64,
}

/// Whether a text is such a file, by its beginning.
pub fn is_one(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with('{') && text.contains("\"format\": \"slicewise-probe ")
}

/// Reads a file, or returns its faults.
pub fn read(text: &str) -> Result<ProbeFile, Vec<Fault>> {
    let file: ProbeFile = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            let at = offset(text, error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default().to_string();
            let fault = Fault::at(at..at, format!("not a file of the probe: {reason}"));
            return Err(vec![fault.help("python3 probe/probe.py writes a new probe.json")]);
        }
    };
    if file.format != FORMAT {
        let fault = Fault::at(place(text, "format"), format!("the format is {:?}", file.format));
        return Err(vec![fault.allowed(format!("{FORMAT:?}"))]);
    }
    let faults = faults(text, &file);
    if faults.is_empty() { Ok(file) } else { Err(faults) }
}

/// Figures that cannot be, each at its name.
fn faults(text: &str, file: &ProbeFile) -> Vec<Fault> {
    let mut found = Vec::new();
    let turns = &file.measured.turns;
    let figures = [
        ("slice_ms", turns.slice_ms, 0.1, 30.0),
        ("renewal_ms", turns.renewal_ms, 0.1, 30.0),
        ("dry_ms", turns.dry_ms, 0.0, 10.0),
        ("save_restore_ms", turns.save_restore_ms, 0.0, 10.0),
    ];
    for (name, figure, least, most) in figures {
        let Some(Figure { value, low, high }) = figure else { continue };
        let allowed = format!("{least} to {most} ms, low <= value <= high");
        if !(least <= low && low <= value && value <= high && high <= most) {
            let title = format!("`{name}` is {value} ms, from {low} to {high}");
            found.push(Fault::at(place(text, name), title).allowed(allowed));
        }
    }
    if let Some(part) = turns.restore_part.filter(|part| !(0.0..=1.0).contains(part)) {
        let title = format!("`restore_part` is {part}");
        found.push(Fault::at(place(text, "restore_part"), title).allowed("0 to 1"));
    }
    if let Some(Limits { step: Some(step) }) = file.measured.limits
        && !(1..=64).contains(&step)
    {
        let fault = Fault::at(place(text, "step"), format!("`step` is {step}"));
        found.push(fault.allowed("1 to 64 SMs"));
    }
    for (name, times) in &file.measured.batches {
        let wrong = times.iter().find(|(batch, time)| **batch == 0 || time.mean_ms <= 0.0);
        if let Some((batch, time)) = wrong {
            let title = format!("a batch of {batch} takes {} ms", time.mean_ms);
            let fault = Fault::at(place(text, name), title);
            found.push(fault.allowed("1 sample or more, more than 0 ms"));
        }
    }
    found.truncate(FAULTS_MAX);
    found
}

/// Where a name stands first in the text.
fn place(text: &str, name: &str) -> Range<usize> {
    let quoted = format!("\"{name}\"");
    let at = text.find(&quoted).unwrap_or(0);
    at..(at + quoted.len()).min(text.len())
}

/// The byte of a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let at = (before + column.saturating_sub(1)).min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h200() -> &'static str {
        include_str!("../../tests/formats/probe/h200.json")
    }

    #[test]
    fn what_the_probe_wrote_of_the_h200_is_read() {
        assert!(is_one(h200()));
        let file = read(h200()).unwrap();
        assert_eq!(file.catalogue.as_deref(), Some("h200-sxm-141gb"));
        let slice = file.measured.turns.slice_ms.unwrap();
        assert!((slice.value - 2.0895).abs() < 1e-4 && slice.low < slice.high, "{slice:?}");
        assert_eq!(file.measured.limits, Some(Limits { step: Some(2) }));
        assert_eq!(file.measured.batches["bert"].len(), 7);
        assert_eq!(file.measured.copies["h32 x1"][0].gbps, Some(54.507));
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        for (from, to, title) in [
            ("slicewise-probe 1", "slicewise-probe 9", "the format is \"slicewise-probe 9\""),
            ("\"driver\"", "\"motor\"", "not a file of the probe: missing field `driver`"),
            ("\"low\": 2.08", "\"low\": 3.08", "`slice_ms` is"),
            ("\"step\": 2", "\"step\": 0", "`step` is 0"),
        ] {
            let text = h200().replacen(from, to, 1);
            assert_ne!(text, h200(), "{from}");
            let faults = read(&text).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].title.starts_with(title), "{faults:?}");
        }
        assert!(read("{\"format\": \"slicewise-probe 1\"").is_err());
    }
}
