//! How an answer is made, for its page: the command as it was typed, and what was read.

use super::arguments::RunArgs;
use crate::config::Inputs;
use crate::report::Made;
use std::path::Path;

/// Of this process.
pub(super) fn made(inputs: Inputs) -> Made {
    let Inputs { files, built_in } = inputs;
    let typed = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let mut words = vec!["slicewise".to_string()];
    words.extend(typed.map(|word| quoted(&word)));
    // It chooses what is read, as if it had been typed.
    let folder = std::env::var("SLICEWISE_CONFIGS").ok().filter(|folder| !folder.is_empty());
    if let Some(folder) = folder {
        words.insert(0, format!("SLICEWISE_CONFIGS={}", quoted(&folder)));
    }
    Made { command: words.join(" "), files, built_in }
}

/// The command `trace` of the same scenario, as a shell reads it, with these words at its end; none where
/// there are none.
pub(super) fn trace(run: &RunArgs, configs: Option<&Path>, words: &[String]) -> Vec<String> {
    if words.is_empty() {
        return Vec::new();
    }
    let mut command = vec!["slicewise".to_string()];
    if let Some(configs) = configs {
        command.extend(["--configs".to_string(), configs.display().to_string()]);
    }
    command.extend(["trace".to_string(), run.path.display().to_string()]);
    command.extend(run.set.iter().flat_map(|set| ["--set".to_string(), set.clone()]));
    let workload = run.workload.iter().map(|name| ("--workload", name.clone()));
    let seed = run.seed.iter().map(|seed| ("--seed", seed.to_string()));
    command.extend(workload.chain(seed).flat_map(|(flag, value)| [flag.to_string(), value]));
    command.extend_from_slice(words);
    command.iter().map(|word| quoted(word)).collect()
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,+%@".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_word_as_it_was() {
        for (word, text) in [
            ("--set", "--set"),
            ("vm.vcpus=8", "vm.vcpus=8"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$HOME;x", "'$HOME;x'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), text);
        }
    }
}
