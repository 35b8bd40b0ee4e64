//! Every command that tracegen prints works when it is pasted into a shell.
#![cfg(target_os = "linux")]

mod support {
    pub mod binary;
    pub mod collector;
    pub mod http;
    pub mod peer;
    pub mod ports;
    pub mod process;
    pub mod requests;
    pub mod serve;
}

use prost::Message;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::binary::{brief, spans, tracegen};
use support::collector::read_delimited;
use support::http;
use support::peer::{Answer, Peer};
use support::serve::Server;
use tempfile::TempDir;

/// A folder whose name needs quoting in a shell.
struct Folder {
    _folder: TempDir,
    path: PathBuf,
}

impl Folder {
    fn new() -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it's a $HOME of `its` own");
        fs::create_dir(&path).expect("created");
        for entry in fs::read_dir(brief()).expect("examples") {
            let from = entry.expect("an entry").path();
            fs::copy(&from, path.join(from.file_name().expect("a name"))).expect("copied");
        }
        Folder { _folder: folder, path }
    }

    /// Runs a line in a shell, in this folder.
    fn shell(&self, line: &str) -> Output {
        let binary = Path::new(env!("CARGO_BIN_EXE_tracegen"));
        let path = format!("{}:/usr/bin:/bin", binary.parent().expect("a folder").display());
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&self.path).env("PATH", path).stdin(Stdio::null());
        for name in ["SERVER_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "SCENARIOS_DIR"] {
            command.env_remove(name);
        }
        command.output().expect("a shell")
    }

    fn done(&self, line: &str) -> String {
        let output = self.shell(line);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}\n{said}");
        said
    }

    /// Starts a run, interrupts it after a while, and returns its messages.
    fn interrupted(&self, line: &str) -> String {
        let output = self.shell(&format!("{line} & sleep 1.5; kill -INT $!; wait $!; exit 0"));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn spans(&self, name: &str) -> Vec<String> {
        spans(&read_delimited(&fs::read(self.path.join(name)).expect("a file")))
    }
}

fn command<'s>(said: &'s str, label: &str) -> &'s str {
    said.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_else(|| panic!("no `{label}` in:\n{said}"))
}

const PACE: &str = "--seed 7 --start=-1s --rate 300/s --duration 4s";

#[test]
fn the_command_to_repeat_a_run_writes_the_same_file() {
    let folder = Folder::new();
    for name in ["a.bin", "a b.jsonl", "a.json.gz", "it's.bin"] {
        let said = folder.done(&format!("tracegen run . --count 200 --exporter \"file={name}\""));
        let first = fs::read(folder.path.join(name)).expect("a file");
        // It works whatever happens to the file meanwhile.
        fs::write(folder.path.join(name), "").expect("written");
        folder.done(command(&said, "repeat with: "));
        assert!(fs::read(folder.path.join(name)).expect("a file") == first, "{said}");
        folder.done(command(&said, "repeat with: "));
        assert!(fs::read(folder.path.join(name)).expect("a file") == first, "{said}");
    }
}

#[test]
fn the_command_to_resume_a_run_completes_its_file() {
    let folder = Folder::new();
    for (file, manifest) in [("parts.bin", "run.json"), ("it's parts.bin", "run $1.json")] {
        let run = format!("tracegen run . {PACE} --exporter \"file={file}\" --manifest '{manifest}'");
        let said = folder.interrupted(&run);
        let part = folder.spans(file).len();
        let said = folder.done(command(&said, "go on with: ")) + &said;
        let repeat = command(&said, "repeat with: ");
        let parts = folder.spans(file);
        assert!(0 < part && part < parts.len(), "{part} of {}\n{said}", parts.len());
        // It overwrites the assembled file with the whole run.
        folder.done(repeat);
        assert!(folder.spans(file) == parts, "{repeat}");
    }
}

#[test]
fn a_resumed_run_keeps_its_destination_without_flags() {
    let folder = Folder::new();
    folder.interrupted(&format!("tracegen run . {PACE} --exporter file=parts.bin --manifest run.json"));
    folder.done("tracegen run --resume run.json");
    folder.done(&format!("tracegen run . {PACE} --exporter file=elsewhere.bin --until 2100-01-01 --quiet; true"));
    let verified = folder.shell("tracegen verify --manifest run.json --from parts.bin");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    // The destination is a collector other than the default one.
    let peer = Peer::start(|_| Answer::Take);
    let to = format!("--endpoint {} --protocol http/json", peer.url());
    folder.interrupted(&format!("tracegen run . {PACE} {to} --manifest two.json"));
    let part = peer.spans().len();
    folder.done("tracegen run --resume two.json");
    assert!(part > 0 && peer.spans().len() > part && peer.spans().len() == peer.distinct_spans().len());
    // A flag sends the remaining traces somewhere else.
    folder.interrupted(&format!("tracegen run . {PACE} {to} --manifest three.json"));
    let before = peer.spans().len();
    folder.done("tracegen run --resume three.json --exporter none");
    assert_eq!(peer.spans().len(), before);
    // A file that has gone is not begun again without its first half.
    folder.interrupted(&format!("tracegen run . {PACE} --exporter file=gone.bin --manifest four.json"));
    fs::remove_file(folder.path.join("gone.bin")).expect("removed");
    let output = folder.shell("tracegen run --resume four.json");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(3) && said.contains("the file that was to be continued is not there"),
        "{said}"
    );
}

