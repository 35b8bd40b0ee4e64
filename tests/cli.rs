//! The command line as a user meets it: the output, and the exit status.

mod support {
    pub mod binary;
    pub mod process;
}

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::binary::{brief, scenarios, tracegen};

/// Nothing listens at this address.
const NOWHERE: &str = "http://127.0.0.1:9";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn check_is_silent_where_nothing_is_wrong() {
    tracegen().args(["compile", "--check"]).arg(scenarios()).assert().success().stdout("").stderr("");
    tracegen().args(["compile", "--check"]).arg(scenarios().join("examples")).assert().success().stdout("").stderr("");
}

#[test]
fn each_mistake_is_an_error_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("five.yaml");
    let yaml = "\
name: five mistakes
weight: -1
root_span:
  service: web
  operation: GET /<<random.integer(1, 2)>>
  kind: SERVICE
  delay_ms: [20, 10]
  attributes:
    a: <<nobody>>
";
    std::fs::write(&file, yaml).expect("written");
    let output = tracegen().args(["compile", "--check"]).arg(&file).assert().code(1).stdout("");
    let said = text(&output.get_output().stderr);
    assert_eq!(said.matches("error[E").count(), 5, "{said}");
    assert!(said.contains("did you mean `random.int`?"), "{said}");
    let output = tracegen().args(["compile", "--format", "json"]).arg(&file).assert().code(1);
    let json: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    assert_eq!(json.as_array().or(json["diagnostics"].as_array()).map(Vec::len), Some(5), "{json}");
}

/// With `--watch`, each change of a file, of its base, and of the directory is compiled, until Ctrl-C.
#[cfg(unix)]
#[test]
fn compile_watches_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("_base.yaml", "services: [web]");
    write("a.yaml", "name: a\nroot_span: {service: web, operation: get}\n");
    let mut watching = Command::new(assert_cmd::cargo::cargo_bin("tracegen"))
        .args(["compile", "--watch", "--check"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let (to, said) = std::sync::mpsc::channel();
    let stderr = BufReader::new(watching.stderr.take().expect("a pipe"));
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| drop(to.send(line))));
    // Returns what is said up to the line that ends a compilation.
    let next = || {
        let mut lines = String::new();
        while !lines.contains("waiting for a change") {
            lines += &said.recv_timeout(Duration::from_secs(60)).expect("a line");
        }
        lines
    };
    assert!(next().starts_with("tracegen: it compiles"));
    write("a.yaml", "name: a\nroot_span: {service: web, operation: <<nobody>>}\n");
    let broken = next();
    assert!(broken.contains("E0404") || broken.contains("error["), "{broken}");
    assert!(broken.contains("it does not compile"), "{broken}");
    write("a.yaml", "name: a\nroot_span: {service: web, operation: get all}\n");
    assert!(next().contains("it compiles"));
    write("_base.yaml", "services: [webs, db]");
    assert!(next().contains("it does not compile"));
    write("_base.yaml", "services: [web, db, cache]");
    assert!(next().contains("it compiles"));
    write("b.yaml", "name: b\nroot_span: {service: nobody, operation: get}\n");
    assert!(next().contains("it does not compile"));
    kill(&watching, "INT");
    assert_eq!(wait(&mut watching, 60), Some(0));
}

#[test]
fn compile_prints_what_emit_selects() {
    let overview = tracegen().arg("compile").arg(scenarios()).assert().success().stderr("");
    assert!(text(&overview.get_output().stdout).contains(" scenarios from 10 files, "), "{overview}");
    let listing = tracegen().args(["compile", "--emit", "plan"]).arg(scenarios()).assert().success();
    assert!(text(&listing.get_output().stdout).starts_with("plan "), "{listing}");
    let dot = tracegen().args(["compile", "--emit", "dot"]).arg(scenarios()).assert().success();
    assert!(text(&dot.get_output().stdout).starts_with("digraph "), "{dot}");
    let json = tracegen().args(["compile", "--emit", "json"]).arg(scenarios()).assert().success();
    serde_json::from_slice::<serde_json::Value>(&json.get_output().stdout).expect("JSON");
}

