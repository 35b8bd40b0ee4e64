//! Blocks: the code of a span, or of a group of calls in a span.

use super::{AttrRange, BlockId, CallSpec, ErrorId, ExprId, Group, Inst, LinkId, Program, SpanForm};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

/// The code of a span, or of a group of calls in a span. A block is called from exactly one place, or is the root of a
/// scenario.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Block {
    pub form: Form,
    pub code: Vec<Inst>,
}

/// The kind of a block.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// The block makes a span.
    Span(SpanForm),
    /// The block groups calls and makes no span of its own.
    Group(Group),
}

impl Block {
    /// Returns the blocks that this one calls, in order.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = BlockId> {
        self.code.iter().filter_map(Inst::callee)
    }

    /// Returns the form of the block's spans, or `None` if it makes none.
    pub fn span(&self) -> Option<&SpanForm> {
        if let Form::Span(span) = &self.form { Some(span) } else { None }
    }

    /// Returns the range of the block's own computed attributes.
    pub fn attrs(&self) -> AttrRange {
        self.span().map_or(AttrRange::default(), |span| span.attrs)
    }

    /// Returns the instructions that may fail the span, as their positions, with the error of each.
    pub fn failures(&self) -> impl Iterator<Item = (usize, ErrorId)> {
        self.code.iter().enumerate().filter_map(|(pc, inst)| Some((pc, inst.error()?)))
    }

    /// Returns the links that the block looks for, in order.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.code.iter().filter_map(Inst::link)
    }

    /// Returns the expression for the span's name, if the name is computed.
    pub fn computed_name(&self) -> Option<ExprId> {
        self.code.iter().find_map(|inst| if let Inst::Name { value } = inst { Some(*value) } else { None })
    }
}

impl Program {
    /// Reports whether a block that is called with these terms may be cut short by a deadline. `caller_may` says whether
    /// its caller may.
    pub fn may_be_cut(&self, block: BlockId, spec: &CallSpec, caller_may: bool) -> bool {
        match &self.blocks[block.index()].form {
            _ if spec.is_async => false,
            Form::Span(span) if span.kind.is_remote() => false,
            Form::Span(_) => caller_may || spec.timeout.is_some(),
            Form::Group(_) => caller_may,
        }
    }
}

/// A block in JSON, which has a field for each form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    span: Option<SpanForm>,
    group: Option<Group>,
    code: Vec<Inst>,
}

impl TryFrom<Written> for Block {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Block, &'static str> {
        let form = match (written.span, written.group) {
            (Some(span), None) => Form::Span(span),
            (None, Some(group)) => Form::Group(group),
            _ => return Err("a block has either `span` or `group`"),
        };
        Ok(Block { form, code: written.code })
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut block = serializer.serialize_struct("Block", 2)?;
        match &self.form {
            Form::Span(span) => block.serialize_field("span", span)?,
            Form::Group(group) => block.serialize_field("group", group)?,
        }
        block.serialize_field("code", &self.code)?;
        block.end()
    }
}
