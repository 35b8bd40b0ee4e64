//! Plan files.

use super::Program;
use sha2::{Digest, Sha256};
use std::io;

/// SHA-256 over a program's canonical bytes.
pub(super) fn digest(program: &Program) -> [u8; 32] {
    let mut hash = Hash(Sha256::new());
    serde_json::to_writer(&mut hash, program).expect("a program has no map keys, and hashing never fails");
    hash.0.finalize().into()
}

struct Hash(Sha256);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
