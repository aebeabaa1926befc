//! How an answer is made, for its page: the command as it was typed, and what was read.

use crate::config::Inputs;
use crate::report::Made;

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
    Made { command: words.join(" "), files, built_in, window: None }
}

/// A word as a shell reads it.
pub(super) fn quoted(word: &str) -> String {
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
