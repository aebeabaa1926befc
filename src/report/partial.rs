//! `Partial`: the finished runs of an unfinished sweep, one line each, in its output folder.
//!
//! A run is found again by its key, a hash of all that decides its result; so finished runs can be
//! used even if the file was changed, as long as the run itself was not. Every line has a checksum:
//! a line that is incomplete or damaged is skipped. Only the position of each run is kept in
//! memory.

use super::folder::{Folder, FolderError};
use super::marker::{PARTIAL_HEAD, is_partial, same_file};
use crate::engine::fnv1a;
use crate::study::{Memory, PointRun};
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// A longer line is none of ours.
const LINE_MAX: u64 = 64 << 20;

/// The finished runs of one sweep, on disk.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    file: File,
    /// Where the file ends.
    end: u64,
    /// Where the run of each key stands: offset and length of its line.
    places: BTreeMap<u64, (u64, u32)>,
}

impl Partial {
    /// Opens the runs that an interrupted sweep left in this folder, or starts with none; `fresh`
    /// discards them. The folder is locked, so no other process writes there.
    pub fn open(folder: &Folder, fresh: bool) -> Result<Self, FolderError> {
        let path = folder.partial();
        let cannot = || format!("cannot write {}", path.display());
        let mut file = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let options = File::options().read(true).append(true).create_new(true).clone();
                options.open(&path).with_context(cannot)?
            }
            _ if !is_partial(&path) => {
                return Err(FolderError::Refused(format!(
                    "{} is in the way and was not written by slicewise; move it away, or choose another folder with --out",
                    path.display()
                )));
            }
            _ => open_no_link(&path).with_context(cannot)?,
        };
        let is_whole = file.metadata().with_context(cannot)?.len() >= PARTIAL_HEAD.len() as u64;
        if fresh || !is_whole {
            file.set_len(0)
                .and_then(|()| file.write_all(PARTIAL_HEAD.as_bytes()))
                .with_context(cannot)?;
        }
        let kept = Kept::read(file).with_context(cannot)?;
        Ok(Self { path, kept: Mutex::new(kept) })
    }

    /// Removes the kept runs, when the sweep is finished and its results are written.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.path); // Left behind, it costs some room and is taken up again.
    }

    /// How many runs are kept, those of other sweeps among them.
    pub fn count(&self) -> usize {
        self.kept().places.len()
    }

    /// Where the runs are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn cannot_read(&self) -> String {
        format!("cannot read {}, where finished runs are kept", self.path.display())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Memory for Partial {
    fn has(&self, key: u64) -> bool {
        self.kept().places.contains_key(&key)
    }

    fn keep(&self, key: u64, run: &PointRun) -> anyhow::Result<()> {
        let json = serde_json::to_vec(run)?;
        let mut line = format!("{key:016x} {:016x} ", check(key, &json)).into_bytes();
        line.extend(&json);
        line.push(b'\n');
        self.kept().add(key, &line).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn recall(&self, key: u64) -> anyhow::Result<PointRun> {
        let line = self.kept().line(key).with_context(|| self.cannot_read())?;
        match checked(&line) {
            Some((found, json)) if found == key => {
                serde_json::from_slice(json).with_context(|| self.cannot_read())
            }
            _ => bail!("{}: it was changed meanwhile", self.cannot_read()),
        }
    }
}

impl Kept {
    /// Finds every line that is whole, and ends a torn one.
    fn read(file: File) -> io::Result<Self> {
        let mut reader = BufReader::new(&file);
        let mut at = reader.seek(SeekFrom::Start(PARTIAL_HEAD.len() as u64))?;
        let (mut line, mut places) = (Vec::new(), BTreeMap::new());
        loop {
            line.clear();
            let length = reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? as u64;
            if length == 0 {
                break;
            }
            if let Some((key, json)) = checked(&line)
                && serde_json::from_slice::<PointRun>(json).is_ok()
            {
                places.insert(key, (at, length as u32));
            }
            at += length;
        }
        let mut kept = Self { file, end: at, places };
        if line_is_open(&kept.file, at)? {
            kept.append(b"\n")?;
        }
        Ok(kept)
    }

    fn add(&mut self, key: u64, line: &[u8]) -> io::Result<()> {
        let at = self.end;
        self.append(line)?;
        self.places.insert(key, (at, line.len() as u32));
        Ok(())
    }

    /// Adds bytes at the end: all of them or, as far as that is possible, none.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            let _ = self.file.set_len(self.end);
            return Err(error);
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// The line of a key that is there.
    fn line(&mut self, key: u64) -> io::Result<Vec<u8>> {
        let (at, length) = self.places.get(&key).copied().ok_or(io::ErrorKind::NotFound)?;
        let mut line = vec![0; length as usize];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut line)?;
        Ok(line)
    }
}

