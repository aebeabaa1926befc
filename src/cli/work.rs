//! The common steps of every command that simulates: it opens its folder, announces the work, works
//! on a number of threads, and writes the answer.
//!
//! It knows no single command.

use super::arguments::{OutputArgs, RunArgs};
use super::failure::Failure;
use super::interrupt::Watch;
use super::progress::Progress;
use super::{announce, output};
use crate::report::{File, Folder, FolderError, Made, Maker, Report, WebPage, table};
use crate::study::Planned;
use anyhow::Context;
use std::path::{Path, PathBuf};

/// A command at work.
pub(super) struct Work<'a> {
    output: &'a OutputArgs,
    watch: Watch,
}

/// The output folder: the one on the command line, else the default of this name; and whether to
/// write into it although it holds other files.
pub(super) type Place<'a> = (&'a Option<PathBuf>, &'a str, bool);

impl<'a> Work<'a> {
    /// Opens the folder, before the work, so that a wrong folder is reported at once.
    pub(super) fn begin(
        output: &'a OutputArgs,
        maker: Maker,
        place: Place<'_>,
        bar: &Progress,
    ) -> Result<Self, Failure> {
        let shown = folder(place).display().to_string();
        let kept = move || format!("nothing was written; {shown} was not changed");
        Ok(Self::begin_with(output, maker, place, bar, |_| Ok(((), kept)))?.0)
    }

    /// The same, where work begins in the folder at once: with the text that reports what is kept.
    pub(super) fn begin_with<T, Kept: FnOnce() -> String + Send + 'static>(
        output: &'a OutputArgs,
        maker: Maker,
        place: Place<'_>,
        bar: &Progress,
        begin: impl FnOnce(&Folder) -> Result<(T, Kept), FolderError>,
    ) -> Result<(Self, T), Failure> {
        let (watch, begun) = Watch::open(&folder(place), maker, place.2, bar, begin)?;
        Ok((Self { output, watch }, begun))
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Folder {
        self.watch.folder()
    }

    /// Prints a message, unless `--quiet`.
    pub(super) fn say(&self, line: impl AsRef<str>) {
        if !self.output.quiet {
            output::message(line.as_ref());
        }
    }

    /// Prints the amount that is about to be simulated. Returns whether anything was printed.
    pub(super) fn announce(&self, planned: impl FnOnce() -> Vec<Planned>) -> bool {
        !self.output.quiet && announce::amount(&planned(), self.output.threads)
    }

    /// Runs the simulation.
    pub(super) fn simulate<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R, Failure> {
        with_threads(self.output.threads, work)
    }

    /// Writes the files of the answer and prints it.
    pub(super) fn deliver(&self, answer: &dyn Report) -> Result<(), Failure> {
        self.write(&self.simulate(|| answer.files())??)?;
        self.say("");
        self.print(answer)
    }

    /// The same, a page among the files if one was asked for.
    pub(super) fn deliver_with<A: Report + WebPage>(
        &self,
        answer: &A,
        made: Option<&Made>,
    ) -> Result<(), Failure> {
        let mut files = self.simulate(|| answer.files())??;
        if let Some(made) = made {
            files.push(answer.web_page(made)?);
        }
        self.write(&files)?;
        self.say("");
        self.print(answer)
    }

    /// Writes files into the folder, and reports it.
    pub(super) fn write(&self, files: &[File]) -> Result<(), Failure> {
        self.folder().write(files)?;
        self.wrote(files.iter().map(|file| file.name.as_str()));
        Ok(())
    }

    /// Reports what was written.
    pub(super) fn wrote<'n>(&self, names: impl Iterator<Item = &'n str>) {
        let names: Vec<&str> = names.collect();
        self.say(format!("wrote {}: {}", self.folder().path().display(), names.join(" ")));
    }

    /// Prints the answer: the document for programs, or the table.
    pub(super) fn print(&self, answer: &dyn Report) -> Result<(), Failure> {
        match self.output.json {
            true => output::data(&answer.document()?),
            false => output::data(&table::paint(&answer.table(self.output.width()))),
        }
    }
}

impl RunArgs {
    /// Opens the folder of a command that reads a scenario.
    pub(super) fn begin(
        &self,
        maker: Maker,
        default: &str,
        bar: &Progress,
    ) -> Result<Work<'_>, Failure> {
        Work::begin(&self.output, maker, (&self.out, default, self.force), bar)
    }
}

fn folder((out, default, _): Place<'_>) -> PathBuf {
    out.clone().unwrap_or_else(|| default_folder(default))
}

/// Does the work with `threads` threads, or one per core.
pub(super) fn with_threads<R: Send>(
    threads: Option<u16>,
    work: impl FnOnce() -> R + Send,
) -> Result<R, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0).into()).build();
    Ok(pool.context("cannot start threads")?.install(work))
}

/// `output/<scenario>`, from the current folder; the name made fit for a folder.
fn default_folder(scenario: &str) -> PathBuf {
    let fit = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = scenario.trim_start_matches('.').chars().map(fit).collect();
    Path::new("output").join(if name.is_empty() { "scenario" } else { name.as_str() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_folder_stays_below_output() {
        for (scenario, folder) in [
            ("vsphere-mlperf-v1.1", "output/vsphere-mlperf-v1.1"),
            ("../../etc", "output/-..-etc"),
            ("..", "output/scenario"),
            ("", "output/scenario"),
        ] {
            assert_eq!(default_folder(scenario), Path::new(folder));
        }
    }
}
