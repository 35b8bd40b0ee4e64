//! Small inputs that unpack to much, and inputs without end: `verify` and `sink` read them in bounded memory and time.
#![cfg(target_os = "linux")]

mod support {
    pub mod binary;
    pub mod sink;
}

use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};
use support::binary::{brief, tracegen};
use support::sink::Sink;
use tempfile::TempDir;

/// The address space of a process in KiB, so that a failure ends the process and not the machine.
const ADDRESS_SPACE: u32 = 4_000_000;
/// The memory that a process may take, in MiB.
const MOST: u64 = 256;
/// The time allowed, which is many times what a debug build on a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(300);

/// The manifest of a run to which nothing here belongs.
static RUN: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    tracegen()
        .args(["run", "--seed", "42", "--count", "20", "--start", "2026-01-01", "--rate", "10/s", "--quiet"])
        .args(["--exporter", "none", "--manifest"])
        .arg(folder.path().join("run.json"))
        .arg(brief())
        .assert()
        .success();
    folder
});

/// Returns the maximum memory of a process so far in MiB, or `None` if it has ended.
fn most_resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib >> 10)
}

/// Returns the output of `tracegen verify` for a source, and its exit status, and asserts that it stays within its bounds.
fn verified(from: &str) -> (String, i32) {
    let script = format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" verify --quiet --manifest \"$1\" --from \"$2\"");
    let manifest = RUN.path().join("run.json");
    let mut child = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_tracegen")])
        .args([manifest.as_os_str(), from.as_ref()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let said = [drained(child.stdout.take()), drained(child.stderr.take())];
    let (began, mut most) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = child.try_wait().expect("a status") {
            break status;
        }
        most = most_resident(child.id()).unwrap_or(most);
        if most > MOST || began.elapsed() > PATIENCE {
            let _ = (child.kill(), child.wait());
            panic!("{from}: {most} MiB, {:?}", began.elapsed());
        }
        thread::sleep(Duration::from_millis(2));
    };
    let said: String = said.into_iter().map(|thread| thread.join().expect("text")).collect();
    (said, status.code().unwrap_or_else(|| panic!("{from}: {status}")))
}

fn drained(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        let _ = pipe.map(|mut pipe| pipe.read_to_string(&mut text));
        text
    })
}

/// Returns `head`, then `unit` repeated `times` times, and `tail`, compressed with gzip.
fn packed(head: &[u8], unit: &[u8], times: usize, tail: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(vec![], Compression::fast());
    let block = unit.repeat(1_000);
    packer.write_all(head).expect("packed");
    (0..times / 1_000).for_each(|_| packer.write_all(&block).expect("packed"));
    packer.write_all(tail).expect("packed");
    packer.finish().expect("packed")
}

/// Makes a protobuf field that holds a message.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    text(&mut field, content);
    field
}

/// Writes a length as a varint, and the content.
fn text(out: &mut Vec<u8>, content: &[u8]) {
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(content);
}

/// The beginning of a span in JSON.
const SPAN: &[u8] = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001""#;
/// The end of a span in JSON.
const SPAN_END: &[u8] = b"}]}]}]}\n";

