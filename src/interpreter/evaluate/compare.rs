//! The comparison of values.

use super::Evaluation;
use super::convert::number;
use crate::trace::{Read, Value};
use std::cmp::Ordering;

impl Evaluation<'_> {
    /// Reports whether two values are equal; returns `None` if one of them is absent or their types can't be compared.
    pub(super) fn equal(&self, a: Value, b: Value) -> Option<bool> {
        match (a.read(), b.read()) {
            (Read::Bool(a), Read::Bool(b)) => Some(a == b),
            (Read::List { at: a, len }, Read::List { at: b, len: other }) => {
                let items = |at: usize, k: usize| self.trace.values[at + k];
                // The recursion is as deep as values are nested.
                Some(len == other && (0..len).all(|k| self.equal(items(a, k), items(b, k)) == Some(true)))
            }
            _ => self.order(a, b).map(Ordering::is_eq),
        }
    }

    /// Returns the order of two numbers, or of two texts by their bytes; returns `None` for other values.
    pub(super) fn order(&self, a: Value, b: Value) -> Option<Ordering> {
        match (self.bytes(a), self.bytes(b)) {
            (Some(a), Some(b)) => Some(a.cmp(b)),
            _ => number(a)?.order(number(b)?),
        }
    }
}
