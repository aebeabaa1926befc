//! What the documents promise: a short README, pages that the index names, pictures that the gallery
//! names, tables that the program printed, a tutorial and guides whose every output is real.

use crate::cli::check;
use crate::links::{documents, files_below, has_kind, prose, targets};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files that a page links to, as they are from the root of the project.
fn linked(page: &Path) -> BTreeSet<PathBuf> {
    let text = fs::read_to_string(page).unwrap();
    let folder = page.parent().unwrap();
    let all = prose(&text).flat_map(|(_, line)| targets(line)).filter(|of| !of.contains("://"));
    let files = all.map(|target| target.split('#').next().unwrap()).filter(|file| !file.is_empty());
    files.filter_map(|file| fs::canonicalize(folder.join(file)).ok()).collect()
}

#[test]
fn the_readme_is_short_and_begins_with_two_commands_and_a_picture() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
    let commands: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("    cargo ")).collect();
    assert_eq!(commands[..2], ["run --release -- run scenarios/vsphere-mlperf-v1.1", "test"]);
    // A first screen is some 25 lines.
    let picture = readme.lines().position(|line| line.starts_with("![")).unwrap();
    assert!(picture < 12, "the first picture is in line {picture}");
}

#[test]
fn the_index_names_every_page() {
    let index = Path::new("docs/README.md");
    let named = linked(index);
    let missing: Vec<PathBuf> = files_below(Path::new("docs"))
        .into_iter()
        .filter(|path| has_kind(path, &["md"]) && path != index)
        .filter(|path| !named.contains(&fs::canonicalize(path).unwrap()))
        .collect();
    assert!(missing.is_empty(), "docs/README.md has no link to {missing:?}");
}

#[test]
fn the_gallery_has_every_picture_and_every_picture_is_shown() {
    let gallery = Path::new("docs/gallery.md");
    let in_gallery = linked(gallery);
    let shown: BTreeSet<PathBuf> = documents()
        .iter()
        .filter(|page| !page.ends_with("gallery.md"))
        .flat_map(|page| linked(page))
        .collect();
    let mut wrong = Vec::new();
    for picture in files_below(Path::new("docs")) {
        if !has_kind(&picture, &["svg", "png"]) {
            continue;
        }
        let path = fs::canonicalize(&picture).unwrap();
        if !in_gallery.contains(&path) {
            wrong.push(format!("{}: not in docs/gallery.md", picture.display()));
        }
        if !shown.contains(&path) {
            wrong.push(format!("{}: on no other page", picture.display()));
        }
    }
    // Each picture has its command: the next line of code below it.
    let text = fs::read_to_string(gallery).unwrap();
    for part in text.split("\n## ").skip(1) {
        let last = part.lines().rfind(|line| line.starts_with("![") || line.starts_with("    "));
        let commands = ["    cargo run --release -- ", "    benches/peers/run"];
        if !last.is_some_and(|line| commands.iter().any(|command| line.starts_with(command))) {
            wrong.push(format!(
                "docs/gallery.md: no command below \"{}\"",
                part.lines().next().unwrap()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tables that the main job printed, and its `summary.csv`; `.ci/run` holds them to the job itself.
const TABLE: &str = "tests/golden/vsphere-mlperf-v1.1/tables.txt";
const SUMMARY: &str = "tests/golden/vsphere-mlperf-v1.1/summary.csv";

/// The lines of the fenced blocks of a page that have a part.
fn blocks_with<'a>(text: &'a str, part: &str) -> Vec<&'a str> {
    let blocks: Vec<&str> = text.split("\n```").skip(1).step_by(2).collect();
    let found: Vec<&str> = blocks.into_iter().filter(|block| block.contains(part)).collect();
    found.iter().flat_map(|block| block.lines().skip(1)).filter(|line| !line.is_empty()).collect()
}

#[test]
fn tables_of_the_main_job_are_what_it_printed() {
    let golden = read(TABLE);
    let printed: BTreeSet<&str> = golden.lines().map(str::trim_end).collect();
    for page in ["README.md", "docs/explanation/vsphere-experiment.md"] {
        let text = read(page);
        let shown = blocks_with(&text, "figures    samples/s");
        assert!(shown.len() > 20, "{page}");
        for line in shown {
            assert!(printed.contains(line), "{page}: the main job does not print\n{line}");
        }
    }
}

/// The rows of a Markdown table whose head begins with a word, cell by cell.
fn table(text: &str, head: &str) -> Vec<Vec<String>> {
    let begin = format!("| {head} |");
    let rows = text.lines().skip_while(|line| !line.starts_with(&begin)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace("**", "")).collect()
    };
    rows.map(cells).collect()
}

#[test]
fn errors_of_the_main_job_are_those_of_its_summary() {
    let text = read(SUMMARY);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<BTreeMap<String, String>> =
        reader.deserialize().collect::<Result<_, _>>().unwrap();
    let page = read("docs/explanation/vsphere-experiment.md");
    let shown = table(&page, "Server run");
    assert_eq!(shown.len(), 6);
    for cells in shown {
        let (run, side) = cells[0].split_once(", ").unwrap();
        let is_virtual = if side == "vSphere" { "virtual" } else { "baseline" };
        let row = rows
            .iter()
            .find(|row| row["run"] == format!("{run}-server") && row["side"] == is_virtual)
            .unwrap();
        for (name, cell) in ["min", "p50", "p90", "p99", "p999"].iter().zip(&cells[1..]) {
            let error: f64 = row[&format!("error_latency_{name}_percent")].parse().unwrap();
            assert_eq!(cell, &format!("{error:+.1}"), "{} {name}", cells[0]);
        }
        assert_eq!(cells[6], row["standing_latency"], "{}", cells[0]);
    }
}

/// A part of the main job as it is, so that a change of results is told here and not in `.ci/run`
/// alone: its shortest pair. The rows are those of the first replication, however many there are.
#[test]
fn the_shortest_pair_of_the_main_job_prints_the_same() {
    const NAME: &str = "ssd-resnet34-offline";
    let golden = read(TABLE);
    let folder = tempfile::tempdir().unwrap();
    let scenario = format!("scenarios/vsphere-mlperf-v1.1/{NAME}.toml");
    let out = folder.path().to_str().unwrap();
    let arguments = ["run", &scenario, "--replications", "1", "--out", out, "--quiet"];
    let (printed, _) = crate::cli::check(&arguments, 0);
    let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
    let rows: BTreeSet<Vec<String>> = printed.lines().map(words).collect();
    for line in golden.lines().skip_while(|line| !line.starts_with(NAME)).take(4) {
        assert!(rows.contains(&words(line)), "not printed:\n{line}\nbut\n{printed}");
    }
}

/// How good predictions are, on three pages: the page that `validate` makes says it first.
#[test]
fn accuracy_is_told_as_validation_says_it() {
    let validation = read("docs/explanation/validation.md");
    let first = validation.split("### MLPerf v1.1").nth(1).unwrap();
    let of = |name: &str| -> Vec<String> {
        let line = first.lines().find(|line| line.starts_with(&format!("{name}  "))).unwrap();
        line[name.len()..].split_whitespace().map(str::to_string).collect()
    };
    let names = [
        ("BERT harness", "Server, BERT harness"),
        ("SSD-ResNet34", "Server, LWIS ssd-resnet34"),
        ("ResNet-50", "Server, LWIS resnet50"),
        ("Triton, all three", "Server, Triton"),
    ];
    for page in ["README.md", "docs/explanation/accuracy.md"] {
        let shown = table(&read(page), "Server runs");
        assert_eq!(shown.len(), names.len(), "{page}");
        for (cells, (name, row)) in shown.iter().zip(names) {
            // rows, skipped, load, other GPUs only, shape
            let row = of(row);
            let pair = |at: usize| format!("{} %, {} %", row[at], row[at + 1]);
            let expected = [name.to_string(), row[0].clone(), pair(2), pair(4), pair(6)];
            assert_eq!(cells[..], expected[..cells.len()], "{page}");
        }
    }
}

/// The words of a command line; quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(index, part)| match index % 2 {
        1 => vec![part.to_string()],
        _ => part.split_whitespace().map(str::to_string).collect(),
    });
    words.collect()
}

