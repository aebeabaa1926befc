//! The controls of a setting: which keys of its file can be moved, between which ends.
//!
//! A lesson says which of them it is about, with ends of its own; the others follow.

use crate::config::Catalogue;
use crate::spec::{
    BatchRule, ControlScale, Experiment, GpuSpec, LessonControl, Scenario, TestScenario, VmSpec,
};
use crate::units::SimDuration;
use serde::Serialize;
use toml::{Table, Value};

/// A key that can be moved.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Control {
    pub(super) key: String,
    pub(super) label: String,
    /// Whether it is shown first.
    pub(super) main: bool,
    /// Whether the setting sets it.
    pub(super) changed: bool,
    pub(super) help: String,
    #[serde(flatten)]
    pub(super) shape: Shape,
}

/// What a control can be.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Shape {
    /// A number, written into the file in place of `{}`.
    Number {
        number: f64,
        from: f64,
        to: f64,
        step: f64,
        scale: &'static str,
        unit: String,
        write: String,
    },
    /// One of some words.
    Choice { value: String, options: Vec<Choice> },
}

/// A word that can be chosen.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Choice {
    value: String,
    label: String,
}

/// The ends of the keys that every scenario may have below `[sharing]`.
const SHARING: [&str; 5] = ["policy", "idle", "slice", "hardware_slice", "switch_cost"];

/// What may stand below `[[vm]]`.
const OF_VM: [&str; 9] = [
    "count",
    "load.target_qps",
    "load.total_qps",
    "load.clients",
    "server.batch_max",
    "server.max_queue_delay",
    "server.timeout",
    "vgpu.type",
    "mig",
];

/// What can be set, in words.
pub(super) const KEYS: &str = "a key that has a control: below [sharing], of [[vm]] its number, load, batch, \
    delay, vGPU type or MIG profile, and those of the file's [lesson]";

/// So many are shown first where no lesson says which.
const MAIN: usize = 5;

/// The controls of a file whose scenario is this one.
pub(super) fn of(text: &str, scenario: &Scenario, catalogue: &Catalogue) -> Vec<Control> {
    let file: Table = text.parse().unwrap_or_default();
    let experiment = &scenario.pairs[0].virtual_run.experiment;
    let mut known = of_sharing(&file, experiment);
    let of_vms = of_vms(&file, experiment, catalogue);
    // How many, how much, then how they share.
    let at = of_vms.iter().take_while(|one| is_first(&one.key)).count();
    known.splice(0..0, of_vms);
    let sharing = known.extract_if(.., |one| one.key.starts_with("sharing.")).collect::<Vec<_>>();
    known.splice(at..at, sharing);
    let asked = scenario.lesson.iter().flat_map(|lesson| &lesson.controls);
    let mut all: Vec<Control> = Vec::new();
    for control in asked {
        let same = |one: &mut Control| is_same(&file, &control.key, &one.key);
        let own = known.extract_if(.., same).collect::<Vec<_>>().into_iter().next();
        all.extend(of_lesson(control, own, &file));
    }
    let is_lesson = !all.is_empty();
    for (place, control) in known.iter_mut().enumerate() {
        control.main = !is_lesson && place < MAIN;
    }
    all.extend(known);
    all
}

/// Whether two keys of a file are one, however a VM is named.
pub(super) fn is_one(text: &str, key: &str, other: &str) -> bool {
    let file: Table = text.parse().unwrap_or_default();
    key == other || placed(&file, key) == placed(&file, other)
}

/// Whether the key of a lesson means what a key of ours means, or all of several: it may name a VM.
fn is_same(file: &Table, key: &str, ours: &str) -> bool {
    let placed = placed(file, key);
    let rest =
        ours.strip_prefix("vm[").and_then(|rest| rest.split_once("].")).map(|(_, rest)| rest);
    placed == ours || rest.is_some_and(|rest| placed.strip_prefix("vm.") == Some(rest))
}

