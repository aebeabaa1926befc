//! How files of slicewise in a folder are distinguished from others: the marker, and names that
//! only slicewise uses.

use anyhow::Context;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The name of the work folder; followed by a number where others have a folder of this name.
pub(super) const WORK: &str = ".slicewise-work";

/// The file that marks a folder as ours and lists the files we wrote into it.
pub(super) const MARKER: &str = ".slicewise";

/// Its first line; a file of that name that starts differently is not ours.
pub(super) const HEAD: &str = "Made by slicewise, and made anew by each run. It wrote:";

/// The beginning of the line that names the command. No file of ours has a space in its name.
pub(super) const COMMAND: &str = "by slicewise ";

/// The content of a marker.
#[derive(Default)]
pub(super) struct Marker {
    /// The files it lists, itself included; only plain names count.
    pub(super) files: BTreeSet<String>,
    /// The command that wrote them.
    pub(super) command: Option<String>,
}

/// Reads the marker at a path; nothing where there is none of ours.
pub(super) fn read_marker(path: &Path) -> anyhow::Result<Marker> {
    if !path.symlink_metadata().is_ok_and(|data| data.is_file()) {
        return Ok(Marker::default());
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    if text.lines().next() != Some(HEAD) {
        return Ok(Marker::default());
    }
    let command = text.lines().nth(1).and_then(|line| line.strip_prefix(COMMAND));
    let names = text.lines().skip(1 + usize::from(command.is_some()));
    let files = names.filter(|name| is_plain(name)).map(str::to_string);
    Ok(Marker {
        files: files.chain([MARKER.to_string()]).collect(),
        command: command.map(str::to_string),
    })
}

/// Whether a name is that of a file in the folder itself, and not of the work folder or marker.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = !name.is_empty() && Path::new(name).file_name() == Some(name.as_ref());
    plain && !name.starts_with(WORK) && name != PARTIAL
}

/// The file's name in its folder.
pub(super) const PARTIAL: &str = ".slicewise-partial";

/// Its first line; a file of that name that starts differently is not ours.
pub(super) const PARTIAL_HEAD: &str =
    "Made by slicewise: finished runs of a sweep that goes on where it stopped. Format 1.\n";

/// Whether the file at a path was written by slicewise: a plain file with our first line.
pub(super) fn is_partial(path: &Path) -> bool {
    let is_file = path.symlink_metadata().is_ok_and(|data| data.is_file());
    let Ok(file) = (if is_file { File::open(path) } else { return false }) else { return false };
    let mut start = Vec::new();
    let read = file.take(PARTIAL_HEAD.len() as u64).read_to_end(&mut start);
    // A shorter one was torn by a kill.
    read.is_ok() && PARTIAL_HEAD.as_bytes().starts_with(&start)
}

/// Whether an open file is still the one at a path.
#[cfg(unix)]
pub(super) fn same_file(file: &fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |data: fs::Metadata| (data.dev(), data.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(there)) => id(file) == id(there),
        _ => false,
    }
}

/// Whether an open file is still the one at a path.
#[cfg(not(unix))]
pub(super) fn same_file(_: &fs::File, path: &Path) -> bool {
    path.exists()
}
