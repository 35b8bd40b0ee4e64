//! Hours of spans, each counted once and kept in memory until spans come in or go.
//!
//! The collector's table is sorted by service, so whatever is asked of all time reads all of it. What is counted of an hour
//! holds as long as [`Parts`] tell of no change: a question about a long time sums hours, and reads only those that have
//! changed since they were last asked for, and the parts of an hour at the ends of its range. Nothing is written, and the
//! table stays as the collector made it.
//!
//! Hours that nobody has counted yet are counted from the newest back, a few by each question and the others in the
//! background. Until all are, an answer is about those that are, and says so.

use super::hour::{Calls, Counted, Groups, HOUR, Traces};
use super::parts::Parts;
use crate::store::{Counting, StoreError, TimeRange};
use clickhouse::Client;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Spans that are read at once, about.
const AT_ONCE: u64 = 1_000_000;
/// Hours that are kept, and the bytes that they take, about: older ones are not counted.
const MOST_HOURS: usize = 24 * 400;
const MOST_BYTES: usize = 64 << 20;
/// A trace has its spans within so many times the longest root duration of its hour, which is taken to be at least and at most
/// so long, ns.
const LONGEST: u64 = 2;
const MINUTES: u64 = HOUR / 6;
const DAY: u64 = 24 * HOUR;
/// Changes that are remembered, for hours that are being counted meanwhile.
const MOST_CHANGES: usize = 256;

#[derive(Default)]
pub struct Hours {
    state: Mutex<State>,
    /// One reads, so that nothing is read twice.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    parts: Arc<Parts>,
    hours: BTreeMap<u64, Hour>,
    bytes: usize,
    /// Hours before this one are not counted: there is no room for them.
    oldest: u64,
    /// Number of the last change, and the hours (first and last) that the last ones were about.
    changes: u64,
    changed: VecDeque<(u64, u64)>,
}

/// What is known of an hour.
#[derive(Default)]
pub struct Hour {
    traces: Option<Arc<Traces>>,
    groups: Option<Arc<Groups>>,
    calls: Option<Arc<Calls>>,
}

/// A thing that an hour knows.
pub trait Kept: Counted {
    fn place(hour: &mut Hour) -> &mut Option<Arc<Self>>;
    fn known(hour: &Hour) -> Option<&Arc<Self>>;
}

macro_rules! kept {
    ($($thing:ident in $place:ident),*) => {$(
        impl Kept for $thing {
            fn place(hour: &mut Hour) -> &mut Option<Arc<Self>> {
                &mut hour.$place
            }

            fn known(hour: &Hour) -> Option<&Arc<Self>> {
                hour.$place.as_ref()
            }
        }
    )*};
}

kept!(Traces in traces, Groups in groups, Calls in calls);

/// An answer.
pub struct Known<T> {
    /// In no order; an hour at an end of the range may be there in part.
    pub hours: Vec<Arc<T>>,
    /// ns since 1970, where it is only about what came since then.
    pub since: Option<u64>,
}

/// Hours that are missing, next to each other.
struct Gap {
    first: u64,
    last: u64,
    spans: u64,
}

impl Hours {
    /// What the table is made of now. Hours that have changed are forgotten.
    pub async fn parts(&self, client: &Client) -> Result<Arc<Parts>, StoreError> {
        let parts = Parts::list(client).await?;
        let mut state = self.state.lock();
        for (first, last) in parts.changed_since(&state.parts) {
            state.forget(first, last);
        }
        state.parts = Arc::new(parts);
        Ok(state.parts.clone())
    }

    /// What there is to say of a range. A question reads a part of what is missing.
    pub async fn ask<T: Kept>(&self, client: &Client, range: TimeRange) -> Result<Known<T>, StoreError> {
        let parts = self.parts(client).await?;
        let (from, until) = (range.from.unwrap_or(0), range.until.unwrap_or(u64::MAX));
        let Some((first, last)) = parts.extent(from, until) else { return Ok(Known { hours: vec![], since: None }) };
        // Where nothing lies behind an end, it is as good as a whole hour's.
        let (open, endless) = (parts.extent(0, from).is_none(), parts.extent(until, u64::MAX).is_none());
        let begin = if open { first / HOUR } else { from.div_ceil(HOUR) };
        let end = if endless { last / HOUR + 1 } else { until / HOUR };
        let piece = async |from: u64, until: u64| {
            let piece = T::read(client, &parts, from, until).await?;
            Ok::<_, StoreError>(piece.into_iter().map(|(_, piece)| Arc::new(piece)).collect::<Vec<_>>())
        };
        if begin >= end {
            return Ok(Known { hours: piece(from, until).await?, since: None });
        }
        let (mut hours, since) = self.whole(client, &hours_of(&parts, begin, end)).await?;
        if !endless && end * HOUR < until {
            hours.extend(piece(end * HOUR, until).await?);
        }
        if !open && from < begin * HOUR && since.is_none() {
            hours.extend(piece(from, begin * HOUR).await?);
        }
        Ok(Known { hours, since })
    }

