//! `Partial`: the finished runs of a sweep that is not finished, one line each, beside its folder.
//!
//! A run is found again by its key, a hash of all that decides its result; so what an interrupted
//! sweep has done counts even if the file was changed since, where the run itself was not. A line
//! that a kill tore apart is passed over.

use super::folder::{Folder, FolderError};
use crate::study::PointRun;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Mutex;

/// The finished runs of one sweep, on disk.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    /// Appended to by whichever thread finishes a run.
    file: Mutex<File>,
    found: BTreeMap<String, PointRun>,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'r> {
    key: &'r str,
    run: &'r PointRun,
}

/// A line read back.
#[derive(Deserialize)]
struct OwnedLine {
    key: String,
    run: PointRun,
}

impl Partial {
    /// Opens what an earlier try left for this folder, or starts anew; `fresh` forgets it. One sweep
    /// at a time writes for a folder.
    pub fn open(folder: &Folder, fresh: bool) -> Result<Self, FolderError> {
        let path = folder.partial();
        let cannot = || format!("cannot write {}", path.display());
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).with_context(cannot)?;
        }
        let file = File::options().read(true).append(true).create(true).open(&path);
        let mut file = file.with_context(cannot)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let why = format!(
                    "another sweep is at work on {}; wait for it, or choose another folder with --out",
                    folder.path().display()
                );
                return Err(FolderError::Refused(why));
            }
            // Where files cannot be locked at all, nobody is protected and nobody is stopped.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if fresh {
            file.set_len(0).with_context(cannot)?;
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .with_context(cannot)?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n").with_context(cannot)?;
        }
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines = lines.filter_map(|line| serde_json::from_slice::<OwnedLine>(line).ok());
        let found = lines.map(|line| (line.key, line.run)).collect();
        Ok(Self { path, file: Mutex::new(file), found })
    }

    /// The run of this key, if it was finished before.
    pub fn recall(&self, key: &str) -> Option<PointRun> {
        self.found.get(key).cloned()
    }

    /// Keeps a finished run.
    pub fn keep(&self, key: &str, run: &PointRun) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&Line { key, run })?;
        line.push(b'\n');
        let mut file = self.file.lock().expect("nobody panics while writing a line");
        file.write_all(&line).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// The sweep is finished and its results are written: what was kept is needed no more.
    pub fn remove(self) {
        let _ = fs::remove_file(&self.path); // Left behind, it costs a few kilobytes.
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn what_was_kept_is_found_again_and_a_torn_line_is_not() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("out/six"), false).unwrap();
        let run = fixture::sweep().points[0].runs[0].clone();
        let partial = Partial::open(&folder, false).unwrap();
        assert!(
            matches!(Partial::open(&folder, false), Err(FolderError::Refused(why)) if why.contains("another sweep"))
        );
        for key in ["a", "b", "c"] {
            partial.keep(key, &run).unwrap();
        }
        drop(partial);
        let bytes = fs::read(folder.partial()).unwrap();
        fs::write(folder.partial(), &bytes[..bytes.len() - 20]).unwrap();
        let partial = Partial::open(&folder, false).unwrap();
        assert_eq!((partial.recall("a"), partial.recall("c")), (Some(run.clone()), None));
        partial.keep("c", &run).unwrap();
        drop(partial);
        let partial = Partial::open(&folder, false).unwrap();
        assert_eq!(partial.recall("c"), Some(run));
        drop(partial);
        assert_eq!(Partial::open(&folder, true).unwrap().recall("a"), None);
        Partial::open(&folder, false).unwrap().remove();
        assert!(!folder.partial().exists());
    }
}
