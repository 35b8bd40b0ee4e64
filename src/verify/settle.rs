//! The final count of what has not arrived, and the report.

use super::change::Changed;
use super::extent::{extent, has_known_schedule, indices};
use super::judged::{Decided, judged, sampled};
use super::judgement::{Knowledge, unused, verdict};
use super::ledger::Arrived;
use super::policy::{Fate, Policy};
use super::remake::{Era, Remaker, Slot, service};
use super::report::{Losses, Report, Traces, Verdict};
use super::tally::Tally;
use super::{Fidelity, Verifier};
use crate::condition::SentTrace;
use crate::trace::NONE;

impl Verifier {
    /// Makes the report, now that the source has ended. It goes through all traces of the run.
    pub fn finish(self) -> Report {
        let (extents, mut unknown) = extent(&self.remaker.archive, self.reached);
        let schedule = has_known_schedule(&self.remaker.archive);
        let Verifier { mut remaker, ledger, fidelity, policy, progress, strangers, alterations, late, damage, .. } =
            self;
        unknown.extend(self.unknown);
        let rules = vec![Decided::default(); policy.rules.len() + 1];
        let (traces, changed) = (Traces::default(), self.changed);
        let mut settlement = Settlement { policy: &policy, rules, traces, losses: None, changed };
        for index in indices(extents) {
            let arrived = ledger.arrived(remaker.position(index));
            settlement.trace(&mut remaker, index, arrived);
        }
        let Settlement { rules, traces, losses, changed, .. } = settlement;
        let rules = judged(&policy, &rules);
        let totals = remaker.into_totals();
        let spans: Tally = totals.scenarios.values().map(|scenario| scenario.spans).sum();
        let late = late.percentiles();
        let mut report = Report {
            verdict: Verdict::Clean,
            expected: spans.expected,
            delivered: spans.delivered,
            lost: spans.lost,
            duplicated: spans.duplicated,
            altered: spans.altered,
            altered_not_allowed: self.spoilt,
            invented: strangers.invented.spans,
            leaked: spans.leaked,
            orphaned: spans.orphaned,
            unexpected: (fidelity != Fidelity::Jaeger).then(|| strangers.unexpected()),
            sampled_out: spans.sampled_out,
            traces,
            copies: progress.copies,
            losses,
            strangers,
            fields: alterations.into_fields(&policy.changes),
            sampled: sampled(&rules),
            rules,
            changes: changed.into_tallies(),
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
    /// The traces of each rule, and at the end those without one.
    rules: Vec<Decided>,
    traces: Traces,
    losses: Option<Losses>,
    changed: Changed,
}

impl Settlement<'_> {
    fn trace(&mut self, remaker: &mut Remaker, index: u64, arrived: Option<Arrived<'_>>) {
        if let Some(arrived) = arrived.filter(|arrived| arrived.is_whole()) {
            self.traces.expected += 1;
            self.traces.whole += 1;
            let decided = &mut self.rules[arrived.rule()];
            decided.traces += 1;
            decided.whole += 1;
            return;
        }
        // A trace of which nothing was due when the run was stopped was not sent.
        let Some((era, slot)) = remaker.get(index) else { return };
        let rule = match arrived {
            Some(arrived) => arrived.rule(),
            None => {
                self.changed.dropped(slot.droppers());
                self.policy.rule_for(&SentTrace::new(slot.view(era.run()), |ordinal| slot.sends(ordinal)))
            }
        };
        // A trace of which all spans are dropped is not missed.
        if slot.due() == 0 {
            return;
        }
        self.traces.expected += 1;
        self.rules[rule].traces += 1;
        self.rules[rule].partly += arrived.is_some() as u64;
        let may_lack = match self.policy.fate(rule) {
            Fate::Drop => true,
            Fate::Keep => false,
            Fate::Sample(_) => arrived.is_none(),
        };
        match (arrived, may_lack) {
            (Some(_), _) => self.traces.partly += 1,
            (None, true) => self.traces.sampled_out += 1,
            (None, false) => self.traces.lost += 1,
        }
        if !may_lack {
            self.lost(slot, arrived);
        }
        tally(era, slot, arrived, may_lack);
    }

    fn lost(&mut self, slot: &Slot, arrived: Option<Arrived<'_>>) {
        let trace = &slot.trace;
        let losses = self.losses.get_or_insert_with(|| Losses {
            traces: 0,
            whole_traces: 0,
            failed_traces: 0,
            first_start: u64::MAX,
            last_start: 0,
            first_index: trace.index,
            first_trace: format!("{:032x}", u128::from_be_bytes(trace.id)),
        });
        let sent = trace.spans.iter().enumerate().filter(|(ordinal, _)| slot.sends(*ordinal));
        losses.traces += 1;
        losses.whole_traces += arrived.is_none() as u64;
        losses.failed_traces += sent.clone().any(|(_, span)| span.failure != NONE) as u64;
        let is_lost = |ordinal| slot.is_due(ordinal) && !arrived.is_some_and(|arrived| arrived.has(ordinal));
        sent.filter(|(ordinal, _)| is_lost(*ordinal)).for_each(|(_, span)| {
            losses.first_start = losses.first_start.min(span.start);
            losses.last_start = losses.last_start.max(span.start);
        });
    }
}

/// Counts the spans of a trace that has not arrived whole; with `may_lack`, what is missing need not be there.
fn tally(era: &mut Era, slot: &Slot, arrived: Option<Arrived<'_>>, may_lack: bool) {
    let run = era.run().clone();
    let has = |ordinal: usize| arrived.is_some_and(|arrived| arrived.has(ordinal));
    for span in slot.view(&run).spans().filter(|span| slot.is_due(span.ordinal)) {
        let scenario = &mut era.tallies.scenarios[slot.trace.scenario.index()].spans;
        for tally in [scenario, &mut era.tallies.services[service(span)]] {
            tally.expected += arrived.is_none() as u64;
            if !has(span.ordinal) {
                *(if may_lack { &mut tally.sampled_out } else { &mut tally.lost }) += 1;
            } else if !may_lack && span.record().parent != NONE && !has(span.record().parent as usize) {
                tally.orphaned += 1;
            }
        }
    }
}
