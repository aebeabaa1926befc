//! The picture of the modules in ARCHITECTURE.md: floors, modules, rooms and their sizes.

use super::imports::{Source, sources};
use super::{FLOORS, floor};
use std::collections::BTreeMap;
use std::fs;

/// Lines that a block of the bar stands for.
const BLOCK: usize = 500;

/// The name of a module or room with its lines.
type Sized = (String, usize);

fn lines(source: &Source) -> usize {
    source.text.lines().count()
}

/// Each module from the top floor down, with the folders in it.
fn modules() -> Vec<(u8, Sized, Vec<Sized>)> {
    let mut names: Vec<&str> = FLOORS.iter().map(|(name, ..)| *name).collect();
    names.retain(|name| *name != "main");
    names.sort_by_key(|name| (std::cmp::Reverse(floor(name).0), *name));
    let of = |name: &str| {
        let mine: Vec<&Source> = sources().iter().filter(|source| source.of() == name).collect();
        let mut rooms: BTreeMap<String, usize> = BTreeMap::new();
        for source in &mine {
            let folder = source.path.strip_prefix("src").unwrap().parent().unwrap();
            if let Some(room) = folder.components().nth(1) {
                *rooms.entry(room.as_os_str().to_string_lossy().into_owned()).or_default() +=
                    lines(source);
            }
        }
        let all = mine.iter().map(|source| lines(source)).sum();
        (floor(name).0, (name.to_string(), all), rooms.into_iter().collect())
    };
    names.into_iter().map(of).collect()
}

fn size(lines: usize) -> String {
    format!("{:.1}k", lines as f64 / 1000.0)
}

fn drawn() -> String {
    let mut text = String::new();
    for (floor, (name, lines), rooms) in modules() {
        let bar = "█".repeat(lines.div_ceil(BLOCK));
        let rooms = rooms.iter().map(|(name, lines)| format!("{name} {}", size(*lines)));
        let rooms = rooms.collect::<Vec<_>>().join(", ");
        let line = format!("{floor}  {name:<9} {:>6}  {bar}  {rooms}", size(lines));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Names with their sizes, as a picture has them.
fn sizes(picture: &str) -> Vec<(String, f64)> {
    let words: Vec<&str> =
        picture.split([' ', ',', '\n', '█']).filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).filter_map(|pair| {
        let size = pair[1].strip_suffix('k')?.parse().ok()?;
        Some((pair[0].to_string(), size))
    });
    pairs.collect()
}

/// The picture shows the modules and rooms that there are, and their sizes to a tenth (and 0.1k);
/// `UPDATE=1` draws it anew.
#[test]
fn the_picture_of_the_modules_is_true() {
    const FILE: &str = "ARCHITECTURE.md";
    const START: &str = "<!-- modules -->\n```text\n";
    let text = fs::read_to_string(FILE).unwrap();
    let (before, rest) = text.split_once(START).expect("the picture has its mark");
    let (picture, after) = rest.split_once("```\n").unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(FILE, format!("{before}{START}{}```\n{after}", drawn())).unwrap();
        return;
    }
    let (shown, there) = (sizes(picture), sizes(&drawn()));
    let names = |of: &[(String, f64)]| of.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&shown), names(&there), "UPDATE=1 draws the picture anew");
    for ((name, shown), (_, there)) in shown.iter().zip(&there) {
        let is_near = (shown - there).abs() <= 0.1 * there + 0.1 + 1e-9;
        assert!(is_near, "{name} has {there}k lines, not {shown}k: UPDATE=1 draws it anew");
    }
}
