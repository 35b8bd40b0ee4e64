//! A real browser on a real `tracegen serve`.
//!
//! `TRACEGEN_CHROMEDRIVER` names the driver, `TRACEGEN_AXE` the script of axe-core (`scripts/browser.sh` prints both).
//! Without them, browser tests are skipped with the reason printed, and fail if `CI` is set.

#![allow(dead_code, reason = "each test takes what it needs")]

pub use super::serve::Server;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The maximum time until a page is in the state that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The colour scheme of a page.
#[derive(Clone, Copy, Debug)]
pub enum Scheme {
    Light,
    Dark,
}

/// A browser with one page of a server.
pub struct Browser {
    client: Client,
    url: String,
    axe: String,
}

/// Only one browser runs at a time, because several would slow each other down.
static ONE: Mutex<()> = Mutex::new(());

/// Runs a test in a browser of its own. No page may report anything on the console.
pub fn browse(server: &Server, test: impl AsyncFnOnce(&Browser)) {
    let Some((driver, axe)) = parts() else { return };
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let profile = tempfile::tempdir().unwrap();
    let driver = Driver::start(&driver);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = connect(&driver, &profile).await;
        let browser = Browser { client, url: server.url.clone(), axe: std::fs::read_to_string(axe).unwrap() };
        browser.screen(1440, 1000, Scheme::Light).await;
        test(&browser).await;
        let said = browser.console().await;
        assert!(said.is_empty(), "on the console:\n{}", said.join("\n"));
        browser.client.close().await.unwrap();
    });
}

fn parts() -> Option<(PathBuf, PathBuf)> {
    let part = |name: &str| match std::env::var_os(name).map(PathBuf::from) {
        Some(path) if path.is_file() => Some(path),
        Some(path) => skip(&format!("{name}: {} is not a file", path.display())),
        None => skip(&format!("{name} is not set")),
    };
    Some((part("TRACEGEN_CHROMEDRIVER")?, part("TRACEGEN_AXE")?))
}

fn skip<T>(reason: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "no browser: {reason}");
    // The message goes straight to stderr, because the test harness hides `eprintln!` of a passing test.
    let _ = writeln!(std::io::stderr(), "skipped, no browser: {reason}");
    None
}

struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    fn start(binary: &PathBuf) -> Driver {
        // The driver may find that its chosen port is taken, and ends then.
        (0..20).find_map(|_| Driver::attempt(binary)).expect("it prints its port")
    }

    fn attempt(binary: &PathBuf) -> Option<Driver> {
        let mut child =
            Command::new(binary).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.by_ref().find_map(|line| line.strip_suffix('.')?.rsplit_once("on port ")?.1.parse().ok());
        std::thread::spawn(move || lines.for_each(drop));
        // Without a port the driver has ended; dropping it waits for the process.
        let driver = Driver { child, port: port.unwrap_or_default() };
        port.map(|_| driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn connect(driver: &Driver, profile: &TempDir) -> Client {
    let switches = [
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "disable-dev-shm-usage",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    ];
    let mut switches: Vec<String> = switches.map(String::from).to_vec();
    switches.push(format!("user-data-dir={}", profile.path().display()));
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".into(), json!({ "args": switches }));
    capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
    let url = format!("http://localhost:{}", driver.port);
    ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&url).await.expect("a browser")
}

/// A command of ChromeDriver's own.
#[derive(Debug)]
struct Chrome(&'static str, Value);

impl WebDriverCompatibleCommand for Chrome {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (hyper::Method, Option<String>) {
        (hyper::Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    /// Opens a page of the server; `path` begins with `/`.
    pub async fn goto(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// Returns the path, query and fragment of the page.
    pub async fn location(&self) -> String {
        self.client.current_url().await.unwrap().to_string().replacen(&self.url, "", 1)
    }

    pub async fn screen(&self, width: u32, height: u32, scheme: Scheme) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if matches!(scheme, Scheme::Dark) { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    async fn devtools(&self, command: &str, params: Value) -> Value {
        let body = json!({ "cmd": command, "params": params });
        self.client.issue_cmd(Chrome("goog/cdp/execute", body)).await.unwrap()
    }

    /// Turns scripts on or off for pages that are loaded from now on.
    pub async fn scripts(&self, on: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !on })).await;
    }

    /// Returns the value of an expression in the page.
    pub async fn eval(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), vec![]).await.unwrap()
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let began = Instant::now();
        while self.eval(&format!("Boolean({expression})")).await != true {
            assert!(began.elapsed() < PATIENCE, "never true: {expression}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until there is such an element.
    pub async fn wait(&self, css: &str) {
        self.until(&format!("document.querySelector({css:?})")).await;
    }

    pub async fn count(&self, css: &str) -> u64 {
        self.eval(&format!("document.querySelectorAll({css:?}).length")).await.as_u64().unwrap()
    }

    /// Returns the text of the first such element.
    pub async fn text(&self, css: &str) -> String {
        self.wait(css).await;
        let text = self.eval(&format!("document.querySelector({css:?}).innerText")).await;
        text.as_str().unwrap_or_default().trim().to_string()
    }

    pub async fn click(&self, css: &str) {
        self.wait(css).await;
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    /// Replaces the content of a field.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.client.find(Locator::Css(css)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Selects an option by its value.
    pub async fn choose(&self, css: &str, value: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().select_by_value(value).await.unwrap();
    }

    /// Presses a key in the focused element; special keys are in `fantoccini::key`.
    pub async fn press(&self, key: char) {
        let keys = KeyActions::new("keys".into());
        let keys = keys.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Drags the pointer from one place in the page's view to another.
    pub async fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        for (kind, (x, y), buttons) in
            [("mouseMoved", from, 0), ("mousePressed", from, 1), ("mouseMoved", to, 1), ("mouseReleased", to, 0)]
        {
            let button = if kind == "mouseMoved" && buttons == 0 { "none" } else { "left" };
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
            self.devtools("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Returns the warnings and errors on the console since the last call.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.client.issue_cmd(Chrome("se/log", json!({ "type": "browser" }))).await.unwrap();
        let entries = entries.as_array().cloned().unwrap_or_default();
        let bad = entries.iter().filter(|e| matches!(e["level"].as_str(), Some("SEVERE" | "WARNING")));
        bad.map(|e| e["message"].as_str().unwrap_or_default().to_string()).collect()
    }

    /// Checks that nothing overflows horizontally, and that axe finds nothing wrong.
    pub async fn is_sound(&self) {
        let over = self.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert!(over.as_f64().unwrap() <= 0.0, "{} px stick out at {}", over, self.location().await);
        self.client.execute(&self.axe, vec![]).await.unwrap();
        let run = "const done = arguments[arguments.length - 1]; axe.run().then((r) => done(r.violations.map((v) => \
                   v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + n.failureSummary).join('; '))))";
        let violations = self.client.execute_async(run, vec![]).await.unwrap();
        assert_eq!(violations, json!([]), "at {}", self.location().await);
    }

    /// Does the same at each width and in each scheme that the pages are made for.
    pub async fn is_sound_everywhere(&self) {
        for width in [1440, 850, 390] {
            for scheme in [Scheme::Light, Scheme::Dark] {
                self.screen(width, 900, scheme).await;
                self.is_sound().await;
            }
        }
        self.screen(1440, 1000, Scheme::Light).await;
    }

    /// Saves a picture of the whole page in `target/tmp/screenshots`.
    pub async fn picture(&self, name: &str, width: u32, scheme: Scheme) {
        self.screen(width, 900, scheme).await;
        let height = self.eval("document.documentElement.scrollHeight").await.as_u64().unwrap();
        self.screen(width, height as u32, scheme).await;
        let png = self.client.screenshot().await.unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}-{width}-{scheme:?}.png").to_lowercase()), png).unwrap();
        self.screen(1440, 1000, Scheme::Light).await;
    }
}
