//! The choice of values and rows.

use super::function::either;
use super::text::place;
use super::{Expressions, Typed};
use crate::compiler::types::{Kind, Type};
use crate::language::scenario::choice::{Choice, Options};
use crate::language::scenario::table::Column;
use crate::language::source::Loc;
use crate::plan::{Constant, Expr};

impl Expressions<'_> {
    /// Compiles a choice into the chosen value, or for rows into the number of the row, counted from 0.
    pub(super) fn choice(&mut self, choice: &Choice) -> Option<Typed> {
        let (items, ty) = match (&choice.options, &choice.weights) {
            (Options::Values(values), _) => {
                let items: Vec<_> = values.iter().map(|value| Some((self.scalar(value)?, place(value)))).collect();
                let items = items.into_iter().collect::<Option<Vec<(Typed, Loc)>>>()?;
                let ty = either(&items);
                (items.iter().map(|(item, _)| item.expr).collect(), ty)
            }
            (Options::Rows(rows), None) => {
                return self.add(Expr::RandomInt { min: 0, max: rows.count as i64 - 1 }, Kind::Int);
            }
            (Options::Rows(rows), Some(_)) => {
                let rows = 0..rows.count as i64;
                (rows.map(|row| self.tables.constant(Constant::Int(row))).collect(), Kind::Int.into())
            }
        };
        match &choice.weights {
            Some(weights) => self.add(Expr::RandomWeighted { items, weights: weights.as_slice().into() }, ty),
            None => self.add(Expr::RandomChoice { items }, ty),
        }
    }

    /// Compiles the value of a column in the row with a given number.
    pub(super) fn column(&mut self, row: Typed, column: &Column, loc: Loc) -> Option<Typed> {
        let grown = self.tables.repeat(column.values.len());
        self.within(grown, loc)?;
        let values: Vec<_> = column.values.iter().map(|value| Some((self.scalar(value)?, loc))).collect();
        let values = values.into_iter().collect::<Option<Vec<(Typed, Loc)>>>()?;
        let items = values.iter().map(|(value, _)| value.expr).collect();
        self.add(Expr::Nth { operand: row.expr, items }, Type { optional: false, ..either(&values) })
    }
}
