//! Arrivals and durations of the traces that match.

use super::client::fetch_one;
use super::filter::{around, matching, range};
use super::scenario;
use super::sql::Sql;
use crate::store::report::{Buckets, SECOND};
use crate::store::{Arrivals, DurationBins, Overview, Percentiles, StoreError, TimeRange, TraceQuery};
use clickhouse::{Client, Row};
use serde::Deserialize;

#[derive(Row, Deserialize)]
struct Counts {
    traces: u64,
    errors: u64,
    percentiles: Vec<u64>,
    bins: Vec<(u16, u64)>,
    arrivals: Vec<(u64, u64)>,
    failed_arrivals: Vec<(u64, u64)>,
}

pub async fn overview(client: &Client, query: &TraceQuery) -> Result<Overview, StoreError> {
    let ids = scenario::ids(client, query).await?;
    let Some((first, last)) = extent(client, query.range, "ParentSpanId = ''").await? else {
        return Ok(Overview { kept_only: true, ..Overview::default() });
    };
    let from = query.range.from.unwrap_or(first);
    let buckets = Buckets::cut(from, query.range.until.unwrap_or(last + 1), SECOND);
    // The function takes the element at the whole part of level times length: a little less is the nearest rank.
    let mut sql = Sql::new(
        "SELECT traces, errors, percentiles, arrayZip(b.1, b.2) AS bins, arrayZip(a.1, a.2) AS arrivals, \
         arrayZip(f.1, f.2) AS failed_arrivals FROM (SELECT count() AS traces, countIf(Bad) AS errors, \
         quantilesExact(0.499999999, 0.949999999, 0.989999999)(Length) AS percentiles, sumMap([Bin], [toUInt64(1)]) AS b, \
         sumMap([Bucket], [toUInt64(1)]) AS a, sumMapIf([Bucket], [toUInt64(1)], Bad) AS f FROM \
         (SELECT Length, toUInt16(log10(greatest(Length, 1)) * ?) AS Bin, toUInt64(intDiv(Start - ?, ?)) AS Bucket, \
         cityHash64(TraceId) IN (SELECT cityHash64(TraceId) FROM otel_traces WHERE StatusCode = 'Error'",
    );
    sql.number(DurationBins::PER_DECADE as u64).number(buckets.from).number(buckets.step);
    range(&mut sql, around(query.range));
    sql.push(") AS Bad FROM (").append(matching(query, ids.as_deref())).push("))) LIMIT 1");
    let counts: Counts = fetch_one(client, &sql).await?;
    let percentiles = match counts.percentiles[..] {
        [p50, p95, p99] if counts.traces > 0 => Some(Percentiles { p50, p95, p99 }),
        _ => None,
    };
    let series = series(buckets.count, &counts.arrivals, &counts.failed_arrivals);
    Ok(Overview {
        traces: counts.traces,
        errors: counts.errors,
        arrivals: Arrivals { from: buckets.from, step: buckets.step, buckets: series },
        durations: DurationBins { bins: counts.bins },
        percentiles,
        kept_only: true,
    })
}

/// Time of the first and of the last span in a range that are as `condition` says, ns since 1970.
pub async fn extent(client: &Client, of: TimeRange, condition: &str) -> Result<Option<(u64, u64)>, StoreError> {
    let mut sql = Sql::new(
        "SELECT count(), toUnixTimestamp64Nano(min(Timestamp)), toUnixTimestamp64Nano(max(Timestamp)) \
         FROM otel_traces WHERE ",
    );
    sql.push(condition);
    range(&mut sql, of);
    sql.push(" LIMIT 1");
    let (spans, first, last): (u64, i64, i64) = fetch_one(client, &sql).await?;
    Ok((spans > 0).then_some((first as u64, last as u64)))
}

/// Counts of all and of the failed, by bucket.
fn series(count: usize, all: &[(u64, u64)], bad: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut series = vec![(0, 0); count];
    for (bucket, n) in all {
        if let Some(counts) = series.get_mut(*bucket as usize) {
            counts.0 += n;
        }
    }
    for (bucket, n) in bad {
        if let Some(counts) = series.get_mut(*bucket as usize) {
            counts.1 += n;
        }
    }
    series
}
