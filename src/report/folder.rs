//! `Folder`: the output folder of one command, replaced by each run, never half-written, never a
//! folder with files of others.
//!
//! It deletes only files that it can prove to be its own: a marker in the folder lists the files
//! that an earlier run wrote, and a list in the work folder those that a killed run began. Other
//! files are kept. One process at a time works on a folder; the operating system holds the lock,
//! which ends with the process.

use super::marker::{COMMAND, HEAD, MARKER, PARTIAL, is_partial, read_marker, same_file};
use super::parts::File;
use super::staging::Staging;
use anyhow::{Context, anyhow};
use std::collections::BTreeSet;
use std::fs::{self, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// Why no results could be written.
#[derive(Debug)]
pub enum FolderError {
    /// The folder holds files of others: the user must choose another, or use `--force`.
    Refused(String),
    /// The disk is full, the folder is read-only, or similar.
    World(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for FolderError {
    fn from(error: E) -> Self {
        FolderError::World(error.into())
    }
}

/// A command with an output folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Maker {
    /// `slicewise run`.
    Run,
    /// `slicewise sweep`.
    Sweep,
    /// `slicewise capacity`.
    Capacity,
    /// `slicewise capacity --vms`.
    Vms,
    /// `slicewise validate`.
    Validate,
    /// `slicewise calibrate`.
    Calibrate,
    /// `slicewise ask`.
    Ask,
    /// `slicewise trace`.
    Trace,
    /// `slicewise explain`.
    Explain,
    /// `slicewise plan`.
    Plan,
    /// `slicewise place`.
    Place,
}

impl Maker {
    /// The command as it is typed, and files that it writes whatever the scenario: where others keep
    /// files of these names, that is said before the work.
    fn facts(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Maker::Run => {
                ("run", &["table.txt", "result.json", "summary.csv", "stages.svg", "gpu-time.svg"])
            }
            Maker::Sweep => ("sweep", &["table.txt", "sweep.csv", "sweep.jsonl", "sweep.json"]),
            Maker::Capacity => {
                ("capacity", &["table.txt", "capacity.json", "capacity.csv", "curve.csv"])
            }
            Maker::Vms => ("capacity --vms", &["table.txt", "vms.json", "vms.csv", "curve.csv"]),
            Maker::Validate => ("validate", &["table.txt", "validation.json", "validation.csv"]),
            Maker::Calibrate => {
                ("calibrate", &["table.txt", "calibration.json", "calibration.csv"])
            }
            Maker::Ask => ("ask", &["table.txt", "answer.json"]),
            Maker::Trace => ("trace", &["table.txt", "timeline.json", "timeline.svg"]),
            Maker::Explain => {
                ("explain", &["explanation.txt", "explanation.json", "explanation.csv"])
            }
            Maker::Plan => ("plan", &["table.txt", "plan.json", "layouts.csv", "vms.csv"]),
            Maker::Place => {
                ("place", &["table.txt", "placement.json", "vms.csv", "hosts.csv", "refused.csv"])
            }
        }
    }

    /// The command as it is typed.
    fn word(self) -> &'static str {
        self.facts().0
    }
}

/// A folder for results that can be written, and is locked.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    maker: Maker,
    /// Locked as long as it is open; nothing where folders cannot be opened or locked.
    _lock: Option<fs::File>,
    /// Folders that were made for it, the outermost first.
    made: Vec<PathBuf>,
    /// The files under construction; nothing once they are in place, or given up.
    staging: Mutex<Option<Staging>>,
}

impl Folder {
    /// Opens the folder for a command and creates it where it is missing. Refuses a folder that
    /// another process uses, one that holds files not written by slicewise, and one with the
    /// results of another command; the last two unless forced. Tries whether files can be written
    /// there.
    pub fn open(path: &Path, maker: Maker, force: bool) -> Result<Self, FolderError> {
        if path.symlink_metadata().is_ok() && !path.is_dir() {
            let why = format!("{} is a file, not a folder", path.display());
            return Err(FolderError::Refused(why));
        }
        let (made, lock) = make_and_lock(path)?;
        let staging = Mutex::new(None);
        let folder = Self { path: path.to_path_buf(), maker, _lock: lock, made, staging };
        Staging::clear_up(path)?;
        folder.refuse_foreign(force)?;
        let staging = Staging::begin(path);
        let staging = staging.with_context(|| format!("cannot write into {}", path.display()))?;
        *folder.staging() = Some(staging);
        Ok(folder)
    }

