//! Numbers and lists in sentences: three digits, a unit, and names in a row as a range.

use crate::units::SimDuration;

/// Three significant digits, without needless zeros: `6.85`, `0.2`, `1240`.
pub(super) fn three(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_string();
    }
    let decimals = (2.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// A time given in milliseconds, in microseconds, milliseconds or seconds: `6.85 ms`.
pub(super) fn ms(ms: f64) -> String {
    match ms.abs() {
        x if x >= 10_000.0 => format!("{} s", three(ms / 1e3)),
        x if x < 0.01 && x > 0.0 => format!("{} us", three(ms * 1e3)),
        _ => format!("{} ms", three(ms)),
    }
}

/// Nanoseconds as [`ms`] writes them.
pub(super) fn ns(nanos: f64) -> String {
    ms(nanos / 1e6)
}

/// Nanoseconds with four digits, for times that are compared with each other: `2.089 ms`.
pub(super) fn exact(nanos: f64) -> String {
    let ms = nanos / 1e6;
    match ms.abs() {
        x if (0.01..1000.0).contains(&x) => {
            let decimals = (3.0 - x.log10().floor()).clamp(0.0, 9.0) as usize;
            let text = format!("{ms:.decimals$}");
            let text = if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.')
            } else {
                &text
            };
            format!("{text} ms")
        }
        _ => ns(nanos),
    }
}

/// A time as [`exact`] writes it.
pub(super) fn span(span: SimDuration) -> String {
    exact(span.as_nanos_f64())
}

/// A part of one in percent: `25 %`, `0.4 %`.
pub(super) fn percent(part: f64) -> String {
    let percent = part * 100.0;
    match percent.abs() {
        x if x >= 9.95 || x == 0.0 => format!("{percent:.0} %"),
        _ => format!("{} %", three((percent * 10.0).round() / 10.0)),
    }
}

/// A rate: `930/s`.
pub(super) fn rate(per_s: f64) -> String {
    format!("{}/s", three(per_s))
}

/// How many times as long: `2.8 times`.
pub(super) fn times(ratio: f64) -> String {
    match ratio {
        x if x >= 99.5 => format!("{x:.0} times"),
        x if x >= 9.95 => format!("{x:.0} times"),
        x => format!("{x:.1} times"),
    }
}

/// A list with `and`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Names of things that are alike: `web-1 to web-8` where they are numbered in a row, else a list;
/// the first few of many.
pub(super) fn names(all: &[String]) -> String {
    const MOST: usize = 4;
    if let Some(range) = in_a_row(all) {
        return range;
    }
    match all.len() {
        0..=MOST => listed(all),
        count => format!("{} and {} more", all[..MOST - 1].join(", "), count + 1 - MOST),
    }
}

fn in_a_row(all: &[String]) -> Option<String> {
    let number = |name: &String| {
        let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        Some((stem.to_string(), name[stem.len()..].parse::<u64>().ok()?))
    };
    let (stem, first) = number(all.first()?)?;
    let follows = all.iter().enumerate().all(|(place, name)| {
        number(name).is_some_and(|(of, count)| of == stem && count == first + place as u64)
    });
    (all.len() > 2 && follows).then(|| format!("{} to {}", all[0], all[all.len() - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_their_unit() {
        assert_eq!(
            [three(6.849), three(0.2), three(1240.4), three(0.0)],
            ["6.85", "0.2", "1240", "0"]
        );
        assert_eq!([ms(0.0021), ms(2.089), ms(61_500.0)], ["2.1 us", "2.09 ms", "61.5 s"]);
        assert_eq!(
            [exact(2_089_000.0), exact(2e6), exact(26.34e6)],
            ["2.089 ms", "2 ms", "26.34 ms"]
        );
        assert_eq!([percent(0.2), percent(0.0041), percent(1.5)], ["20 %", "0.4 %", "150 %"]);
        assert_eq!([times(2.84), times(124.0)], ["2.8 times", "124 times"]);
    }

    #[test]
    fn numbered_names_become_a_range() {
        let all = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&all(&["web-9", "web-10", "web-11"])), "web-9 to web-11");
        assert_eq!(names(&all(&["web-1", "web-3", "web-4"])), "web-1, web-3 and web-4");
        assert_eq!(names(&all(&["a", "b"])), "a and b");
        assert_eq!(names(&all(&["a", "b", "c", "d", "e"])), "a, b, c and 2 more");
    }
}
