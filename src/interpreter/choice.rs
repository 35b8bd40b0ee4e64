//! The choice of a trace's scenario: one AES block of the trace's index, compared with cumulative weights. It uses no
//! random stream, so many indices can be scanned cheaply.

use super::identity::cipher;
use super::random::Purpose;
use crate::plan::ScenarioId;
use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;

/// The number of indices whose scenarios are computed together.
const AHEAD: u64 = 16;

/// The shares of all scenarios in units of 2^-64, exact to the precision of the weights' sum (2^-53).
#[derive(Clone)]
pub(super) struct Choice {
    cipher: Aes128,
    /// The greatest draw that chooses each scenario, in ascending order; scenarios that no draw chooses are left out.
    last: Box<[(u64, ScenarioId)]>,
}

impl Choice {
    /// Makes the choice among the scenarios with these weights, which are finite and not negative. If all are 0, no trace is
    /// chosen for.
    pub fn new(weights: &[f64], seed: u64) -> Self {
        let total: f64 = weights.iter().sum();
        let mut last: Vec<(u64, ScenarioId)> = Vec::new();
        let (mut sum, mut reached) = (0.0, 0u128);
        for (i, weight) in weights.iter().enumerate() {
            sum += weight;
            let end = (sum / total * 18_446_744_073_709_551_616.0) as u128;
            let end = end.min(1 << 64);
            if *weight > 0.0 && end > reached {
                last.push(((end - 1) as u64, ScenarioId(i as u32)));
                reached = end;
            }
        }
        if let Some(end) = last.last_mut() {
            end.0 = u64::MAX;
        } else {
            last.push((u64::MAX, ScenarioId(0)));
        }
        Choice { cipher: cipher(seed, Purpose::Scenarios), last: last.into() }
    }

    fn block(index: u64) -> aes::Block {
        let mut block = [0; 16];
        block[..8].copy_from_slice(&index.to_le_bytes());
        block.into()
    }

    #[inline(always)]
    fn of_block(&self, block: &aes::Block) -> ScenarioId {
        let draw = u64::from_le_bytes(std::array::from_fn(|i| block[i]));
        self.last[self.last.partition_point(|&(last, _)| last < draw)].1
    }

    /// Returns the scenario of trace `index`.
    pub fn scenario(&self, index: u64) -> ScenarioId {
        if let [(_, only)] = self.last[..] {
            return only;
        }
        let mut block = Self::block(index);
        self.cipher.encrypt_block(&mut block);
        self.of_block(&block)
    }
}

/// The scenarios of neighbouring indices, which are computed together.
pub(super) struct Chosen {
    base: u64,
    scenarios: [ScenarioId; AHEAD as usize],
}

impl Chosen {
    pub fn new() -> Self {
        Chosen { base: u64::MAX, scenarios: [ScenarioId(0); AHEAD as usize] }
    }

    #[inline(always)]
    pub fn get(&mut self, choice: &Choice, index: u64) -> ScenarioId {
        if let [(_, only)] = choice.last[..] {
            return only;
        }
        let base = index - index % AHEAD;
        if base != self.base {
            self.base = base;
            let mut blocks: [aes::Block; AHEAD as usize] = std::array::from_fn(|i| Choice::block(base + i as u64));
            choice.cipher.encrypt_blocks(&mut blocks);
            for (scenario, block) in self.scenarios.iter_mut().zip(&blocks) {
                *scenario = choice.of_block(block);
            }
        }
        self.scenarios[(index - base) as usize]
    }
}
