//! The exported keys, grouped by their beginnings, so that a glob is compared only with keys that it could match.

use super::Export;
use super::glob::{Piece, can_match, head_of_glob, head_of_key};
use crate::language::budget::Budget;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

/// The maximum number of steps for finding the sources of all links, which take less than a second. Unlike a deadline, it
/// is the same on all machines.
pub const MOST_STEPS: u64 = 1 << 28;
/// The number of steps for which a source counts, because it takes memory: no more are found than a plan may have.
const STEPS_A_SOURCE: u64 = 64;
/// The number of steps between two checks of the budget.
const STEPS_A_LOOK: u64 = 1 << 16;

/// The work of all threads together.
pub struct Work<'b> {
    budget: &'b Budget,
    steps: AtomicU64,
}

impl<'b> Work<'b> {
    pub fn new(budget: &'b Budget) -> Work<'b> {
        Work { budget, steps: AtomicU64::new(0) }
    }

    pub fn spend(&self, steps: u64) {
        self.steps.fetch_add(steps, Ordering::Relaxed);
    }

    /// Reports whether the work is more than [`MOST_STEPS`], which does not depend on the number of threads.
    pub fn is_too_much(&self) -> bool {
        self.steps.load(Ordering::Relaxed) > MOST_STEPS
    }

    fn is_to_end(&self) -> bool {
        self.is_too_much() || self.budget.is_spent()
    }
}

/// A key, and the exports that have it.
type Key<'e> = (&'e [Piece], Vec<usize>);

/// The keys of all exports, each once.
pub struct Keys<'e> {
    /// The groups in the order of their heads.
    groups: Vec<Group<'e>>,
}

/// The keys with the same head.
struct Group<'e> {
    /// The text with which they begin.
    head: &'e str,
    keys: Vec<Key<'e>>,
    /// The last group before this one whose head is a beginning of this one's.
    shorter: Option<usize>,
}

impl<'e> Keys<'e> {
    pub fn new(exports: &'e [Export]) -> Keys<'e> {
        let mut by_key: HashMap<&[Piece], Vec<usize>> = HashMap::new();
        for (i, export) in exports.iter().enumerate() {
            by_key.entry(&export.key).or_default().push(i);
        }
        let mut by_head: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
        for (key, exports) in by_key {
            by_head.entry(head_of_key(key)).or_default().push((key, exports));
        }
        let mut groups: Vec<Group> = Vec::with_capacity(by_head.len());
        // The groups whose heads may be beginnings of the next one's.
        let mut open: Vec<usize> = Vec::new();
        for (head, keys) in by_head {
            while open.last().is_some_and(|&last| !head.starts_with(groups[last].head)) {
                open.pop();
            }
            let shorter = open.last().copied();
            open.push(groups.len());
            groups.push(Group { head, keys, shorter });
        }
        Keys { groups }
    }

    /// Returns the number of different keys.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.keys.len()).sum()
    }

    /// Returns the exports whose keys the glob can match, in order. Some are missing if there is too much work.
    pub fn matched_by(&self, glob: &str, work: &Work) -> Vec<usize> {
        let mut found = Vec::new();
        let mut steps = 0;
        for (key, exports) in self.candidates(head_of_glob(glob)) {
            if can_match(glob, key, &mut steps) {
                found.extend(exports);
                steps += STEPS_A_SOURCE * exports.len() as u64;
            }
            if steps >= STEPS_A_LOOK {
                work.spend(std::mem::take(&mut steps));
                if work.is_to_end() {
                    return found;
                }
            }
        }
        work.spend(steps);
        found.sort_unstable();
        found
    }

    /// Returns the keys whose heads begin with `head`, and those whose heads are a beginning of it. The latter are in
    /// groups connected by [`Group::shorter`], because every head between a text and one of its beginnings also begins with
    /// that.
    fn candidates(&self, head: &str) -> impl Iterator<Item = &Key<'e>> {
        let first = self.groups.partition_point(|group| group.head < head);
        let longer = self.groups[first..].iter().take_while(move |group| group.head.starts_with(head));
        let shorter = std::iter::successors(first.checked_sub(1), |&at| self.groups[at].shorter);
        let shorter = shorter.map(|at| &self.groups[at]).skip_while(move |group| !head.starts_with(group.head));
        longer.chain(shorter).flat_map(|group| &group.keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BlockId;

    /// Makes exports with these keys, in which `#` stands for `<<...>>`.
    fn exports(keys: &[&str]) -> Vec<Export> {
        let key = |text: &str| -> Vec<Piece> {
            let parts = text.split('#').map(|part| Piece::Text(part.to_owned()));
            let pieces = parts.enumerate().flat_map(|(i, part)| [(i > 0).then_some(Piece::Any), Some(part)]);
            pieces.flatten().filter(|piece| *piece != Piece::Text(String::new())).collect()
        };
        let export = |text: &&str| Export { scenario: 0, span: 0, block: BlockId(0), key: key(text) };
        keys.iter().map(export).collect()
    }

    #[test]
    fn a_glob_finds_what_comparing_it_with_every_key_finds() {
        let texts =
            ["", "#", "a", "a#", "ab#", "abc", "abc#d", "abd#", "b#", "ba", "#c", "a#c", "é#", "éa", "abc#d", "ab#c"];
        let exports = exports(&texts);
        let keys = Keys::new(&exports);
        assert_eq!(keys.len(), texts.len() - 1);
        let budget = Budget::default();
        for glob in
            ["", "*", "a*", "ab*", "abc", "abcd", "abc*", "abcde*", "ab?", "b", "é*", "é", "*c", "z*", "abd", "?"]
        {
            let all = (0..exports.len()).filter(|&i| can_match(glob, &exports[i].key, &mut 0));
            assert_eq!(keys.matched_by(glob, &Work::new(&budget)), all.collect::<Vec<_>>(), "{glob}");
        }
    }

    #[test]
    fn keys_that_begin_otherwise_cost_nothing() {
        let texts: Vec<String> = (0..10_000).map(|i| format!("k{i}-#")).collect();
        let exports = exports(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let keys = Keys::new(&exports);
        let budget = Budget::default();
        let work = Work::new(&budget);
        for i in 0..10_000 {
            assert_eq!(keys.matched_by(&format!("k{i}-*"), &work), [i]);
        }
        assert!(work.steps.load(Ordering::Relaxed) < 10_000 * 200);
    }
}
