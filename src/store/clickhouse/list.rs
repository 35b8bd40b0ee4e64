//! Lists of traces, and their number.

use super::client::fetch;
use super::filter::{around, range};
use super::hour::{self, Group, Groups, Traces};
use super::hours::{Hours, Known};
use super::parts::Parts;
use super::roots::{Root, roots};
use super::sql::Sql;
use super::whole::{parse_id, parse_parent, parse_span};
use super::{reach, scenario};
use crate::store::report::{MOST_NAMES, MOST_SHAPE};
use crate::store::{
    FirstError, Order, ShapeSpan, StoreError, TimeRange, TraceCounts, TracePage, TraceQuery, TraceSummary,
};
use crate::trace::{TraceId, tree_order};
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The approximate number of spans of the first window in which a page is looked for.
const FIRST_WINDOW: u64 = 100_000;
/// The factor by which each further window is larger.
const GROWTH: u64 = 4;
/// The assumed number of spans in a trace, for a guess at the first window.
const SPANS_A_TRACE: u64 = 20;
/// The maximum number of spans from which a trace's shape is made, the first by time.
const MOST_SPANS: usize = 1_000;

/// Start, id, parent, duration and service of a span.
type Span = (i64, String, String, u64, String);
#[derive(Row, Deserialize)]
struct Summary {
    id: String,
    /// Start, duration, service and name.
    root: (i64, u64, String, String),
    spans: u64,
    errors: u64,
    /// Service and type of the first failure.
    first_error: (String, String),
    first_spans: Vec<Span>,
}

/// The roots of a page, and the number of all matches.
struct Found {
    roots: Vec<Root>,
    total: u64,
    /// The same as [`TracePage::searched`].
    searched: Option<TimeRange>,
}

/// Returns the query's page of traces.
///
/// # Errors
/// ClickHouse does not answer in time or reports an error, or the rows are too large.
pub async fn fetch_page(client: &Client, hours: &Hours, query: &TraceQuery) -> Result<TracePage, StoreError> {
    let Found { roots, total, searched } = find(client, hours, query).await?;
    if roots.is_empty() {
        return Ok(TracePage { total, searched, ..TracePage::default() });
    }
    let ids: Vec<String> = roots.iter().map(|root| root.1.clone()).collect();
    let from = roots.iter().map(|root| root.2 as u64).min().unwrap_or(0);
    let until = roots.iter().map(|root| root.2 as u64).max().unwrap_or(0);
    let summaries: Vec<Summary> = fetch(client, &summaries(ids, from, until)).await?;
    let mut summaries: HashMap<String, Summary> = summaries.into_iter().map(|s| (s.id.clone(), s)).collect();
    let traces = roots.into_iter().filter_map(|root| Some(summary(parse_id(&root.1)?, summaries.remove(&root.1)?)));
    Ok(TracePage { traces: traces.collect(), total, searched })
}

async fn find(client: &Client, hours: &Hours, query: &TraceQuery) -> Result<Found, StoreError> {
    let parts = hours.parts(client).await?;
    if let Some(filter) = &query.scenario {
        let (query, since) = reach::within(&parts, query);
        let (found, all) = scenario::roots(client, &query, filter).await?;
        let first = || found.iter().map(|root| root.2 as u64).min();
        let searched =
            if all { since } else { first().or(since) }.map(|from| TimeRange { from: Some(from), ..query.range });
        let total = found.len() as u64;
        let roots = found.into_iter().skip(query.offset as usize).take(query.limit as usize).collect();
        return Ok(Found { roots, total, searched });
    }
    let found = match query.order {
        Order::Newest | Order::Oldest => by_time(client, &parts, query).await?,
        Order::Longest if query.is_plain() => longest(client, hours, &parts, query).await?,
        Order::Longest | Order::Shortest => {
            let (from, until) = whole(query);
            let range = parts
                .since(reach::most(query), from, until)
                .map(|since| TimeRange { from: Some(since), ..query.range });
            within(client, query, range).await?
        }
    };
    if found.searched.is_none() || !query.is_plain() || query.order == Order::Shortest {
        return Ok(found);
    }
    // Counts that are known by the hour need no search.
    let Known { hours, since } = hours.ask::<Traces>(client, &parts, query.range, false).await?;
    let total = hours.iter().map(|hour| hour.traces).sum();
    let searched = since.map(|from| TimeRange { from: Some(from), ..query.range });
    Ok(Found { total, searched, ..found })
}

fn whole(query: &TraceQuery) -> (u64, u64) {
    (query.range.from.unwrap_or(0), query.range.until.unwrap_or(u64::MAX))
}

/// Returns the page of the traces in a part of the range, or in the whole range for `None`.
async fn within(client: &Client, query: &TraceQuery, part: Option<TimeRange>) -> Result<Found, StoreError> {
    let query = TraceQuery { range: part.unwrap_or(query.range), ..query.clone() };
    let (roots, total) = roots(client, &query, query.offset, query.limit.into()).await?;
    Ok(Found { roots, total, searched: part })
}

