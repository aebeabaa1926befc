//! `slicewise calibrate probe.json`: a GPU file and workloads from the probe's measurements on a
//! GPU.
//!
//! With `-o DIR` they are written where `--configs DIR` finds them; without it, the changes are
//! only shown.

use super::arguments::CalibrateArgs;
use crate::cli::failure::Failure;
use crate::cli::work::with_threads;
use crate::cli::{measured, output};
use crate::config::{self, Catalogue, LoadOptions, probed_gpu_file, read_foreign};
use crate::formats::probe::{self, Figure, ProbeFile};
use crate::report;
use crate::spec::GpuSpec;
use crate::study;
use crate::units::SimDuration;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Whether a file is the probe's, by its beginning; read errors are reported by the caller that
/// reads it.
pub(super) fn is_one(path: &Path) -> bool {
    /// The probe's files have a few thousand letters.
    const LOOKED_AT: u64 = 1 << 20;
    let mut text = String::new();
    let file = std::fs::metadata(path).ok().filter(|of| of.is_file());
    let file = file.and_then(|_| std::fs::File::open(path).ok());
    file.is_some_and(|file| {
        file.take(LOOKED_AT).read_to_string(&mut text).is_ok() && probe::is_one(&text)
    })
}

/// Runs the command on a probe's file.
pub(super) fn run(
    path: &Path,
    arguments: &CalibrateArgs,
    configs: Option<&Path>,
) -> Result<(), Failure> {
    let shown = path.display();
    let given = [
        ("--csv", !arguments.csv.is_empty()),
        ("--trtexec", !arguments.trtexec.is_empty()),
        ("--name", arguments.name.is_some()),
        ("--batch-max", arguments.batch_max.is_some()),
        ("--gpus", arguments.gpus.is_some()),
        ("--out", arguments.out.is_some()),
    ];
    let given = measured::given(&given);
    if !given.is_empty() {
        return Err(Failure::Usage(format!(
            "{} cannot be used with {shown}, which states the GPU and the models that were \
             measured\n  = help: drop it; -o DIR is the folder of the files",
            given.join(", ")
        )));
    }
    let found = read_foreign(path, probe::read)?;
    let catalogue = Catalogue::load(configs)?;
    let gpu = gpu_of(path, &found, arguments.gpu.as_deref(), &catalogue)?;
    let before = catalogue.show(&format!("gpus/{}", gpu.id)).unwrap_or_default();
    let (text, replaced) = probed_gpu_file(before, &gpu.process_turns.value, &found);
    let mut files = Vec::new();
    if !replaced.is_empty() {
        files.push((PathBuf::from(format!("gpus/{}.toml", gpu.id)), text));
    }
    for model in found.measured.batches.keys() {
        let (file, workload) = workload(path, model, gpu, arguments, &catalogue)?;
        files.push((file, workload));
    }
    if let Some(folder) = &arguments.workload {
        let paths: Vec<PathBuf> = files.iter().map(|(file, _)| folder.join(file)).collect();
        if let Some(there) = paths.iter().find(|path| path.exists()).filter(|_| !arguments.force) {
            return Err(Failure::Usage(format!(
                "{} exists already; name another folder with -o, or add --force to replace it",
                there.display()
            )));
        }
        for path in &paths {
            report::can_write(path)?;
        }
        for (path, (_, text)) in paths.iter().zip(&files) {
            report::write_file(path, text.as_bytes())?;
        }
    }
    let names: Vec<String> = files.iter().map(|(file, _)| file.display().to_string()).collect();
    if !arguments.output.quiet {
        output::message(&match &arguments.workload {
            Some(folder) => format!("wrote {} into {}", names.join(", "), folder.display()),
            None => format!("-o DIR writes {}, for --configs DIR", names.join(", ")),
        });
    }
    match arguments.output.json {
        true => output::data(&format!("{:#}\n", document(&found, gpu, &replaced, &names))),
        false => output::data(&output::width().fitted(&table(&found, gpu))),
    }
}

