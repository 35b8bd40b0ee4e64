//! Flows along the ways through a block: the states that are distinguished, and the probability of each.

use super::ledger::{Book, Extents, Notes};
use super::reads::Reads;
use super::value::{Known, Values};
use crate::plan::{BlockId, Chance};
use std::collections::BTreeMap;

/// The state on which the way through a block depends.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    /// The values that decide something.
    pub values: Values,
    /// The failure of the span, if it has failed.
    pub failure: Option<Failure>,
    /// In a parallel group: the type of the earliest failure of the calls that are waited for.
    pub joined: Option<Known>,
    /// The sum of the chances since the last roll, if the roll is not below it; `None` if the roll was below it, or there
    /// was no roll.
    pub roll: Option<u64>,
}

/// A failure of a span.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The type of its error, if somebody reads it.
    pub r#type: Known,
    pub standing: Standing,
}

/// Whether a following instruction may cause an earlier failure, which would count instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Settled,
    /// It may, because the instructions run in parallel. The value is the instruction that failed the span, if there was
    /// only one.
    Beside(Option<Origin>),
}

/// The instruction that failed a span: its block and its position there.
pub type Origin = (BlockId, usize);

/// The state in which a block begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub values: Values,
    /// The failure of the span, for a group that may pass a failure on to it.
    pub failure: Option<Failure>,
}

/// The end of a block, as far as its caller can notice it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// The values that others read.
    pub values: Values,
    /// The failure of the span, after a group that may pass a failure on to it.
    pub failure: Option<Failure>,
    /// The type of the error with which the block has failed; `None` if it has not failed, or nobody reads it.
    pub outcome: Option<Known>,
}

/// The part of a flow that ended in one way.
#[derive(Clone, Debug)]
pub struct Ended {
    pub share: f64,
    pub clean: f64,
    pub origins: BTreeMap<Origin, f64>,
    pub extents: Extents,
}

/// The amount that arrives at a place.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The probability to arrive.
    pub share: f64,
    /// The probability to arrive without any failure.
    pub clean: f64,
    /// The probability to arrive with a failure, by the instruction that failed the span.
    pub origins: BTreeMap<Origin, f64>,
    pub notes: Notes,
}

/// Flows by their states.
pub type Flows = BTreeMap<State, Flow>;

/// The mean numbers of the calls that a block makes, by the called block and the state in which it begins.
pub type Calls = BTreeMap<(BlockId, Entry), f64>;

/// The events in a block, on average.
#[derive(Debug)]
pub struct Tally {
    pub calls: Calls,
    /// How often the span fails, in total and by instruction.
    pub failed: f64,
    pub hits: BTreeMap<Origin, f64>,
    /// The time spent in the block itself in ns; `None` if it depends on values.
    pub own: Option<f64>,
}

impl State {
    /// Returns the probability that the next `fail` is hit: that a roll which is not below the sum so far is below the sum
    /// with `chance`.
    pub fn chance_of(&self, chance: Chance) -> f64 {
        match self.roll {
            // A roll that was below a sum is below every greater one.
            None => 1.0,
            Some(sum) if sum >= Chance::ONE.0 => 0.0,
            Some(sum) => (chance.0 as f64 / (Chance::ONE.0 - sum) as f64).min(1.0),
        }
    }
}

impl Entry {
    /// Returns the state in which a block begins that is called in the given state.
    pub fn of(reads: &Reads, state: &State) -> Entry {
        let values = state.values.iter().filter(|(cell, _)| reads.inputs.contains(cell));
        let failure = state.failure.as_ref().filter(|_| reads.propagates);
        Entry { values: values.map(|(cell, value)| (*cell, value.clone())).collect(), failure: failure.cloned() }
    }
}

impl Flow {
    /// Returns the whole flow, before anything happened.
    pub fn whole() -> Flow {
        Flow { share: 1.0, clean: 1.0, origins: BTreeMap::new(), notes: Notes::default() }
    }

    /// Returns the share of the flow that takes one of several ways.
    pub fn times(mut self, part: f64) -> Flow {
        self.share *= part;
        self.clean *= part;
        self.origins.values_mut().for_each(|share| *share *= part);
        self
    }

    /// Returns the flow after a part of the program that ended in one way. `fails` says whether the span failed there for
    /// the first time.
    pub fn through(mut self, ended: &Ended, fails: bool) -> Flow {
        if fails {
            self.origins = ended.origins.iter().map(|(origin, share)| (*origin, share * self.share)).collect();
        } else {
            self.origins.values_mut().for_each(|share| *share *= ended.share);
        }
        self.share *= ended.share;
        self.clean *= ended.clean;
        self.notes.add(&ended.extents);
        self
    }

    /// Returns the flow after the span failed by an instruction.
    pub fn fail(mut self, origin: Origin) -> Flow {
        self.clean = 0.0;
        self.origins = BTreeMap::from([(origin, self.share)]);
        self
    }

    pub fn end(self, book: &Book) -> Ended {
        let Flow { share, clean, origins, notes } = self;
        Ended { share, clean, origins, extents: book.all(notes) }
    }
}

/// Adds a flow to those that arrive in the same state.
pub fn meet(book: &Book, flows: &mut Flows, state: State, flow: Flow) {
    let flow = match flows.remove(&state) {
        None => flow,
        Some(there) => {
            let share = there.share + flow.share;
            let mut origins = there.origins;
            flow.origins.iter().for_each(|(origin, part)| *origins.entry(*origin).or_default() += part);
            let notes = book.meet(there.share / share, there.notes, flow.notes);
            Flow { share, clean: there.clean + flow.clean, origins, notes }
        }
    };
    flows.insert(state, flow);
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { calls: Calls::new(), failed: 0.0, hits: BTreeMap::new(), own: Some(0.0) }
    }
}
