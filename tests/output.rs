//! Output that can't be written: messages may be lost, a result that can't be printed is a failure, and no run ends because
//! of it.
#![cfg(target_os = "linux")]

mod support {
    pub mod binary;
    pub mod http;
    pub mod serve;
}

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::binary::scenarios;

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("the device is there").into()
}

fn tracegen() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tracegen"))
}

/// Makes a run of a few traces into a file with a manifest, and returns the words that name them.
fn made(folder: &Path) -> [String; 2] {
    let [file, manifest] = ["all.jsonl", "run.json"].map(|name| folder.join(name).display().to_string());
    let run = ["run", "--seed", "7", "--start=2026-01-01", "--count", "50", "--rate=100/s", "--manifest", &manifest];
    let exporter = format!("--exporter=file={file}");
    // Stderr is full, too, which does not affect the run.
    let status = tracegen().args(run).arg(&exporter).arg(scenarios()).stderr(full()).status().expect("it runs");
    assert_eq!(status.code(), Some(0));
    assert!(fs::read_to_string(&file).expect("a file").lines().count() > 0);
    [file, manifest]
}

#[test]
fn no_command_minds_a_full_stderr_and_each_fails_if_its_result_cannot_be_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, manifest] = made(folder.path());
    let all = scenarios().display().to_string();
    let id = "0123456789abcdef0123456789abcdef";
    let commands: [&[&str]; 14] = [
        &["--help"],
        &["--version"],
        &["run", "--help"],
        &["compile", &all],
        &["compile", "--emit", "plan", &all],
        &["compile", "--format", "sarif", &all],
        &["explain", "--samples", "100", &all],
        &["verify", "--manifest", &manifest, "--from", &file],
        &["verify", "--manifest", &manifest, "--from", &file, "--format", "json"],
        &["identify", id, "--seed", "1"],
        &["merge", &manifest],
        &["doctor"],
        &["completions", "bash"],
        &["replay", "1", "--manifest", &manifest],
    ];
    for arguments in commands {
        let command = || {
            let mut command = tracegen();
            command.args(arguments).stdin(Stdio::null());
            command
        };
        let usual = command().output().expect("it runs").status.code();
        if usual == Some(2) {
            // These commands do not have the flag, or have nothing to do, and are tested below.
            let status = command().stderr(full()).status().expect("it runs");
            assert_eq!(status.code(), Some(2), "{arguments:?}");
            continue;
        }
        let quiet = command().stderr(full()).stdout(Stdio::null()).status().expect("it runs");
        assert_eq!(quiet.code(), usual, "{arguments:?} with a full stderr");
        let output = command().stdout(full()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A trace that could not be written counts as not delivered.
        let expected = if arguments[0] == "replay" { 1 } else { 3 };
        let printed = !command().output().expect("it runs").stdout.is_empty();
        if printed {
            assert_eq!(output.status.code(), Some(expected), "{arguments:?} with a full stdout: {said}");
            assert!(said.contains("No space left"), "{arguments:?}: {said}");
        }
        let both = command().stdout(full()).stderr(full()).status().expect("it runs");
        assert_eq!(both.code(), output.status.code(), "{arguments:?} with both full");
    }
    // Mistakes are reported on stderr, and the exit status stays the same.
    for (arguments, code) in [(&["run", "--nonsense"][..], 2), (&["replay", "x", "--seed", "1"], 2), (&["verify"], 2)] {
        let status = tracegen().args(arguments).stderr(full()).status().expect("it runs");
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_summary_that_can_not_be_printed_does_not_take_the_run_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.bin");
    let run = ["run", "--seed", "7", "--start=2026-01-01", "--count", "2000", "--rate=100/s", "--summary", "json"];
    let exporter = format!("--exporter=file={}", file.display());
    let run = || {
        let mut command = tracegen();
        command.args(run).args([&exporter, "--force"]).arg(scenarios());
        command
    };
    assert_eq!(run().stdout(Stdio::null()).status().expect("it runs").code(), Some(0));
    let whole = fs::read(&file).expect("a file");
    assert_eq!(run().stdout(full()).stderr(full()).status().expect("it runs").code(), Some(3));
    assert!(fs::read(&file).expect("a file") == whole);
}

#[test]
fn a_server_goes_on_while_its_messages_are_lost() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let mut command = support::serve::command();
    command.env("SERVER_PORT", free.to_string()).env("LOG_LEVEL", "debug").stdout(full()).stderr(full());
    // The collector is away, which has to be reported.
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").args(["--seed", "42", "--rate", "50/s"]);
    let mut child = command.spawn().expect("started");
    let url = format!("http://127.0.0.1:{free}");
    let healthy = || tracegen().args(["health", &url]).stdout(Stdio::null()).status().expect("it runs").success();
    let begun = std::time::Instant::now();
    while !healthy() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not serve");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(3));
    assert!(healthy() && child.try_wait().expect("a status").is_none());
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill is there");
    let code = child.wait().expect("a status").code();
    // Undelivered spans make the status 1; the signal alone would not.
    assert_eq!(code, Some(1));
}

#[test]
fn a_file_that_may_not_grow_is_an_error_of_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let limited = |words: &str| {
        let line = format!("ulimit -f 16; exec {} {words} {}", env!("CARGO_BIN_EXE_tracegen"), scenarios().display());
        Command::new("sh").args(["-c", &line]).current_dir(&folder).output().expect("it runs")
    };
    for more in ["", " --force --quiet"] {
        let run = "run --seed 7 --start=2026-01-01 --count 5000 --rate 100/s --exporter file=a.bin";
        let output = limited(&format!("{run}{more}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{more}: {said}");
        assert!(said.contains("not written") && said.contains("File too large"), "{more}: {said}");
    }
    let output = limited("compile -o all.plan");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && said.contains("File too large"), "{said}");
    let output = limited("run --seed 7 --count 5 --exporter none --manifest run.json");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && said.contains("File too large"), "{said}");
    let mut left: Vec<_> = fs::read_dir(&folder).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.bin"], "no empty or half a file is left");
}
