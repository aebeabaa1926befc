//! Every kind of chart, with names, numbers and counts that are hard to draw.

use super::super::charts::style::OF_TEXT;
use super::super::{charts, fixture};
use super::png::{BOLD, LETTERS, REGULAR, SIZE, has, in_our_letters, png};
use super::*;
use crate::study::{GpuTime, OwnerShare, Results, StageMean, VmResult};

/// Left, top, right and bottom of a label, by the font's own measure.
fn bounds(label: &Label) -> (f64, f64, f64, f64) {
    let style = if label.bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = plotters::style::FontDesc::new(FontFamily::Name(FAMILY), label.size * SIZE, style);
    let (width, _) = font.box_size(&label.text).unwrap();
    let (x, y) = label.at;
    let left = match label.lean {
        Align::Right => x,
        Align::Middle => x - f64::from(width) / 2.0,
        Align::Left => x - f64::from(width),
    };
    let half = label.size * 0.5;
    (left, y - half, left + f64::from(width), y + half)
}

/// What the tables of characters of both fonts say (`cmap`, format 4: ends, a blank, starts of ranges).
#[test]
fn the_letters_are_those_of_the_fonts() {
    for font in [REGULAR, BOLD] {
        let word = |at: usize| usize::from(u16::from_be_bytes([font[at], font[at + 1]]));
        let long = |at: usize| word(at) << 16 | word(at + 2);
        let table = (0..word(4)).map(|index| 12 + 16 * index);
        let table = table.into_iter().find(|at| &font[*at..at + 4] == b"cmap").unwrap();
        let table = long(table + 8);
        let ranges = table + long(table + 8);
        assert_eq!(word(ranges), 4);
        let twice = word(ranges + 6);
        let known: Vec<(u32, u32)> = (0..twice / 2)
            .map(|index| (word(ranges + 16 + twice + 2 * index), word(ranges + 14 + 2 * index)))
            .filter(|(first, _)| *first != 0xffff)
            .map(|(first, last)| (first as u32, last as u32))
            .collect();
        let is_known = |letter: u32| known.iter().any(|(a, b)| (*a..=*b).contains(&letter));
        for letter in (0..0x1_0000).filter_map(char::from_u32) {
            assert_eq!(has(letter), is_known(letter as u32), "U+{:04X}", letter as u32);
        }
    }
}

/// Emoji, Hebrew and Chinese become question marks, told once, and all else stays.
#[test]
fn letters_that_the_font_has_not_are_told() {
    let mut sweep = fixture::sweep();
    sweep.sweep.title = "Zürich \u{1f600}\u{fe0f}, \u{5d0}\u{5d1}, \u{6771}, e\u{301}".to_string();
    let (_, figure) = charts::sweep_figures(&sweep).next().unwrap();
    let own = in_our_letters(&figure);
    let texts = own.marks.iter().filter_map(|mark| match mark {
        Mark::Text(label) => Some(label.text.as_str()),
        _ => None,
    });
    let texts: Vec<&str> = texts.collect();
    assert!(texts.iter().any(|text| text.contains("Zürich ?, ??, ?, e")), "{texts:?}");
    let told = texts.iter().filter(|text| text.contains("missing in the font of this picture"));
    assert_eq!((told.count(), own.height), (1, figure.height + 36.0));
    assert!(svg(&figure).unwrap().contains('\u{1f600}'));
    let plain = charts::sweep_figures(&fixture::sweep()).next().unwrap().1;
    assert_eq!(in_our_letters(&plain).height, plain.height);
}

