//! Numbers as people read them: one rule for each kind of figure, used by tables and charts alike.
//!
//! Numbers in JSON and CSV are formatted by `written`.

use crate::shown::shown;
use crate::study::Origin;
use crate::units::SimTime;

/// A rate per second with about five digits: `97.31`, `7800.6`, `764556`.
pub(super) fn rate(per_s: f64) -> String {
    match per_s.abs() {
        x if !x.is_finite() => "-".to_string(),
        x if x > 0.0 && x < 0.1 => {
            format!("{per_s:.2e}").parse::<f64>().unwrap_or(per_s).to_string()
        }
        x if x < 100.0 => format!("{per_s:.2}"),
        x if x < 100_000.0 => format!("{per_s:.1}"),
        _ => format!("{per_s:.0}"),
    }
}

/// A latency given in milliseconds; from ten seconds on written in seconds, with the unit: `515.9 s`, and
/// from two hours on in hours.
pub(super) fn latency(ms: f64) -> String {
    match ms.abs() {
        x if !x.is_finite() => "-".to_string(),
        x if x < 10.0 => format!("{ms:.2}"),
        x if x < 10_000.0 => format!("{ms:.1}"),
        x if x >= 7.2e6 => format!("{} h", plain((ms / 3.6e4).round() / 100.0)),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

/// A latency given in milliseconds, with its unit: `43.6 ms`, `66.6 s`.
pub(super) fn with_unit(ms: f64) -> String {
    let text = latency(ms);
    // Seconds carry theirs, and what is no number has none.
    if text.contains(' ') || !ms.is_finite() { text } else { format!("{text} ms") }
}

/// An interval, both figures written by `write`: a unit that both have is written once, after the
/// second, and figures that read the same are written once.
pub(super) fn span([low, high]: [f64; 2], write: impl Fn(f64) -> String) -> String {
    let (low, high) = (write(low), write(high));
    if low == high {
        return low;
    }
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number} to {high}"),
        _ => format!("{low} to {high}"),
    }
}

/// An interval of latencies in milliseconds; each with its unit where they differ: `20.4 ms to 98.2
/// s`.
pub(super) fn latency_span(ends: [f64; 2]) -> String {
    let [low, high] = ends.map(|ms| latency(ms).contains(' '));
    if low == high { span(ends, latency) } else { span(ends, with_unit) }
}

/// A signed percentage without its sign of percent: `+1.2`, `-0.3`, `0.0`.
pub(super) fn percent(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_string();
    }
    let text = format!("{value:+.1}");
    if matches!(text.as_str(), "+0.0" | "-0.0") { "0.0".to_string() } else { text }
}

/// A ratio to three decimals.
pub(super) fn ratio(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "-".to_string() }
}

/// A plain number without needless zeros: `24`, `0.5`, `1.333`.
pub(super) fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// An instant of a run: `0 s`, `1.05 s`.
pub(super) fn instant(at: SimTime) -> String {
    if at == SimTime::ZERO { "0 s".to_string() } else { at.to_string() }
}

/// A value as text; a dash where there is none.
pub(super) fn or_dash<T>(value: Option<T>, write: impl FnOnce(T) -> String) -> String {
    value.map_or("-".to_string(), write)
}

/// A latency by its name in the document, as people read it: `p99.9` for `p999`.
pub(super) fn percentile(name: &str) -> &str {
    if name == "p999" { "p99.9" } else { name }
}

/// The letter for the origin of a figure; legends explain it.
pub(super) fn mark(origin: Origin) -> &'static str {
    match origin {
        Origin::Given => "g",
        Origin::Fitted => "f",
        Origin::Predicted => "p",
    }
}

/// A text of at most `count` characters, safe to show, the rest replaced by an ellipsis: for pages, which
/// are bounded. Pictures wrap their texts.
pub(super) fn clip(text: &str, count: usize) -> String {
    let text = &*shown(text);
    if text.chars().count() <= count {
        return text.to_string();
    }
    text.chars().take(count - 1).chain(['…']).collect()
}

