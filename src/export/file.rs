//! Output of batches to a file or to stdout, in order.
//!
//! A file whose name ends in `.jsonl`, `.ndjson` or `.json`, and stdout, hold OTLP JSON, a request a line. Any other file
//! holds protobuf, each request after its length in 4 bytes, big-endian. Both are as the OpenTelemetry Collector's file
//! exporter writes them. A further `.gz` means a gzip stream of either.

mod error;
mod format;

pub use error::FileError;
pub use format::FileFormat;

use super::{Batch, gzip};
use crate::disk;
use flate2::write::GzEncoder;
use format::{check_name, is_gzip, is_stdout};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const BUFFER_BYTES: usize = 256 * 1024;

/// What to do with an existing file that is not empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Leave the file as it is, and report an error.
    #[default]
    Kept,
    /// Replace the file.
    Overwritten,
    /// Append to the file, which must exist.
    Continued,
}

/// A writer of batches, in the order in which they come.
pub struct FileSink {
    path: PathBuf,
    format: FileFormat,
    stream: Stream,
    /// The number of bytes written, before compression.
    bytes: u64,
}

enum Stream {
    Plain(BufWriter<Box<dyn Write + Send>>),
    Gzip(Box<GzEncoder<BufWriter<Box<dyn Write + Send>>>>),
}

impl Stream {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Gzip(stream) => stream,
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Stream::Plain(mut stream) => stream.flush(),
            Stream::Gzip(stream) => stream.finish()?.flush(),
        }
    }
}

impl FileSink {
    /// Opens the file in the format that its name tells; `-` is stdout.
    ///
    /// # Errors
    /// The file can't be created or written. Or the request is a misuse, see [`FileError::is_misuse`]: the file is not
    /// empty and must be kept, its content can't be continued, another process writes it, or its name promises a format
    /// that is not supported.
    pub fn open(path: &Path, existing: Existing) -> Result<FileSink, FileError> {
        let opened = check_name(path).and_then(|()| match is_stdout(path) {
            true => Ok(Box::new(io::stdout()) as Box<dyn Write + Send>),
            false => Ok(Box::new(open(path, existing)?)),
        });
        let stream =
            BufWriter::with_capacity(BUFFER_BYTES, opened.map_err(|error| FileError { path: path.into(), error })?);
        let stream = if is_gzip(path) { Stream::Gzip(Box::new(gzip::stream(stream))) } else { Stream::Plain(stream) };
        Ok(FileSink { path: path.into(), format: FileFormat::of(path), stream, bytes: 0 })
    }

    /// Makes a writer to stdout for text that people read.
    pub fn terminal() -> FileSink {
        let stream: Box<dyn Write + Send> = Box::new(io::stdout());
        let stream = Stream::Plain(BufWriter::with_capacity(BUFFER_BYTES, stream));
        FileSink { path: "-".into(), format: FileFormat::Text, stream, bytes: 0 }
    }

    /// Returns the format in which batches must be encoded.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// The system reports an error, or the body is too long for its length to be written (4 GiB).
    pub fn write(&mut self, batch: &Batch) -> Result<(), FileError> {
        let written = self.put(&batch.body);
        self.bytes += written.map_err(|error| FileError { path: self.path.clone(), error })?;
        Ok(())
    }

    fn put(&mut self, body: &[u8]) -> io::Result<u64> {
        let stream = self.stream.writer();
        match self.format {
            FileFormat::JsonLines => {
                stream.write_all(body)?;
                stream.write_all(b"\n")?;
                Ok(body.len() as u64 + 1)
            }
            FileFormat::Text => {
                stream.write_all(body)?;
                Ok(body.len() as u64)
            }
            FileFormat::Protobuf => {
                let length = u32::try_from(body.len()).map_err(|_| io::Error::other("a request of 4 GiB or more"))?;
                stream.write_all(&length.to_be_bytes())?;
                stream.write_all(body)?;
                Ok(body.len() as u64 + 4)
            }
        }
    }

    /// Writes out all buffered bytes, so that a reader of stdout sees them.
    ///
    /// # Errors
    /// The system reports an error.
    pub fn flush(&mut self) -> Result<(), FileError> {
        self.stream.writer().flush().map_err(|error| FileError { path: self.path.clone(), error })
    }

    /// Closes the file, and returns the number of bytes written, before compression.
    ///
    /// # Errors
    /// The system reports an error.
    pub fn finish(self) -> Result<u64, FileError> {
        let FileSink { path, stream, bytes, .. } = self;
        stream.finish().map_err(|error| FileError { path, error })?;
        Ok(bytes)
    }
}

/// Opens a file. A regular file is locked; anything else is written as it is.
fn open(path: &Path, existing: Existing) -> io::Result<File> {
    let continued = existing == Existing::Continued;
    // A pipe that is opened for reading too would never report that its reader has gone.
    let reads = continued && fs::metadata(path).is_ok_and(|found| found.is_file());
    let mut file = OpenOptions::new().read(reads).write(true).truncate(false).create(!continued).open(path)?;
    if !disk::is_regular(&file)? {
        return Ok(file);
    }
    disk::lock(&file)?;
    let length = file.metadata()?.len();
    match existing {
        Existing::Kept if length > 0 => {
            let problem = "it exists already; --force overwrites it";
            return Err(io::Error::new(ErrorKind::AlreadyExists, problem));
        }
        Existing::Kept => {}
        Existing::Overwritten => file.set_len(0)?,
        Existing::Continued => {
            check_head(&mut file, path, length)?;
            file.seek(SeekFrom::End(0))?;
        }
    }
    Ok(file)
}

