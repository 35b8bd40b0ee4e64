//! Which traces a run has.

use crate::interpreter::{Schedule, Starts};
use crate::journal::{Archive, Era};
use std::ops::Range;

/// Indices of one era: those in the range that leave `shard.0` when divided by `shard.1`.
pub struct Extent {
    range: Range<u64>,
    shard: (u64, u64),
}

/// Most traces of a run that are gone through: as many as arrived would take 32 GiB to keep account of.
const MOST_TRACES: u64 = 1 << 32;

/// The indices of the run, era by era, and why some of them are not known.
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
        let why = "the run was at --rate max and did not write its end: when its later traces began is not known";
        unknown.push(why.into());
    }
    if is_open(archive) {
        let why = "the run has not ended, or was killed before it wrote its end: what is missing can't be told lost";
        unknown.push(why.into());
    }
    // At most the last era is open, or those of merged shards, which are all alike. What an open era has not begun is not
    // missing yet.
    let open = eras.iter().rfind(|era| era.end.is_none());
    let before = open.zip(selection.before).and_then(|(era, before)| starts_before(archive, era, before));
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
        unknown
            .push(format!("by its manifest the run has {traces} traces: no more than {MOST_TRACES} are gone through"));
        return (vec![], unknown);
    }
    (extents, unknown)
}

impl Extent {
    fn traces(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start).div_ceil(self.shard.1)
    }
}

/// The run goes on, or did not get to write its end: its manifest has no end.
pub fn is_open(archive: &Archive) -> bool {
    archive.eras().iter().any(|era| era.end.is_none())
}

/// Of a run at full speed only the end tells when the traces after its first second began.
pub fn has_known_schedule(archive: &Archive) -> bool {
    !archive.at_full_speed() || !is_open(archive)
}

/// The index after the last of an open era that starts before `time`, ns since 1970.
fn starts_before(archive: &Archive, era: &Era, time: u64) -> Option<u64> {
    let first = era.epoch.first;
    let schedule = Schedule::try_from(Vec::from_iter(archive.eras().iter().map(|era| era.epoch))).ok()?;
    let last = Starts::new(archive.seed(), schedule).last_at_or_before(first, time.checked_sub(1)?);
    Some(last.map_or(first, |last| last + 1))
}

/// As [`extent`]; of a run whose end is not known, those that start before `time`, ns since 1970.
pub fn started_before(archive: &Archive, time: u64) -> Vec<Extent> {
    let reached = archive.eras().last().and_then(|era| starts_before(archive, era, time));
    extent(archive, reached.unwrap_or(0)).0
}

/// All indices of them.
pub fn indices(extents: Vec<Extent>) -> impl Iterator<Item = u64> {
    extents.into_iter().flat_map(|Extent { range, shard: (k, n) }| {
        // The first one at or after the first of the range.
        let beyond = range.start % n;
        let first = range.start.saturating_add(if k < beyond { n - (beyond - k) } else { k - beyond });
        (first..range.end).step_by(n as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::{Arrivals, Run};
    use crate::journal::{Ending, Selection};
    use crate::plan::fixture;
    use std::sync::Arc;

    /// How many indices a run of `end` traces is gone through for, and why not for all.
    fn gone_through(end: u64, shard: (u64, u64)) -> (u64, Vec<String>) {
        let schedule = Schedule::new(0, Arrivals::Even { count: 1, per_ns: 1 }).unwrap();
        let run = Run::new(Arc::new(fixture::plan()), 42, schedule.clone());
        let ending = Ending { stopped: None, end, schedule: schedule.into() };
        let selection = Selection { count: Some(end), before: None, shard };
        let (extents, unknown) = extent(&Archive::of(&run, selection, Some(&ending)), 0);
        (extents.iter().map(Extent::traces).sum(), unknown)
    }

    #[test]
    fn a_run_of_more_traces_than_can_be_gone_through_is_gone_through_for_none() {
        let whole = (0, 1);
        assert_eq!(gone_through(MOST_TRACES, whole), (MOST_TRACES, vec![]));
        assert_eq!(gone_through(1 << 40, (0, 1 << 8)), (MOST_TRACES, vec![]));
        for (end, shard) in [(MOST_TRACES + 1, whole), (1 << 40, whole), ((1 << 40) + 1, (0, 1 << 8))] {
            let (traces, unknown) = gone_through(end, shard);
            let [why] = &unknown[..] else { panic!("{unknown:?}") };
            assert!(traces == 0 && why.contains("no more than 4294967296 are gone through"), "{end}: {why}");
        }
    }

    #[test]
    fn a_shard_has_its_indices_of_every_range() {
        let extents = |shard| [0..5, 7..7, 8..12].map(|range| Extent { range, shard }).into();
        let of = |shard| Vec::from_iter(indices(extents(shard)));
        assert_eq!(of((0, 1)), [0, 1, 2, 3, 4, 8, 9, 10, 11]);
        assert_eq!((of((0, 3)), of((1, 3)), of((2, 3))), (vec![0, 3, 9], vec![1, 4, 10], vec![2, 8, 11]));
    }
}
