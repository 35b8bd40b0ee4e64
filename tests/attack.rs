//! The attacks of `scripts/attack.py`, which measures the memory and time of whole processes. `make attack` runs them with
//! a release build, `make test-long` with the build for long tests.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "takes minutes"]
fn every_attack_stays_within_its_bounds() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/attack.py");
    match Command::new(script).arg(env!("CARGO_BIN_EXE_tracegen")).status() {
        Ok(status) => assert!(status.success(), "see the table"),
        Err(error) if std::env::var_os("CI").is_none() => println!("skipped, no Python: {error}"),
        Err(error) => panic!("no Python: {error}"),
    }
}