/// Checks that the file's content is of the format that its name tells.
///
/// # Errors
/// The content is not traces in this format.
fn check_head(file: &mut File, path: &Path, length: u64) -> io::Result<()> {
    let mut head = [0; 10];
    let head = &mut head[..length.min(10) as usize];
    file.read_exact(head)?;
    let known = if is_gzip(path) { head.starts_with(gzip::MAGIC) } else { FileFormat::of(path).is_begun_by(head) };
    if known || length == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        ErrorKind::InvalidInput,
        "its content is not traces in the format that its name tells, so it is not continued",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(body: &[u8]) -> Batch {
        Batch { body: body.to_vec(), spans: 1, traces: 1 }
    }

    fn written(name: &str, bodies: &[&[u8]]) -> (u64, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, "what was there before, and longer than what comes").unwrap();
        let mut sink = FileSink::open(&path, Existing::Overwritten).unwrap();
        for body in bodies {
            sink.write(&batch(body)).unwrap();
        }
        (sink.finish().unwrap(), std::fs::read(path).unwrap())
    }

    fn kind(opened: Result<FileSink, FileError>) -> ErrorKind {
        let error = opened.err().expect("an error");
        assert!(error.is_misuse(), "{error}");
        error.error.kind()
    }

    #[test]
    fn json_lines_by_name() {
        for name in ["a.jsonl", "a.ndjson", "a.JSON"] {
            assert_eq!(written(name, &[b"{}", b"{\"a\":1}"]), (11, b"{}\n{\"a\":1}\n".to_vec()));
        }
    }

    #[test]
    fn length_and_protobuf_otherwise() {
        assert_eq!(written("a.bin", &[b"ab", b"c"]), (11, b"\0\0\0\x02ab\0\0\0\x01c".to_vec()));
        assert_eq!(FileFormat::of(Path::new("-")), FileFormat::JsonLines);
        assert_eq!(FileFormat::of(Path::new("jsonl")), FileFormat::Protobuf);
    }

    #[test]
    fn a_file_named_as_compressed_is_compressed() {
        for (name, plain) in [("a.jsonl.gz", &b"{}\n"[..]), ("a.bin.gz", b"\0\0\0\x02{}"), ("a.gz", b"\0\0\0\x02{}")] {
            let (bytes, packed) = written(name, &[b"{}"]);
            assert_eq!(bytes, plain.len() as u64);
            assert_eq!(gzip::decompress(&packed, 100).unwrap(), plain, "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.jsonl.zst", "a.xz", "a.bin.ZIP"] {
            let path = folder.path().join(name);
            assert_eq!(kind(FileSink::open(&path, Existing::Kept)), ErrorKind::InvalidInput);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_file_can_be_continued() {
        for (name, plain) in [("a.jsonl", true), ("a.jsonl.gz", false)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            assert!(FileSink::open(&path, Existing::Continued).is_err(), "it is not there");
            for existing in [Existing::Kept, Existing::Continued] {
                let mut sink = FileSink::open(&path, existing).unwrap();
                sink.write(&batch(br#"{"resourceSpans":[]}"#)).unwrap();
                assert_eq!(sink.finish().unwrap(), 21);
            }
            let bytes = std::fs::read(path).unwrap();
            let mut text = String::new();
            flate2::read::MultiGzDecoder::new(&*bytes).read_to_string(&mut text).ok();
            let text = if plain { String::from_utf8(bytes).unwrap() } else { text };
            assert_eq!(text, "{\"resourceSpans\":[]}\n".repeat(2));
        }
    }

    #[test]
    fn the_content_of_a_file_is_not_lost_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, "").unwrap();
        drop(FileSink::open(&path, Existing::Kept).expect("an empty file holds nothing"));
        std::fs::write(&path, "export PATH=/bin\n").unwrap();
        for existing in [Existing::Kept, Existing::Continued] {
            let expected = if existing == Existing::Kept { ErrorKind::AlreadyExists } else { ErrorKind::InvalidInput };
            assert_eq!(kind(FileSink::open(&path, existing)), expected);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "export PATH=/bin\n");
        }
        let first = FileSink::open(&path, Existing::Overwritten).unwrap();
        assert_eq!(kind(FileSink::open(&path, Existing::Overwritten)), ErrorKind::ResourceBusy, "two at once");
        drop(first);
    }

    #[test]
    fn errors_name_the_file() {
        let error = FileSink::open(Path::new("no/such/folder/a.bin"), Existing::Kept).err().unwrap().to_string();
        assert!(error.starts_with("can't write no/such/folder/a.bin: ") && error.contains("must exist"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported() {
        let mut sink = FileSink::open(Path::new("/dev/full"), Existing::Kept).unwrap();
        sink.write(&batch(b"x")).unwrap();
        let error = sink.finish().unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_reader_that_leaves_is_not_an_error() {
        use std::os::fd::AsRawFd;
        let (reader, writer) = io::pipe().unwrap();
        let mut sink =
            FileSink::open(Path::new(&format!("/proc/self/fd/{}", writer.as_raw_fd())), Existing::Kept).unwrap();
        drop(reader);
        sink.write(&batch(b"x")).unwrap();
        assert!(sink.finish().unwrap_err().is_broken_pipe());
    }
}
