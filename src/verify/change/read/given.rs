//! What is written behind the word of a change, in a file or in a flag.

use crate::language::source::{Loc, Located};
use crate::language::template::{Expr, Node as ExprNode};
use crate::language::yaml::{Core, Kind as Shape, Node, Style, core, is_template};
use crate::trace::OwnedDatum;
use std::borrow::Cow;

/// A value, a list or a mapping, with its place.
pub struct Given {
    pub loc: Loc,
    pub form: Form,
}

pub enum Form {
    /// A value that is written out; a name in a file is a text.
    Value {
        value: OwnedDatum,
        text: String,
        style: Style,
    },
    /// A name without quotes in a flag.
    Name(String),
    /// Another expression in a flag.
    Expression(String),
    List(Vec<Given>),
    Map(Vec<(Located<String>, Given)>),
    /// There is nothing, or a number that no value can hold.
    Nothing,
    /// What is written is wrong, which has been reported.
    Broken,
}

impl Given {
    /// Reads a node of a file.
    pub fn of_node(node: &Node<'_>) -> Given {
        let form = match &node.kind {
            Shape::Scalar { text, style } => {
                let plain = if *style == Style::Plain { core(text) } else { Core::Text };
                let value = match plain {
                    Core::Null | Core::OutOfRange => None,
                    Core::Bool(value) => Some(OwnedDatum::Bool(value)),
                    Core::Int(value) => Some(OwnedDatum::Int(value)),
                    Core::Double(value) => Some(OwnedDatum::Double(value)),
                    Core::Text => Some(OwnedDatum::Text(text.to_string())),
                };
                value.map_or(Form::Nothing, |value| Form::Value { value, text: text.to_string(), style: *style })
            }
            Shape::Sequence(items) => Form::List(items.iter().map(|item| Given::of_node(item)).collect()),
            Shape::Mapping(entries) => {
                let name = |key: &Located<Cow<'_, str>>| Located::new(key.value.to_string(), key.loc);
                Form::Map(entries.iter().map(|entry| (name(&entry.key), Given::of_node(&entry.value))).collect())
            }
            Shape::Broken => Form::Broken,
        };
        Given { loc: node.loc, form }
    }

    /// Reads an argument in a flag, whose text is `source`.
    pub fn of_expr(node: &ExprNode, source: &str) -> Given {
        let style = match source.as_bytes().get(node.loc.start as usize) {
            Some(b'\'') => Style::SingleQuoted,
            Some(b'"') => Style::DoubleQuoted,
            _ => Style::Plain,
        };
        let value = |value: OwnedDatum| {
            let text = if let OwnedDatum::Text(text) = &value { text.clone() } else { value.as_datum().to_string() };
            Form::Value { value, text, style }
        };
        let form = match &*node.value {
            Expr::Error => Form::Broken,
            Expr::Bool(v) => value(OwnedDatum::Bool(*v)),
            Expr::Int(v) => value(OwnedDatum::Int(*v)),
            Expr::Double(v) => value(OwnedDatum::Double(*v)),
            Expr::Text(v) => value(OwnedDatum::Text(v.clone())),
            Expr::List(items) => Form::List(items.iter().map(|item| Given::of_expr(item, source)).collect()),
            Expr::Path(path) => Form::Name(path.join(".")),
            _ => Form::Expression(source[node.loc.range()].into()),
        };
        Given { loc: node.loc, form }
    }

    /// Takes a text as an expression.
    pub fn of_text(text: &str, loc: Loc) -> Given {
        Given { loc, form: Form::Expression(text.into()) }
    }

    /// Returns the name of a field; `None` if it is something else.
    pub fn name(&self) -> Option<&str> {
        match &self.form {
            Form::Value { text, .. } => Some(text),
            Form::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Returns what to write instead of something that is no text; `None` if nothing can be said.
    pub fn as_quoted(&self) -> Option<String> {
        match &self.form {
            Form::Value { text, .. } => Some(format!("a text is quoted: '{text}'")),
            Form::Name(name) => {
                Some(format!("a text is quoted, as `'{name}'`; the value of a field is `'<<{name}>>'`"))
            }
            _ => None,
        }
    }

    /// Returns the text of an expression, and how it was written; `None` if it is something else.
    pub fn expression(&self) -> Option<(&str, Style)> {
        match &self.form {
            Form::Value { text, style, .. } => Some((text, *style)),
            Form::Name(text) | Form::Expression(text) => Some((text, Style::Plain)),
            _ => None,
        }
    }

    /// Returns the text; `None` if it is something else.
    pub fn text(&self) -> Option<&str> {
        if let Form::Value { value: OwnedDatum::Text(text), .. } = &self.form { Some(text) } else { None }
    }

    /// Returns the text with names of fields in it, and how it was written; `None` if it is something else.
    pub fn template(&self) -> Option<(&str, Style)> {
        match &self.form {
            Form::Value { value: OwnedDatum::Text(text), style, .. } if is_template(text) => Some((text, *style)),
            _ => None,
        }
    }

    /// Returns the number if it is one from 0 to `most`.
    pub fn number(&self, most: usize) -> Option<usize> {
        let Form::Value { value: OwnedDatum::Int(number), .. } = &self.form else { return None };
        usize::try_from(*number).ok().filter(|number| *number <= most)
    }

    /// Returns the value of an attribute; `None` if a part of it is not written out.
    pub fn datum(&self) -> Option<OwnedDatum> {
        match &self.form {
            Form::Value { value, .. } => Some(value.clone()),
            Form::List(items) => items.iter().map(Given::datum).collect::<Option<_>>().map(OwnedDatum::List),
            Form::Map(entries) => {
                let entry = |(key, value): &(Located<String>, Given)| Some((key.value.clone(), value.datum()?));
                entries.iter().map(entry).collect::<Option<_>>().map(OwnedDatum::Map)
            }
            Form::Name(_) | Form::Expression(_) | Form::Nothing | Form::Broken => None,
        }
    }

    /// Returns the items of a list, or what is given as the only one.
    pub fn items(&self) -> &[Given] {
        if let Form::List(items) = &self.form { items } else { std::slice::from_ref(self) }
    }

    /// Returns what a message says that it is.
    pub fn described(&self) -> String {
        match &self.form {
            Form::Value { text, .. } | Form::Name(text) | Form::Expression(text) => {
                format!("`{}`", text.chars().take(60).collect::<String>())
            }
            Form::List(_) => "a list".into(),
            Form::Map(_) => "a mapping".into(),
            Form::Nothing | Form::Broken => "nothing".into(),
        }
    }

    /// Reports whether it is wrong, which has been reported.
    pub fn is_broken(&self) -> bool {
        matches!(self.form, Form::Broken)
    }
}
