//! Fields that are expressions: numbers and conditions.

use super::{Expressions, Typed};
use crate::language::template::Template;

impl Expressions<'_> {
    /// Compiles a field that is a number.
    pub fn number_field(&mut self, field: &'static str, template: &Template) -> Option<Typed> {
        let node = template.single()?;
        let typed = self.node(node)?;
        self.number(field, typed, node.loc)?;
        Some(typed)
    }

    /// Compiles a field that is a condition.
    pub fn condition_field(&mut self, field: &'static str, template: &Template) -> Option<Typed> {
        let node = template.single()?;
        let typed = self.node(node)?;
        self.condition(field, typed, node.loc)?;
        Some(typed)
    }
}
