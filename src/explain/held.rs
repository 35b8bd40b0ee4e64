//! How many traces there are for which a condition holds: what a sampler will keep.

use super::figure::Ratio;
use super::sample::in_chunks;
use super::{Explanation, Figure, Part, Subject};
use crate::condition::{Condition, Outlook, SentTrace, TraceValue, Vocabulary};
use crate::interpreter::{Interpreter, Run};
use crate::trace::Trace;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// How many traces there are for which a condition holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The condition; `None` for the traces for which none of the conditions holds.
    pub condition: Option<Condition<TraceValue>>,
    /// The share of all traces, 0 to 1.
    pub traces: Figure,
    /// The share of all spans that are in these traces, 0 to 1.
    pub spans: Figure,
    /// The share of all traces for which the condition holds, but none of those before it: those on which a rule with it
    /// decides.
    pub first: Figure,
}

/// The counts of the traces for which a condition holds.
#[derive(Clone, Default)]
struct Counts {
    traces: u64,
    spans: Ratio,
    first: u64,
}

/// The work of one thread: the counts of each condition, and at the end those of the traces for which none holds.
struct Counter {
    interpreter: Interpreter,
    trace: Trace,
    counts: Vec<Counts>,
}

/// Returns for each condition how many of a run's first `samples` traces it holds for, and at the end for how many none does.
/// The figures are exact where `explanation`, which is that of the same run, knows them so. `progress` is called as by
/// [`super::explain`].
pub fn held(
    run: &Arc<Run>,
    conditions: &[Condition<TraceValue>],
    explanation: &Explanation,
    samples: u64,
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
) -> Vec<Held> {
    let begin = || Counter {
        interpreter: Interpreter::new(run),
        trace: Trace::default(),
        counts: vec![Counts::default(); conditions.len() + 1],
    };
    let counters = in_chunks(samples, threads, progress, begin, |counter, index| counter.count(run, conditions, index));
    let mut counts = vec![Counts::default(); conditions.len() + 1];
    for own in counters {
        for (all, own) in counts.iter_mut().zip(own.counts) {
            all.traces += own.traces;
            all.first += own.first;
            all.spans.merge(&own.spans);
        }
    }
    let sampled = |condition: Option<&Condition<TraceValue>>, counts: &Counts| Held {
        condition: condition.cloned(),
        traces: Figure::of_trials(counts.traces, samples),
        spans: counts.spans.share(samples),
        first: Figure::of_trials(counts.first, samples),
    };
    let names = conditions.iter().map(Some).chain([None]);
    let mut all = Vec::from_iter(names.zip(&counts).map(|(condition, counts)| sampled(condition, counts)));
    let known = Exact::of(run, explanation);
    for (at, held) in all.iter_mut().enumerate() {
        let Some((traces, spans)) = held.condition.as_ref().map(|condition| known.shares(condition)) else { continue };
        held.traces = traces.map_or(held.traces, Figure::Exact);
        held.spans = spans.map_or(held.spans, Figure::Exact);
        if at == 0 {
            held.first = held.traces;
        }
    }
    all
}

impl Counter {
    fn count(&mut self, run: &Run, conditions: &[Condition<TraceValue>], index: u64) {
        self.interpreter.trace(index, &mut self.trace);
        let sent = SentTrace::new(run.origin().view(&self.trace), |_| true);
        let spans = sent.spans().count() as u64;
        let mut is_first = true;
        for (counts, condition) in self.counts.iter_mut().zip(conditions.iter().map(Some).chain([None])) {
            let holds = condition.map_or(is_first, |condition| condition.holds(&sent));
            counts.spans.add(if holds { spans } else { 0 }, spans);
            if holds {
                counts.traces += 1;
                counts.first += is_first as u64;
                is_first = false;
            }
        }
    }
}

/// What the plan says without a sample.
struct Exact<'a> {
    known: Vocabulary,
    parts: &'a [Part],
    /// Malformations change what a condition reads; the explanation is that of the traces beneath.
    is_malformed: bool,
}

impl<'a> Exact<'a> {
    fn of(run: &Run, explanation: &'a Explanation) -> Exact<'a> {
        let known = Vocabulary::of([&**run.plan()]);
        Exact { known, parts: &explanation.parts, is_malformed: !run.plan().malformations.is_empty() }
    }

    /// Returns the exact shares of the traces and the spans for which a condition holds, as far as they are known.
    fn shares(&self, condition: &Condition<TraceValue>) -> (Option<f64>, Option<f64>) {
        let all = self.parts.iter().find(|part| part.subject == Subject::Total);
        match condition.outlook(&self.known) {
            Outlook::Never => return (Some(0.0), Some(0.0)),
            Outlook::Always => return (Some(1.0), Some(1.0)),
            Outlook::Open if self.is_malformed => return (None, None),
            Outlook::Open => {}
        }
        if *condition == Condition::failed() {
            return (all.map(|all| all.failed).and_then(exactly), None);
        }
        let (mut traces, mut spans) = (Some(0.0), Some(0.0));
        let scenarios = self.parts.iter().filter_map(|part| match &part.subject {
            Subject::Scenario { scenario } => Some((scenario, part)),
            _ => None,
        });
        for (scenario, part) in scenarios {
            let Some(holds) = condition.of_scenario(scenario) else { return (None, None) };
            if holds {
                traces = traces.zip(exactly(part.traces)).map(|(sum, share)| sum + share);
                spans = spans.zip(exactly(part.span_frequency())).map(|(sum, spans)| sum + spans);
            }
        }
        let per_trace = all.and_then(|all| exactly(all.spans.mean));
        (traces, spans.zip(per_trace).map(|(spans, per_trace)| spans / per_trace))
    }
}

fn exactly(figure: Figure) -> Option<f64> {
    if let Figure::Exact(value) = figure { Some(value) } else { None }
}