    /// Refuses what is not ours to write into.
    fn refuse_foreign(&self, force: bool) -> Result<(), FolderError> {
        let shown = self.path.display();
        let cannot_read = || format!("cannot read {shown}");
        let entries = fs::read_dir(&self.path).with_context(cannot_read)?;
        let entries = entries.collect::<Result<Vec<_>, _>>().with_context(cannot_read)?;
        let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: BTreeSet<_> = names.collect();
        let is_kept = names.contains(PARTIAL) && is_partial(&self.partial());
        if is_kept {
            names.remove(PARTIAL);
        }
        let marker = read_marker(&self.path.join(MARKER))?;
        if !names.is_empty() && marker.files.is_empty() && !force {
            return Err(FolderError::Refused(format!(
                "{shown} is not empty and was not created by slicewise; choose another folder, or \
                 write into it with --force"
            )));
        }
        // Files of ours that somebody deleted or put a folder in the place of are no obstacle here.
        let in_the_way = |name: &&&str| names.contains(**name) && !marker.files.contains(**name);
        if let Some(name) = self.maker.facts().1.iter().find(in_the_way) {
            return Err(FolderError::Refused(format!(
                "{shown} holds a file {name} that slicewise did not write; move it away, or choose another folder with --out"
            )));
        }
        let way_out = format!(
            "choose another folder, such as --out {shown}-{}, or replace them with --force",
            self.maker.word().replace(" --", "-")
        );
        match &marker.command {
            Some(command) if command != self.maker.word() && !force => {
                let what = format!("{shown} holds the results of `slicewise {command}`");
                Err(FolderError::Refused(format!("{what}; {way_out}")))
            }
            _ if is_kept && self.maker != Maker::Sweep && !force => {
                let what = format!("{shown} holds the finished runs of an interrupted sweep");
                Err(FolderError::Refused(format!("{what}; finish it, or {way_out}")))
            }
            _ => Ok(()),
        }
    }

    /// Writes all files; on failure writes none, and the earlier files are kept.
    pub fn write(&self, files: &[File]) -> Result<(), FolderError> {
        let all = files.iter().try_for_each(|file| {
            let cannot = || format!("cannot write {}", self.path.join(&file.name).display());
            let mut writer = self.create(&file.name)?;
            writer.write_all(&file.bytes).and_then(|()| writer.flush()).with_context(cannot)
        });
        if let Err(error) = all {
            self.clear(&mut self.staging());
            return Err(error.into());
        }
        self.commit()
    }

    /// Begins a file of the results; no file is in the folder before [`Folder::commit`].
    pub fn create(&self, name: &str) -> anyhow::Result<BufWriter<fs::File>> {
        let cannot = || format!("cannot write {}", self.path.join(name).display());
        let mut staging = self.staging();
        let staging = staging.as_mut().context("the results are in place already")?;
        Ok(BufWriter::new(staging.create(name).with_context(cannot)?))
    }

    /// A finished file, to be read again.
    pub(super) fn read_back(&self, name: &str) -> anyhow::Result<fs::File> {
        let staging = self.staging();
        let staging = staging.as_ref().context("the results are in place already")?;
        Ok(staging.read(name)?)
    }

    /// Replaces the earlier files by the finished ones.
    pub fn commit(&self) -> Result<(), FolderError> {
        let mut staging = self.staging();
        let finished = staging.take().context("the results are in place already")?;
        let mut marker = format!("{HEAD}\n{COMMAND}{}\n", self.maker.word());
        finished.names().for_each(|name| marker.push_str(&format!("{name}\n")));
        let cannot = || format!("cannot write {}", self.path.display());
        finished.seal(&marker).with_context(cannot)?;
        let ours = read_marker(&self.path.join(MARKER))?.files;
        let is_foreign = |name: &&String| {
            let place = self.path.join(name).symlink_metadata();
            place.is_ok_and(|place| place.is_dir() || !ours.contains(*name))
        };
        let foreign = finished.names().find(is_foreign).cloned();
        if let Some(name) = foreign {
            let aside = finished.set_aside(&self.path).with_context(cannot)?;
            return Err(FolderError::Refused(format!(
                "{} holds a file {name} that slicewise did not write and does not replace; the \
                 results are in {}",
                self.path.display(),
                aside.display()
            )));
        }
        finished.put_in_place(&self.path).with_context(cannot)?;
        Ok(())
    }

