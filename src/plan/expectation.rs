//! What to expect of a scenario's traces: how often each span runs and fails, and so how many spans a trace has and how often
//! any of it fails. Exact, as chances are constants and nothing branches on a value: no trace is made for it.

mod extent;
mod ways;

pub use extent::Extent;

use super::{BlockId, Plan, ScenarioId};
use std::collections::BTreeMap;
use ways::{Flow, Step, steps, walk};

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
    /// How often a span of the block fails, 0 to 1.
    pub failed: f64,
    /// For each `fail` instruction: where it stands in the block, and how often it fails a span of the block, 0 to 1.
    pub hits: Vec<(usize, f64)>,
}

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
            let Followed { failed, hits, .. } = known.remove(block).unwrap_or_default();
            BlockExpectation { block: *block, runs: runs[block], failed, hits }
        });
        Some(Expectation { failed, blocks: blocks.collect(), spans: runs.values().sum() })
    }

    fn follow(&self, id: BlockId, known: &BTreeMap<BlockId, Followed>) -> Option<Followed> {
        let steps = steps(&self.block(id).code);
        let mut followed = Followed::default();
        // by instruction, and by call
        let (mut hits, mut calls) = (BTreeMap::new(), BTreeMap::new());
        let ended = walk(&steps, Arrived { share: 1.0, clean: 1.0 }, |at, way, mut arrived| {
            match &steps[at] {
                Step::Fail { pc, chance, .. } => {
                    *hits.entry(*pc).or_default() += arrived.share * way.chance_of(*chance);
                }
                Step::Calls(blocks) => {
                    for block in blocks {
                        *calls.entry(*block).or_default() += arrived.share;
                        arrived.clean *= known[block].clean;
                    }
                }
                Step::End if way.failed => {
                    followed.failed += arrived.share;
                    arrived.clean = 0.0;
                }
                _ => {}
            }
            arrived
        });
        for step in &steps {
            match step {
                Step::Fail { pc, .. } => followed.hits.push((*pc, hits.remove(pc).unwrap_or_default())),
                Step::Calls(blocks) => {
                    followed.calls.extend(blocks.iter().map(|block| (*block, calls.remove(block).unwrap_or_default())));
                }
                _ => {}
            }
        }
        followed.clean = ended?.clean;
        Some(followed)
    }
}

/// A block, when it runs.
#[derive(Default)]
struct Followed {
    /// Probability that neither it nor what it called fails.
    clean: f64,
    /// Probability that it fails itself.
    failed: f64,
    hits: Vec<(usize, f64)>,
    /// With the probability that it makes the call.
    calls: Vec<(BlockId, f64)>,
}

/// What has come of a block and of what it called, on the ways that arrive at an instruction.
#[derive(Clone, Copy)]
struct Arrived {
    /// Probability to arrive there,
    share: f64,
    /// and without a failure in what was called; at the end, in the block itself.
    clean: f64,
}

impl Flow for Arrived {
    fn join(&mut self, other: Arrived) {
        self.share += other.share;
        self.clean += other.clean;
    }

    fn times(self, part: f64) -> Arrived {
        Arrived { share: self.share * part, clean: self.clean * part }
    }
}

#[cfg(test)]
mod tests;
