//! Output of trtexec: `--exportTimes=FILE`, one JSON object for every inference, or its log with
//! the summary at the end. All times are milliseconds.
//!
//! Three generations of JSON names are read, recognised by their keys: `startInMs ... inMs
//! computeMs outMs`, then `startEnqMs ... h2dMs computeMs d2hMs endToEndMs`, then the same without
//! `endToEndMs`. Where the durations are missing they are taken from start and end. The log is read
//! in `trtexec_log`. Neither states the batch size of explicit shapes.

pub use super::trtexec_log::{Inference, Times};
use super::{FAULTS_MAX, Fault, trtexec_log};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// No file holds more inferences than this.
const INFERENCES_MAX: usize = 1_000_000;

/// Reads every inference, or returns the faults.
pub fn read(text: &str) -> Result<Times, Vec<Fault>> {
    let data = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if !data.is_empty() && !data.starts_with(['[', '{']) || trtexec_log::is_one(text) {
        return trtexec_log::read(text);
    }
    read_json(text, data)
}

fn read_json(text: &str, data: &str) -> Result<Times, Vec<Fault>> {
    let before = text.len() - data.len();
    let all = match serde_json::from_str(data) {
        Ok(Items(all)) => all,
        Err(error) => {
            let at = before + offset(data, error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default().to_string();
            let title = format!("not a file of trtexec --exportTimes: {reason}");
            let fault = Fault::at(at..at, title).allowed("a JSON array of objects");
            return Err(vec![fault.help("--exportProfile writes layers, not inferences")]);
        }
    };
    if all.is_empty() {
        return Err(vec![Fault::at(0..text.len().min(1), "the file holds no inference")]);
    }
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for item in all {
        match inference(item) {
            Ok(inference) => found.push(inference),
            Err(fault) => {
                // An item is a part of the text.
                let start = item.get().as_ptr() as usize - text.as_ptr() as usize;
                let end = start + item.get().len();
                let line = text[start..end].find('\n').map_or(end, |next| start + next);
                faults.push(Fault { span: start..line, ..fault });
            }
        }
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let by_ends = found.iter().any(|(_, by_ends)| *by_ends);
    let read_by = if by_ends { "by `startComputeMs` and `endComputeMs`" } else { "by `computeMs`" };
    let inferences: Vec<Inference> = found.into_iter().map(|(inference, _)| inference).collect();
    let doubts = overlap(&inferences).into_iter().collect();
    Ok(Times { inferences, read_by, batch: None, device: None, doubts })
}

/// A sentence where inferences ran at once: each of them then shows the time of several.
fn overlap(all: &[Inference]) -> Option<String> {
    /// Stamps are floats of four bytes: ends and starts that meet may be so far off.
    const MEET_MS: f64 = 0.01;
    let spans = all.iter().filter_map(|one| one.on_gpu);
    let pairs: Vec<_> = spans.clone().zip(spans.skip(1)).collect();
    let over = |((start, end), (next, _)): &((f64, f64), (f64, f64))| {
        *next >= *start && *next + MEET_MS + 1e-3 * (end - start) < *end
    };
    let at_once = pairs.iter().filter(|pair| over(pair)).count();
    (2 * at_once > pairs.len()).then(|| {
        format!(
            "{at_once} of {} inferences begin on the GPU before the previous one ends, so several \
             streams ran at once and each time is that of concurrent batches: measure with one \
             stream (trtexec without --streams, or --streams=1)",
            all.len()
        )
    })
}

/// The items of the file's array as they are written, counted while they are read.
struct Items<'t>(Vec<&'t RawValue>);

impl<'t> Deserialize<'t> for Items<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'t> Visitor<'t> for ItemsVisitor {
    type Value = Items<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> Result<Items<'t>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element::<&RawValue>()? {
            if all.len() == INFERENCES_MAX {
                let most = format!("more than {INFERENCES_MAX} inferences");
                return Err(A::Error::custom(most));
            }
            all.push(item);
        }
        Ok(Items(all))
    }
}

/// What an object has of [`COUNTING`], however many keys it has.
struct Object<'t>([Option<&'t RawValue>; COUNTING.len()]);

