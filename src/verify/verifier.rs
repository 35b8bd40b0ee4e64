//! The verifier, which compares one span at a time.

use super::alterations::Alterations;
use super::change::{Changed, Glance, Turn};
use super::compare::{Difference, compare};
use super::ledger::{Ledger, Mark};
use super::otlp::Received;
use super::policy::{Fate, Policy};
use super::remake::{Era, Remaker, Slot, service};
use super::report::Strangers;
use super::{Fidelity, extent};
use crate::condition::SentTrace;
use crate::histogram;
use crate::interpreter::Identity;
use crate::journal::{Archive, Identified};
use crate::trace::{NONE, SpanView, StoredSpan, TraceId};

/// The maximum number of damaged places that are listed.
const MOST_DAMAGE: usize = 1_000;

/// A verifier of a run. It takes spans from a source in any order, and reports on them in the end. Its memory is bounded by
/// the length of the run: some bits a span.
pub struct Verifier {
    pub(super) remaker: Remaker,
    /// The ids of other runs whose spans are expected in the source, and which are verified on their own.
    companions: Vec<Identity>,
    pub(super) ledger: Ledger,
    pub(super) fidelity: Fidelity,
    pub(super) policy: Policy,
    pub(super) progress: Progress,
    pub(super) strangers: Strangers,
    pub(super) alterations: Alterations,
    /// The number of spans with a change that the policy does not permit.
    pub(super) spoilt: u64,
    /// The counts of each declared change.
    pub(super) changed: Changed,
    pub(super) late: histogram::Shared,
    /// The lateness is recorded only for traces that started at this time or later, in ns since 1970.
    live_since: u64,
    /// The index after the last trace of which a span has arrived.
    pub(super) reached: u64,
    /// The parts of the source that can't be read.
    pub(super) damage: Vec<String>,
    /// The reasons, beyond those that follow from the run itself, why missing spans cannot be counted as lost.
    pub(super) unknown: Vec<String>,
    /// The explanation of an empty source; `None` where the source has spans.
    pub(super) empty_source: Option<String>,
}

/// The numbers of spans that have arrived so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Spans of this run or of any other.
    pub seen: u64,
    pub delivered: u64,
    /// The number of times that a span arrived which had arrived before.
    pub copies: u64,
    /// The number of different spans that arrived more than once.
    pub duplicated: u64,
    pub altered: u64,
    /// Spans that the policy says are dropped.
    pub leaked: u64,
    /// Spans in traces of the run that were not among the spans sent.
    pub invented: u64,
    /// Spans that do not belong to the run.
    pub unexpected: u64,
}

impl Verifier {
    pub fn new(archive: Archive, fidelity: Fidelity, policy: Policy) -> Verifier {
        Verifier {
            remaker: Remaker::new(archive, policy.changes.clone()),
            changed: Changed::new(&policy.changes),
            companions: vec![],
            ledger: Ledger::new(policy.rules.len()),
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
            empty_source: None,
        }
    }

    /// Expects spans of other runs in the source, so that they do not count as unexpected. They are not verified.
    pub fn expect_companions(&mut self, runs: impl IntoIterator<Item = Identity>) {
        self.companions.extend(runs);
    }

    /// Restricts the lateness to traces that start at `time` (in ns since 1970) or later: earlier ones were not sent when
    /// they ended.
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

    /// Reports whether the run has written its end, so that only spans that are under way can still arrive.
    pub fn has_ended(&self) -> bool {
        !extent::is_open(self.archive())
    }

    /// Records that the source has no span. `reason` is shown behind `not checked: `.
    pub(super) fn found_nothing(&mut self, reason: String) {
        self.empty_source = Some(reason);
    }

    /// Records why missing spans cannot be counted as lost. `reason` is shown behind `not checked: `.
    pub fn unknown(&mut self, reason: String) {
        self.unknown.push(reason);
    }

    /// Records a part of the source that can't be read, described with its place. Missing spans may be in it.
    pub fn damaged(&mut self, part: String) {
        match self.damage.len() {
            0..MOST_DAMAGE => self.damage.push(part),
            MOST_DAMAGE => self.damage.push("and more".into()),
            _ => {}
        }
    }

