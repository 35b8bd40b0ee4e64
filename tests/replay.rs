//! A manifest contains what is needed to generate a run's traces again; `replay` and `identify` read it, or take the flags
//! of the run.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod peer;
    pub mod ports;
    pub mod process;
    pub mod requests;
}

use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use support::binary::{bare_spans, brief, json_requests, scenarios, spans, tracegen};
use support::collector::read_delimited;
use tempfile::TempDir;
use tracegen::interpreter::Identity;
use tracegen::journal::{Archive, Manifest};

const START: &str = "2026-01-01T00:00:00Z";

/// A directory with the traces and the manifest of a run.
struct Made {
    directory: TempDir,
}

impl Made {
    fn by(more: &[&str]) -> Made {
        let made = Made { directory: tempfile::tempdir().expect("a directory") };
        tracegen()
            .args(["run", "--seed", "42", "--quiet", "--threads", "2"])
            .arg(format!("--exporter=file={}", made.traces().display()))
            .arg("--manifest")
            .arg(made.manifest())
            .args(more)
            .arg(scenarios())
            .assert()
            .success();
        made
    }

    fn traces(&self) -> PathBuf {
        self.directory.path().join("all.bin")
    }

    fn manifest(&self) -> PathBuf {
        self.directory.path().join("run.json")
    }

    /// Returns every span as text that begins with its trace id.
    fn spans(&self) -> Vec<String> {
        spans(&read_delimited(&std::fs::read(self.traces()).expect("a file")))
    }

    fn ids(&self) -> BTreeSet<String> {
        self.spans().iter().map(|span| span[..32].to_string()).collect()
    }

    fn read(&self) -> Manifest {
        read(&self.manifest())
    }
}

fn read(path: &Path) -> Manifest {
    Manifest::read(std::fs::File::open(path).expect("a file")).expect("a manifest")
}

/// Returns the output of `replay`.
fn replayed(arguments: &[&str]) -> Vec<String> {
    let output = tracegen().arg("replay").args(arguments).assert().success();
    spans(&json_requests(std::str::from_utf8(&output.get_output().stdout).expect("text")))
}

