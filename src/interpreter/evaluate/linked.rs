//! Reading the span that a link has found.

use super::Evaluation;
use crate::plan::TextId;
use crate::trace::{Read, Value};

/// A span that a link found, and the key that it exported.
#[derive(Clone, Copy)]
pub(in crate::interpreter) struct Found {
    /// The ordinal of the span in its trace.
    pub span: u32,
    pub key: Value,
    /// The position of the key among the exports of the span's trace.
    pub export: usize,
    /// Whether the span is in the current trace, not in [`Evaluation::earlier`].
    pub same_trace: bool,
}

impl Evaluation<'_> {
    /// Returns the key under which the linked span exported its context.
    pub(super) fn linked_key(&mut self) -> Value {
        self.linked.map_or(Value::ABSENT, |found| self.taken(found, found.key))
    }

    /// Returns the attribute `key` of the linked span as it was sent.
    pub(super) fn linked_attribute(&mut self, key: TextId) -> Value {
        let Some(found) = self.linked else { return Value::ABSENT };
        let trace = if found.same_trace { &*self.trace } else { &*self.earlier };
        let span = &trace.spans[found.span as usize];
        let plan = &self.code.plan;
        let form = plan.span(span.block);
        if let Some(at) = form.attrs.ids().position(|attr| plan.attrs[attr.index()] == key) {
            let value = trace.attrs[span.attrs as usize + at].value;
            return self.taken(found, value);
        }
        match form.constants.iter().find(|(k, _)| *k == key) {
            Some((_, constant)) => self.constant(constant),
            None => Value::ABSENT,
        }
    }

    /// Returns a value of the linked span's trace as a value of the current trace.
    fn taken(&mut self, found: Found, value: Value) -> Value {
        if found.same_trace { value } else { self.copy_from_earlier(value) }
    }

    /// Copies a value from the earlier trace into the current one.
    fn copy_from_earlier(&mut self, value: Value) -> Value {
        match value.read() {
            Read::Text { at, len } => {
                let start = self.trace.text.len();
                self.trace.text.append(&self.earlier.text.as_slice()[at..at + len]);
                Value::text(start, start + len)
            }
            Read::Bytes { at, len } => {
                let start = self.trace.text.len();
                self.trace.text.append(&self.earlier.text.as_slice()[at..at + len]);
                value.moved(start)
            }
            Read::List { at, len } => value.moved(self.copy_row(at, len)),
            Read::Map { at, len } => value.moved(self.copy_row(at, 2 * len)),
            _ => value,
        }
    }

    /// Copies values of the linked trace into this one, and returns the position of the first. The recursion is as deep as
    /// values are nested.
    fn copy_row(&mut self, at: usize, len: usize) -> usize {
        let start = self.trace.values.len();
        self.trace.values.resize(start + len, Value::ABSENT);
        for k in 0..len {
            let item = self.copy_from_earlier(self.earlier.values[at + k]);
            self.trace.values[start + k] = item;
        }
        start
    }
}
