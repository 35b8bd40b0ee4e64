//! Verification of a run that still goes on, whose manifest grows meanwhile.

use super::Verifier;
use crate::journal::{Archive, Era};
use std::fmt;

/// The reason why a newer manifest does not fit what was verified with the older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgrown {
    /// The newer manifest belongs to another run.
    OtherRun,
    /// Another schedule or plan applies from trace `first` on, and later traces had arrived before that was known.
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
    /// Replaces the run's manifest with a newer state of it.
    ///
    /// # Errors
    /// Arrived traces were verified with something that the new state contradicts. The verifier is left unchanged.
    pub fn update(&mut self, archive: Archive) -> Result<(), Outgrown> {
        fits(self.archive(), &archive, self.reached)?;
        self.remaker.replace(archive, self.reached);
        Ok(())
    }
}

/// Checks that two states of a run agree on the traces before `reached`.
fn fits(known: &Archive, newer: &Archive, reached: u64) -> Result<(), Outgrown> {
    let head = |era: &Era| Era { end: None, stopped: None, ..era.clone() };
    let (old, new) = (known.eras(), newer.eras());
    let same_run = known.seed() == newer.seed()
        && known.selection() == newer.selection()
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
    // The first trace on which the two states differ.
    let parts = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let first = [old.get(parts), new.get(parts)].into_iter().flatten().map(|era| era.epoch.first).min();
    Err(Outgrown::Changed { first: first.unwrap_or(reached) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Batch, Encode, Protobuf};
    use crate::interpreter::{Arrivals, Epoch, Interpreter, Run, Schedule};
    use crate::journal::Selection;
    use crate::plan::{Plan, fixture};
    use crate::trace::Trace;
    use crate::verify::{Fidelity, Policy};
    use std::sync::Arc;

    const EVEN: Arrivals = Arrivals::Even { count: 10, per_ns: 1_000_000_000 };
    const OPENING: u64 = 1_767_225_600_000_000_000;

    /// Makes a schedule with an epoch at each of the traces `firsts`.
    fn schedule(firsts: &[u64]) -> Schedule {
        let mut schedule = Schedule::new(OPENING, EVEN).unwrap();
        for first in firsts {
            // This start is later than it would be without the epoch.
            let opening = OPENING + 1_000_000_000 * first;
            schedule.push_epoch(Epoch::new(*first, opening, EVEN)).unwrap();
        }
        schedule
    }

    fn run(plan: &Arc<Plan>, firsts: &[u64]) -> Arc<Run> {
        Arc::new(Run::new(plan.clone(), 42, schedule(firsts)))
    }

    fn archive(plan: &Arc<Plan>, firsts: &[u64]) -> Archive {
        Archive::so_far(&run(plan, &[]), Selection::default(), &schedule(firsts))
    }

    /// Returns a request with the traces, as they are sent.
    fn body(run: &Arc<Run>, indices: std::ops::Range<u64>) -> Vec<u8> {
        let mut batches: Vec<Batch> = vec![];
        let mut encoder = Protobuf::new(run.plan(), run.resources());
        let (mut interpreter, mut trace) = (Interpreter::new(run), Trace::default());
        for index in indices {
            interpreter.trace(index, &mut trace);
            encoder.add(run.origin().view(&trace), &mut |batch| batches.push(batch));
        }
        encoder.flush(&mut |batch| batches.push(batch));
        batches.into_iter().flat_map(|batch| batch.body).collect()
    }

    #[test]
    fn traces_of_an_epoch_that_is_known_in_time_are_verified() {
        let plan = Arc::new(fixture::plan());
        let whole = run(&plan, &[20]);
        let mut verifier = Verifier::new(archive(&plan, &[]), Fidelity::Otlp, Policy::default());
        verifier.request(&body(&whole, 0..20), None).unwrap();
        verifier.update(archive(&plan, &[20])).unwrap();
        verifier.request(&body(&whole, 20..40), None).unwrap();
        verifier.update(archive(&plan, &[20, 40])).unwrap();
        let progress = verifier.progress();
        assert!(
            progress.delivered >= 40 && progress.altered + progress.unexpected + progress.copies == 0,
            "{progress:?}"
        );
    }

    #[test]
    fn a_manifest_that_contradicts_what_was_verified_is_refused() {
        let plan = Arc::new(fixture::plan());
        let whole = run(&plan, &[20]);
        let mut verifier = Verifier::new(archive(&plan, &[]), Fidelity::Otlp, Policy::default());
        verifier.request(&body(&whole, 0..30), None).unwrap();
        assert!(verifier.progress().altered > 0, "they began later");
        assert_eq!(verifier.update(archive(&plan, &[20])), Err(Outgrown::Changed { first: 20 }));
        assert_eq!(verifier.update(archive(&plan, &[30])), Ok(()), "none of it had arrived");
        let other = Arc::new(fixture::plan().with_weights([7.0, 1.0]).unwrap());
        assert_eq!(verifier.update(archive(&other, &[])), Err(Outgrown::OtherRun));
    }
}
