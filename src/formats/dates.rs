//! Dates as programs, spreadsheets and portals write them.
//!
//! | written | by |
//! |---|---|
//! | `2023-11-16 18:15:46.6805900`, with `T`, `Z`, `UTC`, `+02:00` | ISO 8601, Azure's traces |
//! | `2025/08/18 12:00:38` | the same with slashes |
//! | `8/18/2025, 12:00:38.941 AM` | Azure's portal, browsers |
//! | `18.08.2025 12:00:38,941` | spreadsheets; with points the day comes first |
//! | `Aug 18, 2025 @ 12:00:38.941`, `18 Aug 2025 12:00:38 +0200` | Kibana, mail |
//!
//! A single date such as `3/4/2025` does not show whether it is in March or in April. A time
//! without seconds is refused: all requests of a minute would come at once.

/// An instant as it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    pub(super) day: Day,
    /// Nanoseconds since midnight, less the zone's offset.
    nanos: i64,
    /// Whether it states its time zone.
    pub(super) has_zone: bool,
}

/// A day, or two numbers of which one is the month.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Day {
    /// Days since 1970.
    Is(i64),
    /// `3/4/2025`: first, second, year.
    Either(i64, i64, i64),
}

/// What comes first in a date of two numbers and a year.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Order {
    /// 18/8/2025.
    DayFirst,
    /// 8/18/2025.
    MonthFirst,
}

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

impl Stamp {
    /// Nanoseconds since 1970; nothing where it is not a valid day in this order.
    pub(super) fn nanos(self, order: Order) -> Option<i64> {
        let days = match (self.day, order) {
            (Day::Is(days), _) => days,
            (Day::Either(day, month, year), Order::DayFirst)
            | (Day::Either(month, day, year), Order::MonthFirst) => days(year, month, day)?,
        };
        Some(days * 86_400 * SECOND + self.nanos)
    }
}

/// Reads a date with its time of day.
pub(super) fn read(text: &str) -> Option<Stamp> {
    read_by(text, days)
}

/// Whether it would be a date if the month had enough days: `2023-02-31 00:00:00`.
pub(super) fn names_no_day(text: &str) -> bool {
    let within =
        |_, month, day| ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(0);
    read(text).is_none() && read_by(text, within).is_some()
}

/// Days since 1970 of year, month and day.
type Days = fn(i64, i64, i64) -> Option<i64>;

fn read_by(text: &str, days: Days) -> Option<Stamp> {
    // A comma parts where blank follows it; in a time it is the decimal mark.
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c == '@')
        .map(|word| word.trim_end_matches(','))
        .filter(|word| !word.is_empty())
        .collect();
    let at = words.iter().position(|word| word.contains(':'))?;
    let joined = words[at];
    let split = joined.find(['T', 't']).filter(|&at| at > 0 && joined[..at].contains(['-', '/']));
    let (of_day, time) = match split {
        Some(split) => (&joined[..split], &joined[split + 1..]),
        None => ("", joined),
    };
    let before = [&words[..at], &[of_day][..usize::from(split.is_some())]].concat();
    let day = day(&before, days)?;
    let end = time.find(|c: char| !(c.is_ascii_digit() || ":.,".contains(c))).unwrap_or(time.len());
    let (clock, behind) = time.split_at(end);
    let mut behind: Vec<&str> = [behind]
        .into_iter()
        .chain(words[at + 1..].iter().copied())
        .filter(|word| !word.is_empty())
        .collect();
    let half = behind.first().and_then(|word| half_of_day(word));
    if half.is_some() {
        behind.remove(0);
    }
    let zone = match behind[..] {
        [] => None,
        [zone] => Some(offset(zone)?),
        _ => return None,
    };
    let nanos = time_of_day(clock, half)? - zone.unwrap_or(0) * SECOND;
    Some(Stamp { day, nanos, has_zone: zone.is_some() })
}

