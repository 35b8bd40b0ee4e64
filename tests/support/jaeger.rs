//! A real Jaeger, which keeps traces in memory.
//!
//! `TRACEGEN_JAEGER` names its binary (`scripts/jaeger.sh` builds one). Without it, tests of Jaeger are skipped with the
//! reason printed, and fail if `CI` is set.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::http;
use super::ports;
use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The variables for the listeners' ports: queries use the first, traces are sent to the second, and the third has metrics.
const PORTS: [&str; 4] = ["JAEGER_PORT", "JAEGER_OTLP_GRPC_PORT", "JAEGER_METRICS_PORT", "JAEGER_OTLP_HTTP_PORT"];

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/jaeger.yaml");

/// A Jaeger, which is killed when it is dropped. It also ends with the test process, however that ends.
pub struct Jaeger {
    folder: TempDir,
    ports: [u16; PORTS.len()],
    guard: Option<Child>,
}

/// A shell script that runs Jaeger beside itself until stdin is closed.
const GUARD: &str = r#"log="$1"; shift; "$0" "$@" >"$log" 2>&1 & pid=$!; read -r _; kill -KILL "$pid"; wait "$pid""#;

impl Jaeger {
    /// Starts Jaeger, and waits until it listens. Returns `None` if there is no binary.
    pub fn start() -> Option<Jaeger> {
        let binary = match std::env::var_os("TRACEGEN_JAEGER").map(PathBuf::from) {
            Some(binary) if binary.is_file() => binary,
            Some(binary) => return skip(&format!("TRACEGEN_JAEGER: {} is not a file", binary.display())),
            None => return skip("TRACEGEN_JAEGER is not set"),
        };
        let folder = tempfile::tempdir().unwrap();
        let ports = ports::free();
        let log = folder.path().join("log.txt");
        let guard = Command::new("sh")
            .args(["-c", GUARD])
            .args([&binary, &log])
            .args(["--config", CONFIG])
            .envs(PORTS.into_iter().zip(ports.map(|port| port.to_string())))
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let jaeger = Jaeger { folder, ports, guard: Some(guard) };
        let begun = Instant::now();
        while ports.iter().any(|&port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()) {
            let log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(120), "Jaeger does not come up:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
        Some(jaeger)
    }

    /// Returns the URL of the HTTP API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Returns the port for OTLP/gRPC.
    pub fn otlp_port(&self) -> u16 {
        self.ports[1]
    }

    /// Returns the number of spans kept, by Jaeger's own count.
    pub fn spans(&self) -> u64 {
        let figures = http::get(&format!("127.0.0.1:{}", self.ports[2]), "/metrics").body;
        let kept = figures.lines().filter(|line| line.starts_with("otelcol_exporter_sent_spans"));
        kept.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// Waits until Jaeger has kept that many spans.
    pub fn wait_for(&self, spans: u64) {
        let begun = Instant::now();
        while self.spans() < spans {
            assert!(begun.elapsed() < Duration::from_secs(120), "Jaeger has {} of {spans} spans", self.spans());
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
    // The message goes straight to stderr, because the test harness hides `eprintln!` of a passing test.
    let _ = writeln!(std::io::stderr(), "skipped, no Jaeger: {reason}");
    None
}
