//! The thread that generates a session's traces.

use super::Shared;
use super::control::Wanted;
use super::exporter::Exporter;
use super::figures::{Figures, Tally};
use super::state::Phase;
use crate::engine::departures::{Departure, Departures};
use crate::engine::outbox::Outbox;
use crate::engine::pending::Pending;
use crate::engine::recent::Recent;
use crate::interpreter::{Interpreter, Run};
use crate::journal::{self, Sending, Unit};
use crate::plan::Plan;
use crate::store::Store;
use crate::trace::Trace;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The maximum number of eras with traces that have not ended; a further change waits for one of them.
const MOST_LIVE: usize = 64;
/// The interval in which observers get new figures, in ns.
const PUBLISH_EVERY: u64 = 100_000_000;
/// The length of a pause in which there is time to publish figures, in ns.
const IDLE: u64 = 10_000_000;

/// An era that is open, or has traces that have not ended.
struct Live {
    /// The index of the era's first trace.
    first: u64,
    interpreter: Interpreter,
    /// The plan as compiled.
    plan: Arc<Plan>,
    outbox: Option<Outbox>,
    /// The spans that have not left for the exporter; `None` if traces leave as a whole.
    departures: Option<(Departures, Recent)>,
    /// The number of traces that have not ended.
    pending: u64,
}

/// The generator of a session's traces.
pub struct Generator {
    shared: Arc<Shared>,
    /// The wishes that are being carried out.
    wanted: Wanted,
    exporter: Option<Exporter>,
    /// The eras in their order, at least one. Traces begin in the last one.
    live: VecDeque<Live>,
    /// An era must be opened before the next trace begins.
    stale: bool,
    pending: Pending,
    trace: Trace,
    figures: Figures,
    next_index: u64,
    now: u64,
    /// The latest start of any trace begun, in ns since 1970.
    begun: u64,
    /// The latest end of any trace handed on, in ns since 1970.
    ended: u64,
    published: u64,
}

impl Generator {
    pub fn new(shared: Arc<Shared>, wanted: Wanted, run: Arc<Run>, exporter: Option<Exporter>) -> Generator {
        let first = Live::new(0, &run, &wanted.plan, exporter.as_ref(), &shared.sending);
        Generator {
            figures: Figures::new(&wanted.plan, shared.began),
            now: shared.began,
            shared,
            wanted,
            exporter,
            live: VecDeque::from([first]),
            stale: false,
            pending: Pending::new(1),
            trace: Trace::default(),
            next_index: 0,
            begun: 0,
            ended: 0,
            published: 0,
        }
    }

    /// Runs until the session is over, and returns the exporter, which may still have traces on their way.
    pub fn run(mut self) -> Option<Exporter> {
        loop {
            self.now = self.shared.clock.now();
            if let Some(wanted) = self.shared.control.take() {
                self.obey(wanted);
            }
            if self.wanted.is_over {
                break;
            }
            self.open_era_if_wanted();
            let wake = self.step().min(self.depart());
            let flush = self.flush_if_due();
            let idle = wake.min(flush).saturating_sub(self.now);
            if idle > IDLE || self.now.abs_diff(self.published) > PUBLISH_EVERY {
                self.publish();
            }
            if idle > 0 {
                self.shared.control.sleep_until(self.now.saturating_add(idle), &*self.shared.clock);
            }
        }
        self.figures.ended = Some(self.now);
        self.publish();
        self.exporter
    }

    fn obey(&mut self, wanted: Wanted) {
        let mut ran = self.wanted.phase == Phase::Running;
        if wanted.discard {
            self.discard();
            ran = false;
        }
        let runs = wanted.phase == Phase::Running;
        if !runs {
            self.shared.archive.lock().end(self.next_index);
        }
        let same = Arc::ptr_eq(&wanted.weighted, &self.wanted.weighted)
            && wanted.settings.epoch(&wanted.weighted, 0, 0, 0)
                == self.wanted.settings.epoch(&wanted.weighted, 0, 0, 0);
        self.stale = runs && (self.stale || !ran || !same);
        if !Arc::ptr_eq(&wanted.plan, &self.figures.tally.plan) {
            self.figures.tally = Tally::new(&wanted.plan);
        }
        self.wanted = wanted;
        self.publish();
    }