    /// Takes a span from a source. `arrived` is the time of its arrival in ns since 1970, if the source knows it.
    pub fn observe(&mut self, trace: TraceId, span: &StoredSpan, arrived: Option<u64>) {
        self.whole(trace, span, vec![], arrived);
    }

    /// Takes a span with all fields of its OTLP form.
    pub(super) fn received(&mut self, received: Received, arrived: Option<u64>) {
        self.whole(received.trace, &received.span, received.unstored, arrived);
    }

    /// Takes a span in an encoding that tracegen also writes. Most of these have exactly the bytes that were sent, and need
    /// not be decoded. `is_same` compares the bytes with those of the span with the given ordinal. Returns whether the span
    /// has been counted.
    pub(super) fn unaltered(
        &mut self,
        trace: TraceId,
        span: u64,
        arrived: Option<u64>,
        mut is_same: impl FnMut(&mut Era, &mut Slot, usize) -> bool,
    ) -> bool {
        let Some(index) = self.remaker.index(trace) else { return false };
        let position = self.remaker.position(index);
        let Some((era, slot)) = self.remaker.get(index) else { return false };
        let mut same = None;
        for ordinal in ordinals(era, slot, span) {
            if is_untouched(&self.policy, slot.view(era.run()).span(ordinal)) && is_same(era, slot, ordinal) {
                // Of several equal spans it is one that has not arrived yet.
                let is_new =
                    slot.trace.leaves.is_empty() || self.ledger.arrived(position).is_none_or(|seen| !seen.has(ordinal));
                same = if is_new { Some(ordinal) } else { same.or(Some(ordinal)) };
                if is_new {
                    break;
                }
            }
        }
        let Some(ordinal) = same else { return false };
        self.progress.seen += 1;
        self.arrived(index, ordinal, vec![], &[], arrived);
        true
    }

    /// Returns the index of a span's trace, or `None` if it does not belong to the run. In that case the span has been
    /// counted.
    pub(super) fn index(&mut self, trace: TraceId, span: u64) -> Option<u64> {
        let strangers = match self.remaker.archive.identify(trace) {
            Identified::Ours { index } => return Some(index),
            _ if self.companions.iter().any(|run| run.is_of_run(trace)) => &mut self.strangers.companions,
            Identified::OtherRun { .. } => &mut self.strangers.other_runs,
            Identified::Foreign => &mut self.strangers.foreign,
        };
        strangers.add(u128::from_be_bytes(trace), span);
        self.progress.seen += 1;
        None
    }

    /// Compares a span field by field; `unstored` holds the differences that are already known.
    fn whole(&mut self, trace: TraceId, span: &StoredSpan, unstored: Vec<Difference>, arrived: Option<u64>) {
        let Some(index) = self.index(trace, span.id) else { return };
        self.progress.seen += 1;
        let id = u128::from_be_bytes(trace);
        let seen = self.ledger.arrived(self.remaker.position(index));
        let Some((era, slot)) = self.remaker.get(index) else { return self.strangers.never_sent.add(id, span.id) };
        let changes = &self.policy.changes;
        let compared = ordinals(era, slot, span.id).map(|ordinal| {
            let (mut expected, mut turns) = (StoredSpan::of(slot.view(era.run()).span(ordinal)), vec![]);
            changes.apply(&mut expected, &mut turns);
            let precision = self.policy.precision.unwrap_or(1);
            let mut differences = compare(&expected, span, unstored.clone(), self.fidelity, precision);
            changes.settle(&turns, span, &mut differences);
            (ordinal, differences, turns)
        });
        // Of several spans with this id it is the one that it equals most, and one that has not arrived yet.
        let is_new = |ordinal: usize| seen.is_none_or(|seen| !seen.has(ordinal));
        let best = compared.min_by_key(|(ordinal, differences, _)| (differences.len(), !is_new(*ordinal)));
        if let Some((ordinal, differences, turns)) = best {
            return self.arrived(index, ordinal, differences, &turns, arrived);
        }
        if slot.trace.spans.iter().any(|sent| sent.id == span.id) {
            return self.strangers.never_sent.add(id, span.id);
        }
        // The trace may have such a span under another plan, which may not be known yet.
        self.reached = self.reached.max(index + 1);
        self.strangers.invented.add(id, span.id);
    }

