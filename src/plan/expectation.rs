//! The expectations of a scenario's traces: how often each span runs and fails, how long its own work takes, and therefore
//! how many spans a trace has and how often any of them fails. They are exact, and no trace is made for them: all ways
//! through the scenario's blocks are followed with their probabilities, and every value that decides on the way is
//! enumerated.
//!
//! A scenario can't be followed if a condition reads a value that is drawn from very many, or that is known only when a
//! trace is made; if a timeout may be reached, because that depends on which of two times is longer; or if more than
//! [`MAX_COMBINATIONS`] states have to be distinguished at one place.

mod call;
mod flow;
mod ledger;
mod reads;
mod value;
mod walk;

pub use ledger::{Extent, Extents};

use super::{BlockId, IncidentId, Inst, Plan, ScenarioId};
use flow::{Entry, Origin};
use reads::Knowledge;
use std::collections::{BTreeMap, BTreeSet};
use walk::{Unforeseen, Walk};

/// The maximum number of states that are distinguished at one place, and of values of one expression.
const MAX_COMBINATIONS: usize = 4_096;

/// The incidents that are in force.
pub type InForce = BTreeSet<IncidentId>;

/// The expectations of a trace of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The probability that any span of the trace fails.
    pub failed: f64,
    /// The mean number of spans of the trace.
    pub spans: f64,
    /// The expectations of the blocks of spans, each before those of its child spans.
    pub blocks: Vec<BlockExpectation>,
    /// The number of spans of each part; a part without an entry has none.
    pub extents: Extents,
}

/// The expectations of a block's spans.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockExpectation {
    pub block: BlockId,
    /// The mean number of the block's spans in a trace.
    pub runs: f64,
    /// The share of the block's spans that fail, 0 to 1.
    pub failed: f64,
    /// The mean duration of the own work of the block's spans in ns; `None` if it depends on values.
    pub own: Option<f64>,
    /// The instructions that may fail a span of the block.
    pub hits: Vec<Hits>,
}

/// How often an instruction fails a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Hits {
    /// The block with the instruction: that of the span, or a group in it.
    pub block: BlockId,
    /// The position of the instruction in that block.
    pub pc: usize,
    /// The share of the spans that the instruction fails, 0 to 1; `None` if it depends on times, because the earlier of two
    /// parallel failures counts.
    pub share: Option<f64>,
}

impl Plan {
    /// Returns the expectations of a scenario's traces while no incident is in force, or `None` if it can't be followed.
    pub fn expectation(&self, scenario: ScenarioId) -> Option<Expectation> {
        self.expectation_by_part(scenario, &InForce::new(), |_| vec![])
    }

    /// Returns the expectations of a scenario's traces while these incidents are in force for all spans, including the
    /// number of spans of several parts, such as services or operations, or `None` if it can't be followed. `parts_of`
    /// returns the parts of a block's spans, each once.
    pub fn expectation_by_part(
        &self,
        scenario: ScenarioId,
        in_force: &InForce,
        parts_of: impl Fn(BlockId) -> Vec<usize>,
    ) -> Option<Expectation> {
        self.foresee(scenario, in_force, parts_of).ok()
    }

    fn foresee(
        &self,
        scenario: ScenarioId,
        in_force: &InForce,
        parts_of: impl Fn(BlockId) -> Vec<usize>,
    ) -> Result<Expectation, Unforeseen> {
        let knowledge = Knowledge::new(self, scenario);
        let mut walk = Walk::new(self, &knowledge, in_force, parts_of);
        let root = self.scenarios[scenario.index()].root;
        let entries = walk.entries(scenario)?;
        let (mut share, mut clean, mut extents) = (0.0, 0.0, None);
        for (entry, part) in &entries {
            for (_, ended) in &walk.block(root, entry)?.ends {
                let before = share;
                share += part * ended.share;
                clean += part * ended.clean;
                extents = Some(match extents {
                    None => ended.extents.clone(),
                    Some(extents) => ledger::either(before / share, &extents, &ended.extents),
                });
            }
        }
        let sums = self.sums(scenario, &mut walk, entries)?;
        let blocks: Vec<BlockExpectation> = self
            .spans_of(scenario)
            .iter()
            .map(|block| self.block_expectation(*block, &sums, &walk.contested))
            .collect();
        let spans = blocks.iter().map(|block| block.runs).sum();
        // Rounding may make a sum of parts of 1 greater than 1.
        Ok(Expectation { failed: (1.0 - clean).clamp(0.0, 1.0), spans, blocks, extents: extents.unwrap_or_default() })
    }

    /// Adds up the events in the blocks of a scenario, by the blocks of their spans.
    fn sums<P: Fn(BlockId) -> Vec<usize>>(
        &self,
        scenario: ScenarioId,
        walk: &mut Walk<'_, P>,
        entries: BTreeMap<Entry, f64>,
    ) -> Result<Sums, Unforeseen> {
        let mut sums = Sums::new();
        let mut runs = BTreeMap::from([(self.scenarios[scenario.index()].root, entries)]);
        for block in self.blocks_of(scenario) {
            let own = sums.entry(self.span_block(*block)).or_default();
            own.failures.extend(self.block(*block).failures().map(|(pc, _)| (*block, pc)));
            for (entry, times) in runs.remove(block).unwrap_or_default() {
                let summary = walk.block(*block, &entry)?;
                for ((callee, entry), mean) in &summary.tally.calls {
                    *runs.entry(*callee).or_default().entry(entry.clone()).or_default() += times * mean;
                }
                if self.block(*block).span().is_some() {
                    own.runs += times;
                }
                own.failed += times * summary.tally.failed;
                own.own = own.own.zip(summary.tally.own).map(|(sum, own)| sum + times * own);
                summary.tally.hits.iter().for_each(|(at, share)| *own.hits.entry(*at).or_default() += times * share);
            }
        }
        Ok(sums)
    }

    fn block_expectation(&self, block: BlockId, sums: &Sums, contested: &BTreeSet<BlockId>) -> BlockExpectation {
        let Some(sum) = sums.get(&block) else {
            return BlockExpectation { block, runs: 0.0, failed: 0.0, own: None, hits: vec![] };
        };
        let mean = |total: f64| if sum.runs > 0.0 { total / sum.runs } else { 0.0 };
        let hits = sum.failures.iter().map(|(at, pc)| {
            let is_clear = !contested.contains(&block) || !matches!(self.block(*at).code[*pc], Inst::Propagate { .. });
            let share = is_clear.then(|| mean(sum.hits.get(&(*at, *pc)).copied().unwrap_or(0.0)).min(1.0));
            Hits { block: *at, pc: *pc, share }
        });
        BlockExpectation {
            block,
            runs: sum.runs,
            failed: mean(sum.failed).min(1.0),
            own: sum.own.map(mean),
            hits: hits.collect(),
        }
    }
}

/// Sums over a scenario's traces, by the block of a span.
type Sums = BTreeMap<BlockId, Sum>;

/// The events in a block and in the groups of its span, in an average trace.
struct Sum {
    runs: f64,
    failed: f64,
    hits: BTreeMap<Origin, f64>,
    /// The instructions that may fail the span.
    failures: Vec<Origin>,
    /// The own time in ns; `None` if it depends on values.
    own: Option<f64>,
}

impl Default for Sum {
    fn default() -> Sum {
        Sum { runs: 0.0, failed: 0.0, hits: BTreeMap::new(), failures: vec![], own: Some(0.0) }
    }
}

#[cfg(test)]
mod tests;
