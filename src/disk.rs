//! Files that tracegen writes: as a whole or not at all, and by one process at a time.
//!
//! A path may lead to anything. Anything but a regular file (`/dev/null`, a FIFO, a terminal) is written in place, never
//! replaced and never locked. For a symbolic link, the file that it leads to is replaced, and the link stays.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The maximum number of symbolic links that are followed from one path (the same as on Linux).
const MOST_LINKS: usize = 40;

/// Replaces the content of a file by what `write` writes, all at once: concurrent readers see either the whole old or the
/// whole new content.
///
/// # Errors
/// The system reports an error; the file is then unchanged, or does not exist if it did not before.
/// [`ErrorKind::ResourceBusy`] means that another process writes the file.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    Claim::new(path)?.replace(write)
}

/// A file that no other tracegen process writes while this claim exists.
pub struct Claim {
    /// The path with all links followed.
    path: PathBuf,
    /// The file, opened at its end, and locked if it is a regular file.
    file: File,
    regular: bool,
    /// The file was created for this claim, and nothing has been written to it.
    unused: bool,
}

impl Claim {
    /// Claims a file, which is created if it does not exist, and otherwise left unchanged.
    ///
    /// # Errors
    /// The system reports an error; [`ErrorKind::ResourceBusy`] means that another process has claimed the file.
    pub fn new(path: &Path) -> io::Result<Claim> {
        let path = followed(path)?;
        loop {
            let (file, unused) = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => (OpenOptions::new().append(true).open(&path)?, false),
                created => (created?, true),
            };
            let regular = is_regular(&file)?;
            if regular {
                lock(&file)?;
            }
            // The previous owner may have replaced the file between opening and locking.
            if !regular || is_at(&file, &path) {
                return Ok(Claim { path, file, regular, unused });
            }
        }
    }

    /// Replaces the content as [`replace`] does; the claim then holds for the new file.
    ///
    /// # Errors
    /// The system reports an error; the file is then unchanged.
    pub fn replace(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if !self.regular {
            return buffered(&self.file, write);
        }
        let mut name = OsString::from(&self.path);
        name.push(".new");
        let beside = PathBuf::from(name);
        // A process that was killed may have left such a file.
        let _ = fs::remove_file(&beside);
        let file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
        let replaced = lock(&file)
            .and_then(|()| if self.unused { Ok(()) } else { file.set_permissions(self.file.metadata()?.permissions()) })
            .and_then(|()| buffered(&file, write))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, &self.path));
        match replaced {
            Ok(()) => (self.file, self.unused) = (file, false),
            // The first error is the one to report.
            Err(_) => drop(fs::remove_file(&beside)),
        }
        replaced
    }

    /// Appends bytes to the file.
    ///
    /// # Errors
    /// The system reports an error; some of the bytes may have been written.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unused = false;
        (&self.file).write_all(bytes)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.unused && self.regular {
            // An empty file would suggest that something was written.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Locks a regular file for as long as it is open. On a file system without locks, other processes are not kept away.
///
/// # Errors
/// [`ErrorKind::ResourceBusy`] means that another process has locked the file.
pub fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::new(ErrorKind::ResourceBusy, "another process is writing it")),
        Err(TryLockError::Error(_)) | Ok(()) => Ok(()),
    }
}

/// Reports whether the file is a regular one, and not a device or a pipe.
///
/// # Errors
/// The system reports an error.
pub fn is_regular(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.is_file())
}

/// Reports whether a regular file exists and holds something that does not begin with `head`, apart from white space.
pub fn holds_other(path: &Path, head: &str) -> bool {
    const LOOK: u64 = 256;
    let mut found = vec![];
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    let read = is_file && File::open(path).is_ok_and(|file| file.take(LOOK).read_to_end(&mut found).is_ok());
    found.retain(|byte| !byte.is_ascii_whitespace());
    read && !found.is_empty() && !found.starts_with(head.as_bytes())
}

/// Reports whether two paths lead to the same regular file, or would once it is created.
pub fn is_same(first: &Path, second: &Path) -> bool {
    let place = |path: &Path| {
        let path = followed(path).ok()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
    };
    let is_device = |path: &Path| fs::metadata(path).is_ok_and(|found| !found.is_file());
    !is_device(first) && place(first).is_some_and(|first| place(second) == Some(first))
}

/// Returns a path with all links at its end followed, whether or not there is a file. A path to a pipe or a device is
/// returned unchanged.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Ok(path);
        }
        match fs::read_link(&path) {
            // A link is relative to its directory.
            Ok(to) => path = path.parent().map_or(to.clone(), |folder| folder.join(&to)),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    file.metadata().ok().map(place) == fs::metadata(path).ok().map(place)
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn buffered(file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut to = BufWriter::new(file);
    write(&mut to)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    fn put(path: &Path, content: &str) -> io::Result<()> {
        replace(path, |to| to.write_all(content.as_bytes()))
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_or_left_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let failing = |to: &mut dyn Write| to.write_all(b"half").and(Err(io::Error::other("on purpose")));
        assert!(replace(&path, failing).is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "no empty file is left");
        put(&path, "one").unwrap();
        assert!(replace(&path, failing).is_err());
        assert_eq!(text(&path), "one");
        put(&path, "two").unwrap();
        assert_eq!(text(&path), "two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_claimed_file_stays_claimed_after_it_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut claim = Claim::new(&path).unwrap();
        for content in ["one", "two"] {
            assert_eq!(put(&path, "other").unwrap_err().kind(), ErrorKind::ResourceBusy);
            claim.replace(|to| to.write_all(content.as_bytes())).unwrap();
            claim.append(b" more").unwrap();
            assert_eq!(text(&path), format!("{content} more"));
        }
        drop(claim);
        put(&path, "other").unwrap();
        assert_eq!(text(&path), "other");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_file_is_replaced() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link, links) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        symlink("a", &link).unwrap();
        symlink(&link, &links).unwrap();
        put(&links, "new").unwrap();
        assert_eq!(text(&file), "new");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        put(&link, "newer").unwrap();
        assert_eq!((text(&file), fs::metadata(&file).unwrap().permissions().mode() & 0o777), ("newer".into(), 0o640));
        assert!(link.is_symlink() && links.is_symlink());
        assert!(is_same(&file, &links) && !is_same(&file, Path::new("/dev/null")));
        symlink("round", folder.path().join("round")).unwrap();
        assert!(put(&folder.path().join("round"), "").unwrap_err().to_string().contains("too many"));
    }

    #[test]
    fn paths_to_one_file_are_recognized_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(is_same(&path, &folder.path().join(".").join("a")));
        assert!(!is_same(&path, &folder.path().join("b")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_written_in_place() {
        use std::os::unix::fs::FileTypeExt;
        for path in ["/dev/null", "/dev/full"].map(Path::new) {
            let mut claim = Claim::new(path).unwrap();
            let written = claim.replace(|to| to.write_all(b"x"));
            assert_eq!(written.is_ok(), path.ends_with("null"));
            assert!(fs::metadata(path).unwrap().file_type().is_char_device());
            assert!(Claim::new(path).is_ok(), "many may write it");
            assert!(!is_same(path, path));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_receives_what_is_written() {
        use std::io::Read;
        use std::os::fd::AsRawFd;
        let (mut reader, writer) = io::pipe().unwrap();
        put(Path::new(&format!("/proc/self/fd/{}", writer.as_raw_fd())), "piped").unwrap();
        drop(writer);
        let mut piped = String::new();
        reader.read_to_string(&mut piped).unwrap();
        assert_eq!(piped, "piped");
    }
}
