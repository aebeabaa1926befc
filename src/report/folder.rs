//! `Folder`: the output folder, made anew by each run, never half-written, never somebody else's.
//!
//! It deletes only files it can prove to be its own: a marker in the folder lists what an earlier
//! run wrote. What else lies there stays. It does not know what is in the files.

use super::File;
use anyhow::Context;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The file that says a folder is ours and lists what we wrote into it.
const MARKER: &str = ".slicewise";

/// Its first line; a file of that name that starts otherwise is none of ours.
const HEAD: &str = "Made by slicewise, and made anew by each run. It wrote:";

/// Folders under construction are called this, then the target's name and the process id.
const TEMPORARY: &str = ".slicewise-tmp-";

/// What a sweep has finished so far is kept in a file called this, then the target's name.
const PARTIAL: &str = ".slicewise-partial-";

/// Why no results could be written.
#[derive(Debug)]
pub enum FolderError {
    /// The place belongs to somebody else: the user must choose another, or insist.
    Refused(String),
    /// The disk is full, the place read-only, and the like.
    World(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for FolderError {
    fn from(error: E) -> Self {
        FolderError::World(error.into())
    }
}

/// A place for results that was found fit to be written.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// What an earlier run wrote there.
    ours: BTreeSet<String>,
    /// Whether it is to be kept as a folder, because not all of it is ours.
    shared: bool,
}

impl Folder {
    /// Looks at the place and refuses one that holds files not written by slicewise, unless forced.
    /// Changes nothing.
    pub fn open(path: &Path, force: bool) -> Result<Self, FolderError> {
        let cannot_read = || format!("cannot read {}", path.display());
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>().with_context(cannot_read)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(FolderError::Refused(format!(
                    "{} is a file, not a folder",
                    path.display()
                )));
            }
            Err(error) => return Err(anyhow::Error::from(error).context(cannot_read()).into()),
        };
        let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
        // An unfinished sweep makes a folder nobody's.
        let names: BTreeSet<_> = names.filter(|name| !name.starts_with(PARTIAL)).collect();
        let ours =
            if names.contains(MARKER) { read_marker(&path.join(MARKER))? } else { BTreeSet::new() };
        if !names.is_empty() && ours.is_empty() && !force {
            return Err(FolderError::Refused(format!(
                "{} is not empty and was not made by slicewise; choose another folder, or write into it with --force",
                path.display()
            )));
        }
        // The real place: renaming over a symbolic link would replace the link.
        let (there, path) = match fs::canonicalize(path) {
            Ok(real) => (true, real),
            Err(_) => (false, path.to_path_buf()),
        };
        // A folder somebody made or stands in is kept, and only written into.
        let stood_in = std::env::current_dir().is_ok_and(|here| here.starts_with(&path));
        let foreign = names.is_empty() || names.iter().any(|name| !ours.contains(name));
        let shared = there && (foreign || stood_in);
        Ok(Self { path, ours, shared })
    }

    /// Writes the files: all of them, or on failure none, and what was there before stays.
    pub fn write(&self, files: &[File]) -> Result<(), FolderError> {
        let parent = self.parent();
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let name =
            self.path.file_name().context("the output folder has no name")?.to_string_lossy();
        let place = self.place();
        remove_leftovers(place, &format!("{TEMPORARY}{name}-"));
        let temporary = place.join(format!("{TEMPORARY}{name}-{}", std::process::id()));
        let written = fill(&temporary, files).and_then(|()| {
            if self.shared { self.replace_files(&temporary, files) } else { self.swap(&temporary) }
        });
        if temporary.exists() {
            let _ = fs::remove_dir_all(&temporary); // Ours, named by our process id.
        }
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(())
    }

    /// Puts the finished folder in the place of the old one, which holds nothing but ours.
    fn swap(&self, finished: &Path) -> io::Result<()> {
        if !self.path.exists() {
            return fs::rename(finished, &self.path);
        }
        let old = PathBuf::from(format!("{}-old", finished.display()));
        fs::rename(&self.path, &old)?;
        if let Err(error) = fs::rename(finished, &self.path) {
            fs::rename(&old, &self.path)?;
            return Err(error);
        }
        for name in &self.ours {
            let _ = fs::remove_file(old.join(name));
        }
        // Not recursive: should a file have come in meanwhile, it stays, in the old folder.
        fs::remove_dir(&old)
    }

    /// Puts the finished files one by one into a folder where others keep theirs.
    fn replace_files(&self, finished: &Path, files: &[File]) -> io::Result<()> {
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).chain([MARKER]).collect();
        for name in &names {
            fs::rename(finished.join(name), self.path.join(name))?;
        }
        for stale in self.ours.iter().filter(|name| !names.contains(&name.as_str())) {
            let _ = fs::remove_file(self.path.join(stale));
        }
        fs::remove_dir(finished)
    }

    /// Where a sweep keeps what it has finished, until the results can be written.
    pub fn partial(&self) -> PathBuf {
        let name = self.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        self.place().join(format!("{PARTIAL}{name}"))
    }

    /// Where files under construction are: beside the folder, or within one that is kept.
    fn place(&self) -> &Path {
        if self.shared { self.path.as_path() } else { self.parent() }
    }

    fn parent(&self) -> &Path {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }

    /// Where the results go.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a single file where the user wants it, through a temporary one beside it; missing folders
