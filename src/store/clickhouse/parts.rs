//! The parts of the table, which cost no reading: ClickHouse knows the number of rows of each part and their first and last
//! time. Parts never change; they are added, merged and dropped. So two lists, one later than the other, tell for which
//! times the spans have changed.

use super::client::{fetch, fetch_one};
use super::filter::range;
use super::sql::Sql;
use crate::store::{StoreError, TimeRange};
use clickhouse::Client;
use std::collections::BTreeMap;

/// The parts of the table at a moment, by name.
#[derive(Clone, Debug, Default)]
pub struct Parts(BTreeMap<String, Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    spans: u64,
    /// The time of the first span, in ns since 1970.
    first: u64,
    /// The time of the last span, in ns since 1970.
    last: u64,
}

impl Parts {
    /// Lists the current parts.
    ///
    /// # Errors
    /// ClickHouse does not answer in time, or reports an error.
    pub async fn list(client: &Client) -> Result<Parts, StoreError> {
        let sql = Sql::new(
            "SELECT toString(_part), count(), toUnixTimestamp64Nano(min(Timestamp)), \
             toUnixTimestamp64Nano(max(Timestamp)) FROM otel_traces GROUP BY _part",
        );
        let rows: Vec<(String, u64, i64, i64)> = fetch(client, &sql).await?;
        let part = |(name, spans, first, last): (String, u64, i64, i64)| {
            (name, Part { spans, first: first.max(0) as u64, last: last.max(0) as u64 })
        };
        Ok(Parts(rows.into_iter().map(part).collect()))
    }

    /// Returns the number of spans of all parts.
    pub fn spans(&self) -> u64 {
        self.0.values().map(|part| part.spans).sum()
    }

    /// Returns the times of the first and the last span in `from..until`, as far as parts tell, or `None` if no part
    /// reaches into the range.
    pub fn extent(&self, from: u64, until: u64) -> Option<(u64, u64)> {
        let within = || self.0.values().filter(|part| from < until && part.first < until && part.last >= from);
        let first = within().map(|part| part.first.max(from)).min()?;
        Some((first, within().map(|part| part.last.min(until - 1)).max()?))
    }

    /// Returns the approximate number of spans between two times, assuming that those of a part are spread evenly.
    pub fn about(&self, from: u64, until: u64) -> u64 {
        let share = |part: &Part| {
            let (begin, end) = (part.first.max(from), part.last.saturating_add(1).min(until));
            let length = (part.last - part.first).saturating_add(1);
            (part.spans as u128 * end.saturating_sub(begin) as u128).div_ceil(length as u128) as u64
        };
        self.0.values().map(share).sum()
    }

    /// Returns the latest time from which on about `spans` spans lie before `until`, if there are as many since `from`.
    pub fn since(&self, spans: u64, from: u64, until: u64) -> Option<u64> {
        let (first, last) = self.extent(from, until)?;
        (self.about(first, until) > spans).then(|| search(first, last + 1, |at| self.about(at, until) < spans))
    }

    /// Returns the earliest time before which about `spans` spans lie, if there are as many in `from..until`.
    pub fn until(&self, spans: u64, from: u64, until: u64) -> Option<u64> {
        let (first, last) = self.extent(from, until)?;
        (self.about(first, until) > spans).then(|| search(first, last + 1, |at| self.about(first, at) > spans))
    }

    /// Returns the numbers of the stretches of `length` ns that may have spans in `from..until`, each with an approximate
    /// number of spans, assuming that those of a part are spread evenly. Of a part with more than `max_stretches`, only the
    /// last are returned.
    pub fn spread(&self, length: u64, from: u64, until: u64, max_stretches: u64) -> BTreeMap<u64, u64> {
        let mut stretches = BTreeMap::new();
        for part in self.0.values().filter(|part| part.first < until && part.last >= from) {
            let (first, last) = (part.first / length, part.last / length);
            let each = part.spans.div_ceil(last - first + 1);
            let begin = first.max(from / length).max((last + 1).saturating_sub(max_stretches));
            for at in begin..=last.min((until - 1) / length) {
                *stretches.entry(at).or_default() += each;
            }
        }
        stretches
    }

    /// Returns the first and last times of changes since the list `earlier`. A part that was merged from known ones is no
    /// change.
    pub fn changed_since(&self, earlier: &Parts) -> Vec<(u64, u64)> {
        let merged = |part: &(&String, &Part)| {
            let covered = earlier.0.iter().filter(|(name, _)| !self.0.contains_key(*name) && covers(part.0, name));
            covered.map(|(_, part)| part.spans).sum::<u64>() == part.1.spans
        };
        let new = || self.0.iter().filter(|(name, _)| !earlier.0.contains_key(*name));
        let (merges, added): (Vec<_>, Vec<_>) = new().partition(merged);
        let gone = earlier.0.iter().filter(|(name, _)| !self.0.contains_key(*name));
        let lost = gone.filter(|(name, _)| !merges.iter().any(|(merge, _)| covers(merge, name)));
        added.into_iter().chain(lost).map(|(_, part)| (part.first, part.last)).collect()
    }

    /// Returns the names of parts with spans that were inserted since `earlier`. A part that was also merged from known
    /// ones comes with their last time; only spans after it are new.
    fn added_since(&self, earlier: &Parts) -> Vec<(&String, Option<u64>)> {
        let new = self.0.iter().filter(|(name, _)| !earlier.0.contains_key(*name));
        let added = new.filter_map(|(name, part)| {
            let known: Vec<&Part> =
                earlier.0.iter().filter(|(old, _)| covers(name, old)).map(|(_, part)| part).collect();
            let spans: u64 = known.iter().map(|part| part.spans).sum();
            (spans < part.spans).then(|| (name, known.iter().map(|part| part.last).max()))
        });
        added.collect()
    }
}

