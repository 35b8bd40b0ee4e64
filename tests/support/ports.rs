//! Ports for processes that a test starts, and starts again.
//!
//! They are below the range that the system assigns to clients, because such a port could be taken when it is needed. A
//! range is locked for as long as this process lives, so no other test uses it meanwhile.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};

const FIRST: u16 = 10_000;
const RANGE: u16 = 10;
const RANGES: u16 = 2_000;

/// Returns consecutive ports that are not in use.
pub fn free<const N: usize>() -> [u16; N] {
    assert!(N <= RANGE as usize);
    let folder = std::env::temp_dir().join("tracegen-test-ports");
    std::fs::create_dir_all(&folder).expect("a folder");
    let begin = std::process::id().wrapping_mul(97) as u16 % RANGES;
    for range in (0..RANGES).map(|i| (begin + i) % RANGES) {
        // The file of another user can't be locked by this one, and counts as locked.
        let Ok(file) = File::create(folder.join(range.to_string())) else { continue };
        let first = FIRST + range * RANGE;
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if file.try_lock().is_ok() && (first..first + RANGE).all(is_free) {
            std::mem::forget(file);
            return std::array::from_fn(|i| first + i as u16);
        }
    }
    panic!("no free ports");
}
