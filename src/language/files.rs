//! From paths to texts: which files are read, and which `_base.yaml` applies to them.

mod fingerprint;

pub use fingerprint::Fingerprint;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::diagnostic::Problem;
use super::parallel;

/// The maximum size of a file in bytes.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// The maximum size of all files together in bytes.
pub const MAX_TOTAL_BYTES: u64 = 64 * 1024 * 1024;

/// The name of a directory's base file.
pub const BASE: &str = "_base.yaml";

/// The number of files to read for which it is worth starting a thread.
const FILES_A_THREAD: usize = 32;

/// A file, or something that is not one in its place.
pub struct Input {
    /// The name in diagnostics.
    pub name: String,
    pub text: String,
    /// The reason why the text is incomplete, and the bytes of it to point at.
    pub problem: Option<(Problem, usize, usize)>,
    pub base: bool,
    /// Whether there may be more files in the directory that were not read.
    pub is_partial: bool,
    /// The number of the directory. Files with the same number share a base.
    pub directory: usize,
    /// The directory for files that it names; `None` if it was given as a text, and no file is read.
    pub folder: Option<PathBuf>,
}

/// Reads files and the scenario files of directories, each directory's base before its files.
pub fn read(paths: &[PathBuf]) -> Vec<Input> {
    let mut reader = Reader::default();
    for path in paths {
        reader.path(path);
    }
    let total = AtomicU64::new(reader.total);
    let whole = &reader.whole;
    parallel::map(&reader.found, reader.found.len() / FILES_A_THREAD, |_, found| Input {
        is_partial: !whole.contains(&found.directory),
        ..found.read(&total)
    })
}

/// Reads one file, whatever its name is, and no base for it.
pub fn one(path: &Path) -> Input {
    let mut reader = Reader::default();
    let room = reader.room(path);
    let name = path.display().to_string();
    let found = Found { path: path.to_owned(), name, room, base: false, directory: 0 };
    Input { is_partial: false, ..found.read(&AtomicU64::new(reader.total)) }
}

/// A file that is still to be read.
struct Found {
    path: PathBuf,
    name: String,
    /// The amount that may be read, or the reason why nothing may be.
    room: Result<Room, Problem>,
    base: bool,
    directory: usize,
}

/// The amount that the limits leave to a file.
#[derive(Clone, Copy)]
struct Room {
    left: u64,
    /// Whether it is set by the limit on all files together.
    all: bool,
    /// The size of the file when it was found.
    length: u64,
}

impl Room {
    fn check(self, bytes: u64) -> Result<(), Problem> {
        let Room { left, all, .. } = self;
        let (limit, before) = if all { (MAX_TOTAL_BYTES, MAX_TOTAL_BYTES - left) } else { (MAX_FILE_BYTES, 0) };
        if bytes > left { Err(Problem::TooLarge { bytes: before + bytes, limit, all }) } else { Ok(()) }
    }
}

impl Found {
    /// Reads the file. `total` is the size of all files, as it was when they were found.
    fn read(&self, total: &AtomicU64) -> Input {
        let Found { base, directory, .. } = *self;
        let name = self.name.clone();
        match self.room.clone().and_then(|room| self.bytes(room, total)) {
            Ok(bytes) => {
                let folder = Some(self.path.parent().map_or_else(PathBuf::new, Path::to_owned));
                Input { base, directory, folder, ..text(name, bytes) }
            }
            Err(problem) => Input { base, directory, problem: Some((problem, 0, 0)), ..text(name, vec![]) },
        }
    }

    /// Reads at most as much as there is room for, in case the file has grown, or has no known size.
    fn bytes(&self, room: Room, total: &AtomicU64) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::with_capacity(room.length as usize + 1);
        let file = fs::File::open(&self.path).map_err(unreadable)?;
        file.take(room.left + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let read = bytes.len() as u64;
        room.check(read)?;
        let grown = read.saturating_sub(room.length);
        let total = total.fetch_add(grown, Ordering::Relaxed) + grown;
        if grown > 0 && total > MAX_TOTAL_BYTES {
            return Err(Problem::TooLarge { bytes: total, limit: MAX_TOTAL_BYTES, all: true });
        }
        Ok(bytes)
    }
}

#[derive(Default)]
struct Reader {
    found: Vec<Found>,
    directories: HashMap<PathBuf, usize>,
    /// The directories that are read as a whole.
    whole: HashSet<usize>,
    seen: HashSet<PathBuf>,
    total: u64,
}

impl Reader {
    fn path(&mut self, path: &Path) {
        match fs::metadata(path) {
            Err(error) => self.broken(path, unreadable(error)),
            Ok(found) if found.is_dir() => self.directory(path),
            Ok(_) if path.file_name().is_some_and(|name| name == BASE) => {
                self.broken(path, Problem::NotAScenarioFile { name: BASE.into() });
            }
            Ok(_) => {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let directory = self.base(parent.unwrap_or(Path::new(".")), parent.is_some());
                self.file(path, directory, false);
            }
        }
    }