#[test]
fn a_plan_file_runs_as_its_scenarios_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let plan = directory.path().join("all.plan");
    tracegen().arg("compile").arg(scenarios()).arg("-o").arg(&plan).assert().success();
    let run = |path: &Path| {
        let command = tracegen()
            .args(["run", "--seed", "7", "--start", "2026-01-01", "--count", "50", "--exporter", "stdout", "--quiet"])
            .arg(path)
            .assert()
            .success();
        command.get_output().stdout.clone()
    };
    assert!(run(&plan) == run(&scenarios()));
    std::fs::write(&plan, "{\"not\": \"a plan\"}").expect("written");
    let output = tracegen().arg("run").arg(&plan).assert().code(3).stdout("");
    assert!(text(&output.get_output().stderr).contains("no plan file"), "{output}");
}

#[test]
fn wrong_usage_is_explained_and_exits_with_2() {
    for (arguments, said) in [
        (&["run", "--rate", "fast"][..], "`50`, `0.5/s`, `100/m` or `1/h`, or `max`"),
        (&["run", "--shard", "0/3"], "--shard needs --seed and --start"),
        (&["run", "--shard", "3/3", "--seed", "1"], "0 to N - 1"),
        (&["run", "--rate", "max", "--start", "2026-01-01"], "--start can't be combined with --rate max"),
        (&["run", "--arrivals", "poisson"], "--arrivals poisson needs a rate"),
        (&["run", "--start", "yesterday"], "expected a time"),
        (&["run", "--start", "2026-01-02", "--until", "2026-01-01"], "is not after the start"),
        (&["run", "--exporter", "kafka"], "expected otlp, stdout, file=PATH, clickhouse or none"),
        (&["run", "--protocol", "udp", "--count", "1"], "use grpc, http/protobuf or http/json"),
        (&["run", "--lanes", "0"], "0 is not in 1..="),
    ] {
        let output = tracegen().args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).assert().code(2).stdout("");
        let stderr = text(&output.get_output().stderr);
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
    for (name, value, said) in [
        ("TRACE_INTERVAL_MIN", "often", "TRACE_INTERVAL_MIN=`often`: expected seconds"),
        ("TRACE_NUM_WORKERS", "0", "TRACE_NUM_WORKERS=`0`: expected a number of lanes"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "udp", "OTEL_EXPORTER_OTLP_PROTOCOL"),
    ] {
        let output = tracegen()
            .args(["run", "--count", "1", "--start", "2026-01-01"])
            .env(name, value)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .assert()
            .code(2);
        assert!(text(&output.get_output().stderr).contains(said), "{output}");
    }
}

#[test]
fn variables_give_paths_and_gaps() {
    let examples = brief();
    let run = |flags: &[&str], variables: &[(&str, &str)]| {
        let output = tracegen()
            .args(["run", "--seed", "7", "--start", "2026-01-01", "--count", "20", "--exporter", "stdout", "--quiet"])
            .args(flags)
            .env("SCENARIOS_DIR", &examples)
            .envs(variables.iter().copied())
            .assert()
            .success();
        output.get_output().stdout.clone()
    };
    let flags = run(&["--interval", "100ms..300ms", "--lanes", "2"], &[]);
    let variables = [("TRACE_INTERVAL_MIN", "0.1"), ("TRACE_INTERVAL_MAX", "0.3"), ("TRACE_NUM_WORKERS", "2")];
    assert!(flags == run(&[], &variables));
    assert!(flags != run(&[], &[]));
    assert!(run(&[], &[]) == run(&["--interval", "0.5..2", "--lanes", "4"], &variables), "a flag beats its variable");
}

#[test]
fn an_absent_collector_is_reported_once_and_the_account_closes() {
    let began = Instant::now();
    let output = tracegen()
        .args(["run", "--seed", "7", "--count", "100", "--wait", "1s", "--summary", "json", "--endpoint", NOWHERE])
        .arg(scenarios())
        .assert()
        .code(1);
    assert!(began.elapsed() < Duration::from_secs(120));
    let stderr = text(&output.get_output().stderr);
    assert_eq!(stderr.matches("nothing answers at").count(), 1, "{stderr}");
    assert!(stderr.lines().count() < 15, "{stderr}");
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    assert_eq!(summary["generated"]["traces"], 100, "{summary}");
    assert_eq!(summary["generated"], summary["undelivered"], "{summary}");
    assert_eq!(summary["delivered"]["spans"], 0, "{summary}");
}

