//! What a session has made: counted by scenario, block and failure, and over time.

use super::state::{Observed, ObservedBlock};
use crate::plan::{BlockId, ErrorId, Inst, Plan};
use crate::trace::{NONE, Trace};
use std::collections::VecDeque;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

/// What those who look are told.
#[derive(Clone)]
pub struct Figures {
    pub traces: u64,
    pub spans: u64,
    pub pending: u64,
    pub waiting: bool,
    pub tally: Tally,
    /// Traces in 10 s.
    pub rates: Series,
    /// Live traces in a second.
    pub achieved: Series,
    /// When the session ended, ns since 1970.
    pub ended: Option<u64>,
}

impl Figures {
    pub fn new(plan: &Arc<Plan>, now: u64) -> Figures {
        Figures {
            traces: 0,
            spans: 0,
            pending: 0,
            waiting: false,
            tally: Tally::new(plan),
            rates: Series::new(10 * SECOND, 90, now),
            achieved: Series::new(SECOND, 11, now),
            ended: None,
        }
    }

    pub fn reach(&mut self, now: u64) {
        self.rates.reach(now);
        self.achieved.reach(now);
    }
}

/// Of one plan.
#[derive(Clone)]
pub struct Tally {
    pub plan: Arc<Plan>,
    scenarios: Vec<Of>,
    /// By block.
    blocks: Vec<Block>,
}

#[derive(Clone, Default)]
struct Of {
    traces: u64,
    failed: u64,
    spans: u64,
}

#[derive(Clone, Default)]
struct Block {
    runs: u64,
    /// `fail` instructions: position in the block, error, how often they failed the span.
    hits: Vec<(usize, ErrorId, u64)>,
}

impl Tally {
    pub fn new(plan: &Arc<Plan>) -> Tally {
        let fails = |code: &[Inst]| {
            let all = code.iter().enumerate();
            all.filter_map(|(at, inst)| if let Inst::Fail { error, .. } = inst { Some((at, *error, 0)) } else { None })
                .collect()
        };
        Tally {
            scenarios: vec![Of::default(); plan.scenarios.len()],
            blocks: plan.blocks.iter().map(|block| Block { runs: 0, hits: fails(&block.code) }).collect(),
            plan: plan.clone(),
        }
    }

    pub fn add(&mut self, trace: &Trace) {
        let of = &mut self.scenarios[trace.scenario.index()];
        of.traces += 1;
        of.spans += trace.spans.len() as u64;
        of.failed += u64::from(!trace.failures.is_empty());
        for span in &trace.spans {
            let block = &mut self.blocks[span.block.index()];
            block.runs += 1;
            if span.failure != NONE {
                let error = trace.failures[span.failure as usize].error;
                block.hits.iter_mut().filter(|hit| hit.1 == error).take(1).for_each(|hit| hit.2 += 1);
            }
        }
    }

    /// `weighted`: the plan with the weights in use.
    pub fn observed(&self, weighted: &Plan) -> Vec<Observed> {
        let plan = &self.plan;
        let all = plan.scenarios.iter().zip(&weighted.scenarios).zip(&self.scenarios);
        let observed = all.map(|((scenario, weighted), of)| Observed {
            name: plan.text(scenario.name).into(),
            weight: weighted.weight,
            file_weight: scenario.weight,
            traces: of.traces,
            failed: of.failed,
            spans: of.spans,
            blocks: blocks_of(plan, scenario.root).into_iter().map(|block| self.block(block)).collect(),
        });
        observed.collect()
    }

    fn block(&self, id: BlockId) -> ObservedBlock {
        let block = &self.blocks[id.index()];
        ObservedBlock { block: id.0, runs: block.runs, hits: block.hits.iter().map(|hit| (hit.0, hit.2)).collect() }
    }
}

/// The blocks of the scenario with this root, in the plan's order.
fn blocks_of(plan: &Plan, root: BlockId) -> Vec<BlockId> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(block) = found.get(at) {
        let code = plan.block(*block).code.iter();
        let calls = code.filter_map(|inst| if let Inst::Call { block } = inst { Some(*block) } else { None });
        found.extend(calls.collect::<Vec<_>>());
        at += 1;
    }
    found.sort();
    found
}

/// Counts in buckets of time.
#[derive(Clone)]
pub struct Series {
    /// Of a bucket, ns.
    width: u64,
    most: usize,
    /// Number of the first bucket: its start in widths since 1970.
    first: u64,
    counts: VecDeque<u64>,
}

impl Series {
    /// Of the last `most` buckets.
    pub fn new(width: u64, most: usize, now: u64) -> Series {
        Series { width, most, first: now / width, counts: VecDeque::from([0]) }
    }

    pub fn add(&mut self, now: u64) {
        self.reach(now);
        if let Some(last) = self.counts.back_mut() {
            *last += 1;
        }
    }

    /// The last bucket is that of `now`; a clock that goes back stays in the last one.
    pub fn reach(&mut self, now: u64) {
        let number = now / self.width;
        let mut last = self.first + self.counts.len() as u64 - 1;
        if number.saturating_sub(last) > self.most as u64 {
            // All that is kept would be older.
            last = number - self.most as u64;
            self.first = last;
            self.counts = VecDeque::from([0]);
        }
        for _ in last..number {
            self.counts.push_back(0);
            if self.counts.len() > self.most {
                self.counts.pop_front();
                self.first += 1;
            }
        }
    }

    /// Start of the first bucket, ns since 1970.
    pub fn from(&self) -> u64 {
        self.first * self.width
    }

    /// The oldest first; the last is not over.
    pub fn counts(&self) -> Vec<u64> {
        self.counts.iter().copied().collect()
    }

    /// A second, over the buckets that are over and began at `since` (ns since 1970) or later; 0 without any.
    pub fn rate(&self, since: u64) -> f64 {
        let over = self.counts.len() as u64 - 1;
        let skipped = since.div_ceil(self.width).saturating_sub(self.first).min(over);
        let sum: u64 = self.counts.iter().take(over as usize).skip(skipped as usize).sum();
        match over - skipped {
            0 => 0.0,
            buckets => sum as f64 * 1e9 / (buckets * self.width) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_series_keeps_the_latest_buckets() {
        let mut series = Series::new(S, 3, 100 * S);
        (0..5).for_each(|_| series.add(100 * S + 1));
        series.add(102 * S);
        assert_eq!((series.from(), series.counts()), (100 * S, vec![5, 0, 1]));
        assert_eq!(series.rate(100 * S), 2.5);
        assert_eq!(series.rate(100 * S + 1), 0.0);
        assert_eq!(series.rate(102 * S), 0.0, "that one is not over");
        series.add(103 * S);
        assert_eq!((series.from(), series.counts()), (101 * S, vec![0, 1, 1]));
        series.add(90 * S);
        assert_eq!(series.counts(), [0, 1, 2], "a clock that went back");
        series.reach(1_000 * S);
        assert_eq!((series.from(), series.counts()), (998 * S, vec![0, 0, 0]));
        series.reach(1_002 * S);
        assert_eq!((series.from(), series.counts()), (1_000 * S, vec![0, 0, 0]));
    }
}