    fn directory(&mut self, path: &Path) {
        let entries = match fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>()) {
            Ok(entries) => entries,
            Err(error) => return self.broken(path, unreadable(error)),
        };
        let mut files: Vec<_> = entries.into_iter().map(|entry| (entry.file_name(), entry)).collect();
        files.sort_by(|(a, _), (b, _)| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
        files.retain(|(name, entry)| {
            let hidden = name.as_encoded_bytes().starts_with(b"_") || name.as_encoded_bytes().starts_with(b".");
            let yaml = Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            // Subdirectories are not read, whatever their names are.
            !hidden
                && yaml
                && !(entry.file_type().is_ok_and(|kind| kind.is_dir()) || is_link(entry) && entry.path().is_dir())
        });
        if files.is_empty() {
            return self.broken(path, Problem::NoFiles);
        }
        let directory = self.base(path, true);
        self.whole.insert(directory);
        let whole = fs::canonicalize(path).ok();
        for (name, entry) in files {
            // Asking for the type of each entry takes longer than reading it.
            let key = whole.as_ref().filter(|_| !is_link(&entry)).map(|whole| whole.join(name));
            self.file_with_key(&entry.path(), key, directory, false);
        }
    }

    /// Returns the number of a directory, whose base file is read when it is first seen.
    fn base(&mut self, path: &Path, shown: bool) -> usize {
        let key = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(&directory) = self.directories.get(&key) {
            return directory;
        }
        let directory = self.directories.len();
        self.directories.insert(key, directory);
        let base = if shown { path.join(BASE) } else { PathBuf::from(BASE) };
        // A link to nowhere exists, and is an error, so `exists` is not used.
        if fs::symlink_metadata(&base).is_ok() {
            self.file(&base, directory, true);
        }
        directory
    }

    fn file(&mut self, path: &Path, directory: usize, base: bool) {
        self.file_with_key(path, None, directory, base);
    }

    /// Adds a file. `key` is its own path through no link, if that is known.
    fn file_with_key(&mut self, path: &Path, key: Option<PathBuf>, directory: usize, base: bool) {
        let key = key.unwrap_or_else(|| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
        if !self.seen.insert(key) {
            return;
        }
        // The name as editors and annotations use it.
        let name = path.strip_prefix(".").unwrap_or(path).display().to_string();
        let room = self.room(path);
        self.found.push(Found { path: path.to_owned(), name, room, base, directory });
    }

    /// Returns how much of a file may be read. Files that could block are not even opened.
    fn room(&mut self, path: &Path) -> Result<Room, Problem> {
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Problem::NotAFile { subject: what(&metadata) });
        }
        let (left, length) = (MAX_TOTAL_BYTES.saturating_sub(self.total), metadata.len());
        let room = Room { left: left.min(MAX_FILE_BYTES), all: left < MAX_FILE_BYTES, length };
        room.check(length)?;
        self.total += length;
        Ok(room)
    }

    fn broken(&mut self, path: &Path, problem: Problem) {
        let name = path.display().to_string();
        self.found.push(Found { path: path.into(), name, room: Err(problem), base: false, directory: usize::MAX });
    }
}

/// Converts a file's bytes to its text. If it is not UTF-8, the place is reported, and the text ends with that line.
pub fn text(name: String, bytes: Vec<u8>) -> Input {
    let (text, problem) = match String::from_utf8(bytes) {
        Ok(text) => {
            let problem = forbidden(&text)
                .map(|(at, character)| (Problem::ControlCharacter { character }, at, at + character.len_utf8()));
            (text, problem)
        }
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let line = bytes[start..].iter().position(|&b| b == b'\n').unwrap_or(bytes.len() - start);
            let text = String::from_utf8_lossy(&bytes[..start + line]).into_owned();
            let end = start + char::REPLACEMENT_CHARACTER.len_utf8();
            (text, Some((Problem::NotUtf8, start, end)))
        }
    };
    Input { name, text, problem, base: false, is_partial: false, directory: 0, folder: None }
}

/// Returns the first character that is not [`c-printable`](https://yaml.org/spec/1.2.2/#51-character-set).
fn forbidden(text: &str) -> Option<(usize, char)> {
    // Each block is checked as a whole, without branches.
    let plain = |block: &[u8]| block.iter().fold(true, |plain, b| plain & matches!(b, b'\n' | b' '..=b'~'));
    if text.as_bytes().chunks(256).all(plain) {
        return None;
    }
    text.char_indices().find(|(_, c)| {
        !matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}'
            | '\u{10000}'..='\u{10FFFF}')
    })
}

fn is_link(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_symlink())
}

fn unreadable(error: io::Error) -> Problem {
    Problem::Unreadable { reason: reason(&error) }
}

/// Returns the reason why a file can't be read, in words.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// Returns what a path is, in words, if it is not a file.
#[cfg(unix)]
pub fn what(metadata: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Returns what a path is, in words, if it is not a file.
#[cfg(not(unix))]
pub fn what(metadata: &fs::Metadata) -> &'static str {
    if metadata.is_dir() { "a directory" } else { "a device" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_longer_than_they_said_are_within_the_limits_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "name: a\n").unwrap();
        let read = |length, left, all, total| {
            let room = Ok(Room { left, all, length });
            let found = Found { path: path.clone(), name: "a.yaml".into(), room, base: false, directory: 0 };
            found.read(&AtomicU64::new(total)).problem.map(|(problem, ..)| problem)
        };
        let beyond = |bytes, limit, all| Some(Problem::TooLarge { bytes, limit, all });
        assert_eq!(read(8, 8, false, MAX_TOTAL_BYTES), None);
        assert_eq!(read(0, 8, false, MAX_TOTAL_BYTES - 8), None);
        assert_eq!(read(0, 8, false, MAX_TOTAL_BYTES - 7), beyond(MAX_TOTAL_BYTES + 1, MAX_TOTAL_BYTES, true));
        assert_eq!(read(0, 7, true, 0), beyond(MAX_TOTAL_BYTES + 1, MAX_TOTAL_BYTES, true));
        assert_eq!(read(0, 7, false, 0), beyond(8, MAX_FILE_BYTES, false));
    }
}