    fn open_era_if_wanted(&mut self) {
        if !self.stale || self.live.len() >= MOST_LIVE {
            return;
        }
        let Wanted { settings, plan, weighted, .. } = &self.wanted;
        let mut archive = self.shared.archive.lock();
        let opening = self.now.max(self.begun).max(archive.last_opening());
        let epoch = settings.epoch(weighted, self.next_index, opening, self.shared.opening);
        // The settings have been checked, so this fails only if the clock is beyond the last possible start (in 2262).
        let Ok(schedule) = journal::only(epoch) else { return };
        let run = Arc::new(Run::going_on(weighted.clone(), self.shared.seed, schedule, self.shared.beginning));
        archive.begin(epoch, plan, settings.weights.clone());
        archive.keep(self.next_index, run.clone());
        archive.forget();
        drop(archive);
        let live = Live::new(self.next_index, &run, plan, self.exporter.as_ref(), &self.shared.sending);
        self.live.push_back(live);
        self.drop_ended();
        self.stale = false;
    }

    /// Does one piece of work, and returns the time until which there is nothing else to do, in ns since 1970.
    fn step(&mut self) -> u64 {
        let mut wake = u64::MAX;
        if let Some((due, index)) = self.pending.first() {
            if due <= self.now {
                self.pending.pop();
                self.hand_on_due(index);
                return self.now;
            }
            wake = due;
        }
        let open = self.live.iter().filter_map(|live| live.departures.as_ref()).map(|(departures, _)| departures.len());
        self.figures.waiting = self.pending.is_full() || open.sum::<usize>() >= Departures::MOST;
        if self.wanted.phase != Phase::Running || self.stale || self.figures.waiting {
            return wake;
        }
        let index = self.next_index;
        let Some(live) = self.live.back_mut() else { return wake };
        let start = live.interpreter.start(index);
        if start > self.now {
            return wake.min(start);
        }
        live.interpreter.trace(index, &mut self.trace);
        self.next_index += 1;
        self.shared.next_index.store(self.next_index, Ordering::Release);
        self.begun = self.begun.max(start);
        if let Some((departures, _)) = &mut live.departures {
            departures.add(&self.trace, None);
        }
        if self.trace.end <= self.now {
            let at = self.live.len() - 1;
            self.hand_on(at, self.trace.end.max(self.begun));
        } else {
            live.pending += 1;
            self.pending.push(self.trace.end, index);
        }
        self.now
    }

    /// Sends the spans that leave by now, and returns when the next ones do, in ns since 1970.
    fn depart(&mut self) -> u64 {
        let (mut wake, mut any) = (u64::MAX, false);
        for era in 0..self.live.len() {
            while let Some(departure) = self.live[era].departures.as_mut().and_then(|(all, _)| all.next(self.now)) {
                self.send(era, &departure);
                any = true;
            }
            wake = self.live[era].departures.as_ref().map_or(wake, |(departures, _)| wake.min(departures.next_time()));
        }
        if any {
            self.drop_ended();
        }
        wake
    }

    /// Sends spans of the era `live[era]`.
    fn send(&mut self, era: usize, departure: &Departure) {
        let Live { interpreter, outbox, departures, .. } = &mut self.live[era];
        let (Some(exporter), Some(outbox), Some((_, recent))) = (&self.exporter, outbox, departures) else { return };
        let run = interpreter.run().clone();
        let origin = run.origin();
        for leaving in &departure.spans {
            let trace = recent.get(interpreter, leaving.index);
            let span = origin.view(trace).span(leaving.ordinal as usize);
            let full = outbox.add_span(span, leaving.last, self.now);
            exporter.send(outbox, full);
        }
        if self.shared.sending.unit != Unit::Traces {
            exporter.flush(outbox);
        }
        self.ended = self.ended.max(departure.time.min(self.now));
    }

    /// Hands on a pending trace that has ended.
    fn hand_on_due(&mut self, index: u64) {
        let at = self.live.partition_point(|live| live.first <= index) - 1;
        let live = &mut self.live[at];
        live.interpreter.trace(index, &mut self.trace);
        live.pending -= 1;
        let last_of_era = live.pending == 0 && at + 1 < self.live.len();
        self.hand_on(at, self.trace.end);
        if last_of_era {
            self.drop_ended();
        }
    }

