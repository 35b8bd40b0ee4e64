//! The shape of traces: where they failed, how far the failures went, and which calls ran in parallel.

use tracegen::trace::{NONE, Trace};

/// Sums over traces.
#[derive(Clone, Default)]
pub struct Shape {
    pub traces: u64,
    pub spans: u64,
    /// The number of traces whose root failed.
    pub failed: u64,
    /// The number of traces in which the root did not fail, but another span did.
    pub hidden: u64,
    /// The number of failed spans on the critical path without a failed callee, and of those among them in traces whose
    /// root failed.
    pub critical: u64,
    pub fatal: u64,
    /// The number of traces in which two calls of the same span overlap.
    pub overlapping: u64,
}

impl Shape {
    pub fn add(&mut self, trace: &Trace) {
        let callees = callees(trace);
        let failed = |span: usize| trace.spans[span].failure != NONE;
        let root = failed(0);
        self.traces += 1;
        self.spans += trace.spans.len() as u64;
        self.failed += u64::from(root);
        self.hidden += u64::from(!root && (0..trace.spans.len()).any(failed));
        let leaf = |span: &usize| failed(*span) && !callees[*span].iter().any(|callee| failed(*callee));
        let critical = critical_path(trace, &callees).into_iter().filter(leaf).count() as u64;
        self.critical += critical;
        self.fatal += if root { critical } else { 0 };
        let overlaps = |calls: &Vec<usize>| {
            let mut times: Vec<_> =
                calls.iter().map(|call| (trace.spans[*call].start, trace.spans[*call].end)).collect();
            times.sort_unstable();
            times.windows(2).any(|pair| pair[1].0 < pair[0].1)
        };
        self.overlapping += u64::from(callees.iter().any(overlaps));
    }

    /// Returns the sums of both.
    pub fn and(mut self, other: &Shape) -> Shape {
        self.traces += other.traces;
        self.spans += other.spans;
        self.failed += other.failed;
        self.hidden += other.hidden;
        self.critical += other.critical;
        self.fatal += other.fatal;
        self.overlapping += other.overlapping;
        self
    }
}

/// Returns the spans that each span calls.
pub fn callees(trace: &Trace) -> Vec<Vec<usize>> {
    let mut callees = vec![vec![]; trace.spans.len()];
    for (ordinal, span) in trace.spans.iter().enumerate().filter(|(_, span)| span.parent != NONE) {
        callees[span.parent as usize].push(ordinal);
    }
    callees
}

/// Returns the spans for which the root was waiting at some time, by following the trace backwards from the root's end. A
/// span's time belongs to the callee that ended last, before that callee's start to the one that ended last before it, and
/// so on. A callee that runs on after its caller counts only until the caller's end.
fn critical_path(trace: &Trace, callees: &[Vec<usize>]) -> Vec<usize> {
    let (mut path, mut open) = (vec![], vec![(0, trace.spans[0].start, trace.spans[0].end)]);
    while let Some((span, start, end)) = open.pop() {
        let within = |call: &usize| {
            let (from, to) = (trace.spans[*call].start.max(start), trace.spans[*call].end.min(end));
            (from < to).then_some((to, from, *call))
        };
        let mut calls: Vec<_> = callees[span].iter().filter_map(within).collect();
        calls.sort_unstable();
        let (mut at, mut own) = (end, 0);
        for (to, from, call) in calls.into_iter().rev() {
            if to <= at {
                own += at - to;
                at = from;
                open.push((call, from, to));
            }
        }
        if own + (at - start) > 0 {
            path.push(span);
        }
    }
    path
}