/// are made.
pub fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    through_temporary(path, bytes, |temporary| fs::rename(temporary, path))
}

/// Whether [`write_file`] could write there, before the work whose result it is: missing folders are
/// made, nothing else stays.
pub fn can_write(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!path.is_dir(), "cannot write {}: it is a folder", path.display());
    through_temporary(path, &[], |temporary| fs::remove_file(temporary))
}

/// Writes a temporary file beside `path`, and ends with it.
fn through_temporary(
    path: &Path,
    bytes: &[u8],
    end: impl Fn(&Path) -> io::Result<()>,
) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(cannot)?;
    let name = path.file_name().with_context(cannot)?.to_string_lossy();
    let temporary = parent.join(format!("{TEMPORARY}{name}-{}", std::process::id()));
    let written = fs::write(&temporary, bytes).and_then(|()| end(&temporary));
    if written.is_err() {
        let _ = fs::remove_file(&temporary); // Ours, named by our process id.
    }
    written.with_context(cannot)
}

/// Makes a new folder of the files and the marker that lists them.
fn fill(folder: &Path, files: &[File]) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?; // Left by a run that was killed and had our process id.
    }
    fs::create_dir(folder)?;
    let mut marker = format!("{HEAD}\n");
    for file in files {
        fs::write(folder.join(&file.name), &file.bytes)?;
        marker.push_str(&format!("{}\n", file.name));
    }
    fs::write(folder.join(MARKER), marker)
}

/// Removes what killed runs left under construction: only names of ours, and only after an hour,
/// for another run may be writing right now.
fn remove_leftovers(place: &Path, prefix: &str) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(prefix).unwrap_or_default();
        let process = process.strip_suffix("-old").unwrap_or(process);
        let ours = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
        let age =
            entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        if ours && age.is_some_and(|age| age.as_secs() > 3600) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The files a marker lists, itself included; only plain names count.
fn read_marker(path: &Path) -> Result<BTreeSet<String>, FolderError> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    if text.lines().next() != Some(HEAD) {
        return Ok(BTreeSet::new());
    }
    let plain =
        |name: &&str| !name.is_empty() && Path::new(name).file_name() == Some(name.as_ref());
    Ok(text.lines().skip(1).filter(plain).map(str::to_string).chain([MARKER.to_string()]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<File> {
        names.iter().map(|name| File::new(name, *name)).collect()
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
        Folder::open(&out, false).unwrap().write(&files(&["a", "b"])).unwrap();
        assert_eq!(listing(&out), [".slicewise", "a", "b"]);
        Folder::open(&out, false).unwrap().write(&files(&["b", "c"])).unwrap();
        assert_eq!(listing(&out), [".slicewise", "b", "c"]);
        assert_eq!(listing(&root.path().join("output")), ["six"]);
    }

    #[test]
    fn a_foreign_folder_is_refused_and_with_force_only_added_to() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), "years of work").unwrap();
        let refused = Folder::open(root.path(), false).unwrap_err();
        assert!(matches!(refused, FolderError::Refused(why) if why.contains("--force")));
        Folder::open(root.path(), true).unwrap().write(&files(&["a", "b"])).unwrap();
        assert_eq!(listing(root.path()), [".slicewise", "a", "b", "thesis.txt"]);
        Folder::open(root.path(), false).unwrap().write(&files(&["b"])).unwrap();
        assert_eq!(listing(root.path()), [".slicewise", "b", "thesis.txt"]);
        let inside = Folder::open(&root.path().join("thesis.txt"), true).unwrap_err();
        assert!(matches!(inside, FolderError::Refused(why) if why.contains("is a file")));
    }

    #[test]
    fn what_a_user_adds_to_our_folder_stays() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("six");
        Folder::open(&out, false).unwrap().write(&files(&["a"])).unwrap();
        fs::write(out.join("remarks.txt"), "mine").unwrap();
        Folder::open(&out, false).unwrap().write(&files(&["b"])).unwrap();
        assert_eq!(listing(&out), [".slicewise", "b", "remarks.txt"]);
    }

    #[test]
    fn a_failed_write_keeps_the_old_results() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("six");
        Folder::open(&out, false).unwrap().write(&files(&["a"])).unwrap();
        let folder = Folder::open(&out, false).unwrap();
        assert!(folder.write(&files(&["b", "no/such/folder"])).is_err());
        assert_eq!(listing(&out), [".slicewise", "a"]);
        assert_eq!(listing(root.path()), ["six"]);
    }

    #[test]
    fn a_marker_cannot_name_files_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let marker = root.path().join(MARKER);
        fs::write(&marker, format!("{HEAD}\n../victim\n/etc/passwd\nfine\n\n")).unwrap();
        let ours = Folder::open(root.path(), false).unwrap().ours;
        assert_eq!(ours.into_iter().collect::<Vec<_>>(), [MARKER, "fine"]);
        fs::write(&marker, "years of work\n").unwrap();
        assert!(matches!(Folder::open(root.path(), false), Err(FolderError::Refused(_))));
    }
}
