//! Batches into a file or to stdout, in order.
//!
//! A name that ends in `.jsonl`, and stdout, hold OTLP JSON, a request a line; any other file holds protobuf, a request
//! after its length in 4 bytes, big-endian: both as the OpenTelemetry Collector's file exporter writes them.

use super::Batch;
use std::{
    fmt,
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

const BUFFER_BYTES: usize = 256 * 1024;

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
    /// By the file's name.
    pub fn of(path: &Path) -> FileFormat {
        let is_json_lines = is_stdout(path) || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl"));
        if is_json_lines { FileFormat::JsonLines } else { FileFormat::Protobuf }
    }
}

/// Writes batches in the order they come.
pub struct FileSink {
    path: PathBuf,
    format: FileFormat,
    to: BufWriter<Box<dyn Write + Send>>,
    bytes: u64,
}

/// Writing failed.
#[derive(Debug)]
pub struct FileError {
    pub path: PathBuf,
    pub error: io::Error,
}

impl FileError {
    /// Whoever read our output has gone: an end, not a mistake.
    pub fn is_broken_pipe(&self) -> bool {
        self.error.kind() == io::ErrorKind::BrokenPipe
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if is_stdout(&self.path) { "stdout".into() } else { self.path.display().to_string() };
        let help = match self.error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; the file ends in the middle of a request",
            io::ErrorKind::NotFound => "; its directory must exist",
            _ => "",
        };
        write!(f, "can't write {name}: {}{help}", self.error)
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

impl FileSink {
    /// Create the file, or empty it; `-` is stdout.
    ///
    /// # Errors
    /// It can't be created or written.
    pub fn create(path: &Path) -> Result<FileSink, FileError> {
        FileSink::create_as(path, FileFormat::of(path))
    }

    /// The same in a format that the name does not tell.
    ///
    /// # Errors
    /// As [`FileSink::create`].
    pub fn create_as(path: &Path, format: FileFormat) -> Result<FileSink, FileError> {
        FileSink::open(path, format, OpenOptions::new().write(true).create(true).truncate(true))
    }

    /// Go on behind what is in the file, if there is one.
    ///
    /// # Errors
    /// As [`FileSink::create`].
    pub fn append(path: &Path) -> Result<FileSink, FileError> {
        FileSink::open(path, FileFormat::of(path), OpenOptions::new().append(true).create(true))
    }

    fn open(path: &Path, format: FileFormat, options: &OpenOptions) -> Result<FileSink, FileError> {
        let to: Box<dyn Write + Send> = if is_stdout(path) {
            Box::new(io::stdout())
        } else {
            Box::new(options.open(path).map_err(|error| FileError { path: path.into(), error })?)
        };
        Ok(FileSink { path: path.into(), format, to: BufWriter::with_capacity(BUFFER_BYTES, to), bytes: 0 })
    }

    /// How batches must be encoded.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// # Errors
    /// The system's, among them a body too long for its length to be written (4 GiB).
    pub fn write(&mut self, batch: &Batch) -> Result<(), FileError> {
        let written = self.put(&batch.body);
        self.bytes += written.map_err(|error| FileError { path: self.path.clone(), error })?;
        Ok(())
    }

    fn put(&mut self, body: &[u8]) -> io::Result<u64> {
        match self.format {
            FileFormat::JsonLines => {
                self.to.write_all(body)?;
                self.to.write_all(b"\n")?;
                Ok(body.len() as u64 + 1)
            }
            FileFormat::Text => {
                self.to.write_all(body)?;
                Ok(body.len() as u64)
            }
            FileFormat::Protobuf => {
                let length = u32::try_from(body.len()).map_err(|_| io::Error::other("a request of 4 GiB or more"))?;
                self.to.write_all(&length.to_be_bytes())?;
                self.to.write_all(body)?;
                Ok(body.len() as u64 + 4)
            }
        }
    }

    /// Write what is buffered, so that a reader of stdout sees it.
    ///
    /// # Errors
    /// The system's.
    pub fn flush(&mut self) -> Result<(), FileError> {
        self.to.flush().map_err(|error| FileError { path: self.path.clone(), error })
    }

    /// Write what is left; returns the bytes written.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(mut self) -> Result<u64, FileError> {
        self.flush()?;
        Ok(self.bytes)
    }
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
        let mut sink = FileSink::create(&path).unwrap();
        for body in bodies {
            sink.write(&batch(body)).unwrap();
        }
        (sink.finish().unwrap(), std::fs::read(path).unwrap())
    }

    #[test]
    fn json_lines_by_name() {
        assert_eq!(written("a.jsonl", &[b"{}", b"{\"a\":1}"]), (11, b"{}\n{\"a\":1}\n".to_vec()));
    }

    #[test]
    fn length_and_protobuf_otherwise() {
        assert_eq!(written("a.bin", &[b"ab", b"c"]), (11, b"\0\0\0\x02ab\0\0\0\x01c".to_vec()));
        assert_eq!(FileFormat::of(Path::new("-")), FileFormat::JsonLines);
        assert_eq!(FileFormat::of(Path::new("a.json")), FileFormat::Protobuf);
    }

    #[test]
    fn a_file_can_be_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        for body in [b"{}", b"[]"] {
            let mut sink = FileSink::append(&path).unwrap();
            sink.write(&batch(body)).unwrap();
            assert_eq!(sink.finish().unwrap(), 3);
        }
        assert_eq!(std::fs::read(path).unwrap(), b"{}\n[]\n");
    }

    #[test]
    fn errors_name_the_file() {
        let error = FileSink::create(Path::new("no/such/folder/a.bin")).err().unwrap().to_string();
        assert!(error.starts_with("can't write no/such/folder/a.bin: ") && error.contains("must exist"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said() {
        let mut sink = FileSink::create(Path::new("/dev/full")).unwrap();
        sink.write(&batch(b"x")).unwrap();
        let error = sink.finish().unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_reader_that_leaves_is_no_mistake() {
        use std::os::fd::AsRawFd;
        let (reader, writer) = io::pipe().unwrap();
        let mut sink = FileSink::create(Path::new(&format!("/proc/self/fd/{}", writer.as_raw_fd()))).unwrap();
        drop(reader);
        sink.write(&batch(b"x")).unwrap();
        assert!(sink.finish().unwrap_err().is_broken_pipe());
    }
}
