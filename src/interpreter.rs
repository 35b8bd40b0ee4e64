//! Plan, seed and schedule to traces, deterministically: trace i is a function of these and of i, not of the thread, the
//! process, the order of work, or any other trace.
//!
//! A [`Run`] is what all traces are a function of, shared by all threads; an [`Interpreter`] makes them, one a thread.

mod calls;
mod choice;
mod code;
mod dist;
mod evaluate;
mod failure;
mod glob;
mod identity;
mod link;
mod links;
mod machine;
mod random;
mod resources;
mod run;
mod schedule;
mod site;
mod stable;
mod tables;
mod text;
mod user_agent;
mod words;
mod zipf;

pub use identity::{Identity, MAX_INDEX};
pub use run::Run;
pub use schedule::{Arrivals, Epoch, MAX_GAP, MAX_LANES, MAX_TIME, Schedule, ScheduleError, Starts};

use crate::trace::Trace;
use choice::Chosen;
use link::Finder;
use machine::{Machine, Subject};
use std::sync::Arc;

/// A maker of traces. It allocates nothing for a trace once it has seen traces as large.
pub struct Interpreter {
    run: Arc<Run>,
    finder: Finder,
    chosen: Chosen,
    machine: Machine,
}

impl Interpreter {
    /// An interpreter of the run's traces.
    pub fn new(run: &Arc<Run>) -> Interpreter {
        Interpreter { finder: Finder::new(run), chosen: Chosen::new(), machine: Machine::new(run), run: run.clone() }
    }

    /// The run whose traces are made.
    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Clears `out` and makes it the trace with this index, which is below [`MAX_INDEX`].
    pub fn trace(&mut self, index: u64, out: &mut Trace) {
        let scenario = self.chosen.get(self.run.choice(), index);
        let subject = Subject { scenario, index, start: self.finder.starts.start(index), replay: false };
        self.machine.run(&self.run, &mut self.finder, subject, out);
    }

    /// The start of the trace with this index, ns since 1970.
    pub fn start(&mut self, index: u64) -> u64 {
        self.finder.starts.start(index)
    }

    /// Goes by another schedule from now on, which began as the run's did and has more epochs.
    pub fn update(&mut self, schedule: &Arc<Schedule>) {
        self.finder.starts.update(schedule);
    }
}

#[cfg(test)]
mod tests;
