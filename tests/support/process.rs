//! Runs of the binary that are interrupted.
#![allow(dead_code, reason = "each test file uses its own part")]

use super::binary::brief;
use std::ffi::OsStr;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A `tracegen run` of the examples, which is killed when it is dropped.
pub struct Running(Child);

impl Running {
    /// Starts a run, and waits until it handles signals.
    pub fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Running {
        Running::of(&mut Command::new(assert_cmd::cargo::cargo_bin("tracegen")), arguments, true)
    }

    /// Starts a resumed run, which knows its scenarios.
    pub fn resume<S: AsRef<OsStr>>(arguments: &[S]) -> Running {
        Running::of(&mut Command::new(assert_cmd::cargo::cargo_bin("tracegen")), arguments, false)
    }

    fn of<S: AsRef<OsStr>>(command: &mut Command, arguments: &[S], new: bool) -> Running {
        command.arg("run").args(arguments).arg("--quiet").stdout(Stdio::null()).stderr(Stdio::null());
        if new {
            command.arg(brief());
        }
        let mut child = command.spawn().expect("started");
        listens(&mut child);
        Running(child)
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        // The process may have ended.
        let _ = status.expect("kill is there");
    }

    /// Waits for the exit status; `None` if the process was killed.
    pub fn wait(mut self) -> Option<i32> {
        self.0.wait().expect("a status").code()
    }

    /// Interrupts the run after a while, and returns its exit status.
    pub fn interrupt_after(self, wait: Duration) -> Option<i32> {
        sleep(wait);
        self.signal("INT");
        self.wait()
    }
}

/// Waits until a run handles signals, or has ended.
pub fn listens(run: &mut Child) {
    let begun = Instant::now();
    while !catches_interrupts(run.id()) && run.try_wait().expect("a status").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not listen for signals");
        sleep(Duration::from_millis(5));
    }
}

fn catches_interrupts(pid: u32) -> bool {
    const INTERRUPT: u64 = 1 << 1;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & INTERRUPT != 0)
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
