//! Numbers as people read them: one rule for each kind of figure, used by tables and charts alike.
//!
//! It does not round what goes into JSON or CSV; those carry the full figure.

use crate::shown::shown;
use crate::study::Origin;

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

/// A latency given in milliseconds; from ten seconds on written in seconds, with the unit: `515.9 s`.
pub(super) fn latency(ms: f64) -> String {
    match ms.abs() {
        x if !x.is_finite() => "-".to_string(),
        x if x < 10.0 => format!("{ms:.2}"),
        x if x < 10_000.0 => format!("{ms:.1}"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
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

/// The letter that stands for what a figure is; legends spell it out.
pub(super) fn mark(origin: Origin) -> &'static str {
    match origin {
        Origin::Given => "g",
        Origin::Fitted => "f",
        Origin::Predicted => "p",
    }
}

/// A text of at most `count` characters as it may be shown, the rest told by an ellipsis.
pub(super) fn clip(text: &str, count: usize) -> String {
    let text = &*shown(text);
    if text.chars().count() <= count {
        return text.to_string();
    }
    text.chars().take(count - 1).chain(['…']).collect()
}

/// Breaks a text as it may be shown at spaces so that no line passes `width` characters, later lines indented.
pub(super) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace().map(shown) {
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

/// `1 VM`, `2 VMs`.
pub(super) fn vms(count: u32) -> String {
    if count == 1 { "1 VM".to_string() } else { format!("{count} VMs") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_people_need() {
        assert_eq!([rate(7.0), rate(7800.61), rate(764_555.94)], ["7.00", "7800.6", "764556"]);
        assert_eq!(
            [latency(3.84), latency(99.7375), latency(515_867.5)],
            ["3.84", "99.7", "515.9 s"]
        );
        assert_eq!([percent(1.24), percent(-0.04), percent(f64::NAN)], ["+1.2", "0.0", "-"]);
        assert_eq!([plain(24.0), plain(0.5), plain(1.33333)], ["24", "0.5", "1.333"]);
    }

    #[test]
    fn long_text_breaks_at_spaces() {
        assert_eq!(wrap("note: one two three", 10, "  "), "note: one\n  two\n  three");
        assert_eq!(wrap("", 10, "  "), "");
        assert_eq!([clip("vsphere", 7), clip("vsphere", 4)], ["vsphere", "vsp…"]);
    }
}
