//! Random arrivals in blocks of a fixed number.
//!
//! If the number of arrivals of a Poisson process in a stretch of time is given, they are independent and uniformly
//! distributed over it. Each block has exactly [`BLOCK`] arrivals in exactly the time that as many take on average. Their
//! order statistics are computed from normalised exponential gaps (L. Devroye, Non-Uniform Random Variate Generation, 1986,
//! section V.3.1).

use crate::interpreter::identity::MAX_INDEX;
use crate::interpreter::random::{Purpose, Random, key};

/// The number of arrivals in a block.
pub(super) const BLOCK: u64 = 4_096;
/// The number of blocks that are kept: those that are being generated, and those to which links look back.
const KEPT: usize = 4;

pub(super) struct Poisson {
    random: Random,
    blocks: Vec<Block>,
    /// The number of uses so far, by which the least recently used block is found.
    clock: u64,
}

struct Block {
    /// The key of the block: the first index of the epoch, the number of the block, `count` and `per_ns`.
    key: [u64; 4],
    /// The value of `clock` when the block was last used.
    used: u64,
    /// The start of the block, in ns after the opening.
    base: u128,
    /// The starts of the block's arrivals, in ns after `base`, in ascending order.
    offsets: Vec<u64>,
}

impl Poisson {
    pub fn new(seed: u64) -> Self {
        Poisson { random: Random::new(key(seed, Purpose::Poisson)), blocks: Vec::new(), clock: 0 }
    }

    fn block(&mut self, number: u64, first: u64, count: u64, per_ns: u64) -> &Block {
        let key = [first, number, count, per_ns];
        self.clock += 1;
        let clock = self.clock;
        if let Some(at) = self.blocks.iter().position(|b| b.key == key) {
            self.blocks[at].used = clock;
            return &self.blocks[at];
        }
        let at = if self.blocks.len() < KEPT {
            self.blocks.push(Block { key, used: 0, base: 0, offsets: Vec::with_capacity(BLOCK as usize) });
            self.blocks.len() - 1
        } else {
            (0..KEPT).min_by_key(|&i| self.blocks[i].used).unwrap_or(0)
        };
        let block = &mut self.blocks[at];
        block.key = key;
        block.used = clock;
        block.base = boundary(number, count, per_ns);
        let width = (boundary(number + 1, count, per_ns) - block.base) as f64;
        // The stream is the index of the block's first arrival, so no two blocks of a run share a stream.
        let stream = first.wrapping_add(number * BLOCK);
        arrivals(&mut self.random, stream, &mut block.offsets, |share| (share * width) as u64);
        &*block
    }

    /// Returns the start of arrival k of the epoch, in ns after its opening.
    pub fn offset(&mut self, k: u64, first: u64, count: u64, per_ns: u64) -> u128 {
        let block = self.block(k / BLOCK, first, count, per_ns);
        block.base + block.offsets[(k % BLOCK) as usize] as u128
    }

    /// Returns the greatest k that starts within `elapsed` ns of the opening, or `None` if none does.
    pub fn last(&mut self, elapsed: u64, first: u64, count: u64, per_ns: u64) -> Option<u64> {
        let elapsed = elapsed as u128;
        // This is the last block that begins at `elapsed` or before.
        let number = ((elapsed + 1) * count as u128).div_ceil(BLOCK as u128 * per_ns as u128) - 1;
        let number = number.min((MAX_INDEX / BLOCK) as u128) as u64;
        let block = self.block(number, first, count, per_ns);
        let left = elapsed - block.base;
        let before = block.offsets.partition_point(|&o| o as u128 <= left) as u64;
        // If no arrival of its own block has started yet, the last one of the block before has.
        (number * BLOCK + before).checked_sub(1)
    }
}

/// Fills `out` with the arrivals of a block in ascending order. `place` converts the share of the block before an arrival,
/// which is below 1 except for rounding errors.
pub(super) fn arrivals(random: &mut Random, stream: u64, out: &mut Vec<u64>, place: impl Fn(f64) -> u64) {
    random.seek(stream);
    let mut sum = 0.0;
    let mut sums = [0.0; BLOCK as usize];
    for s in &mut sums {
        sum -= libm::log(random.unit());
        *s = sum;
    }
    sum -= libm::log(random.unit());
    out.clear();
    out.extend(sums.iter().map(|s| place(s / sum)));
}

/// Returns the start of a block, in ns after the opening.
fn boundary(number: u64, count: u64, per_ns: u64) -> u128 {
    number as u128 * (BLOCK as u128 * per_ns as u128) / count as u128
}
