//! What has arrived of each trace: a few bits a span.
//!
//! A chunk of 4,096 consecutive traces is made when the first span of one arrives. A trace takes 4 bytes there and, once a
//! span of it has arrived, 2 bytes more and a bit a span, in whole bytes. As many bits again for "more than once", for "altered"
//! and for "altered where it may not be" are made in the chunks where that happens.

use std::collections::HashMap;

/// Traces of a chunk.
const CHUNK: u64 = 4_096;
/// Bytes before a trace's bits: how many spans it has.
const HEAD: usize = 2;
/// Bits before those of the spans: [`Entry::failed`].
const OWN_BITS: usize = 1;
/// The bits of a chunk grow by so many bytes.
const STEP: usize = 2_048;

#[derive(Default)]
pub struct Ledger {
    chunks: HashMap<u64, Chunk>,
}

struct Chunk {
    /// By trace: where its head is, plus one; 0: nothing of it has arrived.
    places: Box<[u32]>,
    seen: Vec<u8>,
    /// Laid out as `seen` is; shorter where no such span has come.
    again: Vec<u8>,
    altered: Vec<u8>,
    spoilt: Vec<u8>,
}

/// What to mark of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Seen,
    /// Came more than once.
    Again,
    Altered,
    /// In a field that may not be.
    Spoilt,
}

/// A trace of which a span has arrived.
pub struct Entry<'l> {
    chunk: &'l mut Chunk,
    /// Of the first byte of its bits.
    at: usize,
    /// This is its first span.
    pub new: bool,
}

/// What has arrived of a trace.
#[derive(Clone, Copy)]
pub struct Arrived<'l> {
    bits: &'l [u8],
    spans: usize,
}

impl Ledger {
    /// The trace at `position`, which has so many spans, all told less than 65,536.
    pub fn entry(&mut self, position: u64, spans: usize) -> Entry<'_> {
        let chunk = self.chunks.entry(position / CHUNK).or_insert_with(Chunk::new);
        let trace = (position % CHUNK) as usize;
        let new = chunk.places[trace] == 0;
        if new {
            chunk.places[trace] = chunk.seen.len() as u32 + 1;
            chunk.add(spans);
        }
        let at = chunk.places[trace] as usize - 1 + HEAD;
        Entry { chunk, at, new }
    }

    /// `None`: nothing of it has arrived.
    pub fn arrived(&self, position: u64) -> Option<Arrived<'_>> {
        let chunk = self.chunks.get(&(position / CHUNK))?;
        let at = (chunk.places[(position % CHUNK) as usize] as usize).checked_sub(1)?;
        let spans = u16::from_le_bytes([chunk.seen[at], chunk.seen[at + 1]]) as usize;
        Some(Arrived { bits: &chunk.seen[at + HEAD..at + HEAD + bytes(spans)], spans })
    }
}

impl Chunk {
    fn new() -> Chunk {
        Chunk { places: vec![0; CHUNK as usize].into(), seen: vec![], again: vec![], altered: vec![], spoilt: vec![] }
    }

    fn add(&mut self, spans: usize) {
        let more = HEAD + bytes(spans);
        if self.seen.capacity() - self.seen.len() < more {
            self.seen.reserve_exact(more.max(STEP));
        }
        self.seen.extend_from_slice(&(spans as u16).to_le_bytes());
        self.seen.resize(self.seen.len() + bytes(spans), 0);
    }
}

fn bytes(spans: usize) -> usize {
    (OWN_BITS + spans).div_ceil(8)
}

impl Entry<'_> {
    /// Whether span `ordinal` had not been marked so before.
    pub fn mark(&mut self, mark: Mark, ordinal: usize) -> bool {
        self.set(mark, OWN_BITS + ordinal)
    }

    /// A span of it that failed has arrived; whether that is new.
    pub fn failed(&mut self) -> bool {
        self.set(Mark::Seen, 0)
    }

    fn set(&mut self, mark: Mark, bit: usize) -> bool {
        let length = self.chunk.seen.len();
        let bits = match mark {
            Mark::Seen => &mut self.chunk.seen,
            Mark::Again => &mut self.chunk.again,
            Mark::Altered => &mut self.chunk.altered,
            Mark::Spoilt => &mut self.chunk.spoilt,
        };
        let at = self.at + bit / 8;
        if bits.len() <= at {
            bits.resize(length, 0);
        }
        let before = bits[at];
        bits[at] |= 1 << (bit % 8);
        before != bits[at]
    }
}

impl Arrived<'_> {
    pub fn has(self, ordinal: usize) -> bool {
        let bit = OWN_BITS + ordinal;
        self.bits[bit / 8] >> (bit % 8) & 1 == 1
    }

    /// A span that failed is among them.
    pub fn has_failed(self) -> bool {
        self.bits[0] & 1 == 1
    }

    pub fn is_whole(self) -> bool {
        let marked: u32 = self.bits.iter().map(|byte| byte.count_ones()).sum();
        marked as usize - self.has_failed() as usize == self.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_told_once_and_kept_apart() {
        let mut ledger = Ledger::default();
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
    fn what_is_missing_is_known() {
        let mut ledger = Ledger::default();
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
}
