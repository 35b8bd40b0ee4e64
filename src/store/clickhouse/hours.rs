//! Counts of hours of spans. Each hour is counted once and kept in memory until its spans change.
//!
//! The collector's table is sorted by service, so a question about all time has to read all of it. The counts of an hour
//! are valid as long as [`Parts`] show no change. A question about a long time sums hours. It reads only those that have
//! changed since they were last asked for, and the partial hours at the ends of its range. Nothing is written, and the
//! table stays as the collector made it.
//!
//! An hour that changes again after it was counted is mostly the newest one, which changes all the time. It is divided into
//! pieces that are kept in the same way, so that only its last minutes are read again.
//!
//! Hours that have never been counted are counted from the newest backwards, a few by each question and the others in the
//! background. Until all are counted, an answer covers only those that are, and says so.

use super::hour::{CELL, Calls, Counted, DAY, Groups, HOUR, Reading, Traces};
use super::parts::Parts;
use crate::store::{Counting, StoreError, TimeRange};
use clickhouse::Client;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// The approximate number of spans that are read at once.
const AT_ONCE: u64 = 1_000_000;
/// The maximum number of hours that are kept; older ones are not counted.
const MOST_HOURS: usize = 24 * 400;
/// The approximate maximum memory of the hours in bytes.
const MOST_BYTES: usize = 64 << 20;
/// The maximum number of pieces that are kept, which are the newest.
const MOST_PIECES: usize = 24;
/// The approximate maximum memory of the pieces in bytes.
const MOST_PIECES_BYTES: usize = 16 << 20;
/// The number of pieces in an hour.
const PIECES: u64 = HOUR / CELL;
/// The maximum number of hours that are read piece by piece at once.
const MOST_PIECED: u64 = 2;
/// The spans of a trace are assumed to start within this multiple of the longest root duration in its hour, but at least
/// and at most the times in [`reach`].
const LONGEST: u64 = 2;
/// The time by which a span may start before its root, in ns; it does so only if clocks differ.
const EARLY: u64 = HOUR / 60;
const MINUTES: u64 = HOUR / 6;
/// The number of changes that are remembered, for hours that are being counted meanwhile.
const MOST_CHANGES: usize = 256;

/// The counted hours of a table.
#[derive(Default)]
pub struct Hours {
    state: Mutex<State>,
    /// A lock for reading, so that nothing is read twice.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    parts: Arc<Parts>,
    hours: Shelf<HOUR>,
    pieces: Shelf<CELL>,
    /// The first hour that is counted; there is no room for older ones.
    oldest: u64,
    /// The number of changes so far.
    changes: u64,
    /// The first and last times of the latest changes.
    changed: VecDeque<(u64, u64)>,
}

/// The counts of stretches of `LENGTH` ns, by the number of the stretch since 1970.
#[derive(Default)]
struct Shelf<const LENGTH: u64> {
    stretches: BTreeMap<u64, Stretch>,
    /// The approximate memory in bytes.
    bytes: usize,
}

/// The counts of an hour or of a piece of one, as far as they are known.
#[derive(Default)]
pub struct Stretch {
    traces: Option<Arc<Traces>>,
    groups: Option<Arc<Groups>>,
    calls: Option<Arc<Calls>>,
}

/// A kind of counts that a [`Stretch`] has a place for.
pub trait Kept: Counted {
    fn place(stretch: &mut Stretch) -> &mut Option<Arc<Self>>;
    fn known(stretch: &Stretch) -> Option<&Arc<Self>>;
}

macro_rules! kept {
    ($($thing:ident in $place:ident),*) => {$(
        impl Kept for $thing {
            fn place(stretch: &mut Stretch) -> &mut Option<Arc<Self>> {
                &mut stretch.$place
            }

            fn known(stretch: &Stretch) -> Option<&Arc<Self>> {
                stretch.$place.as_ref()
            }
        }
    )*};
}

kept!(Traces in traces, Groups in groups, Calls in calls);

/// The answer to a question.
pub struct Known<T> {
    /// The counts of the hours in any order. An hour at an end of the range may be partial.
    pub hours: Vec<Arc<T>>,
    /// The time in ns since 1970 from which on the answer counts spans; `None` if it covers the whole range.
    pub since: Option<u64>,
}

/// A run of consecutive hours whose counts are missing.
struct Gap {
    first: u64,
    last: u64,
    spans: u64,
}

