//! Comparisons whose results are known when compiling: those in shared spans with constant parameters. Comparisons outside
//! of shared spans are compiled as they are written.

use std::cmp::Ordering;

use super::{Expressions, Scope, Typed};
use crate::compiler::types::Kind;
use crate::plan::{Constant, Expr, ExprId, Operator};

impl Expressions<'_> {
    /// Adds a comparison, or its result if that is known.
    pub(super) fn compare(&mut self, operator: Operator, left: ExprId, right: ExprId) -> Option<Typed> {
        let known = self.ordering(left, right).map(|ordering| match operator {
            Operator::Eq => ordering.is_eq(),
            Operator::Ne => ordering.is_ne(),
            Operator::Lt => ordering.is_lt(),
            Operator::Le => ordering.is_le(),
            Operator::Gt => ordering.is_gt(),
            _ => ordering.is_ge(),
        });
        match known {
            Some(holds) => self.constant(Constant::Bool(holds)),
            None => self.add(Expr::Binary { operator, left, right }, Kind::Bool),
        }
    }

    /// Adds `of in [items]`, or its result if that is known.
    pub(super) fn find_in(&mut self, operand: ExprId, items: Box<[ExprId]>) -> Option<Typed> {
        let equal = |item: &ExprId| self.ordering(operand, *item).map(Ordering::is_eq);
        match items.iter().map(equal).collect::<Option<Vec<bool>>>() {
            Some(equal) if !equal.is_empty() => self.constant(Constant::Bool(equal.contains(&true))),
            _ => self.add(Expr::In { operand, items }, Kind::Bool),
        }
    }

    /// Reports whether `omit` leaves a value unchanged.
    pub(super) fn is_kept(&self, operand: ExprId, omitted: ExprId) -> bool {
        self.ordering(operand, omitted).is_some_and(Ordering::is_ne)
    }

    /// Returns the order of two values in a shared span, if they are constant and of one type.
    fn ordering(&self, left: ExprId, right: ExprId) -> Option<Ordering> {
        let Scope::Trace { names, site, .. } = self.scope else { return None };
        if !names.is_shared(site) {
            return None;
        }
        match (self.tables.constant_of(left)?, self.tables.constant_of(right)?) {
            (Constant::Int(left), Constant::Int(right)) => Some(left.cmp(right)),
            (Constant::Bool(left), Constant::Bool(right)) => Some(left.cmp(right)),
            (Constant::Text(left), Constant::Text(right)) => {
                Some(self.tables.text_of(*left).cmp(self.tables.text_of(*right)))
            }
            _ => None,
        }
    }
}