    /// Hands on the trace just generated, which belongs to the era `live[era]` and could be sent at `due`, in ns since
    /// 1970.
    fn hand_on(&mut self, era: usize, due: u64) {
        let (live, trace) = (&mut self.live[era], &self.trace);
        let origin = live.interpreter.run().origin();
        // The database accounts for what it could not keep.
        let _ = self.shared.database.add_trace(origin, trace);
        if let (Some(exporter), Some(outbox), None) = (&self.exporter, &mut live.outbox, &live.departures) {
            let full = outbox.add(origin.view(trace), self.now);
            exporter.send(outbox, full);
        }
        self.ended = self.ended.max(trace.end);
        self.figures.traces += 1;
        self.figures.spans += origin.view(trace).spans().count() as u64;
        self.figures.rates.add(self.now);
        if trace.end >= self.shared.began {
            self.figures.achieved.add(self.now);
            self.shared.lateness.record(self.now.saturating_sub(due));
        }
        if Arc::ptr_eq(&live.plan, &self.figures.tally.plan) {
            self.figures.tally.add(trace);
        }
    }

    /// Hands on the traces that have ended, sends the spans that are due, and drops the others.
    fn discard(&mut self) {
        // After the system's clock was set back, traces that were sent lie in the future.
        let time = self.now.max(self.ended);
        while let Some((_, index)) = self.pending.first().filter(|(due, _)| *due <= time) {
            self.pending.pop();
            self.hand_on_due(index);
        }
        self.pending.clear();
        for era in 0..self.live.len() {
            while let Some(departure) = self.live[era].departures.as_mut().and_then(|(all, _)| all.drain(time)) {
                self.send(era, &departure);
            }
        }
        let first = self.live.front().map_or(self.next_index, |live| live.first);
        let mut archive = self.shared.archive.lock();
        archive.end(self.next_index);
        archive.stop(first, time);
        drop(archive);
        self.live.iter_mut().for_each(|live| live.pending = 0);
        self.flush_all();
        self.drop_ended();
    }

    /// Drops eras whose traces have all ended and left, except for the last era.
    fn drop_ended(&mut self) {
        let exporter = self.exporter.as_ref();
        let mut behind = self.live.len();
        self.live.retain_mut(|live| {
            behind -= 1;
            let open = live.departures.as_ref().is_some_and(|(departures, _)| !departures.is_empty());
            let keep = behind == 0 || live.pending > 0 || open;
            if let (false, Some(exporter), Some(outbox)) = (keep, exporter, &mut live.outbox) {
                exporter.flush(outbox);
            }
            keep
        });
    }

    fn flush_all(&mut self) {
        let Some(exporter) = &self.exporter else { return };
        self.live.iter_mut().filter_map(|live| live.outbox.as_mut()).for_each(|outbox| exporter.flush(outbox));
    }

    /// Sends the batches that have waited long enough, and returns the time when the next one has to be sent, in ns since
    /// 1970.
    fn flush_if_due(&mut self) -> u64 {
        let Some(exporter) = &self.exporter else { return u64::MAX };
        let outboxes = self.live.iter_mut().filter_map(|live| live.outbox.as_mut());
        let flushed = outboxes.map(|outbox| {
            exporter.flush_if_due(outbox, self.now);
            outbox.flush_at()
        });
        flushed.min().unwrap_or(u64::MAX)
    }

    fn publish(&mut self) {
        self.published = self.now;
        self.figures.pending = self.pending.len();
        *self.shared.figures.lock() = self.figures.clone();
    }
}

impl Live {
    fn new(first: u64, run: &Arc<Run>, plan: &Arc<Plan>, exporter: Option<&Exporter>, sending: &Sending) -> Live {
        Live {
            first,
            interpreter: Interpreter::new(run),
            plan: plan.clone(),
            outbox: exporter.map(|exporter| exporter.outbox(run)),
            departures: exporter
                .filter(|_| !sending.is_by_trace(run.plan()))
                .map(|_| (Departures::new(sending, run.plan(), run.seed()), Recent::new())),
            pending: 0,
        }
    }
}
