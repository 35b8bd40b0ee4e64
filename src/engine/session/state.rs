//! What a session is told, and what it tells.

use crate::export::deliver::{Account, Link};
use crate::histogram::Percentiles;
use crate::interpreter::{Arrivals, Schedule};
use crate::plan::{BlockId, Plan, ScenarioId};
use crate::trace::Origin;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// What can be changed while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub pace: Pace,
    /// Of [`Pace::Interval`]: generators side by side.
    pub lanes: u32,
    /// By scenario name; those that are not here have the weight that their file gives. 0 switches one off.
    pub weights: BTreeMap<String, f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// `count` traces in `per_ns` ns.
    Rate { count: u64, per_ns: u64, poisson: bool },
    /// Gaps of a lane, uniform.
    Interval { min_ns: u64, max_ns: u64 },
}

/// Why settings are refused, for the person who sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    pub(super) fn arrivals(&self) -> Arrivals {
        match self.pace {
            Pace::Rate { count, per_ns, poisson: false } => Arrivals::Even { count, per_ns },
            Pace::Rate { count, per_ns, poisson: true } => Arrivals::Poisson { count, per_ns },
            Pace::Interval { min_ns, max_ns } => Arrivals::Interval { min_ns, max_ns, lanes: self.lanes },
        }
    }

    /// Pace and weights can be those of `plan`; the plan with them.
    pub(super) fn on(&self, plan: &Arc<Plan>) -> Result<Arc<Plan>, SettingsError> {
        Schedule::new(0, self.arrivals()).map_err(|e| SettingsError(e.to_string()))?;
        for (name, weight) in &self.weights {
            if !plan.scenarios.iter().any(|s| plan.text(s.name) == name) {
                return Err(SettingsError(format!("there is no scenario `{name}`")));
            }
            if !weight.is_finite() || *weight < 0.0 {
                let problem = format!("weight {weight} of scenario `{name}`: a weight is a finite number, at least 0");
                return Err(SettingsError(problem));
            }
        }
        crate::journal::weighted(plan, &self.weights)
            .map_err(|_| SettingsError("at least one scenario must have a weight above 0".into()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Running,
    /// No trace begins; those that have begun go on to their end.
    Paused,
    /// No trace begins, and those that had not ended were not sent.
    Stopped,
}

/// What a session looks like at one moment.
#[derive(Clone, Debug)]
pub struct SessionState {
    pub phase: Phase,
    /// When the session, and when this phase, began; ns since 1970.
    pub began: u64,
    pub phase_since: u64,
    pub seed: u64,
    pub tag: u32,
    /// As compiled: the weights that were set are in `scenarios`.
    pub plan: Arc<Plan>,
    pub settings: Settings,
    pub next_index: u64,
    /// Traces a second that the settings ask for, and that were made in the last 10 s.
    pub target_rate: f64,
    pub achieved_rate: f64,
    /// How long after its end, and its turn, a trace was handed on.
    pub lateness: Percentiles,
    /// Made and handed to store and exporter since the session began.
    pub traces: u64,
    pub spans: u64,
    /// Begun and not ended.
    pub pending: u64,
    /// No trace begins until one has ended: there is no memory for more.
    pub waiting: bool,
    /// Traces made in each 10 s of the last 15 min, the oldest first; the last is not over.
    pub rates: Vec<u64>,
    /// Start of the first of them, ns since 1970.
    pub rates_from: u64,
    /// By scenario of the plan.
    pub scenarios: Vec<Observed>,
    pub exporter: Option<ExporterState>,
}

impl SessionState {
    /// What was made of a scenario of a plan; `None`: another plan is in use.
    pub fn observed(&self, plan: &Plan, scenario: ScenarioId) -> Option<&Observed> {
        (self.plan.digest() == plan.digest()).then(|| self.scenarios.get(scenario.index())).flatten()
    }
}

/// What was made of a scenario under the plan in use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    pub name: String,
    /// In use.
    pub weight: f64,
    /// What its file gives.
    pub file_weight: f64,
    pub traces: u64,
    /// Traces in which any span failed.
    pub failed: u64,
    pub spans: u64,
    /// By block of the scenario, in the plan's order.
    pub blocks: Vec<ObservedBlock>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedBlock {
    /// In the plan.
    pub block: u32,
    /// Spans of it.
    pub runs: u64,
    /// For each `fail` instruction, in their order: where it stands in the block, and how often it failed the span.
    pub hits: Vec<(usize, u64)>,
}

impl Observed {
    /// What was made of each block, for who looks up many.
    pub fn by_block(&self) -> HashMap<BlockId, &ObservedBlock> {
        self.blocks.iter().map(|block| (BlockId(block.block), block)).collect()
    }
}

impl ObservedBlock {
    /// How often a `fail` instruction failed the span.
    pub fn hits_at(&self, pc: usize) -> u64 {
        self.hits.binary_search_by_key(&pc, |(at, _)| *at).map_or(0, |at| self.hits[at].1)
    }
}

#[derive(Clone, Debug)]
pub struct ExporterState {
    /// Endpoint, without secrets.
    pub endpoint: String,
    /// `OTLP/gRPC`.
    pub protocol: String,
    pub link: Link,
    pub account: Account,
    /// The last error and when it was, ns since 1970; kept after it is over.
    pub last_error: Option<(u64, String)>,
    /// When that was over, ns since 1970.
    pub recovered: Option<u64>,
    /// Time from a request to its answer.
    pub latency: Percentiles,
}

/// A trace of this session, told from its id.
#[derive(Clone, Debug)]
pub struct Located {
    pub index: u64,
    pub origin: Arc<Origin>,
    pub scenario: ScenarioId,
    /// Whether the plan is the one in use.
    pub current: bool,
}

impl Located {
    pub fn scenario_name(&self) -> &str {
        self.origin.plan.scenario_name(self.scenario)
    }
}
