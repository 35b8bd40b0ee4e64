//! The choice of a trace's scenario: one AES block of the trace's index, compared with cumulative weights. It uses no
//! random stream, so many indices can be scanned cheaply.

use super::identity::cipher;
use super::random::Purpose;
use super::surges::Surges;
use crate::plan::{IncidentId, ScenarioId};
use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;

/// The number of indices whose scenarios are computed together.
const AHEAD: u64 = 16;

/// The number of mixes of scenarios that are kept, besides the usual one.
const KEPT: usize = 16;

/// The choice among scenarios by their weights.
#[derive(Clone)]
pub(super) struct Choice {
    cipher: Aes128,
    usual: Shares,
    changing: Option<Changing>,
}

/// The shares of all scenarios in units of 2^-64, exact to the precision of the weights' sum (2^-53): the greatest draw that
/// chooses each scenario, in ascending order; scenarios that no draw chooses are left out.
#[derive(Clone)]
struct Shares(Box<[(u64, ScenarioId)]>);

/// Weights that surges change, which affect some of the scenarios more than others.
#[derive(Clone)]
struct Changing {
    weights: Box<[f64]>,
    surges: Surges,
}

impl Shares {
    /// Makes the shares of scenarios with these weights, which are finite and not negative. If all are 0, no trace is chosen
    /// for.
    fn new(weights: &[f64]) -> Shares {
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
        Shares(last.into())
    }

    /// Returns the scenario, if there is only one.
    #[inline(always)]
    fn only(&self) -> Option<ScenarioId> {
        if let [(_, only)] = self.0[..] { Some(only) } else { None }
    }

    #[inline(always)]
    fn of_block(&self, block: &aes::Block) -> ScenarioId {
        let draw = u64::from_le_bytes(std::array::from_fn(|i| block[i]));
        self.0[self.0.partition_point(|&(last, _)| last < draw)].1
    }
}

impl Changing {
    /// Returns the shares at `time`, in ns since 1970.
    fn shares(&self, time: u64) -> Shares {
        let weights = self.weights.iter().zip((0..).map(ScenarioId));
        let weights: Vec<f64> = weights.map(|(weight, id)| weight * self.surges.factor(id, time)).collect();
        Shares::new(&weights)
    }
}

impl Choice {
    /// Makes the choice among the scenarios with these weights, which are finite and not negative, and which surges change.
    /// Surges that affect all of them alike are no part of it.
    pub fn new(weights: &[f64], surges: Surges, seed: u64) -> Self {
        let changing = (!surges.is_empty()).then(|| Changing { weights: weights.into(), surges });
        Choice { cipher: cipher(seed, Purpose::Scenarios), usual: Shares::new(weights), changing }
    }

    /// Reports whether the choice depends on when a trace starts.
    #[inline(always)]
    pub fn is_changing(&self) -> bool {
        self.changing.is_some()
    }

    fn block(index: u64) -> aes::Block {
        let mut block = [0; 16];
        block[..8].copy_from_slice(&index.to_le_bytes());
        block.into()
    }

    /// Returns the scenario of trace `index`, which starts at `start`, in ns since 1970.
    pub fn scenario(&self, index: u64, start: u64) -> ScenarioId {
        match &self.changing {
            Some(changing) => self.by(&changing.shares(start), index),
            None => self.by(&self.usual, index),
        }
    }

    fn by(&self, shares: &Shares, index: u64) -> ScenarioId {
        shares.only().unwrap_or_else(|| {
            let mut block = Self::block(index);
            self.cipher.encrypt_block(&mut block);
            shares.of_block(&block)
        })
    }
}

/// The scenarios of neighbouring indices, which are computed together, and the mixes that surges make.
pub(super) struct Chosen {
    base: u64,
    scenarios: [ScenarioId; AHEAD as usize],
    in_force: Vec<IncidentId>,
    /// The shares while these incidents, and no others of the surges, are in force.
    mixes: Vec<(Vec<IncidentId>, Shares)>,
}

impl Chosen {
    pub fn new() -> Self {
        Chosen { base: u64::MAX, scenarios: [ScenarioId(0); AHEAD as usize], in_force: vec![], mixes: vec![] }
    }

    /// Returns the scenario of trace `index`, which starts at `start`, in ns since 1970.
    #[inline(always)]
    pub fn get(&mut self, choice: &Choice, index: u64, start: u64) -> ScenarioId {
        match &choice.changing {
            Some(changing) => self.changing(choice, changing, index, start),
            None => self.usual(choice, index),
        }
    }

    #[inline(always)]
    fn usual(&mut self, choice: &Choice, index: u64) -> ScenarioId {
        if let Some(only) = choice.usual.only() {
            return only;
        }
        let base = index - index % AHEAD;
        if base != self.base {
            self.base = base;
            let mut blocks: [aes::Block; AHEAD as usize] = std::array::from_fn(|i| Choice::block(base + i as u64));
            choice.cipher.encrypt_blocks(&mut blocks);
            for (scenario, block) in self.scenarios.iter_mut().zip(&blocks) {
                *scenario = choice.usual.of_block(block);
            }
        }
        self.scenarios[(index - base) as usize]
    }

    #[cold]
    fn changing(&mut self, choice: &Choice, changing: &Changing, index: u64, start: u64) -> ScenarioId {
        changing.surges.in_force(start, &mut self.in_force);
        if self.in_force.is_empty() {
            return self.usual(choice, index);
        }
        let known = self.mixes.iter().position(|(in_force, _)| *in_force == self.in_force);
        let at = known.unwrap_or_else(|| {
            if self.mixes.len() == KEPT {
                self.mixes.clear();
            }
            self.mixes.push((self.in_force.clone(), changing.shares(start)));
            self.mixes.len() - 1
        });
        choice.by(&self.mixes[at].1, index)
    }
}
