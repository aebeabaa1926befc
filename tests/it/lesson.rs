//! `[lesson]`: what is read of it, and that no result depends on it.
//!
//! What is wrong in it is in `tests/bad/`, `lesson*`.

use slicewise::config::{Catalogue, LoadOptions, Task, load, load_task};
use slicewise::spec::{ControlScale, Lesson, LessonControl, LessonCurve};
use std::fs;
use std::path::Path;

const FILE: &str = "tests/good/lesson.toml";

fn options() -> LoadOptions {
    LoadOptions::new(Catalogue::load(None).unwrap())
}

fn control(key: &str) -> LessonControl {
    let (key, values) = (key.to_string(), Vec::new());
    let (label, from, to, step, scale, unit) = (None, None, None, None, None, None);
    LessonControl { key, label, from, to, step, scale, unit, values }
}

#[test]
fn it_is_read_as_it_stands() {
    let text = |text: &str| Some(text.to_string());
    let controls = vec![
        LessonControl {
            label: text("Load of each VM"),
            from: Some(10.0),
            to: Some(190.5),
            step: Some(0.5),
            scale: Some(ControlScale::Log),
            ..control("vm.load.target_qps")
        },
        LessonControl {
            from: Some(0.0),
            to: Some(30.0),
            unit: text("ms"),
            ..control("sharing.slice")
        },
        LessonControl {
            label: text("Policy"),
            values: vec!["best-effort".to_string(), "equal-share".to_string()],
            ..control("sharing.policy")
        },
        control("vm[0].count"),
    ];
    let lesson = Lesson {
        question: "What does a neighbour without work cost?".to_string(),
        predict: text("Draw p99 over the load of both."),
        tries: vec!["Halve the load.".to_string(), "Choose best effort.".to_string()],
        answer: text("Half of the card: its turns stay empty."),
        page: text("docs/lessons/5.md"),
        curve: Some(LessonCurve::Load),
        controls,
    };
    assert_eq!(load(Path::new(FILE), &options()).unwrap().lesson, Some(lesson));
}

#[test]
fn nothing_else_depends_on_it() {
    let text = fs::read_to_string(FILE).unwrap();
    let (without, _) = text.split_once("[lesson]").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lesson.toml");
    fs::write(&path, without).unwrap();
    let (with, without) = (load(Path::new(FILE), &options()), load(&path, &options()));
    let (with, without) = (with.unwrap(), without.unwrap());
    assert_eq!(without.lesson, None);
    assert_eq!(format!("{:?}", with.pairs), format!("{:?}", without.pairs));
    assert_eq!(with.warnings, without.warnings);
}

#[test]
fn a_folder_has_none_though_its_files_may() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(FILE, folder.path().join("one.toml")).unwrap();
    assert_eq!(load(folder.path(), &options()).unwrap().lesson, None);
}

#[test]
fn a_sweep_may_have_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.toml");
    let text = fs::read_to_string(FILE).unwrap() + "\n[sweep]\nvm.count = [1, 2]\n";
    fs::write(&path, text).unwrap();
    let task = load_task(&path, &options()).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(task, Task::Sweep(_)));
}