/// Returns the first time for which `holds` is true, given that it stays true from then on.
fn search(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// Reports whether a part, by its name `PARTITION_FIRST_LAST_LEVEL`, contains blocks of another. The name of a mutated part
/// has a version at its end; it covers nothing, because its content differs.
fn covers(name: &str, other: &str) -> bool {
    let read = |name: &str| {
        let mut words = name.split('_');
        let partition = words.next()?.to_string();
        let blocks: (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let level: u64 = words.next()?.parse().ok()?;
        let version = words.next().map(String::from);
        Some((partition, blocks, level, version))
    };
    let (Some((partition, (first, last), level, version)), Some((others, (from, to), below, old))) =
        (read(name), read(other))
    else {
        return false;
    };
    partition == others && version == old && first <= from && to <= last && below < level
}

/// A counter of traces that came since the first call, from the parts that were added. If a part was merged with known
/// parts before it was read, those of its traces are not counted that began before the last known one.
#[derive(Default)]
pub struct Arrivals(tokio::sync::Mutex<Option<(Parts, u64)>>);

impl Arrivals {
    /// Returns the number of traces that came since the first call.
    ///
    /// # Errors
    /// ClickHouse does not answer.
    pub async fn count(&self, client: &Client) -> Result<u64, StoreError> {
        let mut known = self.0.lock().await;
        let parts = Parts::list(client).await?;
        let (before, mut traces) = known.take().unwrap_or_else(|| (parts.clone(), 0));
        for (name, known) in parts.added_since(&before) {
            let mut sql = Sql::new("SELECT count() FROM otel_traces WHERE _part = ? AND ParentSpanId = ''");
            sql.text(name);
            range(&mut sql, TimeRange { from: known.map(|last| last + 1), until: None });
            sql.push(" LIMIT 1");
            traces += fetch_one::<u64>(client, &sql).await?;
        }
        *known = Some((parts, traces));
        Ok(traces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(list: &[(&str, u64, u64, u64)]) -> Parts {
        let part = |(name, spans, first, last): &(&str, u64, u64, u64)| {
            (name.to_string(), Part { spans: *spans, first: *first, last: *last })
        };
        Parts(list.iter().map(part).collect())
    }

    #[test]
    fn additions_and_removals_are_changes_and_merges_are_not() {
        let before = parts(&[("d_1_1_0", 10, 0, 9), ("d_2_2_0", 20, 5, 14), ("e_3_3_0", 5, 100, 104)]);
        assert_eq!(before.changed_since(&before), []);
        assert_eq!(before.changed_since(&Parts::default()), [(0, 9), (5, 14), (100, 104)]);
        let merged = parts(&[("d_1_2_1", 30, 0, 14), ("e_3_3_0", 5, 100, 104)]);
        assert_eq!(merged.changed_since(&before), []);
        let fewer = parts(&[("d_1_2_1", 29, 1, 14), ("e_3_3_0", 5, 100, 104)]);
        assert_eq!(fewer.changed_since(&before), [(1, 14), (0, 9), (5, 14)], "a merge that dropped a span");
        let more = parts(&[("d_1_3_1", 31, 0, 20), ("e_3_3_0", 5, 100, 104)]);
        assert_eq!(more.changed_since(&before), [(0, 20), (0, 9), (5, 14)], "one came in between");
        let dropped = parts(&[("d_1_1_0", 10, 0, 9), ("d_2_2_0", 20, 5, 14)]);
        assert_eq!(dropped.changed_since(&before), [(100, 104)]);
        let mutated = parts(&[("d_1_1_0_4", 10, 0, 9), ("d_2_2_0_4", 20, 5, 14), ("e_3_3_0_4", 5, 100, 104)]);
        assert_eq!(mutated.changed_since(&before).len(), 6);
    }

    #[test]
    fn inserted_parts_are_told_from_merged_ones() {
        let before = parts(&[("d_1_1_0", 10, 0, 9), ("d_2_2_0", 20, 5, 14)]);
        let now = parts(&[("d_1_3_1", 31, 0, 20), ("d_4_4_0", 3, 21, 22)]);
        assert_eq!(now.added_since(&before), [(&"d_1_3_1".into(), Some(14)), (&"d_4_4_0".into(), None)]);
        assert_eq!(parts(&[("d_1_2_1", 30, 0, 14)]).added_since(&before), []);
    }

    #[test]
    fn spans_are_spread_over_the_time_of_their_part() {
        let parts = parts(&[("d_1_1_0", 10, 5, 24), ("d_2_2_0", 3, 20, 20)]);
        assert_eq!(parts.spread(10, 0, 100, 99), BTreeMap::from([(0, 4), (1, 4), (2, 7)]));
        assert_eq!(parts.spread(10, 12, 20, 99), BTreeMap::from([(1, 4)]));
        assert_eq!(parts.spread(10, 0, u64::MAX, 1), BTreeMap::from([(2, 7)]));
        assert_eq!(
            (parts.extent(0, 100), parts.extent(10, 20), parts.extent(30, 40)),
            (Some((5, 24)), Some((10, 19)), None)
        );
        assert_eq!(parts.spans(), 13);
        assert_eq!((parts.about(0, 100), parts.about(5, 15), parts.about(20, 21)), (13, 5, 4));
        assert_eq!((parts.since(8, 0, 100), parts.since(13, 0, 100)), (Some(17), None));
        assert_eq!((parts.until(4, 0, 100), parts.until(13, 0, 100)), (Some(14), None));
    }
}
