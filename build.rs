//! Sets `TRACEGEN_VERSION`, which `tracegen --version` shows. In a release build it contains the commit and its date, in
//! rustc's form. A debug build leaves them out, so that a commit does not cause a rebuild.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=TRACEGEN_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // Without a repository, as in the build of an image, the variable contains the commit.
    let given = env::var("TRACEGEN_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| release.then(commit).flatten());
    println!("cargo:rustc-env=TRACEGEN_VERSION={}", commit.map_or(version.clone(), |it| format!("{version} ({it})")));
}

/// Returns a text such as `3f9c2a71b 2026-11-22`, with a `+` behind the commit if the checkout has changes, or `None` if
/// this is not a git checkout (a copy unpacked inside another checkout is not one).
fn commit() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // Files that a commit, a checkout or an edit changes.
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
