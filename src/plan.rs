//! The executable plan: a flat, numbered, wire-neutral program. Names are gone: a reference is a slot.
//!
//! A [`Program`] is the tables, as the compiler makes them or a plan file holds them; nothing executes it. The only way to a
//! [`Plan`] is [`Plan::verify`], so whoever holds one holds a program for which all of the verifier's invariants are true.
//!
//! Constructs that a program does not use take no part in its canonical bytes, so the language can grow without moving the
//! digest of programs that stay as they are: new fields are skipped where they hold their default.

pub mod expr;
pub mod id;
pub mod inst;
pub mod limits;

mod dot;
mod expectation;
mod file;
#[cfg(test)]
pub(crate) mod fixture;
mod json;
mod listing;
mod notation;
mod verify;

pub use expectation::{BlockExpectation, Expectation, Extent};
pub use expr::{Constant, Expr, Operator};
pub use file::PlanFileError;
pub use id::{AttrId, BlockId, ErrorId, EventId, ExprId, LinkId, ResourceId, ScenarioId, ServiceId, SlotId, TextId};
pub use inst::{Chance, Inst};
pub use listing::ListingLine;
pub use verify::{Fault, Place, Violation};

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// What the instructions and expressions mean; part of the digest. Changes when the same program would give other traces.
pub const SEMANTICS: u32 = 1;

/// The tables of a plan, not yet verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// [`SEMANTICS`] when it was compiled.
    pub semantics: u32,
    /// Interned: no text occurs twice.
    pub texts: Vec<String>,
    pub services: Vec<Service>,
    /// All instances of all services, a service's own in a row.
    pub resources: Vec<Resource>,
    pub exprs: Vec<Expr>,
    /// Keys of the attributes with computed values, of spans and events. The same key has an entry for each place.
    pub attrs: Vec<TextId>,
    pub events: Vec<Event>,
    pub errors: Vec<Error>,
    pub links: Vec<Link>,
    pub scenarios: Vec<Scenario>,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub name: TextId,
    /// The resource of instance 0; the others follow.
    pub first_resource: ResourceId,
    /// Number of instances, at least 1. With more than one, SERVER and CONSUMER spans draw theirs when they start (one
    /// 32-bit draw, before all else), other spans take their parent's if that is the same service, else draw.
    pub instances: u32,
}

/// The attributes of one service instance, in the order they are sent. Their expressions read no slot, time, id or draw:
/// only constants and the stable functions, so a run has finitely many resources, and each is computed once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    pub attributes: Vec<(TextId, ExprId)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: TextId,
    /// Its share among all scenarios; finite, >= 0.
    pub weight: f64,
    /// What each slot holds, for people: a var's name, or an attribute's key. No part of the digest.
    pub slots: Vec<String>,
    /// Drawn at the trace's start, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<(SlotId, ExprId)>,
    pub root: BlockId,
}

/// The code of one span. Each is called from exactly one place, or is a scenario's root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    pub span: SpanForm,
    pub code: Vec<Inst>,
}

/// What is known of a span before it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanForm {
    pub service: ServiceId,
    pub kind: SpanKind,
    /// `None`: the code has one `name` instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TextId>,
    /// Attributes that no template makes and no condition may replace, in file order. Sent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constants: Vec<(TextId, Constant)>,
    /// The others, in file order: a row of [`Program::attrs`] of this block's own.
    #[serde(default, skip_serializing_if = "AttrRange::is_empty")]
    pub attrs: AttrRange,
}

/// A row of attributes: `first..first + count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttrRange {
    pub first: u32,
    pub count: u32,
}

impl AttrRange {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn ids(self) -> impl ExactSizeIterator<Item = AttrId> {
        (self.first..self.first + self.count).map(AttrId)
    }
}

/// Numbered as in OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SpanKind {
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

