//! The run that arrivals are held against. Its manifest may not be there yet when the sink begins, and is written on while the
//! run goes on.

use crate::cli::fetch::shown;
use crate::cli::source::{self, Background, Known};
use crate::clock;
use crate::verify::{Fidelity, Outgrown, Policy, Progress, Report, Verifier};
use std::fs;
use std::time::SystemTime;

pub struct Trial {
    /// A file or a URL.
    manifest: String,
    policy: Policy,
    /// Of the file when it was last looked at.
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

/// The run that a manifest is of.
///
/// # Errors
/// It says nothing, for the reason that is given.
pub fn known(manifest: &str) -> Result<Known, String> {
    can_be_read_again(manifest)?;
    source::known(manifest)
}

/// A manifest is read until it has its end. A pipe says once what it has to say, and whoever opens it waits for its writer.
///
/// # Errors
/// It is a pipe, or anything else that is neither a URL nor a regular file; one that is not there may become a file.
pub fn can_be_read_again(manifest: &str) -> Result<(), String> {
    if !source::is_url(manifest) && fs::metadata(manifest).is_ok_and(|metadata| !metadata.is_file()) {
        return Err("it is no regular file, and is read again and again: name the file that the run writes".into());
    }
    Ok(())
}

/// By which a file that was written again is told.
type Stamp = (Option<SystemTime>, u64);

impl Trial {
    pub fn new(manifest: String, policy: Policy) -> Trial {
        Trial { manifest, policy, stamp: None, verifier: None, broken: None, background: Background::default() }
    }

    /// Where the manifest is: a file or a URL.
    pub fn manifest(&self) -> &str {
        &self.manifest
    }

    /// Read the file again if it has been written since. One that can't be read is told of when it has to be. Returns whether a
    /// manifest has been read by now.
    pub fn look(&mut self) -> bool {
        let stamp = self.stamp();
        if stamp.is_some() && stamp != self.stamp {
            self.stamp = stamp;
            let _ = self.learn(known(&self.manifest));
        }
        self.verifier.is_some()
    }

    /// Take what the manifest says now.
    ///
    /// # Errors
    /// It says nothing, for the reason that is given.
    pub fn learn(&mut self, known: Result<Known, String>) -> Result<(), String> {
        let Known { archive, background } = known.map_err(|e| format!("{}: {e}", shown(&self.manifest)))?;
        self.background = background;
        let went_on = self.goes_on();
        let fits =
            self.verifier.as_mut().map(|verifier| (verifier.update(archive.clone()), verifier.progress().delivered));
        let begins = match fits {
            Some((Ok(()), _)) => !went_on && self.goes_on(),
            // That of a run before: the one that is to be verified has just begun.
            None | Some((Err(Outgrown::OtherRun), 0)) => {
                self.verifier = Some(Verifier::new(archive, Fidelity::Otlp, self.policy.clone()));
                true
            }
            Some((Err(e), _)) => {
                self.broken.get_or_insert(format!("{}: {e}", shown(&self.manifest)));
                false
            }
        };
        if let Some(verifier) = self.verifier.as_mut().filter(|_| begins) {
            // A trace that starts from now on leaves when it ends. At full speed all lie in the past.
            let at_full_speed = verifier.archive().at_full_speed();
            verifier.is_live_since(if at_full_speed { u64::MAX } else { clock::now() });
        }
        Ok(())
    }

    fn goes_on(&self) -> bool {
        self.verifier.as_ref().is_some_and(|verifier| !verifier.has_ended())
    }

    /// The run has written its end, when the manifest was last read.
    pub fn has_ended(&self) -> bool {
        self.verifier.as_ref().is_some_and(Verifier::has_ended)
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.manifest).ok()?;
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
    pub fn conclude(mut self) -> Result<Concluded, String> {
        self.learn(known(&self.manifest))?;
        let Trial { broken, verifier, background, .. } = self;
        match (broken, verifier) {
            (None, Some(verifier)) => Ok(Concluded { report: verifier.finish(), background }),
            (broken, _) => Err(broken.unwrap_or_else(|| "no manifest was read".into())),
        }
    }
}
