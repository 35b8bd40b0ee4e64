//! What to expect of a scenario's traces: how often each span runs and fails, and so how many spans a trace has and how often
//! any of it fails. Exact, as chances are constants and nothing branches on a value: no trace is made for it.

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
    /// How often a span of the block fails, 0 to 1.
    pub failed: f64,
    /// For each `fail` instruction: where it stands in the block, and how often it fails a span of the block, 0 to 1.
    pub hits: Vec<(usize, f64)>,
}

/// How many of a trace's spans are of some of its scenario's blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Fewest and most. What has probability 0 does not happen.
    pub min: u32,
    pub max: u32,
    /// Probability that there is none.
    pub none: f64,
}

/// Ways through a block that are told apart at one instruction. The compiler makes two; more is a plan file's doing.
const MAX_WAYS: usize = 64;

impl Plan {
    /// `None`: a block branches in more ways than are followed, as no compiled one does.
    pub fn expectation(&self, scenario: ScenarioId) -> Option<Expectation> {
        let order = self.blocks_of(scenario);
        let mut known = self.follow_all(&order, &|_| true)?;
        let root = self.scenarios[scenario.index()].root;
        let mut runs = BTreeMap::from([(root, 1.0)]);
        for block in &order {
            let own = runs[block];
            runs.extend(known[block].calls.iter().map(|(called, share)| (*called, own * share)));
        }
        let failed = 1.0 - known[&root].ended.clean;
        let blocks = order.iter().map(|block| {
            let Followed { failed, hits, .. } = known.remove(block).unwrap_or_default();
            BlockExpectation { block: *block, runs: runs[block], failed, hits }
        });
        Some(Expectation { failed, blocks: blocks.collect(), spans: runs.values().sum() })
    }

    /// Of the spans of the blocks that are `counted`. `None` as for [`Plan::expectation`].
    pub fn extent(&self, scenario: ScenarioId, counted: impl Fn(BlockId) -> bool) -> Option<Extent> {
        let known = self.follow_all(&self.blocks_of(scenario), &counted)?;
        let Arrived { none, min, max, .. } = known[&self.scenarios[scenario.index()].root].ended;
        Some(Extent { min, max, none })
    }

    /// `order`: each before those it calls.
    fn follow_all(&self, order: &[BlockId], counted: &dyn Fn(BlockId) -> bool) -> Option<BTreeMap<BlockId, Followed>> {
        let mut known = BTreeMap::new();
        for block in order.iter().rev() {
            let followed = self.follow(*block, counted(*block), &known)?;
            known.insert(*block, followed);
        }
        Some(known)
    }

    fn follow(&self, id: BlockId, counted: bool, known: &BTreeMap<BlockId, Followed>) -> Option<Followed> {
        let code = &self.block(id).code;
        let mut followed = Followed::default();
        let own = u32::from(counted);
        let begun = Arrived { share: 1.0, clean: 1.0, none: if counted { 0.0 } else { 1.0 }, min: own, max: own };
        // by instruction: the ways that arrive there
        let mut arriving: BTreeMap<usize, Ways> = BTreeMap::from([(0, Ways::from([(Way::default(), begun)]))]);
        for (pc, inst) in code.iter().enumerate() {
            let ways = arriving.remove(&pc).unwrap_or_default();
            if ways.len() > MAX_WAYS {
                return None;
            }
            let (mut hit, mut called) = (0.0, 0.0);
            for (way, arrived) in ways {
                let mut go = |target: usize, way: Way, arrived: Arrived| {
                    let there = arriving.entry(target).or_default().entry(way);
                    there.and_modify(|there| there.join(arrived)).or_insert(arrived);
                };
                match *inst {
                    Inst::Roll => go(pc + 1, Way { roll: Some(0), ..way }, arrived),
                    Inst::Fail { chance, target, .. } => {
                        let part = way.chance_of(chance);
                        hit += arrived.share * part;
                        if part > 0.0 {
                            go(target as usize, Way { failed: true, roll: None }, arrived.times(part));
                        }
                        if part < 1.0 {
                            let roll = way.roll.map(|sum| sum + chance.0);
                            go(pc + 1, Way { roll, ..way }, arrived.times(1.0 - part));
                        }
                    }
                    Inst::SkipIfFailed { target } if way.failed => go(target as usize, way, arrived),
                    Inst::Call { block } => {
                        called += arrived.share;
                        go(pc + 1, way, arrived.and(known[&block].ended));
                    }
                    Inst::End => {
                        followed.failed += if way.failed { arrived.share } else { 0.0 };
                        let clean = if way.failed { 0.0 } else { arrived.clean };
                        followed.ended.join(Arrived { clean, ..arrived });
                    }
                    _ => go(pc + 1, way, arrived),
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
    /// All ways at its end.
    ended: Arrived,
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
    /// and without a failure in what was called; at the end, in the block itself,
    clean: f64,
    /// and without a counted span.
    none: f64,
    /// Fewest and most counted spans.
    min: u32,
    max: u32,
}

impl Default for Arrived {
    /// Nothing has arrived.
    fn default() -> Arrived {
        Arrived { share: 0.0, clean: 0.0, none: 0.0, min: u32::MAX, max: 0 }
    }
}

impl Arrived {
    fn join(&mut self, other: Arrived) {
        self.share += other.share;
        self.clean += other.clean;
        self.none += other.none;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    fn times(self, part: f64) -> Arrived {
        Arrived { share: self.share * part, clean: self.clean * part, none: self.none * part, ..self }
    }

    /// Then a block that runs on all of the ways.
    fn and(self, called: Arrived) -> Arrived {
        Arrived {
            share: self.share,
            clean: self.clean * called.clean,
            none: self.none * called.none,
            min: self.min + called.min,
            max: self.max + called.max,
        }
    }
}

type Ways = BTreeMap<Way, Arrived>;

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
