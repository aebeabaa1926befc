//! `slicewise man` and `--version`: the program's own documentation.
//!
//! All of it is generated from the command line's own description; nothing is written twice.

use super::failure::Failure;
use super::output;
use clap::Command;

/// What `--version` prints.
pub(super) const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nresult document: schema_version 1",
    "\nscenario files: `slicewise schema`",
    "\nlicence: ",
    env!("CARGO_PKG_LICENSE"),
);

/// Below the help of `slicewise man`.
pub(super) const MAN_HELP: &str = "\
To read a page:
  slicewise man | man -l -
  slicewise man vgpu fit | man -l -

To install the pages:
  cd ~/.local/share/man/man1
  slicewise man > slicewise.1
  slicewise man run > slicewise-run.1";

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
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let page = clap_mangen::Man::new(command.after_help(None)).title(name);
    let page = page.source(concat!("slicewise ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    page.render(&mut text).map_err(anyhow::Error::from)?;
    let text = String::from_utf8_lossy(&text);
    // Where manual pages have them: behind the options, before the version.
    let at = text.find(".SH VERSION").unwrap_or(text.len());
    output::data(&format!("{}{}{}", &text[..at], sections(&below), &text[at..]))
}

/// What stands below a help, as sections of a page under the names that manual pages use.
fn sections(help: &str) -> String {
    let (mut notes, mut examples, mut exit_status) = (Vec::new(), Vec::new(), Vec::new());
    let mut current = &mut notes;
    for line in help.lines() {
        match line {
            "Examples:" => current = &mut examples,
            "Exit codes:" => current = &mut exit_status,
            _ => {
                let is_heading = line.ends_with(':') && !line.starts_with(' ');
                current = if is_heading { &mut notes } else { current };
                current.push(line);
            }
        }
    }
    let all = [("EXIT STATUS", exit_status), ("NOTES", notes), ("EXAMPLES", examples)];
    let filled = all.iter().filter(|(_, lines)| lines.iter().any(|line| !line.is_empty()));
    filled.map(|(name, lines)| format!(".SH {name}\n.nf\n{}.fi\n", verbatim(lines))).collect()
}

/// Lines that roff prints as they stand.
fn verbatim(lines: &[&str]) -> String {
    let line = |line: &&str| {
        let text = line.replace('\\', "\\e").replace('-', "\\-");
        let guard = if text.starts_with(['.', '\'']) { "\\&" } else { "" };
        format!("{guard}{text}\n")
    };
    let empty = |line: &&&str| line.is_empty();
    let end = lines.len() - lines.iter().rev().take_while(empty).count();
    lines[..end].iter().skip_while(empty).map(line).collect()
}

fn unknown(word: &str, above: &[String], known: &[String]) -> Failure {
    let shown = crate::config::quoted(word);
    let title = format!("{shown} is not a command of slicewise {}", above.join(" "));
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
