//! Files that tracegen writes: whole or not at all, and by one process at a time.
//!
//! A path may lead to anything. What is no regular file (`/dev/null`, a FIFO, a terminal) is written in place, never
//! replaced by a file and never locked. Of a symbolic link, the file that it leads to is replaced, and the link stays.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Most symbolic links that are followed from one path (as Linux has it).
const MOST_LINKS: usize = 40;

/// Replaces what a file holds by what `write` writes, all at once: who reads it meets the whole old content or the whole
/// new one.
///
/// # Errors
/// The system's. The file is then as it was, and is not there if it was not. [`ErrorKind::ResourceBusy`]: another process
/// writes it.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    Claim::new(path)?.replace(write)
}

/// A file that no other process of tracegen's writes while this one does.
pub struct Claim {
    /// With all links followed.
    path: PathBuf,
    /// Open at its end, and locked if it is a regular file.
    file: File,
    regular: bool,
    /// It was made for this claim, and nothing has been written to it.
    unused: bool,
}

impl Claim {
    /// Claims a file, which is created if it is not there, and otherwise left as it is.
    ///
    /// # Errors
    /// The system's, or [`ErrorKind::ResourceBusy`]: another process has claimed it.
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
            // Between opening and locking, who had claimed it may have replaced it.
            if !regular || is_at(&file, &path) {
                return Ok(Claim { path, file, regular, unused });
            }
        }
    }

    /// As [`replace`]; the claim goes over to the new content.
    ///
    /// # Errors
    /// The system's. The file is then as it was.
    pub fn replace(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if !self.regular {
            return buffered(&self.file, write);
        }
        let mut name = OsString::from(&self.path);
        name.push(".new");
        let beside = PathBuf::from(name);
        // What a process that was killed has left.
        let _ = fs::remove_file(&beside);
        let file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
        let replaced = lock(&file)
            .and_then(|()| if self.unused { Ok(()) } else { file.set_permissions(self.file.metadata()?.permissions()) })
            .and_then(|()| buffered(&file, write))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, &self.path));
        match replaced {
            Ok(()) => (self.file, self.unused) = (file, false),
            // The first error is the one to tell.
            Err(_) => drop(fs::remove_file(&beside)),
        }
        replaced
    }

    /// Writes behind what the file holds.
    ///
    /// # Errors
    /// The system's. Some of the bytes may have been written.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unused = false;
        (&self.file).write_all(bytes)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.unused && self.regular {
            // An empty file would say that something was written.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Locks a regular file for as long as it is open. Where the file system knows no locks, nothing keeps others away.
///
/// # Errors
/// [`ErrorKind::ResourceBusy`]: another process has locked it.
pub fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::new(ErrorKind::ResourceBusy, "another process is writing it")),
        Err(TryLockError::Error(_)) | Ok(()) => Ok(()),
    }
}

/// Whether it is a file that holds what is written to it, and not a device or a pipe.
///
/// # Errors
/// The system's.
pub fn is_regular(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.is_file())
}

/// Whether a regular file is there, and holds something that does not begin with `head`, white space aside.
pub fn holds_other(path: &Path, head: &str) -> bool {
    const LOOK: u64 = 256;
    let mut found = vec![];
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    let read = is_file && File::open(path).is_ok_and(|file| file.take(LOOK).read_to_end(&mut found).is_ok());
    found.retain(|byte| !byte.is_ascii_whitespace());
    read && !found.is_empty() && !found.starts_with(head.as_bytes())
}

/// Whether two paths lead to one regular file, or would once it is made.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let path = followed(path).ok()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
    };
    let is_device = |path: &Path| fs::metadata(path).is_ok_and(|found| !found.is_file());
    !is_device(one) && place(one).is_some_and(|one| place(other) == Some(one))
}

/// A path with its last links followed, whether there is a file at their end or not. One to a pipe or a device is left as
/// it is.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Ok(path);
        }
        match fs::read_link(&path) {
            // A link is relative to its folder.
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
    fn a_file_is_replaced_whole_or_left_as_it_was() {
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
    fn a_claimed_file_is_nobody_elses_also_after_it_was_replaced() {
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
    fn paths_to_one_file_are_told_before_it_is_there() {
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
    fn a_pipe_gets_what_is_written() {
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
