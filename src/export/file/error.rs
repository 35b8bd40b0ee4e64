//! Errors of writing to a file.

use super::format::is_stdout;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The error for a file that can't be written.
#[derive(Debug)]
pub struct FileError {
    pub path: PathBuf,
    pub error: io::Error,
}

impl FileError {
    /// Reports whether the request was at fault, for example to overwrite a file, rather than the system.
    pub fn is_misuse(&self) -> bool {
        matches!(self.error.kind(), ErrorKind::AlreadyExists | ErrorKind::ResourceBusy | ErrorKind::InvalidInput)
    }

    /// Reports whether the reader of the output has gone, which is an end rather than an error.
    pub fn is_broken_pipe(&self) -> bool {
        self.error.kind() == io::ErrorKind::BrokenPipe
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if is_stdout(&self.path) { "stdout".into() } else { self.path.display().to_string() };
        let help = match self.error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                "; the file ends in the middle of a request"
            }
            ErrorKind::NotFound
                if self.path.parent().is_some_and(|folder| folder.is_dir() || folder == Path::new("")) =>
            {
                "; the file that was to be continued is not there"
            }
            ErrorKind::NotFound => "; its directory must exist",
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
