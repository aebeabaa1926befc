//! "Did you mean": the one word of a list that is close enough to suggest.
//!
//! It suggests nothing rather than something far-fetched.

/// Longer words than this are not typing errors of anything.
const WORD_MAX: usize = 80;

/// What people type for the words of this program's files, and how these begin.
const TYPED: [(&str, &str); 21] = [
    ("qps", "target_qps"),
    ("rate", "target_qps"),
    ("rps", "target_qps"),
    ("esxi", "vsphere"),
    ("esx", "vsphere"),
    ("vmware", "vsphere"),
    ("none", "bare-metal"),
    ("baremetal", "bare-metal"),
    ("cpus", "vcpus"),
    ("cores", "vcpus"),
    ("ram", "memory"),
    ("latency", "target_latency"),
    ("slo", "target_latency"),
    ("batch_size", "batch_max"),
    ("max_batch_size", "batch_max"),
    ("batch", "batch_max"),
    ("model", "workload"),
    ("replicas", "count"),
    ("profile", "type"),
    ("name", "type"),
    ("mig_profile", "mig"),
];

/// A word as it would begin in a file: `vsphere-8` for `esxi-8`.
fn in_own_words(word: &str) -> Option<String> {
    TYPED.iter().find_map(|(typed, own)| {
        let rest = word.strip_prefix(typed)?;
        let ends = rest.is_empty()
            || rest.starts_with(|next: char| !next.is_ascii_alphabetic() && next != '_');
        ends.then(|| format!("{own}{rest}"))
    })
}

/// The candidate that is `own`, or begins as it does before any number.
fn beginning<S: AsRef<str>>(own: &str, candidates: &[S]) -> Option<String> {
    let letters = own.split(|next: char| next.is_ascii_digit()).next().unwrap_or(own);
    let letters = letters.trim_end_matches(['-', ' ']);
    let same = candidates.iter().find(|one| one.as_ref() == own);
    let begins = || candidates.iter().find(|one| one.as_ref().to_lowercase().starts_with(letters));
    same.or_else(begins).map(|one| one.as_ref().to_string())
}

/// The candidate nearest to `word`: one that starts with `word`, if `word` has three letters or
/// more; else one at an edit distance of at most two (and at most half the word), or, for long
/// names, with a Jaro-Winkler similarity above 0.85.
pub fn nearest<S: AsRef<str>>(
    word: &str,
    candidates: impl IntoIterator<Item = S>,
) -> Option<String> {
    if word.len() > WORD_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let candidates: Vec<S> = candidates.into_iter().collect();
    if let Some(own) = in_own_words(&word).and_then(|own| beginning(&own, &candidates)) {
        return Some(own);
    }
    let errors_max = (word.chars().count() / 2).min(2);
    let rank = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let errors = strsim::osa_distance(&word, &candidate);
        let alike = strsim::jaro_winkler(&word, &candidate);
        let starts = word.chars().count() >= 3 && candidate.starts_with(&word);
        let near = starts || errors <= errors_max || (word.len() >= 8 && alike > 0.85);
        near.then_some((!starts, errors, (-alike * 1e6) as i64))
    };
    let ranked = candidates.into_iter().filter_map(|candidate| {
        let candidate = candidate.as_ref();
        rank(candidate).map(|rank| (rank, candidate.to_string()))
    });
    ranked.min().map(|(_, candidate)| candidate)
}

/// How many letters two words differ in: changed, missing, too many or two of them swapped. Of long words, all.
pub(crate) fn slips(one: &str, other: &str) -> usize {
    match one.len().max(other.len()) {
        long if long > WORD_MAX => long,
        _ => strsim::osa_distance(one, other),
    }
}

/// Text from a file as a message quotes it: control characters escaped, cut when long.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN { format!("\"{shown}...\"") } else { format!("\"{shown}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_close_words_are_suggested() {
        let known = ["bert-99", "bert-99.9", "ssd-resnet34"];
        assert_eq!(nearest("bret-99", known).as_deref(), Some("bert-99"));
        assert_eq!(nearest("BERT-99.9", known).as_deref(), Some("bert-99.9"));
        assert_eq!(nearest("ssd-resnet-34-large", known).as_deref(), Some("ssd-resnet34"));
        assert_eq!(nearest("ssd", known).as_deref(), Some("ssd-resnet34"));
        assert_eq!(
            nearest("a100", ["a10", "a30", "a100-sxm-80gb"]).as_deref(),
            Some("a100-sxm-80gb")
        );
        let keys = ["scenario", "target_qps", "total_qps", "target_latency"];
        assert_eq!(nearest("qps", keys).as_deref(), Some("target_qps"));
        assert_eq!(nearest("latency", keys).as_deref(), Some("target_latency"));
        let hypervisors = ["bare-metal", "vsphere-7.0u2", "vsphere-8.0"];
        assert_eq!(nearest("esxi", hypervisors).as_deref(), Some("vsphere-7.0u2"));
        assert_eq!(nearest("ESXi-8.0", hypervisors).as_deref(), Some("vsphere-8.0"));
        assert_eq!(nearest("gpt", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn quoted_text_cannot_drive_a_terminal() {
        assert_eq!(quoted("a\u{1b}[31m"), "\"a\\u{1b}[31m\"");
        assert!(quoted(&"x".repeat(1000)).len() < 70);
    }
}
