//! Decompression of streams: gzip and zstd are recognized by their first bytes.

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, BufReader, Read};

const BUFFER: usize = 1 << 20;
const GZIP: &[u8] = b"\x1f\x8b";
pub const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// The largest window of a zstd frame in bytes. The zstd tool does not write larger ones unless it is asked to.
const MOST_WINDOW: u64 = 8 << 20;

/// A stream without its compression.
pub struct Inflated<'a> {
    pub stream: Box<dyn BufRead + 'a>,
    /// The stream was compressed.
    pub packed: bool,
}

/// Decompresses a stream if it is compressed.
///
/// # Errors
/// The beginning of the stream can't be read.
pub fn inflated<'a>(stream: impl Read + 'a) -> io::Result<Inflated<'a>> {
    // A pipe may return the first bytes one by one.
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    let mut head = vec![];
    stream.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let is = |magic: &[u8]| head.starts_with(magic);
    let (gzip, zstd) = (is(GZIP), is(ZSTD));
    let whole = io::Cursor::new(head).chain(stream);
    let stream: Box<dyn BufRead + 'a> = if gzip {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole)))
    } else if zstd {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_WINDOW);
        Box::new(BufReader::with_capacity(BUFFER, Zstd { stream: whole, decoder, inside: false }))
    } else {
        Box::new(whole)
    };
    Ok(Inflated { stream, packed: gzip || zstd })
}

/// A reader of consecutive zstd frames.
struct Zstd<R> {
    stream: R,
    decoder: FrameDecoder,
    /// The stream is inside of a frame.
    inside: bool,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            while self.inside {
                let n = self.decoder.read(to)?;
                if n > 0 || to.is_empty() {
                    return Ok(n);
                }
                self.inside = !self.decoder.is_finished();
                if self.inside {
                    self.decoder
                        .decode_blocks(&mut self.stream, BlockDecodingStrategy::UptoBlocks(1))
                        .map_err(damaged)?;
                }
            }
            if self.stream.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.decoder.init(&mut self.stream) {
                Ok(()) => self.inside = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.stream.by_ref().take(length as u64), &mut io::sink())?;
                }
                Err(error) => return Err(damaged(error)),
            }
        }
    }
}

fn damaged(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
