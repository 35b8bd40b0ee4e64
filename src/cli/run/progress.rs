//! The progress line: redrawn ten times a second on a terminal, elsewhere a plain line every ten seconds.

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

/// Steps of the bar.
const STEPS: u64 = 1_000;

pub struct Display {
    screen: Screen,
    /// When anything was first seen to be done, and what share that was: a run that is taken up again begins with some.
    first: Option<(Instant, f64)>,
    /// Traces that were sent before the run was taken up again.
    before: u64,
    spans: Recent,
    /// Traces in all, if that is known.
    total: Option<u64>,
    /// Virtual time from the schedule's start to its end, ns since 1970, if it has one.
    span: Option<(u64, u64)>,
    /// Traces a second that are to begin; virtual time since the schedule's start, ns, tells how many do.
    target: Option<f64>,
    start: u64,
    begun: Recent,
    /// It was behind its schedule when it was last looked at.
    behind: bool,
    draining: bool,
}

/// What a schedule may be behind, ns, before it is worth a word.
const NOTABLE: u64 = 250_000_000;

impl Display {
    pub fn new(run: &Run, job: &Job, timing: &Timing, on_terminal: bool) -> Display {
        let (k, n) = job.selection.shard;
        let total = job.selection.count.map(|count| (count + n - 1 - k) / n);
        let span = job.selection.started_before.map(|before| (timing.start, before));
        let bounded = total.is_some() || span.is_some();
        let template = if bounded { "[{bar:28}]  {msg}" } else { "{msg}" };
        Display {
            screen: Screen::new(run.quiet || on_terminal, template, Some(STEPS)),
            first: None,
            before: job.sent.traces,
            spans: Recent::new(Duration::from_secs(1)),
            total,
            span,
            target: timing.target,
            start: timing.start,
            begun: Recent::new(Duration::from_secs(1)),
            behind: false,
            draining: false,
        }
    }

    pub fn update(&mut self, figures: &Figures, watch: Option<&Watch>) {
        let behind = self.late(figures).is_some();
        let news = behind && !self.behind;
        self.behind = behind;
        match self.screen.turn(news) {
            Turn::Redraw(bar) => {
                bar.set_position((self.done(figures) * STEPS as f64) as u64);
                bar.set_message(self.line(figures, watch));
            }
            Turn::Line => tell(format_args!("  {}\n", self.line(figures, watch))),
            Turn::Nothing => {}
        }
    }

    /// All traces are made.
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

    /// How far the schedule is behind, ns, if that is worth a word.
    fn late(&self, figures: &Figures) -> Option<u64> {
        let target = self.target.filter(|_| figures.reached > 0 && !self.draining)?;
        // Nothing is due for a while where traces are few, or come at random.
        let gaps = (10e9 / target) as u64;
        let stuck = now().saturating_sub(figures.reached.saturating_add(gaps));
        // Published with each batch: where none is full, some time after.
        let begun_late = figures.reached_at.saturating_sub(figures.reached);
        Some(stuck.max(begun_late)).filter(|late| *late >= NOTABLE)
    }

    /// The share that is done, 0 to 1.
    fn done(&self, figures: &Figures) -> f64 {
        let share = match (self.total, self.span) {
            (Some(total), _) => (self.before + figures.traces) as f64 / total.max(1) as f64,
            (None, Some((from, to))) => {
                figures.reached.saturating_sub(from) as f64 / to.saturating_sub(from).max(1) as f64
            }
            (None, None) => 0.0,
        };
        share.min(1.0)
    }

    fn line(&mut self, figures: &Figures, watch: Option<&Watch>) -> String {
        let sent = self.before + figures.traces;
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
        // What is left is to wait: a trace leaves when its last span has ended.
        let all_begun = match (self.total, self.span) {
            (Some(total), _) => sent + figures.pending >= total,
            (None, Some((_, before))) => now() >= before,
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