    /// Counts the arrival of span `ordinal` of trace `index`, whose trace is in the cache. `turns` is what the declared changes
    /// did to it; if it is empty, nothing but what they did to its resource.
    fn arrived(
        &mut self,
        index: u64,
        ordinal: usize,
        differences: Vec<Difference>,
        turns: &[Turn],
        arrived: Option<u64>,
    ) {
        let position = self.remaker.position(index);
        let Some((era, slot)) = self.remaker.get(index) else { return };
        let trace = &slot.trace;
        let (run, shared, tallies) = era.run_and_tallies();
        let record = &trace.spans[ordinal];
        if let Some(arrived) = arrived.filter(|_| trace.start >= self.live_since) {
            self.late.record(arrived.saturating_sub(record.end));
        }
        let view = slot.view(run);
        let of = service(view.span(ordinal));
        let mut entry = self.ledger.entry(position, trace.spans.len());
        let scenario = &mut tallies.scenarios[trace.scenario.index()];
        let services = &mut tallies.services;
        if entry.new {
            scenario.traces += 1;
            scenario.spans.expected += slot.due() as u64;
            let due = view.spans().filter(|span| slot.is_due(span.ordinal));
            due.for_each(|span| services[service(span)].expected += 1);
            // Nothing is missing that was not sent, or that is dropped.
            for ordinal in slot.not_due() {
                entry.mark(Mark::Seen, ordinal);
            }
            self.changed.dropped(slot.droppers());
            self.reached = self.reached.max(index + 1);
            entry.decide(self.policy.rule_for(&SentTrace::new(view, |ordinal| slot.sends(ordinal))));
        }
        let (scenario_spans, service_spans) = (&mut scenario.spans, &mut services[of]);
        if let Some(rule) = slot.dropper(ordinal) {
            // A second arrival needs a mark of its own, because the span counts as seen.
            if entry.mark(Mark::Again, ordinal) {
                self.progress.leaked += 1;
                scenario_spans.leaked += 1;
                service_spans.leaked += 1;
                self.changed.leaked(rule);
            } else {
                self.progress.copies += 1;
            }
            return;
        }
        if entry.mark(Mark::Seen, ordinal) {
            self.changed.arrived(if turns.is_empty() { shared.turns(record.resource) } else { turns });
            self.progress.delivered += 1;
            scenario_spans.delivered += 1;
            service_spans.delivered += 1;
            if self.policy.drops() && self.policy.fate(entry.rule()) == Fate::Drop {
                self.progress.leaked += 1;
                scenario_spans.leaked += 1;
                service_spans.leaked += 1;
            }
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
            if spoilt {
                self.changed.spoilt(
                    differences.iter().zip(&allowed).filter(|(_, allowed)| !**allowed).map(|(change, _)| change),
                );
            }
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

/// Reports whether no declared change touches a span, so that it must arrive as it was sent. One that is dropped does, too,
/// where it arrives at all.
fn is_untouched(policy: &Policy, span: SpanView<'_>) -> bool {
    policy.changes.is_empty() || policy.changes.glance(span) != Glance::Touched
}

/// Returns the ordinals of the spans with this id that were sent in its trace. There are several only if spans are
/// malformed.
fn ordinals(era: &Era, slot: &Slot, span: u64) -> impl Iterator<Item = usize> + use<> {
    let spans = &slot.trace.spans;
    let (mut one, mut several) = (None, vec![]);
    if slot.trace.leaves.is_empty() {
        let decoded = era.run().identity().decode_span(span).filter(|(index, _)| *index == slot.trace.index);
        let decoded = decoded.map(|(_, ordinal)| ordinal as usize);
        one = decoded.filter(|ordinal| *ordinal < spans.len() && slot.sends(*ordinal));
    } else {
        several = slot.with_id(span).filter(|ordinal| slot.sends(*ordinal)).collect();
    }
    one.into_iter().chain(several)
}
