//! The site that `scripts/web` makes, in a real browser: nothing answers but files, and what is shown is what
//! `slicewise run` prints for the file that is exported.

use super::driver::Browser;
use super::page::{is_silent, is_what_run_prints, keys, moved, opened, reset, tell_times};
use super::{LOOK, ONE, keep};
use serde_json::{Value, json};
use slicewise::config::{Catalogue, LoadOptions};
use slicewise::explore::{self, Request};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// What `scripts/web` ends with where a part of the toolchain is not at hand.
const LACKS: i32 = 3;

/// The site in a folder; nothing, and it is said why, where it cannot be built here.
fn site() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let built = Command::new("scripts/web").arg(folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&built.stderr);
    if built.status.code() == Some(LACKS) {
        println!("SKIPPED: the page without a program: {told}");
        return None;
    }
    assert!(built.status.success(), "scripts/web: {told}");
    println!("{}", String::from_utf8_lossy(&built.stdout).trim());
    Some(folder)
}

/// Offers the files of a folder on this machine, as any web server does, until the process ends; its address.
fn offered(folder: &Path) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let folder = folder.to_path_buf();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(stream, &folder));
        }
    });
    address
}

fn answer(mut stream: TcpStream, folder: &Path) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    lines.find(String::is_empty);
    let path = first.split(' ').nth(1).unwrap_or("/").split('?').next().unwrap_or("/");
    let path = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    let file = fs::read(folder.join(path)).ok().filter(|_| !path.contains(".."));
    let (status, body) = file.map_or(("404 Not Found", Vec::new()), |bytes| ("200 OK", bytes));
    // A browser that has gone on to another page reads no more.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .and_then(|()| stream.write_all(&body));
}

