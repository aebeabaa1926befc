//! The keys of a table, each written once: its name, the form of its value, its default and its meaning.
//! [`keys`] makes the reader, the schema and the table of the documents of such a list.
//!
//! Nothing here knows a key. Rules between keys are their reader's.

pub(super) mod forms;
pub(super) mod shape;

use forms::Form;
use serde_json::Value as Json;
use shape::Shape;

/// The keys of a table: a struct with a field for each, which is what a file gives, and `given` to
/// read it. The comment of a field is its meaning, in the schema and in the documents as well.
///
/// ```text
/// keys! {
///     /// The keys of `[capacity]`.
///     pub(crate) struct Keys {
///         /// How close both rates are.
///         precision: Share = within("0.01 % to 50 %"), default ONE_PERCENT;
///     }
/// }
/// ```
///
/// A key without `default` is an [`Option`]. What holds without it may be shown all the same: a `usual`
/// value, or words (`or`). One that is `needed` is asked for with that help. The keys of a struct `of`
/// another are fields of that: `set` sets those that the file has, `words` writes them all.
macro_rules! keys {
    ($(#[$about:meta])* $view:vis struct $table:ident {$(
        $(#[doc = $meaning:literal])+
        $key:ident: $kind:ty = $form:expr
            $(, default $default:expr)? $(, usual $usual:expr)? $(, or $or:literal)?
            $(, needed $help:expr)?;
    )*}) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        #[allow(dead_code, reason = "few tables have rules that need every field")]
        $view struct $table {
            $($(#[doc = $meaning])+ $view $key: keys!(@type $kind $(, $default)?),)*
            /// Where the keys stand that the file has.
            $view spots: Vec<(&'static str, $crate::config::text::Spot)>,
        }

        #[allow(dead_code, reason = "few tables have rules that need a place")]
        impl $table {
            /// Reads the keys, in this order. A faulty one is as none.
            $view fn given(table: &mut $crate::config::text::Reader<'_>) -> Self {
                let keys = [$(stringify!($key)),*].into_iter().filter(|key| table.has(key));
                let spots = keys.map(|key| (key, table.spot_of(key))).collect();
                Self { spots, $($key: {
                    let value = keys!(@ask table, stringify!($key) $(, $help)?);
                    let form: $crate::config::keys::forms::Form<$kind> = $form;
                    keys!(@value value.and_then(|value| (form.read)(&value)) $(, $default)?)
                },)*}
            }

            /// Where a key stands, if the file has it.
            $view fn spot(&self, key: &str) -> Option<&$crate::config::text::Spot> {
                self.spots.iter().find(|(known, _)| *known == key).map(|(_, spot)| spot)
            }

            /// The keys as the schema and the documents show them.
            $view fn keys() -> Vec<$crate::config::keys::Key> {
                vec![$({
                    let form: $crate::config::keys::forms::Form<$kind> = $form;
                    $crate::config::keys::Key {
                        name: stringify!($key),
                        meaning: concat!($($meaning),+).trim(),
                        range: form.range,
                        default: None
                            $(.or(Some((form.written)(&$default))))?
                            $(.or(Some((form.written)(&$usual))))?,
                        or: None $(.or(Some($or)))?,
                        needed: None $(.or(Some($help)))?,
                        shape: (form.shape)(),
                    }
                }),*]
            }

            /// A table of the schema with these keys.
            $view fn shape() -> $crate::config::keys::shape::Shape {
                $crate::config::keys::add(Self::keys(), $crate::config::keys::shape::table())
            }
        }

        impl Default for $table {
            fn default() -> Self {
                Self { spots: Vec::new(), $($key: keys!(@value None $(, $default)?),)* }
            }
        }
    };
    ($(#[$about:meta])* $view:vis struct $table:ident of $spec:ty {$(
        $(#[doc = $meaning:literal])+ $key:ident: $kind:ty = $form:expr;
    )*}) => {
        keys! {
            $(#[$about])* $view struct $table {$($(#[doc = $meaning])+ $key: $kind = $form;)*}
        }

        impl $table {
            /// Sets what the file has.
            $view fn set(self, spec: &mut $spec) {
                $(if let Some(value) = self.$key {
                    spec.$key = value;
                })*
            }

            /// Every key as a file would write it.
            $view fn words(spec: &$spec) -> Vec<(&'static str, String)> {
                vec![$((stringify!($key), $crate::config::keys::word(&$form, &spec.$key))),*]
            }
        }
    };
    (@ask $table:ident, $key:expr) => { $table.get($key) };
    (@ask $table:ident, $key:expr, $help:expr) => { $table.need($key, $help) };
    (@type $kind:ty) => { Option<$kind> };
    (@type $kind:ty, $default:expr) => { $kind };
    (@value $value:expr) => { $value };
    (@value $value:expr, $default:expr) => { $value.unwrap_or($default) };
}

pub(super) use keys;

/// A key, for those who show it.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) range: Option<&'static str>,
    /// What holds without it: a value, or words.
    pub(super) default: Option<Json>,
    pub(super) or: Option<&'static str>,
    /// What helps where it lacks that must be there.
    pub(super) needed: Option<&'static str>,
    pub(super) shape: Shape,
}

/// Adds keys to a table of the schema.
pub(super) fn add(keys: Vec<Key>, table: Shape) -> Shape {
    keys.into_iter().fold(table, |table, key| {
        let range = key.range.map_or(String::new(), |range| format!(" ({range})"));
        let or = key.or.map_or(String::new(), |or| format!("; default: {or}"));
        let about = format!("{}{range}{or}.", key.meaning.trim_end_matches('.'));
        let shape = match key.default {
            Some(default) => key.shape.with("default", default),
            None => key.shape,
        };
        match key.needed {
            Some(_) => table.need(key.name, shape, &about),
            None => table.key(key.name, shape, &about),
        }
    })
}

/// A value as a file would write it, without quotes.
pub(super) fn word<T>(form: &Form<T>, value: &T) -> String {
    match (form.written)(value) {
        Json::String(word) => word,
        other => other.to_string(),
    }
}
