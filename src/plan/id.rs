//! Ids: a `u32` newtype for each table of the plan. An id is formatted as in the plan listing.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// Returns the position in its table.
            #[inline(always)]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}

ids! {
    /// A text in [`super::Program::texts`].
    TextId "text"
    /// A service in [`super::Program::services`].
    ServiceId "service"
    /// A service instance, what OTLP calls a resource, in [`super::Program::resources`].
    ResourceId "resource"
    /// A scenario in [`super::Program::scenarios`].
    ScenarioId "scenario"
    /// A block in [`super::Program::blocks`].
    BlockId "block"
    /// A slot of the block's own scenario, in [`super::Scenario::slots`].
    SlotId "slot"
    /// An expression in [`super::Program::exprs`].
    ExprId "expr"
    /// The key of an attribute whose value is computed, in [`super::Program::attrs`].
    AttrId "attr"
    /// An event in [`super::Program::events`].
    EventId "event"
    /// The type and message of an error condition, in [`super::Program::errors`].
    ErrorId "error"
    /// A distribution of times, in [`super::Program::dists`].
    DistId "dist"
    /// A link to an earlier trace, in [`super::Program::links`].
    LinkId "link"
    /// An instrumentation scope, in [`super::Program::scopes`].
    ScopeId "scope"
    /// The terms of a call, in [`super::Program::specs`].
    CallSpecId "spec"
    /// What a client reads of an answer, in [`super::Program::answers`].
    AnswerId "answer"
    /// An incident in [`super::Program::incidents`].
    IncidentId "incident"
}
