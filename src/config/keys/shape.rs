//! The building blocks of the schema: types of values, and tables of keys.
//!
//! Nothing here knows a key.

use crate::config::text::value::Quantity;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// The JSON Schema of a value.
#[derive(Clone, Debug)]
pub(in crate::config) struct Shape(Value);

impl Shape {
    /// A key that may be there.
    pub(in crate::config) fn key(mut self, name: &str, shape: Shape, about: &str) -> Self {
        self.member("properties")[name] = shape.with("description", about).0;
        self
    }

    /// A key that must be there.
    pub(in crate::config) fn need(mut self, name: &str, shape: Shape, about: &str) -> Self {
        let needed = self.0["required"].as_array().cloned().unwrap_or_default();
        self.0["required"] = needed.into_iter().chain([json!(name)]).collect();
        self.key(name, shape, about)
    }

    /// Another rule that the value must keep.
    pub(in crate::config) fn rule(mut self, rule: Value) -> Self {
        let rules = self.0["allOf"].as_array().cloned().unwrap_or_default();
        self.0["allOf"] = rules.into_iter().chain([rule]).collect();
        self
    }

    /// A value as an example.
    pub(in crate::config) fn such_as<V: Into<Value>>(
        self,
        examples: impl IntoIterator<Item = V>,
    ) -> Self {
        let examples: Vec<Value> = examples.into_iter().map(Into::into).collect();
        self.with("examples", examples)
    }

    /// Any keyword.
    pub(in crate::config) fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        self.0[keyword] = value.into();
        self
    }

    /// The finished schema.
    pub(in crate::config) fn into_json(self) -> Value {
        self.0
    }

    fn member(&mut self, name: &str) -> &mut Value {
        let object = self.0.as_object_mut().expect("a schema is an object");
        object.entry(name).or_insert_with(|| Value::Object(Map::new()))
    }
}

/// A table; it has no other keys than those that follow.
pub(in crate::config) fn table() -> Shape {
    Shape(json!({ "type": "object", "additionalProperties": false, "properties": {} }))
}

/// A table whose keys are anything, each with a value of this shape.
pub(in crate::config) fn table_of(shape: Shape) -> Shape {
    Shape(json!({ "type": "object", "additionalProperties": shape.0 }))
}

/// An array of one to `most` of this shape.
pub(in crate::config) fn list(shape: Shape, most: usize) -> Shape {
    Shape(json!({ "type": "array", "items": shape.0, "minItems": 1, "maxItems": most }))
}

/// Anything at all.
pub(in crate::config) fn anything() -> Shape {
    Shape(json!({}))
}

/// A string that is not blank.
pub(in crate::config) fn text() -> Shape {
    Shape(json!({ "type": "string", "pattern": r"\S" }))
}

/// One of these words.
pub(in crate::config) fn word<'w>(words: impl IntoIterator<Item = &'w str>) -> Shape {
    Shape(json!({ "enum": words.into_iter().collect::<Vec<_>>() }))
}

/// One of the words of a list, whatever they stand for.
pub(in crate::config) fn word_of<T>(choices: &[(&'static str, T)]) -> Shape {
    word(choices.iter().map(|(name, _)| *name))
}

/// `true` or `false`.
pub(in crate::config) fn flag() -> Shape {
    Shape(json!({ "type": "boolean" }))
}

/// A whole number.
pub(in crate::config) fn whole<N: Into<u64> + Copy>(range: RangeInclusive<N>) -> Shape {
    let (least, most): (u64, u64) = ((*range.start()).into(), (*range.end()).into());
    Shape(json!({ "type": "integer", "minimum": least, "maximum": most }))
}

/// Any number; limits follow as keywords.
pub(in crate::config) fn number() -> Shape {
    Shape(json!({ "type": "number" }))
}

/// A number with its unit, in quotes; a share may also be a bare ratio.
pub(in crate::config) fn quantity<T: Quantity>() -> Shape {
    let units: Vec<&str> = T::UNITS.iter().map(|(name, _)| *name).collect();
    let unit = units.join("|");
    let number = r"[+-]?[0-9_.]+([eE][0-9]+)?";
    if !T::BARE {
        let text = json!({ "type": "string", "pattern": format!(r"^\s*{number}\s*({unit})\s*$") });
        return Shape(text).such_as([format!("2 {}", T::UNIT)]);
    }
    let text = json!({ "type": "string", "pattern": format!(r"^\s*{number}\s*({unit})?\s*$") });
    let ratio = json!({ "type": "number", "minimum": 0, "maximum": 1 });
    Shape(json!({ "anyOf": [text, ratio] })).such_as([format!("2 {}", T::UNIT)])
}

/// A value of either shape.
pub(in crate::config) fn either<const N: usize>(shapes: [Shape; N]) -> Shape {
    Shape(json!({ "anyOf": shapes.map(|shape| shape.0).to_vec() }))
}
