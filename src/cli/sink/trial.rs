//! The verification of arrivals against a run. The run's manifest may not exist yet when the sink begins, and grows while
//! the run goes on.

use crate::cli::fetch::shown;
use crate::cli::source::{self, Background, Known};
use crate::clock;
use crate::verify::{Fidelity, Outgrown, Policy, Progress, Report, Verifier};
use std::fs;
use std::time::SystemTime;

/// The verification of arrivals.
pub struct Trial {
    /// The file or URL of the manifest.
    manifest: String,
    policy: Policy,
    /// The stamp of the file at the last look.
    stamp: Option<Stamp>,
    /// The verifier; `None` if no manifest has been read.
    verifier: Option<Verifier>,
    /// The reason why the arrivals can't be judged.
    broken: Option<String>,
    background: Background,
}

/// The result of the verification, and what else the manifest says of the run.
pub struct Concluded {
    pub report: Report,
    pub background: Background,
}

/// Reads the run of a manifest.
///
/// # Errors
/// The manifest can't be used; the error explains why.
pub fn known(manifest: &str) -> Result<Known, String> {
    can_be_read_again(manifest)?;
    source::known(manifest)
}

/// Checks that a manifest can be read repeatedly until it has its end. A pipe can be read only once, and opening it blocks
/// until there is a writer. A missing file may be created later.
///
/// # Errors
/// The path leads to a pipe or something else that is neither a URL nor a regular file.
pub fn can_be_read_again(manifest: &str) -> Result<(), String> {
    if !source::is_url(manifest) && fs::metadata(manifest).is_ok_and(|metadata| !metadata.is_file()) {
        return Err("it is not a regular file, and is read repeatedly: name the file that the run writes".into());
    }
    Ok(())
}

/// The properties of a file by which a new version is recognized: time of modification and length.
type Stamp = (Option<SystemTime>, u64);

impl Trial {
    pub fn new(manifest: String, policy: Policy) -> Trial {
        Trial { manifest, policy, stamp: None, verifier: None, broken: None, background: Background::default() }
    }

    /// Returns the file or URL of the manifest.
    pub fn manifest(&self) -> &str {
        &self.manifest
    }

    /// Reads the file again if it has been written since. A failure is reported only when the content is needed. Returns
    /// whether a manifest has been read by now.
    pub fn look(&mut self) -> bool {
        let stamp = self.stamp();
        if stamp.is_some() && stamp != self.stamp {
            self.stamp = stamp;
            let _ = self.learn(known(&self.manifest));
        }
        self.verifier.is_some()
    }

    /// Takes the current content of the manifest.
    ///
    /// # Errors
    /// The manifest can't be used; the error explains why.
    pub fn learn(&mut self, known: Result<Known, String>) -> Result<(), String> {
        let Known { archive, background } = known.map_err(|e| format!("{}: {e}", shown(&self.manifest)))?;
        self.background = background;
        let went_on = self.goes_on();
        let fits =
            self.verifier.as_mut().map(|verifier| (verifier.update(archive.clone()), verifier.progress().delivered));
        let begins = match fits {
            Some((Ok(()), _)) => !went_on && self.goes_on(),
            // The manifest is that of an earlier run; the one to verify has just begun.
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
            // A trace that starts from now on is sent when it ends. At full speed all traces lie in the past.
            let at_full_speed = verifier.archive().at_full_speed();
            verifier.is_live_since(if at_full_speed { u64::MAX } else { clock::now() });
        }
        Ok(())
    }

    fn goes_on(&self) -> bool {
        self.verifier.as_ref().is_some_and(|verifier| !verifier.has_ended())
    }

    /// Reports whether the run had written its end when the manifest was last read.
    pub fn has_ended(&self) -> bool {
        self.verifier.as_ref().is_some_and(Verifier::has_ended)
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.manifest).ok()?;
        Some((metadata.modified().ok(), metadata.len()))
    }

    /// Verifies a request that arrived at `time`, in ns since 1970.
    ///
    /// # Errors
    /// The request is damaged.
    pub fn request(&mut self, body: &[u8], time: u64) -> Result<(), String> {
        match &mut self.verifier {
            Some(verifier) if self.broken.is_none() => verifier.request(body, Some(time)).map_err(|e| e.to_string()),
            _ => Ok(()),
        }
    }

    pub fn progress(&self) -> Option<Progress> {
        self.verifier.as_ref().map(Verifier::progress)
    }

    /// Returns the result, by the manifest's content at the end.
    ///
    /// # Errors
    /// There is no manifest to verify against.
    pub fn conclude(mut self) -> Result<Concluded, String> {
        self.learn(known(&self.manifest))?;
        let Trial { broken, verifier, background, .. } = self;
        match (broken, verifier) {
            (None, Some(verifier)) => Ok(Concluded { report: verifier.finish(), background }),
            (broken, _) => Err(broken.unwrap_or_else(|| "no manifest was read".into())),
        }
    }
}