impl<'t> Deserialize<'t> for Object<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'t> Visitor<'t> for ObjectVisitor {
    type Value = Object<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut entries: A) -> Result<Object<'t>, A::Error> {
        let mut found = [None; COUNTING.len()];
        while let Some(key) = entries.next_key::<String>()? {
            match COUNTING.iter().position(|known| *known == key) {
                Some(index) => found[index] = Some(entries.next_value()?),
                None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Object(found))
    }
}

/// One inference, and whether its time is that from start to end.
fn inference(item: &RawValue) -> Result<(Inference, bool), Fault> {
    let Ok(Object(found)) = serde_json::from_str(item.get()) else {
        return Err(Fault::at(0..0, "not an object of an inference").allowed(KEYS));
    };
    let of = |key: &str| found[COUNTING.iter().position(|known| *known == key)?];
    let number = |key: &str| match of(key).map(RawValue::get) {
        None => Ok(None),
        Some(value) => match value.parse().ok().filter(|ms| (0.0..=1e7).contains(ms)) {
            Some(ms) => Ok(Some(ms)),
            None => {
                let shown: String = value.chars().take(40).collect();
                let title = format!("`{key}` is {shown}");
                Err(Fault::at(0..0, title).allowed("0 to 10000000 ms"))
            }
        },
    };
    let between = |start: &str, end: &str| match (number(start)?, number(end)?) {
        (Some(first), Some(last)) if last < first => {
            Err(Fault::at(0..0, format!("`{end}` is before `{start}`")))
        }
        (Some(first), Some(last)) => Ok(Some((first, last))),
        _ => Ok(None),
    };
    let long = |span: Option<(f64, f64)>| span.map(|(start, end)| end - start);
    let on_gpu = between("startComputeMs", "endComputeMs")?;
    let written = number("computeMs")?;
    let compute = written.or(long(on_gpu)).filter(|ms| *ms > 0.0);
    let Some(compute_ms) = compute else {
        let title = "the inference has no time on the GPU above 0";
        return Err(Fault::at(0..0, title).allowed(KEYS));
    };
    let copy = |names: [&str; 2], ends: [[&str; 2]; 2]| {
        for (name, [start, end]) in names.into_iter().zip(ends) {
            if let Some(ms) = number(name)?.or(long(between(start, end)?)) {
                return Ok(ms);
            }
        }
        Ok(0.0)
    };
    let copy_in_ms =
        copy(["h2dMs", "inMs"], [["startH2dMs", "endH2dMs"], ["startInMs", "endInMs"]])?;
    let copy_out_ms =
        copy(["d2hMs", "outMs"], [["startD2hMs", "endD2hMs"], ["startOutMs", "endOutMs"]])?;
    let enqueue_ms = long(between("startEnqMs", "endEnqMs")?);
    let inference = Inference { compute_ms, copy_in_ms, copy_out_ms, enqueue_ms, on_gpu };
    Ok((inference, written.is_none()))
}

/// The keys that count, one by one.
const COUNTING: [&str; 17] = [
    "computeMs",
    "h2dMs",
    "inMs",
    "d2hMs",
    "outMs",
    "startEnqMs",
    "endEnqMs",
    "startComputeMs",
    "endComputeMs",
    "startH2dMs",
    "endH2dMs",
    "startInMs",
    "endInMs",
    "startD2hMs",
    "endD2hMs",
    "startOutMs",
    "endOutMs",
];

/// The keys that count.
const KEYS: &str =
    "computeMs, or startComputeMs and endComputeMs; copies as h2dMs and d2hMs, or inMs and outMs";