impl Hours {
    /// Updates the list of parts, and forgets hours that have changed.
    ///
    /// # Errors
    /// ClickHouse does not answer in time, or reports an error.
    pub async fn parts(&self, client: &Client) -> Result<Arc<Parts>, StoreError> {
        let parts = Parts::list(client).await?;
        let mut state = self.state.lock();
        for (first, last) in parts.changed_since(&state.parts) {
            state.forget(first, last);
        }
        state.parts = Arc::new(parts);
        Ok(state.parts.clone())
    }

    /// Returns the counts of a range, given the table's current `parts`. A question reads some of the missing hours.
    /// Without `failures`, failed traces are not counted in partial hours.
    ///
    /// # Errors
    /// ClickHouse does not answer in time, or reports an error.
    pub async fn ask<T: Kept>(
        &self,
        client: &Client,
        parts: &Parts,
        range: TimeRange,
        failures: bool,
    ) -> Result<Known<T>, StoreError> {
        let (from, until) = (range.from.unwrap_or(0), range.until.unwrap_or(u64::MAX));
        let Some((first, last)) = parts.extent(from, until) else { return Ok(Known { hours: vec![], since: None }) };
        // If no spans lie beyond an end, the partial hour has the same counts as the whole one.
        let (open, endless) = (parts.extent(0, from).is_none(), parts.extent(until, u64::MAX).is_none());
        let begin = if open { first / HOUR } else { from.div_ceil(HOUR) };
        let end = if endless { last / HOUR + 1 } else { until / HOUR };
        let part = async |from: u64, until: u64| {
            let behind = self.state.lock().hours.reach(from, until);
            let part = T::read(client, parts, Reading { from, until, behind, length: HOUR, failures }).await?;
            Ok::<_, StoreError>(part.into_iter().map(|(_, part)| Arc::new(part)).collect::<Vec<_>>())
        };
        if begin >= end {
            return Ok(Known { hours: part(from, until).await?, since: None });
        }
        let (mut hours, since) = self.whole(client, &hours_of(parts, begin, end)).await?;
        if !endless && end * HOUR < until {
            hours.extend(part(end * HOUR, until).await?);
        }
        if !open && from < begin * HOUR && since.is_none() {
            hours.extend(part(from, begin * HOUR).await?);
        }
        Ok(Known { hours, since })
    }

    /// Returns the counts of whole hours. Missing ones are read first: at least the newest, and others as far as they can
    /// be read at once. The second value is the beginning of the first hour, if there are missing ones left.
    async fn whole<T: Kept>(
        &self,
        client: &Client,
        wanted: &BTreeMap<u64, u64>,
    ) -> Result<(Vec<Arc<T>>, Option<u64>), StoreError> {
        let (mut fresh, mut spans) = (BTreeMap::new(), 0);
        loop {
            let gap = match self.state.lock().look(wanted, &fresh) {
                (_, Some(gap)) if fresh.is_empty() || spans + gap.spans <= AT_ONCE => gap,
                (known, gap) => {
                    let mut newest = wanted.keys().rev().map(|hour| hour * HOUR);
                    let first = match known.len() {
                        0 => newest.next().map(|newest| newest + HOUR),
                        many => newest.nth(many - 1),
                    };
                    let partly = gap.is_some() || known.len() < wanted.len() || wanted.len() == MOST_HOURS;
                    return Ok((known, first.filter(|_| partly)));
                }
            };
            spans += gap.spans;
            let _one = self.reading.lock().await;
            // Another task may have read it meanwhile.
            let gap = self.state.lock().look::<T>(wanted, &fresh).1;
            if let Some(gap) = gap {
                fresh.extend(self.read::<T>(client, gap).await?);
            }
        }
    }

    /// Reads hours, and keeps those that have not changed meanwhile.
    async fn read<T: Kept>(&self, client: &Client, gap: Gap) -> Result<BTreeMap<u64, Arc<T>>, StoreError> {
        let (changes, parts, is_live) = self.state.lock().now(&gap);
        let mut found = match is_live {
            true => self.read_pieces(client, &parts, changes, &gap).await?,
            false => {
                let found = T::read(client, &parts, Reading::whole(gap.first, gap.last, HOUR)).await?;
                found.into_iter().map(|(hour, thing)| (hour, Arc::new(thing))).collect()
            }
        };
        let mut state = self.state.lock();
        for hour in (gap.first..=gap.last).rev() {
            let thing = found.entry(hour).or_insert_with(|| Arc::new(T::nothing())).clone();
            if !state.has_changed(hour * HOUR, HOUR, changes) {
                state.keep(hour, thing);
            }
        }
        Ok(found)
    }

