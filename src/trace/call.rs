//! How the spans of a trace were called, as far as that follows from its plan and from the spans.

use super::{NONE, SpanRecord, View};
use crate::plan::{BlockId, Inst};
use std::collections::HashMap;

/// How a span was called, and how the call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whether its parent waits for it, apart from timeouts.
    pub is_waited_for: bool,
    /// Whether it was cut off by a caller's deadline.
    pub is_cut: bool,
    /// The number of the attempt, counted from 0; `None` if there is only one, or the number is not known.
    pub attempt: Option<u32>,
}

/// The last attempt of each parent and block, and whether it failed.
type Last = HashMap<(u32, BlockId), (u32, bool)>;

impl View<'_> {
    /// Returns how each span was called, by ordinal, also of spans that are not sent.
    pub fn calls(self) -> Vec<Call> {
        let mut last = Last::new();
        let spans = self.trace.spans.iter();
        let calls = spans.map(|span| Call {
            is_waited_for: self.plan.is_waited_for(span.block),
            is_cut: self.is_failed_by_call(span),
            attempt: self.attempt(span, &mut last),
        });
        let mut calls: Vec<Call> = calls.collect();
        // A client that gave up continues before its server ends, or fails although its server did not.
        for server in self.trace.spans.iter().filter(|span| self.plan.answers_client(span.block)) {
            let client = &self.trace.spans[server.parent as usize];
            let own = self.trace.failures.get(client.failure as usize);
            let passed_on = own.is_some_and(|failure| !failure.exception);
            calls[server.parent as usize].is_cut |= server.end > client.end || passed_on && server.failure == NONE;
        }
        calls
    }

    /// Returns the number of a span's attempt, which follows that of the last one.
    fn attempt(self, span: &SpanRecord, last: &mut Last) -> Option<u32> {
        let attempts = self.plan.attempts(span.block)?;
        let is_next_turn = |(number, failed): (u32, bool)| !failed || number + 1 == attempts.most;
        let number = match last.get(&(span.parent, span.block)) {
            Some(before) if !(attempts.is_repeated && is_next_turn(*before)) => before.0 + 1,
            _ => 0,
        };
        last.insert((span.parent, span.block), (number, span.failure != NONE));
        (attempts.is_certain || !attempts.is_repeated).then_some(number)
    }

    /// Reports whether a span failed by a call, as a timeout makes it fail.
    fn is_failed_by_call(self, span: &SpanRecord) -> bool {
        let Some(failure) = self.trace.failures.get(span.failure as usize) else { return false };
        let inst = self.plan.block(failure.block).code.get(failure.inst as usize);
        !failure.exception && matches!(inst, Some(Inst::Call { .. }))
    }
}
