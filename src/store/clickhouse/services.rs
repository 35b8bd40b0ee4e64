//! Rate, errors and durations by service and operation, and who calls whom.

use super::client::{fetch, fetch_one};
use super::figures::extent;
use super::filter::range;
use super::scenario;
use super::sql::Sql;
use crate::store::report::{Buckets, MOST_NAMES, SECOND};
use crate::store::{
    Edge, Figures, OperationReport, Percentiles, ScenarioFilter, ServiceReport, ServicesReport, StoreError, TimeRange,
    TraceCounts, TraceQuery,
};
use clickhouse::{Client, Row};
use serde::Deserialize;

/// Spans that edges are counted in, about.
const SAMPLE: u64 = 200_000;
/// Spans of a trace that edges are counted in.
const MOST_SPANS: u64 = 10_000;
/// Edges that are told.
const MOST_EDGES: u64 = 2_000;

#[derive(Row, Deserialize)]
struct Group {
    service: String,
    operation: String,
    /// 1: the service as a whole.
    whole: u8,
    spans: u64,
    errors: u64,
    percentiles: Vec<f64>,
    /// Bucket, spans, failed ones.
    series: Vec<(u64, u64, u64)>,
}

pub async fn services(
    client: &Client,
    of: TimeRange,
    scenario: Option<&ScenarioFilter>,
    now: u64,
) -> Result<ServicesReport, StoreError> {
    let query = TraceQuery { range: of, scenario: scenario.cloned(), ..TraceQuery::default() };
    let ids = scenario::ids(client, &query).await?;
    let Some((first, last)) = extent(client, of, "1").await? else {
        return Ok(ServicesReport { edges_sampled: 1, ..ServicesReport::default() });
    };
    let buckets = Buckets::cut(of.from.unwrap_or(first), of.until.unwrap_or(last + 1), SECOND);
    let mut spans = Sql::new("FROM otel_traces WHERE 1");
    range(&mut spans, of);
    if let Some(ids) = ids {
        spans.push(" AND TraceId IN ?").texts(ids);
    }
    let services = figures(client, &spans, buckets).await?;
    let count: u64 = services.iter().map(|service| service.figures.spans).sum();
    let sampled = count.div_ceil(SAMPLE).max(1);
    let covered = of.until.unwrap_or(now).min(now).saturating_sub(first.max(of.from.unwrap_or(0)));
    Ok(ServicesReport {
        from: buckets.from,
        step: buckets.step,
        covered,
        edges: edges(client, &spans, sampled).await?,
        services,
        edges_sampled: sampled as u32,
    })
}

async fn figures(client: &Client, spans: &Sql, buckets: Buckets) -> Result<Vec<ServiceReport>, StoreError> {
    let mut sql = Sql::new(
        "SELECT toString(ServiceName) AS service, toString(SpanName) AS operation, \
         toUInt8(grouping(SpanName)) AS whole, sum(n) AS spans, sum(e) AS errors, \
         quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(q) AS percentiles, groupArray((b, n, e)) AS series FROM \
         (SELECT ServiceName, SpanName, toUInt64(intDiv(toUnixTimestamp64Nano(Timestamp) - ?, ?)) AS b, count() AS n, \
         countIf(StatusCode = 'Error') AS e, quantilesDDState(0.01, 0.5, 0.95, 0.99)(Duration) AS q ",
    );
    sql.number(buckets.from).number(buckets.step).append(spans.clone());
    sql.push(
        " GROUP BY ServiceName, SpanName, b) GROUP BY GROUPING SETS ((ServiceName), (ServiceName, SpanName)) \
         ORDER BY whole DESC, spans DESC, service, operation LIMIT ?",
    );
    sql.number(2 * MOST_NAMES as u64);
    let groups: Vec<Group> = fetch(client, &sql).await?;
    let mut services: Vec<ServiceReport> = vec![];
    for group in groups {
        let mut series = vec![(0, 0); buckets.count];
        for (bucket, spans, errors) in group.series {
            if let Some(counts) = series.get_mut(bucket as usize) {
                *counts = (counts.0 + spans, counts.1 + errors);
            }
        }
        let percentile = |at: usize| group.percentiles.get(at).map_or(0, |ns| ns.round() as u64);
        let percentiles = Percentiles { p50: percentile(0), p95: percentile(1), p99: percentile(2) };
        let figures = Figures { spans: group.spans, errors: group.errors, percentiles, series };
        if group.whole == 1 {
            services.push(ServiceReport { name: group.service, figures, operations: vec![] });
        } else if let Some(service) = services.iter_mut().find(|service| service.name == group.service) {
            service.operations.push(OperationReport { name: group.operation, figures });
        }
    }
    Ok(services)
}

/// In one of `k` traces, scaled up. A message counts with the trace it is linked to. One pass, and no join: the spans of a
/// trace are put into an array, and each finds its parent there.
async fn edges(client: &Client, spans: &Sql, k: u64) -> Result<Vec<Edge>, StoreError> {
    let mut sql = Sql::new(
        "SELECT Source, toString(Target), count() * ? AS Calls, countIf(Bad) * ?, toUInt8(Message) AS Asynchronous FROM \
         (SELECT Services[indexOf(Spans, Call.1)] AS Source, Call.2 AS Target, Call.3 AS Bad, Call.4 AS Message FROM \
         (SELECT groupArrayIf(?)(Span, Span != '') AS Spans, groupArrayIf(?)(Service, Span != '') AS Services, \
         arrayJoin(groupArrayIf(?)((Parent, Service, Bad, Message), Parent != '')) AS Call FROM \
         (SELECT TraceId AS Trace, SpanId AS Span, ParentSpanId AS Parent, toString(ServiceName) AS Service, \
         StatusCode = 'Error' AS Bad, SpanKind = 'Consumer' AS Message ",
    );
    sql.number(k).number(k).number(MOST_SPANS).number(MOST_SPANS).number(MOST_SPANS).append(spans.clone());
    sql.push(
        " AND cityHash64(TraceId) % ? = 0 UNION ALL SELECT Linked.1, '', Linked.2, Service, Bad, 1 FROM \
         (SELECT arrayJoin(arrayZip(Links.TraceId, Links.SpanId)) AS Linked, toString(ServiceName) AS Service, \
         StatusCode = 'Error' AS Bad ",
    );
    sql.number(k).append(spans.clone());
    sql.push(
        " AND notEmpty(Links.TraceId)) WHERE cityHash64(Linked.1) % ? = 0) GROUP BY Trace)) \
         WHERE Source != '' AND Source != Target GROUP BY Source, Target, Asynchronous \
         ORDER BY Calls DESC, Source, Target, Asynchronous LIMIT ?",
    );
    sql.number(k).number(MOST_EDGES);
    let rows: Vec<(String, String, u64, u64, u8)> = fetch(client, &sql).await?;
    let edge =
        |(from, to, calls, errors, asynchronous)| Edge { from, to, calls, errors, asynchronous: asynchronous == 1 };
    Ok(rows.into_iter().map(edge).collect())
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
