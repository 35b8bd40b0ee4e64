//! A page of the rows, and the figures of the rows that match.

use super::kept::Row;
use super::shelf::Snapshot;
use super::sieve::Sieve;
use crate::store::report::{Buckets, SECOND};
use crate::store::{
    Arrivals, DurationBins, Order, Overview, Percentiles, StoreError, TracePage, TraceQuery, TraceSummary,
};

/// The sort key of a row; the smallest comes first.
type Rank = (u64, [u8; 16]);

fn rank(order: Order, row: &Row) -> Rank {
    let first = match order {
        Order::Newest => !row.start,
        Order::Oldest => row.start,
        Order::Longest => !row.duration,
        Order::Shortest => row.duration,
    };
    (first, row.id)
}

/// A selection of the rows that come first among all that are offered.
struct First<'s> {
    capacity: usize,
    rows: Vec<(Rank, &'s Row)>,
    /// Rows from this rank on can't be among the first any more.
    end: Option<Rank>,
}

impl<'s> First<'s> {
    fn offer(&mut self, rank: Rank, row: &'s Row) {
        if self.capacity > 0 && self.end.is_none_or(|end| rank < end) {
            self.rows.push((rank, row));
            if self.rows.len() >= 2 * self.capacity.max(32) {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        if self.rows.len() > self.capacity {
            let (_, (end, _), _) = self.rows.select_nth_unstable_by_key(self.capacity, |(rank, _)| *rank);
            self.end = Some(*end);
            self.rows.truncate(self.capacity);
        }
    }

    fn sorted(mut self) -> impl Iterator<Item = &'s Row> {
        self.cut();
        self.rows.sort_unstable_by_key(|(rank, _)| *rank);
        self.rows.into_iter().map(|(_, row)| row)
    }
}

/// Returns the query's page of the rows that match.
///
/// # Errors
/// [`StoreError::TooLarge`] if their names take more than [`TracePage::MOST_BYTES`].
pub fn page(snapshot: &Snapshot, query: &TraceQuery, sieve: &Sieve<'_>) -> Result<TracePage, StoreError> {
    let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
    let capacity = offset.saturating_add(query.limit as usize).min(snapshot.total as usize);
    let mut first = First { capacity, rows: vec![], end: None };
    // Without a condition only the page matters, and most segments can't contain any of it.
    let all = query.is_plain() && query.range.is_whole();
    let mut total = 0;
    for segment in snapshot.segments.iter().rev() {
        let (earliest, latest) = segment.starts();
        let best = match query.order {
            Order::Newest => !latest,
            Order::Oldest => earliest,
            Order::Longest | Order::Shortest => 0,
        };
        if !segment.touches(query.range) || all && first.end.is_some_and(|(end, _)| best > end) {
            continue;
        }
        for row in segment.rows.iter().filter(|row| sieve.holds(row)) {
            total += 1;
            first.offer(rank(query.order, row), row);
        }
    }
    let mut left = TracePage::MOST_BYTES;
    let summaries = first.sorted().skip(offset).map(|row| {
        let summary = TraceSummary::of(row.kept.view());
        left = left.checked_sub(summary.bytes()).ok_or_else(TracePage::too_large)?;
        Ok(summary)
    });
    let traces = summaries.collect::<Result<_, StoreError>>()?;
    Ok(TracePage { traces, total: if all { snapshot.total } else { total }, searched: None })
}

/// Returns the figures of the rows that match.
pub fn overview(snapshot: &Snapshot, query: &TraceQuery, sieve: &Sieve<'_>) -> Overview {
    let segments = snapshot.segments.iter().filter(|segment| segment.touches(query.range));
    let rows = segments.flat_map(|segment| segment.rows.iter()).filter(|row| sieve.holds(row));
    let rows: Vec<(u64, u64, bool)> = rows.map(|row| (row.start, row.duration, row.failed)).collect();
    let mut durations: Vec<u64> = rows.iter().map(|(_, duration, _)| *duration).collect();
    Overview {
        traces: rows.len() as u64,
        errors: rows.iter().filter(|(.., failed)| *failed).count() as u64,
        arrivals: arrivals(&rows, query),
        durations: DurationBins::of(durations.iter().copied()),
        percentiles: Percentiles::of(&mut durations),
        kept_only: true,
        counted_from: None,
    }
}

/// Returns the arrivals of rows given as (start, duration, failed).
fn arrivals(rows: &[(u64, u64, bool)], query: &TraceQuery) -> Arrivals {
    let starts = || rows.iter().map(|(start, ..)| *start);
    let (Some(first), Some(last)) = (starts().min(), starts().max()) else { return Arrivals::default() };
    let buckets = Buckets::cut(query.range.from.unwrap_or(first), query.range.until.unwrap_or(last + 1), SECOND);
    let mut counts = vec![(0, 0); buckets.count];
    for (start, _, failed) in rows {
        if let Some(at) = buckets.index(*start) {
            counts[at].0 += 1;
            counts[at].1 += *failed as u64;
        }
    }
    Arrivals { from: buckets.from, step: buckets.step, buckets: counts }
}
