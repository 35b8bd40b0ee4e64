//! The meaning of a file's name for its format.

use std::io::{self, ErrorKind};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// OTLP JSON, a request a line. Batches must be JSON without line breaks.
    JsonLines,
    /// Protobuf requests, each after its length.
    Protobuf,
    /// The bodies of the batches, one after another, as shown on a terminal.
    Text,
}

impl FileFormat {
    /// Returns the format that the file's name tells, compressed or not.
    pub fn of(path: &Path) -> FileFormat {
        let path = if is_gzip(path) { path.with_extension("") } else { path.into() };
        let is_json_lines = ["jsonl", "ndjson", "json"].iter().any(|known| has_extension(&path, known));
        if is_stdout(&path) || is_json_lines { FileFormat::JsonLines } else { FileFormat::Protobuf }
    }

    /// Reports whether `head` is the beginning of a file of this format; it is long enough to exclude other files.
    pub fn is_begun_by(self, head: &[u8]) -> bool {
        match self {
            FileFormat::JsonLines => head.starts_with(b"{\"resource"),
            // A length below 16 MiB and the first field of a request.
            FileFormat::Protobuf => matches!(head, [0, _, _, _, 0x0a, ..]),
            FileFormat::Text => false,
        }
    }
}

/// Reports whether a path names stdout.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Reports whether a file is compressed with gzip.
pub fn is_gzip(path: &Path) -> bool {
    has_extension(path, "gz")
}

/// Checks that the name does not promise an unsupported compression.
///
/// # Errors
/// The name has the extension of another compression than gzip.
pub fn check_name(path: &Path) -> io::Result<()> {
    const OTHERS: [&str; 8] = ["zst", "zstd", "xz", "bz2", "br", "lz4", "zip", "7z"];
    match OTHERS.iter().find(|extension| has_extension(path, extension)) {
        Some(extension) => Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!("files are compressed with gzip only: write .gz in place of .{extension}, or leave it out"),
        )),
        None => Ok(()),
    }
}
