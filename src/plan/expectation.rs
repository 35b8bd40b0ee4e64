//! What to expect of a scenario's traces: how often each span runs and fails, how long it works itself, and so how many spans a trace has and how often
//! any of it fails. Exact, and only of scenarios in which nothing but constant chances decides: no trace is made for it.

mod extent;
mod ways;

pub use extent::Extent;

use super::{BlockId, Inst, Plan, ScenarioId};
use std::collections::BTreeMap;
use ways::{Flow, Step, steps, walk};

/// What to expect of a trace of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The probability that any of its spans fails.
    pub failed: f64,
    /// The mean number of its spans.
    pub spans: f64,
    /// What to expect of its blocks, each before those it calls.
    pub blocks: Vec<BlockExpectation>,
}

/// What to expect of a block's spans.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockExpectation {
    pub block: BlockId,
    /// The mean number of the block's spans in a trace.
    pub runs: f64,
    /// How often a span of the block fails, 0 to 1.
    pub failed: f64,
    /// The mean of the time that a span of the block spends itself, ns; `None`: it depends on values.
    pub own: Option<f64>,
    /// The instructions that may fail a span: where each stands in the block, and how often it fails a span of it, 0 to 1.
    pub hits: Vec<(usize, f64)>,
}

impl Plan {
    /// What to expect of a scenario's traces; `None`: more than constant chances decides about them, or a block
    /// branches in more ways than are followed.
    pub fn expectation(&self, scenario: ScenarioId) -> Option<Expectation> {
        let order = self.blocks_of(scenario);
        let mut known: BTreeMap<BlockId, Followed> = BTreeMap::new();
        for block in order.iter().rev() {
            let followed = self.follow(*block, &known)?;
            known.insert(*block, followed);
        }
        let root = self.scenarios[scenario.index()].root;
        let mut runs = BTreeMap::from([(root, 1.0)]);
        for block in order {
            let own = runs[block];
            runs.extend(known[block].calls.iter().map(|(called, share)| (*called, own * share)));
        }
        let failed = 1.0 - known[&root].clean;
        runs.retain(|block, _| self.block(*block).span().is_some());
        let blocks = self.spans_of(scenario).iter().map(|block| {
            let Followed { failed, hits, own, .. } = known.remove(block).unwrap_or_default();
            BlockExpectation { block: *block, runs: runs[block], failed, own, hits }
        });
        Some(Expectation { failed, blocks: blocks.collect(), spans: runs.values().sum() })
    }

    fn follow(&self, id: BlockId, known: &BTreeMap<BlockId, Followed>) -> Option<Followed> {
        let code = &self.block(id).code;
        let steps = steps(code)?;
        let mut followed = Followed { own: Some(0.0), ..Followed::default() };
        // The probabilities that arrive, by instruction and by call.
        let (mut hits, mut calls) = (BTreeMap::new(), BTreeMap::new());
        let ended = walk(&steps, Arrived { share: 1.0, clean: 1.0 }, |at, way, mut arrived| {
            match &steps[at] {
                Step::Fail { pc, chance, .. } => {
                    let hit = arrived.share * way.chance_of(*chance);
                    *hits.entry(*pc).or_default() += hit;
                    let own = followed.own.zip(self.mean_time_to_fail(&code[*pc]));
                    followed.own = own.map(|(own, time)| own + hit * time);
                }
                Step::Delay { pc } => {
                    let own = followed.own.zip(self.mean_delay(&code[*pc]));
                    followed.own = own.map(|(own, time)| own + arrived.share * time);
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
        // The work in a group is that of the span around it.
        for (group, share) in &followed.calls {
            if self.block(*group).span().is_none() {
                followed.own = followed.own.zip(known[group].own).map(|(own, inside)| own + share * inside);
            }
        }
        Some(followed)
    }

    /// The mean of the time that passes before the span fails by an instruction, ns; `None`: it depends on values.
    fn mean_time_to_fail(&self, inst: &Inst) -> Option<f64> {
        match inst.error().and_then(|error| self.errors[error.index()].delay) {
            Some(delay) => self.mean_time(delay, u64::MAX),
            None => Some(0.0),
        }
    }

    /// The mean of the time by which an instruction moves on, ns; `None`: it depends on values.
    fn mean_delay(&self, inst: &Inst) -> Option<f64> {
        match *inst {
            Inst::Delay { min, max } => Some((min + max) as f64 / 2.0),
            Inst::DelayDist { dist } => self.mean_time(dist, u64::MAX),
            _ => Some(0.0),
        }
    }
}

/// What becomes of a block when it runs.
#[derive(Default)]
struct Followed {
    /// The probability that neither the block's span nor one that it called fails.
    clean: f64,
    /// The probability that the block's own span fails.
    failed: f64,
    /// The mean of the block's own time, ns; `None`: it depends on values.
    own: Option<f64>,
    /// The probability that an instruction fails the span, with its position.
    hits: Vec<(usize, f64)>,
    /// The blocks that may be called, with the probability that they are.
    calls: Vec<(BlockId, f64)>,
}

/// What has come of a block and of what it called, on the ways that arrive at an instruction.
#[derive(Clone, Copy)]
struct Arrived {
    /// The probability to arrive there.
    share: f64,
    /// The probability to arrive there without a failure in what was called; at the end, also without one in the block itself.
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
