//! A source that reads, in one pass, all spans of the collector's tables that start in the time of the run.

use super::{SourceError, watch::Watch};
use crate::interpreter::MAX_LANES;
use crate::journal::{Archive, Era};
use crate::store::{Connection, Scan, Scanned, StoreError, TimeRange};
use crate::verify::Verifier;
use crate::verify::compare::Difference;
use crate::verify::otlp::Received;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The time around the run that is read too, in ns: a span whose time was shifted by less than this is altered, not lost.
const SLACK: u64 = 3_600 * 1_000_000_000;

/// Shows every span of the tables to the verifier.
///
/// # Errors
/// ClickHouse is out of reach, refuses access, or breaks off.
pub async fn read(
    connection: &Connection,
    verifier: &mut Verifier,
    look: &mut dyn FnMut(&Verifier),
) -> Result<(), SourceError> {
    let explained = |why: String| SourceError(format!("{connection}: {why}"));
    let when = time_of(verifier.archive());
    let mut watch = Watch::new(look);
    let opened = watch.until(verifier, Scan::start(connection, when)).await;
    let mut scan = opened.map_err(|error| explained(refusal(&error)))?;
    let mut spans = 0_u64;
    loop {
        let next = watch.until(verifier, scan.next()).await;
        let Some(Scanned { trace, span, foreign_status }) = next.map_err(|error| match spans {
            0 => explained(refusal(&error)),
            _ => explained(format!("broken off after {spans} spans: {error}")),
        })?
        else {
            break;
        };
        // A row without a valid trace id belongs to no run.
        let trace = trace.unwrap_or_default();
        let unstored = foreign_status.map(|status| Difference::new("status", "no such message or code", &status));
        verifier.received(Received { trace, span, unstored: unstored.into_iter().collect() }, None);
        spans += 1;
    }
    if spans == 0 {
        verifier.found_nothing(format!("{connection}: it holds no span that starts {}", words(when)));
    }
    Ok(())
}

/// Explains an error, with a hint on how to get on.
fn refusal(error: &StoreError) -> String {
    let way_out = match error {
        StoreError::Schema(_) => "",
        StoreError::Refused(_) => {
            "; user and password are DATABASE_USER and DATABASE_PASSWORD (`--from clickhouse`), or stand in the URL, as \
                                   http://USER:PASSWORD@HOST:8123/otel"
        }
        // This message comes from ClickHouse itself, so the address is right.
        StoreError::Failed(said) if said.starts_with("Code: ") => "",
        _ => "; what is asked is its HTTP interface, as http://localhost:8123/otel",
    };
    format!("{error}{way_out}")
}

/// Returns the time in which the spans of a run start, with the slack. It has no end where the run's end is not known.
fn time_of(archive: &Archive) -> TimeRange {
    let from = archive.eras().iter().map(|era| era.epoch.opening).min();
    let until = archive.eras().last().and_then(|era| last_end(archive, era));
    TimeRange {
        from: from.map(|from| from.saturating_sub(SLACK)),
        until: until.map(|until| until.saturating_add(SLACK)),
    }
}

/// Returns a time by which all traces of the run have ended, in ns since 1970.
fn last_end(archive: &Archive, last: &Era) -> Option<u64> {
    if last.end.is_none() && archive.at_full_speed() {
        return None;
    }
    let ends = [last.end, archive.selection().count];
    let last_start = match ends.into_iter().flatten().min() {
        Some(end) => latest_start(archive, end)?,
        None => archive.selection().started_before?,
    };
    let mut seen = BTreeSet::new();
    let eras = archive.eras().iter().filter(|era| seen.insert(&era.plan));
    let mut archive = archive.clone();
    let runs = Vec::from_iter(eras.map(|era| era.epoch.first)).into_iter().filter_map(|first| archive.run(first));
    let longest = runs.map(|run| run.plan().duration_bound()).max()?;
    let end = last_start.saturating_add(longest);
    Some(last.stopped.map_or(end, |stopped| end.min(stopped)))
}