#[test]
fn commands_carry_the_collector_of_the_run() {
    let folder = Folder::new();
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let peer = Peer::start(|_| Answer::Take);
        let url = peer.url();
        let whole = format!("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={url}/its/own OTEL_EXPORTER_OTLP_PROTOCOL={protocol} ");
        let general = format!("OTEL_EXPORTER_OTLP_ENDPOINT={url} OTEL_EXPORTER_OTLP_PROTOCOL={protocol} ");
        let flags = format!(" --endpoint {url} --protocol {protocol}");
        for (variables, flags) in [("", &flags[..]), (&general, ""), (&whole, "")] {
            let said = folder.done(&format!("{variables}tracegen run . --count 20{flags}"));
            let (before, paths) =
                (peer.spans().len(), peer.requests().iter().map(|r| r.path.clone()).collect::<BTreeSet<_>>());
            folder.done(command(&said, "repeat with: "));
            let after: BTreeSet<_> = peer.requests().iter().map(|r| r.path.clone()).collect();
            assert!(peer.spans().len() > before && paths == after, "{variables}{flags}: {paths:?} {after:?}\n{said}");
        }
        // Each span is there twice, and nothing else.
        assert_eq!(peer.spans().len(), 2 * peer.distinct_spans().len());
    }
}

#[test]
fn no_secret_is_printed_or_sent_to_the_endpoint_of_a_manifest() {
    let folder = Folder::new();
    let [mine, other] = [(); 2].map(|()| Peer::start(|_| Answer::Take));
    let run = format!("tracegen run . {PACE} --protocol http/protobuf --manifest run.json");
    let said = folder.interrupted(&format!("{run} --endpoint {} --header authorization=hush", mine.url()));
    assert!(!said.contains("hush") && said.contains("with the --header flags of this run"), "{said}");
    assert!(!fs::read_to_string(folder.path.join("run.json")).expect("a manifest").contains("hush"));
    // Secrets of the environment are for the collector named in the environment.
    let meant = format!("OTEL_EXPORTER_OTLP_HEADERS=authorization=hush OTEL_EXPORTER_OTLP_ENDPOINT={} ", other.url());
    let before = mine.spans().len();
    let output = folder.shell(&format!("{meant}tracegen run --resume run.json"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{said}");
    assert_eq!((mine.spans().len(), other.spans().len()), (before, 0));
    // The suggested flag makes it work.
    let way_out = said.trim_end().rsplit_once("name it with ").expect("a way out").1;
    folder.done(&format!("{meant}tracegen run --resume run.json {way_out} --protocol http/protobuf"));
    assert!(mine.spans().len() > before);
    assert_eq!(mine.requests().last().expect("a request").headers["authorization"], "hush");
}

#[test]
fn a_trace_is_made_again_by_the_line_that_names_it() {
    let folder = Folder::new();
    let run = "tracegen run . --seed 7 --start 2026-01-01 --count 60 --rate 100/s";
    folder.done(&format!("{run} --exporter file=all.bin --manifest 'run $1.json'"));
    // The pipeline has lost or changed it.
    let requests = read_delimited(&fs::read(folder.path.join("all.bin")).expect("a file"));
    let id = support::binary::bare_spans(&requests).next().expect("a span").trace_id.clone();
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(folder.path.join("none.bin"), "").expect("written");
    let mut changed = vec![];
    for mut request in requests {
        request.resource_spans[0].scope_spans[0].spans[0].name = "changed".into();
        let body = request.encode_to_vec();
        changed.extend((body.len() as u32).to_be_bytes().into_iter().chain(body));
    }
    fs::write(folder.path.join("changed.bin"), changed).expect("written");
    let mut printed = vec![];
    for line in [
        "tracegen verify --manifest 'run $1.json' --from none.bin".to_string(),
        "tracegen verify --manifest 'run $1.json' --from changed.bin".into(),
        "tracegen verify . --seed 7 --start 2026-01-01 --count 60 --rate 100/s --from changed.bin".into(),
        format!("tracegen identify {id} --manifest 'run $1.json'"),
        format!("tracegen identify {id} . --seed 7 --start 2026-01-01 --rate 100/s"),
    ] {
        let output = folder.shell(&line);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let found = out.lines().find_map(|line| Some(line[line.find("tracegen replay ")?..].trim().to_string()));
        let Some(found) = found else {
            // If everything is lost, there is no example.
            assert!(line.contains("none.bin"), "{line}: {out} {}", String::from_utf8_lossy(&output.stderr));
            continue;
        };
        printed.push(found);
    }
    assert!(printed.len() >= 4, "{printed:?}");
    for line in printed {
        let output = folder.shell(&line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && output.stdout.starts_with(b"{\"resourceSpans\""), "{line}: {said}");
    }
}

#[test]
fn a_trace_is_made_again_by_the_line_on_its_page() {
    let folder = Folder::new();
    let server = Server::of(&folder.path, &["--seed", "7", "--rate", "20/s"]);
    let begun = Instant::now();
    let id = loop {
        let page = http::get(server.address(), "/api/traces?limit=1").json();
        if let Some(id) = page["traces"][0]["trace_id"].as_str() {
            break id.to_string();
        }
        assert!(begun.elapsed().as_secs() < 120, "no trace came");
        std::thread::sleep(Duration::from_millis(20));
    };
    let page = http::get(server.address(), &format!("/traces/{id}")).body;
    let line = &page[page.find("tracegen replay ").expect("a line")..];
    let line = &line[..line.find("</code>").expect("its end")];
    assert!(!line.contains('&'), "there is nothing to unescape: {line}");
    let output = folder.shell(line);
    let said = String::from_utf8_lossy(&output.stderr);
    let made = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && made.contains(&format!("\"traceId\":\"{id}\"")), "{line}: {said} {made}");
}

/// Every command in help texts and messages uses an existing subcommand and existing flags.
#[test]
fn the_commands_in_help_and_hints_exist() {
    let mut seen = BTreeSet::new();
    let mut help = std::collections::BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                for line in commands_in(&fs::read_to_string(&path).expect("text")) {
                    check(&line, &mut help, &path);
                    seen.insert(line);
                }
            }
        }
    }
    assert!(seen.len() > 60, "only {} are found: {seen:?}", seen.len());
}

