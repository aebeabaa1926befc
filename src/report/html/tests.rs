//! Pages of the fixtures, read as XML: structure, names, bounds, and texts that would do harm.

use super::page::BYTES_MAX;
use super::{Made, WebPage};
use crate::report::fixture;
use crate::study::Results;
use roxmltree::{Document, Node, ParsingOptions};

/// Texts that would end what they stand in, open something, or run.
const HOSTILE: &str = "</script></title></style></pre></td><script>x()</script><!--<img src=x \
    onerror=x()> \" onload=\"x()\" ' & &lt; ]]> \u{202e}\u{7}\u{0}";

fn made() -> Made {
    Made {
        command: "slicewise run my-vm.toml --report".to_string(),
        files: vec![("my-vm.toml".to_string(), "title = \"A VM\"\n\t# a tab\n".to_string())],
        built_in: vec!["gpus/a30".to_string()],
        window: None,
    }
}

fn page(answer: &impl WebPage, made: &Made) -> String {
    let file = answer.web_page(made).unwrap();
    assert_eq!(file.name, "report.html");
    let text = String::from_utf8(file.bytes).unwrap();
    assert!(text.len() <= BYTES_MAX, "{} bytes", text.len());
    text
}

/// Calls `look` with the page as a tree.
fn read<R>(text: &str, look: impl FnOnce(&Document<'_>) -> R) -> R {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    look(&Document::parse_with_options(text, options).unwrap())
}

fn all<'d>(page: &'d Document<'_>, tag: &'d str) -> impl Iterator<Item = Node<'d, 'd>> {
    page.descendants().filter(move |node| node.has_tag_name(tag))
}

fn said(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect()
}

/// What every page keeps, whatever the answer.
#[track_caller]
fn hold(text: &str) {
    assert!(text.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{}", &text[..80]);
    read(text, |page| {
        for one in ["title", "h1", "main"] {
            let count = all(page, one)
                .filter(|node| node.parent_element().is_none_or(|of| !of.has_tag_name("svg")));
            assert_eq!(count.count(), 1, "{one}");
        }
        for table in all(page, "table") {
            let caption = table.children().find(|node| node.has_tag_name("caption")).unwrap();
            assert!(!said(caption).is_empty());
            let rows = table.descendants().filter(|node| node.has_tag_name("tr"));
            let lengths: Vec<_> = rows.map(|row| row.children().count()).collect();
            assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
            let heads = table.descendants().filter(|node| node.has_tag_name("th"));
            assert!(heads.into_iter().all(|head| head.has_attribute("scope")));
        }
        let figures = all(page, "figure")
            .filter(|figure| figure.descendants().any(|node| node.has_tag_name("figcaption")));
        assert_eq!(figures.count(), all(page, "figure").count());
        let mut ids: Vec<_> = page.descendants().filter_map(|node| node.attribute("id")).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "an id is there twice");
        for link in all(page, "a") {
            let to = link.attribute("href").unwrap();
            let inside = to.strip_prefix('#').is_some_and(|id| ids.contains(&id));
            assert!(inside || to.starts_with("http://") || to.starts_with("https://"), "{to}");
        }
        // Nothing runs, and nothing is asked for.
        for node in page.descendants().filter(Node::is_element) {
            let name = node.tag_name().name();
            let wanted = !["img", "iframe", "object", "embed", "form", "base"].contains(&name);
            assert!(wanted, "{name}");
            let kind = node.attribute("type");
            assert!(name != "script" || kind == Some("application/json"), "a script");
            for attribute in node.attributes() {
                let (name, value) = (attribute.name(), attribute.value());
                assert!(!name.starts_with("on") && name != "src", "{name}");
                assert!(name == "href" || !value.contains("url("), "{name}: {value}");
            }
        }
    });
}

/// As many VMs as `pairs` has runs, many times.
fn many(times: usize) -> Results {
    let mut results = fixture::pairs();
    for run in &mut results.runs {
        let one = run.vms[0].clone();
        run.vms = (0..times)
            .map(|number| {
                let mut vm = one.clone();
                vm.name = format!("vm-{number}");
                if times > 100 {
                    // Each letter takes six bytes.
                    vm.name.push_str(&"\"".repeat(300));
                }
                vm.latency_ms.p99 *= 1.0 + number as f64 / times as f64;
                vm
            })
            .collect();
    }
    results
}

