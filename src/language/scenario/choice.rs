//! Choices `{choice: [..], weights: [..]}`: one of several values, or of several rows of related values.

use std::borrow::Cow;

use super::fields::{Context, Fields};
use super::scalar::{one_type, scalar};
use super::table::{self, Column, Rows};
use super::{Scalar, number};
use crate::language::diagnostic::{Diagnostic, Problem, Role, nearest, short};
use crate::language::source::{Loc, Located};
use crate::language::yaml::{Entry, Kind, Node};

/// A value that is chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    pub options: Options,
    /// As many weights as options, with a finite sum above 0; `None` if all are equally likely.
    pub weights: Option<Vec<f64>>,
    pub loc: Loc,
}

/// The options of a choice, at least one.
#[derive(Clone, Debug)]
pub enum Options {
    Values(Vec<Scalar>),
    Rows(Rows),
}

/// Reports whether a mapping is meant to be a choice.
pub fn is_choice(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| matches!(&*entry.key.value, "choice" | "weights"))
}

/// Reads a choice, whose name is `key`; an attribute can't be a choice of rows.
pub(super) fn choice(cx: &mut Context, key: &Located<Cow<str>>, subject: &'static str, node: &Node) -> Option<Choice> {
    let fields = Fields::read(cx, node, "a choice", &["choice", "weights"])?;
    let (list, weights) = (fields.required(cx, "choice"), fields.get("weights"));
    if let Some(entry) = list
        && let Kind::Scalar { text, .. } = &entry.value.kind
        && !entry.value.is_null()
    {
        return in_table(cx, subject, text, &entry.value, weights, node.loc);
    }
    let Kind::Sequence(items) = &list?.value.kind else {
        cx.mistyped("`choice`", "a list, or the name of a CSV file", &list?.value, None);
        return None;
    };
    if items.is_empty() {
        cx.report(Problem::Empty { subject: "`choice`".into() }, list?.value.loc);
        return None;
    }
    let weights = match weights {
        Some(entry) => Some(self::weights(cx, &entry.value, items.len())?),
        None => None,
    };
    let mappings: Option<Vec<&[Entry]>> = items.iter().map(|item| as_mapping(item)).collect();
    let options = match mappings {
        Some(_) if subject == "an attribute" => {
            cx.report(Problem::RowsInAttribute, list?.value.loc);
            return None;
        }
        Some(rows) => Options::Rows(read_rows(cx, &rows, list?.value.loc)?),
        None => {
            let values: Vec<Scalar> = items.iter().map(|item| scalar(cx, key, subject, item)).collect();
            one_type(cx, &values);
            Options::Values(values)
        }
    };
    Some(Choice { options, weights, loc: node.loc })
}

/// Reads a choice of rows in a table, which `text` names.
fn in_table(
    cx: &mut Context,
    subject: &'static str,
    text: &str,
    node: &Node,
    weights: Option<&Entry>,
    loc: Loc,
) -> Option<Choice> {
    if subject != "a var" {
        cx.report(Problem::RowsInAttribute, node.loc);
        return None;
    }
    let rows = table::rows(cx, text, node.loc)?;
    let weights = match weights {
        Some(entry) => Some(weights_in(cx, &entry.value, &rows)?),
        None => None,
    };
    Some(Choice { options: Options::Rows(rows), weights, loc })
}

