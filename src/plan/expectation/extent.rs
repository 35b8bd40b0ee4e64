//! How many spans a trace has of each of some parts, such as its services or operations.
//!
//! The time is in proportion to the number of spans a scenario has, and of parts below each: what a call can add to a part is
//! known when the call is followed, and each block's ways are followed once for all parts that come of calls made together.

use super::ways::{Flow, Step, steps, walk};
use crate::plan::{BlockId, Plan, ScenarioId};
use std::collections::BTreeMap;

/// How many of a trace's spans are of a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Fewest and most. What has probability 0 does not happen.
    pub min: u32,
    pub max: u32,
    /// Probability that there is none.
    pub none: f64,
}

/// By part.
type Extents = BTreeMap<usize, Extent>;

impl Plan {
    /// The parts that there are of a scenario's traces. `parts_of` names the parts that a block's spans are of, each once.
    /// `None` as for [`Plan::expectation`].
    pub fn extents<P: IntoIterator<Item = usize>>(
        &self,
        scenario: ScenarioId,
        parts_of: impl Fn(BlockId) -> P,
    ) -> Option<Extents> {
        let order = self.blocks_of(scenario);
        let mut known: BTreeMap<BlockId, Extents> = BTreeMap::new();
        for block in order.iter().rev() {
            let mut extents = called(&steps(&self.block(*block).code)?, &mut known)?;
            let parts = self.block(*block).span().map(|_| parts_of(*block));
            for part in parts.into_iter().flatten() {
                let below = extents.get(&part).copied().unwrap_or(Extent::NOTHING);
                extents.insert(part, below.and(Extent { min: 1, max: 1, none: 0.0 }));
            }
            known.insert(*block, extents);
        }
        known.remove(&self.scenarios[scenario.index()].root)
    }
}

/// What a block's calls come to. Takes what they add out of `known`, as each block is called from one place.
fn called(steps: &[Step], known: &mut BTreeMap<BlockId, Extents>) -> Option<Extents> {
    // By part: the steps that add to it, and what each does.
    let mut adding: BTreeMap<usize, Vec<(usize, Extent)>> = BTreeMap::new();
    let mut alone: BTreeMap<usize, Extent> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        let Step::Calls(blocks) = step else { continue };
        for (part, extent) in blocks.iter().filter_map(|block| known.remove(block)).flatten() {
            let adds = adding.entry(part).or_default();
            match adds.last_mut() {
                Some((last, sum)) if *last == at => *sum = sum.and(extent),
                _ => adds.push((at, extent)),
            }
        }
        alone.insert(at, follow(steps, &[(at, Extent { min: 1, max: 1, none: 0.0 })])?);
    }
    let extent = |adds: &[(usize, Extent)]| match adds {
        [(at, extent)] => Some(alone[at].of(*extent)),
        adds => follow(steps, adds),
    };
    adding.into_iter().map(|(part, adds)| Some((part, extent(&adds)?))).collect()
}

/// Where some of the steps, in their order, add to a part.
fn follow(steps: &[Step], adds: &[(usize, Extent)]) -> Option<Extent> {
    walk(steps, Extent::NOTHING, |at, _, arrived| match adds.binary_search_by_key(&at, |(at, _)| *at) {
        Ok(found) => arrived.and(adds[found].1),
        Err(_) => arrived,
    })
}

impl Extent {
    /// What has not been added to.
    const NOTHING: Extent = Extent { min: 0, max: 0, none: 1.0 };

    /// Then something else that adds to the part.
    fn and(self, other: Extent) -> Extent {
        Extent { min: self.min + other.min, max: self.max + other.max, none: self.none * other.none }
    }

    /// In place of each one that is counted here, `other`.
    fn of(self, other: Extent) -> Extent {
        Extent {
            min: self.min * other.min,
            max: self.max * other.max,
            none: self.none + (1.0 - self.none) * other.none,
        }
    }
}

impl Flow for Extent {
    fn join(&mut self, other: Extent) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.none += other.none;
    }

    fn times(self, part: f64) -> Extent {
        Extent { none: self.none * part, ..self }
    }
}