/// Whether the lines that a page shows stand in what was printed, in this order and one after the
/// other, except where `...` says that lines were left out.
fn is_shown(shown: &[&str], printed: &[&str]) -> bool {
    let (mut at, mut may_skip) = (0, false);
    for part in shown.split(|line| *line == "...") {
        let found = match may_skip {
            false => printed[at..].starts_with(part).then_some(at),
            true => (at..=printed.len()).find(|from| printed[*from..].starts_with(part)),
        };
        let Some(from) = found else { return false };
        at = from + part.len();
        may_skip = true;
    }
    may_skip && (shown.last() == Some(&"...") || at == printed.len())
}

#[test]
fn what_is_shown_may_leave_lines_out_but_changes_none() {
    let printed = ["a", "b", "c", "d"];
    for (shown, is_right) in [
        (&["a", "b", "c", "d"][..], true),
        (&["a", "...", "d"], true),
        (&["...", "b", "...", "d"], true),
        (&["a", "b", "..."], true),
        (&["a", "b"], false),
        (&["b", "..."], false),
        (&["a", "c", "..."], false),
        (&["...", "c", "...", "b", "..."], false),
    ] {
        assert_eq!(is_shown(shown, &printed), is_right, "{shown:?}");
    }
}

/// Does in an empty folder what a page says: writes its files (a block of TOML, CSV, JSON or text is the
/// file that the paragraph above it names; where that says "Copy" or "Add", what is there goes before it),
/// calls its commands, compares what they print with what it shows. The folder, and what each command
/// printed.
fn done(page: &str) -> (tempfile::TempDir, BTreeMap<String, String>) {
    done_in(page, tempfile::tempdir().unwrap())
}

