//! The final count of what has not arrived, and the report.

use super::extent::{extent, has_known_schedule, indices};
use super::judgement::{Knowledge, unused, verdict};
use super::ledger::Arrived;
use super::policy::Policy;
use super::remake::{Era, Remaker, Slot, service};
use super::report::{Losses, Report, Sampled, Traces, Verdict};
use super::tally::Tally;
use super::{Fidelity, Verifier};
use crate::trace::NONE;

impl Verifier {
    /// Makes the report, now that the source has ended. It goes through all traces of the run.
    pub fn finish(self) -> Report {
        let (extents, mut unknown) = extent(&self.remaker.archive, self.reached);
        let schedule = has_known_schedule(&self.remaker.archive);
        let Verifier { mut remaker, ledger, fidelity, policy, progress, strangers, alterations, late, damage, .. } =
            self;
        unknown.extend(self.unknown);
        let mut settlement = Settlement { policy: &policy, sampled: (0, 0), traces: Traces::default(), losses: None };
        for index in indices(extents) {
            let arrived = ledger.arrived(remaker.position(index));
            settlement.trace(&mut remaker, index, arrived);
        }
        let Settlement { sampled, traces, losses, .. } = settlement;
        let totals = remaker.into_totals();
        let spans: Tally = totals.scenarios.values().map(|scenario| scenario.spans).sum();
        let late = late.percentiles();
        let (of, arrived) = sampled;
        let mut report = Report {
            verdict: Verdict::Clean,
            expected: spans.expected,
            delivered: spans.delivered,
            lost: spans.lost,
            duplicated: spans.duplicated,
            altered: spans.altered,
            altered_not_allowed: self.spoilt,
            invented: strangers.invented.spans,
            orphaned: spans.orphaned,
            unexpected: (fidelity != Fidelity::Jaeger).then(|| strangers.unexpected()),
            sampled_out: spans.sampled_out,
            traces,
            copies: progress.copies,
            losses,
            strangers,
            fields: alterations.into_fields(),
            sampled: policy.samples().then(|| Sampled {
                traces: of,
                arrived,
                expected: policy.sample,
                holds: policy.sample.is_none_or(|sample| sample.holds(arrived, of)),
            }),
            late: (late.count > 0).then_some(late),
            scenarios: totals.scenarios,
            services: totals.services,
            policy,
            unused_allowances: vec![],
            not_compared: fidelity.not_compared(),
            damage,
            unknown,
        };
        report.unused_allowances = unused(&report);
        let knowledge = Knowledge { seen: progress.seen, schedule, fidelity, empty_source: self.empty_source };
        report.verdict = verdict(&report, &knowledge);
        report
    }
}

/// The counts that are made while going through all traces of the run.
struct Settlement<'p> {
    policy: &'p Policy,
    /// The number of traces that need not arrive, and the number of those of which a span has arrived.
    sampled: (u64, u64),
    traces: Traces,
    losses: Option<Losses>,
}

impl Settlement<'_> {
    fn trace(&mut self, remaker: &mut Remaker, index: u64, arrived: Option<Arrived<'_>>) {
        if let Some(arrived) = arrived.filter(|arrived| arrived.is_whole()) {
            self.traces.expected += 1;
            self.traces.whole += 1;
            self.count(arrived.has_failed(), true);
            return;
        }
        // A trace of which nothing was due when the run was stopped was not sent.
        let Some((era, slot)) = remaker.get(index) else { return };
        let mut spans = slot.trace.spans.iter().enumerate();
        let failed = spans.any(|(ordinal, span)| span.failure != NONE && slot.sends(ordinal));
        self.traces.expected += 1;
        self.count(failed, arrived.is_some());
        let sampled_out = arrived.is_none() && !self.policy.requires(failed);
        match (arrived, sampled_out) {
            (Some(_), _) => self.traces.partly += 1,
            (None, true) => self.traces.sampled_out += 1,
            (None, false) => self.traces.lost += 1,
        }
        if !sampled_out {
            self.lost(slot, arrived);
        }
        tally(era, slot, arrived, sampled_out);
    }

    fn count(&mut self, failed: bool, arrived: bool) {
        if self.policy.samples() && !self.policy.requires(failed) {
            self.sampled.0 += 1;
            self.sampled.1 += arrived as u64;
        }
    }

    fn lost(&mut self, slot: &Slot, arrived: Option<Arrived<'_>>) {
        let trace = &slot.trace;
        let losses = self.losses.get_or_insert_with(|| Losses {
            traces: 0,
            whole_traces: 0,
            first_start: u64::MAX,
            last_start: 0,
            first_index: trace.index,
            first_trace: format!("{:032x}", u128::from_be_bytes(trace.id)),
        });
        losses.traces += 1;
        losses.whole_traces += arrived.is_none() as u64;
        for (ordinal, span) in trace.spans.iter().enumerate() {
            if slot.sends(ordinal) && !arrived.is_some_and(|arrived| arrived.has(ordinal)) {
                losses.first_start = losses.first_start.min(span.start);
                losses.last_start = losses.last_start.max(span.start);
            }
        }
    }
}

/// Counts the spans of a trace that has not arrived whole.
fn tally(era: &mut Era, slot: &Slot, arrived: Option<Arrived<'_>>, sampled_out: bool) {
    let run = era.run().clone();
    let has = |ordinal: usize| arrived.is_some_and(|arrived| arrived.has(ordinal));
    for span in slot.view(&run).spans().filter(|span| slot.sends(span.ordinal)) {
        let scenario = &mut era.tallies.scenarios[slot.trace.scenario.index()].spans;
        for tally in [scenario, &mut era.tallies.services[service(span)]] {
            tally.expected += arrived.is_none() as u64;
            if !has(span.ordinal) {
                *(if sampled_out { &mut tally.sampled_out } else { &mut tally.lost }) += 1;
            } else if span.record().parent != NONE && !has(span.record().parent as usize) {
                tally.orphaned += 1;
            }
        }
    }
}
