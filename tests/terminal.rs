//! Foreign text is shown and never obeyed: escapes, marks of direction and line breaks in names, values, file names and
//! answers of other servers reach no terminal unchanged, in any command.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A colour, a window title, a mark of direction, the escape of C1, and a line that looks like one of tracegen's.
const HOSTILE: &str = "a\u{1b}[31mb\u{1b}]0;c\u{7}d\u{202e}e\u{2066}f\u{9b}2Jg\r\ndelivered 1";
/// The same text in double quotes of YAML and of JSON.
const ESCAPED: &str = r"a\u001b[31mb\u001b]0;c\u0007d\u202ee\u2066f\u009b2Jg\r\ndelivered 1";

fn tracegen(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracegen"));
    command.current_dir(directory).env_remove("SCENARIOS_DIR").stdin(Stdio::null());
    command
}

/// Returns the output of a command, and asserts that a terminal obeys nothing in it. Line breaks are tracegen's own.
fn said(command: &mut Command) -> String {
    harmless(command.output().expect("it runs"))
}

fn harmless(Output { stdout, stderr, .. }: Output) -> String {
    let said = [String::from_utf8(stdout).expect("text"), String::from_utf8(stderr).expect("text")].concat();
    let obeyed = |c: &char| *c != '\n' && (c.is_control() || "\u{202e}\u{2066}".contains(*c));
    assert!(!said.contains(|c| obeyed(&c)), "{said:?}");
    assert!(!said.lines().any(|line| line.starts_with("delivered 1")), "{said:?}");
    said
}

/// Asserts that the text is shown, and not left out.
fn shows(said: &str) {
    assert!(said.contains("a\\u{1b}[31mb"), "{said:?}");
}

/// Makes a directory with a scenario full of such names, in a file with such a name.
fn scenarios() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = PathBuf::from(format!("{HOSTILE}.yaml"));
    let text = format!(
        "name: \"{ESCAPED}\"
root_span:
  service: \"{ESCAPED}\"
  operation: \"{ESCAPED}\"
  attributes: {{k: v}}
  error_conditions: [{{probability: 50, type: \"{ESCAPED}\", message: \"{ESCAPED}\"}}]
"
    );
    fs::write(directory.path().join(&file), text).unwrap();
    (directory, file)
}

/// Starts a server that answers everything with this status and hostile text.
fn server(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream, status));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream, status: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", HOSTILE.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(HOSTILE.as_bytes()));
            return;
        }
        line.clear();
    }
}

#[test]
fn names_in_scenarios_and_of_their_files() {
    let (directory, file) = scenarios();
    let here = directory.path();
    shows(&said(tracegen(here).args(["compile", "--emit", "plan"]).arg(&file)));
    shows(&said(tracegen(here).args(["explain", "--samples", "10", "--by", "scenario,service,operation"]).arg(&file)));
    let run = ["run", "--count", "10", "--seed", "1", "--exporter", "none", "--manifest", "run.json"];
    // This command can be pasted.
    assert!(said(tracegen(here).args(run).arg(&file)).contains("$'a\\U0000001b[31mb"));
    let stdout = ["run", "--count", "10", "--seed", "1", "--quiet", "--exporter", "stdout"];
    let traces = tracegen(here).args(stdout).arg(&file).output().unwrap();
    let lines = String::from_utf8(traces.stdout).unwrap();
    let value: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let id = value.pointer("/resourceSpans/0/scopeSpans/0/spans/0/traceId").and_then(|id| id.as_str()).unwrap();
    shows(&said(tracegen(here).args(["identify", "--seed", "1"]).arg(&file).arg(id)));

    // The mistakes show the file's name, a suggested name, and a duplicate name.
    let twice = format!(
        "services: [\"{ESCAPED}\"]\nscenarios:\n- {{name: \"{ESCAPED}\", root_span: {{service: \"{ESCAPED}x\", operation: o}}}}\n- {{name: \"{ESCAPED}\", root_span: {{service: \"{ESCAPED}\", operation: \"<<{ESCAPED}>>\"}}}}\n"
    );
    fs::write(here.join(&file), twice).unwrap();
    for color in ["0", "1"] {
        shows(&said(tracegen(here).env("NO_COLOR", color).args(["compile", "--check"]).arg(&file)));
    }
    let nowhere = format!("{HOSTILE}/nowhere");
    for arguments in [
        &["compile", &nowhere][..],
        &["run", "--count", "1", "--exporter", "none", &nowhere],
        &["explain", &nowhere],
        &["merge", &nowhere, "-o", "merged.json"],
        &["replay", "1", "--manifest", &nowhere],
        &["identify", "--manifest", &nowhere, "00000000000000000000000000000001"],
        &["verify", "--manifest", &nowhere, "--from", &nowhere],
        &["run", "--count", "1", "--quiet", "--exporter", &format!("file={nowhere}")],
    ] {
        said(tracegen(here).args(arguments));
    }
}

