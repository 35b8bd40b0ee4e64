//! Hashes of values, as the collector's processors make them.

use crate::trace::OwnedDatum;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha1,
    Md5,
}

impl Hash {
    /// Returns the hash of a value in hexadecimal digits. SHA-256 takes numbers and booleans as the attributes processor does,
    /// by their bytes, and makes an empty text of what has no bytes there; the others take the text of any value.
    pub fn of(self, value: &OwnedDatum) -> String {
        match (self, value) {
            (Hash::Sha256, OwnedDatum::Text(text)) => hex(&Sha256::digest(text)),
            (Hash::Sha256, OwnedDatum::Bool(v)) => hex(&Sha256::digest([u8::from(*v)])),
            (Hash::Sha256, OwnedDatum::Int(v)) => hex(&Sha256::digest(v.to_le_bytes())),
            (Hash::Sha256, OwnedDatum::Double(v)) => hex(&Sha256::digest(v.to_le_bytes())),
            (Hash::Sha256, OwnedDatum::Bytes(_) | OwnedDatum::List(_) | OwnedDatum::Map(_)) => String::new(),
            (Hash::Sha1, value) => hex(&Sha1::digest(value.as_datum().to_string())),
            (Hash::Md5, value) => hex(&Md5::digest(value.as_datum().to_string())),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_other_programs() {
        let text = OwnedDatum::Text("abc".into());
        assert_eq!(Hash::Sha256.of(&text), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Hash::Sha1.of(&text), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(Hash::Md5.of(&text), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(Hash::Md5.of(&OwnedDatum::Int(1)), "c4ca4238a0b923820dcc509a6f75849b");
        let one = "7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8";
        assert_eq!(Hash::Sha256.of(&OwnedDatum::Int(1)), one);
        assert_eq!(Hash::Sha256.of(&OwnedDatum::List(vec![])), "");
    }
}