    /// Ends the work without results, permanently: removes unfinished files, and no file is put in
    /// place after this. Waits while files are being put in place; returns false if they were.
    pub fn give_up(&self) -> bool {
        let mut staging = self.staging();
        let in_time = staging.is_some();
        self.clear(&mut staging);
        std::mem::forget(staging); // The process ends; whoever waits for it must wait on.
        in_time
    }

    /// Removes what is under construction, and the folders that were made for nothing.
    fn clear(&self, staging: &mut Option<Staging>) {
        if let Some(staging) = staging.take() {
            staging.discard();
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder); // Not recursive: one that holds something stays.
        }
    }

    fn staging(&self) -> MutexGuard<'_, Option<Staging>> {
        self.staging.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Where a sweep keeps its finished runs until the results can be written.
    pub fn partial(&self) -> PathBuf {
        self.path.join(PARTIAL)
    }

    /// The folder of the results.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let mut staging = self.staging.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.clear(&mut staging);
    }
}

/// Makes a folder and those above it, and locks it. What was made is named, the outermost first.
fn make_and_lock(path: &Path) -> Result<(Vec<PathBuf>, Option<fs::File>), FolderError> {
    // Another process may remove the empty folder that it made, between our steps.
    let mut refused = None;
    for _ in 0..100 {
        let mut made: Vec<PathBuf> =
            path.ancestors().take_while(|folder| is_missing(folder)).map(PathBuf::from).collect();
        made.reverse();
        match fs::create_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !made.is_empty() => {
                refused = Some(error);
                continue;
            }
            other => other.with_context(|| format!("cannot create {}", path.display()))?,
        }
        let lock = match fs::File::open(path) {
            Ok(folder) => Some(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => None,
        };
        match lock.as_ref().map_or(Ok(()), fs::File::try_lock) {
            Err(TryLockError::WouldBlock) => {
                let why = format!(
                    "another slicewise process is using {}; wait for it, or choose another folder \
                     with --out",
                    path.display()
                );
                return Err(FolderError::Refused(why));
            }
            // Where files cannot be locked at all, nobody is protected and nobody is stopped.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if lock.as_ref().is_none_or(|lock| same_file(lock, path)) {
            return Ok((made, lock));
        }
    }
    // A folder that another process removes each time, or a place where none can be made.
    let why = refused.map_or("another process removes it".to_string(), |error| error.to_string());
    Err(anyhow!("cannot create {}: {why}", path.display()).into())
}

fn is_missing(folder: &Path) -> bool {
    !folder.as_os_str().is_empty() && folder.symlink_metadata().is_err()
}

#[cfg(test)]
mod tests {
    use super::super::marker::WORK;
    use super::*;

    fn files(names: &[&str]) -> Vec<File> {
        names.iter().map(|name| File::new(name, *name)).collect()
    }

    fn open(path: &Path) -> Result<Folder, FolderError> {
        Folder::open(path, Maker::Run, false)
    }

    #[track_caller]
    fn refused(found: Result<Folder, FolderError>, why: &str) {
        match found {
            Err(FolderError::Refused(text)) => assert!(text.contains(why), "{text}"),
            other => panic!("{other:?}"),
        }
    }

    fn listing(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_second_run_replaces_the_first_and_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("output/six");
        open(&out).unwrap().write(&files(&["a", "b"])).unwrap();
        assert_eq!(listing(&out), [".slicewise", "a", "b"]);
        open(&out).unwrap().write(&files(&["b", "c"])).unwrap();
        assert_eq!(listing(&out), [".slicewise", "b", "c"]);
        assert_eq!(listing(&root.path().join("output")), ["six"]);
    }

