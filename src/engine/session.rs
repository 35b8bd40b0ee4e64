//! A run that can be started, paused, stopped and changed while it goes on, as `serve` needs it.
//!
//! Each change begins an era: an epoch of the schedule with the plan that applies in it. All ids keep the tag of the first
//! era. One thread generates all traces; callers that steer or observe never wait for it.

mod control;
mod exporter;
mod figures;
mod generator;
mod state;

pub use state::{ExporterState, Located, Observed, ObservedBlock, Pace, Phase, SessionState, Settings, SettingsError};

use crate::clock::Clock;
use crate::export::target::Target;
use crate::histogram;
use crate::interpreter::{Beginning, Epoch, Interpreter, Run, Starts};
use crate::journal::{self, Archive, Identified, Manifest, Selection, Sending, Totals};
use crate::plan::Plan;
use crate::store::Database;
use crate::trace::{Origin, Trace, TraceId};
use control::{Control, Wanted};
use exporter::{Exporter, Watch};
use figures::{Figures, Tally};
use generator::Generator;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How far in the past a session opens its schedule, in ns. It catches up at once, so that there are traces from the
/// beginning.
const HEAD_START: u64 = 15_000_000_000;

/// The parameters of a session.
pub struct SessionOptions {
    pub plan: Arc<Plan>,
    pub seed: u64,
    pub settings: Settings,
    /// The receiver of the traces besides the store.
    pub target: Option<Target>,
    /// How spans leave for the target. The store always gets whole traces.
    pub sending: Sending,
    pub database: Arc<Database>,
    /// The clock by which traces begin and end.
    pub clock: Arc<dyn Clock>,
}

/// A running session, which stops when it is dropped.
pub struct Session {
    shared: Arc<Shared>,
    watch: Option<Watch>,
    thread: Mutex<Option<JoinHandle<Option<Exporter>>>>,
}

/// The state that the generator shares with observers.
struct Shared {
    database: Arc<Database>,
    sending: Sending,
    clock: Arc<dyn Clock>,
    seed: u64,
    beginning: Beginning,
    began: u64,
    control: Control,
    archive: Mutex<Archive>,
    /// The opening of the first era, in ns since 1970.
    opening: u64,
    /// The index of the next trace to begin.
    next_index: AtomicU64,
    lateness: histogram::Shared,
    figures: Mutex<Figures>,
}

impl Session {
    /// Starts a session.
    ///
    /// # Errors
    /// The plan can't have the settings, a certificate of the target can't be used, or the system gives no threads.
    pub fn start(options: SessionOptions) -> Result<Session, SettingsError> {
        let SessionOptions { plan, seed, settings, target, sending, database, clock } = options;
        let weighted = settings.on(&plan)?;
        let began = clock.now();
        let opening = began.saturating_sub(HEAD_START);
        let epoch = settings.epoch(&weighted, 0, opening, opening);
        let schedule = journal::only(epoch).map_err(|e| SettingsError(e.to_string()))?;
        let run = Arc::new(Run::new(weighted.clone(), seed, schedule));
        let mut archive = Archive::new(&run, Selection::default()).sending(sending.clone());
        archive.begin(epoch, &plan, settings.weights.clone());
        archive.keep(0, run.clone());
        let (exporter, watch) = target.map(Exporter::start).transpose()?.unzip();
        let wanted = Wanted {
            phase: Phase::Running,
            phase_since: began,
            settings,
            plan,
            weighted,
            discard: false,
            is_over: false,
        };
        let shared = Arc::new(Shared {
            database,
            sending,
            clock,
            seed,
            beginning: run.beginning(),
            began,
            opening,
            figures: Mutex::new(Figures::new(&wanted.plan, began)),
            control: Control::new(wanted.clone()),
            archive: Mutex::new(archive),
            next_index: AtomicU64::new(0),
            lateness: histogram::Shared::default(),
        });
        let generator = Generator::new(shared.clone(), wanted, run, exporter);
        let thread = std::thread::Builder::new().name("generate".into()).spawn(move || generator.run());
        let thread = thread.map_err(|e| SettingsError(format!("no thread to generate on: {e}")))?;
        Ok(Session { shared, watch, thread: Mutex::new(Some(thread)) })
    }

    /// Begins traces again after a pause or a stop.
    pub fn resume(&self) {
        self.change(|wanted, now| wanted.enter(Phase::Running, now));
    }

    /// Begins no more traces, and lets those that have begun go on.
    pub fn pause(&self) {
        self.change(|wanted, now| {
            if wanted.phase == Phase::Running {
                wanted.enter(Phase::Paused, now);
            }
        });
    }

