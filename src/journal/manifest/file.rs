//! The manifest of a run on disk, while the run goes on.
//!
//! A run at full speed adds an epoch a second, which is not known in advance. Each is appended to the file as a line of its
//! own with an era, which is cheap and blocks nobody. At its end the run replaces document and lines by one document again.
//! A process that is killed leaves the lines, of which the last may be cut off.

use super::{Era, Manifest, ManifestError};
use crate::disk::Claim;
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The manifest of a run, which no other process writes at the same time.
pub struct ManifestFile {
    claim: Mutex<Claim>,
    /// The number of eras that the file holds; `usize::MAX` if nothing more can be appended.
    eras: AtomicUsize,
}

impl ManifestFile {
    /// Claims a file, which stays unchanged until a manifest is saved.
    ///
    /// # Errors
    /// The system reports an error; [`io::ErrorKind::ResourceBusy`] means that another run writes the file.
    pub fn open(path: &Path) -> io::Result<ManifestFile> {
        Ok(ManifestFile { claim: Mutex::new(Claim::new(path)?), eras: AtomicUsize::new(usize::MAX) })
    }

    /// Replaces the content of the file.
    ///
    /// # Errors
    /// The system reports an error; the file is then unchanged.
    pub fn save(&self, manifest: &Manifest) -> io::Result<()> {
        self.claim.lock().replace(|to| manifest.write(to))?;
        self.eras.store(manifest.eras.len(), Ordering::Release);
        Ok(())
    }

    /// Reports whether a run with this number of eras has to append some.
    pub fn lacks(&self, eras: usize) -> bool {
        self.eras.load(Ordering::Acquire) < eras
    }

    /// Appends the eras that the file lacks. After a failure nothing more is appended, because the file may end within a
    /// line. Then the eras are saved at the end of the run, which also reports the error.
    pub fn append(&self, eras: &[Era]) {
        let mut claim = self.claim.lock();
        let held = self.eras.load(Ordering::Acquire);
        let Some(new @ [_, ..]) = eras.get(held..) else { return };
        let mut lines = vec![];
        let made = new.iter().try_for_each(|era| serde_json::to_writer(&mut lines, era).map(|()| lines.push(b'\n')));
        let written = made.is_ok() && claim.append(&lines).is_ok();
        self.eras.store(if written { eras.len() } else { usize::MAX }, Ordering::Release);
    }
}

impl Manifest {
    /// Adds the eras that were appended to a document, one a line. The last line counts only if it is complete.
    ///
    /// # Errors
    /// A line is not an era.
    pub(super) fn add_journal(&mut self, lines: &[u8]) -> Result<(), ManifestError> {
        for line in lines.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n")) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let era: Era = serde_json::from_slice(line).map_err(ManifestError::Json)?;
            if let Some(last) = self.eras.last_mut() {
                last.end = Some(era.epoch.first);
            }
            self.eras.push(era);
        }
        let rest = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        // A document without a newline at its end has no lines after it.
        if lines.contains(&b'\n') || rest.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        Err(ManifestError::NotAManifest)
    }
}
