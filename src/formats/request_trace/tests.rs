//! Columns, units and dates of recorded loads.

use super::*;
use crate::formats::rows::COLUMNS_MAX;

fn at(text: &str) -> Vec<i64> {
    let columns = Columns::default();
    let trace = read(text, &columns).unwrap_or_else(|faults| panic!("{faults:?}"));
    trace.requests.iter().map(|request| request.at / 1_000_000).collect()
}

fn told(text: &str, columns: &Columns) -> String {
    let faults = read(text, columns).expect_err(text);
    faults.iter().map(|fault| format!("{} {}\n", fault.title, fault.help)).collect()
}

/// The unit of the last resort is seconds, and that it is one is told.
#[test]
fn the_unit_is_that_of_the_name_or_told() {
    let of = |text: &str, unit: Option<Unit>| {
        let columns = Columns { unit, ..Columns::default() };
        let trace = read(text, &columns).unwrap();
        (trace.requests[1].at, trace.understood)
    };
    let text = "timestamp,a\n0,1\n1500,1\n";
    let (at, understood) = of(text, None);
    assert!(at == 1_500_000_000_000 && understood.contains("no unit: time_unit"), "{understood}");
    let (at, understood) = of(text, Some(Unit::Milliseconds));
    assert_eq!((at, &understood[..]), (1_500_000_000, "milliseconds by `timestamp`"));
    let said = "arrival_s;a\n0;1\n1,5;1\n";
    let (at, understood) = of(said, None);
    let how = "seconds by `arrival_s`, columns separated by semicolons, decimal commas";
    assert_eq!((at, &understood[..]), (1_500_000_000, how));
    let both = Columns { unit: Some(Unit::Milliseconds), ..Columns::default() };
    assert!(told("arrival_s\n0\n1\n", &both).contains("says seconds, and time_unit milliseconds"));
    // Time since 1970 in milliseconds.
    let epoch = "timestamp\n1755475238941\n1755475239941\n";
    assert!(told(epoch, &Columns::default()).contains("time_unit = \"ms\""));
}

#[test]
fn times_since_1970_are_known_to_the_nanosecond() {
    for (text, nanos, at) in [
        ("1755475238941", 1e6, 1_755_475_238_941_000_000),
        ("1755475238.941250001", 1e9, 1_755_475_238_941_250_001),
        ("1755475238,5", 1e9, 1_755_475_238_500_000_000),
        ("-0.25", 1e9, -250_000_000),
        ("-1.25", 1e9, -1_250_000_000),
        ("1.5e3", 1e6, 1_500_000_000),
        (".5", 1e9, 500_000_000),
    ] {
        let number = text.replace(',', ".").parse().unwrap();
        assert_eq!(whole_nanos(text, number, nanos), at, "{text}");
    }
}

#[test]
fn json_lines_are_read_by_their_keys() {
    let mooncake = "{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}\n{\"timestamp\": 30535, \"input_length\": 6472, \"output_length\": 26, \"hash_ids\": []}\n";
    assert_eq!(at(mooncake), [27_482, 30_535]);
    let trace = read(mooncake, &Columns::default()).unwrap();
    assert_eq!(trace.understood, "milliseconds by `timestamp`, JSON lines");
    let dates = "{\"timestamp\": \"2025-08-18T00:00:38Z\"}\n\n{\"x\": 1, \"timestamp\": \"2025-08-18T00:00:40Z\"}";
    assert_eq!(at(dates)[1] - at(dates)[0], 2_000);
    let none = "{\"timestamp\": 1}\n{\"timestamp\": 2}\n";
    assert!(told(none, &Columns::default()).contains("number without a unit"));
    let seconds = Columns { unit: Some(Unit::Seconds), ..Columns::default() };
    assert_eq!(read(none, &seconds).unwrap().requests[1].at, 2_000_000_000);
    assert!(told("[{\"timestamp\": 1}]", &Columns::default()).contains("jq -c"));
    assert!(told("{\"timestamp\": 1}\n{\"timestamp\"\n", &seconds).contains("not a JSON object"));
    let wide: String = (0..=COLUMNS_MAX).map(|key| format!("\"k{key}\": 1,")).collect();
    let wide = format!("{{{wide}\"timestamp\": 1}}\n");
    assert!(told(&wide, &seconds).contains("more than 1000 keys"));
}

/// Foreign columns say nothing, unless they are nearly ours.
#[test]
fn a_column_that_is_nearly_ours_is_told() {
    let told = |head: &str| {
        let trace = read(&format!("{head}\n0.5,1,a\n"), &Columns::default()).unwrap();
        trace.understood
    };
    let known = "seconds by `arrival_s`";
    assert_eq!(told("arrival_s,batch,vm"), known);
    assert_eq!(told("arrival_s,Session ID,Log Type"), known);
    assert_eq!(
        told("arrival_s,batch_size,vms"),
        format!(
            "{known}; the column \"batch_size\" is ignored, \"batch\" is read; the column \"vms\" is ignored, \"vm\" is read"
        )
    );
}

/// One date above 12 tells for all; of one day nothing must be told; otherwise it is asked for.
#[test]
fn the_order_of_day_and_month_is_never_guessed() {
    let of = |dates: [&str; 2], order| {
        let [one, two] = dates.map(|date| format!("\"{date}, 12:00:00 AM\"\n"));
        let columns = Columns { order, ..Columns::default() };
        read(&format!("timestamp\n{one}{two}"), &columns)
    };
    let days = |dates, order| {
        let trace = of(dates, order).unwrap_or_else(|faults| panic!("{faults:?}"));
        let at = |row: usize| trace.requests[row].at / 1_000_000_000 / 86_400;
        (at(1) - at(0), trace.understood)
    };
    let month = "dates by `timestamp`, the month first".to_string();
    let day = "dates by `timestamp`, the day first".to_string();
    assert_eq!(days(["3/4/2025", "3/13/2025"], None), (9, month.clone()));
    assert_eq!(days(["3/4/2025", "13/4/2025"], None), (10, day.clone()));
    assert_eq!(days(["3/4/2025", "3/4/2025"], None), (0, "dates by `timestamp`".to_string()));
    assert_eq!(days(["3/4/2025", "3/5/2025"], Some(Order::MonthFirst)), (1, month));
    assert_eq!(days(["3/4/2025", "3/5/2025"], Some(Order::DayFirst)), (30, day));
    for (dates, told) in [
        (["3/4/2025", "3/5/2025"], "date_order"),
        (["13/4/2025", "4/13/2025"], "month in other rows"),
    ] {
        let faults = of(dates, None).unwrap_err();
        let all = format!("{} {}", faults[0].title, faults[0].help);
        assert!(all.contains(told), "{all}");
    }
    assert!(of(["3/4/2025", "3/13/2025"], Some(Order::DayFirst)).is_err());
    let mixed = "timestamp\n2025-08-18T00:00:38Z\n2025-08-18 00:00:39\n";
    assert!(told(mixed, &Columns::default()).contains("no zone, and earlier times have one"));
}
