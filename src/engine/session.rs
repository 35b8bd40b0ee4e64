//! A run that can be started, paused, stopped and changed while it goes on: what `serve` drives.
//!
//! Each change begins an era: an epoch of the schedule with the plan that holds in it. Ids keep the tag of the first. One
//! thread makes all traces; those who steer and look never wait for it.

mod control;
mod exporter;
mod figures;
mod generator;
mod state;

pub use state::{ExporterState, Located, Observed, ObservedBlock, Pace, Phase, SessionState, Settings, SettingsError};

use crate::clock::Clock;
use crate::export::target::Target;
use crate::histogram;
use crate::interpreter::{Epoch, Interpreter, Run};
use crate::journal::{self, Archive, Identified, Manifest, Selection, Totals};
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

/// A session opens its schedule so far in the past, ns, and catches up at once: there is something to look at from the
/// beginning.
const HEAD_START: u64 = 15_000_000_000;

/// What a session begins with.
pub struct SessionOptions {
    pub plan: Arc<Plan>,
    pub seed: u64,
    pub settings: Settings,
    /// Where traces are exported to besides the store.
    pub target: Option<Target>,
    pub database: Arc<Database>,
    /// By which traces begin and end.
    pub clock: Arc<dyn Clock>,
}

/// A running session. Dropped, it stops.
pub struct Session {
    shared: Arc<Shared>,
    watch: Option<Watch>,
    thread: Mutex<Option<JoinHandle<Option<Exporter>>>>,
}

/// What the generator shares with those who look.
struct Shared {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    seed: u64,
    tag: u32,
    began: u64,
    control: Control,
    archive: Mutex<Archive>,
    /// The next index to begin.
    next: AtomicU64,
    lateness: histogram::Shared,
    figures: Mutex<Figures>,
}

impl Session {
    /// # Errors
    /// Settings that the plan can't have, a certificate of the target that can't be used, or a system that gives no threads.
    pub fn start(options: SessionOptions) -> Result<Session, SettingsError> {
        let SessionOptions { plan, seed, settings, target, database, clock } = options;
        let weighted = settings.on(&plan)?;
        let began = clock.now();
        let epoch = Epoch { first: 0, opening: began.saturating_sub(HEAD_START), arrivals: settings.arrivals() };
        let schedule = journal::only(epoch).map_err(|e| SettingsError(e.to_string()))?;
        let run = Arc::new(Run::new(weighted.clone(), seed, schedule));
        let mut archive = Archive::new(&run, Selection::default());
        archive.begin(epoch, &plan, settings.weights.clone());
        archive.keep(0, run.clone());
        let (exporter, watch) = target.map(Exporter::start).transpose()?.unzip();
        let wanted =
            Wanted { phase: Phase::Running, phase_since: began, settings, plan, weighted, discard: false, over: false };
        let shared = Arc::new(Shared {
            database,
            clock,
            seed,
            tag: run.tag(),
            began,
            figures: Mutex::new(Figures::new(&wanted.plan, began)),
            control: Control::new(wanted.clone()),
            archive: Mutex::new(archive),
            next: AtomicU64::new(0),
            lateness: histogram::Shared::default(),
        });
        let generator = Generator::new(shared.clone(), wanted, run, exporter);
        let thread = std::thread::Builder::new().name("generate".into()).spawn(move || generator.run());
        let thread = thread.map_err(|e| SettingsError(format!("no thread to generate on: {e}")))?;
        Ok(Session { shared, watch, thread: Mutex::new(Some(thread)) })
    }

    /// Begin traces again after a pause or a stop.
    pub fn resume(&self) {
        self.change(|wanted, now| wanted.enter(Phase::Running, now));
    }

    pub fn pause(&self) {
        self.change(|wanted, now| {
            if wanted.phase == Phase::Running {
                wanted.enter(Phase::Paused, now);
            }
        });
    }

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

    /// Change pace and weights with the next trace.
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

    /// Go on with another plan; the weights that were set stay for the scenarios that are still there, unless that would
    /// leave none.
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
        // Counts of another plan say nothing of this one.
        let scenarios = if Arc::ptr_eq(&figures.tally.plan, &wanted.plan) {
            figures.tally.observed(&wanted.weighted)
        } else {
            Tally::new(&wanted.plan).observed(&wanted.weighted)
        };
        SessionState {
            phase: wanted.phase,
            began: self.shared.began,
            phase_since: wanted.phase_since,
            seed: self.shared.seed,
            tag: self.shared.tag,
            target_rate: wanted.settings.arrivals().mean_rate(),
            plan: wanted.plan,
            settings: wanted.settings,
            next_index: self.shared.next.load(Ordering::Acquire),
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

    /// As compiled, with the weights of its files.
    pub fn plan(&self) -> Arc<Plan> {
        self.shared.control.wanted().plan.clone()
    }

    pub fn settings(&self) -> Settings {
        self.shared.control.wanted().settings.clone()
    }

    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// The phase, and traces a second as achieved: what stands on every page.
    pub fn glance(&self) -> (Phase, f64) {
        let phase = self.shared.control.wanted().phase;
        let mut figures = self.shared.figures.lock();
        figures.reach(self.shared.clock.now());
        (phase, figures.achieved.rate(self.shared.began))
    }

    /// The journal so far.
    pub fn manifest(&self) -> Manifest {
        let ended = {
            let figures = self.shared.figures.lock();
            let account = || self.watch.as_ref().map(|watch| watch.state().account);
            figures.ended.map(|at| Totals { traces: figures.traces, spans: figures.spans, at, account: account() })
        };
        // Plans are written out without holding up anyone.
        let archive = self.shared.archive.lock().clone();
        archive.manifest(ended)
    }

    /// Whether an id is of this session, and of what.
    pub fn locate(&self, id: TraceId) -> Option<Located> {
        let mut archive = self.shared.archive.lock();
        let Identified::Ours { index } = archive.identify(id) else { return None };
        if index >= self.shared.next.load(Ordering::Acquire) {
            return None;
        }
        let run = archive.run(index)?;
        let digest = archive.plan(index)?.digest();
        drop(archive);
        let current = digest == self.shared.control.wanted().plan.digest();
        Some(Located { index, origin: run.origin().clone(), scenario: run.scenario(index), current })
    }

    /// Make a trace of this session again.
    pub fn remake(&self, index: u64) -> Option<(Arc<Origin>, Trace)> {
        if index >= self.shared.next.load(Ordering::Acquire) {
            return None;
        }
        let run = self.shared.archive.lock().run(index)?;
        let mut trace = Trace::default();
        Interpreter::new(&run).trace(index, &mut trace);
        Some((run.origin().clone(), trace))
    }

    /// Stop for good, and deliver what was made, within `wait` ns. The manifest is complete then.
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
            wanted.over = true;
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}
