//! How far back traces are looked for that no index finds: what has to be read for them grows with the time asked for.

use super::parts::Parts;
use crate::store::TraceQuery;
use std::borrow::Cow;

/// The newest spans that are read, about: of every attribute, of the attributes asked for, and of narrow columns alone.
const MOST_TEXTS: u64 = 200_000;
const MOST_ATTRIBUTES: u64 = 600_000;
const MOST: u64 = 1_000_000;

/// Spans that a query may read, about.
pub fn most(query: &TraceQuery) -> u64 {
    if query.text.is_some() {
        MOST_TEXTS
    } else if !query.attributes.is_empty() {
        MOST_ATTRIBUTES
    } else {
        MOST
    }
}

/// The query as it is answered, and since when (ns since 1970), where that is not all it asks for. What asks for nothing but a
/// time is answered whole.
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
