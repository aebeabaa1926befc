//! A single file at a place that the user chose: a workload, a page.
//!
//! It is written beside its place and then moved there. Anything but a plain file, such as a pipe,
//! is written to directly.

use anyhow::{Context, bail};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file; missing folders are created.
pub fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if is_device(path)? {
        let device = File::options().write(true).open(path);
        return device.and_then(|mut device| device.write_all(bytes)).with_context(cannot);
    }
    through_temporary(path, bytes, |temporary| fs::rename(temporary, path)).with_context(cannot)
}

/// Whether [`write_file`] could write there, called before the work: missing folders are created,
/// nothing else is kept.
pub fn can_write(path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if is_device(path)? {
        return Ok(());
    }
    through_temporary(path, &[b'.'; 64 << 10], |temporary| fs::remove_file(temporary))
        .with_context(cannot)
}

/// Whether what stands there is neither a file nor nothing; what cannot be written is refused.
fn is_device(path: &Path) -> anyhow::Result<bool> {
    let shown = path.display();
    match path.metadata() {
        Ok(data) if data.is_dir() => bail!("cannot write {shown}: it is a folder"),
        Ok(data) if !data.is_file() => Ok(true),
        _ if path.is_symlink() => {
            bail!("cannot write {shown}: it is a symbolic link; name the file that it points to")
        }
        _ => Ok(false),
    }
}

/// Writes a temporary file beside `path`, and ends with it.
fn through_temporary(
    path: &Path,
    bytes: &[u8],
    end: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let (temporary, mut file) = new_beside(parent, &name)?;
    let written = file.write_all(bytes).and_then(|()| end(&temporary));
    if written.is_err() {
        let _ = fs::remove_file(&temporary); // Ours: it was not there before.
    }
    written
}

/// A file that was not there before, not even as a link.
fn new_beside(parent: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    let process = std::process::id();
    for number in 0..1000 {
        let path = parent.join(format!(".slicewise-tmp-{name}-{process}-{number}"));
        match File::options().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            other => return other.map(|file| (path, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there_and_nothing_stays_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("new/folder/my.toml");
        can_write(&path).unwrap();
        assert!(!path.exists());
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        for bad in [root.path().to_path_buf(), path.join("below-a-file")] {
            assert!(can_write(&bad).is_err() && write_file(&bad, b"x").is_err(), "{bad:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed_and_a_device_not_replaced() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let (victim, link) = (root.path().join("victim"), root.path().join("link"));
        fs::write(&victim, "years of work").unwrap();
        symlink(&victim, &link).unwrap();
        let told = can_write(&link).unwrap_err().to_string();
        assert!(told.contains("symbolic link"), "{told}");
        assert!(write_file(&link, b"x").is_err());
        // Planted where the temporary file would be.
        let path = root.path().join("my.toml");
        let process = std::process::id();
        symlink(&victim, root.path().join(format!(".slicewise-tmp-my.toml-{process}-0"))).unwrap();
        can_write(&path).unwrap();
        write_file(&path, b"mine").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read(&victim).unwrap(), b"years of work");
        write_file(Path::new("/dev/null"), b"x").unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }
}
