//! The comparison, one span at a time.

use super::compare::{Difference, compare};
use super::ledger::{Ledger, Mark};
use super::otlp::Received;
use super::policy::Policy;
use super::remake::{Era, Remaker, Slot, service};
use super::report::{AlteredField, Report, Strangers};
use super::{Fidelity, settle};
use crate::engine::{Archive, Identified};
use crate::export::Histogram;
use crate::store::{StoredSpan, TraceId};
use crate::trace::NONE;
use std::collections::BTreeMap;

/// Fields of which alterations are told apart, at most: a source can make up any number of attributes.
const MOST_FIELDS: usize = 1_000;
/// Places of damage that are told, at most.
const MOST_DAMAGE: usize = 1_000;
const OTHER_FIELDS: &str = "(other fields)";

/// Takes what a source gives, in any order, and says what it comes to. Memory is bounded by the length of the run: some bits a
/// span.
pub struct Verifier {
    pub(super) remaker: Remaker,
    pub(super) ledger: Ledger,
    pub(super) fidelity: Fidelity,
    pub(super) progress: Progress,
    pub(super) strangers: Strangers,
    pub(super) fields: BTreeMap<String, AlteredField>,
    pub(super) late: Histogram,
    /// Index after the last of which a span has arrived.
    pub(super) reached: u64,
    pub(super) damage: Vec<String>,
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
    /// Not of this run.
    pub unexpected: u64,
}

impl Verifier {
    pub fn new(archive: Archive, fidelity: Fidelity) -> Verifier {
        Verifier {
            remaker: Remaker::new(archive),
            ledger: Ledger::default(),
            fidelity,
            progress: Progress::default(),
            strangers: Strangers::default(),
            fields: BTreeMap::new(),
            late: Histogram::default(),
            reached: 0,
            damage: vec![],
        }
    }

    pub fn archive(&self) -> &Archive {
        &self.remaker.archive
    }

    pub fn fidelity(&self) -> Fidelity {
        self.fidelity
    }

    pub fn progress(&self) -> Progress {
        Progress { unexpected: self.strangers.spans(), ..self.progress }
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
        match received.trace {
            Some(trace) => self.whole(trace, &received.span, received.beside, arrived),
            None => {
                self.progress.seen += 1;
                self.strangers.foreign.add(0, received.span.id);
            }
        }
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

    /// A span as a whole, with what is already known to differ.
    fn whole(&mut self, trace: TraceId, span: &StoredSpan, beside: Vec<Difference>, arrived: Option<u64>) {
        self.progress.seen += 1;
        let id = u128::from_be_bytes(trace);
        let index = match self.remaker.archive.identify(trace) {
            Identified::Ours { index } => index,
            Identified::OtherRun { .. } => return self.strangers.other_runs.add(id, span.id),
            Identified::Foreign => return self.strangers.foreign.add(id, span.id),
        };
        let found = self.remaker.get(index).and_then(|(era, slot)| {
            let ordinal = ordinal(era, slot, span.id)?;
            let expected = StoredSpan::of(slot.view(era.run()).span(ordinal));
            Some((ordinal, compare(&expected, span, self.fidelity)))
        });
        let Some((ordinal, mut differences)) = found else { return self.strangers.never_sent.add(id, span.id) };
        differences.extend(beside);
        self.arrived(index, ordinal, differences, arrived);
    }

    /// Span `ordinal` of trace `index`, which is kept ready, has arrived.
    fn arrived(&mut self, index: u64, ordinal: usize, mut differences: Vec<Difference>, arrived: Option<u64>) {
        let position = self.remaker.position(index);
        let Some((era, slot)) = self.remaker.get(index) else { return };
        let (trace, run) = (&slot.trace, era.run().clone());
        let record = &trace.spans[ordinal];
        if let Some(arrived) = arrived {
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
        if !differences.is_empty() && entry.mark(Mark::Altered, ordinal) {
            self.progress.altered += 1;
            scenario_spans.altered += 1;
            service_spans.altered += 1;
            differences.sort_by(|a, b| a.field.cmp(&b.field));
            differences.dedup_by(|later, earlier| later.field == earlier.field);
            for difference in differences {
                note(&mut self.fields, difference, &trace.id, record.id);
            }
        }
        if record.failure != NONE && entry.failed() {
            scenario.failed += 1;
        }
    }

    /// What it comes to, now that the source has ended.
    pub fn finish(self, policy: &Policy) -> Report {
        settle::settle(self, policy)
    }
}

/// Which span of a trace an id is.
fn ordinal(era: &Era, slot: &Slot, span: u64) -> Option<usize> {
    let (index, ordinal) = era.run().identity().decode_span(span)?;
    let ordinal = ordinal as usize;
    (index == slot.trace.index && ordinal < slot.trace.spans.len()).then_some(ordinal)
}

fn note(fields: &mut BTreeMap<String, AlteredField>, difference: Difference, trace: &TraceId, span: u64) {
    let Difference { mut field, expected, found } = difference;
    if fields.len() >= MOST_FIELDS && !fields.contains_key(&field) {
        field = OTHER_FIELDS.into();
    }
    let entry = fields.entry(field.clone()).or_insert_with(|| AlteredField {
        field,
        spans: 0,
        expected,
        found,
        trace_id: format!("{:032x}", u128::from_be_bytes(*trace)),
        span_id: format!("{span:016x}"),
    });
    entry.spans += 1;
}
