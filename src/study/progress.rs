//! How far a study has come.

/// How far a study has come, for a progress bar: pieces of work done and in all, and what is done.
pub type Progress<'a> = &'a (dyn Fn(u64, u64, &str) + Sync);
