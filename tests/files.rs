//! Files that a run writes: no data is lost by accident, and devices, pipes and links stay what they are.
#![cfg(target_os = "linux")]

mod support {
    pub mod binary;
    pub mod collector;
    pub mod folder;
    pub mod ports;
    pub mod process;
}

use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::binary::{brief, json_requests, spans};
use support::collector::read_delimited;
use support::folder::Folder;
use support::process::Running;
use tracegen::journal::{Archive, Manifest};

const RUN: [&str; 6] = ["run", "--seed=7", "--start=2026-01-01", "--count=200", "--rate=100/s", "--summary=json"];

impl Folder {
    /// Runs in this folder with these flags, and returns the exit status and the messages.
    fn run(&self, flags: &[&str]) -> (Option<i32>, String) {
        self.command(&RUN, flags)
    }

    fn command(&self, words: &[&str], flags: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracegen"));
        command.args(words).args(flags).current_dir(self.path(""));
        if words[0] == "run" && !flags.iter().any(|flag| flag.starts_with("--resume")) {
            command.arg(brief());
        }
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn refused(&self, flags: &[&str], code: i32, why: &str) {
        let (status, said) = self.run(flags);
        assert!(status == Some(code) && said.contains(why), "{flags:?}: {status:?} {said}");
    }

    fn manifest(&self, name: &str) -> Manifest {
        Manifest::read(File::open(self.path(name)).expect("a manifest")).expect("a manifest")
    }
}

#[test]
fn a_file_is_overwritten_only_on_request() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["--exporter=file=a.bin"]).0, Some(0));
    let whole = fs::read(folder.path("a.bin")).expect("a file");
    folder.refused(&["--exporter=file=a.bin"], 2, "can't write a.bin: it exists already; --force overwrites it");
    assert!(fs::read(folder.path("a.bin")).expect("a file") == whole);
    fs::write(folder.path("a.bin"), "precious").expect("written");
    folder.refused(&["--exporter=file=a.bin"], 2, "--force");
    assert_eq!(fs::read(folder.path("a.bin")).expect("a file"), b"precious");
    assert_eq!(folder.run(&["--exporter=file=a.bin", "--force"]).0, Some(0));
    assert!(fs::read(folder.path("a.bin")).expect("a file") == whole);
    File::create(folder.path("empty.bin")).expect("created");
    assert_eq!(folder.run(&["--exporter=file=empty.bin"]).0, Some(0), "nothing is lost of an empty file");
    // Replay has the same flags.
    let replay = ["replay", "3", "--seed=7", "--start=2026-01-01", "--rate=100/s", "--exporter=file=a.bin"];
    let examples = brief().display().to_string();
    assert_eq!(folder.command(&replay, &[&examples]).0, Some(2));
    assert_eq!(folder.command(&replay, &[&examples, "--force"]).0, Some(0));
    // A file that can't be opened is out of reach.
    folder.refused(&["--exporter=file=no/such/a.bin"], 3, "its directory must exist");
    folder.refused(&["--exporter=file=."], 3, "can't write .");
}

#[test]
fn the_name_of_a_file_determines_its_format() {
    let folder = Folder::new();
    let packed = |name: &str| {
        let mut plain = vec![];
        MultiGzDecoder::new(File::open(folder.path(name)).expect("a file")).read_to_end(&mut plain).expect("gzip");
        plain
    };
    for name in ["a.bin", "a.jsonl", "a.json", "a.ndjson", "a.jsonl.gz", "a.json.gz", "a.bin.gz"] {
        assert_eq!(folder.run(&[&format!("--exporter=file={name}")]).0, Some(0), "{name}");
    }
    let expected = spans(&read_delimited(&fs::read(folder.path("a.bin")).expect("a file")));
    for name in ["a.jsonl", "a.json", "a.ndjson"] {
        let text = fs::read_to_string(folder.path(name)).expect("text");
        assert!(spans(&json_requests(&text)) == expected, "{name}");
    }
    for name in ["a.jsonl.gz", "a.json.gz"] {
        assert!(spans(&json_requests(&String::from_utf8(packed(name)).expect("text"))) == expected, "{name}");
    }
    assert!(spans(&read_delimited(&packed("a.bin.gz"))) == expected);
    // `verify` reads the files as they were written.
    assert_eq!(folder.run(&["--exporter=none", "--manifest=run.json"]).0, Some(0));
    for name in ["a.json", "a.jsonl.gz", "a.bin.gz"] {
        let (status, said) = folder.command(&["verify", "--quiet", "--manifest=run.json", "--from", name], &[]);
        assert_eq!(status, Some(0), "{name}: {said}");
    }
    for name in ["a.jsonl.zst", "a.xz", "a.zip"] {
        folder.refused(&[&format!("--exporter=file={name}")], 2, "write .gz in place of");
        assert!(!folder.path(name).exists());
    }
}

