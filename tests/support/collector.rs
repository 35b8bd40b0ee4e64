//! A real OpenTelemetry Collector, which writes what it acknowledges to a file, or drops it.
//!
//! `TRACEGEN_COLLECTOR` names its binary. Without it, tests of the collector are skipped with the reason printed, and fail
//! if `CI` is set.

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

/// The outputs of the collector.
#[derive(Clone, Debug)]
pub enum Output {
    /// The collector drops everything, as fast as it is sent.
    Nop,
    /// A file with OTLP JSON, a request a line.
    Json,
    /// A file with protobuf requests, each after its length in 4 bytes.
    Protobuf,
    /// A file in either format, with each request compressed with zstd after its length.
    ZstdJson,
    ZstdProtobuf,
    /// Rows of a ClickHouse database; the port is that of the native protocol.
    ClickHouse {
        tcp_port: u16,
        database: String,
    },
    /// Metrics of calls between services and of spans, by its connectors.
    CallMetrics,
    /// OTLP/gRPC to this port of this machine.
    Otlp {
        port: u16,
    },
    /// OTLP/HTTP to this port of this machine.
    OtlpHttp {
        port: u16,
    },
}

impl Output {
    /// Returns the name and configuration of the output's exporter.
    fn exporter(&self, folder: &Path) -> (&'static str, String) {
        // With rotation, the file exporter writes without a buffer, so everything that it acknowledges is written.
        let file = |name: &str, format: &str| {
            let path = folder.join(name);
            format!("{{path: '{}', format: {format}, rotation: {{max_megabytes: 100000}}}}", path.display())
        };
        // Without a queue, everything that the other exporters acknowledge is written.
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

/// The configuration of an OTLP exporter. What it acknowledges has been passed on, and failures are retried soon and
/// without end. The time-out is long, because an answer may be late on a busy machine, and what is given up too soon is
/// sent twice.
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

/// A pipeline beside the others, which gets all that arrives, too, and writes it to a file of OTLP JSON.
#[derive(Clone, Debug)]
pub struct Branch {
    pub name: &'static str,
    /// The names of its processors, each different from all others, and their configurations.
    pub processors: Vec<(String, String)>,
}

/// A collector, which is killed when it is dropped. It also ends with the test process, however that ends.
pub struct Collector {
    binary: PathBuf,
    folder: TempDir,
    outputs: Vec<Output>,
    /// The names and configurations of the processors.
    processors: Vec<(&'static str, &'static str)>,
    branches: Vec<Branch>,
    ports: [u16; 2],
    guard: Option<Child>,
}

/// A shell script that runs the collector beside itself, and sends it the signal that is read from stdin: KILL if stdin is
/// just closed.
const GUARD: &str =
    r#""$0" --config "$1" >>"$2" 2>&1 & pid=$!; read -r signal; kill -"${signal:-KILL}" "$pid"; wait "$pid""#;

impl Collector {
    /// Starts a collector, and waits until it listens. Returns `None` if there is no binary.
    pub fn start(output: Output) -> Option<Collector> {
        Collector::with(vec![output], &[])
    }

    /// Starts a collector with several outputs, and with processors given as names and configurations.
    pub fn with(outputs: Vec<Output>, processors: &[(&'static str, &'static str)]) -> Option<Collector> {
        Collector::make(outputs, processors.to_vec(), vec![])
    }

    /// Starts a collector with several pipelines beside one that drops everything.
    pub fn with_branches(branches: Vec<Branch>) -> Option<Collector> {
        Collector::make(vec![Output::Nop], vec![], branches)
    }

    fn make(
        outputs: Vec<Output>,
        processors: Vec<(&'static str, &'static str)>,
        branches: Vec<Branch>,
    ) -> Option<Collector> {
        let binary = match std::env::var_os("TRACEGEN_COLLECTOR").map(PathBuf::from) {
            Some(binary) if binary.is_file() => binary,
            Some(binary) => return skip(&format!("TRACEGEN_COLLECTOR: {} is not a file", binary.display())),
            None => return skip("TRACEGEN_COLLECTOR is not set"),
        };
        let folder = tempfile::tempdir().unwrap();
        let ports = ports::free();
        let mut collector = Collector { binary, folder, outputs, processors, branches, ports, guard: None };
        collector.restart();
        Some(collector)
    }

    /// Returns the file of a branch.
    pub fn branch_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.json"))
    }

    /// Returns the address for OTLP/gRPC.
    pub fn grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Returns the address for OTLP/HTTP, without the path.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Starts the collector again after [`Collector::kill`] or [`Collector::stop`], on the same ports; files are continued.
    pub fn restart(&mut self) {
        assert!(self.guard.is_none(), "it is running");
        let exporters = self.outputs.iter().map(|output| output.exporter(self.folder.path()));
        let (exporter_names, exporters) = written(exporters);
        let (processor_names, mut processors) = written(self.processors.iter().copied());
        let mut branch_exporters = String::new();
        let mut branch_pipelines = String::new();
        for Branch { name, processors: own } in &self.branches {
            let file = self.branch_file(name);
            let names = Vec::from_iter(own.iter().map(|(name, _)| name.as_str())).join(", ");
            own.iter().for_each(|(name, config)| processors += &format!(", {name}: {config}"));
            branch_exporters += &format!(
                ", file/{name}: {{path: '{}', format: json, rotation: {{max_megabytes: 100000}}}}",
                file.display()
            );
            branch_pipelines +=
                &format!("    traces/{name}: {{receivers: [otlp], processors: [{names}], exporters: [file/{name}]}}\n");
        }
        let processors = processors.trim_start_matches(", ");
        let [grpc, http] = self.ports;
        let connectors =
            if self.outputs.iter().any(|output| matches!(output, Output::CallMetrics)) { CONNECTORS } else { "" };
        let connector_names = if connectors.is_empty() { "" } else { ", servicegraph, spanmetrics" };
        let config = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpc}'}}, http: {{endpoint: '127.0.0.1:{http}'}}}}}}}}\n\
             processors: {{{processors}}}\nexporters: {{{exporters}{branch_exporters}, file/metrics: {{path: '{}'}}}}\nconnectors: {{{connectors}}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    \
             traces: {{receivers: [otlp], processors: [{processor_names}], exporters: [{exporter_names}{connector_names}]}}\n{branch_pipelines}    \
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

    /// Kills the collector with `kill -9`, and waits for its end.
    pub fn kill(&mut self) {
        self.signal("KILL");
    }

    /// Asks the collector to end, and waits for that.
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

    /// Returns the output file, or the first of several.
    pub fn file(&self) -> PathBuf {
        self.files().into_iter().next().expect("it writes no file")
    }

    /// Returns all output files.
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

    /// Returns the file with metrics, a request a line, which is complete after the collector has ended.
    pub fn metrics_file(&self) -> PathBuf {
        self.folder.path().join("metrics")
    }

    /// Returns everything that the collector has written. A request that was cut off at the end was not acknowledged.
    pub fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let bytes = fs::read(self.file()).unwrap_or_default();
        match self.file().extension().and_then(|extension| extension.to_str()) {
            Some("json") => bytes
                .split_inclusive(|b| *b == b'\n')
                .filter(|line| line.ends_with(b"\n"))
                // A line that was cut off by a kill is directly followed by the next one.
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

/// Parses requests after their lengths in 4 bytes, big-endian.
pub fn read_delimited(mut bytes: &[u8]) -> Vec<ExportTraceServiceRequest> {
    let mut requests = vec![];
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let Some((body, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        requests.push(ExportTraceServiceRequest::decode(body).unwrap());
        bytes = rest;
    }
    requests
}

/// Returns names, and names with configurations, in YAML's inline form.
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
    // The message goes straight to stderr, because the test harness hides `eprintln!` of a passing test.
    let _ = writeln!(std::io::stderr(), "skipped, no collector: {reason}");
    None
}
