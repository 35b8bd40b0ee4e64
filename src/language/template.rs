//! Templates: texts with expressions in `<<...>>` or `{{...}}`. The only parser is `grammar/template.pest`.

mod expression;
mod memo;
mod parse;

pub use memo::Memo;
use parse::parse;
pub use parse::{bare, error};

use super::source::{Loc, Located};

/// The maximum size in bytes of a text with expressions.
pub const MAX_BYTES: usize = 64 * 1024;
/// The maximum number of levels of an expression's tree.
pub const MAX_DEPTH: usize = 64;

/// A scalar's text, cut into constant text and expressions.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub parts: Vec<Part>,
    pub loc: Loc,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Constant text with escapes resolved, not empty, and never adjacent to another one.
    Text(String),
    Expr(Node),
}

impl Template {
    /// Returns the text if no part of it is computed.
    pub fn constant(&self) -> Option<&str> {
        match &self.parts[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Reports whether it contains an expression that could not be read, which was reported.
    pub fn is_broken(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Expr(node) if *node.value == Expr::Error))
    }

    /// Returns the expression if the template is exactly one.
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
    /// An invalid expression or value, which has been reported. It has any type, and causes no further reports.
    Error,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    List(Vec<Node>),
    /// A map: `{'a': 9, 'b': 1}`.
    Map(Vec<(Node, Node)>),
    /// A path: `vars.x`, `parent.attributes.user.id`, `random.uuid`; the segments are between the dots.
    Path(Vec<String>),
    /// A call: `random.int(1, 9)`.
    Call {
        path: Vec<String>,
        arguments: Vec<Node>,
    },
    /// A filter: `input | name(arguments)`.
    Filter {
        input: Node,
        name: Located<String>,
        arguments: Vec<Node>,
    },
    /// A condition: `then if condition else otherwise`.
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

impl Binary {
    /// Returns the operator as it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Binary::Or => "or",
            Binary::And => "and",
            Binary::Eq => "==",
            Binary::Ne => "!=",
            Binary::Lt => "<",
            Binary::Le => "<=",
            Binary::Gt => ">",
            Binary::Ge => ">=",
            Binary::In => "in",
            Binary::Add => "+",
            Binary::Sub => "-",
            Binary::Mul => "*",
            Binary::Div => "/",
            Binary::Rem => "%",
        }
    }
}
