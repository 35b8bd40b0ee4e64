//! What comes along the ways through a block: states that are told apart, and how much arrives in each.

use super::ledger::{Book, Extents, Notes};
use super::reads::Reads;
use super::value::{Known, Values};
use crate::plan::{BlockId, Chance};
use std::collections::BTreeMap;

/// What decides how a block goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    /// What decides something.
    pub values: Values,
    /// How the span has failed.
    pub failure: Option<Failure>,
    /// The type of the earliest failure, in a parallel group, of the calls that are waited for.
    pub joined: Option<Known>,
    /// The sum of chances since the last roll, which it is not below; `None`: it was hit, or nothing was rolled.
    pub roll: Option<u64>,
}

/// A failure of a span.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The type of its error, where that is asked for.
    pub r#type: Known,
    pub standing: Standing,
}

/// Whether an instruction that follows may bring an earlier failure, which then counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Settled,
    /// It may, as they run side by side; with the instruction that failed the span, if it was one only.
    Beside(Option<Origin>),
}

/// The instruction that failed a span: its block, and its position there.
pub type Origin = (BlockId, usize);

/// What a block finds when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub values: Values,
    /// How the span has failed, for a group that may pass a failure on to it.
    pub failure: Option<Failure>,
}

/// How a block ends: what its caller can tell of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// What others read.
    pub values: Values,
    /// How the span has failed, after a group that may pass a failure on to it.
    pub failure: Option<Failure>,
    /// The type of the error that the block has failed with; `None`: it has not, or nobody asks.
    pub outcome: Option<Known>,
}

/// How much of what began has ended in one way.
#[derive(Clone, Debug)]
pub struct Ended {
    pub share: f64,
    pub clean: f64,
    pub origins: BTreeMap<Origin, f64>,
    pub extents: Extents,
}

/// How much arrives.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The probability to arrive.
    pub share: f64,
    /// The probability to arrive without any failure.
    pub clean: f64,
    /// By the instruction that failed the span: the probability to arrive with its failure.
    pub origins: BTreeMap<Origin, f64>,
    pub notes: Notes,
}

/// Flows by their states.
pub type Flows = BTreeMap<State, Flow>;

/// The calls that a block makes of others, with what these find: how often, on average.
pub type Calls = BTreeMap<(BlockId, Entry), f64>;

/// What happens in a block, on average.
#[derive(Debug)]
pub struct Tally {
    pub calls: Calls,
    /// How often the span fails, and by which instruction.
    pub failed: f64,
    pub hits: BTreeMap<Origin, f64>,
    /// The time spent in the block itself, ns; `None`: it depends on values.
    pub own: Option<f64>,
}

impl State {
    /// How likely the next `fail` hits: a roll that is not below the sum so far is below the sum with `chance`.
    pub fn chance_of(&self, chance: Chance) -> f64 {
        match self.roll {
            // What hit once is below any greater sum.
            None => 1.0,
            Some(sum) if sum >= Chance::ONE.0 => 0.0,
            Some(sum) => (chance.0 as f64 / (Chance::ONE.0 - sum) as f64).min(1.0),
        }
    }
}

impl Entry {
    /// What a block finds that is called in a state.
    pub fn of(reads: &Reads, state: &State) -> Entry {
        let values = state.values.iter().filter(|(cell, _)| reads.inputs.contains(cell));
        let failure = state.failure.as_ref().filter(|_| reads.propagates);
        Entry { values: values.map(|(cell, value)| (*cell, value.clone())).collect(), failure: failure.cloned() }
    }
}

impl Flow {
    /// All that begins.
    pub fn whole() -> Flow {
        Flow { share: 1.0, clean: 1.0, origins: BTreeMap::new(), notes: Notes::default() }
    }

    /// The part that goes one of several ways on.
    pub fn times(mut self, part: f64) -> Flow {
        self.share *= part;
        self.clean *= part;
        self.origins.values_mut().for_each(|share| *share *= part);
        self
    }

    /// Goes on through what ends in one way. `fails`: the span failed there, and had not before.
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

    /// The span fails by an instruction.
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

/// Adds a flow to those that arrive in its state.
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
