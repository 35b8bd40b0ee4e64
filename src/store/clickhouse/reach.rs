//! The limit on how far back traces are looked for without an index, because the cost of reading grows with the time.

use super::parts::Parts;
use crate::store::TraceQuery;
use std::borrow::Cow;

/// The approximate number of newest spans that are read if the values of all attributes are needed.
const MOST_TEXTS: u64 = 200_000;
/// The approximate number of newest spans that are read if some attributes are needed.
const MOST_ATTRIBUTES: u64 = 600_000;
/// The approximate number of newest spans that are read if only narrow columns are needed.
const MOST: u64 = 1_000_000;

/// Returns the approximate number of spans that a query may read.
pub fn most(query: &TraceQuery) -> u64 {
    if query.text.is_some() {
        MOST_TEXTS
    } else if !query.attributes.is_empty() {
        MOST_ATTRIBUTES
    } else {
        MOST
    }
}

/// Returns the query in the form in which it is answered, and the time in ns since 1970 from which on it is answered if
/// that is not all of its range. A query that asks only for a time range is answered in full.
pub fn within<'q>(parts: &Parts, query: &'q TraceQuery) -> (Cow<'q, TraceQuery>, Option<u64>) {
    let (from, until) = (query.range.from.unwrap_or(0), query.range.until.unwrap_or(u64::MAX));
    match parts.since(most(query), from, until) {
        Some(since) if !query.is_plain() => {
            let mut query = query.clone();
            query.range.from = Some(since);
            (Cow::Owned(query), Some(since))
        }
        _ => (Cow::Borrowed(query), None),
    }
}