/// A key with the number of a VM in the place of its name, and with none where there is one VM.
fn placed(file: &Table, key: &str) -> String {
    let vms = file.get("vm").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let Some(rest) = key.strip_prefix("vm.") else { return key.to_string() };
    let (name, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let is_called = |vm: &Value| vm.get("name").and_then(Value::as_str) == Some(name);
    match vms.iter().position(is_called) {
        Some(index) => format!("{}.{rest}", prefix(index, vms.len())),
        None => key.to_string(),
    }
}

/// Whether a control is one of how many and how much.
fn is_first(key: &str) -> bool {
    key.ends_with(".count") || key.contains(".load.")
}

/// Whether some setting of a file has a control of this key.
pub(super) fn is_known(text: &str, key: &str) -> bool {
    let file: Table = text.parse().unwrap_or_default();
    if of_family(&file, key) {
        return true;
    }
    let lesson = file.get("lesson").and_then(|lesson| lesson.get("controls"));
    let asked = lesson.and_then(Value::as_array).into_iter().flatten();
    asked.filter_map(|one| one.get("key")?.as_str()).any(|asked| asked == key)
}

/// Whether a key is one that every file may have.
fn of_family(file: &Table, key: &str) -> bool {
    if let Some(rest) = key.strip_prefix("sharing.") {
        return SHARING.contains(&rest);
    }
    let key = placed(file, key);
    let count = file.get("vm").and_then(Value::as_array).map_or(0, Vec::len);
    (0..count).any(|index| {
        let rest = key.strip_prefix(&*prefix(index, count)).or(key.strip_prefix("vm"));
        rest.and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| {
            OF_VM.contains(&rest)
                || (rest.starts_with("workload.service.") && rest.ends_with(".spread"))
        })
    })
}

/// Whether a set decides which other keys mean something.
pub(super) fn shapes(set: &str) -> bool {
    let key = set.split('=').next().unwrap_or_default();
    ["sharing.policy", ".count", ".vgpu.type", ".mig"].iter().any(|end| key.ends_with(end))
}

/// Units of numbers, as files have them.
const UNITS: [&str; 18] = [
    "", "ns", "us", "ms", "s", "min", "h", "%", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB",
    "TiB", "W",
];

/// Whether a key may be set to a value: a number, with a unit or without; a word, where every file has the
/// key; or one that the file's lesson lists. So nothing names a file that the file does not name itself. The
/// error says what is allowed.
pub(super) fn check(text: &str, key: &str, value: &str) -> Result<(), String> {
    let file: Table = text.parse().unwrap_or_default();
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
    if number.parse::<f64>().is_ok_and(f64::is_finite) && UNITS.contains(&unit) {
        return Ok(());
    }
    let lesson = file.get("lesson").and_then(|lesson| lesson.get("controls"));
    let controls = lesson.and_then(Value::as_array).into_iter().flatten();
    let mut of_key = controls.filter(|one| one.get("key").and_then(Value::as_str) == Some(key));
    let listed = of_key.next().and_then(|one| one.get("values")?.as_array());
    let listed: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    if listed.contains(&value) {
        return Ok(());
    }
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_+.".contains(letter);
    let is_word = (1..=40).contains(&value.len()) && value.chars().all(letter);
    let is_path = value.ends_with(".toml") || value.ends_with(".csv") || value.starts_with('.');
    if of_family(&file, key) && is_word && !is_path {
        return Ok(());
    }
    let units = UNITS[1..].join(", ");
    let words = match (listed.is_empty(), of_family(&file, key)) {
        (false, _) => format!("; or {}", listed.join(", ")),
        (true, true) => "; or a word of letters, digits, - _ + .".to_string(),
        (true, false) => String::new(),
    };
    Err(format!("a number, with or without {units}{words}"))
}

/// The path of one of the `[[vm]]`.
fn prefix(index: usize, count: usize) -> String {
    if count == 1 { "vm".to_string() } else { format!("vm[{index}]") }
}

/// A control as a lesson has it.
fn of_lesson(control: &LessonControl, known: Option<Control>, file: &Table) -> Option<Control> {
    // What every file may have, and this one has not now, means nothing now.
    let is_ours = of_family(file, &control.key);
    let mut own = known.or_else(|| of_key(control, file).filter(|_| !is_ours))?;
    own.key.clone_from(&control.key);
    own.main = true;
    if let Some(label) = &control.label {
        own.label.clone_from(label);
    }
    match &mut own.shape {
        Shape::Number { number, from, to, step, scale, unit, write } => {
            *from = control.from.unwrap_or(*from);
            *to = control.to.unwrap_or(*to);
            *step = control.step.unwrap_or(*step);
            if let Some(own) = &control.unit {
                unit.clone_from(own);
                *write = format!("{{}} {own}");
            }
            if let Some(own) = control.scale {
                *scale = own.word();
            }
            // A file that starts beyond the ends of its lesson still shows where it is.
            *from = from.min(*number);
            *to = to.max(*number);
        }
        Shape::Choice { value, options } => {
            if !control.values.is_empty() {
                *options = control.values.iter().map(|word| choice(word)).collect();
                if !control.values.contains(value) {
                    options.push(choice(value));
                }
            }
        }
    }
    Some(own)
}