/// The date before a time: its words, a weekday passed over.
fn day(words: &[&str], days: Days) -> Option<Day> {
    let skipped = words.first().is_some_and(|word| is_weekday(word));
    let text = words[usize::from(skipped)..].join(" ");
    let mark = text.chars().find(|c| "-/. ".contains(*c))?;
    let parts: Vec<&str> = text.split(mark).collect();
    let [first, second, third] = parts[..] else { return None };
    let year = |text: &str| (text.len() == 4).then(|| number(text)).flatten();
    let small = |text: &str| (1..=2).contains(&text.len()).then(|| number(text)).flatten();
    if let Some(year) = year(first) {
        return Some(Day::Is(days(year, small(second)?, small(third)?)?));
    }
    let year = year(third)?;
    Some(match (month(first), month(second)) {
        (Some(month), None) => Day::Is(days(year, month, small(second)?)?),
        (None, Some(month)) => Day::Is(days(year, month, small(first)?)?),
        _ if mark == '.' => Day::Is(days(year, small(second)?, small(first)?)?),
        _ => {
            let (first, second) = (small(first)?, small(second)?);
            // One of the two readings must be a day.
            days(year, first, second).or(days(year, second, first))?;
            Day::Either(first, second, year)
        }
    })
}

/// `Mon`, `Monday`.
fn is_weekday(text: &str) -> bool {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let text = text.to_ascii_lowercase();
    text.bytes().all(|byte| byte.is_ascii_lowercase())
        && DAYS.iter().any(|day| text.starts_with(day))
}

/// A month by its English name.
fn month(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let text = text.to_ascii_lowercase();
    let is = |month: &&str| text == **month || (text.len() == 3 && month.starts_with(&text));
    MONTHS.iter().position(is).map(|index| index as i64 + 1)
}

/// Hours to add to one of a twelve-hour clock: 0 for AM, 12 for PM.
fn half_of_day(text: &str) -> Option<i64> {
    match &text.to_ascii_lowercase().replace('.', "")[..] {
        "am" => Some(0),
        "pm" => Some(12),
        _ => None,
    }
}

