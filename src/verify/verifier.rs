//! The comparison, one span at a time.

use super::alterations::Alterations;
use super::compare::{Difference, compare};
use super::ledger::{Ledger, Mark};
use super::otlp::Received;
use super::policy::Policy;
use super::remake::{Era, Remaker, Slot, service};
use super::report::Strangers;
use super::{Fidelity, extent};
use crate::histogram;
use crate::journal::{Archive, Identified};
use crate::trace::{NONE, StoredSpan, TraceId};

/// Places of damage that are told, at most.
const MOST_DAMAGE: usize = 1_000;

/// Takes what a source gives, in any order, and says what it comes to. Memory is bounded by the length of the run: some bits a
/// span.
pub struct Verifier {
    pub(super) remaker: Remaker,
    pub(super) ledger: Ledger,
    pub(super) fidelity: Fidelity,
    pub(super) policy: Policy,
    pub(super) progress: Progress,
    pub(super) strangers: Strangers,
    pub(super) alterations: Alterations,
    /// Spans with a change that the policy does not allow.
    pub(super) spoilt: u64,
    pub(super) late: histogram::Shared,
    /// Only of traces that started then or later, ns since 1970, it is told how late they are.
    live_since: u64,
    /// Index after the last of which a span has arrived.
    pub(super) reached: u64,
    pub(super) damage: Vec<String>,
    /// Why what is missing can't be told lost, beside what the run itself tells of that.
    pub(super) unknown: Vec<String>,
    /// How the source says that there is nothing in it.
    pub(super) nothing: Option<String>,
}

/// What has arrived so far, in spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// All there were.
    pub seen: u64,
    pub delivered: u64,
    /// Arrivals of what had arrived before.
    pub copies: u64,
    /// Of them, different ones.
    pub duplicated: u64,
    pub altered: u64,
    /// In traces of the run, which never sent such spans.
    pub invented: u64,
    /// Not of this run.
    pub unexpected: u64,
}

impl Verifier {
    pub fn new(archive: Archive, fidelity: Fidelity, policy: Policy) -> Verifier {
        Verifier {
            remaker: Remaker::new(archive),
            ledger: Ledger::default(),
            fidelity,
            policy,
            progress: Progress::default(),
            strangers: Strangers::default(),
            alterations: Alterations::default(),
            spoilt: 0,
            late: histogram::Shared::default(),
            live_since: 0,
            reached: 0,
            damage: vec![],
            unknown: vec![],
            nothing: None,
        }
    }

    /// Tell only of traces that start at `time` (ns since 1970) or later how late they are: those before did not leave when they
    /// ended.
    pub fn is_live_since(&mut self, time: u64) {
        self.live_since = time;
    }

    pub fn archive(&self) -> &Archive {
        &self.remaker.archive
    }

    pub fn fidelity(&self) -> Fidelity {
        self.fidelity
    }

    pub fn progress(&self) -> Progress {
        let (invented, unexpected) = (self.strangers.invented.spans, self.strangers.unexpected());
        Progress { invented, unexpected, ..self.progress }
    }

    /// The run has written its end: nothing more of it is to come but what is under way.
    pub fn has_ended(&self) -> bool {
        !extent::is_open(self.archive())
    }

    /// The source has no span, said in words that go on behind `not checked: `.
    pub(super) fn found_nothing(&mut self, why: String) {
        self.nothing = Some(why);
    }

    /// Why what is missing can't be told lost, in words that go on behind `not checked: `.
    pub fn unknown(&mut self, why: String) {
        self.unknown.push(why);
    }

    /// A part of the source that can't be read, in words that name the place: what is missing may be in it.
    pub fn damaged(&mut self, what: String) {
        match self.damage.len() {
            0..MOST_DAMAGE => self.damage.push(what),
            MOST_DAMAGE => self.damage.push("more than that".into()),
            _ => {}
        }
    }

    /// One span as a source gives it; `arrived`: when, ns since 1970, where the source knows.
    pub fn observe(&mut self, trace: TraceId, span: &StoredSpan, arrived: Option<u64>) {
        self.whole(trace, span, vec![], arrived);
    }

    /// A span of which all is known.
    pub(super) fn received(&mut self, received: Received, arrived: Option<u64>) {
        self.whole(received.trace, &received.span, received.beside, arrived);
    }

