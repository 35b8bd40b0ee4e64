//! The set of traces that belong to a run.

use crate::journal::{Archive, Era};
use std::ops::Range;

/// The trace indices of one era: those in `range` whose remainder is `shard.0` when divided by `shard.1`.
pub struct Extent {
    range: Range<u64>,
    shard: (u64, u64),
}

/// The maximum number of traces that are examined. The ledger for as many arrived traces would take 32 GiB.
const MOST_TRACES: u64 = 1 << 32;

/// Returns the indices of the run, era by era, and the reasons why some are unknown. `reached` is the index after the last
/// trace of which a span arrived.
pub fn extent(archive: &Archive, reached: u64) -> (Vec<Extent>, Vec<String>) {
    let (eras, selection) = (archive.eras(), archive.selection());
    let mut unknown = vec![];
    if eras.windows(2).any(|pair| pair[0].end.is_some_and(|end| end < pair[1].epoch.first)) {
        unknown.push("the manifest holds only the latest eras of a long run: the others' traces are not known".into());
    }
    let missing = archive.missing_shards();
    if missing > 0 {
        let why = format!("the manifest was merged without {missing} of the run's shards: what they sent is not known");
        unknown.push(why);
    }
    if !has_known_schedule(archive) {
        let why =
            "the run was at --rate max and did not write its end: the start times of its later traces are not known";
        unknown.push(why.into());
    }
    if is_open(archive) {
        let why =
            "the run has not ended, or was killed before it wrote its end: missing spans can't be counted as lost";
        unknown.push(why.into());
    }
    // Only the last era can be open; a run merged from shards can have several open eras, which are all alike. Traces that
    // an open era has not begun are not missing yet.
    let open = eras.iter().rfind(|era| era.end.is_none());
    let before = open.zip(selection.started_before).and_then(|(era, before)| starts_before(archive, era, before));
    let begun = before.map_or(reached, |before| reached.min(before));
    let of = |era: &Era| {
        let end = era.end.unwrap_or(begun);
        let end = selection.count.map_or(end, |count| end.min(count));
        let shard = if era.shard.1 > 1 { era.shard } else { selection.shard };
        Extent { range: era.epoch.first..end, shard }
    };
    let extents = Vec::from_iter(eras.iter().map(of));
    let traces = extents.iter().fold(0, |sum: u64, extent| sum.saturating_add(extent.traces()));
    if traces > MOST_TRACES {
        unknown.push(format!(
            "according to its manifest the run has {traces} traces: no more than {MOST_TRACES} can be checked"
        ));
        return (vec![], unknown);
    }
    (extents, unknown)
}

impl Extent {
    fn traces(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start).div_ceil(self.shard.1)
    }
}

/// Reports whether the manifest has no end: the run goes on, or was killed before it could write its end.
pub fn is_open(archive: &Archive) -> bool {
    archive.eras().iter().any(|era| era.end.is_none())
}

/// Reports whether the start of every trace is known. For a run at full speed, only the run's end tells when the traces
/// after the first second began.
pub fn has_known_schedule(archive: &Archive) -> bool {
    !archive.at_full_speed() || !is_open(archive)
}

/// Returns the index after the last trace of an open era that starts before `time`, in ns since 1970.
fn starts_before(archive: &Archive, era: &Era, time: u64) -> Option<u64> {
    let first = era.epoch.first;
    let last = archive.starts(era)?.last_at_or_before(first, time.checked_sub(1)?);
    Some(last.map_or(first, |last| last + 1))
}

/// Returns the run's extent. Where the run's end is not known, it holds the traces that start before `time`, in ns since
/// 1970.
pub fn started_before(archive: &Archive, time: u64) -> Vec<Extent> {
    let reached = archive.eras().last().and_then(|era| starts_before(archive, era, time));
    extent(archive, reached.unwrap_or(0)).0
}

/// Iterates over all indices of the extents.
pub fn indices(extents: Vec<Extent>) -> impl Iterator<Item = u64> {
    extents.into_iter().flat_map(|Extent { range, shard: (k, n) }| {
        // The first index of the shard in the range.
        let beyond = range.start % n;
        let first = range.start.saturating_add(if k < beyond { n - (beyond - k) } else { k - beyond });
        (first..range.end).step_by(n as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::{Arrivals, Run, Schedule};
    use crate::journal::{Ending, Selection};
    use crate::plan::fixture;
    use std::sync::Arc;

    /// Returns how many indices are examined for a run of `end` traces, and the reasons why not all are.
    fn gone_through(end: u64, shard: (u64, u64)) -> (u64, Vec<String>) {
        let schedule = Schedule::new(0, Arrivals::Even { count: 1, per_ns: 1 }).unwrap();
        let run = Run::new(Arc::new(fixture::plan()), 42, schedule.clone());
        let ending = Ending { stopped: None, end, schedule: schedule.into() };
        let selection = Selection { count: Some(end), started_before: None, shard };
        let (extents, unknown) = extent(&Archive::of(&run, selection, Some(&ending)), 0);
        (extents.iter().map(Extent::traces).sum(), unknown)
    }

    #[test]
    fn a_run_of_too_many_traces_is_not_examined() {
        let whole = (0, 1);
        assert_eq!(gone_through(MOST_TRACES, whole), (MOST_TRACES, vec![]));
        assert_eq!(gone_through(1 << 40, (0, 1 << 8)), (MOST_TRACES, vec![]));
        for (end, shard) in [(MOST_TRACES + 1, whole), (1 << 40, whole), ((1 << 40) + 1, (0, 1 << 8))] {
            let (traces, unknown) = gone_through(end, shard);
            let [why] = &unknown[..] else { panic!("{unknown:?}") };
            assert!(traces == 0 && why.contains("no more than 4294967296 can be checked"), "{end}: {why}");
        }
    }

    #[test]
    fn a_shard_has_its_share_of_the_indices_of_every_range() {
        let extents = |shard| [0..5, 7..7, 8..12].map(|range| Extent { range, shard }).into();
        let of = |shard| Vec::from_iter(indices(extents(shard)));
        assert_eq!(of((0, 1)), [0, 1, 2, 3, 4, 8, 9, 10, 11]);
        assert_eq!((of((0, 3)), of((1, 3)), of((2, 3))), (vec![0, 3, 9], vec![1, 4, 10], vec![2, 8, 11]));
    }
}
