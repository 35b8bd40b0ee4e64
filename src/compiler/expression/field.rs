//! Fields that are an expression: a number, a condition.

use super::{Expressions, Typed};
use crate::language::template::Template;

impl Expressions<'_> {
    /// The number that a field is.
    pub fn number_field(&mut self, field: &'static str, template: &Template) -> Option<Typed> {
        let node = template.single()?;
        let typed = self.node(node)?;
        self.number(field, typed, node.loc)?;
        Some(typed)
    }

    /// The condition that a field is.
    pub fn condition_field(&mut self, field: &'static str, template: &Template) -> Option<Typed> {
        let node = template.single()?;
        let typed = self.node(node)?;
        self.condition(field, typed, node.loc)?;
        Some(typed)
    }
}
