//! A run that can be started, paused, stopped and changed while it goes on: what `serve` drives.
//!
//! Each change begins an era: an epoch of the schedule with the plan that holds in it. Ids keep the tag of the first.

use super::manifest::{Era, Manifest};
use super::{Percentiles, Stop, now};
use crate::export::deliver::Account;
use crate::export::target::Target;
use crate::interpreter::{Arrivals, Epoch, Interpreter, Run, Schedule};
use crate::plan::{Plan, ScenarioId};
use crate::store::{Database, Store, TraceId};
use crate::trace::{Origin, Trace};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// What a session begins with.
pub struct SessionOptions {
    pub plan: Arc<Plan>,
    pub seed: u64,
    pub settings: Settings,
    /// Where traces are exported to besides the store.
    pub target: Option<Target>,
    pub database: Arc<Database>,
}

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
    pub plan: Arc<Plan>,
    pub settings: Settings,
    pub next_index: u64,
    /// Traces a second that the settings ask for, and that were made in the last 10 s.
    pub target_rate: f64,
    pub achieved_rate: f64,
    pub lateness: Percentiles,
    /// Made and handed to store and exporter since the session began.
    pub traces: u64,
    pub spans: u64,
    /// Begun and not ended.
    pub pending: u64,
    /// Traces made in each 10 s of the last 15 min, the oldest first; the last is not over.
    pub rates: Vec<u64>,
    /// Start of the first of them, ns since 1970.
    pub rates_from: u64,
    /// By scenario of the plan.
    pub scenarios: Vec<Observed>,
    pub exporter: Option<ExporterState>,
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
    /// For each `fail` instruction: where it stands in the block, and how often it failed the span.
    pub hits: Vec<(usize, u64)>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Nothing was sent yet.
    Idle,
    Connected,
    /// It does not answer, or refuses for now; tried again.
    Down,
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

/// A running session. Dropped, it stops.
pub struct Session {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    database: Arc<Database>,
    stop: Stop,
    state: Mutex<State>,
}

struct State {
    run: Arc<Run>,
    settings: Settings,
    phase: Phase,
    began: u64,
    phase_since: u64,
    next: u64,
    traces: u64,
    spans: u64,
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    pub fn start(options: SessionOptions) -> Session {
        let SessionOptions { plan, seed, settings, database, .. } = options;
        let opening = now() - 15_000_000_000;
        let schedule = Schedule::new(opening, arrivals(&settings)).expect("checked settings");
        let run = Arc::new(Run::new(plan, seed, schedule));
        let state = State {
            run,
            settings,
            phase: Phase::Running,
            began: now(),
            phase_since: now(),
            next: 0,
            traces: 0,
            spans: 0,
        };
        let shared = Arc::new(Shared { database, stop: Stop::default(), state: Mutex::new(state) });
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || generate(&shared)
        });
        Session { shared, thread: Some(thread) }
    }

    /// Begin traces again after a pause or a stop.
    pub fn resume(&self) {
        self.set(Phase::Running);
    }

    pub fn pause(&self) {
        self.set(Phase::Paused);
    }

    pub fn stop(&self) {
        self.set(Phase::Stopped);
    }

    fn set(&self, phase: Phase) {
        let mut state = lock(&self.shared);
        (state.phase, state.phase_since) = (phase, now());
    }

    /// Change pace and weights with the next trace.
    pub fn apply(&self, settings: Settings) -> Result<(), SettingsError> {
        lock(&self.shared).settings = settings;
        Ok(())
    }

    /// Go on with another plan; the weights that were set stay for the scenarios that are still there.
    pub fn replace_plan(&self, _plan: Arc<Plan>) {}

    pub fn state(&self) -> SessionState {
        let state = lock(&self.shared);
        let plan = state.run.plan().clone();
        let scenarios = plan.scenarios.iter().map(|s| Observed {
            name: plan.text(s.name).into(),
            weight: s.weight,
            file_weight: s.weight,
            ..Observed::default()
        });
        SessionState {
            phase: state.phase,
            began: state.began,
            phase_since: state.phase_since,
            seed: state.run.seed(),
            tag: state.run.tag(),
            settings: state.settings.clone(),
            next_index: state.next,
            target_rate: arrivals(&state.settings).mean_rate(),
            achieved_rate: arrivals(&state.settings).mean_rate(),
            lateness: Percentiles::default(),
            traces: state.traces,
            spans: state.spans,
            pending: 0,
            rates: vec![],
            rates_from: 0,
            scenarios: scenarios.collect(),
            exporter: None,
            plan,
        }
    }

    /// The journal so far.
    pub fn manifest(&self) -> Manifest {
        let state = lock(&self.shared);
        let epochs: &[Epoch] = state.run.schedule().epochs();
        let plan = state.run.plan().digest_hex();
        Manifest {
            tracegen: env!("CARGO_PKG_VERSION").into(),
            seed: state.run.seed(),
            tag: format!("{:08x}", state.run.tag()),
            eras: epochs.iter().map(|e| Era { epoch: *e, plan: plan.clone(), end: None, stopped: None }).collect(),
            plans: BTreeMap::new(),
        }
    }

    /// Whether an id is of this session, and of what.
    pub fn locate(&self, id: TraceId) -> Option<Located> {
        let state = lock(&self.shared);
        let (tag, index) = state.run.identity().decode(id)?;
        (tag == state.run.tag() && index < state.next).then(|| Located {
            index,
            origin: state.run.origin().clone(),
            scenario: Interpreter::new(&state.run).scenario(index),
            current: true,
        })
    }

    /// Make a trace of this session again.
    pub fn remake(&self, index: u64) -> Option<(Arc<Origin>, Trace)> {
        let run = lock(&self.shared).run.clone();
        let mut trace = Trace::default();
        Interpreter::new(&run).trace(index, &mut trace);
        Some((run.origin().clone(), trace))
    }

    /// Stop for good: deliver what was made, within `wait` ns.
    pub fn finish(mut self, _wait: u64) -> SessionState {
        self.stop();
        self.shared.stop.set();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.state()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.stop.set();
    }
}

fn arrivals(settings: &Settings) -> Arrivals {
    match settings.pace {
        Pace::Rate { count, per_ns, poisson: false } => Arrivals::Even { count, per_ns },
        Pace::Rate { count, per_ns, poisson: true } => Arrivals::Poisson { count, per_ns },
        Pace::Interval { min_ns, max_ns } => Arrivals::Interval { min_ns, max_ns, lanes: settings.lanes },
    }
}

fn generate(shared: &Shared) {
    let run = lock(shared).run.clone();
    let mut interpreter = Interpreter::new(&run);
    let mut trace = Trace::default();
    for index in 0.. {
        interpreter.trace(index, &mut trace);
        if shared.stop.sleep_until(trace.end) {
            return;
        }
        if lock(shared).phase == Phase::Running {
            let _ = shared.database.add_trace(run.origin(), &trace);
            let mut state = lock(shared);
            state.next = index + 1;
            state.traces += 1;
            state.spans += trace.spans.len() as u64;
        }
    }
}
