//! What the name of a file says of its content.

use std::io::{self, ErrorKind};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// OTLP JSON, a request a line. Batches must be JSON without line breaks.
    JsonLines,
    /// Length and protobuf.
    Protobuf,
    /// Whatever the batches hold, one after another: what a terminal shows.
    Text,
}

impl FileFormat {
    /// By the file's name, whether it is compressed or not.
    pub fn of(path: &Path) -> FileFormat {
        let path = if is_gzip(path) { path.with_extension("") } else { path.into() };
        let is_json_lines = ["jsonl", "ndjson", "json"].iter().any(|known| has_extension(&path, known));
        if is_stdout(&path) || is_json_lines { FileFormat::JsonLines } else { FileFormat::Protobuf }
    }

    /// How a file of this format begins, if it was written here; enough of it to be told from other files.
    pub fn is_begun_by(self, head: &[u8]) -> bool {
        match self {
            FileFormat::JsonLines => head.starts_with(b"{\"resource"),
            // A length below 16 MiB, and the first field of a request.
            FileFormat::Protobuf => matches!(head, [0, _, _, _, 0x0a, ..]),
            FileFormat::Text => false,
        }
    }
}

/// Whether a path names stdout.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Whether a file is compressed.
pub fn is_gzip(path: &Path) -> bool {
    has_extension(path, "gz")
}

/// Refuses what is not written here.
///
/// # Errors
/// The name promises a compression that is not written here.
pub fn check_name(path: &Path) -> io::Result<()> {
    const OTHERS: [&str; 8] = ["zst", "zstd", "xz", "bz2", "br", "lz4", "zip", "7z"];
    match OTHERS.iter().find(|other| has_extension(path, other)) {
        Some(other) => Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!("files are compressed with gzip only: write .gz in place of .{other}, or leave it out"),
        )),
        None => Ok(()),
    }
}
