//! gzip (RFC 1952), as OTLP uses it.

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use std::io::{self, Read, Write};

/// Compresses a body at level 1. Level 6 takes 3 to 10 times the processor time and reduces the size by a tenth.
pub(super) fn compress(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 6), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("writing to memory does not fail").into()
}

/// The first bytes of a gzip stream.
pub(super) const MAGIC: &[u8] = b"\x1f\x8b";

/// Makes a stream that compresses what is written to it, at the same level as [`compress`].
pub(super) fn stream<W: Write>(writer: W) -> GzEncoder<W> {
    GzEncoder::new(writer, Compression::fast())
}

/// Decompresses a body, and returns at most its first `max_bytes` bytes.
///
/// # Errors
/// The body is not gzip.
pub(super) fn decompress(body: &[u8], max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut plain = vec![];
    GzDecoder::new(body).take(max_bytes as u64).read_to_end(&mut plain)?;
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
