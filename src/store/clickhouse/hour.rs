//! What is counted of an hour of spans: traces, services, calls. Sums of hours are what the pages show of long times.

use super::client::fetch;
use super::filter::{around, matching, range};
use super::parts::Parts;
use super::sql::Sql;
use crate::histogram::Decimal;
use crate::store::histogram::Durations;
use crate::store::report::{Buckets, MOST_NAMES};
use crate::store::{Arrivals, Edge, Overview, StoreError, TimeRange, TraceQuery};
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// ns.
pub const HOUR: u64 = 3_600_000_000_000;
/// Counts are kept for each so many ns of an hour: what buckets of this length and longer are made of.
pub const CELL: u64 = HOUR / 6;
/// Services and operations of an hour that are kept, services first, then those with the most spans.
pub const MOST_GROUPS: u64 = 2 * MOST_NAMES as u64;

/// One of the three things that are counted of an hour.
pub trait Counted: Sized {
    /// The hours between two times in which there is any, by the number of the hour since 1970. An hour that is not whole has
    /// what lies between the times.
    async fn read(client: &Client, parts: &Parts, from: u64, until: u64) -> Result<Vec<(u64, Self)>, StoreError>;

    /// An hour without spans.
    fn nothing() -> Self;

    /// Bytes in memory, about.
    fn weight(&self) -> usize;
}

/// Traces, each in the hour in which its root begins.
#[derive(Debug, Default)]
pub struct Traces {
    pub traces: u64,
    /// Of those, with any failed span.
    pub errors: u64,
    /// Cells that have any: number since 1970, traces, traces with errors.
    cells: Vec<(u64, u64, u64)>,
    /// Durations of the roots: bin of [`Decimal`], traces.
    bins: Vec<(u16, u64)>,
    /// ns.
    pub longest: u64,
}

/// Spans of a service, or of one of its operations.
#[derive(Debug)]
pub struct Group {
    pub service: Arc<str>,
    pub operation: Arc<str>,
    /// The service as a whole; then the operation is empty.
    pub whole: bool,
    pub spans: u64,
    pub errors: u64,
    /// Cells that have any: number since 1970, spans, failed ones.
    pub cells: Vec<(u32, u32, u32)>,
    /// Durations: bin of [`Decimal`], spans.
    pub bins: Vec<(u16, u32)>,
}

#[derive(Debug, Default)]
pub struct Groups(pub Vec<Group>);

#[derive(Debug, Default)]
pub struct Calls {
    pub edges: Vec<Edge>,
    /// Counted in one of so many traces and scaled up.
    pub sampled: u64,
}

#[derive(Row, Deserialize)]
struct TracesRow {
    hour: u64,
    traces: u64,
    errors: u64,
    longest: u64,
    arrivals: Vec<(u64, u64)>,
    failed: Vec<(u64, u64)>,
    bins: Vec<(u16, u64)>,
}

impl Counted for Traces {
    async fn read(client: &Client, _: &Parts, from: u64, until: u64) -> Result<Vec<(u64, Traces)>, StoreError> {
        let when = TimeRange { from: Some(from), until: Some(until) };
        let query = TraceQuery { range: when, ..TraceQuery::default() };
        let mut sql = Sql::new(
            "SELECT hour, traces, errors, longest, arrayZip(a.1, a.2) AS arrivals, arrayZip(f.1, f.2) AS failed, \
             arrayZip(b.1, b.2) AS bins FROM (SELECT toUInt64(intDiv(Start, ?)) AS hour, count() AS traces, \
             countIf(Bad) AS errors, max(Length) AS longest, sumMap([Cell], [toUInt64(1)]) AS a, \
             sumMapIf([Cell], [toUInt64(1)], Bad) AS f, sumMap([Bin], [toUInt64(1)]) AS b FROM (SELECT Start, Length, \
             toUInt64(intDiv(Start, ?)) AS Cell, toUInt16(log10(greatest(Length, 1)) * ?) AS Bin, \
             cityHash64(TraceId) IN (SELECT cityHash64(TraceId) FROM otel_traces WHERE StatusCode = 'Error'",
        );
        sql.number(HOUR).number(CELL).number(Decimal::PER_DECADE as u64);
        range(&mut sql, around(when));
        sql.push(") AS Bad FROM (").append(matching(&query, None)).push(")) GROUP BY hour)");
        let rows: Vec<TracesRow> = fetch(client, &sql).await?;
        let hour = |row: TracesRow| {
            let errors = |cell| row.failed.iter().find(|(of, _)| *of == cell).map_or(0, |(_, errors)| *errors);
            let cells = row.arrivals.iter().map(|(cell, traces)| (*cell, *traces, errors(*cell))).collect();
            let TracesRow { hour, traces, errors, longest, bins, .. } = row;
            (hour, Traces { traces, errors, cells, bins, longest })
        };
        Ok(rows.into_iter().map(hour).collect())
    }

    fn nothing() -> Traces {
        Traces::default()
    }

    fn weight(&self) -> usize {
        size_of::<Traces>() + self.cells.len() * 24 + self.bins.len() * 16
    }
}

