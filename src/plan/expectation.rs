//! What to expect of a scenario's traces on average: how often each span runs and fails, and so how many spans a trace has and
//! how often any of it fails. Exact, as chances are constants and nothing branches on a value: no trace is made for it.

use super::{BlockId, Chance, Inst, Plan, ScenarioId};
use std::collections::BTreeMap;

/// Of a trace of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Probability that any span fails.
    pub failed: f64,
    /// Mean number of spans.
    pub spans: f64,
    /// Each before those it calls.
    pub blocks: Vec<BlockExpectation>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BlockExpectation {
    pub block: BlockId,
    /// Mean number of its spans in a trace.
    pub runs: f64,
    /// For each `fail` instruction: where it stands in the block, and how often it fails a span of the block, 0 to 1.
    pub hits: Vec<(usize, f64)>,
}

impl BlockExpectation {
    /// How often a span of the block fails for any reason, 0 to 1.
    pub fn failed(&self) -> f64 {
        self.hits.iter().map(|(_, share)| share).sum()
    }
}

/// Ways through a block that are told apart at one instruction. The compiler makes two; more is a plan file's doing.
const MAX_WAYS: usize = 64;

impl Plan {
    /// `None`: a block branches in more ways than are followed, as no compiled one does.
    pub fn expectation(&self, scenario: ScenarioId) -> Option<Expectation> {
        let order = self.blocks_of(scenario);
        let mut known: BTreeMap<BlockId, Followed> = BTreeMap::new();
        for block in order.iter().rev() {
            let followed = self.follow(*block, &known)?;
            known.insert(*block, followed);
        }
        let root = self.scenarios[scenario.index()].root;
        let mut runs = BTreeMap::from([(root, 1.0)]);
        for block in &order {
            let own = runs[block];
            runs.extend(known[block].calls.iter().map(|(called, share)| (*called, own * share)));
        }
        let failed = 1.0 - known[&root].clean;
        let blocks = order.iter().map(|block| {
            let hits = known.remove(block).map(|followed| followed.hits).unwrap_or_default();
            BlockExpectation { block: *block, runs: runs[block], hits }
        });
        Some(Expectation { failed, blocks: blocks.collect(), spans: runs.values().sum() })
    }

    fn follow(&self, id: BlockId, known: &BTreeMap<BlockId, Followed>) -> Option<Followed> {
        let code = &self.block(id).code;
        let mut followed = Followed::default();
        // by instruction: the ways that arrive there, each with its probability and that of nothing having failed below it
        let mut arriving: BTreeMap<usize, Ways> = BTreeMap::from([(0, Ways::from([(Way::default(), (1.0, 1.0))]))]);
        for (pc, inst) in code.iter().enumerate() {
            let ways = arriving.remove(&pc).unwrap_or_default();
            if ways.len() > MAX_WAYS {
                return None;
            }
            let (mut hit, mut called) = (0.0, 0.0);
            for (way, (share, clean)) in ways {
                let mut go = |target: usize, way: Way, part: f64| {
                    let (to_share, to_clean) = arriving.entry(target).or_default().entry(way).or_default();
                    *to_share += share * part;
                    *to_clean += clean * part;
                };
                match *inst {
                    Inst::Roll => go(pc + 1, Way { roll: Some(0), ..way }, 1.0),
                    Inst::Fail { chance, target, .. } => {
                        let part = way.chance_of(chance);
                        hit += share * part;
                        go(target as usize, Way { failed: true, roll: None }, part);
                        go(pc + 1, Way { roll: way.roll.map(|sum| sum + chance.0), ..way }, 1.0 - part);
                    }
                    Inst::SkipIfFailed { target } if way.failed => go(target as usize, way, 1.0),
                    Inst::Call { block } => {
                        called += share;
                        let (to_share, to_clean) = arriving.entry(pc + 1).or_default().entry(way).or_default();
                        *to_share += share;
                        *to_clean += clean * known[&block].clean;
                    }
                    Inst::End if way.failed => {}
                    Inst::End => followed.clean += clean,
                    _ => go(pc + 1, way, 1.0),
                }
            }
            match *inst {
                Inst::Fail { .. } => followed.hits.push((pc, hit)),
                Inst::Call { block } => followed.calls.push((block, called)),
                _ => {}
            }
        }
        Some(followed)
    }
}

/// A block, when it runs.
#[derive(Default)]
struct Followed {
    /// Probability that neither it nor what it calls fails.
    clean: f64,
    hits: Vec<(usize, f64)>,
    /// With the probability that it makes the call.
    calls: Vec<(BlockId, f64)>,
}

type Ways = BTreeMap<Way, (f64, f64)>;

/// What decides how a block goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    failed: bool,
    /// The sum of chances since the last roll, which it is not below; `None`: it was hit, or nothing was rolled.
    roll: Option<u64>,
}

impl Way {
    /// That the next `fail` hits: a roll that is not below the sum so far is below the sum with `chance`.
    fn chance_of(self, chance: Chance) -> f64 {
        match self.roll {
            // what hit once is below any greater sum
            None => 1.0,
            Some(sum) if sum >= Chance::ONE.0 => 0.0,
            Some(sum) => chance.0 as f64 / (Chance::ONE.0 - sum) as f64,
        }
    }
}

#[cfg(test)]
mod tests;
