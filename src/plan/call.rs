//! How a block is called that is not simply run once, here and now.

use super::id::{AnswerId, AttrId, DistId, ErrorId, ExprId, SlotId};
use super::inst::Chance;
use serde::{Deserialize, Serialize};

/// The terms of a call. A call without any runs its block once, starts it at once, and waits for its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallSpec {
    /// How often the block runs; `None`: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// The time between the call and the block's start, drawn before each turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<DistId>,
    /// How long the caller waits for the block at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
    /// What happens when the block has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Whether nobody waits for the block: the caller's time does not move on, and its outcome is not looked at.
    #[serde(default, rename = "async", skip_serializing_if = "std::ops::Not::not")]
    pub is_async: bool,
    /// What lies between a client and the server that it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
    /// The slots that take what became of the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl CallSpec {
    /// The most turns of the call.
    pub fn turns(&self) -> u32 {
        self.repeat.map_or(1, |repeat| repeat.max)
    }

    /// The most attempts of a turn.
    pub fn attempts(&self) -> u32 {
        self.retry.map_or(1, |retry| retry.attempts)
    }

    /// The distributions that are drawn from.
    pub fn dists(&self) -> impl Iterator<Item = DistId> {
        let timeout = self.timeout.map(|timeout| timeout.after);
        let network = self.exchange.map(|exchange| exchange.network);
        self.wait.into_iter().chain(timeout).chain(self.retry.and_then(|retry| retry.backoff)).chain(network)
    }

    /// The expressions of the terms themselves.
    pub fn exprs(&self) -> impl Iterator<Item = ExprId> {
        self.repeat.map(|repeat| repeat.count).into_iter().chain(self.retry.and_then(|retry| retry.when))
    }

    /// The expressions of the terms themselves, to be changed.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let count = self.repeat.as_mut().map(|repeat| &mut repeat.count);
        count.into_iter().chain(self.retry.as_mut().and_then(|retry| retry.when.as_mut()))
    }
}

/// How long a caller waits. It goes on when that time is over, and the call has failed. A span that runs in the caller's process, and what it
/// calls there, ends at that time and fails with `error`; one that runs elsewhere goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// The time, drawn before each attempt.
    pub after: DistId,
    /// The error of the call, and of what ends by it. Its type is a constant, and it has no message and no attributes.
    pub error: ErrorId,
}

/// Attempts of a turn: while one fails, the next is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The most attempts, the first included; 2 to 20.
    pub attempts: u32,
    /// The time from the end of an attempt to the next one's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<DistId>,
    /// What that time is multiplied by from attempt to attempt, in thousandths; 1,000 to 100,000.
    pub factor: u32,
    /// By how much of itself that time is longer or shorter at most, uniform; one draw an attempt, none where it is 0.
    pub jitter: Chance,
    /// What must be true for the next attempt, once the outcome of the last is in its slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ExprId>,
    /// The slot that takes the attempt's number, from 0, before each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<SlotId>,
}

/// A request and its answer. The server's span starts when the request has arrived, and the client goes on when the answer has, or when its
/// own time is over: then the call has failed with the error of that time-out, and there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The time that a message is on its way, drawn for the request and for the answer.
    pub network: DistId,
    /// The first of the [`Answer`]s that the client reads, which stand in a row.
    pub first_answer: AnswerId,
    /// The number of these answers.
    pub answers: u32,
}

impl Exchange {
    /// The answers that the client reads, in order.
    pub fn answers(self) -> impl ExactSizeIterator<Item = AnswerId> {
        (self.first_answer.0..self.first_answer.0 + self.answers).map(AnswerId)
    }
}

/// A value that a server's answer brings: what an attribute of its span holds at its end. Without an answer the value is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The computed attribute of the server's span.
    pub attr: AttrId,
    /// The slot that takes its value.
    pub slot: SlotId,
}

/// Turns of a call: one after another in a span or a sequence, side by side in a parallel group or where nobody waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The number of turns, evaluated once, before the first; a number below 0, or none, is 0.
    pub count: ExprId,
    /// The most turns that there can be: a greater count is cut to it.
    pub max: u32,
    /// The slot that takes the turn's number, from 0, before each turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<SlotId>,
    /// The slot that takes the number of turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<SlotId>,
    /// The slot that ends the turns once it holds `true` after one of them, where they come one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<SlotId>,
}

/// The slots that say what became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Takes whether it failed, a bool.
    pub failed: SlotId,
    /// Takes the type of the error, a text; an empty one where it did not fail.
    pub r#type: SlotId,
    /// Takes the message of the error, a text; absent where there is none.
    pub message: SlotId,
}

impl Outcome {
    /// The three slots.
    pub fn slots(self) -> [SlotId; 3] {
        [self.failed, self.r#type, self.message]
    }
}

/// A run of calls that makes no span of its own: it works for the span that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Group {
    /// Calls one after another.
    Sequence {
        /// The slots that hold the group's own outcome at its end; `None`: it counts as not failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<Outcome>,
    },
    /// Calls that all start when the group does. It ends when the last that is waited for has ended, and its outcome is that of
    /// the call that failed first, of those at the same time the first in order.
    Parallel {
        /// The most calls that run at a time, the others begin in order as one ends; 0: all at once.
        #[serde(default, skip_serializing_if = "is_zero")]
        max: u32,
    },
}

fn is_zero(max: &u32) -> bool {
    *max == 0
}
