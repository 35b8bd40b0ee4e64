//! A system clock that is set back during a run: the run keeps its own time, reports the step, and its records stay valid.
//!
//! A library that is loaded before the system's changes the clock of the process. The test compiles it with the same linker
//! as this binary.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod support {
    pub mod binary;
}

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::binary::brief;
use tempfile::TempDir;
use tracegen::journal::{Archive, Manifest};

/// A library by which the wall clock is an hour behind while the file named by STEPPED exists.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *ts) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, ts);
    const char *file = getenv("STEPPED");
    if (id == CLOCK_REALTIME && file && access(file, F_OK) == 0) ts->tv_sec -= 3600;
    return result;
}
"#;

struct Stepped {
    folder: TempDir,
}

impl Stepped {
    /// Returns `None` if there is no C compiler.
    fn new() -> Option<Stepped> {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("shim.c");
        fs::write(&source, SHIM).expect("written");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(folder.path().join("shim.so"))
            .arg(&source)
            .arg("-ldl")
            .status();
        if compiled.is_ok_and(|status| status.success()) {
            return Some(Stepped { folder });
        }
        assert!(std::env::var_os("CI").is_none(), "no C compiler");
        eprintln!("skipped, no C compiler");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracegen"));
        command.args(words).current_dir(&self.folder).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env("LD_PRELOAD", self.path("shim.so")).env("STEPPED", self.path("stepped"));
        command
    }

    fn step_back(&self) {
        File::create(self.path("stepped")).expect("created");
    }

    fn manifest(&self) -> Manifest {
        Manifest::read(File::open(self.path("run.json")).expect("a manifest")).expect("a manifest")
    }

    fn verify(&self, file: &Path) -> (Option<i32>, String) {
        let mut command = self.command(&["verify", "--manifest", "run.json", "--from"]);
        let output = command.arg(file).stdout(Stdio::piped()).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn interrupt(child: Child) -> String {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.code().is_some());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_clock_that_is_set_back_changes_nothing_of_a_run() {
    let Some(stepped) = Stepped::new() else { return };
    let run = ["run", "--seed=7", "--rate=200/s", "--exporter=file=all.bin", "--manifest=run.json"];
    let child = stepped.command(&run).arg(brief()).spawn().expect("started");
    std::thread::sleep(Duration::from_secs(3));
    stepped.step_back();
    std::thread::sleep(Duration::from_secs(3));
    let said = interrupt(child);
    assert!(
        said.contains("the system's clock is") && (said.contains("1 h 0 min") || said.contains("59 min")),
        "{said}"
    );
    let manifest = stepped.manifest();
    let era = &manifest.eras[0];
    let (opening, stopped) = (era.epoch.opening, era.stopped.expect("it was stopped"));
    assert!(stopped > opening + 4_000_000_000, "it stopped {} ns after its start", stopped.wrapping_sub(opening));
    assert!(manifest.ended.as_ref().expect("an end").time >= stopped);
    let made = manifest.ended.as_ref().expect("an end").traces;
    assert!(made > 600, "traces went on: {made}");
    let (exit, report) = stepped.verify(&stepped.path("all.bin"));
    assert!(exit == Some(0) && !report.contains(" 0 spans expected"), "{report}");
    // The run is resumed while the clock is still behind. Nothing is sent again, and time goes on from where it was.
    let resumed = stepped.command(&["run", "--resume=run.json"]).spawn().expect("started");
    std::thread::sleep(Duration::from_secs(3));
    let said = interrupt(resumed);
    let after = stepped.manifest();
    let ended = after.ended.as_ref().expect("an end");
    assert!(
        after.eras[0].stopped > Some(stopped) && ended.traces > made + 200,
        "{} after {made}\n{said}",
        ended.traces
    );
    Archive::open(&after).expect("it belongs together");
    let (exit, report) = stepped.verify(&stepped.path("all.bin"));
    assert_eq!(exit, Some(0), "{report}");
}
