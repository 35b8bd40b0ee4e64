//! The lengths and times of scenario files, by which a change is noticed.

use super::BASE;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The length and the time of each file that is read, which show a change without reading it.
#[derive(Debug, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<PathBuf, Option<(u64, SystemTime)>>);

impl Fingerprint {
    /// Takes the fingerprint of files, and of directories with the files in them that may be read. A file that can't be
    /// found has its place in it, too.
    pub fn of(paths: &[PathBuf]) -> Fingerprint {
        let mut files = BTreeMap::new();
        let mut add = |path: PathBuf| {
            let length_and_time = |metadata: fs::Metadata| Some((metadata.len(), metadata.modified().ok()?));
            let known = fs::metadata(&path).ok().and_then(length_and_time);
            files.insert(path, known);
        };
        for path in paths {
            match fs::read_dir(path) {
                Ok(entries) => {
                    entries.flatten().map(|entry| entry.path()).filter(|path| may_be_read(path)).for_each(&mut add)
                }
                Err(_) => {
                    add(path.with_file_name(BASE));
                    add(path.clone());
                }
            }
        }
        Fingerprint(files)
    }
}

/// Reports whether a file of a directory is a scenario file, or may be a table that one names.
fn may_be_read(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "csv"].iter().any(|read| extension == *read))
}