#[test]
fn answers_of_other_servers() {
    let (directory, file) = scenarios();
    let here = directory.path();
    let refusing = server("400 Bad Request");
    let target = ["--protocol", "http/json", "--endpoint", &refusing];
    said(tracegen(here).args(["run", "--count", "1", "--seed", "1"]).args(target).arg(&file));
    shows(&said(tracegen(here).args(["health", &server("503 Service Unavailable")])));
    said(tracegen(here).args(["health", &server("200 OK")]));
    let run = ["run", "--count", "3", "--seed", "1", "--quiet", "--exporter", "none", "--manifest", "run.json"];
    assert!(tracegen(here).args(run).arg(&file).status().unwrap().success());
    for source in ["jaeger", "clickhouse"] {
        let from = format!("{source}={refusing}");
        said(tracegen(here).args(["verify", "--manifest", "run.json", "--from", &from]));
    }
    let mut doctor = tracegen(here);
    doctor.arg("doctor").arg(&file).env("OTEL_EXPORTER_OTLP_ENDPOINT", &refusing);
    said(doctor.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf").env("DATABASE_TYPE", "inmemory"));
}

#[test]
fn values_that_arrive() {
    let (directory, file) = scenarios();
    let here = directory.path();
    let run =
        ["run", "--count", "20", "--seed", "1", "--quiet", "--manifest", "run.json", "--exporter", "file=out.jsonl"];
    assert!(tracegen(here).args(run).arg(&file).status().unwrap().success());
    let sent = fs::read_to_string(here.join("out.jsonl")).unwrap();
    let changed = sent.replace("\"stringValue\":\"v\"", &format!("\"stringValue\":\"{ESCAPED}\""));
    assert_ne!(sent, changed);
    fs::write(here.join("changed.jsonl"), changed).unwrap();
    fs::write(here.join("damaged.jsonl"), format!("{sent}{HOSTILE}\n")).unwrap();
    let verify = ["verify", "--manifest", "run.json", "--details", "--from"];
    shows(&said(tracegen(here).args(verify).arg("changed.jsonl")));
    said(tracegen(here).args(verify).arg("damaged.jsonl"));

    let mut sink = tracegen(here);
    sink.args(["sink", "--listen", "127.0.0.1:0", "--until-idle", "2s", "--for", "120s"]);
    let mut sink = sink.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(sink.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    let address = first.trim().rsplit(' ').next().unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = sent.lines().next().unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: sink\r\ncontent-type: application/json\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let _ = stream.read_to_string(&mut String::new());
    let rest = std::thread::spawn(move || {
        let mut rest = Vec::new();
        stderr.read_to_end(&mut rest).map(|_| rest)
    });
    let mut output = sink.wait_with_output().unwrap();
    output.stderr = rest.join().unwrap().unwrap();
    shows(&harmless(output));
}

#[test]
fn tables_of_explain_are_named_with_commas() {
    let (directory, _) = scenarios();
    let explain = tracegen(directory.path()).args(["explain", "--by", "scenario", "service"]).output().unwrap();
    assert_eq!(explain.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&explain.stderr).contains("--by scenario,service"));
}
