//! Arrivals and durations of the traces that match.

use super::client::fetch_one;
use super::filter::{around, matching, range};
use super::hour::{self, CELL, Traces};
use super::hours::{Hours, Known};
use super::parts::Parts;
use super::sql::Sql;
use super::{reach, scenario};
use crate::store::report::{Buckets, SECOND};
use crate::store::{Arrivals, DurationBins, Overview, Percentiles, StoreError, TimeRange, TraceQuery};
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Row, Deserialize)]
struct Counts {
    traces: u64,
    errors: u64,
    percentiles: Vec<u64>,
    bins: Vec<(u16, u64)>,
    arrivals: Vec<(u64, u64)>,
    failed_arrivals: Vec<(u64, u64)>,
}

/// Returns the overview of the traces that match. A long time without other conditions is summed by the hour; otherwise the
/// spans in reach are read in one pass.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn overview(client: &Client, hours: &Hours, query: &TraceQuery) -> Result<Overview, StoreError> {
    let parts = hours.parts(client).await?;
    let (query, cut) = reach::within(&parts, query);
    let Some((from, until)) = bounds(&parts, query.range) else {
        return Ok(Overview { kept_only: true, ..Overview::default() });
    };
    let buckets = Buckets::cut(from, until, SECOND);
    if query.is_plain() && buckets.step >= CELL {
        let Known { hours, since } = hours.ask::<Traces>(client, &parts, query.range, true).await?;
        let buckets = Buckets::cut(since.unwrap_or(from).min(until), until, CELL);
        return Ok(Overview { counted_from: since, ..hour::overview(hours.iter().map(Arc::as_ref), buckets) });
    }
    let found = scenario::ids(client, hours, &query).await?;
    let counted_from = found.as_ref().and_then(|found| found.since).or(cut);
    let overview = in_one_pass(client, &query, found.map(|found| found.ids), buckets).await?;
    Ok(Overview { counted_from, ..overview })
}

/// Returns the bounds of a range. An open end is replaced by the first span or by the end of the last one; `None` if the
/// range contains no span.
pub fn bounds(parts: &Parts, range: TimeRange) -> Option<(u64, u64)> {
    let (first, last) = parts.extent(range.from.unwrap_or(0), range.until.unwrap_or(u64::MAX))?;
    Some((range.from.unwrap_or(first), range.until.unwrap_or(last + 1)))
}

async fn in_one_pass(
    client: &Client,
    query: &TraceQuery,
    ids: Option<Vec<String>>,
    buckets: Buckets,
) -> Result<Overview, StoreError> {
    // ClickHouse's function takes the element at the integer part of level times length; a slightly lower level gives the
    // nearest rank.
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
    let series = buckets.series(&counts.arrivals, &counts.failed_arrivals);
    Ok(Overview {
        traces: counts.traces,
        errors: counts.errors,
        arrivals: Arrivals { from: buckets.from, step: buckets.step, buckets: series },
        durations: DurationBins { bins: counts.bins },
        percentiles,
        kept_only: true,
        counted_from: None,
    })
}