/// A run of so many VMs on one card and another for each eight, named by `name`.
fn own(count: usize, name: impl Fn(usize) -> String) -> Results {
    let mut results = fixture::pairs();
    results.comparisons.clear();
    results.runs.truncate(3);
    results.runs.drain(..2);
    let run = &mut results.runs[0];
    let like = VmResult { published: None, ..run.vms[0].clone() };
    let stages = ["batcher", "launch", "submission", "copy in", "stream", "gpu", "finish"];
    let vm = |index: usize| {
        let slower = 1.0 + 0.31 * (index % 7) as f64;
        let mut vm = like.clone();
        vm.name = name(index);
        vm.group = vm.name.clone();
        vm.cards = vec![(index / 8) as u16];
        vm.latency_ms.p50 *= slower;
        vm.latency_ms.p99 *= slower;
        vm.latency_ms.p999 *= slower;
        vm.target_latency_ms = 40.0 * (index % 5 + 1) as f64;
        let mean = |(place, stage): (usize, &&'static str)| StageMean {
            stage,
            mean_ms: 0.02 * slower * ((place + 1) as f64).powi(4),
        };
        vm.stages_ms = stages.iter().enumerate().map(mean).collect();
        vm
    };
    run.vms = (0..count).map(vm).collect();
    let like = run.gpus[0].clone();
    let gpu = |(index, vms): (usize, &[VmResult])| {
        let part = 0.9 / vms.len() as f64;
        let owner = |(place, vm): (usize, &VmResult)| OwnerShare {
            vms: vec![vm.name.clone()],
            instance: place as u16,
            instance_share: 1.0,
            run_share: part * 0.8,
            burned_share: part * 0.2,
        };
        let owners = vms.iter().enumerate().map(owner).collect();
        let time = GpuTime { owners, switch_share: 0.02, vacant_share: 0.03, idle_share: 0.05 };
        crate::study::GpuResult { id: index as u16, time, ..like.clone() }
    };
    run.gpus = run.vms.chunks(8).enumerate().map(gpu).collect();
    results
}

/// Names that leave no room, and such that nobody expects.
fn hard_name(index: usize) -> String {
    match index % 6 {
        0 => format!("a name of many words, as people give them who want to be precise {index}"),
        1 => format!("{}{index}", "W".repeat(600)),
        2 => format!("Zürich-東京-\u{1f600}-{index}"),
        3 => format!("<script>alert({index})</script> ]]> & \"x\" 'y' -->"),
        4 => format!("\u{1b}[2J\u{202e}\u{0}\u{ffff}{index}"),
        _ => format!("{index}"),
    }
}

/// Every chart of every kind of results that the tests know, each with its name.
fn all() -> Vec<(String, Figure)> {
    let sweeps = [fixture::sweep(), fixture::long_names(), fixture::words(), fixture::llm_sweep()];
    let mut all: Vec<(String, Figure)> = charts::figures(&fixture::pairs());
    all.extend(charts::figures(&fixture::llm()));
    all.extend(sweeps.iter().flat_map(charts::sweep_figures));
    for lines in [9, 25, 70] {
        let many = fixture::lines(lines);
        all.extend(
            charts::sweep_figures(&many)
                .map(|(name, figure)| (format!("{name} of {lines}"), figure)),
        );
    }
    for count in [1, 2, 12, 100] {
        for (kind, results) in
            [("plain", own(count, |index| format!("web-{index}"))), ("hard", own(count, hard_name))]
        {
            let figures = charts::figures(&results).into_iter();
            all.extend(figures.map(|(name, figure)| (format!("{name} of {count} {kind}"), figure)));
        }
    }
    all
}

fn labels(figure: &Figure) -> Vec<&Label> {
    let labels = figure.marks.iter().filter_map(|mark| match mark {
        Mark::Text(label) => Some(label),
        _ => None,
    });
    labels.collect()
}

#[test]
fn every_run_has_its_pictures() {
    let names = |results: &Results| {
        charts::figures(results).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    for count in [1, 2, 12, 100] {
        let own = own(count, |index| format!("web-{index}"));
        assert_eq!(names(&own), ["percentiles", "stages", "gpu-time"]);
    }
    assert_eq!(names(&fixture::pairs()), ["ratio", "latency", "percentiles", "stages", "gpu-time"]);
}

#[test]
fn strange_figures_are_drawn_or_left_out() {
    let drawn = |results: &Results| {
        for (name, figure) in charts::figures(results) {
            let text = svg(&figure).unwrap();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{name}: {text}");
            assert!(figure.height < 20_000.0);
            png(&figure).unwrap();
        }
    };
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e-9, 1e9, 1e300] {
        let mut results = fixture::pairs();
        for run in &mut results.runs {
            run.vms[0].latency_ms.p99 = value;
            run.vms[0].completed_per_s = value;
        }
        for comparison in &mut results.comparisons {
            comparison.capacity_ratio = value;
        }
        drawn(&results);
        let mut results = own(3, |index| format!("web-{index}"));
        for vm in &mut results.runs[0].vms[1..] {
            vm.latency_ms.p50 = value;
            vm.target_latency_ms = value;
            vm.stages_ms[2].mean_ms = value;
        }
        results.runs[0].gpus[0].time.owners[0].run_share = value;
        drawn(&results);
        let mut sweep = fixture::sweep();
        for group in sweep.points.iter_mut().flat_map(|point| &mut point.groups) {
            group.p99_ms.mean = value;
            group.completed_per_s.mean = value;
        }
        assert!(draw_each(charts::sweep_figures(&sweep), |_| Ok(())).is_ok());
    }
}

