//! Gaps of random length in several lanes.

use crate::interpreter::identity::{MAX_INDEX, cipher};
use crate::interpreter::random::Purpose;
use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;

/// A source of gaps. Each is drawn by an AES block of the epoch's first index, the lane and the pair.
pub(super) struct Interval {
    cipher: Aes128,
    /// The gap that was drawn last, with its key: the neighbours in a lane come in pairs.
    last: Option<([u64; 3], u64)>,
}

impl Interval {
    pub fn new(seed: u64) -> Self {
        Interval { cipher: cipher(seed, Purpose::Interval), last: None }
    }

    /// Returns the first gap of a pair of a lane, uniformly distributed over `min..=max`.
    fn gap(&mut self, first: u64, lane: u64, pair: u64, min: u64, max: u64) -> u64 {
        let key = [first, lane, pair];
        if let Some((last, draw)) = self.last
            && last == key
        {
            return min + scale(draw, max - min);
        }
        // The three numbers take 48 + 17 + 48 bits of the 16 bytes.
        let block = (first as u128) << 68 | (lane as u128) << 50 | pair as u128;
        let mut block = block.to_le_bytes().into();
        self.cipher.encrypt_block(&mut block);
        let draw = u64::from_le_bytes(std::array::from_fn(|i| block[i]));
        self.last = Some((key, draw));
        min + scale(draw, max - min)
    }

    /// Returns the start of arrival k of the epoch, in ns after its opening.
    pub fn offset(&mut self, k: u64, first: u64, min: u64, max: u64, lanes: u32) -> u128 {
        let (lane, n) = (k % lanes as u64, k / lanes as u64);
        let pair = (min + max) as u128;
        let whole = lane_offset(lane, pair, lanes) + (n / 2) as u128 * pair;
        if n.is_multiple_of(2) { whole } else { whole + self.gap(first, lane, n / 2, min, max) as u128 }
    }

    /// Returns the greatest k that starts within `elapsed` ns of the opening. Arrival 0 always does.
    pub fn last(&mut self, elapsed: u64, first: u64, min: u64, max: u64, lanes: u32) -> u64 {
        let (pair, elapsed) = (min + max, elapsed as u128);
        let offset = |lane: u64| lane_offset(lane, pair as u128, lanes);
        // The number of whole pairs that lane 0 has completed. Lanes begin less than half a pair later, so any other lane
        // has completed as many, or one less.
        let pairs = (elapsed / pair as u128) as u64;
        if pairs > MAX_INDEX {
            return MAX_INDEX;
        }
        let rest = elapsed % pair as u128;
        let lanes = lanes as u64;
        // The lanes 0..same have completed as many pairs as lane 0.
        let same = partition(lanes, |lane| offset(lane) <= rest);
        // A lane that has also completed its odd arrival has a greater index than every lane that has only the even one.
        for lane in (0..same).rev() {
            let left = (rest - offset(lane)) as u64;
            if left >= max || (left >= min && self.gap(first, lane, pairs, min, max) <= left) {
                return (2 * pairs + 1) * lanes + lane;
            }
        }
        // At least lane 0 has completed its even arrival.
        2 * pairs * lanes + same - 1
    }
}

/// Returns the time at which a lane begins: l (min + max) / (2 lanes) after the opening.
fn lane_offset(lane: u64, pair: u128, lanes: u32) -> u128 {
    lane as u128 * pair / (2 * lanes as u128)
}

/// Scales `draw`, of 2^64, to 0..=range.
fn scale(draw: u64, range: u64) -> u64 {
    ((draw as u128 * (range as u128 + 1)) >> 64) as u64
}

/// Returns the first of 0..n for which `holds` is false; it is true for all before it.
fn partition(n: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
