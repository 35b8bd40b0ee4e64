//! The counts of an hour of spans: traces, services, calls. The pages show sums of them for long times.

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
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// An hour in ns.
pub const HOUR: u64 = 3_600_000_000_000;
/// A day in ns.
pub const DAY: u64 = 24 * HOUR;
/// The length of a cell in ns. Counts are kept for each cell of an hour, so that they can be summed to buckets of this
/// length or longer.
pub const CELL: u64 = HOUR / 6;
/// The maximum number of services and operations of an hour that are kept: services first, then those with the most spans.
pub const MOST_GROUPS: u64 = 2 * MOST_NAMES as u64;

/// A range of time to be read, in stretches of `length` ns, each an hour or a cell.
#[derive(Clone, Copy)]
pub struct Reading {
    /// The start of the range in ns since 1970.
    pub from: u64,
    /// The end of the range in ns since 1970.
    pub until: u64,
    /// The length of a stretch in ns.
    pub length: u64,
    /// The time after a root in which spans of its trace are looked for, in ns.
    pub behind: u64,
    /// Traces with a failed span are counted, for which all spans around have to be read.
    pub failures: bool,
}

impl Reading {
    /// Makes a reading of whole stretches, from the first to the last number, each of `length` ns, with the full time for
    /// late spans.
    pub fn whole(first: u64, last: u64, length: u64) -> Reading {
        Reading { from: first * length, until: (last + 1) * length, length, behind: DAY, failures: true }
    }

    fn when(&self) -> TimeRange {
        TimeRange { from: Some(self.from), until: Some(self.until) }
    }
}

/// One of the three kinds of counts of an hour, or of a piece of one.
pub trait Counted: Sized {
    /// Reads the stretches that contain anything, by the number of the stretch since 1970. A stretch that is only partly in
    /// the range gets the counts of that part.
    async fn read(client: &Client, parts: &Parts, reading: Reading) -> Result<Vec<(u64, Self)>, StoreError>;

    /// Returns the counts of a stretch without spans.
    fn nothing() -> Self;

    /// Returns the sum of the counts of stretches.
    fn sum<'a>(pieces: impl Iterator<Item = &'a Self>) -> Self
    where
        Self: 'a;

    /// Returns the approximate memory in bytes.
    fn weight(&self) -> usize;
}

/// The counts of traces. A trace belongs to the hour in which its root begins.
#[derive(Debug, Default)]
pub struct Traces {
    pub traces: u64,
    /// The number of traces with a failed span.
    pub errors: u64,
    /// The cells that contain traces: number since 1970, traces, traces with errors.
    cells: Vec<(u64, u64, u64)>,
    /// The durations of the roots: bin of [`Decimal`], traces.
    bins: Vec<(u16, u64)>,
    /// The longest duration of a root in ns.
    pub longest: u64,
}

/// The counts of the spans of a service, or of one of its operations.
#[derive(Clone, Debug)]
pub struct Group {
    pub service: Arc<str>,
    pub operation: Arc<str>,
    /// The counts are those of the whole service; then the operation is empty.
    pub whole: bool,
    pub spans: u64,
    pub errors: u64,
    /// The cells that contain spans, in order: number since 1970, spans, failed spans.
    pub cells: Vec<(u32, u32, u32)>,
    /// The durations in order: bin of [`Decimal`], spans.
    pub bins: Vec<(u16, u32)>,
}

/// The counts by service and operation.
#[derive(Debug, Default)]
pub struct Groups(pub Vec<Group>);