/// A control of a key that is not known here; nothing where the lesson does not say its ends.
fn of_key(control: &LessonControl, file: &Table) -> Option<Control> {
    let value = at(&Value::Table(file.clone()), &control.key);
    let label = control.label.clone().unwrap_or_else(|| control.key.clone());
    let shape = if control.values.is_empty() {
        let (from, to) = (control.from?, control.to?);
        let scale = control.scale.unwrap_or(ControlScale::Linear);
        let number = value.as_ref().and_then(number_of).unwrap_or(from);
        let step = control.step.unwrap_or_else(|| nice((to - from) / 100.0));
        let unit = control.unit.clone().unwrap_or_default();
        let write = if unit.is_empty() { "{}".to_string() } else { format!("{{}} {unit}") };
        Shape::Number { number, from, to, step, scale: scale.word(), unit, write }
    } else {
        let written = value.and_then(|value| value.as_str().map(str::to_string));
        let value = written.unwrap_or_else(|| control.values[0].clone());
        Shape::Choice { value, options: control.values.iter().map(|word| choice(word)).collect() }
    };
    Some(control_of(control.key.clone(), &label, "As the scenario file has it.", shape))
}

/// A number, or the number before a unit.
fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::String(text) => text.split_whitespace().next()?.parse().ok(),
        _ => None,
    }
}

/// The value of a key; of several `[[vm]]` the first that has it.
fn at(value: &Value, key: &str) -> Option<Value> {
    let (first, rest) = match key.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (key, None),
    };
    let (name, index) = match first.split_once('[') {
        Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
        None => (first, None),
    };
    let found = value.get(name)?;
    // A name in the path is that of a member.
    if let (Value::Array(all), None, Some((name, rest))) =
        (found, index, rest.and_then(|rest| rest.split_once('.')))
        && let Some(member) =
            all.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(name))
    {
        return at(member, rest);
    }
    let members: Vec<&Value> = match (found, index) {
        (Value::Array(all), Some(index)) => all.get(index).into_iter().collect(),
        (Value::Array(all), None) if rest.is_some() => all.iter().collect(),
        (other, _) => vec![other],
    };
    members.into_iter().find_map(|member| match rest {
        Some(rest) => at(member, rest),
        None => Some(member.clone()),
    })
}

fn control_of(key: String, label: &str, help: &str, shape: Shape) -> Control {
    Control {
        key,
        label: label.to_string(),
        main: false,
        changed: false,
        help: help.to_string(),
        shape,
    }
}