/// Returns the exit status and the messages on stderr.
fn refused(arguments: &[&str]) -> (i32, String) {
    let output = tracegen().args(arguments).assert().failure();
    let output = output.get_output();
    (output.status.code().expect("a status"), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_trace_of_a_run_is_made_again_from_its_manifest() {
    let made = Made::by(&["--count", "50", "--start", START, "--rate", "100/s"]);
    let manifest = made.manifest().display().to_string();
    let all = made.spans();
    assert_eq!(made.ids().len(), 50);
    for id in made.ids() {
        let expected: Vec<&String> = all.iter().filter(|span| span.starts_with(&id)).collect();
        assert!(replayed(&[&id, "--manifest", &manifest]).iter().eq(expected), "{id}");
    }
    let ended = made.read().ended.expect("it has ended");
    assert_eq!((ended.traces, ended.spans), (50, all.len() as u64));
    // The flags of the run replace the manifest.
    let scenarios = scenarios().display().to_string();
    let flags = ["17", &scenarios, "--seed", "42", "--count", "50", "--start", START, "--rate", "100/s"];
    assert_eq!(replayed(&flags), replayed(&["17", "--manifest", &manifest]));
    // The trace goes to a file.
    let file = made.directory.path().join("17.bin");
    let to = format!("file={}", file.display());
    tracegen().args(["replay", "17", "--manifest", &manifest, "--exporter", &to]).assert().success().stdout("");
    let written = spans(&read_delimited(&std::fs::read(file).expect("a file")));
    assert_eq!(written, replayed(&["17", "--manifest", &manifest]));
}

/// With the manifests of several runs, the run of an id is found.
#[test]
fn the_run_of_an_id_is_found_among_several() {
    let runs = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]
        .map(|start| Made::by(&["--count", "5", "--start", start, "--rate", "1/s"]));
    let manifests = runs.each_ref().map(|made| made.manifest().display().to_string());
    let both = ["--manifest", &manifests[0], "--manifest", &manifests[1]];
    for made in &runs {
        for id in made.ids() {
            let alone = replayed(&[&id, "--manifest", &made.manifest().display().to_string()]);
            assert_eq!(replayed(&[&[&*id][..], &both].concat()), alone);
            let output = tracegen().arg("identify").arg(&id).args(both).assert().success();
            let said = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
            assert!(said.contains(&format!("--manifest {}", made.manifest().display())), "{said}");
        }
    }
    let (exit, said) = refused(&[&["replay", "3"][..], &both].concat());
    assert!(exit == 2 && said.contains("give the trace's id"), "{said}");
    let stranger = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (exit, said) = refused(&[&["replay", stranger][..], &both].concat());
    assert!(exit == 3 && said.contains("not made with the seed of any of these runs"), "{said}");
    assert_eq!(refused(&[&["identify", stranger][..], &both].concat()).0, 1);
}

#[test]
fn a_run_at_full_speed_is_made_again_from_its_manifest() {
    let made = Made::by(&["--rate", "max", "--count", "20000"]);
    let mut archive = Archive::open(&made.read()).expect("it belongs together");
    let ids: BTreeSet<[u8; 16]> = (0..20_000).map(|i| archive.run(i).expect("a run").identity().trace_id(i)).collect();
    let all = read_delimited(&std::fs::read(made.traces()).expect("a file"));
    assert!(bare_spans(&all).all(|span| ids.contains(&span.trace_id[..])));
    assert_eq!(bare_spans(&all).filter(|span| span.parent_span_id.is_empty()).count(), 20_000);
    assert!(archive.remake(20_000).is_none());
    // The trace belongs to the last epoch.
    let manifest = made.manifest().display().to_string();
    let file = made.directory.path().join("one.bin");
    let to = format!("file={}", file.display());
    tracegen().args(["replay", "19999", "--manifest", &manifest, "--exporter", &to]).assert().success();
    let one = read_delimited(&std::fs::read(file).expect("a file"));
    let id = &bare_spans(&one).next().expect("a span").trace_id;
    let as_sent = bare_spans(&all).filter(|span| span.trace_id == *id);
    let sorted = |spans: &mut dyn Iterator<Item = &Span>| {
        let mut spans: Vec<Span> = spans.cloned().collect();
        spans.sort_by(|a, b| a.span_id.cmp(&b.span_id));
        spans
    };
    assert_eq!(sorted(&mut bare_spans(&one)), sorted(&mut as_sent.into_iter()));
    let (exit, said) = refused(&["replay", "1", "--seed", "42", "--rate", "max", &scenarios().display().to_string()]);
    assert!(exit == 2 && said.contains("give its --manifest"), "{said}");
}

#[test]
fn a_shard_knows_its_own_traces() {
    let made = Made::by(&["--count", "60", "--start", START, "--rate", "100/s", "--shard", "1/3"]);
    let mut archive = Archive::open(&made.read()).expect("it belongs together");
    let ids: BTreeSet<String> = (0..60).filter(|i| i % 3 == 1).map(|index| id_of(&mut archive, index)).collect();
    assert!(ids == made.ids());
    assert!(archive.remake(3).is_none() && archive.remake(61).is_none());
}

fn id_of(archive: &mut Archive, index: u64) -> String {
    hex(archive.run(index).expect("a trace of the run").identity().trace_id(index))
}

fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

/// The run is interrupted in both ways: in order on several threads, and trace by trace to a collector.
#[cfg(unix)]
#[test]
fn a_run_that_was_stopped_says_which_traces_were_sent() {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    use support::peer::{Answer, Peer};
    let directory = tempfile::tempdir().expect("a directory");
    let (file, manifest) = (directory.path().join("all.bin"), directory.path().join("run.json"));
    let peer = Peer::start(|_| Answer::Take);
    for exporter in [format!("--exporter=file={}", file.display()), format!("--endpoint={}", peer.url())] {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("tracegen"))
            .args([
                "run",
                "--seed",
                "7",
                "--rate",
                "1500/s",
                "--start",
                "-2s",
                "--threads",
                "2",
                &exporter,
                "--manifest",
            ])
            .arg(&manifest)
            .arg(brief())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        support::process::listens(&mut child);
        std::thread::sleep(Duration::from_millis(2_500));
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
        assert_eq!(child.wait().expect("a status").code(), Some(0));
        let manifest = read(&manifest);
        let sent: BTreeSet<u64> = if exporter.starts_with("--endpoint") {
            let identity = Identity::new(7, u32::from_str_radix(&manifest.tag, 16).expect("a tag"));
            peer.spans().iter().filter_map(|id| Some(identity.decode_span(id + 1)?.0)).collect()
        } else {
            let archive = Archive::open(&manifest).expect("it belongs together");
            let requests = read_delimited(&std::fs::read(&file).expect("a file"));
            let ids = bare_spans(&requests).map(|span| <[u8; 16]>::try_from(&span.trace_id[..]).expect("an id"));
            ids.map(|id| match archive.identify(id) {
                tracegen::journal::Identified::Ours { index } => index,
                other => panic!("{other:?}"),
            })
            .collect()
        };
        let [era] = &manifest.eras[..] else { panic!("{manifest:?}") };
        let (end, stopped) = (era.end.expect("it ended"), era.stopped.expect("it was stopped"));
        let mut archive = Archive::open(&manifest).expect("it belongs together");
        let expected: BTreeSet<u64> =
            (0..end).filter(|i| archive.remake(*i).is_some_and(|(_, trace)| trace.end <= stopped)).collect();
        assert!(sent.len() > 1_000 && sent.len() < end as usize, "{} of {end}", sent.len());
        let wrong: Vec<&u64> = sent.symmetric_difference(&expected).take(5).collect();
        assert!(wrong.is_empty(), "{exporter}: {wrong:?} ..");
        assert_eq!(manifest.ended.expect("it has ended").traces, sent.len() as u64);
    }
}

