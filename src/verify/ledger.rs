//! A record of which spans have arrived, in a few bits a span.
//!
//! A chunk of 4,096 consecutive traces is allocated when the first span of one of them arrives. Each trace takes 4 bytes in
//! it. When a span of the trace has arrived, it takes 2 more bytes and a bit a span, and a few bits for the number of the
//! policy's rule that decides on it, rounded up to whole bytes. Chunks in which spans arrive repeatedly, altered, or altered
//! against the policy have as many bits again for each of the three.

use foldhash::{HashMap, HashMapExt};

/// The number of traces in a chunk.
const CHUNK: u64 = 4_096;
/// The number of bytes before a trace's bits, which hold its number of spans.
const HEAD: usize = 2;
/// The number of bytes by which the bits of a chunk grow.
const STEP: usize = 2_048;

/// A record of which spans of which traces have arrived.
pub struct Ledger {
    chunks: HashMap<u64, Chunk>,
    /// The number of bits before those of the spans: that of [`Entry::failed`], and those of the rule's number.
    own: usize,
}

struct Chunk {
    /// For each trace the offset of its first byte in `seen`, plus one; 0 if nothing of it has arrived.
    places: Box<[u32]>,
    /// The bits of the spans that have arrived.
    seen: Vec<u8>,
    /// The bits of spans that came more than once, at the same offsets as in `seen`; shorter where no such span has come.
    again: Vec<u8>,
    /// The bits of altered spans, in the same way.
    altered: Vec<u8>,
    /// The bits of spans with an alteration that the policy does not permit, in the same way.
    spoilt: Vec<u8>,
}

/// A mark on a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The span has arrived.
    Seen,
    /// The span has arrived more than once.
    Again,
    /// A field of the span was altered.
    Altered,
    /// A field was altered that the policy does not permit to change.
    Spoilt,
}

/// A trace of which a span has arrived, to set marks.
pub struct Entry<'l> {
    chunk: &'l mut Chunk,
    own: usize,
    /// The offset of the first byte of the trace's bits.
    offset: usize,
    /// No span of the trace had arrived before.
    pub new: bool,
}

/// A trace of which a span has arrived, to read its marks.
#[derive(Clone, Copy)]
pub struct Arrived<'l> {
    bits: &'l [u8],
    own: usize,
    spans: usize,
}

impl Ledger {
    /// Makes a record in which each trace has a number from 0 to `rules`.
    pub fn new(rules: usize) -> Ledger {
        Ledger { chunks: HashMap::new(), own: 1 + (usize::BITS - rules.leading_zeros()) as usize }
    }

    /// Returns the entry of the trace at `position`. `spans` is the trace's number of spans, below 65,536.
    pub fn entry(&mut self, position: u64, spans: usize) -> Entry<'_> {
        let chunk = self.chunks.entry(position / CHUNK).or_insert_with(Chunk::new);
        let trace = (position % CHUNK) as usize;
        let new = chunk.places[trace] == 0;
        if new {
            chunk.places[trace] = chunk.seen.len() as u32 + 1;
            chunk.add(spans, self.own + spans);
        }
        let offset = chunk.places[trace] as usize - 1 + HEAD;
        Entry { chunk, own: self.own, offset, new }
    }

    /// Returns the marks of a trace, or `None` if nothing of it has arrived.
    pub fn arrived(&self, position: u64) -> Option<Arrived<'_>> {
        let chunk = self.chunks.get(&(position / CHUNK))?;
        let offset = (chunk.places[(position % CHUNK) as usize] as usize).checked_sub(1)?;
        let spans = u16::from_le_bytes([chunk.seen[offset], chunk.seen[offset + 1]]) as usize;
        let (own, offset) = (self.own, offset + HEAD);
        Some(Arrived { bits: &chunk.seen[offset..offset + (own + spans).div_ceil(8)], own, spans })
    }
}

impl Chunk {
    fn new() -> Chunk {
        Chunk { places: vec![0; CHUNK as usize].into(), seen: vec![], again: vec![], altered: vec![], spoilt: vec![] }
    }

    /// Adds a trace with `spans` spans, which takes `bits` bits.
    fn add(&mut self, spans: usize, bits: usize) {
        let more = HEAD + bits.div_ceil(8);
        if self.seen.capacity() - self.seen.len() < more {
            self.seen.reserve_exact(more.max(STEP));
        }
        self.seen.extend_from_slice(&(spans as u16).to_le_bytes());
        self.seen.resize(self.seen.len() + bits.div_ceil(8), 0);
    }
}

