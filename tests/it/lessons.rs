//! The course: the commands of every lesson are done again and print what its page shows, its pictures
//! are drawn again (`UPDATE=1` takes the drawn ones), its sliders reach their ends, and its theory is
//! what the formulas give.

use crate::documents::{done_in, hold_picture};
use crate::links::files_below;
use slicewise::config::{Catalogue, LoadOptions, Task, load_task};
use slicewise::spec::{Lesson, LessonControl};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCENARIOS: &str = "scenarios/lessons";

/// A picture of a page, where it is drawn below `output/`, and the command that draws it once more where
/// a later one of the page draws another in its place.
struct Picture {
    name: &'static str,
    drawn: &'static str,
    again: &'static [&'static str],
}

fn picture(name: &'static str, drawn: &'static str) -> Picture {
    Picture { name, drawn, again: &[] }
}

/// Does a lesson: how many commands its page has, and its pictures.
fn hold(name: &str, commands: usize, pictures: &[Picture]) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join(SCENARIOS);
    fs::create_dir_all(&at).unwrap();
    for file in files_below(Path::new(SCENARIOS)) {
        fs::copy(&file, at.join(file.file_name().unwrap())).unwrap();
    }
    let page = format!("docs/lessons/{name}.md");
    let (folder, printed) = done_in(&page, folder);
    assert_eq!(printed.len(), commands, "{page}: {:?}", printed.keys());
    let text = fs::read_to_string(&page).unwrap();
    for Picture { name, drawn, again } in pictures {
        assert!(text.contains(&format!("]({name})")), "{page} does not show {name}");
        if !again.is_empty() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
            command.args(*again).arg("--quiet").current_dir(folder.path());
            command.env_remove("SLICEWISE_CONFIGS").env_remove("SLICEWISE_THREADS");
            assert!(command.output().unwrap().status.success(), "{again:?}");
        }
        hold_picture(&folder.path().join("output").join(drawn), &format!("docs/lessons/{name}"));
    }
    assert_eq!(text.matches(".svg)").count(), pictures.len(), "pictures of {page}");
}

