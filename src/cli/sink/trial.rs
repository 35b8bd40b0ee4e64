//! The run that arrivals are held against. Its manifest may not be there yet when the sink begins, and is written on while the
//! run goes on.

use crate::cli::source::{self, Background, Known};
use crate::verify::{Fidelity, Outgrown, Policy, Progress, Report, Verifier};
use std::time::SystemTime;

pub struct Trial {
    /// A file or a URL.
    manifest: String,
    /// Of the file when it was read.
    stamp: Option<Stamp>,
    /// `None`: no manifest has been read.
    verifier: Option<Verifier>,
    /// Why what arrived can't be judged.
    broken: Option<String>,
    background: Background,
}

/// What all that arrived comes to, and what else the manifest says of the run.
pub struct Concluded {
    pub report: Report,
    pub background: Background,
}

/// By which a file that was written again is told.
type Stamp = (Option<SystemTime>, u64);

impl Trial {
    pub fn new(manifest: String) -> Trial {
        Trial { manifest, stamp: None, verifier: None, broken: None, background: Background::default() }
    }

    /// Know what the manifest says now.
    ///
    /// # Errors
    /// It can't be read, and never could.
    pub fn catch_up(&mut self) -> Result<(), String> {
        let stamp = self.stamp();
        match &self.verifier {
            None => self.read(stamp),
            // A file that is gone for now, or can't be read, is told of at the end. What a URL gives is asked for only then.
            Some(_) if stamp.is_some() && stamp != self.stamp => self.read(stamp).or(Ok(())),
            Some(_) => Ok(()),
        }
    }

    fn read(&mut self, stamp: Option<Stamp>) -> Result<(), String> {
        let known = source::known(&self.manifest).map_err(|e| format!("{}: {e}", self.manifest))?;
        let Known { archive, background } = known;
        (self.stamp, self.background) = (stamp, background);
        let fresh = |archive| Some(Verifier::new(archive, Fidelity::Otlp));
        match &mut self.verifier {
            none @ None => *none = fresh(archive),
            Some(verifier) => match verifier.update(archive.clone()) {
                Ok(()) => {}
                // That of a run before: the one that is to be verified has just begun.
                Err(Outgrown::OtherRun) if verifier.progress().delivered == 0 => self.verifier = fresh(archive),
                Err(e) => drop(self.broken.get_or_insert(format!("{}: {e}", self.manifest))),
            },
        }
        Ok(())
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = std::fs::metadata(&self.manifest).ok()?;
        Some((metadata.modified().ok(), metadata.len()))
    }

    /// Hold a request that arrived at `at`, ns since 1970, against the run.
    ///
    /// # Errors
    /// It is damaged.
    pub fn request(&mut self, body: &[u8], at: u64) -> Result<(), String> {
        match &mut self.verifier {
            Some(verifier) if self.broken.is_none() => verifier.request(body, Some(at)).map_err(|e| e.to_string()),
            _ => Ok(()),
        }
    }

    pub fn progress(&self) -> Option<Progress> {
        self.verifier.as_ref().map(Verifier::progress)
    }

    /// What it comes to, by what the manifest says at the end.
    ///
    /// # Errors
    /// There is nothing to hold it against.
    pub fn conclude(mut self, policy: &Policy) -> Result<Concluded, String> {
        self.read(None)?;
        let Trial { broken, verifier, background, .. } = self;
        match (broken, verifier) {
            (None, Some(verifier)) => Ok(Concluded { report: verifier.finish(policy), background }),
            (broken, _) => Err(broken.unwrap_or_else(|| "no manifest was read".into())),
        }
    }
}
