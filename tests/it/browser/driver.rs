//! A headless Chromium, driven over WebDriver: plain HTTP with JSON to `chromedriver` on this machine.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Names of the browser, the first found is taken.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with one window.
pub(super) struct Browser {
    driver: Child,
    /// What it says, read no more but kept open.
    _told: Lines<BufReader<ChildStdout>>,
    port: u16,
    session: String,
    /// The browser's own files, removed with it.
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one; nothing, and it is said why, where none is installed.
    pub(super) fn start() -> Option<Self> {
        let installed = |name: &&str| {
            let version = Command::new(name).arg("--version").stderr(Stdio::null()).output();
            version.is_ok_and(|output| output.status.success())
        };
        let browser = BROWSERS.iter().find(|name| installed(name));
        let (Some(browser), true) = (browser, installed(&"chromedriver")) else {
            println!(
                "SKIPPED: the checks of reports in a browser: chromium and chromedriver are not \
                 at hand (Debian: apt-get install chromium chromium-driver)"
            );
            return None;
        };
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let number = line.split_once("started successfully on port ")?.1;
            Some(number.trim_end_matches('.').parse().unwrap())
        });
        let profile = tempfile::tempdir().unwrap();
        let mut found = Self {
            driver,
            _told: lines,
            port: port.expect("chromedriver says its port"),
            session: String::new(),
            _profile: profile,
        };
        let profile = format!("--user-data-dir={}", found._profile.path().display());
        let answer = found.ask(
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": {
                "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
                "goog:chromeOptions": {
                    "binary": program(browser),
                    "args": [
                        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                        "--hide-scrollbars", "--no-first-run", "--disable-background-networking", profile,
                    ],
                },
            } } }),
        );
        found.session = answer["sessionId"].as_str().expect("a session").to_string();
        Some(found)
    }

    /// Opens a file.
    pub(super) fn open(&self, path: &Path) {
        let url = format!("file://{}", path.canonicalize().unwrap().display());
        // From a page to itself the driver may answer before all of a large one is read.
        self.blank();
        self.post("/url", &json!({ "url": url }));
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.run("return document.readyState") != "complete" {
            assert!(Instant::now() < deadline, "{url} is not read in a minute");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens an address.
    pub(super) fn visit(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Opens nothing.
    pub(super) fn blank(&self) {
        self.post("/url", &json!({ "url": "about:blank" }));
    }

    /// The value that a script returns.
    pub(super) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Types keys into what has the focus, as a keyboard does.
    pub(super) fn keys(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|what| json!({ "type": what, "value": key.to_string() }))
            })
            .collect();
        let keyboard = json!({ "type": "key", "id": "keys", "actions": actions });
        self.post("/actions", &json!({ "actions": [keyboard] }));
    }

    /// A command of the browser's own protocol.
    pub(super) fn tell(&self, command: &str, parameters: Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    /// How wide and high the page is shown.
    pub(super) fn size(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size);
    }

    /// Light, dark or print.
    pub(super) fn look(&self, look: &str) {
        let medium = if look == "print" { "print" } else { "screen" };
        let scheme = if look == "dark" { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tell("Emulation.setEmulatedMedia", json!({ "media": medium, "features": features }));
    }

    /// The lines of a log since it was last asked for.
    pub(super) fn log(&self, kind: &str) -> Vec<Value> {
        let lines = self.post("/se/log", &json!({ "type": kind }));
        lines.as_array().unwrap().clone()
    }

    /// Everything that the page asked for since it was last asked, by address.
    pub(super) fn requests(&self) -> Vec<String> {
        let lines = self.log("performance").into_iter().map(|line| {
            serde_json::from_str::<Value>(line["message"].as_str().unwrap()).unwrap()["message"]
                .clone()
        });
        // Its own pages of settings and news ask too.
        let is_ours = |line: &Value| {
            let of = line["params"]["documentURL"].as_str().unwrap_or_default();
            let own = ["file://", "http://127.0.0.1:"].iter().any(|start| of.starts_with(start));
            line["method"] == "Network.requestWillBeSent" && own
        };
        lines
            .filter(is_ours)
            .map(|line| line["params"]["request"]["url"].as_str().unwrap().to_string())
            .collect()
    }

    /// The page on paper, as a PDF in base 64.
    pub(super) fn printed(&self) -> String {
        self.post("/print", &json!({})).as_str().unwrap().to_string()
    }

    /// The whole page as a picture, PNG in base 64.
    pub(super) fn picture(&self) -> String {
        let told =
            json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
        self.post("/goog/cdp/execute", &told)["data"].as_str().unwrap().to_string()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.try_to_ask(method, path, body).unwrap();
        assert!(value["error"].is_null(), "{method} {path}: {value:#}");
        value
    }

    fn try_to_ask(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
        let body = body.to_string();
        // Straight to the driver: no proxy of the environment is asked.
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut answer = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while answer.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut bytes = vec![0; length];
        answer.read_exact(&mut bytes)?;
        let answer: Value = serde_json::from_slice(&bytes)?;
        Ok(answer["value"].clone())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With it the browser ends, also after a test that failed.
        let _ = self.try_to_ask("DELETE", &format!("/session/{}", self.session), &json!({}));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Where a program of the path is.
fn program(name: &str) -> String {
    let paths = std::env::var_os("PATH").unwrap();
    let mut places = std::env::split_paths(&paths).map(|folder| folder.join(name));
    places.find(|place| place.is_file()).unwrap().display().to_string()
}
