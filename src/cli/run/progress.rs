//! The progress line, which is redrawn ten times a second on a terminal; elsewhere a plain line is printed every ten
//! seconds.

use super::Run;
use super::outlet::Watch;
use crate::cli::output::tell;
use crate::cli::recent::Recent;
use crate::cli::screen::{Screen, Turn};
use crate::cli::timing::Timing;
use crate::clock::now;
use crate::engine::{Figures, Job};
use crate::export::deliver::DeliveryEvent;
use crate::text::{count, duration, grouped, scaled};
use std::time::{Duration, Instant};

/// The number of steps of the bar.
const STEPS: u64 = 1_000;

/// The display of a run's progress.
pub struct Display {
    screen: Screen,
    /// The time when something was first done, and its share of the whole: a resumed run begins with a part done.
    first: Option<(Instant, f64)>,
    /// The number of traces that were sent before the run was resumed.
    sent_before: u64,
    spans: Recent,
    /// The total number of traces, if it is known.
    total: Option<u64>,
    /// The virtual start and end of the schedule in ns since 1970, if it has an end.
    span: Option<(u64, u64)>,
    /// The rate at which traces are to begin, a second. The virtual time since the schedule's start tells the actual rate.
    target: Option<f64>,
    /// The start of the schedule in ns since 1970.
    start: u64,
    begun: Recent,
    /// The run was behind its schedule at the last update.
    is_behind: bool,
    draining: bool,
}

/// The delay in ns from which on a run is shown as behind its schedule.
const NOTABLE: u64 = 250_000_000;

impl Display {
    pub fn new(run: &Run, job: &Job, timing: &Timing, on_terminal: bool) -> Display {
        let (k, n) = job.selection.shard;
        let total = job.selection.count.map(|count| (count + n - 1 - k) / n);
        let span = job.selection.started_before.map(|end| (timing.start, end));
        let bounded = total.is_some() || span.is_some();
        let template = if bounded { "[{bar:28}]  {msg}" } else { "{msg}" };
        Display {
            screen: Screen::new(run.quiet || on_terminal, template, Some(STEPS)),
            first: None,
            sent_before: job.sent.traces,
            spans: Recent::new(Duration::from_secs(1)),
            total,
            span,
            target: timing.target,
            start: timing.start,
            begun: Recent::new(Duration::from_secs(1)),
            is_behind: false,
            draining: false,
        }
    }

    pub fn update(&mut self, figures: &Figures, watch: Option<&Watch>) {
        let is_behind = self.late(figures).is_some();
        let news = is_behind && !self.is_behind;
        self.is_behind = is_behind;
        match self.screen.turn(news) {
            Turn::Redraw(bar) => {
                bar.set_position((self.done(figures) * STEPS as f64) as u64);
                bar.set_message(self.line(figures, watch));
            }
            Turn::Line => tell(format_args!("  {}\n", self.line(figures, watch))),
            Turn::Nothing => {}
        }
    }

    /// Records that all traces are generated.
    pub fn generated(&mut self) {
        self.draining = true;
    }

    pub fn say(&self, line: &str) {
        self.screen.print(&format!("tracegen: {line}"));
    }

    pub fn event(&self, run: &Run, event: &DeliveryEvent, destination: &str) {
        if let DeliveryEvent::Unreachable { .. } = event {
            let longer = if run.exporter.wait.is_none() { " (--wait for longer)" } else { "" };
            self.say(&format!("{event}{longer}"));
            if run.exporter.endpoint.is_none() && destination.contains("localhost") {
                self.screen.print(
                    "  start a collector, set OTEL_EXPORTER_OTLP_ENDPOINT, or look at traces without one: \
                     --exporter stdout",
                );
            }
        } else {
            self.say(&event.to_string());
        }
    }

    pub fn finish(&mut self) {
        self.screen.finish();
    }

    /// Returns how far the run is behind its schedule in ns, if that is notable.
    fn late(&self, figures: &Figures) -> Option<u64> {
        let target = self.target.filter(|_| figures.reached > 0 && !self.draining)?;
        // At low or random rates nothing may be due for a while.
        let gaps = (10e9 / target) as u64;
        let stuck = now().saturating_sub(figures.reached.saturating_add(gaps));
        // The figures are published with each batch; if none is full, some time later.
        let begun_late = figures.reached_at.saturating_sub(figures.reached);
        Some(stuck.max(begun_late)).filter(|late| *late >= NOTABLE)
    }

    /// Returns the share that is done, 0 to 1.
    fn done(&self, figures: &Figures) -> f64 {
        let share = match (self.total, self.span) {
            (Some(total), _) => (self.sent_before + figures.traces) as f64 / total.max(1) as f64,
            (None, Some((from, to))) => {
                figures.reached.saturating_sub(from) as f64 / to.saturating_sub(from).max(1) as f64
            }
            (None, None) => 0.0,
        };
        share.min(1.0)
    }

    fn line(&mut self, figures: &Figures, watch: Option<&Watch>) -> String {
        let sent = self.sent_before + figures.traces;
        let traces = match self.total {
            Some(total) => format!("{} / {}", grouped(sent), count(total, "trace")),
            None => count(sent, "trace"),
        };
        let account = watch.map(Watch::account).unwrap_or_default();
        let failed = account.total_rejected().spans + account.total_undelivered().spans;
        let mut line =
            format!("{traces}   {} spans/s   {} failed", scaled(self.spans.rate(figures.spans)), grouped(failed));
        if self.draining {
            line += &format!("   {} on their way", count(account.in_flight.spans, "span"));
        } else if let (Some(target), Some(late)) = (self.target, self.late(figures)) {
            let begun = target * self.begun.rate(figures.reached.saturating_sub(self.start)) / 1e9;
            line += &format!("   {} of {} traces/s, {} late", scaled(begun), scaled(target), duration(late));
        }
        let done = self.done(figures);
        let (since, first) = match self.first {
            Some(first) => first,
            None if done == 0.0 => (Instant::now(), 0.0),
            None => *self.first.insert((Instant::now(), done)),
        };
        let (elapsed, gained) = (since.elapsed().as_secs_f64(), done - first);
        // Only waiting is left: a trace is sent when its last span has ended.
        let all_begun = match (self.total, self.span) {
            (Some(total), _) => sent + figures.pending >= total,
            (None, Some((_, end))) => now() >= end,
            (None, None) => false,
        };
        if all_begun && figures.pending > 0 {
            let last = duration(figures.last_end.saturating_sub(now()));
            line += &format!("   {} still to end, the last in {last}", count(figures.pending, "trace"));
        } else if !self.draining && gained > 0.01 && elapsed > 1.0 {
            line += &format!("   eta {:.0} s", (elapsed * (1.0 - done) / gained).ceil());
        }
        line
    }
}
