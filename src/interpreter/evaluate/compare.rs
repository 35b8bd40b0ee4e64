//! Equality and order.

use super::Evaluation;
use crate::trace::{Read, Value};
use std::cmp::Ordering;

/// The order of two numbers by their exact values, whatever their types.
fn numbers(a: Value, b: Value) -> Option<Ordering> {
    match (a.read(), b.read()) {
        (Read::Int(a), Read::Int(b)) => Some(a.cmp(&b)),
        (Read::Double { value: a, .. }, Read::Double { value: b, .. }) => a.partial_cmp(&b),
        (Read::Int(a), Read::Double { value: b, .. }) => Some(int_and_double(a, b)),
        (Read::Double { value: a, .. }, Read::Int(b)) => Some(int_and_double(b, a).reverse()),
        _ => None,
    }
}

fn int_and_double(a: i64, b: f64) -> Ordering {
    // Every int is below 2^63.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if b >= LIMIT {
        return Ordering::Less;
    }
    if b < -LIMIT {
        return Ordering::Greater;
    }
    let whole = libm::floor(b);
    a.cmp(&(whole as i64)).then(if whole < b { Ordering::Less } else { Ordering::Equal })
}

impl Evaluation<'_> {
    /// Whether two values are equal; `None`: one is absent, or they are of types that have nothing in common.
    pub(super) fn equal(&self, a: Value, b: Value) -> Option<bool> {
        match (a.read(), b.read()) {
            (Read::Bool(a), Read::Bool(b)) => Some(a == b),
            (Read::List { at: a, len }, Read::List { at: b, len: other }) => {
                let items = |at: usize, k: usize| self.trace.values[at + k];
                // Elements are no lists, so this goes no deeper.
                Some(len == other && (0..len).all(|k| self.equal(items(a, k), items(b, k)) == Some(true)))
            }
            _ => self.order(a, b).map(Ordering::is_eq),
        }
    }

    /// The order of two numbers, or of two texts by their bytes; `None`: the values are neither.
    pub(super) fn order(&self, a: Value, b: Value) -> Option<Ordering> {
        match (self.bytes(a), self.bytes(b)) {
            (Some(a), Some(b)) => Some(a.cmp(b)),
            _ => numbers(a, b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_and_doubles_compare_exactly() {
        use Ordering::*;
        for (a, b, want) in [
            (1, 1.0, Equal),
            (1, 1.5, Less),
            (-1, -1.5, Greater),
            (i64::MAX, 9_223_372_036_854_775_807.0, Less),
            (i64::MIN, -9_223_372_036_854_775_808.0, Equal),
            (i64::MIN, -1e300, Greater),
            // as doubles these two would be equal
            (9_007_199_254_740_993, 9_007_199_254_740_992.0, Greater),
        ] {
            assert_eq!(numbers(Value::int(a), Value::double(b)), Some(want), "{a} {b}");
            assert_eq!(numbers(Value::double(b), Value::int(a)), Some(want.reverse()), "{b} {a}");
        }
    }
}
