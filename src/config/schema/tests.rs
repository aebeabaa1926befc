//! Holds the schema against the readers: the keys they ask for, and what they take values for.
//!
//! Files against the schema are checked in `tests/it/schema.rs`.

use super::super::catalogue::Catalogue;
use super::{schema, workload};
use crate::config::cluster::read_tree as read_cluster;
use crate::config::keys::shape;
use crate::config::plan::ask_own_keys;
use crate::config::scenario::LoadOptions;
use crate::config::scenario::plan;
use crate::config::sweep::table::SweepTable;
use crate::config::text::answers::{Answer, Form};
use crate::config::text::{Problems, Reader, SourceFile, source};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Everything that readers do with the good files of the project.
fn answers() -> Vec<Answer> {
    let catalogue = Catalogue::load(None).unwrap_or_else(|error| panic!("{error}"));
    let folders = [
        "scenarios",
        "scenarios/cluster",
        "scenarios/curves",
        "scenarios/vsphere-mlperf-v1.1",
        "tests/good",
        "docs/how-to",
        "docs/reference",
        "docs/tutorial",
    ];
    let mut all = Vec::new();
    for path in folders.into_iter().flat_map(files_in) {
        let text = std::fs::read_to_string(&path).unwrap();
        let blocks: Vec<&str> = match path.extension().is_some_and(|kind| kind == "md") {
            true => text
                .split("```toml\n")
                .skip(1)
                .filter_map(|rest| rest.split("```").next())
                .collect(),
            false => vec![&text],
        };
        for text in blocks.into_iter().filter(|text| {
            ["host = ", "[host]", "[[host]]", "[[sweep.line]]", "[plan]", "[prices]"]
                .iter()
                .any(|start| text.contains(start))
        }) {
            let file = SourceFile::new(path.display().to_string(), text);
            let (file, problems) = (std::sync::Arc::new(file), Problems::default());
            problems.answers.listen();
            let tree = source::parse(&file, &problems).unwrap_or_else(|| panic!("{text}"));
            if tree.contains_key("sweep") {
                Reader::new(&file, &tree, &problems).table("sweep").and_then(SweepTable::read);
            } else if ["plan", "prices"].iter().any(|key| tree.contains_key(*key)) {
                ask_own_keys(&file, &tree, &problems);
            } else if text.contains("lifetimes") {
                let path = std::path::Path::new("test.toml");
                let options = LoadOptions::new(catalogue.clone());
                read_cluster((path, &file, &tree), &options, &problems);
            } else {
                plan::read_tree(&file, &tree, "test", &catalogue, &problems);
            }
            all.extend(problems.answers.recorded());
        }
    }
    assert!(all.len() > 1000, "nobody was listened to");
    all
}

/// The scenarios of a folder, or the documents.
fn files_in(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let kinds = ["toml", "md"];
    entries
        .filter(|path| !path.ends_with("_folder.toml"))
        .filter(|path| path.extension().is_some_and(|kind| kinds.iter().any(|one| kind == *one)))
        .collect()
}

/// What the schema says about the key of a path: every shape that its value may have.
fn shapes_at(path: &str) -> Vec<Value> {
    let mut found = vec![schema()];
    for key in path.split('.') {
        let inside = found.into_iter().flat_map(alternatives);
        let inside = inside.flat_map(|shape| match shape.get("items") {
            Some(items) => alternatives(items.clone()),
            None => vec![shape],
        });
        let below = |shape: Value| match shape["properties"].get(key) {
            Some(below) => Some(below.clone()),
            // A table whose keys are anything, such as names of GPUs.
            None => Some(&shape["additionalProperties"]).filter(|any| any.is_object()).cloned(),
        };
        found = inside.filter_map(below).collect();
    }
    found.into_iter().flat_map(alternatives).collect()
}

/// The shapes that a value may have; of an axis of a sweep, which may have any, none.
fn alternatives(shape: Value) -> Vec<Value> {
    match (shape["anyOf"].as_array(), shape["$ref"].as_str()) {
        (Some(all), _) => all.iter().cloned().flat_map(alternatives).collect(),
        (None, Some("#/$defs/workload")) => vec![workload::workload()],
        (None, Some(_)) => Vec::new(),
        (None, None) => vec![shape],
    }
}