/// Finds `tracegen ...` in backticks, and the lines of examples in help texts up to two spaces.
fn commands_in(text: &str) -> Vec<String> {
    let mut found = vec![];
    for line in text.lines() {
        let quoted = line.split('`').skip(1).step_by(2).filter(|part| part.starts_with("tracegen "));
        found.extend(quoted.map(String::from));
        let example = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
        if let Some(at) = example.and_then(|rest| rest.find("tracegen ").filter(|_| !rest.contains('`'))) {
            let rest = &example.unwrap_or_default()[at..];
            found.push(rest.split("  ").next().unwrap_or_default().to_string());
        }
    }
    found
}

fn check(line: &str, help: &mut std::collections::BTreeMap<String, String>, path: &Path) {
    let mut words = line.trim_end_matches('\\').split([' ', '=', '|']).skip(1);
    let Some(subcommand) = words.next().filter(|word| word.chars().all(|c| c.is_ascii_lowercase())) else { return };
    let text = help.entry(subcommand.into()).or_insert_with(|| {
        let output = tracegen().args([subcommand, "--help"]).output().expect("it runs");
        assert!(output.status.success(), "{}: `{line}`: there is no `tracegen {subcommand}`", path.display());
        String::from_utf8(output.stdout).expect("text")
    });
    for flag in words.filter(|word| word.starts_with("--")) {
        let flag = flag.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        assert!(text.contains(flag), "{}: `{line}`: `tracegen {subcommand}` has no {flag}", path.display());
    }
}

#[test]
fn the_remedy_that_an_error_names_works() {
    let folder = Folder::new();
    folder.done("tracegen run . --count 5 --exporter file=a.bin");
    let said = folder.shell("tracegen run . --count 5 --exporter file=a.bin").stderr;
    assert!(String::from_utf8_lossy(&said).contains("--force overwrites it"));
    folder.done("tracegen run . --count 5 --exporter file=a.bin --force");
    // Nothing listens, so the message names an exporter that works.
    let output = folder.shell("tracegen run . --count 5 --wait 300ms --endpoint http://127.0.0.1:9");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let repeat = command(&said, "repeat with: ").to_string();
    assert!(repeat.contains("--endpoint http://127.0.0.1:9"), "{repeat}");
    folder.done("tracegen run . --count 5 --exporter stdout");
    // Neither a completed run nor one that was killed can be resumed.
    folder.done("tracegen run . --count 5 --exporter none --manifest run.json");
    assert!(folder.done("tracegen run --resume run.json").contains("nothing is left to send"));
    std::thread::sleep(Duration::from_millis(1));
}
