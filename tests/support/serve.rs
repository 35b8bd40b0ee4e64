//! `tracegen serve` as a process of its own.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A server, which is killed when it is dropped.
pub struct Server {
    child: Child,
    pub url: String,
    said: Arc<Mutex<String>>,
}

/// Returns a command for `tracegen serve`, without the variables of this process that it reads.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracegen"));
    command.arg("serve").current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::piped()).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        let ours = [
            "OTEL_",
            "TRACE_",
            "SCENARIOS_",
            "DATABASE_",
            "CLICKHOUSE_",
            "SERVER_",
            "INMEMORY_",
            "JAEGER_",
            "CARD_",
            "STATUS_",
            "LOG_",
        ];
        if ours.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

impl Server {
    /// Starts a server with these arguments and variables, on a port of its own.
    pub fn start(args: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut command = command();
        command.args(args).env("SERVER_PORT", "0").envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said = Arc::new(Mutex::new(String::new()));
        let url = lines.by_ref().find_map(|line| {
            let at = line.find("http://")?;
            Some(line[at..].split_whitespace().next()?.trim_end_matches('/').to_string())
        });
        let url = url.expect("it prints its URL");
        // Later output must not fill the pipe.
        let heard = said.clone();
        std::thread::spawn(move || {
            for line in lines {
                let mut said = heard.lock().unwrap_or_else(PoisonError::into_inner);
                *said += &line;
                *said += "\n";
            }
        });
        Server { child, url, said }
    }

    /// Starts a server of the shipped scenarios with seed 42 and many traces a second.
    pub fn busy() -> Server {
        Server::start(&["--seed", "42", "--rate", "20/s"], &[])
    }

    /// Returns the host and port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Returns the output on stderr after the URL.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the output contains these words.
    pub fn wait_for(&self, words: &str) {
        let begun = Instant::now();
        while !self.said().contains(words) {
            assert!(begun.elapsed() < Duration::from_secs(120), "it did not say `{words}`:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal such as `INT`, and waits for the end.
    pub fn end(&mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([format!("-{signal}"), pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// Returns the maximum memory so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// Starts a server of the scenario files in `folder`.
    pub fn of(folder: &Path, args: &[&str]) -> Server {
        let mut all = vec![folder.to_str().unwrap()];
        all.extend(args);
        Server::start(&all, &[])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