/// The calls between services.
#[derive(Debug, Default)]
pub struct Calls {
    pub edges: Vec<Edge>,
    /// The sampling factor: one of so many traces was counted, and the counts were scaled up.
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
    async fn read(client: &Client, _: &Parts, reading: Reading) -> Result<Vec<(u64, Traces)>, StoreError> {
        let when = reading.when();
        let query = TraceQuery { range: when, ..TraceQuery::default() };
        let mut sql = Sql::new(
            "SELECT hour, traces, errors, longest, arrayZip(a.1, a.2) AS arrivals, arrayZip(f.1, f.2) AS failed, \
             arrayZip(b.1, b.2) AS bins FROM (SELECT toUInt64(intDiv(Start, ?)) AS hour, count() AS traces, \
             countIf(Bad) AS errors, max(Length) AS longest, sumMap([Cell], [toUInt64(1)]) AS a, \
             sumMapIf([Cell], [toUInt64(1)], Bad) AS f, sumMap([Bin], [toUInt64(1)]) AS b FROM (SELECT Start, Length, \
             toUInt64(intDiv(Start, ?)) AS Cell, toUInt16(log10(greatest(Length, 1)) * ?) AS Bin, \
             ",
        );
        sql.number(reading.length).number(CELL).number(Decimal::PER_DECADE as u64);
        if reading.failures {
            sql.push("cityHash64(TraceId) IN (SELECT cityHash64(TraceId) FROM otel_traces WHERE StatusCode = 'Error'");
            range(&mut sql, TimeRange { until: Some(reading.until.saturating_add(reading.behind)), ..around(when) });
            sql.push(")");
        } else {
            sql.push("false");
        }
        sql.push(" AS Bad FROM (").append(matching(&query, None)).push(")) GROUP BY hour)");
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

    fn sum<'a>(pieces: impl Iterator<Item = &'a Traces>) -> Traces {
        let (mut sum, mut cells, mut bins) = (Traces::default(), BTreeMap::new(), BTreeMap::new());
        for piece in pieces {
            sum.traces += piece.traces;
            sum.errors += piece.errors;
            sum.longest = sum.longest.max(piece.longest);
            for (cell, traces, errors) in &piece.cells {
                let known: &mut (u64, u64) = cells.entry(*cell).or_default();
                *known = (known.0 + traces, known.1 + errors);
            }
            piece.bins.iter().for_each(|(bin, count)| *bins.entry(*bin).or_default() += count);
        }
        sum.cells = cells.into_iter().map(|(cell, (traces, errors))| (cell, traces, errors)).collect();
        sum.bins = bins.into_iter().collect();
        sum
    }

    fn weight(&self) -> usize {
        size_of::<Traces>() + self.cells.len() * 24 + self.bins.len() * 16
    }
}

/// Returns the traces of many hours, in buckets that consist of whole cells.
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

/// Returns a duration in ns that at least `traces` traces exceed, or 0 if there are fewer.
pub fn longer<'a>(hours: impl Iterator<Item = &'a Traces>, traces: u64) -> u64 {
    let mut bins: BTreeMap<u16, u64> = BTreeMap::new();
    hours.flat_map(|hour| &hour.bins).for_each(|(bin, count)| *bins.entry(*bin).or_default() += count);
    let mut found = 0;
    let enough = bins.iter().rev().find(|(_, count)| {
        found += **count;
        found >= traces
    });
    // The bin's beginning is reduced a little, because logarithms are rounded.
    enough.map_or(0, |(bin, _)| (10f64.powf(*bin as f64 / Decimal::PER_DECADE) * (1.0 - 1e-9)) as u64)
}

#[derive(Row, Deserialize)]
struct GroupRow {
    hour: u64,
    service: String,
    operation: String,
    /// 1 for the service as a whole.
    whole: u8,
    spans: u64,
    errors: u64,
    /// Cell, spans, failed spans.
    cells: Vec<(u64, u64, u64)>,
    bins: Vec<(u16, u64)>,
}

impl Counted for Groups {
    async fn read(client: &Client, _: &Parts, reading: Reading) -> Result<Vec<(u64, Groups)>, StoreError> {
        groups(client, &Sql::default(), reading, CELL).await
    }

    fn nothing() -> Groups {
        Groups::default()
    }

