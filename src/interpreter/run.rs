//! A run: what all of its traces are a function of.

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
    /// A run that begins with this schedule; what comes later goes to [`super::Interpreter::update`].
    pub fn new(plan: Arc<Plan>, seed: u64, schedule: Schedule) -> Run {
        let digest = Sha256::new().chain_update("tracegen tag").chain_update(plan.digest());
        let digest = digest.chain_update(schedule.tag_bytes()).finalize();
        let tag = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        Run::with_tag(plan, seed, schedule, tag)
    }

    /// A run that goes on under another plan: its ids have the tag of the run as it began.
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

    /// The plan that the run executes.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.code.plan
    }

    /// The seed of the run's draws.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The schedule that the run began with.
    pub fn schedule(&self) -> &Arc<Schedule> {
        &self.schedule
    }

    /// The tag that tells this run's ids from those of other runs with the same seed: a hash of plan and schedule, as the run began.
    pub fn tag(&self) -> u32 {
        self.identity.tag()
    }

    /// The ids of this run.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The attributes of every service instance.
    pub fn resources(&self) -> &Resources {
        &self.origin.resources
    }

    /// What the run's traces are read with.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// The scenario that the trace with this index is of.
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
