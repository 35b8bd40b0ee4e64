//! The number of spans of each part, on ways that separate and meet again.
//!
//! A way notes only what it adds. When it separates into several ways, its notes are moved to the book, once for all of
//! them; when two ways meet, only the notes since their separation are compared. The time is therefore proportional to the
//! number of notes, however many parts there are and however often ways separate.

use std::collections::BTreeMap;

/// The number of a trace's spans that are of a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// The minimum and maximum number. Events of probability 0 do not count.
    pub min: u32,
    pub max: u32,
    /// The probability that there is none.
    pub none: f64,
}

/// The extents by part. A part without an entry has no spans.
pub type Extents = BTreeMap<usize, Extent>;

impl Extent {
    /// No span.
    pub const NOTHING: Extent = Extent { min: 0, max: 0, none: 1.0 };

    /// Exactly one span.
    pub const ONE: Extent = Extent { min: 1, max: 1, none: 0.0 };

    fn and(self, other: Extent) -> Extent {
        Extent {
            min: self.min.saturating_add(other.min),
            max: self.max.saturating_add(other.max),
            none: self.none * other.none,
        }
    }

    /// Returns the extent of this with probability `share`, and of `other` otherwise.
    fn or(self, share: f64, other: Extent) -> Extent {
        let none = share * self.none + (1.0 - share) * other.none;
        Extent { min: self.min.min(other.min), max: self.max.max(other.max), none }
    }

    /// Returns the extent of several repetitions, whose numbers are given with their probabilities.
    fn repeated(self, counts: &[(u32, f64)]) -> Extent {
        let extent_of = |count: u32| Extent {
            min: self.min.saturating_mul(count),
            max: self.max.saturating_mul(count),
            none: self.none.powi(count as i32),
        };
        let none = counts.iter().map(|(count, share)| share * extent_of(*count).none).sum();
        let ends = counts.iter().map(|(count, _)| extent_of(*count));
        let (min, max) = ends.fold((u32::MAX, 0), |(min, max), end| (min.min(end.min), max.max(end.max)));
        Extent { min, max, none }
    }
}

/// Adds the extents of what follows.
pub fn add(sum: &mut Extents, next: &Extents) {
    for (part, extent) in next {
        sum.entry(*part).and_modify(|there| *there = there.and(*extent)).or_insert(*extent);
    }
}

/// Returns the extents of `one` with probability `share`, and of `other` otherwise.
pub fn either(share: f64, one: &Extents, other: &Extents) -> Extents {
    let mut sum = Extents::new();
    for part in one.keys().chain(other.keys()) {
        let extent_of = |extents: &Extents| extents.get(part).copied().unwrap_or(Extent::NOTHING);
        sum.entry(*part).or_insert_with(|| extent_of(one).or(share, extent_of(other)));
    }
    sum
}

/// Returns the extents of several repetitions, whose numbers are given with their probabilities.
pub fn repeated(once: &Extents, counts: &[(u32, f64)]) -> Extents {
    once.iter().map(|(part, extent)| (*part, extent.repeated(counts))).collect()
}

/// The notes of a way.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// The last page of the book that belongs to the way.
    page: Option<usize>,
    since: Extents,
}

impl Notes {
    /// Notes what follows.
    pub fn add(&mut self, next: &Extents) {
        add(&mut self.since, next);
    }
}

/// The notes that ways made before they separated.
#[derive(Default)]
pub struct Book(Vec<Page>);

struct Page {
    before: Option<usize>,
    /// The number of pages before this one.
    depth: usize,
    noted: Extents,
}

impl Book {
    /// Moves the notes of a way to the book, so that it can be cloned cheaply.
    pub fn part(&mut self, notes: &mut Notes) {
        if notes.since.is_empty() {
            return;
        }
        let depth = notes.page.map_or(0, |page| self.0[page].depth + 1);
        self.0.push(Page { before: notes.page, depth, noted: std::mem::take(&mut notes.since) });
        notes.page = Some(self.0.len() - 1);
    }

    /// Returns the way that is `one` with probability `share`, and `other` otherwise.
    pub fn meet(&self, share: f64, one: Notes, other: Notes) -> Notes {
        let page = self.common(one.page, other.page);
        Notes { page, since: either(share, &self.since(one, page), &self.since(other, page)) }
    }

    /// Returns all that a way has noted.
    pub fn all(&self, notes: Notes) -> Extents {
        self.since(notes, None)
    }

    fn since(&self, notes: Notes, from: Option<usize>) -> Extents {
        let Notes { mut page, since: mut sum } = notes;
        while page != from
            && let Some(at) = page
        {
            add(&mut sum, &self.0[at].noted);
            page = self.0[at].before;
        }
        sum
    }

    /// Returns the last page that two ways have in common.
    fn common(&self, mut one: Option<usize>, mut other: Option<usize>) -> Option<usize> {
        while one != other {
            let depth = |page: Option<usize>| page.map(|page| self.0[page].depth);
            // The deeper of two pages can't precede the other one. No page at all is the beginning.
            let deeper = if depth(one) >= depth(other) { &mut one } else { &mut other };
            *deeper = deeper.and_then(|page| self.0[page].before);
        }
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(parts: &[usize]) -> Extents {
        parts.iter().map(|part| (*part, Extent::ONE)).collect()
    }

    #[test]
    fn what_was_noted_before_ways_parted_counts_once() {
        let mut book = Book::default();
        let mut one = Notes::default();
        one.add(&note(&[1]));
        book.part(&mut one);
        let mut other = one.clone();
        one.add(&note(&[1, 2]));
        book.part(&mut one);
        let mut third = one.clone();
        one.add(&note(&[3]));
        third.add(&note(&[2]));
        other.add(&note(&[4]));
        let met = book.meet(0.25, one, third);
        let all = book.all(book.meet(0.5, met, other));
        let extent = |min, max, none| Extent { min, max, none };
        assert_eq!(all[&1], extent(1, 2, 0.0));
        assert_eq!(all[&2], extent(0, 2, 0.5));
        assert_eq!(all[&3], extent(0, 1, 0.5 * 0.75 + 0.5));
        assert_eq!(all[&4], extent(0, 1, 0.5));
    }

    #[test]
    fn turns_multiply() {
        let once = Extents::from([(0, Extent { min: 0, max: 2, none: 0.5 })]);
        let turns = repeated(&once, &[(0, 0.25), (3, 0.75)]);
        assert_eq!(turns[&0], Extent { min: 0, max: 6, none: 0.25 + 0.75 * 0.125 });
    }
}
