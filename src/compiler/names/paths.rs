//! The paths in the expressions of templates and values.

use crate::language::scenario::choice::{Choice, Options};
use crate::language::scenario::{Scalar, Value};
use crate::language::source::Loc;
use crate::language::template::{Expr, Node, Part, Template};

/// Calls `f` with every path that the expressions of a value read, in the order written.
pub fn each_path_of_value(value: &Value, f: &mut impl FnMut(&[String], Loc)) {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Scalar(scalar) => each_path_of_scalar(scalar, f),
            Value::List { items, .. } => waiting.extend(items.iter().rev()),
            Value::Map { entries, .. } => waiting.extend(entries.iter().rev().map(|entry| &entry.value)),
            Value::Choice(Choice { options: Options::Values(items), .. }) => {
                items.iter().for_each(|item| each_path_of_scalar(item, f));
            }
            // Rows are constant.
            Value::Choice(_) | Value::Bytes(_) => {}
        }
    }
}

fn each_path_of_scalar(scalar: &Scalar, f: &mut impl FnMut(&[String], Loc)) {
    if let Scalar::Text(template) | Scalar::Expr(template) = scalar {
        each_path(template, f);
    }
}

/// Calls `f` with every path that the template's expressions read, in the order written.
pub fn each_path(template: &Template, f: &mut impl FnMut(&[String], Loc)) {
    let mut waiting: Vec<&Node> = Vec::new();
    for part in &template.parts {
        if let Part::Expr(node) = part {
            waiting.push(node);
        }
        while let Some(node) = waiting.pop() {
            match &*node.value {
                Expr::Error | Expr::Bool(_) | Expr::Int(_) | Expr::Double(_) | Expr::Text(_) => {}
                Expr::Path(path) => f(path, node.loc),
                Expr::List(items) | Expr::Call { arguments: items, .. } => waiting.extend(items.iter().rev()),
                Expr::Map(entries) => {
                    for (key, value) in entries.iter().rev() {
                        waiting.extend([value, key]);
                    }
                }
                Expr::Filter { input, arguments, .. } => {
                    waiting.extend(arguments.iter().rev());
                    waiting.push(input);
                }
                Expr::If { condition, then, otherwise } => waiting.extend([otherwise, condition, then]),
                Expr::Unary { operand, .. } => waiting.push(operand),
                Expr::Binary { left, right, .. } => waiting.extend([right, left]),
            }
        }
    }
}
