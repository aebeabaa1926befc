//! The basis for reading any file of ours: the tree of its text, values with their places, and
//! diagnostics. It knows no key.
//!
//! ```text
//!  path ─► source ─► SourceFile, tree ─► Reader ─► Value ─► what it should be, or a Diagnostic
//! ```

pub(super) mod answers;
pub(super) mod diagnostic;
pub(super) mod foreign;
mod keypath;
mod load_error;
mod reader;
pub(super) mod set_arguments;
pub(super) mod source;
pub(super) mod value;
mod written;

pub use answers::ValueOrigin;
pub use diagnostic::Diagnostic;
pub(super) use diagnostic::{Problems, SourceFile, Spot};
pub(super) use keypath::{Change, KeyPath};
pub use load_error::LoadError;
pub(super) use reader::Reader;
pub(super) use value::{KINDS, Value};
pub(super) use written::text_with;
