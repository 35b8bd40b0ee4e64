//! A real OpenTelemetry Collector, which writes what it acknowledges to a file, or drops it.
//!
//! `TRACEGEN_COLLECTOR` names its binary. Without it, tests that want one are skipped with the reason printed, and fail when
//! `CI` is set.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::ports;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::{
    fmt::Display,
    fs,
    io::Write,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What the collector does with what it takes.
#[derive(Clone, Debug)]
pub enum Output {
    /// Nothing, for as long and as fast as it is sent.
    Nop,
    /// OTLP JSON, a request a line.
    Json,
    /// Protobuf after a 4-byte length.
    Protobuf,
    /// Either, each request compressed with zstd after its length.
    ZstdJson,
    ZstdProtobuf,
    /// Rows of a database of a ClickHouse server, at the port of its native protocol.
    ClickHouse {
        tcp_port: u16,
        database: String,
    },
    /// Metrics of calls between services and of spans, by its connectors.
    CallMetrics,
    /// OTLP/gRPC to that port of this machine.
    Otlp {
        port: u16,
    },
    /// OTLP/HTTP to that port of this machine.
    OtlpHttp {
        port: u16,
    },
}

impl Output {
    /// Its exporter's name and configuration, in a folder.
    fn exporter(&self, folder: &Path) -> (&'static str, String) {
        // With rotation, the file exporter writes without a buffer: what it acknowledges is written.
        let file = |name: &str, format: &str| {
            let path = folder.join(name);
            format!("{{path: '{}', format: {format}, rotation: {{max_megabytes: 100000}}}}", path.display())
        };
        // Without a queue, what the others acknowledge is written.
        match self {
            Output::Nop | Output::CallMetrics => ("nop", "{}".into()),
            Output::Json => ("file/json", file(JSON, "json")),
            Output::Protobuf => ("file/protobuf", file(PROTOBUF, "proto")),
            Output::ZstdJson => ("file/zstd-json", file(ZSTD_JSON, "json, compression: zstd")),
            Output::ZstdProtobuf => ("file/zstd-protobuf", file(ZSTD_PROTOBUF, "proto, compression: zstd")),
            Output::ClickHouse { tcp_port, database } => (
                "clickhouse",
                format!(
                    "{{endpoint: 'tcp://127.0.0.1:{tcp_port}', database: {database}, async_insert: false, \
                     sending_queue: {{enabled: false}}}}"
                ),
            ),
            Output::Otlp { port } => {
                let endpoint = format!("endpoint: '127.0.0.1:{port}', tls: {{insecure: true}}");
                ("otlp", format!("{{{endpoint}, {AT_ONCE}}}"))
            }
            Output::OtlpHttp { port } => ("otlphttp", format!("{{endpoint: 'http://127.0.0.1:{port}', {AT_ONCE}}}")),
        }
    }
}

/// Of an exporter of OTLP: what it acknowledges, the next one has, and what fails is tried again soon, without an end. An
/// answer may be late on a machine that is busy: what is given up too soon is sent twice.
const AT_ONCE: &str = "sending_queue: {enabled: false}, timeout: 60s, \
                       retry_on_failure: {initial_interval: 50ms, max_interval: 200ms, max_elapsed_time: 0}";

/// A call that nobody answered counts as one of the service that its `server.address` names.
const CONNECTORS: &str = "servicegraph: {store: {ttl: 5s, max_items: 1000000}, store_expiration_loop: 500ms, \
                          virtual_node_peer_attributes: [server.address], metrics_flush_interval: 500ms}, \
                          spanmetrics: {metrics_flush_interval: 500ms}";

const JSON: &str = "traces.json";
const PROTOBUF: &str = "traces.bin";
const ZSTD_JSON: &str = "json.zst";
const ZSTD_PROTOBUF: &str = "bin.zst";

/// Killed when dropped; it also ends when the test process does, however that ends.
pub struct Collector {
    binary: PathBuf,
    folder: TempDir,
    outputs: Vec<Output>,
    /// Names and configurations.
    processors: Vec<(&'static str, &'static str)>,
    ports: [u16; 2],
    guard: Option<Child>,
}

/// Runs the collector beside itself, and sends it the signal that is read from stdin: KILL if stdin just closes.
const GUARD: &str =
    r#""$0" --config "$1" >>"$2" 2>&1 & pid=$!; read -r signal; kill -"${signal:-KILL}" "$pid"; wait "$pid""#;

impl Collector {
    /// Start, and wait until it listens; `None` if there is no binary.
    pub fn start(output: Output) -> Option<Collector> {
        Collector::with(vec![output], &[])
    }

    /// The same with more than one output, and processors in front of them: names and configurations.
    pub fn with(outputs: Vec<Output>, processors: &[(&'static str, &'static str)]) -> Option<Collector> {
        let binary = match std::env::var_os("TRACEGEN_COLLECTOR").map(PathBuf::from) {
            Some(binary) if binary.is_file() => binary,
            Some(binary) => return skip(&format!("TRACEGEN_COLLECTOR: {} is not a file", binary.display())),
            None => return skip("TRACEGEN_COLLECTOR is not set"),
        };
        let folder = tempfile::tempdir().unwrap();
        let ports = ports::free();
        let mut collector = Collector { binary, folder, outputs, processors: processors.to_vec(), ports, guard: None };
        collector.restart();
        Some(collector)
    }

