//! The field `link_from_context`: a glob, a mapping with more fields, or a list of these.

use std::rc::Rc;

use super::item;
use crate::language::diagnostic::Problem;
use crate::language::scenario::fields::{Context, Fields};
use crate::language::scenario::{Link, dist, value};
use crate::language::yaml::{Kind, Node};

/// Reads the links of a span.
pub fn links(cx: &mut Context, node: &Node) -> Vec<Link> {
    let items: &[Rc<Node>] = match &node.kind {
        Kind::Sequence(items) => items,
        _ => return link(cx, node).into_iter().collect(),
    };
    if items.is_empty() {
        cx.report(Problem::Empty { subject: "`link_from_context`".into() }, node.loc);
    }
    items.iter().filter_map(|item| link(cx, item)).collect()
}

fn link(cx: &mut Context, node: &Node) -> Option<Link> {
    if !matches!(node.kind, Kind::Mapping(_)) {
        let glob = cx.text("`link_from_context`", node)?;
        return Some(Link { glob, count: None, lag: None, attributes: vec![], same_trace: false, loc: node.loc });
    }
    let fields = Fields::read(cx, node, "a link", &["match", "count", "lag_ms", "attributes", "trace"])?;
    let glob = fields.required(cx, "match").and_then(|entry| cx.text("`match`", &entry.value));
    let count = fields.optional("count").and_then(|node| item::repeat(cx, "`count`", node));
    let lag = fields.optional("lag_ms").and_then(|node| dist::ms(cx, "`lag_ms`", node));
    let attributes = value::attributes(cx, fields.optional("attributes"));
    let same_trace = fields.optional("trace").is_some_and(|node| same(cx, node));
    Some(Link { glob: glob?, count, lag, attributes, same_trace, loc: fields.loc })
}

/// Reads `trace`, which can only be `same`.
fn same(cx: &mut Context, node: &Node) -> bool {
    let is_same = matches!(&node.kind, Kind::Scalar { text, .. } if text == "same");
    if !is_same {
        cx.mistyped("`trace`", "`same`", node, Some("leave it out to link to earlier traces".into()));
    }
    is_same
}
