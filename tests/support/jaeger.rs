//! A real Jaeger, which keeps traces in memory.
//!
//! `TRACEGEN_JAEGER` names its binary (`scripts/jaeger.sh` builds one). Without it, tests that want one are skipped with the
//! reason printed, and fail when `CI` is set.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::http;
use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Its listeners. Traces are asked for at the first, brought to the second, and figures are at the third.
const LISTENERS: [&str; 7] = [
    "query.http-server",
    "collector.otlp.grpc",
    "admin.http",
    "collector.otlp.http",
    "query.grpc-server",
    "collector.grpc-server",
    "collector.http-server",
];

/// Killed when dropped; it also ends when the test process does, however that ends.
pub struct Jaeger {
    folder: TempDir,
    ports: [u16; LISTENERS.len()],
    guard: Option<Child>,
}

/// Runs it beside itself until stdin closes.
const GUARD: &str = r#"log="$1"; shift; "$0" "$@" >"$log" 2>&1 & pid=$!; read -r _; kill -KILL "$pid"; wait "$pid""#;

impl Jaeger {
    /// Start, and wait until it listens; `None` if there is no binary.
    pub fn start() -> Option<Jaeger> {
        let binary = match std::env::var_os("TRACEGEN_JAEGER").map(PathBuf::from) {
            Some(binary) if binary.is_file() => binary,
            Some(binary) => return skip(&format!("TRACEGEN_JAEGER: {} is not a file", binary.display())),
            None => return skip("TRACEGEN_JAEGER is not set"),
        };
        let folder = tempfile::tempdir().unwrap();
        let free = LISTENERS.map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let ports = free.map(|listener| listener.local_addr().unwrap().port());
        let log = folder.path().join("log.txt");
        let listen = LISTENERS.iter().zip(ports).map(|(name, port)| format!("--{name}.host-port=127.0.0.1:{port}"));
        let guard = Command::new("sh")
            .args(["-c", GUARD])
            .args([&binary, &log])
            .args(listen)
            // What it acknowledges it keeps: its own queue would drop what comes faster than it is written.
            .arg("--collector.queue-size=10000000")
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let jaeger = Jaeger { folder, ports, guard: Some(guard) };
        let begun = Instant::now();
        while ports[..3].iter().any(|&port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()) {
            let log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(20), "Jaeger does not come up:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
        Some(jaeger)
    }

    /// Of its HTTP API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Where it takes OTLP/gRPC.
    pub fn otlp_port(&self) -> u16 {
        self.ports[1]
    }

    /// Spans that it has kept, by its own count.
    pub fn spans(&self) -> u64 {
        let figures = http::get(&format!("127.0.0.1:{}", self.ports[2]), "/metrics").body;
        let saved = figures.lines().filter(|line| line.starts_with("jaeger_collector_spans_saved_by_svc_total{"));
        let count = |line: &str| line.contains("result=\"ok\"").then(|| line.rsplit(' ').next()?.parse::<f64>().ok());
        saved.filter_map(|line| count(line)?).sum::<f64>() as u64
    }

    /// Wait until it has kept so many spans: it acknowledges before.
    pub fn wait_for(&self, spans: u64) {
        let begun = Instant::now();
        while self.spans() < spans {
            assert!(begun.elapsed() < Duration::from_secs(60), "Jaeger has {} of {spans} spans", self.spans());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

impl Drop for Jaeger {
    fn drop(&mut self) {
        self.kill();
    }
}

fn skip<T>(reason: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "no Jaeger: {reason}");
    // Straight to stderr: the test harness would keep `eprintln!` of a passing test to itself.
    let _ = writeln!(std::io::stderr(), "skipped, no Jaeger: {reason}");
    None
}