impl Entry<'_> {
    /// Sets a mark on span `ordinal`, and returns whether it is new.
    pub fn mark(&mut self, mark: Mark, ordinal: usize) -> bool {
        self.set(mark, self.own + ordinal)
    }

    /// Records the number of the rule that decides on the trace.
    pub fn decide(&mut self, rule: usize) {
        for bit in (1..self.own).filter(|bit| rule >> (bit - 1) & 1 == 1) {
            self.set(Mark::Seen, bit);
        }
    }

    /// Records that a failed span of the trace has arrived, and returns whether it is the first.
    pub fn failed(&mut self) -> bool {
        self.set(Mark::Seen, 0)
    }

    /// Returns the number of the rule that decides on the trace.
    pub fn rule(&self) -> usize {
        rule(&self.chunk.seen[self.offset..], self.own)
    }

    fn set(&mut self, mark: Mark, bit: usize) -> bool {
        let length = self.chunk.seen.len();
        let bits = match mark {
            Mark::Seen => &mut self.chunk.seen,
            Mark::Again => &mut self.chunk.again,
            Mark::Altered => &mut self.chunk.altered,
            Mark::Spoilt => &mut self.chunk.spoilt,
        };
        let offset = self.offset + bit / 8;
        if bits.len() <= offset {
            bits.resize(length, 0);
        }
        let before = bits[offset];
        bits[offset] |= 1 << (bit % 8);
        before != bits[offset]
    }
}

impl Arrived<'_> {
    /// Reports whether span `ordinal` has arrived.
    pub fn has(self, ordinal: usize) -> bool {
        is_set(self.bits, self.own + ordinal)
    }

    /// Returns the number of the rule that decides on the trace.
    pub fn rule(self) -> usize {
        rule(self.bits, self.own)
    }

    /// Reports whether all spans have arrived.
    pub fn is_whole(self) -> bool {
        let marked: u32 = self.bits.iter().map(|byte| byte.count_ones()).sum();
        let own = (0..self.own).filter(|bit| is_set(self.bits, *bit)).count();
        marked as usize - own == self.spans
    }
}

fn is_set(bits: &[u8], bit: usize) -> bool {
    bits[bit / 8] >> (bit % 8) & 1 == 1
}

/// Returns the number of the rule in the first `own` bits of a trace.
fn rule(bits: &[u8], own: usize) -> usize {
    (1..own).map(|bit| (is_set(bits, bit) as usize) << (bit - 1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_new_once_and_independent_of_each_other() {
        let mut ledger = Ledger::new(0);
        for position in [0, 1, CHUNK - 1, CHUNK, 1 << 40] {
            let spans = 7 + position as usize % 5;
            assert!(ledger.arrived(position).is_none());
            for ordinal in 0..spans {
                assert!(!ledger.arrived(position).is_some_and(Arrived::is_whole));
                let mut entry = ledger.entry(position, spans);
                assert_eq!(entry.new, ordinal == 0);
                assert!(entry.mark(Mark::Seen, ordinal) && !entry.mark(Mark::Seen, ordinal));
                assert_eq!(entry.mark(Mark::Again, ordinal), entry.mark(Mark::Altered, ordinal));
                assert_eq!(entry.failed(), ordinal == 0);
            }
            let arrived = ledger.arrived(position).unwrap();
            assert!(arrived.is_whole() && (0..spans).all(|ordinal| arrived.has(ordinal)));
        }
    }

    #[test]
    fn spans_that_have_not_arrived_are_known() {
        let mut ledger = Ledger::new(0);
        for position in 0..10_000 {
            let mut entry = ledger.entry(position, 17);
            for ordinal in (0..17).filter(|ordinal| ordinal % 3 != position as usize % 3) {
                entry.mark(Mark::Seen, ordinal);
            }
        }
        for position in 0..10_000 {
            let arrived = ledger.arrived(position).unwrap();
            let missing: Vec<usize> = (0..17).filter(|ordinal| !arrived.has(*ordinal)).collect();
            assert!(missing.iter().all(|ordinal| ordinal % 3 == position as usize % 3) && missing.len() >= 5);
        }
    }

    #[test]
    fn a_trace_keeps_the_number_of_its_rule() {
        for rules in [0, 1, 2, 3, 4, 1_000] {
            let mut ledger = Ledger::new(rules);
            for rule in 0..=rules {
                let mut entry = ledger.entry(rule as u64, 9);
                entry.decide(rule);
                assert_eq!(entry.rule(), rule);
                (0..9).filter(|ordinal| rule % 2 == 0 || *ordinal != 4).for_each(|ordinal| {
                    entry.mark(Mark::Seen, ordinal);
                });
            }
            for rule in 0..=rules {
                let arrived = ledger.arrived(rule as u64).unwrap();
                assert_eq!((arrived.rule(), arrived.is_whole()), (rule, rule % 2 == 0));
            }
        }
    }
}