#[test]
fn ids_are_told_from_those_of_others() {
    let made = Made::by(&["--count", "9", "--start", START, "--rate", "100/s"]);
    let other = Made::by(&["--count", "9", "--start", "2026-01-02", "--rate", "100/s"]);
    let manifest = made.manifest().display().to_string();
    let mut archive = Archive::open(&made.read()).expect("it belongs together");
    let ours = id_of(&mut archive, 4);
    let elsewhere = other.ids().first().expect("an id").clone();
    let foreign = hex(Identity::new(43, 0).trace_id(4));
    let scenarios = scenarios().display().to_string();
    let said = |arguments: &[&str], exit: i32| {
        let output = tracegen().arg("identify").args(arguments).assert().code(exit);
        String::from_utf8_lossy(&output.get_output().stdout).into_owned()
    };
    let known = said(&["--manifest", &manifest, &ours], 0);
    assert!(known.contains("  trace 4, ") && known.contains("started 2026-01-01T00:00:00.04Z"), "{known}");
    assert!(known.contains(&format!("tracegen replay 4 --manifest {manifest}")), "{known}");
    let mixed = said(&["--manifest", &manifest, &ours, &foreign, &elsewhere], 1);
    let lines: Vec<&str> = mixed.lines().collect();
    assert!(lines[2].ends_with("not made with this seed") && lines[3].contains("of another run"), "{mixed}");
    // The run is named by the seed alone, with the plan, and with the schedule.
    let tag = made.read().tag;
    assert_eq!(said(&["--seed", "42", &ours], 0), format!("{ours}  trace 4 of the run with tag {tag}\n"));
    assert_eq!(said(&["--seed", "42", &foreign], 1), format!("{foreign}  not made with this seed\n"));
    // One of the shipped scenarios is a job, so that an index alone does not tell the scenario.
    let with_plan = said(&["--seed", "42", &scenarios, &ours], 0);
    assert!(
        with_plan.ends_with("of a scenario that depends on the schedule: give its --start, or a --manifest\n"),
        "{with_plan}"
    );
    let ids = Vec::from_iter((0..40).map(|index| hex(Identity::new(42, 7).trace_id(index))));
    let brief = brief().display().to_string();
    let named = said(&[&["--seed", "42", &brief][..], &Vec::from_iter(ids.iter().map(String::as_str))].concat(), 0);
    let names: BTreeSet<&str> =
        named.lines().filter_map(|line| line.rsplit_once("tag 00000007, ")).map(|(_, name)| name).collect();
    assert_eq!((names.len(), named.lines().count()), (2, 40), "{named}");
    let whole = said(&["--seed", "42", &scenarios, "--start", START, "--rate", "100/s", &ours], 0);
    assert_eq!(whole.lines().next(), known.lines().next());
    // The printed command replays it.
    let command = whole.lines().nth(1).expect("a command").trim().trim_start_matches("tracegen replay ").to_string();
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(replayed(&words), replayed(&["4", "--manifest", &manifest]));
    for (arguments, why) in [
        (&["replay", &foreign, "--manifest", &manifest][..], "was not made with this seed"),
        (&["replay", &elsewhere, "--manifest", &manifest], "of another run with this seed"),
        (&["replay", "9", "--manifest", &manifest], "the run has no trace 9"),
        (&["replay", "281474976710655", "--manifest", &manifest], "the run has no trace 281474976710655"),
    ] {
        let (exit, said) = refused(arguments);
        assert!(exit == 3 && said.contains(why), "{exit} {said}");
    }
    for (arguments, why) in [
        (&["replay", "4"][..], "--manifest"),
        (&["replay", "x", "--seed", "42"], "expected an index"),
        (&["replay", "281474976710656", "--seed", "42"], "a run has traces 0 to 281474976710655 at most"),
        (&["replay", "281474976710656", "--manifest", &manifest], "a run has traces 0 to 281474976710655 at most"),
        (&["replay", "4", "--manifest", &manifest, "--rate", "5"], "a manifest holds plan and schedule"),
        (&["identify", "--seed", "42"], "required"),
        (&["identify", "--seed", "42", "scenarios"], "no trace id is given"),
        (&["identify", "--seed", "42", "--rate", "5", &ours], "only with its --start"),
    ] {
        let (exit, said) = refused(arguments);
        assert!(exit == 2 && said.contains(why), "{exit} {said}");
    }
}