/// Seconds east of Greenwich: `Z`, `UTC`, `+02:00`, `-0800`, `+02`.
fn offset(text: &str) -> Option<i64> {
    if ["z", "utc", "gmt"].contains(&&text.to_ascii_lowercase()[..]) {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text[1..].replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Nanoseconds since midnight of `18:15:46.6805900`, or of a twelve-hour clock.
fn time_of_day(text: &str, half: Option<i64>) -> Option<i64> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let [hour, minute, second] = clock.split(':').collect::<Vec<_>>()[..] else { return None };
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || second.len() != 2 {
        return None;
    }
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    let hour = match half {
        Some(add) => (1..=12).contains(&hour).then_some(hour % 12 + add)?,
        None => hour,
    };
    if hour > 23 || minute > 59 || second > 60 || !(1..=9).contains(&fraction.len()) {
        return None;
    }
    let nanos = number(fraction)? * 10_i64.pow(9 - fraction.len() as u32);
    Some(((hour * 60 + minute) * 60 + second) * SECOND + nanos)
}

/// Digits and nothing else.
fn number(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Days since 1970; nothing where the calendar has no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=last).contains(&day) {
        return None;
    }
    // Years begin in March, so that leap days are their last.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = 365 * years + years / 4 - years / 100 + years / 400;
    Some(of_years + (153 * months + 2) / 5 + day - 719_469)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(text: &str) -> Option<i64> {
        read(text)?.nanos(Order::MonthFirst)
    }

    #[test]
    fn dates_are_nanoseconds_since_1970() {
        // `date -u -d "2023-11-16 18:15:46" +%s` gives 1700158546; 2000-03-01 is day 11017.
        assert_eq!(nanos("2023-11-16 18:15:46.6805900"), Some(1_700_158_546_680_590_000));
        assert_eq!(nanos("2000-03-01 00:00:00"), Some(11_017 * 86_400 * SECOND));
        assert_eq!(nanos("1970-01-01 00:00:00"), Some(0));
    }

    #[test]
    fn one_instant_in_many_hands() {
        // `date -u -d "2025-08-18 00:00:38.941" +%s` gives 1755475238.
        for text in [
            "2025-08-18T00:00:38.941Z",
            "2025-08-18 00:00:38.941 UTC",
            "2025/08/18 00:00:38.941",
            "2025-08-18T02:00:38.941+02:00",
            "2025-08-17 16:00:38.941-0800",
            "2025-08-18 02:00:38.941 +02",
            "8/18/2025, 12:00:38.941 AM",
            "8/18/2025 12:00:38.941AM",
            "08/18/2025, 12:00:38.941\u{202f}a.m.",
            "18.08.2025 00:00:38,941",
            "18-08-2025 00:00:38.941",
            "Aug 18, 2025 @ 00:00:38.941",
            "Mon, 18 Aug 2025 02:00:38.941 +0200",
            "18-Aug-2025 00:00:38.941",
            "August 18, 2025 12:00:38.941 am",
        ] {
            let stamp = read(text).unwrap_or_else(|| panic!("{text}"));
            let order = match stamp.day {
                Day::Either(18, _, _) => Order::DayFirst,
                _ => Order::MonthFirst,
            };
            assert_eq!(stamp.nanos(order), Some(1_755_475_238_941_000_000), "{text}");
        }
        assert_eq!(nanos("8/18/2025, 12:00:38 PM"), nanos("2025-08-18 12:00:38"));
        assert_eq!(nanos("8/18/2025, 1:00:38 PM"), nanos("2025-08-18 13:00:38"));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for bad in [
            "2023-13-16 00:00:00",
            "2023-02-29 00:00:00",
            "2023-11-16",
            "23-11-16 00:00:00",
            "2023-11-16 1:2:3",
            "8/18/2025 12:00",
            "8/18/25 12:00:38",
            "18/18/2025 12:00:38",
            "8/18/2025, 13:00:38 PM",
            "8/18/2025, 0:00:38 AM",
            "2025-08-18 12:00:38 CET",
            "2025-08-18 12:00:38+25:00",
            "12:00:38",
            ":",
            "",
        ] {
            assert_eq!(nanos(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_that_is_not_in_the_calendar_is_told_from_what_is_no_date() {
        for text in [
            "2023-02-31 00:00:00",
            "31.04.2025 0:00:00",
            "Feb 30, 2024 00:00:00",
            "2/30/2024 00:00:00",
        ] {
            assert!(nanos(text).is_none() && names_no_day(text), "{text}");
        }
        for text in ["2023-13-01 00:00:00", "2023-02-28 00:00:00", "2023-02-31", "12:00:38", "x"] {
            assert!(!names_no_day(text), "{text}");
        }
    }

    proptest! {
        /// A day of the calendar is the day after the one before it, whichever way it is written.
        #[test]
        fn days_follow_one_another(year in 1970..=2200_i64, month in 1..=12_i64, day in 1..=31_i64) {
            let iso = nanos(&format!("{year:04}-{month:02}-{day:02} 00:00:00"));
            let points = nanos(&format!("{day}.{month}.{year} 0:00:00"));
            let strokes = nanos(&format!("{month}/{day}/{year}, 12:00:00 AM"));
            let by_names = month_name(month).and_then(|name| nanos(&format!("{name} {day}, {year} 00:00:00")));
            prop_assert_eq!([points, strokes, by_names], [iso; 3]);
            if let (Some(today), Some(next)) = (days(year, month, day), days(year, month, day + 1)) {
                prop_assert_eq!(next, today + 1);
            }
        }
    }

    fn month_name(number: i64) -> Option<&'static str> {
        let all =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        all.get(number as usize - 1).copied()
    }
}
