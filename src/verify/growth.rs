//! A run that goes on while what arrives of it is verified: its manifest is written on.

use super::Verifier;
use crate::engine::{Archive, Era};
use std::fmt;

/// What a manifest says now does not fit what was verified by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgrown {
    /// It is of another run.
    OtherRun,
    /// From this trace on another schedule or plan holds, and traces after it had arrived before that was known.
    Changed { first: u64 },
}

impl fmt::Display for Outgrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outgrown::OtherRun => write!(f, "the manifest is now of another run than the one that was verified"),
            Outgrown::Changed { first } => write!(
                f,
                "the run has changed its schedule or plan from trace {first} on, which was not known when traces after it \
                 arrived: verify what was stored once it has ended, or give it a steady --rate"
            ),
        }
    }
}

impl std::error::Error for Outgrown {}

impl Verifier {
    /// What the run's manifest says now holds, and did before.
    ///
    /// # Errors
    /// What has arrived was verified by something else; the verifier is as it was.
    pub fn update(&mut self, archive: Archive) -> Result<(), Outgrown> {
        fits(self.archive(), &archive, self.reached)?;
        self.remaker.replace(archive, self.reached);
        Ok(())
    }
}

/// Whether two states of a run agree on the traces before `reached`.
fn fits(before: &Archive, now: &Archive, reached: u64) -> Result<(), Outgrown> {
    let head = |era: &Era| Era { end: None, stopped: None, ..era.clone() };
    let (old, new) = (before.eras(), now.eras());
    let same_run = before.seed() == now.seed()
        && before.selection() == now.selection()
        && old.first().map(head) == new.first().map(head);
    if !same_run {
        return Err(Outgrown::OtherRun);
    }
    let arrived =
        |eras: &[Era]| eras.iter().skip(1).filter(|era| era.epoch.first < reached).map(head).collect::<Vec<_>>();
    let (old, new) = (arrived(old), arrived(new));
    if old == new {
        return Ok(());
    }
    // Where the two part.
    let parts = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let first = [old.get(parts), new.get(parts)].into_iter().flatten().map(|era| era.epoch.first).min();
    Err(Outgrown::Changed { first: first.unwrap_or(reached) })
}
