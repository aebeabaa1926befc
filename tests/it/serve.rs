//! `slicewise serve` from outside: what is answered, what is refused, what it survives.

#[path = "serve/client.rs"]
pub(crate) mod client;

use crate::cli::check;
use client::{Answer, Served};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Two VMs in turns for two seconds.
const TWO: &str = r#"
title = "Two <b>VMs</b> in turns"
host = "dell-r7525"
hypervisor = "vsphere-8.0"
gpus = { model = "a100-pcie-40gb", count = 1 }
sharing = { policy = "equal-share" }
[[vm]]
name = "tenant"
count = 2
vcpus = 8
vgpu = { type = "A100-20C" }
workload = "bert-99"
server = { preset = "triton", batch_max = 8 }
load = { scenario = "server", target_qps = 100, target_latency = "80 ms", rules = "none", min_duration = "20 s", min_query_count = 100 }
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("two.toml"), TWO).unwrap();
    fs::write(folder.path().join("bad.toml"), TWO.replace("A100-20C", "A100-21C")).unwrap();
    folder
}

fn find<'a>(events: &'a [(String, Value)], name: &str) -> &'a Value {
    let found = events.iter().find(|(event, _)| event == name);
    &found.unwrap_or_else(|| panic!("no event {name} in {events:?}")).1
}

#[test]
fn lessons_and_files_are_listed_and_faults_told() {
    let folder = folder();
    let served = Served::start(Some(folder.path()));
    let answer = served.get("/api/sources");
    assert_eq!(answer.status, 200, "{}", answer.head);
    let list: Value = serde_json::from_str(&answer.body).unwrap();
    let lessons = list["lessons"].as_array().unwrap();
    assert!(lessons.len() >= 6, "{list}");
    assert!(lessons.iter().all(|lesson| lesson["question"].is_string()), "{list}");
    assert!(lessons[0]["id"].as_str().unwrap().starts_with("lesson/1-"), "{list}");
    assert_eq!(list["files"][0]["id"], "file/two.toml");
    assert_eq!(list["files"][0]["title"], "Two <b>VMs</b> in turns");
    assert_eq!(list["faults"][0]["id"], "file/bad.toml");
    assert!(list["faults"][0]["message"].as_str().unwrap().contains("unknown vGPU type"), "{list}");
}