    /// A span in an encoding that tracegen writes, too: its bytes are mostly those that it was sent with, and need no look.
    /// `same` tells whether they are, by the span's ordinal. Returns whether it has been counted.
    pub(super) fn unaltered(
        &mut self,
        trace: TraceId,
        span: u64,
        arrived: Option<u64>,
        same: impl FnOnce(&mut Era, &mut Slot, usize) -> bool,
    ) -> bool {
        if let Identified::Ours { index } = self.remaker.archive.identify(trace)
            && let Some((era, slot)) = self.remaker.get(index)
            && let Some(ordinal) = ordinal(era, slot, span)
            && same(era, slot, ordinal)
        {
            self.progress.seen += 1;
            self.arrived(index, ordinal, vec![], arrived);
            return true;
        }
        false
    }

    /// The index of a span's trace. `None`: it is none of the run, has been counted, and needs no look.
    pub(super) fn index(&mut self, trace: TraceId, span: u64) -> Option<u64> {
        let strangers = match self.remaker.archive.identify(trace) {
            Identified::Ours { index } => return Some(index),
            Identified::OtherRun { .. } => &mut self.strangers.other_runs,
            Identified::Foreign => &mut self.strangers.foreign,
        };
        strangers.add(u128::from_be_bytes(trace), span);
        self.progress.seen += 1;
        None
    }

    /// A span as a whole, with what is already known to differ.
    fn whole(&mut self, trace: TraceId, span: &StoredSpan, beside: Vec<Difference>, arrived: Option<u64>) {
        let Some(index) = self.index(trace, span.id) else { return };
        self.progress.seen += 1;
        let id = u128::from_be_bytes(trace);
        let Some((era, slot)) = self.remaker.get(index) else { return self.strangers.never_sent.add(id, span.id) };
        let Some(ordinal) = ordinal(era, slot, span.id) else {
            // Under another plan, which may not be known yet, the trace may have such a span.
            self.reached = self.reached.max(index + 1);
            return self.strangers.invented.add(id, span.id);
        };
        let expected = StoredSpan::of(slot.view(era.run()).span(ordinal));
        let differences = compare(&expected, span, beside, self.fidelity);
        self.arrived(index, ordinal, differences, arrived);
    }

    /// Span `ordinal` of trace `index`, which is kept ready, has arrived.
    fn arrived(&mut self, index: u64, ordinal: usize, differences: Vec<Difference>, arrived: Option<u64>) {
        let position = self.remaker.position(index);
        let Some((era, slot)) = self.remaker.get(index) else { return };
        let (trace, run) = (&slot.trace, era.run().clone());
        let record = &trace.spans[ordinal];
        if let Some(arrived) = arrived.filter(|_| trace.start >= self.live_since) {
            self.late.record(arrived.saturating_sub(record.end));
        }
        let view = slot.view(&run);
        let of = service(view.span(ordinal));
        let mut entry = self.ledger.entry(position, trace.spans.len());
        let scenario = &mut era.tallies.scenarios[trace.scenario.index()];
        let services = &mut era.tallies.services;
        if entry.new {
            scenario.traces += 1;
            scenario.spans.expected += trace.spans.len() as u64;
            view.spans().for_each(|span| services[service(span)].expected += 1);
            self.reached = self.reached.max(index + 1);
        }
        let (scenario_spans, service_spans) = (&mut scenario.spans, &mut services[of]);
        if entry.mark(Mark::Seen, ordinal) {
            self.progress.delivered += 1;
            scenario_spans.delivered += 1;
            service_spans.delivered += 1;
        } else {
            self.progress.copies += 1;
            if entry.mark(Mark::Again, ordinal) {
                self.progress.duplicated += 1;
                scenario_spans.duplicated += 1;
                service_spans.duplicated += 1;
            }
        }
        if !differences.is_empty() {
            let altered = entry.mark(Mark::Altered, ordinal);
            if altered {
                self.progress.altered += 1;
                scenario_spans.altered += 1;
                service_spans.altered += 1;
            }
            let allowed = Vec::from_iter(differences.iter().map(|change| self.policy.allows_change(&change.field)));
            let spoilt = allowed.contains(&false) && entry.mark(Mark::Spoilt, ordinal);
            self.spoilt += spoilt as u64;
            for (change, allowed) in differences.into_iter().zip(allowed) {
                let counted = !if allowed { altered } else { spoilt };
                self.alterations.note(change, allowed, counted, &trace.id, record.id);
            }
        }
        if record.failure != NONE && entry.failed() {
            scenario.failed += 1;
        }
    }
}

/// Which span of a trace an id is.
fn ordinal(era: &Era, slot: &Slot, span: u64) -> Option<usize> {
    let (index, ordinal) = era.run().identity().decode_span(span)?;
    let ordinal = ordinal as usize;
    (index == slot.trace.index && ordinal < slot.trace.spans.len()).then_some(ordinal)
}
