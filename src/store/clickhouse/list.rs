//! Lists of traces, and how many there are.

use super::client::{fetch, fetch_one};
use super::filter::{around, matching, range};
use super::scenario;
use super::sql::Sql;
use super::whole::{parse_id, parse_parent, parse_span};
use crate::store::record::order;
use crate::store::report::MOST_SHAPE;
use crate::store::{
    FirstError, Order, ShapeSpan, StoreError, TimeRange, TraceCounts, TraceId, TracePage, TraceQuery, TraceSummary,
};
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::collections::HashMap;

/// Spans of a trace that its shape is made of, the first by time.
const MOST_SPANS: usize = 1_000;

/// What the order goes by, the trace's id, and the start of its root, ns since 1970.
pub type Root = (i64, String, i64);
/// Start, span, parent, duration, service.
type Span = (i64, String, String, u64, String);
#[derive(Row, Deserialize)]
struct Part {
    total: u64,
    roots: Vec<Root>,
}

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

pub async fn fetch_page(client: &Client, query: &TraceQuery) -> Result<TracePage, StoreError> {
    let (roots, total) = match &query.scenario {
        None => roots(client, query, query.offset, query.limit.into()).await?,
        Some(filter) => {
            let found = scenario::roots(client, query, filter).await?;
            let total = found.len() as u64;
            (found.into_iter().skip(query.offset as usize).take(query.limit as usize).collect(), total)
        }
    };
    if roots.is_empty() {
        return Ok(TracePage { total, ..TracePage::default() });
    }
    let ids: Vec<String> = roots.iter().map(|root| root.1.clone()).collect();
    let from = roots.iter().map(|root| root.2 as u64).min().unwrap_or(0);
    let until = roots.iter().map(|root| root.2 as u64).max().unwrap_or(0);
    let summaries: Vec<Summary> = fetch(client, &summaries(ids, from, until)).await?;
    let mut summaries: HashMap<String, Summary> = summaries.into_iter().map(|s| (s.id.clone(), s)).collect();
    let traces = roots.into_iter().filter_map(|root| Some(summary(parse_id(&root.1)?, summaries.remove(&root.1)?)));
    Ok(TracePage { traces: traces.collect(), total, searched_from: None })
}

/// A part of the traces that match, and how many there are.
pub async fn roots(
    client: &Client,
    query: &TraceQuery,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Root>, u64), StoreError> {
    let key = match query.order {
        Order::Newest => "-Start",
        Order::Oldest => "Start",
        Order::Longest => "-toInt64(Length)",
        Order::Shortest => "toInt64(Length)",
    };
    // One pass for both: the array holds no more than the end of the page.
    let most = offset.saturating_add(limit).clamp(1, 1 << 23);
    let mut sql = Sql::new("SELECT count() AS total, arraySlice(groupArraySorted(?)((");
    sql.number(most).push(key);
    sql.push(", TraceId, Start)), ?, ?) AS roots FROM (");
    sql.number(offset.saturating_add(1)).number(limit).append(matching(query, None)).push(") LIMIT 1");
    let part: Part = fetch_one(client, &sql).await?;
    Ok((part.roots, part.total))
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
        order(shape.iter().map(|(start, id, parent, ..)| (parse_span(id), parse_parent(parent), *start as u64)));
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

/// Traces and spans of everything, and traces with errors.
pub async fn counts(client: &Client) -> Result<TraceCounts, StoreError> {
    // A scalar subquery may be NULL, as far as its type says.
    let sql = Sql::new(
        "SELECT assumeNotNull((SELECT uniqExact(cityHash64(TraceId)) FROM otel_traces WHERE ParentSpanId = '')), \
         assumeNotNull((SELECT count() FROM otel_traces)), \
         assumeNotNull((SELECT uniqExact(cityHash64(TraceId)) FROM otel_traces WHERE StatusCode = 'Error')) LIMIT 1",
    );
    let (total_traces, total_spans, error_traces) = fetch_one(client, &sql).await?;
    Ok(TraceCounts { total_traces, total_spans, error_traces })
}