/// The same in a folder that has something already.
pub(crate) fn done_in(
    page: &str,
    folder: tempfile::TempDir,
) -> (tempfile::TempDir, BTreeMap<String, String>) {
    let text = read(page);
    let at = |name: &str| folder.path().join(name);
    let mut printed: BTreeMap<String, String> = BTreeMap::new();
    let mut blocks = text.split("\n```");
    let mut said = blocks.next().unwrap();
    while let (Some(block), Some(after)) = (blocks.next(), blocks.next()) {
        let (kind, body) = block.split_once('\n').unwrap();
        // The files of the block's kind that the paragraph above it names.
        let paragraph = said.trim_end().rsplit("\n\n").next().unwrap();
        let ending = format!(".{kind}");
        let names: Vec<&str> = paragraph
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.ends_with(&ending))
            .collect();
        let goes_on = ["Copy", "Add"].iter().any(|word| paragraph.contains(word));
        match kind {
            "toml" | "csv" | "json" | "txt" => {
                let before = match goes_on {
                    true => fs::read_to_string(at(names[0])).unwrap() + "\n",
                    false => String::new(),
                };
                let file = at(if goes_on { names[names.len() - 1] } else { names[0] });
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, format!("{before}{body}\n")).unwrap();
            }
            "console" => {
                let (command, shown) = body.split_once('\n').unwrap_or((body, ""));
                let command = command.strip_prefix("$ slicewise ").unwrap();
                let output = printed.entry(command.to_string()).or_insert_with(|| {
                    let output = Command::new(env!("CARGO_BIN_EXE_slicewise"))
                        .args(words(command))
                        .current_dir(folder.path())
                        .env_remove("SLICEWISE_CONFIGS")
                        .env_remove("SLICEWISE_THREADS")
                        .output()
                        .unwrap();
                    // Data, or where there is none the message.
                    let of = if output.stdout.is_empty() { output.stderr } else { output.stdout };
                    String::from_utf8(of).unwrap()
                });
                let lines: Vec<&str> = output.trim_end().lines().map(str::trim_end).collect();
                let shown: Vec<&str> = shown.lines().collect();
                assert!(is_shown(&shown, &lines), "$ slicewise {command}\n{output}");
            }
            // Shown, not done.
            "sh" | "python" | "rust" | "sql" => {}
            kind => panic!("a block of kind {kind:?}"),
        }
        said = after;
    }
    (folder, printed)
}

/// The tutorial, and its picture (`UPDATE=1` takes the drawn one).
#[test]
fn the_tutorial_shows_what_the_program_prints() {
    let (folder, printed) = done("docs/tutorial/first-answers.md");
    assert_eq!(printed.len(), 6);
    let drawn = folder.path().join("output/my-sweep/latency.svg");
    hold_picture(&drawn, "docs/tutorial/first-sweep.svg");
}

/// Holds a picture of a page to the one that was drawn; `UPDATE=1` takes that.
pub(crate) fn hold_picture(drawn: &Path, page: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::copy(drawn, page).unwrap();
    }
    let [new, old] = [drawn, Path::new(page)].map(|path| fs::read(path).unwrap());
    assert!(new == old, "{page} is another picture");
}

/// Holds a page to the sweep that it shows: the picture, and the table of p99 to what is printed.
pub(crate) fn holds_sweep(file: &str, picture: &str, page: &str) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let (printed, _) = check(&["sweep", file, "--out", out, "--quiet"], 0);
    hold_picture(&folder.path().join("latency.svg"), picture);
    let page = fs::read_to_string(page).unwrap();
    let table = page.lines().skip_while(|line| !line.starts_with("| p99, ms |")).skip(2);
    let told: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
    let told = told.iter().flat_map(|line| line.trim_matches('|').split('|').skip(1));
    let told: Vec<&str> = told.map(str::trim).collect();
    let rows = printed.lines().filter(|line| line.ends_with("VALID"));
    let p99 = rows.map(|line| line.split_whitespace().rev().nth(1).unwrap());
    assert_eq!(told, p99.collect::<Vec<_>>());
}

#[test]
fn the_guide_to_explain_shows_what_the_program_prints() {
    let (_folder, printed) = done("docs/how-to/explain.md");
    assert_eq!(printed.len(), 1);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_guide_for_a_vsphere_administrator_shows_what_the_program_prints() {
    let (_folder, printed) = done("docs/guides/vsphere-administrator.md");
    assert_eq!(printed.len(), 11);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_guide_for_an_ml_engineer_shows_what_the_program_prints() {
    let (_folder, printed) = done("docs/guides/ml-engineer.md");
    assert_eq!(printed.len(), 7);
}

/// The policy that the page shows is that of the example.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_guide_for_a_researcher_shows_what_the_program_prints() {
    let page = "docs/guides/researcher.md";
    let text = read(page);
    let policy = text.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(read("examples/own_policy.rs").contains(policy), "{policy}");
    let (_folder, printed) = done(page);
    assert_eq!(printed.len(), 4);
}

#[test]
fn the_guide_for_a_student_shows_what_the_program_prints() {
    let (_folder, printed) = done("docs/guides/student.md");
    assert_eq!(printed.len(), 7);
}