/// What a promise of a script comes to.
#[track_caller]
fn awaited(browser: &Browser, promise: &str) -> Value {
    browser.run(&format!(
        "window.came = null; (async () => {{ {promise} }})() \
         .then((value) => {{ window.came = {{ value }}; }}, (error) => {{ window.came = {{ error: String(error) }}; }});"
    ));
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let came = browser.run("return window.came");
        if !came.is_null() {
            assert!(came["error"].is_null(), "{}", came["error"]);
            return came["value"].clone();
        }
        assert!(Instant::now() < deadline, "nothing came of {promise}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every event of the answers to all lessons, as the program tells them and as the browser does: the same
/// figures to the last digit. Then what is imported: no clock, no chance, no file but what the page hands in.
#[track_caller]
fn answers_as_the_program_does(browser: &Browser) -> Vec<String> {
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let lessons = explore::lessons();
    let listed: Value = serde_json::from_str(&explore::sources(&options, &lessons, None)).unwrap();
    // Those that a page offers: the sweeps beside them it draws by itself.
    let ids: Vec<&str> = listed["lessons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert!(ids.len() > 9, "{ids:?}");
    for id in &ids {
        let mut own: Vec<Value> = Vec::new();
        let request = Request { source: id.to_string(), ..Request::default() };
        let mut tell = |(name, data): explore::Event| {
            let data: Value = serde_json::from_str(&data).unwrap();
            own.extend((name != "end").then(|| json!([name, data])));
        };
        explore::answer(&options, &lessons, &request, &|| false, &mut tell).unwrap();
        let setting = json!({ "source": id, "sets": [], "curve": null });
        let told = awaited(
            browser,
            &format!(
                "const {{ answer }} = await import('./page/simulator.js'); const told = []; \
                 await answer({setting}, {{ signal: new AbortController().signal, \
                   onEvent: (name, data) => told.push([name, data]) }}); return told;"
            ),
        );
        let told = told.as_array().unwrap();
        assert_eq!(told.len(), own.len(), "{id}");
        for (own, told) in own.iter().zip(told) {
            assert!(own == told, "{id}: the program tells\n{own}\nthe page\n{told}");
        }
    }
    let imports = awaited(
        browser,
        "const bytes = await (await fetch('page/simulator.wasm')).arrayBuffer(); \
         return WebAssembly.Module.imports(await WebAssembly.compile(bytes)).map((one) => `${one.module}.${one.name}`);",
    );
    let mut imports: Vec<String> = serde_json::from_value(imports).unwrap();
    imports.sort();
    assert_eq!(imports, ["page.late", "page.tell"]);
    ids.into_iter().map(str::to_string).collect()
}

/// A click on a link that is made when it is asked for, and the file that the browser saves.
#[track_caller]
fn taken(browser: &Browser, folder: &Path, kind: &str) -> PathBuf {
    let before = fs::read_dir(folder).unwrap().count();
    let link = format!("document.getElementById('export-{kind}')");
    browser.run(&format!("{link}.focus()"));
    browser.keys("\u{e007}");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<PathBuf> = files.collect();
        let is_part = |path: &PathBuf| {
            path.extension().is_some_and(|ending| ending == "crdownload" || ending == "tmp")
        };
        if files.len() > before && !files.iter().any(is_part) {
            let newest = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
            return files.into_iter().max_by_key(newest).unwrap();
        }
        let told = browser.run("return document.getElementById('made').textContent");
        assert!(Instant::now() < deadline, "no file of {kind}: {told}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Each lesson: the answer is that of the program, the first slider moves it, the page as it is then has no
/// fault; the files that are taken away are those of the program; a simulator that is not there is told.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_page_without_a_program_answers_as_the_program_does() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(browser) = Browser::start() else { return };
    let Some(site) = site() else { return };
    let page = offered(site.path());
    browser.blank();
    browser.requests();
    browser.log("browser");
    browser.size(1200, 900);
    let mut first_frames = Vec::new();
    browser.visit(&page);
    for id in answers_as_the_program_does(&browser) {
        opened(&browser, &page, &id);
        let keys = keys(&browser, &id);
        first_frames.extend(moved(&browser, &id, &keys[0]));
        is_what_run_prints(&browser, &id);
        reset(&browser, &id);
        let name = format!("static-{}", id.replace('/', "-"));
        for (look, width) in [("light", 1200), ("dark", 1200), ("light", 360), ("dark", 360)] {
            browser.look(look);
            browser.size(width, 900);
            std::thread::sleep(Duration::from_millis(200));
            keep(&browser, &name, look, width);
            let seen = browser.run(&format!("window.served = true; {LOOK}"));
            assert_eq!(seen["wrong"], json!([]), "{id}, {look}, {width} wide");
        }
        browser.look("light");
        browser.size(1200, 900);
    }
    tell_times("moves of sliders, without a program", first_frames);

    let files = tempfile::tempdir().unwrap();
    let into = json!({ "behavior": "allow", "downloadPath": files.path() });
    browser.tell("Browser.setDownloadBehavior", into);
    opened(&browser, &page, "lesson/1-one-vm");
    let scenario = taken(&browser, files.path(), "scenario");
    let shown = browser.run("return document.getElementById('scenario').textContent");
    assert_eq!(fs::read_to_string(&scenario).unwrap(), shown.as_str().unwrap());
    assert_eq!(scenario.file_name().unwrap(), "1-one-vm.toml");
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let request = Request { source: "lesson/1-one-vm".to_string(), ..Request::default() };
    for kind in ["csv", "svg", "json"] {
        let file = taken(&browser, files.path(), kind);
        let own =
            explore::export(&options, &explore::lessons(), &request, kind, &|| false).unwrap();
        assert_eq!(file.file_name().unwrap().to_str(), Some(own.name.as_str()));
        assert!(fs::read(&file).unwrap() == own.bytes, "{kind}: another file than the program's");
    }
    is_silent(&browser, &page);

    fs::remove_file(site.path().join("page/simulator.wasm")).unwrap();
    browser.blank();
    browser.visit(&page);
    std::thread::sleep(Duration::from_secs(1));
    let told = browser.run("return document.getElementById('problem').textContent");
    assert!(told.as_str().unwrap().contains("The simulator of this page cannot be had"), "{told}");
}
