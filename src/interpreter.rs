//! Plan, seed and schedule to traces, deterministically: trace i is a function of these and of i, not of the thread, the
//! process, the order of work, or any other trace.
//!
//! A [`Run`] is what all traces are a function of, shared by all threads; an [`Interpreter`] makes them, one a thread.

mod choice;
mod code;
mod distribution;
mod evaluate;
mod glob;
mod identity;
mod link;
mod machine;
mod random;
mod resources;
mod schedule;
mod stable;
mod tables;
mod text;
mod user_agent;
mod zipf;

pub use identity::{Identity, MAX_INDEX};
pub use schedule::{Arrivals, Epoch, MAX_GAP, MAX_LANES, MAX_TIME, Schedule, ScheduleError, Starts};

use crate::plan::{Plan, ScenarioId, limits};
use crate::trace::{Origin, Resources, Trace};
use choice::{Choice, Chosen};
use code::Code;
use link::Past;
use machine::{Level, Machine, Subject};
use random::{Purpose, Random, key};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a trace is a function of, besides its index.
pub struct Run {
    seed: u64,
    schedule: Arc<Schedule>,
    identity: Identity,
    choice: Choice,
    code: Code,
    origin: Arc<Origin>,
    draws: Random,
}

impl Run {
    /// `schedule` as the run begins; what comes later goes to [`Interpreter::update`].
    pub fn new(plan: Arc<Plan>, seed: u64, schedule: Schedule) -> Run {
        let digest = Sha256::new().chain_update("tracegen tag").chain_update(plan.digest());
        let digest = digest.chain_update(schedule.tag_bytes()).finalize();
        let tag = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        Run::with_tag(plan, seed, schedule, tag)
    }

    /// A run that goes on under another plan: its ids have the tag of the run that began.
    pub fn with_tag(plan: Arc<Plan>, seed: u64, schedule: Schedule, tag: u32) -> Run {
        let code = Code::new(&plan, seed);
        Run {
            seed,
            schedule: schedule.into(),
            identity: Identity::new(seed, tag),
            choice: Choice::new(&plan, seed),
            origin: Arc::new(Origin { resources: resources::compute(&code), plan }),
            code,
            draws: Random::new(key(seed, Purpose::Draws)),
        }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.code.plan
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// As the run began.
    pub fn schedule(&self) -> &Arc<Schedule> {
        &self.schedule
    }

    /// Tells this run's ids from those of other runs with the same seed: a hash of plan and schedule, as the run began.
    pub fn tag(&self) -> u32 {
        self.identity.tag()
    }

    /// Ids of this run.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The attributes of every service instance.
    pub fn resources(&self) -> &Resources {
        &self.origin.resources
    }

    /// What its traces are read with.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// What trace `index` is a trace of.
    pub fn scenario(&self, index: u64) -> ScenarioId {
        self.choice.scenario(index)
    }

    fn choice(&self) -> &Choice {
        &self.choice
    }

    fn code(&self) -> &Code {
        &self.code
    }

    fn draws(&self) -> Random {
        self.draws.clone()
    }
}

/// Makes traces. Allocates nothing a trace once it has seen traces as large.
pub struct Interpreter {
    run: Arc<Run>,
    past: Past,
    chosen: Chosen,
    machine: Machine,
    /// For the links of traces, for the links of those that these link to, and so on.
    below: Vec<Level>,
}

impl Interpreter {
    pub fn new(run: &Arc<Run>) -> Interpreter {
        let levels = if run.code.links.is_empty() { 0 } else { limits::LINK_CHAIN };
        Interpreter {
            past: Past::new(run),
            chosen: Chosen::new(),
            machine: Machine::new(run),
            below: (0..levels).map(|_| Level::new(run)).collect(),
            run: run.clone(),
        }
    }

    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Clears `out` and makes it trace `index` (< [`MAX_INDEX`]).
    pub fn trace(&mut self, index: u64, out: &mut Trace) {
        let scenario = self.chosen.get(&self.run.choice, index);
        let what = Subject { scenario, index, start: self.past.starts.start(index), replay: false };
        self.machine.run(&self.run, &mut self.past, &mut self.below, what, out);
    }

    /// When trace `index` starts, ns since 1970.
    pub fn start(&mut self, index: u64) -> u64 {
        self.past.starts.start(index)
    }

    /// Go by `schedule`, which began as the run's did and has more epochs.
    pub fn update(&mut self, schedule: &Arc<Schedule>) {
        self.past.starts.update(schedule);
    }
}

#[cfg(test)]
pub(crate) mod tests;
