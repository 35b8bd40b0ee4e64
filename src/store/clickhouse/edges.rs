//! The calls between services.

use super::client::fetch;
use super::filter::range;
use super::hour::{Calls, Counted, HOUR, Reading};
use super::parts::Parts;
use super::sql::Sql;
use crate::store::{Edge, StoreError, TimeRange};
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The approximate number of spans in which calls are looked for at once. Of more spans, a sample of the traces is read.
const MOST_READ: u64 = 1_500_000;
/// The maximum number of spans of a trace that are read.
const MOST_SPANS: u64 = 10_000;
/// The maximum number of edges in an hour, and in a sum of hours.
const MOST_EDGES: usize = 2_000;
/// The times, in ns, by which callers and linked spans may start before the range that is asked for. The longer one is used
/// where there are few spans, see [`FEW`].
const BEHIND: (u64, u64) = (HOUR / 6, 24 * HOUR);
/// The number of spans below which callers are looked for in the longer time.
const FEW: u64 = 50_000;

#[derive(Row, Deserialize)]
struct Found {
    hour: u64,
    from: String,
    to: String,
    calls: u64,
    errors: u64,
    asynchronous: u8,
}

impl Counted for Calls {
    async fn read(client: &Client, parts: &Parts, reading: Reading) -> Result<Vec<(u64, Calls)>, StoreError> {
        calls(client, parts, &Sql::default(), reading).await
    }

    fn nothing() -> Calls {
        Calls { edges: vec![], sampled: 1 }
    }

    fn sum<'a>(pieces: impl Iterator<Item = &'a Calls>) -> Calls {
        let (edges, sampled) = sum(pieces);
        Calls { edges, sampled: sampled.into() }
    }

    fn weight(&self) -> usize {
        self.edges.iter().map(|edge| size_of::<Edge>() + edge.from.len() + edge.to.len()).sum()
    }
}

/// Returns the calls of stretches, for spans that satisfy `condition` (` AND ...`). A message is counted with the trace
/// that it links to. It takes one pass without a join: the spans of a trace are put into an array, in which each finds its
/// parent.
pub async fn calls(
    client: &Client,
    parts: &Parts,
    condition: &Sql,
    Reading { from, until, length, .. }: Reading,
) -> Result<Vec<(u64, Calls)>, StoreError> {
    let k = parts.about(from, until).div_ceil(MOST_READ).max(1);
    let farthest = from.saturating_sub(BEHIND.1);
    let behind = parts.since(FEW, farthest, from).unwrap_or(farthest).min(from.saturating_sub(BEHIND.0));
    let mut rows = Sql::new("FROM otel_traces WHERE 1");
    rows.append(condition.clone());
    let mut linking = rows.clone();
    range(&mut rows, TimeRange { from: Some(behind), until: Some(until) });
    range(&mut linking, TimeRange { from: Some(from), until: Some(until) });
    let mut sql = Sql::new(
        "SELECT Hour AS hour, toString(Source) AS from, toString(Target) AS to, count() * ? AS calls, \
         countIf(Bad) * ? AS errors, toUInt8(Message) AS asynchronous FROM \
         (SELECT Call.5 AS Hour, Services[indexOf(Spans, Call.1)] AS Source, Call.2 AS Target, Call.3 AS Bad, \
         Call.4 AS Message FROM \
         (SELECT groupArrayIf(?)(Span, Span != 0) AS Spans, groupArrayIf(?)(Service, Span != 0) AS Services, \
         arrayJoin(groupArrayIf(?)((Parent, Service, Bad, Message, Hour), Parent != 0 AND Hour != 0)) AS Call FROM \
         (SELECT cityHash64(TraceId) AS Trace, cityHash64(SpanId) AS Span, \
         if(ParentSpanId = '', 0, cityHash64(ParentSpanId)) AS Parent, toString(ServiceName) AS Service, \
         StatusCode = 'Error' AS Bad, SpanKind = 'Consumer' AS Message, \
         if(toUnixTimestamp64Nano(Timestamp) < ?, 0, toUInt64(intDiv(toUnixTimestamp64Nano(Timestamp), ?))) AS Hour ",
    );
    sql.number(k).number(k).number(MOST_SPANS).number(MOST_SPANS).number(MOST_SPANS).number(from).number(length);
    sql.append(rows).push(
        " AND cityHash64(TraceId) % ? = 0 UNION ALL SELECT cityHash64(Linked.1), 0, cityHash64(Linked.2), Service, Bad, \
         1, Hour FROM (SELECT arrayJoin(arrayZip(Links.TraceId, Links.SpanId)) AS Linked, \
         toString(ServiceName) AS Service, StatusCode = 'Error' AS Bad, \
         toUInt64(intDiv(toUnixTimestamp64Nano(Timestamp), ?)) AS Hour ",
    );
    sql.number(k).number(length).append(linking).push(
        " AND notEmpty(Links.TraceId)) WHERE cityHash64(Linked.1) % ? = 0) GROUP BY Trace)) \
         WHERE Source != '' AND Source != Target GROUP BY Hour, Source, Target, Message \
         ORDER BY hour, calls DESC, from, to, asynchronous LIMIT ? BY hour",
    );
    sql.number(k).number(MOST_EDGES as u64);
    let mut hours: Vec<(u64, Calls)> = vec![];
    let found: Vec<Found> = fetch(client, &sql).await?;
    for Found { hour, from, to, calls, errors, asynchronous } in found {
        if hours.last().is_none_or(|(last, _)| *last != hour) {
            hours.push((hour, Calls { edges: vec![], sampled: k }));
        }
        if let Some((_, hour)) = hours.last_mut() {
            hour.edges.push(Edge { from, to, calls, errors, asynchronous: asynchronous == 1 });
        }
    }
    Ok(hours)
}

/// Returns the calls of many hours, and the largest sampling factor: in the hour that was sampled most, one of so many
/// traces was counted.
pub fn sum<'a>(hours: impl Iterator<Item = &'a Calls>) -> (Vec<Edge>, u32) {
    let (mut edges, mut sampled) = (BTreeMap::new(), 1);
    for hour in hours {
        sampled = sampled.max(hour.sampled);
        for edge in &hour.edges {
            let sum: &mut (u64, u64) = edges.entry((&edge.from, &edge.to, edge.asynchronous)).or_default();
            *sum = (sum.0 + edge.calls, sum.1 + edge.errors);
        }
    }
    let edge = |((from, to, asynchronous), (calls, errors)): ((&String, &String, bool), (u64, u64))| Edge {
        from: from.clone(),
        to: to.clone(),
        calls,
        errors,
        asynchronous,
    };
    let mut edges: Vec<Edge> = edges.into_iter().map(edge).collect();
    edges.sort_by_key(|edge| std::cmp::Reverse(edge.calls));
    edges.truncate(MOST_EDGES);
    (edges, sampled.min(u32::MAX.into()) as u32)
}