/// The byte at a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let at = (start + column.saturating_sub(1)).min(text.len());
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_generations_are_read() {
        let oldest = r#"[{"startInMs":0,"endInMs":0.1,"startComputeMs":0.1,"endComputeMs":2.1,"startOutMs":2.1,"endOutMs":2.2,"inMs":0.1,"computeMs":2.0,"outMs":0.1,"latencyMs":2.2,"endToEndMs":2.5}]"#;
        let middle = r#"[{"startEnqMs":0.0,"endEnqMs":0.25,"startH2dMs":0.1,"endH2dMs":0.2,"startComputeMs":0.2,"endComputeMs":2.2,"startD2hMs":2.2,"endD2hMs":2.3,"h2dMs":0.1,"computeMs":2.0,"d2hMs":0.1,"latencyMs":2.2,"endToEndMs":2.6}]"#;
        let present = middle.replace(r#","endToEndMs":2.6"#, "");
        for (text, enqueue) in
            [(oldest, None), (middle, Some(0.25)), (present.as_str(), Some(0.25))]
        {
            let found = read(text).unwrap().inferences[0];
            assert_eq!((found.compute_ms, found.copy_in_ms, found.copy_out_ms), (2.0, 0.1, 0.1));
            assert_eq!(found.enqueue_ms, enqueue);
        }
    }

    #[test]
    fn a_broken_file_is_told_with_its_place() {
        let text = "[\n{\"computeMs\": 1.0},\n{\"computeMs\": -1}\n]";
        let faults = read(text).unwrap_err();
        assert_eq!(&text[faults[0].span.clone()], "{\"computeMs\": -1}");
        assert!(faults[0].title.contains("`computeMs` is -1"), "{}", faults[0].title);
        assert!(read("[{\"computeMs\": 1.0}, ").unwrap_err()[0].title.contains("EOF"));
        assert!(read("[]").is_err() && read("{}").is_err() && read("").is_err());
        let profile = "[{ \"count\" : 100 }, { \"name\" : \"conv1\", \"timeMs\" : 3.2 }]";
        assert!(read(profile).unwrap_err()[0].title.contains("no time on the GPU"));
    }

    /// A file that other tools made smaller: the durations are those between the stamps, in both
    /// generations of names, and with a byte order mark.
    #[test]
    fn durations_are_taken_from_start_and_end() {
        for text in [
            r#"[{"startComputeMs":0.2,"endComputeMs":2.2,"startH2dMs":0.1,"endH2dMs":0.2,"startD2hMs":2.2,"endD2hMs":2.3}]"#,
            "\u{feff}[{\"startComputeMs\":0.2,\"endComputeMs\":2.2,\"startInMs\":0.1,\"endInMs\":0.2,\"startOutMs\":2.2,\"endOutMs\":2.3}]",
        ] {
            let times = read(text).unwrap();
            let one = times.inferences[0];
            assert_eq!(times.read_by, "by `startComputeMs` and `endComputeMs`");
            for (found, ms) in
                [(one.compute_ms, 2.0), (one.copy_in_ms, 0.1), (one.copy_out_ms, 0.1)]
            {
                assert!((found - ms).abs() < 1e-9, "{one:?}");
            }
        }
        let backwards = r#"[{"startComputeMs":3,"endComputeMs":2}]"#;
        assert!(read(backwards).unwrap_err()[0].title.contains("before `startComputeMs`"));
    }

    /// Two streams: every inference begins before the one before it ends.
    #[test]
    fn inferences_at_once_are_told() {
        let file = |step: f64| {
            let all: Vec<String> = (0..20)
                .map(|at| f64::from(at) * step)
                .map(|at| format!(r#"{{"startComputeMs":{at},"endComputeMs":{}}}"#, at + 2.0))
                .collect();
            read(&format!("[{}]", all.join(","))).unwrap().doubts
        };
        assert!(file(1.0)[0].starts_with("19 of 20 inferences begin"), "{:?}", file(1.0));
        assert!(file(2.0).is_empty() && file(2.5).is_empty());
    }

    #[test]
    fn inferences_are_counted_while_they_are_read() {
        let text = format!("[{}1]", "1,".repeat(INFERENCES_MAX + 1));
        let faults = read(&text).unwrap_err();
        assert!(faults[0].title.ends_with("more than 1000000 inferences"), "{}", faults[0].title);
        // Keys that do not count, and lists of any length, are passed over unkept.
        let keys: String = (0..100_000).map(|key| format!("\"k{key}\": [1, 2, {{}}], ")).collect();
        let found = read(&format!("[{{{keys}\"computeMs\": 1.5}}]")).unwrap();
        assert_eq!(found.inferences[0].compute_ms, 1.5);
        let nested = format!("[{{\"computeMs\": {}}}]", "[".repeat(100_000));
        assert!(read(&nested).is_err());
    }
}
