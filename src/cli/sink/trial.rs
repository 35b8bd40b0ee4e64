//! The run that arrivals are held against. Its manifest may not be there yet when the sink begins, and is written on while the
//! run goes on.

use crate::cli::fetch::shown;
use crate::cli::source::{self, Background, Known};
use crate::clock;
use crate::verify::{Fidelity, Outgrown, Policy, Progress, Report, Verifier};
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

/// By which a file that was written again is told.
type Stamp = (Option<SystemTime>, u64);

impl Trial {
    pub fn new(manifest: String, policy: Policy) -> Trial {
        Trial { manifest, policy, stamp: None, verifier: None, broken: None, background: Background::default() }
    }

    /// The URL that the manifest is at; `None`: it is a file.
    pub fn url(&self) -> Option<&str> {
        Some(&*self.manifest).filter(|manifest| source::is_url(manifest))
    }

    /// Know what the manifest says now.
    ///
    /// # Errors
    /// It can't be read, and never could.
    pub fn catch_up(&mut self) -> Result<(), String> {
        self.look();
        match &self.verifier {
            None => self.learn(source::known(&self.manifest)),
            Some(_) => Ok(()),
        }
    }

    /// Read the file again if it has been written since. One that can't be read is told of when it has to be.
    pub fn look(&mut self) {
        let stamp = self.stamp();
        if stamp.is_some() && stamp != self.stamp {
            self.stamp = stamp;
            let _ = self.learn(source::known(&self.manifest));
        }
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
    pub fn conclude(mut self) -> Result<Concluded, String> {
        self.learn(source::known(&self.manifest))?;
        let Trial { broken, verifier, background, .. } = self;
        match (broken, verifier) {
            (None, Some(verifier)) => Ok(Concluded { report: verifier.finish(), background }),
            (broken, _) => Err(broken.unwrap_or_else(|| "no manifest was read".into())),
        }
    }
}
