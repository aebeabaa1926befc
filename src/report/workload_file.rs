//! A workload as a catalogue file: TOML with the passport of every number.
//!
//! The catalogue reads it back; nothing is added, and nothing is left out but comments.

use crate::shown::{is_harmful, shown};
use crate::spec::{Fact, ServiceAlternative, ServiceTime, SizeDistribution, Standing, Workload};
use crate::spec::{PhiTable, WorkTable};
use crate::units::{Bytes, Share, SimDuration};
use std::fmt::Write;

/// The file of `workload`; `remarks` become comments at its head.
pub fn workload_file(workload: &Workload, usual_preset: &str, remarks: &[String]) -> String {
    let mut file = Writer::default();
    for line in remarks {
        file.line(&format!("# {}", shown(line)));
    }
    let w = workload;
    file.line(&format!("name = {}", quoted(&w.name)));
    file.line(&format!("usual_preset = {}", quoted(usual_preset)));
    if let Some(benchmark) = &w.benchmark {
        file.line(&format!("benchmark = {}", quoted(benchmark)));
    }
    if let Some(precision) = w.precision {
        file.line(&format!("precision = {}", quoted(precision.word())));
    }
    file.inline("target_latency", &w.target_latency, |time| time_text(*time));
    let sizes = match w.sizes.value {
        SizeDistribution::LogNormal { sigma } => {
            format!("distribution = \"lognormal\", sigma = {sigma}")
        }
        SizeDistribution::Fixed => "distribution = \"fixed\"".to_string(),
        SizeDistribution::Exponential => "distribution = \"exponential\"".to_string(),
    };
    let passport = file.passport(&w.sizes);
    file.line(&format!("sizes = {{ {sizes}, {passport} }}"));
    file.inline("weights", &w.weights, |bytes| bytes_text(*bytes));
    file.inline("workspace_per_sample", &w.workspace_per_sample, |bytes| bytes_text(*bytes));
    file.inline("input_per_sample", &w.input_per_sample, |bytes| bytes_text(*bytes));
    file.inline("output_per_sample", &w.output_per_sample, |bytes| bytes_text(*bytes));
    // Without watts it acts nowhere.
    if w.service.values().any(|service| service.watts_per_sm.is_some()) {
        file.inline("energy_once", &w.energy_once, |once| number_text(*once));
    }
    file.table("cpu");
    if let Some(time) = &w.cpu.triton_per_batch {
        file.fact("triton_per_batch", time, |time| time_text(*time));
    }
    for (key, time) in [
        ("launch_per_batch", &w.cpu.launch_per_batch),
        ("queue_per_batch", &w.cpu.queue_per_batch),
        ("launch_per_sample", &w.cpu.launch_per_sample),
        ("finish_per_batch", &w.cpu.finish_per_batch),
        ("finish_per_sample", &w.cpu.finish_per_sample),
    ] {
        file.fact(key, time, |time| time_text(*time));
    }
    for (gpu, service) in &w.service {
        service_time(&mut file, gpu, service);
    }
    file.finish()
}

fn service_time(file: &mut Writer, gpu: &str, service: &ServiceTime) {
    file.table(&format!("service.{}", key(gpu)));
    file.fact("launch", &service.launch, |time| time_text(*time));
    file.fact("host_floor", &service.host_floor, |time| time_text(*time));
    file.fact("phi", &service.phi, phi_text);
    if let Some(phi) = &service.phi_limit {
        file.fact("phi_limit", phi, phi_text);
    }
    file.fact("spread", &service.spread, |share| share_text(*share));
    file.fact("work", &service.work, work_text);
    if service.boost.value != 1.0 {
        file.fact("boost", &service.boost, |boost| number_text(*boost));
    }
    if let Some(watts) = &service.watts_per_sm {
        file.fact("watts_per_sm", watts, |watts| number_text(*watts));
    }
    if let Some(machines) = &service.machines {
        file.fact("machines", machines, |share| share_text(*share));
    }
    if let Some(law) = &service.slice {
        file.table(&format!("service.{}.slice", key(gpu)));
        if let Some(launch) = &law.launch {
            file.fact("launch", launch, |time| time_text(*time));
        }
        file.fact("weight_read", &law.weight_read, |time| time_text(*time));
        file.fact("phi", &law.phi, |phi| number_text(*phi));
        file.fact("bandwidth", &law.bandwidth, |share| share_text(*share));
        if let Some(watts) = &law.neighbour_watts_per_sm {
            file.fact("neighbour_watts_per_sm", watts, |watts| number_text(*watts));
        }
    }
    for other in &service.alternatives {
        file.after_table(&alternative(gpu, other));
    }
}

/// A file in the making.
#[derive(Default)]
struct Writer {
    text: String,
    /// The table under way, with the tables of its own facts, which TOML wants after its plain keys.
    table: Option<(String, String)>,
    /// Sources that are too long for a line, with the keys they are cited by.
    sources: Vec<(String, String)>,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Starts a table.
    fn table(&mut self, name: &str) {
        self.end_table();
        self.line(&format!("\n[{name}]"));
        self.table = Some((name.to_string(), String::new()));
    }

