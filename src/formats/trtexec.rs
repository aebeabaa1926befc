//! `trtexec --exportTimes=FILE`: one JSON object for every inference, all times in milliseconds.
//!
//! Three generations of its names are read, told apart by the keys that are there:
//! `startInMs ... inMs computeMs outMs`, then `startEnqMs ... h2dMs computeMs d2hMs endToEndMs`, then
//! the same without `endToEndMs`. The file does not say how large the batch was.

use super::{FAULTS_MAX, Fault};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The times of one inference, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Inference {
    /// On the GPU, without copies.
    pub compute_ms: f64,
    /// From host to device.
    pub copy_in_ms: f64,
    /// From device to host.
    pub copy_out_ms: f64,
    /// On the CPU, to put it into the GPU's queue; nothing in the oldest generation.
    pub enqueue_ms: Option<f64>,
}

/// No file holds more inferences than this.
const INFERENCES_MAX: usize = 1_000_000;

/// Reads every inference, or says what is wrong.
pub fn read(text: &str) -> Result<Vec<Inference>, Vec<Fault>> {
    let all = match serde_json::from_str(text) {
        Ok(Items(all)) => all,
        Err(error) => {
            let at = offset(text, error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default().to_string();
            let title = format!("not what trtexec --exportTimes writes: {reason}");
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
    if faults.is_empty() { Ok(found) } else { Err(faults) }
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

fn inference(item: &RawValue) -> Result<Inference, Fault> {
    let Ok(Object(found)) = serde_json::from_str(item.get()) else {
        return Err(Fault::at(0..0, "no object of an inference").allowed(KEYS));
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
    let compute = number("computeMs")?.filter(|ms| *ms > 0.0);
    let Some(compute_ms) = compute else {
        let title = "the inference has no `computeMs` above 0";
        return Err(Fault::at(0..0, title).allowed(KEYS));
    };
    let copy_in = number("h2dMs")?.or(number("inMs")?);
    let copy_out = number("d2hMs")?.or(number("outMs")?);
    let enqueue = match (number("startEnqMs")?, number("endEnqMs")?) {
        (Some(start), Some(end)) if end < start => {
            return Err(Fault::at(0..0, "`endEnqMs` is before `startEnqMs`"));
        }
        (Some(start), Some(end)) => Some(end - start),
        _ => None,
    };
    Ok(Inference {
        compute_ms,
        copy_in_ms: copy_in.unwrap_or(0.0),
        copy_out_ms: copy_out.unwrap_or(0.0),
        enqueue_ms: enqueue,
    })
}

/// The keys that count, one by one.
const COUNTING: [&str; 7] =
    ["computeMs", "h2dMs", "inMs", "d2hMs", "outMs", "startEnqMs", "endEnqMs"];

/// The keys that count.
const KEYS: &str = "computeMs, with h2dMs and d2hMs, or inMs and outMs";

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
            let found = read(text).unwrap()[0];
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
        assert!(read(profile).unwrap_err()[0].title.contains("no `computeMs`"));
    }

    #[test]
    fn inferences_are_counted_while_they_are_read() {
        let text = format!("[{}1]", "1,".repeat(INFERENCES_MAX + 1));
        let faults = read(&text).unwrap_err();
        assert!(faults[0].title.ends_with("more than 1000000 inferences"), "{}", faults[0].title);
        // Keys that do not count, and lists of any length, are passed over unkept.
        let keys: String = (0..100_000).map(|key| format!("\"k{key}\": [1, 2, {{}}], ")).collect();
        let found = read(&format!("[{{{keys}\"computeMs\": 1.5}}]")).unwrap();
        assert_eq!(found[0].compute_ms, 1.5);
        let nested = format!("[{{\"computeMs\": {}}}]", "[".repeat(100_000));
        assert!(read(&nested).is_err());
    }
}