    /// Reads hours that change all the time from their pieces, of which only unknown ones are read.
    async fn read_pieces<T: Kept>(
        &self,
        client: &Client,
        parts: &Parts,
        changes: u64,
        gap: &Gap,
    ) -> Result<BTreeMap<u64, Arc<T>>, StoreError> {
        let pieces = gap.first * PIECES..(gap.last + 1) * PIECES;
        let mut known: BTreeMap<u64, Arc<T>> = self.state.lock().pieces.known(pieces.clone());
        let missing = |piece: &u64| !known.contains_key(piece);
        if let (Some(first), Some(last)) = (pieces.clone().find(missing), pieces.clone().rfind(missing)) {
            let found = T::read(client, parts, Reading::whole(first, last, CELL)).await?;
            let mut found: BTreeMap<u64, T> = found.into_iter().collect();
            let mut state = self.state.lock();
            for piece in first..=last {
                let thing = Arc::new(found.remove(&piece).unwrap_or_else(T::nothing));
                if !state.has_changed(piece * CELL, CELL, changes) {
                    state.pieces.keep(piece, thing.clone());
                }
                known.insert(piece, thing);
            }
            state.pieces.make_room(MOST_PIECES, MOST_PIECES_BYTES);
        }
        let sum = |hour: u64| T::sum(known.range(hour * PIECES..(hour + 1) * PIECES).map(|(_, piece)| &**piece));
        Ok((gap.first..=gap.last).map(|hour| (hour, Arc::new(sum(hour)))).collect())
    }

    /// Counts some hours that have not been asked for yet, and returns whether there are more.
    ///
    /// # Errors
    /// ClickHouse does not answer in time, or reports an error.
    pub async fn catch_up(&self, client: &Client) -> Result<bool, StoreError> {
        let wanted = settled(&*self.parts(client).await?);
        self.step::<Traces>(client, &wanted).await?;
        self.step::<Groups>(client, &wanted).await?;
        self.step::<Calls>(client, &wanted).await?;
        Ok(self.state.lock().missing(&wanted) > 0)
    }

    async fn step<T: Kept>(&self, client: &Client, wanted: &BTreeMap<u64, u64>) -> Result<(), StoreError> {
        let _one = self.reading.lock().await;
        let gap = self.state.lock().look::<T>(wanted, &BTreeMap::new()).1;
        if let Some(gap) = gap {
            self.read::<T>(client, gap).await?;
        }
        Ok(())
    }

    /// Returns the progress of the counting, or `None` if only new spans remain to be counted.
    pub fn counting(&self) -> Option<Counting> {
        let state = self.state.lock();
        let wanted = settled(&state.parts);
        let missing = state.missing(&wanted);
        (missing > 0).then(|| Counting { hours: (wanted.len() - missing) as u64, total: wanted.len() as u64 })
    }
}

/// Returns the newest hours in `begin..end` that may have spans, each with its approximate number of spans.
fn hours_of(parts: &Parts, begin: u64, end: u64) -> BTreeMap<u64, u64> {
    let until = end.saturating_mul(HOUR);
    let mut hours = parts.spread(HOUR, begin * HOUR, until, MOST_HOURS as u64);
    while hours.len() > MOST_HOURS {
        hours.pop_first();
    }
    hours
}

/// Returns all hours but the newest, which change all the time while spans come in and are counted when they are asked for.
fn settled(parts: &Parts) -> BTreeMap<u64, u64> {
    let mut hours = hours_of(parts, 0, u64::MAX);
    hours.pop_last();
    hours.pop_last();
    hours
}