#[test]
fn a_reader_that_has_seen_enough_is_not_a_failure() {
    let mut child = spawn(&["run", "--seed", "7", "--rate", "1000/s", "--start", "-1h", "--exporter", "stdout"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("{\"resourceSpans\""), "{line}");
    assert_eq!(wait(&mut child, 120), Some(0));
}

#[cfg(unix)]
#[test]
fn a_signal_stops_drains_and_prints_the_account() {
    // An endless run that is stopped is done; one with an end that was not reached is interrupted.
    for (more, signal, expected) in [(&[][..], "INT", 0), (&["--duration", "1h"], "TERM", 130)] {
        let mut child = spawn(&[&["run", "--seed", "7", "--rate", "500/s", "--exporter", "none"], more].concat());
        support::process::listens(&mut child);
        kill(&child, signal);
        assert_eq!(wait(&mut child, 120), Some(expected));
        let mut said = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        assert!(said.contains("stopping") && said.contains("  delivered "), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_stops_at_once_and_reports_the_losses() {
    // The peer accepts connections and never answers.
    let peer = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", peer.local_addr().expect("an address"));
    let mut child = spawn(&["run", "--seed", "7", "--rate", "500/s", "--endpoint", &endpoint, "--start", "-1m"]);
    support::process::listens(&mut child);
    std::thread::sleep(Duration::from_secs(2));
    kill(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    kill(&child, "INT");
    let began = Instant::now();
    assert_eq!(wait(&mut child, 120), Some(1), "undelivered beats interrupted");
    assert!(began.elapsed() < Duration::from_secs(9), "it does not drain");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    let undelivered = said.lines().find(|line| line.starts_with("  undelivered")).expect("the account");
    assert!(!undelivered.trim_end().ends_with(" 0"), "{said}");
}

#[test]
fn a_rate_is_met_and_reported() {
    let output = tracegen()
        .args(["run", "--seed", "7", "--rate", "2000/s", "--duration", "3s", "--exporter", "none", "--summary", "json"])
        .arg(brief())
        .assert()
        .success();
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    assert_eq!(summary["generated"]["traces"], 6_000, "{summary}");
    assert_eq!(summary["rate"]["target"], 2_000.0, "{summary}");
    assert!(summary["rate"]["achieved"].as_f64().expect("a figure") > 1_000.0, "{summary}");
    assert!(text(&output.get_output().stderr).contains("  achieved "), "{output}");
}

#[test]
fn full_speed_ends_now_and_at_its_count() {
    let output = tracegen()
        .args(["run", "--seed", "7", "--rate", "max", "--count", "20000", "--exporter", "none", "--summary", "json"])
        .arg(brief())
        .assert()
        .success();
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    assert_eq!(summary["generated"]["traces"], 20_000, "{summary}");
    assert!(summary["repeat"].is_null(), "only a manifest repeats it: {summary}");
}

#[test]
fn every_subcommand_has_help_with_examples_and_completions_are_made() {
    for command in ["compile", "run", "replay", "identify", "merge", "completions"] {
        let output = tracegen().args([command, "--help"]).assert().success();
        assert!(text(&output.get_output().stdout).contains("Examples:"), "{command}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = tracegen().args(["completions", shell]).assert().success();
        assert!(text(&output.get_output().stdout).contains("tracegen"), "{shell}");
    }
}

fn spawn(arguments: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("tracegen"))
        .args(arguments)
        .arg(brief())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started")
}

#[cfg(unix)]
fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(status.expect("kill is there").success());
}

/// Waits up to `seconds` and returns the exit status; a process that is still running is killed.
fn wait(child: &mut Child, seconds: u64) -> Option<i32> {
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        if let Some(status) = child.try_wait().expect("a status") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("killed");
    panic!("still running after {seconds} s");
}