    #[test]
    fn a_foreign_folder_is_refused_and_with_force_only_added_to() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), "years of work").unwrap();
        refused(open(root.path()), "--force");
        let forced = || Folder::open(root.path(), Maker::Run, true);
        forced().unwrap().write(&files(&["a", "b"])).unwrap();
        assert_eq!(listing(root.path()), [".slicewise", "a", "b", "thesis.txt"]);
        open(root.path()).unwrap().write(&files(&["b"])).unwrap();
        assert_eq!(listing(root.path()), [".slicewise", "b", "thesis.txt"]);
        refused(open(&root.path().join("thesis.txt")), "is a file");
    }

    #[test]
    fn a_file_of_somebody_else_is_never_replaced_even_by_force() {
        let root = tempfile::tempdir().unwrap();
        let forced = || Folder::open(root.path(), Maker::Run, true);
        fs::write(root.path().join("table.txt"), "mine").unwrap();
        refused(forced(), "holds a file table.txt that slicewise did not write");
        fs::rename(root.path().join("table.txt"), root.path().join("odd.svg")).unwrap();
        // A name that nobody could know before: the results are kept where nothing is in the way.
        let folder = forced().unwrap();
        let Err(FolderError::Refused(why)) = folder.write(&files(&["a", "odd.svg"])) else {
            panic!()
        };
        assert!(why.contains("odd.svg") && why.contains("slicewise-results"), "{why}");
        assert_eq!(fs::read_to_string(root.path().join("odd.svg")).unwrap(), "mine");
        drop(folder);
        let aside = root.path().join("slicewise-results");
        assert_eq!(listing(&aside), [".slicewise", "a", "odd.svg"]);
        assert_eq!(listing(root.path()), ["odd.svg", "slicewise-results"]);
    }

    #[test]
    fn what_a_user_adds_to_our_folder_stays_whenever_it_comes() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("six");
        open(&out).unwrap().write(&files(&["a"])).unwrap();
        fs::write(out.join("remarks.txt"), "mine").unwrap();
        let folder = open(&out).unwrap();
        fs::write(out.join("more.txt"), "mine").unwrap();
        folder.write(&files(&["b"])).unwrap();
        assert_eq!(listing(&out), [".slicewise", "b", "more.txt", "remarks.txt"]);
    }

    #[test]
    fn a_failed_write_keeps_the_old_results() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("six");
        open(&out).unwrap().write(&files(&["a"])).unwrap();
        let folder = open(&out).unwrap();
        assert!(folder.write(&files(&["b", "no/such/folder"])).is_err());
        assert_eq!(listing(&out), [".slicewise", "a"]);
        assert_eq!(listing(root.path()), ["six"]);
    }

    #[test]
    fn a_folder_made_for_nothing_goes_again() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("output/deep/six");
        drop(open(&out).unwrap());
        assert!(listing(root.path()).is_empty());
        let folder = open(&out).unwrap();
        assert!(folder.give_up());
        std::mem::forget(folder); // The process would end here.
        assert!(listing(root.path()).is_empty());
    }

    #[test]
    fn one_process_works_on_a_folder_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("six");
        let first = open(&out).unwrap();
        refused(open(&out), "another slicewise process is using");
        refused(open(&root.path().join("./six")), "another slicewise process is using");
        first.write(&files(&["a"])).unwrap();
        drop(first);
        open(&out).unwrap();
    }

    #[test]
    fn a_command_does_not_replace_what_another_made() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("six");
        open(&out).unwrap().write(&files(&["a"])).unwrap();
        let sweep = |force| Folder::open(&out, Maker::Sweep, force);
        refused(
            sweep(false),
            "holds the results of `slicewise run`; choose another folder, such as --out",
        );
        sweep(true).unwrap().write(&files(&["b"])).unwrap();
        assert_eq!(listing(&out), [".slicewise", "b"]);
        refused(open(&out), "holds the results of `slicewise sweep`");
    }

    #[test]
    fn a_marker_cannot_name_files_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let marker = root.path().join(MARKER);
        fs::write(&marker, format!("{HEAD}\n../victim\n/etc/passwd\nfine\n\n")).unwrap();
        let ours = read_marker(&marker).unwrap().files;
        assert_eq!(ours.into_iter().collect::<Vec<_>>(), [MARKER, "fine"]);
        fs::write(&marker, "years of work\n").unwrap();
        refused(open(root.path()), "was not created by slicewise");
    }

    /// At whatever step a process is killed, the next one finds the old results or the new, and
    /// leaves nothing of the kill.
    #[test]
    fn a_kill_at_any_step_leaves_old_or_new_results() {
        let root = tempfile::tempdir().unwrap();
        let killed = |name: &str, steps: &dyn Fn(&Folder)| {
            let out = root.path().join(name);
            open(&out).unwrap().write(&files(&["a", "b"])).unwrap();
            let folder = open(&out).unwrap();
            steps(&folder);
            // What a killed process does not do: clean up behind itself.
            if let Some(lock) = &folder._lock {
                lock.unlock().unwrap();
            }
            std::mem::forget(folder);
            drop(open(&out).unwrap());
            listing(&out)
        };
        let write = |folder: &Folder| {
            for name in ["b", "c"] {
                folder.create(name).unwrap().write_all(b"new").unwrap();
            }
        };
        let (old, new) = ([".slicewise", "a", "b"], [".slicewise", "b", "c"]);
        assert_eq!(killed("begun", &|_| {}), old);
        assert_eq!(killed("half", &write), old);
        let seal = |folder: &Folder| {
            write(folder);
            let marker = format!("{HEAD}\n{COMMAND}run\nb\nc\n");
            folder.staging().as_ref().unwrap().seal(&marker).unwrap();
        };
        assert_eq!(killed("sealed", &seal), new);
        let moved = |folder: &Folder| {
            seal(folder);
            fs::remove_file(folder.path.join("a")).unwrap();
            fs::rename(folder.path.join(WORK).join("b"), folder.path.join("b")).unwrap();
        };
        assert_eq!(killed("moved", &moved), new);
        assert_eq!(fs::read_to_string(root.path().join("moved/b")).unwrap(), "new");
    }

    #[test]
    fn a_folder_of_the_name_of_ours_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("six");
        let theirs = out.join(WORK);
        fs::create_dir_all(&theirs).unwrap();
        fs::write(theirs.join("thesis.txt"), "years of work").unwrap();
        refused(open(&out), "was not created by slicewise");
        Folder::open(&out, Maker::Run, true).unwrap().write(&files(&["a"])).unwrap();
        open(&out).unwrap().write(&files(&["b"])).unwrap();
        assert_eq!(listing(&out), [".slicewise", WORK, "b"]);
        assert_eq!(listing(&theirs), ["thesis.txt"]);
        // What came into a folder of ours that a kill left stays as well.
        let killed = open(&out).unwrap();
        let work = out.join(format!("{WORK}-1"));
        fs::write(work.join("notes.txt"), "mine").unwrap();
        killed.create("c").unwrap();
        if let Some(lock) = &killed._lock {
            lock.unlock().unwrap();
        }
        std::mem::forget(killed);
        open(&out).unwrap().write(&files(&["d"])).unwrap();
        assert_eq!(listing(&work), ["notes.txt"]);
        assert_eq!(listing(&out), [".slicewise", WORK, ".slicewise-work-1", "d"]);
    }

    #[cfg(unix)]
    #[test]
    fn planted_links_are_not_followed() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let (out, victim) = (root.path().join("six"), root.path().join("victim"));
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("a"), "years of work").unwrap();
        fs::create_dir(&out).unwrap();
        symlink(&victim, out.join(WORK)).unwrap();
        symlink(victim.join("a"), out.join("a")).unwrap();
        let forced = || Folder::open(&out, Maker::Run, true).unwrap();
        assert!(matches!(forced().write(&files(&["a"])), Err(FolderError::Refused(_))));
        forced().write(&files(&["b"])).unwrap();
        // A link in the place of a file of ours is replaced, and what it leads to stays.
        fs::remove_file(out.join("b")).unwrap();
        symlink(victim.join("a"), out.join("b")).unwrap();
        forced().write(&files(&["b"])).unwrap();
        assert_eq!(fs::read_to_string(victim.join("a")).unwrap(), "years of work");
        assert_eq!(listing(&victim), ["a"]);
        assert!(!out.join("b").is_symlink());
        // A marker that is a link says nothing.
        let (other, marker) = (root.path().join("other"), out.join(MARKER));
        fs::create_dir(&other).unwrap();
        fs::write(other.join("b"), "mine").unwrap();
        symlink(&marker, other.join(MARKER)).unwrap();
        refused(open(&other), "was not created by slicewise");
    }
}
