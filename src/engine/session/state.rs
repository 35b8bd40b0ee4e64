//! The settings that a session takes, and the state that it shows.

use crate::export::deliver::{Account, Link};
use crate::histogram::Percentiles;
use crate::interpreter::{Arrivals, Epoch, LoadTerms, Schedule};
use crate::plan::{BlockId, Fault, Plan, ScenarioId, limits};
use crate::trace::Origin;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// The settings that can be changed while a session runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub pace: Pace,
    /// The number of generators side by side in [`Pace::Interval`].
    pub lanes: u32,
    /// Whether the load of the files replaces the pace, if they have one.
    pub by_files: bool,
    /// The factor by which the load of the files is multiplied, in millionths.
    pub factor: u64,
    /// The weights by scenario name. Scenarios that are not listed have the weight that their file gives; 0 switches a
    /// scenario off.
    pub weights: BTreeMap<String, f64>,
}

/// How traces arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// `count` traces in `per_ns` ns.
    Rate { count: u64, per_ns: u64, poisson: bool },
    /// The minimum and maximum gap in a lane, uniformly distributed.
    Interval { min_ns: u64, max_ns: u64 },
}

/// The reason why settings are refused, as shown to the person who sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reports whether traces of a plan arrive as the load of its files says, and not at the pace.
    pub fn is_by_load(&self, plan: &Plan) -> bool {
        self.by_files && plan.shared_source().is_some()
    }

    /// Returns how traces of a plan arrive.
    fn arrivals(&self, plan: &Plan) -> Arrivals {
        match self.pace {
            _ if self.is_by_load(plan) => Arrivals::Load,
            Pace::Rate { count, per_ns, poisson: false } => Arrivals::Even { count, per_ns },
            Pace::Rate { count, per_ns, poisson: true } => Arrivals::Poisson { count, per_ns },
            Pace::Interval { min_ns, max_ns } => Arrivals::Interval { min_ns, max_ns, lanes: self.lanes },
        }
    }

    /// Returns the epoch of a plan that begins with trace `first` at `opening`, in ns since 1970. Stages of the plan's load
    /// are counted from `anchor`.
    pub(super) fn epoch(&self, plan: &Plan, first: u64, opening: u64, anchor: u64) -> Epoch {
        let load = (!plan.load.is_empty()).then_some(LoadTerms { anchor, factor: self.factor });
        Epoch { first, opening, arrivals: self.arrivals(plan), load }
    }

    /// Returns `plan` with the weights.
    ///
    /// # Errors
    /// The plan can't have the pace, the factor or the weights.
    pub(super) fn on(&self, plan: &Arc<Plan>) -> Result<Arc<Plan>, SettingsError> {
        Schedule::of(self.epoch(plan, 0, 0, 0)).map_err(|e| SettingsError(e.to_string()))?;
        for (name, weight) in &self.weights {
            if !plan.scenarios.iter().any(|s| plan.text(s.name) == name) {
                return Err(SettingsError(format!("there is no scenario `{name}`")));
            }
            if !weight.is_finite() || *weight < 0.0 {
                let problem = format!("weight {weight} of scenario `{name}`: a weight is a finite number, at least 0");
                return Err(SettingsError(problem));
            }
        }
        let weighted = crate::journal::weighted(plan, &self.weights).map_err(|violations| {
            let is_sum = violations.iter().any(|violation| violation.fault == Fault::NoWeight);
            let problem = "at least one scenario must have a weight above 0".to_string();
            SettingsError(if is_sum { problem } else { violations.to_string() })
        })?;
        let peaks = weighted.load.iter().map(|source| weighted.peak_rate(source));
        if peaks.sum::<f64>() * self.factor as f64 / LoadTerms::ONE as f64 > limits::LOAD_RATE {
            let limit = limits::LOAD_RATE;
            return Err(SettingsError(format!("with this factor the load is more than {limit} traces a second")));
        }
        Ok(weighted)
    }
}

/// The phase of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Running,
    /// No trace begins; traces that have begun go on to their end.
    Paused,
    /// No trace begins; traces that had not ended were dropped.
    Stopped,
}