    fn end_table(&mut self) {
        let (_, rest) = self.table.take().unwrap_or_default();
        self.text.push_str(&rest);
    }

    fn after_table(&mut self, text: &str) {
        let (_, rest) = self.table.as_mut().expect("a table is under way");
        rest.push_str(text);
    }

    /// A fact on one line.
    fn inline<T>(&mut self, key: &str, fact: &Fact<T>, text: impl Fn(&T) -> String) {
        let passport = self.passport(fact);
        let range =
            range_text(fact, &text).map_or(String::new(), |range| format!("range = {range}, "));
        self.line(&format!("{key} = {{ value = {}, {range}{passport} }}", text(&fact.value)));
    }

    /// A fact of the table under way: on one line, or as a table of its own if it was fitted on rows.
    fn fact<T>(&mut self, key: &str, fact: &Fact<T>, text: impl Fn(&T) -> String) {
        if fact.standing != Standing::Fitted || fact.fitted_on.is_empty() {
            return self.inline(key, fact, text);
        }
        let source = self.source(&fact.source);
        let (name, _) = self.table.clone().expect("a table is under way");
        let mut lines = format!("\n[{name}.{key}]\nvalue = {}\n", text(&fact.value));
        if let Some(range) = range_text(fact, &text) {
            let _ = writeln!(lines, "range = {range}");
        }
        let _ = writeln!(lines, "source = {source}\nstanding = \"{}\"", fact.standing.word());
        if let Some(residual) = fact.residual {
            let _ = writeln!(lines, "residual = {}", residual.min(1.0));
        }
        let rows: Vec<_> =
            fact.fitted_on.iter().map(|row| format!("    {},\n", quoted(row))).collect();
        let _ = writeln!(lines, "fitted_on = [\n{}]", rows.concat());
        self.after_table(&lines);
    }

    /// Source, standing, and for a fitted number what it was fitted on.
    fn passport<T>(&mut self, fact: &Fact<T>) -> String {
        let source = self.source(&fact.source);
        let mut text = format!("source = {source}, standing = \"{}\"", fact.standing.word());
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

    /// A source, or the key that a long one is cited by: its first word.
    fn source(&mut self, source: &str) -> String {
        const SHORT: usize = 50;
        let text = words(source);
        if text.chars().count() <= SHORT {
            return quoted(&text);
        }
        if let Some((key, _)) = self.sources.iter().find(|(_, known)| *known == text) {
            return quoted(key);
        }
        let mut all = text.split_whitespace().filter(|word| *word != "slicewise");
        let first = all.next().unwrap_or("source").to_lowercase();
        let first: String = first.chars().filter(char::is_ascii_alphanumeric).collect();
        let taken = |key: &str| self.sources.iter().any(|(known, _)| known == key);
        let first = if first.is_empty() { "source".to_string() } else { first };
        let mut key = first.clone();
        for number in 2.. {
            if !taken(&key) {
                break;
            }
            key = format!("{first}-{number}");
        }
        self.sources.push((key.clone(), text));
        quoted(&key)
    }

    fn finish(mut self) -> String {
        self.end_table();
        if !self.sources.is_empty() {
            self.line("\n[sources]");
            for (key, text) in std::mem::take(&mut self.sources) {
                self.line(&format!("{key} = {}", quoted(&text)));
            }
        }
        self.text
    }
}

/// The range of a fact that states one.
fn range_text<T>(fact: &Fact<T>, text: &impl Fn(&T) -> String) -> Option<String> {
    fact.range.as_ref().map(|[low, high]| format!("[{}, {}]", text(low), text(high)))
}

fn alternative(gpu: &str, other: &ServiceAlternative) -> String {
    let mut lines =
        format!("\n[[service.{}.alternative]]\nresidual = {}\n", key(gpu), other.residual);
    let mut line = |key: &str, value: String| {
        let _ = writeln!(lines, "{key} = {value}");
    };
    line("cpu_launch_per_batch", time_text(other.cpu_launch_per_batch));
    line("launch", time_text(other.launch));
    line("host_floor", time_text(other.host_floor));
    line("phi", phi_text(&other.phi));
    line("spread", share_text(other.spread));
    line("work", work_text(&other.work));
    if other.boost != 1.0 {
        line("boost", number_text(other.boost));
    }
    lines
}

/// A key of TOML: bare where its characters allow, else quoted.
fn key(text: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().all(is_bare) { text.to_string() } else { quoted(text) }
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
    const MIB: u64 = 1 << 20;
    match bytes.get() {
        whole if whole > 0 && whole % MIB == 0 => format!("\"{} MiB\"", whole / MIB),
        bytes => format!("\"{bytes} B\""),
    }
}

fn quoted(text: &str) -> String {
    if !text.contains(is_harmful) {
        return toml::Value::String(text.to_string()).to_string();
    }
    // What TOML would leave raw in a string, or only has in the long form of one.
    let letters = text.chars().map(|letter| match letter {
        '"' | '\\' => format!("\\{letter}"),
        letter if is_harmful(letter) => format!("\\U{:08X}", letter as u32),
        letter => letter.to_string(),
    });
    format!("\"{}\"", letters.collect::<String>())
}
