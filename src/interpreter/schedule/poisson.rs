//! Random arrivals, in blocks of a fixed number.
//!
//! Given how many arrivals of a Poisson process fall into a stretch of time, they are independent and uniform over it. Each
//! block has exactly [`BLOCK`] arrivals in exactly the time that as many take on average; their order statistics come from
//! normalised exponential gaps (L. Devroye, Non-Uniform Random Variate Generation, 1986, section V.3.1).

use crate::interpreter::identity::MAX_INDEX;
use crate::interpreter::random::{Purpose, Random, key};

/// The number of arrivals in a block.
pub(super) const BLOCK: u64 = 4_096;
/// The number of blocks that are kept: those that generation is in, and those that links look back to.
const KEPT: usize = 4;

pub(super) struct Poisson {
    random: Random,
    blocks: Vec<Block>,
    /// The number of uses so far, to find the block that was not used for longest.
    clock: u64,
}

struct Block {
    /// What the block is a function of: first index of the epoch, number of the block, count, per_ns.
    key: [u64; 4],
    /// The clock when the block was last used.
    used: u64,
    /// The start of the block, ns after the opening.
    base: u128,
    /// The starts of its arrivals, ns after the base, ascending.
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
        // The stream is the index of the block's first arrival: no two blocks of a run share one.
        self.random.seek(first.wrapping_add(number * BLOCK));
        let mut sum = 0.0;
        let mut sums = [0.0; BLOCK as usize];
        for s in &mut sums {
            sum -= libm::log(self.random.unit());
            *s = sum;
        }
        sum -= libm::log(self.random.unit());
        block.offsets.clear();
        // Each part is below 1 but for rounding.
        block.offsets.extend(sums.iter().map(|s| (s / sum * width) as u64));
        &*block
    }

    /// The start of the k-th arrival of the epoch, ns after its opening.
    pub fn offset(&mut self, k: u64, first: u64, count: u64, per_ns: u64) -> u128 {
        let block = self.block(k / BLOCK, first, count, per_ns);
        block.base + block.offsets[(k % BLOCK) as usize] as u128
    }

    /// The greatest k that starts within `elapsed` ns of the opening; `None`: none does.
    pub fn last(&mut self, elapsed: u64, first: u64, count: u64, per_ns: u64) -> Option<u64> {
        let elapsed = elapsed as u128;
        // This is the greatest number whose boundary is not after `elapsed`.
        let number = ((elapsed + 1) * count as u128).div_ceil(BLOCK as u128 * per_ns as u128) - 1;
        let number = number.min((MAX_INDEX / BLOCK) as u128) as u64;
        let block = self.block(number, first, count, per_ns);
        let left = elapsed - block.base;
        let before = block.offsets.partition_point(|&o| o as u128 <= left) as u64;
        // Where nothing of its own block has started yet, the last of the block before has.
        (number * BLOCK + before).checked_sub(1)
    }
}

/// The start of a block, ns after the opening.
fn boundary(number: u64, count: u64, per_ns: u64) -> u128 {
    number as u128 * (BLOCK as u128 * per_ns as u128) / count as u128
}