#[test]
fn a_compressed_file_is_continued() {
    let folder = Folder::new();
    let long = ["--seed=7", "--start=-1s", "--rate=300/s", "--duration=4s"];
    let paths = ["a.jsonl.gz", "run.json"].map(|name| folder.path(name).display().to_string());
    let out = [format!("--exporter=file={}", paths[0]), format!("--manifest={}", paths[1])];
    let first = Running::start(&[&long.map(String::from)[..], &out].concat());
    assert_eq!(first.interrupt_after(Duration::from_millis(500)), Some(130));
    // The manifest contains the destination of the traces.
    assert_eq!(Running::resume(&[format!("--resume={}", paths[1])]).wait(), Some(0));
    let verified = folder.command(&["verify", "--quiet", "--manifest", "run.json", "--from", "a.jsonl.gz"], &[]);
    assert_eq!(verified.0, Some(0), "{}", verified.1);
    assert_eq!(folder.manifest("run.json").ended.expect("an end").traces, 1_200);
}

#[test]
fn two_outputs_are_never_one_file() {
    let folder = Folder::new();
    fs::create_dir(folder.path("sub")).expect("created");
    symlink("a.bin", folder.path("link")).expect("linked");
    for manifest in ["a.bin", "./sub/../a.bin", "link"] {
        folder.refused(&["--exporter=file=a.bin", &format!("--manifest={manifest}")], 2, "are one file");
        assert!(!folder.path("a.bin").exists());
    }
    let plan = folder.path("all.plan");
    let compile = ["compile", "-o", "all.plan"];
    let examples = brief().display().to_string();
    assert_eq!(folder.command(&compile, &[&examples]).0, Some(0));
    let whole = fs::read(&plan).expect("a plan");
    for flags in [["--exporter=none", "--manifest=all.plan"], ["--exporter=file=all.plan", "--force"]] {
        let run = ["run", "all.plan", "--count=1", flags[0], flags[1]];
        let output =
            Command::new(env!("CARGO_BIN_EXE_tracegen")).args(run).current_dir(folder.path("")).output().expect("ran");
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::read(&plan).expect("a plan") == whole);
    }
    assert_eq!(folder.command(&["compile", "all.plan", "-o", "./all.plan"], &[]).0, Some(2));
    // A manifest does not overwrite another kind of file.
    fs::write(folder.path("notes.txt"), "mine").expect("written");
    folder.refused(&["--exporter=none", "--manifest=notes.txt"], 2, "is not a manifest, and would be lost");
    assert_eq!(fs::read(folder.path("notes.txt")).expect("a file"), b"mine");
    // If nothing is kept, two runs may write.
    assert_eq!(folder.run(&["--exporter=file=/dev/null", "--manifest=/dev/null"]).0, Some(0));
}

