//! Finds and reads the files of a path: a file, or a folder of `*.toml`, but nothing that could
//! block.
//!
//! It knows nothing about their content, except that it is TOML.

use super::diagnostic::{Diagnostic, Problems, SHOWN_MAX, SourceFile, Spot};
use super::load_error::LoadError;
use super::set_arguments;
use crate::formats::recognise;
use anyhow::{Context, anyhow};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::DeTable;

/// No file is longer: 1 MiB. A scenario of a hundred VMs needs a fiftieth of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The most files of a folder.
pub(crate) const FILES_MAX: usize = 64;

/// What messages call standard input.
const STDIN: &str = "<stdin>";

/// Whether the path means standard input, which can be read only once.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The paths that `path` stands for, in order of their names: itself, or the `*.toml` in it.
/// Hidden files and subfolders are left alone.
pub(crate) fn files_of(path: &Path, problems: &Problems) -> anyhow::Result<Vec<PathBuf>> {
    if is_stdin(path) {
        return Ok(vec![path.to_path_buf()]);
    }
    let shown = path.display().to_string();
    let kind = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
    if kind.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    if !kind.is_dir() {
        let what = "the path is neither a file nor a folder";
        problems.push(
            Diagnostic::about(&shown, None, what)
                .allowed("a regular file, or a folder of *.toml files"),
        );
        return Ok(Vec::new());
    }
    let mut files = toml_files(path)?;
    files.sort();
    if files.len() > FILES_MAX {
        let title = format!("the folder holds {} *.toml files", files.len());
        problems
            .push(Diagnostic::about(&shown, None, title).allowed(format!("at most {FILES_MAX}")));
        files.clear();
    }
    Ok(files)
}

/// The visible `*.toml` of a folder, in no order.
fn toml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| cannot_read(folder, &error))? {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let toml = path.extension().is_some_and(|extension| extension == "toml");
        if toml && !hidden && !path.is_dir() {
            files.push(path);
        }
    }
    Ok(files)
}

/// What most files are that are not UTF-8, and how they become it.
const AS_UTF_8: &str = "often an accent or a character such as µ in Windows-1252 or Latin-1: save \
    it as UTF-8 (Excel: \"CSV UTF-8\"), or iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW";

/// The text of a file; nothing, with a diagnostic, when it is not a text file.
pub(crate) fn read(path: &Path, problems: &Problems) -> anyhow::Result<Option<Arc<SourceFile>>> {
    read_up_to(path, FILE_BYTES_MAX, problems)
}

/// The text of a file of at most `bytes_max` bytes, or nothing with a diagnostic.
pub(crate) fn read_up_to(
    path: &Path,
    bytes_max: u64,
    problems: &Problems,
) -> anyhow::Result<Option<Arc<SourceFile>>> {
    let shown = if is_stdin(path) { STDIN.to_string() } else { path.display().to_string() };
    let refuse = |place, title: String, allowed: String| {
        problems.push(Diagnostic::about(&shown, place, title).allowed(allowed));
        Ok(None)
    };
    if !is_stdin(path) && !fs::metadata(path).map_err(|error| cannot_read(path, &error))?.is_file()
    {
        let what = "the path is not a regular file";
        return refuse(None, what.to_string(), "a text file".to_string());
    }
    let mut bytes = Vec::new();
    let reading = match is_stdin(path) {
        true => std::io::stdin().lock().take(bytes_max + 1).read_to_end(&mut bytes),
        false => {
            fs::File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        }
    };
    reading.map_err(|error| cannot_read(path, &error))?;
    if bytes.len() as u64 > bytes_max {
        let allowed = format!("at most {} MiB", bytes_max >> 20);
        return refuse(None, "the file is too long".to_string(), allowed);
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let title = "the file is UTF-16, as `>` of Windows PowerShell writes it";
        let help = "save it as UTF-8: Get-Content FILE | Set-Content -Encoding utf8 NEW";
        problems.push(Diagnostic::about(&shown, None, title).allowed("UTF-8 text").help(help));
        return Ok(None);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(Arc::new(SourceFile::new(shown, text)))),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let column = good.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
            // What has a zero byte is no text at all: no place in it is of use.
            let diagnostic = match error.as_bytes().contains(&0) {
                true => Diagnostic::about(&shown, None, "the file is binary, not text"),
                false => {
                    Diagnostic::about(&shown, Some((line, column)), "the file is not UTF-8 text")
                        .help(AS_UTF_8)
                }
            };
            problems.push(diagnostic.allowed("UTF-8 text"));
            Ok(None)
        }
    }
}

