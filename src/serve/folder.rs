//! The scenario files of the user's folder: plain files of it, by their names, and nothing else of the disk.

use crate::explore::Source;
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use toml::Value;

/// Most files that are listed, and the largest that is read.
const FILES: usize = 200;
const BYTES: u64 = 256 << 10;

/// The start of the ids of its files.
const FILE: &str = "file/";

/// A folder of scenario files.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path. Errors where there is none that can be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if path.is_file() {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).display();
            bail!("{} is a file: give its folder, {parent}", path.display());
        }
        fs::read_dir(path).with_context(|| format!("cannot read the folder {}", path.display()))?;
        Ok(Self(path.to_path_buf()))
    }

    /// What it is called.
    pub fn name(&self) -> String {
        self.0.display().to_string()
    }

    /// Its scenario files as they are now, by name; those that cannot be used with the reason. Links are left
    /// out: they may lead anywhere.
    pub(super) fn sources(&self) -> Vec<Source> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let names =
            entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let mut names: Vec<String> = names
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| is_scenario(name))
            .collect();
        names.sort();
        let more = names.len().saturating_sub(FILES);
        let mut all: Vec<Source> =
            names.iter().take(FILES).filter_map(|name| self.read(name)).collect();
        if more > 0 {
            let fault =
                format!("{more} files more are not listed: at most {FILES} of a folder are");
            all.push(self.faulty("...", fault));
        }
        all
    }

    /// The file of an id; nothing where there is none.
    pub(super) fn source(&self, id: &str) -> Option<Source> {
        let name = id.strip_prefix(FILE).filter(|name| is_scenario(name))?;
        // A name, no path: one of those that the folder lists.
        let mut entries = fs::read_dir(&self.0).ok()?.flatten();
        let entry = entries.find(|entry| entry.file_name().to_string_lossy() == name)?;
        entry.file_type().is_ok_and(|kind| kind.is_file()).then(|| self.read(name)).flatten()
    }

    fn faulty(&self, name: &str, fault: String) -> Source {
        let (id, path) = (format!("{FILE}{name}"), self.0.join(name));
        Source { id, path, text: String::new(), fault: Some(fault) }
    }

    /// A file of it; nothing for files that are no scenarios.
    fn read(&self, name: &str) -> Option<Source> {
        let path = self.0.join(name);
        if fs::metadata(&path).map_or(0, |data| data.len()) > BYTES {
            let fault = format!("the file is larger than {} kB", BYTES >> 10);
            return Some(self.faulty(name, fault));
        }
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                return Some(self.faulty(name, format!("the file cannot be read: {error}")));
            }
        };
        if let Ok(file) = text.parse::<toml::Table>() {
            // Other files of ours lie beside scenarios: those have no `[[vm]]`.
            if !file.contains_key("vm") {
                return None;
            }
            if let Some(named) = outside(&Value::Table(file)) {
                let fault = format!(
                    "it names a file outside this folder, {named}: the page reads none; `slicewise run` does"
                );
                return Some(self.faulty(name, fault));
            }
        }
        Some(Source { id: format!("{FILE}{name}"), path, text, fault: None })
    }
}

/// Whether a name is one of a scenario file.
fn is_scenario(name: &str) -> bool {
    name.ends_with(".toml") && !name.starts_with(['_', '.'])
}

/// Keys whose texts are words for people.
const WORDS: [&str; 5] = ["title", "name", "lesson", "source", "sources"];

/// A text that names a file outside the folder.
fn outside(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let parts = || text.split(['/', '\\']);
            let is_absolute = text.starts_with(['/', '\\', '~']) || text.get(1..3) == Some(":\\");
            (is_absolute || parts().any(|part| part == "..")).then(|| text.clone())
        }
        Value::Array(all) => all.iter().find_map(outside),
        Value::Table(all) => {
            let mut values = all.iter().filter(|(key, _)| !WORDS.contains(&key.as_str()));
            values.find_map(|(_, value)| outside(value))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_scenario_files_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.toml"), "title = \"a / b\"\n[[vm]]\nworkload = \"models/x.toml\"\n")
            .unwrap();
        fs::write(at("broken.toml"), "[[vm").unwrap();
        fs::write(at("_folder.toml"), "title = \"x\"").unwrap();
        fs::write(at("workload.toml"), "name = \"x\"").unwrap();
        fs::write(at("b.txt"), "[[vm]]").unwrap();
        fs::write(at("latin.toml"), b"title = \"\xe4\"").unwrap();
        fs::write(at("large.toml"), vec![b'#'; (BYTES + 1) as usize]).unwrap();
        fs::write(at("out.toml"), "[[vm]]\nload = { conf = [\"a.conf\", \"/etc/passwd\"] }")
            .unwrap();
        fs::write(at("up.toml"), "[[vm]]\nworkload = \"../secret.toml\"").unwrap();
        fs::create_dir(at("c.toml")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("a.toml"), at("link.toml")).unwrap();
        let opened = Folder::open(folder.path()).unwrap();
        let seen = opened.sources();
        let seen: Vec<(&str, bool)> =
            seen.iter().map(|source| (&*source.id, source.fault.is_none())).collect();
        let expected = [
            ("file/a.toml", true),
            ("file/broken.toml", true),
            ("file/large.toml", false),
            ("file/latin.toml", false),
            ("file/out.toml", false),
            ("file/up.toml", false),
        ];
        assert_eq!(seen, expected);
        assert!(opened.source("file/a.toml").is_some());
        for id in ["file/link.toml", "file/../a.toml", "file/none.toml", "a.toml", "file/b.txt"] {
            assert!(opened.source(id).is_none(), "{id}");
        }
        let told = Folder::open(&at("a.toml")).unwrap_err().to_string();
        assert!(told.contains("give its folder"), "{told}");
        assert!(Folder::open(&at("nowhere")).is_err());
    }
}