impl SpanKind {
    /// As OpenTelemetry writes it: `SERVER`.
    pub fn name(self) -> &'static str {
        match self {
            SpanKind::Internal => "INTERNAL",
            SpanKind::Server => "SERVER",
            SpanKind::Client => "CLIENT",
            SpanKind::Producer => "PRODUCER",
            SpanKind::Consumer => "CONSUMER",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub name: ExprId,
    /// Constant ones first, then the others, each in file order. Evaluated in that order, after the name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(AttrId, ExprId)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// Of `error.type` and `exception.type`. Evaluated first.
    pub r#type: ExprId,
    /// Of the status and `exception.message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<ExprId>,
}

/// A link to a span of an earlier trace that exported a context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// `*` is any run of characters, `?` any one; all else stands for itself.
    pub glob: TextId,
    /// The blocks whose `export` can match the glob; not empty. The graph of linking scenario -> exporting scenario has no
    /// cycle.
    pub sources: Vec<BlockId>,
}

/// A verified program. Reads as its tables do; can't be changed.
#[derive(Clone, Debug)]
pub struct Plan {
    program: Program,
    /// Made when first asked for: a check does without.
    digest: OnceLock<[u8; 32]>,
    bounds: Vec<Bound>,
    end_bounds: Vec<u64>,
    error_type: Vec<Option<AttrId>>,
    text: Vec<u8>,
    text_at: Vec<(u32, u32)>,
}

/// Static limits of one scenario's traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Fewest and most spans of a trace.
    pub min_spans: u32,
    pub max_spans: u32,
    /// Longest time from a trace's start to its last span's end, ns.
    pub duration: u64,
}

impl std::ops::Deref for Plan {
    type Target = Program;
    fn deref(&self) -> &Program {
        &self.program
    }
}

impl Plan {
    /// Bytes behind [`Plan::text_pool`]'s texts, so that a text can be copied in whole strides.
    pub const SLACK: usize = 64;

    /// SHA-256 over the canonical bytes: everything that executes, and nothing else.
    pub fn digest(&self) -> [u8; 32] {
        *self.digest.get_or_init(|| file::digest(self.program.clone()))
    }

    /// The digest in hexadecimal.
    pub fn digest_hex(&self) -> String {
        self.digest().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first eight digits of [`Plan::digest_hex`], as people see it.
    pub fn digest_short(&self) -> String {
        self.digest_hex()[..8].into()
    }

    /// The same plan with other weights, by scenario.
    ///
    /// # Errors
    /// They are not finite, negative, or all 0.
    pub fn with_weights(&self, weights: impl IntoIterator<Item = f64>) -> Result<Plan, Violation> {
        let mut program = self.program.clone();
        program.scenarios.iter_mut().zip(weights).for_each(|(scenario, weight)| scenario.weight = weight);
        Plan::verify(program)
    }

    pub fn bound(&self, scenario: ScenarioId) -> Bound {
        self.bounds[scenario.index()]
    }

    /// The longest any trace can last, ns.
    pub fn duration_bound(&self) -> u64 {
        self.bounds.iter().map(|b| b.duration).max().unwrap_or(0)
    }

    /// The latest a block's span can end, ns from its trace's start.
    pub fn end_bound(&self, block: BlockId) -> u64 {
        self.end_bounds[block.index()]
    }

    /// The block's own computed attribute with the key `error.type`, which a failure overwrites.
    pub fn error_type_attr(&self, block: BlockId) -> Option<AttrId> {
        self.error_type[block.index()]
    }

    pub fn text(&self, id: TextId) -> &str {
        &self.texts[id.index()]
    }

    /// The key of a computed attribute.
    pub fn attr_key(&self, id: AttrId) -> &str {
        self.text(self.attrs[id.index()])
    }

    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.index()]
    }

    /// All constant texts in a row, [`Plan::SLACK`] bytes longer than they are.
    pub fn text_pool(&self) -> &[u8] {
        &self.text
    }

    /// Where a text stands in [`Plan::text_pool`]: offset and length in bytes.
    pub fn text_at(&self, id: TextId) -> (u32, u32) {
        self.text_at[id.index()]
    }
}
