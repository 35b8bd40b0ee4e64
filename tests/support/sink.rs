//! A sink as a process of its own.
#![allow(dead_code, reason = "each test file uses its own part")]

use super::binary::{scenarios, tracegen};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A sink, which is killed when it is dropped.
pub struct Sink {
    child: Child,
    /// The address at which the sink listens.
    pub address: String,
    directory: TempDir,
}

impl Sink {
    /// Starts a sink that verifies, with further arguments.
    pub fn verifying(args: &[&str]) -> Sink {
        let directory = tempfile::tempdir().expect("a directory");
        let manifest = directory.path().join("run.json").display().to_string();
        Sink::start(directory, &[args, &["--manifest", &manifest]].concat())
    }

    pub fn counting(args: &[&str]) -> Sink {
        Sink::start(tempfile::tempdir().expect("a directory"), args)
    }

    pub fn start(directory: TempDir, args: &[&str]) -> Sink {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tracegen"))
            .args(["sink", "--listen", "127.0.0.1:0", "--format", "json", "--seed", "3"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let first = lines.next().expect("it says where it listens");
        let address = first.strip_prefix("tracegen: listening at ").expect(&first).to_string();
        // Later output must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Sink { child, address, directory }
    }

    pub fn manifest(&self) -> PathBuf {
        self.directory.path().join("run.json")
    }

    /// Returns the id of the process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a run of 2,000 traces that writes the manifest.
    pub fn run(&self, endpoint: &str, protocol: &str) -> Value {
        let args = ["--count", "2000", "--seed", "42", "--protocol", protocol, "--endpoint", endpoint];
        self.run_with(&args)
    }

    /// Makes a run with these arguments, and returns its summary.
    pub fn run_with(&self, args: &[&str]) -> Value {
        let mut run = tracegen();
        run.args(["run", "--quiet", "--summary", "json", "--threads", "1", "--manifest"]);
        let output = run.arg(self.manifest()).args(args).arg(scenarios()).output().expect("it runs");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// Ends the sink, and returns its exit status and result.
    pub fn end(mut self) -> (i32, Value) {
        self.signal("INT");
        self.wait()
    }

    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(kill.expect("kill").success());
    }

    /// Sends a signal twice with a pause, from one process, so that no process has to start in between.
    pub fn signal_twice(&self, name: &str, pause: &str) {
        let script = format!("kill -{name} {0}; sleep {pause}; kill -{name} {0}", self.child.id());
        assert!(Command::new("sh").args(["-c", &script]).status().expect("sh").success());
    }

    /// Waits until the sink ends by itself, and returns its exit status and result.
    pub fn wait(&mut self) -> (i32, Value) {
        let (status, text) = self.outcome();
        let status = status.expect("no signal ends it");
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
    }

    /// Waits for the end, and returns the exit status and the output as text.
    pub fn outcome(&mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
        (self.child.wait().expect("a status").code(), text)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
