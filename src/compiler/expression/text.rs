//! Templates and the values of vars and attributes: some become texts, others keep their types.

use super::{Expressions, Scope, Typed};
use crate::compiler::names::{Target, is_computed};
use crate::compiler::tables::at_most;
use crate::compiler::types::{Kind, Type};
use crate::language::diagnostic::Problem;
use crate::language::scenario::{Attribute, Scalar, Value};
use crate::language::source::Loc;
use crate::language::template::{Expr as Ast, Part, Template};
use crate::plan::{Constant, Expr, ExprId, TextId, limits};

impl Expressions<'_> {
    /// Compiles the value of an attribute or a var.
    pub fn value(&mut self, value: &Value) -> Option<Typed> {
        match value {
            Value::Scalar(scalar) => self.scalar(scalar),
            Value::List { items, loc } => {
                let items = items.iter().map(|item| (self.value(item), place_of(item), is_computed(item))).collect();
                self.array(items, *loc)
            }
            Value::Map { entries, loc } => self.map(entries, *loc),
            Value::Bytes(bytes) => self.constant(Constant::Bytes(bytes.value.as_slice().into())),
            Value::Choice(choice) => self.choice(choice),
        }
    }

    /// Compiles a list that is written in YAML, with elements of any types. A list of one type is compiled as in an
    /// expression.
    fn array(&mut self, items: Vec<(Option<Typed>, Loc, bool)>, loc: Loc) -> Option<Typed> {
        let kinds =
            || items.iter().filter_map(|(item, ..)| Some(item.as_ref()?.ty.kind)).filter(|k| *k != Kind::Unknown);
        let first = kinds().next();
        if kinds().all(|kind| Some(kind) == first && !kind.is_opaque()) {
            return self.list(items);
        }
        let items: Vec<ExprId> = items.into_iter().map(|(item, ..)| Some(item?.expr)).collect::<Option<_>>()?;
        let constants = items.iter().map(|item| self.tables.constant_of(*item).cloned()).collect();
        match constants {
            Some(constants) => self.nest(Constant::List(constants), loc),
            None => self.add(Expr::Array { items: items.into() }, Kind::List),
        }
    }

    /// Compiles a list or a map that is known. It may be too deep with the values of vars in it.
    fn nest(&mut self, constant: Constant, loc: Loc) -> Option<Typed> {
        if constant.depth() > limits::NESTING {
            return self.fail(Problem::ValueTooDeep { limit: limits::NESTING }, loc);
        }
        self.constant(constant)
    }

    fn map(&mut self, entries: &[Attribute], loc: Loc) -> Option<Typed> {
        let keys: Box<[TextId]> = entries.iter().map(|entry| self.tables.text(&entry.key.value)).collect();
        let values: Vec<_> = entries.iter().map(|entry| self.value(&entry.value)).collect();
        let values: Vec<ExprId> = values.into_iter().map(|value| Some(value?.expr)).collect::<Option<_>>()?;
        let constants =
            keys.iter().zip(&values).map(|(key, value)| Some((*key, self.tables.constant_of(*value)?.clone())));
        match constants.collect() {
            Some(constants) => self.nest(Constant::Map(constants), loc),
            None => self.add(Expr::Map { keys, values: values.into() }, Kind::Map),
        }
    }

    pub(super) fn scalar(&mut self, scalar: &Scalar) -> Option<Typed> {
        match scalar {
            Scalar::Bool(value) => self.constant(Constant::Bool(value.value)),
            Scalar::Int(value) => self.constant(Constant::Int(value.value)),
            Scalar::Double(value) => self.constant(Constant::Double(value.value)),
            Scalar::Expr(template) => match template.single() {
                Some(node) => self.node(node),
                None => self.text(template),
            },
            Scalar::Text(template) => match template.single() {
                Some(node) if keeps_type(&node.value) => self.node(node),
                Some(_) => {
                    let text = self.text(template)?;
                    Some(Typed { quoted: Some(template.loc), ..text })
                }
                None => self.text(template),
            },
        }
    }

    /// Compiles the template's text, which is absent if a part is absent.
    pub fn text(&mut self, template: &Template) -> Option<Typed> {
        if let Some(node) = template.single() {
            let typed = self.node(node)?;
            return self.cast_to_text(typed, node.loc);
        }
        let mut whole = true;
        let mut parts = Vec::with_capacity(template.parts.len());
        // Adjacent known parts are joined when compiling.
        let mut known = String::new();
        for part in &template.parts {
            match part {
                Part::Text(text) => {
                    self.warn_of_shell(text, template.loc);
                    known.push_str(text);
                }
                Part::Expr(node) => {
                    let Some(typed) = self.node(node) else {
                        whole = false;
                        continue;
                    };
                    self.present(typed, node.loc);
                    if typed.ty.kind.is_opaque() {
                        let found = typed.ty.kind.name();
                        whole = self.fail(Problem::ListInText { found }, node.loc).unwrap_or(false);
                    } else if let Some(text) = self.tables.constant_text(typed.expr) {
                        let (bytes, length) = (text.len(), known.len() + text.len());
                        if length <= limits::TEXT_BYTES {
                            known.push_str(&text);
                        }
                        let one = at_most("bytes of text", length as u64, limits::TEXT_BYTES as u64);
                        let grown = one.and_then(|()| self.tables.join(bytes));
                        self.within(grown, node.loc)?;
                    } else {
                        if !known.is_empty() {
                            parts.push(self.tables.text_constant(&known));
                            known.clear();
                        }
                        parts.push(typed.expr);
                    }
                }
            }
        }
        if !whole {
            return None;
        }
        if parts.is_empty() {
            return self.text_constant(&known);
        }
        if !known.is_empty() {
            parts.push(self.tables.text_constant(&known));
        }
        self.add(Expr::Concat { parts: parts.into() }, Kind::Text)
    }

    /// Warns of `${x}` where `<<x>>` would have a value.
    fn warn_of_shell(&mut self, text: &str, at: Loc) {
        let Scope::Trace { names, site, .. } = self.scope else { return };
        for begun in text.split("${").skip(1) {
            let Some((name, _)) = begun.split_once('}') else { return };
            let path: Vec<String> = name.split('.').map(String::from).collect();
            if matches!(names.find(site, &path), Ok(Target::Var(_) | Target::Column { .. } | Target::Attribute { .. }))
            {
                self.report.add(Problem::ShellTemplate { name: name.to_owned() }, at);
            }
        }
    }

    /// Compiles the template's text where one is required: in a name, a key, a type.
    pub fn required_text(&mut self, template: &Template) -> Option<Typed> {
        let typed = self.text(template)?;
        if let Some(node) = template.single() {
            self.present(typed, node.loc);
        }
        Some(typed)
    }

    pub(super) fn cast_to_text(&mut self, typed: Typed, loc: Loc) -> Option<Typed> {
        match typed.ty.kind {
            Kind::Text => Some(typed),
            kind if kind.is_opaque() => self.fail(Problem::ListInText { found: kind.name() }, loc),
            _ => match self.tables.constant_text(typed.expr) {
                Some(text) => {
                    let text = text.into_owned();
                    self.text_constant(&text)
                }
                None => self.add(Expr::Text { operand: typed.expr }, Type { kind: Kind::Text, ..typed.ty }),
            },
        }
    }
}

/// Reports whether a quoted scalar keeps the type of its expression, because the last filter gives a type.
fn keeps_type(expr: &Ast) -> bool {
    matches!(expr, Ast::Filter { name, .. } if matches!(&*name.value, "int" | "double" | "bool"))
}

fn place_of(value: &Value) -> Loc {
    match value {
        Value::Scalar(scalar) => place(scalar),
        Value::List { loc, .. } | Value::Map { loc, .. } => *loc,
        Value::Bytes(bytes) => bytes.loc,
        Value::Choice(choice) => choice.loc,
    }
}

pub(super) fn place(scalar: &Scalar) -> Loc {
    match scalar {
        Scalar::Bool(value) => value.loc,
        Scalar::Int(value) => value.loc,
        Scalar::Double(value) => value.loc,
        Scalar::Text(template) | Scalar::Expr(template) => template.loc,
    }
}
