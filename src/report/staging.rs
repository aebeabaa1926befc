//! `Staging`: unfinished files, in a work folder within the output folder.
//!
//! A list there names every file before it is created, so that files left by a killed process can
//! be distinguished from files of others. Once all are finished, the folder's new marker is added;
//! from then on they are moved to their places, and a later process that finds a work folder with a
//! marker completes this.

use super::marker::{MARKER, WORK, is_plain, read_marker};
use anyhow::Context;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where results go whose places are taken.
const ASIDE: &str = "slicewise-results";

/// Names what is or will be here.
const LIST: &str = ".slicewise-list";

/// The new marker before it is whole.
const UNSEALED: &str = ".slicewise-marker";

/// The list's first line.
const LIST_HEAD: &str = "Under construction by slicewise:";

/// So much must find room before the work: results are seldom larger than some of these.
const PROBE: usize = 64 << 10;

/// Unfinished files.
#[derive(Debug)]
pub(super) struct Staging {
    place: PathBuf,
    names: Vec<String>,
    list: File,
}

impl Staging {
    /// Creates the folder, and tries whether files can be written there.
    pub(super) fn begin(folder: &Path) -> io::Result<Self> {
        let place = new_folder(folder, WORK)?;
        let begun = new_file(&place.join(LIST)).and_then(|mut list| {
            writeln!(list, "{LIST_HEAD}")?;
            let probe = place.join(UNSEALED);
            let tried = new_file(&probe).and_then(|mut file| file.write_all(&[b'.'; PROBE]));
            fs::remove_file(&probe)?;
            tried.map(|()| list)
        });
        match begun {
            Ok(list) => Ok(Self { place, names: Vec::new(), list }),
            Err(error) => {
                let _ = fs::remove_file(place.join(LIST));
                let _ = fs::remove_dir(&place);
                Err(error)
            }
        }
    }

    /// Begins a file.
    pub(super) fn create(&mut self, name: &str) -> io::Result<File> {
        if !is_plain(name) || [MARKER, LIST, UNSEALED].contains(&name) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "this is not the name of a file",
            ));
        }
        writeln!(self.list, "{name}")?;
        let file = new_file(&self.place.join(name))?;
        self.names.push(name.to_string());
        Ok(file)
    }

    /// A finished file, to be read.
    pub(super) fn read(&self, name: &str) -> io::Result<File> {
        File::open(self.place.join(name))
    }

    /// The files so far.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.names.iter()
    }

    /// Marks all files as finished; the marker lists them.
    pub(super) fn seal(&self, marker: &str) -> io::Result<()> {
        let unsealed = self.place.join(UNSEALED);
        new_file(&unsealed)?.write_all(marker.as_bytes())?;
        fs::rename(unsealed, self.place.join(MARKER))
    }

    /// Moves finished files to their places.
    pub(super) fn put_in_place(self, folder: &Path) -> anyhow::Result<()> {
        put_in_place(&self.place, folder)
    }

    /// Leaves finished files in a separate folder, since their places are taken.
    pub(super) fn set_aside(self, folder: &Path) -> io::Result<PathBuf> {
        let aside = new_folder(folder, ASIDE)?;
        fs::rename(&self.place, &aside)?; // Over an empty folder.
        fs::remove_file(aside.join(LIST))?;
        Ok(aside)
    }

    /// Removes all its files.
    pub(super) fn discard(self) {
        remove_listed(&self.place);
    }

    /// Removes unfinished files that killed processes left, or moves them to their places if they
    /// were finished. The folder is locked, so no other process uses it.
    pub(super) fn clear_up(folder: &Path) -> anyhow::Result<()> {
        for place in (0..TRIES).map(|number| numbered(folder, WORK, number)) {
            match place.symlink_metadata() {
                Ok(data) if data.is_dir() => {}
                Ok(_) => continue,
                Err(_) => return Ok(()),
            }
            if !read_marker(&place.join(MARKER))?.files.is_empty() && is_listed(&place) {
                put_in_place(&place, folder)?;
            } else {
                remove_listed(&place);
            }
        }
        Ok(())
    }
}

/// Puts the files of a sealed folder where they belong; ending what a killed process began is the
/// same. Files that are replaced go first, so that never old ones stand beside new ones. A file that
/// came in meanwhile and has a name of ours stays, and so does ours, where it is.
fn put_in_place(place: &Path, folder: &Path) -> anyhow::Result<()> {
    let there = read_marker(&folder.join(MARKER))?.files;
    let new = read_marker(&place.join(MARKER))?.files;
    let waits = |name: &str| place.join(name).symlink_metadata().is_ok();
    let gone = there.iter().filter(|name| *name != MARKER);
    for name in gone.filter(|name| !new.contains(*name) || waits(name)) {
        match fs::remove_file(folder.join(name)) {
            // A folder of that name is none of ours.
            Err(error) if error.kind() != io::ErrorKind::NotFound && new.contains(name) => {
                return Err(anyhow::Error::from(error).context(format!("cannot replace {name}")));
            }
            _ => {}
        }
    }
    for name in new.iter().filter(|name| *name != MARKER && waits(name)) {
        let (from, to) = (place.join(name), folder.join(name));
        if to.symlink_metadata().is_err() {
            fs::rename(from, to).with_context(|| format!("cannot write {name}"))?;
        }
    }
    fs::rename(place.join(MARKER), folder.join(MARKER)).context("cannot write the marker")?;
    remove_listed(place);
    Ok(())
}

/// Removes the files that the list names, the list, and the folder if nothing else is in it.
fn remove_listed(place: &Path) {
    if is_listed(place) {
        let text = fs::read_to_string(place.join(LIST)).unwrap_or_default();
        let names = text.lines().skip(1).filter(|name| is_plain(name));
        for name in names.chain([UNSEALED, MARKER, LIST]) {
            let _ = fs::remove_file(place.join(name));
        }
    } else if fs::read(place.join(LIST)).is_ok_and(|bytes| LIST_HEAD.as_bytes().starts_with(&bytes))
    {
        let _ = fs::remove_file(place.join(LIST)); // Torn in its first line.
    }
    let _ = fs::remove_dir(place);
}

/// Whether the list is there, and ours.
fn is_listed(place: &Path) -> bool {
    let list = place.join(LIST);
    let is_file = list.symlink_metadata().is_ok_and(|data| data.is_file());
    is_file && fs::read_to_string(list).is_ok_and(|text| text.lines().next() == Some(LIST_HEAD))
}

/// More folders than anybody has of one name.
const TRIES: u32 = 1000;

/// A folder that was not there before; a link of that name is passed over like a folder.
fn new_folder(parent: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 0..TRIES {
        let place = numbered(parent, name, number);
        match fs::create_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            other => return other.map(|()| place),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{name} and so on exist")))
}

fn numbered(parent: &Path, name: &str, number: u32) -> PathBuf {
    match number {
        0 => parent.join(name),
        number => parent.join(format!("{name}-{number}")),
    }
}

/// A file that was not there before, not even as a link.
fn new_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}