/// Traces of many hours, in buckets that are made of whole cells.
pub fn overview<'a>(hours: impl Iterator<Item = &'a Traces>, buckets: Buckets) -> Overview {
    let (mut durations, mut all, mut failed) = (Durations::default(), vec![], vec![]);
    let (mut traces, mut errors) = (0, 0);
    for hour in hours {
        (traces, errors) = (traces + hour.traces, errors + hour.errors);
        hour.bins.iter().for_each(|(bin, count)| durations.add_bin(*bin, *count));
        for (cell, traces, errors) in &hour.cells {
            if let Some(bucket) = buckets.index(cell * CELL) {
                all.push((bucket as u64, *traces));
                failed.push((bucket as u64, *errors));
            }
        }
    }
    Overview {
        traces,
        errors,
        arrivals: Arrivals { from: buckets.from, step: buckets.step, buckets: buckets.series(&all, &failed) },
        durations: durations.bins(),
        percentiles: durations.percentiles(),
        kept_only: true,
        counted_from: None,
    }
}

/// A duration, ns, from which on there are at least `traces` of them; 0: there are fewer.
pub fn longer<'a>(hours: impl Iterator<Item = &'a Traces>, traces: u64) -> u64 {
    let mut bins: BTreeMap<u16, u64> = BTreeMap::new();
    hours.flat_map(|hour| &hour.bins).for_each(|(bin, count)| *bins.entry(*bin).or_default() += count);
    let mut found = 0;
    let enough = bins.iter().rev().find(|(_, count)| {
        found += **count;
        found >= traces
    });
    // the beginning of the bin, and a little before it, as logarithms are rounded
    enough.map_or(0, |(bin, _)| (10f64.powf(*bin as f64 / Decimal::PER_DECADE) * (1.0 - 1e-9)) as u64)
}

#[derive(Row, Deserialize)]
struct GroupRow {
    hour: u64,
    service: String,
    operation: String,
    /// 1: the service as a whole.
    whole: u8,
    spans: u64,
    errors: u64,
    /// Cell, spans, failed ones.
    cells: Vec<(u64, u64, u64)>,
    bins: Vec<(u16, u64)>,
}

impl Counted for Groups {
    async fn read(client: &Client, _: &Parts, from: u64, until: u64) -> Result<Vec<(u64, Groups)>, StoreError> {
        groups(client, &Sql::default(), (from, until), CELL).await
    }

    fn nothing() -> Groups {
        Groups::default()
    }

    fn weight(&self) -> usize {
        let group = |group: &Group| {
            let names = group.service.len() + group.operation.len();
            size_of::<Group>() + names + group.cells.len() * 12 + group.bins.len() * 8
        };
        self.0.iter().map(group).sum()
    }
}

/// Services and operations of the hours between two times, of spans that are as `condition` (` AND ...`) says, in cells of
/// `cell` ns, which is a part of an hour.
pub async fn groups(
    client: &Client,
    condition: &Sql,
    (from, until): (u64, u64),
    cell: u64,
) -> Result<Vec<(u64, Groups)>, StoreError> {
    let mut sql = Sql::new(
        "SELECT hour, service, operation, whole, spans, errors, arrayZip(c.1, c.2, c.3) AS cells, \
         arrayZip(b.1, b.2) AS bins FROM (SELECT toUInt64(intDiv(Cell, ?)) AS hour, toString(ServiceName) AS service, \
         toString(SpanName) AS operation, toUInt8(grouping(SpanName)) AS whole, sum(n) AS spans, sum(e) AS errors, \
         sumMap([Cell], [n], [e]) AS c, sumMap([Bin], [n]) AS b FROM (SELECT ServiceName, SpanName, \
         toUInt64(intDiv(toUnixTimestamp64Nano(Timestamp), ?)) AS Cell, \
         toUInt16(log10(greatest(Duration, 1)) * ?) AS Bin, count() AS n, countIf(StatusCode = 'Error') AS e \
         FROM otel_traces WHERE 1",
    );
    sql.number((HOUR / cell).max(1)).number(cell).number(Decimal::PER_DECADE as u64).append(condition.clone());
    range(&mut sql, TimeRange { from: Some(from), until: Some(until) });
    sql.push(
        " GROUP BY ServiceName, SpanName, Cell, Bin) \
         GROUP BY GROUPING SETS ((hour, ServiceName), (hour, ServiceName, SpanName)) \
         ORDER BY hour, whole DESC, spans DESC, service, operation LIMIT ? BY hour)",
    );
    sql.number(MOST_GROUPS);
    let rows: Vec<GroupRow> = fetch(client, &sql).await?;
    let mut hours: Vec<(u64, Groups)> = vec![];
    for row in rows {
        if hours.last().is_none_or(|(hour, _)| *hour != row.hour) {
            hours.push((row.hour, Groups::default()));
        }
        if let Some((_, groups)) = hours.last_mut() {
            groups.0.push(Group::of(row));
        }
    }
    Ok(hours)
}

impl Group {
    fn of(row: GroupRow) -> Group {
        let small = |count: u64| count.min(u32::MAX.into()) as u32;
        Group {
            service: row.service.into(),
            operation: row.operation.into(),
            whole: row.whole == 1,
            spans: row.spans,
            errors: row.errors,
            cells: row.cells.into_iter().map(|(cell, n, e)| (small(cell), small(n), small(e))).collect(),
            bins: row.bins.into_iter().map(|(bin, n)| (bin, small(n))).collect(),
        }
    }
}
