//! `slicewise completions`, `slicewise man` and `--version`: what the program says about itself.
//!
//! All of it is made of the command line's own description; nothing is told twice.

use super::{Failure, output};
use clap::Command;
use clap_complete::Shell;

/// What `--version` prints.
pub(super) const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nresult document: schema_version 1",
    "\nscenario files: `slicewise schema`",
    "\nlicence: ",
    env!("CARGO_PKG_LICENSE"),
);

/// Below the help of `slicewise completions`.
pub(super) const COMPLETIONS_HELP: &str = "\
To install them:
  bash        slicewise completions bash > ~/.local/share/bash-completion/completions/slicewise
  zsh         slicewise completions zsh > \"${fpath[1]}/_slicewise\"
  fish        slicewise completions fish > ~/.config/fish/completions/slicewise.fish
  powershell  slicewise completions powershell >> $PROFILE
  elvish      slicewise completions elvish >> ~/.config/elvish/rc.elv

For the shell at hand alone:
  source <(slicewise completions bash)";

/// Below the help of `slicewise man`.
pub(super) const MAN_HELP: &str = "\
To read a page:
  slicewise man | man -l -
  slicewise man vgpu fit | man -l -

To install the pages:
  cd ~/.local/share/man/man1
  slicewise man > slicewise.1
  slicewise man run > slicewise-run.1";

/// Prints the completions.
pub(super) fn completions(shell: Shell, mut program: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, "slicewise", &mut text);
    output::data(&String::from_utf8_lossy(&text))
}

/// Prints the page of a command.
pub(super) fn page(words: &[String], mut program: Command) -> Result<(), Failure> {
    // Names with all their words, and the flags that every command has.
    program.build();
    let mut command = program;
    for (index, word) in words.iter().enumerate() {
        let found = command.get_subcommands().find(|known| known.get_name() == word).cloned();
        let known = || {
            let names = command.get_subcommands().map(|known| known.get_name().to_string());
            names.filter(|name| name != "help").collect::<Vec<_>>()
        };
        command = found.ok_or_else(|| unknown(word, &words[..index], &known()))?;
    }
    let name = command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-");
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command).title(name);
    let page = page.source(concat!("slicewise ", env!("CARGO_PKG_VERSION")));
    page.render(&mut text).map_err(anyhow::Error::from)?;
    output::data(&String::from_utf8_lossy(&text))
}

fn unknown(word: &str, above: &[String], known: &[String]) -> Failure {
    let title =
        format!("{} is no command of slicewise {}", crate::config::quoted(word), above.join(" "));
    let title = title.trim_end().to_string();
    if known.is_empty() {
        return Failure::Usage(title);
    }
    let near = crate::config::nearest(word, known);
    let help = near.map(|near| format!("\n  = help: did you mean \"{near}\"?")).unwrap_or_default();
    Failure::Usage(format!("{title}\n  = allowed: {}{help}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_names_the_schema_of_the_result_document() {
        let schema = format!("schema_version {}\n", crate::study::SCHEMA_VERSION);
        assert!(super::VERSION.contains(&schema), "{}", super::VERSION);
    }
}