#[test]
fn every_key_that_is_asked_for_stands_in_the_schema() {
    let asked = answers().into_iter().filter_map(|answer| match answer {
        Answer::Asked(path, _) => Some(path),
        _ => None,
    });
    let asked: BTreeSet<String> = asked.collect();
    let missing: Vec<_> = asked.into_iter().filter(|path| shapes_at(path).is_empty()).collect();
    let help = "add it to the `keys!` of its table; where that has none, to src/config/schema/mod.rs, in the function of that table, a line like\n    .key(\"NAME\", text(), \"What it says, and its default.\")\nthen write docs/scenario.schema.json anew: UPDATE=1 cargo test --test it schema";
    assert!(missing.is_empty(), "readers ask for keys that the schema lacks: {missing:?}\n{help}");
}

#[test]
fn every_key_of_the_schema_is_asked_for() {
    let asked: BTreeSet<String> = answers()
        .into_iter()
        .filter_map(|answer| match answer {
            Answer::Asked(path, _) => Some(path),
            _ => None,
        })
        .collect();
    let mut all = BTreeSet::new();
    paths("", &schema(), &mut all);
    // The model of a host of a cluster is read as `host` is.
    let is_of_a_host = |path: &str| {
        path.strip_prefix("host.model.").is_some_and(|own| asked.contains(&format!("host.{own}")))
    };
    let unknown: Vec<_> = all.difference(&asked).filter(|path| !is_of_a_host(path)).collect();
    let help = "drop the line in src/config/schema/mod.rs, or show the key in docs/reference/scenario-files.md or a file of tests/good";
    assert!(unknown.is_empty(), "no reader asks for {unknown:?}\n{help}");
}

/// The paths of all keys below a shape.
fn paths(above: &str, shape: &Value, all: &mut BTreeSet<String>) {
    for shape in alternatives(shape.clone()) {
        let shape = shape.get("items").unwrap_or(&shape);
        for (key, below) in shape["properties"].as_object().into_iter().flatten() {
            let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            // Of several models it is the same.
            if ["vm.model.workload", "vm.pod.workload"].contains(&&*path) {
                continue;
            }
            paths(&path, below, all);
            all.insert(path);
        }
    }
}

#[test]
fn values_are_taken_for_what_the_schema_says() {
    let mut told = Vec::new();
    for answer in answers() {
        let Answer::Took(path, form) = answer else { continue };
        if told.contains(&(path.clone(), form.clone())) {
            continue;
        }
        told.push((path.clone(), form.clone()));
        // The items of an array are taken under its path too.
        let mut shapes = shapes_at(&path);
        let items: Vec<_> = shapes.iter().filter_map(|shape| shape.get("items").cloned()).collect();
        shapes.extend(items.into_iter().flat_map(alternatives));
        let known =
            shapes.iter().any(|shape| allows(shape, &form)) || path == "sweep" || shapes.is_empty();
        let shapes = json!(shapes);
        assert!(
            known,
            "the readers take `{path}` for {form:?}, src/config/schema/mod.rs has {shapes}"
        );
    }
}

/// Whether a value of this shape can be taken for this.
fn allows(shape: &Value, form: &Form) -> bool {
    let is = |kind: &str| shape["type"] == kind;
    match form {
        // A word is read as a string first.
        Form::Text => is("string") || shape["enum"].is_array(),
        Form::Flag => is("boolean"),
        Form::Whole(least, most) => {
            is("integer") && shape["minimum"] == *least && shape["maximum"] == *most
        }
        Form::Number => is("number"),
        Form::Quantity(unit) => shape["pattern"].as_str().is_some_and(|pattern| {
            pattern.contains(&format!("|{unit}|"))
                || pattern.contains(&format!("({unit})"))
                || pattern.contains(&format!("({unit}|"))
        }),
        Form::Word(words) => shape["enum"] == json!(words),
        Form::Table => is("object"),
        Form::Items => is("array"),
    }
}

#[test]
fn what_must_be_there_is_asked_of_files_without_sweep_only() {
    let mut schema = shape::table()
        .need("a", shape::list(shape::table().need("b", shape::text(), ""), 3), "")
        .into_json();
    let needed = super::take_needed(&mut schema, &[]).unwrap();
    assert_eq!(
        needed,
        json!({ "required": ["a"], "properties": { "a": { "items": { "required": ["b"] } } } })
    );
    assert!(!schema.to_string().contains("required"), "{schema}");
}
