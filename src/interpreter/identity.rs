//! Trace and span ids from which tracegen can find out which trace and span they are of.
//!
//! A trace id is the AES-128 encryption, with a key from the seed, of a block of 32 bits of tag, 48 bits of kind and zero
//! redundancy, and 48 bits of index. All but one in 2^48 foreign ids decrypt to a wrong redundancy. A span id is a keyed
//! permutation of 48 bits of index and 16 bits of ordinal + 1, so it is unique in a run. Neither is ever zero: a result of
//! zero is encrypted once more (cycle-walking), which can't produce the id of another span or trace because no plain text
//! is zero.

use super::random::{Purpose, key};
use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use sha2::{Digest, Sha256};

/// The number below which all indices are.
pub const MAX_INDEX: u64 = 1 << 48;

/// The first byte after the tag, which says what the block identifies. It is never 0.
const TRACE: u8 = 1;

/// The number of trace ids computed together, because AES hardware works on several blocks at once.
const AHEAD: usize = 8;

/// The ids of one run, which has one seed and one tag.
#[derive(Clone)]
pub struct Identity {
    cipher: Aes128,
    tag: u32,
    span_key: [u64; 3],
}

impl Identity {
    /// Makes the ids of the run with this seed and tag. Tags distinguish runs with the same seed.
    #[expect(clippy::missing_panics_doc, reason = "each slice has eight bytes")]
    pub fn new(seed: u64, tag: u32) -> Self {
        let span = Sha256::new().chain_update(key(seed, Purpose::SpanIds)).chain_update(tag.to_le_bytes()).finalize();
        let word = |i: usize| u64::from_le_bytes(span[i * 8..i * 8 + 8].try_into().expect("eight bytes"));
        Identity { cipher: cipher(seed, Purpose::TraceIds), tag, span_key: [word(0), word(1), word(2)] }
    }

    /// Returns the tag of the run.
    pub fn tag(&self) -> u32 {
        self.tag
    }

    fn block(&self, index: u64) -> [u8; 16] {
        let mut block = [0; 16];
        block[..4].copy_from_slice(&self.tag.to_be_bytes());
        block[4] = TRACE;
        block[10..].copy_from_slice(&index.to_be_bytes()[2..]);
        block
    }

    /// Returns the id of the trace with this index, which must be below [`MAX_INDEX`].
    pub fn trace_id(&self, index: u64) -> [u8; 16] {
        let mut block = self.block(index).into();
        self.cipher.encrypt_block(&mut block);
        self.walked(block.into())
    }

    /// Returns the ids of [`AHEAD`] traces from `index` on.
    fn trace_ids(&self, index: u64) -> [[u8; 16]; AHEAD] {
        let mut blocks: [aes::Block; AHEAD] = std::array::from_fn(|i| self.block(index.wrapping_add(i as u64)).into());
        self.cipher.encrypt_blocks(&mut blocks);
        blocks.map(|block| self.walked(block.into()))
    }

    #[inline(always)]
    fn walked(&self, id: [u8; 16]) -> [u8; 16] {
        if id != [0; 16] {
            return id;
        }
        let mut block = id.into();
        self.cipher.encrypt_block(&mut block);
        block.into()
    }

    /// Reports whether a trace id is of this run.
    pub fn is_of_run(&self, trace_id: [u8; 16]) -> bool {
        self.decode(trace_id).is_some_and(|(tag, _)| tag == self.tag)
    }

    /// Returns the tag and the index of a trace id of any run with this seed, or `None` if the id was not made with this
    /// seed.
    pub fn decode(&self, trace_id: [u8; 16]) -> Option<(u32, u64)> {
        let mut block: aes::Block = trace_id.into();
        self.cipher.decrypt_block(&mut block);
        if block.iter().all(|&byte| byte == 0) {
            self.cipher.decrypt_block(&mut block);
        }
        let plain: [u8; 16] = block.into();
        if plain[4..10] != [TRACE, 0, 0, 0, 0, 0] {
            return None;
        }
        let mut index = [0; 8];
        index[2..].copy_from_slice(&plain[10..]);
        let tag = u32::from_be_bytes([plain[0], plain[1], plain[2], plain[3]]);
        Some((tag, u64::from_be_bytes(index)))
    }

    /// Returns the id of span `ordinal` (at most 65,534) of trace `index`.
    #[inline(always)]
    pub fn span_id(&self, index: u64, ordinal: u32) -> u64 {
        let id = self.mix(index << 16 | (ordinal as u64 + 1));
        if id == 0 { self.mix(0) } else { id }
    }

    /// Returns the id of the span of trace `index` that orphans have as their parent. No span is sent that has it.
    pub(super) fn lost_span_id(&self, index: u64) -> u64 {
        // No span has the number 0 in its trace. The id is not 0 except with probability 2^-64.
        self.mix(index << 16)
    }

    /// Returns the index and the ordinal of a span id of this run. Nearly every number decodes to something, so the index
    /// should be compared with that of the trace id.
    pub fn decode_span(&self, span_id: u64) -> Option<(u64, u32)> {
        let plain = match self.unmix(span_id) {
            0 => self.unmix(0),
            plain => plain,
        };
        let ordinal = (plain & 0xffff) as u32;
        (span_id != 0 && ordinal != 0).then(|| (plain >> 16, ordinal - 1))
    }