/// Makes inputs in JSON and protobuf of a few KB whose content would take hundreds of MB.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let in_span = |head: &[u8], unit: &[u8], times, tail: &[u8]| {
        packed(&[SPAN, head].concat(), unit, times, &[tail, SPAN_END].concat())
    };
    let spans = field(1, &field(2, &[0x12, 0].repeat(1_000_000)));
    let attributes = field(1, &field(2, &field(2, &[0x4a, 0].repeat(1_000_000))));
    let values = field(1, &field(5, &[0x0a, 0].repeat(1_000_000)));
    let list = field(1, &field(2, &field(2, &field(9, &field(2, &values)))));
    let packed_whole = |message: &[u8]| packed(message, b"", 0, b"");
    vec![
        (
            "empty spans.json",
            packed(br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}"#, b",{}", 1_000_000, b"]}]}]}\n"),
        ),
        ("empty groups.json", packed(br#"{"resourceSpans":[{}"#, b",{}", 1_000_000, b"]}\n")),
        ("one long text.json", in_span(br#","name":""#, b"x", 70_000_000, b"\"")),
        ("one long number.json", in_span(br#","startTimeUnixNano":1"#, b"1", 10_000_000, b"")),
        ("attributes.json", in_span(br#","attributes":[{}"#, b",{}", 1_000_000, b"]")),
        (
            "a list.json",
            in_span(br#","attributes":[{"value":{"arrayValue":{"values":[{}"#, b",{}", 1_000_000, b"]}}}]"),
        ),
        (
            "lists in lists.json",
            in_span(br#","attributes":[{"value":"#, br#"{"arrayValue":{"values":[{"#, 1_000_000, b""),
        ),
        ("keys.json", in_span(b"", br#","x":0"#, 1_000_000, b"")),
        ("brackets.json", packed(b"", b"[", 10_000_000, b"")),
        ("blanks.json", packed(b"", b" ", 70_000_000, b"")),
        ("empty spans.bin", packed_whole(&spans)),
        ("attributes.bin", packed_whole(&attributes)),
        ("a list.bin", packed_whole(&list)),
    ]
}

/// Makes a file of a body; the binary form has a length before it.
fn as_file(name: &str, body: Vec<u8>, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{name}.gz"));
    let body = if name.ends_with(".bin") { framed(&body) } else { body };
    fs::write(&path, body).expect("written");
    path
}

fn framed(packed_body: &[u8]) -> Vec<u8> {
    let mut message = vec![];
    flate2::read::GzDecoder::new(packed_body).read_to_end(&mut message).expect("unpacked");
    packed(&(message.len() as u32).to_be_bytes(), b"", 0, &message)
}

#[test]
fn files_that_unpack_to_much_are_read_in_bounded_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, body) in bombs() {
        assert!(body.len() < 4_000_000, "{name}: {} bytes", body.len());
        let (said, exit) = verified(as_file(name, body, folder.path()).to_str().expect("a path"));
        // They contain nothing of the run or are damaged, so they are never clean, and the process is never ended by the
        // system.
        assert!(matches!(exit, 1 | 3), "{name}: {exit}: {said}");
    }
}

fn post(address: &str, kind: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ncontent-encoding: gzip\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    std::str::from_utf8(&answer[9..]).expect("a status").parse().expect("a status")
}

#[test]
fn requests_that_unpack_to_much_are_taken_in_bounded_memory() {
    let sink = Sink::counting(&[]);
    for (name, body) in bombs() {
        let kind = if name.ends_with(".bin") { "application/x-protobuf" } else { "application/json" };
        let status = post(&sink.address, kind, &body);
        assert!(matches!(status, 200 | 400 | 413), "{name}: {status}");
        let most = most_resident(sink.process()).expect("it runs");
        assert!(most < MOST, "{name}: {most} MiB");
    }
    let (_, counted) = sink.end();
    assert!(counted["sink"]["received"]["requests"].as_u64() >= Some(1), "{counted}");
}

/// The answer to a request: a head, and a part that is repeated without end unless it is empty.
type Answer = (Vec<u8>, Vec<u8>);

/// Starts a server that answers each request, by its text, and returns its address.
fn answering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer_all(stream, &*answer));
        }
    });
    address.to_string()
}

fn answer_all(stream: TcpStream, answer: &dyn Fn(&str) -> Answer) -> std::io::Result<()> {
    let mut from = BufReader::new(stream.try_clone()?);
    let mut to = stream;
    loop {
        let (mut request, mut length) = (String::new(), 0);
        while from.read_line(&mut request)? > 2 {
            let line = request.lines().last().unwrap_or_default().to_lowercase();
            length = line.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap_or(0));
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        request += &String::from_utf8_lossy(&body);
        let (head, again) = answer(&request);
        to.write_all(&head)?;
        while !again.is_empty() {
            to.write_all(&again)?;
        }
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";

/// Returns the content of `system.columns` for the collector's tables.
fn tables() -> Vec<u8> {
    const MAP: &str = "Map(LowCardinality(String), String)";
    const MAPS: &str = "Array(Map(LowCardinality(String), String))";
    const NAME: &str = "LowCardinality(String)";
    let mut answer = vec![];
    for (name, kind) in [
        ("Timestamp", "DateTime64(9)"),
        ("TraceId", "String"),
        ("SpanId", "String"),
        ("ParentSpanId", "String"),
        ("TraceState", "String"),
        ("SpanName", NAME),
        ("SpanKind", NAME),
        ("ServiceName", NAME),
        ("ResourceAttributes", MAP),
        ("ScopeName", "String"),
        ("ScopeVersion", "String"),
        ("SpanAttributes", MAP),
        ("Duration", "UInt64"),
        ("StatusCode", NAME),
        ("StatusMessage", "String"),
        ("Events.Timestamp", "Array(DateTime64(9))"),
        ("Events.Name", "Array(LowCardinality(String))"),
        ("Events.Attributes", MAPS),
        ("Links.TraceId", "Array(String)"),
        ("Links.SpanId", "Array(String)"),
        ("Links.TraceState", "Array(String)"),
        ("Links.Attributes", MAPS),
        ("Start", "DateTime"),
        ("End", "DateTime"),
    ] {
        text(&mut answer, name.as_bytes());
        text(&mut answer, kind.as_bytes());
    }
    let length = answer.len();
    [format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes(), &answer].concat()
}

/// Makes the beginning of the first span in an answer, up to the attributes of its resource.
fn first_row() -> Vec<u8> {
    let mut answer = vec![];
    text(&mut answer, b"00000000000000000000000000000001");
    answer.extend([0; 8]);
    (0..6).for_each(|_| text(&mut answer, b""));
    answer
}

#[test]
fn a_clickhouse_that_answers_without_end_is_abandoned() {
    /// A length of 2^42, which is more than ever comes.
    const MANY: [u8; 7] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    let much = vec![0; 1 << 16];
    let spans = |row: Vec<u8>, again: Vec<u8>| {
        move |request: &str| match request.contains("system.columns") {
            true => (tables(), vec![]),
            false => ([OK, &row].concat(), again.clone()),
        }
    };
    let always = |head: Vec<u8>, again: Vec<u8>| move |_: &str| (head.clone(), again.clone());
    let no_table = always([OK, &MANY].concat(), much.clone());
    let error = b"HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n\r\nCode: 60. DB::Exception: ".to_vec();
    let error = always(error, vec![b'x'; 1 << 16]);
    let head = always(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-more: and more\r\n".to_vec());
    let long_text = spans([first_row(), [0x01].into(), MANY.into()].concat(), vec![b'x'; 1 << 16]);
    // Compression is not requested, so nothing is decompressed.
    let lz4 = "HTTP/1.1 200 OK\r\ncontent-encoding: lz4\r\nconnection: close\r\n\r\n";
    let lz4 = always(lz4.into(), much);
    for (name, address, said) in [
        ("a name that never ends", answering(no_table), "32 MiB in one piece"),
        ("an error that never ends", answering(error), "500 Internal Server Error"),
        ("a head that never ends", answering(head), ""),
        ("a text that never ends", answering(long_text), "8 MiB in one piece"),
        ("what was packed", answering(lz4), "lz4"),
    ] {
        let (found, exit) = verified(&format!("clickhouse=http://{address}"));
        assert!(exit == 3 && found.contains(said), "{name}: {exit}: {found}");
    }
}

#[test]
fn a_jaeger_that_answers_without_end_is_abandoned() {
    let traces = |head: &[u8], again: &[u8]| {
        let (head, again) = ([OK, head].concat(), again.repeat(1 << 12));
        move |request: &str| match request.contains("/services") {
            true => (b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"data\":[\"a\"]}".to_vec(), vec![]),
            false => (head.clone(), again.clone()),
        }
    };
    for (name, address) in [
        ("numbers", answering(traces(br#"{"data":[1"#, b",1"))),
        ("blanks", answering(traces(b"", b" "))),
        ("brackets", answering(traces(b"", b"["))),
        ("spans", answering(traces(br#"{"data":[{"spans":[{}"#, b",{}"))),
        ("a text", answering(traces(br#"{"data":[{"traceID":""#, b"x"))),
    ] {
        let (found, exit) = verified(&format!("jaeger=http://{address}"));
        assert_eq!(exit, 3, "{name}: {found}");
    }
}