/// The state of a session at one moment.
#[derive(Clone, Debug)]
pub struct SessionState {
    pub phase: Phase,
    /// The time when the session began, in ns since 1970.
    pub began: u64,
    /// The time when the phase began, in ns since 1970.
    pub phase_since: u64,
    pub seed: u64,
    pub tag: u32,
    /// The plan as compiled; the weights that were set are in `scenarios`.
    pub plan: Arc<Plan>,
    pub settings: Settings,
    pub next_index: u64,
    /// The rate that the settings ask for, in traces a second.
    pub target_rate: f64,
    /// The rate of the last 10 s, in traces a second.
    pub achieved_rate: f64,
    /// The time from when a trace could be handed on, because it had ended and its turn had come, until it was.
    pub lateness: Percentiles,
    /// The number of traces handed to store and exporter since the session began.
    pub traces: u64,
    /// The number of spans handed to store and exporter since the session began.
    pub spans: u64,
    /// The number of traces that have begun and not ended.
    pub pending: u64,
    /// No trace begins until one has ended, because there is no memory for more.
    pub waiting: bool,
    /// The number of traces in each 10 s of the last 15 min, the oldest first; the last interval is not complete.
    pub rates: Vec<u64>,
    /// The start of the first interval in `rates`, in ns since 1970.
    pub rates_from: u64,
    /// The counts by scenario of the plan.
    pub scenarios: Vec<Observed>,
    pub exporter: Option<ExporterState>,
}

impl SessionState {
    /// Returns the counts of a scenario of `plan`, or `None` if another plan is in use.
    pub fn observed(&self, plan: &Plan, scenario: ScenarioId) -> Option<&Observed> {
        (self.plan.digest() == plan.digest()).then(|| self.scenarios.get(scenario.index())).flatten()
    }
}

/// The counts of a scenario under the plan in use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    pub name: String,
    /// The weight in use.
    pub weight: f64,
    /// The weight that the file gives.
    pub file_weight: f64,
    /// The mean number of traces per second that the settings ask for.
    pub rate: f64,
    pub traces: u64,
    /// The number of traces in which a span failed.
    pub failed: u64,
    pub spans: u64,
    /// The counts by block of the scenario, in the plan's order.
    pub blocks: Vec<ObservedBlock>,
}

/// The counts of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedBlock {
    /// The number of the block in the plan.
    pub block: u32,
    /// The number of spans of the block.
    pub runs: u64,
    /// For each `fail` instruction, in their order, its position in the block and how often it failed the span.
    pub hits: Vec<(usize, u64)>,
}

impl Observed {
    /// Returns the counts by block, for fast lookup.
    pub fn by_block(&self) -> HashMap<BlockId, &ObservedBlock> {
        self.blocks.iter().map(|block| (BlockId(block.block), block)).collect()
    }
}

impl ObservedBlock {
    /// Returns how often the `fail` instruction at position `pc` failed the span.
    pub fn hits_at(&self, pc: usize) -> u64 {
        self.hits.binary_search_by_key(&pc, |(at, _)| *at).map_or(0, |at| self.hits[at].1)
    }
}

/// The state of an exporter.
#[derive(Clone, Debug)]
pub struct ExporterState {
    /// The endpoint, without secrets.
    pub endpoint: String,
    /// The protocol in words, such as `OTLP/gRPC`.
    pub protocol: String,
    pub link: Link,
    pub account: Account,
    /// The last error and when it was first seen, in ns since 1970; kept after it is over.
    pub last_error: Option<(u64, String)>,
    /// The time when the last error was over, in ns since 1970.
    pub recovered: Option<u64>,
    /// The distribution of the time from a request to its answer.
    pub latency: Percentiles,
}

/// A trace of this session that an id belongs to.
#[derive(Clone, Debug)]
pub struct Located {
    pub index: u64,
    pub origin: Arc<Origin>,
    pub scenario: ScenarioId,
    /// The plan of the trace is the one in use.
    pub current: bool,
}

impl Located {
    pub fn scenario_name(&self) -> &str {
        self.origin.plan.scenario_name(self.scenario)
    }
}
