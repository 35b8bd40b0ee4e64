//! What `tracegen init` writes compiles without a warning, and the commands that it names work as they are printed.
#![cfg(target_os = "linux")]

mod support {
    pub mod binary;
    pub mod http;
    pub mod ports;
}

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::binary::tracegen;
use support::http;
use support::ports::free;

/// Returns what `init` printed in `folder`.
fn init(folder: &Path, arguments: &[&str]) -> String {
    let output = tracegen().arg("init").args(arguments).current_dir(folder).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Returns the printed commands.
fn commands(said: &str) -> Vec<&str> {
    let lines = said.lines().filter(|line| line.starts_with("  tracegen "));
    lines.map(|line| line.trim().split("   ").next().expect("a command")).collect()
}

fn shell(folder: &Path, line: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_tracegen"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().expect("a folder").display());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).env("PATH", path).stdin(Stdio::null());
    for name in ["SCENARIOS_DIR", "SCENARIOS_PATH", "OTEL_EXPORTER_OTLP_ENDPOINT", "SERVER_TOKEN"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn the_printed_commands_work_in_any_directory() {
    for arguments in [&[][..], &["it's a demo"], &["deep/er"], &["--example", "grpc_mesh"]] {
        let folder = tempfile::tempdir().expect("a folder");
        let said = init(folder.path(), arguments);
        let [check, run, serve] = commands(&said)[..] else { panic!("{said}") };
        let output = shell(folder.path(), check).output().expect("a shell");
        let heard = [output.stdout, output.stderr].concat();
        let heard = String::from_utf8_lossy(&heard);
        assert!(output.status.success() && !heard.contains("warning"), "{heard}");
        let output = shell(folder.path(), run).output().expect("a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("resourceSpans"), "{said}");

        let [port] = free();
        let mut server = shell(folder.path(), &format!("exec {serve}"));
        let server = server.env("SERVER_PORT", port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = server.spawn().expect("a shell");
        let address = format!("127.0.0.1:{port}");
        let begun = Instant::now();
        let shown = loop {
            let answer = TcpStream::connect(&address).ok().map(|_| http::get(&address, "/api/traces").body);
            if let Some(answer) = answer.filter(|answer| answer.contains("trace_id")) {
                break answer;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{serve}");
            std::thread::sleep(Duration::from_millis(100));
        };
        server.kill().expect("it runs");
        server.wait().expect("it has ended");
        assert!(shown.contains("scenario"), "{shown}");
    }
}

#[test]
fn every_example_is_offered_and_is_the_shipped_file() {
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples");
    let names = fs::read_dir(&shipped).expect("examples").map(|entry| entry.expect("an entry").path());
    let names = names.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned());
    let folder = tempfile::tempdir().expect("a folder");
    for name in names.filter(|name| !name.starts_with('_')) {
        let to = folder.path().join(&name);
        let said = init(folder.path(), &[&name, "--example", &name]);
        let file = format!("{name}.yaml");
        assert!(said.starts_with(&format!("wrote {name}/{file}\n")), "{said}");
        assert_eq!(fs::read(to.join(&file)).expect("a file"), fs::read(shipped.join(&file)).expect("a file"));
        tracegen().args(["compile", "--check", "--deny", "warnings"]).arg(to).assert().success();
    }
    let output = tracegen().args(["init", "--example", "grpc"]).current_dir(folder.path()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("grpc_mesh"), "{said}");
}

#[test]
fn no_file_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("scenarios/orders.yaml");
    fs::create_dir(folder.path().join("scenarios")).expect("created");
    fs::write(&own, "mine").expect("written");
    let output = tracegen().arg("init").current_dir(folder.path()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && said.contains("scenarios/orders.yaml is there already"), "{said}");
    assert_eq!(fs::read_to_string(own).expect("a file"), "mine");
    assert!(!folder.path().join("scenarios/_base.yaml").exists());
    // A directory in whose place there is a file, or whose name no file can have.
    for place in ["scenarios/orders.yaml", "scenarios/orders.yaml/deeper", "nul\u{1}/x\ny"] {
        let output = tracegen().args(["init", place]).current_dir(folder.path()).output().expect("it runs");
        assert!(matches!(output.status.code(), Some(0 | 3)), "{place}");
    }
}