fn choice(word: &str) -> Choice {
    Choice { value: word.to_string(), label: word.replace('-', " ") }
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<Choice> {
    words.into_iter().map(choice).collect()
}

fn number(number: f64, [from, to]: [f64; 2], step: f64, scale: &'static str, unit: &str) -> Shape {
    let write = match unit {
        "ms" => "{} ms",
        _ => "{}",
    };
    let (from, to) = (from.min(number), to.max(number));
    Shape::Number {
        number,
        from,
        to,
        step,
        scale,
        unit: unit.to_string(),
        write: write.to_string(),
    }
}

/// 1, 2 or 5 times a power of ten, not above `value`.
fn nice(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let lead = [5.0, 2.0, 1.0].into_iter().find(|lead| lead * power <= value * 1.000_001);
    let step = lead.unwrap_or(1.0) * power;
    // As it is written: 0.1 and not 0.1000...01.
    format!("{step:.3e}").parse().unwrap_or(step)
}

fn milliseconds(time: SimDuration) -> f64 {
    time.as_millis_f64()
}

/// How VMs share a card.
fn of_sharing(file: &Table, experiment: &Experiment) -> Vec<Control> {
    let sharings =
        || experiment.cards.iter().flat_map(|card| &card.instances).map(|one| &one.sharing);
    let mut all = Vec::new();
    let mut add = |key: &str, label, help, shape| {
        all.push(control_of(format!("sharing.{key}"), label, help, shape));
    };
    let slicing = sharings().find_map(|sharing| sharing.slicing().copied());
    let ring = sharings().find_map(|sharing| sharing.ring().copied());
    let is_vgpu = experiment
        .vms
        .iter()
        .flat_map(|vm| &vm.gpus)
        .any(|share| share.vgpu_type.is_some() && experiment.instance(share).profile.is_none());
    let written = |key: &str| {
        let value = file.get("sharing").and_then(|sharing| sharing.get(key));
        value.and_then(Value::as_str).map(str::to_string)
    };
    if is_vgpu {
        let value = written("policy").unwrap_or_else(|| "best-effort".to_string());
        let options = words(["best-effort", "equal-share", "fixed-share"]);
        let help = "Who is offered a turn: whoever has work, every VM, or every vGPU that the card could have.";
        add("policy", "Policy", help, Shape::Choice { value, options });
    }
    if let Some(slicing) = slicing {
        let value = written("idle").unwrap_or_else(|| "burned".to_string());
        let options = words(["burned", "rest-burned", "skipped-and-capped", "polled"]);
        let help = "What becomes of the turn of a VM that has no work.";
        add("idle", "Idle turn", help, Shape::Choice { value, options });
        let slice = number(milliseconds(slicing.slice), [1.0, 30.0], 0.1, "log", "ms");
        add("slice", "Slice", "How long a turn is.", slice);
    }
    if let Some(ring) = ring.filter(|_| is_vgpu) {
        let slice = number(milliseconds(ring.slice), [0.1, 30.0], 0.1, "log", "ms");
        let help = "How long a turn of the hardware is, while several have work.";
        add("hardware_slice", "Slice", help, slice);
    }
    let cost = slicing.map(|slicing| slicing.switch_cost);
    if let Some(cost) = cost.or(ring.map(|ring| ring.switch.dry)).filter(|_| is_vgpu) {
        let shape = number(milliseconds(cost), [0.0, 2.0], 0.01, "linear", "ms");
        add(
            "switch_cost",
            "Switch cost",
            "How long it takes to pass the GPU to another VM.",
            shape,
        );
    }
    all
}

/// What each `[[vm]]` has.
fn of_vms(file: &Table, experiment: &Experiment, catalogue: &Catalogue) -> Vec<Control> {
    let empty = Vec::new();
    let tables = file.get("vm").and_then(Value::as_array).unwrap_or(&empty);
    let mut firsts: Vec<&VmSpec> = Vec::new();
    for vm in &experiment.vms {
        if !firsts.iter().any(|first| first.group == vm.group) {
            firsts.push(vm);
        }
    }
    // A server of several models is several in an experiment: what is whose is not known then.
    if firsts.len() != tables.len() {
        return Vec::new();
    }
    let (mut all, mut later) = (Vec::new(), Vec::new());
    for (index, (table, vm)) in tables.iter().zip(firsts).enumerate() {
        let prefix = prefix(index, tables.len());
        let of = |what: &str| match tables.len() {
            1 => what.to_string(),
            _ => format!("{what}, {}", vm.group),
        };
        let mut add = |first: bool, key: &str, label: String, help: &str, shape| {
            let control = control_of(format!("{prefix}.{key}"), &label, help, shape);
            if first { all.push(control) } else { later.push(control) }
        };
        let count = at(table, "count").as_ref().and_then(number_of).unwrap_or(1.0);
        let most = (2.0 * count).clamp(8.0, 64.0);
        let shape = number(count, [1.0, most], 1.0, "linear", "");
        add(true, "count", of("VMs"), "How many VMs there are, all alike.", shape);
        for (key, label, unit) in [
            ("target_qps", "Load of each VM", "queries/s"),
            ("total_qps", "Load of all VMs", "queries/s"),
            ("clients", "Clients", ""),
        ] {
            let key = format!("load.{key}");
            let Some(value) = at(table, &key).as_ref().and_then(number_of) else { continue };
            let whole = key.ends_with("clients");
            let step = if whole { 1.0 } else { nice(value / 50.0) };
            let from = if whole { 1.0 } else { step };
            let shape = number(value, [from, 2.0 * value], step, "linear", unit);
            add(true, &key, of(label), "How much is asked.", shape);
        }
        let server = &vm.server;
        let batch = number(f64::from(server.batch_max), [1.0, 64.0], 1.0, "log", "samples");
        let help = "The most samples that the GPU works on at once.";
        add(false, "server.batch_max", of("Largest batch"), help, batch);
        if let (BatchRule::Full, Some(timeout)) = (server.batch_rule, server.timeout) {
            let shape = number(milliseconds(timeout), [0.5, 50.0], 0.5, "linear", "ms");
            let help = "The longest wait for a full batch.";
            add(false, "server.timeout", of("Longest wait"), help, shape);
        } else if is_of_triton(table) && vm.load.scenario == TestScenario::Server {
            let now = at(table, "server.max_queue_delay").as_ref().and_then(in_ms).unwrap_or(0.0);
            let shape = number(now, [0.0, 20.0], 0.1, "linear", "ms");
            let help = "How long the oldest query may wait for a fuller batch.";
            add(false, "server.max_queue_delay", of("Delay"), help, shape);
        }
        let card = vm.gpus.first().map(|share| experiment.card(share));
        let gpu = card.and_then(|card| catalogue.gpu(&card.gpu.id));
        if let (Some(value), Some(gpu)) = (at(table, "vgpu.type"), gpu) {
            let value = value.as_str().unwrap_or_default().to_string();
            let help =
                "What a VM has of the card: frame buffer and turns, or (MIG) a part of its own.";
            add(false, "vgpu.type", of("vGPU type"), help, types(gpu, value));
        }
        if let (Some(Value::String(value)), Some(gpu)) = (at(table, "mig"), gpu) {
            let names = gpu.mig_profiles.iter().map(|profile| profile.name.as_str());
            let mut options = words(["largest"]);
            options.extend(
                names.map(|name| Choice { value: name.to_string(), label: name.to_string() }),
            );
            let help = "The part of the GPU that is its own.";
            add(false, "mig", of("MIG profile"), help, Shape::Choice { value, options });
        }
        let key = card.map(|card| format!("workload.service.{}.spread", card.gpu.id));
        if let (Some(Value::Table(_)), Some(key)) = (at(table, "workload"), key) {
            let now = vm.workload.service.values().next().map_or(0.0, |one| one.spread.value.get());
            let shape = number(now, [0.0, 1.0], 0.05, "linear", "");
            let help = "0: every query takes the same time on the GPU; 1: exponential times of the same mean.";
            add(false, &key, of("Spread of service times"), help, shape);
        }
    }
    all.extend(later);
    all
}

fn in_ms(value: &Value) -> Option<f64> {
    let text = value.as_str()?;
    let time: SimDuration = text.parse().ok()?;
    Some(milliseconds(time))
}

fn is_of_triton(table: &Value) -> bool {
    at(table, "server.preset").and_then(|value| Some(value.as_str()? == "triton")) == Some(true)
}

/// The vGPU types of a GPU.
fn types(gpu: &GpuSpec, value: String) -> Shape {
    let mut options = vec![
        Choice { value: "largest".to_string(), label: "largest that fits, in turns".to_string() },
        Choice { value: "largest-mig".to_string(), label: "largest that fits, MIG".to_string() },
    ];
    options.extend(gpu.vgpu_types.iter().map(|of| Choice {
        value: of.name.clone(),
        label: match &of.profile {
            Some(profile) => format!("{} (MIG {profile})", of.name),
            None => of.name.clone(),
        },
    }));
    Shape::Choice { value, options }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_and_words_and_no_paths() {
        let file = "[[vm]]\nname = \"x\"\n[lesson]\ncontrols = [{ key = \"vm.load.conf\", from = 1, to = 2 }, \
            { key = \"vm.title\", values = [\"two words\"] }]\n";
        let of = |key: &str, value: &str| check(file, key, value).is_ok();
        for good in
            ["1", "0.5", "2 ms", "12.5 %", "A100-1-10C", "1g.5gb", "\"2 ms\"", "1e3", "5 GB"]
        {
            assert!(of("vm.vgpu.type", good), "{good}");
        }
        for bad in [
            "",
            "../x",
            "/etc/passwd",
            "a/b",
            "my.toml",
            "{ a = 1 }",
            "[1]",
            "1 day",
            "x y",
            "inf ms",
            ".hidden",
            "a\nb",
        ] {
            assert!(!of("vm.vgpu.type", bad), "{bad}");
        }
        // Of the lesson's own keys only numbers, and what it lists.
        assert!(of("vm.load.conf", "5 min") && !of("vm.load.conf", "private.conf"));
        assert!(of("vm.title", "two words") && !of("vm.title", "other"));
    }

    #[test]
    fn steps_are_round() {
        let steps = [0.013, 3.0, 7.0, 0.1, 250.0].map(nice);
        assert_eq!(steps, [0.01, 2.0, 5.0, 0.1, 200.0]);
    }
}