    /// Permutes `x` by three rounds of key, odd multiplication and xor-shift, each of which has an inverse.
    #[inline(always)]
    fn mix(&self, x: u64) -> u64 {
        let [a, b, c] = self.span_key;
        let x = (x ^ a).wrapping_mul(MULTIPLIERS[0]);
        let x = ((x ^ x >> 32) ^ b).wrapping_mul(MULTIPLIERS[1]);
        let x = ((x ^ x >> 32) ^ c).wrapping_mul(MULTIPLIERS[2]);
        x ^ x >> 32
    }

    fn unmix(&self, x: u64) -> u64 {
        let [a, b, c] = self.span_key;
        // The step `x ^ x >> 32` is its own inverse.
        let x = (x ^ x >> 32).wrapping_mul(inverse(MULTIPLIERS[2])) ^ c;
        let x = (x ^ x >> 32).wrapping_mul(inverse(MULTIPLIERS[1])) ^ b;
        (x ^ x >> 32).wrapping_mul(inverse(MULTIPLIERS[0])) ^ a
    }
}

/// Odd factors: the golden ratio, and those of David Stafford's mix 13 (of SplitMix64).
const MULTIPLIERS: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// Returns the inverse of an odd number modulo 2^64 by Newton's method, each turn of which doubles the number of correct
/// bits.
fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    for _ in 0..5 {
        x = x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x)));
    }
    x
}

/// Returns AES-128 with the seed's key for `purpose`.
pub(super) fn cipher(seed: u64, purpose: Purpose) -> Aes128 {
    let mut short = [0; 16];
    short.copy_from_slice(&key(seed, purpose)[..16]);
    Aes128::new(&short.into())
}

/// The trace ids of neighbouring indices, which are computed together.
pub(super) struct TraceIds {
    base: u64,
    ids: [[u8; 16]; AHEAD],
}

impl TraceIds {
    pub fn new() -> Self {
        TraceIds { base: u64::MAX, ids: [[0; 16]; AHEAD] }
    }

    #[inline(always)]
    pub fn get(&mut self, identity: &Identity, index: u64) -> [u8; 16] {
        let base = index - index % AHEAD as u64;
        if base != self.base {
            self.base = base;
            self.ids = identity.trace_ids(base);
        }
        self.ids[(index % AHEAD as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_million_trace_ids_are_unique_and_decode_back() {
        let identity = Identity::new(42, 7);
        let mut ahead = TraceIds::new();
        let mut seen = HashSet::with_capacity(1_000_000);
        for index in (0..500_000).chain(MAX_INDEX - 500_000..MAX_INDEX) {
            let id = ahead.get(&identity, index);
            assert!(seen.insert(id));
            assert_eq!(identity.decode(id), Some((7, index)));
            if index % 1000 == 3 {
                assert_eq!(id, identity.trace_id(index));
            }
        }
    }

    #[test]
    fn ids_of_other_runs_with_the_seed_are_known_and_foreign_ids_refused() {
        let identity = Identity::new(42, 7);
        let later = Identity::new(42, 8);
        assert_eq!(identity.decode(later.trace_id(5)), Some((8, 5)));
        assert_ne!(identity.trace_id(5), later.trace_id(5));
        assert_eq!(identity.decode([0; 16]), None);
        // Of a million ids of other generators, 2^-28 are expected to be taken for ids of the run.
        let foreign = Identity::new(43, 7);
        assert!((0..1_000_000).all(|i| identity.decode(foreign.trace_id(i)).is_none()));
    }

    #[test]
    fn a_million_span_ids_are_unique_and_decode_back() {
        let identity = Identity::new(1, 2);
        let mut seen = HashSet::with_capacity(1_000_000);
        for index in (0..5_000).chain(MAX_INDEX - 5_000..MAX_INDEX) {
            for ordinal in (0..99).chain([65_534]) {
                let id = identity.span_id(index, ordinal);
                assert!(id != 0 && seen.insert(id));
                assert_eq!(identity.decode_span(id), Some((index, ordinal)));
            }
        }
        assert_ne!(identity.span_id(1, 1), Identity::new(1, 3).span_id(1, 1), "the tag counts");
        assert_ne!(identity.span_id(1, 1), Identity::new(2, 2).span_id(1, 1), "the seed counts");
        assert_eq!(identity.decode_span(0), None);
    }

    #[test]
    fn an_id_is_never_zero() {
        let identity = Identity::new(9, 9);
        // This is the one plain text that is mixed to zero.
        let plain = identity.unmix(0);
        assert_eq!(identity.mix(plain), 0);
        assert_ne!(identity.mix(0), 0);
        let (index, ordinal) = identity.decode_span(identity.mix(0)).expect("an ordinal that is not 0");
        assert_eq!(index << 16 | (ordinal as u64 + 1), plain);
        assert_eq!(identity.span_id(index, ordinal), identity.mix(0));
    }

    #[test]
    fn span_ids_look_random() {
        // Neighbouring inputs differ in half of the bits.
        let identity = Identity::new(5, 6);
        let flips: u32 = (0..10_000u64).map(|i| (identity.span_id(i, 0) ^ identity.span_id(i, 1)).count_ones()).sum();
        let mean = flips as f64 / 10_000.0;
        assert!((mean - 32.0).abs() < 0.3, "{mean}");
    }
}
