//! A run: all that its traces are a function of.

use super::choice::Choice;
use super::code::Code;
use super::identity::Identity;
use super::random::{Purpose, Random, key};
use super::resources;
use super::schedule::{Arrivals, Schedule, Starts};
use super::surges::Surges;
use crate::plan::{InForce, IncidentId, Plan, RateChange, ScenarioId, Windows};
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
    start: u64,
    origin: Arc<Origin>,
    draws: Random,
}

/// What stays the same in all epochs of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The tag of its ids.
    pub tag: u32,
    /// The opening of its first epoch, in ns since 1970, from which the windows of incidents are counted.
    pub start: u64,
}

impl Run {
    /// Makes a run that begins with this schedule. Later epochs are passed to [`super::Interpreter::update`].
    pub fn new(plan: Arc<Plan>, seed: u64, schedule: Schedule) -> Run {
        let digest = Sha256::new().chain_update("tracegen tag").chain_update(plan.digest());
        let digest = digest.chain_update(schedule.tag_bytes()).finalize();
        let tag = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let start = schedule.epochs()[0].opening;
        Run::going_on(plan, seed, schedule, Beginning { tag, start })
    }

    /// Makes a run of which these incidents are in force at all times, and no others.
    pub fn under(plan: Arc<Plan>, seed: u64, schedule: Schedule, in_force: &InForce) -> Run {
        let mut run = Run::new(plan, seed, schedule);
        for (at, windows) in run.code.windows.iter_mut().enumerate() {
            let is_in_force = in_force.contains(&IncidentId(at as u32));
            *windows = if is_in_force { Windows::ALWAYS } else { Windows::NEVER };
        }
        run
    }

    /// Makes a run that goes on with another plan or schedule. Its ids and its incidents are those of the run that began.
    pub fn going_on(plan: Arc<Plan>, seed: u64, schedule: Schedule, began: Beginning) -> Run {
        let Beginning { tag, start } = began;
        let code = Code::new(&plan, seed, start);
        let choice = choice(&plan, seed, &schedule, start);
        Run {
            seed,
            start,
            schedule: schedule.into(),
            identity: Identity::new(seed, tag),
            choice,
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

    /// Returns the starts of the run's traces, by the schedule with which it began.
    pub fn starts(&self) -> Starts {
        Starts::new(self.plan(), self.seed, self.schedule.clone(), self.start)
    }

    /// Returns the tag that distinguishes this run's ids from those of other runs with the same seed: a hash of the plan
    /// and the schedule with which the run began.
    pub fn tag(&self) -> u32 {
        self.identity.tag()
    }

    /// Returns what stays the same in all epochs of the run.
    pub fn beginning(&self) -> Beginning {
        Beginning { tag: self.tag(), start: self.start }
    }

    /// Returns the incidents that are in force at a time, in ns since 1970.
    pub fn in_force(&self, time: u64) -> InForce {
        let windows = self.code.windows.iter().enumerate();
        windows.filter(|(_, windows)| windows.contain(time)).map(|(at, _)| IncidentId(at as u32)).collect()
    }

    /// Returns the windows of an incident.
    pub fn windows(&self, incident: IncidentId) -> Windows {
        self.code.windows[incident.index()]
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

    /// Returns the scenario of the trace with this index, by the schedule with which the run began. If the plan has a load,
    /// this takes about as long as making a trace.
    pub fn scenario(&self, index: u64) -> ScenarioId {
        if self.plan().load.is_empty() {
            return self.choice.scenario(index, self.start);
        }
        let (start, own) = self.starts().start_and_own(index);
        own.unwrap_or_else(|| self.choice.scenario(index, start))
    }

    /// Reports whether the scenario of a trace depends on the schedule, and not on the trace's index alone.
    pub fn schedule_decides_scenarios(&self) -> bool {
        self.plan().load.iter().any(|source| source.scenario.is_some()) || self.choice.is_changing()
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

/// Makes the choice of scenarios for the traces that are not of a source of their own.
fn choice(plan: &Plan, seed: u64, schedule: &Schedule, start: u64) -> Choice {
    let epoch = schedule.epochs()[0];
    let weights = plan.scenarios.iter().map(|scenario| scenario.weight);
    let (own, is_load) = (plan.have_own_source(), epoch.load.is_some());
    let weights: Vec<f64> = match is_load {
        _ if plan.load.is_empty() => weights.collect(),
        true => weights.zip(&own).map(|(weight, own)| if *own { 0.0 } else { weight }).collect(),
        false => epoch.mean_rates(plan),
    };
    // What affects all that share a load is only in the times at which they start.
    let changes_mix = |change: &RateChange| {
        let mut shared = plan.scenario_ids().filter(|id| !own[id.index()]).map(|id| change.affects(id));
        let first = shared.next();
        shared.any(|affected| Some(affected) != first)
    };
    let by_load = is_load && epoch.arrivals == Arrivals::Load;
    let surges = Surges::new(plan, start, |change| by_load && changes_mix(change));
    Choice::new(&weights, surges, seed)
}
