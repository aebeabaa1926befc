//! The pages of `--report` in a real browser: nothing is asked for from outside, nothing runs, every text
//! can be read in light, dark and print, everything has its name.
//!
//! With `REPORTS=FOLDER` pages and pictures of them are kept there, to be looked at.

#[path = "browser/driver.rs"]
mod driver;
#[path = "browser/local_page.rs"]
mod local_page;
#[path = "browser/page.rs"]
mod page;
#[path = "browser/static_page.rs"]
mod static_page;

use crate::cli::check;
use driver::Browser;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What is wrong with a page, found by looking at it.
const LOOK: &str = include_str!("browser/look.js");

/// Texts that would do harm if they were not escaped.
const HOSTILE: &str = "</script><script>window.harmed=1</script><img src=x onerror=window.harmed=1> \
    \\\"quoted\\\" 'single' </title></pre></table><b> &amp; \\u202e \\u0007 {{x}} ${x}";

/// One browser at a time: two cores are not many.
static ONE: Mutex<()> = Mutex::new(());

/// A run of some VMs with a load that lasts a second.
fn scenario(title: &str, names: &[&str], more: &str) -> String {
    let vm = |name: &&str| {
        format!(
            "[[vm]]\nname = \"{name}\"\nvcpus = 8\nvgpu.type = \"A100-10C\"\nworkload = \"bert-99\"\n\
             load = {{ scenario = \"server\", target_qps = 50, min_duration = \"2 s\", \
             min_query_count = 100, rules = \"none\" }}\n"
        )
    };
    let vms: String = names.iter().map(vm).collect();
    format!(
        "# A comment that ends nothing: </pre></code><script>window.harmed=1</script>\n\
         title = \"{title}\"\nhost = \"dell-r7525\"\nhypervisor = \"vsphere-7.0u2\"\n{vms}{more}"
    )
}

/// A page made by a command.
struct Made {
    _folder: tempfile::TempDir,
    page: PathBuf,
}

/// The page of a command on a scenario.
fn page(command: &[&str], scenario: &str) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("case.toml"), folder.path().join("out"));
    fs::write(&file, scenario).unwrap();
    let mut arguments = vec![command[0]];
    if !scenario.is_empty() {
        arguments.push(file.to_str().unwrap());
    }
    arguments.extend(&command[1..]);
    arguments.extend(["--report", "--quiet", "--out", out.to_str().unwrap()]);
    check(&arguments, 0);
    Made { page: out.join("report.html"), _folder: folder }
}

/// Opens a page in a browser and looks at it in every way; what it has is handed on. Nothing where there is
/// no browser.
#[track_caller]
fn look_at(name: &str, made: &Made) -> Option<Value> {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let browser = Browser::start()?;
    assert!(fs::metadata(&made.page).unwrap().len() <= 2_000_000);
    // What the browser itself asked for when it began is not the page's.
    browser.blank();
    browser.requests();
    browser.log("browser");
    let mut last = Value::Null;
    for (look, width) in
        [("light", 1200), ("dark", 1200), ("print", 1200), ("light", 390), ("dark", 390)]
    {
        browser.look(look);
        browser.size(width, 900);
        browser.open(&made.page);
        keep(&browser, name, look, width);
        last = browser.run(LOOK);
        assert_eq!(last["wrong"], Value::Array(Vec::new()), "{name}, {look}, {width} wide");
        assert!(last["looked"].as_u64().unwrap() > 20, "{last}");
        let told = browser.log("browser");
        assert!(told.is_empty(), "{name}, {look}: the console says {told:?}");
        let asked = browser.requests();
        let own = |url: &String| url.starts_with("file://") && url.ends_with("/report.html");
        assert!(asked.iter().any(own), "{asked:?}");
        let foreign: Vec<_> =
            asked.iter().filter(|url| !own(url) && !url.starts_with("data:")).collect();
        assert!(foreign.is_empty(), "{name} asks for {foreign:?}");
    }
    browser.look("light");
    let printed = browser.printed();
    // "%PDF-1" in base 64.
    assert!(printed.starts_with("JVBERi0x") && printed.len() > 10_000, "{name} in print");
    keep_as(name, "print.pdf.base64", printed.as_bytes());
    Some(last)
}

/// Keeps a picture for people to look at, if they want to.
fn keep(browser: &Browser, name: &str, look: &str, width: u32) {
    if std::env::var_os("REPORTS").is_some() {
        keep_as(name, &format!("{look}-{width}.png.base64"), browser.picture().as_bytes());
    }
}

fn keep_as(name: &str, what: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("REPORTS") {
        fs::create_dir_all(&folder).unwrap();
        fs::write(Path::new(&folder).join(format!("{name}-{what}")), bytes).unwrap();
    }
}

/// The heads of a page.
fn heads(seen: &Value) -> Vec<&str> {
    seen["heads"].as_array().unwrap().iter().map(|head| head.as_str().unwrap()).collect()
}

