//! The last part of `docs/policies.md` is done here as it stands there, with a real collector, and what it shows is what is
//! said.

mod support {
    pub mod folder;
    pub mod ports;
}

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::folder::Folder;
use support::ports;

/// What the guide has, in its order.
#[derive(Default)]
struct Guide {
    /// The files with their names.
    files: Vec<(String, String)>,
    commands: Vec<String>,
    /// What the commands show.
    outputs: Vec<String>,
}

impl Guide {
    fn read() -> Guide {
        let text = fs::read_to_string(root().join("docs/policies.md")).expect("a file");
        let (_, part) = text.split_once("\n## A tail sampler").expect("the last part");
        let mut guide = Guide::default();
        let mut blocks = part.split("\n```");
        while let Some(outside) = blocks.next() {
            let commands = outside.lines().filter_map(|line| line.strip_prefix("    tracegen "));
            guide.commands.extend(commands.map(|command| format!("tracegen {command}")));
            let Some((language, block)) = blocks.next().and_then(|block| block.split_once('\n')) else { break };
            match language {
                "yaml" => {
                    let name = block.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a name");
                    guide.files.push((name.into(), format!("{block}\n")));
                }
                _ => guide.outputs.push(format!("{block}\n")),
            }
        }
        guide
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A collector, which ends when it is dropped.
struct Collector(Child);

impl Collector {
    fn start(binary: &Path, folder: &Folder, config: &str, port: u16) -> Collector {
        fs::write(folder.path("collector.yaml"), config).expect("written");
        let mut command = Command::new(binary);
        let log = fs::File::create(folder.path("log.txt")).expect("a file");
        command.args(["--config", "collector.yaml"]).current_dir(folder.path("")).stderr(log);
        let collector = Collector(command.spawn().expect("it starts"));
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(folder.path("log.txt")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not listen: {log}");
            sleep(Duration::from_millis(50));
        }
        collector
    }

    fn stop(mut self) {
        let status = Command::new("kill").arg(self.0.id().to_string()).status();
        assert!(status.expect("kill").success() && self.0.wait().is_ok());
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command of the guide, and returns what it prints and its exit status.
fn run(folder: &Folder, command: &str, port: u16) -> (String, Option<i32>) {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_tracegen"));
    let search = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{search}", binary.parent().expect("a folder").display());
    let output = Command::new("sh")
        .args(["-c", command])
        .env("PATH", path)
        .current_dir(folder.path(""))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .output();
    let output = output.expect("sh");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("error"), "{command}: {said}");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

#[test]
fn the_guide_is_right() {
    let Some(binary) = std::env::var_os("TRACEGEN_COLLECTOR").map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "TRACEGEN_COLLECTOR is not set");
        return;
    };
    let guide = Guide::read();
    let [explain, send, verify] = &guide.commands[..] else { panic!("{:?}", guide.commands) };
    let [shares, right, mistyped] = &guide.outputs[..] else { panic!("{:?}", guide.outputs) };
    let file = |name: &str| &guide.files.iter().find(|(other, _)| other == name).expect(name).1;
    let [one, other] = ports::free();
    std::thread::scope(|scope| {
        for (port, threshold, expected, status) in [(one, "1000", right, 0), (other, "10000", mistyped, 1)] {
            let (binary, guide) = (&binary, &guide);
            scope.spawn(move || {
                let folder = Folder::new();
                guide.files.iter().for_each(|(name, text)| fs::write(folder.path(name), text).expect("written"));
                fs::copy(root().join("scenarios/examples/shop.yaml"), folder.path("shop.yaml")).expect("copied");
                let config = file("collector.yaml").replace("127.0.0.1:4317", &format!("127.0.0.1:{port}"));
                let config = config.replace("threshold_ms: 1000}", &format!("threshold_ms: {threshold}}}"));
                let collector = Collector::start(binary, &folder, &config, port);
                run(&folder, send, port);
                sleep(Duration::from_secs(6));
                collector.stop();
                assert_eq!(run(&folder, verify, port), (expected.clone(), Some(status)));
                if status == 0 {
                    assert_eq!(run(&folder, explain, port), (shares.clone(), Some(0)));
                }
            });
        }
    });
}