/// Whether the last line has no end.
fn line_is_open(mut file: &File, end: u64) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(end - 1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The key and the run of a line whose check sum is right.
fn checked(line: &[u8]) -> Option<(u64, &[u8])> {
    let line = line.strip_suffix(b"\n")?;
    let (head, json) = line.split_at_checked(34)?;
    let head = std::str::from_utf8(head).ok()?;
    let (key, rest) = head.split_once(' ')?;
    let sum = u64::from_str_radix(rest.strip_suffix(' ')?, 16).ok()?;
    let key = u64::from_str_radix(key, 16).ok()?;
    (check(key, json) == sum).then_some((key, json))
}

fn check(key: u64, json: &[u8]) -> u64 {
    fnv1a(json) ^ key.rotate_left(17)
}

/// Opens a plain file; a link put there meanwhile is not written through.
fn open_no_link(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).append(true).open(path)?;
    let is_plain = !path.is_symlink() && same_file(&file, path) && is_partial(path);
    if is_plain { Ok(file) } else { Err(io::Error::other("it was replaced meanwhile")) }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::folder::Maker;
    use super::*;

    fn folder(root: &Path) -> Folder {
        Folder::open(&root.join("out/six"), Maker::Sweep, false).unwrap()
    }

    #[test]
    fn what_was_kept_is_found_again_and_what_is_spoilt_is_not() {
        let root = tempfile::tempdir().unwrap();
        let run = fixture::point_run(0, 0, &["vm"]);
        let keep = |keys: &[u64]| {
            let folder = folder(root.path());
            let partial = Partial::open(&folder, false).unwrap();
            keys.iter().for_each(|key| partial.keep(*key, &run).unwrap());
            folder.partial()
        };
        let path = keep(&[1, 2, 3]);
        let whole = fs::read(&path).unwrap();
        let lines: Vec<_> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let found = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let folder = folder(root.path());
            let partial = Partial::open(&folder, false).unwrap();
            let kept: Vec<u64> = (1..=3).filter(|key| partial.has(*key)).collect();
            for key in &kept {
                assert_eq!(partial.recall(*key).unwrap(), run);
            }
            // What is kept from here on is found again, whatever stood before it.
            partial.keep(9, &run).unwrap();
            drop(partial);
            assert_eq!(Partial::open(&folder, false).unwrap().recall(9).unwrap(), run);
            kept
        };
        assert_eq!(found(&whole), [1, 2, 3]);
        // Torn at any byte: every line that is whole counts.
        let ends: Vec<usize> = lines
            .iter()
            .scan(0, |end, line| {
                *end += line.len();
                Some(*end)
            })
            .collect();
        for cut in (0..whole.len()).step_by(7).chain(ends.clone()) {
            let expected = ends.iter().skip(1).filter(|end| **end <= cut).count();
            assert_eq!(found(&whole[..cut]).len(), expected, "cut at {cut}");
        }
        // A byte changed anywhere in the second run's line spoils that line alone.
        for at in (ends[1]..ends[2] - 1).step_by(5) {
            let mut spoilt = whole.clone();
            spoilt[at] = if spoilt[at] == b'7' { b'8' } else { b'7' };
            assert_eq!(found(&spoilt), [1, 3], "byte {at}");
        }
        // Without its line feed it takes the next one with it.
        let mut joined = whole.clone();
        joined[ends[2] - 1] = b' ';
        assert_eq!(found(&joined), [1]);
        let noise = [&whole[..ends[1]], b"\0\xff\n\n{}\n", lines[2], lines[2]].concat();
        assert_eq!(found(&noise), [1, 2]);
    }

    #[test]
    fn another_file_of_the_name_is_refused_and_stays() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let path = folder.partial();
        let refused = || match Partial::open(&folder, true) {
            Err(FolderError::Refused(why)) => assert!(why.contains("in the way"), "{why}"),
            other => panic!("{other:?}"),
        };
        for text in ["years of work\n", "Made by slicewise, they say\n"] {
            fs::write(&path, text).unwrap();
            refused();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        refused();
        fs::remove_dir(&path).unwrap();
        #[cfg(unix)]
        {
            // A link, even to a file that would pass for ours.
            let victim = root.path().join("victim");
            fs::write(&victim, PARTIAL_HEAD).unwrap();
            for target in [victim.clone(), root.path().join("nowhere")] {
                std::os::unix::fs::symlink(&target, &path).unwrap();
                refused();
                fs::remove_file(&path).unwrap();
            }
            assert_eq!(fs::read_to_string(&victim).unwrap(), PARTIAL_HEAD);
        }
    }

    #[test]
    fn a_fresh_start_forgets_and_the_end_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let run = fixture::point_run(0, 0, &["vm"]);
        let folder = folder(root.path());
        Partial::open(&folder, false).unwrap().keep(1, &run).unwrap();
        assert!(!Partial::open(&folder, true).unwrap().has(1));
        Partial::open(&folder, false).unwrap().remove();
        assert!(!folder.partial().exists());
    }
}
