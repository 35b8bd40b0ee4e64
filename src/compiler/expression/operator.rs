//! The operators: their operands and results.

use super::{Expressions, Typed};
use crate::compiler::types::{Kind, Type};
use crate::language::diagnostic::{Problem, Role};
use crate::language::source::Loc;
use crate::language::template::{Binary, Node, Unary};
use crate::plan::{Constant, Expr, Operator};

impl Expressions<'_> {
    pub(super) fn unary(&mut self, operator: Unary, written: &Node) -> Option<Typed> {
        let typed = self.node(written)?;
        let operand = typed.expr;
        match operator {
            Unary::Not => {
                self.condition("not", typed, written.loc)?;
                self.add(Expr::Not { operand }, Kind::Bool)
            }
            Unary::Neg => {
                self.number("-", typed, written.loc)?;
                match self.tables.constant_of(operand) {
                    Some(Constant::Int(value)) => {
                        let value = value.saturating_neg();
                        self.constant(Constant::Int(value))
                    }
                    Some(Constant::Double(value)) => {
                        let value = -value;
                        self.constant(Constant::Double(value))
                    }
                    _ => self.add(Expr::Neg { operand }, typed.ty),
                }
            }
        }
    }

    pub(super) fn binary(&mut self, operator: Binary, left: &Node, right: &Node, loc: Loc) -> Option<Typed> {
        if operator == Binary::In {
            return self.contains(left, right, loc);
        }
        let (a, b) = (self.node(left), self.node(right));
        let (a, b) = (a?, b?);
        let sign = operator.sign();
        let plan = |operator| Expr::Binary { operator, left: a.expr, right: b.expr };
        let optional = a.ty.optional || b.ty.optional;
        match operator {
            Binary::Or | Binary::And => {
                let checked = (self.condition(sign, a, left.loc), self.condition(sign, b, right.loc));
                checked.0.and(checked.1)?;
                self.add(plan(if operator == Binary::Or { Operator::Or } else { Operator::And }), Kind::Bool)
            }
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
                self.comparable(sign, (a, left.loc), (b, right.loc), loc)?;
                let operator = match operator {
                    Binary::Eq => Operator::Eq,
                    Binary::Ne => Operator::Ne,
                    Binary::Lt => Operator::Lt,
                    Binary::Le => Operator::Le,
                    Binary::Gt => Operator::Gt,
                    _ => Operator::Ge,
                };
                self.compare(operator, a.expr, b.expr)
            }
            Binary::Add if a.ty.kind == Kind::Text || b.ty.kind == Kind::Text => {
                for (typed, loc) in [(a, left.loc), (b, right.loc)] {
                    if !matches!(typed.ty.kind, Kind::Text | Kind::Unknown) {
                        let found = typed.ty.kind.name();
                        return self.fail(Problem::JoinedWithText { found }, loc);
                    }
                }
                self.add(plan(Operator::Add), Type { kind: Kind::Text, optional })
            }
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Rem => {
                let checked = (self.number(sign, a, left.loc), self.number(sign, b, right.loc));
                checked.0.and(checked.1)?;
                let kind = a.ty.kind.or(b.ty.kind);
                let (operator, ty) = match operator {
                    Binary::Add => (Operator::Add, Type { kind, optional }),
                    Binary::Sub => (Operator::Sub, Type { kind, optional }),
                    Binary::Mul => (Operator::Mul, Type { kind, optional }),
                    _ => {
                        let never_zero = match self.tables.constant_of(b.expr) {
                            Some(Constant::Int(value)) => *value != 0,
                            Some(Constant::Double(value)) => *value != 0.0,
                            _ => false,
                        };
                        let optional = optional || !never_zero;
                        match operator {
                            Binary::Rem => (Operator::Rem, Type { kind, optional }),
                            _ => (Operator::Div, Type { kind: Kind::Double, optional }),
                        }
                    }
                };
                self.add(plan(operator), ty)
            }
            // This has been handled above.
            Binary::In => None,
        }
    }

    /// Compiles `then if condition else otherwise`.
    pub(super) fn branch(&mut self, condition: &Node, then: &Node, otherwise: &Node) -> Option<Typed> {
        let (decides, a, b) = (self.node(condition), self.node(then), self.node(otherwise));
        let checked = decides.and_then(|decides| self.condition("if", decides, condition.loc));
        let (decides, a, b) = (decides?, a?, b?);
        checked?;
        if let Some(Constant::Bool(holds)) = self.tables.constant_of(decides.expr) {
            return Some(if *holds { a } else { b });
        }
        let optional = decides.ty.optional || a.ty.optional || b.ty.optional;
        let expr = Expr::If { condition: decides.expr, then: a.expr, otherwise: b.expr };
        self.add(expr, Type { kind: a.ty.kind.or(b.ty.kind), optional })
    }

    /// Compiles `x in [..]`.
    fn contains(&mut self, left: &Node, right: &Node, loc: Loc) -> Option<Typed> {
        let (operand, items) = (self.node(left), self.items("in", right));
        let (operand, items) = (operand?, items?);
        for (item, item_loc) in &items {
            self.comparable("in", (operand, left.loc), (*item, *item_loc), loc)?;
        }
        self.find_in(operand.expr, items.iter().map(|(item, _)| item.expr).collect())
    }

    pub(super) fn number(&mut self, operator: &'static str, typed: Typed, loc: Loc) -> Option<()> {
        if typed.ty.kind.may_be_number() {
            return Some(());
        }
        let found = typed.ty.kind.name();
        let quoted = typed.quoted.is_some();
        let problem = Problem::OperandType { operator, expected: "a number", found, quoted };
        self.report.add_related(problem, loc, Role::Quotes, typed.quoted);
        None
    }

    pub(super) fn condition(&mut self, operator: &'static str, typed: Typed, loc: Loc) -> Option<()> {
        self.present(typed, loc);
        if matches!(typed.ty.kind, Kind::Bool | Kind::Unknown) {
            return Some(());
        }
        let found = typed.ty.kind.name();
        let quoted = typed.quoted.is_some();
        let problem = Problem::OperandType { operator, expected: "true or false", found, quoted };
        self.report.add_related(problem, loc, Role::Quotes, typed.quoted);
        None
    }

    pub(super) fn comparable(
        &mut self,
        operator: &'static str,
        a: (Typed, Loc),
        b: (Typed, Loc),
        loc: Loc,
    ) -> Option<()> {
        for (typed, loc) in [a, b] {
            self.present(typed, loc);
            let ordered = !matches!(operator, "==" | "!=" | "in");
            if typed.ty.kind.is_opaque() || ordered && typed.ty.kind == Kind::Bool {
                let found = typed.ty.kind.name();
                let expected = if ordered { "a number or text" } else { "a single value" };
                return self.fail(Problem::OperandType { operator, expected, found, quoted: false }, loc);
            }
        }
        let (left, right) = (a.0.ty.kind, b.0.ty.kind);
        let alike = left == right || left.is_number() && right.is_number();
        if alike || left == Kind::Unknown || right == Kind::Unknown {
            return Some(());
        }
        let quoted = a.0.quoted.or(b.0.quoted);
        let problem = Problem::Incomparable { left: left.name(), right: right.name(), quoted: quoted.is_some() };
        self.report.add_related(problem, loc, Role::Quotes, quoted);
        None
    }

    /// Warns if a value that may be absent decides something.
    pub(super) fn present(&mut self, typed: Typed, loc: Loc) {
        if typed.ty.optional {
            self.report.add(Problem::MayBeAbsent, loc);
        }
    }
}
