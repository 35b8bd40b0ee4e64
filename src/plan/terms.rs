//! The terms of the calls that lead from a span to its child spans, through groups.

use super::notation::{duration, percent};
use super::{BlockId, CallSpec, Constant, Expr, Form, Group, Inst, Plan, Retry};

/// The attempts of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// The maximum number of attempts, including the first.
    pub most: u32,
    /// Whether another attempt is made whenever the last one has failed.
    pub is_certain: bool,
    /// Whether the call has several turns, the spans of which follow one another.
    pub is_repeated: bool,
}

impl Plan {
    /// Returns the terms with which a block is called.
    pub(super) fn call_spec(&self, block: BlockId) -> Option<&CallSpec> {
        let (caller, pc) = self.tree.call(block)?;
        self.block(caller).code[pc].spec().map(|spec| &self.specs[spec.index()])
    }

    /// Returns the blocks that are called on the way from the parent's span to that of a block, the innermost first.
    fn way_to(&self, block: BlockId) -> impl Iterator<Item = BlockId> {
        let outside =
            move |called: &BlockId| self.tree.caller(*called).filter(|caller| self.block(*caller).span().is_none());
        std::iter::successors(Some(block), outside)
    }

    /// Reports whether the parent of a block's spans waits for them, apart from timeouts.
    pub fn is_waited_for(&self, block: BlockId) -> bool {
        !self.way_to(block).any(|called| self.call_spec(called).is_some_and(|spec| spec.is_async))
    }

    /// Reports whether a block is that of a server for whose answer a client waits.
    pub fn answers_client(&self, block: BlockId) -> bool {
        self.call_spec(block).is_some_and(|spec| spec.exchange.is_some())
    }

    /// Returns the attempts of a block's call, or `None` if there is only one.
    pub fn attempts(&self, block: BlockId) -> Option<Attempts> {
        let spec = self.call_spec(block)?;
        let Retry { attempts, when, .. } = spec.retry?;
        let is_repeated = self.way_to(block).any(|called| self.call_spec(called).is_some_and(|spec| spec.turns() > 1));
        Some(Attempts { most: attempts, is_certain: when.is_none() && spec.timeout.is_none(), is_repeated })
    }

    /// Returns a description of a call: its conditions, chances, turns and other terms, from the outside to the inside. It
    /// is empty if the callee always runs exactly once, and is waited for.
    pub fn call_words(&self, block: BlockId) -> Vec<String> {
        let mut way: Vec<BlockId> = self.way_to(block).collect();
        way.reverse();
        let mut words: Vec<String> = way.into_iter().flat_map(|called| self.words_of(called)).collect();
        // Several jumps may have the same condition.
        words.dedup();
        words
    }

    fn words_of(&self, called: BlockId) -> Vec<String> {
        let Some((caller, call)) = self.tree.call(called) else { return vec![] };
        let names = &self.scenarios[self.scenario_of(called).index()].slots;
        let mut words = vec![];
        match self.block(caller).form {
            Form::Group(Group::Parallel { max: 0 }) => words.push("side by side".into()),
            Form::Group(Group::Parallel { max }) => words.push(format!("pool of {max}")),
            _ => {}
        }
        for inst in &self.block(caller).code[..call] {
            match *inst {
                Inst::Test { value, target } if target as usize > call => {
                    words.push(format!("when {}", self.show_named(value, names)));
                }
                Inst::Chance { chance, target } if target as usize > call => words.push(percent(chance).to_string()),
                _ => {}
            }
        }
        let Some(spec) = self.call_spec(called) else { return words };
        if let Some(repeat) = spec.repeat {
            words.push(match &self.exprs[repeat.count.index()] {
                Expr::Const { value: Constant::Int(count) } => format!("{count} times"),
                Expr::RandomInt { min, max } => format!("{min} to {max} times"),
                _ => format!("up to {} times", repeat.max),
            });
        }
        words.extend(spec.is_async.then(|| "async".into()));
        words
            .extend(spec.timeout.map(|timeout| format!("timeout {}", self.show_range(self.time_range(timeout.after)))));
        words.extend(spec.retry.map(|retry| format!("{} attempts", retry.attempts)));
        words
    }

    fn show_range(&self, (min, max): (u64, u64)) -> String {
        if min == max { duration(min).to_string() } else { format!("{} to {}", duration(min), duration(max)) }
    }
}