/// The tree of a file with its settings applied, or nothing with all of its syntax errors reported.
pub(crate) fn parse<'a>(file: &'a Arc<SourceFile>, problems: &Problems) -> Option<DeTable<'a>> {
    let text = &file.text[..file.own_end()];
    let (tree, errors) = DeTable::parse_recoverable(text);
    if let Some(kind) = recognise::not_toml(text).filter(|_| !errors.is_empty()) {
        problems.push(wrong_kind(file, kind));
        return None;
    }
    for error in errors.iter().take(SHOWN_MAX) {
        let span = error.span().unwrap_or(0..0);
        let title = match error.message() {
            "recursion limit" => "the file is nested too deeply",
            message if message.starts_with("cannot recurse further") => {
                "the file is nested too deeply"
            }
            message => message,
        };
        let message = title.replace('\n', "; ");
        let quotes = ['“', '”', '„', '‘', '’', '«', '»'];
        let start = text[..span.start.min(text.len())].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start..].lines().next().unwrap_or("");
        let diagnostic =
            Diagnostic::at(&Spot { file: file.clone(), span }, message).label("not valid TOML");
        problems.push(match line.contains(quotes) {
            true => diagnostic.help("the quotes are typographic; write straight ones: \"...\""),
            false => diagnostic,
        });
    }
    let mut tree = errors.is_empty().then(|| tree.into_inner())?;
    set_arguments::apply(file, &mut tree, problems);
    Some(tree)
}

/// Whether the file is a scenario by its keys; if it is another TOML file of ours, that is reported
/// with the command that reads it.
pub(crate) fn is_of_kind(
    file: &Arc<SourceFile>,
    tree: &DeTable<'_>,
    wanted: recognise::Kind,
    problems: &Problems,
) -> bool {
    let keys: Vec<&str> = tree.keys().map(|key| key.get_ref().as_ref()).collect();
    let kind = recognise::by_keys(&keys);
    let other = kind.filter(|kind| *kind != wanted);
    other.into_iter().for_each(|kind| problems.push(wrong_kind(file, kind)));
    other.is_none()
}

/// A file without any key, and what it needs.
pub(crate) fn is_empty(file: &Arc<SourceFile>, help: &str, problems: &Problems) {
    let spot = Spot { file: file.clone(), span: 0..0 };
    problems.push(Diagnostic::at(&spot, "the file is empty").help(help));
}

fn wrong_kind(file: &Arc<SourceFile>, kind: recognise::Kind) -> Diagnostic {
    let spot = Spot { file: file.clone(), span: 0..0 };
    Diagnostic::at(&spot, format!("the file is {}", kind.what)).of_form().help(kind.next)
}

/// That a folder of the catalogue is there, or how one is made.
pub(crate) fn must_be_folder(folder: &Path) -> Result<(), LoadError> {
    let what = match (folder.is_dir(), folder.exists()) {
        (true, _) => return Ok(()),
        (false, true) => "is a file, not a folder",
        (false, false) => "does not exist",
    };
    let shown = folder.display();
    Err(LoadError::World(anyhow!(
        "the folder of --configs or SLICEWISE_CONFIGS {what}: {shown}; `slicewise new gpu -o \
         DIR/gpus/my-gpu.toml` makes one with a first file"
    )))
}

/// `cannot read X: no such file`.
fn cannot_read(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_string(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        _ => error.to_string(),
    };
    anyhow!("cannot read {}: {why}", path.display())
}
