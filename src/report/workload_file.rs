//! A workload as a catalogue file: TOML with the passport of every number.
//!
//! The catalogue reads it back; nothing is added, and nothing is left out but comments.

use crate::spec::{Fact, ServiceAlternative, ServiceTime, SizeDistribution, Standing, Workload};
use crate::spec::{PhiTable, WorkTable};
use crate::units::{Bytes, Share, SimDuration};
use std::fmt::Write;

/// The file of `workload`; `remarks` become comments at its head.
pub fn workload_file(workload: &Workload, usual_preset: &str, remarks: &[String]) -> String {
    let mut file = String::new();
    for line in remarks {
        line_to(&mut file, &format!("# {}", line.replace('\n', " ")));
    }
    let w = workload;
    line_to(&mut file, &format!("name = {}", quoted(&w.name)));
    line_to(&mut file, &format!("usual_preset = {}", quoted(usual_preset)));
    fact(&mut file, "target_latency", &w.target_latency, |time| time_text(*time));
    let sizes = match w.sizes.value {
        SizeDistribution::LogNormal { sigma } => {
            format!("distribution = \"lognormal\", sigma = {sigma}")
        }
        SizeDistribution::Fixed => "distribution = \"fixed\"".to_string(),
        SizeDistribution::Exponential => "distribution = \"exponential\"".to_string(),
    };
    line_to(&mut file, &format!("sizes = {{ {sizes}, {} }}", passport(&w.sizes)));
    fact(&mut file, "weights", &w.weights, |bytes| bytes_text(*bytes));
    fact(&mut file, "workspace_per_sample", &w.workspace_per_sample, |bytes| bytes_text(*bytes));
    fact(&mut file, "input_per_sample", &w.input_per_sample, |bytes| bytes_text(*bytes));
    fact(&mut file, "output_per_sample", &w.output_per_sample, |bytes| bytes_text(*bytes));
    file.push_str("\n[cpu]\n");
    for (key, time) in [
        ("launch_per_batch", &w.cpu.launch_per_batch),
        ("launch_per_sample", &w.cpu.launch_per_sample),
        ("finish_per_batch", &w.cpu.finish_per_batch),
        ("finish_per_sample", &w.cpu.finish_per_sample),
    ] {
        fact(&mut file, key, time, |time| time_text(*time));
    }
    for (gpu, service) in &w.service {
        service_time(&mut file, gpu, service);
    }
    file
}

fn service_time(file: &mut String, gpu: &str, service: &ServiceTime) {
    line_to(file, &format!("\n[service.{gpu}]"));
    fact(file, "launch", &service.launch, |time| time_text(*time));
    fact(file, "host_floor", &service.host_floor, |time| time_text(*time));
    fact(file, "phi", &service.phi, phi_text);
    fact(file, "spread", &service.spread, |share| share_text(*share));
    fact(file, "work", &service.work, work_text);
    if service.boost.value != 1.0 {
        fact(file, "boost", &service.boost, |boost| number_text(*boost));
    }
    for other in &service.alternatives {
        alternative(file, gpu, other);
    }
}

fn alternative(file: &mut String, gpu: &str, other: &ServiceAlternative) {
    line_to(file, &format!("\n[[service.{gpu}.alternative]]"));
    line_to(file, &format!("residual = {}", other.residual));
    let cpu = time_text(other.cpu_launch_per_batch);
    line_to(file, &format!("cpu_launch_per_batch = {cpu}"));
    line_to(file, &format!("launch = {}", time_text(other.launch)));
    line_to(file, &format!("host_floor = {}", time_text(other.host_floor)));
    line_to(file, &format!("phi = {}", phi_text(&other.phi)));
    line_to(file, &format!("spread = {}", share_text(other.spread)));
    line_to(file, &format!("work = {}", work_text(&other.work)));
    if other.boost != 1.0 {
        line_to(file, &format!("boost = {}", number_text(other.boost)));
    }
}

fn fact<T>(file: &mut String, key: &str, fact: &Fact<T>, text: impl Fn(&T) -> String) {
    line_to(file, &format!("{key} = {{ value = {}, {} }}", text(&fact.value), passport(fact)));
}

/// Source, standing, and for a fitted number what it was fitted on.
fn passport<T>(fact: &Fact<T>) -> String {
    let mut text = format!(
        "source = {}, standing = \"{}\"",
        quoted(&words(&fact.source)),
        fact.standing.word()
    );
    if fact.standing == Standing::Fitted {
        if !fact.fitted_on.is_empty() {
            let rows: Vec<_> = fact.fitted_on.iter().map(|row| quoted(row)).collect();
            let _ = write!(text, ", fitted_on = [{}]", rows.join(", "));
        }
        if let Some(residual) = fact.residual {
            let _ = write!(text, ", residual = {}", residual.min(1.0));
        }
    }
    text
}

/// A source of one word would be taken for a key of `[sources]`.
fn words(source: &str) -> String {
    if source.contains(' ') { source.to_string() } else { format!("source: {source}") }
}

fn phi_text(phi: &PhiTable) -> String {
    match phi.points() {
        [(_, phi)] => share_text(*phi),
        points => table(points.iter().map(|(batch, phi)| (*batch, share_text(*phi)))),
    }
}

fn work_text(work: &WorkTable) -> String {
    table(work.points().iter().map(|(batch, time)| (*batch, time_text(*time))))
}

fn table(points: impl Iterator<Item = (u32, String)>) -> String {
    let points: Vec<_> = points.map(|(batch, text)| format!("{batch} = {text}")).collect();
    format!("{{ {} }}", points.join(", "))
}

/// Six digits are more than any fit knows.
fn share_text(share: Share) -> String {
    number_text(share.get())
}

fn number_text(number: f64) -> String {
    ((number * 1e6).round() / 1e6).to_string()
}

fn time_text(time: SimDuration) -> String {
    quoted(&time.to_string())
}

fn bytes_text(bytes: Bytes) -> String {
    format!("\"{} B\"", bytes.get())
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn line_to(file: &mut String, line: &str) {
    file.push_str(line);
    file.push('\n');
}
