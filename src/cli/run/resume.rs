//! The flag `--resume`, which continues a run that was stopped.

use crate::cli::timing::Timing;
use crate::cli::{Failure, source};
use crate::clock;
use crate::engine::Sent;
use crate::interpreter::{Run, Schedule};
use crate::journal::{Archive, Destination, Manifest, Sending, Totals};
use crate::text::{count, duration};
use std::path::Path;
use std::sync::Arc;

/// The maximum by which this machine's clock may be before the time of the stop, in ns. It may have been corrected
/// meanwhile.
const MOST_EARLY: u64 = 24 * 3_600 * 1_000_000_000;

/// A run that was stopped.
pub struct Stopped {
    pub run: Arc<Run>,
    pub timing: Timing,
    pub sending: Sending,
    pub sent: Sent,
    /// The totals of the run so far.
    pub totals: Totals,
    /// The destination of its traces; `None` if the manifest has none.
    pub destination: Option<Destination>,
}

/// Reads the run of a manifest; returns `None` if it is complete.
///
/// # Errors
/// The manifest is out of reach or damaged, or it is unknown what the run has sent.
pub fn open(path: &Path) -> Result<Option<Stopped>, Failure> {
    let name = path.display().to_string();
    let failed = |problem: &str| Failure::impossible(format!("{name}: {problem}"));
    let manifest = source::manifest(&name).map_err(|e| failed(&e))?;
    let archive = Archive::open(&manifest).map_err(|e| failed(&e.to_string()))?;
    let Manifest { selection, sending, ref eras, full_speed, ended, destination, .. } = manifest;
    let (first, last) = (&eras[0], &eras[eras.len() - 1]);
    if first.shard != (0, 1) {
        return Err(failed("its shards were merged: resume each with the manifest that it wrote"));
    }
    let (Some(totals), Some(end)) = (ended, last.end) else {
        return Err(failed(
            "it has no end: its run goes on, or was killed. What it has sent is not known, and so is not what is left: stop \
             it, or run it anew",
        ));
    };
    let one_pace = eras.len() == 1 || full_speed;
    let one_end = eras.iter().all(|era| era.stopped == last.stopped);
    let Some(run) = archive.whole_run().filter(|_| one_pace && one_end) else {
        return Err(failed(
            "its plan, weights or pace changed while it ran, as those of `serve` do: it can't be resumed",
        ));
    };
    let timing = Timing {
        start: first.epoch.opening,
        schedule: Schedule::clone(run.schedule()),
        selection,
        at_full_speed: full_speed,
        target: None,
        repeat: None,
    };
    let Some(stopped) = last.stopped else { return Ok(None) };
    let early = stopped.saturating_sub(clock::now());
    if early > MOST_EARLY {
        let problem = "it was stopped at a time that this machine's clock has not reached by far: set the clock right";
        return Err(failed(&format!("{problem} (it lacks {})", duration(early))));
    }
    // What was due when the run was stopped was sent, so `sent` follows from the manifest's end.
    clock::not_before(stopped);
    let sent = Sent { end, stopped, traces: totals.traces };
    Ok(Some(Stopped { run: Arc::new(run), timing, sending, sent, totals, destination }))
}

impl Stopped {
    /// Returns a line about spans that did not arrive and are not sent again.
    pub fn losses(&self) -> Option<String> {
        let account = self.totals.account.as_ref()?;
        let lost = account.total_rejected().spans.saturating_add(account.total_undelivered().spans);
        (lost > 0).then(|| {
            format!("{} were not delivered before it was stopped, and are not sent again", count(lost, "span"))
        })
    }
}