#[test]
fn a_manifest_is_read_from_a_server_and_other_documents_are_recognized() {
    let made = Made::by(&["--count", "3", "--start", START, "--rate", "100/s"]);
    let body = std::fs::read(made.manifest()).expect("a file");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/api/manifest", listener.local_addr().expect("an address"));
    // The server demands a token, and has no other paths.
    let server = std::thread::spawn(move || {
        for _ in 0..5 {
            let (mut stream, _) = listener.accept().expect("a connection");
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let is_token = |line: &String| line.eq_ignore_ascii_case("authorization: Bearer secret");
            let (status, body) = match (head[0].contains("/api/manifest"), head.iter().any(is_token)) {
                (true, true) => ("200 OK", &body[..]),
                (true, false) => ("401 Unauthorized", &b"no"[..]),
                (false, _) => ("200 OK", &b"<html>"[..]),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    let replay = |url: &str, token: &str| {
        let mut command = tracegen();
        command.env_remove("SERVER_TOKEN").args(["replay", "1", "--manifest", url]);
        if !token.is_empty() {
            command.env("SERVER_TOKEN", token);
        }
        command.output().expect("it runs")
    };
    let expected = tracegen().args(["replay", "1", "--manifest"]).arg(made.manifest()).output().expect("it runs");
    assert_eq!(replay(&url, "secret").stdout, expected.stdout);
    for (url, token, why) in [
        (&url[..], "", "set SERVER_TOKEN"),
        (&url, "wrong", "set SERVER_TOKEN"),
        (&url.replace("/api/manifest", "/"), "secret", "not a valid manifest"),
    ] {
        let output = replay(url, token);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(3) && said.contains(why) && said.contains(url), "{said}");
    }
    // The token of one server is not sent to another.
    let mut elsewhere = tracegen();
    elsewhere.args(["replay", "1", "--manifest", &url]);
    let output = elsewhere.envs([("SERVER_TOKEN", "secret"), ("SERVER_HOST", "traces.example")]).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && said.contains("SERVER_TOKEN goes only to"), "{said}");
    server.join().expect("it served");
    for command in [&["replay", "1"][..], &["identify", &"0a".repeat(16)], &["verify"], &["merge"]] {
        let source = url.replace("http://", "http://me:hush@");
        let flag: &[&str] = if command == ["merge"] { &[] } else { &["--manifest"] };
        let output = tracegen().args(command).args(flag).arg(&source).output().expect("it runs");
        let said = format!("{output:?}");
        assert!(output.status.code() != Some(0) && !said.contains("hush"), "{command:?}: {said}");
    }
    assert_eq!(replay(&url, "secret").status.code(), Some(3), "nothing listens there");
    let damaged = made.directory.path().join("damaged.json");
    let whole = std::fs::read_to_string(made.manifest()).expect("a file");
    let edited =
        whole.replace("\"first\":0,\"opening\":1767225600000000000", "\"first\":0,\"opening\":1767225600000000001");
    assert_ne!(edited, whole);
    for (text, why) in [(&whole[..whole.len() / 2], "cut off"), (&edited, "it was edited"), ("{}", "not a manifest")] {
        std::fs::write(&damaged, text).expect("written");
        let (exit, said) = refused(&["replay", "1", "--manifest", &damaged.display().to_string()]);
        assert!(exit == 3 && said.contains(why), "{exit} {said}");
    }
    let (exit, said) = refused(&["run", "--count", "1", "--manifest", "no/such/folder/run.json", "--exporter", "none"]);
    assert!(exit == 3 && said.contains("can't write no/such/folder/run.json"), "{exit} {said}");
}