    /// Where it takes OTLP/gRPC.
    pub fn grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Where it takes OTLP/HTTP, without the path.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Start again after [`Collector::kill`] or [`Collector::stop`], on the same ports; the file is continued.
    pub fn restart(&mut self) {
        assert!(self.guard.is_none(), "it is running");
        let exporters = self.outputs.iter().map(|output| output.exporter(self.folder.path()));
        let (exporter_names, exporters) = written(exporters);
        let (processor_names, processors) = written(self.processors.iter().copied());
        let [grpc, http] = self.ports;
        let connectors =
            if self.outputs.iter().any(|output| matches!(output, Output::CallMetrics)) { CONNECTORS } else { "" };
        let connector_names = if connectors.is_empty() { "" } else { ", servicegraph, spanmetrics" };
        let config = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpc}'}}, http: {{endpoint: '127.0.0.1:{http}'}}}}}}}}\n\
             processors: {{{processors}}}\nexporters: {{{exporters}, file/metrics: {{path: '{}'}}}}\nconnectors: {{{connectors}}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    \
             traces: {{receivers: [otlp], processors: [{processor_names}], exporters: [{exporter_names}{connector_names}]}}\n    \
             metrics: {{receivers: [otlp{connector_names}], exporters: [file/metrics]}}\n",
            self.metrics_file().display()
        );
        let config_file = self.folder.path().join("config.yaml");
        fs::write(&config_file, config).unwrap();
        let guard = Command::new("sh")
            .args(["-c", GUARD])
            .args([&self.binary, &config_file, &self.log()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.guard = Some(guard);
        let begun = Instant::now();
        while self.ports.iter().any(|&port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()) {
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(120), "the collector does not come up:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9`, and wait for its end.
    pub fn kill(&mut self) {
        self.signal("KILL");
    }

    /// Let it end in its own time, and wait for that.
    pub fn stop(&mut self) {
        self.signal("TERM");
    }

    fn signal(&mut self, signal: &str) {
        if let Some(mut guard) = self.guard.take() {
            if let Some(mut stdin) = guard.stdin.take() {
                let _ = writeln!(stdin, "{signal}");
            }
            let _ = guard.wait();
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log.txt")
    }

    /// What it writes to; of several, the first.
    pub fn file(&self) -> PathBuf {
        self.files().into_iter().next().expect("it writes no file")
    }

    /// All that it writes to.
    pub fn files(&self) -> Vec<PathBuf> {
        let name = |output: &Output| match output {
            Output::Json => Some(JSON),
            Output::Protobuf => Some(PROTOBUF),
            Output::ZstdJson => Some(ZSTD_JSON),
            Output::ZstdProtobuf => Some(ZSTD_PROTOBUF),
            _ => None,
        };
        self.outputs.iter().filter_map(name).map(|name| self.folder.path().join(name)).collect()
    }

    /// Where it writes metrics, a request a line; all of it once it has ended.
    pub fn metrics_file(&self) -> PathBuf {
        self.folder.path().join("metrics")
    }

    /// Everything it has written. What is cut off at the end was not acknowledged.
    pub fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let bytes = fs::read(self.file()).unwrap_or_default();
        match self.file().extension().and_then(|extension| extension.to_str()) {
            Some("json") => bytes
                .split_inclusive(|b| *b == b'\n')
                .filter(|line| line.ends_with(b"\n"))
                // A line that was cut off by a kill has the next one right behind it.
                .filter_map(|line| serde_json::from_slice(line).ok().or_else(|| rest_of(line)))
                .collect(),
            Some("bin") => read_delimited(&bytes),
            _ => vec![],
        }
    }
}

fn rest_of(line: &[u8]) -> Option<ExportTraceServiceRequest> {
    let begin = b"{\"resourceSpans\"";
    let at = line.windows(begin.len()).rposition(|w| w == begin)?;
    serde_json::from_slice(&line[at..]).ok()
}

/// Requests after their lengths in 4 bytes, big-endian.
pub fn read_delimited(mut bytes: &[u8]) -> Vec<ExportTraceServiceRequest> {
    let mut requests = vec![];
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let Some((body, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        requests.push(ExportTraceServiceRequest::decode(body).unwrap());
        bytes = rest;
    }
    requests
}

/// Names, and names with configurations, as YAML has them within brackets.
fn written<T: Display>(parts: impl Iterator<Item = (&'static str, T)>) -> (String, String) {
    let (names, configured): (Vec<_>, Vec<_>) = parts.map(|(name, config)| (name, format!("{name}: {config}"))).unzip();
    (names.join(", "), configured.join(", "))
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.kill();
    }
}

fn skip<T>(reason: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "no collector: {reason}");
    // Straight to stderr: the test harness would keep `eprintln!` of a passing test to itself.
    let _ = writeln!(std::io::stderr(), "skipped, no collector: {reason}");
    None
}