impl State {
    /// Returns the known counts from the newest hour back to the first unknown one, and the newest unknown hours, as many
    /// as are read at once. `fresh` contains further known counts.
    fn look<T: Kept>(&self, wanted: &BTreeMap<u64, u64>, fresh: &BTreeMap<u64, Arc<T>>) -> (Vec<Arc<T>>, Option<Gap>) {
        let find = |hour: &u64| self.hours.stretches.get(hour).and_then(T::known).or_else(|| fresh.get(hour));
        let known: Vec<Arc<T>> = wanted.keys().rev().map_while(|hour| find(hour).cloned()).collect();
        let mut gap: Option<Gap> = None;
        for (hour, spans) in wanted.iter().rev().skip(known.len()) {
            match &gap {
                _ if find(hour).is_some() || *hour < self.oldest => break,
                None => gap = Some(Gap { first: *hour, last: *hour, spans: *spans }),
                Some(Gap { first, last, spans: more }) if hour + 1 == *first && more + spans <= AT_ONCE => {
                    gap = Some(Gap { first: *hour, last: *last, spans: more + spans });
                }
                Some(_) => break,
            }
        }
        (known, gap)
    }

    /// Returns the number of changes, the parts after them, and whether the hours are among those that change all the time.
    fn now(&self, gap: &Gap) -> (u64, Arc<Parts>, bool) {
        let (begin, end) = (gap.first * HOUR, (gap.last + 1) * HOUR);
        let is_live = gap.last - gap.first < MOST_PIECED
            && self.changed.iter().any(|(first, last)| *first < end && *last >= begin);
        (self.changes, self.parts.clone(), is_live)
    }

    fn lacks(&self, hour: u64) -> bool {
        let known = |hour: &Stretch| hour.traces.is_some() && hour.groups.is_some() && hour.calls.is_some();
        hour >= self.oldest && !self.hours.stretches.get(&hour).is_some_and(known)
    }

    fn missing(&self, wanted: &BTreeMap<u64, u64>) -> usize {
        wanted.keys().filter(|hour| self.lacks(**hour)).count()
    }

    fn keep<T: Kept>(&mut self, hour: u64, thing: Arc<T>) {
        self.hours.keep(hour, thing);
        if let Some(oldest) = self.hours.make_room(MOST_HOURS, MOST_BYTES) {
            self.oldest = self.oldest.max(oldest + 1);
        }
    }

    /// Records that spans which start between two times were added or removed.
    fn forget(&mut self, first: u64, last: u64) {
        self.hours.forget(first, last);
        self.pieces.forget(first, last);
        self.changes += 1;
        self.changed.push_back((first, last));
        if self.changed.len() > MOST_CHANGES {
            self.changed.pop_front();
        }
    }

    /// Reports whether a stretch may have changed since there were `since` changes.
    fn has_changed(&self, begin: u64, length: u64, changes: u64) -> bool {
        let newer = (self.changes - changes) as usize;
        let near = |(first, last): &(u64, u64)| {
            *first < (begin + length).saturating_add(MINUTES) && last.saturating_add(MINUTES) >= begin
        };
        newer > self.changed.len() || self.changed.iter().rev().take(newer).any(near)
    }
}

impl<const LENGTH: u64> Shelf<LENGTH> {
    fn known<T: Kept>(&self, stretches: Range<u64>) -> BTreeMap<u64, Arc<T>> {
        let known = |(at, stretch): (&u64, &Stretch)| Some((*at, T::known(stretch)?.clone()));
        self.stretches.range(stretches).filter_map(known).collect()
    }

    fn keep<T: Kept>(&mut self, at: u64, thing: Arc<T>) {
        self.bytes += thing.weight();
        if let Some(old) = T::place(self.stretches.entry(at).or_default()).replace(thing) {
            self.bytes -= old.weight();
        }
    }

    /// Drops the oldest stretches until there are few enough, and returns the number of the last one dropped.
    fn make_room(&mut self, capacity: usize, max_bytes: usize) -> Option<u64> {
        let mut gone = None;
        while self.bytes > max_bytes || self.stretches.len() > capacity {
            let Some((oldest, stretch)) = self.stretches.pop_first() else { break };
            self.bytes -= stretch.weight();
            gone = Some(oldest);
        }
        gone
    }

    /// Returns the maximum time from a root to a span of its trace, for traces between two times, in ns. It is the maximum
    /// possible if a stretch is unknown.
    fn reach(&self, from: u64, until: u64) -> u64 {
        let stretches = from / LENGTH..=until.saturating_sub(1) / LENGTH;
        let known = self.stretches.range(stretches.clone()).filter_map(|(_, stretch)| stretch.traces.as_ref());
        let reaches: Vec<u64> = known.map(|traces| reach(traces.longest)).collect();
        let all = stretches.end() - stretches.start() + 1 == reaches.len() as u64;
        reaches.into_iter().max().filter(|_| all).unwrap_or(DAY)
    }