#[test]
fn no_label_is_cut_off_or_covers_another() {
    fixture::pairs().files().unwrap();
    for (name, figure) in all() {
        let figure = in_our_letters(&figure);
        let labels: Vec<_> =
            labels(&figure).into_iter().map(|label| (bounds(label), &label.text)).collect();
        for (index, (a, text)) in labels.iter().enumerate() {
            let inside = a.0 >= 0.0 && a.1 >= 0.0 && a.2 <= WIDTH && a.3 <= figure.height;
            assert!(inside, "{name}: \"{text}\" is cut off: {a:?}");
            for (b, other) in &labels[..index] {
                let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
                assert!(apart, "{name}: \"{text}\" covers \"{other}\"");
            }
        }
    }
}

/// What the charts reckon with is never less than what the fonts have.
#[test]
fn letters_have_the_room_that_they_need() {
    fixture::pairs().files().unwrap();
    for letter in LETTERS.iter().flat_map(|(first, last)| *first..=*last) {
        for bold in [false, true] {
            let text = letter.to_string().repeat(20);
            let label = Label {
                at: (0.0, 0.0),
                text: text.clone(),
                size: 22.0,
                bold,
                lean: Align::Right,
                colour: style::INK,
            };
            let (_, _, wide, _) = bounds(&label);
            let reckoned = style::width_of(&text, 22.0, bold);
            assert!(wide <= reckoned + 2.0, "{letter:?}, bold {bold}: {wide} for {reckoned}");
        }
    }
}

/// An SVG of any figures is well formed, has no element but shapes and texts, nothing that runs or
/// loads, no id, and each of its colours has a twin.
#[test]
fn svgs_are_harmless_told_in_words_and_light_and_dark() {
    let dark = dark();
    for (name, figure) in all() {
        let text = svg(&figure).unwrap();
        assert!(text.starts_with("<svg class="), "{name}");
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        let child = |tag: &str| {
            let mut found = root.children().filter(|node| node.has_tag_name(tag));
            let one = found.next().and_then(|node| node.text()).unwrap_or_default().to_string();
            assert!(found.next().is_none(), "{name}: {tag}");
            one
        };
        assert_eq!(child("title"), figure.title);
        assert!(!figure.title.is_empty() && child("desc").len() > 20, "{name}: {}", child("desc"));
        assert_eq!(child("style"), dark);
        let tags = "svg title desc style rect circle line polyline polygon text";
        for node in root.descendants().filter(roxmltree::Node::is_element) {
            assert!(tags.split(' ').any(|tag| node.has_tag_name(tag)), "{name}: {node:?}");
            for attribute in node.attributes() {
                let (key, value) = (attribute.name(), attribute.value());
                assert!(!key.starts_with("on") && key != "id" && key != "href", "{name}: {key}");
                if ["fill", "stroke"].contains(&key) && value != "none" {
                    assert!(dark.contains(&format!("[{key}=\"{value}\"]")), "{name}: {value}");
                }
            }
        }
        for label in labels(&figure) {
            assert!(OF_TEXT.contains(&label.colour), "{name}: {label:?}");
            assert!(label.size >= style::size::TEXT, "{name}: {label:?}");
        }
    }
}

/// Two VMs that differ in their last letters, far behind what has room, are told apart; so are lines.
#[test]
fn nothing_that_tells_rows_apart_is_cut() {
    let name = |index: usize| format!("share one {} number-{index}", "A100-PCIE-40GB ".repeat(20));
    let figures = charts::figures(&own(12, name));
    for (name, figure) in &figures[..2] {
        let texts: Vec<&str> = labels(figure).iter().map(|label| label.text.as_str()).collect();
        for index in 0..12 {
            let end = format!("number-{index}");
            assert!(texts.iter().any(|text| text.ends_with(&end)), "{name}: {end} in {texts:?}");
        }
    }
}
