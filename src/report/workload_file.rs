//! A workload as a catalogue file: TOML with the source and standing of every number.
//!
//! The catalogue reads it back; nothing is added, and only comments are left out.

use crate::shown::{is_harmful, shown};
use crate::spec::{
    FactValue, NamedFact, ServiceAlternative, ServiceTime, Standing, Workload, usual_energy_once,
};
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
    // Without watts the usual energy need not be said.
    let draws = w.service.values().any(|service| service.watts_per_sm.is_some());
    let draws = draws || w.energy_once != usual_energy_once();
    let (mut of_cpu, own): (Vec<_>, Vec<_>) =
        w.facts().into_iter().partition(|fact| fact.key.starts_with("cpu."));
    for fact in own.iter().filter(|fact| draws || fact.key != "energy_once") {
        file.inline(fact);
    }
    file.table("cpu");
    // What stands in the place of others comes before them.
    of_cpu.sort_by_key(|fact| fact.key != "cpu.triton_per_batch");
    of_cpu.iter().for_each(|fact| file.fact(fact));
    for (gpu, service) in &w.service {
        service_time(&mut file, gpu, service);
    }
    file.finish()
}

fn service_time(file: &mut Writer, gpu: &str, service: &ServiceTime) {
    let (of_slices, own): (Vec<_>, Vec<_>) =
        service.facts().into_iter().partition(|fact| fact.key.starts_with("slice."));
    file.table(&format!("service.{}", key(gpu)));
    let is_written = |fact: &&NamedFact<'_>| match fact.key {
        "boost" => service.boost.value != 1.0,
        "scaled.work" => false,
        _ => true,
    };
    own.iter().filter(is_written).for_each(|fact| file.fact(fact));
    if !of_slices.is_empty() {
        file.table(&format!("service.{}.slice", key(gpu)));
        of_slices.iter().for_each(|fact| file.fact(fact));
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
    fn inline(&mut self, fact: &NamedFact<'_>) {
        let passport = self.passport(fact);
        let range = range_text(fact).map_or(String::new(), |range| format!("{range}, "));
        self.line(&format!("{} = {{ {}, {range}{passport} }}", fact.name(), fact.value.keys()));
    }

    /// A fact of the table under way: on one line, or as a table of its own if it was fitted on rows.
    fn fact(&mut self, fact: &NamedFact<'_>) {
        if fact.standing != Standing::Fitted || fact.fitted_on.is_empty() {
            return self.inline(fact);
        }
        let source = self.source(fact.source);
        let (name, _) = self.table.clone().expect("a table is under way");
        let mut lines = format!("\n[{name}.{}]\n{}\n", fact.name(), fact.value.keys());
        if let Some(range) = range_text(fact) {
            let _ = writeln!(lines, "{range}");
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
    fn passport(&mut self, fact: &NamedFact<'_>) -> String {
        let source = self.source(fact.source);
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
        let others = (2..).map(|number| format!("{first}-{number}"));
        let mut keys = std::iter::once(first.clone()).chain(others);
        let key = keys.find(|key| !taken(key)).expect("numbers do not end");
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
fn range_text(fact: &NamedFact<'_>) -> Option<String> {
    fact.range.map(|[low, high]| format!("range = [{}, {}]", low.text(), high.text()))
}

fn alternative(gpu: &str, other: &ServiceAlternative) -> String {
    let mut lines =
        format!("\n[[service.{}.alternative]]\nresidual = {}\n", key(gpu), other.residual);
    let mut line = |key: &str, value: String| {
        let _ = writeln!(lines, "{key} = {value}");
    };
    line("cpu_launch_per_batch", other.cpu_launch_per_batch.text());
    line("launch", other.launch.text());
    line("host_floor", other.host_floor.text());
    line("phi", other.phi.text());
    line("spread", other.spread.text());
    line("work", other.work.text());
    if other.boost != 1.0 {
        line("boost", other.boost.text());
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
