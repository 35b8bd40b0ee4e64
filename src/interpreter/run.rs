//! A run: all that its traces are a function of.

use super::choice::Choice;
use super::code::Code;
use super::identity::Identity;
use super::random::{Purpose, Random, key};
use super::resources;
use super::schedule::Schedule;
use crate::plan::{Plan, ScenarioId};
use crate::trace::{Origin, Resources};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// All that a trace is a function of, besides its index.
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
    /// Makes a run that begins with this schedule. Later epochs are passed to [`super::Interpreter::update`].
    pub fn new(plan: Arc<Plan>, seed: u64, schedule: Schedule) -> Run {
        let digest = Sha256::new().chain_update("tracegen tag").chain_update(plan.digest());
        let digest = digest.chain_update(schedule.tag_bytes()).finalize();
        let tag = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        Run::with_tag(plan, seed, schedule, tag)
    }

    /// Makes a run that continues with another plan. Its ids keep the tag that the run had at its beginning.
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

    /// Returns the plan that the run executes.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.code.plan
    }

    /// Returns the seed of the run's draws.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the schedule with which the run began.
    pub fn schedule(&self) -> &Arc<Schedule> {
        &self.schedule
    }

    /// Returns the tag that distinguishes this run's ids from those of other runs with the same seed: a hash of the plan
    /// and the schedule with which the run began.
    pub fn tag(&self) -> u32 {
        self.identity.tag()
    }

    /// Returns the ids of this run.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the attributes of every service instance.
    pub fn resources(&self) -> &Resources {
        &self.origin.resources
    }

    /// Returns the origin with which the run's traces are viewed.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// Returns the scenario of the trace with this index.
    pub fn scenario(&self, index: u64) -> ScenarioId {
        self.choice.scenario(index)
    }

    pub(super) fn choice(&self) -> &Choice {
        &self.choice
    }

    pub(super) fn code(&self) -> &Code {
        &self.code
    }

    pub(super) fn draws(&self) -> Random {
        self.draws.clone()
    }
}
