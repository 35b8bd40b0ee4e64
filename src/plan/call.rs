//! Calls that do more than run a block once and at once.

use super::id::{AnswerId, AttrId, DistId, ErrorId, ExprId, SlotId};
use super::inst::Chance;
use serde::{Deserialize, Serialize};

/// The terms of a call. A call without terms runs its block once, starts it at once, and waits for its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallSpec {
    /// How often the block runs; `None` means once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// The time between the call and the start of the block, drawn before each turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<DistId>,
    /// The maximum time that the caller waits for the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
    /// What happens if the block has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Whether nobody waits for the block: the caller's time does not advance, and the block's outcome is ignored.
    #[serde(default, rename = "async", skip_serializing_if = "std::ops::Not::not")]
    pub is_async: bool,
    /// The network between a client and the server that it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
    /// The outages of the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Down>,
    /// The slots for the outcome of the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl CallSpec {
    /// Returns the maximum number of turns of the call.
    pub fn turns(&self) -> u32 {
        self.repeat.map_or(1, |repeat| repeat.max)
    }

    /// Returns the maximum number of attempts of a turn.
    pub fn attempts(&self) -> u32 {
        self.retry.map_or(1, |retry| retry.attempts)
    }

    /// Returns the distributions of the terms.
    pub fn dists(&self) -> impl Iterator<Item = DistId> {
        let timeout = self.timeout.map(|timeout| timeout.after);
        let network = self.exchange.map(|exchange| exchange.network);
        self.wait.into_iter().chain(timeout).chain(self.retry.and_then(|retry| retry.backoff)).chain(network)
    }

    /// Returns the expressions of the terms themselves.
    pub fn exprs(&self) -> impl Iterator<Item = ExprId> {
        let retry = self.retry.and_then(|retry| retry.when);
        self.repeat.map(|repeat| repeat.count).into_iter().chain(retry).chain(self.down.map(|down| down.when))
    }

    /// Returns the expressions of the terms themselves, mutably.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let count = self.repeat.as_mut().map(|repeat| &mut repeat.count);
        let retry = self.retry.as_mut().and_then(|retry| retry.when.as_mut());
        count.into_iter().chain(retry).chain(self.down.as_mut().map(|down| &mut down.when))
    }
}

/// The timeout of a caller. When it is over, the call has failed and the caller continues. A span that runs in the caller's
/// process, and those that it calls there, end at that time and fail with `error`; a span that runs elsewhere goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// The maximum time to wait, drawn before each attempt.
    pub after: DistId,
    /// The error of the call, and of the spans that it ends. Its type is a constant, and it has no message and no
    /// attributes.
    pub error: ErrorId,
}

/// The outages of a block. An attempt during one makes no span: it fails with `error` at the time at which the block would
/// have started; a refused request takes as long to come back as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Down {
    /// The condition of an outage, which depends on incidents and on the block's instance alone. It is evaluated for the
    /// start of the block, after its instance is drawn.
    pub when: ExprId,
    /// The error of the call. Its type is a constant, and it has no message and no attributes.
    pub error: ErrorId,
}

/// The attempts of a turn: after a failed attempt the next one is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The maximum number of attempts, including the first; 2 to 20.
    pub attempts: u32,
    /// The time from the end of an attempt to the start of the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<DistId>,
    /// The factor by which that time is multiplied after each attempt, in thousandths; 1,000 to 100,000.
    pub factor: u32,
    /// The maximum share by which that time is lengthened or shortened, uniformly distributed; one draw for each attempt,
    /// none if it is 0.
    pub jitter: Chance,
    /// The condition of the next attempt, which is evaluated when the outcome of the last one is in its slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ExprId>,
    /// The slot for the number of the attempt, counted from 0, which is set before each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<SlotId>,
}

/// A request and its answer. The server's span starts when the request has arrived. The client continues when the answer
/// has arrived, or at its own timeout: then the call has failed with the error of the timeout, and there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The time that a message takes, drawn for the request and again for the answer.
    pub network: DistId,
    /// The first of the [`Answer`]s that the client reads, which are adjacent.
    pub first_answer: AnswerId,
    /// The number of these answers.
    pub answers: u32,
}

impl Exchange {
    /// Returns the answers that the client reads, in order.
    pub fn answers(self) -> impl ExactSizeIterator<Item = AnswerId> {
        (self.first_answer.0..self.first_answer.0 + self.answers).map(AnswerId)
    }
}

/// A value that a client reads from a server's answer: that of an attribute of the server's span at its end. Without an
/// answer the value is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The computed attribute of the server's span.
    pub attr: AttrId,
    /// The slot in which its value is stored.
    pub slot: SlotId,
}

/// The turns of a call: one after another in a span or a sequence, in parallel in a parallel group or if nobody waits for
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The number of turns, which is evaluated once, before the first. A negative value, or one that is not a number,
    /// counts as 0.
    pub count: ExprId,
    /// The maximum to which the number of turns is limited.
    pub max: u32,
    /// The slot for the number of the turn, counted from 0, which is set before each turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<SlotId>,
    /// The slot for the total number of turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<SlotId>,
    /// The slot that ends the turns if it holds `true` after one of them, provided that they come one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<SlotId>,
}

/// The slots for the outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The slot for whether the call failed, a bool.
    pub failed: SlotId,
    /// The slot for the type of the error, a text, which is empty if the call did not fail.
    pub r#type: SlotId,
    /// The slot for the message of the error, a text, which is absent if there is none.
    pub message: SlotId,
}

impl Outcome {
    /// Returns the three slots.
    pub fn slots(self) -> [SlotId; 3] {
        [self.failed, self.r#type, self.message]
    }
}

/// A group of calls that makes no span of its own and belongs to the span around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Group {
    /// Calls that are made one after another.
    Sequence {
        /// The slots that hold the group's own outcome at its end; `None` means that the group never fails.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<Outcome>,
    },
    /// Calls that all start with the group. It ends when the last call that is waited for has ended. Its outcome is that of
    /// the call that failed first, and of those that failed at the same time the first in order.
    Parallel {
        /// The maximum number of calls that run at a time; each of the others, in order, starts when one has ended. 0 means
        /// no limit.
        #[serde(default, skip_serializing_if = "is_zero")]
        max: u32,
    },
}

fn is_zero(max: &u32) -> bool {
    *max == 0
}
