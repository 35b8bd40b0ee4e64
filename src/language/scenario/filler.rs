//! Attributes without a meaning (`filler: {count, values, length}`), to test what many or long values do to a backend.

use super::fields::{Context, Fields};
use super::number;
use super::{Attribute, Scalar, Value};
use crate::language::diagnostic::Problem;
use crate::language::source::{Loc, Located};
use crate::language::template::{Binary, Expr, Node as ExprNode, Part, Template};
use crate::language::yaml::{Core, Kind, Node, Style, core};

/// The maximum number of attributes, of values of each, and of characters in a value.
const MOST: [i64; 3] = [1_000, 1_000_000, 1_024];

/// What a filler's value depends on.
pub enum Source {
    /// It is drawn for each span.
    Draw,
    /// It depends on the instance of the service.
    Instance,
    /// It depends on nothing, because there is one instance.
    One,
}

/// Adds the attributes of a `filler` after the others: `filler.01`, `filler.02` and so on.
pub fn filler(cx: &mut Context, fields: &Fields, source: &Source, attributes: &mut Vec<Attribute>) {
    let Some(node) = fields.optional("filler") else { return };
    let Some(fields) = Fields::read(cx, node, "a filler", &["count", "values", "length"]) else { return };
    let mut figure = |field: &'static str, most: i64| {
        fields.required(cx, field).and_then(|entry| whole(cx, field, &entry.value, most))
    };
    let (count, values, length) = (figure("count", MOST[0]), figure("values", MOST[1]), figure("length", MOST[2]));
    let (Some(count), Some(values), Some(length)) = (count, values, length) else { return };
    let width = count.to_string().len().max(2);
    for number in 1..=count {
        let key = format!("filler.{number:0width$}");
        if attributes.iter().any(|other| other.key.value == key) {
            cx.report(Problem::DuplicateKey { key }, node.loc);
            return;
        }
        let value = value(number, values, length, source, node.loc);
        attributes.push(Attribute { key: Located::new(key, node.loc), value });
    }
}

/// Returns one of `values` values, made by a stable filter: the same number gives the same text in every trace, and another
/// text under another key.
fn value(number: i64, values: i64, length: i64, source: &Source, loc: Loc) -> Value {
    let node = |expr: Expr| ExprNode { value: Box::new(expr), loc };
    let path = |words: [&str; 2]| words.map(String::from).to_vec();
    let filter = |input: ExprNode, name: &str, arguments: Vec<ExprNode>| {
        node(Expr::Filter { input, name: Located::new(name.to_owned(), loc), arguments })
    };
    let which = match source {
        Source::Draw => {
            let arguments = vec![node(Expr::Int(1)), node(Expr::Int(values))];
            node(Expr::Call { path: path(["random", "int"]), arguments })
        }
        Source::Instance => {
            let (left, right) = (node(Expr::Path(path(["instance", "index"]))), node(Expr::Int(values)));
            node(Expr::Binary { operator: Binary::Rem, left, right })
        }
        Source::One => node(Expr::Int(0)),
    };
    let (left, right) = (node(Expr::Text(format!("{number}."))), filter(which, "text", vec![]));
    let owner = node(Expr::Binary { operator: Binary::Add, left, right });
    let parts = vec![Part::Expr(filter(owner, "hex", vec![node(Expr::Int(length))]))];
    Value::Scalar(Scalar::Expr(Template { parts, loc }))
}

/// Reads a whole number that is at least 1.
fn whole(cx: &mut Context, field: &'static str, node: &Node, most: i64) -> Option<i64> {
    let found = match &node.kind {
        Kind::Scalar { text, style: Style::Plain } => core(text),
        _ => Core::Text,
    };
    match found {
        Core::Int(value) if (1..=most).contains(&value) => Some(value),
        Core::Int(_) | Core::OutOfRange => {
            let range = match field {
                "count" => "from 1 to 1000",
                "values" => "from 1 to 1000000",
                _ => "from 1 to 1024",
            };
            cx.report(Problem::NumberOutOfRange { value: number::describe(node), range }, node.loc);
            None
        }
        _ => {
            cx.mistyped(&format!("`{field}`"), "a whole number", node, None);
            None
        }
    }
}