    /// Whole hours. What is missing is read first, the newest at least, others as far as that can be done at once; with the
    /// beginning of the first where that is not all.
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
            // another may have read it meanwhile
            let gap = self.state.lock().look::<T>(wanted, &fresh).1;
            if let Some(gap) = gap {
                fresh.extend(self.read::<T>(client, gap).await?);
            }
        }
    }

    /// Read hours, and keep those that have not changed again meanwhile.
    async fn read<T: Kept>(&self, client: &Client, gap: Gap) -> Result<BTreeMap<u64, Arc<T>>, StoreError> {
        let (changes, parts) = self.state.lock().now();
        let found = T::read(client, &parts, gap.first * HOUR, (gap.last + 1) * HOUR).await?;
        let mut found: BTreeMap<u64, Arc<T>> = found.into_iter().map(|(hour, thing)| (hour, Arc::new(thing))).collect();
        let mut state = self.state.lock();
        for hour in (gap.first..=gap.last).rev() {
            let thing = found.entry(hour).or_insert_with(|| Arc::new(T::nothing()));
            if !state.has_changed(hour, changes) {
                state.keep(hour, thing.clone());
            }
        }
        Ok(found)
    }

    /// Count some of what nobody has asked for yet; whether there is more.
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

    /// How far the counting has come; `None`: it is done, and only what comes in is counted.
    pub fn counting(&self) -> Option<Counting> {
        let state = self.state.lock();
        let wanted = settled(&state.parts);
        let missing = state.missing(&wanted);
        (missing > 0).then(|| Counting { hours: (wanted.len() - missing) as u64, all: wanted.len() as u64 })
    }
}

/// The newest hours that may have spans, of `begin..end`, with about how many.
fn hours_of(parts: &Parts, begin: u64, end: u64) -> BTreeMap<u64, u64> {
    let until = end.saturating_mul(HOUR);
    let mut hours = parts.spread(HOUR, begin * HOUR, until, MOST_HOURS as u64);
    while hours.len() > MOST_HOURS {
        hours.pop_first();
    }
    hours
}

/// All but the newest, which change all the time where spans come in: they are counted when they are asked for.
fn settled(parts: &Parts) -> BTreeMap<u64, u64> {
    let mut hours = hours_of(parts, 0, u64::MAX);
    hours.pop_last();
    hours.pop_last();
    hours
}

impl State {
    /// What is known from the newest hour back to the first that is not, and the newest that are not, as many as are read at
    /// once. `fresh` is known, too.
    fn look<T: Kept>(&self, wanted: &BTreeMap<u64, u64>, fresh: &BTreeMap<u64, Arc<T>>) -> (Vec<Arc<T>>, Option<Gap>) {
        let find = |hour: &u64| self.hours.get(hour).and_then(T::known).or_else(|| fresh.get(hour));
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

    /// The number of changes, and the parts that they have led to.
    fn now(&self) -> (u64, Arc<Parts>) {
        (self.changes, self.parts.clone())
    }

    fn lacks(&self, hour: u64) -> bool {
        let known = |hour: &Hour| hour.traces.is_some() && hour.groups.is_some() && hour.calls.is_some();
        hour >= self.oldest && !self.hours.get(&hour).is_some_and(known)
    }

    fn missing(&self, wanted: &BTreeMap<u64, u64>) -> usize {
        wanted.keys().filter(|hour| self.lacks(**hour)).count()
    }

    fn keep<T: Kept>(&mut self, hour: u64, thing: Arc<T>) {
        self.bytes += thing.weight();
        if let Some(old) = T::place(self.hours.entry(hour).or_default()).replace(thing) {
            self.bytes -= old.weight();
        }
        while self.bytes > MOST_BYTES || self.hours.len() > MOST_HOURS {
            let Some((oldest, hour)) = self.hours.pop_first() else { return };
            self.bytes -= hour.weight();
            self.oldest = self.oldest.max(oldest + 1);
        }
    }

    /// Spans that begin between two times came or went. Failures count for the hour of their root, and calls for that of the
    /// called.
    fn forget(&mut self, first: u64, last: u64) {
        let reaches = |(hour, known): &(&u64, &Hour)| {
            let longest = known.traces.as_ref().map_or(0, |traces| traces.longest);
            let reach = longest.saturating_mul(LONGEST).clamp(MINUTES, DAY);
            let (begin, end) = (**hour * HOUR, (**hour + 1) * HOUR);
            end.saturating_add(reach) > first && begin.saturating_sub(reach) <= last
        };
        let near = first.saturating_sub(DAY + HOUR) / HOUR..=last.saturating_add(DAY) / HOUR;
        let changed: Vec<u64> = self.hours.range(near).filter(reaches).map(|(hour, _)| *hour).collect();
        for hour in changed {
            self.bytes -= self.hours.remove(&hour).map_or(0, |hour| hour.weight());
        }
        self.changes += 1;
        self.changed.push_back((first.saturating_sub(MINUTES) / HOUR, last.saturating_add(MINUTES) / HOUR));
        if self.changed.len() > MOST_CHANGES {
            self.changed.pop_front();
        }
    }

    /// Whether an hour may have changed since a number of changes.
    fn has_changed(&self, hour: u64, since: u64) -> bool {
        let newer = (self.changes - since) as usize;
        newer > self.changed.len()
            || self.changed.iter().rev().take(newer).any(|(first, last)| (*first..=*last).contains(&hour))
    }
}

impl Hour {
    fn weight(&self) -> usize {
        let weights = [
            self.traces.as_ref().map(|thing| thing.weight()),
            self.groups.as_ref().map(|thing| thing.weight()),
            self.calls.as_ref().map(|thing| thing.weight()),
        ];
        weights.into_iter().flatten().sum()
    }
}
