//! YAML text to located nodes.
//!
//! The event parser is granit-parser; what is ours is the tree: every node knows its bytes and how it was written (plain,
//! quoted, block), which the types of values depend on. Aliases and merge keys are resolved here, and the ways in which
//! YAML reads something else than a template's author meant are caught here (`traps`), so that later stages see
//! [`Kind::Broken`] and stay silent about it.

mod hint;
mod load;
mod mapping;
mod offsets;
mod scalar;
mod traps;

use std::borrow::Cow;
use std::rc::Rc;

use super::Limits;
use super::diagnostic::Diagnostic;
use super::source::{FileId, Loc, Located};

pub use offsets::Offsets;
pub use scalar::{Core, core, is_template};

/// Levels of lists and mappings inside each other.
pub const MAX_NESTING: usize = 200;
/// Nodes in one file.
pub const MAX_NODES: usize = 1_000_000;
/// Nodes that aliases may add to one file; a text counts as one, and as one more for each [`BYTES_A_NODE`].
pub const MAX_ALIASED_NODES: usize = 100_000;
const BYTES_A_NODE: usize = 256;

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` or `>`.
    Block,
}

impl Style {
    pub fn is_quoted(self) -> bool {
        matches!(self, Style::SingleQuoted | Style::DoubleQuoted)
    }
}

/// Borrows what stands in the file as it is meant: most scalars do.
#[derive(Debug)]
pub struct Node<'a> {
    /// Of an empty value, its key's.
    pub loc: Loc,
    pub kind: Kind<'a>,
    /// Nodes below and including this one, aliases followed, and long texts counted as several.
    weight: usize,
}

#[derive(Debug)]
pub enum Kind<'a> {
    Scalar {
        text: Cow<'a, str>,
        style: Style,
    },
    Sequence(Vec<Rc<Node<'a>>>),
    Mapping(Vec<Entry<'a>>),
    /// Wrong, and reported already.
    Broken,
}

/// A key and its value. Keys are unique in a mapping, never templates.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub key: Located<Cow<'a, str>>,
    pub value: Rc<Node<'a>>,
}

impl<'a> Node<'a> {
    fn new(loc: Loc, kind: Kind<'a>) -> Self {
        let weight = match &kind {
            Kind::Scalar { text, .. } => 1 + text.len() / BYTES_A_NODE,
            Kind::Broken => 1,
            Kind::Sequence(items) => items.iter().fold(1, |sum: usize, item| sum.saturating_add(item.weight)),
            Kind::Mapping(entries) => {
                entries.iter().fold(1, |sum: usize, entry| sum.saturating_add(entry.value.weight).saturating_add(1))
            }
        };
        Node { loc, kind, weight }
    }

    /// Written as nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, style: Style::Plain } if core(text) == Core::Null)
    }
}

/// Reads all documents of a file, as far as they can be read before the budget is spent.
pub(super) fn parse<'a>(file: FileId, text: &'a str, limits: Limits, diagnostics: &mut Vec<Diagnostic>) -> Parsed<'a> {
    load::Loader::new(file, text, limits, diagnostics).run()
}

pub struct Parsed<'a> {
    /// The root of each document that is YAML.
    pub documents: Vec<Rc<Node<'a>>>,
    /// No document was lost.
    pub complete: bool,
}
