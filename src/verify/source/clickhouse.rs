//! All spans of the collector's tables that start in the time of the run, in one pass.

use super::{SourceError, watch::Watch};
use crate::engine::{Archive, Era};
use crate::interpreter::{Schedule, Starts};
use crate::store::{Connection, Scan, StoreError, TimeRange};
use crate::verify::Verifier;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// How far beyond the time of the run is looked, ns: a span whose time was shifted by less is altered, not lost.
const SLACK: u64 = 3_600 * 1_000_000_000;
/// Starts are out of order by fewer traces than this.
const LANES: u64 = 4_096;

pub async fn read(
    connection: &Connection,
    verifier: &mut Verifier,
    look: &mut dyn FnMut(&Verifier),
) -> Result<(), SourceError> {
    let explained = |error: StoreError| SourceError(format!("{connection}: {error}{}", way_out(&error)));
    let when = time_of(verifier.archive());
    let mut watch = Watch::new(look);
    let mut scan = watch.until(verifier, Scan::start(connection, when)).await.map_err(explained)?;
    let mut empty = true;
    while let Some((trace, span)) = watch.until(verifier, scan.next()).await.map_err(explained)? {
        // What is no id is nobody's.
        verifier.observe(trace.unwrap_or_default(), &span, None);
        empty = false;
    }
    if empty {
        return Err(SourceError(format!("{connection}: it holds no span that starts {}", words(when))));
    }
    Ok(())
}

fn way_out(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unreachable(_) => "; the URL is that of its HTTP interface, as http://localhost:8123/otel",
        StoreError::Refused(_) => "; user and password stand in the URL, as http://USER:PASSWORD@HOST:8123/otel",
        StoreError::Schema(_) | StoreError::Failed(_) => "",
    }
}

/// When the spans of a run start, and somewhat around it; open where the run's end is not known.
fn time_of(archive: &Archive) -> TimeRange {
    let from = archive.eras().iter().map(|era| era.epoch.opening).min();
    let until = archive.eras().last().and_then(|era| last_end(archive, era));
    TimeRange {
        from: from.map(|from| from.saturating_sub(SLACK)),
        until: until.map(|until| until.saturating_add(SLACK)),
    }
}

/// A time by which all traces of the run have ended, ns since 1970.
fn last_end(archive: &Archive, last: &Era) -> Option<u64> {
    let epochs = Vec::from_iter(archive.eras().iter().map(|era| era.epoch));
    let mut starts = Starts::new(archive.seed(), Schedule::try_from(epochs).ok()?);
    let ends = [last.end, archive.selection().count];
    let last_start = match ends.into_iter().flatten().min() {
        Some(end) => (end.saturating_sub(LANES)..end).map(|index| starts.start(index)).max()?,
        None => archive.selection().before?,
    };
    let mut seen = BTreeSet::new();
    let eras = archive.eras().iter().filter(|era| seen.insert(&era.plan));
    let mut archive = archive.clone();
    let runs = Vec::from_iter(eras.map(|era| era.epoch.first)).into_iter().filter_map(|first| archive.run(first));
    let longest = runs.map(|run| run.plan().duration_bound()).max()?;
    let end = last_start.saturating_add(longest);
    Some(last.stopped.map_or(end, |stopped| end.min(stopped)))
}

fn words(when: TimeRange) -> String {
    let text = |time: u64| Timestamp::from_nanosecond(time.into()).unwrap_or(Timestamp::MAX).to_string();
    match (when.from.map(text), when.until.map(text)) {
        (Some(from), Some(until)) => format!("between {from} and {until}"),
        (from, until) => format!("after {}", from.or(until).unwrap_or_default()),
    }
}
