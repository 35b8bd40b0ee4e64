//! Rate, errors and durations by service and operation.

use super::client::fetch;
use super::edges;
use super::figures::extent;
use super::filter::range;
use super::scenario;
use super::sql::Sql;
use crate::store::histogram::{Durations, PER_DECADE};
use crate::store::report::{Buckets, MOST_NAMES, SECOND};
use crate::store::{
    Figures, OperationReport, Percentiles, ScenarioFilter, ServiceReport, ServicesReport, StoreError, TimeRange,
    TraceQuery,
};
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::collections::HashMap;

/// Spans that edges are counted in, about.
const SAMPLE: u64 = 200_000;
/// Services and operations that are told, services first, then those with the most spans.
const MOST_GROUPS: u64 = 2 * MOST_NAMES as u64;
/// Each operation, and each service as a whole.
const GROUPS: &str = "GROUP BY GROUPING SETS ((ServiceName), (ServiceName, SpanName))";

#[derive(Row, Deserialize)]
struct Group {
    service: String,
    operation: String,
    /// 1: the service as a whole.
    whole: u8,
    spans: u64,
    errors: u64,
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
        edges: edges::edges(client, &spans, sampled).await?,
        services,
        edges_sampled: sampled as u32,
    })
}

async fn figures(client: &Client, spans: &Sql, buckets: Buckets) -> Result<Vec<ServiceReport>, StoreError> {
    let mut sql = Sql::new(
        "SELECT toString(ServiceName) AS service, toString(SpanName) AS operation, \
         toUInt8(grouping(SpanName)) AS whole, sum(n) AS spans, sum(e) AS errors, groupArray((b, n, e)) AS series FROM \
         (SELECT ServiceName, SpanName, toUInt64(intDiv(toUnixTimestamp64Nano(Timestamp) - ?, ?)) AS b, count() AS n, \
         countIf(StatusCode = 'Error') AS e ",
    );
    sql.number(buckets.from).number(buckets.step).append(spans.clone());
    sql.push(" GROUP BY ServiceName, SpanName, b) ").push(GROUPS);
    sql.push(" ORDER BY whole DESC, spans DESC, service, operation LIMIT ?").number(MOST_GROUPS);
    let groups: Vec<Group> = fetch(client, &sql).await?;
    let mut durations = durations(client, spans).await?;
    let mut services: Vec<ServiceReport> = vec![];
    for group in groups {
        let mut series = vec![(0, 0); buckets.count];
        for (bucket, spans, errors) in group.series {
            if let Some(counts) = series.get_mut(bucket as usize) {
                *counts = (counts.0 + spans, counts.1 + errors);
            }
        }
        let key = (group.service, group.operation, group.whole);
        let percentiles = durations.remove(&key).unwrap_or_default();
        let figures = Figures { spans: group.spans, errors: group.errors, percentiles, series };
        let (name, operation, whole) = key;
        if whole == 1 {
            services.push(ServiceReport { name, figures, operations: vec![] });
        } else if let Some(service) = services.iter_mut().find(|service| service.name == name) {
            service.operations.push(OperationReport { name: operation, figures });
        }
    }
    Ok(services)
}

#[derive(Row, Deserialize)]
struct Bins {
    service: String,
    operation: String,
    whole: u8,
    /// Bin and spans.
    bins: Vec<(u16, u64)>,
}

/// Service, operation, and 1 for a service as a whole.
type Key = (String, String, u8);

async fn durations(client: &Client, spans: &Sql) -> Result<HashMap<Key, Percentiles>, StoreError> {
    let mut sql = Sql::new(
        "SELECT toString(ServiceName) AS service, toString(SpanName) AS operation, \
         toUInt8(grouping(SpanName)) AS whole, groupArray((bin, n)) AS bins FROM \
         (SELECT ServiceName, SpanName, toUInt16(log10(greatest(Duration, 1)) * ?) AS bin, count() AS n ",
    );
    sql.number(PER_DECADE as u64).append(spans.clone());
    sql.push(" GROUP BY ServiceName, SpanName, bin) ")
        .push(GROUPS)
        .push(" ORDER BY whole DESC, sum(n) DESC, service, operation LIMIT ?");
    sql.number(MOST_GROUPS);
    let groups: Vec<Bins> = fetch(client, &sql).await?;
    let percentiles = groups.into_iter().map(|group| {
        let mut durations = Durations::default();
        group.bins.into_iter().for_each(|(bin, count)| durations.add_bin(bin, count));
        ((group.service, group.operation, group.whole), durations.percentiles().unwrap_or_default())
    });
    Ok(percentiles.collect())
}