    /// Begins no more traces, and drops those that have begun.
    pub fn stop(&self) {
        self.change(|wanted, now| {
            wanted.enter(Phase::Stopped, now);
            wanted.discard = true;
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Wanted, u64) -> T) -> T {
        let now = self.shared.clock.now();
        self.shared.control.change(|wanted| change(wanted, now))
    }

    /// Changes pace and weights from the next trace on.
    ///
    /// # Errors
    /// The plan can't have them; nothing is changed.
    pub fn apply(&self, settings: Settings) -> Result<(), SettingsError> {
        self.shared.control.change(|wanted| {
            let weighted = settings.on(&wanted.plan)?;
            if settings.weights != wanted.settings.weights {
                wanted.weighted = weighted;
            }
            wanted.settings = settings;
            Ok(())
        })
    }

    /// Continues with another plan. The weights that were set stay for scenarios that still exist, unless that would leave
    /// no scenario with a weight.
    pub fn replace_plan(&self, plan: Arc<Plan>) {
        self.shared.control.change(|wanted| {
            if plan.digest() == wanted.plan.digest() {
                return;
            }
            let is_there = |name: &str| plan.scenarios.iter().any(|s| plan.text(s.name) == name);
            wanted.settings.weights.retain(|name, _| is_there(name));
            wanted.weighted = wanted.settings.on(&plan).unwrap_or_else(|_| {
                wanted.settings.weights.clear();
                plan.clone()
            });
            wanted.plan = plan;
        });
    }

    pub fn state(&self) -> SessionState {
        let wanted = self.shared.control.wanted().clone();
        let mut figures = self.shared.figures.lock();
        figures.reach(self.shared.clock.now());
        // Counts of another plan do not apply to this one.
        let rates = self.epoch(&wanted).mean_rates(&wanted.weighted);
        let scenarios = if Arc::ptr_eq(&figures.tally.plan, &wanted.plan) {
            figures.tally.observed(&wanted.weighted, &rates)
        } else {
            Tally::new(&wanted.plan).observed(&wanted.weighted, &rates)
        };
        SessionState {
            phase: wanted.phase,
            began: self.shared.began,
            phase_since: wanted.phase_since,
            seed: self.shared.seed,
            tag: self.shared.beginning.tag,
            target_rate: self.target_rate(&wanted),
            plan: wanted.plan,
            settings: wanted.settings,
            next_index: self.shared.next_index.load(Ordering::Acquire),
            achieved_rate: figures.achieved.rate(self.shared.began),
            lateness: self.shared.lateness.percentiles(),
            traces: figures.traces,
            spans: figures.spans,
            pending: figures.pending,
            waiting: figures.waiting,
            rates: figures.rates.counts(),
            rates_from: figures.rates.from(),
            scenarios,
            exporter: self.watch.as_ref().map(Watch::state),
        }
    }

    /// Returns an epoch of the session in which everything is as wanted.
    fn epoch(&self, wanted: &Wanted) -> Epoch {
        let opening = self.shared.opening;
        wanted.settings.epoch(&wanted.weighted, 0, opening, opening)
    }

    /// Returns the rate at which traces are to start now, in traces per second.
    fn target_rate(&self, wanted: &Wanted) -> f64 {
        let (epoch, now) = (self.epoch(wanted), self.shared.clock.now());
        let starts = journal::only(epoch)
            .map(|schedule| Starts::new(&wanted.weighted, self.shared.seed, schedule, self.shared.beginning.start));
        // Settings are checked before they are wanted.
        starts.map_or(0.0, |mut starts| starts.rate(now))
    }

    /// Returns the plan as compiled, with the weights that its files give.
    pub fn plan(&self) -> Arc<Plan> {
        self.shared.control.wanted().plan.clone()
    }

    /// Returns the start of the schedule, from which the windows of incidents are counted, in ns since 1970.
    pub fn opening(&self) -> u64 {
        self.shared.opening
    }

    pub fn settings(&self) -> Settings {
        self.shared.control.wanted().settings.clone()
    }

    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// Returns the phase and the achieved rate in traces a second, which every page shows.
    pub fn glance(&self) -> (Phase, f64) {
        let phase = self.shared.control.wanted().phase;
        let mut figures = self.shared.figures.lock();
        figures.reach(self.shared.clock.now());
        (phase, figures.achieved.rate(self.shared.began))
    }

    /// Returns the journal so far.
    pub fn manifest(&self) -> Manifest {
        let ended = {
            let figures = self.shared.figures.lock();
            let account = || self.watch.as_ref().map(|watch| watch.state().account);
            figures.ended.map(|at| Totals {
                traces: figures.traces,
                spans: figures.spans,
                time: at,
                account: account(),
            })
        };
        // The plans are serialized without holding the lock.
        let archive = self.shared.archive.lock().clone();
        archive.manifest(ended)
    }

    /// Returns the trace with this id, if it is one of this session.
    pub fn locate(&self, id: TraceId) -> Option<Located> {
        let mut archive = self.shared.archive.lock();
        let Identified::Ours { index } = archive.identify(id) else { return None };
        if index >= self.shared.next_index.load(Ordering::Acquire) {
            return None;
        }
        let run = archive.run(index)?;
        let digest = archive.plan(index)?.digest();
        drop(archive);
        let current = digest == self.shared.control.wanted().plan.digest();
        Some(Located { index, origin: run.origin().clone(), scenario: run.scenario(index), current })
    }

    /// Generates a trace of this session again.
    pub fn remake(&self, index: u64) -> Option<(Arc<Origin>, Trace)> {
        if index >= self.shared.next_index.load(Ordering::Acquire) {
            return None;
        }
        let run = self.shared.archive.lock().run(index)?;
        let mut trace = Trace::default();
        Interpreter::new(&run).trace(index, &mut trace);
        Some((run.origin().clone(), trace))
    }

    /// Stops for good, and waits up to `wait` ns for the delivery of the traces. The manifest is complete then.
    pub fn finish(&self, wait: u64) -> SessionState {
        self.end();
        let exporter = self.thread.lock().take().and_then(|thread| thread.join().unwrap_or_default());
        exporter.map(|exporter| exporter.finish(Duration::from_nanos(wait)));
        self.state()
    }

    fn end(&self) {
        self.change(|wanted, now| {
            wanted.enter(Phase::Stopped, now);
            wanted.discard = true;
            wanted.is_over = true;
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}
