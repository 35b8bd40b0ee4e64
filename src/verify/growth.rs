//! A run that goes on while what arrives of it is verified: its manifest is written on.

use super::Verifier;
use crate::journal::{Archive, Era};
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

    /// With an epoch at each of these traces.
    fn schedule(firsts: &[u64]) -> Schedule {
        let mut schedule = Schedule::new(OPENING, EVEN).unwrap();
        for first in firsts {
            // Later than without it.
            let opening = OPENING + 1_000_000_000 * first;
            schedule.push_epoch(Epoch { first: *first, opening, arrivals: EVEN }).unwrap();
        }
        schedule
    }

    fn run(plan: &Arc<Plan>, firsts: &[u64]) -> Arc<Run> {
        Arc::new(Run::new(plan.clone(), 42, schedule(firsts)))
    }

    fn archive(plan: &Arc<Plan>, firsts: &[u64]) -> Archive {
        Archive::so_far(&run(plan, &[]), Selection::default(), &schedule(firsts))
    }

    /// Traces as they are sent.
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
    fn traces_of_an_epoch_that_is_told_in_time_are_as_they_were_sent() {
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
    fn what_was_verified_by_something_else_is_no_verdict() {
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
