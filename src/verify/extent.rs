//! Which traces a run has.

use crate::engine::{Archive, Era, FIRST_ARRIVALS};
use crate::interpreter::{Schedule, Starts};
use std::ops::Range;

/// The indices of the run, era by era, and why some of them are not known.
pub fn extent(archive: &Archive, reached: u64) -> (Vec<Range<u64>>, Vec<String>) {
    let (eras, selection) = (archive.eras(), archive.selection());
    let mut unknown = vec![];
    if eras.windows(2).any(|pair| pair[0].end.is_some_and(|end| end < pair[1].epoch.first)) {
        unknown.push("the manifest holds only the latest eras of a long run: the others' traces are not known".into());
    }
    let ranges = eras.iter().map(|era| {
        let end = era.end.unwrap_or_else(|| {
            if era.epoch.arrivals == FIRST_ARRIVALS {
                let why =
                    "the run was at --rate max and did not write its end: when its later traces began is not known";
                unknown.push(why.into());
            }
            let bounds = [selection.count, selection.before.and_then(|before| starts_before(archive, era, before))];
            bounds.into_iter().flatten().min().unwrap_or_else(|| {
                let why = "the run has not ended, or did not write its end: what is missing can't be told lost";
                unknown.push(why.into());
                reached
            })
        });
        era.epoch.first..selection.count.map_or(end, |count| end.min(count))
    });
    (ranges.collect(), unknown)
}

/// The index after the last of an open era that starts before `time`, ns since 1970.
fn starts_before(archive: &Archive, era: &Era, time: u64) -> Option<u64> {
    let first = era.epoch.first;
    let schedule = Schedule::try_from(Vec::from_iter(archive.eras().iter().map(|era| era.epoch))).ok()?;
    let last = Starts::new(archive.seed(), schedule).last_at_or_before(first, time.checked_sub(1)?);
    Some(last.map_or(first, |last| last + 1))
}

/// As [`extent`]; of a run whose end is not known, those that start before `time`, ns since 1970.
pub fn started_before(archive: &Archive, time: u64) -> Vec<Range<u64>> {
    let reached = archive.eras().last().and_then(|era| starts_before(archive, era, time));
    extent(archive, reached.unwrap_or(0)).0
}

/// The indices of a shard in those ranges.
pub fn indices(ranges: Vec<Range<u64>>, (k, n): (u64, u64)) -> impl Iterator<Item = u64> {
    ranges.into_iter().flat_map(move |range| {
        // The first one at or after the first of the range.
        let beyond = range.start % n;
        let first = range.start.saturating_add(if k < beyond { n - (beyond - k) } else { k - beyond });
        (first..range.end).step_by(n as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_has_its_indices_of_every_range() {
        let of = |shard| Vec::from_iter(indices(vec![0..5, 7..7, 8..12], shard));
        assert_eq!(of((0, 1)), [0, 1, 2, 3, 4, 8, 9, 10, 11]);
        assert_eq!((of((0, 3)), of((1, 3)), of((2, 3))), (vec![0, 3, 9], vec![1, 4, 10], vec![2, 8, 11]));
    }
}