#[test]
fn lesson_1_shows_what_the_program_prints() {
    let pictures = [
        picture("1-one-vm.svg", "1-one-vm-trace/timeline.svg"),
        Picture {
            name: "1-one-vm-percentiles.svg",
            drawn: "1-one-vm/percentiles.svg",
            again: &["run", "scenarios/lessons/1-one-vm.toml"],
        },
    ];
    hold("1-one-vm", 5, &pictures);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_2_shows_what_the_program_prints() {
    hold("2-batching", 12, &[picture("2-batching.svg", "2-batching-curve/latency.svg")]);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_3_shows_what_the_program_prints() {
    hold("3-saturation", 3, &[picture("3-saturation.svg", "3-saturation-curve/latency.svg")]);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_4_shows_what_the_program_prints() {
    let pictures = [
        picture("4-two-vms.svg", "4-two-vms-trace/timeline.svg"),
        picture("4-two-vms-curve.svg", "4-two-vms-curve/latency.svg"),
    ];
    hold("4-two-vms", 10, &pictures);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_5_shows_what_the_program_prints() {
    let pictures = [
        picture("5-idle-neighbour.svg", "5-idle-neighbour-trace/timeline.svg"),
        picture("5-idle-neighbour-curve.svg", "5-idle-neighbour-curve/latency-busy.svg"),
    ];
    hold("5-idle-neighbour", 7, &pictures);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_6_shows_what_the_program_prints() {
    let pictures = [
        picture("6-slice-length.svg", "6-slice-length-trace/timeline.svg"),
        picture("6-slice-length-short.svg", "6-slice-length-curve/latency-short.svg"),
        picture("6-slice-length-long.svg", "6-slice-length-curve/throughput.svg"),
    ];
    hold("6-slice-length", 6, &pictures);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_7_shows_what_the_program_prints() {
    let pictures = [picture("7-mig-or-turns.svg", "7-mig-or-turns-curve/latency.svg")];
    hold("7-mig-or-turns", 9, &pictures);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_8_shows_what_the_program_prints() {
    let pictures = [
        picture("8-noisy-neighbour.svg", "8-noisy-neighbour-trace/timeline.svg"),
        picture("8-noisy-neighbour-curve.svg", "8-noisy-neighbour-curve/latency-bound.svg"),
    ];
    hold("8-noisy-neighbour", 7, &pictures);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_9_shows_what_the_program_prints() {
    let pictures = [Picture {
        name: "9-frame-buffer.svg",
        drawn: "9-frame-buffer-curve-vms/vms.svg",
        again: &["capacity", "scenarios/lessons/9-frame-buffer-curve.toml", "--vms"],
    }];
    hold("9-frame-buffer", 9, &pictures);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn lesson_10_shows_what_the_program_prints() {
    let pictures = [
        Picture {
            name: "10-vsphere.svg",
            drawn: "10-vsphere/latency.svg",
            again: &["run", "scenarios/lessons/10-vsphere.toml"],
        },
        picture("10-vsphere-capacity.svg", "10-vsphere-capacity/capacity.svg"),
        picture("10-vsphere-gap.svg", "10-vsphere-capacity/gap.svg"),
    ];
    hold("10-vsphere", 3, &pictures);
}

fn options(set: Vec<String>) -> LoadOptions {
    LoadOptions { set, ..LoadOptions::new(Catalogue::load(None).unwrap()) }
}

/// The scenarios of the course with what they say of themselves; its sweeps have no lesson.
fn lessons() -> Vec<(PathBuf, Lesson)> {
    let options = options(Vec::new());
    let files = files_below(Path::new(SCENARIOS)).into_iter();
    let of = |file: PathBuf| match load_task(&file, &options).unwrap() {
        Task::Run(scenario) => {
            let lesson =
                scenario.lesson.unwrap_or_else(|| panic!("{}: no [lesson]", file.display()));
            Some((file, lesson))
        }
        Task::Sweep(_) => None,
    };
    files.filter_map(of).collect()
}

/// What is set where a control is at its ends, or at each of its words.
fn ends(control: &LessonControl) -> Vec<String> {
    let unit = control.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    let numbers = [control.from, control.to].into_iter().flatten();
    let mut values: Vec<String> = numbers.map(|number| format!("{number}{unit}")).collect();
    values.extend(control.values.iter().cloned());
    assert!(values.len() >= 2, "{} has no ends", control.key);
    values.into_iter().map(|value| format!("{}={value}", control.key)).collect()
}

#[test]
fn every_lesson_has_its_page_and_controls_that_reach_their_ends() {
    // More VMs than the type has places, a batch larger than its memory: what lesson 9 is about.
    let refused = BTreeSet::from(["vm.count=10", "vm.server.batch_max=73"]);
    let mut pages = BTreeSet::new();
    for (file, lesson) in lessons() {
        let name = file.display();
        let page = lesson.page.as_ref().unwrap_or_else(|| panic!("{name}: no page"));
        assert!(Path::new(page).is_file(), "{name}: {page} is no file");
        assert!(lesson.predict.is_some() && lesson.answer.is_some(), "{name}");
        assert!(!lesson.tries.is_empty() && !lesson.controls.is_empty(), "{name}");
        pages.insert(page.clone());
        let is_of_memory = file.ends_with("9-frame-buffer.toml");
        for set in lesson.controls.iter().flat_map(ends) {
            let may_be = !(is_of_memory && refused.contains(set.as_str()));
            let loaded = load_task(&file, &options(vec![set.clone()]));
            assert_eq!(loaded.is_ok(), may_be, "{name} --set {set}: {:?}", loaded.err());
        }
    }
    assert_eq!(pages.len(), 10, "{pages:?}");
}

/// p99 of M/D/1 by the tail of its wait, C e^(-theta t): theta S is the root above 0 of
/// rho (e^x - 1) = x, C is (1 - rho) / (rho e^x - 1).
fn p99_of_equal_work(rho: f64, work: f64) -> f64 {
    let (mut low, mut high) = (1e-3, 50.0);
    while high - low > 1e-12 {
        let middle: f64 = 0.5 * (low + high);
        match rho * middle.exp_m1() < middle {
            true => low = middle,
            false => high = middle,
        }
    }
    let factor = (1.0 - rho) / (rho * low.exp() - 1.0);
    work + (100.0 * factor).ln() * work / low
}

/// The table of lesson 3: its theory is what the formulas give, its simulation what the sweep printed
/// (which lesson 3 is held to), and each theoretical value lies within the interval.
#[test]
fn the_theory_of_saturation_is_within_the_intervals() {
    let text = fs::read_to_string("docs/lessons/3-saturation.md").unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| rate /s |")).skip(2);
    let mut count = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let number = |cell: &str| -> f64 { cell.parse().unwrap() };
        let rho = number(cells[0]) * 0.005;
        assert!((rho - number(cells[1])).abs() < 1e-9, "{row}");
        let exponential = 5.0 * 100f64.ln() / (1.0 - rho);
        for (line, theory, shown, simulated) in [
            ("5 ms each", p99_of_equal_work(rho, 5.0), cells[2], cells[3]),
            ("5 ms on average, exponential", exponential, cells[4], cells[5]),
        ] {
            assert!((theory / number(shown) - 1.0).abs() < 0.006, "{theory}: {row}");
            let (mean, half) = simulated.split_once(" ± ").unwrap();
            let printed = text
                .lines()
                .find(|of| {
                    let mut words = of.split_whitespace();
                    words.next() == Some(cells[0]) && of.contains(&format!(" {line} "))
                })
                .unwrap();
            let printed: Vec<&str> = printed.split_whitespace().rev().collect();
            let [half_printed, mean_printed] = [printed[1], printed[2]].map(number);
            let is_near = |shown: f64, printed: f64| (shown / printed - 1.0).abs() < 0.1;
            assert!((number(mean) / mean_printed - 1.0).abs() < 0.01, "{row}");
            assert!(is_near(number(half), half_printed) || half_printed < 1.0, "{row}");
            assert!((theory - mean_printed).abs() <= half_printed, "{theory} of {line}: {row}");
        }
        count += 1;
    }
    assert_eq!(count, 9);
}