/// Searches from one end of the range, in windows that grow until the page is full or too much was read.
async fn by_time(client: &Client, parts: &Parts, query: &TraceQuery) -> Result<Found, StoreError> {
    let ((from, until), end) = (whole(query), query.offset.saturating_add(query.limit.into()));
    let most = if query.is_plain() { u64::MAX } else { reach::most(query) };
    let mut spans = FIRST_WINDOW.max(end.saturating_mul(SPANS_A_TRACE)).min(most);
    loop {
        let part = match query.order {
            Order::Oldest => {
                parts.until(spans, from, until).map(|until| TimeRange { until: Some(until), ..query.range })
            }
            _ => parts.since(spans, from, until).map(|from| TimeRange { from: Some(from), ..query.range }),
        };
        let found = within(client, query, part).await?;
        if part.is_none() || found.total >= end || spans >= most {
            return Ok(found);
        }
        spans = spans.saturating_mul(GROWTH).min(most);
    }
}

/// Searches for the longest traces of all; the hours tell the duration above which there are enough.
async fn longest(client: &Client, hours: &Hours, parts: &Parts, query: &TraceQuery) -> Result<Found, StoreError> {
    let ((from, until), end) = (whole(query), query.offset.saturating_add(query.limit.into()));
    if parts.about(from, until) <= FIRST_WINDOW {
        return within(client, query, None).await;
    }
    let known = hours.ask::<Traces>(client, parts, query.range, false).await?;
    let part = TimeRange { from: known.since.or(query.range.from), ..query.range };
    let long = hour::longer(known.hours.iter().map(Arc::as_ref), end);
    let query = TraceQuery { min_duration: Some(long), ..query.clone() };
    within(client, &query, Some(part)).await
}

fn summaries(ids: Vec<String>, from: u64, until: u64) -> Sql {
    let limit = ids.len() as u64;
    let mut sql = Sql::new(
        "WITH if(has(Events.Name, 'exception'), arrayLast((t, n) -> n = 'exception', Events.Timestamp, Events.Name), \
         Timestamp + toIntervalNanosecond(Duration)) AS Failed, \
         arrayLast((a, n) -> n = 'exception', Events.Attributes, Events.Name)['exception.type'] AS Exception, \
         multiIf(SpanAttributes['error.type'] != '', SpanAttributes['error.type'], Exception != '', Exception, \
         StatusMessage) AS Type \
         SELECT TraceId AS id, argMinIf((toUnixTimestamp64Nano(Timestamp), Duration, toString(ServiceName), \
         toString(SpanName)), Timestamp, ParentSpanId = '') AS root, \
         uniqExact(SpanId) AS spans, uniqExactIf(SpanId, StatusCode = 'Error') AS errors, \
         argMinIf((toString(ServiceName), Type), (Failed, -toUnixTimestamp64Nano(Timestamp)), StatusCode = 'Error') \
         AS first_error, groupArraySorted(?)((toUnixTimestamp64Nano(Timestamp), SpanId, ParentSpanId, Duration, \
         toString(ServiceName))) AS first_spans \
         FROM otel_traces WHERE TraceId IN ?",
    );
    sql.number(MOST_SPANS as u64).texts(ids);
    range(&mut sql, around(TimeRange { from: Some(from), until: Some(until) }));
    sql.push(" GROUP BY TraceId LIMIT ?").number(limit);
    sql
}

fn summary(id: TraceId, found: Summary) -> TraceSummary {
    let Summary { root: (start, duration, service, operation), first_spans: mut shape, .. } = found;
    shape.dedup_by(|a, b| a.1 == b.1);
    let order =
        tree_order(shape.iter().map(|(start, id, parent, ..)| (parse_span(id), parse_parent(parent), *start as u64)));
    let shape = order.into_iter().take(MOST_SHAPE).map(|at| ShapeSpan {
        service: shape[at].4.clone(),
        offset: shape[at].0.saturating_sub(start).max(0) as u64,
        duration: shape[at].3,
    });
    TraceSummary {
        id,
        start: start as u64,
        duration,
        service,
        operation,
        scenario: None,
        spans: found.spans as u32,
        errors: found.errors as u32,
        first_error: (found.errors > 0)
            .then_some(FirstError { service: found.first_error.0, r#type: found.first_error.1 }),
        shape: shape.collect(),
    }
}

/// Returns the numbers of all traces and spans, and of traces with errors.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn counts(client: &Client, hours: &Hours) -> Result<TraceCounts, StoreError> {
    let parts = hours.parts(client).await?;
    let Known { hours, since } = hours.ask::<Traces>(client, &parts, TimeRange::default(), true).await?;
    Ok(TraceCounts {
        total_traces: hours.iter().map(|hour| hour.traces).sum(),
        total_spans: parts.spans(),
        error_traces: hours.iter().map(|hour| hour.errors).sum(),
        counted_from: since,
    })
}

/// Returns the sorted names that `name` selects from the counted hours.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn names(
    client: &Client,
    hours: &Hours,
    name: impl Fn(&Group) -> Option<&Arc<str>>,
) -> Result<Vec<String>, StoreError> {
    let parts = hours.parts(client).await?;
    let hours = hours.ask::<Groups>(client, &parts, TimeRange::default(), true).await?.hours;
    let names: BTreeSet<&Arc<str>> = hours.iter().flat_map(|hour| &hour.0).filter_map(name).collect();
    Ok(names.into_iter().take(MOST_NAMES).map(|name| name.to_string()).collect())
}
