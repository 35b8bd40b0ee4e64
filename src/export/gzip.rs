//! gzip (RFC 1952), as OTLP uses it.

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use std::io::{self, Read, Write};

/// At level 1: level 6 costs 3 to 10 times the processor time for a tenth off the size.
pub(super) fn compress(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 6), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("writing to memory does not fail").into()
}

/// How a gzip stream begins.
pub(super) const MAGIC: &[u8] = b"\x1f\x8b";

/// A stream that compresses what is written to it, as [`compress`] does.
pub(super) fn stream<W: Write>(to: W) -> GzEncoder<W> {
    GzEncoder::new(to, Compression::fast())
}

/// The first `most` bytes of what was compressed.
///
/// # Errors
/// It is not gzip.
pub(super) fn decompress(body: &[u8], most: usize) -> io::Result<Vec<u8>> {
    let mut plain = vec![];
    GzDecoder::new(body).take(most as u64).read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_comes_back_bounded() {
        let body = vec![b'a'; 100_000];
        let compressed = compress(&body);
        assert!(compressed.len() < 2_000);
        assert_eq!(decompress(&compressed, 1 << 20).unwrap(), body);
        assert_eq!(decompress(&compressed, 10).unwrap(), b"aaaaaaaaaa");
        assert!(decompress(b"no", 10).is_err());
    }
}