/// The last frame has the figures of `slicewise run` for the file that is exported: cell by cell as it
/// prints them, and in its document.
#[test]
fn figures_are_those_of_run_for_the_exported_file() {
    let folder = folder();
    let served = Served::start(Some(folder.path()));
    let set = "source=file/two.toml&set=vm.load.target_qps%3D120&set=vm.count%3D1&set=vm.count%3D2";
    let answer = served.get(&format!("/api/answer?{set}&set=sharing.slice%3D4%20ms&curve=vms"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let events = answer.events();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    // 4800 queries: cut, whole, and three times.
    assert_eq!(names, ["setting", "frame", "frame", "frame", "end"]);
    let setting = find(&events, "setting");
    let sets = ["vm.load.target_qps=120", "vm.count=2", "sharing.slice=4 ms"];
    assert_eq!(setting["sets"], serde_json::json!(sets));
    assert_eq!(setting["curve"], "vms");
    let last = &events[3].1;
    assert_eq!(
        (&last["step"], &last["steps"], &last["exact"]),
        (&3.into(), &3.into(), &true.into())
    );
    let exported =
        served.get(&format!("/api/export?kind=scenario&{set}&set=sharing.slice%3D4%20ms"));
    assert!(exported.head.contains("attachment; filename=\"two.toml\""), "{}", exported.head);
    assert_eq!(Value::from(exported.body.clone()), setting["text"]);
    let file = folder.path().join("two.toml");
    fs::write(&file, &exported.body).unwrap();
    let (file, out) = (file.to_str().unwrap(), folder.path().join("out"));
    let (document, _) =
        check(&["run", file, "--json", "--quiet", "--out", out.to_str().unwrap()], 0);
    let document: Value = serde_json::from_str(&document).unwrap();
    let p99 = |vm: &Value| vm["latency_ms"]["p99"].as_f64().unwrap();
    let vms = document["runs"][0]["vms"].as_array().unwrap();
    let worst = vms.iter().map(p99).fold(0.0, f64::max);
    let figure = last["figures"].as_array().unwrap().iter().find(|one| one["id"] == "p99").unwrap();
    assert_eq!(figure["value"].as_f64().unwrap(), worst);
    assert_eq!(last["verdict"]["holds"], document["verdict"]["holds"]);
    let (printed, _) = check(&["run", file, "--quiet", "--out", out.to_str().unwrap()], 0);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = printed.lines().map(words).collect();
    for table in last["tables"].as_array().unwrap() {
        for row in table["rows"].as_array().unwrap() {
            let cells: Vec<&str> =
                row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect();
            let row = words(&cells.join(" "));
            assert!(lines.contains(&row), "`run` does not print\n{row}\nbut\n{printed}");
        }
    }
    // The curve goes over the VMs, and has its interval.
    let curve = &last["curve"];
    assert_eq!((&curve["id"], &curve["at"]), (&"vms".into(), &2.into()));
    let p99 = &curve["series"][0];
    let place = curve["x"].as_array().unwrap().iter().position(|x| x == 2).unwrap();
    let [low, y, high] = ["low", "y", "high"].map(|name| p99[name][place].as_f64().unwrap());
    assert!(low <= y && y <= high && low > 0.0, "{p99}");
    assert!(last["timeline"]["svg"].as_str().unwrap().starts_with("<svg"));
}

/// What another setting leaves without a meaning is told and not used; what is impossible is refused in
/// the words of `run`.
#[test]
fn settings_without_a_meaning_sleep_and_impossible_ones_are_refused() {
    let folder = folder();
    let served = Served::start(Some(folder.path()));
    let of = |set: &str| served.get(&format!("/api/answer?source=file/two.toml&{set}")).events();
    let events = of("set=sharing.slice%3D4%20ms&set=sharing.policy%3Dbest-effort");
    let setting = find(&events, "setting");
    assert_eq!(setting["dormant"], serde_json::json!(["sharing.slice=4 ms"]));
    assert_eq!(setting["sets"], serde_json::json!(["sharing.policy=best-effort"]));
    let events = of("set=vm.count%3D3");
    let message = find(&events, "refused")["message"].as_str().unwrap();
    assert!(message.contains("error:") && message.contains("A100-20C"), "{message}");
    assert_eq!(events.last().unwrap().0, "end");
}

#[test]
fn every_export_is_what_it_says() {
    let folder = folder();
    let served = Served::start(Some(folder.path()));
    for (kind, start) in [
        ("scenario", "title ="),
        ("csv", "run,side,"),
        ("svg", "<svg"),
        ("json", "{"),
        ("report", "<!DOCTYPE html>"),
    ] {
        let answer = served.get(&format!("/api/export?kind={kind}&source=file/two.toml"));
        assert_eq!(answer.status, 200, "{kind}: {}", answer.body);
        assert!(answer.body.trim_start().starts_with(start), "{kind}: {:.80}", answer.body);
    }
}

/// Nothing but what the page asks for is done, and the answer says what is allowed.
#[test]
fn bad_requests_say_what_is_allowed() {
    let folder = folder();
    fs::write(folder.path().parent().unwrap().join("outside.toml"), TWO).unwrap();
    let mut served = Served::start(Some(folder.path()));
    let host = format!("Host: 127.0.0.1:{}\r\n", served.port);
    let long = format!("/api/answer?source={}", "x".repeat(9000));
    let many: String = (0..41).map(|index| format!("&set=k{index}%3D1")).collect();
    let many = format!("/api/answer?source=file/two.toml{many}");
    let cases: Vec<(&str, &str, String, u16)> = vec![
        ("GET", "/", "Host: evil.example\r\n".to_string(), 403),
        ("GET", "/", "Host: 127.0.0.1\r\n".to_string(), 403),
        ("GET", "/", String::new(), 403),
        ("GET", "/", host.clone() + "Sec-Fetch-Site: cross-site\r\n", 403),
        ("GET", "/", host.clone() + "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("GET", "/", host.clone() + "Host: evil.example\r\n", 403),
        ("GET", "/api/sources", host.clone() + "Origin: http://evil.example\r\n", 403),
        (
            "GET",
            "/api/sources",
            host.clone() + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
            403,
        ),
        ("POST", "/api/answer", host.clone(), 405),
        ("GET", "/api/sources", host.clone() + "Content-Length: 3\r\n", 413),
        ("GET", &long, host.clone(), 414),
        ("GET", &many, host.clone(), 400),
        ("GET", "/nowhere", host.clone(), 404),
        ("GET", "/page/../mod.rs", host.clone(), 404),
        ("GET", "/page/%2e%2e/mod.rs", host.clone(), 404),
        ("GET", "/api/answer", host.clone(), 404),
        ("GET", "/api/answer?source=file/outside.toml", host.clone(), 404),
        ("GET", "/api/answer?source=file/../outside.toml", host.clone(), 404),
        ("GET", "/api/answer?source=file/two.toml&set=vm.count", host.clone(), 400),
        (
            "GET",
            "/api/answer?source=file/two.toml&set=vm.workload%3D/etc/passwd",
            host.clone(),
            400,
        ),
        ("GET", "/api/answer?source=file/two.toml&set=vm.count%3D/etc/passwd", host.clone(), 400),
        ("GET", "/api/answer?source=file/two.toml&set=vm.vgpu.type%3Dx.toml", host.clone(), 400),
        ("GET", "/api/answer?source=file/two.toml&curve=time", host.clone(), 400),
        ("GET", "/api/answer?source=file/two.toml&colour=red", host.clone(), 400),
        ("GET", "/api/export?source=file/two.toml&kind=exe", host.clone(), 400),
    ];
    for (method, path, head, status) in cases {
        let answer = served.ask(method, path, &head);
        let path = &path[..path.len().min(90)];
        assert_eq!(answer.status, status, "{method} {path} {head}\n{}", answer.body);
        let told: Value = serde_json::from_str(&answer.body)
            .unwrap_or_else(|_| panic!("{path}: {}", answer.body));
        assert!(
            told["error"].is_string() && !told["allowed"].as_str().unwrap().is_empty(),
            "{told}"
        );
        assert!(!answer.body.contains("root:"), "{path}");
        assert!(
            answer.head.to_ascii_lowercase().contains("content-security-policy"),
            "{}",
            answer.head
        );
    }
    assert!(served.is_there());
}

/// 200 clients that begin a request and never end it, and 200 that ask and never read, stand in nobody's way.
#[test]
fn slow_clients_stand_in_nobodys_way() {
    let folder = folder();
    let mut served = Served::start(Some(folder.path()));
    let mut held = Vec::new();
    for index in 0..200 {
        let mut stream = served.connect();
        let host = format!("Host: 127.0.0.1:{}\r\n", served.port);
        match index % 2 {
            0 => write!(stream, "GET /api/sources HTTP/1.1\r\n{host}").unwrap(),
            _ => {
                write!(stream, "GET /page/vendor/uPlot.iife.min.js HTTP/1.1\r\n{host}\r\n").unwrap()
            }
        }
        held.push(stream);
    }
    let begun = Instant::now();
    let answer = served.get("/api/answer?source=file/two.toml");
    assert_eq!(answer.events().last().unwrap().0, "end");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert!(served.is_there());
    if let Some(memory) = served.memory_mb() {
        assert!(memory < 300.0, "{memory} MB");
    }
}

/// Whoever goes away ends his answer: 60 moves, each left at once, and the next is answered soon.
#[test]
fn a_move_that_is_left_costs_nothing_more() {
    let folder = folder();
    // Long enough that the answers of all moves would take minutes.
    let long = TWO.replace("\"20 s\"", "\"1000 s\"");
    fs::write(folder.path().join("two.toml"), long).unwrap();
    let served = Served::start(Some(folder.path()));
    for rate in 50..110 {
        let mut stream = served.connect();
        let path = format!("/api/answer?source=file/two.toml&set=vm.load.target_qps%3D{rate}");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", served.port).unwrap();
        let mut some = [0; 16];
        stream.read_exact(&mut some).unwrap();
        assert!(Answer::of(&some).head.starts_with("HTTP/1.1 200"), "{rate}");
    }
    let begun = Instant::now();
    let answer = served.get("/api/answer?source=file/two.toml&set=vm.load.target_qps%3D5");
    assert_eq!(answer.status, 200);
    // One such answer takes some seconds; sixty of them would take minutes.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

/// Bytes that no client sends, made from requests by accident: none ends the program.
fn survives(count: u32) {
    let folder = folder();
    let mut served = Served::start(Some(folder.path()));
    let host = format!("Host: 127.0.0.1:{}\r\n", served.port);
    let good = [
        format!("GET / HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        format!("GET /api/sources HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        format!(
            "GET /api/answer?source=file/none.toml&set=vm.count%3D2 HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
        ),
        format!(
            "GET /api/export?source=lesson/x&kind=csv HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
        ),
    ];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut draw = |below: usize| {
        // xorshift (Marsaglia 2003): the same requests each time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let before = served.memory_mb();
    for _ in 0..count {
        // The list of scenarios takes longest.
        let which = match draw(20) {
            0 => 1,
            1..=9 => 2,
            10..=14 => 3,
            _ => 0,
        };
        let mut bytes = good[which].clone().into_bytes();
        for _ in 0..1 + draw(6) {
            if bytes.is_empty() {
                break;
            }
            let at = draw(bytes.len());
            match draw(4) {
                0 => bytes[at] = draw(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, draw(256) as u8),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let answer = served.send(&bytes);
        let answer = Answer::of(&answer);
        assert!(answer.status != 500, "{:?}\n{}", String::from_utf8_lossy(&bytes), answer.body);
    }
    assert!(served.is_there());
    assert_eq!(served.get("/").status, 200);
    if let (Some(before), Some(after)) = (before, served.memory_mb()) {
        assert!(after < before + 200.0, "from {before} to {after} MB");
    }
}

#[test]
fn malformed_requests_end_nothing() {
    survives(1_000);
}

#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn a_hundred_thousand_malformed_requests_end_nothing() {
    survives(100_000);
}

/// Loads whose queries nobody knows beforehand, and loads that are too long, are answered as far as a page
/// goes, and never in silence; who leaves an export ends it.
#[test]
fn long_runs_end_with_a_word() {
    let folder = folder();
    let loop_of = |hours: u32| {
        let load = format!(
            "load = {{ scenario = \"closed-loop\", clients = 16, rules = \"none\", \
             min_duration = \"{hours} h\", min_query_count = 1 }}"
        );
        let from = TWO.find("\nload =").unwrap();
        format!("{}\n{load}\n", &TWO[..from])
    };
    fs::write(folder.path().join("loop.toml"), loop_of(8000)).unwrap();
    // A card of its own, whose work goes on while the run is cut.
    let whole = loop_of(8000)
        .replace("count = 2\n", "")
        .replace("vgpu = { type = \"A100-20C\" }", "gpus = 1");
    let whole = whole.replace("sharing = { policy = \"equal-share\" }\n", "");
    fs::write(folder.path().join("whole.toml"), whole).unwrap();
    let served = Served::start(Some(folder.path()));
    for _ in 0..6 {
        let mut stream = served.connect();
        let path = "/api/export?kind=csv&source=file/loop.toml";
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", served.port).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    for file in ["loop", "whole"] {
        let answer = served.get(&format!("/api/answer?source=file/{file}.toml"));
        let events = answer.events();
        let frames: Vec<&Value> =
            events.iter().filter(|(name, _)| name == "frame").map(|(_, frame)| frame).collect();
        assert!(!frames.is_empty(), "{file}: {}", answer.body);
        assert!(frames.iter().all(|frame| frame["exact"] == false), "no frame is that of `run`");
    }
    let answer = served.get("/api/export?kind=csv&source=file/loop.toml");
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("slicewise run"), "{}", answer.body);
}

/// A link to the page may be followed from anywhere; only the page itself may ask.
#[test]
fn a_link_leads_to_the_page() {
    let served = Served::start(None);
    let host = format!("Host: localhost:{}\r\n", served.port);
    let from = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
    assert_eq!(served.ask("GET", "/", &(host + from)).status, 200);
}

#[test]
fn wrong_usage_is_told() {
    let (_, said) = check(&["serve", "no-such-folder"], 1);
    assert!(said.contains("no-such-folder"), "{said}");
    check(&["serve", "--port", "99999"], 2);
    let served = Served::start(None);
    let (_, said) = check(&["serve", "--port", &served.port.to_string()], 1);
    assert!(said.contains("cannot listen") && said.contains("leave out --port"), "{said}");
}