/// The GPU of the catalogue: the one named, the one that the probe predicted with, or the only one with
/// the card's PCI id.
fn gpu_of<'c>(
    path: &Path,
    found: &ProbeFile,
    named: Option<&str>,
    catalogue: &'c Catalogue,
) -> Result<&'c GpuSpec, Failure> {
    let id = found.gpu.pci_id.as_deref().and_then(hexadecimal);
    if let Some(word) = named.or(found.catalogue.as_deref()) {
        let gpu = crate::cli::named::gpu(catalogue, word)?;
        let known = catalogue.pci_ids(&gpu.id);
        if let Some(id) = id.filter(|id| !known.is_empty() && !known.contains(id)) {
            return Err(Failure::Usage(format!(
                "{} is of a {} (PCI id 0x{id:08X}), and {} is another card\n  = help: drop --gpu: \
                 the file states the GPU",
                path.display(),
                found.gpu.name,
                gpu.id
            )));
        }
        return Ok(gpu);
    }
    let has_id = |gpu: &&GpuSpec| id.is_some_and(|id| catalogue.pci_ids(&gpu.id).contains(&id));
    let all: Vec<&GpuSpec> = catalogue.gpus().filter(has_id).collect();
    match all[..] {
        [only] => Ok(only),
        _ => Err(Failure::Usage(format!(
            "{} is of a {}, which is {} of the catalogue: name it with --gpu, such as --gpu a100-pcie-40gb",
            path.display(),
            found.gpu.name,
            if all.is_empty() { "no GPU" } else { "several GPUs" }
        ))),
    }
}

/// `0x233510DE` as a number.
fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The workload of a model's batch times: the table beside the probe's file, calibrated as any.
fn workload(
    path: &Path,
    model: &str,
    gpu: &GpuSpec,
    arguments: &CalibrateArgs,
    catalogue: &Catalogue,
) -> Result<(PathBuf, String), Failure> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let plain: String =
        model.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect();
    let name = format!("probe-{plain}");
    let table = path.parent().unwrap_or(Path::new("")).join(format!("times-{model}.csv"));
    let table = table.to_str().map(|path| toml::Value::String(path.to_string()));
    let Some(table) = table else {
        let why = format!("the path of {} is not UTF-8 text", path.display());
        return Err(Failure::Usage(why));
    };
    let mut text = format!(
        "name = {}\ngpu = {}\n",
        toml::Value::String(name.clone()),
        toml::Value::String(gpu.id.clone())
    );
    if let Some(base) = &arguments.base {
        text.push_str(&format!("base = {}\n", toml::Value::String(base.clone())));
    }
    let (weights, number_format) = (&arguments.weights, &arguments.number_format);
    let said = measured::said(arguments.bound, weights.as_ref(), number_format.as_ref());
    let said =
        said.into_iter().map(|(key, value)| format!("{key} = {}", toml::Value::String(value)));
    let said: Vec<String> = said.collect();
    if !said.is_empty() {
        text.push_str(&format!("workload = {{ {} }}\n", said.join(", ")));
    }
    text.push_str(&format!("[[times]]\ncsv = {table}\n"));
    let options = LoadOptions { seed: arguments.seed, ..LoadOptions::new(catalogue.clone()) };
    let plan = config::calibration_of(text, &options)?;
    let results =
        with_threads(arguments.output.threads, || study::calibrate(&plan, &|_, _, _: &str| ()))?;
    let file = PathBuf::from(format!("workloads/{name}.toml"));
    Ok((file, report::catalogue_file(&results)))
}

/// What the catalogue says beside what was measured.
fn rows(found: &ProbeFile, gpu: &GpuSpec) -> Vec<(&'static str, String, Option<Figure>)> {
    let (turns, own) = (&found.measured.turns, &gpu.process_turns.value);
    let (switch, ms) = (&own.switch, |time: SimDuration| format!("{:.4} ms", time.as_millis_f64()));
    vec![
        ("slice", ms(own.slice), turns.slice_ms),
        ("renewal", ms(own.renewal), turns.renewal_ms),
        ("dry", ms(switch.dry), turns.dry_ms),
        ("save + restore", ms(switch.save + switch.restore), turns.save_restore_ms),
    ]
}

fn table(found: &ProbeFile, gpu: &GpuSpec) -> String {
    let mut text = format!(
        "{}, driver {}, {}: {}\n\n{:<16}{:>14}{:>14}   interval\n",
        found.gpu.name, found.driver, found.date, found.place.words, gpu.id, "so far", "measured"
    );
    for (name, so_far, figure) in rows(found, gpu) {
        text.push_str(&match figure {
            Some(Figure { value, low, high }) => format!(
                "{name:<16}{so_far:>14}{:>14}   {low:.4} to {high:.4} ms\n",
                format!("{value:.4} ms")
            ),
            None => format!("{name:<16}{so_far:>14}{:>14}\n", "-"),
        });
    }
    for (model, times) in &found.measured.batches {
        let times: Vec<String> =
            times.iter().map(|(batch, time)| format!("{batch}: {:.3} ms", time.mean_ms)).collect();
        text.push_str(&format!("{model:<16}  {}\n", times.join(", ")));
    }
    text
}

fn document(found: &ProbeFile, gpu: &GpuSpec, replaced: &[&str], files: &[String]) -> Value {
    json!({
        "gpu": gpu.id,
        "driver": found.driver,
        "date": found.date,
        "place": found.place.words,
        "replaced": replaced,
        "files": files,
    })
}
