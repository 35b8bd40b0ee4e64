//! Parses YAML text to nodes with places.
//!
//! The event parser is granit-parser. The tree is built here: every node knows its bytes and how it was written (plain,
//! quoted, block), on which the types of values depend. Aliases and merge keys are resolved here. If YAML reads something
//! else than the author of a template meant, it is also detected here (`traps`), so that later stages see [`Kind::Broken`]
//! and report nothing more.

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

/// The maximum number of levels of lists and mappings.
pub const MAX_NESTING: usize = 200;
/// The maximum number of nodes in a file.
pub const MAX_NODES: usize = 1_000_000;
/// The maximum number of nodes that aliases may add to a file; a text counts as one, and as one more for every
/// [`BYTES_A_NODE`].
pub const MAX_ALIASED_NODES: usize = 100_000;
const BYTES_A_NODE: usize = 256;

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// A block scalar, with `|` or `>`.
    Block,
}

impl Style {
    pub fn is_quoted(self) -> bool {
        matches!(self, Style::SingleQuoted | Style::DoubleQuoted)
    }
}

/// A node. It borrows the text of the file if that is the value as it stands, as for most scalars.
#[derive(Debug)]
pub struct Node<'a> {
    /// The place; for an empty value that of its key.
    pub loc: Loc,
    pub kind: Kind<'a>,
    /// The number of nodes in it, itself and those of aliases included; long texts count as several.
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
    /// The node is wrong, which has been reported.
    Broken,
}

/// A key and its value. Keys are unique in a mapping, and never templates.
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

    /// Reports whether it is written as nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, style: Style::Plain } if core(text) == Core::Null)
    }
}

/// Reads all documents of a file, as far as the budget allows.
pub(super) fn parse<'a>(file: FileId, text: &'a str, limits: Limits, diagnostics: &mut Vec<Diagnostic>) -> Parsed<'a> {
    load::Loader::new(file, text, limits, diagnostics).run()
}

pub struct Parsed<'a> {
    /// The root of each document that is YAML.
    pub documents: Vec<Rc<Node<'a>>>,
    /// Whether no document was lost.
    pub complete: bool,
}
