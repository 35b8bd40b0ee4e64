//! The scenario model: what the files say, field by field, with places. Fields are checked on their own here (known, of the
//! right shape, in range); what takes more than one place to see (names, types, sums, cycles) is the compiler's.

pub mod choice;
pub mod contents;
pub mod dist;
mod fields;
mod number;
pub mod read;
mod scalar;
pub mod services;
mod span;
mod value;

use std::sync::Arc;

use super::source::{FileId, Loc, Located};
use super::template::Template;

/// All scenario files of a compilation.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The services in force, one entry for each file that has scenarios; see [`Scenario::scope`].
    pub scopes: Vec<Scope>,
    /// In file order.
    pub scenarios: Vec<Scenario>,
}

/// The services that a file's spans may name: those of its directory's `_base.yaml` and its own.
#[derive(Clone, Debug)]
pub struct Scope {
    pub file: FileId,
    /// `None`: no list is in force, any name will do.
    pub services: Option<Arc<services::Services>>,
    /// The `services` keys whose lists these are.
    pub lists: Vec<Loc>,
}

#[derive(Clone, Debug)]
pub struct Service {
    pub name: Located<String>,
    pub version: Option<Located<String>>,
    pub namespace: Option<Located<String>>,
    /// 1 to 1,000.
    pub instances: Option<Located<u32>>,
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    /// Index into [`Model::scopes`].
    pub scope: usize,
    pub name: Located<String>,
    pub description: Option<Located<String>>,
    /// Finite, >= 0.
    pub weight: Option<Located<f64>>,
    pub vars: Vec<Var>,
    /// `steps` are already nested: each is the one call of the step before.
    pub root: Span,
    /// The scenario's mapping.
    pub loc: Loc,
}

#[derive(Clone, Debug)]
pub struct Var {
    pub name: Located<String>,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub struct Span {
    pub service: Located<String>,
    pub operation: Template,
    pub kind: Kind,
    pub delay: Option<dist::Dist>,
    pub attributes: Vec<Attribute>,
    pub events: Vec<Event>,
    pub error_conditions: Vec<ErrorCondition>,
    pub calls: Vec<Span>,
    pub export: Option<Template>,
    /// A glob over export keys.
    pub link: Option<Located<String>>,
    pub loc: Loc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

#[derive(Clone, Debug)]
pub struct Attribute {
    pub key: Located<String>,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub name: Template,
    pub attributes: Vec<Attribute>,
    pub loc: Loc,
}

#[derive(Clone, Debug)]
pub struct ErrorCondition {
    /// 0 to 100.
    pub probability: Located<f64>,
    pub r#type: Template,
    pub message: Option<Template>,
    pub loc: Loc,
}

/// What an attribute or a var is given.
#[derive(Clone, Debug)]
pub enum Value {
    Scalar(Scalar),
    List { items: Vec<Scalar>, loc: Loc },
    Choice(choice::Choice),
}

#[derive(Clone, Debug)]
pub enum Scalar {
    Bool(Located<bool>),
    Int(Located<i64>),
    /// Finite.
    Double(Located<f64>),
    /// Quoted, with text around its expressions, or without any: always text.
    Text(Template),
    /// Plain or a block scalar, and exactly one expression: keeps the expression's type.
    Expr(Template),
}
