//! Makes traces from a plan, a seed and a schedule, deterministically. Trace i is a function of these and of i, and depends
//! on no thread, process, order of work, or other trace.
//!
//! A [`Run`] holds what all traces are a function of, and is shared by all threads. Each thread makes traces with an
//! [`Interpreter`] of its own.

mod calls;
mod choice;
mod code;
mod dist;
mod evaluate;
mod failure;
mod identity;
mod link;
mod links;
mod machine;
mod malform;
mod random;
mod resources;
mod run;
mod schedule;
mod site;
mod stable;
mod surges;
mod tables;
mod text;
mod user_agent;
mod words;
mod zipf;

pub use identity::{Identity, MAX_INDEX};
pub use run::{Beginning, Run};
pub use schedule::{Arrivals, Epoch, LoadTerms, MAX_GAP, MAX_LANES, MAX_TIME, Schedule, ScheduleError, Starts};

use crate::trace::Trace;
use choice::Chosen;
use link::Finder;
use machine::{Machine, Subject};
use malform::Malformer;
use std::sync::Arc;

/// A maker of traces. It allocates no memory for a trace once it has made traces of the same size.
pub struct Interpreter {
    run: Arc<Run>,
    finder: Finder,
    chosen: Chosen,
    machine: Machine,
    malformer: Option<Malformer>,
}

impl Interpreter {
    /// Makes an interpreter of the run's traces.
    pub fn new(run: &Arc<Run>) -> Interpreter {
        Interpreter {
            finder: Finder::new(run),
            chosen: Chosen::new(),
            machine: Machine::new(run),
            malformer: Malformer::new(run),
            run: run.clone(),
        }
    }

    /// Makes an interpreter of the run's traces without their malformations: the traces beneath.
    pub fn beneath(run: &Arc<Run>) -> Interpreter {
        Interpreter { malformer: None, ..Interpreter::new(run) }
    }

    /// Returns the run whose traces are made.
    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Clears `out` and fills it with the trace with this index, which must be below [`MAX_INDEX`].
    pub fn trace(&mut self, index: u64, out: &mut Trace) {
        let (start, own) = self.finder.starts.start_and_own(index);
        let scenario = own.unwrap_or_else(|| self.chosen.get(self.run.choice(), index, start));
        let subject = Subject { scenario, index, start, replay: false };
        self.machine.run(&self.run, &mut self.finder, subject, out);
        if let Some(malformer) = &mut self.malformer {
            malformer.malform(&self.run, out);
        }
    }

    /// Returns the start of the trace with this index, in ns since 1970.
    pub fn start(&mut self, index: u64) -> u64 {
        self.finder.starts.start(index)
    }

    /// Uses `schedule` from now on. It must begin as the run's schedule did, and may have more epochs.
    pub fn update(&mut self, schedule: &Arc<Schedule>) {
        self.finder.starts.update(schedule);
    }
}

#[cfg(test)]
mod tests;