    /// Returns the sum. Of more than [`MOST_GROUPS`] groups, those with the most spans are kept, as in reading.
    fn sum<'a>(pieces: impl Iterator<Item = &'a Groups>) -> Groups {
        let mut sums: HashMap<(Arc<str>, Arc<str>, bool), Group> = HashMap::new();
        for group in pieces.flat_map(|piece| &piece.0) {
            match sums.entry((group.service.clone(), group.operation.clone(), group.whole)) {
                Entry::Vacant(place) => drop(place.insert(group.clone())),
                Entry::Occupied(mut known) => known.get_mut().add(group),
            }
        }
        let mut groups: Vec<Group> = sums.into_values().collect();
        groups.sort_by(|a, b| {
            let names = |group: &Group| (group.service.clone(), group.operation.clone());
            (b.whole, b.spans).cmp(&(a.whole, a.spans)).then_with(|| names(a).cmp(&names(b)))
        });
        groups.truncate(MOST_GROUPS as usize);
        Groups(groups)
    }

    fn weight(&self) -> usize {
        let group = |group: &Group| {
            let names = group.service.len() + group.operation.len();
            size_of::<Group>() + names + group.cells.len() * 12 + group.bins.len() * 8
        };
        self.0.iter().map(group).sum()
    }
}

/// Returns the services and operations of stretches, for spans that satisfy `condition` (` AND ...`), in cells of `cell`
/// ns, which divides the length of a stretch.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn groups(
    client: &Client,
    condition: &Sql,
    reading: Reading,
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
    sql.number((reading.length / cell).max(1))
        .number(cell)
        .number(Decimal::PER_DECADE as u64)
        .append(condition.clone());
    range(&mut sql, reading.when());
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
    fn add(&mut self, other: &Group) {
        self.spans += other.spans;
        self.errors += other.errors;
        for (cell, spans, errors) in &other.cells {
            match self.cells.binary_search_by_key(cell, |known| known.0) {
                Ok(at) => {
                    let known = &mut self.cells[at];
                    *known = (*cell, known.1.saturating_add(*spans), known.2.saturating_add(*errors));
                }
                Err(at) => self.cells.insert(at, (*cell, *spans, *errors)),
            }
        }
        for (bin, spans) in &other.bins {
            match self.bins.binary_search_by_key(bin, |known| known.0) {
                Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(*spans),
                Err(at) => self.bins.insert(at, (*bin, *spans)),
            }
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_pieces_contains_all_of_them() {
        let one = Traces { traces: 3, errors: 1, cells: vec![(7, 3, 1)], bins: vec![(1, 1), (4, 2)], longest: 9 };
        let two = Traces { traces: 2, errors: 2, cells: vec![(6, 1, 1), (7, 1, 1)], bins: vec![(4, 2)], longest: 5 };
        let sum = Traces::sum([&one, &two].into_iter());
        assert_eq!((sum.traces, sum.errors, sum.longest), (5, 3, 9));
        assert_eq!((sum.cells, sum.bins), (vec![(6, 1, 1), (7, 4, 2)], vec![(1, 1), (4, 4)]));
    }

    #[test]
    fn services_come_first_then_the_groups_with_most_spans() {
        let group = |service: &str, operation: &str, spans: u64, cell: u32| Group {
            service: service.into(),
            operation: operation.into(),
            whole: operation.is_empty(),
            spans,
            errors: 1,
            cells: vec![(cell, spans as u32, 1)],
            bins: vec![(cell as u16, spans as u32)],
        };
        let one = Groups(vec![group("a", "", 5, 2), group("a", "get", 5, 2)]);
        let two =
            Groups(vec![group("b", "", 9, 1), group("a", "", 2, 1), group("b", "put", 9, 1), group("a", "get", 2, 1)]);
        let sum = Groups::sum([&one, &two].into_iter()).0;
        let told: Vec<(&str, &str, u64)> = sum.iter().map(|g| (&*g.service, &*g.operation, g.spans)).collect();
        assert_eq!(told, [("b", "", 9), ("a", "", 7), ("b", "put", 9), ("a", "get", 7)]);
        assert_eq!((&sum[1].cells, &sum[1].bins), (&vec![(1, 2, 1), (2, 5, 1)], &vec![(1, 2), (2, 5)]));
    }
}
