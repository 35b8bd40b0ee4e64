//! The arguments of functions and filters: their number, their types, and which of them must be known when compiling.

use super::{Expressions, Scope, Typed};
use crate::compiler::interval::{Interval, interval};
use crate::compiler::types::Kind;
use crate::language::diagnostic::{Problem, Role};
use crate::language::source::Loc;
use crate::language::template::{Expr as Ast, Node};
use crate::plan::Constant;

/// A function or filter, and how it is written.
pub(super) struct Signature {
    pub name: &'static str,
    /// The usage as the help shows it.
    pub usage: &'static str,
    pub least: usize,
    pub most: usize,
}

/// An argument and its place.
#[derive(Clone, Copy)]
pub(super) struct Argument {
    pub typed: Typed,
    pub loc: Loc,
}

impl Expressions<'_> {
    pub(super) fn count(&mut self, signature: &'static Signature, found: usize, loc: Loc) -> Option<()> {
        if (signature.least..=signature.most).contains(&found) {
            return Some(());
        }
        let Signature { usage, least, most, .. } = *signature;
        self.fail(Problem::ArgumentCount { usage, least, most, found }, loc)
    }

    pub(super) fn argument(&mut self, node: &Node) -> Option<Argument> {
        Some(Argument { typed: self.node(node)?, loc: node.loc })
    }

    /// Compiles an int, known or computed.
    pub(super) fn int(&mut self, signature: &'static Signature, node: &Node) -> Option<Argument> {
        let argument = self.argument(node)?;
        match argument.typed.ty.kind {
            Kind::Int | Kind::Unknown => Some(argument),
            found => self.wrong_type(signature, "an int", found, argument),
        }
    }

    /// Compiles a number, known or computed.
    pub(super) fn number_argument(&mut self, signature: &'static Signature, node: &Node) -> Option<Argument> {
        let argument = self.argument(node)?;
        match argument.typed.ty.kind {
            Kind::Int | Kind::Double | Kind::Unknown => Some(argument),
            found => self.wrong_type(signature, "a number", found, argument),
        }
    }

    /// Compiles an int that must be known when compiling, and be in `least..=most`.
    pub(super) fn known_int(
        &mut self,
        signature: &'static Signature,
        node: &Node,
        least: i64,
        most: i64,
    ) -> Option<i64> {
        let argument = self.int(signature, node)?;
        let Some(value) = self.int_of(argument) else {
            return self.fail(Problem::ArgumentNotConstant { usage: signature.usage }, argument.loc);
        };
        if (least..=most).contains(&value) {
            return Some(value);
        }
        self.out_of_range(signature, format!("{least} to {most}"), value.to_string(), argument.loc)
    }

    /// Compiles a number that must be known when compiling.
    pub(super) fn known_number(&mut self, signature: &'static Signature, node: &Node) -> Option<f64> {
        let argument = self.number_argument(signature, node)?;
        match self.number_of(argument) {
            Some(value) => Some(value),
            None => self.fail(Problem::ArgumentNotConstant { usage: signature.usage }, argument.loc),
        }
    }

    /// Returns the elements of a list that is written out or known when compiling, at least one.
    pub(super) fn items(&mut self, usage: &'static str, node: &Node) -> Option<Vec<(Typed, Loc)>> {
        let items: Vec<(Typed, Loc)> = if let Ast::List(items) = &*node.value {
            let items: Vec<_> = items.iter().map(|item| Some((self.node(item)?, item.loc))).collect();
            items.into_iter().collect::<Option<_>>()?
        } else {
            let typed = self.node(node)?;
            let Some(Constant::List(known)) = self.tables.constant_of(typed.expr).cloned() else {
                return self.fail(Problem::NotAList { usage }, node.loc);
            };
            let grown = self.tables.repeat(known.len());
            self.within(grown, node.loc)?;
            Vec::from(known).into_iter().filter_map(|item| Some((self.constant(item)?, node.loc))).collect()
        };
        if items.is_empty() { self.fail(Problem::EmptyList { usage }, node.loc) } else { Some(items) }
    }

    /// Returns the range of a number, as far as it is known.
    pub(super) fn interval(&self, typed: Typed) -> Option<Interval> {
        let slots = if let Scope::Trace { slots, .. } = self.scope { slots } else { &[] };
        interval(&self.tables.program.exprs, slots, typed.expr)
    }

    pub(super) fn int_of(&self, argument: Argument) -> Option<i64> {
        match self.tables.constant_of(argument.typed.expr) {
            Some(Constant::Int(value)) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn number_of(&self, argument: Argument) -> Option<f64> {
        match self.tables.constant_of(argument.typed.expr) {
            Some(Constant::Int(value)) => Some(*value as f64),
            Some(Constant::Double(value)) => Some(*value),
            _ => None,
        }
    }

    /// Refuses an argument that is known and not greater than `floor`.
    pub(super) fn above(&mut self, signature: &'static Signature, argument: Argument, floor: f64) -> Option<()> {
        match self.number_of(argument) {
            Some(value) if value <= floor => {
                self.out_of_range(signature, format!("greater than {floor}"), value.to_string(), argument.loc)
            }
            _ => Some(()),
        }
    }

    pub(super) fn out_of_range<T>(
        &mut self,
        signature: &'static Signature,
        allowed: String,
        found: String,
        loc: Loc,
    ) -> Option<T> {
        self.fail(Problem::ArgumentRange { usage: signature.usage, allowed, found }, loc)
    }

    pub(super) fn wrong_type<T>(
        &mut self,
        signature: &'static Signature,
        expected: &'static str,
        found: Kind,
        argument: Argument,
    ) -> Option<T> {
        let quoted = argument.typed.quoted;
        let problem =
            Problem::ArgumentType { usage: signature.usage, expected, found: found.name(), quoted: quoted.is_some() };
        self.report.add_related(problem, argument.loc, Role::Quotes, quoted);
        None
    }
}
