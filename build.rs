//! Sets `TRACEGEN_VERSION`, which `tracegen --version` shows: in a release build with the commit and its date, as rustc has them.
//! A debug build leaves them out: it need not be made anew because of a commit.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=TRACEGEN_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // Where there is no repository, as in an image's build, the variable says what would stand in it.
    let given = env::var("TRACEGEN_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| release.then(commit).flatten());
    println!("cargo:rustc-env=TRACEGEN_VERSION={}", commit.map_or(version.clone(), |it| format!("{version} ({it})")));
}

/// `3f9c2a71b 2026-11-22`, with a `+` behind the commit if something in the checkout differs from it. `None`: this is no
/// checkout of git (what is unpacked inside another project's is none).
fn commit() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // What a commit, a checkout and an edit change.
    for changed in
        [git(&["rev-parse", "--git-path", "logs/HEAD"])?.as_str(), "src", "grammar", "scenarios", "Cargo.toml"]
    {
        println!("cargo:rerun-if-changed={changed}");
    }
    let commit = git(&["show", "--no-patch", "--format=%h %cs", "--abbrev=9", "HEAD"])?;
    let (hash, date) = commit.split_once(' ')?;
    let edited = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(format!("{hash}{} {date}", if edited { "+" } else { "" }))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