/// Wraps a text, safe to show, at spaces so that no line has more than `width` characters, later
/// lines indented.
pub(super) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    // What a no-break space joins stays in one line.
    let breaks = |letter: char| letter.is_whitespace() && letter != '\u{a0}';
    let words = text.split(breaks).filter(|word| !word.is_empty());
    for word in words.map(|word| word.replace('\u{a0}', " ")) {
        let word = shown(&word);
        let line = lines.last_mut().expect("there is always a line");
        let start = line.is_empty() || *line == indent;
        if !start && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(format!("{indent}{word}"));
        } else {
            line.push_str(if start { "" } else { " " });
            line.push_str(&word);
        }
    }
    lines.join("\n")
}

/// Breaks what [`wrap`] could not: words longer than a line, later parts indented.
pub(super) fn broken(text: &str, width: usize, indent: &str) -> String {
    let room = width.saturating_sub(indent.chars().count()).max(1);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let letters: Vec<char> = line.chars().collect();
        let (first, rest) = letters.split_at(letters.len().min(width));
        lines.push(first.iter().collect::<String>());
        lines.extend(
            rest.chunks(room).map(|part| indent.chars().chain(part.iter().copied()).collect()),
        );
    }
    lines.join("\n")
}

/// The words of a text in lines of at most `room` letters, later ones indented; a longer word is
/// broken.
pub fn lines_of(text: &str, room: usize) -> Vec<String> {
    const INDENT: &str = "    ";
    let text = broken(&wrap(text, room, INDENT), room, INDENT);
    text.lines().map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_keep_the_digits_people_need() {
        assert_eq!([rate(7.0), rate(7800.61), rate(764_555.94)], ["7.00", "7800.6", "764556"]);
        assert_eq!(
            [latency(3.84), latency(99.7375), latency(515_867.5)],
            ["3.84", "99.7", "515.9 s"]
        );
        assert_eq!([latency(8.64e7), latency(7.5e6)], ["24 h", "2.08 h"]);
        assert_eq!([percent(1.24), percent(-0.04), percent(f64::NAN)], ["+1.2", "0.0", "-"]);
        assert_eq!([plain(24.0), plain(0.5), plain(1.33333)], ["24", "0.5", "1.333"]);
    }

    #[test]
    fn a_unit_that_both_ends_have_stands_once() {
        let latency = |ends| span(ends, with_unit);
        assert_eq!(latency([43.6, 66_600.0]), "43.6 ms to 66.6 s");
        assert_eq!(latency([43.6, 66.6]), "43.6 to 66.6 ms");
        assert_eq!(latency([43_600.0, 66_600.0]), "43.6 to 66.6 s");
        assert_eq!(latency([43.61, 43.62]), "43.6 ms");
        assert_eq!(span([900.0, 1000.0], rate), "900.0 to 1000.0");
    }

    proptest! {
        /// Whatever the two latencies: every unit follows a number, none follows another, the last
        /// word is one, and the ends read back as what they are.
        #[test]
        fn no_span_has_two_units_on_one_number(low in 0.0_f64..1e8, more in 0.0_f64..1e8) {
            let text = span([low, low + more], with_unit);
            let words: Vec<&str> = text.split(' ').collect();
            let is_unit = |word: &str| ["ms", "s", "h"].contains(&word);
            prop_assert!(is_unit(words[words.len() - 1]), "{}", text);
            for pair in words.windows(2) {
                let number = pair[0].parse::<f64>().is_ok();
                prop_assert!(!is_unit(pair[1]) || number, "{}", text);
            }
            // In milliseconds, the second unit standing for both where there is one.
            let ms = |number: &str, unit: &str| {
                let worth = match unit {
                    "h" => 3.6e6,
                    "s" => 1e3,
                    _ => 1.0,
                };
                number.parse::<f64>().unwrap() * worth
            };
            let (first, last) = (words[0], words[words.len() - 1]);
            let unit_of_first = if is_unit(words[1]) { words[1] } else { last };
            let ends = [(ms(first, unit_of_first), low), (ms(words[words.len() - 2], last), low + more)];
            for (read, value) in ends {
                // 0.01 ms below 10 ms, 0.1 below 10 s, 0.1 s from there: half of that, or 0.5 %.
                prop_assert!((read - value).abs() <= 0.0051 + 0.0051 * value, "{} for {}", text, value);
            }
        }
    }

    #[test]
    fn long_text_breaks_at_spaces() {
        assert_eq!(wrap("note: one two three", 10, "  "), "note: one\n  two\n  three");
        assert_eq!(wrap("", 10, "  "), "");
        assert_eq!([clip("vsphere", 7), clip("vsphere", 4)], ["vsphere", "vsp…"]);
    }
}