#[test]
fn every_answer_is_a_page() {
    for text in [
        page(&fixture::pairs(), &made()),
        page(&many(8), &made()),
        page(&fixture::sweep(), &made()),
        page(&fixture::long_names(), &made()),
        page(&fixture::words(), &made()),
        page(&fixture::llm(), &made()),
        page(&fixture::llm_sweep(), &made()),
        page(&fixture::pairs(), &Made::default()),
    ] {
        hold(&text);
    }
}

#[test]
fn the_same_answer_gives_the_same_bytes() {
    assert!(page(&fixture::pairs(), &made()) == page(&fixture::pairs(), &made()));
}

/// A reader finds who made it, from what, and on which numbers it stands; a program finds the document.
#[test]
fn a_page_says_how_to_make_it_again() {
    let results = fixture::pairs();
    let text = page(&results, &made());
    for part in [
        "slicewise run my-vm.toml --report",
        "title = &quot;A VM&quot;\n\t# a tab\n",
        "0123456789abcdef",
        "gpus/a30",
        "hosts/dell-r7525 gather",
        "assumed",
    ] {
        assert!(text.contains(part), "{part} is not in the page");
    }
    let data = read(&text, |page| said(all(page, "script").next().unwrap()));
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    use crate::report::Report;
    assert_eq!(
        data,
        serde_json::from_str::<serde_json::Value>(&results.document().unwrap()).unwrap()
    );
}

#[test]
fn hostile_texts_are_texts() {
    let mut results = fixture::pairs();
    results.head.title = HOSTILE.to_string();
    results.notes = vec![HOSTILE.to_string()];
    for run in &mut results.runs {
        run.name = HOSTILE.to_string();
        run.vms[0].name = HOSTILE.to_string();
        run.vms[0].verdict.valid = false;
        run.vms[0].verdict.failed_rules = vec![HOSTILE.to_string()];
        if let Some(published) = &mut run.vms[0].published {
            published.source =
                format!("{HOSTILE} javascript:x() https://a.example/\"onclick=\"x()");
        }
    }
    for fact in &mut results.leans_on {
        (fact.source, fact.value) = (HOSTILE.to_string(), HOSTILE.to_string());
    }
    let made = Made {
        command: HOSTILE.to_string(),
        files: vec![(HOSTILE.to_string(), HOSTILE.to_string())],
        built_in: vec![HOSTILE.to_string()],
        window: None,
    };
    let text = page(&results, &made);
    hold(&text);
    let harmful = |letter: char| letter != '\n' && crate::shown::is_harmful(letter);
    assert!(!text.contains(harmful));
    read(&text, |page| {
        let shown = crate::shown::shown(HOSTILE);
        assert_eq!(said(all(page, "h1").next().unwrap()), shown);
        let code = all(page, "pre").map(said).filter(|code| *code == shown);
        assert_eq!(code.count(), 2, "the command and the file");
        let data = said(all(page, "script").next().unwrap());
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!(data["title"], HOSTILE);
    });
}

/// Thousands of VMs with long names, notes without end, a scenario of a megabyte.
#[test]
fn a_page_is_bounded_and_says_what_it_leaves_out() {
    let mut results = many(200);
    results.notes = (0..20_000).map(|note| format!("{note}: {}", "long ".repeat(100))).collect();
    let text = "# a line of a scenario\n".repeat(50_000);
    let files = (0..30).map(|file| (format!("{file}.toml"), text.clone())).collect();
    let text = page(&results, &Made { files, ..made() });
    hold(&text);
    for part in [
        "the 20 worst of 1200, by p99 over its bound",
        "Groups of VMs and their spread",
        "others are in summary.csv",
        "more of this file are left out",
        "too long to be repeated here",
    ] {
        assert!(text.contains(part), "{part} is not said");
    }
    assert!(!text.contains("application/json"));
    // What is small is whole.
    let text = page(&many(8), &made());
    assert!(!text.contains("left out") && text.contains("application/json"));
}