    /// Records that spans which start between two times were added or removed. They are counted where they start; but a
    /// failure is counted where the root starts, and a call where the callee starts, which may be before the caller.
    fn forget(&mut self, first: u64, last: u64) {
        let near = first.saturating_sub(DAY + LENGTH) / LENGTH..=last.saturating_add(DAY) / LENGTH;
        for (at, stretch) in self.stretches.range_mut(near) {
            let (begin, end) = (at * LENGTH, (at + 1) * LENGTH);
            let reach = reach(stretch.traces.as_ref().map_or(0, |traces| traces.longest));
            let is_near =
                |back: u64, forth: u64| begin <= last.saturating_add(forth) && end.saturating_add(back) > first;
            let before = stretch.weight();
            stretch.traces.take_if(|_| is_near(reach, EARLY));
            stretch.groups.take_if(|_| is_near(0, 0));
            stretch.calls.take_if(|_| is_near(0, reach));
            self.bytes -= before - stretch.weight();
        }
    }
}

/// Returns the maximum time from a root to a span of its trace, given the longest duration of a root.
fn reach(longest: u64) -> u64 {
    longest.saturating_mul(LONGEST).clamp(MINUTES, DAY)
}

impl Stretch {
    fn weight(&self) -> usize {
        let weights = [
            self.traces.as_ref().map(|thing| thing.weight()),
            self.groups.as_ref().map(|thing| thing.weight()),
            self.calls.as_ref().map(|thing| thing.weight()),
        ];
        weights.into_iter().flatten().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = HOUR / 60;

    fn traces(longest: u64) -> Arc<Traces> {
        let mut traces = Traces::default();
        traces.longest = longest;
        Arc::new(traces)
    }

    /// Returns which of ten pieces still have each of the three kinds of counts after spans came in, if roots last at most
    /// `longest` ns.
    fn known_after(longest: u64, first: u64, last: u64) -> [Vec<u64>; 3] {
        let mut shelf: Shelf<CELL> = Shelf::default();
        for at in 10..20 {
            shelf.keep(at, traces(longest));
            shelf.keep(at, Arc::new(Groups::nothing()));
            shelf.keep(at, Arc::new(Calls::nothing()));
        }
        let before = shelf.bytes;
        shelf.forget(first, last);
        assert!(shelf.bytes < before);
        let weights: usize = shelf.stretches.values().map(Stretch::weight).sum();
        assert_eq!(shelf.bytes, weights);
        fn kept<T: Kept>(shelf: &Shelf<CELL>) -> Vec<u64> {
            shelf.known::<T>(0..100).into_keys().collect()
        }
        [kept::<Traces>(&shelf), kept::<Groups>(&shelf), kept::<Calls>(&shelf)]
    }

    #[test]
    fn new_spans_invalidate_only_what_they_may_count_for() {
        let all_but = |gone: Range<u64>| (10..20).filter(|at| !gone.contains(at)).collect::<Vec<u64>>();
        // In the middle of piece 15: a root may have begun ten minutes before, and a call ten minutes after.
        let at = 15 * CELL + 5 * MINUTE;
        assert_eq!(known_after(0, at, at), [all_but(14..16), all_but(15..16), all_but(15..17)]);
        // With longer roots it reaches farther.
        assert_eq!(known_after(8 * MINUTE, at, at), [all_but(13..16), all_but(15..16), all_but(15..18)]);
        // The spans are spread over two pieces; the root of one may begin a minute later by another clock.
        let last = 17 * CELL - MINUTE;
        assert_eq!(known_after(0, at, last), [all_but(14..18), all_but(15..17), all_but(15..18)]);
    }

    #[test]
    fn the_oldest_are_dropped_first_and_unknown_stretches_reach_a_day() {
        let mut shelf: Shelf<HOUR> = Shelf::default();
        (1..=5).for_each(|at| shelf.keep(at, traces(at * 10 * MINUTE)));
        assert_eq!(shelf.reach(2 * HOUR + 1, 4 * HOUR), 60 * MINUTE);
        assert_eq!(shelf.reach(2 * HOUR + 1, 7 * HOUR), DAY);
        assert_eq!((shelf.make_room(3, usize::MAX), shelf.make_room(3, usize::MAX)), (Some(2), None));
        assert_eq!((shelf.make_room(3, 0), shelf.bytes), (Some(5), 0));
    }
}
