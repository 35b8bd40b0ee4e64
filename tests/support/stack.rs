//! The stack of `scripts/stack.py`, on ports and in a folder of its own.
//!
//! `TRACEGEN_COLLECTOR`, `TRACEGEN_CLICKHOUSE` and `TRACEGEN_JAEGER` name its parts. Without them, tests of the stack are
//! skipped with the reason printed, and fail if `CI` is set.

use super::ports;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const PARTS: [&str; 4] = ["clickhouse", "jaeger", "collector", "tracegen"];

const PORTS: [&str; 10] = [
    "SERVER_PORT",
    "OTLP_GRPC_PORT",
    "OTLP_HTTP_PORT",
    "COLLECTOR_HEALTH_PORT",
    "COLLECTOR_METRICS_PORT",
    "CLICKHOUSE_HTTP_PORT",
    "CLICKHOUSE_TCP_PORT",
    "JAEGER_PORT",
    "JAEGER_OTLP_GRPC_PORT",
    "JAEGER_OTLP_HTTP_PORT",
];

/// A stack, which is ended when it is dropped. It also ends with the test process, however that ends.
pub struct Stack {
    folder: TempDir,
    pub ports: BTreeMap<&'static str, u16>,
    guard: Option<Child>,
}

impl Stack {
    /// Makes a stack that is not started yet. Returns `None` if there are no parts.
    pub fn new() -> Option<Stack> {
        for variable in ["TRACEGEN_COLLECTOR", "TRACEGEN_CLICKHOUSE", "TRACEGEN_JAEGER"] {
            if !std::env::var_os(variable).is_some_and(|path| Path::new(&path).is_file()) {
                assert!(std::env::var_os("CI").is_none(), "no stack: {variable} names no file");
                // The message goes straight to stderr, because the test harness hides `eprintln!` of a passing test.
                let _ = writeln!(std::io::stderr(), "skipped, no stack: {variable} names no file");
                return None;
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut stack =
            Stack { folder, ports: PORTS.into_iter().zip(ports::free::<{ PORTS.len() }>()).collect(), guard: None };
        let mut guard = Command::new("sh");
        stack.surround(guard.args(["-c", r#"read -r end; exec "$0" clean"#, SCRIPT]));
        // The stack is in a process group of its own, because what ends the tests must not end it.
        let guard = guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        stack.guard = Some(guard.expect("started"));
        Some(stack)
    }

    pub fn run(&self, verb: &str) -> Output {
        self.command(verb).output().expect("run")
    }

    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(SCRIPT);
        self.surround(command.arg(verb));
        command
    }

    /// Starts the stack, and asserts that everything is ready.
    pub fn up(&self) {
        let output = self.run("up");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn surround(&self, command: &mut Command) {
        let ours = ["OTEL_", "TRACE_", "SCENARIOS_", "DATABASE_", "SERVER_", "LOG_", "JAEGER_", "INMEMORY_"];
        for (name, _) in std::env::vars().filter(|(name, _)| ours.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
        command.envs(self.ports.iter().map(|(name, port)| (name, port.to_string())));
        command.env("STACK_DIR", self.folder.path()).env("STACK_TRACEGEN", env!("CARGO_BIN_EXE_tracegen"));
    }

    pub fn pid(&self, part: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{part}.pid"))).expect("it was started")
    }

    pub fn log(&self, part: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("logs/{part}.log"))).expect("it was started")
    }

    /// Kills a part with `kill -9`.
    pub fn kill(&self, part: &str) {
        assert!(Command::new("kill").args(["-KILL", &self.pid(part)]).status().expect("run").success());
    }

    /// Returns the address of a port.
    pub fn url(&self, port: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports[port])
    }

    /// Returns the answer of the part at a port, once it is as wanted.
    pub fn get(&self, port: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(path, || {
            let answer = self.ask(port, "GET", path, "")?;
            let value = serde_json::from_str(&answer).map_err(|e| format!("{e}: {answer}"))?;
            if wanted(&value) { Ok(value) } else { Err(answer) }
        })
    }

    /// Returns a page of `serve`.
    pub fn page(&self, path: &str) -> String {
        self.ask("SERVER_PORT", "GET", path, "").unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Returns the answer of ClickHouse.
    pub fn select(&self, statement: &str) -> String {
        let answer = self.ask("CLICKHOUSE_HTTP_PORT", "POST", "/?database=otel", statement);
        answer.unwrap_or_else(|e| panic!("{statement}: {e}")).trim().to_string()
    }

    /// Waits until ClickHouse gives this answer.
    pub fn wait(&self, statement: &str, expected: &str) {
        until(statement, || {
            let found = self.select(statement);
            if found == expected { Ok(()) } else { Err(format!("{found}, not {expected}")) }
        });
    }

    /// Returns the body of a successful answer. HTTP/1.0 is used because it has no chunks.
    fn ask(&self, port: &str, method: &str, path: &str, body: &str) -> Result<String, String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports[port])).map_err(|e| e.to_string())?;
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + body).as_bytes()).map_err(|e| e.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.contains(" 200 ") => Ok(body.to_string()),
            _ => Err(answer),
        }
    }
}

/// Repeats an attempt until it succeeds; in the end, panics with the last failure.
pub fn until<T>(what: &str, attempt: impl Fn() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(found) => return found,
            Err(why) => assert!(begun.elapsed() < Duration::from_secs(120), "{what}: {why}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/stack.py");

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}