/// What a reader needs to make it again: the command, the scenario, workload files and own entries.
#[test]
fn a_page_has_what_makes_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let (_, _) = check(&["new", "workload", "-o", place("mine.toml").to_str().unwrap()], 0);
    let mine = fs::read_to_string(place("mine.toml")).unwrap();
    let mine = mine.replace("[service.a30]", "[service.a100-pcie-40gb]");
    fs::write(place("mine.toml"), &mine).unwrap();
    let gpu = fs::read_to_string("configs/gpus/a100-pcie-40gb.toml").unwrap();
    let own = format!("# My own card.\n{gpu}");
    fs::create_dir_all(place("configs/gpus")).unwrap();
    fs::write(place("configs/gpus/a100-pcie-40gb.toml"), own).unwrap();
    let text = scenario("Mine", &["one"], "").replace("\"bert-99\"", "\"mine.toml\"");
    fs::write(place("case.toml"), &text).unwrap();
    let (case, out, configs) = (place("case.toml"), place("out"), place("configs"));
    let arguments = [
        "run",
        case.to_str().unwrap(),
        "--report",
        "--set",
        "vm.vcpus=4",
        "--set",
        "title=\"It's mine\"",
        "--configs",
        configs.to_str().unwrap(),
        "--replications",
        "1",
        "--out",
        out.to_str().unwrap(),
    ];
    let (_, told) = check(&arguments, 0);
    assert!(told.contains(" report.html"), "{told}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    let escaped = |text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        text.replace('"', "&quot;").replace('\'', "&#39;")
    };
    for part in [
        "--set vm.vcpus=4 --set 'title=\"It'\\''s mine\"' --configs",
        "It's mine",
        &text,
        &mine,
        "# My own card.",
        "built-in entries in use",
        "hosts/dell-r7525",
    ] {
        assert!(page.contains(&escaped(part)), "{part} is not in the page");
    }
    assert!(!page.contains("gpus/a100-pcie-40gb,"), "an entry of one's own is not built in");
    // What is not asked for again is not left from before.
    check(
        &[
            "run",
            case.to_str().unwrap(),
            "--replications",
            "1",
            "--quiet",
            "--out",
            out.to_str().unwrap(),
        ],
        0,
    );
    assert!(!out.join("report.html").exists() && out.join("result.json").exists());
}

#[test]
#[ignore = "browser: cargo test -- --include-ignored, with chromium and chromedriver"]
fn a_run_can_be_read() {
    let made = page(&["run"], &scenario("Three VMs on one card", &["one", "two", "three"], ""));
    let Some(seen) = look_at("run", &made) else { return };
    let heads = heads(&seen);
    assert_eq!(heads[0], "Three VMs on one card");
    for head in
        ["VMs", "Latency", "Where the time of a query goes", "Notes", "How to make it again"]
    {
        assert!(heads.contains(&head), "{head} is not among {heads:?}");
    }
    assert!(seen["tables"].as_u64() >= Some(5) && seen["figures"].as_u64() >= Some(1), "{seen}");
    let data: Value = serde_json::from_str(seen["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["runs"][0]["vms"][2]["name"], "three");
}

#[test]
#[ignore = "browser: cargo test -- --include-ignored, with chromium and chromedriver"]
fn a_sweep_can_be_read() {
    let more = "[sweep]\nvm.vcpus = [2, 4, 8]\nreplications = 2\n";
    let made = page(&["sweep"], &scenario("vCPUs", &["one"], more));
    let Some(seen) = look_at("sweep", &made) else { return };
    assert!(heads(&seen).contains(&"Points"), "{seen}");
    let data: Value = serde_json::from_str(seen["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["points"].as_array().unwrap().len(), 3);
}

#[test]
#[ignore = "browser: cargo test -- --include-ignored, with chromium and chromedriver"]
fn a_capacity_can_be_read() {
    let text = scenario("How much?", &["one", "two"], "");
    let command = ["capacity", "--precision", "5", "--replications", "1"];
    let Some(seen) = look_at("capacity", &page(&command, &text)) else { return };
    assert!(heads(&seen).contains(&"What limits them"), "{seen}");
    let command = ["capacity", "--vms", "--replications", "1"];
    let one = scenario("How many?", &["one"], "");
    let Some(seen) = look_at("vms", &page(&command, &one)) else { return };
    assert!(heads(&seen).contains(&"Ways of sharing"), "{seen}");
}

/// Few queries: how the errors come out is tested elsewhere.
#[test]
#[ignore = "browser: cargo test -- --include-ignored, with chromium and chromedriver"]
fn a_validation_can_be_read() {
    let made = page(&["validate", "--queries", "1000", "--fit-queries", "1000"], "");
    let Some(seen) = look_at("validation", &made) else { return };
    assert!(heads(&seen).contains(&"Server runs, predicted and measured"), "{seen}");
}

#[test]
#[ignore = "browser: cargo test -- --include-ignored, with chromium and chromedriver"]
fn hostile_texts_are_texts() {
    let made = page(&["run"], &scenario(HOSTILE, &[HOSTILE, "=1+1"], ""));
    let Some(seen) = look_at("hostile", &made) else { return };
    let title = toml::from_str::<toml::Table>(&format!("title = \"{HOSTILE}\"")).unwrap();
    let title = title["title"].as_str().unwrap();
    let shown = title.replace('\u{202e}', "\\u{202e}").replace('\u{7}', "\\u{7}");
    assert_eq!(heads(&seen)[0], shown);
    let data: Value = serde_json::from_str(seen["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["title"], title);
    assert_eq!(data["runs"][0]["vms"][0]["name"], title);
}