#[test]
fn a_file_is_written_by_one_run_at_a_time() {
    let folder = Folder::new();
    let paths = ["a.bin", "run.json"].map(|name| folder.path(name).display().to_string());
    let out = [format!("--exporter=file={}", paths[0]), format!("--manifest={}", paths[1])];
    let running = Running::start(&[&["--seed=7", "--rate=50/s"].map(String::from)[..], &out].concat());
    let begun = Instant::now();
    while !folder.path("run.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    folder.refused(&["--exporter=file=a.bin", "--force"], 2, "another process is writing it");
    folder.refused(&["--exporter=none", "--manifest=run.json"], 2, "another run is writing it");
    assert_eq!(running.interrupt_after(Duration::from_millis(500)), Some(0));
    let verified = folder.command(&["verify", "--quiet", "--manifest", "run.json", "--from", "a.bin"], &[]);
    assert_eq!(verified.0, Some(0), "{}", verified.1);
    assert_eq!(folder.run(&["--exporter=none", "--manifest=run.json"]).0, Some(0), "it is free again");
}

#[test]
fn devices_pipes_and_links_stay_what_they_are() {
    let folder = Folder::new();
    for device in ["/dev/null", "/dev/stderr"] {
        assert_eq!(folder.run(&["--exporter=none", &format!("--manifest={device}")]).0, Some(0), "{device}");
    }
    assert!(fs::metadata("/dev/null").expect("there").file_type().is_char_device());
    folder.refused(&["--exporter=none", "--manifest=/dev/full"], 3, "No space left");
    // For a link, the file behind it is replaced.
    symlink("real.json", folder.path("link.json")).expect("linked");
    for _ in 0..2 {
        assert_eq!(folder.run(&["--exporter=none", "--manifest=link.json"]).0, Some(0));
        assert!(folder.path("link.json").is_symlink() && !folder.path("real.json").is_symlink());
        folder.manifest("real.json");
    }
    // The reader of a pipe gets everything that was written, one document after another.
    let pipe = folder.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).expect("text")
    });
    assert_eq!(folder.run(&["--exporter=none", "--manifest=pipe"]).0, Some(0));
    assert!(fs::metadata(&pipe).expect("there").file_type().is_fifo());
    assert_eq!(reader.join().expect("it read").lines().count(), 2, "at the start, and at the end");
    for output in ["/dev/null", "link.plan"] {
        let examples = brief().display().to_string();
        symlink("real.plan", folder.path("link.plan")).ok();
        assert_eq!(folder.command(&["compile", &examples, "-o", output], &[]).0, Some(0));
    }
    assert!(folder.path("link.plan").is_symlink() && folder.path("real.plan").is_file());
}

/// The manifest of a run at full speed that was killed is a document with a journal.
#[test]
fn the_manifest_of_a_run_at_full_speed_grows_by_lines() {
    let folder = Folder::new();
    let manifest = folder.path("run.json").display().to_string();
    let running = Running::start(&["--seed=7", "--rate=max", "--exporter=none", "--manifest", &manifest]);
    let read = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        Manifest::read(text.as_bytes()).map(|manifest| (manifest, text.lines().count()))
    };
    let begun = Instant::now();
    let (growing, lines) = loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not grow");
        std::thread::sleep(Duration::from_millis(20));
        // The manifest can be read at any time while it grows.
        match read(&folder.path("run.json")) {
            Ok((manifest, lines)) if manifest.eras.len() >= 5 => break (manifest, lines),
            Ok(_) => {}
            Err(e) => assert!(!folder.path("run.json").exists() || begun.elapsed() < Duration::from_secs(1), "{e}"),
        }
    };
    assert_eq!(lines, growing.eras.len(), "a line an epoch behind the document");
    assert!(growing.ended.is_none() && growing.eras.windows(2).all(|eras| eras[0].end == Some(eras[1].epoch.first)));
    Archive::open(&growing).expect("it belongs together");
    running.signal("KILL");
    running.wait();
    let killed = folder.manifest("run.json");
    let mut archive = Archive::open(&killed).expect("it belongs together");
    let last = killed.eras.last().expect("an era").epoch.first;
    assert!(archive.remake(last).is_some());
    // The last line is cut off.
    let text = fs::read(folder.path("run.json")).expect("a file");
    let cut = Manifest::read(&text[..text.len() - 10]).expect("the last line does not count");
    assert_eq!(cut.eras.len() + 1, killed.eras.len());
    // A run that ends normally leaves one document.
    let done = ["run", "--seed=7", "--rate=max", "--count=300000", "--exporter=none", "--manifest=run.json"];
    assert_eq!(folder.command(&done, &[]).0, Some(0));
    assert_eq!(fs::read_to_string(folder.path("run.json")).expect("text").lines().count(), 1);
    assert_eq!(folder.manifest("run.json").ended.expect("an end").traces, 300_000);
}
