//! The figures of a session: counts by scenario, block and failure, and over time.

use super::state::{Observed, ObservedBlock};
use crate::plan::{BlockId, Plan};
use crate::trace::{NONE, Trace};
use std::collections::VecDeque;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

/// The figures that observers see.
#[derive(Clone)]
pub struct Figures {
    /// The number of traces generated and handed on.
    pub traces: u64,
    /// The number of spans generated and handed on.
    pub spans: u64,
    /// The number of traces that have begun and not ended.
    pub pending: u64,
    /// No trace begins because there is no memory for more.
    pub waiting: bool,
    pub tally: Tally,
    /// The numbers of traces in intervals of 10 s.
    pub rates: Series,
    /// The numbers of live traces in intervals of a second.
    pub achieved: Series,
    /// The time when the session ended, in ns since 1970.
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

/// The counts for one plan.
#[derive(Clone)]
pub struct Tally {
    pub plan: Arc<Plan>,
    /// The counts by scenario.
    scenarios: Vec<Counted>,
    /// The counts by block.
    blocks: Vec<Block>,
}

#[derive(Clone, Default)]
struct Counted {
    traces: u64,
    failed: u64,
    spans: u64,
}

#[derive(Clone, Default)]
struct Block {
    runs: u64,
    /// For each instruction that may fail the span, its position in the block and how often it did.
    hits: Vec<(usize, u64)>,
}

impl Tally {
    pub fn new(plan: &Arc<Plan>) -> Tally {
        let blocks = plan.blocks.iter();
        let blocks = blocks.map(|block| Block { runs: 0, hits: block.failures().map(|(pc, _)| (pc, 0)).collect() });
        Tally {
            scenarios: vec![Counted::default(); plan.scenarios.len()],
            blocks: blocks.collect(),
            plan: plan.clone(),
        }
    }

    pub fn add(&mut self, trace: &Trace) {
        let counted = &mut self.scenarios[trace.scenario.index()];
        counted.traces += 1;
        counted.spans += (0..trace.spans.len()).filter(|ordinal| trace.is_sent(*ordinal)).count() as u64;
        counted.failed += u64::from(!trace.failures.is_empty());
        for (_, span) in trace.spans.iter().enumerate().filter(|(ordinal, _)| trace.is_sent(*ordinal)) {
            let block = &mut self.blocks[span.block.index()];
            block.runs += 1;
            if span.failure != NONE {
                let failure = &trace.failures[span.failure as usize];
                let hits = &mut self.blocks[failure.block.index()].hits;
                let at = failure.inst as usize;
                hits.iter_mut().filter(|(pc, _)| *pc == at).for_each(|(_, hits)| *hits += 1);
            }
        }
    }

    /// Returns the counts by scenario. `weighted` is the plan with the weights in use, and `rates` are the
    /// scenarios' mean rates with them, in traces per second.
    pub fn observed(&self, weighted: &Plan, rates: &[f64]) -> Vec<Observed> {
        let plan = &self.plan;
        let all = plan.scenario_ids().zip(&self.scenarios);
        let observed = all.map(|(id, counted)| Observed {
            name: plan.scenario_name(id).into(),
            weight: weighted.scenarios[id.index()].weight,
            file_weight: plan.scenarios[id.index()].weight,
            rate: rates[id.index()],
            traces: counted.traces,
            failed: counted.failed,
            spans: counted.spans,
            blocks: plan.spans_of(id).iter().map(|block| self.block(*block)).collect(),
        });
        observed.collect()
    }

    fn block(&self, id: BlockId) -> ObservedBlock {
        let block = &self.blocks[id.index()];
        ObservedBlock { block: id.0, runs: block.runs, hits: block.hits.clone() }
    }
}

/// Counts in intervals of time, called buckets.
#[derive(Clone)]
pub struct Series {
    /// The width of a bucket in ns.
    width: u64,
    /// The maximum number of buckets.
    capacity: usize,
    /// The number of the first bucket, which is its start divided by the width.
    first: u64,
    counts: VecDeque<u64>,
}

impl Series {
    /// Makes a series that keeps the last `capacity` buckets.
    pub fn new(width: u64, capacity: usize, now: u64) -> Series {
        Series { width, capacity, first: now / width, counts: VecDeque::from([0]) }
    }

    pub fn add(&mut self, now: u64) {
        self.reach(now);
        if let Some(last) = self.counts.back_mut() {
            *last += 1;
        }
    }

    /// Moves on so that the last bucket is that of `now`. If the clock goes back, it stays in the last bucket.
    pub fn reach(&mut self, now: u64) {
        let number = now / self.width;
        let mut last = self.first + self.counts.len() as u64 - 1;
        if number.saturating_sub(last) > self.capacity as u64 {
            // All buckets would be older.
            last = number - self.capacity as u64;
            self.first = last;
            self.counts = VecDeque::from([0]);
        }
        for _ in last..number {
            self.counts.push_back(0);
            if self.counts.len() > self.capacity {
                self.counts.pop_front();
                self.first += 1;
            }
        }
    }

    /// Returns the start of the first bucket, in ns since 1970.
    pub fn from(&self) -> u64 {
        self.first * self.width
    }

    /// Returns the counts, the oldest first; the last bucket is not complete.
    pub fn counts(&self) -> Vec<u64> {
        self.counts.iter().copied().collect()
    }

    /// Returns the rate a second, over the complete buckets that began at `since` (ns since 1970) or later; 0 if there are
    /// none.
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
    use crate::interpreter::{Arrivals, Interpreter, Run, Schedule};
    use crate::plan::{Chance, ErrorId, Inst, fixture};

    const S: u64 = 1_000_000_000;

    /// The conditions share an error, as two conditions in a file with the same type and message do.
    #[test]
    fn conditions_with_the_same_error_are_counted_apart() {
        let mut program = fixture::program();
        let fail = |percent| Inst::Fail { chance: Chance::from_percent(percent), error: ErrorId(0), target: 5 };
        program.blocks[0].code.splice(3..5, [fail(10.0), fail(30.0), Inst::SkipIfFailed { target: 7 }]);
        let plan = Arc::new(Plan::verify(program).unwrap());
        let schedule = Schedule::new(S, Arrivals::Even { count: 1, per_ns: S }).unwrap();
        let run = Arc::new(Run::new(plan.clone(), 1, schedule));
        let (mut interpreter, mut trace, mut tally) = (Interpreter::new(&run), Trace::default(), Tally::new(&plan));
        for index in 0..2_000 {
            interpreter.trace(index, &mut trace);
            tally.add(&trace);
        }
        let order = &tally.observed(&plan, &[1.0; 2])[0];
        let [(3, first), (4, second)] = order.blocks[0].hits[..] else { panic!("{:?}", order.blocks[0].hits) };
        let share = |hits: u64| hits as f64 / order.blocks[0].runs as f64;
        assert!((share(first) - 0.1).abs() < 0.03 && (share(second) - 0.3).abs() < 0.05, "{first} {second}");
        assert_eq!(first + second, order.failed);
    }

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