/// Returns the weights of a table's rows: the column that `node` names.
fn weights_in(cx: &mut Context, node: &Node, rows: &Rows) -> Option<Vec<f64>> {
    if !matches!(node.kind, Kind::Scalar { .. }) {
        cx.mistyped("`weights`", "the name of a column, beside a table", node, None);
        return None;
    }
    let name = cx.text("`weights`", node)?;
    let Some(column) = rows.columns.iter().find(|column| column.name == name.value) else {
        let nearest = nearest(&name.value, rows.columns.iter().map(|column| column.name.as_str()));
        cx.report(Problem::UnknownColumn { name: short(&name.value), nearest }, node.loc);
        return None;
    };
    let number = |value: &Scalar| match value {
        Scalar::Int(value) => Some(value.value as f64),
        Scalar::Double(value) => Some(value.value),
        _ => None,
    };
    let Some(weights) = column.values.iter().map(number).collect::<Option<Vec<f64>>>() else {
        cx.mistyped("`weights`", "a column of numbers", node, None);
        return None;
    };
    if let Some(negative) = weights.iter().find(|weight| **weight < 0.0) {
        cx.report(Problem::NegativeWeight { value: negative.to_string() }, node.loc);
        return None;
    }
    let sum: f64 = weights.iter().sum();
    if sum == 0.0 || sum.is_infinite() {
        cx.report(if sum == 0.0 { Problem::WeightSum } else { Problem::WeightOverflow }, node.loc);
        return None;
    }
    Some(weights)
}

fn as_mapping<'n>(node: &'n Node<'n>) -> Option<&'n [Entry<'n>]> {
    if let Kind::Mapping(entries) = &node.kind { Some(entries) } else { None }
}

/// Reads the weights of `choices` choices.
pub(super) fn weights(cx: &mut Context, node: &Node, choices: usize) -> Option<Vec<f64>> {
    let Kind::Sequence(items) = &node.kind else {
        cx.mistyped("`weights`", "a list of numbers", node, None);
        return None;
    };
    let weights: Vec<_> = items.iter().map(|item| Some(number::weight(cx, item)?.value)).collect();
    let weights = weights.into_iter().collect::<Option<Vec<f64>>>()?;
    let sum: f64 = weights.iter().sum();
    let problem = if weights.len() != choices {
        Problem::ChoiceWeights { choices, weights: weights.len() }
    } else if sum == 0.0 {
        Problem::WeightSum
    } else if sum.is_infinite() {
        Problem::WeightOverflow
    } else {
        return Some(weights);
    };
    cx.report(problem, node.loc);
    None
}

fn read_rows(cx: &mut Context, rows: &[&[Entry]], loc: Loc) -> Option<Rows> {
    let first = rows[0];
    let Some(head) = first.first().map(|entry| entry.key.loc) else {
        cx.report(Problem::Empty { subject: "a row".into() }, loc);
        return None;
    };
    let mut columns = Vec::with_capacity(first.len());
    let mut whole = true;
    for entry in first {
        let name = &*entry.key.value;
        let values: Vec<Scalar> = rows
            .iter()
            .filter_map(|row| row.iter().find(|other| *other.key.value == *name))
            .map(|entry| scalar(cx, &entry.key, "a value of a row", &entry.value))
            .collect();
        one_type(cx, &values);
        for value in &values {
            if let Scalar::Text(template) | Scalar::Expr(template) = value
                && template.constant().is_none()
            {
                if !template.is_broken() {
                    cx.report(Problem::TemplateNotAllowed { subject: "a value of a row".into() }, template.loc);
                }
                whole = false;
            }
        }
        columns.push(Column { name: name.to_owned(), values });
    }
    for row in &rows[1..] {
        let lacks = first.iter().find(|entry| !row.iter().any(|other| other.key.value == entry.key.value));
        let extra = row.iter().find(|entry| !first.iter().any(|other| other.key.value == entry.key.value));
        let (column, at, missing) = match (lacks, extra) {
            (Some(entry), _) => (&entry.key.value, row.first().map_or(entry.key.loc, |entry| entry.key.loc), true),
            (None, Some(entry)) => (&entry.key.value, entry.key.loc, false),
            (None, None) => continue,
        };
        let problem = Problem::RowColumns { column: short(column), missing };
        cx.add(Diagnostic::new(problem, at).related(Role::First, head));
        whole = false;
    }
    whole.then_some(Rows { count: rows.len(), columns })
}
