//! The manifest of a run on disk, while the run goes on.
//!
//! A run at full speed comes to an epoch a second, which no manifest foresees. Each is appended to the file as a line of
//! its own, an era: that is cheap, and holds up nobody. At its end the run replaces document and lines by one whole
//! document again. A process that is killed leaves the lines, of which the last may be cut off.

use super::{Era, Manifest, ManifestError};
use crate::disk::Claim;
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The manifest of a run, which no other process writes meanwhile.
pub struct ManifestFile {
    claim: Mutex<Claim>,
    /// Eras that the file holds; `usize::MAX`: nothing more can be appended.
    eras: AtomicUsize,
}

impl ManifestFile {
    /// Claims a file, which stays as it is until a manifest is saved.
    ///
    /// # Errors
    /// The system's, or [`io::ErrorKind::ResourceBusy`]: another run writes it.
    pub fn open(path: &Path) -> io::Result<ManifestFile> {
        Ok(ManifestFile { claim: Mutex::new(Claim::new(path)?), eras: AtomicUsize::new(usize::MAX) })
    }

    /// Replaces what the file holds.
    ///
    /// # Errors
    /// The system's. The file is then as it was.
    pub fn save(&self, manifest: &Manifest) -> io::Result<()> {
        self.claim.lock().replace(|to| manifest.write(to))?;
        self.eras.store(manifest.eras.len(), Ordering::Release);
        Ok(())
    }

    /// Whether a run that has come to so many eras has to append any.
    pub fn lacks(&self, eras: usize) -> bool {
        self.eras.load(Ordering::Acquire) < eras
    }

    /// Appends those of a run's eras that the file does not hold. Where that fails, none is appended any more, for the file
    /// may end within a line: they are saved at the end of the run, which then tells the error, too.
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
    /// Adds the eras that were appended to a document, a line each. The last line counts only if it is whole.
    ///
    /// # Errors
    /// A line is no era.
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
        // A document that is not followed by a line's end is followed by nothing.
        if lines.contains(&b'\n') || rest.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        Err(ManifestError::NotAManifest)
    }
}