/// Returns the latest start of all traces before index `end`, in ns since 1970, or `None` if there is none.
fn latest_start(archive: &Archive, mut end: u64) -> Option<u64> {
    // The number of lanes bounds by how many traces starts are out of order.
    let first = end.saturating_sub(MAX_LANES.into());
    let mut latest = None;
    for era in archive.eras().iter().rev() {
        let mut starts = archive.starts(era)?;
        let from = era.epoch.first.max(first);
        latest = latest.max((from..end).map(|index| starts.start(index)).max());
        end = end.min(from);
        if end <= first {
            break;
        }
    }
    latest
}

fn words(range: TimeRange) -> String {
    let text = |time: u64| Timestamp::from_nanosecond(time.into()).unwrap_or(Timestamp::MAX).to_string();
    match (range.from.map(text), range.until.map(text)) {
        (Some(from), Some(until)) => format!("between {from} and {until}"),
        (from, until) => format!("after {}", from.or(until).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::{Arrivals, Run, Schedule};
    use crate::journal::{Ending, Selection};
    use crate::plan::fixture;
    use std::sync::Arc;

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_767_225_600 * SECOND;

    /// Returns the time range of a run of one trace a second, in seconds after the run's start and without the slack.
    fn time(selection: Selection, end: Option<u64>, stopped: Option<u64>) -> (u64, Option<u64>) {
        let schedule = Schedule::new(START, Arrivals::Even { count: 1, per_ns: SECOND }).unwrap();
        let run = Run::new(Arc::new(fixture::plan()), 42, schedule.clone());
        let stopped = stopped.map(|stopped| START + stopped * SECOND);
        let ending = end.map(|end| Ending { stopped, end, schedule: schedule.into() });
        let when = time_of(&Archive::of(&run, selection, ending.as_ref()));
        let after = |time: u64| (time - START) / SECOND;
        (after(when.from.unwrap() + SLACK), when.until.map(|until| after(until - SLACK)))
    }

    #[test]
    fn the_time_of_a_run_ends_with_its_last_trace_or_its_stop() {
        let all = Selection::default();
        let longest = fixture::plan().duration_bound() / SECOND;
        assert_eq!(time(all, Some(10_001), None), (0, Some(10_000 + longest)));
        assert_eq!(time(all, Some(10_001), Some(9_990)), (0, Some(9_990)));
        assert_eq!(time(all, None, None), (0, None));
        assert_eq!(time(Selection { count: Some(11), ..all }, None, None), (0, Some(10 + longest)));
        let before = Selection { started_before: Some(START + 500 * SECOND), ..all };
        assert_eq!(time(before, None, None), (0, Some(500 + longest)));
    }

    /// The trace that starts last can be any of the last 65,536 with as many lanes.
    #[test]
    fn no_trace_of_a_run_starts_after_its_time_however_many_lanes_it_has() {
        let arrivals = Arrivals::Interval { min_ns: 0, max_ns: 7_200 * SECOND, lanes: MAX_LANES };
        let schedule = Schedule::new(START, arrivals).unwrap();
        let run = Run::new(Arc::new(fixture::plan()), 42, schedule.clone());
        let end = 2 * u64::from(MAX_LANES) + 30_000;
        let ending = Ending { stopped: None, end, schedule: schedule.clone().into() };
        let archive = Archive::of(&run, Selection::default(), Some(&ending));
        let mut starts = run.starts();
        let (last, at) = (0..end).map(|index| (starts.start(index), index)).max().unwrap();
        assert!(at < end - 4_096, "trace {at} of {end}");
        let until = time_of(&archive).until.unwrap();
        assert_eq!(until, last + fixture::plan().duration_bound() + SLACK);
    }

    #[test]
    fn a_time_is_said_in_words() {
        let when = |until| words(TimeRange { from: Some(START), until });
        assert_eq!(when(None), "after 2026-01-01T00:00:00Z");
        assert_eq!(when(Some(START + SECOND)), "between 2026-01-01T00:00:00Z and 2026-01-01T00:00:01Z");
    }
}
