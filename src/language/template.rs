//! Templates: texts with expressions in `<<...>>` or `{{...}}`. `grammar/template.pest` is the only parser.

mod expression;
mod memo;
mod parse;

pub use memo::Memo;
use parse::parse;
pub use parse::{bare, error};

use super::source::{Loc, Located};

/// Bytes of a text with expressions in it.
pub const MAX_BYTES: usize = 64 * 1024;
/// Levels of an expression's tree.
pub const MAX_DEPTH: usize = 64;

/// A scalar's text, cut into what stands for itself and what is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub parts: Vec<Part>,
    pub loc: Loc,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Escapes resolved, not empty, never two in a row.
    Text(String),
    Expr(Node),
}

impl Template {
    /// The text, if nothing in it is computed.
    pub fn constant(&self) -> Option<&str> {
        match &self.parts[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether an expression in it could not be read, which was reported.
    pub fn is_broken(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Expr(node) if *node.value == Expr::Error))
    }

    /// The expression, if the template is exactly one.
    pub fn single(&self) -> Option<&Node> {
        match &self.parts[..] {
            [Part::Expr(node)] => Some(node),
            _ => None,
        }
    }
}

/// An expression and its place in the file.
pub type Node = Located<Box<Expr>>;

/// The syntax tree. Names are not resolved: a function without parentheses is a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Not an expression, or where a value was wrong; reported already. Of every type, and nothing follows from it.
    Error,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    List(Vec<Node>),
    /// `{'a': 9, 'b': 1}`.
    Map(Vec<(Node, Node)>),
    /// `vars.x`, `parent.attributes.user.id`, `random.uuid`: the segments between the dots.
    Path(Vec<String>),
    /// `random.int(1, 9)`.
    Call {
        path: Vec<String>,
        arguments: Vec<Node>,
    },
    /// `input | name(arguments)`.
    Filter {
        input: Node,
        name: Located<String>,
        arguments: Vec<Node>,
    },
    /// `then if condition else otherwise`.
    If {
        condition: Node,
        then: Node,
        otherwise: Node,
    },
    Unary {
        operator: Unary,
        operand: Node,
    },
    Binary {
        operator: Binary,
        left: Node,
        right: Node,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Not,
    Neg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}
